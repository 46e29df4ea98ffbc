/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Records, keys and counters of `trace fault`. */
#ifndef MEMSCOPE_BPF_FAULT_H
#define MEMSCOPE_BPF_FAULT_H

#include "bpf/trace.h"

/* The x86 page fault error code (arch/x86/include/asm/trap_pf.h). */
#define FAULT_PRESENT 0x1 /* protection fault; else the page was not present */
#define FAULT_WRITE   0x2
#define FAULT_USER    0x4
#define FAULT_EXEC    0x10

enum fault_vma {
	FAULT_VMA_UNKNOWN, /* the map was being changed, or nothing is mapped there */
	FAULT_VMA_ANON,
	FAULT_VMA_HEAP,
	FAULT_VMA_STACK,
	FAULT_VMA_FILE,
};

enum fault_class {
	FAULT_CLASS_UNKNOWN,
	FAULT_CLASS_ANON, /* a new page of zeroes */
	FAULT_CLASS_FILE,
	FAULT_CLASS_SWAP,
	FAULT_CLASS_COW, /* a write to a page that is shared */
};

#define FAULT_FLAG_KERNEL 1 /* raised in kernel mode */
#define FAULT_FLAG_DONE	  2 /* latency and major are known */
#define FAULT_FLAG_MAJOR  4

struct fault_event {
	__u64 ts_ns; /* CLOCK_MONOTONIC at the start of the fault */
	__u64 addr, ip;
	__u32 pid, tid;
	__u16 error_code;
	__u8 flags;
	__u8 vma;
	__u32 latency_ns; /* saturates at 4.2 s */
	char comm[TRACE_COMM_LEN];
	__u8 class;
	__u8 pad[7];
};
_Static_assert(sizeof(struct fault_event) == 64, "same layout on both sides");

#define FAULT_FILE_LEN 40

/* With --vma. */
struct fault_vma_event {
	struct fault_event fault;
	__u64 ino;
	char file[FAULT_FILE_LEN];
};

/* What faults are grouped by; a part that is not asked for is zero. */
struct fault_key {
	__u64 ip;
	__u64 cgroup;
	__u64 ino;
	__u32 pid;
	__u8 vma;
	__u8 kind; /* FAULT_KEY_… bits */
	__u8 class;
	__u8 pad;
	char comm[TRACE_COMM_LEN];
};
_Static_assert(sizeof(struct fault_key) == 48, "same layout on both sides");

#define FAULT_KEY_PRESENT 0x1
#define FAULT_KEY_WRITE	  0x2
#define FAULT_KEY_USER	  0x4
#define FAULT_KEY_EXEC	  0x10
#define FAULT_KEY_MAJOR	  0x20
#define FAULT_KEY_SET	  0x80

/* A group's slot in the counters, and what helps to name it. */
struct fault_group {
	__u32 slot;
	__u32 pid; /* the first process seen in it */
	char comm[TRACE_COMM_LEN];
	char file[FAULT_FILE_LEN];
};

#define FAULT_HIST_SLOTS 32 /* slot n counts latencies of [2^n, 2^(n+1)) ns */

/* Kept for each group and CPU, in latency mode. */
struct fault_latency {
	__u64 n, major, sum_ns, max_ns;
	__u32 hist[FAULT_HIST_SLOTS];
};

#define FAULT_GROUPS_DEFAULT 8192
#define FAULT_SLOT_OTHER     0 /* faults of groups that found the table full */

#endif
