/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arena: arenas and regions come and go.
 *
 *	runtime.arenas ──> arena ──> arena ──> …        a call's arena must be in this list
 *	arena.regions[id]        what objects in the store name as their owner
 *	runtime.registry         what addresses are looked up in
 *
 * A region appears in regions[] first and in the registry last, and disappears the other way round;
 * the registry's change waits until no lane holds a pointer to it, so after that its units are
 * quiet and its objects are freed without further care.
 *
 * All of this runs under runtime.lock, with signals blocked, since a handler that forks would take
 * the lock again.
 */
#include "arena/engine.h"

#include <string.h>
#include <sys/mman.h>

#include "arena/mem.h"
#include "lib/uffd.h"

static const struct memscope_arena_options defaults = {.min_savings_pct = 5};

static void lock_runtime(sigset_t *ret_signals)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, ret_signals);
	pthread_mutex_lock(&runtime.lock);
}

static void unlock_runtime(const sigset_t *signals)
{
	pthread_mutex_unlock(&runtime.lock);
	pthread_sigmask(SIG_SETMASK, signals, NULL);
}

void memscope_arena_options_init(struct memscope_arena_options *opts)
{
	*opts = defaults;
}

static bool options_ok(const struct memscope_arena_options *o)
{
	return (!o->capacity_bytes || o->capacity_bytes >= PAGE_SIZE) &&
	       (unsigned)o->access <= MEMSCOPE_ACCESS_EXPLICIT &&
	       (unsigned)o->eviction <= MEMSCOPE_EVICT_REMAP &&
	       (unsigned)o->when_full <= MEMSCOPE_FULL_RESTORE_OLDEST && o->min_savings_pct >= 1 &&
	       o->min_savings_pct <= 95 && !(o->flags & ~(unsigned)MEMSCOPE_ARENA_CHECKSUM);
}

static void arena_release(struct memscope_arena *a)
{
	mem_unmap(a->cells, LANES_MAX * sizeof(a->cells[0]));
	mem_unmap(a->regions, REGIONS_MAX * sizeof(a->regions[0]));
	if (a->store.slabs)
		store_release(&a->store);
	free(a);
}

static int arena_new(const struct memscope_arena_options *o, struct memscope_arena **ret)
{
	struct memscope_arena *a = mem_zalloc(sizeof(*a));
	int err;

	if (!a)
		return -ENOMEM;
	a->opts = *o;
	a->kind = o->access == MEMSCOPE_ACCESS_SIGNAL   ? KIND_SIGNAL
		  : o->access == MEMSCOPE_ACCESS_THREAD ? KIND_THREAD
							: KIND_NONE;
	a->cells = mem_map(LANES_MAX * sizeof(a->cells[0]));
	a->regions = mem_map(REGIONS_MAX * sizeof(a->regions[0]));
	err = store_init(&a->store, o->capacity_bytes, o->flags & MEMSCOPE_ARENA_CHECKSUM);
	if (!err && (!a->cells || !a->regions))
		err = -ENOMEM;
	if (err) {
		arena_release(a);
		return err;
	}
	*ret = a;
	return 0;
}

int memscope_arena_create(const struct memscope_arena_options *opts,
			  struct memscope_arena **ret_arena)
{
	const struct memscope_arena_options o = opts ? *opts : defaults;
	struct memscope_arena *a;
	sigset_t signals;
	int err;

	if (!options_ok(&o) || !ret_arena)
		return -EINVAL;
	err = arena_new(&o, &a);
	if (err)
		return err;
	lock_runtime(&signals);
	err = fork_install();
	if (!err)
		err = runtime_get_locked(a->kind, o.eviction == MEMSCOPE_EVICT_MOVE);
	if (!err) {
		a->next = runtime.arenas;
		runtime.arenas = a;
	}
	unlock_runtime(&signals);
	if (err) {
		arena_release(a);
		return err;
	}
	/* Faults need it as soon as anything is compressed; colder tiers come when they are used.
	 */
	err = runtime_enable_tier(MEMSCOPE_TIER_WARM);
	if (err) {
		memscope_arena_destroy(a);
		return err;
	}
	*ret_arena = a;
	return 0;
}

static void region_release(struct region *r)
{
	mem_unmap(r->entries, r->n_units * sizeof(r->entries[0]));
	mem_unmap(r->base, r->len);
	free(r);
}

/* Out of the registry already: nobody has its address. */
static void region_end(struct region *r)
{
	struct memscope_arena *a = r->arena;
	struct lane *ln = lane_get(true);

	for (uint32_t i = 0; i < r->n_units; i++) {
		uint64_t e = page_load(&r->entries[i]);

		if (page_state(e) == PAGE_EMPTY)
			continue; /* and the table stays as unused as it is */
		fault_drop(ln, r, e);
		/* The cleaner may still ask about it. */
		page_store(&r->entries[i], page_make(PAGE_EMPTY, 0));
	}
	evict_upkeep(ln, a, 2);
	lane_put(ln);
	atomic_store_explicit(&a->regions[r->id], NULL, memory_order_release);
	lanes_synchronize();
	a->n_regions--;
	a->region_bytes -= r->len;
	if (r->kind != KIND_NONE)
		uffd_unregister(region_fd(r), r->base, r->len);
	region_release(r);
}

/* Aligned to the unit. */
static uint8_t *map_aligned(size_t len, size_t align)
{
	uint8_t *p = mem_map(len + align - PAGE_SIZE), *base;
	size_t head;

	if (!p)
		return NULL;
	head = -(uintptr_t)p & (align - 1);
	base = p + head;
	if (head)
		munmap(p, head);
	if (align - PAGE_SIZE - head)
		munmap(base + len, align - PAGE_SIZE - head);
	return base;
}

