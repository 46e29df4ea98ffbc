/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sigbus: faults of KIND_SIGNAL, restored in the thread that touches the page.
 *
 *	SIGBUS ──> on_sigbus() ── a region's address? ──> fault_handle() ──> the access runs again
 *	                               │ no, or not restorable
 *	                               └──> the handler that was there before us, or its default
 *
 * All signals are blocked inside (sa_mask), so nothing interrupts the holder of a lane here. The
 * handler stays installed while an arena of the kind exists; when the last goes, the old one comes
 * back, unless the program has put another one on top of ours, which may still call us.
 *
 * Single-threaded but for on_sigbus(): install and remove run under runtime.lock.
 */
#include "arena/engine.h"

static struct sigaction previous;
static bool installed;

static void on_sigbus(int sig, siginfo_t *info, void *context);

int memscope_arena_sigbus(const siginfo_t *info)
{
	int saved = errno, err;

	if (info->si_code != BUS_ADRERR)
		return 0;
	err = fault_handle(info->si_addr, (uintptr_t)&errno, KIND_SIGNAL);
	errno = saved;
	return !err;
}

/* What would have happened without us. Signals are all blocked here; the old handler sees its mask.
 */
static void chain(int sig, siginfo_t *info, void *context)
{
	const struct sigaction dfl = {.sa_handler = SIG_DFL};
	const ucontext_t *uc = context;
	sigset_t mask = uc->uc_sigmask;

	if (!(previous.sa_flags & SA_SIGINFO) &&
	    (previous.sa_handler == SIG_DFL || previous.sa_handler == SIG_IGN)) {
		bool sent = info->si_code <= 0; /* by kill(); else the access faults again */

		if (sent && previous.sa_handler == SIG_IGN)
			return;
		sigaction(sig, &dfl, NULL);
		if (sent)
			raise(sig);
		return;
	}
	for (int i = 1; i < NSIG; i++)
		if (sigismember(&previous.sa_mask, i) == 1)
			sigaddset(&mask, i);
	if (!(previous.sa_flags & SA_NODEFER))
		sigaddset(&mask, sig);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	if (previous.sa_flags & SA_SIGINFO)
		previous.sa_sigaction(sig, info, context);
	else
		previous.sa_handler(sig);
}

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	if (!memscope_arena_sigbus(info))
		chain(sig, info, context);
}

int sigbus_install(void)
{
	struct sigaction act = {
		.sa_sigaction = on_sigbus,
		.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART,
	};
	struct sigaction old;

	if (installed)
		return 0;
	sigfillset(&act.sa_mask);
	/* Ours stays beneath the program's when it was not on top at removal. */
	if (sigaction(SIGBUS, NULL, &old))
		return -errno;
	if (!(old.sa_flags & SA_SIGINFO) || old.sa_sigaction != on_sigbus)
		previous = old;
	if (sigaction(SIGBUS, &act, NULL))
		return -errno;
	installed = true;
	return 0;
}

void sigbus_remove(void)
{
	struct sigaction old;

	if (!installed || sigaction(SIGBUS, NULL, &old))
		return;
	installed = false;
	if ((old.sa_flags & SA_SIGINFO) && old.sa_sigaction == on_sigbus)
		sigaction(SIGBUS, &previous, NULL);
}
