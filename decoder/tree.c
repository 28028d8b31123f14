/* A walk over the frame's bytes, so that also what does not decode is shown as far as it goes.
 * Pure: events in, text out; owns a buffer for expanded records during a call. */
#include "decoder/tree.h"

#include "decoder/embedded.h"
#include "decoder/text.h"
#include "protocol/records.h"
#include "protocol/walk.h"

#include <stdlib.h>

#define TEXT_MAX     1000		/* characters of one value */
#define HEX_MAX	     64			/* bytes of one value in hex */
#define EXPANDED_MAX ((size_t)64 << 20) /* of one compressed batch */

struct tree {
	struct buf *out;
	struct bytes frame;
	const struct names *names;
	struct embedded_place place;
	int64_t origin; /* where the frame's first byte is said to stand */
	int64_t base;	/* of what is walked, in the frame */
	enum tree_values values;
	int depth;
	struct buf scratch;
};

static void put_place(struct tree *t, int64_t offset, int64_t size)
{
	buf_printf(t->out, "%8lld ", (long long)(t->origin + t->base + offset));
	if (size >= 0)
		buf_printf(t->out, "%6lld", (long long)size);
	else
		buf_text(t->out, "      ");
	buf_printf(t->out, "  %*s", 2 * t->depth, "");
}

static void put_hex(struct buf *out, struct bytes b)
{
	for (int32_t i = 0; i < b.len && i < HEX_MAX; i++)
		buf_printf(out, "%02x", b.data[i]);
	if (b.len > HEX_MAX)
		buf_text(out, "...");
}

static void put_bytes(struct tree *t, struct bytes b)
{
	if (!b.data) {
		buf_text(t->out, "null");
		return;
	}
	if (t->values == TREE_VALUES_NONE) {
		buf_printf(t->out, "(%d bytes)", b.len);
	} else if (t->values == TREE_VALUES_HEX) {
		put_hex(t->out, b);
	} else {
		buf_byte(t->out, '"');
		text_put(t->out, (struct str){(const char *)b.data, b.len}, TEXT_MAX);
		buf_byte(t->out, '"');
	}
}

static void put_error(struct tree *t, int64_t at, const struct error *e)
{
	char text[600];

	put_place(t, at - t->base, -1);
	buf_printf(t->out, "[%s]\n", error_text(e, text, sizeof(text)));
}

/* Records. */

static void put_headers(struct tree *t, const struct record *r)
{
	struct record_header header;
	size_t at = 0;

	while (record_header_next(r, &at, &header)) {
		buf_text(t->out, " header ");
		text_put(t->out, header.key, TEXT_MAX);
		buf_byte(t->out, '=');
		put_bytes(t, header.value);
	}
}

static void put_record(struct tree *t, const struct record *r, int64_t at)
{
	put_place(t, at - t->base, r->raw.len);
	buf_printf(t->out, "record offset %lld timestamp %lld key ", (long long)r->offset,
		   (long long)r->timestamp);
	put_bytes(t, r->key);
	buf_text(t->out, " value ");
	put_bytes(t, r->value);
	put_headers(t, r);
	if (!record_crc_ok(r))
		buf_text(t->out, " CRC WRONG");
	buf_byte(t->out, '\n');
}

static void put_embedded(struct tree *t, const char *what, const struct embedded *m, struct bytes b,
			 int64_t place);

/* at: of the record's bytes. */
static void put_parts(struct tree *t, const struct batch *b, const struct record *r, int64_t at)
{
	struct embedded m;

	t->depth++;
	if (r->key.data && embedded_in_key(&t->place, b, r, &m))
		put_embedded(t, "key ", &m, r->key, at + (r->key.data - r->raw.data));
	if (r->value.data && embedded_in_value(&t->place, b, r, &m))
		put_embedded(t, "value ", &m, r->value, at + (r->value.data - r->raw.data));
	t->depth--;
}

static void put_batch(struct tree *t, const struct batch *b, int64_t at)
{
	static const char *const codecs[] = {"none", "gzip", "snappy", "lz4",
					     "zstd", "5?",   "6?",     "7?"};

	put_place(t, at - t->base, b->raw.len);
	buf_printf(t->out, "%s magic %d baseOffset %lld", b->magic < 2 ? "message" : "batch",
		   b->magic, (long long)b->base_offset);
	if (b->magic >= 2)
		buf_printf(t->out,
			   " records %d leaderEpoch %d producerId %lld producerEpoch %d "
			   "baseSequence %d",
			   b->records_count, b->partition_leader_epoch, (long long)b->producer_id,
			   b->producer_epoch, b->base_sequence);
	buf_printf(t->out, " codec %s%s%s crc %08x %s\n", codecs[b->codec & 7],
		   b->transactional ? " transactional" : "", b->control ? " control" : "", b->crc,
		   batch_crc_ok(b) ? "right" : "WRONG");
}

