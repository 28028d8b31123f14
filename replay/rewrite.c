/* A message of one side said in the words of the other. Two passes over its values: first those
 * whose scope stands in the message, while it still says so in its own words, then the rest.
 *
 * Batches are changed in copies, sealed anew, and only where something in them changes. */
#include "protocol/codec.h"
#include "protocol/messages.h"
#include "protocol/records.h"
#include "protocol/wire.h"
#include "replay/variables.h"

#define EMBEDDED_MAX ((size_t)16 << 20) /* bytes of a subscription or assignment */

struct rewrite {
	struct variables *v;
	enum side from;
	const struct variables_place *place;
	struct arena *arena;
	bool scoped; /* the first pass */
	bool full;
};

static bool is_scoped(enum role role)
{
	switch (role) {
	case ROLE_HOST:
	case ROLE_PORT:
	case ROLE_OFFSET:
	case ROLE_LEADER_EPOCH:
	case ROLE_PRODUCER_EPOCH:
	case ROLE_GENERATION:
	case ROLE_SESSION:
	case ROLE_RECORDS:
	case ROLE_SUBSCRIPTION:
	case ROLE_ASSIGNMENT:
		return true;
	default:
		return false;
	}
}

/* ---- addresses ---- */

static bool address_of(struct rewrite *r, const struct leaf *l, struct str *ret_host,
		       int32_t *ret_port)
{
	const struct schema_field *f;
	const void *node = holder_value(l->in, ROLE_BROKER, &f);
	int64_t n;

	if (!node)
		return false;
	variables_int(r->v, r->from, ROLE_BROKER, leaf_int(f, node), &n);
	return variables_address(r->v, (int32_t)n, ret_host, ret_port);
}

static void rewrite_address(struct rewrite *r, const struct leaf *l)
{
	struct str host;
	int32_t port;

	if (r->from != SIDE_RECORDED || !address_of(r, l, &host, &port))
		return;
	if (l->role == ROLE_PORT)
		leaf_set_int(l->field, l->value, port);
	else
		*(struct str *)l->value = arena_str(r->arena, host);
}

/* ---- records ---- */

/* What a batch says of its producer and its place, as the other side would. */
struct batch_words {
	int64_t base_offset, producer_id, producer_epoch, leader_epoch;
};

static struct batch_words other_words(struct rewrite *r, const struct holder *in,
				      const struct batch *b)
{
	struct batch_words w = {b->base_offset, b->producer_id, b->producer_epoch,
				b->partition_leader_epoch};
	static const struct schema_field id_field = {.name = "producerId",
						     .type = FIELD_INT64,
						     .size = 8,
						     .until = VERSION_MAX,
						     .tag = -1};
	static const struct schema id_schema = {.name = "batch",
						.fields = &id_field,
						.field_count = 1,
						.flexible_since = VERSION_MAX,
						.until = VERSION_MAX};
	struct holder batch = {&id_schema, (void *)&b->producer_id, 0, in};
	int64_t peer = r->place->peer;

	if (r->place->answer) {
		variables_map_int(r->v, r->from, peer, in, ROLE_OFFSET, b->base_offset,
				  &w.base_offset);
		w.base_offset = w.base_offset < 0 ? 0 : w.base_offset;
		variables_map_int(r->v, r->from, peer, in, ROLE_LEADER_EPOCH,
				  b->partition_leader_epoch, &w.leader_epoch);
	}
	if (b->producer_id >= 0) {
		variables_map_int(r->v, r->from, peer, in, ROLE_PRODUCER_ID, b->producer_id,
				  &w.producer_id);
		variables_map_int(r->v, r->from, peer, &batch, ROLE_PRODUCER_EPOCH,
				  b->producer_epoch, &w.producer_epoch);
	}
	return w;
}

static void rewrite_batch(struct rewrite *r, const struct holder *in, const struct batch *b,
			  uint8_t *data)
{
	struct batch_words w;
	bool whole = batch_crc_ok(b);

	if (b->magic != 2) {
		if (r->place->answer && b->codec == CODEC_NONE) {
			variables_map_int(r->v, r->from, r->place->peer, in, ROLE_OFFSET,
					  b->base_offset, &w.base_offset);
			batch_set_base_offset(data, w.base_offset < 0 ? 0 : w.base_offset);
		}
		return;
	}
	w = other_words(r, in, b);
	batch_set_base_offset(data, w.base_offset);
	batch_set_leader_epoch(data, (int32_t)w.leader_epoch);
	if (w.producer_id == b->producer_id && w.producer_epoch == b->producer_epoch)
		return;
	wire_put64(data + BATCH_AT_PRODUCER_ID, (uint64_t)w.producer_id);
	wire_put16(data + BATCH_AT_PRODUCER_EPOCH, (uint16_t)w.producer_epoch);
	batch_seal(data, (size_t)b->raw.len);
	if (!whole) /* a wrong checksum stays a wrong one */
		data[BATCH_AT_CRC] ^= 0xff;
}

