/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * codec: the families, each behind one struct codec_ops.
 *
 *	struct codec ── ops ──> lz4 | lz4hc | zstd
 *	      │ spec, dict (borrowed)
 *	      └ ctx:  LZ4_stream_t | LZ4_streamHC_t | ZSTD_CCtx + ZSTD_DCtx
 *
 * Single-threaded: an instance has no lock. The parameters of a context are set when it is made and
 * stay; what happens per call is one call into the library.
 */
#include "lib/codec.h"

#include <limits.h>
#include <lz4.h>
#include <lz4hc.h>
#include <string.h>

/* For ZSTD_c_format and ZSTD_d_format only: enumerators of stable functions, checked in
 * zstd_init(). */
#define ZSTD_STATIC_LINKING_ONLY
#include <zdict.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "lib/parse.h"

struct codec_dict {
	struct codec_spec spec;
	ZSTD_CDict *cdict;
	ZSTD_DDict *ddict;
};

struct codec_ops {
	struct codec_family family;
	int (*init)(struct codec *c);
	void (*release)(struct codec *c);
	size_t (*memory)(const struct codec *c);
	size_t (*bound)(size_t len);
	/* 0 for "did not fit". len and cap are within int. */
	int (*compress)(struct codec *c, void *dst, size_t cap, const void *src, size_t len,
			size_t *ret_len);
	bool (*decompress)(struct codec *c, void *dst, size_t len, const void *src, size_t src_len);
};

struct codec {
	const struct codec_ops *ops;
	struct codec_spec spec;
	const struct codec_dict *dict;
	union {
		void *lz4; /* the state of LZ4_compress_fast_extState() */
		LZ4_streamHC_t *hc;
		struct {
			ZSTD_CCtx *cctx;
			ZSTD_DCtx *dctx;
		} zstd;
	} ctx;
};

/* lz4 */

static int lz4_init(struct codec *c)
{
	c->ctx.lz4 = malloc((size_t)LZ4_sizeofState());
	return c->ctx.lz4 ? 0 : -ENOMEM;
}

static void lz4_release(struct codec *c)
{
	free(c->ctx.lz4);
}

static size_t lz4_memory(const struct codec *c _unused_)
{
	return (size_t)LZ4_sizeofState();
}

static size_t lz4_bound(size_t len)
{
	return (size_t)LZ4_compressBound((int)len);
}

static int lz4_compress(struct codec *c, void *dst, size_t cap, const void *src, size_t len,
			size_t *ret_len)
{
	int n = LZ4_compress_fast_extState(c->ctx.lz4, src, dst, (int)len, (int)cap, c->spec.level);

	if (n <= 0)
		return -ENOSPC;
	*ret_len = (size_t)n;
	return 0;
}

static bool lz4_decompress(struct codec *c _unused_, void *dst, size_t len, const void *src,
			   size_t src_len)
{
	return LZ4_decompress_safe(src, dst, (int)src_len, (int)len) == (int)len;
}

/*
 * lz4hc: the stream interface resets a used state without clearing its 256 KiB of tables; the
 * one-shot interface clears them for each block, a tenth of the time at 4 KiB. (For lz4 it is the
 * other way round: its one-shot table is smaller and better filled than the one that streams use.)
 */

static int lz4hc_init(struct codec *c)
{
	c->ctx.hc = LZ4_createStreamHC();
	if (!c->ctx.hc)
		return -ENOMEM;
	LZ4_resetStreamHC_fast(c->ctx.hc, c->spec.level);
	return 0;
}

static void lz4hc_release(struct codec *c)
{
	LZ4_freeStreamHC(c->ctx.hc);
}

static size_t lz4hc_memory(const struct codec *c _unused_)
{
	return sizeof(LZ4_streamHC_t);
}

static int lz4hc_compress(struct codec *c, void *dst, size_t cap, const void *src, size_t len,
			  size_t *ret_len)
{
	int n;

	LZ4_resetStreamHC_fast(c->ctx.hc, c->spec.level);
	n = LZ4_compress_HC_continue(c->ctx.hc, src, dst, (int)len, (int)cap);
	if (n <= 0)
		return -ENOSPC;
	*ret_len = (size_t)n;
	return 0;
}

/* zstd */

static void zstd_release(struct codec *c)
{
	ZSTD_freeCCtx(c->ctx.zstd.cctx);
	ZSTD_freeDCtx(c->ctx.zstd.dctx);
}

