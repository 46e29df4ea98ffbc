/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/input.h"

#include <fcntl.h>
#include <sys/stat.h>

#define FIRST_READ ((size_t)(256 * KiB))

void input_release(struct input *in)
{
	free(in->data);
	in->data = NULL;
}

static int grow(struct input *in, size_t *cap, size_t max_len)
{
	size_t want = CLAMP(*cap * 2, MIN(FIRST_READ, max_len), max_len);
	unsigned char *p = realloc(in->data, want);

	if (!p)
		return -ENOMEM;
	in->data = p;
	*cap = want;
	return 0;
}

int input_read(int fd, size_t max_len, struct input *ret)
{
	_cleanup_(input_release) struct input in = {0};
	struct stat st;
	off_t start = lseek(fd, 0, SEEK_CUR);
	size_t cap = 0;
	char more;

	if (fstat(fd, &st))
		return -errno;
	while (in.len < max_len) {
		ssize_t n;

		if (in.len == cap) {
			int err = grow(&in, &cap, max_len);

			if (err)
				return err;
		}
		n = read(fd, in.data + in.len, cap - in.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		in.len += (size_t)n;
	}
	in.truncated = in.len == max_len && read(fd, &more, 1) == 1;
	if (S_ISREG(st.st_mode) && in.len < max_len && start >= 0 &&
	    (uint64_t)st.st_size > (uint64_t)start + in.len)
		in.missing_bytes = (uint64_t)st.st_size - (uint64_t)start - in.len;
	*ret = in;
	in.data = NULL;
	return 0;
}

int input_open(const char *path, size_t max_len, struct input *ret)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return -errno;
	return input_read(fd, max_len, ret);
}
