/* Counted buffers. The totals are process-wide on purpose: tests assert that they return to zero.
 */
#include "base/shared.h"

#include <assert.h>
#include <stdlib.h>

static size_t bytes, count;

struct shared *shared_new(size_t size)
{
	struct shared *s = malloc(sizeof(*s) + size);

	if (!s)
		abort();
	s->refs = 1;
	s->size = size;
	bytes += size;
	count++;
	return s;
}

struct shared *shared_resize(struct shared *s, size_t size)
{
	assert(s->refs == 1);
	bytes -= s->size;
	bytes += size;
	s = realloc(s, sizeof(*s) + size);
	if (!s)
		abort();
	s->size = size;
	return s;
}

struct shared *shared_ref(struct shared *s)
{
	s->refs++;
	return s;
}

void shared_unref(struct shared *s)
{
	if (!s)
		return;
	assert(s->refs > 0);
	if (--s->refs)
		return;
	bytes -= s->size;
	count--;
	free(s);
}

size_t shared_bytes(void)
{
	return bytes;
}

size_t shared_count(void)
{
	return count;
}
