// SPDX-License-Identifier: GPL-2.0-only
/*
 * memory - the init of a guest: what the page tables of a process take, in
 * pages, for several patterns of use. scripts/bench runs it on base and series.
 *
 *	memory: PATTERN PAGES VMPTE TABLES FAULTS	VMPTE in kB
 *
 * PAGES is what a process with that pattern (and its children) adds: to
 * NR_PAGETABLE, folded, and to the pgtable slabs, by objects in use. Where PGDs
 * are counted nowhere (radix before the series), bench.pgd= on the command line
 * says how many pages one has.
 */
#include "../stress/guest.h"

#define GB	(1UL << 30)
#define AT	(1024 * GB)
#define ROUNDS	100000
#define CHILDREN 16

static long page, range;	/* what a PTE table maps */
static long pgd;

static void want(int ok, const char *what)
{
	if (ok)
		return;
	say("memory: FAILED %s, errno %d", what, errno);
	finish();
}

/* RCU has freed what it is to free. The barrier counts if it is a while since the last. */
static void quiet(void)
{
	usleep(200000);
	put("/sys/module/rcutree/parameters/do_rcu_barrier", "1");
	put("/proc/sys/vm/stat_refresh", "1");
}

/* The N-th word after the first */
static long word(char *line, int n)
{
	while (n--) {
		line = strchr(line, ' ');
		while (*line == ' ')
			line++;
	}
	return atol(line);
}

/* Of the slab caches named pgtable-2^N or pgd_cache, as much as has objects in use */
static long slab_bytes(void)
{
	char *line = slurp("/proc/slabinfo"), *end;
	long sum = 0;

	/* name active-objects objects size objects-per-slab pages-per-slab : ... */
	for (; line && *line; line = end ? end + 1 : NULL) {
		end = strchr(line, '\n');
		if (!strncmp(line, "pgtable-2^", 10) || !strncmp(line, "pgd_cache", 9))
			sum += word(line, 1) * word(line, 5) * page / word(line, 4);
	}
	return sum;
}

static long pages(void)
{
	quiet();
	return number("/proc/vmstat", "nr_page_table_pages") + (slab_bytes() + page - 1) / page;
}

static long faults(void)
{
	struct rusage u;

	syscall(__NR_getrusage, 0, &u);
	return u.ru_minflt;
}

static long vmpte(void)
{
	char *p = strstr(slurp("/proc/self/status"), "VmPTE:");

	return p ? strtol(p + 6, NULL, 10) : -1;
}

static long start_pages;

/* In the process that has the pattern, with so many children. */
static void end(const char *pattern, long tables, long children)
{
	long f = faults(), v = vmpte();

	say("memory: %s %ld %ld %ld %ld", pattern,
	    pages() - start_pages + (1 + children) * pgd, v, tables, f);
}

/* What @how does is done in a process that was forked for it. */
static void process(void (*how)(const char *, long), const char *pattern, long arg)
{
	int status;
	pid_t pid;

	start_pages = pages();
	pid = fork();
	want(pid >= 0, "fork");
	if (!pid) {
		how(pattern, arg);
		_exit(0);
	}
	want(waitpid(pid, &status, 0) == pid && !status, pattern);
}

static volatile char *map(long nr)
{
	void *p = mmap((void *)AT, nr * range, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);

	want(p == (void *)AT, "mmap");
	return p;
}

static void unmap(volatile char *at, long nr)
{
	want(!munmap((void *)at, nr * range), "munmap");
}

/* A page in each of 256 tables that are @step apart */
static void touched(const char *pattern, long step)
{
	volatile char *at = map(256 * step);
	long i;

	for (i = 0; i < 256; i++)
		at[i * step * range] = 1;
	end(pattern, 256, 0);
}

/* Of 1 GB, a page in each table */
static void gigabyte(const char *pattern, long unused)
{
	volatile char *at = map(GB / range);
	long i;

	for (i = 0; i < GB / range; i++)
		at[i * range] = 1;
	end(pattern, GB / range, 0);
}

/* Of 1024 tables, one in @step stays. */
static void survivors(const char *pattern, long step)
{
	volatile char *at = map(1024);
	long i;

	for (i = 0; i < 1024; i++)
		at[i * range] = 1;
	for (i = 0; i < 1024; i += step)
		want(!munmap((void *)(at + (i + 1) * range), (step - 1) * range), "munmap");
	end(pattern, 1024 / step, 0);
}

static void forks(const char *pattern, long nr)
{
	volatile char *at = nr ? map(nr) : NULL;
	int up[2], down[2], i;
	char c[CHILDREN];

	want(!pipe(up) && !pipe(down), "pipe");
	for (i = 0; i < nr; i++)
		at[i * range] = 1;
	for (i = 0; i < CHILDREN; i++) {
		pid_t pid = fork();

		want(pid >= 0, "fork");
		if (!pid) {
			write(up[1], c, 1);
			read(down[0], c, 1);
			_exit(0);
		}
	}
	for (i = 0; i < CHILDREN; i++)
		want(read(up[0], c, 1) == 1, "read");
	end(pattern, nr * (CHILDREN + 1), CHILDREN);
	write(down[1], c, CHILDREN);
	for (i = 0; i < CHILDREN; i++)
		wait(NULL);
}

/* Again and again the page of a table goes and comes back, beside one that stays. */
static void refaults(const char *pattern, long rounds)
{
	volatile char *at = map(8);
	long i;

	for (i = 0; i < 8; i++)
		at[i * range] = 1;
	for (i = 0; i < rounds; i++) {
		volatile char *p = at + (i * 2 + 1) % 8 * range;

		want(!syscall(__NR_madvise, p, range, MADV_DONTNEED), "madvise");
		*p = 1;
	}
	end(pattern, 8, 0);
}

int main(void)
{
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	put("/sys/kernel/mm/transparent_hugepage/enabled", "never");
	page = getpagesize();
	pgd = parameter("bench.pgd=");
	range = parameter("bench.range=") * MB;
	want(range, "bench.range=");

	process(touched, "dense", 1);
	process(touched, "every-2nd", 2);
	process(touched, "every-16th", 16);
	process(gigabyte, "1GB", 0);
	process(survivors, "survivor-16", 16);
	process(survivors, "survivor-256", 256);
	process(forks, "fork-dense", 64);
	process(forks, "fork-small", 1);
	process(forks, "fork-bare", 0);
	process(refaults, "refault-1", 1);
	process(refaults, "refault", ROUNDS);
	say("memory: end");
	finish();
	return 0;
}
