/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store: a log of segments with cleaning.
 *
 *	slab (64 segments, one mapping)
 *	┌──────── segment ────────┬──────── segment ────────┬─ … ─┐
 *	│hdr data│hdr data│…│tail │hdr data│        free    │     │
 *	└──────────────────▲──────┴────────▲────────────────┴─────┘
 *			 fill		  fill of the head that has it open
 *
 *	hdr = owner (47 bits) | length (17 bits), then a checksum where the store keeps them;
 *	an object takes a multiple of 8 bytes, and its place is (segment, offset) in units of 8.
 *
 *	UNUSED ─open─> OPEN ─close─> FULL ─────────last object freed──────> FREE ─open─> OPEN
 *	   ^			       │  ^					│ ^
 *	   │			  victim  │ some are busy			│ │
 *	   │			       v  │					│ │
 *	   │			    CLEANING ────────all moved or freed─────────┼─┘
 *	   └────────────────────────────── trim ────────────────────────────────┘
 *
 * Full segments hang in one of 64 buckets by how much of them is not dead. A free that takes a
 * segment over the edge of its bucket (every 8 KiB) relinks it: that and opening or closing a segment are the only
 * uses of the lock. The victim of cleaning is the first of the lowest bucket, so no operation looks
 * at more segments than the one it works on.
 *
 * Invariants
 *  - seg.live: FULL or CLEANING: the sum of its live objects; OPEN: that plus (size - fill), so
 *    that it cannot reach 0 while a head appends. FREE, UNUSED: 0.
 *  - FULL with live 0 does not exist outside the lock, but between the fetch_sub that reached 0 and
 *    the relink that follows it in the same store_free().
 *  - An object's bytes do not change while it is live. A segment is opened again only when live is
 *    0, and a reader's object is live until that reader (or a thread after it) frees it.
 *  - The cleaner reads a victim without holding its objects; a victim is not freed under it,
 *    because only FULL segments are freed.
 *  - sum(full) = full_bytes = n_full * size; sum(full.counted) = kept_bytes.
 *
 * Lock order: head, then store.lock. Neither is held while ops are called, but for the cleaner
 * head.
 */
#include "arena/store.h"

#include <string.h>
#include <sys/mman.h>

#include "arena/hash.h"
#include "arena/mem.h"

#define PAGE     4096U
#define SEG_MAX  ((uint32_t)(512 * KiB))
#define LEN_BITS 17
#define KEEP_MIN 1

static inline uint32_t seg_size(const struct store *s)
{
	return 1U << s->seg_shift;
}

static inline size_t header_size(const struct store *s)
{
	return s->checksum ? 16 : 8;
}

static inline struct store_slab *slab_of(const struct store *s, uint32_t segno)
{
	return atomic_load_explicit(&s->slabs[segno / STORE_SLAB_SEGS], memory_order_acquire);
}

static inline struct store_seg *seg_of(const struct store *s, uint32_t segno)
{
	return &slab_of(s, segno)->seg[segno % STORE_SLAB_SEGS];
}

static inline uint8_t *seg_mem(const struct store *s, uint32_t segno)
{
	return slab_of(s, segno)->mem + ((size_t)(segno % STORE_SLAB_SEGS) << s->seg_shift);
}

static inline uint64_t make_loc(const struct store *s, uint32_t segno, uint32_t off)
{
	return (((uint64_t)segno << s->seg_shift) + off) / 8;
}

static inline uint32_t loc_seg(const struct store *s, uint64_t loc)
{
	return (uint32_t)(loc * 8 >> s->seg_shift);
}

static inline uint8_t *loc_mem(const struct store *s, uint64_t loc)
{
	return seg_mem(s, loc_seg(s, loc)) + (loc * 8 & (seg_size(s) - 1));
}

/*
 * What cleaning a segment cannot win: its live bytes, and the end that was too short for an object,
 * since it may be so again.
 */
static inline uint32_t kept_bytes(const struct store *s, const struct store_seg *seg, uint32_t live)
{
	return live + seg_size(s) - atomic_load_explicit(&seg->fill, memory_order_relaxed);
}

/* The lowest bucket holds the segments that are most dead. */
static inline uint8_t bucket_of(const struct store *s, uint32_t kept)
{
	return (uint8_t)((uint64_t)kept * (STORE_BUCKETS - 1) >> s->seg_shift);
}

size_t store_object_size(const struct store *s, size_t len)
{
	return ROUND_UP(header_size(s) + len, 8);
}

