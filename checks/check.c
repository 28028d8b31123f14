/* The table of checks and the set that feeds them. Knows the life of a check (added, fed, ended)
 * and how a finding is written down; what is right or wrong stands in the checks' own files. */
#include "checks/check.h"

#include "checks/types.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FAULTS_SHOWN	 2
#define CHECKS_ARENA_MAX ((size_t)512 << 20)

static const struct check_type *const types[] = {
	/* producers */
	&check_no_loss,
	&check_no_duplicates,
	&check_as_sent,
	&check_true_offsets,
	&check_no_error,
	&check_all_answered,
	&check_order,
	&check_sent_offsets,
	&check_sequences,
	&check_in_flight,
	&check_backoff,
	&check_backoff_grows,
	&check_no_resend,
	&check_no_send_after_fatal,
	&check_wire_sequences,
	&check_wire_order,
	&check_wire_once,
	/* consumers */
	&check_consistent,
	&check_all_given,
	&check_nothing_passed_over,
	&check_once,
	&check_no_step_back,
	&check_no_step_back_within,
	&check_no_skip,
	&check_no_skip_within,
	&check_no_control,
	&check_aborted,
	&check_open,
	&check_moves_on,
	&check_sessions,
	&check_fetch_epochs,
	&check_followers,
	&check_looks_once,
	&check_validates,
	&check_committed_as_told,
	/* transactions */
	&check_txn_added,
	&check_txn_no_commit,
	&check_txn_epoch,
	&check_txn_member,
	&check_txn_told,
	&check_txn_order,
	&check_txn_alone,
	&check_write_cycles,
	&check_read_cycles,
	/* groups */
	&check_one_owner,
	&check_wire_read_on,
	&check_one_join,
	&check_member_id,
	&check_fenced,
	&check_heartbeats,
	&check_quiet,
	&check_leaves,
	&check_assigns_all,
	&check_hands_over,
	&check_own_commits,
	&check_kip848_joins,
	&check_kip848_epochs,
	&check_kip848_owns,
	&check_kip848_returns,
	&check_kip848_leaves,
	&check_kip848_stops,
	/* connections */
	&check_throttle,
	&check_mismatch,
	&check_wire_answered,
	&check_attempts,
	&check_addresses,
	&check_refresh,
	&check_rate,
	/* everywhere */
	&check_u1,
	&check_u2,
	&check_u3,
	&check_u4,
	&check_u5,
	&check_u6,
	&check_u7,
	&check_u8,
};

const struct check_type *const *check_types(size_t *ret_count)
{
	*ret_count = sizeof(types) / sizeof(types[0]);
	return types;
}

const struct check_type *check_type_find(struct str name)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (str_is(name, types[i]->name))
			return types[i];
	return NULL;
}

const char *check_type_nearest(struct str name)
{
	const char *best = NULL;
	int best_distance = 5;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		int distance = str_distance(name, str_of(types[i]->name));

		if (distance < best_distance && distance * 2 <= name.len) {
			best_distance = distance;
			best = types[i]->name;
		}
	}
	return best;
}

static void on_event(void *ctx, const struct event *ev)
{
	checks_feed(ctx, ev);
}

void checks_init(struct checks *set)
{
	*set = (struct checks){.sink = {.on_event = on_event, .ctx = set},
			       .history = history_new()};
	arena_init(&set->arena, CHECKS_ARENA_MAX);
}

void checks_release(struct checks *set)
{
	for (int32_t i = 0; i < set->count; i++) {
		struct check *c = &set->list[i];

		if (c->type->release)
			c->type->release(c);
		free(c->state);
	}
	free(set->list);
	history_free(set->history);
	arena_release(&set->arena);
	*set = (struct checks){0};
}

int32_t checks_add(struct checks *set, const struct check_type *type,
		   const struct check_scope *scope)
{
	struct check *c;

	if (set->count == CHECKS_MAX)
		return -1;
	if (set->count == set->cap) {
		set->cap = set->cap ? set->cap * 2 : 32;
		set->list = realloc(set->list, (size_t)set->cap * sizeof(*set->list));
		if (!set->list)
			abort();
	}
	if (type->batches)
		history_keep_batches(set->history);
	c = &set->list[set->count];
	*c = (struct check){.type = type, .history = set->history, .arena = &set->arena};
	c->scope.client =
		scope->client.data ? arena_str(&set->arena, scope->client) : scope->client;
	c->scope.topic = scope->topic.data ? arena_str(&set->arena, scope->topic) : scope->topic;
	c->scope.group = scope->group.data ? arena_str(&set->arena, scope->group) : scope->group;
	c->scope.number = scope->number;
	c->state = calloc(1, type->state_size ? type->state_size : 1);
	if (!c->state)
		abort();
	return set->count++;
}

void checks_add_universal(struct checks *set)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i]->universal)
			checks_add(set, types[i], &(struct check_scope){.number = -1});
}

