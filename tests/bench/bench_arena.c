/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The arena's figures, as ratios and times of one run: bulk compression against a bare loop, stalls
 * against swap-in from zram, touches while compressing, and how densely the pool packs.
 *
 *	bench_arena [IMAGE]	pages of a file (a core dump) instead of the made-up heap
 *
 * The zram part needs root and a /dev/zram0 that nobody uses; it gets its algorithm and size back.
 * Pages are sent there one range at a time (MADV_PAGEOUT): nothing else is put under pressure.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <lz4.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>

#include "arena/memscope_arena.h"
#include "lib/dataset.h"
#include "lib/input.h"
#include "workloads/arena_bench.h"

#define PAGE   ((size_t)4096)
#define ROUNDS 5
#define SMALL  (128 * MiB)
#define LARGE  (4 * GiB)
#define BATCH  ((size_t)64)

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

static struct input image;

static void die(const char *what, int err)
{
	fprintf(stderr, "bench_arena: %s: %s\n", what, strerror(-err));
	exit(1);
}

static void must(const char *what, int err)
{
	if (err)
		die(what, err);
}

static void fill(uint8_t *mem, size_t len, enum dataset_kind kind)
{
	for (size_t i = 0; i < len / PAGE; i++) {
		if (image.len && kind == DATASET_HEAP)
			memcpy(mem + i * PAGE, image.data + i * PAGE % image.len, PAGE);
		else
			dataset_fill(kind, 1, i, mem + i * PAGE, PAGE);
	}
}

static uint8_t *map_plain(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		die("mmap", -errno);
	madvise(p, len, MADV_NOHUGEPAGE);
	return p;
}

static struct memscope_arena *new_arena(enum memscope_access access, size_t len, uint8_t **ret_mem)
{
	struct memscope_arena_options o;
	struct memscope_arena *a;
	void *p;

	memscope_arena_options_init(&o);
	o.access = access;
	must("creating an arena", memscope_arena_create(&o, &a));
	must("allocating a region", memscope_arena_alloc(a, "bench", len, 0, &p));
	if (access == MEMSCOPE_ACCESS_EXPLICIT)
		must("touching", memscope_arena_touch(a, p, len));
	*ret_mem = p;
	return a;
}

static struct memscope_arena_stats stats_of(struct memscope_arena *a)
{
	struct memscope_arena_stats s;

	must("statistics", memscope_arena_stats(a, &s, sizeof(s)));
	return s;
}

static void pack(struct memscope_arena *a, uint8_t *mem, size_t len)
{
	must("compressing", memscope_arena_compress(a, mem, len, MEMSCOPE_TIER_WARM, NULL));
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof(v[0]), by_value);
	return v[n / 2];
}

/* ---- bulk compression ---- */

/* What must be done at least: compress each page, keep nothing, drop the pages in batches. */
static uint64_t bare_loop(uint8_t *mem, size_t len)
{
	char state[32768] __attribute__((aligned(64))), out[8192];
	uint64_t start = now_ns();

	for (size_t i = 0; i < len / PAGE; i++) {
		LZ4_compress_fast_extState(state, (char *)mem + i * PAGE, out, (int)PAGE, 3892, 1);
		if (i % BATCH == BATCH - 1)
			madvise(mem + (i + 1 - BATCH) * PAGE, BATCH * PAGE, MADV_DONTNEED);
	}
	return now_ns() - start;
}

struct half {
	struct memscope_arena *a;
	uint8_t *mem;
	size_t len;
};

static void *bare_half(void *arg)
{
	struct half *h = arg;

	bare_loop(h->mem, h->len);
	return NULL;
}

static void *pack_half(void *arg)
{
	struct half *h = arg;

	pack(h->a, h->mem, h->len);
	return NULL;
}

/* The nth CPU that this process may use; the scheduler takes longer to spread threads than this runs. */
static void stay_on(pthread_t thread, unsigned nth, const cpu_set_t *allowed)
{
	cpu_set_t one;
	int cpu = -1;

	CPU_ZERO(&one);
	for (unsigned n = 0; n <= nth && ++cpu < CPU_SETSIZE;)
		n += CPU_ISSET(cpu, allowed) != 0;
	if (cpu < CPU_SETSIZE)
		CPU_SET(cpu, &one);
	pthread_setaffinity_np(thread, sizeof(one), cpu < CPU_SETSIZE ? &one : allowed);
}

