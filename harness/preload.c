/* Preloading: batches made by the builder, handed to the leader's Produce. The mock finds out who
 * leads: a broker that does not says so, and the next one is asked. */
#include "harness/preload.h"

#include "base/base64.h"
#include "protocol/batch_builder.h"
#include "protocol/messages.h"
#include "service/inside.h"

#include <stdio.h>
#include <stdlib.h>

#define BATCH_MAX	((size_t)1 << 20)
#define PRODUCE_VERSION 9 /* topics by name */

/* Records number first, first + step, ... below end, at most PRELOAD_BATCH. Returns the number
 * behind the last. */
static int64_t fill(struct batch_builder *b, int64_t first, int64_t step, int64_t end)
{
	char value[40];

	for (int i = 0; i < PRELOAD_BATCH && first < end; i++, first += step) {
		int len = snprintf(value, sizeof(value), "old.%lld", (long long)first);

		batch_builder_add(b, 1700000000000 + first, (struct bytes){0},
				  (struct bytes){(const uint8_t *)value, len}, NULL, 0);
	}
	return first;
}

static json_t *request_of(struct str topic, int32_t partition, const struct buf *batch)
{
	size_t size = base64_size(batch->len, BASE64_STD);
	char *text = malloc(size + 1);
	json_t *request;

	if (!text)
		abort();
	base64_encode(batch->data, batch->len, BASE64_STD, text);
	request =
		json_pack("{s:n, s:i, s:i, s:[{s:s%, s:[{s:i, s:s%}]}]}", "transactionalId", "acks",
			  -1, "timeoutMs", 1000, "topicData", "name", topic.data, (size_t)topic.len,
			  "partitionData", "index", (int)partition, "records", text, size);
	free(text);
	return request;
}

/* The error code that the answer carries for its one partition; -1 if it is none. */
static int answer_code(const struct buf *answer)
{
	json_t *root = json_loadb((const char *)answer->data, answer->len, 0, NULL);
	json_t *topic = json_array_get(json_object_get(root, "responses"), 0);
	json_t *partition = json_array_get(json_object_get(topic, "partitionResponses"), 0);
	const json_t *code = json_object_get(partition, "errorCode");
	int n = json_is_integer(code) ? (int)json_integer_value(code) : -1;

	json_decref(root);
	return n;
}

static int produce(struct service *s, struct str topic, int32_t partition, int32_t brokers,
		   const struct buf *batch, struct error *e)
{
	json_t *request = request_of(topic, partition, batch);
	int code = -1, rc = 0;
	struct buf answer;

	buf_init(&answer, BATCH_MAX);
	for (int32_t broker = 1; broker <= brokers && code && !rc; broker++) {
		buf_reset(&answer);
		rc = inside_call(s, broker, API_PRODUCE, PRODUCE_VERSION, request, &answer, e);
		code = rc ? -1 : answer_code(&answer);
	}
	if (!rc && code)
		rc = error_set(e, ERR_USAGE, "topic " STR_FMT " can't be filled: error %d",
			       STR_ARG(topic), code);
	buf_release(&answer);
	json_decref(request);
	return rc;
}

static int preload_partition(struct service *s, const struct plan_topic *t, int32_t partition,
			     int32_t brokers, struct error *e)
{
	int32_t partitions = t->partitions > 0 ? t->partitions : 1;
	struct batch_options options = BATCH_OPTIONS_INIT;
	struct batch_builder builder;
	struct buf batch;
	int rc = 0;

	buf_init(&batch, BATCH_MAX);
	for (int64_t at = partition; at < t->records && !rc;) {
		buf_reset(&batch);
		batch_builder_init(&builder, &options, &batch);
		at = fill(&builder, at, partitions, t->records);
		rc = batch_builder_end(&builder, e);
		batch_builder_release(&builder);
		rc = rc ? rc : produce(s, t->name, partition, brokers, &batch, e);
	}
	buf_release(&batch);
	return rc;
}

int preload(struct service *s, const struct plan_topic *topic, int32_t brokers, struct error *e)
{
	int rc = 0;

	for (int32_t i = 0; i < (topic->partitions > 0 ? topic->partitions : 1) && !rc; i++)
		rc = preload_partition(s, topic, i, brokers, e);
	return rc;
}
