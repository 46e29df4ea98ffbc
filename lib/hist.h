/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hist: histograms with a slot for each power of two: slot n counts values of [2^n, 2^(n+1)), slot 0
 * also 0. Thread-safe where the counts are not shared.
 */
#ifndef MEMSCOPE_LIB_HIST_H
#define MEMSCOPE_LIB_HIST_H

#include <json-c/json.h>

#include "lib/base.h"

/*
 * The value below which the fraction q (0 to 1) of the counts lies, taken as evenly spread in their
 * slot; so it is right to within a factor of two. 0 when there are none.
 */
uint64_t hist_quantile(const uint64_t *counts, size_t slots, double q);
/* A line with a bar for each slot from the first to the last that is not empty. unit: "ns". */
int hist_print(FILE *f, const uint64_t *counts, size_t slots, const char *unit);
/* [{"from_<unit>": a, "to_<unit>": b, "count": n}] without empty slots; the caller's. */
json_object *hist_json(const uint64_t *counts, size_t slots, const char *unit);

#endif
