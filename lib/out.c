/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/out.h"
#include "lib/parse.h"

#include <inttypes.h>
#include <string.h>

#include <libsmartcols.h>

#define STREAM_BUF  (64 * 1024)
#define CELL_MAX    512	 /* longest cell that is not text */
#define ROW_RESERVE 8192 /* a row is cut to this; no row of ours comes near */

/* After a failed call of stdio. */
static int stdio_error(void)
{
	return errno ? -errno : -EIO;
}

/* ---- text ---- */

/* Length of the valid UTF-8 sequence of printable characters at p, or 0. */
static size_t utf8_len(const unsigned char *p)
{
	size_t n;

	if (p[0] < 0x80)
		return p[0] >= 0x20 && p[0] != 0x7f;
	n = p[0] >= 0xf0 && p[0] <= 0xf4 ? 4 : p[0] >= 0xe0 && p[0] < 0xf0 ? 3 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if (n == 2 && p[0] == 0xc2 && p[1] < 0xa0) /* C1 controls */
		return 0;
	if (n == 3 && ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0)))
		return 0;
	if (n == 4 && ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90)))
		return 0;
	return n;
}

static const char hex_digits[] = "0123456789abcdef";

char *out_printable(const char *text, char *buf, size_t size)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t used = 0;

	while (*p) {
		size_t n = utf8_len(p);

		if (used + (n ? n : 4) + 1 > size)
			break;
		if (n) {
			memcpy(buf + used, p, n);
			used += n;
			p += n;
		} else {
			buf[used++] = '\\';
			buf[used++] = 'x';
			buf[used++] = hex_digits[*p >> 4];
			buf[used++] = hex_digits[*p & 15];
			p++;
		}
	}
	buf[used] = '\0';
	return buf;
}

/* ---- a row's bytes ---- */

struct cursor {
	char *p, *end;
};

static void put_char(struct cursor *c, char ch)
{
	if (c->p < c->end)
		*c->p++ = ch;
}

static void put_text(struct cursor *c, const char *s, size_t len)
{
	len = MIN(len, (size_t)(c->end - c->p));
	memcpy(c->p, s, len);
	c->p += len;
}

static void put_str(struct cursor *c, const char *s)
{
	put_text(c, s, strlen(s));
}

static void put_u64(struct cursor *c, uint64_t v)
{
	char digits[20];
	int n = 0;

	do
		digits[sizeof(digits) - ++n] = (char)('0' + v % 10);
	while (v /= 10);
	put_text(c, digits + sizeof(digits) - n, (size_t)n);
}

static void put_hex(struct cursor *c, uint64_t v)
{
	char digits[16];
	int n = 0;

	do
		digits[sizeof(digits) - ++n] = hex_digits[v & 15];
	while (v >>= 4);
	put_text(c, "0x", 2);
	put_text(c, digits + sizeof(digits) - n, (size_t)n);
}

static void put_printable(struct cursor *c, const char *s)
{
	const char *p = s;

	while (*p >= 0x20 && *p < 0x7f)
		p++;
	if (!*p) {
		put_text(c, s, (size_t)(p - s));
		return;
	}
	out_printable(s, c->p, (size_t)(c->end - c->p));
	c->p += strlen(c->p);
}

/* Invalid bytes become U+FFFD in JSON, as text must be UTF-8 there. */
static void put_json_str(struct cursor *c, const char *s)
{
	const unsigned char *p = (const unsigned char *)s;

	put_char(c, '"');
	while (*p) {
		size_t n = utf8_len(p);

		if (*p == '"' || *p == '\\') {
			put_char(c, '\\');
			put_char(c, (char)*p++);
		} else if (n) {
			put_text(c, (const char *)p, n);
			p += n;
		} else if (*p < 0x20 || *p == 0x7f) {
			put_text(c, "\\u00", 4);
			put_char(c, hex_digits[*p >> 4]);
			put_char(c, hex_digits[*p++ & 15]);
		} else {
			put_text(c, "\xef\xbf\xbd", 3);
			p++;
		}
	}
	put_char(c, '"');
}

