/* The index of recorded parts, the choice among them, and the answer out of what was chosen.
 *
 * Invariants: nothing of the session is changed, answers are decoded anew; what counts as given was
 * given in an answer or with a closed connection. */
#include "replay/play.h"

#include "replay/assemble.h"
#include "replay/nature.h"
#include "replay/pairs.h"
#include "replay/reshape.h"
#include "replay/weight.h"

#include "protocol/codec.h"
#include "protocol/messages.h"
#include "protocol/records.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define PLAY_MEMORY_MAX ((size_t)2 << 30)
#define NOTE_MAX	((size_t)64 << 10)
#define LOOK_AHEAD	256 /* candidates not yet given that are compared */
#define LOOK_BACK	32  /* candidates given already */
#define UNFIT		INT_MIN
#define AGAIN_COSTS	12 /* less than another member, more than another offset */
#define AMISS_COSTS	20 /* before or after a change of the client itself: more than again */
#define NAMES_KNOWN_MAX 100000
#define NOTED_VERSIONS	32

void play_note(struct playback *p, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	if (!p->config.on_note)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	p->config.on_note(p->config.ctx, str_of(text));
}

/* NULL when there is no room for it. */
static void *alloc(struct playback *p, size_t size)
{
	void *m = arena_zalloc(&p->arena, size);

	p->full |= !m;
	return m;
}

/* A copy that stands as long as the playback; NULL when there is no room for it. */
static void *keep(struct playback *p, const void *data, size_t n)
{
	void *m = arena_copy(&p->arena, data, n);

	p->full |= !m;
	return m;
}

/* ---- times ---- */

int64_t play_scaled(const struct playback *p, int64_t us)
{
	double scaled = p->config.speed > 0 ? (double)us / p->config.speed : 0;

	if (us <= 0)
		return 0;
	return scaled < 1e15 ? (int64_t)scaled : (int64_t)1e15;
}

int64_t play_latency(const struct playback *p, const struct session_exchange *x)
{
	int64_t end = x->state == EXCHANGE_ANSWERED ? x->response_first_us : x->conn->closed_us;

	if (!end || !x->request_us)
		return 0;
	return play_scaled(p, end - x->request_us);
}

/* Where time counts: until it was done when it was recorded, and a while longer unless the client
 * is known not to be there. Where it does not, a client that was never seen is awaited for that
 * while alone. */
static int64_t awaited_until(const struct playback *p, const struct session_exchange *x)
{
	struct str client = x->header.client_id;
	bool absent = play_name_known(p->absent, client);
	int64_t since_start = x->request_us - p->recorded_start_us;

	if (p->config.speed > 0)
		return p->live_start_us + play_scaled(p, since_start) +
		       (absent ? 0 : PLAYBACK_WRITER_US);
	if (absent)
		return 0;
	if (!play_name_known(p->clients, client) || since_start < 0)
		since_start = 0;
	return p->live_start_us + since_start + PLAYBACK_WRITER_US;
}

bool play_awaited(struct playback *p, const struct session_exchange *x, int64_t now_us,
		  int64_t *ret_until)
{
	struct str client = x->header.client_id;
	int64_t until = awaited_until(p, x);

	if (now_us < until) {
		*ret_until = until < *ret_until ? until : *ret_until;
		return true;
	}
	if (!play_name_known(p->absent, client))
		play_note(p,
			  "client '" STR_FMT "' does not come to its recorded %s: what followed it "
			  "comes as recorded",
			  STR_ARG(client), api_name(x->header.api_key));
	play_name_add(&p->absent, client);
	return false;
}

enum outcome play_outcome(const struct session_exchange *x)
{
	if (x->state == EXCHANGE_NO_ANSWER)
		return OUTCOME_NONE;
	if (x->state == EXCHANGE_ANSWERED)
		return x->response_body ? OUTCOME_ANSWER : OUTCOME_UNKNOWN;
	if (x->state != EXCHANGE_LOST || !x->conn->closed)
		return OUTCOME_UNKNOWN;
	if (x->conn->how == CLOSE_BY_BROKER)
		return OUTCOME_CLOSE;
	return x->conn->how == CLOSE_RESET_BY_BROKER ? OUTCOME_RESET : OUTCOME_UNKNOWN;
}

bool play_is_asked(const struct session_exchange *x)
{
	return x->request_body && play_outcome(x) != OUTCOME_UNKNOWN && !x->conn->of_broker;
}

/* ---- names ---- */

bool play_name_known(struct name_entry *names, struct str name)
{
	struct name_entry *e = NULL;

	if (name.data)
		HASH_FIND(hh, names, name.data, (size_t)name.len, e);
	return e != NULL;
}

void play_name_add(struct name_entry **names, struct str name)
{
	struct name_entry *e;

	if (!name.data || play_name_known(*names, name) || HASH_COUNT(*names) >= NAMES_KNOWN_MAX)
		return;
	e = calloc(1, sizeof(*e) + (size_t)name.len);
	if (!e)
		abort();
	e->name = (struct str){e->text, name.len};
	memcpy(e->text, name.data, (size_t)name.len);
	HASH_ADD_KEYPTR(hh, *names, e->text, (size_t)name.len, e);
}

static void names_clear(struct name_entry **names)
{
	struct name_entry *e, *next;

	HASH_ITER (hh, *names, e, next) {
		HASH_DELETE(hh, *names, e);
		free(e);
	}
}

/* ---- the index ---- */

