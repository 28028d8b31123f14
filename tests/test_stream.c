/* TCP conversations: each rule by a small case, then all of them at once by a generator that knows
 * the truth. */
#include "base/rand.h"
#include "decoder/stream.h"
#include "tests/synth.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

/* What was handed on, as text: data as it is, gaps as <n>. The last conversation's. */
struct heard {
	struct stream_table *t;
	struct buf text[2];
	int opened, closed;
	enum stream_end how;
	int closer, opener;
	uint64_t gaps, packet, conflicts;
	bool ignore;
};

static void on_open(void *context, struct stream *s, const struct stream_at *at)
{
	struct heard *h = context;

	(void)at;
	h->opened++;
	s->user = h;
	if (h->ignore)
		stream_ignore(s);
}

static void on_data(void *context, struct stream *s, int d, const uint8_t *data, size_t len,
		    const struct stream_at *at)
{
	struct heard *h = context;

	CHECK(s->user == h);
	CHECK(len > 0);
	buf_add(&h->text[d], data, len);
	h->packet = at->packet;
}

static void on_gap(void *context, struct stream *s, int d, uint64_t bytes, enum stream_gap why,
		   const struct stream_at *at)
{
	static const char *const marks[] = {"", "cut ", "room "};
	struct heard *h = context;

	(void)s;
	(void)at;
	CHECK(bytes > 0);
	h->gaps++;
	buf_printf(&h->text[d], "<%s%llu>", marks[why], (unsigned long long)bytes);
}

static void on_close(void *context, struct stream *s, enum stream_end how,
		     const struct stream_at *at)
{
	struct heard *h = context;

	(void)at;
	h->closed++;
	h->how = how;
	h->conflicts += s->half[0].counts.conflicts;
	h->closer = s->closer;
	h->opener = s->opener;
}

static void start(struct heard *h, const struct stream_limits *limits)
{
	struct stream_events events = {h, on_open, on_data, on_gap, on_close, NULL};

	*h = (struct heard){0};
	buf_init(&h->text[0], 1 << 24);
	buf_init(&h->text[1], 1 << 24);
	h->t = stream_table_new(&events, limits);
}

static void finish(struct heard *h)
{
	stream_table_free(h->t);
	buf_release(&h->text[0]);
	buf_release(&h->text[1]);
}

static const char *text(struct heard *h, int d)
{
	return buf_cstr(&h->text[d]);
}

static uint64_t clock_packet;

/* One packet from client (0) or server (1) of a port. */
static void send_port(struct heard *h, uint16_t port, int d, uint8_t flags, uint32_t seq,
		      uint32_t ack, const char *data, uint32_t cut)
{
	struct endpoint c = synth_v4(1, port), s = synth_v4(2, 9092);
	uint32_t len = (uint32_t)strlen(data);
	struct packet p = {.kind = PACKET_TCP,
			   .src = d ? s : c,
			   .dst = d ? c : s,
			   .seq = seq,
			   .ack = ack,
			   .flags = flags,
			   .data = (const uint8_t *)data,
			   .len = len - cut,
			   .wire_len = len};
	struct stream_at at = {++clock_packet, (int64_t)clock_packet * 1000};

	stream_feed(h->t, &p, &at, NULL);
}

static void send(struct heard *h, int d, uint8_t flags, uint32_t seq, uint32_t ack,
		 const char *data)
{
	send_port(h, 40000, d, flags, seq, ack, data, 0);
}

static void flush(struct heard *h)
{
	struct stream_at at = {clock_packet, 0};

	stream_flush(h->t, &at);
}

static void shake(struct heard *h, uint32_t client, uint32_t server)
{
	send(h, 0, TCP_SYN, client - 1, 0, "");
	send(h, 1, TCP_SYN | TCP_ACK, server - 1, client, "");
	send(h, 0, TCP_ACK, client, server, "");
}

