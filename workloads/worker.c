/* SPDX-License-Identifier: BSD-2-Clause */
#include "workloads/worker.h"

#include <string.h>
#include <sys/mman.h>

#define SLEEP_SLICE_NS (20 * NSEC_PER_MSEC) /* so that a stop is noticed */
#define GROUP_NS       NSEC_PER_MSEC	    /* a paced worker wakes up at most so often */

/* ---- time ---- */

void worker_pace(struct worker *w, uint64_t start_ns)
{
	double rate = w->cfg->rate / w->cfg->workers;

	w->pacer = (struct pacer){ .start_ns = start_ns };
	if (rate <= 0)
		return;
	w->pacer.period_ns = (double)NSEC_PER_SEC / rate;
	w->pacer.group = (uint64_t)MAX((double)GROUP_NS / w->pacer.period_ns, 1.0);
}

void worker_pace_end(struct worker *w)
{
	const struct pacer *p = &w->pacer;

	if (p->period_ns > 0 && w->now > p->start_ns)
		w->slot->asked_ops += (uint64_t)((double)(w->now - p->start_ns) / p->period_ns);
	w->pacer.period_ns = 0;
}

static void sleep_until(uint64_t ns)
{
	struct timespec ts = { .tv_sec = (time_t)(ns / NSEC_PER_SEC), .tv_nsec = (long)(ns % NSEC_PER_SEC) };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

bool worker_sleep(struct worker *w, uint64_t until_ns)
{
	until_ns = MIN(until_ns, w->end_ns);
	w->now = now_ns();
	while (w->now < until_ns && !worker_over(w)) {
		sleep_until(MIN(until_ns, w->now + SLEEP_SLICE_NS));
		w->now = now_ns();
	}
	return !worker_over(w);
}

bool worker_next(struct worker *w, uint64_t until_ns)
{
	const struct pacer *p = &w->pacer;
	uint64_t due, group_ns;

	if (worker_over(w) || w->now >= until_ns)
		return false;
	if (p->period_ns <= 0)
		return true;
	due = p->start_ns + (uint64_t)((double)p->done * p->period_ns);
	group_ns = (uint64_t)((double)(p->group - 1) * p->period_ns);
	if (w->now >= due) {
		if (w->now > due + group_ns)
			w->slot->lag_max_ns = MAX(w->slot->lag_max_ns, w->now - due - group_ns);
		return true;
	}
	/* Ahead: the next group goes when its last operation is due, so the rate is never exceeded. */
	due += group_ns;
	return worker_sleep(w, MIN(due, until_ns)) && w->now < until_ns;
}

/* ---- contents ---- */

static uint64_t stamp(const struct worker *w, const struct area *a, uint64_t page, uint32_t version)
{
	uint64_t state = w->cfg->seed ^ (a->first + page) << 24 ^ version;

	return dataset_random(&state);
}

static void expected_page(const struct worker *w, const struct area *a, uint64_t page, void *dst)
{
	uint64_t s = stamp(w, a, page, a->version[page]);

	if (w->cfg->use_dataset)
		dataset_fill(w->cfg->dataset, w->cfg->seed, a->first + page, dst, WORKLOAD_PAGE);
	else
		dataset_fill_pct(w->cfg->fill_pct, w->cfg->seed, a->first + page, dst, WORKLOAD_PAGE);
	memcpy(dst, &s, sizeof(s));
}

void area_fill_page(const struct worker *w, const struct area *a, uint64_t page)
{
	expected_page(w, a, page, a->base + page * WORKLOAD_PAGE);
}

static void book_mismatch(struct worker *w, const struct area *a, uint64_t page, const unsigned char *found,
			  const unsigned char *expected, size_t len)
{
	struct worker_slot *s = w->slot;
	size_t at = 0;

	while (at < len - 1 && found[at] == expected[at])
		at++;
	if (!s->mismatches++)
		s->mismatch = (struct workload_mismatch){
			.address = (uint64_t)(uintptr_t)(a->base + page * WORKLOAD_PAGE + at),
			.expected = expected[at],
			.found = found[at],
			.page = page,
			.worker = w->index,
		};
}

void area_verify(struct worker *w, const struct area *a, uint64_t page)
{
	const unsigned char *p = a->base + page * WORKLOAD_PAGE;

	expected_page(w, a, page, w->scratch);
	w->slot->verified_bytes += WORKLOAD_PAGE;
	if (memcmp(p, w->scratch, WORKLOAD_PAGE))
		book_mismatch(w, a, page, p, w->scratch, WORKLOAD_PAGE);
}

void area_verify_all(struct worker *w, const struct area *a)
{
	for (uint64_t page = 0; a->base && w->cfg->verify && page < a->pages; page++)
		area_verify(w, a, page);
}

/* ---- areas ---- */

int area_wrap(struct worker *w, struct area *a, void *base, uint64_t pages)
{
	if (!a->version) {
		a->version = calloc(pages, sizeof(*a->version));
		if (!a->version)
			return -ENOMEM;
	}
	/* Each worker has blocks of its own, and its second area others than its first. */
	a->first = ((uint64_t)w->index << 32) + (a == &w->other ? UINT64_C(1) << 31 : 0);
	a->base = base;
	a->pages = pages;
	return 0;
}

int area_new(struct worker *w, struct area *a, const char *name, uint64_t pages)
{
	void *base;
	int err = mem_alloc(w->mem, name, pages * WORKLOAD_PAGE, &base);

	if (err)
		return err;
	err = area_wrap(w, a, base, pages);
	if (err) {
		mem_free(w->mem, base, pages * WORKLOAD_PAGE);
		return err;
	}
	for (uint64_t page = 0; page < pages; page++) {
		area_fill_page(w, a, page);
		if (page % 256 == 0 && atomic_load_explicit(w->stop, memory_order_relaxed))
			return -EINTR;
	}
	return 0;
}

void area_touch(struct worker *w, struct area *a, uint64_t page, bool write, bool counted)
{
	volatile uint64_t *word = (volatile uint64_t *)(void *)(a->base + page * WORKLOAD_PAGE);
	uint32_t version = a->version[page];
	uint64_t start = w->now, found = *word, before;

	if (write)
		*word = stamp(w, a, page, ++a->version[page]);
	w->slot->touches++;
	if (counted) {
		w->now = now_ns();
		worker_count(w, start);
	}
	if (!w->cfg->verify)
		return;
	/* The store has hidden what the page had said of the one before it. */
	before = stamp(w, a, page, version);
	if (found != before)
		book_mismatch(w, a, page, (unsigned char *)&found, (unsigned char *)&before, sizeof(found));
	else
		area_verify(w, a, page);
	w->now = now_ns();
}

void area_cool(struct worker *w, const struct area *a)
{
	if (a->base)
		mem_cool(w->mem, a->base, a->pages * WORKLOAD_PAGE);
	w->now = now_ns();
}

void area_free(struct worker *w, struct area *a)
{
	if (a->base)
		mem_free(w->mem, a->base, a->pages * WORKLOAD_PAGE);
	free(a->version);
	*a = (struct area){};
}

int worker_prepare_area(struct worker *w)
{
	int err = area_new(w, &w->area, w->cfg->ops->name, w->share_pages);

	if (!err)
		area_cool(w, &w->area);
	return err;
}

void worker_finish_area(struct worker *w)
{
	area_free(w, &w->area);
	area_free(w, &w->other);
}
