/* SPDX-License-Identifier: BSD-2-Clause */
/* memscope pool maintain: idle pages compressed better, written back, and the allocator compacted. */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/pool_common.h"
#include "lib/parse.h"
#include "lib/zram_maintain.h"

struct maintain_opts {
	int device; /* first: the input of pool_device_argp */
	struct zram_maintain_request req;
	uint64_t every_ns, rounds;
};

enum {
	KEY_AGE = 0x100,
	KEY_RECOMPRESS,
	KEY_WRITEBACK,
	KEY_THRESHOLD,
	KEY_CPU,
	KEY_WRITE,
	KEY_NO_COMPACT,
	KEY_EVERY,
	KEY_ROUNDS,
};

static const struct argp_option options[] = {
	{ "idle-age", KEY_AGE, "TIME", 0, "Idle are pages not touched for so long, where the kernel has their times; "
					  "else, and by default, those not touched since the last round", 1 },
	{ "recompress", KEY_RECOMPRESS, "WHICH", 0, "idle (default), huge, huge_idle or none", 1 },
	{ "writeback", KEY_WRITEBACK, "WHICH", 0, "idle, huge, huge_idle (default) or none", 1 },
	{ "threshold", KEY_THRESHOLD, "SIZE", 0, "Recompress only pages that take at least this, up to 4K", 1 },
	{ "cpu-budget", KEY_CPU, "TIME", 0, "CPU time of recompression and compaction in a round (default 1s)", 1 },
	{ "write-budget", KEY_WRITE, "SIZE", 0, "Bytes to the backing device in a round (default 64M)", 1 },
	{ "no-compact", KEY_NO_COMPACT, NULL, 0, "Do not compact the allocator", 1 },
	{ "every", KEY_EVERY, "TIME", 0, "A round each so often, until Ctrl-C", 1 },
	{ "rounds", KEY_ROUNDS, "N", 0, "End after so many rounds of --every", 1 },
	{ 0 },
};

