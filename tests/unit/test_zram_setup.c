/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The setup against a model of the kernel's driver: every call of every setup is made to fail once, and
 * the model must be as it was before; every prefix of a setup is cut off as SIGKILL would, and the record
 * must bring it back.
 */
#include "tests/unit/unit.h"

#include "lib/parse.h"
#include "lib/zram_setup.h"

struct model_device {
	bool exists, initialised, swapped, claimed;
	char algo[ZRAM_ALGO_MAX], recomp[ZRAM_PRIORITIES][ZRAM_ALGO_MAX], backing[64], params[64];
	uint64_t disksize, limit;
	int priority;
	bool header;
	uint8_t uuid[SWAP_UUID_LEN];
};

struct model {
	struct model_device d;
	struct zram_before record;
	bool recorded;
	unsigned calls, fail_call; /* the call that fails, from 1; 0: none */
	bool dies;		   /* it and all later ones fail, also those of going back */
	bool old_kernel;	   /* reset does nothing to a device that is not initialised */
	bool foreign_before_disksize;
};

static int step(struct model *m)
{
	m->calls++;
	return m->calls == m->fail_call || (m->dies && m->fail_call && m->calls > m->fail_call) ? -EIO : 0;
}

static int m_write(void *ctx, unsigned id, const char *attr, const char *text)
{
	struct model *m = ctx;
	struct model_device *d = &m->d;
	int err = step(m);

	ck_assert_uint_eq(id, 3);
	if (err)
		return err;
	ck_assert(d->exists);
	if (!strcmp(attr, "reset")) {
		if (d->claimed || d->swapped)
			return -EBUSY;
		if (m->old_kernel && !d->initialised)
			return 0;
		d->initialised = d->header = false;
		d->disksize = d->limit = 0;
		d->backing[0] = d->params[0] = '\0';
		memset(d->recomp, 0, sizeof(d->recomp));
		return 0;
	}
	if (!strcmp(attr, "mem_limit")) {
		ck_assert_int_eq(parse_u64(text, 0, UINT64_MAX, &d->limit), 0);
		return 0;
	}
	/* All others are refused once there is a size. */
	if (!strcmp(attr, "disksize") && m->foreign_before_disksize) {
		m->foreign_before_disksize = false;
		d->initialised = true;
		d->disksize = 12345 * 4096;
	}
	if (d->initialised)
		return -EBUSY;
	if (!strcmp(attr, "comp_algorithm")) {
		snprintf(d->algo, sizeof(d->algo), "%s", text);
	} else if (!strcmp(attr, "algorithm_params")) {
		snprintf(d->params, sizeof(d->params), "%s", text);
	} else if (!strcmp(attr, "recomp_algorithm")) {
		const char *at = strstr(text, " priority=");
		uint64_t priority;

		ck_assert(!strncmp(text, "algo=", 5) && at);
		ck_assert_int_eq(parse_u64(at + strlen(" priority="), 1, ZRAM_PRIORITIES - 1, &priority), 0);
		snprintf(d->recomp[priority], ZRAM_ALGO_MAX, "%.*s", (int)(at - text - 5), text + 5);
	} else if (!strcmp(attr, "backing_dev")) {
		snprintf(d->backing, sizeof(d->backing), "%s", text);
	} else {
		ck_assert_str_eq(attr, "disksize");
		ck_assert_int_eq(parse_u64(text, 0, UINT64_MAX, &d->disksize), 0);
		d->initialised = true;
	}
	return 0;
}

static void set_algos(struct zram_algos *a, const char *chosen)
{
	static const char *const names[] = { "lzo", "lz4", "zstd" };

	a->n = ARRAY_SIZE(names);
	a->chosen = -1;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(a->name[i], ZRAM_ALGO_MAX, "%s", names[i]);
		if (!strcmp(names[i], chosen))
			a->chosen = (int)i;
	}
}

static void model_to_device(const struct model *m, struct zram_device *ret)
{
	*ret = (struct zram_device){
		.name = "zram3",
		.id = 3,
		.has = ZRAM_HAS_RECOMPRESS | ZRAM_HAS_WRITEBACK | ZRAM_HAS_PARAMS,
		.initialised = m->d.initialised,
		.disksize = m->d.disksize,
		.have_mm = true,
		.mm.n_fields = 9,
		.mm.mem_limit = m->d.limit,
	};
	set_algos(&ret->algos, m->d.algo);
	for (size_t i = 1; i < ZRAM_PRIORITIES; i++)
		if (m->d.recomp[i][0])
			set_algos(&ret->recomp[i], m->d.recomp[i]);
	snprintf(ret->backing, sizeof(ret->backing), "%s", m->d.backing);
}

