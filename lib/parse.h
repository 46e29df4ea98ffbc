/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parse: text into numbers, all of it or none.
 *
 * Every function takes the whole string: "5x", "", " 5" and "0x" are -EINVAL; a number outside
 * [min, max] (or outside its type) is -ERANGE. A leading '-' is -ERANGE for unsigned types, so that
 * "-1" never becomes a huge number. Nothing is written to *ret on failure. Thread-safe.
 */
#ifndef MEMSCOPE_LIB_PARSE_H
#define MEMSCOPE_LIB_PARSE_H

#include "lib/base.h"

int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret);
int parse_i64(const char *s, int64_t min, int64_t max, int64_t *ret);
/* Hexadecimal with or without "0x". */
int parse_hex(const char *s, uint64_t *ret);
/* Finite decimal numbers only; "nan" and "inf" are -EINVAL. */
int parse_double(const char *s, double min, double max, double *ret);
/* Bytes: a number with an optional K, M, G or T (powers of 1024; "KiB", "KB" and "k" too), as in "1.5G". */
int parse_size(const char *s, uint64_t min, uint64_t max, uint64_t *ret);
/* Nanoseconds: a number with ns, us, ms, s, m or h, as in "500ms"; a bare number is seconds. */
int parse_duration(const char *s, uint64_t min_ns, uint64_t max_ns, uint64_t *ret_ns);

/*
 * Text for people, into a caller's buffer (16 bytes are enough), which is returned.
 * format_size: "512", "4.0K", "1.5G" (powers of 1024). format_duration: "850ns", "12.3us", "1.50s".
 */
#define FORMAT_MAX 16
char *format_size(uint64_t bytes, char buf[FORMAT_MAX]);
char *format_duration(uint64_t ns, char buf[FORMAT_MAX]);

#endif
