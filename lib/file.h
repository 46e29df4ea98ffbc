/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * file: small files of /proc, /sys and cgroups, read and written whole.
 *
 * dir and name are joined by a slash. file_set_sysroot() puts a directory before every absolute dir
 * that begins with /proc or /sys, so that tests read captured trees; it is meant to be called once, at
 * the start. Otherwise thread-safe.
 */
#ifndef MEMSCOPE_LIB_FILE_H
#define MEMSCOPE_LIB_FILE_H

#include "lib/base.h"

void file_set_sysroot(const char *root); /* borrowed; NULL or "": none */
/* dir below the sysroot, in buf. */
const char *file_under_sysroot(const char *path, char *buf, size_t size);

/* Text without the newline at its end, cut to size - 1 bytes. Negative errno of open or read. */
int file_read_at(const char *dir, const char *name, char *buf, size_t size);
/* A decimal number. -EINVAL when it is something else. */
int file_read_u64(const char *dir, const char *name, uint64_t *ret);
/* One write(2) of the text. */
int file_write_at(const char *dir, const char *name, const char *text);
/*
 * All of a file of any length, as text that the caller frees.
 */
int file_read_all(const char *dir, const char *name, char **ret_text);

/* The number after "key" at the start of a line ("pgfault 123", "VmSwap:  12 kB"). -ENOENT. */
int text_find_u64(const char *text, const char *key, uint64_t *ret);

#endif
