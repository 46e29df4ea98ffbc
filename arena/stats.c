/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stats: sums over the lanes' counters, read while they change. Each counter is exact; two of them
 * may be a moment apart.
 */
#include "arena/engine.h"

#include <string.h>

struct sums {
	uint64_t n[COUNTERS];
	uint64_t hist[HIST_BUCKETS];
	uint64_t hist_max, hist_total;
};

static void sum_cells(const struct memscope_arena *a, struct sums *s)
{
	memset(s, 0, sizeof(*s));
	for (unsigned i = 0; i < runtime.n_lanes; i++) {
		const struct cell *c = &a->cells[i];

		for (int j = 0; j < COUNTERS; j++)
			s->n[j] += atomic_load_explicit(&c->n[j], memory_order_relaxed);
		for (int j = 0; j < HIST_BUCKETS; j++) {
			uint64_t n = atomic_load_explicit(&c->stall.count[j], memory_order_relaxed);

			s->hist[j] += n;
			s->hist_total += n;
		}
		s->hist_max =
			MAX(s->hist_max, atomic_load_explicit(&c->stall.max, memory_order_relaxed));
	}
}

/* The lowest value of the bucket that the quantile falls into. */
static uint64_t quantile(const struct sums *s, unsigned per_10000)
{
	uint64_t want = (s->hist_total * per_10000 + 9999) / 10000, seen = 0;

	for (size_t i = 0; i < HIST_BUCKETS; i++) {
		seen += s->hist[i];
		if (seen && seen >= want)
			return hist_floor(i);
	}
	return 0;
}

static void fill_access(struct memscope_arena_stats *t, const struct sums *s)
{
	t->faults = s->n[N_FAULTS];
	t->hits_resident = s->n[N_HIT_RESIDENT];
	t->hits_compressed = s->n[N_HIT_COMPRESSED];
	t->first_touch_bytes = s->n[N_FIRST_TOUCH];
	t->around_bytes = s->n[N_AROUND];
	t->lost_units = s->n[N_LOST];
	t->stalls = s->hist_total;
	t->stall_p50_ns = quantile(s, 5000);
	t->stall_p95_ns = quantile(s, 9500);
	t->stall_p99_ns = quantile(s, 9900);
	t->stall_p999_ns = quantile(s, 9990);
	t->stall_max_ns = s->hist_max;
	for (size_t i = 0; i < HIST_BUCKETS; i++) {
		uint64_t low = hist_floor(i);
		size_t log2 = low ? 63 - (size_t)__builtin_clzll(low) : 0;

		t->stall_log2[MIN(log2, ARRAY_SIZE(t->stall_log2) - 1)] += s->hist[i];
	}
}

static void fill_pool(struct memscope_arena_stats *t, const struct sums *s,
		      const struct store_totals *p)
{
	t->logical_bytes = s->n[N_LOGICAL];
	t->logical_same_bytes = s->n[N_LOGICAL_SAME];
	t->compressed_bytes = s->n[N_PAYLOAD];
	t->pool_live_bytes = s->n[N_OBJECTS_BYTES];
	t->pool_resident_bytes = p->resident_bytes;
	t->pool_dead_bytes = p->used_bytes - MIN(p->used_bytes, t->pool_live_bytes);
	t->pool_free_bytes = p->resident_bytes - MIN(p->resident_bytes, p->used_bytes);
	t->pool_largest_free_bytes = p->largest_free;
	t->compactions = p->cleaned_segs;
	t->compacted_bytes = p->moved_bytes;
	t->trimmed_segments = p->trimmed_segs;
}

static void fill_compression(struct memscope_arena_stats *t, const struct sums *s)
{
	t->attempted_bytes = s->n[N_ATTEMPTED];
	t->tried_bytes = s->n[N_TRIED];
	t->admitted_bytes = s->n[N_ADMITTED];
	t->same_bytes = s->n[N_SAME];
	t->recompressed_bytes = s->n[N_RECOMPRESSED];
	t->rejected_stubborn_bytes = s->n[N_STUBBORN];
	t->rejected_unchanged_bytes = s->n[N_UNCHANGED];
	t->rejected_pinned_bytes = s->n[N_PINNED];
	t->rejected_busy_bytes = s->n[N_BUSY];
	t->rejected_full_bytes = s->n[N_FULL];
	t->cancelled_bytes = s->n[N_CANCELLED];
	t->compress_ops = s->n[N_COMPRESS_OPS];
	t->decompress_ops = s->n[N_DECOMPRESS_OPS];
	t->compress_ns = s->n[N_COMPRESS_NS];
	t->evicted_bytes = s->n[N_EVICTED];
}

int memscope_arena_stats(struct memscope_arena *arena, struct memscope_arena_stats *ret_stats,
			 size_t ret_size)
{
	struct memscope_arena_stats t = {0};
	struct store_totals pool;
	sigset_t all, signals;
	struct sums s;

	if (!arena || !ret_stats || !ret_size)
		return -EINVAL;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &signals);
	pthread_mutex_lock(&runtime.lock);
	t.regions = arena->n_regions;
	t.region_bytes = arena->region_bytes;
	for (uint32_t id = 1, left = arena->n_regions; left && id < REGIONS_MAX; id++) {
		const struct region *r = arena->regions[id];

		left -= !!r;
		t.metadata_bytes += r ? sizeof(*r) + r->n_units * sizeof(r->entries[0]) : 0;
	}
	t.fixed_bytes = lanes_memory() + runtime.n_lanes * sizeof(struct cell);
	pool = store_totals(&arena->store);
	pthread_mutex_unlock(&runtime.lock);
	pthread_sigmask(SIG_SETMASK, &signals, NULL);

	t.metadata_bytes += sizeof(*arena) + pool.metadata_bytes;
	sum_cells(arena, &s);
	fill_compression(&t, &s);
	fill_pool(&t, &s, &pool);
	fill_access(&t, &s);
	memset(ret_stats, 0, ret_size);
	memcpy(ret_stats, &t, MIN(ret_size, sizeof(t)));
	return 0;
}
