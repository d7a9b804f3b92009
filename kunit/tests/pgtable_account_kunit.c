// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for the accounting of page tables: each table is constructed
 * once and destructed once, on whichever path it goes, so that NR_PAGETABLE,
 * the number of split locks and mm_pgtables_bytes() come back to where they
 * were.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/cpumask.h>
#include <linux/ioport.h>
#include <linux/memory_hotplug.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/pgalloc.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>
#include <linux/vmstat.h>

#include <asm/tlb.h>
#if defined(CONFIG_X86_64) || defined(CONFIG_RISCV)
#include <asm/set_memory.h>
#endif

#include "../internal.h"
#include "../slab.h"
#include "pgtable_kunit.h"

/* Where the constructor can fail, and where it takes a lock from a cache. */
#if defined(CONFIG_SPLIT_PTE_PTLOCKS) && ALLOC_SPLIT_PTLOCKS
#define PGT_ALLOC_LOCKS	1
#else
#define PGT_ALLOC_LOCKS	0
#endif

/* X86_PAE has PMD tables from pgd_alloc() on; munmap() frees one of them. */
#define PGT_EARLY_BYTES		(IS_ENABLED(CONFIG_X86_PAE) ? PAGE_SIZE : 0)

/*
 * Split locks in use; -1 if they are not allocated, or if the count would be
 * off by what SLUB keeps per CPU, as it is without slab_debug=U,page->ptl.
 */
static long nr_locks(void)
{
	long nr = -1;
#if PGT_ALLOC_LOCKS
	struct slabinfo info = {};
	struct kmem_cache *s;

	mutex_lock(&slab_mutex);
	list_for_each_entry(s, &slab_caches, list) {
		if (!strcmp(s->name, "page->ptl") &&
		    kmem_cache_debug_flags(s, SLAB_STORE_USER)) {
			get_slabinfo(s, &info);
			nr = info.active_objs;
		}
	}
	mutex_unlock(&slab_mutex);
#endif
	return nr;
}

/* What has to come back. */
struct balance {
	long pages;
	long locks;
};

static struct balance get_balance(void)
{
	pgt_wait_for_frees();
	return (struct balance) {
		.pages = pgt_nr_pagetable(),
		.locks = nr_locks(),
	};
}

/* Others may still be at it, like khugepaged, which keeps an mm for a while. */
static void expect_balance(struct kunit *test, const char *what,
			   struct balance before)
{
	unsigned long end = jiffies + HZ;
	struct balance now = get_balance();

	while ((now.pages != before.pages || now.locks != before.locks) &&
	       time_before(jiffies, end)) {
		schedule_timeout_uninterruptible(HZ / 20);
		now = get_balance();
	}
	KUNIT_EXPECT_EQ_MSG(test, before.pages, now.pages,
			    "%s: NR_PAGETABLE", what);
	KUNIT_EXPECT_EQ_MSG(test, before.locks, now.locks, "%s: locks", what);
}

/* Allocate tables that no entry leads to, and free them again. */
static void alloc_and_free(struct kunit *test, bool tlb)
{
	const struct pgt_level *l;

	for (l = pgt_levels; l < pgt_levels + PGT_LEVELS; l++) {
		struct balance before = get_balance();
		struct pgt_witness *w = NULL;
		struct mm_struct *mm = pgt_mm_create(test);
		long empty = pgt_nr_pagetable();
		struct mmu_gather gather;
		void *tables[PGT_TABLES];
		int i;

		if (l->folded(mm)) {
			pgt_mm_put(test, mm);
			continue;
		}
		for (i = 0; i < PGT_TABLES; i++) {
			tables[i] = l->alloc(mm, i ? tables[i - 1] : NULL);
			KUNIT_ASSERT_NOT_NULL(test, tables[i]);
		}
		if (!PGT_POOLED) {
			w = pgt_witness_table(test, l->page(mm, tables[0]));
			KUNIT_EXPECT_GT_MSG(test, pgt_nr_pagetable(), empty,
					    "%s", l->name);
		}

		if (tlb) {
			tlb_gather_mmu(&gather, mm);
			for (i = 0; i < PGT_TABLES; i++)
				l->free_tlb(&gather, tables[i]);
			tlb_finish_mmu(&gather);
		} else {
			for (i = 0; i < PGT_TABLES; i++)
				l->free(mm, tables[i]);
		}
		pgt_mm_put(test, mm);
		expect_balance(test, l->name, before);
		if (w)
			pgt_expect_gone(test, w);
	}
}

