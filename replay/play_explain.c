/* A miss for people: the recorded request of the same API that is most like the live one, whatever
 * was given of it already, and in which fields they differ. */
#include "replay/play.h"

#include "replay/pair_text.h"
#include "replay/weight.h"

#include "protocol/messages.h"

#include <limits.h>

#define COMPARED_MAX	5000 /* recorded requests */
#define DIFFERENCES_MAX 20   /* lines */
#define OTHER_THING	32   /* cost of another name in what the request is about */
#define OTHER_ELEMENT	8
#define PARTS_TOLD	8

struct comparison {
	struct playback *p;
	struct buf *out; /* NULL: counts only */
	int cost, told;
};

static void tell(struct comparison *c, const struct pair *pair, const char *text)
{
	if (++c->told > DIFFERENCES_MAX)
		return;
	buf_text(c->out, "    ");
	pair_path(c->out, c->p->config.variables, pair->step);
	buf_text(c->out, text);
}

static void tell_value(struct comparison *c, const struct pair *pair)
{
	tell(c, pair, ": recorded ");
	if (c->told > DIFFERENCES_MAX)
		return;
	pair_value(c->out, pair->field, pair->recorded);
	buf_text(c->out, ", live ");
	pair_value(c->out, pair->field, pair->live);
	buf_byte(c->out, '\n');
}

static int cost_of(const struct pair *pair)
{
	const struct schema *s = pair->recorded_in->schema;
	int cost = weight_of(s, pair->field);

	switch (pair->role) {
	case ROLE_TOPIC:
	case ROLE_GROUP:
	case ROLE_TRANSACTIONAL_ID:
	case ROLE_COORDINATOR_KEY:
	case ROLE_RESOURCE:
		return OTHER_THING;
	default:
		return weight_decides(s, pair->field, pair->recorded, pair->live) ? OTHER_THING
										  : cost;
	}
}

static bool compare(void *user, const struct pair *pair)
{
	struct comparison *c = user;
	int cost;

	switch (pair->kind) {
	case PAIR_VALUE:
		cost = play_same(c->p, pair) ? 0 : cost_of(pair);
		c->cost += cost;
		if (cost && c->out)
			tell_value(c, pair);
		return true;
	case PAIR_GONE:
	case PAIR_NEW:
		c->cost += OTHER_ELEMENT;
		if (c->out)
			tell(c, pair,
			     pair->kind == PAIR_NEW ? ": only live\n" : ": only recorded\n");
		return false;
	default:
		return true;
	}
}

static int compare_with(struct playback *p, const struct playback_request *q,
			const struct session_exchange *x, struct buf *out)
{
	const struct schema *s = message_of_api(q->header->api_key, MESSAGE_REQUEST)->schema;
	struct holder recorded = {s, x->request_body, x->header.api_version, NULL};
	struct holder live = {s, (void *)(uintptr_t)q->body, q->header->api_version, NULL};
	struct comparison c = {.p = p, .out = out};
	struct pairs pairs = {p->config.variables, 0, compare, &c};

	pairs_each(&pairs, &recorded, &live);
	if (out && c.told > DIFFERENCES_MAX)
		buf_printf(out, "    ... and %d more\n", c.told - DIFFERENCES_MAX);
	if (out && q->header->api_key == API_PRODUCE)
		play_produce_explain(p, q, out);
	else if (out && !c.told)
		buf_text(out, "    in all that counts the same, but given already\n");
	return c.cost;
}

static const struct session_exchange *nearest(struct playback *p, const struct playback_request *q)
{
	const struct session *s = p->config.session;
	const struct session_exchange *best = NULL;
	int best_cost = INT_MAX, cost, compared = 0;

	for (size_t i = 0; i < s->exchanges_count && compared < COMPARED_MAX; i++) {
		const struct session_exchange *x = s->exchanges[i];

		if (!x->request_body || x->header.api_key != q->header->api_key ||
		    play_outcome(x) == OUTCOME_UNKNOWN)
			continue;
		compared++;
		cost = compare_with(p, q, x, NULL);
		if (cost < best_cost) {
			best = x;
			best_cost = cost;
		}
	}
	return best;
}

static void tell_parts(struct playback *p, const struct playback_request *q, struct buf *out)
{
	struct parts_of of = {.api_key = q->header->api_key,
			      .kind = MESSAGE_REQUEST,
			      .version = q->header->api_version,
			      .body = (void *)(uintptr_t)q->body,
			      .side = SIDE_LIVE};
	struct parts parts;
	size_t before;

	if (!parts_list(p->config.variables, &of, q->arena, &parts))
		return;
	for (size_t i = 0; i < parts.count && i < PARTS_TOLD; i++) {
		before = out->len;
		parts_key_text(parts.list[i].key, out);
		if (out->len > before && i + 1 < parts.count)
			buf_text(out, i + 1 == PARTS_TOLD ? ", ..." : ", ");
	}
}

void playback_explain(struct playback *p, const struct playback_request *q, struct buf *out)
{
	const struct frame_header *h = q->header;
	const struct session_exchange *x;
	int64_t ms;
	size_t before;

	buf_printf(out, "nothing recorded fits %s version %d of client '" STR_FMT "'",
		   api_name(h->api_key) ? api_name(h->api_key) : "?", h->api_version,
		   STR_ARG(h->client_id));
	before = out->len;
	buf_text(out, ": ");
	if (q->body)
		tell_parts(p, q, out);
	if (out->len == before + 2)
		out->len = before;
	buf_byte(out, '\n');
	x = q->body ? nearest(p, q) : NULL;
	if (!x) {
		buf_text(out, "  no request of this API is recorded\n");
		return;
	}
	ms = (x->request_us - p->recorded_start_us) / 1000;
	buf_printf(out, "  nearest: version %d, %lld.%03d s after the start, connection %lld%s\n",
		   x->header.api_version, (long long)(ms / 1000), (int)(ms % 1000),
		   (long long)x->conn->number, p->touched[x->index] ? ", given already" : "");
	compare_with(p, q, x, out);
}
