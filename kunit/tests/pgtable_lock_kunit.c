// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for the locks of user page tables: which lock guards a table, and
 * who takes it.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/highmem.h>
#include <linux/hugetlb.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/leafops.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>

#include "../internal.h"
#include "pgtable_kunit.h"

/* More tables than fit one page on any architecture: 256 on powerpc. */
#define NR_TABLES	260

/* How long to wait for another CPU before giving up on it. */
#define PATIENCE	(2 * HZ)

/* What pte_lockptr() must come to, by way of the PMD entry. */
static spinlock_t *pte_lock_of(struct mm_struct *mm, pmd_t pmdval)
{
#ifdef CONFIG_SPLIT_PTE_PTLOCKS
	return ptlock_ptr(page_ptdesc(pmd_page(pmdval)));
#else
	return &mm->page_table_lock;
#endif
}

/* And pmd_lockptr(), by way of the first entry of the PMD table. */
static spinlock_t *pmd_lock_of(struct mm_struct *mm, pud_t *pud)
{
#ifdef CONFIG_SPLIT_PMD_PTLOCKS
	return ptlock_ptr(virt_to_ptdesc(pmd_offset(pud, PGT_ADDR & PUD_MASK)));
#else
	return &mm->page_table_lock;
#endif
}

static bool is_locked(spinlock_t *lock)
{
	if (!spin_trylock(lock))
		return true;
	spin_unlock(lock);
	return false;
}

/* An mm with @nr PTE tables side by side and nothing in them. */
static struct mm_struct *mm_with_tables(struct kunit *test, int nr)
{
	struct mm_struct *mm;
	int i;

	if ((u64)nr * PMD_SIZE > TASK_SIZE - PGT_ADDR)
		kunit_skip(test, "address space too small");

	mm = pgt_mm_create(test);
	pgt_mm_use(mm);
	pgt_map(test, NULL, PGT_ADDR, nr * PMD_SIZE);
	pgt_mm_unuse(mm);
	for (i = 0; i < nr; i++)
		pgt_pte_table(test, mm, PGT_ADDR + i * PMD_SIZE);
	return mm;
}

static pud_t *pud_of(struct mm_struct *mm, unsigned long addr)
{
	return pud_offset(p4d_offset(pgd_offset(mm, addr), addr), addr);
}

static pmd_t *pmd_of(struct mm_struct *mm, unsigned long addr)
{
	return pmd_offset(pud_of(mm, addr), addr);
}

/* All of a table's entries have the lock that the PMD entry leads to. */
static void every_entry_has_its_tables_lock(struct kunit *test)
{
	struct mm_struct *mm = mm_with_tables(test, 1);
	pmd_t *pmd = pmd_of(mm, PGT_ADDR);
	spinlock_t *expected = pte_lock_of(mm, *pmd);
	int wrong = 0, absent = 0, other = 0;
	unsigned long addr;
	u8 val;

	/* Nothing is expected with a lock held: a failure allocates memory. */
	pgt_mm_use(mm);
	for (addr = PGT_ADDR; addr < PGT_ADDR + PMD_SIZE; addr += PAGE_SIZE) {
		spinlock_t *ptl = NULL;
		pte_t *pte;

		KUNIT_ASSERT_EQ(test, 0, get_user(val, (u8 __user *)addr));
		pte = pte_offset_map_lock(mm, pmd, addr, &ptl);
		KUNIT_ASSERT_NOT_NULL(test, pte);
		wrong += ptl != expected;
		absent += val || !pte_present(ptep_get(pte));
#ifndef CONFIG_HIGHPTE
		other += pte_lockptr(mm, pte) != expected;
#endif
		pte_unmap_unlock(pte, ptl);
	}
	pgt_mm_unuse(mm);
	KUNIT_EXPECT_EQ_MSG(test, wrong, 0, "pte_offset_map_lock()");
	KUNIT_EXPECT_EQ_MSG(test, other, 0, "pte_lockptr()");
	KUNIT_EXPECT_EQ(test, absent, 0);
}

