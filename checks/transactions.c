/* How transactions lie in the log beside each other, judged from what was persisted and what their
 * subjects said: the order inside one, foreign records between its own, and cycles of who wrote
 * behind whom and who read what (G0 and G1c). A transaction is a subject's n-th; its records are
 * known by their values. */
#include "checks/types.h"

#include <stdlib.h>
#include <uthash.h>

#define EDGES_MAX 2000000

/* All transactions of all subjects, numbered through: a subject's first is `first`. */
struct span {
	const struct history_subject *subject;
	int32_t first;
};

struct graph {
	struct span *spans;
	int32_t spans_count, nodes;
	struct edge {
		int32_t from, to;
		const struct history_partition *partition;
		int64_t offset;
	} * edges;
	size_t count, cap;
	bool full;
};

static void *zeroed(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);

	if (!p)
		abort();
	return p;
}

static void graph_init(struct graph *g, const struct check *c)
{
	int32_t n = 0;

	*g = (struct graph){0};
	for (struct history_subject *s = scope_subject(c, NULL); s; s = scope_subject(c, s))
		n++;
	g->spans = zeroed((size_t)n, sizeof(*g->spans));
	for (struct history_subject *s = scope_subject(c, NULL); s; s = scope_subject(c, s)) {
		g->spans[g->spans_count++] = (struct span){s, g->nodes};
		g->nodes += (int32_t)s->txns_count;
	}
}

static void graph_release(struct graph *g)
{
	free(g->spans);
	free(g->edges);
}

/* The committed transaction that wrote a record; -1 if none did. */
static int32_t writer_of(const struct graph *g, const struct history_partition *p,
			 const struct history_record *r)
{
	if (r->control || r->txn != TXN_COMMITTED || r->state == RECORD_TRUNCATED)
		return -1;
	for (int32_t i = 0; i < g->spans_count; i++) {
		struct history_subject *s =
			(struct history_subject *)(uintptr_t)g->spans[i].subject;
		const struct history_send *send = history_send(s, p->topic, r->value);

		if (send && send->txn >= 0)
			return g->spans[i].first + send->txn;
	}
	return -1;
}

static void add_edge(struct graph *g, int32_t from, int32_t to, const struct history_partition *p,
		     int64_t offset)
{
	if (from < 0 || to < 0 || from == to)
		return;
	g->full |= g->count == EDGES_MAX;
	if (g->full)
		return;
	if (g->count == g->cap) {
		g->cap = g->cap ? g->cap * 2 : 64;
		g->edges = realloc(g->edges, g->cap * sizeof(*g->edges));
		if (!g->edges)
			abort();
	}
	g->edges[g->count++] = (struct edge){from, to, p, offset};
}

/* Who wrote right behind whom. */
static void add_writes(struct graph *g, const struct check *c)
{
	for (const struct history_partition *p = c->history->partitions; p; p = p->next) {
		int32_t last = -1;

		for (size_t i = 0; scope_has(c->scope.topic, p->topic) && i < p->records_count;
		     i++) {
			int32_t writer = writer_of(g, p, &p->records[i]);

			add_edge(g, last, writer, p, p->records[i].offset);
			last = writer >= 0 ? writer : last;
		}
	}
}

/* Who read what whom wrote, in a transaction of its own. */
static void add_reads(struct graph *g, const struct check *c)
{
	for (int32_t i = 0; i < g->spans_count; i++) {
		const struct history_subject *s = g->spans[i].subject;

		for (size_t n = 0; n < s->reads_count; n++) {
			const struct history_read *r = &s->reads[n];
			const struct history_partition *p =
				history_partition(c->history, r->topic, r->partition);
			const struct history_record *record =
				p ? history_record(p, r->offset) : NULL;

			if (record && (size_t)r->txn < s->txns_count &&
			    s->txns[r->txn] == TXN_COMMITTED)
				add_edge(g, writer_of(g, p, record), g->spans[i].first + r->txn, p,
					 r->offset);
		}
	}
}

static int by_from(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	return x->from < y->from ? -1 : x->from > y->from;
}

/* Takes away, again and again, what nothing leads to: what is left lies on a cycle or behind one.
 * Returns how many transactions that are. */
