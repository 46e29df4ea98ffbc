/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What tracing costs the process that faults: bench-trace [ROUNDS].
 *
 * The workload is this process: it touches 512 MiB of new memory, one page at a time. In each round it
 * does so untraced and then under each tracer, so that a ratio compares runs of the same seconds. A
 * page's cost is read from the CPU's time stamp around its touch, which gives p50 and p99; the mean is
 * of the thread's CPU time, so that it does not count what other programs took meanwhile. Figures are
 * medians over the rounds; added and ratio compare the means.
 */
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <fcntl.h>

#include "lib/base.h"
#include "lib/parse.h"
#include "lib/sample.h"

#define REGION	   (512 * MiB)
#define PAGE	   4096
#define PAGES	   (REGION / PAGE)
#define MAX_ROUNDS 25

struct mode {
	const char *name;
	const char *command; /* %d: our pid; NULL: untraced */
	unsigned wait_ms;    /* until it is attached */
	bool to_pipe;
	double mean[MAX_ROUNDS], p50[MAX_ROUNDS], p99[MAX_ROUNDS], added[MAX_ROUNDS], ratio[MAX_ROUNDS];
	bool missing;
};

static struct mode modes[] = {
	{ .name = "untraced" },
	{ .name = "memscope --by pid", .command = "$MEMSCOPE trace fault --by pid --pid %d -v", .wait_ms = 5000 },
	{ .name = "memscope --by ip,vma", .command = "$MEMSCOPE trace fault --by ip,vma --pid %d -v", .wait_ms = 5000 },
	{ .name = "memscope stream, /dev/null", .command = "$MEMSCOPE trace fault --pid %d -v", .wait_ms = 5000 },
	{ .name = "memscope stream, pipe", .command = "$MEMSCOPE trace fault --pid %d -v", .wait_ms = 5000, .to_pipe = true },
	{ .name = "memscope --latency", .command = "$MEMSCOPE trace fault --latency --by pid --pid %d -v", .wait_ms = 5000 },
	{ .name = "bpftrace count()", .wait_ms = 15000,
	  .command = "bpftrace -e 'BEGIN { printf(\"tracing\\n\"); } tracepoint:exceptions:page_fault_user /pid == %d/ "
		     "{ @[pid] = count(); }'" },
	{ .name = "bpftrace printf", .wait_ms = 15000,
	  .command = "bpftrace -e 'BEGIN { printf(\"tracing\\n\"); } tracepoint:exceptions:page_fault_user /pid == %d/ "
		     "{ printf(\"%%d %%s %%lx\\n\", pid, comm, args->address); }'" },
	{ .name = "perf trace -F all", .wait_ms = 2500, .command = "perf trace -F all --no-syscalls -p %d" },
};

static int by_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void touch(double *mean, double *p50, double *p99)
{
	static uint32_t cycles[PAGES];
	volatile char *p = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t start, ns, cpu, first, all;

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	madvise((void *)p, REGION, MADV_NOHUGEPAGE);
	memset(cycles, 1, sizeof(cycles)); /* its own pages are there before the clock starts */
	start = now_ns();
	cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	first = __builtin_ia32_rdtsc();
	for (size_t i = 0; i < PAGES; i++) {
		uint64_t before = __builtin_ia32_rdtsc();

		p[i * PAGE] = 1;
		cycles[i] = (uint32_t)(__builtin_ia32_rdtsc() - before);
	}
	all = __builtin_ia32_rdtsc() - first;
	cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
	ns = now_ns() - start;
	munmap((void *)p, REGION);
	qsort(cycles, PAGES, sizeof(*cycles), by_u32);
	*mean = (double)cpu / PAGES;
	*p50 = cycles[PAGES / 2] * ((double)ns / (double)all);
	*p99 = cycles[PAGES * 99 / 100] * ((double)ns / (double)all);
}

/* ---- tracers ---- */

static bool installed(const char *command)
{
	char line[300], word[64];

	snprintf(word, sizeof(word), "%.*s", (int)strcspn(command, " "), command);
	snprintf(line, sizeof(line), "command -v %s >/dev/null 2>&1", word);
	return system(line) == 0;
}

static pid_t start_tracer(const struct mode *m, const char *log)
{
	char command[512], line[800];
	pid_t pid;

	snprintf(command, sizeof(command), m->command, (int)getpid());
	/* exec, so that signals reach the tracer itself; a pipe needs a reader beside it */
	if (m->to_pipe)
		snprintf(line, sizeof(line), "exec %s 2>%s > >(exec cat >/dev/null)", command, log);
	else if (strstr(m->command, "bpftrace"))
		snprintf(line, sizeof(line), "exec %s >%s 2>/dev/null", command, log);
	else
		snprintf(line, sizeof(line), "exec %s 2>%s >/dev/null", command, log);
	pid = fork();
	if (pid == 0) {
		execl("/bin/bash", "bash", "-c", line, (char *)NULL);
		_exit(127);
	}
	return pid;
}

