/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker: what the file of a workload works with. One thread (or process) per struct worker.
 *
 * Time. w->now is the last clock reading. An operation reads the clock once, at its end: that is the
 * start of the next one, the pacer's "now" and the check of the deadline. Verification happens outside
 * of the timed part.
 *
 * Contents. A page (4 KiB) of an area is the dataset's block of its index, with a stamp in its first
 * 8 bytes that changes with each write. The versions lie beside the area in plain memory, so that any
 * byte that was lost, torn or brought back stale is found.
 */
#ifndef MEMSCOPE_WORKLOADS_WORKER_H
#define MEMSCOPE_WORKLOADS_WORKER_H

#include <stdatomic.h>

#include "lib/latency.h"
#include "workloads/workload.h"

/* A worker's part of the shared mapping. Written by it alone, ops also read while it runs. */
struct worker_slot {
	_Atomic uint64_t ops;
	_Atomic int pid; /* of a worker process */
	uint64_t cycles, touches, asked_ops;
	uint64_t lag_max_ns;
	uint64_t verified_bytes, mismatches, limit_hits, failed;
	uint64_t minor_faults, major_faults, cpu_user_us, cpu_system_us; /* of a worker process */
	uint64_t end_ns;
	struct workload_mismatch mismatch;
	struct latency latency;
	bool has_stats;
	unsigned char stats[MEM_STATS_MAX]; /* of a worker process's memory provider */
};

struct pacer {
	double period_ns; /* 0: not paced */
	uint64_t start_ns;
	uint64_t done;
	uint64_t group; /* operations for each time that it sleeps */
};

struct area {
	unsigned char *base; /* NULL: none */
	uint64_t pages;
	uint64_t first; /* dataset block of its first page */
	uint32_t *version;
};

struct worker {
	unsigned index;
	const struct workload_config *cfg;
	struct worker_slot *slot;
	const struct mem *mem;
	_Atomic int *stop;
	uint64_t share_pages; /* of the region */
	uint64_t rng;
	uint64_t now;
	uint64_t start_ns, end_ns;
	struct pacer pacer;
	struct area area; /* its part of the region */
	struct area other;
	unsigned char *scratch; /* a page */
};

/* Starts a schedule of the worker's part of the rate at `start_ns`; without a rate it only checks. */
void worker_pace(struct worker *w, uint64_t start_ns);
/* Books what the schedule asked for until now. To be called at the end of each schedule. */
void worker_pace_end(struct worker *w);
/*
 * May the next operation go? Sleeps when it is ahead of its schedule. False: the run is over, or it is
 * past until_ns.
 */
bool worker_next(struct worker *w, uint64_t until_ns);
/* Sleeps until then, the end of the run, or the stop. False: the run is over. */
bool worker_sleep(struct worker *w, uint64_t until_ns);
/* Is the run over? By the last clock reading. */
static inline bool worker_over(const struct worker *w)
{
	return w->now >= w->end_ns || atomic_load_explicit(w->stop, memory_order_relaxed);
}

/* Counts an operation that ended now and began at start_ns. */
static inline void worker_count(struct worker *w, uint64_t start_ns)
{
	latency_add(&w->slot->latency, w->now - start_ns);
	atomic_store_explicit(&w->slot->ops,
			      atomic_load_explicit(&w->slot->ops, memory_order_relaxed) + 1,
			      memory_order_relaxed);
	w->pacer.done++;
}

static inline uint64_t worker_random(struct worker *w, uint64_t below)
{
	return (uint64_t)(((unsigned __int128)dataset_random(&w->rng) * below) >> 64);
}

/* True in pct percent of the calls. */
static inline bool worker_chance(struct worker *w, unsigned pct)
{
	return worker_random(w, 100) < pct;
}

/* From the memory provider, filled, every page touched. -ENOMEM and what the provider says. */
int area_new(struct worker *w, struct area *a, const char *name, uint64_t pages);
/* Memory of the caller's own as an area: not filled. -ENOMEM. */
int area_wrap(struct worker *w, struct area *a, void *base, uint64_t pages);
void area_fill_page(const struct worker *w, const struct area *a, uint64_t page);
/* One load of the page, and a store if asked: an operation when counted. Then verifies. */
void area_touch(struct worker *w, struct area *a, uint64_t page, bool write, bool counted);
/* Compares a page with what it must hold, and books the first mismatch. */
void area_verify(struct worker *w, const struct area *a, uint64_t page);
/* All of it, at the end of a run. */
void area_verify_all(struct worker *w, const struct area *a);
/* Tells the provider that it is not needed for a while. Reads the clock. */
void area_cool(struct worker *w, const struct area *a);
void area_free(struct worker *w, struct area *a);

/* prepare and finish of the workloads that have one area. */
int worker_prepare_area(struct worker *w);
void worker_finish_area(struct worker *w);

#endif
