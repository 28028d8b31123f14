/* What size costs: partitions, members of a classic and of a KIP-848 group, each at a tenth and at
 * the full size, in the cluster alone (no socket, virtual time). The last column is how much dearer
 * the ten times larger one is; 10 is linear. */
#include "base/clock.h"
#include "mock/cluster.h"
#include "protocol/messages.h"

#include <stdio.h>
#include <stdlib.h>

#define BROKERS		 100
#define PARTITIONS	 100000
#define MEMBERS		 2000
#define TOPIC_PARTITIONS 1000

struct world {
	struct cluster *c;
	struct instant now;
	struct plan plan;
};

/* One request that may wait; its memory is its own. */
struct ask {
	struct call call;
	struct arena arena;
	enum call_result result;
};

static void world_init(struct world *w, int32_t brokers)
{
	struct cluster_config config = {.brokers = brokers, .seed = 1, .memory_max = 1 << 30};

	*w = (struct world){.now = {1000000, 1700000000000000}};
	w->c = cluster_new(&config, w->now);
}

/* Works the calls that became ready. */
static void drain(struct world *w)
{
	struct call *call;

	cluster_tick(w->c, w->now);
	while ((call = cluster_ready(w->c)))
		((struct ask *)call)->result = cluster_call(w->c, call, w->now);
}

static struct ask *send_request(struct world *w, int api, int version, const void *body)
{
	struct ask *a = calloc(1, sizeof(*a));

	if (!a)
		abort();
	arena_init(&a->arena, (size_t)1 << 30);
	a->call = (struct call){.broker = 1,
				.conn = 1,
				.header = {.api_key = (int16_t)api,
					   .api_version = (int16_t)version,
					   .client_id = {"bench", 5}},
				.request = body,
				.arena = &a->arena,
				.plan = &w->plan};
	a->result = cluster_call(w->c, &a->call, w->now);
	drain(w);
	return a;
}

static void done(struct world *w, struct ask *a)
{
	if (a->result == CALL_WAIT)
		cluster_cancel(w->c, &a->call);
	call_release(&a->call);
	arena_release(&a->arena);
	free(a);
}

static int64_t elapsed_us(int64_t since)
{
	return clock_now().mono_us - since;
}

static void make_topic(struct world *w, const char *name, int32_t partitions, int16_t replication)
{
	struct error e = ERROR_INIT;

	if (cluster_create_topic(w->c, str_of(name), partitions, replication, -1, w->now, &e)) {
		fprintf(stderr, "%s\n", e.text);
		exit(1);
	}
}

/* Start with all partitions, then one full Metadata answer. */
static void partitions(int32_t count, int64_t ret_us[2])
{
	struct metadata_request q = DEFAULTS_metadata_request;
	int64_t start = clock_now().mono_us;
	struct world w;
	struct ask *a;
	char name[20];

	world_init(&w, BROKERS);
	for (int32_t i = 0; i < count / TOPIC_PARTITIONS; i++) {
		snprintf(name, sizeof(name), "topic-%d", i);
		make_topic(&w, name, TOPIC_PARTITIONS, 3);
	}
	ret_us[0] = elapsed_us(start);
	start = clock_now().mono_us;
	q.topics_count = -1;
	a = send_request(&w, API_METADATA, 12, &q);
	ret_us[1] = elapsed_us(start);
	done(&w, a);
	cluster_free(w.c);
}

/* A KIP-848 group whose members all join; then one leaves and the others beat once. */
static void consumer_group(int32_t members, int64_t ret_us[2])
{
	struct consumer_group_heartbeat_request q = DEFAULTS_consumer_group_heartbeat_request;
	struct str topic = {"t", 1};
	char id[20];
	int64_t start;
	struct world w;

	world_init(&w, 1);
	make_topic(&w, "t", TOPIC_PARTITIONS, 1);
	start = clock_now().mono_us;
	q.group_id = str_of("g");
	q.rebalance_timeout_ms = 60000;
	q.subscribed_topic_names = &topic;
	q.subscribed_topic_names_count = 1;
	q.topic_partitions_count = 0;
	for (int32_t i = 0; i < members; i++) {
		snprintf(id, sizeof(id), "m%d", i);
		q.member_id = str_of(id);
		done(&w, send_request(&w, API_CONSUMER_GROUP_HEARTBEAT, 1, &q));
	}
	ret_us[0] = elapsed_us(start);
	start = clock_now().mono_us;
	w.now = instant_add_us(w.now, 2000000);
	q = (struct consumer_group_heartbeat_request)DEFAULTS_consumer_group_heartbeat_request;
	q.group_id = str_of("g");
	for (int32_t i = 0; i < members; i++) {
		snprintf(id, sizeof(id), "m%d", i);
		q.member_id = str_of(id);
		q.member_epoch = i ? 2 : -1;
		done(&w, send_request(&w, API_CONSUMER_GROUP_HEARTBEAT, 1, &q));
	}
	ret_us[1] = elapsed_us(start);
	cluster_free(w.c);
}

