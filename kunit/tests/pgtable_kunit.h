/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Helpers for the KUnit tests of user page tables.
 */
#ifndef _MM_TESTS_PGTABLE_KUNIT_H
#define _MM_TESTS_PGTABLE_KUNIT_H

#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>

/*
 * Where the tests map: the start of a PMD table's page on no architecture, nor
 * in the first table, which 32-bit ARM keeps.
 */
#define PGT_ADDR	ALIGN(0x50000000UL, PMD_SIZE)

/* Where tables come from a pool that user and kernel share. */
#define PGT_POOLED IS_ENABLED(CONFIG_MMU_MOTOROLA)

/* Tables per test: more than powerpc cuts from one PMD page. */
#define PGT_TABLES	20

struct mm_struct *pgt_mm_create(struct kunit *test);
void pgt_mm_put(struct kunit *test, struct mm_struct *mm);
void pgt_mm_use(struct mm_struct *mm);
void pgt_mm_unuse(struct mm_struct *mm);

struct file *pgt_shmem_file(struct kunit *test, unsigned long size);
void pgt_map(struct kunit *test, struct file *file, unsigned long addr,
	     unsigned long len);
pmd_t *pgt_pmd(struct kunit *test, struct mm_struct *mm, unsigned long addr);
pmd_t *pgt_pte_table(struct kunit *test, struct mm_struct *mm,
		     unsigned long addr);

/**
 * struct pgt_witness - tells whether the page of a table has been freed
 * @page: the page, on which one of its witnesses holds a reference
 * @old: the entries of a PTE table as they were, from pgt_witness_entries()
 * @offset: where in the page they are
 * @list: of those that hold a reference; the others rely on one of them
 *
 * The free of a page that somebody else has a reference on just drops the
 * count: so the witness can tell, and can still read the page, without a use
 * after free.
 */
struct pgt_witness {
	struct page *page;
	pte_t *old;
	unsigned int offset;
	struct list_head list;
};

struct pgt_witness *pgt_witness_table(struct kunit *test, struct page *page);
void pgt_witness_entries(struct kunit *test, struct pgt_witness *w, pmd_t *pmd,
			 unsigned long addr);
bool pgt_freed(const struct pgt_witness *w);
bool pgt_destructed(const struct pgt_witness *w);

void pgt_expect_alive(struct kunit *test, const struct pgt_witness *w);
void pgt_expect_gone(struct kunit *test, const struct pgt_witness *w);

pmd_t *pgt_pmd_pair(struct mm_struct *mm, pgtable_t table);
void pgt_pmd_pair_free(pmd_t *pmd);

struct mmu_gather;
struct pgt_reader;
struct pgt_reader *pgt_reader_start(struct kunit *test);
void pgt_reader_stop(struct kunit *test, struct pgt_reader *reader);

unsigned int pgt_other_cpu(struct kunit *test);
void pgt_rearm_warnings(struct kunit *test);
void pgt_wait_for_frees(void);
long pgt_nr_pagetable(void);
int pgt_print_geometry(struct kunit_suite *suite);

/**
 * struct pgt_grace - a grace period that has to pass before a table is freed
 * @cookie: state of RCU before the table was unlinked
 *
 * The way to check the rule without a reader, at speed: start, unlink and free
 * the table, then poll pgt_freed_early().
 */
struct pgt_grace {
	unsigned long cookie;
};

static inline void pgt_grace_start(struct pgt_grace *grace)
{
	grace->cookie = get_state_synchronize_rcu();
}

static inline bool pgt_grace_ended(struct pgt_grace *grace)
{
	return poll_state_synchronize_rcu(grace->cookie);
}

bool pgt_freed_early(struct pgt_grace *grace, const struct pgt_witness *w);

/**
 * struct pgt_level - how tables of one level are allocated and freed
 * @name: for messages
 * @folded: whether the mm does without this level
 * @alloc: p?d_alloc_one() or pte_alloc_one(); if there is a table beside, then
 *         as for the other entry of its pair
 * @page: the page that the table is in
 * @free: p?d_free() or pte_free()
 * @free_tlb: p?d_free_tlb() or pte_free_tlb()
 */
struct pgt_level {
	const char *name;
	bool (*folded)(struct mm_struct *mm);
	void *(*alloc)(struct mm_struct *mm, void *beside);
	struct page *(*page)(struct mm_struct *mm, void *table);
	void (*free)(struct mm_struct *mm, void *table);
	void (*free_tlb)(struct mmu_gather *tlb, void *table);
};

/* From the PTE level up */
#define PGT_LEVELS	4
extern const struct pgt_level pgt_levels[PGT_LEVELS];

void pgt_without_batch(struct kunit *test);

#endif /* _MM_TESTS_PGTABLE_KUNIT_H */
