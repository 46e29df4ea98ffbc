/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tools write, as rows of results. Everything here reads text that another program made. */
#include <json-c/json.h>
#include <math.h>
#include <string.h>

#include "lib/parse.h"
#include "lib/sample.h"
#include "workloads/external.h"

/* The number at p, ended by one of `ends` or the end of the text; NAN. */
static double number_at(const char *p, const char *ends)
{
	char text[64];
	size_t len;
	double v;

	p += strspn(p, " \t");
	len = strcspn(p, ends);
	if (len >= sizeof(text))
		return NAN;
	memcpy(text, p, len);
	text[len] = '\0';
	return parse_double(text, -1e18, 1e18, &v) ? NAN : v;
}

/* The number after `key` within [text, end). */
static double number_after(const char *text, const char *end, const char *key, const char *ends)
{
	const char *p = strstr(text, key);

	return p && p < end ? number_at(p + strlen(key), ends) : NAN;
}

static uint64_t scaled(double v, double unit)
{
	return isfinite(v) && v >= 0 && v * unit < 1e18 ? (uint64_t)llround(v * unit) : WORKLOAD_UNKNOWN;
}

/* ---- stress-ng --yaml ---- */

static int parse_stress_ng(const char *text, struct workload_result *rows, size_t max)
{
	static const char key[] = "- stressor: ";
	const char *p = strstr(text, "\nmetrics:");
	int n = 0;

	for (p = p ? strstr(p, key) : NULL; p && (size_t)n < max; n++) {
		const char *next = strstr(p + 1, key), *end = next ? next : text + strlen(text);
		struct workload_result *r = &rows[n];
		int len = (int)strcspn(p + strlen(key), "\r\n");

		snprintf(r->workload, sizeof(r->workload), "%.*s", MIN(len, 32), p + strlen(key));
		snprintf(r->unit, sizeof(r->unit), "bogo-op");
		r->ops = scaled(number_after(p, end, "bogo-ops: ", "\r\n"), 1);
		r->ops_per_s = number_after(p, end, "bogo-ops-per-second-real-time: ", "\r\n");
		r->seconds = number_after(p, end, "wall-clock-time: ", "\r\n");
		r->cpu_user_us = scaled(number_after(p, end, "user-time: ", "\r\n"), 1e6);
		r->cpu_system_us = scaled(number_after(p, end, "system-time: ", "\r\n"), 1e6);
		r->rss_max_bytes = scaled(number_after(p, end, "max-rss: ", "\r\n"), (double)KiB);
		if (!isfinite(r->ops_per_s))
			return -EBADMSG;
		p = next;
	}
	return n ? n : -EBADMSG;
}

/* ---- sysbench ---- */

/* Milliseconds with two decimals: 0.00 says only that it was less. */
static uint64_t sysbench_time(const char *text, const char *key)
{
	double ms = number_after(text, text + strlen(text), key, " \r\n");

	return ms > 0 ? scaled(ms, 1e6) : WORKLOAD_UNKNOWN;
}

static int parse_sysbench(const char *text, struct workload_result *rows, size_t max)
{
	const char *total = strstr(text, "Total operations:"), *latency = strstr(text, "Latency (ms):"), *rate;
	struct workload_result *r = rows;

	if (!max || !total || !latency || !(rate = strchr(total, '(')))
		return -EBADMSG;
	snprintf(r->unit, sizeof(r->unit), "block");
	r->ops = scaled(number_at(total + strlen("Total operations:"), " ("), 1);
	r->ops_per_s = number_at(rate + 1, " ");
	r->seconds = number_after(text, text + strlen(text), "total time:", "s\r\n");
	r->mean_ns = sysbench_time(latency, "avg:");
	r->max_ns = sysbench_time(latency, "max:");
	r->p95_ns = sysbench_time(latency, "95th percentile:");
	r->p99_ns = sysbench_time(latency, "99th percentile:");
	return isfinite(r->ops_per_s) ? 1 : -EBADMSG;
}

/* ---- fio --output-format=json ---- */

static double member(json_object *o, const char *key)
{
	json_object *v = json_object_object_get(o, key);

	return v && (json_object_is_type(v, json_type_double) || json_object_is_type(v, json_type_int)) ?
		       json_object_get_double(v) :
		       NAN;
}

static bool fio_side(json_object *job, const char *side, struct workload_result *r)
{
	json_object *o = json_object_object_get(job, side), *lat, *pct;

	if (!json_object_is_type(o, json_type_object) || !(member(o, "total_ios") > 0))
		return false;
	lat = json_object_object_get(o, "clat_ns");
	pct = json_object_object_get(lat, "percentile");
	snprintf(r->workload, sizeof(r->workload), "%s", side);
	snprintf(r->unit, sizeof(r->unit), "%s", side);
	r->ops = scaled(member(o, "total_ios"), 1);
	r->ops_per_s = member(o, "iops");
	r->seconds = member(o, "runtime") / 1000;
	r->mean_ns = scaled(member(lat, "mean"), 1);
	r->max_ns = scaled(member(lat, "max"), 1);
	r->p50_ns = scaled(member(pct, "50.000000"), 1);
	r->p95_ns = scaled(member(pct, "95.000000"), 1);
	r->p99_ns = scaled(member(pct, "99.000000"), 1);
	r->p999_ns = scaled(member(pct, "99.900000"), 1);
	return true;
}

