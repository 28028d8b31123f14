/* Conversations in TLS, as far as they show without their keys: that they are, how many bytes went
 * each way, and how often an answer followed on a question. */
#ifndef DECODER_TLS_H
#define DECODER_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls {
	uint64_t asked, answered;     /* bytes, from the client and to it */
	uint64_t round_trips;	      /* times that the server spoke after the client */
	int64_t wait_us, wait_max_us; /* from the client's last packet to the server's next: all
					 together, and the longest */
	int64_t asked_us;
	bool waiting; /* the client spoke last */
};

/* Whether a TLS record may begin there. */
bool tls_begins(const uint8_t *data, size_t n);

void tls_data(struct tls *t, bool from_client, size_t n, int64_t time_us);

#endif
