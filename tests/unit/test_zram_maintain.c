/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/unit.h"

#include "lib/zram_explain.h"
#include "lib/zram_maintain.h"

/* A driver with clocks of its own: every write costs CPU, and recompression shrinks until it is done. */
struct model {
	struct zram_device d;
	uint64_t cpu, cost_ns;
	bool ages, no_max_pages;
	int wb_err;
	unsigned to_shrink; /* chunks that recompression still has */
	char log[4096];
};

static int m_write(void *ctx, unsigned id _unused_, const char *attr, const char *text)
{
	struct model *m = ctx;
	size_t n = strlen(m->log);

	snprintf(m->log + n, sizeof(m->log) - n, "%s=%s;", attr, text);
	m->cpu += m->cost_ns;
	if (!strcmp(attr, "idle"))
		return strcmp(text, "all") && !m->ages ? -EINVAL : 0;
	if (!strcmp(attr, "recompress")) {
		if (m->no_max_pages && strstr(text, "max_pages"))
			return -EINVAL;
		if (m->to_shrink) {
			m->d.mm.compr -= 1000;
			m->to_shrink = m->no_max_pages ? 0 : m->to_shrink - 1;
		}
	}
	return strcmp(attr, "writeback") ? 0 : m->wb_err;
}

static int m_read(void *ctx, unsigned id _unused_, struct zram_device *ret)
{
	*ret = ((struct model *)ctx)->d;
	return ret->disksize ? 0 : -ENOENT;
}

static uint64_t m_cpu(void *ctx)
{
	return ((struct model *)ctx)->cpu;
}

static bool m_stop(void *ctx _unused_)
{
	return false;
}

static const struct zram_maintain_ops ops = { m_write, m_read, m_cpu, m_stop };

static void full(struct model *m, struct zram_maintain_request *q)
{
	*m = (struct model){ .cost_ns = 1000, .ages = true, .to_shrink = 3 };
	m->d = (struct zram_device){ .name = "zram0", .initialised = true, .disksize = GiB,
				     .has = ZRAM_HAS_RECOMPRESS | ZRAM_HAS_WRITEBACK | ZRAM_HAS_IDLE | ZRAM_HAS_COMPACT,
				     .have_mm = true, .mm.compr = 100000, .mm.orig = 100 * MiB };
	zram_parse_algos("lz4 [zstd]", &m->d.recomp[1]);
	snprintf(m->d.backing, sizeof(m->d.backing), "/dev/sdx");
	*q = (struct zram_maintain_request){ .want_recompress = true, .want_writeback = true, .want_compact = true,
					     .writeback = ZRAM_WHICH_HUGE_IDLE, .cpu_budget_ns = NSEC_PER_SEC,
					     .write_budget_bytes = MiB };
}

START_TEST(by_age)
{
	struct zram_maintain_request q;
	struct zram_maintain_result r;
	struct model m;

	full(&m, &q);
	q.idle_seconds = 60;
	q.first = true; /* times of access need no earlier marking */
	ck_assert_int_eq(zram_maintain(0, &q, &ops, &m, &r), 0);
	ck_assert_str_eq(m.log, "idle=60;recompress=type=idle max_pages=1024;recompress=type=idle max_pages=1024;"
				"recompress=type=idle max_pages=1024;recompress=type=idle max_pages=1024;"
				"recompress=type=idle max_pages=1024;idle=60;writeback_limit=256;writeback_limit_enable=1;"
				"writeback=huge_idle;compact=1;");
	for (int i = 0; i < ZRAM_PARTS; i++)
		ck_assert_int_eq(r.part[i].state, ZRAM_DONE);
	ck_assert_uint_eq(r.after.mm.compr, 97000);
}
END_TEST

START_TEST(by_marks)
{
	struct zram_maintain_request q;
	struct zram_maintain_result r;
	struct model m;

	full(&m, &q);
	m.ages = false;
	q.idle_seconds = 60;
	q.first = true;
	ck_assert_int_eq(zram_maintain(0, &q, &ops, &m, &r), 0);
	ck_assert_str_eq(m.log, "idle=60;compact=1;idle=all;");
	ck_assert_int_eq(r.part[ZRAM_PART_RECOMPRESS].state, ZRAM_SKIPPED);
	ck_assert_int_eq(r.part[ZRAM_PART_WRITEBACK].state, ZRAM_SKIPPED);
	ck_assert_int_eq(r.part[ZRAM_PART_MARK].state, ZRAM_DONE);
	m.log[0] = '\0';
	q.first = false;
	q.idle_seconds = 0;
	ck_assert_int_eq(zram_maintain(0, &q, &ops, &m, &r), 0);
	ck_assert_int_eq(r.part[ZRAM_PART_RECOMPRESS].state, ZRAM_DONE);
	ck_assert_ptr_nonnull(strstr(m.log, "writeback=huge_idle;compact=1;idle=all;"));
	/* what does not ask for idle pages needs no marks */
	q.first = true;
	q.recompress = q.writeback = ZRAM_WHICH_HUGE;
	ck_assert_int_eq(zram_maintain(0, &q, &ops, &m, &r), 0);
	ck_assert_int_eq(r.part[ZRAM_PART_RECOMPRESS].state, ZRAM_DONE);
	ck_assert_int_eq(r.part[ZRAM_PART_WRITEBACK].state, ZRAM_DONE);
}
END_TEST

