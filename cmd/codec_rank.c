/* SPDX-License-Identifier: BSD-2-Clause */
/* memscope codec rank */
#include <string.h>

#include "cmd/codec_common.h"
#include "lib/parse.h"

#define PROFILES_MAX   (RANK_PROFILES + 1)
#define SWEEP_TEXT_MAX (256 * MiB)

struct rank_opts {
	struct codec_input_opts in;
	struct codec_measure_opts measure;
	struct {
		struct rank_profile profiles[PROFILES_MAX];
		size_t n_profiles;
		struct sweep_size sizes[SWEEP_SIZES_MAX];
		size_t n_sizes;
		bool packed;
		const char *from, *plot;
	} own;
};

enum {
	KEY_PROFILE = 0x3000,
	KEY_FACTOR,
	KEY_FROM,
	KEY_SIZE,
	KEY_PAGE_SIZE,
	KEY_PACKED,
	KEY_PLOT,
};

static const struct argp_option options[] = {
	{"profile", KEY_PROFILE, "NAME", 0,
	 "How often pages are read back: hot (4 times), warm (1), cool (0.25) or cold (0.05); "
	 "default: all four",
	 5},
	{"readback-factor", KEY_FACTOR, "N", 0,
	 "The same as a number: reads of a page for each time that it is compressed", 5},
	{"from", KEY_FROM, "SWEEP", 0,
	 "Rank what codec sweep wrote with --csv or --json, instead of measuring; - is stdin", 5},
	{"size", KEY_SIZE, "SIZE[,...]", 0, "Rank blocks of these sizes", 15},
	{"page-size", KEY_PAGE_SIZE, "SIZE[,...]", 0, "Rank pages of these sizes (default 4K)", 15},
	{"packed", KEY_PACKED, NULL, 0, "Count what size classes make of the bytes in a pool", 15},
	{"plot", KEY_PLOT, "FILE", 0, "Draw ratio against speed in FILE.svg or FILE.png", 90},
	{0},
};

static void add_profile(struct argp_state *state, struct rank_opts *o, struct rank_profile p)
{
	if (o->own.n_profiles == PROFILES_MAX)
		argp_error(state, "more than %d profiles", PROFILES_MAX);
	else
		o->own.profiles[o->own.n_profiles++] = p;
}

