/* SPDX-License-Identifier: BSD-2-Clause */
/* The arena's calls one by one: what each promises, bad input, and everything that may fail. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "arena/engine.h"
#include "arena/mem.h"
#include "lib/dataset.h"
#include "tests/unit/unit.h"

#define OK(call)       ck_assert_int_eq(call, 0)
#define IS(call, want) ck_assert_int_eq(call, want)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* ThreadSanitizer cannot start the child's handler thread. */
#ifdef __SANITIZE_THREAD__
#define CHILD_MAY_START_THREADS false
#else
#define CHILD_MAY_START_THREADS true
#endif

static struct memscope_arena *arena;
static char *mem;

static void setup_with(const struct memscope_arena_options *opts, size_t len, unsigned flags)
{
	void *p;

	OK(memscope_arena_create(opts, &arena));
	OK(memscope_arena_alloc(arena, "test", len, flags, &p));
	mem = p;
}

static struct memscope_arena_options options(void)
{
	struct memscope_arena_options o;

	memscope_arena_options_init(&o);
	return o;
}

static struct memscope_arena_stats stats(void)
{
	struct memscope_arena_stats s;

	OK(memscope_arena_stats(arena, &s, sizeof(s)));
	return s;
}

static void finish(void)
{
	OK(arena_check(arena));
	OK(memscope_arena_destroy(arena));
}

/* The number of a unit's 4 KiB pages that the kernel has. */
static size_t resident(const void *p, size_t len)
{
	unsigned char vec[1024];
	size_t n = 0;

	ck_assert_uint_le(len / PAGE_SIZE, sizeof(vec));
	ck_assert_int_eq(mincore((void *)(uintptr_t)p, len, vec), 0);
	for (size_t i = 0; i < len / PAGE_SIZE; i++)
		n += vec[i] & 1;
	return n;
}

START_TEST(compresses_and_comes_back)
{
	static const unsigned flags[] = {0, MEMSCOPE_REGION_CHUNK_16K, MEMSCOPE_REGION_CHUNK_64K};
	struct memscope_compress_result r;
	size_t len = 64 * PAGE_SIZE;
	char *copy = malloc(len);

	setup_with(NULL, len, flags[_i / 3]);
	ck_assert_ptr_nonnull(copy);
	dataset_fill(DATASET_HEAP, 1, 0, copy, len);
	memcpy(mem, copy, len);
	ck_assert_uint_eq(resident(mem, len), 64);
	OK(memscope_arena_compress(arena, mem, len, (enum memscope_tier)(_i % 3), &r));
	ck_assert_uint_eq(r.admitted_bytes, len);
	ck_assert_uint_eq(r.tried_bytes, len);
	ck_assert_uint_lt(r.stored_bytes, len * 6 / 10);
	ck_assert_uint_eq(resident(mem, len), 0);
	ck_assert_uint_eq(stats().compressed_bytes, r.stored_bytes);
	ck_assert_uint_eq(stats().logical_bytes, len);
	OK(memcmp(mem, copy, len));
	ck_assert_uint_eq(stats().logical_bytes, 0);
	ck_assert_uint_eq(stats().pool_live_bytes, 0);
	free(copy);
	finish();
}
END_TEST

START_TEST(colder_is_smaller)
{
	struct memscope_compress_result warm, cold;
	size_t len = 256 * PAGE_SIZE;

	setup_with(NULL, len, 0);
	dataset_fill(DATASET_TEXT, 1, 0, mem, len);
	OK(memscope_arena_compress(arena, mem, len, MEMSCOPE_TIER_WARM, &warm));
	OK(memscope_arena_compress(arena, mem, len, MEMSCOPE_TIER_COLD, &cold));
	ck_assert_uint_eq(cold.tried_bytes, len);
	ck_assert_uint_lt(cold.stored_bytes, warm.stored_bytes);
	ck_assert_uint_eq(stats().compressed_bytes, cold.stored_bytes);
	OK(memscope_arena_compress(arena, mem, len, MEMSCOPE_TIER_COOL, &cold));
	ck_assert_uint_eq(cold.tried_bytes, 0);
	finish();
}
END_TEST

