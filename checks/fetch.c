/* How a consumer asks for records, judged from the wire alone: positions that move on, sessions
 * whose epochs count up, leader epochs that never go back, followers only where a leader named
 * them, positions validated and not for ever, one look at the log's ends for each position that is
 * gone. One table of (client, topic, partition) serves all; each check reads its part of it at the
 * end. */
#include "checks/types.h"

#include "checks/codes.h"
#include "checks/tally.h"
#include "protocol/kafka_error.h"
#include "protocol/messages.h"
#include "protocol/records.h"

#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#define AGAIN_DEFAULT	   10 /* times that an answered position may be asked for */
#define ASTRAY_DEFAULT	   3  /* requests to a broker that is neither leader nor named by it */
#define LOOKED_UP_DEFAULT  3  /* looks at the ends of a log for each reason to look */
#define VALIDATED_DEFAULT  10 /* questions where an epoch ended, under one leader epoch */
#define TIMESTAMP_EARLIEST (-2)
#define TIMESTAMP_LATEST   (-1)
#define HINT_VERSION	   12 /* the first one that may name the leader (KIP-951) */

enum fetch_rule { MOVES_ON, SESSIONS, EPOCHS, FOLLOWERS, LOOKS_ONCE, VALIDATES, FETCH_RULES };

/* One partition as one client sees it. */
struct place {
	struct str client, topic;
	int32_t partition;
	int64_t again;	   /* the position that was answered last */
	int32_t answered;  /* and how often in a row */
	int32_t epoch;	   /* the highest leader epoch that it named; -1 none */
	int32_t leader;	   /* as Metadata told last; -1 not told */
	int32_t preferred; /* as a leader named it last; -1 none */
	int32_t astray;	   /* requests in a row to who neither leads nor is named, or fails */
	int32_t reasons, looked_up; /* to look at the ends of the log, and looks at them */
	int32_t validated;	    /* questions where its epoch ended, under that leader epoch */
	int32_t under;
	UT_hash_handle hh;
};

/* What a session was last asked for: later requests leave it out (KIP-227). */
struct session {
	struct {
		int32_t broker, id;
	} key;
	int32_t epoch; /* of the last request that was answered */
	int32_t lost;  /* requests since then whose answers never came: worked or not */
	bool over;     /* the broker does not know it, or not at this epoch */
	struct asked {
		struct place *place;
		int64_t offset;
		struct asked *next;
	} * asked;
	UT_hash_handle hh;
};

struct fetches {
	struct place *places;
	struct session *sessions;
	struct tally rules[FETCH_RULES];
};

static struct tally *rule_of(const struct check *c, enum fetch_rule rule)
{
	return &((struct fetches *)c->state)->rules[rule];
}

/* Topics that have no name here are called by their id. */
static struct str topic_text(struct check *c, struct str name, struct uuid id)
{
	char text[UUID_TEXT_SIZE];

	name = history_topic(c->history, name, id);
	if (name.len)
		return name;
	uuid_text(id, text);
	return arena_str(c->arena, str_of(text));
}

static struct place *place_of(struct check *c, struct str client, struct str topic,
			      int32_t partition)
{
	struct fetches *s = c->state;
	char key[700];
	int len = snprintf(key, sizeof(key), STR_FMT "%c" STR_FMT "%c%d", STR_ARG(client), 0,
			   STR_ARG(topic), 0, partition);
	struct place *p;

	if (len < 0 || len >= (int)sizeof(key))
		return NULL;
	HASH_FIND(hh, s->places, key, (unsigned)len, p);
	if (p || !(p = arena_zalloc(c->arena, sizeof(*p))))
		return p;
	*p = (struct place){.client = arena_str(c->arena, client),
			    .topic = arena_str(c->arena, topic),
			    .partition = partition,
			    .again = -1,
			    .epoch = -1,
			    .leader = -1,
			    .preferred = -1,
			    .reasons = 1};
	HASH_ADD_KEYPTR(hh, s->places, arena_copy(c->arena, key, (size_t)len), (unsigned)len, p);
	return p;
}

/* ---- sessions ---- */

static struct session *session_of(struct check *c, int32_t broker, int32_t id, bool add)
{
	struct fetches *s = c->state;
	struct session like, *found;

	memset(&like, 0, sizeof(like));
	like.key.broker = broker;
	like.key.id = id;
	HASH_FIND(hh, s->sessions, &like.key, sizeof(like.key), found);
	if (found || !add || !(found = arena_zalloc(c->arena, sizeof(*found))))
		return found;
	found->key = like.key;
	HASH_ADD(hh, s->sessions, key, sizeof(found->key), found);
	return found;
}

