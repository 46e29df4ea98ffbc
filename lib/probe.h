/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probe: what every BPF object here needs around its skeleton: filters, processes to follow, the ring
 * buffer, losses, and errors that say why.
 *
 * Order: open the skeleton, probe_filter(), load it (probe_load), attach it, probe_start(),
 * probe_consume() until the end, probe_release(), destroy the skeleton. One thread per probe.
 */
#ifndef MEMSCOPE_LIB_PROBE_H
#define MEMSCOPE_LIB_PROBE_H

#include <linux/types.h>

#include "bpf/trace.h"
#include "lib/base.h"

struct bpf_object;
struct ring_buffer;

/* Which processes: all that match every part that is set. */
struct probe_request {
	const uint32_t *pids; /* borrowed */
	size_t n_pids;
	uint32_t tid;	   /* 0: any */
	int64_t uid;	   /* -1: any */
	const char *comm;  /* at most 15 bytes, NULL: any */
	const char *cgroup; /* path of a cgroup directory, NULL: any */
	bool children;	   /* follow forks of pids (and of the command of probe_expect_exec()) */
	bool has_command;  /* a command will be named by probe_expect_exec() */
	bool printk;	   /* to trace_pipe */
	uint64_t buffer_bytes; /* ring buffer, a power of two of pages; 0: none */
};

struct probe {
	struct bpf_object *obj;
	struct ring_buffer *ring;
	uint32_t *waiting_for_exec;
	int pids_fd, lost_fd;
	uint64_t *cpu_values; /* room for a per-CPU lookup */
};

/*
 * Called for each record. A negative return ends probe_consume(), which returns it; the record counts
 * as consumed.
 */
typedef int (*probe_record_fn)(void *ctx, void *record, size_t size);

/* Messages of libbpf go to fn (level: 0 warning, 1 info, 2 debug); NULL: nowhere. Process-wide. */
void probe_set_log(void (*fn)(int level, const char *text));
/* The last warning of libbpf, or "". Valid until the next libbpf call. */
const char *probe_last_warning(void);

/*
 * Fills the program's filter (rodata, before loading) and sizes the maps. -ENOENT, -ENOTDIR,
 * -EOPNOTSUPP (not a cgroup) for the cgroup; -E2BIG for a long comm or too many pids.
 */
int probe_filter(struct probe *p, struct bpf_object *obj, struct trace_filter *filter,
		 const struct probe_request *req);
/* Puts the pids in, opens the ring. waiting: the program's waiting_for_exec. After loading. */
int probe_start(struct probe *p, const struct probe_request *req, uint32_t *waiting,
		probe_record_fn fn, void *ctx);
/* Tracing begins when pid calls exec. */
void probe_expect_exec(struct probe *p, uint32_t pid);
/* All records that are there. Their number, or a negative errno, or what the callback returned. */
int probe_consume(struct probe *p);
/* Records lost since the start: no room in the ring, and runs of programs that the kernel skipped. */
uint64_t probe_lost(struct probe *p);
void probe_release(struct probe *p);

/* Default size of a ring buffer on this machine: 4 MiB for each CPU, from 8 to 64 MiB. */
uint64_t probe_default_buffer(void);

#endif
