/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/workload_common.h"

#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/parse.h"

#define MAX_SECONDS 999999.0 /* 11 days */
#define MAX_REGION  (64 * 1024 * GiB)
#define DEFAULT_SECONDS 20

/* ---- options ---- */

enum {
	KEY_SEED = 0x5000,
	KEY_REGION,
	KEY_RATE,
	KEY_ACTIVE,
	KEY_IDLE,
	KEY_TOUCH_PAGES,
	KEY_WRITE_PCT,
	KEY_EXEC,
	KEY_NPROC,
	KEY_COMPRESSIBILITY,
	KEY_DATASET,
	KEY_VERIFY,
	KEY_NO_VERIFY,
	KEY_CGROUP_LIMIT,
	KEY_UNSAFE,
	KEY_ARENA_CAP,
	KEY_ARENA_SAVINGS,
};

static const struct argp_option load_options[] = {
	{ "duration-sec", 'd', "SECONDS", 0, "How long each run works (default 20; 0.1 to 300)", 1 },
	{ "workers", 'w', "N", 0, "Threads, or processes of fork storms (default 4; 1 to 512)", 1 },
	{ "seed", KEY_SEED, "N", 0, "Of contents and of the order of touches (default 1)", 1 },
	{ "region", KEY_REGION, "SIZE", 0, "Memory of all workers together (default: the workload's own)", 1 },
	{ "cgroup-limit", KEY_CGROUP_LIMIT, "SIZE", 0, "Run in a memory cgroup of its own with this limit", 4 },
	{ "unsafe-allow-long", KEY_UNSAFE, NULL, 0, "Allow more than 300 seconds or 512 workers", 4 },
	{ 0 },
};

static const struct argp_option work_options[] = {
	{ "rate", KEY_RATE, "N", 0, "Operations a second, all workers together; 0: as fast as they go", 2 },
	{ "active", KEY_ACTIVE, "TIME", 0, "Length of a burst", 2 },
	{ "idle", KEY_IDLE, "TIME", 0, "Gap after a burst or a pass", 2 },
	{ "touch-pages", KEY_TOUCH_PAGES, "N", 0, "Pages that a child or a mapping touches; 0: all", 2 },
	{ "write-pct", KEY_WRITE_PCT, "PCT", 0, "Touches that write", 2 },
	{ "exec", KEY_EXEC, "PATH", 0, "Program of fork_exec_storm (default /bin/true)", 2 },
	{ "nproc-limit", KEY_NPROC, "N", 0, "RLIMIT_NPROC of fork storms (default: what runs now, and 64 more than they need)", 2 },
	{ "compressibility", KEY_COMPRESSIBILITY, "PCT", 0, "Part of each page that compresses away (default 50)", 3 },
	{ "dataset", KEY_DATASET, "NAME", 0, "Contents: repetitive, unique, mixed_50_50, text or heap", 3 },
	{ "verify", KEY_VERIFY, NULL, 0, "Compare each touched page with what it must hold (default with the arena)", 3 },
	{ "no-verify", KEY_NO_VERIFY, NULL, 0, "Do not", 3 },
	{ 0 },
};

static enum dataset_kind dataset_of(const struct argp_state *state, const char *arg)
{
	const char *names[DATASET_COUNT + 1] = { NULL };

	for (int k = 0; k < DATASET_COUNT; k++)
		names[k] = dataset_info((enum dataset_kind)k)->name;
	return (enum dataset_kind)opt_word(state, "--dataset", arg, names);
}

static void check_long(const struct load_opts *o, const struct argp_state *state)
{
	if (o->unsafe)
		return;
	if (o->set.seconds > WORKLOAD_SAFE_SECONDS)
		argp_error(state, "--duration-sec %g: more than %d needs --unsafe-allow-long", o->set.seconds,
			   WORKLOAD_SAFE_SECONDS);
	if (o->set.workers > WORKLOAD_SAFE_WORKERS)
		argp_error(state, "--workers %u: more than %d needs --unsafe-allow-long", o->set.workers,
			   WORKLOAD_SAFE_WORKERS);
}

