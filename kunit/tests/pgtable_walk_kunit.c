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
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include <asm/tlb.h>
#ifdef CONFIG_PPC_BOOK3S_64
#include <asm/pte-walk.h>
#define hash_mmu()	(!radix_enabled())
#else
#define hash_mmu()	false
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

/*
 * A walker that runs does so for that long, longer for many events if they are
 * rare, and in any case for some: MAX is only to end at all.
 */
#define PGT_RUN		(HZ / 10)
#define PGT_RUN_MANY	50
#define PGT_RUN_LONG	(HZ / 2)
#define PGT_RUN_SOME	3
#define PGT_RUN_MAX	(30 * HZ)
#define PGT_RUN_WALKS	4	/* between one event and the next */
/* In microseconds, between walks whose references would keep off what is to happen */
#define PGT_RUN_PAUSE	20

/*
 * How long a walker that is held stays at most; with interrupts off, once more
 * after an entry has changed. Then clocks may stand still: hence the passes.
 */
#define PGT_HOLD_RCU		(4ULL * NSEC_PER_SEC)
#define PGT_HOLD_IRQS_OFF	(300 * NSEC_PER_MSEC)
#define PGT_HOLD_PASSES		60000
#define PGT_HOLDS		5

/* What a walk comes upon at a PMD entry; NOTHING may be a huge page in migration. */
enum kind { NOTHING, TABLE, LEAF };

struct look {
	enum kind kind;
	pmd_t *pmdp;		/* NULL if the walk does not tell */
	pmd_t pmd;		/* as read, once */
	struct page *table;	/* the page of the PTE table */
	pte_t *ptep;
	pte_t pte;		/* as read, once */
	spinlock_t *ptl;	/* of the table; NULL if the walk does not tell */
	struct page *page;	/* that is mapped, by whichever entry */
	bool mapped;		/* for pte_unmap() */
};

enum walk { walk_irqs_off, walk_rcu, walk_gup_fast };

struct event;

/* What a test has: the walker looks at some of it. */
struct ctx {
	struct kunit *test;
	struct mm_struct *mm;
	struct file *file;
	const struct event *event;
	enum walk walk;
	bool fresh, whole;	/* see struct event */
	struct pgt_witness *witness[2];	/* of the tables, for one that is held */

	/*
	 * Each page that is mapped has a stamp, which says when that was and where.
	 * A walk may find those from @oldest, as it was when the walk began, to
	 * @newest, as it is when the page has been read.
	 */
	unsigned int oldest, newest;

	/* The walker */
	struct task_struct *task;
	unsigned int cpu;
	struct completion inside;
	bool hold, done;

	/* What it has seen */
	unsigned long walks, found;
	/* if held: the page there before the event, another one, and the last */
	struct page *before, *other, *last;
	bool saw_end, saw_change, stale, locked, pause;
	/* And what it must not see */
	unsigned int untyped, foreign, freed, gaps, third, dead, table_to_leaf;
};

/**
 * struct event - what happens to the page tables
 * @before: bring the tables about
 * @happen: returns whether it did happen
 * @undo: as it was after @before; may fail
 * @huge: needs huge pages
 * @file: is about a file
 * @fresh: pages that have no stamp yet get mapped
 * @whole: a table that is found has all of its entries
 * @waits: does not go on before each walker with interrupts off has left
 * @collapse: needs huge pages that can be used, for it is khugepaged's
 * @load: goes by which CPUs have the mm loaded
 * @alone: fails if a walker has a reference on a page
 * @reverts: entries may be the same again afterwards, or move with their table
 */
struct event {
	void (*before)(struct ctx *c);
	bool (*happen)(struct ctx *c);
	void (*undo)(struct ctx *c);
	bool huge, file, fresh, whole, waits, collapse, load, alone, reverts;
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
	if (pmd_present(pmd) && pmd_leaf(pmd)) {
		l->kind = LEAF;
		l->page = pmd_page(pmd) + ((addr & ~PMD_MASK) >> PAGE_SHIFT);
	}
}

static struct page *mapped_page(pte_t pte)
{
	return pte_present(pte) && pfn_valid(pte_pfn(pte)) ? pte_page(pte) : NULL;
}