/* Tables have one lock exactly if they have one page, or no lock is split. */
static void tables_share_a_lock_iff_a_page(struct kunit *test)
{
	struct mm_struct *mm = mm_with_tables(test, NR_TABLES);
	bool split = IS_ENABLED(CONFIG_SPLIT_PTE_PTLOCKS);
	int i, j, pages = 0, wrong = 0;
	struct { struct page *page; spinlock_t *ptl; } *t;

	t = kunit_kcalloc(test, NR_TABLES, sizeof(*t), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t);
	for (i = 0; i < NR_TABLES; i++) {
		unsigned long addr = PGT_ADDR + i * PMD_SIZE;
		pmd_t *pmd = pmd_of(mm, addr);
		pte_t *pte = pte_offset_map_ro_nolock(mm, pmd, addr, &t[i].ptl);

		KUNIT_ASSERT_NOT_NULL(test, pte);
		pte_unmap(pte);
		t[i].page = pmd_page(*pmd);
		for (j = 0; j < i && t[j].page != t[i].page; j++)
			;
		pages += j == i;
		for (j = 0; j < i; j++) {
			bool same_page = t[i].page == t[j].page;

			wrong += (t[i].ptl == t[j].ptl) != (same_page || !split);
		}
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_GT(test, pages, 1);
	kunit_info(test, "%d tables on %d pages", NR_TABLES, pages);
}

/* A PMD entry has the lock of its table's page, or the mm's. */
static void pmd_entry_has_its_tables_lock(struct kunit *test)
{
	struct mm_struct *mm = mm_with_tables(test, NR_TABLES);
	int i;

	for (i = 0; i < NR_TABLES; i++) {
		unsigned long addr = PGT_ADDR + i * PMD_SIZE;
		pud_t *pud = pud_of(mm, addr);

		KUNIT_EXPECT_PTR_EQ(test, pmd_lockptr(mm, pmd_offset(pud, addr)),
				    pmd_lock_of(mm, pud));
	}
}

/* hugetlb has the locks that other walkers take for the same table. */
static void huge_entry_has_its_tables_lock(struct kunit *test)
{
#ifdef CONFIG_HUGETLB_PAGE
	struct mm_struct *mm = mm_with_tables(test, 1);
	pud_t *pud = pud_of(mm, PGT_ADDR);
	pmd_t *pmd = pmd_offset(pud, PGT_ADDR);
	struct hstate *h = kunit_kzalloc(test, sizeof(*h), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, h);

	h->order = PUD_SHIFT - PAGE_SHIFT;
	KUNIT_EXPECT_PTR_EQ(test, huge_pte_lockptr(h, mm, (pte_t *)pud),
			    &mm->page_table_lock);
	h->order = PMD_SHIFT - PAGE_SHIFT;
	KUNIT_EXPECT_PTR_EQ(test, huge_pte_lockptr(h, mm, (pte_t *)pmd),
			    pmd_lock_of(mm, pud));
	/* The biggest page that is still mapped by entries of a PTE table. */
	h->order = PMD_SHIFT - PAGE_SHIFT - 1;
#ifndef CONFIG_HIGHPTE
	KUNIT_EXPECT_PTR_EQ(test,
			    huge_pte_lockptr(h, mm,
					     pte_offset_kernel(pmd, PGT_ADDR)),
			    pte_lock_of(mm, *pmd));
#endif
#else
	kunit_skip(test, "no hugetlb");
#endif
}

/* The whole family gives the one lock, and takes it if its name says so. */
static void offset_map_family_agrees(struct kunit *test)
{
	struct mm_struct *mm = mm_with_tables(test, 2);
	int i;

	for (i = 0; i < 2; i++) {
		unsigned long addr = PGT_ADDR + i * PMD_SIZE + PAGE_SIZE;
		pmd_t *pmd = pmd_of(mm, addr), pmdval;
		spinlock_t *ptl = NULL, *expected = pte_lock_of(mm, *pmd);
		bool locked;
		pte_t *pte;

		/* Nothing is expected before the table is unmapped. */
		pte = pte_offset_map_ro_nolock(mm, pmd, addr, &ptl);
		KUNIT_ASSERT_NOT_NULL(test, pte);
		pte_unmap(pte);
		KUNIT_EXPECT_PTR_EQ(test, ptl, expected);
		KUNIT_EXPECT_FALSE(test, is_locked(expected));

		ptl = NULL;
		pte = pte_offset_map_rw_nolock(mm, pmd, addr, &pmdval, &ptl);
		KUNIT_ASSERT_NOT_NULL(test, pte);
		pte_unmap(pte);
		KUNIT_EXPECT_PTR_EQ(test, ptl, expected);
		KUNIT_EXPECT_FALSE(test, is_locked(expected));
		KUNIT_EXPECT_TRUE(test, pmd_same(pmdval, *pmd));

		ptl = NULL;
		pte = pte_offset_map_lock(mm, pmd, addr, &ptl);
		KUNIT_ASSERT_NOT_NULL(test, pte);
		locked = is_locked(expected);
		pte_unmap_unlock(pte, ptl);
		KUNIT_EXPECT_PTR_EQ(test, ptl, expected);
		KUNIT_EXPECT_TRUE(test, locked);
	}
}

/* Where there is no table there is no lock, and *ptlp is left alone. */
static void offset_map_family_without_table(struct kunit *test)
{
	struct mm_struct *mm = mm_with_tables(test, 1);
	spinlock_t *ptl = NULL;
	pmd_t *none, pmdval;

	/* Two, because 32-bit ARM's pmd_clear() clears two. */
	none = kunit_kcalloc(test, 2, sizeof(*none), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, none);
	pmd_clear(none);

	KUNIT_EXPECT_NULL(test, pte_offset_map_ro_nolock(mm, none, PGT_ADDR,
							 &ptl));
	KUNIT_EXPECT_NULL(test, pte_offset_map_rw_nolock(mm, none, PGT_ADDR,
							 &pmdval, &ptl));
	KUNIT_EXPECT_NULL(test, pte_offset_map_lock(mm, none, PGT_ADDR, &ptl));
	KUNIT_EXPECT_NULL(test, ptl);
}

struct walker {
	struct task_struct *task;
	struct mm_struct *mm;
	pmd_t *pmd;
	unsigned long addr;
	bool walking;
	struct completion done;
	spinlock_t *ptl; /* the lock it was given */
	pte_t pteval;
};

static int walker_fn(void *data)
{
	struct walker *walker = data;
	spinlock_t *ptl = NULL;
	pte_t *pte;

	WRITE_ONCE(walker->walking, true);
	pte = pte_offset_map_lock(walker->mm, walker->pmd, walker->addr, &ptl);
	if (pte) {
		walker->ptl = ptl;
		walker->pteval = ptep_get(pte);
		pte_unmap_unlock(pte, ptl);
	}
	complete(&walker->done);
	return 0;
}

/*
 * A walker has read the PMD entry and waits for the lock of the table found.
 * If that table has been replaced by the time that the walker gets the lock, it
 * must go for the new one.
 */
static void offset_map_lock_retries(struct kunit *test)
{
	struct mm_struct *mm = mm_with_tables(test, NR_TABLES);
	unsigned long first = PGT_ADDR;
	unsigned long last = PGT_ADDR + (NR_TABLES - 1) * PMD_SIZE;
	pmd_t *old = pmd_of(mm, first), *new = pmd_of(mm, last);
	unsigned int cpu = pgt_other_cpu(test);
	unsigned long end = jiffies + PATIENCE;
	struct walker *walker;
	spinlock_t *ptl = NULL;
	pmd_t *slot;
	pte_t *pte;

	walker = kunit_kzalloc(test, sizeof(*walker), GFP_KERNEL);
	slot = kunit_kzalloc(test, sizeof(*slot), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, walker);
	KUNIT_ASSERT_NOT_NULL(test, slot);

	/* The old table has an entry at this offset, the new one has none. */
	pgt_mm_use(mm);
	KUNIT_ASSERT_EQ(test, 0, put_user(1, (char __user *)first));
	pgt_mm_unuse(mm);

	/* The PMD entry under test is in no table: it is ours to change. */
	*slot = *old;
	walker->mm = mm;
	walker->pmd = slot;
	walker->addr = first;
	init_completion(&walker->done);

	walker->task = kthread_create_on_cpu(walker_fn, walker, cpu,
					     "pgt_walker/%u");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, walker->task);

	pte = pte_offset_map_lock(mm, old, first, &ptl);
	if (pte) {
		wake_up_process(walker->task);
		while (!READ_ONCE(walker->walking) && time_before(jiffies, end))
			cpu_relax();
		/* Not every architecture can tell that somebody waits. */
#ifdef arch_spin_is_contended
		while (!spin_is_contended(ptl) && time_before(jiffies, end))
			cpu_relax();
#else
		mdelay(20);
#endif
		WRITE_ONCE(*slot, *new);
		pte_unmap_unlock(pte, ptl);
	} else {
		wake_up_process(walker->task);
	}
	wait_for_completion(&walker->done);
	KUNIT_ASSERT_NOT_NULL(test, pte);

	KUNIT_EXPECT_PTR_EQ(test, walker->ptl, pte_lock_of(mm, *new));
	KUNIT_EXPECT_TRUE(test, pte_none(walker->pteval));
}

