/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arena_bench: see arena_bench.h.
 *
 *	struct side ── mem, arena (NULL: plain memory)
 *	    fill ─> hot ─> idle ─> pack ─> reread ─> verify      the same functions for both sides
 *
 * What was written is not kept: any page of it can be made again from the seed or the image.
 * Samples and page buffers are allocated and touched before the first memory reading, so that they
 * are in all of them.
 */
#include "workloads/arena_bench.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "lib/file.h"

#define PAGE ((size_t)4096)

const char *const arena_bench_model_names[ARENA_BENCH_MODELS + 1] = {
	"single-bulk",
	"hot-idle-full-reread",
	"hot-idle-partial-random",
	NULL,
};

const char *const arena_bench_phase_names[ARENA_BENCH_PHASES] = {"empty",  "filled", "hot",
								 "packed", "reread", "end"};

struct side {
	const struct arena_bench_config *c;
	struct memscope_arena *arena;
	uint8_t *mem;
	uint64_t *samples;
	size_t n_samples;
	uint64_t *stalls; /* those that had to wait for the page; NULL on plain memory */
	size_t n_stalls;
	uint8_t *page; /* scratch */
	struct arena_bench_side *out;
};

static bool stopped(const struct arena_bench_config *c)
{
	return c->stop && *c->stop;
}

/* A line "Name: N kB" in bytes, 0 when it is not there. */
static uint64_t kib_line(const char *text, const char *name)
{
	uint64_t kib = 0;

	text_find_u64(text, name, &kib);
	return kib * KiB;
}

int arena_bench_memory_read(struct arena_bench_memory *ret)
{
	_cleanup_free_ char *text = NULL;
	int err = file_read_all("/proc/self", "smaps_rollup", &text);

	if (err)
		return err;
	*ret = (struct arena_bench_memory){
		.rss_bytes = kib_line(text, "Rss"),
		.pss_bytes = kib_line(text, "Pss"),
		.anonymous_bytes = kib_line(text, "Anonymous"),
	};
	return 0;
}

static uint64_t peak_rss(void)
{
	_cleanup_free_ char *text = NULL;

	return file_read_all("/proc/self", "status", &text) ? 0 : kib_line(text, "VmHWM");
}

/* The peak of this run, not of those before it. */
static void reset_peak(void)
{
	_cleanup_close_ int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "5", 1) != 1)
		return;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

struct arena_bench_latency arena_bench_latency_of(uint64_t *samples, size_t n)
{
	if (!n)
		return (struct arena_bench_latency){0};
	qsort(samples, n, sizeof(samples[0]), by_value);
	return (struct arena_bench_latency){
		.count = n,
		.p50_ns = samples[n / 2],
		.p95_ns = samples[n * 95 / 100],
		.p99_ns = samples[n * 99 / 100],
		.max_ns = samples[n - 1],
	};
}

static struct arena_bench_cost cost_now(void)
{
	return (struct arena_bench_cost){
		.wall_ns = now_ns(),
		.thread_cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID),
		.process_cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID),
	};
}

static struct arena_bench_cost cost_since(const struct arena_bench_cost *start)
{
	struct arena_bench_cost now = cost_now();

	return (struct arena_bench_cost){
		.wall_ns = now.wall_ns - start->wall_ns,
		.thread_cpu_ns = now.thread_cpu_ns - start->thread_cpu_ns,
		.process_cpu_ns = now.process_cpu_ns - start->process_cpu_ns,
	};
}

static void make_page(const struct arena_bench_config *c, size_t i, uint8_t *dst)
{
	if (c->image)
		memcpy(dst, c->image + i * PAGE % c->image_len, PAGE);
	else
		dataset_fill(c->dataset, c->seed, i, dst, PAGE);
}

static uint64_t digest_page(uint64_t digest, const uint8_t *page)
{
	uint64_t w;

	for (size_t i = 0; i < PAGE; i += sizeof(w)) {
		memcpy(&w, page + i, sizeof(w));
		digest = (digest ^ w) * UINT64_C(0x9e3779b97f4a7c15);
		digest ^= digest >> 32;
	}
	return digest;
}

/* EXPLICIT arenas want to be asked before memory is used. */
static int use(struct side *s, size_t page)
{
	return s->arena && s->c->arena.access == MEMSCOPE_ACCESS_EXPLICIT
		       ? memscope_arena_touch(s->arena, s->mem + page * PAGE, PAGE)
		       : 0;
}

static int fill(struct side *s)
{
	for (size_t i = 0; i < s->c->region / PAGE; i++) {
		int err = stopped(s->c) ? -EINTR : use(s, i);

		if (err)
			return err;
		make_page(s->c, i, s->page);
		memcpy(s->mem + i * PAGE, s->page, PAGE);
	}
	return 0;
}

