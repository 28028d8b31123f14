/* One pass over a session's exchanges in the order of their requests; each API that tells of the
 * cluster has a function in a table. Logs as such are seen_log's.
 *
 * Invariants: partitions of a topic have no holes; nothing is learned from an answer with an error
 * but that it has one. */
#include "replay/seen.h"

#include "protocol/kafka_error.h"
#include "protocol/messages.h"
#include "protocol/records.h"
#include "replay/seen_log.h"

#include <stdlib.h>

#define PARTITIONS_MAX	     10000  /* of a topic */
#define PARTITIONS_ALL_MAX   100000 /* of all together */
#define GROUPS_MAX	     10000
#define OFFSETS_MAX	     100000 /* of a group */
#define TOPICS_MAX	     10000
#define BROKERS_MAX	     1000
#define LEADERS_MAX	     10000 /* changes of a partition */
#define EXPANDED_MAX	     ((size_t)64 << 20)
#define TIMESTAMP_LATEST     (-1)
#define TIMESTAMP_EARLIEST   (-2)
#define RESOURCE_TOPIC	     2
#define CONFIG_SOURCE_TOPIC  1
#define CONFIG_SOURCE_ABSENT (-1)

/* A reading under way. */
struct reading {
	struct seen *seen;
	const struct session_exchange *x;
	struct buf scratch;
	int32_t partitions; /* of all topics */
};

/* Room for one more at the end; NULL past max. */
static void *grow(void *list, size_t *count, size_t size, size_t max)
{
	void **at = list;

	if (*count == max)
		return NULL;
	if ((*count & (*count - 1)) == 0) { /* full at every power of two */
		*at = realloc(*at, (*count ? *count * 2 : 1) * size);
		if (!*at)
			abort();
	}
	memset((char *)*at + *count * size, 0, size);
	return (char *)*at + (*count)++ * size;
}

/* ---- brokers ---- */

static void take_broker(struct seen *s, int32_t node_id, struct str host, int32_t port,
			struct str rack)
{
	struct seen_broker *b;
	size_t at = 0;

	while (at < s->brokers_count && s->brokers[at].node_id < node_id)
		at++;
	if (node_id < 0)
		return;
	if (at < s->brokers_count && s->brokers[at].node_id == node_id) {
		if (rack.data)
			s->brokers[at].rack = rack;
		return;
	}
	if (!grow(&s->brokers, &s->brokers_count, sizeof(*b), BROKERS_MAX))
		return;
	b = &s->brokers[at];
	memmove(b + 1, b, (s->brokers_count - 1 - at) * sizeof(*b));
	*b = (struct seen_broker){node_id, host, rack, port};
}

/* ---- topics ---- */

static struct seen_topic *find_topic(const struct seen *s, struct str name)
{
	for (size_t i = 0; i < s->topics_count; i++)
		if (str_eq(s->topics[i].name, name))
			return &s->topics[i];
	return NULL;
}

static struct seen_topic *topic_of(struct reading *r, struct str name, struct uuid id)
{
	const struct session_topic *told =
		name.data && name.len ? NULL : session_topic_of_id(r->seen->session, id);
	struct seen_topic *t;

	if (told)
		name = told->name;
	if (!name.data || !name.len)
		return NULL;
	t = find_topic(r->seen, name);
	if (!t) {
		t = grow(&r->seen->topics, &r->seen->topics_count, sizeof(*t), TOPICS_MAX);
		if (!t)
			return NULL;
		t->name = name;
	}
	if (uuid_is_zero(id))
		return t;
	t->made_anew |= !uuid_is_zero(t->id) && !uuid_eq(t->id, id);
	t->id = id;
	return t;
}

static struct seen_partition *partition_of(struct reading *r, struct seen_topic *t, int32_t index)
{
	size_t count;

	if (!t || index < 0 || index >= PARTITIONS_MAX)
		return NULL;
	while (t->partitions_count <= index) {
		struct seen_partition *p;

		count = (size_t)t->partitions_count;
		p = r->partitions < PARTITIONS_ALL_MAX
			    ? grow(&t->partitions, &count, sizeof(*p), PARTITIONS_MAX)
			    : NULL;
		if (!p)
			return NULL;
		*p = (struct seen_partition){.index = t->partitions_count++,
					     .start_first = SEEN_UNKNOWN,
					     .start_last = SEEN_UNKNOWN,
					     .end_first = SEEN_UNKNOWN,
					     .end_last = SEEN_UNKNOWN,
					     .own_first = SEEN_UNKNOWN};
		r->partitions++;
	}
	return &t->partitions[index];
}

