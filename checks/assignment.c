/* What leader and members of a group make of partitions: the leader gives each to one member, a
 * cooperative one takes none from who still has it, and a member commits for what is or was its
 * own. Judged from JoinGroup, SyncGroup, heartbeats and OffsetCommit. */
#include "checks/types.h"

#include "checks/tally.h"
#include "protocol/codec.h"
#include "protocol/messages.h"

#include <stdio.h>
#include <uthash.h>

#define KEY_MAX	    700
#define MEMBERS_MAX 4096

enum assignment_rule { ASSIGNS_ALL, HANDS_OVER, OWN_COMMITS, ASSIGNMENT_RULES };

/* A set of partitions. */
struct part {
	struct str topic;
	int32_t partition;
	struct part *next;
};

/* What a member said when it joined, and what it was given. */
struct holder {
	struct str group, id, protocol; /* protocol: that was chosen; of leaders */
	int32_t generation;		/* that it joined */
	struct str *topics;		/* subscribed to */
	int32_t topics_count;
	int32_t owned_since; /* generation of which it says that it owns `owned`; -1 not said */
	struct part *owned, *given, *before; /* before: what it was given the time before */
	UT_hash_handle hh;
};

/* How many partitions a client knows a topic to have. */
struct known_topic {
	int32_t partitions;
	UT_hash_handle hh; /* by client and topic */
};

struct assignments {
	struct holder *holders;
	struct known_topic *topics;
	struct tally rules[ASSIGNMENT_RULES];
};

static struct tally *rule_of(const struct check *c, enum assignment_rule rule)
{
	return &((struct assignments *)c->state)->rules[rule];
}

static struct holder *holder_of(struct check *c, struct str group, struct str id)
{
	struct assignments *s = c->state;
	char key[KEY_MAX];
	int len = snprintf(key, sizeof(key), STR_FMT "%c" STR_FMT, STR_ARG(group), 0, STR_ARG(id));
	struct holder *h;

	if (len < 0 || len >= (int)sizeof(key) || !id.len || !scope_has(c->scope.group, group))
		return NULL;
	HASH_FIND(hh, s->holders, key, (unsigned)len, h);
	if (h || !(h = arena_zalloc(c->arena, sizeof(*h))))
		return h;
	h->group = arena_str(c->arena, group);
	h->id = arena_str(c->arena, id);
	h->owned_since = -1;
	HASH_ADD_KEYPTR(hh, s->holders, arena_copy(c->arena, key, (size_t)len), (unsigned)len, h);
	return h;
}

static bool is_in(const struct part *list, struct str topic, int32_t partition)
{
	while (list && !(list->partition == partition && str_eq(list->topic, topic)))
		list = list->next;
	return list != NULL;
}

/* Whether it has a topic of which only the id is known. */
static bool has_nameless(const struct part *list)
{
	while (list && list->topic.len)
		list = list->next;
	return list != NULL;
}

static void put(struct check *c, struct part **list, struct str topic, int32_t partition)
{
	struct part *p = arena_zalloc(c->arena, sizeof(*p));

	if (!p)
		return;
	*p = (struct part){arena_str(c->arena, topic), partition, *list};
	*list = p;
}

/* ---- what clients know ---- */

static struct known_topic *topic_known(struct check *c, struct str client, struct str topic,
				       bool add)
{
	struct assignments *s = c->state;
	char key[KEY_MAX];
	int len = snprintf(key, sizeof(key), STR_FMT "%c" STR_FMT, STR_ARG(client), 0,
			   STR_ARG(topic));
	struct known_topic *t;

	if (len < 0 || len >= (int)sizeof(key))
		return NULL;
	HASH_FIND(hh, s->topics, key, (unsigned)len, t);
	if (t || !add || !(t = arena_zalloc(c->arena, sizeof(*t))))
		return t;
	HASH_ADD_KEYPTR(hh, s->topics, arena_copy(c->arena, key, (size_t)len), (unsigned)len, t);
	return t;
}

static void feed_metadata(struct check *c, struct exchange *x)
{
	const struct metadata_response *r = exchange_response(x);

	for (int32_t i = 0; r && i < r->topics_count; i++) {
		struct known_topic *t =
			r->topics[i].error_code || !r->topics[i].name.len
				? NULL
				: topic_known(c, x->header.client_id, r->topics[i].name, true);

		if (t)
			t->partitions = r->topics[i].partitions_count;
	}
}

/* ---- joining ---- */

static void take_subscription(struct check *c, struct holder *h, struct exchange *x,
			      struct bytes metadata)
{
	struct consumer_protocol_subscription s;
	int version = metadata.len >= 2 ? metadata.data[0] << 8 | metadata.data[1] : -1;

