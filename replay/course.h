/* The course of a session, for who plays its client: what is sent, in which order, what waits for
 * what, and what is left out and why. Pure; nothing here knows a clock. */
#ifndef REPLAY_COURSE_H
#define REPLAY_COURSE_H

#include "replay/session.h"

enum left_out {
	LEFT_NOT, /* it is sent */
	LEFT_ORPHAN,
	LEFT_CUT,
	LEFT_UNKNOWN,
	LEFT_MALFORMED,
	LEFT_SECURITY, /* SASL: the live side is reached as itself */
	LEFT_BROKER,   /* brokers speak to each other */
	LEFT_REFUSED,  /* it was to change something and was refused for the time being */
	LEFT_COUNT,
};

enum course_kind {
	COURSE_SEND,
	COURSE_ANSWER, /* go on when it was answered */
	COURSE_CLOSE,  /* of a connection, by its client */
};

struct course_step {
	int64_t time_us; /* in the recording */
	enum course_kind kind;
	const struct session_exchange *exchange; /* of CLOSE NULL */
	const struct session_conn *conn;
};

struct course {
	struct course_step *steps;
	size_t count;
	enum left_out *left_out; /* by the exchange's index */
	size_t *again; /* likewise: the next exchange that asks the same question; SIZE_MAX none */
};

/* The session must outlive it. */
void course_init(struct course *c, const struct session *s);
void course_release(struct course *c);

/* True if the recorded answer says nothing but that the cluster was not ready: to try again later.
 * That a topic is not there says so only if the session knows it. */
bool course_not_ready(const struct session *s, const struct session_exchange *x);

/* "a malformed request": for people. */
const char *left_out_text(enum left_out why);

#endif
