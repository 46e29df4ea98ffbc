/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/plot.h"

#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

extern char **environ;

static bool ends_in(const char *path, const char *end)
{
	size_t n = strlen(path), m = strlen(end);

	return n > m && !strcmp(path + n - m, end);
}

bool plot_name_ok(const char *path)
{
	return ends_in(path, ".svg") || ends_in(path, ".png");
}

void plot_quote(FILE *script, const char *text)
{
	fputc('\'', script);
	for (; *text; text++) {
		if (*text == '\'')
			fputc('\'', script);
		/* A quoted string of gnuplot ends with its line. */
		fputc(*text == '\n' ? ' ' : *text, script);
	}
	fputc('\'', script);
}

int plot_begin(FILE *script, const char *path, unsigned width, unsigned height)
{
	if (!plot_name_ok(path))
		return -EINVAL;
	fprintf(script, "set terminal %s size %u,%u noenhanced background 'white'\nset output ",
		ends_in(path, ".svg") ? "svg" : "pngcairo", width, height);
	plot_quote(script, path);
	fputc('\n', script);
	return 0;
}

/* The script as a file without a name: no pipe that could fill while gnuplot waits for us. */
static int script_fd(const char *script, size_t len)
{
	int fd = memfd_create("plot", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	for (size_t at = 0; at < len;) {
		ssize_t n = write(fd, script + at, len - at);

		if (n < 0) {
			int err = -errno;

			close(fd);
			return err;
		}
		at += (size_t)n;
	}
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static int spawn_gnuplot(int in, int err_fd, pid_t *ret)
{
	char *const argv[] = {(char *)"gnuplot", (char *)"-", NULL};
	posix_spawn_file_actions_t actions;
	int err = posix_spawn_file_actions_init(&actions);

	if (err)
		return -err;
	posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, err_fd, STDERR_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	err = posix_spawnp(ret, "gnuplot", &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -err;
}

/* The first line that says something; gnuplot marks the place with lines of spaces and a caret. */
static void first_complaint(int fd, char *message, size_t size)
{
	char text[2048], *save = NULL, *line;
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	text[MAX(n, 0)] = 0;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (strspn(line, " ^") != strlen(line))
			break;
	}
	snprintf(message, size, "%s", line ? line : "no reason given");
}

int plot_run(const char *script, size_t len, char *ret_message, size_t size)
{
	_cleanup_close_ int in = script_fd(script, len);
	_cleanup_close_ int err_fd = memfd_create("plot-errors", MFD_CLOEXEC);
	int status, err;
	pid_t pid;

	if (in < 0)
		return in;
	if (err_fd < 0)
		return -errno;
	err = spawn_gnuplot(in, err_fd, &pid);
	if (err)
		return err;
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	first_complaint(err_fd, ret_message, size);
	return -EIO;
}
