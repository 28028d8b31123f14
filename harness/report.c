/* Renderings of one case. Everything shown comes from the trial; nothing is judged here. */
#include "harness/report.h"

#include "base/json.h"

#include <stdio.h>

static double seconds(int64_t us)
{
	return (double)us / 1e6;
}

/* A documented weakness that a named check tells of already need not be told twice. */
static bool is_told(const struct trial *t, const struct judgement *j)
{
	bool named = false;

	if (j->standing == STANDING_GOOD || j->standing == STANDING_SILENT)
		return false;
	for (int32_t i = 0; i < t->judgements_count; i++)
		named |= t->judgements[i].named && t->judgements[i].standing != STANDING_GOOD;
	return j->named || !named || j->standing != STANDING_INFORMATION;
}

static struct str check_label(const struct trial *t, const struct judgement *j)
{
	return check_text(j->check, (struct arena *)(uintptr_t)&t->arena);
}

/* ---- text ---- */

static void text_head(const struct report_context *c, struct buf *out)
{
	const struct trial *t = c->trial;

	buf_printf(out, "%-12s " STR_FMT " [" STR_FMT "]", verdict_name(t->outcome.verdict),
		   STR_ARG(c->plan->scenario->name), STR_ARG(c->plan->case_name));
	if (c->repetitions > 1)
		buf_printf(out, " %d/%d", c->repetition, c->repetitions);
	buf_printf(out, "  %s  %.2f s", c->client, seconds(t->took_us));
	if (t->outcome.reason[0])
		buf_printf(out, "  %s", t->outcome.reason);
	buf_byte(out, '\n');
}

static void text_moments(const struct trial *t, const struct finding *f, struct buf *out)
{
	for (int32_t i = 0; i < f->moments_count; i++) {
		buf_printf(out, "      %s %+10.6f s  ", i ? "         " : "events   ",
			   seconds(f->moments[i].time_us - t->started_us));
		if (f->moments[i].packet)
			buf_printf(out, "packet %llu: ", (unsigned long long)f->moments[i].packet);
		buf_printf(out, STR_FMT "\n", STR_ARG(f->moments[i].text));
	}
}

static void text_judgement(const struct trial *t, const struct judgement *j, struct buf *out)
{
	const struct finding *f = &j->check->finding;
	struct str label = check_label(t, j);
	/* A universal rule that fails beside a named check tells the same story: one line will do.
	 */
	bool whole = (j->standing == STANDING_BAD &&
		      !verdict_told(t->judgements, t->judgements_count, j)) ||
		     j->standing == STANDING_VACUOUS || j->standing == STANDING_INCONCLUSIVE;

	if (!whole) {
		buf_printf(out, "    %s %s " STR_FMT ": " STR_FMT "\n", severity_name(j->severity),
			   standing_name(j->standing), STR_ARG(label), STR_ARG(f->actual));
		return;
	}
	buf_printf(out, "    %s %s " STR_FMT "\n", severity_name(j->severity),
		   standing_name(j->standing), STR_ARG(label));
	buf_printf(out, "      claim     %s (%s)\n", j->check->type->claim, j->check->type->see);
	buf_printf(out, "      expected  " STR_FMT "\n      actual    " STR_FMT "\n",
		   STR_ARG(f->expected), STR_ARG(f->actual));
	text_moments(t, f, out);
}

static void text_rules(const struct trial *t, struct buf *out)
{
	for (int32_t i = 0; i < t->rules_count; i++) {
		const struct rule_outcome *r = &t->rules[i];

		if (r->hits)
			continue;
		buf_printf(out, "    rule " STR_FMT " never fired: " STR_FMT "\n", STR_ARG(r->name),
			   STR_ARG(r->text));
		if (r->nearest_miss.data)
			buf_printf(out, "      nearest   " STR_FMT "\n", STR_ARG(r->nearest_miss));
		else
			buf_text(out, "      nothing came near\n");
	}
}

