/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/parse.h"

#include "tests/unit/unit.h"

START_TEST(u64_takes_whole_numbers)
{
	uint64_t v = 7;

	ck_assert_int_eq(parse_u64("0", 0, UINT64_MAX, &v), 0);
	ck_assert_uint_eq(v, 0);
	ck_assert_int_eq(parse_u64("18446744073709551615", 0, UINT64_MAX, &v), 0);
	ck_assert_uint_eq(v, UINT64_MAX);
	ck_assert_int_eq(parse_u64("007", 0, 10, &v), 0);
	ck_assert_uint_eq(v, 7);
}
END_TEST

START_TEST(u64_refuses_the_rest_and_leaves_the_result)
{
	static const char *const bad[] = { "", " ", "5x", " 5", "5 ", "+5", "0x5", "abc", "a", "-", "5.0", "1e3", "\xff" };
	static const char *const range[] = { "-1", "-0", "18446744073709551616", "99999999999999999999999999" };
	uint64_t v = 7;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(parse_u64(bad[i], 0, UINT64_MAX, &v) == -EINVAL, "'%s'", bad[i]);
	for (size_t i = 0; i < ARRAY_SIZE(range); i++)
		ck_assert_msg(parse_u64(range[i], 0, UINT64_MAX, &v) == -ERANGE, "'%s'", range[i]);
	ck_assert_int_eq(parse_u64("4", 5, 6, &v), -ERANGE);
	ck_assert_int_eq(parse_u64("7", 5, 6, &v), -ERANGE);
	ck_assert_uint_eq(v, 7);
}
END_TEST

START_TEST(i64)
{
	int64_t v = 7;

	ck_assert_int_eq(parse_i64("-9223372036854775808", INT64_MIN, INT64_MAX, &v), 0);
	ck_assert_int_eq(v, INT64_MIN);
	ck_assert_int_eq(parse_i64("+3", INT64_MIN, INT64_MAX, &v), 0);
	ck_assert_int_eq(v, 3);
	ck_assert_int_eq(parse_i64("9223372036854775808", INT64_MIN, INT64_MAX, &v), -ERANGE);
	ck_assert_int_eq(parse_i64("-2", -1, 1, &v), -ERANGE);
	ck_assert_int_eq(parse_i64("--2", INT64_MIN, INT64_MAX, &v), -EINVAL);
	ck_assert_int_eq(parse_i64("-", INT64_MIN, INT64_MAX, &v), -EINVAL);
	ck_assert_int_eq(parse_i64("2k", INT64_MIN, INT64_MAX, &v), -EINVAL);
	ck_assert_int_eq(v, 3);
}
END_TEST

