/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * No lost write: threads count in words of a region, each word also in plain memory, while other
 * threads compress, prefetch, compact, pin, and allocate and free regions, and a timer's signal
 * handler counts, too. In the end both must agree.
 *
 * Length is by operations, never by time. MEMSCOPE_HAMMER=N multiplies it; MEMSCOPE_SEED=N.
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>

#include "arena/engine.h"
#include "lib/dataset.h"
#include "lib/parse.h"
#include "tests/unit/unit.h"

#define PAGES	512
#define WRITERS 3
#define WORDS	(PAGE_SIZE / sizeof(uint64_t))

struct hammer {
	struct memscope_arena *arena;
	uint64_t (*mem)[WORDS];
	size_t len;
	uint64_t *counts[WRITERS + 1]; /* by page; the last for the signal handler */
	uint64_t seed;
	unsigned rounds;
	bool pins, syscalls;
	atomic_uint writing, compressing;
	atomic_bool failed;
};

/* ThreadSanitizer delays signals and runs handlers with SIGBUS blocked: they cannot fault there. */
#ifdef __SANITIZE_THREAD__
#define HANDLER_MAY_FAULT false
#else
#define HANDLER_MAY_FAULT true
#endif

struct worker {
	struct hammer *h;
	unsigned id;
	pthread_t thread;
};

static struct hammer *current;
static uint64_t signal_random;

static uint64_t from_env(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);
	uint64_t v = otherwise;

	ck_assert(!s || !parse_u64(s, 0, UINT64_MAX, &v));
	return v;
}

/* A word of its own in each page, so that threads share pages but no word. */
static void count(struct hammer *h, unsigned who, uint64_t page)
{
	h->mem[page][who * 37 + page % 31]++;
	h->counts[who][page]++;
}

static void on_alarm(int sig _unused_)
{
	int saved = errno;

	if (current)
		count(current, WRITERS, dataset_random(&signal_random) % PAGES);
	errno = saved;
}

static void *writer(void *arg)
{
	struct worker *w = arg;
	struct hammer *h = w->h;
	uint64_t rnd = h->seed + w->id;

	for (unsigned i = 0; i < 4000 || atomic_load(&h->compressing); i++) {
		uint64_t v = dataset_random(&rnd), page = v % PAGES;

		/* Mostly single pages, now and then a sequential run, and a pause for the others. */
		if (h->pins && memscope_arena_pin(h->arena, h->mem[page], PAGE_SIZE))
			atomic_store(&h->failed, true);
		count(h, w->id, page);
		if (h->pins && memscope_arena_unpin(h->arena, h->mem[page], PAGE_SIZE))
			atomic_store(&h->failed, true);
		for (unsigned j = 0; !h->pins && v >> 20 & 1 && !(v >> 21 & 63) && j < 64; j++)
			count(h, w->id, (page + j) % PAGES);
	}
	atomic_fetch_sub(&h->writing, 1);
	return NULL;
}

static void *compressor(void *arg)
{
	struct worker *w = arg;
	struct hammer *h = w->h;
	uint64_t rnd = h->seed ^ ((uint64_t)w->id << 32);

	for (unsigned i = 0; i < h->rounds * 300; i++) {
		uint64_t v = dataset_random(&rnd), page = v % PAGES;
		size_t n = 1 + (v >> 16) % (v >> 15 & 1 ? PAGES : 8);
		size_t len = MIN(n, PAGES - page) * PAGE_SIZE;
		int err;

		if (v >> 40 & 31)
			err = memscope_arena_compress(h->arena, h->mem[page], len,
						      (enum memscope_tier)((v >> 32) % 3), NULL);
		else if (v >> 45 & 1)
			err = memscope_arena_prefetch(h->arena, h->mem[page], len);
		else
			err = memscope_arena_compact(h->arena, 1);
		if (err)
			atomic_store(&h->failed, true);
	}
	atomic_fetch_sub(&h->compressing, 1);
	return NULL;
}

