/* SPDX-License-Identifier: BSD-2-Clause */
/* codec_train: a zstd dictionary from samples of the memory that it shall compress. */
#ifndef MEMSCOPE_LIB_CODEC_TRAIN_H
#define MEMSCOPE_LIB_CODEC_TRAIN_H

#include "lib/base.h"

#define CODEC_DICT_MIN ((size_t)256)       /* the library's least */
#define CODEC_DICT_MAX ((size_t)(8 * MiB)) /* and no more is of use for pages */

/*
 * Trains on data[0..len) cut in samples of sample_size bytes (8 at least in number), and writes at
 * most cap bytes. Same-filled samples are left out: they never reach a codec. The result is in the
 * public format (`zstd -D` takes it) and feeds codec_dict_new(). -ENODATA: too few samples, or
 * nothing in common between them; -ENOMEM. Thread-safe.
 */
int codec_train(const void *data, size_t len, size_t sample_size, void *dict, size_t cap,
		size_t *ret_len);

#endif
