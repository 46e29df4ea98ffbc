/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ops: the public calls on memory that exists already.
 *
 *	op_begin()  block signals (unless the arena is EXPLICIT), take a lane, find the range
 *	…           work on it in steps that are short enough for a signal to wait
 *	op_end()    give back
 *
 * Every step looks the region up again, so a region freed meanwhile ends the call with -EINVAL
 * instead of a stale pointer. Outputs are written after the last step, without lane or lock: the
 * pointer may well lie in a region.
 */
#include "arena/engine.h"

#include <string.h>
#include <sys/mman.h>

struct op {
	struct memscope_arena *arena;
	struct lane *ln;
	struct region *r;
	uint32_t first, n; /* units */
	sigset_t signals;
};

static void op_end(struct op *op)
{
	lane_put(op->ln);
	if (op->arena->kind != KIND_NONE)
		pthread_sigmask(SIG_SETMASK, &op->signals, NULL);
}

static void op_lane(struct op *op, struct memscope_arena *arena, bool bulk)
{
	sigset_t all;

	op->arena = arena;
	if (arena->kind != KIND_NONE) {
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &op->signals);
	}
	op->ln = lane_get(bulk);
}

/* Ends the operation by itself when it fails. */
static int op_begin(struct op *op, struct memscope_arena *arena, const void *addr, size_t len,
		    bool bulk)
{
	size_t off;

	op_lane(op, arena, bulk);
	op->r = registry_find(addr);
	if (!op->r || op->r->arena != arena)
		goto bad;
	off = (size_t)((const uint8_t *)addr - op->r->base);
	if (!len || len > op->r->len - off)
		goto bad;
	op->first = (uint32_t)(off >> op->r->unit_shift);
	op->n = (uint32_t)((off + len - 1) >> op->r->unit_shift) - op->first + 1;
	return 0;
bad:
	op_end(op);
	return -EINVAL;
}

/*
 * Works through a range in steps of at most `step` bytes, each an operation of its own. fn returns
 * 0 to go on. A length of 0 must still name a region, so that a wrong pointer is always told.
 */
typedef int (*op_fn)(struct op *op, void *arg);

static int op_each(struct memscope_arena *arena, const void *addr, size_t len, size_t step,
		   bool bulk, op_fn fn, void *arg)
{
	const char *at = addr;
	struct op op;
	int err;

	if (!arena)
		return -EINVAL;
	/* The whole range first, so that a bad one changes nothing. */
	err = op_begin(&op, arena, addr, len ? len : 1, bulk);
	if (err || !len) {
		if (!err)
			op_end(&op);
		return err;
	}
	for (;;) {
		size_t unit = region_unit(op.r), rest = len;
		size_t n = MAX(step, unit) - ((uintptr_t)at & (unit - 1));

		if (n < rest) {
			op.n = (uint32_t)(((uintptr_t)at + n - 1 - (uintptr_t)op.r->base) >>
					  op.r->unit_shift) -
			       op.first + 1;
			rest = n;
		}
		err = fn(&op, arg);
		op_end(&op);
		at += rest;
		len -= rest;
		if (err || !len)
			return err;
		err = op_begin(&op, arena, at, len, bulk);
		if (err)
			return err;
	}
}

/* touch, prefetch, pin, unpin, discard */

static int touch_units(struct op *op, void *arg _unused_)
{
	struct region *r = op->r;
	uint64_t start = 0;
	int err = 0;

	for (uint32_t i = op->first; i < op->first + op->n && !err; i++) {
		uint64_t e = page_load(&r->entries[i]);

		if (page_state(e) == PAGE_RESIDENT && !(e & PAGE_LOCK)) {
			count_add(r, op->ln, N_HIT_RESIDENT, 1);
			continue;
		}
		start = now_ns();
		err = fault_resolve(op->ln, r, i, region_at(r, i), 0, 0);
		if (err) {
			count_add(r, op->ln, N_LOST, 1);
		} else if (page_state(e) != PAGE_EMPTY) {
			count_add(r, op->ln, N_HIT_COMPRESSED, 1);
			hist_add(&r->arena->cells[op->ln->id].stall, now_ns() - start);
		}
	}
	return err;
}

int memscope_arena_touch(struct memscope_arena *arena, const void *addr, size_t len)
{
	return op_each(arena, addr, len, AROUND_BYTES, false, touch_units, NULL);
}

static int prefetch_units(struct op *op, void *arg _unused_)
{
	return fault_prefetch(op->ln, op->r, op->first, op->n);
}

int memscope_arena_prefetch(struct memscope_arena *arena, const void *addr, size_t len)
{
	return op_each(arena, addr, len, AROUND_BYTES, true, prefetch_units, NULL);
}

