/* SPDX-License-Identifier: BSD-2-Clause */
/* Samples of real children, whose memory is known. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "lib/file.h"
#include "lib/input.h"
#include "lib/procmem.h"
#include "tests/unit/unit.h"

#define PAGE   ((size_t)4096)
#define FILLED ((size_t)(8 * MiB))
#define EMPTY  ((size_t)(64 * MiB))
#define MARK   UINT64_C(0x6d656d73636f7065)

/* A child with FILLED bytes of numbered pages and EMPTY bytes that it never touches. */
static pid_t start_child(void)
{
	int ready[2];
	pid_t pid;
	char byte;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		uint64_t *p = mmap(NULL, FILLED + EMPTY, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		madvise(p, FILLED + EMPTY, MADV_NOHUGEPAGE);
		for (size_t i = 0; i < FILLED / PAGE; i++) {
			p[i * PAGE / 8] = MARK;
			p[i * PAGE / 8 + 1] = i;
		}
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Numbers of marked pages in the sample; they must ascend. */
static size_t count_marked(const struct procmem_sample *s)
{
	size_t n = 0;
	uint64_t last = 0;

	for (size_t at = 0; at < s->len; at += PAGE) {
		uint64_t words[2];

		memcpy(words, s->data + at, sizeof(words));
		if (words[0] != MARK)
			continue;
		ck_assert(!n || words[1] > last);
		last = words[1];
		n++;
	}
	return n;
}

static uint64_t rss(pid_t pid)
{
	char dir[32];
	char *text;
	uint64_t kb;

	snprintf(dir, sizeof(dir), "/proc/%d", (int)pid);
	ck_assert_int_eq(file_read_all(dir, "status", &text), 0);
	ck_assert_int_eq(text_find_u64(text, "VmRSS:", &kb), 0);
	free(text);
	return kb * KiB;
}

START_TEST(test_everything)
{
	const struct procmem_params p = {.max_bytes = GiB, .seed = 1, .by_entries = _i};
	pid_t pid = start_child();
	struct procmem_sample s;
	uint64_t before = rss(pid);

	ck_assert_int_eq(procmem_read(pid, &p, &s), 0);
	ck_assert_uint_eq(count_marked(&s), FILLED / PAGE);
	ck_assert_uint_le(s.len, s.present_bytes + MiB);
	ck_assert(!s.exited && !s.stopped);
	/* What was never touched stays so. */
	ck_assert_uint_lt(rss(pid), before + MiB);
	ck_assert_uint_lt(s.len, FILLED + EMPTY / 2);
	procmem_release(&s);
	end_child(pid);
}
END_TEST

START_TEST(test_sample)
{
	struct procmem_params p = {.max_bytes = MiB + 100, .seed = 1};
	pid_t pid = start_child();
	struct procmem_sample s;
	size_t marked;

	ck_assert_int_eq(procmem_read(pid, &p, &s), 0);
	ck_assert_uint_le(s.len, MiB);
	ck_assert_uint_ge(s.len, MiB / 2);
	marked = count_marked(&s);
	/* Nearly all of the child's memory is marked, and the sample shows it. */
	ck_assert_uint_ge(marked, s.len / PAGE / 2);
	procmem_release(&s);
	p.max_bytes = 100;
	ck_assert_int_eq(procmem_read(pid, &p, &s), -ENODATA);
	end_child(pid);
}
END_TEST

struct killer {
	pid_t pid;
	volatile sig_atomic_t stop;
	bool only_stop;
};

static void kill_half_way(void *arg, uint64_t done, uint64_t total)
{
	struct killer *k = arg;

	if (done < total / 2 || !k->pid)
		return;
	if (k->only_stop)
		k->stop = 1;
	else
		end_child(k->pid);
	if (!k->only_stop)
		k->pid = 0;
}

START_TEST(test_exits_half_way)
{
	struct killer k = {.pid = start_child()};
	const struct procmem_params p = {
		.max_bytes = GiB, .seed = 1, .progress = kill_half_way, .arg = &k};
	struct procmem_sample s;

	ck_assert_int_eq(procmem_read(k.pid, &p, &s), 0);
	ck_assert(s.exited);
	ck_assert_uint_gt(s.len, FILLED / 4);
	ck_assert_uint_lt(s.len, FILLED);
	ck_assert_uint_gt(count_marked(&s), FILLED / PAGE / 4);
	procmem_release(&s);
}
END_TEST

START_TEST(test_stopped)
{
	struct killer k = {.pid = start_child(), .only_stop = true};
	const struct procmem_params p = {
		.max_bytes = GiB, .seed = 1, .progress = kill_half_way, .arg = &k, .stop = &k.stop};
	struct procmem_sample s;

	ck_assert_int_eq(procmem_read(k.pid, &p, &s), 0);
	ck_assert(s.stopped && !s.exited);
	ck_assert_uint_lt(s.len, FILLED);
	procmem_release(&s);
	end_child(k.pid);
}
END_TEST

START_TEST(test_no_such_process)
{
	const struct procmem_params p = {.max_bytes = MiB};
	pid_t pid = start_child();
	struct procmem_sample s = {.len = 77};

	/* Between its end and wait() a process has a number, and no memory. */
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT), 0);
	ck_assert_int_lt(procmem_read(pid, &p, &s), 0);
	waitpid(pid, NULL, 0);
	ck_assert_int_eq(procmem_read(pid, &p, &s), -ESRCH);
	ck_assert_uint_eq(s.len, 77);
}
END_TEST