/* A classic group: all members join, one generation; then one leaves and all others join again. */
static void classic_group(int32_t members, int64_t ret_us[2])
{
	struct join_group_request q = DEFAULTS_join_group_request;
	struct join_group_request_protocols range = {.name = {"range", 5},
						     .metadata = {(const uint8_t *)"meta", 4}};
	struct leave_group_request leave = DEFAULTS_leave_group_request;
	struct ask **asks = calloc((size_t)members, sizeof(struct ask *));
	char(*ids)[64] = calloc((size_t)members, sizeof(*ids));
	int64_t start;
	struct world w;

	if (!asks || !ids)
		abort();
	world_init(&w, 1);
	w.now.mono_us += 1;
	q.group_id = leave.group_id = str_of("g");
	q.session_timeout_ms = q.rebalance_timeout_ms = 60000;
	q.protocol_type = str_of("consumer");
	q.protocols = &range;
	q.protocols_count = 1;
	start = clock_now().mono_us;
	for (int32_t i = 0; i < members; i++) {
		asks[i] = send_request(&w, API_JOIN_GROUP, 3, &q);
		if (i) /* the first is in a generation of its own and joins again at the end */
			continue;
		struct str id = ((struct join_group_response *)asks[0]->call.response)->member_id;

		snprintf(ids[0], sizeof(ids[0]), STR_FMT, STR_ARG(id));
		done(&w, asks[0]);
	}
	q.member_id = str_of(ids[0]);
	asks[0] = send_request(&w, API_JOIN_GROUP, 3, &q);
	ret_us[0] = elapsed_us(start);
	for (int32_t i = 0; i < members; i++) {
		const struct join_group_response *r = asks[i]->call.response;

		if (asks[i]->result != CALL_ANSWER || r->generation_id != 2) {
			fprintf(stderr, "member %d did not get its generation\n", i);
			exit(1);
		}
		snprintf(ids[i], sizeof(ids[i]), STR_FMT, STR_ARG(r->member_id));
		done(&w, asks[i]);
	}
	start = clock_now().mono_us;
	leave.member_id = str_of(ids[members - 1]);
	done(&w, send_request(&w, API_LEAVE_GROUP, 2, &leave));
	for (int32_t i = 0; i < members - 1; i++) {
		q.member_id = str_of(ids[i]);
		asks[i] = send_request(&w, API_JOIN_GROUP, 3, &q);
	}
	ret_us[1] = elapsed_us(start);
	for (int32_t i = 0; i < members - 1; i++)
		done(&w, asks[i]);
	free(asks);
	free(ids);
	cluster_free(w.c);
}

static void row(const char *name, int32_t size, int64_t small_us, int64_t full_us)
{
	printf("%-52s %7d  %9.2f ms   a tenth of it %8.2f ms   %5.1f x\n", name, size,
	       (double)full_us / 1000, (double)small_us / 1000,
	       (double)full_us / (double)(small_us ? small_us : 1));
}

static void compare(void (*run)(int32_t, int64_t[2]), int32_t size, const char *first,
		    const char *second)
{
	int64_t small[2], full[2];

	run(size / 10, small);
	run(size, full);
	row(first, size, small[0], full[0]);
	row(second, size, small[1], full[1]);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	compare(partitions, PARTITIONS, "100 brokers: partitions made", "full Metadata of them");
	compare(classic_group, MEMBERS, "classic group: members join",
		"one leaves, the others join again");
	compare(consumer_group, MEMBERS, "KIP-848 group: members join",
		"one leaves, the others beat");
	return 0;
}
