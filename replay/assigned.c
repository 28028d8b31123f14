/* Assignments as texts: sorted lines of a topic and a partition. The live ones are kept by member;
 * the recorded ones are read out of the session when they are asked for. */
#include "replay/assigned.h"

#include "base/buf.h"
#include "protocol/messages.h"

#include <stdlib.h>
#include <uthash.h>

#define TEXT_MAX ((size_t)16 << 20)

struct member {
	char *id;      /* recorded */
	char *text;    /* its live assignment; NULL: none was told */
	int32_t epoch; /* live */
	UT_hash_handle hh;
};

struct assigned {
	const struct session *session;
	struct variables *v;
	struct member *members;
};

/* Lines while they are gathered. */
struct gathering {
	const struct variables *v;
	enum side side;
	char **lines;
	size_t count, cap;
};

struct assigned *assigned_new(const struct session *s, struct variables *v)
{
	struct assigned *a = calloc(1, sizeof(*a));

	if (!a)
		abort();
	a->session = s;
	a->v = v;
	return a;
}

void assigned_free(struct assigned *a)
{
	struct member *m, *next;

	if (!a)
		return;
	HASH_ITER (hh, a->members, m, next) {
		HASH_DELETE(hh, a->members, m);
		free(m->id);
		free(m->text);
		free(m);
	}
	free(a);
}

static void add_line(void *user, const struct leaf *l)
{
	struct gathering *g = user;
	struct str topic;
	struct buf b;

	if (!l->field || l->role != ROLE_PARTITION)
		return;
	if (g->count == g->cap) {
		g->cap = g->cap ? g->cap * 2 : 64;
		g->lines = realloc(g->lines, g->cap * sizeof(*g->lines));
		if (!g->lines)
			abort();
	}
	topic = variables_topic_around(g->v, g->side, l->in);
	buf_init(&b, 1 << 20);
	buf_printf(&b, STR_FMT " %lld\n", STR_ARG(topic), (long long)leaf_int(l->field, l->value));
	g->lines[g->count] = strdup(buf_cstr(&b));
	if (!g->lines[g->count++])
		abort();
	buf_release(&b);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The assignment of an answer, to be freed; NULL: it has none, or is no heartbeat's. */
static char *text_of(struct assigned *a, enum side side, int api_key, int version,
		     const void *response)
{
	const struct consumer_group_heartbeat_response *consumer = response;
	const struct share_group_heartbeat_response *share = response;
	struct gathering g = {.v = a->v, .side = side};
	struct buf out;
	char *text;

	if (!response)
		return NULL;
	if (api_key == API_CONSUMER_GROUP_HEARTBEAT && consumer->assignment)
		leaves_each(&consumer_group_heartbeat_response_assignment_schema, version,
			    consumer->assignment, add_line, &g);
	else if (api_key == API_SHARE_GROUP_HEARTBEAT && share->assignment)
		leaves_each(&share_group_heartbeat_response_assignment_schema, version,
			    share->assignment, add_line, &g);
	else
		return NULL;
	if (g.count)
		qsort(g.lines, g.count, sizeof(*g.lines), by_text);
	buf_init(&out, TEXT_MAX);
	for (size_t i = 0; i < g.count; i++) {
		buf_text(&out, g.lines[i]);
		free(g.lines[i]);
	}
	free(g.lines);
	text = strdup(buf_cstr(&out));
	buf_release(&out);
	return text;
}

static char *recorded_text(struct assigned *a, const struct session_exchange *x)
{
	return text_of(a, SIDE_RECORDED, x->header.api_key, x->response_version, x->response_body);
}

/* Of a heartbeat: the member's id, or that of its answer where the broker gave it one. */
static struct str member_of(const struct session_exchange *x)
{
	const struct consumer_group_heartbeat_request *consumer = x->request_body;
	const struct consumer_group_heartbeat_response *answer = x->response_body;
	const struct share_group_heartbeat_request *share = x->request_body;

	if (x->header.api_key == API_SHARE_GROUP_HEARTBEAT && share)
		return share->member_id;
	if (x->header.api_key != API_CONSUMER_GROUP_HEARTBEAT || !consumer)
		return (struct str){NULL, 0};
	return consumer->member_id.len || !answer ? consumer->member_id : answer->member_id;
}

static struct member *find(const struct assigned *a, struct str id)
{
	struct member *m = NULL;

	if (id.len > 0)
		HASH_FIND(hh, a->members, id.data, (size_t)id.len, m);
	return m;
}

static struct member *find_or_add(struct assigned *a, struct str id)
{
	struct member *m = find(a, id);

	if (m || id.len <= 0)
		return m;
	m = calloc(1, sizeof(*m));
	if (!m)
		abort();
	m->id = str_copy(id);
	HASH_ADD_KEYPTR(hh, a->members, m->id, (size_t)id.len, m);
	return m;
}

static int32_t epoch_of(int api_key, const void *response)
{
	const struct consumer_group_heartbeat_response *consumer = response;
	const struct share_group_heartbeat_response *share = response;

	if (api_key == API_SHARE_GROUP_HEARTBEAT)
		return share->error_code ? 0 : share->member_epoch;
	return consumer->error_code ? 0 : consumer->member_epoch;
}

void assigned_take(struct assigned *a, const struct session_exchange *x, int version,
		   const void *live)
{
	struct member *m = find_or_add(a, member_of(x));
	char *text;

	if (!m)
		return;
	if (epoch_of(x->header.api_key, live) > 0)
		m->epoch = epoch_of(x->header.api_key, live);
	text = text_of(a, SIDE_LIVE, x->header.api_key, version, live);
	if (!text)
		return;
	free(m->text);
	m->text = text;
}

int32_t assigned_epoch(const struct assigned *a, const struct session_exchange *x)
{
	struct member *m = find(a, member_of(x));

	return m ? m->epoch : 0;
}

/* The next exchange from an index on, or downwards to it, that told the member an assignment. */
static const struct session_exchange *telling(struct assigned *a, struct str id, size_t from,
					      bool down)
{
	const struct session *s = a->session;

	for (size_t i = from; i < s->exchanges_count; i += down ? SIZE_MAX : 1) {
		const struct session_exchange *x = s->exchanges[i];
		const struct consumer_group_heartbeat_response *consumer = x->response_body;
		const struct share_group_heartbeat_response *share = x->response_body;

		if (!str_eq(member_of(x), id) || !x->response_body)
			continue;
		if (x->header.api_key == API_SHARE_GROUP_HEARTBEAT ? share->assignment != NULL
								   : consumer->assignment != NULL)
			return x;
	}
	return NULL;
}

static bool is_text(struct assigned *a, const struct session_exchange *x, const char *text)
{
	char *recorded = x ? recorded_text(a, x) : NULL;
	bool same = recorded && strcmp(recorded, text) == 0;

	free(recorded);
	return same;
}

bool assigned_agrees(struct assigned *a, const struct session_exchange *x)
{
	struct str id = member_of(x);
	struct member *m = find(a, id);
	const struct session_exchange *told, *before, *later;

	if (!m || !m->text)
		return false;
	told = telling(a, id, x->index, true);
	if (is_text(a, told, m->text))
		return true;
	before = told ? telling(a, id, told->index - 1, true) : NULL;
	if (is_text(a, before, m->text))
		return false; /* the live side is behind, not ahead */
	later = telling(a, id, x->index + 1, false);
	while (later && !is_text(a, later, m->text))
		later = telling(a, id, later->index + 1, false);
	return later != NULL;
}
