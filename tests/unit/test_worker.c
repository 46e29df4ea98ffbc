/* SPDX-License-Identifier: BSD-2-Clause */
/* Pacing and contents of a worker, without a run around it. No assertion on how long something took. */
#include "workloads/worker.h"

#include "tests/unit/unit.h"

struct bench {
	struct workload_config cfg;
	struct worker_slot *slot;
	struct mem mem;
	_Atomic int stop;
	struct worker w;
};

static struct bench *bench_new(enum mem_kind kind, bool verify)
{
	struct bench *b = calloc(1, sizeof(*b));

	workload_defaults(workload_find("random_touch_heap", NULL), &b->cfg);
	b->cfg.workers = 1;
	b->cfg.verify = verify;
	b->cfg.mem.kind = kind;
	b->slot = calloc(1, sizeof(*b->slot));
	b->w = (struct worker){ .cfg = &b->cfg,
				.slot = b->slot,
				.mem = &b->mem,
				.stop = &b->stop,
				.share_pages = 64,
				.rng = 0, /* any seed is good, 0 too */
				.end_ns = UINT64_MAX,
				.scratch = aligned_alloc(WORKLOAD_PAGE, WORKLOAD_PAGE) };
	ck_assert_int_eq(mem_open(&b->mem, &b->cfg.mem), 0);
	return b;
}

static void bench_free(struct bench *b)
{
	worker_finish_area(&b->w);
	mem_close(&b->mem);
	free(b->w.scratch);
	free(b->slot);
	free(b);
}

static void touch_all(struct bench *b, unsigned rounds)
{
	for (uint64_t i = 0; i < rounds * b->w.area.pages; i++)
		area_touch(&b->w, &b->w.area, worker_random(&b->w, b->w.area.pages), worker_chance(&b->w, 50), true);
}

START_TEST(contents_hold)
{
	for (int kind = 0; kind < MEM_KINDS; kind++) {
		struct bench *b = bench_new((enum mem_kind)kind, true);
		int err = worker_prepare_area(&b->w);

		ck_assert_int_eq(err, 0);
		touch_all(b, 8);
		area_cool(&b->w, &b->w.area);
		touch_all(b, 8);
		area_cool(&b->w, &b->w.area);
		area_verify_all(&b->w, &b->w.area);
		ck_assert_uint_eq(b->slot->mismatches, 0);
		ck_assert_uint_eq(b->slot->ops, 16 * 64);
		ck_assert_uint_eq(b->slot->touches, 16 * 64);
		ck_assert_uint_eq(b->slot->latency.n, 16 * 64);
		ck_assert_uint_eq(b->slot->verified_bytes, 17 * 64 * WORKLOAD_PAGE);
		bench_free(b);
	}
}
END_TEST

START_TEST(random_touches_reach_every_page)
{
	struct bench *b = bench_new(MEM_PLAIN, false);
	bool seen[64] = { false };

	for (int i = 0; i < 64 * 20; i++)
		seen[worker_random(&b->w, 64)] = true;
	for (int i = 0; i < 64; i++)
		ck_assert(seen[i]);
	bench_free(b);
}
END_TEST

START_TEST(a_wrong_byte_is_found)
{
	struct bench *b = bench_new(MEM_PLAIN, true);
	unsigned char *byte;

	ck_assert_int_eq(worker_prepare_area(&b->w), 0);
	byte = b->w.area.base + 7 * WORKLOAD_PAGE + 1234;
	*byte ^= 0x40;
	area_touch(&b->w, &b->w.area, 6, true, true);
	ck_assert_uint_eq(b->slot->mismatches, 0);
	area_touch(&b->w, &b->w.area, 7, false, true);
	ck_assert_uint_eq(b->slot->mismatches, 1);
	ck_assert_uint_eq(b->slot->mismatch.address, (uintptr_t)byte);
	ck_assert_uint_eq(b->slot->mismatch.found, *byte);
	ck_assert_uint_eq(b->slot->mismatch.expected, *byte ^ 0x40);
	ck_assert_uint_eq(b->slot->mismatch.page, 7);
	bench_free(b);
}
END_TEST

/* The store that was lost is the one before the store that hides it. */
START_TEST(a_lost_store_is_found_by_the_next)
{
	struct bench *b = bench_new(MEM_PLAIN, true);
	uint64_t old;

	ck_assert_int_eq(worker_prepare_area(&b->w), 0);
	memcpy(&old, b->w.area.base, sizeof(old));
	area_touch(&b->w, &b->w.area, 0, true, true);
	memcpy(b->w.area.base, &old, sizeof(old));
	area_touch(&b->w, &b->w.area, 0, true, true);
	ck_assert_uint_eq(b->slot->mismatches, 1);
	bench_free(b);
}
END_TEST

START_TEST(contents_depend_on_seed_worker_and_area)
{
	struct bench *a = bench_new(MEM_PLAIN, false), *b = bench_new(MEM_PLAIN, false);

	b->cfg.seed = a->cfg.seed + 1;
	ck_assert_int_eq(worker_prepare_area(&a->w), 0);
	ck_assert_int_eq(worker_prepare_area(&b->w), 0);
	ck_assert_mem_ne(a->w.area.base, b->w.area.base, WORKLOAD_PAGE);
	ck_assert_int_eq(area_new(&a->w, &a->w.other, "other", 1), 0);
	ck_assert_mem_ne(a->w.area.base, a->w.other.base, WORKLOAD_PAGE);
	area_free(&b->w, &b->w.area);
	b->cfg.seed = a->cfg.seed;
	b->w.index = 1;
	ck_assert_int_eq(worker_prepare_area(&b->w), 0);
	ck_assert_mem_ne(a->w.area.base, b->w.area.base, WORKLOAD_PAGE);
	bench_free(a);
	bench_free(b);
}
END_TEST

/* Never more than the schedule, and all of it when the machine gives the time. */
START_TEST(a_schedule_is_kept)
{
	struct bench *b = bench_new(MEM_PLAIN, false);
	uint64_t start;

	b->cfg.rate = 50000;
	start = b->w.now = now_ns();
	b->w.end_ns = start + 100 * NSEC_PER_MSEC;
	worker_pace(&b->w, start);
	while (worker_next(&b->w, UINT64_MAX)) {
		uint64_t begun = b->w.now;

		ck_assert_uint_le(b->slot->ops, (begun - start) / 20000 + 1);
		b->w.now = now_ns();
		worker_count(&b->w, begun);
	}
	worker_pace_end(&b->w);
	ck_assert_uint_le(b->slot->ops, 5000);
	ck_assert_uint_ge(b->slot->asked_ops, 5000);
	bench_free(b);
}
END_TEST

START_TEST(a_stop_ends_a_long_sleep)
{
	struct bench *b = bench_new(MEM_PLAIN, false);

	b->stop = 1;
	ck_assert(!worker_sleep(&b->w, now_ns() + 3600 * NSEC_PER_SEC));
	ck_assert(!worker_next(&b->w, UINT64_MAX));
	bench_free(b);
}
END_TEST

UNIT_MAIN("worker", contents_hold, random_touches_reach_every_page, a_wrong_byte_is_found,
	  a_lost_store_is_found_by_the_next, contents_depend_on_seed_worker_and_area, a_schedule_is_kept,
	  a_stop_ends_a_long_sleep)
