/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arena_model: a stream of bytes becomes calls on an arena and accesses to its memory, and every byte
 * read is compared with a plain shadow copy. The unit test feeds random bytes, the fuzzer its own.
 *
 * Ends with 0, or with a line on stderr and -1. The accesses follow the rules of the public header: in
 * EXPLICIT mode memory is pinned around them.
 */
#ifndef TESTS_ARENA_MODEL_H
#define TESTS_ARENA_MODEL_H

#include <string.h>
#include <sys/wait.h>

#include "arena/engine.h"
#include "lib/dataset.h"

#define MODEL_REGIONS 6
#define MODEL_UNITS   96 /* of 4 KiB, at most */

struct model_source {
	const uint8_t *data; /* NULL: random bytes from the state */
	size_t len, used;
	uint64_t random;
	uint64_t left; /* operations */
};

struct model_region {
	uint8_t *mem, *shadow;
	uint16_t *pins; /* by unit */
	size_t len, unit;
};

struct model {
	struct memscope_arena *arena;
	bool is_explicit, may_fork;
	struct model_source src;
	struct model_region r[MODEL_REGIONS];
	uint64_t n_ops;
	const char *what;
};

static uint64_t model_take(struct model *m)
{
	struct model_source *s = &m->src;
	uint64_t v = 0;

	if (!s->data)
		return dataset_random(&s->random);
	for (int i = 0; i < 3 && s->used < s->len; i++)
		v = v << 8 | s->data[s->used++];
	return v * UINT64_C(0x9e3779b97f4a7c15) >> 7;
}

static int model_bad(const struct model *m, const char *why, uint64_t at)
{
	fprintf(stderr, "model: operation %llu (%s): %s (%llu)\n", (unsigned long long)m->n_ops,
		m->what, why, (unsigned long long)at);
	return -1;
}

static int model_open(struct model *m, struct model_region *r, void *addr, size_t len)
{
	int err = m->is_explicit ? memscope_arena_pin(m->arena, addr, len) : 0;

	(void)r;
	return err && err != -EOVERFLOW ? model_bad(m, "pin", (uint64_t)-err) : 0;
}

static int model_close(struct model *m, void *addr, size_t len)
{
	int err = m->is_explicit ? memscope_arena_unpin(m->arena, addr, len) : 0;

	return err ? model_bad(m, "unpin", (uint64_t)-err) : 0;
}

/* A range of some units, mostly short. */
static void model_range(struct model *m, const struct model_region *r, size_t *ret_off, size_t *ret_len)
{
	uint64_t v = model_take(m);
	size_t most = v & 64 ? r->len : MIN(r->len, 3 * r->unit);

	*ret_off = (v >> 8) % r->len;
	*ret_len = MIN(1 + (v >> 32) % most, r->len - *ret_off);
}

static int model_write(struct model *m, struct model_region *r)
{
	uint64_t v = model_take(m);
	size_t off, len;

	model_range(m, r, &off, &len);
	if (model_open(m, r, r->mem + off, len))
		return -1;
	switch (v % 6) {
	case 0:
		memset(r->shadow + off, 0, len);
		break;
	case 1:
		memset(r->shadow + off, (int)(v >> 8), len);
		break;
	case 2: /* a single byte in each page */
		for (size_t i = off; i < off + len; i += 4096)
			r->shadow[i] = (uint8_t)(v >> 16);
		break;
	case 3:
		dataset_fill(DATASET_UNIQUE, v, 0, r->shadow + off, len);
		break;
	case 4:
		dataset_fill(DATASET_HEAP, v, 0, r->shadow + off, len);
		break;
	default:
		dataset_fill_pct((unsigned)(v >> 8) % 101, v, 0, r->shadow + off, len);
	}
	if (v % 6 == 2)
		for (size_t i = off; i < off + len; i += 4096)
			r->mem[i] = (uint8_t)(v >> 16);
	else
		memcpy(r->mem + off, r->shadow + off, len);
	return model_close(m, r->mem + off, len);
}

static int model_read(struct model *m, struct model_region *r, size_t off, size_t len)
{
	if (model_open(m, r, r->mem + off, len))
		return -1;
	if (memcmp(r->mem + off, r->shadow + off, len)) {
		while (r->mem[off] == r->shadow[off])
			off++;
		return model_bad(m, "wrong byte at", off);
	}
	return model_close(m, r->mem + off, len);
}