static struct keyed *keyed_of(struct playback *p, int api_key, struct bytes key, bool make)
{
	size_t len = (size_t)key.len + 1;
	struct keyed *k = NULL;
	uint8_t *id;

	buf_reset(&p->scratch);
	buf_byte(&p->scratch, (uint8_t)api_key);
	buf_add(&p->scratch, key.data, (size_t)key.len);
	id = p->scratch.data;
	if (p->scratch.bad)
		return NULL;
	HASH_FIND(hh, p->keyed, id, len, k);
	if (k || !make)
		return k;
	k = alloc(p, sizeof(*k));
	id = k ? keep(p, id, len) : NULL;
	if (!id)
		return NULL;
	k->id = (char *)id;
	k->id_len = len;
	HASH_ADD_KEYPTR(hh, p->keyed, k->id, k->id_len, k);
	return k;
}

static void add_candidate(struct playback *p, const struct session_exchange *x,
			  const struct part *part)
{
	struct keyed *k = keyed_of(p, x->header.api_key, part->key, true);

	if (!k)
		return;
	if (k->count == k->cap) {
		k->cap = k->cap ? k->cap * 2 : 4;
		k->list = realloc(k->list, k->cap * sizeof(*k->list));
		if (!k->list)
			abort();
	}
	k->list[k->count++] = (struct candidate){.x = x, .part = part};
	p->totals.parts++;
}

/* A word of a group's member, other than that it is there. */
static void add_word(struct playback *p, const struct session_exchange *x)
{
	struct nature n = nature_of(x->header.api_key, x->header.api_version, x->request_body);
	struct holder in = {message_of_api(x->header.api_key, MESSAGE_REQUEST)->schema,
			    x->request_body, x->header.api_version, NULL};
	const struct str *group = holder_value(&in, ROLE_GROUP, NULL);
	struct words *w;

	if (!n.rebalance || n.question || !group || !group->data)
		return;
	HASH_FIND(hh, p->words, group->data, (size_t)group->len, w);
	if (!w) {
		w = alloc(p, sizeof(*w));
		if (w)
			w->group = keep(p, group->data, (size_t)group->len);
		if (!w || !w->group)
			return;
		HASH_ADD_KEYPTR(hh, p->words, w->group, (size_t)group->len, w);
	}
	if (w->count == w->cap) {
		w->cap = w->cap ? w->cap * 2 : 8;
		w->list = realloc(w->list, w->cap * sizeof(*w->list));
		if (!w->list)
			abort();
	}
	w->list[w->count++] = x;
}

static bool changes_topics(int api_key)
{
	return api_key == API_CREATE_TOPICS || api_key == API_DELETE_TOPICS ||
	       api_key == API_CREATE_PARTITIONS;
}

static bool tells_topics(int api_key)
{
	return api_key == API_METADATA || api_key == API_DESCRIBE_TOPIC_PARTITIONS;
}

static struct changer *changer_of(struct playback *p, struct str id, bool make)
{
	struct changer *c;

	HASH_FIND(hh, p->changers, id.data, (unsigned)id.len, c);
	if (c || !make)
		return c;
	c = alloc(p, sizeof(*c));
	if (c)
		c->id = (struct str){keep(p, id.data, (size_t)id.len), id.len};
	if (!c || !c->id.data)
		return NULL;
	HASH_ADD_KEYPTR(hh, p->changers, c->id.data, (unsigned)c->id.len, c);
	return c;
}

static void add_change(struct playback *p, const struct session_exchange *x)
{
	struct changer *c;

	if (!changes_topics(x->header.api_key))
		return;
	c = changer_of(p, x->header.client_id, true);
	if (!c)
		return;
	if (c->topics_count == c->topics_cap) {
		c->topics_cap = c->topics_cap ? c->topics_cap * 2 : 4;
		c->topics = realloc(c->topics, c->topics_cap * sizeof(*c->topics));
		if (!c->topics)
			abort();
	}
	c->topics[c->topics_count++] = x;
}

/* No more than a live request may take: one that asks as much could not be listed either. */
static bool list_recorded(struct playback *p, const struct parts_of *of, struct parts *ret)
{
	size_t max = p->arena.size_max, room = max - p->arena.size;
	bool ok;

	p->arena.size_max = p->arena.size + (room < ARENA_EXCHANGE_MAX ? room : ARENA_EXCHANGE_MAX);
	ok = parts_list(p->config.variables, of, &p->arena, ret);
	p->arena.size_max = max;
	p->full |= !ok && room < ARENA_EXCHANGE_MAX;
	return ok;
}

/* Produce and Fetch have indexes of their own. */
static void index_exchange(struct playback *p, const struct session_exchange *x)
{
	struct parts_of of = {.api_key = x->header.api_key,
			      .kind = MESSAGE_REQUEST,
			      .version = x->header.api_version,
			      .body = x->request_body,
			      .side = SIDE_RECORDED};
	struct parts *parts;

	if (!play_is_asked(x))
		return;
	p->apis[x->header.api_key] = true;
	add_word(p, x);
	add_change(p, x);
	if (x->header.api_key == API_PRODUCE || x->header.api_key == API_FETCH)
		return;
	parts = alloc(p, sizeof(*parts));
	if (!parts)
		return;
	if (!list_recorded(p, &of, parts)) {
		play_note(p,
			  "%s of client '" STR_FMT "' %.3f s after the start asks for more than "
			  "%zu MiB at once: it is left out",
			  api_name(x->header.api_key), STR_ARG(x->header.client_id),
			  (double)(x->request_us - p->recorded_start_us) / 1e6,
			  ARENA_EXCHANGE_MAX >> 20);
		return;
	}
	for (size_t i = 0; i < parts->count; i++)
		add_candidate(p, x, &parts->list[i]);
}