/* What a subject printed, cut, and safe for a terminal and for XML: no control characters, no bytes
 * that are not UTF-8. */
static void text_line(struct str line, struct buf *out)
{
	size_t len = line.len < 150 ? (size_t)line.len : 150;
	const uint8_t *p = (const uint8_t *)line.data;

	buf_text(out, "      ");
	for (size_t i = 0, step; i < len; i += step ? step : 1) {
		step = utf8_length(p + i, (size_t)line.len - i);
		if (!step || p[i] < ' ' || p[i] == 0x7f || (p[i] == 0xc2 && p[i + 1] < 0xa0))
			buf_text(out, p[i] == '\t' ? " " : "\xef\xbf\xbd");
		else
			buf_add(out, p + i, step);
	}
	buf_byte(out, '\n');
}

static void text_subjects(const struct report_context *c, struct buf *out)
{
	for (int32_t i = 0; i < c->trial->subjects_count; i++) {
		const struct subject_outcome *s = &c->trial->subjects[i];

		if (!s->started) {
			buf_printf(out, "    " STR_FMT " was never started\n", STR_ARG(s->name));
			continue;
		}
		if (s->running)
			buf_printf(out, "    " STR_FMT " had to be killed at the end",
				   STR_ARG(s->name));
		else if (s->signal_number)
			buf_printf(out, "    " STR_FMT " was ended by signal %d", STR_ARG(s->name),
				   s->signal_number);
		else
			buf_printf(out, "    " STR_FMT " exited with %d", STR_ARG(s->name),
				   s->status);
		buf_printf(out, "%s\n", s->tail_count ? "; its last lines:" : " and said nothing");
		for (int32_t k = 0; k < s->tail_count; k++)
			text_line(s->tail[k], out);
	}
}

void report_findings(const struct trial *t, bool silent, struct buf *out)
{
	for (int32_t i = 0; i < t->judgements_count; i++)
		if (t->judgements[i].standing != STANDING_SILENT || silent)
			text_judgement(t, &t->judgements[i], out);
	text_rules(t, out);
}

void report_text(const struct report_context *c, struct buf *out)
{
	const struct trial *t = c->trial;

	text_head(c, out);
	if (t->outcome.verdict == VERDICT_WRONG)
		buf_printf(out, STR_FMT, STR_ARG(t->mistake));
	if (t->outcome.verdict == VERDICT_SKIPPED || t->outcome.verdict == VERDICT_WRONG)
		return;
	for (int32_t i = 0; i < t->judgements_count; i++)
		if (is_told(t, &t->judgements[i]) && t->outcome.verdict != VERDICT_ENVIRONMENT)
			text_judgement(t, &t->judgements[i], out);
	if (verdict_good(t->outcome.verdict))
		return;
	if (t->outcome.verdict != VERDICT_ENVIRONMENT)
		text_rules(t, out);
	text_subjects(c, out);
	if (t->stall_us > STALL_MAX_US)
		buf_printf(out,
			   "    our own loop stood still for %.2f s: times are not to be trusted\n",
			   seconds(t->stall_us));
	buf_printf(out, "    claim     " STR_FMT "%s" STR_FMT "%s\n",
		   STR_ARG(c->plan->scenario->claim), c->plan->scenario->see.data ? " (" : "",
		   STR_ARG(c->plan->scenario->see), c->plan->scenario->see.data ? ")" : "");
	buf_printf(out, "    again     %s\n", c->command);
	if (c->files_kept)
		buf_printf(out, "    files     %s\n", c->directory);
}

/* ---- JSON ---- */

