/* What becomes of each role. Names: a prefix that says what it was, and a keyed hash. Bytes: keyed
 * noise. What is not in replay/role.h's table is text or bytes of nobody's knowledge and does not
 * occur (a test holds the table against the schemas); unknown tagged fields are dropped.
 *
 * Invariant: nothing of a hidden view is read after it was replaced, and no original byte stays in
 * what hide_message leaves reachable from msg. */
#include "replay/hide.h"

#include "protocol/batch_builder.h"
#include "protocol/codec.h"
#include "protocol/messages.h"
#include "protocol/wire.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <stdio.h>

#define BYTES_MAX	   ((size_t)FRAME_SIZE_MAX)
#define TOPIC_TYPE	   2 /* of ConfigResource and of ACL resources alike */
#define GROUP_TYPE	   3
#define TXN_TYPE	   5
#define USER_TYPE	   7
#define BROKER_TYPE	   4 /* the same number is an ACL's cluster */
#define BROKER_LOGGER_TYPE 8
#define CONFIG_GROUP_TYPE  32
#define CONFIG_NAME_MAX	   256 /* more of a name is not looked at */
#define CONTROL_KEY_SIZE   4
#define MARKER_SIZE	   6

void hide_init(struct hide *h, const struct key *key, unsigned keep)
{
	*h = (struct hide){.key = *key, .keep = keep};
	buf_init(&h->expanded, RECORDS_EXPANDED_MAX);
	buf_init(&h->records, BYTES_MAX);
	buf_init(&h->bytes, BYTES_MAX);
}

void hide_release(struct hide *h)
{
	buf_release(&h->expanded);
	buf_release(&h->records);
	buf_release(&h->bytes);
}

/* ---- names ---- */

static bool kept(const struct hide *h, enum role role)
{
	static const unsigned by_role[ROLE_COUNT] = {
		[ROLE_TOPIC] = HIDE_KEEP_TOPICS,	[ROLE_REGEX] = HIDE_KEEP_TOPICS,
		[ROLE_GROUP] = HIDE_KEEP_GROUPS,	[ROLE_TRANSACTIONAL_ID] = HIDE_KEEP_GROUPS,
		[ROLE_MEMBER] = HIDE_KEEP_GROUPS,	[ROLE_INSTANCE] = HIDE_KEEP_GROUPS,
		[ROLE_CLIENT] = HIDE_KEEP_CLIENTS,	[ROLE_PRINCIPAL] = HIDE_KEEP_CLIENTS,
		[ROLE_HOST] = HIDE_KEEP_ADDRESSES,	[ROLE_ADDRESS] = HIDE_KEEP_ADDRESSES,
		[ROLE_RACK] = HIDE_KEEP_ADDRESSES,	[ROLE_CLUSTER] = HIDE_KEEP_ADDRESSES,
		[ROLE_DIRECTORY] = HIDE_KEEP_ADDRESSES,
	};

	return h->keep & by_role[role];
}

static const char *prefix(enum role role)
{
	switch (role) {
	case ROLE_TOPIC:
		return "topic";
	case ROLE_REGEX:
		return "pattern";
	case ROLE_GROUP:
		return "group";
	case ROLE_TRANSACTIONAL_ID:
		return "txn";
	case ROLE_MEMBER:
		return "member";
	case ROLE_INSTANCE:
		return "instance";
	case ROLE_CLIENT:
		return "client";
	case ROLE_PRINCIPAL:
		return "user";
	case ROLE_RACK:
		return "rack";
	case ROLE_CLUSTER:
		return "cluster";
	case ROLE_DIRECTORY:
		return "/dir";
	case ROLE_HOST:
		return "host";
	default:
		return "text";
	}
}

/* Names that every cluster has. */
static bool common(enum role role, struct str name)
{
	static const char *const topics[] = {"__consumer_offsets", "__transaction_state",
					     "__share_group_state", "__cluster_metadata"};

	if (name.len == 0 || str_is(name, "*"))
		return true;
	if (role == ROLE_HOST || role == ROLE_ADDRESS)
		return str_is(name, "localhost");
	if (role != ROLE_TOPIC)
		return false;
	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
		if (str_is(name, topics[i]))
			return true;
	return false;
}