static int region_new(struct memscope_arena *a, const char *name, size_t bytes, unsigned shift,
		      struct region **ret)
{
	struct region *r = mem_zalloc(sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->arena = a;
	r->kind = a->kind;
	r->unit_shift = shift;
	r->len = ROUND_UP(bytes, (size_t)1 << shift);
	r->n_units = (uint32_t)(r->len >> shift);
	snprintf(r->name, sizeof(r->name), "%s", name ? name : "");
	r->base = map_aligned(r->len, (size_t)1 << shift);
	r->entries = mem_map(r->n_units * sizeof(r->entries[0]));
	if (!r->base || !r->entries) {
		region_release(r);
		return -ENOMEM;
	}
	*ret = r;
	return 0;
}

static bool arena_known(const struct memscope_arena *a)
{
	for (const struct memscope_arena *i = runtime.arenas; i; i = i->next)
		if (i == a)
			return true;
	return false;
}

static int add_region_locked(struct memscope_arena *a, struct region *r)
{
	uint32_t id = a->last_id;
	int err;

	if (!arena_known(a))
		return -EINVAL;
	if (a->n_regions == REGIONS_MAX - 1)
		return -EMFILE;
	do
		id = id % (REGIONS_MAX - 1) + 1;
	while (atomic_load_explicit(&a->regions[id], memory_order_relaxed));
	r->id = id;
	if (r->kind != KIND_NONE) {
		err = uffd_register(region_fd(r), r->base, r->len);
		if (err)
			return err;
	}
	atomic_store_explicit(&a->regions[id], r, memory_order_release);
	err = registry_add_locked(r);
	if (err) {
		atomic_store_explicit(&a->regions[id], NULL, memory_order_release);
		lanes_synchronize();
		return err;
	}
	a->last_id = id;
	if (id > atomic_load(&a->top_id))
		atomic_store(&a->top_id, id);
	a->n_regions++;
	a->region_bytes += r->len;
	return 0;
}

int memscope_arena_alloc(struct memscope_arena *arena, const char *name, size_t bytes,
			 unsigned flags, void **ret_addr)
{
	unsigned shift = flags & MEMSCOPE_REGION_CHUNK_64K   ? 16
			 : flags & MEMSCOPE_REGION_CHUNK_16K ? 14
							     : 12;
	struct region *r;
	sigset_t signals;
	int err;

	if (!arena || !ret_addr || !bytes || bytes > (size_t)1 << (INDEX_BITS + shift) ||
	    flags & ~3U || flags == 3)
		return -EINVAL;
	/* What compresses by the least that is admitted must fit. */
	if (shift > 12 && store_max_len(&arena->store) < (size_t)1 << shift)
		return -ENOSPC;
	err = region_new(arena, name, bytes, shift, &r);
	if (err)
		return err;
	lock_runtime(&signals);
	err = add_region_locked(arena, r);
	unlock_runtime(&signals);
	if (err) {
		region_release(r);
		return err;
	}
	*ret_addr = r->base;
	return 0;
}

int memscope_arena_free(struct memscope_arena *arena, void *addr)
{
	struct region *r;
	struct lane *ln;
	sigset_t signals;
	int err = 0;

	lock_runtime(&signals);
	/* Under the lock a region that is found stays. */
	ln = lane_get(false);
	r = registry_find(addr);
	lane_put(ln);
	if (!r || r->base != addr || r->arena != arena)
		err = -EINVAL;
	if (!err)
		err = registry_remove_locked(r);
	if (!err)
		region_end(r);
	unlock_runtime(&signals);
	return err;
}

int memscope_arena_destroy(struct memscope_arena *arena)
{
	struct memscope_arena **link;
	sigset_t signals;
	int err = 0;

	if (!arena)
		return 0;
	lock_runtime(&signals);
	for (link = &runtime.arenas; *link && *link != arena; link = &(*link)->next)
		;
	if (!*link)
		err = -EINVAL;
	for (uint32_t i = 1; !err && i < REGIONS_MAX && arena->n_regions; i++) {
		struct region *r = arena->regions[i];

		if (!r)
			continue;
		err = registry_remove_locked(r);
		if (!err)
			region_end(r);
	}
	if (!err) {
		*link = arena->next;
		lanes_synchronize();
		runtime_put_locked(arena->kind);
	}
	unlock_runtime(&signals);
	if (!err)
		arena_release(arena);
	return err;
}

/* Tests. */

static int region_check(struct region *r)
{
	for (uint32_t i = 0; i < r->n_units; i++) {
		uint64_t e = page_load(&r->entries[i]);

		if (e & PAGE_LOCK || page_state(e) == PAGE_STAGED || page_state(e) > PAGE_SAME)
			return __LINE__;
		if (page_pins(e) && page_state(e) != PAGE_RESIDENT)
			return __LINE__;
		if (page_state(e) == PAGE_PACKED &&
		    store_get(&r->arena->store, page_payload(e), true).owner != region_owner(r, i))
			return __LINE__;
	}
	return 0;
}

static int check_locked(struct memscope_arena *a)
{
	struct store_ctx ctx = {.arena = a};

	for (uint32_t i = 1; i < REGIONS_MAX; i++) {
		struct region *r = a->regions[i];
		int line = r ? region_check(r) : 0;

		if (line)
			return line;
	}
	return store_check(&a->store, &evict_store_ops, &ctx);
}

int arena_check(struct memscope_arena *a)
{
	int line;

	/* The handler thread may be at an old message, or wake the program before it is done. */
	lanes_lock();
	line = check_locked(a);
	lanes_unlock();
	return line;
}
