/* Rows in a hash by their keys' texts, and what is known of each open connection. Owns both.
 *
 * Invariants: at most STATS_ROWS_MAX rows and the one for all others; a connection's facts go when
 * it ends. Fetches that waited for data, and exchanges during which TCP sent bytes again, have rows
 * of their own, as their time is the client's wish and the network's doing. */
#include "decoder/stats.h"

#include "decoder/histogram.h"
#include "decoder/text.h"
#include "protocol/kafka_error.h"
#include "protocol/messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>
#include <utlist.h>

#define KEY_MAX	   320	  /* characters of a row's keys */
#define COLUMN_MAX 60	  /* characters of one of them */
#define ERRORS_MAX 24	  /* different ones of a row */
#define FACTS_MAX  20000  /* connections whose client is remembered */
#define WAITED_US  100000 /* a fetch that took longer than half its wish, or than this, waited */

const char *const stats_key_names[STATS_KEYS] = {"api",	     "version",	  "topic",  "partition",
						 "client",   "src",	  "broker", "group",
						 "software", "principal", "conn"};

struct row_error {
	int16_t code;
	uint64_t count;
};

struct row {
	uint64_t count, unanswered, no_answer, request_bytes, response_bytes, record_bytes;
	uint64_t throttled, in_flight;
	int64_t throttle_ms; /* the greatest */
	struct histogram sending, wait, receiving;
	struct row_error *errors; /* ERRORS_MAX of them; NULL: none yet */
	int32_t errors_count;
	UT_hash_handle hh;
	char key[]; /* columns, each behind a tab but the first */
};

/* What a row takes with its histograms, about. */
#define ROW_SIZE (sizeof(struct row) + 12 * sizeof(uint32_t[HISTOGRAM_STEPS]) + ROOM_OVERHEAD)

struct facts {
	int64_t conn;
	char software[100], principal[100];
	UT_hash_handle hh;
};

/* Conversations with one server that are in TLS. */
struct tls_row {
	struct endpoint server;
	uint64_t conns;
	struct event_tls sum;
	UT_hash_handle hh;
};

struct stats {
	struct stats_options options;
	struct tls_row *tls;
	struct room *room;
	struct row *rows;
	struct row *others;
	struct facts *facts;
	struct buf column; /* of the key that is put together */
	uint64_t exchanges, conns;
	int64_t first_us, last_us;
};

struct stats *stats_new(const struct stats_options *options, struct room *room)
{
	struct stats *st = calloc(1, sizeof(*st));

	if (!st)
		abort();
	st->room = room;
	buf_init(&st->column, COLUMN_MAX * 8);
	if (options)
		st->options = *options;
	if (!st->options.by_count) {
		st->options.by_count = 1;
		st->options.by[0] = STATS_BY_API;
	}
	return st;
}

static void row_free(struct row *r)
{
	if (!r)
		return;
	histogram_release(&r->sending);
	histogram_release(&r->wait);
	histogram_release(&r->receiving);
	free(r->errors);
	free(r);
}

void stats_free(struct stats *st)
{
	struct row *r, *next_row;
	struct facts *f, *next;
	struct tls_row *t, *next_tls;

	if (!st)
		return;
	HASH_ITER (hh, st->rows, r, next_row) {
		HASH_DELETE(hh, st->rows, r);
		room_give(st->room, ROW_SIZE + strlen(r->key));
		row_free(r);
	}
	row_free(st->others);
	HASH_ITER (hh, st->facts, f, next) {
		HASH_DELETE(hh, st->facts, f);
		room_give(st->room, sizeof(*f) + ROOM_OVERHEAD);
		free(f);
	}
	HASH_ITER (hh, st->tls, t, next_tls) {
		HASH_DELETE(hh, st->tls, t);
		room_give(st->room, sizeof(*t) + ROOM_OVERHEAD);
		free(t);
	}
	buf_release(&st->column);
	free(st);
}

/* ---- who is at a connection's other end ---- */

static struct facts *facts_of(struct stats *st, int64_t conn, bool make)
{
	struct facts *f;

