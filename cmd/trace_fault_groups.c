/* SPDX-License-Identifier: BSD-2-Clause */
/* The groups of `trace fault --by`: what was new in each interval, and everything at the end. */
#include <inttypes.h>
#include <string.h>

#include "cmd/trace_fault.h"
#include "lib/cgroup.h"
#include "lib/hist.h"

enum {
	COL_PID,
	COL_COMM,
	COL_CGROUP,
	COL_KIND,
	COL_CLASS,
	COL_VMA,
	COL_FILE,
	COL_WHERE,
	COL_IP,
	COL_SYMBOL,
	COL_FAULTS,
	COL_SHARE,
	COL_RATE,
	COL_MAJOR,
	COL_AVG,
	COL_P50,
	COL_P99,
	COL_MAX,
	N_COLS,
};

static const struct out_col all_columns[N_COLS] = {
	[COL_PID] = { "pid", "PID", OUT_U64, 0, 0 },
	[COL_COMM] = { "comm", "COMM", OUT_STR, 0, 0 },
	[COL_CGROUP] = { "cgroup", "CGROUP", OUT_STR, 0, 0 },
	[COL_KIND] = { "kind", "KIND", OUT_STR, 0, 0 },
	[COL_CLASS] = { "class", "CLASS", OUT_STR, 0, 0 },
	[COL_VMA] = { "vma", "VMA", OUT_STR, 0, OUT_NOT_TABLE },
	[COL_FILE] = { "file", "FILE", OUT_STR, 0, OUT_NOT_TABLE },
	[COL_WHERE] = { "where", "VMA", OUT_STR, 0, OUT_TABLE_ONLY },
	[COL_IP] = { "ip", "IP", OUT_HEX, 0, 0 },
	[COL_SYMBOL] = { "symbol", "SYMBOL", OUT_STR, 0, 0 },
	[COL_FAULTS] = { "faults", "FAULTS", OUT_U64, 0, 0 },
	[COL_SHARE] = { "share_pct", "%", OUT_F64, 0, 0 },
	[COL_RATE] = { "faults_per_s", "PER SEC", OUT_F64, 0, OUT_WIDE },
	[COL_MAJOR] = { "major", "MAJOR", OUT_U64, 0, 0 },
	[COL_AVG] = { "avg_ns", "AVG", OUT_NS, 0, 0 },
	[COL_P50] = { "p50_ns", "P50", OUT_NS, 0, OUT_WIDE },
	[COL_P99] = { "p99_ns", "P99", OUT_NS, 0, 0 },
	[COL_MAX] = { "max_ns", "MAX", OUT_NS, 0, OUT_WIDE },
};


struct fault_groups {
	struct fault_run *f;
	struct out_col columns[N_COLS];
	struct fault_count *before; /* of the last interval, indexed by slot */
	uint64_t before_ns;
	char (*names)[SYMBOL_MAX]; /* of the code, indexed by slot */
	uint32_t named;
	bool csv_heading_done;
};

struct fault_groups *fault_groups_new(struct fault_run *f)
{
	static const unsigned by_column[N_COLS] = {
		[COL_PID] = FAULT_BY_PID,	 [COL_COMM] = FAULT_BY_COMM | FAULT_BY_PID,
		[COL_CGROUP] = FAULT_BY_CGROUP, [COL_KIND] = FAULT_BY_KIND,
		[COL_CLASS] = FAULT_BY_CLASS,	 [COL_VMA] = FAULT_BY_VMA,
		[COL_FILE] = FAULT_BY_VMA,	 [COL_WHERE] = FAULT_BY_VMA,
		[COL_IP] = FAULT_BY_IP,		 [COL_SYMBOL] = FAULT_BY_IP,
	};
	const struct fault_config *c = &f->opts->config;
	struct fault_groups *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->f = f;
	g->before = calloc(c->groups, sizeof(*g->before));
	g->names = calloc(f->symbols ? c->groups : 1, sizeof(*g->names));
	if (!g->before || !g->names) {
		fault_groups_free(g);
		return NULL;
	}
	memcpy(g->columns, all_columns, sizeof(g->columns));
	for (int i = 0; i < N_COLS; i++)
		if (by_column[i] && !(by_column[i] & c->by))
			g->columns[i].flags |= OUT_OFF;
	for (int i = COL_MAJOR; i <= COL_MAX; i++)
		if (!c->latency)
			g->columns[i].flags |= OUT_OFF;
	if (!f->symbols)
		g->columns[COL_SYMBOL].flags |= OUT_OFF;
	return g;
}

