/* SPDX-License-Identifier: BSD-2-Clause */
/* `memscope help`, the help of groups, and the table as JSON for man/generate. */
#include <ctype.h>
#include <string.h>

#include "cmd/cmd.h"

#define HELP_WIDTH 79

static const struct command *find(const struct command *group, const char *name)
{
	for (const struct command *const *s = group->sub; s && *s; s++)
		if (!strcmp((*s)->name, name))
			return *s;
	return NULL;
}

/* Broken into lines at spaces, as argp does with the help of leaf commands. */
static void print_wrapped(const char *text)
{
	while (strlen(text) > HELP_WIDTH) {
		const char *end = memrchr(text, ' ', HELP_WIDTH + 1);

		if (!end)
			break;
		printf("%.*s\n", (int)(end - text), text);
		text = end + 1;
	}
	printf("%s\n", text);
}

void cmd_print_group(const struct command *c, const char *path)
{
	printf("Usage: %s COMMAND [OPTION...]\n\n", path);
	if (c->doc)
		print_wrapped(c->doc);
	else
		printf("%c%s.\n", toupper((unsigned char)c->brief[0]), c->brief + 1);
	printf("\nCommands:\n");
	for (const struct command *const *s = c->sub; *s; s++) {
		if ((*s)->flags & CMD_HIDDEN)
			continue;
		printf("  %-10s %s\n", (*s)->name, (*s)->brief);
		for (const struct command *const *t = (*s)->sub; t && *t; t++)
			printf("    %-14s %s\n", (*t)->name, (*t)->brief);
	}
	printf("\n`%s COMMAND --help' describes a command.\n", path);
	if (c == &memscope)
		printf("`memscope --version' prints the version. Exit codes: 0 ok, 1 failed, 2 usage,\n"
		       "3 a privilege or resource is missing, 4 the kernel lacks a feature, 5 a check\nfailed.\n");
}

int cmd_help(int argc, char **argv)
{
	const struct command *c = &memscope;
	char path[64] = "memscope";

	for (int i = 0; i < argc; i++) {
		size_t len = strlen(path);

		c = find(c, argv[i]);
		if (!c) {
			fprintf(stderr, "%s: no command '%s'\nTry `memscope --help' for more information.\n", path,
				argv[i]);
			return EXIT_USAGE;
		}
		snprintf(path + len, sizeof(path) - len, " %s", argv[i]);
	}
	if (!c->sub) {
		char help[] = "--help", *args[] = { path, help, NULL };

		return cmd_run(c, path, 2, args);
	}
	cmd_print_group(c, path);
	return EXIT_OK;
}

static json_object *introspect_words(const struct cmd_words *words)
{
	json_object *list = json_object_new_array();

	for (size_t i = 0; words && words->words[i]; i++)
		json_object_array_add(list, json_object_new_string(words->words[i]));
	return list;
}

static json_object *introspect_options(const struct command *c)
{
	json_object *options = json_object_new_array();
	const struct argp *list[16];

	for (const struct argp *const *a = cmd_argps(c, list); *a; a++) {
		for (const struct argp_option *o = (*a)->options; o && (o->name || o->key || o->doc); o++) {
			const struct cmd_words *words;
			json_object *option;
			char key[2] = "";

			if (o->flags & OPTION_HIDDEN)
				continue;
			option = json_object_new_object();
			if (o->key > ' ' && o->key < 0x7f)
				key[0] = (char)o->key;
			json_object_object_add(option, "short", *key ? json_object_new_string(key) : NULL);
			json_object_object_add(option, "long", o->name ? json_object_new_string(o->name) : NULL);
			json_object_object_add(option, "arg", o->arg ? json_object_new_string(o->arg) : NULL);
			json_object_object_add(option, "optional",
					       json_object_new_boolean(!!(o->flags & OPTION_ARG_OPTIONAL)));
			words = o->name ? cmd_option_words(c, o->name) : NULL;
			json_object_object_add(option, "words", introspect_words(words));
			json_object_object_add(option, "list", json_object_new_boolean(words && words->list));
			json_object_object_add(option, "doc", json_object_new_string(o->doc ? o->doc : ""));
			json_object_object_add(option, "common", json_object_new_boolean(!a[1]));
			json_object_array_add(options, option);
		}
	}
	return options;
}

static json_object *introspect_features(uint64_t mask)
{
	json_object *list = json_object_new_array();

	for (int f = 0; f < FEATURE_COUNT; f++)
		if (mask >> f & 1)
			json_object_array_add(list, json_object_new_string(feature_name((enum feature)f)));
	return list;
}

static json_object *introspect_feature_names(void)
{
	json_object *obj = json_object_new_object();

	for (int f = 0; f < FEATURE_COUNT; f++)
		json_object_object_add(obj, feature_name((enum feature)f),
				       json_object_new_string(feature_what((enum feature)f)));
	return obj;
}

static void introspect(const struct command *c, const char *path, json_object *all)
{
	static const char *const tests[] = { "run", "sigint", "prepared" };
	json_object *obj = json_object_new_object(), *examples;
	char below[64];

	json_object_object_add(obj, "path", json_object_new_string(path));
	json_object_object_add(obj, "brief", json_object_new_string(c->brief));
	json_object_object_add(obj, "doc", json_object_new_string(c->doc ? c->doc : ""));
	json_object_object_add(obj, "group", json_object_new_boolean(c->sub != NULL));
	json_object_object_add(obj, "args", json_object_new_string(c->args_doc ? c->args_doc : ""));
	json_object_object_add(obj, "runs_child", json_object_new_boolean(!!(c->flags & CMD_RUNS_CHILD)));
	if (!c->sub) {
		json_object_object_add(obj, "options", introspect_options(c));
		json_object_object_add(obj, "needs", introspect_features(c->needs));
		json_object_object_add(obj, "uses", introspect_features(c->uses));
		examples = json_object_new_array();
		for (const struct cmd_example *e = c->examples; e && e->line; e++) {
			json_object *example = json_object_new_object();

			json_object_object_add(example, "line", json_object_new_string(e->line));
			json_object_object_add(example, "what", json_object_new_string(e->what));
			json_object_object_add(example, "test",
					       json_object_new_string(tests[e->test]));
			json_object_array_add(examples, example);
		}
		json_object_object_add(obj, "examples", examples);
	}
	json_object_array_add(all, obj);
	for (const struct command *const *s = c->sub; s && *s; s++) {
		if ((*s)->flags & CMD_HIDDEN)
			continue;
		snprintf(below, sizeof(below), "%s %s", path, (*s)->name);
		introspect(*s, below, all);
	}
}

int cmd_introspect(void)
{
	json_object *root = json_object_new_object(), *all = json_object_new_array();
	int err;

	json_object_object_add(root, "schema", json_object_new_string("memscope.commands/1"));
	json_object_object_add(root, "version", json_object_new_string(MEMSCOPE_VERSION));
	introspect(&memscope, "memscope", all);
	json_object_object_add(root, "features", introspect_feature_names());
	json_object_object_add(root, "commands", all);
	err = out_json(stdout, root, true);
	json_object_put(root);
	if (err)
		fprintf(stderr, "memscope: writing to standard output: %s\n", strerror(-err));
	return err ? EXIT_FAILED : EXIT_OK;
}