static void wait_until_attached(const struct mode *m, const char *log)
{
	uint64_t until = now_ns() + m->wait_ms * NSEC_PER_MSEC;
	char command[300];

	snprintf(command, sizeof(command), "grep -q tracing %s", log);
	while (now_ns() < until) {
		if (!system(command))
			break;
		usleep(20000);
	}
	usleep(200000);
}

static void run_mode(struct mode *m, size_t round, const char *log)
{
	pid_t pid = 0;

	if (m->command) {
		close(open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600));
		pid = start_tracer(m, log);
		wait_until_attached(m, log);
	}
	if (pid > 0 && waitpid(pid, NULL, WNOHANG) == pid) {
		m->missing = true; /* it did not stay: nothing was traced */
		return;
	}
	touch(&m->mean[round], &m->p50[round], &m->p99[round]);
	if (pid > 0) {
		kill(pid, SIGINT);
		waitpid(pid, NULL, 0);
	}
	m->added[round] = m->mean[round] - modes[0].mean[round];
	m->ratio[round] = m->mean[round] / modes[0].mean[round];
}

/* ---- two processes, two CPUs ---- */

static void two_processes(const char *log)
{
	char line[1024];
	FILE *f;

	snprintf(line, sizeof(line),
		 "d=$(mktemp -d); for c in 0 1; do mkfifo $d/in$c; { exec 9<>$d/in$c; exec $O/tests/helpers/faulter 300000 $c "
		 "<&9 >$d/out$c; } & p[c]=$!; done; sleep 0.3; "
		 "$MEMSCOPE trace fault --pid ${p[0]} --pid ${p[1]} --csv -v 2>%s | wc -l >$d/lines & "
		 "until grep -q tracing %s 2>/dev/null; do sleep 0.02; done; "
		 "for c in 0 1; do echo go >$d/in$c; done; "
		 "for c in 0 1; do until grep -q faults $d/out$c; do sleep 0.02; done; echo end >$d/in$c; done; wait; "
		 "cat $d/out0 $d/out1 | awk -v lines=$(cat $d/lines) -v lost=$(sed -n 's/.* faults, \\([0-9]*\\) lost.*/\\1/p' %s) "
		 "'/^faults/ { n += $2; if ($4 > ns) ns = $4 } END { printf \"%%d faults counted by the kernel, %%d delivered, "
		 "%%d lost, %%.2f M/s\\n\", n, lines - 1, lost, n / ns * 1000 }'; rm -r $d",
		 log, log, log);
	f = popen("exec bash", "w");
	if (!f)
		return;
	fprintf(f, "%s\n", line);
	pclose(f);
}

/* bpftrace wants tracefs; where it is not mounted, a mount of our own serves, seen by nobody else. */
static void mount_tracefs(void)
{
	if (!access("/sys/kernel/tracing/trace_pipe", F_OK) || unshare(CLONE_NEWNS))
		return;
	if (!mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
}

int main(int argc, char **argv)
{
	char log[] = "/tmp/bench-trace-XXXXXX";
	uint64_t rounds = 5;
	int fd = mkstemp(log);

	if (argc > 1 && parse_u64(argv[1], 1, MAX_ROUNDS, &rounds)) {
		fprintf(stderr, "usage: %s [ROUNDS, 1 to %d]\n", argv[0], MAX_ROUNDS);
		return 2;
	}
	if (fd < 0 || !getenv("MEMSCOPE") || !getenv("O")) {
		fprintf(stderr, "run this by: make bench-trace\n");
		return 1;
	}
	close(fd);
	mount_tracefs();
	for (size_t i = 1; i < ARRAY_SIZE(modes); i++)
		modes[i].missing = modes[i].command[0] != '$' && !installed(modes[i].command);
	for (size_t round = 0; round < rounds; round++)
		for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
			if (!modes[i].missing)
				run_mode(&modes[i], round, log);
	printf("first touch of %u pages, ns a page, medians of %u rounds\n", (unsigned)PAGES, (unsigned)rounds);
	printf("%-28s %8s %8s %8s %8s %8s\n", "", "mean", "p50", "p99", "added", "ratio");
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		const struct mode *m = &modes[i];

		if (m->missing)
			printf("%-28s not installed, or did not start\n", m->name);
		else
			printf("%-28s %8.0f %8.0f %8.0f %8.0f %8.2f\n", m->name, sample_median(m->mean, rounds),
			       sample_median(m->p50, rounds), sample_median(m->p99, rounds), sample_median(m->added, rounds),
			       sample_median(m->ratio, rounds));
	}
	printf("\ntwo processes on two CPUs, streaming CSV into a pipe:\n");
	fflush(stdout);
	two_processes(log);
	unlink(log);
	return 0;
}