START_TEST(same_filled_pages_cost_nothing)
{
	setup_with(NULL, 32 * PAGE_SIZE, 0);
	memset(mem, 0, 16 * PAGE_SIZE);
	memset(mem + 16 * PAGE_SIZE, 0x5a, 16 * PAGE_SIZE);
	OK(memscope_arena_compress(arena, mem, 32 * PAGE_SIZE, MEMSCOPE_TIER_WARM, NULL));
	ck_assert_uint_eq(stats().logical_same_bytes, 32 * PAGE_SIZE);
	ck_assert_uint_eq(stats().pool_resident_bytes, 0);
	ck_assert_int_eq(mem[5], 0);
	ck_assert_int_eq(mem[16 * PAGE_SIZE + 9], 0x5a);
	finish();
}
END_TEST

START_TEST(stubborn_pages_are_tried_once)
{
	struct memscope_compress_result r;
	size_t len = 32 * PAGE_SIZE;
	uint64_t ops;

	setup_with(NULL, len, 0);
	dataset_fill(DATASET_UNIQUE, 3, 0, mem, len);
	OK(memscope_arena_compress(arena, mem, len, MEMSCOPE_TIER_WARM, &r));
	ck_assert_uint_eq(r.stubborn_bytes, len);
	ck_assert_uint_eq(r.unchanged_bytes, 0);
	ops = stats().compress_ops;
	mem[3 * PAGE_SIZE] ^= 1;
	OK(memscope_arena_compress(arena, mem, len, MEMSCOPE_TIER_WARM, &r));
	ck_assert_uint_eq(r.unchanged_bytes, len - PAGE_SIZE);
	ck_assert_uint_eq(stats().compress_ops, ops + 1);
	/* A stronger codec deserves a try of its own. */
	OK(memscope_arena_compress(arena, mem, len, MEMSCOPE_TIER_COLD, &r));
	ck_assert_uint_eq(r.unchanged_bytes, 0);
	finish();
}
END_TEST

START_TEST(pins_hold)
{
	struct memscope_compress_result r;
	int fds[2];

	setup_with(NULL, 8 * PAGE_SIZE, 0);
	memset(mem, 'x', 8 * PAGE_SIZE);
	mem[0] = 'y';
	OK(memscope_arena_compress(arena, mem, 8 * PAGE_SIZE, MEMSCOPE_TIER_WARM, NULL));
	OK(pipe(fds));
	/* What the header says: a system call sees EFAULT, unless the buffer is pinned. */
	ck_assert_int_eq(write(fds[1], mem, 10), -1);
	ck_assert_int_eq(errno, EFAULT);
	OK(memscope_arena_pin(arena, mem + 100, PAGE_SIZE));
	OK(memscope_arena_pin(arena, mem + 100, 1));
	OK(memscope_arena_compress(arena, mem, 8 * PAGE_SIZE, MEMSCOPE_TIER_WARM, &r));
	ck_assert_uint_eq(r.pinned_bytes, 2 * PAGE_SIZE);
	ck_assert_int_eq(write(fds[1], mem, 10), 10);
	IS(memscope_arena_discard(arena, mem, PAGE_SIZE), -EBUSY);
	OK(memscope_arena_unpin(arena, mem + 100, 1));
	OK(memscope_arena_unpin(arena, mem + 100, PAGE_SIZE));
	IS(memscope_arena_unpin(arena, mem + 100, 1), -EINVAL);
	for (unsigned i = 0; i < PAGE_PINS_MAX; i++)
		OK(memscope_arena_pin(arena, mem, 1));
	IS(memscope_arena_pin(arena, mem, 1), -EOVERFLOW);
	IS(memscope_arena_pin(arena, mem, 2 * PAGE_SIZE), -EOVERFLOW);
	IS(memscope_arena_unpin(arena, mem + PAGE_SIZE, 1), -EINVAL);
	close(fds[0]);
	close(fds[1]);
	finish();
}
END_TEST

