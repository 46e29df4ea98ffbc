/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Does memscope's figure agree with the library's own speed? For each codec and size the benchmark
 * core and a plain tight loop (the library's calls, nothing else, over the same data) take turns,
 * and the medians of their rounds are compared. A ratio of 1.00 means that measuring costs nothing.
 */
#include <lz4.h>
#include <lz4hc.h>
#include <string.h>

#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

#include "lib/codec_bench.h"
#include "lib/dataset.h"

#define DATA     ((size_t)MiB)
#define ROUNDS   7
#define BATCH_NS (5 * NSEC_PER_MSEC)

struct loop {
	struct codec_spec spec;
	void *lz4;
	LZ4_streamHC_t *hc;
	ZSTD_CCtx *cctx;
	ZSTD_DCtx *dctx;
	const char *in;
	char *packed, *out;
	size_t size, stride, n;
	size_t lens[DATA / (4 * KiB)];
};

static void loop_compress(struct loop *l)
{
	switch (l->spec.id) {
	case CODEC_LZ4:
		for (size_t i = 0; i < l->n; i++)
			l->lens[i] = (size_t)LZ4_compress_fast_extState(
				l->lz4, l->in + i * l->size, l->packed + i * l->stride,
				(int)l->size, (int)l->stride, l->spec.level);
		break;
	case CODEC_LZ4HC:
		for (size_t i = 0; i < l->n; i++) {
			LZ4_resetStreamHC_fast(l->hc, l->spec.level);
			l->lens[i] = (size_t)LZ4_compress_HC_continue(l->hc, l->in + i * l->size,
								      l->packed + i * l->stride,
								      (int)l->size, (int)l->stride);
		}
		break;
	default:
		for (size_t i = 0; i < l->n; i++)
			l->lens[i] = ZSTD_compress2(l->cctx, l->packed + i * l->stride, l->stride,
						    l->in + i * l->size, l->size);
		break;
	}
}

static void loop_decompress(struct loop *l)
{
	if (l->spec.id == CODEC_ZSTD) {
		for (size_t i = 0; i < l->n; i++)
			ZSTD_decompressDCtx(l->dctx, l->out + i * l->size, l->size,
					    l->packed + i * l->stride, l->lens[i]);
		return;
	}
	for (size_t i = 0; i < l->n; i++)
		LZ4_decompress_safe(l->packed + i * l->stride, l->out + i * l->size,
				    (int)l->lens[i], (int)l->size);
}

static int loop_init(struct loop *l, const struct codec_spec *spec, const char *in, size_t size)
{
	memset(l, 0, sizeof(*l));
	l->spec = *spec;
	l->in = in;
	l->size = size;
	l->stride = ROUND_UP(ZSTD_compressBound(size) + 64, 64);
	l->n = DATA / size;
	l->lz4 = malloc((size_t)LZ4_sizeofState());
	l->hc = LZ4_createStreamHC();
	l->cctx = ZSTD_createCCtx();
	l->dctx = ZSTD_createDCtx();
	l->packed = malloc(l->n * l->stride);
	l->out = malloc(DATA);
	if (!l->lz4 || !l->hc || !l->cctx || !l->dctx || !l->packed || !l->out)
		return -ENOMEM;
	memset(l->packed, 1, l->n * l->stride);
	memset(l->out, 1, DATA);
	/* The same frames as lib/codec.c makes: a loop over another format would compare formats.
	 */
	ZSTD_CCtx_setParameter(l->cctx, ZSTD_c_compressionLevel, spec->level);
	ZSTD_CCtx_setParameter(l->cctx, ZSTD_c_contentSizeFlag, 0);
	ZSTD_CCtx_setParameter(l->cctx, ZSTD_c_format, (int)ZSTD_f_zstd1_magicless);
	ZSTD_DCtx_setParameter(l->dctx, ZSTD_d_format, (int)ZSTD_f_zstd1_magicless);
	return 0;
}

static void loop_release(struct loop *l)
{
	free(l->lz4);
	LZ4_freeStreamHC(l->hc);
	ZSTD_freeCCtx(l->cctx);
	ZSTD_freeDCtx(l->dctx);
	free(l->packed);
	free(l->out);
}

/* MiB/s by wall time and by thread CPU. */
struct speed {
	double wall, cpu;
};

static struct speed time_once(struct loop *l, void (*pass)(struct loop *l))
{
	uint64_t wall = now_ns(), cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID), passes = 0, t;

	do {
		pass(l);
		passes++;
		t = now_ns();
	} while (t - wall < BATCH_NS);
	cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
	return (struct speed){(double)passes * 1e9 / (double)(t - wall),
			      (double)passes * 1e9 / (double)cpu};
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v)
{
	qsort(v, ROUNDS, sizeof(*v), compare);
	return v[ROUNDS / 2];
}

