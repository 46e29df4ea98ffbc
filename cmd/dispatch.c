/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From argv to a command's run(): walks the table, builds the argp of the command from its parts and
 * the common options, and parses.
 */
#include <ctype.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>

#include "cmd/cmd.h"
#include "lib/parse.h"
#include "lib/probe.h"
#include "lib/suggest.h"

#ifndef MEMSCOPE_VERSION
#error "the build names the version"
#endif

#define MAX_PARTS 16

enum {
	KEY_FORMAT = 0x4000,
	KEY_PRETTY,
	KEY_CSV,
	KEY_WIDE,
	KEY_USAGE,
};

static const char *const format_words[] = { "table", "json", "pretty", "csv", "kv", NULL };

static const struct argp_option common_options[] = {
	{ "format", KEY_FORMAT, "FORMAT", 0, "Print table (default), json, pretty, csv or kv", 100 },
	{ "json", 'j', NULL, 0, "Same as --format json", 100 },
	{ "pretty", KEY_PRETTY, NULL, 0, "Indented JSON", 100 },
	{ "csv", KEY_CSV, NULL, 0, "Same as --format csv", 100 },
	{ "wide", KEY_WIDE, NULL, 0, "Tables with all columns, wider than 80", 100 },
	{ "quiet", 'q', NULL, 0, "No notices on stderr; losses are still reported", 100 },
	{ "verbose", 'v', NULL, 0, "Say more on stderr, with libbpf's own messages", 100 },
	{ "help", 'h', NULL, 0, "Show this help", 101 },
	{ "usage", KEY_USAGE, NULL, 0, "Show the options in short", 101 },
	{ 0 },
};

static const struct cmd_words common_words[] = { { "format", format_words, false }, {} };

