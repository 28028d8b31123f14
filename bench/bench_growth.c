/* What growth costs: brokers and partitions (start, a full Metadata answer), and groups of both
 * kinds with many members who join and lose one. On the pure cluster in virtual time, so that what
 * is measured is work and not waiting; each row names its cost for one more. */
#include "base/clock.h"
#include "mock/cluster.h"
#include "protocol/messages.h"

#include <stdio.h>
#include <stdlib.h>

#define MEMBERS_MAX 2000

struct asker {
	struct call call;
	struct arena arena;
	struct shared *frame;
	enum call_result result;
	char member[64];
};

static struct cluster *cluster;
static struct instant now;
static struct asker askers[MEMBERS_MAX];
static const struct plan nothing;

static int64_t real_us(void)
{
	return clock_now().mono_us;
}

static void start(int32_t brokers)
{
	struct cluster_config config = {
		.brokers = brokers, .seed = 1, .default_partitions = 1, .auto_create = true};

	now = clock_now();
	cluster = cluster_new(&config, now);
	for (int32_t i = 1; i <= brokers; i++) {
		struct broker_address a = {.node_id = i, .host = "127.0.0.1", .port = 9092};

		cluster_set_address(cluster, &a);
	}
}

/* One request, from bytes as the service would have them. */
static void ask(struct asker *a, int api, int version, const void *body)
{
	struct gather g;
	struct buf flat;
	struct error e = ERROR_INIT;
	struct bytes frame;
	void *decoded = NULL;

	call_release(&a->call);
	shared_unref(a->frame);
	arena_reset(&a->arena);
	gather_init(&g, 1 << 20);
	buf_init(&flat, 1 << 20);
	if (frame_write_request(&g, api, version, 1, str_of("bench"), body, &e))
		abort();
	gather_flatten(&g, &flat);
	a->frame = shared_new(flat.len - 4);
	memcpy(a->frame->data, flat.data + 4, flat.len - 4);
	gather_release(&g);
	buf_release(&flat);
	a->call = (struct call){.broker = 1, .conn = a - askers + 1, .plan = &nothing};
	a->call.arena = &a->arena;
	a->call.frame = a->frame;
	frame = (struct bytes){a->frame->data, (int32_t)a->frame->size};
	frame_read_request(frame, &a->call.header, NULL);
	if (frame_decode(api, version, MESSAGE_REQUEST,
			 (struct bytes){frame.data + a->call.header.body,
					frame.len - a->call.header.body},
			 &a->arena, &decoded, &e) < 0)
		abort();
	a->call.request = decoded;
	a->result = cluster_call(cluster, &a->call, now);
}

/* Works what is ready until nothing is. */
static void drain(void)
{
	struct call *call;

	cluster_tick(cluster, now);
	while ((call = cluster_ready(cluster))) {
		struct asker *a = (struct asker *)call;

		a->result = cluster_call(cluster, call, now);
	}
}

static void finish(int32_t members)
{
	for (int32_t i = 0; i < members; i++) {
		cluster_cancel(cluster, &askers[i].call);
		call_release(&askers[i].call);
		shared_unref(askers[i].frame);
		arena_release(&askers[i].arena);
		askers[i] = (struct asker){0};
	}
	cluster_free(cluster);
}

/* ---- a classic group ---- */

static void join(struct asker *a)
{
	static struct join_group_request_protocols range = {
		.name = {"range", 5}, .metadata = {(const uint8_t *)"topics", 6}};
	struct join_group_request q = DEFAULTS_join_group_request;

	q.group_id = str_of("g");
	q.member_id = str_of(a->member);
	q.session_timeout_ms = 30000;
	q.rebalance_timeout_ms = 30000;
	q.protocol_type = str_of("consumer");
	q.protocols = &range;
	q.protocols_count = 1;
	ask(a, API_JOIN_GROUP, 3, &q);
}

/* Everybody syncs; whoever leads brings an assignment for all. */
static void sync_all(int32_t members)
{
	static struct sync_group_request_assignments all[MEMBERS_MAX];

	for (int32_t i = 0; i < members; i++)
		all[i] = (struct sync_group_request_assignments){
			.member_id = str_of(askers[i].member),
			.assignment = {(const uint8_t *)"mine", 4}};
	for (int32_t i = 0; i < members; i++) {
		const struct join_group_response *r = askers[i].call.response;
		struct sync_group_request q = DEFAULTS_sync_group_request;

		if (askers[i].result != CALL_ANSWER || r->error_code)
			abort();
		q.group_id = str_of("g");
		q.generation_id = r->generation_id;
		q.member_id = str_of(askers[i].member);
		if (str_eq(r->leader, r->member_id)) {
			q.assignments = all;
			q.assignments_count = members;
		}
		ask(&askers[i], API_SYNC_GROUP, 2, &q);
	}
	drain();
}

static void note_member(struct asker *a)
{
	const struct join_group_response *r = a->call.response;

	snprintf(a->member, sizeof(a->member), STR_FMT, STR_ARG(r->member_id));
}

static double classic(int32_t members, double *ret_leave)
{
	struct leave_group_request leave = DEFAULTS_leave_group_request;
	int64_t begin;
	double joined;

	start(1);
	for (int32_t i = 0; i < members; i++)
		arena_init(&askers[i].arena, ARENA_EXCHANGE_MAX);
	begin = real_us();
	join(&askers[0]);
	note_member(&askers[0]);
	sync_all(1);
	for (int32_t i = 1; i < members; i++)
		join(&askers[i]);
	join(&askers[0]);
	drain();
	for (int32_t i = 1; i < members; i++)
		note_member(&askers[i]);
	sync_all(members);
	joined = (double)(real_us() - begin);
	begin = real_us();
	leave.group_id = str_of("g");
	leave.member_id = str_of(askers[members - 1].member);
	ask(&askers[members - 1], API_LEAVE_GROUP, 1, &leave);
	for (int32_t i = 0; i < members - 1; i++)
		join(&askers[i]);
	drain();
	sync_all(members - 1);
	*ret_leave = (double)(real_us() - begin);
	finish(members);
	return joined;
}

