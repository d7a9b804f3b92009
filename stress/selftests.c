// SPDX-License-Identifier: GPL-2.0-only
/*
 * selftests - the init of a guest: runs what /tests/list names, each line
 * "SECONDS PROGRAM [ARGUMENT...]", and puts into the kernel log what each says
 * of its tests, as "T PROGRAM ARGUMENTS| ok 1 ...", and its exit code. The
 * program "kunit" is a KUnit suite of the kernel.
 */
#include "guest.h"

#define ARGS	8

/* Only results; the rest is much, and two TAP headers would confuse. */
static void tell(const char *name, char *line)
{
	while (*line == ' ')
		line++;
	if (!strncmp(line, "ok ", 3) || !strncmp(line, "not ok ", 7) ||
	    !strncmp(line, "Bail out!", 9) || !strncmp(line, "[FAIL]", 6))
		say("T %.40s| %.70s", name, line);
}

static void run(const char *name, char **argv, long seconds)
{
	char *envp[] = { "PATH=/tests", "HOME=/tmp", NULL };
	char buf[256];
	long start = time(NULL);
	int pipes[2], status = 0, have = 0, n, late = 0;
	struct pollfd pfd;
	pid_t pid;

	if (pipe(pipes))
		return;
	pid = fork();
	if (!pid) {
		setpgid(0, 0);
		dup2(pipes[1], 1);
		dup2(pipes[1], 2);
		close(pipes[0]);
		close(pipes[1]);
		chdir("/tests");
		execve(argv[0], argv, envp);
		_exit(127);
	}
	close(pipes[1]);
	pfd.fd = pipes[0];
	pfd.events = POLLIN;
	/* Until all have closed it, or some have for too long not. */
	while (1) {
		if (!late && time(NULL) - start >= seconds) {
			late = 1;
			kill(-pid, SIGKILL);
			kill(pid, SIGKILL);
		}
		if (late && time(NULL) - start >= seconds + 10)
			break;
		if (poll(&pfd, 1, 500) <= 0)
			continue;
		n = read(pipes[0], buf + have, 1);
		if (n <= 0)
			break;
		if (buf[have] == '\n' || have == sizeof(buf) - 2) {
			buf[have] = '\0';
			tell(name, buf);
			have = 0;
		} else {
			have++;
		}
	}
	close(pipes[0]);
	kill(-pid, SIGKILL);
	waitpid(pid, &status, 0);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	if (late)
		say("T %.40s| exit time-out", name);
	else if (status & 0x7f)
		say("T %.40s| exit signal %d", name, status & 0x7f);
	else
		say("T %.40s| exit %d", name, status >> 8);
	say("<7># %s: %ld s", name, (long)time(NULL) - start);
}

/* Suites that the kernel has not built are no failure: no result. */
static void run_suite(const char *suite)
{
	char file[96], name[64], *line, *next;

	snprintf(name, sizeof(name), "kunit %s", suite);
	snprintf(file, sizeof(file), "/sys/kernel/debug/kunit/%s/run", suite);
	if (put(file, "1"))
		return;
	snprintf(file, sizeof(file), "/sys/kernel/debug/kunit/%s/results", suite);
	for (line = slurp(file); line && *line; line = next ? next : "") {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		tell(name, line);
	}
	say("T %.40s| exit 0", name);
}

int main(int argc, char **argv)
{
	static char list[8192];
	char name[64], *args[ARGS + 1], *line, *next, *p;
	int runs = 0, n;

	/* Where there is no terminal, nothing is open; a pipe is to be none of these. */
	do {
		n = open("/dev/null", O_RDWR);
	} while (n >= 0 && n < 2);

	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
	mount("tmpfs", "/dev/shm", "tmpfs", 0, NULL);
	strlcat(list, slurp("/tests/list"), sizeof(list));
	for (line = list; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		strlcpy(name, strchr(line, ' ') + 1, sizeof(name));
		for (n = 0, p = strchr(line, ' '); p && n < ARGS; n++) {
			*p++ = '\0';
			args[n] = p;
			p = strchr(p, ' ');
		}
		args[n] = NULL;
		if (!strcmp(args[0], "kunit"))
			run_suite(args[1]);
		else
			run(name, args, atol(line));
		runs++;
	}
	say("<2>KTAP version 1");
	say("<2>1..1");
	say("<2>    KTAP version 1");
	say("<2>    # Subtest: selftests");
	say("<2>    1..1");
	say("<2>    # selftests: %d programs", runs);
	say("<2>    ok 1 ran_to_the_end");
	say("<2>ok 1 selftests");
	finish();
	return 0;
}
