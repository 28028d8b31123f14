/* Reads the messages of groups and tells life.c what they mean. Owns the groups, and what Metadata
 * said of topics.
 *
 * A generation is known by the first JoinGroup answer (of KIP-848: the first heartbeat's answer)
 * that names it. What an embedded subscription or assignment holds that can't be read is left
 * alone. */
#include "decoder/groups.h"

#include "decoder/life.h"
#include "decoder/lag.h"
#include "decoder/text.h"
#include "protocol/codec.h"
#include "protocol/kafka_error.h"
#include "protocol/messages.h"

#include <stdio.h>
#include <stdlib.h>

#define PLACE_MAX	    300
#define TOPICS_MAX	    100000
#define EPOCH_LEAVES	    (-1) /* ConsumerGroupHeartbeat: KIP-848 */
#define EPOCH_LEAVES_STATIC (-2)

/* What Metadata said of a topic. */
struct known_topic {
	char *name;
	int32_t partitions;
	int64_t changed_us;
	UT_hash_handle hh;
};

struct groups {
	const char *only;
	struct life *by_id;
	struct known_topic *topics;
	struct lag *lag;
	struct room *room;
	uint64_t not_told; /* messages of groups past GROUPS_MAX */
};

struct groups *groups_new(const char *only, struct room *room)
{
	struct groups *gs = calloc(1, sizeof(*gs));

	if (!gs)
		abort();
	gs->only = only;
	gs->room = room;
	gs->lag = lag_new(room);
	return gs;
}

void groups_free(struct groups *gs)
{
	struct life *g, *next;
	struct known_topic *t, *next_topic;

	if (!gs)
		return;
	HASH_ITER (hh, gs->by_id, g, next) {
		HASH_DELETE(hh, gs->by_id, g);
		life_free(g);
	}
	HASH_ITER (hh, gs->topics, t, next_topic) {
		HASH_DELETE(hh, gs->topics, t);
		room_give(gs->room, sizeof(*t) + strlen(t->name) + ROOM_OVERHEAD);
		free(t->name);
		free(t);
	}
	lag_free(gs->lag);
	free(gs);
}

/* The group that x is about; NULL: none, or one that is not told. */
static struct life *group_of(struct groups *gs, struct str id, const struct exchange *x)
{
	struct life *g;

	if (!id.data || !id.len || (gs->only && !str_is(id, gs->only)))
		return NULL;
	HASH_FIND(hh, gs->by_id, id.data, (unsigned)id.len, g);
	if (!g) {
		g = HASH_COUNT(gs->by_id) < GROUPS_MAX ? life_new(id, gs->room) : NULL;
		gs->not_told += !g;
		if (!g)
			return NULL;
		g->first_us = x->request_us;
		HASH_ADD_KEYPTR(hh, gs->by_id, g->id, (unsigned)id.len, g);
	}
	g->last_us = x->response_us > x->request_us ? x->response_us : x->request_us;
	return g;
}

/* ---- topics ---- */

static void take_topic(struct groups *gs, struct str name, int32_t partitions, int64_t time_us)
{
	struct known_topic *t;

	HASH_FIND(hh, gs->topics, name.data, (unsigned)name.len, t);
	if (!t && (HASH_COUNT(gs->topics) >= TOPICS_MAX ||
		   !room_take(gs->room, sizeof(*t) + (size_t)name.len + ROOM_OVERHEAD)))
		return;
	if (!t) {
		t = calloc(1, sizeof(*t));
		if (!t)
			abort();
		t->name = str_copy(name);
		t->partitions = -1;
		HASH_ADD_KEYPTR(hh, gs->topics, t->name, (unsigned)name.len, t);
	}
	if (t->partitions != partitions)
		t->changed_us = time_us;
	t->partitions = partitions;
}

static void feed_metadata(struct groups *gs, struct exchange *x, const struct names *names)
{
	const struct metadata_response *r = exchange_response(x);

	(void)names;
	for (int32_t i = 0; r && i < r->topics_count; i++)
		if (r->topics[i].name.len &&
		    (!r->topics[i].error_code ||
		     r->topics[i].error_code == ERROR_UNKNOWN_TOPIC_OR_PARTITION))
			take_topic(gs, r->topics[i].name, r->topics[i].partitions_count,
				   x->response_us);
}

