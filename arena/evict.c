/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evict: units leave their region and become compressed objects, and no store is lost on the way.
 *
 *	region   ▓▓▓▓▓▓▓▓▓▓   1. claim: lock resident, unpinned entries
 *	          │││ ││││    2. take: runs of them move to the lane's staging area, at once for the
 *	          vvv vvvv       kernel: a store is either in the page that moved, or faults later
 *	staging  ▓▓▓·▓▓▓▓·    3. publish STAGED: from here on a toucher may take its unit back
 *	          │ │  │      4. for each: lock it again (or see that it was taken back), compress,
 *	          v v  v         append to the log, publish PACKED or SAME; or move it back
 *	log     ─▪─▪──▪───    5. wait for touchers that are half-way, drop the staging area's pages
 *
 * Taking is UFFDIO_MOVE (AREA_MOVE), or mremap(MREMAP_DONTUNMAP) (AREA_REMAP) where the kernel
 * lacks it or the pages are shared with a forked child. MOVE refuses pages that a device may write
 * to; mremap() does not, hence the rule in the public header that such buffers be pinned.
 *
 * EXPLICIT regions have no step 2 and 3: the program promises not to touch what is not pinned, so
 * units are compressed where they are and dropped, locked all the while.
 *
 * Invariants
 *  - slots[i] belongs to unit first + i, and its bytes are at stage_at(i) while it is STAGED.
 *  - A unit's pages leave the staging area by being moved back or dropped, before evict_batch()
 *    returns.
 *  - Entries are locked for the work on one unit, except that up to RETURN_UNITS of neighbours that
 *    are to be moved back wait for each other, and EXPLICIT ones for their common madvise().
 */
#include "arena/engine.h"

#include <string.h>
#include <sys/mman.h>

#include "arena/hash.h"
#include "lib/uffd.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

#define RETURN_UNITS  8
#define INPLACE_UNITS 16
#define AGAIN_TRIES   8
#define CLEAN_SEGS    2

enum slot_state {
	SLOT_SKIPPED,
	SLOT_CLAIMED,
	SLOT_STAGED,
	SLOT_LOST, /* to a toucher */
	SLOT_RETURN,
	SLOT_DONE,
};

struct batch {
	struct lane *ln;
	struct region *r;
	struct store_head *head;
	uint32_t first;
	unsigned n;
	unsigned tier;
	size_t limit; /* the longest compressed form that is worth keeping */
	unsigned return_from, return_n;
	bool used[AREAS];
	int err;
	struct memscope_compress_result *res;
};

static page_entry *entry_of(const struct batch *b, unsigned slot)
{
	return &b->r->entries[b->first + slot];
}

/* Step 1. */
static void claim(struct batch *b)
{
	size_t size = region_unit(b->r);

	for (unsigned i = 0; i < b->n; i++) {
		struct slot *s = &b->ln->slots[i];
		uint64_t e = page_load(entry_of(b, i));

		s->state = SLOT_SKIPPED;
		if (page_state(e) != PAGE_RESIDENT)
			continue;
		b->res->tried_bytes += size;
		if (page_pins(e)) {
			b->res->pinned_bytes += size;
			continue;
		}
		if (!page_try_lock(entry_of(b, i), e)) {
			b->res->busy_bytes += size;
			continue;
		}
		s->old = e;
		s->state = SLOT_CLAIMED;
		atomic_store_explicit(&s->given_back, false, memory_order_relaxed);
	}
}

/* Steps 2 and 3. */

static uint64_t staged_entry(const struct batch *b, unsigned slot, enum stage_area area)
{
	return page_make(PAGE_STAGED, (uint64_t)b->ln->id << 16 | (uint64_t)area << 8 | slot);
}

static void publish_staged(struct batch *b, unsigned slot, unsigned n, enum stage_area area)
{
	b->used[area] |= n > 0;
	for (unsigned i = slot; i < slot + n; i++) {
		b->ln->slots[i].state = SLOT_STAGED;
		b->ln->slots[i].area = (uint8_t)area;
		page_store(entry_of(b, i), staged_entry(b, i, area));
	}
}

