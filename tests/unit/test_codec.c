/* SPDX-License-Identifier: BSD-2-Clause */
#include <check.h>
#include <string.h>

#include "lib/codec.h"
#include "lib/codec_train.h"
#include "lib/dataset.h"
#include "tests/unit/unit.h"

#define PAGE 4096

static const char *const all_specs[] = {
	"lz4:1",        "lz4:2",   "lz4:16",   "lz4:65537", "lz4hc:1",
	"lz4hc:3",      "lz4hc:9", "lz4hc:12", "zstd:-5",   "zstd:-1",
	"zstd:-131072", "zstd:1",  "zstd:3",   "zstd:9",    "zstd:19",
};

static struct codec *make(const char *text, const struct codec_dict *dict)
{
	struct codec_spec spec;
	struct codec *c;

	ck_assert_int_eq(codec_spec_parse(text, &spec), 0);
	ck_assert_int_eq(codec_new(&spec, dict, &c), 0);
	return c;
}

START_TEST(test_spec_parse)
{
	struct codec_spec spec;
	char buf[CODEC_SPEC_MAX];

	ck_assert_int_eq(codec_spec_parse("lz4", &spec), 0);
	ck_assert_str_eq(codec_spec_format(&spec, buf), "lz4:1");
	ck_assert_int_eq(codec_spec_parse("lz4hc", &spec), 0);
	ck_assert_str_eq(codec_spec_format(&spec, buf), "lz4hc:9");
	ck_assert_int_eq(codec_spec_parse("zstd:-131072", &spec), 0);
	ck_assert_str_eq(codec_spec_format(&spec, buf), "zstd:-131072");
}
END_TEST

START_TEST(test_spec_errors)
{
	static const struct {
		const char *text;
		int err;
	} bad[] = {
		{"", -ENOENT},
		{"lzo", -ENOENT},
		{"lz", -ENOENT},
		{"lz44:1", -ENOENT},
		{":1", -ENOENT},
		{"lz4:", -EINVAL},
		{"lz4:x", -EINVAL},
		{"lz4:1x", -EINVAL},
		{"lz4: 1", -EINVAL},
		{"lz4:0", -ERANGE},
		{"lz4:-1", -ERANGE},
		{"lz4:65538", -ERANGE},
		{"lz4hc:13", -ERANGE},
		{"lz4hc:0", -ERANGE},
		{"zstd:0", -ERANGE},
		{"zstd:20", -ERANGE},
		{"zstd:-131073", -ERANGE},
		{"zstd:99999999999999999999", -ERANGE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct codec_spec spec = {CODEC_ZSTD, 77};

		ck_assert_msg(codec_spec_parse(bad[i].text, &spec) == bad[i].err, "%s",
			      bad[i].text);
		ck_assert_int_eq(spec.level, 77);
	}
	ck_assert_str_eq(codec_family_find("zstd:99")->levels, "-131072..-1 or 1..19");
	ck_assert_ptr_null(codec_family_find("zst"));
}
END_TEST

START_TEST(test_round_trip)
{
	static const size_t sizes[] = {0, 1, 7, 64, 1000, 4095, 4096, 16384, 65536, 300001};
	struct codec *c = make(all_specs[_i], NULL);
	unsigned char *in = malloc(300001), *out = malloc(300001 + 16);

	for (int kind = 0; kind < DATASET_COUNT; kind++) {
		dataset_fill((enum dataset_kind)kind, 3, 0, in, 300001);
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
			size_t len = sizes[i], cap = codec_bound(c, len), n = 0;
			unsigned char *packed = malloc(cap);

			ck_assert_int_eq(codec_compress(c, packed, cap, in, len, &n), 0);
			ck_assert_uint_le(n, cap);
			memset(out, 0x77, len + 16);
			ck_assert_int_eq(codec_decompress(c, out, len, packed, n), 0);
			ck_assert_mem_eq(out, in, len);
			for (size_t k = len; k < len + 16; k++)
				ck_assert_uint_eq(out[k], 0x77);
			/* One byte less or more of either is another block. */
			if (len) {
				ck_assert_int_eq(codec_decompress(c, out, len - 1, packed, n),
						 -EBADMSG);
				ck_assert_int_eq(codec_decompress(c, out, len + 1, packed, n),
						 -EBADMSG);
				ck_assert_int_eq(codec_decompress(c, out, len, packed, n - 1),
						 -EBADMSG);
			}
			free(packed);
		}
	}
	free(in);
	free(out);
	codec_free(c);
}
END_TEST

