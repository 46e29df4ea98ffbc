/* SPDX-License-Identifier: BSD-2-Clause */
#include "workloads/storm.h"

#include <dirent.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/file.h"
#include "lib/parse.h"

#define NPROC_SLACK  64
#define WAIT_SLICE_NS (20 * NSEC_PER_MSEC)
#define GRACE_SLICES  50

/* Tasks of this user now: what RLIMIT_NPROC counts. */
static uint64_t user_tasks(void)
{
	DIR *proc = opendir("/proc");
	uint64_t tasks = 0, n;
	uid_t uid = getuid();
	struct dirent *e;

	while (proc && (e = readdir(proc))) {
		char dir[300], status[4096];
		struct stat st;

		snprintf(dir, sizeof(dir), "/proc/%s", e->d_name);
		if (parse_u64(e->d_name, 1, INT32_MAX, &n) || stat(dir, &st) || st.st_uid != uid)
			continue;
		if (!file_read_at(dir, "status", status, sizeof(status)) && !text_find_u64(status, "Threads:", &n))
			tasks += n;
	}
	if (proc)
		closedir(proc);
	return tasks;
}

/* A belt over the braces: even a workload gone wrong cannot take more than this of the system. */
static int limit_processes(const struct worker *w)
{
	struct rlimit lim;
	uint64_t want = w->cfg->nproc_limit;

	if (getrlimit(RLIMIT_NPROC, &lim))
		return -errno;
	if (!want)
		want = user_tasks() + 2 * (uint64_t)w->cfg->workers + NPROC_SLACK;
	if (lim.rlim_cur != RLIM_INFINITY && want >= lim.rlim_cur)
		return 0;
	lim.rlim_cur = want;
	return setrlimit(RLIMIT_NPROC, &lim) ? -errno : 0;
}

int storm_prepare(struct worker *w)
{
	int err = limit_processes(w);

	return err ? err : worker_prepare_area(w);
}

/* A child that its worker waits for by the signal, so that the end of the run is not missed. */
static int wait_child(struct worker *w, pid_t pid, const sigset_t *chld, int *ret_status)
{
	const struct timespec slice = { .tv_nsec = (long)WAIT_SLICE_NS };

	for (;;) {
		pid_t got = waitpid(pid, ret_status, WNOHANG);

		if (got == pid)
			return 0;
		if (got < 0 && errno != EINTR)
			return -errno;
		sigtimedwait(chld, NULL, &slice);
		w->now = now_ns();
		if (worker_over(w))
			break;
	}
	/* A child of ours needs moments to end; a program may run for hours. */
	for (int i = 0; i < GRACE_SLICES; i++) {
		if (waitpid(pid, ret_status, WNOHANG) == pid)
			return 0;
		sigtimedwait(chld, NULL, &slice);
	}
	kill(pid, SIGKILL);
	while (waitpid(pid, ret_status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static void run_child(struct worker *w, pid_t parent, const sigset_t *signals, storm_child child)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	sigprocmask(SIG_SETMASK, signals, NULL);
	child(w);
}

static void book_child(struct worker *w, int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	w->slot->failed++;
}

int storm_run(struct worker *w, storm_child child)
{
	pid_t parent = getpid(), pid;
	sigset_t chld, signals;
	int status, err = 0;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, &signals);
	worker_pace(w, w->start_ns);
	while (!err && worker_next(w, UINT64_MAX)) {
		uint64_t start = w->now;

		pid = fork();
		if (pid == 0)
			run_child(w, parent, &signals, child);
		if (pid < 0) {
			w->slot->limit_hits++;
			worker_sleep(w, now_ns() + NSEC_PER_MSEC);
			continue;
		}
		err = wait_child(w, pid, &chld, &status);
		if (err)
			break;
		w->now = now_ns();
		book_child(w, status);
		worker_count(w, start);
	}
	worker_pace_end(w);
	sigprocmask(SIG_SETMASK, &signals, NULL);
	return err;
}
