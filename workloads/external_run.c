/* SPDX-License-Identifier: BSD-2-Clause */
/* A tool in a guard: bounded in time, its words filled in, its output kept. */
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "lib/file.h"
#include "workloads/external.h"
#include "workloads/guard.h"

#define OUTPUT	      "output.txt"
#define HOOKS_MS      100
#define STOP_GRACE_NS (10 * NSEC_PER_SEC)
#define NOT_EXECUTED  127
#define MAX_FILLINGS  9

/* ---- words ---- */

struct filling {
	const char *name;
	char value[PATH_MAX];
};

static void fill_number(struct filling *f, const char *name, uint64_t v)
{
	f->name = name;
	snprintf(f->value, sizeof(f->value), "%llu", (unsigned long long)v);
}

static void fill_text(struct filling *f, const char *name, const char *v)
{
	f->name = name;
	snprintf(f->value, sizeof(f->value), "%s", v);
}

/* The word with every placeholder replaced. NULL: no memory. */
static char *fill_word(const char *word, const struct filling *fillings, size_t n)
{
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);

	while (f && *word) {
		size_t i;

		for (i = 0; i < n; i++)
			if (!strncmp(word, fillings[i].name, strlen(fillings[i].name)))
				break;
		if (i < n) {
			fputs(fillings[i].value, f);
			word += strlen(fillings[i].name);
		} else {
			fputc(*word++, f);
		}
	}
	if (f)
		fclose(f);
	return out;
}

/* ---- in the runner ---- */

