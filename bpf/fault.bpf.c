// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page faults: a record of each, or counts by group.
 *
 * The tracepoints at the start of a fault tell the address, the instruction and the error code. The
 * end of a fault (latency, major or minor, what kind of page) is seen by the best of three means that
 * the kernel allows:
 *
 *	fentry/fexit of handle_mm_fault	  the VMA comes for nothing, and swap-ins are seen
 *	kprobe/kretprobe of the same	  likewise, dearer
 *	software perf events		  page-faults-min and -maj count at the end of a fault; the VMA
 *					  has to be looked up
 *
 * With an end, the start is kept in task storage until it comes.
 */
#include "bpf/follow.bpf.h"
#include "bpf/trace.bpf.h"

#include "bpf/fault.h"

char LICENSE[] SEC("license") = "GPL";

const volatile bool aggregate;
const volatile bool want_vma;
const volatile bool want_latency;
const volatile bool only_pid; /* aggregate, by_pid and nothing else */
const volatile bool by_pid, by_comm, by_vma, by_ip, by_kind, by_cgroup, by_class;
const volatile __u32 group_limit = FAULT_GROUPS_DEFAULT;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} ring SEC(".maps");

/* ---- groups ----
 *
 * groups gives each key a slot. counts has a block of group_limit slots for each CPU, which only
 * that CPU writes and user space maps: no atomics, no copying, and sums are exact at any moment. A
 * small cache of key → slot for each CPU keeps the hash out of the common case, in which a CPU faults
 * for the same group again.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FAULT_GROUPS_DEFAULT);
	__type(key, struct fault_key);
	__type(value, struct fault_group);
} groups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fault_latency);
} latencies SEC(".maps");

struct cached_slot {
	struct fault_key key;
	__u32 slot;
	__u32 valid;
};

#define CACHE_SLOTS 8

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CACHE_SLOTS);
	__type(key, __u32);
	__type(value, struct cached_slot);
} cache SEC(".maps");

__u32 slots_used = 1; /* slot 0 is FAULT_SLOT_OTHER */

/* A fault between its start and its end. */
struct pending {
	struct fault_event event;
	__u64 ino;
	char file[FAULT_FILE_LEN];
	__u8 active;
	__u8 swapped;
	__u8 tried; /* waited for I/O and came again: major, as the kernel accounts it */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct pending);
} pending SEC(".maps");

static __always_inline bool same_key(const struct fault_key *a, const struct fault_key *b)
{
	const __u64 *x = (const void *)a, *y = (const void *)b;

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4]) |
		 (x[5] ^ y[5]));
}

static __noinline __u32 new_slot(struct fault_key *key, const char *file)
{
	struct fault_group group = {}, *have;
	__u32 slot;

	have = bpf_map_lookup_elem(&groups, key);
	if (have)
		return have->slot;
	if (slots_used >= group_limit)
		return FAULT_SLOT_OTHER;
	slot = __sync_fetch_and_add(&slots_used, 1);
	if (slot >= group_limit)
		return FAULT_SLOT_OTHER;
	group.slot = slot;
	group.pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(group.comm, sizeof(group.comm));
	if (file)
		bpf_probe_read_kernel_str(group.file, sizeof(group.file), file);
	if (!bpf_map_update_elem(&groups, key, &group, BPF_NOEXIST))
		return slot;
	have = bpf_map_lookup_elem(&groups, key); /* another CPU was faster */
	return have ? have->slot : FAULT_SLOT_OTHER;
}

static __always_inline __u32 find_slot(struct fault_key *key, const char *file)
{
	__u32 at = (key->pid ^ (__u32)(key->ip >> 3) ^ key->vma) & (CACHE_SLOTS - 1);
	struct cached_slot *c = bpf_map_lookup_elem(&cache, &at);
	__u32 slot;

	if (!c)
		return FAULT_SLOT_OTHER;
	if (c->valid && same_key(&c->key, key))
		return c->slot;
	slot = new_slot(key, file);
	if (slot != FAULT_SLOT_OTHER) {
		c->key = *key;
		c->slot = slot;
		c->valid = 1;
	}
	return slot;
}

