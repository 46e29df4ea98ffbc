/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One run of a workload: see the drawing in workload.h.
 *
 *	worker	prepare ─ ready ─ wait for the start ─ run ─ finished ─ wait for the release ─ verify all ─ finish
 *	runner	        all ready: RSS, start time … RSS every 100 ms … all finished: PSS, release
 *
 * The counters ready and finished, the start time and the release are atomics in the shared mapping,
 * polled: a worker process that dies can then never leave another one waiting in a lock.
 */
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "lib/file.h"
#include "lib/parse.h"
#include "workloads/guard.h"
#include "workloads/worker.h"

#define POLL_US	       2000
#define RSS_EVERY_NS   (100 * NSEC_PER_MSEC)
#define START_DELAY_NS (5 * NSEC_PER_MSEC)
#define HOOKS_MS       100
#define STOP_GRACE_NS  (15 * NSEC_PER_SEC)

struct memory_use {
	uint64_t rss, pss, swap;
};

struct run {
	const struct workload_config *cfg;
	size_t bytes; /* of this mapping */
	_Atomic int stop, release;
	_Atomic unsigned ready, finished;
	_Atomic uint64_t start_ns, rss_now;
	_Atomic int error; /* the first one */
	struct workload_error error_text;
	/* of the runner */
	struct memory_use at_ready, at_end;
	uint64_t rss_sum, rss_samples, rss_max;
	uint64_t minor_faults, major_faults, cpu_user_us, cpu_system_us;
	struct worker_slot slots[];
};

static void run_fail(struct run *run, int err, const char *fmt, ...) _printf_(3, 4);
static void run_fail(struct run *run, int err, const char *fmt, ...)
{
	int none = 0;
	va_list ap;

	if (err == -EINTR)
		return; /* stopped while it was filling */
	if (atomic_compare_exchange_strong(&run->error, &none, err)) {
		va_start(ap, fmt);
		vsnprintf(run->error_text.text, sizeof(run->error_text.text), fmt, ap);
		va_end(ap);
		if (err != -ECHILD)
			workload_error_add(&run->error_text, err);
	}
	run->stop = 1;
}

/* ---- a worker ---- */

struct usage {
	uint64_t minor, major, user_us, system_us;
};

static struct usage usage_now(bool with_children)
{
	struct usage u = {};

	for (int who = 0; who <= (with_children ? 1 : 0); who++) {
		struct rusage ru;

		getrusage(who ? RUSAGE_CHILDREN : RUSAGE_SELF, &ru);
		u.minor += (uint64_t)ru.ru_minflt;
		u.major += (uint64_t)ru.ru_majflt;
		u.user_us += (uint64_t)ru.ru_utime.tv_sec * 1000000 + (uint64_t)ru.ru_utime.tv_usec;
		u.system_us += (uint64_t)ru.ru_stime.tv_sec * 1000000 + (uint64_t)ru.ru_stime.tv_usec;
	}
	return u;
}

static void wait_for(const _Atomic unsigned *count, unsigned want, void (*meanwhile)(void *), void *ctx)
{
	while (atomic_load(count) < want) {
		usleep(POLL_US);
		if (meanwhile)
			meanwhile(ctx);
	}
}

struct worker_start {
	struct run *run;
	struct mem *mem;
	unsigned index;
	pthread_t thread;
};