static uint64_t time_halves(void *(*fn)(void *), struct memscope_arena *a, uint8_t *mem, size_t len,
			    unsigned threads, double *ret_cpu_ns)
{
	struct half h[2] = {{a, mem, len / threads}, {a, mem + len / threads, len / threads}};
	cpu_set_t allowed;
	pthread_t other;
	uint64_t start, cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

	pthread_getaffinity_np(pthread_self(), sizeof(allowed), &allowed);
	start = now_ns();
	if (threads == 2) {
		must("a thread", -pthread_create(&other, NULL, fn, &h[1]));
		stay_on(other, 1, &allowed);
		stay_on(pthread_self(), 0, &allowed);
	}
	fn(&h[0]);
	if (threads == 2)
		pthread_join(other, NULL);
	start = now_ns() - start;
	*ret_cpu_ns = (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu);
	pthread_setaffinity_np(pthread_self(), sizeof(allowed), &allowed);
	return start;
}

static double mib_per_s(double *ns)
{
	return (double)SMALL / MiB / (median(ns, ROUNDS) / 1e9);
}

/* The same with one and with two threads; this machine's other users decide what two can reach. */
static void bulk(enum dataset_kind kind, const char *name)
{
	double bare[2][ROUNDS], arena[2][ROUNDS], ratio[2][ROUNDS], scale[2][ROUNDS];
	double bare_cpu[2], arena_cpu[2], cpu_scale[2][ROUNDS];
	uint8_t *plain = map_plain(SMALL), *mem;

	for (int i = 0; i < ROUNDS; i++) {
		for (unsigned t = 0; t < 2; t++) {
			struct memscope_arena *a = new_arena(MEMSCOPE_ACCESS_SIGNAL, SMALL, &mem);

			fill(plain, SMALL, kind);
			bare[t][i] = (double)time_halves(bare_half, NULL, plain, SMALL, t + 1,
							  &bare_cpu[t]);
			fill(mem, SMALL, kind);
			arena[t][i] = (double)time_halves(pack_half, a, mem, SMALL, t + 1,
							   &arena_cpu[t]);
			ratio[t][i] = bare[t][i] / arena[t][i];
			memscope_arena_destroy(a);
		}
		scale[0][i] = bare[0][i] / bare[1][i];
		scale[1][i] = arena[0][i] / arena[1][i];
		cpu_scale[0][i] = 2 * bare_cpu[0] / bare_cpu[1];
		cpu_scale[1][i] = 2 * arena_cpu[0] / arena_cpu[1];
	}
	munmap(plain, SMALL);
	printf("bulk %-10s one thread: loop %5.0f MiB/s, arena %5.0f: %3.0f %% of it (want 85); "
	       "two: "
	       "loop %5.0f, arena %5.0f: %3.0f %%\n",
	       name, mib_per_s(bare[0]), mib_per_s(arena[0]), 100 * median(ratio[0], ROUNDS),
	       mib_per_s(bare[1]), mib_per_s(arena[1]), 100 * median(ratio[1], ROUNDS));
	printf("bulk %-10s two threads against one: arena %.2f (want 1.7), loop %.2f; by CPU time, which "
	       "neighbours do not change, %.2f and %.2f\n",
	       name, median(scale[1], ROUNDS), median(scale[0], ROUNDS),
	       median(cpu_scale[1], ROUNDS), median(cpu_scale[0], ROUNDS));
}

/* ---- stalls ---- */

static void show(const char *what, const struct arena_bench_latency *l, const char *want)
{
	printf("%-44s p50 %6.2f p95 %6.2f p99 %6.2f max %8.2f us%s\n", what,
	       (double)l->p50_ns / 1e3, (double)l->p95_ns / 1e3, (double)l->p99_ns / 1e3,
	       (double)l->max_ns / 1e3, want);
}

/* Times loads of `n` pages in random order, each once. a: touched explicitly first. */
static struct arena_bench_latency touch_random(struct memscope_arena *a, uint8_t *mem, size_t len,
					       size_t n)
{
	size_t pages = len / PAGE, step = 0x9e3779b1 % pages | 1, at = 0;
	uint64_t *samples = malloc(n * sizeof(*samples));
	struct arena_bench_latency l;

	if (!samples)
		die("samples", -ENOMEM);
	memset(samples, 1, n * sizeof(*samples));
	/* An odd step visits every page of a power of two once. */
	for (size_t i = 0; i < n; i++, at = (at + step) % pages) {
		uint64_t start = now_ns();

		if (a)
			must("touching", memscope_arena_touch(a, mem + at * PAGE, 1));
		(void)*(volatile uint8_t *)(mem + at * PAGE);
		samples[i] = now_ns() - start;
	}
	l = arena_bench_latency_of(samples, n);
	free(samples);
	return l;
}

