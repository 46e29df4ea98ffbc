/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * input: bytes to measure, all in memory.
 *
 * Files are read, not mapped: a file that shrinks meanwhile gives a shorter input, not a SIGBUS.
 */
#ifndef MEMSCOPE_LIB_INPUT_H
#define MEMSCOPE_LIB_INPUT_H

#include "lib/base.h"

struct input {
	unsigned char *data; /* free with input_release() */
	size_t len;
	bool truncated;         /* there was more than max_len */
	uint64_t missing_bytes; /* a regular file ended this much before the size it had */
};

/*
 * Reads up to max_len bytes from fd to its end: a regular file, a pipe, a device. 0 with len 0 for
 * an empty one. -ENOMEM or what read(2) gives (-EISDIR for a directory). Untouched on failure.
 * Thread-safe.
 */
int input_read(int fd, size_t max_len, struct input *ret);
/* The same for a path. What open(2) gives. */
int input_open(const char *path, size_t max_len, struct input *ret);
void input_release(struct input *in);

#endif
