// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for walks of user page tables without a lock: a walker on one CPU,
 * and on another one what may happen to the tables meanwhile.
 *
 * Each event meets each kind of walk in two ways. A walker that is held enters
 * its section, looks, and looks again and again until the event is over: one
 * event, one section, whatever is seen in it. A walker that runs goes in and out,
 * looking twice each time, while the event happens and is undone many times.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/highmem.h>
#include <linux/huge_mm.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/leafops.h>
#include <linux/memcontrol.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/pgalloc.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/swap.h>
#include <linux/uaccess.h>

#include <asm/tlb.h>
#ifdef CONFIG_PPC_BOOK3S_64
#include <asm/pte-walk.h>
#endif

#include "../internal.h"
#include "pgtable_kunit.h"

/* The pages looked at: with its first and its last entry a table is all there. */
#define PGT_PAGES	2

static unsigned long page_addr(unsigned long base, int i)
{
	return i ? base + PMD_SIZE - PAGE_SIZE : base;
}

/* Where mremap() moves them. */
#define PGT_TO		(PGT_ADDR + 4 * PMD_SIZE)

/* How long a walker that runs does, but for events that have not happened yet */
#define PGT_RUN		(HZ / 10)
#define PGT_RUN_MAX	(2 * HZ)
#define PGT_RUN_ROUNDS	3
/* Walks between one event and the next, and how long to wait for them */
#define PGT_RUN_WALKS	4
#define PGT_RUN_WAIT	(HZ / 10)

/* How long a walker that is held stays at most, in microseconds. */
#define PGT_HOLD_MAX	500000
#define PGT_HOLDS	3

/* How long it stays after an entry has changed if it holds off the event itself. */
#define PGT_LINGER_MIN	30000
#define PGT_LINGER_MAX	400000

/* What a walk comes upon at a PMD entry. */
enum kind {
	NOTHING,
	TABLE,
	LEAF,
	BUSY,	/* not present: a huge page that is being migrated, say */
};

struct look {
	enum kind kind;
	pmd_t *pmdp;		/* NULL if the walk does not tell */
	pmd_t pmd;		/* as read, once */
	struct page *table;	/* the page of the PTE table */
	pte_t *ptep;
	pte_t pte;		/* as read, once */
	struct page *page;	/* that is mapped, by whichever entry */
};

#define PGT_FOUND	8

struct event;
struct walk;

/* What a test has: the walker looks at some of it. */
struct ctx {
	struct kunit *test;
	struct mm_struct *mm;
	struct file *file;
	const struct event *event;
	const struct walk *walk;
	bool fresh, whole;	/* see struct event */
	struct pgt_witness *witness[2];	/* of the tables, for one that is held */

	/*
	 * Each page that is mapped has a stamp, which says when that was and where.
	 * A walk may find those from @oldest, as it was when the walk began, to
	 * @newest, as it is when the page has been read.
	 */
	unsigned int stamp, oldest, newest;

	/* The walker */
	struct task_struct *task;
	unsigned int cpu;
	struct completion inside;
	bool hold, load, stop, done, left;
	unsigned int linger;

	/* What it has seen */
	unsigned long walks, found, changed, tables, leaves;
	struct page *pages[PGT_FOUND];	/* if held */
	unsigned int nr_pages;
	bool saw_end, saw_change, stale;
	struct page *last;
	/* And what it must not see */
	unsigned int untyped, foreign, freed, gaps, third, dead, table_to_leaf;
};

struct walk {
	bool irqs_off;
	bool (*section)(struct ctx *c);
	void (*look)(struct ctx *c, unsigned long addr, struct look *l);
	void (*unlook)(struct look *l);
};

/**
 * struct event - what happens to the page tables
 * @huge: needs huge pages
 * @file: is about a file
 * @fresh: pages that have no stamp yet get mapped
 * @whole: a table that is found has all of its entries
 * @waits: does not go on before each walker with interrupts off has left
 * @collapse: needs huge pages that can be used, for it is khugepaged's
 * @reverts: entries may be the same again afterwards, or move with their table
 * @before: bring the tables about
 * @happen: returns whether it did happen
 * @undo: as it was after @before; may fail
 */
struct event {
	bool huge, file, fresh, whole, waits, collapse, reverts;
	void (*before)(struct ctx *c);
	bool (*happen)(struct ctx *c);
	void (*undo)(struct ctx *c);
};

/* -- Walks -- */

/* As gup_fast() goes there; upper tables are not promised to be leaves or not. */
static pmd_t *walk_to_pmd(struct mm_struct *mm, unsigned long addr)
{
#ifdef CONFIG_HAVE_GUP_FAST
	pgd_t *pgdp = pgd_offset(mm, addr), pgd = pgdp_get(pgdp);
	p4d_t *p4dp, p4d;
	pud_t *pudp, pud;

	if (pgd_none(pgd))
		return NULL;
	p4dp = p4d_offset_lockless(pgdp, pgd, addr);
	p4d = p4dp_get(p4dp);
	if (!p4d_present(p4d))
		return NULL;
	pudp = pud_offset_lockless(p4dp, p4d, addr);
	pud = pudp_get(pudp);
	if (!pud_present(pud) || pud_leaf(pud))
		return NULL;
	return pmd_offset_lockless(pudp, pud, addr);
#else
	return mm_find_pmd(mm, addr);
#endif
}

