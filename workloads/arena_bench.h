/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arena_bench: one measured run of a data set through a life in an arena, and the same accesses on
 * plain memory.
 *
 * The phases of a run, with the memory of the process read after each:
 *
 *	empty    before the region exists
 *	filled   all of it written
 *	hot      (hot-idle models) the hot part touched again and again, then idle
 *	packed   compressed: all of it (single-bulk), or what is not hot
 *	reread   read back as the model says; each access timed
 *	end      all of it read and compared with what was written
 *
 * Not thread-safe: memory figures are of the whole process.
 */
#ifndef MEMSCOPE_WORKLOADS_ARENA_BENCH_H
#define MEMSCOPE_WORKLOADS_ARENA_BENCH_H

#include <signal.h>

#include "arena/memscope_arena.h"
#include "lib/base.h"
#include "lib/dataset.h"

enum arena_bench_model {
	ARENA_BENCH_SINGLE_BULK,    /* compress all, read all in order */
	ARENA_BENCH_FULL_REREAD,    /* hot part, idle, compress the rest, read all in order */
	ARENA_BENCH_PARTIAL_RANDOM, /* …, read a part: some of it in random order, some again */
	ARENA_BENCH_MODELS,
};

extern const char *const arena_bench_model_names[ARENA_BENCH_MODELS + 1];

enum arena_bench_phase {
	ARENA_BENCH_EMPTY,
	ARENA_BENCH_FILLED,
	ARENA_BENCH_HOT,
	ARENA_BENCH_PACKED,
	ARENA_BENCH_REREAD,
	ARENA_BENCH_END,
	ARENA_BENCH_PHASES,
};

extern const char *const arena_bench_phase_names[ARENA_BENCH_PHASES];

struct arena_bench_config {
	struct memscope_arena_options arena;
	enum memscope_tier tier;
	unsigned region_flags;
	size_t region; /* bytes, whole units */
	enum arena_bench_model model;
	enum dataset_kind dataset;
	/* Instead of a data set: memory of the real world, repeated to fill the region. Borrowed.
	 */
	const uint8_t *image;
	size_t image_len; /* whole pages */
	uint64_t seed;
	unsigned hot_pct;     /* of the region stays resident */
	unsigned partial_pct; /* of the pages is read again; */
	unsigned random_pct;  /* of those accesses, in random order */
	unsigned reuse;       /* pages read again after so many others; 0: never */
	unsigned step;        /* every step-th access is timed */
	uint64_t idle_ns;
	volatile sig_atomic_t *stop; /* set by a signal: the run ends with -EINTR. May be NULL */
};

struct arena_bench_memory {
	uint64_t rss_bytes, pss_bytes, anonymous_bytes;
};

struct arena_bench_latency {
	uint64_t count, p50_ns, p95_ns, p99_ns, max_ns;
};

struct arena_bench_cost {
	uint64_t wall_ns, thread_cpu_ns, process_cpu_ns;
};

struct arena_bench_side {
	struct arena_bench_memory memory[ARENA_BENCH_PHASES];
	uint64_t peak_rss_bytes; /* VmHWM, reset at the beginning where the kernel lets it */
	struct arena_bench_cost reread_cost;
	struct arena_bench_latency reread;
	uint64_t minor_faults, major_faults; /* of the reread phase */
	uint64_t digest;
};

struct arena_bench_result {
	struct arena_bench_side arena, plain;
	struct arena_bench_cost compress;
	struct memscope_compress_result compressed;
	struct memscope_arena_stats packed; /* after compressing */
	struct memscope_arena_stats end;
	struct arena_bench_latency
		stall; /* of the reread phase: accesses to pages that were not there */
	uint64_t expected_digest;
	/* attempted / (what stayed resident + pool + metadata): the primary figure */
	double ratio_e2e;
	double ratio_admitted; /* logical / (pool + metadata) */
	double ratio_codec;    /* logical without same-filled pages / payload */
	double admit_rate;
	double ratio_pss; /* as the kernel sees it: attempted / (attempted - fall of PSS) */
	double saved_mib_per_cpu_s;
	bool verified;
};

/* -EINTR; -ENOMEM; errors of memscope_arena_create(). A mismatch is no error: see `verified`. */
int arena_bench_run(const struct arena_bench_config *config, struct arena_bench_result *ret);

/* What smaps_rollup says of this process. */
int arena_bench_memory_read(struct arena_bench_memory *ret);
/* Sorts the samples. */
struct arena_bench_latency arena_bench_latency_of(uint64_t *samples, size_t n);

#endif
