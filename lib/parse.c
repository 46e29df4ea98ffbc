/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/parse.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

static int strtou(const char *s, int base, uint64_t *ret)
{
	unsigned long long v;
	char *end;

	if (s[0] == '-' && isdigit((unsigned char)s[1]))
		return -ERANGE;
	if (!isxdigit((unsigned char)s[0]))
		return -EINVAL;
	errno = 0;
	v = strtoull(s, &end, base);
	if (*end || end == s)
		return -EINVAL;
	if (errno)
		return -errno;
	*ret = v;
	return 0;
}

int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t v;
	int err = strtou(s, 10, &v);

	if (err)
		return err;
	if (v < min || v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

int parse_i64(const char *s, int64_t min, int64_t max, int64_t *ret)
{
	const char *digits = s[0] == '-' || s[0] == '+' ? s + 1 : s;
	long long v;
	char *end;

	if (!isdigit((unsigned char)digits[0]))
		return -EINVAL;
	errno = 0;
	v = strtoll(s, &end, 10);
	if (*end)
		return -EINVAL;
	if (errno)
		return -errno;
	if (v < min || v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

int parse_hex(const char *s, uint64_t *ret)
{
	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
		s += 2;
	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) /* strtoull() would take a second one */
		return -EINVAL;
	return strtou(s, 16, ret);
}

/* A plain decimal number at the start of s; *end is what follows it. */
static int decimal_prefix(const char *s, double *ret, const char **end)
{
	const char *p = s;
	char *stop;
	double v;

	if (*p == '-' || *p == '+')
		p++;
	if (!isdigit((unsigned char)p[0]) && !(p[0] == '.' && isdigit((unsigned char)p[1])))
		return -EINVAL;
	if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X'))
		return -EINVAL;
	errno = 0;
	v = strtod(s, &stop);
	if (errno == ERANGE && fabs(v) > 1)
		return -ERANGE;
	*ret = v;
	*end = stop;
	return 0;
}

int parse_double(const char *s, double min, double max, double *ret)
{
	const char *end;
	double v;
	int err = decimal_prefix(s, &v, &end);

	if (err)
		return err;
	if (*end)
		return -EINVAL;
	if (v < min || v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

/* v * unit as an integer in range; doubles are exact far beyond any size that has a fraction. */
static int scaled(const char *s, uint64_t unit, uint64_t min, uint64_t max, uint64_t *ret)
{
	size_t digits = strspn(s, "0123456789");
	const char *end;
	uint64_t v;
	double d;
	int err;

	if (s[digits] != '.' && digits > 0) {
		char number[24];

		if (digits >= sizeof(number))
			return -ERANGE;
		memcpy(number, s, digits);
		number[digits] = '\0';
		err = strtou(number, 10, &v);
		if (err)
			return err;
		if (__builtin_mul_overflow(v, unit, &v))
			return -ERANGE;
	} else {
		err = decimal_prefix(s, &d, &end);
		if (err)
			return err;
		d = round(d * (double)unit);
		if (d < 0 || d >= 18446744073709551616.0) /* 2^64 */
			return -ERANGE;
		v = (uint64_t)d;
	}
	if (v < min || v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

struct unit {
	const char *name;
	uint64_t factor;
};

static int parse_with_units(const char *s, const struct unit *units, size_t n_units, uint64_t min,
			    uint64_t max, uint64_t *ret)
{
	const char *suffix;
	double ignored;
	int err = decimal_prefix(s, &ignored, &suffix);

	if (err)
		return err;
	/* No exponents: strtod() took "1e3", and scaled() would see a 1. */
	if (suffix != s + strspn(s, "+-.0123456789"))
		return -EINVAL;
	for (size_t i = 0; i < n_units; i++)
		if (!strcasecmp(suffix, units[i].name))
			return scaled(s, units[i].factor, min, max, ret);
	return -EINVAL;
}

int parse_size(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
	static const struct unit units[] = {
		{ "", 1 },	     { "b", 1 },
		{ "k", KiB },	     { "kb", KiB },
		{ "kib", KiB },	     { "m", MiB },
		{ "mb", MiB },	     { "mib", MiB },
		{ "g", GiB },	     { "gb", GiB },
		{ "gib", GiB },	     { "t", 1024 * GiB },
		{ "tb", 1024 * GiB }, { "tib", 1024 * GiB },
	};

	return parse_with_units(s, units, ARRAY_SIZE(units), min, max, ret);
}

int parse_duration(const char *s, uint64_t min_ns, uint64_t max_ns, uint64_t *ret_ns)
{
	static const struct unit units[] = {
		{ "", NSEC_PER_SEC },	    { "ns", 1 },
		{ "us", NSEC_PER_USEC },    { "ms", NSEC_PER_MSEC },
		{ "s", NSEC_PER_SEC },	    { "sec", NSEC_PER_SEC },
		{ "m", 60 * NSEC_PER_SEC }, { "min", 60 * NSEC_PER_SEC },
		{ "h", 3600 * NSEC_PER_SEC },
	};

	return parse_with_units(s, units, ARRAY_SIZE(units), min_ns, max_ns, ret_ns);
}

char *format_size(uint64_t bytes, char buf[FORMAT_MAX])
{
	static const char letters[] = "KMGTPE";
	double v = (double)bytes;
	int i = -1;

	if (bytes < KiB) {
		snprintf(buf, FORMAT_MAX, "%u", (unsigned)bytes);
		return buf;
	}
	while (v >= 1023.95 && i < (int)sizeof(letters) - 2) {
		v /= 1024;
		i++;
	}
	snprintf(buf, FORMAT_MAX, v < 99.95 ? "%.1f%c" : "%.0f%c", v, letters[i]);
	return buf;
}

char *format_duration(uint64_t ns, char buf[FORMAT_MAX])
{
	if (ns < NSEC_PER_USEC)
		snprintf(buf, FORMAT_MAX, "%uns", (unsigned)ns);
	else if (ns < NSEC_PER_MSEC)
		snprintf(buf, FORMAT_MAX, "%.4gus", (double)ns / 1e3);
	else if (ns < NSEC_PER_SEC)
		snprintf(buf, FORMAT_MAX, "%.4gms", (double)ns / 1e6);
	else
		snprintf(buf, FORMAT_MAX, "%.2fs", (double)ns / 1e9);
	return buf;
}
