/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For programs that are the init of a guest. Built with the kernel's own nolibc.
 */
#include "nolibc.h"

#define MB	(1UL << 20)

/* One line of the log; not every guest's console is a terminal. */
static void say(const char *fmt, ...)
{
	static int fd = -1;
	char line[128];
	va_list args;
	int len;

	if (fd < 0)
		fd = open("/dev/kmsg", O_WRONLY);
	va_start(args, fmt);
	len = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	write(fd, line, len);
}

/* What is in FILE, until the next call; NULL if there is none. */
static char *slurp(const char *file)
{
	static char buf[1 << 16];
	int fd = open(file, O_RDONLY);
	size_t have = 0;
	ssize_t n;

	if (fd < 0)
		return NULL;
	while (have < sizeof(buf) - 1 &&
	       (n = read(fd, buf + have, sizeof(buf) - 1 - have)) > 0)
		have += n;
	close(fd);
	buf[have] = '\0';
	return buf;
}

/* The number after KEY in FILE, -1 if it is not there. */
static long number(const char *file, const char *key)
{
	size_t len = strlen(key);
	char *p;

	for (p = slurp(file); p; p = strchr(p, '\n'), p = p ? p + 1 : p)
		if (!strncmp(p, key, len) && p[len] == ' ') {
			for (p += len; *p == ' '; p++)
				;
			return atol(p);
		}
	return -1;
}

/* Writes TEXT to FILE; not 0 if that cannot be done. */
static int put(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY);
	int bad = fd < 0 || write(fd, text, strlen(text)) < 0;

	if (fd >= 0)
		close(fd);
	return bad;
}

/*
 * The page tables and split locks that are in use when all is quiet: every CPU
 * has run us last, so that none keeps a dead process's PGD, RCU has run, and the
 * counters are folded. From then on we run on one CPU.
 */
static void tables_in_use(long *tables, long *locks)
{
	unsigned long mask;
	int cpu;

	for (cpu = 0; cpu < 4; cpu++) {
		mask = 1UL << cpu;
		if (!syscall(__NR_sched_setaffinity, 0, sizeof(mask), &mask))
			usleep(20000);
	}
	sleep(1);
	put("/proc/sys/vm/stat_refresh", "1");
	*tables = number("/proc/vmstat", "nr_page_table_pages");
	*locks = number("/proc/slabinfo", "page->ptl");
}

/*
 * Where the kernel can do that, allocations of those who write 1 to their
 * make-it-fail fail now and then; ATTR is failslab or fail_page_alloc.
 */
static void fail_allocations(const char *attr)
{
	static const char *const knobs[][2] = {
		{ "task-filter", "Y" }, { "probability", "2" }, { "times", "-1" },
		{ "verbose", "0" }, { "ignore-gfp-wait", "N" },
		{ "cache-filter", "N" }, { "min-order", "0" },
	};
	char file[96];
	unsigned int i;

	for (i = 0; i < sizeof(knobs) / sizeof(knobs[0]); i++) {
		snprintf(file, sizeof(file), "/sys/kernel/debug/%s/%s", attr, knobs[i][0]);
		put(file, knobs[i][1]);
	}
}

/* For a long run under load: what passes need not be told; what fails, and splats, are. */
static void begin_load(void)
{
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	put("/proc/sys/kernel/printk", "5");
	put("/proc/sys/kernel/hung_task_timeout_secs", "60");
	fail_allocations("fail_page_alloc");
	fail_allocations("failslab");
}

/* The number after NAME= on the kernel's command line, or 0 */
static long parameter(const char *name)
{
	char *p = strstr(slurp("/proc/cmdline"), name);

	return p ? atol(p + strlen(name)) : 0;
}

/* Ends the guest. s390's console may lose the last line. */
static void finish(void)
{
	say("# done");
	sleep(1);
	reboot(LINUX_REBOOT_CMD_RESTART);
}
