/* What groups promise, judged from the wire: inside one generation a partition has one owner. Works
 * on what each member was told (SyncGroup answers), not on what the leader meant. */
#include "checks/types.h"

#include "protocol/codec.h"
#include "protocol/messages.h"

#include <stdio.h>
#include <uthash.h>

#define OWNERS_KEY_MAX	 600
#define FIRST_GENERATION 1

/* A partition of a generation; the key is cluster, "group\0topic\0", generation, partition. */
struct owner {
	struct holder *holder;
	struct str instance; /* null of a dynamic member */
	int64_t time_us;
	struct owner *next; /* of its holder */
	UT_hash_handle hh;
};

/* A member of a group, and what it owns; the key is cluster, "group\0member". */
struct holder {
	struct str member;
	struct owner *owned;
	struct holder *next; /* of its group */
	UT_hash_handle hh;
};

/* The key is cluster, "group". */
struct group_seen {
	struct holder *holders;
	UT_hash_handle hh;
};

struct one_owner {
	struct owner *owners;
	struct holder *holders;
	struct group_seen *groups;
	uint64_t judged, twice;
	struct finding_moment moments[4]; /* of the first two conflicts */
	int32_t moments_count;
	struct str first;
};

static struct str told_text(struct check *c, const struct sync_group_request *request,
			    struct str topic, int32_t partition, struct str member)
{
	return str_of(arena_printf(c->arena,
				   "SyncGroup answer: " STR_FMT "-%d to member " STR_FMT
				   " in generation %d of " STR_FMT,
				   STR_ARG(topic), partition, STR_ARG(member),
				   request->generation_id, STR_ARG(request->group_id)));
}

static void note_conflict(struct check *c, const struct sync_group_request *request,
			  struct str topic, int32_t partition, const struct owner *o,
			  int64_t time_us)
{
	struct one_owner *s = c->state;

	if (!s->twice++)
		s->first =
			str_of(arena_printf(c->arena,
					    STR_FMT "-%d belongs to " STR_FMT " and to " STR_FMT
						    " in generation %d of group " STR_FMT,
					    STR_ARG(topic), partition, STR_ARG(o->holder->member),
					    STR_ARG(request->member_id), request->generation_id,
					    STR_ARG(request->group_id)));
	if (s->moments_count > 2)
		return;
	s->moments[s->moments_count++] = (struct finding_moment){
		.time_us = o->time_us,
		.text = told_text(c, request, topic, partition, o->holder->member)};
	s->moments[s->moments_count++] = (struct finding_moment){
		.time_us = time_us,
		.text = told_text(c, request, topic, partition, request->member_id)};
}

/* A static member comes back under a new member id, into the same generation (KIP-814). */
static bool same_member(const struct owner *o, const struct sync_group_request *request)
{
	return str_eq(o->holder->member, request->member_id) ||
	       (o->instance.data && request->group_instance_id.data &&
		str_eq(o->instance, request->group_instance_id));
}

/* Length of the key in ret_key; 0 if it is too long. member: null for the group's own. */
static unsigned holder_key(uint64_t cluster, struct str group, struct str member,
			   char ret_key[OWNERS_KEY_MAX])
{
	int len = snprintf(ret_key, OWNERS_KEY_MAX, "%llx " STR_FMT "%c" STR_FMT,
			   (unsigned long long)cluster, STR_ARG(group), 0, STR_ARG(member));

	return len < 0 || len >= OWNERS_KEY_MAX ? 0 : (unsigned)len;
}

static struct group_seen *group_of(struct check *c, uint64_t cluster, struct str group, bool add)
{
	struct one_owner *s = c->state;
	char key[OWNERS_KEY_MAX];
	unsigned len = holder_key(cluster, group, (struct str){0}, key);
	struct group_seen *g;

	HASH_FIND(hh, s->groups, key, len, g);
	if (g || !add || !len || !(g = arena_zalloc(c->arena, sizeof(*g))))
		return g;
	HASH_ADD_KEYPTR(hh, s->groups, arena_copy(c->arena, key, len), len, g);
	return g;
}

static struct holder *holder_of(struct check *c, uint64_t cluster, struct str group,
				struct str member, bool add)
{
	struct one_owner *s = c->state;
	char key[OWNERS_KEY_MAX];
	unsigned len = holder_key(cluster, group, member, key);
	struct group_seen *g;
	struct holder *h;

	HASH_FIND(hh, s->holders, key, len, h);
	if (h || !add || !len)
		return h;
	g = group_of(c, cluster, group, true);
	h = g ? arena_zalloc(c->arena, sizeof(*h)) : NULL;
	if (!h)
		return NULL;
	h->member = arena_str(c->arena, member);
	h->next = g->holders;
	g->holders = h;
	HASH_ADD_KEYPTR(hh, s->holders, arena_copy(c->arena, key, len), len, h);
	return h;
}

static void own(struct check *c, uint64_t cluster, const struct sync_group_request *request,
		struct str topic, int32_t partition, int64_t time_us)
{
	struct one_owner *s = c->state;
	char key[OWNERS_KEY_MAX];
	int len = snprintf(key, sizeof(key), "%llx " STR_FMT "%c" STR_FMT "%c%d %d",
			   (unsigned long long)cluster, STR_ARG(request->group_id), 0,
			   STR_ARG(topic), 0, request->generation_id, partition);
	struct holder *h;
	struct owner *o;

