/* See clusters.h. Clusters are numbered as they are told, so that what is known of the first does
 * not change when a second one shows. Memory is bounded by the numbers below. */
#include "checks/clusters.h"

#include "checks/hash.h"
#include "protocol/messages.h"

#include <stdlib.h>
#include <uthash.h>

#define ADDRESSES_MAX 20000
#define IDS_MAX	      1000
#define NOT_KNOWN     ((uint64_t)1 << 63) /* set in the numbers of servers that nobody told of */

struct cluster_id {
	uint64_t hash, number;
	UT_hash_handle hh;
};

struct cluster_address {
	struct endpoint at;
	uint64_t number;
	UT_hash_handle hh;
};

void clusters_release(struct clusters *c)
{
	struct cluster_address *a, *a_next;
	struct cluster_id *i, *i_next;

	HASH_ITER (hh, c->addresses, a, a_next) {
		HASH_DELETE(hh, c->addresses, a);
		free(a);
	}
	HASH_ITER (hh, c->ids, i, i_next) {
		HASH_DELETE(hh, c->ids, i);
		free(i);
	}
	*c = (struct clusters){0};
}

static struct cluster_id *id_of(struct clusters *c, struct str text)
{
	uint64_t key = hash_str(FNV_BASIS, text);
	struct cluster_id *i;

	HASH_FIND(hh, c->ids, &key, sizeof(key), i);
	if (i || c->count == IDS_MAX)
		return i;
	i = calloc(1, sizeof(*i));
	if (!i)
		abort();
	i->hash = key;
	i->number = c->count++;
	HASH_ADD(hh, c->ids, hash, sizeof(i->hash), i);
	return i;
}

/* Without padding: it is a key. */
static struct endpoint bare(const struct endpoint *e)
{
	struct endpoint at;

	memset(&at, 0, sizeof(at));
	at.family = e->family;
	at.port = e->port;
	memcpy(at.addr, e->addr, sizeof(at.addr));
	return at;
}

static struct cluster_address *find(const struct clusters *c, const struct endpoint *at)
{
	struct cluster_address *a;

	HASH_FIND(hh, c->addresses, at, sizeof(*at), a);
	return a;
}

static void learn(struct clusters *c, const struct endpoint *e, uint64_t number)
{
	struct endpoint at = bare(e);
	struct cluster_address *a = at.family ? find(c, &at) : NULL;

	if (a)
		a->number = number;
	if (a || !at.family || HASH_COUNT(c->addresses) >= ADDRESSES_MAX)
		return;
	a = calloc(1, sizeof(*a));
	if (!a)
		abort();
	a->at = at;
	a->number = number;
	HASH_ADD(hh, c->addresses, at, sizeof(a->at), a);
}

void clusters_feed(struct clusters *c, struct exchange *x)
{
	const struct metadata_response *r =
		x->header.api_key == API_METADATA ? exchange_response(x) : NULL;
	const struct cluster_id *id = r && r->cluster_id.len > 0 ? id_of(c, r->cluster_id) : NULL;

	if (!id)
		return;
	learn(c, &x->conn.server, id->number);
	for (int32_t i = 0; i < r->brokers_count; i++) {
		struct endpoint at = {0};

		if (r->brokers[i].port > 0 && r->brokers[i].port <= UINT16_MAX)
			at = endpoint_parse(r->brokers[i].host, (uint16_t)r->brokers[i].port);
		learn(c, &at, id->number);
	}
}

uint64_t clusters_of(const struct clusters *c, const struct event_conn *conn)
{
	struct endpoint at = bare(&conn->server);
	const struct cluster_address *a = at.family ? find(c, &at) : NULL;

	if (a)
		return a->number;
	if (!at.family || (c->count <= 1 && conn->broker >= 0))
		return 0;
	return hash_more(FNV_BASIS, &at, sizeof(at)) | NOT_KNOWN;
}
