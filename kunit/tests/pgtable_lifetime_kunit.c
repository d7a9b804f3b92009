// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for the lifetime of user page tables: a table that a reader in
 * an RCU read-side critical section may have found keeps its memory, its type
 * and its lock until the reader has left.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/pgalloc.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

#include <asm/tlb.h>

#include "../internal.h"
#include "pgtable_kunit.h"

/* How often the tests without a reader try. */
#define PGT_ROUNDS	50

/*
 * A table of @mm and its witness. It is in no other table: so the mm need not be
 * used to get there, and no CPU keeps it for a lazy TLB when it exits.
 */
static pgtable_t alloc_table(struct kunit *test, struct mm_struct *mm,
			     struct pgt_witness **w)
{
	pgtable_t table;
	pmd_t *pmd;

	if (!IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE))
		kunit_skip(test, "pte_free_defer() needs THP");

	table = pte_alloc_one(mm);
	KUNIT_ASSERT_TRUE(test, !!table);
	/* A pgtable_t is not the same everywhere. Two: see 32-bit ARM. */
	pmd = kunit_kcalloc(test, 2, sizeof(*pmd), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, pmd);
	pmd_populate(mm, pmd, table);
	*w = pgt_witness_table(test, pmd_page(*pmd));
	return table;
}

static void free_table(struct mm_struct *mm, pgtable_t table)
{
#ifdef CONFIG_TRANSPARENT_HUGEPAGE
	pte_free_defer(mm, table);
#endif
}

/* The simplest case: the mm stays. */
static void defer_waits_for_reader(struct kunit *test)
{
	struct pgt_reader *reader;
	struct pgt_witness *w;
	struct mm_struct *mm = pgt_mm_create(test);
	pgtable_t table = alloc_table(test, mm, &w);

	reader = pgt_reader_start(test);
	free_table(mm, table);
	pgt_expect_alive(test, w);
	pgt_reader_stop(test, reader);

	/* Where tables share a page, it is freed no sooner than the mm. */
	pgt_mm_put(test, mm);
	pgt_wait_for_frees();
	pgt_expect_gone(test, w);
}

/*
 * Where an mm caches a page to cut tables from, its exit is what drops the last
 * reference on the page, after pte_free_defer() has dropped the table's.
 */
static void defer_then_exit_waits_for_reader(struct kunit *test)
{
	struct pgt_reader *reader;
	struct pgt_witness *w;
	struct mm_struct *mm = pgt_mm_create(test);
	pgtable_t table = alloc_table(test, mm, &w);

	reader = pgt_reader_start(test);
	free_table(mm, table);
	pgt_mm_put(test, mm);
	pgt_expect_alive(test, w);
	pgt_reader_stop(test, reader);

	pgt_wait_for_frees();
	pgt_expect_gone(test, w);
}

/* The same without a reader: no free before a grace period has passed. */
static void defer_then_exit_waits_for_grace_period(struct kunit *test)
{
	int i, early = 0;

	for (i = 0; i < PGT_ROUNDS; i++) {
		unsigned long end = jiffies + HZ / 4;
		struct pgt_grace grace;
		struct pgt_witness *w;
		struct mm_struct *mm = pgt_mm_create(test);
		pgtable_t table = alloc_table(test, mm, &w);

		pgt_grace_start(&grace);
		free_table(mm, table);
		pgt_mm_put(test, mm);

		while (!pgt_freed(w) && time_before(jiffies, end)) {
			early += pgt_freed_early(&grace, w);
			cond_resched();
		}
		early += pgt_freed_early(&grace, w);
		pgt_wait_for_frees();
		pgt_expect_gone(test, w);
	}
	KUNIT_EXPECT_EQ_MSG(test, early, 0, "freed before a grace period");
}

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
/* The caller of pte_free_defer() that removes tables of other processes. */
static void retract_waits_for_reader(struct kunit *test)
{
	struct file *file = pgt_shmem_file(test, PMD_SIZE);
	struct mm_struct *mm = pgt_mm_create(test);
	struct pgt_witness *w;
	struct pgt_reader *reader;
	pmd_t *pmd;

	pgt_mm_use(mm);
	pgt_map(test, file, PGT_ADDR, PMD_SIZE);
	pgt_mm_unuse(mm);
	pmd = pgt_pte_table(test, mm, PGT_ADDR);
	w = pgt_witness_table(test, pmd_page(*pmd));

	reader = pgt_reader_start(test);
	retract_page_tables(file->f_mapping, 0);
	KUNIT_EXPECT_TRUE(test, pmd_none(*pmd));
	pgt_mm_put(test, mm);
	pgt_expect_alive(test, w);
	pgt_reader_stop(test, reader);

	pgt_wait_for_frees();
	pgt_expect_gone(test, w);
}
#endif

