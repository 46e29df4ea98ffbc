/* SPDX-License-Identifier: BSD-2-Clause */
/* fork_exec_storm: children that become another program, as a shell script's do. */
#include <fcntl.h>

#include "workloads/storm.h"

static void __attribute__((noreturn)) child(struct worker *w)
{
	char *const argv[] = { (char *)w->cfg->exec_path, NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* What it prints is not our result. */
	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
	execv(w->cfg->exec_path, argv);
	_exit(STORM_EXIT_NO_EXEC);
}

static int run(struct worker *w)
{
	return storm_run(w, child);
}

const struct workload_ops workload_fork_exec_storm = {
	.name = "fork_exec_storm",
	.intent = "fork a child that executes a program, over and over",
	.good_for = "process tracing, enrolment that must not survive exec, file-backed faults",
	.signals = "fork, exec and exit events, file faults, page-cache hits",
	.unit = "exec",
	.knobs = KNOB_RATE | KNOB_EXEC | KNOB_NPROC,
	.processes = true,
	.defaults = { 16 * MiB, 0, 0, 0, 0, 0 },
	.prepare = storm_prepare,
	.run = run,
	.finish = worker_finish_area,
};
