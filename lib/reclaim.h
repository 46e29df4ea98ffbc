/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reclaim: counters of memory pressure from /proc: vmstat, PSI, and who has how much in swap.
 * Thread-safe.
 */
#ifndef MEMSCOPE_LIB_RECLAIM_H
#define MEMSCOPE_LIB_RECLAIM_H

#include "lib/base.h"

struct reclaim_vmstat {
	uint64_t pswpin, pswpout; /* pages, since boot */
};

/* -ENOENT without /proc/vmstat. */
int reclaim_vmstat_read(struct reclaim_vmstat *ret);

struct reclaim_psi {
	uint64_t some_us, full_us; /* total stall time since boot */
};

/* -ENOENT, -EOPNOTSUPP: no PSI in this kernel, or off. */
int reclaim_psi_read(struct reclaim_psi *ret);

struct reclaim_swapped {
	uint32_t pid;
	uint64_t swap_bytes;
	char comm[16];
};

/*
 * VmSwap of every process that has any, by pid; *ret is the caller's. Processes that go or may not be
 * read meanwhile are left out.
 */
int reclaim_swapped_read(struct reclaim_swapped **ret, size_t *ret_n);

#endif
