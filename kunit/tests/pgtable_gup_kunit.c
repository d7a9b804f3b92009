// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for the walk of fast GUP: where it reads entries again, and for how
 * long it keeps interrupts off.
 */
#include <kunit/test.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sizes.h>
#include <linux/smp.h>
#include <linux/uaccess.h>

#include "pgtable_kunit.h"

#ifdef CONFIG_HAVE_GUP_FAST
/* A walker that reads an entry again must not read its own copy of it. */
static void lockless_walk_finds_entries(struct kunit *test)
{
	struct mm_struct *mm = pgt_mm_create(test);
	unsigned long addr = PGT_ADDR;
	pgd_t *pgdp, pgd;
	p4d_t *p4dp, p4d;
	pud_t *pudp, pud;
	pmd_t *pmdp;

	pgt_mm_use(mm);
	pgt_map(test, NULL, addr, PMD_SIZE);
	pgt_mm_unuse(mm);
	pgt_pte_table(test, mm, addr);

	pgdp = pgd_offset(mm, addr);
	pgd = pgdp_get(pgdp);
	p4dp = p4d_offset_lockless(pgdp, pgd, addr);
	p4d = p4dp_get(p4dp);
	pudp = pud_offset_lockless(p4dp, p4d, addr);
	pud = pudp_get(pudp);
	pmdp = pmd_offset_lockless(pudp, pud, addr);

	KUNIT_EXPECT_PTR_EQ(test, pudp,
			    pud_offset(p4d_offset(pgdp, addr), addr));
	KUNIT_EXPECT_PTR_EQ(test, pmdp, pgt_pmd(test, mm, addr));
}

/* GUP_FAST_BATCH, and as much again for a sender that is late */
#define BATCH		(2 * 512)
/* As many as are needed to see interrupts come in the midst. */
#define NR_PAGES	(16 * BATCH)
#define TRIALS		200
#define ENOUGH		5

/* An interrupt for a CPU that is in get_user_pages_fast_only() */
struct sender {
	struct task_struct *task;
	call_single_data_t csd;
	struct page **pages;
	unsigned int cpu;
	int trial;	/* from 1, 0 to end */
	int sent;	/* the trial that it was sent in */
	int taken;	/* how many pages had been taken after it was sent */
	int seen;	/* and when it came; -1 until then */
};

static int pages_taken(struct sender *s, int from)
{
	while (from < NR_PAGES && READ_ONCE(s->pages[from]))
		from++;
	return from;
}

static void interrupt(void *data)
{
	struct sender *s = data;

	WRITE_ONCE(s->seen, pages_taken(s, 0));
}

static int sender_fn(void *data)
{
	struct sender *s = data;
	int trial;

	/* Pairs with the release below: the pages of the last trial are gone. */
	while ((trial = smp_load_acquire(&s->trial))) {
		if (trial == s->sent || !READ_ONCE(s->pages[0])) {
			cond_resched();
			cpu_relax();
			continue;
		}
		smp_call_function_single_async(s->cpu, &s->csd);
		/* What is taken from here on is taken with the interrupt pending. */
		smp_mb();
		WRITE_ONCE(s->taken, pages_taken(s, 0));
		/* Pairs with the acquire in interrupts_come_in(): taken is there. */
		smp_store_release(&s->sent, trial);
	}
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

KUNIT_DEFINE_ACTION_WRAPPER(pgt_kvfree, kvfree, const void *);

/* Interrupts are let in after so many pages, however many are asked for. */
static void interrupts_come_in(struct kunit *test)
{
	unsigned long i, len = (unsigned long)NR_PAGES * PAGE_SIZE;
	unsigned int cpu = pgt_other_cpu(test);
	struct mm_struct *mm;
	struct file *file;
	struct sender *s;
	int trial, told = 0, best = NR_PAGES, incomplete = 0;
	u8 val;

	if (!IS_ENABLED(CONFIG_ARCH_HAS_PTE_SPECIAL))
		kunit_skip(test, "fast GUP takes no small pages");
	if (len > TASK_SIZE - PGT_ADDR)
		kunit_skip(test, "address space too small");
	if (PMD_SIZE > SZ_32M)
		kunit_skip(test, "a PTE table maps too much memory");
	s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, s);
	s->pages = kvcalloc(NR_PAGES, sizeof(*s->pages), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, s->pages);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, pgt_kvfree, s->pages));

	/* One PMD's worth of memory, mapped as often as it takes */
	file = pgt_shmem_file(test, PMD_SIZE);
	mm = pgt_mm_create(test);
	pgt_mm_use(mm);
	for (i = 0; i < len; i += PMD_SIZE)
		pgt_map(test, file, PGT_ADDR + i, min(len - i, PMD_SIZE));
	for (i = 0; i < len; i += PAGE_SIZE) {
		KUNIT_ASSERT_EQ(test, 0, get_user(val, (u8 __user *)(PGT_ADDR + i)));
		KUNIT_ASSERT_EQ(test, 0, val);
	}

	s->cpu = raw_smp_processor_id();
	INIT_CSD(&s->csd, interrupt, s);
	s->trial = 1;
	s->task = kthread_run_on_cpu(sender_fn, s, cpu, "pgt_sender/%u");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, s->task);
	for (trial = 1; trial <= TRIALS && told < ENOUGH; trial++) {
		WRITE_ONCE(s->seen, -1);
		/* Pairs with the acquire in sender_fn() */
		smp_store_release(&s->trial, trial);
		cond_resched();
		incomplete += get_user_pages_fast_only(PGT_ADDR, NR_PAGES, 0,
						       s->pages) != NR_PAGES;
		/* Pairs with the release in sender_fn() */
		while (s->pages[0] && smp_load_acquire(&s->sent) != trial)
			cpu_relax();
		while (s->pages[0] && READ_ONCE(s->seen) < 0)
			cpu_relax();
		/* Sent too late to tell? */
		if (s->pages[0] && s->taken + BATCH < NR_PAGES) {
			told++;
			best = min(best, s->seen - s->taken);
		}
		for (i = 0; i < NR_PAGES && s->pages[i]; i++) {
			put_page(s->pages[i]);
			WRITE_ONCE(s->pages[i], NULL);
		}
	}
	WRITE_ONCE(s->trial, 0);
	kthread_stop(s->task);
	pgt_mm_unuse(mm);

	/* Reclaim may have been at it once. */
	KUNIT_EXPECT_LT(test, incomplete, trial / 2);
	if (!told)
		kunit_skip(test, "the other CPU is too slow");
	/* Any of them may be late, if the host is busy. */
	KUNIT_EXPECT_LE_MSG(test, best, BATCH,
			    "pages taken with an interrupt pending");
	kunit_info(test, "%d pages at the least in %d trials", best, told);
}
#else
static void lockless_walk_finds_entries(struct kunit *test)
{
	kunit_skip(test, "no fast GUP");
}

static void interrupts_come_in(struct kunit *test)
{
	kunit_skip(test, "no fast GUP");
}
#endif

static struct kunit_case pgtable_gup_cases[] = {
	KUNIT_CASE(lockless_walk_finds_entries),
	KUNIT_CASE(interrupts_come_in),
	{}
};

static struct kunit_suite pgtable_gup_suite = {
	.name = "pgtable_gup",
	.suite_init = pgt_print_geometry,
	.test_cases = pgtable_gup_cases,
};

kunit_test_suite(pgtable_gup_suite);

MODULE_DESCRIPTION("KUnit tests for the walk of fast GUP");
MODULE_LICENSE("GPL");
