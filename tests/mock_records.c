/* Batches and the requests around them. */
#include "tests/mock_records.h"

#include <stdio.h>
#include <stdlib.h>

static struct records keep(struct fixture *f, struct buf *out)
{
	struct kept *k = malloc(sizeof(*k) + out->len);
	struct records r = {k->data, (int32_t)out->len, 0};

	if (!k)
		abort();
	memcpy(k->data, out->data, out->len);
	k->next = f->kept;
	f->kept = k;
	buf_release(out);
	return r;
}

struct records mock_batch(struct fixture *f, int32_t count, const struct batch_options *options)
{
	struct batch_options usual = BATCH_OPTIONS_INIT;
	struct batch_builder b;
	struct buf out;
	struct error e = ERROR_INIT;
	char text[20];

	buf_init(&out, (size_t)64 << 20);
	batch_builder_init(&b, options ? options : &usual, &out);
	for (int32_t i = 0; i < count; i++) {
		int n = snprintf(text, sizeof(text), "v%d", i);

		batch_builder_add(&b, instant_wall_ms(f->now), (struct bytes){0},
				  (struct bytes){(uint8_t *)text, n}, NULL, 0);
	}
	CHECK_EQ(batch_builder_end(&b, &e), 0);
	batch_builder_release(&b);
	return keep(f, &out);
}

struct records mock_large_batch(struct fixture *f, int32_t size)
{
	struct batch_options usual = BATCH_OPTIONS_INIT;
	struct batch_builder b;
	struct buf out;
	uint8_t *value = calloc(1, (size_t)size);

	if (!value)
		abort();
	buf_init(&out, (size_t)64 << 20);
	batch_builder_init(&b, &usual, &out);
	batch_builder_add(&b, instant_wall_ms(f->now), (struct bytes){0},
			  (struct bytes){value, size}, NULL, 0);
	CHECK_EQ(batch_builder_end(&b, NULL), 0);
	batch_builder_release(&b);
	free(value);
	return keep(f, &out);
}

struct batch_options mock_idempotent(int64_t id, int16_t epoch, int32_t sequence)
{
	struct batch_options o = BATCH_OPTIONS_INIT;

	o.producer_id = id;
	o.producer_epoch = epoch;
	o.base_sequence = sequence;
	return o;
}

const struct produce_response_responses_partition_responses *
mock_produce_at(struct fixture *f, int version, const char *topic, int32_t partition, int16_t acks,
		struct records records)
{
	static const struct produce_response_responses_partition_responses none = {
		.error_code = INT16_MIN};
	struct produce_request q = DEFAULTS_produce_request;
	struct produce_request_topic_data t = {.name = str_of(topic)};
	struct produce_request_topic_data_partition_data p = {.index = partition,
							      .records = records};
	const struct produce_response *r;

	q.acks = acks;
	q.timeout_ms = 1000;
	q.topic_data = &t;
	q.topic_data_count = 1;
	t.partition_data = &p;
	t.partition_data_count = 1;
	r = mock_ask(f, 1, API_PRODUCE, version, &q);
	CHECK_EQ(r->responses_count, 1);
	return r->responses_count ? &r->responses[0].partition_responses[0] : &none;
}

const struct produce_response_responses_partition_responses *
mock_produce(struct fixture *f, const char *topic, int32_t partition, int16_t acks,
	     struct records records)
{
	return mock_produce_at(f, 12, topic, partition, acks, records);
}

void mock_fetch_one(struct fetch_request_one *one, const char *topic, int32_t partition,
		    int64_t offset, int32_t max_wait_ms)
{
	*one = (struct fetch_request_one){DEFAULTS_fetch_request, DEFAULTS_fetch_request_topics,
					  DEFAULTS_fetch_request_topics_partitions};
	one->q.max_wait_ms = max_wait_ms;
	one->q.min_bytes = 1;
	one->q.topics = &one->topic;
	one->q.topics_count = 1;
	one->topic.topic = str_of(topic);
	one->topic.partitions = &one->partition;
	one->topic.partitions_count = 1;
	one->partition.partition = partition;
	one->partition.fetch_offset = offset;
	one->partition.partition_max_bytes = 1 << 20;
}

int32_t mock_count(struct records records, int64_t *ret_first)
{
	struct records_reader reader;
	struct record_iter it;
	struct batch b;
	struct record r;
	struct buf plain;
	int32_t n = 0;

	buf_init(&plain, RECORDS_EXPANDED_MAX);
	records_reader_init(&reader, records.data, (size_t)records.len);
	while (records_next(&reader, &b, NULL) > 0) {
		CHECK(batch_crc_ok(&b));
		CHECK_EQ(record_iter_init(&it, &b, &plain, NULL), 0);
		while (record_next(&it, &r, NULL) > 0)
			if (n++ == 0 && ret_first)
				*ret_first = r.offset;
	}
	buf_release(&plain);
	return n;
}

