/* A reference-counted run of bytes: a frame as it was read, which a partition's log may keep and an
 * answer may send. One thread, so plain counts. A slice is part of a buffer that others read into
 * again once nobody looks: whoever wants the bytes for longer than it looks at them keeps them. */
#ifndef BASE_SHARED_H
#define BASE_SHARED_H

#include <stddef.h>
#include <stdint.h>

struct shared {
	size_t refs;
	size_t size;
	uint8_t *data;
	struct shared *in;   /* of a slice: what it is part of; else NULL */
	struct shared *kept; /* of a slice: its bytes for whoever keeps them, once somebody does */
	uint8_t own[];
};

/* size bytes, undefined, with one reference. Never NULL: out of memory of the machine ends the
 * program. */
struct shared *shared_new(size_t size);
/* The same bytes in a buffer of another size; s is gone, and must not be shared yet. */
struct shared *shared_resize(struct shared *s, size_t size);
/* size bytes of another buffer, of which it holds a reference. */
struct shared *shared_slice(struct shared *in, size_t at, size_t size);
struct shared *shared_ref(struct shared *s);
/* A reference to the same bytes for as long as the caller likes: to s itself, or, of a slice, to a
 * copy that all share who keep it. */
struct shared *shared_keep(struct shared *s);
/* Drops a reference and frees with the last one; accepts NULL. */
void shared_unref(struct shared *s);
/* Bytes held by all live shared buffers, and how many there are: for memory budgets and leak tests.
 */
size_t shared_bytes(void);
size_t shared_count(void);

#endif
