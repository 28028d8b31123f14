/* Names in the bytes, ids in sets: the two are led into each other here. Owns nothing. */
#include "mock/consumer_protocol.h"

#include "mock/mem.h"
#include "mock/state.h"

#include <assert.h>
#include <stdlib.h>

#define KNOWN_VERSION 3

/* Behind the version; false if there is none. */
static bool open_bytes(struct bytes data, struct bytes *ret_rest, int16_t *ret_version)
{
	if (data.len < 2)
		return false;
	*ret_version = (int16_t)(data.data[0] << 8 | data.data[1]);
	*ret_rest = (struct bytes){data.data + 2, data.len - 2};
	return *ret_version >= 0;
}

static int16_t known(int16_t version)
{
	return version > KNOWN_VERSION ? KNOWN_VERSION : version;
}

bool subscription_read(struct bytes data, struct arena *arena,
		       struct consumer_protocol_subscription *ret, int16_t *ret_version)
{
	struct bytes rest;

	return open_bytes(data, &rest, ret_version) &&
	       codec_decode(&consumer_protocol_subscription_schema, known(*ret_version), rest,
			    arena, ret, NULL) >= 0;
}

static void add(const struct cluster *c, struct tp_set *set, struct str topic,
		const int32_t *partitions, int32_t count)
{
	const struct topic *t = topic_find(c, topic);

	for (int32_t i = 0; t && i < count; i++) {
		struct tp tp;

		memset(&tp, 0, sizeof(tp));
		tp.topic_id = t->id;
		tp.partition = partitions[i];
		tp_set_add(set, tp);
	}
}

bool assignment_read(const struct cluster *c, struct bytes data, struct tp_set *ret)
{
	struct consumer_protocol_assignment a;
	struct arena arena;
	struct bytes rest;
	int16_t version;
	bool ok;

	tp_set_clear(ret);
	if (!data.len)
		return true;
	arena_init(&arena, ARENA_EXCHANGE_MAX);
	ok = open_bytes(data, &rest, &version) &&
	     codec_decode(&consumer_protocol_assignment_schema, known(version), rest, &arena, &a,
			  NULL) >= 0 &&
	     a.user_data.len <= 0;
	for (int32_t i = 0; ok && i < a.assigned_partitions_count; i++)
		add(c, ret, a.assigned_partitions[i].topic, a.assigned_partitions[i].partitions,
		    a.assigned_partitions[i].partitions_count);
	tp_set_sort(ret);
	arena_release(&arena);
	return ok;
}

void subscription_owned(const struct cluster *c, const struct consumer_protocol_subscription *s,
			struct tp_set *ret)
{
	tp_set_clear(ret);
	for (int32_t i = 0; i < s->owned_partitions_count; i++)
		add(c, ret, s->owned_partitions[i].topic, s->owned_partitions[i].partitions,
		    s->owned_partitions[i].partitions_count);
	tp_set_sort(ret);
}

/* The set topic by topic; topics that are gone are left out. */
static void fill(const struct cluster *c, const struct tp_set *set,
		 struct consumer_protocol_assignment *a, int32_t *partitions)
{
	struct consumer_protocol_assignment_assigned_partitions *t = NULL;
	const struct topic *topic = NULL;

	for (int32_t i = 0; i < set->count; i++) {
		if (!i || !uuid_eq(set->list[i].topic_id, set->list[i - 1].topic_id)) {
			topic = topic_by_id(c, set->list[i].topic_id);
			t = topic ? &a->assigned_partitions[a->assigned_partitions_count++] : NULL;
			if (t)
				*t = (struct consumer_protocol_assignment_assigned_partitions){
					.topic = topic->name, .partitions = partitions + i};
		}
		partitions[i] = set->list[i].partition;
		if (t)
			t->partitions_count++;
	}
}

struct bytes assignment_write(const struct cluster *c, const struct tp_set *set, int16_t version)
{
	struct consumer_protocol_assignment a;
	size_t count = (size_t)set->count;
	int32_t *partitions = mem_new(count * sizeof(*partitions));
	struct gather g;
	struct bytes out;
	uint8_t head[2];
	int rc;

	codec_init(&consumer_protocol_assignment_schema, &a);
	a.assigned_partitions = mem_new(count * sizeof(*a.assigned_partitions));
	fill(c, set, &a, partitions);
	version = known(version);
	head[0] = (uint8_t)(version >> 8);
	head[1] = (uint8_t)version;
	gather_init(&g, FRAME_SIZE_MAX);
	buf_add(&g.own, head, sizeof(head));
	rc = codec_encode(&consumer_protocol_assignment_schema, version, &a, &g, NULL);
	assert(!rc && !g.refs_count);
	out = mem_bytes((struct bytes){g.own.data, (int32_t)g.own.len});
	gather_release(&g);
	free(a.assigned_partitions);
	free(partitions);
	return out;
}