static void take_leader(const struct reading *r, struct seen_partition *p, int32_t leader,
			int32_t epoch)
{
	struct seen_leader *last = p && p->leaders_count ? &p->leaders[p->leaders_count - 1] : NULL,
			   *l;

	if (!p || (last && last->leader == leader && (epoch < 0 || last->epoch == epoch)))
		return;
	if (last && last->leader == leader && last->epoch < 0) {
		last->epoch = epoch; /* versions before 7 do not say */
		return;
	}
	/* Brokers learn of changes one after the other: an older epoch is no change back. */
	if (last && epoch >= 0 && epoch < last->epoch)
		return;
	l = grow(&p->leaders, &p->leaders_count, sizeof(*l), LEADERS_MAX);
	if (l)
		*l = (struct seen_leader){r->x->request_us, leader, epoch};
}

static void take_metadata(struct reading *r)
{
	const struct metadata_response *m = r->x->response_body;

	for (int32_t i = 0; i < m->brokers_count; i++)
		take_broker(r->seen, m->brokers[i].node_id, m->brokers[i].host, m->brokers[i].port,
			    m->brokers[i].rack);
	for (int32_t i = 0; i < m->topics_count; i++) {
		const struct metadata_response_topics *q = &m->topics[i];
		struct seen_topic *t = topic_of(r, q->name, q->topic_id);

		if (t && !t->partitions_count &&
		    (q->error_code == ERROR_UNKNOWN_TOPIC_OR_PARTITION ||
		     q->error_code == ERROR_LEADER_NOT_AVAILABLE))
			t->absent_until_us = r->x->response_us;
		if (!t || q->error_code)
			continue;
		t->is_internal |= q->is_internal;
		if (!t->partitions_first)
			t->partitions_first = q->partitions_count;
		if (q->partitions_count > t->partitions_first && !t->grown_us)
			t->grown_us = r->x->request_us;
		for (int32_t k = 0; k < q->partitions_count; k++) {
			const struct metadata_response_topics_partitions *p = &q->partitions[k];

			take_leader(r, partition_of(r, t, p->partition_index), p->leader_id,
				    p->leader_epoch);
			if (p->replica_nodes_count > t->replication)
				t->replication = p->replica_nodes_count;
		}
	}
}

static void take_topic_partitions(struct reading *r)
{
	const struct describe_topic_partitions_response *m = r->x->response_body;

	for (int32_t i = 0; i < m->topics_count; i++) {
		const struct describe_topic_partitions_response_topics *q = &m->topics[i];
		struct seen_topic *t = q->error_code ? NULL : topic_of(r, q->name, q->topic_id);

		for (int32_t k = 0; t && k < q->partitions_count; k++) {
			take_leader(r, partition_of(r, t, q->partitions[k].partition_index),
				    q->partitions[k].leader_id, q->partitions[k].leader_epoch);
			if (q->partitions[k].replica_nodes_count > t->replication)
				t->replication = q->partitions[k].replica_nodes_count;
		}
	}
}

static void take_cluster(struct reading *r)
{
	const struct describe_cluster_response *m = r->x->response_body;

	for (int32_t i = 0; i < m->brokers_count; i++)
		take_broker(r->seen, m->brokers[i].broker_id, m->brokers[i].host,
			    m->brokers[i].port, m->brokers[i].rack);
}

static void take_created(struct reading *r)
{
	const struct create_topics_response *m = r->x->response_body;
	const struct create_topics_request *q = r->x->request_body;

	for (int32_t i = 0; i < m->topics_count && !(q && q->validate_only); i++) {
		struct seen_topic *t = m->topics[i].error_code ? NULL
							       : topic_of(r, m->topics[i].name,
									  m->topics[i].topic_id);

		if (!t)
			continue;
		t->created = r->x;
		if (m->topics[i].num_partitions > 0)
			partition_of(r, t, m->topics[i].num_partitions - 1);
		for (int32_t k = 0; q && k < q->topics_count; k++)
			if (str_eq(q->topics[k].name, t->name) && q->topics[k].num_partitions > 0)
				partition_of(r, t, q->topics[k].num_partitions - 1);
	}
}

