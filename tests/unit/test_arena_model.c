/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The arena against a plain shadow copy, in every way that it can be set up.
 *
 * MEMSCOPE_MODEL_OPS=N runs N operations for each (default 30000), MEMSCOPE_SEED=N repeats a run.
 */

#include "lib/parse.h"
#include "tests/arena_model.h"
#include "tests/unit/unit.h"

/* ThreadSanitizer cannot start the child's handler thread. */
#ifdef __SANITIZE_THREAD__
#define CHILD_MAY_START_THREADS false
#else
#define CHILD_MAY_START_THREADS true
#endif

struct setup {
	const char *name;
	struct memscope_arena_options opts;
};

static const struct setup setups[] = {
	{"signal", {.min_savings_pct = 5}},
	{"signal, remap", {.min_savings_pct = 5, .eviction = MEMSCOPE_EVICT_REMAP}},
	{"signal, checksums", {.min_savings_pct = 1, .flags = MEMSCOPE_ARENA_CHECKSUM}},
	{"signal, small pool", {.min_savings_pct = 5, .capacity_bytes = 256 << 10}},
	{"signal, small pool that restores",
	 {.min_savings_pct = 5,
	  .capacity_bytes = 512 << 10,
	  .when_full = MEMSCOPE_FULL_RESTORE_OLDEST}},
	{"signal, a pool of one page", {.min_savings_pct = 20, .capacity_bytes = 4096}},
	{"thread", {.min_savings_pct = 5, .access = MEMSCOPE_ACCESS_THREAD}},
	{"thread, remap",
	 {.min_savings_pct = 5,
	  .access = MEMSCOPE_ACCESS_THREAD,
	  .eviction = MEMSCOPE_EVICT_REMAP}},
	{"explicit", {.min_savings_pct = 5, .access = MEMSCOPE_ACCESS_EXPLICIT}},
	{"explicit, small pool that restores",
	 {.min_savings_pct = 5,
	  .access = MEMSCOPE_ACCESS_EXPLICIT,
	  .capacity_bytes = 1 << 20,
	  .when_full = MEMSCOPE_FULL_RESTORE_OLDEST}},
};

static uint64_t from_env(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);
	uint64_t v = otherwise;

	ck_assert(!s || !parse_u64(s, 0, UINT64_MAX, &v));
	return v;
}

START_TEST(model)
{
	const struct setup *s = &setups[_i];
	uint64_t seed = from_env("MEMSCOPE_SEED", now_ns());
	struct model_source src = {
		.random = seed,
		.left = from_env("MEMSCOPE_MODEL_OPS", 30000),
	};

	bool may_fork = s->opts.access != MEMSCOPE_ACCESS_THREAD || CHILD_MAY_START_THREADS;

	printf("  %s: seed %llu\n", s->name, (unsigned long long)seed);
	fflush(stdout);
	ck_assert_msg(!model_run(&s->opts, src, may_fork), "%s: seed %llu", s->name,
		      (unsigned long long)seed);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("model");

	tcase_add_loop_test(tc, model, 0, ARRAY_SIZE(setups));
	tcase_set_timeout(tc, 0);
	return unit_run(tc, "arena_model");
}
