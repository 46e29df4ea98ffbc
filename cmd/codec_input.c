/* SPDX-License-Identifier: BSD-2-Clause */
/* The inputs of the codec commands, from options to bytes. */
#include <string.h>

#include "cmd/codec_common.h"
#include "lib/parse.h"

#define MAX_SIZE_LEAST KiB
#define MAX_SIZE_MOST  GiB

enum {
	KEY_DATASET = 0x1000,
	KEY_FILE,
	KEY_PID,
	KEY_MAX_SIZE,
	KEY_SEED,
};

static const struct argp_option options[] = {
	{"dataset", KEY_DATASET, "NAME[,NAME...]", 0,
	 "Measure generated data: repetitive, unique, mixed_50_50, text, heap, or all", 10},
	{"file", KEY_FILE, "FILE", 0, "Measure a file; - is stdin (repeatable)", 10},
	{"pid", KEY_PID, "PID", 0,
	 "Measure a sample of the anonymous memory of a running process, which is neither stopped "
	 "nor changed (repeatable)",
	 10},
	{"max-size", KEY_MAX_SIZE, "SIZE", 0,
	 "Take at most this much of an input, and no larger blocks (default 16M)", 10},
	{"seed", KEY_SEED, "N", 0, "Seed of generated data and of sampling (default 1)", 10},
	{0},
};

static struct source *add(const struct argp_state *state, struct codec_input_opts *o)
{
	if (o->n == SWEEP_INPUTS_MAX) {
		argp_error(state, "more than %d inputs", SWEEP_INPUTS_MAX);
		return &o->sources[0];
	}
	return &o->sources[o->n++];
}

void codec_input_add_dataset(struct codec_input_opts *o, enum dataset_kind kind)
{
	o->sources[o->n++] = (struct source){.kind = SOURCE_DATASET, .dataset = kind};
}

