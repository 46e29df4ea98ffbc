/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the unit tests share. A test file includes this once and ends with UNIT_MAIN("name", a, b), or
 * builds its case itself and returns unit_run(); tests/unit/run runs the program that comes of it.
 */
#ifndef MEMSCOPE_TESTS_UNIT_H
#define MEMSCOPE_TESTS_UNIT_H

#include <check.h>
#include <string.h>

#include "lib/base.h"

/* Runs the case as a suite of the same name. The exit code: 0 when nothing failed. */
static inline int unit_run(TCase *t, const char *name)
{
	Suite *s = suite_create(name);
	SRunner *r;
	int failed;

	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}

#define UNIT_MAIN(name, ...)                                                                                 \
	int main(void)                                                                                       \
	{                                                                                                    \
		const TTest *const tests[] = { __VA_ARGS__ };                                                \
		TCase *t = tcase_create(name);                                                               \
                                                                                                             \
		tcase_set_timeout(t, 60);                                                                    \
		for (size_t i = 0; i < ARRAY_SIZE(tests); i++)                                               \
			tcase_add_test(t, tests[i]);                                                         \
		return unit_run(t, name);                                                                    \
	}

#endif