static const char *const profile_words[] = {"hot", "warm", "cool", "cold", NULL};
static const struct cmd_words option_words[] = {{"profile", profile_words, false}, {}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct rank_opts *o = container_of(state->input, struct rank_opts, own);

	switch (key) {
	case KEY_PROFILE:
		add_profile(state, o,
			    *rank_profile_find(profile_words[opt_word(state, "--profile", arg, profile_words)]));
		return 0;
	case KEY_FACTOR:
		add_profile(
			state, o,
			rank_profile_custom(opt_double(state, "--readback-factor", arg, 0, 1e6)));
		return 0;
	case KEY_FROM:
		o->own.from = arg;
		return 0;
	case KEY_SIZE:
		codec_sizes_parse(state, "--size", arg, BENCH_BLOCK, o->own.sizes, &o->own.n_sizes);
		return 0;
	case KEY_PAGE_SIZE:
		codec_sizes_parse(state, "--page-size", arg, BENCH_PAGE, o->own.sizes,
				  &o->own.n_sizes);
		return 0;
	case KEY_PACKED:
		o->own.packed = true;
		return 0;
	case KEY_PLOT:
		o->own.plot = codec_plot_check(state, arg);
		return 0;
	case ARGP_KEY_END:
		if (o->own.from && (o->in.n || o->measure.n_specs || o->measure.dict))
			argp_error(state, "--from ranks a sweep that is there: no inputs, --codec "
					  "or --dict with it");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {options, parse, NULL, NULL, NULL, NULL, NULL};

/* ---- groups: the rows that compete with each other ---- */

struct group {
	const struct bench_result *first; /* dataset, unit and size of all of it */
	struct rank_entry entries[SWEEP_CODECS_MAX];
	size_t n;
};

static bool same_group(const struct bench_result *a, const struct bench_result *b)
{
	return a->size_bytes == b->size_bytes && !strcmp(a->unit, b->unit) &&
	       !strcmp(a->dataset, b->dataset);
}

static bool is_wanted(const struct rank_opts *o, const struct bench_result *r)
{
	bool page = !strcmp(r->unit, "page");

	for (size_t i = 0; i < o->own.n_sizes; i++) {
		if (o->own.sizes[i].size == r->size_bytes &&
		    (o->own.sizes[i].unit == BENCH_PAGE) == page)
			return true;
	}
	return false;
}

static bool is_first(const struct codec_results *r, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (same_group(&r->rows[k], &r->rows[i]))
			return false;
	}
	return true;
}

static void gather(const struct rank_opts *o, const struct codec_results *r, size_t first,
		   struct group *g)
{
	g->first = &r->rows[first];
	g->n = 0;
	for (size_t i = first; i < r->n && g->n < SWEEP_CODECS_MAX; i++) {
		if (same_group(g->first, &r->rows[i]))
			codec_result_rank(&r->rows[i], o->own.packed, &g->entries[g->n++]);
	}
}

/* ---- machine formats: one row for each codec in each profile ---- */

static const struct out_col cols[] = {
	{"dataset", "DATASET", OUT_STR, 0, 0},
	{"unit", "UNIT", OUT_STR, 0, 0},
	{"size_bytes", "SIZE", OUT_BYTES, 0, 0},
	{"profile", "PROFILE", OUT_STR, 0, 0},
	{"readback_factor", "FACTOR", OUT_F64, 0, 0},
	{"rank", "RANK", OUT_U64, 0, 0},
	{"codec", "CODEC", OUT_STR, 0, 0},
	{"fair_score", "SCORE", OUT_F64, 0, 0},
	{"bytes_saved", "SAVED", OUT_I64, 0, 0},
	{"savings_pct", "SAVED%", OUT_F64, 0, 0},
	{"compress_cpu_ms", "C-CPU", OUT_F64, 0, 0},
	{"decompress_cpu_ms", "D-CPU", OUT_F64, 0, 0},
	{"cost_cpu_ms", "COST", OUT_F64, 0, 0},
	{"eligible", "ELIGIBLE", OUT_BOOL, 0, 0},
	{"pareto_front", "FRONT", OUT_BOOL, 0, 0},
	{"recommended", "USE", OUT_BOOL, 0, 0},
	{"partial", "PARTIAL", OUT_BOOL, 0, 0},
};

static int add_rows(struct out_sheet *sheet, const struct group *g, const struct rank_profile *p,
		    const struct rank_verdict *v, bool partial)
{
	int err = 0;

	for (size_t i = 0; i < g->n && !err; i++) {
		const struct rank_entry *e = &g->entries[i];

		err = out_sheet_add(sheet, (const struct out_val[ARRAY_SIZE(cols)]){
						   OUT_S(g->first->dataset),
						   OUT_S(g->first->unit),
						   OUT_U(g->first->size_bytes),
						   OUT_S(p->name),
						   OUT_F(p->readback_factor),
						   e->eligible ? OUT_U(i + 1) : OUT_NULL,
						   OUT_S(e->label),
						   OUT_F(e->score),
						   OUT_I((int64_t)e->saved_bytes),
						   OUT_F(e->savings_pct),
						   OUT_F(e->compress_cpu_ms),
						   OUT_F(e->decompress_cpu_ms),
						   OUT_F(e->cost_ms),
						   OUT_U(e->eligible),
						   OUT_U(e->front),
						   OUT_U(v->choice == e),
						   OUT_U(partial),
					   });
	}
	return err;
}

static json_object *verdict_json(const struct group *g, const struct rank_profile *p,
				 const struct rank_verdict *v)
{
	json_object *obj = json_object_new_object();
	char text[512], name[4 * BENCH_NAME_MAX];

	out_printable(g->first->dataset, name, sizeof(name));
	json_object_object_add(obj, "dataset", json_object_new_string(name));
	json_object_object_add(obj, "unit", json_object_new_string(g->first->unit));
	json_object_object_add(obj, "size_bytes", json_object_new_uint64(g->first->size_bytes));
	json_object_object_add(obj, "profile", json_object_new_string(p->name));
	json_object_object_add(obj, "readback_factor", json_object_new_double(p->readback_factor));
	json_object_object_add(obj, "baseline",
			       v->baseline ? json_object_new_string(v->baseline->label) : NULL);
	json_object_object_add(obj, "use",
			       v->choice ? json_object_new_string(v->choice->label) : NULL);
	json_object_object_add(obj, "text",
			       json_object_new_string(rank_explain(v, p, text, sizeof(text))));
	return obj;
}

static int print_rows(const struct cmd *cmd, const struct codec_session *s)
{
	const struct rank_opts *o = cmd->opts;
	_cleanup_(out_sheet_freep) struct out_sheet *sheet = out_sheet_new(cols, ARRAY_SIZE(cols));
	json_object *verdicts = json_object_new_array(), *doc;
	struct group g;
	int err = sheet ? 0 : -ENOMEM, code;

	for (size_t i = 0; i < s->results.n && !err; i++) {
		if (!is_wanted(o, &s->results.rows[i]) || !is_first(&s->results, i))
			continue;
		gather(o, &s->results, i, &g);
		for (size_t k = 0; k < o->own.n_profiles && !err; k++) {
			const struct rank_profile *p = &o->own.profiles[k];
			struct rank_verdict v;

			rank_run(g.entries, g.n, p->readback_factor, o->measure.min_savings_pct);
			v = rank_decide(g.entries, g.n, p);
			err = add_rows(sheet, &g, p, &v, s->results.partial);
			json_object_array_add(verdicts, verdict_json(&g, p, &v));
		}
	}
	if (err) {
		code = cmd_fail(cmd, err, "laying out the result");
	} else if (cmd->out.format == OUT_JSON || cmd->out.format == OUT_PRETTY) {
		doc = codec_document(s, "memscope.codec-rank/1");
		json_object_object_add(doc, "min_savings_pct",
				       json_object_new_double(o->measure.min_savings_pct));
		json_object_object_add(doc, "results", out_sheet_json(sheet));
		json_object_object_add(doc, "verdicts", json_object_get(verdicts));
		code = cmd_print_json(cmd, doc);
		json_object_put(doc);
	} else {
		code = cmd_print_sheet(cmd, sheet);
	}
	json_object_put(verdicts);
	return code;
}

/* ---- the table: one row for each codec, one column for each profile ---- */

enum {
	COL_CODEC,
	COL_SAVED,
	COL_COMPRESS,
	COL_DECOMPRESS,
	COL_PROFILES,
};

#define CELL 24

struct table_row {
	struct rank_entry entry;
	char cells[PROFILES_MAX][CELL];
};

static struct table_row *find_row(struct table_row *rows, size_t n, const char *label)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(rows[i].entry.label, label))
			return &rows[i];
	}
	return NULL;
}

