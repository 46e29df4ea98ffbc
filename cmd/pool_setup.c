/* SPDX-License-Identifier: BSD-2-Clause */
/* memscope pool setup: a zram device, configured and swapped to, or nothing changed. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cmd/pool_common.h"
#include "lib/parse.h"

struct setup_opts {
	int device; /* -1: auto */
	struct zram_request req;
	size_t n_recomp;
	bool dry_run;
	int fail_at;
};

enum {
	KEY_ALGO = 0x100,
	KEY_PARAMS,
	KEY_LIMIT,
	KEY_RECOMP,
	KEY_BACKING,
	KEY_SWAP,
	KEY_RAW,
	KEY_FORCE,
	KEY_FAIL_AT,
};

static const struct argp_option options[] = {
	{ "device", 'd', "zramN|auto", 0, "The device (default: auto, the first free one, or a new one)", 1 },
	{ "algo", KEY_ALGO, "NAME", 0, "Algorithm, as the device offers it: lz4, zstd, … (default: the device's)", 1 },
	{ "params", KEY_PARAMS, "WORDS", 0, "Parameters of the algorithm, such as level=3 (Linux 6.12 or later)", 1 },
	{ "size", 's', "SIZE|PCT%", 0, "Size of what can be stored, before compression (default 50%: of memory)", 1 },
	{ "mem-limit", KEY_LIMIT, "SIZE|PCT%", 0, "Memory that it may take (default: no limit)", 1 },
	{ "priority", 'p', "N", 0, "Priority of the swap area, 0 to 32767 (default 100)", 1 },
	{ "recompress", KEY_RECOMP, "NAME", 0, "A second, stronger algorithm for 'pool maintain'; up to three times", 1 },
	{ "backing", KEY_BACKING, "DEVICE", 0, "Block device for writeback of idle pages; what is on it is lost", 1 },
	{ "swap", KEY_SWAP, NULL, 0, "Swap to it (default)", 1 },
	{ "raw", KEY_RAW, NULL, 0, "Leave it a plain block device", 1 },
	{ "force", KEY_FORCE, NULL, 0, "Take a device that is in use; what is on it is lost", 1 },
	{ "dry-run", 'n', NULL, 0, "Check everything, show the steps, change nothing", 1 },
	{ "fail-at", KEY_FAIL_AT, "STEP", OPTION_HIDDEN, "", 1 },
	{ 0 },
};

static int find_step(const struct argp_state *state, const char *arg)
{
	const char *keys[ZRAM_STEP_COUNT + 1] = {};

	for (int i = 0; i < ZRAM_STEP_COUNT; i++)
		keys[i] = zram_step_key((enum zram_step)i);
	return (int)opt_word(state, "--fail-at", arg, keys);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct setup_opts *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		o->device = -1;
		o->fail_at = -1;
		o->req.swap = true;
		o->req.priority = 100;
		return 0;
	case 'd':
		o->device = pool_opt_device(state, "--device", arg);
		return 0;
	case KEY_ALGO:
		o->req.algo = arg;
		return 0;
	case KEY_PARAMS:
		o->req.params = arg;
		return 0;
	case 's':
		o->req.size = pool_opt_share(state, "--size", arg);
		return 0;
	case KEY_LIMIT:
		o->req.mem_limit = pool_opt_share(state, "--mem-limit", arg);
		return 0;
	case 'p':
		o->req.priority = (int)opt_u64(state, "--priority", arg, 0, INT16_MAX);
		return 0;
	case KEY_RECOMP:
		if (++o->n_recomp >= ZRAM_PRIORITIES)
			argp_error(state, "--recompress '%s': the kernel takes no more than three", arg);
		o->req.recomp[o->n_recomp] = arg;
		return 0;
	case KEY_BACKING:
		o->req.backing = arg;
		return 0;
	case KEY_SWAP:
	case KEY_RAW:
		o->req.swap = key == KEY_SWAP;
		return 0;
	case KEY_FORCE:
		o->req.force = true;
		return 0;
	case 'n':
		o->dry_run = true;
		return 0;
	case KEY_FAIL_AT:
		o->fail_at = find_step(state, arg);
		return 0;
	case ARGP_KEY_END:
		if (!o->req.size)
			o->req.size = pool_opt_share(state, "--size", "50%");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = { options, parse, NULL, NULL, NULL, NULL, NULL };

/* ---- dry run: the same steps, with effects that only write down ---- */

static const struct out_col step_columns[] = {
	{ "call", "CALL", OUT_STR, 0, 0 },
	{ "target", "TARGET", OUT_STR, 0, 0 },
	{ "value", "VALUE", OUT_STR, 0, 0 },
};

static int note(void *ctx, const char *call, const char *target, const char *value)
{
	return out_sheet_add(ctx, (struct out_val[]){ OUT_S(call), OUT_S(target), OUT_S(value) });
}

static int note_dev(void *ctx, const char *call, unsigned id, const char *value)
{
	char dev[32];

	snprintf(dev, sizeof(dev), "/dev/zram%u", id);
	return note(ctx, call, dev, value);
}

static int dry_write(void *ctx, unsigned id, const char *attr, const char *text)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/block/zram%u/%s", id, attr);
	return note(ctx, "write", path, text);
}

