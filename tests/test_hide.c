/* What a sanitized message still shows: nothing that was planted, and everything that makes it
 * readable. */
#include "base/hex.h"
#include "base/keyed.h"
#include "protocol/batch_builder.h"
#include "protocol/codec.h"
#include "protocol/messages.h"
#include "replay/hide.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#define LINE_SIZE_MAX (1 << 20)
#define PLANTED	      "Planted-Secret-3391"

static const struct key key = {1, 2};

/* ---- noise ---- */

TEST(siphash_is_the_published_one)
{
	struct key k = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
	uint8_t in[15];

	for (int i = 0; i < 15; i++)
		in[i] = (uint8_t)i;
	CHECK(keyed_hash(&k, in, 15) == 0xa129ca6149be45e5u);
	CHECK(keyed_hash(&k, in, 0) == 0x726fdb47dd0e0e31u);
}

TEST(noise_keeps_length_and_tells_different_bytes_apart)
{
	static uint8_t seen[65536];
	int different = 0;

	for (unsigned i = 0; i < 65536; i++) {
		uint8_t two[2] = {(uint8_t)i, (uint8_t)(i >> 8)};

		keyed_noise(&key, two, 2);
		different += !seen[two[0] | two[1] << 8]++;
	}
	CHECK_EQ(different, 65536);
	memset(seen, 0, sizeof(seen));
	different = 0;
	for (unsigned i = 0; i < 256; i++) {
		uint8_t one = (uint8_t)i;

		keyed_noise(&key, &one, 1);
		different += !seen[one]++;
	}
	CHECK_EQ(different, 256);
}

/* ---- the table ---- */

static int unnamed(const struct schema *s, int depth)
{
	int n = 0;

	for (uint16_t i = 0; i < s->field_count && depth < 12; i++) {
		const struct schema_field *f = &s->fields[i];

		if (f->child)
			n += unnamed(f->child, depth + 1);
		else if (f->type >= FIELD_STRING && !role_is_named(s, f))
			n += printf("%s.%s has no role\n", s->name, f->name) > 0;
	}
	return n;
}

TEST(every_text_and_every_bytes_of_every_message_has_a_role)
{
	size_t count;
	const struct message *all = message_all(&count);
	int n = 0;

	for (size_t i = 0; i < count; i++)
		n += unnamed(all[i].schema, 0);
	CHECK_EQ(n, 0);
	for (int r = 0; r < ROLE_COUNT; r++)
		CHECK(role_name((enum role)r) != NULL);
}

/* ---- planted ---- */

struct plant {
	struct arena *arena;
	struct buf *records;
	int planted;
};

static struct records planted_records(struct plant *p)
{
	struct batch_options options = BATCH_OPTIONS_INIT;
	struct batch_builder b;
	struct bytes secret = {(const uint8_t *)PLANTED, sizeof(PLANTED) - 1};
	struct record_header header = {{PLANTED, sizeof(PLANTED) - 1}, secret};

	buf_reset(p->records);
	batch_builder_init(&b, &options, p->records);
	batch_builder_add(&b, 1, secret, secret, &header, 1);
	CHECK_EQ(batch_builder_end(&b, NULL), 0);
	batch_builder_release(&b);
	return (struct records){arena_copy(p->arena, p->records->data, p->records->len),
				(int32_t)p->records->len, 0};
}

static void plant_leaf(void *user, const struct leaf *l)
{
	struct plant *p = user;

	if (!l->field || l->role == ROLE_PLAIN)
		return;
	if (l->field->type == FIELD_STRING)
		*(struct str *)l->value = str_of(PLANTED);
	else if (l->field->type == FIELD_BYTES)
		*(struct bytes *)l->value =
			(struct bytes){(const uint8_t *)PLANTED, sizeof(PLANTED) - 1};
	else if (l->field->type == FIELD_RECORDS)
		*(struct records *)l->value = planted_records(p);
	else
		return;
	p->planted++;
}

