/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/dataset.h"

#include <string.h>

#define PHRASE 61 /* coprime to the word size, so that no block is same-filled */

static const struct dataset_info infos[DATASET_COUNT] = {
	[DATASET_REPETITIVE] = {"repetitive", "one 61-byte phrase over and over"},
	[DATASET_UNIQUE] = {"unique", "random bytes"},
	[DATASET_MIXED] = {"mixed_50_50", "4 KiB blocks, alternately repetitive and unique"},
	[DATASET_TEXT] = {"text", "English-like sentences"},
	[DATASET_HEAP] = {"heap", "a malloc heap of pointers, counters, strings and holes"},
};

const struct dataset_info *dataset_info(enum dataset_kind kind)
{
	return &infos[kind];
}

int dataset_find(const char *name, enum dataset_kind *ret)
{
	for (size_t i = 0; i < DATASET_COUNT; i++) {
		if (!strcmp(infos[i].name, name)) {
			*ret = (enum dataset_kind)i;
			return 0;
		}
	}
	return -ENOENT;
}

/* A generator of its own for each block: the index is mixed in before the first number. */
static uint64_t block_state(uint64_t seed, uint64_t block)
{
	uint64_t state = seed ^ (block * UINT64_C(0xd6e8feb86659fd93));

	return dataset_random(&state);
}

static void fill_random(uint64_t *state, unsigned char *p, size_t len)
{
	for (size_t i = 0; i < len; i += sizeof(uint64_t)) {
		uint64_t word = dataset_random(state);

		memcpy(p + i, &word, MIN(sizeof(word), len - i));
	}
}

/* The phrase is the seed's, not the block's: large blocks repeat as small ones do. */
static void fill_phrase(uint64_t seed, unsigned char *p, size_t len)
{
	unsigned char phrase[PHRASE];

	fill_random(&seed, phrase, sizeof(phrase));
	for (size_t i = 0; i < len; i += PHRASE)
		memcpy(p + i, phrase, MIN((size_t)PHRASE, len - i));
}

static const char *const words[] = {
	"the",       "of",         "and",       "to",        "in",         "a",
	"is",        "that",       "for",       "it",        "as",         "was",
	"with",      "be",         "by",        "on",        "not",        "he",
	"this",      "are",        "or",        "his",       "from",       "at",
	"which",     "but",        "have",      "an",        "had",        "they",
	"you",       "were",       "their",     "one",       "all",        "we",
	"can",       "her",        "has",       "there",     "been",       "if",
	"more",      "when",       "will",      "would",     "who",        "so",
	"no",        "memory",     "page",      "process",   "system",     "kernel",
	"cache",     "pressure",   "between",   "because",   "through",    "water",
	"history",   "question",   "compress",  "allocate",  "distance",   "different",
	"children",  "mountain",   "language",  "sentence",  "government", "afternoon",
	"important", "remember",   "interest",  "separate",  "thousand",   "continue",
	"frequency", "population", "machinery", "telephone", "beautiful",  "character",
	"direction", "experience", "knowledge", "structure", "molecule",   "throughout",
	"yesterday", "window",     "garden",    "silver",    "letter",     "winter",
	"quickly",   "seventeen",
};

static void fill_text(uint64_t *state, unsigned char *p, size_t len)
{
	size_t at = 0, sentence = 0;

	while (at < len) {
		uint64_t r = dataset_random(state);
		/* A product of two uniform numbers falls off about as word frequencies do. */
		size_t rank = ((r & 0xffff) * ((r >> 16) & 0xffff)) >> 16;
		const char *word = words[rank * ARRAY_SIZE(words) >> 16];
		size_t n = strlen(word);
		char text[24];

		memcpy(text, word, n);
		if (!sentence)
			text[0] = (char)(text[0] - 'a' + 'A');
		sentence++;
		if (sentence > 5 && (r >> 32) % 9 == 0) {
			text[n++] = '.';
			sentence = 0;
		} else if ((r >> 40) % 11 == 0) {
			text[n++] = ',';
		}
		text[n++] = (r >> 48) % 13 ? ' ' : '\n';
		memcpy(p + at, text, MIN(n, len - at));
		at += n;
	}
}

