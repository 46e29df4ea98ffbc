/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fork: parent and child go on, both with their own contents.
 *
 *	prepare   signals blocked; runtime.lock, then every lane: no unit is locked or staged, no
 *	          store is being changed
 *	parent    puts all back
 *	child     its copy of regions, entries and pool is ordinary copy-on-write memory, but no
 *	          userfaultfd is armed for it: opens its own, registers everything again, starts its
 *	          handler thread, then puts all back. Where that fails (no descriptors left, a
 *	          sandbox), it restores every unit right away and evicts nothing any more: no
 *	          contents are lost, only savings.
 *
 * Between fork and the end of child() nothing of the program runs but other atfork handlers.
 */
#include "arena/engine.h"

#include <string.h>

#include "arena/mem.h"
#include "lib/uffd.h"

static sigset_t signals_before;

static void prepare(void)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &signals_before);
	pthread_mutex_lock(&runtime.lock);
	lanes_lock();
}

static void resume(void)
{
	lanes_unlock();
	pthread_mutex_unlock(&runtime.lock);
	pthread_sigmask(SIG_SETMASK, &signals_before, NULL);
}

static void parent(void)
{
	atomic_store(&runtime.forked, true);
	resume();
}

/* Without a userfaultfd: everything back to plain memory. All lanes are ours; lane 0 does the work.
 */
static void thaw(struct region *r)
{
	for (uint32_t i = 0; i < r->n_units; i++) {
		uint64_t e = page_load(&r->entries[i]);

		if (page_state(e) != PAGE_PACKED && page_state(e) != PAGE_SAME)
			continue;
		/* A corrupt unit stays as it is: a touch of it will say so, a load reads zeros. */
		if (fault_decode(&runtime.lanes[0], r, i, e, region_at(r, i))) {
			count_add(r, &runtime.lanes[0], N_LOST, 1);
			if (r->arena->opts.on_lost)
				r->arena->opts.on_lost(r->arena->opts.on_lost_ctx, region_at(r, i),
						       -EBADMSG);
			continue;
		}
		fault_drop(&runtime.lanes[0], r, e);
		page_store(&r->entries[i], page_make(PAGE_RESIDENT, 0));
	}
	r->kind = KIND_NONE;
	atomic_store(&r->frozen, true);
}

static int rearm_region(struct region *r)
{
	return r->kind == KIND_NONE ? 0 : uffd_register(region_fd(r), r->base, r->len);
}

static void rearm_kind(struct kind *k, enum kind_id id)
{
	const struct registry *reg = atomic_load(&runtime.registry);
	bool could_move = k->can_move;
	int err;

	close(k->fd); /* the parent's */
	k->fd = -1;
	err = kind_open(k, id, could_move);
	if (!err && id == KIND_THREAD) {
		close(k->stop_fd);
		err = handler_start(k);
	}
	for (size_t i = 0; reg && i < reg->n; i++) {
		struct region *r = reg->regions[i];

		if (r->kind == id && (err || rearm_region(r)))
			thaw(r);
	}
}

static void child(void)
{
	atomic_store(&runtime.forked, true);
	for (int id = 0; id < KINDS; id++)
		if (runtime.kinds[id].users)
			rearm_kind(&runtime.kinds[id], (enum kind_id)id);
	resume();
}

int fork_install(void)
{
	static bool done;
	int err;

	if (done)
		return 0;
	if (!mem_may_allocate())
		return -ENOMEM;
	err = -pthread_atfork(prepare, parent, child);
	done = !err;
	return err;
}
