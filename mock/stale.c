/* A snapshot is a Metadata call of our own about all topics, kept with its answer. What is told
 * from it is copied: the answer may be sent after the snapshot is gone. */
#include "mock/stale.h"

#include "mock/fault.h"
#include "mock/mem.h"
#include "mock/state.h"

#include <stdlib.h>

#define STALE_ARENA_MAX ((size_t)64 << 20) /* what is more spills over, as in any call */

struct stale {
	struct call call;
	struct arena arena;
	struct plan plan;
	struct metadata_request request;
	int64_t until_us;
};

void stale_begin(struct cluster *c, int32_t broker, int64_t until_us)
{
	struct stale *s = mem_new(sizeof(*s));

	*s = (struct stale){.until_us = until_us};
	arena_init(&s->arena, STALE_ARENA_MAX);
	codec_init(&metadata_request_schema, &s->request);
	s->request.topics_count = -1;
	s->call.broker = broker;
	s->call.arena = &s->arena;
	s->call.plan = &s->plan;
	s->call.header.api_key = API_METADATA;
	s->call.header.api_version = (int16_t)c->versions[API_METADATA].max;
	s->call.request = &s->request;
	stale_end(c, broker);
	metadata_work(c, &s->call);
	cluster_broker(c, broker)->stale = s;
}

void stale_end(struct cluster *c, int32_t broker)
{
	struct broker *b = cluster_broker(c, broker);
	struct stale *s = b->stale;

	if (!s)
		return;
	b->stale = NULL;
	call_release(&s->call);
	arena_release(&s->arena);
	free(s);
}

static void copy_brokers(struct call *call, const struct metadata_response *from,
			 struct metadata_response *r)
{
	r->brokers = CALL_ARRAY(call, struct metadata_response_brokers, from->brokers_count);
	r->brokers_count = from->brokers_count;
	for (int32_t i = 0; i < from->brokers_count; i++) {
		r->brokers[i] = from->brokers[i];
		r->brokers[i].host = call_str(call, from->brokers[i].host);
		r->brokers[i].rack = call_str(call, from->brokers[i].rack);
	}
}

static void copy_topic(struct call *call, const struct metadata_response_topics *from,
		       struct metadata_response_topics *t)
{
	const struct metadata_request *q = call->request;

	*t = *from;
	t->name = call_str(call, from->name);
	if (q->include_topic_authorized_operations)
		t->topic_authorized_operations = TOPIC_OPERATIONS;
	t->partitions_count = 0;
	t->error_code = call_fault(call, from->name, -1);
	if (t->error_code)
		return;
	t->partitions = CALL_ARRAY(call, struct metadata_response_topics_partitions,
				   from->partitions_count);
	t->partitions_count = from->partitions_count;
	for (int32_t i = 0; i < from->partitions_count; i++) {
		struct metadata_response_topics_partitions *p = &t->partitions[i];

		*p = from->partitions[i];
		p->replica_nodes = call_nodes(call, p->replica_nodes, p->replica_nodes_count);
		p->isr_nodes = call_nodes(call, p->isr_nodes, p->isr_nodes_count);
		p->offline_replicas =
			call_nodes(call, p->offline_replicas, p->offline_replicas_count);
	}
}

/* One topic that is asked for: as the snapshot has it, else unknown; it is not made either. */
static void put_asked(struct call *call, const struct metadata_response *from,
		      const struct metadata_request_topics *asked,
		      struct metadata_response_topics *t)
{
	bool by_id = !uuid_is_zero(asked->topic_id);

	for (int32_t i = 0; i < from->topics_count; i++) {
		const struct metadata_response_topics *known = &from->topics[i];

		if (by_id ? uuid_eq(known->topic_id, asked->topic_id)
			  : str_eq(known->name, asked->name)) {
			copy_topic(call, known, t);
			return;
		}
	}
	codec_init(&metadata_response_topics_schema, t);
	t->topic_id = asked->topic_id;
	t->name = by_id ? (struct str){0} : asked->name;
	t->error_code = by_id ? ERROR_UNKNOWN_TOPIC_ID : ERROR_UNKNOWN_TOPIC_OR_PARTITION;
}

bool stale_answer(struct cluster *c, struct call *call, struct metadata_response *r)
{
	const struct metadata_request *q = call->request;
	bool all = q->topics_count < 0 || (call->header.api_version == 0 && q->topics_count == 0);
	const struct broker *b = cluster_broker(c, call->broker);
	const struct metadata_response *from;

	if (call->own || !b->stale || b->stale->until_us <= c->now.mono_us)
		return false;
	from = b->stale->call.response;
	copy_brokers(call, from, r);
	r->cluster_id = call_str(call, from->cluster_id);
	r->controller_id = from->controller_id;
	r->topics_count = all ? from->topics_count : q->topics_count;
	r->topics = CALL_ARRAY(call, struct metadata_response_topics, r->topics_count);
	for (int32_t i = 0; i < r->topics_count; i++)
		if (all)
			copy_topic(call, &from->topics[i], &r->topics[i]);
		else
			put_asked(call, from, &q->topics[i], &r->topics[i]);
	return true;
}
