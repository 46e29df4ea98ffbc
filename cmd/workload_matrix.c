/* SPDX-License-Identifier: BSD-2-Clause */
/* memscope workload matrix: workloads on memory providers, into one folder. */
#include <string.h>
#include <sys/utsname.h>

#include "cmd/workload_common.h"

struct matrix_opts {
	struct load_opts load;
	char **names;
	size_t n_names;
	bool modes[MEM_KINDS];
	const char *out;
};

enum {
	KEY_MODES = 0x5200,
	KEY_OUT,
};

static const struct argp_option options[] = {
	{ "modes", KEY_MODES, "LIST", 0, "Memory providers: plain, arena, or both with a comma (default plain)", 5 },
	{ "out", KEY_OUT, "DIR", 0, "Write results.csv, results.json and host.json there", 6 },
	{ 0 },
};

static void parse_modes(struct matrix_opts *o, const struct argp_state *state, char *arg)
{
	_cleanup_free_ char *copy = strdup(arg);
	char *save = NULL;
	enum mem_kind kind;

	if (!copy)
		argp_failure(state, EXIT_FAILED, ENOMEM, "--modes");
	for (char *word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		if (mem_kind_find(word, &kind))
			argp_error(state, "--modes '%s': no memory provider '%s'; want plain, arena or plain,arena", arg,
				   word);
		o->modes[kind] = true;
	}
}

