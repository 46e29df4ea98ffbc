/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/sample.h"

#include <math.h>
#include <string.h>

#include "lib/dataset.h"

#define ROUNDS 4000

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts v. */
static double median_of(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), compare);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

double sample_median(const double *v, size_t n)
{
	double copy[SAMPLE_MAX];

	if (!n || n > SAMPLE_MAX)
		return NAN;
	memcpy(copy, v, n * sizeof(*v));
	return median_of(copy, n);
}

struct sample_ratio sample_compare(const double *base, const double *with, size_t n)
{
	struct sample_ratio r = { sample_median(base, n), sample_median(with, n), NAN, NAN, NAN };
	double a[SAMPLE_MAX], b[SAMPLE_MAX], ratios[ROUNDS];
	uint64_t state = n;
	size_t kept = 0;

	if (!(fabs(r.base) > 0))
		return r;
	r.ratio = r.with / r.base;
	if (n < 3)
		return r;
	for (int round = 0; round < ROUNDS; round++) {
		double m;

		for (size_t i = 0; i < n; i++) {
			size_t pick = (size_t)(dataset_random(&state) % n);

			a[i] = base[pick];
			b[i] = with[pick];
		}
		m = median_of(a, n);
		if (fabs(m) > 0)
			ratios[kept++] = median_of(b, n) / m;
	}
	if (kept < ROUNDS / 2)
		return r;
	qsort(ratios, kept, sizeof(*ratios), compare);
	r.low = ratios[(size_t)(0.025 * (double)(kept - 1))];
	r.high = ratios[(size_t)(0.975 * (double)(kept - 1))];
	return r;
}
