/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/suggest.h"

#include "tests/unit/unit.h"

static const char *nearest(const char *typed)
{
	static const char *const words[] = { "fault", "fork", "life", "swap", "doctor" };
	struct suggestion s = suggestion_start(typed);

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		suggestion_offer(&s, words[i]);
	return s.word;
}

START_TEST(near_words)
{
	ck_assert_str_eq(nearest("falt"), "fault");
	ck_assert_str_eq(nearest("faullt"), "fault");
	ck_assert_str_eq(nearest("fokr"), "fork");
	ck_assert_str_eq(nearest("sawp"), "swap");
	ck_assert_str_eq(nearest("docter"), "doctor");
}
END_TEST

START_TEST(abbreviations)
{
	ck_assert_str_eq(nearest("do"), "doctor");
	ck_assert_str_eq(nearest("fau"), "fault");
	ck_assert_ptr_null(nearest("d"));
}
END_TEST

START_TEST(far_words)
{
	ck_assert_ptr_null(nearest(""));
	ck_assert_ptr_null(nearest("x"));
	ck_assert_ptr_null(nearest("zram"));
	ck_assert_ptr_null(nearest("compression"));
	ck_assert_ptr_null(nearest("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}
END_TEST

START_TEST(the_best_wins_whatever_the_order)
{
	struct suggestion s = suggestion_start("forkk");

	suggestion_offer(&s, "form");
	suggestion_offer(&s, "fork");
	suggestion_offer(&s, "forks");
	ck_assert_str_eq(s.word, "fork");
}
END_TEST

UNIT_MAIN("suggest", near_words, abbreviations, far_words, the_best_wins_whatever_the_order)
