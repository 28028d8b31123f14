/* See topic_names.h. */
#include "checks/topic_names.h"

#include "protocol/messages.h"

#include <stdlib.h>
#include <uthash.h>

#define TOPICS_MAX 50000

struct topic_name {
	struct uuid id;
	struct str name;
	UT_hash_handle hh;
	char text[];
};

void topic_names_release(struct topic_names *t)
{
	struct topic_name *n, *next;

	HASH_ITER (hh, t->by_id, n, next) {
		HASH_DELETE(hh, t->by_id, n);
		free(n);
	}
}

static struct topic_name *find(const struct topic_names *t, struct uuid id)
{
	struct topic_name *n;

	HASH_FIND(hh, t->by_id, &id, sizeof(id), n);
	return n;
}

static void learn(struct topic_names *t, struct uuid id, struct str name)
{
	struct topic_name *n;

	if (!name.len || uuid_is_zero(id) || find(t, id) || HASH_COUNT(t->by_id) >= TOPICS_MAX)
		return;
	n = malloc(sizeof(*n) + (size_t)name.len);
	if (!n)
		abort();
	n->id = id;
	memcpy(n->text, name.data, (size_t)name.len);
	n->name = (struct str){n->text, name.len};
	HASH_ADD(hh, t->by_id, id, sizeof(n->id), n);
}

void topic_names_feed(struct topic_names *t, struct exchange *x)
{
	const struct metadata_response *r =
		x->header.api_key == API_METADATA ? exchange_response(x) : NULL;

	for (int32_t i = 0; r && i < r->topics_count; i++)
		learn(t, r->topics[i].topic_id, r->topics[i].name);
}

struct str topic_names_find(const struct topic_names *t, struct uuid id)
{
	const struct topic_name *n = find(t, id);

	return n ? n->name : (struct str){0};
}