	h->topics_count = 0;
	h->owned = NULL;
	h->owned_since = -1;
	if (version < 0 ||
	    codec_decode(&consumer_protocol_subscription_schema, version > 3 ? 3 : version,
			 (struct bytes){metadata.data + 2, metadata.len - 2}, x->arena, &s,
			 NULL) < 0)
		return;
	h->topics = arena_zalloc(c->arena, (size_t)(s.topics_count + 1) * sizeof(*h->topics));
	for (int32_t i = 0; h->topics && i < s.topics_count; i++)
		h->topics[h->topics_count++] = arena_str(c->arena, s.topics[i]);
	h->owned_since = version >= 2 ? s.generation_id : -1;
	for (int32_t i = 0; i < s.owned_partitions_count; i++)
		for (int32_t k = 0; k < s.owned_partitions[i].partitions_count; k++)
			put(c, &h->owned, s.owned_partitions[i].topic,
			    s.owned_partitions[i].partitions[k]);
}

/* The leader is told what every member said; that is what it has to go by. */
static void feed_join(struct check *c, struct exchange *x)
{
	const struct join_group_request *q = exchange_request(x);
	const struct join_group_response *r = exchange_response(x);

	if (!q || !r || r->error_code || !str_eq(r->leader, r->member_id) ||
	    !str_is(q->protocol_type, "consumer"))
		return;
	for (int32_t i = 0; i < r->members_count; i++) {
		struct holder *h = holder_of(c, q->group_id, r->members[i].member_id);

		if (!h)
			continue;
		h->generation = r->generation_id;
		h->protocol = arena_str(c->arena, r->protocol_name);
		take_subscription(c, h, x, r->members[i].metadata);
	}
}

/* ---- the leader's assignment ---- */

static bool decode_assignment(struct bytes b, struct exchange *x,
			      struct consumer_protocol_assignment *ret_assignment)
{
	return b.len >= 2 && codec_decode(&consumer_protocol_assignment_schema, 0,
					  (struct bytes){b.data + 2, b.len - 2}, x->arena,
					  ret_assignment, NULL) >= 0;
}

/* Who is given what: parts with the member's index in the request. */
struct dealt {
	struct str topic;
	int32_t partition, member;
	UT_hash_handle hh;
};

static void deal(struct check *c, struct exchange *x, const struct sync_group_request *q,
		 int32_t member, struct dealt **all)
{
	struct consumer_protocol_assignment a;
	char key[KEY_MAX];

	if (!decode_assignment(q->assignments[member].assignment, x, &a))
		return;
	for (int32_t i = 0; i < a.assigned_partitions_count; i++)
		for (int32_t k = 0; k < a.assigned_partitions[i].partitions_count; k++) {
			struct str topic = a.assigned_partitions[i].topic;
			int32_t partition = a.assigned_partitions[i].partitions[k];
			int len = snprintf(key, sizeof(key), STR_FMT "/%d", STR_ARG(topic),
					   partition);
			struct dealt *d;

			if (len < 0 || len >= (int)sizeof(key))
				continue;
			HASH_FIND(hh, *all, key, (unsigned)len, d);
			tally(rule_of(c, ASSIGNS_ALL), c, d && d->member != member, x->request_us,
			      "the leader gives " STR_FMT "-%d to two members in generation %d",
			      STR_ARG(topic), partition, q->generation_id);
			if (d || !(d = arena_zalloc(x->arena, sizeof(*d))))
				continue;
			*d = (struct dealt){
				.topic = topic, .partition = partition, .member = member};
			HASH_ADD_KEYPTR(hh, *all, arena_copy(x->arena, key, (size_t)len),
					(unsigned)len, d);
		}
}

/* A member of that generation that says it owns the partition, and no older generation's owner
 * does; NULL if none or more than one says so. */
static const struct holder *owner_in(struct check *c, const struct sync_group_request *q,
				     struct str topic, int32_t partition)
{
	const struct assignments *s = c->state;
	const struct holder *found = NULL;
	int32_t since = -1;
	bool twice = false;

	for (const struct holder *h = s->holders; h; h = h->hh.next) {
		if (h->generation != q->generation_id || !str_eq(h->group, q->group_id) ||
		    !is_in(h->owned, topic, partition))
			continue;
		if (found && h->owned_since < since)
			continue;
		twice = found && h->owned_since == since;
		since = h->owned_since;
		found = h;
	}
	return twice ? NULL : found;
}