static void add_datasets(const struct argp_state *state, struct codec_input_opts *o, char *list)
{
	char *save = NULL;

	if (!*list)
		argp_error(state, "--dataset '': want a name");
	for (char *name = strtok_r(list, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
		bool all = !strcmp(name, "all");
		enum dataset_kind kind = DATASET_REPETITIVE;

		if (!all && dataset_find(name, &kind))
			argp_error(state,
				   "--dataset '%s': want one of repetitive, unique, mixed_50_50, "
				   "text, heap, all",
				   name);
		for (int k = all ? 0 : (int)kind; k <= (all ? DATASET_COUNT - 1 : (int)kind); k++)
			*add(state, o) = (struct source){.kind = SOURCE_DATASET,
							 .dataset = (enum dataset_kind)k};
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct codec_input_opts *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		o->seed = 1;
		return 0;
	case KEY_DATASET:
		add_datasets(state, o, arg);
		return 0;
	case KEY_FILE:
	case ARGP_KEY_ARG:
		*add(state, o) = (struct source){.kind = SOURCE_FILE, .path = arg};
		return 0;
	case KEY_PID:
		*add(state, o) =
			(struct source){.kind = SOURCE_PID,
					.pid = (pid_t)opt_u64(state, "--pid", arg, 1, INT32_MAX)};
		return 0;
	case KEY_MAX_SIZE:
		o->max_size = opt_size(state, "--max-size", arg, MAX_SIZE_LEAST, MAX_SIZE_MOST);
		return 0;
	case KEY_SEED:
		o->seed = opt_u64(state, "--seed", arg, 0, UINT64_MAX);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp codec_input_argp = {options, parse, NULL, NULL, NULL, NULL, NULL};

/* ---- loading ---- */

static int load_dataset(const struct cmd *cmd, const struct codec_input_opts *o, size_t max_size,
			struct loaded *l)
{
	snprintf(l->name, sizeof(l->name), "%s", dataset_info(l->source->dataset)->name);
	l->data = malloc(max_size);
	if (!l->data)
		return cmd_fail(cmd, -ENOMEM, "making %s", l->name);
	l->len = max_size;
	dataset_fill(l->source->dataset, o->seed, 0, l->data, l->len);
	return EXIT_OK;
}

static int load_file(const struct cmd *cmd, size_t max_size, struct loaded *l)
{
	const char *path = l->source->path, *shown = strcmp(path, "-") ? path : "stdin";
	size_t n = strlen(shown), most = sizeof(l->name) - 1;
	struct input in;
	char size[FORMAT_MAX];
	int err;

	/* The end of a long path says more than its beginning. */
	snprintf(l->name, sizeof(l->name), "%s", shown + (n > most ? n - most : 0));
	if (!strcmp(path, "-"))
		err = input_read(STDIN_FILENO, max_size, &in);
	else
		err = input_open(path, max_size, &in);
	if (err)
		return cmd_fail(cmd, err, "cannot read %s", shown);
	l->data = in.data;
	l->len = in.len;
	if (!l->len)
		return cmd_exit(cmd, EXIT_FAILED, "%s is empty: nothing to measure", shown);
	if (in.missing_bytes) {
		cmd_warn(cmd, "%s shrank while it was read: %zu bytes came, %llu fewer than it had",
			 shown, l->len, (unsigned long long)in.missing_bytes);
		l->partial = true;
	}
	if (in.truncated)
		cmd_notice(cmd, "%s is longer than --max-size: its first %s are measured", shown,
			   format_size(l->len, size));
	return EXIT_OK;
}

static int pid_failed(const struct cmd *cmd, pid_t pid, int err)
{
	if (err == -EACCES || err == -EPERM)
		return cmd_exit(cmd, EXIT_REFUSED,
				"may not read the memory of pid %d: be its user, or have "
				"CAP_SYS_PTRACE (sudo, or setcap cap_sys_ptrace=ep); "
				"kernel.yama.ptrace_scope must allow it",
				(int)pid);
	if (err == -ESRCH)
		return cmd_exit(cmd, EXIT_FAILED, "no process has pid %d", (int)pid);
	if (err == -ENODATA)
		return cmd_exit(cmd, EXIT_FAILED,
				"pid %d has no anonymous memory to sample (a kernel thread, or one "
				"that has ended)",
				(int)pid);
	return cmd_fail(cmd, err, "cannot read the memory of pid %d", (int)pid);
}

static void pid_notices(const struct cmd *cmd, const struct loaded *l)
{
	const struct procmem_sample *s = &l->facts;
	char a[FORMAT_MAX], b[FORMAT_MAX];
	int pid = (int)l->source->pid;

	if (s->exited)
		cmd_warn(cmd,
			 "pid %d ended while it was read: the result is partial, from %s of its "
			 "memory",
			 pid, format_size(l->len, a));
	if (s->failed_bytes)
		cmd_notice(cmd, "pid %d: %s went away while it was read", pid,
			   format_size(s->failed_bytes, a));
	if (s->swapped_bytes)
		cmd_notice(cmd, "pid %d has %s in swap, which stays there and is not measured", pid,
			   format_size(s->swapped_bytes, a));
	if (s->no_pagemap)
		cmd_notice(cmd,
			   "pagemap is refused: pages that pid %d never touched are measured "
			   "as zero pages",
			   pid);
	cmd_notice(cmd, "pid %d: measuring %s of %s of anonymous memory in %llu mappings", pid,
		   format_size(l->len, a), format_size(s->present_bytes, b),
		   (unsigned long long)s->vmas);
}

static int load_pid(const struct cmd *cmd, const struct codec_input_opts *o, size_t max_size,
		    const volatile sig_atomic_t *stop, struct loaded *l)
{
	const struct procmem_params params = {
		.max_bytes = MAX(max_size, 4 * KiB), .seed = o->seed, .stop = stop};
	pid_t pid = l->source->pid;
	int err = procmem_read(pid, &params, &l->facts);

	snprintf(l->name, sizeof(l->name), "pid:%d", (int)pid);
	if (err)
		return pid_failed(cmd, pid, err);
	l->data = l->facts.data;
	l->len = l->facts.len;
	l->facts.data = NULL;
	l->partial = l->facts.exited || l->facts.stopped;
	if (!l->len)
		return cmd_exit(cmd, EXIT_FAILED, "pid %d ended before anything could be read",
				(int)pid);
	pid_notices(cmd, l);
	return EXIT_OK;
}

int codec_load(const struct cmd *cmd, const struct codec_input_opts *o, const struct source *source,
	       size_t max_size, const volatile sig_atomic_t *stop, struct loaded *ret)
{
	struct loaded l = {.source = source};
	int code = EXIT_FAILED;

	switch (source->kind) {
	case SOURCE_DATASET:
		code = load_dataset(cmd, o, max_size, &l);
		break;
	case SOURCE_FILE:
		code = load_file(cmd, max_size, &l);
		break;
	case SOURCE_PID:
		code = load_pid(cmd, o, max_size, stop, &l);
		break;
	}
	if (code) {
		codec_loaded_release(&l);
		return code;
	}
	*ret = l;
	return EXIT_OK;
}

void codec_loaded_release(struct loaded *l)
{
	free(l->data);
	l->data = NULL;
}

json_object *codec_loaded_json(const struct loaded *l)
{
	static const char *const kinds[] = {"dataset", "file", "pid"};
	const struct procmem_sample *s = &l->facts;
	json_object *obj = json_object_new_object();
	char name[4 * BENCH_NAME_MAX];

	json_object_object_add(obj, "kind", json_object_new_string(kinds[l->source->kind]));
	json_object_object_add(obj, "name",
			       json_object_new_string(out_printable(l->name, name, sizeof(name))));
	json_object_object_add(obj, "bytes", json_object_new_uint64(l->len));
	json_object_object_add(obj, "partial", json_object_new_boolean(l->partial));
	if (l->source->kind == SOURCE_PID) {
		json_object_object_add(obj, "pid", json_object_new_int(l->source->pid));
		json_object_object_add(obj, "mappings", json_object_new_uint64(s->vmas));
		json_object_object_add(obj, "present_bytes",
				       json_object_new_uint64(s->present_bytes));
		json_object_object_add(obj, "swapped_bytes",
				       json_object_new_uint64(s->swapped_bytes));
		json_object_object_add(obj, "failed_bytes",
				       json_object_new_uint64(s->failed_bytes));
		json_object_object_add(obj, "exited", json_object_new_boolean(s->exited));
	}
	return obj;
}
