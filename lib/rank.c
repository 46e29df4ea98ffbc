/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/rank.h"

#include <math.h>
#include <string.h>

/*
 * On real memory (30 720 pages of five programs) at 4 KiB, zstd -1 costs twice the CPU of LZ4 and
 * stores a quarter less, zstd 1 costs three times as much and stores a third less: the budgets let
 * the cool profile take the first and the cold one the second, and stop before levels that hardly
 * save more.
 */
const struct rank_profile rank_profiles[RANK_PROFILES] = {
	{"hot", 4, 1, "each page comes back about four times"},
	{"warm", 1, 1, "each page comes back about once"},
	{"cool", 0.25, 2.5, "one page in four comes back"},
	{"cold", 0.05, 4, "one page in twenty comes back"},
};

/* Two codecs whose savings differ by less than this (in points of the input) are taken as equal. */
#define SAME_SAVINGS_PCT 1.0

const struct rank_profile *rank_profile_find(const char *name)
{
	for (size_t i = 0; i < RANK_PROFILES; i++) {
		if (!strcmp(rank_profiles[i].name, name))
			return &rank_profiles[i];
	}
	return NULL;
}

struct rank_profile rank_profile_custom(double readback_factor)
{
	const struct rank_profile *best = &rank_profiles[0];

	/* Nearest by ratio; but the line at 1, where the policy turns, is never crossed. */
	for (size_t i = 1; i < RANK_PROFILES; i++) {
		const struct rank_profile *p = &rank_profiles[i];

		if (fabs(log(p->readback_factor / fmax(readback_factor, 1e-6))) <
		    fabs(log(best->readback_factor / fmax(readback_factor, 1e-6))))
			best = p;
	}
	if (readback_factor < 1 && best->readback_factor >= 1)
		best = &rank_profiles[2];
	return (struct rank_profile){"custom", readback_factor, best->budget, best->brief};
}

static int by_score(const void *a, const void *b)
{
	const struct rank_entry *x = a, *y = b;

	if (x->eligible != y->eligible)
		return x->eligible ? -1 : 1;
	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return strcmp(x->label, y->label);
}

static bool beats(double cost_a, double gain_a, double cost_b, double gain_b)
{
	return cost_a <= cost_b && gain_a >= gain_b && (cost_a < cost_b || gain_a > gain_b);
}

void rank_front(const double *cost, const double *gain, size_t n, bool *ret_front)
{
	for (size_t i = 0; i < n; i++) {
		ret_front[i] = true;
		for (size_t j = 0; j < n && ret_front[i]; j++)
			ret_front[i] = !beats(cost[j], gain[j], cost[i], gain[i]);
	}
}

void rank_run(struct rank_entry *entries, size_t n, double readback_factor, double min_savings_pct)
{
	for (size_t i = 0; i < n; i++) {
		struct rank_entry *e = &entries[i];

		e->cost_ms = e->compress_cpu_ms + readback_factor * e->decompress_cpu_ms;
		e->savings_pct = e->input_bytes > 0 ? e->saved_bytes / e->input_bytes * 100 : 0;
		e->score = e->saved_bytes > 0 && e->cost_ms > 0 ? e->saved_bytes / e->cost_ms : 0;
		e->eligible = e->valid && e->score > 0 && e->savings_pct >= min_savings_pct;
	}
	for (size_t i = 0; i < n; i++) {
		struct rank_entry *e = &entries[i];

		e->front = e->eligible;
		for (size_t j = 0; j < n && e->front; j++)
			e->front = !entries[j].eligible ||
				   !beats(entries[j].cost_ms, entries[j].saved_bytes, e->cost_ms,
					  e->saved_bytes);
	}
	qsort(entries, n, sizeof(*entries), by_score);
}

/* The plainest LZ4 there is: the lowest acceleration that is eligible. */
static const struct rank_entry *find_baseline(const struct rank_entry *entries, size_t n)
{
	const struct rank_entry *best = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct rank_entry *e = &entries[i];

		if (e->eligible && e->family == RANK_LZ4_FAST && (!best || e->level < best->level))
			best = e;
	}
	return best;
}

/* The one that saves most at no more than limit_ms; of those that save about the same, the
 * cheapest. */