/* By process alone, the most common grouping, is worth a path of its own: no record, a key of 4 bytes. */
struct cached_pid {
	__u32 pid, slot;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cached_pid);
} pid_cache SEC(".maps");

static __always_inline void count_pid(__u32 pid)
{
	__u32 zero = 0, at;
	struct cached_pid *c = bpf_map_lookup_elem(&pid_cache, &zero);
	__u64 *n;

	if (!c)
		return;
	if (c->pid != pid) {
		struct fault_key key = { .pid = pid };

		c->slot = new_slot(&key, NULL);
		c->pid = c->slot == FAULT_SLOT_OTHER ? 0 : pid;
	}
	at = bpf_get_smp_processor_id() * group_limit + c->slot;
	n = bpf_map_lookup_elem(&counts, &at);
	if (n)
		(*n)++;
}

static __always_inline __u32 log2_slot(__u64 v)
{
	__u32 n = 0;

	if (v >> 32)
		return FAULT_HIST_SLOTS - 1;
	if (v >> 16) {
		v >>= 16;
		n += 16;
	}
	if (v >> 8) {
		v >>= 8;
		n += 8;
	}
	if (v >> 4) {
		v >>= 4;
		n += 4;
	}
	if (v >> 2) {
		v >>= 2;
		n += 2;
	}
	return n + (v >> 1);
}

static __always_inline void count_latency(__u32 at, const struct fault_event *e)
{
	struct fault_latency *l = bpf_map_lookup_elem(&latencies, &at);

	if (!l || !(e->flags & FAULT_FLAG_DONE))
		return;
	l->n++;
	l->major += !!(e->flags & FAULT_FLAG_MAJOR);
	l->sum_ns += e->latency_ns;
	if (e->latency_ns > l->max_ns)
		l->max_ns = e->latency_ns;
	l->hist[log2_slot(e->latency_ns) & (FAULT_HIST_SLOTS - 1)]++;
}

static __always_inline void count_event(const struct fault_event *e, __u64 ino, const char *file)
{
	struct fault_key key = {};
	__u32 at;
	__u64 *n;

	if (by_pid)
		key.pid = e->pid;
	if (by_ip)
		key.ip = e->ip;
	if (by_comm)
		__builtin_memcpy(key.comm, e->comm, sizeof(key.comm));
	if (by_cgroup)
		key.cgroup = filter.cgroup_v1 ?
				     BPF_CORE_READ(task_cgroup((struct task_struct *)bpf_get_current_task()), kn, id) :
				     bpf_get_current_cgroup_id();
	if (by_vma) {
		key.vma = e->vma;
		key.ino = ino;
	}
	if (by_kind)
		key.kind = FAULT_KEY_SET |
			   (e->error_code & (FAULT_PRESENT | FAULT_WRITE | FAULT_USER | FAULT_EXEC)) |
			   (e->flags & FAULT_FLAG_MAJOR ? FAULT_KEY_MAJOR : 0);
	if (by_class)
		key.class = e->class;
	at = bpf_get_smp_processor_id() * group_limit + find_slot(&key, by_vma ? file : NULL);
	n = bpf_map_lookup_elem(&counts, &at);
	if (n)
		(*n)++;
	if (want_latency)
		count_latency(at, e);
}

static __always_inline void print_event(const struct fault_event *e)
{
	bpf_printk("page_fault pid=%d comm=%s type=%s addr=0x%lx ip=0x%lx", e->pid, e->comm,
		   e->flags & FAULT_FLAG_KERNEL ? "kernel" : "user", e->addr, e->ip);
}

/* The event is complete: count it, print it or send it. */
static __always_inline void finish(const struct fault_event *e, __u64 ino, const char *file)
{
	if (aggregate) {
		count_event(e, ino, file);
		return;
	}
	if (filter.printk) {
		print_event(e);
		return;
	}
	if (want_vma) {
		struct fault_vma_event *r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);

		if (!r) {
			count_lost();
			return;
		}
		r->fault = *e;
		r->ino = ino;
		__builtin_memset(r->file, 0, sizeof(r->file));
		if (file)
			bpf_probe_read_kernel_str(r->file, sizeof(r->file), file);
		bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	} else {
		struct fault_event *r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);

		if (!r) {
			count_lost();
			return;
		}
		*r = *e;
		bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	}
}

