/* One line a call, written whole, so that lines of several processes on one terminal do not mix. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static enum log_level level_max = LOG_WARN;

void log_set_level(enum log_level level)
{
	level_max = level;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	static const char *const names[] = {"error: ", "warning: ", "", ""};
	char text[1024];
	va_list args;
	int n;

	if (level > level_max)
		return;
	n = snprintf(text, sizeof(text), "ktrial: %s", names[level]);
	va_start(args, fmt);
	n += vsnprintf(text + n, sizeof(text) - (size_t)n - 1, fmt, args);
	va_end(args);
	if (n > (int)sizeof(text) - 2)
		n = (int)sizeof(text) - 2;
	text[n++] = '\n';
	if (write(STDERR_FILENO, text, (size_t)n) < 0)
		return;
}
