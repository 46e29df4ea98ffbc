/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/suggest.h"

#include <string.h>

#define LONGEST 40

/* Levenshtein distance of words up to LONGEST characters; more when one is longer. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[LONGEST + 1];
	size_t na = strlen(a), nb = strlen(b);

	if (na > LONGEST || nb > LONGEST)
		return LONGEST;
	for (size_t j = 0; j <= nb; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			unsigned change = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			row[j] = MIN(change, MIN(row[j], row[j - 1]) + 1);
		}
	}
	return row[nb];
}

struct suggestion suggestion_start(const char *typed)
{
	/* More than a third of the letters wrong is another word. */
	return (struct suggestion){ .typed = typed, .distance = (unsigned)(strlen(typed) + 5) / 3 };
}

void suggestion_offer(struct suggestion *s, const char *word)
{
	size_t len = strlen(s->typed);
	/* A beginning of two letters or more is meant as an abbreviation. */
	unsigned d = len >= 2 && !strncmp(s->typed, word, len) ? 1 : distance(s->typed, word);

	if (d < s->distance) {
		s->distance = d;
		s->word = word;
	}
}