/* p?d_free() and pte_free() */
static void free_balances(struct kunit *test)
{
	alloc_and_free(test, false);
}

/* p?d_free_tlb() and pte_free_tlb() */
static void free_tlb_balances(struct kunit *test)
{
	alloc_and_free(test, true);
}

/* The same, each table on its own for want of memory */
static void free_tlb_without_memory_balances(struct kunit *test)
{
	pgt_without_batch(test);
	alloc_and_free(test, true);
}

static void build_tree(struct kunit *test, struct mm_struct *mm)
{
	int i;

	for (i = 0; i < PGT_TABLES; i++)
		pgt_pte_table(test, mm, PGT_ADDR + i * PMD_SIZE);
}

/* No VMA: nobody but us knows of the tables. */
static void free_tree(struct mm_struct *mm)
{
	struct mmu_gather tlb;

	tlb_gather_mmu(&tlb, mm);
	free_pgd_range(&tlb, PGT_ADDR, PGT_ADDR + PGT_TABLES * PMD_SIZE,
		       FIRST_USER_ADDRESS, USER_PGTABLES_CEILING);
	tlb_finish_mmu(&tlb);
}

static void tree_balances(struct kunit *test)
{
	struct balance before = get_balance();
	struct mm_struct *mm = pgt_mm_create(test);
	unsigned long bytes = mm_pgtables_bytes(mm);

	build_tree(test, mm);
	KUNIT_EXPECT_GE(test, mm_pgtables_bytes(mm),
			bytes + PGT_TABLES * PTRS_PER_PTE * sizeof(pte_t));
	free_tree(mm);
	KUNIT_EXPECT_EQ(test, bytes - PGT_EARLY_BYTES, mm_pgtables_bytes(mm));
	pgt_mm_put(test, mm);
	expect_balance(test, "tree", before);
}

/* What munmap() does to all the levels of a tree */
static void munmap_balances(struct kunit *test)
{
	tree_balances(test);
}

static void munmap_without_memory_balances(struct kunit *test)
{
	pgt_without_batch(test);
	tree_balances(test);
}

/* Somebody else was faster: the entry is taken, the new table goes back. */
static void lost_race_balances(struct kunit *test)
{
	unsigned long addr = PGT_ADDR, bytes;
	struct balance before = get_balance(), tree;
	struct mm_struct *mm = pgt_mm_create(test);
	struct page *page;
	pgd_t *pgd;
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;

	build_tree(test, mm);
	pgd = pgd_offset(mm, addr);
	p4d = p4d_offset(pgd, addr);
	pud = pud_offset(p4d, addr);
	pmd = pmd_offset(pud, addr);
	page = pmd_page(*pmd);
	tree = get_balance();
	bytes = mm_pgtables_bytes(mm);

	if (!mm_p4d_folded(mm))
		KUNIT_EXPECT_EQ(test, 0, __p4d_alloc(mm, pgd, addr));
	if (!mm_pud_folded(mm))
		KUNIT_EXPECT_EQ(test, 0, __pud_alloc(mm, p4d, addr));
	if (!mm_pmd_folded(mm))
		KUNIT_EXPECT_EQ(test, 0, __pmd_alloc(mm, pud, addr));
	KUNIT_EXPECT_EQ(test, 0, __pte_alloc(mm, pmd));

	KUNIT_EXPECT_PTR_EQ(test, page, pmd_page(*pmd));
	KUNIT_EXPECT_EQ(test, bytes, mm_pgtables_bytes(mm));
	/* Packed tables may have needed one more page, kept for the next. */
	if (PTRS_PER_PMD * sizeof(pmd_t) >= PAGE_SIZE)
		expect_balance(test, "tree", tree);
	free_tree(mm);
	pgt_mm_put(test, mm);
	expect_balance(test, "mm", before);
}

#if PGT_ALLOC_LOCKS
static bool no_lock(struct ptdesc *ptdesc)
{
	return false;
}
#endif