/* With HIGHPTE, look at tables that are really in high memory. */
static void highmem_table_has_its_lock(struct kunit *test)
{
	struct mm_struct *mm;
	int i, high = 0;

	if (!IS_ENABLED(CONFIG_HIGHPTE))
		kunit_skip(test, "no HIGHPTE");

	mm = mm_with_tables(test, NR_TABLES);
	for (i = 0; i < NR_TABLES; i++) {
		unsigned long addr = PGT_ADDR + i * PMD_SIZE;
		pmd_t *pmd = pmd_of(mm, addr), pmdval;
		spinlock_t *ptl, *expected = pte_lock_of(mm, *pmd);
		pte_t *pte;

		if (!PageHighMem(pmd_page(*pmd)))
			continue;
		high++;
		pte = pte_offset_map_ro_nolock(mm, pmd, addr, &ptl);
		KUNIT_ASSERT_NOT_NULL(test, pte);
		pte_unmap(pte);
		KUNIT_EXPECT_PTR_EQ(test, ptl, expected);

		pte = pte_offset_map_rw_nolock(mm, pmd, addr, &pmdval, &ptl);
		KUNIT_ASSERT_NOT_NULL(test, pte);
		pte_unmap(pte);
		KUNIT_EXPECT_PTR_EQ(test, ptl, expected);

		pte = pte_offset_map_lock(mm, pmd, addr, &ptl);
		KUNIT_ASSERT_NOT_NULL(test, pte);
		pte_unmap_unlock(pte, ptl);
		KUNIT_EXPECT_PTR_EQ(test, ptl, expected);
	}
	if (!high)
		kunit_skip(test, "no page table in high memory");
	kunit_info(test, "%d of %d tables in high memory", high, NR_TABLES);
}

