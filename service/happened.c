/* A ring of the last cluster events. Owns copies of their names and details. */
#include "service/happened.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	int64_t time_us;
	char *name, *detail;
};

struct happened {
	struct event_sink sink;
	struct entry ring[HAPPENED_MAX]; /* number n (from 1) at (n - 1) % HAPPENED_MAX */
	uint64_t total, gone;		 /* the first of them are not kept any more */
	size_t bytes;			 /* of those that are */
};

static size_t entry_size(const struct entry *e)
{
	return strlen(e->name) + strlen(e->detail);
}

static void drop_oldest(struct happened *h)
{
	struct entry *e = &h->ring[h->gone++ % HAPPENED_MAX];

	h->bytes -= entry_size(e);
	free(e->name);
	free(e->detail);
	*e = (struct entry){0};
}

static char *copy(struct str s, const char *otherwise)
{
	char *text = s.len ? strndup(s.data, (size_t)s.len) : strdup(otherwise);

	if (!text)
		abort();
	return text;
}

static void on_event(void *ctx, const struct event *ev)
{
	struct happened *h = ctx;
	struct entry *e;

	if (h->total - h->gone == HAPPENED_MAX)
		drop_oldest(h);
	e = &h->ring[h->total++ % HAPPENED_MAX];
	*e = (struct entry){ev->time_us, copy(ev->cluster.name, ""),
			    copy(ev->cluster.detail, "{}")};
	h->bytes += entry_size(e);
	while (h->bytes > HAPPENED_BYTES_MAX && h->total - h->gone > 1)
		drop_oldest(h);
}

struct happened *happened_new(void)
{
	struct happened *h = calloc(1, sizeof(*h));

	if (!h)
		abort();
	h->sink = (struct event_sink){
		.on_event = on_event, .ctx = h, .kinds = event_bit(EVENT_CLUSTER)};
	return h;
}

void happened_clear(struct happened *h)
{
	while (h->gone < h->total)
		drop_oldest(h);
	h->total = h->gone = 0;
}

void happened_free(struct happened *h)
{
	if (!h)
		return;
	happened_clear(h);
	free(h);
}

struct event_sink *happened_sink(struct happened *h)
{
	return &h->sink;
}

uint64_t happened_total(const struct happened *h)
{
	return h->total;
}

/* The next word of a match; false at its end. */
static bool next_word(struct str *rest, struct str *ret_word)
{
	int32_t n = 0;

	while (rest->len && *rest->data == ' ')
		*rest = (struct str){rest->data + 1, rest->len - 1};
	while (n < rest->len && rest->data[n] != ' ')
		n++;
	*ret_word = (struct str){rest->data, n};
	*rest = (struct str){rest->data + n, rest->len - n};
	return n > 0;
}

/* True if the detail has the field and this is its value, of a text without its quotes. */
static bool field_is(const json_t *detail, struct str word)
{
	const char *equals = memchr(word.data, '=', (size_t)word.len);
	struct str wanted;
	const json_t *v;
	char digits[32];

	if (!equals)
		return false;
	wanted = (struct str){equals + 1, (int32_t)(word.data + word.len - equals - 1)};
	v = json_object_getn(detail, word.data, (size_t)(equals - word.data));
	if (json_is_string(v))
		return str_is(wanted, json_string_value(v));
	if (json_is_boolean(v))
		return str_is(wanted, json_is_true(v) ? "true" : "false");
	snprintf(digits, sizeof(digits), "%lld", (long long)json_integer_value(v));
	return json_is_integer(v) && str_is(wanted, digits);
}

static bool matches(const struct entry *e, struct str match)
{
	struct str word;
	json_t *detail;
	bool fine = true;

	if (!next_word(&match, &word))
		return true;
	if (!str_is(word, e->name))
		return false;
	if (!next_word(&match, &word))
		return true;
	detail = json_loads(e->detail, 0, NULL);
	do
		fine = field_is(detail, word);
	while (fine && next_word(&match, &word));
	json_decref(detail);
	return fine;
}

static void put(struct json *j, uint64_t id, const struct entry *e)
{
	json_open(j, '{');
	json_key_int(j, "id", (int64_t)id);
	json_key_int(j, "timeUs", e->time_us);
	json_key_text(j, "name", e->name);
	json_key(j, "detail");
	json_raw(j, str_of(e->detail));
	json_close(j, '}');
}

int64_t happened_query(const struct happened *h, const struct happened_query *q, struct json *out)
{
	uint64_t from = q->since > h->gone ? q->since : h->gone;
	int64_t count = 0, skip;

	for (uint64_t n = from; n < h->total; n++)
		count += matches(&h->ring[n % HAPPENED_MAX], q->match);
	skip = out && count > q->limit ? count - q->limit : 0;
	for (uint64_t n = from; out && n < h->total; n++)
		if (matches(&h->ring[n % HAPPENED_MAX], q->match) && skip-- <= 0)
			put(out, n + 1, &h->ring[n % HAPPENED_MAX]);
	return count;
}
