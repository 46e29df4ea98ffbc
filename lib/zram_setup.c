/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device through a setup, and back:
 *
 *	                 algo, params, recomp, backing      disksize       limit, header, swapon
 *	  unconfigured ---------------------------------> initialised ----------------------> in use
 *	       ^                                               |                                 |
 *	       +------------------ reset ----------------------+------------- swapoff -----------+
 *
 * Left of disksize another program may take the device at any time: disksize fails with EBUSY then, and
 * going back must not reset what is theirs. Right of it the device is ours. Only reset takes back
 * params, recomp and backing, and some kernels ignore it on a device that is not initialised.
 */
#include "lib/zram_setup.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "lib/parse.h"

/* ---- the plan ---- */

static int refuse(char *why, int err, const char *fmt, ...) _printf_(3, 4);
static int refuse(char *why, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, ZRAM_WHY_MAX, fmt, ap);
	va_end(ap);
	return err;
}

static void warn(struct zram_plan *plan, const char *fmt, ...) _printf_(2, 3);
static void warn(struct zram_plan *plan, const char *fmt, ...)
{
	va_list ap;

	if (plan->n_warnings == ZRAM_MAX_WARNINGS)
		return;
	va_start(ap, fmt);
	vsnprintf(plan->warning[plan->n_warnings++], ZRAM_WHY_MAX, fmt, ap);
	va_end(ap);
}

static void list_algos(const struct zram_algos *a, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < a->n && used < size; i++)
		used += (size_t)snprintf(buf + used, size - used, "%s%s", i ? ", " : "", a->name[i]);
}

int zram_check_swapoff(const struct zram_facts *facts, const char *name, char why[ZRAM_WHY_MAX])
{
	const struct swap_area *area = swaps_find(facts->swaps, facts->n_swaps, name);
	char used[FORMAT_MAX], have[FORMAT_MAX], missing[FORMAT_MAX];

	if (!area || area->used_bytes <= facts->mem_available)
		return 0;
	return refuse(why, -ENOMEM,
		      "%s holds %s of swapped pages and only %s of memory is available: %s are missing; end programs "
		      "or add swap first",
		      name, format_size(area->used_bytes, used), format_size(facts->mem_available, have),
		      format_size(area->used_bytes - facts->mem_available, missing));
}

static int check_device(const struct zram_request *req, const struct zram_device *d, const struct zram_facts *facts,
			struct zram_plan *plan, char *why)
{
	const struct swap_area *area = swaps_find(facts->swaps, facts->n_swaps, d->name);
	struct zram_before *b = &plan->before;
	char size[FORMAT_MAX];

	b->id = d->id;
	snprintf(b->algo, sizeof(b->algo), "%s", zram_algo(&d->algos));
	b->mem_limit = d->have_mm ? d->mm.mem_limit : 0;
	if (!d->initialised)
		return 0;
	plan->reset_first = true;
	b->disksize = d->disksize;
	snprintf(b->backing, sizeof(b->backing), "%s", d->backing);
	for (size_t i = 1; i < ZRAM_PRIORITIES; i++)
		snprintf(b->recomp[i], sizeof(b->recomp[i]), "%s", zram_algo(&d->recomp[i]));
	if (area) {
		b->swap = true;
		b->priority = area->priority;
	}
	if (!req->force)
		return refuse(why, -EBUSY,
			      "%s is in use (%s%s): take another device, 'memscope pool reset --device %s' if it is a "
			      "pool of memscope's, or --force to throw away what is on it",
			      d->name, format_size(d->disksize, size), area ? ", swapped to" : "", d->name);
	return zram_check_swapoff(facts, d->name, why);
}

/* Names go into files of the kernel that take "key=value" words. */
static bool is_word(const char *s)
{
	return *s && !s[strcspn(s, " \t\n=")];
}

