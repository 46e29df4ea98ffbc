/* SPDX-License-Identifier: BSD-2-Clause */
/* Tools, profiles and placeholders. */
#include "workloads/external.h"

#include <string.h>
#include <sys/stat.h>

#include "lib/file.h"
#include "lib/parse.h"
#include "lib/suggest.h"

#define DEFAULT_TIMEOUT 60

const struct external_tool *external_find(const char *name, const char **ret_near)
{
	struct suggestion best = suggestion_start(name);

	for (size_t i = 0; i < external_n_tools; i++) {
		if (!strcmp(external_tools[i].name, name))
			return &external_tools[i];
		suggestion_offer(&best, external_tools[i].name);
	}
	*ret_near = best.word;
	return NULL;
}

static bool is_program(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK);
}

int external_locate(const struct external_tool *tool, const char *path, char buf[PATH_MAX])
{
	const char *list = path ? path : getenv("PATH");

	if (path && is_program(path))
		return realpath(path, buf) ? 0 : -errno;
	for (const char *p = list; p && *p; p += strcspn(p, ":"), p += *p == ':') {
		char at[PATH_MAX];
		int n = path ? (int)strlen(path) : (int)strcspn(p, ":");

		snprintf(at, sizeof(at), "%.*s/%s", MIN(n, 4000), p, tool->program);
		if (is_program(at))
			return realpath(at, buf) ? 0 : -errno;
		if (path)
			break;
	}
	return -ENOENT;
}

int external_profiles(const char *given, char buf[PATH_MAX])
{
	char exe[PATH_MAX / 2], at[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (given) {
		snprintf(buf, PATH_MAX, "%s", given);
		return access(given, R_OK | X_OK) ? -errno : 0;
	}
	/* a program that was built and not installed */
	exe[MAX(n, 0)] = '\0';
	for (int up = 0; up < 3; up++) {
		char *slash = strrchr(exe, '/');

		if (!slash)
			break;
		*slash = '\0';
		snprintf(at, sizeof(at), "%s/workloads/profiles", exe);
		if (!access(at, R_OK | X_OK)) {
			snprintf(buf, PATH_MAX, "%s", at);
			return 0;
		}
	}
	if (!access(MEMSCOPE_DATADIR "/profiles", R_OK | X_OK)) {
		snprintf(buf, PATH_MAX, "%s", MEMSCOPE_DATADIR "/profiles");
		return 0;
	}
	return -ENOENT;
}

/* ---- profiles ---- */

static char *trim(char *s)
{
	size_t len;

	s += strspn(s, " \t");
	for (len = strlen(s); len && strchr(" \t\r", s[len - 1]); len--)
		s[len - 1] = '\0';
	return s;
}

static int set_run(struct external_profile *p, const char *value)
{
	char *save = NULL;
	size_t n = 0;

	if (strlen(value) >= sizeof(p->text))
		return -EBADMSG;
	memcpy(p->text, value, strlen(value) + 1);
	for (char *word = strtok_r(p->text, " \t", &save); word; word = strtok_r(NULL, " \t", &save)) {
		if (n == EXTERNAL_MAX_WORDS)
			return -EBADMSG;
		p->words[n++] = word;
	}
	p->words[n] = NULL;
	return n ? 0 : -EBADMSG;
}

static int set_key(struct external_profile *p, const char *key, const char *value)
{
	if (!strcmp(key, "brief")) {
		snprintf(p->brief, sizeof(p->brief), "%s", value);
		return 0;
	}
	if (!strcmp(key, "run"))
		return set_run(p, value);
	if (!strcmp(key, "seconds"))
		return parse_u64(value, 1, WORKLOAD_SAFE_SECONDS, &p->seconds);
	if (!strcmp(key, "workers"))
		return parse_u64(value, 1, WORKLOAD_SAFE_WORKERS, &p->workers);
	if (!strcmp(key, "region"))
		return parse_size(value, WORKLOAD_PAGE, INT64_MAX, &p->region_bytes);
	if (!strcmp(key, "timeout"))
		return parse_u64(value, 1, 7 * 86400, &p->timeout);
	if (!strcmp(key, "memory") && !strcmp(value, "yes")) {
		p->memory = true;
		return 0;
	}
	return -EBADMSG;
}

/* words points into text: a struct must not be copied once it is loaded. */
static int read_profile(char *text, struct external_profile *ret, unsigned *ret_line)
{
	unsigned number = 0;
	char *next;

	for (char *line = text; line; line = next) {
		char *value, *end = strchr(line, '\n');

		next = end ? end + 1 : NULL;
		if (end)
			*end = '\0';
		*ret_line = ++number;
		line = trim(line);
		if (!*line || *line == '#')
			continue;
		value = strchr(line, '=');
		if (!value)
			return -EBADMSG;
		*value = '\0';
		if (set_key(ret, trim(line), trim(value + 1)))
			return -EBADMSG;
	}
	return ret->words[0] ? 0 : -EBADMSG;
}

int external_load(const char *profiles, const struct external_tool *tool, const char *name,
		  struct external_profile *ret, unsigned *ret_line)
{
	char dir[PATH_MAX], file[128];
	_cleanup_free_ char *text = NULL;
	int err;

	*ret = (struct external_profile){ .timeout = DEFAULT_TIMEOUT };
	snprintf(dir, sizeof(dir), "%.3900s/%s", profiles, tool->name);
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	snprintf(file, sizeof(file), "%.100s.profile", name);
	err = *name && !strchr(name, '/') ? file_read_all(dir, file, &text) : -ENOENT;
	if (err == -ENOENT)
		err = file_read_all(dir, "any.profile", &text);
	return err ? err : read_profile(text, ret, ret_line);
}

bool external_uses(const struct external_profile *p, const char *placeholder)
{
	for (char *const *w = p->words; *w; w++)
		if (strstr(*w, placeholder))
			return true;
	return false;
}