/* Returns how many units moved whole; *ret_err says why not all. */
static unsigned take_by_move(struct batch *b, unsigned slot, unsigned n, int *ret_err)
{
	struct region *r = b->r;
	size_t size = region_unit(r), len = n * size, off = 0, done, rest;
	uint8_t *src = region_at(r, b->first + slot);
	uint8_t *dst = stage_at(r, b->ln->id, AREA_MOVE, slot);
	unsigned tries = 0;
	int err = 0;

	while (off < len) {
		err = uffd_move(region_fd(r), dst + off, src + off, len - off, false, &done);
		off += done;
		if (!err || done)
			continue;
		if (err == -ENOENT) {
			/* The program has dropped the page: it reads as zeros. */
			err = uffd_copy(region_fd(r), dst + off, runtime.zeros, PAGE_SIZE, false,
					&done);
			off += done;
			if (!err)
				continue;
		}
		if (err != -EAGAIN || ++tries >= AGAIN_TRIES)
			break;
	}
	rest = off % size;
	if (rest) {
		b->used[AREA_MOVE] = true;
		fault_give_back(r, src + off - rest, dst + off - rest, rest, AREA_MOVE);
	}
	*ret_err = off < len ? err : 0;
	return (unsigned)(off / size);
}

static unsigned take_by_remap(struct batch *b, unsigned slot, unsigned n)
{
	struct region *r = b->r;
	size_t len = n * region_unit(r);
	void *to = mremap(region_at(r, b->first + slot), len, len,
			  MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
			  stage_at(r, b->ln->id, AREA_REMAP, slot));

	return to == MAP_FAILED ? 0 : n;
}

static void take_run(struct batch *b, unsigned slot, unsigned n)
{
	struct region *r = b->r;
	bool move =
		runtime.kinds[r->kind].can_move && r->arena->opts.eviction != MEMSCOPE_EVICT_REMAP;
	unsigned got = 0;
	int err = -EBUSY;

	if (move) {
		got = take_by_move(b, slot, n, &err);
		publish_staged(b, slot, got, AREA_MOVE);
	}
	/* EBUSY is a page shared with a forked child, or one that a device may be writing to. */
	if (got < n && err == -EBUSY && (!move || atomic_load(&runtime.forked))) {
		unsigned more = take_by_remap(b, slot + got, n - got);

		publish_staged(b, slot + got, more, AREA_REMAP);
		got += more;
	}
	if (got == n)
		return;
	/* One unit stays; the others get a chance of their own. */
	page_store(entry_of(b, slot + got), b->ln->slots[slot + got].old);
	b->ln->slots[slot + got].state = SLOT_SKIPPED;
	b->res->busy_bytes += region_unit(r);
}

static void take(struct batch *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		unsigned n = 0;

		while (i + n < b->n && b->ln->slots[i + n].state == SLOT_CLAIMED)
			n++;
		if (!n)
			continue;
		take_run(b, i, n);
		while (i + 1 < b->n && b->ln->slots[i + 1].state == SLOT_STAGED)
			i++;
	}
}

/* Step 4. */

static int append(struct batch *b, uint32_t unit, size_t len, uint64_t *ret_loc)
{
	struct memscope_arena *a = b->r->arena;
	struct store_ctx ctx = {.arena = a, .lane = b->ln};
	int err = store_append(&a->store, b->head, region_owner(b->r, unit), b->ln->out, len,
			       ret_loc);

	/* At capacity what is dead is room, too. */
	for (unsigned i = 0; err == -ENOSPC && i < CLEAN_SEGS; i++) {
		if (store_clean(&a->store, &evict_store_ops, &ctx))
			break;
		err = store_append(&a->store, b->head, region_owner(b->r, unit), b->ln->out, len,
				   ret_loc);
	}
	if (err == -ENOSPC && a->opts.when_full == MEMSCOPE_FULL_RESTORE_OLDEST &&
	    !store_evict_oldest(&a->store, &evict_store_ops, &ctx))
		err = store_append(&a->store, b->head, region_owner(b->r, unit), b->ln->out, len,
				   ret_loc);
	if (!err) {
		count_add(b->r, b->ln, N_PAYLOAD, len);
		count_add(b->r, b->ln, N_OBJECTS_BYTES, store_object_size(&a->store, len));
		b->res->stored_bytes += len;
	}
	return err;
}

/* The unit's bytes at src become an object: *ret_next is its new entry. False: it stays resident.
 */
static bool pack(struct batch *b, unsigned slot, const void *src, uint64_t *ret_next)
{
	struct region *r = b->r;
	uint64_t old = b->ln->slots[slot].old, word, loc;
	size_t size = region_unit(r), len;
	int err;

	*ret_next = old;
	if (codec_same_filled(src, size, &word) && word >> 32 == (word & UINT32_MAX)) {
		*ret_next = page_make(PAGE_SAME, word & UINT32_MAX);
		count_add(r, b->ln, N_LOGICAL_SAME, size);
		b->res->same_bytes += size;
		return true;
	}
	if (old & PAGE_STUBBORN && page_tried(old) >= b->tier &&
	    page_payload(old) == (hash_bytes(src, size, 0) & PAGE_PAYLOAD_MAX)) {
		b->res->stubborn_bytes += size;
		b->res->unchanged_bytes += size;
		return false;
	}
	count_add(r, b->ln, N_COMPRESS_OPS, 1);
	err = codec_compress(b->ln->codec[b->tier], b->ln->out, b->limit, src, size, &len);
	if (err) {
		*ret_next = page_make_stubborn(hash_bytes(src, size, 0), b->tier);
		b->res->stubborn_bytes += size;
		return false;
	}
	err = append(b, b->first + slot, len, &loc);
	if (err) {
		b->res->full_bytes += size;
		if (err != -ENOSPC)
			b->err = err;
		return false;
	}
	*ret_next = page_make_packed(loc, b->tier);
	return true;
}

