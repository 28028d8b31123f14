/* A slice of a capture: the packets of chosen exchanges, or of the conversations that they stand
 * in, as a pcapng file (`decode -w`). Made in two passes over the same input: the first chooses,
 * the second writes. Credentials are blanked unless the first pass told of none. */
#ifndef DECODER_SLICE_H
#define DECODER_SLICE_H

#include "base/error.h"
#include "base/room.h"
#include "decoder/capture.h"
#include "decoder/packet.h"
#include "trace/event.h"

struct slice;

/* streams: whole conversations. Memory is taken from room, which may be NULL. */
struct slice *slice_new(bool streams, struct room *room);
void slice_free(struct slice *s); /* NULL is fine */

/* What memory had no room for: exchanges that were wanted and are not in the slice, and
 * conversations of which it has more than was wanted. */
struct slice_totals {
	uint64_t left_out, coarse;
};

const struct slice_totals *slice_totals(const struct slice *s);

/* First pass: this exchange is wanted. Where there is no room for one more place in a conversation,
 * two that are there become one with what lies between them; for one more conversation, it is left
 * out. */
void slice_choose(struct slice *s, const struct exchange *x);

/* First pass: bytes with a secret, n from sequence number seq on. */
void slice_secret(struct slice *s, uint64_t stream, int direction, uint32_t seq, uint32_t n);

/* Between the passes: makes the file. ERR_OS with *e. */
int slice_begin(struct slice *s, const char *path, struct error *e);

/* Second pass: writes the packet if it is wanted. stream 0: of no conversation. */
void slice_packet(struct slice *s, const struct capture_item *item, const struct packet *p,
		  uint64_t stream, int direction);

/* Closes the file. ERR_OS with *e when something could not be written. */
int slice_end(struct slice *s, uint64_t *ret_packets, struct error *e);

#endif
