/* SPDX-License-Identifier: BSD-2-Clause */
/* mem: see mem.h. */
#include "arena/mem.h"

#include <limits.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define NEVER LONG_MIN

static atomic_long countdown = NEVER;

bool mem_may_allocate(void)
{
	if (atomic_load_explicit(&countdown, memory_order_relaxed) == NEVER)
		return true;
	return atomic_fetch_sub(&countdown, 1) != 0;
}

long mem_fail_nth(long n)
{
	return atomic_exchange(&countdown, n < 0 ? NEVER : n);
}

void *mem_zalloc(size_t size)
{
	return mem_may_allocate() ? calloc(1, size) : NULL;
}

void *mem_map(size_t len)
{
	void *p;

	if (!mem_may_allocate())
		return NULL;
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		 0);
	if (p == MAP_FAILED)
		return NULL;
	/* A huge page would make bytes resident that nobody has asked for. */
	madvise(p, len, MADV_NOHUGEPAGE);
	return p;
}

void mem_unmap(void *p, size_t len)
{
	if (p)
		munmap(p, len);
}
