// SPDX-License-Identifier: GPL-2.0-only
/// Page tables that are allocated or freed past the constructor and destructor.
/// Not each is wrong: scripts/pgtable_pair.known has those that were looked at.
// Run by scripts/check over the patched tree; prints FILE:FUNCTION: what.
virtual report

// Memory for a table from elsewhere than pagetable_alloc()
@alloc@
typedef pte_t, pmd_t, pud_t, p4d_t, pgd_t;
{pte_t *, pmd_t *, pud_t *, p4d_t *, pgd_t *} t;
identifier f, fn = {get_zeroed_page, __get_free_page, __get_free_pages,
	get_zeroed_page_noprof, kmem_cache_alloc, kmem_cache_alloc_noprof,
	kmem_cache_zalloc, kzalloc, kmalloc, kvmalloc, alloc_page, alloc_pages,
	get_safe_page, vmalloc, kvm_mmu_memory_cache_alloc, mmu_memory_cache_alloc};
position p;
@@
f@p(...) { <+... \( t = fn(...) \| t = (void *)fn(...) \| t = (pte_t *)fn(...) \| t = (pmd_t *)fn(...) \| t = (pud_t *)fn(...) \| t = (p4d_t *)fn(...) \| t = (pgd_t *)fn(...) \) ...+> }

@script:python depends on report@
p << alloc.p;
f << alloc.f;
fn << alloc.fn;
@@
print("%s:%s: table from %s()" % (p[0].file, f, fn))

// A table that goes past its destructor
@free@
{pte_t *, pmd_t *, pud_t *, p4d_t *, pgd_t *} t;
identifier f, fn = {free_page, free_pages, kfree, kvfree, vfree,
	free_reserved_page, __free_page, __free_pages, put_page};
position p;
@@
f@p(...) { <+... \( fn((unsigned long)t, ...) \| fn(t, ...) \| fn(virt_to_page(t), ...) \) ...+> }

@script:python depends on report@
p << free.p;
f << free.f;
fn << free.fn;
@@
print("%s:%s: table to %s()" % (p[0].file, f, fn))

@slab@
{pte_t *, pmd_t *, pud_t *, p4d_t *, pgd_t *} t;
identifier f;
position p;
@@
f@p(...) { <+... kmem_cache_free(..., t) ...+> }

@script:python depends on report@
p << slab.p;
f << slab.f;
@@
print("%s:%s: table to kmem_cache_free()" % (p[0].file, f))

// By entry: the page that an entry leads to
@entry@
identifier f, fn = {free_page, free_pages, __free_page, __free_pages, put_page,
	free_reserved_page},
	pg = {pmd_page, pud_page, p4d_page, pgd_page, pmd_page_vaddr,
	pgd_page_vaddr, pud_pgtable, p4d_pgtable};
position p;
@@
f@p(...) { <+... \( fn(pg(...), ...) \| fn((unsigned long)pg(...), ...) \) ...+> }

@script:python depends on report@
p << entry.p;
f << entry.f;
fn << entry.fn;
pg << entry.pg;
@@
print("%s:%s: %s() to %s()" % (p[0].file, f, pg, fn))

// Half of the pair in one function
@ctor@
identifier f, fn = {pagetable_pte_ctor, pagetable_pmd_ctor, pagetable_pud_ctor,
	pagetable_p4d_ctor, pagetable_pgd_ctor};
position p;
@@
f@p(...) { <+... fn(...) ...+> }

@alloc_only@
identifier f, fn = {pagetable_alloc, pagetable_alloc_noprof};
position p != ctor.p;
@@
f@p(...) { <+... fn(...) ...+> }

@script:python depends on report@
p << alloc_only.p;
f << alloc_only.f;
@@
print("%s:%s: pagetable_alloc() without constructor" % (p[0].file, f))

@dtor@
identifier f, fn = {pagetable_dtor, pagetable_pte_ctor, pagetable_pmd_ctor};
position p;
@@
f@p(...) { <+... fn(...) ...+> }

@free_only@
identifier f;
position p != dtor.p;
@@
f@p(...) { <+... \( pagetable_free(...) \| __pagetable_free(...) \) ...+> }

@script:python depends on report@
p << free_only.p;
f << free_only.f;
@@
print("%s:%s: pagetable_free() without destructor" % (p[0].file, f))

// A destructor for tables that may never have been constructed: fine where
// the function frees what its other half has allocated
@asks@
identifier f;
position p;
@@
f@p(...) { <+... PageTable(...) ...+> }

@dtor_only@
identifier f;
position p != {asks.p, ctor.p};
@@
f@p(...) { <+... \( pagetable_dtor(...) \| pagetable_dtor_free(...) \) ...+> }

@script:python depends on report@
p << dtor_only.p;
f << dtor_only.f;
@@
print("%s:%s: destructor without constructor" % (p[0].file, f))

// No mm: whose tables are these?
@nomm@
identifier f, fn = {pgd_free, p4d_free, pud_free, pmd_free, pte_free, pte_free_kernel};
position p;
@@
f@p(...) { <+... fn(NULL, ...) ...+> }

@script:python depends on report@
p << nomm.p;
f << nomm.f;
fn << nomm.fn;
@@
print("%s:%s: %s() without mm" % (p[0].file, f, fn))
