/* What a member of a KIP-848 group is to read, sooner or later than in the recording. */
#include "protocol/frame.h"
#include "protocol/messages.h"
#include "protocol/wire.h"
#include "replay/assigned.h"
#include "tests/test.h"

#define UNTOLD (-1)

static struct {
	struct session *s;
	struct variables *v;
	struct assigned *a;
	struct arena arena;
	int n;
} t;

static struct consumer_group_heartbeat_response *answer(int32_t epoch, int partitions)
{
	struct consumer_group_heartbeat_response *r = arena_alloc(&t.arena, sizeof(*r));
	struct consumer_group_heartbeat_response_assignment *all =
		arena_alloc(&t.arena, sizeof(*all));
	struct consumer_group_heartbeat_response_topic_partitions *topic =
		arena_alloc(&t.arena, sizeof(*topic));

	codec_init(&consumer_group_heartbeat_response_schema, r);
	r->member_id = str_of("m");
	r->member_epoch = epoch;
	if (partitions == UNTOLD)
		return r;
	codec_init(&consumer_group_heartbeat_response_assignment_schema, all);
	codec_init(&consumer_group_heartbeat_response_topic_partitions_schema, topic);
	topic->topic_id.b[0] = 1;
	topic->partitions = arena_alloc(&t.arena, sizeof(int32_t) * (size_t)(partitions + 1));
	topic->partitions_count = partitions;
	for (int i = 0; i < partitions; i++)
		topic->partitions[i] = partitions - 1 - i;
	all->topic_partitions = topic;
	all->topic_partitions_count = partitions > 0;
	r->assignment = all;
	return r;
}

static struct bytes flat(struct gather *g)
{
	struct buf b;
	struct bytes ret;

	buf_init(&b, 1 << 20);
	gather_flatten(g, &b);
	ret = (struct bytes){(const uint8_t *)arena_copy(&t.arena, b.data + 4, b.len - 4),
			     (int32_t)b.len - 4};
	buf_release(&b);
	gather_release(g);
	return ret;
}

/* The recording's next heartbeat of the member. */
static void record(int32_t epoch, int partitions)
{
	struct consumer_group_heartbeat_request q;
	struct exchange x = {
		.conn = {.conn = 1}, .request_us = 10 * ++t.n, .response_us = 10 * t.n + 1};
	struct event ev = {.kind = EVENT_EXCHANGE, .exchange = &x};
	struct gather g;

	codec_init(&consumer_group_heartbeat_request_schema, &q);
	q.group_id = str_of("g");
	q.member_id = str_of("m");
	q.member_epoch = epoch;
	gather_init(&g, 1 << 20);
	CHECK_EQ(frame_write_request(&g, API_CONSUMER_GROUP_HEARTBEAT, 1, t.n, str_of("c"), &q,
				     NULL),
		 0);
	x.request = flat(&g);
	gather_init(&g, 1 << 20);
	CHECK_EQ(frame_write_response(&g, API_CONSUMER_GROUP_HEARTBEAT, 1, t.n,
				      answer(epoch, partitions), NULL),
		 0);
	x.response = flat(&g);
	x.request_size = (uint32_t)x.request.len;
	x.response_size = (uint32_t)x.response.len;
	CHECK_EQ(frame_read_request(x.request, &x.header, NULL), 0);
	session_sink(t.s)->on_event(session_sink(t.s)->ctx, &ev);
}

static void begin(void)
{
	t.n = 0;
	t.s = session_new(NULL);
	arena_init(&t.arena, (size_t)1 << 20);
}

static void recorded(void)
{
	CHECK_EQ(session_end(t.s, NULL), 0);
	t.v = variables_new();
	variables_set_topic(t.v, SIDE_RECORDED, (struct uuid){{1}}, str_of("a"));
	variables_set_topic(t.v, SIDE_LIVE, (struct uuid){{1}}, str_of("a"));
	t.a = assigned_new(t.s, t.v);
}

static bool take(size_t i, int32_t epoch, int partitions)
{
	assigned_take(t.a, t.s->exchanges[i], 1, answer(epoch, partitions));
	return assigned_agrees(t.a, t.s->exchanges[i]);
}

static void end(void)
{
	assigned_free(t.a);
	variables_free(t.v);
	session_free(t.s);
	arena_release(&t.arena);
}

TEST(an_assignment_may_be_told_sooner)
{
	begin();
	record(1, 0);
	record(1, UNTOLD);
	record(2, 4);
	recorded();
	CHECK(take(0, 1, 4));
	CHECK(take(1, 1, UNTOLD));
	CHECK(take(2, 1, UNTOLD));
	end();
}

TEST(an_assignment_that_is_told_later_agrees_from_then_on)
{
	begin();
	record(1, 4);
	record(1, UNTOLD);
	record(1, UNTOLD);
	recorded();
	CHECK(!take(0, 1, 0));
	CHECK(!take(1, 1, UNTOLD));
	CHECK(take(2, 2, 4));
	CHECK(assigned_agrees(t.a, t.s->exchanges[0]));
	end();
}

TEST(a_side_that_is_behind_is_not_ahead)
{
	begin();
	record(1, 4);
	record(2, 2);
	record(3, 4);
	recorded();
	CHECK(take(0, 1, 4));
	CHECK(!take(1, 1, UNTOLD)); /* still all four, as again later */
	CHECK(take(1, 2, 2));
	CHECK(take(2, 3, 4));
	end();
}

TEST(another_assignment_never_agrees)
{
	begin();
	record(1, 4);
	record(1, UNTOLD);
	recorded();
	CHECK(!take(0, 1, 3));
	CHECK(!take(1, 1, UNTOLD));
	end();
}

TEST(a_member_goes_on_with_its_own_epoch)
{
	begin();
	record(1, 4);
	record(1, UNTOLD);
	recorded();
	CHECK_EQ(assigned_epoch(t.a, t.s->exchanges[1]), 0);
	take(0, 7, 4);
	CHECK_EQ(assigned_epoch(t.a, t.s->exchanges[1]), 7);
	take(1, 8, UNTOLD);
	CHECK_EQ(assigned_epoch(t.a, t.s->exchanges[1]), 8);
	end();
}
