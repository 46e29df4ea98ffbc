/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/trace_common.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "lib/parse.h"

#define SLEEP_MIN_NS (1 * NSEC_PER_MSEC)
#define SLEEP_MAX_NS (16 * NSEC_PER_MSEC)
#define MAX_PIDS     1024
#define PID_LIMIT    4194304 /* PID_MAX_LIMIT of the kernel */

/* ---- options ---- */

enum {
	KEY_TID = 0x3000,
	KEY_CGROUP,
	KEY_CHILDREN,
	KEY_BUFFER,
	KEY_TRACE_PIPE,
};

static const struct argp_option filter_options[] = {
	{ "pid", 'p', "PID", 0, "Only this process; may be given more than once", 1 },
	{ "tid", KEY_TID, "TID", 0, "Only this thread", 1 },
	{ "comm", 'c', "NAME", 0, "Only threads with this name (at most 15 bytes)", 1 },
	{ "uid", 'u', "USER", 0, "Only processes of this user (name or number)", 1 },
	{ "cgroup", KEY_CGROUP, "PATH", 0, "Only processes in this cgroup or below it", 1 },
	{ "children", KEY_CHILDREN, NULL, 0, "Follow forks of the --pid processes too", 1 },
	{ "duration", 'd', "TIME", 0, "End after this time (500ms, 10s, 2m)", 2 },
	{ 0 },
};

static void add_pid(struct trace_opts *o, const struct argp_state *state, const char *arg)
{
	uint32_t pid = (uint32_t)opt_u64(state, "--pid", arg, 1, PID_LIMIT);

	if (o->n_pids == MAX_PIDS)
		argp_error(state, "--pid '%s': at most %d processes", arg, MAX_PIDS);
	if (!o->pids)
		o->pids = calloc(MAX_PIDS, sizeof(*o->pids));
	if (!o->pids)
		argp_failure(state, EXIT_FAILED, ENOMEM, "--pid");
	for (size_t i = 0; i < o->n_pids; i++)
		if (o->pids[i] == pid)
			return;
	o->pids[o->n_pids++] = pid;
}

static int64_t user_id(const struct argp_state *state, const char *arg)
{
	const struct passwd *pw = getpwnam(arg);

	return pw ? (int64_t)pw->pw_uid : (int64_t)opt_u64(state, "--uid", arg, 0, UINT32_MAX - 1);
}

