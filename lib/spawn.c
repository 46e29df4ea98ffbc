/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "lib/file.h"

static void run_child(int go_fd, int error_fd, char *const *argv)
{
	char byte;
	int err;

	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	if (read(go_fd, &byte, 1) != 1)
		_exit(127);
	execvp(argv[0], argv);
	err = errno;
	if (write(error_fd, &err, sizeof(err)) != sizeof(err))
		_exit(126);
	_exit(127);
}

int spawn_prepare(struct spawn *s, char *const *argv)
{
	int go[2], error[2];
	pid_t pid;

	*s = (struct spawn){ .go_fd = -1, .error_fd = -1 };
	if (pipe2(go, O_CLOEXEC))
		return -errno;
	if (pipe2(error, O_CLOEXEC)) {
		close(go[0]);
		close(go[1]);
		return -errno;
	}
	pid = fork();
	if (pid == 0) {
		close(go[1]);
		run_child(go[0], error[1], argv);
	}
	close(go[0]);
	close(error[1]);
	s->go_fd = go[1];
	s->error_fd = error[0];
	if (pid < 0) {
		int err = -errno;

		spawn_release(s);
		return err;
	}
	s->pid = pid;
	return 0;
}

int spawn_go(struct spawn *s)
{
	int err = 0;
	ssize_t n;

	if (write(s->go_fd, "g", 1) != 1)
		return -errno;
	/* exec closes the other end; what comes before that is its error */
	do
		n = read(s->error_fd, &err, sizeof(err));
	while (n < 0 && errno == EINTR);
	close(s->go_fd);
	s->go_fd = -1;
	if (n == (ssize_t)sizeof(err)) {
		spawn_wait(s);
		return -err;
	}
	return 0;
}

bool spawn_poll(struct spawn *s)
{
	if (s->pid > 0 && !s->done)
		s->done = waitpid(s->pid, &s->status, WNOHANG) == s->pid;
	return s->done;
}

int spawn_wait(struct spawn *s)
{
	while (s->pid > 0 && !s->done) {
		if (waitpid(s->pid, &s->status, 0) == s->pid)
			s->done = true;
		else if (errno != EINTR)
			break;
	}
	return WIFSIGNALED(s->status) ? 128 + WTERMSIG(s->status) : WEXITSTATUS(s->status);
}

void spawn_signal(struct spawn *s, int sig)
{
	if (s->pid > 0 && !spawn_poll(s))
		kill(s->pid, sig);
}

bool process_runs(pid_t pid)
{
	char dir[32], status[512];
	const char *state;

	if (kill(pid, 0) && errno == ESRCH)
		return false;
	snprintf(dir, sizeof(dir), "/proc/%d", (int)pid);
	if (file_read_at(dir, "status", status, sizeof(status)))
		return !kill(pid, 0) || errno == EPERM; /* no /proc, or just gone */
	state = strstr(status, "\nState:");
	return !state || !strchr("ZX", state[strcspn(state, "\t") + 1]);
}

void spawn_release(struct spawn *s)
{
	if (s->go_fd >= 0) {
		close(s->go_fd); /* a child that waits reads the end and goes */
		s->go_fd = -1;
		spawn_wait(s);
	}
	if (s->error_fd >= 0)
		close(s->error_fd);
	s->error_fd = -1;
}
