/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/out.h"

#include <fcntl.h>

#include "tests/unit/unit.h"

static const struct out_col cols[] = {
	{ "event", "EVENT", OUT_STR, 5, OUT_TAG | OUT_NOT_TABLE },
	{ "pid", "PID", OUT_U64, 7, OUT_IN_KV },
	{ "comm", "COMM", OUT_STR, 8, OUT_IN_KV },
	{ "addr", "ADDR", OUT_HEX, 8, OUT_IN_KV },
	{ "delta", "DELTA", OUT_I64, 6, 0 },
	{ "ratio", "RATIO", OUT_F64, 6, OUT_WIDE },
	{ "saved_bytes", "SAVED", OUT_BYTES, 6, 0 },
	{ "took_ns", "TOOK", OUT_NS, 7, 0 },
	{ "major", "MAJOR", OUT_BOOL, 5, 0 },
	{ "off", "OFF", OUT_U64, 3, OUT_OFF },
	{ "only", "ONLY", OUT_STR, 0, OUT_TABLE_ONLY },
};

#define STR(text) ((struct out_val){ .set = true, .s = (text) }) /* OUT_S is no constant */
#define ROW(comm)                                                                                            \
	{ STR("probe"), OUT_U(42), STR(comm), OUT_U(0x7fff12345678), OUT_I(-5), OUT_F(1.5), OUT_U(1536),     \
	  OUT_U(12345), OUT_U(1), OUT_U(9), STR("end") }

static const struct out_val full_row[] = ROW("bash");
static const struct out_val null_row[ARRAY_SIZE(cols)] = { STR("probe") };

/* What a stream of these rows writes; the caller's. */
static char *stream_text(enum out_format format, bool wide, const struct out_col *c, size_t n_cols,
			 const struct out_val *const *rows, size_t n_rows)
{
	char path[] = "/tmp/memscope-out-XXXXXX", *text = calloc(1, 1 << 20);
	int fd = mkstemp(path);
	struct out_stream s;

	unlink(path);
	ck_assert_int_eq(out_stream_init(&s, fd, format, wide, c, n_cols), 0);
	for (size_t i = 0; i < n_rows; i++)
		ck_assert_int_eq(out_stream_row(&s, rows[i]), 0);
	ck_assert_int_eq(out_stream_flush(&s), 0);
	out_stream_release(&s);
	ck_assert_int_ge(pread(fd, text, (1 << 20) - 1, 0), 0);
	close(fd);
	return text;
}

static void check_stream(enum out_format format, bool wide, const char *want)
{
	const struct out_val *const rows[] = { full_row, null_row };
	_cleanup_free_ char *text = stream_text(format, wide, cols, ARRAY_SIZE(cols), rows, 2);

	ck_assert_str_eq(text, want);
}

START_TEST(stream_json)
{
	check_stream(OUT_JSON, false,
		     "{\"event\":\"probe\",\"pid\":42,\"comm\":\"bash\",\"addr\":\"0x7fff12345678\",\"delta\":-5,"
		     "\"ratio\":1.500,\"saved_bytes\":1536,\"took_ns\":12345,\"major\":true}\n"
		     "{\"event\":\"probe\",\"pid\":null,\"comm\":null,\"addr\":null,\"delta\":null,"
		     "\"ratio\":null,\"saved_bytes\":null,\"took_ns\":null,\"major\":null}\n");
}
END_TEST

START_TEST(stream_csv)
{
	check_stream(OUT_CSV, false,
		     "event,pid,comm,addr,delta,ratio,saved_bytes,took_ns,major\n"
		     "probe,42,bash,0x7fff12345678,-5,1.500,1536,12345,true\n"
		     "probe,,,,,,,,\n");
}
END_TEST

START_TEST(stream_kv)
{
	check_stream(OUT_KV, false, "probe pid=42 comm=bash addr=0x7fff12345678\nprobe pid=- comm=- addr=-\n");
}
END_TEST