static void saw_pte(struct look *l, pte_t *ptep, struct page *table)
{
	l->kind = TABLE;
	l->table = table;
	l->ptep = ptep;
	l->pte = ptep_get_lockless(ptep);
	l->page = mapped_page(l->pte);
}

/* Neither what a walker may find in its table nor none. */
static bool foreign_pte(pte_t pte)
{
	if (pte_present(pte))
		return !mapped_page(pte);
	return !pte_none(pte) && !softleaf_is_migration(softleaf_from_pte(pte));
}

static void look(struct ctx *c, unsigned long addr, struct look *l)
{
	pmd_t *pmdp, pmd;
	pte_t *ptep;

	memset(l, 0, sizeof(*l));
#ifdef CONFIG_PPC_BOOK3S_64
	if (c->walk == walk_irqs_off) {
		unsigned int shift;

		/* The value is read once, and not before this has returned. */
		ptep = find_linux_pte(c->mm->pgd, addr, NULL, &shift);
		if (ptep && shift)
			saw_pmd(l, (pmd_t *)ptep, READ_ONCE(*(pmd_t *)ptep), addr);
		else if (ptep)
			saw_pte(l, ptep, virt_to_page(ptep));
		return;
	}
#endif
	pmdp = walk_to_pmd(c->mm, addr);
	if (!pmdp)
		return;
	/* Rather than pte_offset_map(), as it tells which entry it went by */
	ptep = pte_offset_map_rw_nolock(c->mm, pmdp, addr, &pmd, &l->ptl);
	saw_pmd(l, pmdp, pmd, addr);
	if (ptep) {
		saw_pte(l, ptep, pmd_page(pmd));
		l->mapped = true;
	}
}

static void unlook(struct look *l)
{
	if (l->mapped)
		pte_unmap(l->ptep);
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

	if (l->kind != TABLE)
		return;
	c->untyped += !PageTable(l->table);
	c->foreign += foreign_pte(l->pte);
	if (c->whole && pte_none(l->pte)) {
		/* Collapse clears the entries of a table that it has unlinked. */
		look(c, addr, &again);
		c->gaps += again.kind == TABLE && again.table == l->table && pte_none(again.pte);
		unlook(&again);
	}
}

/* A page that somebody has a reference on: is it one that the walk may find? */
static void check_stamp(struct ctx *c, struct page *page, unsigned int oldest)
{
	unsigned int *mem = kmap_local_page(page), stamp = READ_ONCE(*mem), newest;

	kunmap_local(mem);
	/* Pairs with stamp_pages_at(). */
	smp_rmb();
	newest = READ_ONCE(c->newest);
	c->found++;
	if (!stamp && c->fresh)
		return;
	if (stamp % PGT_PAGES != c->walks % PGT_PAGES || stamp / PGT_PAGES < oldest ||
	    stamp / PGT_PAGES > newest)
		c->third++;
}

/* What gup_fast() does with a page: get a reference, look again, use it. */
static void check_page(struct ctx *c, struct look *l, unsigned int oldest)
{
	struct folio *folio = page_folio(l->page);

	if (!folio_try_get(folio)) {
		c->dead += unchanged(l);
		return;
	}
	if (unchanged(l) && page_folio(l->page) == folio)
		check_stamp(c, l->page, oldest);
	folio_put(folio);
}

/* The walker that runs */
static void run_inside(struct ctx *c)
{
	unsigned long addr = page_addr(PGT_ADDR, c->walks % PGT_PAGES);
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
			check_page(c, &l, oldest);
		unlook(&l);
	}
}

/* There may be one page before the event and one after it. */
static void remember(struct ctx *c, struct page *page)
{
	if (!page || page == c->before)
		return;
	c->other = c->other ?: page;
	c->third += page != c->other;
}