static int m_read(void *ctx, unsigned id _unused_, struct zram_device *ret)
{
	struct model *m = ctx;

	if (!m->d.exists)
		return -ENOENT;
	model_to_device(m, ret);
	return 0;
}

static int m_hot_add(void *ctx, unsigned *ret_id)
{
	struct model *m = ctx;
	int err = step(m);

	if (err)
		return err;
	ck_assert(!m->d.exists);
	m->d = (struct model_device){ .exists = true, .algo = "lzo" };
	*ret_id = 3;
	return 0;
}

static int m_hot_remove(void *ctx, unsigned id _unused_)
{
	struct model *m = ctx;
	int err = step(m);

	if (err)
		return err;
	if (m->d.claimed || m->d.swapped)
		return -EBUSY;
	m->d = (struct model_device){};
	return 0;
}

static int m_claim(void *ctx, unsigned id _unused_)
{
	struct model *m = ctx;
	int err = step(m);

	if (!err && m->d.swapped)
		err = -EBUSY;
	if (!err)
		m->d.claimed = true;
	return err;
}

static void m_release(void *ctx, unsigned id _unused_)
{
	((struct model *)ctx)->d.claimed = false;
}

static int m_header(void *ctx, unsigned id _unused_, uint64_t size, const uint8_t *uuid, const char *label _unused_)
{
	struct model *m = ctx;
	int err = step(m);

	if (err)
		return err;
	ck_assert_uint_eq(size, m->d.disksize);
	m->d.header = true;
	memcpy(m->d.uuid, uuid, SWAP_UUID_LEN);
	return 0;
}

static int m_swap_on(void *ctx, unsigned id _unused_, int priority)
{
	struct model *m = ctx;
	int err = step(m);

	if (err)
		return err;
	ck_assert(!m->d.claimed && m->d.header);
	m->d.swapped = true;
	m->d.priority = priority;
	return 0;
}

static int m_swap_off(void *ctx, unsigned id _unused_)
{
	struct model *m = ctx;
	int err = step(m);

	if (err)
		return err;
	ck_assert(m->d.swapped);
	m->d.swapped = false;
	m->d.priority = 0;
	return 0;
}

static int m_record(void *ctx, const struct zram_before *before)
{
	struct model *m = ctx;
	int err = step(m);

	if (err)
		return err;
	m->record = *before;
	m->recorded = true;
	return 0;
}

static int m_forget(void *ctx, unsigned id _unused_)
{
	struct model *m = ctx;

	if (m->dies && m->fail_call && m->calls >= m->fail_call)
		return -EIO;
	m->recorded = false;
	return 0;
}

static int m_check(void *ctx _unused_, int at _unused_)
{
	return 0;
}

static const struct zram_ops model_ops = { m_write,  m_read,	m_hot_add,  m_hot_remove, m_claim,  m_release,
					   m_header, m_swap_on, m_swap_off, m_record,	  m_forget, m_check };

/* What must be the same again; params cannot be read back from a kernel. */
static void same(const struct model_device *a, const struct model_device *b, const char *what, unsigned call)
{
	ck_assert_msg(a->exists == b->exists && a->initialised == b->initialised && a->swapped == b->swapped &&
			      a->claimed == b->claimed && !strcmp(a->algo, b->algo) &&
			      !memcmp(a->recomp, b->recomp, sizeof(a->recomp)) && !strcmp(a->backing, b->backing) &&
			      !strcmp(a->params, b->params) && a->disksize == b->disksize && a->limit == b->limit &&
			      a->priority == b->priority && a->header == b->header &&
			      (!a->header || !memcmp(a->uuid, b->uuid, SWAP_UUID_LEN)),
		      "%s, call %u: size %lu/%lu algo %s/%s swap %d/%d backing '%s'/'%s' recomp '%s'/'%s' params '%s'/'%s'", what, call,
		      a->disksize, b->disksize, a->algo, b->algo, a->swapped, b->swapped, a->backing, b->backing, a->recomp[1],
		      b->recomp[1], a->params, b->params);
}

