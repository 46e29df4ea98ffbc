/* SPDX-License-Identifier: BSD-2-Clause */
/* What a sweep writes, a ranking reads: the same numbers through CSV and JSON. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "lib/codec_results.h"
#include "lib/plot.h"
#include "tests/unit/unit.h"

static struct bench_result sample(void)
{
	return (struct bench_result){
		.codec = "zstd",
		.mode = "dict",
		.level = -5,
		.dataset = "a, \"quoted\" name",
		.unit = "page",
		.size_bytes = 4096,
		.runs = 5,
		.warmups = 1,
		.blocks = 10,
		.input_bytes = 40960,
		.codec_bytes = 32768,
		.compressed_bytes = 12345,
		.packed_bytes = 13000,
		.zero_pages = 1,
		.same_filled_pages = 1,
		.incompressible_pages = 2,
		.ratio = 3.318,
		.savings_pct = 69.861,
		/* Far below the third decimal of a millisecond. */
		.compress = {.wall_ms = 0.02,
			     .thread_cpu_ms = 0.000123456,
			     .p50_ns = 7,
			     .p99_ns = 9},
		.decompress = {.wall_ms = 0.01, .thread_cpu_ms = 0.000023456, .p50_ns = 3},
		.valid = true,
	};
}

static char *write_rows(const struct bench_result *rows, size_t n, bool partial, bool json)
{
	struct out_sheet *sheet = out_sheet_new(codec_result_cols(), CODEC_RESULT_COLS);
	struct out_val vals[CODEC_RESULT_COLS];
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	for (size_t i = 0; i < n; i++) {
		codec_result_vals(&rows[i], partial, vals);
		ck_assert_int_eq(out_sheet_add(sheet, vals), 0);
	}
	if (json) {
		json_object *doc = json_object_new_object();

		json_object_object_add(doc, "schema", json_object_new_string(CODEC_RESULT_SCHEMA));
		json_object_object_add(doc, "results", out_sheet_json(sheet));
		ck_assert_int_eq(out_json(f, doc, false), 0);
		json_object_put(doc);
	} else {
		ck_assert_int_eq(out_sheet_print(sheet, f, OUT_CSV, false), 0);
	}
	fclose(f);
	out_sheet_free(sheet);
	return text;
}

START_TEST(test_both_ways)
{
	struct bench_result rows[2] = {sample(), sample()};
	struct codec_results r;
	struct codec_results_error e;
	char *text, label[RANK_LABEL_MAX];

	snprintf(rows[1].unit, sizeof(rows[1].unit), "%s", "block");
	rows[1].valid = false;
	text = write_rows(rows, 2, true, _i);
	ck_assert_int_eq(codec_results_read(text, strlen(text), &r, &e), 0);
	ck_assert_uint_eq(r.n, 2);
	ck_assert(r.partial);
	ck_assert_str_eq(r.rows[0].dataset, rows[0].dataset);
	ck_assert_str_eq(codec_result_label(&r.rows[0], label), "zstd:-5+dict");
	ck_assert_uint_eq(r.rows[0].packed_bytes, 13000);
	ck_assert_uint_eq(r.rows[1].packed_bytes, 0); /* null in a block test */
	ck_assert(r.rows[0].valid && !r.rows[1].valid);
	ck_assert_double_eq_tol(r.rows[0].compress.thread_cpu_ms, 0.000123456, 1e-8);
	ck_assert_double_eq_tol(r.rows[0].decompress.thread_cpu_ms, 0.000023456, 1e-8);
	ck_assert_uint_eq(r.rows[0].compress.p99_ns, 9);
	codec_results_release(&r);
	free(text);
}
END_TEST

START_TEST(test_rank_entry)
{
	struct bench_result row = sample();
	struct rank_entry e;

	codec_result_rank(&row, false, &e);
	ck_assert_int_eq(e.family, RANK_ZSTD);
	ck_assert_double_eq(e.saved_bytes, 40960 - 12345);
	codec_result_rank(&row, true, &e);
	ck_assert_double_eq(e.saved_bytes, 40960 - 13000);
	snprintf(row.codec, sizeof(row.codec), "%s", "lz4");
	snprintf(row.mode, sizeof(row.mode), "%s", "hc");
	codec_result_rank(&row, false, &e);
	ck_assert_int_eq(e.family, RANK_LZ4_HC);
	ck_assert_str_eq(e.label, "lz4hc:-5");
	snprintf(row.mode, sizeof(row.mode), "%s", "fast");
	codec_result_rank(&row, false, &e);
	ck_assert_int_eq(e.family, RANK_LZ4_FAST);
}
END_TEST