size_t store_max_len(const struct store *s)
{
	return MIN((size_t)STORE_LEN_MAX, seg_size(s) - header_size(s));
}

/* Lists; all under the lock. */

static void bucket_add(struct store *s, uint32_t segno, struct store_seg *seg, uint32_t live)
{
	uint32_t kept = kept_bytes(s, seg, live);
	uint8_t b = bucket_of(s, kept);

	seg->bucket = b;
	seg->counted = kept;
	seg->prev = STORE_NONE;
	seg->next = s->bucket[b];
	if (seg->next != STORE_NONE)
		seg_of(s, seg->next)->prev = segno;
	s->bucket[b] = segno;
	s->bucket_map |= UINT64_C(1) << b;
	atomic_fetch_add_explicit(&s->kept_bytes, kept, memory_order_relaxed);
}

static void bucket_del(struct store *s, struct store_seg *seg)
{
	if (seg->prev != STORE_NONE)
		seg_of(s, seg->prev)->next = seg->next;
	else
		s->bucket[seg->bucket] = seg->next;
	if (seg->next != STORE_NONE)
		seg_of(s, seg->next)->prev = seg->prev;
	if (s->bucket[seg->bucket] == STORE_NONE)
		s->bucket_map &= ~(UINT64_C(1) << seg->bucket);
	atomic_fetch_sub_explicit(&s->kept_bytes, seg->counted, memory_order_relaxed);
}

static void age_add(struct store *s, uint32_t segno, struct store_seg *seg)
{
	seg->older = s->newest;
	seg->newer = STORE_NONE;
	if (s->newest != STORE_NONE)
		seg_of(s, s->newest)->newer = segno;
	else
		s->oldest = segno;
	s->newest = segno;
}

static void age_del(struct store *s, struct store_seg *seg)
{
	if (seg->older != STORE_NONE)
		seg_of(s, seg->older)->newer = seg->newer;
	else
		s->oldest = seg->newer;
	if (seg->newer != STORE_NONE)
		seg_of(s, seg->newer)->older = seg->older;
	else
		s->newest = seg->older;
}

static void make_full(struct store *s, uint32_t segno, struct store_seg *seg, uint32_t live)
{
	seg->state = SEG_FULL;
	s->n_full++;
	atomic_fetch_add_explicit(&s->full_bytes, seg_size(s), memory_order_relaxed);
	bucket_add(s, segno, seg, live);
	age_add(s, segno, seg);
}

static void unmake_full(struct store *s, struct store_seg *seg)
{
	s->n_full--;
	atomic_fetch_sub_explicit(&s->full_bytes, seg_size(s), memory_order_relaxed);
	bucket_del(s, seg);
	age_del(s, seg);
}

static void make_free(struct store *s, uint32_t segno, struct store_seg *seg)
{
	seg->state = SEG_FREE;
	seg->next = s->free;
	s->free = segno;
	s->n_free++;
}

/* A segment that was taken out of its lists goes where it belongs by its live bytes. */
static void settle(struct store *s, uint32_t segno, struct store_seg *seg)
{
	uint32_t live = atomic_load_explicit(&seg->live, memory_order_acquire);

	if (live)
		make_full(s, segno, seg, live);
	else
		make_free(s, segno, seg);
}

/* Empty segments kept resident: they save the page faults of the next ones to open. */
static uint32_t spare(const struct store *s)
{
	return MAX((uint32_t)KEEP_MIN, s->n_full / 64);
}

void store_trim(struct store *s, uint32_t keep)
{
	for (;;) {
		struct store_seg *seg;
		uint32_t segno;

		spin_lock(&s->lock);
		if (s->n_free <= keep) {
			spin_unlock(&s->lock);
			return;
		}
		segno = s->free;
		seg = seg_of(s, segno);
		s->free = seg->next;
		s->n_free--;
		s->trimmed_segs++;
		seg->state = SEG_UNUSED;
		spin_unlock(&s->lock);

		/* In no list meanwhile, so nobody opens it. */
		madvise(seg_mem(s, segno), seg_size(s), MADV_DONTNEED);

		spin_lock(&s->lock);
		seg->next = s->unused;
		s->unused = segno;
		s->n_unused++;
		spin_unlock(&s->lock);
	}
}

/* Opening and closing. */