/* A warm-up and three runs, as the benchmark core has; the middle one by CPU time. */
static struct speed time_loop(struct loop *l, void (*pass)(struct loop *l))
{
	struct speed a, b, c;

	time_once(l, pass);
	a = time_once(l, pass);
	b = time_once(l, pass);
	c = time_once(l, pass);
	if ((a.cpu >= b.cpu) == (a.cpu <= c.cpu))
		return a;
	return (b.cpu >= a.cpu) == (b.cpu <= c.cpu) ? b : c;
}

struct column {
	double ours[ROUNDS], loop[ROUNDS], ratio[ROUNDS];
};

static void record(struct column *c, int round, const struct bench_times *t, struct speed loop)
{
	double ours_cpu = t->thread_cpu_ms > 0 ? DATA / (double)MiB / (t->thread_cpu_ms / 1e3) : 0;

	c->ours[round] = t->mib_per_s;
	c->loop[round] = loop.wall * DATA / (double)MiB;
	/* By CPU time, since one task more on the machine spoils a wall time but not this. */
	c->ratio[round] = ours_cpu / (loop.cpu * DATA / (double)MiB);
}

static bool print_column(struct column *c)
{
	double ratio = median(c->ratio);
	bool off = ratio < 0.95 || ratio > 1.05;

	printf("  %9.0f %9.0f  %5.3f%s", median(c->ours), median(c->loop), ratio, off ? "!" : " ");
	return off;
}

static int compare_one(struct codec_bench *b, const char *name, size_t size, const char *data,
		       bool *ret_off)
{
	const struct bench_input in = {.name = "heap", .data = data, .len = DATA};
	const struct bench_params p = {
		.runs = 3, .warmups = 1, .batch_ns = BATCH_NS, .working_set = DATA};
	struct column compress, decompress;
	struct bench_result r;
	struct codec_spec spec;
	struct loop l;
	int err = codec_spec_parse(name, &spec);

	if (!err)
		err = loop_init(&l, &spec, data, size);
	if (err)
		return err;
	loop_compress(&l);
	loop_decompress(&l);
	for (int i = 0; i < ROUNDS && !err; i++) {
		err = codec_bench_run(b, &spec, NULL, BENCH_BLOCK, size, &in, &p, &r);
		if (err)
			break;
		record(&compress, i, &r.compress, time_loop(&l, loop_compress));
		record(&decompress, i, &r.decompress, time_loop(&l, loop_decompress));
	}
	loop_release(&l);
	if (err)
		return err;
	printf("%-8s %5zu", name, size);
	*ret_off |= print_column(&compress);
	*ret_off |= print_column(&decompress);
	putchar('\n');
	return 0;
}

int main(void)
{
	static const char *const specs[] = {"lz4:1",   "lz4:8",   "lz4hc:3", "lz4hc:9",
					    "zstd:-5", "zstd:-1", "zstd:1",  "zstd:3"};
	_cleanup_codec_bench_ struct codec_bench *b = NULL;
	_cleanup_free_ char *data = malloc(DATA);
	bool off = false;
	int err = data ? codec_bench_new(&b) : -ENOMEM;

	if (!err)
		dataset_fill(DATASET_HEAP, 1, 0, data, DATA);
	printf("MiB/s of memscope and of a plain loop over the same heap data; ratio by CPU time, "
	       "! if "
	       "off by 5%%\n%-8s %5s  %29s  %29s\n",
	       "codec", "size", "compress: ours  loop  ratio ", "restore: ours  loop  ratio ");
	for (size_t i = 0; i < ARRAY_SIZE(specs) && !err; i++) {
		for (size_t size = 4 * KiB; size <= 64 * KiB && !err; size *= 16)
			err = compare_one(b, specs[i], size, data, &off);
	}
	if (err) {
		fprintf(stderr, "bench-codec: %s\n", strerror(-err));
		return 1;
	}
	puts(off ? "some are more than 5% off: another run, or a quieter machine, tells whether it "
		   "is noise"
		 : "all within 5%");
	return 0;
}
