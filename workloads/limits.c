/* SPDX-License-Identifier: BSD-2-Clause */
/* Is there memory for a workload? Asked before it starts, not found out by the OOM killer. */
#include <string.h>

#include "lib/cgroup.h"
#include "lib/file.h"
#include "lib/parse.h"
#include "workloads/workload.h"

#define BASE_BYTES	 (16 * MiB) /* the process itself */
#define WORKER_BYTES	 (128 * KiB)
#define CGROUP_BASE	 (4 * MiB) /* what of it is charged to a new cgroup */
#define ARENA_BASE	 (16 * MiB)
#define KEEP_FREE_PART	 20 /* of what the machine has available */

static uint64_t needed(const struct workload_config *cfg, uint64_t base)
{
	uint64_t share = cfg->region_bytes / cfg->workers;
	uint64_t peak = cfg->ops->peak_bytes ? cfg->ops->peak_bytes(share) : share;
	uint64_t worker, total;

	/* a word of version for each page; the arena has 16 bytes for each, and compresses into new memory */
	peak += peak / 1024;
	if (cfg->mem.kind == MEM_ARENA)
		peak += peak / 128;
	worker = peak + WORKER_BYTES;
	if (__builtin_mul_overflow(worker, (uint64_t)cfg->workers, &total) ||
	    __builtin_add_overflow(total, base, &total))
		return UINT64_MAX;
	if (cfg->mem.kind == MEM_ARENA)
		total += ARENA_BASE * (cfg->ops->processes ? cfg->workers : 1);
	return total;
}

static int refuse(struct workload_error *e, uint64_t need, uint64_t have, const char *where, const char *remedy)
{
	char a[FORMAT_MAX], b[FORMAT_MAX];

	snprintf(e->text, sizeof(e->text), "needs %s (%llu bytes), and %s %s (%llu bytes): %s", format_size(need, a),
		 (unsigned long long)need, where, format_size(have, b), (unsigned long long)have, remedy);
	return -ENOMEM;
}

void workload_error_add(struct workload_error *e, int err)
{
	size_t used = strlen(e->text);

	snprintf(e->text + used, sizeof(e->text) - used, ": %s", strerror(-err));
}

int limits_check(uint64_t need, uint64_t cgroup_need, uint64_t cgroup_limit, struct workload_error *ret_error)
{
	_cleanup_free_ char *meminfo = NULL;
	uint64_t available, swap = 0, room = cgroup_mem_room();
	int err = file_read_all("/proc", "meminfo", &meminfo);

	if (err || text_find_u64(meminfo, "MemAvailable:", &available)) {
		snprintf(ret_error->text, sizeof(ret_error->text), "/proc/meminfo does not say what is available");
		return err ? err : -EIO;
	}
	text_find_u64(meminfo, "SwapFree:", &swap);
	available = (available + swap) * KiB;
	available -= available / KEEP_FREE_PART;
	if (need > available)
		return refuse(ret_error, need, available, "the machine has", "lower --region or --workers");
	if (room != UINT64_MAX && need > room + swap * KiB)
		return refuse(ret_error, need, room + swap * KiB, "the cgroup of this process has room for",
			      "lower --region, or raise its limit");
	if (cgroup_limit && cgroup_need > cgroup_limit + swap * KiB)
		return refuse(ret_error, cgroup_need, cgroup_limit + swap * KiB,
			      swap ? "--cgroup-limit with the free swap is" : "--cgroup-limit without any swap is",
			      "raise it, lower --region, or add swap");
	return 0;
}

int workload_check(const struct workload_config *cfg, struct workload_error *ret_error)
{
	if (cfg->region_bytes / cfg->workers < WORKLOAD_PAGE) {
		snprintf(ret_error->text, sizeof(ret_error->text),
			 "--region of %llu bytes for --workers %u is less than a page (%zu bytes) for each",
			 (unsigned long long)cfg->region_bytes, cfg->workers, WORKLOAD_PAGE);
		return -EINVAL;
	}
	return limits_check(needed(cfg, BASE_BYTES), needed(cfg, CGROUP_BASE), cfg->cgroup_limit_bytes, ret_error);
}
