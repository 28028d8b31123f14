/* What a leader looks at before it appends: rules 13 to 15 of the acceptance text. Nothing here
 * changes the cluster or the request. */
#include "mock/incoming.h"

#include "mock/state.h"
#include "protocol/records.h"
#include "protocol/records_convert.h"

/* Who is judged and where the reasons go. */
struct judge {
	struct cluster *c;
	struct call *call;
	const struct topic_config *config;
	struct produce_response_responses_partition_responses *r;
	int64_t now_ms;
};

static void add_record_error(struct judge *j, int32_t index, int32_t records, const char *text)
{
	struct produce_response_responses_partition_responses_record_errors *e;

	if (!j->r->record_errors)
		j->r->record_errors = CALL_ARRAY(
			j->call,
			struct produce_response_responses_partition_responses_record_errors,
			records);
	e = &j->r->record_errors[j->r->record_errors_count++];
	e->batch_index = index;
	e->batch_index_error_message = call_str(j->call, str_of(text));
}

static bool time_ok(const struct judge *j, int64_t ts)
{
	const struct topic_config *tc = j->config;

	if (tc->timestamp_type == TIMESTAMP_LOG_APPEND || ts < 0)
		return true;
	if (ts > j->now_ms)
		return ts - j->now_ms <= tc->timestamp_after_max_ms;
	return j->now_ms - ts <= tc->timestamp_before_max_ms;
}

/* The topic's own rules, record by record: only where a glance at the batch does not settle them.
 */
static int16_t check_records(struct judge *j, const struct batch *b, int64_t max_timestamp)
{
	bool times = !time_ok(j, max_timestamp) || j->config->timestamp_before_max_ms != INT64_MAX;
	struct record_iter it;
	struct record record;
	int16_t code = ERROR_NONE;

	if (!j->config->compact && !times)
		return ERROR_NONE;
	if (record_iter_init(&it, b, &j->c->plain, NULL))
		return ERROR_CORRUPT_MESSAGE;
	while (record_next(&it, &record, NULL) > 0) {
		if (j->config->compact && !record.key.data) {
			add_record_error(j, record.index, it.count,
					 "a compacted topic needs a key");
			code = code ? code : ERROR_INVALID_RECORD;
		} else if (!time_ok(j, record.timestamp)) {
			add_record_error(j, record.index, it.count,
					 "the timestamp is out of the topic's range");
			code = ERROR_INVALID_TIMESTAMP;
		}
	}
	if (code)
		j->r->error_message =
			call_printf(j->call, "%d records are refused", j->r->record_errors_count);
	return code;
}

static int16_t check_batch(struct judge *j, const struct batch *b, struct batch_finding *finding)
{
	if (b->raw.len > j->config->message_max)
		return ERROR_MESSAGE_TOO_LARGE;
	if (!batch_validate(b, j->config->timestamp_type, &j->c->plain, finding)) {
		if (finding->record_index >= 0) {
			add_record_error(j, finding->record_index, 1, finding->text);
			j->r->error_message = call_str(j->call, str_of(finding->text));
		}
		return finding->error_code;
	}
	return check_records(j, b, finding->max_timestamp);
}

/* What stands in the log's header: under LogAppendTime the broker's clock, else what the records
 * say. */
static void stamp(const struct judge *j, struct incoming *in, int16_t attributes, int64_t max)
{
	bool append_time = j->config->timestamp_type == TIMESTAMP_LOG_APPEND;

	in->append.attributes = (int16_t)(attributes & ~ATTRIBUTE_LOG_APPEND_TIME);
	if (append_time)
		in->append.attributes |= ATTRIBUTE_LOG_APPEND_TIME;
	in->append.max_timestamp = append_time ? j->now_ms : max;
}

/* The records as one batch of ours: old formats, odd offsets, another codec. */
static int16_t rewrite(struct judge *j, struct records records, const struct batch *like,
		       struct incoming *in)
{
	struct batch_options options = BATCH_OPTIONS_INIT;
	struct error e = ERROR_INIT;
	struct batch b;