START_TEST(test_admission)
{
	unsigned char page[PAGE], dst[2 * PAGE], out[PAGE];
	struct codec *c = make(all_specs[_i], NULL);
	size_t n = 12345;

	dataset_fill(DATASET_UNIQUE, 1, 0, page, PAGE);
	memset(dst, 0x77, sizeof(dst));
	ck_assert_int_eq(codec_compress(c, dst, PAGE * 95 / 100, page, PAGE, &n), -ENOSPC);
	ck_assert_uint_eq(n, 12345);
	for (size_t i = PAGE * 95 / 100; i < sizeof(dst); i++)
		ck_assert_uint_eq(dst[i], 0x77);
	ck_assert_int_eq(codec_compress(c, dst, 0, page, PAGE, &n), -ENOSPC);
	ck_assert_int_eq(codec_compress(c, dst, 1, page, PAGE, &n), -ENOSPC);
	/* A failure leaves the context as good as new. */
	dataset_fill(DATASET_REPETITIVE, 1, 0, page, PAGE);
	ck_assert_int_eq(codec_compress(c, dst, sizeof(dst), page, PAGE, &n), 0);
	ck_assert_int_eq(codec_decompress(c, out, PAGE, dst, n), 0);
	ck_assert_mem_eq(out, page, PAGE);
	codec_free(c);
}
END_TEST

/* Whatever comes in, decoding ends with 0 or -EBADMSG and stays inside. The sanitizers watch. */
START_TEST(test_corrupted)
{
	struct codec *c = make(all_specs[_i], NULL);
	unsigned char page[PAGE], good[2 * PAGE];
	uint64_t state = 99;
	size_t n;

	dataset_fill(DATASET_HEAP, 2, 0, page, PAGE);
	ck_assert_int_eq(codec_compress(c, good, sizeof(good), page, PAGE, &n), 0);
	for (int i = 0; i < 3000; i++) {
		size_t len = dataset_random(&state) % (n + 1);
		/* Exact allocations: a byte beyond either is a sanitizer's report. */
		unsigned char *bad = malloc(len ? len : 1), *out = malloc(PAGE);
		int err;

		memcpy(bad, good, len);
		for (size_t k = dataset_random(&state) % 8; len && k > 0; k--)
			bad[dataset_random(&state) % len] = (unsigned char)dataset_random(&state);
		err = codec_decompress(c, out, PAGE, bad, len);
		ck_assert(err == 0 || err == -EBADMSG);
		free(bad);
		free(out);
	}
	codec_free(c);
}
END_TEST

/* The header's promise: any instance of a family reads what another wrote. */
START_TEST(test_levels_share_a_form)
{
	struct codec *fast = make("lz4:16", NULL), *hc = make("lz4hc:12", NULL);
	struct codec *low = make("zstd:-5", NULL), *high = make("zstd:19", NULL);
	unsigned char page[PAGE], dst[2 * PAGE], out[PAGE];
	size_t n;

	dataset_fill(DATASET_TEXT, 2, 0, page, PAGE);
	ck_assert_int_eq(codec_compress(hc, dst, sizeof(dst), page, PAGE, &n), 0);
	ck_assert_int_eq(codec_decompress(fast, out, PAGE, dst, n), 0);
	ck_assert_mem_eq(out, page, PAGE);
	ck_assert_int_eq(codec_compress(high, dst, sizeof(dst), page, PAGE, &n), 0);
	ck_assert_int_eq(codec_decompress(low, out, PAGE, dst, n), 0);
	ck_assert_mem_eq(out, page, PAGE);
	/* Bare frames: no magic number in front. */
	ck_assert_int_ne(memcmp(dst, "\x28\xb5\x2f\xfd", 4), 0);
	codec_free(fast);
	codec_free(hc);
	codec_free(low);
	codec_free(high);
}
END_TEST

START_TEST(test_dictionary)
{
	const struct codec_spec zstd3 = {CODEC_ZSTD, 3}, zstd1 = {CODEC_ZSTD, 1},
				lz4 = {CODEC_LZ4, 1};
	unsigned char *samples = malloc(MiB), dict[16384], dst[2 * PAGE], out[PAGE];
	struct codec_dict *d = NULL, *none = NULL;
	struct codec *with, *without, *c;
	size_t len = 0, n_with, n_without;

	dataset_fill(DATASET_TEXT, 1, 0, samples, MiB);
	ck_assert_int_eq(codec_train(samples, MiB, PAGE, dict, sizeof(dict), &len), 0);
	ck_assert_int_eq(codec_dict_new(&zstd3, dict, len, &d), 0);
	ck_assert_uint_gt(codec_dict_memory(d), len / 2);
	ck_assert_int_eq(codec_new(&zstd3, d, &with), 0);
	without = make("zstd:3", NULL);
	dataset_fill(DATASET_TEXT, 1, 5000, samples, PAGE);
	ck_assert_int_eq(codec_compress(with, dst, sizeof(dst), samples, PAGE, &n_with), 0);
	ck_assert_int_eq(codec_decompress(with, out, PAGE, dst, n_with), 0);
	ck_assert_mem_eq(out, samples, PAGE);
	ck_assert_int_eq(codec_compress(without, dst, sizeof(dst), samples, PAGE, &n_without), 0);
	ck_assert_uint_lt(n_with, n_without);

	ck_assert_int_eq(codec_new(&zstd1, d, &c), -EINVAL);
	ck_assert_int_eq(codec_new(&lz4, d, &c), -EOPNOTSUPP);
	ck_assert_int_eq(codec_dict_new(&lz4, dict, len, &none), -EOPNOTSUPP);
	ck_assert_int_eq(codec_dict_new(&zstd3, dict, 0, &none), -EBADMSG);
	ck_assert_int_eq(codec_dict_new(&zstd3, dict, 20, &none), -EBADMSG);
	ck_assert_int_eq(codec_dict_new(&zstd3, "no dictionary at all", 20, &none), -EBADMSG);
	memset(dict + 8, 0xff, 64);
	ck_assert_int_eq(codec_dict_new(&zstd3, dict, len, &none), -EBADMSG);
	ck_assert_ptr_null(none);
	codec_free(with);
	codec_free(without);
	codec_dict_free(d);
	free(samples);
}
END_TEST