static void refresh_topics(const struct groups *gs, struct life *g)
{
	struct known_topic *known;

	for (struct life_topic *t = g->topics; t; t = t->hh.next) {
		HASH_FIND_STR(gs->topics, t->name, known);
		if (!known)
			continue;
		t->partitions = known->partitions;
		t->changed_us = known->changed_us;
	}
}

/* ---- members ---- */

static struct life_member *speaker(struct life *g, struct str id, const struct exchange *x)
{
	struct life_member *m = life_member(g, id);
	struct str client = x->header.client_id;

	if (!m)
		return NULL;
	life_contact(m, x->request_us);
	if (m->seen)
		return m;
	m->seen = true;
	m->client_len = -1;
	lag_host(&x->conn, m->host);
	if (!client.data || client.len >= (int32_t)sizeof(m->client))
		return m;
	m->client_len = client.len;
	memcpy(m->client, client.data, (size_t)client.len);
	return m;
}

/* A member subscribes to these topics. */
static void subscribe(const struct groups *gs, struct life *g, struct life_member *m,
		      const struct str *topics, int32_t count)
{
	uint64_t sum = 1469598103934665603u; /* of the names, whatever their order */
	struct known_topic *known;
	struct buf text;

	buf_init(&text, 1 << 20);
	for (int32_t i = 0; i < count; i++) {
		uint64_t h = 1469598103934665603u;

		for (int32_t k = 0; k < topics[i].len; k++)
			h = (h ^ (uint8_t)topics[i].data[k]) * 1099511628211u;
		sum += h;
		buf_text(&text, i ? "," : "");
		buf_add(&text, topics[i].data, (size_t)topics[i].len);
		HASH_FIND(hh, gs->topics, topics[i].data, (unsigned)topics[i].len, known);
		life_subscribes(g, topics[i], known ? known->partitions : -1);
	}
	if (m->topics_hash && m->topics_hash != sum)
		m->subscription_changed = true;
	m->topics_hash = sum;
	text_copy(m->topics, sizeof(m->topics), str_of(buf_cstr(&text)));
	buf_release(&text);
}

/* Versions newer than ours only add to the end. */
static bool embedded(const struct schema *s, struct bytes data, struct arena *arena, void *ret)
{
	int version;

	if (!data.data || data.len < 2)
		return false;
	version = data.data[0] << 8 | data.data[1];
	return codec_decode(s, version < 3 ? version : 3,
			    (struct bytes){data.data + 2, data.len - 2}, arena, ret, NULL) >= 0;
}

/* Partitions that m owned in the last generation. */
static int32_t owned_before(const struct life *g, const struct life_member *m)
{
	int32_t n = 0;

	for (const struct life_partition *p = g->partitions; p; p = p->hh.next)
		n += p->before == m;
	return n;
}

static void take_subscription(const struct groups *gs, struct life *g, struct life_member *m,
			      struct bytes metadata, struct arena *arena)
{
	struct consumer_protocol_subscription s;
	int32_t owned = 0;

	if (!embedded(&consumer_protocol_subscription_schema, metadata, arena, &s))
		return;
	subscribe(gs, g, m, s.topics, s.topics_count);
	for (int32_t i = 0; i < s.owned_partitions_count; i++)
		owned += s.owned_partitions[i].partitions_count;
	m->gave_up = owned > 0 && owned < owned_before(g, m);
}

static void own(struct life *g, struct life_member *m, const struct names *names, struct str topic,
		struct uuid id, int32_t partition)
{
	struct life_partition *p;
	char place[PLACE_MAX];

	if (!lag_place(names, topic, id, partition, place, PLACE_MAX))
		return;
	p = life_partition(g, place);
	if (p)
		p->owner = m;
}

static void take_assignment(struct life *g, struct life_member *m, struct bytes assignment,
			    struct arena *arena)
{
	struct consumer_protocol_assignment a;

