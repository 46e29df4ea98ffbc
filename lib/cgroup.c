/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <mntent.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "lib/file.h"
#include "lib/parse.h"
#include "lib/spawn.h"

#define CGROUP_V1_MAGIC 0x27e0eb
#define CGROUP_V2_MAGIC 0x63677270

/* Where a hierarchy is mounted: v2, or v1 with the memory controller. "" if it is not. */
static void find_mount(bool v1, char path[PATH_MAX])
{
	FILE *f = setmntent("/proc/self/mounts", "r");
	struct mntent entry;
	char line[4096];

	path[0] = '\0';
	if (!f)
		return;
	while (!path[0] && getmntent_r(f, &entry, line, sizeof(line))) {
		bool match = v1 ? !strcmp(entry.mnt_type, "cgroup") && hasmntopt(&entry, "memory") :
				  !strcmp(entry.mnt_type, "cgroup2");

		if (match)
			snprintf(path, PATH_MAX, "%s", entry.mnt_dir);
	}
	endmntent(f);
}

bool cgroup_memory_is_v1(void)
{
	char path[PATH_MAX];

	find_mount(true, path);
	return path[0] != '\0';
}

/* Both hierarchies are kernfs: the inode number is the low half of the id, or all of it. */
static int id_of(const char *path, uint64_t *ret)
{
	struct {
		struct file_handle head;
		uint64_t id;
	} handle = { .head = { .handle_bytes = sizeof(uint64_t) } };
	int mount;

	if (name_to_handle_at(AT_FDCWD, path, &handle.head, &mount, 0))
		return -errno;
	*ret = handle.id;
	return 0;
}

static int resolve_at(const char *path, struct cgroup_ref *ret)
{
	struct cgroup_ref ref = {};
	char mount[PATH_MAX];
	struct statfs fs;
	struct stat st;
	char *real;
	int err;

	if (stat(path, &st) || statfs(path, &fs))
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if (fs.f_type != CGROUP_V1_MAGIC && fs.f_type != CGROUP_V2_MAGIC)
		return -EOPNOTSUPP;
	ref.v1 = fs.f_type == CGROUP_V1_MAGIC;
	find_mount(ref.v1, mount);
	real = realpath(path, NULL);
	if (!real)
		return -errno;
	err = mount[0] && !strncmp(real, mount, strlen(mount)) ? id_of(real, &ref.id) : -EOPNOTSUPP;
	for (const char *p = real + strlen(mount); !err && *p; p++)
		ref.level += *p == '/' && p[1];
	free(real);
	if (!err)
		*ret = ref;
	return err;
}

int cgroup_resolve(const char *path, struct cgroup_ref *ret)
{
	int err = resolve_at(path, ret);

	for (int v1 = 0; err == -ENOENT && path[0] != '/' && v1 <= 1; v1++) {
		char mount[PATH_MAX];
		_cleanup_free_ char *full = NULL;

		find_mount(v1, mount);
		if (!mount[0])
			continue;
		if (asprintf(&full, "%s/%s", mount, path) < 0)
			return -ENOMEM;
		err = resolve_at(full, ret);
	}
	return err;
}

/* nftw() has no argument for its callback. */
static __thread struct {
	uint64_t id;
	size_t skip;
	char found[PATH_MAX];
} search;

static int search_step(const char *path, const struct stat *st _unused_, int type,
		       struct FTW *at _unused_)
{
	uint64_t id = 0;

	if (type != FTW_D || id_of(path, &id) || id != search.id)
		return 0;
	snprintf(search.found, sizeof(search.found), "%s", path[search.skip] ? path + search.skip : "/");
	return 1;
}

int cgroup_name(uint64_t id, bool v1, char *buf, size_t size)
{
	char mount[PATH_MAX];

	find_mount(v1, mount);
	if (!mount[0])
		return -ENOENT;
	search.id = id;
	search.skip = strlen(mount);
	if (nftw(mount, search_step, 16, FTW_PHYS | FTW_MOUNT) != 1)
		return -ENOENT;
	snprintf(buf, size, "%s", search.found);
	return 0;
}

/* ---- memory cgroups of our own ---- */

int cgroup_mem_set_limit(const struct cgroup_mem *cg, uint64_t limit_bytes)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)limit_bytes);
	return file_write_at(cg->path, cg->v1 ? "memory.limit_in_bytes" : "memory.max", text);
}

/* v2: the controller has to be on for the children of the place. */
static int v2_place(char path[PATH_MAX])
{
	char mount[PATH_MAX], controllers[512];
	int err;

	find_mount(false, mount);
	if (!mount[0])
		return -EOPNOTSUPP;
	err = file_read_at(mount, "cgroup.controllers", controllers, sizeof(controllers));
	if (err)
		return err;
	if (!strstr(controllers, "memory"))
		return -EOPNOTSUPP;
	err = file_write_at(mount, "cgroup.subtree_control", "+memory");
	if (err && err != -EBUSY)
		return err;
	snprintf(path, PATH_MAX, "%s", mount);
	return 0;
}

