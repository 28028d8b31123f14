/* Releases: what --like makes of the cluster. The ranges named here were seen on running brokers.
 */
#include "mock/profile.h"
#include "tests/mock_fixture.h"

static const struct profile *like(const char *name)
{
	struct error e = ERROR_INIT;
	const struct profile *p = profile_find(str_of(name), &e);

	CHECK_TEXT(e.text, "");
	return p ? p : profile_newest();
}

static void start(struct fixture *f, const char *release, int32_t brokers)
{
	struct cluster_config config = {.brokers = brokers,
					.seed = 1,
					.auto_create = true,
					.like = like(release),
					.bus = &f->bus};

	mock_start(f, 1);
	cluster_free(f->c);
	f->c = cluster_new(&config, f->now);
}

static struct version_range range_of(const struct api_versions_response *r, int key)
{
	for (int32_t i = 0; i < r->api_keys_count; i++)
		if (r->api_keys[i].api_key == key)
			return (struct version_range){r->api_keys[i].min_version,
						      r->api_keys[i].max_version};
	return (struct version_range){0, -1};
}

TEST(a_release_advertises_what_its_brokers_did)
{
	static const struct {
		const char *release;
		int key;
		struct version_range range;
	} seen[] = {
		{"kafka-0.10.0", API_FETCH, {0, 2}},
		{"kafka-0.10.0", API_INIT_PRODUCER_ID, {0, -1}},
		{"kafka-0.11.0", API_PRODUCE, {0, 3}},
		{"kafka-2.3", API_FETCH, {0, 11}},
		{"kafka-2.3.1", API_METADATA, {0, 8}},
		{"kafka-2.3", API_API_VERSIONS, {0, 2}},
		{"kafka-3.9", API_FETCH, {0, 17}},
		{"kafka-4.0", API_FETCH, {4, 17}},
		{"kafka-4.4", API_FETCH, {4, 18}},
		{"4.4", API_CREATE_TOPICS, {2, 7}},
	};
	struct api_versions_request q = DEFAULTS_api_versions_request;

	for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++) {
		struct fixture f;
		struct version_range r;

		start(&f, seen[i].release, 1);
		r = range_of(mock_ask(&f, 1, API_API_VERSIONS, 0, &q), seen[i].key);
		CHECK_EQ(r.min, seen[i].range.min);
		CHECK_EQ(r.max, seen[i].range.max);
		CHECK(!cluster_speaks(f.c, seen[i].key, r.max + 1));
		mock_end(&f);
	}
}

TEST(releases_before_2_4_answer_an_unknown_api_versions_with_nothing)
{
	struct fixture f;
	const char *releases[] = {"kafka-2.3", "kafka-2.4"};

	for (int32_t i = 0; i < 2; i++) {
		struct call call = {.broker = 1,
				    .header = {.api_key = API_API_VERSIONS, .api_version = 9}};
		struct plan plan = {0};
		struct arena arena;
		const struct api_versions_response *r;

		start(&f, releases[i], 1);
		arena_init(&arena, ARENA_EXCHANGE_MAX);
		call.arena = &arena;
		call.plan = &plan;
		CHECK_EQ(cluster_call(f.c, &call, f.now), CALL_ANSWER);
		r = call.response;
		CHECK_EQ(r->error_code, ERROR_UNSUPPORTED_VERSION);
		CHECK_EQ(r->api_keys_count, i);
		call_release(&call);
		arena_release(&arena);
		mock_end(&f);
	}
}

TEST(before_kraft_only_the_controller_makes_topics)
{
	struct fixture f;
	struct create_topics_request q = DEFAULTS_create_topics_request;
	struct create_topics_request_topics t = {
		.name = str_of("a"), .num_partitions = 1, .replication_factor = 1};
	const struct create_topics_response *r;

	start(&f, "kafka-2.3", 3);
	q.topics = &t;
	q.topics_count = 1;
	r = mock_ask(&f, 2, API_CREATE_TOPICS, 3, &q);
	CHECK_EQ(r->topics_count, 1);
	CHECK_STR(r->topics[0].name, "a");
	CHECK_EQ(r->topics[0].error_code, ERROR_NOT_CONTROLLER);
	r = mock_ask(&f, 1, API_CREATE_TOPICS, 3, &q);
	CHECK_EQ(r->topics[0].error_code, 0);
	mock_end(&f);
}

TEST(every_release_is_found_and_an_unknown_one_gets_a_hint)
{
	struct error e = ERROR_INIT;

	CHECK_TEXT(like("kafka-0.10.2.1")->release, "0.10.2");
	CHECK_TEXT(like("kafka-1.1")->release, "1.1");
	CHECK_TEXT(like("3.9.1")->release, "3.9");
	CHECK(profile_find(str_of("kafka-4.9"), &e) == NULL);
	CHECK(strstr(e.text, "did you mean kafka-4.") != NULL);
	CHECK(profile_since(like("3.0"), "2.8"));
	CHECK(!profile_since(like("2.7"), "2.8"));
}
