/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * handler: the thread that answers the faults of KIND_THREAD.
 *
 *	faulting thread (sleeps in the kernel, also in a system call) ──message──> userfaultfd
 *	                    ^                                                          │ poll, read
 *	                    └───────── UFFDIO_COPY wakes it ────────── fault_handle() ─┘
 *
 * One thread, all signals blocked; it waits for nothing but page entries, so it always gets on. It
 * follows no CPU: measured, a handler that follows the faulting thread is slower.
 */
#include "arena/engine.h"

#include <poll.h>
#include <sys/eventfd.h>

#include "lib/uffd.h"

static void *handler(void *arg)
{
	struct kind *k = arg;
	struct pollfd fds[2] = {
		{.fd = k->fd, .events = POLLIN},
		{.fd = k->stop_fd, .events = POLLIN},
	};
	struct uffd_fault faults[16];
	size_t n;

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			break;
		if (fds[1].revents)
			break;
		if (uffd_read(k->fd, faults, ARRAY_SIZE(faults), &n))
			break;
		for (size_t i = 0; i < n; i++) {
			int err = fault_handle((void *)faults[i].addr, (uintptr_t)faults[i].tid,
					       KIND_THREAD);

			/* As the kernel does for memory that it cannot read back. */
			if (err < 0)
				tgkill(getpid(), faults[i].tid, SIGBUS);
		}
	}
	return NULL;
}

int handler_start(struct kind *k)
{
	sigset_t all, old;
	int err;

	k->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (k->stop_fd < 0)
		return -errno;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = -pthread_create(&k->thread, NULL, handler, k);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err) {
		close(k->stop_fd);
		k->stop_fd = -1;
	}
	return err;
}

void handler_stop(struct kind *k)
{
	const uint64_t one = 1;

	if (k->stop_fd < 0)
		return;
	/* An eventfd that was never written takes it. */
	if (write(k->stop_fd, &one, sizeof(one)) == sizeof(one))
		pthread_join(k->thread, NULL);
	close(k->stop_fd);
	k->stop_fd = -1;
}
