/* Counts by field and by reason, and the texts. */
#include "harness/replay_report.h"

#include "base/clock.h"
#include "base/json.h"
#include "harness/report.h"
#include "protocol/schema.h"

#include <stdlib.h>
#include <uthash.h>

#define FAILURE_TEXT_MAX ((size_t)16 << 10) /* of one API in the JUnit file */

/* How often something was said. */
struct tally {
	char *text;
	uint64_t count;
	UT_hash_handle hh;
};

struct of_api {
	uint64_t equal, differing, missing, other;
	struct buf text;
};

struct replay_report {
	const char *recorded, *live;
	struct tally *fields, *left_out, *not_compared, *missing;
	struct of_api apis[API_KEY_MAX + 1];
};

struct replay_report *replay_report_new(const char *recorded, const char *live)
{
	struct replay_report *r = calloc(1, sizeof(*r));

	if (!r)
		abort();
	r->recorded = recorded;
	r->live = live;
	for (int i = 0; i <= API_KEY_MAX; i++)
		buf_init(&r->apis[i].text, FAILURE_TEXT_MAX);
	return r;
}

static void free_tally(struct tally **table)
{
	struct tally *t, *next;

	HASH_ITER (hh, *table, t, next) {
		HASH_DELETE(hh, *table, t);
		free(t->text);
		free(t);
	}
}

void replay_report_free(struct replay_report *r)
{
	if (!r)
		return;
	free_tally(&r->fields);
	free_tally(&r->left_out);
	free_tally(&r->not_compared);
	free_tally(&r->missing);
	for (int i = 0; i <= API_KEY_MAX; i++)
		buf_release(&r->apis[i].text);
	free(r);
}

/* Counts it; how often it was said, this time included. */
static uint64_t count(struct tally **table, struct str text)
{
	struct tally *t;

	HASH_FIND(hh, *table, text.data, (size_t)text.len, t);
	if (!t) {
		t = calloc(1, sizeof(*t));
		if (!t)
			abort();
		t->text = str_copy(text);
		HASH_ADD_KEYPTR(hh, *table, t->text, (size_t)text.len, t);
	}
	return ++t->count;
}

/* ---- lines ---- */

static void put_head(struct buf *out, const struct replay_result *r)
{
	const struct session_exchange *x = r->exchange;
	const char *name = api_name(x->header.api_key);
	char time[RFC3339_SIZE];

	clock_rfc3339(x->request_first_us ? x->request_first_us : x->response_first_us, time);
	buf_printf(out, "%s conn %lld ", time, (long long)x->conn->number);
	if (name)
		buf_printf(out, "%s v%d", name, x->header.api_version);
	else
		buf_printf(out, "API %d v%d", x->header.api_key, x->header.api_version);
	if (r->version >= 0 && r->version != x->header.api_version)
		buf_printf(out, " (live v%d)", r->version);
	buf_printf(out, " correlation %d: ", x->header.correlation_id);
}

static void put_difference(const struct replay_report *r, struct buf *out,
			   const struct difference *d)
{
	buf_add(out, d->path.data, (size_t)d->path.len);
	switch (d->kind) {
	case DIFFERENCE_VALUE:
		buf_printf(out, ": %s " STR_FMT ", %s " STR_FMT, r->recorded, STR_ARG(d->recorded),
			   r->live, STR_ARG(d->live));
		break;
	case DIFFERENCE_GONE:
		buf_printf(out, ": %s " STR_FMT ", %s nothing", r->recorded, STR_ARG(d->recorded),
			   r->live);
		break;
	case DIFFERENCE_NEW:
		buf_printf(out, ": %s nothing, %s " STR_FMT, r->recorded, r->live,
			   STR_ARG(d->live));
	}
	buf_byte(out, '\n');
}

static void put_lines(struct replay_report *r, const struct replay_result *result, bool verbose,
		      struct buf *out)
{
	switch (result->fate) {
	case REPLAY_DIFFERING:
		return; /* said already, field by field */
	case REPLAY_MISSING:
		put_head(out, result);
		if (result->exchange->state == EXCHANGE_LOST)
			buf_printf(out, "no answer: %s\n", result->why);
		else
			buf_printf(out, "%s an answer, %s none: %s\n", r->recorded, r->live,
				   result->why);
		return;
	default:
		if (!verbose)
			return;
		put_head(out, result);
		buf_printf(out, "%s%s%s\n",
			   result->fate == REPLAY_EQUAL	     ? "equal"
			   : result->fate == REPLAY_LEFT_OUT ? "left out"
							     : "not compared",
			   result->why ? ": " : "", result->why ? result->why : "");
	}
}

/* ---- JSON ---- */

static const char *fate_name(enum replay_fate fate)
{
	static const char *const names[] = {"equal", "differing", "missing", "notCompared",
					    "leftOut"};

	return names[fate];
}