static void worker_body(struct worker *w, struct run *run)
{
	const struct workload_ops *ops = run->cfg->ops;
	struct usage before, after;
	int err;

	w->scratch = aligned_alloc(WORKLOAD_PAGE, WORKLOAD_PAGE);
	err = w->scratch ? ops->prepare(w) : -ENOMEM;
	if (err)
		run_fail(run, err, "preparing the memory of worker %u", w->index);
	run->ready++;
	while (!run->start_ns && !run->stop)
		usleep(POLL_US);
	before = usage_now(ops->processes);
	w->start_ns = run->start_ns;
	w->end_ns = w->start_ns + (uint64_t)(run->cfg->seconds * (double)NSEC_PER_SEC);
	if (!err && w->start_ns && worker_sleep(w, w->start_ns)) {
		err = ops->run(w);
		if (err)
			run_fail(run, err, "worker %u", w->index);
	}
	w->slot->end_ns = now_ns();
	after = usage_now(ops->processes);
	w->slot->minor_faults = after.minor - before.minor;
	w->slot->major_faults = after.major - before.major;
	w->slot->cpu_user_us = after.user_us - before.user_us;
	w->slot->cpu_system_us = after.system_us - before.system_us;
	if (ops->processes && w->mem->ops->stats)
		w->slot->has_stats = !w->mem->ops->stats(w->mem->state, w->slot->stats);
	run->finished++;
	while (!run->release)
		usleep(POLL_US);
	/* What was never touched again must be right as well. */
	if (!run->stop)
		area_verify_all(w, &w->area);
	if (!run->stop)
		area_verify_all(w, &w->other);
	ops->finish(w);
	free(w->scratch);
}

static void worker_main(const struct worker_start *s)
{
	struct run *run = s->run;
	struct worker w = {
		.index = s->index,
		.cfg = run->cfg,
		.slot = &run->slots[s->index],
		.mem = s->mem,
		.stop = &run->stop,
		.share_pages = run->cfg->region_bytes / run->cfg->workers / WORKLOAD_PAGE,
		.rng = run->cfg->seed + (uint64_t)s->index * UINT64_C(0x9e3779b97f4a7c15),
	};

	worker_body(&w, run);
}

static void *worker_thread(void *arg)
{
	worker_main(arg);
	return NULL;
}

/* ---- the runner ---- */

static struct memory_use memory_of(int pid)
{
	_cleanup_free_ char *text = NULL;
	struct memory_use m = {};
	char dir[32];

	snprintf(dir, sizeof(dir), "/proc/%d", pid);
	if (file_read_all(dir, "smaps_rollup", &text))
		return m;
	text_find_u64(text, "Rss:", &m.rss);
	text_find_u64(text, "Pss:", &m.pss);
	text_find_u64(text, "Swap:", &m.swap);
	return (struct memory_use){ m.rss * KiB, m.pss * KiB, m.swap * KiB };
}

