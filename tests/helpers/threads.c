/* SPDX-License-Identifier: BSD-2-Clause */
/* Starts N threads, one after another, and waits for each: threads N. */
#include <pthread.h>
#include <stdlib.h>

static void *nothing(void *arg)
{
	return arg;
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? strtol(argv[1], NULL, 10) : 1;
	pthread_t t;

	while (n-- > 0)
		if (pthread_create(&t, NULL, nothing, NULL) || pthread_join(t, NULL))
			return 1;
	return 0;
}