static void saw_pmd(struct look *l, pmd_t *pmdp, pmd_t pmd, unsigned long addr)
{
	l->pmdp = pmdp;
	l->pmd = pmd;
	if (pmd_none(pmd)) {
		l->kind = NOTHING;
	} else if (pmd_present(pmd) && pmd_leaf(pmd)) {
		l->kind = LEAF;
		l->page = pmd_page(pmd) + ((addr & ~PMD_MASK) >> PAGE_SHIFT);
	} else {
		l->kind = BUSY;
	}
}

static void saw_pte(struct look *l, pte_t *ptep, struct page *table)
{
	l->kind = TABLE;
	l->table = table;
	l->ptep = ptep;
	l->pte = ptep_get_lockless(ptep);
	if (pte_present(l->pte) && pfn_valid(pte_pfn(l->pte)))
		l->page = pte_page(l->pte);
}

/* Neither what a walker may find in its table nor none. */
static bool foreign_pte(pte_t pte)
{
	if (pte_none(pte))
		return false;
	if (pte_present(pte))
		return !pfn_valid(pte_pfn(pte));
	return !softleaf_is_migration(softleaf_from_pte(pte));
}

#ifdef CONFIG_PPC_BOOK3S_64
/* The value is read once, and not before find_linux_pte() has returned. */
static void look_irqs_off(struct ctx *c, unsigned long addr, struct look *l)
{
	unsigned int shift;
	pte_t *ptep = find_linux_pte(c->mm->pgd, addr, NULL, &shift);

	if (ptep && shift)
		saw_pmd(l, (pmd_t *)ptep, READ_ONCE(*(pmd_t *)ptep), addr);
	else if (ptep)
		saw_pte(l, ptep, virt_to_page(ptep));
}

static void unlook_irqs_off(struct look *l)
{
}
#else
static void look_irqs_off(struct ctx *c, unsigned long addr, struct look *l)
{
	pmd_t *pmdp = walk_to_pmd(c->mm, addr);
	pte_t *ptep = NULL;
	pmd_t pmd;

	if (!pmdp)
		return;
	pmd = pmdp_get_lockless(pmdp);
	if (pmd_present(pmd) && !pmd_leaf(pmd))
		ptep = pte_offset_map(&pmd, addr);
	saw_pmd(l, pmdp, pmd, addr);
	if (ptep)
		saw_pte(l, ptep, pmd_page(pmd));
}

static void unlook_irqs_off(struct look *l)
{
	if (l->kind == TABLE)
		pte_unmap(l->ptep);
}
#endif

static void look_rcu(struct ctx *c, unsigned long addr, struct look *l)
{
	pmd_t *pmdp = walk_to_pmd(c->mm, addr);
	spinlock_t *ptl = NULL;
	pte_t *ptep;
	pmd_t pmd;

	if (!pmdp)
		return;
	/* Rather than pte_offset_map(), as it tells which entry it went by */
	ptep = pte_offset_map_rw_nolock(c->mm, pmdp, addr, &pmd, &ptl);
	saw_pmd(l, pmdp, pmd, addr);
	if (ptep) {
		saw_pte(l, ptep, pmd_page(pmd));
		/* The lock is good as long as the table is. */
		if (spin_trylock(ptl))
			spin_unlock(ptl);
	}
}

static void unlook_rcu(struct look *l)
{
	if (l->kind == TABLE)
		pte_unmap(l->ptep);
}

static void look(struct ctx *c, unsigned long addr, struct look *l)
{
	memset(l, 0, sizeof(*l));
	c->walk->look(c, addr, l);
}

/* Is the value that was read still what is there? */
static bool unchanged(struct look *l)
{
	if (l->pmdp && !pmd_same(pmdp_get_lockless(l->pmdp), l->pmd))
		return false;
	return l->kind != TABLE || pte_same(ptep_get_lockless(l->ptep), l->pte);
}

static void check_look(struct ctx *c, unsigned long addr, struct look *l)
{
	struct look again;

	c->leaves += l->kind == LEAF;
	if (l->kind != TABLE)
		return;
	c->tables++;
	c->untyped += !PageTable(l->table);
	c->foreign += foreign_pte(l->pte);
	if (c->whole && pte_none(l->pte)) {
		/* Collapse clears the entries of a table that it has unlinked. */
		look(c, addr, &again);
		c->gaps += again.kind == TABLE && again.table == l->table &&
			   pte_none(again.pte);
		c->walk->unlook(&again);
	}
}

/* A page that somebody has a reference on: is it one that the walk may find? */
static void check_stamp(struct ctx *c, struct page *page, int i,
			unsigned int oldest)
{
	unsigned int *mem = kmap_local_page(page), stamp = READ_ONCE(*mem), newest;

	kunmap_local(mem);
	/* Pairs with stamp_pages_at(). */
	smp_rmb();
	newest = READ_ONCE(c->newest);
	c->found++;
	if (!stamp && c->fresh)
		return;
	if (stamp % PGT_PAGES != i || stamp / PGT_PAGES < oldest ||
	    stamp / PGT_PAGES > newest)
		c->third++;
}

/* What gup_fast() does with a page: get a reference, look again, use it. */
static void check_page(struct ctx *c, struct look *l, int i, unsigned int oldest)
{
	struct folio *folio = page_folio(l->page);

	if (!folio_try_get(folio)) {
		c->dead += unchanged(l);
		return;
	}
	if (unchanged(l) && page_folio(l->page) == folio)
		check_stamp(c, l->page, i, oldest);
	else
		c->changed++;
	folio_put(folio);
}