static int check_algos(const struct zram_request *req, const struct zram_device *d, char *why)
{
	char list[256];

	list_algos(&d->algos, list, sizeof(list));
	if (req->algo && !zram_offers(&d->algos, req->algo))
		return refuse(why, -EOPNOTSUPP,
			      "%s does not offer the algorithm '%s': it has %s; others need CONFIG_ZRAM_BACKEND_… in the "
			      "kernel",
			      d->name, req->algo, list);
	for (size_t i = 1; i < ZRAM_PRIORITIES; i++) {
		if (!req->recomp[i])
			continue;
		if (!(d->has & ZRAM_HAS_RECOMPRESS))
			return refuse(why, -EOPNOTSUPP,
				      "this kernel cannot recompress (no %s/recomp_algorithm): leave --recompress out, or "
				      "use a kernel with CONFIG_ZRAM_MULTI_COMP=y, 6.2 or later",
				      d->name);
		if (!zram_offers(&d->algos, req->recomp[i]))
			return refuse(why, -EOPNOTSUPP, "%s does not offer the algorithm '%s' for recompression: it has %s",
				      d->name, req->recomp[i], list);
	}
	if (req->params && !(d->has & ZRAM_HAS_PARAMS))
		return refuse(why, -EOPNOTSUPP, "this kernel has no parameters of algorithms (no %s/algorithm_params): "
						"leave --params out, or use Linux 6.12 or later", d->name);
	if (req->backing && !(d->has & ZRAM_HAS_WRITEBACK))
		return refuse(why, -EOPNOTSUPP, "this kernel cannot write back (no %s/backing_dev): leave --backing out, or "
						"use a kernel with CONFIG_ZRAM_WRITEBACK=y", d->name);
	return 0;
}

static int check_sizes(const struct zram_request *req, const struct zram_facts *facts, char *why)
{
	uint64_t table = req->size / facts->page_size * ZRAM_ENTRY_BYTES;
	char size[FORMAT_MAX], total[FORMAT_MAX], need[FORMAT_MAX], have[FORMAT_MAX];

	format_size(req->size, size);
	format_size(facts->mem_total, total);
	if (req->size < 16 * facts->page_size)
		return refuse(why, -EINVAL, "a size of %s is too small: a swap area has at least %s", size,
			      format_size(16 * facts->page_size, need));
	if (req->mem_limit && req->mem_limit < facts->page_size)
		return refuse(why, -EINVAL, "a memory limit of %" PRIu64 " bytes is less than a page: nothing could be "
					    "stored; leave --mem-limit out for no limit", req->mem_limit);
	if (table > facts->mem_available / 2)
		return refuse(why, -ENOMEM, "the kernel's table for a device of %s takes %s, and %s are available: "
					    "ask for a smaller --size",
			      size, format_size(table, need), format_size(facts->mem_available, have));
	if (req->size > facts->mem_total && !req->mem_limit && !req->force)
		return refuse(why, -EINVAL, "%s is more than the memory of this machine (%s), and pages that do not "
					    "compress could fill all of it: give --mem-limit, or --force",
			      size, total);
	return 0;
}

static void add_warnings(struct zram_plan *plan, const struct zram_facts *facts)
{
	const struct zram_request *req = &plan->req;

	if (req->mem_limit >= req->size)
		warn(plan, "the memory limit is not below the size: it will hardly ever be reached");
	if (!req->swap)
		return;
	if (facts->zswap)
		warn(plan, "zswap is on and stands before all swap: pages are compressed twice; "
			   "'echo N > /sys/module/zswap/parameters/enabled' turns it off");
	for (size_t i = 0; i < facts->n_swaps; i++) {
		const struct swap_area *a = &facts->swaps[i];
		unsigned id;
		bool zram = !zram_parse_name(a->path, &id);

		if (zram && (plan->before.hot_added || id != plan->before.id))
			warn(plan, "%s is another zram swap area (priority %d): the two share what is swapped%s", a->path,
			     a->priority, a->priority == req->priority ? " evenly" : ", the higher priority first");
		else if (!zram && req->priority >= 0 && a->priority >= req->priority)
			warn(plan, "%s has priority %d and is filled before this pool%s: give a higher --priority", a->path,
			     a->priority, a->priority == req->priority ? " or together with it" : "");
	}
}

int zram_plan_make(const struct zram_request *req, const struct zram_device *device, const struct zram_facts *facts,
		   struct zram_plan *ret, char why[ZRAM_WHY_MAX])
{
	struct zram_plan plan = { .req = *req };
	int err = 0;

