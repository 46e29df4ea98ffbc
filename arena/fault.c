/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fault: a unit that is missing comes back.
 *
 *	access ─> page fault ─> SIGBUS handler (sigbus.c) or message (handler.c) ─┐
 *	memscope_arena_touch(), pin, prefetch ────────────────────────────────────┤
 *	                                                                          v
 *	                  entry locked by another?  wait: it is one page's work
 *	EMPTY, PACKED, SAME  lock it and as many of its successors as the stream of faults suggests,
 *	                     decode them into the lane's buffer, one UFFDIO_COPY, publish RESIDENT,
 *	                     free the objects
 *	STAGED               lock it, move the page back, tell the evictor that its slot is void
 *	RESIDENT             another thread was faster; or the program dropped it: a page of zeros
 *
 * A page appears in the region filled, at once: no other thread sees a half of it. (In EXPLICIT
 * regions nothing hides it; but there nobody else looks at a unit that is not resident.)
 *
 * Runs inside signal handlers: no allocation, no lock but entries and the store's, errno preserved
 * by the caller.
 */
#include "arena/engine.h"

#include <string.h>
#include <time.h>

#include "lib/uffd.h"

#define NO_MEMORY_TRIES 200
#define NAP_NS          1000000

static void nap(void)
{
	const struct timespec ts = {.tv_nsec = NAP_NS};

	nanosleep(&ts, NULL);
}

int fault_decode(struct lane *ln, struct region *r, uint32_t unit, uint64_t e, void *dst)
{
	struct store_object obj;
	int err;

	switch (page_state(e)) {
	case PAGE_EMPTY:
		memset(dst, 0, region_unit(r));
		return 0;
	case PAGE_SAME:
		codec_fill(dst, region_unit(r),
			   (page_payload(e) & UINT32_MAX) * UINT64_C(0x100000001));
		return 0;
	case PAGE_PACKED:
		obj = store_get(&r->arena->store, page_payload(e), true);
		if (!obj.intact || obj.owner != region_owner(r, unit))
			return -EBADMSG;
		err = codec_decompress(ln->codec[page_tier(e)], dst, region_unit(r), obj.data,
				       obj.len);
		count_add(r, ln, N_DECOMPRESS_OPS, 1);
		return err ? -EBADMSG : 0;
	default:
		return -EINVAL;
	}
}

void fault_drop(struct lane *ln, struct region *r, uint64_t e)
{
	enum page_state state = page_state(e);

	if (state == PAGE_PACKED) {
		uint64_t loc = page_payload(e);
		struct store_object obj = store_get(&r->arena->store, loc, false);

		count_sub(r, ln, N_PAYLOAD, obj.len);
		count_sub(r, ln, N_OBJECTS_BYTES, store_object_size(&r->arena->store, obj.len));
		store_free(&r->arena->store, loc);
	} else if (state == PAGE_SAME) {
		count_sub(r, ln, N_LOGICAL_SAME, region_unit(r));
	}
	if (state == PAGE_PACKED || state == PAGE_SAME)
		count_sub(r, ln, N_LOGICAL, region_unit(r));
}

/*
 * Fills missing pages. Returns how many bytes are done: all of them, or on an error a whole number
 * of units. A page that is there already is the program's own doing (mmap() over the region) and
 * stays.
 */
static size_t put(struct region *r, void *dst, const void *src, size_t len, int *ret_err)
{
	size_t off = 0, done;
	unsigned tries = 0;

	while (off < len) {
		int err = uffd_copy(region_fd(r), (char *)dst + off, (const char *)src + off,
				    len - off, region_wakes(r), &done);

		off += done;
		if (!err || done) {
			tries = 0;
			continue;
		}
		if (err == -EEXIST) {
			off += PAGE_SIZE;
			continue;
		}
		if (err == -EAGAIN || err == -ENOMEM) {
			/* Half a unit cannot be taken back once the program can write to it. */
			if (err == -EAGAIN || off % region_unit(r) || ++tries < NO_MEMORY_TRIES) {
				nap();
				continue;
			}
		} else if (off % region_unit(r)) {
			off += PAGE_SIZE; /* unmapped in the middle: nobody misses it */
			continue;
		}
		*ret_err = err == -ENOMEM ? -ENOMEM : -EFAULT;
		break;
	}
	return off;
}

