/* SPDX-License-Identifier: BSD-2-Clause */
/* memscope pool trigger compress|decompress: pages of our own through the pool, measured and verified. */
#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>

#include "cmd/pool_common.h"
#include "lib/file.h"
#include "lib/input.h"
#include "lib/parse.h"
#include "lib/reclaim.h"
#include "workloads/pool_pressure.h"

#define SCHEMA "memscope.pool-trigger/1"

struct profile {
	const char *name;
	enum pressure_mode mode;
	uint64_t size, limit;
};

struct trigger_opts {
	int device; /* first: the input of pool_device_argp */
	const struct profile *profile;
	uint64_t size, limit; /* 0: the profile's */
	uint64_t seconds;
	enum dataset_kind dataset;
	const char *image;
	uint64_t seed;
	bool trace;
	uint64_t interval_ns;
};

static const struct profile compress_profiles[] = {
	{ "light", PRESSURE_COMPRESS, 64 * MiB, 32 * MiB },
	{ "medium", PRESSURE_COMPRESS, 256 * MiB, 96 * MiB },
	{ "heavy", PRESSURE_COMPRESS, 1024 * MiB, 256 * MiB },
	{ 0 },
};

static const struct profile decompress_profiles[] = {
	{ "readback", PRESSURE_READBACK, 128 * MiB, 32 * MiB },
	{ "burst", PRESSURE_BURST, 128 * MiB, 48 * MiB },
	{ 0 },
};

enum {
	KEY_PROFILE = 0x100,
	KEY_SIZE,
	KEY_LIMIT,
	KEY_SECONDS,
	KEY_DATASET,
	KEY_IMAGE,
	KEY_SEED,
	KEY_TRACE,
};

#define COMMON_OPTIONS                                                                                                \
	{ "size", KEY_SIZE, "SIZE", 0, "Memory of the workload (default: the profile's)", 1 },                          \
	{ "limit", KEY_LIMIT, "SIZE", 0, "Limit of its memory cgroup, less than --size (default: the profile's)", 1 }, \
	{ "duration-sec", KEY_SECONDS, "N", 0, "Seconds of work after all pages are out, 1 to 3600 (default 5)", 1 },    \
	{ "dataset", KEY_DATASET, "NAME", 0, "Contents: repetitive, unique, mixed_50_50, text, heap (default)", 1 },    \
	{ "image", KEY_IMAGE, "FILE", 0, "Contents from a file, such as an image of real memory", 1 },                  \
	{ "seed", KEY_SEED, "N", 0, "Seed of contents and order (default 1)", 1 },                                      \
	{ "trace", KEY_TRACE, NULL, 0, "A row for each interval: zram, swap, faults and reclaim on one timeline", 1 },  \
	{ "interval", 'i', "TIME", 0, "Time between rows of --trace (default 500ms)", 1 },                              \
	{ 0 }

static const struct argp_option compress_options[] = {
	{ "profile", KEY_PROFILE, "NAME", 0, "light (64M, default), medium (256M) or heavy (1G)", 1 },
	COMMON_OPTIONS,
};

static const struct argp_option decompress_options[] = {
	{ "profile", KEY_PROFILE, "NAME", 0,
	  "readback (single pages in random order, default) or burst (neighbours, with pauses, under the limit)", 1 },
	COMMON_OPTIONS,
};

static const struct profile *find_profile(const struct argp_state *state, const char *arg, const struct profile *profiles)
{
	const char *words[8] = {};

	for (size_t i = 0; profiles[i].name; i++)
		words[i] = profiles[i].name;
	return &profiles[opt_word(state, "--profile", arg, words)];
}

static enum dataset_kind find_dataset(const struct argp_state *state, const char *arg)
{
	const char *words[DATASET_COUNT + 1] = {};

	for (size_t i = 0; i < DATASET_COUNT; i++)
		words[i] = dataset_info((enum dataset_kind)i)->name;
	return (enum dataset_kind)opt_word(state, "--dataset", arg, words);
}