	if (req->algo && !is_word(req->algo))
		return refuse(why, -EINVAL, "'%s' is no name of an algorithm", req->algo);
	for (size_t i = 1; i < ZRAM_PRIORITIES; i++)
		if (req->recomp[i] && !is_word(req->recomp[i]))
			return refuse(why, -EINVAL, "'%s' is no name of an algorithm", req->recomp[i]);
	if (device)
		err = check_device(req, device, facts, &plan, why);
	else
		plan.before.hot_added = true;
	if (!err)
		err = check_sizes(req, facts, why);
	if (!err && device)
		err = check_algos(req, device, why);
	/* A device that is yet to be added offers what its sisters do. */
	else if (!err && facts->n_devices)
		err = check_algos(req, &facts->devices[0], why);
	if (err)
		return err;
	plan.before.set_disksize = ROUND_UP(req->size, facts->page_size);
	plan.req.size = plan.before.set_disksize;
	add_warnings(&plan, facts);
	*ret = plan;
	return 0;
}

/* ---- steps ---- */

static const struct {
	const char *key, *name;
} steps[] = {
	[ZRAM_STEP_HOT_ADD] = { "hot_add", "adding a device" },
	[ZRAM_STEP_RECORD] = { "record", "writing the undo record below " ZRAM_STATE_DIR },
	[ZRAM_STEP_SWAPOFF_OLD] = { "swapoff_old", "swapping off what was there" },
	[ZRAM_STEP_RESET_OLD] = { "reset_old", "resetting what was there" },
	[ZRAM_STEP_CLAIM] = { "claim", "opening the device exclusively" },
	[ZRAM_STEP_ALGO] = { "algo", "setting the algorithm" },
	[ZRAM_STEP_PARAMS] = { "params", "setting the algorithm's parameters" },
	[ZRAM_STEP_RECOMP] = { "recompress", "setting the algorithms for recompression" },
	[ZRAM_STEP_BACKING] = { "backing", "setting the backing device" },
	[ZRAM_STEP_DISKSIZE] = { "disksize", "setting the size" },
	[ZRAM_STEP_LIMIT] = { "mem_limit", "setting the memory limit" },
	[ZRAM_STEP_HEADER] = { "header", "writing the swap header" },
	[ZRAM_STEP_RELEASE] = { "release", "closing the device" },
	[ZRAM_STEP_SWAPON] = { "swapon", "swapping on" },
};
_Static_assert(ARRAY_SIZE(steps) == ZRAM_STEP_COUNT, "a name for each step");

const char *zram_step_name(enum zram_step step)
{
	return steps[step].name;
}

const char *zram_step_key(enum zram_step step)
{
	return steps[step].key;
}

struct session {
	const struct zram_ops *ops;
	void *ctx;
	unsigned id;
};

static int put(const struct session *s, const char *attr, const char *text)
{
	return s->ops->write(s->ctx, s->id, attr, text);
}

static int put_u64(const struct session *s, const char *attr, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, v);
	return put(s, attr, text);
}

static int put_recomp(const struct session *s, size_t priority, const char *algo)
{
	char text[ZRAM_ALGO_MAX + 32];

	snprintf(text, sizeof(text), "algo=%s priority=%zu", algo, priority);
	return put(s, "recomp_algorithm", text);
}

static int step_hot_add(struct zram_plan *plan, struct session *s)
{
	struct zram_device d;
	int err;

	if (!plan->before.hot_added)
		return 0;
	err = s->ops->hot_add(s->ctx, &s->id);
	if (err)
		return err;
	plan->before.id = s->id;
	err = s->ops->read(s->ctx, s->id, &d);
	if (!err)
		snprintf(plan->before.algo, sizeof(plan->before.algo), "%s", zram_algo(&d.algos));
	else
		s->ops->hot_remove(s->ctx, s->id);
	return err;
}

static int step_recomp(const struct zram_plan *plan, const struct session *s)
{
	int err = 0;

	for (size_t i = 1; i < ZRAM_PRIORITIES && !err; i++)
		if (plan->req.recomp[i])
			err = put_recomp(s, i, plan->req.recomp[i]);
	return err;
}

