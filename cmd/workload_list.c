/* SPDX-License-Identifier: BSD-2-Clause */
/* memscope workload list */
#include "cmd/cmd.h"
#include "workloads/workload.h"

static const struct out_col columns[] = {
	{ "name", "NAME", OUT_STR, 0, 0 },
	{ "intent", "WHAT IT DOES", OUT_STR, 0, 0 },
	{ "good_for", "GOOD FOR", OUT_STR, 0, OUT_WIDE },
	{ "signals", "TYPICAL SIGNALS", OUT_STR, 0, OUT_WIDE },
	{ "unit", "UNIT", OUT_STR, 0, OUT_WIDE },
	{ "region_bytes", "REGION", OUT_BYTES, 0, OUT_WIDE },
	{ "rate_ops_per_s", "RATE", OUT_F64, 0, OUT_WIDE },
};

static int run(struct cmd *cmd)
{
	_cleanup_(out_sheet_freep) struct out_sheet *sheet = out_sheet_new(columns, ARRAY_SIZE(columns));
	json_object *root;
	int err = sheet ? 0 : -ENOMEM;

	for (const struct workload_ops *const *w = workloads; *w && !err; w++)
		err = out_sheet_add(sheet, (struct out_val[]){
						   OUT_S((*w)->name), OUT_S((*w)->intent), OUT_S((*w)->good_for),
						   OUT_S((*w)->signals), OUT_S((*w)->unit),
						   OUT_U((*w)->defaults.region_bytes),
						   (*w)->defaults.rate > 0 ? OUT_F((*w)->defaults.rate) : OUT_NULL });
	if (err)
		return cmd_fail(cmd, err, "listing");
	if (cmd->out.format != OUT_JSON && cmd->out.format != OUT_PRETTY)
		return cmd_print_sheet(cmd, sheet);
	root = json_object_new_object();
	json_object_object_add(root, "schema", json_object_new_string("memscope.workload.list/1"));
	json_object_object_add(root, "workloads", out_sheet_json(sheet));
	err = cmd_print_json(cmd, root);
	json_object_put(root);
	return err;
}

const struct command cmd_workload_list = {
	.name = "list",
	.brief = "show the workloads: what each does and is good for",
	.doc = "With --wide or in a machine format also what it is good for, which signals it typically shows, "
	       "and its defaults.",
	.run = run,
	.examples = (const struct cmd_example[]){
		{ "memscope workload list", "names and intents", EXAMPLE_RUN },
		{ "memscope workload list --wide", "everything known about them", EXAMPLE_RUN },
		{},
	},
};
