/* SPDX-License-Identifier: BSD-2-Clause */
/* memscope trace life: fork, exec and exit in one stream. */
#include "cmd/trace_life.h"

#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>

#include "bpf/life.h"
#include "lib/parse.h"
#include "life.skel.h"

static const struct argp_option options[] = {
	{ "threads", 't', NULL, 0, "Threads too, not only processes", 1 },
	{ 0 },
};

static error_t parse(int key, char *arg _unused_, struct argp_state *state)
{
	struct life_opts *o = state->input;

	if (key != 't')
		return ARGP_ERR_UNKNOWN;
	o->threads = true;
	return 0;
}

const struct argp life_argp = { options, parse, NULL, NULL, NULL, NULL, NULL };

enum {
	COL_EVENT,
	COL_TIME,
	COL_PID,
	COL_TID,
	COL_COMM,
	COL_UID,
	COL_CHILD,
	COL_CHILD_TID,
	COL_CHILD_COMM,
	COL_KIND,
	COL_PPID,
	COL_FILE,
	COL_CODE,
	COL_SIGNAL,
	COL_LIFETIME,
	COL_DETAIL,
	N_COLS,
};

static const struct out_col all_columns[N_COLS] = {
	[COL_EVENT] = { "event", "EVENT", OUT_STR, 5, OUT_TAG },
	[COL_TIME] = { "ts_ns", "TIME", OUT_TIME, 12, 0 },
	[COL_PID] = { "pid", "PID", OUT_U64, 7, 0 },
	[COL_TID] = { "tid", "TID", OUT_U64, 7, OUT_WIDE },
	[COL_COMM] = { "comm", "COMM", OUT_STR, 15, 0 },
	[COL_UID] = { "uid", "UID", OUT_U64, 6, OUT_WIDE },
	[COL_CHILD] = { "child_pid", "CHILD", OUT_U64, 7, OUT_NOT_TABLE },
	[COL_CHILD_TID] = { "child_tid", "CHILDTID", OUT_U64, 7, OUT_NOT_TABLE },
	[COL_CHILD_COMM] = { "child_comm", "CHILDCOMM", OUT_STR, 15, OUT_NOT_TABLE },
	[COL_KIND] = { "kind", "KIND", OUT_STR, 7, OUT_NOT_TABLE },
	[COL_PPID] = { "ppid", "PPID", OUT_U64, 7, OUT_NOT_TABLE },
	[COL_FILE] = { "file", "FILE", OUT_STR, 0, OUT_NOT_TABLE },
	[COL_CODE] = { "exit_code", "CODE", OUT_U64, 4, OUT_NOT_TABLE },
	[COL_SIGNAL] = { "exit_signal", "SIGNAL", OUT_U64, 6, OUT_NOT_TABLE },
	[COL_LIFETIME] = { "lifetime_ns", "LIFETIME", OUT_NS, 8, OUT_NOT_TABLE },
	[COL_DETAIL] = { "detail", "DETAIL", OUT_STR, 0, OUT_TABLE_ONLY },
};

struct life_trace {
	struct trace_run run;
	struct out_stream stream;
	struct out_col columns[N_COLS];
};

/* What a person wants to read of each kind of event, in one column. */
static void describe(const struct life_event *e, const char *file, char *buf, size_t size)
{
	char age[FORMAT_MAX];

	switch (e->kind) {
	case LIFE_FORK:
		if (e->is_thread)
			snprintf(buf, size, "thread %" PRIu32 " %s", e->other_tid, e->other_comm);
		else
			snprintf(buf, size, "child %" PRIu32 " %s", e->other_pid, e->other_comm);
		break;
	case LIFE_EXEC:
		snprintf(buf, size, "%s", file);
		break;
	default:
		format_duration(e->lifetime_ns, age);
		if (WIFSIGNALED(e->exit_code))
			snprintf(buf, size, "%skilled by %s after %s", e->is_thread ? "thread " : "",
				 strsignal(WTERMSIG(e->exit_code)), age);
		else
			snprintf(buf, size, "%scode %d after %s", e->is_thread ? "thread, " : "",
				 WEXITSTATUS(e->exit_code), age);
	}
}