TEST(a_conversation_in_order_is_handed_on_as_it_comes)
{
	struct heard h;

	start(&h, NULL);
	shake(&h, 1000, 5000);
	send(&h, 0, TCP_ACK, 1000, 5000, "ask");
	send(&h, 1, TCP_ACK, 5000, 1003, "answer");
	send(&h, 0, TCP_ACK, 1003, 5006, " more");
	send(&h, 0, TCP_ACK | TCP_FIN, 1008, 5006, "");
	send(&h, 1, TCP_ACK | TCP_FIN, 5006, 1009, "!");
	send(&h, 0, TCP_ACK, 1009, 5008, "");
	CHECK_TEXT(text(&h, 0), "ask more");
	CHECK_TEXT(text(&h, 1), "answer!");
	CHECK_EQ(h.opened, 1);
	CHECK_EQ(h.closed, 1);
	CHECK_EQ(h.how, STREAM_END_FIN);
	CHECK_EQ(h.closer, 0);
	CHECK_EQ(h.opener, 0);
	CHECK_EQ(stream_table_totals(h.t)->ignored_packets, 1);
	finish(&h);
}

TEST(sequence_numbers_wrap)
{
	struct heard h;

	start(&h, NULL);
	shake(&h, 0xfffffffe, 0);
	send(&h, 0, TCP_ACK, 0xfffffffe, 0, "abcd");
	send(&h, 0, TCP_ACK, 6, 0, "ij");
	send(&h, 0, TCP_ACK, 2, 0, "efgh");
	CHECK_TEXT(text(&h, 0), "abcdefghij");
	finish(&h);
}

TEST(segments_out_of_order_wait_for_their_place)
{
	struct heard h;

	start(&h, NULL);
	shake(&h, 100, 200);
	send(&h, 0, TCP_ACK, 106, 200, "ghi");
	send(&h, 0, TCP_ACK, 103, 200, "def");
	CHECK_TEXT(text(&h, 0), "");
	send(&h, 0, TCP_ACK, 100, 200, "abc");
	CHECK_TEXT(text(&h, 0), "abcdefghi");
	CHECK_EQ(h.gaps, 0);
	finish(&h);
}

TEST(of_bytes_sent_twice_the_first_win)
{
	struct heard h;

	start(&h, NULL);
	shake(&h, 100, 200);
	send(&h, 0, TCP_ACK, 100, 200, "abcd");
	send(&h, 0, TCP_ACK, 100, 200, "XXcd");	  /* wholly known */
	send(&h, 0, TCP_ACK, 102, 200, "XXef");	  /* partly */
	send(&h, 0, TCP_ACK, 110, 200, "kl");	  /* ahead, */
	send(&h, 0, TCP_ACK, 108, 200, "ijXXmn"); /* around it, */
	send(&h, 0, TCP_ACK, 106, 200, "ghYY");	  /* and the hole */
	CHECK_TEXT(text(&h, 0), "abcdefghijklmn");
	CHECK_EQ(h.gaps, 0);
	flush(&h);
	CHECK_EQ(h.conflicts, 3); /* all but the one that is partly handed on */
	finish(&h);
}

TEST(a_loss_that_was_acknowledged_becomes_a_gap_after_a_little_patience)
{
	struct heard h;
	int i;

	start(&h, NULL);
	shake(&h, 100, 200);
	send(&h, 0, TCP_ACK, 100, 200, "abc");
	send(&h, 0, TCP_ACK, 110, 200, "klm");
	send(&h, 1, TCP_ACK, 200, 113, "");
	CHECK_TEXT(text(&h, 0), "abc");
	for (i = 0; i < STREAM_PATIENCE && !h.gaps; i++)
		send(&h, 1, TCP_ACK, 200, 113, "");
	CHECK_TEXT(text(&h, 0), "abc<7>klm");
	CHECK_EQ(i, STREAM_PATIENCE);
	finish(&h);
}

TEST(a_loss_that_nobody_acknowledged_is_waited_for)
{
	struct heard h;

	start(&h, NULL);
	shake(&h, 100, 200);
	for (uint32_t i = 0; i < 100; i++)
		send(&h, 0, TCP_ACK, 110 + i, 200, "x");
	CHECK_EQ(h.gaps, 0);
	send(&h, 0, TCP_ACK, 100, 200, "0123456789");
	CHECK_EQ(h.text[0].len, 110);
	CHECK_EQ(h.gaps, 0);
	finish(&h);
}

