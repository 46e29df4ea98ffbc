/* SPDX-License-Identifier: BSD-2-Clause */
/* memscope codec train */
#include <fcntl.h>
#include <string.h>

#include "cmd/codec_common.h"
#include "lib/codec_train.h"
#include "lib/parse.h"

#define DEFAULT_DICT     (64 * KiB)
#define DEFAULT_SAMPLE   (4 * KiB)
#define DEFAULT_MAX_SIZE (16 * MiB)
/* Of every so many samples one is kept from training, to judge the dictionary by. */
#define HELD_BACK 4

struct train_opts {
	struct codec_input_opts in;
	struct {
		struct codec_spec spec[1];
		size_t n_spec;
		size_t dict_size, sample_size;
		const char *output;
		bool force;
	} own;
};

enum {
	KEY_OUTPUT = 'o',
	KEY_CODEC = 0x3000,
	KEY_DICT_SIZE,
	KEY_SAMPLE,
	KEY_FORCE,
};

static const struct argp_option options[] = {
	{"output", KEY_OUTPUT, "FILE", 0, "Write the dictionary here (needed)", 5},
	{"dict-size", KEY_DICT_SIZE, "SIZE", 0, "At most this large (default 64K)", 5},
	{"sample-size", KEY_SAMPLE, "SIZE", 0, "Train for blocks of this size (default 4K: pages)",
	 5},
	{"codec", KEY_CODEC, "zstd:LEVEL", 0, "Judge the dictionary with this (default zstd:3)", 5},
	{"force", KEY_FORCE, NULL, 0, "Replace a file that is there", 5},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct train_opts *o = container_of(state->input, struct train_opts, own);

	switch (key) {
	case ARGP_KEY_INIT:
		o->own.dict_size = DEFAULT_DICT;
		o->own.sample_size = DEFAULT_SAMPLE;
		return 0;
	case KEY_OUTPUT:
		o->own.output = arg;
		return 0;
	case KEY_DICT_SIZE:
		o->own.dict_size =
			opt_size(state, "--dict-size", arg, CODEC_DICT_MIN, CODEC_DICT_MAX);
		return 0;
	case KEY_SAMPLE:
		o->own.sample_size = opt_size(state, "--sample-size", arg, 64, MiB);
		return 0;
	case KEY_CODEC:
		codec_specs_parse(state, "--codec", arg, o->own.spec, &o->own.n_spec, 1);
		if (!codec_family(o->own.spec[0].id)->dictionary)
			argp_error(state, "--codec '%s': only zstd takes a dictionary", arg);
		return 0;
	case KEY_FORCE:
		o->own.force = true;
		return 0;
	case ARGP_KEY_END:
		if (!o->own.output)
			argp_error(state, "--output is needed: where the dictionary goes");
		if (!o->own.n_spec)
			o->own.spec[0] = (struct codec_spec){CODEC_ZSTD, 3};
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {options, parse, NULL, NULL, NULL, NULL, NULL};

/* Samples of all inputs: those to train on, and those to judge by. */
struct samples {
	unsigned char *train, *judge;
	size_t train_len, judge_len;
};

static void samples_release(struct samples *s)
{
	free(s->train);
	free(s->judge);
}

static int append(unsigned char **p, size_t *len, const unsigned char *data, size_t n)
{
	unsigned char *grown = realloc(*p, *len + n);

	if (!grown)
		return -ENOMEM;
	memcpy(grown + *len, data, n);
	*p = grown;
	*len += n;
	return 0;
}

static int add_samples(struct samples *s, const struct loaded *l, size_t size)
{
	int err = 0;

	for (size_t i = 0; (i + 1) * size <= l->len && !err; i++) {
		const unsigned char *p = l->data + i * size;

		if (i % HELD_BACK == HELD_BACK - 1)
			err = append(&s->judge, &s->judge_len, p, size);
		else
			err = append(&s->train, &s->train_len, p, size);
	}
	return err;
}

/* Compressed bytes of the samples held back. 0: none of them is for a codec. */
static int judge(const struct samples *s, const struct codec_spec *spec,
		 const struct codec_dict *dict, size_t size, uint64_t *ret_bytes)
{
	_cleanup_codec_ struct codec *c = NULL;
	_cleanup_free_ void *dst = NULL;
	uint64_t total = 0, word;
	int err = codec_new(spec, dict, &c);

	if (err)
		return err;
	dst = malloc(codec_bound(c, size));
	if (!dst)
		return -ENOMEM;
	for (size_t at = 0; at + size <= s->judge_len; at += size) {
		size_t n;

		if (codec_same_filled(s->judge + at, size, &word))
			continue;
		err = codec_compress(c, dst, codec_bound(c, size), s->judge + at, size, &n);
		if (err)
			return err;
		total += MIN(n, size);
	}
	*ret_bytes = total;
	return 0;
}

/* Readable by the user alone: a dictionary is made of pieces of what it was trained on. */
static int write_dict(const char *path, bool force, const unsigned char *dict, size_t len)
{
	int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (force ? O_TRUNC : O_EXCL);
	int fd = open(path, flags, 0600), err = 0;

	if (fd < 0)
		return -errno;
	for (size_t at = 0; at < len && !err;) {
		ssize_t n = write(fd, dict + at, len - at);

		if (n < 0 && errno != EINTR)
			err = -errno;
		at += (size_t)MAX(n, 0);
	}
	if (close(fd) && !err)
		err = -errno;
	/* Half a dictionary would pass for a whole one. */
	if (err && !force)
		unlink(path);
	return err;
}

static const struct out_col cols[] = {
	{"dictionary", "DICTIONARY", OUT_STR, 0, 0},
	{"dictionary_bytes", "SIZE", OUT_BYTES, 0, 0},
	{"samples", "SAMPLES", OUT_U64, 0, 0},
	{"sample_bytes", "EACH", OUT_BYTES, 0, 0},
	{"codec", "CODEC", OUT_STR, 0, 0},
	{"judged_bytes", "JUDGED", OUT_BYTES, 0, OUT_WIDE},
	{"plain_bytes", "PLAIN", OUT_BYTES, 0, 0},
	{"dictionary_compressed_bytes", "WITH-DICT", OUT_BYTES, 0, 0},
	{"gain_pct", "GAIN%", OUT_F64, 0, 0},
	{"partial", "PARTIAL", OUT_BOOL, 0, OUT_WIDE},
};

static int print(const struct cmd *cmd, const struct samples *s, size_t dict_len, uint64_t plain,
		 uint64_t with, bool partial)
{
	const struct train_opts *o = cmd->opts;
	_cleanup_(out_sheet_freep) struct out_sheet *sheet = out_sheet_new(cols, ARRAY_SIZE(cols));
	char spec[CODEC_SPEC_MAX];
	json_object *doc;
	int err = -ENOMEM, code;

	if (sheet)
		err = out_sheet_add(
			sheet,
			(const struct out_val[ARRAY_SIZE(cols)]){
				OUT_S(o->own.output),
				OUT_U(dict_len),
				OUT_U(s->train_len / o->own.sample_size),
				OUT_U(o->own.sample_size),
				OUT_S(codec_spec_format(o->own.spec, spec)),
				OUT_U(s->judge_len),
				OUT_U(plain),
				OUT_U(with),
				with ? OUT_F(((double)plain / (double)with - 1) * 100) : OUT_NULL,
				OUT_U(partial),
			});
	if (err)
		return cmd_fail(cmd, err, "laying out the result");
	if (cmd->out.format != OUT_JSON && cmd->out.format != OUT_PRETTY)
		return cmd_print_sheet(cmd, sheet);
	doc = json_object_new_object();
	json_object_object_add(doc, "schema", json_object_new_string("memscope.codec-train/1"));
	json_object_object_add(doc, "results", out_sheet_json(sheet));
	code = cmd_print_json(cmd, doc);
	json_object_put(doc);
	return code;
}

static int train(const struct cmd *cmd, const struct samples *s, bool partial)
{
	const struct train_opts *o = cmd->opts;
	_cleanup_codec_dict_ struct codec_dict *ready = NULL;
	_cleanup_free_ unsigned char *dict = malloc(o->own.dict_size);
	uint64_t plain, with;
	size_t len;
	int err;

	if (!dict)
		return cmd_fail(cmd, -ENOMEM, "training");
	err = codec_train(s->train, s->train_len, o->own.sample_size, dict, o->own.dict_size, &len);
	if (err == -ENODATA)
		return cmd_exit(cmd, EXIT_FAILED,
				"there is too little to train on, or nothing in common in it: give "
				"more or other inputs (100 times --dict-size is good)");
	if (!err)
		err = codec_dict_new(o->own.spec, dict, len, &ready);
	if (!err)
		err = judge(s, o->own.spec, NULL, o->own.sample_size, &plain);
	if (!err)
		err = judge(s, o->own.spec, ready, o->own.sample_size, &with);
	if (err)
		return cmd_fail(cmd, err, "training");
	err = write_dict(o->own.output, o->own.force, dict, len);
	if (err == -EEXIST)
		return cmd_exit(cmd, EXIT_FAILED, "%s is there already (--force replaces it)",
				o->own.output);
	if (err)
		return cmd_fail(cmd, err, "cannot write %s", o->own.output);
	if (with * 101 >= plain * 100)
		cmd_notice(cmd, "the dictionary gains less than 1%%: not worth its memory");
	return print(cmd, s, len, plain, with, partial);
}

static int run(struct cmd *cmd)
{
	_cleanup_(samples_release) struct samples s = {0};
	struct train_opts *o = cmd->opts;
	bool partial = false;

	codec_catch_signals();
	if (!o->in.n)
		return cmd_exit(cmd, EXIT_USAGE,
				"nothing to train on: give FILEs, --pid or --dataset");
	for (size_t i = 0; i < o->in.n; i++) {
		size_t max = o->in.max_size ? o->in.max_size : DEFAULT_MAX_SIZE;
		struct loaded l = {0};
		int err, code = codec_load(cmd, &o->in, &o->in.sources[i], max, &codec_stop, &l);

		if (code)
			return code;
		partial |= l.partial;
		err = add_samples(&s, &l, o->own.sample_size);
		codec_loaded_release(&l);
		if (err)
			return cmd_fail(cmd, err, "gathering samples");
	}
	if (codec_stop)
		return cmd_exit(cmd, EXIT_FAILED, "interrupted: no dictionary was written");
	return train(cmd, &s, partial);
}

const struct command cmd_codec_train = {
	.name = "train",
	.brief = "make a zstd dictionary from samples of memory",
	.doc = "Three quarters of the samples train the dictionary; the last quarter tells what it "
	       "gains on data that it has not seen. The file holds pieces of the samples, so its "
	       "mode "
	       "is 0600. It is a standard zstd dictionary: zstd -D takes it too.",
	.args_doc = "[FILE...]",
	.parts =
		(const struct cmd_part[]){
			{&codec_input_argp, offsetof(struct train_opts, in)},
			{&argp, offsetof(struct train_opts, own)},
			{},
		},
	.opts_size = sizeof(struct train_opts),
	.run = run,
	.examples =
		(const struct cmd_example[]){
			{"memscope codec train --dataset heap --output /tmp/heap.dict --force",
			 "A dictionary for heaps", EXAMPLE_RUN},
			{"memscope codec train --pid $$ --dict-size 16K --output /tmp/shell.dict "
			 "--force",
			 "One for the memory of the shell", EXAMPLE_RUN},
			{},
		},
};
