/* The driver of tests/mock_fixture.h: what service/ does, without sockets and with a clock that
 * only moves when told to. */
#include "tests/mock_fixture.h"

#include "mock/happen.h"

#include <stdio.h>
#include <stdlib.h>

#define FRAME_MAX ((size_t)64 << 20)

static struct {
	int api;
	struct plan plan;
	struct topic_partition hit;
} fault;

static void on_event(void *ctx, const struct event *ev)
{
	struct fixture *f = ctx;

	if (ev->kind == EVENT_LOG)
		f->log_events++;
	if (ev->kind == EVENT_CLUSTER)
		buf_printf(&f->cluster_events, STR_FMT " " STR_FMT "\n", STR_ARG(ev->cluster.name),
			   STR_ARG(ev->cluster.detail));
}

void mock_start_with(struct fixture *f, int32_t brokers, struct cluster_config config)
{
	config.brokers = brokers;
	config.seed = 1;
	config.bus = &f->bus;
	*f = (struct fixture){.conn = 1, .client_id = "tester"};
	buf_init(&f->cluster_events, FRAME_MAX);
	fault.api = -1;
	f->buffers = shared_count();
	f->now = (struct instant){1000000, 1700000000000000};
	f->sink = (struct event_sink){.on_event = on_event, .ctx = f};
	event_bus_add(&f->bus, &f->sink);
	f->c = cluster_new(&config, f->now);
	for (int32_t i = 1; i <= brokers; i++) {
		struct broker_address a = {.node_id = i, .port = 9092};

		if (config.broker.has_node_id)
			a.node_id = config.broker.first_node_id + i - 1;
		snprintf(a.host, sizeof(a.host), "broker-%d.test", i);
		cluster_set_address(f->c, &a);
	}
}

void mock_start(struct fixture *f, int32_t brokers)
{
	mock_start_with(f, brokers,
			(struct cluster_config){.auto_create = true, .default_partitions = 3});
}

static void free_runs(struct fixture *f)
{
	struct exchange_run *next;

	for (struct exchange_run *x = f->runs; x; x = next) {
		next = x->next;
		cluster_cancel(f->c, &x->call);
		call_release(&x->call);
		shared_unref(x->call.frame);
		arena_release(&x->arena);
		free(x->answer);
		free(x);
	}
	f->runs = NULL;
}

void mock_forget(struct fixture *f)
{
	for (struct exchange_run *x = f->runs; x; x = x->next)
		CHECK(x->result != CALL_WAIT);
	free_runs(f);
}

void mock_end(struct fixture *f)
{
	free_runs(f);
	for (struct kept *k = f->kept, *after; k; k = after) {
		after = k->next;
		free(k);
	}
	cluster_free(f->c);
	buf_release(&f->cluster_events);
	CHECK_EQ(shared_count(), f->buffers);
}

static void take_answer(struct fixture *f, struct exchange_run *x)
{
	struct gather g;
	struct buf flat;
	struct error e = ERROR_INIT;
	struct bytes frame;
	int32_t correlation = 0;
	int64_t body;
	int key = x->call.header.api_key;

	gather_init(&g, FRAME_MAX);
	buf_init(&flat, FRAME_MAX);
	x->version = x->call.response_version;
	if (frame_write_response(&g, key, x->version, x->call.header.correlation_id,
				 x->call.response, &e))
		CHECK_TEXT(e.text, "");
	gather_flatten(&g, &flat);
	x->answer = malloc(flat.len + 1);
	if (!x->answer)
		abort();
	memcpy(x->answer, flat.data, flat.len);
	frame = (struct bytes){x->answer + 4, (int32_t)flat.len - 4};
	body = frame_read_response(frame, key, x->version, &correlation, &e);
	CHECK_EQ(correlation, x->call.header.correlation_id);
	if (body >= 0)
		frame_decode(key, x->version, MESSAGE_RESPONSE,
			     (struct bytes){frame.data + body, frame.len - (int32_t)body},
			     &x->arena, &x->response, &e);
	CHECK_TEXT(e.text, "");
	x->answered_us = f->now.mono_us;
	call_release(&x->call);
	gather_release(&g);
	buf_release(&flat);
}

static void work(struct fixture *f, struct exchange_run *x)
{
	x->result = cluster_call(f->c, &x->call, f->now);
	if (x->result == CALL_ANSWER)
		take_answer(f, x);
}

static void drain(struct fixture *f)
{
	struct call *call;

	while ((call = cluster_ready(f->c)) != NULL)
		work(f, (struct exchange_run *)(void *)((char *)call -
							offsetof(struct exchange_run, call)));
}