#ifdef CONFIG_TRANSPARENT_HUGEPAGE

struct holder {
	struct task_struct *task;
	struct mm_struct *mm;
	pmd_t *pmd;
	struct completion locked;
	struct completion done;
	/* what it saw */
	bool pmd_locked;
	bool table_removed;
};

/* Hold a PTE table's lock until somebody has the PMD table's and waits. */
static int holder_fn(void *data)
{
	struct holder *h = data;
	unsigned long end = jiffies + PATIENCE;
	pmd_t old = pmdp_get_lockless(h->pmd);
	spinlock_t *ptl, *pml = pmd_lockptr(h->mm, h->pmd);
	pte_t *pte;

	pte = pte_offset_map_lock(h->mm, h->pmd, PGT_ADDR, &ptl);
	complete(&h->locked);
	if (pte) {
		while (!is_locked(pml) && time_before(jiffies, end) &&
		       pmd_same(old, pmdp_get_lockless(h->pmd)))
			cpu_relax();
		h->pmd_locked = is_locked(pml);
		mdelay(5);
		h->table_removed = !pmd_same(old, pmdp_get_lockless(h->pmd));
		pte_unmap_unlock(pte, ptl);
	}
	complete(&h->done);
	return 0;
}

/* A file's mapping is collapsed: nobody may remove a table that is locked. */
static void retract_waits_for_pte_lock(struct kunit *test)
{
	struct file *file = pgt_shmem_file(test, PMD_SIZE);
	struct mm_struct *mm = pgt_mm_create(test);
	unsigned int cpu = pgt_other_cpu(test);
	struct holder *h = kunit_kzalloc(test, sizeof(*h), GFP_KERNEL);

	if (!IS_ENABLED(CONFIG_SPLIT_PTE_PTLOCKS))
		kunit_skip(test, "the PTE table's lock is the PMD table's");
	KUNIT_ASSERT_NOT_NULL(test, h);
	pgt_mm_use(mm);
	pgt_map(test, file, PGT_ADDR, PMD_SIZE);
	pgt_mm_unuse(mm);

	h->mm = mm;
	h->pmd = pgt_pte_table(test, mm, PGT_ADDR);
	init_completion(&h->locked);
	init_completion(&h->done);
	h->task = kthread_run_on_cpu(holder_fn, h, cpu, "pgt_holder/%u");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, h->task);

	wait_for_completion(&h->locked);
	retract_page_tables(file->f_mapping, 0);
	wait_for_completion(&h->done);

	KUNIT_EXPECT_TRUE_MSG(test, h->pmd_locked || h->table_removed,
			      "retract_page_tables() did not get that far");
	KUNIT_EXPECT_FALSE_MSG(test, h->table_removed,
			       "table removed while its lock was held");
	KUNIT_EXPECT_TRUE(test, pmd_none(*h->pmd));
}