START_TEST(discarded_memory_reads_as_zeros)
{
	size_t len = 16 * PAGE_SIZE;

	setup_with(NULL, len, 0);
	memset(mem, 7, len);
	OK(memscope_arena_compress(arena, mem, len / 2, MEMSCOPE_TIER_WARM, NULL));
	OK(memscope_arena_discard(arena, mem, len));
	for (size_t i = 0; i < len; i += 512)
		ck_assert_int_eq(mem[i], 0);
	/* The program's own madvise() on resident pages works as ever, also before compression. */
	memset(mem, 7, len);
	OK(madvise(mem + 4 * PAGE_SIZE, 2 * PAGE_SIZE, MADV_DONTNEED));
	OK(memscope_arena_compress(arena, mem, len, MEMSCOPE_TIER_WARM, NULL));
	ck_assert_int_eq(mem[4 * PAGE_SIZE], 0);
	ck_assert_int_eq(mem[6 * PAGE_SIZE], 7);
	OK(madvise(mem + 6 * PAGE_SIZE, PAGE_SIZE, MADV_DONTNEED));
	ck_assert_int_eq(mem[6 * PAGE_SIZE + 1], 0);
	finish();
}
END_TEST

START_TEST(capacity)
{
	struct memscope_arena_options o = options();
	struct memscope_compress_result r;
	size_t len = 1024 * PAGE_SIZE;

	o.capacity_bytes = 256 << 10;
	o.when_full = _i ? MEMSCOPE_FULL_RESTORE_OLDEST : MEMSCOPE_FULL_REFUSE;
	setup_with(&o, len, 0);
	dataset_fill(DATASET_HEAP, 1, 0, mem, len);
	OK(memscope_arena_compress(arena, mem, len, MEMSCOPE_TIER_WARM, &r));
	ck_assert_uint_le(stats().pool_resident_bytes, o.capacity_bytes);
	ck_assert_uint_gt(stats().pool_live_bytes, o.capacity_bytes / 2);
	if (_i) {
		ck_assert_uint_gt(stats().evicted_bytes, 0);
		/* The last ones are compressed, the first ones are back. */
		ck_assert_uint_gt(resident(mem, 64 * PAGE_SIZE), 32);
	} else {
		ck_assert_uint_gt(r.full_bytes, 0);
		ck_assert_uint_eq(resident(mem, 32 * PAGE_SIZE), 0);
	}
	finish();
}
END_TEST

START_TEST(bad_arguments)
{
	struct memscope_arena_options o = options();
	struct memscope_arena *other, *none = NULL;
	struct memscope_region_info info;
	void *p = NULL, *q;

	o.capacity_bytes = 4095;
	IS(memscope_arena_create(&o, &none), -EINVAL);
	o = options();
	o.min_savings_pct = 0;
	IS(memscope_arena_create(&o, &none), -EINVAL);
	o = options();
	o.flags = 64;
	IS(memscope_arena_create(&o, &none), -EINVAL);
	o = options();
	o.access = (enum memscope_access)9;
	IS(memscope_arena_create(&o, &none), -EINVAL);
	ck_assert_ptr_null(none);

	setup_with(NULL, 10, 0);
	OK(memscope_arena_create(NULL, &other));
	IS(memscope_arena_alloc(arena, "", 0, 0, &p), -EINVAL);
	IS(memscope_arena_alloc(arena, "", SIZE_MAX, 0, &p), -EINVAL);
	IS(memscope_arena_alloc(arena, "", (size_t)1 << 46, 0, &p), -EINVAL);
	IS(memscope_arena_alloc(arena, "", 1, 3, &p), -EINVAL);
	IS(memscope_arena_alloc(arena, "", 1, 8, &p), -EINVAL);
	ck_assert_ptr_null(p);
	/* Rounded up to a page, zeros, named. */
	OK(memscope_arena_region(arena, mem + 4095, &info));
	ck_assert(info.addr == mem && info.bytes == 4096 && !strcmp(info.name, "test"));
	ck_assert_int_eq(mem[4095], 0);
	IS(memscope_arena_touch(arena, mem, 4097), -EINVAL);
	IS(memscope_arena_touch(arena, mem + 4096, 1), -EINVAL);
	IS(memscope_arena_touch(arena, mem, SIZE_MAX), -EINVAL);
	IS(memscope_arena_touch(arena, NULL, 1), -EINVAL);
	OK(memscope_arena_touch(arena, mem, 0));
	IS(memscope_arena_compress(arena, mem, 1, (enum memscope_tier)3, NULL), -EINVAL);
	IS(memscope_arena_advise(arena, mem, (enum memscope_advice)3), -EINVAL);
	IS(memscope_arena_phase(arena, (enum memscope_phase)3), -EINVAL);
	IS(memscope_arena_compact(arena, 0), -EINVAL);
	/* Another arena's region, twice freed, not the beginning of one. */
	IS(memscope_arena_touch(other, mem, 1), -EINVAL);
	IS(memscope_arena_free(other, mem), -EINVAL);
	IS(memscope_arena_free(arena, mem + 1), -EINVAL);
	OK(memscope_arena_free(arena, mem));
	IS(memscope_arena_free(arena, mem), -EINVAL);
	IS(memscope_arena_free(arena, NULL), -EINVAL);
	OK(memscope_arena_alloc(other, NULL, 1, 0, &q));
	OK(memscope_arena_destroy(other));
	IS(memscope_arena_destroy(other), -EINVAL);
	OK(memscope_arena_destroy(NULL));
	finish();
}
END_TEST