static void stalls(size_t len, const char *size)
{
	size_t n = MIN(len / PAGE, (size_t)32768);
	struct arena_bench_latency l;
	struct memscope_arena *a;
	char what[64];
	uint8_t *mem;
	uint64_t start;

	a = new_arena(MEMSCOPE_ACCESS_SIGNAL, len, &mem);
	fill(mem, len, DATASET_HEAP);
	pack(a, mem, len);
	l = touch_random(NULL, mem, len, n);
	snprintf(what, sizeof(what), "random, %s, transparent", size);
	show(what, &l, " (want 7.5 / 13)");
	pack(a, mem, len);
	start = now_ns();
	for (size_t i = 0; i < n; i++)
		(void)*(volatile uint8_t *)(mem + i * PAGE);
	printf("sequential, %s, transparent: %.2f us a page (want 3.5)\n", size,
	       (double)(now_ns() - start) / 1e3 / (double)n);
	memscope_arena_destroy(a);

	a = new_arena(MEMSCOPE_ACCESS_EXPLICIT, len, &mem);
	fill(mem, len, DATASET_HEAP);
	pack(a, mem, len);
	l = touch_random(a, mem, len, n);
	snprintf(what, sizeof(what), "random, %s, explicit", size);
	show(what, &l, " (want 4.5 / 8)");
	memscope_arena_destroy(a);
}

/* ---- zram ---- */

#define ZRAM "/sys/block/zram0/"

