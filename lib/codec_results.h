/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * codec_results: the columns of a sweep, one table for writing and for reading them back.
 *
 * The keys are the CSV headings and the JSON names; the man page of codec sweep explains them.
 * Reading takes any order of columns and ignores what it does not know.
 */
#ifndef MEMSCOPE_LIB_CODEC_RESULTS_H
#define MEMSCOPE_LIB_CODEC_RESULTS_H

#include "lib/codec_bench.h"
#include "lib/out.h"
#include "lib/rank.h"

#define CODEC_RESULT_COLS   36
#define CODEC_RESULT_SCHEMA "memscope.codec-sweep/1"

/* The columns in order, for a sheet. Static data. */
const struct out_col *codec_result_cols(void);
/* The values of one result; strings are borrowed from it. partial marks rows of a sweep cut short.
 */
void codec_result_vals(const struct bench_result *r, bool partial,
		       struct out_val vals[CODEC_RESULT_COLS]);

struct codec_results {
	struct bench_result *rows;
	size_t n;
	bool partial; /* the sweep was cut short */
};

/* Where and why a text could not be read. */
struct codec_results_error {
	size_t record;       /* from 1; 0: the text as a whole */
	const char *column;  /* a key, or NULL */
	const char *problem; /* static text */
};

/*
 * Reads what codec sweep wrote with --csv or --json (told apart by the first character). -EBADMSG
 * with *ret_error filled; -ENOMEM. Free with codec_results_release(). Thread-safe.
 */
int codec_results_read(const char *text, size_t len, struct codec_results *ret,
		       struct codec_results_error *ret_error);
int codec_results_add(struct codec_results *r, const struct bench_result *row);
void codec_results_release(struct codec_results *r);

/* "lz4:1", "lz4hc:9", "zstd:3", "zstd:3+dict" */
char *codec_result_label(const struct bench_result *r, char buf[RANK_LABEL_MAX]);
/* A row as rank_run() wants it; packed: count what a pool really uses, where it is known. */
void codec_result_rank(const struct bench_result *r, bool packed, struct rank_entry *ret);

#endif