/* Control bytes are shown as in tables: they are for nobody's terminal, and line ends in cells break readers. */
static void put_csv_str(struct cursor *c, const char *s)
{
	if (!s[strcspn(s, ",\"")]) {
		put_printable(c, s);
		return;
	}
	put_char(c, '"');
	while (*s) {
		size_t n = utf8_len((const unsigned char *)s);
		char one[8] = "";

		if (*s == '"')
			put_char(c, '"');
		memcpy(one, s, MAX(n, 1));
		put_printable(c, one);
		s += MAX(n, 1);
	}
	put_char(c, '"');
}

/* Local time of day. Events come thousands to a second, and localtime_r() is the dear part. */
static void put_clock(struct cursor *c, uint64_t realtime_ns)
{
	static __thread time_t second = -1;
	static __thread char text[16];
	time_t now = (time_t)(realtime_ns / NSEC_PER_SEC);
	unsigned ms = (unsigned)(realtime_ns / NSEC_PER_MSEC % 1000);

	if (now != second) {
		struct tm tm;

		localtime_r(&now, &tm);
		strftime(text, sizeof(text), "%H:%M:%S", &tm);
		second = now;
	}
	put_str(c, text);
	put_char(c, '.');
	put_char(c, (char)('0' + ms / 100));
	put_char(c, (char)('0' + ms / 10 % 10));
	put_char(c, (char)('0' + ms % 10));
}

/* One value, as machines read it (human = false) or as a table shows it. */
static void put_val(struct cursor *c, const struct out_col *col, const struct out_val *v,
		    enum out_format format)
{
	bool human = format == OUT_TABLE, json = format == OUT_JSON || format == OUT_PRETTY;
	char text[64];

	if (!v->set) {
		put_str(c, json ? "null" : format == OUT_CSV ? "" : "-");
		return;
	}
	switch (col->type) {
	case OUT_BYTES:
		if (human) {
			put_str(c, format_size(v->u, text));
			break;
		}
		put_u64(c, v->u);
		break;
	case OUT_NS:
		if (human) {
			put_str(c, format_duration(v->u, text));
			break;
		}
		put_u64(c, v->u);
		break;
	case OUT_TIME:
		if (human) {
			put_clock(c, v->u);
			break;
		}
		put_u64(c, v->u);
		break;
	case OUT_U64:
		put_u64(c, v->u);
		break;
	case OUT_I64:
		if (v->i < 0)
			put_char(c, '-');
		put_u64(c, v->i < 0 ? -(uint64_t)v->i : (uint64_t)v->i);
		break;
	case OUT_HEX:
		if (json)
			put_char(c, '"');
		put_hex(c, v->u);
		if (json)
			put_char(c, '"');
		break;
	case OUT_F64:
		snprintf(text, sizeof(text), "%.3f", v->f);
		put_str(c, text);
		break;
	case OUT_BOOL:
		put_str(c, human ? (v->u ? "yes" : "no") : v->u ? "true" : "false");
		break;
	case OUT_STR:
		if (json)
			put_json_str(c, v->s);
		else if (format == OUT_CSV)
			put_csv_str(c, v->s);
		else
			put_printable(c, v->s);
		break;
	}
}

static bool shown(const struct out_col *col, enum out_format format, bool wide, bool kv_all)
{
	if (col->flags & OUT_OFF || (col->flags & OUT_TABLE_ONLY && format != OUT_TABLE))
		return false;
	if (format == OUT_TABLE)
		return !(col->flags & OUT_NOT_TABLE) && (wide || !(col->flags & OUT_WIDE));
	if (format == OUT_KV)
		return kv_all || (col->flags & (OUT_IN_KV | OUT_TAG));
	return true;
}

static bool wants_all_in_kv(const struct out_col *cols, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (cols[i].flags & OUT_IN_KV)
			return false;
	return true;
}

static bool is_text(const struct out_col *col)
{
	return col->type == OUT_STR || col->type == OUT_HEX || col->type == OUT_TIME;
}

