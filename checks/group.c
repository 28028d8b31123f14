/* What groups promise, judged from the wire: inside one generation a partition has one owner. Works
 * on what each member was told (SyncGroup answers), not on what the leader meant. */
#include "checks/types.h"

#include "protocol/codec.h"
#include "protocol/messages.h"

#include <stdio.h>
#include <uthash.h>

#define OWNERS_KEY_MAX	 600
#define FIRST_GENERATION 1

/* Who owns a partition in a generation; the key is cluster, "group\0topic\0", generation,
 * partition.
 */
struct owner {
	uint64_t cluster;
	struct str group, member, instance; /* instance: null of a dynamic member */
	int64_t time_us;
	UT_hash_handle hh;
};

struct one_owner {
	struct owner *owners;
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
		s->first = str_of(arena_printf(c->arena,
					       STR_FMT "-%d belongs to " STR_FMT " and to " STR_FMT
						       " in generation %d of group " STR_FMT,
					       STR_ARG(topic), partition, STR_ARG(o->member),
					       STR_ARG(request->member_id), request->generation_id,
					       STR_ARG(request->group_id)));
	if (s->moments_count > 2)
		return;
	s->moments[s->moments_count++] = (struct finding_moment){
		.time_us = o->time_us, .text = told_text(c, request, topic, partition, o->member)};
	s->moments[s->moments_count++] = (struct finding_moment){
		.time_us = time_us,
		.text = told_text(c, request, topic, partition, request->member_id)};
}

/* A static member comes back under a new member id, into the same generation (KIP-814). */
static bool same_member(const struct owner *o, const struct sync_group_request *request)
{
	return str_eq(o->member, request->member_id) ||
	       (o->instance.data && request->group_instance_id.data &&
		str_eq(o->instance, request->group_instance_id));
}

static void own(struct check *c, uint64_t cluster, const struct sync_group_request *request,
		struct str topic, int32_t partition, int64_t time_us)
{
	struct one_owner *s = c->state;
	char key[OWNERS_KEY_MAX];
	int len = snprintf(key, sizeof(key), "%llx " STR_FMT "%c" STR_FMT "%c%d %d",
			   (unsigned long long)cluster, STR_ARG(request->group_id), 0,
			   STR_ARG(topic), 0, request->generation_id, partition);
	struct owner *o;

	if (len < 0 || len >= (int)sizeof(key))
		return;
	HASH_FIND(hh, s->owners, key, (unsigned)len, o);
	if (!o) {
		o = arena_zalloc(c->arena, sizeof(*o));
		if (!o)
			return;
		o->cluster = cluster;
		o->group = arena_str(c->arena, request->group_id);
		o->member = arena_str(c->arena, request->member_id);
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
static void left(struct check *c, struct str group, struct str member)
{
	struct one_owner *s = c->state;
	struct owner *o, *next;

	HASH_ITER (hh, s->owners, o, next)
		if (str_eq(o->group, group) && str_eq(o->member, member))
			HASH_DELETE(hh, s->owners, o);
}

static void feed_left(struct check *c, struct exchange *x)
{
	const struct leave_group_request *q = exchange_request(x);

	if (!q || x->state != EXCHANGE_ANSWERED)
		return;
	left(c, q->group_id, q->member_id);
	for (int32_t i = 0; i < q->members_count; i++)
		left(c, q->group_id, q->members[i].member_id);
}

/* A group that all have left, or that went in silence, may have been forgotten, and begins again at
 * its first generation: its leader is told so before anybody is given a partition. */
static void feed_joined(struct check *c, struct exchange *x)
{
	const struct join_group_request *q = exchange_request(x);
	const struct join_group_response *r = exchange_response(x);
	uint64_t cluster = history_cluster(c->history, &x->conn);
	struct one_owner *s = c->state;
	struct owner *o, *next;

	if (!q || !r || r->error_code || r->generation_id != FIRST_GENERATION ||
	    !str_eq(r->leader, r->member_id))
		return;
	HASH_ITER (hh, s->owners, o, next)
		if (o->cluster == cluster && str_eq(o->group, q->group_id))
			HASH_DELETE(hh, s->owners, o);
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
