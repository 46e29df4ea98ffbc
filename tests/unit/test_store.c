/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log of segments by itself: random appends, frees, cleaning and eviction against a plain table,
 * how densely it packs, and what happens when memory runs out.
 */
#include <string.h>

#include "arena/mem.h"
#include "arena/store.h"
#include "lib/dataset.h"
#include "lib/parse.h"
#include "tests/unit/unit.h"

#define OWNERS 40000

struct owner {
	uint64_t loc;
	uint32_t len; /* 0: none */
	bool busy;    /* refuses to be moved or evicted */
};

struct table {
	struct store store;
	struct owner o[OWNERS];
	uint64_t payload;
	uint64_t random;
	uint8_t buf[8192];
};

static bool on_live(void *ctx, uint64_t owner, uint64_t loc)
{
	const struct table *t = ctx;

	return owner < OWNERS && t->o[owner].len && t->o[owner].loc == loc;
}

static bool on_relocate(void *ctx, uint64_t owner, uint64_t from, uint64_t to)
{
	struct table *t = ctx;

	if (t->o[owner].busy || t->o[owner].loc != from)
		return false;
	t->o[owner].loc = to;
	return true;
}

static void drop(struct table *t, struct owner *o)
{
	store_free(&t->store, o->loc);
	t->payload -= o->len;
	o->len = 0;
}

static bool on_evict(void *ctx, uint64_t owner, uint64_t loc)
{
	struct table *t = ctx;

	if (t->o[owner].busy || t->o[owner].loc != loc)
		return false;
	drop(t, &t->o[owner]);
	return true;
}

static const struct store_ops ops = {.live = on_live, .relocate = on_relocate, .evict = on_evict};

static uint8_t byte_of(uint64_t owner, uint32_t len)
{
	return (uint8_t)(owner * 31 + len);
}

static struct table *table_new(uint64_t capacity, bool checksum)
{
	struct table *t = calloc(1, sizeof(*t));
	const char *seed = getenv("MEMSCOPE_SEED");

	ck_assert_ptr_nonnull(t);
	t->random = now_ns();
	ck_assert(!seed || !parse_u64(seed, 0, UINT64_MAX, &t->random));
	printf("  seed %llu\n", (unsigned long long)t->random);
	fflush(stdout);
	ck_assert_int_eq(store_init(&t->store, capacity, checksum), 0);
	return t;
}

static void table_free(struct table *t)
{
	store_release(&t->store);
	free(t);
}

static int put(struct table *t, uint64_t owner, uint32_t len)
{
	struct store_head *h = store_head_get(&t->store);
	uint64_t loc;
	int err;

	memset(t->buf, byte_of(owner, len), len);
	err = store_append(&t->store, h, owner, t->buf, len, &loc);
	store_head_put(h);
	if (err)
		return err;
	t->o[owner].loc = loc;
	t->o[owner].len = len;
	t->payload += len;
	return 0;
}

static void verify(struct table *t)
{
	for (uint64_t i = 0; i < OWNERS; i++) {
		struct owner *o = &t->o[i];
		struct store_object obj;
		uint32_t wrong = 0;

		if (!o->len)
			continue;
		obj = store_get(&t->store, o->loc, true);
		ck_assert(obj.intact && obj.owner == i && obj.len == o->len);
		for (uint32_t j = 0; j < obj.len; j++)
			wrong += obj.data[j] != byte_of(i, obj.len);
		ck_assert_uint_eq(wrong, 0);
	}
	ck_assert_int_eq(store_check(&t->store, &ops, t), 0);
}

static void churn(struct table *t, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint64_t v = dataset_random(&t->random), owner = v % OWNERS;
		struct owner *o = &t->o[owner];
		int err;

		switch (v >> 32 & 15) {
		case 0:
			if ((v >> 40 & 31) == 0)
				store_clean(&t->store, &ops, t);
			break;
		case 1:
			if ((v >> 40 & 127) == 0)
				store_evict_oldest(&t->store, &ops, t);
			break;
		case 2:
			o->busy = v >> 40 & 1;
			break;
		case 3:
			if ((v >> 40 & 127) == 0)
				store_trim(&t->store, 0);
			break;
		default:
			if (o->len) {
				drop(t, o);
			} else {
				err = put(t, owner,
					  1 + (uint32_t)(v >> 40) %
						      MIN(4000, (uint32_t)store_max_len(
									&t->store)));
				ck_assert(!err || err == -ENOSPC);
			}
		}
		if (i % 4096 == 0)
			ck_assert_int_eq(store_check(&t->store, &ops, t), 0);
	}
}

