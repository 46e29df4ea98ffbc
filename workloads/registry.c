/* SPDX-License-Identifier: BSD-2-Clause */
/* The one list of workloads. */
#include <string.h>

#include "lib/suggest.h"
#include "workloads/workload.h"

extern const struct workload_ops workload_interactive_burst, workload_anon_streamer,
	workload_random_touch_heap, workload_mmap_churn, workload_fork_exit_storm,
	workload_fork_touch_exit, workload_fork_exec_storm;

const struct workload_ops *const workloads[] = {
	&workload_interactive_burst, &workload_anon_streamer,  &workload_random_touch_heap,
	&workload_mmap_churn,	     &workload_fork_exit_storm, &workload_fork_touch_exit,
	&workload_fork_exec_storm,   NULL,
};

const struct workload_ops *workload_find(const char *name, const char **ret_near)
{
	struct suggestion best = suggestion_start(name);

	for (const struct workload_ops *const *w = workloads; *w; w++) {
		if (!strcmp((*w)->name, name))
			return *w;
		suggestion_offer(&best, (*w)->name);
	}
	if (ret_near)
		*ret_near = best.word;
	return NULL;
}

void workload_defaults(const struct workload_ops *ops, struct workload_config *cfg)
{
	*cfg = (struct workload_config){
		.ops = ops,
		.seconds = 20,
		.workers = 4,
		.seed = 1,
		.region_bytes = ops->defaults.region_bytes,
		.rate = ops->defaults.rate,
		.active_ns = ops->defaults.active_ns,
		.idle_ns = ops->defaults.idle_ns,
		.touch_pages = ops->defaults.touch_pages,
		.write_pct = ops->defaults.write_pct,
		.exec_path = "/bin/true",
		.fill_pct = 50,
		.mem = { .kind = MEM_PLAIN, .min_savings_pct = 5 },
	};
}