static void decide(struct fixture *f, struct exchange_run *x)
{
	struct facts facts;
	struct topic_partition *hit;

	x->call.plan = &x->plan;
	if (fault.api != x->call.header.api_key)
		return;
	cluster_facts(f->c, &x->call, &facts);
	hit = arena_alloc(&x->arena, ((size_t)facts.partitions_count + 1) * sizeof(*hit));
	x->plan = fault.plan;
	x->plan.hit = hit;
	for (int32_t i = 0; i < facts.partitions_count; i++) {
		const struct topic_partition *p = &facts.partitions[i];

		if ((!fault.hit.topic.data || str_eq(fault.hit.topic, p->topic)) &&
		    (fault.hit.partition < 0 || fault.hit.partition == p->partition))
			hit[x->plan.hit_count++] = *p;
	}
	if (fault.hit.topic.data && !x->plan.hit_count)
		x->plan = (struct plan){0};
}

struct exchange_run *mock_send(struct fixture *f, int32_t broker, int api_key, int version,
			       const void *body)
{
	struct exchange_run *x = calloc(1, sizeof(*x));
	static int32_t correlation;
	struct gather g;
	struct buf flat;
	struct error e = ERROR_INIT;
	void *request = NULL;
	struct bytes frame;

	if (!x)
		abort();
	x->next = f->runs;
	f->runs = x;
	arena_init(&x->arena, ARENA_EXCHANGE_MAX);
	gather_init(&g, FRAME_MAX);
	buf_init(&flat, FRAME_MAX);
	if (frame_write_request(&g, api_key, version, ++correlation, str_of(f->client_id), body,
				&e))
		CHECK_TEXT(e.text, "");
	gather_flatten(&g, &flat);
	x->call.frame = shared_new(flat.len - 4);
	memcpy(x->call.frame->data, flat.data + 4, flat.len - 4);
	frame = (struct bytes){x->call.frame->data, (int32_t)x->call.frame->size};
	frame_read_request(frame, &x->call.header, &e);
	frame_decode(
		api_key, version, MESSAGE_REQUEST,
		(struct bytes){frame.data + x->call.header.body, frame.len - x->call.header.body},
		&x->arena, &request, &e);
	CHECK_TEXT(e.text, "");
	gather_release(&g);
	buf_release(&flat);
	x->call.request = request;
	x->call.broker = broker;
	x->call.conn = f->conn;
	x->call.client = (struct endpoint){4, {127, 0, 0, 1}, 50000};
	x->call.arena = &x->arena;
	decide(f, x);
	work(f, x);
	drain(f);
	return x;
}

const void *mock_ask(struct fixture *f, int32_t broker, int api_key, int version, const void *body)
{
	struct exchange_run *x = mock_send(f, broker, api_key, version, body);

	CHECK_EQ(x->result, CALL_ANSWER);
	if (x->response)
		return x->response;
	x->response =
		arena_alloc(&x->arena, message_of_api(api_key, MESSAGE_RESPONSE)->schema->size);
	codec_init(message_of_api(api_key, MESSAGE_RESPONSE)->schema, x->response);
	return x->response;
}

void mock_advance(struct fixture *f, int64_t us)
{
	struct instant end = instant_add_us(f->now, us);
	int64_t next = cluster_tick(f->c, f->now);

	drain(f);
	while (next <= end.mono_us) {
		if (next > f->now.mono_us)
			f->now = instant_add_us(f->now, next - f->now.mono_us);
		cluster_tick(f->c, f->now);
		drain(f);
		next = cluster_tick(f->c, f->now);
	}
	f->now = end;
}

void mock_hang_up(struct fixture *f, struct exchange_run *x)
{
	cluster_cancel(f->c, &x->call);
	x->result = CALL_CLOSE;
}

void mock_fault(struct fixture *f, int api_key, enum when when, int16_t code, const char *topic,
		int32_t partition)
{
	(void)f;
	fault.api = api_key;
	fault.plan = (struct plan){.action = ACTION_ERROR, .when = when, .error_code = code};
	fault.hit = (struct topic_partition){str_of(topic), partition};
}

void mock_topic(struct fixture *f, const char *name, int32_t partitions, int32_t leader)
{
	struct error e = ERROR_INIT;

	CHECK_EQ(cluster_create_topic(f->c, str_of(name), partitions, -1, leader, f->now, &e), 0);
	CHECK_TEXT(e.text, "");
}

const char *mock_happen(struct fixture *f, const char *text)
{
	static struct error e;
	struct happening h;

	e = (struct error)ERROR_INIT;
	if (!happening_parse(str_of(text), &h, &e))
		cluster_happen(f->c, &h, f->now, &e);
	mock_advance(f, 0);
	return e.text;
}