START_TEST(huge_and_many_regions)
{
	void *p[2000];

	setup_with(NULL, (size_t)64 << 30, 0);
	mem[0] = 1;
	mem[((size_t)64 << 30) - 1] = 2;
	OK(memscope_arena_compress(arena, mem, PAGE_SIZE, MEMSCOPE_TIER_WARM, NULL));
	for (size_t i = 0; i < ARRAY_SIZE(p); i++) {
		OK(memscope_arena_alloc(arena, "many", PAGE_SIZE, 0, &p[i]));
		*(size_t *)p[i] = i;
		OK(memscope_arena_compress(arena, p[i], PAGE_SIZE, MEMSCOPE_TIER_WARM, NULL));
	}
	for (size_t i = 0; i < ARRAY_SIZE(p); i += 2)
		OK(memscope_arena_free(arena, p[i]));
	for (size_t i = 1; i < ARRAY_SIZE(p); i += 2)
		ck_assert_uint_eq(*(size_t *)p[i], i);
	ck_assert_int_eq(mem[0], 1);
	ck_assert_int_eq(mem[((size_t)64 << 30) - 1], 2);
	finish();
}
END_TEST

static void *lost_unit;
static int lost_error;
static sigjmp_buf jump;

static void on_lost(void *ctx, void *unit, int error)
{
	*(int *)ctx += 1;
	lost_unit = unit;
	lost_error = error;
}

static void on_bus(int sig _unused_)
{
	siglongjmp(jump, 1);
}

/* A flipped byte in the pool: told by touch, by verify, and by a load, which never sees garbage. */
START_TEST(corruption_is_reported)
{
	struct memscope_arena_options o = options();
	int calls = 0;
	uint64_t bad = 0, e;
	uint8_t *data;

	signal(SIGBUS, on_bus);
	o.flags = MEMSCOPE_ARENA_CHECKSUM;
	o.on_lost = on_lost;
	o.on_lost_ctx = &calls;
	setup_with(&o, 4 * PAGE_SIZE, 0);
	dataset_fill(DATASET_TEXT, 1, 0, mem, 4 * PAGE_SIZE);
	OK(memscope_arena_compress(arena, mem, 4 * PAGE_SIZE, MEMSCOPE_TIER_WARM, NULL));
	e = page_load(&arena->regions[1]->entries[2]);
	data = (uint8_t *)(uintptr_t)store_get(&arena->store, page_payload(e), false).data;
	data[50] ^= 0x10;
	OK(memscope_arena_verify(arena, &bad));
	ck_assert_uint_eq(bad, 1);
	IS(memscope_arena_touch(arena, mem + 2 * PAGE_SIZE, 1), -EBADMSG);
	ck_assert_int_eq(calls, 0);
	if (!sigsetjmp(jump, 1)) {
		(void)*(volatile char *)(mem + 2 * PAGE_SIZE);
		ck_abort_msg("a corrupt page was readable");
	}
	ck_assert_int_eq(calls, 1);
	ck_assert_ptr_eq(lost_unit, mem + 2 * PAGE_SIZE);
	ck_assert_int_eq(lost_error, -EBADMSG);
	ck_assert_uint_eq(stats().lost_units, 2);
	/* The others are fine, and the unit can be given up. */
	OK(memscope_arena_touch(arena, mem + 3 * PAGE_SIZE, 1));
	OK(memscope_arena_discard(arena, mem + 2 * PAGE_SIZE, 1));
	ck_assert_int_eq(mem[2 * PAGE_SIZE], 0);
	OK(memscope_arena_destroy(arena));
}
END_TEST

