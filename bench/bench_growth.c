/* What growth costs: brokers and partitions (start, a full Metadata answer), groups of both kinds
 * with many members who join and lose one, and rules that a request meets. On the pure cluster in
 * virtual time and in processor time, so that what is measured is work and not waiting, with a sink
 * of its events as `serve` has. Each row names its cost for one more; the goals say that it does
 * not grow with the size. */
#include "base/clock.h"
#include "bench/goal.h"
#include "mock/cluster.h"
#include "protocol/messages.h"

#include "rules/rule.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define MEMBERS_MAX 2000
#define ROUNDS	    5 /* the best one counts: so the rest of the machine shows less */
#define LINEAR                                                                             \
	3.0 /* one more costs at most so many times what it did among 8 or 10 times fewer: \
		    caches miss more, but no work is done again for all */

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
static uint64_t bytes_told; /* of what happened */

static void on_event(void *ctx, const struct event *ev)
{
	(void)ctx;
	bytes_told += (uint64_t)ev->cluster.detail.len;
}

static struct event_sink sink = {.on_event = on_event};
static struct event_bus bus;

/* Processor time of this process. */
static int64_t cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * INT64_C(1000000) + u.ru_utime.tv_usec +
	       u.ru_stime.tv_usec;
}

static void start(int32_t brokers)
{
	struct cluster_config config = {.brokers = brokers,
					.seed = 1,
					.default_partitions = 1,
					.auto_create = true,
					.bus = &bus};

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
	begin = cpu_us();
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
	joined = (double)(cpu_us() - begin);
	begin = cpu_us();
	leave.group_id = str_of("g");
	leave.member_id = str_of(askers[members - 1].member);
	ask(&askers[members - 1], API_LEAVE_GROUP, 1, &leave);
	for (int32_t i = 0; i < members - 1; i++)
		join(&askers[i]);
	drain();
	sync_all(members - 1);
	*ret_leave = (double)(cpu_us() - begin);
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
	begin = cpu_us();
	for (int32_t i = 0; i < members; i++)
		beat(&askers[i], &epochs[i], true);
	settle(epochs, members);
	joined = (double)(cpu_us() - begin);
	begin = cpu_us();
	q.group_id = str_of("g");
	q.member_id = str_of(askers[members - 1].member);
	q.member_epoch = -1;
	ask(&askers[members - 1], API_CONSUMER_GROUP_HEARTBEAT, 0, &q);
	settle(epochs, members - 1);
	*ret_leave = (double)(cpu_us() - begin);
	finish(members);
	return joined;
}

/* ---- brokers and partitions ---- */

static double partitions(int32_t count, double *ret_answer)
{
	int32_t brokers = count / 1000;
	struct metadata_request q = DEFAULTS_metadata_request;
	int64_t begin = cpu_us(), made, answered;
	char name[32];

	start(brokers);
	for (int32_t i = 0; i < count / 100; i++) {
		snprintf(name, sizeof(name), "topic-%d", i);
		cluster_create_topic(cluster, str_of(name), 100, (int16_t)(brokers < 3 ? 1 : 3), -1,
				     now, NULL);
	}
	made = cpu_us();
	arena_init(&askers[0].arena, ARENA_EXCHANGE_MAX);
	q.topics_count = -1;
	ask(&askers[0], API_METADATA, 9, &q);
	answered = cpu_us();
	finish(1);
	*ret_answer = (double)(answered - made);
	return (double)(made - begin);
}

/* ---- rules ---- */

