/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pool_pressure: a process of our own, in a memory cgroup of its own, that has its pages pushed out to
 * swap and takes them back, and checks every byte.
 *
 * The limit never kills: where reclaim does not get far enough (all pages touched just now, a full
 * pool), it is raised. v2 has memory.high for this; in v1 the OOM killer of the cgroup is off.
 *
 *	parent                        child (in the cgroup, dies with the parent)
 *	pressure_start()   ------->   fill the region; the limit and MADV_PAGEOUT push it out
 *	pressure_poll()    <-------   PRESSURE_OUT: waits; the parent reads counters
 *	pressure_proceed() ------->   compress: passes over the region under the limit
 *	                              readback: the limit is lifted; single pages in random order
 *	                              burst: under the limit; runs of neighbours, with pauses
 *	                   <-------   PRESSURE_DONE
 *
 * Nothing outside the cgroup is pressed. One thread per struct.
 */
#ifndef MEMSCOPE_WORKLOADS_POOL_PRESSURE_H
#define MEMSCOPE_WORKLOADS_POOL_PRESSURE_H

#include <sys/types.h>

#include "lib/cgroup.h"
#include "lib/dataset.h"
#include "lib/latency.h"

enum pressure_mode {
	PRESSURE_COMPRESS,
	PRESSURE_READBACK,
	PRESSURE_BURST,
};

struct pressure_spec {
	enum pressure_mode mode;
	uint64_t region_bytes, limit_bytes; /* multiples of the page size; the limit is less */
	uint64_t duration_ns;		    /* of the part after PRESSURE_OUT; one pass is always made */
	enum dataset_kind dataset;
	uint64_t seed;
	const void *image; /* pages to fill with instead, over and over; NULL: the dataset */
	size_t image_bytes;
};

enum pressure_phase {
	PRESSURE_FILL,
	PRESSURE_PAGEOUT,
	PRESSURE_OUT, /* the child waits for pressure_proceed() */
	PRESSURE_WORK,
	PRESSURE_DONE,
};

/* Lives in memory that parent and child share; the child writes it. */
struct pressure_result {
	uint64_t pages;
	uint64_t fill_ns;	/* writing the region, with the reclaim that the limit forced */
	uint64_t pushed_pages, push_ns; /* by MADV_PAGEOUT, all passes together */
	uint64_t out_pages;	/* in swap at PRESSURE_OUT */
	uint64_t passes;	/* begun after it */
	uint64_t in_pages, in_ns; /* touches of pages that were in swap, and their time in sum */
	struct latency touch;	/* each of them */
	uint64_t verified_pages, bad_pages, first_bad; /* first_bad: number of the page */
	uint64_t work_ns;
	uint64_t user_ns, system_ns, major_faults, minor_faults; /* of the child in all */
};

struct pressure_shared;

struct pressure {
	struct cgroup_mem cgroup;
	struct pressure_spec spec;
	struct pressure_shared *shared;
	uint64_t limit_bytes, relieved; /* the limit now; how often it had to be raised */
	pid_t pid;
	int go_fd;
	bool reaped;
	int status; /* as wait(2) gives it, when reaped */
};

/* -EACCES, -EPERM, -EOPNOTSUPP: no cgroup can be made; -ENOMEM, -EAGAIN. */
int pressure_start(struct pressure *p, const struct pressure_spec *spec);
/*
 * Where the child is; to be called every few milliseconds. PRESSURE_DONE also when it died: see
 * pressure_end(). A v1 cgroup whose pages cannot go out is given more room here, since its child would
 * wait for ever.
 */
enum pressure_phase pressure_poll(struct pressure *p);
/* Lets a child at PRESSURE_OUT go on. */
int pressure_proceed(struct pressure *p);
/* Raises the limit by an eighth of the region: for when swap refuses pages. */
void pressure_relieve(struct pressure *p);
/* How often the limit forced reclaim. -ENOENT. */
int pressure_limit_hits(const struct pressure *p, uint64_t *ret);
/* Asks the child to end its pass and stop. */
void pressure_stop(struct pressure *p);
/*
 * Waits for its end, removes the cgroup. 0 and *ret; -ENOMEM: killed in its cgroup, because its pages
 * could not go out; -EINTR: stopped before there was a result; -ECHILD: it died otherwise.
 */
int pressure_end(struct pressure *p, struct pressure_result *ret);
const char *pressure_phase_name(enum pressure_phase phase);

#endif