static int add_table_row(struct out_sheet *sheet, const struct table_row *row, double blocks,
			 size_t n_profiles)
{
	const struct rank_entry *e = &row->entry;
	struct out_val vals[COL_PROFILES + PROFILES_MAX] = {
		[COL_CODEC] = OUT_S(e->label),
		[COL_SAVED] = OUT_F(e->savings_pct),
		[COL_COMPRESS] = OUT_U((uint64_t)(e->compress_cpu_ms * 1e6 / blocks)),
		[COL_DECOMPRESS] = OUT_U((uint64_t)(e->decompress_cpu_ms * 1e6 / blocks)),
	};

	for (size_t k = 0; k < n_profiles; k++)
		vals[COL_PROFILES + k] = OUT_S(row->cells[k]);
	return out_sheet_add(sheet, vals);
}

static int print_group(const struct cmd *cmd, struct group *g)
{
	const struct rank_opts *o = cmd->opts;
	struct out_col table[COL_PROFILES + PROFILES_MAX] = {
		[COL_CODEC] = {"codec", "CODEC", OUT_STR, 0, 0},
		[COL_SAVED] = {"savings_pct", "SAVED%", OUT_F64, 0, 0},
		[COL_COMPRESS] = {"compress_cpu_ns", "COMPRESS", OUT_NS, 0, 0},
		[COL_DECOMPRESS] = {"decompress_cpu_ns", "RESTORE", OUT_NS, 0, 0},
	};
	_cleanup_(out_sheet_freep) struct out_sheet *sheet = NULL;
	struct table_row rows[SWEEP_CODECS_MAX] = {0};
	double blocks = g->entries[0].input_bytes / (double)g->first->size_bytes;
	char text[512], size[FORMAT_MAX], verdicts[PROFILES_MAX][sizeof(text)];
	int err, code;

	for (size_t k = 0; k < o->own.n_profiles; k++) {
		const struct rank_profile *p = &o->own.profiles[k];
		struct rank_verdict v;

		table[COL_PROFILES + k] = (struct out_col){p->name, p->name, OUT_STR, 0, 0};
		rank_run(g->entries, g->n, p->readback_factor, o->measure.min_savings_pct);
		for (size_t i = 0; i < g->n; i++) {
			const struct rank_entry *e = &g->entries[i];
			struct table_row *row = k ? find_row(rows, g->n, e->label) : &rows[i];

			row->entry = k ? row->entry : *e;
			if (e->eligible)
				snprintf(row->cells[k], CELL, "%zu%s %.0f", i + 1,
					 e->front ? "*" : "", e->score / 1e3);
			else
				snprintf(row->cells[k], CELL, "-");
		}
		v = rank_decide(g->entries, g->n, p);
		rank_explain(&v, p, verdicts[k], sizeof(verdicts[k]));
	}
	sheet = out_sheet_new(table, COL_PROFILES + o->own.n_profiles);
	err = sheet ? 0 : -ENOMEM;
	for (size_t i = 0; i < g->n && !err; i++)
		err = add_table_row(sheet, &rows[i], blocks, o->own.n_profiles);
	if (err)
		return cmd_fail(cmd, err, "laying out the result");
	printf("%s, %ss of %s (%.0f):\n", out_printable(g->first->dataset, text, sizeof(text)),
	       g->first->unit, format_size(g->first->size_bytes, size), blocks);
	code = cmd_print_sheet(cmd, sheet);
	putchar('\n');
	for (size_t k = 0; k < o->own.n_profiles; k++)
		printf("%s (readback factor %g): %s.\n", o->own.profiles[k].name,
		       o->own.profiles[k].readback_factor, verdicts[k]);
	return code;
}