/* A Produce among rules of which none is for its topic, decided on as the service does it. */
static double rules(int32_t count, double *ret_nothing)
{
	struct rules *rs = rules_new(1);
	struct facts facts;
	struct plan plan;
	struct produce_request_topic_data_partition_data partition =
		DEFAULTS_produce_request_topic_data_partition_data;
	struct produce_request_topic_data topic = DEFAULTS_produce_request_topic_data;
	struct produce_request q = DEFAULTS_produce_request;
	int64_t begin;

	start(1);
	for (int32_t i = 0; i < count; i++)
		if (!rules_add(rs, str_of(NULL),
			       str_of("Produce topic=other partition=7 nth=1000000 -> close"),
			       NULL))
			abort();
	arena_init(&askers[0].arena, ARENA_EXCHANGE_MAX);
	topic.name = str_of("t");
	topic.partition_data = &partition;
	topic.partition_data_count = 1;
	q.topic_data = &topic;
	q.topic_data_count = 1;
	ask(&askers[0], API_PRODUCE, 9, &q);
	begin = cpu_us();
	for (int32_t i = 0; i < 20000; i++) {
		struct arena arena;

		arena_init(&arena, ARENA_EXCHANGE_MAX);
		askers[0].call.arena = &arena;
		cluster_facts(cluster, &askers[0].call, &facts);
		rules_decide(rs, &facts, &arena, &plan);
		plan_release(&plan);
		arena_release(&arena);
	}
	begin = cpu_us() - begin;
	*ret_nothing = 0;
	askers[0].call.arena = &askers[0].arena;
	rules_free(rs);
	finish(1);
	return (double)begin / 20000;
}

/* ---- rows ---- */

/* What is measured of a size, in us: two works that follow each other. */
struct row {
	int32_t size;
	double first, second;
};

static void measure(struct row *r, double (*run)(int32_t size, double *ret_second))
{
	for (int i = 0; i < ROUNDS; i++) {
		double second, first = run(r->size, &second);

		if (!i || first < r->first)
			r->first = first;
		if (!i || second < r->second)
			r->second = second;
	}
}

static double each(double us, const struct row *r)
{
	return us / r->size;
}

/* Of n rows the last is the largest; one more there is compared with one more in the row at
 * `from`. */
static void table(const char *what, const char *first, const char *second,
		  double (*run)(int32_t size, double *ret_second), struct row *rows, size_t n,
		  size_t from)
{
	const struct row *few = &rows[from], *many = &rows[n - 1];

	for (size_t i = 0; i < n; i++) {
		measure(&rows[i], run);
		printf("  %6d %s: %s %8.2f ms (%.2f us each), %s %8.2f ms (%.2f us each)\n",
		       rows[i].size, what, first, rows[i].first / 1e3,
		       each(rows[i].first, &rows[i]), second, rows[i].second / 1e3,
		       each(rows[i].second, &rows[i]));
	}
	goal_line(GOAL_AT_MOST, LINEAR, each(many->first, many) / each(few->first, few), "times",
		  "growth: one of %d %s, %s, beside one of %d", many->size, what, first, few->size);
	goal_line(GOAL_AT_MOST, LINEAR, each(many->second, many) / each(few->second, few), "times",
		  "growth: one of %d %s, %s, beside one of %d", many->size, what, second,
		  few->size);
}

static void rules_table(void)
{
	struct row rows[] = {{0}, {.size = 1}, {.size = 10}, {.size = 100}, {.size = 1000}};
	size_t n = sizeof(rows) / sizeof(rows[0]);

	for (size_t i = 0; i < n; i++) {
		measure(&rows[i], rules);
		printf("  %6d rules that a Produce does not meet: decided in %.2f us\n",
		       rows[i].size, rows[i].first);
	}
	goal_line(GOAL_AT_MOST, LINEAR,
		  (rows[4].first - rows[3].first) / 900 / ((rows[3].first - rows[0].first) / 100),
		  "times", "growth: one of 1000 rules beside one of 100");
}

int main(void)
{
	struct row sizes[] = {{.size = 1000}, {.size = 10000}, {.size = 100000}};
	struct row groups[] = {{.size = 250}, {.size = 500}, {.size = 1000}, {.size = 2000}};

	setvbuf(stdout, NULL, _IOLBF, 0);
	event_bus_add(&bus, &sink);
	sink.kinds = event_bit(EVENT_CLUSTER);
	printf("growth (virtual time, processor time, the best of %d):\n", ROUNDS);
	table("partitions on a broker for each 1000", "made", "full Metadata", partitions, sizes, 3,
	      1);
	table("members of a classic group", "joined", "one lost", classic, groups, 4, 0);
	table("members of a KIP-848 group", "joined", "one lost", modern, groups, 4, 0);
	rules_table();
	return goals_missed();
}