/* Regions that come and go under the eyes of the others. */
static void *allocator(void *arg)
{
	struct worker *w = arg;
	struct hammer *h = w->h;
	uint64_t rnd = h->seed ^ 77;

	while (atomic_load(&h->writing)) {
		size_t len = (1 + dataset_random(&rnd) % 64) * PAGE_SIZE;
		char *mem, byte = (char)rnd;
		void *p;

		if (memscope_arena_alloc(h->arena, "brief", len, 0, &p)) {
			atomic_store(&h->failed, true);
			break;
		}
		mem = p;
		if (h->pins && memscope_arena_touch(h->arena, mem, len))
			atomic_store(&h->failed, true);
		memset(mem, byte, len);
		memscope_arena_compress(h->arena, mem, len, MEMSCOPE_TIER_WARM, NULL);
		if (h->pins && memscope_arena_touch(h->arena, mem, len))
			atomic_store(&h->failed, true);
		for (size_t i = 0; i < len; i += 512)
			if (mem[i] != byte)
				atomic_store(&h->failed, true);
		memscope_arena_compress(h->arena, mem, len, MEMSCOPE_TIER_WARM, NULL);
		if (memscope_arena_free(h->arena, mem))
			atomic_store(&h->failed, true);
	}
	return NULL;
}

/* System calls that read and write pages which may be missing. */
static void *caller(void *arg)
{
	struct worker *w = arg;
	struct hammer *h = w->h;
	uint64_t rnd = h->seed ^ 99;
	int fds[2];
	char *mem;
	void *p;

	if (memscope_arena_alloc(h->arena, "calls", 64 * PAGE_SIZE, 0, &p) || pipe(fds)) {
		atomic_store(&h->failed, true);
		return NULL;
	}
	mem = p;
	while (atomic_load(&h->writing)) {
		char *at = mem + dataset_random(&rnd) % 64 * PAGE_SIZE, in[64], out[64];

		memscope_arena_compress(h->arena, mem, 64 * PAGE_SIZE, MEMSCOPE_TIER_WARM, NULL);
		memset(in, (int)rnd, sizeof(in));
		if (!h->syscalls && memscope_arena_pin(h->arena, at, sizeof(in)))
			atomic_store(&h->failed, true);
		if (write(fds[1], in, sizeof(in)) != sizeof(in) ||
		    read(fds[0], at, sizeof(in)) != sizeof(in))
			atomic_store(&h->failed, true);
		if (h->syscalls)
			memscope_arena_compress(h->arena, mem, 64 * PAGE_SIZE, MEMSCOPE_TIER_WARM,
						NULL);
		if (write(fds[1], at, sizeof(in)) != sizeof(in) ||
		    read(fds[0], out, sizeof(out)) != sizeof(out) || memcmp(in, out, sizeof(in)))
			atomic_store(&h->failed, true);
		if (!h->syscalls && memscope_arena_unpin(h->arena, at, sizeof(in)))
			atomic_store(&h->failed, true);
	}
	close(fds[0]);
	close(fds[1]);
	return NULL;
}

struct setup {
	const char *name;
	struct memscope_arena_options opts;
	bool alarm;
};

static const struct setup setups[] = {
	{"signal", {.min_savings_pct = 5}, true},
	{"signal, remap", {.min_savings_pct = 5, .eviction = MEMSCOPE_EVICT_REMAP}, true},
	{"signal, small pool",
	 {.min_savings_pct = 5,
	  .capacity_bytes = 96 << 10,
	  .when_full = MEMSCOPE_FULL_RESTORE_OLDEST,
	  .flags = MEMSCOPE_ARENA_CHECKSUM},
	 false},
	{"thread", {.min_savings_pct = 5, .access = MEMSCOPE_ACCESS_THREAD}, true},
	{"thread, remap",
	 {.min_savings_pct = 5,
	  .access = MEMSCOPE_ACCESS_THREAD,
	  .eviction = MEMSCOPE_EVICT_REMAP},
	 false},
	{"explicit", {.min_savings_pct = 5, .access = MEMSCOPE_ACCESS_EXPLICIT}, false},
};

static void compare(struct hammer *h)
{
	if (h->pins)
		ck_assert_int_eq(memscope_arena_touch(h->arena, h->mem, h->len), 0);
	for (unsigned who = 0; who <= WRITERS; who++)
		for (size_t page = 0; page < PAGES; page++) {
			uint64_t got = h->mem[page][who * 37 + page % 31];

			if (who * 37 + page % 31 >= WORDS)
				continue;
			ck_assert_msg(got == h->counts[who][page],
				      "seed %llu: thread %u, page %zu: %llu stores, %llu found",
				      (unsigned long long)h->seed, who, page,
				      (unsigned long long)h->counts[who][page],
				      (unsigned long long)got);
		}
}