static int model_pin(struct model *m, struct model_region *r, bool pin)
{
	size_t off, len, first, last;
	bool ok = true;
	int err;

	model_range(m, r, &off, &len);
	first = off / r->unit;
	last = (off + len - 1) / r->unit;
	if (!pin) {
		for (size_t i = first; i <= last; i++)
			ok = ok && r->pins[i];
		if (!ok) /* would stop half-way, as documented; the model stays simple */
			return 0;
	}
	err = (pin ? memscope_arena_pin : memscope_arena_unpin)(m->arena, r->mem + off, len);
	if (err)
		return model_bad(m, "refused", (uint64_t)-err);
	for (size_t i = first; i <= last; i++)
		r->pins[i] = (uint16_t)(r->pins[i] + (pin ? 1 : -1));
	return 0;
}

static int model_discard(struct model *m, struct model_region *r)
{
	size_t off, len;
	bool pinned = false;
	int err;

	model_range(m, r, &off, &len);
	for (size_t i = off / r->unit; i <= (off + len - 1) / r->unit; i++) {
		pinned = pinned || r->pins[i];
		if (!r->pins[i])
			memset(r->shadow + i * r->unit, 0, r->unit);
	}
	err = memscope_arena_discard(m->arena, r->mem + off, len);
	return err == (pinned ? -EBUSY : 0) ? 0 : model_bad(m, "result", (uint64_t)-err);
}

static int model_compress(struct model *m, struct model_region *r)
{
	struct memscope_compress_result res;
	uint64_t v = model_take(m);
	size_t off, len;
	int err;

	model_range(m, r, &off, &len);
	if (v & 1) {
		off = 0;
		len = r->len;
	}
	err = memscope_arena_compress(m->arena, r->mem + off, len, (enum memscope_tier)(v / 2 % 3),
				      &res);
	if (err)
		return model_bad(m, "result", (uint64_t)-err);
	if (res.tried_bytes != res.admitted_bytes + res.stubborn_bytes + res.pinned_bytes +
				       res.busy_bytes + res.full_bytes)
		return model_bad(m, "sum of the result", res.tried_bytes);
	return 0;
}

static int model_alloc(struct model *m, struct model_region *r)
{
	static const unsigned flags[] = {0, 0, MEMSCOPE_REGION_CHUNK_16K, MEMSCOPE_REGION_CHUNK_64K};
	uint64_t v = model_take(m);
	unsigned f = flags[v % 4];
	void *p;
	int err;

	r->unit = f == MEMSCOPE_REGION_CHUNK_64K ? 65536 : f ? 16384 : 4096;
	r->len = ROUND_UP(1 + (v >> 8) % (MODEL_UNITS * (size_t)4096), r->unit);
	err = memscope_arena_alloc(m->arena, "model", r->len - v % 4096 % r->len, f, &p);
	if (err == -ENOSPC && f)
		return 0;
	if (err)
		return model_bad(m, "result", (uint64_t)-err);
	r->mem = p;
	r->shadow = calloc(1, r->len);
	r->pins = calloc(r->len / r->unit, sizeof(r->pins[0]));
	return r->shadow && r->pins ? 0 : model_bad(m, "no memory", 0);
}

static int model_free(struct model *m, struct model_region *r)
{
	void *mem = r->mem;

	free(r->shadow);
	free(r->pins);
	memset(r, 0, sizeof(*r));
	if (memscope_arena_free(m->arena, mem))
		return model_bad(m, "refused", 0);
	return memscope_arena_free(m->arena, mem) == -EINVAL ? 0 : model_bad(m, "freed twice", 0);
}

static int model_read_all(struct model *m)
{
	for (size_t i = 0; i < MODEL_REGIONS; i++)
		if (m->r[i].mem && model_read(m, &m->r[i], 0, m->r[i].len))
			return -1;
	return 0;
}

