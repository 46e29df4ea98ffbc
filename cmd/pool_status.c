/* SPDX-License-Identifier: BSD-2-Clause */
/* memscope pool status: what every zram device holds and takes, once or as it changes. */
#include <inttypes.h>
#include <string.h>

#include "cmd/pool_common.h"
#include "lib/file.h"
#include "lib/parse.h"

struct status_opts {
	int device;
	const char *sysroot;
	bool watch, blocks;
	uint64_t interval_ns, duration_ns;
};

enum {
	KEY_SYSROOT = 0x100,
	KEY_BLOCKS,
	KEY_DURATION,
};

static const struct argp_option options[] = {
	{ "device", 'd', "zramN|auto", 0, "Only this device (default: auto, all of them)", 1 },
	{ "watch", 'w', NULL, 0, "A row for each interval until Ctrl-C", 1 },
	{ "interval", 'i', "TIME", 0, "Time between rows (default 1s)", 1 },
	{ "duration", KEY_DURATION, "TIME", 0, "End of --watch", 1 },
	{ "blocks", KEY_BLOCKS, NULL, 0, "Count recompressed and idle pages in debugfs (root; reads a line for each page)", 1 },
	{ "sysroot", KEY_SYSROOT, "DIR", 0, "Read DIR/proc and DIR/sys, copied from another machine", 1 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct status_opts *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		o->device = -1;
		o->interval_ns = NSEC_PER_SEC;
		return 0;
	case 'd':
		o->device = pool_opt_device(state, "--device", arg);
		return 0;
	case 'w':
		o->watch = true;
		return 0;
	case 'i':
		o->interval_ns = opt_duration(state, "--interval", arg, 10 * NSEC_PER_MSEC, 3600 * NSEC_PER_SEC);
		return 0;
	case KEY_DURATION:
		o->duration_ns = opt_duration(state, "--duration", arg, NSEC_PER_MSEC, UINT64_C(86400) * 365 * NSEC_PER_SEC);
		return 0;
	case KEY_BLOCKS:
		o->blocks = true;
		return 0;
	case KEY_SYSROOT:
		o->sysroot = arg;
		file_set_sysroot(arg);
		return 0;
	case ARGP_KEY_END:
		if (o->duration_ns && !o->watch)
			argp_error(state, "--duration is for --watch");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = { options, parse, NULL, NULL, NULL, NULL, NULL };

enum {
	COL_TIME,
	COL_DEVICE,
	COL_STATE,
	COL_ALGO,
	COL_RECOMP,
	COL_DISKSIZE,
	COL_ORIG,
	COL_COMPR,
	COL_MEM_USED,
	COL_MEM_LIMIT,
	COL_MEM_USED_MAX,
	COL_RATIO,
	COL_RATIO_MEM,
	COL_OVERHEAD,
	COL_SWAP_USED,
	COL_PRIORITY,
	COL_SAME,
	COL_HUGE,
	COL_HUGE_SINCE,
	COL_COMPACTED,
	COL_READS,
	COL_WRITES,
	COL_DISCARDS,
	COL_NOTIFY_FREE,
	COL_FAILED_READS,
	COL_FAILED_WRITES,
	COL_INVALID,
	COL_BACKING,
	COL_BD_COUNT,
	COL_BD_READS,
	COL_BD_WRITES,
	COL_RECOMPRESSED,
	COL_IDLE,
	COL_INCOMPRESSIBLE,
	N_COLS,
};

/* 80 columns of a table; everything in the machine formats and with --wide. */
static const struct out_col all_columns[N_COLS] = {
	[COL_TIME] = { "ts_ns", "TIME", OUT_TIME, 12, OUT_OFF },
	[COL_DEVICE] = { "device", "DEVICE", OUT_STR, 6, 0 },
	[COL_STATE] = { "state", "STATE", OUT_STR, 6, 0 },
	[COL_ALGO] = { "algorithm", "ALGO", OUT_STR, 7, 0 },
	[COL_RECOMP] = { "recompress", "RECOMP", OUT_STR, 7, OUT_WIDE },
	[COL_DISKSIZE] = { "disksize_bytes", "SIZE", OUT_BYTES, 6, 0 },
	[COL_ORIG] = { "orig_bytes", "ORIG", OUT_BYTES, 6, 0 },
	[COL_COMPR] = { "compr_bytes", "COMPR", OUT_BYTES, 6, 0 },
	[COL_MEM_USED] = { "mem_used_bytes", "USED", OUT_BYTES, 6, 0 },
	[COL_MEM_LIMIT] = { "mem_limit_bytes", "LIMIT", OUT_BYTES, 6, 0 },
	[COL_MEM_USED_MAX] = { "mem_used_max_bytes", "MAX", OUT_BYTES, 6, OUT_WIDE },
	[COL_RATIO] = { "ratio", "RATIO", OUT_F64, 6, 0 },
	[COL_RATIO_MEM] = { "ratio_mem", "EFFECT", OUT_F64, 6, 0 },
	[COL_OVERHEAD] = { "overhead_bytes", "OVERHD", OUT_BYTES, 6, OUT_WIDE },
	[COL_SWAP_USED] = { "swap_used_bytes", "SWAPPED", OUT_BYTES, 7, 0 },
	[COL_PRIORITY] = { "swap_priority", "PRIO", OUT_I64, 4, OUT_WIDE },
	[COL_SAME] = { "same_pages", "SAME", OUT_U64, 7, OUT_WIDE },
	[COL_HUGE] = { "huge_pages", "HUGE", OUT_U64, 6, 0 },
	[COL_HUGE_SINCE] = { "huge_pages_since", "HUGEEVER", OUT_U64, 8, OUT_WIDE },
	[COL_COMPACTED] = { "pages_compacted", "COMPACTED", OUT_U64, 9, OUT_WIDE },
	[COL_READS] = { "reads", "READS", OUT_U64, 8, OUT_WIDE },
	[COL_WRITES] = { "writes", "WRITES", OUT_U64, 8, OUT_WIDE },
	[COL_DISCARDS] = { "discards", "DISCARDS", OUT_U64, 8, OUT_WIDE },
	[COL_NOTIFY_FREE] = { "notify_free", "FREED", OUT_U64, 8, OUT_WIDE },
	[COL_FAILED_READS] = { "failed_reads", "RFAIL", OUT_U64, 5, OUT_WIDE },
	[COL_FAILED_WRITES] = { "failed_writes", "WFAIL", OUT_U64, 5, OUT_WIDE },
	[COL_INVALID] = { "invalid_io", "INVALID", OUT_U64, 7, OUT_WIDE },
	[COL_BACKING] = { "backing", "BACKING", OUT_STR, 8, OUT_WIDE },
	[COL_BD_COUNT] = { "backing_bytes", "ONBACK", OUT_BYTES, 6, OUT_WIDE },
	[COL_BD_READS] = { "backing_read_bytes", "BACKRD", OUT_BYTES, 6, OUT_WIDE },
	[COL_BD_WRITES] = { "backing_written_bytes", "BACKWR", OUT_BYTES, 6, OUT_WIDE },
	[COL_RECOMPRESSED] = { "recompressed_pages", "RECOMPD", OUT_U64, 7, OUT_WIDE },
	[COL_IDLE] = { "idle_pages", "IDLE", OUT_U64, 7, OUT_WIDE },
	[COL_INCOMPRESSIBLE] = { "incompressible_pages", "INCOMP", OUT_U64, 6, OUT_WIDE },
};

static struct out_val ratio(uint64_t a, uint64_t b)
{
	return b ? OUT_F((double)a / (double)b) : OUT_NULL;
}

static void fill_mm(const struct zram_mm *mm, struct out_val *v)
{
	v[COL_ORIG] = OUT_U(mm->orig);
	v[COL_COMPR] = OUT_U(mm->compr);
	v[COL_MEM_USED] = OUT_U(mm->mem_used);
	v[COL_MEM_LIMIT] = mm->mem_limit ? OUT_U(mm->mem_limit) : OUT_NULL;
	v[COL_MEM_USED_MAX] = OUT_U(mm->mem_used_max);
	v[COL_RATIO] = ratio(mm->orig, mm->compr);
	v[COL_RATIO_MEM] = ratio(mm->orig, mm->mem_used);
	/* The kernel takes the two one after the other: under load they may cross for a moment. */
	v[COL_OVERHEAD] = OUT_U(mm->mem_used > mm->compr ? mm->mem_used - mm->compr : 0);
	v[COL_SAME] = OUT_U(mm->same_pages);
	v[COL_COMPACTED] = OUT_U(mm->pages_compacted);
	if (mm->n_fields > 7)
		v[COL_HUGE] = OUT_U(mm->huge_pages);
	if (mm->n_fields > 8)
		v[COL_HUGE_SINCE] = OUT_U(mm->huge_pages_since);
}

static void fill_blocks(unsigned id, struct out_val *v)
{
	struct zram_blocks b;

	if (zram_read_blocks(id, &b))
		return;
	v[COL_RECOMPRESSED] = OUT_U(b.recompressed);
	v[COL_IDLE] = OUT_U(b.idle);
	v[COL_INCOMPRESSIBLE] = OUT_U(b.incompressible);
}

static void fill(const struct status_opts *o, const struct pool_facts *facts, const struct zram_device *d,
		 struct out_val v[N_COLS])
{
	const struct swap_area *area = swaps_find(facts->swaps, facts->f.n_swaps, d->name);

	memset(v, 0, N_COLS * sizeof(*v));
	v[COL_DEVICE] = OUT_S(d->name);
	v[COL_STATE] = OUT_S(area ? "swap" : d->initialised ? "raw" : "free");
	v[COL_ALGO] = OUT_S(zram_algo(&d->algos));
	v[COL_RECOMP] = OUT_S(d->recomp[1].n ? zram_algo(&d->recomp[1]) : NULL);
	v[COL_DISKSIZE] = OUT_U(d->disksize);
	if (d->have_mm)
		fill_mm(&d->mm, v);
	if (area) {
		v[COL_SWAP_USED] = OUT_U(area->used_bytes);
		v[COL_PRIORITY] = OUT_I(area->priority);
	}
	if (d->have_block) {
		v[COL_READS] = OUT_U(d->block.reads);
		v[COL_WRITES] = OUT_U(d->block.writes);
		v[COL_DISCARDS] = OUT_U(d->block.discards);
	}
	if (d->have_io) {
		v[COL_NOTIFY_FREE] = OUT_U(d->io.notify_free);
		v[COL_FAILED_READS] = OUT_U(d->io.failed_reads);
		v[COL_FAILED_WRITES] = OUT_U(d->io.failed_writes);
		v[COL_INVALID] = OUT_U(d->io.invalid_io);
	}
	if (d->backing[0])
		v[COL_BACKING] = OUT_S(d->backing);
	if (d->have_bd) {
		v[COL_BD_COUNT] = OUT_U(d->bd.count * 4096);
		v[COL_BD_READS] = OUT_U(d->bd.reads * 4096);
		v[COL_BD_WRITES] = OUT_U(d->bd.writes * 4096);
	}
	if (o->blocks && d->initialised)
		fill_blocks(d->id, v);
}

/* Each device that is asked for, to the sheet or the stream. */
static int put_devices(const struct status_opts *o, const struct pool_facts *facts, struct out_sheet *sheet,
		       struct out_stream *stream, uint64_t realtime_ns)
{
	struct out_val v[N_COLS];
	int err = 0;

	for (size_t i = 0; i < facts->f.n_devices && !err; i++) {
		const struct zram_device *d = &facts->devices[i];

		if (o->device >= 0 && d->id != (unsigned)o->device)
			continue;
		fill(o, facts, d, v);
		v[COL_TIME] = OUT_U(realtime_ns);
		err = sheet ? out_sheet_add(sheet, v) : out_stream_row(stream, v);
	}
	return err;
}

static int check_device(const struct cmd *cmd, const struct status_opts *o, const struct pool_facts *facts)
{
	if (o->device >= 0 && !pool_find(facts, (unsigned)o->device))
		return cmd_exit(cmd, EXIT_REFUSED, "there is no zram%d", o->device);
	return EXIT_OK;
}

static void tell_blocks(const struct cmd *cmd, const struct status_opts *o, const struct pool_facts *facts)
{
	struct zram_blocks b;
	int err = 0;

	for (size_t i = 0; o->blocks && i < facts->f.n_devices; i++)
		if (facts->devices[i].initialised && (err = zram_read_blocks(facts->devices[i].id, &b)))
			break;
	if (err == -EACCES || err == -EPERM)
		cmd_warn(cmd, "--blocks: debugfs may not be read: run as root");
	else if (err)
		cmd_warn(cmd, "--blocks: no block_state in debugfs: mount -t debugfs none /sys/kernel/debug, and a kernel with "
			      "CONFIG_ZRAM_MEMORY_TRACKING=y");
}

static int once(const struct cmd *cmd, const struct status_opts *o, const struct pool_facts *facts)
{
	_cleanup_(out_sheet_freep) struct out_sheet *sheet = out_sheet_new(all_columns, N_COLS);
	json_object *obj;
	int code;

	if (!sheet || put_devices(o, facts, sheet, NULL, 0))
		return cmd_fail(cmd, -ENOMEM, "printing");
	tell_blocks(cmd, o, facts);
	if (facts->f.zswap)
		cmd_notice(cmd, "zswap is on: it takes pages before they reach any of these");
	if (cmd->out.format != OUT_JSON && cmd->out.format != OUT_PRETTY) {
		if (!out_sheet_rows(sheet))
			cmd_notice(cmd, "no zram device; 'memscope pool setup' makes one");
		return cmd_print_sheet(cmd, sheet);
	}
	obj = json_object_new_object();
	json_object_object_add(obj, "schema", json_object_new_string("memscope.pool-status/1"));
	json_object_object_add(obj, "zswap", json_object_new_boolean(facts->f.zswap));
	json_object_object_add(obj, "mem_total_bytes", json_object_new_uint64(facts->f.mem_total));
	json_object_object_add(obj, "mem_available_bytes", json_object_new_uint64(facts->f.mem_available));
	json_object_object_add(obj, "devices", out_sheet_json(sheet));
	code = cmd_print_json(cmd, obj);
	json_object_put(obj);
	return code;
}

/* ---- watching ---- */

static int print_summary(const struct cmd *cmd, struct out_stream *s, uint64_t samples, double seconds)
{
	struct own_cost cost = own_cost();
	char rss[FORMAT_MAX];

	cmd_notice(cmd, "%" PRIu64 " samples, %.2f s; own cost %" PRIu64 " ms CPU, %s peak RSS", samples, seconds, cost.cpu_ms,
		   format_size(cost.peak_rss_bytes, rss));
	if (s->format == OUT_JSON || s->format == OUT_PRETTY) {
		json_object *obj = json_object_new_object();

		json_object_object_add(obj, "event", json_object_new_string("summary"));
		json_object_object_add(obj, "schema", json_object_new_string("memscope.pool-watch/1"));
		json_object_object_add(obj, "samples", json_object_new_uint64(samples));
		json_object_object_add(obj, "lost", json_object_new_uint64(0));
		json_object_object_add(obj, "seconds", out_json_f64(seconds));
		json_object_object_add(obj, "own_cpu_ms", json_object_new_uint64(cost.cpu_ms));
		json_object_object_add(obj, "own_peak_rss_bytes", json_object_new_uint64(cost.peak_rss_bytes));
		out_stream_json(s, obj);
		json_object_put(obj);
	}
	return out_stream_flush(s);
}

static int watch(const struct cmd *cmd, const struct status_opts *o)
{
	struct out_col columns[N_COLS];
	struct out_stream stream = {};
	uint64_t start = now_ns(), next = start, samples = 0;
	struct pool_facts facts;
	int err, code = EXIT_OK;

	memcpy(columns, all_columns, sizeof(columns));
	columns[COL_TIME].flags = 0;
	/* Room for the time in 80 columns. */
	columns[COL_STATE].flags = columns[COL_DISKSIZE].flags = columns[COL_RATIO].flags = OUT_WIDE;
	pool_catch_signals();
	err = out_stream_init(&stream, STDOUT_FILENO, cmd->out.format, cmd->out.wide, columns, N_COLS);
	while (!err && !code && !pool_interrupted()) {
		code = pool_facts_read(cmd, &facts);
		if (code)
			break;
		err = put_devices(o, &facts, NULL, &stream, clock_ns(CLOCK_REALTIME));
		pool_facts_release(&facts);
		if (!err)
			err = out_stream_flush(&stream);
		samples++;
		next += o->interval_ns;
		if (o->duration_ns && next - start > o->duration_ns)
			break;
		pool_sleep_until(next);
	}
	if (!err && !code)
		err = print_summary(cmd, &stream, samples, (double)(now_ns() - start) / 1e9);
	out_stream_release(&stream);
	/* A reader that has seen enough is no failure. */
	return err && err != -EPIPE ? cmd_fail(cmd, err, "writing the rows") : code;
}

static int run(struct cmd *cmd)
{
	const struct status_opts *o = cmd->opts;
	struct pool_facts facts;
	int code = pool_facts_read(cmd, &facts);

	if (code)
		return code;
	code = check_device(cmd, o, &facts);
	if (!code && !o->watch)
		code = once(cmd, o, &facts);
	pool_facts_release(&facts);
	return !code && o->watch ? watch(cmd, o) : code;
}

const struct command cmd_pool_status = {
	.name = "status",
	.brief = "show what zram devices hold, take and save",
	.doc = "ORIG is what programs had, COMPR its compressed size, USED the memory that this takes in the allocator. RATIO is "
	       "ORIG/COMPR, what the algorithm did; EFFECT is ORIG/USED, what the machine got. HUGE counts pages that did not "
	       "compress. --wide and the machine formats have the rest; what a kernel does not tell is empty. Needs no root.",
	.parts = (const struct cmd_part[]){ { &argp, 0 }, {} },
	.opts_size = sizeof(struct status_opts),
	.run = run,
	.needs = FEATURE(ZRAM),
	.examples = (const struct cmd_example[]){
		{ "memscope pool status", "all devices", EXAMPLE_RUN },
		{ "memscope pool status --watch --interval 500ms --json", "JSON lines until Ctrl-C", EXAMPLE_SIGINT },
		{},
	},
};
