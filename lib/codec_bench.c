/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * codec_bench: one test after the other over the same buffers.
 *
 *	input   |block 0|block 1|block 2|…            borrowed
 *	packed  |slot 0   |slot 1   |slot 2   |…      one slot of `stride` bytes for each block
 *	lens    [n0, n1, n2, …]                       0: not stored compressed
 *	output  |block 0|block 1|block 2|…            where decompression goes
 *	todo    [0, 2, …]                             the blocks that the codec is given
 *
 * Blocks are numbered as in the input throughout. A page test leaves same-filled pages out of
 *`todo`. Single-threaded.
 */
#include "lib/codec_bench.h"

#include <math.h>
#include <string.h>

struct buffer {
	void *p;
	size_t size;
};

struct codec_bench {
	struct buffer packed, output, lens, todo, ns;
};

/* One test in progress. */
struct job {
	struct codec *codec;
	const unsigned char *in;
	unsigned char *packed;
	unsigned char *out;
	uint32_t *lens;
	uint32_t *todo;
	uint32_t *ns;
	size_t size, stride, cap;
	size_t n_blocks, n_todo, n_stored;
	const volatile sig_atomic_t *stop;
	int err;
};

/* A pass: every block of todo once. Returns false when it was stopped or failed. */
typedef bool pass_fn(struct job *j);

struct clocks {
	uint64_t wall, thread, process;
};

int codec_bench_new(struct codec_bench **ret)
{
	struct codec_bench *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	*ret = b;
	return 0;
}

void codec_bench_free(struct codec_bench *b)
{
	if (!b)
		return;
	free(b->packed.p);
	free(b->output.p);
	free(b->lens.p);
	free(b->todo.p);
	free(b->ns.p);
	free(b);
}

/* Pages are touched here, so that no timed pass takes their first fault. */
static void *buffer_room(struct buffer *buf, size_t size)
{
	void *p;

	if (buf->size >= size)
		return buf->p;
	p = malloc(size);
	if (!p)
		return NULL;
	memset(p, 0xa5, size);
	free(buf->p);
	buf->p = p;
	buf->size = size;
	return p;
}

static bool stopped(struct job *j)
{
	if (j->stop && *j->stop)
		j->err = -EINTR;
	return j->err != 0;
}

static bool compress_one(struct job *j, uint32_t i)
{
	size_t n = 0;
	int err = codec_compress(j->codec, j->packed + i * j->stride, j->cap, j->in + i * j->size,
				 j->size, &n);

	if (err && err != -ENOSPC)
		j->err = err;
	j->lens[i] = (uint32_t)n;
	return !j->err;
}

static bool compress_pass(struct job *j)
{
	for (size_t k = 0; k < j->n_todo; k++) {
		if (!compress_one(j, j->todo[k]) || stopped(j))
			return false;
	}
	return true;
}

/* A block that fails to decode is found by the comparison in validate(); here only time counts. */
static void decompress_one(struct job *j, uint32_t i)
{
	if (j->lens[i])
		codec_decompress(j->codec, j->out + i * j->size, j->size, j->packed + i * j->stride,
				 j->lens[i]);
}

static bool decompress_pass(struct job *j)
{
	for (size_t k = 0; k < j->n_todo; k++) {
		decompress_one(j, j->todo[k]);
		if (stopped(j))
			return false;
	}
	return true;
}

static struct clocks read_clocks(void)
{
	return (struct clocks){
		.process = clock_ns(CLOCK_PROCESS_CPUTIME_ID),
		.thread = clock_ns(CLOCK_THREAD_CPUTIME_ID),
		.wall = now_ns(),
	};
}

static int compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Sorts v. n is at least 1. */
static double median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), compare_double);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* Of sorted values. */
static double spread_pct(const double *v, size_t n)
{
	double mid = v[n / 2];

	return mid > 0 ? (v[n - 1] - v[0]) / mid * 100 : 0;
}