static void take_configs(struct reading *r)
{
	const struct describe_configs_response *m = r->x->response_body;

	for (int32_t i = 0; i < m->results_count; i++) {
		const struct describe_configs_response_results *q = &m->results[i];
		struct seen_topic *t = q->error_code || q->resource_type != RESOURCE_TOPIC
					       ? NULL
					       : topic_of(r, q->resource_name, (struct uuid){0});

		if (t)
			t->configs_count = 0; /* the newest answer counts */
		for (int32_t k = 0; t && k < q->configs_count; k++) {
			bool own = q->configs[k].config_source == CONFIG_SOURCE_TOPIC ||
				   (q->configs[k].config_source == CONFIG_SOURCE_ABSENT &&
				    !q->configs[k].is_default);
			struct seen_config *c =
				own && q->configs[k].value.data && !q->configs[k].is_sensitive
					? grow(&t->configs, &t->configs_count, sizeof(*c), 1000)
					: NULL;

			if (c)
				*c = (struct seen_config){q->configs[k].name, q->configs[k].value};
		}
	}
}

static void take_versions(struct reading *r)
{
	const struct api_versions_response *m = r->x->response_body;
	struct seen *s = r->seen;

	if (s->has_versions || m->error_code)
		return;
	s->has_versions = true;
	for (int32_t i = 0; i < m->api_keys_count; i++)
		if (m->api_keys[i].api_key >= 0 && m->api_keys[i].api_key <= API_KEY_MAX)
			s->versions[m->api_keys[i].api_key] = (struct seen_versions){
				m->api_keys[i].min_version, m->api_keys[i].max_version};
}

/* ---- logs ---- */

static const struct produce_request_topic_data_partition_data *
produced(const struct reading *r, struct str name, struct uuid id, int32_t index)
{
	const struct produce_request *q = r->x->request_body;

	for (int32_t i = 0; q && i < q->topic_data_count; i++) {
		if (name.len ? !str_eq(q->topic_data[i].name, name)
			     : !uuid_eq(q->topic_data[i].topic_id, id))
			continue;
		for (int32_t k = 0; k < q->topic_data[i].partition_data_count; k++)
			if (q->topic_data[i].partition_data[k].index == index)
				return &q->topic_data[i].partition_data[k];
	}
	return NULL;
}

static void take_appended(struct reading *r, struct seen_partition *p,
			  const struct produce_response_responses_partition_responses *told,
			  struct records records)
{
	struct seen_source from = {r->x, true, told->base_offset};

	if (!p)
		return;
	seen_log_start(p, told->log_start_offset, r->x->request_us);
	if (told->base_offset >= 0)
		seen_log_end(p, told->base_offset);
	r->seen->batches_left_out +=
		seen_log_add(p, &from, (struct bytes){records.data, records.data ? records.len : 0},
			     &r->scratch);
}

static void take_produce(struct reading *r)
{
	const struct produce_response *m = r->x->response_body;

	for (int32_t i = 0; i < m->responses_count; i++) {
		const struct produce_response_responses *t = &m->responses[i];
		struct seen_topic *topic = topic_of(r, t->name, t->topic_id);

		for (int32_t k = 0; topic && k < t->partition_responses_count; k++) {
			const struct produce_response_responses_partition_responses *p =
				&t->partition_responses[k];
			const struct produce_request_topic_data_partition_data *q =
				produced(r, t->name, t->topic_id, p->index);

			if (p->current_leader.leader_id >= 0)
				take_leader(r, partition_of(r, topic, p->index),
					    p->current_leader.leader_id,
					    p->current_leader.leader_epoch);
			if (!p->error_code && q)
				take_appended(r, partition_of(r, topic, p->index), p, q->records);
		}
	}
}

/* The offset that a Fetch asks for; SEEN_UNKNOWN where its session knows. */
static int64_t fetch_offset(const struct reading *r, struct str name, struct uuid id, int32_t index)
{
	const struct fetch_request *q = r->x->request_body;

	for (int32_t i = 0; q && i < q->topics_count; i++) {
		if (name.len ? !str_eq(q->topics[i].topic, name)
			     : !uuid_eq(q->topics[i].topic_id, id))
			continue;
		for (int32_t k = 0; k < q->topics[i].partitions_count; k++)
			if (q->topics[i].partitions[k].partition == index)
				return q->topics[i].partitions[k].fetch_offset;
	}
	return SEEN_UNKNOWN;
}

