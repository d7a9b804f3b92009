// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for page tables that are cut from a page: how many pages there
 * are for a number of tables, that no two tables are in one place, and that the
 * pages go when their tables are gone.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/pgalloc.h>
#include <linux/sched/mm.h>
#include <linux/sort.h>
#include <linux/uaccess.h>

#include "../internal.h"
#include "pgtable_kunit.h"

/* PTE tables that go into one page if they are allocated in order, from PACKED_ADDR */
static int tables_per_page(void)
{
#if defined(CONFIG_PPC)
	return PAGE_SIZE / PTE_FRAG_SIZE;
#elif defined(CONFIG_S390)
	return PAGE_SIZE / _PAGE_TABLE_SIZE;
#else
	return 1;
#endif
}

/* Where a new group of PMD entries begins, whatever the group is */
#define PACKED_ADDR	ALIGN(PGT_ADDR, 16 * PMD_SIZE)

static unsigned long addr_of(int i)
{
	return PACKED_ADDR + i * PMD_SIZE;
}

/* Tables of a pool fill other pages than those that the tests count. */
static void need_pages(struct kunit *test)
{
	if (PGT_POOLED)
		kunit_skip(test, "tables come from a pool");
}

/* Room for @nr tables, as far as there are addresses for them */
static int map_tables(struct kunit *test, int nr)
{
	nr = min_t(unsigned long, nr, (TASK_SIZE - PACKED_ADDR) / PMD_SIZE - 1);
	pgt_map(test, NULL, PACKED_ADDR, nr * PMD_SIZE);
	return nr;
}

static struct mm_struct *mm_with_room(struct kunit *test, int *nr)
{
	struct mm_struct *mm = pgt_mm_create(test);

	pgt_mm_use(mm);
	*nr = map_tables(test, *nr);
	pgt_mm_unuse(mm);
	return mm;
}

/* Where the table of a PMD entry begins */
static unsigned long table_of(pmd_t *pmd)
{
	return page_to_phys(pmd_page(*pmd)) + (pmd_val(*pmd) & ~PAGE_MASK &
	       -(PTRS_PER_PTE * sizeof(pte_t)));
}

static int compare(const void *a, const void *b)
{
	unsigned long l = *(unsigned long *)a, r = *(unsigned long *)b;

	return l < r ? -1 : l > r;
}

/*
 * The pages that the tables of the mm's first @nr entries are in. On the way,
 * each is looked at: whether it is there, empty, and in nobody else's place.
 */
static int count_pages(struct kunit *test, struct mm_struct *mm, int nr)
{
	unsigned long *tables = kunit_kmalloc_array(test, nr, sizeof(*tables),
						    GFP_KERNEL);
	int i, j, pages = 0, full = 0, overlaps = 0;

	KUNIT_ASSERT_NOT_NULL(test, tables);
	for (i = 0; i < nr; i++) {
		pmd_t *pmd = pgt_pmd(test, mm, addr_of(i));
		pte_t *pte = pte_offset_map(pmd, addr_of(i));

		KUNIT_ASSERT_NOT_NULL(test, pte);
		for (j = 0; j < PTRS_PER_PTE; j++)
			full += !pte_none(ptep_get(pte + j));
		pte_unmap(pte);
		tables[i] = table_of(pmd);
	}
	sort(tables, nr, sizeof(*tables), compare, NULL);
	for (i = 0; i < nr; i++) {
		pages += !i || (tables[i] ^ tables[i - 1]) & PAGE_MASK;
		overlaps += i && tables[i] - tables[i - 1] <
				 PTRS_PER_PTE * sizeof(pte_t);
	}
	KUNIT_EXPECT_EQ_MSG(test, full, 0, "entries of new tables that are not none");
	KUNIT_EXPECT_EQ_MSG(test, overlaps, 0, "tables in one place");
	return pages;
}

