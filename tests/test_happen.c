/* What can happen to a cluster, in virtual time, and the grammar in which it is asked for. */
#include "mock/happen.h"
#include "tests/mock_records.h"

#include <stdio.h>

static struct metadata_response_topics_partitions partition_of(struct fixture *f, int32_t broker,
							       const char *topic, int32_t index)
{
	struct metadata_request q = DEFAULTS_metadata_request;
	struct metadata_request_topics asked = {.name = str_of(topic)};
	const struct metadata_response *r;

	q.topics = &asked;
	q.topics_count = 1;
	q.allow_auto_topic_creation = false;
	r = mock_ask(f, broker, API_METADATA, 9, &q);
	if (r->topics_count == 1 && r->topics[0].partitions_count > index)
		return r->topics[0].partitions[index];
	return (struct metadata_response_topics_partitions){
		.error_code = r->topics_count ? r->topics[0].error_code : -1, .leader_id = -9};
}

static int16_t fetch_code(struct fixture *f, int32_t broker, int32_t epoch, int64_t offset)
{
	struct fetch_request_one one;
	const struct fetch_response *r;

	mock_fetch_one(&one, "t", 0, offset, 0);
	one.partition.current_leader_epoch = epoch;
	r = mock_ask(f, broker, API_FETCH, 10, &one.q); /* the last that only leaders serve */
	return r->responses_count ? r->responses[0].partitions[0].error_code : INT16_MIN;
}

TEST(a_broker_that_goes_down_loses_leadership_and_sync_and_gets_sync_back)
{
	struct fixture f;
	struct metadata_response_topics_partitions p;

	mock_start(&f, 3);
	mock_topic(&f, "t", 1, 1);
	CHECK_TEXT(mock_happen(&f, "broker-down broker=1"), "");
	p = partition_of(&f, 2, "t", 0);
	CHECK_EQ(p.leader_id, 2);
	CHECK_EQ(p.leader_epoch, 1);
	CHECK_EQ(p.isr_nodes_count, 2);
	CHECK_EQ(p.offline_replicas_count, 1);
	CHECK_TEXT(mock_happen(&f, "broker-up broker=1"), "");
	p = partition_of(&f, 2, "t", 0);
	CHECK_EQ(p.leader_id, 2);
	CHECK_EQ(p.leader_epoch, 1);
	CHECK_EQ(p.isr_nodes_count, 3);
	CHECK(strstr(buf_cstr(&f.cluster_events), "broker-down {\"broker\":1}") != NULL);
	CHECK(strstr(buf_cstr(&f.cluster_events), "leader-moved {\"topic\":\"t\"") != NULL);
	mock_end(&f);
}

TEST(the_last_replica_in_sync_stays_it_and_leads_again_when_it_is_back)
{
	struct fixture f;
	struct metadata_response_topics_partitions p;

	mock_start(&f, 2);
	mock_topic(&f, "t", 1, 1);
	mock_happen(&f, "broker-down broker=2");
	mock_happen(&f, "broker-down broker=1");
	CHECK_TEXT(mock_happen(&f, "broker-down broker=1"), "broker 1 is down already");
	mock_happen(&f, "broker-up broker=2");
	p = partition_of(&f, 2, "t", 0);
	CHECK_EQ(p.leader_id, -1);
	CHECK_EQ(p.error_code, ERROR_LEADER_NOT_AVAILABLE);
	mock_happen(&f, "broker-up broker=1");
	CHECK_EQ(partition_of(&f, 2, "t", 0).leader_id, 1);
	mock_end(&f);
}

TEST(a_moved_leader_is_no_leader_and_an_old_epoch_is_fenced)
{
	struct fixture f;

	mock_start(&f, 2);
	mock_topic(&f, "t", 1, 1);
	CHECK_EQ(fetch_code(&f, 1, 0, 0), ERROR_NONE);
	CHECK_TEXT(mock_happen(&f, "leader-move topic=t partition=0"), "");
	CHECK_EQ(fetch_code(&f, 1, -1, 0), ERROR_NOT_LEADER_OR_FOLLOWER);
	CHECK_EQ(fetch_code(&f, 2, 0, 0), ERROR_FENCED_LEADER_EPOCH);
	CHECK_EQ(fetch_code(&f, 2, 1, 0), ERROR_NONE);
	CHECK_TEXT(mock_happen(&f, "epoch-bump topic=t partition=0"), "");
	CHECK_EQ(fetch_code(&f, 2, 1, 0), ERROR_FENCED_LEADER_EPOCH);
	CHECK_EQ(partition_of(&f, 1, "t", 0).leader_epoch, 2);
	mock_end(&f);
}

