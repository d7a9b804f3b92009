// SPDX-License-Identifier: GPL-2.0-only
/*
 * moves - the init of a guest: mremap() against UFFDIO_MOVE between the same two
 * page tables (stress/moves.h), by an unprivileged process. They deadlock where
 * the two do not take the tables' locks in the same order.
 *
 *	pte	pages, between PTE tables: move_ptes()
 *	pmd	huge pages, between PMD tables: move_huge_pmd()
 *	table	mremap() of a PTE table instead: move_normal_pmd()
 *	hugetlb	mremap() of a huge page of hugetlb instead: move_huge_pte()
 *
 * Each with X and Y and with Y and X. Needs three CPUs, as two of them spin with
 * preemption disabled. On the kernel's command line: moves.seconds= for a level;
 * moves.patience=, of seconds without progress of one of the two, which then hangs;
 * moves.level=NAME, for one level only. Prints KTAP into the kernel log.
 */
#include "guest.h"
#include "thread.h"
#include "moves.h"

#define THP	"/sys/kernel/mm/transparent_hugepage/"
#define STALL	"/sys/module/rcupdate/parameters/rcu_cpu_stall_timeout"
#define BARRIER	"/sys/module/rcutree/parameters/do_rcu_barrier"
#define NOBODY	65534
#define BASE	((char *)(1024 * 1024 * MB))

enum { PTE, PMD, TABLE, HUGETLB, LEVELS };
static const char *const levels[] = { "pte", "pmd", "table", "hugetlb" };

static struct {		/* by parent and child */
	volatile long rounds[2];	/* of mremap(), UFFDIO_MOVE */
	volatile int stop, bad;
	volatile long error;		/* of moves_map() */
	volatile long huge;		/* bytes of THPs at the end */
} *both;

static struct moves moves;
static char stacks[2][32768] __attribute__((aligned(64)));
static long huge;			/* bytes of a huge page, 0 without */

/* Not on CPU 0: init needs one to itself, and to restart from. */
static void on_cpu(int cpu)
{
	unsigned long mask = 1UL << cpu;

	if (syscall(__NR_sched_setaffinity, 0, sizeof(mask), &mask))
		both->bad++;
}

static void did(int who, int ret)
{
	if (ret > 0)
		both->rounds[who]++;
	else if (ret < 0)
		both->bad++;
}

static void remap(void *unused)
{
	on_cpu(1);
	while (!both->stop)
		did(0, moves_remap(&moves));
}

static void uffd(void *unused)
{
	on_cpu(2);
	while (!both->stop)
		did(1, moves_uffd(&moves));
}

static void child(void)
{
	if (syscall(__NR_setresgid, NOBODY, NOBODY, NOBODY) ||
	    syscall(__NR_setresuid, NOBODY, NOBODY, NOBODY))
		both->bad++;
	both->error = moves_map(&moves);
	if (both->error)
		_exit(0);
	left = 2;
	if (spawn(remap, NULL, stacks[0] + sizeof(stacks[0])) < 0 ||
	    spawn(uffd, NULL, stacks[1] + sizeof(stacks[1])) < 0) {
		both->bad++;
		_syscall(__NR_exit_group, 0);	/* nolibc's _exit() ends a thread */
	}
	while (left)
		usleep(10000);
	both->huge = number("/proc/self/smaps_rollup", "AnonHugePages:") * 1024;
	_exit(0);
}

/* Let RCU report the CPUs that do not move on, with their backtraces. */
static void wait_for_rcu(void)
{
	if (fork())
		return;
	put(BARRIER, "1");
	_exit(0);
}

/* Let the child run for MS. 0: it has ended; else ms without progress of one of the two. */
static long watch(pid_t pid, long ms, long patience)
{
	long last[2] = { -1, -1 }, since[2] = { 0, 0 }, stuck = 0, t;
	int i, status, asked = 0;

	for (t = 0; stuck < patience; t += 100) {
		if (t >= ms)
			both->stop = 1;
		if (waitpid(pid, &status, WNOHANG) == pid) {
			both->bad += !!status;
			return 0;
		}
		for (i = stuck = 0; i < 2; i++) {
			if (both->rounds[i] != last[i]) {
				last[i] = both->rounds[i];
				since[i] = t;
			}
			if (t - since[i] > stuck)
				stuck = t - since[i];
		}
		if (stuck >= patience / 6 && !asked++)
			wait_for_rcu();
		usleep(100000);
	}
	return stuck;
}

