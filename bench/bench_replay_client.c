/* Speed of replay as client: small exchanges over many connections, pipelined, to `ktrial serve`,
 * beside a bare peer that sends the same frames and only counts what comes back. The session is
 * made here: Produce of a small record, ListOffsets and OffsetFetch in turns, with the mock's own
 * answers as recorded ones. Rounds alternate and the medians are compared. */
#include "base/clock.h"
#include "bench/goal.h"
#include "bench/served.h"
#include "harness/replay_client.h"
#include "protocol/batch_builder.h"
#include "protocol/frame.h"
#include "protocol/messages.h"
#include "protocol/wire.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNS	  32
#define PIPELINE  16 /* of each connection */
#define TURNS	  100
#define ROUNDS	  5
#define KINDS	  3
#define TOPIC	  "bench:32" /* a partition for each connection */
#define GOAL	  50000	     /* exchanges a second */
#define EXCHANGES (CONNS * PIPELINE * TURNS)

/* By connection, each with a partition of its own: its offsets then grow by one a Produce. */
static struct buf requests[CONNS][KINDS], answers[CONNS][KINDS];

/* ---- frames ---- */

static void make_small_produce(int32_t number, struct buf *out)
{
	struct produce_request_topic_data_partition_data partition =
		produce_request_topic_data_partition_data_defaults;
	struct produce_request_topic_data topic = produce_request_topic_data_defaults;
	struct produce_request body = produce_request_defaults;
	struct batch_options options = BATCH_OPTIONS_INIT;
	struct batch_builder b;
	struct buf batch;

	buf_init(&batch, 1 << 16);
	batch_builder_init(&b, &options, &batch);
	batch_builder_add(&b, 1700000000000, (struct bytes){NULL, 0},
			  (struct bytes){(const uint8_t *)"a small record", 14}, NULL, 0);
	batch_builder_end(&b, NULL);
	batch_builder_release(&b);
	partition.index = number;
	partition.records = (struct records){batch.data, (int32_t)batch.len, 0};
	topic.name = str_of("bench");
	topic.partition_data = &partition;
	topic.partition_data_count = 1;
	body.acks = -1;
	body.timeout_ms = 1000;
	body.topic_data = &topic;
	body.topic_data_count = 1;
	frame_of(API_PRODUCE, 9, &body, out);
	buf_release(&batch);
}

static void make_list(int32_t number, struct buf *out)
{
	struct list_offsets_request_topics_partitions partition =
		list_offsets_request_topics_partitions_defaults;
	struct list_offsets_request_topics topic = list_offsets_request_topics_defaults;
	struct list_offsets_request body = list_offsets_request_defaults;

	partition.partition_index = number;
	partition.timestamp = -2;
	topic.name = str_of("bench");
	topic.partitions = &partition;
	topic.partitions_count = 1;
	body.replica_id = -1;
	body.topics = &topic;
	body.topics_count = 1;
	frame_of(API_LIST_OFFSETS, 5, &body, out);
}

static void make_offset_fetch(int32_t number, struct buf *out)
{
	struct offset_fetch_request_topics topic = offset_fetch_request_topics_defaults;
	struct offset_fetch_request body = offset_fetch_request_defaults;

	topic.name = str_of("bench");
	topic.partition_indexes = &number;
	topic.partition_indexes_count = 1;
	body.group_id = str_of("bench");
	body.topics = &topic;
	body.topics_count = 1;
	frame_of(API_OFFSET_FETCH, 5, &body, out);
}

/* ---- the server ---- */

static struct server start_serve(void)
{
	static const char *const words[] = {"serve",   "--listen", "127.0.0.1:0", "--with-parent",
					    "--topic", TOPIC,	   "--control",	  "off"};

	return start_command(words, 8);
}

/* What the mock says to each: the recording. */
static void record(void)
{
	struct server s = start_serve();
	int fd = dial(s.port);

	for (int c = 0; c < CONNS; c++)
		for (int k = 0; k < KINDS; k++) {
			put(fd, &requests[c][k]);
			learn(fd, &answers[c][k]);
		}
	close(fd);
	stop(&s);
}

/* ---- the session ---- */

/* A Produce's answer with the offset that it would have had. */
static struct bytes answer_of(int conn, int kind, int64_t offset)
{
	static uint8_t bytes[1 << 12];
	const struct buf *b = &answers[conn][kind];
	/* correlation id and tags, topics, name, partitions, index, error */
	size_t at = 4 + 1 + 1 + 1 + 5 + 1 + 4 + 2;

	memcpy(bytes, b->data + 4, b->len - 4);
	if (kind == 0)
		wire_put64(bytes + at, (uint64_t)offset);
	return (struct bytes){bytes, (int32_t)b->len - 4};
}

static void tell(struct session *s, int conn, int n, int64_t offset, int64_t ask_us,
		 int64_t answer_us)
{
	const struct buf *request = &requests[conn][n % KINDS];
	struct exchange x = {.conn = {.conn = conn + 1, .broker = 1},
			     .request = {request->data + 4, (int32_t)request->len - 4},
			     .response = answer_of(conn, n % KINDS, offset),
			     .request_us = ask_us,
			     .response_us = answer_us};
	struct event ev = {.kind = EVENT_EXCHANGE, .exchange = &x};

	x.request_size = (uint32_t)x.request.len;
	x.response_size = (uint32_t)x.response.len;
	if (frame_read_request(x.request, &x.header, NULL))
		die("a request");
	session_sink(s)->on_event(session_sink(s)->ctx, &ev);
}