/* Units [unit, unit + n) are locked, in the states olds. All end unlocked. */
static int restore_run(struct lane *ln, struct region *r, uint32_t unit, unsigned n,
		       const uint64_t *olds)
{
	size_t size = region_unit(r), len;
	bool zeros = r->kind != KIND_NONE;
	uint8_t *dst = r->kind == KIND_NONE ? region_at(r, unit) : ln->in;
	unsigned good = 0;
	uint64_t around = 0;
	int err = 0;

	for (unsigned i = 0; i < n; i++)
		zeros = zeros && page_state(olds[i]) == PAGE_EMPTY;
	if (zeros)
		good = n;
	for (; good < n && !err; good += !err)
		err = fault_decode(ln, r, unit + good, olds[good], dst + good * size);
	if (r->kind != KIND_NONE && good) {
		len = put(r, region_at(r, unit), zeros ? runtime.zeros : ln->in, good * size, &err);
		good = (unsigned)(len / size);
	}
	for (unsigned i = 0; i < n; i++) {
		page_store(&r->entries[unit + i], i < good ? page_make(PAGE_RESIDENT, 0) : olds[i]);
		if (i >= good)
			continue;
		fault_drop(ln, r, olds[i]);
		if (page_state(olds[i]) == PAGE_EMPTY)
			count_add(r, ln, N_FIRST_TOUCH, size);
		else
			around += size;
	}
	if (around)
		count_add(r, ln, N_AROUND, around - size);
	return good ? 0 : err;
}

/* Is the unit missing for good, so that it can be restored right now? */
static bool restorable(uint64_t e)
{
	enum page_state s = page_state(e);

	return !(e & PAGE_LOCK) && (s == PAGE_EMPTY || s == PAGE_PACKED || s == PAGE_SAME);
}

static _Atomic uint64_t *stream_slot(struct region *r, uintptr_t who)
{
	return &r->streams[(who * UINT64_C(0x9e3779b97f4a7c15)) >> 61];
}

/* Units to restore with one fault: it and `up` - 1 above it, or it and `down` below it. */
struct window {
	unsigned up, down;
};

static struct window window(struct region *r, uint32_t unit, uintptr_t who)
{
	unsigned most = (unsigned)(AROUND_BYTES >> r->unit_shift);
	_Atomic uint64_t *slot = stream_slot(r, who);
	uint64_t s = atomic_load_explicit(slot, memory_order_relaxed), last = s >> 8, n = s & 255;

	switch (atomic_load_explicit(&r->advice, memory_order_relaxed)) {
	case MEMSCOPE_ADVICE_RANDOM:
		return (struct window){.up = 1};
	case MEMSCOPE_ADVICE_SEQUENTIAL:
		return (struct window){.up = most};
	default:
		/* A few resident units may have been passed over. */
		if (n && unit >= last + n && unit < last + 2 * n + 1)
			return (struct window){.up = (unsigned)MIN(2 * n, most)};
		/* memcpy() goes down, too, where that suits the addresses. */
		if (n && unit < last && unit + n + 1 > last)
			return (struct window){.up = 1, .down = (unsigned)MIN(2 * n, most) - 1};
		return (struct window){.up = 1};
	}
}

static void window_done(struct region *r, uint32_t first, unsigned n, uintptr_t who)
{
	atomic_store_explicit(stream_slot(r, who), (uint64_t)first << 8 | n, memory_order_relaxed);
}

/*
 * e: the unlocked, restorable state of the unit; false if it has changed. What was restored is
 * [*ret_first, *ret_first + *ret_n).
 */
static bool restore(struct lane *ln, struct region *r, uint32_t unit, uint64_t e, struct window w,
		    uint32_t *ret_first, unsigned *ret_n, int *ret_err)
{
	uint64_t olds[2 * AROUND_BYTES / PAGE_SIZE], *old = &olds[AROUND_BYTES / PAGE_SIZE];
	unsigned up = 1, down = 0;

	if (!page_try_lock(&r->entries[unit], e))
		return false;
	old[0] = e;
	for (; up < w.up && unit + up < r->n_units; up++) {
		old[up] = page_load(&r->entries[unit + up]);
		if (!restorable(old[up]) || !page_try_lock(&r->entries[unit + up], old[up]))
			break;
	}
	for (; down < w.down && down < unit; down++) {
		uint64_t below = page_load(&r->entries[unit - down - 1]);

		if (!restorable(below) || !page_try_lock(&r->entries[unit - down - 1], below))
			break;
		*--old = below;
	}
	*ret_err = restore_run(ln, r, unit - down, up + down, old);
	*ret_first = unit - down;
	*ret_n = up + down;
	return true;
}

bool fault_restore_if(struct lane *ln, struct region *r, uint32_t unit, uint64_t e)
{
	const struct window one = {.up = 1};
	uint32_t first;
	unsigned n;
	int err;

	return restore(ln, r, unit, e, one, &first, &n, &err) && !err;
}

void fault_give_back(struct region *r, void *dst, void *src, size_t len, enum stage_area area)
{
	int fd = region_fd(r);
	bool wake = region_wakes(r);
	size_t off = 0, done;

	while (off < len) {
		char *to = (char *)dst + off, *from = (char *)src + off;
		int err = -EINVAL;

		done = 0;
		if (area == AREA_MOVE)
			err = uffd_move(fd, to, from, len - off, wake, &done);
		if (!done && err) /* the kernel holds the page for a moment: a copy does it, too */
			err = uffd_copy(fd, to, from, PAGE_SIZE, wake, &done);
		off += done;
		if (done || !err)
			continue;
		if (err == -EAGAIN || err == -ENOMEM)
			nap();
		else /* the program has mapped or unmapped something here: not ours any more */
			off += PAGE_SIZE;
	}
}

