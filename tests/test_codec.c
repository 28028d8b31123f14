/* The codec against bytes written down by hand, and the rules of the wire that tables alone do not
 * say. */
#include "protocol/codec.h"
#include "protocol/frame.h"
#include "protocol/messages.h"
#include "tests/test.h"

static struct arena arena;

static struct bytes view(struct buf *b)
{
	return (struct bytes){b->data, (int32_t)b->len};
}

TEST(metadata_request_v1_null_topics_is_four_bytes)
{
	struct metadata_request m;
	struct gather g;

	codec_init(&metadata_request_schema, &m);
	m.topics_count = -1;
	gather_init(&g, 1000);
	CHECK_EQ(codec_encode(&metadata_request_schema, 1, &m, &g, NULL), 0);
	CHECK_BYTES(g.own.data, g.own.len, "\xff\xff\xff\xff", 4);
	gather_release(&g);
}

TEST(an_absent_field_that_is_set_is_an_error_with_its_name)
{
	struct produce_request m;
	struct error e = ERROR_INIT;
	struct gather g;

	codec_init(&produce_request_schema, &m);
	m.transactional_id = str_of("tx");
	gather_init(&g, 1000);
	CHECK_EQ(codec_encode(&produce_request_schema, 2, &m, &g, &e), ERR_UNSUPPORTED);
	CHECK_TEXT(e.field, "transactionalId");
	gather_release(&g);
}

TEST(a_truncated_body_names_field_and_offset)
{
	struct fetch_request m;
	struct error e = ERROR_INIT;
	struct gather g;

	codec_init(&fetch_request_schema, &m);
	struct fetch_request_topics_partitions partition = DEFAULTS_fetch_request_topics_partitions;

	m.topics = &(struct fetch_request_topics){
		.topic = {"t", 1}, .partitions_count = 1, .partitions = &partition};
	m.topics_count = 1;
	gather_init(&g, 1000);
	CHECK_EQ(codec_encode(&fetch_request_schema, 9, &m, &g, NULL), 0);
	arena_init(&arena, 1 << 20);
	CHECK_EQ(codec_decode(&fetch_request_schema, 9,
			      (struct bytes){g.own.data, (int32_t)g.own.len - 5}, &arena, &m, &e),
		 ERR_TRUNCATED);
	CHECK_TEXT(e.field, "topics[0].partitions[0].partitionMaxBytes");
	CHECK_EQ(e.offset, g.own.len - 8);
	arena_release(&arena);
	gather_release(&g);
}

TEST(a_large_array_count_costs_nothing)
{
	struct metadata_request m;
	struct error e = ERROR_INIT;

	arena_init(&arena, 1 << 20);
	CHECK_EQ(codec_decode(&metadata_request_schema, 1,
			      (struct bytes){(const uint8_t *)"\x7f\xff\xff\xff\0\0", 6}, &arena,
			      &m, &e),
		 ERR_MALFORMED);
	CHECK_EQ(arena.size, 0);
	CHECK_TEXT(e.field, "topics");
	arena_release(&arena);
}

TEST(unknown_tags_survive_a_round_trip_and_stand_in_order)
{
	struct fetch_response m, back;
	struct error e = ERROR_INIT;
	struct gather g;
	struct buf out;
	struct {
		struct unknown_tags head;
		struct unknown_tag tag[1];
	} tags = {{1}, {{5, {(const uint8_t *)"abc", 3}}}};

	codec_init(&fetch_response_schema, &m);
	m.unknown_tags = &tags.head;
	m.node_endpoints = &(struct fetch_response_node_endpoints){
		.node_id = 1, .host = {"h", 1}, .port = 9092};
	m.node_endpoints_count = 1;
	gather_init(&g, 1000);
	buf_init(&out, 1000);
	CHECK_EQ(codec_encode(&fetch_response_schema, 16, &m, &g, &e), 0);
	gather_flatten(&g, &out);
	arena_init(&arena, 1 << 20);
	CHECK_EQ(codec_decode(&fetch_response_schema, 16, view(&out), &arena, &back, &e), out.len);
	CHECK(codec_equal(&fetch_response_schema, &m, &back));
	back.node_endpoints[0].port = 1;
	char path[100];
	CHECK(!codec_compare(&fetch_response_schema, 16, &m, &back, path, sizeof(path)));
	CHECK_TEXT(path, "nodeEndpoints[0].port");
	arena_release(&arena);
	gather_release(&g);
	buf_release(&out);
}

