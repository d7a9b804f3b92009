// SPDX-License-Identifier: GPL-2.0-only
/*
 * stress - the init of a guest: everything that happens to page tables, at once.
 *
 * "Worlds" are processes that live for seconds, one after the other in each of
 * two slots. In a world three workers (two in private memory that share a huge
 * page, one in a shared file) write, drop, unmap, move, protect, collapse and
 * fork, and always know what each of their pages holds; one thread faults in
 * memory that another fills with userfaultfd; two move pages between two tables,
 * with mremap() and with UFFDIO_MOVE; one reads all that through /proc,
 * process_vm_readv(), vmsplice() and futexes, its own world's and the other's,
 * and must find nothing but what belongs there. In every second world
 * allocations fail (in debug kernels), every second one ends by exit_group() in
 * the midst of it all. At the end as many page tables are in use as before.
 *
 * No call of a function in the arguments of _syscall(): it has filled registers.
 *
 * On the kernel's command line: stress.seconds=, stress.seed=. The seed gives
 * the operations of each thread, not how they interleave.
 */
#include "guest.h"
#include <linux/futex.h>
#include "thread.h"
#include "moves.h"

#define SLOTS	2
#define WORKERS	3
/*
 * Tables of vmalloc(), where the kernel stacks of our threads are, are counted
 * too and are never given back: 21 came in 10 minutes on the base. They have no
 * page->ptl, of which as many are in use as before where it is; but KASAN
 * (stress.kasan=1) keeps locks that were freed for a while.
 */
#define KERNELS	64
#define BASE	((char *)(1024 * MB))
#define MOVES	((char *)(64 * 1024 * MB))
#define RW	(PROT_READ | PROT_WRITE)
#define COUNT(x) ((int)(sizeof(x) / sizeof((x)[0])))

typedef unsigned int u32;

enum { WRITE, CHECK, DROP, REMAP, MOVE, PROTECT, COLLAPSE, ADVISE, FORK,
       UFFD, PROC, REMOTE, FAST, MREMAP, UFFDMOVE, WORLD, NR_KINDS };
static const char *const kinds[] = { "write", "check", "drop", "remap", "move",
	"protect", "collapse", "advise", "fork", "uffd", "proc", "remote", "fast",
	"mremap", "uffdio_move", "world" };

static struct {		/* by all processes */
	long done[NR_KINDS], well[NR_KINDS];
	int bad;
	pid_t pid[SLOTS];
} *all;

struct job {
	void (*run)(struct job *j);
	u32 seed, owner;	/* the byte that its pages begin with */
	char *base, *spare;	/* its memory; where it may move that */
	u32 *want;		/* what its pages hold: this in first and last word, else 0 */
	int fd;			/* of its file, or -1 */
	pid_t child;
};

/* From here on all is a world's own */
static struct job jobs[WORKERS + 5];
static struct moves moves;
static char stacks[COUNT(jobs)][32768] __attribute__((aligned(64)));
static u32 wants[WORKERS][8192];
static char text[65536], source[65536] __attribute__((aligned(65536)));
static volatile int stop;
static int slot, uffd = -1;

static long psize, huge, area, span;	/* bytes of a page, a huge page, a worker's, of address space for it */
static char *faulty, *movable;		/* memory with userfaultfd, a page for UFFDIO_MOVE */

static u32 rnd(u32 *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 17;
	*s ^= *s << 5;
	return *s;
}

static void did(int kind, int well)
{
	__atomic_fetch_add(&all->done[kind], 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&all->well[kind], well, __ATOMIC_RELAXED);
}

static void wrong(const char *what, const void *where, u32 is, u32 should)
{
	if (__atomic_fetch_add(&all->bad, 1, __ATOMIC_RELAXED) < 10)
		say("<2># stress: WRONG: %s at %p: %x, not %x (slot %d)", what, where, is, should, slot);
}

