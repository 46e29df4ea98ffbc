/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * storm: what the fork workloads share. One child at a time for each worker, so that a storm is never
 * larger than its workers; a fork that a limit refuses is counted, and tried again a moment later.
 */
#ifndef MEMSCOPE_WORKLOADS_STORM_H
#define MEMSCOPE_WORKLOADS_STORM_H

#include "workloads/worker.h"

/* In the child; does not return. */
typedef void (*storm_child)(struct worker *w) __attribute__((noreturn));

/* Sets RLIMIT_NPROC, allocates the area. */
int storm_prepare(struct worker *w);
/* Forks, waits and counts until the run is over. A child that outlives the run is killed. */
int storm_run(struct worker *w, storm_child child);

/* What a child's exit code says: of our own making, so that exec'd programs rarely collide. */
enum {
	STORM_EXIT_MISMATCH = 113,
	STORM_EXIT_NO_EXEC = 127,
};

#endif