/* The family of a literal address, or 0. */
static int read_address(struct str text, uint8_t ret[16])
{
	char copy[INET6_ADDRSTRLEN];

	if (text.len >= (int32_t)sizeof(copy))
		return 0;
	memcpy(copy, text.data, (size_t)text.len);
	copy[text.len] = 0;
	if (inet_pton(AF_INET, copy, ret) == 1)
		return 4;
	return inet_pton(AF_INET6, copy, ret) == 1 ? 6 : 0;
}

static void hide_address(const struct hide *h, int family, uint8_t addr[16])
{
	static const uint8_t loopback[16] = {[15] = 1};
	uint64_t hash = keyed_hash(&h->key, addr, family == 4 ? 4 : 16);

	if (h->keep & HIDE_KEEP_ADDRESSES)
		return;
	if (family == 4 && addr[0] != 127) {
		wire_put32(addr, (uint32_t)(10u << 24 | (hash & 0xffffff)));
	} else if (family == 6 && memcmp(addr, loopback, 16) != 0) {
		memset(addr, 0, 16);
		addr[0] = 0xfd;
		wire_put64(addr + 8, hash);
	}
}

void hide_endpoint(const struct hide *h, struct endpoint *e)
{
	hide_address(h, e->family, e->addr);
}

/* A host by name or address; "/10.0.0.1" as a broker writes a client's. */
static struct str hide_host(const struct hide *h, struct str host, struct arena *arena)
{
	uint8_t addr[16];
	char text[INET6_ADDRSTRLEN];
	bool slash = host.len && host.data[0] == '/';
	struct str bare = {host.data + slash, host.len - slash};
	int family = read_address(bare, addr);

	if (!family)
		return str_of(
			arena_printf(arena, "host-%08x",
				     (uint32_t)keyed_hash(&h->key, bare.data, (size_t)bare.len)));
	hide_address(h, family, addr);
	inet_ntop(family == 4 ? AF_INET : AF_INET6, addr, text, sizeof(text));
	return str_of(arena_printf(arena, "%s%s", slash ? "/" : "", text));
}

struct str hide_name(const struct hide *h, enum role role, struct str name, struct arena *arena)
{
	if (!name.data || kept(h, role) || common(role, name))
		return name;
	if (role == ROLE_HOST || role == ROLE_ADDRESS)
		return hide_host(h, name, arena);
	return str_of(arena_printf(arena, "%s-%08x", prefix(role),
				   (uint32_t)keyed_hash(&h->key, name.data, (size_t)name.len)));
}

/* The number in a holder's field, where it has one of that name; else -1. */
static int64_t beside(const struct leaf *l, const char *name)
{
	const struct schema_field *f = schema_find(l->schema, str_of(name));

	if (!f || f->array || f->size != 1)
		return -1;
	return *((const int8_t *)l->holder + f->offset);
}

static int64_t resource_type(const struct leaf *l)
{
	int64_t type = beside(l, "resourceType");

	return type < 0 ? beside(l, "resourceTypeFilter") : type;
}

static enum role resource_role(const struct leaf *l)
{
	switch (resource_type(l)) {
	case TOPIC_TYPE:
		return ROLE_TOPIC;
	case GROUP_TYPE:
	case CONFIG_GROUP_TYPE:
		return ROLE_GROUP;
	case TXN_TYPE:
		return ROLE_TRANSACTIONAL_ID;
	case USER_TYPE:
		return ROLE_PRINCIPAL;
	default:
		return ROLE_TEXT;
	}
}

/* One number, perhaps with a sign and a fraction, and not a long one. An address is none. */
static bool numeric(struct str text)
{
	int dots = 0;

	for (int32_t i = 0; i < text.len; i++) {
		if (text.data[i] == '.')
			dots++;
		else if (!isdigit((unsigned char)text.data[i]) && (i || text.data[0] != '-'))
			return false;
	}
	return dots <= 1 && text.len < 20;
}