static void take_fetch(struct reading *r)
{
	const struct fetch_response *m = r->x->response_body;

	for (int32_t i = 0; i < m->responses_count; i++) {
		const struct fetch_response_responses *t = &m->responses[i];
		struct seen_topic *topic = topic_of(r, t->topic, t->topic_id);

		for (int32_t k = 0; topic && k < t->partitions_count; k++) {
			const struct fetch_response_responses_partitions *f = &t->partitions[k];
			struct seen_partition *p = partition_of(r, topic, f->partition_index);
			struct seen_source from = {
				r->x, false,
				fetch_offset(r, t->topic, t->topic_id, f->partition_index)};

			if (p && f->current_leader.leader_id >= 0)
				take_leader(r, p, f->current_leader.leader_id,
					    f->current_leader.leader_epoch);
			if (!p || f->error_code)
				continue;
			seen_log_start(p, f->log_start_offset, r->x->request_us);
			seen_log_end(p, f->high_watermark);
			r->seen->batches_left_out +=
				seen_log_add(p, &from,
					     (struct bytes){f->records.data,
							    f->records.data ? f->records.len : 0},
					     &r->scratch);
		}
	}
}

/* The epoch that a client asked about; -1. */
static int32_t asked_epoch(const struct reading *r, struct str topic, int32_t partition)
{
	const struct offset_for_leader_epoch_request *q = r->x->request_body;

	for (int32_t i = 0; q && i < q->topics_count; i++)
		for (int32_t k = 0; k < q->topics[i].partitions_count; k++)
			if (str_eq(q->topics[i].topic, topic) &&
			    q->topics[i].partitions[k].partition == partition)
				return q->topics[i].partitions[k].leader_epoch;
	return -1;
}

static void take_epoch_ends(struct reading *r)
{
	const struct offset_for_leader_epoch_response *m = r->x->response_body;

	for (int32_t i = 0; i < m->topics_count; i++)
		for (int32_t k = 0; k < m->topics[i].partitions_count; k++) {
			const struct offset_for_leader_epoch_response_topics_partitions *q =
				&m->topics[i].partitions[k];
			struct seen_topic *t = topic_of(r, m->topics[i].topic, (struct uuid){0});
			struct seen_partition *p =
				q->error_code ? NULL : partition_of(r, t, q->partition);

			if (p)
				seen_log_epoch_end(p, r->x,
						   asked_epoch(r, m->topics[i].topic, q->partition),
						   q->end_offset);
		}
}

static int64_t listed_timestamp(const struct reading *r, struct str name, int32_t index)
{
	const struct list_offsets_request *q = r->x->request_body;

	for (int32_t i = 0; q && i < q->topics_count; i++)
		for (int32_t k = 0; k < q->topics[i].partitions_count; k++)
			if (str_eq(q->topics[i].name, name) &&
			    q->topics[i].partitions[k].partition_index == index)
				return q->topics[i].partitions[k].timestamp;
	return 0;
}

static void take_listed(struct reading *r)
{
	const struct list_offsets_response *m = r->x->response_body;

	for (int32_t i = 0; i < m->topics_count; i++)
		for (int32_t k = 0; k < m->topics[i].partitions_count; k++) {
			const struct list_offsets_response_topics_partitions *q =
				&m->topics[i].partitions[k];
			int64_t asked = listed_timestamp(r, m->topics[i].name, q->partition_index);
			struct seen_partition *p =
				q->error_code ? NULL
					      : partition_of(r,
							     topic_of(r, m->topics[i].name,
								      (struct uuid){0}),
							     q->partition_index);

			if (p && asked == TIMESTAMP_EARLIEST)
				seen_log_start(p, q->offset, r->x->request_us);
			if (p && asked == TIMESTAMP_LATEST)
				seen_log_end(p, q->offset);
		}
}

/* ---- groups ---- */