/* The walker that is held: it takes no references, or the event might not happen. */
static void hold_inside(struct ctx *c)
{
	bool irqs_off = c->walk == walk_irqs_off;
	u64 max = irqs_off ? PGT_HOLD_IRQS_OFF : PGT_HOLD_RCU;
	u64 end = ktime_get_mono_fast_ns() + max;
	struct look first, l;
	unsigned int i, passes = 0;
	pte_t pte;

	/* It stays mapped: so there must be no way out but the one below. */
	look(c, PGT_ADDR, &first);
	check_look(c, PGT_ADDR, &first);
	remember(c, first.page);
	complete(&c->inside);
	do {
		/* Pairs with walker_end(). */
		c->saw_end = smp_load_acquire(&c->done);
		look(c, PGT_ADDR, &l);
		check_look(c, PGT_ADDR, &l);
		remember(c, l.page);
		c->last = l.page;
		c->table_to_leaf += first.kind == TABLE && l.kind == LEAF;
		if (l.kind != first.kind && !c->saw_change) {
			c->saw_change = true;
			if (irqs_off && c->event->waits) {
				end = ktime_get_mono_fast_ns() + max;
				passes = 0;
			}
		}
		unlook(&l);

		/* The table that it reached: linked or not, it is there. */
		if (first.kind == TABLE) {
			pte = ptep_get_lockless(first.ptep);
			c->untyped += !PageTable(first.table);
			c->foreign += foreign_pte(pte);
			remember(c, mapped_page(pte));
		}
		c->locked = !first.ptl;
		if (first.ptl && spin_trylock(first.ptl)) {
			spin_unlock(first.ptl);
			c->locked = true;
		}
		for (i = 0; i < ARRAY_SIZE(c->witness); i++)
			c->freed += c->witness[i] && (pgt_freed(c->witness[i]) ||
						      pgt_destructed(c->witness[i]));
		udelay(1);
		passes += irqs_off;
	} while (!c->saw_end && passes < PGT_HOLD_PASSES && ktime_get_mono_fast_ns() < end);

	c->stale = first.page && unchanged(&first);
	unlook(&first);
}

static void run_gup_fast(struct ctx *c)
{
	unsigned long addr = page_addr(PGT_ADDR, c->walks % PGT_PAGES);
	/* Pairs with stamp_pages_at() and unmapped(). */
	unsigned int oldest = smp_load_acquire(&c->oldest);
	struct page *page;

	if (get_user_page_fast_only(addr, 0, &page)) {
		check_stamp(c, page, oldest);
		put_page(page);
	}
}

static void section(struct ctx *c)
{
	void (*inside)(struct ctx *c) = c->hold ? hold_inside : run_inside;
	unsigned long flags;

	if (c->walk == walk_gup_fast) {
		run_gup_fast(c);
	} else if (c->walk == walk_rcu) {
		rcu_read_lock();
		inside(c);
		rcu_read_unlock();
	} else {
		local_irq_save(flags);
		inside(c);
		local_irq_restore(flags);
	}
}

/*
 * One that runs has the mm loaded, as most walkers do. One that is held does not:
 * so no TLB flush waits for it, nothing does but what has to.
 */
