/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/codec_results.h"

#include <csv.h>
#include <float.h>
#include <string.h>

#include "lib/parse.h"

enum field_kind {
	FIELD_STR,
	FIELD_U64,
	FIELD_I64,
	FIELD_F64,
	FIELD_PASS,    /* bool as PASS or FAIL */
	FIELD_PARTIAL, /* of the sweep, not of the row */
	FIELD_NS_EACH, /* thread CPU per block, derived from the times: more digits than its ms */
};

/* Where a column lives in struct bench_result. */
struct field {
	enum field_kind kind;
	size_t offset, size;
	bool needed; /* a text without it cannot be ranked */
};

#define AT(member) offsetof(struct bench_result, member), sizeof(((struct bench_result *)0)->member)

static const struct field fields[CODEC_RESULT_COLS] = {
	{FIELD_STR, AT(codec), true},
	{FIELD_STR, AT(mode), true},
	{FIELD_I64, AT(level), true},
	{FIELD_STR, AT(dataset), true},
	{FIELD_U64, AT(size_bytes), true},
	{FIELD_U64, AT(runs), false},
	{FIELD_U64, AT(warmups), false},
	{FIELD_STR, AT(unit), true},
	{FIELD_U64, AT(blocks), false},
	{FIELD_U64, AT(input_bytes), true},
	{FIELD_U64, AT(codec_bytes), false},
	{FIELD_U64, AT(compressed_bytes), true},
	{FIELD_U64, AT(packed_bytes), false},
	{FIELD_F64, AT(ratio), false},
	{FIELD_F64, AT(savings_pct), false},
	{FIELD_U64, AT(zero_pages), false},
	{FIELD_U64, AT(same_filled_pages), false},
	{FIELD_U64, AT(incompressible_pages), false},
	{FIELD_F64, AT(compress.wall_ms), false},
	{FIELD_F64, AT(compress.thread_cpu_ms), true},
	{FIELD_F64, AT(compress.process_cpu_ms), false},
	{FIELD_F64, AT(compress.mib_per_s), false},
	{FIELD_NS_EACH, AT(compress.thread_cpu_ms), false},
	{FIELD_F64, AT(compress.spread_pct), false},
	{FIELD_U64, AT(compress.p50_ns), false},
	{FIELD_U64, AT(compress.p99_ns), false},
	{FIELD_F64, AT(decompress.wall_ms), false},
	{FIELD_F64, AT(decompress.thread_cpu_ms), true},
	{FIELD_F64, AT(decompress.process_cpu_ms), false},
	{FIELD_F64, AT(decompress.mib_per_s), false},
	{FIELD_NS_EACH, AT(decompress.thread_cpu_ms), false},
	{FIELD_F64, AT(decompress.spread_pct), false},
	{FIELD_U64, AT(decompress.p50_ns), false},
	{FIELD_U64, AT(decompress.p99_ns), false},
	{FIELD_PASS, AT(valid), true},
	{FIELD_PARTIAL, 0, 0, false},
};