enum start { FREE, NO_DEVICE, BUSY_SWAP, BUSY_RAW, FREE_OLD_KERNEL, N_STARTS };
static const char *const start_names[] = { "free", "no device", "busy swap", "busy raw", "free, old kernel" };

static void start_model(struct model *m, enum start start)
{
	*m = (struct model){ .old_kernel = start == FREE_OLD_KERNEL };
	if (start == NO_DEVICE)
		return;
	m->d = (struct model_device){ .exists = true, .algo = "lzo" };
	if (start == BUSY_SWAP || start == BUSY_RAW) {
		m->d.initialised = true;
		m->d.disksize = 64 * MiB;
		m->d.limit = 8 * MiB;
		snprintf(m->d.recomp[1], ZRAM_ALGO_MAX, "zstd");
		snprintf(m->d.backing, sizeof(m->d.backing), "/dev/sdx");
	}
	if (start == BUSY_SWAP) {
		m->d.swapped = m->d.header = true;
		m->d.priority = 7;
		memset(m->d.uuid, 0x11, SWAP_UUID_LEN);
	}
}

static void plan_for(const struct model *m, struct zram_plan *plan)
{
	struct zram_request req = { .algo = "lz4", .params = "level=3", .recomp = { NULL, "zstd", "lzo" }, .backing = "/dev/sdb",
				    .size = 128 * MiB, .mem_limit = 32 * MiB, .swap = true, .priority = 100, .force = true };
	struct swap_area area = { .path = "/dev/zram3", .partition = true, .size_bytes = 64 * MiB, .priority = m->d.priority };
	struct zram_device device;
	struct zram_facts facts = { .devices = &device, .n_devices = m->d.exists, .swaps = &area, .n_swaps = m->d.swapped,
				    .mem_total = GiB, .mem_available = GiB, .page_size = 4096 };
	char why[ZRAM_WHY_MAX] = "";

	model_to_device(m, &device);
	ck_assert_msg(!zram_plan_make(&req, m->d.exists ? &device : NULL, &facts, plan, why), "%s", why);
	plan->before.header = m->d.header;
	memcpy(plan->before.uuid, m->d.uuid, SWAP_UUID_LEN);
	memset(plan->uuid, 0x22, SWAP_UUID_LEN);
}

static void check_done(const struct model *m)
{
	ck_assert(m->d.swapped && m->d.header && m->d.initialised && m->recorded && !m->d.claimed);
	ck_assert_uint_eq(m->d.disksize, 128 * MiB);
	ck_assert_uint_eq(m->d.limit, 32 * MiB);
	ck_assert_str_eq(m->d.algo, "lz4");
	ck_assert_str_eq(m->d.params, "algo=lz4 level=3");
	ck_assert_str_eq(m->d.recomp[1], "zstd");
	ck_assert_str_eq(m->d.recomp[2], "lzo");
	ck_assert_int_eq(m->d.priority, 100);
}

START_TEST(every_failure_goes_back)
{
	for (enum start s = 0; s < N_STARTS; s++) {
		struct zram_fault fault;
		struct zram_plan plan;
		struct model m, before;
		unsigned n;

		start_model(&m, s);
		before = m;
		plan_for(&m, &plan);
		ck_assert_int_eq(zram_apply(&plan, &model_ops, &m, &fault), 0);
		check_done(&m);
		n = m.calls;
		for (unsigned fail = 1; fail <= n; fail++) {
			start_model(&m, s);
			plan_for(&m, &plan);
			m.fail_call = fail;
			ck_assert_int_eq(zram_apply(&plan, &model_ops, &m, &fault), -EIO);
			ck_assert_int_eq(fault.rollback_err, 0);
			same(&m.d, &before.d, start_names[s], fail);
			ck_assert_msg(!m.recorded, "%s, call %u: the record is left", start_names[s], fail);
		}
	}
}
END_TEST

/* Killed after any call: what the record says brings it back. */
START_TEST(every_death_is_undone)
{
	for (enum start s = 0; s < N_STARTS; s++) {
		for (unsigned fail = 1;; fail++) {
			struct zram_fault fault;
			struct zram_plan plan;
			struct model m, before;
			const char *what;

			start_model(&m, s);
			before = m;
			plan_for(&m, &plan);
			m.fail_call = fail;
			m.dies = true;
			if (!zram_apply(&plan, &model_ops, &m, &fault)) {
				check_done(&m);
				break;
			}
			m.fail_call = 0;
			m.dies = m.d.claimed = false; /* the kernel closes what the dead had open */
			if (!m.recorded)
				continue;
			ck_assert_int_eq(zram_restore(&m.record, &model_ops, &m, m.d.swapped, &what), 0);
			same(&m.d, &before.d, start_names[s], fail);
			ck_assert(!m.recorded);
		}
	}
}
END_TEST

