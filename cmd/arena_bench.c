/* SPDX-License-Identifier: BSD-2-Clause */
/* memscope arena bench: what the arena saves, what it costs, and what a touch of cold memory waits.
 */
#include <string.h>

#include "cmd/arena_common.h"
#include "lib/input.h"
#include "lib/plot.h"
#include "lib/sample.h"

#define SETS_MAX  16
#define IMAGE_MAX (4 * GiB)

struct set {
	const char *name;
	enum dataset_kind kind;
	const char *image; /* a file, or NULL */
};

struct bench_opts {
	struct set sets[SETS_MAX];
	size_t n_sets;
	struct arena_bench_config config;
	uint64_t runs, warmups;
	const char *plot;
};

enum {
	KEY_DATASET = 0x2000,
	KEY_IMAGE,
	KEY_REGION,
	KEY_CAP,
	KEY_RUNS,
	KEY_WARMUPS,
	KEY_MODEL,
	KEY_HOT,
	KEY_PARTIAL,
	KEY_RANDOM,
	KEY_REUSE,
	KEY_IDLE,
	KEY_STEP,
	KEY_SEED,
	KEY_PLOT,
};

static const struct argp_option options[] = {
	{"dataset", KEY_DATASET, "NAME", 0,
	 "Fill the region with repetitive, unique, mixed_50_50, text or heap; may be repeated "
	 "(default: the first three)",
	 1},
	{"image", KEY_IMAGE, "FILE", 0,
	 "Fill it with the pages of a file, such as a core dump; may be repeated", 1},
	{"region", KEY_REGION, "SIZE", 0, "Size of the region (1M to 1T; default 128M)", 1},
	{"cap", KEY_CAP, "SIZE", 0, "Capacity of the pool (4K to 1T; default: no limit)", 1},
	{"runs", KEY_RUNS, "N", 0, "Measured runs of each set (1 to 1000; default 3)", 1},
	{"warmups", KEY_WARMUPS, "N", 0, "Runs before them (0 to 100; default 1)", 1},
	{"phase-model", KEY_MODEL, "MODEL", 0,
	 "single-bulk, hot-idle-full-reread or hot-idle-partial-random (default)", 2},
	{"hot-pct", KEY_HOT, "PCT", 0, "Part that is kept hot (0 to 100; default 25)", 2},
	{"partial-pct", KEY_PARTIAL, "PCT", 0, "Part that is read again (1 to 100; default 50)", 2},
	{"random-pct", KEY_RANDOM, "PCT", 0,
	 "Of these, reads in random order (0 to 100; default 50)", 2},
	{"reuse-distance", KEY_REUSE, "PAGES", 0,
	 "Every so many reads, read again the page that was read as long ago (default 64; 0: "
	 "never)",
	 2},
	{"idle", KEY_IDLE, "TIME", 0, "Between hot and compression (0s to 1h; default 100ms)", 2},
	{"sample-step", KEY_STEP, "N", 0, "Time every Nth access (1 to 100000; default 1)", 2},
	{"seed", KEY_SEED, "N", 0, "Of the contents and the order (default 1)", 2},
	{"plot", KEY_PLOT, "FILE", 0, "Draw the memory by phase into FILE.svg or FILE.png", 3},
	{0},
};

static const char *const dataset_names[] = {"repetitive", "unique", "mixed_50_50",
					    "text",       "heap",   NULL};

static const struct cmd_words words[] = {
	{"dataset", dataset_names},
	{"phase-model", arena_bench_model_names},
	{},
};

static void add_set(const struct argp_state *state, struct bench_opts *o, struct set set)
{
	if (o->n_sets == SETS_MAX)
		argp_error(state, "more than %d sets", SETS_MAX);
	o->sets[o->n_sets++] = set;
}

static void add_dataset(const struct argp_state *state, struct bench_opts *o, const char *name)
{
	enum dataset_kind kind = DATASET_REPETITIVE;

	dataset_find(dataset_names[opt_word(state, "--dataset", name, dataset_names)], &kind);
	add_set(state, o, (struct set){dataset_info(kind)->name, kind, NULL});
}

