/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process whose page faults are known exactly: faulter PAGES [CPU].
 *
 * It prints "ready PID", waits for a line, touches PAGES new pages once, prints "faults N ns T" (minor
 * and major faults that the kernel counted for it meanwhile, and the wall time), waits for another
 * line, and exits. What the loop needs was touched before "ready", so that nothing else faults.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static long faults(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return ru.ru_minflt + ru.ru_majflt;
}

static long long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static __attribute__((noinline)) void touch(size_t pages)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	volatile char *p = mmap(NULL, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	madvise((void *)p, pages * page, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < pages; i++)
		p[i * page] = 1;
	munmap((void *)p, pages * page);
}

/* One round as the measured one, output included. */
static void round_trip(size_t pages, int fd)
{
	char line[128];
	long before = faults();
	long long start = now();
	int n;

	touch(pages);
	n = snprintf(line, sizeof(line), "faults %ld ns %lld\n", faults() - before, now() - start);
	if (fd >= 0 && write(fd, line, (size_t)n) != n)
		exit(1);
}

static void wait_for_line(void)
{
	char c = 0;

	while (c != '\n' && read(STDIN_FILENO, &c, 1) == 1)
		;
}

int main(int argc, char **argv)
{
	size_t pages = argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 1000;
	char line[64];
	int n;

	if (argc > 2) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET((int)strtol(argv[2], NULL, 10), &set);
		sched_setaffinity(0, sizeof(set), &set);
	}
	for (int i = 0; i < 3; i++)
		round_trip(16, -1);
	n = snprintf(line, sizeof(line), "ready %d\n", (int)getpid());
	if (write(STDOUT_FILENO, line, (size_t)n) != n)
		return 1;
	wait_for_line();
	round_trip(pages, STDOUT_FILENO);
	wait_for_line();
	return 0;
}
