/* The service through real sockets on loopback, its loop turned by the test. Nothing sleeps: a
 * test turns the loop until what it waits for is there, or a limit that no good run comes near. */
#include "tests/test.h"

#include "mock/state.h"
#include "net/conn.h"
#include "net/listener.h"
#include "protocol/batch_builder.h"
#include "protocol/kafka_error.h"
#include "protocol/messages.h"
#include "protocol/wire.h"
#include "service/service.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_US 10000000

/* Events in short words, for comparing. */
struct heard {
	struct event_sink sink;
	struct buf text;
};

struct place {
	struct loop *loop;
	struct service *service;
	struct heard heard;
	uint16_t port;
	size_t conns, frames; /* at the start */
};

static void on_event(void *ctx, const struct event *ev)
{
	static const char *const states[] = {"answered", "no-answer", "lost", "orphan"};
	struct heard *h = ctx;

	switch (ev->kind) {
	case EVENT_EXCHANGE:
		buf_printf(&h->text, "%s#%d %s; ", api_name(ev->exchange->header.api_key),
			   ev->exchange->header.correlation_id, states[ev->exchange->state]);
		break;
	case EVENT_RULE:
		buf_printf(&h->text, STR_FMT " " STR_FMT "; ", STR_ARG(ev->rule.name),
			   STR_ARG(ev->rule.what));
		break;
	case EVENT_CONN_CLOSED:
		buf_printf(&h->text, "closed %d" STR_FMT "; ", ev->conn.how, STR_ARG(ev->conn.why));
		break;
	case EVENT_CLUSTER:
	case EVENT_LOG:
		break;
	default:
		buf_printf(&h->text, "%s; ", event_kind_name(ev->kind));
	}
}

static void open_place(struct place *p, const char *rule)
{
	struct service_address listen = {"127.0.0.1", 0};
	struct service_config config = {.listen = &listen};
	struct error e = ERROR_INIT;

	*p = (struct place){.conns = conn_count(), .frames = shared_count()};
	config.cluster.brokers = 1;
	config.cluster.seed = 1;
	config.cluster.auto_create = true;
	p->loop = loop_new();
	p->service = service_new(p->loop, &config, &e);
	buf_init(&p->heard.text, 1 << 20);
	p->heard.sink = (struct event_sink){.on_event = on_event, .ctx = &p->heard};
	event_bus_add(service_events(p->service), &p->heard.sink);
	if (rule)
		CHECK(service_add_rule(p->service, str_of("r"), str_of(rule), &e) != NULL);
	CHECK_EQ(service_start(p->service, &e), 0);
	CHECK_TEXT(e.text, "");
	p->port = (uint16_t)strtol(strchr(service_bootstrap(p->service), 58) + 1, NULL, 10);
}

/* Everything that the service took is given back. */
static void close_place(struct place *p)
{
	service_free(p->service);
	loop_turn(p->loop, 0);
	loop_free(p->loop);
	buf_release(&p->heard.text);
	CHECK_EQ(conn_count(), p->conns);
	CHECK_EQ(shared_count(), p->frames);
}