/* The next word of a list, ended by a blank; false at the end. */
static bool next_word(const char **list, char *ret_word, size_t size)
{
	size_t n = strcspn(*list, " ");

	if (!**list)
		return false;
	snprintf(ret_word, size, "%.*s", (int)n, *list);
	*list += n + ((*list)[n] == ' ');
	return true;
}

static struct bytes bytes_of(const char *text)
{
	return (struct bytes){(const uint8_t *)text, (int32_t)strlen(text)};
}

struct records mock_keyed(struct fixture *f, const char *pairs)
{
	struct batch_options usual = BATCH_OPTIONS_INIT;
	struct batch_builder b;
	struct buf out;
	char word[64];

	buf_init(&out, (size_t)1 << 20);
	batch_builder_init(&b, &usual, &out);
	while (next_word(&pairs, word, sizeof(word))) {
		char *equals = strchr(word, '=');

		if (equals)
			*equals = '\0';
		batch_builder_add(&b, instant_wall_ms(f->now), bytes_of(word),
				  equals ? bytes_of(equals + 1) : (struct bytes){0}, NULL, 0);
	}
	CHECK_EQ(batch_builder_end(&b, NULL), 0);
	batch_builder_release(&b);
	return keep(f, &out);
}

void mock_topic_with(struct fixture *f, const char *name, const char *configs)
{
	struct create_topics_request q = DEFAULTS_create_topics_request;
	struct create_topics_request_topics t = {
		.name = str_of(name), .num_partitions = 1, .replication_factor = -1};
	struct create_topics_request_topics_configs list[8] = {0};
	char words[8][64];
	const struct create_topics_response *r;

	while (t.configs_count < 8 &&
	       next_word(&configs, words[t.configs_count], sizeof(words[0]))) {
		char *equals = strchr(words[t.configs_count], '=');

		*equals = '\0';
		list[t.configs_count].name = str_of(words[t.configs_count]);
		list[t.configs_count++].value = str_of(equals + 1);
	}
	t.configs = list;
	q.topics = &t;
	q.topics_count = 1;
	r = mock_ask(f, 1, API_CREATE_TOPICS, 5, &q);
	CHECK_EQ(r->topics[0].error_code, 0);
}

/* Appends what records hold; the offset behind the last batch, or -1 if there is none. */
static int64_t put_contents(struct records records, struct buf *text)
{
	struct records_reader reader;
	struct record_iter it;
	struct batch b;
	struct record r;
	struct buf plain;
	int64_t next = -1;

	buf_init(&plain, RECORDS_EXPANDED_MAX);
	records_reader_init(&reader, records.data, (size_t)records.len);
	while (records_next(&reader, &b, NULL) > 0) {
		CHECK(batch_crc_ok(&b));
		next = b.last_offset + 1;
		record_iter_init(&it, &b, &plain, NULL);
		while (!b.control && record_next(&it, &r, NULL) > 0)
			buf_printf(text, "%s%lld:%.*s%s%.*s", text->len ? " " : "",
				   (long long)r.offset, r.key.len, (const char *)r.key.data,
				   r.value.data ? "=" : "", r.value.len,
				   (const char *)r.value.data);
	}
	buf_release(&plain);
	return next;
}

const char *mock_contents(struct fixture *f, const char *topic, int32_t partition)
{
	static char copy[4096];
	struct buf text;
	int64_t offset = -2;
	struct list_offsets_request lq = DEFAULTS_list_offsets_request;
	struct list_offsets_request_topics lt = {.name = str_of(topic)};
	struct list_offsets_request_topics_partitions lp =
		DEFAULTS_list_offsets_request_topics_partitions;
	const struct list_offsets_response *lr;

	lq.topics = &lt;
	lq.topics_count = 1;
	lt.partitions = &lp;
	lt.partitions_count = 1;
	lp.partition_index = partition;
	lp.timestamp = -2;
	lr = mock_ask(f, 1, API_LIST_OFFSETS, 5, &lq);
	offset = lr->topics[0].partitions[0].offset;
	buf_init(&text, sizeof(copy));
	while (offset >= 0) {
		struct fetch_request_one one;
		const struct fetch_response *r;

		mock_fetch_one(&one, topic, partition, offset, 0);
		r = mock_ask(f, 1, API_FETCH, 12, &one.q);
		offset = put_contents(r->responses[0].partitions[0].records, &text);
	}
	snprintf(copy, sizeof(copy), "%s", buf_cstr(&text));
	buf_release(&text);
	return copy;
}
