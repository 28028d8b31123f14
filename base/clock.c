/* The OS clock and the text of a moment. Everything else takes struct instant from its caller. */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

struct instant clock_now(void)
{
	return (struct instant){read_clock(CLOCK_MONOTONIC), read_clock(CLOCK_REALTIME)};
}

void clock_rfc3339(int64_t wall_us, char ret_text[RFC3339_SIZE])
{
	int64_t us = wall_us % 1000000;
	time_t seconds = (time_t)(wall_us / 1000000);
	struct tm tm;
	char text[64];

	if (us < 0) {
		us += 1000000;
		seconds--;
	}
	memset(&tm, 0, sizeof(tm));
	gmtime_r(&seconds, &tm);
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year + 1900,
		 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)us);
	snprintf(ret_text, RFC3339_SIZE, "%.27s", text);
}
