/* Counted buffers. The totals are process-wide on purpose: tests assert that they return to zero.
 */
#include "base/shared.h"

#include <assert.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define FREE_KEPT  ((size_t)1 << 30)  /* at the heap's end, not given back to the system */
#define HEAP_MAX   ((size_t)16 << 20) /* larger buffers are mappings of their own */
#define HEAP_STEP  ((size_t)64 << 20) /* the heap's end moves by so much: address space only */
#define HEAP_SMALL ((size_t)8 << 20)  /* up to here the heap stays in small pages */
#define HUGE_PAGE  ((size_t)2 << 20)

static size_t bytes, count;

/* A page that the system gives costs more than what is done with a frame that lies in it: what a
 * frame, or a log, leaves is kept for the next, and a heap that has grown is asked for in huge
 * pages, which come 512 at a time. */
static void prepare_heap(void)
{
	static char *end, *start;
	char *now = sbrk(0);

	if (now == end)
		return;
	if (!end) {
		mallopt(M_TRIM_THRESHOLD, FREE_KEPT);
		mallopt(M_MMAP_THRESHOLD, HEAP_MAX);
		mallopt(M_TOP_PAD, HEAP_STEP);
		start = now + HEAP_SMALL;
		start += -(uintptr_t)start % HUGE_PAGE;
	}
	end = now;
	if (end > start)
		madvise(start, (size_t)(end - start), MADV_HUGEPAGE);
}

struct shared *shared_new(size_t size)
{
	struct shared *s;

	prepare_heap();
	s = malloc(sizeof(*s) + size);
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
