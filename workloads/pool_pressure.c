/* SPDX-License-Identifier: BSD-2-Clause */
#include "workloads/pool_pressure.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "lib/file.h"

#define CGROUP_NAME	 "memscope-pool"
#define PAGEOUT_STEP	 (2 * MiB)
#define BURST_PAGES	 256
#define BURST_PAUSE_US	 20000
#define STOP_CHECK_PAGES 256
#define PAGEMAP_SWAPPED	 (UINT64_C(1) << 62)

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

struct pressure_shared {
	atomic_int phase;
	atomic_bool proceed, stop;
	struct pressure_result result;
};

const char *pressure_phase_name(enum pressure_phase phase)
{
	static const char *const names[] = { "fill", "pageout", "out", "work", "done" };

	return names[phase];
}

/* ---- the child ---- */

struct child {
	const struct pressure_spec *spec;
	struct pressure_shared *sh;
	struct pressure_result *r;
	size_t page, n_pages;
	unsigned char *mem;
	uint64_t *sums;	   /* of each page without its first word */
	uint64_t *pagemap; /* entries of the pages, as last read */
	uint32_t *order;
	int pagemap_fd;
};

static uint64_t sum_of(const unsigned char *page, size_t size)
{
	uint64_t h = UINT64_C(0x9e3779b97f4a7c15);

	/* The first word is the count of passes that wrote the page. */
	for (size_t i = 8; i < size; i += 8) {
		uint64_t w;

		memcpy(&w, page + i, 8);
		h = (h ^ w) * UINT64_C(0xff51afd7ed558ccd);
		h ^= h >> 32;
	}
	return h;
}

static void make_page(const struct child *c, size_t i, unsigned char *page)
{
	const struct pressure_spec *s = c->spec;
	size_t image_pages = s->image_bytes / c->page;

	if (image_pages)
		memcpy(page, (const char *)s->image + i % image_pages * c->page, c->page);
	else
		dataset_fill(s->dataset, s->seed, i * (c->page / DATASET_BLOCK), page, c->page);
}

static bool stopping(const struct child *c)
{
	return atomic_load(&c->sh->stop);
}

static void check_page(struct child *c, size_t i)
{
	c->r->verified_pages++;
	if (sum_of(c->mem + i * c->page, c->page) == c->sums[i])
		return;
	if (!c->r->bad_pages++)
		c->r->first_bad = i;
}

/* Fills c->pagemap for pages [first, first + n); how many of them are in swap. */
static size_t read_pagemap(struct child *c, size_t first, size_t n)
{
	size_t swapped = 0, want = n * sizeof(uint64_t), got = 0;
	off_t at = (off_t)(((uintptr_t)c->mem / c->page + first) * sizeof(uint64_t));

	while (got < want) {
		ssize_t r = pread(c->pagemap_fd, (char *)(c->pagemap + first) + got, want - got, at + (off_t)got);

		if (r <= 0)
			break;
		got += (size_t)r;
	}
	/* Without pagemap every page is taken as swapped. */
	if (got < want)
		memset((char *)(c->pagemap + first) + got, 0xff, want - got);
	for (size_t i = first; i < first + n; i++)
		swapped += (c->pagemap[i] & PAGEMAP_SWAPPED) != 0;
	return swapped;
}

/* Pushes the region out. Pages that the limit has pushed before are not counted. */
static void push_out(struct child *c)
{
	size_t before = read_pagemap(c, 0, c->n_pages), after, bytes = c->n_pages * c->page;
	uint64_t start = now_ns();

	for (size_t at = 0; at < bytes && !stopping(c); at += PAGEOUT_STEP)
		if (madvise(c->mem + at, MIN(PAGEOUT_STEP, bytes - at), MADV_PAGEOUT))
			break; /* before 5.4: the limit alone does it */
	c->r->push_ns += now_ns() - start;
	after = read_pagemap(c, 0, c->n_pages);
	c->r->pushed_pages += after > before ? after - before : 0;
}

/* Touches a page and verifies it; the touch is timed when the page was in swap. */
static void take_page(struct child *c, size_t i)
{
	volatile unsigned char *p = c->mem + i * c->page;
	uint64_t start, ns;

	if (c->pagemap[i] & PAGEMAP_SWAPPED) {
		start = now_ns();
		(void)*p;
		ns = now_ns() - start;
		c->r->in_pages++;
		c->r->in_ns += ns;
		latency_add(&c->r->touch, ns);
	}
	check_page(c, i);
}

static void shuffle(struct child *c, uint64_t *state)
{
	for (size_t i = c->n_pages; i > 1; i--) {
		size_t j = dataset_random(state) % i;
		uint32_t t = c->order[i - 1];

		c->order[i - 1] = c->order[j];
		c->order[j] = t;
	}
}

/* A pass that changes every page, so that all of it has to be compressed again. */
static void pass_compress(struct child *c)
{
	for (size_t i = 0; i < c->n_pages; i++) {
		unsigned char *page = c->mem + i * c->page;

		if (i % STOP_CHECK_PAGES == 0) {
			if (stopping(c))
				return;
			read_pagemap(c, i, MIN(STOP_CHECK_PAGES, c->n_pages - i));
		}
		take_page(c, i);
		memcpy(page, &c->r->passes, sizeof(c->r->passes));
	}
	push_out(c);
}