TEST(an_answer_is_not_handed_on_before_the_bytes_that_it_acknowledges)
{
	struct heard h;

	start(&h, NULL);
	shake(&h, 100, 200);
	send(&h, 1, TCP_ACK, 200, 103, "pong"); /* captured too early */
	CHECK_TEXT(text(&h, 1), "");
	send(&h, 0, TCP_ACK, 100, 200, "ask");
	CHECK_TEXT(text(&h, 0), "ask");
	CHECK_TEXT(text(&h, 1), "pong");
	CHECK_EQ(h.gaps, 0);
	finish(&h);
}

TEST(what_was_answered_but_never_captured_is_a_gap)
{
	struct heard h;

	start(&h, NULL);
	shake(&h, 100, 200);
	send(&h, 1, TCP_ACK, 200, 103, "pong");
	for (int i = 0; i <= STREAM_PATIENCE; i++)
		send(&h, 0, TCP_ACK, 103, 204, "");
	CHECK_TEXT(text(&h, 0), "<3>");
	CHECK_TEXT(text(&h, 1), "pong");
	finish(&h);
}

TEST(bytes_held_for_each_other_are_released)
{
	struct heard h;

	start(&h, NULL);
	shake(&h, 100, 200);
	send(&h, 0, TCP_ACK, 100, 202, "ab"); /* each claims to have read the other */
	send(&h, 1, TCP_ACK, 200, 102, "cd");
	for (int i = 0; i <= STREAM_PATIENCE; i++)
		send(&h, 0, TCP_ACK, 102, 202, "");
	CHECK_TEXT(text(&h, 0), "ab");
	CHECK_TEXT(text(&h, 1), "cd");
	CHECK_EQ(h.gaps, 0);
	finish(&h);
}

TEST(what_the_capture_cut_off_is_a_gap_of_its_own_kind)
{
	struct heard h;

	start(&h, NULL);
	shake(&h, 100, 200);
	send_port(&h, 40000, 0, TCP_ACK, 100, 200, "abcdef", 4);
	send_port(&h, 40000, 0, TCP_ACK, 112, 200, "mnopqr", 6);
	send_port(&h, 40000, 0, TCP_ACK, 106, 200, "ghijkl", 3);
	CHECK_TEXT(text(&h, 0), "ab<cut 4>ghi<cut 3><cut 6>");
	finish(&h);
}

TEST(a_capture_may_begin_in_the_middle)
{
	struct heard h;

	start(&h, NULL);
	send(&h, 1, TCP_ACK, 7000, 300, "");
	CHECK_EQ(h.opened, 0); /* nothing to see yet */
	send(&h, 1, TCP_ACK, 7000, 300, "tail");
	send(&h, 0, TCP_ACK, 300, 7004, "next");
	CHECK_TEXT(text(&h, 0), "tail"); /* direction 0 is the first that was seen */
	CHECK_TEXT(text(&h, 1), "next");
	flush(&h);
	CHECK_EQ(h.opener, -1);
	CHECK_EQ(h.how, STREAM_END_CAPTURE);
	CHECK_EQ(h.gaps, 0);
	finish(&h);
}

TEST(one_direction_alone_flows)
{
	struct heard h;

	start(&h, NULL);
	for (uint32_t i = 0; i < 100; i++)
		send(&h, 0, TCP_ACK, 100 + i, 200 + 10 * i, "x");
	CHECK_EQ(h.text[0].len, 100);
	CHECK_EQ(h.gaps, 0);
	finish(&h);
}

TEST(a_refused_connection_and_a_reset_are_told_apart)
{
	struct heard h;

	start(&h, NULL);
	send(&h, 0, TCP_SYN, 99, 0, "");
	send(&h, 1, TCP_RST | TCP_ACK, 0, 100, "");
	CHECK_EQ(h.how, STREAM_END_REFUSED);
	CHECK_EQ(h.closer, 1);
	shake(&h, 100, 200); /* the same ports once more */
	CHECK_EQ(h.opened, 2);
	send(&h, 0, TCP_ACK, 100, 200, "abc");
	send(&h, 0, TCP_ACK, 105, 200, "fg");
	send(&h, 0, TCP_RST, 107, 0, "");
	CHECK_EQ(h.how, STREAM_END_RESET);
	CHECK_EQ(h.closer, 0);
	CHECK_TEXT(text(&h, 0), "abc<2>fg"); /* what waited is handed on before the end */
	finish(&h);
}