static void admitted(struct batch *b)
{
	count_add(b->r, b->ln, N_LOGICAL, region_unit(b->r));
	b->res->admitted_bytes += region_unit(b->r);
}

static void flush_returns(struct batch *b)
{
	unsigned from = b->return_from, n = b->return_n;
	enum stage_area area = (enum stage_area)b->ln->slots[from].area;

	if (!n)
		return;
	fault_give_back(b->r, region_at(b->r, b->first + from),
			stage_at(b->r, b->ln->id, area, from), n * region_unit(b->r), area);
	for (unsigned i = from; i < from + n; i++)
		page_store(entry_of(b, i), b->ln->slots[i].next);
	b->return_n = 0;
}

static void add_return(struct batch *b, unsigned slot)
{
	struct slot *s = b->ln->slots;

	if (b->return_n && (b->return_n == RETURN_UNITS || slot != b->return_from + b->return_n ||
			    s[slot].area != s[b->return_from].area))
		flush_returns(b);
	if (!b->return_n)
		b->return_from = slot;
	b->return_n++;
}

static void pack_staged(struct batch *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		struct slot *s = &b->ln->slots[i];
		uint64_t e = staged_entry(b, i, (enum stage_area)s->area);

		if (s->state != SLOT_STAGED)
			continue;
		/* Taken back, and by now perhaps even staged in another lane. */
		if (!page_try_lock(entry_of(b, i), e)) {
			s->state = SLOT_LOST;
			b->res->busy_bytes += region_unit(b->r);
			count_add(b->r, b->ln, N_CANCELLED, region_unit(b->r));
			continue;
		}
		if (pack(b, i, stage_at(b->r, b->ln->id, (enum stage_area)s->area, i), &s->next)) {
			admitted(b);
			page_store(entry_of(b, i), s->next);
			s->state = SLOT_DONE;
		} else {
			s->state = SLOT_RETURN;
			add_return(b, i);
		}
	}
	flush_returns(b);
}

/* Step 5. */
static void drop_stage(struct batch *b)
{
	size_t len = (size_t)b->n << b->r->unit_shift;

	for (unsigned i = 0; i < b->n; i++) {
		struct slot *s = &b->ln->slots[i];
		unsigned turn = 0;

		while (s->state == SLOT_LOST &&
		       !atomic_load_explicit(&s->given_back, memory_order_acquire))
			spin_wait(&turn);
	}
	for (int area = 0; area < AREAS; area++)
		if (b->used[area])
			madvise(stage_at(b->r, b->ln->id, (enum stage_area)area, 0), len,
				MADV_DONTNEED);
}

/* EXPLICIT: where they are, a few at a time. */
static void pack_in_place(struct batch *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		struct slot *s = b->ln->slots;
		unsigned from = i, n = 0;

		for (; i < b->n && s[i].state == SLOT_CLAIMED && n < INPLACE_UNITS; i++, n++)
			if (!pack(b, i, region_at(b->r, b->first + i), &s[i].next))
				break;
		if (n)
			madvise(region_at(b->r, b->first + from), (size_t)n << b->r->unit_shift,
				MADV_DONTNEED);
		for (unsigned j = from; j < from + n; j++) {
			admitted(b);
			page_store(entry_of(b, j), s[j].next);
		}
		if (n == INPLACE_UNITS)
			i--; /* this one has not been looked at */
		else if (i < b->n && s[i].state == SLOT_CLAIMED)
			page_store(entry_of(b, i), s[i].next);
	}
}