static int add_segment(struct store *s, uint32_t *ret_segno)
{
	uint32_t segno = s->n_segs;

	if (!s->slabs[segno / STORE_SLAB_SEGS]) {
		size_t len = (size_t)STORE_SLAB_SEGS << s->seg_shift;
		struct store_slab *slab = mem_zalloc(sizeof(*slab));

		if (!slab)
			return -ENOMEM;
		slab->mem = mem_map(len);
		if (!slab->mem) {
			free(slab);
			return -ENOMEM;
		}
		atomic_store_explicit(&s->slabs[segno / STORE_SLAB_SEGS], slab,
				      memory_order_release);
	}
	s->n_segs++;
	*ret_segno = segno;
	return 0;
}

static int open_segment_locked(struct store *s, struct store_head *h)
{
	/* Without a segment to move to, a full store could never be cleaned. */
	uint32_t limit = h == &s->cleaner || s->max_segs < 4 ? s->max_segs : s->max_segs - 1;
	struct store_seg *seg;
	uint32_t segno, resident = 0;
	int err;

	if (s->n_open + s->n_full >= limit)
		return -ENOSPC;
	if (s->free != STORE_NONE) {
		segno = s->free;
		s->free = seg_of(s, segno)->next;
		s->n_free--;
		resident = seg_size(s);
	} else if (s->unused != STORE_NONE) {
		segno = s->unused;
		s->unused = seg_of(s, segno)->next;
		s->n_unused--;
	} else if (s->n_segs < s->max_segs) {
		err = add_segment(s, &segno);
		if (err)
			return err;
	} else {
		return -ENOSPC; /* the last ones are being trimmed or cleaned */
	}
	seg = seg_of(s, segno);
	seg->state = SEG_OPEN;
	atomic_store_explicit(&seg->live, seg_size(s), memory_order_relaxed);
	s->n_open++;
	h->segno = segno;
	atomic_store_explicit(&h->fill, 0, memory_order_relaxed);
	atomic_store_explicit(&h->resident, resident, memory_order_relaxed);
	return 0;
}

static void close_segment(struct store *s, struct store_head *h)
{
	struct store_seg *seg;
	uint32_t fill = atomic_load_explicit(&h->fill, memory_order_relaxed);

	if (h->segno == STORE_NONE)
		return;
	spin_lock(&s->lock);
	seg = seg_of(s, h->segno);
	atomic_store_explicit(&seg->fill, fill, memory_order_relaxed);
	s->n_open--;
	atomic_fetch_sub_explicit(&seg->live, seg_size(s) - fill, memory_order_acq_rel);
	settle(s, h->segno, seg);
	h->segno = STORE_NONE;
	spin_unlock(&s->lock);
}

struct store_head *store_head_get(struct store *s)
{
	unsigned turn = 0;

	for (;;) {
		for (size_t i = 0; i < STORE_HEADS; i++)
			if (spin_try_lock(&s->heads[i].lock))
				return &s->heads[i];
		spin_wait(&turn);
	}
}

void store_head_put(struct store_head *h)
{
	spin_unlock(&h->lock);
}

int store_append(struct store *s, struct store_head *h, uint64_t owner, const void *data,
		 size_t len, uint64_t *ret_loc)
{
	size_t size = store_object_size(s, len);
	uint32_t fill = atomic_load_explicit(&h->fill, memory_order_relaxed);
	uint64_t header = owner << LEN_BITS | len;
	uint8_t *p;
	int err;

	if (h->segno == STORE_NONE || fill + size > seg_size(s)) {
		close_segment(s, h);
		spin_lock(&s->lock);
		err = open_segment_locked(s, h);
		spin_unlock(&s->lock);
		if (err)
			return err;
		fill = 0;
	}
	p = seg_mem(s, h->segno) + fill;
	memcpy(p, &header, sizeof(header));
	if (s->checksum) {
		uint64_t sum = hash_bytes(data, len, header);

		memcpy(p + sizeof(header), &sum, sizeof(sum));
	}
	memcpy(p + header_size(s), data, len);
	*ret_loc = make_loc(s, h->segno, fill);
	fill += (uint32_t)size;
	atomic_store_explicit(&h->fill, fill, memory_order_relaxed);
	if (fill > atomic_load_explicit(&h->resident, memory_order_relaxed))
		atomic_store_explicit(&h->resident, (uint32_t)ROUND_UP(fill, PAGE),
				      memory_order_relaxed);
	return 0;
}

