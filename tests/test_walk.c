/* The walk: what it tells, what it skips, where it says things are. That it agrees with the codec
 * on every message is in test_wire_fixtures.c. */
#include "protocol/messages.h"
#include "protocol/walk.h"
#include "tests/test.h"

#include <stdio.h>

/* Notes every event as a line of text. */
struct notes {
	struct buf text;
	bool skip;
	int stop_after; /* events; 0: never */
	int count;
};

static void note_value(struct notes *n, const struct walk_event *event)
{
	if (event->field->type == FIELD_STRING)
		buf_printf(&n->text, "'" STR_FMT "'", STR_ARG(event->value.str));
	else
		buf_printf(&n->text, "%lld", (long long)event->value.integer);
}

static enum walk_want note(void *user, const struct walk *w, const struct walk_event *event)
{
	static const char *const kinds[] = {
		[WALK_STRUCT] = "{",	  [WALK_STRUCT_END] = "}",    [WALK_ARRAY] = "[",
		[WALK_ARRAY_END] = "]",	  [WALK_VALUE] = "=",	      [WALK_NULL] = "null",
		[WALK_DATA] = "data",	  [WALK_CHUNK] = "chunk",     [WALK_DATA_END] = "end",
		[WALK_TRAILING] = "rest", [WALK_UNKNOWN_TAG] = "tag",
	};
	struct notes *n = user;
	char path[100];

	walk_path(w, event, path, sizeof(path));
	buf_printf(&n->text, "%s%s%s@%lld+%lld ", path, *path ? " " : "", kinds[event->kind],
		   (long long)event->offset, (long long)event->size);
	if (event->kind == WALK_VALUE)
		note_value(n, event);
	buf_byte(&n->text, '\n');
	n->count++;
	if (n->stop_after && n->count == n->stop_after)
		return WALK_STOP;
	return n->skip ? WALK_SKIP : WALK_ON;
}

static const char *notes_text(struct notes *n)
{
	return buf_cstr(&n->text);
}

static void notes_init(struct notes *n)
{
	*n = (struct notes){0};
	buf_init(&n->text, 10000);
}

/* A Produce v9 request: one topic "t", one partition 7, `size` bytes of records, acks -1,
 * timeout 9. */
static struct bytes produce(uint8_t size)
{
	static uint8_t data[300];
	uint8_t head[] = {0, 0xff, 0xff, 0, 0, 0, 9, 2, 2, 't', 2, 0, 0, 0, 7, (uint8_t)(size + 1)};

	memcpy(data, head, sizeof(head));
	memset(data + sizeof(head), 'r', size);
	memset(data + sizeof(head) + size, 0, 3); /* no tags, three levels */
	return (struct bytes){data, (int32_t)sizeof(head) + size + 3};
}

TEST(the_walk_names_every_value_with_its_place)
{
	struct bytes data = produce(5);
	struct notes n;
	struct walk w;

	notes_init(&n);
	walk_init(&w, &produce_request_schema, 9, data.len, note, &n);
	CHECK_EQ(walk_feed(&w, data, NULL), 0);
	CHECK_EQ(walk_end(&w, NULL), 0);
	CHECK_TEXT(notes_text(&n), "{@0+0 \n"
				   "transactionalId null@0+1 \n"
				   "acks =@1+2 -1\n"
				   "timeoutMs =@3+4 9\n"
				   "topicData [@7+0 \n"
				   "topicData[0] {@8+0 \n"
				   "topicData[0].name =@8+2 't'\n"
				   "topicData[0].partitionData [@10+0 \n"
				   "topicData[0].partitionData[0] {@11+0 \n"
				   "topicData[0].partitionData[0].index =@11+4 7\n"
				   "topicData[0].partitionData[0].records data@15+1 \n"
				   "topicData[0].partitionData[0].records chunk@16+5 \n"
				   "topicData[0].partitionData[0].records end@15+6 \n"
				   "topicData[0].partitionData[0] }@11+11 \n"
				   "topicData[0].partitionData ]@10+12 \n"
				   "topicData[0] }@8+15 \n"
				   "topicData ]@7+16 \n"
				   "}@0+24 \n");
	walk_release(&w);
	buf_release(&n.text);
}

TEST(skipped_records_need_not_be_fed)
{
	struct bytes data = produce(100);
	struct notes n;
	struct walk w;

	notes_init(&n);
	n.skip = true;
	walk_init(&w, &produce_request_schema, 9, WALK_SIZE_UNKNOWN, note, &n);
	CHECK_EQ(walk_feed(&w, (struct bytes){data.data, 26}, NULL), 90);
	walk_skip(&w, 50);
	CHECK_EQ(walk_offset(&w), 76);
	CHECK_EQ(walk_feed(&w, (struct bytes){data.data + 76, 1}, NULL), 39);
	walk_skip(&w, 39);
	CHECK(walk_feed(&w, (struct bytes){data.data + 116, 3}, NULL) > 0);
	CHECK_EQ(walk_end(&w, NULL), 0);
	CHECK(!strstr(notes_text(&n), "chunk"));
	CHECK(strstr(notes_text(&n), "records end@15+101") != NULL);
	CHECK(strstr(notes_text(&n), "\n}@0+119") != NULL);
	walk_release(&w);
	buf_release(&n.text);
}