struct vma_info {
	__u64 ino;
	__u8 vma;
	char file[FAULT_FILE_LEN];
};

static __always_inline void describe_vma(struct vm_area_struct *vma, struct vma_info *info)
{
	struct file *file = BPF_CORE_READ(vma, vm_file);
	struct mm_struct *mm = bpf_get_current_task_btf()->mm;
	unsigned long start, end;

	if (file) {
		info->vma = FAULT_VMA_FILE;
		info->ino = BPF_CORE_READ(file, f_inode, i_ino);
		bpf_probe_read_kernel_str(info->file, sizeof(info->file),
					  BPF_CORE_READ(file, f_path.dentry, d_name.name));
		return;
	}
	start = BPF_CORE_READ(vma, vm_start);
	end = BPF_CORE_READ(vma, vm_end);
	/* As /proc/PID/maps tells them. */
	if (start <= mm->brk && end >= mm->start_brk)
		info->vma = FAULT_VMA_HEAP;
	else if (start <= mm->start_stack && end >= mm->start_stack)
		info->vma = FAULT_VMA_STACK;
	else
		info->vma = FAULT_VMA_ANON;
}

static long on_vma(struct task_struct *task, struct vm_area_struct *vma, struct vma_info *info)
{
	describe_vma(vma, info);
	return 0;
}

/*
 * The VMA at addr, from the tree itself: a walk of two or three nodes under RCU, in which the kernel
 * keeps nodes and VMAs alive. bpf_find_vma() takes mmap_lock, and as interrupts are off here it gives
 * the lock back by an interrupt to itself: 12 us measured, against about 0.2 us for this.
 *
 * What is read may be half-way through a change; then the VMA is another or none, and as
 * every read is checked, that is the worst. A node's kind is in bits 3 to 6 of the pointer to it,
 * its last pivot is the node's own upper bound, and 0 ends the pivots before.
 */
#define MAPLE_LEAF_64	 1
#define MAPLE_ARANGE_64	 3
#define MAPLE_MAX_DEPTH	 6
#define MAPLE_NODE_BYTES 256

/* Nothing else is mapped so near below a stack (MIN_GAP of arch/x86/mm/mmap.c). */
#define STACK_GAP (128UL << 20)

struct maple_walk {
	unsigned long pivot[15];
	void *slot[16];
};

static __always_inline void *maple_step(struct maple_walk *w, void *entry, __u64 addr)
{
	unsigned long raw = (unsigned long)entry;
	void *node = (void *)(raw & ~(MAPLE_NODE_BYTES - 1UL));
	bool wide = ((raw >> 3) & 15) == MAPLE_ARANGE_64;
	__u32 pivots = wide ? 9 : 15, at = pivots;
	void *next = NULL;

	if (bpf_probe_read_kernel(w->pivot, sizeof(w->pivot[0]) * 9,
				  node + (wide ? bpf_core_field_offset(struct maple_arange_64, pivot) :
						 bpf_core_field_offset(struct maple_range_64, pivot))))
		return NULL;
	if (!wide && bpf_probe_read_kernel(w->pivot + 9, sizeof(w->pivot[0]) * 6,
					   node + bpf_core_field_offset(struct maple_range_64, pivot) + 9 * sizeof(long)))
		return NULL;
	for (__u32 i = 0; i < 15; i++) {
		if (i >= pivots)
			break;
		if (w->pivot[i] >= addr || (!w->pivot[i] && i)) {
			at = i;
			break;
		}
	}
	bpf_probe_read_kernel(&next, sizeof(next),
			      node + (wide ? bpf_core_field_offset(struct maple_arange_64, slot) :
					     bpf_core_field_offset(struct maple_range_64, slot)) +
				      at * sizeof(void *));
	return next;
}

static __always_inline bool is_maple_node(unsigned long entry)
{
	return (entry & 3) == 2 && entry > 4096;
}