START_TEST(hex)
{
	static const char *const bad[] = { "", "0x", "0x0x5", "g", " 1", "1 ", "0x1g", "+1" };
	uint64_t v = 7;

	ck_assert_int_eq(parse_hex("0x7f2ea77f4b90", &v), 0);
	ck_assert_uint_eq(v, 0x7f2ea77f4b90);
	ck_assert_int_eq(parse_hex("DEADbeef", &v), 0);
	ck_assert_uint_eq(v, 0xdeadbeef);
	ck_assert_int_eq(parse_hex("0", &v), 0);
	ck_assert_int_eq(parse_hex("0Xffffffffffffffff", &v), 0);
	ck_assert_uint_eq(v, UINT64_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(parse_hex(bad[i], &v) == -EINVAL, "'%s'", bad[i]);
	ck_assert_int_eq(parse_hex("10000000000000000", &v), -ERANGE);
	ck_assert_uint_eq(v, UINT64_MAX);
}
END_TEST

START_TEST(double_is_finite_and_decimal)
{
	static const char *const bad[] = { "", "nan", "inf", "-inf", "0x1p3", "1.5x", " 1", ".", "1..2", "e5" };
	double v = 7;

	ck_assert_int_eq(parse_double("1.5", 0, 2, &v), 0);
	ck_assert_double_eq(v, 1.5);
	ck_assert_int_eq(parse_double("-.5", -1, 2, &v), 0);
	ck_assert_double_eq(v, -.5);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(parse_double(bad[i], -1e300, 1e300, &v) == -EINVAL, "'%s'", bad[i]);
	ck_assert_int_eq(parse_double("3", 0, 2, &v), -ERANGE);
	ck_assert_int_eq(parse_double("1e999", 0, 2, &v), -ERANGE);
	ck_assert_double_eq(v, -.5);
}
END_TEST

START_TEST(size)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ "0", 0 },	    { "512", 512 },   { "4K", 4096 },	       { "4k", 4096 },
		{ "4KiB", 4096 },   { "4kb", 4096 },  { "1.5G", 1610612736 },  { ".5M", 524288 },
		{ "2T", 2199023255552 }, { "16777215T", 16777215 * (1024 * GiB) }, { "7b", 7 },
		{ "17179869183.5G", UINT64_C(17179869183) * GiB + GiB / 2 },
	};
	static const char *const bad[] = { "", "K", "5x", "5 K", " 5K", "5KK", "0x5K", "1.2.3K", "1e3", "1e3K", "1.5e3", "5Ki" };
	static const char *const range[] = { "-1K", "16777216T", "17179869184.5G", "99999999999999999999999999" };
	uint64_t v = 7;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		ck_assert_msg(parse_size(good[i].text, 0, UINT64_MAX, &v) == 0, "'%s'", good[i].text);
		/* A fraction is a double: exact to 53 bits. */
		ck_assert_msg(v == good[i].bytes || (strchr(good[i].text, '.') && v / 2048 == good[i].bytes / 2048),
			      "'%s' is %llu", good[i].text, (unsigned long long)v);
	}
	v = 7;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(parse_size(bad[i], 0, UINT64_MAX, &v) == -EINVAL, "'%s'", bad[i]);
	for (size_t i = 0; i < ARRAY_SIZE(range); i++)
		ck_assert_msg(parse_size(range[i], 0, UINT64_MAX, &v) == -ERANGE, "'%s'", range[i]);
	ck_assert_int_eq(parse_size("3K", 4096, 8192, &v), -ERANGE);
	ck_assert_uint_eq(v, 7);
}
END_TEST

START_TEST(duration)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {
		{ "10", 10 * NSEC_PER_SEC }, { "500ms", 500 * NSEC_PER_MSEC }, { "1.5s", 1500 * NSEC_PER_MSEC },
		{ "250us", 250000 },	     { "7ns", 7 },		       { "2m", 120 * NSEC_PER_SEC },
		{ "1h", 3600 * NSEC_PER_SEC }, { "2min", 120 * NSEC_PER_SEC },
	};
	static const char *const bad[] = { "", "s", "5x", "5 s", "ms5", "1e3s", "1d" };
	uint64_t v = 7;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		ck_assert_msg(parse_duration(good[i].text, 0, UINT64_MAX, &v) == 0, "'%s'", good[i].text);
		ck_assert_msg(v == good[i].ns, "'%s' is %llu", good[i].text, (unsigned long long)v);
	}
	v = 7;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(parse_duration(bad[i], 0, UINT64_MAX, &v) == -EINVAL, "'%s'", bad[i]);
	ck_assert_int_eq(parse_duration("-1s", 0, UINT64_MAX, &v), -ERANGE);
	ck_assert_int_eq(parse_duration("99999999999h", 0, UINT64_MAX, &v), -ERANGE);
	ck_assert_uint_eq(v, 7);
}
END_TEST

START_TEST(format_size_is_short)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0" },		{ 1023, "1023" },	{ 1024, "1.0K" },	   { 1536, "1.5K" },
		{ 1048575, "1.0M" },	{ 1048576, "1.0M" },	{ 1610612736, "1.5G" }, { 102400, "100K" },
		{ UINT64_MAX, "16.0E" },
	};
	char text[FORMAT_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ck_assert_str_eq(format_size(cases[i].bytes, text), cases[i].text);
}
END_TEST

START_TEST(format_duration_is_short)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} cases[] = {
		{ 0, "0ns" },		 { 999, "999ns" },	  { 1000, "1us" },	   { 12345, "12.35us" },
		{ 1500000, "1.5ms" },	 { NSEC_PER_SEC, "1.00s" }, { 90 * NSEC_PER_SEC, "90.00s" },
	};
	char text[FORMAT_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ck_assert_str_eq(format_duration(cases[i].ns, text), cases[i].text);
	format_duration(UINT64_MAX, text);
	ck_assert_uint_lt(strlen(text), FORMAT_MAX);
}
END_TEST

UNIT_MAIN("parse", u64_takes_whole_numbers, u64_refuses_the_rest_and_leaves_the_result, i64, hex,
	  double_is_finite_and_decimal, size, duration, format_size_is_short, format_duration_is_short)
