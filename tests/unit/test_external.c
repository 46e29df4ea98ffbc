/* SPDX-License-Identifier: BSD-2-Clause */
/* Profiles, and what the outside tools write: as it is, cut short, and nonsense. */
#include "workloads/external.h"

#include <math.h>

#include "tests/unit/unit.h"

static const char stress_ng[] = "---\nsystem-info:\n      run-by: root\n\nmetrics:\n"
				"    - stressor: fork\n      bogo-ops: 1826\n"
				"      bogo-ops-per-second-usr-sys-time: 1914.686357\n"
				"      bogo-ops-per-second-real-time: 1825.883333\n"
				"      wall-clock-time: 1.000064\n      user-time: 0.482758\n"
				"      system-time: 0.470923\n      max-rss: 2524\n\n"
				"    - stressor: vm\n      bogo-ops: 83290\n"
				"      bogo-ops-per-second-real-time: 83142.182566\n"
				"      wall-clock-time: 1.001778\n      user-time: 0.686530\n"
				"      system-time: 0.312535\n      max-rss: 20572\n\n...\n";

static const char sysbench[] = "Total operations: 44875 (44825.44 per second)\n\n"
			       "44875.00 MiB transferred (44825.44 MiB/sec)\n\n"
			       "General statistics:\n    total time:                          1.0002s\n\n"
			       "Latency (ms):\n         min:                                    0.00\n"
			       "         avg:                                    0.04\n"
			       "         max:                                    2.19\n"
			       "         99th percentile:                        0.39\n";

static const char fio[] = "fio: a warning\n{\"jobs\":[{\"jobname\":\"churn\",\"read\":{\"total_ios\":22904,"
			  "\"iops\":22812.75,\"runtime\":1004,\"clat_ns\":{\"mean\":60000.5,\"max\":2310144,"
			  "\"percentile\":{\"50.000000\":76288,\"95.000000\":114176,\"99.000000\":162816,"
			  "\"99.900000\":464896}}},\"write\":{\"total_ios\":9900,\"iops\":9861,\"runtime\":1004,"
			  "\"clat_ns\":{}},\"trim\":{\"total_ios\":0}}]}";

static const char mmtests[] = "# pft\nfaults/cpu-1 1 1000.5\nfaults/cpu-1 2 1200.5\nfaults/cpu-1 3 1100.5\n"
			      "faults/sec-1 1 7\n\n# other\nrow 1 2.5\nno number here\n";

static const char phoronix[] =
	"<?xml version=\"1.0\"?>\n<PhoronixTestSuite><Generated><Title>memscope</Title></Generated>\n"
	"<Result><Identifier>pts/stream-1.3.4</Identifier><Title>Stream</Title><Description>Type: Copy</Description>"
	"<Scale>MB/s</Scale><Data><Entry><Identifier>memscope</Identifier><Value>21034.5</Value></Entry></Data></Result>"
	"<Result><Title>R&amp;D</Title><Scale>Seconds</Scale><Data><Entry><Value>1.5</Value></Entry></Data></Result>"
	"<Result><Title>Failed</Title><Data><Entry><Value></Value></Entry></Data></Result></PhoronixTestSuite>";

static int parse(const char *tool, const char *text, struct workload_result *rows)
{
	const char *near;
	const struct external_tool *t = external_find(tool, &near);

	ck_assert_ptr_nonnull(t);
	memset(rows, 0, 8 * sizeof(*rows));
	return t->parse(text, rows, 8);
}

