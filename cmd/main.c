/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <signal.h>

#include "cmd/cmd.h"

/*
 * A closed descriptor 0, 1 or 2 would be given to the next file opened, and results would go there.
 * Taking its place read-only keeps the error that the caller asked for: writing fails with EBADF.
 */
static void occupy_standard_fds(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_RDONLY : O_WRONLY) != fd)
			_exit(EXIT_FAILED);
}

int main(int argc, char **argv)
{
	int code;

	occupy_standard_fds();
	signal(SIGPIPE, SIG_IGN); /* a reader that went away is an error of write(2), seen where it matters */
	code = cmd_main(argc, argv);
	return code;
}