static error_t parse_filter(int key, char *arg, struct argp_state *state)
{
	struct trace_opts *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		o->uid = -1;
		return 0;
	case 'p':
		add_pid(o, state, arg);
		return 0;
	case KEY_TID:
		o->tid = (uint32_t)opt_u64(state, "--tid", arg, 1, PID_LIMIT);
		return 0;
	case 'c':
		if (!*arg || strlen(arg) >= TRACE_COMM_LEN)
			argp_error(state, "--comm '%s': want 1 to %d bytes, as the kernel keeps them", arg,
				   TRACE_COMM_LEN - 1);
		o->comm = arg;
		return 0;
	case 'u':
		o->uid = user_id(state, arg);
		return 0;
	case KEY_CGROUP:
		o->cgroup = arg;
		return 0;
	case KEY_CHILDREN:
		o->children = true;
		return 0;
	case 'd':
		o->duration_ns = opt_duration(state, "--duration", arg, NSEC_PER_MSEC, 86400 * 365 * NSEC_PER_SEC);
		return 0;
	case ARGP_KEY_END:
		if (o->children && !o->n_pids)
			argp_error(state, "--children needs --pid: whose forks are to be followed?");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp trace_filter_argp = { filter_options, parse_filter, NULL, NULL, NULL, NULL, NULL };

static const struct argp_option stream_options[] = {
	{ "max-events", 'n', "N", 0, "End after so many events", 2 },
	{ "buffer", KEY_BUFFER, "SIZE", 0, "Ring buffer (64K to 1G; default 4M for each CPU, 8M to 64M)", 2 },
	{ 0 },
};

static error_t parse_stream(int key, char *arg, struct argp_state *state)
{
	struct trace_opts *o = state->input;
	uint64_t want;

	switch (key) {
	case ARGP_KEY_INIT:
		o->buffer_bytes = probe_default_buffer();
		return 0;
	case 'n':
		o->max_events = opt_u64(state, "--max-events", arg, 1, UINT64_MAX);
		return 0;
	case KEY_BUFFER:
		want = opt_size(state, "--buffer", arg, 64 * KiB, GiB);
		for (o->buffer_bytes = 64 * KiB; o->buffer_bytes < want;)
			o->buffer_bytes *= 2; /* the kernel wants a power of two */
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp trace_stream_argp = { stream_options, parse_stream, NULL, NULL, NULL, NULL, NULL };

static const struct argp_option pipe_options[] = {
	{ "trace-pipe", KEY_TRACE_PIPE, NULL, 0,
	  "Write the events to the kernel's trace_pipe (bpf_printk), for a reader there", 3 },
	{ 0 },
};

static error_t parse_pipe(int key, char *arg _unused_, struct argp_state *state)
{
	struct trace_opts *o = state->input;

	if (key != KEY_TRACE_PIPE)
		return ARGP_ERR_UNKNOWN;
	o->trace_pipe = true;
	return 0;
}

const struct argp trace_pipe_argp = { pipe_options, parse_pipe, NULL, NULL, NULL, NULL, NULL };

/* ---- signals ---- */

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	interrupted = sig;
}

bool trace_interrupted(void)
{
	return interrupted != 0;
}

static void catch_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
}

/* ---- begin ---- */

static int watch_pids(struct trace_run *run)
{
	const struct trace_opts *o = run->opts;

	run->watched = calloc(MAX(o->n_pids, 1), sizeof(int));
	if (!run->watched)
		return cmd_fail(run->cmd, -ENOMEM, "starting");
	for (size_t i = 0; i < o->n_pids; i++)
		run->watched[i] = -1;
	for (size_t i = 0; i < o->n_pids; i++) {
		run->watched[i] = (int)syscall(SYS_pidfd_open, o->pids[i], 0);
		if (run->watched[i] < 0 && errno == ESRCH)
			return cmd_exit(run->cmd, EXIT_FAILED, "--pid %" PRIu32 ": no such process", o->pids[i]);
		if (run->watched[i] < 0 && errno == EINVAL)
			return cmd_exit(run->cmd, EXIT_FAILED, "--pid %" PRIu32 ": is a thread; use --tid", o->pids[i]);
	}
	return EXIT_OK;
}

static int check_trace_pipe(const struct trace_run *run)
{
	const struct feature_info *info;

	if (!run->opts->trace_pipe)
		return EXIT_OK;
	if (run->cmd->out.format != OUT_TABLE)
		return cmd_exit(run->cmd, EXIT_USAGE, "--trace-pipe writes lines of its own; it takes no format");
	info = feature_get(FEATURE_TRACEFS);
	if (info->state == FEATURE_OK)
		return EXIT_OK;
	return cmd_exit(run->cmd, EXIT_REFUSED, "--trace-pipe: tracefs is %s; to have it: %s", info->detail,
			info->remedy);
}

int trace_begin(struct trace_run *run, const struct cmd *cmd, const struct trace_opts *opts)
{
	int code, err;

	*run = (struct trace_run){ .cmd = cmd, .opts = opts, .child = { .go_fd = -1, .error_fd = -1 } };
	catch_signals();
	code = check_trace_pipe(run);
	if (!code)
		code = watch_pids(run);
	if (code)
		return code;
	if (cmd->child_argv) {
		err = spawn_prepare(&run->child, cmd->child_argv);
		if (err)
			return cmd_fail(cmd, err, "starting %s", cmd->child_argv[0]);
	}
	run->request = (struct probe_request){
		.pids = opts->pids,
		.n_pids = opts->n_pids,
		.tid = opts->tid,
		.uid = opts->uid,
		.comm = opts->comm,
		.cgroup = opts->cgroup,
		.children = opts->children,
		.has_command = cmd->child_argv != NULL,
		.printk = opts->trace_pipe,
		.buffer_bytes = opts->buffer_bytes,
	};
	run->to_realtime_ns = (int64_t)clock_ns(CLOCK_REALTIME) - (int64_t)now_ns();
	return EXIT_OK;
}

int trace_filter_failed(const struct trace_run *run, int err)
{
	if (err == -EOPNOTSUPP)
		return cmd_exit(run->cmd, EXIT_FAILED, "--cgroup %s: not a directory of cgroup v2 or of the v1 memory controller",
				run->opts->cgroup);
	if (run->opts->cgroup && err != -E2BIG)
		return cmd_exit(run->cmd, EXIT_FAILED, "--cgroup %s: %s", run->opts->cgroup, strerror(-err));
	return cmd_fail(run->cmd, err, "setting the filter");
}

int trace_probe_failed(const struct trace_run *run, int err, const char *what)
{
	const struct feature_info *bpf;
	int code;

	if (err == -EPERM || err == -EACCES) {
		bpf = feature_get(FEATURE_BPF);
		if (bpf->state == FEATURE_NO_PRIVILEGE)
			return cmd_exit(run->cmd, EXIT_REFUSED, "not permitted to load BPF programs; %s", bpf->remedy);
	}
	if (err == -ESRCH || err == -ENOENT)
		err = -EOPNOTSUPP; /* a tracepoint or a type that this kernel does not have */
	code = cmd_fail(run->cmd, err, "%s", what);
	if (*probe_last_warning())
		cmd_notice(run->cmd, "%s (`memscope doctor' tells what this kernel allows)", probe_last_warning());
	return code;
}

/* ---- the loop ---- */

int trace_counted(struct trace_run *run)
{
	run->events++;
	return run->opts->max_events && run->events >= run->opts->max_events ? -ECANCELED : 0;
}

double trace_seconds(const struct trace_run *run)
{
	return (double)((run->end_ns ? run->end_ns : now_ns()) - run->start_ns) / 1e9;
}

static bool all_gone(const struct trace_run *run)
{
	if (!run->opts->n_pids || run->opts->children)
		return false;
	for (size_t i = 0; i < run->opts->n_pids; i++) {
		struct pollfd p = { run->watched[i], POLLIN, 0 };

		if (run->watched[i] < 0 || poll(&p, 1, 0) != 1)
			return false;
	}
	return true;
}

static void tell_losses(struct trace_run *run)
{
	uint64_t now = now_ns();

	if (now - run->lost_told_ns < NSEC_PER_SEC)
		return;
	run->lost_told_ns = now;
	run->lost = probe_lost(&run->probe);
	if (run->lost == run->lost_told)
		return;
	cmd_warn(run->cmd, "lost %" PRIu64 " events (%" PRIu64 " in all): a larger --buffer, or a filter, helps",
		 run->lost - run->lost_told, run->lost);
	run->lost_told = run->lost;
}

/* Has the reader of our pipe closed it? Without events to write, nothing else would tell. */
static bool reader_gone(void)
{
	struct pollfd out = { STDOUT_FILENO, 0, 0 };

	return poll(&out, 1, 0) == 1 && out.revents & POLLERR;
}

static bool finished(struct trace_run *run)
{
	if (reader_gone())
		run->broken_pipe = true;
	if (interrupted || run->broken_pipe)
		return true;
	if (run->opts->duration_ns && now_ns() - run->start_ns >= run->opts->duration_ns)
		return true;
	if (run->cmd->child_argv)
		return spawn_poll(&run->child);
	return all_gone(run);
}

/* The most we may sleep: until the end or the next tick. */
static void doze(const struct trace_run *run, uint64_t want_ns, uint64_t next_tick)
{
	uint64_t now = now_ns(), until = now + want_ns;
	struct timespec ts;

	if (run->opts->duration_ns)
		until = MIN(until, run->start_ns + run->opts->duration_ns);
	if (next_tick)
		until = MIN(until, next_tick);
	if (until <= now)
		return;
	ts = (struct timespec){ (time_t)(until / NSEC_PER_SEC), (long)(until % NSEC_PER_SEC) };
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

/* >0: the trace is over; <0: error. */
static int drain(struct trace_run *run, int *ret_records)
{
	uint64_t before = run->events;
	int n = probe_consume(&run->probe), err = 0;

	*ret_records = (int)MIN(run->events - before, (uint64_t)INT32_MAX);
	if (run->stream)
		err = out_stream_flush(run->stream);
	if (err == -EPIPE) {
		run->broken_pipe = true; /* the reader has had enough */
		return 1;
	}
	if (err)
		return err;
	if (run->opts->max_events && run->events >= run->opts->max_events)
		return 1;
	return n < 0 && n != -EINTR && n != -ECANCELED ? n : 0;
}

static int start_command(struct trace_run *run)
{
	int err;

	if (!run->cmd->child_argv)
		return EXIT_OK;
	probe_expect_exec(&run->probe, (uint32_t)run->child.pid);
	err = spawn_go(&run->child);
	if (!err)
		return EXIT_OK;
	cmd_fail(run->cmd, err, "running %s", run->cmd->child_argv[0]);
	return err == -ENOENT ? 127 : 126; /* as a shell says it */
}

int trace_loop(struct trace_run *run, uint64_t interval_ns, int (*tick)(void *ctx, bool last), void *ctx)
{
	uint64_t sleep_ns = SLEEP_MIN_NS, next_tick = 0;
	int records, over = 0, code;

	/* The default slack of 50 us a sleep is nothing; batches are what saves CPU here. */
	prctl(PR_SET_TIMERSLACK, NSEC_PER_MSEC / 4);
	run->start_ns = run->lost_told_ns = now_ns();
	if (tick && interval_ns)
		next_tick = run->start_ns + interval_ns;
	if (run->cmd->out.verbose)
		cmd_notice(run->cmd, "tracing");
	code = start_command(run);
	if (code)
		return code;
	while (!over) {
		bool last = finished(run);

		/* What came before the end is still to be read: one more round after it. */
		over = drain(run, &records);
		if (over < 0)
			return cmd_fail(run->cmd, over, "writing the events");
		if (run->poll)
			run->poll(run->poll_ctx);
		if (last || run->broken_pipe)
			break;
		tell_losses(run);
		if (next_tick && now_ns() >= next_tick) {
			code = tick(ctx, false);
			if (code)
				return code;
			next_tick += interval_ns;
		}
		/* Few records: sleep longer, and let more of them gather. */
		if (records > 4096)
			sleep_ns = SLEEP_MIN_NS;
		else if (sleep_ns < SLEEP_MAX_NS)
			sleep_ns *= 2;
		if (!over)
			doze(run, sleep_ns, next_tick);
	}
	run->end_ns = now_ns();
	return tick ? tick(ctx, true) : EXIT_OK;
}

/* ---- the end ---- */

void trace_summary_json(const struct trace_run *run, json_object *obj)
{
	struct own_cost cost = own_cost();

	json_object_object_add(obj, "events", json_object_new_uint64(run->events));
	json_object_object_add(obj, "lost", json_object_new_uint64(run->lost));
	json_object_object_add(obj, "seconds", out_json_f64(trace_seconds(run)));
	json_object_object_add(obj, "own_cpu_ms", json_object_new_uint64(cost.cpu_ms));
	json_object_object_add(obj, "own_peak_rss_bytes", json_object_new_uint64(cost.peak_rss_bytes));
}

static int print_summary(struct trace_run *run, const char *what)
{
	struct own_cost cost = own_cost();
	char rss[FORMAT_MAX];
	json_object *obj;
	int err;

	if (run->lost > run->lost_told)
		cmd_warn(run->cmd, "lost %" PRIu64 " events in all: a larger --buffer, or a filter, helps", run->lost);
	if (run->stream && (run->stream->format == OUT_JSON || run->stream->format == OUT_PRETTY) && !run->broken_pipe) {
		obj = json_object_new_object();
		json_object_object_add(obj, "event", json_object_new_string("summary"));
		json_object_object_add(obj, "schema", json_object_new_string("memscope.trace/1"));
		trace_summary_json(run, obj);
		err = out_stream_json(run->stream, obj);
		json_object_put(obj);
		if (err && err != -EPIPE)
			return cmd_fail(run->cmd, err, "writing the summary");
	}
	cmd_notice(run->cmd, "%" PRIu64 " %s, %" PRIu64 " lost, %.2f s; own cost %" PRIu64 " ms CPU, %s peak RSS", run->events,
		   what, run->lost, trace_seconds(run), cost.cpu_ms, format_size(cost.peak_rss_bytes, rss));
	return EXIT_OK;
}

int trace_end(struct trace_run *run, int code, const char *what)
{
	bool ran = run->end_ns != 0;

	if (ran && run->probe.obj)
		run->lost = probe_lost(&run->probe);
	if (ran && !code)
		code = print_summary(run, what);
	probe_release(&run->probe);
	if (ran && run->cmd->child_argv) {
		/* Interrupted: so is the command, even when the signal was sent to us alone. */
		if (interrupted)
			spawn_signal(&run->child, interrupted);
		if (!code)
			code = spawn_wait(&run->child);
	}
	spawn_release(&run->child);
	for (size_t i = 0; run->watched && i < run->opts->n_pids; i++)
		if (run->watched[i] >= 0)
			close(run->watched[i]);
	free(run->watched);
	free(run->opts->pids);
	return code;
}
