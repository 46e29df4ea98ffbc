/* SPDX-License-Identifier: BSD-2-Clause */
/* memscope pool explain: the numbers of swapon, zramctl and mm_stat, reconciled line by line. */
#include <string.h>

#include "cmd/pool_common.h"
#include "lib/file.h"
#include "lib/parse.h"
#include "lib/zram_explain.h"

struct explain_opts {
	int device; /* first: the input of pool_device_argp */
	const char *sysroot;
};

enum {
	KEY_SYSROOT = 0x100,
};

static const struct argp_option options[] = {
	{ "sysroot", KEY_SYSROOT, "DIR", 0, "Read DIR/proc and DIR/sys, copied from another machine", 1 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct explain_opts *o = state->input;

	switch (key) {
	case KEY_SYSROOT:
		o->sysroot = arg;
		file_set_sysroot(arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = { options, parse, NULL, NULL, NULL, NULL, NULL };

static const struct out_col columns[] = {
	{ "section", "SECTION", OUT_STR, 0, 0 },
	{ "key", "FIGURE", OUT_STR, 0, 0 },
	{ "kind", "KIND", OUT_STR, 0, 0 },
	{ "subtracted", "SUBTRACTED", OUT_BOOL, 0, 0 },
	{ "at_most", "ATMOST", OUT_BOOL, 0, 0 },
	{ "before_bytes", "BEFORE", OUT_BYTES, 0, 0 },
	{ "now_bytes", "NOW", OUT_BYTES, 0, 0 },
	{ "what", "MEANING", OUT_STR, 0, 0 },
};

static int add_line(struct out_sheet *sheet, const struct zram_line *l)
{
	static const char *const kinds[] = { "item", "total", "rest" };
	bool have_before = strcmp(l->section, "memory") != 0;

	return out_sheet_add(sheet, (struct out_val[]){
					    OUT_S(l->section),
					    OUT_S(l->key),
					    OUT_S(kinds[l->kind]),
					    OUT_U(l->less),
					    OUT_U(l->bound),
					    have_before ? OUT_U(l->before) : OUT_NULL,
					    l->have_now ? OUT_U(l->now) : OUT_NULL,
					    OUT_S(l->what),
				    });
}

static void read_machine(const struct pool_facts *facts, struct zram_explain_in *in)
{
	_cleanup_free_ char *vmstat = NULL;
	uint64_t out = 0, back = 0;

	in->only_area = facts->f.n_swaps == 1;
	meminfo_read("Zswapped", &in->zswapped_bytes);
	meminfo_read("SwapCached", &in->swap_cached_bytes);
	if (file_read_all("/proc", "vmstat", &vmstat))
		return;
	in->have_zero = !text_find_u64(vmstat, "swpout_zero", &out);
	if (in->have_zero && !text_find_u64(vmstat, "swpin_zero", &back))
		in->zero_pages_max = out > back ? out - back : 0;
}

/* Tables: a paragraph for each section, each line with its meaning, in 80 columns. */
static void print_table(const struct zram_device *d, const struct zram_line *lines, size_t n)
{
	static const char *const titles[][2] = {
		{ "slots", "What swapon shows, and where those pages are" },
		{ "stored", "What the device stores" },
		{ "memory", "What that takes" },
	};
	const char *section = "";

	printf("%s\n", d->name);
	for (size_t i = 0; i < n; i++) {
		const struct zram_line *l = &lines[i];
		char before[FORMAT_MAX] = "", now[FORMAT_MAX] = "";
		size_t at = 0;

		if (strcmp(section, l->section)) {
			for (size_t t = 0; t < ARRAY_SIZE(titles); t++)
				if (!strcmp(titles[t][0], l->section))
					printf("\n%s\n   %9s %9s\n", titles[t][1], strcmp(l->section, "memory") ? "pages had" : "",
					       strcmp(l->section, "slots") ? "takes" : "");
			section = l->section;
		}
		if (strcmp(l->section, "memory"))
			format_size(l->before, before);
		if (l->have_now)
			format_size(l->now, now);
		printf(" %c %s%*s %9s  ", l->kind == ZRAM_LINE_TOTAL ? '=' : l->less ? '-' : '+', l->bound ? "<=" : "",
		       l->bound ? 7 : 9, before, now);
		/* The meaning, broken at blanks. */
		while (strlen(l->what + at) > 55) {
			size_t cut = 55;

			while (cut && l->what[at + cut] != ' ')
				cut--;
			printf("%.*s\n%25s", (int)cut, l->what + at, "");
			at += cut + 1;
		}
		printf("%s\n", l->what + at);
	}
}

static int print_json(const struct cmd *cmd, const struct zram_device *d, const struct out_sheet *sheet)
{
	json_object *obj = json_object_new_object();
	int code;

	json_object_object_add(obj, "schema", json_object_new_string("memscope.pool-explain/1"));
	json_object_object_add(obj, "device", json_object_new_string(d->name));
	json_object_object_add(obj, "lines", out_sheet_json(sheet));
	code = cmd_print_json(cmd, obj);
	json_object_put(obj);
	return code;
}

static int explain(const struct cmd *cmd, const struct pool_facts *facts, const struct zram_device *d)
{
	_cleanup_(out_sheet_freep) struct out_sheet *sheet = out_sheet_new(columns, ARRAY_SIZE(columns));
	struct zram_explain_in in = {
		.device = d,
		.area = swaps_find(facts->swaps, facts->f.n_swaps, d->name),
		.page_size = facts->f.page_size,
	};
	struct zram_line lines[ZRAM_LINES_MAX];
	size_t n;
	int err;

	read_machine(facts, &in);
	err = zram_explain(&in, lines, &n);
	if (err == -ENODATA)
		return cmd_exit(cmd, EXIT_UNSUPPORTED, "%s has no mm_stat: Linux 4.7 or later is needed", d->name);
	for (size_t i = 0; sheet && !err && i < n; i++)
		err = add_line(sheet, &lines[i]);
	if (err || !sheet)
		return cmd_fail(cmd, err ? err : -ENOMEM, "explaining %s", d->name);
	if (cmd->out.format == OUT_JSON || cmd->out.format == OUT_PRETTY)
		return print_json(cmd, d, sheet);
	if (cmd->out.format != OUT_TABLE)
		return cmd_print_sheet(cmd, sheet);
	print_table(d, lines, n);
	return EXIT_OK;
}

static int run(struct cmd *cmd)
{
	const struct explain_opts *o = cmd->opts;

	return pool_run_on(cmd, o->device, explain);
}

const struct command cmd_pool_explain = {
	.name = "explain",
	.brief = "say why swapon, zramctl and mm_stat show different sizes",
	.doc = "Starts from the swap slots in use, as swapon shows them, and goes line by line to the memory that the device "
	       "takes: pages of zeros that swap keeps itself, zswap before the device, slots that are freed and still stored, "
	       "same-filled and incompressible pages, the backing device, the allocator's loss, and the table. What is not "
	       "explained is a line too.",
	.parts = (const struct cmd_part[]){ { &pool_device_argp, 0 }, { &argp, 0 }, {} },
	.opts_size = sizeof(struct explain_opts),
	.run = run,
	.needs = FEATURE(ZRAM),
	.examples = (const struct cmd_example[]){
		{ "sudo sh -c 'memscope pool setup --size 64M && memscope pool explain; memscope pool reset'", "a new pool, line by line",
		  EXAMPLE_RUN },
		{},
	},
};
