/* What went wrong with somebody else's bytes or with the OS: a negative code and a struct error
 * that says it to a person. Our own bugs are asserts; Kafka's error codes are data and never come
 * this way. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum error_code {
	ERR_TRUNCATED = -1,   /* the bytes end too early */
	ERR_MALFORMED = -2,   /* the bytes say something impossible */
	ERR_LIMIT = -3,	      /* a named limit would be passed */
	ERR_UNSUPPORTED = -4, /* well formed, but not something we know (version, API, codec) */
	ERR_OS = -5,	      /* a system call failed */
	ERR_USAGE = -6,	      /* a person asked for something that can't be */
};

#define ERROR_NO_OFFSET ((size_t)-1)

/* One sticky error: code is 0 while all is well; the first error_set wins and later ones change
 * nothing. */
struct error {
	int code;
	size_t offset;	 /* where in the bytes, or ERROR_NO_OFFSET */
	char field[192]; /* path of the field, such as topicData[0].name, or "" */
	char text[320];	 /* what happened and what to do, without place */
};

#define ERROR_INIT                                   \
	{                                            \
		.code = 0, .offset = ERROR_NO_OFFSET \
	}

/* Sets code (negative) and text if nothing is set yet; e may be NULL. Returns the code that now
 * holds (code itself if e is NULL). */
int error_set(struct error *e, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same with a place; field may be NULL. */
int error_at(struct error *e, int code, size_t offset, const char *field, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* Puts "name" or (index >= 0) "name[index]" before the path in field, as a walk of nested fields
 * unwinds. Always false, so that a caller can return it. */
bool error_within(struct error *e, const char *name, int64_t index);

/* "TEXT (field F, offset N)" into a buffer of size bytes, always NUL-terminated; returns buf. */
const char *error_text(const struct error *e, char *buf, size_t size);

#endif