TEST(a_produce_to_the_old_leader_is_refused_in_every_version)
{
	struct fixture f;

	mock_start(&f, 2);
	mock_topic(&f, "t", 1, 1);
	mock_happen(&f, "leader-move topic=t partition=0");
	for (int version = 3; version <= 12; version++) {
		const struct produce_response_responses_partition_responses *p =
			mock_produce_at(&f, version, "t", 0, 1, mock_batch(&f, 1, NULL));

		CHECK_EQ(p->error_code, ERROR_NOT_LEADER_OR_FOLLOWER);
	}
	mock_end(&f);
}

TEST(a_waiting_fetch_learns_at_once_that_the_leader_moved)
{
	struct fixture f;
	struct fetch_request_one one;
	struct exchange_run *x;

	mock_start(&f, 2);
	mock_topic(&f, "t", 1, 1);
	mock_fetch_one(&one, "t", 0, 0, 60000);
	x = mock_send(&f, 1, API_FETCH, 10, &one.q);
	CHECK_EQ(x->result, CALL_WAIT);
	mock_happen(&f, "leader-move topic=t partition=0");
	CHECK_EQ(x->result, CALL_ANSWER);
	mock_end(&f);
}

TEST(an_unclean_election_ends_the_log_at_a_batch_and_forgets_who_wrote_behind_it)
{
	struct fixture f;
	struct batch_options options = mock_idempotent(7, 0, 0);
	const struct produce_response_responses_partition_responses *p;

	mock_start(&f, 2);
	mock_topic(&f, "t", 1, 1);
	mock_produce(&f, "t", 0, 1, mock_batch(&f, 3, NULL));
	mock_produce(&f, "t", 0, 1, mock_batch(&f, 2, &options));
	CHECK_TEXT(mock_happen(&f, "unclean-election topic=t partition=0 offset=4 to=2"), "");
	CHECK_TEXT(mock_happen(&f, "leader-move topic=t partition=0 to=1"), "");
	CHECK_EQ(fetch_code(&f, 1, -1, 3), ERROR_NONE);
	CHECK_EQ(fetch_code(&f, 1, -1, 4), ERROR_OFFSET_OUT_OF_RANGE);
	p = mock_produce(&f, "t", 0, 1, mock_batch(&f, 2, &options));
	CHECK_EQ(p->error_code, ERROR_NONE);
	CHECK_EQ(p->base_offset, 3);
	mock_end(&f);
}

TEST(what_lies_before_a_moved_log_start_is_out_of_range)
{
	struct fixture f;

	mock_start(&f, 1);
	mock_topic(&f, "t", 1, 1);
	mock_produce(&f, "t", 0, 1, mock_batch(&f, 3, NULL));
	mock_produce(&f, "t", 0, 1, mock_batch(&f, 3, NULL));
	CHECK_TEXT(mock_happen(&f, "log-start-move topic=t partition=0 offset=7"),
		   "the log reaches from 0 to 6");
	CHECK_TEXT(mock_happen(&f, "log-start-move topic=t partition=0 offset=4"), "");
	CHECK_EQ(fetch_code(&f, 1, -1, 3), ERROR_OFFSET_OUT_OF_RANGE);
	CHECK_EQ(fetch_code(&f, 1, -1, 4), ERROR_NONE);
	mock_end(&f);
}

static int16_t beat_code(struct fixture *f, int32_t broker)
{
	struct heartbeat_request q = DEFAULTS_heartbeat_request;
	const struct heartbeat_response *r;

	q.group_id = str_of("g");
	q.member_id = str_of("m");
	r = mock_ask(f, broker, API_HEARTBEAT, 3, &q);
	return r->error_code;
}

static int16_t offsets_code(struct fixture *f, int32_t broker)
{
	struct offset_fetch_request q = DEFAULTS_offset_fetch_request;
	const struct offset_fetch_response *r;

	q.group_id = str_of("g");
	q.topics_count = -1;
	r = mock_ask(f, broker, API_OFFSET_FETCH, 5, &q);
	return r->error_code;
}

static int32_t coordinator(struct fixture *f, int16_t *ret_code)
{
	struct find_coordinator_request q = DEFAULTS_find_coordinator_request;
	const struct find_coordinator_response *r;

	q.key = str_of("g");
	r = mock_ask(f, 1, API_FIND_COORDINATOR, 2, &q);
	*ret_code = r->error_code;
	return r->node_id;
}