/* at: of the batch in the frame. */
static void put_batch_records(struct tree *t, const struct batch *b, int64_t at)
{
	struct error e = ERROR_INIT;
	struct record_iter it;
	struct record r;
	int rc;

	rc = record_iter_init(&it, b, &t->scratch, &e);
	while (rc >= 0 && (rc = record_next(&it, &r, &e)) > 0) {
		int64_t place = it.expanded ? (int64_t)r.at : r.raw.data - t->frame.data;

		put_record(t, &r, place);
		put_parts(t, b, &r, place);
	}
	if (rc < 0)
		put_error(t, at, &e);
}

static void put_records(struct tree *t, struct bytes records)
{
	struct records_reader reader;
	struct error e = ERROR_INIT;
	struct batch b;
	int64_t start = records.data - t->frame.data;
	int rc;

	records_reader_init(&reader, records.data, (size_t)records.len);
	t->depth++;
	while ((rc = records_next(&reader, &b, &e)) > 0) {
		put_batch(t, &b, start + (int64_t)b.at);
		t->depth++;
		put_batch_records(t, &b, start + (int64_t)b.at);
		t->depth--;
	}
	if (rc < 0) {
		put_error(t, start + (int64_t)reader.at, &e);
	} else if (reader.partial) {
		put_place(t, start + (int64_t)reader.at - t->base,
			  (int64_t)(reader.size - reader.at));
		buf_text(t->out, "a batch that is cut off\n");
	}
	t->depth--;
}

/* Fields. */

static void put_name(struct tree *t, const struct walk_event *ev)
{
	if (ev->index >= 0)
		buf_printf(t->out, "[%d]", ev->index);
	else if (ev->kind == WALK_UNKNOWN_TAG)
		buf_printf(t->out, "tag %u (unknown)", ev->tag);
	else if (ev->field)
		buf_text(t->out, ev->field->name);
}

/* Other uuids are in no message beside a topic's name, so none has one by mistake. */
static void put_topic_name(struct tree *t, struct uuid id)
{
	struct str name = names_find(t->names, id);

	if (!name.data)
		return;
	buf_text(t->out, " (");
	text_put(t->out, name, TEXT_MAX);
	buf_byte(t->out, ')');
}

static void put_value(struct tree *t, const struct walk_event *ev)
{
	char id[UUID_TEXT_SIZE];

	switch (ev->field->type) {
	case FIELD_STRING:
		buf_byte(t->out, '"');
		text_put(t->out, ev->value.str, TEXT_MAX);
		buf_byte(t->out, '"');
		break;
	case FIELD_UUID:
		uuid_text(ev->value.uuid, id);
		buf_text(t->out, id);
		put_topic_name(t, ev->value.uuid);
		break;
	case FIELD_FLOAT64:
		buf_printf(t->out, "%.17g", ev->value.real);
		break;
	case FIELD_BOOL:
		buf_text(t->out, ev->value.integer ? "true" : "false");
		break;
	default:
		buf_printf(t->out, "%lld", (long long)ev->value.integer);
	}
}

/* Bytes and records stand in the frame as a whole: nothing needs to be collected. */
static void put_data(struct tree *t, const struct walk_event *ev)
{
	int64_t start = t->base + ev->offset + ev->size, size = ev->value.integer;
	struct bytes b = {t->frame.data + start, 0};
	struct embedded m;

	b.len = (int32_t)(size < t->frame.len - start ? size : t->frame.len - start);
	put_place(t, ev->offset, ev->size + size);
	put_name(t, ev);
	if (ev->kind == WALK_DATA && ev->field && ev->field->type == FIELD_RECORDS) {
		buf_printf(t->out, ": %lld bytes\n", (long long)size);
		put_records(t, b);
		return;
	}
	buf_text(t->out, ": ");
	put_hex(t->out, b);
	buf_byte(t->out, '\n');
	if (ev->kind == WALK_DATA && embedded_in_bytes(&t->place, ev->field, b, &m))
		put_embedded(t, "", &m, b, start);
}

static enum walk_want on_walk(void *user, const struct walk *w, const struct walk_event *ev)
{
	struct tree *t = user;

	(void)w;
	embedded_see(&t->place, ev);
	switch (ev->kind) {
	case WALK_STRUCT_END:
	case WALK_ARRAY_END:
		t->depth -= ev->field != NULL;
		return WALK_ON;
	case WALK_DATA:
	case WALK_UNKNOWN_TAG:
		put_data(t, ev);
		return WALK_SKIP;
	case WALK_CHUNK:
	case WALK_DATA_END:
		return WALK_ON;
	default:
		break;
	}
	if (ev->kind == WALK_STRUCT && !ev->field)
		return WALK_ON;
	put_place(t, ev->offset, ev->kind == WALK_STRUCT || ev->kind == WALK_ARRAY ? -1 : ev->size);
	put_name(t, ev);
	if (ev->kind == WALK_VALUE) {
		buf_text(t->out, ": ");
		put_value(t, ev);
	} else if (ev->kind == WALK_ARRAY) {
		buf_printf(t->out, ": %lld", (long long)ev->value.integer);
	} else if (ev->kind == WALK_NULL) {
		buf_text(t->out, ": null");
	} else if (ev->kind == WALK_TRAILING) {
		buf_printf(t->out, "(%lld bytes behind the message)", (long long)ev->size);
	}
	buf_byte(t->out, '\n');
	t->depth += ev->kind == WALK_STRUCT || ev->kind == WALK_ARRAY;
	return WALK_ON;
}