static bool parse_which(const struct argp_state *state, const char *option, const char *arg, enum zram_which *ret)
{
	static const char *const words[] = { "idle", "huge", "huge_idle", "none", NULL };
	size_t i = opt_word(state, option, arg, words);

	if (i < 3)
		*ret = (enum zram_which)i;
	return i < 3;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct maintain_opts *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		o->req = (struct zram_maintain_request){
			.recompress = ZRAM_WHICH_IDLE,
			.writeback = ZRAM_WHICH_HUGE_IDLE,
			.want_recompress = true,
			.want_writeback = true,
			.want_compact = true,
			.cpu_budget_ns = NSEC_PER_SEC,
			.write_budget_bytes = 64 * MiB,
		};
		return 0;
	case KEY_AGE:
		o->req.idle_seconds = opt_duration(state, "--idle-age", arg, NSEC_PER_SEC, UINT64_C(86400) * 365 * NSEC_PER_SEC) /
				      NSEC_PER_SEC;
		return 0;
	case KEY_RECOMPRESS:
		o->req.want_recompress = parse_which(state, "--recompress", arg, &o->req.recompress);
		return 0;
	case KEY_WRITEBACK:
		o->req.want_writeback = parse_which(state, "--writeback", arg, &o->req.writeback);
		return 0;
	case KEY_THRESHOLD:
		o->req.threshold_bytes = opt_size(state, "--threshold", arg, 1, 4 * KiB);
		return 0;
	case KEY_CPU:
		o->req.cpu_budget_ns = opt_duration(state, "--cpu-budget", arg, NSEC_PER_MSEC, 3600 * NSEC_PER_SEC);
		return 0;
	case KEY_WRITE:
		o->req.write_budget_bytes = opt_size(state, "--write-budget", arg, 0, UINT64_C(1) << 46);
		return 0;
	case KEY_NO_COMPACT:
		o->req.want_compact = false;
		return 0;
	case KEY_EVERY:
		o->every_ns = opt_duration(state, "--every", arg, 100 * NSEC_PER_MSEC, UINT64_C(86400) * 7 * NSEC_PER_SEC);
		return 0;
	case KEY_ROUNDS:
		o->rounds = opt_u64(state, "--rounds", arg, 1, UINT32_MAX);
		return 0;
	case ARGP_KEY_END:
		if (o->rounds && !o->every_ns)
			argp_error(state, "--rounds is for --every");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = { options, parse, NULL, NULL, NULL, NULL, NULL };

enum {
	COL_EVENT,
	COL_TIME,
	COL_ROUND,
	COL_DEVICE,
	COL_PART,
	COL_STATE,
	COL_CPU,
	COL_CALLS,
	COL_NOTE,
	N_COLS,
};

static const struct out_col columns[N_COLS] = {
	[COL_EVENT] = { "event", "EVENT", OUT_STR, 5, OUT_NOT_TABLE | OUT_TAG },
	[COL_TIME] = { "ts_ns", "TIME", OUT_TIME, 12, OUT_WIDE },
	[COL_ROUND] = { "round", "ROUND", OUT_U64, 5, 0 },
	[COL_DEVICE] = { "device", "DEVICE", OUT_STR, 6, 0 },
	[COL_PART] = { "part", "PART", OUT_STR, 10, 0 },
	[COL_STATE] = { "state", "STATE", OUT_STR, 7, 0 },
	[COL_CPU] = { "cpu_ns", "CPU", OUT_NS, 7, 0 },
	[COL_CALLS] = { "calls", "CALLS", OUT_U64, 5, OUT_WIDE },
	[COL_NOTE] = { "note", "NOTE", OUT_STR, 0, 0 },
};

/*
 * Marks outlive the process that made them, so that a timer can start one for each round. A note that is
 * out of date does no harm: a device that was reset has no marks, and nothing is idle.
 */
static void marked_path(unsigned id, char buf[64])
{
	snprintf(buf, 64, ZRAM_STATE_DIR "/pool-zram%u.marked", id);
}

static bool is_marked(unsigned id)
{
	char path[64];

	marked_path(id, path);
	return !access(path, F_OK);
}

static void note_marked(unsigned id)
{
	char path[64];
	int fd;

	if (mkdir(ZRAM_STATE_DIR, 0755) && errno != EEXIST)
		return;
	marked_path(id, path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0)
		close(fd);
}

static int print_round(struct out_stream *s, const struct zram_maintain_result *r, uint64_t round)
{
	int err = 0;

	for (size_t i = 0; i < ZRAM_PARTS && !err; i++) {
		const struct zram_part_result *p = &r->part[i];

		err = out_stream_row(s, (struct out_val[]){
						OUT_S("part"),
						OUT_U(clock_ns(CLOCK_REALTIME)),
						OUT_U(round),
						OUT_S(r->before.name),
						OUT_S(zram_part_name((enum zram_part)i)),
						OUT_S(zram_part_state_name(p->state)),
						OUT_U(p->cpu_ns),
						OUT_U(p->calls),
						OUT_S(p->err ? strerror(-p->err) : p->why),
					});
	}
	return err ? err : out_stream_flush(s);
}

struct totals {
	struct zram_device first, last;
	uint64_t rounds, cpu_ns, failed;
	uint64_t start_ns;
};

static int print_summary(const struct cmd *cmd, struct out_stream *s, const struct totals *t)
{
	const struct zram_mm *a = &t->first.mm, *b = &t->last.mm;
	struct own_cost cost = own_cost();
	char from[FORMAT_MAX], to[FORMAT_MAX], on_disk[FORMAT_MAX], cpu[FORMAT_MAX];
	json_object *obj;
	int err;

	cmd_notice(cmd, "memory used %s, before %s; %s on the backing device; %s of CPU", format_size(b->mem_used, to),
		   format_size(a->mem_used, from), format_size(t->last.bd.count * 4096, on_disk), format_duration(t->cpu_ns, cpu));
	if (s->format != OUT_JSON && s->format != OUT_PRETTY)
		return 0;
	obj = json_object_new_object();
	json_object_object_add(obj, "event", json_object_new_string("summary"));
	json_object_object_add(obj, "schema", json_object_new_string("memscope.pool-maintain/1"));
	json_object_object_add(obj, "device", json_object_new_string(t->first.name));
	json_object_object_add(obj, "rounds", json_object_new_uint64(t->rounds));
	json_object_object_add(obj, "orig_bytes", json_object_new_uint64(b->orig));
	json_object_object_add(obj, "compr_before_bytes", json_object_new_uint64(a->compr));
	json_object_object_add(obj, "compr_bytes", json_object_new_uint64(b->compr));
	json_object_object_add(obj, "mem_used_before_bytes", json_object_new_uint64(a->mem_used));
	json_object_object_add(obj, "mem_used_bytes", json_object_new_uint64(b->mem_used));
	json_object_object_add(obj, "backing_before_bytes", json_object_new_uint64(t->first.bd.count * 4096));
	json_object_object_add(obj, "backing_bytes", json_object_new_uint64(t->last.bd.count * 4096));
	json_object_object_add(obj, "failed_parts", json_object_new_uint64(t->failed));
	json_object_object_add(obj, "seconds", out_json_f64((double)(now_ns() - t->start_ns) / 1e9));
	json_object_object_add(obj, "own_cpu_ms", json_object_new_uint64(cost.cpu_ms));
	json_object_object_add(obj, "own_peak_rss_bytes", json_object_new_uint64(cost.peak_rss_bytes));
	err = out_stream_json(s, obj);
	json_object_put(obj);
	return err ? err : out_stream_flush(s);
}

static int one_round(const struct cmd *cmd, const struct maintain_opts *o, unsigned id, struct out_stream *s, struct totals *t,
		     int *ret_err)
{
	static bool (*stop)(void) = pool_interrupted;
	struct zram_maintain_request req = o->req;
	struct zram_maintain_result r;
	int code = EXIT_OK, err;
	/* Only for the round: between rounds the pool may be reset. Shared, as a trigger may well run. */
	_cleanup_close_ int lock = pool_lock(cmd, (int)id, true, &code);

	if (lock < 0)
		return code;
	req.first = !is_marked(id);
	err = zram_maintain(id, &req, &zram_maintain_kernel_ops, &stop, &r);
	if (err)
		return cmd_exit(cmd, EXIT_REFUSED, "zram%u is not configured any more", id);
	if (r.part[ZRAM_PART_MARK].err == -EACCES || r.part[ZRAM_PART_MARK].err == -EPERM)
		return cmd_exit(cmd, EXIT_REFUSED, "/sys/block/zram%u may not be written: run as root", id);
	if (r.part[ZRAM_PART_MARK].state == ZRAM_DONE)
		note_marked(id);
	if (!t->rounds++)
		t->first = r.before;
	t->last = r.after;
	t->cpu_ns += r.cpu_ns;
	for (size_t i = 0; i < ZRAM_PARTS; i++)
		t->failed += r.part[i].state == ZRAM_FAILED;
	*ret_err = print_round(s, &r, t->rounds);
	return EXIT_OK;
}

static int maintain(const struct cmd *cmd, const struct pool_facts *facts _unused_, const struct zram_device *d)
{
	const struct maintain_opts *o = cmd->opts;
	struct totals t = { .start_ns = now_ns() };
	struct out_stream stream;
	uint64_t next = t.start_ns;
	int code = EXIT_OK, err;

	pool_catch_signals();
	/* Who may not do it is to get no heading either. */
	err = pool_lock(cmd, (int)d->id, true, &code);
	if (err < 0)
		return code;
	close(err);
	err = out_stream_init(&stream, STDOUT_FILENO, cmd->out.format, cmd->out.wide, columns, N_COLS);
	do {
		code = one_round(cmd, o, d->id, &stream, &t, &err);
		if (code || err || !o->every_ns || t.rounds == o->rounds)
			break;
		next += o->every_ns;
		pool_sleep_until(next);
	} while (!pool_interrupted());
	if (!code && !err)
		err = print_summary(cmd, &stream, &t);
	out_stream_release(&stream);
	if (err && err != -EPIPE)
		return cmd_fail(cmd, err, "writing the result");
	if (!code && t.failed)
		return cmd_exit(cmd, EXIT_FAILED, "%" PRIu64 " parts failed", t.failed);
	return code;
}

static int run(struct cmd *cmd)
{
	const struct maintain_opts *o = cmd->opts;

	return pool_run_on(cmd, o->device, maintain);
}

const struct command cmd_pool_maintain = {
	.name = "maintain",
	.brief = "recompress and write back what is idle, and compact",
	.doc = "A round has four parts, and each says what became of it: recompression of idle pages with the second "
	       "algorithm (pool setup --recompress), writeback to the backing device (pool setup --backing), compaction of the "
	       "allocator, and marking of all pages as idle, which a later access takes away. So the pages that a round "
	       "works on were not touched since the round before. A part that the kernel or the device lacks is "
	       "named, and the rest is done.\n\n"
	       "The timer memscope-pool-maintain.timer does a round every ten minutes.",
	.parts = (const struct cmd_part[]){ { &pool_device_argp, 0 }, { &argp, 0 }, {} },
	.opts_size = sizeof(struct maintain_opts),
	.run = run,
	.needs = FEATURE(ZRAM),
	.uses = FEATURE(ZRAM_RECOMP),
	.examples = (const struct cmd_example[]){
		{ "sudo memscope pool setup --size 64M && sudo memscope pool maintain; sudo memscope pool reset", "one round",
		  EXAMPLE_RUN },
		{ "sudo memscope pool setup --size 64M && sudo memscope pool maintain --every 1s --rounds 2 --cpu-budget 100ms; "
		  "sudo memscope pool reset", "rounds with a budget", EXAMPLE_RUN },
		{},
	},
};