	if (!m || !embedded(&consumer_protocol_assignment_schema, assignment, arena, &a))
		return;
	life_disown(g, m);
	for (int32_t i = 0; i < a.assigned_partitions_count; i++)
		for (int32_t k = 0; k < a.assigned_partitions[i].partitions_count; k++)
			own(g, m, NULL, a.assigned_partitions[i].topic, (struct uuid){{0}},
			    a.assigned_partitions[i].partitions[k]);
}

/* ---- the classic protocol ---- */

/* The leader is told everybody. */
static void take_list(const struct groups *gs, struct life *g, struct exchange *x,
		      const struct join_group_response *r)
{
	struct life_member *m;

	g->now.whole = true;
	for (int32_t i = 0; i < r->members_count; i++) {
		m = life_member(g, r->members[i].member_id);
		if (!m)
			continue;
		m->in = true;
		m->left_us = 0;
		if (r->members[i].group_instance_id.data)
			text_copy(m->instance, sizeof(m->instance),
				  r->members[i].group_instance_id);
		if (!m->seen)
			take_subscription(gs, g, m, r->members[i].metadata, x->arena);
	}
}

static void feed_join(struct groups *gs, struct exchange *x, const struct names *names)
{
	const struct join_group_request *q = exchange_request(x);
	const struct join_group_response *r = exchange_response(x);
	struct life *g = q ? group_of(gs, q->group_id, x) : NULL;
	struct life_member *m;

	(void)names;
	if (!g || !r || r->error_code || !(m = speaker(g, r->member_id, x)))
		return;
	refresh_topics(gs, g);
	life_begin(g, r->generation_id, x->response_us);
	life_contact(m, x->response_us);
	m->in = true;
	m->left_us = 0;
	m->asked_us = x->request_us;
	m->told = m->told_us != 0;
	m->told_us = 0;
	m->session_ms = q->session_timeout_ms;
	m->rebalance_ms = q->rebalance_timeout_ms > 0 ? q->rebalance_timeout_ms : 0;
	text_words(m->reason, sizeof(m->reason), q->reason);
	if (q->group_instance_id.data)
		text_copy(m->instance, sizeof(m->instance), q->group_instance_id);
	for (int32_t i = 0; i < q->protocols_count; i++)
		if (!r->protocol_name.len || str_eq(q->protocols[i].name, r->protocol_name))
			take_subscription(gs, g, m, q->protocols[i].metadata, x->arena);
	text_copy(g->now.protocol, sizeof(g->now.protocol), r->protocol_name);
	g->now.leader = life_member(g, r->leader);
	if (str_eq(r->leader, r->member_id))
		take_list(gs, g, x, r);
}

static void feed_sync(struct groups *gs, struct exchange *x, const struct names *names)
{
	const struct sync_group_request *q = exchange_request(x);
	const struct sync_group_response *r = exchange_response(x);
	struct life *g = q ? group_of(gs, q->group_id, x) : NULL;
	struct life_member *m = g ? speaker(g, q->member_id, x) : NULL;

	(void)names;
	if (!m || !r || r->error_code)
		return;
	life_contact(m, x->response_us);
	life_met(g, m, q->generation_id, x->request_us);
	if (q->generation_id != g->now.id)
		return;
	for (int32_t i = 0; i < q->assignments_count; i++)
		take_assignment(g, life_member(g, q->assignments[i].member_id),
				q->assignments[i].assignment, x->arena);
	take_assignment(g, m, r->assignment, x->arena);
	g->now.settled_us = x->response_us;
}

static void feed_heartbeat(struct groups *gs, struct exchange *x, const struct names *names)
{
	const struct heartbeat_request *q = exchange_request(x);
	const struct heartbeat_response *r = exchange_response(x);
	struct life *g = q ? group_of(gs, q->group_id, x) : NULL;
	struct life_member *m = g ? speaker(g, q->member_id, x) : NULL;

	(void)names;
	if (!m || !r)
		return;
	if (!r->error_code || r->error_code == ERROR_REBALANCE_IN_PROGRESS)
		life_met(g, m, q->generation_id, x->request_us);
	g->now.heartbeats++;
	if (r->error_code == ERROR_REBALANCE_IN_PROGRESS && !m->told_us)
		m->told_us = x->response_us;
}