static __always_inline struct vm_area_struct *walk_tree(struct mm_struct *mm, __u64 addr)
{
	void *entry = mm->mm_mt.ma_root;
	struct maple_walk w = {};

	if (!is_maple_node((unsigned long)entry))
		return entry;
	for (int depth = 0; depth < MAPLE_MAX_DEPTH; depth++) {
		bool leaf = (((unsigned long)entry >> 3) & 15) == MAPLE_LEAF_64;

		entry = maple_step(&w, entry, addr);
		if (leaf || !entry)
			return entry;
	}
	return NULL;
}

static __always_inline void find_vma(__u64 addr, struct vma_info *info)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct vm_area_struct *vma;

	if (!bpf_core_field_exists(((struct mm_struct *)0)->mm_mt)) {
		bpf_find_vma(task, addr, on_vma, info, 0);
		return;
	}
	vma = walk_tree(task->mm, addr);
	if (vma && BPF_CORE_READ(vma, vm_start) <= addr && BPF_CORE_READ(vma, vm_end) > addr)
		describe_vma(vma, info);
	else if (task->mm->start_stack - addr < STACK_GAP)
		info->vma = FAULT_VMA_STACK; /* about to grow */
}

static __always_inline void start_fault(__u64 addr, struct pt_regs *regs, __u64 error_code, __u8 flags)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct fault_event e;
	struct pending *p;

	if (!wanted(id))
		return;
	if (only_pid) {
		count_pid(id >> 32);
		return;
	}
	e.ts_ns = !aggregate || want_latency ? bpf_ktime_get_ns() : 0;
	e.addr = addr;
	e.ip = !aggregate || by_ip ? regs->ip : 0;
	e.pid = id >> 32;
	e.tid = (__u32)id;
	e.error_code = (__u16)error_code;
	e.flags = flags;
	e.vma = FAULT_VMA_UNKNOWN;
	e.latency_ns = 0;
	e.class = FAULT_CLASS_UNKNOWN;
	__builtin_memset(e.pad, 0, sizeof(e.pad));
	if (!aggregate || by_comm)
		bpf_get_current_comm(e.comm, sizeof(e.comm));
	else
		__builtin_memset(e.comm, 0, sizeof(e.comm));
	if (!want_latency) {
		struct vma_info info = {};

		if (want_vma) {
			find_vma(addr, &info);
			e.vma = info.vma;
		}
		finish(&e, info.ino, want_vma ? info.file : NULL);
		return;
	}
	p = bpf_task_storage_get(&pending, bpf_get_current_task_btf(), NULL,
				 BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!p) {
		count_lost();
		return;
	}
	if (p->active) /* the one before had no end: a signal, or a fault on kernel addresses */
		finish(&p->event, p->ino, p->file);
	p->event = e;
	p->ino = 0;
	p->file[0] = '\0';
	p->swapped = 0;
	p->tried = 0;
	p->active = 1;
}

SEC("tp_btf/page_fault_user")
int BPF_PROG(fault_user, unsigned long addr, struct pt_regs *regs, unsigned long error_code)
{
	start_fault(addr, regs, error_code, 0);
	return 0;
}

SEC("tp_btf/page_fault_kernel")
int BPF_PROG(fault_kernel, unsigned long addr, struct pt_regs *regs, unsigned long error_code)
{
	start_fault(addr, regs, error_code, FAULT_FLAG_KERNEL);
	return 0;
}

/* ---- the end of a fault ---- */

static __always_inline struct pending *pending_fault(void)
{
	struct pending *p = bpf_task_storage_get(&pending, bpf_get_current_task_btf(), NULL, 0);

	return p && p->active ? p : NULL;
}

static __always_inline __u8 fault_class(const struct pending *p, bool major)
{
	const struct fault_event *e = &p->event;

	if (p->swapped)
		return FAULT_CLASS_SWAP;
	if ((e->error_code & (FAULT_WRITE | FAULT_PRESENT)) == (FAULT_WRITE | FAULT_PRESENT))
		return FAULT_CLASS_COW;
	if (e->vma == FAULT_VMA_FILE)
		return FAULT_CLASS_FILE;
	if (e->vma == FAULT_VMA_UNKNOWN)
		return FAULT_CLASS_UNKNOWN;
	return major ? FAULT_CLASS_SWAP : FAULT_CLASS_ANON;
}

