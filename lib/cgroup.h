/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cgroup: cgroup directories as the kernel knows them, v1 and v2, and small memory cgroups of our own.
 * Thread-safe except where a struct is shared.
 */
#ifndef MEMSCOPE_LIB_CGROUP_H
#define MEMSCOPE_LIB_CGROUP_H

#include <limits.h>

#include "lib/base.h"

struct cgroup_ref {
	uint64_t id;	/* kernfs id, as bpf_get_current_cgroup_id() gives it */
	uint32_t level; /* depth below the root of its hierarchy */
	bool v1;	/* in the hierarchy of the v1 memory controller */
};

/*
 * The cgroup of a directory (absolute, or relative to the cgroup2 or v1 memory mount). -ENOENT,
 * -ENOTDIR; -EOPNOTSUPP: not a cgroup directory, or one of a v1 controller other than memory.
 */
int cgroup_resolve(const char *path, struct cgroup_ref *ret);

/* Path of the cgroup with this id below its mount ("/" for the root). -ENOENT when it has gone. */
int cgroup_name(uint64_t id, bool v1, char *buf, size_t size);

/* Is the memory controller in a v1 hierarchy of its own here? */
bool cgroup_memory_is_v1(void);

/* A memory cgroup of our own, for limited work. */
struct cgroup_mem {
	char path[PATH_MAX]; /* "" when there is none */
	bool v1;
};

/*
 * Makes a memory cgroup NAME-PID below our own cgroup's place (v1: the mount's root) with the limit
 * (bytes). -EACCES or -EPERM without the right, -EOPNOTSUPP where no memory controller can be had.
 */
int cgroup_mem_create(struct cgroup_mem *cg, const char *name, uint64_t limit_bytes);
/* Another limit. -EBUSY: what is charged cannot be brought below it. */
int cgroup_mem_set_limit(const struct cgroup_mem *cg, uint64_t limit_bytes);
/* Moves a process in. */
int cgroup_mem_add(const struct cgroup_mem *cg, pid_t pid);
/* Bytes charged now. */
int cgroup_mem_usage(const struct cgroup_mem *cg, uint64_t *ret_bytes);
/* The most that was charged at a time. -ENOENT: this kernel does not say (before 5.19, v2). */
int cgroup_mem_peak(const struct cgroup_mem *cg, uint64_t *ret_bytes);
/* Removes it; -EBUSY while processes are in it. Accepts one that was never made. */
int cgroup_mem_remove(struct cgroup_mem *cg);
/* Removes empty cgroups NAME-PID that processes left which are no more. */
void cgroup_mem_sweep(const char *name);

/*
 * What this process may still be charged before it, or a cgroup above it, reaches its limit (page cache
 * that can go counts as free). UINT64_MAX: no limit, or none that can be seen.
 */
uint64_t cgroup_mem_room(void);

#endif
