/* SPDX-License-Identifier: BSD-2-Clause */
/* memscope trace swap: reclaim and swap by interval, and the processes that pay for it. */
#include <inttypes.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/swap.h"
#include "cmd/trace_common.h"
#include "lib/hist.h"
#include "lib/parse.h"
#include "lib/reclaim.h"
#include "swap.skel.h"

struct swap_opts {
	struct trace_opts trace; /* first: the parts have offset 0 */
	uint64_t interval_ns;
	uint64_t top;
};

enum {
	KEY_INTERVAL = 0x2000,
	KEY_TOP,
};

static const struct argp_option options[] = {
	{ "interval", KEY_INTERVAL, "TIME", 0, "Time between rows (10ms to 1h; default 1s)", 4 },
	{ "top", KEY_TOP, "N", 0, "Processes in the summary (default 10)", 4 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct swap_opts *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		o->interval_ns = NSEC_PER_SEC;
		o->top = 10;
		return 0;
	case KEY_INTERVAL:
		o->interval_ns = opt_duration(state, "--interval", arg, 10 * NSEC_PER_MSEC, 3600 * NSEC_PER_SEC);
		return 0;
	case KEY_TOP:
		o->top = opt_u64(state, "--top", arg, 0, 1000);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = { options, parse, NULL, NULL, NULL, NULL, NULL };

enum {
	COL_EVENT,
	COL_TIME,
	COL_TS,
	COL_WAKE,
	COL_SLEEP,
	COL_DIRECT_BEGIN,
	COL_DIRECT_END,
	COL_STALL,
	COL_RECLAIM_CALLS,
	COL_WRITE,
	COL_MEMCG_BEGIN,
	COL_MEMCG_END,
	COL_MEMCG_STALL,
	COL_RECLAIMED,
	COL_SWPIN,
	COL_SWPOUT,
	COL_SOME,
	COL_FULL,
	COL_LAST_PID,
	COL_LAST_COMM,
	N_COLS,
};

/* The keys of the first group, in this order, are the classic line. */
static const struct out_col all_columns[N_COLS] = {
	[COL_EVENT] = { "event", "", OUT_STR, 10, OUT_TAG | OUT_NOT_TABLE },
	[COL_TIME] = { "ts_ns", "TIME", OUT_TIME, 12, 0 },
	[COL_TS] = { "ts", "TS", OUT_U64, 10, OUT_IN_KV | OUT_NOT_TABLE },
	[COL_WAKE] = { "kswapd_wake", "KSWAP", OUT_U64, 5, OUT_IN_KV },
	[COL_SLEEP] = { "kswapd_sleep", "SLEEP", OUT_U64, 5, OUT_IN_KV | OUT_WIDE },
	[COL_DIRECT_BEGIN] = { "direct_begin", "DIRECT", OUT_U64, 6, OUT_IN_KV },
	[COL_DIRECT_END] = { "direct_end", "ENDED", OUT_U64, 6, OUT_IN_KV | OUT_WIDE },
	[COL_STALL] = { "direct_ns", "STALL", OUT_NS, 7, OUT_WIDE },
	[COL_RECLAIM_CALLS] = { "reclaim_pages", "RPAGES", OUT_U64, 6, OUT_IN_KV | OUT_WIDE },
	[COL_WRITE] = { "write_folio", "WRITTEN", OUT_U64, 7, OUT_IN_KV },
	[COL_MEMCG_BEGIN] = { "memcg_begin", "MEMCG", OUT_U64, 6, 0 },
	[COL_MEMCG_END] = { "memcg_end", "MEMCGEND", OUT_U64, 8, OUT_WIDE },
	[COL_MEMCG_STALL] = { "memcg_ns", "MSTALL", OUT_NS, 7, OUT_WIDE },
	[COL_RECLAIMED] = { "reclaimed_pages", "FREED", OUT_U64, 7, 0 },
	[COL_SWPIN] = { "pswpin", "SWPIN", OUT_U64, 6, 0 },
	[COL_SWPOUT] = { "pswpout", "SWPOUT", OUT_U64, 6, 0 },
	[COL_SOME] = { "psi_some_us", "PSIms", OUT_U64, 5, 0 },
	[COL_FULL] = { "psi_full_us", "FULLus", OUT_U64, 6, OUT_WIDE },
	[COL_LAST_PID] = { "last_pid", "PID", OUT_U64, 7, OUT_IN_KV },
	[COL_LAST_COMM] = { "last_comm", "LAST", OUT_STR, 0, OUT_IN_KV },
};

struct swap_trace {
	struct trace_run run;
	const struct swap_opts *opts;
	struct swap_bpf *skel;
	struct out_stream stream;
	struct out_col columns[N_COLS];
	struct swap_counters before;
	struct reclaim_vmstat vm_before;
	struct reclaim_psi psi_before;
	struct reclaim_swapped *swapped_first;
	size_t n_swapped_first;
	bool have_psi, have_reclaim;
	struct swap_counters *per_cpu;
};

/* ---- counters ---- */

static int read_counters(struct swap_trace *t, struct swap_counters *ret)
{
	size_t words = sizeof(*ret) / sizeof(uint64_t);
	uint64_t *sum = (uint64_t *)ret;
	uint32_t zero = 0;

	if (bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.counters), &zero, t->per_cpu))
		return -errno;
	memset(ret, 0, sizeof(*ret));
	for (int cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++)
		for (size_t i = 0; i < words; i++)
			sum[i] += ((uint64_t *)&t->per_cpu[cpu])[i];
	return 0;
}