/* The cluster's fixed name; a broker's number, where the type says that it is one. */
static bool plain_resource(const struct leaf *l, struct str name)
{
	int64_t type = resource_type(l);

	if (resource_role(l) != ROLE_TEXT)
		return false;
	return str_is(name, "kafka-cluster") ||
	       ((type == BROKER_TYPE || type == BROKER_LOGGER_TYPE) && numeric(name));
}

/* Whether a value is a credential, as the answer says or as the configuration's name sounds; a
 * synonym's value is one where that of the configuration around it is. */
static bool is_secret_config(const struct leaf *l)
{
	static const char *const words[] = {"password", "secret", "jaas", "token", "credential"};
	const struct schema_field *sensitive, *name;
	char text[CONFIG_NAME_MAX];

	for (const struct holder *in = l->in; in; in = in->outer) {
		sensitive = schema_find(in->schema, str_of("isSensitive"));
		if (sensitive && *((const bool *)in->msg + sensitive->offset))
			return true;
	}
	name = schema_find(l->schema, str_of("name"));
	if (!name || name->type != FIELD_STRING || name->array)
		return false;
	snprintf(text, sizeof(text), STR_FMT,
		 STR_ARG(*(const struct str *)((const uint8_t *)l->holder + name->offset)));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasestr(text, words[i]))
			return true;
	return false;
}

static bool plain_config(const struct leaf *l, struct str value)
{
	static const char *const words[] = {
		"true",	  "false", "delete", "compact",	     "producer",   "none",	   "gzip",
		"snappy", "lz4",   "zstd",   "uncompressed", "CreateTime", "LogAppendTime"};

	if (is_secret_config(l))
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (str_is(value, words[i]))
			return true;
	return numeric(value);
}

/* ---- bytes ---- */

static struct bytes noise(const struct hide *h, struct bytes b, struct arena *arena)
{
	uint8_t *copy;

	if (!b.data || b.len == 0)
		return b;
	copy = (uint8_t *)arena_copy(arena, b.data, (size_t)b.len);
	if (copy)
		keyed_noise(&h->key, copy, (size_t)b.len);
	return (struct bytes){copy, copy ? b.len : 0};
}

/* Noise that is text: hexadecimal digits of noise, as many as the text had bytes. */
static struct str noise_text(const struct hide *h, struct str s, struct arena *arena)
{
	struct bytes b = noise(h, (struct bytes){(const uint8_t *)s.data, s.len}, arena);
	char *text = (char *)b.data;

	if (!s.data || s.len == 0)
		return s;
	for (int32_t i = 0; text && i < b.len; i++)
		text[i] = "0123456789abcdef"[b.data[i] & 15];
	return (struct str){text, b.len};
}

static leaf_visitor hide_leaf;

/* ConsumerProtocolSubscription or -Assignment: a version, and what follows it. What is not that,
 * byte for byte, is noise. */
static struct bytes hide_embedded(struct hide *h, const struct schema *s, struct bytes b)
{
	int16_t version = b.data && b.len >= 2 ? (int16_t)wire_u16(b.data) : -1;
	void *msg = arena_alloc(h->arena, s->size);
	struct gather g;
	struct bytes ret = {NULL, 0};

	if (!msg || version < s->since || version > s->until ||
	    codec_decode(s, version, (struct bytes){b.data + 2, b.len - 2}, h->arena, msg, NULL) !=
		    b.len - 2)
		return noise(h, b, h->arena);
	leaves_each(s, version, msg, hide_leaf, h);
	gather_init(&g, BYTES_MAX);
	buf_reset(&h->bytes);
	buf_be16(&h->bytes, (uint16_t)version);
	if (codec_encode(s, version, msg, &g, NULL) == 0) {
		gather_flatten(&g, &h->bytes);
		ret.data = (uint8_t *)arena_copy(h->arena, h->bytes.data, h->bytes.len);
		ret.len = (int32_t)h->bytes.len;
	}
	gather_release(&g);
	return ret;
}

/* ---- records ---- */

#define HEADERS_MAX 256 /* of one record; more are left out */