static void pass_readback(struct child *c, uint64_t *state)
{
	shuffle(c, state);
	read_pagemap(c, 0, c->n_pages);
	for (size_t i = 0; i < c->n_pages; i++) {
		if (i % STOP_CHECK_PAGES == 0 && stopping(c))
			return;
		take_page(c, c->order[i]);
	}
}

static void pass_burst(struct child *c, uint64_t *state)
{
	size_t n = MIN((size_t)BURST_PAGES, c->n_pages), first = dataset_random(state) % (c->n_pages - n + 1);

	read_pagemap(c, first, n);
	for (size_t i = first; i < first + n; i++)
		take_page(c, i);
	usleep(BURST_PAUSE_US);
}

static void work(struct child *c)
{
	uint64_t start = now_ns(), state = c->spec->seed ^ 0x5eed;

	while (!stopping(c) && (!c->r->passes || now_ns() - start < c->spec->duration_ns)) {
		if (c->r->passes && c->spec->mode == PRESSURE_READBACK)
			push_out(c);
		c->r->passes++;
		switch (c->spec->mode) {
		case PRESSURE_COMPRESS:
			pass_compress(c);
			break;
		case PRESSURE_READBACK:
			pass_readback(c, &state);
			break;
		case PRESSURE_BURST:
			pass_burst(c, &state);
			break;
		}
	}
	c->r->work_ns = now_ns() - start;
}

static bool child_init(struct child *c)
{
	size_t bytes = c->spec->region_bytes;

	c->page = (size_t)sysconf(_SC_PAGESIZE);
	c->n_pages = bytes / c->page;
	c->r->pages = c->n_pages;
	c->mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	c->sums = calloc(c->n_pages, sizeof(*c->sums));
	c->pagemap = calloc(c->n_pages, sizeof(*c->pagemap));
	c->order = calloc(c->n_pages, sizeof(*c->order));
	if (c->mem == MAP_FAILED || !c->sums || !c->pagemap || !c->order)
		return false;
	/* Huge pages would be split on their way out; a pass is to be of single pages. */
	madvise(c->mem, bytes, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < c->n_pages; i++)
		c->order[i] = (uint32_t)i;
	/* The bookkeeping is part of what the limit counts, and must not be what goes to swap. */
	mlock(c->sums, c->n_pages * sizeof(*c->sums));
	mlock(c->pagemap, c->n_pages * sizeof(*c->pagemap));
	mlock(c->order, c->n_pages * sizeof(*c->order));
	c->pagemap_fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	return true;
}

static void child_usage(struct pressure_result *r)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	r->user_ns = (uint64_t)ru.ru_utime.tv_sec * NSEC_PER_SEC + (uint64_t)ru.ru_utime.tv_usec * NSEC_PER_USEC;
	r->system_ns = (uint64_t)ru.ru_stime.tv_sec * NSEC_PER_SEC + (uint64_t)ru.ru_stime.tv_usec * NSEC_PER_USEC;
	r->major_faults = (uint64_t)ru.ru_majflt;
	r->minor_faults = (uint64_t)ru.ru_minflt;
}

static int child_main(const struct pressure_spec *spec, struct pressure_shared *sh)
{
	struct child c = { .spec = spec, .sh = sh, .r = &sh->result };
	uint64_t start;

	if (!child_init(&c))
		return 2;
	start = now_ns();
	for (size_t i = 0; i < c.n_pages; i++) {
		if (i % STOP_CHECK_PAGES == 0 && stopping(&c))
			return 1;
		make_page(&c, i, c.mem + i * c.page);
		c.sums[i] = sum_of(c.mem + i * c.page, c.page);
	}
	c.r->fill_ns = now_ns() - start;
	atomic_store(&sh->phase, PRESSURE_PAGEOUT);
	push_out(&c);
	if (stopping(&c))
		return 1;
	c.r->out_pages = read_pagemap(&c, 0, c.n_pages);
	atomic_store(&sh->phase, PRESSURE_OUT);
	while (!atomic_load(&sh->proceed)) {
		if (stopping(&c))
			return 1;
		usleep(500);
	}
	atomic_store(&sh->phase, PRESSURE_WORK);
	work(&c);
	child_usage(c.r);
	return 0;
}

static void run_child(const struct pressure *p, pid_t parent, int go_fd)
{
	char byte;
	int fd;

	/* The parent tells of an interrupt by sh->stop, so that the result is whole. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(3);
	prctl(PR_SET_NAME, "memscope-press");
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (write(fd, "1000", 4) != 4)
			errno = 0; /* then the kernel chooses as it likes: all in the cgroup is ours anyway */
		close(fd);
	}
	/* Waits until it is in the cgroup: not one page of the work is to be charged elsewhere. */
	if (read(go_fd, &byte, 1) != 1)
		_exit(3);
	close(go_fd);
	_exit(child_main(&p->spec, p->shared));
}