static size_t hot_pages(const struct arena_bench_config *c)
{
	return c->model == ARENA_BENCH_SINGLE_BULK ? 0 : c->region / PAGE * c->hot_pct / 100;
}

/* Asked outside of the time that is taken: the library's own clock cannot see a signal's way to it.
 */
static bool is_resident(uint8_t *page)
{
	unsigned char in_core = 1;

	return mincore(page, PAGE, &in_core) || in_core & 1;
}

/* One access; timed if it is its turn. */
static int access_page(struct side *s, size_t page, size_t turn)
{
	uint64_t start;
	bool missing;
	int err;

	if (turn % s->c->step) {
		err = use(s, page);
		(void)*(volatile uint8_t *)(s->mem + page * PAGE);
		return err;
	}
	missing = s->stalls && !is_resident(s->mem + page * PAGE);
	start = now_ns();
	err = use(s, page);
	(void)*(volatile uint8_t *)(s->mem + page * PAGE);
	start = now_ns() - start;
	s->samples[s->n_samples++] = start;
	if (missing)
		s->stalls[s->n_stalls++] = start;
	return err;
}

static void idle(const struct arena_bench_config *c)
{
	struct timespec ts = {.tv_sec = (time_t)(c->idle_ns / NSEC_PER_SEC),
			      .tv_nsec = (long)(c->idle_ns % NSEC_PER_SEC)};

	nanosleep(&ts, NULL);
}

static int hot_phase(struct side *s)
{
	size_t n = hot_pages(s->c);

	for (int pass = 0; pass < 4; pass++)
		for (size_t i = 0; i < n; i++) {
			int err = use(s, i);

			if (err)
				return err;
			(void)*(volatile uint8_t *)(s->mem + i * PAGE);
		}
	if (s->c->model != ARENA_BENCH_SINGLE_BULK)
		idle(s->c);
	return 0;
}

static int pack(struct side *s, struct arena_bench_result *r)
{
	size_t hot = ROUND_UP(hot_pages(s->c) * PAGE, (size_t)65536);
	struct arena_bench_cost start = cost_now();
	int err = 0;

	if (hot < s->c->region)
		err = memscope_arena_compress(s->arena, s->mem + hot, s->c->region - hot,
					      s->c->tier, &r->compressed);
	r->compress = cost_since(&start);
	if (!err)
		err = memscope_arena_stats(s->arena, &r->packed, sizeof(r->packed));
	return err;
}

static int reread(struct side *s)
{
	const struct arena_bench_config *c = s->c;
	size_t pages = c->region / PAGE, n = pages, next = 0;
	uint64_t rnd = c->seed ^ 0x5eed;
	int err = 0;

	if (c->model == ARENA_BENCH_PARTIAL_RANDOM)
		n = pages * c->partial_pct / 100;
	for (size_t i = 0; i < n && !err; i++) {
		size_t page = next++ % pages;

		if (c->model == ARENA_BENCH_PARTIAL_RANDOM &&
		    dataset_random(&rnd) % 100 < c->random_pct)
			page = dataset_random(&rnd) % pages;
		err = stopped(c) ? -EINTR : access_page(s, page, i);
		/* The page that was read so many accesses ago, once more. */
		if (!err && c->model == ARENA_BENCH_PARTIAL_RANDOM && c->reuse &&
		    i % c->reuse == 0 && i)
			err = access_page(s, (next + pages - c->reuse % pages) % pages, i);
	}
	return err;
}

static int verify(struct side *s)
{
	uint64_t digest = 0;

	for (size_t i = 0; i < s->c->region / PAGE; i++) {
		int err = stopped(s->c) ? -EINTR : use(s, i);

		if (err)
			return err;
		digest = digest_page(digest, s->mem + i * PAGE);
	}
	s->out->digest = digest;
	return 0;
}

