/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/feature.h"

#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "lib/cgroup.h"
#include "lib/file.h"
#include "lib/probe.h"
#include "probe.skel.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#define UFFD_FEATURE_MOVE_BIT (UINT64_C(1) << 16)

#define GRANT_BPF "run as root, or: setcap cap_bpf,cap_perfmon=ep $(command -v memscope)"

/* ---- programs: loaded and attached, one at a time ---- */

/*
 * Attaches the one program that pick() names and takes it away again. 0 or the error of the step that
 * failed; *ret_loaded tells which one that was.
 */
static int try_program(struct bpf_program *(*pick)(struct probe_bpf *), bool *ret_loaded)
{
	struct probe_bpf *skel = probe_bpf__open();
	struct bpf_program *prog;
	struct bpf_link *link = NULL;
	int err;

	*ret_loaded = false;
	if (!skel)
		return -errno;
	bpf_object__for_each_program(prog, skel->obj)
		bpf_program__set_autoload(prog, prog == pick(skel));
	if (pick(skel) != skel->progs.with_ring)
		bpf_map__set_autocreate(skel->maps.ring, false);
	err = probe_bpf__load(skel);
	if (!err) {
		*ret_loaded = true;
		prog = pick(skel);
		if (prog == skel->progs.perf_sw) {
			struct perf_event_attr attr = {
				.type = PERF_TYPE_SOFTWARE,
				.size = sizeof(attr),
				.config = PERF_COUNT_SW_PAGE_FAULTS_MIN,
				.sample_period = 1,
			};
			int fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);

			if (fd < 0) {
				err = -errno;
			} else {
				link = bpf_program__attach_perf_event(prog, fd);
				err = link ? 0 : -errno;
				if (!link)
					close(fd);
			}
		} else {
			link = bpf_program__attach(prog);
			err = link ? 0 : -errno;
		}
		bpf_link__destroy(link);
	}
	probe_bpf__destroy(skel);
	return err;
}

#define PICK(name)                                                                                           \
	static struct bpf_program *pick_##name(struct probe_bpf *s)                                          \
	{                                                                                                    \
		return s->progs.name;                                                                        \
	}
PICK(plain)
PICK(tp_fault)
PICK(tp_sched)
PICK(tp_vmscan)
PICK(tp_reclaim)
PICK(with_ring)
PICK(fentry)
PICK(kprobe)
PICK(perf_sw)

static void set(struct feature_info *info, enum feature_state state, const char *detail, const char *remedy)
{
	info->state = state;
	info->detail = detail;
	info->remedy = remedy;
}

static void probe_bpf(struct feature_info *info)
{
	bool loaded;
	int err = try_program(pick_plain, &loaded);

	if (!err)
		set(info, FEATURE_OK, "tracing programs load and attach", "");
	else if (err == -EPERM || err == -EACCES)
		set(info, FEATURE_NO_PRIVILEGE, "bpf(2) is refused", GRANT_BPF);
	else if (err == -ENOSYS)
		set(info, FEATURE_NO_KERNEL, "no bpf(2)", "a kernel with CONFIG_BPF_SYSCALL and CONFIG_BPF_EVENTS");
	else
		set(info, FEATURE_NO_KERNEL, strerror(-err), "a kernel with CONFIG_BPF_SYSCALL and CONFIG_BPF_EVENTS");
}

/* Those that are refused for want of bpf(2) itself are told so. */
static bool without_bpf(struct feature_info *info)
{
	const struct feature_info *bpf = feature_get(FEATURE_BPF);

	if (bpf->state == FEATURE_OK)
		return false;
	set(info, bpf->state, bpf->detail, bpf->remedy);
	return true;
}

static void probe_program(struct feature_info *info, struct bpf_program *(*pick)(struct probe_bpf *),
			  const char *remedy)
{
	bool loaded;
	int err;

	if (without_bpf(info))
		return;
	err = try_program(pick, &loaded);
	if (!err)
		set(info, FEATURE_OK, "", "");
	else
		set(info, FEATURE_NO_KERNEL, loaded ? "attaching is refused" : "loading is refused", remedy);
}