static int print_row(struct swap_trace *t, const struct swap_counters *now)
{
	const struct swap_counters *b = &t->before;
	struct out_val v[N_COLS] = {};
	struct reclaim_vmstat vm = t->vm_before;
	struct reclaim_psi psi = t->psi_before;
	struct swap_last last = t->skel->bss->last;
	uint64_t realtime = clock_ns(CLOCK_REALTIME);

	reclaim_vmstat_read(&vm);
	if (t->have_psi)
		reclaim_psi_read(&psi);
	last.comm[TRACE_COMM_LEN - 1] = '\0';
	v[COL_EVENT] = OUT_S("swap_probe");
	v[COL_TIME] = OUT_U(realtime);
	v[COL_TS] = OUT_U(realtime / NSEC_PER_SEC);
	v[COL_WAKE] = OUT_U(now->kswapd_wake - b->kswapd_wake);
	v[COL_SLEEP] = OUT_U(now->kswapd_sleep - b->kswapd_sleep);
	v[COL_DIRECT_BEGIN] = OUT_U(now->kinds[SWAP_DIRECT].begin - b->kinds[SWAP_DIRECT].begin);
	v[COL_DIRECT_END] = OUT_U(now->kinds[SWAP_DIRECT].end - b->kinds[SWAP_DIRECT].end);
	v[COL_STALL] = OUT_U(now->kinds[SWAP_DIRECT].ns - b->kinds[SWAP_DIRECT].ns);
	if (t->have_reclaim)
		v[COL_RECLAIM_CALLS] = OUT_U(now->reclaim_calls - b->reclaim_calls);
	v[COL_WRITE] = OUT_U(now->write_folio - b->write_folio);
	v[COL_MEMCG_BEGIN] = OUT_U(now->kinds[SWAP_MEMCG].begin - b->kinds[SWAP_MEMCG].begin);
	v[COL_MEMCG_END] = OUT_U(now->kinds[SWAP_MEMCG].end - b->kinds[SWAP_MEMCG].end);
	v[COL_MEMCG_STALL] = OUT_U(now->kinds[SWAP_MEMCG].ns - b->kinds[SWAP_MEMCG].ns);
	v[COL_RECLAIMED] = OUT_U(now->shrink_pages + now->reclaim_pages - b->shrink_pages - b->reclaim_pages);
	v[COL_SWPIN] = OUT_U(vm.pswpin - t->vm_before.pswpin);
	v[COL_SWPOUT] = OUT_U(vm.pswpout - t->vm_before.pswpout);
	if (t->have_psi) {
		/* Machine formats keep the kernel's microseconds; a table has room for milliseconds. */
		uint64_t some = psi.some_us - t->psi_before.some_us;

		v[COL_SOME] = OUT_U(t->stream.format == OUT_TABLE ? some / 1000 : some);
		v[COL_FULL] = OUT_U(psi.full_us - t->psi_before.full_us);
	}
	v[COL_LAST_PID] = OUT_U(last.pid);
	v[COL_LAST_COMM] = OUT_S(last.comm);
	t->vm_before = vm;
	t->psi_before = psi;
	t->run.events++;
	out_stream_row(&t->stream, v);
	return out_stream_flush(&t->stream);
}

