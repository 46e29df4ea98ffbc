/* SPDX-License-Identifier: BSD-2-Clause */
/* What is counted is checked, what is timed is not: only that times are there. */
#include <check.h>
#include <string.h>

#include "lib/codec_bench.h"
#include "lib/codec_sweep.h"
#include "lib/dataset.h"
#include "tests/unit/unit.h"

#define PAGE ((size_t)4096)

static struct bench_params quick(void)
{
	return (struct bench_params){.runs = 3,
				     .warmups = 1,
				     .batch_ns = 10 * NSEC_PER_USEC,
				     .working_set = 64 * KiB,
				     .min_savings_pct = 5};
}

static const struct codec_spec lz4 = {CODEC_LZ4, 1};

START_TEST(test_page_classes)
{
	unsigned char pages[8 * PAGE + 100]; /* the tail is no page */
	const struct bench_input in = {.name = "made", .data = pages, .len = sizeof(pages)};
	const struct bench_params p = quick();
	struct codec_bench *b;
	struct bench_result r;

	memset(pages, 0, sizeof(pages));                                /* 0 and 1: zero */
	codec_fill(pages + 2 * PAGE, PAGE, 0xabcd);                     /* 2: same-filled */
	dataset_fill(DATASET_UNIQUE, 1, 0, pages + 3 * PAGE, 2 * PAGE); /* 3, 4 */
	dataset_fill(DATASET_HEAP, 1, 0, pages + 5 * PAGE, 3 * PAGE);
	ck_assert_int_eq(codec_bench_new(&b), 0);
	ck_assert_int_eq(codec_bench_run(b, &lz4, NULL, BENCH_PAGE, PAGE, &in, &p, &r), 0);
	ck_assert(r.valid);
	ck_assert_uint_eq(r.blocks, 8);
	ck_assert_uint_eq(r.input_bytes, 8 * PAGE);
	ck_assert_uint_eq(r.zero_pages, 2);
	ck_assert_uint_eq(r.same_filled_pages, 1);
	ck_assert_uint_eq(r.incompressible_pages, 2);
	ck_assert_uint_eq(r.codec_bytes, 5 * PAGE);
	ck_assert_uint_gt(r.compressed_bytes, 2 * PAGE);
	ck_assert_uint_lt(r.compressed_bytes, 4 * PAGE);
	ck_assert_uint_gt(r.packed_bytes, r.compressed_bytes);
	ck_assert_double_gt(r.compress.wall_ms, 0);
	ck_assert_double_gt(r.decompress.thread_cpu_ms, 0);
	ck_assert_uint_le(r.compress.p50_ns, r.compress.p99_ns);
	/* A block test takes no page for free and refuses none. */
	ck_assert_int_eq(codec_bench_run(b, &lz4, NULL, BENCH_BLOCK, PAGE, &in, &p, &r), 0);
	ck_assert_uint_eq(r.codec_bytes, 8 * PAGE);
	ck_assert_uint_eq(r.zero_pages + r.incompressible_pages, 0);
	codec_bench_free(b);
}
END_TEST

START_TEST(test_all_free)
{
	static unsigned char pages[4 * 4096];
	const struct bench_input in = {.name = "zero", .data = pages, .len = sizeof(pages)};
	const struct bench_params p = quick();
	struct codec_bench *b;
	struct bench_result r;

	ck_assert_int_eq(codec_bench_new(&b), 0);
	ck_assert_int_eq(codec_bench_run(b, &lz4, NULL, BENCH_PAGE, PAGE, &in, &p, &r), 0);
	ck_assert(r.valid);
	ck_assert_uint_eq(r.zero_pages, 4);
	ck_assert_uint_eq(r.compressed_bytes, 0);
	ck_assert_double_eq(r.ratio, 0);
	ck_assert_double_eq(r.savings_pct, 100);
	codec_bench_free(b);
}
END_TEST

START_TEST(test_errors)
{
	static unsigned char data[8192];
	const struct bench_input in = {.name = "short", .data = data, .len = 4095};
	const struct codec_spec bad = {CODEC_ZSTD, 20};
	volatile sig_atomic_t stop = 1;
	struct bench_params p = quick();
	struct codec_bench *b;
	struct bench_result r;

	ck_assert_int_eq(codec_bench_new(&b), 0);
	ck_assert_int_eq(codec_bench_run(b, &lz4, NULL, BENCH_PAGE, PAGE, &in, &p, &r), -ENODATA);
	ck_assert_int_eq(codec_bench_run(b, &bad, NULL, BENCH_BLOCK, KiB, &in, &p, &r), -ERANGE);
	p.stop = &stop;
	ck_assert_int_eq(codec_bench_run(b, &lz4, NULL, BENCH_BLOCK, KiB, &in, &p, &r), -EINTR);
	codec_bench_free(b);
	codec_bench_free(NULL);
}
END_TEST

/* Figures worked out by hand from mm/zsmalloc.c's rule. */
START_TEST(test_packing)
{
	ck_assert_double_eq(bench_packed_bytes(0, 4096), 0);
	ck_assert_double_eq(bench_packed_bytes(1, 4096), 32);
	ck_assert_double_eq(bench_packed_bytes(24, 4096), 32);
	/* 32 + 8 handle = class 48: 3 pages hold 256 of them without waste. */
	ck_assert_double_eq(bench_packed_bytes(32, 4096), 48);
	/* 2040 + 8 = class 2048. */
	ck_assert_double_eq(bench_packed_bytes(2040, 4096), 2048);
	/* Class 2064: 8 pages hold 15 (waste 1808), 7 hold 13 (1840), 2 pages 3 (2000), 1 page 1
	 * (2032). */
	ck_assert_double_eq_tol(bench_packed_bytes(2048, 4096), 8 * 4096 / 15.0, 1e-9);
	ck_assert_double_eq(bench_packed_bytes(4090, 4096), 4096);
	ck_assert_double_eq(bench_packed_bytes(4096, 4096), 4096);
	ck_assert_double_eq(bench_packed_bytes(65000, 65536), 65536);
	for (size_t n = 1; n <= 4096; n++) {
		ck_assert_double_ge(bench_packed_bytes(n, 4096), (double)n);
		ck_assert_double_le(bench_packed_bytes(n, 4096), 4096);
	}
}
END_TEST