static void pad(struct cursor *c, char *start, int width, bool right)
{
	int len = (int)(c->p - start), n = width - len;

	if (n <= 0 || c->end - c->p < n)
		return;
	if (right) {
		memmove(start + n, start, (size_t)len);
		memset(start, ' ', (size_t)n);
	} else {
		memset(c->p, ' ', (size_t)n);
	}
	c->p += n;
}

/* Tables have no spaces at the end of lines. */
static void end_line(struct cursor *c, const char *start, enum out_format format)
{
	if (format == OUT_TABLE)
		while (c->p > start && c->p[-1] == ' ')
			c->p--;
	put_char(c, '\n');
}

static void put_row(struct cursor *c, const struct out_col *cols, size_t n_cols,
		    const struct out_val *vals, enum out_format format, bool wide, bool kv_all)
{
	const char *row = c->p;
	bool first = true;

	if (format == OUT_JSON || format == OUT_PRETTY)
		put_char(c, '{');
	for (size_t i = 0; i < n_cols; i++) {
		const struct out_col *col = &cols[i];
		char *start;

		if (!shown(col, format, wide, kv_all))
			continue;
		if (format == OUT_KV && !vals[i].set && kv_all)
			continue;
		if (!first)
			put_char(c, format == OUT_TABLE || format == OUT_KV ? ' ' : ',');
		first = false;
		if (format == OUT_JSON || format == OUT_PRETTY) {
			put_char(c, '"');
			put_str(c, col->key);
			put_text(c, "\":", 2);
		} else if (format == OUT_KV && !(col->flags & OUT_TAG)) {
			put_str(c, col->key);
			put_char(c, '=');
		}
		start = c->p;
		put_val(c, col, &vals[i], format);
		if (format == OUT_TABLE)
			pad(c, start, col->width, !is_text(col));
	}
	if (format == OUT_JSON || format == OUT_PRETTY)
		put_char(c, '}');
	end_line(c, row, format);
}

static void put_heading(struct cursor *c, const struct out_col *cols, size_t n_cols,
			enum out_format format, bool wide)
{
	const char *line = c->p;
	bool first = true;

	for (size_t i = 0; i < n_cols; i++) {
		char *start;

		if (!shown(&cols[i], format, wide, false))
			continue;
		if (!first)
			put_char(c, format == OUT_CSV ? ',' : ' ');
		first = false;
		start = c->p;
		put_str(c, format == OUT_CSV ? cols[i].key : cols[i].title);
		if (format == OUT_TABLE)
			pad(c, start, cols[i].width, !is_text(&cols[i]));
	}
	end_line(c, line, format);
}

/* ---- streams ---- */

int out_stream_init(struct out_stream *s, int fd, enum out_format format, bool wide,
		    const struct out_col *cols, size_t n_cols)
{
	struct cursor c;

	*s = (struct out_stream){
		.fd = fd,
		.format = format,
		.wide = wide,
		.kv_all = wants_all_in_kv(cols, n_cols),
		.cols = cols,
		.n_cols = n_cols,
		.buf = malloc(STREAM_BUF),
	};
	if (!s->buf)
		return -ENOMEM;
	if (format != OUT_TABLE && format != OUT_CSV)
		return 0;
	c = (struct cursor){ s->buf, s->buf + STREAM_BUF };
	put_heading(&c, cols, n_cols, format, wide);
	s->used = (size_t)(c.p - s->buf);
	return out_stream_flush(s);
}

int out_stream_flush(struct out_stream *s)
{
	size_t done = 0;

	while (!s->err && done < s->used) {
		ssize_t n = write(s->fd, s->buf + done, s->used - done);

		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			s->err = -errno;
	}
	s->used = 0;
	return s->err;
}

static struct cursor stream_cursor(struct out_stream *s)
{
	if (STREAM_BUF - s->used < ROW_RESERVE)
		out_stream_flush(s);
	return (struct cursor){ s->buf + s->used, s->buf + s->used + ROW_RESERVE - 1 };
}

int out_stream_row(struct out_stream *s, const struct out_val *vals)
{
	struct cursor c;

	if (s->err)
		return s->err;
	c = stream_cursor(s);
	put_row(&c, s->cols, s->n_cols, vals, s->format, s->wide, s->kv_all);
	s->used = (size_t)(c.p - s->buf);
	return s->err;
}