START_TEST(undo_after_success)
{
	for (enum start s = 0; s < N_STARTS; s++) {
		struct zram_fault fault;
		struct zram_plan plan;
		struct model m, before;
		const char *what;

		start_model(&m, s);
		before = m;
		plan_for(&m, &plan);
		ck_assert_int_eq(zram_apply(&plan, &model_ops, &m, &fault), 0);
		ck_assert_int_eq(zram_restore(&m.record, &model_ops, &m, true, &what), 0);
		same(&m.d, &before.d, start_names[s], 0);
		/* twice is once */
		ck_assert_int_eq(zram_restore(&m.record, &model_ops, &m, m.d.swapped, &what), 0);
		same(&m.d, &before.d, start_names[s], 0);
	}
}
END_TEST

/* Another program configures the device between our check and our disksize: it must keep it. */
START_TEST(foreign_setup_is_left_alone)
{
	struct zram_fault fault;
	struct zram_plan plan;
	struct model m;

	start_model(&m, FREE);
	plan_for(&m, &plan);
	plan.req.recomp[1] = plan.req.recomp[2] = plan.req.backing = plan.req.params = NULL;
	m.foreign_before_disksize = true;
	ck_assert_int_eq(zram_apply(&plan, &model_ops, &m, &fault), -EBUSY);
	ck_assert_int_eq(fault.step, ZRAM_STEP_DISKSIZE);
	ck_assert_int_eq(fault.rollback_err, 0);
	ck_assert(m.d.initialised && m.d.disksize == 12345 * 4096 && !m.recorded && !m.d.claimed);
}
END_TEST

static int refusal(const struct zram_request *req, const struct zram_device *d, const struct zram_facts *f, const char *word)
{
	struct zram_plan plan;
	char why[ZRAM_WHY_MAX] = "";
	int err = zram_plan_make(req, d, f, &plan, why);

	ck_assert_msg(!err || strstr(why, word), "'%s' is not in: %s", word, why);
	return err;
}

START_TEST(refusals)
{
	struct zram_device d = { .name = "zram3", .id = 3 }, used;
	struct swap_area area = { .path = "/dev/zram3", .partition = true, .size_bytes = GiB, .used_bytes = 700 * MiB };
	struct zram_facts f = { .devices = &d, .n_devices = 1, .mem_total = GiB, .mem_available = 512 * MiB, .page_size = 4096 };
	const struct zram_request ok = { .size = 64 * MiB, .swap = true, .priority = 100 };
	struct zram_request q;

	set_algos(&d.algos, "lzo");
	ck_assert_int_eq(refusal(&ok, &d, &f, ""), 0);
	q = ok, q.algo = "nosuch";
	ck_assert_int_eq(refusal(&q, &d, &f, "lzo, lz4, zstd"), -EOPNOTSUPP);
	q = ok, q.algo = "lz4 priority=2";
	ck_assert_int_eq(refusal(&q, &d, &f, "no name"), -EINVAL);
	q = ok, q.recomp[1] = "zstd";
	ck_assert_int_eq(refusal(&q, &d, &f, "CONFIG_ZRAM_MULTI_COMP"), -EOPNOTSUPP);
	d.has = ZRAM_HAS_RECOMPRESS;
	q.recomp[1] = "nosuch";
	ck_assert_int_eq(refusal(&q, &d, &f, "nosuch"), -EOPNOTSUPP);
	q = ok, q.params = "level=3";
	ck_assert_int_eq(refusal(&q, &d, &f, "6.12"), -EOPNOTSUPP);
	q = ok, q.backing = "/dev/sdx";
	ck_assert_int_eq(refusal(&q, &d, &f, "CONFIG_ZRAM_WRITEBACK"), -EOPNOTSUPP);
	q = ok, q.mem_limit = 4095;
	ck_assert_int_eq(refusal(&q, &d, &f, "less than a page"), -EINVAL);
	q = ok, q.size = 4096;
	ck_assert_int_eq(refusal(&q, &d, &f, "too small"), -EINVAL);
	q = ok, q.size = 2 * GiB;
	ck_assert_int_eq(refusal(&q, &d, &f, "--mem-limit"), -EINVAL);
	q.mem_limit = 512 * MiB;
	ck_assert_int_eq(refusal(&q, &d, &f, ""), 0);
	q.size = 1024 * GiB;
	ck_assert_int_eq(refusal(&q, &d, &f, "table"), -ENOMEM);
	used = d;
	used.initialised = true;
	used.disksize = GiB;
	ck_assert_int_eq(refusal(&ok, &used, &f, "--force"), -EBUSY);
	q = ok, q.force = true;
	ck_assert_int_eq(refusal(&q, &used, &f, ""), 0);
	f.swaps = &area, f.n_swaps = 1;
	/* 700 MiB are swapped to it and 512 MiB are free: 188 MiB are missing, with or without --force. */
	ck_assert_int_eq(refusal(&q, &used, &f, "188M"), -ENOMEM);
	area.used_bytes = 512 * MiB;
	ck_assert_int_eq(refusal(&q, &used, &f, ""), 0);
}
END_TEST