/* Takes the last object back that h appended: nobody else has seen it. */
static void unappend(struct store *s, struct store_head *h, size_t len)
{
	atomic_fetch_sub_explicit(&h->fill, (uint32_t)store_object_size(s, len),
				  memory_order_relaxed);
}

struct store_object store_get(const struct store *s, uint64_t loc, bool check)
{
	const uint8_t *p = loc_mem(s, loc);
	struct store_object obj;
	uint64_t header, sum;

	memcpy(&header, p, sizeof(header));
	obj = (struct store_object){
		.data = p + header_size(s),
		.len = (uint32_t)(header & STORE_LEN_MAX),
		.owner = header >> LEN_BITS,
		.intact = true,
	};
	/* A length that leaves the segment must not be followed, checksum or not. */
	if (!obj.len || (loc * 8 & (seg_size(s) - 1)) + header_size(s) + obj.len > seg_size(s)) {
		obj.len = 0;
		obj.intact = false;
	} else if (check && s->checksum) {
		memcpy(&sum, p + sizeof(header), sizeof(sum));
		obj.intact = sum == hash_bytes(obj.data, obj.len, header);
	}
	return obj;
}

void store_prefetch(const struct store *s, uint64_t loc)
{
	const uint8_t *p = loc_mem(s, loc);

	for (size_t i = 0; i < 8; i++)
		__builtin_prefetch(p + i * 64);
}

/* A segment crossed the edge of its bucket. */
static void relink(struct store *s, uint32_t segno)
{
	struct store_seg *seg = seg_of(s, segno);
	uint32_t keep;
	bool trim;

	spin_lock(&s->lock);
	if (seg->state == SEG_FULL) {
		uint32_t live = atomic_load_explicit(&seg->live, memory_order_acquire);

		if (!live) {
			unmake_full(s, seg);
			make_free(s, segno, seg);
		} else {
			bucket_del(s, seg);
			bucket_add(s, segno, seg, live);
		}
	}
	keep = spare(s);
	trim = s->n_free > keep;
	spin_unlock(&s->lock);
	if (trim)
		store_trim(s, keep);
}

void store_free(struct store *s, uint64_t loc)
{
	uint32_t segno = loc_seg(s, loc);
	struct store_object obj = store_get(s, loc, false);
	uint32_t size = (uint32_t)store_object_size(s, obj.len);
	struct store_seg *seg = seg_of(s, segno);
	uint32_t old = atomic_fetch_sub_explicit(&seg->live, size, memory_order_acq_rel);
	/* Of a segment still open this is nonsense; closing it will put that right. */
	uint32_t kept = kept_bytes(s, seg, old);

	if (old == size || bucket_of(s, kept) != bucket_of(s, kept - size))
		relink(s, segno);
}

/* Cleaning and eviction. */

bool store_wants_cleaning(const struct store *s, unsigned slack_permille)
{
	uint64_t full = atomic_load_explicit(&s->full_bytes, memory_order_relaxed);
	uint64_t kept = atomic_load_explicit(&s->kept_bytes, memory_order_relaxed);

	return full > kept + kept / 1000 * slack_permille + seg_size(s) / 2;
}

/* The victim leaves its lists and is not freed until victim_done(). */
static uint32_t take_victim(struct store *s, bool oldest)
{
	uint32_t segno = STORE_NONE;

	spin_lock(&s->lock);
	if (oldest)
		segno = s->oldest;
	else if (s->bucket_map)
		segno = s->bucket[__builtin_ctzll(s->bucket_map)];
	if (segno != STORE_NONE) {
		struct store_seg *seg = seg_of(s, segno);

		if (!oldest && seg->counted >= seg_size(s) - seg_size(s) / 64) {
			segno = STORE_NONE; /* nothing to gain */
		} else {
			unmake_full(s, seg);
			seg->state = SEG_CLEANING;
			s->n_open++; /* it holds capacity */
		}
	}
	spin_unlock(&s->lock);
	return segno;
}

static void victim_done(struct store *s, uint32_t segno, bool cleaned)
{
	uint32_t keep;

	spin_lock(&s->lock);
	s->n_open--;
	settle(s, segno, seg_of(s, segno));
	s->cleaned_segs += cleaned;
	keep = spare(s);
	spin_unlock(&s->lock);
	store_trim(s, keep);
}

