/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * runtime: what all arenas of a process share: lanes, the registry, userfaultfd descriptors.
 *
 *	lanes[0 .. n/2)  short work first: faults and touches
 *	lanes[n/2 .. n)  bulk work only here, so that a fault always finds a lane soon
 *
 *	registry ──> { region by address … }   one pointer; a new table for each change, and the old
 *	                                       one is freed when every lane was free once
 *
 * Invariants
 *  - kinds[k].fd is open, its staging area mapped and registered, while kinds[k].users > 0.
 *  - runtime.lock is never taken with a lane held.
 *  - lane buffers exist while an arena exists. The lanes themselves are static, since a SIGBUS may
 *    ask for one at any time.
 */
#include "arena/engine.h"

#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "arena/mem.h"
#include "lib/uffd.h"

/* LZ4's and zstd's bounds of the largest unit. */
#define OUT_BYTES ((size_t)72 * 1024)

struct runtime runtime = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.kinds = {{.fd = -1, .stop_fd = -1}, {.fd = -1, .stop_fd = -1}},
	.n_lanes = LANES_MAX, /* until buffers exist: a stray SIGBUS needs no more than the flag */
};

static const struct codec_spec tiers[TIERS] = {
	[MEMSCOPE_TIER_WARM] = {.id = CODEC_LZ4, .level = 1},
	[MEMSCOPE_TIER_COOL] = {.id = CODEC_ZSTD, .level = -1},
	[MEMSCOPE_TIER_COLD] = {.id = CODEC_ZSTD, .level = 1},
};

/* Lanes. */

static bool lane_try(struct lane *ln)
{
	return !atomic_load_explicit(&ln->busy, memory_order_relaxed) &&
	       !atomic_exchange_explicit(&ln->busy, 1, memory_order_acquire);
}

struct lane *lane_get(bool bulk)
{
	unsigned n = runtime.n_lanes, from = bulk ? n / 2 : 0, turn = 0;
	/* Something that differs between threads and costs nothing, also in a signal handler. */
	uintptr_t self = (uintptr_t)&errno;
	unsigned hint = (unsigned)(self * UINT64_C(0x9e3779b97f4a7c15) >> 40);

	for (;;) {
		for (unsigned i = 0; i < n - from; i++) {
			struct lane *ln = &runtime.lanes[from + (hint + i) % (n - from)];

			if (lane_try(ln))
				return ln;
		}
		spin_wait(&turn);
	}
}

void lane_put(struct lane *ln)
{
	atomic_store_explicit(&ln->busy, 0, memory_order_release);
}

static void lane_get_this(struct lane *ln)
{
	unsigned turn = 0;

	while (!lane_try(ln))
		spin_wait(&turn);
}

void lanes_synchronize(void)
{
	for (unsigned i = 0; i < LANES_MAX; i++) {
		lane_get_this(&runtime.lanes[i]);
		lane_put(&runtime.lanes[i]);
	}
}

void lanes_lock(void)
{
	for (unsigned i = 0; i < LANES_MAX; i++)
		lane_get_this(&runtime.lanes[i]);
}

void lanes_unlock(void)
{
	for (unsigned i = 0; i < LANES_MAX; i++)
		lane_put(&runtime.lanes[i]);
}

uint64_t lanes_memory(void)
{
	uint64_t sum = sizeof(runtime);

	for (unsigned i = 0; i < runtime.n_lanes; i++) {
		lane_get_this(&runtime.lanes[i]);
		sum += AROUND_BYTES + OUT_BYTES;
		for (unsigned t = 0; t < TIERS; t++)
			if (runtime.lanes[i].codec[t])
				sum += codec_memory(runtime.lanes[i].codec[t]);
		lane_put(&runtime.lanes[i]);
	}
	return sum;
}

int runtime_enable_tier(unsigned tier)
{
	int err = 0;

	pthread_mutex_lock(&runtime.lock);
	for (unsigned i = 0; i < runtime.n_lanes && !runtime.tier_ready[tier] && !err; i++) {
		struct codec *c = NULL;

		if (runtime.lanes[i].codec[tier])
			continue; /* from an earlier try that failed half-way */
		err = mem_may_allocate() ? codec_new(&tiers[tier], NULL, &c) : -ENOMEM;
		if (err)
			break;
		lane_get_this(&runtime.lanes[i]);
		runtime.lanes[i].codec[tier] = c;
		lane_put(&runtime.lanes[i]);
	}
	if (!err)
		runtime.tier_ready[tier] = true;
	pthread_mutex_unlock(&runtime.lock);
	return err;
}

static void lanes_release(void)
{
	lanes_lock();
	for (unsigned i = 0; i < LANES_MAX; i++) {
		struct lane *ln = &runtime.lanes[i];

		for (unsigned t = 0; t < TIERS; t++) {
			codec_free(ln->codec[t]);
			ln->codec[t] = NULL;
		}
		ln->in = ln->out = NULL;
	}
	memset(runtime.tier_ready, 0, sizeof(runtime.tier_ready));
	mem_unmap(runtime.buffers, runtime.n_lanes * (AROUND_BYTES + OUT_BYTES));
	mem_unmap(runtime.remap, runtime.n_lanes * BATCH_BYTES);
	mem_unmap((void *)(uintptr_t)runtime.zeros, AROUND_BYTES);
	runtime.buffers = runtime.remap = NULL;
	runtime.zeros = NULL;
	lanes_unlock();
}