static void judge_session(struct check *c, const struct exchange *x, const struct fetch_request *q)
{
	struct session *k = session_of(c, x->conn.broker, q->session_id, false);
	int32_t due;

	if (!q->session_id || !k || q->session_epoch <= 0) {
		/* A new one, none, or one that was opened before we looked. */
		tally(rule_of(c, SESSIONS), c, false, 0, "%s", "");
		return;
	}
	due = k->epoch == INT32_MAX ? 1 : k->epoch + 1;
	tally(rule_of(c, SESSIONS), c,
	      k->over || q->session_epoch < due || q->session_epoch > (int64_t)due + k->lost,
	      x->request_us,
	      k->over ? "Fetch in session %d with epoch %d after the broker had refused it; a new "
			"session must be opened (connection %lld correlation %d)"
		      : "Fetch in session %d with epoch %d, not the next one (connection %lld "
			"correlation %d)",
	      q->session_id, q->session_epoch, (long long)x->conn.conn, x->header.correlation_id);
}

static void take_session(struct check *c, const struct exchange *x, const struct fetch_request *q,
			 const struct fetch_response *r)
{
	struct session *k;

	if (r->error_code) {
		k = session_of(c, x->conn.broker, q->session_id, false);
		if (k && (r->error_code == ERROR_FETCH_SESSION_ID_NOT_FOUND ||
			  r->error_code == ERROR_INVALID_FETCH_SESSION_EPOCH))
			k->over = true;
		return;
	}
	k = r->session_id ? session_of(c, x->conn.broker, r->session_id, true) : NULL;
	if (!k)
		return;
	k->over = false;
	k->lost = 0;
	k->epoch = q->session_epoch > 0 ? q->session_epoch : 0;
}

/* ---- positions ---- */

/* Where a partition stands in this request, or stood in an earlier one of its session; -1 unknown.
 */
static int64_t position(struct check *c, const struct exchange *x, const struct fetch_request *q,
			const struct place *p)
{
	const struct session *k =
		q->session_id ? session_of(c, x->conn.broker, q->session_id, false) : NULL;

	for (int32_t i = 0; i < q->topics_count; i++) {
		const struct fetch_request_topics *t = &q->topics[i];

		if (!str_eq(topic_text(c, t->topic, t->topic_id), p->topic))
			continue;
		for (int32_t n = 0; n < t->partitions_count; n++)
			if (t->partitions[n].partition == p->partition)
				return t->partitions[n].fetch_offset;
	}
	for (const struct asked *a = k ? k->asked : NULL; a; a = a->next)
		if (a->place == p)
			return a->offset;
	return -1;
}

static void remember(struct check *c, struct session *k, struct place *p, int64_t offset)
{
	struct asked *a = k->asked;

	while (a && a->place != p)
		a = a->next;
	if (!a && (a = arena_zalloc(c->arena, sizeof(*a)))) {
		*a = (struct asked){.place = p, .next = k->asked};
		k->asked = a;
	}
	if (a)
		a->offset = offset;
}

static bool reaches(struct bytes span, int64_t offset)
{
	struct records_reader reader;
	struct batch batch;

	records_reader_init(&reader, span.data, (size_t)span.len);
	while (records_next(&reader, &batch, NULL) > 0)
		if (batch.magic == 2 && batch.last_offset >= offset && batch_crc_ok(&batch))
			return true;
	return false;
}

/* Whether the answer holds a sound batch that reaches the position: then there is something to move
 * on from. */
static bool has_batch(const struct records *records, int64_t offset)
{
	const struct bytes *spans = records->data;
	bool found = false;

	if (!records->data)
		return false;
	if (!records->span_count)
		return reaches((struct bytes){records->data, records->len}, offset);
	for (int32_t i = 0; i < records->span_count && !found; i++)
		found = reaches(spans[i], offset);
	return found;
}

static void judge_position(struct check *c, const struct exchange *x, const struct fetch_request *q,
			   struct place *p, const struct fetch_response_responses_partitions *r)
{
	int64_t offset = position(c, x, q, p);
	int64_t limit = c->scope.number >= 0 ? c->scope.number : AGAIN_DEFAULT;
	bool gone = r->error_code == ERROR_OFFSET_OUT_OF_RANGE;

