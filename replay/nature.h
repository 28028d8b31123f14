/* What kind of thing each API is, for who plays a session again: whether asking changes anything,
 * and which broker has to be asked. One table. */
#ifndef REPLAY_NATURE_H
#define REPLAY_NATURE_H

#include "replay/leaves.h"

#include <stdbool.h>

enum route {
	ROUTE_NODE,   /* the broker that the client chose */
	ROUTE_LEADER, /* of the partitions */
	ROUTE_GROUP,  /* its coordinator */
	ROUTE_TXN,    /* the transactional id's coordinator */
};

struct nature {
	enum route route;
	bool question;	/* changes nothing: may be asked again */
	bool internal;	/* only brokers and controllers say it to each other */
	bool markers;	/* brokers say it to each other, and administrators who end a transaction
			   that hangs (KIP-664) */
	bool rebalance; /* a member's word to its group: the order in which members speak matters */
	bool security;	/* SASL: says who a connection is */
};

/* Of a decoded request (NULL: of the API in general). Some answers depend on what it says: a member
 * that joins changes its group, a heartbeat does not. */
struct nature nature_of(int api_key, int version, const void *request);

/* The errors in an answer. */
struct answer_errors {
	int32_t count;	   /* codes other than 0 */
	int32_t retriable; /* of them: Kafka's clients try again */
	int32_t no_topic;  /* of the retriable ones: that a topic or partition is not there */
	int32_t unsure;	   /* that it took too long: it may have been done */
	int32_t stale;	   /* of them: they look for leader or coordinator again */
	int32_t fine;	   /* codes that are 0, of the innermost structs that have one */
};

struct answer_errors answer_errors(int api_key, int version, const void *response);

#endif
