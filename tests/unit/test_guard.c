/* SPDX-License-Identifier: BSD-2-Clause */
/* The guard leaves nothing: however the runner ends, and whoever is killed. */
#include "workloads/guard.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/unit/unit.h"

/* Closes when the last process that inherited it is gone. */
static int alive[2];

static void watch_processes(void)
{
	ck_assert_int_eq(pipe(alive), 0);
}

static void wait_for_the_last_process(void)
{
	char byte;

	close(alive[1]);
	ck_assert_int_eq(read(alive[0], &byte, 1), 0);
	close(alive[0]);
}

static int ends_with_7(void *ctx _unused_, const char *dir)
{
	char path[PATH_MAX + 8];

	snprintf(path, sizeof(path), "%s/file", dir);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	return 7;
}

START_TEST(status_directory_and_end)
{
	struct guard g;
	char dir[PATH_MAX], file[PATH_MAX + 8];

	watch_processes();
	ck_assert_int_eq(guard_start(&g, &(struct guard_job){ .want_dir = true, .body = ends_with_7 }), 0);
	while (!guard_poll(&g, 1000))
		;
	ck_assert_int_eq(WEXITSTATUS(guard_status(&g)), 7);
	snprintf(dir, sizeof(dir), "%s", guard_dir(&g));
	snprintf(file, sizeof(file), "%s/file", dir);
	ck_assert_int_eq(access(file, F_OK), 0);
	guard_finish(&g);
	ck_assert_int_eq(access(dir, F_OK), -1);
	wait_for_the_last_process();
}
END_TEST

/* A runner whose child has left its process group and its parent. */
static int leaves_an_orphan(void *ctx _unused_, const char *dir _unused_)
{
	if (fork() == 0) {
		setsid();
		if (fork() == 0)
			for (;;)
				pause();
		_exit(0);
	}
	return 0;
}

START_TEST(orphans_are_killed)
{
	struct guard g;

	watch_processes();
	ck_assert_int_eq(guard_start(&g, &(struct guard_job){ .body = leaves_an_orphan }), 0);
	while (!guard_poll(&g, 1000))
		;
	guard_finish(&g);
	wait_for_the_last_process();
}
END_TEST

static int sleeps(void *ctx _unused_, const char *dir _unused_)
{
	if (fork() == 0)
		setsid();
	for (;;)
		pause();
	return 0;
}

START_TEST(finish_ends_a_runner)
{
	struct guard g;

	watch_processes();
	ck_assert_int_eq(guard_start(&g, &(struct guard_job){ .body = sleeps }), 0);
	ck_assert(!guard_poll(&g, 10));
	guard_finish(&g);
	wait_for_the_last_process();
}
END_TEST

START_TEST(killed_caller)
{
	char dir[PATH_MAX] = "";
	int names[2], status;
	pid_t pid;

	watch_processes();
	ck_assert_int_eq(pipe(names), 0);
	pid = fork();
	if (pid == 0) {
		struct guard g;

		if (guard_start(&g, &(struct guard_job){ .want_dir = true, .body = sleeps }) ||
		    write(names[1], guard_dir(&g), PATH_MAX) != PATH_MAX)
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	ck_assert_int_eq(read(names[0], dir, sizeof(dir)), PATH_MAX);
	close(names[0]);
	close(names[1]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(WTERMSIG(status), SIGKILL);
	wait_for_the_last_process();
	ck_assert_int_eq(access(dir, F_OK), -1);
}
END_TEST

START_TEST(killed_guard)
{
	char dir[PATH_MAX];
	struct guard g;

	watch_processes();
	ck_assert_int_eq(guard_start(&g, &(struct guard_job){ .want_dir = true, .body = sleeps }), 0);
	snprintf(dir, sizeof(dir), "%s", guard_dir(&g));
	kill(g.pid, SIGKILL);
	while (!guard_poll(&g, 1000))
		;
	ck_assert_int_eq(WTERMSIG(guard_status(&g)), SIGKILL);
	guard_finish(&g);
	ck_assert_int_eq(access(dir, F_OK), -1);
	wait_for_the_last_process();
}
END_TEST

/* What two killed processes left is found by its dead pid, and nothing else is touched. */
START_TEST(stale_directories_are_swept)
{
	char stale[64], ours[64];
	pid_t gone = fork();
	struct guard g;

	if (gone == 0)
		_exit(0);
	waitpid(gone, NULL, 0);
	snprintf(stale, sizeof(stale), "/tmp/memscope-workload-%d.abc", gone);
	snprintf(ours, sizeof(ours), "/tmp/memscope-workload-%d.abc", getpid());
	mkdir(stale, 0700);
	mkdir(ours, 0700);
	unsetenv("TMPDIR");
	ck_assert_int_eq(guard_start(&g, &(struct guard_job){ .body = ends_with_7 }), 0);
	guard_finish(&g);
	ck_assert_int_eq(access(stale, F_OK), -1);
	ck_assert_int_eq(rmdir(ours), 0);
}
END_TEST

UNIT_MAIN("guard", status_directory_and_end, orphans_are_killed, finish_ends_a_runner, killed_caller, killed_guard,
	  stale_directories_are_swept)