void fault_groups_free(struct fault_groups *g)
{
	if (!g)
		return;
	free(g->before);
	free(g->names);
	free(g);
}

static void name_group(struct fault_groups *g, const struct fault_count *c)
{
	char *name = g->names[c->group.slot];

	if (c->group.slot != FAULT_SLOT_OTHER && !*name)
		symbols_name(g->f->symbols, c->group.pid, c->key.ip, name);
}

void fault_groups_poll(void *groups)
{
	struct fault_groups *g = groups;
	_cleanup_free_ struct fault_count *list = NULL;
	uint32_t n_groups = fault_trace_n_groups(&g->f->trace);
	size_t n;

	if (!(g->f->opts->config.by & FAULT_BY_IP) || n_groups == g->named)
		return;
	if (fault_trace_counts(&g->f->trace, &list, &n))
		return;
	for (size_t i = 0; i < n; i++)
		name_group(g, &list[i]);
	g->named = n_groups;
}

/* What is new since the last interval; the counts themselves are kept for the next. */
static void subtract(struct fault_groups *g, struct fault_count *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct fault_count *now = &list[i], *then = &g->before[now->group.slot], total = *now;

		now->faults -= then->faults;
		now->timed -= then->timed;
		now->major -= then->major;
		now->sum_ns -= then->sum_ns;
		for (size_t h = 0; h < FAULT_HIST_SLOTS; h++)
			now->hist[h] -= then->hist[h];
		*then = total;
	}
}

static int by_faults(const void *a, const void *b)
{
	const struct fault_count *x = a, *y = b;

	if (x->faults != y->faults)
		return x->faults < y->faults ? 1 : -1;
	return memcmp(&x->key, &y->key, sizeof(x->key));
}

static void kind_name(uint8_t kind, char *buf, size_t size)
{
	snprintf(buf, size, "%s %s%s%s", kind & FAULT_KEY_USER ? "user" : "kernel",
		 kind & FAULT_KEY_EXEC ? "exec" : kind & FAULT_KEY_WRITE ? "write" : "read",
		 kind & FAULT_KEY_PRESENT ? " present" : "", kind & FAULT_KEY_MAJOR ? " major" : "");
}

struct totals {
	uint64_t faults;
	double seconds;
};

