/* SPDX-License-Identifier: BSD-2-Clause */
/* fork_touch_exit: children that write to what they inherit, and go. */
#include "workloads/storm.h"

/* Counts land in the parent's slot: it waits meanwhile. Its versions do not change: they are copies. */
static void __attribute__((noreturn)) child(struct worker *w)
{
	uint64_t pages = w->cfg->touch_pages ? MIN(w->cfg->touch_pages, w->area.pages) : w->area.pages;
	uint64_t first = w->slot->ops * pages, before = w->slot->mismatches;

	for (uint64_t i = 0; i < pages; i++)
		area_touch(w, &w->area, (first + i) % w->area.pages, true, false);
	_exit(w->slot->mismatches != before ? STORM_EXIT_MISMATCH : 0);
}

static int run(struct worker *w)
{
	return storm_run(w, child);
}

const struct workload_ops workload_fork_touch_exit = {
	.name = "fork_touch_exit",
	.intent = "fork a child that writes to inherited pages, then exits",
	.good_for = "copy-on-write, and content that parent and child must both keep",
	.signals = "fork and exit events, copy-on-write faults, short RSS peaks",
	.unit = "fork",
	.knobs = KNOB_RATE | KNOB_TOUCH_PAGES | KNOB_NPROC,
	.processes = true,
	.defaults = { 16 * MiB, 0, 0, 0, 64, 0 },
	.prepare = storm_prepare,
	.run = run,
	.finish = worker_finish_area,
};
