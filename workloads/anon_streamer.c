/* SPDX-License-Identifier: BSD-2-Clause */
/* anon_streamer: passes from the first page to the last, with gaps: what an LRU handles worst. */
#include "workloads/worker.h"

static int run(struct worker *w)
{
	const struct workload_config *cfg = w->cfg;
	uint64_t page = 0;

	while (worker_sleep(w, 0)) {
		worker_pace(w, w->now);
		for (page = 0; page < w->area.pages && worker_next(w, UINT64_MAX); page++)
			area_touch(w, &w->area, page, worker_chance(w, cfg->write_pct), true);
		worker_pace_end(w);
		if (page == w->area.pages)
			w->slot->cycles++;
		if (!worker_over(w) && cfg->idle_ns) {
			uint64_t gap_end = w->now + cfg->idle_ns;

			area_cool(w, &w->area);
			worker_sleep(w, gap_end);
		}
	}
	return 0;
}

const struct workload_ops workload_anon_streamer = {
	.name = "anon_streamer",
	.intent = "sequential passes over a large anonymous region, with gaps",
	.good_for = "read-ahead and fault-around, bulk compression, scan resistance",
	.signals = "long runs of faults in address order, kswapd or direct reclaim",
	.unit = "touch",
	.knobs = KNOB_RATE | KNOB_IDLE | KNOB_WRITE_PCT,
	.defaults = { 256 * MiB, 0, 0, 500 * NSEC_PER_MSEC, 0, 30 },
	.prepare = worker_prepare_area,
	.run = run,
	.finish = worker_finish_area,
};