static void json_moments(const struct finding *f, struct json *j)
{
	char time[RFC3339_SIZE];

	json_key(j, "events");
	json_open(j, '[');
	for (int32_t i = 0; i < f->moments_count; i++) {
		clock_rfc3339(f->moments[i].time_us, time);
		json_open(j, '{');
		json_key_text(j, "time", time);
		json_key_str(j, "text", f->moments[i].text);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void json_checks(const struct report_context *c, struct json *j)
{
	json_key(j, "checks");
	json_open(j, '[');
	for (int32_t i = 0; i < c->trial->judgements_count; i++) {
		const struct judgement *k = &c->trial->judgements[i];
		const struct finding *f = &k->check->finding;

		json_open(j, '{');
		json_key_str(j, "check", check_label(c->trial, k));
		json_key_text(j, "severity", severity_name(k->severity));
		json_key_bool(j, "named", k->named);
		json_key_text(j, "standing", standing_name(k->standing));
		json_key_int(j, "judged", (int64_t)f->judged);
		json_key_text(j, "claim", k->check->type->claim);
		json_key_text(j, "see", k->check->type->see);
		json_key_str(j, "expected", f->expected);
		json_key_str(j, "actual", f->actual);
		json_moments(f, j);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void json_rules(const struct trial *t, struct json *j)
{
	json_key(j, "rules");
	json_open(j, '[');
	for (int32_t i = 0; i < t->rules_count; i++) {
		json_open(j, '{');
		json_key_str(j, "name", t->rules[i].name);
		json_key_str(j, "text", t->rules[i].text);
		json_key_int(j, "hits", (int64_t)t->rules[i].hits);
		json_key_int(j, "matched", (int64_t)t->rules[i].matched);
		json_key_str(j, "nearestMiss", t->rules[i].nearest_miss);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void json_subjects(const struct trial *t, struct json *j)
{
	json_key(j, "subjects");
	json_open(j, '[');
	for (int32_t i = 0; i < t->subjects_count; i++) {
		const struct subject_outcome *s = &t->subjects[i];

		json_open(j, '{');
		json_key_str(j, "name", s->name);
		json_key_str(j, "program", s->program);
		json_key_bool(j, "started", s->started);
		json_key_bool(j, "killed", s->running);
		json_key_int(j, "status", s->status);
		json_key_int(j, "signal", s->signal_number);
		json_close(j, '}');
	}
	json_close(j, ']');
}

void report_json(const struct report_context *c, struct buf *out)
{
	const struct trial *t = c->trial;
	char time[RFC3339_SIZE];
	struct json j;

	json_init(&j, out);
	clock_rfc3339(t->started_us, time);
	json_open(&j, '{');
	json_key_str(&j, "scenario", c->plan->scenario->name);
	json_key_str(&j, "case", c->plan->case_name);
	json_key_text(&j, "client", c->client);
	json_key_text(&j, "file", c->plan->scenario->source.path);
	json_key_str(&j, "claim", c->plan->scenario->claim);
	json_key_str(&j, "see", c->plan->scenario->see);
	json_key_int(&j, "seed", (int64_t)c->plan->seed);
	json_key_int(&j, "repetition", c->repetition);
	json_key_text(&j, "verdict", verdict_name(t->outcome.verdict));
	json_key_text(&j, "reason", t->outcome.reason);
	json_key_text(&j, "started", time);
	json_key_int(&j, "durationUs", t->took_us);
	json_key_int(&j, "exchanges", (int64_t)t->exchanges);
	json_key_int(&j, "connections", (int64_t)t->connections);
	json_key_int(&j, "loopStallUs", t->stall_us);
	json_key_text(&j, "command", c->command);
	json_checks(c, &j);
	json_rules(t, &j);
	json_subjects(t, &j);
	json_close(&j, '}');
	buf_byte(out, '\n');
}

/* ---- JUnit ---- */

/* U+FFFE and U+FFFF are valid UTF-8 and not XML. */
static bool not_in_xml(const char *p, size_t len)
{
	return len == 3 && (!memcmp(p, "\xef\xbf\xbe", 3) || !memcmp(p, "\xef\xbf\xbf", 3));
}

void report_xml_escape(struct buf *out, const char *text, size_t len)
{
	for (size_t i = 0, step; i < len; i += step ? step : 1) {
		unsigned char c = (unsigned char)text[i];

		step = utf8_length((const uint8_t *)text + i, len - i);
		if (c == '<')
			buf_text(out, "&lt;");
		else if (c == '>')
			buf_text(out, "&gt;");
		else if (c == '&')
			buf_text(out, "&amp;");
		else if (c == '"')
			buf_text(out, "&quot;");
		else if (!step || (c < ' ' && c != '\n' && c != '\t') || not_in_xml(text + i, step))
			buf_text(out, "\xef\xbf\xbd");
		else
			buf_add(out, text + i, step);
	}
}

static void attribute(struct buf *out, const char *name, const char *fmt, struct str a,
		      struct str b)
{
	char text[2000];

	snprintf(text, sizeof(text), fmt, STR_ARG(a), STR_ARG(b));
	buf_printf(out, " %s=\"", name);
	report_xml_escape(out, text, strlen(text));
	buf_byte(out, '"');
}

static void property(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "      <property name=\"%s\" value=\"", name);
	report_xml_escape(out, value, strlen(value));
	buf_text(out, "\"/>\n");
}

static const char *junit_element(enum verdict v)
{
	switch (v) {
	case VERDICT_PASS:
		return NULL;
	case VERDICT_FAIL:
		return "failure";
	case VERDICT_SKIPPED:
	case VERDICT_KNOWN:
		return "skipped";
	default:
		return "error";
	}
}

/* The place that a failure points to: its check's line, or the header's. */
static int junit_line(const struct trial *t)
{
	for (int32_t i = 0; i < t->judgements_count; i++)
		if (t->judgements[i].standing == STANDING_BAD && t->judgements[i].at.line)
			return t->judgements[i].at.line;
	return 1;
}

void report_junit(const struct report_context *c, struct buf *out)
{
	const struct trial *t = c->trial;
	const char *element = junit_element(t->outcome.verdict);
	struct str none = {0};
	char seed[30];
	struct buf text;

	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)c->plan->seed);
	buf_text(out, "  <testcase");
	attribute(out, "classname", STR_FMT STR_FMT, str_of(c->client), none);
	attribute(out, "name", STR_FMT "[" STR_FMT "]", c->plan->scenario->name,
		  c->plan->case_name);
	attribute(out, "file", STR_FMT STR_FMT, str_of(c->plan->scenario->source.path), none);
	buf_printf(out, " line=\"%d\" time=\"%.3f\">\n    <properties>\n", junit_line(t),
		   seconds(t->took_us));
	property(out, "seed", seed);
	property(out, "claim", c->plan->scenario->claim.data);
	if (c->files_kept)
		property(out, "evidence", c->directory);
	buf_text(out, "    </properties>\n");
	if (element) {
		buf_init(&text, 1 << 20);
		report_text(c, &text);
		buf_printf(out, "    <%s", element);
		attribute(out, "message", STR_FMT STR_FMT, str_of(t->outcome.reason), none);
		buf_byte(out, '>');
		report_xml_escape(out, (const char *)text.data, text.len);
		buf_printf(out, "</%s>\n", element);
		buf_release(&text);
	}
	buf_text(out, "  </testcase>\n");
}

void report_junit_file(struct str elements, const int32_t counts[VERDICT_COUNT], double all_seconds,
		       struct buf *out)
{
	int32_t total = 0;

	for (int i = 0; i < VERDICT_COUNT; i++)
		total += counts[i];
	buf_text(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
	buf_printf(out,
		   "<testsuite name=\"ktrial\" tests=\"%d\" failures=\"%d\" errors=\"%d\" "
		   "skipped=\"%d\" time=\"%.3f\">\n",
		   total, counts[VERDICT_FAIL],
		   counts[VERDICT_INCONCLUSIVE] + counts[VERDICT_ENVIRONMENT] +
			   counts[VERDICT_WRONG],
		   counts[VERDICT_SKIPPED] + counts[VERDICT_KNOWN], all_seconds);
	buf_add(out, elements.data, (size_t)elements.len);
	buf_text(out, "</testsuite>\n");
}
