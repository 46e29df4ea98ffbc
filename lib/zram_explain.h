/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zram_explain: why swapon, zramctl and free disagree about one zram device.
 *
 * Two sums that hold exactly, or say by how much they do not:
 *
 *	slots in use  = stored for swap + zero pages kept by swap + in zswap - freed but still stored + rest
 *	stored        = same-filled + incompressible + on the backing device + compressed, each in bytes of
 *			memory that programs had; beside it what each takes now
 *
 * Pure; thread-safe.
 */
#ifndef MEMSCOPE_LIB_ZRAM_EXPLAIN_H
#define MEMSCOPE_LIB_ZRAM_EXPLAIN_H

#include "lib/swaps.h"
#include "lib/zram.h"

struct zram_explain_in {
	const struct zram_device *device;
	const struct swap_area *area; /* NULL: not swapped to */
	uint64_t page_size;
	bool only_area;		/* the machine swaps to nothing else: counts of the whole machine are of this device */
	bool have_zero;		/* 6.12 and later keep pages of zeros in a bitmap of the swap area */
	uint64_t zero_pages_max; /* swpout_zero - swpin_zero: no more than these are in use */
	uint64_t zswapped_bytes; /* in zswap now */
	uint64_t swap_cached_bytes; /* also in memory: SwapCached */
};

enum zram_line_kind {
	ZRAM_LINE_ITEM,
	ZRAM_LINE_TOTAL, /* what a tool shows */
	ZRAM_LINE_REST,	 /* what the other lines leave unexplained */
};

struct zram_line {
	const char *section; /* "slots", "stored", "memory" */
	const char *key;
	enum zram_line_kind kind;
	bool less;	 /* subtracted from the section's sum */
	uint64_t before; /* bytes that programs had */
	bool have_now;
	uint64_t now; /* bytes of memory (or of the backing device) that they take */
	bool bound;   /* no more than this: the kernel does not count it exactly */
	const char *what;
};

#define ZRAM_LINES_MAX 20

/* The lines in order. -ENODATA when the device has no mm_stat. */
int zram_explain(const struct zram_explain_in *in, struct zram_line lines[ZRAM_LINES_MAX], size_t *ret_n);

#endif
