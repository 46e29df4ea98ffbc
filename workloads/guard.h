/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guard: runs something below a process of its own that cleans up, however we end.
 *
 *	caller ──life pipe──▸ guard ── runner ── whatever it starts
 *
 * The guard is the reaper of everything below it and owns a temporary directory and a memory cgroup, if
 * they were asked for. When the runner has ended it kills what is left below it and tells the caller,
 * who may still read the directory and the cgroup. When the life pipe closes (guard_finish(), or the
 * caller died, of SIGKILL too) it kills everything, removes both, and goes. It is a process group of its
 * own, so that Ctrl-C reaches the caller only.
 *
 * If the guard itself is killed the caller, who becomes the reaper meanwhile, does the same; if both
 * are killed in the same moment, the next guard_start() removes the directory and the cgroup: their
 * names have the pid of a process that is no more.
 */
#ifndef MEMSCOPE_WORKLOADS_GUARD_H
#define MEMSCOPE_WORKLOADS_GUARD_H

#include <limits.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "lib/cgroup.h"

struct guard_job {
	uint64_t cgroup_limit_bytes; /* 0: no cgroup */
	bool want_dir;
	/* In the runner, which is in the cgroup. Its return value is the exit code. */
	int (*body)(void *ctx, const char *dir);
	void *ctx;
};

struct guard_shared;

struct guard {
	pid_t pid;
	int life_fd, done_fd;
	bool done;
	struct guard_shared *shared;
};

/*
 * Starts the job. The process must have one thread. -EACCES, -EPERM, -EOPNOTSUPP: the cgroup;
 * nothing is left then.
 */
int guard_start(struct guard *g, const struct guard_job *job);
/* Waits so long for the end of the runner. True: it has ended. */
bool guard_poll(struct guard *g, int timeout_ms);
/* Signals the runner. */
void guard_signal(const struct guard *g, int sig);
/* wait(2)'s status of the runner that has ended. */
int guard_status(const struct guard *g);
/* What the runner that has ended used, with all that it waited for. */
const struct rusage *guard_usage(const struct guard *g);
/* "" when there is none. */
const char *guard_dir(const struct guard *g);
/* Its path is "" when there is none. */
const struct cgroup_mem *guard_cgroup(const struct guard *g);
/*
 * Ends everything and removes everything. If the guard was killed this kills and reaps every child of
 * the caller. Accepts one that was not started.
 */
void guard_finish(struct guard *g);

#endif
