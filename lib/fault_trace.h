/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fault_trace: the page fault programs, loaded in the way that the kernel allows, and their counters.
 * One thread per struct.
 */
#ifndef MEMSCOPE_LIB_FAULT_TRACE_H
#define MEMSCOPE_LIB_FAULT_TRACE_H

#include <linux/types.h>

#include "bpf/fault.h"
#include "lib/base.h"
#include "lib/probe.h"

struct bpf_link;
struct fault_bpf;

/* How the end of a fault is seen; with it come latency, major or minor, and the class. */
enum fault_end {
	FAULT_END_AUTO, /* the first of the others that works */
	FAULT_END_FENTRY,
	FAULT_END_KPROBE,
	FAULT_END_PERF,
};

enum fault_by {
	FAULT_BY_PID = 1,
	FAULT_BY_COMM = 2,
	FAULT_BY_VMA = 4,
	FAULT_BY_IP = 8,
	FAULT_BY_KIND = 16,
	FAULT_BY_CGROUP = 32,
	FAULT_BY_CLASS = 64,
};

struct fault_config {
	bool vma;
	bool latency;
	enum fault_end end;
	unsigned by;	 /* FAULT_BY_ bits; 0: a record for each fault */
	uint32_t groups; /* most groups, with by */
};

struct fault_trace {
	struct fault_config config; /* with end as it was chosen */
	struct fault_bpf *skel;
	struct bpf_link **perf_links;
	size_t n_perf;
	uint64_t *counts;		    /* mapped: n_cpus blocks of groups slots */
	struct fault_latency *latencies; /* likewise, or NULL */
	size_t n_cpus;
	bool filter_refused; /* loading failed for the request, not for the kernel */
};

/* A group and what was counted for it, over all CPUs since the start. */
struct fault_count {
	struct fault_key key;
	struct fault_group group;
	uint64_t faults;
	uint64_t major, sum_ns, max_ns, timed; /* timed: faults whose end was seen */
	uint64_t hist[FAULT_HIST_SLOTS];
};

const char *fault_end_name(enum fault_end end);
const char *fault_class_name(unsigned class); /* NULL when unknown */
const char *fault_vma_name(unsigned vma);     /* NULL when unknown */

/*
 * Opens and loads. -EOPNOTSUPP: config.end (or, for AUTO, every one) is refused by the kernel; else
 * errors of libbpf and of probe_filter(). The struct is valid for release in any case.
 */
int fault_trace_load(struct fault_trace *t, struct probe *probe, const struct probe_request *req,
		     const struct fault_config *config);
int fault_trace_attach(struct fault_trace *t);
/* No events after this; counts are final. */
void fault_trace_detach(struct fault_trace *t);
uint32_t *fault_trace_waiting(struct fault_trace *t);
/* Number of groups so far. Cheap. */
uint32_t fault_trace_n_groups(const struct fault_trace *t);
/*
 * All groups with their counts, in no order; *ret is the caller's. The faults of groups for which the
 * table had no room come as one with group.slot FAULT_SLOT_OTHER, if there were any.
 */
int fault_trace_counts(struct fault_trace *t, struct fault_count **ret, size_t *ret_n);
/* Sum of all counts. */
uint64_t fault_trace_total(const struct fault_trace *t);
void fault_trace_release(struct fault_trace *t);

#endif
