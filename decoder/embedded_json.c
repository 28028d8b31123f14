/* A walk over the frame that finds them, and a decode of each into the exchange's arena. Messages
 * that can't hold any cost nothing: the summary knows topics and control batches. */
#include "decoder/embedded_json.h"

#include "decoder/embedded.h"
#include "protocol/codec.h"
#include "protocol/message_json.h"
#include "protocol/messages.h"

#include <stdio.h>
#include <stdlib.h>

#define PATH_SIZE    512
#define EXPANDED_MAX ((size_t)64 << 20) /* of one compressed batch */
#define DEPTH_MAX    3			/* messages inside each other */

struct finder {
	struct json *j;
	struct exchange *x;
	const struct names *names;
	bool pair, response, any;
	struct buf scratch; /* of a batch that is expanded */
};

/* One message that is looked through: the body of a frame, or something inside it. */
struct level {
	struct finder *f;
	struct embedded_place place;
	struct bytes body;
	const char *above; /* path of its bytes; "" */
	int depth;
};

/* Where an embedded message stands. */
struct site {
	const char *path;
	const struct record *record; /* NULL: in a field */
	const char *part;
};

static void look_through(struct finder *f, const struct schema *s, int version, int api_key,
			 struct bytes body, const char *above, int depth);

static void put_site(struct finder *f, const struct site *at)
{
	struct json *j = f->j;

	if (!f->any) {
		json_key(j, "embedded");
		json_open(j, '[');
	}
	f->any = true;
	json_open(j, '{');
	if (f->pair)
		json_key_text(j, "of", f->response ? "response" : "request");
	json_key_text(j, "path", at->path);
	if (at->record) {
		json_key_int(j, "offset", at->record->offset);
		json_key_text(j, "part", at->part);
	}
}

static void put_found(struct finder *f, const struct site *at, const struct embedded *m,
		      struct bytes b, int depth)
{
	const struct schema *s = m->message->schema;
	struct bytes body = {b.data + m->body, b.len - m->body};
	struct error e = ERROR_INIT;
	void *msg = arena_alloc(f->x->arena, s->size);
	bool right;

	put_site(f, at);
	json_key_text(f->j, "type", m->message->name);
	json_key_int(f->j, "version", m->version);
	right = msg && codec_decode(s, m->version, body, f->x->arena, msg, &e) >= 0;
	if (right) {
		json_key(f->j, "value");
		message_json_write(s, m->version, msg, f->j);
	} else {
		json_key_text(f->j, "problem", msg ? e.text : "more than the memory allows");
	}
	json_close(f->j, '}');
	if (right && depth < DEPTH_MAX)
		look_through(f, s, m->version, -1, body, at->path, depth + 1);
}

static void look_at_record(const struct level *l, const struct batch *b, const struct record *r,
			   const char *path)
{
	struct embedded m;

	if (r->key.data && embedded_in_key(&l->place, b, r, &m))
		put_found(l->f, &(struct site){path, r, "key"}, &m, r->key, l->depth);
	if (r->value.data && embedded_in_value(&l->place, b, r, &m))
		put_found(l->f, &(struct site){path, r, "value"}, &m, r->value, l->depth);
}

/* What can't be read here is a problem of the message already. */
static void look_at_records(const struct level *l, struct bytes records, const char *path)
{
	struct records_reader reader;
	struct record_iter it;
	struct batch b;
	struct record r;

	records_reader_init(&reader, records.data, (size_t)records.len);
	while (records_next(&reader, &b, NULL) > 0) {
		if (l->place.topic == TOPIC_OTHER && !b.control)
			continue;
		if (record_iter_init(&it, &b, &l->f->scratch, NULL) < 0)
			continue;
		while (record_next(&it, &r, NULL) > 0)
			look_at_record(l, &b, &r, path);
	}
}

static enum walk_want on_walk(void *user, const struct walk *w, const struct walk_event *ev)
{
	struct level *l = user;
	char own[PATH_SIZE], path[2 * PATH_SIZE];
	struct embedded m;
	struct bytes b;

	embedded_see(&l->place, ev);
	if (ev->kind != WALK_DATA || !ev->field)
		return ev->kind == WALK_UNKNOWN_TAG ? WALK_SKIP : WALK_ON;
	b = (struct bytes){l->body.data + ev->offset + ev->size, (int32_t)ev->value.integer};
	if (b.len > l->body.len - (b.data - l->body.data))
		return WALK_SKIP;
	walk_path(w, ev, own, sizeof(own));
	snprintf(path, sizeof(path), "%s%s%s", l->above, *l->above ? "." : "", own);
	if (ev->field->type == FIELD_RECORDS)
		look_at_records(l, b, path);
	else if (embedded_in_bytes(&l->place, ev->field, b, &m))
		put_found(l->f, &(struct site){path, NULL, NULL}, &m, b, l->depth);
	return WALK_SKIP;
}

static void look_through(struct finder *f, const struct schema *s, int version, int api_key,
			 struct bytes body, const char *above, int depth)
{
	struct level *l = calloc(1, sizeof(*l));
	struct walk *w = malloc(sizeof(*w));

	if (!l || !w)
		abort();
	*l = (struct level){.f = f, .body = body, .above = above, .depth = depth};
	embedded_begin(&l->place, api_key, f->names);
	walk_init(w, s, version, body.len, on_walk, l);
	(void)walk_feed(w, body, NULL);
	walk_release(w);
	free(w);
	free(l);
}

/* Whether to look at all. */
static bool may_hold(const struct exchange *x, const struct summary *s)
{
	struct embedded_place p;

	embedded_begin(&p, x->header.api_key, NULL);
	if (p.in != EMBEDDED_IN_RECORDS)
		return p.in != EMBEDDED_NOWHERE;
	for (int32_t i = 0; i < s->topics_count; i++)
		if (embedded_topic(s->topics[i]))
			return true;
	return s->control;
}

static void look_at_side(struct finder *f, bool response)
{
	struct exchange *x = f->x;
	int key = x->header.api_key;
	const struct message *m =
		message_of_api(key, response ? MESSAGE_RESPONSE : MESSAGE_REQUEST);
	struct bytes frame = response ? x->response : x->request;
	int version = response ? exchange_response_version(x) : x->header.api_version;
	int32_t correlation_id;
	int64_t body = x->header.body;

	if (!frame.data || !m || !frame_known(key, x->header.api_version))
		return;
	if (response)
		body = frame_read_response(frame, key, x->header.api_version, &correlation_id,
					   NULL);
	if (body < 0 || body > frame.len)
		return;
	f->response = response;
	look_through(f, m->schema, version, key,
		     (struct bytes){frame.data + body, frame.len - (int32_t)body}, "", 0);
}

static void look(struct json *j, struct exchange *x, const struct summary *s, bool request,
		 bool response)
{
	struct finder f = {.j = j, .x = x, .names = s->names, .pair = request && response};

	if (!may_hold(x, s))
		return;
	buf_init(&f.scratch, EXPANDED_MAX);
	if (request)
		look_at_side(&f, false);
	if (response)
		look_at_side(&f, true);
	if (f.any)
		json_close(j, ']');
	buf_release(&f.scratch);
}

void embedded_json_message(struct json *j, struct exchange *x, const struct summary *s,
			   bool response)
{
	look(j, x, s, !response, response);
}

void embedded_json_pair(struct json *j, struct exchange *x, const struct summary *s)
{
	look(j, x, s, true, true);
}
