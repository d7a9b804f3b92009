// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench - the init of a guest under QEMU's -icount shift=0 with one CPU, where
 * a nanosecond is an instruction: what fault, munmap, fork, exit and collapse
 * cost per page table, mremap() of 512 pages, and get_user_pages_fast() and
 * pin_user_pages_fast() per page. bench.quick=1 is the last three only.
 * scripts/bench runs it and reads what it prints:
 *
 *	bench: METRIC RUN INSTRUCTIONS COUNT	COUNT tables, huge pages, calls or pages
 *	bench: METRIC n/a REASON
 *
 * What RCU does later belongs to a window: it ends with rcu_barrier(), through
 * rcutree.do_rcu_barrier. (MEMBARRIER_CMD_GLOBAL would do nothing on one CPU.)
 * To wait there must cost nothing, but idle time passes as if it were work. So
 * the CPU is never idle: a process of SCHED_IDLE counts in a loop, and what a
 * turn of it costs, with its share of timer ticks, is known from a second of
 * nothing else and is taken off.
 */
#include "../stress/guest.h"

#define RUNS	7		/* after one to warm up */
#define QUICK	5		/* with bench.quick= */
#define GB	(1UL << 30)
#define STRIDE	(16 * MB)	/* at least the range of a PTE table anywhere */
#define TABLES	256		/* of a region */
#define REGIONS	8
#define SMALL	1024		/* mappings of one table */
#define MOVES	64		/* mremap() */
#define MOVED	512		/* pages, by each */
#define PINS	16		/* of all pages, by gup_test */
#define PINNED	5120		/* pages, and by one call at most */
#define PAUSE	72000		/* us; do_rcu_barrier sleeps if HZ / 16 after the last */
#define BARRIER	"/sys/module/rcutree/parameters/do_rcu_barrier"
#define THP	"/sys/kernel/mm/transparent_hugepage/"
#define GUP	"/sys/kernel/debug/gup_test"

static volatile unsigned long *turns;
static long page, turns_ns, turns_nr;	/* so many turns took so long */
static int barrier_fd, run, runs = RUNS;
static long huge;			/* memory for huge pages */

static void want(int ok, const char *what)
{
	if (ok)
		return;
	say("bench: FAILED %s, errno %d", what, errno);
	finish();
}

/* Bytes of a huge page, 0 if there are none. */
static long huge_page_size(void)
{
	char buf[24] = "";
	int fd = open(THP "hpage_pmd_size", O_RDONLY);

	if (fd >= 0) {
		read(fd, buf, sizeof(buf) - 1);
		close(fd);
	}
	return atol(buf);
}

static long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static long last_barrier;

static void barrier_rcu(void)
{
	want(write(barrier_fd, "1", 1) == 1, "rcu_barrier");
	last_barrier = now();
}

static void may_barrier(void)
{
	while (now() - last_barrier < PAUSE * 1000L)
		usleep(PAUSE / 8);
}

/* All that was freed before is gone, and the next barrier does not have to wait. */
static void quiet(void)
{
	may_barrier();
	barrier_rcu();
	may_barrier();
}

static long start_ns, start_turns;

static void begin(void)
{
	quiet();
	start_turns = *turns;
	start_ns = now();
}

static void end(const char *metric, long count)
{
	long ns, nr;

	barrier_rcu();
	ns = now() - start_ns;
	nr = *turns - start_turns;
	ns -= nr * turns_ns / turns_nr;
	if (run)
		say("bench: %s %d %ld %ld", metric, run, ns, count);
}

