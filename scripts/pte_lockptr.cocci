// pte_lockptr() is given a PTE, never a PMD entry; ptep_lockptr() is gone.
// Run by scripts/check with --include-headers over the files that name either.
virtual report

@pmd@
pmd_t *p;
pmd_t v;
expression mm;
position pos;
@@
(
 pte_lockptr@pos(mm, p)
|
 pte_lockptr@pos(mm, &v)
|
 pte_lockptr@pos(mm, (pte_t *)p)
)

@old@
position pos;
@@
 ptep_lockptr@pos(...)

@script:python@
pos << pmd.pos;
@@
print(f"{pos[0].file}:{pos[0].line}: pte_lockptr() of a PMD entry")

@script:python@
pos << old.pos;
@@
print(f"{pos[0].file}:{pos[0].line}: ptep_lockptr() is gone")
