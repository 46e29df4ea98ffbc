/* SPDX-License-Identifier: BSD-2-Clause */
/* What the arena commands share: options of the arena, signals, progress, errors. */
#include "cmd/arena_common.h"

#include <stdarg.h>

enum {
	KEY_ACCESS = 0x3000,
	KEY_EVICTION,
	KEY_TIER,
	KEY_CHUNK,
	KEY_MIN_SAVINGS,
	KEY_CHECKSUM,
	KEY_WHEN_FULL,
};

static const struct argp_option options[] = {
	{"access", KEY_ACCESS, "HOW", 0,
	 "How missing pages come back: signal (default; in the thread that faults), thread (system "
	 "calls wait, too) or explicit (no userfaultfd; the program asks first)",
	 10},
	{"eviction", KEY_EVICTION, "HOW", 0,
	 "How pages leave: auto (default), move (UFFDIO_MOVE) or remap (mremap)", 10},
	{"tier", KEY_TIER, "TIER", 0, "warm (default; LZ4), cool (zstd -1) or cold (zstd 1)", 10},
	{"chunk", KEY_CHUNK, "SIZE", 0, "Compress 4K (default), 16K or 64K at once", 10},
	{"min-savings-pct", KEY_MIN_SAVINGS, "PCT", 0,
	 "Leave what compresses by less as it is (1 to 95; default 5)", 10},
	{"checksum", KEY_CHECKSUM, NULL, 0, "Keep a checksum with each compressed unit", 10},
	{"when-full", KEY_WHEN_FULL, "POLICY", 0,
	 "At the pool's capacity: refuse (default), or restore what is oldest", 10},
	{0},
};

static const char *const access_words[] = {"signal", "thread", "explicit", NULL};
static const char *const eviction_words[] = {"auto", "move", "remap", NULL};
static const char *const tier_words[] = {"warm", "cool", "cold", NULL};
static const char *const chunk_words[] = {"4K", "16K", "64K", NULL};
static const char *const when_full_words[] = {"refuse", "restore", NULL};

const struct cmd_words arena_words[] = {
	{"access", access_words}, {"eviction", eviction_words},   {"tier", tier_words},
	{"chunk", chunk_words},   {"when-full", when_full_words}, {},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	static const unsigned chunk_flags[] = {0, MEMSCOPE_REGION_CHUNK_16K,
					       MEMSCOPE_REGION_CHUNK_64K};
	struct arena_opts *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		memscope_arena_options_init(&o->options);
		return 0;
	case KEY_ACCESS:
		o->options.access =
			(enum memscope_access)opt_word(state, "--access", arg, access_words);
		return 0;
	case KEY_EVICTION:
		o->options.eviction =
			(enum memscope_eviction)opt_word(state, "--eviction", arg, eviction_words);
		return 0;
	case KEY_TIER:
		o->tier = (enum memscope_tier)opt_word(state, "--tier", arg, tier_words);
		return 0;
	case KEY_CHUNK:
		o->region_flags = chunk_flags[opt_word(state, "--chunk", arg, chunk_words)];
		return 0;
	case KEY_MIN_SAVINGS:
		o->options.min_savings_pct =
			(unsigned)opt_u64(state, "--min-savings-pct", arg, 1, 95);
		return 0;
	case KEY_CHECKSUM:
		o->options.flags |= MEMSCOPE_ARENA_CHECKSUM;
		return 0;
	case KEY_WHEN_FULL:
		o->options.when_full = (enum memscope_when_full)opt_word(state, "--when-full", arg,
									 when_full_words);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp arena_argp = {options, parse, NULL, NULL, NULL, NULL, NULL};

static volatile sig_atomic_t stop;

static void on_signal(int sig _unused_)
{
	stop = 1;
}

volatile sig_atomic_t *arena_catch_signals(void)
{
	const struct sigaction sa = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	return &stop;
}

void arena_progress(const struct cmd *cmd, const char *fmt, ...)
{
	va_list args;

	if (cmd->out.quiet || !isatty(STDERR_FILENO))
		return;
	fputs("\r\033[K", stderr);
	if (fmt) {
		va_start(args, fmt);
		vfprintf(stderr, fmt, args);
		va_end(args);
	}
}

int arena_fail(const struct cmd *cmd, int err, enum memscope_access access)
{
	if (err == -EPERM && access == MEMSCOPE_ACCESS_THREAD)
		return cmd_exit(cmd, EXIT_REFUSED,
				"userfaultfd is refused to this user: sysctl "
				"vm.unprivileged_userfaultfd=1, access to /dev/userfaultfd or "
				"CAP_SYS_PTRACE permits it; --access signal needs none of them");
	if (err == -EPERM)
		return cmd_exit(
			cmd, EXIT_REFUSED,
			"userfaultfd is refused here, probably by a container's seccomp "
			"filter: permit it, or use --access explicit, which does without "
			"(sysctl vm.unprivileged_userfaultfd=1 where it is older than 5.11)");
	if (err == -ENOSYS)
		return cmd_exit(
			cmd, EXIT_UNSUPPORTED,
			"this kernel has no userfaultfd (CONFIG_USERFAULTFD); --access explicit "
			"does without");
	if (err == -EOPNOTSUPP)
		return cmd_exit(
			cmd, EXIT_UNSUPPORTED,
			"this kernel's userfaultfd cannot do that (UFFDIO_MOVE needs Linux 6.8); "
			"--eviction remap works since 5.7");
	return cmd_fail(cmd, err, "the arena");
}
