/* A slice of a capture: the packets of chosen exchanges, or of the conversations that they stand
 * in, as a pcapng file (`decode -w`). Made in two passes over the same input: the first chooses,
 * the second writes. Credentials are blanked unless the first pass told of none. */
#ifndef DECODER_SLICE_H
#define DECODER_SLICE_H

#include "base/error.h"
#include "decoder/capture.h"
#include "decoder/packet.h"
#include "trace/event.h"

struct slice;

/* streams: whole conversations. */
struct slice *slice_new(bool streams);
void slice_free(struct slice *s); /* NULL is fine */

/* First pass: this exchange is wanted. */
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
