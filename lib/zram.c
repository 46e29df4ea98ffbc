/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/zram.h"

#include <dirent.h>
#include <limits.h>
#include <string.h>
#include <sys/utsname.h>

#include "lib/file.h"
#include "lib/parse.h"

#define BLOCK_DIR "/sys/block"

/* ---- texts ---- */

/* Up to max numbers separated by blanks; how many there were, or -EINVAL. */
static int numbers(const char *text, uint64_t *v, size_t max)
{
	size_t n = 0;

	for (;;) {
		char word[24];
		size_t len;

		text += strspn(text, " \t\n");
		if (!*text)
			return (int)n;
		len = strcspn(text, " \t\n");
		if (len >= sizeof(word))
			return -EINVAL;
		memcpy(word, text, len);
		word[len] = '\0';
		text += len;
		/* Later kernels may add numbers: those known are the first ones. */
		if (n == max)
			continue;
		if (parse_u64(word, 0, UINT64_MAX, &v[n++]))
			return -EINVAL;
	}
}

int zram_parse_mm(const char *text, struct zram_mm *ret)
{
	uint64_t v[9] = {};
	int n = numbers(text, v, ARRAY_SIZE(v));

	if (n < 7)
		return -EINVAL;
	*ret = (struct zram_mm){
		.n_fields = (unsigned)n,
		.orig = v[0],
		.compr = v[1],
		.mem_used = v[2],
		.mem_limit = v[3],
		.mem_used_max = v[4],
		.same_pages = v[5],
		.pages_compacted = v[6],
		.huge_pages = v[7],
		.huge_pages_since = v[8],
	};
	return 0;
}

int zram_parse_io(const char *text, struct zram_io *ret)
{
	uint64_t v[4];

	if (numbers(text, v, ARRAY_SIZE(v)) < 4)
		return -EINVAL;
	*ret = (struct zram_io){ v[0], v[1], v[2], v[3] };
	return 0;
}

int zram_parse_bd(const char *text, struct zram_bd *ret)
{
	uint64_t v[3];

	if (numbers(text, v, ARRAY_SIZE(v)) < 3)
		return -EINVAL;
	*ret = (struct zram_bd){ v[0], v[1], v[2] };
	return 0;
}

int zram_parse_block(const char *text, struct zram_block *ret)
{
	uint64_t v[12] = {};

	/* 11 numbers up to 4.17, then discards, then flushes. */
	if (numbers(text, v, ARRAY_SIZE(v)) < 11)
		return -EINVAL;
	*ret = (struct zram_block){ .reads = v[0], .writes = v[4], .discards = v[11] };
	return 0;
}

int zram_parse_algos(const char *text, struct zram_algos *ret)
{
	struct zram_algos a = { .chosen = -1 };

	for (;;) {
		bool chosen;
		size_t len;

		text += strspn(text, " \t\n");
		if (!*text)
			break;
		len = strcspn(text, " \t\n");
		chosen = *text == '[' && len > 2 && text[len - 1] == ']';
		if (a.n == ZRAM_MAX_ALGOS || len - 2 * chosen >= ZRAM_ALGO_MAX)
			return -EINVAL;
		if (chosen)
			a.chosen = (int)a.n;
		memcpy(a.name[a.n++], text + chosen, len - 2 * chosen);
		text += len;
	}
	if (!a.n)
		return -EINVAL;
	*ret = a;
	return 0;
}

int zram_parse_recomp(const char *text, struct zram_algos *ret)
{
	struct zram_algos all[ZRAM_PRIORITIES] = {};

	for (const char *line = text; *line;) {
		size_t len = strcspn(line, "\n");
		char one[512], *colon;
		uint64_t priority;

		if (len >= sizeof(one))
			return -EINVAL;
		memcpy(one, line, len);
		one[len] = '\0';
		line += len + (line[len] == '\n');
		if (!len)
			continue;
		colon = strchr(one, ':');
		if (one[0] != '#' || !colon)
			return -EINVAL;
		*colon = '\0';
		if (parse_u64(one + 1, 1, ZRAM_PRIORITIES - 1, &priority) ||
		    zram_parse_algos(colon + 1, &all[priority]))
			return -EINVAL;
	}
	memcpy(ret, all, sizeof(all));
	return 0;
}

int zram_parse_name(const char *text, unsigned *ret_id)
{
	uint64_t id;

	if (!strncmp(text, "/dev/", 5))
		text += 5;
	/* "zram07" and "zram+7" are no names of the kernel. */
	if (strncmp(text, "zram", 4) || (text[4] == '0' && text[5]) || text[4] < '0' || text[4] > '9' ||
	    parse_u64(text + 4, 0, INT_MAX, &id))
		return -EINVAL;
	*ret_id = (unsigned)id;
	return 0;
}

void zram_count_block(const char *line, struct zram_blocks *b)
{
	size_t len = strcspn(line, "\n");

	/* The flags are the last word: dots for those that are not set. */
	while (len && line[len - 1] == ' ')
		len--;
	if (!len)
		return;
	b->pages++;
	while (len && line[len - 1] != ' ') {
		switch (line[--len]) {
		case 's':
			b->same++;
			break;
		case 'w':
			b->written_back++;
			break;
		case 'h':
			b->huge++;
			break;
		case 'i':
			b->idle++;
			break;
		case 'r':
			b->recompressed++;
			break;
		case 'n':
			b->incompressible++;
			break;
		default:
			break;
		}
	}
}

const char *zram_algo(const struct zram_algos *a)
{
	return a->n && a->chosen >= 0 ? a->name[a->chosen] : "";
}

bool zram_offers(const struct zram_algos *a, const char *name)
{
	for (size_t i = 0; i < a->n; i++)
		if (!strcmp(a->name[i], name))
			return true;
	return false;
}