/* Whether any member of that generation says it owns the partition, rightly or not. */
static bool is_claimed(struct check *c, const struct sync_group_request *q, struct str topic,
		       int32_t partition)
{
	const struct assignments *s = c->state;
	const struct holder *h = s->holders;

	while (h && !(h->generation == q->generation_id && str_eq(h->group, q->group_id) &&
		      is_in(h->owned, topic, partition)))
		h = h->hh.next;
	return h != NULL;
}

static void judge_left_out(struct check *c, struct exchange *x, const struct sync_group_request *q,
			   struct str topic, struct dealt *all)
{
	const struct known_topic *t = topic_known(c, x->header.client_id, topic, false);
	char key[KEY_MAX];

	for (int32_t i = 0; t && i < t->partitions; i++) {
		int len = snprintf(key, sizeof(key), STR_FMT "/%d", STR_ARG(topic), i);
		struct dealt *d = NULL;

		if (len > 0 && len < (int)sizeof(key))
			HASH_FIND(hh, all, key, (unsigned)len, d);
		/* A cooperative leader leaves out what its owner has to give back first, and what
		 * several say they own. */
		tally(rule_of(c, ASSIGNS_ALL), c, !d && !is_claimed(c, q, topic, i), x->request_us,
		      "the leader gives " STR_FMT "-%d to nobody in generation %d", STR_ARG(topic),
		      i, q->generation_id);
	}
}

static bool is_cooperative(struct str protocol)
{
	return protocol.len &&
	       memmem(protocol.data, (size_t)protocol.len, "cooperative", strlen("cooperative"));
}

static void judge_hand_over(struct check *c, const struct exchange *x,
			    const struct sync_group_request *q, struct dealt *all)
{
	for (struct dealt *d = all; d; d = d->hh.next) {
		const struct holder *owner = owner_in(c, q, d->topic, d->partition);

		if (!owner)
			continue;
		tally(rule_of(c, HANDS_OVER), c,
		      !str_eq(owner->id, q->assignments[d->member].member_id), x->request_us,
		      "the leader gives " STR_FMT "-%d to " STR_FMT
		      " in generation %d while " STR_FMT " still owns it",
		      STR_ARG(d->topic), d->partition, STR_ARG(q->assignments[d->member].member_id),
		      q->generation_id, STR_ARG(owner->id));
	}
}

/* Every topic that somebody of this generation subscribes to, once. */
static void judge_topics(struct check *c, struct exchange *x, const struct sync_group_request *q,
			 struct dealt *all)
{
	const struct assignments *s = c->state;
	struct part *done = NULL;

	for (const struct holder *h = s->holders; h; h = h->hh.next)
		for (int32_t i = 0; h->generation == q->generation_id &&
				    str_eq(h->group, q->group_id) && i < h->topics_count;
		     i++) {
			if (is_in(done, h->topics[i], 0))
				continue;
			put(c, &done, h->topics[i], 0);
			judge_left_out(c, x, q, h->topics[i], all);
		}
}

static void feed_dealt(struct check *c, struct exchange *x, const struct sync_group_request *q)
{
	const struct holder *leader = holder_of(c, q->group_id, q->member_id);
	struct dealt *all = NULL;

	if (!leader || leader->generation != q->generation_id)
		return; /* nobody saw it become the leader, or it is no group of consumers */
	for (int32_t i = 0; i < q->assignments_count && i < MEMBERS_MAX; i++)
		deal(c, x, q, i, &all);
	judge_topics(c, x, q, all);
	if (is_cooperative(leader->protocol))
		judge_hand_over(c, x, q, all);
	HASH_CLEAR(hh, all);
}

/* ---- members and their commits ---- */

static void feed_sync(struct check *c, struct exchange *x)
{
	const struct sync_group_request *q = exchange_request(x);
	const struct sync_group_response *r = exchange_response(x);
	struct consumer_protocol_assignment a;
	struct holder *h;

	if (!q || !scope_has(c->scope.group, q->group_id))
		return;
	if (q->assignments_count && r && !r->error_code)
		feed_dealt(c, x, q);
	if (!r || r->error_code || !(h = holder_of(c, q->group_id, q->member_id)))
		return;
	h->before = h->given;
	h->given = NULL;
	if (!decode_assignment(r->assignment, x, &a))
		return;
	for (int32_t i = 0; i < a.assigned_partitions_count; i++)
		for (int32_t k = 0; k < a.assigned_partitions[i].partitions_count; k++)
			put(c, &h->given, a.assigned_partitions[i].topic,
			    a.assigned_partitions[i].partitions[k]);
}

