/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * codec_sweep: every codec on every input at every size, in an order that leaves something useful
 * behind when it is cut short: input by input, size by size, all codecs side by side.
 *
 * Single-threaded.
 */
#ifndef MEMSCOPE_LIB_CODEC_SWEEP_H
#define MEMSCOPE_LIB_CODEC_SWEEP_H

#include "lib/codec_bench.h"

#define SWEEP_CODECS_MAX 64
#define SWEEP_INPUTS_MAX 32
#define SWEEP_SIZES_MAX  64

struct sweep_codec {
	struct codec_spec spec;
	const struct codec_dict *dict; /* or NULL */
};

struct sweep_size {
	enum bench_unit unit;
	size_t size;
};

/* Where a sweep is. */
struct sweep_state {
	size_t tests, test;            /* in all; the one that runs now, from 1 */
	uint64_t elapsed_ns, total_ns; /* total: elapsed plus what is estimated to remain */
	const struct sweep_codec *codec;
	const struct sweep_size *size;
	const struct bench_input *input;
};

/* Filled by the caller; everything that it points to is borrowed. */
struct sweep {
	struct sweep_codec codecs[SWEEP_CODECS_MAX];
	size_t n_codecs;
	struct bench_input inputs[SWEEP_INPUTS_MAX];
	size_t n_inputs;
	struct sweep_size sizes[SWEEP_SIZES_MAX];
	size_t n_sizes;
	struct bench_params params;
	uint64_t limit_ns; /* no test begins that is not likely to end within it; 0: no limit */
	void *arg;
	void (*progress)(void *arg,
			 const struct sweep_state *state);      /* before each test; or NULL */
	int (*result)(void *arg, const struct bench_result *r); /* non-zero ends the sweep */
	/* Filled by sweep_plan(). */
	struct bench_speed speed[SWEEP_INPUTS_MAX][SWEEP_CODECS_MAX];
	uint64_t estimate_ns;
	size_t tests;
};

/*
 * Looks at the speed of each codec on each input and says how long the whole will take. A size that
 * an input is too short for is no test. -EINTR: stopped. What codec_bench_probe() returns.
 */
int sweep_plan(struct sweep *s, struct codec_bench *b);

enum sweep_end {
	SWEEP_DONE,
	SWEEP_STOPPED, /* params.stop */
	SWEEP_LIMIT,   /* limit_ns */
};

/* Runs what was planned. What codec_bench_run() or result() return, except for the two ways to end
 * early. */
int sweep_run(struct sweep *s, struct codec_bench *b, enum sweep_end *ret_end);

/* Powers of two from min to max, both included when they are powers of two. Returns how many. */
size_t sweep_ladder(size_t min, size_t max, struct sweep_size *ret, size_t room);

#endif
