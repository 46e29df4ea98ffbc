/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * feature: what this kernel and this process can do, found by trying it.
 *
 * Nothing here asks for a user id or a kernel version: programs are loaded and attached, files are
 * opened, userfaultfd is called. Each probe is side-effect free and takes at most tens of
 * milliseconds. Results are kept for the life of the process. Not thread-safe.
 */
#ifndef MEMSCOPE_LIB_FEATURE_H
#define MEMSCOPE_LIB_FEATURE_H

#include "lib/base.h"

enum feature {
	FEATURE_BPF,	      /* bpf(2) loads a tracing program */
	FEATURE_BTF,	      /* /sys/kernel/btf/vmlinux */
	FEATURE_TP_FAULT,     /* BTF tracepoints page_fault_user and page_fault_kernel */
	FEATURE_TP_SCHED,     /* BTF tracepoints sched_process_fork, exec, exit */
	FEATURE_TP_VMSCAN,    /* vmscan tracepoints of reclaim */
	FEATURE_TP_RECLAIM,   /* tracepoint mm_vmscan_reclaim_pages */
	FEATURE_RINGBUF,      /* BPF ring buffer map */
	FEATURE_FENTRY,	      /* fentry and fexit programs */
	FEATURE_KPROBE,	      /* kprobe and kretprobe programs */
	FEATURE_PERF_SW,      /* BPF programs on software perf events */
	FEATURE_TRACEFS,      /* tracefs is mounted and readable */
	FEATURE_PSI,	      /* /proc/pressure/memory */
	FEATURE_SYMBOLS,      /* /proc/PID/maps of other processes is readable */
	FEATURE_UFFD,	      /* userfaultfd */
	FEATURE_UFFD_MOVE,    /* UFFDIO_MOVE */
	FEATURE_ZRAM,	      /* a zram device */
	FEATURE_ZRAM_RECOMP,  /* zram with a second algorithm */
	FEATURE_CGROUP_MEM,   /* a writable memory controller, cgroup v1 or v2 */
	FEATURE_DAMON,	      /* DAMON sysfs */
	FEATURE_DAMON_VADDR,  /* DAMON for the address space of a process */
	FEATURE_COUNT,
};

#define FEATURE(name) (UINT64_C(1) << FEATURE_##name)

enum feature_state {
	FEATURE_OK,
	FEATURE_NO_PRIVILEGE, /* the kernel has it, this process may not use it */
	FEATURE_NO_SETUP,     /* there, but not mounted, enabled or free */
	FEATURE_NO_KERNEL,    /* the kernel does not have it */
};

struct feature_info {
	enum feature_state state;
	const char *name;    /* "fentry" */
	const char *what;    /* "fentry and fexit programs on kernel functions" */
	const char *detail;  /* what was found, or "" */
	const char *remedy;  /* what to do when it is not ok, or "" */
};

/* Probes on first use. The strings live as long as the process. */
const struct feature_info *feature_get(enum feature f);

/* "fentry": the name in the command table and in JSON. Probes nothing. */
const char *feature_name(enum feature f);
/* "fentry and fexit programs". Probes nothing. */
const char *feature_what(enum feature f);
/* "ok", "no privilege", "not set up", "not in this kernel". */
const char *feature_state_name(enum feature_state state);

#endif
