/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine: what the parts of the arena share. Internal; the program sees memscope_arena.h.
 *
 *	runtime (one a process)            arena                      region
 *	┌────────────────────────┐         ┌──────────────────┐      ┌──────────────────────┐
 *	│ registry: all regions ─┼────────────────────────────┼────> │ base, len, unit      │
 *	│ lanes: codecs, buffers │ <─held─ │ store, counters  │ <─── │ entries (page.h)     │
 *	│ kinds: userfaultfd     │         │ regions by id ───┼────> │ streams of faults    │
 *	└────────────────────────┘         └──────────────────┘      └──────────────────────┘
 *
 *	runtime.c  lanes, registry, descriptors; sigbus.c, handler.c, fork.c: its edges
 *	arena.c    arenas and regions come and go      fault.c  units come back
 *	ops.c      the other public calls              evict.c  units leave
 *
 * A lane is the right to work: who reads the registry, a region, or a store holds one, and only
 * one, except that fork and the end of a region take every lane in turn. That makes lanes do what
 * epochs do elsewhere: when each lane has been free once, nobody has a pointer from before.
 *
 * Lock order: runtime.lock; lane; a page entry (several at once only by page_try_lock()); store
 * head; store.lock. A lane's holder has all signals blocked where its arena's faults are signals or
 * messages, because a handler that touches a missing page would wait for the thread it interrupted;
 * and it touches no memory of a userfaultfd region (in EXPLICIT regions it may).
 */
#ifndef MEMSCOPE_ARENA_ENGINE_H
#define MEMSCOPE_ARENA_ENGINE_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "arena/hist.h"
#include "arena/memscope_arena.h"
#include "arena/page.h"
#include "arena/spin.h"
#include "arena/store.h"
#include "lib/base.h"
#include "lib/codec.h"

#define PAGE_SIZE    ((size_t)4096)
#define LANES_MAX    64
#define TIERS        3
#define BATCH_BYTES  ((size_t)256 * 1024) /* leave a region at once */
#define BATCH_UNITS  (BATCH_BYTES / PAGE_SIZE)
#define AROUND_BYTES ((size_t)64 * 1024) /* come back at once, at most; and the largest unit */
#define STREAMS      8
#define REGIONS_MAX  65536
#define INDEX_BITS   31

enum kind_id {
	KIND_SIGNAL,
	KIND_THREAD,
	KINDS,
	KIND_NONE = KINDS, /* EXPLICIT */
};

/* Where a unit waits to be compressed. */
enum stage_area {
	AREA_MOVE,  /* a userfaultfd range, so that pages can be moved there */
	AREA_REMAP, /* plain memory, replaced by each mremap() */
	AREAS,
};

struct slot {
	uint64_t old;  /* the entry before it was claimed; read by who gives the unit back */
	uint64_t next; /* the entry to publish */
	uint8_t state; /* evict.c */
	uint8_t area;
	_Atomic bool given_back; /* by a toucher */
};

struct lane {
	_Alignas(128) atomic_uint busy;
	unsigned id;
	uint8_t *in, *out; /* decompressed (AROUND_BYTES), compressed (OUT_BYTES) */
	struct codec *codec[TIERS];
	struct slot slots[BATCH_UNITS];
};

/* One userfaultfd for all arenas whose faults arrive in the same way. */
struct kind {
	int fd;
	unsigned users;
	bool can_move;
	uint8_t *stage; /* BATCH_BYTES for each lane */
	pthread_t thread;
	int stop_fd;
};

/* All regions by address. Replaced, never changed. */
struct registry {
	size_t n;
	struct region *regions[];
};

struct runtime {
	pthread_mutex_t lock; /* arenas and regions come and go; the fields below but for lanes */
	struct memscope_arena *arenas;
	unsigned n_lanes;
	bool tier_ready[TIERS];
	uint8_t *buffers;     /* of all lanes */
	uint8_t *remap;       /* AREA_REMAP of all lanes */
	const uint8_t *zeros; /* AROUND_BYTES */
	atomic_bool forked;   /* pages may be shared with another process */
	_Atomic(struct registry *) registry;
	struct kind kinds[KINDS];
	struct lane lanes[LANES_MAX];
};

extern struct runtime runtime;

enum counter {
	N_ATTEMPTED,
	N_TRIED,
	N_ADMITTED,
	N_SAME,
	N_RECOMPRESSED,
	N_STUBBORN,
	N_UNCHANGED,
	N_PINNED,
	N_BUSY,
	N_FULL,
	N_CANCELLED,
	N_COMPRESS_OPS,
	N_DECOMPRESS_OPS,
	N_COMPRESS_NS,
	N_LOGICAL, /* these five go up and down; a lane's part alone means nothing */
	N_LOGICAL_SAME,
	N_PAYLOAD,
	N_OBJECTS_BYTES,
	N_EVICTED,
	N_FAULTS,
	N_HIT_RESIDENT,
	N_HIT_COMPRESSED,
	N_FIRST_TOUCH,
	N_AROUND,
	N_LOST,
	COUNTERS,
};

/* Counted by the holder of the lane alone, read by anyone. */
struct cell {
	_Alignas(128) _Atomic uint64_t n[COUNTERS];
	struct hist stall;
};

struct region {
	struct memscope_arena *arena;
	uint8_t *base;
	size_t len;
	unsigned unit_shift;
	uint32_t n_units;
	uint32_t id;
	enum kind_id kind;
	atomic_uint advice;
	/* No more eviction: it could not be armed again in a forked child. */
	atomic_bool frozen;
	page_entry *entries;
	/* What each of the last threads to fault got: first unit << 8 | how many. */
	_Atomic uint64_t streams[STREAMS];
	char name[32];
};