static uint64_t rss_of(int pid)
{
	char dir[32], text[128], *pages;
	uint64_t n = 0;

	snprintf(dir, sizeof(dir), "/proc/%d", pid);
	if (file_read_at(dir, "statm", text, sizeof(text)) || !(pages = strchr(text, ' ')))
		return 0;
	pages++; /* the second word */
	pages[strcspn(pages, " ")] = '\0';
	if (parse_u64(pages, 0, UINT64_MAX, &n))
		return 0;
	return n * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Of the runner and its workers. Storm children are not in it: they share, and are gone in moments. */
static struct memory_use memory_of_all(const struct run *run)
{
	struct memory_use sum = memory_of(getpid());

	for (unsigned i = 0; run->cfg->ops->processes && i < run->cfg->workers; i++) {
		struct memory_use m = memory_of(run->slots[i].pid);

		sum.rss += m.rss;
		sum.pss += m.pss;
		sum.swap += m.swap;
	}
	return sum;
}

struct sampler {
	struct run *run;
	uint64_t next_ns;
};

/* A dead worker process counts as ready and finished: nobody is to wait for it. */
static void reap_dead_workers(struct run *run)
{
	int status;
	pid_t pid;

	while (run->cfg->ops->processes && (pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (unsigned i = 0; i < run->cfg->workers; i++)
			if (run->slots[i].pid == pid)
				run_fail(run, -ECHILD, "worker %u was killed by signal %d (%s)", i, WTERMSIG(status),
					 strsignal(WTERMSIG(status)));
		run->ready = run->finished = run->cfg->workers;
	}
}

static void sample(void *ctx)
{
	struct sampler *s = ctx;
	struct run *run = s->run;
	uint64_t now = now_ns(), rss = 0;

	reap_dead_workers(run);
	if (now < s->next_ns)
		return;
	s->next_ns = now + RSS_EVERY_NS;
	rss = rss_of(getpid());
	for (unsigned i = 0; run->cfg->ops->processes && i < run->cfg->workers; i++)
		rss += rss_of(run->slots[i].pid);
	run->rss_now = rss;
	if (!run->start_ns)
		return;
	run->rss_sum += rss;
	run->rss_samples++;
	run->rss_max = MAX(run->rss_max, rss);
}

static int process_worker(struct worker_start *s, pid_t runner)
{
	struct mem mem = {};
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != runner)
		return 1;
	s->mem = &mem;
	err = mem_open(&mem, &s->run->cfg->mem);
	if (err) {
		run_fail(s->run, err, "opening the %s memory of worker %u", mem.ops->name, s->index);
		s->run->ready++;
		s->run->finished++;
		return 1;
	}
	worker_main(s);
	mem_close(&mem);
	return 0;
}

/* Starts worker i; false: it could not be, and the run fails. */
static bool start_worker(struct run *run, struct worker_start *s, pid_t self)
{
	pid_t pid;
	int err;

	if (!run->cfg->ops->processes) {
		err = pthread_create(&s->thread, NULL, worker_thread, s);
		if (err)
			run_fail(run, -err, "starting thread %u", s->index);
		return !err;
	}
	pid = fork();
	if (pid == 0)
		_exit(process_worker(s, self));
	if (pid < 0) {
		run_fail(run, -errno, "starting process %u", s->index);
		return false;
	}
	run->slots[s->index].pid = pid;
	return true;
}

static void measure(struct run *run, const struct mem *mem, unsigned started)
{
	struct sampler sampler = { .run = run };
	bool threads = !run->cfg->ops->processes;
	struct usage before, after;

	wait_for(&run->ready, started, sample, &sampler);
	run->at_ready = memory_of_all(run);
	before = usage_now(false);
	sampler.next_ns = 0;
	if (!run->stop)
		run->start_ns = now_ns() + START_DELAY_NS;
	wait_for(&run->finished, started, sample, &sampler);
	after = usage_now(false);
	run->at_end = memory_of_all(run);
	if (threads) {
		run->minor_faults = after.minor - before.minor;
		run->major_faults = after.major - before.major;
		run->cpu_user_us = after.user_us - before.user_us;
		run->cpu_system_us = after.system_us - before.system_us;
		if (mem->ops->stats)
			run->slots[0].has_stats = !mem->ops->stats(mem->state, run->slots[0].stats);
	}
}

static int runner(void *ctx, const char *dir _unused_)
{
	struct run *run = ctx;
	unsigned workers = run->cfg->workers, started = 0;
	struct worker_start *starts = calloc(workers, sizeof(*starts));
	struct mem mem = {};
	pid_t self = getpid();
	int err = starts ? 0 : -ENOMEM;

	if (!err && !run->cfg->ops->processes)
		err = mem_open(&mem, &run->cfg->mem);
	if (err) {
		run_fail(run, err, "opening the %s memory", mem.ops ? mem.ops->name : "workers'");
		free(starts);
		return 1;
	}
	for (; started < workers; started++) {
		starts[started] = (struct worker_start){ .run = run, .mem = &mem, .index = started };
		if (!start_worker(run, &starts[started], self))
			break;
	}
	measure(run, &mem, started);
	run->release = 1;
	for (unsigned i = 0; i < started; i++) {
		if (!run->cfg->ops->processes)
			pthread_join(starts[i].thread, NULL);
		else
			waitpid(run->slots[i].pid, NULL, 0);
	}
	mem_close(&mem);
	free(starts);
	return 0;
}

/* ---- the caller ---- */

static uint64_t sum_of(const struct run *run, size_t offset)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < run->cfg->workers; i++)
		sum += *(const uint64_t *)(const void *)((const char *)&run->slots[i] + offset);
	return sum;
}
#define SUM(run, member) sum_of(run, offsetof(struct worker_slot, member))