START_TEST(test_refused)
{
	const struct procmem_params p = {.max_bytes = MiB};
	pid_t target, child;
	int status;

	if (geteuid())
		return; /* only root can become someone who is refused */
	target = start_child();
	child = fork();
	if (!child) {
		struct procmem_sample s;
		int err;

		if (setgid(65534) || setuid(65534))
			_exit(2);
		err = procmem_read(target, &p, &s);
		_exit(err == -EACCES || err == -EPERM ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status) && !WEXITSTATUS(status));
	end_child(target);
}
END_TEST

START_TEST(test_input_pipe)
{
	struct input in;
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(write(fds[1], "abc", 3), 3);
	ck_assert_int_eq(write(fds[1], "defg", 4), 4);
	close(fds[1]);
	ck_assert_int_eq(input_read(fds[0], 5, &in), 0);
	ck_assert_uint_eq(in.len, 5);
	ck_assert_mem_eq(in.data, "abcde", 5);
	ck_assert(in.truncated && !in.missing_bytes);
	input_release(&in);
	/* The byte that told of more is gone with it; one is left. */
	ck_assert_int_eq(input_read(fds[0], MiB, &in), 0);
	ck_assert_uint_eq(in.len, 1);
	ck_assert(!in.truncated);
	input_release(&in);
	close(fds[0]);
	ck_assert_int_eq(input_open("/nonexistent", MiB, &in), -ENOENT);
	ck_assert_int_eq(input_open("/", MiB, &in), -EISDIR);
	ck_assert_int_eq(input_open("/dev/null", MiB, &in), 0);
	ck_assert_uint_eq(in.len, 0);
	input_release(&in);
}
END_TEST

/* Files of sysfs say 4096 bytes and have fewer: to a reader the same as one that shrinks meanwhile.
 */
START_TEST(test_input_shrinks)
{
	struct input in;
	int err = input_open("/sys/kernel/mm/transparent_hugepage/enabled", MiB, &in);

	if (err)
		return;
	ck_assert_uint_gt(in.len, 0);
	ck_assert_uint_eq(in.missing_bytes, 4096 - in.len);
	input_release(&in);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("procmem");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, test_everything, 0, 2);
	tcase_add_test(t, test_sample);
	tcase_add_test(t, test_exits_half_way);
	tcase_add_test(t, test_stopped);
	tcase_add_test(t, test_no_such_process);
	tcase_add_test(t, test_refused);
	tcase_add_test(t, test_input_pipe);
	tcase_add_test(t, test_input_shrinks);
	return unit_run(t, "procmem");
}
