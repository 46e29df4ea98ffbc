/* SPDX-License-Identifier: BSD-2-Clause */
/* memscope codec list */
#include <lz4.h>
#include <zstd.h>

#include "cmd/cmd.h"
#include "lib/codec.h"

static const struct out_col cols[] = {
	{"name", "NAME", OUT_STR, 0, 0},
	{"codec", "FORMAT", OUT_STR, 0, OUT_WIDE},
	{"mode", "MODE", OUT_STR, 0, OUT_WIDE},
	{"levels", "LEVELS", OUT_STR, 0, 0},
	{"default_level", "DEFAULT", OUT_I64, 0, 0},
	{"dictionary", "DICT", OUT_BOOL, 0, OUT_WIDE},
	{"context_bytes", "MEMORY", OUT_BYTES, 0, OUT_WIDE},
	{"library", "LIBRARY", OUT_STR, 0, OUT_WIDE},
	{"brief", "WHAT", OUT_STR, 0, 0},
};

enum {
	COL_NAME,
	COL_CODEC,
	COL_MODE,
	COL_LEVELS,
	COL_DEFAULT,
	COL_DICT,
	COL_MEMORY,
	COL_LIBRARY,
	COL_BRIEF,
};

static int add_family(struct out_sheet *sheet, const struct codec_family *f)
{
	const struct codec_spec spec = {f->id, f->def};
	_cleanup_codec_ struct codec *c = NULL;
	char library[32];
	int err = codec_new(&spec, NULL, &c);

	if (err)
		return err;
	snprintf(library, sizeof(library), "%s %s", f->codec,
		 f->id == CODEC_ZSTD ? ZSTD_versionString() : LZ4_versionString());
	return out_sheet_add(sheet, (const struct out_val[]){
					    [COL_NAME] = OUT_S(f->name),
					    [COL_CODEC] = OUT_S(f->codec),
					    [COL_MODE] = OUT_S(f->mode),
					    [COL_LEVELS] = OUT_S(f->levels),
					    [COL_DEFAULT] = OUT_I(f->def),
					    [COL_DICT] = OUT_U(f->dictionary),
					    [COL_MEMORY] = OUT_U(codec_memory(c)),
					    [COL_LIBRARY] = OUT_S(library),
					    [COL_BRIEF] = OUT_S(f->brief),
				    });
}

/* The classes that need no codec, so that the list is whole. */
static int add_free(struct out_sheet *sheet, const char *name, const char *brief)
{
	return out_sheet_add(sheet, (const struct out_val[]){
					    [COL_NAME] = OUT_S(name),
					    [COL_MODE] = OUT_S("free"),
					    [COL_DICT] = OUT_U(false),
					    [COL_MEMORY] = OUT_U(0),
					    [COL_BRIEF] = OUT_S(brief),
				    });
}

static int print_json(const struct cmd *cmd, const struct out_sheet *sheet)
{
	json_object *doc = json_object_new_object();
	int code;

	json_object_object_add(doc, "schema", json_object_new_string("memscope.codec-list/1"));
	json_object_object_add(doc, "results", out_sheet_json(sheet));
	code = cmd_print_json(cmd, doc);
	json_object_put(doc);
	return code;
}

static int run(struct cmd *cmd)
{
	_cleanup_(out_sheet_freep) struct out_sheet *sheet = out_sheet_new(cols, ARRAY_SIZE(cols));
	int err = sheet ? 0 : -ENOMEM;

	for (int id = 0; id < CODEC_COUNT && !err; id++)
		err = add_family(sheet, codec_family((enum codec_id)id));
	if (!err)
		err = add_free(sheet, "zero", "Zero pages, found before any codec runs");
	if (!err)
		err = add_free(sheet, "same", "Pages of one repeated 8-byte word, likewise");
	if (err)
		return cmd_fail(cmd, err, "listing the codecs");
	if (cmd->out.format == OUT_JSON || cmd->out.format == OUT_PRETTY)
		return print_json(cmd, sheet);
	return cmd_print_sheet(cmd, sheet);
}

const struct command cmd_codec_list = {
	.name = "list",
	.brief = "list the codecs and their levels",
	.run = run,
	.examples =
		(const struct cmd_example[]){
			{"memscope codec list", "What --codec takes", EXAMPLE_RUN},
			{},
		},
};