static int move_object(struct store *s, const struct store_ops *ops, void *ctx, uint64_t from,
		       const struct store_object *obj)
{
	uint32_t size = (uint32_t)store_object_size(s, obj->len);
	uint64_t to;
	int err;

	err = store_append(s, &s->cleaner, obj->owner, obj->data, obj->len, &to);
	if (err)
		return err;
	if (s->checksum) /* the old sum, so that what was corrupt before stays so */
		memcpy(loc_mem(s, to) + 8, obj->data - 8, 8);
	if (!ops->relocate(ctx, obj->owner, from, to)) {
		unappend(s, &s->cleaner, obj->len);
		return 0;
	}
	atomic_fetch_sub_explicit(&seg_of(s, loc_seg(s, from))->live, size, memory_order_acq_rel);
	atomic_fetch_add_explicit(&s->moved_bytes, size, memory_order_relaxed);
	return 0;
}

int store_clean(struct store *s, const struct store_ops *ops, void *ctx)
{
	uint32_t segno, off = 0;
	int err = 0;

	if (!spin_try_lock(&s->cleaner.lock))
		return -ENOENT;
	segno = take_victim(s, false);
	if (segno == STORE_NONE) {
		spin_unlock(&s->cleaner.lock);
		return -ENOENT;
	}
	while (!err && off < seg_of(s, segno)->fill) {
		uint64_t loc = make_loc(s, segno, off);
		struct store_object obj = store_get(s, loc, false);

		if (!obj.len)
			break; /* corrupt: what follows cannot be found */
		if (ops->live(ctx, obj.owner, loc))
			err = move_object(s, ops, ctx, loc, &obj);
		off += (uint32_t)store_object_size(s, obj.len);
	}
	victim_done(s, segno, !err);
	spin_unlock(&s->cleaner.lock);
	return err;
}

int store_evict_oldest(struct store *s, const struct store_ops *ops, void *ctx)
{
	uint32_t segno = take_victim(s, true), off = 0;

	if (segno == STORE_NONE)
		return -ENOENT;
	while (off < seg_of(s, segno)->fill) {
		uint64_t loc = make_loc(s, segno, off);
		struct store_object obj = store_get(s, loc, false);

		if (!obj.len)
			break;
		if (ops->live(ctx, obj.owner, loc))
			ops->evict(ctx, obj.owner, loc);
		off += (uint32_t)store_object_size(s, obj.len);
	}
	victim_done(s, segno, false);
	return 0;
}

int store_init(struct store *s, uint64_t capacity, bool check)
{
	uint32_t size = SEG_MAX;
	uint64_t most;

	if (capacity && capacity < PAGE)
		return -EINVAL;
	while (capacity && size > PAGE && size > capacity / 16)
		size /= 2;
	memset(s, 0, sizeof(*s));
	s->seg_shift = (uint32_t)__builtin_ctz(size);
	most = MIN((uint64_t)STORE_MAX_SLABS * STORE_SLAB_SEGS,
		   (UINT64_C(1) << (STORE_LOC_BITS + 3)) >> s->seg_shift);
	s->max_segs = (uint32_t)(capacity ? MIN(capacity >> s->seg_shift, most) : most);
	s->checksum = check;
	s->slabs = mem_map(STORE_MAX_SLABS * sizeof(s->slabs[0]));
	if (!s->slabs)
		return -ENOMEM;
	for (size_t i = 0; i < STORE_HEADS; i++)
		s->heads[i].segno = STORE_NONE;
	s->cleaner.segno = STORE_NONE;
	for (size_t i = 0; i < STORE_BUCKETS; i++)
		s->bucket[i] = STORE_NONE;
	s->free = s->unused = s->oldest = s->newest = STORE_NONE;
	return 0;
}

void store_release(struct store *s)
{
	for (uint32_t i = 0; i * STORE_SLAB_SEGS < s->n_segs; i++) {
		mem_unmap(s->slabs[i]->mem, (size_t)STORE_SLAB_SEGS << s->seg_shift);
		free(s->slabs[i]);
	}
	mem_unmap(s->slabs, STORE_MAX_SLABS * sizeof(s->slabs[0]));
	memset(s, 0, sizeof(*s));
}

struct store_totals store_totals(struct store *s)
{
	struct store_totals t = {0};
	uint32_t largest = 0;