/*
 * Whether there are tables of this level, and pages to watch: tables without a
 * descriptor are the accounting suite's to find.
 */
static bool can_watch(const struct pgt_level *l, struct mm_struct *mm)
{
	bool ret = false;
	void *table;

	if (!l->folded(mm)) {
		table = l->alloc(mm, NULL);
		if (table) {
			ret = PageTable(l->page(mm, table));
			l->free(mm, table);
		}
	}
	return ret;
}

/*
 * What munmap() does with tables that it has unlinked. These here have never been
 * in the mm's page tables, which does not matter for that.
 */
static void free_tables(struct mm_struct *mm, const struct pgt_level *l,
			void **tables, int nr)
{
	struct mmu_gather tlb;
	int i;

	tlb_gather_mmu(&tlb, mm);
	for (i = 0; i < nr; i++)
		l->free_tlb(&tlb, tables[i]);
	tlb_finish_mmu(&tlb);
}

static void needs_rcu_table_free(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_MMU_GATHER_RCU_TABLE_FREE))
		kunit_skip(test, "tables are not freed by RCU");
}

static void free_tlb_waits(struct kunit *test)
{
	const struct pgt_level *l;

	for (l = pgt_levels; l < pgt_levels + PGT_LEVELS; l++) {
		struct mm_struct *mm = pgt_mm_create(test);
		struct pgt_witness *w[PGT_TABLES];
		struct pgt_reader *reader;
		void *tables[PGT_TABLES];
		struct pgt_grace grace;
		int i;

		if (!can_watch(l, mm))
			continue;
		for (i = 0; i < PGT_TABLES; i++) {
			tables[i] = l->alloc(mm, i ? tables[i - 1] : NULL);
			KUNIT_ASSERT_NOT_NULL(test, tables[i]);
			w[i] = pgt_witness_table(test, l->page(mm, tables[i]));
		}
		/* Nothing that others have queued is to make us wait. */
		pgt_wait_for_frees();

		reader = pgt_reader_start(test);
		pgt_grace_start(&grace);
		free_tables(mm, l, tables, PGT_TABLES);
		/* None can end before the reader leaves. */
		KUNIT_EXPECT_FALSE_MSG(test, pgt_grace_ended(&grace),
				       "%s: waited for a grace period", l->name);
		for (i = 0; i < PGT_TABLES; i++)
			pgt_expect_alive(test, w[i]);
		pgt_mm_put(test, mm);
		for (i = 0; i < PGT_TABLES; i++)
			pgt_expect_alive(test, w[i]);
		pgt_reader_stop(test, reader);

		pgt_wait_for_frees();
		for (i = 0; i < PGT_TABLES; i++)
			pgt_expect_gone(test, w[i]);
	}
}

static void free_tlb_waits_for_reader(struct kunit *test)
{
	needs_rcu_table_free(test);
	free_tlb_waits(test);
}

/* And nobody waits for the reader meanwhile, memory or not. */
static void free_tlb_without_memory_waits_for_reader(struct kunit *test)
{
	needs_rcu_table_free(test);
	pgt_without_batch(test);
	free_tlb_waits(test);
}

