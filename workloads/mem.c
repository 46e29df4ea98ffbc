/* SPDX-License-Identifier: BSD-2-Clause */
#include "workloads/mem.h"

#include <string.h>
#include <sys/mman.h>

static const struct mem_ops *const kinds[MEM_KINDS] = {
	[MEM_PLAIN] = &mem_plain,
	[MEM_ARENA] = &mem_arena,
};

const struct mem_ops *mem_ops_of(enum mem_kind kind)
{
	return kinds[kind];
}

int mem_kind_find(const char *name, enum mem_kind *ret)
{
	for (int k = 0; k < MEM_KINDS; k++) {
		if (strcmp(kinds[k]->name, name))
			continue;
		*ret = (enum mem_kind)k;
		return 0;
	}
	return -ENOENT;
}

/* ---- plain ---- */

static int plain_open(const struct mem_config *cfg _unused_, void **ret_state)
{
	*ret_state = NULL;
	return 0;
}

static void plain_close(void *state _unused_)
{
}

/* Small pages, as the arena has: a comparison is not to be one of page sizes. */
static int plain_alloc(void *state _unused_, const char *name _unused_, size_t bytes, void **ret_addr)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	madvise(p, bytes, MADV_NOHUGEPAGE);
	*ret_addr = p;
	return 0;
}

static void plain_free(void *state _unused_, void *addr, size_t bytes)
{
	munmap(addr, bytes);
}

static void plain_cool(void *state _unused_, void *addr _unused_, size_t bytes _unused_)
{
}

const struct mem_ops mem_plain = {
	.name = "plain",
	.brief = "anonymous memory, as mmap gives it (4 KiB pages)",
	.open = plain_open,
	.close = plain_close,
	.alloc = plain_alloc,
	.free = plain_free,
	.cool = plain_cool,
};