START_TEST(stream_kv_of_everything)
{
	static const struct out_col all[] = {
		{ "event", "EVENT", OUT_STR, 5, OUT_TAG },
		{ "pid", "PID", OUT_U64, 7, 0 },
		{ "file", "FILE", OUT_STR, 7, 0 },
	};
	const struct out_val some[] = { OUT_S("fork"), OUT_U(1), OUT_NULL };
	const struct out_val *const rows[] = { some };
	_cleanup_free_ char *text = stream_text(OUT_KV, false, all, ARRAY_SIZE(all), rows, 1);

	ck_assert_str_eq(text, "fork pid=1\n");
}
END_TEST

START_TEST(stream_table)
{
	check_stream(OUT_TABLE, false,
		     "    PID COMM     ADDR      DELTA  SAVED    TOOK MAJOR ONLY\n"
		     "     42 bash     0x7fff12345678     -5   1.5K 12.35us   yes end\n"
		     "      - -        -             -      -       -     - -\n");
}
END_TEST

START_TEST(stream_table_wide)
{
	check_stream(OUT_TABLE, true,
		     "    PID COMM     ADDR      DELTA  RATIO  SAVED    TOOK MAJOR ONLY\n"
		     "     42 bash     0x7fff12345678     -5  1.500   1.5K 12.35us   yes end\n"
		     "      - -        -             -      -      -       -     - -\n");
}
END_TEST

START_TEST(no_spaces_at_line_ends)
{
	static const struct out_col c[] = { { "a", "A", OUT_STR, 8, 0 }, { "b", "B", OUT_STR, 8, 0 } };
	const struct out_val row[] = { OUT_S("x"), OUT_S("y") }, empty[] = { OUT_S(""), OUT_S("") };
	const struct out_val *const rows[] = { row, empty };
	_cleanup_free_ char *text = stream_text(OUT_TABLE, false, c, ARRAY_SIZE(c), rows, 2);

	ck_assert_str_eq(text, "A        B\nx        y\n\n");
}
END_TEST

START_TEST(extremes)
{
	static const struct out_col c[] = {
		{ "u", "U", OUT_U64, 0, 0 },
		{ "i", "I", OUT_I64, 0, 0 },
		{ "x", "X", OUT_HEX, 0, 0 },
		{ "b", "B", OUT_BOOL, 0, 0 },
	};
	const struct out_val high[] = { OUT_U(UINT64_MAX), OUT_I(INT64_MIN), OUT_U(UINT64_MAX), OUT_U(0) };
	const struct out_val low[] = { OUT_U(0), OUT_I(0), OUT_U(0), OUT_U(2) };
	const struct out_val *const rows[] = { high, low };
	_cleanup_free_ char *text = stream_text(OUT_JSON, false, c, ARRAY_SIZE(c), rows, 2);

	ck_assert_str_eq(text, "{\"u\":18446744073709551615,\"i\":-9223372036854775808,\"x\":\"0xffffffffffffffff\","
			       "\"b\":false}\n{\"u\":0,\"i\":0,\"x\":\"0x0\",\"b\":true}\n");
}
END_TEST

/* ---- text ---- */

static const struct out_col text_col[] = { { "t", "T", OUT_STR, 0, 0 } };

static void check_text(enum out_format format, const char *value, const char *want)
{
	const struct out_val row[] = { OUT_S(value) };
	const struct out_val *const rows[] = { row };
	_cleanup_free_ char *text = stream_text(format, false, text_col, 1, rows, 1);

	ck_assert_str_eq(text, want);
}

START_TEST(escaping_json)
{
	check_text(OUT_JSON, "a\"b\\c", "{\"t\":\"a\\\"b\\\\c\"}\n");
	check_text(OUT_JSON, "\n\t\x1b\x7f", "{\"t\":\"\\u000a\\u0009\\u001b\\u007f\"}\n");
	check_text(OUT_JSON, "gr\xc3\xbc\xc3\x9f", "{\"t\":\"gr\xc3\xbc\xc3\x9f\"}\n");
	check_text(OUT_JSON, "\xff\xc3", "{\"t\":\"\xef\xbf\xbd\xef\xbf\xbd\"}\n");
	check_text(OUT_JSON, "", "{\"t\":\"\"}\n");
	check_text(OUT_JSON, NULL, "{\"t\":null}\n");
}
END_TEST