/* ---- the summary ---- */

static const struct out_col task_columns[] = {
	{ "pid", "PID", OUT_U64, 0, 0 },
	{ "comm", "COMM", OUT_STR, 0, 0 },
	{ "stalls", "STALLS", OUT_U64, 0, 0 },
	{ "stall_ns", "STALLED", OUT_NS, 0, 0 },
	{ "max_ns", "LONGEST", OUT_NS, 0, 0 },
	{ "written_folios", "WRITTEN", OUT_U64, 0, 0 },
	{ "swapped_bytes", "SWAPPED OUT", OUT_BYTES, 0, 0 },
};

struct task_row {
	uint32_t pid;
	struct swap_task task;
	uint64_t swapped; /* growth of its VmSwap */
};

static int by_weight(const void *a, const void *b)
{
	const struct task_row *x = a, *y = b;

	if (x->task.stall_ns != y->task.stall_ns)
		return x->task.stall_ns < y->task.stall_ns ? 1 : -1;
	if (x->swapped != y->swapped)
		return x->swapped < y->swapped ? 1 : -1;
	if (x->task.written != y->task.written)
		return x->task.written < y->task.written ? 1 : -1;
	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static struct task_row *row_of(struct task_row *rows, size_t *n, uint32_t pid)
{
	for (size_t i = 0; i < *n; i++)
		if (rows[i].pid == pid)
			return &rows[i];
	rows[*n] = (struct task_row){ .pid = pid };
	return &rows[(*n)++];
}

static uint64_t swapped_at_start(const struct swap_trace *t, uint32_t pid)
{
	for (size_t i = 0; i < t->n_swapped_first; i++)
		if (t->swapped_first[i].pid == pid)
			return t->swapped_first[i].swap_bytes;
	return 0;
}

static int collect_tasks(struct swap_trace *t, struct task_row **ret, size_t *ret_n)
{
	int fd = bpf_map__fd(t->skel->maps.tasks);
	_cleanup_free_ struct reclaim_swapped *swapped = NULL;
	size_t n_swapped = 0, n = 0;
	uint32_t key, *from = NULL;
	struct task_row *rows;

	reclaim_swapped_read(&swapped, &n_swapped); /* without it that column is empty */
	rows = calloc(SWAP_MAX_TASKS + n_swapped, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	while (n < SWAP_MAX_TASKS && !bpf_map_get_next_key(fd, from, &key)) {
		rows[n].pid = key;
		from = &rows[n].pid;
		if (!bpf_map_lookup_elem(fd, &key, &rows[n].task))
			n++;
	}
	for (size_t i = 0; i < n_swapped; i++) {
		uint64_t then = swapped_at_start(t, swapped[i].pid);
		struct task_row *row;

		if (swapped[i].swap_bytes <= then)
			continue;
		row = row_of(rows, &n, swapped[i].pid);
		row->swapped = swapped[i].swap_bytes - then;
		memcpy(row->task.comm, swapped[i].comm, sizeof(row->task.comm));
	}
	qsort(rows, n, sizeof(*rows), by_weight);
	*ret = rows;
	*ret_n = n;
	return 0;
}

static struct out_sheet *task_sheet(struct swap_trace *t)
{
	struct out_sheet *sheet = out_sheet_new(task_columns, ARRAY_SIZE(task_columns));
	_cleanup_free_ struct task_row *rows = NULL;
	size_t n = 0;

	if (!sheet || collect_tasks(t, &rows, &n)) {
		out_sheet_free(sheet);
		return NULL;
	}
	for (size_t i = 0; i < MIN(n, t->opts->top); i++) {
		const struct task_row *r = &rows[i];

		if (out_sheet_add(sheet, (struct out_val[]){ OUT_U(r->pid), OUT_S(r->task.comm), OUT_U(r->task.stalls),
							     OUT_U(r->task.stall_ns), OUT_U(r->task.max_ns),
							     OUT_U(r->task.written), OUT_U(r->swapped) })) {
			out_sheet_free(sheet);
			return NULL;
		}
	}
	return sheet;
}

/* The kernel counts in units of 1024 ns, so that an hour fits. */
static void stall_hist(const struct swap_counters *c, uint64_t hist[SWAP_HIST_SLOTS + SWAP_HIST_SHIFT])
{
	memset(hist, 0, sizeof(uint64_t) * (SWAP_HIST_SLOTS + SWAP_HIST_SHIFT));
	for (int i = 0; i < SWAP_HIST_SLOTS; i++)
		hist[i + SWAP_HIST_SHIFT] = c->hist[i];
}

static int print_summary_json(struct swap_trace *t, const struct swap_counters *c, const struct out_sheet *tasks)
{
	uint64_t hist[SWAP_HIST_SLOTS + SWAP_HIST_SHIFT];
	json_object *obj = json_object_new_object();
	int err;

	stall_hist(c, hist);
	json_object_object_add(obj, "event", json_object_new_string("processes"));
	json_object_object_add(obj, "schema", json_object_new_string("memscope.swap/1"));
	json_object_object_add(obj, "direct_begin", json_object_new_uint64(c->kinds[SWAP_DIRECT].begin));
	json_object_object_add(obj, "direct_ns", json_object_new_uint64(c->kinds[SWAP_DIRECT].ns));
	json_object_object_add(obj, "direct_reclaimed_pages", json_object_new_uint64(c->kinds[SWAP_DIRECT].pages));
	json_object_object_add(obj, "memcg_begin", json_object_new_uint64(c->kinds[SWAP_MEMCG].begin));
	json_object_object_add(obj, "memcg_ns", json_object_new_uint64(c->kinds[SWAP_MEMCG].ns));
	json_object_object_add(obj, "memcg_reclaimed_pages", json_object_new_uint64(c->kinds[SWAP_MEMCG].pages));
	json_object_object_add(obj, "stall", hist_json(hist, ARRAY_SIZE(hist), "ns"));
	json_object_object_add(obj, "processes", out_sheet_json(tasks));
	json_object_object_add(obj, "processes_not_counted", json_object_new_uint64(c->tasks_lost));
	err = out_stream_json(&t->stream, obj);
	json_object_put(obj);
	return err;
}

static int print_summary_text(struct swap_trace *t, const struct swap_counters *c, const struct out_sheet *tasks)
{
	uint64_t hist[SWAP_HIST_SLOTS + SWAP_HIST_SHIFT];
	int err = 0;

	stall_hist(c, hist);
	if (c->kinds[SWAP_DIRECT].end + c->kinds[SWAP_MEMCG].end) {
		printf("\nstalls in reclaim: %" PRIu64 " direct, %" PRIu64 " of memory cgroups\n", (uint64_t)c->kinds[SWAP_DIRECT].end,
		       (uint64_t)c->kinds[SWAP_MEMCG].end);
		err = hist_print(stdout, hist, ARRAY_SIZE(hist), "ns");
	}
	if (!err && out_sheet_rows(tasks)) {
		putchar('\n');
		err = out_sheet_print(tasks, stdout, OUT_TABLE, t->run.cmd->out.wide);
	}
	if (!err && fflush(stdout))
		err = -errno;
	return err;
}

static int finish(struct swap_trace *t, const struct swap_counters *now)
{
	_cleanup_(out_sheet_freep) struct out_sheet *tasks = task_sheet(t);
	enum out_format format = t->stream.format;

	if (!tasks)
		return -ENOMEM;
	if (now->tasks_lost)
		cmd_warn(t->run.cmd, "%" PRIu64 " events of processes beyond the first %d are in no row of theirs",
			 (uint64_t)now->tasks_lost, SWAP_MAX_TASKS);
	if (format == OUT_JSON || format == OUT_PRETTY)
		return print_summary_json(t, now, tasks);
	return format == OUT_TABLE ? print_summary_text(t, now, tasks) : 0;
}

static int tick(void *ctx, bool last)
{
	struct swap_trace *t = ctx;
	struct swap_counters now = {};
	int err;

	if (last)
		swap_bpf__detach(t->skel);
	err = read_counters(t, &now);
	if (!err)
		err = print_row(t, &now);
	t->before = now;
	if (!err && last)
		err = finish(t, &now);
	if (err == -EPIPE) {
		t->run.broken_pipe = true;
		err = 0;
	}
	return err ? cmd_fail(t->run.cmd, err, "writing the counters") : EXIT_OK;
}

/* ---- start ---- */

static int load(struct swap_trace *t)
{
	const struct cmd *cmd = t->run.cmd;
	bool follow = t->run.request.children || t->run.request.has_command;
	int err = probe_filter(&t->run.probe, t->skel->obj, &t->skel->rodata->filter, &t->run.request);

	if (err)
		return trace_filter_failed(&t->run, err);
	t->have_reclaim = feature_get(FEATURE_TP_RECLAIM)->state == FEATURE_OK;
	if (!t->have_reclaim && feature_get(FEATURE_BPF)->state == FEATURE_OK)
		cmd_notice(cmd, "this kernel has no tracepoint mm_vmscan_reclaim_pages: reclaim_pages is left empty");
	bpf_program__set_autoload(t->skel->progs.reclaim_pages, t->have_reclaim);
	bpf_program__set_autoload(t->skel->progs.on_fork, follow);
	bpf_program__set_autoload(t->skel->progs.on_exec, follow);
	bpf_program__set_autoload(t->skel->progs.on_exit, follow);
	err = swap_bpf__load(t->skel);
	if (err)
		return trace_probe_failed(&t->run, err, "loading the reclaim programs");
	err = probe_start(&t->run.probe, &t->run.request, &t->skel->bss->waiting_for_exec, NULL, NULL);
	if (err)
		return cmd_fail(cmd, err, "setting up the trace");
	t->have_psi = !reclaim_psi_read(&t->psi_before);
	if (!t->have_psi)
		cmd_notice(cmd, "no pressure stall information: %s", feature_get(FEATURE_PSI)->remedy);
	err = reclaim_vmstat_read(&t->vm_before);
	if (err)
		return cmd_fail(cmd, err, "/proc/vmstat");
	reclaim_swapped_read(&t->swapped_first, &t->n_swapped_first);
	t->per_cpu = calloc((size_t)libbpf_num_possible_cpus(), sizeof(*t->per_cpu));
	if (!t->per_cpu)
		return cmd_fail(cmd, -ENOMEM, "starting");
	err = swap_bpf__attach(t->skel);
	return err ? trace_probe_failed(&t->run, err, "attaching to reclaim") : EXIT_OK;
}

static int run(struct cmd *cmd)
{
	struct swap_trace t = { .opts = cmd->opts };
	int code = trace_begin(&t.run, cmd, &t.opts->trace), err;

	if (!code && !(t.skel = swap_bpf__open()))
		code = trace_probe_failed(&t.run, -errno, "opening the programs");
	if (!code)
		code = load(&t);
	if (!code) {
		memcpy(t.columns, all_columns, sizeof(t.columns));
		err = out_stream_init(&t.stream, STDOUT_FILENO, cmd->out.format, cmd->out.wide, t.columns, N_COLS);
		t.run.stream = &t.stream;
		if (err && err != -EPIPE)
			code = cmd_fail(cmd, err, "writing the counters");
	}
	if (!code)
		code = trace_loop(&t.run, t.opts->interval_ns, tick, &t);
	code = trace_end(&t.run, code, "rows");
	out_stream_release(&t.stream);
	free(t.swapped_first);
	free(t.per_cpu);
	swap_bpf__destroy(t.skel);
	return code;
}

const struct command cmd_trace_swap = {
	.name = "swap",
	.brief = "show reclaim and swap by interval, and who stalls",
	.doc = "A row for each interval: wake-ups of kswapd, begins of direct reclaim, folios written, reclaim of "
	       "memory cgroups, pages freed, pages swapped in and out (from /proc/vmstat, whole machine), stall time "
	       "(PSI, some) in milliseconds, and the process that reclaimed last. --wide and the machine formats have "
	       "more. At the end: a histogram of stalls, and the processes that stalled longest, wrote folios, or "
	       "have more in swap than before.\n\n"
	       "Filters select by the process that reclaims; kswapd's wake-ups, swap-ins and PSI are of the whole "
	       "machine. Where a tracepoint is absent its column is empty, and a notice says so.",
	.parts = (const struct cmd_part[]){ { &trace_filter_argp, 0 }, { &argp, 0 }, {} },
	.opts_size = sizeof(struct swap_opts),
	.run = run,
	.needs = FEATURE(BPF) | FEATURE(BTF) | FEATURE(TP_VMSCAN),
	.uses = FEATURE(TP_RECLAIM) | FEATURE(PSI),
	.flags = CMD_RUNS_CHILD,
	.examples = (const struct cmd_example[]){
		{ "sudo memscope trace swap --duration 2s", "two rows", EXAMPLE_RUN },
		{ "sudo memscope trace swap --format kv --interval 500ms", "key=value lines until Ctrl-C", EXAMPLE_SIGINT },
		{},
	},
};
