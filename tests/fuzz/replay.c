/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The main() of a fuzz target that is built as an ordinary test: every file named, and every file
 *in a directory named, goes through it once. The fuzzer's own main replaces this one for a real
 *campaign:
 *
 *	clang -fsanitize=fuzzer,address,undefined … tests/fuzz/fuzz_X.c <objects>; ./a.out
 *tests/fuzz/corpus/X
 */
#include <dirent.h>
#include <string.h>

#include "lib/base.h"
#include "lib/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t done;

static int replay(const char *path)
{
	struct input in;
	int err = input_open(path, GiB, &in);

	if (err) {
		fprintf(stderr, "%s: %s\n", path, strerror(-err));
		return err;
	}
	/* Known before it dies. */
	if (getenv("REPLAY_VERBOSE"))
		fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(in.data, in.len);
	input_release(&in);
	done++;
	return 0;
}

static int replay_all(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int err = 0;

	if (!d)
		return replay(path);
	while (!err && (e = readdir(d))) {
		_cleanup_free_ char *file = NULL;

		if (e->d_name[0] == '.')
			continue;
		err = asprintf(&file, "%s/%s", path, e->d_name) < 0 ? -ENOMEM : replay(file);
	}
	closedir(d);
	return err;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (replay_all(argv[i]))
			return 1;
	}
	printf("%zu inputs\n", done);
	return !done;
}
