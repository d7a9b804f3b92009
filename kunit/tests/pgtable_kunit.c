// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers for the KUnit tests of user page tables: an mm to try things on, a
 * reader that stays inside rcu_read_lock(), and witnesses that tell when a
 * table's page is freed.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/highmem.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/pgalloc.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>
#include <linux/swap.h>
#include <linux/vmstat.h>

#include <asm/sections.h>
#include <asm/tlb.h>

#include "../internal.h"
#include "pgtable_kunit.h"

/* A reader leaves by itself after this long, well before RCU stall warnings. */
#define PGT_READER_MAX		(4 * HZ)

/* References on the page of a table: its own and that of one witness */
#define PGT_REFS		2

KUNIT_DEFINE_ACTION_WRAPPER(pgt_mmput, mmput, struct mm_struct *);

static void pgt_rearm(void *unused)
{
	memset(__start_once, 0, __end_once - __start_once);
}

/**
 * pgt_rearm_warnings() - let a test that causes a warning use up none
 * @test: the test
 *
 * VM_WARN_ON_ONCE_PAGE() warns once in the life of the kernel, whether that is
 * suppressed or not. Let all that warn once warn again, as clear_warn_once in
 * debugfs does: now, for the test, and when it ends, for the kernel.
 */
void pgt_rearm_warnings(struct kunit *test)
{
	pgt_rearm(NULL);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, pgt_rearm, NULL));
}

/**
 * pgt_mm_create() - create an mm that has no user task
 * @test: the test, at whose end the mm is put if pgt_mm_put() did not
 *
 * Unlike kunit_attach_mm(), which gives the test's thread one mm for good: a
 * test may have several, whose exit is part of what it looks at.
 *
 * Return: the mm, ready for pgt_mm_use().
 */
struct mm_struct *pgt_mm_create(struct kunit *test)
{
	struct mm_struct *mm = mm_alloc();

	KUNIT_ASSERT_NOT_NULL(test, mm);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, pgt_mmput, mm));
	/* As if khugepaged knew the mm already: it shall leave our tables alone. */
	mm_flags_set(MMF_VM_HUGEPAGE, mm);
	mm->task_size = TASK_SIZE;
	arch_pick_mmap_layout(mm, &current->signal->rlim[RLIMIT_STACK]);
	return mm;
}

/**
 * pgt_mm_put() - put the mm before the test ends
 * @test: the test
 * @mm: from pgt_mm_create(); gone on return, unless somebody else has it
 */
void pgt_mm_put(struct kunit *test, struct mm_struct *mm)
{
	kunit_release_action(test, pgt_mmput, mm);
}

/**
 * pgt_mm_use() - make the mm current's, to map and to access user memory
 * @mm: the mm
 *
 * A failing assertion ends the test's thread, and with it puts current->mm:
 * hence the reference.
 */
void pgt_mm_use(struct mm_struct *mm)
{
	mmget(mm);
	kthread_use_mm(mm);
}

/**
 * pgt_mm_unuse() - undo pgt_mm_use()
 * @mm: the mm
 */
void pgt_mm_unuse(struct mm_struct *mm)
{
	kthread_unuse_mm(mm);
	mmput(mm);
}

KUNIT_DEFINE_ACTION_WRAPPER(pgt_fput, fput, struct file *);

/**
 * pgt_shmem_file() - create a file to map
 * @test: the test, at whose end the file is closed
 * @size: its size
 *
 * Return: the file, which holds no page yet.
 */
struct file *pgt_shmem_file(struct kunit *test, unsigned long size)
{
	struct file *file;

	file = shmem_file_setup("pgtable_kunit", size, EMPTY_VMA_FLAGS);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, pgt_fput, file));
	return file;
}

/**
 * pgt_map() - map into the mm in use
 * @test: the test
 * @file: what to map shared; NULL for private anonymous memory
 * @addr: where exactly
 * @len: how much
 */
void pgt_map(struct kunit *test, struct file *file, unsigned long addr,
	     unsigned long len)
{
	unsigned long flags = file ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;

	KUNIT_ASSERT_EQ(test, addr,
			vm_mmap(file, addr, len, PROT_READ | PROT_WRITE,
				flags | MAP_FIXED | MAP_NORESERVE, 0));
}

/**
 * pgt_pmd() - find a PMD entry, allocating the tables down to it
 * @test: the test
 * @mm: any mm, in use or not
 * @addr: an address within a VMA, so that the tables are freed with it
 *
 * Return: the entry, which may be none.
 */