/* The walker that runs */
static void run_inside(struct ctx *c)
{
	unsigned int i = c->walks % PGT_PAGES;
	unsigned long addr = page_addr(PGT_ADDR, i);
	bool table = false;
	struct look l;
	int again;

	for (again = 0; again < 2; again++) {
		/* Pairs with stamp_pages_at() and unmapped(). */
		unsigned int oldest = smp_load_acquire(&c->oldest);

		look(c, addr, &l);
		check_look(c, addr, &l);
		c->table_to_leaf += table && l.kind == LEAF;
		table |= l.kind == TABLE;
		if (l.page)
			check_page(c, &l, i, oldest);
		c->walk->unlook(&l);
	}
}

static void remember(struct ctx *c, struct page *page)
{
	unsigned int i;

	for (i = 0; i < c->nr_pages; i++)
		if (c->pages[i] == page)
			return;
	if (page && c->nr_pages < PGT_FOUND)
		c->pages[c->nr_pages++] = page;
}

/*
 * The walker that is held. It takes no references, or the event might not happen;
 * and it counts its time by itself: with interrupts off, no clock need go on.
 */
static void hold_inside(struct ctx *c)
{
	unsigned int i, step = 1, left = PGT_HOLD_MAX;
	struct look first, l;

	/* It stays mapped: so there must be no way out but the one below. */
	look(c, PGT_ADDR, &first);
	check_look(c, PGT_ADDR, &first);
	remember(c, first.page);
	complete(&c->inside);
	do {
		/* Pairs with hold(). */
		c->saw_end = smp_load_acquire(&c->done);
		look(c, PGT_ADDR, &l);
		check_look(c, PGT_ADDR, &l);
		remember(c, l.page);
		c->last = l.page;
		c->table_to_leaf += first.kind == TABLE && l.kind == LEAF;
		if (l.kind != first.kind && !c->saw_change) {
			c->saw_change = true;
			if (c->walk->irqs_off && c->event->waits) {
				left = c->linger;
				step = 10;
			}
		}
		c->walk->unlook(&l);

		/* The table that it reached: linked or not, it is there. */
		if (first.kind == TABLE) {
			c->untyped += !PageTable(first.table);
			c->foreign += foreign_pte(ptep_get_lockless(first.ptep));
		}
		for (i = 0; i < ARRAY_SIZE(c->witness); i++)
			if (c->witness[i])
				c->freed += pgt_freed(c->witness[i]) ||
					    pgt_destructed(c->witness[i]);
		udelay(step);
		left -= min(left, step);
	} while (!c->saw_end && left);

	c->stale = first.page && unchanged(&first);
	c->walk->unlook(&first);
	WRITE_ONCE(c->left, true);
}

static void inside(struct ctx *c)
{
	if (c->hold)
		hold_inside(c);
	else
		run_inside(c);
}

static bool section_irqs_off(struct ctx *c)
{
	unsigned long flags;

	local_irq_save(flags);
	inside(c);
	local_irq_restore(flags);
	return !c->hold;
}

static bool section_rcu(struct ctx *c)
{
	rcu_read_lock();
	inside(c);
	rcu_read_unlock();
	return !c->hold;
}

static bool section_gup_fast(struct ctx *c)
{
	/* Pairs with stamp_pages_at() and unmapped(). */
	unsigned int oldest = smp_load_acquire(&c->oldest);
	unsigned int i = c->walks % PGT_PAGES;
	struct page *page;

	if (get_user_page_fast_only(page_addr(PGT_ADDR, i), 0, &page)) {
		check_stamp(c, page, i, oldest);
		put_page(page);
	}
	return true;
}

static const struct walk walk_irqs_off = {
	.irqs_off = true,
	.section = section_irqs_off,
	.look = look_irqs_off,
	.unlook = unlook_irqs_off,
};

static const struct walk walk_rcu = {
	.section = section_rcu,
	.look = look_rcu,
	.unlook = unlook_rcu,
};

static const struct walk walk_gup_fast = {
	.section = section_gup_fast,
};

/*
 * One that runs has the mm loaded, as most walkers do. One that is held does not:
 * so no TLB flush waits for it, nothing does but what has to.
 */
