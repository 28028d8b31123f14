/* The cluster as captures show it: brokers, topics, logs, committed offsets; before and after. */
#include "decoder/decode.h"
#include "replay/seen.h"
#include "tests/test.h"

struct shown {
	struct session *session;
	struct seen *seen;
};

static struct shown show(const char *path)
{
	struct decode_options options = {.show_secrets = true};
	struct event_bus bus = {NULL};
	struct error e = ERROR_INIT;
	struct session_options whole = {0};
	struct shown s = {.session = session_new(&whole)};
	struct decode *d = decode_new(&options, &bus);

	event_bus_add(&bus, session_sink(s.session));
	CHECK_EQ(decode_files(d, &path, 1, &e), 0);
	CHECK_EQ(session_end(s.session, &e), 0);
	decode_free(d);
	s.seen = seen_new(s.session);
	return s;
}

static void end(struct shown *s)
{
	seen_free(s->seen);
	session_free(s->session);
}

static int64_t records_of(const struct seen_topic *t, bool before)
{
	int64_t n = 0;

	for (int32_t i = 0; i < t->partitions_count; i++)
		for (size_t k = 0; k < t->partitions[i].batches_count; k++)
			if (seen_before(&t->partitions[i], &t->partitions[i].batches[k]) == before)
				n += t->partitions[i].batches[k].records;
	return n;
}

TEST(what_a_capture_produced_is_not_what_was_there_before)
{
	struct shown s = show("fixtures/pcap/kafka44-java-produce-consume.pcap");
	const struct seen_topic *t = seen_topic(s.seen, str_of("orders"));

	CHECK(t != NULL);
	CHECK_EQ(t->partitions_count, 3);
	CHECK_EQ(records_of(t, true), 0);
	CHECK_EQ(records_of(t, false), 40);
	CHECK(s.seen->has_versions);
	CHECK_EQ(s.seen->versions[0].max, 13);
	CHECK_EQ(s.seen->brokers_count, 1);
	CHECK_EQ(s.seen->batches_left_out, 0);
	end(&s);
}

TEST(what_is_read_was_there_and_markers_and_aborted_transactions_are_kept)
{
	struct shown s = show("fixtures/pcap/kafka44-java-transactions.pcap");
	const struct seen_topic *t = seen_topic(s.seen, str_of("orders"));
	int control = 0, transactional = 0;

	CHECK(t != NULL);
	for (int32_t i = 0; i < t->partitions_count; i++)
		for (size_t k = 0; k < t->partitions[i].batches_count; k++) {
			const struct seen_batch *b = &t->partitions[i].batches[k];

			control += b->control;
			transactional += b->transactional && !b->control;
			CHECK(b->control || b->produced);
			CHECK(k == 0 ||
			      t->partitions[i].batches[k - 1].last_offset < b->base_offset);
		}
	CHECK(control >= 4);
	CHECK(transactional >= 4);
	end(&s);
}

TEST(committed_offsets_are_known_before_and_after)
{
	struct shown s = show("fixtures/pcap/kafka44-java-produce-consume.pcap");
	const struct seen_group *g = seen_group(s.seen, str_of("orders-app"));

	CHECK(g != NULL);
	CHECK_EQ(g->offsets_count, 3);
	for (size_t i = 0; i < g->offsets_count; i++) {
		CHECK_EQ(g->offsets[i].first, -1);
		/* all forty went to one partition */
		CHECK_EQ(g->offsets[i].last, g->offsets[i].partition == 1 ? 40 : -1);
	}
	end(&s);
}

TEST(old_message_sets_have_their_offsets_too)
{
	struct shown s = show("fixtures/pcap/kafka23-python-produce-consume.pcap");
	const struct seen_topic *t = seen_topic(s.seen, str_of("orders"));

	CHECK(t != NULL);
	CHECK_EQ(records_of(t, true), 0);
	CHECK_EQ(records_of(t, false), 40);
	end(&s);
}

TEST(a_batch_whose_answer_was_lost_fills_the_hole_that_it_left)
{
	struct shown s = show("fixtures/pcap/serve-kafkajs-lost-answer.pcap");
	const struct seen_topic *t = seen_topic(s.seen, str_of("orders"));
	int lost = 0;

	CHECK(t != NULL);
	for (int32_t i = 0; i < t->partitions_count; i++)
		for (size_t k = 0; k < t->partitions[i].batches_count; k++) {
			const struct session_exchange *x = t->partitions[i].batches[k].produced;

			lost += x && x->state == EXCHANGE_LOST;
		}
	CHECK_EQ(lost, 1);
	end(&s);
}