static struct session *make_session(void)
{
	struct session *s = session_new(NULL);
	struct error e = ERROR_INIT;
	int64_t offsets[CONNS] = {0};

	for (int n = 0; n < EXCHANGES; n++) {
		int turn = n / (CONNS * PIPELINE), conn = n / PIPELINE % CONNS, i = n % PIPELINE;

		tell(s, conn, i, offsets[conn], 1 + turn * 1000, 501 + turn * 1000);
		offsets[conn] += i % KINDS == 0;
	}
	if (session_end(s, &e)) {
		fprintf(stderr, "%s\n", e.text);
		exit(1);
	}
	return s;
}

/* ---- the two ---- */

static double cpu_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)u.ru_utime.tv_sec + (double)u.ru_utime.tv_usec / 1e6;
}

/* Exchanges a second. */
static double replay(const struct session *session, const struct seen *seen, double *ret_cpu_us)
{
	struct server s = start_serve();
	struct loop *l = loop_new();
	struct replay_client_options o = {.session = session,
					  .seen = seen,
					  .to = {.host = "127.0.0.1", .port = s.port},
					  .settle_us = REPLAY_SETTLE_US,
					  .answer_us = REPLAY_ANSWER_US};
	struct replay_totals totals;
	struct error e = ERROR_INIT;
	double cpu = cpu_s();
	int64_t start_us = clock_now().mono_us, took_us;

	if (replay_client_run(l, &o, &totals, &e)) {
		fprintf(stderr, "%s\n", e.text);
		exit(1);
	}
	took_us = clock_now().mono_us - start_us;
	*ret_cpu_us = (cpu_s() - cpu) * 1e6 / EXCHANGES;
	if (totals.equal != EXCHANGES)
		fprintf(stderr, "only %llu of %d are equal\n", (unsigned long long)totals.equal,
			EXCHANGES);
	loop_free(l);
	stop(&s);
	return EXCHANGES * 1e6 / (double)took_us;
}

/* All answers of one turn, whichever comes first. */
static void count_answers(const int *fds, size_t *left)
{
	static uint8_t bytes[1 << 20];
	struct pollfd p[CONNS];
	int open = CONNS;

	while (open) {
		for (int c = 0; c < CONNS; c++)
			p[c] = (struct pollfd){.fd = left[c] ? fds[c] : -1, .events = POLLIN};
		if (poll(p, CONNS, -1) < 0)
			die("poll");
		for (int c = 0; c < CONNS; c++) {
			ssize_t n =
				p[c].revents
					? recv(fds[c], bytes,
					       left[c] < sizeof(bytes) ? left[c] : sizeof(bytes), 0)
					: 0;

			if (n < 0)
				die("recv");
			left[c] -= (size_t)n;
			open -= n && !left[c];
		}
	}
}

static double bare(double *ret_cpu_us)
{
	struct server s = start_serve();
	struct buf turns[CONNS];
	size_t left[CONNS], size[CONNS] = {0};
	double cpu = cpu_s();
	int64_t start_us = clock_now().mono_us;
	int fds[CONNS];

	for (int c = 0; c < CONNS; c++) {
		buf_init(&turns[c], 1 << 20);
		for (int i = 0; i < PIPELINE; i++) {
			buf_add(&turns[c], requests[c][i % KINDS].data, requests[c][i % KINDS].len);
			size[c] += answers[c][i % KINDS].len;
		}
		fds[c] = dial(s.port);
	}
	for (int t = 0; t < TURNS; t++) {
		for (int c = 0; c < CONNS; c++) {
			put(fds[c], &turns[c]);
			left[c] = size[c];
		}
		count_answers(fds, left);
	}
	for (int c = 0; c < CONNS; c++) {
		close(fds[c]);
		buf_release(&turns[c]);
	}
	*ret_cpu_us = (cpu_s() - cpu) * 1e6 / EXCHANGES;
	start_us = clock_now().mono_us - start_us;
	stop(&s);
	return EXCHANGES * 1e6 / (double)start_us;
}

int main(void)
{
	double ours[ROUNDS], theirs[ROUNDS], our_cpu[ROUNDS], their_cpu[ROUNDS], speed;
	struct session *session;
	struct seen *seen;

	for (int c = 0; c < CONNS; c++) {
		make_small_produce(c, &requests[c][0]);
		make_list(c, &requests[c][1]);
		make_offset_fetch(c, &requests[c][2]);
	}
	record();
	session = make_session();
	seen = seen_new(session);
	for (int r = 0; r < ROUNDS; r++) {
		ours[r] = replay(session, seen, &our_cpu[r]);
		theirs[r] = bare(&their_cpu[r]);
	}
	speed = median(ours, ROUNDS);
	printf("  %.1f us of user CPU each; a bare peer %.0f/s with %.1f us: ratio %.2f\n",
	       median(our_cpu, ROUNDS), median(theirs, ROUNDS), median(their_cpu, ROUNDS),
	       speed / median(theirs, ROUNDS));
	goal_line(GOAL_AT_LEAST, GOAL, speed, "/s",
		  "replay as client, exchanges over %d connections of %d in flight", CONNS,
		  PIPELINE);
	seen_free(seen);
	session_free(session);
	return goals_missed();
}
