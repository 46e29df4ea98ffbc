/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * codec: one call to compress a block of memory, one to get it back, whatever the library below.
 *
 *	struct codec_spec spec;
 *	struct codec *c;
 *
 *	codec_spec_parse("zstd:-1", &spec);
 *	codec_new(&spec, NULL, &c);
 *	codec_compress(c, dst, 3891, page, 4096, &n);	  -ENOSPC: keep the page as it is
 *	codec_decompress(c, page, 4096, dst, n);
 *
 * A `struct codec` owns every context that the library needs; they are made once, in codec_new(),
 *and compress and decompress allocate nothing afterwards except where zstd grows its work space at
 *the first block larger than all before. One instance belongs to one thread at a time; any number
 *of instances may run side by side. The output of one instance can be decompressed by every other
 *of the same spec (and for the same family: of every level) and dictionary.
 *
 * The stored form is bare: LZ4 blocks, and zstd frames without magic number, content size, checksum
 * and dictionary id. It is meant for pools in memory, where the owner knows the length and may keep
 *a checksum of its own; it is not a file format. So a flipped bit that still decodes is not
 *detected here.
 *
 * Lengths are bytes. Functions return 0 or a negative errno and leave ret_ outputs untouched on
 * failure; the contents of dst after a failure are unspecified, and nothing past its end is
 *written.
 */
#ifndef MEMSCOPE_LIB_CODEC_H
#define MEMSCOPE_LIB_CODEC_H

#include "lib/base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum codec_id {
	CODEC_LZ4,
	CODEC_LZ4HC,
	CODEC_ZSTD,
	CODEC_COUNT,
};

/* What a person may choose from. Static data; valid for ever. */
struct codec_family {
	enum codec_id id;
	const char *name;  /* as in a spec: "lz4", "lz4hc", "zstd" */
	const char *codec; /* the library's format: "lz4" or "zstd" */
	const char *mode;  /* "fast", "hc", "std" */
	const char *brief;
	const char *levels; /* the ranges in words, as in "-131072..-1 or 1..19" */
	int min, max;       /* zero is in no range */
	int def;            /* the level of a spec that names none */
	bool dictionary;    /* takes a struct codec_dict */
};

/* One way to compress: a family and its level (for lz4 the level is the acceleration). Plain data.
 */
struct codec_spec {
	enum codec_id id;
	int level;
};

struct codec;
struct codec_dict;

/* The family of an id; the family that a spec string such as "lz4hc:99" names, or NULL.
 * Thread-safe. */
const struct codec_family *codec_family(enum codec_id id);
const struct codec_family *codec_family_find(const char *spec);

/*
 * "lz4", "lz4:1", "lz4hc:9", "zstd:-1". -ENOENT: no such codec; -EINVAL: the level is no number;
 * -ERANGE: the level is outside the family's range (codec_family_find(s)->levels names it).
 */
int codec_spec_parse(const char *s, struct codec_spec *ret);
/* The other way round: always with its level. Returns buf. */
#define CODEC_SPEC_MAX 32
char *codec_spec_format(const struct codec_spec *spec, char buf[CODEC_SPEC_MAX]);

/*
 * A dictionary made ready for one spec. Takes the bytes of a trained zstd dictionary (`zstd
 * --train` or codec_train()) and copies what it needs. Immutable: all threads may share it; it must
 * outlive the codecs that were given it. -EBADMSG: not a dictionary, or a corrupt one; -EOPNOTSUPP:
 * the family takes none; -ERANGE: bad level; -ENOMEM.
 */
int codec_dict_new(const struct codec_spec *spec, const void *bytes, size_t len,
		   struct codec_dict **ret);
void codec_dict_free(struct codec_dict *d);
/* Bytes of memory that the prepared dictionary takes. */
size_t codec_dict_memory(const struct codec_dict *d);

/*
 * dict may be NULL; otherwise it must have been made for the same spec (-EINVAL).
 * -ERANGE: the level is outside the family's range; -EOPNOTSUPP: the family takes no dictionary;
 * -ENOMEM. codec_free(NULL) does nothing.
 */
int codec_new(const struct codec_spec *spec, const struct codec_dict *dict, struct codec **ret);
void codec_free(struct codec *c);
struct codec_spec codec_spec_of(const struct codec *c);
/* Bytes of memory that this instance holds now: contexts and tables, without the dictionary. */
size_t codec_memory(const struct codec *c);

/* The longest block: compress and decompress refuse more with -EFBIG. */
#define CODEC_MAX_LEN ((size_t)1 << 30)

/* Room that surely holds the compressed form of len bytes; 0 when len is over CODEC_MAX_LEN. */
size_t codec_bound(const struct codec *c, size_t len);

/*
 * Compresses src[0..len) into dst[0..cap). With cap = 95 % of len this is also the admission test:
 * -ENOSPC means "not worth it", and most codecs find out before they reach the end. src and dst
 * must not overlap. src may change meanwhile (live memory): the result then holds any mix, or is
 * garbage that codec_decompress() may refuse, but nothing outside dst is written. -EFBIG; -ENOMEM.
 */
int codec_compress(struct codec *c, void *dst, size_t cap, const void *src, size_t len,
		   size_t *ret_len);

/*
 * Restores exactly len bytes from src[0..src_len), whatever src holds: reads nothing past src_len,
 * writes nothing past len. -EBADMSG: src does not decode to exactly len bytes; -EFBIG.
 */
int codec_decompress(struct codec *c, void *dst, size_t len, const void *src, size_t src_len);

/*
 * The free class. Is this block one 64-bit word repeated? Then *ret_word is it (0 for a zero page)
 * and the block costs no payload. len must be a multiple of 8 and not 0, otherwise false. No
 * alignment needed. A block that differs is mostly left after a few words. Thread-safe.
 */
bool codec_same_filled(const void *src, size_t len, uint64_t *ret_word);
/* The way back: len is a multiple of 8. */
void codec_fill(void *dst, size_t len, uint64_t word);

static inline void codec_freep(struct codec **c)
{
	codec_free(*c);
}

static inline void codec_dict_freep(struct codec_dict **d)
{
	codec_dict_free(*d);
}

#define _cleanup_codec_      _cleanup_(codec_freep)
#define _cleanup_codec_dict_ _cleanup_(codec_dict_freep)

#ifdef __cplusplus
}
#endif

#endif