static void spin(void)
{
	struct sched_param { int prio; } idle = { 0 };
	pid_t pid;

	turns = mmap(NULL, page, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	want(turns != MAP_FAILED, "mmap");
	*turns = 0;
	pid = fork();
	want(pid >= 0, "fork");
	if (!pid) {
		if (syscall(__NR_sched_setscheduler, 0, 5 /* SCHED_IDLE */, &idle))
			_exit(1);
		for (;;)
			++*turns;
	}
	quiet();
	turns_nr = *turns;
	turns_ns = now();
	sleep(1);
	turns_ns = now() - turns_ns;
	turns_nr = *turns - turns_nr;
	want(turns_nr > 0, "SCHED_IDLE");
	say("bench: idle 0 %ld %ld", turns_ns, turns_nr);
}

/* Regions are 16 GB apart and share no PTE or PMD table. */
static volatile char *region(int i)
{
	return (volatile char *)(1024 * GB + i * 16 * GB);
}

static void map(volatile char *at, size_t len)
{
	void *p = mmap((void *)at, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);

	want(p == (void *)at, "mmap");
}

static void map_regions(int nr)
{
	int i;

	for (i = 0; i < nr; i++)
		map(region(i), TABLES * STRIDE);
}

static void touch_regions(int nr)
{
	int i, j;

	for (i = 0; i < nr; i++)
		for (j = 0; j < TABLES; j++)
			region(i)[j * STRIDE] = 1;
}

static void unmap_regions(int nr)
{
	int i;

	for (i = 0; i < nr; i++)
		munmap((void *)region(i), TABLES * STRIDE);
}

static long table_pages(void)
{
	put("/proc/sys/vm/stat_refresh", "1");
	return number("/proc/vmstat", "nr_page_table_pages");
}

static void fault_and_munmap(long unused)
{
	long pages;

	map_regions(REGIONS);
	quiet();
	pages = table_pages();
	begin();
	touch_regions(REGIONS);
	end("fault", REGIONS * TABLES);
	pages = table_pages() - pages;
	if (run)
		say("bench: table-bytes %d %ld %d", run, pages * page, REGIONS * TABLES);

	begin();
	unmap_regions(REGIONS);
	end("munmap", REGIONS * TABLES);
}

/* Tables side by side, one fault in each: @range is what a table maps. */
static void dense_fault(long range)
{
	volatile char *at = region(0);
	int i;

	map(at, SMALL * range);
	begin();
	for (i = 0; i < SMALL; i++)
		at[i * range] = 1;
	end("dense-fault", SMALL);
	begin();
	munmap((void *)at, SMALL * range);
	end("dense-munmap", SMALL);
}

static void small_munmap(long unused)
{
	volatile char *at = region(0);
	int i;

	for (i = 0; i < SMALL; i++) {
		map(at + i * STRIDE, page);
		at[i * STRIDE] = 1;
	}
	begin();
	for (i = 0; i < SMALL; i++)
		munmap((void *)(at + i * STRIDE), page);
	end("small-munmap", SMALL);
}

static void fork_and_exit(long unused)
{
	int i, status;
	pid_t pid;

	map_regions(1);
	touch_regions(1);
	begin();
	for (i = 0; i < REGIONS; i++) {
		pid = fork();
		if (!pid)
			_exit(0);
		want(pid > 0 && waitpid(pid, &status, 0) == pid && !status, "fork");
	}
	end("fork+exit", REGIONS * TABLES);
	unmap_regions(1);
}

/* Processes that have their tables before the window and only exit in it. */
static void only_exit(long unused)
{
	int i, status, ready[2], go[2];
	char c[REGIONS];
	pid_t pid;

	want(!pipe(ready) && !pipe(go), "pipe");
	for (i = 0; i < REGIONS; i++) {
		pid = fork();
		want(pid >= 0, "fork");
		if (!pid) {
			map_regions(1);
			touch_regions(1);
			write(ready[1], c, 1);
			read(go[0], c, 1);
			_exit(0);
		}
	}
	for (i = 0; i < REGIONS; i++)
		want(read(ready[0], c, 1) == 1, "read");
	begin();
	write(go[1], c, REGIONS);
	for (i = 0; i < REGIONS; i++)
		want(waitpid(-1, &status, 0) > 0 && !status, "wait");
	end("exit", REGIONS * TABLES);
	close(ready[0]);
	close(ready[1]);
	close(go[0]);
	close(go[1]);
}

static int advise(volatile char *at, size_t len, int how)
{
	return syscall(__NR_madvise, at, len, how);
}

/* One page of each huge page's range. */
static void touch(volatile char *at, long size)
{
	long i;

	for (i = 0; i < huge; i += size)
		at[i] = 1;
}

static void collapse(volatile char *at)
{
	want(!advise(at, huge, MADV_COLLAPSE), "MADV_COLLAPSE");
}

static void huge_pages(long size)
{
	volatile char *at = region(0);
	long i, nr = huge / size;

	map(at, huge);
	touch(at, size);
	begin();
	collapse(at);
	end("collapse", nr);

	begin();
	for (i = 0; i < huge; i += size)
		want(!advise(at + i + page, page, MADV_DONTNEED), "MADV_DONTNEED");
	end("thp-split", nr);
	munmap((void *)at, huge);

	map(at, huge);
	touch(at, size);
	collapse(at);
	begin();
	munmap((void *)at, huge);
	end("thp-munmap", nr);
}

/* The memory is huge and stays, only the tables go: through pte_free_defer(). */
static void huge_file(long size)
{
	static volatile char *at;
	int fd;

	if (!at) {
		fd = syscall(__NR_memfd_create, "bench", 0);
		want(fd >= 0 && !ftruncate(fd, huge), "memfd_create");
		at = mmap((void *)region(REGIONS), huge, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_FIXED, fd, 0);
		want((void *)at != MAP_FAILED, "mmap");
		close(fd);
		touch(at, size);
		collapse(at);
	}
	advise(at, huge, MADV_NOHUGEPAGE);
	advise(at, huge, MADV_DONTNEED);
	touch(at, size);
	advise(at, huge, MADV_HUGEPAGE);
	begin();
	collapse(at);
	end("file-collapse", huge / size);
}

/* Page by page, with move_ptes(): the two places are not aligned alike. */
static void move_pages(long unused)
{
	volatile char *at = region(0) + page, *to = region(1) + 2 * page, *tmp;
	int i, flags = MREMAP_MAYMOVE | MREMAP_FIXED;

	map(at, MOVED * page);
	for (i = 0; i < MOVED; i++)
		at[i * page] = 1;
	begin();
	for (i = 0; i < MOVES; i++) {
		want(mremap((void *)at, MOVED * page, MOVED * page, flags, (void *)to) == to, "mremap");
		tmp = at;
		at = to;
		to = tmp;
	}
	end("mremap-512", MOVES);
	munmap((void *)at, MOVED * page);
}

/* mm/gup_test.h, which is not for user space */
struct gup_test {
	__u64 get_delta_usec, put_delta_usec, addr, size;
	__u32 nr_pages_per_call, gup_flags, test_flags, which_pages[8];
};

#define GUP_FAST_BENCHMARK	_IOWR('g', 1, struct gup_test)
#define PIN_FAST_BENCHMARK	_IOWR('g', 2, struct gup_test)

static void gup_window(int fd, const char *metric, unsigned int cmd, int pages)
{
	struct gup_test gup;
	long ns = 0;
	int i;

	quiet();
	for (i = 0; i < PINS; i++) {
		gup = (struct gup_test){
			.addr = (unsigned long)region(0), .size = PINNED * page,
			.nr_pages_per_call = pages, .gup_flags = 1 /* FOLL_WRITE */,
		};
		want(!ioctl(fd, cmd, &gup) && gup.size == PINNED * page, GUP);
		ns += gup.get_delta_usec * 1000;
	}
	if (run)
		say("bench: %s %d %ld %ld", metric, run, ns, (long)PINS * PINNED);
}

/* The kernel's own figure, in us, so that what it does around is not counted */
static void gup_fast(long unused)
{
	static const struct { const char *metric; unsigned int cmd; int pages; } windows[] = {
		{ "gup-1", GUP_FAST_BENCHMARK, 1 }, { "gup-512", GUP_FAST_BENCHMARK, 512 },
		{ "gup-5120", GUP_FAST_BENCHMARK, PINNED }, { "pin-1", PIN_FAST_BENCHMARK, 1 },
		{ "pin-512", PIN_FAST_BENCHMARK, 512 }, { "pin-5120", PIN_FAST_BENCHMARK, PINNED },
	};
	int i, fd = open(GUP, O_RDWR);

	want(fd >= 0, GUP);
	map(region(0), PINNED * page);
	for (i = 0; i < PINNED; i++)
		region(0)[i * page] = 1;
	for (i = 0; i < sizeof(windows) / sizeof(windows[0]); i++)
		gup_window(fd, windows[i].metric, windows[i].cmd, windows[i].pages);
	munmap((void *)region(0), PINNED * page);
	close(fd);
}

static void each_run(void (*what)(long), long size)
{
	for (run = 0; run <= runs; run++)
		what(size);
}

int main(void)
{
	static const char *const thp[] = { "collapse", "thp-split", "thp-munmap", "file-collapse" };
	long size;
	int i, quick;

	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	quick = parameter("bench.quick=");
	if (quick)
		runs = QUICK;
	page = getpagesize();
	want(number("/proc/stat", "cpu1") == -1, "one CPU");
	barrier_fd = open(BARRIER, O_WRONLY);
	want(barrier_fd >= 0, BARRIER);

	/* What would come in between: khugepaged, kcompactd, vmstat, pcp lists that tune themselves. */
	put(THP "enabled", "never");	/* MADV_COLLAPSE does not ask */
	put("/proc/sys/vm/compaction_proactiveness", "0");
	put("/proc/sys/vm/stat_interval", "3600");
	put("/proc/sys/vm/percpu_pagelist_high_fraction", "8");
	size = huge_page_size();

	spin();
	/* First those that want memory as it is after boot. */
	if (size > 0 && !quick) {
		huge = size * (size > 8 * (long)MB ? 32 : 128);
		each_run(huge_pages, size);
		each_run(huge_file, size);
	}
	if (!quick) {
		each_run(fault_and_munmap, 0);
		each_run(dense_fault, parameter("bench.range=") * MB);
		each_run(small_munmap, 0);
		each_run(fork_and_exit, 0);
		each_run(only_exit, 0);
		for (i = 0; size <= 0 && i < 4; i++)
			say("bench: %s n/a no huge pages in this guest", thp[i]);
	}
	each_run(move_pages, 0);
	each_run(gup_fast, 0);
	say("bench: end");
	finish();
	return 0;
}
