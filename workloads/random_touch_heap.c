/* SPDX-License-Identifier: BSD-2-Clause */
/* random_touch_heap: touches at random, all pages alike, at a steady rate. */
#include "workloads/worker.h"

static int run(struct worker *w)
{
	worker_pace(w, w->start_ns);
	while (worker_next(w, UINT64_MAX))
		area_touch(w, &w->area, worker_random(w, w->area.pages), worker_chance(w, w->cfg->write_pct),
			   true);
	worker_pace_end(w);
	return 0;
}

const struct workload_ops workload_random_touch_heap = {
	.name = "random_touch_heap",
	.intent = "touches of random pages of a heap, at a given rate",
	.good_for = "the cost of one restored page: its latency and its tail",
	.signals = "faults spread evenly over the region, swap-in without locality",
	.unit = "touch",
	.knobs = KNOB_RATE | KNOB_WRITE_PCT,
	.defaults = { 64 * MiB, 20000, 0, 0, 0, 30 },
	.prepare = worker_prepare_area,
	.run = run,
	.finish = worker_finish_area,
};