static int dial(const struct place *p)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(p->port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to))) {
		close(fd);
		return -1;
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static void put(int fd, const void *data, size_t len)
{
	CHECK_EQ(send(fd, data, len, MSG_NOSIGNAL), len);
}

/* A request with an empty Metadata, Heartbeat or ApiVersions body. */
static void ask(int fd, int api, int version, int32_t correlation_id)
{
	const struct message *m = message_of_api(api, MESSAGE_REQUEST);
	struct gather g;
	struct buf flat;
	struct error e = ERROR_INIT;
	void *body = malloc(m->schema->size);

	codec_init(m->schema, body);
	if (api == API_METADATA)
		((struct metadata_request *)body)->topics_count = 0;
	if (api == API_HEARTBEAT)
		((struct heartbeat_request *)body)->group_id = str_of("g");
	if (api == API_API_VERSIONS) {
		((struct api_versions_request *)body)->client_software_name = str_of("t");
		((struct api_versions_request *)body)->client_software_version = str_of("1");
	}
	gather_init(&g, 1 << 16);
	buf_init(&flat, 1 << 16);
	CHECK_EQ(frame_write_request(&g, api, version, correlation_id, str_of("test"), body, &e),
		 0);
	gather_flatten(&g, &flat);
	put(fd, flat.data, flat.len);
	gather_release(&g);
	buf_release(&flat);
	free(body);
}

/* Turns the loop until so many bytes can be read, or the peer is gone. Returns how many came; *ret
 * _end: 0 still open, 1 FIN, 2 reset. */
static size_t take(struct place *p, int fd, uint8_t *to, size_t len, int *ret_end)
{
	int64_t until = clock_now().mono_us + PATIENCE_US;
	size_t have = 0;

	*ret_end = 0;
	while (have < len && clock_now().mono_us < until) {
		ssize_t n = recv(fd, to + have, len - have, 0);

		if (n > 0) {
			have += (size_t)n;
			continue;
		}
		if (n == 0 || errno != EAGAIN) {
			*ret_end = n == 0 ? 1 : 2;
			return have;
		}
		loop_turn(p->loop, 20000);
	}
	return have;
}

/* The next answer's correlation id; -1 for a FIN, -2 for a reset, -3 for neither in time. */
static int32_t answer(struct place *p, int fd)
{
	static uint8_t bytes[1 << 16];
	int end;

	if (take(p, fd, bytes, 4, &end) < 4)
		return end ? -end : -3;
	CHECK(wire_u32(bytes) < sizeof(bytes));
	if (take(p, fd, bytes, wire_u32(bytes), &end) < 4)
		return end ? -end : -3;
	return (int32_t)wire_u32(bytes);
}

/* Turns until the service has heard this; false if it never does. */
static bool hears(struct place *p, const char *words)
{
	int64_t until = clock_now().mono_us + PATIENCE_US;

	while (!strstr(buf_cstr(&p->heard.text), words) && clock_now().mono_us < until)
		loop_turn(p->loop, 20000);
	return strstr(buf_cstr(&p->heard.text), words) != NULL;
}

TEST(rule_3_requests_sent_together_are_answered_in_order)
{
	struct place p;
	int fd;

	open_place(&p, NULL);
	fd = dial(&p);
	for (int32_t i = 1; i <= 200; i++)
		ask(fd, i % 2 ? API_METADATA : API_API_VERSIONS, 3, i);
	for (int32_t i = 1; i <= 200; i++)
		CHECK_EQ(answer(&p, fd), i);
	close(fd);
	CHECK(hears(&p, "closed 0"));
	CHECK_EQ(service_connections(p.service), 0);
	CHECK_EQ(service_connections_total(p.service), 1);
	close_place(&p);
}

TEST(a_frame_may_come_byte_by_byte)
{
	struct place p;
	uint8_t frame[] = {0, 0, 0, 12, 0, 18, 0, 0, 0, 0, 0, 7, 0, 2, 'm', 'e'};
	int fd;

	open_place(&p, NULL);
	fd = dial(&p);
	for (size_t i = 0; i < sizeof(frame); i++) {
		put(fd, frame + i, 1);
		loop_turn(p.loop, 0);
	}
	CHECK_EQ(answer(&p, fd), 7);
	close(fd);
	close_place(&p);
}

TEST(a_client_that_closed_its_side_still_gets_its_answers)
{
	struct place p;
	int fd;

	open_place(&p, "Metadata nth=1 -> delay 20ms");
	fd = dial(&p);
	ask(fd, API_METADATA, 1, 1);
	ask(fd, API_METADATA, 1, 2);
	shutdown(fd, SHUT_WR);
	CHECK_EQ(answer(&p, fd), 1);
	CHECK_EQ(answer(&p, fd), 2);
	CHECK_EQ(answer(&p, fd), -1);
	close(fd);
	close_place(&p);
}

/* semantics: rule 1 */
TEST(rule_1_what_no_broker_would_read_ends_its_connection_and_no_other)
{
	static const struct {
		const char *hex, *why;
	} cases[] = {
		{"00000000", "it announced a frame of 0 bytes"},
		{"ffffffff", "it announced a frame of -1 bytes"},
		{"06400001", "it announced a frame of 104857601 bytes"},
		{"7fffffff00000000", "it announced a frame of 2147483647 bytes"},
		{"0000000c 0001 7fff 00000001 0000 0000", "it sent Fetch version 32767"},
		{"0000000c 03e7 0000 00000001 0000 0000", "it sent the API key 999"},
		{"0000000c ffff 0000 00000001 0000 0000", "it sent the API key -1"},
		{"0000000c 0034 0000 00000001 0000 0000", "it sent Vote version 0"},
		{"00000003 000300", "a request of 3 bytes has no whole header"},
		{"0000000a 0003 0001 00000001 0009", "a request of 10 bytes has no whole header"},
		{"0000000e 0003 0001 00000001 0000 00000005", "Metadata version 1 can't be read"},
		{"474554202f20485454502f312e310d0a0d0a", "it speaks HTTP"},
		{"1603010200010001fc0303", "it speaks TLS"},
	};
	struct place p;
	int good;

	open_place(&p, NULL);
	good = dial(&p);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len;
		uint8_t *bytes = test_hex(cases[i].hex, &len);
		int fd = dial(&p);
		int32_t end;

		put(fd, bytes, len);
		end = answer(&p, fd);
		if (end != -1 && end != -2)
			CHECK_TEXT(cases[i].hex, "ends the connection");
		if (!strstr(buf_cstr(&p.heard.text), cases[i].why))
			CHECK_TEXT(buf_cstr(&p.heard.text), cases[i].why);
		buf_reset(&p.heard.text);
		close(fd);
		free(bytes);
		ask(good, API_METADATA, 1, (int32_t)i);
		CHECK_EQ(answer(&p, good), i);
	}
	close(good);
	close_place(&p);
}

