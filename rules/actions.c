/* The actions of the grammar: their arguments, and what the reference says of each. What an action
 * does to an exchange is the service's and, for errors, the cluster's. */
#include "rules/grammar.h"

#include "base/hex.h"
#include "protocol/kafka_error.h"

#include <stdio.h>

static int wrong(struct parser *p, struct word w, const char *what)
{
	return error_at(p->e, ERR_USAGE, (size_t)w.column, NULL, "%s takes %s%s%s" STR_FMT "%s",
			rule_action_infos[p->rule->plan.action].name, what,
			w.text.data ? ", not " : "", w.text.data ? "'" : "", STR_ARG(w.text),
			w.text.data ? "'" : "");
}

/* Takes the next word if it is this one. */
static bool accept(struct parser *p, const char *text)
{
	if (!str_is(words_peek(&p->words).text, text))
		return false;
	words_take(&p->words);
	return true;
}

/* [before|after], or with at also [at=BYTE] */
static int parse_when(struct parser *p, bool at)
{
	struct plan *plan = &p->rule->plan;
	struct word w = words_peek(&p->words);

	if (accept(p, "before")) {
		plan->when = WHEN_BEFORE;
	} else if (accept(p, "after")) {
		plan->when = WHEN_AFTER;
	} else if (at && w.text.len > 3 && !memcmp(w.text.data, "at=", 3)) {
		words_take(&p->words);
		plan->when = WHEN_AT;
		if (!parse_int((struct str){w.text.data + 3, w.text.len - 3}, 0, INT32_MAX,
			       &plan->at))
			return wrong(p, w, "at=BYTE with a whole number");
	}
	return 0;
}

