/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mem: where the memory of a workload comes from. A provider is one file with a struct mem_ops and one
 * line in mem.c. Calls other than open and close are thread-safe.
 */
#ifndef MEMSCOPE_WORKLOADS_MEM_H
#define MEMSCOPE_WORKLOADS_MEM_H

#include <json-c/json.h>

#include "lib/base.h"

enum mem_kind {
	MEM_PLAIN, /* anonymous mmap */
	MEM_ARENA, /* memscope's compressed arena */
	MEM_KINDS,
};

struct mem_config {
	enum mem_kind kind;
	uint64_t cap_bytes; /* of compressed bytes, all workers together; 0: no limit */
	unsigned min_savings_pct;
};

#define MEM_STATS_MAX 1024

struct mem_ops {
	const char *name;
	const char *brief;
	int (*open)(const struct mem_config *cfg, void **ret_state);
	void (*close)(void *state);
	int (*alloc)(void *state, const char *name, size_t bytes, void **ret_addr);
	void (*free)(void *state, void *addr, size_t bytes);
	/* The workload has no use for the range for a while. */
	void (*cool)(void *state, void *addr, size_t bytes);
	/* Numbers of a process, as plain memory; NULL: there are none. */
	int (*stats)(void *state, unsigned char ret[MEM_STATS_MAX]);
	/* The numbers of n processes as one object. */
	json_object *(*stats_json)(const struct mem_config *cfg,
				   const unsigned char *const *stats, size_t n);
};

const struct mem_ops *mem_ops_of(enum mem_kind kind);
/* -ENOENT */
int mem_kind_find(const char *name, enum mem_kind *ret);

/* The providers. */
extern const struct mem_ops mem_plain, mem_arena;

struct mem {
	const struct mem_ops *ops;
	void *state;
};

static inline int mem_open(struct mem *m, const struct mem_config *cfg)
{
	m->ops = mem_ops_of(cfg->kind);
	return m->ops->open(cfg, &m->state);
}

static inline void mem_close(struct mem *m)
{
	if (m->ops)
		m->ops->close(m->state);
	m->ops = NULL;
}

static inline int mem_alloc(const struct mem *m, const char *name, size_t bytes, void **ret_addr)
{
	return m->ops->alloc(m->state, name, bytes, ret_addr);
}

static inline void mem_free(const struct mem *m, void *addr, size_t bytes)
{
	if (addr)
		m->ops->free(m->state, addr, bytes);
}

static inline void mem_cool(const struct mem *m, void *addr, size_t bytes)
{
	m->ops->cool(m->state, addr, bytes);
}

#endif