static void load_topics(struct playback *p)
{
	const struct session *s = p->config.session;

	for (size_t i = 0; i < s->topics_count; i++)
		variables_set_topic(p->config.variables, SIDE_RECORDED, s->topics[i]->id,
				    s->topics[i]->name);
}

struct playback *playback_new(const struct playback_config *config)
{
	const struct session *s = config->session;
	struct playback *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
	p->config = *config;
	arena_init(&p->arena, PLAY_MEMORY_MAX);
	buf_init(&p->scratch, FRAME_SIZE_MAX);
	buf_init(&p->plain, RECORDS_EXPANDED_MAX);
	p->touched = alloc(p, s->exchanges_count + 1);
	p->noted = alloc(p, (size_t)(API_KEY_MAX + 1) * NOTED_VERSIONS * NOTED_VERSIONS);
	if (!p->touched || !p->noted)
		abort(); /* nothing else is there yet */
	p->views = fetch_views_new();
	p->recorded_start_us = s->first_us;
	load_topics(p);
	for (size_t i = 0; i < s->exchanges_count; i++)
		index_exchange(p, s->exchanges[i]);
	play_produce_load(p);
	play_fetch_load(p);
	return p;
}

int playback_check(const struct playback *p, struct error *e)
{
	if (!p->full)
		return 0;
	return error_set(e, ERR_LIMIT,
			 "what it can be asked takes more than %zu MiB in memory; choose a part of "
			 "it: -Y FILTER, or ktrial decode --from --to -w",
			 PLAY_MEMORY_MAX >> 20);
}

static void places_free(struct playback *p)
{
	struct place *e, *next;

	HASH_ITER (hh, p->places, e, next) {
		HASH_DELETE(hh, p->places, e);
		for (size_t i = 0; i < e->written_count; i++)
			free(e->written[i].data);
		free(e->written);
		for (size_t i = 0; i < e->runs_count; i++)
			free(e->runs[i].hashes);
		free(e->runs);
		free(e->readings);
	}
}

void playback_free(struct playback *p)
{
	struct keyed *k, *next_k;
	struct live_conn *c, *next_c;
	struct words *w, *next_w;
	struct changer *r, *next_r;

	if (!p)
		return;
	HASH_ITER (hh, p->keyed, k, next_k) {
		HASH_DELETE(hh, p->keyed, k);
		free(k->list);
	}
	HASH_ITER (hh, p->conns, c, next_c) {
		HASH_DELETE(hh, p->conns, c);
		free(c);
	}
	HASH_ITER (hh, p->changers, r, next_r) {
		HASH_DELETE(hh, p->changers, r);
		free(r->topics);
	}
	HASH_ITER (hh, p->words, w, next_w) {
		HASH_DELETE(hh, p->words, w);
		free(w->list);
	}
	places_free(p);
	play_offsets_free(p);
	names_clear(&p->taken);
	names_clear(&p->clients);
	names_clear(&p->absent);
	fetch_views_free(p->views);
	buf_release(&p->scratch);
	buf_release(&p->plain);
	arena_release(&p->arena);
	free(p);
}

bool playback_has(const struct playback *p, int api_key)
{
	return api_key >= 0 && api_key <= API_KEY_MAX && p->apis[api_key];
}

struct place *play_place(struct playback *p, struct str topic, int32_t partition, bool make)
{
	struct place *e = NULL;
	size_t len;

	if (!topic.data)
		return NULL;
	buf_reset(&p->scratch);
	buf_be32(&p->scratch, (uint32_t)partition);
	buf_add(&p->scratch, topic.data, (size_t)topic.len);
	len = p->scratch.len;
	if (p->scratch.bad)
		return NULL;
	HASH_FIND(hh, p->places, p->scratch.data, len, e);
	if (e || !make)
		return e;
	e = alloc(p, sizeof(*e));
	if (e)
		e->id = keep(p, p->scratch.data, len);
	if (e)
		e->topic = (struct str){keep(p, topic.data, (size_t)topic.len), topic.len};
	if (!e || !e->id || !e->topic.data)
		return NULL;
	e->end_told = -1;
	e->id_len = len;
	e->partition = partition;
	e->seen = seen_partition(p->config.seen, topic, partition);
	HASH_ADD_KEYPTR(hh, p->places, e->id, e->id_len, e);
	return e;
}

/* ---- alike ---- */

/* A comparison of two requests, piece by piece. */
struct likeness {
	struct playback *p;
	int api_key;
	int cost;
	bool unfit;
	bool stranger; /* another member, or another generation */
};

static bool same_value(const struct pair *pair)
{
	const struct str *a = pair->recorded, *b = pair->live;
	const struct bytes *x = pair->recorded, *y = pair->live;

	if (pair->field->type == FIELD_STRING)
		return str_eq(*a, *b);
	if (pair->field->type == FIELD_BYTES || pair->field->type == FIELD_RECORDS)
		return x->len == y->len &&
		       (!x->len || memcmp(x->data, y->data, (size_t)x->len) == 0);
	return memcmp(pair->recorded, pair->live, pair->field->size) == 0;
}

