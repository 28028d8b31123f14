/* The OS clock and the text of a moment. Everything else takes struct instant from its caller. */
#include "base/clock.h"

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

static void put_digits(char *at, int n, int v)
{
	for (int i = n; i-- > 0; v /= 10)
		at[i] = (char)('0' + v % 10);
}

void clock_rfc3339(int64_t wall_us, char ret_text[RFC3339_SIZE])
{
	int64_t us = wall_us % 1000000;
	time_t seconds = (time_t)(wall_us / 1000000);
	struct tm tm;

	if (us < 0) {
		us += 1000000;
		seconds--;
	}
	memset(&tm, 0, sizeof(tm));
	gmtime_r(&seconds, &tm);
	memcpy(ret_text, "0000-00-00T00:00:00.000000Z", RFC3339_SIZE);
	if (tm.tm_year > -1900) /* else before the year 1: a clock that was never set */
		put_digits(ret_text, 4, tm.tm_year + 1900);
	put_digits(ret_text + 5, 2, tm.tm_mon + 1);
	put_digits(ret_text + 8, 2, tm.tm_mday);
	put_digits(ret_text + 11, 2, tm.tm_hour);
	put_digits(ret_text + 14, 2, tm.tm_min);
	put_digits(ret_text + 17, 2, tm.tm_sec);
	put_digits(ret_text + 20, 6, (int)us);
}
