/* What `run` costs beside the clients: reading and checking the whole suite, a case from nothing to
 * its verdict with a subject that ends at once, and the universal checks over a million exchanges.
 * Work in this process, as `run` does it; processor time but for the case, which also waits. */
#include "bench/goal.h"
#include "harness/explain.h"
#include "harness/suite.h"
#include "harness/trial.h"
#include "protocol/batch_builder.h"
#include "protocol/messages.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define SUITE_ROUNDS 7
#define CASE_ROUNDS  21
#define EXCHANGES    1000000
#define BLOCK	     1000 /* exchanges that are made, then fed */
#define BLOCK_BYTES  ((size_t)64 << 20)
#define START_US     INT64_C(1700000000000000)

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

/* Processor time of this process in µs: what else the machine does does not count. */
static int64_t cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * INT64_C(1000000) + u.ru_utime.tv_usec +
	       u.ru_stime.tv_usec;
}

static double ms_since(int64_t start_us)
{
	return (double)(cpu_us() - start_us) / 1000;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare);
	return values[n / 2];
}

/* ---- the suite ---- */

static void measure_suite(void)
{
	double took[SUITE_ROUNDS];
	int32_t scenarios = 0, cases = 0;

	for (int round = 0; round < SUITE_ROUNDS; round++) {
		int64_t start = cpu_us();
		struct error e = ERROR_INIT;
		struct suite s = {0};
		struct buf out;

		buf_init(&out, 1 << 20);
		if (suite_add(&s, "scenarios", &out, &e))
			fail("scenarios", e.text);
		cases = 0;
		scenarios = s.count;
		for (int32_t i = 0; i < s.count; i++)
			cases += explain_check(s.list[i], &out);
		suite_release(&s);
		buf_release(&out);
		took[round] = ms_since(start);
	}
	goal_line(GOAL_AT_MOST, 50, median(took, SUITE_ROUNDS), "ms",
		  "plan check of %d scenarios, %d cases", scenarios, cases);
}

/* ---- a case ---- */

static const char case_text[] =
	"scenario { name = 'bench/nothing', claim = 'A subject that ends at once.' }\n"
	"local c = cluster { brokers = 3 }\n"
	"c:topic('orders', { partitions = 3 })\n"
	"local p = client('p', { speaks = 'none' })\n"
	"timeline(function() p:start(); await(p:exited(0)) end)\n";

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static double one_case(const struct scenario *s, const char *folder)
{
	static const struct clients clients = {.under = "exec true"};
	struct trial_config config = {.clients = &clients, .directory = folder};
	struct trial t;
	struct buf out;
	double took;

	buf_init(&out, 1 << 20);
	config.plan = plan_load(s, 0, 1, &out);
	if (!config.plan)
		fail("the case", buf_cstr(&out));
	trial_run(&config, &t);
	took = (double)t.took_us / 1000;
	if (!t.subjects_count || !t.subjects[0].started || t.subjects[0].status)
		fail("the case", "its subject did not run");
	trial_release(&t);
	plan_free(config.plan);
	buf_release(&out);
	return took;
}

static void measure_case(void)
{
	char folder[] = "/tmp/ktrial-bench-XXXXXX";
	double took[CASE_ROUNDS];
	struct scenario *s;
	struct buf out;

	buf_init(&out, 1 << 20);
	s = scenario_parse("bench.lua", case_text, &out);
	if (!s)
		fail("bench.lua", buf_cstr(&out));
	if (!mkdtemp(folder))
		fail(folder, "can't be made");
	for (int i = 0; i < CASE_ROUNDS; i++)
		took[i] = one_case(s, folder);
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	scenario_free(s);
	buf_release(&out);
	printf("a whole case of 3 brokers whose subject is `true`: %.1f ms (goal of its start "
	       "alone: under 10)\n",
	       median(took, CASE_ROUNDS));
}

/* ---- checks ---- */

/* A block of exchanges as a producer and a member of a group make them, with what the log got. */
static struct maker {
	struct arena arena; /* of a block */
	struct event_log logs[BLOCK];
	struct exchange list[BLOCK];
	int32_t made;
	int64_t sequence, now_us;
} maker;

static struct bytes keep(struct gather *g)
{
	struct buf flat;
	struct bytes kept;