static int walker_fn(void *data)
{
	struct ctx *c = data;
	bool load = !c->hold || c->event->load;

	if (load)
		pgt_mm_use(c->mm);
	/* Or somebody may have to wait for this CPU in lru_add_drain_all(). */
	lru_add_drain();
	do {
		section(c);
		WRITE_ONCE(c->walks, c->walks + 1);
		if (READ_ONCE(c->pause))
			udelay(PGT_RUN_PAUSE);
		cond_resched();
	} while (!c->hold && !READ_ONCE(c->done));
	if (load)
		pgt_mm_unuse(c->mm);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static void walker_end(void *data)
{
	struct ctx *c = data;

	/* Pairs with hold_inside(). */
	smp_store_release(&c->done, true);
	kthread_stop(c->task);
}

static void walker_start(struct ctx *c, bool hold)
{
	c->hold = hold;
	c->done = false;
	init_completion(&c->inside);
	c->task = kthread_run_on_cpu(walker_fn, c, c->cpu, "pgt_walker/%u");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(c->test, c->task);
	KUNIT_ASSERT_EQ(c->test, 0, kunit_add_action_or_reset(c->test, walker_end, c));
	if (hold)
		wait_for_completion(&c->inside);
}

/* -- Events: the test has the mm in use -- */

/* Let the walker that runs have a look at what there is now. */
static void let_walk(struct ctx *c)
{
	unsigned long walks = READ_ONCE(c->walks) + PGT_RUN_WALKS;
	unsigned long end = jiffies + PGT_RUN;

	while (!c->hold && READ_ONCE(c->walks) < walks && time_before(jiffies, end))
		cpu_relax();
}

/* Which page is there? Only the test changes that. */
static struct page *page_at(struct ctx *c)
{
	unsigned long flags;
	struct look l;

	local_irq_save(flags);
	look(c, PGT_ADDR, &l);
	unlook(&l);
	local_irq_restore(flags);
	return l.page;
}

static bool is_huge(struct ctx *c, unsigned long addr)
{
	pmd_t pmd = pmdp_get_lockless(pgt_pmd(c->test, c->mm, addr));

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

static void stamp_pages_at(struct ctx *c, unsigned long to)
{
	unsigned int i, stamp, next = c->newest + 1;

	WRITE_ONCE(c->newest, next);
	/* Pairs with check_stamp(). */
	smp_wmb();
	for (i = 0; i < PGT_PAGES; i++) {
		unsigned long addr = page_addr(to, i), left;

		stamp = next * PGT_PAGES + i;
		if (only_entries() && is_huge(c, addr))
			left = sizeof(stamp) - access_remote_vm(c->mm, addr, &stamp,
								sizeof(stamp), FOLL_WRITE);
		else
			left = put_user(stamp, (unsigned int __user *)addr);
		KUNIT_ASSERT_EQ(c->test, 0, left);
	}
	/* Pairs with run_inside() and run_gup_fast(). */
	smp_store_release(&c->oldest, next);
}

static bool stamp_pages(struct ctx *c)
{
	stamp_pages_at(c, PGT_ADDR);
	return true;
}

/* From now on nobody may find the pages stamped last. */
static void unmapped(struct ctx *c)
{
	/* Pairs with run_inside() and run_gup_fast(). */
	smp_store_release(&c->oldest, c->newest + 1);
}

static int advise(struct ctx *c, int behavior)
{
	return do_madvise(c->mm, PGT_ADDR, PMD_SIZE, behavior);
}

/* Without THP there is no such advice, and no need for it. */
static void no_huge_pages(struct ctx *c)
{
	KUNIT_ASSERT_EQ(c->test, advise(c, MADV_NOHUGEPAGE),
			IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) ? 0 : -EINVAL);
}

static void map_small(struct ctx *c)
{
	pgt_map(c->test, c->file, PGT_ADDR, PMD_SIZE);
	no_huge_pages(c);
}

static void fault_small(struct ctx *c)
{
	map_small(c);
	stamp_pages(c);
}

static void map_table(struct ctx *c)
{
	pgt_map(c->test, c->file, PGT_ADDR, PMD_SIZE);
	pgt_pte_table(c->test, c->mm, PGT_ADDR);
}

/* Small pages that may be collapsed. */
static void fault_table(struct ctx *c)
{
	map_table(c);
	stamp_pages(c);
}

static bool collapse(struct ctx *c)
{
	return !advise(c, MADV_COLLAPSE) && is_huge(c, PGT_ADDR);
}

/* What a fault does, without deferred_split_folio(), which is not ready there. */
static void fault_huge_entry(struct ctx *c)
{
#ifdef CONFIG_TRANSPARENT_HUGEPAGE
	struct folio *folio = folio_alloc(GFP_HIGHUSER_MOVABLE | __GFP_ZERO, HPAGE_PMD_ORDER);
	pmd_t *pmdp = pgt_pmd(c->test, c->mm, PGT_ADDR), pmd;
	pgtable_t table = NULL;
	struct vm_area_struct *vma;
	spinlock_t *ptl = NULL;

	mmap_write_lock(c->mm);
	vma = vma_lookup(c->mm, PGT_ADDR);
	if (folio && !anon_vma_prepare(vma) && !mem_cgroup_charge(folio, c->mm, GFP_KERNEL))
		table = pte_alloc_one(c->mm);
	if (table) {
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
	} else if (folio) {
		folio_put(folio);
	}
	mmap_write_unlock(c->mm);
	KUNIT_ASSERT_NOT_NULL(c->test, table);
#endif
}

static void fault_huge(struct ctx *c)
{
	pgt_map(c->test, c->file, PGT_ADDR, PMD_SIZE);
	KUNIT_ASSERT_EQ(c->test, 0, advise(c, MADV_HUGEPAGE));
	if (only_entries())
		fault_huge_entry(c);
	stamp_pages(c);
	if (!is_huge(c, PGT_ADDR))
		collapse(c);
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
	if (IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE))
		retract_page_tables(c->file->f_mapping, 0);
	return pmd_none(*pgt_pmd(c->test, c->mm, PGT_ADDR));
}

