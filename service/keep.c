/* Keeps exchanges, one behind the other in blocks, linked from the oldest on; the oldest go when
 * the bytes pass the limit, and a block goes with its last one. Blocks, since allocations that live
 * as long as these would leave holes everywhere between the frames of a log. Questions decode anew,
 * so that keeping costs a copy and no more. */
#include "service/keep.h"

#include "decoder/jsonl.h"
#include "service/answer.h"

#include <stdlib.h>
#include <string.h>

#define QUERY_TEXT_MAX 4096
#define KEEP_FLAT_MAX  ((size_t)1 << 31) /* an answer's frame */
#define BLOCK_SIZE     ((size_t)64 << 10)

struct block {
	size_t size, used; /* of data */
	max_align_t data[];
};

/* What is kept of a struct exchange, whose names these are. Views point into data, pieces and what
 * these refer to. */
struct kept {
	struct kept *next;
	struct block *block;
	uint64_t id;
	size_t size;
	int64_t time_us;
	struct event_conn conn;
	enum exchange_state state;
	uint32_t request_size, response_size;
	struct frame_header header;
	struct bytes request, response;
	int64_t request_first_us, request_us, response_first_us, response_us;
	struct shared *request_frame;
	struct str rule;
	struct answer_piece *pieces; /* of a long answer; in data */
	int32_t pieces_count;
	max_align_t data[];
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

/* Room behind the newest, or in a block of its own. */
static struct kept *new_kept(struct keep *k, size_t size)
{
	struct block *b = k->last ? k->last->block : NULL;
	struct kept *kept;

	size = (size + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
	if (!b || b->size - b->used < size) {
		size_t room = size < BLOCK_SIZE ? BLOCK_SIZE : size;

		b = malloc(sizeof(*b) + room);
		if (!b)
			abort();
		b->size = room;
		b->used = 0;
	}
	kept = (struct kept *)(void *)((char *)b->data + b->used);
	b->used += size;
	kept->block = b;
	kept->next = NULL;
	if (k->last)
		k->last->next = kept;
	else
		k->first = kept;
	k->last = kept;
	return kept;
}

static void drop_oldest(struct keep *k)
{
	struct kept *oldest = k->first;
	struct block *b = oldest->block;

	k->first = oldest->next;
	if (!k->first)
		k->last = NULL;
	k->bytes -= oldest->size;
	shared_unref(oldest->request_frame);
	for (int32_t i = 0; i < oldest->pieces_count; i++)
		shared_unref(oldest->pieces[i].in);
	if (!k->first || k->first->block != b)
		free(b);
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
static void keep_pieces(struct kept *kept, const struct exchange *x, char **at)
{
	int32_t count = x->response_pieces_count;

	kept->pieces = (struct answer_piece *)(void *)kept->data;
	kept->pieces_count = count;
	*at = (char *)kept->data + (size_t)count * sizeof(struct answer_piece);
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
}

static void keep_facts(struct kept *kept, const struct exchange *x)
{
	kept->conn = x->conn;
	kept->state = x->state;
	kept->header = x->header;
	kept->header.client_id = (struct str){NULL, 0};
	kept->request_size = x->request_size;
	kept->response_size = x->response_size;
	kept->request_first_us = x->request_first_us;
	kept->request_us = x->request_us;
	kept->response_first_us = x->response_first_us;
	kept->response_us = x->response_us;
}

static struct bytes put_bytes(char **at, struct bytes b)
{
	return (struct bytes){put(at, b.data, b.len), b.len};
}

static void on_event(void *ctx, const struct event *ev)
{
	struct keep *k = ctx;
	const struct exchange *x = ev->exchange;
	struct kept *kept;
	size_t size;
	char *at;

	k->total++;
	if (x->header.api_key >= 0 && x->header.api_key <= API_KEY_MAX)
		k->counts[x->header.api_key]++;
	size = sizeof(*kept) + answer_size(x) + (size_t)x->rule.len;
	if (!x->request_frame)
		size += (size_t)x->request.len;
	kept = new_kept(k, size);
	kept->id = k->total;
	kept->size = size;
	kept->time_us = ev->time_us;
	keep_facts(kept, x);
	keep_pieces(kept, x, &at);
	kept->request = x->request;
	kept->request_frame = NULL;
	if (x->request_frame) {
		kept->request_frame = shared_keep(x->request_frame);
		kept->request.data = kept->request_frame->data;
		kept->size += x->request_frame->size;
	} else {
		kept->request = put_bytes(&at, x->request);
	}
	kept->response = put_bytes(&at, x->response);
	kept->rule = (struct str){put(&at, x->rule.data, x->rule.len), x->rule.len};
	k->bytes += kept->size;
	while (k->bytes > KEEP_BYTES_MAX && k->first != k->last)
		drop_oldest(k);
}

struct keep *keep_new(void)
{
	struct keep *k = calloc(1, sizeof(*k));

	if (!k)
		abort();
	k->sink = (struct event_sink){.on_event = on_event,
				      .ctx = k,
				      .kinds = event_bit(EVENT_EXCHANGE),
				      .response_max = KEEP_RESPONSE_MAX};
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
	struct exchange x = {
		.conn = kept->conn,
		.state = kept->state,
		.header = kept->header,
		.request = kept->request,
		.response = kept->response,
		.request_size = kept->request_size,
		.response_size = kept->response_size,
		.request_first_us = kept->request_first_us,
		.request_us = kept->request_us,
		.response_first_us = kept->response_first_us,
		.response_us = kept->response_us,
		.rule = kept->rule,
		.arena = &k->arena,
	};

	arena_reset(&k->arena);
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
