/* SPDX-License-Identifier: BSD-2-Clause */
/* A measured sweep for the codec commands: options, plan, progress, notices, warnings. */
#include <sched.h>
#include <string.h>

#include "cmd/codec_common.h"
#include "lib/parse.h"

#define DEFAULT_RUNS     5
#define DEFAULT_WARMUPS  1
#define DEFAULT_MAX_SIZE (16 * MiB)
#define DEFAULT_BATCH_NS (5 * NSEC_PER_MSEC)
#define DEFAULT_SET      (1 * MiB)
#define DATASET_PAGES    (4 * MiB) /* generated pages are alike: more of them tell no more */

#define QUICK_RUNS     5
#define QUICK_MAX_SIZE (1 * MiB)
#define QUICK_BATCH_NS (3 * NSEC_PER_MSEC)
#define QUICK_SET      (256 * KiB)
#define QUICK_PAGES    (512 * KiB)
/* Ten seconds less what loading, planning and a last test that takes longer than planned need. */
#define QUICK_LIMIT_NS (8500 * NSEC_PER_MSEC)

#define WIDE_SPREAD_PCT 20.0

volatile sig_atomic_t codec_stop;

static void on_signal(int sig _unused_)
{
	codec_stop = 1;
}

void codec_catch_signals(void)
{
	const struct sigaction sa = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

/* ---- options ---- */

enum {
	KEY_CODEC = 0x2000,
	KEY_DICT,
	KEY_RUNS,
	KEY_WARMUPS,
	KEY_CPU,
	KEY_QUICK,
	KEY_LIMIT,
	KEY_MIN_SAVINGS,
};

static const struct argp_option options[] = {
	{"codec", KEY_CODEC, "CODEC[:LEVEL][,...]", 0,
	 "Measure these only, as in lz4:1,lz4hc:9,zstd:-1 (see codec list)", 20},
	{"dict", KEY_DICT, "FILE", 0,
	 "Measure each zstd level also with this dictionary (see codec train)", 20},
	{"runs", KEY_RUNS, "N", 0, "Timed runs, of which medians are shown (default 5)", 20},
	{"warmups", KEY_WARMUPS, "N", 0, "Runs before them (default 1)", 20},
	{"cpu", KEY_CPU, "N", 0, "Stay on this CPU", 20},
	{"quick", KEY_QUICK, NULL, 0, "Fewer codecs, sizes and runs: at most 10 seconds", 20},
	{"time-limit", KEY_LIMIT, "TIME", 0,
	 "Begin no test that would end after this; the result is then partial", 20},
	{"min-savings-pct", KEY_MIN_SAVINGS, "PCT", 0,
	 "A page that saves less is incompressible, a codec that saves less ineligible (default 5)",
	 20},
	{0},
};

void codec_specs_parse(const struct argp_state *state, const char *option, char *list,
		       struct codec_spec *specs, size_t *n, size_t max)
{
	char *save = NULL;

	if (!*list)
		argp_error(state, "%s '': want a codec", option);
	for (char *word = strtok_r(list, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		struct codec_spec spec = {0};
		int err = codec_spec_parse(word, &spec);

		if (err == -ENOENT)
			argp_error(state,
				   "%s '%s': want lz4, lz4hc or zstd, with :LEVEL or without (see "
				   "codec list)",
				   option, word);
		else if (err)
			argp_error(state, "%s '%s': the levels of %s are %s", option, word,
				   codec_family_find(word)->name, codec_family_find(word)->levels);
		if (*n == max)
			argp_error(state, "%s: more than %zu codecs", option, max);
		else
			specs[(*n)++] = spec;
	}
}

void codec_sizes_parse(const struct argp_state *state, const char *option, char *list,
		       enum bench_unit unit, struct sweep_size *sizes, size_t *n)
{
	char *save = NULL;

	if (!*list)
		argp_error(state, "%s '': want a size", option);
	for (char *word = strtok_r(list, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		size_t size = opt_size(state, option, word, KiB, GiB);

		/* Classes of a pool are 256ths of a page, and pages are powers of two everywhere.
		 */
		if (unit == BENCH_PAGE && size & (size - 1))
			argp_error(state, "%s '%s': want a power of two", option, word);
		if (*n == SWEEP_SIZES_MAX)
			argp_error(state, "%s: more than %d sizes", option, SWEEP_SIZES_MAX);
		else
			sizes[(*n)++] = (struct sweep_size){unit, size};
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct codec_measure_opts *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		o->warmups = -1;
		o->cpu = -1;
		o->min_savings_pct = RANK_MIN_SAVINGS;
		return 0;
	case KEY_CODEC:
		codec_specs_parse(state, "--codec", arg, o->specs, &o->n_specs,
				  SWEEP_CODECS_MAX / 2);
		return 0;
	case KEY_DICT:
		o->dict = arg;
		return 0;
	case KEY_RUNS:
		o->runs = (unsigned)opt_u64(state, "--runs", arg, 1, BENCH_RUNS_MAX);
		return 0;
	case KEY_WARMUPS:
		o->warmups = (int)opt_u64(state, "--warmups", arg, 0, 1000);
		return 0;
	case KEY_CPU:
		o->cpu = (int)opt_u64(state, "--cpu", arg, 0, CPU_SETSIZE - 1);
		return 0;
	case KEY_QUICK:
		o->quick = true;
		return 0;
	case KEY_LIMIT:
		o->limit_ns = opt_duration(state, "--time-limit", arg, NSEC_PER_MSEC,
					   UINT64_C(1000000) * NSEC_PER_SEC);
		return 0;
	case KEY_MIN_SAVINGS:
		o->min_savings_pct = opt_double(state, "--min-savings-pct", arg, 0, 99);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp codec_measure_argp = {options, parse, NULL, NULL, NULL, NULL, NULL};

/* ---- the session ---- */

struct codec_session *codec_session_new(const struct cmd *cmd)
{
	struct codec_session *s = calloc(1, sizeof(*s));

	if (s) {
		s->cmd = cmd;
		s->start_ns = now_ns();
	}
	return s;
}

void codec_session_freep(struct codec_session **s)
{
	if (!*s)
		return;
	codec_bench_free((*s)->bench);
	codec_results_release(&(*s)->results);
	for (size_t i = 0; i < SWEEP_INPUTS_MAX; i++)
		codec_loaded_release(&(*s)->inputs[i]);
	for (size_t i = 0; i < SWEEP_CODECS_MAX; i++)
		codec_dict_free((*s)->dicts[i]);
	free(*s);
}

static const struct codec_spec full_set[] = {
	{CODEC_LZ4, 1},   {CODEC_LZ4, 2},   {CODEC_LZ4, 4},   {CODEC_LZ4, 8},    {CODEC_LZ4, 16},
	{CODEC_LZ4HC, 3}, {CODEC_LZ4HC, 6}, {CODEC_LZ4HC, 9}, {CODEC_LZ4HC, 12}, {CODEC_ZSTD, -5},
	{CODEC_ZSTD, -3}, {CODEC_ZSTD, -1}, {CODEC_ZSTD, 1},  {CODEC_ZSTD, 2},   {CODEC_ZSTD, 3},
	{CODEC_ZSTD, 6},  {CODEC_ZSTD, 9},  {CODEC_ZSTD, 19},
};

static const struct codec_spec quick_set[] = {
	{CODEC_LZ4, 1},   {CODEC_LZ4, 4},   {CODEC_LZ4, 8},  {CODEC_LZ4HC, 3},
	{CODEC_ZSTD, -5}, {CODEC_ZSTD, -1}, {CODEC_ZSTD, 1}, {CODEC_ZSTD, 3},
};

static int add_dict(struct codec_session *s, const struct codec_spec *spec,
		    const struct input *bytes, const char *path)
{
	size_t n = s->sweep.n_codecs;
	int err = codec_dict_new(spec, bytes->data, bytes->len, &s->dicts[n]);

	if (err == -EBADMSG)
		return cmd_exit(
			s->cmd, EXIT_FAILED,
			"%s is not a zstd dictionary, or it is damaged (codec train makes one)",
			path);
	if (err)
		return cmd_fail(s->cmd, err, "preparing the dictionary %s", path);
	s->sweep.codecs[s->sweep.n_codecs++] = (struct sweep_codec){*spec, s->dicts[n]};
	return EXIT_OK;
}

static int add_codecs(struct codec_session *s, const struct codec_measure_opts *m)
{
	const struct codec_spec *specs = m->n_specs ? m->specs : m->quick ? quick_set : full_set;
	size_t n = m->n_specs ? m->n_specs
		   : m->quick ? ARRAY_SIZE(quick_set)
			      : ARRAY_SIZE(full_set);
	_cleanup_(input_release) struct input dict = {0};
	int err, code = EXIT_OK;

	if (m->dict) {
		err = input_open(m->dict, GiB, &dict);
		if (err)
			return cmd_fail(s->cmd, err, "cannot read the dictionary %s", m->dict);
	}
	for (size_t i = 0; i < n && !code; i++) {
		s->sweep.codecs[s->sweep.n_codecs++].spec = specs[i];
		if (m->dict && codec_family(specs[i].id)->dictionary)
			code = add_dict(s, &specs[i], &dict, m->dict);
	}
	if (!code && m->dict && s->sweep.n_codecs == n)
		code = cmd_exit(s->cmd, EXIT_USAGE,
				"--dict: none of the codecs takes a dictionary; only zstd does");
	return code;
}

static int add_inputs(struct codec_session *s, const struct codec_input_opts *in, bool quick)
{
	size_t max_size = in->max_size ? in->max_size : quick ? QUICK_MAX_SIZE : DEFAULT_MAX_SIZE;
	size_t least = SIZE_MAX;
	char size[FORMAT_MAX];

	for (size_t k = 0; k < s->sweep.n_sizes; k++)
		least = MIN(least, s->sweep.sizes[k].size);
	for (size_t i = 0; i < in->n; i++) {
		struct loaded *l = &s->inputs[i];
		struct bench_input *b = &s->sweep.inputs[s->sweep.n_inputs];
		int code = codec_load(s->cmd, in, &in->sources[i], max_size, &codec_stop, l);

		if (code)
			return code;
		s->results.partial |= l->partial;
		if (l->len < least) {
			cmd_warn(s->cmd,
				 "%s has %zu bytes, less than the smallest size, %s: left out",
				 l->name, l->len, format_size(least, size));
			continue;
		}
		*b = (struct bench_input){.name = l->name, .data = l->data, .len = l->len};
		if (quick)
			b->page_len = QUICK_PAGES;
		else if (l->source->kind == SOURCE_DATASET)
			b->page_len = DATASET_PAGES;
		s->sweep.n_inputs++;
	}
	if (!s->sweep.n_inputs)
		return cmd_exit(s->cmd, EXIT_FAILED, "no input is long enough to measure");
	return EXIT_OK;
}

static int pin(const struct cmd *cmd, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		return cmd_exit(cmd, EXIT_REFUSED, "cannot run on CPU %d: %s", cpu,
				errno == EINVAL ? "it is not there, or not in this process's cpuset"
						: strerror(errno));
	return EXIT_OK;
}

static void set_params(struct codec_session *s, const struct codec_measure_opts *m)
{
	s->sweep.params = (struct bench_params){
		.runs = m->runs    ? m->runs
			: m->quick ? QUICK_RUNS
				   : DEFAULT_RUNS,
		.warmups = m->warmups >= 0 ? (unsigned)m->warmups : DEFAULT_WARMUPS,
		.batch_ns = m->quick ? QUICK_BATCH_NS : DEFAULT_BATCH_NS,
		.working_set = m->quick ? QUICK_SET : DEFAULT_SET,
		.min_savings_pct = m->min_savings_pct,
		.stop = &codec_stop,
	};
	s->sweep.limit_ns = m->limit_ns;
	if (m->quick && (!m->limit_ns || m->limit_ns > QUICK_LIMIT_NS))
		s->sweep.limit_ns = QUICK_LIMIT_NS;
}

/* ---- progress and warnings ---- */

static void on_progress(void *arg, const struct sweep_state *state)
{
	struct codec_session *s = arg;
	char spec[CODEC_SPEC_MAX], size[FORMAT_MAX];
	uint64_t left = (state->total_ns - state->elapsed_ns) / NSEC_PER_SEC, now = now_ns();

	if (!s->tty || now - s->shown_ns < 100 * NSEC_PER_MSEC)
		return;
	s->shown_ns = now;
	fprintf(stderr, "\r%zu/%zu  %s  %s  %s%s  %llu:%02llu left\033[K", state->test,
		state->tests, codec_spec_format(&state->codec->spec, spec), state->input->name,
		format_size(state->size->size, size),
		state->size->unit == BENCH_PAGE ? " pages" : "", (unsigned long long)left / 60,
		(unsigned long long)left % 60);
	fflush(stderr);
}

static int on_result(void *arg, const struct bench_result *r)
{
	struct codec_session *s = arg;

	return codec_results_add(&s->results, r);
}

static void warn_spread(const struct codec_session *s)
{
	const struct bench_result *worst = NULL;
	double most = 0;
	size_t wide = 0, wide_cpu = 0;
	char label[RANK_LABEL_MAX];

	for (size_t i = 0; i < s->results.n; i++) {
		const struct bench_result *r = &s->results.rows[i];
		double spread = MAX(r->compress.spread_pct, r->decompress.spread_pct);
		double cpu = MAX(r->compress.cpu_spread_pct, r->decompress.cpu_spread_pct);

		wide += spread > WIDE_SPREAD_PCT;
		wide_cpu += cpu > WIDE_SPREAD_PCT;
		if (spread > most) {
			most = spread;
			worst = r;
		}
	}
	if (!wide)
		return;
	cmd_notice(
		s->cmd,
		"%zu of %zu tests differ by more than %.0f%% between their runs (most: %s on %s, "
		"%.0f%%): %s",
		wide, s->results.n, WIDE_SPREAD_PCT, codec_result_label(worst, label),
		worst->dataset, most,
		wide_cpu * 2 > wide
			? "their CPU time differs too, so the clock frequency changes or a "
			  "neighbour shares the caches; more --runs help, another machine more"
			: "their CPU time does not, so other tasks took the CPU; try --cpu, or a "
			  "quieter moment");
}

static void tell_end(struct codec_session *s, enum sweep_end end)
{
	if (end == SWEEP_DONE)
		return;
	s->results.partial = true;
	cmd_warn(s->cmd, "%s: partial result, %zu of %zu tests",
		 end == SWEEP_LIMIT ? "time is up" : "interrupted", s->results.n, s->sweep.tests);
}

static void tell_plan(const struct codec_session *s)
{
	uint64_t sec = (s->sweep.estimate_ns + NSEC_PER_SEC / 2) / NSEC_PER_SEC;
	bool cut = s->sweep.limit_ns && s->sweep.limit_ns < s->sweep.estimate_ns;

	if (sec < 2)
		return;
	if (sec < 120)
		cmd_notice(s->cmd, "%zu tests, about %llu seconds%s", s->sweep.tests,
			   (unsigned long long)sec, cut ? ", more than the time limit" : "");
	else
		cmd_notice(s->cmd, "%zu tests, about %llu minutes%s", s->sweep.tests,
			   (unsigned long long)(sec + 30) / 60,
			   cut ? ", more than the time limit" : " (--quick takes seconds)");
}

int codec_measure(struct codec_session *s, const struct codec_input_opts *in,
		  const struct codec_measure_opts *m)
{
	enum sweep_end end = SWEEP_STOPPED;
	int err, code;

	codec_catch_signals();
	s->tty = isatty(STDERR_FILENO) && !s->cmd->out.quiet;
	s->sweep.arg = s;
	s->sweep.progress = on_progress;
	s->sweep.result = on_result;
	set_params(s, m);
	code = m->cpu >= 0 ? pin(s->cmd, m->cpu) : EXIT_OK;
	if (!code)
		code = add_codecs(s, m);
	if (!code)
		code = add_inputs(s, in, m->quick);
	if (code)
		return code;
	err = codec_bench_new(&s->bench);
	if (!err)
		err = sweep_plan(&s->sweep, s->bench);
	if (!err) {
		tell_plan(s);
		/* Loading and planning count too. */
		if (s->sweep.limit_ns)
			s->sweep.limit_ns -= MIN(now_ns() - s->start_ns, s->sweep.limit_ns - 1);
		err = sweep_run(&s->sweep, s->bench, &end);
	}
	if (s->tty)
		fputs("\r\033[K", stderr);
	if (err && err != -EINTR)
		return cmd_fail(s->cmd, err, "measuring");
	tell_end(s, end);
	if (!s->results.n)
		return cmd_exit(s->cmd, EXIT_FAILED, "no test was finished");
	warn_spread(s);
	return EXIT_OK;
}

int codec_session_code(const struct codec_session *s)
{
	char label[RANK_LABEL_MAX];
	int code = EXIT_OK;

	for (size_t i = 0; i < s->results.n; i++) {
		const struct bench_result *r = &s->results.rows[i];

		if (!r->valid)
			code = cmd_exit(s->cmd, EXIT_CHECK, "%s did not give back %s as it was",
					codec_result_label(r, label), r->dataset);
	}
	return code;
}

json_object *codec_document(const struct codec_session *s, const char *schema)
{
	json_object *doc = json_object_new_object(), *inputs = json_object_new_array();
	json_object *summary = json_object_new_object();
	struct own_cost cost = own_cost();

	json_object_object_add(doc, "schema", json_object_new_string(schema));
	json_object_object_add(doc, "partial", json_object_new_boolean(s->results.partial));
	for (size_t i = 0; i < SWEEP_INPUTS_MAX; i++) {
		if (s->inputs[i].data)
			json_object_array_add(inputs, codec_loaded_json(&s->inputs[i]));
	}
	json_object_object_add(doc, "inputs", inputs);
	json_object_object_add(summary, "tests_planned", json_object_new_uint64(s->sweep.tests));
	json_object_object_add(summary, "tests_done", json_object_new_uint64(s->results.n));
	json_object_object_add(summary, "estimate_ms",
			       json_object_new_uint64(s->sweep.estimate_ns / NSEC_PER_MSEC));
	json_object_object_add(summary, "elapsed_ms",
			       json_object_new_uint64((now_ns() - s->start_ns) / NSEC_PER_MSEC));
	json_object_object_add(summary, "own_cpu_ms", json_object_new_uint64(cost.cpu_ms));
	json_object_object_add(summary, "own_peak_rss_bytes",
			       json_object_new_uint64(cost.peak_rss_bytes));
	json_object_object_add(doc, "summary", summary);
	return doc;
}
