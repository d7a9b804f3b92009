// SPDX-License-Identifier: GPL-2.0-only
/*
 * memory - the init of a guest: what page tables take, in pages, for several
 * patterns of use. scripts/bench runs it on base and series.
 *
 *	memory: PATTERN PAGES VMPTE TABLES FAULTS	VMPTE in kB
 *
 * PAGES is NR_PAGETABLE, folded, and the pages of the pgtable slabs, above what
 * there was before. Where PGDs are counted nowhere (radix before the series),
 * bench.pgd= on the command line says how many pages a process's PGD has.
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

static void put(const char *file, const char *word)
{
	int fd = open(file, O_WRONLY);

	if (fd >= 0) {
		write(fd, word, strlen(word));
		close(fd);
	}
}

/* RCU has freed what it is to free. The barrier counts if it is a while since the last. */
static void quiet(void)
{
	usleep(200000);
	put("/sys/module/rcutree/parameters/do_rcu_barrier", "1");
	put("/proc/sys/vm/stat_refresh", "1");
}

/* Pages of the slab caches named pgtable-2^N or pgd_cache */
static long slab_pages(void)
{
	static const char *const names[] = { "pgtable-2^", "pgd_cache" };
	unsigned long sum = 0, slabs, per;
	char *line = slurp("/proc/slabinfo"), *p, *e;
	int i, n;

	for (; line && *line; line = e ? e + 1 : NULL) {
		e = strchr(line, '\n');
		for (i = 0; i < 2; i++)
			if (!strncmp(line, names[i], strlen(names[i])))
				break;
		if (i == 2)
			continue;
		/* name active objects size per-slab pages-per-slab : tunables 3 : slabdata active slabs shared */
		for (n = 0, p = line; n < 5; n++) {
			p = strchr(p, ' ');
			while (*p == ' ')
				p++;
		}
		per = atol(p);
		p = strstr(p, "slabdata");
		for (n = 0; n < 2; n++) {
			p = strchr(p, ' ');
			while (*p == ' ')
				p++;
		}
		slabs = atol(p);
		sum += slabs * per;
	}
	return sum;
}

static long pages(void)
{
	quiet();
	return number("/proc/vmstat", "nr_page_table_pages") + slab_pages();
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

static long start_pages, start_vmpte, start_faults;

static void begin(void)
{
	start_pages = pages();
	start_vmpte = vmpte();
	start_faults = faults();
}

/* @more: pages that are counted nowhere */
static void end(const char *pattern, long tables, long more)
{
	long f = faults() - start_faults, v = vmpte() - start_vmpte;

	say("memory: %s %ld %ld %ld %ld", pattern, pages() - start_pages + more, v, tables, f);
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

/* A page in each of @nr tables that are @step apart */
static void touched(const char *pattern, long nr, long step)
{
	volatile char *at = map(nr * step);
	long i;

	begin();
	for (i = 0; i < nr; i++)
		at[i * step * range] = 1;
	end(pattern, nr, 0);
	unmap(at, nr * step);
}

/* Of 1024 tables, one in @step stays. */
static void survivors(const char *pattern, long step)
{
	volatile char *at = map(1024);
	long i;

	begin();
	for (i = 0; i < 1024; i++)
		at[i * range] = 1;
	for (i = 0; i < 1024; i += step)
		unmap(at + (i + 1) * range, step - 1);
	end(pattern, 1024 / step, 0);
	unmap(at, 1024);
}

static void forks(const char *pattern, long nr)
{
	int up[2], down[2], i;
	volatile char *at = map(nr);
	char c[CHILDREN];

	want(!pipe(up) && !pipe(down), "pipe");
	for (i = 0; i < nr; i++)
		at[i * range] = 1;
	begin();
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
	end(pattern, nr * CHILDREN, CHILDREN * pgd);
	write(down[1], c, CHILDREN);
	for (i = 0; i < CHILDREN; i++)
		wait(NULL);
	unmap(at, nr);
}

/* Again and again the page of a table goes and comes back, beside one that stays. */
static void refaults(const char *pattern, long rounds)
{
	volatile char *at = map(8);
	long i;

	for (i = 0; i < 8; i++)
		at[i * range] = 1;
	begin();
	for (i = 0; i < rounds; i++) {
		volatile char *p = at + (i * 2 + 1) % 8 * range;

		want(!syscall(__NR_madvise, p, range, MADV_DONTNEED), "madvise");
		*p = 1;
	}
	end(pattern, 0, 0);
	unmap(at, 8);
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

	touched("dense", 1024 * MB / range, 1);
	touched("dense-1024", 1024, 1);
	touched("sparse", 256, 16);
	touched("lone", 64, 2);
	survivors("survivor-16", 16);
	survivors("survivor-256", 256);
	forks("fork-dense", 64);
	forks("fork-small", 1);
	refaults("refault", ROUNDS);
	say("memory: end");
	finish();
	return 0;
}