/* Tables that are allocated in order fill pages, and a full page is followed by the next. */
static void tables_fill_pages(struct kunit *test)
{
	static const int numbers[] = { 1, 2, 16, 17, 1000 };
	int per_page = tables_per_page(), i, j, nr;

	need_pages(test);
	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		struct mm_struct *mm;
		int pages;

		nr = numbers[i];
		mm = mm_with_room(test, &nr);
		for (j = 0; j < nr; j++)
			pgt_pte_table(test, mm, addr_of(j));
		pages = count_pages(test, mm, nr);
		KUNIT_EXPECT_EQ(test, pages, DIV_ROUND_UP(nr, per_page));
		kunit_info(test, "%d tables on %d pages", nr, pages);
		pgt_mm_put(test, mm);
	}
}

/* Nor does it matter which one of a pair is first. */
static void pair_shares_a_page(struct kunit *test)
{
	struct mm_struct *mm;
	int i, nr = 4;

	if (tables_per_page() == 1)
		kunit_skip(test, "no tables share a page");
	mm = mm_with_room(test, &nr);
	for (i = nr - 1; i >= 0; i--)
		pgt_pte_table(test, mm, addr_of(i));
	KUNIT_EXPECT_LE(test, count_pages(test, mm, nr), nr / 2);
	for (i = 0; i < nr; i += 2)
		KUNIT_EXPECT_PTR_EQ(test,
				    pmd_page(*pgt_pmd(test, mm, addr_of(i))),
				    pmd_page(*pgt_pmd(test, mm, addr_of(i + 1))));
}

/* No mm has more pages than tables, whatever it does not map. */
static void lone_tables_take_no_more(struct kunit *test)
{
	struct mm_struct *mm;
	long before, pages;
	int i, nr = 64;

	mm = mm_with_room(test, &nr);
	pgt_pmd(test, mm, addr_of(0));
	pgt_pmd(test, mm, addr_of(nr - 1));
	pgt_wait_for_frees();
	before = pgt_nr_pagetable();
	for (i = 0; i < nr; i += 2)
		pgt_pte_table(test, mm, addr_of(i));
	pages = pgt_nr_pagetable() - before;
	KUNIT_EXPECT_LE(test, pages, nr / 2);
}

static void unmap_and_wait(struct kunit *test, struct mm_struct *mm, unsigned long addr)
{
	pgt_mm_use(mm);
	KUNIT_EXPECT_EQ(test, 0, vm_munmap(addr, PMD_SIZE));
	pgt_map(test, NULL, addr, PMD_SIZE);
	pgt_mm_unuse(mm);
	pgt_wait_for_frees();
}

/* A place whose table was freed is not used again before the page is freed. */
static void place_is_used_once(struct kunit *test)
{
	unsigned long old[2], new;
	struct pgt_witness *w;
	struct mm_struct *mm;
	int i, nr = 2;

	if (tables_per_page() == 1)
		kunit_skip(test, "no tables share a page");
	mm = mm_with_room(test, &nr);
	for (i = 0; i < nr; i++)
		old[i] = table_of(pgt_pte_table(test, mm, addr_of(i)));
	w = pgt_witness_table(test, pmd_page(*pgt_pmd(test, mm, addr_of(0))));

	/* The other of the pair stays, and with it the page. */
	unmap_and_wait(test, mm, addr_of(0));
	pgt_expect_alive(test, w);
	new = table_of(pgt_pte_table(test, mm, addr_of(0)));
	KUNIT_EXPECT_NE(test, new, old[0]);
	KUNIT_EXPECT_NE(test, new, old[1]);

	unmap_and_wait(test, mm, addr_of(1));
	pgt_mm_put(test, mm);
	pgt_wait_for_frees();
	pgt_expect_gone(test, w);
}