/* One struct of the frame, from base to its end, at depth. */
static void put_struct(struct tree *t, const struct schema *s, int version, int64_t base,
		       int64_t end, int depth)
{
	struct error e = ERROR_INIT;
	struct walk *w = malloc(sizeof(*w));
	int64_t rc;

	if (!w)
		abort();
	t->base = base;
	t->depth = depth;
	walk_init(w, s, version, end - base, on_walk, t);
	rc = walk_feed(w, (struct bytes){t->frame.data + base, (int32_t)(end - base)}, &e);
	if (rc >= 0)
		rc = walk_end(w, &e);
	t->depth = depth;
	if (rc < 0) {
		t->base = 0;
		put_place(t, base + (e.offset == ERROR_NO_OFFSET ? 0 : (int64_t)e.offset), -1);
		buf_printf(t->out, "[%s%s%s]\n", e.field, e.field[0] ? ": " : "", e.text);
	}
	walk_release(w);
	free(w);
}

/* What bytes hold, below them; place: of the bytes in t's frame, or among expanded ones. */
static void put_embedded(struct tree *t, const char *what, const struct embedded *m, struct bytes b,
			 int64_t place)
{
	struct tree inner = {.out = t->out,
			     .frame = b,
			     .names = t->names,
			     .values = t->values,
			     .origin = t->origin + place,
			     .depth = t->depth + 1};

	put_place(&inner, 0, b.len);
	buf_printf(t->out, "%s%s v%d\n", what, m->message->name, m->version);
	embedded_begin(&inner.place, -1, t->names);
	buf_init(&inner.scratch, EXPANDED_MAX);
	put_struct(&inner, m->message->schema, m->version, m->body, b.len, inner.depth + 1);
	buf_release(&inner.scratch);
}

static void put_rest(struct tree *t, int64_t at)
{
	t->base = 0;
	t->depth = 1;
	put_place(t, at, t->frame.len - at);
	buf_text(t->out, "body: ");
	put_hex(t->out, (struct bytes){t->frame.data + at, t->frame.len - (int32_t)at});
	buf_byte(t->out, '\n');
}

void tree_message(struct buf *out, const struct exchange *x, bool response,
		  const struct names *names, enum tree_values values)
{
	int key = x->header.api_key, version = x->header.api_version;
	int header = response ? frame_response_header_version(key, version)
			      : frame_request_header_version(key, version);
	const struct message *m =
		message_of_api(key, response ? MESSAGE_RESPONSE : MESSAGE_REQUEST);
	const struct message *h =
		message_find(str_of(response ? "ResponseHeader" : "RequestHeader"), MESSAGE_DATA);
	struct tree t = {.out = out,
			 .frame = response ? x->response : x->request,
			 .names = names,
			 .values = values};
	int32_t correlation_id;
	int64_t body = x->header.body;

	if (!t.frame.data)
		return;
	if (response)
		body = frame_read_response(t.frame, key, version, &correlation_id, NULL);
	buf_init(&t.scratch, EXPANDED_MAX);
	embedded_begin(&t.place, key, names);
	if (body >= 0)
		put_struct(&t, h->schema, header, 0, body, 1);
	if (body >= 0 && m && frame_known(key, version))
		put_struct(&t, m->schema, response ? exchange_response_version(x) : version, body,
			   t.frame.len, 1);
	else
		put_rest(&t, body < 0 ? 0 : body);
	buf_release(&t.scratch);
}

void tree_exchange(struct buf *out, struct exchange *x, const struct summary *s,
		   enum tree_values values)
{
	if (x->state != EXCHANGE_ORPHAN) {
		text_message(out, x, s, false);
		tree_message(out, x, false, s->names, values);
	}
	if (x->response_us) {
		text_message(out, x, s, true);
		tree_message(out, x, true, s->names, values);
	}
}

bool tree_event(struct buf *out, const struct event *ev, struct names *names,
		enum tree_values values, bool verbose)
{
	struct summary s;

	if (ev->kind != EVENT_EXCHANGE)
		return text_event(out, ev, names, verbose);
	summarize(ev->exchange, names, &s);
	tree_exchange(out, ev->exchange, &s, values);
	return s.malformed;
}