/* passes passes between two readings; per pass, in ms. */
static bool timed_run(struct job *j, pass_fn *pass, uint64_t passes, double ms[3])
{
	struct clocks t0 = read_clocks(), t1;
	double per = (double)passes * 1e6;

	for (uint64_t i = 0; i < passes; i++) {
		if (!pass(j))
			return false;
	}
	t1 = read_clocks();
	ms[0] = (double)(t1.wall - t0.wall) / per;
	ms[1] = (double)(t1.thread - t0.thread) / per;
	ms[2] = (double)(t1.process - t0.process) / per;
	return true;
}

static bool measure(struct job *j, pass_fn *pass, const struct bench_params *p, double bytes,
		    struct bench_times *t)
{
	double wall[BENCH_RUNS_MAX], thread[BENCH_RUNS_MAX], process[BENCH_RUNS_MAX], ms[3];
	uint64_t passes = 1;

	/* The pass that finds out how many passes make a run also warms caches and branch history.
	 */
	if (!timed_run(j, pass, 1, ms))
		return false;
	if (ms[0] * 1e6 < (double)p->batch_ns)
		passes = (uint64_t)ceil((double)p->batch_ns / fmax(ms[0] * 1e6, 100));
	for (unsigned i = 0; i < p->warmups; i++) {
		if (!timed_run(j, pass, passes, ms))
			return false;
		/* The first pass was cold: its estimate may be far too few. */
		if (ms[0] * 1e6 * (double)passes < (double)p->batch_ns / 2)
			passes *= 2;
	}
	for (unsigned i = 0; i < p->runs; i++) {
		if (!timed_run(j, pass, passes, ms))
			return false;
		wall[i] = ms[0];
		thread[i] = ms[1];
		process[i] = ms[2];
	}
	t->wall_ms = median(wall, p->runs);
	t->thread_cpu_ms = median(thread, p->runs);
	t->process_cpu_ms = median(process, p->runs);
	t->spread_pct = spread_pct(wall, p->runs);
	t->cpu_spread_pct = spread_pct(thread, p->runs);
	if (t->wall_ms > 0)
		t->mib_per_s = bytes / (double)MiB / (t->wall_ms / 1e3);
	return true;
}

/* What two readings of the clock with nothing between them differ by. */
static uint64_t clock_cost(void)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 200; i++) {
		uint64_t t = now_ns(), d = now_ns() - t;

		least = MIN(least, d);
	}
	return least;
}

/* One pass with a reading around each page. Returns the number of pages timed, sorted into j->ns.
 */
static size_t time_pages(struct job *j, bool decompress, uint64_t cost)
{
	size_t n = 0;

	for (size_t k = 0; k < j->n_todo && !stopped(j); k++) {
		uint32_t i = j->todo[k];
		uint64_t t;

		if (decompress && !j->lens[i])
			continue;
		t = now_ns();
		if (decompress)
			decompress_one(j, i);
		else
			compress_one(j, i);
		t = now_ns() - t;
		j->ns[n++] = (uint32_t)MIN(t > cost ? t - cost : 0, UINT32_MAX);
	}
	qsort(j->ns, n, sizeof(*j->ns), compare_u32);
	return n;
}

static bool measure_pages(struct job *j, bool decompress, unsigned runs, struct bench_times *t)
{
	double p50[BENCH_RUNS_MAX], p99[BENCH_RUNS_MAX];
	uint64_t cost = clock_cost();

	for (unsigned i = 0; i < runs; i++) {
		size_t n = time_pages(j, decompress, cost);

		if (j->err)
			return false;
		if (!n)
			return true;
		p50[i] = j->ns[(n - 1) / 2];
		p99[i] = j->ns[(n - 1) * 99 / 100];
	}
	t->p50_ns = (uint64_t)median(p50, runs);
	t->p99_ns = (uint64_t)median(p99, runs);
	return true;
}

/* Every stored block decoded into poisoned memory and compared. */
static bool validate(struct job *j)
{
	memset(j->out, 0x5a, j->n_blocks * j->size);
	for (size_t k = 0; k < j->n_todo; k++) {
		uint32_t i = j->todo[k];
		unsigned char *out = j->out + i * j->size;

		if (!j->lens[i])
			continue;
		if (codec_decompress(j->codec, out, j->size, j->packed + i * j->stride,
				     j->lens[i]) ||
		    memcmp(out, j->in + i * j->size, j->size))
			return false;
	}
	return true;
}

