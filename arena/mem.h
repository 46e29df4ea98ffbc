/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mem: every allocation of the engine, so that a test can make any one of them fail.
 *
 * Thread-safe; not for signal handlers. Memory is zeroed. NULL means -ENOMEM.
 */
#ifndef MEMSCOPE_ARENA_MEM_H
#define MEMSCOPE_ARENA_MEM_H

#include "lib/base.h"

/* From the heap; free() it. */
void *mem_zalloc(size_t size);
/* Whole pages from the kernel, resident as they are touched, in small pages only. */
void *mem_map(size_t len);
void mem_unmap(void *p, size_t len);
/* False when the allocation that is about to be made elsewhere (a codec) must be treated as failed.
 */
bool mem_may_allocate(void);
/*
 * Tests: the nth allocation from now on fails (0: the next one), and those after it work again.
 * A negative n: none fails. Returns what was left of the last count: negative when it has failed.
 */
long mem_fail_nth(long n);

#endif