	HASH_FIND(hh, st->facts, &conn, sizeof(conn), f);
	if (f || !make || HASH_COUNT(st->facts) >= FACTS_MAX ||
	    !room_take(st->room, sizeof(*f) + ROOM_OVERHEAD))
		return f;
	f = calloc(1, sizeof(*f));
	if (!f)
		abort();
	f->conn = conn;
	HASH_ADD(hh, st->facts, conn, sizeof(f->conn), f);
	return f;
}

/* PLAIN: authorization id, NUL, user, NUL, password. SCRAM: "n,,n=user,r=nonce". */
static struct str principal_of(struct bytes token)
{
	const char *at = (const char *)token.data, *end = at + token.len, *from, *stop;

	from = memchr(at, 0, (size_t)token.len);
	if (from) {
		stop = memchr(from + 1, 0, (size_t)(end - from - 1));
		if (stop)
			return (struct str){from + 1, (int32_t)(stop - from - 1)};
	}
	from = memmem(at, (size_t)token.len, ",n=", 3);
	stop = from ? memchr(from + 3, ',', (size_t)(end - from - 3)) : NULL;
	return stop ? (struct str){from + 3, (int32_t)(stop - from - 3)} : (struct str){NULL, 0};
}

void stats_learn(struct stats *st, struct exchange *x)
{
	const struct api_versions_request *v;
	const struct sasl_authenticate_request *a;
	struct facts *f;
	char text[400];
	struct str user;

	if (x->header.api_key == API_API_VERSIONS && x->header.api_version >= 3) {
		v = exchange_request(x);
		f = v ? facts_of(st, x->conn.conn, true) : NULL;
		if (!f)
			return;
		snprintf(text, sizeof(text), STR_FMT "/" STR_FMT, STR_ARG(v->client_software_name),
			 STR_ARG(v->client_software_version));
		text_copy(f->software, sizeof(f->software), str_of(text));
	} else if (x->header.api_key == API_SASL_AUTHENTICATE) {
		a = exchange_request(x);
		user = a && a->auth_bytes.data ? principal_of(a->auth_bytes)
					       : (struct str){NULL, 0};
		f = user.data ? facts_of(st, x->conn.conn, true) : NULL;
		if (f)
			text_copy(f->principal, sizeof(f->principal), user);
	}
}

static void count_tls(struct stats *st, const struct event_tls *tls)
{
	struct endpoint server;
	struct tls_row *t;

	memset(&server, 0, sizeof(server)); /* it is hashed with its padding */
	server.family = tls->conn.server.family;
	server.port = tls->conn.server.port;
	memcpy(server.addr, tls->conn.server.addr, sizeof(server.addr));
	HASH_FIND(hh, st->tls, &server, sizeof(server), t);
	if (!t && !room_take(st->room, sizeof(*t) + ROOM_OVERHEAD))
		return;
	if (!t) {
		t = calloc(1, sizeof(*t));
		if (!t)
			abort();
		memcpy(&t->server, &server, sizeof(server));
		HASH_ADD(hh, st->tls, server, sizeof(t->server), t);
	}
	t->conns++;
	t->sum.asked += tls->asked;
	t->sum.answered += tls->answered;
	t->sum.round_trips += tls->round_trips;
	t->sum.wait_us += tls->wait_us;
	if (tls->wait_max_us > t->sum.wait_max_us)
		t->sum.wait_max_us = tls->wait_max_us;
}

void stats_event(struct stats *st, const struct event *ev)
{
	struct facts *f;

	if (ev->kind == EVENT_TLS)
		count_tls(st, &ev->tls);
	if (ev->kind == EVENT_CONN_OPENED)
		st->conns++;
	if (ev->kind != EVENT_CONN_CLOSED)
		return;
	f = facts_of(st, ev->conn.conn, false);
	if (!f)
		return;
	HASH_DELETE(hh, st->facts, f);
	room_give(st->room, sizeof(*f) + ROOM_OVERHEAD);
	free(f);
}

/* ---- rows ---- */

static struct row *row_new(const char *key, size_t len)
{
	struct row *r = calloc(1, sizeof(*r) + len + 1);

	if (!r)
		abort();
	memcpy(r->key, key, len);
	return r;
}

static struct row *row_of(struct stats *st, const char *key)
{
	size_t len = strlen(key);
	struct row *r;