pmd_t *pgt_pmd(struct kunit *test, struct mm_struct *mm, unsigned long addr)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d = p4d_alloc(mm, pgd, addr);
	pud_t *pud = p4d ? pud_alloc(mm, p4d, addr) : NULL;
	pmd_t *pmd = pud ? pmd_alloc(mm, pud, addr) : NULL;

	KUNIT_ASSERT_NOT_NULL(test, pmd);
	return pmd;
}

/**
 * pgt_pte_table() - make sure that there is a PTE table
 * @test: the test
 * @mm: any mm, in use or not
 * @addr: an address within a VMA, so that the table is freed with it
 *
 * A later fault finds the table and maps a small page, not a huge one.
 *
 * Return: the PMD entry that leads to the table.
 */
pmd_t *pgt_pte_table(struct kunit *test, struct mm_struct *mm,
		     unsigned long addr)
{
	pmd_t *pmd = pgt_pmd(test, mm, addr);

	KUNIT_ASSERT_FALSE(test, pte_alloc(mm, pmd));
	return pmd;
}

/* Those that hold a reference: one for each page */
static LIST_HEAD(pgt_witnesses);

static void pgt_witness_end(void *data)
{
	struct pgt_witness *w = data;

	list_del(&w->list);
	put_page(w->page);
}

/**
 * pgt_witness_table() - watch the page of a live table
 * @test: the test, at whose end the witness lets go of the page
 * @page: the page
 *
 * Return: the witness.
 */
struct pgt_witness *pgt_witness_table(struct kunit *test, struct page *page)
{
	struct pgt_witness *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL), *other;

	KUNIT_ASSERT_NOT_NULL(test, w);
	KUNIT_ASSERT_TRUE(test, PageTable(page));
	w->page = page;
	/* Tables may share a page. */
	list_for_each_entry(other, &pgt_witnesses, list)
		if (other->page == page)
			return w;
	get_page(page);
	list_add(&w->list, &pgt_witnesses);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, pgt_witness_end, w));
	return w;
}

/**
 * pgt_witness_entries() - watch the entries of a PTE table as well
 * @test: the test
 * @w: the witness of the table's page
 * @pmd: the entry that leads to the table
 * @addr: the first address that the table maps
 */
void pgt_witness_entries(struct kunit *test, struct pgt_witness *w, pmd_t *pmd,
			 unsigned long addr)
{
	pte_t *pte;

	w->old = kunit_kmalloc_array(test, PTRS_PER_PTE, sizeof(pte_t), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, w->old);
	pte = pte_offset_map(pmd, addr);
	KUNIT_ASSERT_NOT_NULL(test, pte);
	w->offset = offset_in_page(pte);
	memcpy(w->old, pte, PTRS_PER_PTE * sizeof(pte_t));
	pte_unmap(pte);
}

/* Entries that are neither what they were nor none: somebody wrote them. */
static int pgt_foreign_entries(const struct pgt_witness *w)
{
	int i, nr = 0;
	pte_t *pte;

	if (!w->old)
		return 0;
	pte = kmap_local_page(w->page) + w->offset;
	for (i = 0; i < PTRS_PER_PTE; i++)
		nr += !pte_none(ptep_get(pte + i)) &&
		      !pte_same(ptep_get(pte + i), w->old[i]);
	kunmap_local(pte);
	return nr;
}

/**
 * pgt_freed() - has the page been given back, but for the witness?
 * @w: the witness
 *
 * Return: true if so.
 */
bool pgt_freed(const struct pgt_witness *w)
{
	return page_count(w->page) < PGT_REFS;
}

/**
 * pgt_destructed() - has pagetable_dtor() been called?
 * @w: the witness
 *
 * Return: true if so.
 */
bool pgt_destructed(const struct pgt_witness *w)
{
	return !PageTable(w->page);
}

/**
 * pgt_expect_alive() - a reader may still use the table
 * @test: the test, which fails if the table is not all there
 * @w: the table's witness
 */
void pgt_expect_alive(struct kunit *test, const struct pgt_witness *w)
{
	KUNIT_EXPECT_FALSE_MSG(test, pgt_freed(w), "page freed under a reader");
	KUNIT_EXPECT_FALSE_MSG(test, pgt_destructed(w),
			       "table destructed under a reader");
	KUNIT_EXPECT_EQ_MSG(test, 0, pgt_foreign_entries(w),
			    "table written to under a reader");
}

/**
 * pgt_expect_gone() - pgt_wait_for_frees() has returned
 * @test: the test, which fails if anything of the table is left
 * @w: the table's witness
 */
void pgt_expect_gone(struct kunit *test, const struct pgt_witness *w)
{
	KUNIT_EXPECT_TRUE_MSG(test, pgt_destructed(w),
			      "table never destructed");
	KUNIT_EXPECT_TRUE_MSG(test, pgt_freed(w), "page never freed");
}

