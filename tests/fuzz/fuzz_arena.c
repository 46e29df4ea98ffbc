/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes become calls on an arena (tests/arena_model.h). The first byte chooses how it is set up. A
 * wrong byte, a broken invariant or an unexpected result aborts.
 */
#include "tests/arena_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint64_t capacity[] = {0, 4096, 64 << 10, 1 << 20};
	struct memscope_arena_options opts;
	struct model_source src = {.data = data + 1, .len = len - 1, .left = 2000};

	if (!len)
		return 0;
	memscope_arena_options_init(&opts);
	opts.capacity_bytes = capacity[data[0] & 3];
	opts.access = data[0] & 4 ? MEMSCOPE_ACCESS_EXPLICIT : MEMSCOPE_ACCESS_SIGNAL;
	opts.eviction = data[0] & 8 ? MEMSCOPE_EVICT_REMAP : MEMSCOPE_EVICT_AUTO;
	opts.when_full = data[0] & 16 ? MEMSCOPE_FULL_RESTORE_OLDEST : MEMSCOPE_FULL_REFUSE;
	opts.flags = data[0] & 32 ? MEMSCOPE_ARENA_CHECKSUM : 0;
	if (model_run(&opts, src, false))
		abort();
	return 0;
}
