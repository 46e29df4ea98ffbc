/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/latency.h"

#include "tests/unit/unit.h"

START_TEST(buckets_are_in_order)
{
	size_t last = 0;

	for (uint64_t ns = 0; ns < 1 << 20; ns++) {
		size_t b = latency_bucket(ns);

		ck_assert(b == last || b == last + 1);
		last = b;
	}
	ck_assert_uint_lt(latency_bucket((UINT64_C(1) << 38) - 1), LATENCY_BUCKETS);
	ck_assert_uint_eq(latency_bucket(UINT64_MAX), LATENCY_BUCKETS - 1);
}
END_TEST

START_TEST(quantiles_within_a_bucket)
{
	struct latency *l = calloc(1, sizeof(*l));

	for (uint64_t ns = 1; ns <= 100000; ns++)
		latency_add(l, ns);
	for (int pct = 1; pct < 100; pct++) {
		double want = 1000.0 * pct, got = (double)latency_quantile(l, pct / 100.0);

		ck_assert_double_eq_tol(got, want, want * 0.032 + 1);
	}
	ck_assert_uint_eq(latency_quantile(l, 1), 100000);
	ck_assert_uint_eq(l->n, 100000);
	ck_assert_uint_eq(l->sum_ns, UINT64_C(100000) * 100001 / 2);
	free(l);
}
END_TEST

START_TEST(none_and_one)
{
	struct latency *l = calloc(1, sizeof(*l));

	ck_assert_uint_eq(latency_quantile(l, 0.5), 0);
	latency_add(l, 12345);
	ck_assert_uint_eq(latency_quantile(l, 0), 12345);
	ck_assert_uint_eq(latency_quantile(l, 0.999), 12345);
	free(l);
}
END_TEST

START_TEST(merged_is_as_if_added)
{
	struct latency *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b)), *all = calloc(1, sizeof(*all));

	for (uint64_t i = 0; i < 10000; i++) {
		uint64_t ns = i * i * i % 1000003;

		latency_add(i % 3 ? a : b, ns);
		latency_add(all, ns);
	}
	latency_merge(a, b);
	ck_assert_mem_eq(a, all, sizeof(*a));
	free(a);
	free(b);
	free(all);
}
END_TEST

UNIT_MAIN("latency", buckets_are_in_order, quantiles_within_a_bucket, none_and_one, merged_is_as_if_added)
