/* SPDX-License-Identifier: BSD-2-Clause */
/* memscope trace fault: page faults, one by one or counted by group. */
#include "cmd/trace_fault.h"

#include <string.h>

enum {
	KEY_VMA = 0x2000,
	KEY_LATENCY,
	KEY_BY,
	KEY_TOP,
	KEY_INTERVAL,
	KEY_HIST,
	KEY_SYMBOLS,
	KEY_GROUPS,
};

static const char *const end_words[] = { "auto", "fentry", "kprobe", "perf", NULL };

static const struct argp_option options[] = {
	{ "vma", KEY_VMA, NULL, 0, "Show the kind of mapping: anon, heap, stack, or the file", 4 },
	{ "symbols", KEY_SYMBOLS, NULL, 0, "Show what code is at the instruction", 4 },
	{ "latency", KEY_LATENCY, "MEANS", OPTION_ARG_OPTIONAL,
	  "Wait for the end of each fault: latency, major or minor, class (anon, file, swap, cow); by fentry, kprobe, "
	  "perf (software events), or auto, the first of these that works", 4 },
	{ "by", KEY_BY, "KEYS", 0, "Count in the kernel by pid,comm,vma,ip,kind,cgroup,class", 5 },
	{ "top", KEY_TOP, "N", 0, "With --by: the N largest groups (default 20, 0 for all)", 5 },
	{ "interval", KEY_INTERVAL, "TIME", 0, "With --by: print what was new every TIME", 5 },
	{ "hist", KEY_HIST, NULL, 0, "With --by: a histogram of latencies (implies --latency)", 5 },
	{ "groups", KEY_GROUPS, "N", 0, "With --by: room for N groups (default 8192); others are counted as one", 5 },
	{ 0 },
};

/* In the order of the bits of enum fault_by. */
static const char *const by_words[] = { "pid", "comm", "vma", "ip", "kind", "cgroup", "class", NULL };

static const struct cmd_words option_words[] = { { "latency", end_words, false }, { "by", by_words, true }, {} };

static unsigned parse_by(const struct argp_state *state, char *arg)
{
	unsigned by = 0;
	char *save = NULL;

	for (char *w = strtok_r(arg, ",", &save); w; w = strtok_r(NULL, ",", &save))
		by |= 1U << opt_word(state, "--by", w, by_words);
	if (!by)
		argp_error(state, "--by: want at least one key");
	return by;
}