bool play_same(struct playback *p, const struct pair *pair)
{
	enum sameness same;

	if (same_value(pair))
		return true;
	if (pair->field->type == FIELD_BYTES || pair->field->type == FIELD_RECORDS)
		return false;
	same = variables_same(p->config.variables, 0, pair->recorded_in, pair->field,
			      pair->recorded, pair->live);
	return same == SAME_YES || (same == SAME_UNKNOWN && pair->role == ROLE_MEMBER);
}

static bool compare(void *user, const struct pair *pair)
{
	struct likeness *l = user;
	const struct schema *s = pair->recorded_in->schema;
	int32_t a, b;

	switch (pair->kind) {
	case PAIR_VALUE:
		if (play_same(l->p, pair))
			return true;
		l->cost += weight_of(s, pair->field);
		l->unfit |= weight_decides(s, pair->field, pair->recorded, pair->live);
		l->stranger |= pair->role == ROLE_MEMBER || pair->role == ROLE_GENERATION;
		return true;
	case PAIR_ARRAY:
		if (parts_in(l->api_key, s, pair->field))
			return false;
		memcpy(&a, pair->recorded, sizeof(a));
		memcpy(&b, pair->live, sizeof(b));
		l->cost += a != b;
		return true;
	case PAIR_STRUCT:
		return true;
	default:
		l->cost++;
		return false;
	}
}

/* The structs around a part, from the inside: each with its own values. */
static void compare_levels(struct likeness *l, const struct holder *recorded,
			   const struct holder *live)
{
	struct pairs pairs = {l->p->config.variables, 0, compare, l};

	for (; recorded && live && recorded->schema == live->schema && !l->unfit;
	     recorded = recorded->outer, live = live->outer)
		pairs_each(&pairs, recorded, live);
}

static const struct holder *root_of(const struct holder *in)
{
	while (in->outer)
		in = in->outer;
	return in;
}

/* Where two versions have the part at different depths, what is at the top still stands at the
 * top. */
static void compare_parts(struct likeness *l, const struct part *recorded, const struct part *live)
{
	const struct holder *a = recorded->in, *b = live->in;

	compare_levels(l, a, b);
	if (a->schema != b->schema)
		compare_levels(l, root_of(a), root_of(b));
}

/* ---- choice ---- */

struct choosing {
	struct playback *p;
	const struct playback_request *q;
	int64_t now_us;
	bool beats; /* a member says it is there, and hears whether its group has changed */
	const struct live_conn *conn;
	const struct session_exchange *other; /* that another part of the request was found in */
	bool repeats;
};

static int distance(int a, int b)
{
	return a > b ? a - b : b - a;
}

/* The first recorded change of topics that who asks is still to make. It may be late, as long as it
 * gets on with what is recorded. */
static const struct session_exchange *next_change(const struct choosing *c, struct changer *r)
{
	const struct session_exchange *next;

	while (r->topics_done < r->topics_count &&
	       (c->p->touched[r->topics[r->topics_done]->index] ||
		r->topics[r->topics_done]->request_us < r->topics_us))
		r->topics_done++;
	next = r->topics_done < r->topics_count ? r->topics[r->topics_done] : NULL;
	if (r->next != next) {
		r->next = next;
		r->next_us = c->now_us;
	}
	if (!next || (c->now_us >= awaited_until(c->p, next) &&
		      c->now_us >= r->next_us + PLAYBACK_WRITER_US))
		return NULL;
	return next;
}

/* What was so before a change that who asks has made, or after one that it has not made yet. */
static bool is_amiss(const struct choosing *c, const struct session_exchange *x)
{
	const struct session_exchange *next;
	struct changer *r;

	if (x->request_us < c->conn->changed_us)
		return true;
	if (!tells_topics(c->q->header->api_key) ||
	    !(r = changer_of(c->p, c->q->header->client_id, false)))
		return false;
	next = next_change(c, r);
	return x->request_us < r->topics_us ||
	       (next && next->response_us && x->request_us > next->response_us);
}

/* Where it came from: little, compared with what it says. */
static int cost_of_place(const struct choosing *c, const struct session_exchange *x)
{
	const struct frame_header *h = c->q->header;
	int cost = 0;

	if (!str_eq(x->header.client_id, h->client_id))
		cost += 4;
	if (x->conn->broker >= 0 && x->conn->broker != c->q->broker)
		cost += 3;
	if (c->conn && c->conn->recorded && c->conn->recorded != x->conn)
		cost += 1;
	if (c->other && c->other != x)
		cost += 2;
	if (c->conn && c->repeats && !c->beats && is_amiss(c, x))
		cost += AMISS_COSTS;
	cost += distance(x->header.api_version, h->api_version) ? 1 : 0;
	return cost;
}

/* A nullable struct of the answer that is there: an assignment. */
static bool brings_something(const struct holder *answered)
{
	const void *at;

	for (uint16_t i = 0; i < answered->schema->field_count; i++) {
		const struct schema_field *f = &answered->schema->fields[i];

		if (!f->pointer || f->array || !field_in(f, answered->version))
			continue;
		memcpy(&at, (const uint8_t *)answered->msg + f->offset, sizeof(at));
		if (at && at != f->child->defaults)
			return true;
	}
	return false;
}

/* Whether an answer to a heartbeat says more than that all is well. */
static bool is_news(const struct session_exchange *x)
{
	const struct schema *q = message_of_api(x->header.api_key, MESSAGE_REQUEST)->schema;
	const struct schema *r = message_of_api(x->header.api_key, MESSAGE_RESPONSE)->schema;
	struct holder asked = {q, x->request_body, x->header.api_version, NULL};
	struct holder answered = {r, x->response_body, x->response_version, NULL};
	const struct schema_field *f, *g;
	const void *before = holder_value(&asked, ROLE_GENERATION, &f);
	const void *after = holder_value(&answered, ROLE_GENERATION, &g);

	if (!x->response_body)
		return false;
	if (answer_errors(x->header.api_key, x->response_version, x->response_body).count ||
	    brings_something(&answered))
		return true;
	return before && after && leaf_int(f, before) != leaf_int(g, after);
}