static volatile int chained;

static void on_bus_info(int sig _unused_, siginfo_t *info, void *context _unused_)
{
	chained = info->si_code == BUS_ADRERR ? 2 : 1;
	siglongjmp(jump, 1);
}

START_TEST(sigbus_is_chained)
{
	struct sigaction act = {.sa_sigaction = on_bus_info, .sa_flags = SA_SIGINFO}, now;
	FILE *f = tmpfile();
	char *map;

	sigaction(SIGBUS, &act, NULL);
	setup_with(NULL, PAGE_SIZE, 0);
	ck_assert_ptr_nonnull(f);
	map = mmap(NULL, PAGE_SIZE, PROT_READ, MAP_SHARED, fileno(f), 0);
	if (!sigsetjmp(jump, 1)) {
		(void)*(volatile char *)map; /* behind the end of an empty file */
		ck_abort();
	}
	ck_assert_int_eq(chained, 2);
	errno = 1234;
	mem[0] = 1;
	ck_assert_int_eq(errno, 1234);
	munmap(map, PAGE_SIZE);
	fclose(f);
	finish();
	sigaction(SIGBUS, NULL, &now);
	ck_assert(now.sa_sigaction == on_bus_info);
}
END_TEST

/* Without a handler before ours, a foreign fault kills the program as it always did. */
START_TEST(sigbus_default)
{
	pid_t pid;
	int status;

	if (SANITIZED) /* its own handler is the one before ours */
		return;
	setup_with(NULL, PAGE_SIZE, 0);
	pid = fork();
	if (!pid) {
		raise(SIGBUS);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	finish();
}
END_TEST

START_TEST(fork_storm)
{
	static const enum memscope_access access[] = {MEMSCOPE_ACCESS_SIGNAL, MEMSCOPE_ACCESS_THREAD,
						      MEMSCOPE_ACCESS_EXPLICIT};
	struct memscope_arena_options o = options();
	size_t len = 64 * PAGE_SIZE;
	int status;

	o.access = access[_i];
	if (o.access == MEMSCOPE_ACCESS_THREAD && !CHILD_MAY_START_THREADS)
		return;
	setup_with(&o, len, 0);
	OK(memscope_arena_touch(arena, mem, len));
	for (size_t i = 0; i < 64; i++)
		memset(mem + i * PAGE_SIZE, (int)i + 1, PAGE_SIZE);
	for (int n = 0; n < 40; n++) {
		pid_t pid;

		OK(memscope_arena_compress(arena, mem, len, MEMSCOPE_TIER_WARM, NULL));
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (!pid) {
			bool good = true;

			for (size_t i = 0; i < 64; i++) {
				good = good && !memscope_arena_touch(arena, mem + i * PAGE_SIZE, 1) &&
				       mem[i * PAGE_SIZE] == (char)(i + 1);
				mem[i * PAGE_SIZE] = 0;
			}
			good = good &&
			       !memscope_arena_compress(arena, mem, len, MEMSCOPE_TIER_WARM, NULL);
			good = good && !memscope_arena_touch(arena, mem, len) && !mem[PAGE_SIZE];
			_exit(good && !arena_check(arena) && !memscope_arena_destroy(arena) ? 0 : 1);
		}
		if (n % 8 == 7)
			while (waitpid(-1, &status, 0) > 0)
				ck_assert_int_eq(status, 0);
	}
	OK(memscope_arena_touch(arena, mem, len));
	for (size_t i = 0; i < 64; i++)
		ck_assert_int_eq(mem[i * PAGE_SIZE], (char)(i + 1));
	finish();
}
END_TEST

/* A child that cannot open a userfaultfd of its own keeps its contents all the same. */
START_TEST(child_without_descriptors)
{
	size_t len = 64 * PAGE_SIZE;
	struct rlimit none = {0, 0}, old;
	int status;
	pid_t pid;

	setup_with(NULL, len, 0);
	for (size_t i = 0; i < 64; i++)
		memset(mem + i * PAGE_SIZE, (int)i + 1, PAGE_SIZE);
	OK(memscope_arena_compress(arena, mem, len, MEMSCOPE_TIER_WARM, NULL));
	OK(getrlimit(RLIMIT_NOFILE, &old));
	none.rlim_max = old.rlim_max;
	OK(setrlimit(RLIMIT_NOFILE, &none));
	pid = fork();
	if (!pid) {
		struct memscope_compress_result r;
		bool good = true;

		for (size_t i = 0; i < 64; i++)
			good = good && mem[i * PAGE_SIZE + 77] == (char)(i + 1);
		/* Its pages stay where they are. */
		good = good &&
		       !memscope_arena_compress(arena, mem, len, MEMSCOPE_TIER_WARM, &r) &&
		       !r.admitted_bytes && mem[5 * PAGE_SIZE] == 6;
		_exit(good && !arena_check(arena) ? 0 : 1);
	}
	OK(setrlimit(RLIMIT_NOFILE, &old));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(mem[5 * PAGE_SIZE], 6);
	finish();
}
END_TEST

static void refuse_userfaultfd(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_userfaultfd, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOENT),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {ARRAY_SIZE(code), code};

	OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	OK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog));
}

