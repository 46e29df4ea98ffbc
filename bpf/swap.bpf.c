// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reclaim: who wakes kswapd, who stalls in direct or memory-cgroup reclaim and for how long, what is
 * written. Counters only; a stall's start is kept in task storage.
 */
#include "bpf/follow.bpf.h"
#include "bpf/trace.bpf.h"

#include "bpf/swap.h"

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct swap_counters);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SWAP_MAX_TASKS);
	__type(key, __u32);
	__type(value, struct swap_task);
} tasks SEC(".maps");

struct stall {
	__u64 start_ns[SWAP_RECLAIM_KINDS]; /* 0: it did not begin */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct stall);
} stalls SEC(".maps");

struct swap_last last; /* racy by nature: any recent one will do */

static __always_inline struct swap_counters *mine(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&counters, &zero);
}

static __always_inline void note_last(void)
{
	last.pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(last.comm, sizeof(last.comm));
}

static __always_inline struct swap_task *task_of(struct swap_counters *c)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct swap_task *t = bpf_map_lookup_elem(&tasks, &pid), fresh = {};

	if (t)
		return t;
	bpf_get_current_comm(fresh.comm, sizeof(fresh.comm));
	bpf_map_update_elem(&tasks, &pid, &fresh, BPF_NOEXIST);
	t = bpf_map_lookup_elem(&tasks, &pid);
	if (!t)
		c->tasks_lost++;
	return t;
}

static __always_inline struct stall *my_stall(__u64 flags)
{
	return bpf_task_storage_get(&stalls, bpf_get_current_task_btf(), NULL, flags);
}

static __always_inline __u32 log2_of(__u64 v)
{
	__u32 n = 0;

#pragma unroll
	for (int shift = 32; shift; shift >>= 1)
		if (v >> shift) {
			v >>= shift;
			n += shift;
		}
	return n;
}

static __always_inline void ended(struct swap_counters *c, __u64 ns)
{
	struct swap_task *t = task_of(c);

	c->hist[log2_of(ns >> SWAP_HIST_SHIFT) & (SWAP_HIST_SLOTS - 1)]++;
	note_last();
	if (!t)
		return;
	__sync_fetch_and_add(&t->stalls, 1);
	__sync_fetch_and_add(&t->stall_ns, ns);
	if (ns > t->max_ns)
		t->max_ns = ns;
}

SEC("tp_btf/mm_vmscan_kswapd_wake")
int BPF_PROG(kswapd_wake)
{
	struct swap_counters *c = mine();

	if (c)
		c->kswapd_wake++;
	return 0;
}

SEC("tp_btf/mm_vmscan_kswapd_sleep")
int BPF_PROG(kswapd_sleep)
{
	struct swap_counters *c = mine();

	if (c)
		c->kswapd_sleep++;
	return 0;
}

static __always_inline void reclaim_begin(enum swap_reclaim kind)
{
	struct swap_counters *c = mine();
	struct stall *s;

	if (!c || !wanted(bpf_get_current_pid_tgid()))
		return;
	c->kinds[kind].begin++;
	s = my_stall(BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (s)
		s->start_ns[kind] = bpf_ktime_get_ns();
}

static __always_inline void reclaim_end(enum swap_reclaim kind, unsigned long pages)
{
	struct swap_counters *c = mine();
	struct stall *s;
	__u64 ns = 0;

	if (!c || !wanted(bpf_get_current_pid_tgid()))
		return;
	s = my_stall(0);
	if (s && s->start_ns[kind]) {
		ns = bpf_ktime_get_ns() - s->start_ns[kind];
		s->start_ns[kind] = 0;
	}
	c->kinds[kind].end++;
	c->kinds[kind].pages += pages;
	c->kinds[kind].ns += ns;
	ended(c, ns);
}

SEC("tp_btf/mm_vmscan_direct_reclaim_begin")
int BPF_PROG(direct_begin)
{
	reclaim_begin(SWAP_DIRECT);
	return 0;
}

SEC("tp_btf/mm_vmscan_direct_reclaim_end")
int BPF_PROG(direct_end, unsigned long pages)
{
	reclaim_end(SWAP_DIRECT, pages);
	return 0;
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_begin")
int BPF_PROG(memcg_begin)
{
	reclaim_begin(SWAP_MEMCG);
	return 0;
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_end")
int BPF_PROG(memcg_end, unsigned long pages)
{
	reclaim_end(SWAP_MEMCG, pages);
	return 0;
}

SEC("tp_btf/mm_vmscan_reclaim_pages")
int BPF_PROG(reclaim_pages, int nid, unsigned long scanned, unsigned long reclaimed)
{
	struct swap_counters *c = mine();

	if (!c || !wanted(bpf_get_current_pid_tgid()))
		return 0;
	c->reclaim_calls++;
	c->reclaim_pages += reclaimed;
	return 0;
}

SEC("tp_btf/mm_vmscan_lru_shrink_inactive")
int BPF_PROG(shrink_inactive, int nid, unsigned long scanned, unsigned long reclaimed)
{
	struct swap_counters *c = mine();

	if (c && wanted(bpf_get_current_pid_tgid()))
		c->shrink_pages += reclaimed;
	return 0;
}

SEC("tp_btf/mm_vmscan_write_folio")
int BPF_PROG(write_folio)
{
	struct swap_counters *c = mine();
	struct swap_task *t;

	if (!c || !wanted(bpf_get_current_pid_tgid()))
		return 0;
	c->write_folio++;
	t = task_of(c);
	if (t)
		__sync_fetch_and_add(&t->written, 1);
	note_last();
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	if (!BPF_CORE_READ(task, signal, live.counter))
		follow_exit(task->tgid);
	return 0;
}