static error_t parse_common(int key, char *arg, struct argp_state *state)
{
	struct out_opts *out = state->input;

	switch (key) {
	case KEY_FORMAT:
		out->format = (enum out_format)opt_word(state, "--format", arg, format_words);
		return 0;
	case 'j':
		out->format = OUT_JSON;
		return 0;
	case KEY_PRETTY:
		out->format = OUT_PRETTY;
		return 0;
	case KEY_CSV:
		out->format = OUT_CSV;
		return 0;
	case KEY_WIDE:
		out->wide = true;
		return 0;
	case 'q':
		out->quiet = true;
		return 0;
	case 'v':
		out->verbose = true;
		return 0;
	case 'h':
		argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
		return 0;
	case KEY_USAGE:
		argp_state_help(state, stdout, ARGP_HELP_USAGE | ARGP_HELP_EXIT_OK);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp common_argp = { common_options, parse_common, NULL, NULL, NULL, NULL, NULL };

const struct argp *const *cmd_argps(const struct command *command, const struct argp *list[MAX_PARTS])
{
	size_t n = 0;

	for (const struct cmd_part *p = command->parts; p && p->argp && n < MAX_PARTS - 2; p++)
		list[n++] = p->argp;
	list[n++] = &common_argp;
	list[n] = NULL;
	return list;
}

static const struct cmd_words *find_words(const struct cmd_words *words, const char *option)
{
	for (; words && words->option; words++)
		if (!strcmp(words->option, option))
			return words;
	return NULL;
}

const struct cmd_words *cmd_option_words(const struct command *command, const char *option)
{
	const struct cmd_words *words = NULL;

	for (const struct cmd_part *p = command->parts; p && p->argp && !words; p++)
		words = find_words(p->words, option);
	return words ? words : find_words(common_words, option);
}

/* ---- what every command needs ---- */

static void vsay(const struct cmd *cmd, const char *fmt, va_list ap)
{
	fprintf(stderr, "%s: ", cmd->path);
	vfprintf(stderr, fmt, ap);
}

static int exit_code_for(int err)
{
	switch (err) {
	case -EPERM:
	case -EACCES:
	case -ENOENT:
	case -ENODEV:
	case -EBUSY:
		return EXIT_REFUSED;
	case -ENOSYS:
	case -EOPNOTSUPP:
		return EXIT_UNSUPPORTED;
	default:
		return EXIT_FAILED;
	}
}

int cmd_fail(const struct cmd *cmd, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(cmd, fmt, ap);
	va_end(ap);
	if (err)
		fprintf(stderr, ": %s", strerror(-err));
	fputc('\n', stderr);
	return exit_code_for(err);
}

int cmd_exit(const struct cmd *cmd, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(cmd, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return code;
}

void cmd_notice(const struct cmd *cmd, const char *fmt, ...)
{
	va_list ap;

	if (cmd->out.quiet)
		return;
	va_start(ap, fmt);
	vsay(cmd, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void cmd_warn(const struct cmd *cmd, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(cmd, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

int cmd_print_json(const struct cmd *cmd, json_object *obj)
{
	int err = out_json(stdout, obj, cmd->out.format == OUT_PRETTY);

	return err ? cmd_fail(cmd, err, "writing to standard output") : EXIT_OK;
}

int cmd_print_sheet(const struct cmd *cmd, const struct out_sheet *sheet)
{
	int err = out_sheet_print(sheet, stdout, cmd->out.format, cmd->out.wide);

	return err ? cmd_fail(cmd, err, "writing to standard output") : EXIT_OK;
}

struct own_cost own_cost(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (struct own_cost){
		.cpu_ms = (uint64_t)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000 +
			  (uint64_t)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1000,
		.peak_rss_bytes = (uint64_t)ru.ru_maxrss * KiB,
	};
}

/* ---- option values ---- */

uint64_t opt_u64(const struct argp_state *state, const char *option, const char *arg, uint64_t min,
		 uint64_t max)
{
	uint64_t v = 0;

	if (parse_u64(arg, min, max, &v))
		argp_error(state, "%s '%s': want a whole number from %llu to %llu", option, arg,
			   (unsigned long long)min, (unsigned long long)max);
	return v;
}

uint64_t opt_size(const struct argp_state *state, const char *option, const char *arg, uint64_t min,
		  uint64_t max)
{
	char lo[FORMAT_MAX], hi[FORMAT_MAX];
	uint64_t v = 0;

	if (parse_size(arg, min, max, &v))
		argp_error(state, "%s '%s': want a size from %s to %s, like 4K, 256M or 1.5G", option, arg,
			   format_size(min, lo), format_size(max, hi));
	return v;
}

/* Bounds of hours and more, which format_duration() would give in seconds. */
static char *format_bound(uint64_t ns, char buf[FORMAT_MAX])
{
	if (ns < 3600 * NSEC_PER_SEC)
		return format_duration(ns, buf);
	snprintf(buf, FORMAT_MAX, "%lluh", (unsigned long long)(ns / (3600 * NSEC_PER_SEC)));
	return buf;
}

uint64_t opt_duration(const struct argp_state *state, const char *option, const char *arg,
		      uint64_t min_ns, uint64_t max_ns)
{
	char lo[FORMAT_MAX], hi[FORMAT_MAX];
	uint64_t v = 0;

	if (parse_duration(arg, min_ns, max_ns, &v))
		argp_error(state, "%s '%s': want a time from %s to %s, like 500ms, 10s or 2m", option, arg,
			   format_bound(min_ns, lo), format_bound(max_ns, hi));
	return v;
}

double opt_double(const struct argp_state *state, const char *option, const char *arg, double min,
		  double max)
{
	double v = 0;

	if (parse_double(arg, min, max, &v))
		argp_error(state, "%s '%s': want a number from %g to %g", option, arg, min, max);
	return v;
}

size_t opt_word(const struct argp_state *state, const char *option, const char *arg,
		const char *const *words)
{
	char list[512];
	size_t used = 0;

	for (size_t i = 0; words[i]; i++)
		if (!strcmp(words[i], arg))
			return i;
	list[0] = '\0';
	for (size_t i = 0; words[i] && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "", words[i]);
	argp_error(state, "%s '%s': want one of %s", option, arg, list);
	return 0;
}

/* ---- parsing ---- */

struct parse_input {
	struct cmd *cmd;
};

static error_t parse_outer(int key, char *arg, struct argp_state *state)
{
	struct parse_input *in = state->input;
	const struct cmd_part *part = in->cmd->command->parts;
	size_t n = 0;

	switch (key) {
	case ARGP_KEY_INIT:
		for (; part && part->argp; part++)
			state->child_inputs[n++] = (char *)in->cmd->opts + part->offset;
		state->child_inputs[n] = &in->cmd->out;
		return 0;
	case ARGP_KEY_ARG:
		if (in->cmd->command->args_doc)
			return ARGP_ERR_UNKNOWN;
		if (in->cmd->command->flags & CMD_RUNS_CHILD)
			argp_error(state, "unexpected argument '%s' (a command to run goes after --)", arg);
		argp_error(state, "unexpected argument '%s'", arg);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static char *help_filter(int key, const char *text, void *input)
{
	const struct parse_input *in = input;
	const struct command *c = in ? in->cmd->command : NULL;
	char *all = NULL;
	size_t len;
	FILE *f;

	if (key != ARGP_KEY_HELP_POST_DOC || !c || !(c->examples || c->doc))
		return (char *)text;
	f = open_memstream(&all, &len);
	if (!f)
		return (char *)text;
	if (c->doc)
		fprintf(f, "%s\n", c->doc);
	if (c->examples)
		fprintf(f, "%sExamples:\n", c->doc ? "\n" : "");
	for (const struct cmd_example *e = c->examples; e && e->line; e++)
		fprintf(f, "  %s\n      %s\n", e->line, e->what);
	fclose(f);
	return all;
}

static const struct argp_option *find_long(const struct argp *const *argps, const char *name, size_t len)
{
	for (; *argps; argps++)
		for (const struct argp_option *o = (*argps)->options; o && (o->name || o->key || o->doc); o++)
			if (o->name && strlen(o->name) == len && !strncmp(o->name, name, len))
				return o;
	return NULL;
}

static void suggest_long(const struct cmd *cmd, const struct argp *const *argps, const char *name)
{
	struct suggestion best = suggestion_start(name);

	for (; *argps; argps++)
		for (const struct argp_option *o = (*argps)->options; o && (o->name || o->key || o->doc); o++)
			if (o->name && !(o->flags & OPTION_HIDDEN))
				suggestion_offer(&best, o->name);
	fprintf(stderr, "%s: unrecognized option '--%s'", cmd->path, name);
	if (best.word)
		fprintf(stderr, "; did you mean '--%s'?", best.word);
	fprintf(stderr, "\nTry `%s --help' for more information.\n", cmd->path);
}

/* getopt_long takes any unambiguous prefix of an option; memscope takes names only. */
static bool only_exact_names(const struct cmd *cmd, int argc, char **argv)
{
	const struct argp *list[MAX_PARTS];
	const struct argp *const *argps = cmd_argps(cmd->command, list);

	for (int i = 1; i < argc; i++) {
		const struct argp_option *o;
		size_t len;

		if (strncmp(argv[i], "--", 2) || !argv[i][2])
			continue;
		len = strcspn(argv[i] + 2, "=");
		o = find_long(argps, argv[i] + 2, len);
		if (!o) {
			argv[i][2 + len] = '\0';
			suggest_long(cmd, argps, argv[i] + 2);
			return false;
		}
		if (o->arg && !(o->flags & OPTION_ARG_OPTIONAL) && !argv[i][2 + len])
			i++; /* its value, whatever it looks like */
	}
	return true;
}

static void log_libbpf(int level, const char *text)
{
	if (level <= 1)
		fprintf(stderr, "%s\n", text);
}

static int parse_and_run(struct cmd *cmd, int argc, char **argv)
{
	const struct command *c = cmd->command;
	struct argp_child children[MAX_PARTS] = {};
	const struct argp *list[MAX_PARTS];
	struct parse_input input = { cmd };
	struct argp outer = { .parser = parse_outer, .children = children, .help_filter = help_filter };
	_cleanup_free_ char *args_doc = NULL, *doc = NULL;
	size_t n = 0;

	for (const struct argp *const *a = cmd_argps(c, list); *a; a++)
		children[n++] = (struct argp_child){ .argp = *a };
	if (c->args_doc || c->flags & CMD_RUNS_CHILD) {
		if (asprintf(&args_doc, "%s%s", c->args_doc ? c->args_doc : "",
			     c->flags & CMD_RUNS_CHILD ? "[-- COMMAND [ARG...]]" : "") < 0)
			return cmd_fail(cmd, -ENOMEM, "starting");
		outer.args_doc = args_doc;
	}
	/* The text after \v is made by help_filter; argp asks for it only when there is some. */
	if (asprintf(&doc, "%c%s.%s", toupper((unsigned char)c->brief[0]), c->brief + 1,
		     c->doc || c->examples ? "\v " : "") < 0)
		return cmd_fail(cmd, -ENOMEM, "starting");
	outer.doc = doc;
	for (int i = 1; i < argc && c->flags & CMD_RUNS_CHILD; i++) {
		if (strcmp(argv[i], "--"))
			continue;
		cmd->child_argv = argv + i + 1;
		argc = i;
		if (!*cmd->child_argv)
			return cmd_exit(cmd, EXIT_USAGE, "no command after --");
		break;
	}
	if (!only_exact_names(cmd, argc, argv))
		return EXIT_USAGE;
	cmd->opts = calloc(1, MAX(c->opts_size, 1));
	if (!cmd->opts)
		return cmd_fail(cmd, -ENOMEM, "starting");
	argv[0] = cmd->path;
	probe_set_log(NULL);
	if (argp_parse(&outer, argc, argv, ARGP_NO_HELP, NULL, &input))
		return EXIT_USAGE;
	if (cmd->out.verbose)
		probe_set_log(log_libbpf);
	return c->run(cmd);
}

static int unknown_word(const struct cmd *cmd, const char *word)
{
	struct suggestion best = suggestion_start(word);

	for (const struct command *const *s = cmd->command->sub; *s; s++)
		if (!((*s)->flags & CMD_HIDDEN))
			suggestion_offer(&best, (*s)->name);
	fprintf(stderr, "%s: ", cmd->path);
	if (word[0] == '-')
		fprintf(stderr, "unrecognized option '%s'", word);
	else
		fprintf(stderr, "no command '%s'", word);
	if (best.word && word[0] != '-')
		fprintf(stderr, "; did you mean '%s'?", best.word);
	fprintf(stderr, "\nTry `%s --help' for more information.\n", cmd->path);
	return EXIT_USAGE;
}

/* For what is said when a command is done with its struct cmd: who ran last. */
static struct cmd running = { .command = &memscope, .path = "memscope" };

static int dispatch(struct cmd *cmd, int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : NULL;

	memcpy(running.path, cmd->path, sizeof(running.path));
	if (!cmd->command->sub)
		return parse_and_run(cmd, argc, argv);
	if (!word || !strcmp(word, "--help") || !strcmp(word, "-h")) {
		cmd_print_group(cmd->command, cmd->path);
		return word ? EXIT_OK : EXIT_USAGE;
	}
	for (const struct command *const *s = cmd->command->sub; *s; s++) {
		size_t len = strlen(cmd->path);

		if (strcmp((*s)->name, word))
			continue;
		snprintf(cmd->path + len, sizeof(cmd->path) - len, " %s", word);
		cmd->command = *s;
		return dispatch(cmd, argc - 1, argv + 1);
	}
	return unknown_word(cmd, word);
}

int cmd_run(const struct command *command, const char *path, int argc, char **argv)
{
	struct cmd cmd = { .command = command };
	int code;

	snprintf(cmd.path, sizeof(cmd.path), "%s", path);
	code = dispatch(&cmd, argc, argv);
	free(cmd.opts);
	return code;
}

static bool stdout_finished;

static int finish_stdout(int code)
{
	bool failed = ferror(stdout);
	int err;

	if (stdout_finished)
		return code;
	stdout_finished = true;
	errno = 0;
	if (!fflush(stdout) && !failed)
		return code;
	err = errno ? -errno : -EIO;
	if (err == -EPIPE || code != EXIT_OK)
		return code;
	cmd_fail(&running, err, "writing to standard output");
	return EXIT_FAILED;
}

/* argp ends the process itself after --help. */
static void check_stdout_at_exit(void)
{
	if (finish_stdout(EXIT_OK) != EXIT_OK)
		_exit(EXIT_FAILED);
}

int cmd_main(int argc, char **argv)
{
	int code;

	argp_err_exit_status = EXIT_USAGE;
	atexit(check_stdout_at_exit);
	if (argc > 1 && (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))) {
		printf("memscope %s\n", MEMSCOPE_VERSION);
		code = EXIT_OK;
	} else if (argc > 1 && !strcmp(argv[1], "--introspect")) {
		code = cmd_introspect();
	} else if (argc > 1 && !strcmp(argv[1], "help")) {
		code = cmd_help(argc - 2, argv + 2);
	} else {
		code = cmd_run(&memscope, "memscope", argc, argv);
	}
	return finish_stdout(code);
}