static bool names_member(const struct session_exchange *x)
{
	struct holder in = {message_of_api(x->header.api_key, MESSAGE_RESPONSE)->schema,
			    x->response_body, x->response_version, NULL};

	return x->response_body && holder_value(&in, ROLE_MEMBER, NULL);
}

/* What changed a group has to happen live before its members hear of it. */
static bool is_early(const struct choosing *c, const struct session_exchange *x)
{
	struct holder in = {message_of_api(x->header.api_key, MESSAGE_REQUEST)->schema,
			    x->request_body, x->header.api_version, NULL};
	const struct str *group = holder_value(&in, ROLE_GROUP, NULL);
	int64_t until = INT64_MAX;
	struct words *w = NULL;

	if (!c->beats || !group || !group->data || !is_news(x))
		return false;
	HASH_FIND(hh, c->p->words, group->data, (size_t)group->len, w);
	for (size_t i = 0; w && i < w->count && w->list[i]->request_us < x->response_us; i++)
		if (!c->p->touched[w->list[i]->index] &&
		    play_awaited(c->p, w->list[i], c->now_us, &until))
			return true;
	return false;
}

static int cost_of(const struct choosing *c, const struct candidate *k, const struct part *live)
{
	struct likeness l = {.p = c->p, .api_key = c->q->header->api_key};

	if ((k->given && !c->repeats) || (!k->given && is_early(c, k->x)))
		return UNFIT;
	compare_parts(&l, k->part, live);
	if (l.unfit || (c->beats && l.stranger && (is_news(k->x) || names_member(k->x))))
		return UNFIT; /* what one member heard is not for others */
	return -(l.cost + cost_of_place(c, k->x) + (k->given ? AGAIN_COSTS : 0));
}

/* The cheapest of list[from..to): of equals the first that is new, or the last that was given. */
static void look(const struct choosing *c, struct keyed *keyed, size_t from, size_t to,
		 const struct part *live, struct candidate **best, int *best_cost)
{
	for (size_t i = from; i < to; i++) {
		struct candidate *k = &keyed->list[i];
		int cost = cost_of(c, k, live);

		if (cost == UNFIT)
			continue;
		if (!*best || cost > *best_cost ||
		    (cost == *best_cost && k->given && (*best)->given)) {
			*best = k;
			*best_cost = cost;
		}
	}
}

static bool same_member(const struct choosing *c, const struct holder *recorded,
			const struct holder *live)
{
	const struct str *a = holder_value(recorded, ROLE_MEMBER, NULL);
	const struct str *b = holder_value(live, ROLE_MEMBER, NULL);

	return a && b &&
	       str_eq(variables_str(c->p->config.variables, SIDE_RECORDED, ROLE_MEMBER, *a), *b);
}

/* A member that only says it is there: where no such word of it is recorded, what it was told last
 * still holds. */
static struct candidate *choose_last(const struct choosing *c, struct keyed *k,
				     const struct part *live)
{
	struct candidate *last = NULL;

	/* a classic heartbeat is answered without any */
	for (size_t i = 0; c->beats && c->q->header->api_key != API_HEARTBEAT && i < k->count; i++)
		if (k->list[i].given && play_outcome(k->list[i].x) == OUTCOME_ANSWER &&
		    same_member(c, k->list[i].part->in, live->in))
			last = &k->list[i];
	return last;
}

static struct candidate *choose(const struct choosing *c, const struct part *live)
{
	struct keyed *k = keyed_of(c->p, c->q->header->api_key, live->key, false);
	struct candidate *best = NULL;
	int cost = UNFIT;
	size_t from, to;

	if (!k)
		return NULL;
	while (k->first_new < k->count && k->list[k->first_new].given)
		k->first_new++;
	from = k->first_new > LOOK_BACK ? k->first_new - LOOK_BACK : 0;
	to = k->count - k->first_new > LOOK_AHEAD ? k->first_new + LOOK_AHEAD : k->count;
	look(c, k, from, to, live, &best, &cost);
	if (!best) {
		look(c, k, 0, from, live, &best, &cost);
		look(c, k, to, k->count, live, &best, &cost);
	}
	return best ? best : choose_last(c, k, live);
}

/* ---- what live values are learned ---- */

static bool learn(void *user, const struct pair *pair)
{
	struct playback *p = user;
	const struct str *a = pair->recorded, *b = pair->live;

	if (pair->kind != PAIR_VALUE)
		return pair->kind == PAIR_ARRAY || pair->kind == PAIR_STRUCT;
	if (pair->role == ROLE_MEMBER && pair->field->type == FIELD_STRING && a->len && b->len &&
	    variables_same(p->config.variables, 0, pair->recorded_in, pair->field, a, b) ==
		    SAME_UNKNOWN)
		variables_bind_str(p->config.variables, ROLE_MEMBER, *a, *b);
	return true;
}

static void learn_request(struct playback *p, const struct playback_request *q,
			  const struct session_exchange *x)
{
	const struct schema *s = message_of_api(q->header->api_key, MESSAGE_REQUEST)->schema;
	struct holder recorded = {s, x->request_body, x->header.api_version, NULL};
	struct holder live = {s, (void *)(uintptr_t)q->body, q->header->api_version, NULL};
	struct pairs pairs = {p->config.variables, 0, learn, p};

	pairs_each(&pairs, &recorded, &live);
}

