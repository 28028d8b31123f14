/* What flows through everything. The service, the decoder and the evidence reader make events;
 * checks, evidence, text, JSON, statistics and replay take them. An event and all that it points to
 * is valid only during the call that hands it over: copy what you keep. */
#ifndef TRACE_EVENT_H
#define TRACE_EVENT_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/shared.h"
#include "protocol/frame.h"

struct endpoint {
	uint8_t family; /* 4 or 6; 0 unknown */
	uint8_t addr[16];
	uint16_t port;
};

/* "10.0.0.1:9092", "[::1]:9092"; always NUL-terminated. */
#define ENDPOINT_TEXT_SIZE 56
void endpoint_text(const struct endpoint *e, char ret_text[ENDPOINT_TEXT_SIZE]);
/* Of a host that is an address in numbers; of any other the family is 0. Without stray padding: it
 * may be hashed. */
struct endpoint endpoint_parse(struct str host, uint16_t port);

enum event_kind {
	EVENT_CONN_OPENED,
	EVENT_CONN_CLOSED,
	EVENT_CONN_REFUSED,
	EVENT_EXCHANGE,
	EVENT_UNMATCHED, /* bytes that belong to no exchange: garbage, a lost segment, an answer
			    nobody asked for */
	EVENT_RULE,
	EVENT_LOG,
	EVENT_CLUSTER,
	EVENT_REPORT,
	EVENT_MARK,
	EVENT_TLS, /* a conversation in TLS has ended */
};

enum close_how {
	CLOSE_BY_CLIENT,
	CLOSE_BY_BROKER,
	CLOSE_RESET_BY_CLIENT,
	CLOSE_RESET_BY_BROKER,
	CLOSE_END_OF_INPUT
};

struct event_conn {
	int64_t conn;	/* number of the connection in its source, from 1 */
	int32_t broker; /* node id; -1 unknown */
	struct endpoint client, server;
	enum close_how how; /* of CLOSED and REFUSED */
	bool midway;	    /* of OPENED: it was open before the capture began */
	struct str why; /* of CLOSED: what the client sent that no broker reads; null: nothing */
};

enum exchange_state {
	EXCHANGE_ANSWERED,
	EXCHANGE_NO_ANSWER, /* none is due: Produce with acks 0 */
	EXCHANGE_LOST,	    /* the connection ended, or the input did, before an answer */
	EXCHANGE_ORPHAN,    /* an answer whose request is not in the capture: request.data NULL */
};

/* A run of an answer's bytes, and what it lies in where it may be kept by a reference. */
struct answer_piece {
	struct bytes bytes;
	struct shared *in; /* NULL: the bytes are gone after the event */
};

/* One request with its answer. Frames are without their length bytes. Bodies decode on demand,
 * once. */
struct exchange {
	struct event_conn conn;
	enum exchange_state state;
	struct frame_header header;	/* of the request */
	struct bytes request, response; /* frames; data NULL when not there, or not kept whole */
	uint32_t request_size,
		response_size; /* declared frame lengths, also where the bytes are not kept */
	uint32_t request_left_out, response_left_out; /* bytes of records that the frames here lack:
						       their record fields are empty */
	bool request_squeezed, response_squeezed;     /* because memory had no room for them */
	bool unheard;	    /* of LOST: it may have been answered in bytes that nobody captured */
	uint64_t stream;    /* number of the TCP conversation in a capture; 0 of other sources */
	uint32_t in_flight; /* requests of the connection without an answer when this one came, it
			       included; 0 unknown */
	int64_t request_first_us, request_us; /* wall µs of its first and last byte; 0 unknown */
	int64_t response_first_us, response_us;
	uint64_t resent; /* bytes of the connection that came again while it went on (a capture) */
	uint64_t request_packet, request_packet_last; /* packet numbers of the first and the last
							 bytes, from 1; 0 none */
	uint64_t response_packet, response_packet_last;
	struct shared *request_frame; /* what request lies in, where it may be kept by a
					 reference in place of a copy; NULL */
	const struct answer_piece *response_pieces; /* the answer's frame where it is not put into
						 one: longer than any sink asks for; else NULL */
	int32_t response_pieces_count;
	struct str rule;		    /* what was done to it, as rule text; null if nothing */
	struct arena *arena;		    /* for the bodies; the maker's, reset after the event */
	void *request_body, *response_body; /* generated structs once decoded */
	struct error request_error, response_error;
	bool request_decoded, response_decoded;
	uint32_t request_trailing, response_trailing; /* bytes behind the body, once decoded */
};

