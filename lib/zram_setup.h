/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zram_setup: from a request to a configured zram device, or to exactly what was there before.
 *
 * Three pure parts, which tests drive without a kernel: the plan (every check, before anything is
 * touched), apply (the steps in the order that the kernel demands, undone when one fails), and restore.
 * Every effect goes through struct zram_ops; zram_kernel_ops are the real ones.
 *
 * Order: the record of how to go back is on disk before the first change of a device, so that a setup
 * that was killed half-way can be undone. Single-threaded; two processes are kept apart by
 * zram_lock().
 */
#ifndef MEMSCOPE_LIB_ZRAM_SETUP_H
#define MEMSCOPE_LIB_ZRAM_SETUP_H

#include "lib/swaps.h"
#include "lib/zram.h"

#define ZRAM_WHY_MAX	  400
#define ZRAM_MAX_WARNINGS 4

struct zram_request {
	const char *algo;   /* NULL: the one that the device has chosen */
	const char *params; /* of the algorithm, "level=8", or NULL */
	const char *recomp[ZRAM_PRIORITIES]; /* [1] and on: second algorithms, or NULL */
	const char *backing;		     /* block device for writeback, or NULL */
	uint64_t size, mem_limit;	     /* bytes; limit 0: none */
	bool swap;
	int priority; /* of the swap area; -1: the kernel's choice */
	bool force;
};

/* What a device was like, and is to be like again. */
struct zram_before {
	unsigned id;
	bool hot_added; /* it was not there */
	char algo[ZRAM_ALGO_MAX];
	char recomp[ZRAM_PRIORITIES][ZRAM_ALGO_MAX];
	char backing[256];
	uint64_t disksize, mem_limit; /* disksize 0: it was not configured */
	bool swap;		      /* it was swapped to */
	int priority;
	bool header; /* there is a swap header to write again */
	uint8_t uuid[SWAP_UUID_LEN];
	char label[SWAP_LABEL_LEN + 1];
	uint64_t set_disksize; /* what setup was asked for: a device of another size is not ours any more */
};

/* The state of the machine that the checks look at. */
struct zram_facts {
	const struct zram_device *devices;
	size_t n_devices;
	const struct swap_area *swaps;
	size_t n_swaps;
	uint64_t mem_total, mem_available;
	uint64_t page_size;
	bool zswap;
};

struct zram_plan {
	struct zram_request req;
	struct zram_before before;
	uint8_t uuid[SWAP_UUID_LEN]; /* of the new swap header; the caller's to fill */
	bool reset_first;	     /* --force on a configured device */
	char warning[ZRAM_MAX_WARNINGS][ZRAM_WHY_MAX];
	size_t n_warnings;
};

/*
 * Checks a request for a device (NULL: one that will be hot-added, whose offers are known only then).
 * On a refusal why says what is wrong and what to do: -EBUSY (in use: --force is not given, or does not
 * help), -ENOMEM (not enough free memory), -EOPNOTSUPP (the kernel lacks it), -EINVAL.
 */
int zram_plan_make(const struct zram_request *req, const struct zram_device *device, const struct zram_facts *facts,
		   struct zram_plan *ret, char why[ZRAM_WHY_MAX]);

/*
 * May what is swapped to the device come back into memory? -ENOMEM with why when it does not fit.
 */
int zram_check_swapoff(const struct zram_facts *facts, const char *name, char why[ZRAM_WHY_MAX]);

enum zram_step {
	ZRAM_STEP_HOT_ADD,
	ZRAM_STEP_RECORD,
	ZRAM_STEP_SWAPOFF_OLD,
	ZRAM_STEP_RESET_OLD,
	ZRAM_STEP_CLAIM,
	ZRAM_STEP_ALGO,
	ZRAM_STEP_PARAMS,
	ZRAM_STEP_RECOMP,
	ZRAM_STEP_BACKING,
	ZRAM_STEP_DISKSIZE,
	ZRAM_STEP_LIMIT,
	ZRAM_STEP_HEADER,
	ZRAM_STEP_RELEASE,
	ZRAM_STEP_SWAPON,
	ZRAM_STEP_COUNT,
};
/* "setting the algorithm" */
const char *zram_step_name(enum zram_step step);
/* "algo": for messages to machines. */
const char *zram_step_key(enum zram_step step);

