/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * symbols: what code is at an address of a process, by libdw, or of the kernel, by /proc/kallsyms.
 *
 * The modules of a process are read once, at its first address, and again when an address is in none
 * of them; a process that has gone by then gives no names. Not thread-safe.
 */
#ifndef MEMSCOPE_LIB_SYMBOLS_H
#define MEMSCOPE_LIB_SYMBOLS_H

#include "lib/base.h"

#define SYMBOL_MAX 128

struct symbols;

struct symbols *symbols_new(void); /* NULL: out of memory */
void symbols_free(struct symbols *s);
/* "main+0x12 [bash]", "[libc.so.6]+0x9f2a0", or "[unknown]". Returns buf. */
char *symbols_name(struct symbols *s, uint32_t pid, uint64_t ip, char buf[SYMBOL_MAX]);

#endif