static __always_inline void end_fault(struct pending *p, bool major)
{
	__u64 ns = bpf_ktime_get_ns() - p->event.ts_ns;

	p->event.latency_ns = ns > 0xffffffffULL ? 0xffffffffU : (__u32)ns;
	p->event.flags |= FAULT_FLAG_DONE | (major ? FAULT_FLAG_MAJOR : 0);
	p->event.class = fault_class(p, major);
	p->active = 0;
	finish(&p->event, p->ino, p->file);
}

#define VM_FAULT_MAJOR 0x4
#define VM_FAULT_RETRY 0x400
#define FAULT_FLAG_TRIED 0x20 /* the kernel's, in flags of handle_mm_fault() */

static __always_inline void note_vma(struct vm_area_struct *vma, unsigned long addr, unsigned int flags)
{
	struct pending *p = pending_fault();
	struct vma_info info = {};

	/* get_user_pages() comes this way too, inside a fault or with none. */
	if (!p || (addr ^ p->event.addr) >> 12)
		return;
	describe_vma(vma, &info);
	p->tried = !!(flags & FAULT_FLAG_TRIED);
	p->event.vma = info.vma;
	p->ino = info.ino;
	__builtin_memcpy(p->file, info.file, sizeof(p->file));
}

static __always_inline void note_return(unsigned int ret)
{
	struct pending *p = pending_fault();

	if (!p || p->event.vma == FAULT_VMA_UNKNOWN)
		return;
	if (!(ret & VM_FAULT_RETRY))
		end_fault(p, (ret & VM_FAULT_MAJOR) || p->tried);
}

SEC("fentry/handle_mm_fault")
int BPF_PROG(mm_fault_enter, struct vm_area_struct *vma, unsigned long addr, unsigned int flags)
{
	note_vma(vma, addr, flags);
	return 0;
}

SEC("fexit/handle_mm_fault")
int BPF_PROG(mm_fault_leave, struct vm_area_struct *vma, unsigned long addr, unsigned int flags,
	     struct pt_regs *regs, unsigned int ret)
{
	note_return(ret);
	return 0;
}

SEC("fentry/do_swap_page")
int BPF_PROG(swap_enter)
{
	struct pending *p = pending_fault();

	if (p)
		p->swapped = 1;
	return 0;
}

/* x86-64 calling convention: rdi, rsi, rdx; the result in rax. */
SEC("kprobe/handle_mm_fault")
int mm_fault_kprobe(struct pt_regs *ctx)
{
	note_vma((void *)BPF_CORE_READ(ctx, di), BPF_CORE_READ(ctx, si),
		 (unsigned int)BPF_CORE_READ(ctx, dx));
	return 0;
}

SEC("kretprobe/handle_mm_fault")
int mm_fault_kretprobe(struct pt_regs *ctx)
{
	note_return((unsigned int)BPF_CORE_READ(ctx, ax));
	return 0;
}

SEC("kprobe/do_swap_page")
int swap_kprobe(struct pt_regs *ctx)
{
	struct pending *p = pending_fault();

	if (p)
		p->swapped = 1;
	return 0;
}

static __always_inline void perf_end(bool major)
{
	struct pending *p = pending_fault();
	struct vma_info info = {};

	if (!p)
		return;
	if (want_vma) {
		find_vma(p->event.addr, &info);
		p->event.vma = info.vma;
		p->ino = info.ino;
		__builtin_memcpy(p->file, info.file, sizeof(p->file));
	}
	end_fault(p, major);
}

SEC("perf_event")
int perf_minor(void *ctx)
{
	perf_end(false);
	return 0;
}

SEC("perf_event")
int perf_major(void *ctx)
{
	perf_end(true);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	if (want_latency) {
		struct pending *p = pending_fault();

		if (p) {
			p->active = 0;
			finish(&p->event, p->ino, p->file);
		}
	}
	if (!BPF_CORE_READ(task, signal, live.counter))
		follow_exit(task->tgid);
	return 0;
}
