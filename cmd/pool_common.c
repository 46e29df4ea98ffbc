/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/pool_common.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "lib/parse.h"

/* Another setup holds its lock for some milliseconds; who uses a pool holds it for long. */
#define LOCK_TRIES    20
#define LOCK_PAUSE_US 100000

static int no_zram(const struct cmd *cmd)
{
	if (zram_support() == ZRAM_LOADABLE)
		return cmd_exit(cmd, EXIT_REFUSED, "zram is not loaded: modprobe zram");
	return cmd_exit(cmd, EXIT_UNSUPPORTED, "this kernel has no zram: one with CONFIG_ZRAM is needed "
						"(and its module, if it was not loaded: modprobe zram)");
}

int pool_facts_read(const struct cmd *cmd, struct pool_facts *facts)
{
	struct pool_facts p = { .f.page_size = (uint64_t)sysconf(_SC_PAGESIZE), .f.zswap = zswap_enabled() };
	int err = zram_read_all(&p.devices, &p.f.n_devices);

	if (err == -ENOENT)
		return no_zram(cmd);
	if (err)
		return cmd_fail(cmd, err, "reading /sys/block");
	err = swaps_read(&p.swaps, &p.f.n_swaps);
	if (err && err != -ENOENT)
		err = cmd_fail(cmd, err, "reading /proc/swaps");
	else if ((err = meminfo_read("MemTotal", &p.f.mem_total)) ||
		 (err = meminfo_read("MemAvailable", &p.f.mem_available)))
		err = cmd_fail(cmd, err, "reading /proc/meminfo");
	p.f.devices = p.devices;
	p.f.swaps = p.swaps;
	if (err)
		pool_facts_release(&p);
	else
		*facts = p;
	return err;
}

void pool_facts_release(struct pool_facts *facts)
{
	free(facts->devices);
	free(facts->swaps);
	*facts = (struct pool_facts){};
}

const struct zram_device *pool_find(const struct pool_facts *facts, unsigned id)
{
	for (size_t i = 0; i < facts->f.n_devices; i++)
		if (facts->devices[i].id == id)
			return &facts->devices[i];
	return NULL;
}

int pool_choose(const struct cmd *cmd, const struct pool_facts *facts, int id, const struct zram_device **ret)
{
	const struct zram_device *swapped = NULL, *configured = NULL;
	size_t n_swapped = 0, n_configured = 0;

	if (id >= 0) {
		const struct zram_device *d = pool_find(facts, (unsigned)id);

		if (!d)
			return cmd_exit(cmd, EXIT_REFUSED, "there is no zram%d; 'memscope pool status' lists the devices", id);
		if (!d->initialised)
			return cmd_exit(cmd, EXIT_REFUSED, "zram%d is not configured: sudo memscope pool setup --device zram%d",
					id, id);
		*ret = d;
		return EXIT_OK;
	}
	for (size_t i = 0; i < facts->f.n_devices; i++) {
		const struct zram_device *d = &facts->devices[i];

		if (!d->initialised)
			continue;
		configured = d;
		n_configured++;
		if (swaps_find(facts->swaps, facts->f.n_swaps, d->name)) {
			swapped = d;
			n_swapped++;
		}
	}
	if (!n_configured)
		return cmd_exit(cmd, EXIT_REFUSED, "no zram device is configured: sudo memscope pool setup");
	if (n_swapped > 1 || (!n_swapped && n_configured > 1))
		return cmd_exit(cmd, EXIT_USAGE, "there are several zram devices: name one with --device");
	*ret = swapped ? swapped : configured;
	return EXIT_OK;
}

int pool_run_on(const struct cmd *cmd, int id,
		int (*fn)(const struct cmd *cmd, const struct pool_facts *facts, const struct zram_device *d))
{
	const struct zram_device *d;
	struct pool_facts facts;
	int code = pool_facts_read(cmd, &facts);

	if (code)
		return code;
	code = pool_choose(cmd, &facts, id, &d);
	if (!code)
		code = fn(cmd, &facts, d);
	pool_facts_release(&facts);
	return code;
}

