/* SPDX-License-Identifier: BSD-2-Clause */
/* codec_common: what the codec commands share: their inputs, and a measured sweep with its notices.
 */
#ifndef MEMSCOPE_CMD_CODEC_COMMON_H
#define MEMSCOPE_CMD_CODEC_COMMON_H

#include "cmd/cmd.h"
#include "lib/codec_results.h"
#include "lib/codec_sweep.h"
#include "lib/dataset.h"
#include "lib/input.h"
#include "lib/procmem.h"

/* ---- inputs: --dataset, --file, --pid, --max-size, --seed ---- */

enum source_kind {
	SOURCE_DATASET,
	SOURCE_FILE,
	SOURCE_PID,
};

struct source {
	enum source_kind kind;
	enum dataset_kind dataset;
	const char *path; /* "-" is stdin */
	pid_t pid;
};

struct codec_input_opts {
	struct source sources[SWEEP_INPUTS_MAX];
	size_t n;
	size_t max_size; /* 0: the command's default */
	uint64_t seed;
};

extern const struct argp codec_input_argp;
void codec_input_add_dataset(struct codec_input_opts *o, enum dataset_kind kind);

/* One input in memory, and what is to be known about it. */
struct loaded {
	const struct source *source;
	char name[BENCH_NAME_MAX];
	unsigned char *data;
	size_t len;
	bool partial;
	struct procmem_sample facts; /* of a pid; its data is NULL */
};

/* Prints why not, and returns the exit code; EXIT_OK with *ret filled otherwise. stop as in
 * procmem. */
int codec_load(const struct cmd *cmd, const struct codec_input_opts *o, const struct source *source,
	       size_t max_size, const volatile sig_atomic_t *stop, struct loaded *ret);
void codec_loaded_release(struct loaded *l);
json_object *codec_loaded_json(const struct loaded *l);

/* ---- measuring: --codec, --dict, --runs, --warmups, --cpu, --quick, --time-limit ---- */

struct codec_measure_opts {
	struct codec_spec specs[SWEEP_CODECS_MAX];
	size_t n_specs;
	const char *dict;
	unsigned runs; /* 0: default */
	int warmups;   /* -1: default */
	int cpu;       /* -1: wherever */
	bool quick;
	uint64_t limit_ns;
	double min_savings_pct;
};

extern const struct argp codec_measure_argp;
/* "lz4:1,zstd:-1" behind the ones that are there. argp_error() on a bad one. */
void codec_specs_parse(const struct argp_state *state, const char *option, char *list,
		       struct codec_spec *specs, size_t *n, size_t max);
/* "4K,64K" likewise, as sizes of one unit. */
void codec_sizes_parse(const struct argp_state *state, const char *option, char *list,
		       enum bench_unit unit, struct sweep_size *sizes, size_t *n);

/* A sweep from options to results. Too large for a stack: calloc() it. */
struct codec_session {
	const struct cmd *cmd;
	struct sweep sweep;
	struct codec_bench *bench;
	struct loaded inputs[SWEEP_INPUTS_MAX];
	struct codec_dict *dicts[SWEEP_CODECS_MAX];
	struct codec_results results;
	uint64_t start_ns, shown_ns;
	bool tty;
};

struct codec_session *codec_session_new(const struct cmd *cmd);
void codec_session_freep(struct codec_session **s);

/*
 * Loads, plans, measures and warns; sweep.sizes are the caller's, and sweep.params where it sets
 * them. EXIT_OK with results (session->results.partial tells of a cut), or the exit code of what
 * was printed.
 */
int codec_measure(struct codec_session *s, const struct codec_input_opts *in,
		  const struct codec_measure_opts *m);
/* EXIT_OK, or EXIT_CHECK when a round trip did not give back what went in. */
int codec_session_code(const struct codec_session *s);
/* What the JSON document of every codec command has: schema, partial, inputs, summary. */
json_object *codec_document(const struct codec_session *s, const char *schema);

/* SIGINT and SIGTERM set this flag from codec_catch_signals() on; a second one kills. */
extern volatile sig_atomic_t codec_stop;
void codec_catch_signals(void);

/* ---- plotting: --plot ---- */

/* At the option: the name must be one that can be made. Returns path. */
const char *codec_plot_check(const struct argp_state *state, const char *path);
/* Before long work: is gnuplot there, can the file be written? EXIT_OK, or the exit code after
 * saying. */
int codec_plot_ready(const struct cmd *cmd, const char *path);
/* Ratio against compression speed; with a factor, against input per CPU second of write and read
 * back. */
int codec_plot(const struct cmd *cmd, const struct codec_results *r, double readback_factor,
	       double min_savings_pct, const char *path);

#endif