	buf_init(&flat, 1 << 20);
	gather_flatten(g, &flat);
	/* Frames of events are without their length. */
	kept = (struct bytes){
		(const uint8_t *)arena_copy(&maker.arena, flat.data + 4, flat.len - 4),
		(int32_t)flat.len - 4};
	if (!kept.data)
		fail("a block", "out of its memory");
	buf_release(&flat);
	gather_release(g);
	return kept;
}

static struct exchange *add(int api, int version, const void *request, const void *response)
{
	struct exchange *x = &maker.list[maker.made++];
	struct gather g;

	*x = (struct exchange){.conn = {.conn = api == API_PRODUCE ? 1 : 2, .broker = 1},
			       .state = EXCHANGE_ANSWERED};
	gather_init(&g, 1 << 20);
	frame_write_request(&g, api, version, (int32_t)maker.sequence, str_of("bench"), request,
			    NULL);
	x->request = keep(&g);
	gather_init(&g, 1 << 20);
	frame_write_response(&g, api, version, (int32_t)maker.sequence, response, NULL);
	x->response = keep(&g);
	if (frame_read_request(x->request, &x->header, NULL))
		fail("a block", "a frame that can't be read");
	x->request_size = (uint32_t)x->request.len;
	x->response_size = (uint32_t)x->response.len;
	maker.now_us += 100;
	x->request_first_us = x->request_us = maker.now_us;
	x->response_first_us = x->response_us = maker.now_us + 50;
	return x;
}

static struct bytes make_batch(void)
{
	struct batch_options options = BATCH_OPTIONS_INIT;
	struct batch_builder b;
	struct buf out;
	struct bytes kept;
	char value[101];

	snprintf(value, sizeof(value), "%0100lld", (long long)maker.sequence);
	options.producer_id = 7;
	options.producer_epoch = 0;
	options.base_sequence = (int32_t)maker.sequence;
	buf_init(&out, 1 << 20);
	batch_builder_init(&b, &options, &out);
	batch_builder_add(&b, maker.now_us / 1000, (struct bytes){NULL, 0},
			  (struct bytes){(const uint8_t *)value, 100}, NULL, 0);
	if (batch_builder_end(&b, NULL))
		fail("a batch", "can't be made");
	kept = (struct bytes){(const uint8_t *)arena_copy(&maker.arena, out.data, out.len),
			      (int32_t)out.len};
	batch_builder_release(&b);
	buf_release(&out);
	return kept;
}

static void add_produce(struct bytes batch)
{
	struct produce_request_topic_data_partition_data p =
		produce_request_topic_data_partition_data_defaults;
	struct produce_request_topic_data t = produce_request_topic_data_defaults;
	struct produce_response_responses_partition_responses rp =
		produce_response_responses_partition_responses_defaults;
	struct produce_response_responses rt = produce_response_responses_defaults;
	struct produce_request q = produce_request_defaults;
	struct produce_response r = produce_response_defaults;

	p.records = (struct records){batch.data, batch.len, 0};
	t.name = rt.name = str_of("orders");
	t.partition_data = &p;
	rt.partition_responses = &rp;
	rp.base_offset = maker.sequence;
	t.partition_data_count = rt.partition_responses_count = 1;
	q.acks = -1;
	q.topic_data = &t;
	r.responses = &rt;
	q.topic_data_count = r.responses_count = 1;
	add(API_PRODUCE, 9, &q, &r);
}

static void add_fetch(struct bytes batch)
{
	struct fetch_request_topics_partitions p = fetch_request_topics_partitions_defaults;
	struct fetch_request_topics t = fetch_request_topics_defaults;
	struct fetch_response_responses_partitions rp =
		fetch_response_responses_partitions_defaults;
	struct fetch_response_responses rt = fetch_response_responses_defaults;
	struct fetch_request q = fetch_request_defaults;
	struct fetch_response r = fetch_response_defaults;

	p.fetch_offset = maker.sequence;
	rp.high_watermark = rp.last_stable_offset = maker.sequence + 1;
	rp.records = (struct records){batch.data, batch.len, 0};
	t.topic = rt.topic = str_of("orders");
	t.partitions = &p;
	rt.partitions = &rp;
	t.partitions_count = rt.partitions_count = 1;
	q.max_wait_ms = 500;
	q.min_bytes = 1;
	q.session_epoch = -1;
	q.topics = &t;
	r.responses = &rt;
	q.topics_count = r.responses_count = 1;
	add(API_FETCH, 11, &q, &r);
}

