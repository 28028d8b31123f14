/* Events for checks, made by hand. Owns one run at a time; texts are the caller's for the length of
 * a call. */
#include "tests/checks_fixture.h"

#include "protocol/batch_builder.h"
#include "tests/test.h"

#include <stdarg.h>
#include <stdio.h>

#define START_US  1700000000000000
#define BATCH_MAX 100000

struct checks_run checks_run;
static char actual[1000];

static void begin(const char *name, struct check_scope scope)
{
	memset(&checks_run, 0, sizeof(checks_run));
	arena_init(&checks_run.arena, 1 << 20);
	checks_init(&checks_run.set);
	checks_run.set.history->of_a_run = true;
	checks_run.now_us = START_US;
	checks_run.client = "c";
	checks_run.conn = checks_run.broker = 1;
	checks_run.producer_id = -1;
	checks_run.topic_id.b[0] = 1;
	checks_add(&checks_run.set, check_type_find(str_of(name)), &scope);
}

void checks_begin(const char *name, int64_t number)
{
	begin(name, (struct check_scope){.number = number});
}

void checks_begin_on(const char *name, const char *topic)
{
	begin(name, (struct check_scope){.topic = str_of(topic), .number = -1});
}

void checks_event(struct event ev)
{
	ev.time_us = ev.time_us ? ev.time_us : checks_run.now_us;
	checks_feed(&checks_run.set, &ev);
	checks_run.now_us += 1000;
}

enum finding_result checks_verdict(void)
{
	enum finding_result result;

	checks_end(&checks_run.set, NEEDS_WIRE | NEEDS_LOG | NEEDS_REPORTS);
	result = checks_run.set.list[0].finding.result;
	snprintf(actual, sizeof(actual), STR_FMT, STR_ARG(checks_run.set.list[0].finding.actual));
	checks_release(&checks_run.set);
	arena_release(&checks_run.arena);
	return result;
}

const char *checks_actual(void)
{
	return actual;
}

void checks_wait_ms(int64_t ms)
{
	checks_run.now_us += ms * 1000;
}

void checks_exchange(int api_key, int version, const void *request, const void *response,
		     int64_t took_ms)
{
	struct exchange x = {.conn = {.conn = checks_run.conn,
				      .broker = checks_run.broker,
				      .server = checks_run.server},
			     .state = response ? EXCHANGE_ANSWERED : EXCHANGE_LOST,
			     .arena = &checks_run.arena};

	x.header = (struct frame_header){.api_key = (int16_t)api_key,
					 .api_version = (int16_t)version,
					 .correlation_id = checks_run.correlation_id++,
					 .client_id = str_of(checks_run.client)};
	x.request_us = checks_run.now_us;
	checks_run.now_us += took_ms * 1000;
	x.response_us = response ? checks_run.now_us : 0;
	x.request_body = (void *)(uintptr_t)request;
	x.response_body = (void *)(uintptr_t)response;
	x.request_decoded = x.response_decoded = true;
	checks_event((struct event){.kind = EVENT_EXCHANGE, .exchange = &x});
}

void checks_say(const char *subject, const char *fmt, ...)
{
	char line[500];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	checks_event(
		(struct event){.kind = EVENT_REPORT, .report = {str_of(subject), str_of(line)}});
}

static void append(struct batch_options options, struct bytes key, struct bytes value)
{
	struct event ev = {.kind = EVENT_LOG};
	struct batch_builder b;
	struct buf out;

	buf_init(&out, BATCH_MAX);
	options.base_offset = checks_run.next_offset;
	options.producer_id = checks_run.producer_id;
	options.producer_epoch = checks_run.producer_id < 0 ? -1 : 0;
	options.base_sequence = -1;
	batch_builder_init(&b, &options, &out);
	batch_builder_add(&b, 0, key, value, NULL, 0);
	CHECK_EQ(batch_builder_end(&b, NULL), 0);
	batch_builder_release(&b);
	ev.log = (struct event_log){.what = LOG_APPENDED,
				    .topic = {"t", 1},
				    .topic_id = checks_run.topic_id,
				    .partition = checks_run.partition,
				    .base_offset = checks_run.next_offset,
				    .next_offset = checks_run.next_offset + 1,
				    .batch = {out.data, (int32_t)out.len}};
	checks_run.next_offset++;
	checks_event(ev);
	buf_release(&out);
}

void checks_append(const char *value)
{
	struct batch_options options = BATCH_OPTIONS_INIT;

	options.transactional = checks_run.transactional;
	append(options, (struct bytes){0},
	       (struct bytes){(const uint8_t *)value, (int32_t)strlen(value)});
}

void checks_marker(bool commit)
{
	struct batch_options options = BATCH_OPTIONS_INIT;

	options.transactional = options.control = true;
	append(options, (struct bytes){(const uint8_t *)(commit ? "\0\0\0\1" : "\0\0\0\0"), 4},
	       (struct bytes){(const uint8_t *)"\0\0\0\0\0\0", 6});
}

void checks_given(const char *subject, const char *value, int64_t offset)
{
	checks_say(subject,
		   "{\"name\":\"record_data\",\"topic\":\"t\",\"partition\":%d,\"value\":\"%s\","
		   "\"offset\":%lld}",
		   checks_run.partition, value, (long long)offset);
}

void checks_acked(const char *subject, const char *value, int64_t offset)
{
	checks_say(subject,
		   "{\"name\":\"producer_send_success\",\"topic\":\"t\",\"partition\":%d,\"value\":"
		   "\"%s\",\"offset\":%lld}",
		   checks_run.partition, value, (long long)offset);
}

void checks_truncate(int64_t end)
{
	checks_event((struct event){.kind = EVENT_LOG,
				    .log = {.what = LOG_TRUNCATED,
					    .topic = {"t", 1},
					    .topic_id = checks_run.topic_id,
					    .partition = checks_run.partition,
					    .next_offset = end}});
	checks_run.next_offset = end;
}

void checks_recreate(void)
{
	checks_run.topic_id.b[0]++;
	checks_run.next_offset = 0;
}
