/* SPDX-License-Identifier: BSD-2-Clause */
/* The real effects of zram_setup: sysfs, the device node, swapon(2), locks and undo records. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "lib/file.h"
#include "lib/parse.h"
#include "lib/zram_setup.h"

#define LOCK_DIR     "/run/lock"
#define RECORD_MAGIC "memscope-pool-undo 1"
/* udev and blkid open a device for a moment after each change of it. */
#define BUSY_TRIES	 40
#define BUSY_PAUSE_US 25000

static void dev_path(unsigned id, char buf[32])
{
	snprintf(buf, 32, "/dev/zram%u", id);
}

static int kernel_write(void *ctx _unused_, unsigned id, const char *attr, const char *text)
{
	char dir[64];
	int err = 0;

	snprintf(dir, sizeof(dir), "/sys/block/zram%u", id);
	for (int i = 0; i < BUSY_TRIES; i++) {
		err = file_write_at(dir, attr, text);
		if (err != -EBUSY || strcmp(attr, "reset"))
			break;
		usleep(BUSY_PAUSE_US);
	}
	return err;
}

static int kernel_read(void *ctx _unused_, unsigned id, struct zram_device *ret)
{
	return zram_read(id, ret);
}

static int kernel_hot_remove(void *ctx _unused_, unsigned id)
{
	char text[16];
	int err = 0;

	snprintf(text, sizeof(text), "%u", id);
	for (int i = 0; i < BUSY_TRIES; i++) {
		err = file_write_at(ZRAM_CONTROL, "hot_remove", text);
		if (err != -EBUSY)
			break;
		usleep(BUSY_PAUSE_US);
	}
	return err;
}

static int kernel_hot_add(void *ctx, unsigned *ret_id)
{
	struct zram_kernel *k = ctx;
	uint64_t id;
	int err = file_read_u64(ZRAM_CONTROL, "hot_add", &id), fd;

	if (err)
		return err;
	fd = zram_lock((int)id, false);
	if (fd < 0) {
		kernel_hot_remove(ctx, (unsigned)id);
		return fd;
	}
	k->lock_fd = fd;
	*ret_id = (unsigned)id;
	return 0;
}

static int kernel_claim(void *ctx, unsigned id)
{
	struct zram_kernel *k = ctx;
	char path[32];

	dev_path(id, path);
	/* The node of a device that was just added comes from devtmpfs at once, from udev a little later. */
	for (int i = 0; i < BUSY_TRIES; i++) {
		k->fd = open(path, O_RDWR | O_EXCL | O_CLOEXEC);
		if (k->fd >= 0)
			return 0;
		if (errno != ENOENT && errno != EBUSY)
			break;
		usleep(BUSY_PAUSE_US);
	}
	return -errno;
}

static void kernel_release(void *ctx, unsigned id _unused_)
{
	struct zram_kernel *k = ctx;

	if (k->fd >= 0)
		close(k->fd);
	k->fd = -1;
}

static int write_page(int fd, const void *page, size_t size)
{
	ssize_t n = pwrite(fd, page, size, 0);

	if (n < 0)
		return -errno;
	if ((size_t)n != size)
		return -EIO;
	return fsync(fd) ? -errno : 0;
}

static int kernel_write_header(void *ctx, unsigned id, uint64_t size, const uint8_t *uuid, const char *label)
{
	struct zram_kernel *k = ctx;
	size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
	_cleanup_free_ char *page = malloc(page_size);
	bool claimed = k->fd >= 0;
	int err;

	if (!page)
		return -ENOMEM;
	err = swap_header_make(page, page_size, size, uuid, label);
	/* While going back there is no claim. */
	if (!err && !claimed)
		err = kernel_claim(ctx, id);
	if (!err)
		err = write_page(k->fd, page, page_size);
	if (!claimed)
		kernel_release(ctx, id);
	return err;
}

static int kernel_swap_on(void *ctx _unused_, unsigned id, int priority)
{
	char path[32];

	dev_path(id, path);
	return swap_on(path, priority);
}

static int kernel_swap_off(void *ctx _unused_, unsigned id)
{
	char path[32];

	dev_path(id, path);
	return swap_off(path);
}

void zram_header_read(struct zram_before *before)
{
	size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
	_cleanup_free_ char *page = malloc(page_size);
	_cleanup_close_ int fd = -1;
	char path[32];

	dev_path(before->id, path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (page && fd >= 0 && pread(fd, page, page_size, 0) == (ssize_t)page_size)
		before->header = !swap_header_read(page, page_size, before->uuid, before->label);
}

void zram_kernel_release(struct zram_kernel *k)
{
	kernel_release(k, 0);
	if (k->lock_fd >= 0)
		close(k->lock_fd);
	k->lock_fd = -1;
}

/* ---- records ---- */

static void hex_put(char *buf, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		snprintf(buf + 2 * i, 3, "%02x", bytes[i]);
}

static int hex_get(const char *text, uint8_t *bytes, size_t n)
{
	if (strlen(text) != 2 * n)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		char pair[3] = { text[2 * i], text[2 * i + 1], '\0' };
		uint64_t v;

		if (parse_hex(pair, &v))
			return -EINVAL;
		bytes[i] = (uint8_t)v;
	}
	return 0;
}

