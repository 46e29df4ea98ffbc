/* SPDX-License-Identifier: BSD-2-Clause */
/* sample: what a few repeated measurements say. No state, no errors, thread-safe. */
#ifndef MEMSCOPE_LIB_SAMPLE_H
#define MEMSCOPE_LIB_SAMPLE_H

#include "lib/base.h"

/* NAN when n is 0. v is not changed; n at most SAMPLE_MAX. */
#define SAMPLE_MAX 1000
double sample_median(const double *v, size_t n);

struct sample_ratio {
	double base, with; /* medians */
	double ratio;	   /* with / base; NAN when base is 0 */
	double low, high;  /* 95 % confidence interval of the ratio; NAN with fewer than 3 pairs */
};

/*
 * base[i] and with[i] were measured next to each other: a bootstrap draws pairs (so that slow drift of
 * the machine cancels), 4000 times from a fixed seed, and takes the middle 95 % of the ratios of
 * medians. The same numbers give the same interval.
 */
struct sample_ratio sample_compare(const double *base, const double *with, size_t n);

#endif