static int step_params(const struct zram_plan *plan, const struct session *s)
{
	char text[256];

	if (!plan->req.params)
		return 0;
	if ((size_t)snprintf(text, sizeof(text), "algo=%s %s", plan->req.algo ? plan->req.algo : plan->before.algo,
			     plan->req.params) >= sizeof(text))
		return -EINVAL;
	return put(s, "algorithm_params", text);
}

static int do_step(enum zram_step step, struct zram_plan *plan, struct session *s)
{
	const struct zram_request *r = &plan->req;

	switch (step) {
	case ZRAM_STEP_HOT_ADD:
		return step_hot_add(plan, s);
	case ZRAM_STEP_RECORD:
		return s->ops->record(s->ctx, &plan->before);
	case ZRAM_STEP_SWAPOFF_OLD:
		return plan->before.swap ? s->ops->swap_off(s->ctx, s->id) : 0;
	case ZRAM_STEP_RESET_OLD:
		return plan->reset_first ? put(s, "reset", "1") : 0;
	case ZRAM_STEP_CLAIM:
		return s->ops->claim(s->ctx, s->id);
	case ZRAM_STEP_ALGO:
		return r->algo ? put(s, "comp_algorithm", r->algo) : 0;
	case ZRAM_STEP_PARAMS:
		return step_params(plan, s);
	case ZRAM_STEP_RECOMP:
		return step_recomp(plan, s);
	case ZRAM_STEP_BACKING:
		return r->backing ? put(s, "backing_dev", r->backing) : 0;
	case ZRAM_STEP_DISKSIZE:
		return put_u64(s, "disksize", r->size);
	case ZRAM_STEP_LIMIT:
		/* Always: one that was set on an unused device is not what was asked for. */
		return r->mem_limit || plan->before.mem_limit ? put_u64(s, "mem_limit", r->mem_limit) : 0;
	case ZRAM_STEP_HEADER:
		return r->swap ? s->ops->write_header(s->ctx, s->id, r->size, plan->uuid, "memscope") : 0;
	case ZRAM_STEP_RELEASE:
		s->ops->release(s->ctx, s->id);
		return 0;
	case ZRAM_STEP_SWAPON:
		return r->swap ? s->ops->swap_on(s->ctx, s->id, r->priority) : 0;
	case ZRAM_STEP_COUNT:
		break;
	}
	return -EINVAL;
}

/* ---- going back ---- */

/* What of before is to be put right. */
struct undo {
	bool swap_off;	/* we swapped on */
	bool reset;	/* it is initialised, by us */
	bool reset_raw; /* params, recomp or backing are set and it is not initialised */
	bool old;	/* the old device was reset: make it again */
	bool old_swap;	/* the old device was only swapped off */
};

static int undo_reset(const struct session *s, const struct undo *u)
{
	int err;

	if (u->reset)
		return put(s, "reset", "1");
	if (!u->reset_raw)
		return 0;
	/* Reset works everywhere once there is a size. EBUSY: someone else has given it one meanwhile. */
	err = put_u64(s, "disksize", MiB);
	return err ? err : put(s, "reset", "1");
}

/* The device that --force took away: its settings and swap area, though not what a raw one held. */
static int undo_remake(const struct session *s, const struct zram_before *b)
{
	int err = 0;

	for (size_t i = 1; i < ZRAM_PRIORITIES && !err; i++)
		if (b->recomp[i][0])
			err = put_recomp(s, i, b->recomp[i]);
	if (!err && b->backing[0])
		err = put(s, "backing_dev", b->backing);
	if (!err)
		err = put_u64(s, "disksize", b->disksize);
	if (!err && b->mem_limit)
		err = put_u64(s, "mem_limit", b->mem_limit);
	if (!err && (b->header || b->swap))
		err = s->ops->write_header(s->ctx, s->id, b->disksize, b->uuid, b->label);
	if (!err && b->swap)
		err = s->ops->swap_on(s->ctx, s->id, b->priority);
	return err;
}