static int print_tables(const struct cmd *cmd, const struct codec_session *s)
{
	const struct rank_opts *o = cmd->opts;
	struct group g;
	int code = EXIT_OK;
	bool any = false;

	for (size_t i = 0; i < s->results.n && !code; i++) {
		if (!is_wanted(o, &s->results.rows[i]) || !is_first(&s->results, i))
			continue;
		gather(o, &s->results, i, &g);
		if (any)
			putchar('\n');
		any = true;
		code = print_group(cmd, &g);
	}
	if (!code)
		printf("\nColumns of profiles: rank, * on the Pareto front, fair score (bytes "
		       "saved per CPU us);\n- saves less than %g%%. COMPRESS and RESTORE: CPU per "
		       "page or block.%s\n",
		       o->measure.min_savings_pct,
		       s->results.partial ? " Partial: a sweep or an input was cut short." : "");
	return code;
}

/* ---- where the rows come from ---- */

static int read_sweep(struct codec_session *s, const char *path)
{
	_cleanup_(input_release) struct input text = {0};
	const char *shown = strcmp(path, "-") ? path : "stdin";
	struct codec_results_error e;
	char where[64] = "";
	int err;

	if (!strcmp(path, "-"))
		err = input_read(STDIN_FILENO, SWEEP_TEXT_MAX, &text);
	else
		err = input_open(path, SWEEP_TEXT_MAX, &text);
	if (err)
		return cmd_fail(s->cmd, err, "cannot read %s", shown);
	err = codec_results_read((const char *)text.data, text.len, &s->results, &e);
	if (err == -EBADMSG) {
		if (e.record)
			snprintf(where, sizeof(where), "result %zu: ", e.record);
		return cmd_exit(s->cmd, EXIT_FAILED, "%s: %s%s%s%s", shown, where,
				e.column ? e.column : "", e.column ? ": " : "", e.problem);
	}
	if (err)
		return cmd_fail(s->cmd, err, "reading %s", shown);
	if (s->results.partial)
		cmd_notice(s->cmd, "%s is of a sweep that was cut short", shown);
	return EXIT_OK;
}