/* A table that was never visible does not wait for RCU if its page has no other. */
static void hidden_table_is_freed_at_once(struct kunit *test)
{
#ifdef CONFIG_S390
	struct mm_struct *mm = pgt_mm_create(test);
	struct pgt_reader *reader;
	struct pgt_witness *w;
	pgtable_t table;

	pgt_other_cpu(test);	/* or skip, before anything is allocated */
	table = pte_alloc_one(mm);
	KUNIT_ASSERT_NOT_NULL(test, table);
	w = pgt_witness_table(test, virt_to_page(table));
	reader = pgt_reader_start(test);
	pte_free(mm, table);
	pgt_expect_gone(test, w);
	pgt_reader_stop(test, reader);
#else
	kunit_skip(test, "tables are not paired");
#endif
}

static void __maybe_unused free_pair(void *pair)
{
	pgt_pmd_pair_free(pair);
}

/* Nor is a table cut from a page that waits to be freed, though its entry is seen. */
static void dying_page_is_not_cut(struct kunit *test)
{
#if defined(CONFIG_S390) && defined(CONFIG_TRANSPARENT_HUGEPAGE)
	struct mm_struct *mm = pgt_mm_create(test);
	struct pgt_reader *reader;
	struct pgt_witness *w;
	pgtable_t table;
	pmd_t *pair;

	table = pte_alloc_one(mm);
	KUNIT_ASSERT_NOT_NULL(test, table);
	pair = pgt_pmd_pair(mm, table);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_pair, pair));
	w = pgt_witness_table(test, pmd_page(*pair));

	reader = pgt_reader_start(test);
	pte_free_defer(mm, table);
	table = pte_alloc_one_near(mm, pair + 1);
	KUNIT_EXPECT_NOT_NULL(test, table);
	KUNIT_EXPECT_PTR_NE(test, virt_to_page(table), w->page);
	pgt_expect_alive(test, w);
	pgt_reader_stop(test, reader);
	if (table)
		pte_free(mm, table);
	pgt_wait_for_frees();
	pgt_expect_gone(test, w);
#else
	kunit_skip(test, "tables are not paired");
#endif
}

/* Nor is one cut from a huge page, whatever its struct page has in that place. */
static void huge_page_is_not_cut(struct kunit *test)
{
#ifdef CONFIG_S390
	struct mm_struct *mm = pgt_mm_create(test);
	struct page *page;
	pgtable_t table;
	pmd_t *pair, huge;

	table = pte_alloc_one(mm);
	KUNIT_ASSERT_NOT_NULL(test, table);
	pair = pgt_pmd_pair(mm, table);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_pair, pair));
	pte_free(mm, table);
	/* As large as it says, for the entry has no more bits of the address. */
	page = alloc_pages(GFP_KERNEL, PMD_SHIFT - PAGE_SHIFT);
	KUNIT_ASSERT_NOT_NULL(test, page);
	atomic_set(&page_ptdesc(page)->pt_frag_refcount, 0x10001);
	huge = __pmd(page_to_phys(page) | _SEGMENT_ENTRY_PRESENT | _SEGMENT_ENTRY_LARGE);
	pair[0] = huge;
	table = pte_alloc_one_near(mm, pair + 1);
	KUNIT_EXPECT_NOT_NULL(test, table);
	KUNIT_EXPECT_PTR_NE(test, virt_to_page(table), page);
	KUNIT_EXPECT_EQ(test, pmd_val(pair[0]), pmd_val(huge));
	if (table && virt_to_page(table) != page)
		pte_free(mm, table);
	page->__folio_index = 0;
	__free_pages(page, PMD_SHIFT - PAGE_SHIFT);
#else
	kunit_skip(test, "tables are not paired");
#endif
}

