/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spin: waiting a few microseconds for another thread, in code that may run inside a signal
 * handler.
 *
 * A holder runs with signals blocked and never touches memory of a region, so it always gets on; it
 * may have lost its CPU, though, so a waiter gives way after a while.
 */
#ifndef MEMSCOPE_ARENA_SPIN_H
#define MEMSCOPE_ARENA_SPIN_H

#include <sched.h>
#include <stdatomic.h>

#include "lib/base.h"

static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* Call it in a loop, with *turn 0 at first. */
static inline void spin_wait(unsigned *turn)
{
	const struct timespec nap = {.tv_nsec = 50000};

	if (++*turn < 64)
		cpu_relax();
	else if (*turn < 1024)
		sched_yield();
	else /* the holder may be a thread of lower priority */
		nanosleep(&nap, NULL);
}

struct spin {
	atomic_uint held;
};

static inline bool spin_try_lock(struct spin *s)
{
	return !atomic_load_explicit(&s->held, memory_order_relaxed) &&
	       !atomic_exchange_explicit(&s->held, 1, memory_order_acquire);
}

static inline void spin_lock(struct spin *s)
{
	unsigned turn = 0;

	while (!spin_try_lock(s))
		spin_wait(&turn);
}

static inline void spin_unlock(struct spin *s)
{
	atomic_store_explicit(&s->held, 0, memory_order_release);
}

#endif
