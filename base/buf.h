/* A growing byte buffer with a maximum. Past the maximum it turns bad: nothing more is added, and
 * bad stays set until reset, so that a writer checks once at the end. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/str.h"

#include <stddef.h>

struct buf {
	uint8_t *data;
	size_t len, cap, max;
	bool bad;
};

void buf_init(struct buf *b, size_t max);
void buf_release(struct buf *b);
void buf_reset(struct buf *b);

/* Room for n more bytes, to be filled by the caller who then adds n to len; NULL if the buffer is
 * or turns bad. */
uint8_t *buf_room(struct buf *b, size_t n);
static inline void buf_add(struct buf *b, const void *data, size_t n)
{
	/* Mostly there is room: cap is never more than max and the NUL. */
	uint8_t *p = !b->bad && n < b->cap - b->len ? b->data + b->len : buf_room(b, n);

	if (!p || !n)
		return;
	memcpy(p, data, n);
	b->len += n;
}

static inline void buf_text(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text)); /* which a compiler works out */
}

void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static inline void buf_byte(struct buf *b, uint8_t v)
{
	buf_add(b, &v, 1);
}

/* In decimal; buf_printf takes ten times as long. */
void buf_int(struct buf *b, int64_t v);
void buf_uint(struct buf *b, uint64_t v);
void buf_be16(struct buf *b, uint16_t v);
void buf_be32(struct buf *b, uint32_t v);
void buf_be64(struct buf *b, uint64_t v);

/* A NUL behind the content (not counted in len), so that data reads as a C string. */
const char *buf_cstr(struct buf *b);

#endif