static void split_pmd(struct ctx *c)
{
	struct vm_area_struct *vma;

	mmap_write_lock(c->mm);
	vma = vma_lookup(c->mm, PGT_ADDR);
	vma_start_write(vma);
	split_huge_pmd_address(vma, PGT_ADDR, false);
	mmap_write_unlock(c->mm);
}

static bool split_leaf(struct ctx *c)
{
	if (!is_huge(c, PGT_ADDR))
		return false;
	split_pmd(c);
	return !is_huge(c, PGT_ADDR);
}

/* Of a file's, that is: the huge page stays in the page cache. */
static void uncollapse_file(struct ctx *c)
{
	split_pmd(c);
	pgt_pte_table(c->test, c->mm, PGT_ADDR);
	stamp_pages(c);
}

/*
 * The file has a huge page, and a table maps it: collapse has to remove only this
 * one. Where others map the file, it does what retract() does.
 */
static void fault_parts(struct ctx *c)
{
	fault_table(c);
	collapse(c);
	uncollapse_file(c);
}

static bool zap(struct ctx *c)
{
	if (!is_huge(c, PGT_ADDR))
		return false;
	unfault(c);
	no_huge_pages(c);
	stamp_pages(c);
	return !is_huge(c, PGT_ADDR);
}

static void unsplit(struct ctx *c)
{
	if (only_entries())
		fault_huge(c);
	else
		collapse(c);
}

static bool protect(struct ctx *c)
{
	int i, err = 0;

	/* Take the permission to write away, and give it back. */
	mmap_write_lock(c->mm);
	for (i = 0; i < 2 && !err; i++) {
		struct vm_area_struct *vma, *prev = NULL;	/* the lowest VMA */
		struct mmu_gather tlb;

		VMA_ITERATOR(vmi, c->mm, PGT_ADDR);

		vma = vma_lookup(c->mm, PGT_ADDR);
		tlb_gather_mmu(&tlb, c->mm);
		err = mprotect_fixup(&vmi, &tlb, vma, &prev, PGT_ADDR,
				     PGT_ADDR + PMD_SIZE, vma->vm_flags ^ VM_WRITE);
		tlb_finish_mmu(&tlb);
	}
	mmap_write_unlock(c->mm);
	/* Which faults, unless a PMD entry that is writable again does not. */
	stamp_pages(c);
	return !err;
}

static bool move(struct ctx *c, unsigned long from, unsigned long to)
{
	PAGETABLE_MOVE(pmc, NULL, NULL, from, to, PMD_SIZE);
	bool moved;

	mmap_write_lock(c->mm);
	pmc.old = vma_lookup(c->mm, from);
	pmc.new = vma_lookup(c->mm, to);
	moved = move_page_tables(&pmc) == PMD_SIZE;
	mmap_write_unlock(c->mm);
	return moved;
}

static bool move_away(struct ctx *c)
{
	bool moved;

	pgt_map(c->test, NULL, PGT_TO, PMD_SIZE);
	moved = move(c, PGT_ADDR, PGT_TO);
	unmapped(c);
	return moved;
}

static void move_back(struct ctx *c)
{
	/* They may be found again, but not with the stamp that they had. */
	stamp_pages_at(c, PGT_TO);
	move(c, PGT_TO, PGT_ADDR);
}

static struct folio *new_folio(struct folio *src, unsigned long private)
{
	return folio_alloc(GFP_HIGHUSER_MOVABLE, folio_order(src));
}

static bool migrate(struct ctx *c)
{
	struct page *page = page_at(c);
	LIST_HEAD(list);
	bool done;

	lru_add_drain();
	/* Once only, if both pages are of one folio */
	if (!page || !isolate_folio_to_list(page_folio(page), &list))
		return false;
	done = !migrate_pages(&list, new_folio, NULL, 0, MIGRATE_SYNC, MR_SYSCALL, NULL);
	if (!done)
		putback_movable_pages(&list);
	done = done && page_at(c) != page;
	let_walk(c);
	/* So that the page that was there before is the wrong one from now on. */
	stamp_pages(c);
	return done;
}