static struct live_conn *conn_of(struct playback *p, int64_t conn)
{
	struct live_conn *c;

	HASH_FIND(hh, p->conns, &conn, sizeof(conn), c);
	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	c->conn = conn;
	HASH_ADD(hh, p->conns, conn, sizeof(c->conn), c);
	return c;
}

void playback_closed(struct playback *p, int64_t conn)
{
	struct live_conn *c;

	HASH_FIND(hh, p->conns, &conn, sizeof(conn), c);
	if (!c)
		return;
	HASH_DELETE(hh, p->conns, c);
	free(c);
}

void play_touch(struct playback *p, const struct session_exchange *x)
{
	const struct session_conn *c = x->conn;

	p->touched[x->index] = true;
	if (x->state != EXCHANGE_LOST)
		return;
	for (size_t i = 0; i < c->exchanges_count; i++)
		if (c->exchanges[i]->state == EXCHANGE_LOST)
			p->touched[c->exchanges[i]->index] = true;
}

static void give(struct playback *p, const struct playback_request *q, struct candidate *k,
		 struct live_conn *c)
{
	struct changer *r;

	if (k->given++)
		p->totals.again++;
	play_touch(p, k->x);
	if (weight_repeats(q->header->api_key, q->header->api_version, q->body))
		return;
	c->recorded = k->x->conn;
	if (k->x->response_us > c->changed_us)
		c->changed_us = k->x->response_us;
	r = changer_of(p, q->header->client_id, changes_topics(q->header->api_key));
	if (!r)
		return;
	r->next = NULL;
	if (changes_topics(q->header->api_key) && k->x->response_us > r->topics_us)
		r->topics_us = k->x->response_us;
}

/* ---- the answer ---- */

static void note_versions(struct playback *p, const struct playback_request *q, int from, int to,
			  struct buf *by_default, struct buf *lost)
{
	size_t at = ((size_t)q->header->api_key * NOTED_VERSIONS + (size_t)from) * NOTED_VERSIONS +
		    (size_t)to;

	if (from == to || from >= NOTED_VERSIONS || to >= NOTED_VERSIONS || p->noted[at])
		return;
	p->noted[at] = true;
	play_note(p, "%s: recorded in version %d, answered in version %d%s%s%s%s",
		  api_name(q->header->api_key), from, to, by_default->len ? "; by default: " : "",
		  buf_cstr(by_default), lost->len ? "; left out: " : "", buf_cstr(lost));
}

/* An ApiVersions answer that refuses the version stands in version 0 whatever was asked (KIP-511).
 */
static int version_for(const struct playback_request *q, const void *body)
{
	const struct api_versions_response *r = body;
	bool refused = q->header->api_key == API_API_VERSIONS &&
		       r->error_code == 35; /* UNSUPPORTED_VERSION */

	return refused ? 0 : q->header->api_version;
}

/* Members' and producers' ids that an answer hands out are the same live, unless they are others'
 * already. */
static void hand_out(void *user, const struct leaf *l)
{
	struct variables *v = user;
	const struct str *member = l->value;
	int64_t id;

	if (!l->field)
		return;
	if (l->role == ROLE_MEMBER && l->field->type == FIELD_STRING && member->len &&
	    str_eq(variables_str(v, SIDE_RECORDED, ROLE_MEMBER, *member), *member))
		variables_bind_str(v, ROLE_MEMBER, *member, *member);
	else if (l->role == ROLE_PRODUCER_ID && leaf_int(l->field, l->value) >= 0 &&
		 !variables_int(v, SIDE_RECORDED, ROLE_PRODUCER_ID, leaf_int(l->field, l->value),
				&id))
		variables_bind_int(v, ROLE_PRODUCER_ID, id, id);
}

void *play_answer(struct playback *p, const struct playback_request *q, const struct holder *live,
		  const struct session_exchange *x, int *ret_version)
{
	const struct schema *s = message_of_api(q->header->api_key, MESSAGE_RESPONSE)->schema;
	const struct schema *request = message_of_api(q->header->api_key, MESSAGE_REQUEST)->schema;
	struct holder around = {request, x->request_body, x->header.api_version, NULL};
	struct variables_place place = {.around = &around, .answer = true};
	struct buf by_default, lost;
	struct reshape r = {.v = p->config.variables,
			    .side = SIDE_LIVE,
			    .live_about = live,
			    .around = &around,
			    .arena = q->arena,
			    .by_default = &by_default,
			    .lost = &lost};
	int32_t correlation_id;
	int64_t at = frame_read_response(x->response, q->header->api_key, x->response_version,
					 &correlation_id, NULL);
	struct bytes bytes;
	void *body = NULL;
	bool ok;

	if (at < 0)
		return NULL;
	bytes = (struct bytes){x->response.data + at, x->response.len - (int32_t)at};
	if (frame_decode(q->header->api_key, x->response_version, MESSAGE_RESPONSE, bytes, q->arena,
			 &body, NULL) < 0)
		return NULL;
	if (nature_of(q->header->api_key, q->header->api_version, NULL).rebalance ||
	    q->header->api_key == API_INIT_PRODUCER_ID)
		leaves_each(s, x->response_version, body, hand_out, p->config.variables);
	if (!variables_apply(p->config.variables, SIDE_RECORDED, &place, s, x->response_version,
			     body, q->arena))
		return NULL;
	buf_init(&by_default, NOTE_MAX);
	buf_init(&lost, NOTE_MAX);
	*ret_version = version_for(q, body);
	ok = reshape(&r, s, x->response_version, *ret_version, body);
	if (ok)
		note_versions(p, q, x->response_version, *ret_version, &by_default, &lost);
	buf_release(&by_default);
	buf_release(&lost);
	return ok ? body : NULL;
}