/**
 * pgt_freed_early() - has a table been freed or destructed too early?
 * @grace: started before the table was unlinked
 * @w: the table's witness
 *
 * The order matters: had the grace period been looked at first, it could have
 * ended just before a legitimate free.
 *
 * Return: true if it is gone and no grace period has passed.
 */
bool pgt_freed_early(struct pgt_grace *grace, const struct pgt_witness *w)
{
	bool gone = pgt_freed(w) || pgt_destructed(w);

	/* Pairs with the full barrier of the grace period itself. */
	smp_mb();
	return gone && !poll_state_synchronize_rcu(grace->cookie);
}

struct pgt_reader {
	struct task_struct *task;
	struct completion inside;
	bool leave;
	bool timed_out;
};

static int pgt_reader_fn(void *data)
{
	struct pgt_reader *reader = data;
	unsigned long end = jiffies + PGT_READER_MAX;

	rcu_read_lock();
	/* Or somebody may have to wait for this CPU in lru_add_drain_all(). */
	lru_add_drain();
	complete(&reader->inside);
	while (!READ_ONCE(reader->leave)) {
		if (time_after(jiffies, end)) {
			reader->timed_out = true;
			break;
		}
		cpu_relax();
	}
	rcu_read_unlock();

	/* kthread_stop() wants the thread to be there still. */
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static void pgt_reader_end(void *data)
{
	struct pgt_reader *reader = data;

	WRITE_ONCE(reader->leave, true);
	kthread_stop(reader->task);
}

/**
 * pgt_other_cpu() - pin the test to its CPU and find it company
 * @test: the test, skipped where there is only one CPU
 *
 * Return: another online CPU.
 */
unsigned int pgt_other_cpu(struct kunit *test)
{
	unsigned int this = get_cpu(), other;

	other = cpumask_any_but(cpu_online_mask, this);
	put_cpu();
	if (other >= nr_cpu_ids)
		kunit_skip(test, "needs two CPUs");
	KUNIT_ASSERT_EQ(test, 0, set_cpus_allowed_ptr(current, cpumask_of(this)));
	return other;
}

/**
 * pgt_reader_start() - start a thread that stays inside rcu_read_lock()
 * @test: the test, which must not sleep for the reader's CPU meanwhile
 *
 * Return: the reader, which is inside by now, on another CPU.
 */
struct pgt_reader *pgt_reader_start(struct kunit *test)
{
	struct pgt_reader *reader;
	unsigned int cpu = pgt_other_cpu(test);

	reader = kunit_kzalloc(test, sizeof(*reader), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, reader);
	init_completion(&reader->inside);
	reader->task = kthread_run_on_cpu(pgt_reader_fn, reader, cpu,
					  "pgt_reader/%u");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, reader->task);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, pgt_reader_end, reader));
	wait_for_completion(&reader->inside);
	return reader;
}

/**
 * pgt_reader_stop() - let the reader leave, and wait until it has
 * @test: the test, which fails if the reader did not stay that long
 * @reader: from pgt_reader_start()
 */
void pgt_reader_stop(struct kunit *test, struct pgt_reader *reader)
{
	kunit_release_action(test, pgt_reader_end, reader);
	KUNIT_EXPECT_FALSE_MSG(test, reader->timed_out,
			       "the reader left before the test was done");
}

/**
 * pgt_wait_for_frees() - wait until every table unlinked so far is freed
 *
 * Once: no callback that frees a table queues another one.
 */
void pgt_wait_for_frees(void)
{
	rcu_barrier();
}

static long sum_nr_pagetable(void)
{
	long nr = atomic_long_read(&vm_node_stat[NR_PAGETABLE]);
#ifdef CONFIG_SMP
	struct pglist_data *pgdat;
	int cpu;

	for_each_online_pgdat(pgdat)
		for_each_online_cpu(cpu)
			nr += per_cpu_ptr(pgdat->per_cpu_nodestats, cpu)
				->vm_node_stat_diff[NR_PAGETABLE];
#endif
	return nr;
}

/**
 * pgt_nr_pagetable() - NR_PAGETABLE with what is still in per-CPU counters
 *
 * What a CPU has taken from its own counter and not yet added to the global one
 * is in no sum: two that follow each other have to agree. Sleeps.
 *
 * Return: the number of pages in use as page tables.
 */
long pgt_nr_pagetable(void)
{
	long nr = sum_nr_pagetable(), last;
	int tries = 10;

	do {
		last = nr;
		fsleep(1000);
		nr = sum_nr_pagetable();
	} while (nr != last && tries--);
	return nr;
}

/**
 * pgt_print_geometry() - say what the suite runs on, for whoever reads the log
 * @suite: the suite
 *
 * Return: 0.
 */
