/* Blocks of doubling size, newest first. Invariant: size counts what was handed out, never passes
 * size_max; blocks hold at least that. Out of memory of the machine ends the program: there is
 * nothing sensible to go on with. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_MIN  ((size_t)4096)
#define BLOCK_KEPT ((size_t)64 << 10) /* a first block larger than this is given back on reset */

struct arena_block {
	struct arena_block *next;
	size_t size;
	max_align_t data[];
};

void arena_init(struct arena *a, size_t size_max)
{
	*a = (struct arena){.size_max = size_max};
}

void arena_release(struct arena *a)
{
	struct arena_block *next;

	for (struct arena_block *b = a->blocks; b; b = next) {
		next = b->next;
		free(b);
	}
	arena_init(a, a->size_max);
}

void arena_reset(struct arena *a)
{
	struct arena_block *b = a->blocks;

	if (b && (b->next || b->size > BLOCK_KEPT)) {
		arena_release(a);
		return;
	}
	a->size = 0;
	a->at = b ? (uint8_t *)b->data : NULL;
}

static void grow(struct arena *a, size_t size)
{
	size_t want = a->blocks ? a->blocks->size * 2 : BLOCK_MIN;
	struct arena_block *b;

	if (want > (size_t)1 << 20)
		want = (size_t)1 << 20;
	if (want < size)
		want = size;
	b = malloc(sizeof(*b) + want);
	if (!b)
		abort();
	b->next = a->blocks;
	b->size = want;
	a->blocks = b;
	a->at = (uint8_t *)b->data;
	a->end = a->at + want;
}

void *arena_alloc(struct arena *a, size_t size)
{
	void *p;

	if (size > a->size_max - a->size)
		return NULL;
	size = (size + 7) & ~(size_t)7;
	if ((size_t)(a->end - a->at) < size || !a->at)
		grow(a, size);
	p = a->at;
	a->at += size;
	a->size += size < a->size_max - a->size ? size : a->size_max - a->size;
	return p;
}

void *arena_zalloc(struct arena *a, size_t size)
{
	void *p = arena_alloc(a, size);

	return p ? memset(p, 0, size) : NULL;
}

char *arena_copy(struct arena *a, const void *data, size_t n)
{
	char *p = arena_alloc(a, n + 1);

	if (!p)
		return NULL;
	if (n)
		memcpy(p, data, n);
	p[n] = '\0';
	return p;
}

struct str arena_str(struct arena *a, struct str s)
{
	return s.data ? (struct str){arena_copy(a, s.data, (size_t)s.len), s.len} : s;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list args;
	char *p;
	int n;

	va_start(args, fmt);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
	if (!p)
		return NULL;
	va_start(args, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, args);
	va_end(args);
	return p;
}