static int32_t left_over(struct graph *g, int32_t *into, bool *gone)
{
	int32_t *queue = zeroed((size_t)g->nodes, sizeof(*queue));
	size_t *at = zeroed((size_t)g->nodes + 1, sizeof(*at));
	int32_t head = 0, tail = 0;

	if (g->count)
		qsort(g->edges, g->count, sizeof(*g->edges), by_from);
	for (size_t i = 0; i < g->count; i++) {
		into[g->edges[i].to]++;
		at[g->edges[i].from + 1] = i + 1;
	}
	for (int32_t n = 0; n < g->nodes; n++) {
		at[n + 1] = at[n + 1] ? at[n + 1] : at[n];
		if (!into[n])
			queue[tail++] = n;
	}
	while (head < tail) {
		int32_t n = queue[head++];

		gone[n] = true;
		for (size_t i = at[n]; i < at[n + 1]; i++)
			if (!--into[g->edges[i].to])
				queue[tail++] = g->edges[i].to;
	}
	free(queue);
	free(at);
	return g->nodes - tail;
}

static struct str node_text(const struct graph *g, struct arena *arena, int32_t node)
{
	int32_t i = g->spans_count - 1;

	while (i > 0 && g->spans[i].first > node)
		i--;
	return str_of(arena_printf(arena, STR_FMT "'s transaction %d",
				   STR_ARG(g->spans[i].subject->name),
				   node - g->spans[i].first + 1));
}

static void end_cycles(struct check *c, struct finding *f, bool reads)
{
	struct graph g;
	int32_t *into, left;
	bool *gone;

	graph_init(&g, c);
	add_writes(&g, c);
	if (reads)
		add_reads(&g, c);
	into = zeroed((size_t)g.nodes, sizeof(*into));
	gone = zeroed((size_t)g.nodes, sizeof(*gone));
	left = left_over(&g, into, gone);
	f->judged = g.count;
	if (g.full)
		finding_set(f, FINDING_INCONCLUSIVE, "more was written in transactions than fits");
	else if (!g.count)
		finding_set(f, FINDING_NOT_APPLICABLE, "no two transactions met in a partition");
	else if (!left)
		finding_set(f, FINDING_PASS, "%zu times one transaction came after another",
			    g.count);
	for (size_t i = 0; left && !g.full && i < g.count; i++) {
		struct str from, to;

		if (gone[g.edges[i].from] || gone[g.edges[i].to] || !into[g.edges[i].from])
			continue;
		from = node_text(&g, f->arena, g.edges[i].from);
		to = node_text(&g, f->arena, g.edges[i].to);
		finding_set(f, FINDING_FAIL,
			    "%d transactions lie on cycles; among them " STR_FMT
			    " comes after " STR_FMT " at " STR_FMT
			    "-%d offset %lld, and elsewhere before it",
			    left, STR_ARG(to), STR_ARG(from), STR_ARG(g.edges[i].partition->topic),
			    g.edges[i].partition->partition, (long long)g.edges[i].offset);
		break;
	}
	free(into);
	free(gone);
	graph_release(&g);
}

static void end_write_cycles(struct check *c, struct finding *f)
{
	end_cycles(c, f, false);
}

static void end_read_cycles(struct check *c, struct finding *f)
{
	end_cycles(c, f, true);
}

const struct check_type check_write_cycles = {
	.name = "txn.no_write_cycle",
	.claim = "no transactions wrote before each other in one partition and behind each other "
		 "in another (G0; Kafka does not promise it)",
	.see = "Jepsen's Kafka workload",
	.needs = NEEDS_LOG | NEEDS_REPORTS,
	.args = {ARG_CLIENT, ARG_TOPIC},
	.end = end_write_cycles,
};

const struct check_type check_read_cycles = {
	.name = "txn.no_read_cycle",
	.claim = "no cycle of transactions that wrote behind or read from each other (G1c; Kafka "
		 "does not promise it)",
	.see = "Jepsen's Kafka workload",
	.needs = NEEDS_LOG | NEEDS_REPORTS,
	.args = {ARG_CLIENT, ARG_TOPIC},
	.end = end_read_cycles,
};

/* ---- inside one transaction ---- */

/* A transaction in a partition: where its records lie, and its last send in the order of numbers.
 */
struct inside {
	struct {
		const struct history_partition *partition;
		int64_t txn;
	} key;
	int64_t last, number, number_offset; /* last: -1 before the first record */
	UT_hash_handle hh;
};

static struct inside *inside_of(struct inside **all, struct finding *f,
				const struct history_partition *p, int32_t txn)
{
	struct inside like, *in;

	memset(&like, 0, sizeof(like));
	like.key.partition = p;
	like.key.txn = txn;
	HASH_FIND(hh, *all, &like.key, sizeof(like.key), in);
	if (in || !(in = arena_zalloc(f->arena, sizeof(*in))))
		return in;
	in->key = like.key;
	in->number = in->last = -1;
	HASH_ADD(hh, *all, key, sizeof(in->key), in);
	return in;
}

