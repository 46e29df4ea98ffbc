/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plot: hands a script to gnuplot, which need not be installed.
 */
#ifndef MEMSCOPE_LIB_PLOT_H
#define MEMSCOPE_LIB_PLOT_H

#include "lib/base.h"

/* By the end of the name: "x.svg" and "x.png" can be made. */
bool plot_name_ok(const char *path);

/*
 * Writes the lines that choose the terminal and the output file, with the name quoted, to script:
 * the first thing in it. -EINVAL: !plot_name_ok(path).
 */
int plot_begin(FILE *script, const char *path, unsigned width, unsigned height);
/* text in gnuplot's single quotes. */
void plot_quote(FILE *script, const char *text);

/*
 * Runs gnuplot on the script and waits. -ENOENT: gnuplot is not installed; -EIO: it failed, and
 * ret_message (size bytes, always terminated) has the first line that it complained in. Not to be
 * called with SIGCHLD ignored.
 */
int plot_run(const char *script, size_t len, char *ret_message, size_t size);

#endif