static void put64(unsigned char *p, size_t at, size_t len, uint64_t v)
{
	if (at + sizeof(v) <= len)
		memcpy(p + at, &v, sizeof(v));
}

/*
 * Objects as glibc's malloc lays them out: a size word, then a type pointer into the binary, links
 * to objects near by, a counter or two, perhaps a name, and what was never written stays zero.
 */
static void fill_heap(uint64_t seed, uint64_t block, unsigned char *p, size_t len)
{
	uint64_t state = block_state(seed, block), base_state = seed;
	uint64_t heap = UINT64_C(0x550000000000) | (dataset_random(&base_state) & 0xfffffff000);
	uint64_t text = UINT64_C(0x7f0000000000) | (dataset_random(&base_state) & 0xfffffff000);
	uint64_t here = heap + block * DATASET_BLOCK;
	static const uint16_t sizes[] = {32, 32, 48, 48, 64, 64, 80, 96, 128, 192, 336, 528};

	memset(p, 0, len);
	for (size_t at = 0; at < len;) {
		uint64_t r = dataset_random(&state);
		size_t size = sizes[r % ARRAY_SIZE(sizes)], name = 0;

		put64(p, at, len, size | 1);
		put64(p, at + 8, len, text + (r >> 8) % 24 * 0x160);
		/* Links go to objects a little before or after, 16-byte aligned. */
		put64(p, at + 16, len, here + (((r >> 16) & 0x3fff) << 4) - 0x20000);
		if (size > 32)
			put64(p, at + 24, len, (r >> 32) & 3 ? (r >> 34) & 0xff : here + at);
		if (size > 48)
			put64(p, at + 40, len, heap + (((r >> 24) & 0xffff) << 4));
		if (size > 64)
			name = at + 56;
		if (name && (r >> 44) % 4 && name + 24 < len)
			fill_text(&state, p + name, 8 + (r >> 48) % 16);
		/* A few objects carry hashes, floats, packed bits: nothing to gain there. */
		if (size >= 128 && (r >> 56) % 2 && at + size <= len)
			fill_random(&state, p + at + 80, (size - 80) / 2);
		at += size;
	}
}

static void fill_block(enum dataset_kind kind, uint64_t seed, uint64_t block, unsigned char *p,
		       size_t len)
{
	uint64_t state = block_state(seed, block);

	if (kind == DATASET_MIXED)
		kind = block % 2 ? DATASET_UNIQUE : DATASET_REPETITIVE;
	switch (kind) {
	case DATASET_UNIQUE:
		fill_random(&state, p, len);
		break;
	case DATASET_TEXT:
		fill_text(&state, p, len);
		break;
	case DATASET_HEAP:
		fill_heap(seed, block, p, len);
		break;
	default:
		fill_phrase(seed, p, len);
		break;
	}
}

void dataset_fill(enum dataset_kind kind, uint64_t seed, uint64_t first, void *dst, size_t len)
{
	unsigned char *p = dst;

	for (size_t at = 0; at < len; at += DATASET_BLOCK)
		fill_block(kind, seed, first++, p + at, MIN(DATASET_BLOCK, len - at));
}

void dataset_fill_pct(unsigned pct, uint64_t seed, uint64_t first, void *dst, size_t len)
{
	/*
	 * The phrase goes first: after much that is random LZ4 looks at every 50th byte or so only,
	 * and would not find it.
	 */
	size_t head = DATASET_BLOCK - DATASET_BLOCK * (100 - MIN(pct, 100u)) / 100;
	unsigned char *p = dst;

	for (size_t at = 0; at < len; at += DATASET_BLOCK) {
		uint64_t state = block_state(seed, first++);
		size_t n = MIN(DATASET_BLOCK, len - at);

		fill_phrase(seed, p + at, MIN(head, n));
		if (n > head)
			fill_random(&state, p + at + head, n - head);
	}
}
