/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zram: what the kernel says of its zram devices, as old and new kernels say it.
 *
 * Reads /sys/block/zramN (below the sysroot of lib/file.h) and changes nothing. Thread-safe.
 */
#ifndef MEMSCOPE_LIB_ZRAM_H
#define MEMSCOPE_LIB_ZRAM_H

#include "lib/base.h"

#define ZRAM_NAME_MAX	16 /* "zram4294967295" */
#define ZRAM_ALGO_MAX	32
#define ZRAM_MAX_ALGOS	16
#define ZRAM_PRIORITIES 4 /* the first algorithm and up to three for recompression */
#define ZRAM_CONTROL	"/sys/class/zram-control"
/* The kernel's table of a device takes this for each page of its size, used or not, beside mem_used. */
#define ZRAM_ENTRY_BYTES 16

/* What the driver of this device has, by the files that are there. */
enum zram_has {
	ZRAM_HAS_RECOMPRESS = 1, /* recomp_algorithm and recompress: CONFIG_ZRAM_MULTI_COMP, 6.2 */
	ZRAM_HAS_WRITEBACK = 2,	 /* backing_dev and writeback: CONFIG_ZRAM_WRITEBACK */
	ZRAM_HAS_IDLE = 4,
	ZRAM_HAS_PARAMS = 8, /* algorithm_params, 6.12 */
	ZRAM_HAS_COMPACT = 16,
};

/* Numbers of algorithms that are offered and the one that is chosen. */
struct zram_algos {
	size_t n;
	int chosen; /* index, or -1 */
	char name[ZRAM_MAX_ALGOS][ZRAM_ALGO_MAX];
};

/* mm_stat. Kernels before 4.19 give 7 numbers, before 5.13 8, later ones 9. */
struct zram_mm {
	unsigned n_fields;
	uint64_t orig, compr, mem_used, mem_limit, mem_used_max; /* bytes */
	uint64_t same_pages, pages_compacted;
	uint64_t huge_pages;	   /* stored as they are; from 8 fields on */
	uint64_t huge_pages_since; /* ever; from 9 fields on */
};

/* io_stat. failed reads and writes, I/O that was no whole page, slots that swap freed. */
struct zram_io {
	uint64_t failed_reads, failed_writes, invalid_io, notify_free;
};

/* bd_stat, in pages of 4 KiB: on the backing device now, read from it and written to it ever. */
struct zram_bd {
	uint64_t count, reads, writes;
};

/* The block layer's own count, from stat. */
struct zram_block {
	uint64_t reads, writes, discards; /* requests */
};

/* Pages by the flags of debugfs' block_state. */
struct zram_blocks {
	uint64_t pages, same, written_back, huge, idle, recompressed, incompressible;
};

struct zram_device {
	char name[ZRAM_NAME_MAX];
	unsigned id;
	unsigned has; /* enum zram_has */
	bool initialised;
	uint64_t disksize;
	struct zram_algos algos;
	struct zram_algos recomp[ZRAM_PRIORITIES]; /* by priority; [0] is unused; n is 0 when there is none */
	char backing[256];			   /* "" when there is none */
	bool have_mm, have_io, have_bd, have_block;
	struct zram_mm mm;
	struct zram_io io;
	struct zram_bd bd;
	struct zram_block block;
};

/* ---- texts of the kernel; -EINVAL when they are something else ---- */

int zram_parse_mm(const char *text, struct zram_mm *ret);
int zram_parse_io(const char *text, struct zram_io *ret);
int zram_parse_bd(const char *text, struct zram_bd *ret);
int zram_parse_block(const char *text, struct zram_block *ret);
/* "lzo [lz4] zstd" */
int zram_parse_algos(const char *text, struct zram_algos *ret);
/* recomp_algorithm: a line "#1: lzo [zstd]" for each priority; ret has ZRAM_PRIORITIES elements. */
int zram_parse_recomp(const char *text, struct zram_algos *ret);
/* "zram7" or "/dev/zram7". -EINVAL. */
int zram_parse_name(const char *text, unsigned *ret_id);
/* Adds one line of block_state ("  300  75.033841 .wh...") to the counts. */
void zram_count_block(const char *line, struct zram_blocks *b);

/* The chosen name, or "". */
const char *zram_algo(const struct zram_algos *a);
bool zram_offers(const struct zram_algos *a, const char *name);

/* ---- devices ---- */

/* -ENOENT: no such device. What a kernel does not have is left out (have_…, has). */
int zram_read(unsigned id, struct zram_device *ret);
/* All devices by number; *ret is the caller's. -ENOENT: this kernel has no zram (now). */
int zram_read_all(struct zram_device **ret, size_t *ret_n);
/* Counts block_state. -ENOENT: no CONFIG_ZRAM_MEMORY_TRACKING, or debugfs is not mounted; -EACCES. */
int zram_read_blocks(unsigned id, struct zram_blocks *ret);

enum zram_support {
	ZRAM_LOADED,
	ZRAM_LOADABLE,	/* a module of the running kernel, not loaded */
	ZRAM_IN_KERNEL_NOT, /* neither: CONFIG_ZRAM is off */
};
enum zram_support zram_support(void);

/* zswap stands before all swap when it is on. */
bool zswap_enabled(void);

#endif
