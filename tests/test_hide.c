/* What a sanitized message still shows: nothing that was planted, and everything that makes it
 * readable. */
#include "base/hex.h"
#include "base/keyed.h"
#include "protocol/batch_builder.h"
#include "protocol/codec.h"
#include "protocol/message_json.h"
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

/* ---- control records ---- */

/* The records of a Produce, hidden; they live in the arena. */
static struct bytes hidden_records(const struct buf *in, struct arena *arena)
{
	struct produce_request_topic_data_partition_data part;
	struct produce_request_topic_data topic;
	struct produce_request request;
	struct hide h;

	codec_init(&produce_request_schema, &request);
	codec_init(&produce_request_topic_data_schema, &topic);
	codec_init(&produce_request_topic_data_partition_data_schema, &part);
	part.records = (struct records){in->data, (int32_t)in->len, 0};
	topic.partition_data = &part;
	topic.partition_data_count = 1;
	request.topic_data = &topic;
	request.topic_data_count = 1;
	hide_init(&h, &key, 0);
	CHECK(hide_message(&h, &produce_request_schema, 9, &request, arena));
	CHECK_EQ(h.unread, 0);
	hide_release(&h);
	return (struct bytes){part.records.data, part.records.len};
}

/* A control batch of one record through hide; what is read again from it, views into the arena. */
static void hide_control_record(struct bytes k, struct bytes v, struct arena *arena,
				struct record *ret)
{
	static struct batch b;
	struct batch_options options = BATCH_OPTIONS_INIT;
	struct batch_builder builder;
	struct record_iter it;
	struct bytes got;
	struct buf out;

	buf_init(&out, 1 << 16);
	options.control = true;
	batch_builder_init(&builder, &options, &out);
	batch_builder_add(&builder, 7, k, v, NULL, 0);
	CHECK_EQ(batch_builder_end(&builder, NULL), 0);
	batch_builder_release(&builder);
	got = hidden_records(&out, arena);
	CHECK_EQ(batch_read(got.data, (size_t)got.len, &b, NULL), 0);
	CHECK(b.control);
	CHECK(batch_crc_ok(&b));
	CHECK_EQ(record_iter_init(&it, &b, NULL, NULL), 0);
	CHECK_EQ(record_next(&it, ret, NULL), 1);
	CHECK_EQ(ret->key.len, k.len);
	CHECK_EQ(ret->value.len, v.len);
	buf_release(&out);
}

TEST(a_transaction_marker_stays_byte_for_byte)
{
	struct arena a;
	struct buf out;
	struct bytes got;

	arena_init(&a, 1 << 16);
	buf_init(&out, 1 << 16);
	CHECK_EQ(batch_write_marker(&out, 41, 1000, 3, 9, 1, true, 5, NULL), 0);
	CHECK_EQ(batch_write_marker(&out, 42, 1001, 3, 9, 1, false, 5, NULL), 0);
	got = hidden_records(&out, &a);
	CHECK_BYTES(got.data, (size_t)got.len, out.data, out.len);
	buf_release(&out);
	arena_release(&a);
}

#define BYTES_OF(TEXT) ((struct bytes){(const uint8_t *)(TEXT), sizeof(TEXT) - 1})

TEST(a_control_record_shows_its_type_and_nothing_that_anybody_wrote)
{
	static const struct {
		struct bytes key, value;
		bool key_stays;
	} rows[] = {
		{BYTES_OF("\0\0\0\6"), BYTES_OF("\0\0controller-1.prod"), true},
		{BYTES_OF("\0\0\0\1"), BYTES_OF("\0\0\0\0\0\5 more"), true},
		{BYTES_OF("\0\0\0\1"), BYTES_OF("secret"), true},
		{BYTES_OF("\0\0\0\1more"), BYTES_OF("\0\0\0\0\0\5"), false},
		{BYTES_OF("cust"), BYTES_OF("omer"), false},
		{BYTES_OF("customer-7"), BYTES_OF("a value"), false},
	};
	struct record r;
	struct arena a;

	arena_init(&a, 1 << 16);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		hide_control_record(rows[i].key, rows[i].value, &a, &r);
		CHECK_EQ(memcmp(r.key.data, rows[i].key.data, (size_t)r.key.len) == 0,
			 rows[i].key_stays);
		CHECK(memcmp(r.value.data, rows[i].value.data, (size_t)r.value.len) != 0);
	}
	arena_release(&a);
}

/* ---- resources, configurations, ACLs ---- */

/* A message of that JSON, hidden. */
static void *hidden_json(const struct schema *s, int version, const char *json, struct arena *arena)
{
	void *msg = arena_alloc(arena, s->size);
	json_t *value = json_loads(json, MESSAGE_JSON_FLAGS, NULL);
	struct error e = ERROR_INIT;
	struct hide h;

	codec_init(s, msg);
	CHECK(value != NULL);
	message_json_read(s, version, value, arena, msg, &e);
	CHECK_TEXT(e.text, "");
	json_decref(value);
	hide_init(&h, &key, 0);
	CHECK(hide_message(&h, s, version, msg, arena));
	hide_release(&h);
	return msg;
}