	if (x->rule.data)
		return; /* what was done to the answer may have spoilt it */
	if (offset < 0 || !(gone || (!r->error_code && has_batch(&r->records, offset))))
		return;
	p->answered = offset == p->again ? p->answered + 1 : 1;
	p->again = offset;
	tally(rule_of(c, MOVES_ON), c, p->answered > limit, x->request_us,
	      "client '" STR_FMT "' asks for " STR_FMT
	      "-%d offset %lld for the %d. time, though %s "
	      "(connection %lld correlation %d)",
	      STR_ARG(p->client), STR_ARG(p->topic), p->partition, (long long)offset, p->answered,
	      gone ? "it is out of range" : "it was given the batch there", (long long)x->conn.conn,
	      x->header.correlation_id);
}

/* ---- who is asked ---- */

static void judge_broker(struct check *c, const struct exchange *x, struct place *p, bool failed)
{
	int64_t limit = c->scope.number >= 0 ? c->scope.number : ASTRAY_DEFAULT;
	bool leads = p->leader < 0 || x->conn.broker < 0 || x->conn.broker == p->leader;

	p->astray = !leads && (x->conn.broker != p->preferred || failed) ? p->astray + 1 : 0;
	tally(rule_of(c, FOLLOWERS), c, p->astray > limit, x->request_us,
	      "client '" STR_FMT "' asks broker %d for " STR_FMT
	      "-%d for the %d. time; %d leads, and %s (connection %lld correlation %d)",
	      STR_ARG(p->client), x->conn.broker, STR_ARG(p->topic), p->partition, p->astray,
	      p->leader,
	      p->preferred == x->conn.broker ? "the one that was named fails"
	      : p->preferred < 0	     ? "no other is to be read from"
					     : "another is preferred",
	      (long long)x->conn.conn, x->header.correlation_id);
}

static void take_broker(const struct exchange *x, struct place *p,
			const struct fetch_response_responses_partitions *r)
{
	if (x->header.api_version >= HINT_VERSION && r->current_leader.leader_id >= 0)
		p->leader = r->current_leader.leader_id;
	if (x->conn.broker == p->leader && r->preferred_read_replica >= 0)
		p->preferred = r->preferred_read_replica;
}

static void judge_epoch(struct check *c, const struct exchange *x, struct place *p, int32_t epoch)
{
	const struct history_partition *log = history_partition(c->history, p->topic, p->partition);

	if (log && log->older)
		epoch = -1; /* a topic made anew begins with a new leader's epoch */
	tally(rule_of(c, EPOCHS), c, epoch >= 0 && epoch < p->epoch, x->request_us,
	      "client '" STR_FMT "' asks for " STR_FMT
	      "-%d by leader epoch %d; it has known %d (connection %lld correlation %d)",
	      STR_ARG(p->client), STR_ARG(p->topic), p->partition, epoch, p->epoch,
	      (long long)x->conn.conn, x->header.correlation_id);
	p->epoch = epoch > p->epoch ? epoch : p->epoch;
}

/* ---- the walk over an exchange ---- */

static void feed_request(struct check *c, struct exchange *x, const struct fetch_request *q,
			 struct session *k)
{
	for (int32_t i = 0; i < q->topics_count; i++) {
		struct str topic = topic_text(c, q->topics[i].topic, q->topics[i].topic_id);

		for (int32_t n = 0; n < q->topics[i].partitions_count; n++) {
			const struct fetch_request_topics_partitions *at =
				&q->topics[i].partitions[n];
			struct place *p = place_of(c, x->header.client_id, topic, at->partition);

			if (!p)
				continue;
			judge_epoch(c, x, p, at->current_leader_epoch);
			if (k)
				remember(c, k, p, at->fetch_offset);
		}
	}
}

static void feed_answer(struct check *c, struct exchange *x, const struct fetch_request *q,
			const struct fetch_response *r)
{
	for (int32_t i = 0; i < r->responses_count; i++) {
		struct str topic = topic_text(c, r->responses[i].topic, r->responses[i].topic_id);

		for (int32_t n = 0; n < r->responses[i].partitions_count; n++) {
			const struct fetch_response_responses_partitions *at =
				&r->responses[i].partitions[n];
			struct place *p =
				place_of(c, x->header.client_id, topic, at->partition_index);

			if (!p)
				continue;
			judge_position(c, x, q, p, at);
			judge_broker(c, x, p, at->error_code != 0);
			take_broker(x, p, at);
			p->reasons += at->error_code == ERROR_OFFSET_OUT_OF_RANGE;
		}
	}
}

