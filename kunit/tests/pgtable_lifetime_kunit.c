// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for the lifetime of user page tables: a table that a reader in
 * an RCU read-side critical section may have found keeps its memory, its type
 * and its lock until the reader has left.
 */
#include <kunit/test.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/pgalloc.h>
#include <linux/sched/mm.h>

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
	long before;

	/* What the tests before this one have left */
	pgt_wait_for_frees();
	before = pgt_nr_pagetable();
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
	/* Kernel tables count, too: no thread has been started meanwhile. */
	KUNIT_EXPECT_EQ(test, before, pgt_nr_pagetable());
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

static struct kunit_case pgtable_lifetime_cases[] = {
	KUNIT_CASE(defer_waits_for_reader),
	KUNIT_CASE(defer_then_exit_waits_for_reader),
	KUNIT_CASE(defer_then_exit_waits_for_grace_period),
#ifdef CONFIG_TRANSPARENT_HUGEPAGE
	KUNIT_CASE(retract_waits_for_reader),
#endif
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
