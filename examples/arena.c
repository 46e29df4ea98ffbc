/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A table of a million counters that is used now and then. Between the times of use its pages are
 * compressed; the code that uses it knows nothing of that.
 *
 *	cc arena.c $(pkg-config --cflags --libs memscope-arena) -o arena
 */
#include <memscope/arena.h>

#include <stdio.h>
#include <string.h>

#define COUNTERS 1000000

/* Ordinary loads and stores. */
static unsigned long count(unsigned long *table, int rounds)
{
	unsigned long i, sum = 0;

	while (rounds--)
		for (i = 0; i < COUNTERS; i += 97)
			table[i] += i % 7;
	for (i = 0; i < COUNTERS; i++)
		sum += table[i];
	return sum;
}

int main(void)
{
	const size_t size = COUNTERS * sizeof(unsigned long);
	struct memscope_arena_options options;
	struct memscope_arena_stats stats;
	struct memscope_arena *arena;
	unsigned long before, after;
	void *table;
	int err;

	memscope_arena_options_init(&options);
	err = memscope_arena_create(&options, &arena);
	if (err) {
		fprintf(stderr, "no arena: %s\n", strerror(-err));
		return 1;
	}
	err = memscope_arena_alloc(arena, "counters", size, 0, &table);
	if (err) {
		fprintf(stderr, "no region: %s\n", strerror(-err));
		memscope_arena_destroy(arena);
		return 1;
	}
	before = count((unsigned long *)table, 1);
	memscope_arena_compress(arena, table, size, MEMSCOPE_TIER_WARM, NULL);
	memscope_arena_stats(arena, &stats, sizeof(stats));
	printf("%llu bytes of counters in %llu bytes\n", (unsigned long long)stats.logical_bytes,
	       (unsigned long long)stats.pool_resident_bytes);
	after = count((unsigned long *)table, 0);
	printf("sum %lu before, %lu after\n", before, after);
	memscope_arena_destroy(arena);
	return before == after ? 0 : 1;
}
