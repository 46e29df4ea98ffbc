/* SPDX-License-Identifier: BSD-2-Clause */
/* compare: two ways to run the same workload, judged metric by metric. No state, thread-safe. */
#ifndef MEMSCOPE_WORKLOADS_COMPARE_H
#define MEMSCOPE_WORKLOADS_COMPARE_H

#include "lib/sample.h"
#include "workloads/workload.h"

enum compare_metric {
	COMPARE_OPS,
	COMPARE_P50,
	COMPARE_P95,
	COMPARE_P99,
	COMPARE_CPU,
	COMPARE_RSS,
	COMPARE_PSS,
	COMPARE_FAULTS,
	COMPARE_METRICS,
};

struct compare_info {
	const char *name; /* with the unit, as in results: "p99_ns" */
	bool more_is_better;
};

const struct compare_info *compare_info(enum compare_metric m);
/* NAN when it is not known. */
double compare_value(const struct workload_result *r, enum compare_metric m);

/*
 * base[i] ran next to with[i]. Pairs of which a value is not known are left out; *ret_pairs is the rest.
 * n is at most SAMPLE_MAX.
 */
struct sample_ratio compare_metric(const struct workload_result *base, const struct workload_result *with,
				   size_t n, enum compare_metric m, size_t *ret_pairs);

#endif
