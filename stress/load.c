// SPDX-License-Identifier: GPL-2.0-only
/*
 * load - the init of a guest: runs the KUnit suites for lifetime and locks of
 * page tables again and again, while processes of low priority fault, fork,
 * unmap, collapse and exit, with allocations that fail where the kernel can do
 * that. The tests themselves are spared from those: they would fail, and rightly.
 */
#include "guest.h"

#define MADV_COLLAPSE	25
#define WORKERS		3

static const char *const suites[] = { "pgtable_lifetime", "pgtable_lock" };

/* Never returns. Whatever fails, fails: the kernel must stand it. */
static void work(unsigned int seed)
{
	put("/proc/self/make-it-fail", "1");
	for (;;) {
		size_t len = 16 * MB + (seed % 3) * 16 * MB, i;
		char *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		seed = seed * 1103515245 + 12345;
		if (p == MAP_FAILED)
			continue;
		for (i = 0; i < len; i += MB)
			p[i] = 1;
		if (seed & 0x100)
			syscall(__NR_madvise, p, len, MADV_COLLAPSE);
		if (seed & 0x200)
			syscall(__NR_madvise, p, len / 2, MADV_DONTNEED);
		if (seed & 0x400 && !fork()) {
			for (i = 0; i < len; i += 2 * MB)
				p[i] = 2;
			munmap(p, len / 2);
			_exit(0);
		}
		while (munmap(p, len))
			;	/* it may fail, too */
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

/* How often @key begins a word in the results of a suite */
static int count(const char *suite, const char *key)
{
	char file[96], *buf, *p;
	int nr = 0;

	snprintf(file, sizeof(file), "/sys/kernel/debug/kunit/%s/results", suite);
	buf = slurp(file);
	if (!buf)
		return -1;
	for (p = buf; (p = strstr(p, key)); p++)
		nr += p == buf || p[-1] == ' ' || p[-1] == '\n';
	return nr;
}

int main(int argc, char **argv)
{
	long start, now, last = 0, seconds = 60;
	int runs = 0, bad = 0, passed = 0, i;
	const char *s = getenv("seconds");
	char file[96];

	if (s)
		seconds = atol(s);
	begin_load();
	for (i = 0; i < WORKERS; i++) {
		if (!fork()) {
			syscall(__NR_setpriority, 0, 0, 19);
			work(i + 1);
		}
	}

	start = time(NULL);
	while ((now = time(NULL) - start) < seconds) {
		for (i = 0; i < 2; i++) {
			snprintf(file, sizeof(file), "/sys/kernel/debug/kunit/%s/run",
				 suites[i]);
			if (put(file, "1") || count(suites[i], "ok ") <= 0) {
				say("<2># load: cannot run %s", suites[i]);
				bad++;
			}
			bad += count(suites[i], "not ok");
			passed += count(suites[i], "ok ");
			runs++;
		}
		if (now >= last + 60) {
			say("<2># load: %ld s, %d runs, %d failed", now, runs, bad);
			last = now;
		}
	}

	say("<2>KTAP version 1");
	say("<2>1..1");
	say("<2>    KTAP version 1");
	say("<2>    # Subtest: load");
	say("<2>    1..1");
	say("<2>    # load: %d runs of a suite in %ld s, %d ok, %d failed", runs,
	    now, passed, bad);
	say("<2>    %s 1 suites_pass_under_load", bad || !runs ? "not ok" : "ok");
	say("<2>%s 1 load", bad || !runs ? "not ok" : "ok");
	put("/proc/sys/kernel/printk", "7");
	finish();
	return 0;
}
