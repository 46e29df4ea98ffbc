/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs in the source's root: tests/sysroot has the captured trees. */
#include "lib/reclaim.h"

#include "lib/file.h"
#include "tests/unit/unit.h"

START_TEST(vmstat)
{
	struct reclaim_vmstat v;

	file_set_sysroot("tests/sysroot/linux-6.18");
	ck_assert_int_eq(reclaim_vmstat_read(&v), 0);
	ck_assert_uint_eq(v.pswpin, 4242);
	ck_assert_uint_eq(v.pswpout, 123456);
}
END_TEST

START_TEST(vmstat_without_swap)
{
	struct reclaim_vmstat v;

	file_set_sysroot("tests/sysroot/no-swap-no-psi");
	ck_assert_int_eq(reclaim_vmstat_read(&v), 0);
	ck_assert_uint_eq(v.pswpin, 0);
	ck_assert_uint_eq(v.pswpout, 0);
}
END_TEST

START_TEST(pressure)
{
	struct reclaim_psi psi = { 7, 7 };

	file_set_sysroot("tests/sysroot/no-swap-no-psi");
	ck_assert_int_eq(reclaim_psi_read(&psi), -ENOENT);
	ck_assert_uint_eq(psi.some_us, 7);
	file_set_sysroot("tests/sysroot/linux-6.18");
	ck_assert_int_eq(reclaim_psi_read(&psi), 0);
	ck_assert_uint_eq(psi.some_us, 125394);
	ck_assert_uint_eq(psi.full_us, 64271);
}
END_TEST

static const struct reclaim_swapped *find(const struct reclaim_swapped *list, size_t n, uint32_t pid)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].pid == pid)
			return &list[i];
	return NULL;
}

START_TEST(swapped)
{
	_cleanup_free_ struct reclaim_swapped *list = NULL;
	const struct reclaim_swapped *one;
	size_t n;

	file_set_sysroot("tests/sysroot/linux-6.18");
	ck_assert_int_eq(reclaim_swapped_read(&list, &n), 0);
	ck_assert_uint_eq(n, 2);
	one = find(list, n, 2104);
	ck_assert_ptr_nonnull(one);
	ck_assert_uint_eq(one->swap_bytes, 51200 * KiB);
	ck_assert_str_eq(one->comm, "firefox");
	one = find(list, n, 2105);
	ck_assert_ptr_nonnull(one);
	ck_assert_str_eq(one->comm, "Web Content (1)");
}
END_TEST

START_TEST(none_swapped)
{
	_cleanup_free_ struct reclaim_swapped *list = NULL;
	size_t n = 7;

	file_set_sysroot("tests/sysroot/no-swap-no-psi");
	ck_assert_int_eq(reclaim_swapped_read(&list, &n), 0);
	ck_assert_uint_eq(n, 0);
	file_set_sysroot("tests/sysroot/nonexistent");
	ck_assert_int_eq(reclaim_swapped_read(&list, &n), -ENOENT);
}
END_TEST

UNIT_MAIN("reclaim", vmstat, vmstat_without_swap, pressure, swapped, none_swapped)