static void unstage(struct region *r, uint32_t unit, uint64_t e)
{
	uint64_t where = page_payload(e);
	unsigned lane = (unsigned)(where >> 16), slot = where & 255;
	enum stage_area area = where >> 8 & 1 ? AREA_REMAP : AREA_MOVE;
	struct slot *s = &runtime.lanes[lane].slots[slot];

	fault_give_back(r, region_at(r, unit), stage_at(r, lane, area, slot), region_unit(r), area);
	page_store(&r->entries[unit], s->old);
	/* The evictor waits for this before it uses the slot or its bytes again. */
	atomic_store_explicit(&s->given_back, true, memory_order_release);
}

/* The kernel has missed a page that we think is there. */
static void fill_dropped(struct region *r, const void *addr)
{
	void *page = (void *)((uintptr_t)addr & ~(PAGE_SIZE - 1));
	size_t done;
	int err;

	do {
		err = uffd_copy(region_fd(r), page, runtime.zeros, PAGE_SIZE, region_wakes(r),
				&done);
		if (err == -ENOMEM)
			nap();
	} while (err == -EAGAIN || err == -ENOMEM);
	if (err && region_wakes(r)) /* it is there: the message was old */
		uffd_wake(region_fd(r), page, PAGE_SIZE);
}

int fault_resolve(struct lane *ln, struct region *r, uint32_t unit, const void *addr, uintptr_t who,
		  unsigned flags)
{
	page_entry *p = &r->entries[unit];
	struct window w = {.up = 1};
	unsigned turn = 0, n;
	uint32_t first;
	int err;

	for (;;) {
		uint64_t e = page_load(p);

		if (e & PAGE_LOCK) {
			spin_wait(&turn);
			continue;
		}
		switch (page_state(e)) {
		case PAGE_RESIDENT:
			if (!(flags & FAULT_MISSING))
				return 0;
			if (!page_try_lock(p, e))
				continue;
			fill_dropped(r, addr);
			page_store(p, e);
			return 0;
		case PAGE_STAGED:
			if (!page_try_lock(p, e))
				continue;
			unstage(r, unit, e);
			return 0;
		case PAGE_PACKED:
			store_prefetch(&r->arena->store, page_payload(e));
			/* fall through */
		default:
			if (flags & FAULT_AROUND)
				w = window(r, unit, who);
			if (!restore(ln, r, unit, e, w, &first, &n, &err))
				continue;
			if (flags & FAULT_AROUND)
				window_done(r, first, n, who);
			return err;
		}
	}
}

int fault_prefetch(struct lane *ln, struct region *r, uint32_t first, uint32_t n)
{
	unsigned most = (unsigned)(AROUND_BYTES >> r->unit_shift), got;
	uint32_t at;
	int err;

	for (uint32_t i = first; i < first + n; i += got) {
		const struct window w = {.up = MIN(most, first + n - i)};
		uint64_t e = page_load(&r->entries[i]);

		got = 1;
		if (!restorable(e) || !restore(ln, r, i, e, w, &at, &got, &err)) {
			if (page_state(e) == PAGE_RESIDENT && !(e & PAGE_LOCK))
				continue;
			err = fault_resolve(ln, r, i, region_at(r, i), 0, 0);
			got = 1;
		}
		if (err)
			return err;
	}
	return 0;
}

int fault_handle(const void *addr, uintptr_t who, enum kind_id kind)
{
	uint64_t start = now_ns();
	struct lane *ln = lane_get(false);
	struct region *r = registry_find(addr);
	uint32_t unit;
	uint64_t e;
	int err;

	if (!r || r->kind != kind) {
		lane_put(ln);
		return 1;
	}
	unit = (uint32_t)((size_t)((const uint8_t *)addr - r->base) >> r->unit_shift);
	e = page_load(&r->entries[unit]);
	err = fault_resolve(ln, r, unit, addr, who, FAULT_MISSING | FAULT_AROUND);
	count_add(r, ln, N_FAULTS, 1);
	if (err) {
		count_add(r, ln, N_LOST, 1);
		if (r->arena->opts.on_lost)
			r->arena->opts.on_lost(r->arena->opts.on_lost_ctx, region_at(r, unit), err);
	} else if (page_state(e) != PAGE_EMPTY && page_state(e) != PAGE_RESIDENT) {
		count_add(r, ln, N_HIT_COMPRESSED, 1);
		hist_add(&r->arena->cells[ln->id].stall, now_ns() - start);
	}
	lane_put(ln);
	return err;
}
