/* Views: bytes that somebody else owns. A view is null exactly when data is NULL; an empty one has
 * data != NULL and len 0. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Text, UTF-8 by intent but not checked; never NUL-terminated by contract. */
struct str {
	const char *data;
	int32_t len;
};

/* Raw bytes. */
struct bytes {
	const uint8_t *data;
	int32_t len;
};

/* Record batches: one span of bytes, or, to be written without a copy, several. Null exactly when
 * data is NULL. What is decoded has one span. */
struct records {
	const void *data;   /* the bytes; with span_count > 0 an array of struct bytes */
	int32_t len;	    /* of all spans together */
	int32_t span_count; /* 0: data is the bytes themselves */
};

/* A Kafka uuid: 16 bytes in wire order, most significant first. */
struct uuid {
	uint8_t b[16];
};

#define STR_FMT	   "%.*s"
#define STR_ARG(s) (int)((s).data ? (s).len : 0), ((s).data ? (s).data : "")

/* The view of a NUL-terminated string; NULL gives the null view. */
static inline struct str str_of(const char *text)
{
	return (struct str){text, text ? (int32_t)strlen(text) : 0};
}

/* Equal content; null equals only null. */
static inline bool str_eq(struct str a, struct str b)
{
	if (!a.data || !b.data)
		return a.data == b.data;
	return a.len == b.len && memcmp(a.data, b.data, (size_t)a.len) == 0;
}

static inline bool str_is(struct str a, const char *text)
{
	return str_eq(a, str_of(text));
}

/* A copy of all its bytes, those behind a NUL among them, and a NUL behind; malloc'ed, never NULL.
 * For keys of tables, which are compared over their whole length. */
char *str_copy(struct str s);

static inline bool uuid_eq(struct uuid a, struct uuid b)
{
	return memcmp(a.b, b.b, sizeof(a.b)) == 0;
}

static inline bool uuid_is_zero(struct uuid a)
{
	return uuid_eq(a, (struct uuid){{0}});
}

/* Kafka's text of a uuid: base64url without padding, 22 characters and a NUL. */
#define UUID_TEXT_SIZE 23
void uuid_text(struct uuid u, char ret_text[UUID_TEXT_SIZE]);

/* Reads such text; false if it is not one (ret_u is then untouched). */
bool uuid_parse(struct str text, struct uuid *ret_u);

/* Edit distance for "did you mean", capped at 99. */
int str_distance(struct str a, struct str b);

#endif