START_TEST(escaping_csv)
{
	check_text(OUT_CSV, "a,b", "t\n\"a,b\"\n");
	check_text(OUT_CSV, "say \"x\"", "t\n\"say \"\"x\"\"\"\n");
	check_text(OUT_CSV, "plain", "t\nplain\n");
	/* Control bytes never reach the output raw: a terminal may show it. */
	check_text(OUT_CSV, "a\x1b[31m", "t\na\\x1b[31m\n");
	check_text(OUT_CSV, "a\nb", "t\na\\x0ab\n");
	check_text(OUT_CSV, "\xff,\r", "t\n\"\\xff,\\x0d\"\n");
}
END_TEST

START_TEST(escaping_table_and_kv)
{
	check_text(OUT_TABLE, "a\x1b[31m\n", "T\na\\x1b[31m\\x0a\n");
	check_text(OUT_TABLE, "gr\xc3\xbc\xc3\x9f\xff", "T\ngr\xc3\xbc\xc3\x9f\\xff\n");
	check_text(OUT_KV, "\x01", "t=\\x01\n");
	check_text(OUT_TABLE, "", "T\n\n");
}
END_TEST

START_TEST(printable)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "\x7f", "\\x7f" },
		{ "\xc2\x9b" "31m", "\\xc2\\x9b31m" },	   /* a C1 control: CSI */
		{ "\xc0\xaf", "\\xc0\\xaf" },		   /* overlong */
		{ "\xe0\x80\xaf", "\\xe0\\x80\\xaf" },	   /* overlong */
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },	   /* a surrogate */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" }, /* beyond U+10FFFF */
		{ "\xf0\x9f\x90\xa7", "\xf0\x9f\x90\xa7" },
		{ "\xe2\x82", "\\xe2\\x82" },		   /* cut short */
		{ "\xe2\x82\xac", "\xe2\x82\xac" },
	};
	char buf[64];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ck_assert_str_eq(out_printable(cases[i].in, buf, sizeof(buf)), cases[i].out);
	/* what does not fit is left out whole */
	ck_assert_str_eq(out_printable("ab\xe2\x82\xac", buf, 5), "ab");
	ck_assert_str_eq(out_printable("ab\xe2\x82\xac", buf, 6), "ab\xe2\x82\xac");
	ck_assert_str_eq(out_printable("ab\x01", buf, 6), "ab");
	ck_assert_str_eq(out_printable("abc", buf, 1), "");
}
END_TEST

/* ---- streams ---- */

START_TEST(many_rows_come_whole)
{
	char path[] = "/tmp/memscope-out-XXXXXX", line[64];
	const int n = 20000; /* several buffers */
	struct out_stream s;
	int fd = mkstemp(path), i = 0;
	FILE *f;

	unlink(path);
	ck_assert_int_eq(out_stream_init(&s, dup(fd), OUT_KV, false, cols, ARRAY_SIZE(cols)), 0);
	for (i = 0; i < n; i++) {
		struct out_val row[] = ROW("bash");

		row[1] = OUT_U((uint64_t)i);
		ck_assert_int_eq(out_stream_row(&s, row), 0);
	}
	ck_assert_int_eq(out_stream_flush(&s), 0);
	close(s.fd);
	out_stream_release(&s);
	lseek(fd, 0, SEEK_SET);
	f = fdopen(fd, "r");
	for (i = 0; fgets(line, sizeof(line), f); i++) {
		char want[64];

		snprintf(want, sizeof(want), "probe pid=%d comm=bash addr=0x7fff12345678\n", i);
		ck_assert_str_eq(line, want);
	}
	ck_assert_int_eq(i, n);
	fclose(f);
}
END_TEST