static void check(struct fault_opts *o, const struct argp_state *state)
{
	if (o->hist)
		o->config.latency = true;
	if (o->config.by & FAULT_BY_CLASS)
		o->config.latency = true;
	if (o->config.by)
		return;
	if (o->hist || o->interval_ns)
		argp_error(state, "%s needs --by: what is to be counted?", o->hist ? "--hist" : "--interval");
	if (o->trace.trace_pipe && (o->config.vma || o->symbols || o->config.latency))
		argp_error(state, "--trace-pipe writes the classic lines only: no --vma, --symbols or --latency");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct fault_opts *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		o->top = 20;
		o->config.groups = FAULT_GROUPS_DEFAULT;
		return 0;
	case KEY_VMA:
		o->config.vma = true;
		return 0;
	case KEY_SYMBOLS:
		o->symbols = true;
		return 0;
	case KEY_LATENCY:
		o->config.latency = true;
		if (arg)
			o->config.end = (enum fault_end)opt_word(state, "--latency", arg, end_words);
		return 0;
	case KEY_BY:
		o->config.by |= parse_by(state, arg);
		return 0;
	case KEY_TOP:
		o->top = opt_u64(state, "--top", arg, 0, 1000000);
		return 0;
	case KEY_INTERVAL:
		o->interval_ns = opt_duration(state, "--interval", arg, 10 * NSEC_PER_MSEC, 86400 * NSEC_PER_SEC);
		return 0;
	case KEY_HIST:
		o->hist = true;
		return 0;
	case KEY_GROUPS:
		o->config.groups = (uint32_t)opt_u64(state, "--groups", arg, 16, 262144) + 1;
		return 0;
	case ARGP_KEY_END:
		check(o, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = { options, parse, NULL, NULL, NULL, NULL, NULL };

/* ---- the stream ---- */

enum {
	COL_EVENT,
	COL_TIME,
	COL_PID,
	COL_TID,
	COL_COMM,
	COL_TYPE,
	COL_ACCESS,
	COL_PRESENT,
	COL_ADDR,
	COL_IP,
	COL_LATENCY,
	COL_MAJOR,
	COL_CLASS,
	COL_VMA,
	COL_FILE,
	COL_WHERE,
	COL_SYMBOL,
	N_COLS,
};

static const struct out_col all_columns[N_COLS] = {
	[COL_EVENT] = { "event", "EVENT", OUT_STR, 10, OUT_TAG | OUT_NOT_TABLE },
	[COL_TIME] = { "ts_ns", "TIME", OUT_TIME, 12, 0 },
	[COL_PID] = { "pid", "PID", OUT_U64, 7, OUT_IN_KV },
	[COL_TID] = { "tid", "TID", OUT_U64, 7, OUT_WIDE },
	[COL_COMM] = { "comm", "COMM", OUT_STR, 15, OUT_IN_KV },
	[COL_TYPE] = { "type", "TYPE", OUT_STR, 6, OUT_IN_KV },
	[COL_ACCESS] = { "access", "ACCESS", OUT_STR, 6, 0 },
	[COL_PRESENT] = { "present", "PRESENT", OUT_BOOL, 7, OUT_WIDE },
	[COL_ADDR] = { "addr", "ADDR", OUT_HEX, 14, OUT_IN_KV },
	[COL_IP] = { "ip", "IP", OUT_HEX, 14, OUT_IN_KV },
	[COL_LATENCY] = { "latency_ns", "LATENCY", OUT_NS, 7, 0 },
	[COL_MAJOR] = { "major", "MAJOR", OUT_BOOL, 5, OUT_WIDE },
	[COL_CLASS] = { "class", "CLASS", OUT_STR, 5, 0 },
	[COL_VMA] = { "vma", "VMA", OUT_STR, 5, OUT_NOT_TABLE },
	[COL_FILE] = { "file", "FILE", OUT_STR, 0, OUT_NOT_TABLE },
	[COL_WHERE] = { "where", "VMA", OUT_STR, 5, OUT_TABLE_ONLY },
	[COL_SYMBOL] = { "symbol", "SYMBOL", OUT_STR, 0, 0 },
};

struct fault_stream {
	struct fault_run *f;
	struct out_stream out;
	struct out_col columns[N_COLS];
};

/* Leaves out what was not asked for, and makes room in 80 columns for what was. */
static void choose_columns(struct fault_stream *s, const struct fault_opts *o)
{
	struct out_col *c = s->columns;

	memcpy(c, all_columns, sizeof(s->columns));
	if (!o->config.latency)
		c[COL_LATENCY].flags = c[COL_MAJOR].flags = c[COL_CLASS].flags = OUT_OFF;
	if (!o->config.vma)
		c[COL_VMA].flags = c[COL_FILE].flags = c[COL_WHERE].flags = OUT_OFF;
	if (!o->symbols)
		c[COL_SYMBOL].flags = OUT_OFF;
	if (o->config.latency || o->config.vma || o->symbols) {
		c[COL_IP].flags |= OUT_WIDE;
		c[COL_TYPE].flags |= OUT_WIDE;
	}
}

static const char *access_name(const struct fault_event *e)
{
	return e->error_code & FAULT_EXEC ? "exec" : e->error_code & FAULT_WRITE ? "write" : "read";
}

static int on_record(void *ctx, void *data, size_t size)
{
	struct fault_stream *s = ctx;
	const struct fault_event *e = data;
	const char *file = size >= sizeof(struct fault_vma_event) ? ((const struct fault_vma_event *)data)->file : NULL;
	struct out_val v[N_COLS];
	char symbol[SYMBOL_MAX];

	if (size < sizeof(*e))
		return 0;
	v[COL_EVENT] = OUT_S("page_fault");
	v[COL_TIME] = OUT_U(e->ts_ns + (uint64_t)s->f->run.to_realtime_ns);
	v[COL_PID] = OUT_U(e->pid);
	v[COL_TID] = OUT_U(e->tid);
	v[COL_COMM] = OUT_S(e->comm);
	v[COL_TYPE] = OUT_S(e->flags & FAULT_FLAG_KERNEL ? "kernel" : "user");
	v[COL_ACCESS] = OUT_S(access_name(e));
	v[COL_PRESENT] = OUT_U(e->error_code & FAULT_PRESENT);
	v[COL_ADDR] = OUT_U(e->addr);
	v[COL_IP] = OUT_U(e->ip);
	v[COL_LATENCY] = v[COL_MAJOR] = v[COL_CLASS] = v[COL_VMA] = v[COL_FILE] = v[COL_WHERE] = v[COL_SYMBOL] =
		OUT_NULL;
	if (e->flags & FAULT_FLAG_DONE) {
		v[COL_LATENCY] = OUT_U(e->latency_ns);
		v[COL_MAJOR] = OUT_U(e->flags & FAULT_FLAG_MAJOR);
		v[COL_CLASS] = OUT_S(fault_class_name(e->class));
	}
	if (s->f->opts->config.vma) {
		v[COL_VMA] = OUT_S(fault_vma_name(e->vma));
		v[COL_FILE] = e->vma == FAULT_VMA_FILE ? OUT_S(file) : OUT_NULL;
		v[COL_WHERE] = e->vma == FAULT_VMA_FILE ? OUT_S(file) : v[COL_VMA];
	}
	if (s->f->symbols)
		v[COL_SYMBOL] = OUT_S(symbols_name(s->f->symbols, e->pid, e->ip, symbol));
	out_stream_row(&s->out, v);
	return trace_counted(&s->f->run);
}

static int load(struct fault_run *f, probe_record_fn fn, void *ctx)
{
	const struct fault_config *config = &f->opts->config;
	int err = fault_trace_load(&f->trace, &f->run.probe, &f->run.request, config);

	if (err == -EOPNOTSUPP && config->latency && !f->trace.skel && feature_get(FEATURE_BPF)->state == FEATURE_OK)
		return cmd_exit(f->run.cmd, EXIT_UNSUPPORTED, "--latency: this kernel permits no %s programs",
				config->end ? fault_end_name(config->end) : "fentry, kprobe or perf event");
	if (err && f->trace.filter_refused)
		return trace_filter_failed(&f->run, err);
	if (err)
		return trace_probe_failed(&f->run, err, "loading the page fault programs");
	err = probe_start(&f->run.probe, &f->run.request, fault_trace_waiting(&f->trace), fn, ctx);
	if (err)
		return cmd_fail(f->run.cmd, err, "setting up the trace");
	err = fault_trace_attach(&f->trace);
	if (err)
		return trace_probe_failed(&f->run, err, "attaching to page faults");
	if (config->latency)
		cmd_notice(f->run.cmd, "the end of faults is seen by %s", fault_end_name(f->trace.config.end));
	return EXIT_OK;
}

static int run_stream(struct fault_run *f)
{
	const struct cmd *cmd = f->run.cmd;
	struct fault_stream s = { .f = f };
	int code, err;

	choose_columns(&s, f->opts);
	code = load(f, on_record, &s);
	if (!code && !f->opts->trace.trace_pipe) {
		err = out_stream_init(&s.out, STDOUT_FILENO, cmd->out.format, cmd->out.wide, s.columns, N_COLS);
		f->run.stream = &s.out;
		if (err && err != -EPIPE)
			code = cmd_fail(cmd, err, "writing the events");
	} else if (!code) {
		cmd_notice(cmd, "writing to trace_pipe; read it with: cat %s/trace_pipe",
			   feature_get(FEATURE_TRACEFS)->detail);
	}
	if (!code)
		code = trace_loop(&f->run, 0, NULL, NULL);
	fault_trace_detach(&f->trace);
	code = trace_end(&f->run, code, "faults");
	out_stream_release(&s.out);
	return code;
}

static int run_groups(struct fault_run *f)
{
	struct fault_groups *groups = fault_groups_new(f);
	int code = groups ? load(f, NULL, NULL) : cmd_fail(f->run.cmd, -ENOMEM, "starting");

	if (!code) {
		f->run.poll = f->symbols ? fault_groups_poll : NULL;
		f->run.poll_ctx = groups;
		code = trace_loop(&f->run, f->opts->interval_ns, fault_groups_tick, groups);
	}
	fault_trace_detach(&f->trace);
	code = trace_end(&f->run, code, "faults");
	fault_groups_free(groups);
	return code;
}

static int run(struct cmd *cmd)
{
	const struct fault_opts *o = cmd->opts;
	struct fault_run f = { .opts = o };
	int code = trace_begin(&f.run, cmd, &o->trace);

	if (!code && o->config.by && cmd->out.format == OUT_KV)
		code = cmd_exit(cmd, EXIT_USAGE, "--by has no key=value lines; use table, json or csv");
	if (!code && o->config.by && (o->trace.max_events || o->trace.trace_pipe))
		code = cmd_exit(cmd, EXIT_USAGE, "--by counts in the kernel: no --max-events, no --trace-pipe");
	if (!code && o->symbols && !(f.symbols = symbols_new()))
		code = cmd_fail(cmd, -ENOMEM, "starting");
	if (code)
		code = trace_end(&f.run, code, "faults");
	else
		code = o->config.by ? run_groups(&f) : run_stream(&f);
	symbols_free(f.symbols);
	fault_trace_release(&f.trace);
	return code;
}

const struct command cmd_trace_fault = {
	.name = "fault",
	.brief = "show page faults, or count them by group",
	.doc = "Without --by a line for each fault; with it, counts that are kept in the kernel and cost some tens "
	       "of nanoseconds a fault. Filters work in the kernel. memscope itself is never traced.\n\n"
	       "ACCESS is what was tried: read, write or exec; present means that the page was there and the "
	       "access was not allowed (a write to a shared page is made a copy then). The class of a fault, its "
	       "latency and whether it was major are known at its end, which is seen by fentry programs where the "
	       "kernel permits them, else by kprobes, else by software perf events.\n\n"
	       "Events that found the buffer full are counted in the kernel, told on stderr at most once a second, "
	       "and stand in the summary. With -- COMMAND, the command and its children are followed from its "
	       "exec, and its exit code is passed on.",
	.parts = (const struct cmd_part[]){ { &trace_filter_argp, 0 }, { &argp, 0, option_words }, { &trace_stream_argp, 0 }, { &trace_pipe_argp, 0 }, {} },
	.opts_size = sizeof(struct fault_opts),
	.run = run,
	.needs = FEATURE(BPF) | FEATURE(BTF) | FEATURE(TP_FAULT) | FEATURE(RINGBUF),
	.uses = FEATURE(FENTRY) | FEATURE(SYMBOLS) | FEATURE(TRACEFS),
	.flags = CMD_RUNS_CHILD,
	.examples = (const struct cmd_example[]){
		{ "sudo memscope trace fault --by comm --duration 2s", "who faults most", EXAMPLE_RUN },
		{ "sudo memscope trace fault --vma --max-events 20 -- ls", "the first faults of a command", EXAMPLE_RUN },
		{ "sudo memscope trace fault --by vma,class --hist -- ls -R /usr/include",
		  "what a command faults on, and how long that takes", EXAMPLE_RUN },
		{ "sudo memscope trace fault --by pid --interval 1s --csv", "a time series until Ctrl-C", EXAMPLE_SIGINT },
		{},
	},
};
