/* Events reach the sinks that take them; the exchanges and the events of the cluster that are kept
 * are the last ones. */
#include "protocol/messages.h"
#include "service/happened.h"
#include "service/keep.h"
#include "tests/test.h"

#include <stdlib.h>

static void on_event(void *ctx, const struct event *ev)
{
	(void)ev;
	++*(int *)ctx;
}

TEST(a_sink_gets_the_kinds_that_it_takes)
{
	struct event mark = {.kind = EVENT_MARK}, cluster = {.kind = EVENT_CLUSTER};
	struct event_bus bus = {0};
	int some = 0, all = 0;
	struct event_sink taker = {
		.on_event = on_event, .ctx = &some, .kinds = event_bit(EVENT_MARK)};
	struct event_sink taker_of_all = {.on_event = on_event, .ctx = &all};

	event_bus_add(&bus, &taker);
	CHECK(event_wanted(&bus, EVENT_MARK));
	CHECK(!event_wanted(&bus, EVENT_CLUSTER));
	event_bus_add(&bus, &taker_of_all);
	CHECK(event_wanted(&bus, EVENT_CLUSTER));
	event_emit(&bus, &mark);
	event_emit(&bus, &cluster);
	CHECK_EQ(some, 1);
	CHECK_EQ(all, 2);
}

#define FRAME_SIZE 40000 /* larger with its answer than what keep.c puts together */
#define EXCHANGES  3000

/* An exchange of a Metadata v0 request, as the service tells it, with an answer of answer_len
 * bytes. */
static void tell(struct keep *k, int32_t correlation, int32_t answer_len)
{
	static const uint8_t head[] = {0, 3, 0, 0};
	static uint8_t answer[2 * FRAME_SIZE];
	struct shared *frame = shared_new(FRAME_SIZE);
	struct exchange x = {.state = EXCHANGE_ANSWERED, .request_frame = frame};
	struct event ev = {.kind = EVENT_EXCHANGE, .exchange = &x};

	memset(frame->data, 0, frame->size);
	memcpy(frame->data, head, sizeof(head));
	frame->data[6] = (uint8_t)(correlation >> 8);
	frame->data[7] = (uint8_t)correlation;
	x.request = (struct bytes){frame->data, FRAME_SIZE};
	x.response = (struct bytes){answer, answer_len};
	CHECK_EQ(frame_read_request(x.request, &x.header, NULL), 0);
	keep_sink(k)->on_event(k, &ev);
	shared_unref(frame);
}

static int64_t count(struct keep *k, struct buf *out)
{
	struct keep_query q = {.limit = 1};
	int64_t n = 0;

	CHECK_EQ(keep_query(k, &q, out, &n, NULL), 0);
	return n;
}

TEST(the_last_exchanges_are_kept_and_all_are_counted)
{
	struct keep *k = keep_new();
	size_t before = shared_count();
	struct buf out;
	int64_t kept;

	buf_init(&out, 1 << 20);
	for (int32_t i = 1; i <= EXCHANGES; i++)
		tell(k, i, i % 3 ? 1 : 2 * FRAME_SIZE);
	kept = count(k, &out);
	CHECK_EQ(shared_count() - before, kept);
	CHECK(kept * FRAME_SIZE < (int64_t)KEEP_BYTES_MAX);
	CHECK(kept > (int64_t)KEEP_BYTES_MAX / (3 * FRAME_SIZE));
	CHECK_EQ(keep_total(k), EXCHANGES);
	CHECK_EQ(keep_count(k, API_METADATA), EXCHANGES);
	CHECK(strstr(buf_cstr(&out), "\"correlationId\":3000"));
	keep_clear(k);
	CHECK_EQ(shared_count(), before);
	CHECK_EQ(count(k, NULL), 0);
	tell(k, 1, 1);
	CHECK_EQ(count(k, NULL), 1);
	CHECK_EQ(keep_total(k), 1);
	keep_free(k);
	CHECK_EQ(shared_count(), before);
	buf_release(&out);
}

static int64_t happenings(const struct happened *h, uint64_t since)
{
	struct happened_query q = {.since = since};

	return happened_query(h, &q, NULL);
}

TEST(the_last_events_of_the_cluster_are_kept)
{
	struct happened *h = happened_new();
	struct event ev = {.kind = EVENT_CLUSTER, .cluster = {.name = str_of("leader-moved")}};
	struct event large = {.kind = EVENT_CLUSTER, .cluster = {.name = str_of("group-state")}};
	int32_t len = (int32_t)HAPPENED_BYTES_MAX / 4;
	char *detail = malloc((size_t)len);

	for (int i = 0; i < HAPPENED_MAX + 7; i++)
		happened_sink(h)->on_event(h, &ev);
	CHECK_EQ(happenings(h, 0), HAPPENED_MAX);
	CHECK_EQ(happenings(h, HAPPENED_MAX), 7);
	memset(detail, ' ', (size_t)len);
	large.cluster.detail = (struct str){detail, len};
	for (int i = 0; i < 5; i++)
		happened_sink(h)->on_event(h, &large);
	CHECK_EQ(happenings(h, 0), 3);
	CHECK_EQ(happened_total(h), HAPPENED_MAX + 12);
	happened_clear(h);
	CHECK_EQ(happenings(h, 0), 0);
	happened_sink(h)->on_event(h, &ev);
	CHECK_EQ(happenings(h, 0), 1);
	happened_free(h);
	free(detail);
}