static void feed_fetch(struct check *c, struct exchange *x)
{
	const struct fetch_request *q = exchange_request(x);
	const struct fetch_response *r = exchange_response(x);
	struct session *k;

	if (!q || q->replica_id >= 0 || q->replica_state.replica_id >= 0)
		return; /* a broker's own */
	judge_session(c, x, q);
	if (r)
		take_session(c, x, q, r);
	else if (q->session_id && (k = session_of(c, x->conn.broker, q->session_id, false)))
		k->lost++;
	feed_request(c, x, q,
		     r && r->session_id ? session_of(c, x->conn.broker, r->session_id, false)
					: NULL);
	if (r)
		feed_answer(c, x, q, r);
}

static void feed_metadata(struct check *c, struct exchange *x)
{
	const struct metadata_response *r = exchange_response(x);

	for (int32_t i = 0; r && i < r->topics_count; i++)
		for (int32_t n = 0; n < r->topics[i].partitions_count; n++) {
			const struct metadata_response_topics_partitions *at =
				&r->topics[i].partitions[n];
			struct place *p =
				place_of(c, x->header.client_id,
					 topic_text(c, r->topics[i].name, r->topics[i].topic_id),
					 at->partition_index);

			if (p && !at->error_code)
				p->leader = at->leader_id;
		}
}

/* A new assignment is a reason to look where the log begins and ends, for any partition. */
static void note_reason(struct check *c, struct str client)
{
	struct fetches *s = c->state;

	for (struct place *p = s->places; p; p = p->hh.next)
		p->reasons += str_eq(p->client, client);
}

static void feed_list_offsets(struct check *c, struct exchange *x)
{
	const struct list_offsets_request *q = exchange_request(x);
	int64_t limit = c->scope.number >= 0 ? c->scope.number : LOOKED_UP_DEFAULT;

	for (int32_t i = 0; q && i < q->topics_count; i++)
		for (int32_t n = 0; n < q->topics[i].partitions_count; n++) {
			const struct list_offsets_request_topics_partitions *at =
				&q->topics[i].partitions[n];
			struct place *p = place_of(c, x->header.client_id, q->topics[i].name,
						   at->partition_index);

			if (!p || (at->timestamp != TIMESTAMP_EARLIEST &&
				   at->timestamp != TIMESTAMP_LATEST))
				continue;
			p->looked_up++;
			tally(rule_of(c, LOOKS_ONCE), c, p->looked_up > limit * p->reasons,
			      x->request_us,
			      "client '" STR_FMT "' asks for the ends of " STR_FMT
			      "-%d for the %d. time, with %d reasons to (connection %lld "
			      "correlation %d)",
			      STR_ARG(p->client), STR_ARG(p->topic), p->partition, p->looked_up,
			      p->reasons, (long long)x->conn.conn, x->header.correlation_id);
		}
}

static void feed_validation(struct check *c, struct exchange *x)
{
	const struct offset_for_leader_epoch_request *q = exchange_request(x);
	int64_t limit = c->scope.number >= 0 ? c->scope.number : VALIDATED_DEFAULT;

	for (int32_t i = 0; q && q->replica_id < 0 && i < q->topics_count; i++)
		for (int32_t n = 0; n < q->topics[i].partitions_count; n++) {
			const struct offset_for_leader_epoch_request_topics_partitions *at =
				&q->topics[i].partitions[n];
			struct place *p =
				place_of(c, x->header.client_id, q->topics[i].topic, at->partition);

			if (!p)
				continue;
			p->validated = at->current_leader_epoch == p->under ? p->validated + 1 : 1;
			p->under = at->current_leader_epoch;
			tally(rule_of(c, VALIDATES), c, p->validated > limit, x->request_us,
			      "client '" STR_FMT "' asks where epoch %d of " STR_FMT
			      "-%d ended for the %d. time under leader epoch %d (connection %lld "
			      "correlation %d)",
			      STR_ARG(p->client), at->leader_epoch, STR_ARG(p->topic), p->partition,
			      p->validated, p->under, (long long)x->conn.conn,
			      x->header.correlation_id);
		}
}

static void feed_fetches(struct check *c, const struct event *ev)
{
	struct exchange *x = ev->exchange;

	if (ev->kind != EVENT_EXCHANGE || x->state == EXCHANGE_ORPHAN ||
	    !scope_has(c->scope.client, x->header.client_id))
		return;
	switch (x->header.api_key) {
	case API_FETCH:
		feed_fetch(c, x);
		break;
	case API_METADATA:
		feed_metadata(c, x);
		break;
	case API_LIST_OFFSETS:
		feed_list_offsets(c, x);
		break;
	case API_OFFSET_FOR_LEADER_EPOCH:
		feed_validation(c, x);
		break;
	case API_SYNC_GROUP:
	case API_OFFSET_FETCH:
		note_reason(c, x->header.client_id);
		break;
	default:
		break;
	}
}

