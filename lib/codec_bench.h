/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * codec_bench: what one codec does to one input at one size.
 *
 * Two units of work:
 *  - a block test cuts the input into blocks and gives every one to the codec with all the room
 * that it may want: the codec as such;
 *  - a page test treats the input as a pool of compressed memory would: same-filled pages cost
 * nothing and never reach the codec, pages that save less than the admission limit stay as they
 * are, and the rest is packed in size classes.
 *
 * How time is taken: a run repeats whole passes over the input until batch_ns have gone by, between
 * two readings of each clock, so that the readings (under 1 us together) stay below 0.1 % of it.
 * Every time is the median over the runs, per pass. The percentiles come from passes of their own,
 * with a clock reading around each page whose cost is subtracted.
 *
 * One struct codec_bench belongs to one thread.
 */
#ifndef MEMSCOPE_LIB_CODEC_BENCH_H
#define MEMSCOPE_LIB_CODEC_BENCH_H

#include <signal.h>

#include "lib/codec.h"

enum bench_unit {
	BENCH_BLOCK,
	BENCH_PAGE,
};

#define BENCH_NAME_MAX 64
#define BENCH_RUNS_MAX 101

struct bench_params {
	unsigned runs;      /* 1..BENCH_RUNS_MAX */
	unsigned warmups;   /* runs before, not counted */
	uint64_t batch_ns;  /* least length of a run */
	size_t working_set; /* bytes of input that a block test goes round in; at least one block */
	double min_savings_pct; /* admission of a page test, 0..99 */
	/* Looked at between blocks: non-zero ends the test with -EINTR. May be NULL. */
	const volatile sig_atomic_t *stop;
};

/* Medians over the runs, of one pass. */
struct bench_times {
	double wall_ms;
	double thread_cpu_ms;
	double process_cpu_ms;
	double mib_per_s;  /* input given to the codec, or restored, by wall time */
	double spread_pct; /* (slowest - fastest run) / median, by wall time */
	double cpu_spread_pct;
	uint64_t p50_ns, p99_ns; /* of a page; 0 in a block test */
};

struct bench_result {
	char codec[16]; /* "lz4", "zstd" */
	char mode[16];  /* "fast", "hc", "std", "dict" */
	int64_t level;
	char dataset[BENCH_NAME_MAX];
	char unit[8]; /* "block", "page" */
	uint64_t size_bytes;
	uint64_t runs, warmups;
	uint64_t blocks;               /* whole blocks or pages of the input */
	uint64_t input_bytes;          /* blocks * size_bytes */
	uint64_t codec_bytes;          /* of these, what the codec was given */
	uint64_t compressed_bytes;     /* rejected pages count in full, same-filled ones nothing */
	uint64_t packed_bytes;         /* page test: after size classes (bench_packed_bytes()) */
	uint64_t zero_pages;           /* page test */
	uint64_t same_filled_pages;    /* page test; other than zero */
	uint64_t incompressible_pages; /* page test; saved less than the limit */
	double ratio;                  /* input_bytes / compressed_bytes; 0: all was free */
	double savings_pct;
	struct bench_times compress;
	struct bench_times decompress;
	bool valid; /* every block came back as it was */
};

struct bench_input {
	const char *name;
	const void *data; /* borrowed */
	size_t len;
	size_t page_len; /* page tests take this much of it; 0: all */
};

struct codec_bench;

/* Buffers that grow with need and are kept between tests. -ENOMEM. Free takes NULL. */
int codec_bench_new(struct codec_bench **ret);
void codec_bench_free(struct codec_bench *b);

/*
 * Runs one test. dict may be NULL. 0 with ret->valid false is a codec that broke its contract.
 * -ENODATA: the input is shorter than one block; -EINTR: stopped; -ENOMEM; what codec_new()
 * returns.
 */
int codec_bench_run(struct codec_bench *b, const struct codec_spec *spec,
		    const struct codec_dict *dict, enum bench_unit unit, size_t size,
		    const struct bench_input *in, const struct bench_params *params,
		    struct bench_result *ret);

/* The speed of a codec on one piece of the input of at most 64 KiB, for an estimate. Errors as
 * above. */
struct bench_speed {
	double compress_ns_per_byte;
	double decompress_ns_per_byte;
};
int codec_bench_probe(struct codec_bench *b, const struct codec_spec *spec,
		      const struct codec_dict *dict, const struct bench_input *in,
		      struct bench_speed *ret);
/*
 * How long a test will take, in nanoseconds; 0 when the input is shorter than a block. Right to
 * about a factor of two: the slow levels are slower still on large blocks. Pure.
 */
uint64_t codec_bench_estimate(const struct bench_speed *speed, enum bench_unit unit, size_t size,
			      const struct bench_input *in, const struct bench_params *params);

/*
 * The bytes of a pool that an object of len bytes takes, in the geometry of the kernel's zsmalloc
 * (mm/zsmalloc.c, chain size 8): classes every page_size/256 bytes, 8 bytes of handle in each
 * object, 1 to 8 pages chained to waste least; an object that gets a page to itself takes
 * page_size. This is the share in a large pool, where the last half-filled group of a class does
 * not count. For 16 and 64 KiB chunks the same geometry is scaled up. len 0 takes nothing. Pure.
 */
double bench_packed_bytes(size_t len, size_t page_size);

static inline void codec_bench_freep(struct codec_bench **b)
{
	codec_bench_free(*b);
}

#define _cleanup_codec_bench_ _cleanup_(codec_bench_freep)

#endif