struct memscope_arena {
	struct memscope_arena *next;
	struct memscope_arena_options opts;
	enum kind_id kind;
	struct store store;
	struct cell *cells; /* one a lane */
	atomic_uint phase;
	uint32_t last_id;
	atomic_uint top_id; /* the highest id that was ever used */
	uint32_t n_regions; /* under runtime.lock */
	uint64_t region_bytes;
	_Atomic(struct region *) *regions; /* by id, from 1 */
};

static inline size_t region_unit(const struct region *r)
{
	return (size_t)1 << r->unit_shift;
}

static inline uint8_t *region_at(const struct region *r, uint32_t unit)
{
	return r->base + ((size_t)unit << r->unit_shift);
}

static inline uint64_t region_owner(const struct region *r, uint32_t unit)
{
	return (uint64_t)r->id << INDEX_BITS | unit;
}

static inline int region_fd(const struct region *r)
{
	return runtime.kinds[r->kind].fd;
}

/* Waiting threads exist only where faults are messages. */
static inline bool region_wakes(const struct region *r)
{
	return r->kind == KIND_THREAD;
}

static inline uint8_t *stage_at(const struct region *r, unsigned lane, enum stage_area area,
				unsigned slot)
{
	uint8_t *base = area == AREA_MOVE ? runtime.kinds[r->kind].stage : runtime.remap;

	return base + lane * BATCH_BYTES + ((size_t)slot << r->unit_shift);
}

static inline void count_add(const struct region *r, const struct lane *ln, enum counter i,
			     uint64_t v)
{
	_Atomic uint64_t *c = &r->arena->cells[ln->id].n[i];

	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + v,
			      memory_order_relaxed);
}

static inline void count_sub(const struct region *r, const struct lane *ln, enum counter i,
			     uint64_t v)
{
	count_add(r, ln, i, -v);
}

/* runtime.c */

/* One user more of the runtime, of the kind's descriptor and of what goes with it. Under the lock.
 */
int runtime_get_locked(enum kind_id kind, bool must_move);
void runtime_put_locked(enum kind_id kind);
/* Makes the codecs of a tier for every lane. -ENOMEM. */
int runtime_enable_tier(unsigned tier);
/* Returns holding a lane. bulk: one that leaves others to short work. */
struct lane *lane_get(bool bulk);
void lane_put(struct lane *ln);
/* Waits until every lane was free once. The caller holds none. */
void lanes_synchronize(void);
/* All lanes at once, for fork. */
void lanes_lock(void);
void lanes_unlock(void);
uint64_t lanes_memory(void);
/* The region that holds addr, or NULL. The caller holds a lane. */
struct region *registry_find(const void *addr);
/* Under the lock, without a lane. -ENOMEM: nothing has changed. */
int registry_add_locked(struct region *r);
int registry_remove_locked(struct region *r);
/* Opens the kind's descriptor and registers its staging area. */
int kind_open(struct kind *k, enum kind_id id, bool must_move);

/* handler.c: the thread for KIND_THREAD. */
int handler_start(struct kind *k);
void handler_stop(struct kind *k);

/* sigbus.c */
int sigbus_install(void);
void sigbus_remove(void);

/* fork.c: from the first call on, for good. */
int fork_install(void);

/* fault.c */

enum fault_flags {
	FAULT_MISSING = 1, /* the kernel says that the page is missing */
	FAULT_AROUND = 2,  /* restore its neighbours, too, where the stream suggests it */
};

/*
 * Makes a unit resident. addr: the page that was missed; who: tells threads apart. 0, -EBADMSG,
 * -ENOMEM, -EFAULT (the program has unmapped it). Async-signal-safe.
 */
int fault_resolve(struct lane *ln, struct region *r, uint32_t unit, const void *addr, uintptr_t who,
		  unsigned flags);
/* Makes [first, first + n) resident, in batches. */
int fault_prefetch(struct lane *ln, struct region *r, uint32_t first, uint32_t n);
/* Restores one packed unit if its entry is e and not busy: for eviction. */
bool fault_restore_if(struct lane *ln, struct region *r, uint32_t unit, uint64_t e);
/* The contents of a locked or quiet unit in the state e that has no memory. -EBADMSG. */
int fault_decode(struct lane *ln, struct region *r, uint32_t unit, uint64_t e, void *dst);
/* Moves staged bytes back to where they were missed from. Loses nothing; may wait for memory. */
void fault_give_back(struct region *r, void *dst, void *src, size_t len, enum stage_area area);
/* Forgets what a missing unit holds: frees its object. The entry is locked, in state e. */
void fault_drop(struct lane *ln, struct region *r, uint64_t e);
/* A page of the program: find, resolve, count, time. 0: go on; 1: not ours; or as fault_resolve().
 */
int fault_handle(const void *addr, uintptr_t who, enum kind_id kind);

/* evict.c */

/* Compresses [first, first + n) for a tier, n at most BATCH_UNITS and BATCH_BYTES. */
int evict_batch(struct lane *ln, struct region *r, uint32_t first, unsigned n, unsigned tier,
		struct memscope_compress_result *res);
/* Cleans as the phase allows, for at most a few segments. */
void evict_upkeep(struct lane *ln, struct memscope_arena *a, unsigned max_segs);
int evict_compact(struct lane *ln, struct memscope_arena *a, unsigned slack_permille,
		  unsigned max_segs);
extern const struct store_ops evict_store_ops;

/* What store_ops get. */
struct store_ctx {
	struct memscope_arena *arena;
	struct lane *lane;
};

/* arena.c: tests only; nothing may run meanwhile. 0, or the line that failed. */
int arena_check(struct memscope_arena *a);

#endif