double bench_packed_bytes(size_t len, size_t page_size)
{
	size_t step = page_size / 256, class, pages = 1, waste = SIZE_MAX;

	if (!len)
		return 0;
	class = ROUND_UP(MAX(len + 8, 2 * step), step);
	if (class >= page_size)
		return (double)page_size;
	for (size_t i = 1; i <= 8; i++) {
		if (i * page_size % class < waste) {
			waste = i * page_size % class;
			pages = i;
		}
	}
	return (double)(pages * page_size) / (double)(pages * page_size / class);
}

static void classify(struct job *j, enum bench_unit unit, struct bench_result *r)
{
	uint64_t word;

	for (size_t i = 0; i < j->n_blocks; i++) {
		j->lens[i] = 0;
		if (unit == BENCH_BLOCK || !codec_same_filled(j->in + i * j->size, j->size, &word))
			j->todo[j->n_todo++] = (uint32_t)i;
		else if (word)
			r->same_filled_pages++;
		else
			r->zero_pages++;
	}
}

static void count_bytes(struct job *j, enum bench_unit unit, struct bench_result *r)
{
	double packed = 0;

	for (size_t k = 0; k < j->n_todo; k++) {
		size_t n = j->lens[j->todo[k]];

		j->n_stored += n != 0;
		r->compressed_bytes += n ? n : j->size;
		packed += n ? bench_packed_bytes(n, j->size) : (double)j->size;
	}
	r->incompressible_pages = j->n_todo - j->n_stored;
	r->codec_bytes = j->n_todo * j->size;
	if (unit == BENCH_PAGE)
		r->packed_bytes = (uint64_t)llround(packed);
	if (r->compressed_bytes)
		r->ratio = (double)r->input_bytes / (double)r->compressed_bytes;
	r->savings_pct = ((double)r->input_bytes - (double)r->compressed_bytes) /
			 (double)r->input_bytes * 100;
}

static size_t blocks_of(const struct bench_input *in, enum bench_unit unit, size_t size,
			size_t working_set)
{
	if (unit == BENCH_BLOCK)
		return MIN(in->len / size, MAX(working_set / size, 1));
	return (in->page_len ? MIN(in->page_len, in->len) : in->len) / size;
}

static int job_init(struct job *j, struct codec_bench *b, enum bench_unit unit, size_t size,
		    const struct bench_input *in, const struct bench_params *p)
{
	j->n_blocks = blocks_of(in, unit, size, p->working_set);
	if (!j->n_blocks)
		return -ENODATA;
	j->in = in->data;
	j->size = size;
	j->stride = ROUND_UP(codec_bound(j->codec, size), 64);
	j->cap = codec_bound(j->codec, size);
	if (unit == BENCH_PAGE)
		j->cap = (size_t)((double)size * (100 - p->min_savings_pct) / 100);
	j->stop = p->stop;
	j->packed = buffer_room(&b->packed, j->n_blocks * j->stride);
	j->out = buffer_room(&b->output, j->n_blocks * size);
	j->lens = buffer_room(&b->lens, j->n_blocks * sizeof(*j->lens));
	j->todo = buffer_room(&b->todo, j->n_blocks * sizeof(*j->todo));
	j->ns = buffer_room(&b->ns, j->n_blocks * sizeof(*j->ns));
	return j->packed && j->out && j->lens && j->todo && j->ns ? 0 : -ENOMEM;
}

static void describe(const struct codec_spec *spec, const struct codec_dict *dict,
		     enum bench_unit unit, size_t size, const struct bench_input *in,
		     const struct bench_params *p, struct bench_result *r)
{
	const struct codec_family *f = codec_family(spec->id);

	snprintf(r->codec, sizeof(r->codec), "%s", f->codec);
	snprintf(r->mode, sizeof(r->mode), "%s", dict ? "dict" : f->mode);
	snprintf(r->dataset, sizeof(r->dataset), "%s", in->name);
	snprintf(r->unit, sizeof(r->unit), "%s", unit == BENCH_PAGE ? "page" : "block");
	r->level = spec->level;
	r->size_bytes = size;
	r->runs = p->runs;
	r->warmups = p->warmups;
}

