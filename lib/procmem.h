/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * procmem: a sample of the anonymous memory of a running process.
 *
 * The process is neither stopped nor changed: nothing is written to it, pages in swap stay there,
 * pages that were never touched stay untouched, and nothing goes to disk. A page that the process
 * writes meanwhile may be half old and half new.
 *
 * Which pages: of all private mappings, those that are present and no longer the file's
 * (/proc/PID/pagemap, documented in Documentation/admin-guide/mm/pagemap.rst). Every VMA gives its
 * share of a sample: windows of 64 KiB are taken at even distances through all present pages.
 * Within a window pages keep their order, so that 16 and 64 KiB chunks are made of real neighbours.
 *
 * Functions return 0 or a negative errno; ret_ outputs are untouched on failure. Thread-safe.
 */
#ifndef MEMSCOPE_LIB_PROCMEM_H
#define MEMSCOPE_LIB_PROCMEM_H

#include <signal.h>
#include <sys/types.h>

#include "lib/base.h"

#define PROCMEM_WINDOW ((size_t)(64 * KiB))

struct procmem_params {
	uint64_t max_bytes; /* of the sample; a multiple of 4 KiB is used */
	uint64_t seed;      /* where the first window is */
	bool by_entries;    /* do as kernels before 6.7 need it: without PAGEMAP_SCAN */
	/* Looked at between windows: non-zero ends the sample there (ret->stopped). May be NULL. */
	const volatile sig_atomic_t *stop;
	/* Called before each window, with the bytes read so far. May be NULL. */
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};

struct procmem_sample {
	unsigned char *data; /* whole pages; free with procmem_release() */
	size_t len;
	uint64_t vmas;          /* private mappings with anonymous pages */
	uint64_t present_bytes; /* anonymous and in memory when the sample began */
	uint64_t swapped_bytes; /* in swap, left there */
	uint64_t failed_bytes;  /* wanted, but gone or unreadable when their turn came */
	bool exited; /* the process ended (or began another program) half-way: len is what was read
			before */
	bool stopped;
	bool no_pagemap; /* pagemap was refused: smaps told which VMAs hold memory, not which pages
			  */
};

/*
 * Reads the sample of pid into memory of its own. -ESRCH: no such process; -EACCES or -EPERM: it
 * may not be read (ptrace access is needed: the same user, or CAP_SYS_PTRACE); -ENODATA: it has no
 * anonymous memory (a kernel thread, for example); -ENOMEM.
 */
int procmem_read(pid_t pid, const struct procmem_params *params, struct procmem_sample *ret);
void procmem_release(struct procmem_sample *s);

#endif