TEST(a_coordinator_moves_and_loads)
{
	struct fixture f;
	int16_t code;
	int32_t first;
	char text[80];

	mock_start(&f, 2);
	first = coordinator(&f, &code);
	snprintf(text, sizeof(text), "coordinator-move group=g to=%d", 3 - first);
	CHECK_TEXT(mock_happen(&f, text), "");
	CHECK_EQ(coordinator(&f, &code), 3 - first);
	CHECK_EQ(beat_code(&f, first), ERROR_NOT_COORDINATOR);
	CHECK_EQ(beat_code(&f, 3 - first), ERROR_UNKNOWN_MEMBER_ID);
	CHECK_TEXT(mock_happen(&f, "coordinator-load group=g for=2s"), "");
	CHECK_EQ(beat_code(&f, 3 - first), ERROR_NONE);
	CHECK_EQ(offsets_code(&f, 3 - first), ERROR_COORDINATOR_LOAD_IN_PROGRESS);
	mock_advance(&f, MS(2000));
	CHECK_EQ(beat_code(&f, 3 - first), ERROR_UNKNOWN_MEMBER_ID);
	CHECK_TEXT(mock_happen(&f, "coordinator-move group=g"), "");
	CHECK_EQ(coordinator(&f, &code), first);
	mock_end(&f);
}

/* semantics: rule 7 */
TEST(rule_7_after_a_cold_start_clients_must_try_again)
{
	struct fixture f;
	int16_t code;

	mock_start(&f, 1);
	CHECK_TEXT(mock_happen(&f, "cold-start for=500ms"), "");
	CHECK_EQ(coordinator(&f, &code), -1);
	CHECK_EQ(code, ERROR_COORDINATOR_NOT_AVAILABLE);
	CHECK_EQ(offsets_code(&f, 1), ERROR_COORDINATOR_LOAD_IN_PROGRESS);
	mock_advance(&f, MS(500));
	CHECK_EQ(coordinator(&f, &code), 1);
	CHECK_EQ(code, ERROR_NONE);
	mock_end(&f);
}

TEST(a_hidden_topic_is_unknown_to_metadata_of_that_broker_and_still_there)
{
	struct fixture f;

	mock_start(&f, 2);
	mock_topic(&f, "t", 1, 1);
	CHECK_TEXT(mock_happen(&f, "metadata-hide topic=t broker=2 for=1s"), "");
	CHECK_EQ(partition_of(&f, 1, "t", 0).leader_id, 1);
	CHECK_EQ(partition_of(&f, 2, "t", 0).error_code, ERROR_UNKNOWN_TOPIC_OR_PARTITION);
	CHECK_EQ(fetch_code(&f, 1, -1, 0), ERROR_NONE);
	mock_advance(&f, MS(1000));
	CHECK_EQ(partition_of(&f, 2, "t", 0).leader_id, 1);
	mock_happen(&f, "metadata-hide topic=t");
	CHECK_EQ(partition_of(&f, 1, "t", 0).error_code, ERROR_UNKNOWN_TOPIC_OR_PARTITION);
	mock_happen(&f, "metadata-show topic=t");
	CHECK_EQ(partition_of(&f, 1, "t", 0).leader_id, 1);
	mock_end(&f);
}

TEST(stale_metadata_is_what_was_of_that_broker_until_its_time_is_over)
{
	struct fixture f;
	struct metadata_response_topics_partitions p;

	mock_start(&f, 3);
	mock_topic(&f, "t", 1, 1);
	CHECK_TEXT(mock_happen(&f, "metadata-stale broker=3 for=10s"), "");
	CHECK_TEXT(mock_happen(&f, "broker-down broker=1"), "");
	CHECK_TEXT(mock_happen(&f, "topic-create topic=late"), "");
	CHECK_EQ(partition_of(&f, 2, "t", 0).leader_id, 2);
	p = partition_of(&f, 3, "t", 0);
	CHECK_EQ(p.leader_id, 1);
	CHECK_EQ(p.leader_epoch, 0);
	CHECK_EQ(p.isr_nodes_count, 3);
	CHECK_EQ(p.offline_replicas_count, 0);
	CHECK_EQ(partition_of(&f, 3, "late", 0).error_code, ERROR_UNKNOWN_TOPIC_OR_PARTITION);
	mock_advance(&f, MS(10000));
	CHECK_EQ(partition_of(&f, 3, "t", 0).leader_id, 2);
	CHECK_EQ(partition_of(&f, 3, "late", 0).error_code, ERROR_NONE);
	mock_end(&f);
}