static error_t parse(int key, char *arg, struct argp_state *state, const struct profile *profiles)
{
	struct trigger_opts *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		o->profile = profiles;
		o->seconds = 5;
		o->seed = 1;
		o->dataset = DATASET_HEAP;
		o->interval_ns = 500 * NSEC_PER_MSEC;
		return 0;
	case KEY_PROFILE:
		o->profile = find_profile(state, arg, profiles);
		return 0;
	case KEY_SIZE:
		o->size = opt_size(state, "--size", arg, 4 * MiB, 256 * GiB);
		return 0;
	case KEY_LIMIT:
		o->limit = opt_size(state, "--limit", arg, 2 * MiB, 256 * GiB);
		return 0;
	case KEY_SECONDS:
		o->seconds = opt_u64(state, "--duration-sec", arg, 1, 3600);
		return 0;
	case KEY_DATASET:
		o->dataset = find_dataset(state, arg);
		return 0;
	case KEY_IMAGE:
		o->image = arg;
		return 0;
	case KEY_SEED:
		o->seed = opt_u64(state, "--seed", arg, 0, UINT64_MAX);
		return 0;
	case KEY_TRACE:
		o->trace = true;
		return 0;
	case 'i':
		o->interval_ns = opt_duration(state, "--interval", arg, 20 * NSEC_PER_MSEC, 60 * NSEC_PER_SEC);
		return 0;
	case ARGP_KEY_END:
		/* A profile's limit scales with another size. */
		if (!o->size)
			o->size = o->profile->size;
		if (!o->limit)
			o->limit = MAX((uint64_t)((double)o->size * (double)o->profile->limit /
						  (double)o->profile->size), 2 * MiB);
		o->size = ROUND_UP(o->size, 64 * KiB);
		o->limit = ROUND_UP(o->limit, 64 * KiB);
		if (o->limit >= o->size)
			argp_error(state, "--limit must be less than --size, or nothing would be pushed out");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_compress(int key, char *arg, struct argp_state *state)
{
	return parse(key, arg, state, compress_profiles);
}

static error_t parse_decompress(int key, char *arg, struct argp_state *state)
{
	return parse(key, arg, state, decompress_profiles);
}

static const struct argp compress_argp = { compress_options, parse_compress, NULL, NULL, NULL, NULL, NULL };
static const struct argp decompress_argp = { decompress_options, parse_decompress, NULL, NULL, NULL, NULL, NULL };

/* ---- checks ---- */

/* Pages of ours have to go to this pool: nothing with a higher priority may have room. */
static int check_target(const struct cmd *cmd, const struct trigger_opts *o, const struct pool_facts *facts,
			const struct zram_device *d)
{
	const struct swap_area *area = swaps_find(facts->swaps, facts->f.n_swaps, d->name);
	char a[FORMAT_MAX], b[FORMAT_MAX];
	uint64_t limit_left;

	if (!area)
		return cmd_exit(cmd, EXIT_REFUSED, "%s is not swapped to: reset it and run 'memscope pool setup' without --raw",
				d->name);
	for (size_t i = 0; i < facts->f.n_swaps; i++) {
		const struct swap_area *other = &facts->swaps[i];

		if (other != area && other->priority >= area->priority && other->used_bytes < other->size_bytes)
			return cmd_exit(cmd, EXIT_REFUSED, "pages would go to %s too, which has priority %d and %s has %d: set the "
							   "pool up with a higher --priority", other->path, other->priority,
					d->name, area->priority);
	}
	if (o->size > area->size_bytes - area->used_bytes)
		return cmd_exit(cmd, EXIT_REFUSED, "%s of pages do not fit: %s has %s free; give a smaller --size",
				format_size(o->size, a), d->name, format_size(area->size_bytes - area->used_bytes, b));
	/* While pages are read back they are in memory and in the pool. */
	if (o->size + o->size / 2 > facts->f.mem_available)
		return cmd_exit(cmd, EXIT_REFUSED, "%s of pages and their compressed copies could take more than the %s of memory "
						   "that are available; give a smaller --size",
				format_size(o->size, a), format_size(facts->f.mem_available, b));
	limit_left = d->have_mm && d->mm.mem_limit ? d->mm.mem_limit - MIN(d->mm.mem_limit, d->mm.mem_used) : UINT64_MAX;
	if (limit_left < o->size / 8)
		return cmd_exit(cmd, EXIT_REFUSED, "%s may take only %s more (mem_limit), too little for %s of pages: give a "
						   "smaller --size", d->name, format_size(limit_left, b), format_size(o->size, a));
	if (facts->f.zswap)
		cmd_warn(cmd, "zswap is on: pages may stay there and not reach %s; 'echo N > "
			      "/sys/module/zswap/parameters/enabled' turns it off", d->name);
	return EXIT_OK;
}

/* ---- timeline ---- */

enum {
	T_TIME,
	T_PHASE,
	T_ORIG,
	T_COMPR,
	T_USED,
	T_OUT,
	T_IN,
	T_MAJOR,
	T_HITS,
	T_STALL,
	T_CGROUP,
	T_COLS,
};

static const struct out_col trace_columns[T_COLS] = {
	[T_TIME] = { "t_ns", "T", OUT_NS, 7, 0 },
	[T_PHASE] = { "phase", "PHASE", OUT_STR, 7, 0 },
	[T_ORIG] = { "orig_bytes", "ORIG", OUT_BYTES, 6, 0 },
	[T_COMPR] = { "compr_bytes", "COMPR", OUT_BYTES, 6, 0 },
	[T_USED] = { "mem_used_bytes", "USED", OUT_BYTES, 6, 0 },
	[T_OUT] = { "swapped_out_pages", "OUT", OUT_U64, 7, 0 },
	[T_IN] = { "swapped_in_pages", "IN", OUT_U64, 7, 0 },
	[T_MAJOR] = { "major_faults", "MAJFLT", OUT_U64, 7, 0 },
	[T_HITS] = { "limit_hits", "LIMITED", OUT_U64, 7, 0 },
	[T_STALL] = { "psi_some_us", "STALLUS", OUT_U64, 7, 0 },
	[T_CGROUP] = { "cgroup_bytes", "CGROUP", OUT_BYTES, 6, 0 },
};

struct timeline {
	bool on;
	struct out_stream stream;
	uint64_t start_ns, next_ns, interval_ns, rows, hits, major;
	struct reclaim_vmstat vm;
	struct reclaim_psi psi;
	bool have_psi;
};

/* Of the whole machine; the workload's own are in the result. */
static uint64_t major_faults(void)
{
	_cleanup_free_ char *text = NULL;
	uint64_t n = 0;

	if (!file_read_all("/proc", "vmstat", &text))
		text_find_u64(text, "pgmajfault", &n);
	return n;
}

static int timeline_start(struct timeline *t, const struct cmd *cmd, const struct trigger_opts *o)
{
	int err;

	*t = (struct timeline){ .on = o->trace, .interval_ns = o->interval_ns, .start_ns = now_ns() };
	if (!t->on)
		return 0;
	t->next_ns = t->start_ns + t->interval_ns;
	err = out_stream_init(&t->stream, STDOUT_FILENO, cmd->out.format, cmd->out.wide, trace_columns, T_COLS);
	if (err && err != -EPIPE)
		return cmd_fail(cmd, err, "writing the timeline");
	t->major = major_faults();
	reclaim_vmstat_read(&t->vm);
	t->have_psi = !reclaim_psi_read(&t->psi);
	return 0;
}

static void timeline_row(struct timeline *t, const struct zram_device *d, const struct pressure *p,
			 enum pressure_phase phase)
{
	struct reclaim_vmstat vm = t->vm;
	struct reclaim_psi psi = t->psi;
	uint64_t cgroup = 0, hits = t->hits, major = major_faults();
	struct zram_device now;
	struct out_val v[T_COLS];

	reclaim_vmstat_read(&vm);
	if (t->have_psi)
		reclaim_psi_read(&psi);
	v[T_TIME] = OUT_U(now_ns() - t->start_ns);
	v[T_PHASE] = OUT_S(pressure_phase_name(phase));
	v[T_ORIG] = v[T_COMPR] = v[T_USED] = OUT_NULL;
	if (!zram_read(d->id, &now) && now.have_mm) {
		v[T_ORIG] = OUT_U(now.mm.orig);
		v[T_COMPR] = OUT_U(now.mm.compr);
		v[T_USED] = OUT_U(now.mm.mem_used);
	}
	v[T_OUT] = OUT_U(vm.pswpout - t->vm.pswpout);
	v[T_IN] = OUT_U(vm.pswpin - t->vm.pswpin);
	v[T_MAJOR] = OUT_U(major - t->major);
	t->major = major;
	v[T_HITS] = pressure_limit_hits(p, &hits) ? OUT_NULL : OUT_U(hits - MIN(hits, t->hits));
	t->hits = hits;
	v[T_STALL] = t->have_psi ? OUT_U(psi.some_us - t->psi.some_us) : OUT_NULL;
	v[T_CGROUP] = cgroup_mem_usage(&p->cgroup, &cgroup) ? OUT_NULL : OUT_U(cgroup);
	t->vm = vm;
	t->psi = psi;
	t->rows++;
	out_stream_row(&t->stream, v);
	out_stream_flush(&t->stream);
}

/* ---- result ---- */

struct snapshots {
	struct zram_device before, out, after;
	struct reclaim_vmstat vm_before, vm_after;
};

enum {
	R_DEVICE,
	R_ALGO,
	R_PROFILE,
	R_DATASET,
	R_SIZE,
	R_LIMIT,
	R_OUT,
	R_ORIG,
	R_COMPR,
	R_USED,
	R_RATIO,
	R_RATIO_MEM,
	R_SAME,
	R_HUGE,
	R_PUSHED,
	R_OUT_RATE,
	R_PASSES,
	R_IN,
	R_IN_RATE,
	R_P50,
	R_P99,
	R_P999,
	R_MAX,
	R_MAJOR,
	R_MINOR,
	R_PSWPOUT,
	R_PSWPIN,
	R_FAILED_WRITES,
	R_RELIEVED,
	R_CPU_USER,
	R_CPU_SYSTEM,
	R_WORK,
	R_VERIFIED,
	R_BAD,
	R_LEFT,
	R_COLS,
};

static const struct out_col result_columns[R_COLS] = {
	[R_DEVICE] = { "device", "device", OUT_STR, 0, 0 },
	[R_ALGO] = { "algorithm", "algorithm", OUT_STR, 0, 0 },
	[R_PROFILE] = { "profile", "profile", OUT_STR, 0, 0 },
	[R_DATASET] = { "dataset", "contents", OUT_STR, 0, 0 },
	[R_SIZE] = { "region_bytes", "memory of the workload", OUT_BYTES, 0, 0 },
	[R_LIMIT] = { "limit_bytes", "limit of its cgroup", OUT_BYTES, 0, 0 },
	[R_OUT] = { "out_bytes", "in swap when all was pushed out", OUT_BYTES, 0, 0 },
	[R_ORIG] = { "orig_delta_bytes", "stored more in the pool then", OUT_BYTES, 0, 0 },
	[R_COMPR] = { "compr_delta_bytes", "  compressed", OUT_BYTES, 0, 0 },
	[R_USED] = { "mem_used_delta_bytes", "  memory taken", OUT_BYTES, 0, 0 },
	[R_RATIO] = { "ratio", "  stored / compressed", OUT_F64, 0, 0 },
	[R_RATIO_MEM] = { "ratio_mem", "  stored / memory taken", OUT_F64, 0, 0 },
	[R_SAME] = { "same_delta_pages", "  same-filled pages", OUT_I64, 0, 0 },
	[R_HUGE] = { "huge_delta_pages", "  incompressible pages", OUT_I64, 0, 0 },
	[R_PUSHED] = { "pushed_pages", "pages pushed out by MADV_PAGEOUT", OUT_U64, 0, 0 },
	[R_OUT_RATE] = { "swapout_mib_per_s", "  MiB/s", OUT_F64, 0, 0 },
	[R_PASSES] = { "passes", "passes after that", OUT_U64, 0, 0 },
	[R_IN] = { "swapin_pages", "pages taken back, timed one by one", OUT_U64, 0, 0 },
	[R_IN_RATE] = { "swapin_mib_per_s", "  MiB/s while waiting for them", OUT_F64, 0, 0 },
	[R_P50] = { "swapin_p50_ns", "  p50", OUT_NS, 0, 0 },
	[R_P99] = { "swapin_p99_ns", "  p99", OUT_NS, 0, 0 },
	[R_P999] = { "swapin_p999_ns", "  p99.9", OUT_NS, 0, 0 },
	[R_MAX] = { "swapin_max_ns", "  max", OUT_NS, 0, 0 },
	[R_MAJOR] = { "major_faults", "major faults of the workload", OUT_U64, 0, 0 },
	[R_MINOR] = { "minor_faults", "minor faults", OUT_U64, 0, 0 },
	[R_PSWPOUT] = { "pswpout_pages", "pages swapped out, whole machine", OUT_U64, 0, 0 },
	[R_PSWPIN] = { "pswpin_pages", "pages swapped in, whole machine", OUT_U64, 0, 0 },
	[R_FAILED_WRITES] = { "failed_writes", "writes that the pool refused", OUT_U64, 0, 0 },
	[R_RELIEVED] = { "limit_raised", "times the limit had to be raised", OUT_U64, 0, 0 },
	[R_CPU_USER] = { "cpu_user_ms", "CPU of the workload, user ms", OUT_U64, 0, 0 },
	[R_CPU_SYSTEM] = { "cpu_system_ms", "  system ms (compression is here)", OUT_U64, 0, 0 },
	[R_WORK] = { "work_seconds", "seconds of passes", OUT_F64, 0, 0 },
	[R_VERIFIED] = { "verified_pages", "pages verified", OUT_U64, 0, 0 },
	[R_BAD] = { "bad_pages", "pages with wrong contents", OUT_U64, 0, 0 },
	[R_LEFT] = { "left_bytes", "stored more in the pool at the end", OUT_I64, 0, 0 },
};

static struct out_val rate(uint64_t pages, uint64_t page, uint64_t ns)
{
	return ns ? OUT_F((double)(pages * page) / (double)MiB / ((double)ns / 1e9)) : OUT_NULL;
}

static int64_t delta(uint64_t after, uint64_t before)
{
	return (int64_t)(after - before);
}

/* Other users of the pool can have freed more than we stored. */
static struct out_val grown(uint64_t after, uint64_t before)
{
	return OUT_U(after > before ? after - before : 0);
}

static void fill_result(const struct trigger_opts *o, const char *profile, const struct snapshots *s,
			const struct pressure_result *r, uint64_t relieved, struct out_val v[R_COLS])
{
	const struct zram_mm *b = &s->before.mm, *m = &s->out.mm;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	int64_t orig = delta(m->orig, b->orig), compr = delta(m->compr, b->compr), used = delta(m->mem_used, b->mem_used);

	v[R_DEVICE] = OUT_S(s->before.name);
	v[R_ALGO] = OUT_S(zram_algo(&s->before.algos));
	v[R_PROFILE] = OUT_S(profile);
	v[R_DATASET] = OUT_S(o->image ? o->image : dataset_info(o->dataset)->name);
	v[R_SIZE] = OUT_U(o->size);
	v[R_LIMIT] = OUT_U(o->limit);
	v[R_OUT] = OUT_U(r->out_pages * page);
	v[R_ORIG] = grown(m->orig, b->orig);
	v[R_COMPR] = grown(m->compr, b->compr);
	v[R_USED] = grown(m->mem_used, b->mem_used);
	v[R_RATIO] = orig > 0 && compr > 0 ? OUT_F((double)orig / (double)compr) : OUT_NULL;
	v[R_RATIO_MEM] = orig > 0 && used > 0 ? OUT_F((double)orig / (double)used) : OUT_NULL;
	v[R_SAME] = OUT_I(delta(m->same_pages, b->same_pages));
	v[R_HUGE] = m->n_fields > 7 ? OUT_I(delta(m->huge_pages, b->huge_pages)) : OUT_NULL;
	v[R_PUSHED] = OUT_U(r->pushed_pages);
	v[R_OUT_RATE] = r->pushed_pages ? rate(r->pushed_pages, page, r->push_ns) : OUT_NULL;
	v[R_PASSES] = OUT_U(r->passes);
	v[R_IN] = OUT_U(r->in_pages);
	v[R_IN_RATE] = rate(r->in_pages, page, r->in_ns);
	v[R_P50] = r->in_pages ? OUT_U(latency_quantile(&r->touch, 0.5)) : OUT_NULL;
	v[R_P99] = r->in_pages ? OUT_U(latency_quantile(&r->touch, 0.99)) : OUT_NULL;
	v[R_P999] = r->in_pages ? OUT_U(latency_quantile(&r->touch, 0.999)) : OUT_NULL;
	v[R_MAX] = r->in_pages ? OUT_U(r->touch.max_ns) : OUT_NULL;
	v[R_MAJOR] = OUT_U(r->major_faults);
	v[R_MINOR] = OUT_U(r->minor_faults);
	v[R_PSWPOUT] = OUT_U(s->vm_after.pswpout - s->vm_before.pswpout);
	v[R_PSWPIN] = OUT_U(s->vm_after.pswpin - s->vm_before.pswpin);
	v[R_FAILED_WRITES] = s->after.have_io ? grown(s->after.io.failed_writes, s->before.io.failed_writes) : OUT_NULL;
	v[R_RELIEVED] = OUT_U(relieved);
	v[R_CPU_USER] = OUT_U(r->user_ns / NSEC_PER_MSEC);
	v[R_CPU_SYSTEM] = OUT_U(r->system_ns / NSEC_PER_MSEC);
	v[R_WORK] = OUT_F((double)r->work_ns / 1e9);
	v[R_VERIFIED] = OUT_U(r->verified_pages);
	v[R_BAD] = OUT_U(r->bad_pages);
	v[R_LEFT] = OUT_I(delta(s->after.mm.orig, b->orig));
}

/* One figure a line. */
static int print_table(const struct out_val v[R_COLS])
{
	for (size_t i = 0; i < R_COLS; i++) {
		char text[64] = "-";

		if (v[i].set)
			switch (result_columns[i].type) {
			case OUT_STR:
				snprintf(text, sizeof(text), "%s", v[i].s);
				break;
			case OUT_BYTES:
				format_size(v[i].u, text);
				break;
			case OUT_NS:
				format_duration(v[i].u, text);
				break;
			case OUT_F64:
				snprintf(text, sizeof(text), "%.3f", v[i].f);
				break;
			case OUT_I64:
				snprintf(text, sizeof(text), "%" PRId64, v[i].i);
				break;
			default:
				snprintf(text, sizeof(text), "%" PRIu64, v[i].u);
				break;
			}
		printf("%-36s %s\n", result_columns[i].title, text);
	}
	return EXIT_OK;
}

static int print_json(const struct cmd *cmd, const struct out_sheet *sheet, struct timeline *t)
{
	struct own_cost cost = own_cost();
	json_object *rows = out_sheet_json(sheet), *obj = json_object_new_object();
	json_object *row = json_object_array_get_idx(rows, 0);
	int err;

	json_object_object_add(obj, "event", json_object_new_string("summary"));
	json_object_object_add(obj, "schema", json_object_new_string(SCHEMA));
	json_object_object_foreach(row, key, value)
		json_object_object_add(obj, key, json_object_get(value));
	json_object_object_add(obj, "own_cpu_ms", json_object_new_uint64(cost.cpu_ms));
	json_object_object_add(obj, "own_peak_rss_bytes", json_object_new_uint64(cost.peak_rss_bytes));
	json_object_put(rows);
	if (t->on)
		err = out_stream_json(&t->stream, obj) || out_stream_flush(&t->stream);
	else
		err = cmd_print_json(cmd, obj);
	json_object_put(obj);
	return err ? EXIT_FAILED : EXIT_OK;
}

static int print_result(const struct cmd *cmd, const struct out_val v[R_COLS], struct timeline *t)
{
	_cleanup_(out_sheet_freep) struct out_sheet *sheet = out_sheet_new(result_columns, R_COLS);

	if (!sheet || out_sheet_add(sheet, v))
		return cmd_fail(cmd, -ENOMEM, "printing the result");
	if (cmd->out.format == OUT_JSON || cmd->out.format == OUT_PRETTY)
		return print_json(cmd, sheet, t);
	if (cmd->out.format == OUT_TABLE) {
		if (t->on)
			putchar('\n');
		return print_table(v);
	}
	/* A second heading in the midst of the timeline would be no CSV. */
	return t->on ? EXIT_OK : cmd_print_sheet(cmd, sheet);
}

/* ---- running ---- */

static void follow(struct pressure *p, const struct zram_device *d, struct timeline *t, struct snapshots *s)
{
	enum pressure_phase phase = PRESSURE_FILL;
	uint64_t failed = d->io.failed_writes;
	bool stopped = false;

	while ((phase = pressure_poll(p)) != PRESSURE_DONE) {
		if (pool_interrupted() && !stopped) {
			pressure_stop(p);
			stopped = true;
		}
		if (phase == PRESSURE_OUT) {
			zram_read(d->id, &s->out);
			pressure_proceed(p);
		}
		if (!zram_read(d->id, &s->after) && s->after.have_io && s->after.io.failed_writes > failed) {
			failed = s->after.io.failed_writes;
			pressure_relieve(p);
		}
		if (t->on && now_ns() >= t->next_ns) {
			timeline_row(t, d, p, phase);
			t->next_ns += t->interval_ns;
		}
		usleep(5000);
	}
	if (t->on)
		timeline_row(t, d, p, PRESSURE_DONE);
}

static int trigger_failed(const struct cmd *cmd, const struct trigger_opts *o, const struct zram_device *d, int err)
{
	struct zram_device now = *d;
	char size[FORMAT_MAX], used[FORMAT_MAX];

	zram_read(d->id, &now);
	if (err == -EINTR)
		return cmd_exit(cmd, EXIT_OK, "interrupted before all pages were out: no result");
	if (err == -ENOMEM)
		return cmd_exit(cmd, EXIT_REFUSED, "the workload was killed in its cgroup: the pool could not take %s of its pages "
						   "(it uses %s%s, %" PRIu64 " failed writes); give a smaller --size, or a pool with "
						   "more room", format_size(o->size, size),
				format_size(now.mm.mem_used, used), now.mm.mem_limit ? " of its memory limit" : "",
				now.io.failed_writes - d->io.failed_writes);
	return cmd_exit(cmd, EXIT_FAILED, "the workload ended unexpectedly");
}

static int measure(const struct cmd *cmd, const struct trigger_opts *o, const struct profile *profile,
		   const struct zram_device *d, const struct input *image)
{
	struct pressure_spec spec = {
		.mode = profile->mode,
		.region_bytes = o->size,
		.limit_bytes = o->limit,
		.duration_ns = o->seconds * NSEC_PER_SEC,
		.dataset = o->dataset,
		.seed = o->seed,
		.image = image->data,
		.image_bytes = image->len,
	};
	_cleanup_free_ struct pressure_result *r = calloc(1, sizeof(*r));
	struct snapshots s = { .before = *d, .out = *d };
	struct out_val v[R_COLS];
	struct timeline t;
	struct pressure p;
	int err, code = r ? timeline_start(&t, cmd, o) : cmd_fail(cmd, -ENOMEM, "starting");

	if (code)
		return code;
	reclaim_vmstat_read(&s.vm_before);
	err = pressure_start(&p, &spec);
	if (err) {
		out_stream_release(&t.stream);
		return cmd_fail(cmd, err, "making a memory cgroup (%s)", feature_get(FEATURE_CGROUP_MEM)->remedy);
	}
	if (isatty(STDERR_FILENO) && !t.on)
		cmd_notice(cmd, "pushing %" PRIu64 " MiB out, then %" PRIu64 " s of work", o->size / MiB, o->seconds);
	follow(&p, d, &t, &s);
	err = pressure_end(&p, r);
	reclaim_vmstat_read(&s.vm_after);
	if (zram_read(d->id, &s.after))
		s.after = *d;
	if (err) {
		code = trigger_failed(cmd, o, d, err);
	} else {
		fill_result(o, profile->name, &s, r, p.relieved, v);
		code = print_result(cmd, v, &t);
	}
	out_stream_release(&t.stream);
	if (!err && v[R_FAILED_WRITES].set && v[R_FAILED_WRITES].u)
		cmd_warn(cmd, "%s refused %" PRIu64 " writes: it has reached its memory limit, and pages stayed in memory", d->name,
			 v[R_FAILED_WRITES].u);
	if (!err && pool_interrupted())
		cmd_notice(cmd, "interrupted: the figures are of the part that was done");
	if (!code && !err && r->bad_pages)
		return cmd_exit(cmd, EXIT_CHECK, "%" PRIu64 " pages came back with other contents than they had, the first is "
						 "number %" PRIu64, r->bad_pages, r->first_bad);
	return code;
}

static int run_on(const struct cmd *cmd, const struct pool_facts *facts, const struct zram_device *d)
{
	const struct trigger_opts *o = cmd->opts;
	struct input image = {};
	int err = 0, code = check_target(cmd, o, facts, d);
	_cleanup_close_ int lock = -1;

	if (code)
		return code;
	if (o->image)
		err = input_open(o->image, o->size, &image);
	if (err)
		return cmd_exit(cmd, pool_exit_code(err), "%s: %s", o->image, strerror(-err));
	if (o->image && image.len < facts->f.page_size) {
		input_release(&image);
		return cmd_exit(cmd, EXIT_FAILED, "%s has less than a page", o->image);
	}
	/* Shared: several triggers may run, and none while the pool is set up or reset. */
	lock = pool_lock(cmd, (int)d->id, true, &code);
	if (lock >= 0) {
		pool_catch_signals();
		code = measure(cmd, o, o->profile, d, &image);
	}
	input_release(&image);
	return code;
}

static int run(struct cmd *cmd)
{
	const struct trigger_opts *o = cmd->opts;

	return pool_run_on(cmd, o->device, run_on);
}

#define TRIGGER_DOC                                                                                                   \
	"The workload runs in a memory cgroup of its own, whose limit and MADV_PAGEOUT force its pages out; the rest "   \
	"of the machine is not pressed. It checks the contents of every page that comes back: a wrong one is exit 5. " \
	"The cgroup is removed at the end, also after Ctrl-C, which gives the figures of what was done. "

const struct command cmd_pool_trigger_compress = {
	.name = "compress",
	.brief = "push pages of our own into the pool, and measure",
	.doc = TRIGGER_DOC "Pass after pass reads every page back, changes it and pushes it out again.",
	.parts = (const struct cmd_part[]){ { &pool_device_argp, 0 }, { &compress_argp, 0 }, {} },
	.opts_size = sizeof(struct trigger_opts),
	.run = run,
	.needs = FEATURE(ZRAM) | FEATURE(CGROUP_MEM),
	.uses = FEATURE(PSI),
	.examples = (const struct cmd_example[]){
		{ "sudo memscope pool setup --size 128M && sudo memscope pool trigger compress --duration-sec 1; "
		  "sudo memscope pool reset", "what a pool does with 64 MiB of heap-like pages", EXAMPLE_RUN },
		{},
	},
};

const struct command cmd_pool_trigger_decompress = {
	.name = "decompress",
	.brief = "take pages of our own back from the pool, and measure",
	.doc = TRIGGER_DOC "readback lifts the limit and touches single pages in random order, so that a touch is one swap-in; "
			   "burst stays under the limit and touches runs of neighbours, so that a touch may have to push "
			   "another page out first.",
	.parts = (const struct cmd_part[]){ { &pool_device_argp, 0 }, { &decompress_argp, 0 }, {} },
	.opts_size = sizeof(struct trigger_opts),
	.run = run,
	.needs = FEATURE(ZRAM) | FEATURE(CGROUP_MEM),
	.uses = FEATURE(PSI),
	.examples = (const struct cmd_example[]){
		{ "sudo memscope pool setup --size 256M && sudo memscope pool trigger decompress --duration-sec 1 --trace; "
		  "sudo memscope pool reset", "latency of swap-ins, with a timeline", EXAMPLE_RUN },
		{},
	},
};
