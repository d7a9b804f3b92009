/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Threads: nolibc has none.
 */
struct thread {
	void (*run)(void *arg);
	void *arg;
};

/* Threads that have not ended. Whoever starts them sets it before. */
static volatile int left;

static void begin(struct thread *t)
{
	t->run(t->arg);
	__atomic_fetch_sub(&left, 1, __ATOMIC_RELEASE);
	for (;;)
		_syscall(__NR_exit, 0);
}

/* Start a thread that calls RUN, on the stack that ends at END, of 64 bytes' alignment. */
static long spawn(void (*run)(void *), void *arg, char *end)
{
	unsigned long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
			      CLONE_THREAD | CLONE_SYSVSEM;
	struct thread *t = (struct thread *)end - 1;
	long *sp = (long *)end - 32, ret;

	*t = (struct thread){ run, arg };
#if defined(__x86_64__)
	sp[0] = (long)begin;
	sp[1] = (long)t;
	asm volatile("syscall; test %%rax, %%rax; jnz 1f; pop %%rax; pop %%rdi; call *%%rax; 1:"
		     : "=a" (ret) : "0" (__NR_clone), "D" (flags), "S" (sp)
		     : "rcx", "r11", "memory", "cc");
#elif defined(__powerpc64__)
	register long r0 asm("r0") = __NR_clone, r3 asm("r3") = flags, r4 asm("r4") = (long)sp;

	sp[0] = 0;
	sp[12] = (long)begin;
	sp[13] = (long)t;
	asm volatile("sc; bns+ 2f; neg 3, 3; 2: cmpdi 3, 0; bne 1f;"
		     "ld 12, 96(1); ld 3, 104(1); mtctr 12; bctrl; 1:"
		     : "+r" (r0), "+r" (r3), "+r" (r4) :
		     : "memory", "cr0", "ctr", "lr", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12");
	ret = r3;
#elif defined(__s390x__)
	register long r1 asm("1") = __NR_clone, r2 asm("2") = (long)sp, r3 asm("3") = flags;

	sp[20] = (long)begin;
	sp[21] = (long)t;
	asm volatile("svc 0; ltgr 2, 2; jnz 1f; lg 1, 160(15); lg 2, 168(15); basr 14, 1; 1:"
		     : "+d" (r1), "+d" (r2), "+d" (r3) : : "memory", "cc", "14");
	ret = r2;
#else
#error no way to start a thread
#endif
	return ret;
}