/* The constructor fails: what was allocated is freed, and no more than that. */
static void failing_constructor_balances(struct kunit *test)
{
#if PGT_ALLOC_LOCKS
	int nr = IS_ENABLED(CONFIG_SPLIT_PMD_PTLOCKS) ? 2 : 1;
	int l, i;

	for (l = 0; l < nr; l++) {
		struct balance before = get_balance();
		struct mm_struct *mm = pgt_mm_create(test);

		if (pgt_levels[l].folded(mm)) {
			pgt_mm_put(test, mm);
			continue;
		}
		kunit_activate_static_stub(test, ptlock_alloc, no_lock);
		for (i = 0; i < PGT_TABLES; i++)
			KUNIT_EXPECT_NULL(test, pgt_levels[l].alloc(mm, NULL));
		kunit_deactivate_static_stub(test, ptlock_alloc);
		pgt_mm_put(test, mm);
		expect_balance(test, pgt_levels[l].name, before);
	}
#else
	kunit_skip(test, "no constructor can fail here");
#endif
}

/* That the other tests of the locks count what they mean to count */
static void locks_are_counted(struct kunit *test)
{
	struct mm_struct *mm = pgt_mm_create(test);
	long before = get_balance().locks;
	pgtable_t table;

	if (before < 0)
		kunit_skip(test, PGT_ALLOC_LOCKS ? "needs slab_debug=U,page->ptl" :
						   "locks are not allocated");
	table = pte_alloc_one(mm);
	KUNIT_ASSERT_TRUE(test, !!table);
	KUNIT_EXPECT_EQ(test, before + 1, nr_locks());
	pte_free(mm, table);
	pgt_mm_put(test, mm);
	pgt_wait_for_frees();
	KUNIT_EXPECT_EQ(test, before, nr_locks());
}

#if PGT_ALLOC_LOCKS
/* A PGD has no lock. Xen PV has something of its own in the same place. */
static void pgd_frees_no_lock(struct kunit *test, struct mm_struct *mm,
			      struct ptdesc *table)
{
#ifdef __pgd_alloc
	pgd_t *pgd = __pgd_alloc(mm, 0);
	long before = nr_locks();

	if (!pgd) {
		KUNIT_FAIL(test, "no memory");
		return;
	}
	virt_to_ptdesc(pgd)->ptl = table->ptl;
	__pgd_free(mm, pgd);
	if (nr_locks() < before) {
		KUNIT_FAIL(test, "a PGD freed a lock");
		table->ptl = NULL;
	}
#endif
}
#endif

/* A lock is freed once, and by no other table than the one that it is of. */
static void destructor_frees_own_lock(struct kunit *test)
{
#if PGT_ALLOC_LOCKS
	struct mm_struct *mm = pgt_mm_create(test);
	struct ptdesc *table;

	if (nr_locks() < 0)
		kunit_skip(test, "needs slab_debug=U,page->ptl");
	table = pagetable_alloc(GFP_KERNEL, 0);
	KUNIT_ASSERT_NOT_NULL(test, table);
	if (!pagetable_pte_ctor(mm, table)) {
		pagetable_free(table);
		KUNIT_FAIL_AND_ABORT(test, "no memory");
	}
	pgd_frees_no_lock(test, mm, table);

	pagetable_dtor(table);
	KUNIT_EXPECT_NULL(test, table->ptl);
	table->ptl = NULL;
	pagetable_free(table);
#else
	kunit_skip(test, "locks are not allocated");
#endif
}

/*
 * A thread that goes without an mm keeps the last one it had, and that keeps
 * its PGD: give it another one.
 */
static struct mm_struct *park(struct kunit *test, struct mm_struct *at)
{
	const struct cpumask *here = cpumask_of(raw_smp_processor_id());

	if (!at) {
		at = pgt_mm_create(test);
		KUNIT_ASSERT_EQ(test, 0, set_cpus_allowed_ptr(current, here));
	}
	pgt_mm_use(at);
	pgt_mm_unuse(at);
	return at;
}

/*
 * Faults: anonymous memory, with a table deposited where the page is huge, and
 * file memory, whose table is allocated before it is known to be needed.
 */
static void touch(struct kunit *test, struct mm_struct *mm, struct file *file)
{
	unsigned long len = 4 * PMD_SIZE, addr;
	u8 byte = 0;

	pgt_mm_use(mm);
	pgt_map(test, NULL, PGT_ADDR, len);
	pgt_map(test, file, PGT_ADDR + len, len);
	for (addr = PGT_ADDR; addr < PGT_ADDR + 2 * len; addr += PMD_SIZE) {
		void __user *p = (void __user *)addr;

		KUNIT_EXPECT_EQ(test, 0, copy_from_user(&byte, p, 1));
		KUNIT_EXPECT_EQ(test, 0, copy_to_user(p, &byte, 1));
	}
}