START_TEST(write_errors_stick)
{
	struct out_stream s;
	int fd = open("/dev/full", O_WRONLY);

	ck_assert_int_eq(out_stream_init(&s, fd, OUT_JSON, false, cols, ARRAY_SIZE(cols)), 0);
	ck_assert_int_eq(out_stream_row(&s, full_row), 0);
	ck_assert_int_eq(out_stream_flush(&s), -ENOSPC);
	ck_assert_int_eq(out_stream_row(&s, full_row), -ENOSPC);
	ck_assert_int_eq(out_stream_flush(&s), -ENOSPC);
	out_stream_release(&s);
	/* a table writes its heading at once */
	ck_assert_int_eq(out_stream_init(&s, fd, OUT_TABLE, false, cols, ARRAY_SIZE(cols)), -ENOSPC);
	out_stream_release(&s);
	close(fd);
}
END_TEST

START_TEST(stream_takes_whole_objects)
{
	char path[] = "/tmp/memscope-out-XXXXXX", *text = calloc(1, 300000), *big = malloc(200001);
	json_object *obj = json_object_new_object();
	struct out_stream s;
	int fd = mkstemp(path);
	ssize_t n;

	unlink(path);
	memset(big, 'x', 200000);
	big[200000] = '\0';
	json_object_object_add(obj, "s", json_object_new_string(big));
	ck_assert_int_eq(out_stream_init(&s, fd, OUT_JSON, false, cols, ARRAY_SIZE(cols)), 0);
	ck_assert_int_eq(out_stream_row(&s, null_row), 0);
	ck_assert_int_eq(out_stream_json(&s, obj), 0);
	out_stream_release(&s);
	n = pread(fd, text, 299999, 0);
	ck_assert_int_gt(n, 200000);
	ck_assert_int_eq(text[0], '{');
	ck_assert_int_eq(text[n - 1], '\n');
	ck_assert_ptr_nonnull(strstr(text, "}\n{"));
	ck_assert_ptr_nonnull(strstr(text, "xx\"}\n"));
	json_object_put(obj);
	free(big);
	free(text);
	close(fd);
}
END_TEST

/* ---- sheets ---- */

static char *sheet_text(enum out_format format, bool wide, const struct out_sheet *sheet)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ck_assert_int_eq(out_sheet_print(sheet, f, format, wide), 0);
	fclose(f);
	return text;
}

static struct out_sheet *sample_sheet(void)
{
	struct out_sheet *sheet = out_sheet_new(cols, ARRAY_SIZE(cols));
	char name[] = "bash";
	struct out_val row[] = ROW(name);

	ck_assert_int_eq(out_sheet_add(sheet, row), 0);
	name[0] = 'X'; /* the sheet has its own copy */
	ck_assert_int_eq(out_sheet_add(sheet, null_row), 0);
	ck_assert_uint_eq(out_sheet_rows(sheet), 2);
	return sheet;
}

START_TEST(sheet_formats)
{
	_cleanup_(out_sheet_freep) struct out_sheet *sheet = sample_sheet();
	_cleanup_free_ char *csv = sheet_text(OUT_CSV, false, sheet), *kv = sheet_text(OUT_KV, false, sheet);
	_cleanup_free_ char *table = sheet_text(OUT_TABLE, false, sheet), *wide = sheet_text(OUT_TABLE, true, sheet);

	ck_assert_str_eq(csv, "event,pid,comm,addr,delta,ratio,saved_bytes,took_ns,major\n"
			      "probe,42,bash,0x7fff12345678,-5,1.500,1536,12345,true\nprobe,,,,,,,,\n");
	ck_assert_str_eq(kv, "probe pid=42 comm=bash addr=0x7fff12345678\nprobe pid=- comm=- addr=-\n");
	ck_assert_str_eq(table, "PID COMM ADDR           DELTA SAVED    TOOK MAJOR ONLY\n"
				" 42 bash 0x7fff12345678    -5  1.5K 12.35us   yes end\n"
				"  - -    -                  -     -       -     - -\n");
	ck_assert_ptr_null(strstr(table, "RATIO"));
	ck_assert_ptr_nonnull(strstr(wide, "RATIO"));
}
END_TEST