static bool list_answer(struct playback *p, const struct playback_request *q,
			const struct holder *live, int version, struct assemble_answer *a)
{
	struct parts_of of = {.api_key = q->header->api_key,
			      .kind = MESSAGE_RESPONSE,
			      .version = version,
			      .body = a->body,
			      .around = live,
			      .side = SIDE_LIVE};

	return parts_list(p->config.variables, &of, q->arena, &a->parts);
}

static bool has_part(const struct parts *p, struct bytes key, bool key_asks)
{
	for (size_t i = 0; i < p->count; i++)
		if (key_asks ? parts_covers(key, p->list[i].key)
			     : parts_covers(p->list[i].key, key))
			return true;
	return false;
}

/* Whether the answer has the parts that are asked for, and no others. */
static bool same_parts(const struct parts *asked, const struct parts *answered)
{
	for (size_t i = 0; i < asked->count; i++)
		if (!has_part(answered, asked->list[i].key, true))
			return false;
	for (size_t i = 0; i < answered->count; i++)
		if (!has_part(asked, answered->list[i].key, false))
			return false;
	return true;
}

void *play_assemble(struct playback *p, const struct playback_request *q,
		    const struct play_choice *choice, int *ret_version)
{
	const struct parts *asked = choice->asked;
	const struct holder *live = root_of(asked->list[0].in);
	struct assemble_answer *answers = arena_zalloc(q->arena, asked->count * sizeof(*answers));
	const struct session_exchange **of =
		arena_zalloc(q->arena, asked->count * sizeof(struct session_exchange *));
	int32_t *from = arena_zalloc(q->arena, asked->count * sizeof(*from));
	struct assemble a = {.api_key = q->header->api_key,
			     .asked = asked,
			     .answers = answers,
			     .from = from,
			     .arena = q->arena};
	int32_t count = 0, k;

	if (!answers || !of || !from)
		return NULL;
	for (size_t i = 0; i < asked->count; i++) {
		for (k = 0; k < count && of[k] != choice->x[i]; k++)
			;
		from[i] = k;
		if (k < count)
			continue;
		of[count] = choice->x[i];
		answers[count].body = play_answer(p, q, live, choice->x[i], ret_version);
		if (!answers[count].body || !list_answer(p, q, live, *ret_version, &answers[count]))
			return NULL;
		count++;
	}
	a.version = *ret_version;
	if ((count > 1 || !same_parts(asked, &answers[0].parts)) && !assemble(&a))
		return NULL;
	return answers[0].body;
}

static bool is_taken(const struct playback *p, const struct parts *asked)
{
	struct name_entry *e, *next;

	HASH_ITER (hh, p->taken, e, next) {
		for (size_t i = 0; i < asked->count; i++)
			if (parts_key_names(asked->list[i].key, ROLE_GROUP, e->name) ||
			    parts_key_names(asked->list[i].key, ROLE_TRANSACTIONAL_ID, e->name))
				return true;
	}
	return false;
}

static bool list_asked(struct playback *p, const struct playback_request *q, struct parts *ret)
{
	struct parts_of of = {.api_key = q->header->api_key,
			      .kind = MESSAGE_REQUEST,
			      .version = q->header->api_version,
			      .body = (void *)(uintptr_t)q->body,
			      .side = SIDE_LIVE};

	return parts_list(p->config.variables, &of, q->arena, ret);
}

/* All that was chosen has come to an answer: together it is the live one. */
static void answer_chosen(struct playback *p, const struct playback_request *q,
			  const struct parts *asked, struct candidate **chosen,
			  struct playback_answer *ret)
{
	struct play_choice choice = {
		asked, arena_alloc(q->arena, asked->count * sizeof(struct session_exchange *))};
	int version = q->header->api_version;

	if (!choice.x)
		return;
	for (size_t i = 0; i < asked->count; i++)
		choice.x[i] = chosen[i]->x;
	ret->response = play_assemble(p, q, &choice, &version);
	ret->response_version = (int16_t)version;
	ret->what = ret->response ? PLAYBACK_ANSWER : PLAYBACK_MISS;
}

/* What is committed live is told live. */
static void follow_offsets(struct playback *p, const struct playback_request *q,
			   const struct parts *asked, struct candidate **chosen,
			   const struct playback_answer *answer)
{
	struct assemble_answer a = {.body = answer->response};
	int key = q->header->api_key;

	if ((key != API_OFFSET_COMMIT && (key != API_OFFSET_FETCH || !p->commits)) ||
	    answer->what != PLAYBACK_ANSWER ||
	    !list_answer(p, q, root_of(asked->list[0].in), answer->response_version, &a))
		return;
	if (key == API_OFFSET_COMMIT)
		play_offsets_committed(p, asked, chosen, &a.parts);
	else
		play_offsets_tell(p, &a.parts);
}

static bool was_given(const struct keyed *k)
{
	for (size_t i = 0; i < k->count; i++)
		if (k->list[i].given)
			return true;
	return false;
}

