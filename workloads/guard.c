/* SPDX-License-Identifier: BSD-2-Clause */
#include "workloads/guard.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/file.h"
#include "lib/parse.h"
#include "lib/spawn.h"

#define NAME	   "memscope-workload"
#define REAP_MS	   100
#define REMOVE_FDS 16

struct guard_shared {
	struct cgroup_mem cgroup;
	char dir[PATH_MAX];
	_Atomic int runner;
	_Atomic int status;
	struct rusage usage;
};

/* ---- the directory ---- */

static int remove_one(const char *path, const struct stat *st _unused_, int type _unused_,
		      struct FTW *at _unused_)
{
	remove(path);
	return 0;
}

static void remove_dir(char *dir)
{
	if (dir[0])
		nftw(dir, remove_one, REMOVE_FDS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	dir[0] = '\0';
}

static const char *temp_root(void)
{
	const char *root = getenv("TMPDIR");

	return root && root[0] == '/' ? root : "/tmp";
}

static int make_dir(char dir[PATH_MAX])
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%.3900s/" NAME "-%d.XXXXXX", temp_root(), (int)getpid());
	if (!mkdtemp(path))
		return -errno;
	snprintf(dir, PATH_MAX, "%s", path);
	return 0;
}

/* Directories of guards that are no more. Only our own: /tmp is everybody's. */
static void sweep_dirs(void)
{
	DIR *root = opendir(temp_root());
	struct dirent *e;

	while (root && (e = readdir(root))) {
		char path[PATH_MAX], pid[12];
		size_t len = strlen(NAME "-");
		uint64_t n;
		struct stat st;

		if (strncmp(e->d_name, NAME "-", len))
			continue;
		snprintf(pid, sizeof(pid), "%.*s", (int)MIN(strcspn(e->d_name + len, "."), sizeof(pid)),
			 e->d_name + len);
		if (parse_u64(pid, 1, INT32_MAX, &n) || process_runs((pid_t)n))
			continue;
		snprintf(path, sizeof(path), "%.3800s/%.255s", temp_root(), e->d_name);
		if (!lstat(path, &st) && S_ISDIR(st.st_mode) && st.st_uid == geteuid())
			remove_dir(path);
	}
	if (root)
		closedir(root);
}

/* ---- in the guard ---- */

static void kill_children_of(pid_t parent)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;

	while (proc && (e = readdir(proc))) {
		char status[4096], dir[300];
		uint64_t pid, ppid;

		if (parse_u64(e->d_name, 1, INT32_MAX, &pid))
			continue;
		snprintf(dir, sizeof(dir), "/proc/%s", e->d_name);
		if (!file_read_at(dir, "status", status, sizeof(status)) &&
		    !text_find_u64(status, "PPid:", &ppid) && (pid_t)ppid == parent)
			kill((pid_t)pid, SIGKILL);
	}
	if (proc)
		closedir(proc);
}

/* Children of those that are killed become ours, and are killed in the next round. */
static void kill_all_below(void)
{
	for (;;) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid < 0 && errno == ECHILD)
			return;
		if (pid > 0)
			continue;
		kill_children_of(getpid());
		usleep(1000);
	}
}

static void __attribute__((noreturn)) runner_main(const struct guard_job *job, struct guard_shared *sh,
						   pid_t guard)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != guard)
		_exit(1);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	if (sh->cgroup.path[0] && cgroup_mem_add(&sh->cgroup, getpid()))
		_exit(1);
	_exit(job->body(job->ctx, sh->dir));
}

/* Reaps until the runner has ended, or the caller has. */
static void watch(struct guard_shared *sh, int life_fd)
{
	int pidfd = (int)syscall(SYS_pidfd_open, sh->runner, 0);
	struct pollfd fds[] = { { .fd = life_fd, .events = POLLIN }, { .fd = pidfd, .events = POLLIN } };
	struct rusage usage;
	int status;

	for (;;) {
		pid_t pid;

		poll(fds, ARRAY_SIZE(fds), REAP_MS);
		while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
			if (pid != sh->runner)
				continue;
			sh->usage = usage;
			sh->status = status;
			return;
		}
		if (fds[0].revents)
			return;
	}
}

