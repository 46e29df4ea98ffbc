/* SPDX-License-Identifier: BSD-2-Clause */
/* fork_exit_storm: children that do nothing: the price of fork and exit for a parent of this size. */
#include "workloads/storm.h"

static void __attribute__((noreturn)) child(struct worker *w _unused_)
{
	_exit(0);
}

static int run(struct worker *w)
{
	return storm_run(w, child);
}

const struct workload_ops workload_fork_exit_storm = {
	.name = "fork_exit_storm",
	.intent = "fork a child that exits at once, over and over",
	.good_for = "process tracing, copying of page tables, controller churn",
	.signals = "fork and exit events, page-table and copy-on-write faults of the parent",
	.unit = "fork",
	.knobs = KNOB_RATE | KNOB_NPROC,
	.processes = true,
	.defaults = { 16 * MiB, 0, 0, 0, 0, 0 },
	.prepare = storm_prepare,
	.run = run,
	.finish = worker_finish_area,
};
