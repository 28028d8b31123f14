/* What replay gets of a capture: order, bodies, topics, and what is lacking. */
#include "decoder/decode.h"
#include "protocol/messages.h"
#include "replay/session.h"
#include "tests/test.h"

static struct session *read_session(const char *path, const struct session_options *options,
				    int expected)
{
	struct session *s = session_new(options);
	struct decode_options o = {.show_secrets = true};
	struct event_bus bus = {NULL};
	struct error e = ERROR_INIT;
	struct decode *d;

	event_bus_add(&bus, session_sink(s));
	d = decode_new(&o, &bus);
	CHECK_EQ(decode_files(d, &path, 1, &e), 0);
	CHECK_EQ(session_end(s, &e), expected);
	decode_free(d);
	return s;
}

TEST(exchanges_stand_in_the_order_of_their_requests)
{
	struct session *s = read_session("fixtures/pcap/kafka44-java-transactions.pcap", NULL, 0);
	struct session_exchange *x, *before = NULL;
	size_t of_conns = 0;

	CHECK(s->exchanges_count > 50);
	for (size_t i = 0; i < s->exchanges_count; i++) {
		x = s->exchanges[i];
		CHECK_EQ(x->index, i);
		CHECK(!before || x->request_first_us >= before->request_first_us);
		CHECK((x->request_body != NULL) == (x->request_flaw == FLAW_NONE));
		CHECK((x->response_body != NULL) == (x->response_flaw == FLAW_NONE));
		before = x;
	}
	for (size_t i = 0; i < s->conns_count; i++) {
		struct session_conn *c = s->conns[i];

		of_conns += c->exchanges_count;
		for (size_t k = 0; k < c->exchanges_count; k++) {
			CHECK(c->exchanges[k]->conn == c);
			CHECK_EQ(c->exchanges[k]->index_in_conn, k);
			CHECK(!k ||
			      c->exchanges[k]->response_us >= c->exchanges[k - 1]->response_us);
		}
	}
	CHECK_EQ(of_conns, s->exchanges_count);
	session_free(s);
}

TEST(topics_are_known_by_name_and_by_id)
{
	struct session *s = read_session("fixtures/pcap/kafka44-java-transactions.pcap", NULL, 0);
	const struct session_topic *t = session_topic(s, str_of("orders"));

	CHECK(t != NULL);
	if (t) {
		CHECK_EQ(t->partitions, 3);
		CHECK_EQ(t->replication, 1);
		CHECK(!uuid_is_zero(t->id));
		CHECK(session_topic_of_id(s, t->id) == t);
	}
	CHECK(session_topic(s, str_of("nobody's")) == NULL);
	CHECK(session_topic_of_id(s, (struct uuid){{1}}) == NULL);
	session_free(s);
}

TEST(a_capture_that_begins_inside_says_so)
{
	struct session *s = read_session("fixtures/pcap/kafka44-sarama-behind.pcap", NULL, 0);
	uint64_t midway = 0;

	for (size_t i = 0; i < s->conns_count; i++)
		midway += s->conns[i]->midway;
	CHECK(midway > 0);
	CHECK_EQ(s->totals.midway, midway);
	CHECK_EQ(s->totals.exchanges, s->exchanges_count);
	CHECK_EQ(s->totals.exchanges,
		 s->totals.answered + s->totals.no_answer + s->totals.lost + s->totals.orphans);
	session_free(s);
}

static bool is_produce(void *ctx, struct exchange *x)
{
	(void)ctx;
	return x->header.api_key == API_PRODUCE;
}

TEST(what_is_not_chosen_still_tells_of_topics)
{
	struct session_options o = {.chosen = is_produce};
	struct session *s = read_session("fixtures/pcap/kafka44-java-produce-consume.pcap", &o, 0);

	CHECK(s->exchanges_count > 0);
	CHECK(s->totals.not_chosen > 0);
	for (size_t i = 0; i < s->exchanges_count; i++)
		CHECK_EQ(s->exchanges[i]->header.api_key, API_PRODUCE);
	CHECK(session_topic(s, str_of("orders")) != NULL);
	session_free(s);
}

TEST(a_capture_beyond_the_bound_is_refused)
{
	struct session_options o = {.memory_max = 20000};

	session_free(
		read_session("fixtures/pcap/kafka44-java-produce-consume.pcap", &o, ERR_LIMIT));
}

/* Wherever it is that memory ends: in the exchanges, or in the lists that are made of them. */
TEST(a_capture_is_refused_at_any_bound_that_is_too_small)
{
	const char *path = "fixtures/pcap/kafka44-java-produce-consume.pcap";
	struct session_options o = {.memory_max = 1 << 20};
	size_t enough, used;
	struct session *s = read_session(path, &o, 0);

	used = s->arena.size;
	session_free(s);
	for (enough = used; enough > used - 4096; enough -= 16) {
		struct error e = ERROR_INIT;
		struct decode_options d_options = {.show_secrets = true};
		struct event_bus bus = {NULL};
		struct decode *d;

		o.memory_max = enough;
		s = session_new(&o);
		event_bus_add(&bus, session_sink(s));
		d = decode_new(&d_options, &bus);
		CHECK_EQ(decode_files(d, &path, 1, &e), 0);
		CHECK(session_end(s, &e) == 0 || e.code == ERR_LIMIT);
		decode_free(d);
		session_free(s);
	}
}

TEST(a_session_without_events_is_empty)
{
	struct session *s = session_new(NULL);

	CHECK_EQ(session_end(s, NULL), 0);
	CHECK_EQ(s->exchanges_count + s->conns_count + s->topics_count, 0);
	session_free(s);
}
