/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/zram_maintain.h"

#include <inttypes.h>
#include <string.h>

#include "lib/file.h"

#define CHUNK_PAGES 1024 /* some 10 ms of zstd; each write also looks through the whole table */

const char *zram_part_name(enum zram_part part)
{
	static const char *const names[] = { "mark_idle", "recompress", "writeback", "compact" };

	return names[part];
}

const char *zram_part_state_name(enum zram_part_state state)
{
	static const char *const names[] = { "done", "skipped", "lacking", "budget", "failed" };

	return names[state];
}

static const char *which_word(enum zram_which which)
{
	static const char *const words[] = { "idle", "huge", "huge_idle" };

	return words[which];
}

struct round {
	unsigned id;
	const struct zram_maintain_request *req;
	const struct zram_maintain_ops *ops;
	void *ctx;
	struct zram_maintain_result *r;
	uint64_t start_cpu;
	bool idle_known; /* marks tell what is idle */
	bool by_age;	 /* and were made by times of access */
};

static void set(struct round *rd, enum zram_part part, enum zram_part_state state, const char *why)
{
	rd->r->part[part].state = state;
	rd->r->part[part].why = why;
}

static int put(struct round *rd, enum zram_part part, const char *attr, const char *text)
{
	uint64_t before = rd->ops->cpu_ns(rd->ctx);
	int err = rd->ops->write(rd->ctx, rd->id, attr, text);

	rd->r->part[part].cpu_ns += rd->ops->cpu_ns(rd->ctx) - before;
	rd->r->part[part].calls++;
	return err;
}

static bool budget_left(const struct round *rd)
{
	return rd->ops->cpu_ns(rd->ctx) - rd->start_cpu < rd->req->cpu_budget_ns && !rd->ops->stop(rd->ctx);
}

static void fail(struct round *rd, enum zram_part part, int err)
{
	set(rd, part, ZRAM_FAILED, NULL);
	rd->r->part[part].err = err;
}

/* By the kernel's times of access; -EINVAL where it has none. */
static int mark_by_age(struct round *rd)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, rd->req->idle_seconds);
	return put(rd, ZRAM_PART_MARK, "idle", text);
}

static void mark_before(struct round *rd)
{
	if (!(rd->r->before.has & ZRAM_HAS_IDLE)) {
		set(rd, ZRAM_PART_MARK, ZRAM_LACKING, "no file 'idle': CONFIG_ZRAM_WRITEBACK or CONFIG_ZRAM_MULTI_COMP is off");
		return;
	}
	if (rd->req->idle_seconds && !mark_by_age(rd)) {
		set(rd, ZRAM_PART_MARK, ZRAM_DONE, NULL);
		rd->idle_known = rd->by_age = true;
		return;
	}
	rd->idle_known = !rd->req->first;
}

/* For the next round; what is still marked then has not been touched meanwhile. */
static void mark_after(struct round *rd)
{
	int err;

	if (rd->r->part[ZRAM_PART_MARK].state != ZRAM_SKIPPED)
		return;
	err = put(rd, ZRAM_PART_MARK, "idle", "all");
	if (err)
		fail(rd, ZRAM_PART_MARK, err);
	else
		set(rd, ZRAM_PART_MARK, ZRAM_DONE, rd->req->idle_seconds ?
			    "this kernel has no times of access: marked for the next round" : "marked for the next round");
}

static bool needs_idle(enum zram_which which)
{
	return which != ZRAM_WHICH_HUGE;
}

/* Has it changed anything since then? */
static bool same_mm(const struct zram_mm *a, const struct zram_mm *b)
{
	return a->compr == b->compr && a->mem_used == b->mem_used && a->huge_pages == b->huge_pages;
}

static void recompress(struct round *rd)
{
	const struct zram_maintain_request *q = rd->req;
	struct zram_device last = rd->r->before, now;
	uint64_t most = rd->r->before.mm.orig / 4096 / CHUNK_PAGES + 2;
	bool small = true;
	unsigned idle_calls = 0;
	char text[128];

	if (!(last.has & ZRAM_HAS_RECOMPRESS))
		return set(rd, ZRAM_PART_RECOMPRESS, ZRAM_LACKING, "no file 'recompress': CONFIG_ZRAM_MULTI_COMP is off, or before Linux 6.2");
	if (!last.recomp[1].n || !zram_algo(&last.recomp[1])[0])
		return set(rd, ZRAM_PART_RECOMPRESS, ZRAM_LACKING, "no second algorithm was set: pool setup --recompress");
	if (!q->want_recompress)
		return set(rd, ZRAM_PART_RECOMPRESS, ZRAM_SKIPPED, "not asked for");
	if (needs_idle(q->recompress) && !rd->idle_known)
		return set(rd, ZRAM_PART_RECOMPRESS, ZRAM_SKIPPED, "what is idle is known only from the next round on");
	set(rd, ZRAM_PART_RECOMPRESS, ZRAM_DONE, NULL);
	while (most--) {
		int n = snprintf(text, sizeof(text), "type=%s", which_word(q->recompress)), err;

		if (!budget_left(rd))
			return set(rd, ZRAM_PART_RECOMPRESS, ZRAM_BUDGET, "stopped: the CPU budget is spent, or interrupted");
		if (q->threshold_bytes)
			n += snprintf(text + n, sizeof(text) - (size_t)n, " threshold=%" PRIu64, q->threshold_bytes);
		if (small)
			snprintf(text + n, sizeof(text) - (size_t)n, " max_pages=%d", CHUNK_PAGES);
		err = put(rd, ZRAM_PART_RECOMPRESS, "recompress", text);
		if (err == -EINVAL && small && rd->r->part[ZRAM_PART_RECOMPRESS].calls == 1) {
			/* Before 6.12 there is no max_pages: all of it in one write, whatever the budget. */
			small = false;
			continue;
		}
		if (err)
			return fail(rd, ZRAM_PART_RECOMPRESS, err);
		if (!small || rd->ops->read(rd->ctx, rd->id, &now))
			return;
		/* Two writes without an effect: there is nothing left that shrinks. */
		idle_calls = same_mm(&last.mm, &now.mm) ? idle_calls + 1 : 0;
		if (idle_calls == 2)
			return;
		last.mm = now.mm;
	}
}

