/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/spawn.h"

#include <signal.h>
#include <sys/wait.h>

#include "tests/unit/unit.h"

#define ARGV(...) ((char *const[]){ __VA_ARGS__, NULL })

static char sh[] = "sh", dash_c[] = "-c";

START_TEST(exit_code_is_passed_on)
{
	char script[] = "exit 7";
	struct spawn s;

	ck_assert_int_eq(spawn_prepare(&s, ARGV(sh, dash_c, script)), 0);
	ck_assert_int_eq(spawn_go(&s), 0);
	ck_assert_int_eq(spawn_wait(&s), 7);
	ck_assert(spawn_poll(&s));
	ck_assert_int_eq(spawn_wait(&s), 7);
	spawn_release(&s);
}
END_TEST

START_TEST(signal_is_128_and_more)
{
	char script[] = "kill -9 $$";
	struct spawn s;

	ck_assert_int_eq(spawn_prepare(&s, ARGV(sh, dash_c, script)), 0);
	ck_assert_int_eq(spawn_go(&s), 0);
	ck_assert_int_eq(spawn_wait(&s), 128 + SIGKILL);
	spawn_release(&s);
}
END_TEST

START_TEST(waits_until_it_may_go)
{
	char dir[] = "/tmp/memscope-spawn-XXXXXX", file[64], touch[] = "touch";
	struct spawn s;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/there", dir);
	ck_assert_int_eq(spawn_prepare(&s, ARGV(touch, file)), 0);
	usleep(100000);
	ck_assert(!spawn_poll(&s));
	ck_assert_int_ne(access(file, F_OK), 0);
	ck_assert_int_eq(spawn_go(&s), 0);
	ck_assert_int_eq(spawn_wait(&s), 0);
	ck_assert_int_eq(access(file, F_OK), 0);
	spawn_release(&s);
	unlink(file);
	rmdir(dir);
}
END_TEST

START_TEST(failed_exec_is_an_error)
{
	char missing[] = "/nonexistent/program", dir[] = "/", none[] = "no-such-program-anywhere";
	struct spawn s;

	ck_assert_int_eq(spawn_prepare(&s, ARGV(missing)), 0);
	ck_assert_int_eq(spawn_go(&s), -ENOENT);
	spawn_release(&s);
	ck_assert_int_eq(spawn_prepare(&s, ARGV(dir)), 0);
	ck_assert_int_eq(spawn_go(&s), -EACCES);
	spawn_release(&s);
	ck_assert_int_eq(spawn_prepare(&s, ARGV(none)), 0);
	ck_assert_int_eq(spawn_go(&s), -ENOENT);
	spawn_release(&s);
}
END_TEST

START_TEST(release_ends_one_that_never_went)
{
	char script[] = "exit 0";
	struct spawn s;
	pid_t pid;

	ck_assert_int_eq(spawn_prepare(&s, ARGV(sh, dash_c, script)), 0);
	pid = s.pid;
	spawn_release(&s);
	ck_assert_int_ne(kill(pid, 0), 0);
	spawn_release(&s);
}
END_TEST

START_TEST(signal_reaches_it)
{
	char sleep_word[] = "sleep", ten[] = "10";
	struct spawn s;

	ck_assert_int_eq(spawn_prepare(&s, ARGV(sleep_word, ten)), 0);
	ck_assert_int_eq(spawn_go(&s), 0);
	spawn_signal(&s, SIGTERM);
	ck_assert_int_eq(spawn_wait(&s), 128 + SIGTERM);
	spawn_signal(&s, SIGTERM); /* to nobody */
	spawn_release(&s);
}
END_TEST

UNIT_MAIN("spawn", exit_code_is_passed_on, signal_is_128_and_more, waits_until_it_may_go, failed_exec_is_an_error,
	  release_ends_one_that_never_went, signal_reaches_it)