int codec_bench_run(struct codec_bench *b, const struct codec_spec *spec,
		    const struct codec_dict *dict, enum bench_unit unit, size_t size,
		    const struct bench_input *in, const struct bench_params *params,
		    struct bench_result *ret)
{
	_cleanup_codec_ struct codec *codec = NULL;
	struct bench_result r = {0};
	struct job j = {0};
	int err;

	err = codec_new(spec, dict, &codec);
	if (err)
		return err;
	j.codec = codec;
	err = job_init(&j, b, unit, size, in, params);
	if (err)
		return err;
	describe(spec, dict, unit, size, in, params, &r);
	r.blocks = j.n_blocks;
	r.input_bytes = j.n_blocks * size;
	classify(&j, unit, &r);
	if (!compress_pass(&j))
		return j.err;
	count_bytes(&j, unit, &r);
	r.valid = validate(&j);
	if (!r.valid || !j.n_todo)
		goto out;
	if (!measure(&j, compress_pass, params, (double)r.codec_bytes, &r.compress) ||
	    !measure(&j, decompress_pass, params, (double)(j.n_stored * size), &r.decompress))
		return j.err;
	if (unit == BENCH_PAGE && (!measure_pages(&j, false, params->runs, &r.compress) ||
				   !measure_pages(&j, true, params->runs, &r.decompress)))
		return j.err;
out:
	*ret = r;
	return 0;
}

int codec_bench_probe(struct codec_bench *b, const struct codec_spec *spec,
		      const struct codec_dict *dict, const struct bench_input *in,
		      struct bench_speed *ret)
{
	const struct bench_params p = {.working_set = 64 * KiB};
	_cleanup_codec_ struct codec *codec = NULL;
	struct job j = {0};
	uint64_t t0, t1, t2, compress = UINT64_MAX, decompress = UINT64_MAX;
	size_t size = MIN(in->len, 64 * KiB);
	int err;

	if (!size)
		return -ENODATA;
	err = codec_new(spec, dict, &codec);
	if (err)
		return err;
	j.codec = codec;
	err = job_init(&j, b, BENCH_BLOCK, size, in, &p);
	if (err)
		return err;
	j.todo[0] = 0;
	j.n_todo = 1;
	/* The first call of a context sets up its tables, and another task may get in between: the
	 * best of three. */
	for (int i = 0; i < 3; i++) {
		t0 = now_ns();
		if (!compress_pass(&j))
			return j.err;
		t1 = now_ns();
		decompress_pass(&j);
		t2 = now_ns();
		compress = MIN(compress, t1 - t0);
		decompress = MIN(decompress, t2 - t1);
	}
	ret->compress_ns_per_byte = (double)compress / (double)size;
	ret->decompress_ns_per_byte = (double)decompress / (double)size;
	return 0;
}

static double estimate_half(double ns_per_byte, double bytes, const struct bench_params *p)
{
	double pass = ns_per_byte * bytes;

	return pass + fmax(pass, (double)p->batch_ns) * (p->runs + p->warmups);
}

uint64_t codec_bench_estimate(const struct bench_speed *speed, enum bench_unit unit, size_t size,
			      const struct bench_input *in, const struct bench_params *params)
{
	double bytes = (double)(blocks_of(in, unit, size, params->working_set) * size);
	double both = (speed->compress_ns_per_byte + speed->decompress_ns_per_byte) * bytes;
	double ns = both; /* the validation */

	if (bytes == 0)
		return 0;
	ns += estimate_half(speed->compress_ns_per_byte, bytes, params);
	ns += estimate_half(speed->decompress_ns_per_byte, bytes, params);
	if (unit == BENCH_PAGE)
		ns += both * params->runs;
	return (uint64_t)ns;
}
