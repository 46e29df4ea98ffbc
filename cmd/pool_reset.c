/* SPDX-License-Identifier: BSD-2-Clause */
/* memscope pool reset and pool undo: swap off, reset, and what was there before setup. */
#include <inttypes.h>
#include <string.h>

#include "cmd/pool_common.h"
#include "lib/parse.h"

struct reset_opts {
	int device; /* first: the input of pool_device_argp */
	bool force;
	bool all; /* undo only */
};

static const struct argp_option reset_options[] = {
	{ "force", 'f', NULL, 0, "Also a device that memscope has not set up; what is on it is lost", 1 },
	{ 0 },
};

static const struct argp_option undo_options[] = {
	{ "all", 'a', NULL, 0, "All devices that have a record", 1 },
	{ "force", 'f', NULL, 0, "Also a device that was configured anew by someone else since", 1 },
	{ 0 },
};

static error_t parse(int key, char *arg _unused_, struct argp_state *state)
{
	struct reset_opts *o = state->input;

	switch (key) {
	case 'f':
		o->force = true;
		return 0;
	case 'a':
		o->all = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp reset_argp = { reset_options, parse, NULL, NULL, NULL, NULL, NULL };
static const struct argp undo_argp = { undo_options, parse, NULL, NULL, NULL, NULL, NULL };

static const struct out_col columns[] = {
	{ "device", "DEVICE", OUT_STR, 0, 0 },
	{ "action", "ACTION", OUT_STR, 0, 0 },
	{ "swapped_back_bytes", "BACK", OUT_BYTES, 0, 0 },
	{ "freed_bytes", "FREED", OUT_BYTES, 0, 0 },
	{ "seconds", "SECONDS", OUT_F64, 0, 0 },
};

static const char *action_of(const struct zram_before *b)
{
	if (b->hot_added)
		return "removed";
	return b->disksize ? "restored" : "reset";
}

static int print_row(struct out_sheet *sheet, const struct zram_before *b, uint64_t used, uint64_t freed, uint64_t ns)
{
	char name[ZRAM_NAME_MAX];

	snprintf(name, sizeof(name), "zram%u", b->id);
	return out_sheet_add(sheet, (struct out_val[]){ OUT_S(name), OUT_S(action_of(b)), OUT_U(used), OUT_U(freed),
							OUT_F((double)ns / 1e9) });
}

/* Is the device still what setup made of it? */
static bool is_ours(const struct zram_before *b, const struct zram_device *d)
{
	return !d->initialised || d->disksize == b->set_disksize || d->disksize == b->disksize;
}

/* Under the lock: puts one device back. */
static int restore_one(const struct cmd *cmd, const struct zram_before *before, struct out_sheet *sheet)
{
	struct zram_kernel kernel = ZRAM_KERNEL_INIT;
	struct pool_facts facts;
	const struct swap_area *area;
	const struct zram_device *d;
	char name[ZRAM_NAME_MAX], why[ZRAM_WHY_MAX];
	const char *what = "";
	uint64_t used, freed, start = now_ns();
	int err, code = pool_facts_read(cmd, &facts);

	if (code)
		return code;
	snprintf(name, sizeof(name), "zram%u", before->id);
	d = pool_find(&facts, before->id);
	area = swaps_find(facts.swaps, facts.f.n_swaps, name);
	used = area ? area->used_bytes : 0;
	freed = d && d->have_mm ? d->mm.mem_used : 0;
	err = zram_check_swapoff(&facts.f, name, why);
	if (err) {
		pool_facts_release(&facts);
		return cmd_exit(cmd, EXIT_REFUSED, "%s", why);
	}
	if (used > 256 * MiB && isatty(STDERR_FILENO))
		cmd_notice(cmd, "taking %" PRIu64 " MiB back into memory…", used / MiB);
	err = zram_restore(before, &zram_kernel_ops, &kernel, area != NULL, &what);
	pool_facts_release(&facts);
	if (err == -EINTR)
		return cmd_exit(cmd, EXIT_FAILED, "%s: interrupted while %s; it is in use as before, and can be reset later",
				name, what);
	if (err == -EBUSY)
		return cmd_exit(cmd, EXIT_REFUSED, "%s: %s: it is open, mounted or held by another program: 'fuser -v /dev/%s' "
						   "names it", name, what, name);
	if (err)
		return cmd_fail(cmd, err, "%s: %s", name, what);
	return print_row(sheet, before, used, freed, now_ns() - start) ? cmd_fail(cmd, -ENOMEM, "printing") : EXIT_OK;
}

/* What the record of a device says; without one and with --force, that it was unused. */
static int find_before(const struct cmd *cmd, const struct reset_opts *o, unsigned id, struct zram_before *ret)
{
	struct zram_device d;
	int err = zram_record_read(id, ret), gone = zram_read(id, &d);

	if (err == -ESTALE) {
		cmd_notice(cmd, "the record of zram%u is of an earlier boot: dropped", id);
		zram_record_remove(id);
		err = -ENOENT;
	}
	if (err == -EACCES)
		return cmd_exit(cmd, EXIT_REFUSED, "the record of zram%u may not be read: run as root", id);
	if (!err && !gone && !is_ours(ret, &d) && !o->force)
		return cmd_exit(cmd, EXIT_REFUSED, "zram%u has been configured anew since memscope's setup: with --force it is "
						   "reset all the same", id);
	if (!err)
		return EXIT_OK;
	if (gone)
		return cmd_exit(cmd, EXIT_REFUSED, "there is no zram%u; 'memscope pool status' lists the devices", id);
	if (!o->force)
		return cmd_exit(cmd, EXIT_REFUSED, err == -ENOENT ?
				"zram%u was not set up by memscope: with --force it is swapped off and reset" :
				"the record of zram%u cannot be read: with --force the device is swapped off and reset", id);
	*ret = (struct zram_before){ .id = id };
	return EXIT_OK;
}

static int reset_one(const struct cmd *cmd, const struct reset_opts *o, unsigned id, struct out_sheet *sheet)
{
	struct zram_before before;
	int code = EXIT_OK;
	_cleanup_close_ int lock = pool_lock(cmd, (int)id, false, &code);

	if (lock >= 0)
		code = find_before(cmd, o, id, &before);
	if (!code)
		code = restore_one(cmd, &before, sheet);
	return code;
}

static int print_sheet(const struct cmd *cmd, const struct out_sheet *sheet)
{
	json_object *obj;
	int code;

	if (cmd->out.format != OUT_JSON && cmd->out.format != OUT_PRETTY)
		return cmd_print_sheet(cmd, sheet);
	obj = json_object_new_object();
	json_object_object_add(obj, "schema", json_object_new_string("memscope.pool-reset/1"));
	json_object_object_add(obj, "devices", out_sheet_json(sheet));
	code = cmd_print_json(cmd, obj);
	json_object_put(obj);
	return code;
}

static int reset_list(const struct cmd *cmd, const unsigned *ids, size_t n)
{
	_cleanup_(out_sheet_freep) struct out_sheet *sheet = out_sheet_new(columns, ARRAY_SIZE(columns));
	int code = sheet ? EXIT_OK : cmd_fail(cmd, -ENOMEM, "starting");

	pool_catch_signals();
	for (size_t i = 0; i < n && sheet && !pool_interrupted(); i++) {
		int one = reset_one(cmd, cmd->opts, ids[i], sheet);

		/* The others are put back even so. */
		code = code ? code : one;
	}
	if (sheet && out_sheet_rows(sheet)) {
		int printed = print_sheet(cmd, sheet);

		code = code ? code : printed;
	}
	return code;
}

/* ---- commands ---- */

static int reset_chosen(const struct cmd *cmd, const struct pool_facts *facts _unused_, const struct zram_device *d)
{
	return reset_list(cmd, &d->id, 1);
}

static int run_reset(struct cmd *cmd)
{
	const struct reset_opts *o = cmd->opts;
	unsigned id = (unsigned)o->device;

	struct pool_facts facts;
	int code;

	if (o->device < 0)
		return pool_run_on(cmd, -1, reset_chosen);
	/* One that was named may have a record and be gone or not configured, but there must be a zram. */
	code = pool_facts_read(cmd, &facts);
	if (code)
		return code;
	pool_facts_release(&facts);
	return reset_list(cmd, &id, 1);
}

static int run_undo(struct cmd *cmd)
{
	const struct reset_opts *o = cmd->opts;
	_cleanup_free_ unsigned *ids = NULL;
	unsigned id = (unsigned)o->device;
	size_t n = 0;
	int err = zram_record_list(&ids, &n);

	if (err)
		return cmd_fail(cmd, err, "reading " ZRAM_STATE_DIR);
	if (o->device >= 0) {
		bool found = false;

		for (size_t i = 0; i < n; i++)
			found |= ids[i] == id;
		if (!found)
			return cmd_exit(cmd, EXIT_REFUSED, "nothing is recorded for zram%u below " ZRAM_STATE_DIR, id);
		return reset_list(cmd, &id, 1);
	}
	if (!n)
		return cmd_exit(cmd, EXIT_REFUSED, "nothing is recorded below " ZRAM_STATE_DIR ": there is nothing to undo");
	if (n > 1 && !o->all)
		return cmd_exit(cmd, EXIT_USAGE, "%zu devices have a record: name one with --device, or --all", n);
	return reset_list(cmd, ids, n);
}

const struct command cmd_pool_reset = {
	.name = "reset",
	.brief = "swap a pool off and give its memory back",
	.doc = "Swaps the device off, resets it, and puts back what was there before 'pool setup': the algorithm, the swap "
	       "area that --force took away, or no device at all when setup had added it. A device that memscope has not set "
	       "up needs --force.\n\n"
	       "Pages that are swapped to it go back into memory first. When they do not fit, nothing is done, and the "
	       "missing memory is named. Ctrl-C leaves the pool in use.",
	.parts = (const struct cmd_part[]){ { &pool_device_argp, 0 }, { &reset_argp, 0 }, {} },
	.opts_size = sizeof(struct reset_opts),
	.run = run_reset,
	.needs = FEATURE(ZRAM),
	.examples = (const struct cmd_example[]){
		{ "sudo memscope pool setup --device auto --raw --size 64M && sudo memscope pool reset", "a pool, and back",
		  EXAMPLE_RUN },
		{},
	},
};

const struct command cmd_pool_undo = {
	.name = "undo",
	.brief = "put back what a setup changed, also one that was killed",
	.doc = "Reads the record that 'pool setup' writes before its first change, and puts the device back to that, from "
	       "whatever state it is in. Records of an earlier boot are dropped.",
	.parts = (const struct cmd_part[]){ { &pool_device_argp, 0 }, { &undo_argp, 0 }, {} },
	.opts_size = sizeof(struct reset_opts),
	.run = run_undo,
	.needs = FEATURE(ZRAM),
	.examples = (const struct cmd_example[]){
		{ "sudo memscope pool setup --raw --size 64M && sudo memscope pool undo --all", "a device, and back",
		  EXAMPLE_RUN },
		{},
	},
};
