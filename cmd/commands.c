/* SPDX-License-Identifier: BSD-2-Clause */
/* The one table of commands. */
#include "cmd/cmd.h"

extern const struct command cmd_pool_explain, cmd_pool_maintain, cmd_pool_reset, cmd_pool_setup, cmd_pool_status, cmd_pool_undo;
extern const struct command cmd_pool_trigger_compress, cmd_pool_trigger_decompress;
extern const struct command cmd_doctor, cmd_trace_fault, cmd_trace_fork, cmd_trace_life, cmd_trace_swap;
extern const struct command cmd_arena_bench, cmd_arena_demo;
extern const struct command cmd_codec_list, cmd_codec_rank, cmd_codec_sweep, cmd_codec_train;
extern const struct command cmd_workload_compare, cmd_workload_external, cmd_workload_list,
	cmd_workload_matrix, cmd_workload_run;

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

static const struct command arena = {
	.name = "arena",
	.brief = "compressed memory behind plain pointers: try it, measure it",
	.sub = (const struct command *const[]){
		&cmd_arena_bench,
		&cmd_arena_demo,
		NULL,
	},
};

static const struct command codec = {
	.name = "codec",
	.brief = "judge codecs: which one, at what cost, on whose memory",
	.sub = (const struct command *const[]){
		&cmd_codec_list,
		&cmd_codec_rank,
		&cmd_codec_sweep,
		&cmd_codec_train,
		NULL,
	},
};

static const struct command pool_trigger = {
	.name = "trigger",
	.brief = "send pages of our own through the pool, and measure",
	.sub = (const struct command *const[]){
		&cmd_pool_trigger_compress,
		&cmd_pool_trigger_decompress,
		NULL,
	},
};

static const struct command pool = {
	.name = "pool",
	.brief = "a pool of compressed memory on zram: set up, explain, put back",
	.sub = (const struct command *const[]){
		&cmd_pool_setup,
		&cmd_pool_status,
		&cmd_pool_explain,
		&pool_trigger,
		&cmd_pool_maintain,
		&cmd_pool_reset,
		&cmd_pool_undo,
		NULL,
	},
};

static const struct command workload = {
	.name = "workload",
	.brief = "run memory and process workloads, and compare ways to hold them",
	.sub = (const struct command *const[]){
		&cmd_workload_list,
		&cmd_workload_run,
		&cmd_workload_matrix,
		&cmd_workload_compare,
		&cmd_workload_external,
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
		&codec,
		&arena,
		&pool,
		&workload,
		&cmd_doctor,
		NULL,
	},
};