#define NEEDED                                                                   \
	"codec,mode,level,dataset,unit,size_bytes,input_bytes,compressed_bytes," \
	"compress_thread_cpu_ms,decompress_thread_cpu_ms,validation\n"

START_TEST(test_least_csv)
{
	static const char text[] = NEEDED "lz4,fast,1,x,page,4096,8192,4096,1.5,0.5,PASS\n";
	struct codec_results_error e;
	struct codec_results r;

	ck_assert_int_eq(codec_results_read(text, strlen(text), &r, &e), 0);
	ck_assert_double_eq(r.rows[0].compress.thread_cpu_ms, 1.5);
	ck_assert(!r.partial);
	codec_results_release(&r);
}
END_TEST

START_TEST(test_bad)
{
	static const struct {
		const char *text, *column;
		size_t record;
	} bad[] = {
		{"", NULL, 0},
		{"hello\nworld\n", NULL, 0},
		{NEEDED, NULL, 0},
		{NEEDED "lz4,fast,x,x,page,4096,8192,4096,1,1,PASS\n", "level", 1},
		{NEEDED "lz4,fast,1,x,page,4096,8192,4096,1,1,MAYBE\n", "validation", 1},
		{NEEDED "lz4,fast,1,x,page,4096,8192,4096,1,1,PASS\nlz4,fast\n", "level", 2},
		{NEEDED "lz4,fast,1,x,page,4096,-5,4096,1,1,PASS\n", "input_bytes", 1},
		{NEEDED "lz4,fast,1,x,page,4096,8192,4096,nan,1,PASS\n", "compress_thread_cpu_ms",
		 1},
		{NEEDED "lz4,fast,1,x,page,0,8192,4096,1,1,PASS\n", NULL, 1},
		{NEEDED "lz4,fast,1,x,page,4096,8192,4096,-1,1,PASS\n", NULL, 1},
		{NEEDED "lz4,fast,1,x,page,4096,8192,4096,1,1,PASS,extra\n", NULL, 1},
		{NEEDED "lz4,\"fast,1,x\n", NULL, 1},
		{NEEDED "a codec of far too long a name,fast,1,x,page,1,1,1,1,1,PASS\n", "codec",
		 1},
		{"{", NULL, 0},
		{"{}", NULL, 0},
		{"{\"results\":5}", NULL, 0},
		{"{\"results\":[]}", NULL, 0},
		{"{\"schema\":\"memscope.codec-sweep/1\",\"results\":[]}", NULL, 0},
		{"{\"schema\":\"memscope.codec-sweep/1\",\"results\":[null]}", "codec", 1},
		{"{\"schema\":\"memscope.codec-sweep/1\",\"results\":[{\"codec\":[1]}]}", "mode",
		 1},
		{"{\"schema\":\"memscope.codec-sweep/2\",\"results\":[]}", NULL, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct codec_results r = {.n = 77};
		struct codec_results_error e = {0};
		int err = codec_results_read(bad[i].text, strlen(bad[i].text), &r, &e);

		ck_assert_msg(err == -EBADMSG, "%s: %d", bad[i].text, err);
		ck_assert_uint_eq(r.n, 77);
		ck_assert_ptr_nonnull(e.problem);
		ck_assert_msg(e.record == bad[i].record, "%s: record %zu", bad[i].text, e.record);
		if (bad[i].column)
			ck_assert_str_eq(e.column, bad[i].column);
	}
}
END_TEST

START_TEST(test_plot_names)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ck_assert(plot_name_ok("x.svg") && plot_name_ok("/a/b.png"));
	ck_assert(!plot_name_ok(".svg") && !plot_name_ok("x.pdf") && !plot_name_ok(""));
	ck_assert_int_eq(plot_begin(f, "x.pdf", 1, 1), -EINVAL);
	plot_quote(f, "it's\nme");
	fclose(f);
	ck_assert_str_eq(text, "'it''s me'");
	free(text);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("codec_results");

	tcase_add_loop_test(t, test_both_ways, 0, 2);
	tcase_add_test(t, test_rank_entry);
	tcase_add_test(t, test_least_csv);
	tcase_add_test(t, test_bad);
	tcase_add_test(t, test_plot_names);
	return unit_run(t, "codec_results");
}
