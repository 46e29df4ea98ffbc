/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decompression of anything. Byte 0 picks the codec and what is done; bytes 1 and 2 the length that
 * is expected; the rest is the compressed block, or for a round trip the plain one. Also: sweeps to
 * read.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/codec.h"
#include "lib/codec_results.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct codec_spec specs[] = {
	{CODEC_LZ4, 1},
	{CODEC_LZ4HC, 9},
	{CODEC_ZSTD, -1},
	{CODEC_ZSTD, 3},
};

static struct codec *codecs[ARRAY_SIZE(specs)];

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* Exact allocations, so that a byte read or written beyond either is seen. */
static void decompress(struct codec *c, size_t len, const uint8_t *src, size_t src_len)
{
	unsigned char *copy = malloc(src_len ? src_len : 1), *dst = malloc(len ? len : 1);
	int err;

	must(copy && dst);
	memcpy(copy, src, src_len);
	err = codec_decompress(c, dst, len, copy, src_len);
	must(err == 0 || err == -EBADMSG);
	free(copy);
	free(dst);
}

static void round_trip(struct codec *c, size_t cap, const uint8_t *src, size_t len)
{
	size_t bound = codec_bound(c, len), n;
	unsigned char *dst = malloc(bound), *tight = malloc(cap ? cap : 1),
		      *back = malloc(len ? len : 1);

	must(dst && tight && back);
	must(codec_compress(c, dst, bound, src, len, &n) == 0 && n <= bound);
	must(codec_decompress(c, back, len, dst, n) == 0 && !memcmp(back, src, len));
	if (codec_compress(c, tight, cap, src, len, &n) == 0) {
		must(n <= cap);
		must(codec_decompress(c, back, len, tight, n) == 0 && !memcmp(back, src, len));
	}
	free(dst);
	free(tight);
	free(back);
}

static void read_results(const uint8_t *data, size_t size)
{
	struct codec_results_error e;
	struct codec_results r;
	int err = codec_results_read((const char *)data, size, &r, &e);

	must(err == 0 || err == -EBADMSG);
	if (!err)
		codec_results_release(&r);
}

static void same_filled(const uint8_t *data, size_t size)
{
	unsigned char *copy = malloc(size ? size : 1);
	uint64_t word;

	must(copy != NULL);
	memcpy(copy, data, size);
	if (codec_same_filled(copy, size, &word)) {
		codec_fill(copy, size, word);
		must(!memcmp(copy, data, size));
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len, which;

	if (size < 3)
		return 0;
	which = data[0] % ARRAY_SIZE(specs);
	len = (size_t)data[1] | (size_t)data[2] << 8;
	if (!codecs[which])
		must(codec_new(&specs[which], NULL, &codecs[which]) == 0);
	switch (data[0] / ARRAY_SIZE(specs) % 4) {
	case 0:
		decompress(codecs[which], len, data + 3, size - 3);
		break;
	case 1:
		round_trip(codecs[which], len, data + 3, size - 3);
		break;
	case 2:
		same_filled(data + 3, size - 3);
		break;
	case 3:
		read_results(data + 3, size - 3);
		break;
	}
	return 0;
}