static const struct out_col cols[CODEC_RESULT_COLS] = {
	{"codec", "CODEC", OUT_STR, 0, 0},
	{"mode", "MODE", OUT_STR, 0, 0},
	{"level", "LEVEL", OUT_I64, 0, 0},
	{"dataset", "DATASET", OUT_STR, 0, 0},
	{"size_bytes", "SIZE", OUT_BYTES, 0, 0},
	{"runs", "RUNS", OUT_U64, 0, OUT_NOT_TABLE},
	{"warmups", "WARMUPS", OUT_U64, 0, OUT_NOT_TABLE},
	{"unit", "UNIT", OUT_STR, 0, 0},
	{"blocks", "BLOCKS", OUT_U64, 0, OUT_WIDE},
	{"input_bytes", "INPUT", OUT_BYTES, 0, OUT_WIDE},
	{"codec_bytes", "CODED", OUT_BYTES, 0, OUT_NOT_TABLE},
	{"compressed_bytes", "OUTPUT", OUT_BYTES, 0, OUT_WIDE},
	{"packed_bytes", "PACKED", OUT_BYTES, 0, OUT_WIDE},
	{"ratio", "RATIO", OUT_F64, 0, 0},
	{"savings_pct", "SAVED%", OUT_F64, 0, OUT_WIDE},
	{"zero_pages", "ZERO", OUT_U64, 0, OUT_WIDE},
	{"same_filled_pages", "SAME", OUT_U64, 0, OUT_WIDE},
	{"incompressible_pages", "INCOMPR", OUT_U64, 0, OUT_WIDE},
	{"compress_wall_ms", "C-WALL", OUT_F64, 0, OUT_NOT_TABLE},
	{"compress_thread_cpu_ms", "C-CPU", OUT_F64, 0, OUT_NOT_TABLE},
	{"compress_process_cpu_ms", "C-PROC", OUT_F64, 0, OUT_NOT_TABLE},
	{"compress_mib_per_s", "C-MiB/s", OUT_F64, 0, 0},
	{"compress_cpu_ns_per_block", "C-NS", OUT_F64, 0, OUT_NOT_TABLE},
	{"compress_spread_pct", "C-SPREAD%", OUT_F64, 0, OUT_WIDE},
	{"compress_p50_ns", "C-P50", OUT_NS, 0, OUT_WIDE},
	{"compress_p99_ns", "C-P99", OUT_NS, 0, OUT_WIDE},
	{"decompress_wall_ms", "D-WALL", OUT_F64, 0, OUT_NOT_TABLE},
	{"decompress_thread_cpu_ms", "D-CPU", OUT_F64, 0, OUT_NOT_TABLE},
	{"decompress_process_cpu_ms", "D-PROC", OUT_F64, 0, OUT_NOT_TABLE},
	{"decompress_mib_per_s", "D-MiB/s", OUT_F64, 0, 0},
	{"decompress_cpu_ns_per_block", "D-NS", OUT_F64, 0, OUT_NOT_TABLE},
	{"decompress_spread_pct", "D-SPREAD%", OUT_F64, 0, OUT_WIDE},
	{"decompress_p50_ns", "D-P50", OUT_NS, 0, OUT_WIDE},
	{"decompress_p99_ns", "D-P99", OUT_NS, 0, OUT_WIDE},
	{"validation", "CHECK", OUT_STR, 0, 0},
	{"partial", "PARTIAL", OUT_BOOL, 0, OUT_NOT_TABLE},
};

const struct out_col *codec_result_cols(void)
{
	return cols;
}

static bool is_page(const struct bench_result *r)
{
	return !strcmp(r->unit, "page");
}

/* Columns that mean nothing here are null, not 0. */
static bool applies(const struct bench_result *r, const struct field *f)
{
	static const size_t page_only[] = {
		offsetof(struct bench_result, packed_bytes),
		offsetof(struct bench_result, zero_pages),
		offsetof(struct bench_result, same_filled_pages),
		offsetof(struct bench_result, incompressible_pages),
		offsetof(struct bench_result, compress.p50_ns),
		offsetof(struct bench_result, compress.p99_ns),
		offsetof(struct bench_result, decompress.p50_ns),
		offsetof(struct bench_result, decompress.p99_ns),
	};

	if (f->offset == offsetof(struct bench_result, ratio) && f->kind == FIELD_F64)
		return r->compressed_bytes != 0;
	for (size_t i = 0; i < ARRAY_SIZE(page_only); i++) {
		if (f->offset == page_only[i] && f->kind == FIELD_U64)
			return is_page(r);
	}
	return true;
}

/* Blocks that a pass compressed or gave back. */
static double blocks_timed(const struct bench_result *r, size_t offset)
{
	double coded = r->size_bytes ? (double)r->codec_bytes / (double)r->size_bytes : 0;

	if (offset == offsetof(struct bench_result, decompress.thread_cpu_ms) && is_page(r))
		coded -= (double)r->incompressible_pages;
	return coded;
}

static struct out_val field_val(const struct bench_result *r, const struct field *f, bool partial)
{
	const void *p = (const char *)r + f->offset;
	double n;

	if (!applies(r, f))
		return OUT_NULL;
	switch (f->kind) {
	case FIELD_STR:
		return OUT_S(p);
	case FIELD_U64:
		return OUT_U(*(const uint64_t *)p);
	case FIELD_I64:
		return OUT_I(*(const int64_t *)p);
	case FIELD_F64:
		return OUT_F(*(const double *)p);
	case FIELD_PASS:
		return OUT_S(r->valid ? "PASS" : "FAIL");
	case FIELD_PARTIAL:
		return OUT_U(partial);
	case FIELD_NS_EACH:
		n = blocks_timed(r, f->offset);
		return n > 0 ? OUT_F(*(const double *)p * 1e6 / n) : OUT_NULL;
	}
	return OUT_NULL;
}

void codec_result_vals(const struct bench_result *r, bool partial,
		       struct out_val vals[CODEC_RESULT_COLS])
{
	for (size_t i = 0; i < CODEC_RESULT_COLS; i++)
		vals[i] = field_val(r, &fields[i], partial);
}