/* ---- a KIP-848 group ---- */

/* One beat; true if the member was told of something new. */
static bool beat(struct asker *a, int32_t *epoch, bool joining)
{
	static struct str topic = {"t", 1};
	struct consumer_group_heartbeat_request q = DEFAULTS_consumer_group_heartbeat_request;
	const struct consumer_group_heartbeat_response *r = a->call.response;
	struct consumer_group_heartbeat_request_topic_partitions owned = {0};
	bool told = !joining && r && r->assignment;

	q.group_id = str_of("g");
	q.member_id = str_of(a->member);
	q.member_epoch = joining ? 0 : *epoch;
	if (joining) {
		q.rebalance_timeout_ms = 30000;
		q.subscribed_topic_names = &topic;
		q.subscribed_topic_names_count = 1;
		q.topic_partitions_count = 0;
		q.topic_partitions = &owned;
	} else if (told) {
		q.topic_partitions = &owned;
		q.topic_partitions_count = r->assignment->topic_partitions_count ? 1 : 0;
		if (q.topic_partitions_count) {
			owned.topic_id = r->assignment->topic_partitions[0].topic_id;
			owned.partitions =
				malloc(sizeof(int32_t) *
				       (size_t)r->assignment->topic_partitions[0].partitions_count);
			owned.partitions_count =
				r->assignment->topic_partitions[0].partitions_count;
			if (!owned.partitions)
				abort();
			memcpy(owned.partitions, r->assignment->topic_partitions[0].partitions,
			       sizeof(int32_t) * (size_t)owned.partitions_count);
		}
	}
	ask(a, API_CONSUMER_GROUP_HEARTBEAT, 0, &q);
	free(owned.partitions);
	r = a->call.response;
	if (a->result != CALL_ANSWER || r->error_code)
		abort();
	told = r->assignment || r->member_epoch != *epoch;
	*epoch = r->member_epoch;
	snprintf(a->member, sizeof(a->member), STR_FMT, STR_ARG(r->member_id));
	return told;
}

/* Everybody beats, a second apart, until nobody is told anything new. */
static void settle(int32_t *epochs, int32_t members)
{
	bool told = true;

	for (int rounds = 0; told && rounds < 100; rounds++) {
		told = false;
		now = instant_add_us(now, 1000000);
		for (int32_t i = 0; i < members; i++)
			told |= beat(&askers[i], &epochs[i], false);
	}
	if (told)
		abort();
}

static double modern(int32_t members, double *ret_leave)
{
	static int32_t epochs[MEMBERS_MAX];
	struct consumer_group_heartbeat_request q = DEFAULTS_consumer_group_heartbeat_request;
	int64_t begin;
	double joined;

	start(1);
	cluster_create_topic(cluster, str_of("t"), members, 1, 1, now, NULL);
	for (int32_t i = 0; i < members; i++)
		arena_init(&askers[i].arena, ARENA_EXCHANGE_MAX);
	begin = real_us();
	for (int32_t i = 0; i < members; i++)
		beat(&askers[i], &epochs[i], true);
	settle(epochs, members);
	joined = (double)(real_us() - begin);
	begin = real_us();
	q.group_id = str_of("g");
	q.member_id = str_of(askers[members - 1].member);
	q.member_epoch = -1;
	ask(&askers[members - 1], API_CONSUMER_GROUP_HEARTBEAT, 0, &q);
	settle(epochs, members - 1);
	*ret_leave = (double)(real_us() - begin);
	finish(members);
	return joined;
}

/* ---- brokers and partitions ---- */

static void metadata(int32_t brokers, int32_t partitions)
{
	struct metadata_request q = DEFAULTS_metadata_request;
	int64_t begin = real_us(), made, answered;
	char name[32];

	start(brokers);
	for (int32_t i = 0; i < partitions / 100; i++) {
		snprintf(name, sizeof(name), "topic-%d", i);
		cluster_create_topic(cluster, str_of(name), 100, (int16_t)(brokers < 3 ? 1 : 3), -1,
				     now, NULL);
	}
	made = real_us();
	arena_init(&askers[0].arena, ARENA_EXCHANGE_MAX);
	q.topics_count = -1;
	ask(&askers[0], API_METADATA, 9, &q);
	answered = real_us();
	printf("  %3d brokers, %6d partitions: made in %7.1f ms (%.2f us each), Metadata %6.1f ms "
	       "(%.2f us each)\n",
	       brokers, partitions, (double)(made - begin) / 1e3,
	       (double)(made - begin) / partitions, (double)(answered - made) / 1e3,
	       (double)(answered - made) / partitions);
	finish(1);
}

static void group_row(const char *kind, double (*run)(int32_t members, double *ret_leave),
		      int32_t members)
{
	double leave, joined = run(members, &leave);

	printf("  %s group, %4d members: joined in %7.1f ms (%.1f us each), one lost %7.1f ms "
	       "(%.1f us each)\n",
	       kind, members, joined / 1e3, joined / members, leave / 1e3, leave / members);
}

int main(void)
{
	static const int32_t sizes[] = {250, 500, 1000, 2000};

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("growth (virtual time, processor only):\n");
	metadata(1, 1000);
	metadata(10, 10000);
	metadata(100, 100000);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		group_row("classic", classic, sizes[i]);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		group_row("KIP-848", modern, sizes[i]);
	return 0;
}