TEST(a_resource_with_a_number_for_its_name_stays_only_where_it_is_a_broker)
{
	static const struct {
		int type; /* of ConfigResource */
		const char *name, *prefix;
	} rows[] = {
		{2, "4915112345678", "topic-"},
		{32, "4915112345678", "group-"},
		{16, "4915112345678", "(removed)"},
		{4, "17", "17"},
		{8, "17", "17"},
		{4, "10.1.2.3", "(removed)"},
	};
	struct describe_configs_request *r;
	struct arena a;

	arena_init(&a, 1 << 20);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		r = hidden_json(&describe_configs_request_schema, 1,
				arena_printf(&a,
					     "{\"resources\":[{\"resourceType\":%d,"
					     "\"resourceName\":\"%s\",\"configurationKeys\":"
					     "null}],\"includeSynonyms\":false}",
					     rows[i].type, rows[i].name),
				&a);
		CHECK_TEXT(arena_printf(&a, "%.*s", (int)strlen(rows[i].prefix),
					r->resources[0].resource_name.data),
			   rows[i].prefix);
		if (rows[i].type == 2) /* as Metadata calls it */
			CHECK(str_eq(r->resources[0].resource_name,
				     hidden_name(0, ROLE_TOPIC, rows[i].name, &a)));
	}
	arena_release(&a);
}

/* What becomes of a topic's configuration and of its synonym's value. */
static bool config_stays(const char *name, const char *value, const char *sensitive)
{
	struct describe_configs_response *r;
	struct arena a;
	bool stays, synonym;

	arena_init(&a, 1 << 20);
	r = hidden_json(&describe_configs_response_schema, 1,
			arena_printf(&a,
				     "{\"throttleTimeMs\":0,\"results\":[{\"errorCode\":0,"
				     "\"errorMessage\":null,\"resourceType\":2,\"resourceName\":"
				     "\"t\",\"configs\":[{\"name\":\"%s\",\"value\":\"%s\","
				     "\"readOnly\":false,\"configSource\":1,\"isSensitive\":%s,"
				     "\"synonyms\":[{\"name\":\"%s\",\"value\":\"%s\","
				     "\"source\":1}]}]}]}",
				     name, value, sensitive, name, value),
			&a);
	stays = str_is(r->results[0].configs[0].value, value);
	synonym = str_is(r->results[0].configs[0].synonyms[0].value, value);
	CHECK_EQ(stays, synonym);
	arena_release(&a);
	return stays;
}

TEST(a_configuration_stays_if_it_is_a_number_or_a_word_of_kafkas_and_no_secret)
{
	static const char *const secrets[] = {"sasl.jaas.config", "ssl.key.password",
					      "my.Client.SECRET", "oauth.token", "a.credential.b"};

	CHECK(config_stays("retention.ms", "-1", "false"));
	CHECK(config_stays("min.cleanable.dirty.ratio", "0.5", "false"));
	CHECK(config_stays("compression.type", "producer", "false"));
	CHECK(!config_stays("advertised.listeners", "10.1.2.3", "false"));
	CHECK(!config_stays("phone", "0151-2345678", "false"));
	CHECK(!config_stays("anything", "20231231", "true"));
	CHECK(!config_stays("anything", "producer", "true"));
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
		CHECK(!config_stays(secrets[i], "20231231", "false"));
}

#define ACL_FILTER(HOST)                                                                 \
	"{\"resourceTypeFilter\":2,\"resourceNameFilter\":null,\"patternTypeFilter\":3," \
	"\"principalFilter\":null,\"hostFilter\":" HOST ",\"operation\":2,\"permissionType\":3}"
#define ACL_CREATION(HOST)                                                                    \
	"{\"creations\":[{\"resourceType\":2,\"resourceName\":\"t\",\"resourcePatternType\":" \
	"3,\"principal\":\"User:bob\",\"host\":\"" HOST                                       \
	"\",\"operation\":2,\"permissionType\":3}]}"

static struct str filter_host(const char *json, struct arena *a)
{
	struct describe_acls_request *r = hidden_json(&describe_acls_request_schema, 1, json, a);

	return r->host_filter;
}

static struct str creation_host(const char *json, struct arena *a)
{
	struct create_acls_request *r = hidden_json(&create_acls_request_schema, 1, json, a);

	return r->creations[0].host;
}

TEST(hosts_of_acls_are_addresses_and_the_star_stays)
{
	struct str address;
	struct arena a;

	arena_init(&a, 1 << 20);
	address = hidden_name(0, ROLE_HOST, "198.51.100.77", &a);
	CHECK(!str_is(address, "198.51.100.77"));
	CHECK(str_eq(filter_host(ACL_FILTER("\"198.51.100.77\""), &a), address));
	CHECK(str_eq(creation_host(ACL_CREATION("198.51.100.77"), &a), address));
	CHECK_STR(filter_host(ACL_FILTER("\"*\""), &a), "*");
	CHECK_STR(creation_host(ACL_CREATION("*"), &a), "*");
	CHECK(filter_host(ACL_FILTER("null"), &a).data == NULL);
	arena_release(&a);
}