static bool migrate_huge(struct ctx *c)
{
	return is_huge(c, PGT_ADDR) && migrate(c) && is_huge(c, PGT_ADDR);
}

/*
 * hash_page() goes on to write what it found into the hash table: so nobody may be
 * left who found the small pages' table when the hash is flushed. That is before
 * khugepaged's own IPI.
 */
static bool flush(struct ctx *c)
{
	struct vm_area_struct *vma;
	pmd_t *pmdp = pgt_pmd(c->test, c->mm, PGT_ADDR), pmd;
	spinlock_t *ptl = NULL;

	if (!IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE))
		return false;
	mmap_write_lock(c->mm);
	vma = vma_lookup(c->mm, PGT_ADDR);
	ptl = pmd_lock(c->mm, pmdp);
	pmd = pmdp_collapse_flush(vma, PGT_ADDR, pmdp);
	pmd_populate(c->mm, pmdp, pmd_pgtable(pmd));
	spin_unlock(ptl);
	mmap_write_unlock(c->mm);
	return true;
}

static const struct event
	fault_event = { map_small, stamp_pages, unfault, .fresh = true },
	unmap_event = { fault_small, unmap, fault_small, .fresh = true },
	retract_event = { map_table, retract, map_table, .file = true },
	split_event = { fault_huge, split_leaf, unsplit, .huge = true, .whole = true },
	collapse_event = { fault_table, collapse, split_pmd, .huge = true, .whole = true,
			   .waits = true, .collapse = true, .alone = true },
	collapse_file_event = { fault_parts, collapse, uncollapse_file, .huge = true,
				.file = true, .collapse = true, .alone = true },
	zap_event = { fault_huge, zap, fault_huge, .huge = true, .fresh = true },
	protect_event = { fault_small, protect, .reverts = true },
	protect_huge_event = { fault_huge, protect, .huge = true, .reverts = true },
	move_event = { fault_small, move_away, move_back, .reverts = true },
	move_huge_event = { fault_huge, move_away, move_back, .huge = true },
	migrate_event = { fault_small, migrate, .alone = true },
	migrate_huge_event = { fault_huge, migrate_huge, .huge = true, .alone = true },
	flush_event = { fault_table, flush, .huge = true, .waits = true, .load = true };

/* -- The tests -- */

static void expect_promises(struct ctx *c)
{
	struct kunit *test = c->test;

	KUNIT_EXPECT_EQ_MSG(test, c->untyped, 0, "a table that is none, or no longer");
	KUNIT_EXPECT_EQ_MSG(test, c->foreign, 0, "entries that nobody has set");
	KUNIT_EXPECT_EQ_MSG(test, c->freed, 0, "table freed under the walker");
	KUNIT_EXPECT_EQ_MSG(test, c->gaps, 0, "a table without its entries");
	KUNIT_EXPECT_EQ_MSG(test, c->third, 0, "a page that was not mapped there then");
	KUNIT_EXPECT_EQ_MSG(test, c->dead, 0, "a free page that is mapped");
	if (c->walk == walk_irqs_off && c->event->waits)
		KUNIT_EXPECT_EQ_MSG(test, c->table_to_leaf, 0,
				    "a leaf instead of a table with interrupts off");
}

/* One event in one section of the walker. Returns false if too slow to tell. */
static bool hold_once(struct ctx *c)
{
	struct kunit *test = c->test;
	pmd_t *pmd = pgt_pmd(test, c->mm, PGT_ADDR);
	struct page *after, *upper = compound_head(virt_to_page(pmd));
	bool happened;

	memset(c->witness, 0, sizeof(c->witness));
	if (pmd_present(*pmd) && !pmd_leaf(*pmd))
		c->witness[0] = pgt_witness_table(test, pmd_page(*pmd));
	if (!mm_pmd_folded(c->mm) && PageTable(upper))
		c->witness[1] = pgt_witness_table(test, upper);
	c->before = page_at(c);
	c->other = NULL;
	c->saw_change = false;
	walker_start(c, true);
	happened = c->event->happen(c);
	after = page_at(c);
	kunit_release_action(test, walker_end, c);

	KUNIT_EXPECT_TRUE_MSG(test, happened, "event did not happen");
	if (c->other)
		KUNIT_EXPECT_PTR_EQ_MSG(test, c->other, after, "found a third page");
	if (c->walk == walk_irqs_off && c->event->waits) {
		KUNIT_EXPECT_FALSE_MSG(test, c->saw_end, "did not wait with interrupts off");
		return c->saw_change;
	}
	if (!c->saw_end)
		return false;
	KUNIT_EXPECT_PTR_EQ(test, c->last, after);
	KUNIT_EXPECT_TRUE_MSG(test, c->locked, "the lock of its table cannot be taken");
	KUNIT_EXPECT_TRUE_MSG(test, c->event->reverts || !c->stale,
			      "what was read first seems to be valid still");
	return true;
}