/* The same at speed and without a reader, on an mm that exits as well */
static void free_tlb_waits_for_grace_period(struct kunit *test)
{
	int i, j, early = 0;

	needs_rcu_table_free(test);
	for (i = 0; i < PGT_ROUNDS; i++) {
		const struct pgt_level *l = pgt_levels + i % PGT_LEVELS;
		unsigned long end = jiffies + HZ / 4;
		struct mm_struct *mm = pgt_mm_create(test);
		struct pgt_witness *w[PGT_TABLES];
		void *tables[PGT_TABLES];
		struct pgt_grace grace;

		if (!can_watch(l, mm)) {
			pgt_mm_put(test, mm);
			continue;
		}
		for (j = 0; j < PGT_TABLES; j++) {
			tables[j] = l->alloc(mm, j ? tables[j - 1] : NULL);
			KUNIT_ASSERT_NOT_NULL(test, tables[j]);
			w[j] = pgt_witness_table(test, l->page(mm, tables[j]));
		}
		pgt_grace_start(&grace);
		free_tables(mm, l, tables, PGT_TABLES);
		pgt_mm_put(test, mm);
		do {
			for (j = 0; j < PGT_TABLES; j++)
				early += pgt_freed_early(&grace, w[j]);
			cond_resched();
		} while (!pgt_freed(w[PGT_TABLES - 1]) && time_before(jiffies, end));
		for (j = 0; j < PGT_TABLES; j++)
			early += pgt_freed_early(&grace, w[j]);
		pgt_wait_for_frees();
		for (j = 0; j < PGT_TABLES; j++)
			pgt_expect_gone(test, w[j]);
	}
	KUNIT_EXPECT_EQ_MSG(test, early, 0, "freed before a grace period");
}

/*
 * Real memory: the tables of all levels below the PGD, and what a walker reads
 * from the PTE table.
 */
#define PGT_USED	4	/* PTE tables */

struct used {
	struct mm_struct *mm;
	int nr;
	struct pgt_witness *pte[PGT_USED];
	struct pgt_witness *pmd;
	struct pgt_witness *pud;
};

/* NULL if there is no such level, or no descriptor. */
static struct pgt_witness *watch_level(struct kunit *test, int level,
				       struct mm_struct *mm, void *entry)
{
	struct page *page = compound_head(virt_to_page(entry));

	if (pgt_levels[level].folded(mm) || !PageTable(page))
		return NULL;
	return pgt_witness_table(test, page);
}

/* On return the mm is in use. */
static struct used *use_memory(struct kunit *test, struct file *file, int nr)
{
	struct used *u = kunit_kzalloc(test, sizeof(*u), GFP_KERNEL);
	unsigned long addr = PGT_ADDR;
	pmd_t *pmd;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, u);
	u->mm = pgt_mm_create(test);
	u->nr = nr;
	pgt_mm_use(u->mm);
	pgt_map(test, file, PGT_ADDR, nr * PMD_SIZE);
	for (i = 0; i < nr; i++, addr += PMD_SIZE) {
		pmd = pgt_pte_table(test, u->mm, addr);
		KUNIT_ASSERT_EQ(test, 0, put_user((u8)i, (u8 __user *)addr));
		KUNIT_ASSERT_EQ(test, 0, put_user((u8)i, (u8 __user *)(addr + PAGE_SIZE)));
		u->pte[i] = pgt_witness_table(test, pmd_page(*pmd));
		pgt_witness_entries(test, u->pte[i], pmd, addr);
	}
	u->pmd = watch_level(test, 1, u->mm, pmd);
	u->pud = watch_level(test, 2, u->mm,
			     pud_offset(p4d_offset(pgd_offset(u->mm, PGT_ADDR),
						   PGT_ADDR), PGT_ADDR));
	/* Nothing that others have queued is to make us wait. */
	pgt_wait_for_frees();
	return u;
}

static void expect_used(struct kunit *test, struct used *u,
			void (*expect)(struct kunit *, const struct pgt_witness *))
{
	int i;

	for (i = 0; i < u->nr; i++)
		expect(test, u->pte[i]);
	if (u->pmd)
		expect(test, u->pmd);
	if (u->pud)
		expect(test, u->pud);
}

static void munmap_waits(struct kunit *test, struct file *file)
{
	struct used *u;
	struct pgt_reader *reader;

	needs_rcu_table_free(test);
	u = use_memory(test, file, PGT_USED);
	reader = pgt_reader_start(test);
	KUNIT_EXPECT_EQ(test, 0, vm_munmap(PGT_ADDR, PGT_USED * PMD_SIZE));
	pgt_mm_unuse(u->mm);
	expect_used(test, u, pgt_expect_alive);
	pgt_mm_put(test, u->mm);
	expect_used(test, u, pgt_expect_alive);
	pgt_reader_stop(test, reader);

	pgt_wait_for_frees();
	expect_used(test, u, pgt_expect_gone);
}