static int dry_read(void *ctx _unused_, unsigned id, struct zram_device *ret)
{
	/* A device that is not there yet offers what the first one does. */
	return zram_read(id, ret) && zram_read(0, ret) ? -ENOENT : 0;
}

static int dry_hot_add(void *ctx, unsigned *ret_id)
{
	unsigned id = 0;

	for (struct zram_device d; !zram_read(id, &d);)
		id++;
	*ret_id = id;
	return note_dev(ctx, "hot_add", id, ZRAM_CONTROL "/hot_add");
}

static int dry_hot_remove(void *ctx _unused_, unsigned id _unused_)
{
	return 0;
}

static int dry_claim(void *ctx, unsigned id)
{
	return note_dev(ctx, "open", id, "exclusively");
}

static void dry_release(void *ctx, unsigned id)
{
	note_dev(ctx, "close", id, "");
}

static int dry_header(void *ctx, unsigned id, uint64_t size, const uint8_t *uuid _unused_, const char *label)
{
	char text[64];

	snprintf(text, sizeof(text), "swap header: %" PRIu64 " bytes, label %s", size, label);
	return note_dev(ctx, "pwrite", id, text);
}

static int dry_swap_on(void *ctx, unsigned id, int priority)
{
	char text[32];

	snprintf(text, sizeof(text), "priority %d", priority);
	return note_dev(ctx, "swapon", id, text);
}

static int dry_swap_off(void *ctx, unsigned id)
{
	return note_dev(ctx, "swapoff", id, "");
}

static int dry_record(void *ctx, const struct zram_before *before)
{
	char path[64];

	snprintf(path, sizeof(path), ZRAM_STATE_DIR "/pool-zram%u.undo", before->id);
	return note(ctx, "record", path, "how to go back");
}

static int dry_forget(void *ctx _unused_, unsigned id _unused_)
{
	return 0;
}

static int dry_check(void *ctx _unused_, int step _unused_)
{
	return 0;
}

static const struct zram_ops dry_ops = {
	dry_write,   dry_read,	   dry_hot_add, dry_hot_remove, dry_claim,  dry_release,
	dry_header,  dry_swap_on,  dry_swap_off, dry_record,	dry_forget, dry_check,
};

static json_object *warnings_json(const struct zram_plan *plan)
{
	json_object *list = json_object_new_array();

	for (size_t i = 0; i < plan->n_warnings; i++)
		json_object_array_add(list, json_object_new_string(plan->warning[i]));
	return list;
}

static int dry_run(const struct cmd *cmd, struct zram_plan *plan)
{
	_cleanup_(out_sheet_freep) struct out_sheet *sheet = out_sheet_new(step_columns, ARRAY_SIZE(step_columns));
	struct zram_fault fault;
	json_object *obj;
	int err = sheet ? zram_apply(plan, &dry_ops, sheet, &fault) : -ENOMEM;

	if (err)
		return cmd_fail(cmd, err, "listing the steps");
	if (cmd->out.format != OUT_JSON && cmd->out.format != OUT_PRETTY)
		return cmd_print_sheet(cmd, sheet);
	obj = json_object_new_object();
	json_object_object_add(obj, "schema", json_object_new_string("memscope.pool-plan/1"));
	json_object_object_add(obj, "steps", out_sheet_json(sheet));
	json_object_object_add(obj, "warnings", warnings_json(plan));
	err = cmd_print_json(cmd, obj);
	json_object_put(obj);
	return err;
}

/* ---- result ---- */

static const struct out_col result_columns[] = {
	{ "device", "DEVICE", OUT_STR, 0, 0 },
	{ "added", "NEW", OUT_BOOL, 0, 0 },
	{ "algorithm", "ALGO", OUT_STR, 0, 0 },
	{ "recompress", "RECOMP", OUT_STR, 0, 0 },
	{ "disksize_bytes", "SIZE", OUT_BYTES, 0, 0 },
	{ "mem_limit_bytes", "LIMIT", OUT_BYTES, 0, 0 },
	{ "swap", "SWAP", OUT_BOOL, 0, 0 },
	{ "priority", "PRIO", OUT_I64, 0, 0 },
	{ "backing", "BACKING", OUT_STR, 0, OUT_WIDE },
	{ "uuid", "UUID", OUT_STR, 0, OUT_WIDE },
};

