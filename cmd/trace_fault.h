/* SPDX-License-Identifier: BSD-2-Clause */
/* The two halves of `trace fault`: options and stream, and groups. */
#ifndef MEMSCOPE_CMD_TRACE_FAULT_H
#define MEMSCOPE_CMD_TRACE_FAULT_H

#include "cmd/trace_common.h"
#include "lib/fault_trace.h"
#include "lib/symbols.h"

struct fault_opts {
	struct trace_opts trace; /* first: the parts have offset 0 */
	struct fault_config config;
	uint64_t interval_ns;
	uint64_t top; /* rows of a table; 0: all */
	bool symbols;
	bool hist;
};

struct fault_run {
	struct trace_run run;
	const struct fault_opts *opts;
	struct fault_trace trace;
	struct symbols *symbols;
};

/* Prints the groups every interval (last false) and at the end. Exit code. For trace_loop(). */
struct fault_groups;
struct fault_groups *fault_groups_new(struct fault_run *f); /* NULL: out of memory */
void fault_groups_free(struct fault_groups *g);
int fault_groups_tick(void *groups, bool last);
/* Names the code of new groups while their processes live. */
void fault_groups_poll(void *groups);

#endif