static void add_heartbeat(void)
{
	struct heartbeat_request q = heartbeat_request_defaults;
	struct heartbeat_response r = heartbeat_response_defaults;

	q.group_id = str_of("billing");
	q.generation_id = 1;
	q.member_id = str_of("bench-5a2f7c1e-0b1d-4e8b-9a4e-2f6f6d3c9b10");
	add(API_HEARTBEAT, 3, &q, &r);
}

static void add_commit(void)
{
	struct offset_commit_request_topics_partitions p =
		offset_commit_request_topics_partitions_defaults;
	struct offset_commit_request_topics t = offset_commit_request_topics_defaults;
	struct offset_commit_response_topics_partitions rp =
		offset_commit_response_topics_partitions_defaults;
	struct offset_commit_response_topics rt = offset_commit_response_topics_defaults;
	struct offset_commit_request q = offset_commit_request_defaults;
	struct offset_commit_response r = offset_commit_response_defaults;

	p.committed_offset = maker.sequence + 1;
	t.name = rt.name = str_of("orders");
	t.partitions = &p;
	rt.partitions = &rp;
	t.partitions_count = rt.partitions_count = 1;
	q.group_id = str_of("billing");
	q.generation_id_or_member_epoch = 1;
	q.member_id = str_of("bench-5a2f7c1e-0b1d-4e8b-9a4e-2f6f6d3c9b10");
	q.topics = &t;
	r.topics = &rt;
	q.topics_count = r.topics_count = 1;
	add(API_OFFSET_COMMIT, 7, &q, &r);
}

static void make_block(void)
{
	arena_reset(&maker.arena);
	maker.made = 0;
	while (maker.made < BLOCK) {
		struct bytes batch = make_batch();

		batch_set_base_offset((uint8_t *)(uintptr_t)batch.data, 0);
		add_produce(batch);
		batch_set_base_offset((uint8_t *)(uintptr_t)batch.data, maker.sequence);
		maker.logs[maker.made - 1] =
			(struct event_log){.what = LOG_APPENDED,
					   .topic = str_of("orders"),
					   .base_offset = maker.sequence,
					   .next_offset = maker.sequence + 1,
					   .batch = batch,
					   .conn = 1,
					   .correlation_id = (int32_t)maker.sequence};
		add_fetch(batch);
		add_heartbeat();
		add_commit();
		maker.sequence++;
	}
}

static void feed_block(struct checks *set, struct arena *bodies)
{
	for (int32_t i = 0; i < BLOCK; i++) {
		struct exchange *x = &maker.list[i];
		struct event ev = {
			.kind = EVENT_EXCHANGE, .time_us = x->response_us, .exchange = x};
		struct event log = {
			.kind = EVENT_LOG, .time_us = x->response_us, .log = maker.logs[i]};

		arena_reset(bodies);
		x->arena = bodies;
		if (x->header.api_key == API_PRODUCE)
			checks_feed(set, &log);
		checks_feed(set, &ev);
	}
}

static void measure_checks(void)
{
	struct checks set;
	struct arena bodies;
	int64_t start;
	double took = 0;

	checks_init(&set);
	arena_init(&bodies, ARENA_EXCHANGE_MAX);
	checks_add_universal(&set);
	arena_init(&maker.arena, BLOCK_BYTES);
	maker.sequence = 0;
	maker.now_us = START_US;
	for (int fed = 0; fed < EXCHANGES; fed += BLOCK) {
		make_block();
		start = cpu_us();
		feed_block(&set, &bodies);
		took += ms_since(start);
	}
	start = cpu_us();
	checks_end(&set, NEEDS_WIRE | NEEDS_LOG);
	took += ms_since(start);
	for (int32_t i = 0; i < set.count; i++)
		if (set.list[i].finding.result == FINDING_FAIL)
			fail(set.list[i].type->name, set.list[i].finding.actual.data);
	goal_line(GOAL_AT_MOST, 2, took / 1000, "s", "%d universal checks over %d exchanges",
		  set.count, EXCHANGES);
	checks_release(&set);
	arena_release(&bodies);
	arena_release(&maker.arena);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	measure_suite();
	measure_case();
	measure_checks();
	return goals_missed();
}