static struct {
	struct arena arena;
	struct buf records, flat;
	struct gather gather;
	struct hide hide;
	long messages, planted, leaks, failures;
	uint8_t *data;
} t;

static void plant_and_hide(const struct message *m, int version, struct bytes data, const char *who)
{
	void *msg = arena_alloc(&t.arena, m->schema->size);
	struct plant p = {&t.arena, &t.records, 0};
	struct error e = ERROR_INIT;

	if (codec_decode(m->schema, version, data, &t.arena, msg, NULL) < 0)
		return;
	leaves_each(m->schema, version, msg, plant_leaf, &p);
	CHECK(hide_message(&t.hide, m->schema, version, msg, &t.arena));
	gather_reset(&t.gather);
	buf_reset(&t.flat);
	t.failures += codec_encode(m->schema, version, msg, &t.gather, &e) < 0;
	gather_flatten(&t.gather, &t.flat);
	t.messages++;
	t.planted += p.planted;
	if (memmem(t.flat.data, t.flat.len, PLANTED, sizeof(PLANTED) - 1) && !t.leaks++)
		printf("a secret is left in %s\n", who);
}

static void plant_line(char *line)
{
	char *field[6], *save = line;
	const struct message *m = NULL;
	int64_t n;
	int kind;

	for (int i = 0; i < 6; i++)
		field[i] = strsep(&save, "\t\n");
	kind = !strcmp(field[2], "request")    ? MESSAGE_REQUEST
	       : !strcmp(field[2], "response") ? MESSAGE_RESPONSE
					       : -1;
	n = hex_decode(str_of(field[5]), t.data, LINE_SIZE_MAX);
	if (kind >= 0)
		m = message_of_api(atoi(field[0]), (enum message_kind)kind);
	arena_reset(&t.arena);
	if (m && n >= 0)
		plant_and_hide(m, atoi(field[3]), (struct bytes){t.data, (int32_t)n}, field[1]);
}

TEST(nothing_planted_in_any_message_survives_and_it_still_encodes)
{
	static const char *const files[] = {"fixtures/wire/messages-4.4.0.tsv.gz",
					    "fixtures/wire/messages-3.9.1.tsv.gz"};
	char *line = malloc(LINE_SIZE_MAX);
	gzFile in;

	memset(&t, 0, sizeof(t));
	t.data = malloc(LINE_SIZE_MAX);
	arena_init(&t.arena, (size_t)8 << 20);
	buf_init(&t.records, 1 << 20);
	buf_init(&t.flat, 1 << 24);
	gather_init(&t.gather, 1 << 24);
	hide_init(&t.hide, &key, 0);
	for (int i = 0; i < 2; i++) {
		in = gzopen(files[i], "rb");
		CHECK(in != NULL);
		while (in && gzgets(in, line, LINE_SIZE_MAX))
			plant_line(line);
		if (in)
			gzclose(in);
	}
	CHECK_EQ(t.leaks, 0);
	CHECK_EQ(t.failures, 0);
	CHECK(t.messages > 3000);
	CHECK(t.planted > 10000);
	hide_release(&t.hide);
	gather_release(&t.gather);
	buf_release(&t.flat);
	buf_release(&t.records);
	arena_release(&t.arena);
	free(t.data);
	free(line);
}

/* ---- what stays ---- */

static struct str hidden_name(unsigned keep, enum role role, const char *name, struct arena *a)
{
	struct hide h;
	struct str got;

	hide_init(&h, &key, keep);
	got = hide_name(&h, role, str_of(name), a);
	hide_release(&h);
	return got;
}