static void munmap_waits_for_reader(struct kunit *test)
{
	munmap_waits(test, NULL);
}

static void munmap_of_file_waits_for_reader(struct kunit *test)
{
	munmap_waits(test, pgt_shmem_file(test, PGT_USED * PMD_SIZE));
}

static void munmap_without_memory_waits_for_reader(struct kunit *test)
{
	pgt_without_batch(test);
	munmap_waits(test, NULL);
}

#ifdef CONFIG_MMU_GATHER_TABLE_FREE
static struct {
	pmd_t *pmd[PGT_USED];
	int calls;
	int linked;
} queued;

/* The first calls are for the PTE tables, from the lowest address up. */
static struct mmu_table_batch *no_batch_while_linked(void)
{
	if (queued.calls < PGT_USED && !pmd_none(*queued.pmd[queued.calls]))
		queued.linked++;
	queued.calls++;
	return NULL;
}
#endif

/* Or a reader might still enter it after the grace period has begun. */
static void table_is_unlinked_before_it_is_queued(struct kunit *test)
{
#ifdef CONFIG_MMU_GATHER_TABLE_FREE
	struct used *u = use_memory(test, NULL, PGT_USED);
	int i;

	for (i = 0; i < PGT_USED; i++)
		queued.pmd[i] = pgt_pmd(test, u->mm, PGT_ADDR + i * PMD_SIZE);
	queued.calls = 0;
	queued.linked = 0;
	kunit_activate_static_stub(test, tlb_batch_alloc, no_batch_while_linked);
	KUNIT_EXPECT_EQ(test, 0, vm_munmap(PGT_ADDR, PGT_USED * PMD_SIZE));
	kunit_deactivate_static_stub(test, tlb_batch_alloc);
	KUNIT_EXPECT_GE(test, queued.calls, PGT_USED);
	KUNIT_EXPECT_EQ(test, queued.linked, 0);
	pgt_mm_unuse(u->mm);
#else
	kunit_skip(test, "tables are not batched");
#endif
}

static void exit_waits_for_reader(struct kunit *test)
{
	struct used *u;
	struct pgt_reader *reader;

	needs_rcu_table_free(test);
	u = use_memory(test, NULL, PGT_USED);
	pgt_mm_unuse(u->mm);
	reader = pgt_reader_start(test);
	pgt_mm_put(test, u->mm);
	expect_used(test, u, pgt_expect_alive);
	pgt_reader_stop(test, reader);

	pgt_wait_for_frees();
	expect_used(test, u, pgt_expect_gone);
}

/* PT_RECLAIM: an empty table goes though its range stays mapped. */
static void dontneed_waits_for_reader(struct kunit *test)
{
	struct used *u;
	struct pgt_reader *reader;
	bool gone;

	needs_rcu_table_free(test);
	u = use_memory(test, NULL, PGT_USED);
	reader = pgt_reader_start(test);
	KUNIT_EXPECT_EQ(test, 0, do_madvise(u->mm, PGT_ADDR, PGT_USED * PMD_SIZE,
					    MADV_DONTNEED));
	expect_used(test, u, pgt_expect_alive);
	/* Not everywhere: a table that is a part of a page would free nothing. */
	gone = pmd_none(*pgt_pmd(test, u->mm, PGT_ADDR + PMD_SIZE));
	KUNIT_EXPECT_EQ(test, gone, IS_ENABLED(CONFIG_PT_RECLAIM));
	pgt_reader_stop(test, reader);

	pgt_mm_unuse(u->mm);
	pgt_mm_put(test, u->mm);
	pgt_wait_for_frees();
	expect_used(test, u, pgt_expect_gone);
}

/*
 * mremap() is the exception: it moves a table with its entries to another address
 * of the mm while a walker may be in it. But it stays a table of this mm.
 */