/* semantics: rules 2 and 4 */
TEST(rule_2_trailing_bytes_are_ignored_and_an_unknown_api_versions_is_answered)
{
	struct place p;
	size_t len;
	uint8_t *bytes = test_hex("00000010 0003 0001 00000005 ffff ffffffff 7777", &len);
	int fd;

	open_place(&p, NULL);
	fd = dial(&p);
	put(fd, bytes, len);
	CHECK_EQ(answer(&p, fd), 5);
	free(bytes);
	bytes = test_hex("0000000a 0012 7fff 00000006 ffff", &len);
	put(fd, bytes, len);
	CHECK_EQ(answer(&p, fd), 6);
	free(bytes);
	close(fd);
	close_place(&p);
}

TEST(close_before_and_after_end_the_connection_without_an_answer)
{
	static const char *const rules[] = {"Metadata nth=2 -> close",
					    "Metadata nth=2 -> close after"};

	for (size_t i = 0; i < 2; i++) {
		struct place p;
		int fd;

		open_place(&p, rules[i]);
		fd = dial(&p);
		ask(fd, API_METADATA, 1, 1);
		CHECK_EQ(answer(&p, fd), 1);
		ask(fd, API_METADATA, 1, 2);
		CHECK_EQ(answer(&p, fd), -1);
		CHECK_TEXT(
			buf_cstr(&p.heard.text),
			"conn-opened; Metadata#1 answered; r fired; Metadata#2 lost; closed 1; ");
		close(fd);
		close_place(&p);
	}
}