static void writeback(struct round *rd)
{
	const struct zram_maintain_request *q = rd->req;
	char text[32];
	int err;

	if (!(rd->r->before.has & ZRAM_HAS_WRITEBACK))
		return set(rd, ZRAM_PART_WRITEBACK, ZRAM_LACKING, "no file 'writeback': CONFIG_ZRAM_WRITEBACK is off");
	if (!rd->r->before.backing[0])
		return set(rd, ZRAM_PART_WRITEBACK, ZRAM_LACKING, "no backing device was set: pool setup --backing");
	if (!q->want_writeback)
		return set(rd, ZRAM_PART_WRITEBACK, ZRAM_SKIPPED, "not asked for");
	if (!q->write_budget_bytes)
		return set(rd, ZRAM_PART_WRITEBACK, ZRAM_SKIPPED, "the write budget is 0");
	if (needs_idle(q->writeback) && !rd->idle_known)
		return set(rd, ZRAM_PART_WRITEBACK, ZRAM_SKIPPED, "what is idle is known only from the next round on");
	/*
	 * Recompression has taken the marks of the pages that it tried, and those that did not shrink are just
	 * what is to go. Without times of access they are marked again for the next round.
	 */
	if (needs_idle(q->writeback) && rd->by_age && mark_by_age(rd))
		return set(rd, ZRAM_PART_WRITEBACK, ZRAM_SKIPPED, "the idle pages could not be marked again");
	/* The limit is in units of 4 KiB; the kernel counts it down and stops at 0 with EIO. */
	snprintf(text, sizeof(text), "%" PRIu64, q->write_budget_bytes / 4096);
	err = put(rd, ZRAM_PART_WRITEBACK, "writeback_limit", text);
	if (!err)
		err = put(rd, ZRAM_PART_WRITEBACK, "writeback_limit_enable", "1");
	if (err)
		return fail(rd, ZRAM_PART_WRITEBACK, err);
	err = put(rd, ZRAM_PART_WRITEBACK, "writeback", which_word(q->writeback));
	if (err == -EIO)
		return set(rd, ZRAM_PART_WRITEBACK, ZRAM_BUDGET, "stopped at the write budget (or the backing device failed)");
	if (err)
		return fail(rd, ZRAM_PART_WRITEBACK, err);
	set(rd, ZRAM_PART_WRITEBACK, ZRAM_DONE, NULL);
}

static void compact(struct round *rd)
{
	int err;

	if (!rd->req->want_compact)
		return set(rd, ZRAM_PART_COMPACT, ZRAM_SKIPPED, "not asked for");
	if (!(rd->r->before.has & ZRAM_HAS_COMPACT))
		return set(rd, ZRAM_PART_COMPACT, ZRAM_LACKING, "no file 'compact'");
	if (!budget_left(rd))
		return set(rd, ZRAM_PART_COMPACT, ZRAM_SKIPPED, "the CPU budget is spent, or interrupted");
	err = put(rd, ZRAM_PART_COMPACT, "compact", "1");
	if (err)
		return fail(rd, ZRAM_PART_COMPACT, err);
	set(rd, ZRAM_PART_COMPACT, ZRAM_DONE, NULL);
}

int zram_maintain(unsigned id, const struct zram_maintain_request *req, const struct zram_maintain_ops *ops, void *ctx,
		  struct zram_maintain_result *ret)
{
	struct zram_maintain_result r = {};
	struct round rd = { .id = id, .req = req, .ops = ops, .ctx = ctx, .r = &r, .start_cpu = ops->cpu_ns(ctx) };

	for (size_t i = 0; i < ZRAM_PARTS; i++)
		r.part[i].state = ZRAM_SKIPPED;
	if (ops->read(ctx, id, &r.before) || !r.before.initialised)
		return -ENODEV;
	mark_before(&rd);
	recompress(&rd);
	writeback(&rd);
	compact(&rd);
	mark_after(&rd);
	if (ops->read(ctx, id, &r.after))
		r.after = r.before;
	r.cpu_ns = ops->cpu_ns(ctx) - rd.start_cpu;
	*ret = r;
	return 0;
}

/* ---- the kernel's ---- */

static int kernel_write(void *ctx _unused_, unsigned id, const char *attr, const char *text)
{
	char dir[64];

	snprintf(dir, sizeof(dir), "/sys/block/zram%u", id);
	return file_write_at(dir, attr, text);
}

static int kernel_read(void *ctx _unused_, unsigned id, struct zram_device *ret)
{
	return zram_read(id, ret);
}

static uint64_t kernel_cpu(void *ctx _unused_)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static bool kernel_stop(void *ctx)
{
	bool (*const *stop)(void) = ctx;

	return stop && (*stop)();
}

const struct zram_maintain_ops zram_maintain_kernel_ops = { kernel_write, kernel_read, kernel_cpu, kernel_stop };