START_TEST(test_ladder)
{
	struct sweep_size sizes[SWEEP_SIZES_MAX];

	ck_assert_uint_eq(sweep_ladder(KiB, 16 * MiB, sizes, SWEEP_SIZES_MAX), 15);
	ck_assert_uint_eq(sizes[0].size, KiB);
	ck_assert_uint_eq(sizes[14].size, 16 * MiB);
	ck_assert_uint_eq(sweep_ladder(KiB, 5000, sizes, SWEEP_SIZES_MAX), 3);
	ck_assert_uint_eq(sweep_ladder(KiB, KiB - 1, sizes, SWEEP_SIZES_MAX), 0);
	ck_assert_uint_eq(sweep_ladder(KiB, GiB, sizes, 4), 4);
}
END_TEST

struct seen {
	size_t results, reports;
	volatile sig_atomic_t stop;
	size_t stop_at;
	bool total_below_elapsed;
};

static int on_result(void *arg, const struct bench_result *r _unused_)
{
	struct seen *seen = arg;

	seen->results++;
	if (seen->results == seen->stop_at)
		seen->stop = 1;
	return 0;
}

static void on_progress(void *arg, const struct sweep_state *state)
{
	struct seen *seen = arg;

	seen->reports++;
	ck_assert_uint_eq(state->test, seen->reports);
	seen->total_below_elapsed |= state->total_ns < state->elapsed_ns;
}

static struct sweep *make_sweep(unsigned char *data, size_t len, struct seen *seen)
{
	struct sweep *s = calloc(1, sizeof(*s));

	s->codecs[s->n_codecs++].spec = lz4;
	s->codecs[s->n_codecs++].spec = (struct codec_spec){CODEC_ZSTD, 1};
	s->inputs[s->n_inputs++] = (struct bench_input){.name = "a", .data = data, .len = len};
	s->inputs[s->n_inputs++] = (struct bench_input){.name = "b", .data = data, .len = 2 * KiB};
	s->n_sizes = sweep_ladder(KiB, 8 * KiB, s->sizes, SWEEP_SIZES_MAX);
	s->params = quick();
	s->params.stop = &seen->stop;
	s->arg = seen;
	s->progress = on_progress;
	s->result = on_result;
	return s;
}

START_TEST(test_sweep)
{
	unsigned char data[8 * KiB];
	struct seen seen = {0};
	struct sweep *s = make_sweep(data, sizeof(data), &seen);
	enum sweep_end end = SWEEP_LIMIT;
	struct codec_bench *b;

	dataset_fill(DATASET_TEXT, 1, 0, data, sizeof(data));
	ck_assert_int_eq(codec_bench_new(&b), 0);
	ck_assert_int_eq(sweep_plan(s, b), 0);
	ck_assert_uint_eq(s->tests, 2 * (4 + 2)); /* the short input has two sizes */
	ck_assert_uint_gt(s->estimate_ns, 0);
	ck_assert_int_eq(sweep_run(s, b, &end), 0);
	ck_assert_int_eq(end, SWEEP_DONE);
	ck_assert_uint_eq(seen.results, s->tests);
	ck_assert_uint_eq(seen.reports, s->tests);
	ck_assert(!seen.total_below_elapsed);
	codec_bench_free(b);
	free(s);
}
END_TEST

START_TEST(test_sweep_cut_short)
{
	unsigned char data[8 * KiB];
	struct seen seen = {.stop_at = 3};
	struct sweep *s = make_sweep(data, sizeof(data), &seen);
	enum sweep_end end = SWEEP_DONE;
	struct codec_bench *b;

	dataset_fill(DATASET_TEXT, 1, 0, data, sizeof(data));
	ck_assert_int_eq(codec_bench_new(&b), 0);
	ck_assert_int_eq(sweep_plan(s, b), 0);
	ck_assert_int_eq(sweep_run(s, b, &end), 0);
	ck_assert_int_eq(end, SWEEP_STOPPED);
	ck_assert_uint_eq(seen.results, 3);
	/* Stopped before it was planned. */
	ck_assert_int_eq(sweep_plan(s, b), -EINTR);
	/* A limit that no test fits in. */
	seen = (struct seen){0};
	ck_assert_int_eq(sweep_plan(s, b), 0);
	s->limit_ns = 1;
	ck_assert_int_eq(sweep_run(s, b, &end), 0);
	ck_assert_int_eq(end, SWEEP_LIMIT);
	ck_assert_uint_eq(seen.results, 0);
	codec_bench_free(b);
	free(s);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("codec_bench");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_page_classes);
	tcase_add_test(t, test_all_free);
	tcase_add_test(t, test_errors);
	tcase_add_test(t, test_packing);
	tcase_add_test(t, test_ladder);
	tcase_add_test(t, test_sweep);
	tcase_add_test(t, test_sweep_cut_short);
	return unit_run(t, "codec_bench");
}