/* The child compares, changes and compresses its own copy; the parent's must not change. */
static int model_fork(struct model *m)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return model_bad(m, "fork", (uint64_t)errno);
	if (!pid) {
		int bad = model_read_all(m);

		for (size_t i = 0; i < MODEL_REGIONS && !bad; i++) {
			struct model_region *r = &m->r[i];

			bad = r->mem && (model_write(m, r) || model_compress(m, r));
		}
		_exit(bad || model_read_all(m) || arena_check(m->arena) ? 1 : 0);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		return model_bad(m, "child", (uint64_t)status);
	return 0;
}

static int model_whole(struct model *m, uint64_t v)
{
	struct memscope_arena_stats s;
	uint64_t bad = 0;
	int line;

	switch (v % 4) {
	case 0:
		m->what = "compact";
		return memscope_arena_compact(m->arena, 1 + (unsigned)(v >> 8) % 100) ?
			       model_bad(m, "refused", 0) :
			       0;
	case 1:
		m->what = "phase";
		return memscope_arena_phase(m->arena, (enum memscope_phase)((v >> 8) % 3)) ?
			       model_bad(m, "refused", 0) :
			       0;
	case 2:
		m->what = "verify";
		if (memscope_arena_verify(m->arena, &bad) || bad)
			return model_bad(m, "corrupt", bad);
		return 0;
	default:
		m->what = "check";
		line = arena_check(m->arena);
		if (line)
			return model_bad(m, "invariant at line", (uint64_t)line);
		memscope_arena_stats(m->arena, &s, sizeof(s));
		if (s.lost_units || s.compressed_bytes > s.pool_live_bytes ||
		    s.pool_live_bytes > s.pool_resident_bytes)
			return model_bad(m, "figures", s.pool_live_bytes);
		return 0;
	}
}

static int model_step(struct model *m)
{
	uint64_t v = model_take(m);
	struct model_region *r = &m->r[(v >> 8) % MODEL_REGIONS];
	size_t off, len;

	if (!r->mem) {
		m->what = "alloc";
		return model_alloc(m, r);
	}
	switch (v % 32) {
	default:
		m->what = "write";
		return model_write(m, r);
	case 8 ... 14:
		m->what = "read";
		model_range(m, r, &off, &len);
		return model_read(m, r, off, len);
	case 15 ... 20:
		m->what = "compress";
		return model_compress(m, r);
	case 21:
		m->what = "touch";
		model_range(m, r, &off, &len);
		return memscope_arena_touch(m->arena, r->mem + off, len) ? model_bad(m, "", 0) : 0;
	case 22:
		m->what = "prefetch";
		model_range(m, r, &off, &len);
		return memscope_arena_prefetch(m->arena, r->mem + off, len) ? model_bad(m, "", 0) :
									      0;
	case 23 ... 24:
		m->what = "pin";
		return model_pin(m, r, v >> 16 & 1);
	case 25:
		m->what = "discard";
		return model_discard(m, r);
	case 26:
		m->what = "advise";
		return memscope_arena_advise(m->arena, r->mem,
					     (enum memscope_advice)((v >> 16) % 3)) ?
			       model_bad(m, "", 0) :
			       0;
	case 27:
		m->what = "free";
		return (v >> 16) % 8 ? 0 : model_free(m, r);
	case 28:
		m->what = "fork";
		return m->may_fork && (v >> 16) % 64 == 0 ? model_fork(m) : 0;
	case 29 ... 31:
		return model_whole(m, v >> 16);
	}
}

static int model_run(const struct memscope_arena_options *opts, struct model_source src, bool may_fork)
{
	struct model m = {.src = src, .may_fork = may_fork, .what = "create"};
	int err = memscope_arena_create(opts, &m.arena);

	if (err)
		return model_bad(&m, "refused", (uint64_t)-err);
	m.is_explicit = opts->access == MEMSCOPE_ACCESS_EXPLICIT;
	while (!err && m.n_ops < m.src.left && (!src.data || m.src.used < m.src.len)) {
		err = model_step(&m);
		m.n_ops++;
	}
	m.what = "end";
	if (!err)
		err = model_read_all(&m);
	if (!err && arena_check(m.arena))
		err = model_bad(&m, "invariant", (uint64_t)arena_check(m.arena));
	for (size_t i = 0; i < MODEL_REGIONS; i++) {
		free(m.r[i].shadow);
		free(m.r[i].pins);
	}
	if (memscope_arena_destroy(m.arena) && !err)
		err = model_bad(&m, "destroy", 0);
	return err;
}

#endif
