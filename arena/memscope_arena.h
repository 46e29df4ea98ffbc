/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memscope/arena.h: memory whose cold pages turn into compressed bytes, behind plain pointers.
 *
 *	struct memscope_arena_options opts;
 *	struct memscope_arena *arena;
 *	void *table;
 *
 *	memscope_arena_options_init(&opts);
 *	memscope_arena_create(&opts, &arena);
 *	memscope_arena_alloc(arena, "table", 1 << 30, 0, &table);
 *	… ordinary loads and stores …
 *	memscope_arena_compress(arena, table, 1 << 30, MEMSCOPE_TIER_WARM, NULL);
 *	… more of them: what is touched comes back …
 *	memscope_arena_free(arena, table);
 *	memscope_arena_destroy(arena);
 *
 * Conventions. Sizes are bytes. Calls return 0 or a negative errno, and leave what ret_ arguments
 * point to untouched on failure. Every call may be made from any thread, also at the same time as
 * any other, unless its description says otherwise; none may be made from a signal handler. The
 * caller owns the arguments; names and options are copied.
 *
 * A region is made of units: pages of 4 KiB, or chunks of 16 or 64 KiB. A unit is compressed and
 * restored whole. An address range that a call takes must lie in one region of that arena (-EINVAL)
 * and means all units that it touches; a length of 0 means none.
 *
 * How a missing unit comes back is chosen per arena:
 *
 *  MEMSCOPE_ACCESS_SIGNAL (the default): userfaultfd delivers the fault as SIGBUS to the thread that
 *    touches the page, and the library's handler restores it there. Fastest, and needs no privilege.
 *    A *system call* that is given such a page fails with EFAULT instead: pin buffers first. Threads
 *    and signal handlers that touch a region must not block SIGBUS. The library chains to the SIGBUS
 *    handler that was installed before the first arena; a handler that the program installs later
 *    must call memscope_arena_sigbus() first. The handler needs some 8 KiB of stack where a thread
 *    uses sigaltstack(2).
 *  MEMSCOPE_ACCESS_THREAD: a thread of the library restores pages; system calls wait as they would
 *    for swap. Slower. Needs CAP_SYS_PTRACE, vm.unprivileged_userfaultfd=1 or access to
 *    /dev/userfaultfd.
 *  MEMSCOPE_ACCESS_EXPLICIT: no userfaultfd. The program pins what it uses: units that are not
 *    pinned may be compressed at any memscope_arena_compress(), and then *read as zeros and lose
 *    what is written to them* until they are touched. memscope_arena_touch() is enough where the program
 *    itself decides when to compress.
 *
 * Rules for the program's own calls on a region's memory. fork(2) is fine: parent and child go on
 * with correct contents (a raw clone(2) or _Fork(3) without CLONE_VM is not: the child has no
 * handler). madvise(MADV_DONTNEED) drops resident pages as usual but does not see compressed ones:
 * use memscope_arena_discard(). munmap(2), mremap(2), mprotect(2), and mlock(2) of a region are not
 * supported: nothing outside the region is harmed, but those pages may become missing for good.
 * Buffers of asynchronous I/O (O_DIRECT, io_uring, RDMA) must be pinned.
 */
#ifndef MEMSCOPE_ARENA_H
#define MEMSCOPE_ARENA_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef MEMSCOPE_API
#define MEMSCOPE_API __attribute__((visibility("default")))
#endif

struct memscope_arena;

enum memscope_access {
	MEMSCOPE_ACCESS_SIGNAL,
	MEMSCOPE_ACCESS_THREAD,
	MEMSCOPE_ACCESS_EXPLICIT,
};

/* How units leave a region without losing a store that races with compression. */
enum memscope_eviction {
	MEMSCOPE_EVICT_AUTO,  /* MOVE where the kernel has it, else REMAP */
	MEMSCOPE_EVICT_MOVE,  /* UFFDIO_MOVE, Linux 6.8 */
	MEMSCOPE_EVICT_REMAP, /* mremap(MREMAP_DONTUNMAP), Linux 5.7 */
};

/* What memscope_arena_compress() does when the pool is at its capacity. */
enum memscope_when_full {
	MEMSCOPE_FULL_REFUSE,         /* leaves the unit resident */
	MEMSCOPE_FULL_RESTORE_OLDEST, /* decompresses what was compressed longest ago, to make room
				       */
};

/* How hard to compress: the colder, the smaller, and the slower to come back. */
enum memscope_tier {
	MEMSCOPE_TIER_WARM, /* LZ4 */
	MEMSCOPE_TIER_COOL, /* zstd, level -1 */
	MEMSCOPE_TIER_COLD, /* zstd, level 1 */
};

enum memscope_arena_flags {
	/* Keep 8 bytes of checksum with each object, and compare them before it is used. */
	MEMSCOPE_ARENA_CHECKSUM = 1,
};

enum memscope_region_flags {
	MEMSCOPE_REGION_CHUNK_16K = 1,
	MEMSCOPE_REGION_CHUNK_64K = 2,
};

