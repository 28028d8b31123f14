/* A set of one check, fed with events made by hand: a client on a connection to a broker, a clock
 * that the test moves, a log of topic "t". */
#ifndef TESTS_CHECKS_FIXTURE_H
#define TESTS_CHECKS_FIXTURE_H

#include "checks/check.h"

struct checks_run {
	struct checks set;
	struct arena arena;
	int64_t now_us, next_offset, conn, producer_id;
	int32_t broker, correlation_id, partition;
	const char *client;
	struct uuid topic_id;
	struct endpoint server; /* where the connection goes to */
	bool transactional;
	enum exchange_state state; /* of the next exchanges */
};

extern struct checks_run checks_run;

/* number: the check's own; -1 none. Client "c", connection 1, broker 1, no producer id. */
void checks_begin(const char *name, int64_t number);
/* As checks_begin, for one topic. */
void checks_begin_on(const char *name, const char *topic);
void checks_event(struct event ev);
/* The finding, and the end of the run; the text stays until the next one. */
enum finding_result checks_verdict(void);
const char *checks_actual(void);
void checks_wait_ms(int64_t ms);
/* Decoded bodies of an exchange that begins now; response NULL: it was lost. The clock stands at
 * its end afterwards. */
void checks_exchange(int api_key, int version, const void *request, const void *response,
		     int64_t took_ms);
__attribute__((format(printf, 2, 3))) void checks_say(const char *subject, const char *fmt, ...);
/* A record at the end of t's log, of checks_run.producer_id. */
void checks_append(const char *value);
void checks_marker(bool commit);
void checks_given(const char *subject, const char *value, int64_t offset);
void checks_acked(const char *subject, const char *value, int64_t offset);
void checks_truncate(int64_t end);
/* The topic is made anew: later records are its new life's. */
void checks_recreate(void);

#endif