static int walker_fn(void *data)
{
	struct ctx *c = data;

	if (c->load)
		pgt_mm_use(c->mm);
	/* Or somebody may have to wait for this CPU in lru_add_drain_all(). */
	lru_add_drain();
	while (c->walk->section(c) && !READ_ONCE(c->stop)) {
		WRITE_ONCE(c->walks, c->walks + 1);
		cond_resched();
	}
	if (c->load)
		pgt_mm_unuse(c->mm);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static void walker_end(void *data)
{
	struct ctx *c = data;

	WRITE_ONCE(c->stop, true);
	WRITE_ONCE(c->done, true);
	kthread_stop(c->task);
}

static void walker_start(struct ctx *c, bool hold, bool load)
{
	c->hold = hold;
	c->load = load;
	c->stop = false;
	c->done = false;
	c->left = false;
	init_completion(&c->inside);
	c->task = kthread_run_on_cpu(walker_fn, c, c->cpu, "pgt_walker/%u");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(c->test, c->task);
	KUNIT_ASSERT_EQ(c->test, 0,
			kunit_add_action_or_reset(c->test, walker_end, c));
	if (hold)
		wait_for_completion(&c->inside);
}

static void walker_stop(struct ctx *c)
{
	kunit_release_action(c->test, walker_end, c);
}

/* -- Events: the test has the mm in use -- */

/* Let the walker that runs have a look at what there is now. */
static void let_walk(struct ctx *c)
{
	unsigned long walks = READ_ONCE(c->walks) + PGT_RUN_WALKS;
	unsigned long end = jiffies + PGT_RUN_WAIT;

	while (!c->hold && READ_ONCE(c->walks) < walks && time_before(jiffies, end))
		cpu_relax();
}

/* Which page is there? Only the test changes that. */
static struct page *page_at(struct ctx *c, unsigned long addr)
{
	struct look l = { .kind = NOTHING };
	unsigned long flags;

	local_irq_save(flags);
	walk_irqs_off.look(c, addr, &l);
	walk_irqs_off.unlook(&l);
	local_irq_restore(flags);
	return l.page;
}

static pmd_t *pmd_of(struct ctx *c, unsigned long addr)
{
	return pgt_pmd(c->test, c->mm, addr);
}

static bool is_huge(struct ctx *c, unsigned long addr)
{
	pmd_t pmd = pmdp_get_lockless(pmd_of(c, addr));

	return pmd_present(pmd) && pmd_leaf(pmd);
}

/*
 * QEMU's s390x has no huge pages. What happens to page tables is tried there all
 * the same: the entries can be there as long as nobody uses them to access memory.
 */
static bool only_entries(void)
{
	return IS_ENABLED(CONFIG_S390) && IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) &&
	       !has_transparent_hugepage();
}

static void stamp_page_at(struct ctx *c, unsigned long addr, unsigned int stamp)
{
	if (only_entries() && is_huge(c, addr)) {
		unsigned int *mem = kmap_local_page(page_at(c, addr));

		WRITE_ONCE(*mem, stamp);
		kunmap_local(mem);
		return;
	}
	KUNIT_ASSERT_EQ(c->test, 0, put_user(stamp, (unsigned int __user *)addr));
}

static void stamp_pages_at(struct ctx *c, unsigned long addr)
{
	unsigned int i, stamp = c->stamp + 1;

	WRITE_ONCE(c->newest, stamp);
	/* Pairs with check_stamp(). */
	smp_wmb();
	for (i = 0; i < PGT_PAGES; i++)
		stamp_page_at(c, page_addr(addr, i), stamp * PGT_PAGES + i);
	c->stamp = stamp;
	/* Pairs with run_inside() and section_gup_fast(). */
	smp_store_release(&c->oldest, stamp);
}

static void stamp_pages(struct ctx *c)
{
	stamp_pages_at(c, PGT_ADDR);
}

/* From now on nobody may find the pages stamped last. */
static void unmapped(struct ctx *c)
{
	/* Pairs with run_inside() and section_gup_fast(). */
	smp_store_release(&c->oldest, c->stamp + 1);
}

static int advise(struct ctx *c, int behavior)
{
	return do_madvise(c->mm, PGT_ADDR, PMD_SIZE, behavior);
}

/* Without THP there is no such advice, and no need for it. */
static void no_huge_pages(struct ctx *c, unsigned long addr)
{
	int err = do_madvise(c->mm, addr, PMD_SIZE, MADV_NOHUGEPAGE);

	KUNIT_ASSERT_EQ(c->test, err,
			IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) ? 0 : -EINVAL);
}

static void map(struct ctx *c)
{
	pgt_map(c->test, c->file, PGT_ADDR, PMD_SIZE);
}

static void map_small(struct ctx *c)
{
	map(c);
	no_huge_pages(c, PGT_ADDR);
}

static void fault_small(struct ctx *c)
{
	map_small(c);
	stamp_pages(c);
}

/* Small pages that may be collapsed. */
static void fault_table(struct ctx *c)
{
	map(c);
	pgt_pte_table(c->test, c->mm, PGT_ADDR);
	stamp_pages(c);
}

static void map_table(struct ctx *c)
{
	map(c);
	pgt_pte_table(c->test, c->mm, PGT_ADDR);
}

static bool collapse(struct ctx *c)
{
	return !advise(c, MADV_COLLAPSE) && is_huge(c, PGT_ADDR);
}

/* What a fault does, without deferred_split_folio(), which is not ready there. */
static void fault_huge_entry(struct ctx *c)
{
#ifdef CONFIG_TRANSPARENT_HUGEPAGE
	struct folio *folio = folio_alloc(GFP_HIGHUSER_MOVABLE | __GFP_ZERO,
					  HPAGE_PMD_ORDER);
	pgtable_t table = pte_alloc_one(c->mm);
	pmd_t *pmdp = pmd_of(c, PGT_ADDR), pmd;
	struct vm_area_struct *vma;
	spinlock_t *ptl = NULL;

	KUNIT_ASSERT_TRUE(c->test, folio && table);
	KUNIT_ASSERT_EQ(c->test, 0, mem_cgroup_charge(folio, c->mm, GFP_KERNEL));
	mmap_write_lock(c->mm);
	vma = vma_lookup(c->mm, PGT_ADDR);
	KUNIT_EXPECT_EQ(c->test, 0, anon_vma_prepare(vma));
	__folio_mark_uptodate(folio);
	pmd = pmd_mkdirty(folio_mk_pmd(folio, vma->vm_page_prot));
	ptl = pmd_lock(c->mm, pmdp);
	pgtable_trans_huge_deposit(c->mm, pmdp, table);
	folio_add_new_anon_rmap(folio, vma, PGT_ADDR, RMAP_EXCLUSIVE);
	folio_add_lru_vma(folio, vma);
	set_pmd_at(c->mm, PGT_ADDR, pmdp, pmd_mkwrite(pmd, vma));
	add_mm_counter(c->mm, MM_ANONPAGES, HPAGE_PMD_NR);
	mm_inc_nr_ptes(c->mm);
	spin_unlock(ptl);
	mmap_write_unlock(c->mm);
#endif
}