void checks_add_capture(struct checks *set)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i]->capture)
			checks_add(set, types[i], &(struct check_scope){.number = -1});
}

void checks_feed(struct checks *set, const struct event *ev)
{
	history_feed(set->history, ev);
	set->exchanges += ev->kind == EVENT_EXCHANGE;
	for (int32_t i = 0; i < set->count; i++)
		if (set->list[i].type->feed)
			set->list[i].type->feed(&set->list[i], ev);
}

static const char *missing(unsigned lacks)
{
	return lacks & NEEDS_LOG       ? "what the broker persisted"
	       : lacks & NEEDS_REPORTS ? "what the subject said"
				       : "the wire";
}

static void end_one(struct check *c, unsigned sources)
{
	struct finding *f = &c->finding;

	*f = (struct finding){.arena = c->arena};
	finding_expected(f, "%s", c->type->claim);
	if (c->type->needs & ~sources) {
		finding_set(f, FINDING_NOT_APPLICABLE, "this source does not have %s",
			    missing(c->type->needs & ~sources));
		return;
	}
	if (c->history->full && c->type->needs & (NEEDS_LOG | NEEDS_REPORTS)) {
		finding_set(f, FINDING_INCONCLUSIVE,
			    "more was said and written than fits into %zu MiB",
			    HISTORY_SIZE_MAX >> 20);
		return;
	}
	if (c->type->batches && c->history->batches->full) {
		finding_set(f, FINDING_INCONCLUSIVE, "more batches were sent than fit");
		return;
	}
	c->type->end(c, f);
}

void checks_end(struct checks *set, unsigned sources)
{
	for (int32_t i = 0; i < set->count; i++)
		end_one(&set->list[i], sources);
}

struct str check_text(const struct check *c, struct arena *arena)
{
	const struct check_scope *s = &c->scope;
	struct str parts[] = {s->client, s->topic, s->group};
	struct buf b;
	struct str text;
	bool comma = false;

	buf_init(&b, 4096);
	buf_printf(&b, "%s", c->type->name);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (!parts[i].data)
			continue;
		buf_printf(&b, "%s" STR_FMT, comma ? ", " : "(", STR_ARG(parts[i]));
		comma = true;
	}
	if (s->number >= 0)
		buf_printf(&b, "%s%lld", comma ? ", " : "(", (long long)s->number);
	if (comma || s->number >= 0)
		buf_byte(&b, ')');
	text = arena_str(arena, (struct str){(const char *)b.data, (int32_t)b.len});
	buf_release(&b);
	return text;
}

const char *finding_result_name(enum finding_result r)
{
	static const char *const names[] = {"pass", "fail", "not applicable", "inconclusive"};

	return names[r];
}

static struct str printed(struct arena *arena, const char *fmt, va_list args)
{
	char text[2000];

	vsnprintf(text, sizeof(text), fmt, args);
	return arena_str(arena, str_of(text));
}

void finding_expected(struct finding *f, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	f->expected = printed(f->arena, fmt, args);
	va_end(args);
}

void finding_set(struct finding *f, enum finding_result result, const char *fmt, ...)
{
	va_list args;

	f->result = result;
	va_start(args, fmt);
	f->actual = printed(f->arena, fmt, args);
	va_end(args);
}

/* In order of time; equal times in order of arrival; each text once. */
static void insert_moment(struct finding *f, int64_t time_us, struct str text)
{
	int32_t at = f->moments_count;

	for (int32_t i = 0; i < f->moments_count; i++)
		if (f->moments[i].time_us == time_us && str_eq(f->moments[i].text, text))
			return;
	while (at > 0 && f->moments[at - 1].time_us > time_us) {
		f->moments[at] = f->moments[at - 1];
		at--;
	}
	f->moments[at] = (struct finding_moment){.time_us = time_us, .text = text};
	f->moments_count++;
}

void finding_moment(struct finding *f, int64_t time_us, const char *fmt, ...)
{
	va_list args;

	if (!time_us || f->moments_count == FINDING_MOMENTS_MAX)
		return;
	va_start(args, fmt);
	insert_moment(f, time_us, printed(f->arena, fmt, args));
	va_end(args);
}

void finding_fault_before(struct finding *f, const struct history *h, int64_t time_us)
{
	size_t n = 0;

	/* Faults stand in the order of their events; the last FAULTS_SHOWN before the time count.
	 */
	for (size_t i = h->faults_count; i-- > 0 && n < FAULTS_SHOWN;) {
		if (h->faults[i].time_us > time_us || !h->faults[i].time_us)
			continue;
		n++;
		if (f->moments_count < FINDING_MOMENTS_MAX)
			insert_moment(f, h->faults[i].time_us,
				      arena_str(f->arena, h->faults[i].text));
	}
}

struct history_subject *scope_subject(const struct check *c, struct history_subject *after)
{
	struct history_subject *s = after ? after->next : c->history->subjects;

	while (s && !scope_has(c->scope.client, s->name))
		s = s->next;
	return s;
}
