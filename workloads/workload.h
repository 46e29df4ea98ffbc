/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * workload: bounded memory and process loads that do what they are asked, or say what they reached.
 *
 * How to add one: write workloads/NAME.c with a struct workload_ops (workloads/worker.h says what it
 * can call), and name it in workloads/registry.c. What it allocates through workloads/mem.h runs on
 * every memory provider.
 *
 * How a run is made of processes:
 *
 *	memscope (options, progress, result)
 *	  └─ guard (workloads/guard.h: outlives us by a moment to clean up)
 *	       └─ runner: the cgroup's first process; measures
 *	            ├─ worker threads                          memory workloads
 *	            └─ worker processes ─ children that exit   fork storms
 *
 * Every child gets SIGKILL when its parent dies. They talk through one shared mapping, struct run,
 * that the first process makes; each worker writes its own slot only.
 */
#ifndef MEMSCOPE_WORKLOADS_WORKLOAD_H
#define MEMSCOPE_WORKLOADS_WORKLOAD_H

#include <json-c/json.h>

#include "lib/dataset.h"
#include "workloads/mem.h"

#define WORKLOAD_PAGE	      DATASET_BLOCK
#define WORKLOAD_MAX_WORKERS  4096
#define WORKLOAD_SAFE_WORKERS 512 /* more of them, or longer, has to be asked for */
#define WORKLOAD_SAFE_SECONDS 300
#define WORKLOAD_UNKNOWN      UINT64_MAX

/* Options that not every workload has a use for. */
enum workload_knob {
	KNOB_RATE = 1,
	KNOB_ACTIVE = 2,
	KNOB_IDLE = 4,
	KNOB_TOUCH_PAGES = 8,
	KNOB_WRITE_PCT = 16,
	KNOB_EXEC = 32,
	KNOB_NPROC = 64,
};

struct workload_config {
	const struct workload_ops *ops;
	double seconds;
	unsigned workers;
	uint64_t seed;
	uint64_t region_bytes; /* of all workers together */
	double rate;	       /* operations a second, all workers together; 0: as fast as they go */
	uint64_t active_ns, idle_ns;
	uint64_t touch_pages; /* 0: all */
	unsigned write_pct;
	const char *exec_path;
	uint64_t nproc_limit; /* 0: computed */

	bool use_dataset; /* else fill_pct */
	enum dataset_kind dataset;
	unsigned fill_pct;
	bool verify;

	struct mem_config mem;
	uint64_t cgroup_limit_bytes; /* 0: no cgroup */
};

struct worker;

struct workload_ops {
	const char *name;
	const char *intent;   /* what it does */
	const char *good_for; /* what to use it for */
	const char *signals;  /* what the kernel's counters show meanwhile */
	const char *unit;     /* what one operation is: what is counted and timed */
	unsigned knobs;	      /* enum workload_knob: options it uses */
	bool processes;	      /* workers are processes, for those that fork */
	struct {
		uint64_t region_bytes;
		double rate;
		uint64_t active_ns, idle_ns;
		uint64_t touch_pages;
		unsigned write_pct;
	} defaults;
	/* Bytes that a worker with this share of the region has at its peak; NULL: the share. */
	uint64_t (*peak_bytes)(uint64_t share);
	/* Allocates, fills and touches everything: the clock has not started. */
	int (*prepare)(struct worker *w);
	/* Works until worker_next() says that it is over. */
	int (*run)(struct worker *w);
	/* After the last measurement. Also after a prepare() that failed. */
	void (*finish)(struct worker *w);
};

/* NULL-terminated. */
extern const struct workload_ops *const workloads[];
/* NULL: no such name; *ret_near (if not NULL) is the nearest one then, or NULL. */
const struct workload_ops *workload_find(const char *name, const char **ret_near);
/* Defaults of ops with everything common set. */
void workload_defaults(const struct workload_ops *ops, struct workload_config *cfg);

/* The first byte that was not what the workload had put there. */
struct workload_mismatch {
	uint64_t address;
	uint32_t expected, found; /* bytes */
	uint64_t page;		  /* of the worker's region */
	uint32_t worker;
};

/* WORKLOAD_UNKNOWN and NAN stand for what is not known. */
struct workload_result {
	char workload[64];
	char mode[24]; /* memory provider, or "external" */
	char unit[24];
	uint64_t run; /* from 1; of a comparison */
	uint64_t seed, workers, region_bytes;
	char contents[24];
	double seconds; /* that it ran */
	double asked_ops_per_s, ops_per_s, reached_pct;
	uint64_t ops, cycles, touches;
	uint64_t mean_ns, p50_ns, p95_ns, p99_ns, p999_ns, max_ns;
	uint64_t lag_max_ns; /* behind the schedule of its rate, at worst */
	uint64_t minor_faults, major_faults;
	uint64_t cpu_user_us, cpu_system_us;
	uint64_t rss_ready_bytes, rss_mean_bytes, rss_max_bytes;
	uint64_t rss_end_bytes, pss_end_bytes, swap_end_bytes;
	uint64_t verified_bytes, mismatches;
	uint64_t limit_hits; /* forks that a limit refused */
	uint64_t failed;     /* children that failed, or were killed at the end */
	uint64_t cgroup_limit_bytes, cgroup_peak_bytes;
	/* Of outside tools whose figure is no rate. */
	double score;
	char score_unit[32];
	bool interrupted;
	struct workload_mismatch mismatch; /* the first one, when mismatches is not 0 */
};

/* A mutable view of a run for progress lines; all numbers so far. */
struct workload_progress {
	bool running; /* false: still filling */
	double seconds;
	uint64_t ops, rss_bytes;
};

struct workload_hooks {
	/* Asked a few times a second: SIGINT or so ends the run early, with its result. */
	bool (*stop)(void *ctx);
	void (*progress)(void *ctx, const struct workload_progress *p);
	void *ctx;
};

/* What went wrong, and why, for a person. */
struct workload_error {
	char text[256];
};
/* Adds the reason. */
void workload_error_add(struct workload_error *e, int err);

/*
 * Is there memory for it? -ENOMEM with the two numbers in the text when not: in the machine, in the
 * cgroup that we are in, or in the one it is to get.
 */
int workload_check(const struct workload_config *cfg, struct workload_error *ret_error);
/* The same for a load that needs so many bytes (so many of them in its own cgroup, when limited). */
int limits_check(uint64_t need, uint64_t cgroup_need, uint64_t cgroup_limit, struct workload_error *ret_error);

/*
 * Runs it. *ret_provider gets the memory provider's statistics as JSON, owned by the caller, or NULL
 * when it has none. Not thread-safe, and the process must have one thread: it forks. Leaves no process,
 * cgroup or file behind, also when this process is killed.
 *
 * A negative errno and a text: -EINVAL (a worker's share is less than a page), -ENOMEM, -EAGAIN, -EACCES or
 * -EPERM (cgroup), -EOPNOTSUPP (no memory controller; userfaultfd), -ECHILD (a worker died).
 */
int workload_run(const struct workload_config *cfg, const struct workload_hooks *hooks,
		 struct workload_result *ret, json_object **ret_provider, struct workload_error *ret_error);

#endif
