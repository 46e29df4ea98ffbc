/* SPDX-License-Identifier: BSD-2-Clause */
/* The one table of commands. */
#include "cmd/cmd.h"

extern const struct command cmd_doctor, cmd_trace_fault, cmd_trace_fork, cmd_trace_life, cmd_trace_swap;

static const struct command trace = {
	.name = "trace",
	.brief = "show forks, page faults and reclaim as they happen",
	.sub = (const struct command *const[]){
		&cmd_trace_fault,
		&cmd_trace_fork,
		&cmd_trace_life,
		&cmd_trace_swap,
		NULL,
	},
};

const struct command memscope = {
	.name = "memscope",
	.brief = "see, judge and use compressed memory",
	.doc = "memscope shows what uses and faults memory on a Linux machine, what compressing it would "
	       "save and cost, and does it.",
	.sub = (const struct command *const[]){
		&trace,
		&cmd_doctor,
		NULL,
	},
};
