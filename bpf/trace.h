/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the trace programs and lib/ share: filters, and the counters of what was seen and lost. */
#ifndef MEMSCOPE_BPF_TRACE_H
#define MEMSCOPE_BPF_TRACE_H

#define TRACE_COMM_LEN 16
#define TRACE_MAX_PIDS 65536 /* filtered processes, with the children that are followed */

/* Set before the programs are loaded, so that what is not asked for is not even in them. */
struct trace_filter {
	__u32 own_pid;	   /* never traced */
	__u32 one_pid;	   /* the only process wanted, 0: no such filter */
	__u32 tid;	   /* 0: any */
	__u32 uid;
	__u64 cgroup_id;   /* 0: any */
	__u32 cgroup_level;
	__u8 by_pids;	   /* look into the map of processes */
	__u8 by_comm;
	__u8 by_uid;
	__u8 cgroup_v1;	   /* the cgroup of the v1 memory controller, else of the unified tree */
	__u8 children;	   /* forks of traced processes are traced */
	__u8 printk;	   /* write to trace_pipe instead of the ring buffer */
	__u8 pad[6];
	char comm[TRACE_COMM_LEN];
};
_Static_assert(sizeof(struct trace_filter) == 56, "same layout on both sides");

#endif
