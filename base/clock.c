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

/* v / by and what is left, rounded down. */
static int64_t divide(int64_t v, int64_t by, int64_t *ret_rest)
{
	int64_t q = v / by - (v % by < 0);

	*ret_rest = v - q * by;
	return q;
}

/* The date of a day since 1970, in the Gregorian calendar. Years are taken from March on, so that
 * the leap day is the last one; 400 of them have 146097 days. */
static void put_date(char *at, int64_t day)
{
	int64_t in_era, era = divide(day + 719468, 146097, &in_era);
	int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	int64_t in_year = in_era - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * in_year + 2) / 153; /* 0: March; months have 153 / 5 days */

	year += era * 400 + (month >= 10);
	if (year > 0) /* else a clock that was never set */
		put_digits(at, 4, (int)(year % 10000));
	put_digits(at + 5, 2, (int)(month < 10 ? month + 3 : month - 9));
	put_digits(at + 8, 2, (int)(in_year - (153 * month + 2) / 5 + 1));
}

void clock_rfc3339(int64_t wall_us, char ret_text[RFC3339_SIZE])
{
	int64_t us, second, seconds = divide(wall_us, 1000000, &us);
	int64_t day = divide(seconds, 86400, &second);

	memcpy(ret_text, "0000-00-00T00:00:00.000000Z", RFC3339_SIZE);
	put_date(ret_text, day);
	put_digits(ret_text + 11, 2, (int)(second / 3600));
	put_digits(ret_text + 14, 2, (int)(second / 60 % 60));
	put_digits(ret_text + 17, 2, (int)(second % 60));
	put_digits(ret_text + 20, 6, (int)us);
}
