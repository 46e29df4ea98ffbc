/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory provider "arena": regions of one arena, compressed when the workload lets them cool. */
#include <string.h>

#include "arena/memscope_arena.h"
#include "workloads/mem.h"

_Static_assert(sizeof(struct memscope_arena_stats) <= MEM_STATS_MAX, "statistics fit the shared slot");

static int arena_open(const struct mem_config *cfg, void **ret_state)
{
	struct memscope_arena_options opts;
	struct memscope_arena *arena;
	int err;

	memscope_arena_options_init(&opts);
	opts.capacity_bytes = cfg->cap_bytes;
	opts.min_savings_pct = cfg->min_savings_pct;
	err = memscope_arena_create(&opts, &arena);
	if (!err)
		*ret_state = arena;
	return err;
}

static void arena_close(void *state)
{
	memscope_arena_destroy(state);
}

static int arena_alloc(void *state, const char *name, size_t bytes, void **ret_addr)
{
	return memscope_arena_alloc(state, name, bytes, 0, ret_addr);
}

static void arena_free(void *state, void *addr, size_t bytes _unused_)
{
	memscope_arena_free(state, addr);
}

static void arena_cool(void *state, void *addr, size_t bytes)
{
	/* What cannot be compressed stays; the statistics say why. */
	memscope_arena_compress(state, addr, bytes, MEMSCOPE_TIER_WARM, NULL);
}

static int arena_stats(void *state, unsigned char ret[MEM_STATS_MAX])
{
	struct memscope_arena_stats s;
	int err = memscope_arena_stats(state, &s, sizeof(s));

	if (!err)
		memcpy(ret, &s, sizeof(s));
	return err;
}

#define FIELD(name) { #name, offsetof(struct memscope_arena_stats, name) }

/* Those that add up over processes; the stall times are merged from the histograms. */
static const struct {
	const char *name;
	size_t offset;
} fields[] = {
	FIELD(regions), FIELD(region_bytes), FIELD(attempted_bytes), FIELD(tried_bytes), FIELD(admitted_bytes),
	FIELD(same_bytes), FIELD(recompressed_bytes), FIELD(rejected_stubborn_bytes),
	FIELD(rejected_unchanged_bytes), FIELD(rejected_pinned_bytes), FIELD(rejected_busy_bytes),
	FIELD(rejected_full_bytes), FIELD(cancelled_bytes), FIELD(compress_ops), FIELD(decompress_ops),
	FIELD(compress_ns), FIELD(logical_bytes), FIELD(logical_same_bytes), FIELD(compressed_bytes),
	FIELD(pool_live_bytes), FIELD(pool_resident_bytes), FIELD(pool_free_bytes), FIELD(pool_dead_bytes),
	FIELD(pool_largest_free_bytes), FIELD(metadata_bytes), FIELD(fixed_bytes), FIELD(compactions),
	FIELD(compacted_bytes), FIELD(trimmed_segments), FIELD(evicted_bytes), FIELD(faults),
	FIELD(hits_resident), FIELD(hits_compressed), FIELD(first_touch_bytes), FIELD(around_bytes),
	FIELD(lost_units), FIELD(stalls),
};

static uint64_t field(const unsigned char *stats, size_t offset)
{
	uint64_t v;

	memcpy(&v, stats + offset, sizeof(v));
	return v;
}

/* Percentiles of one arena are its own; of several, the worst: never better than the truth. */
static uint64_t worst(const unsigned char *const *stats, size_t n, size_t offset)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = MAX(v, field(stats[i], offset));
	return v;
}

static json_object *arena_stats_json(const struct mem_config *cfg, const unsigned char *const *stats, size_t n)
{
	json_object *o = json_object_new_object(), *log2 = json_object_new_array();

	json_object_object_add(o, "schema", json_object_new_string("memscope.arena.stats/1"));
	json_object_object_add(o, "arenas", json_object_new_uint64(n));
	json_object_object_add(o, "capacity_bytes", json_object_new_uint64(cfg->cap_bytes));
	json_object_object_add(o, "min_savings_pct", json_object_new_uint64(cfg->min_savings_pct));
	for (size_t f = 0; f < ARRAY_SIZE(fields); f++) {
		uint64_t sum = 0;

		for (size_t i = 0; i < n; i++)
			sum += field(stats[i], fields[f].offset);
		json_object_object_add(o, fields[f].name, json_object_new_uint64(sum));
	}
#define WORST(name)                                                                                      \
	json_object_object_add(o, #name, json_object_new_uint64(worst(                                   \
						 stats, n, offsetof(struct memscope_arena_stats, name))))
	WORST(stall_p50_ns);
	WORST(stall_p95_ns);
	WORST(stall_p99_ns);
	WORST(stall_p999_ns);
	WORST(stall_max_ns);
#undef WORST
	for (size_t b = 0; b < 40; b++) {
		uint64_t sum = 0;

		for (size_t i = 0; i < n; i++)
			sum += field(stats[i], offsetof(struct memscope_arena_stats, stall_log2) + b * sizeof(uint64_t));
		json_object_array_add(log2, json_object_new_uint64(sum));
	}
	json_object_object_add(o, "stall_log2", log2);
	return o;
}

const struct mem_ops mem_arena = {
	.name = "arena",
	.brief = "the compressed arena: idle regions are compressed, touches restore them",
	.open = arena_open,
	.close = arena_close,
	.alloc = arena_alloc,
	.free = arena_free,
	.cool = arena_cool,
	.stats = arena_stats,
	.stats_json = arena_stats_json,
};
