/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/hist.h"

#include <inttypes.h>

#define BAR_WIDTH 40

static uint64_t slot_from(size_t n)
{
	return n ? UINT64_C(1) << n : 0;
}

static uint64_t slot_to(size_t n)
{
	return n < 63 ? UINT64_C(1) << (n + 1) : UINT64_MAX;
}

uint64_t hist_quantile(const uint64_t *counts, size_t slots, double q)
{
	uint64_t total = 0;
	double want, below = 0;

	for (size_t i = 0; i < slots; i++)
		total += counts[i];
	want = q * (double)total;
	for (size_t i = 0; i < slots; i++) {
		double n = (double)counts[i];

		if (counts[i] && below + n >= want)
			return slot_from(i) + (uint64_t)((double)(slot_to(i) - slot_from(i)) * (want - below) / n);
		below += n;
	}
	return 0;
}

static bool bounds(const uint64_t *counts, size_t slots, size_t *first, size_t *last, uint64_t *max)
{
	bool any = false;

	*max = 0;
	for (size_t i = 0; i < slots; i++) {
		if (!counts[i])
			continue;
		if (!any)
			*first = i;
		any = true;
		*last = i;
		*max = MAX(*max, counts[i]);
	}
	return any;
}

int hist_print(FILE *f, const uint64_t *counts, size_t slots, const char *unit)
{
	static const char stars[] = "****************************************";
	size_t first = 0, last = 0;
	uint64_t max;

	if (!bounds(counts, slots, &first, &last, &max))
		return 0;
	fprintf(f, "%10s..%-10s %10s\n", "", unit, "count");
	for (size_t i = first; i <= last; i++)
		fprintf(f, "%10" PRIu64 "..%-10" PRIu64 " %10" PRIu64 " |%-*.*s|\n", slot_from(i), slot_to(i) - 1,
			counts[i], BAR_WIDTH,
			(int)((double)counts[i] / (double)max * BAR_WIDTH + 0.5), stars);
	return ferror(f) ? -EIO : 0;
}

json_object *hist_json(const uint64_t *counts, size_t slots, const char *unit)
{
	json_object *list = json_object_new_array();
	char from[32], to[32];

	snprintf(from, sizeof(from), "from_%s", unit);
	snprintf(to, sizeof(to), "to_%s", unit);
	for (size_t i = 0; i < slots; i++) {
		json_object *slot;

		if (!counts[i])
			continue;
		slot = json_object_new_object();
		json_object_object_add(slot, from, json_object_new_uint64(slot_from(i)));
		json_object_object_add(slot, to, json_object_new_uint64(slot_to(i)));
		json_object_object_add(slot, "count", json_object_new_uint64(counts[i]));
		json_object_array_add(list, slot);
	}
	return list;
}
