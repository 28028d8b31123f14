/* The fields that a filter knows: their names, what kind of value each has, and the values of a
 * pair. filter.c owns the language around them. */
#ifndef DECODER_FILTER_FIELD_H
#define DECODER_FILTER_FIELD_H

#include "decoder/summary.h"
#include "protocol/path.h"
#include "trace/event.h"

enum filter_kind {
	FILTER_NUMBER,
	FILTER_TEXT,
	FILTER_API,	 /* by name or key */
	FILTER_ERROR,	 /* by name or code */
	FILTER_ADDRESS,	 /* host or host:port */
	FILTER_DURATION, /* µs; written 50ms, 2s */
	FILTER_SIZE,	 /* bytes; written 10KiB, 5MB */
	FILTER_TIME,	 /* µs since 1970; written 2026-11-22T20:41:17Z or 20:41:17 of any day */
	FILTER_PATH,	 /* a field of a body: by its own type */
};

struct filter_paths;

/* One field of an expression, found by its name. */
struct filter_field {
	const char *name;
	enum filter_kind kind;
	int id;
	struct filter_paths *paths; /* of FILTER_PATH; owned */
};

/* A value of a pair. */
struct filter_value {
	bool is_text;
	int64_t number;
	double real;
	bool is_real;
	struct str text;
};

/* A visitor: false ends the visit. */
typedef bool filter_visitor(void *user, const struct filter_value *value);

/* Finds the field; ERR_USAGE with *e: unknown (with what was meant), or a path that no message
 * has. */
int filter_field_find(struct str name, struct filter_field *ret, struct error *e);
void filter_field_release(struct filter_field *f);

/* Visits every value that the pair has there; none is none. */
void filter_field_each(const struct filter_field *f, struct exchange *x, const struct summary *s,
		       filter_visitor *visit, void *user);

/* True if some message could hold that text at the path (of FILTER_PATH); else *e. */
bool filter_field_accepts(const struct filter_field *f, struct str text, struct error *e);

#endif