/* What only some workloads use. False: not one of these. */
static bool parse_knob(int key, char *arg, struct load_opts *o, const struct argp_state *state)
{
	struct workload_config *c = &o->set;

	switch (key) {
	case KEY_RATE:
		c->rate = opt_double(state, "--rate", arg, 0, 1e9);
		o->knobs_set |= KNOB_RATE;
		return true;
	case KEY_ACTIVE:
		c->active_ns = opt_duration(state, "--active", arg, NSEC_PER_MSEC, 3600 * NSEC_PER_SEC);
		o->knobs_set |= KNOB_ACTIVE;
		return true;
	case KEY_IDLE:
		c->idle_ns = opt_duration(state, "--idle", arg, 0, 3600 * NSEC_PER_SEC);
		o->knobs_set |= KNOB_IDLE;
		return true;
	case KEY_TOUCH_PAGES:
		c->touch_pages = opt_u64(state, "--touch-pages", arg, 0, UINT32_MAX);
		o->knobs_set |= KNOB_TOUCH_PAGES;
		return true;
	case KEY_WRITE_PCT:
		c->write_pct = (unsigned)opt_u64(state, "--write-pct", arg, 0, 100);
		o->knobs_set |= KNOB_WRITE_PCT;
		return true;
	case KEY_EXEC:
		c->exec_path = arg;
		o->knobs_set |= KNOB_EXEC;
		return true;
	case KEY_NPROC:
		c->nproc_limit = opt_u64(state, "--nproc-limit", arg, 1, 4194304);
		o->knobs_set |= KNOB_NPROC;
		return true;
	default:
		return false;
	}
}

