/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/file.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "lib/parse.h"

static const char *sysroot = "";

void file_set_sysroot(const char *root)
{
	sysroot = root ? root : "";
}

static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return !strncmp(path, dir, len) && (!path[len] || path[len] == '/');
}

const char *file_under_sysroot(const char *path, char *buf, size_t size)
{
	bool below = *sysroot && (is_below(path, "/proc") || is_below(path, "/sys"));

	snprintf(buf, size, "%s%s", below ? sysroot : "", path);
	return buf;
}

static int open_at(const char *dir, const char *name, int flags)
{
	char path[PATH_MAX], full[PATH_MAX];
	int fd;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(file_under_sysroot(path, full, sizeof(full)), flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int file_read_at(const char *dir, const char *name, char *buf, size_t size)
{
	_cleanup_close_ int fd = open_at(dir, name, O_RDONLY);
	size_t used = 0;

	if (fd < 0)
		return fd;
	while (used < size - 1) {
		ssize_t n = read(fd, buf + used, size - 1 - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		used += (size_t)n;
	}
	if (used && buf[used - 1] == '\n')
		used--;
	buf[used] = '\0';
	return 0;
}

int file_read_u64(const char *dir, const char *name, uint64_t *ret)
{
	char text[64];
	int err = file_read_at(dir, name, text, sizeof(text));

	return err ? err : parse_u64(text, 0, UINT64_MAX, ret);
}

int file_write_at(const char *dir, const char *name, const char *text)
{
	_cleanup_close_ int fd = open_at(dir, name, O_WRONLY);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = write(fd, text, strlen(text));
	if (n < 0)
		return -errno;
	return (size_t)n == strlen(text) ? 0 : -EIO;
}

int file_read_all(const char *dir, const char *name, char **ret_text)
{
	_cleanup_close_ int fd = open_at(dir, name, O_RDONLY);
	size_t used = 0, room = 4096;
	_cleanup_free_ char *text = malloc(room);

	if (fd < 0)
		return fd;
	for (;;) {
		ssize_t n;

		if (room - used < 2048) {
			char *grown = realloc(text, room * 2);

			if (!grown)
				return -ENOMEM;
			text = grown;
			room *= 2;
		}
		if (!text)
			return -ENOMEM;
		n = read(fd, text + used, room - used - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		used += (size_t)n;
	}
	text[used] = '\0';
	*ret_text = text;
	text = NULL;
	return 0;
}

int text_find_u64(const char *text, const char *key, uint64_t *ret)
{
	size_t len = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		char number[24];
		size_t digits;

		line += *line == '\n';
		if (strncmp(line, key, len) || !strchr(": \t", line[len]))
			continue;
		line += len;
		line += strspn(line, ": \t");
		digits = strspn(line, "0123456789");
		if (!digits || digits >= sizeof(number))
			return -EINVAL;
		memcpy(number, line, digits);
		number[digits] = '\0';
		return parse_u64(number, 0, UINT64_MAX, ret);
	}
	return -ENOENT;
}
