/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How to add a command.
 *
 *  1. Write cmd/<path>.c (trace fault is cmd/trace_fault.c): a struct for its options, an argp with
 *     the options and a parser that fills the struct, a run function, and at the end
 *
 *	const struct command cmd_trace_fault = {
 *		.name = "fault",
 *		.brief = "show page faults",
 *		.doc = "Paragraphs for --help and the man page.",
 *		.parts = (const struct cmd_part[]){ { &argp, 0 }, {} },
 *		.opts_size = sizeof(struct fault_opts),
 *		.run = run,
 *		.needs = FEATURE(BPF) | FEATURE(TP_FAULT),
 *		.examples = (const struct cmd_example[]){ … , {} },
 *	};
 *
 *  2. Name it in its group's list in cmd/commands.c.
 *  3. `make generate` writes its help, man page and completions.
 *
 * The parser gets a pointer to the zeroed options struct (plus the part's offset) as state->input and
 * sets defaults at ARGP_KEY_INIT. Options that several commands share are a part of their own, with a
 * struct embedded in each command's. Every command also has the common options of struct out_opts.
 *
 * run() returns an exit code: EXIT_OK or what cmd_fail() returned. It prints results on stdout and
 * everything else through cmd_notice() and cmd_fail().
 */
#ifndef MEMSCOPE_CMD_CMD_H
#define MEMSCOPE_CMD_CMD_H

#include <argp.h>

#include "lib/base.h"
#include "lib/feature.h"
#include "lib/out.h"

enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_REFUSED = 3,     /* a privilege or a resource is missing */
	EXIT_UNSUPPORTED = 4, /* the kernel lacks the feature */
	EXIT_CHECK = 5,	      /* a check or a threshold failed */
};

struct out_opts {
	enum out_format format;
	bool wide;
	bool quiet;
	bool verbose;
};

struct cmd {
	const struct command *command;
	char path[64]; /* "memscope trace fault" */
	struct out_opts out;
	void *opts;
	char **child_argv; /* after "--", or NULL; only for CMD_RUNS_CHILD */
};

/* The words that an option takes, for completions; give the list that the parser itself uses. */
struct cmd_words {
	const char *option;	  /* "by" */
	const char *const *words; /* NULL-terminated */
	bool list;		  /* several of them, with commas between */
};

struct cmd_part {
	const struct argp *argp;
	size_t offset;		       /* of its struct in the command's options */
	const struct cmd_words *words; /* NULL, or ends with an empty one */
};

enum example_test {
	EXAMPLE_RUN,	/* a test runs it and wants exit 0 */
	EXAMPLE_SIGINT, /* runs until it is interrupted: the test does so, and wants exit 0 */
	EXAMPLE_PREPARED, /* like RUN, but exit 3 is no failure: wants an outside tool or privilege */
};

struct cmd_example {
	const char *line; /* a shell line that starts with "memscope" or "sudo memscope" */
	const char *what;
	enum example_test test;
};

enum cmd_flags {
	CMD_RUNS_CHILD = 1, /* takes "-- COMMAND [ARG…]" */
	CMD_HIDDEN = 2,
};

struct command {
	const char *name;
	const char *brief;
	const char *doc;
	const char *args_doc; /* as argp's: words that stand for arguments, or NULL for none */
	const struct cmd_part *parts;
	size_t opts_size;
	int (*run)(struct cmd *cmd);
	const struct command *const *sub; /* a group: NULL-terminated; no run, no options */
	uint64_t needs;			  /* FEATURE() bits: without one of these it cannot run */
	uint64_t uses;			  /* without one of these it runs reduced */
	unsigned flags;
	const struct cmd_example *examples;
};

extern const struct command memscope; /* the root of the table, in cmd/commands.c */

/* Finds the command, parses its options, runs it. Returns the exit code. */
int cmd_main(int argc, char **argv);
/* One command of the table under the name path; argv[0] is replaced. Returns the exit code. */
int cmd_run(const struct command *command, const char *path, int argc, char **argv);
/* "memscope help WORDS…" and --introspect. */
int cmd_help(int argc, char **argv);
void cmd_print_group(const struct command *command, const char *path);
int cmd_introspect(void);
/* A part's or a command's options as argp sees them, common ones last. */
const struct argp *const *cmd_argps(const struct command *command, const struct argp *list[16]);
/* The words of an option of the command, or NULL. */
const struct cmd_words *cmd_option_words(const struct command *command, const char *option);

/*
 * Prints "memscope trace fault: WHAT: reason" once on stderr, and returns the exit code for err (a
 * negative errno, or 0 for no reason): privilege and missing resources 3, missing kernel features 4,
 * else 1.
 */
int cmd_fail(const struct cmd *cmd, int err, const char *fmt, ...) _printf_(3, 4);
/* The same with the exit code given. */
int cmd_exit(const struct cmd *cmd, int code, const char *fmt, ...) _printf_(3, 4);
/* A line on stderr, unless --quiet. */
void cmd_notice(const struct cmd *cmd, const char *fmt, ...) _printf_(2, 3);
/* A loss or another thing that must be known: a line on stderr, --quiet or not. */
void cmd_warn(const struct cmd *cmd, const char *fmt, ...) _printf_(2, 3);

/*
 * Option values. On a bad one these print the option, the value and the range, and exit with
 * EXIT_USAGE, as argp_error() does. key names the option as in struct argp_option.
 */
uint64_t opt_u64(const struct argp_state *state, const char *option, const char *arg, uint64_t min,
		 uint64_t max);
uint64_t opt_size(const struct argp_state *state, const char *option, const char *arg, uint64_t min,
		  uint64_t max);
/* Nanoseconds. */
uint64_t opt_duration(const struct argp_state *state, const char *option, const char *arg,
		      uint64_t min_ns, uint64_t max_ns);
double opt_double(const struct argp_state *state, const char *option, const char *arg, double min,
		  double max);
/* Index of arg in the NULL-terminated words; the error lists them. */
size_t opt_word(const struct argp_state *state, const char *option, const char *arg,
		const char *const *words);

/* The document or table of a finished command: prints what its format asks for. Exit code. */
int cmd_print_json(const struct cmd *cmd, json_object *obj);
int cmd_print_sheet(const struct cmd *cmd, const struct out_sheet *sheet);

/* What the process itself has used so far. */
struct own_cost {
	uint64_t cpu_ms;
	uint64_t peak_rss_bytes;
};
struct own_cost own_cost(void);

#endif
