/* Keeps exchanges: each is one allocation, linked from the oldest on, and the oldest go when the
 * bytes pass the limit. Questions decode anew, so that keeping costs a copy and no more. */
#include "service/keep.h"

#include "decoder/jsonl.h"
#include "service/answer.h"

#include <stdlib.h>
#include <string.h>

#define QUERY_TEXT_MAX 4096
#define KEEP_FLAT_MAX  ((size_t)1 << 31) /* an answer's frame */

struct kept {
	struct kept *next;
	uint64_t id;
	size_t size;
	int64_t time_us;
	struct exchange x;	     /* its views point into data, pieces and what these refer to */
	struct answer_piece *pieces; /* of a long answer; in data */
	int32_t pieces_count;
	_Alignas(struct answer_piece) char data[];
};

struct keep {
	struct event_sink sink;
	struct kept *first, *last;
	size_t bytes;
	uint64_t total, counts[API_KEY_MAX + 1];
	struct names *names;
	struct arena arena;
	struct buf flat; /* a long answer in one piece */
};

static void *put(char **at, const void *data, int32_t len)
{
	char *to = *at;

	if (!data)
		return NULL;
	memcpy(to, data, (size_t)len);
	*at += len;
	return to;
}

static void drop_oldest(struct keep *k)
{
	struct kept *oldest = k->first;

	k->first = oldest->next;
	if (!k->first)
		k->last = NULL;
	k->bytes -= oldest->size;
	shared_unref(oldest->x.request_frame);
	for (int32_t i = 0; i < oldest->pieces_count; i++)
		shared_unref(oldest->pieces[i].in);
	free(oldest);
}

/* A small part of a large buffer is copied: a reference would keep all of it. */
static bool refers(const struct answer_piece *p)
{
	return p->in && p->in->size / 4 <= (size_t)p->bytes.len;
}

/* The bytes to copy of an answer, and room for its pieces. */
static size_t answer_size(const struct exchange *x)
{
	size_t size = (size_t)x->response.len;

	for (int32_t i = 0; i < x->response_pieces_count; i++)
		size += sizeof(struct answer_piece) +
			(refers(&x->response_pieces[i]) ? 0
							: (size_t)x->response_pieces[i].bytes.len);
	return size;
}

/* The pieces come first in data, for their alignment; *at is behind them. */
static void keep_pieces(struct kept *kept, char **at)
{
	const struct exchange *x = &kept->x;
	int32_t count = x->response_pieces_count;

	kept->pieces = (struct answer_piece *)(void *)kept->data;
	kept->pieces_count = count;
	*at = kept->data + (size_t)count * sizeof(struct answer_piece);
	for (int32_t i = 0; i < count; i++) {
		struct answer_piece p = x->response_pieces[i];

		if (refers(&p)) {
			shared_ref(p.in);
			kept->size += (size_t)p.bytes.len;
		} else {
			p.in = NULL;
			p.bytes.data = put(at, p.bytes.data, p.bytes.len);
		}
		kept->pieces[i] = p;
	}
	kept->x.response_pieces = NULL;
	kept->x.response_pieces_count = 0;
}

static void on_event(void *ctx, const struct event *ev)
{
	struct keep *k = ctx;
	const struct exchange *x = ev->exchange;
	struct kept *kept;
	size_t size;
	char *at;

	if (ev->kind != EVENT_EXCHANGE)
		return;
	k->total++;
	if (x->header.api_key >= 0 && x->header.api_key <= API_KEY_MAX)
		k->counts[x->header.api_key]++;
	size = sizeof(*kept) + answer_size(x) + (size_t)x->rule.len;
	if (!x->request_frame)
		size += (size_t)x->request.len;
	kept = malloc(size);
	if (!kept)
		return;
	*kept = (struct kept){.id = k->total, .size = size, .time_us = ev->time_us, .x = *x};
	keep_pieces(kept, &at);
	if (x->request_frame) {
		shared_ref(x->request_frame);
		kept->size += x->request_frame->size;
	} else {
		kept->x.request.data = put(&at, x->request.data, x->request.len);
	}
	kept->x.response.data = put(&at, x->response.data, x->response.len);
	kept->x.rule.data = put(&at, x->rule.data, x->rule.len);
	kept->x.request_decoded = kept->x.response_decoded = false;
	kept->x.header.client_id = (struct str){NULL, 0};
	if (k->last)
		k->last->next = kept;
	else
		k->first = kept;
	k->last = kept;
	k->bytes += kept->size;
	while (k->bytes > KEEP_BYTES_MAX && k->first != k->last)
		drop_oldest(k);
}

struct keep *keep_new(void)
{
	struct keep *k = calloc(1, sizeof(*k));

	if (!k)
		abort();
	k->sink = (struct event_sink){
		.on_event = on_event, .ctx = k, .response_max = KEEP_RESPONSE_MAX};
	k->names = names_new();
	arena_init(&k->arena, 2 * ARENA_EXCHANGE_MAX);
	buf_init(&k->flat, KEEP_FLAT_MAX);
	return k;
}