static int zstd_init(struct codec *c)
{
	ZSTD_CCtx *cctx = c->ctx.zstd.cctx = ZSTD_createCCtx();
	ZSTD_DCtx *dctx = c->ctx.zstd.dctx = ZSTD_createDCtx();
	size_t bad = 0;

	if (!cctx || !dctx) {
		zstd_release(c);
		return -ENOMEM;
	}
	bad |= ZSTD_isError(ZSTD_CCtx_setParameter(cctx, ZSTD_c_compressionLevel, c->spec.level));
	bad |= ZSTD_isError(ZSTD_CCtx_setParameter(cctx, ZSTD_c_contentSizeFlag, 0));
	bad |= ZSTD_isError(ZSTD_CCtx_setParameter(cctx, ZSTD_c_checksumFlag, 0));
	bad |= ZSTD_isError(ZSTD_CCtx_setParameter(cctx, ZSTD_c_dictIDFlag, 0));
	bad |= ZSTD_isError(
		ZSTD_CCtx_setParameter(cctx, ZSTD_c_format, (int)ZSTD_f_zstd1_magicless));
	bad |= ZSTD_isError(
		ZSTD_DCtx_setParameter(dctx, ZSTD_d_format, (int)ZSTD_f_zstd1_magicless));
	if (c->dict) {
		bad |= ZSTD_isError(ZSTD_CCtx_refCDict(cctx, c->dict->cdict));
		bad |= ZSTD_isError(ZSTD_DCtx_refDDict(dctx, c->dict->ddict));
	}
	if (bad) {
		zstd_release(c);
		return -EOPNOTSUPP;
	}
	return 0;
}

static size_t zstd_memory(const struct codec *c)
{
	return ZSTD_sizeof_CCtx(c->ctx.zstd.cctx) + ZSTD_sizeof_DCtx(c->ctx.zstd.dctx);
}

static size_t zstd_bound(size_t len)
{
	return ZSTD_compressBound(len);
}

static int zstd_compress(struct codec *c, void *dst, size_t cap, const void *src, size_t len,
			 size_t *ret_len)
{
	size_t n = ZSTD_compress2(c->ctx.zstd.cctx, dst, cap, src, len);

	if (ZSTD_isError(n))
		return ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation ? -ENOMEM : -ENOSPC;
	*ret_len = n;
	return 0;
}

static bool zstd_decompress(struct codec *c, void *dst, size_t len, const void *src, size_t src_len)
{
	return ZSTD_decompressDCtx(c->ctx.zstd.dctx, dst, len, src, src_len) == len;
}

static const struct codec_ops lz4_ops = {
	.family =
		{
			.id = CODEC_LZ4,
			.name = "lz4",
			.codec = "lz4",
			.mode = "fast",
			.brief = "LZ4; the level is the acceleration: higher is faster and looser",
			.levels = "1..65537",
			.min = 1,
			.max = 65537,
			.def = 1,
		},
	.init = lz4_init,
	.release = lz4_release,
	.memory = lz4_memory,
	.bound = lz4_bound,
	.compress = lz4_compress,
	.decompress = lz4_decompress,
};

static const struct codec_ops lz4hc_ops = {
	.family =
		{
			.id = CODEC_LZ4HC,
			.name = "lz4hc",
			.codec = "lz4",
			.mode = "hc",
			.brief = "LZ4 high compression: slow to write, as fast to read as lz4",
			.levels = "1..12",
			.min = 1,
			.max = 12,
			.def = 9,
		},
	.init = lz4hc_init,
	.release = lz4hc_release,
	.memory = lz4hc_memory,
	.bound = lz4_bound,
	.compress = lz4hc_compress,
	.decompress = lz4_decompress,
};

static const struct codec_ops zstd_ops = {
	.family =
		{
			.id = CODEC_ZSTD,
			.name = "zstd",
			.codec = "zstd",
			.mode = "std",
			.brief = "Zstandard: smaller, slower to read; levels below 0 are faster",
			.levels = "-131072..-1 or 1..19",
			.min = -131072,
			.max = 19,
			.def = 3,
			.dictionary = true,
		},
	.init = zstd_init,
	.release = zstd_release,
	.memory = zstd_memory,
	.bound = zstd_bound,
	.compress = zstd_compress,
	.decompress = zstd_decompress,
};

static const struct codec_ops *const codecs[CODEC_COUNT] = {
	[CODEC_LZ4] = &lz4_ops,
	[CODEC_LZ4HC] = &lz4hc_ops,
	[CODEC_ZSTD] = &zstd_ops,
};

const struct codec_family *codec_family(enum codec_id id)
{
	return &codecs[id]->family;
}

const struct codec_family *codec_family_find(const char *spec)
{
	size_t len = strcspn(spec, ":");

	for (size_t i = 0; i < CODEC_COUNT; i++) {
		const char *name = codecs[i]->family.name;

		if (strlen(name) == len && !memcmp(name, spec, len))
			return &codecs[i]->family;
	}
	return NULL;
}

static bool level_ok(const struct codec_spec *spec)
{
	const struct codec_family *f = codec_family(spec->id);

	return spec->level && spec->level >= f->min && spec->level <= f->max;
}

