/* SPDX-License-Identifier: BSD-2-Clause */
#include "workloads/compare.h"

#include <math.h>

static const struct compare_info infos[COMPARE_METRICS] = {
	[COMPARE_OPS] = { "ops_per_s", true },
	[COMPARE_P50] = { "p50_ns", false },
	[COMPARE_P95] = { "p95_ns", false },
	[COMPARE_P99] = { "p99_ns", false },
	[COMPARE_CPU] = { "cpu_us", false },
	[COMPARE_RSS] = { "rss_mean_bytes", false },
	[COMPARE_PSS] = { "pss_end_bytes", false },
	[COMPARE_FAULTS] = { "faults", false },
};

const struct compare_info *compare_info(enum compare_metric m)
{
	return &infos[m];
}

static double known(uint64_t v)
{
	return v == WORKLOAD_UNKNOWN ? NAN : (double)v;
}

double compare_value(const struct workload_result *r, enum compare_metric m)
{
	switch (m) {
	case COMPARE_OPS:
		return r->ops_per_s;
	case COMPARE_P50:
		return known(r->p50_ns);
	case COMPARE_P95:
		return known(r->p95_ns);
	case COMPARE_P99:
		return known(r->p99_ns);
	case COMPARE_CPU:
		return known(r->cpu_user_us) + known(r->cpu_system_us);
	case COMPARE_RSS:
		return known(r->rss_mean_bytes);
	case COMPARE_PSS:
		return known(r->pss_end_bytes);
	case COMPARE_FAULTS:
		return known(r->minor_faults) + known(r->major_faults);
	default:
		return NAN;
	}
}

struct sample_ratio compare_metric(const struct workload_result *base, const struct workload_result *with,
				   size_t n, enum compare_metric m, size_t *ret_pairs)
{
	double a[SAMPLE_MAX], b[SAMPLE_MAX];
	size_t pairs = 0;

	for (size_t i = 0; i < n; i++) {
		a[pairs] = compare_value(&base[i], m);
		b[pairs] = compare_value(&with[i], m);
		if (isfinite(a[pairs]) && isfinite(b[pairs]))
			pairs++;
	}
	*ret_pairs = pairs;
	return sample_compare(a, b, pairs);
}