START_TEST(warnings)
{
	struct zram_device d = { .name = "zram3", .id = 3 };
	struct swap_area areas[] = { { .path = "/dev/zram0", .priority = 100 }, { .path = "/dev/sda2", .priority = 200 } };
	struct zram_facts f = { .devices = &d, .n_devices = 1, .swaps = areas, .n_swaps = 2, .mem_total = GiB, .mem_available = GiB,
				.page_size = 4096, .zswap = true };
	struct zram_request q = { .size = 64 * MiB, .mem_limit = 64 * MiB, .swap = true, .priority = 100 };
	struct zram_plan plan;
	char why[ZRAM_WHY_MAX];

	set_algos(&d.algos, "lzo");
	ck_assert_int_eq(zram_plan_make(&q, &d, &f, &plan, why), 0);
	ck_assert_uint_eq(plan.n_warnings, 4);
	ck_assert_ptr_nonnull(strstr(plan.warning[1], "zswap"));
	ck_assert_ptr_nonnull(strstr(plan.warning[2], "/dev/zram0"));
	ck_assert_ptr_nonnull(strstr(plan.warning[3], "/dev/sda2"));
	q.swap = false;
	ck_assert_int_eq(zram_plan_make(&q, &d, &f, &plan, why), 0);
	ck_assert_uint_eq(plan.n_warnings, 1);
}
END_TEST

START_TEST(record_text)
{
	struct zram_before b = { .id = 3, .algo = "lzo-rle", .recomp = { "", "zstd", "", "lz4" }, .backing = "/dev/disk/by-id/x y",
				 .disksize = UINT64_MAX, .mem_limit = 5, .swap = true, .priority = -2, .header = true,
				 .label = "a label", .set_disksize = 77 }, got;
	static const char boot[] = "0123456789abcdef0123456789abcdef";
	char text[2048];

	memset(b.uuid, 0xfe, sizeof(b.uuid));
	ck_assert_int_eq(zram_record_format(&b, boot, text, sizeof(text)), 0);
	ck_assert_int_eq(zram_record_format(&b, boot, (char[64]){ 0 }, 64), -ENOSPC);
	ck_assert_int_eq(zram_record_parse(text, boot, &got), 0);
	ck_assert(got.id == 3 && !got.hot_added && got.disksize == UINT64_MAX && got.mem_limit == 5 && got.swap && got.priority == -2 &&
		  got.header && got.set_disksize == 77 && !strcmp(got.algo, b.algo) && !strcmp(got.recomp[1], "zstd") &&
		  !got.recomp[2][0] && !strcmp(got.recomp[3], "lz4") && !strcmp(got.backing, b.backing) && !strcmp(got.label, b.label) &&
		  !memcmp(got.uuid, b.uuid, sizeof(b.uuid)));
	ck_assert_int_eq(zram_record_parse(text, "ffffffffffffffffffffffffffffffff", &got), -ESTALE);
	/* a text that was cut anywhere is no record */
	for (size_t len = strlen(text) - 2; len; len--) {
		text[len] = '\0';
		ck_assert_msg(zram_record_parse(text, boot, &got) < 0, "cut at %zu", len);
	}
	ck_assert_int_eq(zram_record_parse("", boot, &got), -EINVAL);
}
END_TEST

UNIT_MAIN("zram_setup", every_failure_goes_back, every_death_is_undone, undo_after_success, foreign_setup_is_left_alone, refusals,
	  warnings, record_text)