/* As in a container's sandbox: a clear answer, and EXPLICIT still works. */
START_TEST(userfaultfd_refused)
{
	struct memscope_arena_options o = options();

	refuse_userfaultfd();
	IS(memscope_arena_create(&o, &arena), -EPERM);
	o.access = MEMSCOPE_ACCESS_THREAD;
	IS(memscope_arena_create(&o, &arena), -EPERM);
	o.access = MEMSCOPE_ACCESS_EXPLICIT;
	setup_with(&o, PAGE_SIZE, 0);
	OK(memscope_arena_pin(arena, mem, 1));
	mem[0] = 1;
	OK(memscope_arena_unpin(arena, mem, 1));
	OK(memscope_arena_compress(arena, mem, PAGE_SIZE, MEMSCOPE_TIER_WARM, NULL));
	OK(memscope_arena_touch(arena, mem, 1));
	ck_assert_int_eq(mem[0], 1);
	finish();
}
END_TEST

/* One whole life of an arena; the first failure ends it, and nothing may leak or stay behind. */
static int life(enum memscope_access access)
{
	struct memscope_arena_options o = options();
	struct memscope_arena *a = NULL;
	void *p = NULL;
	int err;

	o.access = access;
	err = memscope_arena_create(&o, &a);
	if (err)
		return err;
	err = memscope_arena_alloc(a, "life", 64 * PAGE_SIZE, MEMSCOPE_REGION_CHUNK_16K, &p);
	if (!err)
		err = memscope_arena_touch(a, p, 64 * PAGE_SIZE);
	if (!err) {
		dataset_fill(DATASET_HEAP, 1, 0, p, 64 * PAGE_SIZE);
		err = memscope_arena_compress(a, p, 64 * PAGE_SIZE, MEMSCOPE_TIER_COOL, NULL);
	}
	if (p) {
		char want[PAGE_SIZE];

		dataset_fill(DATASET_HEAP, 1, 0, want, sizeof(want));
		/* Whatever failed: the contents are there. */
		if (!memscope_arena_touch(a, p, 1) && !err)
			OK(memcmp(p, want, sizeof(want)));
		if (memscope_arena_free(a, p) == -ENOMEM)
			err = -ENOMEM;
	}
	ck_assert_int_eq(arena_check(a), 0);
	if (memscope_arena_destroy(a)) {
		err = -ENOMEM;
		OK(memscope_arena_destroy(a)); /* a second try must work */
	}
	return err;
}

START_TEST(every_allocation_fails_once)
{
	int failed = 0;

	for (long n = 0;; n++) {
		int err;

		mem_fail_nth(n);
		err = life((enum memscope_access)_i);
		if (mem_fail_nth(-1) >= 0) {
			OK(err);
			break; /* there is no nth allocation */
		}
		IS(err, -ENOMEM);
		failed++;
	}
	ck_assert_int_gt(failed, 10);
	OK(life((enum memscope_access)_i));
}
END_TEST

