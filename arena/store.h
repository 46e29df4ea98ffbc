/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store: compressed objects in a log of segments, with cleaning.
 *
 * Knows nothing of pages, codecs or userfaultfd: an object is bytes, an owner (a number that the
 * caller understands) and a place. The caller keeps the place, and serialises what happens to one
 * object: nobody reads, frees or moves an object while another frees it. Everything else may run at
 * once in any number of threads.
 *
 * Functions that take a struct store_head need it for themselves (store_head_get()); the others are
 * thread-safe. All may run inside a signal handler, except store_init(), store_release() and what
 * opens a segment (store_append(), store_clean()): those may map memory. Signals must be blocked in
 * all of them, since a handler that came in between could wait for the thread it interrupted.
 */
#ifndef MEMSCOPE_ARENA_STORE_H
#define MEMSCOPE_ARENA_STORE_H

#include <stdatomic.h>

#include "arena/spin.h"
#include "lib/base.h"

#define STORE_HEADS      16
#define STORE_SLAB_SEGS  64
#define STORE_MAX_SLABS  65536
#define STORE_BUCKETS    64
#define STORE_NONE       UINT32_MAX
#define STORE_OWNER_BITS 47
#define STORE_LEN_MAX    ((1U << 17) - 1)
#define STORE_LOC_BITS   40 /* a place counts units of 8 bytes: 8 TiB */

enum seg_state {
	SEG_UNUSED, /* no memory behind it */
	SEG_FREE,   /* empty, memory resident, next to be opened */
	SEG_OPEN,   /* a head appends to it */
	SEG_FULL,   /* in a bucket and in the age list */
	SEG_CLEANING,
};

struct store_seg {
	/* Bytes of objects not yet freed. While open: counts the unwritten rest as live too. */
	_Atomic uint32_t live;
	_Atomic uint32_t fill; /* where the last object ends; final once full */
	uint32_t counted;      /* not dead, as the totals have it */
	uint32_t prev, next;   /* in the bucket, or in the list of free or unused ones (next) */
	uint32_t older, newer; /* full ones by age */
	uint8_t state;
	uint8_t bucket;
};

struct store_slab {
	uint8_t *mem;
	struct store_seg seg[STORE_SLAB_SEGS];
};

struct store_head {
	struct spin lock;
	uint32_t segno; /* STORE_NONE: none open */
	/* Written by the holder only; store_totals() reads them meanwhile. */
	_Atomic uint32_t fill;
	_Atomic uint32_t resident; /* bytes of the segment that were ever touched */
};

struct store {
	uint32_t seg_shift;
	uint32_t max_segs;
	bool checksum;
	struct store_head heads[STORE_HEADS];
	struct store_head cleaner; /* cleaned objects stay apart from new ones: they live longer */
	_Atomic(struct store_slab *) *slabs;

	struct spin lock; /* guards everything below, and the lists' fields of the segments */
	uint32_t n_segs;  /* ever opened; their slabs exist */
	uint32_t n_open, n_full, n_free, n_unused;
	uint32_t bucket[STORE_BUCKETS];
	uint64_t bucket_map;
	uint32_t free, unused; /* stacks */
	uint32_t oldest, newest;
	/* Of full segments: all, and what is not dead, as last counted. Also read unlocked. */
	_Atomic uint64_t full_bytes, kept_bytes;
	uint64_t cleaned_segs, trimmed_segs;
	_Atomic uint64_t moved_bytes;
};

/* What the caller does with a victim's objects. */
struct store_ops {
	/* Is the object at loc still its owner's? A hint: it may change at once. */
	bool (*live)(void *ctx, uint64_t owner, uint64_t loc);
	/*
	 * Lets the owner point to its copy at `to` instead of `from`, unless it does not point to
	 * `from` any more or is busy: then false.
	 */
	bool (*relocate)(void *ctx, uint64_t owner, uint64_t from, uint64_t to);
	/* Takes the object out of the store (store_free()); false: it is busy. */
	bool (*evict)(void *ctx, uint64_t owner, uint64_t loc);
};

struct store_object {
	const uint8_t *data;
	uint32_t len;
	uint64_t owner;
	bool intact; /* false: the checksum differs; true without checksums */
};

struct store_totals {
	uint64_t resident_bytes; /* memory of the pool that the kernel has given */
	uint64_t used_bytes;     /* objects, live or dead, with their headers */
	uint64_t largest_free; /* the longest object that fits without cleaning, header excluded */
	uint64_t segments, cleaned_segs, moved_bytes, trimmed_segs;
	uint64_t metadata_bytes; /* tables */
};

/*
 * capacity: bytes, at least 4 KiB (-EINVAL); 0: no limit (8 TiB). Segments are 512 KiB, or a
 * sixteenth of the capacity where that is less, at least 4 KiB. -ENOMEM.
 */
int store_init(struct store *s, uint64_t capacity, bool checksum);
/* Objects that are left are gone. Needs the store to itself. */
void store_release(struct store *s);

/* Bytes that an object of len takes in the log. */
size_t store_object_size(const struct store *s, size_t len);
/* The longest object that fits a segment. */
size_t store_max_len(const struct store *s);

/* A head for the calling thread alone; the first that is free, so that few are open. */
struct store_head *store_head_get(struct store *s);
void store_head_put(struct store_head *h);

/* -ENOSPC: at capacity; -ENOMEM. owner < 2^47, 0 < len <= store_max_len(). */
int store_append(struct store *s, struct store_head *h, uint64_t owner, const void *data,
		 size_t len, uint64_t *ret_loc);
/* Valid until the object is freed or moved. check: also compares the checksum. */
struct store_object store_get(const struct store *s, uint64_t loc, bool check);
/* Brings the object's first bytes towards the cache. */
void store_prefetch(const struct store *s, uint64_t loc);
void store_free(struct store *s, uint64_t loc);

/*
 * Is more of the full segments dead than slack_permille of what is not? Half a segment is not
 * enough.
 */
bool store_wants_cleaning(const struct store *s, unsigned slack_permille);
/*
 * Empties the segment that is most dead by moving what is not. -ENOENT: no segment would gain, or
 * another thread is cleaning; -ENOSPC, -ENOMEM: no room to move to.
 */
int store_clean(struct store *s, const struct store_ops *ops, void *ctx);
/* Asks ops->evict for every live object of the oldest segment. -ENOENT: there is none. */
int store_evict_oldest(struct store *s, const struct store_ops *ops, void *ctx);
/* Gives memory of empty segments back to the kernel, but for `keep` of them. */
void store_trim(struct store *s, uint32_t keep);

struct store_totals store_totals(struct store *s);
/*
 * Tests: compares every segment with its objects (ops->live) and every list with the segments.
 * Nothing else may run. 0, or the line of the check that failed.
 */
int store_check(struct store *s, const struct store_ops *ops, void *ctx);

#endif