void keep_clear(struct keep *k)
{
	while (k->first)
		drop_oldest(k);
	k->total = 0;
	memset(k->counts, 0, sizeof(k->counts));
}

void keep_free(struct keep *k)
{
	if (!k)
		return;
	keep_clear(k);
	names_free(k->names);
	arena_release(&k->arena);
	buf_release(&k->flat);
	free(k);
}

struct event_sink *keep_sink(struct keep *k)
{
	return &k->sink;
}

uint64_t keep_total(const struct keep *k)
{
	return k->total;
}

uint64_t keep_count(const struct keep *k, int api_key)
{
	return api_key >= 0 && api_key <= API_KEY_MAX ? k->counts[api_key] : 0;
}

/* Asks the one rule whether it would act on this exchange. */
static bool matches(struct keep *k, const struct keep_query *q, struct rules *rules,
		    struct exchange *x)
{
	static const struct plan nothing;
	struct call call = {.broker = x->conn.broker, .conn = x->conn.conn, .arena = &k->arena};
	struct facts facts;
	struct plan plan;
	const int16_t *codes;
	const void *response;
	int32_t count;
	bool hit;

	call.plan = &nothing;
	call.header = x->header;
	call.request = exchange_request(x);
	cluster_facts(q->cluster, &call, &facts);
	rules_decide(rules, &facts, &k->arena, &plan);
	if (rules_want_answers(rules) && (response = exchange_response(x))) {
		codes = answer_codes(x->header.api_key, exchange_response_version(x), response,
				     &k->arena, &count);
		rules_decide_answer(rules, &facts, codes, count, &k->arena, &plan);
	}
	hit = plan.rule != NULL;
	plan_release(&plan);
	return hit;
}

static void add_line(struct keep *k, struct kept *kept, struct exchange *x, struct buf *out)
{
	struct event ev = {.kind = EVENT_EXCHANGE, .time_us = kept->time_us, .exchange = x};
	size_t start = out->len;

	jsonl_event(out, &ev, k->names, JSONL_EXCHANGES);
	if (out->len > start && out->data[out->len - 1] == '\n')
		out->len--;
	if (out->bad)
		out->len = start;
}

static int make_filter(struct str match, struct rules **ret_rules, struct error *e)
{
	struct buf text;
	struct rules *rules = rules_new(0);

	buf_init(&text, QUERY_TEXT_MAX);
	buf_printf(&text, STR_FMT " -> observe", STR_ARG(match));
	if (!rules_add(rules, str_of(NULL), (struct str){buf_cstr(&text), (int32_t)text.len}, e)) {
		rules_free(rules);
		rules = NULL;
	}
	buf_release(&text);
	*ret_rules = rules;
	return rules ? 0 : ERR_USAGE;
}

/* The exchange ready to be decoded, a long answer put into one piece. */
static struct exchange exchange_of(struct keep *k, const struct kept *kept)
{
	struct exchange x = kept->x;

	arena_reset(&k->arena);
	x.arena = &k->arena;
	frame_read_request(x.request, &x.header, NULL);
	if (!kept->pieces_count)
		return x;
	buf_reset(&k->flat);
	for (int32_t i = 0; i < kept->pieces_count; i++)
		buf_add(&k->flat, kept->pieces[i].bytes.data, (size_t)kept->pieces[i].bytes.len);
	if (!k->flat.bad)
		x.response = (struct bytes){k->flat.data, (int32_t)k->flat.len};
	return x;
}

/* Goes through the kept ones; with skip >= 0 the first skip that match are left out of out. */
static int64_t run_query(struct keep *k, const struct keep_query *q, struct rules *rules,
			 struct buf *out, int64_t skip)
{
	int64_t count = 0;

	for (struct kept *kept = k->first; kept; kept = kept->next) {
		struct exchange x;

		if (kept->id <= q->since)
			continue;
		x = exchange_of(k, kept);
		if (rules && !matches(k, q, rules, &x))
			continue;
		if (count++ < skip || !out)
			continue;
		if (count > skip + 1)
			buf_byte(out, ',');
		buf_printf(out, "\n{\"id\":%llu,\"exchange\":", (unsigned long long)kept->id);
		add_line(k, kept, &x, out);
		buf_byte(out, '}');
	}
	return count;
}

int keep_query(struct keep *k, const struct keep_query *q, struct buf *out, int64_t *ret_count,
	       struct error *e)
{
	struct rules *rules = NULL;
	int64_t count;

	if (q->match.data && make_filter(q->match, &rules, e))
		return ERR_USAGE;
	count = run_query(k, q, rules, NULL, 0);
	if (out) {
		if (rules)
			rules_reset_counters(rules);
		run_query(k, q, rules, out, count > q->limit ? count - q->limit : 0);
	}
	rules_free(rules);
	*ret_count = count;
	return 0;
}
