/* SPDX-License-Identifier: BSD-2-Clause */
/* interactive_burst: what a program with a user does: short bursts of touches, long idle gaps. */
#include "workloads/worker.h"

static int run(struct worker *w)
{
	const struct workload_config *cfg = w->cfg;
	uint64_t period = cfg->active_ns + cfg->idle_ns;

	for (uint64_t burst = w->start_ns; worker_sleep(w, burst); burst = MAX(burst + period, w->now)) {
		uint64_t end = MAX(burst, w->now) + cfg->active_ns;

		worker_pace(w, w->now);
		while (worker_next(w, end))
			area_touch(w, &w->area, worker_random(w, w->area.pages), worker_chance(w, cfg->write_pct),
				   true);
		worker_pace_end(w);
		w->slot->cycles++;
		if (!worker_over(w) && cfg->idle_ns)
			area_cool(w, &w->area);
	}
	return 0;
}

const struct workload_ops workload_interactive_burst = {
	.name = "interactive_burst",
	.intent = "bursts of random touches, with idle gaps between them",
	.good_for = "how fast a program comes back after its memory went cold",
	.signals = "faults at the start of each burst, PSI some, reclaim in the gaps",
	.unit = "touch",
	.knobs = KNOB_RATE | KNOB_ACTIVE | KNOB_IDLE | KNOB_WRITE_PCT,
	.defaults = { 64 * MiB, 20000, 200 * NSEC_PER_MSEC, 800 * NSEC_PER_MSEC, 0, 30 },
	.prepare = worker_prepare_area,
	.run = run,
	.finish = worker_finish_area,
};
