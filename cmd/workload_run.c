/* SPDX-License-Identifier: BSD-2-Clause */
/* memscope workload run NAME */
#include "cmd/workload_common.h"

struct run_opts {
	struct load_opts load;
	const char *name;
	bool arena;
	const char *stats_path;
};

enum {
	KEY_USE_ARENA = 0x5100,
	KEY_STATS_JSON,
};

static const struct argp_option options[] = {
	{ "use-mem-arena", KEY_USE_ARENA, NULL, 0, "Work in the compressed arena, not in plain memory", 5 },
	{ "arena-stats-json", KEY_STATS_JSON, "PATH", 0, "Write the arena's statistics to a file", 5 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct run_opts *o = state->input;

	switch (key) {
	case KEY_USE_ARENA:
		o->arena = true;
		return 0;
	case KEY_STATS_JSON:
		o->stats_path = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (o->name)
			argp_error(state, "one workload at a time: '%s' and '%s' (see workload matrix)", o->name, arg);
		o->name = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->name)
			argp_error(state, "no workload named; 'memscope workload list' shows them");
		if (!o->arena && (o->load.arena_tuned || o->stats_path))
			argp_error(state, "%s needs --use-mem-arena",
				   o->stats_path ? "--arena-stats-json" : "--arena-cap-mb or --arena-min-savings-pct");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = { options, parse, NULL, NULL, NULL, NULL, NULL };

/* Opened before the run: a path that cannot be written is better known now. */
static int open_stats(const struct cmd *cmd, const char *path, FILE **ret)
{
	if (!path)
		return EXIT_OK;
	*ret = fopen(path, "we");
	return *ret ? EXIT_OK : cmd_fail(cmd, -errno, "--arena-stats-json '%s'", path);
}

static int write_stats(const struct cmd *cmd, const char *path, FILE *f, json_object *provider)
{
	int err = 0;

	if (provider)
		err = out_json(f, provider, true);
	if (!err && fflush(f))
		err = -errno;
	return err ? cmd_fail(cmd, err, "--arena-stats-json '%s'", path) : EXIT_OK;
}

static int run(struct cmd *cmd)
{
	const struct run_opts *o = cmd->opts;
	const struct workload_ops *ops = workload_find(o->name, NULL);
	_cleanup_fclose_ FILE *stats = NULL;
	struct workload_config cfg;
	struct workload_result result;
	json_object *provider = NULL;
	int code, shown;

	if (!ops)
		return load_unknown(cmd, o->name);
	code = load_config(cmd, &o->load, ops, o->arena ? MEM_ARENA : MEM_PLAIN, true, &cfg);
	if (!code)
		code = open_stats(cmd, o->stats_path, &stats);
	if (code)
		return code;
	load_catch_signals();
	code = load_run(cmd, &cfg, ops->name, &result, &provider);
	if (code)
		return code;
	if (stats)
		code = write_stats(cmd, o->stats_path, stats, provider);
	shown = result_show(cmd, &result, provider, "memscope.workload.run/1");
	if (!code)
		code = shown;
	json_object_put(provider);
	return code ? code : result_code(cmd, &result);
}

const struct command cmd_workload_run = {
	.name = "run",
	.brief = "run one workload and say what it reached",
	.doc = "Fills its memory, touches all of it, and only then starts the clock. A rate is kept on absolute "
	       "deadlines; what was reached is in the result. Ctrl-C ends a run early, with its result. With "
	       "--verify every touched page is compared with what it must hold: a wrong byte is exit code 5.\n\n"
	       "With --use-mem-arena memory is compressed in each idle gap and at the start, and comes back when "
	       "it is touched.",
	.args_doc = "NAME",
	.parts = (const struct cmd_part[]){ { &argp, 0 },
					    { &load_argp, offsetof(struct run_opts, load) },
					    { &load_work_argp, offsetof(struct run_opts, load) },
					    { &load_arena_argp, offsetof(struct run_opts, load) },
					    {} },
	.opts_size = sizeof(struct run_opts),
	.run = run,
	.uses = FEATURE(CGROUP_MEM) | FEATURE(UFFD),
	.examples = (const struct cmd_example[]){
		{ "memscope workload run random_touch_heap --duration-sec 1 --rate 100000", "100000 random touches a second", EXAMPLE_RUN },
		{ "memscope workload run interactive_burst -d 2 --use-mem-arena --json", "bursts over memory that is compressed in between", EXAMPLE_RUN },
		{ "memscope workload run anon_streamer -d 1 --region 64M --dataset heap --verify", "passes over heap-like contents, each page compared", EXAMPLE_RUN },
		{ "sudo memscope workload run mmap_churn -d 1 --cgroup-limit 256M", "in a memory cgroup of its own", EXAMPLE_PREPARED },
		{},
	},
};