/* What may fail for want of memory, but not for ever */
#define insist(call) do { \
	int _n = 0; \
	while ((long)(call) < 0) \
		if (++_n == 100000) { wrong(#call, NULL, (call), 0); break; } \
	} while (0)

/* First and last word of the page at P */
static volatile u32 *word(char *p, int last)
{
	return (u32 *)(p + (last ? psize - sizeof(u32) : 0));
}

/* Does the page at P begin and end with TAG, and now and then: is the rest zero? */
static void look(struct job *j, const char *what, char *p, u32 tag)
{
	long i;

	if (*word(p, 0) != tag || *word(p, 1) != tag)
		wrong(what, p, *word(p, 0) != tag ? *word(p, 0) : *word(p, 1), tag);
	if (rnd(&j->seed) % 64)
		return;
	for (i = 4; i < psize - 4; i += 4)
		if (*(volatile u32 *)(p + i))
			wrong("not zero", p + i, *(u32 *)(p + i), 0);
}

static void check(struct job *j, const char *what, char *at, long from, long nr)
{
	long i;

	for (i = 0; i < nr; i++)
		look(j, what, at + i * psize, j->want[from + i]);
}

static void stamp(struct job *j, long from, long nr)
{
	for (; nr-- && !stop; from++) {
		j->want[from] = j->owner << 24 | rnd(&j->seed) >> 8 | 1;
		*word(j->base + from * psize, 0) = j->want[from];
		*word(j->base + from * psize, 1) = j->want[from];
	}
}

static long map(struct job *j, char *at, long len)
{
	int flags = j->fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;

	return (long)_sys_mmap(at, len, RW, flags | MAP_FIXED, j->fd, j->fd < 0 ? 0 : at - j->base);
}

/* Is the page that holds TAG at P already? There may be nothing. */
static int there(char *p, u32 tag)
{
	u32 got = 0;
	struct iovec to = { &got, sizeof(got) }, from = { p, sizeof(got) };

	while (_syscall(__NR_process_vm_readv, all->pid[slot], &to, 1, &from, 1, 0) == -ENOMEM)
		;
	return tag && got == tag;
}

/*
 * If that fails, some of the pages may have moved, and empty ones may have been
 * left where they were: those that have not, move one by one.
 */
static void move(char *to, char *from, long nr, u32 *want)
{
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
	long ret = (long)_sys_mremap(from, nr * psize, nr * psize, flags, to);

	for (; ret < 0 && nr; nr--, to += psize, from += psize, want++) {
		if (there(to, *want))
			continue;
		insist(({
			ret = (long)_sys_mremap(from, psize, psize, flags, to);
			ret == -EFAULT ? 0 : ret;	/* is there already */
		}));
		ret = -1;
	}
}

/* In a child of fork(): the memory is as it was then, but for the file's. */
static void child(struct job *j, long pages)
{
	long i;
	u32 is;

	if (j->fd < 0) {
		check(j, "child", j->base, 0, pages);
		stamp(j, rnd(&j->seed) % (pages / 2), pages / 4);
		i = pages / 4 * psize;
		_syscall(__NR_munmap, j->base, i);
		check(j, "child's own", j->base + i, pages / 4, pages - pages / 4);
	} else {
		for (i = 0; i < pages; i++) {
			is = *word(j->base + i * psize, 0);	/* the parent may change it */
			if (is && is >> 24 != j->owner)
				wrong("child's file", j->base + i * psize, is, j->owner << 24);
		}
	}
	_exit(0);
}

static void reap(struct job *j)
{
	int status = 0;

	if (j->child > 0 && (waitpid(j->child, &status, 0) != j->child || status))
		wrong("child ended", NULL, status, 0);
	j->child = 0;
}

static void work(struct job *j)
{
	long pages = area / psize, per = huge / psize, from, nr, len, i;
	int op, well;
	char *p, *to;

	while (!stop) {
		/* Part of the memory, or huge pages; one of two workers' is half the other's */
		nr = 1 + rnd(&j->seed) % (rnd(&j->seed) % 8 ? 64 : pages);
		from = rnd(&j->seed) % (pages - nr + 1);
		if (rnd(&j->seed) % 4 == 0) {
			p = (char *)((unsigned long)(j->base + from * psize) / huge * huge);
			from = p < j->base ? 0 : (p - j->base) / psize;
			nr = per < pages - from ? per : pages - from;
		}
		p = j->base + from * psize;
		len = nr * psize;
		well = 1;

		op = rnd(&j->seed) % (FORK + 8);
		if (op > FORK)
			op &= 1;	/* WRITE, CHECK */
		switch (op) {
		case WRITE:
			stamp(j, from, nr);
			break;
		case CHECK:
			check(j, "page", p, from, nr);
			break;
		case DROP:	/* a file keeps its data, unless they are removed */
			i = rnd(&j->seed) & 1 || j->fd < 0 ? MADV_DONTNEED : MADV_REMOVE;
			insist(_syscall(__NR_madvise, p, len, i));
			if (j->fd < 0 || i == MADV_REMOVE)
				memset(&j->want[from], 0, nr * sizeof(u32));
			break;
		case REMAP:
			insist(_syscall(__NR_munmap, p, len));
			insist(map(j, p, len));
			if (rnd(&j->seed) & 1)
				_syscall(__NR_madvise, p, len, MADV_HUGEPAGE);
			if (j->fd < 0)
				memset(&j->want[from], 0, nr * sizeof(u32));
			break;
		case MOVE:	/* there and back; with its tables if they are aligned alike */
			to = j->spare + (unsigned long)p % huge + (rnd(&j->seed) & 1) * psize;
			move(to, p, nr, &j->want[from]);
			check(j, "moved", to, from, nr);
			move(p, to, nr, &j->want[from]);
			break;
		case PROTECT:
			i = rnd(&j->seed) & 1 ? PROT_READ : PROT_NONE;
			insist(_syscall(__NR_mprotect, p, len, i));
			if (i == PROT_READ)
				check(j, "read only", p, from, nr);
			insist(_syscall(__NR_mprotect, p, len, RW));
			break;
		case COLLAPSE:
			p = (char *)((unsigned long)p / huge * huge);
			well = !_syscall(__NR_madvise, p, huge, MADV_COLLAPSE);
			break;
		case ADVISE:
			i = rnd(&j->seed) & 1 ? MADV_COLD : MADV_POPULATE_WRITE;
			well = !_syscall(__NR_madvise, p, len, i);
			break;
		case FORK:
			reap(j);
			j->child = _sys_fork();
			if (!j->child)
				child(j, pages);
			well = j->child > 0;
			break;
		}
		did(op, well);
	}
	reap(j);
	check(j, "at the end", j->base, 0, pages);
}

/* What the filler gives page NR of the faulty memory: zero page, copy, moved page */
static u32 content(int s, long nr)
{
	return nr % 3 ? (u32)(1 + s * 8 + WORKERS) << 24 | nr : 0;
}

static long fault_again(struct job *j)
{
	struct uffdio_register reg = {
		.range = { (unsigned long)faulty, 2 * huge }, .mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	insist(_syscall(__NR_munmap, faulty, 2 * huge));
	insist(map(j, faulty, 2 * huge));
	insist(_syscall(__NR_ioctl, uffd, UFFDIO_REGISTER, &reg));
	/* Another's reads may have come between */
	insist(_syscall(__NR_madvise, faulty, 2 * huge, MADV_DONTNEED));
	return 0;
}

static void fault(struct job *j)
{
	long pages = 2 * huge / psize, nr, i, len;
	char *p;
	u32 op;

	while (!stop) {
		op = rnd(&j->seed) % 64;
		nr = op < 60 ? 1 + rnd(&j->seed) % 32 : pages / 2;
		for (i = rnd(&j->seed) % (pages - nr + 1); nr-- && !stop; i++)
			look(j, "filled", faulty + i * psize, content(slot, i));
		nr = rnd(&j->seed) % pages;
		p = faulty + nr * psize;
		len = 2 * huge - nr * psize;
		if (op > 57)
			_syscall(__NR_madvise, op & 1 ? faulty : faulty + huge, huge, MADV_COLLAPSE);
		else if (op > 48)
			insist(_syscall(__NR_madvise, p, len, MADV_DONTNEED));
		else if (op > 44)
			fault_again(j);
	}
}

static void fill(struct job *j)
{
	struct pollfd pfd = { .fd = uffd, .events = POLLIN };
	struct uffd_msg msg;
	long nr, ret;
	char *src;

	while (left > 1 || !stop) {
		union {
			struct uffdio_range wake;
			struct uffdio_zeropage zero;
			struct uffdio_copy copy;
			struct uffdio_move move;
		} u = {};

		if (_sys_poll(&pfd, 1, 50) <= 0 ||
		    _syscall(__NR_read, uffd, &msg, sizeof(msg)) != sizeof(msg) ||
		    msg.event != UFFD_EVENT_PAGEFAULT)
			continue;
		/* All three begin with where and how much, but for the source. */
		u.wake.start = msg.arg.pagefault.address & -psize;
		u.wake.len = psize;
		nr = (u.wake.start - (unsigned long)faulty) / psize;
		src = nr % 3 == 2 ? movable : source;
		*word(src, 0) = *word(src, 1) = content(slot, nr);
		do {
			u.wake.start = (unsigned long)faulty + nr * psize;
			if (nr % 3) {
				u.copy.src = (unsigned long)src;
				u.copy.len = psize;
				u.copy.mode = u.copy.copy = 0;
			}
			ret = nr % 3 == 0 ? _syscall(__NR_ioctl, uffd, UFFDIO_ZEROPAGE, &u) :
			      src == movable ? _syscall(__NR_ioctl, uffd, UFFDIO_MOVE, &u) :
			      _syscall(__NR_ioctl, uffd, UFFDIO_COPY, &u);
			did(UFFD, !ret);
			if (ret && src == movable) {	/* not moved: copied */
				src = source;
				*word(src, 0) = *word(src, 1) = content(slot, nr);
				ret = -EAGAIN;
			}
		} while (ret == -EAGAIN || ret == -ENOMEM);
		if (ret) {	/* is there already, or gone */
			u.wake.start = (unsigned long)faulty + nr * psize;
			u.wake.len = psize;
			_syscall(__NR_ioctl, uffd, UFFDIO_WAKE, &u);
		}
	}
}

/* A word read from a page of a world's memory: nothing, or its owner's. */
static void owned(const char *what, char *p, u32 is, int s)
{
	int id = p < BASE + WORKERS * area ? (p - BASE) / area : WORKERS;
	u32 owner = 1 + s * 8 + id;

	if (is && is >> 24 != owner)
		wrong(what, p, is, owner << 24);
}

static void read_all(struct job *j)
{
	static const char *const files[] = { "smaps", "smaps_rollup", "numa_maps", "maps", "pagemap", "pagemap" };
	u32 got[2];
	struct iovec to[2] = { { &got[0], 4 }, { &got[1], 4 } }, from[2];
	int other, which, fd, pipes[2];
	pid_t pid;
	long ret;
	char *p;

	insist(_syscall(__NR_pipe2, pipes, O_NONBLOCK));
	while (!stop) {
		other = rnd(&j->seed) % SLOTS;
		pid = all->pid[other];
		p = BASE + rnd(&j->seed) % (WORKERS * area / psize) * psize;
		if (rnd(&j->seed) % 8 == 0)
			p = faulty + rnd(&j->seed) % (2 * huge / psize) * psize;
		switch (rnd(&j->seed) % 8) {
		case 0:
			which = rnd(&j->seed) % COUNT(files);
			snprintf(text, 64, "/proc/%d/%s", pid, files[which]);
			fd = open(text, O_RDONLY);
			if (which >= 4)
				_sys_lseek(fd, (unsigned long)BASE / psize * 8, SEEK_SET);
			for (ret = 0; fd >= 0 && _syscall(__NR_read, fd, text, sizeof(text)) > 0; ret++)
				if (which >= 4 && ret == 9 * span / psize * 8 / sizeof(text))
					break;
			did(PROC, ret > 0);
			close(fd);
			break;
		case 1:
			did(PROC, !_syscall(__NR_mincore, BASE, span, text));
			break;
		case 2: case 3: case 4:
			from[0] = (struct iovec){ p, 4 };
			from[1] = (struct iovec){ p + psize - 4, 4 };
			ret = pid ? _syscall(__NR_process_vm_readv, pid, to, 2, from, 2, 0) : 0;
			if (ret >= 4)
				owned("remote", p, got[0], other);
			if (ret == 8)
				owned("remote", p, got[1], other);
			did(REMOTE, ret == 8);
			break;
		case 5:		/* FOLL_WRITE, get_user_pages_fast() */
			_syscall(__NR_futex, p, FUTEX_WAIT, 0xffffffff, 0, 0, 0);
			/* fall through */
		default:	/* get_user_pages_fast() */
			from[0] = (struct iovec){ p, 4 };
			ret = _syscall(__NR_vmsplice, pipes[1], from, 1, 0);
			while (_syscall(__NR_read, pipes[0], got, 4) == 4)
				owned("spliced", p, got[0], slot);
			did(FAST, ret == 4);
		}
	}
}

/* In bursts, for the others also want mmap_lock */
static void remap_page(struct job *j)
{
	int i, ret;

	for (i = 1; !stop; i++) {
		ret = moves_remap(&moves);
		did(MREMAP, ret != 0);
		if (ret < 0)
			wrong("mremap()ed page", moves.a[0], 0, MOVES_TAG);
		if (i % 32 == 0)
			usleep(20000);
	}
}

static void uffd_page(struct job *j)
{
	int i, ret;

	for (i = 1; !stop; i++) {
		ret = moves_uffd(&moves);
		did(UFFDMOVE, ret != 0);
		if (ret < 0)
			wrong("UFFDIO_MOVEd page", moves.b[0], 0, MOVES_TAG);
		if (i % 32 == 0)
			usleep(20000);
	}
}

/* One world. Its memory is where every other's is. */
static void world(u32 seed, int poor)
{
	struct uffdio_api api = { .api = UFFD_API };
	long tables, i, ms = 1500 + rnd(&seed) % 4096;
	struct job *j;

	syscall(__NR_setpriority, 0, 0, 19);	/* the kernel's threads first */
	if (poor)
		put("/proc/self/make-it-fail", "1");
	memset(stacks, 1, sizeof(stacks));	/* no new tables for these */
	memset(wants, 0, sizeof(wants));
	memset(source, 0, sizeof(source));
	memset(text, 0, sizeof(text));
	insist(tables = number("/proc/self/status", "VmPTE:\t"));

	for (i = 0; i < COUNT(jobs); i++) {
		j = &jobs[i];
		*j = (struct job){ work, rnd(&seed), 1 + slot * 8 + i, BASE + i * area, BASE + (3 + i) * span, wants[i % WORKERS], -1 };
		if (i == WORKERS - 1) {
			insist(j->fd = _syscall(__NR_memfd_create, "stress", 0));
			insist(_syscall(__NR_ftruncate, j->fd, area));
		}
		if (i < WORKERS)
			insist(map(j, j->base, area));
	}
	insist(uffd = _syscall(__NR_userfaultfd, O_NONBLOCK));
	insist(_syscall(__NR_ioctl, uffd, UFFDIO_API, &api));
	insist(map(&jobs[WORKERS], movable, psize));
	fault_again(&jobs[WORKERS]);
	jobs[WORKERS].run = fault;
	jobs[WORKERS + 1].run = read_all;
	jobs[WORKERS + 2].run = fill;
	jobs[WORKERS + 3].run = remap_page;
	jobs[WORKERS + 4].run = uffd_page;
	moves = (struct moves){
		.base = MOVES, .len = psize, .reach = 16 * MB, .between = 300, .swapped = slot,
	};
	insist(moves_map(&moves));
	left = COUNT(jobs);
	for (i = 0; i < COUNT(jobs); i++)
		insist(spawn((void (*)(void *))jobs[i].run, &jobs[i], stacks[i + 1]));

	usleep(ms * 1000);
	if (rnd(&seed) & 1)
		_syscall(__NR_exit_group, 0);	/* nolibc's _exit() ends a thread */
	stop = 1;
	while (left)
		usleep(10000);
	close(uffd);
	insist(_syscall(__NR_munmap, BASE, 9 * span));
	moves_unmap(&moves);
	insist(i = number("/proc/self/status", "VmPTE:\t"));
	if (i != tables)
		wrong("VmPTE is", NULL, i, tables);
	_exit(0);
}

/* Worlds for so many seconds, or until one goes wrong */
static void worlds(long seconds, u32 *seed, int verbose)
{
	long start = time(NULL), now = 0, last = 0;
	int status, s, alive = 0;
	pid_t pid;

	do {
		for (s = 0; s < SLOTS && now < seconds && !all->bad; s++) {
			u32 new = rnd(seed);

			if (all->pid[s])
				continue;
			slot = s;
			pid = fork();
			if (!pid) {
				all->pid[s] = getpid();
				world(new, all->done[WORLD] & 1);
			}
			all->pid[s] = pid;
			alive++;
			did(WORLD, pid > 0);
		}
		pid = waitpid(-1, &status, 0);
		now = time(NULL) - start;
		for (s = 0; s < SLOTS; s++)
			if (pid > 0 && all->pid[s] == pid) {
				all->pid[s] = 0;
				alive--;
				if (status)
					wrong("world ended", NULL, status, 0);
			}
		if (verbose && now >= last + 60) {
			last = now;
			say("<2># stress: %ld s, %ld worlds, %d wrong", now, all->done[WORLD], all->bad);
		}
	} while (pid > 0);	/* orphans, too */
}

#define THP "/sys/kernel/mm/transparent_hugepage/"

int main(int argc, char **argv)
{
	long tables[2], locks[2], seconds, kasan;
	unsigned long cpus = 15;
	u32 seed = 0, first;
	int try, i, leak;
	char *size;

	begin_load();
	put(THP "enabled", "madvise");
	put(THP "shmem_enabled", "advise");
	put(THP "khugepaged/scan_sleep_millisecs", "50");
	put(THP "khugepaged/alloc_sleep_millisecs", "50");

	getrandom(&seed, sizeof(seed), 4);	/* GRND_INSECURE: a guest has no other */
	seconds = parameter("stress.seconds=") ?: 60;
	kasan = parameter("stress.kasan=");
	first = seed = parameter("stress.seed=") ?: seed ?: 1;
	psize = getpagesize();
	size = slurp(THP "hpage_pmd_size");
	huge = size ? atol(size) : 2 * MB;
	area = huge / 2 + (huge / psize < 256 ? 6 : 2) * huge;
	span = area + huge / 2 + huge;
	faulty = BASE + 7 * span;
	movable = BASE + 8 * span;
	all = mmap(NULL, sizeof(*all), RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	say("<2># stress: seed %u, %ld s, pages of %ld and %ld%s", first, seconds, psize,
	    huge, size ? "" : " (none)");

	worlds(5, &seed, 0);	/* caches fill, and what init itself needs */
	tables_in_use(&tables[0], &locks[0]);
	syscall(__NR_sched_setaffinity, 0, sizeof(cpus), &cpus);
	worlds(seconds, &seed, 1);
	for (try = 0; try < 5; try++) {
		tables_in_use(&tables[1], &locks[1]);
		leak = tables[0] <= 0 || (locks[1] != locks[0] && !kasan) ||
		       tables[1] < tables[0] || tables[1] > tables[0] + KERNELS;
		if (!leak)
			break;
	}

	for (i = 0; i < NR_KINDS; i++)
		say("<2># stress: %s: %ld, %ld well", kinds[i], all->done[i], all->well[i]);
	say("<2># stress: nr_page_table_pages %ld -> %ld, page->ptl %ld -> %ld",
	    tables[0], tables[1], locks[0], locks[1]);
	say("<2>KTAP version 1");
	say("<2>1..1");
	say("<2>    KTAP version 1");
	say("<2>    # Subtest: stress");
	say("<2>    1..2");
	say("<2>    # stress: seed %u, %ld worlds, %d wrong", first, all->done[WORLD], all->bad);
	say("<2>    %s 1 memory_is_what_was_written", all->bad ? "not ok" : "ok");
	say("<2>    %s 2 tables_come_back", leak ? "not ok" : "ok");
	say("<2>%s 1 stress", all->bad || leak ? "not ok" : "ok");
	put("/proc/sys/kernel/printk", "7");
	finish();
	return 0;
}