	HASH_FIND(hh, st->rows, key, len, r);
	if (r)
		return r;
	if (HASH_COUNT(st->rows) >= STATS_ROWS_MAX || !room_take(st->room, ROW_SIZE + len)) {
		if (!st->others)
			st->others = row_new("(others)", 8);
		return st->others;
	}
	r = row_new(key, len);
	HASH_ADD_KEYPTR(hh, st->rows, r->key, len, r);
	return r;
}

static void count_code(struct row *r, int16_t code)
{
	int32_t i = 0;

	while (i < r->errors_count && r->errors[i].code != code)
		i++;
	if (i == ERRORS_MAX)
		return;
	if (!r->errors)
		r->errors = calloc(ERRORS_MAX, sizeof(*r->errors));
	if (!r->errors)
		abort();
	if (i == r->errors_count)
		r->errors[r->errors_count++].code = code;
	r->errors[i].count++;
}

/* What a row is about, of an exchange's topics and partitions; -1: no matter which. */
struct about {
	int32_t topic, partition;
};

static bool concerns(const struct about *a, const struct summary_partition *p)
{
	return p->topic == a->topic && (a->partition < 0 || p->partition == a->partition);
}

/* Errors of the whole exchange, or of the partitions that the row is about; each code once. */
static void count_errors(struct row *r, const struct summary *s, const struct about *a)
{
	bool some = a->topic >= 0 && s->partitions_count[1];

	for (int32_t i = 0; i < s->errors_count; i++) {
		bool here = !some;

		for (int32_t k = 0; some && !here && k < s->partitions_count[1]; k++)
			here = s->partitions[1][k].error == s->errors[i] &&
			       concerns(a, &s->partitions[1][k]);
		if (here)
			count_code(r, s->errors[i]);
	}
}

static void count(struct row *r, const struct exchange *x, const struct summary *s,
		  const struct about *a)
{
	r->count++;
	r->unanswered += x->state == EXCHANGE_LOST;
	r->no_answer += x->state == EXCHANGE_NO_ANSWER;
	r->request_bytes += x->request_us ? x->request_size : 0;
	r->response_bytes += x->response_us ? x->response_size : 0;
	r->record_bytes += (uint64_t)x->request_left_out + x->response_left_out;
	if (x->in_flight > r->in_flight)
		r->in_flight = x->in_flight;
	if (s->throttle_ms > 0) {
		r->throttled++;
		if (s->throttle_ms > r->throttle_ms)
			r->throttle_ms = s->throttle_ms;
	}
	if (x->request_us)
		histogram_add(&r->sending, x->request_us - x->request_first_us);
	if (x->request_us && x->response_us) {
		histogram_add(&r->wait, x->response_first_us - x->request_us);
		histogram_add(&r->receiving, x->response_us - x->response_first_us);
	}
	count_errors(r, s, a);
}

/* A fetch that may wait, and did: it brought less than it asked for, or took long. */
static bool waited(struct exchange *x)
{
	const struct fetch_request *f;
	const struct share_fetch_request *sf;
	int64_t wait = x->response_first_us - x->request_us, wish;
	int32_t min_bytes;

	if ((x->header.api_key != API_FETCH && x->header.api_key != API_SHARE_FETCH) ||
	    x->state != EXCHANGE_ANSWERED)
		return false;
	if (x->header.api_key == API_FETCH) {
		f = exchange_request(x);
		wish = f ? (int64_t)f->max_wait_ms * 1000 : 0;
		min_bytes = f ? f->min_bytes : 0;
	} else {
		sf = exchange_request(x);
		wish = sf ? (int64_t)sf->max_wait_ms * 1000 : 0;
		min_bytes = sf ? sf->min_bytes : 0;
	}
	return wish > 0 && min_bytes > 0 && wait > (wish / 2 < WAITED_US ? wish / 2 : WAITED_US);
}

/* What stands in rows of its own, because its times are not the broker's doing. */
static const char *kind_of(struct exchange *x)
{
	return x->resent ? " (resent)" : waited(x) ? " (waits)" : NULL;
}

/* ---- keys ---- */

struct rowing {
	struct stats *st;
	struct exchange *x;
	const struct summary *s;
	struct about about;
	const char *kind; /* NULL: as all are */
	char key[KEY_MAX];
};