static void collect_latency(const struct run *run, struct workload_result *r)
{
	struct latency *all = calloc(1, sizeof(*all));

	for (unsigned i = 0; all && i < run->cfg->workers; i++)
		latency_merge(all, &run->slots[i].latency);
	if (!all || !all->n) {
		r->mean_ns = r->p50_ns = r->p95_ns = r->p99_ns = r->p999_ns = r->max_ns = WORKLOAD_UNKNOWN;
	} else {
		r->mean_ns = all->sum_ns / all->n;
		r->p50_ns = latency_quantile(all, 0.5);
		r->p95_ns = latency_quantile(all, 0.95);
		r->p99_ns = latency_quantile(all, 0.99);
		r->p999_ns = latency_quantile(all, 0.999);
		r->max_ns = all->max_ns;
	}
	free(all);
}

static void describe_config(const struct workload_config *cfg, struct workload_result *r)
{
	snprintf(r->workload, sizeof(r->workload), "%s", cfg->ops->name);
	snprintf(r->mode, sizeof(r->mode), "%s", mem_ops_of(cfg->mem.kind)->name);
	snprintf(r->unit, sizeof(r->unit), "%s", cfg->ops->unit);
	if (cfg->use_dataset)
		snprintf(r->contents, sizeof(r->contents), "%s", dataset_info(cfg->dataset)->name);
	else
		snprintf(r->contents, sizeof(r->contents), "compressibility %u", cfg->fill_pct);
	r->run = 1;
	r->seed = cfg->seed;
	r->workers = cfg->workers;
	r->region_bytes = cfg->region_bytes;
	r->asked_ops_per_s = cfg->rate > 0 ? cfg->rate : NAN;
	r->score = NAN;
	r->cgroup_limit_bytes = cfg->cgroup_limit_bytes ? cfg->cgroup_limit_bytes : WORKLOAD_UNKNOWN;
}

static void collect(const struct run *run, struct workload_result *r)
{
	const struct workload_config *cfg = run->cfg;
	uint64_t end = run->start_ns, asked = SUM(run, asked_ops);

	describe_config(cfg, r);
	for (unsigned i = 0; i < cfg->workers; i++) {
		end = MAX(end, run->slots[i].end_ns);
		r->ops += run->slots[i].ops;
		r->lag_max_ns = MAX(r->lag_max_ns, run->slots[i].lag_max_ns);
		if (run->slots[i].mismatches && !r->mismatches)
			r->mismatch = run->slots[i].mismatch;
		r->mismatches += run->slots[i].mismatches;
	}
	r->seconds = run->start_ns ? (double)(end - run->start_ns) / (double)NSEC_PER_SEC : 0;
	r->ops_per_s = r->seconds > 0 ? (double)r->ops / r->seconds : NAN;
	r->reached_pct = asked ? 100.0 * (double)r->ops / (double)asked : NAN;
	r->lag_max_ns = cfg->rate > 0 ? r->lag_max_ns : WORKLOAD_UNKNOWN;
	r->cycles = SUM(run, cycles);
	r->touches = SUM(run, touches);
	r->limit_hits = SUM(run, limit_hits);
	r->failed = SUM(run, failed);
	r->verified_bytes = cfg->verify ? SUM(run, verified_bytes) : WORKLOAD_UNKNOWN;
	r->minor_faults = cfg->ops->processes ? SUM(run, minor_faults) : run->minor_faults;
	r->major_faults = cfg->ops->processes ? SUM(run, major_faults) : run->major_faults;
	r->cpu_user_us = cfg->ops->processes ? SUM(run, cpu_user_us) : run->cpu_user_us;
	r->cpu_system_us = cfg->ops->processes ? SUM(run, cpu_system_us) : run->cpu_system_us;
	r->rss_ready_bytes = run->at_ready.rss;
	r->rss_max_bytes = MAX(MAX(run->rss_max, run->at_ready.rss), run->at_end.rss);
	r->rss_mean_bytes = run->rss_samples ? run->rss_sum / run->rss_samples : run->at_end.rss;
	r->rss_end_bytes = run->at_end.rss;
	r->pss_end_bytes = run->at_end.pss;
	r->swap_end_bytes = run->at_end.swap;
	collect_latency(run, r);
}

