/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The programs that keep the set of traced processes, for objects that have no fork and exec programs of
 * their own. exit is theirs, as they have more to do there; it must call follow_exit().
 */
#ifndef MEMSCOPE_BPF_FOLLOW_BPF_H
#define MEMSCOPE_BPF_FOLLOW_BPF_H

#include "bpf/trace.bpf.h"

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	follow_fork(parent->tgid, child->tgid);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec)
{
	follow_exec(bpf_get_current_pid_tgid() >> 32);
	return 0;
}

#endif