int zram_record_format(const struct zram_before *b, const char *boot_id, char *buf, size_t size)
{
	char uuid[2 * SWAP_UUID_LEN + 1], label[2 * SWAP_LABEL_LEN + 1];
	int n;

	hex_put(uuid, b->uuid, SWAP_UUID_LEN);
	hex_put(label, (const uint8_t *)b->label, SWAP_LABEL_LEN);
	n = snprintf(buf, size,
		     RECORD_MAGIC "\nboot %s\nid %u\nhot_added %d\nalgo %s\nrecomp1 %s\nrecomp2 %s\nrecomp3 %s\n"
				  "backing %s\ndisksize %" PRIu64 "\nmem_limit %" PRIu64 "\nswap %d\npriority %d\nheader %d\n"
				  "uuid %s\nlabel %s\nset_disksize %" PRIu64 "\nend 1\n",
		     boot_id, b->id, b->hot_added, b->algo, b->recomp[1], b->recomp[2], b->recomp[3], b->backing,
		     b->disksize, b->mem_limit, b->swap, b->priority, b->header, uuid, label, b->set_disksize);
	return n > 0 && (size_t)n < size ? 0 : -ENOSPC;
}

/* The value of a key, copied; false when the key is missing or the value too long. */
static bool value_of(const char *text, const char *key, char *buf, size_t size)
{
	size_t len = strlen(key), n;

	for (const char *line = text; line && *line; line = strchr(line, '\n'), line += line != NULL) {
		if (strncmp(line, key, len) || line[len] != ' ')
			continue;
		n = strcspn(line + len + 1, "\n");
		if (n >= size)
			return false;
		memcpy(buf, line + len + 1, n);
		buf[n] = '\0';
		return true;
	}
	return false;
}

static bool number_of(const char *text, const char *key, uint64_t max, uint64_t *ret)
{
	char word[24];

	return value_of(text, key, word, sizeof(word)) && !parse_u64(word, 0, max, ret);
}

int zram_record_parse(const char *text, const char *boot_id, struct zram_before *ret)
{
	struct zram_before b = {};
	uint64_t id, hot_added, swap, header, end;
	char word[2 * SWAP_UUID_LEN + 1];
	int64_t priority;

	if (strncmp(text, RECORD_MAGIC "\n", sizeof(RECORD_MAGIC)) || !value_of(text, "boot", word, sizeof(word)))
		return -EINVAL;
	if (strncmp(word, boot_id, sizeof(word) - 1))
		return -ESTALE;
	if (!number_of(text, "end", 1, &end) || !number_of(text, "id", INT_MAX, &id) ||
	    !number_of(text, "hot_added", 1, &hot_added) || !number_of(text, "disksize", UINT64_MAX, &b.disksize) ||
	    !number_of(text, "mem_limit", UINT64_MAX, &b.mem_limit) || !number_of(text, "swap", 1, &swap) ||
	    !number_of(text, "header", 1, &header) || !number_of(text, "set_disksize", UINT64_MAX, &b.set_disksize) ||
	    !value_of(text, "algo", b.algo, sizeof(b.algo)) ||
	    !value_of(text, "recomp1", b.recomp[1], sizeof(b.recomp[1])) ||
	    !value_of(text, "recomp2", b.recomp[2], sizeof(b.recomp[2])) ||
	    !value_of(text, "recomp3", b.recomp[3], sizeof(b.recomp[3])) ||
	    !value_of(text, "backing", b.backing, sizeof(b.backing)) ||
	    !value_of(text, "priority", word, sizeof(word)) || parse_i64(word, INT16_MIN, INT16_MAX, &priority) ||
	    !value_of(text, "uuid", word, sizeof(word)) || hex_get(word, b.uuid, SWAP_UUID_LEN) ||
	    !value_of(text, "label", word, sizeof(word)) || hex_get(word, (uint8_t *)b.label, SWAP_LABEL_LEN))
		return -EINVAL;
	b.id = (unsigned)id;
	b.hot_added = hot_added;
	b.swap = swap;
	b.header = header;
	b.priority = (int)priority;
	*ret = b;
	return 0;
}

/* 32 hexadecimal digits: the boot id without its dashes. */
static int boot_id(char buf[33])
{
	char text[64];
	size_t n = 0;
	int err = file_read_at("/proc/sys/kernel/random", "boot_id", text, sizeof(text));

	for (const char *p = text; !err && *p && n < 32; p++)
		if (*p != '-')
			buf[n++] = *p;
	buf[n] = '\0';
	return err;
}

static void record_path(unsigned id, char *buf, size_t size)
{
	snprintf(buf, size, ZRAM_STATE_DIR "/pool-zram%u.undo", id);
}