static void rewrite_records(struct rewrite *r, const struct leaf *l)
{
	struct records *records = l->value;
	struct records_reader reader;
	struct batch b;
	uint8_t *copy;
	size_t before;
	int rc;

	if (!records->data || records->len == 0 || records->span_count)
		return;
	copy = (uint8_t *)arena_copy(r->arena, records->data, (size_t)records->len);
	if (!copy) {
		r->full = true;
		return;
	}
	records_reader_init(&reader, records->data, (size_t)records->len);
	do {
		before = reader.at;
		rc = records_next(&reader, &b, NULL);
		if (rc > 0)
			rewrite_batch(r, l->in, &b, copy + b.at);
	} while (rc > 0 || (rc < 0 && reader.at > before));
	records->data = copy;
}

/* ---- embedded messages ---- */

static leaf_visitor visit;

static const struct schema *embedded_schema(enum role role)
{
	return role == ROLE_SUBSCRIPTION ? &consumer_protocol_subscription_schema
					 : &consumer_protocol_assignment_schema;
}

/* A version, and what follows it. What is not that, byte for byte, stays. */
static void rewrite_embedded(struct rewrite *r, const struct leaf *l)
{
	struct bytes *b = l->value;
	const struct schema *s = embedded_schema(l->role);
	int16_t version = b->data && b->len >= 2 ? (int16_t)wire_u16(b->data) : -1;
	void *msg = arena_alloc(r->arena, s->size);
	struct buf out;
	struct gather g;

	if (!msg || version < s->since || version > s->until ||
	    codec_decode(s, version, (struct bytes){b->data + 2, b->len - 2}, r->arena, msg,
			 NULL) != b->len - 2)
		return;
	leaves_within(l->in, s, version, msg, visit, r);
	buf_init(&out, EMBEDDED_MAX);
	gather_init(&g, EMBEDDED_MAX);
	buf_be16(&out, (uint16_t)version);
	if (codec_encode(s, version, msg, &g, NULL) == 0) {
		gather_flatten(&g, &out);
		b->data = (const uint8_t *)arena_copy(r->arena, out.data, out.len);
		b->len = (int32_t)out.len;
		r->full |= !b->data;
	}
	gather_release(&g);
	buf_release(&out);
}

/* ---- values ---- */

static void rewrite_int(struct rewrite *r, const struct leaf *l)
{
	enum role role = variables_role(l->in, l->field);
	int64_t n;
	bool known;

	if (!role_is_variable(role))
		return;
	known = variables_map_int(r->v, r->from, r->place->peer, l->in, role,
				  leaf_int(l->field, l->value), &n);
	if (!known && role == ROLE_LEADER_EPOCH && !r->place->answer)
		n = -1;
	if (role == ROLE_OFFSET && n < 0 && leaf_int(l->field, l->value) >= 0)
		n = 0;
	leaf_set_int(l->field, l->value, n);
}

/* A broker's number as the name of a resource. */
static struct str node_text(struct rewrite *r, struct str text)
{
	int64_t n = 0;

	for (int32_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9' || i == 9)
			return text;
		n = n * 10 + text.data[i] - '0';
	}
	if (!text.len || !variables_int(r->v, r->from, ROLE_BROKER, n, &n))
		return text;
	return str_of(arena_printf(r->arena, "%lld", (long long)n));
}

static void rewrite_str(struct rewrite *r, const struct leaf *l)
{
	enum role role = variables_role(l->in, l->field);
	struct str *s = l->value, other;

	if (!s->data || !role_is_variable(role))
		return;
	other = role == ROLE_BROKER ? node_text(r, *s) : variables_str(r->v, r->from, role, *s);
	if (other.data == s->data)
		return;
	*s = arena_str(r->arena, other);
	r->full |= !s->data;
}

static void rewrite_uuid(struct rewrite *r, const struct leaf *l)
{
	struct uuid *id = l->value, other;

	if (l->role != ROLE_TOPIC_ID || uuid_is_zero(*id))
		return;
	other = variables_topic_id(r->v, r->from, *id);
	if (!uuid_is_zero(other))
		*id = other;
}

static void visit(void *user, const struct leaf *l)
{
	struct rewrite *r = user;

	if (!l->field || is_scoped(l->role) != r->scoped)
		return;
	if (l->role == ROLE_HOST || l->role == ROLE_PORT)
		rewrite_address(r, l);
	else if (leaf_is_int(l->field))
		rewrite_int(r, l);
	else if (l->field->type == FIELD_STRING)
		rewrite_str(r, l);
	else if (l->field->type == FIELD_UUID)
		rewrite_uuid(r, l);
	else if (l->role == ROLE_RECORDS && l->field->type == FIELD_RECORDS)
		rewrite_records(r, l);
	else if (l->role == ROLE_SUBSCRIPTION || l->role == ROLE_ASSIGNMENT)
		rewrite_embedded(r, l);
}

bool variables_apply(struct variables *v, enum side from, const struct variables_place *place,
		     const struct schema *s, int version, void *msg, struct arena *arena)
{
	struct rewrite r = {v, from, place, arena, true, false};

	leaves_within(place->around, s, version, msg, visit, &r);
	r.scoped = false;
	leaves_within(place->around, s, version, msg, visit, &r);
	return !r.full;
}
