/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/fault_trace.h"

#include <linux/perf_event.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "fault.skel.h"
#include "lib/feature.h"

const char *fault_end_name(enum fault_end end)
{
	static const char *const names[] = { "auto", "fentry", "kprobe", "perf" };

	return names[end];
}

const char *fault_class_name(unsigned class)
{
	static const char *const names[] = { NULL, "anon", "file", "swap", "cow" };

	return class < ARRAY_SIZE(names) ? names[class] : NULL;
}

const char *fault_vma_name(unsigned vma)
{
	static const char *const names[] = { NULL, "anon", "heap", "stack", "file" };

	return vma < ARRAY_SIZE(names) ? names[vma] : NULL;
}

static int choose_end(struct fault_config *c)
{
	static const struct {
		enum fault_end end;
		enum feature feature;
	} ways[] = {
		{ FAULT_END_FENTRY, FEATURE_FENTRY },
		{ FAULT_END_KPROBE, FEATURE_KPROBE },
		{ FAULT_END_PERF, FEATURE_PERF_SW },
	};

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		if (c->end != FAULT_END_AUTO && c->end != ways[i].end)
			continue;
		if (feature_get(ways[i].feature)->state != FEATURE_OK)
			continue;
		c->end = ways[i].end;
		return 0;
	}
	return -EOPNOTSUPP;
}

static void choose_programs(struct fault_trace *t, const struct trace_filter *filter)
{
	struct fault_bpf *s = t->skel;
	bool latency = t->config.latency;
	enum fault_end end = t->config.end;
	bool fentry = latency && end == FAULT_END_FENTRY, kprobe = latency && end == FAULT_END_KPROBE;
	bool perf = latency && end == FAULT_END_PERF;
	/* Without it swap-ins are told by being major, which those from the swap cache are not. */
	bool swap = fentry && libbpf_find_vmlinux_btf_id("do_swap_page", BPF_TRACE_FENTRY) > 0;

	bpf_program__set_autoload(s->progs.mm_fault_enter, fentry);
	bpf_program__set_autoload(s->progs.mm_fault_leave, fentry);
	bpf_program__set_autoload(s->progs.swap_enter, swap);
	bpf_program__set_autoload(s->progs.mm_fault_kprobe, kprobe);
	bpf_program__set_autoload(s->progs.mm_fault_kretprobe, kprobe);
	bpf_program__set_autoload(s->progs.swap_kprobe, kprobe);
	bpf_program__set_autoload(s->progs.perf_minor, perf);
	bpf_program__set_autoload(s->progs.perf_major, perf);
	bpf_program__set_autoload(s->progs.on_fork, filter->children);
	bpf_program__set_autoload(s->progs.on_exec, filter->children);
	bpf_program__set_autoload(s->progs.on_exit, filter->children || latency);
}

static void set_groups(struct fault_trace *t)
{
	struct fault_config *c = &t->config;
	struct fault_bpf *s = t->skel;
	uint32_t slots;

	s->rodata->aggregate = c->by != 0;
	s->rodata->want_vma = c->vma || c->by & FAULT_BY_VMA || (c->latency && c->end == FAULT_END_PERF);
	s->rodata->want_latency = c->latency;
	s->rodata->only_pid = c->by == FAULT_BY_PID && !c->latency;
	s->rodata->by_pid = c->by & FAULT_BY_PID;
	s->rodata->by_comm = c->by & FAULT_BY_COMM;
	s->rodata->by_vma = c->by & FAULT_BY_VMA;
	s->rodata->by_ip = c->by & FAULT_BY_IP;
	s->rodata->by_kind = c->by & FAULT_BY_KIND;
	s->rodata->by_cgroup = c->by & FAULT_BY_CGROUP;
	s->rodata->by_class = c->by & FAULT_BY_CLASS;
	s->rodata->group_limit = c->groups;
	if (!c->by)
		return;
	slots = c->groups * (uint32_t)t->n_cpus;
	bpf_map__set_max_entries(s->maps.groups, c->groups);
	bpf_map__set_max_entries(s->maps.counts, slots);
	if (c->latency)
		bpf_map__set_max_entries(s->maps.latencies, slots);
}

static void *map_array(struct bpf_map *map, size_t entry, size_t entries)
{
	void *p = mmap(NULL, ROUND_UP(entry * entries, (size_t)sysconf(_SC_PAGESIZE)), PROT_READ, MAP_SHARED,
		       bpf_map__fd(map), 0);

	return p == MAP_FAILED ? NULL : p;
}

int fault_trace_load(struct fault_trace *t, struct probe *probe, const struct probe_request *req,
		     const struct fault_config *config)
{
	struct probe_request request = *req;
	size_t slots;
	int err;

	*t = (struct fault_trace){ .config = *config, .n_cpus = (size_t)libbpf_num_possible_cpus() };
	if (config->latency) {
		err = choose_end(&t->config);
		if (err)
			return err;
	}
	t->skel = fault_bpf__open();
	if (!t->skel)
		return -errno;
	if (config->by)
		request.buffer_bytes = (uint64_t)sysconf(_SC_PAGESIZE); /* nothing is streamed */
	err = probe_filter(probe, t->skel->obj, (struct trace_filter *)&t->skel->rodata->filter, &request);
	t->filter_refused = err != 0;
	if (err)
		return err;
	choose_programs(t, (struct trace_filter *)&t->skel->rodata->filter);
	set_groups(t);
	err = fault_bpf__load(t->skel);
	if (err || !config->by)
		return err;
	slots = t->n_cpus * config->groups;
	t->counts = map_array(t->skel->maps.counts, sizeof(*t->counts), slots);
	if (config->latency)
		t->latencies = map_array(t->skel->maps.latencies, sizeof(*t->latencies), slots);
	return !t->counts || (config->latency && !t->latencies) ? -ENOMEM : 0;
}

