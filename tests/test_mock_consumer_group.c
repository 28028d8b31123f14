/* KIP-848 groups in virtual time: rules 32 to 34 of the acceptance text. */
#include "mock/happen.h"
#include "tests/mock_fixture.h"

#include <stdio.h>

typedef struct consumer_group_heartbeat_request heartbeat;
typedef struct consumer_group_heartbeat_request_topic_partitions owned_topic;
typedef struct consumer_group_heartbeat_response answer;

static struct str topic_name = {"t", 1};

static heartbeat join(const char *member)
{
	heartbeat q = DEFAULTS_consumer_group_heartbeat_request;

	q.group_id = str_of("g");
	q.member_id = str_of(member);
	q.rebalance_timeout_ms = 5000;
	q.subscribed_topic_names = &topic_name;
	q.subscribed_topic_names_count = 1;
	q.topic_partitions_count = 0;
	return q;
}

static heartbeat at_epoch(const char *member, int32_t epoch)
{
	heartbeat q = DEFAULTS_consumer_group_heartbeat_request;

	q.group_id = str_of("g");
	q.member_id = str_of(member);
	q.member_epoch = epoch;
	return q;
}

static answer ask(struct fixture *f, const heartbeat *q)
{
	return *(const answer *)mock_ask(f, 1, API_CONSUMER_GROUP_HEARTBEAT, 1, q);
}

static int32_t given(answer r)
{
	int32_t count = 0;

	if (!r.assignment)
		return -1;
	for (int32_t i = 0; i < r.assignment->topic_partitions_count; i++)
		count += r.assignment->topic_partitions[i].partitions_count;
	return count;
}

TEST(rule_32_a_first_beat_is_checked_whole)
{
	struct fixture f;
	heartbeat q = join("a");

	mock_start(&f, 1);
	q.rebalance_timeout_ms = -1;
	CHECK_EQ(ask(&f, &q).error_code, ERROR_INVALID_REQUEST);
	q = join("a");
	q.topic_partitions_count = -1;
	CHECK_EQ(ask(&f, &q).error_code, ERROR_INVALID_REQUEST);
	q = join("a");
	q.subscribed_topic_names_count = -1;
	CHECK_EQ(ask(&f, &q).error_code, ERROR_INVALID_REQUEST);
	q = join("");
	CHECK_EQ(ask(&f, &q).error_code, ERROR_INVALID_REQUEST);
	q = join("a");
	q.server_assignor = str_of("sticky");
	CHECK_EQ(ask(&f, &q).error_code, ERROR_UNSUPPORTED_ASSIGNOR);
	q = join("a");
	q.subscribed_topic_regex = str_of("a(");
	CHECK_EQ(ask(&f, &q).error_code, ERROR_INVALID_REGULAR_EXPRESSION);
	q = at_epoch("a", 4);
	CHECK_EQ(ask(&f, &q).error_code, ERROR_GROUP_ID_NOT_FOUND);
	q = join("a");
	CHECK_EQ(ask(&f, &q).error_code, 0);
	q = at_epoch("b", 4);
	CHECK_EQ(ask(&f, &q).error_code, ERROR_UNKNOWN_MEMBER_ID);
	q = at_epoch("a", 3);
	CHECK_EQ(ask(&f, &q).error_code, ERROR_FENCED_MEMBER_EPOCH);
	mock_end(&f);
}

TEST(rule_33_the_first_member_jumps_to_epoch_2_with_everything)
{
	struct fixture f;
	heartbeat q = join("a");
	answer r;

	mock_start(&f, 1);
	mock_topic(&f, "t", 4, -1);
	r = ask(&f, &q);
	CHECK_EQ(r.member_epoch, 2);
	CHECK_EQ(r.heartbeat_interval_ms, 5000);
	CHECK_EQ(given(r), 4);
	q = at_epoch("a", 2);
	CHECK_EQ(given(ask(&f, &q)), -1);
	mock_end(&f);
}

/* The owned partitions of what r assigned, as a member echoes them; only the first topic. */
static void echo(answer r, owned_topic *t, int32_t room[16])
{
	*t = (owned_topic)DEFAULTS_consumer_group_heartbeat_request_topic_partitions;
	if (!r.assignment || !r.assignment->topic_partitions_count)
		return;
	t->topic_id = r.assignment->topic_partitions[0].topic_id;
	t->partitions_count = r.assignment->topic_partitions[0].partitions_count;
	memcpy(room, r.assignment->topic_partitions[0].partitions,
	       (size_t)t->partitions_count * sizeof(int32_t));
	t->partitions = room;
}

