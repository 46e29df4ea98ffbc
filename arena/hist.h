/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hist: a histogram of durations in buckets of 6 %, from 1 ns to 2^40 ns, in 4.9 KiB. One writer;
 * anyone may read meanwhile. Async-signal-safe.
 */
#ifndef MEMSCOPE_ARENA_HIST_H
#define MEMSCOPE_ARENA_HIST_H

#include <stdatomic.h>

#include "lib/base.h"

#define HIST_SUB     16 /* buckets an octave */
#define HIST_OCTAVES 38
#define HIST_BUCKETS (HIST_SUB * HIST_OCTAVES)

struct hist {
	_Atomic uint64_t count[HIST_BUCKETS];
	_Atomic uint64_t max;
};

static inline size_t hist_bucket(uint64_t ns)
{
	size_t octave;

	if (ns < HIST_SUB)
		return (size_t)ns;
	octave = 63 - (size_t)__builtin_clzll(ns) - 3; /* 16..31 is octave 1 */
	return MIN(octave * HIST_SUB + (ns >> (octave - 1)) % HIST_SUB, (size_t)HIST_BUCKETS - 1);
}

/* The lowest value of a bucket. */
static inline uint64_t hist_floor(size_t bucket)
{
	size_t octave = bucket / HIST_SUB, sub = bucket % HIST_SUB;

	return octave ? (uint64_t)(HIST_SUB + sub) << (octave - 1) : sub;
}

static inline void hist_add(struct hist *h, uint64_t ns)
{
	_Atomic uint64_t *c = &h->count[hist_bucket(ns)];

	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + 1,
			      memory_order_relaxed);
	if (ns > atomic_load_explicit(&h->max, memory_order_relaxed))
		atomic_store_explicit(&h->max, ns, memory_order_relaxed);
}

#endif