static const struct rank_entry *densest(const struct rank_entry *entries, size_t n, double limit_ms)
{
	const struct rank_entry *most = NULL, *best = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct rank_entry *e = &entries[i];

		if (e->eligible && e->cost_ms <= limit_ms &&
		    (!most || e->savings_pct > most->savings_pct))
			most = e;
	}
	for (size_t i = 0; most && i < n; i++) {
		const struct rank_entry *e = &entries[i];

		if (e->eligible && e->cost_ms <= limit_ms &&
		    e->savings_pct >= most->savings_pct - SAME_SAVINGS_PCT &&
		    (!best || e->cost_ms < best->cost_ms))
			best = e;
	}
	return best;
}

static const struct rank_entry *best_lz4_fast(const struct rank_entry *entries, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (entries[i].eligible && entries[i].family == RANK_LZ4_FAST)
			return &entries[i];
	}
	return NULL;
}

struct rank_verdict rank_decide(const struct rank_entry *entries, size_t n,
				const struct rank_profile *profile)
{
	struct rank_verdict v = {RANK_NOTHING_SAVES, find_baseline(entries, n), NULL};
	bool seldom = profile->readback_factor < 1;
	const struct rank_entry *other;

	if (!n || !entries[0].eligible)
		return v;
	if (!v.baseline) {
		v.reason = seldom ? RANK_ONLY_DENSE : RANK_DENSE_BUT_HOT;
		/* With no baseline the budget is counted from the cheapest that there is. */
		if (seldom)
			v.choice = densest(entries, n, entries[0].cost_ms * profile->budget);
		return v;
	}
	v.reason = RANK_BASELINE;
	v.choice = v.baseline;
	if (seldom) {
		other = densest(entries, n, v.baseline->cost_ms * profile->budget);
		if (other->savings_pct < v.baseline->savings_pct + SAME_SAVINGS_PCT)
			return v;
		v.reason = other->family == RANK_LZ4_FAST ? RANK_FASTER_LZ4 : RANK_WORTH_MORE;
		v.choice = other;
		return v;
	}
	/* Within LZ4 the score may choose, where a noisy percent or two is no reason to move. */
	other = best_lz4_fast(entries, n);
	if (other->score > v.baseline->score * 1.05) {
		v.reason = RANK_FASTER_LZ4;
		v.choice = other;
	}
	return v;
}

static void explain_denser(const struct rank_verdict *v, const struct rank_profile *p, char *buf,
			   size_t size)
{
	const struct rank_entry *c = v->choice, *b = v->baseline;
	double left_b = 100 - b->savings_pct, left_c = 100 - c->savings_pct;

	snprintf(buf, size,
		 "use %s: it stores %.0f%% less than %s (saves %.1f%% instead of %.1f%%) for %.1f "
		 "times the CPU, which %s memory can afford",
		 c->label, left_b > 0 ? (left_b - left_c) / left_b * 100 : 0, b->label,
		 c->savings_pct, b->savings_pct, c->cost_ms / b->cost_ms, p->name);
}

char *rank_explain(const struct rank_verdict *v, const struct rank_profile *p, char *buf,
		   size_t size)
{
	const struct rank_entry *c = v->choice, *b = v->baseline;

	switch (v->reason) {
	case RANK_NOTHING_SAVES:
		snprintf(buf, size, "leave it uncompressed: no codec saves enough");
		break;
	case RANK_BASELINE:
		snprintf(buf, size, "use %s, the baseline: it saves %.1f%%, and %s", c->label,
			 c->savings_pct,
			 p->readback_factor < 1
				 ? "nothing denser is worth its CPU here"
				 : "memory that is read back wants the cheapest decoder");
		break;
	case RANK_FASTER_LZ4:
		snprintf(buf, size,
			 "use %s: it saves %.1f%% (%s saves %.1f%%) for %.2f times the CPU",
			 c->label, c->savings_pct, b->label, b->savings_pct,
			 c->cost_ms / b->cost_ms);
		break;
	case RANK_WORTH_MORE:
		explain_denser(v, p, buf, size);
		break;
	case RANK_ONLY_DENSE:
		snprintf(buf, size, "use %s: it saves %.1f%%, where no lz4 saves enough", c->label,
			 c->savings_pct);
		break;
	case RANK_DENSE_BUT_HOT:
		snprintf(buf, size,
			 "leave it uncompressed: no lz4 saves enough, and memory that is read back "
			 "is not for slower codecs");
		break;
	}
	return buf;
}
