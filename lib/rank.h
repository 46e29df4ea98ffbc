/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rank: which codec, for memory that is read back how often. Pure arithmetic on measured numbers;
 *no allocation, no errors, thread-safe.
 *
 *	fair_score = bytes_saved / (compress_cpu_ms + readback_factor * decompress_cpu_ms)
 *
 * readback_factor is how many times a compressed page is read back for each time that it is
 *compressed. A codec that saves less than the limit is ineligible whatever its score: saving next
 *to nothing at next to no cost scores high and helps no one.
 *
 * The score rewards cheapness, and so LZ4 leads in nearly every profile. The verdict therefore
 *follows the policy beside the score: LZ4 fast is the baseline; zstd is for memory that is unlikely
 *to be read (readback_factor below 1), as far as the profile's budget of CPU pays for what it saves
 *more.
 */
#ifndef MEMSCOPE_LIB_RANK_H
#define MEMSCOPE_LIB_RANK_H

#include "lib/base.h"

#define RANK_LABEL_MAX   32
#define RANK_MIN_SAVINGS 5.0 /* percent */

enum rank_family {
	RANK_LZ4_FAST,
	RANK_LZ4_HC,
	RANK_ZSTD,
};

struct rank_entry {
	/* Filled by the caller. */
	char label[RANK_LABEL_MAX];
	enum rank_family family;
	int64_t level;
	double input_bytes;
	double saved_bytes; /* may be negative */
	double compress_cpu_ms;
	double decompress_cpu_ms;
	bool valid; /* round trips were right; false is never eligible */
	/* Filled by rank_run(). */
	double savings_pct;
	double cost_ms; /* the divisor of the score */
	double score;   /* bytes per CPU millisecond; 0 when nothing is saved */
	bool eligible;
	bool front; /* no other eligible codec saves as much for less, or more for as little */
};

struct rank_profile {
	const char *name;
	double readback_factor;
	/* A codec may cost up to this many times what the baseline costs. */
	double budget;
	const char *brief;
};

/* hot, warm, cool, cold. */
extern const struct rank_profile rank_profiles[];
#define RANK_PROFILES 4
/* NULL: no such name. */
const struct rank_profile *rank_profile_find(const char *name);
/* The profile for a factor of one's own: policy and budget of the nearest named one. */
struct rank_profile rank_profile_custom(double readback_factor);

/* Scores and sorts: eligible by score, best first, then the others. */
void rank_run(struct rank_entry *entries, size_t n, double readback_factor, double min_savings_pct);

enum rank_reason {
	RANK_NOTHING_SAVES, /* no codec is eligible: leave the memory alone */
	RANK_BASELINE,      /* the baseline, and nothing within the policy is better */
	RANK_FASTER_LZ4,    /* another LZ4 acceleration scores better */
	RANK_WORTH_MORE,    /* a denser codec within the budget */
	RANK_ONLY_DENSE,    /* no LZ4 is eligible, and the data is read seldom enough for zstd */
	RANK_DENSE_BUT_HOT, /* no LZ4 is eligible, and zstd is against the policy */
};

struct rank_verdict {
	enum rank_reason reason;
	const struct rank_entry *baseline; /* NULL: no LZ4 fast is eligible */
	const struct rank_entry *choice;   /* NULL: leave the memory uncompressed */
};

/* entries as rank_run() with the profile's factor left them. */
struct rank_verdict rank_decide(const struct rank_entry *entries, size_t n,
				const struct rank_profile *profile);
/* The verdict as one sentence. Returns buf. */
char *rank_explain(const struct rank_verdict *verdict, const struct rank_profile *profile,
		   char *buf, size_t size);

/* Marks the points that no other point beats in both: more gain at no more cost, or less cost at no
 * less gain. */
void rank_front(const double *cost, const double *gain, size_t n, bool *ret_front);

#endif