static int parse_error(struct parser *p)
{
	struct plan *plan = &p->rule->plan;
	struct word w = words_take(&p->words);
	const char *near;

	if (!w.text.data)
		return wrong(p, w, "the name or number of a Kafka error");
	if (!kafka_error_find(w.text, &plan->error_code)) {
		near = kafka_error_nearest(w.text);
		return error_at(p->e, ERR_USAGE, (size_t)w.column, NULL,
				"Kafka has no error '" STR_FMT "'%s%s%s", STR_ARG(w.text),
				near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
	}
	return parse_when(p, false);
}

static int parse_delay(struct parser *p)
{
	struct word w = words_take(&p->words);
	const char *dots = w.text.data ? memmem(w.text.data, (size_t)w.text.len, "..", 2) : NULL;
	struct str from = w.text, to = w.text;
	struct parsed_rule *r = p->rule;

	if (dots) {
		from.len = (int32_t)(dots - w.text.data);
		to = (struct str){dots + 2, w.text.len - from.len - 2};
	}
	if (!parse_time(from, &r->plan.delay_us) || !parse_time(to, &r->delay_max_us) ||
	    r->delay_max_us < r->plan.delay_us)
		return wrong(p, w, "a time such as 200ms or a range such as 1s..5s");
	return parse_when(p, false);
}

static int parse_hold(struct parser *p)
{
	static const char *const overtakes[] = {"overtake=none", "overtake=work",
						"overtake=answers"};
	struct plan *plan = &p->rule->plan;
	struct word w = words_take(&p->words);

	if (!w.text.data || str_is(w.text, "request") || str_is(w.text, "answer"))
		return wrong(p, w, "a name, by which it is released");
	plan->text = w.text;
	plan->hold_request = !accept(p, "answer");
	plan->when = plan->hold_request ? WHEN_BEFORE : WHEN_AFTER;
	if (plan->hold_request)
		accept(p, "request");
	for (int i = OVERTAKE_NONE; i <= OVERTAKE_ANSWERS; i++) {
		w = words_peek(&p->words);
		if (!accept(p, overtakes[i]))
			continue;
		if (plan->hold_request && i != OVERTAKE_NONE)
			return error_at(p->e, ERR_USAGE, (size_t)w.column, NULL,
					"nothing overtakes a request that is not worked yet: "
					"hold the answer");
		plan->overtake = (enum overtake)i;
		return 0;
	}
	return 0;
}

static int parse_before_after(struct parser *p)
{
	return parse_when(p, false);
}

static int parse_end(struct parser *p)
{
	return parse_when(p, true);
}

/* One whole number into at. */
static int parse_number(struct parser *p, int64_t min, int64_t max)
{
	struct word w = words_take(&p->words);

	p->rule->plan.when = WHEN_AFTER;
	if (parse_int(w.text, min, max, &p->rule->plan.at))
		return 0;
	return wrong(p, w, min < 0 ? "a whole number" : "a whole number from 0");
}

static int parse_byte(struct parser *p)
{
	return parse_number(p, 0, INT32_MAX);
}

static int parse_int32(struct parser *p)
{
	return parse_number(p, INT32_MIN, INT32_MAX);
}

static int parse_chunk(struct parser *p)
{
	struct word w = words_peek(&p->words);
	int code = parse_number(p, 0, INT32_MAX);

	return code || p->rule->plan.at ? code : wrong(p, w, "a whole number from 1");
}

static int parse_cut(struct parser *p)
{
	struct word w = words_peek(&p->words);
	int code = parse_number(p, 0, INT32_MAX);

	return code || p->rule->plan.at >= 4 ? code
					     : wrong(p, w, "4 or more: the four length bytes stay");
}

static int parse_slow(struct parser *p)
{
	struct word w = words_take(&p->words);

	p->rule->plan.when = WHEN_AFTER;
	if (parse_size(w.text, &p->rule->plan.at) && p->rule->plan.at > 0)
		return 0;
	return wrong(p, w, "bytes per second, such as 10KiB/s");
}

static int parse_garbage(struct parser *p)
{
	struct word w = words_take(&p->words);
	uint8_t *bytes = arena_alloc(p->arena, (size_t)w.text.len / 2 + 1);
	int64_t n = w.text.data && bytes ? hex_decode(w.text, bytes, (size_t)w.text.len / 2) : -1;

	p->rule->plan.when = WHEN_AFTER;
	if (n <= 0)
		return wrong(p, w, "bytes in hex");
	p->rule->plan.text = (struct str){(const char *)bytes, (int32_t)n};
	return 0;
}

static int parse_stop_reading(struct parser *p)
{
	struct word w = words_peek(&p->words);

	p->rule->plan.when = WHEN_AFTER;
	if (parse_time(w.text, &p->rule->plan.delay_us))
		words_take(&p->words);
	return 0;
}

static int parse_throttle(struct parser *p)
{
	struct word w = words_take(&p->words);

	p->rule->plan.when = WHEN_AFTER;
	if (!parse_time(w.text, &p->rule->plan.delay_us))
		return wrong(p, w, "a time such as 2s");
	p->rule->plan.mute = !accept(p, "mute=no");
	if (p->rule->plan.mute)
		accept(p, "mute=yes");
	return 0;
}

/* PATH=VALUE, which each API must be able to have in its answer. */
static int parse_set(struct parser *p)
{
	struct word w = words_take(&p->words), value = w;
	const char *end = w.text.data ? rule_key_end(w.text) : NULL;
	struct field_paths paths;

	p->rule->plan.when = WHEN_AFTER;
	if (!end)
		return wrong(p, w, "PATH=VALUE, such as brokers[0].port=1");
	p->rule->plan.text = w.text;
	w.text.len = (int32_t)(end - w.text.data);
	value.text = (struct str){end + 1, value.text.len - w.text.len - 1};
	value.column += w.text.len + 1;
	if (field_paths_find(p, MESSAGE_RESPONSE, w, &paths))
		return p->e->code;
	return field_paths_accept(p, &paths, value);
}

static int parse_flip(struct parser *p)
{
	struct word w = words_peek(&p->words);
	struct field_paths paths;

	if (!w.text.data || (w.text.data[0] >= '0' && w.text.data[0] <= '9'))
		return parse_byte(p);
	words_take(&p->words);
	p->rule->plan.when = WHEN_AFTER;
	p->rule->plan.text = w.text;
	return field_paths_find(p, MESSAGE_RESPONSE, w, &paths);
}

static int parse_on_answer(struct parser *p)
{
	p->rule->plan.when = WHEN_AFTER;
	return 0;
}

const struct action_info rule_action_infos[ACTIONS] = {
	[ACTION_NONE] = {NULL, NULL, NULL, NULL, NULL},
	[ACTION_ERROR] = {"error", "CODE [before|after]",
			  "The answer carries this Kafka error, at the partitions that matched or "
			  "where the API has it. Before: nothing was done. After: all was done, as "
			  "when an acknowledgement is lost.",
			  "Produce topic=orders partition=0 nth=3 -> error NOT_ENOUGH_REPLICAS",
			  parse_error},
	[ACTION_DELAY] =
		{"delay", "TIME[..TIME] [before|after]",
		 "The work, or the answer, waits so long; a range is drawn by the seed. The "
		 "connection's later requests wait behind it.",
		 "Fetch -> delay 200ms..1s after", parse_delay},
	[ACTION_HOLD] =
		{"hold", "NAME [request|answer] [overtake=none|work|answers]",
		 "Waits until NAME is released. A held request is not worked and blocks its "
		 "connection. A held answer is worked; later requests queue, or are worked "
		 "and wait with their answers (work), or pass it (answers).",
		 "Produce nth=2 -> hold gate answer overtake=work", parse_hold},
	[ACTION_DROP] =
		{"drop", "[before|after]",
		 "No answer ever comes; the connection lives on. Before: the request is not "
		 "worked. After: it is, and its answer is dropped.",
		 "Metadata count=1 -> drop", parse_before_after},
	[ACTION_TWICE] = {"twice", "", "The answer is sent twice.", "Heartbeat nth=2 -> twice",
			  parse_on_answer},
	[ACTION_CLOSE] = {"close", "[before|after|at=BYTE]",
			  "The connection is closed: before the work, after it in place of the "
			  "answer, or once so many bytes of the answer are sent.",
			  "Produce topic=orders nth=3 -> close after", parse_end},
	[ACTION_RESET] = {"reset", "[before|after|at=BYTE]", "As close, but with a TCP reset.",
			  "Fetch nth=5 -> reset at=10", parse_end},
	[ACTION_SILENCE] = {"silence", "[before|after]",
			    "From this request on the connection is read, but nothing on it is "
			    "answered, nor worked; after: this one request still is worked.",
			    "Heartbeat nth=10 -> silence", parse_before_after},
	[ACTION_STOP_READING] = {"stop-reading", "[TIME]",
				 "After this request nothing more is read from the connection, for "
				 "this time or for good.",
				 "Produce nth=4 -> stop-reading 2s", parse_stop_reading},
	[ACTION_SLOW] = {"slow", "BYTES/s", "The answer trickles at this rate.",
			 "Fetch -> slow 10KiB/s", parse_slow},
	[ACTION_CHUNK] = {"chunk", "N", "The answer is written in pieces of N bytes.",
			  "any -> chunk 1", parse_chunk},
	[ACTION_SET] = {"set", "PATH=VALUE", "A field of the answer gets another value.",
			"Metadata -> set brokers[0].port=1", parse_set},
	[ACTION_FLIP] = {"flip", "PATH|BYTE",
			 "The lowest bit of a field's last byte, or of a byte of the answer's "
			 "frame, is flipped.",
			 "Fetch nth=2 -> flip 20", parse_flip},
	[ACTION_CUT] = {"cut", "BYTE",
			"The answer's frame ends after so many bytes, and its length says so.",
			"Fetch nth=2 -> cut 40", parse_cut},
	[ACTION_LENGTH] = {"length", "N", "The four length bytes say N; the frame is unchanged.",
			   "Fetch nth=2 -> length 2147483647", parse_int32},
	[ACTION_CORRELATION] = {"correlation", "N", "The answer has this correlation id.",
				"Metadata nth=2 -> correlation -1", parse_int32},
	[ACTION_CRC] = {"crc", "", "The CRC of each record batch in the answer is wrong.",
			"Fetch nth=2 -> crc", parse_on_answer},
	[ACTION_TAG] = {"tag", "N", "The answer carries an unknown tagged field N, of 3 bytes.",
			"Metadata version=9..13 -> tag 9999", parse_byte},
	[ACTION_GARBAGE] = {"garbage", "HEX", "These bytes are sent in place of the answer.",
			    "Metadata nth=2 -> garbage 485454502f312e31", parse_garbage},
	[ACTION_THROTTLE] = {"throttle", "TIME [mute=yes|no]",
			     "The answer says throttleTimeMs; with mute (as Kafka does) the "
			     "connection is not worked for that time.",
			     "Produce nth=3 -> throttle 2s", parse_throttle},
	[ACTION_OBSERVE] = {"observe", "", "Nothing is done; the rule counts and shows.",
			    "OffsetCommit group=g -> observe", parse_on_answer},
};
