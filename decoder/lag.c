/* Two hashes from a place (and who reads there) to an offset. */
#include "decoder/lag.h"

#include "base/str.h"
#include "protocol/kafka_error.h"
#include "protocol/messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#define PLACE_MAX 300
#define KEY_MAX	  700
#define LATEST	  (-1) /* ListOffsets: the timestamp that asks for the end */

struct offset_at {
	char *key;
	int64_t offset;
	UT_hash_handle hh;
};

struct lag {
	struct offset_at *ends, *positions;
	struct room *room;
};

struct lag *lag_new(struct room *room)
{
	struct lag *l = calloc(1, sizeof(*l));

	if (!l)
		abort();
	l->room = room;
	return l;
}

static size_t size_of(const char *key)
{
	return sizeof(struct offset_at) + strlen(key) + ROOM_OVERHEAD;
}

static void table_free(struct lag *l, struct offset_at *table)
{
	struct offset_at *o, *next;

	HASH_ITER (hh, table, o, next) {
		HASH_DELETE(hh, table, o);
		room_give(l->room, size_of(o->key));
		free(o->key);
		free(o);
	}
}

void lag_free(struct lag *l)
{
	if (!l)
		return;
	table_free(l, l->ends);
	table_free(l, l->positions);
	free(l);
}

static void put(struct lag *l, struct offset_at **table, const char *key, int64_t offset)
{
	struct offset_at *o;

	HASH_FIND_STR(*table, key, o);
	if (!o && (HASH_COUNT(*table) >= LAG_ENTRIES_MAX || !room_take(l->room, size_of(key))))
		return;
	if (!o) {
		o = calloc(1, sizeof(*o));
		if (!o || !(o->key = strdup(key)))
			abort();
		HASH_ADD_KEYPTR(hh, *table, o->key, strlen(o->key), o);
	}
	o->offset = offset;
}

static int64_t get(struct offset_at *table, const char *key)
{
	struct offset_at *o;

	HASH_FIND_STR(table, key, o);
	return o ? o->offset : -1;
}

bool lag_place(const struct names *names, struct str topic, struct uuid id, int32_t partition,
	       char *ret_place, size_t size)
{
	char text[UUID_TEXT_SIZE];
	int len;

	if (!topic.len)
		topic = names_find(names, id);
	if (!topic.data) {
		uuid_text(id, text);
		topic = str_of(text);
	}
	len = snprintf(ret_place, size, STR_FMT "-%d", STR_ARG(topic), partition);
	return len > 0 && (size_t)len < size;
}

void lag_host(const struct event_conn *conn, char ret_host[ENDPOINT_TEXT_SIZE])
{
	endpoint_text(&conn->client, ret_host);
	*strrchr(ret_host, ':') = '\0';
}

/* A client id may hold any byte but none that would make two readers one. */
static bool position_key(char *key, const char *place, struct str client, const char *host)
{
	int len = snprintf(key, KEY_MAX, "%s\n%s\n" STR_FMT, place, host, STR_ARG(client));

	return len > 0 && len < KEY_MAX;
}

static void take_fetch(struct lag *l, struct exchange *x, const struct names *names)
{
	const struct fetch_request *q = exchange_request(x);
	char host[ENDPOINT_TEXT_SIZE], place[PLACE_MAX], key[KEY_MAX];

	if (!q || q->replica_id >= 0 || q->replica_state.replica_id >= 0)
		return;
	lag_host(&x->conn, host);
	for (int32_t i = 0; i < q->topics_count; i++)
		for (int32_t k = 0; k < q->topics[i].partitions_count; k++)
			if (lag_place(names, q->topics[i].topic, q->topics[i].topic_id,
				      q->topics[i].partitions[k].partition, place, PLACE_MAX) &&
			    position_key(key, place, x->header.client_id, host))
				put(l, &l->positions, key, q->topics[i].partitions[k].fetch_offset);
}

static void take_fetched(struct lag *l, struct exchange *x, const struct names *names)
{
	const struct fetch_response *r = exchange_response(x);
	char place[PLACE_MAX];

	if (!r)
		return;
	for (int32_t i = 0; i < r->responses_count; i++)
		for (int32_t k = 0; k < r->responses[i].partitions_count; k++)
			if (r->responses[i].partitions[k].high_watermark >= 0 &&
			    lag_place(names, r->responses[i].topic, r->responses[i].topic_id,
				      r->responses[i].partitions[k].partition_index, place,
				      PLACE_MAX))
				put(l, &l->ends, place,
				    r->responses[i].partitions[k].high_watermark);
}

/* Whether the request asked for the partition's end. */
static bool asked_for_end(const struct list_offsets_request *q, struct str topic, int32_t partition)
{
	for (int32_t i = 0; i < q->topics_count; i++)
		for (int32_t k = 0; k < q->topics[i].partitions_count; k++)
			if (str_eq(q->topics[i].name, topic) &&
			    q->topics[i].partitions[k].partition_index == partition)
				return q->topics[i].partitions[k].timestamp == LATEST;
	return false;
}

static void take_list(struct lag *l, struct exchange *x)
{
	const struct list_offsets_request *q = exchange_request(x);
	const struct list_offsets_response *r = exchange_response(x);
	char place[PLACE_MAX];

	if (!q || !r || !x->header.api_version || q->isolation_level)
		return;
	for (int32_t i = 0; i < r->topics_count; i++)
		for (int32_t k = 0; k < r->topics[i].partitions_count; k++)
			if (r->topics[i].partitions[k].offset >= 0 &&
			    asked_for_end(q, r->topics[i].name,
					  r->topics[i].partitions[k].partition_index) &&
			    lag_place(NULL, r->topics[i].name, (struct uuid){{0}},
				      r->topics[i].partitions[k].partition_index, place, PLACE_MAX))
				put(l, &l->ends, place, r->topics[i].partitions[k].offset);
}

void lag_exchange(struct lag *l, struct exchange *x, const struct names *names)
{
	if (x->header.api_key == API_FETCH) {
		take_fetch(l, x, names);
		take_fetched(l, x, names);
	} else if (x->header.api_key == API_LIST_OFFSETS) {
		take_list(l, x);
	}
}

int64_t lag_end(const struct lag *l, const char *place)
{
	return get(l->ends, place);
}

int64_t lag_position(const struct lag *l, const char *place, struct str client, const char *host)
{
	char key[KEY_MAX];

	return position_key(key, place, client, host) ? get(l->positions, key) : -1;
}
