/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/symbols.h"

#include <inttypes.h>
#include <string.h>

#include <elfutils/libdwfl.h>

#include "lib/file.h"
#include "lib/parse.h"

#define MAX_PROCESSES 64 /* kept at once; each holds its files open */
#define RETRY_NS      NSEC_PER_SEC

struct process {
	uint32_t pid;
	Dwfl *dwfl;
	uint64_t read_ns;
	uint64_t used;
};

struct kernel_symbol {
	uint64_t addr;
	char *name;
};

struct symbols {
	struct process processes[MAX_PROCESSES];
	uint64_t clock;
	struct kernel_symbol *kernel;
	size_t n_kernel;
	char *kallsyms;
	bool kernel_read;
};

static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_linux_proc_find_elf,
	.find_debuginfo = dwfl_standard_find_debuginfo,
};

struct symbols *symbols_new(void)
{
	return calloc(1, sizeof(struct symbols));
}

void symbols_free(struct symbols *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < MAX_PROCESSES; i++)
		if (s->processes[i].dwfl)
			dwfl_end(s->processes[i].dwfl);
	free(s->kernel);
	free(s->kallsyms);
	free(s);
}

static char *plain(char buf[SYMBOL_MAX], const char *text)
{
	snprintf(buf, SYMBOL_MAX, "%s", text);
	return buf;
}

static void read_modules(struct process *p, uint32_t pid)
{
	if (p->dwfl)
		dwfl_end(p->dwfl);
	p->pid = pid;
	p->read_ns = now_ns();
	p->dwfl = dwfl_begin(&callbacks);
	if (!p->dwfl)
		return;
	if (dwfl_linux_proc_report(p->dwfl, (pid_t)pid) || dwfl_report_end(p->dwfl, NULL, NULL)) {
		dwfl_end(p->dwfl);
		p->dwfl = NULL;
	}
}

static struct process *process_of(struct symbols *s, uint32_t pid)
{
	struct process *oldest = &s->processes[0];

	s->clock++;
	for (size_t i = 0; i < MAX_PROCESSES; i++) {
		struct process *p = &s->processes[i];

		if (p->pid == pid) {
			p->used = s->clock;
			return p;
		}
		if (p->used < oldest->used)
			oldest = p;
	}
	oldest->used = s->clock;
	read_modules(oldest, pid);
	return oldest;
}

static Dwfl_Module *module_at(struct process *p, uint64_t ip)
{
	return p->dwfl ? dwfl_addrmodule(p->dwfl, ip) : NULL;
}

static char *name_in_process(struct symbols *s, uint32_t pid, uint64_t ip, char buf[SYMBOL_MAX])
{
	struct process *p = process_of(s, pid);
	Dwfl_Module *module = module_at(p, ip);
	const char *file, *base, *name;
	Dwarf_Addr start;
	GElf_Off offset;
	GElf_Sym sym;

	/* It may have loaded a library since; asking each time would read its maps for every event. */
	if (!module && now_ns() - p->read_ns > RETRY_NS) {
		read_modules(p, pid);
		module = module_at(p, ip);
	}
	if (!module)
		return plain(buf, "[unknown]");
	file = dwfl_module_info(module, NULL, &start, NULL, NULL, NULL, NULL, NULL);
	base = file ? strrchr(file, '/') : NULL;
	base = base ? base + 1 : file ? file : "?";
	name = dwfl_module_addrinfo(module, ip, &offset, &sym, NULL, NULL, NULL);
	if (name)
		snprintf(buf, SYMBOL_MAX, "%.80s+0x%" PRIx64 " [%.30s]", name, (uint64_t)offset, base);
	else
		snprintf(buf, SYMBOL_MAX, "[%.80s]+0x%" PRIx64, base, ip - (uint64_t)start);
	return buf;
}

static int by_addr(const void *a, const void *b)
{
	const struct kernel_symbol *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static void read_kallsyms(struct symbols *s)
{
	char *save = NULL, *line;
	size_t room = 0;

	s->kernel_read = true;
	if (file_read_all("/proc", "kallsyms", &s->kallsyms))
		return;
	for (line = strtok_r(s->kallsyms, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct kernel_symbol sym;
		char *name = strchr(line, ' ');

		if (!name || (name[1] != 't' && name[1] != 'T') || name[2] != ' ')
			continue;
		*name = '\0';
		if (parse_hex(line, &sym.addr) || !sym.addr)
			continue;
		sym.name = name + 3;
		sym.name[strcspn(sym.name, "\t")] = '\0';
		if (s->n_kernel == room) {
			void *grown;

			room = room ? room * 2 : 65536;
			grown = reallocarray(s->kernel, room, sizeof(sym));
			if (!grown)
				break;
			s->kernel = grown;
		}
		s->kernel[s->n_kernel++] = sym;
	}
	if (s->n_kernel)
		qsort(s->kernel, s->n_kernel, sizeof(*s->kernel), by_addr);
}

static char *name_in_kernel(struct symbols *s, uint64_t ip, char buf[SYMBOL_MAX])
{
	size_t lo = 0, hi;

	if (!s->kernel_read)
		read_kallsyms(s);
	hi = s->n_kernel;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (s->kernel[mid].addr <= ip)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0)
		return plain(buf, "[kernel]");
	snprintf(buf, SYMBOL_MAX, "%.80s+0x%" PRIx64 " [kernel]", s->kernel[lo - 1].name,
		 ip - s->kernel[lo - 1].addr);
	return buf;
}

char *symbols_name(struct symbols *s, uint32_t pid, uint64_t ip, char buf[SYMBOL_MAX])
{
	return ip >> 63 ? name_in_kernel(s, ip, buf) : name_in_process(s, pid, ip, buf);
}