/* Each returns 0 or a negative errno. */
struct zram_ops {
	int (*write)(void *ctx, unsigned id, const char *attr, const char *text);
	int (*read)(void *ctx, unsigned id, struct zram_device *ret);
	int (*hot_add)(void *ctx, unsigned *ret_id);
	int (*hot_remove)(void *ctx, unsigned id);
	int (*claim)(void *ctx, unsigned id);	 /* opens the device for us alone */
	void (*release)(void *ctx, unsigned id); /* no claim is no error */
	int (*write_header)(void *ctx, unsigned id, uint64_t size, const uint8_t *uuid, const char *label);
	int (*swap_on)(void *ctx, unsigned id, int priority);
	int (*swap_off)(void *ctx, unsigned id);
	int (*record)(void *ctx, const struct zram_before *before);
	int (*forget)(void *ctx, unsigned id);
	/* Asked before each step: an error gives up and goes back. */
	int (*check)(void *ctx, int step);
};

struct zram_fault {
	enum zram_step step;
	int rollback_err;	   /* 0: everything is as before */
	const char *rollback_what; /* what could not be put back */
};

/*
 * Does the plan. On failure everything that was done is undone and *ret_fault says where it was; the
 * error is that of the step, -EINTR when it was interrupted. plan->before.id is set when a device was added.
 */
int zram_apply(struct zram_plan *plan, const struct zram_ops *ops, void *ctx, struct zram_fault *ret_fault);

/*
 * Puts back what a record says, from whatever state a setup or its death left. -EBUSY: the device is in
 * use by someone else. *ret_what names the part that failed.
 */
int zram_restore(const struct zram_before *before, const struct zram_ops *ops, void *ctx, bool is_swap,
		 const char **ret_what);

/* ---- the record, as text of "key value" lines ---- */

/* -ENOSPC when it does not fit. */
int zram_record_format(const struct zram_before *before, const char *boot_id, char *buf, size_t size);
/* -EINVAL; -ESTALE when it is of another boot. */
int zram_record_parse(const char *text, const char *boot_id, struct zram_before *ret);

/* ---- the real thing ---- */

#define ZRAM_STATE_DIR "/run/memscope"

struct zram_kernel {
	int fd;		       /* of the claim, or -1 */
	bool (*stop)(void);    /* true: interrupted, go back; may be NULL */
	int fail_at;	       /* fails with -EIO before this step, for tests; -1: never */
	int lock_fd;	       /* on the device, or -1; a device that is added is locked at once */
};
extern const struct zram_ops zram_kernel_ops;

#define ZRAM_KERNEL_INIT { .fd = -1, .fail_at = -1, .lock_fd = -1 }
void zram_kernel_release(struct zram_kernel *k);

/* The UUID and label of the swap area that is on a device, for going back; none is no error. */
void zram_header_read(struct zram_before *before);

/* Reads the record of a device. -ENOENT: none; -ESTALE, -EINVAL as above. */
int zram_record_read(unsigned id, struct zram_before *ret);
void zram_record_remove(unsigned id);
/* Devices that have a record, by number. */
int zram_record_list(unsigned **ret_ids, size_t *ret_n);

/*
 * A lock on a device among memscope's processes; shared is for those who only use it. The descriptor,
 * or -EBUSY, -EACCES. id -1: of adding devices.
 */
int zram_lock(int id, bool shared);
/* A random (version 4) UUID. */
int zram_uuid(uint8_t uuid[SWAP_UUID_LEN]);

#endif
