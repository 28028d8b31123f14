/* How far a consumer is behind: where the log of a partition ends, and up to where each client has
 * read it, as Fetch and ListOffsets tell. Bounded; what is not known is -1. */
#ifndef DECODER_LAG_H
#define DECODER_LAG_H

#include "base/room.h"
#include "decoder/names.h"
#include "trace/event.h"

#define LAG_ENTRIES_MAX 100000 /* partitions, and partitions times clients; more are not kept */

struct lag;

/* Memory is taken from room; what does not fit is not kept. */
struct lag *lag_new(struct room *room);
void lag_free(struct lag *l); /* NULL is fine */

void lag_exchange(struct lag *l, struct exchange *x, const struct names *names);

/* The offset behind the last record: the newest high watermark. place: as lag_place writes it. */
int64_t lag_end(const struct lag *l, const char *place);

/* Where the client's last Fetch of that partition began. host: without port. */
int64_t lag_position(const struct lag *l, const char *place, struct str client, const char *host);

/* "orders-0" into ret_place: the topic by its name, else by its id's name, else by the id. False if
 * it does not fit. */
bool lag_place(const struct names *names, struct str topic, struct uuid id, int32_t partition,
	       char *ret_place, size_t size);

/* The client's address without its port. */
void lag_host(const struct event_conn *conn, char ret_host[ENDPOINT_TEXT_SIZE]);

#endif