static void leave(struct life *g, struct str id, struct str reason, const struct exchange *x)
{
	struct life_member *m = life_member(g, id);
	char text[200];

	if (!m)
		return;
	m->left_us = x->request_us;
	text_words(text, sizeof(text), reason);
	snprintf(m->left_why, sizeof(m->left_why), "LeaveGroup%s%s", reason.len ? ": " : "", text);
}

static void feed_leave(struct groups *gs, struct exchange *x, const struct names *names)
{
	const struct leave_group_request *q = exchange_request(x);
	struct life *g = q ? group_of(gs, q->group_id, x) : NULL;

	(void)names;
	if (!g)
		return;
	leave(g, q->member_id, (struct str){NULL, 0}, x);
	for (int32_t i = 0; i < q->members_count; i++)
		leave(g, q->members[i].member_id, q->members[i].reason, x);
}

/* ---- KIP-848 ---- */

static void take_target(struct life *g, struct life_member *m,
			const struct consumer_group_heartbeat_response_assignment *a,
			const struct names *names)
{
	life_disown(g, m);
	for (int32_t i = 0; i < a->topic_partitions_count; i++)
		for (int32_t k = 0; k < a->topic_partitions[i].partitions_count; k++)
			own(g, m, names, (struct str){NULL, 0}, a->topic_partitions[i].topic_id,
			    a->topic_partitions[i].partitions[k]);
}

static void consumer_left(struct life_member *m, int32_t epoch, int64_t time_us)
{
	m->left_us = time_us;
	snprintf(m->left_why, sizeof(m->left_why), "%s",
		 epoch == EPOCH_LEAVES ? "left (epoch -1)"
				       : "a static member that may come back (epoch -2)");
}

/* An answer without an error. */
static void consumer_told(struct life *g, struct life_member *m, const struct exchange *x,
			  const struct consumer_group_heartbeat_request *q,
			  const struct consumer_group_heartbeat_response *r,
			  const struct names *names)
{
	bool newer = r->member_epoch > g->now.id;

	if (q->member_epoch > 0)
		life_met(g, m, q->member_epoch, x->request_us);
	life_begin(g, newer ? r->member_epoch : g->now.id, x->response_us);
	if (!q->member_epoch) {
		m->left_us = 0;
		m->in = true;
		m->asked_us = x->request_us;
	}
	m->interval_ms = r->heartbeat_interval_ms;
	if (q->rebalance_timeout_ms > 0)
		m->rebalance_ms = q->rebalance_timeout_ms;
	if (r->assignment)
		take_target(g, m, r->assignment, names);
	if (r->assignment || r->member_epoch != q->member_epoch)
		g->now.settled_us = x->response_us;
}

static void feed_consumer(struct groups *gs, struct exchange *x, const struct names *names)
{
	const struct consumer_group_heartbeat_request *q = exchange_request(x);
	const struct consumer_group_heartbeat_response *r = exchange_response(x);
	struct life *g = q ? group_of(gs, q->group_id, x) : NULL;
	struct life_member *m;

	if (!g || !r)
		return;
	m = speaker(g, r->member_id.len ? r->member_id : q->member_id, x);
	if (!m)
		return;
	g->consumer_protocol = true;
	g->now.heartbeats++;
	if (q->instance_id.data)
		text_copy(m->instance, sizeof(m->instance), q->instance_id);
	if (q->member_epoch == EPOCH_LEAVES || q->member_epoch == EPOCH_LEAVES_STATIC) {
		consumer_left(m, q->member_epoch, x->request_us);
		return;
	}
	refresh_topics(gs, g);
	if (!r->error_code)
		consumer_told(g, m, x, q, r, names);
	if (q->subscribed_topic_names_count)
		subscribe(gs, g, m, q->subscribed_topic_names, q->subscribed_topic_names_count);
}

