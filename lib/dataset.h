/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dataset: memory contents made to order, the same on every machine.
 *
 * Everything is built from 4 KiB blocks, and a block depends on (kind, seed, its index) alone: any
 * part of a set can be made or checked in any order and by any thread. No state, no errors,
 * thread-safe.
 */
#ifndef MEMSCOPE_LIB_DATASET_H
#define MEMSCOPE_LIB_DATASET_H

#include "lib/base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DATASET_BLOCK ((size_t)4096)

enum dataset_kind {
	DATASET_REPETITIVE, /* a phrase of 61 bytes over and over: compresses as far as a codec can
			     */
	DATASET_UNIQUE,     /* random bytes: does not compress */
	DATASET_MIXED,      /* even blocks repetitive, odd blocks unique: exactly half each */
	DATASET_TEXT,       /* English-like sentences with word frequencies after Zipf */
	DATASET_HEAP, /* a malloc heap: objects full of pointers, counters, short strings, holes */
	DATASET_COUNT,
};

struct dataset_info {
	const char *name;
	const char *brief;
};

const struct dataset_info *dataset_info(enum dataset_kind kind);
/* -ENOENT: no such name. */
int dataset_find(const char *name, enum dataset_kind *ret);

/*
 * Writes len bytes of the set, beginning at its block `first`; a last block may be cut short. A cut
 * mixed set is half and half only in whole pairs of blocks (8 KiB).
 */
void dataset_fill(enum dataset_kind kind, uint64_t seed, uint64_t first, void *dst, size_t len);

/*
 * The same for a wanted compressibility, as fio's buffer_compress_percentage means it: pct percent
 * (0 to 100; more is 100) of every block repeat a phrase, the rest is random. LZ4 stores a block in
 * about (100 - pct) percent of its size plus 80 bytes.
 */
void dataset_fill_pct(unsigned pct, uint64_t seed, uint64_t first, void *dst, size_t len);

/* The generator below it all (splitmix64): the next number, state moved on. Any state is good. */
static inline uint64_t dataset_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

#ifdef __cplusplus
}
#endif

#endif
