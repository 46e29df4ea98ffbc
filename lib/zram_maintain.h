/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zram_maintain: one round over a zram device: what has been idle is compressed again with the second
 * algorithm, what is idle or incompressible goes to the backing device, and the allocator is compacted,
 * all within budgets.
 *
 * Pages count as idle that were not touched since the last marking, or, with the kernel's own times of
 * access (CONFIG_ZRAM_TRACK_ENTRY_ACTIME), for idle_seconds. A piece that the kernel lacks is skipped
 * and named. Recompression happens inside write(2), so its CPU time is ours, and max_pages (6.12)
 * makes a write of it small. Effects go through struct zram_maintain_ops. Single-threaded.
 */
#ifndef MEMSCOPE_LIB_ZRAM_MAINTAIN_H
#define MEMSCOPE_LIB_ZRAM_MAINTAIN_H

#include "lib/zram.h"

enum zram_which {
	ZRAM_WHICH_IDLE,
	ZRAM_WHICH_HUGE, /* those that did not compress */
	ZRAM_WHICH_HUGE_IDLE,
};

struct zram_maintain_request {
	enum zram_which recompress, writeback;
	bool want_recompress, want_writeback, want_compact;
	uint64_t idle_seconds;	  /* 0: since the last marking */
	uint64_t threshold_bytes; /* recompress only pages that take at least this; 0: any */
	uint64_t cpu_budget_ns;	  /* of this round; 0: none to spend, so nothing that costs */
	uint64_t write_budget_bytes; /* to the backing device in this round */
	bool first;		  /* nothing was marked before: mark only, unless the kernel has times */
};

enum zram_part {
	ZRAM_PART_MARK,
	ZRAM_PART_RECOMPRESS,
	ZRAM_PART_WRITEBACK,
	ZRAM_PART_COMPACT,
	ZRAM_PARTS,
};
const char *zram_part_name(enum zram_part part);

enum zram_part_state {
	ZRAM_DONE,
	ZRAM_SKIPPED, /* not asked for, or nothing to do; why says which */
	ZRAM_LACKING, /* the kernel or the device does not have it */
	ZRAM_BUDGET,  /* begun, and stopped at the budget */
	ZRAM_FAILED,
};
const char *zram_part_state_name(enum zram_part_state state);

struct zram_part_result {
	enum zram_part_state state;
	int err;	 /* when it failed */
	const char *why; /* when it was skipped or is lacking: a constant */
	uint64_t cpu_ns, calls;
};

struct zram_maintain_result {
	struct zram_part_result part[ZRAM_PARTS];
	struct zram_device before, after;
	uint64_t cpu_ns;
};

struct zram_maintain_ops {
	int (*write)(void *ctx, unsigned id, const char *attr, const char *text);
	int (*read)(void *ctx, unsigned id, struct zram_device *ret);
	uint64_t (*cpu_ns)(void *ctx);
	bool (*stop)(void *ctx);
};
extern const struct zram_maintain_ops zram_maintain_kernel_ops; /* ctx: bool (*)(void), or NULL */

/* One round. -ENODEV: the device has gone or is not configured; failures of a part are in the result. */
int zram_maintain(unsigned id, const struct zram_maintain_request *req, const struct zram_maintain_ops *ops, void *ctx,
		  struct zram_maintain_result *ret);

#endif