TEST(chunks_come_as_they_were_fed_and_are_not_kept)
{
	struct bytes data = produce(100);
	struct notes n;
	struct walk w;

	notes_init(&n);
	walk_init(&w, &produce_request_schema, 9, data.len, note, &n);
	walk_feed(&w, (struct bytes){data.data, 46}, NULL);
	walk_feed(&w, (struct bytes){data.data + 46, data.len - 46}, NULL);
	CHECK_EQ(walk_end(&w, NULL), 0);
	CHECK(strstr(notes_text(&n), "chunk@16+30") != NULL);
	CHECK(strstr(notes_text(&n), "chunk@46+70") != NULL);
	CHECK_EQ(w.carry.cap, 0);
	walk_release(&w);
	buf_release(&n.text);
}

TEST(bytes_behind_the_message_are_told)
{
	struct bytes data = produce(5);
	struct notes n;
	struct walk w;

	notes_init(&n);
	walk_init(&w, &produce_request_schema, 9, 30, note, &n);
	CHECK_EQ(walk_feed(&w, data, NULL), 6);
	CHECK_EQ(walk_feed(&w, (struct bytes){data.data, 6}, NULL), 0);
	CHECK_EQ(walk_end(&w, NULL), 0);
	CHECK(strstr(notes_text(&n), "rest@24+6") != NULL);
	walk_release(&w);
	buf_release(&n.text);
}

TEST(a_handler_that_has_enough_is_asked_no_more)
{
	struct bytes data = produce(5);
	struct notes n;
	struct walk w;

	notes_init(&n);
	n.stop_after = 3;
	walk_init(&w, &produce_request_schema, 9, data.len, note, &n);
	CHECK_EQ(walk_feed(&w, (struct bytes){data.data, 10}, NULL), 14);
	CHECK_EQ(walk_feed(&w, (struct bytes){data.data + 10, 14}, NULL), 0);
	CHECK_EQ(walk_end(&w, NULL), 0);
	CHECK_EQ(n.count, 3);
	walk_release(&w);
	buf_release(&n.text);
}

TEST(an_end_inside_skipped_records_is_named)
{
	struct bytes data = produce(100);
	struct error e = ERROR_INIT;
	struct notes n;
	struct walk w;

	notes_init(&n);
	n.skip = true;
	walk_init(&w, &produce_request_schema, 9, data.len, note, &n);
	CHECK_EQ(walk_feed(&w, (struct bytes){data.data, 20}, &e), 96);
	CHECK_EQ(walk_end(&w, &e), ERR_TRUNCATED);
	CHECK_TEXT(e.field, "topicData[0].partitionData[0].records");
	CHECK_EQ(e.offset, 16);
	walk_release(&w);
	buf_release(&n.text);
}

TEST(a_string_that_no_message_may_have_is_not_buffered)
{
	struct error e = ERROR_INIT;
	struct notes n;
	struct walk w;

	notes_init(&n);
	walk_init(&w, &find_coordinator_request_schema, 3, WALK_SIZE_UNKNOWN, note, &n);
	CHECK_EQ(walk_feed(&w, (struct bytes){(const uint8_t *)"\xff\xff\xff\x07zz", 6}, &e),
		 ERR_MALFORMED);
	CHECK_TEXT(e.field, "key");
	CHECK_EQ(w.carry.cap, 0);
	CHECK_EQ(walk_feed(&w, (struct bytes){(const uint8_t *)"zz", 2}, NULL), ERR_MALFORMED);
	CHECK_EQ(walk_end(&w, NULL), ERR_MALFORMED);
	walk_release(&w);
	buf_release(&n.text);
}

TEST(unknown_tags_are_told_with_their_number_and_bytes)
{
	static const uint8_t data[] = {2, 'k', 0, 1, 0x85, 1, 3, 'a', 'b', 'c'};
	struct notes n;
	struct walk w;

	notes_init(&n);
	walk_init(&w, &find_coordinator_request_schema, 3, sizeof(data), note, &n);
	CHECK_EQ(walk_feed(&w, (struct bytes){data, sizeof(data)}, NULL), 0);
	CHECK_EQ(walk_end(&w, NULL), 0);
	CHECK(strstr(notes_text(&n), "tag@4+3 \nchunk@7+3 \nend@4+6 \n}@0+10") != NULL);
	walk_release(&w);
	buf_release(&n.text);
}

TEST(a_message_of_no_bytes_has_a_beginning_and_an_end)
{
	struct notes n;
	struct walk w;

	notes_init(&n);
	walk_init(&w, &list_groups_request_schema, 0, 0, note, &n);
	CHECK_EQ(walk_end(&w, NULL), 0);
	CHECK_TEXT(notes_text(&n), "{@0+0 \n}@0+0 \n");
	walk_release(&w);
	buf_release(&n.text);
}