/* ---- offsets ---- */

static void commit(struct groups *gs, struct life *g, const char *place, int64_t offset)
{
	struct life_partition *p = life_partition(g, place);
	int64_t end = lag_end(gs->lag, place);

	if (!p)
		return;
	p->committed = offset;
	if (end >= offset && end - offset > p->lag_most)
		p->lag_most = end - offset;
}

static void feed_commit(struct groups *gs, struct exchange *x, const struct names *names)
{
	const struct offset_commit_request *q = exchange_request(x);
	const struct offset_commit_response *r = exchange_response(x);
	struct life *g = q ? group_of(gs, q->group_id, x) : NULL;
	int16_t code;
	char place[PLACE_MAX];

	if (!g || !r || r->topics_count != q->topics_count)
		return;
	g->now.commits++;
	for (int32_t i = 0; i < q->topics_count; i++)
		for (int32_t k = 0;
		     k < q->topics[i].partitions_count && k < r->topics[i].partitions_count; k++) {
			code = r->topics[i].partitions[k].error_code;
			if (code && !g->now.refused++)
				g->now.refused_code = code;
			if (!code &&
			    lag_place(names, q->topics[i].name, q->topics[i].topic_id,
				      q->topics[i].partitions[k].partition_index, place, PLACE_MAX))
				commit(gs, g, place, q->topics[i].partitions[k].committed_offset);
		}
}

/* What was committed before the capture began. */
static void recall(struct life *g, const char *place, int64_t offset)
{
	struct life_partition *p = offset >= 0 ? life_partition(g, place) : NULL;

	if (p && p->committed < 0)
		p->committed = offset;
}

static void recall_group(struct life *g, const struct offset_fetch_response_groups *r,
			 const struct names *names)
{
	char place[PLACE_MAX];

	for (int32_t i = 0; i < r->topics_count; i++)
		for (int32_t k = 0; k < r->topics[i].partitions_count; k++)
			if (lag_place(names, r->topics[i].name, r->topics[i].topic_id,
				      r->topics[i].partitions[k].partition_index, place, PLACE_MAX))
				recall(g, place, r->topics[i].partitions[k].committed_offset);
}

static void feed_offset_fetch(struct groups *gs, struct exchange *x, const struct names *names)
{
	const struct offset_fetch_request *q = exchange_request(x);
	const struct offset_fetch_response *r = exchange_response(x);
	struct life *g = q && x->header.api_version < 8 ? group_of(gs, q->group_id, x) : NULL;
	char place[PLACE_MAX];

	if (!q || !r)
		return;
	for (int32_t i = 0; g && i < r->topics_count; i++)
		for (int32_t k = 0; k < r->topics[i].partitions_count; k++)
			if (lag_place(names, r->topics[i].name, (struct uuid){{0}},
				      r->topics[i].partitions[k].partition_index, place, PLACE_MAX))
				recall(g, place, r->topics[i].partitions[k].committed_offset);
	for (int32_t i = 0; i < r->groups_count; i++) {
		g = group_of(gs, r->groups[i].group_id, x);
		if (g)
			recall_group(g, &r->groups[i], names);
	}
}

/* ---- all together ---- */

void groups_exchange(struct groups *gs, struct exchange *x, const struct names *names)
{
	static const struct {
		int16_t api_key;
		void (*feed)(struct groups *gs, struct exchange *x, const struct names *names);
	} feeds[] = {
		{API_METADATA, feed_metadata},	  {API_JOIN_GROUP, feed_join},
		{API_SYNC_GROUP, feed_sync},	  {API_HEARTBEAT, feed_heartbeat},
		{API_LEAVE_GROUP, feed_leave},	  {API_CONSUMER_GROUP_HEARTBEAT, feed_consumer},
		{API_OFFSET_COMMIT, feed_commit}, {API_OFFSET_FETCH, feed_offset_fetch},
	};

	if (x->state == EXCHANGE_ORPHAN)
		return;
	lag_exchange(gs->lag, x, names);
	for (size_t i = 0; i < sizeof(feeds) / sizeof(feeds[0]); i++)
		if (feeds[i].api_key == x->header.api_key)
			feeds[i].feed(gs, x, names);
}