int out_stream_json(struct out_stream *s, json_object *obj)
{
	bool pretty = s->format == OUT_PRETTY;
	const char *text;
	size_t len;

	text = json_object_to_json_string_length(
		obj, JSON_C_TO_STRING_NOSLASHESCAPE | (pretty ? JSON_C_TO_STRING_PRETTY : 0), &len);
	if (!text)
		return s->err ? s->err : -ENOMEM;
	out_stream_flush(s);
	while (len > 0 && !s->err) {
		size_t n = MIN(len, (size_t)STREAM_BUF - 1);

		memcpy(s->buf, text, n);
		s->used = n;
		text += n;
		len -= n;
		if (!len)
			s->buf[s->used++] = '\n';
		out_stream_flush(s);
	}
	return s->err;
}

void out_stream_release(struct out_stream *s)
{
	free(s->buf);
	s->buf = NULL;
}

/* ---- sheets ---- */

struct out_sheet {
	const struct out_col *cols;
	size_t n_cols, n_rows, room;
	struct out_val *vals; /* n_rows × n_cols; text is owned */
};

struct out_sheet *out_sheet_new(const struct out_col *cols, size_t n_cols)
{
	struct out_sheet *sheet = calloc(1, sizeof(*sheet));

	if (!sheet)
		return NULL;
	sheet->cols = cols;
	sheet->n_cols = n_cols;
	return sheet;
}

void out_sheet_free(struct out_sheet *sheet)
{
	if (!sheet)
		return;
	for (size_t i = 0; i < sheet->n_rows * sheet->n_cols; i++)
		if (sheet->cols[i % sheet->n_cols].type == OUT_STR && sheet->vals[i].set)
			free((char *)sheet->vals[i].s);
	free(sheet->vals);
	free(sheet);
}

void out_sheet_freep(struct out_sheet **sheet)
{
	out_sheet_free(*sheet);
}

size_t out_sheet_rows(const struct out_sheet *sheet)
{
	return sheet->n_rows;
}

int out_sheet_add(struct out_sheet *sheet, const struct out_val *vals)
{
	struct out_val *row;

	if (sheet->n_rows == sheet->room) {
		size_t room = sheet->room ? sheet->room * 2 : 16;
		void *grown = reallocarray(sheet->vals, room * sheet->n_cols, sizeof(*vals));

		if (!grown)
			return -ENOMEM;
		sheet->vals = grown;
		sheet->room = room;
	}
	row = sheet->vals + sheet->n_rows * sheet->n_cols;
	memcpy(row, vals, sheet->n_cols * sizeof(*vals));
	for (size_t i = 0; i < sheet->n_cols; i++) {
		if (sheet->cols[i].type != OUT_STR || !row[i].set)
			continue;
		row[i].s = strdup(vals[i].s);
		if (!row[i].s) {
			while (i-- > 0)
				if (sheet->cols[i].type == OUT_STR && row[i].set)
					free((char *)row[i].s);
			return -ENOMEM;
		}
	}
	sheet->n_rows++;
	return 0;
}

static int sheet_fill_table(const struct out_sheet *sheet, struct libscols_table *table, bool wide)
{
	char text[ROW_RESERVE];

	for (size_t i = 0; i < sheet->n_cols; i++) {
		const struct out_col *col = &sheet->cols[i];

		if (shown(col, OUT_TABLE, wide, false) &&
		    !scols_table_new_column(table, col->title, 0, is_text(col) ? 0 : SCOLS_FL_RIGHT))
			return -ENOMEM;
	}
	for (size_t r = 0; r < sheet->n_rows; r++) {
		struct libscols_line *line = scols_table_new_line(table, NULL);
		size_t at = 0;

		if (!line)
			return -ENOMEM;
		for (size_t i = 0; i < sheet->n_cols; i++) {
			struct cursor c = { text, text + sizeof(text) - 1 };

			if (!shown(&sheet->cols[i], OUT_TABLE, wide, false))
				continue;
			put_val(&c, &sheet->cols[i], &sheet->vals[r * sheet->n_cols + i], OUT_TABLE);
			*c.p = '\0';
			if (scols_line_set_data(line, at++, text))
				return -ENOMEM;
		}
	}
	return 0;
}