static int kernel_record(void *ctx _unused_, const struct zram_before *before)
{
	char text[2048], path[64], draft[80], boot[33];
	_cleanup_close_ int fd = -1;
	int err = boot_id(boot);

	if (!err)
		err = zram_record_format(before, boot, text, sizeof(text));
	if (err)
		return err;
	if (mkdir(ZRAM_STATE_DIR, 0755) && errno != EEXIST)
		return -errno;
	record_path(before->id, path, sizeof(path));
	snprintf(draft, sizeof(draft), "%s.new", path);
	fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fsync(fd) || rename(draft, path)) {
		err = errno ? -errno : -ENOSPC;
		unlink(draft);
	}
	return err;
}

static int kernel_forget(void *ctx _unused_, unsigned id)
{
	char path[64];

	/* What pool maintain keeps there goes with it. */
	snprintf(path, sizeof(path), ZRAM_STATE_DIR "/pool-zram%u.marked", id);
	unlink(path);
	record_path(id, path, sizeof(path));
	return unlink(path) && errno != ENOENT ? -errno : 0;
}

void zram_record_remove(unsigned id)
{
	kernel_forget(NULL, id);
}

int zram_record_read(unsigned id, struct zram_before *ret)
{
	_cleanup_free_ char *text = NULL;
	char name[32], boot[33];
	int err;

	snprintf(name, sizeof(name), "pool-zram%u.undo", id);
	err = file_read_all(ZRAM_STATE_DIR, name, &text);
	if (!err)
		err = boot_id(boot);
	return err ? err : zram_record_parse(text, boot, ret);
}

static int by_number(const void *a, const void *b)
{
	const unsigned *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

int zram_record_list(unsigned **ret_ids, size_t *ret_n)
{
	_cleanup_free_ unsigned *ids = NULL;
	size_t n = 0, room = 0;
	struct dirent *entry;
	DIR *dir = opendir(ZRAM_STATE_DIR);

	if (!dir && errno != ENOENT)
		return -errno;
	while (dir && (entry = readdir(dir))) {
		char name[64];
		unsigned id;
		size_t len = strlen(entry->d_name);

		if (strncmp(entry->d_name, "pool-", 5) || len < 10 || len >= sizeof(name) ||
		    strcmp(entry->d_name + len - 5, ".undo"))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(len - 10), entry->d_name + 5);
		if (zram_parse_name(name, &id))
			continue;
		if (n == room) {
			unsigned *grown = realloc(ids, (room = room ? room * 2 : 8) * sizeof(*ids));

			if (!grown) {
				closedir(dir);
				return -ENOMEM;
			}
			ids = grown;
		}
		ids[n++] = id;
	}
	if (dir)
		closedir(dir);
	if (n)
		qsort(ids, n, sizeof(*ids), by_number);
	*ret_ids = ids;
	ids = NULL;
	*ret_n = n;
	return 0;
}

/* ---- locks, identifiers, and the tests' failing step ---- */

/*
 * /run/lock may be a directory where everyone writes: a lock file that someone else has put there would
 * let him keep root from its devices.
 */
static int open_lock(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct stat st;

	if (fd < 0)
		return errno == ELOOP ? -EACCES : -errno;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_uid == geteuid())
		return fd;
	close(fd);
	return -EACCES;
}

int zram_lock(int id, bool shared)
{
	char path[64];
	int fd;

	if (id < 0)
		snprintf(path, sizeof(path), LOCK_DIR "/memscope-zram-control.lock");
	else
		snprintf(path, sizeof(path), LOCK_DIR "/memscope-zram%d.lock", id);
	/* The file stays: removing it would let two processes lock two files of one name. */
	fd = open_lock(path);
	if (fd == -EACCES && !unlink(path))
		fd = open_lock(path);
	if (fd < 0)
		return fd;
	if (flock(fd, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB)) {
		int err = errno == EWOULDBLOCK ? -EBUSY : -errno;

		close(fd);
		return err;
	}
	return fd;
}

int zram_uuid(uint8_t uuid[SWAP_UUID_LEN])
{
	if (getrandom(uuid, SWAP_UUID_LEN, 0) != SWAP_UUID_LEN)
		return -EIO;
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
	return 0;
}

static int kernel_check(void *ctx, int step)
{
	const struct zram_kernel *k = ctx;

	if (k->stop && k->stop())
		return -EINTR;
	return step == k->fail_at ? -EIO : 0;
}

const struct zram_ops zram_kernel_ops = {
	.write = kernel_write,
	.read = kernel_read,
	.hot_add = kernel_hot_add,
	.hot_remove = kernel_hot_remove,
	.claim = kernel_claim,
	.release = kernel_release,
	.write_header = kernel_write_header,
	.swap_on = kernel_swap_on,
	.swap_off = kernel_swap_off,
	.record = kernel_record,
	.forget = kernel_forget,
	.check = kernel_check,
};
