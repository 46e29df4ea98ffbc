/* SPDX-License-Identifier: BSD-2-Clause */
#include <check.h>
#include <math.h>
#include <string.h>

#include "lib/rank.h"
#include "tests/unit/unit.h"

/* 1 000 pages of real memory, as measured: ratio, ns to compress, ns to restore. */
static struct rank_entry entry(const char *label, enum rank_family family, int level, double ratio,
			       double compress_ns, double decompress_ns)
{
	struct rank_entry e = {.family = family,
			       .level = level,
			       .input_bytes = 4096e3,
			       .saved_bytes = 4096e3 - 4096e3 / ratio,
			       .compress_cpu_ms = compress_ns / 1e3,
			       .decompress_cpu_ms = decompress_ns / 1e3,
			       .valid = true};

	snprintf(e.label, sizeof(e.label), "%s", label);
	return e;
}

#define REAL 6
static void real_memory(struct rank_entry e[REAL])
{
	e[0] = entry("zstd:3", RANK_ZSTD, 3, 4.145, 15600, 4600);
	e[1] = entry("lz4:1", RANK_LZ4_FAST, 1, 2.713, 4830, 1180);
	e[2] = entry("lz4hc:9", RANK_LZ4_HC, 9, 3.121, 48600, 935);
	e[3] = entry("zstd:-1", RANK_ZSTD, -1, 3.632, 9200, 3235);
	e[4] = entry("lz4:4", RANK_LZ4_FAST, 4, 2.504, 4430, 1155);
	e[5] = entry("zstd:1", RANK_ZSTD, 1, 4.070, 13300, 4900);
}

static struct rank_verdict decide(struct rank_entry *e, size_t n, const char *profile)
{
	const struct rank_profile *p = rank_profile_find(profile);

	rank_run(e, n, p->readback_factor, RANK_MIN_SAVINGS);
	return rank_decide(e, n, p);
}

START_TEST(test_formula)
{
	struct rank_entry e = entry("lz4:1", RANK_LZ4_FAST, 1, 2, 4000, 1000);

	rank_run(&e, 1, 0.5, 5);
	ck_assert_double_eq_tol(e.cost_ms, 4.5, 1e-9);
	ck_assert_double_eq_tol(e.score, 2048e3 / 4.5, 1e-6);
	ck_assert_double_eq_tol(e.savings_pct, 50, 1e-9);
	ck_assert(e.eligible && e.front);
}
END_TEST

START_TEST(test_eligibility)
{
	struct rank_entry e[4] = {
		entry("least", RANK_LZ4_FAST, 1, 1 / 0.951, 1, 1), /* saves 4.9 % at no cost */
		entry("wrong", RANK_LZ4_FAST, 2, 4, 1, 1),
		entry("slow", RANK_ZSTD, 19, 2, 1e6, 1e6),
		entry("grows", RANK_LZ4_FAST, 3, 0.9, 1, 1),
	};

	e[1].valid = false;
	rank_run(e, 4, 1, 5);
	ck_assert_str_eq(e[0].label, "slow");
	ck_assert(e[0].eligible && e[0].front);
	for (int i = 1; i < 4; i++)
		ck_assert(!e[i].eligible && !e[i].front);
	rank_run(e, 4, 1, 4.9);
	ck_assert_str_eq(e[0].label, "least");
}
END_TEST

START_TEST(test_order_follows_factor)
{
	struct rank_entry e[2] = {
		entry("cheap to write", RANK_LZ4_FAST, 1, 2, 1000, 3000),
		entry("cheap to read", RANK_LZ4_HC, 9, 2, 3000, 1000),
	};

	rank_run(e, 2, 0.1, 5);
	ck_assert_str_eq(e[0].label, "cheap to write");
	rank_run(e, 2, 10, 5);
	ck_assert_str_eq(e[0].label, "cheap to read");
}
END_TEST

START_TEST(test_front)
{
	const double cost[] = {1, 2, 3, 2, 4}, gain[] = {1, 3, 2, 3, 4};
	bool front[5];

	rank_front(cost, gain, 5, front);
	/* Equal points do not push each other out. */
	ck_assert(front[0] && front[1] && !front[2] && front[3] && front[4]);
	rank_front(cost, gain, 0, front);
}
END_TEST