	options.codec = j->config->codec < 0 ? CODEC_OF_PRODUCER : (uint8_t)j->config->codec;
	if (like) {
		options.producer_id = like->producer_id;
		options.producer_epoch = like->producer_epoch;
		options.base_sequence = like->base_sequence;
		options.transactional = like->transactional;
	}
	buf_reset(&j->c->batch);
	if (records_rewrite(records.data, (size_t)records.len, &options, &j->c->plain, &j->c->batch,
			    &in->records, &e))
		return e.code == ERR_LIMIT ? ERROR_MESSAGE_TOO_LARGE : ERROR_CORRUPT_MESSAGE;
	in->append.frame = NULL;
	in->append.batch = (struct bytes){j->c->batch.data, (int32_t)j->c->batch.len};
	if (!j->c->batch.len)
		return ERROR_NONE;
	if (batch_read(j->c->batch.data, j->c->batch.len, &b, &e))
		return ERROR_CORRUPT_MESSAGE;
	stamp(j, in, b.attributes, b.max_timestamp);
	return ERROR_NONE;
}

static int16_t read_batch(struct judge *j, struct incoming *in)
{
	const struct batch *b = &in->first;
	struct batch_finding finding;
	int16_t code = check_batch(j, b, &finding);

	if (code)
		return code;
	in->claim = (struct producer_claim){b->producer_id, b->producer_epoch, b->base_sequence,
					    b->records_count, b->transactional};
	in->records = b->records_count;
	if (finding.renumber || (j->config->codec >= 0 && j->config->codec != b->codec))
		return rewrite(j, (struct records){b->raw.data, b->raw.len, 0}, b, in);
	in->append.batch = b->raw;
	in->append.frame = j->call->frame;
	stamp(j, in, b->attributes, b->codec ? finding.max_timestamp : b->max_timestamp);
	return ERROR_NONE;
}

static int16_t read_messages(struct judge *j, struct records records, struct incoming *in)
{
	struct batch_finding finding;
	struct records_reader reader;
	struct error e = ERROR_INIT;
	struct batch b;
	int found;

	records_reader_init(&reader, records.data, (size_t)records.len);
	while ((found = records_next(&reader, &b, &e)) > 0) {
		int16_t code = check_batch(j, &b, &finding);

		if (code)
			return code;
	}
	if (found < 0)
		return ERROR_CORRUPT_MESSAGE;
	return rewrite(j, (struct records){records.data, (int32_t)reader.at, 0}, NULL, in);
}

int16_t incoming_glance(struct call *call, struct records records, struct incoming *ret,
			struct produce_response_responses_partition_responses *r)
{
	struct records_reader reader;
	struct batch second;
	struct error e = ERROR_INIT;
	int found;

	*ret = (struct incoming){.claim = {.id = -1}};
	if (!records.data)
		return ERROR_INVALID_RECORD;
	if (call->header.api_version < 3)
		return ERROR_NONE;
	records_reader_init(&reader, records.data, (size_t)records.len);
	found = records_next(&reader, &ret->first, &e);
	if (found < 0) {
		r->error_message = call_str(call, str_of(e.text));
		return ERROR_CORRUPT_MESSAGE;
	}
	if (found == 0 || ret->first.magic != 2 || records_next(&reader, &second, NULL) > 0)
		return ERROR_INVALID_RECORD; /* exactly one batch of magic 2 (rule 14) */
	/* Before zstd was known (KIP-110), the codec was looked at with the request. */
	if (call->header.api_version < 7 && ret->first.codec >= CODEC_COUNT)
		return ERROR_UNKNOWN_SERVER_ERROR;
	if (call->header.api_version < 7 && ret->first.codec == CODEC_ZSTD)
		return ERROR_UNSUPPORTED_COMPRESSION_TYPE;
	return ERROR_NONE;
}

int16_t incoming_read(struct cluster *c, struct call *call, const struct partition *p,
		      struct records records, struct incoming *ret,
		      struct produce_response_responses_partition_responses *r)
{
	struct judge j = {c, call, &p->topic->config, r, instant_wall_ms(c->now)};

	ret->append.leader_epoch = p->leader_epoch;
	return call->header.api_version < 3 ? read_messages(&j, records, ret) : read_batch(&j, ret);
}