/* ---- devices ---- */

static bool has_file(const char *dir, const char *name)
{
	char path[PATH_MAX], full[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return !access(file_under_sysroot(path, full, sizeof(full)), F_OK);
}

static unsigned find_files(const char *dir)
{
	unsigned has = 0;

	if (has_file(dir, "recomp_algorithm") && has_file(dir, "recompress"))
		has |= ZRAM_HAS_RECOMPRESS;
	if (has_file(dir, "backing_dev") && has_file(dir, "writeback"))
		has |= ZRAM_HAS_WRITEBACK;
	if (has_file(dir, "idle"))
		has |= ZRAM_HAS_IDLE;
	if (has_file(dir, "algorithm_params"))
		has |= ZRAM_HAS_PARAMS;
	if (has_file(dir, "compact"))
		has |= ZRAM_HAS_COMPACT;
	return has;
}

static void read_stats(const char *dir, struct zram_device *d)
{
	char text[512];

	d->have_mm = !file_read_at(dir, "mm_stat", text, sizeof(text)) && !zram_parse_mm(text, &d->mm);
	d->have_io = !file_read_at(dir, "io_stat", text, sizeof(text)) && !zram_parse_io(text, &d->io);
	d->have_bd = d->has & ZRAM_HAS_WRITEBACK && !file_read_at(dir, "bd_stat", text, sizeof(text)) &&
		     !zram_parse_bd(text, &d->bd);
	d->have_block = !file_read_at(dir, "stat", text, sizeof(text)) && !zram_parse_block(text, &d->block);
}

/* has: what the driver is known to have, or 0 to look. */
static int read_device(unsigned id, unsigned has, struct zram_device *ret)
{
	struct zram_device d = { .id = id };
	char dir[64], text[1024];
	int err;

	snprintf(d.name, sizeof(d.name), "zram%u", id);
	snprintf(dir, sizeof(dir), BLOCK_DIR "/%s", d.name);
	err = file_read_u64(dir, "disksize", &d.disksize);
	if (err)
		return err;
	/* What initstate says is just this. */
	d.initialised = d.disksize != 0;
	d.has = has ? has : find_files(dir);
	err = file_read_at(dir, "comp_algorithm", text, sizeof(text));
	if (!err)
		err = zram_parse_algos(text, &d.algos);
	if (err)
		return err;
	if (d.has & ZRAM_HAS_RECOMPRESS && !file_read_at(dir, "recomp_algorithm", text, sizeof(text)))
		zram_parse_recomp(text, d.recomp);
	if (d.has & ZRAM_HAS_WRITEBACK && !file_read_at(dir, "backing_dev", d.backing, sizeof(d.backing)) &&
	    !strcmp(d.backing, "none"))
		d.backing[0] = '\0';
	read_stats(dir, &d);
	*ret = d;
	return 0;
}

int zram_read(unsigned id, struct zram_device *ret)
{
	return read_device(id, 0, ret);
}

static int by_id(const void *a, const void *b)
{
	const struct zram_device *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

int zram_read_all(struct zram_device **ret, size_t *ret_n)
{
	_cleanup_free_ struct zram_device *all = NULL;
	char path[PATH_MAX];
	struct dirent *entry;
	size_t n = 0, room = 0;
	DIR *dir = opendir(file_under_sysroot(BLOCK_DIR, path, sizeof(path)));

	while (dir && (entry = readdir(dir))) {
		unsigned id;

		if (zram_parse_name(entry->d_name, &id))
			continue;
		if (n == room) {
			struct zram_device *grown = realloc(all, (room = room ? room * 2 : 4) * sizeof(*all));

			if (!grown) {
				closedir(dir);
				return -ENOMEM;
			}
			all = grown;
		}
		/* One driver has them all; a device that goes away meanwhile is left out. */
		n += !read_device(id, n ? all[0].has : 0, &all[n]);
	}
	if (dir)
		closedir(dir);
	if (!n && zram_support() != ZRAM_LOADED)
		return -ENOENT;
	if (n)
		qsort(all, n, sizeof(*all), by_id);
	*ret = all;
	all = NULL;
	*ret_n = n;
	return 0;
}

int zram_read_blocks(unsigned id, struct zram_blocks *ret)
{
	struct zram_blocks b = {};
	char path[96], full[PATH_MAX];
	_cleanup_fclose_ FILE *f = NULL;
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	snprintf(path, sizeof(path), "/sys/kernel/debug/zram/zram%u/block_state", id);
	f = fopen(file_under_sysroot(path, full, sizeof(full)), "re");
	if (!f)
		return -errno;
	while (getline(&line, &size, f) > 0)
		zram_count_block(line, &b);
	if (ferror(f))
		return -EIO;
	*ret = b;
	return 0;
}

enum zram_support zram_support(void)
{
	static const char *const lists[] = { "modules.dep", "modules.builtin" };
	struct utsname uts;
	char dir[PATH_MAX];

	if (has_file("/sys/class", "zram-control") || has_file(BLOCK_DIR, "zram0"))
		return ZRAM_LOADED;
	uname(&uts);
	snprintf(dir, sizeof(dir), "/lib/modules/%s", uts.release);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		_cleanup_free_ char *text = NULL;

		if (!file_read_all(dir, lists[i], &text) && strstr(text, "/zram/zram.ko"))
			return ZRAM_LOADABLE;
	}
	return ZRAM_IN_KERNEL_NOT;
}

bool zswap_enabled(void)
{
	char text[8];

	return !file_read_at("/sys/module/zswap/parameters", "enabled", text, sizeof(text)) &&
	       (text[0] == 'Y' || text[0] == '1');
}
