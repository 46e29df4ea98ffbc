// SPDX-License-Identifier: GPL-2.0-only
/* One program for each way of attaching, to find out which ones the kernel allows. */
#include "bpf/types.bpf.h"

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} ring SEC(".maps");

#define PROBE(name, section)                                                                                 \
	SEC(section)                                                                                         \
	int name(void *ctx)                                                                                  \
	{                                                                                                    \
		return 0;                                                                                    \
	}

PROBE(plain, "raw_tp/sched_process_exit")
PROBE(tp_fault, "tp_btf/page_fault_user")
PROBE(tp_sched, "tp_btf/sched_process_fork")
PROBE(tp_vmscan, "tp_btf/mm_vmscan_direct_reclaim_end")
PROBE(tp_reclaim, "tp_btf/mm_vmscan_reclaim_pages")
PROBE(fentry, "fentry/handle_mm_fault")
PROBE(kprobe, "kprobe/handle_mm_fault")
PROBE(perf_sw, "perf_event")

SEC("raw_tp/sched_process_exit")
int with_ring(void *ctx)
{
	void *r = bpf_ringbuf_reserve(&ring, 8, 0);

	if (r)
		bpf_ringbuf_discard(r, BPF_RB_NO_WAKEUP);
	return 0;
}
