/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of every unit test's main(). */
#ifndef MEMSCOPE_TESTS_UNIT_H
#define MEMSCOPE_TESTS_UNIT_H

#include <check.h>

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

#endif
