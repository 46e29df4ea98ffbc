/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/swaps.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/swap.h>

#include "lib/file.h"
#include "lib/parse.h"

/* ---- /proc/swaps ---- */

/* The kernel writes blanks and the like in paths as \040. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' && s[3] >= '0' &&
		    s[3] <= '7') {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

static int parse_line(char *line, struct swap_area *ret)
{
	char *word[5], *save = NULL;
	struct swap_area area = {};
	uint64_t size, used;
	int64_t priority;

	for (size_t i = 0; i < ARRAY_SIZE(word); i++) {
		word[i] = strtok_r(i ? NULL : line, " \t", &save);
		if (!word[i])
			return -EINVAL;
	}
	if (parse_u64(word[2], 0, UINT64_MAX / KiB, &size) || parse_u64(word[3], 0, UINT64_MAX / KiB, &used) ||
	    parse_i64(word[4], INT16_MIN, INT16_MAX, &priority))
		return -EINVAL;
	snprintf(area.path, sizeof(area.path), "%s", word[0]);
	unescape(area.path);
	area.partition = !strcmp(word[1], "partition");
	area.size_bytes = size * KiB;
	area.used_bytes = used * KiB;
	area.priority = (int)priority;
	*ret = area;
	return 0;
}

int swaps_parse(const char *text, struct swap_area **ret, size_t *ret_n)
{
	_cleanup_free_ char *copy = strdup(text);
	_cleanup_free_ struct swap_area *areas = NULL;
	size_t n = 0, room = 0;
	char *line, *save = NULL;

	if (!copy)
		return -ENOMEM;
	line = strtok_r(copy, "\n", &save);
	if (!line || strncmp(line, "Filename", 8))
		return -EINVAL;
	while ((line = strtok_r(NULL, "\n", &save))) {
		int err;

		if (n == room) {
			struct swap_area *grown = realloc(areas, (room = room ? room * 2 : 4) * sizeof(*areas));

			if (!grown)
				return -ENOMEM;
			areas = grown;
		}
		err = parse_line(line, &areas[n]);
		if (err)
			return err;
		n++;
	}
	*ret = areas;
	areas = NULL;
	*ret_n = n;
	return 0;
}

int swaps_read(struct swap_area **ret, size_t *ret_n)
{
	_cleanup_free_ char *text = NULL;
	int err = file_read_all("/proc", "swaps", &text);

	if (err)
		return err;
	/* Without CONFIG_SWAP the file is absent; with it, it has at least its heading. */
	return swaps_parse(text, ret, ret_n);
}

const struct swap_area *swaps_find(const struct swap_area *areas, size_t n, const char *name)
{
	char path[64], dev[32];
	struct stat st, other;
	bool other_names = false;

	snprintf(path, sizeof(path), "/dev/%s", name);
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(areas[i].path, path))
			return &areas[i];
		other_names |= areas[i].partition && strncmp(areas[i].path, "/dev/zram", 9);
	}
	if (!other_names)
		return NULL;
	/* swapon shows the path that it was given, which may be a link or another node. */
	snprintf(path, sizeof(path), "/sys/block/%s", name);
	if (file_read_at(path, "dev", dev, sizeof(dev)))
		return NULL;
	snprintf(path, sizeof(path), "/dev/block/%s", dev);
	if (stat(path, &st)) {
		snprintf(path, sizeof(path), "/dev/%s", name);
		if (stat(path, &st))
			return NULL;
	}
	for (size_t i = 0; i < n; i++)
		if (areas[i].partition && !stat(areas[i].path, &other) && S_ISBLK(other.st_mode) &&
		    other.st_rdev == st.st_rdev)
			return &areas[i];
	return NULL;
}

/* ---- the header ---- */

#define SWAP_MAGIC	"SWAPSPACE2"
#define SWAP_MAGIC_LEN	10
#define SWAP_BOOT_BYTES 1024
#define SWAP_VERSION	1
#define SWAP_MIN_PAGES	10

/* union swap_header of include/linux/swap.h, after the boot loader's bytes. */
struct swap_info {
	uint32_t version;
	uint32_t last_page;
	uint32_t nr_badpages;
	uint8_t uuid[SWAP_UUID_LEN];
	char label[SWAP_LABEL_LEN];
};
_Static_assert(sizeof(struct swap_info) == 44, "the kernel's layout");

static bool is_page_size(size_t n)
{
	return n >= 4096 && n <= SWAP_PAGE_MAX && !(n & (n - 1));
}

int swap_header_make(void *page, size_t page_size, uint64_t area_bytes, const uint8_t uuid[SWAP_UUID_LEN],
		     const char *label)
{
	struct swap_info info = { .version = SWAP_VERSION };
	uint64_t pages;

	if (!is_page_size(page_size))
		return -EINVAL;
	pages = area_bytes / page_size;
	if (pages < SWAP_MIN_PAGES)
		return -EINVAL;
	/* What does not fit into 32 bits is not used: 16 TiB of 4 KiB pages. */
	info.last_page = (uint32_t)MIN(pages - 1, UINT32_MAX);
	memcpy(info.uuid, uuid, sizeof(info.uuid));
	memcpy(info.label, label, strnlen(label, sizeof(info.label)));
	memset(page, 0, page_size);
	memcpy((char *)page + SWAP_BOOT_BYTES, &info, sizeof(info));
	memcpy((char *)page + page_size - SWAP_MAGIC_LEN, SWAP_MAGIC, SWAP_MAGIC_LEN);
	return 0;
}

int swap_header_read(const void *page, size_t page_size, uint8_t uuid[SWAP_UUID_LEN], char label[SWAP_LABEL_LEN + 1])
{
	struct swap_info info;

	if (!is_page_size(page_size) ||
	    memcmp((const char *)page + page_size - SWAP_MAGIC_LEN, SWAP_MAGIC, SWAP_MAGIC_LEN))
		return -EINVAL;
	memcpy(&info, (const char *)page + SWAP_BOOT_BYTES, sizeof(info));
	if (info.version != SWAP_VERSION)
		return -EINVAL;
	memcpy(uuid, info.uuid, SWAP_UUID_LEN);
	memcpy(label, info.label, SWAP_LABEL_LEN);
	label[SWAP_LABEL_LEN] = '\0';
	return 0;
}

/* ---- the calls ---- */

int swap_on(const char *path, int priority)
{
	int flags = 0;

	if (priority >= 0)
		flags = SWAP_FLAG_PREFER | ((priority << SWAP_FLAG_PRIO_SHIFT) & SWAP_FLAG_PRIO_MASK);
	return swapon(path, flags) ? -errno : 0;
}

int swap_off(const char *path)
{
	return swapoff(path) ? -errno : 0;
}

int meminfo_read(const char *key, uint64_t *ret_bytes)
{
	_cleanup_free_ char *text = NULL;
	uint64_t kib = 0;
	int err = file_read_all("/proc", "meminfo", &text);

	if (!err)
		err = text_find_u64(text, key, &kib);
	if (!err)
		*ret_bytes = kib * KiB;
	return err;
}