static int sheet_print_table(const struct out_sheet *sheet, FILE *f, bool wide)
{
	struct libscols_table *table = scols_new_table();
	char *text = NULL;
	int err;

	if (!table)
		return -ENOMEM;
	err = sheet_fill_table(sheet, table, wide);
	if (!err && scols_print_table_to_string(table, &text))
		err = -ENOMEM;
	if (!err && text && (fputs(text, f) == EOF || fputc('\n', f) == EOF))
		err = stdio_error();
	free(text);
	scols_unref_table(table);
	return err;
}

int out_sheet_print(const struct out_sheet *sheet, FILE *f, enum out_format format, bool wide)
{
	bool kv_all = wants_all_in_kv(sheet->cols, sheet->n_cols);
	char text[ROW_RESERVE];
	struct cursor c;

	if (format == OUT_JSON || format == OUT_PRETTY)
		return -EINVAL;
	if (format == OUT_TABLE)
		return sheet_print_table(sheet, f, wide);
	if (format == OUT_CSV) {
		c = (struct cursor){ text, text + sizeof(text) - 1 };
		put_heading(&c, sheet->cols, sheet->n_cols, format, wide);
		fwrite(text, 1, (size_t)(c.p - text), f);
	}
	for (size_t r = 0; r < sheet->n_rows; r++) {
		c = (struct cursor){ text, text + sizeof(text) - 1 };
		put_row(&c, sheet->cols, sheet->n_cols, sheet->vals + r * sheet->n_cols, format, wide,
			kv_all);
		fwrite(text, 1, (size_t)(c.p - text), f);
	}
	return ferror(f) ? -EIO : 0;
}

json_object *out_json_f64(double v)
{
	char text[CELL_MAX];

	snprintf(text, sizeof(text), "%.3f", v);
	return json_object_new_double_s(v, text);
}

static json_object *val_json(const struct out_col *col, const struct out_val *v)
{
	char text[CELL_MAX];

	switch (col->type) {
	case OUT_U64:
	case OUT_BYTES:
	case OUT_NS:
	case OUT_TIME:
		return json_object_new_uint64(v->u);
	case OUT_I64:
		return json_object_new_int64(v->i);
	case OUT_BOOL:
		return json_object_new_boolean(v->u != 0);
	case OUT_F64:
		return out_json_f64(v->f);
	case OUT_HEX:
		snprintf(text, sizeof(text), "0x%" PRIx64, v->u);
		return json_object_new_string(text);
	case OUT_STR: {
		struct cursor c = { text, text + sizeof(text) - 1 };

		/* json-c escapes; what it must be given is valid UTF-8 */
		put_printable(&c, v->s);
		return json_object_new_string_len(text, (int)(c.p - text));
	}
	}
	return NULL;
}

json_object *out_sheet_json(const struct out_sheet *sheet)
{
	json_object *array = json_object_new_array();

	for (size_t r = 0; array && r < sheet->n_rows; r++) {
		json_object *row = json_object_new_object();

		for (size_t i = 0; i < sheet->n_cols; i++) {
			const struct out_val *v = &sheet->vals[r * sheet->n_cols + i];

			if (shown(&sheet->cols[i], OUT_JSON, false, false))
				json_object_object_add(row, sheet->cols[i].key,
						       v->set ? val_json(&sheet->cols[i], v) : NULL);
		}
		json_object_array_add(array, row);
	}
	return array;
}

int out_json(FILE *f, json_object *obj, bool pretty)
{
	const char *text = json_object_to_json_string_ext(
		obj, JSON_C_TO_STRING_NOSLASHESCAPE | (pretty ? JSON_C_TO_STRING_PRETTY : 0));

	if (!text)
		return -ENOMEM;
	return fputs(text, f) == EOF || fputc('\n', f) == EOF ? stdio_error() : 0;
}