START_TEST(results)
{
	struct workload_result r[8];

	ck_assert_int_eq(parse("stress-ng", stress_ng, r), 2);
	ck_assert_str_eq(r[0].workload, "fork");
	ck_assert_uint_eq(r[0].ops, 1826);
	ck_assert_double_eq(r[1].ops_per_s, 83142.182566);
	ck_assert_uint_eq(r[1].cpu_user_us, 686530);
	ck_assert_uint_eq(r[1].rss_max_bytes, 20572 * KiB);

	ck_assert_int_eq(parse("sysbench", sysbench, r), 1);
	ck_assert_uint_eq(r[0].ops, 44875);
	ck_assert_double_eq(r[0].ops_per_s, 44825.44);
	ck_assert_double_eq(r[0].seconds, 1.0002);
	ck_assert_uint_eq(r[0].p99_ns, 390000);
	ck_assert_uint_eq(r[0].p95_ns, WORKLOAD_UNKNOWN);

	ck_assert_int_eq(parse("fio", fio, r), 2);
	ck_assert_uint_eq(r[0].ops, 22904);
	ck_assert_uint_eq(r[0].p999_ns, 464896);
	ck_assert_str_eq(r[1].unit, "write");
	ck_assert_uint_eq(r[1].p50_ns, WORKLOAD_UNKNOWN);

	ck_assert_int_eq(parse("mmtests", mmtests, r), 3);
	ck_assert_str_eq(r[0].workload, "pft-faults/cpu-1");
	ck_assert_double_eq(r[0].score, 1100.5);
	ck_assert_str_eq(r[0].score_unit, "median of 3 samples");
	ck_assert_str_eq(r[2].workload, "other-row");

	ck_assert_int_eq(parse("phoronix", phoronix, r), 2);
	ck_assert_str_eq(r[0].workload, "Stream Type: Copy");
	ck_assert_str_eq(r[0].score_unit, "MB/s");
	ck_assert_double_eq(r[0].score, 21034.5);
	ck_assert_str_eq(r[1].workload, "R&D");
}
END_TEST

/* Every beginning of a result: an answer or an error, and no access outside of the text. */
START_TEST(cut_short_and_changed)
{
	static const struct {
		const char *tool, *text;
	} all[] = { { "stress-ng", stress_ng }, { "sysbench", sysbench }, { "fio", fio }, { "mmtests", mmtests },
		    { "phoronix", phoronix } };
	struct workload_result r[8];

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		size_t len = strlen(all[i].text);

		ck_assert_int_eq(parse(all[i].tool, "", r), -EBADMSG);
		ck_assert_int_eq(parse(all[i].tool, "}{<Result>", r), -EBADMSG);
		for (size_t cut = 0; cut < len; cut++) {
			char *text = strndup(all[i].text, cut), *changed = strdup(all[i].text);

			parse(all[i].tool, text, r);
			changed[cut] = (char)(changed[cut] ^ 5);
			if (changed[cut])
				parse(all[i].tool, changed, r);
			free(text);
			free(changed);
		}
	}
}
END_TEST

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	fputs(text, f);
	fclose(f);
}

START_TEST(profiles)
{
	char dir[] = "/tmp/memscope-profiles-XXXXXX", path[128], command[128];
	const char *near;
	const struct external_tool *fio_tool = external_find("fio", &near);
	struct external_profile p;
	unsigned line = 0;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "mkdir %s/fio", dir);
	ck_assert_int_eq(system(path), 0);
	snprintf(path, sizeof(path), "%s/fio/good.profile", dir);
	write_file(path, "# a comment\n\nbrief = what it does\n run =  fio --size=@SHARE@  -x\nregion=4M\nmemory = yes\n");
	ck_assert_int_eq(external_load(dir, fio_tool, "good", &p, &line), 0);
	ck_assert_str_eq(p.brief, "what it does");
	ck_assert_str_eq(p.words[1], "--size=@SHARE@");
	ck_assert_str_eq(p.words[2], "-x");
	ck_assert_ptr_null(p.words[3]);
	ck_assert_uint_eq(p.region_bytes, 4 * MiB);
	ck_assert(p.memory && external_uses(&p, "@SHARE@") && !external_uses(&p, "@SEED@"));
	ck_assert_int_eq(external_load(dir, fio_tool, "none", &p, &line), -ENOENT);
	ck_assert_int_eq(external_load(dir, fio_tool, "../fio/good", &p, &line), -ENOENT);
	write_file(path, "brief = x\nrun = fio\nseconds = 5x\n");
	ck_assert_int_eq(external_load(dir, fio_tool, "good", &p, &line), -EBADMSG);
	ck_assert_uint_eq(line, 3);
	write_file(path, "brief = no command\n");
	ck_assert_int_eq(external_load(dir, fio_tool, "good", &p, &line), -EBADMSG);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
}
END_TEST

UNIT_MAIN("external", results, cut_short_and_changed, profiles)
