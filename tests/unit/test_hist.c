/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/hist.h"

#include "tests/unit/unit.h"

START_TEST(quantile_of_nothing)
{
	const uint64_t counts[8] = {};

	ck_assert_uint_eq(hist_quantile(counts, 8, 0.5), 0);
	ck_assert_uint_eq(hist_quantile(counts, 0, 0.5), 0);
}
END_TEST

START_TEST(quantile_in_one_slot)
{
	const uint64_t counts[8] = { [4] = 100 }; /* 16 to 32 */

	ck_assert_uint_eq(hist_quantile(counts, 8, 0), 16);
	ck_assert_uint_eq(hist_quantile(counts, 8, 0.5), 24);
	ck_assert_uint_eq(hist_quantile(counts, 8, 1), 32);
}
END_TEST

START_TEST(quantile_grows)
{
	const uint64_t counts[16] = { [0] = 10, [3] = 80, [10] = 9, [15] = 1 };
	uint64_t last = 0;

	for (int i = 0; i <= 100; i++) {
		uint64_t v = hist_quantile(counts, 16, i / 100.0);

		ck_assert_uint_ge(v, last);
		last = v;
	}
	ck_assert_uint_ge(hist_quantile(counts, 16, 0.5), 8);
	ck_assert_uint_le(hist_quantile(counts, 16, 0.5), 16);
	ck_assert_uint_ge(hist_quantile(counts, 16, 0.995), 1 << 15);
}
END_TEST

START_TEST(the_last_slot_of_64)
{
	uint64_t counts[64] = { [63] = 1 };
	json_object *list = hist_json(counts, 64, "ns");
	const char *text = json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN);

	ck_assert_uint_ge(hist_quantile(counts, 64, 0.5), UINT64_C(1) << 63);
	ck_assert_str_eq(text, "[{\"from_ns\":9223372036854775808,\"to_ns\":18446744073709551615,\"count\":1}]");
	json_object_put(list);
}
END_TEST

START_TEST(json_leaves_out_empty_slots)
{
	const uint64_t counts[8] = { [0] = 1, [2] = 5 };
	json_object *list = hist_json(counts, 8, "us");

	ck_assert_str_eq(json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN),
			 "[{\"from_us\":0,\"to_us\":2,\"count\":1},{\"from_us\":4,\"to_us\":8,\"count\":5}]");
	json_object_put(list);
}
END_TEST

START_TEST(print_goes_from_first_to_last)
{
	const uint64_t counts[8] = { [2] = 1, [4] = 4 };
	char *text = NULL;
	size_t len, lines = 0;
	FILE *f = open_memstream(&text, &len);

	ck_assert_int_eq(hist_print(f, counts, 8, "ns"), 0);
	fclose(f);
	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	ck_assert_uint_eq(lines, 4);
	ck_assert_ptr_nonnull(strstr(text, "         4..7                   1 |**********                              |\n"));
	ck_assert_ptr_nonnull(strstr(text, "        16..31                  4 |****************************************|\n"));
	free(text);
	f = open_memstream(&text, &len);
	ck_assert_int_eq(hist_print(f, (const uint64_t[8]){}, 8, "ns"), 0);
	fclose(f);
	ck_assert_str_eq(text, "");
	free(text);
}
END_TEST

UNIT_MAIN("hist", quantile_of_nothing, quantile_in_one_slot, quantile_grows, the_last_slot_of_64,
	  json_leaves_out_empty_slots, print_goes_from_first_to_last)
