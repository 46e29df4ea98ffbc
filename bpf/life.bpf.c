// SPDX-License-Identifier: GPL-2.0-only
/* fork, exec and exit of processes and threads. */
#include "bpf/trace.bpf.h"

#include "bpf/life.h"

char LICENSE[] SEC("license") = "GPL";

const volatile bool want_fork, want_exec, want_exit, want_threads;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} ring SEC(".maps");

static __always_inline void fill(struct life_event *e, enum life_kind kind, __u64 id)
{
	__builtin_memset(e, 0, sizeof(*e));
	e->ts_ns = bpf_ktime_get_ns();
	e->kind = kind;
	e->pid = id >> 32;
	e->tid = (__u32)id;
	e->uid = (__u32)bpf_get_current_uid_gid();
	bpf_get_current_comm(e->comm, sizeof(e->comm));
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	__u64 id = bpf_get_current_pid_tgid();
	bool thread = child->tgid == (__s32)(id >> 32);
	struct life_event *e;

	if (!wanted(id))
		return 0;
	if (!thread)
		follow_fork(id >> 32, child->tgid);
	if (!want_fork || (thread && !want_threads))
		return 0;
	if (filter.printk) {
		bpf_printk("hello world %d", child->tgid);
		return 0;
	}
	e = bpf_ringbuf_reserve(&ring, sizeof(*e), 0);
	if (!e) {
		count_lost();
		return 0;
	}
	fill(e, LIFE_FORK, id);
	e->is_thread = thread;
	e->other_pid = child->tgid;
	e->other_tid = child->pid;
	bpf_probe_read_kernel_str(e->other_comm, sizeof(e->other_comm), child->comm);
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct life_exec_event *e;

	follow_exec(id >> 32);
	if (!want_exec || !wanted(id))
		return 0;
	e = bpf_ringbuf_reserve(&ring, sizeof(*e), 0);
	if (!e) {
		count_lost();
		return 0;
	}
	fill(&e->life, LIFE_EXEC, id);
	e->life.other_pid = e->life.other_tid = BPF_CORE_READ(task, real_parent, tgid);
	__builtin_memset(e->file, 0, sizeof(e->file));
	bpf_probe_read_kernel_str(e->file, sizeof(e->file), BPF_CORE_READ(bprm, filename));
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	__u64 id = bpf_get_current_pid_tgid(), start;
	/* do_exit() has already taken this thread off the count. */
	bool thread = BPF_CORE_READ(task, signal, live.counter) != 0;
	struct life_event *e;
	bool want = want_exit && (!thread || want_threads) && wanted(id);

	if (!thread)
		follow_exit(id >> 32);
	if (!want)
		return 0;
	e = bpf_ringbuf_reserve(&ring, sizeof(*e), 0);
	if (!e) {
		count_lost();
		return 0;
	}
	fill(e, LIFE_EXIT, id);
	e->is_thread = thread;
	e->other_pid = e->other_tid = BPF_CORE_READ(task, real_parent, tgid);
	start = thread ? task->start_time : BPF_CORE_READ(task, group_leader, start_time);
	e->lifetime_ns = e->ts_ns - start;
	e->exit_code = task->exit_code;
	if (!thread && BPF_CORE_READ(task, signal, group_exit_code))
		e->exit_code = BPF_CORE_READ(task, signal, group_exit_code);
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	return 0;
}
