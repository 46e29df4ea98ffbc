/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/codec_train.h"

#include <string.h>

#include <zdict.h>
#include <zstd_errors.h>

#include "lib/codec.h"

#define LEAST_SAMPLES 8

int codec_train(const void *data, size_t len, size_t sample_size, void *dict, size_t cap,
		size_t *ret_len)
{
	size_t count = len / sample_size, kept = 0, n;
	_cleanup_free_ unsigned char *samples = NULL;
	_cleanup_free_ size_t *sizes = NULL;
	const unsigned char *p = data;
	uint64_t word;

	samples = malloc(MAX(count * sample_size, 1));
	sizes = calloc(MAX(count, 1), sizeof(*sizes));
	if (!samples || !sizes)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const unsigned char *sample = p + i * sample_size;

		if (codec_same_filled(sample, sample_size, &word))
			continue;
		memcpy(samples + kept * sample_size, sample, sample_size);
		sizes[kept++] = sample_size;
	}
	if (kept < LEAST_SAMPLES)
		return -ENODATA;
	n = ZDICT_trainFromBuffer(dict, cap, samples, sizes, (unsigned)kept);
	if (ZDICT_isError(n))
		return ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation ? -ENOMEM : -ENODATA;
	*ret_len = n;
	return 0;
}