static int print_result(const struct cmd *cmd, const struct zram_plan *plan)
{
	_cleanup_(out_sheet_freep) struct out_sheet *sheet = out_sheet_new(result_columns, ARRAY_SIZE(result_columns));
	char name[ZRAM_NAME_MAX], uuid[40];
	const uint8_t *u = plan->uuid;
	const struct zram_request *r = &plan->req;
	json_object *obj, *rows, *row;
	int code;

	snprintf(name, sizeof(name), "zram%u", plan->before.id);
	snprintf(uuid, sizeof(uuid), "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0], u[1], u[2],
		 u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
	if (!sheet || out_sheet_add(sheet, (struct out_val[]){
						   OUT_S(name),
						   OUT_U(plan->before.hot_added),
						   OUT_S(r->algo ? r->algo : plan->before.algo),
						   OUT_S(r->recomp[1]),
						   OUT_U(r->size),
						   r->mem_limit ? OUT_U(r->mem_limit) : OUT_NULL,
						   OUT_U(r->swap),
						   r->swap ? OUT_I(r->priority) : OUT_NULL,
						   OUT_S(r->backing),
						   r->swap ? OUT_S(uuid) : OUT_NULL,
					   }))
		return cmd_fail(cmd, -ENOMEM, "printing the result");
	if (cmd->out.format != OUT_JSON && cmd->out.format != OUT_PRETTY)
		return cmd_print_sheet(cmd, sheet);
	rows = out_sheet_json(sheet);
	obj = json_object_new_object();
	json_object_object_add(obj, "schema", json_object_new_string("memscope.pool-setup/1"));
	row = json_object_array_get_idx(rows, 0);
	json_object_object_foreach(row, key, value)
		json_object_object_add(obj, key, json_object_get(value));
	json_object_object_add(obj, "warnings", warnings_json(plan));
	json_object_put(rows);
	code = cmd_print_json(cmd, obj);
	json_object_put(obj);
	return code;
}

/* ---- choosing a device ---- */

static int no_device(const struct cmd *cmd, int id)
{
	return cmd_exit(cmd, EXIT_REFUSED, "there is no zram%d; --device auto takes a free device or adds one", id);
}

/*
 * Locks the device to use, and reads the state of the machine anew under the lock. *ret_device is NULL
 * when one is to be added; then the lock is on adding. The lock is on kernel->lock_fd or *ret_adding.
 */
static int take_device(const struct cmd *cmd, const struct setup_opts *o, struct pool_facts *facts,
		       struct zram_kernel *kernel, int *ret_adding, const struct zram_device **ret_device)
{
	int code = EXIT_OK, id = o->device;

	/* A dry run changes nothing, and needs no right to lock. */
	if (o->dry_run) {
		for (size_t i = 0; id < 0 && i < facts->f.n_devices; i++)
			if (!facts->devices[i].initialised)
				id = (int)facts->devices[i].id;
		*ret_device = id < 0 ? NULL : pool_find(facts, (unsigned)id);
		return o->device < 0 || *ret_device ? EXIT_OK : no_device(cmd, id);
	}
	if (id < 0) {
		/* Who chooses, chooses alone: two would add one device each, or take the same. */
		*ret_adding = pool_lock(cmd, -1, false, &code);
		if (*ret_adding < 0)
			return code;
		pool_facts_release(facts);
		code = pool_facts_read(cmd, facts);
		for (size_t i = 0; !code && id < 0 && i < facts->f.n_devices; i++) {
			if (facts->devices[i].initialised)
				continue;
			kernel->lock_fd = zram_lock((int)facts->devices[i].id, false);
			if (kernel->lock_fd >= 0)
				id = (int)facts->devices[i].id;
			else if (kernel->lock_fd != -EBUSY)
				return cmd_fail(cmd, kernel->lock_fd, "locking %s", facts->devices[i].name);
		}
		*ret_device = id < 0 ? NULL : pool_find(facts, (unsigned)id);
		if (!code && id < 0 && access(ZRAM_CONTROL "/hot_add", R_OK))
			return cmd_exit(cmd, errno == ENOENT ? EXIT_UNSUPPORTED : EXIT_REFUSED,
					"no zram device is free and none can be added (" ZRAM_CONTROL "/hot_add: %s)",
					strerror(errno));
		return code;
	}
	kernel->lock_fd = pool_lock(cmd, id, false, &code);
	if (kernel->lock_fd < 0)
		return code;
	pool_facts_release(facts);
	code = pool_facts_read(cmd, facts);
	if (code)
		return code;
	*ret_device = pool_find(facts, (unsigned)id);
	return *ret_device ? EXIT_OK : no_device(cmd, id);
}

/* ---- running ---- */

static int say_fault(const struct cmd *cmd, const struct zram_plan *plan, int err, const struct zram_fault *fault)
{
	const char *hint = "";
	int code = pool_exit_code(err);

	/* A plan that was checked and a value that the kernel refuses all the same. */
	if (code == EXIT_USAGE || err == -ENOENT)
		code = EXIT_FAILED;
	if (err == -EBUSY && fault->step >= ZRAM_STEP_ALGO && fault->step <= ZRAM_STEP_DISKSIZE)
		hint = " (another program took the device meanwhile)";
	else if ((err == -EACCES || err == -EPERM) && fault->step != ZRAM_STEP_BACKING)
		hint = " (run as root)";
	else if (fault->step == ZRAM_STEP_HEADER)
		hint = " (is --mem-limit too small for even the first page?)";
	else if (fault->step == ZRAM_STEP_BACKING)
		hint = " (a block device that nothing else uses is needed)";
	if (err == -EINTR)
		cmd_warn(cmd, "interrupted while %s", zram_step_name(fault->step));
	else
		cmd_warn(cmd, "%s: %s%s", zram_step_name(fault->step), strerror(-err), hint);
	if (fault->rollback_err)
		return cmd_exit(cmd, EXIT_FAILED, "going back: %s: %s; when the cause is gone: memscope pool undo --device zram%u",
				fault->rollback_what, strerror(-fault->rollback_err), plan->before.id);
	return cmd_exit(cmd, code, "everything is as it was before");
}

static int check_own(const struct cmd *cmd, const struct setup_opts *o, const struct zram_device *d)
{
	struct zram_before mine;

	if (!d || !d->initialised || !o->req.force || zram_record_read(d->id, &mine))
		return EXIT_OK;
	return cmd_exit(cmd, EXIT_REFUSED, "%s is a pool of memscope's: 'memscope pool reset --device %s' first, so that what "
					   "was there before it is not forgotten", d->name, d->name);
}

static int set_up(const struct cmd *cmd, const struct setup_opts *o, struct pool_facts *facts,
		  const struct zram_device *device, struct zram_kernel *kernel)
{
	struct zram_fault fault;
	struct zram_plan plan;
	char why[ZRAM_WHY_MAX];
	int err, code = check_own(cmd, o, device);

	if (code)
		return code;
	err = zram_plan_make(&o->req, device, &facts->f, &plan, why);
	if (err)
		return cmd_exit(cmd, pool_exit_code(err), "%s", why);
	for (size_t i = 0; i < plan.n_warnings; i++)
		cmd_warn(cmd, "warning: %s", plan.warning[i]);
	if (o->dry_run)
		return dry_run(cmd, &plan);
	if (plan.reset_first)
		zram_header_read(&plan.before);
	err = zram_uuid(plan.uuid);
	if (err)
		return cmd_fail(cmd, err, "random numbers for the UUID");
	err = zram_apply(&plan, &zram_kernel_ops, kernel, &fault);
	if (err)
		return say_fault(cmd, &plan, err, &fault);
	return print_result(cmd, &plan);
}

static int run(struct cmd *cmd)
{
	const struct setup_opts *o = cmd->opts;
	struct zram_kernel kernel = ZRAM_KERNEL_INIT;
	const struct zram_device *device = NULL;
	struct pool_facts facts = {};
	_cleanup_close_ int adding = -1;
	int code = pool_facts_read(cmd, &facts);

	kernel.stop = pool_interrupted;
	kernel.fail_at = o->fail_at;
	if (!code)
		pool_catch_signals();
	if (!code)
		code = take_device(cmd, o, &facts, &kernel, &adding, &device);
	if (!code)
		code = set_up(cmd, o, &facts, device, &kernel);
	zram_kernel_release(&kernel);
	pool_facts_release(&facts);
	return code;
}

const struct command cmd_pool_setup = {
	.name = "setup",
	.brief = "configure a zram device and swap to it, or change nothing",
	.doc = "Checks everything first: that the device is free, that the kernel offers the algorithms, sizes, what else "
	       "is swapped to. Then it applies the settings in the kernel's order. When a step fails, or on Ctrl-C, all of it "
	       "is undone. What was there before is recorded below " ZRAM_STATE_DIR ", and 'pool reset' or 'pool undo' "
	       "puts it back, also after setup was killed.\n\n"
	       "A device in use is refused without --force, and one that holds more swapped pages than memory could take "
	       "back is refused always.",
	.parts = (const struct cmd_part[]){ { &argp, 0 }, {} },
	.opts_size = sizeof(struct setup_opts),
	.run = run,
	.needs = FEATURE(ZRAM),
	.uses = FEATURE(ZRAM_RECOMP),
	.examples = (const struct cmd_example[]){
		{ "sudo memscope pool setup --size 64M --mem-limit 32M --dry-run", "what would be done", EXAMPLE_RUN },
		{ "sudo memscope pool setup --algo lz4 --size 64M --priority 100 && sudo memscope pool reset",
		  "a pool, and back", EXAMPLE_RUN },
		{},
	},
};