static int put_file(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static void get_file(const char *path, char *buf, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	buf[n > 0 ? n : 0] = '\0';
}

/* As mkswap(8) does it. */
static int make_swap(const char *dev, size_t len)
{
	_cleanup_close_ int fd = open(dev, O_WRONLY | O_CLOEXEC);
	uint8_t page[4096] = {0};
	uint32_t header[2] = {1, (uint32_t)(len / PAGE - 1)};

	memcpy(page + 1024, header, sizeof(header));
	memcpy(page + PAGE - 10, "SWAPSPACE2", 10);
	if (fd < 0)
		return -errno;
	return write(fd, page, PAGE) == (ssize_t)PAGE ? 0 : -EIO;
}

static void zram_compare(void)
{
	char before[256], algorithm[64] = "", size[32];
	struct arena_bench_latency l;
	uint64_t start;
	uint8_t *mem;

	get_file(ZRAM "disksize", size, sizeof(size));
	get_file(ZRAM "comp_algorithm", before, sizeof(before));
	if (strcmp(size, "0\n") || !strstr(before, "lz4")) {
		puts("zram: no free /dev/zram0 with lz4: no comparison");
		return;
	}
	/* "lzo-rle lzo [lz4]": the one in brackets is in use */
	if (strchr(before, '['))
		snprintf(algorithm, sizeof(algorithm), "%.*s", (int)strcspn(strchr(before, '[') + 1, "]"),
			 strchr(before, '[') + 1);
	snprintf(size, sizeof(size), "%llu", 4ULL * SMALL);
	if (put_file(ZRAM "comp_algorithm", "lz4") || put_file(ZRAM "disksize", size) ||
	    make_swap("/dev/zram0", 4 * SMALL) || swapon("/dev/zram0", 0)) {
		printf("zram: cannot be set up (%s): no comparison\n", strerror(errno));
	} else {
		mem = map_plain(SMALL);
		fill(mem, SMALL, DATASET_HEAP);
		madvise(mem, SMALL, MADV_PAGEOUT);
		l = touch_random(NULL, mem, SMALL, SMALL / PAGE);
		show("random, 128 MiB, swap-in from zram lz4", &l, "");
		madvise(mem, SMALL, MADV_PAGEOUT);
		start = now_ns();
		for (size_t i = 0; i < SMALL / PAGE; i++)
			(void)*(volatile uint8_t *)(mem + i * PAGE);
		printf("sequential, 128 MiB, swap-in from zram lz4: %.2f us a page\n",
		       (double)(now_ns() - start) / 1e3 / (double)(SMALL / PAGE));
		munmap(mem, SMALL);
		if (swapoff("/dev/zram0"))
			die("swapoff /dev/zram0", -errno);
	}
	put_file(ZRAM "reset", "1");
	put_file(ZRAM "comp_algorithm", algorithm);
}

/* ---- touches while another part is being compressed ---- */

static atomic_bool finished;

static void *pack_again_and_again(void *arg)
{
	struct half *h = arg;

	while (!atomic_load(&finished)) {
		pack(h->a, h->mem, h->len);
		must("prefetching", memscope_arena_prefetch(h->a, h->mem, h->len));
	}
	return NULL;
}

/* What other users of the CPUs cost by themselves. */
static void *burn(void *arg _unused_)
{
	while (!atomic_load(&finished))
		;
	return NULL;
}

static void touches_beside(void *(*neighbour)(void *), const char *what)
{
	size_t n = SMALL / PAGE, at = 0;
	uint64_t *samples = malloc(n * sizeof(*samples));
	struct memscope_arena *a;
	struct half other;
	pthread_t thread;
	uint8_t *mem;

	if (!samples)
		die("samples", -ENOMEM);
	a = new_arena(MEMSCOPE_ACCESS_SIGNAL, 2 * SMALL, &mem);
	fill(mem, 2 * SMALL, DATASET_HEAP);
	pack(a, mem, SMALL);
	other = (struct half){a, mem + SMALL, SMALL};
	atomic_store(&finished, false);
	must("a thread", -pthread_create(&thread, NULL, neighbour, &other));
	for (size_t i = 0; i < n; i++, at = (at + 7919) % n) {
		uint64_t start = now_ns();

		(void)*(volatile uint8_t *)(mem + at * PAGE);
		samples[i] = now_ns() - start;
	}
	atomic_store(&finished, true);
	pthread_join(thread, NULL);
	arena_bench_latency_of(samples, n);
	printf("touch of compressed pages beside %-36s p50 %.2f p99 %.2f p99.9 %.2f max %.0f us\n",
	       what, (double)samples[n / 2] / 1e3, (double)samples[n * 99 / 100] / 1e3,
	       (double)samples[n * 999 / 1000] / 1e3, (double)samples[n - 1] / 1e3);
	memscope_arena_destroy(a);
	free(samples);
}

/* ---- density ---- */

static void show_density(struct memscope_arena *a, const char *when, const char *want)
{
	struct memscope_arena_stats s = stats_of(a);

	printf("pool / compressed bytes %-34s %.3f %s\n", when,
	       (double)s.pool_resident_bytes / (double)s.compressed_bytes, want);
}

static void density(void)
{
	struct memscope_arena_stats s;
	struct memscope_arena *a;
	uint64_t rnd = 1, moved;
	uint8_t *mem, *page = malloc(PAGE);
	size_t pages = SMALL / PAGE;

	if (!page)
		die("page", -ENOMEM);
	a = new_arena(MEMSCOPE_ACCESS_SIGNAL, SMALL, &mem);
	fill(mem, SMALL, DATASET_HEAP);
	pack(a, mem, SMALL);
	s = stats_of(a);
	show_density(a, "filled", "(want 1.02)");
	printf("metadata: tables %.2f bytes a page (want 16); headers and rounding, in the figure "
	       "above, "
	       "%.2f; fixed %.1f MiB\n",
	       (double)s.metadata_bytes / (double)pages,
	       (double)(s.pool_live_bytes - s.compressed_bytes) / (double)pages,
	       (double)s.fixed_bytes / MiB);
	/* Random pages change and are compressed again, a few hundred at a time. */
	for (size_t i = 0; i < 5 * pages; i++) {
		size_t at = dataset_random(&rnd) % pages;

		memcpy(page, mem + dataset_random(&rnd) % pages * PAGE, PAGE);
		memcpy(mem + at * PAGE, page, PAGE);
		if (i % 512 == 511)
			pack(a, mem, SMALL);
	}
	pack(a, mem, SMALL);
	moved = stats_of(a).compacted_bytes;
	show_density(a, "after 5 times as many replacements", "(want 1.10)");
	printf("bytes moved by cleaning for each byte stored: %.2f\n",
	       (double)moved / (double)(stats_of(a).compress_ops * s.compressed_bytes / pages));
	for (size_t i = 0; i < pages; i++)
		if (dataset_random(&rnd) & 1)
			must("discarding", memscope_arena_discard(a, mem + i * PAGE, 1));
	show_density(a, "after freeing a random half", "(want 1.15)");
	memscope_arena_destroy(a);
	free(page);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1)
		must(argv[1], input_open(argv[1], GiB, &image));
	image.len = image.len / PAGE * PAGE;
	printf("contents: %s\n", image.len ? argv[1] : "made-up heap");
	bulk(DATASET_REPETITIVE, "repetitive");
	bulk(DATASET_HEAP, image.len ? "image" : "heap");
	stalls(SMALL, "128 MiB");
	zram_compare();
	stalls(LARGE, "4 GiB");
	touches_beside(burn, "a busy loop");
	touches_beside(pack_again_and_again, "compression of another part (want 100)");
	density();
	input_release(&image);
	return 0;
}