/* Beside a copy of an entry is no entry: nobody is to ask for a table near one. */
static void copy_of_entry_warns(struct kunit *test)
{
#if defined(CONFIG_S390) && defined(CONFIG_PGTABLE_PACKED) && defined(CONFIG_DEBUG_VM)
	struct mm_struct *mm = pgt_mm_create(test);
	pmd_t pair[2] __aligned(sizeof(pmd_t) * 2) = { };
	pgtable_t table = NULL;

	pgt_rearm_warnings(test);
	kunit_warning_suppress(test) {
		table = pte_alloc_one_near(mm, pair);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	if (table)
		pte_free(mm, table);
#else
	kunit_skip(test, "needs DEBUG_VM, and tables that are paired");
#endif
}

/*
 * A reference that is dropped twice does not free the page while somebody may
 * still read it, and DEBUG_VM tells. Any architecture's allocator will do.
 */
static void second_put_warns(struct kunit *test)
{
#ifdef CONFIG_PGTABLE_PACKED
	struct mm_struct *mm = pgt_mm_create(test);
	struct pgt_reader *reader;
	struct pgt_witness *w;
	void *cache = NULL;
	void *table;

	pgt_other_cpu(test);	/* or skip, before anything is allocated */
	table = pagetable_alloc_cached(mm, &cache, PAGE_SIZE / 2,
				       GFP_KERNEL | __GFP_ZERO, pagetable_pte_ctor);
	KUNIT_ASSERT_NOT_NULL(test, table);
	pagetable_drop_cached(&cache, PAGE_SIZE / 2);
	w = pgt_witness_table(test, virt_to_page(table));

	pgt_rearm_warnings(test);
	reader = pgt_reader_start(test);
	pagetable_put(virt_to_ptdesc(table));
	pgt_expect_alive(test, w);
	kunit_warning_suppress(test) {
		pagetable_put(virt_to_ptdesc(table));
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, IS_ENABLED(CONFIG_DEBUG_VM));
	}
	pgt_expect_alive(test, w);
	pgt_reader_stop(test, reader);
	pgt_wait_for_frees();
	pgt_expect_gone(test, w);
#else
	kunit_skip(test, "no tables share a page");
#endif
}

/* Every second table is unmapped, then the others: pages go with the last one. */
static void page_goes_with_its_last_table(struct kunit *test)
{
	int per_page = tables_per_page(), i, nr = 64, alive = 0;
	struct pgt_witness *w[64];
	struct mm_struct *mm;

	need_pages(test);
	mm = mm_with_room(test, &nr);
	for (i = 0; i < nr; i++)
		w[i] = pgt_witness_table(test, pmd_page(*pgt_pte_table(test, mm, addr_of(i))));

	pgt_mm_use(mm);
	for (i = 0; i < nr; i += 2)
		KUNIT_EXPECT_EQ(test, 0, vm_munmap(addr_of(i), PMD_SIZE));
	pgt_wait_for_frees();
	for (i = 0; i < nr; i++)
		alive += !pgt_freed(w[i]);
	KUNIT_EXPECT_EQ(test, alive, per_page > 1 ? nr : nr / 2);
	for (i = 1; i < nr; i += 2)
		KUNIT_EXPECT_EQ(test, 0, vm_munmap(addr_of(i), PMD_SIZE));
	pgt_mm_unuse(mm);
	pgt_mm_put(test, mm);
	pgt_wait_for_frees();
	for (i = 0; i < nr; i++)
		pgt_expect_gone(test, w[i]);
}

/* An mm exits with any number of tables in its last page. */
static void exit_with_part_of_a_page(struct kunit *test)
{
	int per_page = tables_per_page(), n, i;
	long before, after;

	/*
	 * A thread without an mm keeps the last one it had, and its PGD: so the
	 * first mm only brings what stays. But each CPU would keep one.
	 */
	KUNIT_ASSERT_EQ(test, 0,
			set_cpus_allowed_ptr(current, cpumask_of(raw_smp_processor_id())));
	for (n = 0; n < min(per_page, 16) + 2; n++) {
		struct mm_struct *mm;
		int nr = n + 1;

		pgt_wait_for_frees();
		before = pgt_nr_pagetable();
		mm = mm_with_room(test, &nr);
		for (i = 0; i < n; i++)
			pgt_pte_table(test, mm, addr_of(i));
		pgt_mm_put(test, mm);
		pgt_wait_for_frees();
		after = pgt_nr_pagetable();
		if (n)
			KUNIT_EXPECT_EQ(test, before, after);
	}
}

/* Two threads that fill one mm, each every second entry */
#define THREAD_TABLES	256

