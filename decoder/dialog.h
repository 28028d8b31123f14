/* One TCP conversation read as Kafka: whether it is, who is the client, its frames, and its
 * requests paired with their answers. Makes the events of trace/event.h out of bytes.
 *
 * Recognised by content: a request's header is believed when its API, version and client id make
 * sense. Where SYN was seen the opener is the client and the first bytes decide; else both
 * directions are searched until one shows a request. */
#ifndef DECODER_DIALOG_H
#define DECODER_DIALOG_H

#include "decoder/brokers.h"
#include "decoder/stream.h"
#include "trace/event.h"

/* Counts over all conversations, for whoever sums up. */
struct dialog_totals {
	uint64_t kafka, tls, other; /* conversations with data, by what they are */
	uint64_t tls_asked, tls_answered, tls_round_trips; /* see decoder/tls.h */
	uint64_t requests, responses;
	uint64_t lost_bytes;	  /* missing from Kafka conversations */
	uint64_t lost_messages;	  /* that lack some of them */
	uint64_t unmatched_bytes; /* seen in them, but part of no frame */
	uint64_t sasl_tokens;	  /* without a Kafka header (after SaslHandshake v0) */
	uint64_t not_kept;	  /* frames too large for the memory */
	uint64_t squeezed;	  /* of which all but the records is there */
	uint64_t given_up;	  /* requests told without their answers for want of memory */
	uint64_t one_sided;	  /* conversations whose answers are not in the capture */
};

enum dialog_belief {
	DIALOG_MAYBE,	 /* its bytes must tell */
	DIALOG_KAFKA,	 /* it is Kafka, whatever its bytes look like */
	DIALOG_ANNOUNCED /* the same, and it was accepted */
};

struct waiting;

/* What all conversations of a decoder share. */
struct dialog_env {
	struct event_bus *bus;
	struct arena arena; /* of the exchange that is handed on */
	size_t memory;	    /* bytes that frames and requests that wait take, */
	size_t memory_max;  /* and may take together, */
	size_t frame_max;   /* and one frame; */
	bool squeeze;	    /* one that is longer is told without its records where it has some */
	struct waiting *waiting; /* requests of all conversations, the oldest first, */
	struct waiting *large;	 /* and those of them that take more room than they need */
	bool show_secrets;	 /* else credentials are overwritten with '*' in frames */
	/* A secret was found: n bytes from sequence number seq on. May be NULL. */
	void (*on_secret)(void *context, uint64_t stream, int direction, uint32_t seq, uint32_t n);
	void *secret_context;
	bool thin;		 /* records are of no interest: they are left out of the frames */
	struct brokers *brokers; /* learned; says who a connection's server is */
	struct dialog_totals totals;
	/* What else is known of a conversation that begins; may set its number and broker, and
	 * where its opening was not seen swap the ends, so that the client is right. May be NULL.
	 */
	enum dialog_belief (*identify)(void *context, struct event_conn *conn);
	void *context;
};

struct dialog;

/* Bytes that one takes beside its frames. */
size_t dialog_size(void);

/* s must outlive it. Nothing is told before a frame is believed, unless it was announced. */
struct dialog *dialog_new(struct dialog_env *env, struct stream *s, const struct stream_at *at);
void dialog_data(struct dialog *c, int direction, const uint8_t *data, size_t n,
		 const struct stream_at *at);
void dialog_gap(struct dialog *c, int direction, uint64_t n, const struct stream_at *at);

/* n bytes came again with other contents. */
void dialog_conflict(struct dialog *c, int direction, size_t n, const struct stream_at *at);

/* Tells of requests that stayed without an answer and of the end, and frees c. */
void dialog_close(struct dialog *c, enum stream_end how, const struct stream_at *at);

/* Its number, as events have it. */
int64_t dialog_number(const struct dialog *c);

/* A rule acted on the request with that correlation id: its exchange will say so. */
void dialog_rule(struct dialog *c, int32_t correlation_id, struct str text);

#endif
