/* A cluster in virtual time, driven as the service drives it. Every request goes through bytes
 * (encode, decode) and so does every answer, so that a test also proves that what the cluster says
 * can be said in that version. Nothing sleeps. */
#ifndef TESTS_MOCK_FIXTURE_H
#define TESTS_MOCK_FIXTURE_H

#include "mock/cluster.h"
#include "protocol/kafka_error.h"
#include "protocol/messages.h"
#include "tests/test.h"

/* Bytes that live until mock_end. */
struct kept {
	struct kept *next;
	uint8_t data[];
};

struct fixture {
	struct cluster *c;
	struct instant now;
	struct event_bus bus;
	struct event_sink sink;
	struct exchange_run *runs; /* all requests sent, newest first */
	int64_t conn;		   /* of the next request; 1 */
	const char *client_id;	   /* "tester" */
	int32_t log_events;
	struct buf cluster_events; /* "NAME DETAIL" lines; buf_cstr reads them */
	struct kept *kept;
	size_t buffers; /* live shared buffers at the start */
};

/* One request and what became of it. */
struct exchange_run {
	struct exchange_run *next;
	struct call call;
	struct arena arena;
	struct plan plan;
	enum call_result result; /* CALL_WAIT while it waits */
	void *response;		 /* decoded from bytes; NULL without an answer */
	int16_t version;	 /* of the response */
	uint8_t *answer;	 /* body bytes; response points into it */
	int64_t answered_us;	 /* virtual time of the answer */
};

/* brokers nodes "broker-N.test:9092", seed 1, auto-create on, three partitions by default. */
void mock_start(struct fixture *f, int32_t brokers);
/* The same with more than that: what config says, but for its brokers, seed and bus. */
void mock_start_with(struct fixture *f, int32_t brokers, struct cluster_config config);
/* Frees everything and checks that no buffer is left. */
void mock_end(struct fixture *f);

/* Sends one request to a broker; body is the API's request struct. */
struct exchange_run *mock_send(struct fixture *f, int32_t broker, int api_key, int version,
			       const void *body);

/* The same, and the decoded answer: fails the test and returns defaults if there is none. */
const void *mock_ask(struct fixture *f, int32_t broker, int api_key, int version, const void *body);

/* Time passes; timers fire in order and waiting requests are worked on. */
void mock_advance(struct fixture *f, int64_t us);
#define MS(n) ((int64_t)(n)*1000)

/* Frees all exchanges so far, which must not be waiting, with what was decoded from them. */
void mock_forget(struct fixture *f);

/* The exchange's connection is gone. */
void mock_hang_up(struct fixture *f, struct exchange_run *x);

/* From now on requests that this plan's topic and partition (-1: any) meet get the code; api -1
 * ends it. Stands for the rules' decision. */
void mock_fault(struct fixture *f, int api_key, enum when when, int16_t code, const char *topic,
		int32_t partition);

/* Lets something happen (mock/happen.h); the error's text, "" if there was none. */
const char *mock_happen(struct fixture *f, const char *text);

/* Creates a topic on one leader or spread (-1). */
void mock_topic(struct fixture *f, const char *name, int32_t partitions, int32_t leader);

#endif
