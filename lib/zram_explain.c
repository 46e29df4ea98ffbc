/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/zram_explain.h"

struct list {
	struct zram_line *lines;
	size_t n;
};

static struct zram_line *add(struct list *l, const char *section, const char *key, enum zram_line_kind kind,
			     uint64_t before, const char *what)
{
	struct zram_line *line = &l->lines[l->n++];

	*line = (struct zram_line){ .section = section, .key = key, .kind = kind, .before = before, .what = what };
	return line;
}

static void takes(struct zram_line *line, uint64_t now)
{
	line->have_now = true;
	line->now = now;
}

static uint64_t minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* From what swapon shows to what the device has of it. */
static void slots(struct list *l, const struct zram_explain_in *in)
{
	const struct zram_mm *mm = &in->device->mm;
	uint64_t used = in->area->used_bytes, page = in->page_size;
	uint64_t stored = minus(mm->orig, page), missing = minus(used, stored), zero = 0, zswap = 0;
	struct zram_line *line;

	add(l, "slots", "swap_used", ZRAM_LINE_TOTAL, used, "swap slots in use: 'Used' of swapon and /proc/swaps");
	add(l, "slots", "stored_for_swap", ZRAM_LINE_ITEM, stored,
	    "stored on the device: orig_data_size without the page of the swap header");
	if (stored > used) {
		line = add(l, "slots", "freed_not_discarded", ZRAM_LINE_ITEM, stored - used,
			   "freed by swap and still stored: the device has not been told yet");
		line->less = true;
	}
	/* What swap counts and the device does not have is somewhere before the device. */
	if (in->only_area && in->zswapped_bytes) {
		zswap = MIN(missing, in->zswapped_bytes);
		add(l, "slots", "in_zswap", ZRAM_LINE_ITEM, zswap, "in zswap, which stands before the device");
		missing -= zswap;
	}
	if (in->only_area && in->have_zero && in->zero_pages_max) {
		zero = MIN(missing, in->zero_pages_max * page);
		line = add(l, "slots", "zero_in_swap", ZRAM_LINE_ITEM, zero,
			   "pages of zeros: swap keeps a bit for each, and the device never gets them (6.12 and later)");
		line->bound = true;
		takes(line, 0);
		missing -= zero;
	}
	add(l, "slots", "slots_rest", ZRAM_LINE_REST, missing,
	    in->only_area ? "not explained: slots given out and not written yet (per-CPU clusters, pages on their way)" :
			    "not on the device: zeros kept by swap, zswap, or on their way; with several swap areas the "
			    "kernel does not count these for each");
	if (in->swap_cached_bytes && in->only_area) {
		line = add(l, "slots", "also_in_memory", ZRAM_LINE_ITEM, MIN(in->swap_cached_bytes, used),
			   "of the slots in use, pages that are in memory as well (SwapCached): counted above");
		line->bound = true;
	}
}

/* From what the device stores to what it takes. */
static void stored(struct list *l, const struct zram_explain_in *in)
{
	const struct zram_device *d = in->device;
	const struct zram_mm *mm = &d->mm;
	uint64_t page = in->page_size, same = mm->same_pages * page, huge = mm->n_fields > 7 ? mm->huge_pages * page : 0;
	/* bd_stat counts units of 4 KiB, whatever the page size. */
	uint64_t backing = d->have_bd ? d->bd.count * 4096 : 0;
	uint64_t rest = minus(minus(minus(mm->orig, same), huge), backing);
	/* A page that could not be compressed may be on the backing device too: then it takes no memory. */
	uint64_t huge_now = MIN(huge, mm->compr);
	struct zram_line *line;

	line = add(l, "stored", "orig_data_size", ZRAM_LINE_TOTAL, mm->orig,
		   "stored, before compression: DATA of zramctl; its compressed size is COMPR");
	takes(line, mm->compr);
	line = add(l, "stored", "same_filled", ZRAM_LINE_ITEM, same, "pages filled with one value: kept in the table alone");
	takes(line, 0);
	if (mm->n_fields > 7) {
		line = add(l, "stored", "incompressible", ZRAM_LINE_ITEM, huge,
			   "pages that did not compress ('huge'): kept as they are");
		takes(line, huge_now);
	}
	if (d->have_bd && d->backing[0])
		add(l, "stored", "on_backing_device", ZRAM_LINE_ITEM, backing, "written back to the backing device: no memory");
	line = add(l, "stored", "compressed", ZRAM_LINE_ITEM, rest,
		   mm->n_fields > 7 ? "the other pages, compressed" :
				      "the other pages, compressed, with those that did not (this kernel does not count them)");
	takes(line, minus(mm->compr, huge_now));
}

static void memory(struct list *l, const struct zram_explain_in *in)
{
	const struct zram_device *d = in->device;
	const struct zram_mm *mm = &d->mm;
	uint64_t table = d->disksize / in->page_size * ZRAM_ENTRY_BYTES;

	takes(add(l, "memory", "compr_data_size", ZRAM_LINE_ITEM, 0, "compressed pages, from above"), mm->compr);
	if (mm->mem_used >= mm->compr)
		takes(add(l, "memory", "allocator", ZRAM_LINE_ITEM, 0,
			  "lost in the allocator (zsmalloc): size classes, and holes that freed pages left"),
		      mm->mem_used - mm->compr);
	takes(add(l, "memory", "mem_used_total", ZRAM_LINE_TOTAL, 0, "memory for data: TOTAL of zramctl"), mm->mem_used);
	takes(add(l, "memory", "table", ZRAM_LINE_ITEM, 0,
		  "the table with an entry for each page of the device's size, used or not (estimate: 16 bytes each)"),
	      table);
	takes(add(l, "memory", "memory_in_all", ZRAM_LINE_TOTAL, 0, "what the device takes from the machine"),
	      mm->mem_used + table);
}

int zram_explain(const struct zram_explain_in *in, struct zram_line lines[ZRAM_LINES_MAX], size_t *ret_n)
{
	struct list l = { .lines = lines };

	if (!in->device->have_mm)
		return -ENODATA;
	if (in->area)
		slots(&l, in);
	stored(&l, in);
	memory(&l, in);
	*ret_n = l.n;
	return 0;
}
