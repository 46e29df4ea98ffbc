/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * procmem: smaps tells where, pagemap tells which pages, process_vm_readv() (or /proc/PID/mem)
 * reads.
 *
 * The files are opened once and belong to the address space that the pid had then: when it is gone
 * (the process ended, or exec'd, or another got its number) pagemap and mem read nothing.
 * process_vm_readv() goes by number, so each window counts only if pagemap still answers after it
 * was read.
 */
#include "lib/procmem.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "lib/dataset.h"
#include "lib/parse.h"

#define PAGE         ((size_t)4096)
#define WINDOW_PAGES (PROCMEM_WINDOW / PAGE)

#define REGIONS 512
#define ENTRIES ((size_t)65536)

/* linux/fs.h of 6.7 and later: older headers lack it, and the kernel decides at run time. */
struct scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

struct scan_region {
	uint64_t start, end, categories;
};

#undef PAGEMAP_SCAN
#define PAGEMAP_SCAN _IOWR('f', 16, struct scan_arg)

#undef PAGE_IS_FILE
#undef PAGE_IS_PRESENT
#undef PAGE_IS_PFNZERO
#define PAGE_IS_FILE    (UINT64_C(1) << 2)
#define PAGE_IS_PRESENT (UINT64_C(1) << 3)
#define PAGE_IS_PFNZERO (UINT64_C(1) << 5)

#define PM_PRESENT (UINT64_C(1) << 63)
#define PM_SWAP    (UINT64_C(1) << 62)
#define PM_FILE    (UINT64_C(1) << 61) /* or shared anonymous */
#define PM_PFN     ((UINT64_C(1) << 55) - 1)

struct vma {
	uint64_t start, end;
	uint64_t anon_bytes;
};

struct reader {
	pid_t pid;
	int dir, pagemap, mem;
	bool by_mem; /* process_vm_readv() is not permitted */
	uint64_t zero_pfn;
	struct vma *vmas;
	size_t n_vmas;
	const struct procmem_params *params;
	uint64_t wanted, present;     /* pages of the sample, of all */
	double due;                   /* pages that should have been read by now */
	bool no_scan;                 /* the kernel has no PAGEMAP_SCAN */
	uint64_t found;               /* pages, in all */
	uint64_t pages[WINDOW_PAGES]; /* of the window under way */
	int n_pages;
	struct procmem_sample out;
};

static void reader_release(struct reader *r)
{
	closep(&r->dir);
	closep(&r->pagemap);
	closep(&r->mem);
	free(r->vmas);
	free(r->out.data);
}

static int add_vma(struct reader *r, const struct vma *vma)
{
	struct vma *grown;

	if (!(r->n_vmas & (r->n_vmas - 1))) {
		grown = reallocarray(r->vmas, MAX(r->n_vmas * 2, 64), sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		r->vmas = grown;
	}
	r->vmas[r->n_vmas++] = *vma;
	return 0;
}

/* "7f00-7f10 rw-p 00000000 00:00 0 [heap]"; false for a line that begins no VMA. */
static bool parse_header(char *line, struct vma *vma, bool *ret_usable, bool *ret_anon)
{
	size_t n = strspn(line, "0123456789abcdef");
	char *save = NULL, *end, *perms, *inode;

	if (!n || line[n] != '-')
		return false;
	line[n] = 0;
	end = strtok_r(line + n + 1, " \n", &save);
	perms = strtok_r(NULL, " \n", &save);
	strtok_r(NULL, " \n", &save);
	strtok_r(NULL, " \n", &save);
	inode = strtok_r(NULL, " \n", &save);
	if (!inode || parse_hex(line, &vma->start) || parse_hex(end, &vma->end))
		return false;
	vma->anon_bytes = 0;
	*ret_usable = perms[0] == 'r' && perms[3] == 'p';
	*ret_anon = !strcmp(inode, "0") && perms[1] == 'w';
	return true;
}

/* "Anonymous:    12 kB" */
static uint64_t field_bytes(const char *line, const char *name)
{
	size_t n = strlen(name), digits;
	char number[24];
	uint64_t kb;

	if (strncmp(line, name, n))
		return 0;
	line += n;
	line += strspn(line, " ");
	digits = strspn(line, "0123456789");
	if (!digits || digits >= sizeof(number))
		return 0;
	memcpy(number, line, digits);
	number[digits] = 0;
	return parse_u64(number, 0, UINT64_MAX / 1024, &kb) ? 0 : kb * 1024;
}

/* From smaps, or from maps when the kernel has no smaps: then every anonymous VMA counts in full.
 */
static int read_vmas(struct reader *r)
{
	_cleanup_fclose_ FILE *f = NULL;
	_cleanup_free_ char *line = NULL;
	struct vma vma = {0};
	bool usable = false, anon = false, smaps = true;
	size_t cap = 0;
	int fd, err = 0;

	fd = openat(r->dir, "smaps", O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && !faccessat(r->dir, "maps", F_OK, 0)) {
		smaps = false;
		fd = openat(r->dir, "maps", O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0)
		return -errno;
	f = fdopen(fd, "r");
	if (!f) {
		close(fd);
		return -ENOMEM;
	}
	while (!err && getline(&line, &cap, f) > 0) {
		uint64_t bytes;

		if (parse_header(line, &vma, &usable, &anon)) {
			if (!smaps && usable && anon) {
				vma.anon_bytes = vma.end - vma.start;
				err = add_vma(r, &vma);
			}
			continue;
		}
		if (!usable)
			continue;
		r->out.swapped_bytes += field_bytes(line, "Swap:");
		bytes = field_bytes(line, "Anonymous:");
		if (bytes) {
			vma.anon_bytes = bytes;
			err = add_vma(r, &vma);
		}
	}
	for (size_t i = 0; i < r->n_vmas; i++)
		r->out.present_bytes += r->vmas[i].anon_bytes;
	r->out.vmas = r->n_vmas;
	return err;
}

/*
 * The frame that stands for memory read but never written; such a page costs nothing and is no
 * one's. 0 where frame numbers are not shown (without CAP_SYS_ADMIN).
 */
static uint64_t find_zero_pfn(void)
{
	_cleanup_close_ int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;
	volatile char *p;

	if (fd < 0)
		return 0;
	p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return 0;
	(void)*p;
	if (pread(fd, &entry, sizeof(entry), (off_t)((uintptr_t)p / PAGE * sizeof(entry))) !=
	    sizeof(entry))
		entry = 0;
	munmap((void *)p, PAGE);
	return entry & PM_PFN;
}

/* Is the address space still there? */
static bool alive(const struct reader *r, uint64_t addr)
{
	uint64_t entry;
	char byte;

	if (r->pagemap >= 0)
		return pread(r->pagemap, &entry, sizeof(entry),
			     (off_t)(addr / PAGE * sizeof(entry))) == sizeof(entry);
	return pread(r->mem, &byte, 1, (off_t)addr) != 0;
}

/* Reads pages[0..n) to dst. Returns how many came before the first that would not. */
static int read_pages(struct reader *r, const uint64_t *pages, int n, unsigned char *dst)
{
	struct iovec remote[WINDOW_PAGES], local = {.iov_base = dst, .iov_len = (size_t)n * PAGE};
	ssize_t got;

	for (int i = 0; i < n; i++)
		remote[i] = (struct iovec){(void *)(uintptr_t)pages[i], PAGE};
	if (!r->by_mem) {
		got = process_vm_readv(r->pid, &local, 1, remote, (unsigned long)n, 0);
		if (got >= 0)
			return (int)((size_t)got / PAGE);
		if (errno == ESRCH)
			return -ESRCH;
		if (errno == EFAULT)
			return 0;
		r->by_mem = true;
	}
	if (r->mem < 0) {
		r->mem = openat(r->dir, "mem", O_RDONLY | O_CLOEXEC);
		if (r->mem < 0)
			return -errno;
	}
	for (int i = 0; i < n; i++) {
		got = pread(r->mem, dst + (size_t)i * PAGE, PAGE, (off_t)pages[i]);
		if (!got)
			return -ESRCH;
		if (got != (ssize_t)PAGE)
			return i;
	}
	return n;
}

/* Reads one window behind the sample, leaving out pages that cannot be read. */
static int take_window(struct reader *r, const uint64_t *pages, int n)
{
	size_t before = r->out.len;

	while (n > 0) {
		int got = read_pages(r, pages, n, r->out.data + r->out.len);

		if (got < 0)
			return got;
		r->out.len += (size_t)got * PAGE;
		if (got < n) {
			r->out.failed_bytes += PAGE;
			got++;
		}
		pages += got;
		n -= got;
		if (!alive(r, pages[-1])) {
			r->out.len = before;
			return -ESRCH;
		}
	}
	return 0;
}

/* The window that is complete: is it its turn, and if so, it is read. */
static int end_window(struct reader *r)
{
	uint64_t taken = r->out.len / PAGE;
	int n = r->n_pages;

	r->n_pages = 0;
	r->due += n * ((double)r->wanted / (double)r->present);
	n = (int)MIN((uint64_t)n, r->wanted - taken);
	if (!n || (double)taken >= r->due)
		return 0;
	if (r->params->stop && *r->params->stop)
		return -EINTR;
	if (r->params->progress)
		r->params->progress(r->params->arg, r->out.len, r->wanted * PAGE);
	return take_window(r, r->pages, n);
}

/* Present pages, in ascending order. */
static int add_pages(struct reader *r, uint64_t start, uint64_t end)
{
	int err = 0;

	for (uint64_t at = start; at < end && !err; at += PAGE) {
		if (r->n_pages && at / PROCMEM_WINDOW != r->pages[0] / PROCMEM_WINDOW)
			err = end_window(r);
		r->pages[r->n_pages++] = at;
		r->found++;
	}
	return err;
}

/*
 * PAGEMAP_SCAN walks page tables and so passes over terabytes that were only reserved; it also
 * knows the page of zeros. -EOPNOTSUPP before Linux 6.7.
 */
static int scan_vma(struct reader *r, const struct vma *vma)
{
	struct scan_region regions[REGIONS];
	struct scan_arg arg = {
		.size = sizeof(arg),
		.start = vma->start,
		.end = vma->end,
		.vec = (uintptr_t)regions,
		.vec_len = REGIONS,
		.category_inverted = PAGE_IS_FILE | PAGE_IS_PFNZERO,
		.category_mask = PAGE_IS_PRESENT | PAGE_IS_FILE | PAGE_IS_PFNZERO,
		.return_mask = PAGE_IS_PRESENT,
	};

	while (arg.start < vma->end) {
		int n = ioctl(r->pagemap, PAGEMAP_SCAN, &arg), err = 0;

		if (n < 0)
			return errno == EINVAL || errno == ENOTTY ? -EOPNOTSUPP : -errno;
		for (int i = 0; i < n && !err; i++)
			err = add_pages(r, regions[i].start, regions[i].end);
		if (err)
			return err;
		if (arg.walk_end <= arg.start)
			break;
		arg.start = arg.walk_end;
	}
	return 0;
}

/* The same by reading an entry for every page that there could be, until all that smaps counted is
 * found. */
static int read_vma(struct reader *r, const struct vma *vma)
{
	_cleanup_free_ uint64_t *entries = malloc(ENTRIES * sizeof(*entries));
	uint64_t last = r->found + vma->anon_bytes / PAGE;

	if (!entries)
		return -ENOMEM;
	for (uint64_t at = vma->start; at < vma->end && r->found < last;) {
		size_t want = (size_t)MIN((vma->end - at) / PAGE, ENTRIES) * sizeof(*entries);
		ssize_t got =
			pread(r->pagemap, entries, want, (off_t)(at / PAGE * sizeof(*entries)));

		if (got < (ssize_t)sizeof(*entries))
			return -ESRCH;
		for (size_t i = 0; i < (size_t)got / sizeof(*entries); i++, at += PAGE) {
			uint64_t pfn = entries[i] & PM_PFN;
			int err;

			if ((entries[i] & (PM_PRESENT | PM_FILE)) != PM_PRESENT ||
			    (pfn && pfn == r->zero_pfn))
				continue;
			err = add_pages(r, at, at + PAGE);
			if (err)
				return err;
		}
	}
	return 0;
}

static int sample_vma(struct reader *r, const struct vma *vma)
{
	int err = -EOPNOTSUPP;

	if (r->pagemap < 0)
		err = add_pages(r, vma->start, vma->end);
	else if (!r->no_scan)
		err = scan_vma(r, vma);
	if (err == -EOPNOTSUPP) {
		r->no_scan = true;
		err = read_vma(r, vma);
	}
	if (!err)
		err = end_window(r);
	/* An address space that is gone has no pages, and says nothing of it. */
	if (!err && !alive(r, vma->start))
		err = -ESRCH;
	return err;
}

static int sample(struct reader *r)
{
	uint64_t seed = r->params->seed;
	int err = 0;

	r->present = r->out.present_bytes / PAGE;
	r->wanted = MIN(r->present, r->params->max_bytes / PAGE);
	if (!r->wanted)
		return -ENODATA;
	r->out.data = malloc(r->wanted * PAGE);
	if (!r->out.data)
		return -ENOMEM;
	r->zero_pfn = find_zero_pfn();
	r->no_scan = r->params->by_entries;
	/* Where the first window falls is the seed's choice; with no choice to make, all are taken.
	 */
	if (r->wanted < r->present)
		r->due = -(double)(dataset_random(&seed) % WINDOW_PAGES);
	for (size_t i = 0; i < r->n_vmas && !err; i++)
		err = sample_vma(r, &r->vmas[i]);
	if (err == -ESRCH)
		r->out.exited = true;
	else if (err == -EINTR)
		r->out.stopped = true;
	else if (err)
		return err;
	return r->out.len || r->out.exited || r->out.stopped ? 0 : -ENODATA;
}

int procmem_read(pid_t pid, const struct procmem_params *params, struct procmem_sample *ret)
{
	_cleanup_(reader_release) struct reader r = {
		.pid = pid, .dir = -1, .pagemap = -1, .mem = -1, .params = params};
	char path[32];
	int err;

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	r.dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r.dir < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	r.pagemap = openat(r.dir, "pagemap", O_RDONLY | O_CLOEXEC);
	if (r.pagemap < 0) {
		r.out.no_pagemap = true;
		/* Bound to the address space as pagemap is: without one of them a pid proves
		 * nothing. */
		r.by_mem = true;
		r.mem = openat(r.dir, "mem", O_RDONLY | O_CLOEXEC);
		if (r.mem < 0)
			return -errno;
	}
	err = read_vmas(&r);
	if (!err)
		err = sample(&r);
	if (err)
		return err;
	*ret = r.out;
	r.out.data = NULL;
	return 0;
}

void procmem_release(struct procmem_sample *s)
{
	free(s->data);
	s->data = NULL;
}