static const struct argp_option device_options[] = {
	{ "device", 'd', "zramN|auto", 0, "The device (default: auto, the only one that is swapped to, or configured)", 1 },
	{ 0 },
};

static error_t parse_device(int key, char *arg, struct argp_state *state)
{
	int *id = state->input;

	if (key == ARGP_KEY_INIT)
		*id = -1;
	else if (key == 'd')
		*id = pool_opt_device(state, "--device", arg);
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
}

const struct argp pool_device_argp = { device_options, parse_device, NULL, NULL, NULL, NULL, NULL };

int pool_opt_device(const struct argp_state *state, const char *option, const char *arg)
{
	unsigned id = 0;

	if (!strcmp(arg, "auto"))
		return -1;
	if (zram_parse_name(arg, &id))
		argp_error(state, "%s '%s': want auto or a name like zram0", option, arg);
	return (int)id;
}

uint64_t pool_opt_share(const struct argp_state *state, const char *option, const char *arg)
{
	size_t len = strlen(arg);
	char number[24];
	uint64_t total;
	double percent;

	if (!len || arg[len - 1] != '%')
		return opt_size(state, option, arg, 1, UINT64_C(1) << 46);
	snprintf(number, sizeof(number), "%.*s", (int)MIN(len - 1, sizeof(number) - 1), arg);
	if (len - 1 >= sizeof(number) || parse_double(number, 0.01, 1000, &percent))
		argp_error(state, "%s '%s': want a percentage of memory from 0.01%% to 1000%%", option, arg);
	if (meminfo_read("MemTotal", &total))
		argp_error(state, "%s '%s': the size of memory is not known: give a size like 2G", option, arg);
	return (uint64_t)((double)total * percent / 100);
}

int pool_lock(const struct cmd *cmd, int id, bool shared, int *ret_code)
{
	int fd = -1;

	for (int i = 0; i < LOCK_TRIES; i++) {
		fd = zram_lock(id, shared);
		if (fd != -EBUSY || pool_interrupted())
			break;
		usleep(LOCK_PAUSE_US);
	}
	if (fd >= 0)
		return fd;
	if (fd != -EBUSY)
		*ret_code = cmd_fail(cmd, fd, "locking the device below /run/lock (run as root)");
	else if (id < 0)
		*ret_code = cmd_exit(cmd, EXIT_REFUSED, "another memscope is adding a zram device: try again");
	else
		*ret_code = cmd_exit(cmd, EXIT_REFUSED,
				     "another memscope is using zram%d (a trigger, maintain or setup): wait for its end", id);
	return -1;
}

int pool_exit_code(int err)
{
	switch (err) {
	case -EINVAL:
		return EXIT_USAGE;
	case -EOPNOTSUPP:
		return EXIT_UNSUPPORTED;
	case -EBUSY:
	case -ENOMEM:
	case -EPERM:
	case -EACCES:
	case -ENOENT:
	case -ENODEV:
		return EXIT_REFUSED;
	default:
		return EXIT_FAILED;
	}
}

/* ---- signals ---- */

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	interrupted = sig;
}

void pool_catch_signals(void)
{
	/* No SA_RESTART: a swapoff or a sleep ends. */
	struct sigaction sa = { .sa_handler = on_signal };

	sigemptyset(&sa.sa_mask);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

bool pool_interrupted(void)
{
	return interrupted != 0;
}

void pool_sleep_until(uint64_t ns)
{
	struct timespec ts = { .tv_sec = (time_t)(ns / NSEC_PER_SEC), .tv_nsec = (long)(ns % NSEC_PER_SEC) };

	/* In steps: a signal between the test and the sleep must not cost a whole interval. */
	while (!interrupted && now_ns() < ns) {
		struct timespec step;
		uint64_t until = MIN(ns, now_ns() + 100 * NSEC_PER_MSEC);

		step.tv_sec = (time_t)(until / NSEC_PER_SEC);
		step.tv_nsec = (long)(until % NSEC_PER_SEC);
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, until == ns ? &ts : &step, NULL);
	}
}