/* One unit, which is resident afterwards. */
static int pin_unit(struct op *op, uint32_t unit)
{
	page_entry *p = &op->r->entries[unit];
	struct op one = *op;
	int err;

	for (;;) {
		uint64_t e = page_load(p);

		if (!(e & PAGE_LOCK) && page_state(e) == PAGE_RESIDENT) {
			if (page_pins(e) == PAGE_PINS_MAX)
				return -EOVERFLOW;
			if (page_swap(p, e, e + PAGE_PIN))
				return 0;
			continue;
		}
		one.first = unit;
		one.n = 1;
		err = touch_units(&one, NULL);
		if (err)
			return err;
	}
}

static int unpin_unit(struct op *op, uint32_t unit)
{
	page_entry *p = &op->r->entries[unit];
	unsigned turn = 0;

	for (;;) {
		uint64_t e = page_load(p);

		if (e & PAGE_LOCK) {
			spin_wait(&turn);
			continue;
		}
		if (!page_pins(e))
			return -EINVAL;
		if (page_swap(p, e, e - PAGE_PIN))
			return 0;
	}
}

static int unpin_units(struct op *op, void *arg _unused_)
{
	for (uint32_t i = op->first; i < op->first + op->n; i++) {
		int err = unpin_unit(op, i);

		if (err)
			return err;
	}
	return 0;
}

static int pin_units(struct op *op, void *arg)
{
	size_t *pinned = arg;

	for (uint32_t i = op->first; i < op->first + op->n; i++) {
		int err = pin_unit(op, i);

		if (err)
			return err;
		*pinned += region_unit(op->r);
	}
	return 0;
}

int memscope_arena_pin(struct memscope_arena *arena, const void *addr, size_t len)
{
	struct memscope_region_info info;
	size_t pinned = 0;
	int err = op_each(arena, addr, len, AROUND_BYTES, false, pin_units, &pinned);

	if (err && pinned && !memscope_arena_region(arena, addr, &info)) {
		const char *from = (const char *)((uintptr_t)addr & ~(info.unit_bytes - 1));

		memscope_arena_unpin(arena, from, pinned);
	}
	return err;
}

int memscope_arena_unpin(struct memscope_arena *arena, const void *addr, size_t len)
{
	return op_each(arena, addr, len, BATCH_BYTES, false, unpin_units, NULL);
}

static int discard_units(struct op *op, void *arg)
{
	struct region *r = op->r;
	bool *pinned = arg;
	unsigned turn = 0;

	for (uint32_t i = op->first; i < op->first + op->n;) {
		uint64_t e = page_load(&r->entries[i]);

		if (e & PAGE_LOCK) {
			spin_wait(&turn);
			continue;
		}
		if (page_state(e) == PAGE_STAGED) { /* comes back first */
			fault_resolve(op->ln, r, i, region_at(r, i), 0, 0);
			continue;
		}
		if (page_pins(e)) {
			*pinned = true;
			i++;
			continue;
		}
		if (page_state(e) != PAGE_EMPTY) {
			if (!page_try_lock(&r->entries[i], e))
				continue;
			if (page_state(e) == PAGE_RESIDENT)
				madvise(region_at(r, i), region_unit(r), MADV_DONTNEED);
			fault_drop(op->ln, r, e);
			page_store(&r->entries[i], page_make(PAGE_EMPTY, 0));
		}
		i++;
	}
	evict_upkeep(op->ln, op->arena, 1);
	return 0;
}

int memscope_arena_discard(struct memscope_arena *arena, void *addr, size_t len)
{
	bool pinned = false;
	int err = op_each(arena, addr, len, BATCH_BYTES, true, discard_units, &pinned);

	return err ? err : pinned ? -EBUSY : 0;
}

/* compress, compact, verify */

struct compress_arg {
	unsigned tier;
	uint64_t ns;
	struct memscope_compress_result total;
};

static void count_result(const struct op *op, const struct memscope_compress_result *d)
{
	const struct region *r = op->r;
	const struct lane *ln = op->ln;

	count_add(r, ln, N_TRIED, d->tried_bytes);
	count_add(r, ln, N_ADMITTED, d->admitted_bytes);
	count_add(r, ln, N_SAME, d->same_bytes);
	count_add(r, ln, N_STUBBORN, d->stubborn_bytes);
	count_add(r, ln, N_UNCHANGED, d->unchanged_bytes);
	count_add(r, ln, N_PINNED, d->pinned_bytes);
	count_add(r, ln, N_BUSY, d->busy_bytes);
	count_add(r, ln, N_FULL, d->full_bytes);
}

static void add_result(struct memscope_compress_result *sum,
		       const struct memscope_compress_result *d)
{
	sum->tried_bytes += d->tried_bytes;
	sum->admitted_bytes += d->admitted_bytes;
	sum->stored_bytes += d->stored_bytes;
	sum->same_bytes += d->same_bytes;
	sum->stubborn_bytes += d->stubborn_bytes;
	sum->unchanged_bytes += d->unchanged_bytes;
	sum->pinned_bytes += d->pinned_bytes;
	sum->busy_bytes += d->busy_bytes;
	sum->full_bytes += d->full_bytes;
}

