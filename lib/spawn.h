/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spawn: a command that waits at its exec until it is told to go, so that it can be watched from its
 * first instruction. One thread per struct.
 */
#ifndef MEMSCOPE_LIB_SPAWN_H
#define MEMSCOPE_LIB_SPAWN_H

#include <sys/types.h>

#include "lib/base.h"

struct spawn {
	pid_t pid; /* 0: none */
	int go_fd, error_fd;
	bool done;
	int status; /* as wait(2) gives it, when done */
};

/* Forks; the child waits. argv is NULL-terminated and its first word is looked up in PATH. */
int spawn_prepare(struct spawn *s, char *const *argv);
/* Lets it exec. The errno of a failed exec, as a negative number; the child has gone then. */
int spawn_go(struct spawn *s);
/* Has it ended? Never blocks. */
bool spawn_poll(struct spawn *s);
/* Waits for its end. The exit code as a shell gives it: 128 + signal when it was killed. */
int spawn_wait(struct spawn *s);
/* Sends a signal if it still runs. */
void spawn_signal(struct spawn *s, int sig);
/* Does a process with this id run? One that only waits to be reaped does not. */
bool process_runs(pid_t pid);
/* Kills a child that was prepared and never let go; closes the pipes. */
void spawn_release(struct spawn *s);

#endif