	if (len < 0 || len >= (int)sizeof(key))
		return;
	HASH_FIND(hh, s->owners, key, (unsigned)len, o);
	if (!o) {
		h = holder_of(c, cluster, request->group_id, request->member_id, true);
		o = h ? arena_zalloc(c->arena, sizeof(*o)) : NULL;
		if (!o)
			return;
		o->holder = h;
		o->next = h->owned;
		h->owned = o;
		if (request->group_instance_id.data)
			o->instance = arena_str(c->arena, request->group_instance_id);
		o->time_us = time_us;
		HASH_ADD_KEYPTR(hh, s->owners, arena_copy(c->arena, key, (size_t)len),
				(unsigned)len, o);
		s->judged++;
	} else if (!same_member(o, request)) {
		note_conflict(c, request, topic, partition, o, time_us);
	}
}

/* Who has left owns nothing. */
static void owns_nothing(struct one_owner *s, struct holder *h)
{
	for (; h->owned; h->owned = h->owned->next)
		HASH_DELETE(hh, s->owners, h->owned);
}

static void left(struct check *c, const struct exchange *x, struct str group, struct str member)
{
	struct holder *h =
		holder_of(c, history_cluster(c->history, &x->conn), group, member, false);

	if (h)
		owns_nothing(c->state, h);
}

static void feed_left(struct check *c, struct exchange *x)
{
	const struct leave_group_request *q = exchange_request(x);

	if (!q || x->state != EXCHANGE_ANSWERED)
		return;
	left(c, x, q->group_id, q->member_id);
	for (int32_t i = 0; i < q->members_count; i++)
		left(c, x, q->group_id, q->members[i].member_id);
}

/* A group that all have left, or that went in silence, may have been forgotten, and begins again at
 * its first generation: its leader is told so before anybody is given a partition. */
static void feed_joined(struct check *c, struct exchange *x)
{
	const struct join_group_request *q = exchange_request(x);
	const struct join_group_response *r = exchange_response(x);
	struct one_owner *s = c->state;
	struct group_seen *g;

	if (!q || !r || r->error_code || r->generation_id != FIRST_GENERATION ||
	    !str_eq(r->leader, r->member_id))
		return;
	g = group_of(c, history_cluster(c->history, &x->conn), q->group_id, false);
	for (; g && g->holders; g->holders = g->holders->next) {
		owns_nothing(s, g->holders);
		HASH_DELETE(hh, s->holders, g->holders);
	}
}

static void feed_one_owner(struct check *c, const struct event *ev)
{
	const struct sync_group_request *request;
	const struct sync_group_response *response;
	struct consumer_protocol_assignment assignment;
	struct exchange *x = ev->exchange;
	uint64_t cluster;

	if (ev->kind == EVENT_EXCHANGE && x->header.api_key == API_LEAVE_GROUP)
		feed_left(c, x);
	if (ev->kind == EVENT_EXCHANGE && x->header.api_key == API_JOIN_GROUP)
		feed_joined(c, x);
	if (ev->kind != EVENT_EXCHANGE || x->header.api_key != API_SYNC_GROUP)
		return;
	request = exchange_request(x);
	response = exchange_response(x);
	if (!request || !response || response->error_code || response->assignment.len < 2 ||
	    !scope_has(c->scope.group, request->group_id))
		return;
	cluster = history_cluster(c->history, &x->conn);
	if (codec_decode(
		    &consumer_protocol_assignment_schema, 0,
		    (struct bytes){response->assignment.data + 2, response->assignment.len - 2},
		    x->arena, &assignment, NULL) < 0)
		return;
	for (int32_t i = 0; i < assignment.assigned_partitions_count; i++)
		for (int32_t k = 0; k < assignment.assigned_partitions[i].partitions_count; k++)
			own(c, cluster, request, assignment.assigned_partitions[i].topic,
			    assignment.assigned_partitions[i].partitions[k], ev->time_us);
}

static void end_one_owner(struct check *c, struct finding *f)
{
	struct one_owner *s = c->state;

	f->judged = s->judged;
	for (int32_t i = 0; i < s->moments_count; i++)
		finding_moment(f, s->moments[i].time_us, STR_FMT, STR_ARG(s->moments[i].text));
	if (s->twice)
		finding_set(f, FINDING_FAIL,
			    "%llu times a partition was given to a second member; first: " STR_FMT,
			    (unsigned long long)s->twice, STR_ARG(s->first));
	else if (!s->judged)
		finding_set(f, FINDING_NOT_APPLICABLE,
			    "no member of a group was given a partition");
	else
		finding_set(f, FINDING_PASS, "%llu partitions of generations, each with one owner",
			    (unsigned long long)s->judged);
}

static void release_one_owner(struct check *c)
{
	struct one_owner *s = c->state;

	HASH_CLEAR(hh, s->owners);
	HASH_CLEAR(hh, s->holders);
	HASH_CLEAR(hh, s->groups);
}

const struct check_type check_one_owner = {
	.name = "group.one_owner",
	.claim = "in one generation of a group a partition belongs to one member",
	.see = "KIP-62; the leader's assignment",
	.needs = NEEDS_WIRE,
	.capture = true,
	.args = {ARG_GROUP},
	.state_size = sizeof(struct one_owner),
	.feed = feed_one_owner,
	.end = end_one_owner,
	.release = release_one_owner,
};