static void json_differences(struct json *j, const struct differences *all)
{
	static const char *const kinds[] = {"value", "gone", "new"};

	json_key(j, "differences");
	json_open(j, '[');
	for (int32_t i = 0; i < all->count; i++) {
		const struct difference *d = &all->items[i];

		json_open(j, '{');
		json_key_text(j, "kind", kinds[d->kind]);
		json_key_str(j, "path", d->path);
		json_key_str(j, "field", d->name);
		json_key_str(j, "recorded", d->recorded);
		json_key_str(j, "live", d->live);
		json_close(j, '}');
	}
	json_close(j, ']');
	if (all->more)
		json_key_int(j, "moreDifferences", all->more);
}

static void put_json(const struct replay_result *r, struct buf *out)
{
	const struct session_exchange *x = r->exchange;
	char time[RFC3339_SIZE];
	struct json j;

	json_init(&j, out);
	json_open(&j, '{');
	clock_rfc3339(x->request_first_us ? x->request_first_us : x->response_first_us, time);
	json_key_text(&j, "time", time);
	json_key_int(&j, "conn", x->conn->number);
	json_key_text(&j, "api", api_name(x->header.api_key));
	json_key_int(&j, "apiKey", x->header.api_key);
	json_key_int(&j, "version", x->header.api_version);
	json_key_int(&j, "correlationId", x->header.correlation_id);
	json_key_text(&j, "fate", fate_name(r->fate));
	if (r->why)
		json_key_text(&j, "why", r->why);
	if (r->version >= 0) {
		json_key_int(&j, "liveVersion", r->version);
		json_key_int(&j, "liveBroker", r->node);
		json_key_int(&j, "tries", r->tries);
	}
	if (r->fate == REPLAY_DIFFERING)
		json_differences(&j, r->differences);
	json_close(&j, '}');
	buf_byte(out, '\n');
}

/* ---- results ---- */

static void take_differences(struct replay_report *r, const struct replay_result *result, bool show,
			     struct buf *out)
{
	struct buf *text = &r->apis[result->exchange->header.api_key].text;

	for (int32_t i = 0; i < result->differences->count; i++) {
		const struct difference *d = &result->differences->items[i];
		uint64_t n = count(&r->fields, d->name);

		if (n > REPLAY_LINES_OF_A_FIELD)
			continue;
		put_head(text, result);
		put_difference(r, text, d);
		if (!show)
			continue;
		put_head(out, result);
		put_difference(r, out, d);
	}
}

void replay_report_take(struct replay_report *r, const struct replay_result *result, bool json,
			bool verbose, struct buf *out)
{
	int key = result->exchange->header.api_key;
	struct of_api *api = key >= 0 && key <= API_KEY_MAX ? &r->apis[key] : &r->apis[API_KEY_MAX];

	switch (result->fate) {
	case REPLAY_EQUAL:
		api->equal++;
		break;
	case REPLAY_DIFFERING:
		api->differing++;
		take_differences(r, result, !json, out);
		break;
	case REPLAY_MISSING:
		api->missing++;
		count(&r->missing, str_of(result->why));
		put_head(&api->text, result);
		buf_printf(&api->text, "no answer: %s\n", result->why);
		break;
	case REPLAY_NOT_COMPARED:
		api->other++;
		count(&r->not_compared,
		      str_of(result->why ? result->why : "the recording has no answer"));
		break;
	case REPLAY_LEFT_OUT:
		api->other++;
		count(&r->left_out, str_of(result->why));
	}
	if (!json)
		put_lines(r, result, verbose, out);
	else if (verbose || result->fate == REPLAY_DIFFERING || result->fate == REPLAY_MISSING)
		put_json(result, out);
}

/* ---- the end ---- */

static void put_tally(struct buf *out, const char *what, const struct tally *table)
{
	for (const struct tally *t = table; t; t = t->hh.next)
		buf_printf(out, "  %s %llu: %s\n", what, (unsigned long long)t->count, t->text);
}

static void put_capture(struct buf *out, const struct session *s)
{
	const struct session_totals *t = &s->totals;

	if (t->midway)
		buf_printf(out, "  the capture begins inside of %llu connections\n",
			   (unsigned long long)t->midway);
	if (t->cut || t->unmatched_bytes)
		buf_printf(out,
			   "  the capture lacks bytes: %llu messages are not whole, %llu bytes "
			   "belong to none\n",
			   (unsigned long long)t->cut, (unsigned long long)t->unmatched_bytes);
	if (t->not_chosen)
		buf_printf(out, "  %llu exchanges are not chosen by the filter\n",
			   (unsigned long long)t->not_chosen);
}

static void put_unknown(struct buf *out, const struct replay_totals *t)
{
	/* the others are learned on the way, or mean the same everywhere */
	static const enum role roles[] = {ROLE_PRODUCER_ID, ROLE_PRODUCER_EPOCH, ROLE_SESSION,
					  ROLE_GENERATION};

	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (t->unknown[roles[i]])
			buf_printf(out,
				   "  %llu times a %s was sent as recorded: the capture does not "
				   "show where it comes from\n",
				   (unsigned long long)t->unknown[roles[i]], role_name(roles[i]));
}