static void mremap_moves_live_table(struct kunit *test)
{
#ifdef CONFIG_HAVE_MOVE_PMD
	unsigned long to = PGT_ADDR + 2 * PGT_USED * PMD_SIZE;
	struct vm_area_struct *old, *new;
	struct pgt_reader *reader;
	struct used *u;
	pmd_t *pmd;

	needs_rcu_table_free(test);
#ifdef CONFIG_PPC_BOOK3S_64
	if (!radix_enabled())
		kunit_skip(test, "tables are not moved");
#endif
	u = use_memory(test, NULL, PGT_USED);
	pgt_map(test, NULL, to, PMD_SIZE);
	pgt_pmd(test, u->mm, to);
	reader = pgt_reader_start(test);
	mmap_write_lock(u->mm);
	old = vma_lookup(u->mm, PGT_ADDR);
	new = vma_lookup(u->mm, to);
	if (old && new) {
		PAGETABLE_MOVE(pmc, old, new, PGT_ADDR, to, PMD_SIZE);

		KUNIT_EXPECT_EQ(test, PMD_SIZE, move_page_tables(&pmc));
	}
	mmap_write_unlock(u->mm);
	pmd = pgt_pmd(test, u->mm, to);
	KUNIT_EXPECT_PTR_EQ(test, pmd_page(*pmd), u->pte[0]->page);
	expect_used(test, u, pgt_expect_alive);
	pgt_reader_stop(test, reader);

	pgt_wait_for_frees();
	expect_used(test, u, pgt_expect_alive);
	pgt_mm_unuse(u->mm);
	pgt_mm_put(test, u->mm);
	pgt_wait_for_frees();
	expect_used(test, u, pgt_expect_gone);
#else
	kunit_skip(test, "tables are not moved");
#endif
}

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
static void needs_huge_pages(struct kunit *test)
{
	if (!has_transparent_hugepage())
		kunit_skip(test, "no huge pages on this machine");
	needs_rcu_table_free(test);
}

static void collapse(struct kunit *test, struct mm_struct *mm)
{
	int err = do_madvise(mm, PGT_ADDR, PMD_SIZE, MADV_COLLAPSE);

	if (err == -ENOMEM)
		kunit_skip(test, "no huge page to be had");
	KUNIT_ASSERT_EQ(test, 0, err);
}

/*
 * A reader found the table; then a huge page replaced it, and is unmapped itself.
 * The table must not have been put to use meanwhile, nor be freed. It is the only
 * one, so that its page would be freed as well where tables share one.
 */
static void collapse_waits(struct kunit *test, struct file *file)
{
	struct used *u;
	struct pgt_reader *reader;

	needs_huge_pages(test);
	u = use_memory(test, file, 1);
	reader = pgt_reader_start(test);
	collapse(test, u->mm);
	KUNIT_EXPECT_TRUE(test, pmd_trans_huge(*pgt_pmd(test, u->mm, PGT_ADDR)));
	pgt_expect_alive(test, u->pte[0]);
	KUNIT_EXPECT_EQ(test, 0, vm_munmap(PGT_ADDR, PMD_SIZE));
	expect_used(test, u, pgt_expect_alive);
	pgt_mm_unuse(u->mm);
	pgt_mm_put(test, u->mm);
	expect_used(test, u, pgt_expect_alive);
	pgt_reader_stop(test, reader);
	pgt_wait_for_frees();
	expect_used(test, u, pgt_expect_gone);
}

static void collapse_waits_for_reader(struct kunit *test)
{
	collapse_waits(test, NULL);
}

static void collapse_of_file_waits_for_reader(struct kunit *test)
{
	collapse_waits(test, pgt_shmem_file(test, PMD_SIZE));
}