enum memscope_advice {
	MEMSCOPE_ADVICE_NORMAL,     /* a fault after its predecessor restores some units more */
	MEMSCOPE_ADVICE_SEQUENTIAL, /* each fault restores 64 KiB */
	MEMSCOPE_ADVICE_RANDOM,     /* each fault restores one unit */
};

enum memscope_phase {
	MEMSCOPE_PHASE_NORMAL, /* compressing also cleans the pool: under 5 % of it is dead */
	MEMSCOPE_PHASE_ACTIVE, /* the program is busy: cleaning waits until a quarter is dead */
	MEMSCOPE_PHASE_IDLE, /* nothing urgent: clean and give memory back now, and keep it tight */
};

struct memscope_arena_options {
	/* Of the pool of compressed bytes; 0: no limit. At least 4096. */
	uint64_t capacity_bytes;
	enum memscope_access access;
	enum memscope_eviction eviction;
	enum memscope_when_full when_full;
	/* A unit that compresses by less stays as it is. 1 to 95. */
	unsigned min_savings_pct;
	unsigned flags; /* of enum memscope_arena_flags */
	/*
	 * Called when the contents of a unit cannot be restored (-EBADMSG: corrupt, -ENOMEM), from
	 * the place that needs them: for a load or store in a signal handler, just before the
	 * SIGBUS goes on to the program's own handler or kills it. Must be async-signal-safe. May
	 * be NULL.
	 */
	void (*on_lost)(void *ctx, void *unit, int error);
	void *on_lost_ctx;
};

struct memscope_compress_result {
	uint64_t tried_bytes;    /* units that were resident, or of a warmer tier */
	uint64_t admitted_bytes; /* of them, those that are compressed now */
	uint64_t stored_bytes;   /* what they take without headers */
	uint64_t same_bytes;     /* admitted because they are one word repeated: nothing stored */
	uint64_t stubborn_bytes; /* do not compress enough; of them unchanged_bytes not tried again
				  */
	uint64_t unchanged_bytes;
	uint64_t pinned_bytes;
	uint64_t busy_bytes; /* touched meanwhile, locked by another thread, or in use by the kernel
			      */
	uint64_t full_bytes; /* no room */
};

/* Counters run from memscope_arena_create(); "now" marks those that are a state. */
struct memscope_arena_stats {
	uint64_t regions, region_bytes; /* now */
	/* Compression */
	uint64_t attempted_bytes; /* length of the ranges given to memscope_arena_compress() */
	uint64_t tried_bytes, admitted_bytes, same_bytes, recompressed_bytes;
	uint64_t rejected_stubborn_bytes, rejected_unchanged_bytes, rejected_pinned_bytes,
		rejected_busy_bytes, rejected_full_bytes, cancelled_bytes;
	uint64_t compress_ops, decompress_ops;
	uint64_t compress_ns; /* wall time inside memscope_arena_compress(), all threads */
	/* The pool, now */
	uint64_t logical_bytes;           /* of units that are compressed */
	uint64_t logical_same_bytes;      /* of them, those that need no payload */
	uint64_t compressed_bytes;        /* their payload */
	uint64_t pool_live_bytes;         /* payload with headers and rounding */
	uint64_t pool_resident_bytes;     /* memory of the pool */
	uint64_t pool_free_bytes;         /* of it: empty and ready to be filled */
	uint64_t pool_dead_bytes;         /* of it: freed, and not cleaned yet */
	uint64_t pool_largest_free_bytes; /* the longest payload that fits without cleaning */
	uint64_t metadata_bytes; /* tables that grow with regions and pool, touched or not */
	uint64_t fixed_bytes;    /* codecs and buffers, shared by all arenas of the process */
	/* Upkeep */
	uint64_t compactions, compacted_bytes, trimmed_segments;
	uint64_t evicted_bytes; /* restored to make room */
	/* Access */
	uint64_t faults;        /* loads, stores and system calls that found a missing page */
	uint64_t hits_resident; /* of touches and pins; loads and stores cost nothing, uncounted */
	uint64_t hits_compressed;   /* of touches, pins and faults */
	uint64_t first_touch_bytes; /* came to be as zeros */
	uint64_t around_bytes;      /* restored along with a neighbour */
	uint64_t lost_units;        /* could not be restored */
	/*
	 * Time inside the library, where a compressed unit had to be restored. A fault's way into
	 * it and back (a signal: some 3 us) comes on top.
	 */
	uint64_t stalls, stall_p50_ns, stall_p95_ns, stall_p99_ns, stall_p999_ns, stall_max_ns;
	uint64_t stall_log2[40]; /* how many took 2^i to 2^(i+1)-1 ns */
};

struct memscope_region_info {
	void *addr;
	size_t bytes;
	size_t unit_bytes;
	char name[32];
};

/* The defaults: SIGNAL, AUTO, REFUSE, 5 % savings, no limit, no flags. */
MEMSCOPE_API void memscope_arena_options_init(struct memscope_arena_options *opts);

