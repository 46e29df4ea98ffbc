/* SPDX-License-Identifier: BSD-2-Clause */
/* memscope doctor: what each command can do here, and what to change when it cannot. */
#include <string.h>
#include <sys/utsname.h>

#include "cmd/cmd.h"

static const struct out_col columns[] = {
	{ "command", "COMMAND", OUT_STR, 0, 0 },
	{ "state", "STATE", OUT_STR, 0, 0 },
	{ "lacks", "LACKS", OUT_STR, 0, 0 },
	{ "remedy", "REMEDY", OUT_STR, 0, 0 },
};

static const struct out_col feature_columns[] = {
	{ "feature", "FEATURE", OUT_STR, 0, 0 },
	{ "state", "STATE", OUT_STR, 0, 0 },
	{ "what", "WHAT", OUT_STR, 0, 0 },
	{ "detail", "DETAIL", OUT_STR, 0, OUT_WIDE },
	{ "remedy", "REMEDY", OUT_STR, 0, OUT_WIDE },
};

static int add_row(struct out_sheet *sheet, const char *path, const char *state,
		   const struct feature_info *info)
{
	return out_sheet_add(sheet, (struct out_val[]){ OUT_S(path), OUT_S(state),
							OUT_S(info ? info->what : NULL),
							OUT_S(info ? info->remedy : NULL) });
}

/*
 * A row for each thing that is lacking: the first says missing or reduced, the others of the same
 * command repeat it, so that every line can be read alone. Remedies that say the same are said once.
 */
static int add_command(struct out_sheet *sheet, const struct command *c, const char *path)
{
	bool missing = false, any = false;
	const char *last_remedy = "";
	int err = 0;

	for (int f = 0; f < FEATURE_COUNT; f++)
		if (c->needs >> f & 1 && feature_get((enum feature)f)->state != FEATURE_OK)
			missing = true;
	for (int f = 0; f < FEATURE_COUNT && !err; f++) {
		uint64_t asked = missing ? c->needs : c->uses;
		const struct feature_info *info;

		if (!(asked >> f & 1))
			continue;
		info = feature_get((enum feature)f);
		if (info->state == FEATURE_OK || !strcmp(info->remedy, last_remedy))
			continue;
		any = true;
		last_remedy = info->remedy;
		err = add_row(sheet, path, missing ? "missing" : "reduced", info);
	}
	return err || any ? err : add_row(sheet, path, "ok", NULL);
}

static int walk(struct out_sheet *sheet, const struct command *c, const char *path)
{
	int err = 0;

	if (c->run)
		return add_command(sheet, c, path);
	for (const struct command *const *s = c->sub; *s && !err; s++) {
		char below[64];

		if ((*s)->flags & CMD_HIDDEN)
			continue;
		snprintf(below, sizeof(below), "%s%s%s", path, *path ? " " : "", (*s)->name);
		err = walk(sheet, *s, below);
	}
	return err;
}

static int add_features(struct out_sheet *sheet)
{
	int err = 0;

	for (int f = 0; f < FEATURE_COUNT && !err; f++) {
		const struct feature_info *i = feature_get((enum feature)f);

		err = out_sheet_add(sheet, (struct out_val[]){ OUT_S(i->name), OUT_S(feature_state_name(i->state)),
							       OUT_S(i->what), OUT_S(i->detail), OUT_S(i->remedy) });
	}
	return err;
}

/* [{"name": …, "state": …, "lacks": [{"what": …, "remedy": …}]}]: one object for each command. */
static json_object *commands_json(const struct out_sheet *sheet)
{
	json_object *rows = out_sheet_json(sheet), *list = json_object_new_array(), *last = NULL;
	const char *last_name = "";

	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		json_object *row = json_object_array_get_idx(rows, i), *lack;
		const char *name = json_object_get_string(json_object_object_get(row, "command"));

		if (strcmp(name, last_name)) {
			last = json_object_new_object();
			json_object_object_add(last, "name", json_object_new_string(name));
			json_object_object_add(last, "state",
					       json_object_get(json_object_object_get(row, "state")));
			json_object_object_add(last, "remedy",
					       json_object_get(json_object_object_get(row, "remedy")));
			json_object_object_add(last, "lacks", json_object_new_array());
			json_object_array_add(list, last);
			last_name = json_object_get_string(json_object_object_get(last, "name"));
		}
		if (!json_object_object_get(row, "lacks"))
			continue;
		lack = json_object_new_object();
		json_object_object_add(lack, "what", json_object_get(json_object_object_get(row, "lacks")));
		json_object_object_add(lack, "remedy", json_object_get(json_object_object_get(row, "remedy")));
		json_object_array_add(json_object_object_get(last, "lacks"), lack);
	}
	json_object_put(rows);
	return list;
}

static int print_json(const struct cmd *cmd, const struct out_sheet *commands,
		      const struct out_sheet *features, const struct utsname *uts)
{
	json_object *root = json_object_new_object();
	int code;

	json_object_object_add(root, "schema", json_object_new_string("memscope.doctor/1"));
	json_object_object_add(root, "version", json_object_new_string(MEMSCOPE_VERSION));
	json_object_object_add(root, "kernel", json_object_new_string(uts->release));
	json_object_object_add(root, "machine", json_object_new_string(uts->machine));
	json_object_object_add(root, "commands", commands_json(commands));
	json_object_object_add(root, "features", out_sheet_json(features));
	code = cmd_print_json(cmd, root);
	json_object_put(root);
	return code;
}

static int run(struct cmd *cmd)
{
	_cleanup_(out_sheet_freep) struct out_sheet *commands = out_sheet_new(columns, ARRAY_SIZE(columns));
	_cleanup_(out_sheet_freep) struct out_sheet *features =
		out_sheet_new(feature_columns, ARRAY_SIZE(feature_columns));
	struct utsname uts;
	int code;

	uname(&uts);
	if (!commands || !features || walk(commands, &memscope, "") || add_features(features))
		return cmd_fail(cmd, -ENOMEM, "asking the kernel");
	if (cmd->out.format == OUT_JSON || cmd->out.format == OUT_PRETTY)
		return print_json(cmd, commands, features, &uts);
	if (cmd->out.format != OUT_TABLE)
		return cmd_print_sheet(cmd, commands);
	printf("memscope %s on Linux %s (%s)\n\n", MEMSCOPE_VERSION, uts.release, uts.machine);
	code = cmd_print_sheet(cmd, commands);
	putchar('\n');
	return code ? code : cmd_print_sheet(cmd, features);
}

const struct command cmd_doctor = {
	.name = "doctor",
	.brief = "say what works here, and how to get the rest",
	.doc = "For each command: ok, reduced (it runs, without something) or missing, with the remedy: a "
	       "capability, a sysctl, a kernel option, a package or a mount. Then each feature of the kernel "
	       "that was tried. Everything is found out by trying it; nothing is changed.",
	.run = run,
	.examples = (const struct cmd_example[]){
		{ "memscope doctor", "what works for this user", EXAMPLE_RUN },
		{ "sudo memscope doctor --json", "the same for root, as JSON", EXAMPLE_RUN },
		{},
	},
};