static void release_fetches(struct check *c)
{
	struct fetches *s = c->state;

	HASH_CLEAR(hh, s->places);
	HASH_CLEAR(hh, s->sessions);
}

static void end_moves_on(struct check *c, struct finding *f)
{
	tally_end(rule_of(c, MOVES_ON), c, f, "answers to move on from",
		  "nobody was given records");
}

const struct check_type check_moves_on = {
	.name = "fetch.moves_on",
	.claim = "what was answered, with records or as out of range, is not asked for again and "
		 "again (10 times, or the number given)",
	.see = "KAFKA-5443: behind a batch its last offset counts, not its last record",
	.needs = NEEDS_WIRE,
	.args = {ARG_CLIENT, ARG_NUMBER},
	.state_size = sizeof(struct fetches),
	.feed = feed_fetches,
	.end = end_moves_on,
	.release = release_fetches,
};

static void end_sessions(struct check *c, struct finding *f)
{
	tally_end(rule_of(c, SESSIONS), c, f,
		  "requests, those in sessions each with the next epoch", "nobody fetched");
}

const struct check_type check_sessions = {
	.name = "fetch.sessions",
	.claim = "a fetch session's epochs count up by one, and one that was refused is not used "
		 "again",
	.see = "KIP-227",
	.needs = NEEDS_WIRE,
	.args = {ARG_CLIENT},
	.state_size = sizeof(struct fetches),
	.feed = feed_fetches,
	.end = end_sessions,
	.release = release_fetches,
};

static void end_fetch_epochs(struct check *c, struct finding *f)
{
	tally_end(rule_of(c, EPOCHS), c, f,
		  "requests, none with a leader epoch that is older than known", "nobody fetched");
}

const struct check_type check_fetch_epochs = {
	.name = "fetch.epoch_never_back",
	.claim = "a leader epoch that is older than one that was known is not used",
	.see = "KIP-320",
	.needs = NEEDS_WIRE,
	.args = {ARG_CLIENT},
	.state_size = sizeof(struct fetches),
	.feed = feed_fetches,
	.end = end_fetch_epochs,
	.release = release_fetches,
};

static void end_followers(struct check *c, struct finding *f)
{
	tally_end(rule_of(c, FOLLOWERS), c, f, "requests, to leaders or whom they name",
		  "nobody fetched");
}

const struct check_type check_followers = {
	.name = "fetch.follower_as_named",
	.claim = "a broker that does not lead is asked only if the leader named it, and not again "
		 "and again while it fails (3 times, or the number given)",
	.see = "KIP-392",
	.needs = NEEDS_WIRE,
	.args = {ARG_CLIENT, ARG_NUMBER},
	.state_size = sizeof(struct fetches),
	.feed = feed_fetches,
	.end = end_followers,
	.release = release_fetches,
};

static void end_looks_once(struct check *c, struct finding *f)
{
	tally_end(rule_of(c, LOOKS_ONCE), c, f, "looks at the ends of a log",
		  "nobody asked where a log ends");
}

const struct check_type check_looks_once = {
	.name = "offsets.looked_up_once",
	.claim = "the ends of a log are asked for once for each reason to (3 times at most, or the "
		 "number given)",
	.see = "KIP-392; auto.offset.reset",
	.needs = NEEDS_WIRE,
	.args = {ARG_CLIENT, ARG_NUMBER},
	.state_size = sizeof(struct fetches),
	.feed = feed_fetches,
	.end = end_looks_once,
	.release = release_fetches,
};

static void end_validates(struct check *c, struct finding *f)
{
	tally_end(rule_of(c, VALIDATES), c, f, "questions where an epoch ended",
		  "nobody asked where a leader epoch ended");
}

const struct check_type check_validates = {
	.name = "offsets.validated_once",
	.claim = "under one leader epoch a client asks at most 10 times where its own epoch ended "
		 "(or so often as the number says)",
	.see = "KIP-320",
	.needs = NEEDS_WIRE,
	.args = {ARG_CLIENT, ARG_NUMBER},
	.state_size = sizeof(struct fetches),
	.feed = feed_fetches,
	.end = end_validates,
	.release = release_fetches,
};