	spin_lock(&s->lock);
	t.segments = s->n_open + s->n_full;
	t.used_bytes = (uint64_t)s->n_full << s->seg_shift;
	t.resident_bytes = (uint64_t)(s->n_full + s->n_free) << s->seg_shift;
	for (size_t i = 0; i <= STORE_HEADS; i++) {
		struct store_head *h = i < STORE_HEADS ? &s->heads[i] : &s->cleaner;
		uint32_t fill = atomic_load_explicit(&h->fill, memory_order_relaxed);

		if (h->segno == STORE_NONE)
			continue;
		t.used_bytes += fill;
		t.resident_bytes += atomic_load_explicit(&h->resident, memory_order_relaxed);
		if (h != &s->cleaner)
			largest = MAX(largest, seg_size(s) - fill);
	}
	if (s->n_open + s->n_full < s->max_segs - (s->max_segs >= 4))
		largest = seg_size(s);
	t.largest_free = largest > header_size(s) ? largest - header_size(s) : 0;
	t.cleaned_segs = s->cleaned_segs;
	t.trimmed_segs = s->trimmed_segs;
	t.metadata_bytes = sizeof(*s) + ROUND_UP(s->n_segs, STORE_SLAB_SEGS) / STORE_SLAB_SEGS *
						(sizeof(struct store_slab) + sizeof(void *));
	spin_unlock(&s->lock);
	t.moved_bytes = atomic_load_explicit(&s->moved_bytes, memory_order_relaxed);
	return t;
}

/* The check. */

#define CHECK(cond)                      \
	do {                             \
		if (!(cond))             \
			return __LINE__; \
	} while (0)

static int check_segment(struct store *s, const struct store_ops *ops, void *ctx, uint32_t segno)
{
	struct store_seg *seg = seg_of(s, segno);
	uint32_t live = 0, fill = seg->fill, rest = 0;
	uint8_t bucket;

	for (size_t i = 0; seg->state == SEG_OPEN && i <= STORE_HEADS; i++) {
		struct store_head *h = i < STORE_HEADS ? &s->heads[i] : &s->cleaner;

		if (h->segno == segno) {
			fill = h->fill;
			rest = seg_size(s) - fill;
		}
	}
	if (seg->state == SEG_FREE || seg->state == SEG_UNUSED)
		return 0;
	for (uint32_t off = 0; off < fill;) {
		uint64_t loc = make_loc(s, segno, off);
		struct store_object obj = store_get(s, loc, true);

		CHECK(obj.len);
		if (ops->live(ctx, obj.owner, loc)) {
			CHECK(obj.intact);
			live += (uint32_t)store_object_size(s, obj.len);
		}
		off += (uint32_t)store_object_size(s, obj.len);
		CHECK(off <= fill);
	}
	CHECK(seg->live == live + rest);
	CHECK(seg->state != SEG_FULL || live);
	bucket = bucket_of(s, kept_bytes(s, seg, live));
	CHECK(seg->state != SEG_FULL || seg->bucket == bucket);
	return 0;
}

int store_check(struct store *s, const struct store_ops *ops, void *ctx)
{
	uint32_t count[SEG_CLEANING + 1] = {0}, listed = 0, n = 0, prev = STORE_NONE;
	uint64_t counted = 0;
	int line;

	for (uint32_t i = 0; i < s->n_segs; i++) {
		count[seg_of(s, i)->state]++;
		line = check_segment(s, ops, ctx, i);
		if (line)
			return line;
	}
	CHECK(count[SEG_CLEANING] == 0);
	CHECK(count[SEG_OPEN] == s->n_open && count[SEG_FULL] == s->n_full);
	CHECK(count[SEG_FREE] == s->n_free && count[SEG_UNUSED] == s->n_unused);
	for (int b = 0; b < STORE_BUCKETS; b++) {
		CHECK(!!(s->bucket_map >> b & 1) == (s->bucket[b] != STORE_NONE));
		for (uint32_t i = s->bucket[b]; i != STORE_NONE; i = seg_of(s, i)->next) {
			CHECK(seg_of(s, i)->state == SEG_FULL && seg_of(s, i)->bucket == b);
			counted += seg_of(s, i)->counted;
			CHECK(++listed <= s->n_full);
		}
	}
	CHECK(listed == s->n_full && counted == s->kept_bytes);
	CHECK(s->full_bytes == (uint64_t)s->n_full << s->seg_shift);
	for (uint32_t i = s->oldest; i != STORE_NONE; prev = i, i = seg_of(s, i)->newer) {
		CHECK(seg_of(s, i)->older == prev);
		CHECK(++n <= s->n_full);
	}
	CHECK(n == s->n_full && prev == s->newest);
	return 0;
}