static int32_t hide_headers(struct hide *h, const struct record *r, struct record_header *out)
{
	struct record_header one;
	int32_t n = 0;
	size_t at = 0;

	while (n < HEADERS_MAX && record_header_next(r, &at, &one)) {
		out[n].key = noise_text(h, one.key, h->arena);
		out[n].value = noise(h, one.value, h->arena);
		n++;
	}
	return n;
}

/* What stays of a record of a control batch: the key that tells its type, where it is that and
 * nothing more, and a transaction marker's value. The other types' values name hosts. */
static void control_parts(const struct record *r, bool *ret_key, bool *ret_value)
{
	struct control_record c;

	*ret_key = r->key.len == CONTROL_KEY_SIZE && control_record_read(r, &c, NULL) == 0 &&
		   c.version == 0 && c.type >= CONTROL_ABORT && c.type <= CONTROL_KRAFT_VOTERS;
	*ret_value = *ret_key && c.type <= CONTROL_COMMIT && c.marker_version == 0 &&
		     r->value.len == MARKER_SIZE;
}

static void add_hidden(struct hide *h, struct batch_builder *b, const struct record *r)
{
	struct record_header headers[HEADERS_MAX];
	int32_t n = r->magic == 2 ? hide_headers(h, r, headers) : 0;
	bool key = false, value = false;

	if (b->options.control)
		control_parts(r, &key, &value);
	batch_builder_add_at(b, r->offset, r->timestamp, key ? r->key : noise(h, r->key, h->arena),
			     value ? r->value : noise(h, r->value, h->arena), n ? headers : NULL,
			     n);
}

static struct batch_options options_of(const struct batch *b, const struct record_iter *it)
{
	struct batch_options o = BATCH_OPTIONS_INIT;

	o.magic = b->magic;
	o.codec = b->codec;
	o.codec_options.snappy_raw = it->expanded && it->expand.snappy_raw;
	o.codec_options.lz4_wrong_sum = it->expanded && it->expand.lz4_wrong_sum;
	o.timestamp_type =
		b->timestamp_type == TIMESTAMP_NONE ? TIMESTAMP_CREATE : b->timestamp_type;
	o.log_append_time = b->max_timestamp;
	o.base_offset = b->magic == 2 || !it->expanded ? b->base_offset : it->offset_base;
	o.partition_leader_epoch = b->partition_leader_epoch;
	o.producer_id = b->producer_id;
	o.producer_epoch = b->producer_epoch;
	o.base_sequence = b->base_sequence;
	o.transactional = b->transactional;
	o.control = b->control;
	o.has_delete_horizon = b->has_delete_horizon;
	o.delete_horizon_ms = b->has_delete_horizon ? b->base_timestamp : 0;
	o.last_offset_delta = b->magic == 2 ? b->last_offset_delta : -1;
	return o;
}

/* Appends the batch with hidden records. False if its records can't be read or written again. */
static bool rebuild(struct hide *h, const struct batch *b)
{
	struct batch_builder builder;
	struct batch_options options;
	struct record_iter it;
	struct record r;
	size_t start = h->records.len;
	int rc = record_iter_init(&it, b, &h->expanded, NULL);

	if (rc < 0)
		return false;
	options = options_of(b, &it);
	batch_builder_init(&builder, &options, &h->records);
	while ((rc = record_next(&it, &r, NULL)) > 0)
		add_hidden(h, &builder, &r);
	if (rc == 0)
		rc = batch_builder_end(&builder, NULL);
	batch_builder_release(&builder);
	if (rc < 0)
		h->records.len = start;
	else if (!batch_crc_ok(b))
		h->records.data[start + (b->magic == 2 ? BATCH_AT_CRC : MESSAGE_AT_CRC)] ^= 0xff;
	return rc == 0;
}

/* The batch with its header as it is and nothing but zeros behind it. */
static void blank(struct hide *h, const struct batch *b)
{
	size_t at = h->records.len, head = (size_t)(b->raw.len - b->content.len);

	if (b->magic < 2)
		head = MESSAGE_AT_MAGIC + 1;
	buf_add(&h->records, b->raw.data, (size_t)b->raw.len);
	if (!h->records.bad)
		memset(h->records.data + at + head, 0, (size_t)b->raw.len - head);
	h->unread++;
}