static int compress_units(struct op *op, void *arg)
{
	struct compress_arg *c = arg;
	struct memscope_compress_result d = {0};
	uint64_t start = now_ns();
	int err = evict_batch(op->ln, op->r, op->first, op->n, c->tier, &d);

	count_result(op, &d);
	add_result(&c->total, &d);
	count_add(op->r, op->ln, N_ATTEMPTED, (uint64_t)op->n << op->r->unit_shift);
	evict_upkeep(op->ln, op->arena, 2);
	count_add(op->r, op->ln, N_COMPRESS_NS, now_ns() - start);
	return err;
}

int memscope_arena_compress(struct memscope_arena *arena, void *addr, size_t len,
			    enum memscope_tier tier, struct memscope_compress_result *ret_result)
{
	struct compress_arg c = {.tier = tier};
	int err;

	if ((unsigned)tier >= TIERS)
		return -EINVAL;
	err = runtime_enable_tier(tier);
	if (!err)
		err = op_each(arena, addr, len, BATCH_BYTES, true, compress_units, &c);
	if (ret_result && err != -EINVAL)
		*ret_result = c.total;
	return err;
}

static int compact(struct memscope_arena *arena, unsigned slack_permille)
{
	uint64_t most = store_totals(&arena->store).segments;
	struct op op;
	int err = 0;

	/* Each segment once: more would run after threads that free as fast as this cleans. */
	for (uint64_t i = 0; i <= most && !err; i++) {
		op_lane(&op, arena, true);
		err = evict_compact(op.ln, arena, slack_permille, 1);
		if (err || i == most)
			store_trim(&arena->store, 0);
		op_end(&op);
	}
	return err == -ENOENT || err == -ENOSPC ? 0 : err;
}

int memscope_arena_compact(struct memscope_arena *arena, unsigned slack_pct)
{
	if (!arena || slack_pct < 1 || slack_pct > 100)
		return -EINVAL;
	return compact(arena, slack_pct * 10);
}

int memscope_arena_phase(struct memscope_arena *arena, enum memscope_phase phase)
{
	if (!arena || (unsigned)phase > MEMSCOPE_PHASE_IDLE)
		return -EINVAL;
	atomic_store_explicit(&arena->phase, phase, memory_order_relaxed);
	return phase == MEMSCOPE_PHASE_IDLE ? compact(arena, 30) : 0;
}

static int advise_region(struct op *op, void *arg)
{
	atomic_store_explicit(&op->r->advice, *(const unsigned *)arg, memory_order_relaxed);
	return 0;
}

int memscope_arena_advise(struct memscope_arena *arena, void *addr, enum memscope_advice advice)
{
	unsigned value = advice;

	if (value > MEMSCOPE_ADVICE_RANDOM)
		return -EINVAL;
	return op_each(arena, addr, 1, PAGE_SIZE, false, advise_region, &value);
}

static int verify_units(struct op *op, void *arg)
{
	struct region *r = op->r;
	uint64_t *bad = arg;

	for (uint32_t i = op->first; i < op->first + op->n; i++) {
		uint64_t e = page_load(&r->entries[i]);

		if (page_state(e) != PAGE_PACKED || !page_try_lock(&r->entries[i], e))
			continue;
		if (fault_decode(op->ln, r, i, e, op->ln->in))
			++*bad;
		page_store(&r->entries[i], e);
	}
	return 0;
}

int memscope_arena_verify(struct memscope_arena *arena, uint64_t *ret_bad)
{
	uint64_t bad = 0;
	uint32_t top;

	if (!arena)
		return -EINVAL;
	top = atomic_load_explicit(&arena->top_id, memory_order_relaxed);
	for (uint32_t id = 1; id <= top; id++) {
		uint8_t *base;
		size_t len;
		struct region *r;
		struct op op;

		op_lane(&op, arena, true);
		r = atomic_load_explicit(&arena->regions[id], memory_order_acquire);
		base = r ? r->base : NULL;
		len = r ? r->len : 0;
		op_end(&op);
		/* Freed meanwhile: then there is nothing to verify. */
		if (base)
			op_each(arena, base, len, BATCH_BYTES, true, verify_units, &bad);
	}
	if (ret_bad)
		*ret_bad = bad;
	return 0;
}

int memscope_arena_region(struct memscope_arena *arena, const void *addr,
			  struct memscope_region_info *ret_info)
{
	struct memscope_region_info info = {0};
	struct op op;
	int err;

	if (!arena)
		return -EINVAL;
	err = op_begin(&op, arena, addr, 1, false);
	if (err)
		return err;
	info.addr = op.r->base;
	info.bytes = op.r->len;
	info.unit_bytes = region_unit(op.r);
	memcpy(info.name, op.r->name, sizeof(info.name));
	op_end(&op);
	*ret_info = info;
	return 0;
}
