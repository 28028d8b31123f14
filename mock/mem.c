/* Allocation that can't fail, for the cluster's state. Exchange memory is the arena's, not ours. */
#include "mock/mem.h"

#include <stdlib.h>

void *mem_new(size_t size)
{
	void *p = calloc(1, size ? size : 1);

	if (!p)
		abort();
	return p;
}

void *mem_grow(void *array, size_t *cap, size_t need, size_t size)
{
	size_t want = *cap ? *cap : 4;
	void *p;

	if (need <= *cap)
		return array;
	while (want < need)
		want *= 2;
	p = realloc(array, want * size);
	if (!p)
		abort();
	memset((char *)p + *cap * size, 0, (want - *cap) * size);
	*cap = want;
	return p;
}

char *mem_text(struct str s)
{
	char *p;

	if (!s.data)
		return NULL;
	p = mem_new((size_t)s.len + 1);
	memcpy(p, s.data, (size_t)s.len);
	return p;
}

struct str mem_str(struct str s)
{
	return (struct str){mem_text(s), s.len};
}

struct bytes mem_bytes(struct bytes b)
{
	struct str s = mem_str((struct str){(const char *)b.data, b.len});

	return (struct bytes){(const uint8_t *)s.data, s.len};
}

void mem_str_free(struct str s)
{
	free((void *)(uintptr_t)s.data);
}

void mem_bytes_free(struct bytes b)
{
	free((void *)(uintptr_t)b.data);
}