static int lanes_init(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);

	runtime.n_lanes = (unsigned)CLAMP(4 * cpus, 8, LANES_MAX);
	runtime.buffers = mem_map(runtime.n_lanes * (AROUND_BYTES + OUT_BYTES));
	runtime.remap = mem_map(runtime.n_lanes * BATCH_BYTES);
	runtime.zeros = mem_map(AROUND_BYTES);
	if (!runtime.buffers || !runtime.remap || !runtime.zeros) {
		lanes_release();
		return -ENOMEM;
	}
	for (unsigned i = 0; i < runtime.n_lanes; i++) {
		struct lane *ln = &runtime.lanes[i];

		ln->id = i;
		ln->in = runtime.buffers + i * (AROUND_BYTES + OUT_BYTES);
		ln->out = ln->in + AROUND_BYTES;
	}
	return 0;
}

/* Descriptors. */

int kind_open(struct kind *k, enum kind_id id, bool must_move)
{
	uint64_t must = id == KIND_SIGNAL ? UFFD_SIGBUS : UFFD_THREAD_ID, features;
	size_t len = runtime.n_lanes * BATCH_BYTES;
	_cleanup_close_ int fd = -1;
	int err;

	if (must_move)
		must |= UFFD_MOVE;
	/* Without privilege, threads in system calls could not be made to wait; signals need none.
	 */
	err = uffd_open(must, UFFD_MOVE, id == KIND_SIGNAL, &fd, &features);
	if (err)
		return err;
	err = uffd_register(fd, k->stage, len);
	if (err)
		return err;
	k->can_move = features & UFFD_MOVE;
	k->fd = fd;
	fd = -1;
	return 0;
}

static void kind_release(struct kind *k, enum kind_id id)
{
	if (id == KIND_THREAD)
		handler_stop(k);
	else
		sigbus_remove();
	if (k->fd >= 0)
		close(k->fd);
	k->fd = -1;
	mem_unmap(k->stage, runtime.n_lanes * BATCH_BYTES);
	k->stage = NULL;
}

static int kind_get(struct kind *k, enum kind_id id, bool must_move)
{
	int err;

	if (k->users)
		return must_move && !k->can_move ? -EOPNOTSUPP : 0;
	k->stage = mem_map(runtime.n_lanes * BATCH_BYTES);
	if (!k->stage)
		return -ENOMEM;
	err = kind_open(k, id, must_move);
	if (!err)
		err = id == KIND_THREAD ? handler_start(k) : sigbus_install();
	if (err) {
		if (k->fd >= 0)
			close(k->fd);
		k->fd = -1;
		mem_unmap(k->stage, runtime.n_lanes * BATCH_BYTES);
		k->stage = NULL;
	}
	return err;
}

int runtime_get_locked(enum kind_id kind, bool must_move)
{
	bool first = !runtime.arenas;
	int err = 0;

	if (first)
		err = lanes_init();
	if (!err && kind != KIND_NONE)
		err = kind_get(&runtime.kinds[kind], kind, must_move);
	if (err && first && runtime.buffers)
		lanes_release();
	if (!err && kind != KIND_NONE)
		runtime.kinds[kind].users++;
	return err;
}

void runtime_put_locked(enum kind_id kind)
{
	if (kind != KIND_NONE && --runtime.kinds[kind].users == 0)
		kind_release(&runtime.kinds[kind], kind);
	if (!runtime.arenas) {
		free(atomic_exchange(&runtime.registry, NULL));
		lanes_release();
	}
}

/* The registry. */

/* Index of the first region that ends behind addr. */
static size_t registry_search(const struct registry *reg, const uint8_t *addr)
{
	size_t lo = 0, hi = reg->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (reg->regions[mid]->base + reg->regions[mid]->len > addr)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

struct region *registry_find(const void *addr)
{
	const struct registry *reg = atomic_load_explicit(&runtime.registry, memory_order_acquire);
	size_t i;

	if (!reg)
		return NULL;
	i = registry_search(reg, addr);
	return i < reg->n && (const uint8_t *)addr >= reg->regions[i]->base ? reg->regions[i]
									    : NULL;
}

static struct registry *registry_copy(const struct registry *old, size_t n)
{
	struct registry *new = mem_zalloc(sizeof(*new) + n * sizeof(new->regions[0]));

	if (!new)
		return NULL;
	new->n = n;
	if (old)
		memcpy(new->regions, old->regions, MIN(old->n, n) * sizeof(new->regions[0]));
	return new;
}

static void registry_replace(struct registry *new)
{
	struct registry *old = atomic_exchange(&runtime.registry, new);

	lanes_synchronize();
	free(old);
}

int registry_add_locked(struct region *r)
{
	const struct registry *old = atomic_load(&runtime.registry);
	size_t n = old ? old->n : 0, i = old ? registry_search(old, r->base) : 0;
	struct registry *new = registry_copy(old, n + 1);

	if (!new)
		return -ENOMEM;
	memmove(&new->regions[i + 1], &new->regions[i], (n - i) * sizeof(new->regions[0]));
	new->regions[i] = r;
	registry_replace(new);
	return 0;
}

int registry_remove_locked(struct region *r)
{
	const struct registry *old = atomic_load(&runtime.registry);
	size_t i = registry_search(old, r->base);
	struct registry *new = registry_copy(old, old->n - 1);

	if (!new)
		return -ENOMEM;
	memcpy(&new->regions[i], &old->regions[i + 1], (new->n - i) * sizeof(new->regions[0]));
	registry_replace(new);
	return 0;
}
