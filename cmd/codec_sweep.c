/* SPDX-License-Identifier: BSD-2-Clause */
/* memscope codec sweep */
#include <string.h>

#include "cmd/codec_common.h"

struct sweep_opts {
	struct codec_input_opts in;
	struct codec_measure_opts measure;
	struct {
		struct sweep_size sizes[SWEEP_SIZES_MAX];
		size_t n;
		bool no_blocks, no_pages;
		const char *plot;
	} own;
};

enum {
	KEY_SIZE = 0x3000,
	KEY_PAGE_SIZE,
	KEY_UNIT,
	KEY_PLOT,
};

static const struct argp_option options[] = {
	{"size", KEY_SIZE, "SIZE[,...]", 0,
	 "Block sizes (default: powers of two from 1K to --max-size)", 15},
	{"page-size", KEY_PAGE_SIZE, "SIZE[,...]", 0, "Page sizes (default 4K,16K,64K)", 15},
	{"unit", KEY_UNIT, "UNIT", 0, "Measure block, page, or both (default)", 15},
	{"plot", KEY_PLOT, "FILE", 0, "Draw ratio against speed in FILE.svg or FILE.png", 90},
	{0},
};

static const char *const unit_words[] = {"both", "block", "page", NULL};
static const struct cmd_words option_words[] = {{"unit", unit_words, false}, {}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct sweep_opts *o = container_of(state->input, struct sweep_opts, own);
	size_t unit;

	switch (key) {
	case KEY_SIZE:
		codec_sizes_parse(state, "--size", arg, BENCH_BLOCK, o->own.sizes, &o->own.n);
		return 0;
	case KEY_PAGE_SIZE:
		codec_sizes_parse(state, "--page-size", arg, BENCH_PAGE, o->own.sizes, &o->own.n);
		return 0;
	case KEY_UNIT:
		unit = opt_word(state, "--unit", arg, unit_words);
		o->own.no_pages = unit == 1;
		o->own.no_blocks = unit == 2;
		return 0;
	case KEY_PLOT:
		o->own.plot = codec_plot_check(state, arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {options, parse, NULL, NULL, NULL, NULL, NULL};

static bool has_unit(const struct sweep_opts *o, enum bench_unit unit)
{
	for (size_t i = 0; i < o->own.n; i++) {
		if (o->own.sizes[i].unit == unit)
			return true;
	}
	return false;
}

static void add_size(struct sweep *s, enum bench_unit unit, size_t size)
{
	if (s->n_sizes < SWEEP_SIZES_MAX)
		s->sizes[s->n_sizes++] = (struct sweep_size){unit, size};
}

/* Pages first: of a sweep that is cut short they are what is wanted most. */
static void choose_sizes(const struct sweep_opts *o, struct sweep *s)
{
	static const size_t pages[] = {4 * KiB, 16 * KiB, 64 * KiB};
	size_t max = o->in.max_size ? o->in.max_size : 16 * MiB;
	bool quick = o->measure.quick;

	for (int unit = BENCH_PAGE; unit >= BENCH_BLOCK; unit--) {
		bool page = unit == BENCH_PAGE;

		if (page ? o->own.no_pages : o->own.no_blocks)
			continue;
		if (has_unit(o, (enum bench_unit)unit)) {
			for (size_t i = 0; i < o->own.n; i++) {
				if ((int)o->own.sizes[i].unit == unit)
					add_size(s, (enum bench_unit)unit, o->own.sizes[i].size);
			}
		} else if (page) {
			for (size_t i = 0; i < (quick ? 1 : ARRAY_SIZE(pages)); i++) {
				if (pages[i] <= max)
					add_size(s, BENCH_PAGE, pages[i]);
			}
		} else if (quick && max >= 64 * KiB) {
			add_size(s, BENCH_BLOCK, 4 * KiB);
			add_size(s, BENCH_BLOCK, 64 * KiB);
		} else {
			s->n_sizes += sweep_ladder(KiB, max, s->sizes + s->n_sizes,
						   SWEEP_SIZES_MAX - s->n_sizes);
		}
	}
}

static int print(const struct cmd *cmd, const struct codec_session *s)
{
	_cleanup_(out_sheet_freep) struct out_sheet *sheet =
		out_sheet_new(codec_result_cols(), CODEC_RESULT_COLS);
	struct out_val vals[CODEC_RESULT_COLS];
	json_object *doc;
	int err = sheet ? 0 : -ENOMEM, code;

	for (size_t i = 0; i < s->results.n && !err; i++) {
		codec_result_vals(&s->results.rows[i], s->results.partial, vals);
		err = out_sheet_add(sheet, vals);
	}
	if (err)
		return cmd_fail(cmd, err, "laying out the result");
	if (cmd->out.format != OUT_JSON && cmd->out.format != OUT_PRETTY) {
		code = cmd_print_sheet(cmd, sheet);
		if (!code && s->results.partial && cmd->out.format == OUT_TABLE)
			puts("partial: the sweep or an input was cut short");
		return code;
	}
	doc = codec_document(s, CODEC_RESULT_SCHEMA);
	json_object_object_add(doc, "results", out_sheet_json(sheet));
	code = cmd_print_json(cmd, doc);
	json_object_put(doc);
	return code;
}

static int run(struct cmd *cmd)
{
	_cleanup_(codec_session_freep) struct codec_session *s = codec_session_new(cmd);
	struct sweep_opts *o = cmd->opts;
	int code = EXIT_OK;

	if (!s)
		return cmd_fail(cmd, -ENOMEM, "starting");
	if (!o->in.n) {
		for (int k = 0; k < DATASET_COUNT; k++)
			codec_input_add_dataset(&o->in, (enum dataset_kind)k);
	}
	choose_sizes(o, &s->sweep);
	if (!s->sweep.n_sizes)
		return cmd_exit(cmd, EXIT_USAGE, "--unit and --max-size leave no size to measure");
	if (o->own.plot)
		code = codec_plot_ready(cmd, o->own.plot);
	if (!code)
		code = codec_measure(s, &o->in, &o->measure);
	if (!code)
		code = print(cmd, s);
	if (!code && o->own.plot)
		code = codec_plot(cmd, &s->results, 0, o->measure.min_savings_pct, o->own.plot);
	return code ? code : codec_session_code(s);
}

const struct command cmd_codec_sweep = {
	.name = "sweep",
	.brief = "measure codecs on data, files or live memory",
	.doc = "Block tests give every block to the codec with all the room it wants. Page tests "
	       "do "
	       "what a pool of compressed memory does: same-filled pages cost nothing, pages that "
	       "save less than --min-savings-pct stay as they are, the rest is packed in size "
	       "classes. Times are medians over the runs; every block is restored and compared.\n\n"
	       "Without an input all generated sets are measured, at all sizes: that takes many "
	       "minutes, and the command says how many before it starts. Ctrl-C prints what there "
	       "is, "
	       "marked partial.",
	.args_doc = "[FILE...]",
	.parts =
		(const struct cmd_part[]){
			{&codec_input_argp, offsetof(struct sweep_opts, in)},
			{&codec_measure_argp, offsetof(struct sweep_opts, measure)},
			{&argp, offsetof(struct sweep_opts, own), option_words},
			{},
		},
	.opts_size = sizeof(struct sweep_opts),
	.run = run,
	.examples =
		(const struct cmd_example[]){
			{"memscope codec sweep --quick", "A first look, within ten seconds",
			 EXAMPLE_RUN},
			{"memscope codec sweep --pid $$ --quick --csv",
			 "The codecs on the memory of the shell", EXAMPLE_RUN},
			{"memscope codec sweep --dataset heap --codec lz4:1,zstd:-1 --page-size "
			 "4K,64K --unit page --max-size 1M --wide",
			 "Two codecs, with percentiles and page classes", EXAMPLE_RUN},
			{},
		},
};
