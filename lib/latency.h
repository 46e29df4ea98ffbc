/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * latency: a histogram of durations in log-linear buckets, 3 % wide, from 1 ns to 2^38 ns (4.6 min).
 *
 *	0 … 31            one bucket for each ns
 *	32 … 2^38         32 buckets for each power of two
 *
 * Plain memory without pointers: it can live in memory that processes share. Not thread-safe: one
 * writer, and readers when it has ended.
 */
#ifndef MEMSCOPE_LIB_LATENCY_H
#define MEMSCOPE_LIB_LATENCY_H

#include "lib/base.h"

#define LATENCY_SUB	32
#define LATENCY_BUCKETS (LATENCY_SUB * 34)

struct latency {
	uint64_t count[LATENCY_BUCKETS];
	uint64_t n, sum_ns, max_ns;
};

static inline size_t latency_bucket(uint64_t ns)
{
	size_t octave;

	if (ns < LATENCY_SUB)
		return (size_t)ns;
	octave = 59 - (size_t)__builtin_clzll(ns); /* 32…63 is octave 1 */
	return MIN(octave * LATENCY_SUB + (ns >> (octave - 1)) % LATENCY_SUB, (size_t)LATENCY_BUCKETS - 1);
}

static inline void latency_add(struct latency *l, uint64_t ns)
{
	l->count[latency_bucket(ns)]++;
	l->n++;
	l->sum_ns += ns;
	if (ns > l->max_ns)
		l->max_ns = ns;
}

/* Adds what is in from. */
void latency_merge(struct latency *l, const struct latency *from);
/*
 * The duration that a part q (0 to 1) of all stayed at or below: the middle of its bucket, and never
 * more than the longest seen. 0 when there are none.
 */
uint64_t latency_quantile(const struct latency *l, double q);

#endif