/* A sweep that has no pages of 4 KiB is ranked at the sizes that it has. */
static int settle_sizes(struct codec_session *s, struct rank_opts *o)
{
	bool chosen = o->own.n_sizes, found = false;
	const struct codec_results *r = &s->results;

	if (!chosen)
		o->own.sizes[o->own.n_sizes++] = (struct sweep_size){BENCH_PAGE, 4 * KiB};
	for (size_t i = 0; i < r->n; i++)
		found |= is_wanted(o, &r->rows[i]);
	if (found)
		return EXIT_OK;
	if (chosen)
		return cmd_exit(s->cmd, EXIT_FAILED, "the sweep has no results of these sizes");
	for (size_t i = 0; i < r->n && o->own.n_sizes < SWEEP_SIZES_MAX; i++) {
		if (!is_wanted(o, &r->rows[i]))
			o->own.sizes[o->own.n_sizes++] = (struct sweep_size){
				strcmp(r->rows[i].unit, "page") ? BENCH_BLOCK : BENCH_PAGE,
				r->rows[i].size_bytes};
	}
	return EXIT_OK;
}

static int measure(struct codec_session *s, struct rank_opts *o)
{
	if (!o->in.n)
		codec_input_add_dataset(&o->in, DATASET_HEAP);
	if (!o->own.n_sizes)
		o->own.sizes[o->own.n_sizes++] = (struct sweep_size){BENCH_PAGE, 4 * KiB};
	memcpy(s->sweep.sizes, o->own.sizes, sizeof(s->sweep.sizes));
	s->sweep.n_sizes = o->own.n_sizes;
	return codec_measure(s, &o->in, &o->measure);
}

static int run(struct cmd *cmd)
{
	_cleanup_(codec_session_freep) struct codec_session *s = codec_session_new(cmd);
	struct rank_opts *o = cmd->opts;
	int code = EXIT_OK;

	if (!s)
		return cmd_fail(cmd, -ENOMEM, "starting");
	if (!o->own.n_profiles) {
		memcpy(o->own.profiles, rank_profiles, RANK_PROFILES * sizeof(*rank_profiles));
		o->own.n_profiles = RANK_PROFILES;
	}
	if (o->own.plot)
		code = codec_plot_ready(cmd, o->own.plot);
	if (!code)
		code = o->own.from ? read_sweep(s, o->own.from) : measure(s, o);
	if (!code && o->own.from)
		code = settle_sizes(s, o);
	if (!code)
		code = cmd->out.format == OUT_TABLE ? print_tables(cmd, s) : print_rows(cmd, s);
	if (!code && o->own.plot)
		code = codec_plot(cmd, &s->results, o->own.profiles[0].readback_factor,
				  o->measure.min_savings_pct, o->own.plot);
	return code ? code : codec_session_code(s);
}

const struct command cmd_codec_rank = {
	.name = "rank",
	.brief = "say which codec to use, for memory read back how often",
	.doc = "Ranks codecs by fair_score = bytes_saved / (compress_cpu_ms + readback_factor * "
	       "decompress_cpu_ms). A codec that saves less than --min-savings-pct is ineligible. "
	       "The verdict follows a policy: LZ4 fast is the baseline, and zstd is for memory "
	       "that "
	       "is unlikely to be read back (a factor below 1), as far as the profile's budget of "
	       "CPU goes: 2.5 times the baseline's for cool memory, 4 times for cold.\n\n"
	       "Without --from it measures first: the heap set, or the inputs given.",
	.args_doc = "[FILE...]",
	.parts =
		(const struct cmd_part[]){
			{&codec_input_argp, offsetof(struct rank_opts, in)},
			{&codec_measure_argp, offsetof(struct rank_opts, measure)},
			{&argp, offsetof(struct rank_opts, own), option_words},
			{},
		},
	.opts_size = sizeof(struct rank_opts),
	.run = run,
	.examples =
		(const struct cmd_example[]){
			{"memscope codec rank --quick --pid $$",
			 "Which codec suits the memory of the shell", EXAMPLE_RUN},
			{"memscope codec sweep --quick --csv | memscope codec rank --from - "
			 "--profile cold",
			 "Rank a sweep that was measured before", EXAMPLE_RUN},
			{},
		},
};