/*
 * opts may be NULL for the defaults. -EINVAL: a value out of range; -EPERM: userfaultfd is refused
 * (for THREAD see above; SIGNAL needs no privilege but may be filtered by a sandbox: EXPLICIT is
 * left); -ENOSYS, -EOPNOTSUPP: the kernel lacks userfaultfd or the eviction asked for; -ENOMEM,
 * -EMFILE.
 */
MEMSCOPE_API int memscope_arena_create(const struct memscope_arena_options *opts,
				       struct memscope_arena **ret_arena);
/*
 * Frees its regions and everything else. No other call on this arena and no access to its memory
 * may be under way. NULL does nothing. -EINVAL: not an arena (destroyed twice). -ENOMEM:
 * some regions may be left, try again.
 */
MEMSCOPE_API int memscope_arena_destroy(struct memscope_arena *arena);

/*
 * A new region of at least `bytes` (rounded up to whole units), all zeros, aligned to its unit, not
 * resident. name (may be NULL) is cut to 31 bytes. flags: of enum memscope_region_flags, at most
 * one. -EINVAL: 0 bytes, more than 2^31 units, bad flags; -ENOSPC: a chunk is larger than a segment
 * of a small pool; -ENOMEM: address space; -EMFILE: 65535 regions exist.
 */
MEMSCOPE_API int memscope_arena_alloc(struct memscope_arena *arena, const char *name, size_t bytes,
				      unsigned flags, void **ret_addr);
/*
 * addr: as memscope_arena_alloc() gave it. The program must not touch the region any more; calls on
 * it in other threads end first or fail. -EINVAL: not a region of this arena, or freed already.
 * -ENOMEM: nothing has happened, try again.
 */
MEMSCOPE_API int memscope_arena_free(struct memscope_arena *arena, void *addr);
/* The region that holds addr. -EINVAL: none of this arena. */
MEMSCOPE_API int memscope_arena_region(struct memscope_arena *arena, const void *addr,
				       struct memscope_region_info *ret_info);

/*
 * Makes the range resident. -EBADMSG: a unit is corrupt; -ENOMEM. On failure some units may have
 * been restored.
 */
MEMSCOPE_API int memscope_arena_touch(struct memscope_arena *arena, const void *addr, size_t len);
/* The same, in batches, and not counted as a stall. */
MEMSCOPE_API int memscope_arena_prefetch(struct memscope_arena *arena, const void *addr,
					 size_t len);
/*
 * Makes the range resident and keeps it so until memscope_arena_unpin() of the same range; nests up
 * to 4095 deep (-EOVERFLOW). On failure nothing stays pinned.
 */
MEMSCOPE_API int memscope_arena_pin(struct memscope_arena *arena, const void *addr, size_t len);
/* -EINVAL: some unit of the range is not pinned; then nothing was changed for it and those after
 * it. */
MEMSCOPE_API int memscope_arena_unpin(struct memscope_arena *arena, const void *addr, size_t len);
/* The contents are not needed any more: reads as zeros from now on. -EBUSY: units are pinned
 * (kept). */
MEMSCOPE_API int memscope_arena_discard(struct memscope_arena *arena, void *addr, size_t len);

/*
 * Compresses the resident units of the range now, and units compressed for a warmer tier again.
 * Loads and stores of other threads go on meanwhile: a unit that is touched stays, or comes back at
 * once. ret_result may be NULL. Units that cannot be compressed are no error. -EINVAL: bad tier;
 * -ENOMEM: no memory for the pool, some units are left as they were (the result is filled in).
 */
MEMSCOPE_API int memscope_arena_compress(struct memscope_arena *arena, void *addr, size_t len,
					 enum memscope_tier tier,
					 struct memscope_compress_result *ret_result);

/* For one region, by any address in it. */
MEMSCOPE_API int memscope_arena_advise(struct memscope_arena *arena, void *addr,
				       enum memscope_advice advice);
MEMSCOPE_API int memscope_arena_phase(struct memscope_arena *arena, enum memscope_phase phase);
/*
 * Moves objects together until less than slack_pct (1 to 100) percent of the pool is dead, and
 * gives the memory back to the kernel. Loads and stores go on meanwhile.
 */
MEMSCOPE_API int memscope_arena_compact(struct memscope_arena *arena, unsigned slack_pct);
/* Decompresses every object and compares checksums. ret_bad: how many units are corrupt; may be
 * NULL. */
MEMSCOPE_API int memscope_arena_verify(struct memscope_arena *arena, uint64_t *ret_bad);

/* ret_size: sizeof(*ret_stats). Fields that a later header has and this library has not are 0. */
MEMSCOPE_API int memscope_arena_stats(struct memscope_arena *arena,
				      struct memscope_arena_stats *ret_stats, size_t ret_size);

/*
 * For a program's own SIGBUS handler that was installed after the first arena: 1 when the fault was
 * one of an arena's and the access can go on, else 0. Async-signal-safe; all signals must be
 * blocked (sigfillset(&sa_mask)). Preserves errno.
 */
MEMSCOPE_API int memscope_arena_sigbus(const siginfo_t *info);

#ifdef __cplusplus
}
#endif

#endif
