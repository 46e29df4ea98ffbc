/* SPDX-License-Identifier: BSD-2-Clause */
/* What compare and its plots share. */
#ifndef MEMSCOPE_CMD_WORKLOAD_COMPARE_H
#define MEMSCOPE_CMD_WORKLOAD_COMPARE_H

#include "cmd/workload_common.h"
#include "workloads/compare.h"

struct compare_opts {
	struct load_opts load;
	enum mem_kind kind[2]; /* base, with */
	unsigned runs;
	char **names;
	size_t n_names;
	const char *out;
	bool print_runs;
};

struct comparison {
	const struct workload_ops *ops;
	struct workload_result *results[2]; /* base, with */
	unsigned pairs;			    /* of them, complete */
};

/* Writes throughput.svg, latency.svg and cpu.svg into --out; a notice when gnuplot is not installed. */
int compare_plots(const struct cmd *cmd, const struct comparison *list, size_t n);

#endif
