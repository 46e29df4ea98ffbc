/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/cgroup.h"

#include <mntent.h>

#include "tests/unit/unit.h"

/* The cgroup2 mount, or "" where there is none. */
static void mount_of_v2(char path[PATH_MAX])
{
	FILE *f = setmntent("/proc/self/mounts", "r");
	struct mntent *m;

	path[0] = '\0';
	while (f && (m = getmntent(f)))
		if (!strcmp(m->mnt_type, "cgroup2"))
			snprintf(path, PATH_MAX, "%s", m->mnt_dir);
	if (f)
		endmntent(f);
}

START_TEST(not_cgroups)
{
	struct cgroup_ref ref = { .id = 7 };

	ck_assert_int_eq(cgroup_resolve("/nonexistent/cgroup", &ref), -ENOENT);
	ck_assert_int_eq(cgroup_resolve("no/such/cgroup", &ref), -ENOENT);
	ck_assert_int_eq(cgroup_resolve("/proc/self/status", &ref), -ENOTDIR);
	ck_assert_int_eq(cgroup_resolve("/proc", &ref), -EOPNOTSUPP);
	ck_assert_uint_eq(ref.id, 7);
}
END_TEST

START_TEST(root_of_v2)
{
	char mount[PATH_MAX], name[PATH_MAX];
	struct cgroup_ref ref;

	mount_of_v2(mount);
	if (!mount[0])
		return;
	ck_assert_int_eq(cgroup_resolve(mount, &ref), 0);
	ck_assert(!ref.v1);
	ck_assert_uint_eq(ref.level, 0);
	ck_assert_int_eq(cgroup_name(ref.id, false, name, sizeof(name)), 0);
	ck_assert_str_eq(name, "/");
}
END_TEST

START_TEST(name_of_none)
{
	char name[PATH_MAX] = "as it was";

	ck_assert_int_eq(cgroup_name(UINT64_MAX, false, name, sizeof(name)), -ENOENT);
	ck_assert_str_eq(name, "as it was");
}
END_TEST

START_TEST(removing_none)
{
	struct cgroup_mem cg = {};

	ck_assert_int_eq(cgroup_mem_remove(&cg), 0);
}
END_TEST

START_TEST(memory_cgroup)
{
	struct cgroup_mem cg;
	uint64_t bytes = 7;

	/* Where we may make none, that is what is tested. */
	if (cgroup_mem_create(&cg, "memscope-unit", 64 * MiB)) {
		ck_assert_str_eq(cg.path, "");
		return;
	}
	ck_assert_int_eq(cgroup_mem_usage(&cg, &bytes), 0);
	ck_assert_uint_lt(bytes, 64 * MiB);
	ck_assert_int_eq(access(cg.path, F_OK), 0);
	ck_assert_int_eq(cgroup_mem_remove(&cg), 0);
	ck_assert_str_eq(cg.path, "");
}
END_TEST

UNIT_MAIN("cgroup", not_cgroups, root_of_v2, name_of_none, removing_none, memory_cgroup)