static void next_key(struct rowing *w, size_t at, size_t len);

/* Appends a column's text and goes on. */
static void with_text(struct rowing *w, size_t at, size_t len, struct str text)
{
	struct buf *b = &w->st->column;
	size_t room = sizeof(w->key) - 1 - len, n;

	buf_reset(b);
	if (at)
		buf_byte(b, '\t');
	if (text.data && text.len)
		text_put(b, text, COLUMN_MAX);
	else
		buf_byte(b, '-');
	n = b->len < room ? b->len : room;
	memcpy(w->key + len, b->data, n);
	w->key[len + n] = '\0';
	next_key(w, at + 1, len + n);
}

static void with_api(struct rowing *w, size_t at, size_t len, bool version)
{
	const char *name = api_name(w->x->header.api_key);
	char text[80], number[24];

	if (w->x->state == EXCHANGE_ORPHAN) {
		with_text(w, at, len, str_of("(orphan)"));
		return;
	}
	if (!name) {
		snprintf(number, sizeof(number), "%d", w->x->header.api_key);
		name = number;
	}
	if (version) {
		snprintf(text, sizeof(text), "%s_v%d", name, w->x->header.api_version);
		name = text;
	}
	with_text(w, at, len, str_of(name));
}

static void with_topics(struct rowing *w, size_t at, size_t len)
{
	struct about before = w->about;

	if (!w->s->topics_count)
		with_text(w, at, len, (struct str){NULL, 0});
	for (int32_t i = 0; i < w->s->topics_count; i++) {
		w->about = (struct about){i, -1};
		with_text(w, at, len, w->s->topics[i]);
	}
	w->about = before;
}

static void with_partitions(struct rowing *w, size_t at, size_t len)
{
	int d = w->s->partitions_count[1] > 0;
	struct about before = w->about;
	char text[300];

	if (!w->s->partitions_count[d])
		with_text(w, at, len, (struct str){NULL, 0});
	for (int32_t i = 0; i < w->s->partitions_count[d]; i++) {
		const struct summary_partition *p = &w->s->partitions[d][i];

		w->about = (struct about){p->topic, p->partition};
		snprintf(text, sizeof(text), STR_FMT "-%d",
			 p->topic >= 0 ? (int)w->s->topics[p->topic].len : 1,
			 p->topic >= 0 ? w->s->topics[p->topic].data : "?", p->partition);
		with_text(w, at, len, str_of(text));
	}
	w->about = before;
}

static struct str host_of(const struct endpoint *e, char text[ENDPOINT_TEXT_SIZE])
{
	struct str s;

	endpoint_text(e, text);
	s = str_of(text);
	while (s.len && s.data[--s.len] != ':')
		;
	return s;
}

static void with_fact(struct rowing *w, size_t at, size_t len, bool software)
{
	const struct facts *f = facts_of(w->st, w->x->conn.conn, false);

	with_text(w, at, len, str_of(!f ? NULL : software ? f->software : f->principal));
}

static void with_conn(struct rowing *w, size_t at, size_t len, enum stats_key key)
{
	char text[ENDPOINT_TEXT_SIZE];

	if (key == STATS_BY_SRC) {
		with_text(w, at, len, host_of(&w->x->conn.client, text));
		return;
	}
	if (key == STATS_BY_CONN)
		snprintf(text, sizeof(text), "%lld", (long long)w->x->conn.conn);
	else if (w->x->conn.broker >= 0)
		snprintf(text, sizeof(text), "%d", w->x->conn.broker);
	else
		endpoint_text(&w->x->conn.server, text);
	with_text(w, at, len, str_of(text));
}

static void next_key(struct rowing *w, size_t at, size_t len)
{
	enum stats_key key;

	if (at == w->st->options.by_count) {
		if (w->kind)
			snprintf(w->key + len, sizeof(w->key) - len, "\n%s", w->kind);
		count(row_of(w->st, w->key), w->x, w->s, &w->about);
		return;
	}
	key = w->st->options.by[at];
	switch (key) {
	case STATS_BY_API:
	case STATS_BY_VERSION:
		with_api(w, at, len, key == STATS_BY_VERSION);
		break;
	case STATS_BY_TOPIC:
		with_topics(w, at, len);
		break;
	case STATS_BY_PARTITION:
		with_partitions(w, at, len);
		break;
	case STATS_BY_CLIENT:
		with_text(w, at, len, w->x->header.client_id);
		break;
	case STATS_BY_GROUP:
		with_text(w, at, len, w->s->group);
		break;
	case STATS_BY_SOFTWARE:
	case STATS_BY_PRINCIPAL:
		with_fact(w, at, len, key == STATS_BY_SOFTWARE);
		break;
	default:
		with_conn(w, at, len, key);
	}
}

