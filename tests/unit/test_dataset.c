/* SPDX-License-Identifier: BSD-2-Clause */
#include <check.h>
#include <string.h>

#include "lib/codec.h"
#include "lib/dataset.h"
#include "tests/unit/unit.h"

#define LEN (64 * KiB)

static uint64_t checksum(const unsigned char *p, size_t len)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * UINT64_C(1099511628211);
	return h;
}

/* What another machine or a later version must make of seed 1, byte for byte. */
START_TEST(test_never_changes)
{
	static const uint64_t want[DATASET_COUNT] = {
		0x623ced9172f19b85, 0xada1bf4db1b0d5f7, 0xd120b2497a82205e,
		0x49dd57d7dd7d6c18, 0xb9f65161ecd1bb15,
	};
	unsigned char *p = malloc(LEN);

	dataset_fill((enum dataset_kind)_i, 1, 0, p, LEN);
	ck_assert_msg(checksum(p, LEN) == want[_i], "%s: 0x%llx",
		      dataset_info((enum dataset_kind)_i)->name,
		      (unsigned long long)checksum(p, LEN));
	free(p);
}
END_TEST

/* Any part, in any order, is that part of the whole. */
START_TEST(test_parts)
{
	unsigned char *whole = malloc(LEN), part[3 * DATASET_BLOCK];
	enum dataset_kind kind = (enum dataset_kind)_i;

	dataset_fill(kind, 7, 0, whole, LEN);
	dataset_fill(kind, 7, 5, part, 2 * DATASET_BLOCK + 100);
	ck_assert_mem_eq(part, whole + 5 * DATASET_BLOCK, 2 * DATASET_BLOCK + 100);
	dataset_fill(kind, 8, 5, part, DATASET_BLOCK);
	ck_assert_int_ne(memcmp(part, whole + 5 * DATASET_BLOCK, DATASET_BLOCK), 0);
	free(whole);
}
END_TEST

static size_t lz4_size(const unsigned char *block)
{
	const struct codec_spec spec = {CODEC_LZ4, 1};
	unsigned char dst[2 * DATASET_BLOCK];
	struct codec *c;
	size_t n;

	ck_assert_int_eq(codec_new(&spec, NULL, &c), 0);
	ck_assert_int_eq(codec_compress(c, dst, sizeof(dst), block, DATASET_BLOCK, &n), 0);
	codec_free(c);
	return n;
}

START_TEST(test_mixed_is_half)
{
	unsigned char *p = malloc(MiB);
	size_t dense = 0, n = MiB / DATASET_BLOCK;

	dataset_fill(DATASET_MIXED, 1, 0, p, MiB);
	for (size_t i = 0; i < n; i++)
		dense += lz4_size(p + i * DATASET_BLOCK) > DATASET_BLOCK * 95 / 100;
	ck_assert_uint_eq(dense, n / 2);
	free(p);
}
END_TEST

START_TEST(test_pct)
{
	unsigned char p[4 * DATASET_BLOCK];

	for (unsigned pct = 0; pct <= 110; pct += 10) {
		size_t random = DATASET_BLOCK * (100 - MIN(pct, 100u)) / 100, n;

		dataset_fill_pct(pct, 1, 10, p, sizeof(p));
		for (size_t i = 0; i < 4; i++) {
			n = lz4_size(p + i * DATASET_BLOCK);
			ck_assert_uint_ge(n, MIN(random, (size_t)80));
			ck_assert_uint_le(n, random + 100);
		}
	}
}
END_TEST

/* A set that is to be compressed must not fall to the free class. */
START_TEST(test_not_same_filled)
{
	unsigned char *p = malloc(LEN);
	uint64_t word;

	dataset_fill((enum dataset_kind)_i, 1, 0, p, LEN);
	for (size_t at = 0; at < LEN; at += DATASET_BLOCK)
		ck_assert(!codec_same_filled(p + at, DATASET_BLOCK, &word));
	free(p);
}
END_TEST

START_TEST(test_names)
{
	enum dataset_kind kind;

	for (int i = 0; i < DATASET_COUNT; i++) {
		ck_assert_int_eq(dataset_find(dataset_info((enum dataset_kind)i)->name, &kind), 0);
		ck_assert_int_eq(kind, i);
	}
	ck_assert_int_eq(dataset_find("mixed", &kind), -ENOENT);
	ck_assert_int_eq(dataset_find("", &kind), -ENOENT);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("dataset");

	tcase_add_loop_test(t, test_never_changes, 0, DATASET_COUNT);
	tcase_add_loop_test(t, test_parts, 0, DATASET_COUNT);
	tcase_add_test(t, test_mixed_is_half);
	tcase_add_test(t, test_pct);
	tcase_add_loop_test(t, test_not_same_filled, 0, DATASET_COUNT);
	tcase_add_test(t, test_names);
	return unit_run(t, "dataset");
}
