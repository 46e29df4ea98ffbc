/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * swaps: /proc/swaps, the header of a swap area, swapon(2) and swapoff(2). Thread-safe.
 */
#ifndef MEMSCOPE_LIB_SWAPS_H
#define MEMSCOPE_LIB_SWAPS_H

#include "lib/base.h"

struct swap_area {
	char path[256]; /* as /proc/swaps has it, octal escapes resolved */
	bool partition; /* a block device, else a file */
	uint64_t size_bytes, used_bytes;
	int priority;
};

/* The areas in the kernel's order. -EINVAL for a text that is none of /proc/swaps. *ret is the caller's. */
int swaps_parse(const char *text, struct swap_area **ret, size_t *ret_n);
int swaps_read(struct swap_area **ret, size_t *ret_n);
/* The area on the device /dev/NAME (also under another name of the same device number), or NULL. */
const struct swap_area *swaps_find(const struct swap_area *areas, size_t n, const char *name);

#define SWAP_UUID_LEN  16
#define SWAP_LABEL_LEN 16
#define SWAP_PAGE_MAX  65536

/*
 * The first page of a swap area of that many bytes, as mkswap(8) writes it, into page (page_size
 * bytes, all of which are set). -EINVAL when the area has fewer than the ten pages that the kernel
 * wants, or the page size is none that the kernel has.
 */
int swap_header_make(void *page, size_t page_size, uint64_t area_bytes, const uint8_t uuid[SWAP_UUID_LEN],
		     const char *label);
/* -EINVAL: no swap header. uuid and label get what it says. */
int swap_header_read(const void *page, size_t page_size, uint8_t uuid[SWAP_UUID_LEN], char label[SWAP_LABEL_LEN + 1]);

/* -1: the kernel chooses the priority. */
int swap_on(const char *path, int priority);
int swap_off(const char *path);

/* A number of /proc/meminfo, in bytes. -ENOENT. */
int meminfo_read(const char *key, uint64_t *ret_bytes);

#endif