static void faults_and_munmap_balance(struct kunit *test)
{
	struct file *file = pgt_shmem_file(test, 4 * PMD_SIZE);
	struct mm_struct *parking = park(test, NULL), *mm;
	struct balance before = get_balance();
	unsigned long bytes;

	mm = pgt_mm_create(test);
	bytes = mm_pgtables_bytes(mm);
	touch(test, mm, file);
	KUNIT_EXPECT_GT(test, mm_pgtables_bytes(mm), bytes);
	KUNIT_EXPECT_EQ(test, 0, vm_munmap(PGT_ADDR, 8 * PMD_SIZE));
	KUNIT_EXPECT_EQ(test, bytes - PGT_EARLY_BYTES, mm_pgtables_bytes(mm));
	pgt_mm_unuse(mm);
	pgt_mm_put(test, mm);
	park(test, parking);
	expect_balance(test, "mm", before);
}

static void faults_and_exit_balance(struct kunit *test)
{
	struct file *file = pgt_shmem_file(test, 4 * PMD_SIZE);
	struct mm_struct *parking = park(test, NULL), *mm;
	struct balance before = get_balance();

	mm = pgt_mm_create(test);
	touch(test, mm, file);
	pgt_mm_unuse(mm);
	pgt_mm_put(test, mm);
	park(test, parking);
	expect_balance(test, "mm", before);
}

/*
 * Memory that comes and goes takes kernel tables along, some of which are
 * constructed and some not: it depends on the architecture, on what they map
 * and on whether they split a large page, as is done here on x86. No such
 * memory need exist, as nobody touches it.
 */
static void hot_remove_balances(struct kunit *test)
{
#if defined(CONFIG_ZONE_DEVICE) && \
	(defined(CONFIG_X86_64) || defined(CONFIG_ARM64) || defined(CONFIG_RISCV))
	struct range range = mhp_get_pluggable_range(true);
	unsigned long size = 1UL << PA_SECTION_SHIFT;
	struct dev_pagemap *pgmap = kunit_kzalloc(test, sizeof(*pgmap), GFP_KERNEL);
	bool split = !IS_ENABLED(CONFIG_X86_64);
	long before = 0, __maybe_unused mapped;
	struct resource *res;
	void *addr;
	int round;

	KUNIT_ASSERT_NOT_NULL(test, pgmap);
	/* At the top, where it has tables to itself */
	range.end = min_t(u64, range.end, iomem_resource.end);
	res = request_mem_region(ALIGN_DOWN(range.end + 1, size) - size, size,
				 "pgtable_kunit");
	KUNIT_ASSERT_NOT_NULL(test, res);
	pgmap->type = MEMORY_DEVICE_GENERIC;
	pgmap->range.start = res->start;
	pgmap->range.end = res->end;
	pgmap->nr_range = 1;

	/* The first round may leave upper tables that others then share. */
	for (round = 0; round < 4; round++) {
		if (round == 1)
			before = pgt_nr_pagetable();
		addr = memremap_pages(pgmap, numa_mem_id());
		if (IS_ERR(addr))
			break;
#ifdef CONFIG_X86_64
		mapped = pgt_nr_pagetable();
		KUNIT_EXPECT_EQ(test, 0, set_memory_4k((unsigned long)addr, 1));
		split = pgt_nr_pagetable() > mapped;
#elif defined(CONFIG_RISCV)
		/* Splits with a table that is not constructed. */
		KUNIT_EXPECT_EQ(test, 0, set_memory_rw((unsigned long)addr, 1));
#endif
		memunmap_pages(pgmap);
	}
	release_mem_region(res->start, size);
	KUNIT_ASSERT_FALSE(test, IS_ERR(addr));
	if (!split)
		kunit_skip(test, "no large page to split");
	KUNIT_EXPECT_EQ(test, before, pgt_nr_pagetable());
#else
	kunit_skip(test, "needs ZONE_DEVICE on x86_64, arm64 or riscv");
#endif
}

/*
 * Without this a warning that is suppressed is still the one that WARN_ON_ONCE()
 * prints, and the kernel's next would be lost.
 */
static void __maybe_unused skip_if_warns_once(struct kunit *test)
{
#ifndef __WARN_FLAGS
	kunit_skip(test, "would use up the warning");
#endif
}

#ifdef CONFIG_DEBUG_VM
/* A page that is, or was, a table that has no lock; accounted by the tests. */
static struct ptdesc *lockless_table(struct kunit *test)
{
	struct ptdesc *ptdesc = pagetable_alloc(GFP_KERNEL, 0);

