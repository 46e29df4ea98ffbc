/* SPDX-License-Identifier: BSD-2-Clause */
/* How results of workloads are shown: columns, JSON, and a page for people. */
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <stdarg.h>

#include "cmd/workload_common.h"
#include "lib/parse.h"

#define RESULT(type, member, title, flags)                                                             \
	{ { #member, title, type, 0, flags }, offsetof(struct workload_result, member) }

static const struct {
	struct out_col col;
	size_t offset;
} fields[] = {
	RESULT(OUT_STR, workload, "WORKLOAD", 0),
	RESULT(OUT_STR, mode, "MODE", 0),
	RESULT(OUT_U64, run, "RUN", 0),
	RESULT(OUT_STR, unit, "UNIT", 0),
	RESULT(OUT_U64, seed, "SEED", OUT_WIDE),
	RESULT(OUT_U64, workers, "WORKERS", OUT_WIDE),
	RESULT(OUT_BYTES, region_bytes, "REGION", OUT_WIDE),
	RESULT(OUT_STR, contents, "CONTENTS", OUT_WIDE),
	RESULT(OUT_F64, seconds, "SECONDS", OUT_WIDE),
	RESULT(OUT_F64, asked_ops_per_s, "ASKED/S", OUT_WIDE),
	RESULT(OUT_F64, ops_per_s, "OPS/S", 0),
	RESULT(OUT_F64, reached_pct, "REACHED%", OUT_WIDE),
	RESULT(OUT_U64, ops, "OPS", OUT_WIDE),
	RESULT(OUT_U64, cycles, "CYCLES", OUT_WIDE),
	RESULT(OUT_U64, touches, "TOUCHES", OUT_WIDE),
	RESULT(OUT_NS, mean_ns, "MEAN", OUT_WIDE),
	RESULT(OUT_NS, p50_ns, "P50", 0),
	RESULT(OUT_NS, p95_ns, "P95", OUT_WIDE),
	RESULT(OUT_NS, p99_ns, "P99", 0),
	RESULT(OUT_NS, p999_ns, "P99.9", OUT_WIDE),
	RESULT(OUT_NS, max_ns, "MAX", OUT_WIDE),
	RESULT(OUT_NS, lag_max_ns, "LAG", OUT_WIDE),
	RESULT(OUT_U64, minor_faults, "MINFLT", OUT_WIDE),
	RESULT(OUT_U64, major_faults, "MAJFLT", OUT_WIDE),
	RESULT(OUT_U64, cpu_user_us, "USER-US", OUT_WIDE),
	RESULT(OUT_U64, cpu_system_us, "SYS-US", OUT_WIDE),
	RESULT(OUT_BYTES, rss_ready_bytes, "RSS-READY", OUT_WIDE),
	RESULT(OUT_BYTES, rss_mean_bytes, "RSS", 0),
	RESULT(OUT_BYTES, rss_max_bytes, "RSS-MAX", OUT_WIDE),
	RESULT(OUT_BYTES, rss_end_bytes, "RSS-END", OUT_WIDE),
	RESULT(OUT_BYTES, pss_end_bytes, "PSS-END", OUT_WIDE),
	RESULT(OUT_BYTES, swap_end_bytes, "SWAP-END", OUT_WIDE),
	RESULT(OUT_BYTES, verified_bytes, "VERIFIED", OUT_WIDE),
	RESULT(OUT_U64, mismatches, "WRONG", OUT_WIDE),
	RESULT(OUT_U64, limit_hits, "LIMITED", OUT_WIDE),
	RESULT(OUT_U64, failed, "FAILED", OUT_WIDE),
	RESULT(OUT_BYTES, cgroup_limit_bytes, "CG-LIMIT", OUT_WIDE),
	RESULT(OUT_BYTES, cgroup_peak_bytes, "CG-PEAK", OUT_WIDE),
	RESULT(OUT_F64, score, "SCORE", OUT_WIDE),
	RESULT(OUT_STR, score_unit, "OF", OUT_WIDE),
	RESULT(OUT_BOOL, interrupted, "CUT", OUT_WIDE),
};

static struct out_val value_of(const struct workload_result *r, size_t i)
{
	const char *at = (const char *)r + fields[i].offset;
	uint64_t u;
	double f;

	switch (fields[i].col.type) {
	case OUT_STR:
		return *at ? OUT_S(at) : OUT_NULL;
	case OUT_F64:
		memcpy(&f, at, sizeof(f));
		return isfinite(f) ? OUT_F(f) : OUT_NULL;
	case OUT_BOOL:
		return OUT_U(*(const bool *)at);
	default:
		memcpy(&u, at, sizeof(u));
		return u == WORKLOAD_UNKNOWN ? OUT_NULL : OUT_U(u);
	}
}

struct out_sheet *result_sheet(void)
{
	static struct out_col columns[ARRAY_SIZE(fields)];

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		columns[i] = fields[i].col;
	return out_sheet_new(columns, ARRAY_SIZE(columns));
}

int result_add(struct out_sheet *sheet, const struct workload_result *r)
{
	struct out_val vals[ARRAY_SIZE(fields)];

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		vals[i] = value_of(r, i);
	return out_sheet_add(sheet, vals);
}

json_object *result_mismatch_json(const struct workload_result *r)
{
	json_object *o;
	char address[24];

	if (!r->mismatches)
		return NULL;
	o = json_object_new_object();
	snprintf(address, sizeof(address), "0x%" PRIx64, r->mismatch.address);
	json_object_object_add(o, "address", json_object_new_string(address));
	json_object_object_add(o, "expected", json_object_new_uint64(r->mismatch.expected));
	json_object_object_add(o, "found", json_object_new_uint64(r->mismatch.found));
	json_object_object_add(o, "page", json_object_new_uint64(r->mismatch.page));
	json_object_object_add(o, "worker", json_object_new_uint64(r->mismatch.worker));
	return o;
}

void add_own_cost(json_object *obj)
{
	struct own_cost cost = own_cost();

	json_object_object_add(obj, "own_cpu_ms", json_object_new_uint64(cost.cpu_ms));
	json_object_object_add(obj, "own_peak_rss_bytes", json_object_new_uint64(cost.peak_rss_bytes));
}

json_object *result_json(const struct workload_result *r, const char *schema)
{
	_cleanup_(out_sheet_freep) struct out_sheet *sheet = result_sheet();
	json_object *rows, *root;

	if (!sheet || result_add(sheet, r))
		return NULL;
	root = json_object_new_object();
	json_object_object_add(root, "schema", json_object_new_string(schema));
	rows = out_sheet_json(sheet);
	json_object_object_foreach(json_object_array_get_idx(rows, 0), key, val)
		json_object_object_add(root, key, json_object_get(val));
	json_object_put(rows);
	json_object_object_add(root, "mismatch", result_mismatch_json(r));
	return root;
}

/* ---- for people ---- */

struct page {
	struct out_sheet *sheet;
	int err;
};

static void line(struct page *p, const char *what, const char *fmt, ...) _printf_(3, 4);
static void line(struct page *p, const char *what, const char *fmt, ...)
{
	char text[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!p->err)
		p->err = out_sheet_add(p->sheet, (struct out_val[]){ OUT_S(what), OUT_S(text) });
}

static const char *size_or_dash(uint64_t v, char buf[FORMAT_MAX])
{
	if (v == WORKLOAD_UNKNOWN)
		return "-";
	return format_size(v, buf);
}

static const char *time_or_dash(uint64_t v, char buf[FORMAT_MAX])
{
	if (v == WORKLOAD_UNKNOWN)
		return "-";
	return format_duration(v, buf);
}

static void page_speed(struct page *p, const struct workload_result *r)
{
	char a[FORMAT_MAX], b[FORMAT_MAX], c[FORMAT_MAX], d[FORMAT_MAX], e[FORMAT_MAX];

	line(p, "ran", "%.2f s%s", r->seconds, r->interrupted ? ", then it was interrupted" : "");
	if (r->ops != WORKLOAD_UNKNOWN)
		line(p, "done", "%" PRIu64 " (%s), %.1f a second", r->ops, r->unit, r->ops_per_s);
	else if (isfinite(r->ops_per_s))
		line(p, "done", "%.1f a second (%s)", r->ops_per_s, r->unit);
	if (isfinite(r->score))
		line(p, "score", "%.3f %s", r->score, r->score_unit);
	if (isfinite(r->asked_ops_per_s))
		line(p, "asked", "%g a second; reached %.1f %%, at worst %s late", r->asked_ops_per_s,
		     r->reached_pct, time_or_dash(r->lag_max_ns, a));
	if (r->p50_ns != WORKLOAD_UNKNOWN || r->p99_ns != WORKLOAD_UNKNOWN || r->mean_ns != WORKLOAD_UNKNOWN) {
		line(p, "latency", "mean %s, p50 %s, p95 %s", time_or_dash(r->mean_ns, a), time_or_dash(r->p50_ns, b),
		     time_or_dash(r->p95_ns, c));
		line(p, "tail", "p99 %s, p99.9 %s, max %s", time_or_dash(r->p99_ns, d), time_or_dash(r->p999_ns, e),
		     time_or_dash(r->max_ns, a));
	}
	if (r->cycles != WORKLOAD_UNKNOWN && r->cycles)
		line(p, "cycles", "%" PRIu64, r->cycles);
	if (r->limit_hits != WORKLOAD_UNKNOWN && r->limit_hits)
		line(p, "limited", "%" PRIu64 " times a limit refused a process or mapping", r->limit_hits);
	if (r->failed != WORKLOAD_UNKNOWN && r->failed)
		line(p, "failed", "%" PRIu64 " children did not end with code 0", r->failed);
}

static void page_memory(struct page *p, const struct workload_result *r)
{
	char a[FORMAT_MAX], b[FORMAT_MAX], c[FORMAT_MAX], d[FORMAT_MAX];

	if (r->cpu_user_us != WORKLOAD_UNKNOWN)
		line(p, "CPU", "user %.2f s, system %.2f s", (double)r->cpu_user_us / 1e6,
		     (double)r->cpu_system_us / 1e6);
	if (r->minor_faults != WORKLOAD_UNKNOWN)
		line(p, "faults", "%" PRIu64 " minor, %" PRIu64 " major", r->minor_faults, r->major_faults);
	if (r->rss_mean_bytes != WORKLOAD_UNKNOWN)
		line(p, "RSS", "mean %s, filled %s, max %s", size_or_dash(r->rss_mean_bytes, a),
		     size_or_dash(r->rss_ready_bytes, b), size_or_dash(r->rss_max_bytes, c));
	else if (r->rss_max_bytes != WORKLOAD_UNKNOWN)
		line(p, "RSS", "max %s", size_or_dash(r->rss_max_bytes, c));
	if (r->pss_end_bytes != WORKLOAD_UNKNOWN)
		line(p, "at the end", "RSS %s, PSS %s, swap %s", size_or_dash(r->rss_end_bytes, a),
		     size_or_dash(r->pss_end_bytes, b), size_or_dash(r->swap_end_bytes, d));
	if (r->cgroup_limit_bytes != WORKLOAD_UNKNOWN)
		line(p, "cgroup", "limit %s, peak %s", size_or_dash(r->cgroup_limit_bytes, a),
		     size_or_dash(r->cgroup_peak_bytes, b));
	if (r->mismatches != WORKLOAD_UNKNOWN && r->mismatches)
		line(p, "verified", "%s, and %" PRIu64 " pages WRONG", size_or_dash(r->verified_bytes, a), r->mismatches);
	else if (r->verified_bytes != WORKLOAD_UNKNOWN)
		line(p, "verified", "%s, all as written", size_or_dash(r->verified_bytes, a));
}

static uint64_t number(json_object *o, const char *key)
{
	return json_object_get_uint64(json_object_object_get(o, key));
}

static void page_arena(struct page *p, json_object *o)
{
	char a[FORMAT_MAX], b[FORMAT_MAX], c[FORMAT_MAX];

	line(p, "arena", "%s compressed now, in %s of pool and %s of tables",
	     format_size(number(o, "logical_bytes"), a), format_size(number(o, "pool_resident_bytes"), b),
	     format_size(number(o, "metadata_bytes"), c));
	line(p, "", "in all %s compressed, %" PRIu64 " pages restored",
	     format_size(number(o, "admitted_bytes"), a), number(o, "decompress_ops"));
	line(p, "restoring", "p50 %s, p99 %s, max %s", format_duration(number(o, "stall_p50_ns"), a),
	     format_duration(number(o, "stall_p99_ns"), b), format_duration(number(o, "stall_max_ns"), c));
}

int result_print(const struct cmd *cmd, const struct workload_result *r, json_object *provider)
{
	static const struct out_col columns[] = {
		{ "what", "WHAT", OUT_STR, 0, 0 },
		{ "value", "VALUE", OUT_STR, 0, 0 },
	};
	_cleanup_(out_sheet_freep) struct out_sheet *sheet = out_sheet_new(columns, ARRAY_SIZE(columns));
	struct page p = { sheet, sheet ? 0 : -ENOMEM };
	char region[FORMAT_MAX];

	line(&p, "workload", "%s, %s", r->workload, r->mode);
	if (r->region_bytes != WORKLOAD_UNKNOWN)
		line(&p, "load", "%" PRIu64 " workers, %s in all, %s, seed %" PRIu64, r->workers,
		     format_size(r->region_bytes, region), r->contents, r->seed);
	page_speed(&p, r);
	page_memory(&p, r);
	if (provider)
		page_arena(&p, provider);
	return p.err ? cmd_fail(cmd, p.err, "writing the result") : cmd_print_sheet(cmd, sheet);
}

int result_show(const struct cmd *cmd, const struct workload_result *r, json_object *provider, const char *schema)
{
	_cleanup_(out_sheet_freep) struct out_sheet *sheet = NULL;
	json_object *root;
	int code;

	if (cmd->out.format == OUT_TABLE)
		return result_print(cmd, r, provider);
	if (cmd->out.format != OUT_JSON && cmd->out.format != OUT_PRETTY) {
		sheet = result_sheet();
		if (!sheet || result_add(sheet, r))
			return cmd_fail(cmd, -ENOMEM, "writing the result");
		return cmd_print_sheet(cmd, sheet);
	}
	root = result_json(r, schema);
	if (!root)
		return cmd_fail(cmd, -ENOMEM, "writing the result");
	if (provider)
		json_object_object_add(root, r->mode, json_object_get(provider));
	add_own_cost(root);
	code = cmd_print_json(cmd, root);
	json_object_put(root);
	return code;
}

int result_code(const struct cmd *cmd, const struct workload_result *r)
{
	const struct workload_mismatch *m = &r->mismatch;

	if (r->mismatches == WORKLOAD_UNKNOWN || !r->mismatches)
		return EXIT_OK;
	return cmd_exit(cmd, EXIT_CHECK,
			"%s on %s: %" PRIu64 " pages were wrong; the first at address 0x%" PRIx64
			" (worker %u, page %" PRIu64 "): expected 0x%02x, found 0x%02x",
			r->workload, r->mode, r->mismatches, m->address, m->worker, m->page, m->expected, m->found);
}

/* ---- files ---- */

static FILE *open_result(const struct cmd *cmd, const char *dir, const char *name, int *ret_code)
{
	_cleanup_free_ char *path = NULL;
	FILE *f;

	if (asprintf(&path, "%s/%s", dir, name) < 0) {
		*ret_code = cmd_fail(cmd, -ENOMEM, "writing %s", name);
		return NULL;
	}
	f = fopen(path, "we");
	if (!f)
		*ret_code = cmd_fail(cmd, -errno, "%s", path);
	return f;
}

static int close_result(const struct cmd *cmd, FILE *f, int err, const char *dir, const char *name)
{
	if (fclose(f) && !err)
		err = -errno;
	return err ? cmd_fail(cmd, err, "%s/%s", dir, name) : EXIT_OK;
}

int result_write_csv(const struct cmd *cmd, const struct out_sheet *sheet, const char *dir, const char *name)
{
	int code = EXIT_OK;
	FILE *f = open_result(cmd, dir, name, &code);

	return f ? close_result(cmd, f, out_sheet_print(sheet, f, OUT_CSV, true), dir, name) : code;
}

int result_write_json(const struct cmd *cmd, json_object *obj, const char *dir, const char *name)
{
	int code = EXIT_OK;
	FILE *f = open_result(cmd, dir, name, &code);

	return f ? close_result(cmd, f, out_json(f, obj, true), dir, name) : code;
}
