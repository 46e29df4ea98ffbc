/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/unit.h"

#include "lib/file.h"
#include "lib/swaps.h"
#include "lib/zram.h"

START_TEST(mm_stat_of_old_and_new_kernels)
{
	struct zram_mm mm;

	ck_assert_int_eq(zram_parse_mm("  1 2 3 4 5 6 7\n", &mm), 0);
	ck_assert_uint_eq(mm.n_fields, 7);
	ck_assert_uint_eq(mm.pages_compacted, 7);
	ck_assert_uint_eq(mm.huge_pages, 0);
	ck_assert_int_eq(zram_parse_mm("1 2 3 4 5 6 7 8", &mm), 0);
	ck_assert_uint_eq(mm.n_fields, 8);
	ck_assert_uint_eq(mm.huge_pages, 8);
	ck_assert_int_eq(zram_parse_mm("1 2 3 4 5 6 7 8 9\n", &mm), 0);
	ck_assert_uint_eq(mm.huge_pages_since, 9);
	/* a kernel to come */
	ck_assert_int_eq(zram_parse_mm("1 2 3 4 5 6 7 8 9 10 11\n", &mm), 0);
	ck_assert_uint_eq(mm.n_fields, 9);
	ck_assert_uint_eq(mm.orig, 1);
	mm.orig = 77;
	ck_assert_int_eq(zram_parse_mm("1 2 3 4 5 6", &mm), -EINVAL);
	ck_assert_int_eq(zram_parse_mm("", &mm), -EINVAL);
	ck_assert_int_eq(zram_parse_mm("1 2 3 4 5 6 x", &mm), -EINVAL);
	ck_assert_int_eq(zram_parse_mm("1 2 3 4 5 6 -7", &mm), -EINVAL);
	ck_assert_int_eq(zram_parse_mm("1 2 3 4 5 6 99999999999999999999999999", &mm), -EINVAL);
	ck_assert_uint_eq(mm.orig, 77);
}
END_TEST

START_TEST(other_stats)
{
	struct zram_block block;
	struct zram_io io;
	struct zram_bd bd;

	ck_assert_int_eq(zram_parse_io("       1        2 3        4\n", &io), 0);
	ck_assert_uint_eq(io.failed_writes, 2);
	ck_assert_uint_eq(io.notify_free, 4);
	ck_assert_int_eq(zram_parse_io("1 2 3", &io), -EINVAL);
	ck_assert_int_eq(zram_parse_bd("10 20 30", &bd), 0);
	ck_assert_uint_eq(bd.writes, 30);
	ck_assert_int_eq(zram_parse_bd("10 20", &bd), -EINVAL);
	ck_assert_int_eq(zram_parse_block("1 2 3 4 5 6 7 8 9 10 11", &block), 0);
	ck_assert_uint_eq(block.writes, 5);
	ck_assert_uint_eq(block.discards, 0);
	ck_assert_int_eq(zram_parse_block("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17", &block), 0);
	ck_assert_uint_eq(block.discards, 12);
	ck_assert_int_eq(zram_parse_block("1 2 3", &block), -EINVAL);
}
END_TEST

START_TEST(algorithms)
{
	struct zram_algos a, r[ZRAM_PRIORITIES];
	char many[400] = "", *p = many;

	ck_assert_int_eq(zram_parse_algos("lzo [lz4] zstd \n", &a), 0);
	ck_assert_uint_eq(a.n, 3);
	ck_assert_str_eq(zram_algo(&a), "lz4");
	ck_assert(zram_offers(&a, "zstd") && !zram_offers(&a, "zst") && !zram_offers(&a, "[lz4]"));
	ck_assert_int_eq(zram_parse_algos("lzo lz4", &a), 0);
	ck_assert_str_eq(zram_algo(&a), "");
	ck_assert_int_eq(zram_parse_algos(" \n", &a), -EINVAL);
	for (int i = 0; i < 17; i++)
		p += snprintf(p, 8, "a%d ", i);
	ck_assert_int_eq(zram_parse_algos(many, &a), -EINVAL);
	ck_assert_int_eq(zram_parse_recomp("#1: lzo lz4 [zstd]\n#2: [lzo] lz4 zstd\n", r), 0);
	ck_assert_str_eq(zram_algo(&r[1]), "zstd");
	ck_assert_str_eq(zram_algo(&r[2]), "lzo");
	ck_assert_uint_eq(r[3].n, 0);
	ck_assert_int_eq(zram_parse_recomp("", r), 0);
	ck_assert_uint_eq(r[1].n, 0);
	ck_assert_int_eq(zram_parse_recomp("#7: lzo\n", r), -EINVAL);
	ck_assert_int_eq(zram_parse_recomp("lzo\n", r), -EINVAL);
}
END_TEST

START_TEST(names)
{
	static const char *const bad[] = { "", "zram", "zram-1", "zram01", "zram+1", "zram1x", "zram 1", "sda", "/dev/", "zram99999999999" };
	unsigned id;

	ck_assert_int_eq(zram_parse_name("zram0", &id), 0);
	ck_assert_uint_eq(id, 0);
	ck_assert_int_eq(zram_parse_name("/dev/zram12", &id), 0);
	ck_assert_uint_eq(id, 12);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(zram_parse_name(bad[i], &id) == -EINVAL, "%s", bad[i]);
}
END_TEST