static void set_alarm(long usec)
{
	const struct itimerval every = {{0, usec}, {0, usec}};

	setitimer(ITIMER_REAL, &every, NULL);
}

START_TEST(hammer)
{
	const struct setup *s = &setups[_i];
	struct hammer h = {
		.seed = from_env("MEMSCOPE_SEED", now_ns()),
		.rounds = (unsigned)from_env("MEMSCOPE_HAMMER", 1),
		.len = PAGES * PAGE_SIZE,
		.pins = s->opts.access == MEMSCOPE_ACCESS_EXPLICIT,
		.syscalls = s->opts.access == MEMSCOPE_ACCESS_THREAD,
		.writing = WRITERS,
		.compressing = 2,
	};
	void *(*const roles[])(void *) = {writer, writer, writer, compressor, compressor, allocator,
					  caller};
	struct worker w[ARRAY_SIZE(roles)];
	struct memscope_arena_stats st;
	void *p;

	printf("  %s: seed %llu\n", s->name, (unsigned long long)h.seed);
	fflush(stdout);
	ck_assert_int_eq(memscope_arena_create(&s->opts, &h.arena), 0);
	ck_assert_int_eq(memscope_arena_alloc(h.arena, "hammer", h.len, 0, &p), 0);
	h.mem = p;
	if (h.pins)
		ck_assert_int_eq(memscope_arena_touch(h.arena, p, h.len), 0);
	/* Pages of all kinds, with the counters' words at zero. */
	for (size_t i = 0; i < PAGES; i++) {
		if (i % 8)
			dataset_fill(i % 8 < 6 ? DATASET_HEAP : DATASET_UNIQUE, h.seed, i, h.mem[i],
				     PAGE_SIZE);
		for (unsigned who = 0; who <= WRITERS; who++)
			h.mem[i][who * 37 + i % 31] = 0;
	}
	for (unsigned i = 0; i <= WRITERS; i++)
		ck_assert_ptr_nonnull(h.counts[i] = calloc(PAGES, sizeof(uint64_t)));
	signal_random = h.seed;
	current = &h;
	signal(SIGALRM, on_alarm);
	for (unsigned i = 0; i < ARRAY_SIZE(w); i++) {
		sigset_t alarm_only;

		/* One thread takes the signal: the handler's counter has one owner. */
		sigemptyset(&alarm_only);
		sigaddset(&alarm_only, SIGALRM);
		pthread_sigmask(i ? SIG_BLOCK : SIG_UNBLOCK, &alarm_only, NULL);
		w[i] = (struct worker){.h = &h, .id = i};
		ck_assert_int_eq(pthread_create(&w[i].thread, NULL, roles[i], &w[i]), 0);
		pthread_sigmask(SIG_BLOCK, &alarm_only, NULL);
	}
	/* Blocked here by now. */
	if (s->alarm && (HANDLER_MAY_FAULT || s->opts.access != MEMSCOPE_ACCESS_SIGNAL))
		set_alarm(500);
	for (unsigned i = 0; i < ARRAY_SIZE(w); i++)
		pthread_join(w[i].thread, NULL);
	set_alarm(0);
	current = NULL;
	ck_assert(!atomic_load(&h.failed));
	ck_assert_int_eq(arena_check(h.arena), 0);
	compare(&h);
	ck_assert_int_eq(memscope_arena_stats(h.arena, &st, sizeof(st)), 0);
	ck_assert_uint_eq(st.lost_units, 0);
	ck_assert_uint_gt(st.admitted_bytes, 0);
	ck_assert_int_eq(memscope_arena_destroy(h.arena), 0);
	for (unsigned i = 0; i <= WRITERS; i++)
		free(h.counts[i]);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("hammer");

	tcase_add_loop_test(tc, hammer, 0, ARRAY_SIZE(setups));
	tcase_set_timeout(tc, 0);
	return unit_run(tc, "arena_hammer");
}