TEST(reset_is_a_reset)
{
	struct place p;
	int fd;

	open_place(&p, "Metadata -> reset");
	fd = dial(&p);
	ask(fd, API_METADATA, 1, 1);
	CHECK_EQ(answer(&p, fd), -2);
	CHECK(hears(&p, "closed 3"));
	close(fd);
	close_place(&p);
}

TEST(close_at_a_byte_sends_just_so_many)
{
	struct place p;
	uint8_t bytes[64];
	int fd, end;

	open_place(&p, "Metadata -> close at=7");
	fd = dial(&p);
	ask(fd, API_METADATA, 1, 1);
	CHECK_EQ(take(&p, fd, bytes, sizeof(bytes), &end), 7);
	CHECK_EQ(end, 1);
	CHECK(hears(&p, "Metadata#1 lost; closed 1"));
	close(fd);
	close_place(&p);
}

TEST(delay_waits_so_long_and_what_is_behind_it_too)
{
	static const char *const rules[] = {"Metadata nth=1 -> delay 30ms",
					    "Metadata nth=1 -> delay 30ms after"};

	for (size_t i = 0; i < 2; i++) {
		struct place p;
		int64_t start;
		int fd;

		open_place(&p, rules[i]);
		fd = dial(&p);
		start = clock_now().mono_us;
		ask(fd, API_METADATA, 1, 1);
		ask(fd, API_API_VERSIONS, 1, 2);
		CHECK_EQ(answer(&p, fd), 1);
		CHECK(clock_now().mono_us - start >= 30000);
		CHECK_EQ(answer(&p, fd), 2);
		close(fd);
		close_place(&p);
	}
}

TEST(an_error_is_answered_and_the_work_not_done)
{
	struct place p;
	int fd;

	open_place(&p, "Heartbeat -> error REBALANCE_IN_PROGRESS");
	fd = dial(&p);
	ask(fd, API_HEARTBEAT, 3, 1);
	CHECK_EQ(answer(&p, fd), 1);
	CHECK(strstr(buf_cstr(&p.heard.text), "r fired; Heartbeat#1 answered") != NULL);
	close(fd);
	close_place(&p);
}

TEST(a_rule_on_the_answers_error_sees_it)
{
	struct place p;
	int fd;

	open_place(&p, "Heartbeat error=UNKNOWN_MEMBER_ID -> close after");
	fd = dial(&p);
	ask(fd, API_HEARTBEAT, 3, 1);
	CHECK_EQ(answer(&p, fd), -1);
	close(fd);
	close_place(&p);
}

TEST(a_dropped_request_is_never_answered_and_the_next_one_is)
{
	static const char *const rules[] = {"Metadata nth=1 -> drop",
					    "Metadata nth=1 -> drop after"};

	for (size_t i = 0; i < 2; i++) {
		struct place p;
		int fd;

		open_place(&p, rules[i]);
		fd = dial(&p);
		ask(fd, API_METADATA, 1, 1);
		ask(fd, API_METADATA, 1, 2);
		CHECK_EQ(answer(&p, fd), 2);
		CHECK(strstr(buf_cstr(&p.heard.text), "Metadata#1 lost") != NULL);
		close(fd);
		close_place(&p);
	}
}

TEST(silence_reads_and_answers_nothing_any_more)
{
	struct place p;
	int fd, other;

	open_place(&p, "Metadata nth=2 -> silence");
	fd = dial(&p);
	for (int32_t i = 1; i <= 5; i++)
		ask(fd, API_METADATA, 1, i);
	CHECK_EQ(answer(&p, fd), 1);
	CHECK(hears(&p, "Metadata#5 lost"));
	other = dial(&p);
	ask(other, API_METADATA, 1, 9);
	CHECK_EQ(answer(&p, other), 9);
	close(fd);
	close(other);
	close_place(&p);
}