void stats_exchange(struct stats *st, struct exchange *x, const struct summary *s)
{
	struct rowing w = {.st = st, .x = x, .s = s, .about = {-1, -1}, .kind = kind_of(x)};
	int64_t from = x->request_us ? x->request_first_us : x->response_first_us;
	int64_t to = x->response_us ? x->response_us : x->request_us;

	if (!st->exchanges++)
		st->first_us = from;
	st->first_us = from < st->first_us ? from : st->first_us;
	st->last_us = to > st->last_us ? to : st->last_us;
	next_key(&w, 0, 0);
}

/* ---- the table ---- */

static int by_count(const void *a, const void *b)
{
	const struct row *const *x = a, *const *y = b;

	if ((*x)->count != (*y)->count)
		return (*x)->count < (*y)->count ? 1 : -1;
	return strcmp((*x)->key, (*y)->key);
}

static void put_us(struct buf *out, int64_t us)
{
	char text[24];

	if (us < 1000)
		snprintf(text, sizeof(text), "%lldus", (long long)us);
	else if (us < 1000000)
		snprintf(text, sizeof(text), us < 10000 ? "%.2fms" : "%.1fms", (double)us / 1000);
	else
		snprintf(text, sizeof(text), "%.2fs", (double)us / 1000000);
	buf_printf(out, "%8s", text);
}

static void put_size(struct buf *out, uint64_t n)
{
	static const char units[] = " KMGTP";
	double v = (double)n;
	int unit = 0;

	for (; v >= 1024 && unit < 5; unit++)
		v /= 1024;
	if (unit)
		buf_printf(out, "%7.1f%c", v, units[unit]);
	else
		buf_printf(out, "%8.0f", v);
}

static void put_durations(struct buf *out, const struct histogram *h)
{
	static const double percents[] = {50, 99};

	if (!h->count) {
		buf_printf(out, " |%8s%8s%8s", "-", "-", "-");
		return;
	}
	buf_text(out, " |");
	for (int i = 0; i < 2; i++)
		put_us(out, histogram_percentile(h, percents[i]));
	put_us(out, h->greatest);
}

/* The i-th column of a row's key; its kind stands behind the first. */
static struct str column(const struct row *r, size_t i)
{
	const char *at = r->key;

	while (i-- && (at = strchr(at, '\t')))
		at++;
	return at ? (struct str){at, (int32_t)strcspn(at, "\t\n")} : (struct str){"", 0};
}

static const char *row_kind(const struct row *r)
{
	const char *at = strchr(r->key, '\n');

	return at ? at + 1 : "";
}

static size_t width_of(struct stats *st, struct row *const *rows, size_t n, size_t i)
{
	size_t width = strlen(stats_key_names[st->options.by[i]]), w;

	for (size_t k = 0; k < n; k++) {
		w = (size_t)column(rows[k], i).len + (i ? 0 : strlen(row_kind(rows[k])));
		width = w > width ? w : width;
	}
	return width;
}

