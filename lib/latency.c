/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/latency.h"

#include <math.h>

void latency_merge(struct latency *l, const struct latency *from)
{
	for (size_t i = 0; i < LATENCY_BUCKETS; i++)
		l->count[i] += from->count[i];
	l->n += from->n;
	l->sum_ns += from->sum_ns;
	l->max_ns = MAX(l->max_ns, from->max_ns);
}

static uint64_t bucket_middle(size_t bucket)
{
	size_t octave = bucket / LATENCY_SUB, sub = bucket % LATENCY_SUB;

	if (!octave)
		return sub;
	return ((uint64_t)(LATENCY_SUB + sub) << (octave - 1)) + (UINT64_C(1) << (octave - 1)) / 2;
}

uint64_t latency_quantile(const struct latency *l, double q)
{
	uint64_t rank = (uint64_t)ceil(q * (double)l->n), seen = 0;

	rank = MAX(rank, 1);
	if (rank >= l->n)
		return l->max_ns;
	for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
		seen += l->count[i];
		if (seen >= rank)
			return MIN(bucket_middle(i), l->max_ns);
	}
	return l->max_ns;
}
