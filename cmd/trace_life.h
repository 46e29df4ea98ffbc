/* SPDX-License-Identifier: BSD-2-Clause */
/* `trace fork` and `trace life` are one program with different events switched on. */
#ifndef MEMSCOPE_CMD_TRACE_LIFE_H
#define MEMSCOPE_CMD_TRACE_LIFE_H

#include "cmd/trace_common.h"

struct life_opts {
	struct trace_opts trace; /* first: the parts have offset 0 */
	bool threads;
};

extern const struct argp life_argp;

/* forks_only: no exec and exit. */
int trace_life_run(struct cmd *cmd, bool forks_only);

#endif