TEST(a_reset_from_far_outside_the_window_ends_nothing)
{
	struct heard h;

	start(&h, NULL);
	shake(&h, 100, 200);
	send(&h, 0, TCP_RST, 0x40000000, 0, "");
	send(&h, 0, TCP_ACK, 100, 200, "alive");
	CHECK_TEXT(text(&h, 0), "alive");
	CHECK_EQ(h.closed, 0);
	finish(&h);
}

TEST(reused_ports_begin_a_new_conversation)
{
	struct heard h;

	start(&h, NULL);
	shake(&h, 100, 200);
	send(&h, 0, TCP_ACK, 100, 200, "old ");
	send(&h, 0, TCP_SYN, 99, 0, ""); /* a SYN sent twice is none */
	CHECK_EQ(h.opened, 1);
	shake(&h, 900000, 800000);
	CHECK_EQ(h.opened, 2);
	CHECK_EQ(h.how, STREAM_END_REUSED);
	send(&h, 0, TCP_ACK, 900000, 800000, "new");
	CHECK_TEXT(text(&h, 0), "old new");
	CHECK_EQ(h.gaps, 0);
	finish(&h);
}

TEST(garbage_outside_the_window_is_dropped_but_a_great_loss_is_not)
{
	struct heard h;

	start(&h, NULL);
	shake(&h, 100, 200);
	send(&h, 0, TCP_ACK, 100, 200, "a");
	send(&h, 0, TCP_ACK, 0x50000000, 200, "GARBAGE");
	send(&h, 0, TCP_ACK, 101, 200, "b");
	CHECK_TEXT(text(&h, 0), "ab");
	send(&h, 0, TCP_ACK, 0x20000000, 200, "xxx");
	send(&h, 0, TCP_ACK, 0x20000003, 200, "yyy");
	CHECK_TEXT(text(&h, 0), "ab<536870813>yyy");
	finish(&h);
}

TEST(keep_alives_add_nothing)
{
	struct heard h;

	start(&h, NULL);
	shake(&h, 100, 200);
	send(&h, 0, TCP_ACK, 100, 200, "a");
	send(&h, 0, TCP_ACK, 100, 200, "\1");
	send(&h, 0, TCP_ACK, 100, 200, "");
	send(&h, 0, TCP_ACK, 101, 200, "b");
	CHECK_TEXT(text(&h, 0), "ab");
	CHECK_EQ(h.gaps, 0);
	finish(&h);
}

TEST(a_lost_fin_is_no_lost_byte)
{
	struct heard h;

	start(&h, NULL);
	shake(&h, 100, 200);
	send(&h, 0, TCP_ACK, 100, 200, "bye");
	for (int i = 0; i <= STREAM_PATIENCE; i++)
		send(&h, 1, TCP_ACK, 200, 104, "");
	send(&h, 1, TCP_ACK | TCP_FIN, 200, 104, "");
	CHECK_EQ(h.gaps, 0);
	CHECK_EQ(h.how, STREAM_END_FIN);
	finish(&h);
}

TEST(an_ignored_conversation_says_only_its_end)
{
	struct heard h;

	start(&h, NULL);
	h.ignore = true;
	shake(&h, 100, 200);
	send(&h, 0, TCP_ACK, 100, 200, "secret");
	send(&h, 0, TCP_ACK, 120, 200, "later");
	send(&h, 0, TCP_ACK | TCP_FIN, 0x60000000, 200, "");
	send(&h, 1, TCP_ACK | TCP_FIN, 200, 126, "");
	CHECK_EQ(h.text[0].len, 0);
	CHECK_EQ(h.gaps, 0);
	CHECK_EQ(h.closed, 1);
	CHECK_EQ(h.how, STREAM_END_FIN);
	finish(&h);
}