	KUNIT_ASSERT_NOT_NULL(test, ptdesc);
	pagetable_pud_ctor(ptdesc);
	return ptdesc;
}

static void second_destructor_warns(struct kunit *test)
{
	long before = pgt_nr_pagetable();
	struct ptdesc *ptdesc = lockless_table(test);

	pgt_rearm_warnings(test);
	pagetable_dtor(ptdesc);
	kunit_warning_suppress(test) {
		pagetable_dtor(ptdesc);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	lruvec_stat_add_folio(ptdesc_folio(ptdesc), NR_PAGETABLE);
	pagetable_free(ptdesc);
	KUNIT_EXPECT_EQ(test, before, pgt_nr_pagetable());
}

static void missing_destructor_warns(struct kunit *test)
{
	long before = pgt_nr_pagetable();
	struct ptdesc *ptdesc;

	skip_if_warns_once(test);
	pgt_rearm_warnings(test);
	ptdesc = lockless_table(test);
	lruvec_stat_sub_folio(ptdesc_folio(ptdesc), NR_PAGETABLE);
	kunit_warning_suppress(test) {
		pagetable_free(ptdesc);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_EQ(test, before, pgt_nr_pagetable());
}
#else
static void second_destructor_warns(struct kunit *test)
{
	kunit_skip(test, "needs DEBUG_VM");
}

static void missing_destructor_warns(struct kunit *test)
{
	kunit_skip(test, "needs DEBUG_VM");
}
#endif

static void forgotten_deposit_warns(struct kunit *test)
{
#if defined(CONFIG_DEBUG_VM) && defined(CONFIG_SPLIT_PMD_PTLOCKS) && \
	defined(CONFIG_TRANSPARENT_HUGEPAGE)
	struct mm_struct *mm;
	pgtable_t table;
	pmd_t *pmd;

	skip_if_warns_once(test);
#ifdef CONFIG_PPC_BOOK3S_64
	if (!radix_enabled())
		kunit_skip(test, "deposits are not kept in a list");
#endif
	pgt_rearm_warnings(test);
	mm = pgt_mm_create(test);
	build_tree(test, mm);
	pmd = pgt_pmd(test, mm, PGT_ADDR);
	table = pte_alloc_one(mm);
	KUNIT_ASSERT_TRUE(test, !!table);
	spin_lock(pmd_lockptr(mm, pmd));
	pgtable_trans_huge_deposit(mm, pmd, table);
	spin_unlock(pmd_lockptr(mm, pmd));
	mmgrab(mm);
	kunit_warning_suppress(test) {
		free_tree(mm);
		/* Which has a reference on the page where PMD tables share one. */
		pgt_mm_put(test, mm);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	pte_free(mm, table);
	mmdrop(mm);
#else
	kunit_skip(test, "needs DEBUG_VM, THP and split PMD locks");
#endif
}

static struct kunit_case pgtable_account_cases[] = {
	KUNIT_CASE(locks_are_counted),
	KUNIT_CASE(destructor_frees_own_lock),
	KUNIT_CASE(free_balances),
	KUNIT_CASE(free_tlb_balances),
	KUNIT_CASE(free_tlb_without_memory_balances),
	KUNIT_CASE(munmap_balances),
	KUNIT_CASE(munmap_without_memory_balances),
	KUNIT_CASE(lost_race_balances),
	KUNIT_CASE(failing_constructor_balances),
	KUNIT_CASE(faults_and_munmap_balance),
	KUNIT_CASE(faults_and_exit_balance),
	KUNIT_CASE(hot_remove_balances),
	KUNIT_CASE(second_destructor_warns),
	KUNIT_CASE(missing_destructor_warns),
	KUNIT_CASE(forgotten_deposit_warns),
	{}
};

/* The first mm may take kernel tables, for per-CPU memory, that then stay. */
static int pgtable_account_init(struct kunit_suite *suite)
{
	struct mm_struct *mm = mm_alloc();

	if (!mm)
		return -ENOMEM;
	mmput(mm);
	return pgt_print_geometry(suite);
}

static struct kunit_suite pgtable_account_suite = {
	.name = "pgtable_account",
	.suite_init = pgtable_account_init,
	.test_cases = pgtable_account_cases,
};

kunit_test_suite(pgtable_account_suite);

MODULE_DESCRIPTION("KUnit tests for the accounting of page tables");
MODULE_LICENSE("GPL");