/* The table a split installs was deposited; from then on it is like any other. */
static void split_waits_for_reader(struct kunit *test)
{
	struct pgt_reader *reader;
	struct pgt_witness *w;
	struct mm_struct *mm;
	pmd_t *pmd;

	needs_huge_pages(test);
	mm = pgt_mm_create(test);
	pgt_mm_use(mm);
	pgt_map(test, NULL, PGT_ADDR, PMD_SIZE);
	pmd = pgt_pte_table(test, mm, PGT_ADDR);
	KUNIT_ASSERT_EQ(test, 0, put_user((u8)1, (u8 __user *)PGT_ADDR));
	collapse(test, mm);
	KUNIT_ASSERT_TRUE(test, pmd_trans_huge(*pmd));
	KUNIT_ASSERT_EQ(test, 0, vm_munmap(PGT_ADDR, PMD_SIZE / 2));
	KUNIT_ASSERT_FALSE(test, pmd_trans_huge(*pmd));
	KUNIT_ASSERT_FALSE(test, pmd_none(*pmd));
	w = pgt_witness_table(test, pmd_page(*pmd));
	pgt_witness_entries(test, w, pmd, PGT_ADDR);
	pgt_wait_for_frees();

	reader = pgt_reader_start(test);
	KUNIT_EXPECT_EQ(test, 0, vm_munmap(PGT_ADDR + PMD_SIZE / 2, PMD_SIZE / 2));
	pgt_expect_alive(test, w);
	pgt_mm_unuse(mm);
	pgt_mm_put(test, mm);
	pgt_expect_alive(test, w);
	pgt_reader_stop(test, reader);
	pgt_wait_for_frees();
	pgt_expect_gone(test, w);
}
#endif

/* Allocate up to @nr tables, and stop at the first that is in another page. */
static int tables_of_a_page(struct kunit *test, const struct pgt_level *l,
			    struct mm_struct *mm, void **tables, int nr)
{
	struct page *page = NULL;
	int i;

	for (i = 0; i < nr; i++) {
		tables[i] = l->alloc(mm, i ? tables[i - 1] : NULL);
		KUNIT_ASSERT_NOT_NULL(test, tables[i]);
		if (i && l->page(mm, tables[i]) != page)
			return i + 1;
		page = l->page(mm, tables[i]);
	}
	return nr;
}

/* All but one are freed, in all ways, and the mm is gone: then that one is freed. */
static void page_lives_as_long_as_a_table(struct kunit *test)
{
	const struct pgt_level *l;
	int shared = 0, way, nr, i;

	needs_rcu_table_free(test);
	for (l = pgt_levels; l < pgt_levels + PGT_LEVELS; l++) {
		for (way = 0; way < 3; way++) {
			struct mm_struct *mm = pgt_mm_create(test);
			struct mm_struct *other = pgt_mm_create(test);
			void *tables[PGT_TABLES];
			struct pgt_reader *reader;
			struct pgt_witness *w;

			if (!can_watch(l, mm))
				continue;
			nr = tables_of_a_page(test, l, mm, tables, PGT_TABLES);
			if (l->page(mm, tables[0]) != l->page(mm, tables[1])) {
				l->free(mm, tables[0]);
				l->free(mm, tables[1]);
				continue;
			}
			shared++;
			w = pgt_witness_table(test, l->page(mm, tables[0]));
			for (i = 1; i < nr; i++) {
				if (i % 2)
					free_tables(mm, l, tables + i, 1);
				else
					l->free(mm, tables[i]);
			}
			pgt_wait_for_frees();
			pgt_expect_alive(test, w);

			/* Who is the last: a table freed one way or the other, or mm */
			reader = pgt_reader_start(test);
			if (way == 0) {
				free_tables(mm, l, tables, 1);
				pgt_mm_put(test, mm);
			} else {
				pgt_mm_put(test, mm);
				pgt_expect_alive(test, w);
				if (way == 1)
					free_tables(other, l, tables, 1);
				else
					l->free(other, tables[0]);
			}
			pgt_expect_alive(test, w);
			pgt_reader_stop(test, reader);
			pgt_wait_for_frees();
			pgt_expect_gone(test, w);
			pgt_mm_put(test, other);
		}
	}
	if (!shared)
		kunit_skip(test, "no tables share a page");
}

