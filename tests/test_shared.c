/* Buffers that several hold: what a slice's bytes are when they are kept, and that all goes. */
#include "base/shared.h"
#include "tests/test.h"

#define SIZE 1000

static struct shared *filled(void)
{
	struct shared *s = shared_new(SIZE);

	for (size_t i = 0; i < SIZE; i++)
		s->data[i] = (uint8_t)(i * 7);
	return s;
}

TEST(a_slice_is_kept_as_one_copy_for_all_who_keep_it)
{
	size_t before = shared_count(), bytes = shared_bytes();
	struct shared *s = filled(), *slice, *a, *b;

	for (size_t at = 0; at < 70; at++) {
		size_t size = SIZE - 70 - at * 3;

		slice = shared_slice(s, at, size);
		CHECK_EQ(shared_bytes(), bytes + SIZE);
		CHECK(slice->data == s->data + at);
		a = shared_keep(slice);
		b = shared_keep(slice);
		CHECK(a == b && a != slice);
		CHECK_EQ(shared_bytes(), bytes + SIZE + size);
		shared_unref(slice);
		CHECK_BYTES(a->data, a->size, s->data + at, size);
		shared_unref(a);
		CHECK_EQ(b->refs, 1);
		shared_unref(b);
	}
	CHECK_EQ(s->refs, 1);
	shared_unref(s);
	CHECK_EQ(shared_count(), before);
	CHECK_EQ(shared_bytes(), bytes);
}

TEST(a_whole_buffer_is_kept_as_it_is)
{
	struct shared *s = filled(), *kept = shared_keep(s);

	CHECK(kept == s);
	CHECK_EQ(s->refs, 2);
	shared_unref(kept);
	shared_unref(s);
}

TEST(a_buffer_of_another_size_has_the_same_bytes)
{
	size_t before = shared_count();
	struct shared *s = filled();
	uint8_t first = s->data[0], last = s->data[SIZE - 1];

	s = shared_resize(s, (size_t)64 << 10);
	CHECK_EQ(s->data[0], first);
	CHECK_EQ(s->data[SIZE - 1], last);
	CHECK_EQ(s->size, 64 << 10);
	s = shared_resize(s, 1);
	CHECK_EQ(s->data[0], first);
	shared_unref(s);
	CHECK_EQ(shared_count(), before);
}
