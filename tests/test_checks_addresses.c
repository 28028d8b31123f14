/* Whether a client follows a broker that moves, seen to pass and to fail. */
#include "checks/check.h"
#include "protocol/messages.h"
#include "tests/checks_fixture.h"
#include "tests/test.h"

#define HOME  9092
#define AWAY  9192
#define LATER 1500 /* ms: past what an answer on its way excuses */

static struct endpoint at(uint16_t port)
{
	return (struct endpoint){.family = 4, .addr = {127, 0, 0, 1}, .port = port};
}

static void told(uint16_t port)
{
	struct metadata_response_brokers broker = {
		.node_id = 1, .host = {"127.0.0.1", 9}, .port = port};
	struct metadata_response r = {.brokers = &broker, .brokers_count = 1};
	struct metadata_request q = DEFAULTS_metadata_request;

	checks_exchange(API_METADATA, 9, &q, &r, 1);
}

static void connects(uint16_t port)
{
	struct event ev = {.kind = EVENT_CONN_OPENED};

	checks_run.conn++;
	checks_run.server = at(port);
	ev.conn = (struct event_conn){
		.conn = checks_run.conn, .broker = 1, .server = checks_run.server};
	checks_event(ev);
}

static void turned_away(uint16_t port)
{
	struct event ev = {.kind = EVENT_CONN_REFUSED};

	ev.conn = (struct event_conn){.broker = 1, .server = at(port)};
	checks_event(ev);
}

static void fetches(void)
{
	struct fetch_request q = DEFAULTS_fetch_request;
	struct fetch_response r = DEFAULTS_fetch_response;

	checks_exchange(API_FETCH, 11, &q, &r, 1);
}

TEST(who_was_told_of_a_move_goes_to_the_new_address)
{
	checks_begin("connection.addresses_followed", -1);
	connects(HOME);
	told(HOME);
	told(AWAY);
	checks_wait_ms(LATER);
	fetches(); /* a connection may live on */
	connects(AWAY);
	fetches();
	CHECK_EQ(checks_verdict(), FINDING_PASS);

	checks_begin("connection.addresses_followed", -1);
	connects(HOME);
	told(HOME);
	told(AWAY);
	checks_wait_ms(LATER);
	connects(HOME);
	told(AWAY); /* what any broker answers may be asked anywhere */
	fetches();
	CHECK_EQ(checks_verdict(), FINDING_FAIL);
}

TEST(who_comes_back_is_where_it_was)
{
	checks_begin("connection.addresses_followed", -1);
	connects(HOME);
	told(HOME);
	told(AWAY);
	told(HOME);
	checks_wait_ms(LATER);
	connects(HOME);
	fetches();
	CHECK_EQ(checks_verdict(), FINDING_PASS);

	checks_begin("connection.addresses_followed", -1);
	connects(HOME);
	told(HOME);
	fetches();
	CHECK_EQ(checks_verdict(), FINDING_NOT_APPLICABLE);
}

TEST(an_address_that_was_left_is_tried_so_often_and_no_more)
{
	for (int more = 0; more < 2; more++) {
		checks_begin("connection.addresses_followed", 3);
		connects(HOME);
		told(HOME);
		turned_away(HOME); /* it could not know */
		told(AWAY);
		turned_away(HOME); /* nor had it read that yet */
		checks_wait_ms(LATER);
		for (int i = 0; i < 3 + more; i++)
			turned_away(HOME);
		CHECK_EQ(checks_verdict(), more ? FINDING_FAIL : FINDING_PASS);
	}
}
