/* A million records of 100 bytes from one librdkafka producer and back to one of its consumers, and
 * what they cost the server in memory. The client is most of the work; the best of several rounds,
 * each with a server of its own, so that a busy machine shows less. */
#include "base/clock.h"
#include "bench/goal.h"
#include "bench/served.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORDS	 1000000
#define RECORD	 100
#define ROUNDS	 3
#define AT_ONCE	 10000	/* messages that a poll takes */
#define PATIENCE 120000 /* ms */
#define WARM	 ((size_t)1 << 30)

/* What a real 4.4.0 was measured with on two cores, and kfake's memory (issue 5). */
#define PRODUCE_GOAL 1.9e6
#define CONSUME_GOAL 3.1e6
#define MEMORY_GOAL  240

struct taken {
	double produce, consume; /* records a second */
	double memory;		 /* bytes a record */
	double cpu;		 /* us of the server's processor time a record, both ways */
};

static void set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
	char text[200];

	if (rd_kafka_conf_set(conf, key, value, text, sizeof(text)) != RD_KAFKA_CONF_OK) {
		fprintf(stderr, "%s: %s\n", key, text);
		exit(2);
	}
}

static rd_kafka_t *client(rd_kafka_type_t type, rd_kafka_conf_t *conf, uint16_t port)
{
	char where[40], text[200];
	rd_kafka_t *rk;

	snprintf(where, sizeof(where), "127.0.0.1:%u", port);
	set(conf, "bootstrap.servers", where);
	rk = rd_kafka_new(type, conf, text, sizeof(text));
	if (!rk) {
		fprintf(stderr, "%s\n", text);
		exit(2);
	}
	return rk;
}

static int64_t delivered;

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *ctx)
{
	(void)rk;
	(void)ctx;
	if (m->err) {
		fprintf(stderr, "a record was not delivered: %s\n", rd_kafka_err2str(m->err));
		exit(2);
	}
	delivered++;
}

static double produce(uint16_t port)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char value[RECORD];
	rd_kafka_topic_t *topic;
	rd_kafka_t *rk;
	int64_t start;

	set(conf, "queue.buffering.max.messages", "2000000");
	set(conf, "linger.ms", "5");
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	rk = client(RD_KAFKA_PRODUCER, conf, port);
	topic = rd_kafka_topic_new(rk, "bench", NULL);
	memset(value, 'x', sizeof(value));
	delivered = 0;
	start = clock_now().mono_us;
	for (int i = 0; i < RECORDS; i++) {
		if (rd_kafka_produce(topic, 0, RD_KAFKA_MSG_F_COPY, value, sizeof(value), NULL, 0,
				     NULL))
			die("rd_kafka_produce");
		if (i % AT_ONCE == 0)
			rd_kafka_poll(rk, 0);
	}
	if (rd_kafka_flush(rk, PATIENCE) || delivered != RECORDS)
		die("not all records were delivered");
	start = clock_now().mono_us - start;
	rd_kafka_topic_destroy(topic);
	rd_kafka_destroy(rk);
	return RECORDS * 1e6 / (double)start;
}

/* From the first record on: librdkafka waits for half a second of its own before it asks for it,
 * whatever the broker. */
static double consume(uint16_t port)
{
	static rd_kafka_message_t *messages[AT_ONCE];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_topic_t *topic;
	rd_kafka_t *rk;
	int64_t first = 0, until, count = 0;

	set(conf, "queued.min.messages", "1000000");
	rk = client(RD_KAFKA_CONSUMER, conf, port);
	topic = rd_kafka_topic_new(rk, "bench", NULL);
	until = clock_now().mono_us + (int64_t)PATIENCE * 1000;
	if (rd_kafka_consume_start(topic, 0, RD_KAFKA_OFFSET_BEGINNING))
		die("rd_kafka_consume_start");
	while (count < RECORDS && clock_now().mono_us < until) {
		ssize_t n = rd_kafka_consume_batch(topic, 0, 1000, messages, AT_ONCE);

		first = n > 0 && !first ? clock_now().mono_us : first;
		for (ssize_t i = 0; i < n; i++) {
			if (!messages[i]->err && messages[i]->offset != count++)
				die("a record is not where it should be");
			rd_kafka_message_destroy(messages[i]);
		}
	}
	first = clock_now().mono_us - first;
	if (count != RECORDS)
		die("not all records came back");
	rd_kafka_consume_stop(topic, 0);
	rd_kafka_topic_destroy(topic);
	rd_kafka_destroy(rk);
	return RECORDS * 1e6 / (double)first;
}

static struct taken one_round(void)
{
	struct server s = start_ktrial(NULL, 0);
	double memory = rss_bytes(s.pid), cpu = cpu_us(s.pid);
	struct taken t = {.produce = produce(s.port)};

	t.memory = (rss_bytes(s.pid) - memory) / RECORDS;
	t.consume = consume(s.port);
	t.cpu = (cpu_us(s.pid) - cpu) / RECORDS;
	stop(&s);
	return t;
}

int main(void)
{
	struct taken best = {0};

	setvbuf(stdout, NULL, _IOLBF, 0);
	warm_memory(WARM);
	printf("%d records of %d bytes, librdkafka %s, best of %d:\n", RECORDS, RECORD,
	       rd_kafka_version_str(), ROUNDS);
	for (int i = 0; i < ROUNDS; i++) {
		struct taken t = one_round();

		printf("  produced %.2f M/s, consumed %.2f M/s, %.0f bytes of memory a record, "
		       "%.3f "
		       "us of the server's processor time a record\n",
		       t.produce / 1e6, t.consume / 1e6, t.memory, t.cpu);
		best.produce = t.produce > best.produce ? t.produce : best.produce;
		best.consume = t.consume > best.consume ? t.consume : best.consume;
		best.memory = t.memory > best.memory ? t.memory : best.memory; /* the worst */
	}
	goal_line(GOAL_AT_LEAST, PRODUCE_GOAL / 1e6, best.produce / 1e6, "M records/s",
		  "librdkafka produces 1,000,000 x 100 bytes");
	goal_line(GOAL_AT_LEAST, CONSUME_GOAL / 1e6, best.consume / 1e6, "M records/s",
		  "librdkafka reads them all back");
	goal_line(GOAL_AT_MOST, MEMORY_GOAL, best.memory, "bytes",
		  "memory for each of its records of 100 bytes");
	return goals_missed();
}
