/* SPDX-License-Identifier: BSD-2-Clause */
/* memscope workload external TOOL PROFILE: standard tools, their results in our schema. */
#include <dirent.h>
#include <math.h>
#include <string.h>
#include <sys/wait.h>

#include "cmd/workload_common.h"
#include "workloads/external.h"

struct external_opts {
	struct load_opts load;
	const char *tool, *profile;
	const char *path, *profile_dir;
	uint64_t timeout_s;
	bool check, list;
};

enum {
	KEY_CHECK = 0x5400,
	KEY_LIST,
	KEY_PATH,
	KEY_PROFILE_DIR,
	KEY_TIMEOUT,
};

static const struct argp_option options[] = {
	{ "check", KEY_CHECK, NULL, 0, "Say which tools are present, and how to install the others", 5 },
	{ "list", KEY_LIST, NULL, 0, "List the profiles, of TOOL or of all", 5 },
	{ "path", KEY_PATH, "PATH", 0, "Program, or directory, of the tool (default: in PATH)", 5 },
	{ "profile-dir", KEY_PROFILE_DIR, "DIR", 0, "Take profiles from here", 5 },
	{ "timeout-sec", KEY_TIMEOUT, "SECONDS", 0, "End it after so long (default: its duration and a minute)", 5 },
	{ 0 },
};