static void fault_huge(struct ctx *c)
{
	map(c);
	KUNIT_ASSERT_EQ(c->test, 0, advise(c, MADV_HUGEPAGE));
	if (only_entries())
		fault_huge_entry(c);
	stamp_pages(c);
	if (!is_huge(c, PGT_ADDR))
		collapse(c);
}

static bool fault(struct ctx *c)
{
	stamp_pages(c);
	return true;
}

static void unfault(struct ctx *c)
{
	KUNIT_ASSERT_EQ(c->test, 0, advise(c, MADV_DONTNEED));
	unmapped(c);
}

static bool unmap(struct ctx *c)
{
	KUNIT_ASSERT_EQ(c->test, 0, vm_munmap(PGT_ADDR, PMD_SIZE));
	unmapped(c);
	return true;
}

/* The first half of what collapse does to those that have a file mapped. */
static bool retract(struct ctx *c)
{
#ifdef CONFIG_TRANSPARENT_HUGEPAGE
	retract_page_tables(c->file->f_mapping, 0);
#endif
	return pmd_none(*pmd_of(c, PGT_ADDR));
}

static void unretract(struct ctx *c)
{
	pgt_pte_table(c->test, c->mm, PGT_ADDR);
}

static void split_pmd(struct ctx *c)
{
	struct vm_area_struct *vma;

	mmap_write_lock(c->mm);
	vma = vma_lookup(c->mm, PGT_ADDR);
	if (vma) {
		vma_start_write(vma);
		split_huge_pmd_address(vma, PGT_ADDR, false);
	}
	mmap_write_unlock(c->mm);
}

static bool split_leaf(struct ctx *c)
{
	if (!is_huge(c, PGT_ADDR))
		return false;
	split_pmd(c);
	return !is_huge(c, PGT_ADDR);
}

static void unsplit(struct ctx *c)
{
	if (only_entries()) {
		unmap(c);
		fault_huge(c);
	} else {
		collapse(c);
	}
}

/* Of a file's, that is: the pages stay in the page cache. */
static void uncollapse_file(struct ctx *c)
{
	split_pmd(c);
	pgt_pte_table(c->test, c->mm, PGT_ADDR);
	stamp_pages(c);
}

static bool zap(struct ctx *c)
{
	if (!is_huge(c, PGT_ADDR))
		return false;
	KUNIT_ASSERT_EQ(c->test, 0, advise(c, MADV_DONTNEED));
	unmapped(c);
	no_huge_pages(c, PGT_ADDR);
	stamp_pages(c);
	return !is_huge(c, PGT_ADDR);
}

static void unzap(struct ctx *c)
{
	unmap(c);
	fault_huge(c);
}

static int set_write(struct ctx *c, bool write)
{
	struct vm_area_struct *vma, *prev = NULL;	/* the lowest VMA */
	struct mmu_gather tlb;
	int err = -EFAULT;

	VMA_ITERATOR(vmi, c->mm, PGT_ADDR);

	mmap_write_lock(c->mm);
	vma = vma_lookup(c->mm, PGT_ADDR);
	if (vma) {
		vm_flags_t flags = vma->vm_flags & ~VM_WRITE;

		tlb_gather_mmu(&tlb, c->mm);
		err = mprotect_fixup(&vmi, &tlb, vma, &prev, PGT_ADDR,
				     PGT_ADDR + PMD_SIZE,
				     write ? flags | VM_WRITE : flags);
		tlb_finish_mmu(&tlb);
	}
	mmap_write_unlock(c->mm);
	return err;
}

static bool protect(struct ctx *c)
{
	bool done = !set_write(c, false) && !set_write(c, true);

	/* Which faults, unless a PMD entry that is writable again does not. */
	stamp_pages(c);
	return done;
}

static bool move(struct ctx *c, unsigned long from, unsigned long to)
{
	struct vm_area_struct *old, *new;
	unsigned long moved = 0;

	mmap_write_lock(c->mm);
	old = vma_lookup(c->mm, from);
	new = vma_lookup(c->mm, to);
	if (old && new) {
		PAGETABLE_MOVE(pmc, old, new, from, to, PMD_SIZE);

		moved = move_page_tables(&pmc);
	}
	mmap_write_unlock(c->mm);
	return moved == PMD_SIZE;
}

static bool move_away(struct ctx *c)
{
	bool moved = move(c, PGT_ADDR, PGT_TO);

	unmapped(c);
	return moved;
}

static void move_back(struct ctx *c)
{
	/* They may be found again, but not with the stamp that they had. */
	stamp_pages_at(c, PGT_TO);
	move(c, PGT_TO, PGT_ADDR);
}