static void hold(struct ctx *c)
{
	bool told = false;
	int tries;

	c->whole = c->event->whole;
	for (tries = 0; !told && tries < PGT_HOLDS; tries++) {
		if (tries && c->event->undo)
			c->event->undo(c);
		told = hold_once(c);
	}
	/* It may wait for walkers with interrupts off, or, if @waits, has to. */
	if (c->walk == walk_rcu)
		KUNIT_EXPECT_TRUE_MSG(c->test, told, "the event waited for the walker to leave");
	else if (c->event->waits)
		KUNIT_EXPECT_TRUE_MSG(c->test, told, "the walker never saw the event begin");
	else if (!told)
		kunit_info(c->test, "the event waits for walkers with interrupts off\n");
}

/* Many events, many sections */
static void run(struct ctx *c)
{
	struct kunit *test = c->test;
	unsigned long begin = jiffies, time;
	int happened = 0;

	/* munmap() clears the entries of a table while it is linked. */
	c->whole = c->event->whole && !only_entries();
	walker_start(c, false);
	do {
		WRITE_ONCE(c->pause, c->event->alone);
		let_walk(c);
		happened += c->event->happen(c);
		let_walk(c);
		WRITE_ONCE(c->pause, true);	/* a split is undone by collapse */
		if (c->event->undo)
			c->event->undo(c);
		time = jiffies - begin;
	} while (time < PGT_RUN || (happened < PGT_RUN_MANY && time < PGT_RUN_LONG) ||
		 (happened < PGT_RUN_SOME && time < PGT_RUN_MAX));
	kunit_release_action(test, walker_end, c);

	KUNIT_EXPECT_GE_MSG(test, happened, PGT_RUN_SOME, "event did not happen");
	KUNIT_EXPECT_GT(test, c->event == &retract_event ? c->walks : c->found, 0);
	kunit_info(test, "%d events, %lu walks, %lu pages\n", happened, c->walks, c->found);
}

/* As a walker that is held, unless that is get_user_page_fast_only(); then as one that runs */
static void try(struct kunit *test, const struct event *event, enum walk walk)
{
	unsigned int cpu = pgt_other_cpu(test), i;

	if (!IS_ENABLED(CONFIG_MMU_GATHER_RCU_TABLE_FREE))
		kunit_skip(test, "tables are not freed by RCU");
	if (event->huge && !has_transparent_hugepage() && (event->collapse || !only_entries()))
		kunit_skip(test, "no huge pages on this machine");
	if (event == &retract_event && !IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE))
		kunit_skip(test, "needs THP");
	if (event == &migrate_event && !IS_ENABLED(CONFIG_MIGRATION))
		kunit_skip(test, "no migration");
	if (event == &migrate_huge_event && !thp_migration_supported())
		kunit_skip(test, "no migration of huge pages");
	if (walk == walk_gup_fast && !IS_ENABLED(CONFIG_HAVE_GUP_FAST))
		kunit_skip(test, "no gup_fast()");

	for (i = walk == walk_gup_fast; i < 2; i++) {
		struct ctx *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, c);
		c->test = test;
		c->cpu = cpu;
		c->event = event;
		c->walk = walk;
		/* Without collapse, a split is undone by munmap() and a new page. */
		c->fresh = event->fresh || only_entries();
		if (event->file)
			c->file = pgt_shmem_file(test, PMD_SIZE);
		c->mm = pgt_mm_create(test);
		pgt_mm_use(c->mm);
		event->before(c);
		if (i)
			run(c);
		else
			hold(c);
		expect_promises(c);
		pgt_mm_unuse(c->mm);
		pgt_mm_put(test, c->mm);
	}
}

