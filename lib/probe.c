/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/probe.h"

#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "lib/cgroup.h"

static void (*log_fn)(int level, const char *text);
static char last_warning[512];

static int on_libbpf_message(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char text[4096];
	size_t len;

	if (level != LIBBPF_WARN && !log_fn)
		return 0;
	vsnprintf(text, sizeof(text), fmt, ap);
	len = strlen(text);
	while (len && text[len - 1] == '\n')
		text[--len] = '\0';
	if (level == LIBBPF_WARN)
		snprintf(last_warning, sizeof(last_warning), "%.500s", text);
	if (log_fn)
		log_fn((int)level, text);
	return 0;
}

void probe_set_log(void (*fn)(int level, const char *text))
{
	log_fn = fn;
	last_warning[0] = '\0';
	libbpf_set_print(on_libbpf_message);
}

const char *probe_last_warning(void)
{
	return last_warning;
}

uint64_t probe_default_buffer(void)
{
	uint64_t want = (uint64_t)libbpf_num_possible_cpus() * 4 * MiB, size = 8 * MiB;

	while (size < want && size < 64 * MiB)
		size *= 2;
	return size;
}

static int size_map(struct bpf_object *obj, const char *name, uint64_t entries)
{
	struct bpf_map *map = bpf_object__find_map_by_name(obj, name);

	return map ? bpf_map__set_max_entries(map, (uint32_t)entries) : 0;
}

int probe_filter(struct probe *p, struct bpf_object *obj, struct trace_filter *filter,
		 const struct probe_request *req)
{
	bool follow = req->children || req->has_command;
	struct cgroup_ref cgroup = {};
	int err;

	*p = (struct probe){ .obj = obj, .pids_fd = -1, .lost_fd = -1 };
	if (req->n_pids > TRACE_MAX_PIDS / 2 || (req->comm && strlen(req->comm) >= TRACE_COMM_LEN))
		return -E2BIG;
	if (req->cgroup) {
		err = cgroup_resolve(req->cgroup, &cgroup);
		if (err)
			return err;
	}
	*filter = (struct trace_filter){
		.own_pid = (uint32_t)getpid(),
		.tid = req->tid,
		.by_uid = req->uid >= 0,
		.uid = req->uid >= 0 ? (uint32_t)req->uid : 0,
		.by_comm = req->comm != NULL,
		.cgroup_id = cgroup.id,
		.cgroup_level = cgroup.level,
		.cgroup_v1 = cgroup.v1,
		.children = follow,
		.printk = req->printk,
	};
	if (req->comm)
		memcpy(filter->comm, req->comm, strlen(req->comm));
	if (req->n_pids == 1 && !follow)
		filter->one_pid = req->pids[0];
	else
		filter->by_pids = req->n_pids > 0 || follow;
	err = size_map(obj, "pids", follow ? TRACE_MAX_PIDS : MAX(req->n_pids, 1));
	if (!err && req->buffer_bytes)
		err = size_map(obj, "ring", req->buffer_bytes);
	return err;
}

int probe_start(struct probe *p, const struct probe_request *req, uint32_t *waiting,
		probe_record_fn fn, void *ctx)
{
	struct bpf_map *ring = bpf_object__find_map_by_name(p->obj, "ring");
	const uint8_t one = 1;

	p->waiting_for_exec = waiting;
	p->pids_fd = bpf_object__find_map_fd_by_name(p->obj, "pids");
	p->lost_fd = bpf_object__find_map_fd_by_name(p->obj, "lost");
	p->cpu_values = calloc((size_t)libbpf_num_possible_cpus(), sizeof(uint64_t));
	if (!p->cpu_values)
		return -ENOMEM;
	for (size_t i = 0; i < req->n_pids; i++) {
		int err = bpf_map_update_elem(p->pids_fd, &req->pids[i], &one, BPF_ANY);

		if (err && (req->n_pids > 1 || req->children))
			return err;
	}
	if (ring && fn) {
		p->ring = ring_buffer__new(bpf_map__fd(ring), fn, ctx, NULL);
		if (!p->ring)
			return -errno;
	}
	return 0;
}

void probe_expect_exec(struct probe *p, uint32_t pid)
{
	__atomic_store_n(p->waiting_for_exec, pid, __ATOMIC_SEQ_CST);
}

int probe_consume(struct probe *p)
{
	return p->ring ? ring_buffer__consume(p->ring) : 0;
}

static uint64_t skipped_runs(struct bpf_object *obj)
{
	struct bpf_program *prog;
	uint64_t sum = 0;

	bpf_object__for_each_program(prog, obj) {
		struct bpf_prog_info info = {};
		uint32_t size = sizeof(info);
		int fd = bpf_program__fd(prog);

		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size))
			sum += info.recursion_misses;
	}
	return sum;
}

uint64_t probe_lost(struct probe *p)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t sum = 0;
	uint32_t zero = 0;

	if (p->lost_fd >= 0 && !bpf_map_lookup_elem(p->lost_fd, &zero, p->cpu_values))
		for (int i = 0; i < cpus; i++)
			sum += p->cpu_values[i];
	return sum + skipped_runs(p->obj);
}

void probe_release(struct probe *p)
{
	if (p->ring)
		ring_buffer__free(p->ring);
	free(p->cpu_values);
	p->ring = NULL;
	p->cpu_values = NULL;
}