/* ---- the parent ---- */

/* What no limit of ours ever exceeds, and the workload never needs. */
static uint64_t ample(const struct pressure_spec *spec)
{
	return spec->region_bytes * 2 + 64 * MiB;
}

static int set_limit(struct pressure *p, uint64_t bytes)
{
	char text[24];
	int err;

	if (p->cgroup.v1) {
		err = cgroup_mem_set_limit(&p->cgroup, bytes);
	} else {
		snprintf(text, sizeof(text), "%llu", (unsigned long long)bytes);
		err = file_write_at(p->cgroup.path, "memory.high", text);
	}
	if (!err)
		p->limit_bytes = bytes;
	return err;
}

static int make_cgroup(struct pressure *p)
{
	int err = cgroup_mem_create(&p->cgroup, CGROUP_NAME, ample(&p->spec));

	if (!err && p->cgroup.v1)
		err = file_write_at(p->cgroup.path, "memory.oom_control", "1");
	return err ? err : set_limit(p, p->spec.limit_bytes);
}

void pressure_relieve(struct pressure *p)
{
	uint64_t more = MIN(p->limit_bytes + p->spec.region_bytes / 8, ample(&p->spec));

	if (more > p->limit_bytes && !set_limit(p, more))
		p->relieved++;
}

int pressure_limit_hits(const struct pressure *p, uint64_t *ret)
{
	_cleanup_free_ char *text = NULL;
	int err;

	if (p->cgroup.v1)
		return file_read_u64(p->cgroup.path, "memory.failcnt", ret);
	err = file_read_all(p->cgroup.path, "memory.events", &text);
	return err ? err : text_find_u64(text, "high", ret);
}

static void release(struct pressure *p)
{
	if (p->go_fd >= 0)
		close(p->go_fd);
	p->go_fd = -1;
	if (p->shared)
		munmap(p->shared, sizeof(*p->shared));
	p->shared = NULL;
	cgroup_mem_remove(&p->cgroup);
}

static void reap(struct pressure *p, bool wait)
{
	pid_t pid;

	if (p->reaped || p->pid <= 0)
		return;
	do
		pid = waitpid(p->pid, &p->status, wait ? 0 : WNOHANG);
	while (pid < 0 && errno == EINTR);
	p->reaped = pid == p->pid;
}

int pressure_start(struct pressure *p, const struct pressure_spec *spec)
{
	pid_t parent = getpid();
	int fds[2], err;

	*p = (struct pressure){ .spec = *spec, .go_fd = -1 };
	cgroup_mem_sweep(CGROUP_NAME);
	p->shared = mmap(NULL, sizeof(*p->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p->shared == MAP_FAILED) {
		p->shared = NULL;
		return -errno;
	}
	err = make_cgroup(p);
	if (err) {
		release(p);
		return err;
	}
	if (pipe2(fds, O_CLOEXEC)) {
		err = -errno;
		release(p);
		return err;
	}
	p->pid = fork();
	if (p->pid == 0) {
		close(fds[1]);
		run_child(p, parent, fds[0]);
	}
	err = p->pid < 0 ? -errno : 0;
	close(fds[0]);
	p->go_fd = fds[1];
	if (!err)
		err = cgroup_mem_add(&p->cgroup, p->pid);
	if (!err && write(p->go_fd, "g", 1) != 1)
		err = -errno;
	if (err) {
		/* It reads the end of the pipe and goes. */
		close(p->go_fd);
		p->go_fd = -1;
		reap(p, true);
		release(p);
	}
	return err;
}

enum pressure_phase pressure_poll(struct pressure *p)
{
	_cleanup_free_ char *text = NULL;
	uint64_t under = 0;

	if (p->cgroup.v1 && !file_read_all(p->cgroup.path, "memory.oom_control", &text) &&
	    !text_find_u64(text, "under_oom", &under) && under)
		pressure_relieve(p);
	reap(p, false);
	return p->reaped ? PRESSURE_DONE : (enum pressure_phase)atomic_load(&p->shared->phase);
}

int pressure_proceed(struct pressure *p)
{
	int err = 0;

	/* Room for all of it and the bookkeeping, or reading back would push out again. */
	if (p->spec.mode == PRESSURE_READBACK)
		err = set_limit(p, ample(&p->spec));
	atomic_store(&p->shared->proceed, true);
	return err;
}

void pressure_stop(struct pressure *p)
{
	if (p->shared)
		atomic_store(&p->shared->stop, true);
}

int pressure_end(struct pressure *p, struct pressure_result *ret)
{
	int err = 0;

	reap(p, true);
	if (!p->reaped || (WIFSIGNALED(p->status) && WTERMSIG(p->status) != SIGKILL))
		err = -ECHILD;
	else if (WIFSIGNALED(p->status) || WEXITSTATUS(p->status) == 2)
		err = -ENOMEM;
	else if (WEXITSTATUS(p->status) == 1)
		err = -EINTR;
	else if (WEXITSTATUS(p->status))
		err = -ECHILD;
	else
		*ret = p->shared->result;
	release(p);
	return err;
}