TEST(stale_metadata_has_the_old_id_of_a_topic_made_anew_until_it_is_fresh)
{
	struct fixture f;
	struct metadata_request q = DEFAULTS_metadata_request;
	const struct metadata_response *before, *after;

	mock_start(&f, 2);
	mock_topic(&f, "t", 2, 1);
	q.topics_count = -1;
	before = mock_ask(&f, 1, API_METADATA, 12, &q);
	CHECK_TEXT(mock_happen(&f, "metadata-stale"), "");
	CHECK_TEXT(mock_happen(&f, "topic-recreate topic=t"), "");
	after = mock_ask(&f, 2, API_METADATA, 12, &q);
	CHECK_EQ(after->brokers_count, 2);
	CHECK_EQ(after->topics_count, 1);
	CHECK(uuid_eq(after->topics[0].topic_id, before->topics[0].topic_id));
	CHECK_TEXT(mock_happen(&f, "metadata-fresh broker=2"), "");
	after = mock_ask(&f, 2, API_METADATA, 12, &q);
	CHECK(!uuid_eq(after->topics[0].topic_id, before->topics[0].topic_id));
	after = mock_ask(&f, 1, API_METADATA, 12, &q);
	CHECK(uuid_eq(after->topics[0].topic_id, before->topics[0].topic_id));
	mock_happen(&f, "broker-down broker=1");
	mock_happen(&f, "broker-up broker=1");
	after = mock_ask(&f, 1, API_METADATA, 12, &q);
	CHECK(!uuid_eq(after->topics[0].topic_id, before->topics[0].topic_id));
	mock_end(&f);
}

TEST(clients_are_told_the_changed_listener)
{
	struct fixture f;
	const struct metadata_response *r;
	struct metadata_request q = DEFAULTS_metadata_request;

	mock_start(&f, 1);
	CHECK_TEXT(mock_happen(&f, "listener-change broker=1 host=elsewhere port=7"), "");
	r = mock_ask(&f, 1, API_METADATA, 9, &q);
	CHECK_STR(r->brokers[0].host, "elsewhere");
	CHECK_EQ(r->brokers[0].port, 7);
	CHECK_TEXT(mock_happen(&f, "broker-move broker=1 port=8 how=reset"), "");
	CHECK_EQ(((const struct metadata_response *)mock_ask(&f, 1, API_METADATA, 9, &q))
			 ->brokers[0]
			 .port,
		 8);
	CHECK_TEXT(mock_happen(&f, "broker-move broker=1 how=slowly"),
		   "how is refuse, reset or serve, not 'slowly'");
	mock_end(&f);
}

TEST(while_all_brokers_are_down_nothing_new_is_made)
{
	static const char why[] = "all brokers are down: nobody could lead a new partition";
	struct fixture f;

	mock_start(&f, 1);
	mock_topic(&f, "t", 1, 1);
	mock_happen(&f, "broker-down broker=1");
	CHECK_TEXT(mock_happen(&f, "partitions-add topic=t partitions=2"), why);
	CHECK_TEXT(mock_happen(&f, "topic-recreate topic=t"), why);
	mock_happen(&f, "broker-up broker=1");
	CHECK_TEXT(mock_happen(&f, "partitions-add topic=t partitions=2"), "");
	CHECK_EQ(partition_of(&f, 1, "t", 1).leader_id, 1);
	mock_end(&f);
}

TEST(what_can_not_happen_is_refused_with_its_place)
{
	static const struct {
		const char *text, *why;
		int column;
	} cases[] = {
		{"", "an event is wanted, such as broker-down", 0},
		{"broker-dwn broker=1",
		 "there is no event 'broker-dwn'; did you mean 'broker-down'?", 0},
		{"broker-down", "broker-down lacks broker=", 11},
		{"broker-down broker=x", "broker can't be 'x'", 19},
		{"broker-down topic=t",
		 "broker-down takes broker how?, each with =VALUE, not 'topic=t'", 12},
		{"cold-start for=5", "for can't be '5'", 15},
	};
	struct fixture f;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct happening h;
		struct error e = ERROR_INIT;

		CHECK_EQ(happening_parse(str_of(cases[i].text), &h, &e), ERR_USAGE);
		CHECK_TEXT(e.text, cases[i].why);
		CHECK_EQ(e.offset, cases[i].column);
	}
	mock_start(&f, 1);
	mock_topic(&f, "t", 1, 1);
	CHECK_TEXT(mock_happen(&f, "broker-down broker=2"), "there is no broker 2");
	CHECK_TEXT(mock_happen(&f, "metadata-stale broker=2"), "there is no broker 2");
	CHECK_TEXT(mock_happen(&f, "leader-move topic=x partition=0"), "there is no topic 'x'");
	CHECK_TEXT(mock_happen(&f, "leader-move topic=t partition=5"),
		   "topic 't' has no partition 5");
	CHECK_TEXT(mock_happen(&f, "leader-move topic=t partition=0"),
		   "the partition has no other live replica");
	CHECK_TEXT(mock_happen(&f, "rebalance group=g"), "there is no group 'g'");
	mock_end(&f);
}
