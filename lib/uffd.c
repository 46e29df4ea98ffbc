/* SPDX-License-Identifier: BSD-2-Clause */
/* uffd: see uffd.h. Stateless. */
#include "lib/uffd.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

/* Later than the headers of some supported build hosts. */
#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)
#endif

struct move_args {
	uint64_t dst, src, len, mode;
	int64_t move;
};

#define IOC_MOVE           _IOWR(UFFDIO, 0x05, struct move_args)
#define MOVE_MODE_DONTWAKE UINT64_C(1)

_Static_assert(sizeof(struct move_args) == 40, "the kernel's struct uffdio_move");

static int new_fd(bool user_mode_only)
{
	int flags = O_CLOEXEC | O_NONBLOCK | (user_mode_only ? UFFD_USER_MODE_ONLY : 0);
	int fd = (int)syscall(SYS_userfaultfd, flags);
	int err, dev;

	if (fd < 0 && errno == EINVAL && user_mode_only) /* before 5.11 */
		fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0)
		return fd;
	err = -errno;
	/* The device hands out descriptors by file permission, whatever the sysctl says. */
	dev = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
	if (dev < 0)
		return err;
	fd = ioctl(dev, USERFAULTFD_IOC_NEW, flags);
	close(dev);
	return fd < 0 ? err : fd;
}

static int handshake(int fd, uint64_t features, uint64_t *ret_features)
{
	struct uffdio_api api = {.api = UFFD_API, .features = features};

	if (ioctl(fd, UFFDIO_API, &api))
		return errno == EINVAL ? -EOPNOTSUPP : -errno;
	*ret_features = api.features;
	return 0;
}

int uffd_open(uint64_t must, uint64_t may, bool user_mode_only, int *ret_fd, uint64_t *ret_features)
{
	_cleanup_close_ int probe = new_fd(user_mode_only);
	_cleanup_close_ int fd = -1;
	uint64_t offered = 0, features;
	int err;

	if (probe < 0)
		return probe;
	/* A descriptor shakes hands once, so what the kernel offers is asked with another one. */
	err = handshake(probe, 0, &offered);
	if (err)
		return err;
	if ((offered & must) != must)
		return -EOPNOTSUPP;
	features = must | (may & offered);
	fd = new_fd(user_mode_only);
	if (fd < 0)
		return fd;
	err = handshake(fd, features, &offered);
	if (err)
		return err;
	*ret_fd = fd;
	*ret_features = features;
	fd = -1;
	return 0;
}

int uffd_register(int fd, void *addr, size_t len)
{
	struct uffdio_register r = {
		.range = {.start = (uintptr_t)addr, .len = len},
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	return ioctl(fd, UFFDIO_REGISTER, &r) ? -errno : 0;
}

int uffd_unregister(int fd, void *addr, size_t len)
{
	struct uffdio_range r = {.start = (uintptr_t)addr, .len = len};

	return ioctl(fd, UFFDIO_UNREGISTER, &r) ? -errno : 0;
}

/* The kernel writes the bytes that it did, or a negative errno when it did none. */
static int range_ioctl(int fd, unsigned long request, void *args, const int64_t *done,
		       size_t *ret_done)
{
	int err = ioctl(fd, request, args) ? -errno : 0;

	*ret_done = *done < 0 ? 0 : (size_t)*done;
	return err;
}

int uffd_copy(int fd, void *dst, const void *src, size_t len, bool wake, size_t *ret_done)
{
	struct uffdio_copy c = {
		.dst = (uintptr_t)dst,
		.src = (uintptr_t)src,
		.len = len,
		.mode = wake ? 0 : UFFDIO_COPY_MODE_DONTWAKE,
	};

	return range_ioctl(fd, UFFDIO_COPY, &c, (const int64_t *)&c.copy, ret_done);
}

int uffd_move(int fd, void *dst, void *src, size_t len, bool wake, size_t *ret_done)
{
	struct move_args m = {
		.dst = (uintptr_t)dst,
		.src = (uintptr_t)src,
		.len = len,
		.mode = wake ? 0 : MOVE_MODE_DONTWAKE,
	};

	return range_ioctl(fd, IOC_MOVE, &m, &m.move, ret_done);
}

int uffd_zero(int fd, void *dst, size_t len, bool wake, size_t *ret_done)
{
	struct uffdio_zeropage z = {
		.range = {.start = (uintptr_t)dst, .len = len},
		.mode = wake ? 0 : UFFDIO_ZEROPAGE_MODE_DONTWAKE,
	};

	return range_ioctl(fd, UFFDIO_ZEROPAGE, &z, (const int64_t *)&z.zeropage, ret_done);
}

int uffd_wake(int fd, void *addr, size_t len)
{
	struct uffdio_range r = {.start = (uintptr_t)addr, .len = len};

	return ioctl(fd, UFFDIO_WAKE, &r) ? -errno : 0;
}

int uffd_read(int fd, struct uffd_fault *faults, size_t max, size_t *ret_n)
{
	struct uffd_msg msg[16];
	ssize_t len = read(fd, msg, MIN(max, ARRAY_SIZE(msg)) * sizeof(msg[0]));
	size_t n = 0;

	if (len < 0 && errno != EAGAIN && errno != EINTR)
		return -errno;
	for (size_t i = 0; len > 0 && i < (size_t)len / sizeof(msg[0]); i++) {
		if (msg[i].event != UFFD_EVENT_PAGEFAULT)
			continue;
		faults[n++] = (struct uffd_fault){
			.addr = (uintptr_t)msg[i].arg.pagefault.address,
			.tid = (pid_t)msg[i].arg.pagefault.feat.ptid,
		};
	}
	*ret_n = n;
	return 0;
}