int cgroup_mem_create(struct cgroup_mem *cg, const char *name, uint64_t limit_bytes)
{
	char place[PATH_MAX];
	int err;

	*cg = (struct cgroup_mem){};
	find_mount(true, place);
	cg->v1 = place[0] != '\0';
	if (!cg->v1) {
		err = v2_place(place);
		if (err)
			return err;
	}
	snprintf(cg->path, sizeof(cg->path), "%.3900s/%.64s-%d", place, name, (int)getpid());
	if (mkdir(cg->path, 0755)) {
		err = -errno;
		cg->path[0] = '\0';
		return err == -EROFS ? -EACCES : err;
	}
	err = cgroup_mem_set_limit(cg, limit_bytes);
	if (err)
		cgroup_mem_remove(cg);
	return err;
}

int cgroup_mem_add(const struct cgroup_mem *cg, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", (int)pid);
	return file_write_at(cg->path, "cgroup.procs", text);
}

int cgroup_mem_usage(const struct cgroup_mem *cg, uint64_t *ret_bytes)
{
	char text[32];
	int err = file_read_at(cg->path, cg->v1 ? "memory.usage_in_bytes" : "memory.current", text,
			       sizeof(text));

	return err ? err : parse_u64(text, 0, UINT64_MAX, ret_bytes);
}

int cgroup_mem_peak(const struct cgroup_mem *cg, uint64_t *ret_bytes)
{
	return file_read_u64(cg->path, cg->v1 ? "memory.max_usage_in_bytes" : "memory.peak", ret_bytes);
}

int cgroup_mem_remove(struct cgroup_mem *cg)
{
	if (!cg->path[0])
		return 0;
	/* The last process leaves the list a moment after it was reaped. */
	for (int tries = 0; rmdir(cg->path); tries++) {
		if (errno != EBUSY || tries == 100)
			return -errno;
		usleep(10000);
	}
	cg->path[0] = '\0';
	return 0;
}

void cgroup_mem_sweep(const char *name)
{
	char place[PATH_MAX], path[PATH_MAX];
	size_t len = strlen(name);
	struct dirent *e;
	uint64_t pid;
	DIR *dir;

	find_mount(true, place);
	if (!place[0])
		find_mount(false, place);
	dir = opendir(place);
	while (dir && (e = readdir(dir))) {
		if (strncmp(e->d_name, name, len) || e->d_name[len] != '-' ||
		    parse_u64(e->d_name + len + 1, 1, INT32_MAX, &pid) || process_runs((pid_t)pid))
			continue;
		snprintf(path, sizeof(path), "%.3800s/%.255s", place, e->d_name);
		rmdir(path);
	}
	if (dir)
		closedir(dir);
}

/* Our place in the hierarchy with the memory controller, below its mount; "" for its root. */
static int own_path(bool v1, char *buf, size_t size)
{
	_cleanup_free_ char *text = NULL;
	char *save = NULL;
	int err = file_read_all("/proc/self", "cgroup", &text);

	if (err)
		return err;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!path)
			continue;
		*path++ = '\0';
		if (v1 ? !strcmp(controllers + 1, "memory") : !controllers[1]) {
			snprintf(buf, size, "%s", strcmp(path, "/") ? path : "");
			return 0;
		}
	}
	return -ENOENT;
}

static uint64_t room_at(const char *path, bool v1)
{
	_cleanup_free_ char *stat = NULL;
	uint64_t limit, used, cache = 0;

	/* v2 says "max" where there is no limit, which is no number. */
	if (file_read_u64(path, v1 ? "memory.limit_in_bytes" : "memory.max", &limit) ||
	    file_read_u64(path, v1 ? "memory.usage_in_bytes" : "memory.current", &used))
		return UINT64_MAX;
	if (limit >= (uint64_t)INT64_MAX / 4096 * 4096) /* how v1 says it */
		return UINT64_MAX;
	if (!file_read_all(path, "memory.stat", &stat))
		text_find_u64(stat, v1 ? "total_inactive_file" : "inactive_file", &cache);
	used -= MIN(used, cache);
	return limit > used ? limit - used : 0;
}

uint64_t cgroup_mem_room(void)
{
	char mount[PATH_MAX], path[PATH_MAX];
	uint64_t room = UINT64_MAX;
	bool v1 = true;
	size_t root;

	find_mount(true, mount);
	if (!mount[0]) {
		v1 = false;
		find_mount(false, mount);
	}
	root = strlen(mount);
	if (!root || root >= sizeof(path))
		return room;
	memcpy(path, mount, root + 1);
	if (own_path(v1, path + root, sizeof(path) - root))
		return room;
	/* In a container the path can be the host's, and the mount our own cgroup: both are looked at. */
	for (;;) {
		room = MIN(room, room_at(path, v1));
		if (strlen(path) <= root)
			return room;
		*strrchr(path, '/') = '\0';
	}
}
