/* SPDX-License-Identifier: BSD-2-Clause */
/* --plot: ratio against speed, one colour for each input, its front as a line. */
#include <fcntl.h>
#include <string.h>

#include "cmd/codec_common.h"
#include "lib/parse.h"
#include "lib/plot.h"

const char *codec_plot_check(const struct argp_state *state, const char *path)
{
	if (!plot_name_ok(path))
		argp_error(state, "--plot '%s': want a name that ends in .svg or .png", path);
	return path;
}

int codec_plot_ready(const struct cmd *cmd, const char *path)
{
	static const char nothing[] = "exit\n";
	char why[256];
	int fd, err = plot_run(nothing, sizeof(nothing) - 1, why, sizeof(why));

	if (err == -ENOENT)
		return cmd_exit(
			cmd, EXIT_REFUSED,
			"--plot needs gnuplot, which is not installed (package gnuplot-nox, or "
			"gnuplot); --csv gives the numbers without it");
	if (err)
		return cmd_exit(cmd, EXIT_FAILED, "gnuplot does not run: %s",
				err == -EIO ? why : strerror(-err));
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0)
		return cmd_fail(cmd, -errno, "--plot: cannot write %s", path);
	close(fd);
	return EXIT_OK;
}

/* The rows of one drawing: same unit and size. Pages of 4 KiB where there are some. */
struct choice {
	const char *unit;
	uint64_t size;
};

static struct choice choose(const struct codec_results *r)
{
	for (size_t i = 0; i < r->n; i++) {
		if (!strcmp(r->rows[i].unit, "page") && r->rows[i].size_bytes == 4 * KiB)
			return (struct choice){"page", 4 * KiB};
	}
	return (struct choice){r->rows[0].unit, r->rows[0].size_bytes};
}

struct point {
	const struct bench_result *row;
	double speed, ratio;
	bool front;
};

static double speed_of(const struct bench_result *r, double factor)
{
	double cpu_s = (r->compress.thread_cpu_ms + factor * r->decompress.thread_cpu_ms) / 1e3;

	if (factor <= 0)
		return r->compress.mib_per_s;
	return cpu_s > 0 ? (double)r->codec_bytes / (double)MiB / cpu_s : 0;
}

static int compare_speed(const void *a, const void *b)
{
	const struct point *x = a, *y = b;

	return (x->speed > y->speed) - (x->speed < y->speed);
}

/* Which points a block of data holds. */
enum {
	EVEN,
	ODD,
	ALL,
	FRONT,
};

/* The points of one input, slowest first, with their front. */
static size_t collect(const struct codec_results *r, struct choice c, const char *dataset,
		      double factor, double min_savings_pct, struct point *points)
{
	double cost[SWEEP_CODECS_MAX], gain[SWEEP_CODECS_MAX];
	bool front[SWEEP_CODECS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < r->n && n < SWEEP_CODECS_MAX; i++) {
		const struct bench_result *row = &r->rows[i];
		double speed = speed_of(row, factor);

		if (strcmp(row->unit, c.unit) || row->size_bytes != c.size ||
		    strcmp(row->dataset, dataset) || speed <= 0 || row->ratio <= 0)
			continue;
		points[n++] = (struct point){row, speed, row->ratio, false};
	}
	qsort(points, n, sizeof(*points), compare_speed);
	for (size_t i = 0; i < n; i++) {
		cost[i] = -points[i].speed;
		gain[i] = points[i].ratio;
	}
	rank_front(cost, gain, n, front);
	for (size_t i = 0; i < n; i++)
		points[i].front = front[i] && points[i].row->savings_pct >= min_savings_pct;
	return n;
}

/* Labels stand above and below in turn, for neighbours crowd. */
static void write_block(FILE *f, const char *name, const struct point *points, size_t n, int which)
{
	char label[RANK_LABEL_MAX];

	fprintf(f, "$%s << EOD\n", name);
	for (size_t i = 0; i < n; i++) {
		if (which == ALL || (which == FRONT && points[i].front) ||
		    (which != FRONT && (int)(i % 2) == which))
			fprintf(f, "%.3f %.4f \"%s\"\n", points[i].speed, points[i].ratio,
				codec_result_label(points[i].row, label));
	}
	fputs("EOD\n", f);
}