START_TEST(test_train_errors)
{
	unsigned char data[16 * PAGE] = {0}, dict[4096];
	size_t len = 7;

	ck_assert_int_eq(codec_train(data, 0, PAGE, dict, sizeof(dict), &len), -ENODATA);
	ck_assert_int_eq(codec_train(data, 4 * PAGE, PAGE, dict, sizeof(dict), &len), -ENODATA);
	/* Zero pages are no samples. */
	ck_assert_int_eq(codec_train(data, sizeof(data), PAGE, dict, sizeof(dict), &len), -ENODATA);
	ck_assert_uint_eq(len, 7);
}
END_TEST

START_TEST(test_limits)
{
	const struct codec_spec zero = {CODEC_ZSTD, 0}, high = {CODEC_LZ4HC, 13};
	struct codec *c = make("lz4", NULL), *none = NULL;
	char byte = 0;
	size_t n = 5;

	ck_assert_uint_eq(codec_bound(c, CODEC_MAX_LEN + 1), 0);
	ck_assert_int_eq(codec_compress(c, &byte, 1, &byte, CODEC_MAX_LEN + 1, &n), -EFBIG);
	ck_assert_int_eq(codec_decompress(c, &byte, CODEC_MAX_LEN + 1, &byte, 1), -EFBIG);
	ck_assert_int_eq(codec_decompress(c, &byte, 1, &byte, SIZE_MAX), -EBADMSG);
	ck_assert_int_eq(codec_new(&zero, NULL, &none), -ERANGE);
	ck_assert_int_eq(codec_new(&high, NULL, &none), -ERANGE);
	ck_assert_uint_gt(codec_memory(c), 1024);
	codec_free(c);
	codec_free(NULL);
	codec_dict_free(NULL);
}
END_TEST

START_TEST(test_same_filled)
{
	unsigned char buf[PAGE + 8], *page = buf + 3; /* no alignment is asked for */
	uint64_t word = 5;

	memset(page, 0, PAGE);
	ck_assert(codec_same_filled(page, PAGE, &word));
	ck_assert_uint_eq(word, 0);
	codec_fill(page, PAGE, 0x0123456789abcdef);
	ck_assert(codec_same_filled(page, PAGE, &word));
	ck_assert_uint_eq(word, 0x0123456789abcdef);
	for (size_t at = 0; at < PAGE; at += 1 + at / 3) {
		page[at] ^= 1;
		word = 5;
		ck_assert_msg(!codec_same_filled(page, PAGE, &word), "byte %zu", at);
		ck_assert_uint_eq(word, 5);
		page[at] ^= 1;
	}
	page[PAGE - 1] ^= 1;
	ck_assert(!codec_same_filled(page, PAGE, &word));
	ck_assert(codec_same_filled(page, 8, &word));
	ck_assert(codec_same_filled(page, 16, &word));
	ck_assert(!codec_same_filled(page, 0, &word));
	ck_assert(!codec_same_filled(page, 12, &word));
	/* Bytes repeated in another period than 8. */
	for (size_t i = 0; i < PAGE; i++)
		page[i] = (unsigned char)(i % 3);
	ck_assert(!codec_same_filled(page, PAGE, &word));
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("codec");

	tcase_set_timeout(t, 120);
	tcase_add_test(t, test_spec_parse);
	tcase_add_test(t, test_spec_errors);
	tcase_add_loop_test(t, test_round_trip, 0, ARRAY_SIZE(all_specs));
	tcase_add_loop_test(t, test_admission, 0, ARRAY_SIZE(all_specs));
	tcase_add_loop_test(t, test_corrupted, 0, ARRAY_SIZE(all_specs));
	tcase_add_test(t, test_levels_share_a_form);
	tcase_add_test(t, test_dictionary);
	tcase_add_test(t, test_train_errors);
	tcase_add_test(t, test_limits);
	tcase_add_test(t, test_same_filled);
	return unit_run(t, "codec");
}