static void check_usage(const struct external_opts *o, const struct argp_state *state)
{
	if (o->check && o->list)
		argp_error(state, "--check and --list: one at a time");
	if (o->check && o->profile)
		argp_error(state, "--check takes at most a TOOL");
	if (o->list && o->profile)
		argp_error(state, "--list takes at most a TOOL");
	if (!o->check && !o->list && !o->profile)
		argp_error(state, "want TOOL and PROFILE; --list shows the profiles, --check the tools");
	if (o->path && !o->tool)
		argp_error(state, "--path of which TOOL?");
	if ((o->load.seconds_set && o->load.set.seconds < 1) ||
	    o->load.set.seconds != (double)(uint64_t)o->load.set.seconds)
		argp_error(state, "--duration-sec %g: outside tools take whole seconds, from 1", o->load.set.seconds);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct external_opts *o = state->input;

	switch (key) {
	case KEY_CHECK:
		o->check = true;
		return 0;
	case KEY_LIST:
		o->list = true;
		return 0;
	case KEY_PATH:
		o->path = arg;
		return 0;
	case KEY_PROFILE_DIR:
		o->profile_dir = arg;
		return 0;
	case KEY_TIMEOUT:
		o->timeout_s = opt_u64(state, "--timeout-sec", arg, 1, 7 * 86400);
		return 0;
	case ARGP_KEY_ARG:
		if (!o->tool)
			o->tool = arg;
		else if (!o->profile)
			o->profile = arg;
		else
			argp_error(state, "unexpected argument '%s'", arg);
		return 0;
	case ARGP_KEY_END:
		check_usage(o, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = { options, parse, NULL, NULL, NULL, NULL, NULL };

static int print_rows(const struct cmd *cmd, const struct out_sheet *sheet, const char *schema, const char *name)
{
	json_object *root;
	int code;

	if (cmd->out.format != OUT_JSON && cmd->out.format != OUT_PRETTY)
		return cmd_print_sheet(cmd, sheet);
	root = json_object_new_object();
	json_object_object_add(root, "schema", json_object_new_string(schema));
	json_object_object_add(root, name, out_sheet_json(sheet));
	code = cmd_print_json(cmd, root);
	json_object_put(root);
	return code;
}

static bool wanted(const struct external_opts *o, const struct external_tool *t)
{
	return !o->tool || !strcmp(o->tool, t->name);
}

/* ---- --check ---- */

static const struct out_col check_columns[] = {
	{ "tool", "TOOL", OUT_STR, 0, 0 },
	{ "state", "STATE", OUT_STR, 0, 0 },
	{ "path", "PATH", OUT_STR, 0, OUT_WIDE },
	{ "install", "HOW TO INSTALL", OUT_STR, 0, 0 },
};

static int check(const struct cmd *cmd)
{
	const struct external_opts *o = cmd->opts;
	_cleanup_(out_sheet_freep) struct out_sheet *sheet = out_sheet_new(check_columns, ARRAY_SIZE(check_columns));
	int err = sheet ? 0 : -ENOMEM;

	for (size_t i = 0; i < external_n_tools && !err; i++) {
		const struct external_tool *t = &external_tools[i];
		char path[PATH_MAX] = "";
		bool there;

		if (!wanted(o, t))
			continue;
		there = !external_locate(t, o->path, path);
		err = out_sheet_add(sheet, (struct out_val[]){ OUT_S(t->name), OUT_S(there ? "present" : "missing"),
							       OUT_S(there ? path : NULL),
							       OUT_S(there ? NULL : t->install) });
	}
	if (err)
		return cmd_fail(cmd, err, "looking for the tools");
	return print_rows(cmd, sheet, "memscope.workload.tools/1", "tools");
}

/* ---- --list ---- */

static const struct out_col list_columns[] = {
	{ "tool", "TOOL", OUT_STR, 0, 0 },
	{ "profile", "PROFILE", OUT_STR, 0, 0 },
	{ "brief", "WHAT IT DOES", OUT_STR, 0, 0 },
};

static int is_profile(const struct dirent *e)
{
	size_t len = strlen(e->d_name), end = strlen(".profile");

	return len > end && !strcmp(e->d_name + len - end, ".profile");
}

static int bad_profile(const struct cmd *cmd, const char *dir, const struct external_tool *t, const char *name,
		       unsigned line)
{
	return cmd_exit(cmd, EXIT_FAILED, "%s/%s/%s.profile: line %u makes no sense (see README there)", dir, t->name,
			name, line);
}

static int list_tool(const struct cmd *cmd, const char *profiles, const struct external_tool *t,
		     struct out_sheet *sheet)
{
	struct dirent **found = NULL;
	char dir[PATH_MAX];
	int n, code = EXIT_OK;

	snprintf(dir, sizeof(dir), "%.3900s/%s", profiles, t->name);
	n = scandir(dir, &found, is_profile, alphasort);
	for (int i = 0; i < n; i++) {
		struct external_profile p;
		unsigned line = 0;
		int err;

		*strrchr(found[i]->d_name, '.') = '\0';
		err = code ? 0 : external_load(profiles, t, found[i]->d_name, &p, &line);
		if (!code && err)
			code = bad_profile(cmd, profiles, t, found[i]->d_name, line);
		else if (!code && out_sheet_add(sheet, (struct out_val[]){ OUT_S(t->name), OUT_S(p.name), OUT_S(p.brief) }))
			code = cmd_fail(cmd, -ENOMEM, "listing");
		free(found[i]);
	}
	free(found);
	return code;
}

static int list(const struct cmd *cmd, const char *profiles)
{
	const struct external_opts *o = cmd->opts;
	_cleanup_(out_sheet_freep) struct out_sheet *sheet = out_sheet_new(list_columns, ARRAY_SIZE(list_columns));
	int code = sheet ? EXIT_OK : cmd_fail(cmd, -ENOMEM, "listing");

	for (size_t i = 0; i < external_n_tools && !code; i++)
		if (wanted(o, &external_tools[i]))
			code = list_tool(cmd, profiles, &external_tools[i], sheet);
	return code ? code : print_rows(cmd, sheet, "memscope.workload.profiles/1", "profiles");
}

/* ---- a run ---- */

static bool stop_hook(void *ctx _unused_)
{
	return load_interrupted();
}

struct view {
	const char *label;
	uint64_t seconds;
	bool show, shown;
};

static void progress_hook(void *ctx, const struct workload_progress *p)
{
	struct view *v = ctx;

	if (!v->show)
		return;
	v->shown = true;
	fprintf(stderr, "\r\033[K%s: %.1f of about %llu s", v->label, p->seconds, (unsigned long long)v->seconds);
	fflush(stderr);
}

/* The last lines of what the tool printed: where it says why it failed. */
static void show_tail(const struct cmd *cmd, const char *output, unsigned lines)
{
	const char *p = output + strlen(output);
	char text[512];

	while (p > output && p[-1] == '\n')
		p--;
	while (p > output && lines)
		if (*--p == '\n')
			lines--;
	p += *p == '\n';
	while (*p) {
		_cleanup_free_ char *one = strndup(p, strcspn(p, "\n"));

		if (one)
			cmd_warn(cmd, "| %s", out_printable(one, text, sizeof(text)));
		p += strcspn(p, "\n");
		p += *p == '\n';
	}
}

static int unused_option(const struct cmd *cmd, const struct external_opts *o, const struct external_profile *p)
{
	const struct {
		bool set;
		const char *option, *placeholder;
	} options_used[] = {
		{ o->load.seconds_set, "--duration-sec", "@SECONDS@" },
		{ o->load.workers_set, "--workers", "@WORKERS@" },
		{ o->load.seed_set, "--seed", "@SEED@" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(options_used); i++)
		if (options_used[i].set && !external_uses(p, options_used[i].placeholder))
			return cmd_exit(cmd, EXIT_USAGE, "the profile %s has no use for %s", o->profile,
					options_used[i].option);
	if (o->load.region_set && !external_uses(p, "@REGION@") && !external_uses(p, "@SHARE@"))
		return cmd_exit(cmd, EXIT_USAGE, "the profile %s has no use for --region", o->profile);
	return EXIT_OK;
}

static const struct out_col score_columns[] = {
	{ "workload", "WORKLOAD", OUT_STR, 0, 0 },
	{ "score", "SCORE", OUT_F64, 0, 0 },
	{ "score_unit", "OF", OUT_STR, 0, 0 },
};

/* Figures of suites, which have no rate or latency. */
static int print_scores(const struct cmd *cmd, const struct external_result *r)
{
	_cleanup_(out_sheet_freep) struct out_sheet *sheet = out_sheet_new(score_columns, ARRAY_SIZE(score_columns));
	int err = sheet ? 0 : -ENOMEM;

	for (size_t i = 0; i < r->n_rows && !err; i++)
		err = out_sheet_add(sheet, (struct out_val[]){ OUT_S(r->rows[i].workload), OUT_F(r->rows[i].score),
							       OUT_S(r->rows[i].score_unit) });
	return err ? cmd_fail(cmd, err, "gathering the results") : cmd_print_sheet(cmd, sheet);
}

static int show(const struct cmd *cmd, const struct external_run *run, const struct external_result *r)
{
	_cleanup_(out_sheet_freep) struct out_sheet *sheet = result_sheet();
	json_object *root;
	int code, err = sheet ? 0 : -ENOMEM;

	if (cmd->out.format == OUT_TABLE && r->n_rows == 1)
		return result_print(cmd, &r->rows[0], NULL);
	if (cmd->out.format == OUT_TABLE && !cmd->out.wide && isfinite(r->rows[0].score))
		return print_scores(cmd, r);
	for (size_t i = 0; i < r->n_rows && !err; i++)
		err = result_add(sheet, &r->rows[i]);
	if (err)
		return cmd_fail(cmd, err, "gathering the results");
	if (cmd->out.format != OUT_JSON && cmd->out.format != OUT_PRETTY)
		return cmd_print_sheet(cmd, sheet);
	root = json_object_new_object();
	json_object_object_add(root, "schema", json_object_new_string("memscope.workload.external/1"));
	json_object_object_add(root, "tool", json_object_new_string(run->tool->name));
	json_object_object_add(root, "profile", json_object_new_string(run->given));
	json_object_object_add(root, "program", json_object_new_string(run->program));
	json_object_object_add(root, "seconds", json_object_new_double(r->seconds));
	json_object_object_add(root, "cpu_user_us", json_object_new_int64(r->usage.ru_utime.tv_sec * 1000000 +
									  r->usage.ru_utime.tv_usec));
	json_object_object_add(root, "cpu_system_us", json_object_new_int64(r->usage.ru_stime.tv_sec * 1000000 +
									    r->usage.ru_stime.tv_usec));
	json_object_object_add(root, "rss_max_bytes", json_object_new_int64(r->usage.ru_maxrss * (int64_t)KiB));
	json_object_object_add(root, "interrupted", json_object_new_boolean(r->interrupted));
	json_object_object_add(root, "results", out_sheet_json(sheet));
	add_own_cost(root);
	code = cmd_print_json(cmd, root);
	json_object_put(root);
	return code;
}

/* The tool's own code is passed on; what we ended is told from it. */
static int exit_code_of(const struct cmd *cmd, const struct external_run *run, const struct external_result *r)
{
	int status = r->status;

	if (r->interrupted)
		return EXIT_OK;
	if (r->timed_out)
		return cmd_exit(cmd, EXIT_FAILED, "%s was ended after %llu seconds (--timeout-sec)", run->tool->name,
				(unsigned long long)run->timeout_s);
	if (!status)
		return EXIT_OK;
	if (r->output)
		show_tail(cmd, r->output, 5);
	if (WIFSIGNALED(status))
		return cmd_exit(cmd, 128 + WTERMSIG(status), "%s was killed by signal %d (%s)%s", run->tool->name,
				WTERMSIG(status), strsignal(WTERMSIG(status)),
				WTERMSIG(status) == SIGKILL && run->cgroup_limit_bytes ?
					"; its --cgroup-limit may be too low" :
					"");
	return cmd_exit(cmd, WEXITSTATUS(status), "%s ended with code %d", run->tool->name, WEXITSTATUS(status));
}

static int run_tool(const struct cmd *cmd, const struct external_run *run)
{
	struct view view = { run->tool->name, run->seconds, !cmd->out.quiet && isatty(STDERR_FILENO), false };
	const struct workload_hooks hooks = { stop_hook, progress_hook, &view };
	struct workload_error error = {};
	struct external_result result;
	int err, code = EXIT_OK;

	load_catch_signals();
	err = external_run(run, &hooks, &result, &error);
	if (view.shown)
		fprintf(stderr, "\r\033[K");
	if (cmd->out.verbose && result.output)
		fputs(result.output, stderr);
	if (err)
		code = cmd_exit(cmd, load_error_code(err), "%s", error.text);
	if (err == -EBADMSG && result.output)
		show_tail(cmd, result.output, 5);
	if (!err && result.n_rows)
		code = show(cmd, run, &result);
	if (!err && !code)
		code = exit_code_of(cmd, run, &result);
	external_result_release(&result);
	return code;
}

static int prepare(const struct cmd *cmd, const char *profiles, struct external_profile *p, struct external_run *run)
{
	const struct external_opts *o = cmd->opts;
	const struct workload_config *set = &o->load.set;
	unsigned line = 0;
	int err = external_load(profiles, run->tool, o->profile, p, &line), code;

	if (err == -EBADMSG)
		return bad_profile(cmd, profiles, run->tool, o->profile, line);
	if (err == -ENOENT)
		return cmd_exit(cmd, EXIT_USAGE, "no profile '%s' for %s; 'memscope workload external --list %s' shows them",
				o->profile, run->tool->name, run->tool->name);
	if (err)
		return cmd_fail(cmd, err, "profile '%s'", o->profile);
	code = unused_option(cmd, o, p);
	if (code)
		return code;
	run->profile = p;
	run->profiles = profiles;
	run->given = o->profile;
	run->seconds = o->load.seconds_set || !p->seconds ? (uint64_t)set->seconds : p->seconds;
	run->workers = o->load.workers_set || !p->workers ? set->workers : p->workers;
	run->region_bytes = o->load.region_set ? set->region_bytes : p->region_bytes;
	run->seed = set->seed;
	run->timeout_s = o->timeout_s ? o->timeout_s : run->seconds + p->timeout;
	run->cgroup_limit_bytes = set->cgroup_limit_bytes;
	return EXIT_OK;
}

static int run(struct cmd *cmd)
{
	const struct external_opts *o = cmd->opts;
	char profiles[PATH_MAX], program[PATH_MAX];
	struct external_run job = { .program = program };
	struct external_profile profile;
	const char *near = NULL;
	int code, err;

	if (o->tool)
		job.tool = external_find(o->tool, &near);
	if (o->tool && !job.tool)
		return near ? cmd_exit(cmd, EXIT_USAGE, "no tool '%s'; did you mean '%s'?", o->tool, near) :
			      cmd_exit(cmd, EXIT_USAGE, "no tool '%s'; --check shows them", o->tool);
	if (o->check)
		return check(cmd);
	err = external_profiles(o->profile_dir, profiles);
	if (err)
		return cmd_fail(cmd, err, "%s", o->profile_dir ? o->profile_dir : "looking for the profiles (--profile-dir)");
	if (o->list)
		return list(cmd, profiles);
	code = prepare(cmd, profiles, &profile, &job);
	if (code)
		return code;
	if (external_locate(job.tool, o->path, program)) {
		if (o->path)
			return cmd_exit(cmd, EXIT_REFUSED, "--path '%s': no %s there", o->path, job.tool->program);
		return cmd_exit(cmd, EXIT_REFUSED, "%s is not installed: %s", job.tool->name, job.tool->install);
	}
	return run_tool(cmd, &job);
}

const struct command cmd_workload_external = {
	.name = "external",
	.brief = "run stress-ng, sysbench, fio, MMTests or Phoronix tests",
	.doc = "Runs the tool in bounded time and shows its figures in the schema of the other workloads; what it "
	       "does not measure is left out. Its exit code is passed on, after its last words on standard error. "
	       "--verbose shows all that it prints.\n\n"
	       "MMTests and the Phoronix Test Suite are not packaged: install them, and give MMTests' directory as "
	       "--path. These two were tested against stand-ins that mimic their layout, not against the suites.",
	.args_doc = "TOOL PROFILE",
	.parts = (const struct cmd_part[]){ { &argp, 0 }, { &load_argp, offsetof(struct external_opts, load) }, {} },
	.opts_size = sizeof(struct external_opts),
	.run = run,
	.uses = FEATURE(CGROUP_MEM),
	.examples = (const struct cmd_example[]){
		{ "memscope workload external --check", "which tools are here", EXAMPLE_RUN },
		{ "memscope workload external --list", "the profiles", EXAMPLE_RUN },
		{ "memscope workload external stress-ng fork-vm -d 1 --region 32M", "stress-ng for a second", EXAMPLE_PREPARED },
		{ "memscope workload external fio cache-churn -d 1 --region 8M --json", "fio, as JSON", EXAMPLE_PREPARED },
		{},
	},
};