static void put_member(struct buf *out, const struct life_member *m)
{
	buf_printf(out, "  m%-3d %s", m->number, m->name);
	if (!m->seen)
		buf_text(out, "  not in this capture");
	if (m->seen && m->client_len >= 0) {
		buf_text(out, "  client ");
		text_put(out, (struct str){m->client, m->client_len}, 120);
	}
	if (m->seen)
		buf_printf(out, "  from %s", m->host);
	if (m->instance[0])
		buf_printf(out, "  instance %s", m->instance);
	if (m->session_ms)
		buf_printf(out, "  session %.3f s", m->session_ms / 1000.0);
	buf_byte(out, '\n');
}

static void put_offset(struct buf *out, int64_t offset)
{
	if (offset < 0)
		buf_printf(out, "%12s", "-");
	else
		buf_printf(out, "%12lld", (long long)offset);
}

static void put_lag(struct buf *out, const struct groups *gs, const struct life_partition *p,
		    int width)
{
	const struct life_member *m = p->owner;
	int64_t end = lag_end(gs->lag, p->place), fetched = -1;
	char owner[16] = "-";

	if (m)
		snprintf(owner, sizeof(owner), "m%d", m->number);
	if (m && m->seen)
		fetched = lag_position(gs->lag, p->place,
				       (struct str){m->client_len < 0 ? NULL : m->client,
						    m->client_len < 0 ? 0 : m->client_len},
				       m->host);
	buf_printf(out, "  %-*s  %-6s", width, p->place, owner);
	put_offset(out, p->committed);
	put_offset(out, fetched);
	put_offset(out, end);
	put_offset(out,
		   end >= 0 && p->committed >= 0 && end >= p->committed ? end - p->committed : -1);
	put_offset(out, p->lag_most);
	buf_byte(out, '\n');
}

static void put_lags(struct buf *out, const struct groups *gs, const struct life *g)
{
	int width = 9;

	for (const struct life_partition *p = g->partitions; p; p = p->hh.next)
		width = (int)strlen(p->place) > width ? (int)strlen(p->place) : width;
	if (!g->partitions)
		return;
	buf_printf(out, "  %-*s  %-6s%12s%12s%12s%12s%12s\n", width, "partition", "owner",
		   "committed", "fetched", "end", "lag", "most lag");
	for (const struct life_partition *p = g->partitions; p; p = p->hh.next)
		put_lag(out, gs, p, width);
}

static void put_group(struct buf *out, const struct groups *gs, struct life *g)
{
	uint64_t unseen = 0;

	for (const struct life_member *m = g->members; m; m = m->hh.next)
		unseen += !m->seen;
	buf_printf(out, "group %s: %s, %u members, %llu %s", g->name,
		   g->consumer_protocol ? "KIP-848" : "classic", HASH_COUNT(g->members),
		   (unsigned long long)g->generations,
		   g->consumer_protocol ? "epochs" : "generations");
	if (unseen)
		buf_printf(out, ", %llu members not in this capture", (unsigned long long)unseen);
	buf_byte(out, '\n');
	for (const struct life_member *m = g->members; m; m = m->hh.next)
		put_member(out, m);
	buf_add(out, g->text.data, g->text.len);
	if (g->left_out)
		buf_printf(out, "  %llu later generations are left out\n",
			   (unsigned long long)g->left_out);
	put_lags(out, gs, g);
}

void groups_write(struct groups *gs, struct buf *out)
{
	bool first = true;

	for (struct life *g = gs->by_id; g; g = g->hh.next) {
		if (!first)
			buf_byte(out, '\n');
		first = false;
		life_end(g);
		put_group(out, gs, g);
	}
	if (gs->not_told)
		buf_printf(out, "%llu messages of groups past the first %u\n",
			   (unsigned long long)gs->not_told, HASH_COUNT(gs->by_id));
}