/* In the last entry, which a search that ends too early does not see. */
static void plant_marker(struct kunit *test, struct mm_struct *mm, pmd_t *pmd,
			 pte_marker marker)
{
	unsigned long addr = PGT_ADDR + PMD_SIZE - PAGE_SIZE;
	spinlock_t *ptl = NULL;
	pte_t *pte;

	pte = pte_offset_map_lock(mm, pmd, addr, &ptl);
	KUNIT_ASSERT_NOT_NULL(test, pte);
	set_pte_at(mm, addr, pte, make_pte_marker(marker));
	pte_unmap_unlock(pte, ptl);
}

/* CONFIG_DEBUG_VM tells if a table that is removed still has entries. */
static void retract_warns_of_entries(struct kunit *test)
{
	static const struct {
		pte_marker marker;
		int warnings;
	} cases[] = {
		{ 0, 0 },
		/* The VMA does not say that there are guard regions. */
		{ PTE_MARKER_GUARD, 1 },
		/*
		 * No second one: the warning is for once, and not every
		 * architecture forgets one that was suppressed. (So this
		 * fails there when it is run again by way of debugfs.)
		 */
	};
	struct file *file = pgt_shmem_file(test, PMD_SIZE);
	struct mm_struct *mm = pgt_mm_create(test);
	int i;

	if (!IS_ENABLED(CONFIG_DEBUG_VM))
		kunit_skip(test, "needs DEBUG_VM");

	pgt_mm_use(mm);
	pgt_map(test, file, PGT_ADDR, PMD_SIZE);
	pgt_mm_unuse(mm);

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		pmd_t *pmd = pgt_pte_table(test, mm, PGT_ADDR);

		if (cases[i].marker)
			plant_marker(test, mm, pmd, cases[i].marker);
		kunit_warning_suppress(test) {
			retract_page_tables(file->f_mapping, 0);
			KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test,
							      cases[i].warnings);
		}
		KUNIT_EXPECT_TRUE(test, pmd_none(*pmd));
	}
}

/* UFFDIO_POISON is not lost when others collapse the file. */
static void retract_keeps_poison(struct kunit *test)
{
	struct file *file = pgt_shmem_file(test, PMD_SIZE);
	struct mm_struct *mm = pgt_mm_create(test);
	unsigned long addr = PGT_ADDR + PMD_SIZE - PAGE_SIZE;
	spinlock_t *ptl = NULL;
	bool kept = false;
	pmd_t *pmd, old;
	pte_t *pte;

	pgt_mm_use(mm);
	pgt_map(test, file, PGT_ADDR, PMD_SIZE);
	pgt_mm_unuse(mm);
	pmd = pgt_pte_table(test, mm, PGT_ADDR);
	plant_marker(test, mm, pmd, PTE_MARKER_POISONED);
	old = pmdp_get(pmd);

	retract_page_tables(file->f_mapping, 0);
	KUNIT_EXPECT_TRUE(test, pmd_same(old, pmdp_get(pmd)));

	pte = pte_offset_map_lock(mm, pmd, addr, &ptl);
	if (pte) {
		kept = pte_is_marker(ptep_get(pte));
		pte_clear(mm, addr, pte);
		pte_unmap_unlock(pte, ptl);
	}
	KUNIT_EXPECT_TRUE_MSG(test, kept, "poison lost");

	/* There is nothing left to lose. */
	retract_page_tables(file->f_mapping, 0);
	KUNIT_EXPECT_TRUE(test, pmd_none(pmdp_get(pmd)));
}

