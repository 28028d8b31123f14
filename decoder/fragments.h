/* IP fragments put together again, in bounded memory. */
#ifndef DECODER_FRAGMENTS_H
#define DECODER_FRAGMENTS_H

#include "decoder/packet.h"

#define FRAGMENTS_DATAGRAMS 64			   /* that may be incomplete at once */
#define FRAGMENTS_SIZE_MAX  65535		   /* of one datagram, as IP has it */
#define FRAGMENTS_AGE_NS    ((int64_t)30000000000) /* then it is given up, as hosts do */

struct fragments_totals {
	uint64_t joined, given_up; /* datagrams */
};

struct fragments;

struct fragments *fragments_new(void);
void fragments_free(struct fragments *f); /* NULL is fine */

/* Takes a packet of kind PACKET_FRAGMENT. When it completes its datagram, *p becomes what that is,
 * with data that lives until the next call, and true is returned. */
bool fragments_feed(struct fragments *f, struct packet *p, int64_t time_ns);

const struct fragments_totals *fragments_totals(const struct fragments *f);

#endif
