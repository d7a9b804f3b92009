// pte_lockptr() is given a PTE, never a PMD entry; ptep_lockptr() is gone.
// Run by scripts/check over the files that name either; each line that matches
// is printed with a minus sign.

@@
typedef pmd_t, pte_t;
pmd_t *p;
expression mm;
@@
(
* pte_lockptr(mm, p)
|
* pte_lockptr(mm, (pte_t *)p)
)

@@
pmd_t v;
expression mm;
@@
* pte_lockptr(mm, &v)

@@
@@
* ptep_lockptr(...)
