/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mremap() and UFFDIO_MOVE between the same two page tables, X and Y. Both take
 * the locks of both tables, and neither keeps the other out: one holds mmap_lock
 * for writing, the other the locks of two VMAs.
 *
 *	X	A --- mremap(), and back ------> a hole
 *		B --- UFFDIO_MOVE, and back ---> C		Y
 *
 * Nothing is adjacent. X keeps B's or C's VMA, so the tables stay. What is
 * moved has the size of an entry: a page for two PTE tables, a huge page for two
 * PMD tables. Other tables were allocated between X and Y, so that these two do
 * not share a page, whose lock would be the lock of both.
 */
#include <linux/userfaultfd.h>

#define MOVES_TAG	0x51ee7u	/* what all of A, B and C begin with */

struct moves {
	/* Set these before moves_map() */
	char *base;			/* of moves_span() bytes of address space */
	long len;			/* of A, B and C */
	long reach;			/* at least what one of the tables maps */
	int between;			/* so many tables between X and Y */
	int huge;			/* B is a huge page */
	int a_huge, a_flags;		/* A as well; for mmap() of A */
	int swapped;			/* Y is below X */

	char *a[2], *b[2];		/* where it is, where it goes next */
	int uffd;
};

static long moves_span(struct moves *m)
{
	return (m->between + 2) * m->reach;
}

static void moves_unmap(struct moves *m)
{
	long span = moves_span(m);

	if (m->uffd >= 0)
		close(m->uffd);
	m->uffd = -1;
	while (_syscall(__NR_munmap, m->base, span) == -ENOMEM)
		;
}

static long moves_map_at(struct moves *m, char *at, long len, int prot, int flags)
{
	flags |= MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;
	return (long)_sys_mmap(at, len, prot, flags, -1, 0);
}

/* With one write; it must not wait for userfaultfd. */
static long moves_fill(struct moves *m, char *at, int huge, int flags)
{
	long ret = moves_map_at(m, at, m->len, PROT_READ | PROT_WRITE, flags);

	if (ret < 0)
		return ret;
	if (huge)
		_syscall(__NR_madvise, at, m->len, MADV_HUGEPAGE);
	*(volatile unsigned int *)at = MOVES_TAG;
	return 0;
}

/* 0, or an error: everything is gone again, and the caller may try again. */
static long moves_map(struct moves *m)
{
	char *x = m->base, *y = m->base + (m->between + 1) * m->reach, *tmp;
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int i, which;
	long ret;

	if (m->swapped) {
		tmp = x;
		x = y;
		y = tmp;
	}
	/* Not aligned alike, or mremap() may move the table */
	m->a[0] = x + 4 * m->len;
	m->a[1] = y + 8 * m->len;
	m->b[0] = x + 16 * m->len;
	m->b[1] = y + 20 * m->len;
	m->uffd = -1;

	ret = moves_fill(m, m->b[0], m->huge, 0);
	if (ret)
		goto fail;
	ret = moves_map_at(m, m->base + m->reach, m->between * m->reach, PROT_READ, 0);
	if (ret < 0)
		goto fail;
	for (i = 0; i < m->between; i++)
		*(volatile char *)(m->base + (i + 1) * m->reach);
	ret = moves_map_at(m, m->b[1], m->len, PROT_READ | PROT_WRITE, 0);
	if (ret < 0)
		goto fail;
	if (m->huge)
		_syscall(__NR_madvise, m->b[1], m->len, MADV_HUGEPAGE);
	ret = moves_fill(m, m->a[0], m->a_huge, m->a_flags);
	if (ret)
		goto fail;

	ret = m->uffd = _syscall(__NR_userfaultfd, UFFD_USER_MODE_ONLY);
	if (ret >= 0)
		ret = _syscall(__NR_ioctl, m->uffd, UFFDIO_API, &api);
	for (which = 0; which < 2 && ret >= 0; which++) {
		reg.range.start = (unsigned long)m->b[which];
		reg.range.len = m->len;
		ret = _syscall(__NR_ioctl, m->uffd, UFFDIO_REGISTER, &reg);
	}
	if (ret >= 0)
		return 0;
fail:
	moves_unmap(m);
	return ret;
}

/*
 * One round moves a page and swaps the two places. 1: moved; 0: not now, try
 * again; -1: moved, but its content has changed.
 */
static int moves_done(char **at)
{
	char *to = at[1];

	at[1] = at[0];
	at[0] = to;
	return *(volatile unsigned int *)to == MOVES_TAG ? 1 : -1;
}

static int moves_remap(struct moves *m)
{
	char *to = m->a[1];
	void *ret = _sys_mremap(m->a[0], m->len, m->len, MREMAP_MAYMOVE | MREMAP_FIXED, to);

	return ret == to ? moves_done(m->a) : 0;
}

static int moves_uffd(struct moves *m)
{
	struct uffdio_move move = {
		.dst = (unsigned long)m->b[1], .src = (unsigned long)m->b[0], .len = m->len,
	};

	/* The page is present: no wait for userfaultfd. If fork() shared it, this ends that. */
	*(volatile unsigned int *)m->b[0] = MOVES_TAG;
	return _syscall(__NR_ioctl, m->uffd, UFFDIO_MOVE, &move) ? 0 : moves_done(m->b);
}