START_TEST(block_state)
{
	struct zram_blocks b = {};

	zram_count_block("         300        75.033841 .wh...\n", &b);
	zram_count_block("         301        63.806904 s.....\n", &b);
	zram_count_block("         302        63.806919 ..hi..\n", &b);
	zram_count_block("         303        62.801919 ....r.\n", &b);
	zram_count_block("         304       146.781902 ..hi.n\n", &b);
	zram_count_block("\n", &b);
	ck_assert_uint_eq(b.pages, 5);
	ck_assert_uint_eq(b.same, 1);
	ck_assert_uint_eq(b.written_back, 1);
	ck_assert_uint_eq(b.huge, 3);
	ck_assert_uint_eq(b.idle, 2);
	ck_assert_uint_eq(b.recompressed, 1);
	ck_assert_uint_eq(b.incompressible, 1);
}
END_TEST

START_TEST(swaps_text)
{
	static const char text[] = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
				   "/dev/zram0                              partition\t65532\t\t12\t\t100\n"
				   "/mnt/a\\040b                            file\t\t1048572\t\t0\t\t-2\n";
	struct swap_area *areas = NULL;
	size_t n = 7;

	ck_assert_int_eq(swaps_parse(text, &areas, &n), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_str_eq(areas[1].path, "/mnt/a b");
	ck_assert(!areas[1].partition && areas[1].priority == -2);
	ck_assert_uint_eq(areas[0].used_bytes, 12 * KiB);
	ck_assert_ptr_eq(swaps_find(areas, n, "zram0"), &areas[0]);
	ck_assert_ptr_null(swaps_find(areas, n, "zram"));
	free(areas);
	areas = NULL;
	ck_assert_int_eq(swaps_parse("Filename Type\n", &areas, &n), 0);
	ck_assert_uint_eq(n, 0);
	free(areas);
	ck_assert_int_eq(swaps_parse("", &areas, &n), -EINVAL);
	ck_assert_int_eq(swaps_parse("nonsense\n", &areas, &n), -EINVAL);
	ck_assert_int_eq(swaps_parse("Filename\n/dev/x partition 12\n", &areas, &n), -EINVAL);
	ck_assert_int_eq(swaps_parse("Filename\n/dev/x partition 12x 0 1\n", &areas, &n), -EINVAL);
	ck_assert_int_eq(swaps_parse("Filename\n/dev/x partition 12 0 99999\n", &areas, &n), -EINVAL);
}
END_TEST

START_TEST(swap_header)
{
	uint8_t uuid[SWAP_UUID_LEN], got[SWAP_UUID_LEN];
	unsigned char page[4096];
	char label[SWAP_LABEL_LEN + 1];
	uint32_t last;

	memset(uuid, 0xab, sizeof(uuid));
	memset(page, 0xff, sizeof(page));
	ck_assert_int_eq(swap_header_read(page, sizeof(page), got, label), -EINVAL);
	ck_assert_int_eq(swap_header_make(page, sizeof(page), 9 * 4096, uuid, ""), -EINVAL);
	ck_assert_int_eq(swap_header_make(page, 4095, MiB, uuid, ""), -EINVAL);
	ck_assert_int_eq(swap_header_make(page, 2048, MiB, uuid, ""), -EINVAL);
	ck_assert_int_eq(swap_header_make(page, sizeof(page), MiB, uuid, "sixteen-letters!and more"), 0);
	/* The offsets of the kernel's union swap_header. */
	ck_assert_int_eq(memcmp(page + 4086, "SWAPSPACE2", 10), 0);
	memcpy(&last, page + 1028, 4);
	ck_assert_uint_eq(last, 255);
	ck_assert_int_eq(memcmp(page + 1036, uuid, 16), 0);
	ck_assert_int_eq(page[0] | page[1023] | page[1535] | page[4085], 0);
	ck_assert_int_eq(swap_header_read(page, sizeof(page), got, label), 0);
	ck_assert_int_eq(memcmp(got, uuid, 16), 0);
	ck_assert_str_eq(label, "sixteen-letters!");
	ck_assert_int_eq(swap_header_make(page, sizeof(page), UINT64_C(1) << 50, uuid, ""), 0);
	memcpy(&last, page + 1028, 4);
	ck_assert_uint_eq(last, UINT32_MAX);
}
END_TEST

START_TEST(trees)
{
	struct zram_device *d = NULL;
	size_t n;

	file_set_sysroot("tests/sysroot/zram-6.18");
	ck_assert_int_eq(zram_read_all(&d, &n), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_str_eq(d[0].name, "zram0");
	ck_assert_uint_eq(d[0].mm.n_fields, 9);
	ck_assert(!(d[0].has & (ZRAM_HAS_RECOMPRESS | ZRAM_HAS_WRITEBACK)));
	free(d);
	d = NULL;
	file_set_sysroot("tests/sysroot/zram-6.12");
	ck_assert_int_eq(zram_read_all(&d, &n), 0);
	ck_assert_str_eq(zram_algo(&d[0].recomp[1]), "zstd");
	ck_assert_str_eq(d[0].backing, "/dev/loop0");
	ck_assert(d[0].have_bd && d[0].bd.count);
	free(d);
	d = NULL;
	file_set_sysroot("tests/sysroot/zram-5.10");
	ck_assert_int_eq(zram_read_all(&d, &n), 0);
	ck_assert_uint_eq(d[0].mm.n_fields, 8);
	free(d);
	d = NULL;
	file_set_sysroot("tests/sysroot/no-zram");
	ck_assert_int_eq(zram_read_all(&d, &n), -ENOENT);
	ck_assert_ptr_null(d);
	file_set_sysroot(NULL);
}
END_TEST

UNIT_MAIN("zram", mm_stat_of_old_and_new_kernels, other_stats, algorithms, names, block_state, swaps_text, swap_header, trees)
