/* Doubling growth up to max. Invariant: len <= cap <= max + 1 (the one is buf_cstr's NUL). */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max};
}

void buf_release(struct buf *b)
{
	free(b->data);
	buf_init(b, b->max);
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->bad = false;
}

static void reserve(struct buf *b, size_t need)
{
	size_t cap = b->cap ? b->cap : 256;

	if (need <= b->cap)
		return;
	while (cap < need)
		cap *= 2;
	if (cap - 1 > b->max)
		cap = b->max + 1;
	b->data = realloc(b->data, cap);
	if (!b->data)
		abort();
	b->cap = cap;
}

uint8_t *buf_room(struct buf *b, size_t n)
{
	if (b->bad || n > b->max - b->len) {
		b->bad = true;
		return NULL;
	}
	reserve(b, b->len + n + 1);
	return b->data + b->len;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list args;
	int n;
	uint8_t *p;

	va_start(args, fmt);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	p = n < 0 ? NULL : buf_room(b, (size_t)n);
	if (!p)
		return;
	va_start(args, fmt);
	vsnprintf((char *)p, (size_t)n + 1, fmt, args);
	va_end(args);
	b->len += (size_t)n;
}

static uint8_t *digits(uint8_t *end, uint64_t v)
{
	do
		*--end = (uint8_t)('0' + v % 10);
	while (v /= 10);
	return end;
}

void buf_int(struct buf *b, int64_t v)
{
	uint8_t text[24], *end = text + sizeof(text);
	uint8_t *p = digits(end, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);

	if (v < 0)
		*--p = '-';
	buf_add(b, p, (size_t)(end - p));
}

void buf_uint(struct buf *b, uint64_t v)
{
	uint8_t text[24], *end = text + sizeof(text), *p = digits(end, v);

	buf_add(b, p, (size_t)(end - p));
}

void buf_be16(struct buf *b, uint16_t v)
{
	buf_add(b, (uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}

void buf_be32(struct buf *b, uint32_t v)
{
	buf_be16(b, (uint16_t)(v >> 16));
	buf_be16(b, (uint16_t)v);
}

void buf_be64(struct buf *b, uint64_t v)
{
	buf_be32(b, (uint32_t)(v >> 32));
	buf_be32(b, (uint32_t)v);
}

const char *buf_cstr(struct buf *b)
{
	reserve(b, b->len + 1);
	b->data[b->len] = '\0';
	return (const char *)b->data;
}