START_TEST(budgets)
{
	struct zram_maintain_request q;
	struct zram_maintain_result r;
	struct model m;

	full(&m, &q);
	m.to_shrink = 1000;
	m.cost_ns = 10 * NSEC_PER_MSEC;
	q.cpu_budget_ns = 35 * NSEC_PER_MSEC;
	ck_assert_int_eq(zram_maintain(0, &q, &ops, &m, &r), 0);
	ck_assert_int_eq(r.part[ZRAM_PART_RECOMPRESS].state, ZRAM_BUDGET);
	ck_assert_uint_eq(r.part[ZRAM_PART_RECOMPRESS].calls, 4);
	ck_assert_int_eq(r.part[ZRAM_PART_COMPACT].state, ZRAM_SKIPPED);
	full(&m, &q);
	m.wb_err = -EIO;
	ck_assert_int_eq(zram_maintain(0, &q, &ops, &m, &r), 0);
	ck_assert_int_eq(r.part[ZRAM_PART_WRITEBACK].state, ZRAM_BUDGET);
	q.write_budget_bytes = 0;
	m.log[0] = '\0';
	ck_assert_int_eq(zram_maintain(0, &q, &ops, &m, &r), 0);
	ck_assert_ptr_null(strstr(m.log, "writeback"));
	/* It ends when nothing shrinks, however large the budget, and however many pages there are. */
	full(&m, &q);
	m.to_shrink = UINT32_MAX;
	q.cpu_budget_ns = UINT64_MAX;
	ck_assert_int_eq(zram_maintain(0, &q, &ops, &m, &r), 0);
	ck_assert_uint_le(r.part[ZRAM_PART_RECOMPRESS].calls, 27);
}
END_TEST

START_TEST(lacking)
{
	struct zram_maintain_request q;
	struct zram_maintain_result r;
	struct model m;

	full(&m, &q);
	m.d.has = ZRAM_HAS_COMPACT;
	ck_assert_int_eq(zram_maintain(0, &q, &ops, &m, &r), 0);
	ck_assert_str_eq(m.log, "compact=1;");
	ck_assert_int_eq(r.part[ZRAM_PART_MARK].state, ZRAM_LACKING);
	ck_assert_int_eq(r.part[ZRAM_PART_RECOMPRESS].state, ZRAM_LACKING);
	ck_assert_int_eq(r.part[ZRAM_PART_WRITEBACK].state, ZRAM_LACKING);
	ck_assert_ptr_nonnull(r.part[ZRAM_PART_RECOMPRESS].why);
	full(&m, &q);
	m.no_max_pages = true;
	ck_assert_int_eq(zram_maintain(0, &q, &ops, &m, &r), 0);
	ck_assert_int_eq(r.part[ZRAM_PART_RECOMPRESS].state, ZRAM_DONE);
	ck_assert_uint_eq(r.after.mm.compr, 99000);
	m.d.initialised = false;
	ck_assert_int_eq(zram_maintain(0, &q, &ops, &m, &r), -ENODEV);
}
END_TEST

/* ---- explain: the lines of a section add up, whatever the kernel says ---- */

static uint64_t sum_before(const struct zram_line *l, size_t n, const char *section)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		if (!strcmp(l[i].section, section) && l[i].kind != ZRAM_LINE_TOTAL && strcmp(l[i].key, "also_in_memory"))
			sum += l[i].less ? -l[i].before : l[i].before;
	return sum;
}

START_TEST(explain_adds_up)
{
	uint64_t state = 7;

	for (int i = 0; i < 20000; i++) {
		struct zram_device d = { .name = "zram0", .initialised = true, .disksize = GiB, .have_mm = true, .have_bd = true };
		struct swap_area area = { .path = "/dev/zram0" };
		struct zram_line l[ZRAM_LINES_MAX];
		uint64_t v[10], now = 0;
		size_t n;

		for (size_t k = 0; k < ARRAY_SIZE(v); k++) {
			state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
			v[k] = (state >> 33) % 5000;
		}
		d.mm = (struct zram_mm){ .n_fields = 7 + (unsigned)(v[0] % 3), .orig = (1 + v[1]) * 4096, .same_pages = v[2] % (v[1] / 3 + 1),
					 .huge_pages = v[3] % (v[1] / 3 + 1) };
		d.bd.count = v[4] % (v[1] / 3 + 1);
		if (v[5] % 2)
			snprintf(d.backing, sizeof(d.backing), "/dev/sdx");
		else
			d.bd.count = 0;
		d.mm.compr = d.mm.huge_pages * 4096 + v[6] * 100;
		d.mm.mem_used = d.mm.compr + v[7];
		area.used_bytes = v[8] * 4096;
		ck_assert_int_eq(zram_explain(&(struct zram_explain_in){ .device = &d, .area = &area, .page_size = 4096,
									  .only_area = v[0] % 2, .have_zero = v[1] % 2,
									  .zero_pages_max = v[9], .zswapped_bytes = v[4] * 1024 },
					      l, &n), 0);
		ck_assert_uint_le(n, ZRAM_LINES_MAX);
		ck_assert_uint_eq(sum_before(l, n, "slots"), area.used_bytes);
		ck_assert_uint_eq(sum_before(l, n, "stored"), d.mm.orig);
		for (size_t k = 0; k < n; k++)
			if (!strcmp(l[k].section, "stored") && l[k].kind == ZRAM_LINE_ITEM && l[k].have_now)
				now += l[k].now;
		ck_assert_uint_eq(now, d.mm.compr);
	}
}
END_TEST

UNIT_MAIN("zram_maintain", by_age, by_marks, budgets, lacking, explain_adds_up)