static int run_phases(struct side *s, struct arena_bench_result *r)
{
	struct arena_bench_memory *m = s->out->memory;
	struct rusage before, after;
	struct arena_bench_cost start;
	int err = fill(s);

	if (!err)
		err = arena_bench_memory_read(&m[ARENA_BENCH_FILLED]);
	if (!err)
		err = hot_phase(s);
	if (!err)
		err = arena_bench_memory_read(&m[ARENA_BENCH_HOT]);
	if (!err && s->arena)
		err = pack(s, r);
	if (!err)
		err = arena_bench_memory_read(&m[ARENA_BENCH_PACKED]);
	if (err)
		return err;
	getrusage(RUSAGE_SELF, &before);
	start = cost_now();
	err = reread(s);
	s->out->reread_cost = cost_since(&start);
	getrusage(RUSAGE_SELF, &after);
	s->out->minor_faults = (uint64_t)(after.ru_minflt - before.ru_minflt);
	s->out->major_faults = (uint64_t)(after.ru_majflt - before.ru_majflt);
	s->out->reread = arena_bench_latency_of(s->samples, s->n_samples);
	if (s->stalls)
		r->stall = arena_bench_latency_of(s->stalls, s->n_stalls);
	if (!err && s->arena)
		err = memscope_arena_stats(s->arena, &r->end, sizeof(r->end));
	if (!err)
		err = arena_bench_memory_read(&m[ARENA_BENCH_REREAD]);
	if (!err)
		err = verify(s);
	if (!err)
		err = arena_bench_memory_read(&m[ARENA_BENCH_END]);
	s->out->peak_rss_bytes = peak_rss();
	return err;
}

static int run_arena(struct side *s, struct arena_bench_result *r)
{
	void *mem;
	int err = memscope_arena_create(&s->c->arena, &s->arena);

	if (err)
		return err;
	reset_peak();
	err = arena_bench_memory_read(&s->out->memory[ARENA_BENCH_EMPTY]);
	if (!err)
		err = memscope_arena_alloc(s->arena, "bench", s->c->region, s->c->region_flags,
					   &mem);
	if (!err) {
		s->mem = mem;
		err = run_phases(s, r);
	}
	memscope_arena_destroy(s->arena);
	return err;
}

static int run_plain(struct side *s, struct arena_bench_result *r)
{
	int err;

	reset_peak();
	err = arena_bench_memory_read(&s->out->memory[ARENA_BENCH_EMPTY]);
	if (err)
		return err;
	s->mem = mmap(NULL, s->c->region, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (s->mem == MAP_FAILED)
		return -errno;
	/* Pages of the same size as the arena's. */
	madvise(s->mem, s->c->region, MADV_NOHUGEPAGE);
	err = run_phases(s, r);
	munmap(s->mem, s->c->region);
	return err;
}

static double ratio(double a, double b)
{
	return b > 0 ? a / b : 0;
}

static void derive(const struct arena_bench_config *c, struct arena_bench_result *r)
{
	const struct memscope_arena_stats *p = &r->packed;
	double attempted = (double)p->attempted_bytes, logical = (double)p->logical_bytes;
	double used = (double)(p->pool_resident_bytes + p->metadata_bytes);
	double fall = (double)r->arena.memory[ARENA_BENCH_HOT].pss_bytes -
		      (double)r->arena.memory[ARENA_BENCH_PACKED].pss_bytes;

	r->ratio_e2e = ratio(attempted, attempted - logical + used);
	r->ratio_admitted = ratio(logical, used);
	r->ratio_codec =
		ratio(logical - (double)p->logical_same_bytes, (double)p->compressed_bytes);
	r->admit_rate = ratio(logical, attempted);
	r->ratio_pss = ratio(attempted, attempted - fall);
	r->saved_mib_per_cpu_s = ratio(fall / (double)MiB,
				       (double)r->compress.process_cpu_ns / (double)NSEC_PER_SEC);
	r->expected_digest = 0;
	for (size_t i = 0; i < c->region / PAGE; i++) {
		uint8_t page[PAGE];

		make_page(c, i, page);
		r->expected_digest = digest_page(r->expected_digest, page);
	}
	r->verified =
		r->arena.digest == r->expected_digest && r->plain.digest == r->expected_digest;
}

int arena_bench_run(const struct arena_bench_config *c, struct arena_bench_result *ret)
{
	/* A page may be read twice where it is used again. */
	size_t most = 2 * (c->region / PAGE / c->step + 1);
	_cleanup_free_ uint64_t *samples = malloc(most * sizeof(*samples));
	_cleanup_free_ uint64_t *stalls = malloc(most * sizeof(*stalls));
	_cleanup_free_ uint8_t *page = malloc(PAGE);
	struct arena_bench_result r = {0};
	struct side arena = {
		.c = c, .samples = samples, .stalls = stalls, .page = page, .out = &r.arena};
	struct side plain = {.c = c, .samples = samples, .page = page, .out = &r.plain};
	int err;

	if (!samples || !stalls || !page)
		return -ENOMEM;
	memset(samples, 1, most * sizeof(*samples));
	memset(stalls, 1, most * sizeof(*stalls));
	err = run_arena(&arena, &r);
	if (!err)
		err = run_plain(&plain, &r);
	if (err)
		return err;
	derive(c, &r);
	*ret = r;
	return 0;
}
