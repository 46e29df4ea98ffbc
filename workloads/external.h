/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * external: standard tools run from profiles (workloads/profiles/README), their results as ours.
 *
 * Functions are not thread-safe; external_run() forks like workload_run().
 */
#ifndef MEMSCOPE_WORKLOADS_EXTERNAL_H
#define MEMSCOPE_WORKLOADS_EXTERNAL_H

#include <limits.h>
#include <sys/resource.h>

#include "workloads/workload.h"

struct external_tool {
	const char *name;
	const char *program; /* looked up in PATH, or in --path */
	const char *brief;
	const char *install; /* how to get it */
	const char *result;  /* the file in the profile's directory; NULL: standard output */
	/*
	 * Reads a result: rows get what it says (everything else is unknown). At most max rows; the number,
	 * or -EBADMSG when it is not what the tool writes.
	 */
	int (*parse)(const char *text, struct workload_result *rows, size_t max);
};

#define EXTERNAL_MAX_ROWS 64

extern const struct external_tool external_tools[];
extern const size_t external_n_tools;
/* NULL: no such tool; *ret_near is the nearest one then, or NULL. */
const struct external_tool *external_find(const char *name, const char **ret_near);
/*
 * Where its program is, into buf: below `path` (a directory, or the program itself), or in PATH when it
 * is NULL. Absolute. -ENOENT.
 */
int external_locate(const struct external_tool *tool, const char *path, char buf[PATH_MAX]);

/* The directory of profiles: given, beside a build, or installed. -ENOENT. */
int external_profiles(const char *given, char buf[PATH_MAX]);

#define EXTERNAL_MAX_WORDS 64

struct external_profile {
	char name[64];
	char brief[128];
	char text[4096]; /* the words of run, each ended by a NUL */
	char *words[EXTERNAL_MAX_WORDS + 1];
	uint64_t seconds, workers, region_bytes, timeout; /* 0: not said, except timeout */
	bool memory;
};

/*
 * -ENOENT: no such profile. -EBADMSG: line *ret_line of it makes no sense.
 */
int external_load(const char *profiles, const struct external_tool *tool, const char *name,
		  struct external_profile *ret, unsigned *ret_line);
/* Does its command have this placeholder ("@REGION@")? */
bool external_uses(const struct external_profile *p, const char *placeholder);

struct external_run {
	const struct external_tool *tool;
	const struct external_profile *profile;
	const char *profiles; /* directory */
	const char *program;  /* absolute, as external_locate() found it */
	const char *given;    /* the name of the profile as it was given */
	uint64_t seconds, workers, region_bytes, seed;
	uint64_t timeout_s; /* in all */
	uint64_t cgroup_limit_bytes;
};

struct external_result {
	struct workload_result *rows;
	size_t n_rows;
	int status;	 /* as wait(2) gives it */
	bool timed_out, interrupted;
	double seconds;
	struct rusage usage;
	uint64_t cgroup_peak_bytes;
	char *output; /* what it printed, standard error too */
};

/*
 * Runs it. 0 also when the tool failed: see status. A text and -ENOMEM (not enough memory), -EBADMSG (it
 * ended well and its result makes no sense) and what guard_start() returns otherwise. ret is to be
 * released in any case.
 */
int external_run(const struct external_run *run, const struct workload_hooks *hooks, struct external_result *ret,
		 struct workload_error *ret_error);
void external_result_release(struct external_result *r);

#endif