TEST(rule_33_partitions_move_only_after_their_owner_gave_them_up)
{
	struct fixture f;
	heartbeat a = join("a"), b = join("b");
	owned_topic owned;
	int32_t room[16];
	answer r;

	mock_start(&f, 1);
	mock_topic(&f, "t", 4, -1);
	echo(ask(&f, &a), &owned, room);
	r = ask(&f, &b); /* within the second: no new target yet */
	CHECK_EQ(r.member_epoch, 2);
	CHECK_EQ(given(r), 0);
	mock_advance(&f, MS(1000));
	b = at_epoch("b", 2);
	r = ask(&f, &b); /* the newcomer moves first, with nothing */
	CHECK_EQ(r.member_epoch, 3);
	CHECK_EQ(given(r), -1);
	a = at_epoch("a", 2);
	a.topic_partitions = &owned;
	a.topic_partitions_count = 1;
	r = ask(&f, &a); /* told to keep less, epoch unchanged */
	CHECK_EQ(r.member_epoch, 2);
	CHECK_EQ(given(r), 2);
	b = at_epoch("b", 3);
	CHECK_EQ(given(ask(&f, &b)), -1);
	CHECK_EQ(ask(&f, &a).member_epoch, 2); /* still echoes all four */
	echo(r, &owned, room);
	CHECK_EQ(ask(&f, &a).member_epoch, 3);
	r = ask(&f, &b);
	CHECK_EQ(r.member_epoch, 3);
	CHECK_EQ(given(r), 2);
	mock_end(&f);
}

TEST(rule_33_who_does_not_give_up_in_time_is_removed)
{
	struct fixture f;
	heartbeat a = join("a"), b = join("b");

	mock_start(&f, 1);
	mock_topic(&f, "t", 4, -1);
	ask(&f, &a);
	ask(&f, &b);
	mock_advance(&f, MS(1000));
	a = at_epoch("a", 2);
	b = at_epoch("b", 2);
	ask(&f, &b);
	CHECK_EQ(given(ask(&f, &a)), 2);
	mock_advance(&f, MS(4999));
	CHECK_EQ(ask(&f, &a).error_code, 0);
	mock_advance(&f, MS(1));
	CHECK_EQ(ask(&f, &a).error_code, ERROR_UNKNOWN_MEMBER_ID);
	b = at_epoch("b", 3);
	CHECK_EQ(given(ask(&f, &b)), 4);
	mock_end(&f);
}

TEST(rule_32_static_members_take_their_instance_over_once_it_is_released)
{
	struct fixture f;
	heartbeat q = join("a");

	mock_start(&f, 1);
	mock_topic(&f, "t", 2, -1);
	q.instance_id = str_of("i");
	CHECK_EQ(ask(&f, &q).error_code, 0);
	q.member_id = str_of("b");
	CHECK_EQ(ask(&f, &q).error_code, ERROR_UNRELEASED_INSTANCE_ID);
	q = at_epoch("a", -2);
	q.instance_id = str_of("i");
	CHECK_EQ(ask(&f, &q).member_epoch, -2);
	q = join("b");
	q.instance_id = str_of("i");
	CHECK_EQ(given(ask(&f, &q)), 2);
	q = at_epoch("a", 2);
	q.instance_id = str_of("i");
	CHECK_EQ(ask(&f, &q).error_code, ERROR_FENCED_INSTANCE_ID);
	mock_end(&f);
}

TEST(rule_34_commits_of_a_member_are_held_to_its_epoch)
{
	struct fixture f;
	heartbeat a = join("a");
	struct offset_commit_request q = DEFAULTS_offset_commit_request;
	struct offset_commit_request_topics_partitions p =
		DEFAULTS_offset_commit_request_topics_partitions;
	struct offset_commit_request_topics t = {
		.name = {"t", 1}, .partitions = &p, .partitions_count = 1};
	const struct offset_commit_response *r;

	mock_start(&f, 1);
	mock_topic(&f, "t", 2, -1);
	ask(&f, &a);
	p.committed_offset = 3;
	p.committed_metadata = str_of("");
	q.group_id = str_of("g");
	q.member_id = str_of("a");
	q.topics = &t;
	q.topics_count = 1;
	q.generation_id_or_member_epoch = 1;
	r = mock_ask(&f, 1, API_OFFSET_COMMIT, 9, &q);
	CHECK_EQ(r->topics[0].partitions[0].error_code, ERROR_STALE_MEMBER_EPOCH);
	q.generation_id_or_member_epoch = 2;
	r = mock_ask(&f, 1, API_OFFSET_COMMIT, 8, &q);
	CHECK_EQ(r->topics[0].partitions[0].error_code, ERROR_UNSUPPORTED_VERSION);
	r = mock_ask(&f, 1, API_OFFSET_COMMIT, 9, &q);
	CHECK_EQ(r->topics[0].partitions[0].error_code, 0);
	mock_end(&f);
}

