/* SPDX-License-Identifier: BSD-2-Clause */
/* What the pool commands share: the state of the machine's zram, the choice of a device, locks, signals. */
#ifndef MEMSCOPE_CMD_POOL_COMMON_H
#define MEMSCOPE_CMD_POOL_COMMON_H

#include "cmd/cmd.h"
#include "lib/zram_setup.h"

struct pool_facts {
	struct zram_device *devices;
	struct swap_area *swaps;
	struct zram_facts f; /* points into the two above */
};

/* Devices, swap areas and memory. 0, or an exit code with the error printed. */
int pool_facts_read(const struct cmd *cmd, struct pool_facts *facts);
void pool_facts_release(struct pool_facts *facts);
const struct zram_device *pool_find(const struct pool_facts *facts, unsigned id);

/*
 * The device that a command is for: the one that was named (id >= 0), or the only one that is swapped
 * to, or the only one that is configured. 0 and *ret, or an exit code with the error printed.
 */
int pool_choose(const struct cmd *cmd, const struct pool_facts *facts, int id, const struct zram_device **ret);

/*
 * Chooses, and calls fn with what was found. Its exit code, or that of a failure before it.
 */
int pool_run_on(const struct cmd *cmd, int id,
		int (*fn)(const struct cmd *cmd, const struct pool_facts *facts, const struct zram_device *d));

/* A part of a command's options: --device, for an int that is -1 for auto. */
extern const struct argp pool_device_argp;
/* --device: "auto" is -1. */
int pool_opt_device(const struct argp_state *state, const char *option, const char *arg);
/* A size, or a percentage of the machine's memory. */
uint64_t pool_opt_share(const struct argp_state *state, const char *option, const char *arg);

/* A lock on the device; -1 and *ret_code with the error printed. wait: seconds to try. */
int pool_lock(const struct cmd *cmd, int id, bool shared, int *ret_code);

/* From now on SIGINT and SIGTERM only set what pool_interrupted() tells. */
void pool_catch_signals(void);
bool pool_interrupted(void);
/* Sleeps until then (CLOCK_MONOTONIC) or a signal. */
void pool_sleep_until(uint64_t ns);

/* Exit code for a refusal of a plan or a device. */
int pool_exit_code(int err);

#endif