TEST(stop_reading_leaves_the_bytes_in_the_socket_until_its_time_is_over)
{
	struct place p;
	int64_t start;
	int fd;

	open_place(&p, "Metadata nth=1 -> stop-reading 30ms");
	fd = dial(&p);
	start = clock_now().mono_us;
	ask(fd, API_METADATA, 1, 1);
	ask(fd, API_METADATA, 1, 2);
	CHECK_EQ(answer(&p, fd), 1);
	CHECK_EQ(answer(&p, fd), 2);
	CHECK(clock_now().mono_us - start >= 30000);
	close(fd);
	close_place(&p);
}

TEST(a_held_request_blocks_its_connection_until_it_is_released)
{
	struct place p;
	int fd;

	open_place(&p, "Metadata nth=1 -> hold gate");
	fd = dial(&p);
	ask(fd, API_METADATA, 1, 1);
	ask(fd, API_API_VERSIONS, 1, 2);
	CHECK(hears(&p, "r held"));
	CHECK_EQ(service_held(p.service, str_of("gate")), 1);
	CHECK_EQ(service_release(p.service, str_of("other")), 0);
	CHECK_EQ(service_release(p.service, str_of("gate")), 1);
	CHECK_EQ(answer(&p, fd), 1);
	CHECK_EQ(answer(&p, fd), 2);
	CHECK_TEXT(buf_cstr(&p.heard.text),
		   "conn-opened; r fired; r held; r released; Metadata#1 answered; ApiVersions#2 "
		   "answered; ");
	close(fd);
	close_place(&p);
}

TEST(answers_may_overtake_a_held_answer_only_if_the_rule_says_so)
{
	struct place p;
	int fd;

	open_place(&p, "Metadata nth=1 -> hold gate answer overtake=answers");
	fd = dial(&p);
	ask(fd, API_METADATA, 1, 1);
	ask(fd, API_METADATA, 1, 2);
	CHECK_EQ(answer(&p, fd), 2);
	service_release(p.service, str_of("gate"));
	CHECK_EQ(answer(&p, fd), 1);
	close(fd);
	close_place(&p);

	open_place(&p, "Metadata nth=1 -> hold gate answer overtake=work");
	service_add_rule(p.service, str_of("seen"), str_of("ApiVersions -> observe"), NULL);
	fd = dial(&p);
	ask(fd, API_METADATA, 1, 1);
	ask(fd, API_API_VERSIONS, 1, 2);
	CHECK(hears(&p, "r held; seen fired"));
	service_release(p.service, str_of("gate"));
	CHECK_EQ(answer(&p, fd), 1);
	CHECK_EQ(answer(&p, fd), 2);
	close(fd);
	close_place(&p);
}