/* Two mms never share a page of tables. */
static void mms_do_not_share_pages(struct kunit *test)
{
	const struct pgt_level *l;

	needs_rcu_table_free(test);
	for (l = pgt_levels; l < pgt_levels + PGT_LEVELS; l++) {
		struct mm_struct *mm[2] = {
			pgt_mm_create(test), pgt_mm_create(test)
		};
		void *tables[2][PGT_TABLES];
		int i, j;

		if (!can_watch(l, mm[0]))
			continue;
		for (i = 0; i < 2 * PGT_TABLES; i++) {
			void **table = &tables[i % 2][i / 2];

			*table = l->alloc(mm[i % 2], i < 2 ? NULL : table[-1]);
			KUNIT_ASSERT_NOT_NULL(test, *table);
		}
		for (i = 0; i < PGT_TABLES; i++)
			for (j = 0; j < PGT_TABLES; j++)
				KUNIT_EXPECT_PTR_NE(test,
						    l->page(mm[0], tables[0][i]),
						    l->page(mm[1], tables[1][j]));
		for (i = 0; i < 2 * PGT_TABLES; i++)
			l->free(mm[i % 2], tables[i % 2][i / 2]);
	}
}

/*
 * PMD tables of a page have the list of their deposited tables in its descriptor:
 * nothing else may be there as long as one of them lives.
 */
static void deposit_survives_sibling(struct kunit *test)
{
#if defined(CONFIG_SPLIT_PMD_PTLOCKS) && defined(CONFIG_TRANSPARENT_HUGEPAGE)
	const struct pgt_level *l = &pgt_levels[1];
	struct mm_struct *mm;
	void *tables[2];
	pgtable_t table, back;
	pmd_t *pmd;

	needs_huge_pages(test);
	mm = pgt_mm_create(test);
	tables_of_a_page(test, l, mm, tables, 2);
	if (l->page(mm, tables[0]) != l->page(mm, tables[1])) {
		l->free(mm, tables[0]);
		l->free(mm, tables[1]);
		kunit_skip(test, "PMD tables do not share a page");
	}
	table = pte_alloc_one(mm);
	KUNIT_ASSERT_TRUE(test, !!table);
	pmd = tables[0];
	spin_lock(pmd_lockptr(mm, pmd));
	pgtable_trans_huge_deposit(mm, pmd, table);
	spin_unlock(pmd_lockptr(mm, pmd));

	free_tables(mm, l, tables + 1, 1);
	pgt_wait_for_frees();

	spin_lock(pmd_lockptr(mm, pmd));
	back = pgtable_trans_huge_withdraw(mm, pmd);
	spin_unlock(pmd_lockptr(mm, pmd));
	KUNIT_EXPECT_PTR_EQ(test, back, table);
	pte_free(mm, table);
	l->free(mm, pmd);
#else
	kunit_skip(test, "needs THP and split PMD locks");
#endif
}

static struct kunit_case pgtable_lifetime_cases[] = {
	KUNIT_CASE(defer_waits_for_reader),
	KUNIT_CASE(defer_then_exit_waits_for_reader),
	KUNIT_CASE(defer_then_exit_waits_for_grace_period),
#ifdef CONFIG_TRANSPARENT_HUGEPAGE
	KUNIT_CASE(retract_waits_for_reader),
	KUNIT_CASE(collapse_waits_for_reader),
	KUNIT_CASE(collapse_of_file_waits_for_reader),
	KUNIT_CASE(split_waits_for_reader),
#endif
	KUNIT_CASE(free_tlb_waits_for_reader),
	KUNIT_CASE(free_tlb_without_memory_waits_for_reader),
	KUNIT_CASE(free_tlb_waits_for_grace_period),
	KUNIT_CASE(munmap_waits_for_reader),
	KUNIT_CASE(munmap_of_file_waits_for_reader),
	KUNIT_CASE(munmap_without_memory_waits_for_reader),
	KUNIT_CASE(table_is_unlinked_before_it_is_queued),
	KUNIT_CASE(exit_waits_for_reader),
	KUNIT_CASE(dontneed_waits_for_reader),
	KUNIT_CASE(mremap_moves_live_table),
	KUNIT_CASE(page_lives_as_long_as_a_table),
	KUNIT_CASE(mms_do_not_share_pages),
	KUNIT_CASE(deposit_survives_sibling),
	{}
};

static struct kunit_suite pgtable_lifetime_suite = {
	.name = "pgtable_lifetime",
	.suite_init = pgt_print_geometry,
	.test_cases = pgtable_lifetime_cases,
};

kunit_test_suite(pgtable_lifetime_suite);

MODULE_DESCRIPTION("KUnit tests for the lifetime of user page tables");
MODULE_LICENSE("GPL");