static void move_small_before(struct ctx *c)
{
	fault_small(c);
	pgt_map(c->test, NULL, PGT_TO, PMD_SIZE);
	no_huge_pages(c, PGT_TO);
}

static void move_huge_before(struct ctx *c)
{
	fault_huge(c);
	pgt_map(c->test, NULL, PGT_TO, PMD_SIZE);
}

static struct folio *new_folio(struct folio *src, unsigned long private)
{
	return folio_alloc(GFP_HIGHUSER_MOVABLE, folio_order(src));
}

static bool migrate_page(struct ctx *c, struct page *page)
{
	struct folio *folio;
	LIST_HEAD(list);
	int err;

	/* A folio is isolated once only, if both pages are of it. */
	if (!page)
		return false;
	folio = page_folio(page);
	lru_add_drain();
	if (!folio_isolate_lru(folio))
		return false;
	node_stat_mod_folio(folio, NR_ISOLATED_ANON + folio_is_file_lru(folio),
			    folio_nr_pages(folio));
	list_add(&folio->lru, &list);
	err = migrate_pages(&list, new_folio, NULL, 0, MIGRATE_SYNC, MR_SYSCALL,
			    NULL);
	if (err)
		putback_movable_pages(&list);
	return !err && page_at(c, PGT_ADDR) != page;
}

/* So that the page that was there before is the wrong one from now on. */
static bool migrate(struct ctx *c)
{
	bool done = migrate_page(c, page_at(c, PGT_ADDR));

	let_walk(c);
	stamp_pages(c);
	return done;
}

static bool migrate_huge(struct ctx *c)
{
	return is_huge(c, PGT_ADDR) && migrate(c) && is_huge(c, PGT_ADDR);
}

static const struct event
	fault_event = {
		.fresh = true,
		.before = map_small, .happen = fault, .undo = unfault,
	},
	unmap_event = {
		.fresh = true,
		.before = fault_small, .happen = unmap, .undo = fault_small,
	},
	retract_event = {
		.file = true,
		.before = map_table, .happen = retract, .undo = unretract,
	},
	split_event = {
		.huge = true, .whole = true,
		.before = fault_huge, .happen = split_leaf, .undo = unsplit,
	},
	collapse_event = {
		.huge = true, .whole = true, .waits = true, .collapse = true,
		.before = fault_table, .happen = collapse, .undo = split_pmd,
	},
	collapse_file_event = {
		.huge = true, .file = true, .collapse = true,
		.before = fault_table, .happen = collapse, .undo = uncollapse_file,
	},
	zap_event = {
		.huge = true, .fresh = true,
		.before = fault_huge, .happen = zap, .undo = unzap,
	},
	protect_event = {
		.reverts = true,
		.before = fault_small, .happen = protect,
	},
	protect_huge_event = {
		.huge = true, .reverts = true,
		.before = fault_huge, .happen = protect,
	},
	move_event = {
		.reverts = true,
		.before = move_small_before, .happen = move_away, .undo = move_back,
	},
	move_huge_event = {
		.huge = true,
		.before = move_huge_before, .happen = move_away, .undo = move_back,
	},
	migrate_event = {
		.before = fault_small, .happen = migrate,
	},
	migrate_huge_event = {
		.huge = true,
		.before = fault_huge, .happen = migrate_huge,
	};

/* -- The tests -- */

static struct ctx *start(struct kunit *test, const struct event *event,
			 const struct walk *walk)
{
	struct ctx *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, c);
	c->cpu = pgt_other_cpu(test);
	if (!IS_ENABLED(CONFIG_MMU_GATHER_RCU_TABLE_FREE))
		kunit_skip(test, "tables are not freed by RCU");
	if (event->huge && !has_transparent_hugepage() &&
	    (event->collapse || !only_entries()))
		kunit_skip(test, "no huge pages on this machine");
	if (event == &retract_event && !IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE))
		kunit_skip(test, "needs THP");
	if (event == &migrate_event && !IS_ENABLED(CONFIG_MIGRATION))
		kunit_skip(test, "no migration");
	if (event == &migrate_huge_event && !thp_migration_supported())
		kunit_skip(test, "no migration of huge pages");
	if (walk == &walk_gup_fast && !IS_ENABLED(CONFIG_HAVE_GUP_FAST))
		kunit_skip(test, "no gup_fast()");

	c->test = test;
	c->event = event;
	c->walk = walk;
	/* Without collapse, a split is undone by munmap() and a new page. */
	c->fresh = event->fresh || only_entries();
	if (event->file)
		c->file = pgt_shmem_file(test, PMD_SIZE);
	c->mm = pgt_mm_create(test);
	pgt_mm_use(c->mm);
	return c;
}

static void finish(struct ctx *c)
{
	pgt_mm_unuse(c->mm);
	pgt_mm_put(c->test, c->mm);
}

static void expect_promises(struct ctx *c)
{
	struct kunit *test = c->test;

	KUNIT_EXPECT_EQ_MSG(test, c->untyped, 0, "a table that is none, or no longer");
	KUNIT_EXPECT_EQ_MSG(test, c->foreign, 0, "entries that nobody has set");
	KUNIT_EXPECT_EQ_MSG(test, c->freed, 0, "table freed under the walker");
	KUNIT_EXPECT_EQ_MSG(test, c->gaps, 0, "a table without its entries");
	KUNIT_EXPECT_EQ_MSG(test, c->third, 0, "a page that was not mapped there then");
	KUNIT_EXPECT_EQ_MSG(test, c->dead, 0, "a free page that is mapped");
	if (c->walk->irqs_off && c->event->waits)
		KUNIT_EXPECT_EQ_MSG(test, c->table_to_leaf, 0,
				    "a leaf instead of a table with interrupts off");
}