static void put_row(struct stats *st, struct buf *out, const struct row *r, const size_t *widths)
{
	size_t from;

	for (size_t i = 0; i < st->options.by_count; i++) {
		from = out->len;
		buf_printf(out, STR_FMT "%s", STR_ARG(column(r, i)), i ? "" : row_kind(r));
		buf_printf(out, "%*s", (int)(widths[i] - (out->len - from)) + 2, "");
	}
	buf_printf(out, "%8llu", (unsigned long long)r->count);
	put_size(out, r->request_bytes);
	buf_byte(out, ' ');
	put_size(out, r->response_bytes);
	put_durations(out, &r->sending);
	put_durations(out, &r->wait);
	put_durations(out, &r->receiving);
	buf_printf(out, " |%7llu", (unsigned long long)r->in_flight);
	if (r->unanswered)
		buf_printf(out, " unanswered=%llu", (unsigned long long)r->unanswered);
	if (r->no_answer)
		buf_printf(out, " acks0=%llu", (unsigned long long)r->no_answer);
	if (r->throttled)
		buf_printf(out, " throttled=%llu,max=%lldms", (unsigned long long)r->throttled,
			   (long long)r->throttle_ms);
	for (int32_t i = 0; i < r->errors_count; i++) {
		const char *name = kafka_error_name(r->errors[i].code);

		buf_printf(out, " %s=%llu", name ? name : "?",
			   (unsigned long long)r->errors[i].count);
	}
	buf_byte(out, '\n');
}

static void put_head(struct stats *st, struct buf *out, const size_t *widths)
{
	size_t all = 0;

	for (size_t i = 0; i < st->options.by_count; i++)
		all += widths[i] + 2;
	buf_printf(out, "%*s |%-24s |%-24s |%-24s |%7s\n", (int)all + 25, "", " request (sending)",
		   " wait (broker)", " response (receiving)", "in");
	for (size_t i = 0; i < st->options.by_count; i++)
		buf_printf(out, "%-*s", (int)widths[i] + 2, stats_key_names[st->options.by[i]]);
	buf_printf(out, "%8s%8s%9s", "count", "asked", "answered");
	for (int i = 0; i < 3; i++)
		buf_printf(out, " |%8s%8s%8s", "p50", "p99", "max");
	buf_printf(out, " |%7s\n", "flight");
}

static int by_bytes(const struct tls_row *a, const struct tls_row *b)
{
	uint64_t x = a->sum.asked + a->sum.answered, y = b->sum.asked + b->sum.answered;

	return (x < y) - (x > y);
}

/* What can be said of conversations in TLS, by server. */
static void put_tls(struct stats *st, struct buf *out)
{
	char text[ENDPOINT_TEXT_SIZE];

	if (!st->tls)
		return;
	HASH_SORT(st->tls, by_bytes);
	buf_printf(out, "\n%-24s%11s%13s%9s%9s |%8s%8s\n", "TLS, not decrypted", "connections",
		   "round trips", "asked", "answered", "wait", "max");
	for (const struct tls_row *t = st->tls; t; t = t->hh.next) {
		endpoint_text(&t->server, text);
		buf_printf(out, "%-24s%11llu%13llu ", text, (unsigned long long)t->conns,
			   (unsigned long long)t->sum.round_trips);
		put_size(out, t->sum.asked);
		buf_byte(out, ' ');
		put_size(out, t->sum.answered);
		buf_text(out, " |");
		put_us(out, t->sum.round_trips ? t->sum.wait_us / (int64_t)t->sum.round_trips : 0);
		put_us(out, t->sum.wait_max_us);
		buf_byte(out, '\n');
	}
}

void stats_write(struct stats *st, struct buf *out)
{
	size_t n = HASH_COUNT(st->rows), shown, widths[STATS_KEYS_MAX], i = 0;
	struct row **rows = calloc(n + 1, sizeof(struct row *)), *r;

	if (!rows)
		abort();
	for (r = st->rows; r; r = r->hh.next)
		rows[i++] = r;
	qsort(rows, n, sizeof(*rows), by_count);
	shown = st->options.top && (size_t)st->options.top < n ? (size_t)st->options.top : n;
	for (i = 0; i < st->options.by_count; i++)
		widths[i] = width_of(st, rows, shown, i);
	put_head(st, out, widths);
	for (i = 0; i < shown; i++)
		put_row(st, out, rows[i], widths);
	if (shown < n)
		buf_printf(out, "(%zu more rows)\n", n - shown);
	if (st->others) {
		widths[0] = widths[0] > 8 ? widths[0] : 8;
		put_row(st, out, st->others, widths);
	}
	buf_printf(out, "%llu exchanges, %llu connections, %.3f s\n",
		   (unsigned long long)st->exchanges, (unsigned long long)st->conns,
		   (double)(st->last_us - st->first_us) / 1e6);
	put_tls(st, out);
	free(rows);
}