TEST(a_regular_expression_finds_topics_that_come_later)
{
	struct fixture f;
	heartbeat a = join("a");

	mock_start(&f, 1);
	mock_topic(&f, "awesome-1", 2, -1);
	mock_topic(&f, "other", 2, -1);
	a.subscribed_topic_names_count = -1;
	a.subscribed_topic_regex = str_of("awesome.*");
	CHECK_EQ(given(ask(&f, &a)), 2);
	mock_topic(&f, "awesome-2", 3, -1);
	mock_advance(&f, MS(1000));
	a = at_epoch("a", 2);
	CHECK_EQ(given(ask(&f, &a)), 5);
	mock_end(&f);
}

static void happen(struct fixture *f, const char *text)
{
	struct error e = ERROR_INIT;
	struct happening h;

	CHECK_EQ(happening_parse(str_of(text), &h, &e), 0);
	CHECK_EQ(cluster_happen(f->c, &h, f->now, &e), 0);
}

TEST(a_forced_rebalance_is_the_next_epoch_and_a_fenced_member_is_unknown)
{
	struct fixture f;
	heartbeat q = join("a");
	answer r;

	mock_start(&f, 1);
	mock_topic(&f, "t", 2, 1);
	r = ask(&f, &q);
	q = at_epoch("a", r.member_epoch);
	CHECK_EQ(ask(&f, &q).member_epoch, r.member_epoch);
	happen(&f, "rebalance group=g");
	mock_advance(&f, MS(2000));
	CHECK_EQ(ask(&f, &q).member_epoch, r.member_epoch + 1);
	happen(&f, "member-fence group=g member=a");
	q = at_epoch("a", r.member_epoch + 1);
	CHECK_EQ(ask(&f, &q).error_code, ERROR_UNKNOWN_MEMBER_ID);
	mock_end(&f);
}

static int32_t occurrences(const char *text, const char *what)
{
	int32_t n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

TEST(an_event_of_a_large_group_names_some_and_counts_all)
{
	struct fixture f;
	char id[32];

	mock_start(&f, 1);
	mock_topic(&f, "t", 500, -1);
	for (int i = 0; i < 150; i++) {
		heartbeat q;

		snprintf(id, sizeof(id), "member-%03d", i);
		q = join(id);
		if (i == 149)
			buf_reset(&f.cluster_events);
		CHECK_EQ(ask(&f, &q).error_code, 0);
	}
	CHECK_EQ(occurrences(buf_cstr(&f.cluster_events), "group-state "), 2);
	CHECK_EQ(occurrences(buf_cstr(&f.cluster_events), "\"memberCount\":150"), 2);
	CHECK_EQ(occurrences(buf_cstr(&f.cluster_events), "\"id\":\"member-"), 2 * 100);
	CHECK_EQ(occurrences(buf_cstr(&f.cluster_events), "\"assignedCount\":500"), 2);
	CHECK_EQ(occurrences(buf_cstr(&f.cluster_events), "\"topicId\""), 2 * 200);
	mock_end(&f);
}

TEST(members_that_ask_for_the_same_and_for_other_topics_share_what_there_is)
{
	static struct str both[] = {{"t", 1}, {"u", 1}};
	struct fixture f;
	heartbeat a = join("a"), b = join("b"), c = join("c");
	answer r;

	mock_start(&f, 1);
	mock_topic(&f, "t", 2, -1);
	b.subscribed_topic_names = both;
	b.subscribed_topic_names_count = 2;
	CHECK_EQ(given(ask(&f, &a)), 2);
	ask(&f, &b);
	ask(&f, &c);
	mock_topic(&f, "u", 3, -1); /* only b asks for it */
	mock_advance(&f, MS(1500));
	r = ask(&f, &b);
	CHECK_EQ(given(r), 3);
	b.subscribed_topic_names_count = 1; /* and no more */
	b.member_epoch = r.member_epoch;
	mock_advance(&f, MS(1500));
	CHECK_EQ(given(ask(&f, &b)), 0);
	mock_end(&f);
}
