/* SPDX-License-Identifier: BSD-2-Clause */
/* memscope arena demo: a region of ordinary memory gives its cold pages back, and keeps its
 * contents. */
#include <inttypes.h>
#include <string.h>

#include "cmd/arena_common.h"
#include "lib/dataset.h"
#include "lib/parse.h"

#define PAGE ((size_t)4096)

struct demo_opts {
	struct arena_opts arena; /* first: the parts' offsets */
	uint64_t size;
	uint64_t seed;
};

enum {
	KEY_SIZE = 0x2000,
	KEY_SEED,
};

static const struct argp_option options[] = {
	{"size", KEY_SIZE, "SIZE", 0, "Size of the region (1M to 64G; default 256M)", 1},
	{"seed", KEY_SEED, "N", 0, "Of its contents (default 1)", 1},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct demo_opts *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		o->size = 256 * MiB;
		o->seed = 1;
		return 0;
	case KEY_SIZE:
		o->size = ROUND_UP(opt_size(state, "--size", arg, MiB, 64 * GiB), 65536);
		return 0;
	case KEY_SEED:
		o->seed = opt_u64(state, "--seed", arg, 0, UINT64_MAX);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {options, parse, NULL, NULL, NULL, NULL, NULL};

/* The steps of the story, one row each. */
static const struct out_col columns[] = {
	{"step", "step", OUT_STR, 0, 0},
	{"rss_bytes", "rss", OUT_BYTES, 0, 0},
	{"compressed_bytes", "packed", OUT_BYTES, 0, 0},
	{"pool_bytes", "pool", OUT_BYTES, 0, 0},
	{"wall_ns", "time", OUT_NS, 0, 0},
	{"ns_per_page", "per page", OUT_NS, 0, 0},
	{"what", "what happened", OUT_STR, 0, 0},
};

struct demo {
	struct memscope_arena *arena;
	uint8_t *mem;
	size_t pages;
	const struct demo_opts *o;
	const volatile sig_atomic_t *stop;
	struct out_sheet *sheet;
	uint64_t wrong; /* pages */
};

static int use(const struct demo *d, size_t page)
{
	return d->o->arena.options.access == MEMSCOPE_ACCESS_EXPLICIT
		       ? memscope_arena_touch(d->arena, d->mem + page * PAGE, PAGE)
		       : 0;
}

static int row(struct demo *d, const char *step, uint64_t wall, size_t pages, const char *what)
{
	struct memscope_arena_stats s;
	struct arena_bench_memory m;
	int err = arena_bench_memory_read(&m);

	if (!err)
		err = memscope_arena_stats(d->arena, &s, sizeof(s));
	if (err)
		return err;
	return out_sheet_add(d->sheet, (struct out_val[]){OUT_S(step), OUT_U(m.rss_bytes),
							  OUT_U(s.logical_bytes),
							  OUT_U(s.pool_resident_bytes), OUT_U(wall),
							  pages ? OUT_U(wall / pages) : OUT_NULL,
							  OUT_S(what)});
}

static int fill(struct demo *d)
{
	uint64_t start = now_ns();

	for (size_t i = 0; i < d->pages; i++) {
		int err = *d->stop ? -EINTR : use(d, i);

		if (err)
			return err;
		dataset_fill(DATASET_HEAP, d->o->seed, i, d->mem + i * PAGE, PAGE);
	}
	return row(d, "fill", now_ns() - start, d->pages, "written with ordinary stores");
}

static int pack(struct demo *d, const char *what)
{
	struct memscope_compress_result r;
	uint64_t start = now_ns();
	int err = memscope_arena_compress(d->arena, d->mem, d->pages * PAGE, d->o->arena.tier, &r);

	return err ? err : row(d, "compress", now_ns() - start, d->pages, what);
}

static int touch(struct demo *d)
{
	size_t n = d->pages / 16;
	uint64_t rnd = d->o->seed, start = now_ns();

	for (size_t i = 0; i < n; i++) {
		size_t page = dataset_random(&rnd) % d->pages;
		int err = *d->stop ? -EINTR : use(d, page);

		if (err)
			return err;
		(void)*(volatile uint8_t *)(d->mem + page * PAGE);
	}
	return row(d, "touch", now_ns() - start, n,
		   "a 16th of the pages at random, ordinary loads");
}

static int compare(struct demo *d)
{
	uint64_t start = now_ns();
	uint8_t want[PAGE];

	for (size_t i = 0; i < d->pages; i++) {
		int err = *d->stop ? -EINTR : use(d, i);

		if (err)
			return err;
		dataset_fill(DATASET_HEAP, d->o->seed, i, want, PAGE);
		d->wrong += memcmp(want, d->mem + i * PAGE, PAGE) != 0;
	}
	return row(d, "compare", now_ns() - start, d->pages,
		   d->wrong ? "DIFFERENT from what was written" : "every byte as it was written");
}

static int tell(struct demo *d)
{
	int err = row(d, "allocate", 0, 0, "address space only");

	if (!err)
		err = fill(d);
	if (!err)
		err = pack(d, "all of it, now; a policy would take what is cold");
	if (!err)
		err = touch(d);
	if (!err)
		err = pack(d, "what had come back");
	if (!err)
		err = compare(d);
	return err;
}

static int print(const struct cmd *cmd, const struct demo *d)
{
	json_object *root;
	int code;

	if (cmd->out.format != OUT_JSON && cmd->out.format != OUT_PRETTY)
		return cmd_print_sheet(cmd, d->sheet);
	root = json_object_new_object();
	json_object_object_add(root, "schema", json_object_new_int(1));
	json_object_object_add(root, "command", json_object_new_string("arena demo"));
	json_object_object_add(root, "region_bytes", json_object_new_uint64(d->o->size));
	json_object_object_add(root, "wrong_pages", json_object_new_uint64(d->wrong));
	json_object_object_add(root, "steps", out_sheet_json(d->sheet));
	code = cmd_print_json(cmd, root);
	json_object_put(root);
	return code;
}

static int run(struct cmd *cmd)
{
	const struct demo_opts *o = cmd->opts;
	_cleanup_(out_sheet_freep) struct out_sheet *sheet =
		out_sheet_new(columns, ARRAY_SIZE(columns));
	struct demo d = {.o = o, .pages = o->size / PAGE, .sheet = sheet};
	void *mem;
	int code, err;

	d.stop = arena_catch_signals();
	if (!sheet)
		return cmd_fail(cmd, -ENOMEM, "starting");
	err = memscope_arena_create(&o->arena.options, &d.arena);
	if (err)
		return arena_fail(cmd, err, o->arena.options.access);
	err = memscope_arena_alloc(d.arena, "demo", o->size, o->arena.region_flags, &mem);
	if (!err) {
		d.mem = mem;
		err = tell(&d);
	}
	memscope_arena_destroy(d.arena);
	if (err == -EINTR)
		cmd_notice(cmd, "interrupted: the story ends early");
	else if (err)
		return cmd_fail(cmd, err, "the arena");
	code = print(cmd, &d);
	if (!code && d.wrong)
		code = cmd_exit(cmd, EXIT_CHECK, "%" PRIu64 " pages differ from what was written",
				d.wrong);
	return code;
}

const struct command cmd_arena_demo = {
	.name = "demo",
	.brief = "watch a region shrink and come back",
	.doc = "Allocates a region, fills it with a made-up heap, compresses it, touches some of "
	       "it, "
	       "compresses that again, and compares every byte with what was written. A row for "
	       "each "
	       "step shows the memory of the process, what of the region is compressed, and the "
	       "pool "
	       "that holds it. A difference is exit code 5.",
	.parts =
		(const struct cmd_part[]){
			{&arena_argp, 0, arena_words},
			{&argp, 0, NULL},
			{},
		},
	.opts_size = sizeof(struct demo_opts),
	.run = run,
	.uses = FEATURE(UFFD) | FEATURE(UFFD_MOVE),
	.examples =
		(const struct cmd_example[]){
			{"memscope arena demo --size 64M", "64 MiB, LZ4", EXAMPLE_RUN},
			{"memscope arena demo --size 64M --tier cold --chunk 64K",
			 "the same, as small as it gets", EXAMPLE_RUN},
			{},
		},
};