static void feed_heartbeat848(struct check *c, struct exchange *x)
{
	const struct consumer_group_heartbeat_request *q = exchange_request(x);
	const struct consumer_group_heartbeat_response *r = exchange_response(x);
	struct holder *h;

	if (!q || !r || r->error_code || !r->assignment ||
	    !(h = holder_of(c, q->group_id, r->member_id.len ? r->member_id : q->member_id)))
		return;
	h->before = h->given;
	h->given = NULL;
	for (int32_t i = 0; i < r->assignment->topic_partitions_count; i++)
		for (int32_t k = 0; k < r->assignment->topic_partitions[i].partitions_count; k++)
			put(c, &h->given,
			    history_topic(c->history, (struct str){0},
					  r->assignment->topic_partitions[i].topic_id),
			    r->assignment->topic_partitions[i].partitions[k]);
}

static void feed_commit(struct check *c, struct exchange *x)
{
	const struct offset_commit_request *q = exchange_request(x);
	struct holder *h = q && q->generation_id_or_member_epoch >= 0
				   ? holder_of(c, q->group_id, q->member_id)
				   : NULL;

	if (!h || (!h->given && !h->before) || has_nameless(h->given) || has_nameless(h->before))
		return;
	for (int32_t i = 0; i < q->topics_count; i++) {
		struct str topic =
			history_topic(c->history, q->topics[i].name, q->topics[i].topic_id);

		for (int32_t k = 0; topic.len && k < q->topics[i].partitions_count; k++) {
			int32_t partition = q->topics[i].partitions[k].partition_index;

			tally(rule_of(c, OWN_COMMITS), c,
			      !is_in(h->given, topic, partition) &&
				      !is_in(h->before, topic, partition),
			      x->request_us,
			      "member " STR_FMT " commits for " STR_FMT
			      "-%d in generation %d, which it was not given (connection %lld "
			      "correlation %d)",
			      STR_ARG(h->id), STR_ARG(topic), partition,
			      q->generation_id_or_member_epoch, (long long)x->conn.conn,
			      x->header.correlation_id);
		}
	}
}

static void feed_assignments(struct check *c, const struct event *ev)
{
	struct exchange *x = ev->exchange;

	if (ev->kind != EVENT_EXCHANGE || x->state == EXCHANGE_ORPHAN)
		return;
	switch (x->header.api_key) {
	case API_METADATA:
		feed_metadata(c, x);
		break;
	case API_JOIN_GROUP:
		feed_join(c, x);
		break;
	case API_SYNC_GROUP:
		feed_sync(c, x);
		break;
	case API_CONSUMER_GROUP_HEARTBEAT:
		feed_heartbeat848(c, x);
		break;
	case API_OFFSET_COMMIT:
		feed_commit(c, x);
		break;
	default:
		break;
	}
}

static void release_assignments(struct check *c)
{
	struct assignments *s = c->state;

	HASH_CLEAR(hh, s->holders);
	HASH_CLEAR(hh, s->topics);
}

static void end_assigns_all(struct check *c, struct finding *f)
{
	tally_end(rule_of(c, ASSIGNS_ALL), c, f, "partitions of generations, each given once",
		  "no leader gave partitions");
}

const struct check_type check_assigns_all = {
	.name = "group.assigns_each_once",
	.claim = "a leader gives every partition of the topics that are subscribed to to one "
		 "member",
	.see = "the group protocol; KAFKA-12984",
	.needs = NEEDS_WIRE,
	.args = {ARG_GROUP},
	.state_size = sizeof(struct assignments),
	.feed = feed_assignments,
	.end = end_assigns_all,
	.release = release_assignments,
};

static void end_hands_over(struct check *c, struct finding *f)
{
	tally_end(rule_of(c, HANDS_OVER), c, f, "partitions with an owner, left to it",
		  "nobody joined a cooperative group and owned something");
}

const struct check_type check_hands_over = {
	.name = "group.gives_what_is_free",
	.claim = "a cooperative leader gives a partition to another member only after its owner "
		 "has given it back",
	.see = "KIP-429",
	.needs = NEEDS_WIRE,
	.args = {ARG_GROUP},
	.state_size = sizeof(struct assignments),
	.feed = feed_assignments,
	.end = end_hands_over,
	.release = release_assignments,
};

static void end_own_commits(struct check *c, struct finding *f)
{
	tally_end(rule_of(c, OWN_COMMITS), c, f, "commits, each for what was given",
		  "no member of a group committed");
}

const struct check_type check_own_commits = {
	.name = "group.commits_its_own",
	.claim = "a member commits for partitions that it was given, this time or the time before",
	.see = "KIP-62, KIP-429, KIP-848",
	.needs = NEEDS_WIRE,
	.args = {ARG_GROUP},
	.state_size = sizeof(struct assignments),
	.feed = feed_assignments,
	.end = end_own_commits,
	.release = release_assignments,
};