static void set_defaults(struct bench_opts *o)
{
	o->config = (struct arena_bench_config){
		.region = 128 * MiB,
		.model = ARENA_BENCH_PARTIAL_RANDOM,
		.seed = 1,
		.hot_pct = 25,
		.partial_pct = 50,
		.random_pct = 50,
		.reuse = 64,
		.step = 1,
		.idle_ns = 100 * NSEC_PER_MSEC,
	};
	o->runs = 3;
	o->warmups = 1;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct bench_opts *o = state->input;
	struct arena_bench_config *c = &o->config;

	switch (key) {
	case ARGP_KEY_INIT:
		set_defaults(o);
		return 0;
	case KEY_DATASET:
		add_dataset(state, o, arg);
		return 0;
	case KEY_IMAGE:
		add_set(state, o, (struct set){arg, DATASET_REPETITIVE, arg});
		return 0;
	case KEY_REGION:
		c->region = ROUND_UP(opt_size(state, "--region", arg, MiB, 1024 * GiB), 65536);
		return 0;
	case KEY_CAP:
		c->arena.capacity_bytes = opt_size(state, "--cap", arg, 4096, 1024 * GiB);
		return 0;
	case KEY_RUNS:
		o->runs = opt_u64(state, "--runs", arg, 1, 1000);
		return 0;
	case KEY_WARMUPS:
		o->warmups = opt_u64(state, "--warmups", arg, 0, 100);
		return 0;
	case KEY_MODEL:
		c->model = (enum arena_bench_model)opt_word(state, "--phase-model", arg,
							    arena_bench_model_names);
		return 0;
	case KEY_HOT:
		c->hot_pct = (unsigned)opt_u64(state, "--hot-pct", arg, 0, 100);
		return 0;
	case KEY_PARTIAL:
		c->partial_pct = (unsigned)opt_u64(state, "--partial-pct", arg, 1, 100);
		return 0;
	case KEY_RANDOM:
		c->random_pct = (unsigned)opt_u64(state, "--random-pct", arg, 0, 100);
		return 0;
	case KEY_REUSE:
		c->reuse = (unsigned)opt_u64(state, "--reuse-distance", arg, 0, 1000000);
		return 0;
	case KEY_IDLE:
		c->idle_ns = opt_duration(state, "--idle", arg, 0, 3600 * NSEC_PER_SEC);
		return 0;
	case KEY_STEP:
		c->step = (unsigned)opt_u64(state, "--sample-step", arg, 1, 100000);
		return 0;
	case KEY_SEED:
		c->seed = opt_u64(state, "--seed", arg, 0, UINT64_MAX);
		return 0;
	case KEY_PLOT:
		if (!plot_name_ok(arg))
			argp_error(state, "--plot '%s': want a name that ends in .svg or .png",
				   arg);
		o->plot = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {options, parse, NULL, NULL, NULL, NULL, NULL};

struct bench_all {
	struct arena_opts arena; /* first: the parts' offsets */
	struct bench_opts bench;
};

/* The columns: what they are called, and where they are in the result. */

#define FIELD(f) offsetof(struct arena_bench_result, f)
#define U(key, title, type, field, flags)                         \
	{                                                         \
		{key, title, type, 0, flags}, FIELD(field), false \
	}
#define F(key, title, field, flags)                                 \
	{                                                           \
		{key, title, OUT_F64, 0, flags}, FIELD(field), true \
	}
#define PHASE(name, id)                                                                           \
	U("arena_" name "_rss_bytes", name " rss", OUT_BYTES, arena.memory[id].rss_bytes,         \
	  OUT_NOT_TABLE),                                                                         \
		U("arena_" name "_pss_bytes", name " pss", OUT_BYTES, arena.memory[id].pss_bytes, \
		  OUT_NOT_TABLE),                                                                 \
		U("arena_" name "_anonymous_bytes", name " anon", OUT_BYTES,                      \
		  arena.memory[id].anonymous_bytes, OUT_NOT_TABLE),                               \
		U("plain_" name "_pss_bytes", name " plain", OUT_BYTES,                           \
		  plain.memory[id].pss_bytes, OUT_NOT_TABLE)

static const struct field {
	struct out_col col;
	size_t offset;
	bool real;
} fields[] = {
	F("ratio_e2e_post_comp", "e2e", ratio_e2e, 0),
	F("ratio_pss", "by pss", ratio_pss, 0),
	F("ratio_admitted_post_comp", "admitted", ratio_admitted, OUT_WIDE),
	F("ratio_codec_post_comp", "codec", ratio_codec, 0),
	F("admit_rate_post_comp", "admit", admit_rate, 0),
	F("saved_mib_per_cpu_s", "MiB/cpu-s", saved_mib_per_cpu_s, 0),
	U("attempted_bytes", "tried", OUT_BYTES, packed.attempted_bytes, OUT_WIDE),
	U("admitted_bytes", "packed", OUT_BYTES, packed.admitted_bytes, OUT_WIDE),
	U("stubborn_bytes", "stubborn", OUT_BYTES, packed.rejected_stubborn_bytes, OUT_NOT_TABLE),
	U("busy_bytes", "busy", OUT_BYTES, packed.rejected_busy_bytes, OUT_NOT_TABLE),
	U("full_bytes", "full", OUT_BYTES, packed.rejected_full_bytes, OUT_NOT_TABLE),
	U("logical_bytes", "logical", OUT_BYTES, packed.logical_bytes, OUT_NOT_TABLE),
	U("same_filled_bytes", "same", OUT_BYTES, packed.logical_same_bytes, OUT_NOT_TABLE),
	U("compressed_bytes", "payload", OUT_BYTES, packed.compressed_bytes, OUT_NOT_TABLE),
	U("pool_resident_bytes", "pool", OUT_BYTES, packed.pool_resident_bytes, OUT_WIDE),
	U("pool_live_bytes", "live", OUT_BYTES, packed.pool_live_bytes, OUT_NOT_TABLE),
	U("pool_free_bytes", "free", OUT_BYTES, packed.pool_free_bytes, OUT_NOT_TABLE),
	U("pool_dead_bytes", "dead", OUT_BYTES, packed.pool_dead_bytes, OUT_NOT_TABLE),
	U("pool_largest_free_bytes", "largest", OUT_BYTES, packed.pool_largest_free_bytes,
	  OUT_NOT_TABLE),
	U("metadata_bytes", "metadata", OUT_BYTES, packed.metadata_bytes, OUT_NOT_TABLE),
	U("fixed_bytes", "fixed", OUT_BYTES, packed.fixed_bytes, OUT_NOT_TABLE),
	U("compactions", "compactions", OUT_U64, end.compactions, OUT_NOT_TABLE),
	U("evicted_bytes", "evicted", OUT_BYTES, end.evicted_bytes, OUT_NOT_TABLE),
	U("compress_ops", "cops", OUT_U64, end.compress_ops, OUT_NOT_TABLE),
	U("decompress_ops", "dops", OUT_U64, end.decompress_ops, OUT_NOT_TABLE),
	U("compress_wall_ns", "pack wall", OUT_NS, compress.wall_ns, OUT_WIDE),
	U("compress_thread_cpu_ns", "pack cpu", OUT_NS, compress.thread_cpu_ns, OUT_NOT_TABLE),
	U("compress_process_cpu_ns", "pack cpu", OUT_NS, compress.process_cpu_ns, OUT_NOT_TABLE),
	U("reread_wall_ns", "read wall", OUT_NS, arena.reread_cost.wall_ns, OUT_WIDE),
	U("reread_thread_cpu_ns", "read cpu", OUT_NS, arena.reread_cost.thread_cpu_ns,
	  OUT_NOT_TABLE),
	U("reread_process_cpu_ns", "read cpu", OUT_NS, arena.reread_cost.process_cpu_ns,
	  OUT_NOT_TABLE),
	U("reread_p50_ns", "read p50", OUT_NS, arena.reread.p50_ns, OUT_WIDE),
	U("reread_p95_ns", "read p95", OUT_NS, arena.reread.p95_ns, OUT_NOT_TABLE),
	U("reread_p99_ns", "read p99", OUT_NS, arena.reread.p99_ns, OUT_WIDE),
	U("reread_max_ns", "read max", OUT_NS, arena.reread.max_ns, OUT_NOT_TABLE),
	U("stalls", "stalls", OUT_U64, stall.count, OUT_NOT_TABLE),
	U("stall_p50_ns", "p50", OUT_NS, stall.p50_ns, 0),
	U("stall_p95_ns", "p95", OUT_NS, stall.p95_ns, OUT_NOT_TABLE),
	U("stall_p99_ns", "p99", OUT_NS, stall.p99_ns, 0),
	U("stall_max_ns", "max", OUT_NS, stall.max_ns, OUT_WIDE),
	U("minor_faults", "minflt", OUT_U64, arena.minor_faults, OUT_NOT_TABLE),
	U("major_faults", "majflt", OUT_U64, arena.major_faults, OUT_NOT_TABLE),
	U("plain_reread_wall_ns", "plain wall", OUT_NS, plain.reread_cost.wall_ns, OUT_WIDE),
	U("plain_reread_p50_ns", "plain p50", OUT_NS, plain.reread.p50_ns, OUT_NOT_TABLE),
	U("plain_reread_p99_ns", "plain p99", OUT_NS, plain.reread.p99_ns, OUT_NOT_TABLE),
	U("plain_minor_faults", "plain minflt", OUT_U64, plain.minor_faults, OUT_NOT_TABLE),
	U("arena_peak_rss_bytes", "peak", OUT_BYTES, arena.peak_rss_bytes, OUT_NOT_TABLE),
	U("plain_peak_rss_bytes", "plain peak", OUT_BYTES, plain.peak_rss_bytes, OUT_NOT_TABLE),
	U("pss_before_bytes", "before", OUT_BYTES, arena.memory[ARENA_BENCH_HOT].pss_bytes, 0),
	U("pss_after_bytes", "after", OUT_BYTES, arena.memory[ARENA_BENCH_PACKED].pss_bytes, 0),
	PHASE("empty", ARENA_BENCH_EMPTY),
	PHASE("filled", ARENA_BENCH_FILLED),
	PHASE("hot", ARENA_BENCH_HOT),
	PHASE("packed", ARENA_BENCH_PACKED),
	PHASE("reread", ARENA_BENCH_REREAD),
	PHASE("end", ARENA_BENCH_END),
};

static const struct out_col first_columns[] = {
	{"dataset", "dataset", OUT_STR, 0, 0},
	{"run", "run", OUT_U64, 0, OUT_NOT_TABLE},
	{"runs", "runs", OUT_U64, 0, OUT_NOT_TABLE},
	{"phase_model", "model", OUT_STR, 0, OUT_NOT_TABLE},
	{"region_bytes", "region", OUT_BYTES, 0, OUT_NOT_TABLE},
	{"seed", "seed", OUT_U64, 0, OUT_NOT_TABLE},
	{"verified", "ok", OUT_BOOL, 0, OUT_NOT_TABLE},
};

#define N_FIRST   ARRAY_SIZE(first_columns)
#define N_COLUMNS (N_FIRST + ARRAY_SIZE(fields))

static double field_of(const struct arena_bench_result *r, size_t i)
{
	const char *at = (const char *)r + fields[i].offset;

	return fields[i].real ? *(const double *)(const void *)at
			      : (double)*(const uint64_t *)(const void *)at;
}

static double median(const struct arena_bench_result *r, size_t n, size_t field)
{
	double v[SAMPLE_MAX];

	for (size_t i = 0; i < n; i++)
		v[i] = field_of(&r[i], field);
	return sample_median(v, n);
}

/* One row: the medians of n runs, or one run by itself (n is 1). */
static int add_row(struct out_sheet *sheet, const struct bench_opts *o, const char *name,
		   const struct arena_bench_result *r, size_t n, uint64_t run)
{
	struct out_val v[N_COLUMNS];
	bool verified = true;
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		verified = verified && r[i].verified;
	v[k++] = OUT_S(name);
	v[k++] = run ? OUT_U(run) : OUT_NULL;
	v[k++] = OUT_U(n);
	v[k++] = OUT_S(arena_bench_model_names[o->config.model]);
	v[k++] = OUT_U(o->config.region);
	v[k++] = OUT_U(o->config.seed);
	v[k++] = OUT_U(verified);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		double m = median(r, n, i);

		v[k++] = fields[i].real ? OUT_F(m) : OUT_U((uint64_t)m);
	}
	return out_sheet_add(sheet, v);
}

static struct out_sheet *new_sheet(struct out_col columns[N_COLUMNS])
{
	memcpy(columns, first_columns, sizeof(first_columns));
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		columns[N_FIRST + i] = fields[i].col;
	return out_sheet_new(columns, N_COLUMNS);
}

static int draw(const struct cmd *cmd, const struct bench_opts *o,
		const struct arena_bench_result *r, const char *const *names, size_t n)
{
	_cleanup_free_ char *script = NULL;
	char why[256] = "";
	size_t len;
	FILE *f = open_memstream(&script, &len);
	int err;

	if (!f)
		return cmd_fail(cmd, -ENOMEM, "--plot");
	plot_begin(f, o->plot, 800, 500);
	fputs("set style data histograms\nset style fill solid 0.7\nset ylabel 'PSS in MiB'\n"
	      "set yrange [0:*]\nset key outside\nset grid y\nset title 'arena bench, ",
	      f);
	fprintf(f, "%s'\n$data << EOD\n", arena_bench_model_names[o->config.model]);
	for (int p = 0; p < ARENA_BENCH_PHASES; p++) {
		fprintf(f, "%s", arena_bench_phase_names[p]);
		for (size_t i = 0; i < n; i++)
			fprintf(f, " %.1f", (double)r[i].arena.memory[p].pss_bytes / (double)MiB);
		fprintf(f, " %.1f\n", (double)r[0].plain.memory[p].pss_bytes / (double)MiB);
	}
	fputs("EOD\nplot ", f);
	for (size_t i = 0; i <= n; i++) {
		fprintf(f, "%s$data using %zu%s title ", i ? ", " : "", i + 2, i ? "" : ":xtic(1)");
		plot_quote(f, i < n ? names[i] : "plain memory");
	}
	fputs("\n", f);
	if (fclose(f))
		return cmd_fail(cmd, -ENOMEM, "--plot");
	err = plot_run(script, len, why, sizeof(why));
	if (err == -ENOENT)
		return cmd_exit(
			cmd, EXIT_REFUSED,
			"--plot needs gnuplot, which is not installed (package gnuplot-nox, or "
			"gnuplot); --csv gives the numbers without it");
	return err ? cmd_fail(cmd, err, "--plot: %s", why) : EXIT_OK;
}

struct session {
	struct cmd *cmd;
	struct bench_opts *o;
	struct out_col columns[N_COLUMNS];
	struct out_sheet *runs, *medians;
	struct arena_bench_result *results; /* of one set */
	struct arena_bench_result firsts[SETS_MAX];
	const char *names[SETS_MAX];
	size_t n_done;
	bool mismatch, interrupted;
};

static int measure_set(struct session *s, const struct set *set, const struct input *image)
{
	struct bench_opts *o = s->o;
	size_t n = 0;
	int err = 0;

	o->config.dataset = set->kind;
	o->config.image = set->image ? image->data : NULL;
	o->config.image_len = set->image ? image->len / 4096 * 4096 : 0;
	for (uint64_t i = 0; i < o->warmups + o->runs && !err; i++) {
		struct arena_bench_result *r = &s->results[n];

		arena_progress(s->cmd, "%s: run %llu of %llu", set->name, (unsigned long long)i + 1,
			       (unsigned long long)(o->warmups + o->runs));
		err = arena_bench_run(&o->config, r);
		if (err || i < o->warmups)
			continue;
		s->mismatch = s->mismatch || !r->verified;
		n++;
		if (add_row(s->runs, o, set->name, r, 1, n))
			return cmd_fail(s->cmd, -ENOMEM, "keeping the results");
	}
	arena_progress(s->cmd, NULL);
	if (err == -EINTR)
		s->interrupted = true;
	else if (err)
		return arena_fail(s->cmd, err, o->config.arena.access);
	if (n && add_row(s->medians, o, set->name, s->results, n, 0))
		return cmd_fail(s->cmd, -ENOMEM, "keeping the results");
	if (n) {
		s->firsts[s->n_done] = s->results[0];
		s->names[s->n_done++] = set->name;
	}
	return EXIT_OK;
}

static int measure(struct session *s)
{
	for (size_t i = 0; i < s->o->n_sets && !s->interrupted; i++) {
		const struct set *set = &s->o->sets[i];
		struct input image = {0};
		int code, err = set->image ? input_open(set->image, IMAGE_MAX, &image) : 0;

		if (!err && set->image && image.len < 4096)
			err = -ENODATA;
		if (err) {
			input_release(&image);
			return cmd_fail(s->cmd, err, "%s", set->image);
		}
		code = measure_set(s, set, &image);
		input_release(&image);
		if (code)
			return code;
	}
	return EXIT_OK;
}

static int report(struct session *s)
{
	struct cmd *cmd = s->cmd;
	json_object *root;
	int code;

	if (cmd->out.format == OUT_JSON || cmd->out.format == OUT_PRETTY) {
		root = json_object_new_object();
		json_object_object_add(root, "schema", json_object_new_int(1));
		json_object_object_add(root, "command", json_object_new_string("arena bench"));
		json_object_object_add(root, "partial", json_object_new_boolean(s->interrupted));
		json_object_object_add(root, "medians", out_sheet_json(s->medians));
		json_object_object_add(root, "runs", out_sheet_json(s->runs));
		code = cmd_print_json(cmd, root);
		json_object_put(root);
		return code;
	}
	return cmd_print_sheet(cmd, cmd->out.format == OUT_TABLE ? s->medians : s->runs);
}

static int run(struct cmd *cmd)
{
	struct bench_all *all = cmd->opts;
	struct bench_opts *o = &all->bench;
	_cleanup_free_ struct session *s = calloc(1, sizeof(*s));
	uint64_t cap = o->config.arena.capacity_bytes;
	int code;

	if (!o->n_sets)
		for (int i = DATASET_REPETITIVE; i <= DATASET_MIXED; i++)
			o->sets[o->n_sets++] =
				(struct set){dataset_info((enum dataset_kind)i)->name,
					     (enum dataset_kind)i, NULL};
	o->config.arena = all->arena.options;
	o->config.arena.capacity_bytes = cap;
	o->config.tier = all->arena.tier;
	o->config.region_flags = all->arena.region_flags;
	o->config.stop = arena_catch_signals();
	if (!s)
		return cmd_fail(cmd, -ENOMEM, "starting");
	s->cmd = cmd;
	s->o = o;
	s->results = calloc(o->runs, sizeof(*s->results));
	s->runs = new_sheet(s->columns);
	s->medians = new_sheet(s->columns);
	code = s->results && s->runs && s->medians ? measure(s)
						   : cmd_fail(cmd, -ENOMEM, "starting");
	if (!code && s->interrupted)
		cmd_notice(cmd, "interrupted: the results are partial");
	if (!code)
		code = report(s);
	if (!code && o->plot && s->n_done)
		code = draw(cmd, o, s->firsts, s->names, s->n_done);
	if (!code && s->mismatch)
		code = cmd_exit(cmd, EXIT_CHECK, "the memory does not hold what was written to it");
	out_sheet_free(s->runs);
	out_sheet_free(s->medians);
	free(s->results);
	return code;
}

const struct command cmd_arena_bench = {
	.name = "bench",
	.brief = "measure what the arena saves and what touching it costs",
	.doc = "Fills a region, keeps a part of it hot, compresses the rest, reads it back as the "
	       "phase "
	       "model says, and compares all of it with what was written (a difference is exit "
	       "code "
	       "5). The same accesses on plain memory are the baseline. The table shows medians "
	       "over "
	       "the runs: e2e is attempted / (what stayed resident + pool + metadata), \"by pss\" "
	       "the "
	       "same as the kernel accounts for it, p50 and p99 the wait for a compressed page. "
	       "--csv has each run, --json both.",
	.parts =
		(const struct cmd_part[]){
			{&arena_argp, 0, arena_words},
			{&argp, offsetof(struct bench_all, bench), words},
			{},
		},
	.opts_size = sizeof(struct bench_all),
	.run = run,
	.uses = FEATURE(UFFD) | FEATURE(UFFD_MOVE),
	.examples =
		(const struct cmd_example[]){
			{"memscope arena bench --region 16M --runs 1 --warmups 0",
			 "the three standard sets, once", EXAMPLE_RUN},
			{"memscope arena bench --image /proc/self/exe --phase-model single-bulk "
			 "--region 8M --json",
			 "the pages of a program, all compressed and read back in order",
			 EXAMPLE_RUN},
			{},
		},
};
