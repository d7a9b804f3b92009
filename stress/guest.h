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