TEST(bytes_of_an_answer_are_hurt_as_asked)
{
	static const struct {
		const char *rule;
		const char *hex; /* what comes, at its start */
	} cases[] = {
		{"Heartbeat -> length -2", "fffffffe 00000001 00000000 0019"},
		{"Heartbeat -> correlation 258", "0000000a 00000102 00000000 0019"},
		{"Heartbeat -> cut 9", "00000005 00000001 00"},
		{"Heartbeat -> garbage c0ffee", "c0ffee"},
		{"Heartbeat -> flip 13", "0000000a 00000001 00000000 0018"},
		{"Heartbeat -> flip errorCode", "0000000a 00000001 00000000 0018"},
		{"Heartbeat -> set errorCode=258", "0000000a 00000001 00000000 0102"},
		{"Heartbeat -> twice",
		 "0000000a 00000001 00000000 0019 0000000a 00000001 00000000 0019"},
		{"Heartbeat -> throttle 5s mute=no", "0000000a 00000001 00001388 0019"},
		{"Heartbeat -> chunk 1", "0000000a 00000001 00000000 0019"},
		{"Heartbeat -> slow 1000/s", "0000000a 00000001 00000000 0019"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct place p;
		uint8_t bytes[64];
		size_t len;
		uint8_t *expected = test_hex(cases[i].hex, &len);
		int fd, end;

		open_place(&p, cases[i].rule);
		fd = dial(&p);
		ask(fd, API_HEARTBEAT, 3, 1);
		CHECK_EQ(take(&p, fd, bytes, len, &end), len);
		CHECK_BYTES(bytes, len, expected, len);
		CHECK(hears(&p, "Heartbeat#1 answered"));
		CHECK(recv(fd, bytes, 1, 0) < 0);
		free(expected);
		close(fd);
		close_place(&p);
	}
}

TEST(an_unknown_tag_goes_into_versions_that_have_tags)
{
	struct place p;
	uint8_t bytes[64];
	size_t len;
	uint8_t *expected = test_hex("00000012 00000001 00 00000000 0019 01 8f4e 03 746167", &len);
	int fd, end;

	open_place(&p, "Heartbeat -> tag 9999");
	fd = dial(&p);
	ask(fd, API_HEARTBEAT, 4, 1);
	take(&p, fd, bytes, len, &end);
	CHECK_BYTES(bytes, len, expected, len);
	free(expected);
	close(fd);
	close_place(&p);
}

TEST(rule_7_a_throttled_connection_is_muted_for_that_time)
{
	struct place p;
	int64_t start;
	int fd;

	open_place(&p, "Metadata nth=1 -> throttle 30ms");
	fd = dial(&p);
	start = clock_now().mono_us;
	ask(fd, API_METADATA, 3, 1);
	ask(fd, API_METADATA, 3, 2);
	CHECK_EQ(answer(&p, fd), 1);
	CHECK_EQ(answer(&p, fd), 2);
	CHECK(clock_now().mono_us - start >= 30000);
	close(fd);
	close_place(&p);
}

/* A frame with a body of the test's choice. */
static void ask_body(int fd, int api, int version, int32_t correlation_id, const void *body)
{
	struct gather g;
	struct buf flat;
	struct error e = ERROR_INIT;

	gather_init(&g, 1 << 16);
	buf_init(&flat, 1 << 16);
	CHECK_EQ(frame_write_request(&g, api, version, correlation_id, str_of("test"), body, &e),
		 0);
	gather_flatten(&g, &flat);
	put(fd, flat.data, flat.len);
	gather_release(&g);
	buf_release(&flat);
}

/* Produce of one record. */
static void ask_produce(int fd, int32_t correlation_id, struct bytes value)
{
	struct produce_request_topic_data_partition_data partition =
		DEFAULTS_produce_request_topic_data_partition_data;
	struct produce_request_topic_data topic = DEFAULTS_produce_request_topic_data;
	struct produce_request q = DEFAULTS_produce_request;
	struct batch_options options = BATCH_OPTIONS_INIT;
	struct batch_builder b;
	struct buf batch;

	buf_init(&batch, 1 << 16);
	batch_builder_init(&b, &options, &batch);
	batch_builder_add(&b, 1700000000000, (struct bytes){NULL, 0}, value, NULL, 0);
	CHECK_EQ(batch_builder_end(&b, NULL), 0);
	batch_builder_release(&b);
	partition.records = (struct records){batch.data, (int32_t)batch.len, 0};
	topic.name = str_of("t");
	topic.partition_data = &partition;
	topic.partition_data_count = 1;
	q.acks = 1;
	q.topic_data = &topic;
	q.topic_data_count = 1;
	ask_body(fd, API_PRODUCE, 7, correlation_id, &q);
	buf_release(&batch);
}

static void produce_one(struct place *p, int fd)
{
	ask_produce(fd, 1, (struct bytes){(const uint8_t *)"v", 1});
	CHECK_EQ(answer(p, fd), 1);
}

/* Whether the batch that a Fetch gives has a right checksum. */
static bool fetched_crc_ok(struct place *p, int fd)
{
	struct fetch_request_topics_partitions partition = DEFAULTS_fetch_request_topics_partitions;
	struct fetch_request_topics topic = DEFAULTS_fetch_request_topics;
	struct fetch_request q = DEFAULTS_fetch_request;
	static uint8_t bytes[1 << 12];
	const uint8_t *magic;
	struct records_reader reader;
	struct batch b = {0};
	int end;
	uint32_t len;

	partition.partition_max_bytes = 1 << 16;
	topic.topic = str_of("t");
	topic.partitions = &partition;
	topic.partitions_count = 1;
	q.topics = &topic;
	q.topics_count = 1;
	ask_body(fd, API_FETCH, 4, 2, &q);
	take(p, fd, bytes, 4, &end);
	len = wire_u32(bytes);
	take(p, fd, bytes, len, &end);
	magic = bytes + len - 69; /* the batch of one record "v" ends the answer */
	records_reader_init(&reader, magic, 69);
	CHECK_EQ(records_next(&reader, &b, NULL), 1);
	return batch_crc_ok(&b);
}

TEST(a_wrong_crc_is_in_the_answer_and_not_in_the_log)
{
	struct place p;
	int fd;

	open_place(&p, "Fetch nth=1 -> crc");
	CHECK_EQ(service_create_topic(p.service, str_of("t"), 1, 1, 1, NULL), 0);
	fd = dial(&p);
	produce_one(&p, fd);
	CHECK(!fetched_crc_ok(&p, fd));
	CHECK(fetched_crc_ok(&p, fd));
	close(fd);
	close_place(&p);
}

#define LETTER_SIZE 9000 /* such frames are worked on where they were read */

static void ask_letters(int fd, int32_t correlation_id, char letter)
{
	static uint8_t value[LETTER_SIZE];

	memset(value, letter, sizeof(value));
	ask_produce(fd, correlation_id, (struct bytes){value, sizeof(value)});
}

/* What the log holds, a letter for each record; '?' for one that is not whole. */
static void logged_letters(struct place *p, char ret_text[20])
{
	const struct partition *at =
		partition_find(topic_find(service_cluster(p->service), str_of("t")), 0);
	struct buf flat;
	size_t n = 0;

	buf_init(&flat, 1 << 16);
	for (; n < at->log.count; n++) {
		struct bytes b = log_flatten(log_at(&at->log, n), &flat);
		struct batch batch;

		CHECK_EQ(batch_read(b.data, (size_t)b.len, &batch, NULL), 0);
		ret_text[n] = batch_crc_ok(&batch) ? (char)b.data[b.len - 2] : '?';
	}
	ret_text[n] = '\0';
	buf_release(&flat);
}

TEST(a_large_frame_that_is_held_outlives_what_is_read_after_it)
{
	struct place p;
	char letters[20];
	int held, other;

	open_place(&p, "Produce nth=1 -> hold gate");
	CHECK_EQ(service_create_topic(p.service, str_of("t"), 1, 1, 1, NULL), 0);
	held = dial(&p);
	ask_letters(held, 1, 'a');
	ask_letters(held, 2, 'b'); /* waits behind it */
	CHECK(hears(&p, "r held"));
	other = dial(&p);
	for (int32_t i = 0; i < 5; i++)
		ask_letters(other, i, (char)('c' + i));
	for (int32_t i = 0; i < 5; i++)
		CHECK_EQ(answer(&p, other), i);
	service_release(p.service, str_of("gate"));
	CHECK_EQ(answer(&p, held), 1);
	CHECK_EQ(answer(&p, held), 2);
	logged_letters(&p, letters);
	CHECK_TEXT(letters, "cdefgab");
	close(held);
	close(other);
	close_place(&p);
}

TEST(a_slowed_answer_takes_its_time)
{
	struct place p;
	int64_t start;
	int fd;

	open_place(&p, "Heartbeat -> slow 200/s");
	fd = dial(&p);
	start = clock_now().mono_us;
	ask(fd, API_HEARTBEAT, 3, 1);
	CHECK_EQ(answer(&p, fd), 1);
	CHECK(clock_now().mono_us - start >= 60000); /* 14 bytes, 4 each 20 ms */
	close(fd);
	close_place(&p);
}

TEST(a_client_that_floods_is_read_only_as_far_as_the_limits)
{
	struct place p;
	int fd;

	open_place(&p, "Metadata nth=1 -> hold gate");
	fd = dial(&p);
	for (int32_t i = 1; i <= 300; i++)
		ask(fd, API_METADATA, 1, i);
	CHECK(hears(&p, "r held"));
	for (int i = 0; i < 10; i++)
		loop_turn(p.loop, 0);
	CHECK(shared_count() - p.frames <= CONN_FRAMES_MAX + 2); /* the held one, the scratch */
	service_release(p.service, str_of("gate"));
	for (int32_t i = 1; i <= 300; i++)
		CHECK_EQ(answer(&p, fd), i);
	close(fd);
	close_place(&p);
}

TEST(stopping_loses_what_is_under_way_and_says_so)
{
	struct place p;
	int fd;

	open_place(&p, "Metadata -> hold gate");
	fd = dial(&p);
	ask(fd, API_METADATA, 1, 1);
	ask(fd, API_METADATA, 1, 2);
	CHECK(hears(&p, "r held"));
	service_stop(p.service);
	CHECK_TEXT(buf_cstr(&p.heard.text),
		   "conn-opened; r fired; r held; Metadata#1 lost; Metadata#2 lost; closed 1; ");
	close(fd);
	close_place(&p);
}

/* ---- listeners ---- */

static void on_accept(void *ctx, int fd, const struct net_address *client,
		      const struct net_address *server)
{
	int *count = ctx;

	(void)client;
	(void)server;
	++*count;
	close(fd);
}

static const struct listener_callbacks counting = {on_accept};

TEST(a_listener_that_is_down_refuses_and_keeps_its_port)
{
	struct loop *loop = loop_new();
	struct error e = ERROR_INIT;
	int count = 0, fd;
	struct listener *l = listener_new(loop, "127.0.0.1", 0, &counting, &count, &e);
	struct place p = {.port = listener_port(l)};

	fd = dial(&p);
	CHECK(fd >= 0);
	loop_turn(loop, 20000);
	CHECK_EQ(count, 1);
	close(fd);
	CHECK_EQ(listener_down(l, &e), 0);
	CHECK_EQ(dial(&p), -1);
	CHECK_EQ(errno, ECONNREFUSED);
	CHECK(listener_new(loop, "127.0.0.1", p.port, &counting, &count, &e) == NULL);
	CHECK_EQ(listener_up(l, &e), 0);
	fd = dial(&p);
	CHECK(fd >= 0);
	loop_turn(loop, 20000);
	CHECK_EQ(count, 2);
	close(fd);
	listener_free(l);
	loop_free(loop);
}

TEST(without_descriptors_accepting_pauses_and_then_goes_on)
{
	struct rlimit old, tight;
	struct place p;
	int fds[4], probe;

	open_place(&p, NULL);
	for (int i = 0; i < 4; i++)
		fds[i] = dial(&p);
	probe = dup(0);
	getrlimit(RLIMIT_NOFILE, &old);
	tight = old;
	tight.rlim_cur = (rlim_t)probe + 2; /* two more than are open now */
	setrlimit(RLIMIT_NOFILE, &tight);
	close(probe);
	for (int i = 0; i < 4; i++)
		ask(fds[i], API_METADATA, 1, i);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(answer(&p, fds[i]), i);
	CHECK_EQ(service_connections(p.service), 2);
	setrlimit(RLIMIT_NOFILE, &old);
	for (int i = 2; i < 4; i++)
		CHECK_EQ(answer(&p, fds[i]), i);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	close_place(&p);
}
