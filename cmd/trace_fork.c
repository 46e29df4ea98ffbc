/* SPDX-License-Identifier: BSD-2-Clause */
/* memscope trace fork: who starts whom. */
#include "cmd/trace_life.h"

static int run(struct cmd *cmd)
{
	return trace_life_run(cmd, true);
}

const struct command cmd_trace_fork = {
	.name = "fork",
	.brief = "show forks with parent and child",
	.doc = "A line for each fork, vfork and clone that makes a process, and with --threads for each new "
	       "thread. A filter selects by the parent. With -- COMMAND, the command and its children are "
	       "followed from its exec, and its exit code is passed on.",
	.parts = (const struct cmd_part[]){ { &trace_filter_argp, 0 }, { &life_argp, 0 }, { &trace_stream_argp, 0 }, { &trace_pipe_argp, 0 }, {} },
	.opts_size = sizeof(struct life_opts),
	.run = run,
	.needs = FEATURE(BPF) | FEATURE(BTF) | FEATURE(TP_SCHED) | FEATURE(RINGBUF),
	.flags = CMD_RUNS_CHILD,
	.examples = (const struct cmd_example[]){
		{ "sudo memscope trace fork --duration 1s", "all forks of a second", EXAMPLE_RUN },
		{ "sudo memscope trace fork --csv -- sh -c 'for i in 1 2 3; do true | cat; done'",
		  "the forks of a command", EXAMPLE_RUN },
		{},
	},
};
