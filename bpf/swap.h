/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Counters of `trace swap`. They only grow; user space takes differences. */
#ifndef MEMSCOPE_BPF_SWAP_H
#define MEMSCOPE_BPF_SWAP_H

#include "bpf/trace.h"

#define SWAP_HIST_SLOTS 32 /* slot n counts [2^n, 2^(n+1)) ns << 10, so 1 us to an hour */
#define SWAP_HIST_SHIFT 10
#define SWAP_MAX_TASKS	8192

enum swap_reclaim {
	SWAP_DIRECT, /* by a process that wants memory */
	SWAP_MEMCG,  /* by a process whose cgroup is at its limit */
	SWAP_RECLAIM_KINDS,
};

/* For each CPU. */
struct swap_counters {
	struct {
		__u64 begin, end, pages, ns;
	} kinds[SWAP_RECLAIM_KINDS];
	__u64 kswapd_wake, kswapd_sleep;
	__u64 reclaim_calls, reclaim_pages; /* mm_vmscan_reclaim_pages and its nr_reclaimed */
	__u64 shrink_pages;		    /* nr_reclaimed of mm_vmscan_lru_shrink_inactive */
	__u64 write_folio;
	__u64 tasks_lost; /* events of processes for which there was no room */
	__u64 hist[SWAP_HIST_SLOTS];
};

/* For each process that reclaimed. */
struct swap_task {
	__u64 stalls, stall_ns, max_ns;
	__u64 written; /* folios written in its context */
	char comm[TRACE_COMM_LEN];
};

struct swap_last {
	__u32 pid;
	char comm[TRACE_COMM_LEN];
};

#endif