TEST(names_become_the_same_pseudonym_each_time_and_kept_ones_stay)
{
	struct arena a;
	struct str orders;

	arena_init(&a, 1 << 16);
	orders = hidden_name(0, ROLE_TOPIC, "orders", &a);
	CHECK(str_eq(orders, hidden_name(HIDE_KEEP_GROUPS, ROLE_TOPIC, "orders", &a)));
	CHECK(!str_eq(orders, hidden_name(0, ROLE_TOPIC, "payments", &a)));
	CHECK_EQ(strncmp(orders.data, "topic-", 6), 0);
	CHECK_STR(hidden_name(HIDE_KEEP_TOPICS, ROLE_TOPIC, "orders", &a), "orders");
	CHECK_STR(hidden_name(0, ROLE_TOPIC, "__consumer_offsets", &a), "__consumer_offsets");
	CHECK_STR(hidden_name(0, ROLE_HOST, "localhost", &a), "localhost");
	CHECK_STR(hidden_name(0, ROLE_HOST, "127.0.0.1", &a), "127.0.0.1");
	CHECK(!str_eq(hidden_name(0, ROLE_HOST, "192.168.7.9", &a), str_of("192.168.7.9")));
	CHECK_STR(hidden_name(HIDE_KEEP_ADDRESSES, ROLE_ADDRESS, "/10.1.2.3", &a), "/10.1.2.3");
	arena_release(&a);
}

/* Hides one batch of two records with equal keys and reads it again. */
static void hide_one_batch(int codec, bool wrong_crc)
{
	struct batch_options options = BATCH_OPTIONS_INIT;
	struct bytes k = {(const uint8_t *)"customer-7", 10}, v = {(const uint8_t *)"v", 1};
	struct produce_request_topic_data_partition_data part;
	struct produce_request_topic_data topic;
	struct produce_request request;
	struct record first, second;
	struct record_iter it;
	struct arena a;
	struct batch b;
	struct hide h;
	struct buf out, expanded;
	struct batch_builder builder;

	arena_init(&a, 1 << 20);
	buf_init(&out, 1 << 20);
	buf_init(&expanded, 1 << 20);
	options.codec = (uint8_t)codec;
	options.producer_id = 9;
	options.producer_epoch = 1;
	options.base_sequence = 5;
	batch_builder_init(&builder, &options, &out);
	batch_builder_add(&builder, 100, k, v, NULL, 0);
	batch_builder_add(&builder, 101, k, (struct bytes){NULL, 0}, NULL, 0);
	CHECK_EQ(batch_builder_end(&builder, NULL), 0);
	batch_builder_release(&builder);
	out.data[BATCH_AT_CRC] ^= wrong_crc;
	codec_init(&produce_request_schema, &request);
	codec_init(&produce_request_topic_data_schema, &topic);
	codec_init(&produce_request_topic_data_partition_data_schema, &part);
	part.records = (struct records){out.data, (int32_t)out.len, 0};
	topic.partition_data = &part;
	topic.partition_data_count = 1;
	request.topic_data = &topic;
	request.topic_data_count = 1;
	hide_init(&h, &key, 0);
	CHECK(hide_message(&h, &produce_request_schema, 9, &request, &a));
	CHECK_EQ(batch_read(part.records.data, (size_t)part.records.len, &b, NULL), 0);
	CHECK_EQ(b.codec, codec);
	CHECK_EQ(b.base_sequence, 5);
	CHECK_EQ(b.producer_id, 9);
	CHECK_EQ(batch_crc_ok(&b), !wrong_crc);
	CHECK_EQ(record_iter_init(&it, &b, &expanded, NULL), 0);
	CHECK_EQ(record_next(&it, &first, NULL), 1);
	CHECK_EQ(record_next(&it, &second, NULL), 1);
	CHECK_EQ(first.key.len, 10);
	CHECK(memcmp(first.key.data, "customer-7", 10) != 0);
	CHECK_BYTES(first.key.data, 10, second.key.data, 10);
	CHECK_EQ(first.timestamp, 100);
	CHECK(second.value.data == NULL);
	hide_release(&h);
	buf_release(&out);
	buf_release(&expanded);
	arena_release(&a);
}

TEST(a_hidden_batch_keeps_sequence_codec_times_nulls_equal_keys_and_the_truth_of_its_crc)
{
	for (int codec = 0; codec < CODEC_COUNT; codec++)
		hide_one_batch(codec, false);
	hide_one_batch(CODEC_NONE, true);
}