struct filler {
	struct mm_struct *mm;
	pmd_t *pmd;
	struct completion *go;
	atomic_t *met;
	struct completion done;
	int first;
	int failed;
};

static int filler_fn(void *data)
{
	struct filler *f = data;
	unsigned long end;
	int i;

	wait_for_completion(f->go);
	end = jiffies + HZ;
	for (i = f->first; i < THREAD_TABLES; i += 2) {
		/* Both come here at once, pair by pair, if they can. */
		atomic_inc(f->met);
		while (atomic_read(f->met) < (i | 1) + 1 && time_before(jiffies, end))
			cpu_relax();
		f->failed += pte_alloc(f->mm, f->pmd + i) != 0;
	}
	complete(&f->done);
	return 0;
}

static void threads_get_tables_of_their_own(struct kunit *test)
{
	struct completion *go = kunit_kzalloc(test, sizeof(*go), GFP_KERNEL);
	struct filler *f = kunit_kcalloc(test, 2, sizeof(*f), GFP_KERNEL);
	atomic_t met = ATOMIC_INIT(0);
	unsigned int cpu[2];
	int i, round, nr = THREAD_TABLES;

	KUNIT_ASSERT_NOT_NULL(test, go);
	KUNIT_ASSERT_NOT_NULL(test, f);
	if (pmd_index(PACKED_ADDR) + THREAD_TABLES > PTRS_PER_PMD)
		kunit_skip(test, "PMD tables are small");
	cpu[0] = pgt_other_cpu(test);
	cpu[1] = raw_smp_processor_id();
	for (round = 0; round < 8; round++) {
		struct mm_struct *mm = mm_with_room(test, &nr);
		pmd_t *pmd = pgt_pmd(test, mm, PACKED_ADDR);
		unsigned long bytes = mm_pgtables_bytes(mm);

		init_completion(go);
		atomic_set(&met, 0);
		for (i = 0; i < 2; i++) {
			struct task_struct *task;

			f[i] = (struct filler){ mm, pmd, go, &met, .first = i };
			init_completion(&f[i].done);
			task = kthread_run_on_cpu(filler_fn, f + i, cpu[i], "pgt_fill/%u");
			if (IS_ERR(task)) {
				f[i].failed = 1;
				complete(&f[i].done);
			}
		}
		complete_all(go);
		for (i = 0; i < 2; i++) {
			wait_for_completion(&f[i].done);
			KUNIT_EXPECT_EQ(test, f[i].failed, 0);
		}
		count_pages(test, mm, nr);	/* looks for tables in one place */
		KUNIT_EXPECT_EQ(test, mm_pgtables_bytes(mm) - bytes,
				nr * PTRS_PER_PTE * sizeof(pte_t));
		pgt_mm_put(test, mm);
	}
}

/*
 * A fork copies tables into pages of the child's own, as dense as the parent's.
 * It would not copy those of a file but for VM_MIXEDMAP; anonymous memory would
 * need anon_vmas.
 */
static void fork_is_as_dense(struct kunit *test)
{
	struct vm_area_struct *vma[2];
	int i, nr = 16, pages = 0;
	struct file *file = pgt_shmem_file(test, nr * PMD_SIZE);
	struct page *last = NULL;
	struct mm_struct *mm[2];

	need_pages(test);
	for (i = 0; i < 2; i++) {
		mm[i] = pgt_mm_create(test);
		pgt_mm_use(mm[i]);
		pgt_map(test, file, PACKED_ADDR, nr * PMD_SIZE);
		pgt_mm_unuse(mm[i]);
	}
	pgt_mm_use(mm[0]);
	for (i = 0; i < nr; i++) {
		pgt_pte_table(test, mm[0], addr_of(i));
		KUNIT_ASSERT_EQ(test, 0, put_user((u8)1, (u8 __user *)addr_of(i)));
	}
	pgt_mm_unuse(mm[0]);

	mmap_write_lock(mm[0]);
	mmap_write_lock_nested(mm[1], SINGLE_DEPTH_NESTING);
	for (i = 0; i < 2; i++) {
		vma[i] = find_vma(mm[i], PACKED_ADDR);
		vm_flags_set(vma[i], VM_MIXEDMAP);
	}
	KUNIT_EXPECT_EQ(test, 0, copy_page_range(vma[1], vma[0]));
	mmap_write_unlock(mm[1]);
	mmap_write_unlock(mm[0]);

	for (i = 0; i < nr; i++) {
		struct page *page = pmd_page(*pgt_pmd(test, mm[1], addr_of(i)));

		pages += page != last;
		last = page;
	}
	KUNIT_EXPECT_EQ(test, pages, DIV_ROUND_UP(nr, tables_per_page()));
	for (i = 0; i < 2; i++)
		pgt_mm_put(test, mm[i]);
}