int pgt_print_geometry(struct kunit_suite *suite)
{
	pr_info("# %s: %u possible, %u online CPUs, %lu kB pages, split locks: pte %d pmd %d allocated %d, thp %d\n",
		suite->name, num_possible_cpus(), num_online_cpus(),
		PAGE_SIZE / 1024, IS_ENABLED(CONFIG_SPLIT_PTE_PTLOCKS),
		IS_ENABLED(CONFIG_SPLIT_PMD_PTLOCKS), ALLOC_SPLIT_PTLOCKS,
		has_transparent_hugepage());
	return 0;
}

static struct page *table_page(struct mm_struct *mm, void *table)
{
	return compound_head(virt_to_page(table));
}

#define UPPER_LEVEL(lvl)						\
static bool no_##lvl##_level(struct mm_struct *mm)			\
{									\
	return mm_##lvl##_folded(mm);					\
}									\
static void *lvl##_get(struct mm_struct *mm, void *beside)		\
{									\
	return lvl##_alloc_one(mm, PGT_ADDR);				\
}									\
static void lvl##_put(struct mm_struct *mm, void *table)		\
{									\
	lvl##_free(mm, table);						\
}									\
static void lvl##_put_tlb(struct mmu_gather *tlb, void *table)		\
{									\
	lvl##_free_tlb(tlb, table, PGT_ADDR);				\
}

UPPER_LEVEL(pmd)
UPPER_LEVEL(pud)
UPPER_LEVEL(p4d)

static bool no_pte_level(struct mm_struct *mm)
{
	return false;
}

/**
 * pgt_pmd_pair() - a pair of PMD entries that no mm has
 * @mm: the mm of @table
 * @table: the table that the first entry leads to, for pmd_populate()
 *
 * On 32-bit ARM the first entry is two by itself. They are not on the stack, as
 * Xen looks at the page, and so does pte_alloc_one_near().
 *
 * Return: the first entry, for pgt_pmd_pair_free().
 */
pmd_t *pgt_pmd_pair(struct mm_struct *mm, pgtable_t table)
{
	struct ptdesc *ptdesc = pagetable_alloc(GFP_KERNEL | __GFP_ZERO | __GFP_NOFAIL, 0);
	pmd_t *pmd = ptdesc_address(ptdesc);

	pagetable_pud_ctor(ptdesc);	/* a table without a lock */
	pmd_populate(mm, pmd, table);
	return pmd;
}

void pgt_pmd_pair_free(pmd_t *pmd)
{
	pagetable_dtor_free(virt_to_ptdesc(pmd));
}

static void *pte_get(struct mm_struct *mm, void *beside)
{
	pmd_t *pmd;
	void *table;

	if (!beside)
		return pte_alloc_one(mm);
	pmd = pgt_pmd_pair(mm, (pgtable_t)beside);
	table = pte_alloc_one_near(mm, pmd + 1);
	pgt_pmd_pair_free(pmd);
	return table;
}

/* A pgtable_t is not the same everywhere: let an entry tell. */
static struct page *pte_table_page(struct mm_struct *mm, void *table)
{
	pmd_t *pmd = pgt_pmd_pair(mm, (pgtable_t)table);
	struct page *page = pmd_page(*pmd);

	pgt_pmd_pair_free(pmd);
	return page;
}

static void pte_put(struct mm_struct *mm, void *table)
{
	pte_free(mm, (pgtable_t)table);
}

static void pte_put_tlb(struct mmu_gather *tlb, void *table)
{
	pte_free_tlb(tlb, (pgtable_t)table, PGT_ADDR);
}

const struct pgt_level pgt_levels[PGT_LEVELS] = {
	{ "pte", no_pte_level, pte_get, pte_table_page, pte_put, pte_put_tlb },
	{ "pmd", no_pmd_level, pmd_get, table_page, pmd_put, pmd_put_tlb },
	{ "pud", no_pud_level, pud_get, table_page, pud_put, pud_put_tlb },
	{ "p4d", no_p4d_level, p4d_get, table_page, p4d_put, p4d_put_tlb },
};

#ifdef CONFIG_MMU_GATHER_TABLE_FREE
static struct mmu_table_batch *no_batch(void)
{
	return NULL;
}
#endif

/**
 * pgt_without_batch() - as if there were no memory for a batch of tables
 * @test: the test, for the rest of which that is so
 */
void pgt_without_batch(struct kunit *test)
{
#ifdef CONFIG_MMU_GATHER_TABLE_FREE
	kunit_activate_static_stub(test, tlb_batch_alloc, no_batch);
#else
	kunit_skip(test, "tables are not batched");
#endif
}