/* NULL, or why it cannot be run here */
static const char *prepare(int level)
{
	long kb;

	memset(&moves, 0, sizeof(moves));
	moves.base = BASE;
	moves.len = getpagesize();
	moves.reach = 16 * MB;
	moves.between = 300;		/* radix has 256 tables in a page */
	if (level == PTE)
		return NULL;
	if (!huge)
		return "no huge pages";
	moves.huge = 1;
	moves.len = huge;
	moves.reach = 16 * 1024 * MB;
	moves.between = 24;		/* and 16 PMD tables */
	moves.a_huge = level == PMD;
	if (level != HUGETLB)
		return NULL;
	moves.a_flags = MAP_HUGETLB;
	put("/proc/sys/vm/nr_hugepages", "4");
	kb = number("/proc/meminfo", "Hugepagesize:");
	return kb * 1024 != huge || number("/proc/meminfo", "HugePages_Free:") < 1 ?
	       "no huge pages of hugetlb" : NULL;
}

/* 0: well, 1: not, 2: hung */
static int run(int level, long ms, long patience)
{
	const char *name = levels[level], *skip = prepare(level), *order;
	int swapped, bad = 0;
	long stuck, thps;
	pid_t pid;

	for (swapped = 0; swapped < 2 && !skip && !bad; swapped++) {
		order = swapped ? "Y, X" : "X, Y";
		memset(both, 0, sizeof(*both));
		moves.swapped = swapped;
		pid = fork();
		if (!pid)
			child();
		thps = moves.huge + moves.a_huge;
		stuck = pid < 0 ? 0 : watch(pid, ms / 2, patience);
		if (stuck) {
			say("    # %s: %s: no progress for %ld s after %ld mremap, %ld UFFDIO_MOVE", name,
			    order, stuck / 1000, both->rounds[0], both->rounds[1]);
			put("/proc/sysrq-trigger", "l");
			sleep(3);
			bad = 2;
		} else if (level == HUGETLB && (both->error == -EINVAL || both->error == -EBUSY)) {
			skip = "hugetlb and small pages share no table";
		} else if (pid < 0 || both->error || both->bad || !both->rounds[0] ||
			   !both->rounds[1] || both->huge < thps * huge) {
			say("    # %s: %s: error %ld, %d times bad, %ld mremap, %ld UFFDIO_MOVE, %ld bytes huge",
			    name, order, both->error, both->bad, both->rounds[0],
			    both->rounds[1], both->huge);
			bad = 1;
		} else {
			say("    # %s: %s: alive after %ld mremap, %ld UFFDIO_MOVE", name, order,
			    both->rounds[0], both->rounds[1]);
		}
	}
	say("    %s %d %s%s%s", bad ? "not ok" : "ok", level + 1, name, skip ? " # SKIP " : "", skip ?: "");
	return bad;
}

int main(void)
{
	long seconds, patience;
	int level, ret, bad = 0;
	char *only, *size, stall[8];

	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	seconds = parameter("moves.seconds=") ?: 10;
	patience = parameter("moves.patience=") ?: 30;
	put(THP "enabled", "madvise");
	snprintf(stall, sizeof(stall), "%ld", patience / 3 > 3 ? patience / 3 : 3);
	put(STALL, stall);
	size = slurp(THP "hpage_pmd_size");
	huge = size ? atol(size) : 0;
	both = mmap(NULL, sizeof(*both), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	on_cpu(0);

	say("KTAP version 1");
	say("1..1");
	say("    KTAP version 1");
	say("    # Subtest: moves");
	say("    1..%d", LEVELS);
	for (level = 0; level < LEVELS && bad < 2; level++) {
		only = strstr(slurp("/proc/cmdline"), "moves.level=");
		if (only && strncmp(only + 12, levels[level], strlen(levels[level])))
			continue;
		ret = run(level, seconds * 1000, patience * 1000);
		bad = ret > bad ? ret : bad;
	}
	if (bad == 2)
		say("    # hung: what follows was not run");
	say("%s 1 moves", bad ? "not ok" : "ok");
	finish();
	return 0;
}
