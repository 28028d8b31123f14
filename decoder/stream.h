/* TCP conversations out of packets: for each direction the bytes in order, once, and where bytes
 * are missing a gap with its length. Works for captures that begin in the middle, see one direction
 * only, lost packets, or saw them out of order.
 *
 * What is handed on:
 * - Bytes that arrive in order go through without a copy. Bytes ahead of a hole wait in a queue; of
 *   bytes seen twice the first win.
 * - A hole becomes a gap when the other side has acknowledged what is missing and it still does not
 *   come (STREAM_PATIENCE packets or STREAM_PATIENCE_NS later): the capture lost it. Or when memory
 * runs out, or the conversation ends.
 * - An answer is not handed on before what it answers: bytes whose packet acknowledges bytes of the
 * other direction that we still wait for are held back with them.
 * - Memory is bounded by the limits whatever the capture holds; what had to go is counted. */
#ifndef DECODER_STREAM_H
#define DECODER_STREAM_H

#include "decoder/packet.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#define STREAM_PATIENCE	     16			   /* packets of the conversation */
#define STREAM_PATIENCE_NS   ((int64_t)1000000000) /* of the capture's time */
#define STREAM_QUEUE_PACKETS 8192		   /* that wait in one direction */
#define STREAM_WINDOW_MAX    ((int32_t)64 << 20)   /* further off is no part of it */

/* The packet that bytes came with. */
struct stream_at {
	uint64_t packet; /* its number */
	int64_t time_ns;
};

enum stream_gap {
	STREAM_GAP_LOST, /* never captured */
	STREAM_GAP_CUT,	 /* captured in part: the capture's snap length */
	STREAM_GAP_ROOM, /* given up for want of memory */
};

enum stream_end {
	STREAM_END_FIN,
	STREAM_END_RESET,
	STREAM_END_REFUSED, /* reset as the answer to SYN */
	STREAM_END_REUSED,  /* the same ports began a new conversation */
	STREAM_END_EVICTED, /* forgotten: too many conversations */
	STREAM_END_CAPTURE, /* still open when the capture ended */
};

/* What was seen of one direction. */
struct stream_counts {
	uint64_t packets, bytes; /* handed on */
	uint64_t lost, cut;	 /* bytes in gaps */
	uint64_t retransmitted;	 /* bytes that we had already */
	uint64_t reordered;	 /* packets that came early */
	uint64_t outside;	 /* packets far outside the window, dropped */
	uint64_t conflicts; /* packets that brought other bytes for what had come: told as far as
			       that is remembered */
	uint64_t keepalives;
};

struct stream;

/* A packet as it is known again when another interface of the capture saw it, too. */
struct stream_print {
	uint32_t seq, ack, len, wire_len, ip_id;
	uint16_t window;
	uint8_t flags;
	int64_t time_ns;
	uint64_t content; /* of its ends */
};

#define STREAM_PRINTS  4
#define STREAM_SAME_NS ((int64_t)5000000) /* no host sends a packet again so soon */

struct stream_half {
	struct stream_print prints[STREAM_PRINTS]; /* the last ones with bytes */
	uint32_t prints_at;
	uint32_t first; /* sequence number of the first byte of the direction that we know of */
	uint32_t next;	/* of the byte that is due */
	uint32_t acked; /* what the other side says it has, beyond what we have */
	uint32_t taken; /* the most that the other side said it has */
	uint32_t fin;	/* the number behind the last byte */
	uint32_t stray; /* where a packet outside the window ended */
	bool known, has_acked, has_taken, has_fin, has_stray;
	bool done;	 /* everything up to FIN was handed on */
	uint32_t waited; /* packets seen since the byte at waited_next is missing, */
	uint32_t waited_next;
	uint32_t waited_acked; /* up to where it was acknowledged when that began, */
	int64_t waited_ns;     /* and when that was */
	struct stream_segment *queue;
	size_t queue_bytes; /* with their headers */
	uint32_t queue_count;
	struct stream_counts counts;
};

/* Both ends, the smaller one first, without padding: compared and hashed as bytes. */
struct stream_key {
	uint8_t low[16], high[16];
	uint16_t low_port, high_port;
	uint32_t family;
};

/* One conversation. Callers read; `user` is theirs. */
struct stream {
	uint64_t number;	 /* from 1, in order of appearance */
	struct endpoint ends[2]; /* direction 0 is from ends[0] to ends[1] */
	int opener; /* the direction that connected, by SYN; -1: began before the capture */
	int closer; /* the direction that sent the first FIN, or RST; -1: none */
	void *user;
	struct stream_half half[2];

	/* the table's own */
	struct stream_key key;
	bool flipped, closed, ignored, queued;
	struct stream *prev, *next; /* open ones and closed ones, by their last packet */
	struct stream *queue_prev, *queue_next; /* those with a queue */
	UT_hash_handle hh;
	uint64_t numbers; /* both directions' first sequence numbers, by SYN or by the first packet
			   */
	bool numbered;
	UT_hash_handle hh_numbers;
};

/* Calls while packets are fed. Slices live during the call only. */
struct stream_events {
	void *context;
	void (*on_open)(void *context, struct stream *s, const struct stream_at *at);
	void (*on_data)(void *context, struct stream *s, int direction, const uint8_t *data,
			size_t len, const struct stream_at *at);
	void (*on_gap)(void *context, struct stream *s, int direction, uint64_t bytes,
		       enum stream_gap why, const struct stream_at *at);
	/* The last call for s; it is freed later, user must go now. */
	void (*on_close)(void *context, struct stream *s, enum stream_end how,
			 const struct stream_at *at);
	/* len bytes that came before came again, and are others; the first ones count. May be NULL.
	 */
	void (*on_conflict)(void *context, struct stream *s, int direction, size_t len,
			    const struct stream_at *at);
};

struct stream_limits {
	size_t memory_max;    /* all queues and conversations; 0: 32 MiB */
	size_t queue_max;     /* queue of one direction; 0: 4 MiB */
	uint32_t streams_max; /* conversations remembered; 0: 32768 */
	size_t user_size;     /* what the user keeps of each that is open */
};

struct stream_totals {
	uint64_t duplicates; /* packets that were captured more than once */
	uint64_t translated; /* conversations that are another one's under translated addresses */
	uint64_t streams, refused, evicted;
	uint64_t ignored_packets; /* of no conversation: acknowledgements after its end and the like
				   */
};

struct stream_table;

struct stream_table *stream_table_new(const struct stream_events *events,
				      const struct stream_limits *limits);

/* A TCP packet (kind PACKET_TCP). Returns the number of its conversation, 0 if it is of none, with
 * its direction in *ret_direction (may be NULL). */
uint64_t stream_feed(struct stream_table *t, const struct packet *p, const struct stream_at *at,
		     int *ret_direction);

/* The end of the capture: holes become gaps, open conversations close. */
void stream_flush(struct stream_table *t, const struct stream_at *at);

/* Nothing more of this conversation is of interest: no more data or gaps, only its end. */
void stream_ignore(struct stream *s);

const struct stream_totals *stream_table_totals(const struct stream_table *t);

/* Bytes that conversations and queues take. */
size_t stream_table_memory(const struct stream_table *t);

/* Frees everything without calls; flush before for those. NULL is fine. */
void stream_table_free(struct stream_table *t);

#endif