static int attach_perf(struct fault_trace *t, struct bpf_program *prog, struct bpf_link **links, uint64_t config)
{
	for (size_t cpu = 0; cpu < t->n_cpus; cpu++) {
		struct perf_event_attr attr = {
			.type = PERF_TYPE_SOFTWARE,
			.size = sizeof(attr),
			.config = config,
			.sample_period = 1,
		};
		int fd = (int)syscall(SYS_perf_event_open, &attr, -1, (int)cpu, -1, PERF_FLAG_FD_CLOEXEC);

		if (fd < 0 && errno == ENODEV)
			continue; /* a CPU that is offline */
		if (fd < 0)
			return -errno;
		links[t->n_perf] = bpf_program__attach_perf_event(prog, fd);
		if (!links[t->n_perf]) {
			close(fd);
			return -errno;
		}
		t->n_perf++;
	}
	return 0;
}

int fault_trace_attach(struct fault_trace *t)
{
	int err;

	if (t->config.latency && t->config.end == FAULT_END_PERF) {
		t->perf_links = calloc(2 * t->n_cpus, sizeof(*t->perf_links));
		if (!t->perf_links)
			return -ENOMEM;
		err = attach_perf(t, t->skel->progs.perf_minor, t->perf_links, PERF_COUNT_SW_PAGE_FAULTS_MIN);
		if (!err)
			err = attach_perf(t, t->skel->progs.perf_major, t->perf_links, PERF_COUNT_SW_PAGE_FAULTS_MAJ);
		if (err)
			return err;
	}
	return fault_bpf__attach(t->skel);
}

void fault_trace_detach(struct fault_trace *t)
{
	if (t->skel)
		fault_bpf__detach(t->skel);
	for (size_t i = 0; i < t->n_perf; i++)
		bpf_link__destroy(t->perf_links[i]);
	t->n_perf = 0;
}

uint32_t *fault_trace_waiting(struct fault_trace *t)
{
	return &t->skel->bss->waiting_for_exec;
}

uint32_t fault_trace_n_groups(const struct fault_trace *t)
{
	uint32_t used = __atomic_load_n(&t->skel->data->slots_used, __ATOMIC_RELAXED);

	return MIN(used, t->config.groups) - 1;
}

static void add_up(const struct fault_trace *t, uint32_t slot, struct fault_count *c)
{
	for (size_t cpu = 0; cpu < t->n_cpus; cpu++) {
		size_t at = cpu * t->config.groups + slot;

		c->faults += __atomic_load_n(&t->counts[at], __ATOMIC_RELAXED);
		if (!t->latencies)
			continue;
		c->timed += t->latencies[at].n;
		c->major += t->latencies[at].major;
		c->sum_ns += t->latencies[at].sum_ns;
		c->max_ns = MAX(c->max_ns, t->latencies[at].max_ns);
		for (size_t i = 0; i < FAULT_HIST_SLOTS; i++)
			c->hist[i] += t->latencies[at].hist[i];
	}
}

int fault_trace_counts(struct fault_trace *t, struct fault_count **ret, size_t *ret_n)
{
	size_t room = (size_t)fault_trace_n_groups(t) + 2, n = 0;
	_cleanup_free_ struct fault_count *list = calloc(room, sizeof(*list));
	int fd = bpf_map__fd(t->skel->maps.groups);
	struct fault_key key, *from = NULL;

	if (!list)
		return -ENOMEM;
	while (n < room - 1 && !bpf_map_get_next_key(fd, from, &key)) {
		struct fault_count *c = &list[n];

		c->key = key;
		from = &c->key;
		if (bpf_map_lookup_elem(fd, &key, &c->group))
			continue;
		add_up(t, c->group.slot, c);
		n++;
	}
	add_up(t, FAULT_SLOT_OTHER, &list[n]);
	if (list[n].faults)
		n++;
	*ret = list;
	*ret_n = n;
	list = NULL;
	return 0;
}

uint64_t fault_trace_total(const struct fault_trace *t)
{
	uint64_t sum = 0;

	for (size_t cpu = 0; cpu < t->n_cpus; cpu++)
		for (uint32_t slot = 0; slot <= fault_trace_n_groups(t); slot++)
			sum += __atomic_load_n(&t->counts[cpu * t->config.groups + slot], __ATOMIC_RELAXED);
	return sum;
}

void fault_trace_release(struct fault_trace *t)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), slots = t->n_cpus * t->config.groups;

	fault_trace_detach(t);
	if (t->counts)
		munmap(t->counts, ROUND_UP(slots * sizeof(*t->counts), page));
	if (t->latencies)
		munmap(t->latencies, ROUND_UP(slots * sizeof(*t->latencies), page));
	free(t->perf_links);
	fault_bpf__destroy(t->skel);
	*t = (struct fault_trace){};
}