START_TEST(test_verdicts_on_real_memory)
{
	struct rank_entry e[REAL];
	struct rank_verdict v;
	char text[512];

	real_memory(e);
	v = decide(e, REAL, "hot");
	ck_assert_str_eq(v.choice->label, "lz4:1");
	ck_assert_int_eq(v.reason, RANK_BASELINE);
	v = decide(e, REAL, "warm");
	ck_assert_str_eq(v.choice->label, "lz4:1");
	v = decide(e, REAL, "cool");
	ck_assert_str_eq(v.choice->label, "zstd:-1");
	ck_assert_str_eq(v.baseline->label, "lz4:1");
	v = decide(e, REAL, "cold");
	ck_assert_str_eq(v.choice->label, "zstd:1");
	ck_assert_int_eq(v.reason, RANK_WORTH_MORE);
	rank_explain(&v, rank_profile_find("cold"), text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, "use zstd:1: it stores 33% less than lz4:1"));
}
END_TEST

START_TEST(test_policy_without_lz4)
{
	struct rank_entry e[2] = {
		entry("lz4:1", RANK_LZ4_FAST, 1, 1.02, 4000, 500),
		entry("zstd:3", RANK_ZSTD, 3, 1.5, 15000, 5000),
	};
	struct rank_verdict v = decide(e, 2, "hot");

	ck_assert_int_eq(v.reason, RANK_DENSE_BUT_HOT);
	ck_assert_ptr_null(v.choice);
	v = decide(e, 2, "cold");
	ck_assert_int_eq(v.reason, RANK_ONLY_DENSE);
	ck_assert_str_eq(v.choice->label, "zstd:3");
	ck_assert_ptr_null(v.baseline);
}
END_TEST

START_TEST(test_nothing_saves)
{
	struct rank_entry e = entry("lz4:1", RANK_LZ4_FAST, 1, 1, 1000, 100);
	struct rank_verdict v = decide(&e, 1, "cold");
	char text[512];

	ck_assert_int_eq(v.reason, RANK_NOTHING_SAVES);
	ck_assert_ptr_null(v.choice);
	ck_assert_ptr_nonnull(strstr(
		rank_explain(&v, rank_profile_find("cold"), text, sizeof(text)), "uncompressed"));
	v = rank_decide(NULL, 0, rank_profile_find("hot"));
	ck_assert_int_eq(v.reason, RANK_NOTHING_SAVES);
}
END_TEST

/* Costs of nothing, as rows made by hand may have: no division by zero, no eternal winner. */
START_TEST(test_no_cost)
{
	struct rank_entry e = entry("lz4:1", RANK_LZ4_FAST, 1, 2, 0, 0);

	rank_run(&e, 1, 1, 5);
	ck_assert(isfinite(e.score) && !e.eligible);
	e = (struct rank_entry){.valid = true};
	rank_run(&e, 1, 1, 5);
	ck_assert(isfinite(e.score) && isfinite(e.savings_pct));
}
END_TEST

START_TEST(test_custom_profile)
{
	/* On neither side of 1 may a factor get the other side's policy. */
	ck_assert_double_gt(rank_profile_custom(0.99).budget, 1);
	ck_assert_double_eq(rank_profile_custom(1).budget, 1);
	ck_assert_double_eq(rank_profile_custom(100).budget, 1);
	ck_assert_double_eq(rank_profile_custom(0).budget, rank_profile_find("cold")->budget);
	ck_assert_double_eq(rank_profile_custom(0.3).readback_factor, 0.3);
	ck_assert_ptr_null(rank_profile_find("boiling"));
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("rank");

	tcase_add_test(t, test_formula);
	tcase_add_test(t, test_eligibility);
	tcase_add_test(t, test_order_follows_factor);
	tcase_add_test(t, test_front);
	tcase_add_test(t, test_verdicts_on_real_memory);
	tcase_add_test(t, test_policy_without_lz4);
	tcase_add_test(t, test_nothing_saves);
	tcase_add_test(t, test_no_cost);
	tcase_add_test(t, test_custom_profile);
	return unit_run(t, "rank");
}