static struct seen_offset *offset_of(struct reading *r, struct str group, struct str topic,
				     int32_t partition)
{
	struct seen *s = r->seen;
	struct seen_group *g = NULL;
	struct seen_offset *o;

	if (!group.data || !topic.data || partition < 0)
		return NULL;
	for (size_t i = 0; i < s->groups_count && !g; i++)
		g = str_eq(s->groups[i].name, group) ? &s->groups[i] : NULL;
	if (!g)
		g = grow(&s->groups, &s->groups_count, sizeof(*g), GROUPS_MAX);
	if (!g)
		return NULL;
	g->name = group;
	for (size_t i = 0; i < g->offsets_count; i++)
		if (g->offsets[i].partition == partition && str_eq(g->offsets[i].topic, topic))
			return &g->offsets[i];
	o = grow(&g->offsets, &g->offsets_count, sizeof(*o), OFFSETS_MAX);
	if (o)
		*o = (struct seen_offset){topic, partition, SEEN_UNKNOWN, SEEN_UNKNOWN};
	return o;
}

static void take_committed(struct reading *r, struct str group, struct str topic, int32_t partition,
			   int64_t offset)
{
	struct seen_offset *o = offset_of(r, group, topic, partition);

	if (o && o->first == SEEN_UNKNOWN && o->last == SEEN_UNKNOWN)
		o->first = offset < 0 ? -1 : offset;
	if (o)
		o->last = offset < 0 ? -1 : offset;
}

static void take_group(struct reading *r, const struct offset_fetch_response_groups *group)
{
	for (int32_t i = 0; i < group->topics_count && !group->error_code; i++) {
		const struct offset_fetch_response_groups_topics *t = &group->topics[i];
		const struct seen_topic *topic = topic_of(r, t->name, t->topic_id);

		for (int32_t k = 0; topic && k < t->partitions_count; k++)
			if (!t->partitions[k].error_code)
				take_committed(r, group->group_id, topic->name,
					       t->partitions[k].partition_index,
					       t->partitions[k].committed_offset);
	}
}

static void take_offset_fetch(struct reading *r)
{
	const struct offset_fetch_response *m = r->x->response_body;
	const struct offset_fetch_request *q = r->x->request_body;

	for (int32_t i = 0; q && i < m->topics_count && !m->error_code; i++)
		for (int32_t k = 0; k < m->topics[i].partitions_count; k++)
			if (!m->topics[i].partitions[k].error_code)
				take_committed(r, q->group_id, m->topics[i].name,
					       m->topics[i].partitions[k].partition_index,
					       m->topics[i].partitions[k].committed_offset);
	for (int32_t g = 0; g < m->groups_count; g++)
		take_group(r, &m->groups[g]);
}

static bool committed_well(const struct reading *r, int32_t topic, int32_t partition)
{
	const struct offset_commit_response *m = r->x->response_body;

	return topic < m->topics_count && partition < m->topics[topic].partitions_count &&
	       !m->topics[topic].partitions[partition].error_code;
}

/* Answers mirror their requests. What was there before the first commit stays unknown. */
static void take_offset_commit(struct reading *r)
{
	const struct offset_commit_request *q = r->x->request_body;

	for (int32_t i = 0; q && i < q->topics_count; i++) {
		const struct seen_topic *t = topic_of(r, q->topics[i].name, q->topics[i].topic_id);

		for (int32_t k = 0; t && k < q->topics[i].partitions_count; k++) {
			struct seen_offset *o =
				committed_well(r, i, k)
					? offset_of(r, q->group_id, t->name,
						    q->topics[i].partitions[k].partition_index)
					: NULL;

			if (o)
				o->last = q->topics[i].partitions[k].committed_offset;
		}
	}
}

/* ---- what was written although nobody said so ---- */

static int64_t records_in(struct bytes records)
{
	struct records_reader reader;
	struct batch b;
	int64_t n = 0;

	records_reader_init(&reader, records.data, records.data ? (size_t)records.len : 0);
	while (records_next(&reader, &b, NULL) > 0)
		n += b.records_count > 0 ? b.records_count : 0;
	return n;
}

/* A Produce whose answer was lost, or an error: first all are counted, then looked for. */
static void claim_lost(struct reading *r, bool count)
{
	const struct produce_request *q = r->x->request_body;

	for (int32_t i = 0; i < q->topic_data_count; i++) {
		struct seen_topic *t =
			topic_of(r, q->topic_data[i].name, q->topic_data[i].topic_id);

		for (int32_t k = 0; t && k < q->topic_data[i].partition_data_count; k++) {
			struct seen_partition *p =
				partition_of(r, t, q->topic_data[i].partition_data[k].index);
			struct bytes records = {q->topic_data[i].partition_data[k].records.data,
						q->topic_data[i].partition_data[k].records.len};

			if (p && count)
				p->untold += records_in(records);
			else if (p)
				seen_log_claim(p, r->x, records, &r->scratch);
		}
	}
}