START_TEST(random_operations)
{
	static const struct {
		uint64_t capacity;
		bool checksum;
	} setups[] = {{0, false}, {0, true}, {4096, false}, {64 << 10, true}, {8 << 20, false}};
	struct table *t = table_new(setups[_i].capacity, setups[_i].checksum);
	struct store_totals all;

	churn(t, 60000);
	verify(t);
	for (size_t i = 0; i < OWNERS; i++)
		if (t->o[i].len)
			drop(t, &t->o[i]);
	verify(t);
	store_trim(&t->store, 0);
	all = store_totals(&t->store);
	/* Open segments are all that is left. */
	ck_assert_uint_le(all.resident_bytes, 2 << 20);
	if (setups[_i].capacity)
		ck_assert_uint_le((uint64_t)t->store.n_segs << t->store.seg_shift,
				  setups[_i].capacity);
	table_free(t);
}
END_TEST

/* Sizes as LZ4 makes them of real pages: mean 1510, up to 2461 for 95 of 100. */
static uint32_t like_lz4(uint64_t *random)
{
	uint64_t v = dataset_random(random);

	return 100 + (uint32_t)((v & 1023) + (v >> 10 & 1023) + (v >> 20 & 1023)) * 94 / 100;
}

static void clean_to(struct table *t, unsigned permille)
{
	while (store_wants_cleaning(&t->store, permille))
		if (store_clean(&t->store, &ops, t))
			break;
}

static double density(struct table *t)
{
	return (double)store_totals(&t->store).resident_bytes / (double)t->payload;
}

START_TEST(dense)
{
	struct table *t = table_new(0, false);

	for (uint64_t i = 0; i < OWNERS; i++)
		ck_assert_int_eq(put(t, i, like_lz4(&t->random)), 0);
	printf("  filled %.4f\n", density(t));
	ck_assert(density(t) <= 1.02);
	/* As compressing does it: some cleaning with each batch. */
	for (uint64_t i = 0; i < 5 * OWNERS; i++) {
		uint64_t owner = dataset_random(&t->random) % OWNERS;

		drop(t, &t->o[owner]);
		ck_assert_int_eq(put(t, owner, like_lz4(&t->random)), 0);
		if (i % 64 == 0)
			clean_to(t, 50);
	}
	store_trim(&t->store, 0);
	printf("  after 5 times its size in random replacements %.4f, %.2f bytes moved per byte\n",
	       density(t),
	       (double)store_totals(&t->store).moved_bytes / (OWNERS * 5.0 * 1510));
	fflush(stdout);
	ck_assert(density(t) <= 1.10);
	verify(t);
	for (uint64_t i = 0; i < OWNERS; i++)
		if (dataset_random(&t->random) & 1)
			drop(t, &t->o[i]);
	clean_to(t, 50);
	store_trim(&t->store, 0);
	printf("  after freeing a random half %.4f\n", density(t));
	fflush(stdout);
	ck_assert(density(t) <= 1.15);
	verify(t);
	table_free(t);
}
END_TEST

START_TEST(corruption_is_seen)
{
	struct table *t = table_new(0, true);
	struct store_object obj;

	ck_assert_int_eq(put(t, 7, 1000), 0);
	obj = store_get(&t->store, t->o[7].loc, true);
	ck_assert(obj.intact);
	((uint8_t *)(uintptr_t)obj.data)[500] ^= 4;
	ck_assert(!store_get(&t->store, t->o[7].loc, true).intact);
	ck_assert(store_get(&t->store, t->o[7].loc, false).intact);
	/* Cleaning must not make a new, right sum for wrong bytes. */
	for (uint64_t i = 100; i < 3000; i++)
		ck_assert_int_eq(put(t, i, 1500), 0);
	for (uint64_t i = 100; i < 3000; i++)
		drop(t, &t->o[i]);
	ck_assert_int_eq(store_clean(&t->store, &ops, t), 0);
	ck_assert(!store_get(&t->store, t->o[7].loc, true).intact);
	table_free(t);
}
END_TEST

START_TEST(no_memory)
{
	struct store s;
	struct table *t = table_new(0, false);

	for (int i = 0; i < 1; i++) {
		mem_fail_nth(i);
		ck_assert_int_eq(store_init(&s, 0, false), -ENOMEM);
	}
	for (int i = 0; i < 2; i++) {
		mem_fail_nth(i);
		ck_assert_int_eq(put(t, 1, 100), -ENOMEM);
	}
	mem_fail_nth(-1);
	ck_assert_int_eq(put(t, 1, 100), 0);
	ck_assert_int_eq(store_init(&s, 4095, false), -EINVAL);
	verify(t);
	table_free(t);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("store");

	tcase_add_loop_test(tc, random_operations, 0, 5);
	tcase_add_test(tc, dense);
	tcase_add_test(tc, corruption_is_seen);
	tcase_add_test(tc, no_memory);
	tcase_set_timeout(tc, 0);
	return unit_run(tc, "store");
}