TEST(memory_stays_within_its_limits_and_what_had_to_go_is_said)
{
	struct stream_limits limits = {.memory_max = 100000, .queue_max = 20000, .streams_max = 10};
	char block[1001];
	struct heard h;

	memset(block, 'x', 1000);
	block[1000] = 0;
	start(&h, &limits);
	for (uint16_t port = 1; port <= 50; port++) {
		send_port(&h, port, 0, TCP_SYN, 99, 0, "", 0);
		for (uint32_t i = 0; i < 40; i++) {
			send_port(&h, port, 0, TCP_ACK, 200 + 2000 * i, 0, block, 0);
			CHECK(stream_table_memory(h.t) <= limits.memory_max);
		}
	}
	CHECK_EQ(stream_table_totals(h.t)->evicted, 40);
	flush(&h);
	CHECK_EQ(h.opened, 50);
	CHECK_EQ(h.closed, 50);
	CHECK_EQ(h.gaps, 50 * 40);
	CHECK_EQ(stream_table_memory(h.t), 0);
	finish(&h);
}

/* The generator: one conversation as a row of segments with everything that happens to captures,
 * and the truth beside it. */

#define TRUTH_SIZE   30000
#define SEGMENTS_MAX 3000

struct segment {
	int d;
	uint32_t from, len, cut; /* place within the truth; bytes the capture cut off */
	uint32_t ack;		 /* place within the other direction's truth */
	int64_t order;
};

struct run {
	uint8_t truth[2][TRUTH_SIZE];
	uint8_t seen[2][TRUTH_SIZE]; /* captured at least once */
	uint32_t isn[2];
	struct segment segments[SEGMENTS_MAX];
	size_t count;
	uint64_t at[2]; /* how far was handed on */
	uint64_t data[2], lost[2];
	uint64_t wrong, invented;
};

static void run_data(void *context, struct stream *s, int d, const uint8_t *data, size_t len,
		     const struct stream_at *at)
{
	struct run *r = context;

	(void)s;
	(void)at;
	r->wrong += r->at[d] + len > TRUTH_SIZE || memcmp(r->truth[d] + r->at[d], data, len) != 0;
	r->at[d] += len;
	r->data[d] += len;
}

static void run_gap(void *context, struct stream *s, int d, uint64_t bytes, enum stream_gap why,
		    const struct stream_at *at)
{
	struct run *r = context;

	(void)s;
	(void)at;
	for (uint64_t i = r->at[d]; i < r->at[d] + bytes && i < TRUTH_SIZE; i++)
		r->invented += r->seen[d][i] && why != STREAM_GAP_CUT;
	r->at[d] += bytes;
	r->lost[d] += bytes;
}

static void run_open(void *context, struct stream *s, const struct stream_at *at)
{
	(void)context;
	(void)s;
	(void)at;
}

static void run_close(void *context, struct stream *s, enum stream_end how,
		      const struct stream_at *at)
{
	(void)context;
	(void)s;
	(void)how;
	(void)at;
}

static int by_order(const void *a, const void *b)
{
	const struct segment *x = a, *y = b;

	return (x->order > y->order) - (x->order < y->order);
}

static void add_segment(struct run *r, const struct segment *g, struct rand *rnd, bool lossy,
			int jitter)
{
	struct segment *to = &r->segments[r->count];

	if (lossy && rand_below(rnd, 20) == 0)
		return;
	*to = *g;
	to->order = (int64_t)r->count * 10 +
		    (jitter ? (int64_t)rand_below(rnd, (uint64_t)jitter * 10) : 0);
	r->count++;
	memset(r->seen[g->d] + g->from, 1, g->len - g->cut);
}

/* Both sides talk in turns until one has said all; each turn is a few segments that acknowledge
 * what the other has said. */