/* Time the event, for how long it takes when nobody holds it off. */
static unsigned int rehearse(struct ctx *c)
{
	unsigned long start = jiffies;

	KUNIT_ASSERT_TRUE_MSG(c->test, c->event->happen(c), "event did not happen");
	start = jiffies - start;
	c->event->undo(c);
	return clamp(4 * jiffies_to_usecs(start), PGT_LINGER_MIN, PGT_LINGER_MAX);
}

static void watch_tables(struct ctx *c)
{
	pmd_t *pmd = pmd_of(c, PGT_ADDR);
	struct page *page = compound_head(virt_to_page(pmd));

	memset(c->witness, 0, sizeof(c->witness));
	if (pmd_present(*pmd) && !pmd_leaf(*pmd))
		c->witness[0] = pgt_witness_table(c->test, pmd_page(*pmd));
	if (!mm_pmd_folded(c->mm) && PageTable(page))
		c->witness[1] = pgt_witness_table(c->test, page);
}

/* One event in one section of the walker. Returns false if too slow to tell. */
static bool hold_once(struct ctx *c)
{
	bool waits = c->walk->irqs_off && c->event->waits, happened;
	struct kunit *test = c->test;
	struct page *before, *after;
	int i;

	c->nr_pages = 0;
	c->saw_change = false;
	before = page_at(c, PGT_ADDR);
	watch_tables(c);
	walker_start(c, true, false);
	happened = c->event->happen(c);
	after = page_at(c, PGT_ADDR);
	/* Pairs with hold_inside(). */
	smp_store_release(&c->done, true);
	walker_stop(c);

	KUNIT_EXPECT_TRUE_MSG(test, happened, "event did not happen");
	for (i = 0; i < c->nr_pages; i++)
		KUNIT_EXPECT_TRUE_MSG(test, c->pages[i] == before ||
				      c->pages[i] == after, "found a third page");
	if (waits) {
		KUNIT_EXPECT_FALSE_MSG(test, c->saw_end,
				       "did not wait for a walker with interrupts off");
		return c->saw_change;
	}
	if (!c->saw_end)
		return false;
	KUNIT_EXPECT_PTR_EQ(test, c->last, after);
	if (!c->event->reverts)
		KUNIT_EXPECT_FALSE_MSG(test, c->stale,
				       "what was read first seems to be valid still");
	return true;
}

static void hold(struct ctx *c)
{
	int tries = 1;
	bool told;

	c->whole = c->event->whole;
	c->event->before(c);
	if (c->event->waits)
		c->linger = rehearse(c);
	while (!(told = hold_once(c)) && tries++ < PGT_HOLDS)
		if (c->event->undo)
			c->event->undo(c);
	expect_promises(c);
	KUNIT_EXPECT_TRUE_MSG(c->test, told, c->event->waits ?
			      "the walker never saw the event begin" :
			      "the event waited for the walker to leave");
}

/* Many events, many sections */
static void run(struct ctx *c)
{
	struct kunit *test = c->test;
	unsigned long begin, time;
	int happened = 0;

	/* munmap() clears the entries of a table while it is linked. */
	c->whole = c->event->whole && !only_entries();
	c->event->before(c);
	walker_start(c, false, true);
	begin = jiffies;
	do {
		let_walk(c);
		happened += c->event->happen(c);
		let_walk(c);
		if (c->event->undo)
			c->event->undo(c);
		time = jiffies - begin;
	} while (time < PGT_RUN ||
		 (happened < PGT_RUN_ROUNDS && time < PGT_RUN_MAX));
	walker_stop(c);

	expect_promises(c);
	KUNIT_EXPECT_GE_MSG(test, happened, PGT_RUN_ROUNDS, "event did not happen");
	KUNIT_EXPECT_GT(test, c->walks, 0);
	if (c->event != &retract_event)
		KUNIT_EXPECT_GT(test, c->found, 0);
	kunit_info(test, "%d events, %lu walks: %lu pages, %lu changed, %lu tables, %lu leaves\n",
		   happened, c->walks, c->found, c->changed, c->tables, c->leaves);
}

static void try(struct kunit *test, const struct event *event,
		const struct walk *walk)
{
	struct ctx *c;

	if (walk != &walk_gup_fast) {
		c = start(test, event, walk);
		hold(c);
		finish(c);
	}
	c = start(test, event, walk);
	run(c);
	finish(c);
}

