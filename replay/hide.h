/* Takes out of a message what a stranger must not see: names become pseudonyms, keys, values and
 * credentials noise. Equal things stay equal, so that partitions, duplicates and the course of
 * things can still be read. */
#ifndef REPLAY_HIDE_H
#define REPLAY_HIDE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/keyed.h"
#include "replay/leaves.h"
#include "trace/event.h"

enum hide_keep {
	HIDE_KEEP_TOPICS = 1,
	HIDE_KEEP_GROUPS = 2, /* transactional, member and instance ids as well */
	HIDE_KEEP_CLIENTS = 4,
	HIDE_KEEP_ADDRESSES = 8, /* hosts, racks, cluster ids, log directories as well */
};

struct hide {
	struct key key;
	unsigned keep;	     /* enum hide_keep */
	struct buf expanded; /* records of a compressed batch */
	struct buf records;  /* records of the message at hand, made anew */
	struct buf bytes;    /* an embedded message, made anew */
	uint64_t unread;     /* batches whose records could not be read: blanked */
	uint64_t cut;	     /* batches that were cut off: left out */
	struct arena *arena; /* of the message at hand */
	int8_t key_type;     /* of the FindCoordinator at hand */
};

void hide_init(struct hide *h, const struct key *key, unsigned keep);
void hide_release(struct hide *h);

/* Changes msg in place; what it then points to lives in the arena. Returns false when the arena or
 * a buffer is full: msg must then not be shown. */
bool hide_message(struct hide *h, const struct schema *s, int version, void *msg,
		  struct arena *arena);

/* The pseudonym of a name, in the arena; null and empty stay. */
struct str hide_name(const struct hide *h, enum role role, struct str name, struct arena *arena);

/* The address of a packet: IPv4 into 10.0.0.0/8, IPv6 into fd00::/8; loopback and port stay. */
void hide_endpoint(const struct hide *h, struct endpoint *e);

#endif