static int redirect(const char *dir)
{
	char path[PATH_MAX + 32];
	int out, null = open("/dev/null", O_RDONLY);

	snprintf(path, sizeof(path), "%s/" OUTPUT, dir);
	out = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (out < 0 || null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		return -errno;
	return 0;
}

static int runner(void *ctx, const char *dir)
{
	const struct external_run *r = ctx;
	struct filling *f = calloc(MAX_FILLINGS, sizeof(*f));
	char *argv[EXTERNAL_MAX_WORDS + 1] = { NULL };
	size_t n = 0, words = 0;

	if (!f || redirect(dir))
		return NOT_EXECUTED;
	fill_number(&f[n++], "@SECONDS@", r->seconds);
	fill_number(&f[n++], "@WORKERS@", r->workers);
	fill_number(&f[n++], "@SEED@", r->seed);
	fill_number(&f[n++], "@REGION@", r->region_bytes);
	fill_number(&f[n++], "@SHARE@", r->region_bytes / r->workers);
	fill_text(&f[n++], "@DIR@", dir);
	fill_text(&f[n++], "@PROFILES@", r->profiles);
	fill_text(&f[n], "@PATH@", r->program);
	*strrchr(f[n++].value, '/') = '\0';
	fill_text(&f[n++], "@PROFILE@", r->given);
	for (; r->profile->words[words]; words++) {
		argv[words] = fill_word(r->profile->words[words], f, n);
		if (!argv[words])
			return NOT_EXECUTED;
	}
	/* The tool's own program is the one that was found; a helper (sh) is found in PATH. */
	if (!strcmp(argv[0], r->tool->program))
		execv(r->program, argv);
	else
		execvp(argv[0], argv);
	fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
	return NOT_EXECUTED;
}

/* ---- in the caller ---- */

static void watch(const struct external_run *run, struct guard *g, const struct workload_hooks *hooks,
		  struct external_result *ret)
{
	uint64_t start = now_ns(), stopped = 0;

	while (!guard_poll(g, HOOKS_MS)) {
		uint64_t now = now_ns();
		struct workload_progress p = { .running = true,
					       .seconds = (double)(now - start) / (double)NSEC_PER_SEC };

		if (hooks->progress)
			hooks->progress(hooks->ctx, &p);
		if (!stopped && hooks->stop && hooks->stop(hooks->ctx)) {
			ret->interrupted = true;
			stopped = now;
			guard_signal(g, SIGINT);
		}
		if (!stopped && p.seconds > (double)run->timeout_s) {
			ret->timed_out = true;
			stopped = now;
			guard_signal(g, SIGTERM);
		}
		if (stopped && now - stopped > STOP_GRACE_NS) {
			guard_signal(g, SIGKILL);
			stopped = now;
		}
	}
	ret->seconds = (double)(now_ns() - start) / (double)NSEC_PER_SEC;
}

static void complete_rows(const struct external_run *run, struct external_result *r)
{
	const struct rusage *u = &r->usage;

	for (size_t i = 0; i < r->n_rows; i++) {
		struct workload_result *row = &r->rows[i];
		char part[sizeof(row->workload)];

		snprintf(part, sizeof(part), "%s", row->workload);
		snprintf(row->workload, sizeof(row->workload), "%.16s/%.20s%s%.24s", run->tool->name, run->given,
			 *part ? ":" : "", part);
		snprintf(row->mode, sizeof(row->mode), "external");
		row->run = 1;
		row->interrupted = r->interrupted;
		if (external_uses(run->profile, "@WORKERS@"))
			row->workers = run->workers;
		if (external_uses(run->profile, "@SEED@"))
			row->seed = run->seed;
		if (run->region_bytes)
			row->region_bytes = run->region_bytes;
		if (!isfinite(row->seconds))
			row->seconds = r->seconds;
		row->cgroup_limit_bytes = run->cgroup_limit_bytes ? run->cgroup_limit_bytes : WORKLOAD_UNKNOWN;
		row->cgroup_peak_bytes = r->cgroup_peak_bytes;
		if (r->n_rows > 1)
			continue; /* the whole tool's figures are no part's */
		if (row->cpu_user_us == WORKLOAD_UNKNOWN) {
			row->cpu_user_us = (uint64_t)u->ru_utime.tv_sec * 1000000 + (uint64_t)u->ru_utime.tv_usec;
			row->cpu_system_us = (uint64_t)u->ru_stime.tv_sec * 1000000 + (uint64_t)u->ru_stime.tv_usec;
		}
		if (row->minor_faults == WORKLOAD_UNKNOWN) {
			row->minor_faults = (uint64_t)u->ru_minflt;
			row->major_faults = (uint64_t)u->ru_majflt;
		}
		if (row->rss_max_bytes == WORKLOAD_UNKNOWN)
			row->rss_max_bytes = (uint64_t)u->ru_maxrss * KiB;
	}
}

static void unknown_row(struct workload_result *r)
{
	*r = (struct workload_result){ .asked_ops_per_s = NAN, .ops_per_s = NAN, .reached_pct = NAN, .seconds = NAN,
				       .score = NAN };
	r->seed = r->workers = r->region_bytes = r->ops = r->cycles = r->touches = WORKLOAD_UNKNOWN;
	r->mean_ns = r->p50_ns = r->p95_ns = r->p99_ns = r->p999_ns = r->max_ns = WORKLOAD_UNKNOWN;
	r->lag_max_ns = r->minor_faults = r->major_faults = r->cpu_user_us = r->cpu_system_us = WORKLOAD_UNKNOWN;
	r->rss_ready_bytes = r->rss_mean_bytes = r->rss_max_bytes = r->rss_end_bytes = WORKLOAD_UNKNOWN;
	r->pss_end_bytes = r->swap_end_bytes = r->verified_bytes = r->mismatches = WORKLOAD_UNKNOWN;
	r->limit_hits = r->failed = r->cgroup_limit_bytes = r->cgroup_peak_bytes = WORKLOAD_UNKNOWN;
}

/* Also what an interrupted tool wrote; only of a good end it must make sense. */
static int read_result(const struct external_run *run, const char *dir, struct external_result *r)
{
	_cleanup_free_ char *text = NULL;
	int n = -EBADMSG;

	file_read_all(dir, OUTPUT, &r->output);
	r->rows = calloc(EXTERNAL_MAX_ROWS, sizeof(*r->rows));
	if (!r->rows)
		return -ENOMEM;
	for (size_t i = 0; i < EXTERNAL_MAX_ROWS; i++)
		unknown_row(&r->rows[i]);
	if (!run->tool->result)
		n = r->output ? run->tool->parse(r->output, r->rows, EXTERNAL_MAX_ROWS) : -EBADMSG;
	else if (!file_read_all(dir, run->tool->result, &text))
		n = run->tool->parse(text, r->rows, EXTERNAL_MAX_ROWS);
	if (n > 0)
		r->n_rows = (size_t)n;
	return n > 0 ? 0 : -EBADMSG;
}

int external_run(const struct external_run *run, const struct workload_hooks *hooks, struct external_result *ret,
		 struct workload_error *ret_error)
{
	struct guard_job job = { .cgroup_limit_bytes = run->cgroup_limit_bytes,
				 .want_dir = true,
				 .body = runner,
				 .ctx = (void *)run };
	struct guard guard;
	int err = 0;

	*ret = (struct external_result){ .cgroup_peak_bytes = WORKLOAD_UNKNOWN };
	if (run->profile->memory)
		err = limits_check(run->region_bytes, run->region_bytes, run->cgroup_limit_bytes, ret_error);
	if (err)
		return err;
	err = guard_start(&guard, &job);
	if (err) {
		snprintf(ret_error->text, sizeof(ret_error->text), "%s",
			 run->cgroup_limit_bytes ? "making a memory cgroup for --cgroup-limit" : "starting");
		workload_error_add(ret_error, err);
		return err;
	}
	watch(run, &guard, hooks, ret);
	ret->status = guard_status(&guard);
	ret->usage = *guard_usage(&guard);
	if (run->cgroup_limit_bytes)
		cgroup_mem_peak(guard_cgroup(&guard), &ret->cgroup_peak_bytes);
	err = read_result(run, guard_dir(&guard), ret);
	guard_finish(&guard);
	complete_rows(run, ret);
	if (err && (ret->status || ret->interrupted || ret->timed_out))
		err = 0; /* why it failed is the better message */
	if (err)
		snprintf(ret_error->text, sizeof(ret_error->text), "%s ended well, but its result was not understood",
			 run->tool->name);
	return err;
}

void external_result_release(struct external_result *r)
{
	free(r->rows);
	free(r->output);
	*r = (struct external_result){};
}
