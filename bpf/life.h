/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Records of `trace fork` and `trace life`, as they lie in the ring buffer. */
#ifndef MEMSCOPE_BPF_LIFE_H
#define MEMSCOPE_BPF_LIFE_H

#include "bpf/trace.h"

enum life_kind {
	LIFE_FORK,
	LIFE_EXEC,
	LIFE_EXIT,
};

#define LIFE_FILE_LEN 64

struct life_event {
	__u64 ts_ns; /* CLOCK_MONOTONIC */
	__u8 kind;
	__u8 is_thread; /* fork: a thread of the same process; exit: not the last thread */
	__u8 pad[6];
	__u32 pid, tid, uid;
	__u32 other_pid, other_tid; /* fork: the child; exec, exit: the parent process */
	__s32 exit_code;	    /* exit: as wait(2) gives it */
	__u64 lifetime_ns;	    /* exit: since the thread (process: its leader) started */
	char comm[TRACE_COMM_LEN];
	char other_comm[TRACE_COMM_LEN]; /* fork: the child's */
};
_Static_assert(sizeof(struct life_event) == 80, "same layout on both sides");

struct life_exec_event {
	struct life_event life;
	char file[LIFE_FILE_LEN];
};

#endif