/* A BTF tracepoint is there when the kernel's types have btf_trace_NAME; the kernel may refuse it still. */
static void probe_btf(struct feature_info *info)
{
	if (!access("/sys/kernel/btf/vmlinux", R_OK))
		set(info, FEATURE_OK, "/sys/kernel/btf/vmlinux", "");
	else
		set(info, FEATURE_NO_KERNEL, "no /sys/kernel/btf/vmlinux", "a kernel with CONFIG_DEBUG_INFO_BTF=y");
}

static void probe_tracefs(struct feature_info *info)
{
	if (!access("/sys/kernel/tracing/trace_pipe", R_OK))
		set(info, FEATURE_OK, "/sys/kernel/tracing", "");
	else if (!access("/sys/kernel/debug/tracing/trace_pipe", R_OK))
		set(info, FEATURE_OK, "/sys/kernel/debug/tracing", "");
	else if (errno == EACCES)
		set(info, FEATURE_NO_PRIVILEGE, "trace_pipe is not readable", "run as root");
	else if (!access("/sys/kernel/tracing", F_OK))
		set(info, FEATURE_NO_SETUP, "not mounted", "mount -t tracefs tracefs /sys/kernel/tracing");
	else
		set(info, FEATURE_NO_KERNEL, "no /sys/kernel/tracing", "a kernel with CONFIG_FTRACE=y");
}

static void probe_psi(struct feature_info *info)
{
	char text[256];
	int err = file_read_at("/proc/pressure", "memory", text, sizeof(text));

	if (!err)
		set(info, FEATURE_OK, "/proc/pressure/memory", "");
	else if (err == -EOPNOTSUPP)
		set(info, FEATURE_NO_SETUP, "off", "boot with psi=1");
	else
		set(info, FEATURE_NO_KERNEL, "no /proc/pressure", "a kernel with CONFIG_PSI=y, booted with psi=1");
}

static void probe_symbols(struct feature_info *info)
{
	char dir[32], text[64];

	/* Process 1 may be hidden even from root; the parent is as good as any other process. */
	snprintf(dir, sizeof(dir), "/proc/%d", (int)getppid());
	if (!file_read_at("/proc/1", "maps", text, sizeof(text)))
		set(info, FEATURE_OK, "of any process", "");
	else if (!file_read_at(dir, "maps", text, sizeof(text)))
		set(info, FEATURE_OK, "of processes of this user", "");
	else
		set(info, FEATURE_NO_PRIVILEGE, "/proc/PID/maps is not readable",
		    "run as root, or: setcap cap_sys_ptrace=ep $(command -v memscope)");
}

static int open_uffd(uint64_t *ret_features)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);

	if (fd < 0)
		return -errno;
	if (ioctl(fd, UFFDIO_API, &api)) {
		int err = -errno;

		close(fd);
		return err;
	}
	*ret_features = api.features;
	return fd;
}

static void probe_uffd(struct feature_info *info, uint64_t want)
{
	uint64_t features = 0;
	_cleanup_close_ int fd = open_uffd(&features);

	if (fd >= 0 && (features & want) == want)
		set(info, FEATURE_OK, "", "");
	else if (fd >= 0)
		set(info, FEATURE_NO_KERNEL, "", "Linux 6.8 or later");
	else if (fd == -EPERM || fd == -EACCES)
		set(info, FEATURE_NO_PRIVILEGE, "userfaultfd(2) is refused", "sysctl vm.unprivileged_userfaultfd=1, or run as root");
	else
		set(info, FEATURE_NO_KERNEL, "no userfaultfd(2)", "a kernel with CONFIG_USERFAULTFD=y");
}

static bool matches(const char *pattern)
{
	glob_t g;
	bool found = !glob(pattern, GLOB_NOSORT, NULL, &g);

	if (found)
		globfree(&g);
	return found;
}

