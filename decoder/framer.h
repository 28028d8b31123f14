/* Frames with a length before them out of one direction's bytes, which come in slices and with
 * holes. Knows nothing of Kafka: a judge says what a frame may look like.
 *
 * A hole inside a frame costs that frame: it is skipped by its length. A hole over a frame's start
 * costs all up to the next start that the judge believes in; those bytes are counted as lost. */
#ifndef DECODER_FRAMER_H
#define DECODER_FRAMER_H

#include "decoder/stream.h"

#define FRAMER_HEAD 512 /* bytes that a judge may ask for */

enum framer_verdict { FRAMER_NO, FRAMER_YES, FRAMER_MORE };

struct framer_events {
	/* Whether a frame may begin at data, its length first; n bytes are here, more may follow.
	 * searching: anywhere, so be strict; else right behind another frame. MORE is no answer
	 * when n is FRAMER_HEAD or the whole frame. */
	enum framer_verdict (*judge)(void *context, const uint8_t *data, size_t n, bool searching);
	/* A frame of size bytes (without the length's four) begins; its bytes follow. */
	void (*on_frame)(void *context, uint32_t size, const struct stream_at *at);
	void (*on_bytes)(void *context, const uint8_t *data, size_t n, const struct stream_at *at);
	/* A hole inside the frame: what follows belongs n bytes further on. */
	void (*on_hole)(void *context, uint64_t n);
	void (*on_end)(void *context, const struct stream_at *at);
	/* Bytes that are in no frame: seen ones that nobody believes in, and missing ones. */
	void (*on_lost)(void *context, uint64_t seen, uint64_t missing, const struct stream_at *at);
};

struct framer {
	const struct framer_events *events;
	void *context;
	enum { FRAMER_START, FRAMER_BODY, FRAMER_SEARCH } state;
	uint8_t *head; /* undecided bytes, FRAMER_HEAD at most; NULL: none */
	size_t head_len;
	struct stream_at head_at; /* of its first byte */
	uint64_t left;		  /* of the frame */
	uint64_t lost_seen, lost_missing;
	struct stream_at lost_at;
};

/* searching: the bytes do not begin with a frame, as in a capture that begins in the middle. */
void framer_init(struct framer *f, const struct framer_events *events, void *context,
		 bool searching);

void framer_data(struct framer *f, const uint8_t *data, size_t n, const struct stream_at *at);
void framer_gap(struct framer *f, uint64_t n, const struct stream_at *at);

/* No more bytes: tells what was lost. A frame that is not whole just stays without its end. */
void framer_end(struct framer *f, const struct stream_at *at);

void framer_release(struct framer *f);

/* Bytes of a begun frame, its length's included, that have come so far or are missing. */
bool framer_inside(const struct framer *f);

#endif
