/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the workload commands share: the options of a load, the columns of a result (of our own
 * workloads and of outside tools alike), progress and interruption.
 */
#ifndef MEMSCOPE_CMD_WORKLOAD_COMMON_H
#define MEMSCOPE_CMD_WORKLOAD_COMMON_H

#include "cmd/cmd.h"
#include "workloads/workload.h"

struct load_opts {
	struct workload_config set; /* values of the options that were given */
	unsigned knobs_set;	    /* enum workload_knob */
	bool seconds_set, workers_set, seed_set, region_set, contents_set, unsafe;
	int verify; /* 1, 0, or -1: on for the arena */
	bool arena_tuned;
};

/* Parts of a command's options; each takes a struct load_opts. */
extern const struct argp load_argp;	  /* --duration-sec … --region, --cgroup-limit; sets the defaults */
extern const struct argp load_work_argp;  /* --rate …, --compressibility … --no-verify */
extern const struct argp load_arena_argp; /* --arena-cap-mb, --arena-min-savings-pct */

/*
 * The configuration of one workload on one memory provider. 0, or an exit code with the error printed.
 * strict: an option that this workload does not use is an error.
 */
int load_config(const struct cmd *cmd, const struct load_opts *o, const struct workload_ops *ops,
		enum mem_kind kind, bool strict, struct workload_config *ret);
/* Prints "no workload 'x'; did you mean …" and returns the exit code. */
int load_unknown(const struct cmd *cmd, const char *name);
/* Options that none of these workloads uses are an error, as above. */
int load_check_knobs(const struct cmd *cmd, const struct load_opts *o, const struct workload_ops *const *ops,
		     size_t n);
/* Makes the directory for results; one that has some already is refused. 0 or an exit code. */
int load_make_dir(const struct cmd *cmd, const char *dir, const char *const *files);
/* "NAME,NAME" or, for NULL, all of them: into ret, which the caller frees. 0 or an exit code. */
int load_names(const struct cmd *cmd, char *const *names, size_t n_names, const struct workload_ops ***ret,
	       size_t *ret_n);

/* One run with progress on a terminal and SIGINT, SIGTERM and SIGHUP as its early end. */
int load_run(const struct cmd *cmd, const struct workload_config *cfg, const char *label,
	     struct workload_result *ret, json_object **ret_provider);
/* The exit code for what workload_run() or external_run() returned. */
int load_error_code(int err);
bool load_interrupted(void);
void load_catch_signals(void);

/* The result as columns. */
struct out_sheet *result_sheet(void);
int result_add(struct out_sheet *sheet, const struct workload_result *r);
/* One result as an object that begins with its schema. Owned by the caller; NULL: no memory. */
json_object *result_json(const struct workload_result *r, const char *schema);
/* {"address": "0x…", "expected": …} or null. */
json_object *result_mismatch_json(const struct workload_result *r);
/* One result for people. */
int result_print(const struct cmd *cmd, const struct workload_result *r, json_object *provider);
/* Prints it in the format asked for. Exit code. */
int result_show(const struct cmd *cmd, const struct workload_result *r, json_object *provider,
		const char *schema);
/* EXIT_CHECK with the mismatch printed, or EXIT_OK. */
int result_code(const struct cmd *cmd, const struct workload_result *r);
/* Writes rows as CSV into DIR/name. */
int result_write_csv(const struct cmd *cmd, const struct out_sheet *sheet, const char *dir, const char *name);
int result_write_json(const struct cmd *cmd, json_object *obj, const char *dir, const char *name);
void add_own_cost(json_object *obj);

#endif