static int add_row(struct fault_groups *g, struct out_sheet *sheet, const struct fault_count *c,
		   const struct totals *all)
{
	bool other = c->group.slot == FAULT_SLOT_OTHER;
	unsigned by = g->f->opts->config.by;
	struct out_val v[N_COLS] = {};
	char cgroup[256], kind[40];

	v[COL_FAULTS] = OUT_U(c->faults);
	v[COL_SHARE] = OUT_F(all->faults ? 100.0 * (double)c->faults / (double)all->faults : 0);
	v[COL_RATE] = OUT_F(all->seconds > 0 ? (double)c->faults / all->seconds : 0);
	if (c->timed) {
		v[COL_MAJOR] = OUT_U(c->major);
		v[COL_AVG] = OUT_U(c->sum_ns / c->timed);
		v[COL_P50] = OUT_U(MIN(hist_quantile(c->hist, FAULT_HIST_SLOTS, 0.50), c->max_ns));
		v[COL_P99] = OUT_U(MIN(hist_quantile(c->hist, FAULT_HIST_SLOTS, 0.99), c->max_ns));
		v[COL_MAX] = OUT_U(c->max_ns);
	}
	if (other) {
		v[by & (FAULT_BY_PID | FAULT_BY_COMM) ? COL_COMM :
		  by & FAULT_BY_CGROUP		      ? COL_CGROUP :
		  by & FAULT_BY_KIND		      ? COL_KIND :
		  by & FAULT_BY_CLASS		      ? COL_CLASS :
		  by & FAULT_BY_VMA		      ? COL_WHERE :
							COL_SYMBOL] = OUT_S("(others)");
		v[COL_VMA] = v[COL_WHERE]; /* which is for tables only */
		return out_sheet_add(sheet, v);
	}
	v[COL_PID] = OUT_U(c->key.pid);
	v[COL_COMM] = OUT_S(by & FAULT_BY_COMM ? c->key.comm : c->group.comm);
	v[COL_CLASS] = OUT_S(fault_class_name(c->key.class));
	v[COL_IP] = OUT_U(c->key.ip);
	v[COL_VMA] = OUT_S(fault_vma_name(c->key.vma));
	v[COL_FILE] = c->key.vma == FAULT_VMA_FILE ? OUT_S(c->group.file) : OUT_NULL;
	v[COL_WHERE] = c->key.vma == FAULT_VMA_FILE ? OUT_S(c->group.file) : v[COL_VMA];
	if (by & FAULT_BY_KIND) {
		kind_name(c->key.kind, kind, sizeof(kind));
		v[COL_KIND] = OUT_S(kind);
	}
	if (by & FAULT_BY_CGROUP) {
		if (cgroup_name(c->key.cgroup, false, cgroup, sizeof(cgroup)))
			snprintf(cgroup, sizeof(cgroup), "(gone %llu)", c->key.cgroup);
		v[COL_CGROUP] = OUT_S(cgroup);
	}
	if (g->f->symbols && by & FAULT_BY_IP) {
		name_group(g, c);
		v[COL_SYMBOL] = OUT_S(g->names[c->group.slot]);
	}
	return out_sheet_add(sheet, v);
}

static bool is_json(const struct cmd *cmd)
{
	return cmd->out.format == OUT_JSON || cmd->out.format == OUT_PRETTY;
}

/* The rows, largest first. Those beyond --top are one row, so that sums stay whole. */
static struct out_sheet *make_sheet(struct fault_groups *g, struct fault_count *list, size_t n,
				    const struct totals *all)
{
	struct out_sheet *sheet = out_sheet_new(g->columns, N_COLS);
	uint64_t top = g->f->opts->top;
	struct fault_count rest = { .group.slot = FAULT_SLOT_OTHER };
	int err = sheet ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && !err; i++) {
		const struct fault_count *c = &list[i];

		if (!c->faults)
			continue;
		if (c->group.slot != FAULT_SLOT_OTHER && (!top || out_sheet_rows(sheet) < top)) {
			err = add_row(g, sheet, c, all);
			continue;
		}
		rest.faults += c->faults;
		rest.timed += c->timed;
		rest.major += c->major;
		rest.sum_ns += c->sum_ns;
		rest.max_ns = MAX(rest.max_ns, c->max_ns);
		for (size_t h = 0; h < FAULT_HIST_SLOTS; h++)
			rest.hist[h] += c->hist[h];
	}
	if (!err && rest.faults)
		err = add_row(g, sheet, &rest, all);
	if (!err)
		return sheet;
	out_sheet_free(sheet);
	return NULL;
}

static void add_up_hist(const struct fault_count *list, size_t n, uint64_t hist[FAULT_HIST_SLOTS])
{
	memset(hist, 0, sizeof(uint64_t) * FAULT_HIST_SLOTS);
	for (size_t i = 0; i < n; i++)
		for (size_t h = 0; h < FAULT_HIST_SLOTS; h++)
			hist[h] += list[i].hist[h];
}