static size_t find_datasets(const struct codec_results *r, const char **names)
{
	size_t n = 0, k;

	for (size_t i = 0; i < r->n; i++) {
		for (k = 0; k < n && strcmp(names[k], r->rows[i].dataset); k++)
			;
		if (k == n && n < SWEEP_INPUTS_MAX)
			names[n++] = r->rows[i].dataset;
	}
	return n;
}

/* One panel: the points of an input, sorted by speed. */
static void write_panel(FILE *f, const char *name, const struct point *points, size_t n)
{
	double top = 0, bottom = 1e30;
	bool front = false;

	for (size_t i = 0; i < n; i++) {
		top = MAX(top, points[i].ratio);
		bottom = MIN(bottom, points[i].ratio);
		front |= points[i].front;
	}
	write_block(f, "even", points, n, EVEN);
	write_block(f, "odd", points, n, ODD);
	write_block(f, "all", points, n, ALL);
	write_block(f, "front", points, n, FRONT);
	fputs("set title ", f);
	plot_quote(f, name);
	/* Room for the labels, which gnuplot does not count. */
	fprintf(f, "\nset xrange [%.3f:%.3f]\nset yrange [%.4f:%.4f]\n", points[0].speed * 0.6,
		points[n - 1].speed * 1.7, bottom - (top - bottom) * 0.15 - 0.1,
		top + (top - bottom) * 0.15 + 0.1);
	fputs("plot ", f);
	if (front)
		fputs("$front using 1:2 with linespoints lw 2 pt 7 ps 1.2 lc 7 notitle, ", f);
	fputs("$all using 1:2 with points pt 6 ps 1.2 lc 6 notitle", f);
	fputs(", $even using 1:2:3 with labels offset 0,0.9 font ',8' notitle", f);
	if (n > 1)
		fputs(", $odd using 1:2:3 with labels offset 0,-0.9 font ',8' notitle", f);
	fputc('\n', f);
}

static void write_script(FILE *f, const struct codec_results *r, double factor,
			 double min_savings_pct, const char *path)
{
	struct choice c = choose(r);
	struct point points[SWEEP_CODECS_MAX];
	const char *names[SWEEP_INPUTS_MAX];
	size_t n_names = find_datasets(r, names), columns = n_names > 1 ? 2 : 1;
	size_t rows = (n_names + columns - 1) / columns;
	char size[FORMAT_MAX];

	plot_begin(f, path, columns > 1 ? 1200 : 900,
		   (unsigned)(60 + rows * (columns > 1 ? 400 : 540)));
	fprintf(f,
		"set multiplot layout %zu,%zu title 'Ratio against speed, %ss of %s; filled and "
		"joined: the front'\n",
		rows, columns, c.unit, format_size(c.size, size));
	if (factor > 0)
		fprintf(f, "set xlabel 'MiB per CPU second, written once, read back %g times'\n",
			factor);
	else
		fputs("set xlabel 'compression, MiB/s'\n", f);
	fputs("set ylabel 'ratio'\nset logscale x\nset grid\n", f);
	for (size_t i = 0; i < n_names; i++) {
		size_t n = collect(r, c, names[i], factor, min_savings_pct, points);

		if (n)
			write_panel(f, names[i], points, n);
	}
	fputs("unset multiplot\n", f);
}

int codec_plot(const struct cmd *cmd, const struct codec_results *r, double readback_factor,
	       double min_savings_pct, const char *path)
{
	_cleanup_free_ char *script = NULL;
	char why[256];
	size_t len = 0;
	FILE *f = open_memstream(&script, &len);
	int err;

	if (!f)
		return cmd_fail(cmd, -ENOMEM, "drawing");
	write_script(f, r, readback_factor, min_savings_pct, path);
	if (fclose(f))
		return cmd_fail(cmd, -ENOMEM, "drawing");
	err = plot_run(script, len, why, sizeof(why));
	if (err)
		return cmd_exit(cmd, EXIT_FAILED, "gnuplot could not draw %s: %s", path,
				err == -EIO ? why : strerror(-err));
	cmd_notice(cmd, "wrote %s", path);
	return EXIT_OK;
}