#define WALK_TEST(what, how)						\
static void what##_##how(struct kunit *test)				\
{									\
	try(test, &what##_event, walk_##how);				\
}

/* For retract_page_tables() there must be no page, so gup_fast() finds none. */
WALK_TEST(fault, irqs_off) WALK_TEST(fault, rcu) WALK_TEST(fault, gup_fast)
WALK_TEST(unmap, irqs_off) WALK_TEST(unmap, rcu) WALK_TEST(unmap, gup_fast)
WALK_TEST(retract, irqs_off) WALK_TEST(retract, rcu)
WALK_TEST(split, irqs_off) WALK_TEST(split, rcu) WALK_TEST(split, gup_fast)
WALK_TEST(collapse, irqs_off) WALK_TEST(collapse, rcu) WALK_TEST(collapse, gup_fast)
WALK_TEST(collapse_file, irqs_off) WALK_TEST(collapse_file, rcu) WALK_TEST(collapse_file, gup_fast)
WALK_TEST(zap, irqs_off) WALK_TEST(zap, rcu) WALK_TEST(zap, gup_fast)
WALK_TEST(protect, irqs_off) WALK_TEST(protect, rcu) WALK_TEST(protect, gup_fast)
WALK_TEST(protect_huge, irqs_off) WALK_TEST(protect_huge, rcu) WALK_TEST(protect_huge, gup_fast)
WALK_TEST(move, irqs_off) WALK_TEST(move, rcu) WALK_TEST(move, gup_fast)
WALK_TEST(move_huge, irqs_off) WALK_TEST(move_huge, rcu) WALK_TEST(move_huge, gup_fast)
WALK_TEST(migrate, irqs_off) WALK_TEST(migrate, rcu) WALK_TEST(migrate, gup_fast)
WALK_TEST(migrate_huge, irqs_off) WALK_TEST(migrate_huge, rcu) WALK_TEST(migrate_huge, gup_fast)

static void hash_collapse_flush_waits(struct kunit *test)
{
	if (!hash_mmu())
		kunit_skip(test, "not the hash MMU");
	try(test, &flush_event, walk_irqs_off);
}

static struct kunit_case pgtable_walk_cases[] = {
	KUNIT_CASE(fault_irqs_off), KUNIT_CASE(fault_rcu), KUNIT_CASE(fault_gup_fast),
	KUNIT_CASE(unmap_irqs_off), KUNIT_CASE(unmap_rcu), KUNIT_CASE(unmap_gup_fast),
	KUNIT_CASE(retract_irqs_off), KUNIT_CASE(retract_rcu),
	KUNIT_CASE(split_irqs_off), KUNIT_CASE(split_rcu), KUNIT_CASE(split_gup_fast),
	KUNIT_CASE(collapse_irqs_off), KUNIT_CASE(collapse_rcu), KUNIT_CASE(collapse_gup_fast),
	KUNIT_CASE(collapse_file_irqs_off), KUNIT_CASE(collapse_file_rcu),
	KUNIT_CASE(collapse_file_gup_fast),
	KUNIT_CASE(zap_irqs_off), KUNIT_CASE(zap_rcu), KUNIT_CASE(zap_gup_fast),
	KUNIT_CASE(protect_irqs_off), KUNIT_CASE(protect_rcu), KUNIT_CASE(protect_gup_fast),
	KUNIT_CASE(protect_huge_irqs_off), KUNIT_CASE(protect_huge_rcu),
	KUNIT_CASE(protect_huge_gup_fast),
	KUNIT_CASE(move_irqs_off), KUNIT_CASE(move_rcu), KUNIT_CASE(move_gup_fast),
	KUNIT_CASE(move_huge_irqs_off), KUNIT_CASE(move_huge_rcu), KUNIT_CASE(move_huge_gup_fast),
	KUNIT_CASE(migrate_irqs_off), KUNIT_CASE(migrate_rcu), KUNIT_CASE(migrate_gup_fast),
	KUNIT_CASE(migrate_huge_irqs_off), KUNIT_CASE(migrate_huge_rcu),
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