/* PMD entries that are filled at once, from PACKED_ADDR */
static int needs_filling(struct kunit *test)
{
	int group = min(16UL, PAGE_SIZE / (PTRS_PER_PTE * sizeof(pte_t)));

	if (!IS_ENABLED(CONFIG_PGTABLE_PACKED) || group == 1)
		kunit_skip(test, "entries are not filled");
#ifdef CONFIG_PGTABLE_PACKED
	if (static_key_enabled(&pgtable_fill))
		kunit_skip(test, "entries are filled anyway");
#endif
	return group;
}

#ifdef CONFIG_PGTABLE_PACKED
static void stop_filling(void *unused)
{
	static_branch_disable(&pgtable_fill);
}

static void start_filling(struct kunit *test)
{
	static_branch_enable(&pgtable_fill);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, stop_filling, NULL));
}
#else
static void start_filling(struct kunit *test) { }
#endif

static bool has_table(struct kunit *test, struct mm_struct *mm, int i)
{
	return !pmd_none(*pgt_pmd(test, mm, addr_of(i)));
}

static void touch(struct kunit *test, unsigned long addr)
{
	KUNIT_EXPECT_EQ(test, 0, put_user((u8)1, (u8 __user *)addr));
}

/* The VMA begins in one group of entries, has all of the next and ends in a third. */
static void filling_stays_in_vma(struct kunit *test)
{
	int group = needs_filling(test), last = 2 * group, i;
	unsigned long bytes;
	struct mm_struct *mm = pgt_mm_create(test);
	long before;

	pgt_pmd(test, mm, addr_of(0));
	bytes = mm_pgtables_bytes(mm);
	pgt_mm_use(mm);
	pgt_map(test, NULL, addr_of(1), last * PMD_SIZE);
	do_madvise(mm, addr_of(1), last * PMD_SIZE, MADV_NOHUGEPAGE);
	pgt_wait_for_frees();
	before = pgt_nr_pagetable();

	touch(test, addr_of(group));
	KUNIT_EXPECT_TRUE(test, has_table(test, mm, group));
	KUNIT_EXPECT_FALSE(test, has_table(test, mm, group + 1));
	KUNIT_EXPECT_EQ(test, 0, vm_munmap(addr_of(group), PMD_SIZE));
	pgt_map(test, NULL, addr_of(group), PMD_SIZE);
	do_madvise(mm, addr_of(1), last * PMD_SIZE, MADV_NOHUGEPAGE);

	start_filling(test);
	touch(test, addr_of(group + 1));
	for (i = 0; i <= last + 1; i++)
		KUNIT_EXPECT_EQ_MSG(test, has_table(test, mm, i),
				    i >= group && i < 2 * group, "entry %d", i);
	KUNIT_EXPECT_EQ(test, mm_pgtables_bytes(mm) - bytes,
			group * PTRS_PER_PTE * sizeof(pte_t));
	touch(test, addr_of(1));
	touch(test, addr_of(last) + PMD_SIZE - 1);
	for (i = 0; i <= last + 1; i++)
		KUNIT_EXPECT_EQ_MSG(test, has_table(test, mm, i),
				    i >= 1 && i <= last, "entry %d", i);
	KUNIT_EXPECT_EQ(test, mm_pgtables_bytes(mm) - bytes,
			last * PTRS_PER_PTE * sizeof(pte_t));

	KUNIT_EXPECT_EQ(test, 0, vm_munmap(addr_of(1), last * PMD_SIZE));
	KUNIT_EXPECT_LE(test, mm_pgtables_bytes(mm), bytes);
	pgt_mm_unuse(mm);
	pgt_mm_put(test, mm);
	pgt_wait_for_frees();
	KUNIT_EXPECT_LE(test, pgt_nr_pagetable(), before);
}

