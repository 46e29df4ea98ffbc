/* SPDX-License-Identifier: BSD-2-Clause */
/* suggest: the nearest of some words to one that was mistyped. Single-threaded use per suggestion. */
#ifndef MEMSCOPE_LIB_SUGGEST_H
#define MEMSCOPE_LIB_SUGGEST_H

#include "lib/base.h"

struct suggestion {
	const char *typed;
	const char *word; /* the best so far, borrowed; NULL when none is near */
	unsigned distance;
};

struct suggestion suggestion_start(const char *typed);
void suggestion_offer(struct suggestion *s, const char *word);

#endif
