/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mmap_churn: mappings that come and go. What is mapped is always the kernel's; beside it a sidecar
 * region of the memory provider lives for the whole run, is touched a little in each cycle, and cools
 * when all of it was touched: the long-lived part of a program that churns.
 */
#include <sys/mman.h>

#include "workloads/worker.h"

#define SIDECAR_PART	4  /* of the share */
#define SIDECAR_TOUCHES 16 /* in a cycle */

static uint64_t sidecar_pages(uint64_t pages)
{
	return MAX(pages / SIDECAR_PART, 1);
}

static uint64_t peak_bytes(uint64_t share)
{
	return share + sidecar_pages(share / WORKLOAD_PAGE) * WORKLOAD_PAGE;
}

static int prepare(struct worker *w)
{
	int err = area_new(w, &w->other, "sidecar", sidecar_pages(w->share_pages));

	if (!err)
		area_cool(w, &w->other);
	return err;
}

static int cycle(struct worker *w)
{
	uint64_t pages = w->cfg->touch_pages ? MIN(w->cfg->touch_pages, w->share_pages) : w->share_pages;
	size_t bytes = w->share_pages * WORKLOAD_PAGE;
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err;

	if (p == MAP_FAILED)
		return -errno;
	err = area_wrap(w, &w->area, p, w->share_pages);
	for (uint64_t i = 0; !err && i < pages; i++) {
		area_fill_page(w, &w->area, i);
		w->slot->touches++;
	}
	for (uint64_t i = 0; !err && w->cfg->verify && i < pages; i++)
		area_verify(w, &w->area, i);
	munmap(p, bytes);
	w->area.base = NULL;
	return err;
}

static int run(struct worker *w)
{
	uint64_t page = 0;

	worker_pace(w, w->start_ns);
	while (worker_next(w, UINT64_MAX)) {
		uint64_t start = w->now;
		int err = cycle(w);

		if (err == -ENOMEM || err == -EAGAIN) {
			w->slot->limit_hits++;
			worker_sleep(w, w->now + NSEC_PER_MSEC);
			continue;
		}
		if (err)
			return err;
		for (int i = 0; i < SIDECAR_TOUCHES; i++, page++)
			area_touch(w, &w->other, page % w->other.pages, i % 4 == 0, false);
		w->now = now_ns();
		worker_count(w, start);
		w->slot->cycles++;
		if (page >= w->other.pages) {
			page = 0;
			area_cool(w, &w->other);
		}
	}
	worker_pace_end(w);
	return 0;
}

const struct workload_ops workload_mmap_churn = {
	.name = "mmap_churn",
	.intent = "map, fill and unmap, beside a region that stays",
	.good_for = "allocation and unmapping costs, address-space bookkeeping",
	.signals = "first-touch faults, mmap and munmap, TLB shootdowns",
	.unit = "cycle",
	.knobs = KNOB_RATE | KNOB_TOUCH_PAGES,
	.defaults = { 16 * MiB, 0, 0, 0, 0, 0 },
	.peak_bytes = peak_bytes,
	.prepare = prepare,
	.run = run,
	.finish = worker_finish_area,
};