static bool is_answered_well(const struct session_exchange *x)
{
	const struct produce_response *m = x->response_body;

	for (int32_t i = 0; m && i < m->responses_count; i++)
		for (int32_t k = 0; k < m->responses[i].partition_responses_count; k++)
			if (m->responses[i].partition_responses[k].error_code)
				return false;
	return m != NULL;
}

/* ---- all of it ---- */

static void (*const takers[API_KEY_MAX + 1])(struct reading *r) = {
	[API_PRODUCE] = take_produce,
	[API_FETCH] = take_fetch,
	[API_LIST_OFFSETS] = take_listed,
	[API_OFFSET_FOR_LEADER_EPOCH] = take_epoch_ends,
	[API_METADATA] = take_metadata,
	[API_DESCRIBE_TOPIC_PARTITIONS] = take_topic_partitions,
	[API_DESCRIBE_CLUSTER] = take_cluster,
	[API_DESCRIBE_CONFIGS] = take_configs,
	[API_API_VERSIONS] = take_versions,
	[API_CREATE_TOPICS] = take_created,
	[API_OFFSET_COMMIT] = take_offset_commit,
	[API_OFFSET_FETCH] = take_offset_fetch,
};

#define LOST_MAX                                                                        \
	10000 /* Produce requests without a good answer that are looked for in the logs \
	       */

static void claim_all(struct reading *r, bool count)
{
	const struct session *s = r->seen->session;
	size_t lost = 0;

	for (size_t i = 0; i < s->exchanges_count && lost < LOST_MAX; i++) {
		r->x = s->exchanges[i];
		if (r->x->header.api_key != API_PRODUCE || !r->x->request_body ||
		    is_answered_well(r->x))
			continue;
		claim_lost(r, count);
		lost++;
	}
}

static void read_all(struct reading *r)
{
	const struct session *s = r->seen->session;

	for (size_t i = 0; i < s->exchanges_count; i++) {
		int key = s->exchanges[i]->header.api_key;

		r->x = s->exchanges[i];
		if (r->x->response_body && r->x->state != EXCHANGE_ORPHAN && key >= 0 &&
		    key <= API_KEY_MAX && takers[key])
			takers[key](r);
	}
	claim_all(r, true);
	claim_all(r, false);
	for (size_t i = 0; i < s->conns_count; i++)
		take_broker(r->seen, s->conns[i]->broker, (struct str){"", 0},
			    s->conns[i]->server.port, (struct str){0});
}

struct seen *seen_new(const struct session *s)
{
	struct seen *seen = calloc(1, sizeof(*seen));
	struct reading r = {.seen = seen};

	if (!seen)
		abort();
	seen->session = s;
	for (int i = 0; i <= API_KEY_MAX; i++)
		seen->versions[i] = (struct seen_versions){0, -1};
	buf_init(&r.scratch, EXPANDED_MAX);
	read_all(&r);
	buf_release(&r.scratch);
	return seen;
}

void seen_free(struct seen *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->topics_count; i++) {
		for (int32_t k = 0; k < s->topics[i].partitions_count; k++) {
			free(s->topics[i].partitions[k].leaders);
			free(s->topics[i].partitions[k].batches);
			free(s->topics[i].partitions[k].anew);
		}
		free(s->topics[i].partitions);
		free(s->topics[i].configs);
	}
	for (size_t i = 0; i < s->groups_count; i++)
		free(s->groups[i].offsets);
	free(s->groups);
	free(s->topics);
	free(s->brokers);
	free(s);
}

const struct seen_topic *seen_topic(const struct seen *s, struct str name)
{
	return find_topic(s, name);
}

const struct seen_partition *seen_partition(const struct seen *s, struct str topic,
					    int32_t partition)
{
	const struct seen_topic *t = find_topic(s, topic);

	return t && partition >= 0 && partition < t->partitions_count ? &t->partitions[partition]
								      : NULL;
}

const struct seen_group *seen_group(const struct seen *s, struct str name)
{
	for (size_t i = 0; i < s->groups_count; i++)
		if (str_eq(s->groups[i].name, name))
			return &s->groups[i];
	return NULL;
}