/* The real thing: one process collapses what another one has mapped, too. */
static void collapse_removes_second_mappers_table(struct kunit *test)
{
	struct file *file = pgt_shmem_file(test, PMD_SIZE);
	struct mm_struct *first = pgt_mm_create(test);
	struct mm_struct *second = pgt_mm_create(test);
	unsigned long i, nr = PMD_SIZE / PAGE_SIZE, bytes;
	struct folio *folio;
	int wrong = 0;
	bool large;
	pmd_t *pmd;
	u8 val;

	if (!has_transparent_hugepage())
		kunit_skip(test, "no huge pages on this machine");
	if (PMD_SIZE > SZ_32M)
		kunit_skip(test, "huge pages too big to count on one");

	pgt_mm_use(second);
	pgt_map(test, file, PGT_ADDR, PMD_SIZE);
	pmd = pgt_pte_table(test, second, PGT_ADDR);
	KUNIT_ASSERT_EQ(test, 0, put_user((u8)0, (u8 __user *)PGT_ADDR));
	pgt_mm_unuse(second);
	folio = filemap_get_folio(file->f_mapping, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, folio);
	large = folio_test_large(folio);
	folio_put(folio);
	if (large)
		kunit_skip(test, "shmem gives large folios by itself");
	bytes = mm_pgtables_bytes(second);

	pgt_mm_use(first);
	pgt_map(test, file, PGT_ADDR, PMD_SIZE);
	for (i = 0; i < nr; i++)
		wrong += !!put_user((u8)i, (u8 __user *)(PGT_ADDR + i * PAGE_SIZE));
	KUNIT_ASSERT_EQ(test, wrong, 0);
	KUNIT_ASSERT_EQ(test, 0, do_madvise(first, PGT_ADDR, PMD_SIZE,
					    MADV_COLLAPSE));
	KUNIT_EXPECT_TRUE(test, pmd_trans_huge(*pmd_of(first, PGT_ADDR)));
	pgt_mm_unuse(first);

	KUNIT_EXPECT_TRUE(test, pmd_none(*pmd));
	KUNIT_EXPECT_EQ(test, mm_pgtables_bytes(second),
			bytes - PTRS_PER_PTE * sizeof(pte_t));

	pgt_mm_use(second);
	for (i = 0; i < nr; i++)
		wrong += get_user(val, (u8 __user *)(PGT_ADDR + i * PAGE_SIZE)) ||
			 val != (u8)i;
	KUNIT_EXPECT_EQ(test, wrong, 0);
	pgt_mm_unuse(second);
}
#endif /* CONFIG_TRANSPARENT_HUGEPAGE */

static struct kunit_case pgtable_lock_cases[] = {
	KUNIT_CASE(every_entry_has_its_tables_lock),
	KUNIT_CASE(tables_share_a_lock_iff_a_page),
	KUNIT_CASE(pmd_entry_has_its_tables_lock),
	KUNIT_CASE(huge_entry_has_its_tables_lock),
	KUNIT_CASE(highmem_table_has_its_lock),
	KUNIT_CASE(offset_map_family_agrees),
	KUNIT_CASE(offset_map_family_without_table),
	KUNIT_CASE(offset_map_lock_retries),
#ifdef CONFIG_TRANSPARENT_HUGEPAGE
	KUNIT_CASE(retract_waits_for_pte_lock),
	KUNIT_CASE(retract_warns_of_entries),
	KUNIT_CASE(retract_keeps_poison),
	KUNIT_CASE(collapse_removes_second_mappers_table),
#endif
	{}
};

static struct kunit_suite pgtable_lock_suite = {
	.name = "pgtable_lock",
	.suite_init = pgt_print_geometry,
	.test_cases = pgtable_lock_cases,
};

kunit_test_suite(pgtable_lock_suite);

MODULE_DESCRIPTION("KUnit tests for the locks of user page tables");
MODULE_LICENSE("GPL");