static void __attribute__((noreturn)) guard_main(const struct guard_job *job, struct guard_shared *sh,
						  int life_fd, int done_fd)
{
	pid_t self = getpid(), pid;
	char byte;
	int err = 0;

	setpgid(0, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	cgroup_mem_sweep(NAME);
	sweep_dirs();
	if (job->want_dir)
		err = make_dir(sh->dir);
	if (!err && job->cgroup_limit_bytes)
		err = cgroup_mem_create(&sh->cgroup, NAME, job->cgroup_limit_bytes);
	if (!err) {
		pid = fork();
		if (pid == 0) {
			/* or its descendants would hold open what is to say that the guard has gone */
			close(life_fd);
			close(done_fd);
			runner_main(job, sh, self);
		}
		if (pid < 0)
			err = -errno;
		sh->runner = pid;
	}
	if (write(done_fd, &err, sizeof(err)) != sizeof(err))
		err = -EPIPE;
	if (!err) {
		watch(sh, life_fd);
		kill_all_below();
		if (write(done_fd, "d", 1) == 1)
			while (read(life_fd, &byte, 1) > 0)
				;
	}
	kill_all_below();
	cgroup_mem_remove(&sh->cgroup);
	remove_dir(sh->dir);
	_exit(0);
}

/* ---- in the caller ---- */

int guard_start(struct guard *g, const struct guard_job *job)
{
	int life[2], done[2], err;

	*g = (struct guard){ .life_fd = -1, .done_fd = -1 };
	g->shared = mmap(NULL, sizeof(*g->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (g->shared == MAP_FAILED) {
		g->shared = NULL;
		return -errno;
	}
	g->shared->status = SIGKILL; /* what it is if the guard does not live to tell */
	if (pipe2(life, O_CLOEXEC) || pipe2(done, O_CLOEXEC))
		return -errno; /* out of descriptors: the process is about to end */
	fflush(NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1); /* if the guard is killed, what was below it comes to us */
	g->pid = fork();
	if (g->pid == 0) {
		close(life[1]);
		close(done[0]);
		guard_main(job, g->shared, life[0], done[1]);
	}
	err = g->pid < 0 ? -errno : 0;
	close(life[0]);
	close(done[1]);
	g->life_fd = life[1];
	g->done_fd = done[0];
	if (!err) {
		ssize_t n;

		do
			n = read(g->done_fd, &err, sizeof(err));
		while (n < 0 && errno == EINTR);
		if (n != sizeof(err))
			err = -ECHILD;
	}
	if (err)
		guard_finish(g);
	return err;
}

bool guard_poll(struct guard *g, int timeout_ms)
{
	struct pollfd fd = { .fd = g->done_fd, .events = POLLIN };

	if (!g->done && poll(&fd, 1, timeout_ms) > 0)
		g->done = true; /* its word, or its end */
	return g->done;
}

void guard_signal(const struct guard *g, int sig)
{
	if (g->pid > 0 && !g->done && g->shared->runner > 0)
		kill(g->shared->runner, sig);
}

int guard_status(const struct guard *g)
{
	return g->shared->status;
}

const struct rusage *guard_usage(const struct guard *g)
{
	return &g->shared->usage;
}

const char *guard_dir(const struct guard *g)
{
	return g->shared->dir;
}

const struct cgroup_mem *guard_cgroup(const struct guard *g)
{
	return &g->shared->cgroup;
}

void guard_finish(struct guard *g)
{
	int status = 0;

	if (!g->shared)
		return;
	if (g->life_fd >= 0)
		close(g->life_fd);
	if (g->done_fd >= 0)
		close(g->done_fd);
	while (g->pid > 0 && waitpid(g->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (g->pid > 0 && !(WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
		/* It was killed: the processes, the directory and the cgroup fall to us. */
		kill_all_below();
		cgroup_mem_remove(&g->shared->cgroup);
		remove_dir(g->shared->dir);
	}
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	munmap(g->shared, sizeof(*g->shared));
	g->shared = NULL;
}
