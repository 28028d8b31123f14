/* The cluster as captures show it: brokers, topics, logs, committed offsets; before and after. */
#include "decoder/decode.h"
#include "protocol/batch_builder.h"
#include "replay/seen.h"
#include "replay/seen_log.h"
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

/* ---- logs that were cut ---- */

#define BATCH_ROOM 4096

/* A batch of so many records, as it stands in the log from an offset on under a leader epoch. */
static struct bytes batch_at(uint8_t *room, int64_t offset, int32_t epoch, int records,
			     const char *value)
{
	struct batch_options options = BATCH_OPTIONS_INIT;
	struct batch_builder b;
	struct buf out;
	struct bytes made = {room, 0};

	options.base_offset = offset;
	options.partition_leader_epoch = epoch;
	buf_init(&out, BATCH_ROOM);
	batch_builder_init(&b, &options, &out);
	for (int i = 0; i < records; i++)
		batch_builder_add(&b, 1000 + i, (struct bytes){0},
				  (struct bytes){(const uint8_t *)value, (int32_t)strlen(value)},
				  NULL, 0);
	CHECK_EQ(batch_builder_end(&b, NULL), 0);
	batch_builder_release(&b);
	CHECK(out.len <= BATCH_ROOM);
	memcpy(room, out.data, out.len);
	made.len = (int32_t)out.len;
	buf_release(&out);
	return made;
}

struct cut_log {
	struct seen_partition p;
	struct session_exchange asked[4]; /* one second after the other */
	uint8_t rooms[4][BATCH_ROOM];
	struct buf scratch;
};

static void open_log(struct cut_log *l)
{
	memset(l, 0, sizeof(*l));
	l->p.start_first = l->p.start_last = l->p.end_first = SEEN_UNKNOWN;
	l->p.end_last = l->p.own_first = SEEN_UNKNOWN;
	for (int i = 0; i < 4; i++)
		l->asked[i].request_us = l->asked[i].response_us = (i + 1) * 1000000;
	buf_init(&l->scratch, BATCH_ROOM);
}

static void close_log(struct cut_log *l)
{
	free(l->p.batches);
	free(l->p.anew);
	buf_release(&l->scratch);
}

/* The exchange of that number reads, or writes, a batch. */
static void see(struct cut_log *l, int number, bool produced, int64_t offset, struct bytes batch)
{
	struct seen_source from = {&l->asked[number], produced, offset};

	CHECK_EQ(seen_log_add(&l->p, &from, batch, &l->scratch), 0);
}

TEST(what_is_written_where_something_stood_shows_that_the_log_was_cut)
{
	struct cut_log l;

	open_log(&l);
	see(&l, 0, false, 0, batch_at(l.rooms[0], 0, 0, 5, "old"));
	see(&l, 1, false, 5, batch_at(l.rooms[1], 5, 0, 5, "lost"));
	CHECK_EQ(l.p.cut.time_us, 0);
	see(&l, 2, true, 5, batch_at(l.rooms[2], 0, -1, 7, "new"));
	CHECK_EQ(l.p.cut.time_us, 3000000);
	CHECK_EQ(l.p.cut.offset, 5);
	CHECK_EQ(l.p.batches_count, 2);
	CHECK_EQ(l.p.anew_count, 1);
	CHECK_EQ(l.p.anew[0].last_offset, 11);
	CHECK_EQ(l.p.own_first, SEEN_UNKNOWN);
	CHECK(seen_before(&l.p, &l.p.batches[1])); /* the capture began with it */
	close_log(&l);
}

TEST(a_batch_that_is_written_again_or_told_otherwise_under_its_epoch_is_no_cut)
{
	struct cut_log l;
	struct bytes b;

	open_log(&l);
	b = batch_at(l.rooms[0], 0, -1, 5, "same");
	see(&l, 0, true, 0, b);
	see(&l, 1, true, 0, b);
	see(&l, 2, false, 0, batch_at(l.rooms[1], 0, 3, 5, "same, rewritten by its broker"));
	see(&l, 3, false, 0, batch_at(l.rooms[2], 0, 3, 5, "compacted"));
	CHECK_EQ(l.p.cut.time_us, 0);
	CHECK_EQ(l.p.anew_count, 0);
	CHECK_EQ(l.p.batches_count, 1);
	close_log(&l);
}

TEST(another_batch_under_a_newer_epoch_shows_a_cut_and_earlier_signs_move_it_down)
{
	struct cut_log l;

	open_log(&l);
	see(&l, 0, false, 0, batch_at(l.rooms[0], 0, 0, 10, "lost"));
	see(&l, 1, false, 7, batch_at(l.rooms[1], 7, 1, 3, "new"));
	CHECK_EQ(l.p.cut.offset, 7);
	see(&l, 2, false, 4, batch_at(l.rooms[2], 4, 1, 3, "new"));
	CHECK_EQ(l.p.cut.offset, 4);
	CHECK_EQ(l.p.cut.time_us, 2000000);
	CHECK_EQ(l.p.anew_count, 2);
	CHECK_EQ(l.p.anew[0].base_offset, 4);
	close_log(&l);
}

TEST(an_epoch_that_ends_before_what_was_read_of_it_shows_a_cut)
{
	struct cut_log l;

	open_log(&l);
	see(&l, 0, false, 0, batch_at(l.rooms[0], 0, 2, 5, "old"));
	see(&l, 1, false, 5, batch_at(l.rooms[1], 5, 2, 5, "lost"));
	seen_log_epoch_end(&l.p, &l.asked[2], 2, 10);
	seen_log_epoch_end(&l.p, &l.asked[2], 2, -1);
	seen_log_epoch_end(&l.p, &l.asked[2], 1, 5);
	CHECK_EQ(l.p.cut.time_us, 0);
	seen_log_epoch_end(&l.p, &l.asked[3], 2, 5);
	CHECK_EQ(l.p.cut.time_us, 4000000);
	CHECK_EQ(l.p.cut.offset, 5);
	close_log(&l);
}