static int parse_fio(const char *text, struct workload_result *rows, size_t max)
{
	/* fio can put a warning before its JSON */
	const char *begin = strchr(text, '{');
	json_object *root = begin ? json_tokener_parse(begin) : NULL, *jobs;
	int n = 0;

	jobs = root ? json_object_object_get(root, "jobs") : NULL;
	for (size_t i = 0; json_object_is_type(jobs, json_type_array) && i < json_object_array_length(jobs); i++) {
		json_object *job = json_object_array_get_idx(jobs, i);

		if (!json_object_is_type(job, json_type_object))
			continue;
		if ((size_t)n < max)
			n += fio_side(job, "read", &rows[n]);
		if ((size_t)n < max)
			n += fio_side(job, "write", &rows[n]);
	}
	json_object_put(root);
	return n ? n : -EBADMSG;
}

/* ---- MMTests: rows "OPERATION … VALUE" of its extractor below "# BENCHMARK" ---- */

struct mm_group {
	char name[48];
	double values[SAMPLE_MAX];
	size_t n;
};

static void mm_flush(struct mm_group *g, struct workload_result *rows, size_t max, int *n)
{
	if (g->n && (size_t)*n < max) {
		struct workload_result *r = &rows[(*n)++];

		snprintf(r->workload, sizeof(r->workload), "%s", g->name);
		snprintf(r->score_unit, sizeof(r->score_unit), "median of %zu samples", g->n);
		r->score = sample_median(g->values, g->n);
	}
	g->n = 0;
}

static int parse_mmtests(const char *text, struct workload_result *rows, size_t max)
{
	struct mm_group *g = calloc(1, sizeof(*g));
	_cleanup_free_ char *copy = strdup(text);
	char benchmark[20] = "", *save = NULL;
	int n = 0;

	for (char *line = g && copy ? strtok_r(copy, "\r\n", &save) : NULL; line; line = strtok_r(NULL, "\r\n", &save)) {
		char name[sizeof(g->name)], *last = strrchr(line, ' ');
		double v = last ? number_at(last + 1, " ") : NAN;

		if (line[0] == '#')
			snprintf(benchmark, sizeof(benchmark), "%s", line + strspn(line, "# "));
		if (line[0] == '#' || !isfinite(v))
			continue;
		line += strspn(line, " \t");
		snprintf(name, sizeof(name), "%.19s-%.*s", benchmark, (int)MIN(strcspn(line, " \t"), 27u), line);
		if (strcmp(name, g->name) || g->n == SAMPLE_MAX)
			mm_flush(g, rows, max, &n);
		snprintf(g->name, sizeof(g->name), "%s", name);
		g->values[g->n++] = v;
	}
	if (g)
		mm_flush(g, rows, max, &n);
	free(g);
	return n ? n : -EBADMSG;
}

/* ---- Phoronix Test Suite: composite.xml ---- */

/* The text of the first <tag>…</tag> within [p, end), entities as they are but &amp;, &lt; and &gt;. */
static bool xml_text(const char *p, const char *end, const char *tag, char *buf, size_t size)
{
	char open[32], close[32];
	const char *from, *to;
	size_t used = 0;

	snprintf(open, sizeof(open), "<%s>", tag);
	snprintf(close, sizeof(close), "</%s>", tag);
	from = strstr(p, open);
	to = from ? strstr(from, close) : NULL;
	if (!to || to > end)
		return false;
	for (from += strlen(open); from < to && used + 1 < size; from++) {
		static const char *const entities[][2] = { { "&amp;", "&" }, { "&lt;", "<" }, { "&gt;", ">" } };
		char c = *from;

		for (size_t i = 0; i < ARRAY_SIZE(entities); i++)
			if (!strncmp(from, entities[i][0], strlen(entities[i][0]))) {
				c = entities[i][1][0];
				from += strlen(entities[i][0]) - 1;
				break;
			}
		buf[used++] = c;
	}
	buf[used] = '\0';
	return true;
}

static int parse_phoronix(const char *text, struct workload_result *rows, size_t max)
{
	int n = 0;

	for (const char *p = strstr(text, "<Result>"); p && (size_t)n < max; p = strstr(p + 1, "<Result>")) {
		const char *end = strstr(p, "</Result>"), *entry;
		struct workload_result *r = &rows[n];
		char title[40] = "", what[40] = "", value[40] = "";

		if (!end)
			break;
		xml_text(p, end, "Title", title, sizeof(title));
		xml_text(p, end, "Description", what, sizeof(what));
		xml_text(p, end, "Scale", r->score_unit, sizeof(r->score_unit));
		entry = strstr(p, "<Entry>");
		if (!entry || entry > end || !xml_text(entry, end, "Value", value, sizeof(value)))
			continue;
		r->score = number_at(value, " ");
		if (!isfinite(r->score))
			continue; /* an image, or a test that failed */
		snprintf(r->workload, sizeof(r->workload), "%.30s%s%.30s", title, *what ? " " : "", what);
		n++;
	}
	return n ? n : -EBADMSG;
}

const struct external_tool external_tools[] = {
	{ "stress-ng", "stress-ng", "stressors for nearly everything", "apt install stress-ng", "result.yaml",
	  parse_stress_ng },
	{ "sysbench", "sysbench", "memory bandwidth and more", "apt install sysbench", NULL, parse_sysbench },
	{ "fio", "fio", "file and block I/O", "apt install fio", "result.json", parse_fio },
	{ "mmtests", "run-mmtests.sh", "memory management benchmarks",
	  "clone github.com/gormanm/mmtests, then --path DIR", "result.txt", parse_mmtests },
	{ "phoronix", "phoronix-test-suite", "test suites with many programs",
	  "see www.phoronix-test-suite.com; run its batch-setup", "composite.xml", parse_phoronix },
};
const size_t external_n_tools = ARRAY_SIZE(external_tools);
