/* SPDX-License-Identifier: BSD-2-Clause */
/* memscope workload compare: the same load held in two ways, run in turns, with the ratio's interval. */
#include "cmd/workload_compare.h"

#include <math.h>
#include <string.h>

#include "lib/parse.h"

enum {
	KEY_BASE = 0x5300,
	KEY_WITH,
	KEY_RUNS,
	KEY_OUT,
	KEY_LONG,
};

static const struct argp_option options[] = {
	{ "base", KEY_BASE, "MODE", 0, "Memory provider to compare with: plain or arena (default plain)", 5 },
	{ "with", KEY_WITH, "MODE", 0, "Memory provider to judge (default arena)", 5 },
	{ "runs", KEY_RUNS, "N", 0, "Runs of each (default 5; 1 to 100)", 5 },
	{ "out", KEY_OUT, "DIR", 0, "Write runs.csv, aggregate.csv, result.json and plots there", 6 },
	{ "long", KEY_LONG, NULL, 0, "Print each run instead of the aggregate", 6 },
	{ 0 },
};

static enum mem_kind parse_kind(const struct argp_state *state, const char *option, const char *arg)
{
	enum mem_kind kind = MEM_PLAIN;

	if (mem_kind_find(arg, &kind))
		argp_error(state, "%s '%s': no such memory provider; want plain or arena", option, arg);
	return kind;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct compare_opts *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		o->kind[0] = MEM_PLAIN;
		o->kind[1] = MEM_ARENA;
		o->runs = 5;
		return 0;
	case KEY_BASE:
		o->kind[0] = parse_kind(state, "--base", arg);
		return 0;
	case KEY_WITH:
		o->kind[1] = parse_kind(state, "--with", arg);
		return 0;
	case KEY_RUNS:
		o->runs = (unsigned)opt_u64(state, "--runs", arg, 1, 100);
		return 0;
	case KEY_OUT:
		o->out = arg;
		return 0;
	case KEY_LONG:
		o->print_runs = true;
		return 0;
	case ARGP_KEY_ARGS:
		o->names = state->argv + state->next;
		o->n_names = (size_t)(state->argc - state->next);
		return 0;
	case ARGP_KEY_END:
		if (!o->n_names)
			argp_error(state, "no workload named; 'memscope workload list' shows them");
		if (o->load.arena_tuned && o->kind[0] != MEM_ARENA && o->kind[1] != MEM_ARENA)
			argp_error(state, "--arena-cap-mb and --arena-min-savings-pct need the arena on one side");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = { options, parse, NULL, NULL, NULL, NULL, NULL };

/* ---- runs ---- */

/* Both sides verify, or none: it costs, and the comparison is not to be one of that. */
static bool verifies(const struct compare_opts *o)
{
	return o->load.verify >= 0 ? o->load.verify : o->kind[0] != MEM_PLAIN || o->kind[1] != MEM_PLAIN;
}

static int run_side(const struct cmd *cmd, struct comparison *c, unsigned side, unsigned run)
{
	const struct compare_opts *o = cmd->opts;
	struct workload_config cfg;
	json_object *provider = NULL;
	char label[96];
	int code = load_config(cmd, &o->load, c->ops, o->kind[side], false, &cfg);

	if (code)
		return code;
	cfg.verify = verifies(o);
	snprintf(label, sizeof(label), "[%u/%u] %s, %s", run + 1, o->runs, c->ops->name,
		 mem_ops_of(o->kind[side])->name);
	code = load_run(cmd, &cfg, label, &c->results[side][run], &provider);
	json_object_put(provider);
	if (code)
		return code;
	c->results[side][run].run = run + 1;
	return result_code(cmd, &c->results[side][run]);
}

/* Base first in even rounds, last in odd ones: drift of the machine hits both sides alike. */
static int run_workload(const struct cmd *cmd, struct comparison *c)
{
	const struct compare_opts *o = cmd->opts;

	for (unsigned run = 0; run < o->runs && !load_interrupted(); run++) {
		for (unsigned i = 0; i < 2; i++) {
			int code = run_side(cmd, c, (run + i) % 2, run);

			if (code)
				return code;
		}
		if (!load_interrupted())
			c->pairs = run + 1;
	}
	return EXIT_OK;
}

/* ---- results ---- */

static const struct out_col aggregate_columns[] = {
	{ "workload", "WORKLOAD", OUT_STR, 0, 0 },
	{ "metric", "METRIC", OUT_STR, 0, 0 },
	{ "base_mode", "BASE-MODE", OUT_STR, 0, OUT_WIDE },
	{ "with_mode", "WITH-MODE", OUT_STR, 0, OUT_WIDE },
	{ "base_median", "BASE", OUT_F64, 0, OUT_NOT_TABLE },
	{ "with_median", "WITH", OUT_F64, 0, OUT_NOT_TABLE },
	{ "base_text", "BASE", OUT_STR, 0, OUT_TABLE_ONLY },
	{ "with_text", "WITH", OUT_STR, 0, OUT_TABLE_ONLY },
	{ "ratio", "RATIO", OUT_F64, 0, 0 },
	{ "ratio_low", "LOW", OUT_F64, 0, 0 },
	{ "ratio_high", "HIGH", OUT_F64, 0, 0 },
	{ "pairs", "PAIRS", OUT_U64, 0, OUT_WIDE },
	{ "better", "BETTER", OUT_STR, 0, OUT_WIDE },
};

static struct out_val number(double v)
{
	return isfinite(v) ? OUT_F(v) : OUT_NULL;
}

/* By the unit at the end of the metric's name. */
static const char *readable(const char *metric, double v, char buf[FORMAT_MAX])
{
	const char *unit = strrchr(metric, '_');

	if (!isfinite(v))
		return NULL;
	if (unit && !strcmp(unit, "_ns"))
		return format_duration((uint64_t)v, buf);
	if (unit && !strcmp(unit, "_us"))
		return format_duration((uint64_t)(v * 1000), buf);
	if (unit && !strcmp(unit, "_bytes"))
		return format_size((uint64_t)v, buf);
	snprintf(buf, FORMAT_MAX, "%.1f", v);
	return buf;
}

static int aggregate(const struct compare_opts *o, const struct comparison *c, struct out_sheet *sheet)
{
	int err = 0;

	for (int m = 0; m < COMPARE_METRICS && !err; m++) {
		const struct compare_info *info = compare_info((enum compare_metric)m);
		char base[FORMAT_MAX], with[FORMAT_MAX];
		size_t pairs;
		struct sample_ratio r = compare_metric(c->results[0], c->results[1], c->pairs,
						       (enum compare_metric)m, &pairs);

		err = out_sheet_add(sheet, (struct out_val[]){
						   OUT_S(c->ops->name), OUT_S(info->name),
						   OUT_S(mem_ops_of(o->kind[0])->name),
						   OUT_S(mem_ops_of(o->kind[1])->name), number(r.base),
						   number(r.with), OUT_S(readable(info->name, r.base, base)),
						   OUT_S(readable(info->name, r.with, with)), number(r.ratio), number(r.low), number(r.high),
						   OUT_U(pairs), OUT_S(info->more_is_better ? "more" : "less") });
	}
	return err;
}

static json_object *compare_json(const struct compare_opts *o, const struct out_sheet *runs,
				 const struct out_sheet *sums)
{
	json_object *root = json_object_new_object();

	json_object_object_add(root, "schema", json_object_new_string("memscope.workload.compare/1"));
	json_object_object_add(root, "base", json_object_new_string(mem_ops_of(o->kind[0])->name));
	json_object_object_add(root, "with", json_object_new_string(mem_ops_of(o->kind[1])->name));
	json_object_object_add(root, "runs", json_object_new_uint64(o->runs));
	json_object_object_add(root, "confidence_pct", json_object_new_int(95));
	json_object_object_add(root, "interrupted", json_object_new_boolean(load_interrupted()));
	json_object_object_add(root, "aggregate", out_sheet_json(sums));
	json_object_object_add(root, "results", out_sheet_json(runs));
	add_own_cost(root);
	return root;
}

static int show(const struct cmd *cmd, const struct comparison *list, size_t n)
{
	const struct compare_opts *o = cmd->opts;
	_cleanup_(out_sheet_freep) struct out_sheet *runs = result_sheet();
	_cleanup_(out_sheet_freep) struct out_sheet *sums =
		out_sheet_new(aggregate_columns, ARRAY_SIZE(aggregate_columns));
	json_object *root;
	int err = runs && sums ? 0 : -ENOMEM, code = EXIT_OK;

	for (size_t i = 0; i < n && !err; i++) {
		for (unsigned r = 0; r < list[i].pairs * 2 && !err; r++)
			err = result_add(runs, &list[i].results[r % 2][r / 2]);
		if (!err && list[i].pairs)
			err = aggregate(o, &list[i], sums);
	}
	if (err)
		return cmd_fail(cmd, err, "gathering the results");
	root = compare_json(o, runs, sums);
	if (o->out) {
		code = result_write_csv(cmd, runs, o->out, "runs.csv");
		if (!code)
			code = result_write_csv(cmd, sums, o->out, "aggregate.csv");
		if (!code)
			code = result_write_json(cmd, root, o->out, "result.json");
		if (!code)
			code = compare_plots(cmd, list, n);
	}
	if (!code && (cmd->out.format == OUT_JSON || cmd->out.format == OUT_PRETTY))
		code = cmd_print_json(cmd, root);
	else if (!code)
		code = cmd_print_sheet(cmd, o->print_runs ? runs : sums);
	json_object_put(root);
	return code;
}

static void free_list(struct comparison *list, size_t n)
{
	for (size_t i = 0; list && i < n; i++) {
		free(list[i].results[0]);
		free(list[i].results[1]);
	}
	free(list);
}

static int run_all(const struct cmd *cmd, struct comparison *list, const struct workload_ops *const *ops, size_t n)
{
	const struct compare_opts *o = cmd->opts;
	int code = EXIT_OK;

	for (size_t i = 0; i < n && !code; i++) {
		list[i].ops = ops[i];
		for (int side = 0; side < 2; side++) {
			list[i].results[side] = calloc(o->runs, sizeof(struct workload_result));
			if (!list[i].results[side])
				return cmd_fail(cmd, -ENOMEM, "starting");
		}
		if (!load_interrupted())
			code = run_workload(cmd, &list[i]);
	}
	return code;
}

static int run(struct cmd *cmd)
{
	static const char *const files[] = { "runs.csv", "aggregate.csv", "result.json", NULL };
	const struct compare_opts *o = cmd->opts;
	_cleanup_free_ const struct workload_ops **ops = NULL;
	struct comparison *list;
	size_t n = 0;
	int code = load_names(cmd, o->names, o->n_names, &ops, &n), shown;

	if (!code)
		code = load_check_knobs(cmd, &o->load, ops, n);
	if (!code && o->out)
		code = load_make_dir(cmd, o->out, files);
	if (code)
		return code;
	list = calloc(n, sizeof(*list));
	if (!list)
		return cmd_fail(cmd, -ENOMEM, "starting");
	cmd_notice(cmd, "%zu runs of %g s", n * o->runs * 2, o->load.set.seconds);
	load_catch_signals();
	code = run_all(cmd, list, ops, n);
	shown = code && code != EXIT_CHECK ? EXIT_OK : show(cmd, list, n);
	free_list(list, n);
	return code ? code : shown;
}

const struct command cmd_workload_compare = {
	.name = "compare",
	.brief = "run workloads in two modes by turns, and compare them",
	.doc = "For each metric: the medians of both modes, the ratio WITH / BASE, and its 95 % confidence interval "
	       "(a bootstrap over pairs of runs that were neighbours in time; from 3 runs on). An interval that "
	       "holds 1 says that no difference was shown. Both modes verify contents, or none does.\n\n"
	       "With --out the folder gets every run (runs.csv), the aggregate, both as JSON, and, where gnuplot is "
	       "installed, plots: throughput ratio, latency on a log axis, CPU.",
	.args_doc = "NAME...",
	.parts = (const struct cmd_part[]){ { &argp, 0 },
					    { &load_argp, offsetof(struct compare_opts, load) },
					    { &load_work_argp, offsetof(struct compare_opts, load) },
					    { &load_arena_argp, offsetof(struct compare_opts, load) },
					    {} },
	.opts_size = sizeof(struct compare_opts),
	.run = run,
	.uses = FEATURE(CGROUP_MEM) | FEATURE(UFFD),
	.examples = (const struct cmd_example[]){
		{ "memscope workload compare random_touch_heap -d 0.3 --runs 3", "the arena against plain memory", EXAMPLE_RUN },
		{ "memscope workload compare interactive_burst -d 0.5 --runs 3 --base plain --with plain", "how much two runs of the same differ here", EXAMPLE_RUN },
		{},
	},
};