static json_object *collect_provider(const struct run *run)
{
	const struct mem_ops *ops = mem_ops_of(run->cfg->mem.kind);
	const unsigned char **stats = calloc(run->cfg->workers, sizeof(*stats));
	json_object *obj = NULL;
	size_t n = 0;

	for (unsigned i = 0; stats && i < run->cfg->workers; i++)
		if (run->slots[i].has_stats)
			stats[n++] = run->slots[i].stats;
	if (n && ops->stats_json)
		obj = ops->stats_json(&run->cfg->mem, stats, n);
	free(stats);
	return obj;
}

/* Waits for the end, and brings it about when it is asked to. */
static bool watch(struct run *run, struct guard *g, const struct workload_hooks *hooks)
{
	uint64_t stopped_ns = 0;

	while (!guard_poll(g, HOOKS_MS)) {
		struct workload_progress p = { .rss_bytes = run->rss_now };
		uint64_t now = now_ns();

		for (unsigned i = 0; i < run->cfg->workers; i++)
			p.ops += atomic_load_explicit(&run->slots[i].ops, memory_order_relaxed);
		p.running = run->start_ns && now > run->start_ns;
		p.seconds = p.running ? (double)(now - run->start_ns) / (double)NSEC_PER_SEC : 0;
		if (hooks->progress)
			hooks->progress(hooks->ctx, &p);
		if (!stopped_ns && hooks->stop && hooks->stop(hooks->ctx)) {
			run->stop = 1;
			stopped_ns = now;
		}
		if (stopped_ns && now - stopped_ns > STOP_GRACE_NS) {
			guard_signal(g, SIGKILL);
			stopped_ns = now;
		}
	}
	return stopped_ns != 0;
}

static int explain_end(const struct run *run, const struct guard *g, struct workload_error *e)
{
	int status = guard_status(g);
	char limit[FORMAT_MAX];

	if (run->error) {
		*e = run->error_text;
		return run->error;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && run->cfg->cgroup_limit_bytes)
		snprintf(e->text, sizeof(e->text), "the run was killed, most likely at its --cgroup-limit of %s",
			 format_size(run->cfg->cgroup_limit_bytes, limit));
	else if (WIFSIGNALED(status))
		snprintf(e->text, sizeof(e->text), "the run was killed by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(e->text, sizeof(e->text), "the run ended with code %d", WEXITSTATUS(status));
	return -ECHILD;
}

static struct run *run_new(const struct workload_config *cfg)
{
	size_t bytes = sizeof(struct run) + cfg->workers * sizeof(struct worker_slot);
	struct run *run = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (run == MAP_FAILED)
		return NULL;
	run->cfg = cfg;
	run->bytes = bytes;
	return run;
}

int workload_run(const struct workload_config *cfg, const struct workload_hooks *hooks,
		 struct workload_result *ret, json_object **ret_provider, struct workload_error *ret_error)
{
	struct workload_config split = *cfg;
	struct workload_result result = {};
	struct guard guard;
	struct run *run;
	int err = workload_check(cfg, ret_error);

	if (err)
		return err;
	if (cfg->ops->processes) /* each worker process has an arena of its own */
		split.mem.cap_bytes = cfg->mem.cap_bytes / cfg->workers;
	run = run_new(&split);
	if (!run) {
		snprintf(ret_error->text, sizeof(ret_error->text), "no memory to share with the workers");
		return -ENOMEM;
	}
	err = guard_start(&guard, &(struct guard_job){ .cgroup_limit_bytes = cfg->cgroup_limit_bytes,
						       .body = runner,
						       .ctx = run });
	if (err) {
		snprintf(ret_error->text, sizeof(ret_error->text), "%s",
			 cfg->cgroup_limit_bytes ? "making a memory cgroup for --cgroup-limit" : "starting");
		workload_error_add(ret_error, err);
		munmap(run, run->bytes);
		return err;
	}
	result.interrupted = watch(run, &guard, hooks);
	err = explain_end(run, &guard, ret_error);
	if (!err) {
		collect(run, &result);
		result.cgroup_peak_bytes = WORKLOAD_UNKNOWN;
		if (cfg->cgroup_limit_bytes)
			cgroup_mem_peak(guard_cgroup(&guard), &result.cgroup_peak_bytes);
		*ret_provider = collect_provider(run);
		*ret = result;
	}
	guard_finish(&guard);
	munmap(run, run->bytes);
	return err;
}
