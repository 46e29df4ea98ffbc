/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * out: rows of results as a table, JSON, CSV or key=value lines, from one description of the columns.
 *
 * Two writers share the description. A stream writes each row at once with a formatter that costs
 * tens of nanoseconds a field (events). A sheet keeps its rows and lays them out at the end
 * (results): aligned by libsmartcols, or as the array of a JSON document.
 *
 * Machine formats print plain integers in the unit that the key names, addresses as "0x…" strings
 * (JSON numbers lose bits above 2^53), null for what is not known. Tables print IEC sizes and short
 * durations. Text is made printable: control bytes and invalid UTF-8 never reach the output raw.
 *
 * Not thread-safe: one thread per stream or sheet.
 */
#ifndef MEMSCOPE_LIB_OUT_H
#define MEMSCOPE_LIB_OUT_H

#include <json-c/json.h>

#include "lib/base.h"

enum out_format {
	OUT_TABLE,
	OUT_JSON,   /* one line per object */
	OUT_PRETTY, /* JSON, indented */
	OUT_CSV,    /* RFC 4180, header once */
	OUT_KV,	    /* key=value lines */
};

enum out_type {
	OUT_U64,
	OUT_I64,
	OUT_HEX,   /* u64 shown as 0x… everywhere */
	OUT_STR,   /* NULL is null */
	OUT_F64,   /* three decimals */
	OUT_BYTES, /* u64; tables show 1.5G */
	OUT_NS,	   /* u64; tables show 12.3us */
	OUT_TIME,  /* u64, ns since 1970; tables show local HH:MM:SS.mmm */
	OUT_BOOL,
};

enum out_flags {
	OUT_TAG = 1,	   /* key=value lines show the bare value: the name of the event */
	OUT_IN_KV = 2,	   /* shown in key=value lines; if no column has it, all are */
	OUT_WIDE = 4,	   /* tables show it only with --wide */
	OUT_NOT_TABLE = 8, /* tables never show it */
	OUT_OFF = 16,	   /* not wanted in this run: shown nowhere */
	OUT_TABLE_ONLY = 32,
};

struct out_col {
	const char *key;   /* name in machine formats, with the unit: "latency_ns" */
	const char *title; /* table heading */
	enum out_type type;
	int width; /* table width in a stream; 0: as it comes */
	unsigned flags;
};

struct out_val {
	bool set; /* false: null */
	union {
		uint64_t u;
		int64_t i;
		double f;
		const char *s; /* borrowed for the length of the call */
	};
};

#define OUT_NULL	((struct out_val){ .set = false })
#define OUT_U(v)	((struct out_val){ .set = true, .u = (v) })
#define OUT_I(v)	((struct out_val){ .set = true, .i = (v) })
#define OUT_F(v)	((struct out_val){ .set = true, .f = (v) })
#define OUT_S(v)	out_str(v)

static inline struct out_val out_str(const char *s)
{
	return s ? (struct out_val){ .set = true, .s = s } : OUT_NULL;
}

/* A stream. Rows gather in a buffer that goes to fd when it is full and at out_stream_flush(). */
struct out_stream {
	int fd;
	enum out_format format;
	bool wide;
	bool kv_all;
	int err; /* first write error (negative errno); later rows are dropped */
	const struct out_col *cols;
	size_t n_cols;
	size_t used;
	char *buf;
};

/* cols must outlive the stream. Writes the heading (table, CSV). -ENOMEM or a write error. */
int out_stream_init(struct out_stream *s, int fd, enum out_format format, bool wide,
		    const struct out_col *cols, size_t n_cols);
/* vals: one per column. Returns the sticky error. */
int out_stream_row(struct out_stream *s, const struct out_val *vals);
/* A whole JSON object as a row of a JSON stream; obj stays the caller's. */
int out_stream_json(struct out_stream *s, json_object *obj);
int out_stream_flush(struct out_stream *s);
void out_stream_release(struct out_stream *s);

/* A sheet. out_sheet_free(NULL) is allowed. */
struct out_sheet;
struct out_sheet *out_sheet_new(const struct out_col *cols, size_t n_cols);
void out_sheet_free(struct out_sheet *sheet);
void out_sheet_freep(struct out_sheet **sheet);
/* Copies the values. -ENOMEM. */
int out_sheet_add(struct out_sheet *sheet, const struct out_val *vals);
size_t out_sheet_rows(const struct out_sheet *sheet);
/* Table, CSV or key=value lines to f. -EINVAL for the JSON formats: use out_sheet_json(). */
int out_sheet_print(const struct out_sheet *sheet, FILE *f, enum out_format format, bool wide);
/* The rows as a new JSON array, owned by the caller; NULL: out of memory. */
json_object *out_sheet_json(const struct out_sheet *sheet);

/* A fraction with three decimals, as OUT_F64 prints it; the caller's. */
json_object *out_json_f64(double v);

/* JSON as one line, or indented; ends with a newline. 0 or the stream's error. */
int out_json(FILE *f, json_object *obj, bool pretty);

/*
 * Copies text into buf (size bytes, always terminated) with control bytes and invalid UTF-8 shown as
 * \xNN. Returns buf.
 */
char *out_printable(const char *text, char *buf, size_t size);

#endif