static bool any_mode(const struct matrix_opts *o)
{
	for (int k = 0; k < MEM_KINDS; k++)
		if (o->modes[k])
			return true;
	return false;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct matrix_opts *o = state->input;

	switch (key) {
	case KEY_MODES:
		parse_modes(o, state, arg);
		if (!any_mode(o))
			argp_error(state, "--modes '%s': want plain, arena or plain,arena", arg);
		return 0;
	case KEY_OUT:
		o->out = arg;
		return 0;
	case ARGP_KEY_ARGS:
		o->names = state->argv + state->next;
		o->n_names = (size_t)(state->argc - state->next);
		return 0;
	case ARGP_KEY_END:
		if (!any_mode(o))
			o->modes[MEM_PLAIN] = true;
		if (o->load.arena_tuned && !o->modes[MEM_ARENA])
			argp_error(state, "--arena-cap-mb and --arena-min-savings-pct need --modes arena");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = { options, parse, NULL, NULL, NULL, NULL, NULL };

static json_object *host_json(void)
{
	json_object *o = json_object_new_object();
	struct utsname uts;

	uname(&uts);
	json_object_object_add(o, "schema", json_object_new_string("memscope.host/1"));
	json_object_object_add(o, "version", json_object_new_string(MEMSCOPE_VERSION));
	json_object_object_add(o, "kernel", json_object_new_string(uts.release));
	json_object_object_add(o, "machine", json_object_new_string(uts.machine));
	json_object_object_add(o, "cpus", json_object_new_int64(sysconf(_SC_NPROCESSORS_ONLN)));
	json_object_object_add(o, "memory_bytes", json_object_new_int64((int64_t)sysconf(_SC_PHYS_PAGES) *
									sysconf(_SC_PAGESIZE)));
	return o;
}

struct matrix {
	const struct cmd *cmd;
	const struct matrix_opts *opts;
	struct out_sheet *sheet;
	json_object *results;
	unsigned done, planned;
	bool wrong;
};

/* One cell. What fails is said, and the other cells still run. */
static int run_cell(struct matrix *m, const struct workload_ops *ops, enum mem_kind kind)
{
	struct workload_config cfg;
	struct workload_result result;
	json_object *provider = NULL, *obj;
	char label[96];
	int code = load_config(m->cmd, &m->opts->load, ops, kind, false, &cfg);

	if (code)
		return code;
	snprintf(label, sizeof(label), "[%u/%u] %s, %s", ++m->done, m->planned, ops->name, mem_ops_of(kind)->name);
	code = load_run(m->cmd, &cfg, label, &result, &provider);
	if (code)
		return code;
	obj = result_json(&result, "memscope.workload.run/1");
	if (!obj || result_add(m->sheet, &result))
		return cmd_fail(m->cmd, -ENOMEM, "keeping the result");
	if (provider)
		json_object_object_add(obj, result.mode, provider);
	json_object_array_add(m->results, obj);
	return result_code(m->cmd, &result);
}

static int finish(struct matrix *m)
{
	const struct cmd *cmd = m->cmd;
	json_object *root = json_object_new_object(), *host = host_json();
	int code = EXIT_OK;

	json_object_object_add(root, "schema", json_object_new_string("memscope.workload.matrix/1"));
	json_object_object_add(root, "planned", json_object_new_uint64(m->planned));
	json_object_object_add(root, "interrupted", json_object_new_boolean(load_interrupted()));
	json_object_object_add(root, "results", json_object_get(m->results));
	add_own_cost(root);
	if (m->opts->out) {
		code = result_write_csv(cmd, m->sheet, m->opts->out, "results.csv");
		if (!code)
			code = result_write_json(cmd, root, m->opts->out, "results.json");
		if (!code)
			code = result_write_json(cmd, host, m->opts->out, "host.json");
	}
	if (!code && (cmd->out.format == OUT_JSON || cmd->out.format == OUT_PRETTY))
		code = cmd_print_json(cmd, root);
	else if (!code)
		code = cmd_print_sheet(cmd, m->sheet);
	json_object_put(root);
	json_object_put(host);
	return code;
}

static int run(struct cmd *cmd)
{
	static const char *const files[] = { "results.csv", "results.json", "host.json", NULL };
	const struct matrix_opts *o = cmd->opts;
	_cleanup_(out_sheet_freep) struct out_sheet *sheet = result_sheet();
	_cleanup_free_ const struct workload_ops **list = NULL;
	struct matrix m = { .cmd = cmd, .opts = o, .sheet = sheet };
	size_t n = 0;
	int code = load_names(cmd, o->names, o->n_names, &list, &n), worst = EXIT_OK;

	if (!code)
		code = load_check_knobs(cmd, &o->load, list, n);
	if (!code && o->out)
		code = load_make_dir(cmd, o->out, files);
	if (!code && !sheet)
		code = cmd_fail(cmd, -ENOMEM, "starting");
	if (code)
		return code;
	for (int k = 0; k < MEM_KINDS; k++)
		m.planned += o->modes[k] ? (unsigned)n : 0;
	m.results = json_object_new_array();
	cmd_notice(cmd, "%u runs of %g s", m.planned, o->load.set.seconds);
	load_catch_signals();
	for (size_t i = 0; i < n; i++)
		for (int k = 0; k < MEM_KINDS; k++)
			if (o->modes[k] && !load_interrupted()) {
				code = run_cell(&m, list[i], (enum mem_kind)k);
				worst = MAX(worst, code);
			}
	code = finish(&m);
	json_object_put(m.results);
	return code ? code : worst;
}

const struct command cmd_workload_matrix = {
	.name = "matrix",
	.brief = "run many workloads in many modes, into one result folder",
	.doc = "Runs each workload (all of them, or those named) once on each memory provider. A run that fails "
	       "is reported and the others go on; the exit code is then the highest one.",
	.args_doc = "[NAME...]",
	.parts = (const struct cmd_part[]){ { &argp, 0 },
					    { &load_argp, offsetof(struct matrix_opts, load) },
					    { &load_work_argp, offsetof(struct matrix_opts, load) },
					    { &load_arena_argp, offsetof(struct matrix_opts, load) },
					    {} },
	.opts_size = sizeof(struct matrix_opts),
	.run = run,
	.uses = FEATURE(CGROUP_MEM) | FEATURE(UFFD),
	.examples = (const struct cmd_example[]){
		{ "memscope workload matrix -d 0.2 --region 8M --modes plain,arena", "all workloads, on plain memory and in the arena", EXAMPLE_RUN },
		{ "memscope workload matrix random_touch_heap anon_streamer -d 0.5 --json", "two of them, as one JSON document", EXAMPLE_RUN },
		{},
	},
};