static error_t parse_load(int key, char *arg, struct argp_state *state)
{
	struct load_opts *o = state->input;
	struct workload_config *c = &o->set;

	switch (key) {
	case ARGP_KEY_INIT:
		o->verify = -1;
		c->seconds = DEFAULT_SECONDS;
		c->workers = 4;
		c->seed = 1;
		c->fill_pct = 50;
		c->mem.min_savings_pct = 5;
		return 0;
	case 'd':
		c->seconds = opt_double(state, "--duration-sec", arg, 0.1, MAX_SECONDS);
		o->seconds_set = true;
		return 0;
	case 'w':
		c->workers = (unsigned)opt_u64(state, "--workers", arg, 1, WORKLOAD_MAX_WORKERS);
		o->workers_set = true;
		return 0;
	case KEY_SEED:
		c->seed = opt_u64(state, "--seed", arg, 0, UINT64_MAX);
		o->seed_set = true;
		return 0;
	case KEY_REGION:
		c->region_bytes = opt_size(state, "--region", arg, WORKLOAD_PAGE, MAX_REGION);
		o->region_set = true;
		return 0;
	case KEY_CGROUP_LIMIT:
		c->cgroup_limit_bytes = opt_size(state, "--cgroup-limit", arg, MiB, MAX_REGION);
		return 0;
	case KEY_UNSAFE:
		o->unsafe = true;
		return 0;
	case ARGP_KEY_END:
		check_long(o, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp load_argp = { load_options, parse_load, NULL, NULL, NULL, NULL, NULL };

static error_t parse_work(int key, char *arg, struct argp_state *state)
{
	struct load_opts *o = state->input;
	struct workload_config *c = &o->set;

	switch (key) {
	case KEY_COMPRESSIBILITY:
		c->fill_pct = (unsigned)opt_u64(state, "--compressibility", arg, 0, 100);
		o->contents_set = true;
		break;
	case KEY_DATASET:
		c->dataset = dataset_of(state, arg);
		c->use_dataset = true;
		break;
	case KEY_VERIFY:
	case KEY_NO_VERIFY:
		o->verify = key == KEY_VERIFY;
		return 0;
	default:
		return parse_knob(key, arg, o, state) ? 0 : ARGP_ERR_UNKNOWN;
	}
	if (c->use_dataset && o->contents_set)
		argp_error(state, "--compressibility and --dataset both say what the pages hold: give one");
	return 0;
}

const struct argp load_work_argp = { work_options, parse_work, NULL, NULL, NULL, NULL, NULL };

static const struct argp_option arena_options[] = {
	{ "arena-cap-mb", KEY_ARENA_CAP, "MIB", 0, "Limit of the arena's compressed pool (default: none)", 5 },
	{ "arena-min-savings-pct", KEY_ARENA_SAVINGS, "PCT", 0, "Leave pages that compress by less (default 5; 1 to 95)", 5 },
	{ 0 },
};

static error_t parse_arena(int key, char *arg, struct argp_state *state)
{
	struct load_opts *o = state->input;

	switch (key) {
	case KEY_ARENA_CAP:
		o->set.mem.cap_bytes = opt_u64(state, "--arena-cap-mb", arg, 1, 64 * 1024 * KiB) * MiB;
		o->arena_tuned = true;
		return 0;
	case KEY_ARENA_SAVINGS:
		o->set.mem.min_savings_pct = (unsigned)opt_u64(state, "--arena-min-savings-pct", arg, 1, 95);
		o->arena_tuned = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp load_arena_argp = { arena_options, parse_arena, NULL, NULL, NULL, NULL, NULL };

static const struct {
	unsigned knob;
	const char *option;
} knob_names[] = {
	{ KNOB_RATE, "--rate" },	       { KNOB_ACTIVE, "--active" },
	{ KNOB_IDLE, "--idle" },	       { KNOB_TOUCH_PAGES, "--touch-pages" },
	{ KNOB_WRITE_PCT, "--write-pct" },     { KNOB_EXEC, "--exec" },
	{ KNOB_NPROC, "--nproc-limit" },
};

int load_check_knobs(const struct cmd *cmd, const struct load_opts *o, const struct workload_ops *const *ops,
		     size_t n)
{
	unsigned used = 0, unused;
	char who[256] = "";

	for (size_t i = 0; i < n; i++)
		used |= ops[i]->knobs;
	unused = o->knobs_set & ~used;
	for (size_t i = 0; i < ARRAY_SIZE(knob_names); i++) {
		if (!(unused & knob_names[i].knob))
			continue;
		for (const struct workload_ops *const *w = workloads; *w; w++)
			if ((*w)->knobs & knob_names[i].knob)
				snprintf(who + strlen(who), sizeof(who) - strlen(who), "%s%s", *who ? ", " : "",
					 (*w)->name);
		return cmd_exit(cmd, EXIT_USAGE, "%s does not use %s; these do: %s",
				n == 1 ? ops[0]->name : "none of these workloads", knob_names[i].option, who);
	}
	return EXIT_OK;
}

int load_unknown(const struct cmd *cmd, const char *name)
{
	const char *near = NULL;

	workload_find(name, &near);
	if (near)
		return cmd_exit(cmd, EXIT_USAGE, "no workload '%s'; did you mean '%s'?", name, near);
	return cmd_exit(cmd, EXIT_USAGE, "no workload '%s'; 'memscope workload list' shows them", name);
}

int load_config(const struct cmd *cmd, const struct load_opts *o, const struct workload_ops *ops,
		enum mem_kind kind, bool strict, struct workload_config *ret)
{
	struct workload_config c = o->set, defaults;
	int code = strict ? load_check_knobs(cmd, o, &ops, 1) : EXIT_OK;
	unsigned given = o->knobs_set & ops->knobs;

	if (code)
		return code;
	workload_defaults(ops, &defaults);
	c.ops = ops;
	if (!o->region_set)
		c.region_bytes = defaults.region_bytes;
	if (!(given & KNOB_RATE))
		c.rate = defaults.rate;
	if (!(given & KNOB_ACTIVE))
		c.active_ns = defaults.active_ns;
	if (!(given & KNOB_IDLE))
		c.idle_ns = defaults.idle_ns;
	if (!(given & KNOB_TOUCH_PAGES))
		c.touch_pages = defaults.touch_pages;
	if (!(given & KNOB_WRITE_PCT))
		c.write_pct = defaults.write_pct;
	if (!(given & KNOB_EXEC))
		c.exec_path = defaults.exec_path;
	c.mem.kind = kind;
	c.verify = o->verify >= 0 ? o->verify : kind != MEM_PLAIN;
	if (ops->knobs & KNOB_EXEC && access(c.exec_path, X_OK))
		return cmd_fail(cmd, -errno, "--exec '%s'", c.exec_path);
	*ret = c;
	return EXIT_OK;
}

int load_names(const struct cmd *cmd, char *const *names, size_t n_names, const struct workload_ops ***ret,
	       size_t *ret_n)
{
	const struct workload_ops **list;
	size_t n = 0;

	for (size_t i = 0; i < n_names; i++)
		if (!workload_find(names[i], NULL))
			return load_unknown(cmd, names[i]);
	while (!n_names && workloads[n])
		n++;
	list = calloc(MAX(n, MAX(n_names, 1)), sizeof(const struct workload_ops *));
	if (!list)
		return cmd_fail(cmd, -ENOMEM, "starting");
	for (size_t i = 0; i < n; i++)
		list[i] = workloads[i];
	for (size_t i = 0; i < n_names; i++)
		list[i] = workload_find(names[i], NULL);
	*ret = list;
	*ret_n = MAX(n, n_names);
	return EXIT_OK;
}

int load_make_dir(const struct cmd *cmd, const char *dir, const char *const *files)
{
	char path[PATH_MAX];

	if (mkdir(dir, 0777) && errno != EEXIST)
		return cmd_fail(cmd, -errno, "--out '%s'", dir);
	for (; *files; files++) {
		snprintf(path, sizeof(path), "%.4000s/%s", dir, *files);
		if (!access(path, F_OK))
			return cmd_exit(cmd, EXIT_REFUSED, "--out '%s' has results already (%s): name another directory",
					dir, *files);
	}
	if (access(dir, W_OK | X_OK))
		return cmd_fail(cmd, -errno, "--out '%s'", dir);
	return EXIT_OK;
}

/* ---- a run ---- */

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	interrupted = sig;
}

void load_catch_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
}

bool load_interrupted(void)
{
	return interrupted != 0;
}

struct run_view {
	const struct workload_config *cfg;
	const char *label;
	bool show, shown;
};

static bool stop_hook(void *ctx _unused_)
{
	return load_interrupted();
}

static void progress_hook(void *ctx, const struct workload_progress *p)
{
	struct run_view *v = ctx;
	char rss[FORMAT_MAX];

	if (!v->show)
		return;
	v->shown = true;
	if (p->running)
		fprintf(stderr, "\r\033[K%s: %.1f of %g s, %llu done, %s resident", v->label, p->seconds, v->cfg->seconds,
			(unsigned long long)p->ops, format_size(p->rss_bytes, rss));
	else
		fprintf(stderr, "\r\033[K%s: filling memory, %s resident", v->label, format_size(p->rss_bytes, rss));
	fflush(stderr);
}

int load_error_code(int err)
{
	switch (err) {
	case -EINVAL:
		return EXIT_USAGE;
	case -ENOMEM:
	case -EAGAIN:
	case -EACCES:
	case -EPERM:
		return EXIT_REFUSED;
	case -ENOSYS:
	case -EOPNOTSUPP:
		return EXIT_UNSUPPORTED;
	default:
		return EXIT_FAILED;
	}
}

int load_run(const struct cmd *cmd, const struct workload_config *cfg, const char *label,
	     struct workload_result *ret, json_object **ret_provider)
{
	struct run_view view = { cfg, label, !cmd->out.quiet && isatty(STDERR_FILENO), false };
	const struct workload_hooks hooks = { stop_hook, progress_hook, &view };
	struct workload_error error = {};
	int err = workload_run(cfg, &hooks, ret, ret_provider, &error);

	if (view.shown)
		fprintf(stderr, "\r\033[K");
	if (!err)
		return EXIT_OK;
	cmd_warn(cmd, "%s: %s", label, error.text);
	if (cfg->cgroup_limit_bytes && feature_get(FEATURE_CGROUP_MEM)->state != FEATURE_OK)
		cmd_notice(cmd, "%s", feature_get(FEATURE_CGROUP_MEM)->remedy);
	if (cfg->mem.kind == MEM_ARENA && feature_get(FEATURE_UFFD)->state != FEATURE_OK)
		cmd_notice(cmd, "%s", feature_get(FEATURE_UFFD)->remedy);
	return load_error_code(err);
}