/* A classic member's heartbeat where none is recorded of its group: all is well. */
static bool answer_beat(struct playback *p, const struct playback_request *q,
			const struct parts *asked, struct playback_answer *ret)
{
	const struct schema *s = message_of_api(q->header->api_key, MESSAGE_RESPONSE)->schema;
	struct keyed *joins = keyed_of(p, API_JOIN_GROUP, asked->list[0].key, false);

	if (q->header->api_key != API_HEARTBEAT || !joins || !was_given(joins))
		return false;
	ret->response = arena_alloc(q->arena, s->size);
	if (!ret->response)
		return false;
	codec_init(s, ret->response);
	ret->response_version = q->header->api_version;
	ret->what = PLAYBACK_ANSWER;
	return true;
}

static void answer_generic(struct playback *p, const struct playback_request *q, struct instant now,
			   struct playback_answer *ret)
{
	static const enum playback_what whats[] = {[OUTCOME_ANSWER] = PLAYBACK_ANSWER,
						   [OUTCOME_NONE] = PLAYBACK_NONE,
						   [OUTCOME_CLOSE] = PLAYBACK_CLOSE,
						   [OUTCOME_RESET] = PLAYBACK_RESET,
						   [OUTCOME_UNKNOWN] = PLAYBACK_MISS};
	struct live_conn *conn = conn_of(p, q->conn);
	struct choosing c = {.p = p, .q = q, .conn = conn, .now_us = now.mono_us};
	struct candidate **chosen;
	enum outcome outcome = OUTCOME_ANSWER;
	struct nature n;
	struct parts asked;
	int64_t due;

	if (!list_asked(p, q, &asked))
		return;
	if (p->taken && is_taken(p, &asked)) {
		ret->what = PLAYBACK_TAKEN;
		return;
	}
	chosen = arena_zalloc(q->arena, asked.count * sizeof(struct candidate *));
	if (!chosen)
		return;
	n = nature_of(q->header->api_key, q->header->api_version, q->body);
	c.beats = n.rebalance && n.question;
	c.repeats = weight_repeats(q->header->api_key, q->header->api_version, q->body);
	for (size_t i = 0; i < asked.count; i++) {
		chosen[i] = choose(&c, &asked.list[i]);
		if (!chosen[i] && i == 0 && answer_beat(p, q, &asked, ret))
			return;
		if (!chosen[i])
			return;
		c.other = chosen[i]->x;
		if (play_outcome(chosen[i]->x) != OUTCOME_ANSWER)
			outcome = play_outcome(chosen[i]->x);
		due = q->arrived_us + play_latency(p, chosen[i]->x);
		ret->due_us = due > ret->due_us ? due : ret->due_us;
	}
	for (size_t i = 0; i < asked.count; i++)
		learn_request(p, q, chosen[i]->x);
	ret->what = whats[outcome];
	if (outcome == OUTCOME_ANSWER)
		answer_chosen(p, q, &asked, chosen, ret);
	follow_offsets(p, q, &asked, chosen, ret);
	for (size_t i = 0; i < asked.count && ret->what != PLAYBACK_MISS; i++)
		give(p, q, chosen[i], conn);
}

void playback_ask(struct playback *p, const struct playback_request *q, struct instant now,
		  struct playback_answer *ret)
{
	*ret = (struct playback_answer){.what = PLAYBACK_MISS, .due_us = q->arrived_us};
	if (!p->live_start_us)
		p->live_start_us = now.mono_us;
	play_name_add(&p->clients, q->header->client_id);
	if (!q->body || (!playback_has(p, q->header->api_key) &&
			 q->header->api_key != API_HEARTBEAT)) /* of a group that was joined */
		return;
	if (q->header->api_key == API_PRODUCE)
		play_produce(p, q, ret);
	else if (q->header->api_key == API_FETCH)
		play_fetch(p, q, now, ret);
	else
		answer_generic(p, q, now, ret);
	p->totals.answered += ret->what < PLAYBACK_WAIT;
}

static void take_names(struct playback *p, const struct holder *in)
{
	static const enum role roles[] = {ROLE_GROUP, ROLE_TRANSACTIONAL_ID};
	const struct str *name;

	for (size_t i = 0; i < 2; i++) {
		name = holder_value(in, roles[i], NULL);
		if (name && name->len)
			play_name_add(&p->taken, *name);
	}
}

void playback_taken(struct playback *p, const struct playback_request *q)
{
	const struct message *m = message_of_api(q->header->api_key, MESSAGE_REQUEST);
	struct str topic;
	int32_t partition;
	struct place *place;
	struct parts asked;

	if (!q->body || !m || weight_repeats(q->header->api_key, q->header->api_version, q->body))
		return;
	if (!list_asked(p, q, &asked))
		return;
	take_names(p, root_of(asked.list[0].in));
	for (size_t i = 0; i < asked.count && q->header->api_key == API_PRODUCE; i++) {
		if (!parts_key_partition(asked.list[i].key, &topic, &partition))
			continue;
		place = play_place(p, topic, partition, false);
		if (place)
			place->taken = true;
	}
}

void playback_totals(const struct playback *p, struct playback_totals *ret,
		     uint64_t by_api[API_KEY_MAX + 1])
{
	const struct session *s = p->config.session;

	*ret = p->totals;
	for (size_t i = 0; i < s->exchanges_count; i++) {
		const struct session_exchange *x = s->exchanges[i];

		if (p->touched[i] || !play_is_asked(x))
			continue;
		ret->untouched++;
		if (by_api)
			by_api[x->header.api_key]++;
	}
}