/* Memory that may get huge pages gets them, and none of its entries is filled. */
static void filling_leaves_huge_pages(struct kunit *test)
{
#ifdef CONFIG_TRANSPARENT_HUGEPAGE
	struct mm_struct *mm;
	int group = needs_filling(test);

	if (!has_transparent_hugepage())
		kunit_skip(test, "no huge pages");
	if (group < 8)
		kunit_skip(test, "groups are small");
	if (!hugepage_global_enabled())
		kunit_skip(test, "huge pages are turned off");
	mm = pgt_mm_create(test);
	start_filling(test);
	pgt_mm_use(mm);
	/* Entries 0 and 1 for small pages, 2 to 4 for huge ones but for half of 2 */
	pgt_map(test, NULL, addr_of(0), 2 * PMD_SIZE);
	KUNIT_ASSERT_EQ(test, 0, do_madvise(mm, addr_of(0), 2 * PMD_SIZE, MADV_NOHUGEPAGE));
	pgt_map(test, NULL, addr_of(2) + PMD_SIZE / 2, 2 * PMD_SIZE + PMD_SIZE / 2);
	KUNIT_ASSERT_EQ(test, 0, do_madvise(mm, addr_of(2) + PMD_SIZE / 2,
					    2 * PMD_SIZE + PMD_SIZE / 2, MADV_HUGEPAGE));

	touch(test, addr_of(0));
	KUNIT_EXPECT_TRUE(test, has_table(test, mm, 1));
	KUNIT_EXPECT_FALSE(test, has_table(test, mm, 2));
	touch(test, addr_of(2) + PMD_SIZE / 2);
	KUNIT_EXPECT_FALSE(test, has_table(test, mm, 3));
	touch(test, addr_of(3));
	KUNIT_EXPECT_TRUE(test, pmd_trans_huge(*pgt_pmd(test, mm, addr_of(3))));
	KUNIT_EXPECT_FALSE(test, has_table(test, mm, 4));
	pgt_mm_unuse(mm);
	pgt_mm_put(test, mm);
#else
	kunit_skip(test, "no huge pages");
#endif
}

static struct kunit_case pgtable_packed_cases[] = {
	KUNIT_CASE(tables_fill_pages),
	KUNIT_CASE(pair_shares_a_page),
	KUNIT_CASE(lone_tables_take_no_more),
	KUNIT_CASE(place_is_used_once),
	KUNIT_CASE(hidden_table_is_freed_at_once),
	KUNIT_CASE(dying_page_is_not_cut),
	KUNIT_CASE(huge_page_is_not_cut),
	KUNIT_CASE(copy_of_entry_warns),
	KUNIT_CASE(second_put_warns),
	KUNIT_CASE(page_goes_with_its_last_table),
	KUNIT_CASE(exit_with_part_of_a_page),
	KUNIT_CASE(threads_get_tables_of_their_own),
	KUNIT_CASE(fork_is_as_dense),
	KUNIT_CASE(filling_stays_in_vma),
	KUNIT_CASE(filling_leaves_huge_pages),
	{}
};

static struct kunit_suite pgtable_packed_suite = {
	.name = "pgtable_packed",
	.suite_init = pgt_print_geometry,
	.test_cases = pgtable_packed_cases,
};

kunit_test_suite(pgtable_packed_suite);

MODULE_DESCRIPTION("KUnit tests for page tables that share a page");
MODULE_LICENSE("GPL");