START_TEST(address_space_runs_out)
{
	struct rlimit limit = {1 << 20, RLIM_INFINITY}; /* less than there is already */
	struct memscope_compress_result r;
	void *p;

	setup_with(NULL, PAGE_SIZE, 0);
	mem[0] = 3;
	if (!SANITIZED) { /* whose shadow needs more than any limit */
		OK(setrlimit(RLIMIT_AS, &limit));
		IS(memscope_arena_alloc(arena, "", 1 << 30, 0, &p), -ENOMEM);
	}
	/* No room for the pool either (or for mremap() to work in): the page stays. */
	if (!SANITIZED) {
		int err = memscope_arena_compress(arena, mem, PAGE_SIZE, MEMSCOPE_TIER_WARM, &r);

		ck_assert(!err || err == -ENOMEM);
		ck_assert_uint_eq(r.admitted_bytes, 0);
	}
	ck_assert_int_eq(mem[0], 3);
	limit.rlim_cur = RLIM_INFINITY;
	OK(setrlimit(RLIMIT_AS, &limit));
	OK(memscope_arena_compress(arena, mem, PAGE_SIZE, MEMSCOPE_TIER_WARM, NULL));
	ck_assert_int_eq(mem[0], 3);
	finish();
}
END_TEST

/* More is restored with a fault where the last ones were neighbours, in both directions. */
START_TEST(neighbours_come_along)
{
	size_t len = 256 * PAGE_SIZE;
	struct memscope_arena_stats before;

	setup_with(NULL, len, 0);
	dataset_fill(DATASET_HEAP, 1, 0, mem, len);
	for (int down = 0; down < 2; down++) {
		OK(memscope_arena_compress(arena, mem, len, MEMSCOPE_TIER_WARM, NULL));
		before = stats();
		for (size_t i = 0; i < 256; i++)
			(void)*(volatile char *)(mem + (down ? 255 - i : i) * PAGE_SIZE);
		ck_assert_uint_lt(stats().faults - before.faults, 32);
	}
	OK(memscope_arena_compress(arena, mem, len, MEMSCOPE_TIER_WARM, NULL));
	OK(memscope_arena_advise(arena, mem, MEMSCOPE_ADVICE_RANDOM));
	before = stats();
	for (size_t i = 0; i < 256; i++)
		(void)*(volatile char *)(mem + i * PAGE_SIZE);
	ck_assert_uint_eq(stats().faults - before.faults, 256);
	finish();
}
END_TEST

START_TEST(compaction_gives_memory_back)
{
	size_t len = 4096 * PAGE_SIZE;
	uint64_t full;

	setup_with(NULL, len, 0);
	dataset_fill(DATASET_HEAP, 1, 0, mem, len);
	OK(memscope_arena_compress(arena, mem, len, MEMSCOPE_TIER_WARM, NULL));
	full = stats().pool_resident_bytes;
	for (size_t i = 0; i < 4096; i += 2)
		OK(memscope_arena_touch(arena, mem + i * PAGE_SIZE, 1));
	ck_assert_uint_gt(stats().pool_dead_bytes, full / 3);
	OK(memscope_arena_phase(arena, MEMSCOPE_PHASE_IDLE));
	ck_assert_uint_lt(stats().pool_resident_bytes, full * 2 / 3);
	ck_assert_uint_gt(stats().compactions, 0);
	OK(memscope_arena_phase(arena, MEMSCOPE_PHASE_NORMAL));
	finish();
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("arena");

	tcase_add_loop_test(tc, compresses_and_comes_back, 0, 9);
	tcase_add_test(tc, colder_is_smaller);
	tcase_add_test(tc, same_filled_pages_cost_nothing);
	tcase_add_test(tc, stubborn_pages_are_tried_once);
	tcase_add_test(tc, pins_hold);
	tcase_add_test(tc, discarded_memory_reads_as_zeros);
	tcase_add_loop_test(tc, capacity, 0, 2);
	tcase_add_test(tc, bad_arguments);
	tcase_add_test(tc, huge_and_many_regions);
	tcase_add_test(tc, corruption_is_reported);
	tcase_add_test(tc, sigbus_is_chained);
	tcase_add_test(tc, sigbus_default);
	tcase_add_loop_test(tc, fork_storm, 0, 3);
	tcase_add_test(tc, child_without_descriptors);
	tcase_add_test(tc, userfaultfd_refused);
	tcase_add_loop_test(tc, every_allocation_fails_once, 0, 3);
	tcase_add_test(tc, address_space_runs_out);
	tcase_add_test(tc, neighbours_come_along);
	tcase_add_test(tc, compaction_gives_memory_back);
	tcase_set_timeout(tc, 0);
	return unit_run(tc, "arena");
}
