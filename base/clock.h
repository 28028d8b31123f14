/* Time as it is passed about: never read where it is used. clock_now is the only reader of the OS
 * clock. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* One moment on both clocks. */
struct instant {
	int64_t mono_us; /* for durations and deadlines; starts anywhere */
	int64_t wall_us; /* microseconds since 1970-01-01 UTC */
};

#define INSTANT_NEVER INT64_MAX

struct instant clock_now(void);

static inline int64_t instant_wall_ms(struct instant t)
{
	return t.wall_us / 1000;
}

/* A later moment on both clocks: virtual time for tests. */
static inline struct instant instant_add_us(struct instant t, int64_t us)
{
	return (struct instant){t.mono_us + us, t.wall_us + us};
}

/* RFC 3339 in UTC with microseconds, "2026-11-22T20:41:17.000000Z". */
#define RFC3339_SIZE 28
void clock_rfc3339(int64_t wall_us, char ret_text[RFC3339_SIZE]);

#endif
