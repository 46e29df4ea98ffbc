/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/codec_sweep.h"

size_t sweep_ladder(size_t min, size_t max, struct sweep_size *ret, size_t room)
{
	size_t n = 0, size = 1;

	while (size < min)
		size *= 2;
	for (; size <= max && n < room; size *= 2)
		ret[n++] = (struct sweep_size){BENCH_BLOCK, size};
	return n;
}

static uint64_t estimate(const struct sweep *s, size_t input, size_t size, size_t codec)
{
	return codec_bench_estimate(&s->speed[input][codec], s->sizes[size].unit,
				    s->sizes[size].size, &s->inputs[input], &s->params);
}

int sweep_plan(struct sweep *s, struct codec_bench *b)
{
	s->estimate_ns = 0;
	s->tests = 0;
	for (size_t i = 0; i < s->n_inputs; i++) {
		for (size_t c = 0; c < s->n_codecs; c++) {
			const struct sweep_codec *codec = &s->codecs[c];
			int err;

			if (s->params.stop && *s->params.stop)
				return -EINTR;
			err = codec_bench_probe(b, &codec->spec, codec->dict, &s->inputs[i],
						&s->speed[i][c]);
			if (err)
				return err;
			for (size_t k = 0; k < s->n_sizes; k++) {
				uint64_t ns = estimate(s, i, k, c);

				s->estimate_ns += ns;
				s->tests += ns != 0;
			}
		}
	}
	return 0;
}

/* The estimate of a sweep under way. */
struct pace {
	uint64_t start_ns;
	uint64_t done_ns; /* of the estimate */
	size_t test;
};

/* What is left costs what its estimate says, times how far the estimates were off until now. */
static void report(const struct sweep *s, const struct pace *p, size_t input, size_t size,
		   size_t codec)
{
	uint64_t elapsed = now_ns() - p->start_ns;
	double off = p->done_ns ? CLAMP((double)elapsed / (double)p->done_ns, 0.3, 10.0) : 1;
	struct sweep_state state = {
		.tests = s->tests,
		.test = p->test,
		.elapsed_ns = elapsed,
		.total_ns = elapsed + (uint64_t)((double)(s->estimate_ns - p->done_ns) * off),
		.codec = &s->codecs[codec],
		.size = &s->sizes[size],
		.input = &s->inputs[input],
	};

	if (s->progress)
		s->progress(s->arg, &state);
}

static int run_one(struct sweep *s, struct codec_bench *b, struct pace *p, size_t i, size_t k,
		   size_t c, enum sweep_end *end)
{
	const struct sweep_codec *codec = &s->codecs[c];
	uint64_t ns = estimate(s, i, k, c);
	struct bench_result r;
	int err;

	if (!ns)
		return 0;
	p->test++;
	if (s->limit_ns && now_ns() - p->start_ns + ns > s->limit_ns) {
		*end = SWEEP_LIMIT;
		return 0;
	}
	report(s, p, i, k, c);
	err = codec_bench_run(b, &codec->spec, codec->dict, s->sizes[k].unit, s->sizes[k].size,
			      &s->inputs[i], &s->params, &r);
	p->done_ns += ns;
	if (err == -EINTR) {
		*end = SWEEP_STOPPED;
		return 0;
	}
	return err ? err : s->result(s->arg, &r);
}

int sweep_run(struct sweep *s, struct codec_bench *b, enum sweep_end *ret_end)
{
	struct pace pace = {.start_ns = now_ns()};
	enum sweep_end end = SWEEP_DONE;

	for (size_t i = 0; i < s->n_inputs && end == SWEEP_DONE; i++) {
		for (size_t k = 0; k < s->n_sizes && end == SWEEP_DONE; k++) {
			for (size_t c = 0; c < s->n_codecs && end == SWEEP_DONE; c++) {
				int err = run_one(s, b, &pace, i, k, c, &end);

				if (err)
					return err;
			}
		}
	}
	*ret_end = end;
	return 0;
}
