/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the trace commands share: options (whom to trace, for how long), the command after --, the loop
 * that drains a probe, and the summary at the end.
 */
#ifndef MEMSCOPE_CMD_TRACE_COMMON_H
#define MEMSCOPE_CMD_TRACE_COMMON_H

#include "cmd/cmd.h"
#include "lib/probe.h"
#include "lib/spawn.h"

struct trace_opts {
	uint32_t *pids;
	size_t n_pids;
	uint32_t tid;
	int64_t uid;
	const char *comm;
	const char *cgroup;
	bool children;
	uint64_t duration_ns; /* 0: until it is interrupted */
	uint64_t max_events;  /* 0: any number */
	uint64_t buffer_bytes;
	bool trace_pipe;
};

/* Parts of a command's options; each takes a struct trace_opts. */
extern const struct argp trace_filter_argp;   /* --pid … --children, --duration */
extern const struct argp trace_stream_argp;   /* --max-events, --buffer */
extern const struct argp trace_pipe_argp;     /* --trace-pipe */

struct trace_run {
	const struct cmd *cmd;
	const struct trace_opts *opts;
	struct probe_request request;
	struct probe probe;
	struct spawn child;
	struct out_stream *stream; /* NULL when nothing is streamed */
	uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC */
	int64_t to_realtime_ns;	   /* add to a time of CLOCK_MONOTONIC */
	uint64_t events;
	uint64_t lost;
	uint64_t lost_told, lost_told_ns;
	bool broken_pipe;
	int *watched; /* pidfds of opts->pids */
	void (*poll)(void *ctx); /* NULL, or called every few milliseconds */
	void *poll_ctx;
};

/*
 * Before the BPF object is loaded: starts the command (waiting), opens the pids. 0, or an exit code
 * with the error printed.
 */
int trace_begin(struct trace_run *run, const struct cmd *cmd, const struct trace_opts *opts);
/* Says why a BPF object could not be opened, loaded or attached, and returns the exit code. */
int trace_probe_failed(const struct trace_run *run, int err, const char *what);
/* Says why the filter was refused. */
int trace_filter_failed(const struct trace_run *run, int err);
/*
 * Lets the command go and drains the probe until the trace ends: interrupt, duration, max_events, end
 * of the command or of all --pid processes, a reader that went away. tick (may be NULL) is called
 * every interval_ns and once at the end. 0, or an exit code with the error printed.
 */
int trace_loop(struct trace_run *run, uint64_t interval_ns, int (*tick)(void *ctx, bool last), void *ctx);
/* To be called by record callbacks, which return it: counts, and stops when max_events are reached. */
int trace_counted(struct trace_run *run);
/* Seconds of the trace. */
double trace_seconds(const struct trace_run *run);
/* events, lost, seconds and own cost, for JSON. */
void trace_summary_json(const struct trace_run *run, json_object *obj);
/*
 * The end: the summary (a JSON record in a JSON stream, else a line on stderr), the command's exit code
 * or code, release of everything.
 */
int trace_end(struct trace_run *run, int code, const char *what);
/* Takes over SIGINT and SIGTERM; they end the trace. */
bool trace_interrupted(void);

#endif
