/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/reclaim.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <string.h>

#include "lib/file.h"
#include "lib/parse.h"

int reclaim_vmstat_read(struct reclaim_vmstat *ret)
{
	struct reclaim_vmstat v = {};
	_cleanup_free_ char *text = NULL;
	int err = file_read_all("/proc", "vmstat", &text);

	if (err)
		return err;
	/* Without CONFIG_SWAP both are absent: nothing is swapped. */
	text_find_u64(text, "pswpin", &v.pswpin);
	text_find_u64(text, "pswpout", &v.pswpout);
	*ret = v;
	return 0;
}

static int psi_total(const char *text, const char *line, uint64_t *ret)
{
	const char *at = strstr(text, line);
	char number[24];
	size_t n;

	at = at ? strstr(at, "total=") : NULL;
	if (!at)
		return -EINVAL;
	at += strlen("total=");
	n = strspn(at, "0123456789");
	if (n >= sizeof(number))
		return -EINVAL;
	memcpy(number, at, n);
	number[n] = '\0';
	return parse_u64(number, 0, UINT64_MAX, ret);
}

int reclaim_psi_read(struct reclaim_psi *ret)
{
	struct reclaim_psi psi;
	char text[256];
	int err = file_read_at("/proc/pressure", "memory", text, sizeof(text));

	if (!err)
		err = psi_total(text, "some ", &psi.some_us);
	if (!err)
		err = psi_total(text, "full ", &psi.full_us);
	if (!err)
		*ret = psi;
	return err;
}

static bool read_one(const char *proc_pid, struct reclaim_swapped *s)
{
	char text[4096];
	uint64_t kib = 0, pid = 0;
	const char *name;

	if (file_read_at(proc_pid, "status", text, sizeof(text)) || text_find_u64(text, "VmSwap", &kib) || !kib ||
	    text_find_u64(text, "Pid", &pid))
		return false;
	name = strstr(text, "Name:\t");
	*s = (struct reclaim_swapped){ .pid = (uint32_t)pid, .swap_bytes = kib * KiB };
	if (name)
		snprintf(s->comm, sizeof(s->comm), "%.*s", (int)strcspn(name + 6, "\n"), name + 6);
	return true;
}

int reclaim_swapped_read(struct reclaim_swapped **ret, size_t *ret_n)
{
	_cleanup_free_ struct reclaim_swapped *list = NULL;
	size_t n = 0, room = 0;
	char path[PATH_MAX];
	struct dirent *d;
	DIR *dir = opendir(file_under_sysroot("/proc", path, sizeof(path)));

	if (!dir)
		return -errno;
	while ((d = readdir(dir))) {
		char proc_pid[300];

		if (!isdigit((unsigned char)d->d_name[0]))
			continue;
		if (n == room) {
			void *grown;

			room = room ? room * 2 : 256;
			grown = reallocarray(list, room, sizeof(*list));
			if (!grown) {
				closedir(dir);
				return -ENOMEM;
			}
			list = grown;
		}
		snprintf(proc_pid, sizeof(proc_pid), "/proc/%s", d->d_name);
		n += read_one(proc_pid, &list[n]);
	}
	closedir(dir);
	*ret = list;
	*ret_n = n;
	list = NULL;
	return 0;
}