/* Records in the order of their offsets: numbers must rise inside a transaction. */
static void judge_order(struct finding *f, const struct history_subject *s, struct inside *in,
			const struct history_send *send, int64_t offset, uint64_t *wrong)
{
	f->judged++;
	if (send->number >= in->number || (*wrong)++) {
		in->number = send->number;
		in->number_offset = offset;
		return;
	}
	finding_moment(f, send->attempt_us, STR_FMT " sends value " STR_FMT " in transaction %d",
		       STR_ARG(s->name), STR_ARG(send->value), send->txn + 1);
	finding_set(f, FINDING_FAIL,
		    "in transaction %d of " STR_FMT " value " STR_FMT " is at " STR_FMT
		    "-%d offset %lld, behind a later one at %lld",
		    send->txn + 1, STR_ARG(s->name), STR_ARG(send->value),
		    STR_ARG(in->key.partition->topic), in->key.partition->partition,
		    (long long)offset, (long long)in->number_offset);
}

static void judge_alone(struct finding *f, const struct history_subject *s, struct inside *in,
			int64_t offset, uint64_t *wrong)
{
	const struct history_partition *p = in->key.partition;
	size_t at;

	for (at = history_record_from(p, in->last + 1);
	     in->last >= 0 && at < p->records_count && p->records[at].offset < offset; at++)
		if (!p->records[at].control && !(*wrong)++)
			finding_set(f, FINDING_FAIL,
				    STR_FMT
				    "-%d offset %lld (" STR_FMT
				    ") lies between records of transaction %lld of " STR_FMT,
				    STR_ARG(p->topic), p->partition,
				    (long long)p->records[at].offset, STR_ARG(p->records[at].value),
				    (long long)in->key.txn + 1, STR_ARG(s->name));
}

static void judge_inside(const struct check *c, struct finding *f, struct history_subject *s,
			 bool alone, uint64_t *wrong)
{
	struct inside *all = NULL, *in;

	for (const struct history_partition *p = c->history->partitions; p; p = p->next)
		for (size_t i = 0; scope_has(c->scope.topic, p->topic) && i < p->records_count;
		     i++) {
			const struct history_record *r = &p->records[i];
			const struct history_send *send =
				r->control ? NULL : history_send(s, p->topic, r->value);

			/* What was aborted may be sent again, in a later one. */
			if (!send || send->txn < 0 ||
			    (r->txn != TXN_OPEN && r->txn != TXN_COMMITTED) ||
			    !(in = inside_of(&all, f, p, send->txn)))
				continue;
			if (alone) {
				f->judged++;
				judge_alone(f, s, in, r->offset, wrong);
			} else {
				judge_order(f, s, in, send, r->offset, wrong);
			}
			in->last = r->offset;
		}
	HASH_CLEAR(hh, all);
}

static void end_inside(struct check *c, struct finding *f, bool alone)
{
	uint64_t wrong = 0;

	for (struct history_subject *s = scope_subject(c, NULL); s; s = scope_subject(c, s))
		judge_inside(c, f, s, alone, &wrong);
	if (!f->judged)
		finding_set(f, FINDING_NOT_APPLICABLE,
			    "the log holds nothing that a subject sent in a transaction");
	else if (!wrong)
		finding_set(f, FINDING_PASS, "%llu records", (unsigned long long)f->judged);
}

static void end_txn_order(struct check *c, struct finding *f)
{
	end_inside(c, f, false);
}

static void end_txn_alone(struct check *c, struct finding *f)
{
	end_inside(c, f, true);
}

const struct check_type check_txn_order = {
	.name = "txn.order",
	.claim = "inside a transaction a partition holds the values in the order of sending "
		 "(int-nonmonotonic-send)",
	.see = "KIP-98; Jepsen's Kafka workload",
	.needs = NEEDS_LOG | NEEDS_REPORTS,
	.args = {ARG_CLIENT, ARG_TOPIC},
	.end = end_txn_order,
};

const struct check_type check_txn_alone = {
	.name = "txn.alone",
	.claim = "no foreign record lies between those of a transaction (int-send-skip; Kafka does "
		 "not promise it)",
	.see = "Jepsen's Kafka workload",
	.needs = NEEDS_LOG | NEEDS_REPORTS,
	.args = {ARG_CLIENT, ARG_TOPIC},
	.end = end_txn_alone,
};