int codec_spec_parse(const char *s, struct codec_spec *ret)
{
	const struct codec_family *f = codec_family_find(s);
	const char *colon = strchr(s, ':');
	int64_t level;
	int err;

	if (!f)
		return -ENOENT;
	level = f->def;
	if (colon) {
		err = parse_i64(colon + 1, f->min, f->max, &level);
		if (err)
			return err;
		if (!level)
			return -ERANGE;
	}
	*ret = (struct codec_spec){.id = f->id, .level = (int)level};
	return 0;
}

char *codec_spec_format(const struct codec_spec *spec, char buf[CODEC_SPEC_MAX])
{
	snprintf(buf, CODEC_SPEC_MAX, "%s:%d", codec_family(spec->id)->name, spec->level);
	return buf;
}

int codec_dict_new(const struct codec_spec *spec, const void *bytes, size_t len,
		   struct codec_dict **ret)
{
	_cleanup_codec_dict_ struct codec_dict *d = NULL;

	if (!codec_family(spec->id)->dictionary)
		return -EOPNOTSUPP;
	if (!level_ok(spec))
		return -ERANGE;
	/* Without this check the library takes any bytes as a raw prefix, and a wrong file passes.
	 */
	if (!ZDICT_getDictID(bytes, len))
		return -EBADMSG;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->spec = *spec;
	d->cdict = ZSTD_createCDict(bytes, len, spec->level);
	d->ddict = ZSTD_createDDict(bytes, len);
	if (!d->cdict || !d->ddict)
		return -EBADMSG;
	*ret = d;
	d = NULL;
	return 0;
}

void codec_dict_free(struct codec_dict *d)
{
	if (!d)
		return;
	ZSTD_freeCDict(d->cdict);
	ZSTD_freeDDict(d->ddict);
	free(d);
}

size_t codec_dict_memory(const struct codec_dict *d)
{
	return ZSTD_sizeof_CDict(d->cdict) + ZSTD_sizeof_DDict(d->ddict) + sizeof(*d);
}

int codec_new(const struct codec_spec *spec, const struct codec_dict *dict, struct codec **ret)
{
	struct codec *c;
	int err;

	if (!level_ok(spec))
		return -ERANGE;
	if (dict && !codec_family(spec->id)->dictionary)
		return -EOPNOTSUPP;
	if (dict && (dict->spec.id != spec->id || dict->spec.level != spec->level))
		return -EINVAL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->ops = codecs[spec->id];
	c->spec = *spec;
	c->dict = dict;
	err = c->ops->init(c);
	if (err) {
		free(c);
		return err;
	}
	*ret = c;
	return 0;
}

void codec_free(struct codec *c)
{
	if (!c)
		return;
	c->ops->release(c);
	free(c);
}

struct codec_spec codec_spec_of(const struct codec *c)
{
	return c->spec;
}

size_t codec_memory(const struct codec *c)
{
	return sizeof(*c) + c->ops->memory(c);
}

size_t codec_bound(const struct codec *c, size_t len)
{
	return len > CODEC_MAX_LEN ? 0 : c->ops->bound(len);
}

int codec_compress(struct codec *c, void *dst, size_t cap, const void *src, size_t len,
		   size_t *ret_len)
{
	if (len > CODEC_MAX_LEN)
		return -EFBIG;
	return c->ops->compress(c, dst, MIN(cap, (size_t)INT_MAX), src, len, ret_len);
}

int codec_decompress(struct codec *c, void *dst, size_t len, const void *src, size_t src_len)
{
	if (len > CODEC_MAX_LEN)
		return -EFBIG;
	/* No block of len bytes compresses to more than its bound; it also keeps src_len within
	 * int. */
	if (src_len > c->ops->bound(len))
		return -EBADMSG;
	return c->ops->decompress(c, dst, len, src, src_len) ? 0 : -EBADMSG;
}

bool codec_same_filled(const void *src, size_t len, uint64_t *ret_word)
{
	const char *p = src;
	uint64_t first, last, mid;

	if (!len || len % sizeof(first))
		return false;
	memcpy(&first, p, sizeof(first));
	memcpy(&last, p + len - sizeof(last), sizeof(last));
	memcpy(&mid, p + len / 2 / sizeof(mid) * sizeof(mid), sizeof(mid));
	if (first != last || first != mid)
		return false;
	/* All words equal the first one just when the block equals itself moved by a word. */
	if (memcmp(p, p + sizeof(first), len - sizeof(first)))
		return false;
	*ret_word = first;
	return true;
}

void codec_fill(void *dst, size_t len, uint64_t word)
{
	char *p = dst;

	if (!word) {
		memset(dst, 0, len);
		return;
	}
	for (size_t i = 0; i + sizeof(word) <= len; i += sizeof(word))
		memcpy(p + i, &word, sizeof(word));
}
