/* Bindings out of a recorded message and its live counterpart. */
#include "protocol/messages.h"
#include "protocol/records.h"
#include "replay/pairs.h"

struct learning {
	struct variables *v;
	int64_t peer;
	bool answer;
};

struct naming {
	struct variables *v;
	enum side side;
};

/* Ids and names of topics that stand together. */
static void learn_name(void *user, const struct leaf *l)
{
	struct naming *n = user;
	const struct str *name;
	const struct uuid *id;

	if (l->field)
		return;
	id = holder_value(l->in, ROLE_TOPIC_ID, NULL);
	name = id ? holder_value(l->in, ROLE_TOPIC, NULL) : NULL;
	if (name)
		variables_set_topic(n->v, n->side, *id, *name);
}

/* The first batch of live bytes at that offset. */
static bool batch_at(const struct records *live, int64_t offset, struct batch *ret)
{
	struct records_reader reader;

	records_reader_init(&reader, live->data, (size_t)live->len);
	while (records_next(&reader, ret, NULL) > 0)
		if (ret->base_offset <= offset && offset <= ret->last_offset)
			return true;
	return false;
}

/* Producers of batches at the same place. */
static void learn_records(const struct learning *g, const struct pair *p)
{
	const struct records *recorded = p->recorded, *live = p->live;
	struct str topic = variables_topic_around(g->v, SIDE_RECORDED, p->recorded_in);
	const struct schema_field *f;
	const void *partition = holder_nearest(p->recorded_in, ROLE_PARTITION, &f);
	struct records_reader reader;
	struct batch a, b;
	int64_t id;

	if (!recorded->data || !live->data || !partition || live->span_count)
		return;
	records_reader_init(&reader, recorded->data, (size_t)recorded->len);
	while (records_next(&reader, &a, NULL) > 0) {
		if (a.magic != 2 || a.producer_id < 0 ||
		    !batch_at(live,
			      variables_offset(g->v, SIDE_RECORDED, topic,
					       (int32_t)leaf_int(f, partition), a.base_offset),
			      &b) ||
		    b.producer_id < 0)
			continue;
		if (!variables_int(g->v, SIDE_RECORDED, ROLE_PRODUCER_ID, a.producer_id, &id))
			variables_bind_int(g->v, ROLE_PRODUCER_ID, a.producer_id, b.producer_id);
		variables_bind_epoch(g->v, a.producer_id, a.producer_epoch, b.producer_epoch);
	}
}

bool variables_hands_out(const struct holder *in, const struct schema_field *f)
{
	if (in->schema == &produce_response_responses_partition_responses_schema)
		return strcmp(f->name, "baseOffset") == 0;
	return (in->schema == &consumer_group_heartbeat_response_schema ||
		in->schema == &share_group_heartbeat_response_schema ||
		in->schema == &streams_group_heartbeat_response_schema) &&
	       strcmp(f->name, "memberEpoch") == 0;
}

static bool learned_elsewhere(enum role role)
{
	return role == ROLE_BROKER || role == ROLE_HOST || role == ROLE_PORT ||
	       role == ROLE_ADDRESS;
}

/* Where a log begins and how far it can be read is no place in it: both move. */
static bool is_bound(const struct schema_field *f)
{
	return strcmp(f->name, "logStartOffset") == 0 || strcmp(f->name, "highWatermark") == 0 ||
	       strcmp(f->name, "lastStableOffset") == 0;
}

static bool visit(void *user, const struct pair *p)
{
	struct learning *g = user;

	if (p->kind != PAIR_VALUE)
		return p->kind != PAIR_GONE && p->kind != PAIR_NEW;
	if (p->field->type == FIELD_RECORDS && g->answer)
		learn_records(g, p);
	else if (!role_is_variable(variables_role(p->recorded_in, p->field)) ||
		 learned_elsewhere(p->role) || is_bound(p->field))
		return true;
	else if (variables_hands_out(p->recorded_in, p->field) ||
		 variables_same(g->v, g->peer, p->recorded_in, p->field, p->recorded, p->live) ==
			 SAME_UNKNOWN)
		variables_bind_pair(g->v, g->peer, p->recorded_in, p->field, p->recorded, p->live);
	return true;
}

void variables_learn(struct variables *v, const struct variables_place *recorded_place,
		     const struct variables_place *live_place, const struct schema *s,
		     int recorded_version, const void *recorded, int live_version, const void *live)
{
	struct learning g = {v, recorded_place->peer, recorded_place->answer};
	struct naming of_recorded = {v, SIDE_RECORDED}, of_live = {v, SIDE_LIVE};
	struct pairs pairs = {v, recorded_place->peer, visit, &g};
	struct holder a = {s, (void *)recorded, recorded_version, recorded_place->around},
		      b = {s, (void *)live, live_version, live_place->around};

	leaves_each(s, recorded_version, (void *)recorded, learn_name, &of_recorded);
	leaves_each(s, live_version, (void *)live, learn_name, &of_live);
	pairs_each(&pairs, &a, &b);
}