/* Units that are compressed for a warmer tier. */
static void repack(struct batch *b)
{
	struct region *r = b->r;
	size_t size = region_unit(r), len;

	for (unsigned i = 0; i < b->n; i++) {
		uint64_t e = page_load(entry_of(b, i)), next, loc;

		if (page_state(e) != PAGE_PACKED || page_tried(e) >= b->tier)
			continue;
		b->res->tried_bytes += size;
		if (!page_try_lock(entry_of(b, i), e)) {
			b->res->busy_bytes += size;
			continue;
		}
		next = page_with_tried(e, b->tier);
		len = store_get(&r->arena->store, page_payload(e), false).len;
		count_add(r, b->ln, N_COMPRESS_OPS, 1);
		if (fault_decode(b->ln, r, b->first + i, e, b->ln->in) ||
		    codec_compress(b->ln->codec[b->tier], b->ln->out, len - 1, b->ln->in, size,
				   &len)) {
			b->res->stubborn_bytes += size;
		} else if (append(b, b->first + i, len, &loc)) {
			next = e;
			b->res->full_bytes += size;
		} else {
			fault_drop(b->ln, r, e);
			next = page_make_packed(loc, b->tier);
			admitted(b);
			count_add(r, b->ln, N_RECOMPRESSED, size);
		}
		page_store(entry_of(b, i), next);
	}
}

int evict_batch(struct lane *ln, struct region *r, uint32_t first, unsigned n, unsigned tier,
		struct memscope_compress_result *res)
{
	struct memscope_arena *a = r->arena;
	size_t size = region_unit(r);
	struct batch b = {
		.ln = ln,
		.r = r,
		.first = first,
		.n = n,
		.tier = tier,
		.limit = MIN(size - size * a->opts.min_savings_pct / 100, store_max_len(&a->store)),
		.res = res,
	};

	if (atomic_load_explicit(&r->frozen, memory_order_relaxed))
		return 0;
	b.head = store_head_get(&a->store);
	claim(&b);
	if (r->kind == KIND_NONE) {
		pack_in_place(&b);
	} else {
		take(&b);
		pack_staged(&b);
		drop_stage(&b);
	}
	if (tier > MEMSCOPE_TIER_WARM)
		repack(&b);
	store_head_put(b.head);
	return b.err;
}

/* The store asks about its objects. */

static struct region *owner_region(const struct store_ctx *c, uint64_t owner, uint32_t *ret_unit)
{
	struct region *r =
		atomic_load_explicit(&c->arena->regions[owner >> INDEX_BITS], memory_order_acquire);
	uint32_t unit = owner & ((1U << INDEX_BITS) - 1);

	*ret_unit = unit;
	return r && unit < r->n_units ? r : NULL;
}

static bool holds(uint64_t e, uint64_t loc)
{
	return page_state(e) == PAGE_PACKED && page_payload(e) == loc;
}

static bool object_live(void *ctx, uint64_t owner, uint64_t loc)
{
	uint32_t unit;
	struct region *r = owner_region(ctx, owner, &unit);

	return r && holds(page_load(&r->entries[unit]), loc);
}

static bool object_relocate(void *ctx, uint64_t owner, uint64_t from, uint64_t to)
{
	uint32_t unit;
	struct region *r = owner_region(ctx, owner, &unit);
	uint64_t e = r ? page_load(&r->entries[unit]) : 0;

	return r && holds(e, from) && !(e & PAGE_LOCK) &&
	       page_swap(&r->entries[unit], e,
			 (e & ~(PAGE_PAYLOAD_MAX << PAGE_PAYLOAD_SHIFT)) |
				 to << PAGE_PAYLOAD_SHIFT);
}

static bool object_evict(void *ctx, uint64_t owner, uint64_t loc)
{
	struct store_ctx *c = ctx;
	uint32_t unit;
	struct region *r = owner_region(ctx, owner, &unit);
	uint64_t e = r ? page_load(&r->entries[unit]) : 0;

	if (!r || !holds(e, loc) || !fault_restore_if(c->lane, r, unit, e))
		return false;
	count_add(r, c->lane, N_EVICTED, region_unit(r));
	return true;
}

const struct store_ops evict_store_ops = {
	.live = object_live,
	.relocate = object_relocate,
	.evict = object_evict,
};

int evict_compact(struct lane *ln, struct memscope_arena *a, unsigned slack_permille,
		  unsigned max_segs)
{
	struct store_ctx ctx = {.arena = a, .lane = ln};
	int err = 0;

	for (unsigned i = 0; i < max_segs && !err; i++) {
		if (!store_wants_cleaning(&a->store, slack_permille))
			return -ENOENT;
		err = store_clean(&a->store, &evict_store_ops, &ctx);
	}
	return err;
}

void evict_upkeep(struct lane *ln, struct memscope_arena *a, unsigned max_segs)
{
	static const unsigned slack[] = {
		[MEMSCOPE_PHASE_NORMAL] = 50,
		[MEMSCOPE_PHASE_ACTIVE] = 250,
		[MEMSCOPE_PHASE_IDLE] = 30,
	};

	evict_compact(ln, a, slack[atomic_load_explicit(&a->phase, memory_order_relaxed)],
		      max_segs);
}
