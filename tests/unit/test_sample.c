/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/sample.h"

#include <math.h>

#include "tests/unit/unit.h"

START_TEST(medians)
{
	const double odd[] = { 5, 1, 3 }, even[] = { 4, 1, 3, 2 };

	ck_assert_double_eq(sample_median(odd, 3), 3);
	ck_assert_double_eq(sample_median(even, 4), 2.5);
	ck_assert_double_eq(odd[0], 5); /* not sorted in place */
	ck_assert(isnan(sample_median(odd, 0)));
}
END_TEST

START_TEST(ratio_with_interval)
{
	const double base[] = { 100, 101, 99, 102, 98, 100, 101 }, with[] = { 80, 82, 79, 81, 78, 80, 81 };
	struct sample_ratio r = sample_compare(base, with, 7), again = sample_compare(base, with, 7);

	ck_assert_double_eq(r.base, 100);
	ck_assert_double_eq(r.with, 80);
	ck_assert_double_eq(r.ratio, 0.8);
	ck_assert(r.low <= r.ratio && r.ratio <= r.high);
	ck_assert(r.low > 0.7 && r.high < 0.9);
	ck_assert_mem_eq(&r, &again, sizeof(r));
}
END_TEST

START_TEST(no_difference_holds_one)
{
	const double base[] = { 100, 120, 90, 110, 95, 130 }, with[] = { 105, 100, 110, 95, 125, 90 };
	struct sample_ratio r = sample_compare(base, with, 6);

	ck_assert(r.low <= 1 && r.high >= 1);
}
END_TEST

START_TEST(too_few_or_zero)
{
	const double base[] = { 0, 0, 0 }, with[] = { 1, 2, 3 };
	struct sample_ratio r = sample_compare(base, with, 3);

	ck_assert(isnan(r.ratio) && isnan(r.low) && isnan(r.high));
	r = sample_compare(with, with, 2);
	ck_assert_double_eq(r.ratio, 1);
	ck_assert(isnan(r.low));
	r = sample_compare(with, with, 0);
	ck_assert(isnan(r.base) && isnan(r.ratio));
}
END_TEST

UNIT_MAIN("sample", medians, ratio_with_interval, no_difference_holds_one, too_few_or_zero)