int codec_results_add(struct codec_results *r, const struct bench_result *row)
{
	struct bench_result *grown;

	if (!(r->n & (r->n - 1))) {
		grown = reallocarray(r->rows, MAX(r->n * 2, 16), sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		r->rows = grown;
	}
	r->rows[r->n++] = *row;
	return 0;
}

void codec_results_release(struct codec_results *r)
{
	free(r->rows);
	*r = (struct codec_results){0};
}

char *codec_result_label(const struct bench_result *r, char buf[RANK_LABEL_MAX])
{
	snprintf(buf, RANK_LABEL_MAX, "%s%s:%lld%s", r->codec, strcmp(r->mode, "hc") ? "" : "hc",
		 (long long)r->level, strcmp(r->mode, "dict") ? "" : "+dict");
	return buf;
}

void codec_result_rank(const struct bench_result *r, bool packed, struct rank_entry *ret)
{
	uint64_t out = packed && is_page(r) ? r->packed_bytes : r->compressed_bytes;

	*ret = (struct rank_entry){
		.family = strcmp(r->codec, "lz4") ? RANK_ZSTD
			  : strcmp(r->mode, "hc") ? RANK_LZ4_FAST
						  : RANK_LZ4_HC,
		.level = r->level,
		.input_bytes = (double)r->input_bytes,
		.saved_bytes = (double)r->input_bytes - (double)out,
		.compress_cpu_ms = r->compress.thread_cpu_ms,
		.decompress_cpu_ms = r->decompress.thread_cpu_ms,
		.valid = r->valid,
	};
	codec_result_label(r, ret->label);
}

/* ---- reading ---- */

struct reading {
	struct codec_results *results;
	struct codec_results_error *error;
	struct bench_result row;
	double ns_each[2]; /* compress, decompress; 0: not given */
	bool seen[CODEC_RESULT_COLS];
	int map[256]; /* CSV: the field of each column of the text, or -1 */
	size_t n_map, at;
	size_t record;
	bool headed;
	int err;
};

static int bad(struct reading *in, const char *column, const char *problem)
{
	if (!in->err) {
		*in->error = (struct codec_results_error){in->record, column, problem};
		in->err = -EBADMSG;
	}
	return in->err;
}

static int find_col(const char *key, size_t len)
{
	for (int i = 0; i < CODEC_RESULT_COLS; i++) {
		if (strlen(cols[i].key) == len && !memcmp(cols[i].key, key, len))
			return i;
	}
	return -1;
}

/* One cell. An empty one is null and leaves the row's zero. */
static void set_field(struct reading *in, int i, const char *text)
{
	const struct field *f = &fields[i];
	void *p = (char *)&in->row + f->offset;
	double each = 0;
	int err = 0;

	if (!*text)
		return;
	in->seen[i] = true;
	switch (f->kind) {
	case FIELD_STR:
		if (strlen(text) >= f->size)
			err = -ERANGE;
		else
			memcpy(p, text, strlen(text) + 1);
		break;
	case FIELD_U64:
		err = parse_u64(text, 0, UINT64_MAX, p);
		break;
	case FIELD_I64:
		err = parse_i64(text, INT64_MIN, INT64_MAX, p);
		break;
	case FIELD_F64:
		err = parse_double(text, -DBL_MAX, DBL_MAX, p);
		break;
	case FIELD_PASS:
		in->row.valid = !strcmp(text, "PASS");
		err = in->row.valid || !strcmp(text, "FAIL") ? 0 : -EINVAL;
		break;
	case FIELD_PARTIAL:
		in->results->partial |= !strcmp(text, "true") || !strcmp(text, "1");
		break;
	case FIELD_NS_EACH:
		err = parse_double(text, 0, DBL_MAX, &each);
		in->ns_each[f->offset == offsetof(struct bench_result, decompress.thread_cpu_ms)] =
			each;
		break;
	}
	if (err)
		bad(in, cols[i].key, "not a value of this column");
}

static void begin_row(struct reading *in)
{
	in->record++;
	in->row = (struct bench_result){0};
	in->ns_each[0] = in->ns_each[1] = 0;
	memset(in->seen, 0, sizeof(in->seen));
}

static void end_row(struct reading *in)
{
	struct bench_result *r = &in->row;

	for (int i = 0; i < CODEC_RESULT_COLS && !in->err; i++) {
		if (fields[i].needed && !in->seen[i])
			bad(in, cols[i].key, "this column is missing");
	}
	if (!in->err && (!r->size_bytes || !r->input_bytes || r->compress.thread_cpu_ms < 0 ||
			 r->decompress.thread_cpu_ms < 0))
		bad(in, NULL, "holds sizes or times that cannot be");
	if (in->err)
		return;
	/* The times per block keep digits that three decimals of a millisecond lose. */
	if (in->ns_each[0] > 0)
		r->compress.thread_cpu_ms =
			in->ns_each[0] / 1e6 *
			blocks_timed(r, offsetof(struct bench_result, compress.thread_cpu_ms));
	if (in->ns_each[1] > 0)
		r->decompress.thread_cpu_ms =
			in->ns_each[1] / 1e6 *
			blocks_timed(r, offsetof(struct bench_result, decompress.thread_cpu_ms));
	in->err = codec_results_add(in->results, r);
}

static void csv_cell(void *text, size_t len, void *data)
{
	struct reading *in = data;
	char cell[256];

	if (in->err)
		return;
	if (!in->headed) {
		if (in->n_map < ARRAY_SIZE(in->map))
			in->map[in->n_map++] = text ? find_col(text, len) : -1;
		return;
	}
	if (!in->at)
		begin_row(in);
	if (in->at >= in->n_map) {
		bad(in, NULL, "has more columns than the heading");
		return;
	}
	if (in->map[in->at] >= 0 && text) {
		if (len >= sizeof(cell)) {
			bad(in, cols[in->map[in->at]].key, "is too long");
			return;
		}
		memcpy(cell, text, len);
		cell[len] = 0;
		set_field(in, in->map[in->at], cell);
	}
	in->at++;
}

static bool knows_columns(const struct reading *in)
{
	for (size_t i = 0; i < in->n_map; i++) {
		if (in->map[i] >= 0)
			return true;
	}
	return false;
}

static void csv_row(int c _unused_, void *data)
{
	struct reading *in = data;

	if (in->err)
		return;
	if (in->headed)
		end_row(in);
	else if (!knows_columns(in))
		bad(in, NULL, "neither JSON nor CSV of a sweep");
	in->headed = true;
	in->at = 0;
}

static int read_csv(struct reading *in, const char *text, size_t len)
{
	struct csv_parser p;

	if (csv_init(&p, CSV_STRICT | CSV_STRICT_FINI | CSV_EMPTY_IS_NULL))
		return -ENOMEM;
	if (csv_parse(&p, text, len, csv_cell, csv_row, in) != len ||
	    csv_fini(&p, csv_cell, csv_row, in)) {
		if (csv_error(&p) == CSV_ENOMEM)
			in->err = -ENOMEM;
		else
			bad(in, NULL, "is not CSV");
	}
	csv_free(&p);
	return in->err;
}

static int read_json(struct reading *in, const char *text, size_t len)
{
	json_tokener *tok = json_tokener_new();
	json_object *doc, *list, *schema;

	if (!tok)
		return -ENOMEM;
	doc = json_tokener_parse_ex(tok, text, (int)MIN(len, (size_t)INT32_MAX));
	json_tokener_free(tok);
	if (!doc)
		return bad(in, NULL, "the text is not a whole JSON document");
	if (!json_object_object_get_ex(doc, "results", &list) ||
	    !json_object_is_type(list, json_type_array))
		bad(in, NULL, "there is no array \"results\"");
	else if (!json_object_object_get_ex(doc, "schema", &schema) || !schema ||
		 strcmp(json_object_get_string(schema), CODEC_RESULT_SCHEMA))
		bad(in, NULL, "the schema is not " CODEC_RESULT_SCHEMA);
	for (size_t k = 0; !in->err && k < json_object_array_length(list); k++) {
		json_object *obj = json_object_array_get_idx(list, k), *val;

		begin_row(in);
		for (int i = 0; i < CODEC_RESULT_COLS && !in->err; i++) {
			if (json_object_object_get_ex(obj, cols[i].key, &val) && val)
				set_field(in, i, json_object_get_string(val));
		}
		end_row(in);
	}
	json_object_put(doc);
	return in->err;
}

int codec_results_read(const char *text, size_t len, struct codec_results *ret,
		       struct codec_results_error *ret_error)
{
	struct codec_results results = {0};
	struct reading in = {.results = &results, .error = ret_error};
	size_t skip = 0;
	int err;

	while (skip < len && (text[skip] == ' ' || text[skip] == '\n' || text[skip] == '\t'))
		skip++;
	if (skip < len && text[skip] == '{')
		err = read_json(&in, text + skip, len - skip);
	else
		err = read_csv(&in, text, len);
	if (!err && !results.n) {
		in.record = 0;
		err = bad(&in, NULL, "there are no results in it");
	}
	if (err) {
		codec_results_release(&results);
		return err;
	}
	*ret = results;
	return 0;
}