static int undo_settings(const struct session *s, const struct zram_before *b, const struct undo *u)
{
	struct zram_device now;
	int err = s->ops->read(s->ctx, s->id, &now);

	if (err)
		return err;
	/* Another program has taken it before we could: nothing of it is ours to change. */
	if (now.initialised)
		return u->reset || u->old ? -EBUSY : 0;
	if (b->algo[0] && strcmp(zram_algo(&now.algos), b->algo))
		err = put(s, "comp_algorithm", b->algo);
	if (!err && !b->disksize && now.have_mm && now.mm.mem_limit != b->mem_limit)
		err = put_u64(s, "mem_limit", b->mem_limit);
	if (!err && u->old)
		err = undo_remake(s, b);
	return err;
}

static int undo(const struct session *s, const struct zram_before *b, const struct undo *u, const char **ret_what)
{
	int err = 0;

	s->ops->release(s->ctx, s->id);
	if (u->swap_off) {
		err = s->ops->swap_off(s->ctx, s->id);
		if (err) {
			*ret_what = "swapping off";
			return err;
		}
	}
	err = undo_reset(s, u);
	if (err) {
		*ret_what = "resetting the device";
		return err;
	}
	if (b->hot_added) {
		err = s->ops->hot_remove(s->ctx, s->id);
		*ret_what = "removing the device";
	} else if (u->old_swap) {
		err = s->ops->swap_on(s->ctx, s->id, b->priority);
		*ret_what = "swapping on what was there";
	} else {
		err = undo_settings(s, b, u);
		*ret_what = "setting the device as it was";
	}
	if (!err) {
		err = s->ops->forget(s->ctx, s->id);
		*ret_what = "removing the undo record";
	}
	return err;
}

int zram_restore(const struct zram_before *before, const struct zram_ops *ops, void *ctx, bool is_swap,
		 const char **ret_what)
{
	struct session s = { ops, ctx, before->id };
	struct zram_device now;
	int err = ops->read(ctx, before->id, &now);

	*ret_what = "reading the device";
	/* An added device that has gone is as it was. */
	if (err == -ENOENT && before->hot_added)
		return ops->forget(ctx, before->id);
	if (err)
		return err;
	return undo(&s, before,
		    &(struct undo){
			    .swap_off = is_swap,
			    .reset = now.initialised,
			    .reset_raw = !now.initialised,
			    .old = before->disksize != 0,
		    },
		    ret_what);
}

static void roll_back(const struct zram_plan *plan, const struct session *s, enum zram_step failed,
		      struct zram_fault *fault)
{
	const struct zram_request *r = &plan->req;
	struct undo u = { .reset = failed > ZRAM_STEP_DISKSIZE };

	/* An addition that failed has left nothing, and the next step is the first with a record. */
	if (failed == ZRAM_STEP_HOT_ADD)
		return;
	/* A step that failed may have been done in part: several algorithms, a record without its name. */
	u.reset_raw = !u.reset && ((r->params && failed > ZRAM_STEP_PARAMS) || (r->recomp[1] && failed >= ZRAM_STEP_RECOMP) ||
				   (r->backing && failed > ZRAM_STEP_BACKING));
	u.old = plan->reset_first && failed > ZRAM_STEP_RESET_OLD;
	u.old_swap = plan->before.swap && failed == ZRAM_STEP_RESET_OLD;
	if (plan->reset_first && failed <= ZRAM_STEP_RESET_OLD && !u.old_swap) {
		fault->rollback_err = s->ops->forget(s->ctx, s->id);
		fault->rollback_what = "removing the undo record";
	} else {
		fault->rollback_err = undo(s, &plan->before, &u, &fault->rollback_what);
	}
	if (!fault->rollback_err)
		fault->rollback_what = NULL;
}

int zram_apply(struct zram_plan *plan, const struct zram_ops *ops, void *ctx, struct zram_fault *ret_fault)
{
	struct session s = { ops, ctx, plan->before.id };

	for (int step = 0; step < ZRAM_STEP_COUNT; step++) {
		int err = ops->check(ctx, step);
		struct zram_fault fault = { .step = (enum zram_step)step };

		if (!err)
			err = do_step(fault.step, plan, &s);
		if (!err)
			continue;
		roll_back(plan, &s, fault.step, &fault);
		*ret_fault = fault;
		return err;
	}
	return 0;
}
