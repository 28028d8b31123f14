/* Captures to events: packets, conversations, Kafka, and what evidence says beside them. The events
 * are those of trace/event.h, in the order in which they end; sinks on the bus do the rest. */
#ifndef DECODER_DECODE_H
#define DECODER_DECODE_H

#include "decoder/brokers.h"
#include "decoder/capture.h"
#include "decoder/dialog.h"
#include "decoder/fragments.h"
#include "decoder/packet.h"
#include "decoder/stream.h"

#define DECODE_FILES_MAX  1024 /* read side by side, merged by time */
#define DECODE_PORTS_MAX  64
#define DECODE_MEMORY_MIN (1 << 20)

struct decode_options {
	struct capture_options capture;
	uint16_t ports[DECODE_PORTS_MAX]; /* conversations with these are Kafka, whatever they hold
					   */
	size_t ports_count;
	int64_t from_ns, to_ns; /* packets before and after are left out; 0: no limit */
	uint64_t packets_max;	/* as many packets, then it ends; 0: no limit */
	bool show_secrets;	/* else credentials are overwritten with '*' in messages */
	/* Told of each TCP packet (stream 0: of no conversation), and of each secret that was
	 * found. May be NULL. */
	void (*on_packet)(void *context, const struct capture_item *item, const struct packet *p,
			  uint64_t stream, int direction);
	void (*on_secret)(void *context, uint64_t stream, int direction, uint32_t seq, uint32_t n);
	void *context;
	struct brokers *brokers; /* to be learned into, where they outlive the decoder; or NULL */
	bool thin;		 /* leave records out of the messages, for speed and memory */
	bool squeeze; /* leave records out of messages that are too long for the memory; else such
			 a message is not there at all */
	size_t memory_max; /* frames and conversations; 0: 64 MiB */
};

/* What was seen. */
struct decode_totals {
	uint64_t packets, bytes; /* of the link, as captured */
	uint64_t kinds[PACKET_KINDS];
	uint16_t link_unknown;	/* the last link type that was not known */
	uint64_t secrets;	/* blocks of keys, skipped */
	uint64_t live_lost;	/* packets that the kernel had no room for */
	uint64_t retransmitted; /* bytes that came again, of all conversations */
	uint64_t conflicts;	/* packets that brought other bytes than had come there before */
	uint64_t bad_blocks;	/* custom blocks of ours that were not read */
	struct fragments_totals fragments;
	struct dialog_totals conns;
	struct stream_totals streams;
};

struct decode;

/* Events go to bus, which must outlive it; options are copied but for the filter's text. */
struct decode *decode_new(const struct decode_options *options, struct event_bus *bus);

/* The parts, for who has items of his own. decode_end tells what was open. */
void decode_item(struct decode *d, const struct capture_item *item);
void decode_end(struct decode *d);

/* Reads files ("-": standard input) to their end, merged by time, and ends. Returns 0, or the
 * code of the first one that can't be opened (nothing is decoded then) or not be read on (the
 * others are read to their end), with *e. */
int decode_files(struct decode *d, const char *const *paths, size_t count, struct error *e);

/* Captures until decode_stop, or packets_max. */
int decode_live(struct decode *d, const char *interface, struct error *e);

/* Ends decode_files and decode_live after the packet at hand; safe in a signal handler. */
void decode_stop(struct decode *d);

const struct decode_totals *decode_totals(struct decode *d);

/* Bytes of packets read so far. */
uint64_t decode_bytes(const struct decode *d);

/* NULL is fine. */
void decode_free(struct decode *d);

#endif