/* The decoded body, or NULL with x->request_error (x->response_error) set. An absent frame is NULL
 * without an error. Trailing bytes are no error. */
const void *exchange_request(struct exchange *x);
const void *exchange_response(struct exchange *x);
/* The version at which the response body stands: the request's, but 0 for an ApiVersions answer
 * with error 35 (KIP-511). */
int exchange_response_version(const struct exchange *x);

struct event_unmatched {
	struct event_conn conn;
	bool from_client;
	uint64_t size, missing; /* missing: bytes of size that were not captured */
	uint64_t packet;
	struct str why;
};

/* What shows of a conversation that is not decrypted. */
struct event_tls {
	struct event_conn conn;
	uint64_t asked, answered,
		round_trips;	      /* bytes each way; answers that followed on questions */
	int64_t wait_us, wait_max_us; /* for those answers: all together, the longest */
};

struct event_rule {
	struct str name, text; /* of the rule */
	struct str what;       /* "fired", "held", "released" */
	uint64_t hit;	       /* its hits so far, this one included */
	int64_t conn;	       /* of the exchange that it hit; 0 none */
	int32_t correlation_id;
	int16_t api_key;
};

enum log_what { LOG_APPENDED, LOG_TRUNCATED, LOG_START_MOVED, LOG_COMPACTED };

/* What the broker persisted. base_offset..next_offset-1 are the offsets that a batch takes; for
 * TRUNCATED next_offset is the new end, for START_MOVED base_offset the new start. */
struct event_log {
	enum log_what what;
	struct str topic;
	struct uuid topic_id;
	int32_t partition;
	int32_t leader_epoch;
	int64_t base_offset, next_offset;
	struct bytes batch; /* of APPENDED: the batch, or message of magic 0 or 1, as it stands in
			       the log; of COMPACTED: what stays of it */
	int64_t conn; /* whose Produce it was; 0: ours (markers, preloaded, control interface) */
	int32_t correlation_id;
};

struct event_cluster {
	struct str name;   /* "broker-down", "leader-moved", "topic-created", "group-state", ... */
	struct str detail; /* a JSON object */
};

struct event_report {
	struct str subject;
	struct str line; /* the JSON object that it printed */
};

struct event {
	enum event_kind kind;
	int64_t time_us; /* wall clock; of an exchange: when it ended */
	union {
		struct event_conn conn;
		struct exchange *exchange;
		struct event_unmatched unmatched;
		struct event_tls tls;
		struct event_rule rule;
		struct event_log log;
		struct event_cluster cluster;
		struct event_report report;
		struct str mark;
	};
};

/* Whoever takes events. */
struct event_sink {
	void (*on_event)(void *ctx, const struct event *ev);
	void *ctx;
	uint32_t kinds;	       /* that it takes, as bits of event_bit(); 0: all */
	uint32_t response_max; /* bytes of an answer's frame from which on it can do without them
				  (data NULL, response_size says how many); 0: wants all */
	struct event_sink *next;
};

/* A list of sinks, called in the order in which they were added. */
struct event_bus {
	struct event_sink *first;
};

void event_bus_add(struct event_bus *bus, struct event_sink *sink);
void event_bus_remove(struct event_bus *bus, struct event_sink *sink);
void event_emit(const struct event_bus *bus, const struct event *ev);

static inline uint32_t event_bit(enum event_kind kind)
{
	return (uint32_t)1 << kind;
}

static inline bool event_takes(const struct event_sink *s, enum event_kind kind)
{
	return !s->kinds || s->kinds & event_bit(kind);
}

/* Whether any sink takes that kind: whoever makes events can save what nobody would see. */
bool event_wanted(const struct event_bus *bus, enum event_kind kind);

const char *event_kind_name(enum event_kind kind);

#endif