static int print_json(struct fault_groups *g, const struct out_sheet *sheet, const uint64_t *hist,
		      const struct totals *all, bool interval)
{
	const struct fault_opts *o = g->f->opts;
	json_object *obj = json_object_new_object();
	int code;

	json_object_object_add(obj, "event", json_object_new_string(interval ? "interval" : "summary"));
	json_object_object_add(obj, "schema", json_object_new_string("memscope.fault_groups/1"));
	json_object_object_add(obj, "ts_ns", json_object_new_uint64(clock_ns(CLOCK_REALTIME)));
	if (interval) {
		json_object_object_add(obj, "seconds", out_json_f64(all->seconds));
	} else {
		g->f->run.lost = probe_lost(&g->f->run.probe);
		trace_summary_json(&g->f->run, obj);
	}
	json_object_object_add(obj, "faults", json_object_new_uint64(all->faults));
	if (o->config.latency)
		json_object_object_add(obj, "end_seen_by",
				       json_object_new_string(fault_end_name(g->f->trace.config.end)));
	json_object_object_add(obj, "groups", out_sheet_json(sheet));
	if (o->config.latency)
		json_object_object_add(obj, "latency", hist_json(hist, FAULT_HIST_SLOTS, "ns"));
	code = cmd_print_json(g->f->run.cmd, obj);
	json_object_put(obj);
	return code;
}

static int print_text(struct fault_groups *g, const struct out_sheet *sheet, const uint64_t *hist)
{
	const struct cmd *cmd = g->f->run.cmd;
	int code = cmd_print_sheet(cmd, sheet);

	if (!code && g->f->opts->hist && cmd->out.format == OUT_TABLE) {
		putchar('\n');
		hist_print(stdout, hist, FAULT_HIST_SLOTS, "ns");
	}
	return code;
}

int fault_groups_tick(void *groups, bool last)
{
	struct fault_groups *g = groups;
	struct fault_run *f = g->f;
	_cleanup_free_ struct fault_count *list = NULL;
	_cleanup_(out_sheet_freep) struct out_sheet *sheet = NULL;
	bool intervals = f->opts->interval_ns != 0, interval = intervals && !last;
	uint64_t hist[FAULT_HIST_SLOTS], now = now_ns();
	struct totals all = {};
	size_t n;
	int code;

	if (last) {
		fault_trace_detach(&f->trace); /* so that the last counts are final */
		f->run.events = fault_trace_total(&f->trace);
	}
	if (fault_trace_counts(&f->trace, &list, &n))
		return cmd_fail(f->run.cmd, -ENOMEM, "reading the groups");
	/* The end of a table with intervals is its last, partial one; JSON's summary is of the whole. */
	if (interval || (last && intervals && !is_json(f->run.cmd)))
		subtract(g, list, n);
	all.seconds = (double)(now - (interval || g->before_ns ? MAX(g->before_ns, f->run.start_ns) : f->run.start_ns)) / 1e9;
	g->before_ns = now;
	for (size_t i = 0; i < n; i++)
		all.faults += list[i].faults;
	if (n)
		qsort(list, n, sizeof(*list), by_faults);
	sheet = make_sheet(g, list, n, &all);
	if (!sheet)
		return cmd_fail(f->run.cmd, -ENOMEM, "sorting the groups");
	add_up_hist(list, n, hist);
	if (is_json(f->run.cmd))
		code = print_json(g, sheet, hist, &all, interval);
	else
		code = print_text(g, sheet, hist);
	if (!code && fflush(stdout)) {
		f->run.broken_pipe = errno == EPIPE;
		code = f->run.broken_pipe ? EXIT_OK : cmd_fail(f->run.cmd, -errno, "writing the groups");
	}
	return code;
}
