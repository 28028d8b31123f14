/* Leaves the records out of a message while its bytes come in: what is kept is a message of the
 * same form whose record fields are empty. So whoever needs headers, topics, partitions and error
 * codes keeps a few hundred bytes of a fetch of a megabyte. */
#ifndef DECODER_THIN_H
#define DECODER_THIN_H

#include "protocol/walk.h"

struct thin_events {
	void *context;
	void (*put)(void *context, const uint8_t *data, size_t n); /* what stays */
	void (*cut)(void *context, size_t n); /* the last n bytes that were put go again */
};

struct thin {
	struct walk walk;
	const struct thin_events *events;
	int64_t done; /* bytes of the message that were put or left out */
	int64_t fed;  /* where the slice at hand begins */
	const uint8_t *slice;
	uint64_t removed;
	bool broken; /* malformed: all that follows stays as it is */
};

/* Whether there is anything to leave out of such messages. */
bool thin_worth(int api_key, bool response);

/* size: of the body. */
void thin_init(struct thin *t, const struct schema *s, int version, int64_t size,
	       const struct thin_events *events);
void thin_feed(struct thin *t, const uint8_t *data, size_t n);
void thin_release(struct thin *t);

#endif
