/* Counted buffers. The totals are process-wide on purpose: tests assert that they return to zero.
 */
#include "base/shared.h"

#include <assert.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <string.h>
#include <unistd.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define FREE_KEPT  ((size_t)1 << 30)  /* at the heap's end, not given back to the system */
#define HEAP_MAX   ((size_t)16 << 20) /* larger buffers are mappings of their own */
#define HEAP_STEP  ((size_t)64 << 20) /* the heap's end moves by so much: address space only */
#define HEAP_SMALL ((size_t)8 << 20)  /* up to here the heap stays in small pages */
#define LINE	   ((size_t)64)
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

/* Bytes that nobody looks at soon, so past the caches: what the processor works on stays there, and
 * the memory written to need not be read first. Into memory of our own, which is aligned. */
static void copy_away(uint8_t *to, const uint8_t *from, size_t size)
{
#ifdef __SSE2__
	for (; size >= 64; size -= 64, to += 64, from += 64) {
		__m128i a = _mm_loadu_si128((const __m128i *)(const void *)from);
		__m128i b = _mm_loadu_si128((const __m128i *)(const void *)(from + 16));
		__m128i c = _mm_loadu_si128((const __m128i *)(const void *)(from + 32));
		__m128i d = _mm_loadu_si128((const __m128i *)(const void *)(from + 48));

		_mm_stream_si128((__m128i *)(void *)to, a);
		_mm_stream_si128((__m128i *)(void *)(to + 16), b);
		_mm_stream_si128((__m128i *)(void *)(to + 32), c);
		_mm_stream_si128((__m128i *)(void *)(to + 48), d);
	}
	_mm_sfence();
#endif
	memcpy(to, from, size);
}

/* The bytes begin with a line of the cache. */
static void set_data(struct shared *s)
{
	s->data = s->own + (LINE - (uintptr_t)s->own % LINE) % LINE;
}

static struct shared *make(size_t size)
{
	struct shared *s = malloc(sizeof(*s) + size);

	if (!s)
		abort();
	s->refs = 1;
	s->in = s->kept = NULL;
	count++;
	return s;
}

struct shared *shared_new(size_t size)
{
	struct shared *s;

	prepare_heap();
	s = make(size + LINE);
	set_data(s);
	s->size = size;
	bytes += size;
	return s;
}

struct shared *shared_slice(struct shared *in, size_t at, size_t size)
{
	struct shared *s = make(0);

	assert(at + size <= in->size);
	s->size = size;
	s->data = in->data + at;
	s->in = shared_ref(in);
	return s;
}

struct shared *shared_keep(struct shared *s)
{
	if (!s->in)
		return shared_ref(s);
	if (!s->kept) {
		s->kept = shared_new(s->size);
		copy_away(s->kept->data, s->data, s->size);
	}
	return shared_ref(s->kept);
}

struct shared *shared_resize(struct shared *s, size_t size)
{
	struct shared *other = shared_new(size);

	assert(s->refs == 1 && !s->in);
	memcpy(other->data, s->data, s->size < size ? s->size : size);
	shared_unref(s);
	return other;
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
	if (s->in) {
		shared_unref(s->in);
		shared_unref(s->kept);
	} else {
		bytes -= s->size;
	}
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