START_TEST(sheet_json)
{
	_cleanup_(out_sheet_freep) struct out_sheet *sheet = sample_sheet();
	json_object *rows = out_sheet_json(sheet);

	ck_assert_str_eq(json_object_to_json_string_ext(rows, JSON_C_TO_STRING_PLAIN),
			 "[{\"event\":\"probe\",\"pid\":42,\"comm\":\"bash\",\"addr\":\"0x7fff12345678\",\"delta\":-5,"
			 "\"ratio\":1.500,\"saved_bytes\":1536,\"took_ns\":12345,\"major\":true},"
			 "{\"event\":\"probe\",\"pid\":null,\"comm\":null,\"addr\":null,\"delta\":null,"
			 "\"ratio\":null,\"saved_bytes\":null,\"took_ns\":null,\"major\":null}]");
	json_object_put(rows);
	ck_assert_int_eq(out_sheet_print(sheet, stdout, OUT_JSON, false), -EINVAL);
}
END_TEST

START_TEST(sheet_without_rows)
{
	_cleanup_(out_sheet_freep) struct out_sheet *sheet = out_sheet_new(cols, ARRAY_SIZE(cols));
	_cleanup_free_ char *csv = sheet_text(OUT_CSV, false, sheet), *kv = sheet_text(OUT_KV, false, sheet);
	_cleanup_free_ char *table = sheet_text(OUT_TABLE, false, sheet);
	json_object *rows = out_sheet_json(sheet);

	ck_assert_str_eq(csv, "event,pid,comm,addr,delta,ratio,saved_bytes,took_ns,major\n");
	ck_assert_str_eq(kv, "");
	ck_assert_uint_eq(json_object_array_length(rows), 0);
	json_object_put(rows);
	out_sheet_free(NULL);
}
END_TEST

START_TEST(sheet_text_is_safe)
{
	_cleanup_(out_sheet_freep) struct out_sheet *sheet = out_sheet_new(text_col, 1);
	_cleanup_free_ char *table = NULL, *csv = NULL;
	json_object *rows;

	ck_assert_int_eq(out_sheet_add(sheet, (struct out_val[]){ OUT_S("a\x1b[1m\xff\n,\"") }), 0);
	table = sheet_text(OUT_TABLE, false, sheet);
	csv = sheet_text(OUT_CSV, false, sheet);
	ck_assert_ptr_null(strchr(table, 0x1b));
	ck_assert_str_eq(csv, "t\n\"a\\x1b[1m\\xff\\x0a,\"\"\"\n");
	rows = out_sheet_json(sheet);
	ck_assert_str_eq(json_object_to_json_string_ext(rows, JSON_C_TO_STRING_PLAIN),
			 "[{\"t\":\"a\\\\x1b[1m\\\\xff\\\\x0a,\\\"\"}]");
	json_object_put(rows);
}
END_TEST

START_TEST(json_document)
{
	json_object *obj = json_tokener_parse("{\"path\":\"/a/b\",\"n\":1}");
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ck_assert_int_eq(out_json(f, obj, false), 0);
	fclose(f);
	ck_assert_ptr_nonnull(strstr(text, "/a/b"));
	ck_assert_ptr_null(strstr(text, "\\/"));
	ck_assert_int_eq(text[len - 1], '\n');
	ck_assert_ptr_eq(strchr(text, '\n'), text + len - 1);
	free(text);
	f = open_memstream(&text, &len);
	ck_assert_int_eq(out_json(f, obj, true), 0);
	fclose(f);
	ck_assert_ptr_ne(strchr(text, '\n'), text + len - 1);
	free(text);
	json_object_put(obj);
}
END_TEST

UNIT_MAIN("out", stream_json, stream_csv, stream_kv, stream_kv_of_everything, stream_table, stream_table_wide, no_spaces_at_line_ends, extremes,
	  escaping_json, escaping_csv, escaping_table_and_kv, printable, many_rows_come_whole, write_errors_stick,
	  stream_takes_whole_objects, sheet_formats, sheet_json, sheet_without_rows, sheet_text_is_safe, json_document)