TEST(large_records_are_taken_by_reference)
{
	static uint8_t records[2000];
	struct produce_request m;
	struct gather g;
	struct buf out;

	codec_init(&produce_request_schema, &m);
	m.topic_data_count = 1;
	m.topic_data = &(struct produce_request_topic_data){
		.name = {"t", 1},
		.partition_data_count = 1,
		.partition_data = &(struct produce_request_topic_data_partition_data){
			.records = {records, 2000, 0}}};
	gather_init(&g, 4000);
	buf_init(&out, 4000);
	CHECK_EQ(frame_write_request(&g, API_PRODUCE, 9, 77, str_of("me"), &m, NULL), 0);
	CHECK_EQ(g.refs_count, 1);
	CHECK(g.refs[0].span.data == records);
	gather_flatten(&g, &out);
	CHECK_EQ(out.len, gather_size(&g));

	struct frame_header h;
	struct bytes frame = {out.data + 4, (int32_t)out.len - 4};
	void *body;

	CHECK_EQ(frame_read_request(frame, &h, NULL), 0);
	CHECK_EQ(h.correlation_id, 77);
	CHECK_STR(h.client_id, "me");
	arena_init(&arena, 1 << 20);
	CHECK_EQ(frame_decode(API_PRODUCE, 9, MESSAGE_REQUEST,
			      (struct bytes){frame.data + h.body, frame.len - h.body}, &arena,
			      &body, NULL),
		 frame.len - h.body);
	CHECK(codec_equal(&produce_request_schema, body, &m));
	arena_release(&arena);
	gather_release(&g);
	buf_release(&out);
}

TEST(a_metadata_record_is_framed_by_three_varints)
{
	struct error e = ERROR_INIT;
	struct frame_record r;
	struct buf out;

	buf_init(&out, 100);
	frame_write_record(&out, 200, 1);
	CHECK_BYTES(out.data, out.len, "\x01\xc8\x01\x01", 4);
	CHECK_EQ(frame_read_record(view(&out), &r, NULL), 0);
	CHECK_EQ(r.type, 200);
	CHECK_EQ(r.version, 1);
	CHECK_EQ(r.body, 4);
	CHECK_EQ(frame_read_record((struct bytes){out.data, 2}, &r, &e), ERR_TRUNCATED);
	CHECK_TEXT(e.field, "type");
	CHECK_EQ(e.offset, 1);
	CHECK_EQ(frame_read_record((struct bytes){(const uint8_t *)"\x02\0\0", 3}, &r, NULL),
		 ERR_UNSUPPORTED);
	buf_release(&out);
}

/* Kafka's generator writes the null mark of a tagged struct as a varint, and its default is no
 * null. */
TEST(a_tagged_struct_that_can_be_null_has_its_own_mark)
{
	const struct schema *s = &consumer_group_member_metadata_value_schema;
	struct consumer_group_member_metadata_value m, back;
	struct gather g;

	codec_init(s, &m);
	m.subscribed_topic_names_count = 0;
	m.classic_member_metadata = NULL;
	gather_init(&g, 1000);
	CHECK_EQ(codec_encode(s, 0, &m, &g, NULL), 0);
	CHECK_BYTES(g.own.data + g.own.len - 4, 4, "\x01\0\x01\0", 4);
	arena_init(&arena, 1000);
	CHECK_EQ(codec_decode(s, 0, view(&g.own), &arena, &back, NULL), g.own.len);
	CHECK(!back.classic_member_metadata);
	gather_reset(&g);
	codec_init(s, &m);
	CHECK_EQ(codec_encode(s, 0, &m, &g, NULL), 0);
	CHECK_EQ(g.own.data[g.own.len - 1], 0); /* no tags: the default is an empty struct */
	CHECK_EQ(codec_decode(s, 0, view(&g.own), &arena, &back, NULL), g.own.len);
	CHECK(back.classic_member_metadata != NULL);
	arena_release(&arena);
	gather_release(&g);
}