static void put_summary(const struct replay_report *r, const struct replay_totals *t,
			const struct session *s, struct buf *out)
{
	buf_printf(out,
		   "%llu exchanges: %llu equal, %llu differing, %llu without an answer, %llu not "
		   "compared, %llu left out\n",
		   (unsigned long long)s->totals.exchanges, (unsigned long long)t->equal,
		   (unsigned long long)t->differing, (unsigned long long)t->missing,
		   (unsigned long long)t->not_compared, (unsigned long long)t->left_out);
	put_tally(out, "differences", r->fields);
	put_tally(out, "without an answer", r->missing);
	put_tally(out, "not compared", r->not_compared);
	put_tally(out, "left out", r->left_out);
	put_capture(out, s);
	put_unknown(out, t);
	if (t->converted)
		buf_printf(out, "  %llu were asked in another version than recorded\n",
			   (unsigned long long)t->converted);
}

static void json_tally(struct json *j, const char *name, const struct tally *table)
{
	json_key(j, name);
	json_open(j, '{');
	for (const struct tally *t = table; t; t = t->hh.next)
		json_key_int(j, t->text, (int64_t)t->count);
	json_close(j, '}');
}

static void put_json_summary(const struct replay_report *r, const struct replay_totals *t,
			     const struct session *s, struct buf *out)
{
	struct json j;

	json_init(&j, out);
	json_open(&j, '{');
	json_key(&j, "summary");
	json_open(&j, '{');
	json_key_int(&j, "exchanges", (int64_t)s->totals.exchanges);
	json_key_int(&j, "sent", (int64_t)t->sent);
	json_key_int(&j, "equal", (int64_t)t->equal);
	json_key_int(&j, "differing", (int64_t)t->differing);
	json_key_int(&j, "missing", (int64_t)t->missing);
	json_key_int(&j, "notCompared", (int64_t)t->not_compared);
	json_key_int(&j, "leftOut", (int64_t)t->left_out);
	json_key_int(&j, "sentAgain", (int64_t)t->again);
	json_key_int(&j, "converted", (int64_t)t->converted);
	json_key_int(&j, "midway", (int64_t)s->totals.midway);
	json_key_int(&j, "messagesCut", (int64_t)s->totals.cut);
	json_key_int(&j, "notChosen", (int64_t)s->totals.not_chosen);
	json_tally(&j, "differences", r->fields);
	json_tally(&j, "missingWhy", r->missing);
	json_tally(&j, "notComparedWhy", r->not_compared);
	json_tally(&j, "leftOutWhy", r->left_out);
	json_close(&j, '}');
	json_close(&j, '}');
	buf_byte(out, '\n');
}

void replay_report_summary(const struct replay_report *r, const struct replay_totals *t,
			   const struct session *s, bool json, struct buf *out)
{
	if (json)
		put_json_summary(r, t, s, out);
	else
		put_summary(r, t, s, out);
}

static void put_case(const struct of_api *api, int key, const char *name, struct buf *out)
{
	buf_text(out, "<testcase classname=\"replay of ");
	report_xml_escape(out, name, strlen(name));
	buf_printf(out, "\" name=\"%s\" assertions=\"%llu\">", api_name(key) ? api_name(key) : "?",
		   (unsigned long long)(api->equal + api->differing + api->missing));
	if (api->differing || api->missing) {
		buf_printf(out, "<failure message=\"%llu differing, %llu without an answer\">",
			   (unsigned long long)api->differing, (unsigned long long)api->missing);
		report_xml_escape(out, (const char *)api->text.data, api->text.len);
		buf_text(out, "</failure>");
	} else if (!api->equal) {
		buf_text(out, "<skipped message=\"nothing to compare\"/>");
	}
	buf_text(out, "</testcase>\n");
}

void replay_report_junit(const struct replay_report *r, const char *name, double seconds,
			 struct buf *out)
{
	struct buf cases;
	int tests = 0, failures = 0, skipped = 0;

	buf_init(&cases, (size_t)8 << 20);
	for (int key = 0; key <= API_KEY_MAX; key++) {
		const struct of_api *api = &r->apis[key];

		if (!(api->equal + api->differing + api->missing + api->other))
			continue;
		tests++;
		failures += api->differing || api->missing;
		skipped += !api->equal && !api->differing && !api->missing;
		put_case(api, key, name, &cases);
	}
	buf_printf(out,
		   "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite "
		   "name=\"ktrial replay\" tests=\"%d\" failures=\"%d\" errors=\"0\" "
		   "skipped=\"%d\" time=\"%.3f\">\n",
		   tests, failures, skipped, seconds);
	buf_add(out, cases.data, cases.len);
	buf_text(out, "</testsuite>\n</testsuites>\n");
	buf_release(&cases);
}
