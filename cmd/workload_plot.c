/* SPDX-License-Identifier: BSD-2-Clause */
/* The plots of a comparison. */
#include <math.h>
#include <string.h>

#include "cmd/workload_compare.h"
#include "lib/plot.h"

static struct sample_ratio ratio_of(const struct comparison *c, enum compare_metric m)
{
	size_t pairs;

	return compare_metric(c->results[0], c->results[1], c->pairs, m, &pairs);
}

/* A number, or gnuplot's missing value. */
static void put(FILE *f, double v)
{
	if (isfinite(v))
		fprintf(f, " %.9g", v);
	else
		fputs(" ?", f);
}

static void common(FILE *f, const char *title, const char *y)
{
	fputs("set datafile missing '?'\nset title ", f);
	plot_quote(f, title);
	fputs("\nset ylabel ", f);
	plot_quote(f, y);
	fputs("\nset grid ytics\nset style fill solid 0.7 border -1\nset key outside bottom horizontal\n"
	      "set xtics rotate by -20\nset xrange [-0.6:*]\n",
	      f);
}

static void throughput(FILE *f, const struct compare_opts *o, const struct comparison *list, size_t n)
{
	char title[128];

	snprintf(title, sizeof(title), "Throughput: %s / %s (95 %% interval)", mem_ops_of(o->kind[1])->name,
		 mem_ops_of(o->kind[0])->name);
	fputs("$data << END\n", f);
	for (size_t i = 0; i < n; i++) {
		struct sample_ratio r = ratio_of(&list[i], COMPARE_OPS);

		fprintf(f, "%s", list[i].ops->name);
		put(f, r.ratio);
		put(f, isfinite(r.low) ? r.low : r.ratio);
		put(f, isfinite(r.high) ? r.high : r.ratio);
		fputc('\n', f);
	}
	fputs("END\n", f);
	common(f, title, "ratio");
	fprintf(f, "set yrange [0:*]\nset xrange [-0.6:%zu-0.4]\nset boxwidth 0.6\n"
		   "plot $data using 0:2:xtic(1) with boxes title 'ratio', "
		   "$data using 0:2:3:4 with yerrorbars lc 'black' notitle, 1 with lines dt 2 lc 'black' notitle\n",
		n);
}

static void latency(FILE *f, const struct compare_opts *o, const struct comparison *list, size_t n)
{
	const char *base = mem_ops_of(o->kind[0])->name, *with = mem_ops_of(o->kind[1])->name;

	fputs("$data << END\n", f);
	for (size_t i = 0; i < n; i++) {
		struct sample_ratio p95 = ratio_of(&list[i], COMPARE_P95), p99 = ratio_of(&list[i], COMPARE_P99);

		fprintf(f, "%s", list[i].ops->name);
		put(f, p95.base / 1e3);
		put(f, p95.with / 1e3);
		put(f, p99.base / 1e3);
		put(f, p99.with / 1e3);
		fputc('\n', f);
	}
	fputs("END\n", f);
	common(f, "Latency of an operation", "microseconds");
	fprintf(f, "set logscale y\nset xrange [-0.6:%zu-0.4]\nset style data histograms\n"
		   "set style histogram clustered gap 1\n"
		   "plot $data using 2:xtic(1) title 'p95 %s', '' using 3 title 'p95 %s', "
		   "'' using 4 title 'p99 %s', '' using 5 title 'p99 %s'\n",
		n, base, with, base, with);
}

static void cpu(FILE *f, const struct compare_opts *o, const struct comparison *list, size_t n)
{
	fputs("$data << END\n", f);
	for (size_t i = 0; i < n; i++) {
		struct sample_ratio r = ratio_of(&list[i], COMPARE_CPU);

		fprintf(f, "%s", list[i].ops->name);
		put(f, r.base / 1e3);
		put(f, r.with / 1e3);
		fputc('\n', f);
	}
	fputs("END\n", f);
	common(f, "CPU time of a run", "milliseconds, user and system");
	fprintf(f, "set yrange [0:*]\nset xrange [-0.6:%zu-0.4]\nset style data histograms\n"
		   "set style histogram clustered gap 1\n"
		   "plot $data using 2:xtic(1) title '%s', '' using 3 title '%s'\n",
		n, mem_ops_of(o->kind[0])->name, mem_ops_of(o->kind[1])->name);
}

typedef void (*drawing)(FILE *f, const struct compare_opts *o, const struct comparison *list, size_t n);

static int draw(const struct cmd *cmd, const char *name, drawing fn, const struct comparison *list, size_t n)
{
	const struct compare_opts *o = cmd->opts;
	_cleanup_free_ char *path = NULL, *script = NULL;
	char message[200];
	size_t len;
	FILE *f;
	int err;

	if (asprintf(&path, "%s/%s", o->out, name) < 0 || !(f = open_memstream(&script, &len)))
		return cmd_fail(cmd, -ENOMEM, "plotting");
	err = plot_begin(f, path, 900, 500);
	fn(f, o, list, n);
	fclose(f);
	if (!err)
		err = plot_run(script, len, message, sizeof(message));
	if (err == -EIO)
		return cmd_exit(cmd, EXIT_FAILED, "gnuplot could not make %s: %s", path, message);
	return err == -ENOENT ? err : err ? cmd_fail(cmd, err, "%s", path) : EXIT_OK;
}

int compare_plots(const struct cmd *cmd, const struct comparison *list, size_t n)
{
	static const struct {
		const char *name;
		drawing fn;
	} plots[] = { { "throughput.svg", throughput }, { "latency.svg", latency }, { "cpu.svg", cpu } };

	for (size_t i = 0; i < n; i++)
		if (!list[i].pairs)
			return EXIT_OK; /* interrupted before there was something to draw */
	for (size_t i = 0; i < ARRAY_SIZE(plots); i++) {
		int code = draw(cmd, plots[i].name, plots[i].fn, list, n);

		if (code == -ENOENT) {
			cmd_notice(cmd, "no plots: gnuplot is not installed (package gnuplot-nox)");
			return EXIT_OK;
		}
		if (code)
			return code;
	}
	return EXIT_OK;
}