static void hide_batch(struct hide *h, const struct batch *b)
{
	if (!rebuild(h, b))
		blank(h, b);
}

static struct records hide_records(struct hide *h, struct records in)
{
	struct records_reader reader;
	struct batch b;
	size_t before;
	int rc;

	if (!in.data || in.len == 0)
		return in;
	assert(in.span_count == 0);
	buf_reset(&h->records);
	records_reader_init(&reader, in.data, (size_t)in.len);
	do {
		before = reader.at;
		rc = records_next(&reader, &b, NULL);
		if (rc > 0)
			hide_batch(h, &b);
		else if (rc < 0)
			h->unread++;
	} while (rc > 0 || (rc < 0 && reader.at > before));
	if (reader.partial)
		h->cut++;
	return (struct records){arena_copy(h->arena, h->records.data, h->records.len),
				(int32_t)h->records.len, 0};
}

/* ---- messages ---- */

/* Where an ACL lets clients come from. Between clusters it means the same, so that replay compares
 * it (ROLE_PLAIN); to a stranger it shows an address. */
static bool is_acl_host(const struct leaf *l)
{
	return l->role == ROLE_PLAIN &&
	       (strcmp(l->field->name, "host") == 0 || strcmp(l->field->name, "hostFilter") == 0);
}

static void hide_text(struct hide *h, const struct leaf *l, struct str *s)
{
	enum role role = l->role;

	if (role == ROLE_COORDINATOR_KEY)
		role = h->key_type == 1 ? ROLE_TRANSACTIONAL_ID : ROLE_GROUP;
	if (role == ROLE_RESOURCE && s->data && plain_resource(l, *s))
		return;
	if (role == ROLE_RESOURCE)
		role = resource_role(l);
	if (is_acl_host(l))
		role = ROLE_ADDRESS;
	if (role == ROLE_PLAIN || (role == ROLE_CONFIG_VALUE && s->data && plain_config(l, *s)))
		return;
	if (role == ROLE_TEXT && s->data && s->len)
		*s = str_of("(removed)");
	else if (role == ROLE_CONFIG_VALUE || role == ROLE_NOTE || role == ROLE_SECRET ||
		 role == ROLE_OPAQUE)
		*s = noise_text(h, *s, h->arena);
	else
		*s = hide_name(h, role, *s, h->arena);
}

static void hide_bytes(struct hide *h, const struct leaf *l, struct bytes *b)
{
	if (l->role == ROLE_SUBSCRIPTION)
		*b = hide_embedded(h, &consumer_protocol_subscription_schema, *b);
	else if (l->role == ROLE_ASSIGNMENT)
		*b = hide_embedded(h, &consumer_protocol_assignment_schema, *b);
	else
		*b = noise(h, *b, h->arena);
}

static void hide_leaf(void *user, const struct leaf *l)
{
	struct hide *h = user;

	if (!l->field) {
		if (l->schema->flexible_since <= l->schema->until)
			memset((uint8_t *)l->holder + l->schema->unknown_tags_offset, 0,
			       sizeof(struct unknown_tags *));
		return;
	}
	switch (l->field->type) {
	case FIELD_STRING:
		hide_text(h, l, l->value);
		break;
	case FIELD_BYTES:
		hide_bytes(h, l, l->value);
		break;
	case FIELD_RECORDS:
		*(struct records *)l->value = hide_records(h, *(struct records *)l->value);
		break;
	default:
		break;
	}
}

bool hide_message(struct hide *h, const struct schema *s, int version, void *msg,
		  struct arena *arena)
{
	h->arena = arena;
	if (s == &find_coordinator_request_schema)
		h->key_type = ((const struct find_coordinator_request *)msg)->key_type;
	leaves_each(s, version, msg, hide_leaf, h);
	h->arena = NULL;
	return !h->records.bad && !h->bytes.bad;
}