static void make_run(struct run *r, struct rand *rnd, bool lossy, int jitter, bool cuts)
{
	uint32_t said[2] = {0, 0};
	int d = 0;

	for (int i = 0; i < 2; i++) {
		r->isn[i] = (uint32_t)rand_next(rnd);
		for (int k = 0; k < TRUTH_SIZE; k++)
			r->truth[i][k] = (uint8_t)rand_next(rnd);
	}
	while (said[d] < TRUTH_SIZE) {
		for (uint64_t n = 1 + rand_below(rnd, 4);
		     n && said[d] < TRUTH_SIZE && r->count + 2 < SEGMENTS_MAX; n--) {
			uint32_t len = 1 + (uint32_t)rand_below(rnd, 300);
			struct segment g = {.d = d, .from = said[d], .ack = said[!d]};

			g.len = len < TRUTH_SIZE - said[d] ? len : TRUTH_SIZE - said[d];
			g.cut = cuts && rand_below(rnd, 10) == 0
					? (uint32_t)rand_below(rnd, g.len + 1)
					: 0;
			add_segment(r, &g, rnd, lossy, jitter);
			said[d] += g.len;
			if (said[d] > 100 &&
			    rand_below(rnd, 10) == 0) { /* again, cut up differently */
				g.from -=
					(uint32_t)rand_below(rnd, g.from < 100 ? g.from + 1 : 100);
				g.len = said[d] - g.from;
				g.cut = 0;
				add_segment(r, &g, rnd, false, jitter);
			}
		}
		d = !d;
	}
	qsort(r->segments, r->count, sizeof(*r->segments), by_order);
}

static void feed_run(struct run *r)
{
	struct endpoint ends[2] = {synth_v4(1, 1), synth_v4(2, 2)};
	struct stream_events events = {r, run_open, run_data, run_gap, run_close, NULL};
	struct stream_table *t = stream_table_new(&events, NULL);
	struct stream_at at = {0, 0};

	for (int d = 0; d < 2; d++) {
		struct packet syn = {.src = ends[d],
				     .dst = ends[!d],
				     .seq = r->isn[d] - 1,
				     .flags = d ? TCP_SYN | TCP_ACK : TCP_SYN,
				     .ack = r->isn[!d]};

		stream_feed(t, &syn, &at, NULL);
	}
	for (size_t i = 0; i < r->count; i++) {
		const struct segment *g = &r->segments[i];
		struct packet p = {.src = ends[g->d],
				   .dst = ends[!g->d],
				   .seq = r->isn[g->d] + g->from,
				   .flags = TCP_ACK,
				   .ack = r->isn[!g->d] + g->ack,
				   .data = r->truth[g->d] + g->from,
				   .len = g->len - g->cut,
				   .wire_len = g->len};

		at.packet = i + 1;
		at.time_ns = (int64_t)i * 1000;
		stream_feed(t, &p, &at, NULL);
	}
	stream_flush(t, &at);
	CHECK_EQ(stream_table_memory(t), 0);
	stream_table_free(t);
}

static void check_run(uint64_t seed, bool lossy, int jitter, bool cuts)
{
	struct run *r = calloc(1, sizeof(*r));
	struct rand rnd;

	rand_seed(&rnd, seed);
	make_run(r, &rnd, lossy, jitter, cuts);
	feed_run(r);
	CHECK_EQ(r->wrong, 0);
	for (int d = 0; d < 2; d++) {
		uint64_t captured = 0;

		for (int i = 0; i < TRUTH_SIZE; i++)
			captured += r->seen[d][i];
		CHECK(r->at[d] <= TRUTH_SIZE);
		if (!cuts) /* a cut segment hides a whole one behind it: the first wins */
			CHECK_EQ(r->data[d], captured);
		if (!lossy && !cuts)
			CHECK_EQ(r->lost[d], 0);
	}
	CHECK_EQ(r->invented, 0);
	free(r);
}

TEST(whatever_a_capture_does_every_byte_that_is_there_comes_once_and_no_gap_is_invented)
{
	for (uint64_t seed = 1; seed <= 60; seed++) {
		check_run(seed, false, 0, false);
		check_run(seed, false, 6, false);
		check_run(seed, true, 0, false);
		check_run(seed, true, 6, false);
		check_run(seed, true, 6, true);
	}
}
