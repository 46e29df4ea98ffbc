/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page: the state of one unit of a region (a page, or a chunk of 4 or 16) in 8 bytes, and how it
 * may change.
 *
 *	63                         24 23      12 11  9  8  7..6  5..4  3..1   0
 *	┌────────────────────────────┬──────────┬──────┬──┬─────┬─────┬─────┬────┐
 *	│ payload (40)               │ pins(12) │  0   │I │tried│tier │state│LOCK│
 *	└────────────────────────────┴──────────┴──────┴──┴─────┴─────┴─────┴────┘
 *
 *	state     memory of the unit           payload
 *	EMPTY     missing, reads as zeros      -
 *	RESIDENT  present (*)                  I: hash of the contents that would not compress
 *	STAGED    moved to a private place     where: lane, area, slot
 *	PACKED    missing                      place of the object in the store; tier: its codec
 *	SAME      missing                      the 32-bit word that fills it
 *
 *	(*) the program may have dropped it with madvise(): then it reads as zeros
 *
 *	           touch                 claim+move
 *	EMPTY ───────────────> RESIDENT ───────────> STAGED ──compress──> PACKED or SAME
 *	  ^                      ^  ^ ^                │ │                    │     │
 *	  └──────discard─────────┘  │ └───touch, give──┘ └─does not compress  │     │
 *	                            │     it back          give it back       │     │
 *	                            └──────────────touch, prefetch────────────┴─────┘
 *
 * Rules
 *  - The lock bit goes from 0 to 1 by compare-and-swap and belongs to one thread; with it set
 *    nobody else changes the entry. Who sets it has signals blocked, and neither touches memory of a
 *    region nor waits for another entry, a lane or the program until it has stored the next state.
 *  - So a waiter waits for one page to be compressed, restored or moved, never for a batch: STAGED
 *    is an unlocked state, and a toucher may lock it and move the page back itself.
 *  - pins > 0 only in RESIDENT; such a unit is not claimed. Pins change by compare-and-swap on an
 *    unlocked RESIDENT entry.
 *  - The store's cleaner swaps one unlocked PACKED value for another without the lock bit.
 *  - I and tried: what a codec of that tier said about exactly these contents (the hash).
 */
#ifndef MEMSCOPE_ARENA_PAGE_H
#define MEMSCOPE_ARENA_PAGE_H

#include <stdatomic.h>

#include "lib/base.h"

enum page_state {
	PAGE_EMPTY,
	PAGE_RESIDENT,
	PAGE_STAGED,
	PAGE_PACKED,
	PAGE_SAME,
};

typedef _Atomic uint64_t page_entry;

#define PAGE_LOCK          UINT64_C(1)
#define PAGE_STUBBORN      (UINT64_C(1) << 8) /* "I" above */
#define PAGE_PIN           (UINT64_C(1) << 12)
#define PAGE_PINS_MAX      4095U
#define PAGE_PAYLOAD_SHIFT 24
#define PAGE_PAYLOAD_MAX   ((UINT64_C(1) << 40) - 1)

static inline enum page_state page_state(uint64_t e)
{
	return (enum page_state)(e >> 1 & 7);
}

static inline unsigned page_tier(uint64_t e)
{
	return e >> 4 & 3;
}

static inline unsigned page_tried(uint64_t e)
{
	return e >> 6 & 3;
}

static inline unsigned page_pins(uint64_t e)
{
	return e >> 12 & PAGE_PINS_MAX;
}

static inline uint64_t page_payload(uint64_t e)
{
	return e >> PAGE_PAYLOAD_SHIFT;
}

static inline uint64_t page_make(enum page_state state, uint64_t payload)
{
	return (uint64_t)state << 1 | payload << PAGE_PAYLOAD_SHIFT;
}

static inline uint64_t page_make_packed(uint64_t loc, unsigned tier)
{
	return page_make(PAGE_PACKED, loc) | (uint64_t)tier << 4 | (uint64_t)tier << 6;
}

/* A resident unit that a codec of this tier could not make small enough. */
static inline uint64_t page_make_stubborn(uint64_t hash, unsigned tier)
{
	return page_make(PAGE_RESIDENT, hash & PAGE_PAYLOAD_MAX) | PAGE_STUBBORN |
	       (uint64_t)tier << 6;
}

static inline uint64_t page_with_tried(uint64_t e, unsigned tier)
{
	return (e & ~(UINT64_C(3) << 6)) | (uint64_t)tier << 6;
}

static inline uint64_t page_load(const page_entry *p)
{
	return atomic_load_explicit(p, memory_order_acquire);
}

/* Publishes the next state, unlocked: ends the ownership of a locked entry. */
static inline void page_store(page_entry *p, uint64_t e)
{
	atomic_store_explicit(p, e, memory_order_release);
}

/* From e, which must be unlocked, to e locked. */
static inline bool page_try_lock(page_entry *p, uint64_t e)
{
	return !(e & PAGE_LOCK) &&
	       atomic_compare_exchange_strong_explicit(p, &e, e | PAGE_LOCK, memory_order_acquire,
						       memory_order_relaxed);
}

static inline bool page_swap(page_entry *p, uint64_t from, uint64_t to)
{
	return atomic_compare_exchange_strong_explicit(p, &from, to, memory_order_acq_rel,
						       memory_order_relaxed);
}

#endif
