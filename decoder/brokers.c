/* Two hashes: listeners with an address, and the ports of those with a name. Which answers name
 * nodes is read out of the tables, once for each API.
 *
 * Invariants: a listener has the id that was told last; a port that two names of different ids have
 * is nobody's for good. */
#include "decoder/brokers.h"

#include "protocol/schema.h"

#include <stdlib.h>
#include <uthash.h>

#define HOST_MAX 255
#define SHARED	 (-2) /* a port that does not tell who it is of */

struct listener {
	struct endpoint at; /* family 0: any address, told by name */
	int32_t id;
	uint64_t name; /* hash of the name, where it is one */
	UT_hash_handle hh;
};

struct brokers {
	struct listener *table;
	uint8_t may_tell[API_KEY_MAX + 1]; /* by API: NOT_LOOKED, NEVER, SOMETIMES */
};

enum { NOT_LOOKED, NEVER, SOMETIMES };

struct brokers *brokers_new(void)
{
	struct brokers *b = calloc(1, sizeof(*b));

	if (!b)
		abort();
	return b;
}

void brokers_free(struct brokers *b)
{
	struct listener *l, *next;

	if (!b)
		return;
	HASH_ITER (hh, b->table, l, next) {
		HASH_DELETE(hh, b->table, l);
		free(l);
	}
	free(b);
}

static struct listener *find(const struct brokers *b, const struct endpoint *at)
{
	struct listener *l;

	HASH_FIND(hh, b->table, at, sizeof(*at), l);
	return l;
}

static uint64_t hash_name(struct str s)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (int32_t i = 0; i < s.len; i++)
		h = (h ^ (uint8_t)s.data[i]) * 0x100000001b3u;
	return h;
}

static void learn(struct brokers *b, int32_t id, struct str host, int64_t port)
{
	struct endpoint at;
	struct listener *l;

	if (id < 0 || host.len <= 0 || host.len > HOST_MAX || port < 1 || port > 65535)
		return;
	at = endpoint_parse(host, (uint16_t)port);
	l = find(b, &at);
	if (l) {
		if (at.family || l->name == hash_name(host))
			l->id = l->id == SHARED ? SHARED : id;
		else if (l->id != id)
			l->id = SHARED;
		return;
	}
	if (HASH_COUNT(b->table) >= BROKERS_MAX)
		return;
	l = calloc(1, sizeof(*l));
	if (!l)
		abort();
	l->at = at;
	l->id = id;
	l->name = hash_name(host);
	HASH_ADD(hh, b->table, at, sizeof(l->at), l);
}

/* Where a struct names a node; any is NULL if it does not. */
struct node_fields {
	const struct schema_field *id, *host, *port;
};

static bool find_node(const struct schema *s, struct node_fields *ret)
{
	*ret = (struct node_fields){0};
	for (uint16_t i = 0; i < s->field_count; i++) {
		const struct schema_field *f = &s->fields[i];

		if (f->array)
			continue;
		if (f->type == FIELD_INT32 &&
		    (!strcmp(f->name, "nodeId") || !strcmp(f->name, "brokerId")))
			ret->id = f;
		if (f->type == FIELD_STRING && !strcmp(f->name, "host"))
			ret->host = f;
		if ((f->type == FIELD_INT32 || f->type == FIELD_UINT16) && !strcmp(f->name, "port"))
			ret->port = f;
	}
	return ret->id && ret->host && ret->port;
}

static void learn_node(struct brokers *b, const struct node_fields *n, const uint8_t *msg)
{
	const void *port = msg + n->port->offset;

	learn(b, *(const int32_t *)(const void *)(msg + n->id->offset),
	      *(const struct str *)(const void *)(msg + n->host->offset),
	      n->port->type == FIELD_UINT16 ? *(const uint16_t *)port : *(const int32_t *)port);
}

static bool has_nodes(const struct schema_field *f, struct node_fields *ret)
{
	return f->array && f->type == FIELD_STRUCT && find_node(f->child, ret);
}

/* Whether an answer can name nodes at all. */
static bool may_tell(struct brokers *b, int api_key, const struct schema *s)
{
	struct node_fields n;
	bool any;

	if (b->may_tell[api_key] == NOT_LOOKED) {
		any = find_node(s, &n);
		for (uint16_t i = 0; i < s->field_count && !any; i++)
			any = has_nodes(&s->fields[i], &n);
		b->may_tell[api_key] = any ? SOMETIMES : NEVER;
	}
	return b->may_tell[api_key] == SOMETIMES;
}

void brokers_learn(struct brokers *b, struct exchange *x)
{
	const struct message *m = message_of_api(x->header.api_key, MESSAGE_RESPONSE);
	struct node_fields n;
	const uint8_t *body;
	int version;

	if (!m || !x->response.data || !may_tell(b, x->header.api_key, m->schema))
		return;
	body = exchange_response(x);
	version = exchange_response_version(x);
	if (!body)
		return;
	if (find_node(m->schema, &n) && field_in(n.host, version))
		learn_node(b, &n, body);
	for (uint16_t i = 0; i < m->schema->field_count; i++) {
		const struct schema_field *f = &m->schema->fields[i];
		const uint8_t *items;
		int32_t count;

		if (!field_in(f, version) || !has_nodes(f, &n))
			continue;
		items = *(const uint8_t *const *)(const void *)(body + f->offset);
		count = *(const int32_t *)(const void *)(body + f->count_offset);
		for (int32_t k = 0; k < count; k++)
			learn_node(b, &n, items + (size_t)k * field_size(f));
	}
}

int32_t brokers_find(const struct brokers *b, const struct endpoint *server)
{
	struct endpoint at;
	struct listener *l;

	if (!server->family)
		return -1;
	memset(&at, 0, sizeof(at));
	at.family = server->family;
	at.port = server->port;
	memcpy(at.addr, server->addr, sizeof(at.addr));
	l = find(b, &at);
	if (!l) {
		memset(at.addr, 0, sizeof(at.addr));
		at.family = 0;
		l = find(b, &at);
	}
	return l && l->id >= 0 ? l->id : -1;
}
