/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uffd: the calls of userfaultfd(2), one line each, for kernels newer than the build host's
 * headers.
 *
 * Functions return 0 or a negative errno. Those that work on a range say in *ret_done how many
 * bytes they finished, also when they fail: the kernel stops at the first page that it cannot do.
 * uffd_copy(), uffd_move(), uffd_zero() and uffd_wake() are async-signal-safe; all are thread-safe.
 * Addresses and lengths are multiples of the page size.
 */
#ifndef MEMSCOPE_LIB_UFFD_H
#define MEMSCOPE_LIB_UFFD_H

#include "lib/base.h"

enum uffd_feature {
	UFFD_SIGBUS = 1 << 7,    /* a fault raises SIGBUS in the faulting thread; no messages */
	UFFD_THREAD_ID = 1 << 8, /* messages name the faulting thread */
	UFFD_MOVE = 1 << 16,     /* uffd_move() */
};

struct uffd_fault {
	uintptr_t addr;
	pid_t tid;
};

/*
 * Opens a descriptor with the features `must` and those of `may` that the kernel has; the ones it
 * got are in *ret_features. user_mode_only: no privilege needed, but a system call that touches a
 * missing page fails with EFAULT. -EPERM: refused (sysctl vm.unprivileged_userfaultfd, seccomp);
 * -ENOSYS: not in this kernel; -EOPNOTSUPP: a feature of `must` is missing.
 */
int uffd_open(uint64_t must, uint64_t may, bool user_mode_only, int *ret_fd,
	      uint64_t *ret_features);
/* For missing pages. */
int uffd_register(int fd, void *addr, size_t len);
int uffd_unregister(int fd, void *addr, size_t len);
/* wake: threads that wait for the range go on. */
int uffd_copy(int fd, void *dst, const void *src, size_t len, bool wake, size_t *ret_done);
int uffd_move(int fd, void *dst, void *src, size_t len, bool wake, size_t *ret_done);
/* Maps zero pages. */
int uffd_zero(int fd, void *dst, size_t len, bool wake, size_t *ret_done);
int uffd_wake(int fd, void *addr, size_t len);
/* The next fault messages, at most max; 0 when there is none (the descriptor does not block). */
int uffd_read(int fd, struct uffd_fault *faults, size_t max, size_t *ret_n);

#endif
