/* A capture made fit to be shown: each Kafka message read, hidden (replay/hide.h) and written anew,
 * in packets of our own with right lengths and checksums. What can't be read is not copied: it is
 * left out or blanked, and counted. */
#ifndef REPLAY_SANITIZE_H
#define REPLAY_SANITIZE_H

#include "base/error.h"
#include "base/keyed.h"
#include "trace/event.h"

#include <stdint.h>

struct sanitize_totals {
	uint64_t messages; /* written */
	uint64_t blanked;  /* of them: of an API or version we don't know, or malformed: header and
			      zeros */
	uint64_t left_out; /* messages without their bytes, or without a request to read them by */
	uint64_t unmatched_bytes; /* that belong to no message: left out */
	uint64_t batches_unread, batches_cut;
	uint64_t inside; /* what evidence says beside the packets: left out */
};

struct sanitize;

/* keep: enum hide_keep. NULL with *e (ERR_OS) when there is no room for a temporary file. */
struct sanitize *sanitize_new(const struct key *key, unsigned keep, struct error *e);

/* Takes all events of a capture; they must be whole (nothing left out, secrets shown). */
struct event_sink *sanitize_sink(struct sanitize *s);

/* Writes what came, in the order of time. ERR_OS with *e. */
int sanitize_write(struct sanitize *s, const char *path, struct error *e);

const struct sanitize_totals *sanitize_totals(struct sanitize *s);

/* NULL is fine. */
void sanitize_free(struct sanitize *s);

#endif
