// SPDX-License-Identifier: GPL-2.0-only
/*
 * rounds - the init of a guest: 1000 times fork, exec, mmap, munmap and exit,
 * after which as many page tables and split locks have to be in use as before.
 * Prints KTAP into the kernel log.
 */
#include "guest.h"

#define ROUNDS	1000

/* Tables at several places, some unmapped, some left for exit. */
static int use_memory(void)
{
	int i;

	for (i = 0; i < 4; i++) {
		char *p = mmap((void *)(1024 * MB + i * 64 * MB), 8 * MB,
			       PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

		if (p == MAP_FAILED)
			return 1;
		p[0] = 1;
		p[3 * MB] = 1;
		p[7 * MB] = 1;
		if (i & 1)
			munmap(p, 8 * MB);
	}
	return 0;
}

static int rounds(int nr, char *self)
{
	int status, bad = 0;
	char *argv[] = { self, "again", NULL };
	char *envp[] = { NULL };
	pid_t pid;

	while (nr--) {
		pid = fork();
		if (!pid) {
			if (use_memory())
				_exit(1);
			execve("/init", argv, envp);
			_exit(1);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
			bad++;
	}
	return bad;
}

int main(int argc, char **argv)
{
	long tables[2], locks[2];
	int bad, try;

	if (argc > 1 && !strcmp(argv[1], "again"))
		return use_memory();

	mount("proc", "/proc", "proc", 0, NULL);
	rounds(ROUNDS / 10, argv[0]);
	tables_in_use(&tables[0], &locks[0]);
	bad = rounds(ROUNDS, argv[0]);
	for (try = 0; try < 5; try++) {
		tables_in_use(&tables[1], &locks[1]);
		if (tables[1] == tables[0] && locks[1] == locks[0])
			break;
	}

	say("KTAP version 1");
	say("1..1");
	say("    KTAP version 1");
	say("    # Subtest: rounds");
	say("    1..3");
	say("    # rounds: nr_page_table_pages %ld -> %ld, page->ptl %ld -> %ld",
	    tables[0], tables[1], locks[0], locks[1]);
	say("    %s 1 no_round_fails", bad ? "not ok" : "ok");
	say("    %s 2 tables_come_back",
	    tables[0] > 0 && tables[1] == tables[0] ? "ok" : "not ok");
	if (locks[0] < 0)
		say("    ok 3 locks_come_back # SKIP locks are not allocated");
	else
		say("    %s 3 locks_come_back",
		    locks[1] == locks[0] ? "ok" : "not ok");
	say("%s 1 rounds", bad || tables[1] != tables[0] ||
	    locks[1] != locks[0] ? "not ok" : "ok");
	finish();
	return 0;
}
