/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Filters and losses, in every trace program.
 *
 * The filter is constant data: the verifier removes what is not asked for, so that an unfiltered
 * program pays for nothing but the comparison with our own pid.
 */
#ifndef MEMSCOPE_BPF_TRACE_BPF_H
#define MEMSCOPE_BPF_TRACE_BPF_H

#include "bpf/types.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/trace.h"

const volatile struct trace_filter filter = {};

/*
 * With a command of ours (-- COMMAND): its pid, until it calls exec. What it does before is ours, not
 * the command's. The exec program adds it to pids.
 */
__u32 waiting_for_exec;

/* Processes to trace. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8);
} pids SEC(".maps");

/* Records that found the ring buffer full, for each CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} lost SEC(".maps");

static __always_inline void count_lost(void)
{
	__u32 zero = 0;
	__u64 *n = bpf_map_lookup_elem(&lost, &zero);

	if (n)
		(*n)++;
}

static __always_inline struct cgroup *task_cgroup(struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);

	if (filter.cgroup_v1) {
		int id = bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);
		struct cgroup_subsys_state *css = NULL;

		bpf_probe_read_kernel(&css, sizeof(css), &set->subsys[id & 15]);
		return BPF_CORE_READ(css, cgroup);
	}
	return BPF_CORE_READ(set, dfl_cgrp);
}

/* In the filtered cgroup or below it: the ancestor at its level is it. */
static __always_inline bool in_cgroup(struct task_struct *task)
{
	struct cgroup *cgroup = task_cgroup(task), *at = NULL;

	if ((__u32)BPF_CORE_READ(cgroup, level) < filter.cgroup_level)
		return false;
	if (BPF_CORE_READ(cgroup, kn, id) == filter.cgroup_id)
		return true;
	if (!bpf_core_field_exists(((struct cgroup *)0)->ancestors))
		return false;
	bpf_probe_read_kernel(&at, sizeof(at),
			      (void *)cgroup + bpf_core_field_offset(struct cgroup, ancestors) +
				      filter.cgroup_level * sizeof(void *));
	return BPF_CORE_READ(at, kn, id) == filter.cgroup_id;
}

static __always_inline bool same_comm(void)
{
	/* Still volatile: without it the compiler takes the zeroes of the initialiser for the value. */
	const volatile __u64 *want = (const volatile __u64 *)filter.comm;
	__u64 comm[2] = {};

	bpf_get_current_comm(comm, sizeof(comm));
	return comm[0] == want[0] && comm[1] == want[1];
}

/* Is the current thread to be traced? id: bpf_get_current_pid_tgid(). */
static __always_inline bool wanted(__u64 id)
{
	__u32 pid = id >> 32;

	if (pid == filter.own_pid)
		return false;
	if (filter.one_pid && pid != filter.one_pid)
		return false;
	if (filter.tid && (__u32)id != filter.tid)
		return false;
	if (filter.by_uid && (__u32)bpf_get_current_uid_gid() != filter.uid)
		return false;
	if (filter.by_pids && !bpf_map_lookup_elem(&pids, &pid))
		return false;
	if (filter.by_comm && !same_comm())
		return false;
	if (filter.cgroup_id && !in_cgroup((struct task_struct *)bpf_get_current_task()))
		return false;
	return true;
}

/* sched_process_fork, after the record is made: follow the child of a traced process. */
static __always_inline void follow_fork(__u32 parent_pid, __u32 child_pid)
{
	__u8 one = 1;

	if (filter.children && parent_pid != child_pid && bpf_map_lookup_elem(&pids, &parent_pid))
		bpf_map_update_elem(&pids, &child_pid, &one, BPF_ANY);
}

/* sched_process_exec: our command begins. */
static __always_inline void follow_exec(__u32 pid)
{
	__u8 one = 1;

	if (waiting_for_exec && pid == waiting_for_exec)
		bpf_map_update_elem(&pids, &pid, &one, BPF_ANY);
}

/* The last thread of a process has gone: its number may be another's next. */
static __always_inline void follow_exit(__u32 pid)
{
	if (filter.children)
		bpf_map_delete_elem(&pids, &pid);
}

#endif
