/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs in the source's root: tests/sysroot has the captured trees. */
#include "lib/file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "tests/unit/unit.h"

/* A file with these bytes in a new directory; the caller removes both with drop(). */
static char dir[32];

static void make(const char *text, size_t len)
{
	char path[64];
	int fd;

	snprintf(dir, sizeof(dir), "/tmp/memscope-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/f", dir);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	close(fd);
}

static void drop(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/f", dir);
	unlink(path);
	rmdir(dir);
}

START_TEST(read_at_cuts_the_newline_and_the_rest)
{
	char buf[6];

	make("abc\n", 4);
	ck_assert_int_eq(file_read_at(dir, "f", buf, sizeof(buf)), 0);
	ck_assert_str_eq(buf, "abc");
	drop();
	make("abcdefgh\n", 9);
	ck_assert_int_eq(file_read_at(dir, "f", buf, sizeof(buf)), 0);
	ck_assert_str_eq(buf, "abcde");
	drop();
	make("", 0);
	ck_assert_int_eq(file_read_at(dir, "f", buf, sizeof(buf)), 0);
	ck_assert_str_eq(buf, "");
	drop();
	ck_assert_int_eq(file_read_at("/nonexistent", "f", buf, sizeof(buf)), -ENOENT);
	ck_assert_int_eq(file_read_at("/", "tmp", buf, sizeof(buf)), -EISDIR);
}
END_TEST

START_TEST(read_u64)
{
	uint64_t v = 7;

	make("123\n", 4);
	ck_assert_int_eq(file_read_u64(dir, "f", &v), 0);
	ck_assert_uint_eq(v, 123);
	drop();
	make("max\n", 4);
	ck_assert_int_eq(file_read_u64(dir, "f", &v), -EINVAL);
	drop();
	ck_assert_uint_eq(v, 123);
}
END_TEST

START_TEST(read_all_is_all)
{
	size_t len = 100000;
	char *big = malloc(len), *text = NULL;

	for (size_t i = 0; i < len; i++)
		big[i] = (char)('a' + i % 26);
	make(big, len);
	ck_assert_int_eq(file_read_all(dir, "f", &text), 0);
	ck_assert_uint_eq(strlen(text), len);
	ck_assert_mem_eq(text, big, len);
	drop();
	free(text);
	free(big);
	text = NULL;
	ck_assert_int_eq(file_read_all("/nonexistent", "f", &text), -ENOENT);
	ck_assert_ptr_null(text);
}
END_TEST

START_TEST(write_at)
{
	char buf[16];

	make("", 0);
	ck_assert_int_eq(file_write_at(dir, "f", "hello"), 0);
	ck_assert_int_eq(file_read_at(dir, "f", buf, sizeof(buf)), 0);
	ck_assert_str_eq(buf, "hello");
	drop();
	ck_assert_int_eq(file_write_at("/nonexistent", "f", "x"), -ENOENT);
	ck_assert_int_eq(file_write_at("/dev", "full", "x"), -ENOSPC);
}
END_TEST

START_TEST(sysroot)
{
	char buf[64];

	ck_assert_str_eq(file_under_sysroot("/proc/vmstat", buf, sizeof(buf)), "/proc/vmstat");
	file_set_sysroot("/captured");
	ck_assert_str_eq(file_under_sysroot("/proc/vmstat", buf, sizeof(buf)), "/captured/proc/vmstat");
	ck_assert_str_eq(file_under_sysroot("/proc", buf, sizeof(buf)), "/captured/proc");
	ck_assert_str_eq(file_under_sysroot("/sys/kernel", buf, sizeof(buf)), "/captured/sys/kernel");
	ck_assert_str_eq(file_under_sysroot("/tmp/x", buf, sizeof(buf)), "/tmp/x");
	ck_assert_str_eq(file_under_sysroot("/system/x", buf, sizeof(buf)), "/system/x");
	ck_assert_str_eq(file_under_sysroot("/process", buf, sizeof(buf)), "/process");
	file_set_sysroot("tests/sysroot/linux-6.18");
	ck_assert_int_eq(file_read_at("/proc/pressure", "memory", buf, 5), 0);
	ck_assert_str_eq(buf, "some");
	file_set_sysroot("");
	ck_assert_str_eq(file_under_sysroot("/proc/vmstat", buf, sizeof(buf)), "/proc/vmstat");
}
END_TEST

START_TEST(find_u64)
{
	static const char text[] = "pgfault 123\npgfault_extra 4\nVmSwap:\t      12 kB\nPPid:\t9\nPid:\t8\nname x\n"
				   "big 99999999999999999999999999\nlast 5";
	uint64_t v = 7;

	ck_assert_int_eq(text_find_u64(text, "pgfault", &v), 0);
	ck_assert_uint_eq(v, 123);
	ck_assert_int_eq(text_find_u64(text, "pgfault_extra", &v), 0);
	ck_assert_uint_eq(v, 4);
	ck_assert_int_eq(text_find_u64(text, "VmSwap", &v), 0);
	ck_assert_uint_eq(v, 12);
	ck_assert_int_eq(text_find_u64(text, "Pid", &v), 0);
	ck_assert_uint_eq(v, 8);
	ck_assert_int_eq(text_find_u64(text, "last", &v), 0);
	ck_assert_uint_eq(v, 5);
	ck_assert_int_eq(text_find_u64(text, "fault", &v), -ENOENT);
	ck_assert_int_eq(text_find_u64(text, "pgfaul", &v), -ENOENT);
	ck_assert_int_eq(text_find_u64(text, "name", &v), -EINVAL);
	ck_assert_int_eq(text_find_u64(text, "big", &v), -EINVAL);
	ck_assert_int_eq(text_find_u64("", "big", &v), -ENOENT);
	ck_assert_int_eq(text_find_u64("\n\n", "big", &v), -ENOENT);
	ck_assert_int_ne(text_find_u64("big", "big", &v), 0);
	/* the number of the next line is not this one's */
	ck_assert_int_eq(text_find_u64("big:\n5\n", "big", &v), -EINVAL);
	ck_assert_uint_eq(v, 5);
}
END_TEST

UNIT_MAIN("file", read_at_cuts_the_newline_and_the_rest, read_u64, read_all_is_all, write_at, sysroot, find_u64)