static int on_record(void *ctx, void *data, size_t size)
{
	static const char *const names[] = { "fork", "exec", "exit" };
	struct life_trace *t = ctx;
	const struct life_event *e = data;
	const char *file = size >= sizeof(struct life_exec_event) ? ((const struct life_exec_event *)data)->file :
								    NULL;
	struct out_val v[N_COLS] = {
		[COL_EVENT] = OUT_S(names[e->kind]),
		[COL_TIME] = OUT_U(e->ts_ns + (uint64_t)t->run.to_realtime_ns),
		[COL_PID] = OUT_U(e->pid),
		[COL_TID] = OUT_U(e->tid),
		[COL_COMM] = OUT_S(e->comm),
		[COL_UID] = OUT_U(e->uid),
	};
	char detail[160];

	if (size < sizeof(*e))
		return 0;
	if (e->kind == LIFE_FORK) {
		v[COL_CHILD] = OUT_U(e->other_pid);
		v[COL_CHILD_TID] = OUT_U(e->other_tid);
		v[COL_CHILD_COMM] = OUT_S(e->other_comm);
		v[COL_KIND] = OUT_S(e->is_thread ? "thread" : "process");
	} else {
		v[COL_PPID] = OUT_U(e->other_pid);
		v[COL_FILE] = OUT_S(file);
	}
	if (e->kind == LIFE_EXIT) {
		v[COL_KIND] = OUT_S(e->is_thread ? "thread" : "process");
		if (WIFSIGNALED(e->exit_code))
			v[COL_SIGNAL] = OUT_U((uint64_t)WTERMSIG(e->exit_code));
		else
			v[COL_CODE] = OUT_U((uint64_t)WEXITSTATUS(e->exit_code));
		v[COL_LIFETIME] = OUT_U(e->lifetime_ns);
	}
	if (t->stream.format == OUT_TABLE) {
		describe(e, file ? file : "", detail, sizeof(detail));
		v[COL_DETAIL] = OUT_S(detail);
	}
	out_stream_row(&t->stream, v);
	return trace_counted(&t->run);
}

static int load(struct life_trace *t, struct life_bpf *skel, const struct life_opts *o, bool forks_only)
{
	bool follow = o->trace.children || t->run.cmd->child_argv;
	int err = probe_filter(&t->run.probe, skel->obj, &skel->rodata->filter, &t->run.request);

	if (err)
		return trace_filter_failed(&t->run, err);
	skel->rodata->want_fork = true;
	skel->rodata->want_exec = !forks_only;
	skel->rodata->want_exit = !forks_only;
	skel->rodata->want_threads = o->threads;
	bpf_program__set_autoload(skel->progs.on_exec, !forks_only || follow);
	bpf_program__set_autoload(skel->progs.on_exit, !forks_only || follow);
	err = life_bpf__load(skel);
	if (err)
		return trace_probe_failed(&t->run, err, "loading the programs");
	err = probe_start(&t->run.probe, &t->run.request, &skel->bss->waiting_for_exec, on_record, t);
	if (err)
		return cmd_fail(t->run.cmd, err, "setting up the trace");
	err = life_bpf__attach(skel);
	if (err)
		return trace_probe_failed(&t->run, err, "attaching to fork, exec and exit");
	return EXIT_OK;
}

int trace_life_run(struct cmd *cmd, bool forks_only)
{
	const struct life_opts *o = cmd->opts;
	struct life_trace t = {};
	struct life_bpf *skel = NULL;
	int code = trace_begin(&t.run, cmd, &o->trace);

	if (!code && !(skel = life_bpf__open()))
		code = trace_probe_failed(&t.run, -errno, "opening the programs");
	if (!code)
		code = load(&t, skel, o, forks_only);
	if (!code && !o->trace.trace_pipe) {
		memcpy(t.columns, all_columns, sizeof(t.columns));
		for (int i = COL_PPID; forks_only && i <= COL_LIFETIME; i++)
			t.columns[i].flags |= OUT_OFF;
		int err = out_stream_init(&t.stream, STDOUT_FILENO, cmd->out.format, cmd->out.wide, t.columns, N_COLS);

		t.run.stream = &t.stream;
		if (err && err != -EPIPE)
			code = cmd_fail(cmd, err, "writing the events");
	}
	if (!code && o->trace.trace_pipe)
		cmd_notice(cmd, "writing to trace_pipe; read it with: cat %s/trace_pipe",
			   feature_get(FEATURE_TRACEFS)->detail);
	if (!code)
		code = trace_loop(&t.run, 0, NULL, NULL);
	if (skel && t.run.end_ns)
		life_bpf__detach(skel);
	code = trace_end(&t.run, code, forks_only ? "forks" : "events");
	out_stream_release(&t.stream);
	life_bpf__destroy(skel);
	return code;
}

static int run(struct cmd *cmd)
{
	return trace_life_run(cmd, false);
}

const struct command cmd_trace_life = {
	.name = "life",
	.brief = "show fork, exec and exit of processes in one stream",
	.doc = "A line for each fork (the child), exec (the file) and exit (code or signal, and how long the "
	       "process lived). A filter selects by the process in which the event happens: the parent of a "
	       "fork. With -- COMMAND, the command and its children are followed from its exec, and its exit "
	       "code is passed on.",
	.parts = (const struct cmd_part[]){ { &trace_filter_argp, 0 }, { &life_argp, 0 }, { &trace_stream_argp, 0 }, {} },
	.opts_size = sizeof(struct life_opts),
	.run = run,
	.needs = FEATURE(BPF) | FEATURE(BTF) | FEATURE(TP_SCHED) | FEATURE(RINGBUF),
	.flags = CMD_RUNS_CHILD,
	.examples = (const struct cmd_example[]){
		{ "sudo memscope trace life -- sh -c 'true; ls / >/dev/null'", "what a shell starts", EXAMPLE_RUN },
		{ "sudo memscope trace life --threads --json", "everything, threads too, until Ctrl-C", EXAMPLE_SIGINT },
		{},
	},
};