static void probe_zram(struct feature_info *info)
{
	if (matches("/sys/block/zram*"))
		set(info, FEATURE_OK, "", "");
	else if (!access("/sys/class/zram-control", F_OK))
		set(info, FEATURE_NO_SETUP, "no device", "cat /sys/class/zram-control/hot_add");
	else
		set(info, FEATURE_NO_SETUP, "not loaded", "modprobe zram (CONFIG_ZRAM)");
}

static void probe_zram_recomp(struct feature_info *info)
{
	if (matches("/sys/block/zram*/recomp_algorithm"))
		set(info, FEATURE_OK, "", "");
	else if (feature_get(FEATURE_ZRAM)->state != FEATURE_OK)
		set(info, FEATURE_NO_SETUP, "no zram device to ask", "modprobe zram");
	else
		set(info, FEATURE_NO_KERNEL, "", "a kernel with CONFIG_ZRAM_MULTI_COMP=y (6.2 or later)");
}

static void probe_cgroup(struct feature_info *info)
{
	struct cgroup_mem cg;
	int err = cgroup_mem_create(&cg, "memscope-doctor", 64 * MiB);

	if (!err)
		set(info, FEATURE_OK, cg.v1 ? "cgroup v1" : "cgroup v2", "");
	else if (err == -EACCES || err == -EPERM)
		set(info, FEATURE_NO_PRIVILEGE, "no cgroup can be made", "run as root");
	else
		set(info, FEATURE_NO_SETUP, "no memory controller",
		    "mount -t cgroup2 none /sys/fs/cgroup, a kernel with CONFIG_MEMCG=y, no cgroup_disable=memory");
	cgroup_mem_remove(&cg);
}

static void probe_damon(struct feature_info *info)
{
	if (!access("/sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds", R_OK | W_OK))
		set(info, FEATURE_OK, "/sys/kernel/mm/damon", "");
	else if (errno == EACCES)
		set(info, FEATURE_NO_PRIVILEGE, "", "run as root");
	else
		set(info, FEATURE_NO_KERNEL, "", "a kernel with CONFIG_DAMON=y and CONFIG_DAMON_SYSFS=y");
}

/* The operations are named by a file that is there only once a context is: the kernel's types tell. */
static void probe_damon_vaddr(struct feature_info *info)
{
	struct btf *btf;
	int id;

	if (feature_get(FEATURE_DAMON)->state == FEATURE_NO_KERNEL) {
		set(info, FEATURE_NO_KERNEL, "", "a kernel with CONFIG_DAMON_VADDR=y");
		return;
	}
	btf = btf__load_vmlinux_btf();
	id = btf ? btf__find_by_name_kind(btf, "damon_va_initcall", BTF_KIND_FUNC) : -ENOENT;
	if (id < 0 && btf)
		id = btf__find_by_name_kind(btf, "damon_va_update", BTF_KIND_FUNC);
	btf__free(btf);
	if (id >= 0)
		set(info, feature_get(FEATURE_DAMON)->state, "", feature_get(FEATURE_DAMON)->remedy);
	else
		set(info, FEATURE_NO_KERNEL, "", "a kernel with CONFIG_DAMON_VADDR=y");
}

static const struct {
	const char *name, *what;
} names[FEATURE_COUNT] = {
	[FEATURE_BPF] = { "bpf", "tracing programs by bpf(2)" },
	[FEATURE_BTF] = { "btf", "type information of the kernel" },
	[FEATURE_TP_FAULT] = { "tp_fault", "tracepoints of page faults" },
	[FEATURE_TP_SCHED] = { "tp_sched", "tracepoints of fork, exec and exit" },
	[FEATURE_TP_VMSCAN] = { "tp_vmscan", "tracepoints of reclaim" },
	[FEATURE_TP_RECLAIM] = { "tp_reclaim", "tracepoint mm_vmscan_reclaim_pages" },
	[FEATURE_RINGBUF] = { "ringbuf", "BPF ring buffer" },
	[FEATURE_FENTRY] = { "fentry", "fentry and fexit programs" },
	[FEATURE_KPROBE] = { "kprobe", "kprobe and kretprobe programs" },
	[FEATURE_PERF_SW] = { "perf_sw", "programs on software perf events" },
	[FEATURE_TRACEFS] = { "tracefs", "the trace filesystem" },
	[FEATURE_PSI] = { "psi", "pressure stall information" },
	[FEATURE_SYMBOLS] = { "symbols", "memory maps of other processes" },
	[FEATURE_UFFD] = { "uffd", "userfaultfd" },
	[FEATURE_UFFD_MOVE] = { "uffd_move", "UFFDIO_MOVE" },
	[FEATURE_ZRAM] = { "zram", "a zram device" },
	[FEATURE_ZRAM_RECOMP] = { "zram_recomp", "zram with a second algorithm" },
	[FEATURE_CGROUP_MEM] = { "cgroup_mem", "a memory cgroup of our own" },
	[FEATURE_DAMON] = { "damon", "DAMON by sysfs" },
	[FEATURE_DAMON_VADDR] = { "damon_vaddr", "DAMON for processes" },
};