#define WALK_TEST(what, how)						\
static void what##_##how(struct kunit *test)				\
{									\
	try(test, &what##_event, &walk_##how);				\
}

WALK_TEST(fault, irqs_off)
WALK_TEST(fault, rcu)
WALK_TEST(fault, gup_fast)
WALK_TEST(unmap, irqs_off)
WALK_TEST(unmap, rcu)
WALK_TEST(unmap, gup_fast)
/* There is no page to be found. */
WALK_TEST(retract, irqs_off)
WALK_TEST(retract, rcu)
WALK_TEST(split, irqs_off)
WALK_TEST(split, rcu)
WALK_TEST(split, gup_fast)
WALK_TEST(collapse, irqs_off)
WALK_TEST(collapse, rcu)
WALK_TEST(collapse, gup_fast)
WALK_TEST(collapse_file, irqs_off)
WALK_TEST(collapse_file, rcu)
WALK_TEST(collapse_file, gup_fast)
WALK_TEST(zap, irqs_off)
WALK_TEST(zap, rcu)
WALK_TEST(zap, gup_fast)
WALK_TEST(protect, irqs_off)
WALK_TEST(protect, rcu)
WALK_TEST(protect, gup_fast)
WALK_TEST(protect_huge, irqs_off)
WALK_TEST(protect_huge, rcu)
WALK_TEST(protect_huge, gup_fast)
WALK_TEST(move, irqs_off)
WALK_TEST(move, rcu)
WALK_TEST(move, gup_fast)
WALK_TEST(move_huge, irqs_off)
WALK_TEST(move_huge, rcu)
WALK_TEST(move_huge, gup_fast)
WALK_TEST(migrate, irqs_off)
WALK_TEST(migrate, rcu)
WALK_TEST(migrate, gup_fast)
WALK_TEST(migrate_huge, irqs_off)
WALK_TEST(migrate_huge, rcu)
WALK_TEST(migrate_huge, gup_fast)

/*
 * hash_page() goes on to write what it found into the hash table: so nobody may be
 * left who found the small pages' table when the hash is flushed. That is before
 * khugepaged's own IPI.
 */
static void hash_collapse_flush_waits(struct kunit *test)
{
#if defined(CONFIG_PPC_BOOK3S_64) && defined(CONFIG_TRANSPARENT_HUGEPAGE)
	struct vm_area_struct *vma;
	spinlock_t *ptl = NULL;
	pmd_t *pmdp, pmd;
	struct ctx *c;

	if (radix_enabled())
		kunit_skip(test, "not the hash MMU");
	c = start(test, &collapse_event, &walk_irqs_off);
	fault_table(c);
	pmdp = pmd_of(c, PGT_ADDR);
	c->linger = PGT_LINGER_MIN;
	walker_start(c, true, true);
	mmap_write_lock(c->mm);
	vma = vma_lookup(c->mm, PGT_ADDR);
	ptl = pmd_lock(c->mm, pmdp);
	pmd = pmdp_collapse_flush(vma, PGT_ADDR, pmdp);
	KUNIT_EXPECT_TRUE_MSG(test, READ_ONCE(c->left),
			      "did not wait for a walker with interrupts off");
	pmd_populate(c->mm, pmdp, pmd_pgtable(pmd));
	spin_unlock(ptl);
	mmap_write_unlock(c->mm);
	walker_stop(c);
	KUNIT_EXPECT_TRUE(test, c->saw_change);
	expect_promises(c);
	finish(c);
#else
	kunit_skip(test, "not the hash MMU");
#endif
}

static struct kunit_case pgtable_walk_cases[] = {
	KUNIT_CASE(fault_irqs_off),
	KUNIT_CASE(fault_rcu),
	KUNIT_CASE(fault_gup_fast),
	KUNIT_CASE(unmap_irqs_off),
	KUNIT_CASE(unmap_rcu),
	KUNIT_CASE(unmap_gup_fast),
	KUNIT_CASE(retract_irqs_off),
	KUNIT_CASE(retract_rcu),
	KUNIT_CASE(split_irqs_off),
	KUNIT_CASE(split_rcu),
	KUNIT_CASE(split_gup_fast),
	KUNIT_CASE(collapse_irqs_off),
	KUNIT_CASE(collapse_rcu),
	KUNIT_CASE(collapse_gup_fast),
	KUNIT_CASE(collapse_file_irqs_off),
	KUNIT_CASE(collapse_file_rcu),
	KUNIT_CASE(collapse_file_gup_fast),
	KUNIT_CASE(zap_irqs_off),
	KUNIT_CASE(zap_rcu),
	KUNIT_CASE(zap_gup_fast),
	KUNIT_CASE(protect_irqs_off),
	KUNIT_CASE(protect_rcu),
	KUNIT_CASE(protect_gup_fast),
	KUNIT_CASE(protect_huge_irqs_off),
	KUNIT_CASE(protect_huge_rcu),
	KUNIT_CASE(protect_huge_gup_fast),
	KUNIT_CASE(move_irqs_off),
	KUNIT_CASE(move_rcu),
	KUNIT_CASE(move_gup_fast),
	KUNIT_CASE(move_huge_irqs_off),
	KUNIT_CASE(move_huge_rcu),
	KUNIT_CASE(move_huge_gup_fast),
	KUNIT_CASE(migrate_irqs_off),
	KUNIT_CASE(migrate_rcu),
	KUNIT_CASE(migrate_gup_fast),
	KUNIT_CASE(migrate_huge_irqs_off),
	KUNIT_CASE(migrate_huge_rcu),
	KUNIT_CASE(migrate_huge_gup_fast),
	KUNIT_CASE(hash_collapse_flush_waits),
	{}
};

static struct kunit_suite pgtable_walk_suite = {
	.name = "pgtable_walk",
	.suite_init = pgt_print_geometry,
	.test_cases = pgtable_walk_cases,
};

kunit_test_suite(pgtable_walk_suite);

MODULE_DESCRIPTION("KUnit tests for walks of user page tables without a lock");
MODULE_LICENSE("GPL");
