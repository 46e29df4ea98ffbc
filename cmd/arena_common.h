/* SPDX-License-Identifier: BSD-2-Clause */
/* arena_common: what the arena commands share. */
#ifndef MEMSCOPE_CMD_ARENA_COMMON_H
#define MEMSCOPE_CMD_ARENA_COMMON_H

#include <signal.h>

#include "cmd/cmd.h"
#include "workloads/arena_bench.h"

/* --access, --eviction, --tier, --chunk, --min-savings-pct, --checksum, --when-full */
struct arena_opts {
	struct memscope_arena_options options;
	enum memscope_tier tier;
	unsigned region_flags;
};

extern const struct argp arena_argp;
extern const struct cmd_words arena_words[];

/* SIGINT and SIGTERM set what is returned, once; the second time they end the program. */
volatile sig_atomic_t *arena_catch_signals(void);
/* A line on a terminal's stderr that the next one replaces; NULL takes it away. */
void arena_progress(const struct cmd *cmd, const char *fmt, ...) _printf_(2, 3);
/* What memscope_arena_create() or a later call returned, with the remedy. Exit code. */
int arena_fail(const struct cmd *cmd, int err, enum memscope_access access);

#endif