static void probe_feature(enum feature f, struct feature_info *info)
{
	switch (f) {
	case FEATURE_BPF:
		return probe_bpf(info);
	case FEATURE_BTF:
		return probe_btf(info);
	case FEATURE_TP_FAULT:
		return probe_program(info, pick_tp_fault, "a kernel with CONFIG_DEBUG_INFO_BTF=y on x86-64");
	case FEATURE_TP_SCHED:
		return probe_program(info, pick_tp_sched, "a kernel with CONFIG_DEBUG_INFO_BTF=y");
	case FEATURE_TP_VMSCAN:
		return probe_program(info, pick_tp_vmscan, "a kernel with CONFIG_DEBUG_INFO_BTF=y");
	case FEATURE_TP_RECLAIM:
		return probe_program(info, pick_tp_reclaim, "a newer kernel (6.18 has it, 6.12 does not)");
	case FEATURE_RINGBUF:
		return probe_program(info, pick_with_ring, "Linux 5.8 or later");
	case FEATURE_FENTRY:
		return probe_program(info, pick_fentry, "a kernel with CONFIG_FUNCTION_TRACER and DYNAMIC_FTRACE_WITH_DIRECT_CALLS that permits them");
	case FEATURE_KPROBE:
		return probe_program(info, pick_kprobe, "a kernel with CONFIG_KPROBES=y");
	case FEATURE_PERF_SW:
		return probe_program(info, pick_perf_sw, "a kernel with CONFIG_PERF_EVENTS=y; sysctl kernel.perf_event_paranoid=1");
	case FEATURE_TRACEFS:
		return probe_tracefs(info);
	case FEATURE_PSI:
		return probe_psi(info);
	case FEATURE_SYMBOLS:
		return probe_symbols(info);
	case FEATURE_UFFD:
		return probe_uffd(info, 0);
	case FEATURE_UFFD_MOVE:
		return probe_uffd(info, UFFD_FEATURE_MOVE_BIT);
	case FEATURE_ZRAM:
		return probe_zram(info);
	case FEATURE_ZRAM_RECOMP:
		return probe_zram_recomp(info);
	case FEATURE_CGROUP_MEM:
		return probe_cgroup(info);
	case FEATURE_DAMON:
		return probe_damon(info);
	case FEATURE_DAMON_VADDR:
		return probe_damon_vaddr(info);
	case FEATURE_COUNT:
		return;
	}
}

const struct feature_info *feature_get(enum feature f)
{
	static struct feature_info infos[FEATURE_COUNT];
	static bool known[FEATURE_COUNT];

	if (!known[f]) {
		infos[f] = (struct feature_info){ .name = names[f].name, .what = names[f].what };
		probe_feature(f, &infos[f]);
		known[f] = true;
	}
	return &infos[f];
}

const char *feature_name(enum feature f)
{
	return names[f].name;
}

const char *feature_what(enum feature f)
{
	return names[f].what;
}

const char *feature_state_name(enum feature_state state)
{
	static const char *const text[] = { "ok", "no privilege", "not set up", "not in this kernel" };

	return text[state];
}
