/* serve --like, release by release, against what running brokers of thirty releases said
 * (fixtures/releases). */
#include "mock/profile.h"
#include "tests/mock_fixture.h"

#include <stdio.h>
#include <stdlib.h>

struct row {
	char words[5][64];
	int count;
};

/* The next line that is none of comments; false at the end. Moves *at behind it. */
static bool next_row(const char **at, struct row *ret)
{
	while (**at == '#')
		*at = strchr(*at, '\n') + 1;
	if (!**at)
		return false;
	ret->count = 0;
	for (const char *p = *at; *p && *p != '\n' && ret->count < 5; ret->count++) {
		size_t n = strcspn(p, "\t\n");

		snprintf(ret->words[ret->count], sizeof(ret->words[0]), "%.*s", (int)n, p);
		p += n + (p[n] == '\t');
	}
	*at = strchr(*at, '\n') + 1;
	return true;
}

static int number(const struct row *r, int i)
{
	return (int)strtol(r->words[i], NULL, 10);
}

static const struct profile *find(const char *release)
{
	struct error e = ERROR_INIT;
	const struct profile *p = profile_find(str_of(release), &e);

	CHECK_TEXT(e.text, "");
	return p ? p : profile_newest();
}

static const struct api_versions_response *versions(struct fixture *f, int version)
{
	struct api_versions_request q = DEFAULTS_api_versions_request;

	if (version >= 3)
		q.client_software_name = q.client_software_version = str_of("x");
	return mock_ask(f, 1, API_API_VERSIONS, version, &q);
}

/* The release's ranges by key, {0, -1} where it has none. */
static int ranges_of(const char *text, const char *release,
		     struct version_range ret[API_KEY_MAX + 1])
{
	struct row r;
	int rows = 0;

	for (int key = 0; key <= API_KEY_MAX; key++)
		ret[key] = (struct version_range){0, -1};
	while (next_row(&text, &r)) {
		if (strcmp(r.words[0], release))
			continue;
		ret[number(&r, 1)] =
			(struct version_range){(int16_t)number(&r, 2), (int16_t)number(&r, 3)};
		rows++;
	}
	return rows;
}

static void check_advertised(struct fixture *f, const struct version_range *was)
{
	const struct api_versions_response *r = versions(f, 0);

	CHECK(r->api_keys_count > 10);
	for (int32_t i = 0; i < r->api_keys_count; i++) {
		struct version_range range = was[r->api_keys[i].api_key];

		CHECK_EQ(r->api_keys[i].min_version, range.min);
		CHECK_EQ(r->api_keys[i].max_version, range.max);
	}
	for (int key = 0; key <= API_KEY_MAX; key++)
		for (int v = 0; was[key].max < 0 && v < 4; v++)
			CHECK(!cluster_speaks(f->c, key, v));
}

TEST(every_release_advertises_just_what_its_brokers_did_of_what_is_simulated)
{
	char *brokers = test_file("fixtures/releases/brokers.tsv", NULL);
	char *text = test_file("fixtures/releases/versions.tsv", NULL);
	const char *at = brokers;
	struct row r;
	int releases = 0;

	while (at && next_row(&at, &r)) {
		const struct profile *p = find(r.words[0]);
		struct version_range was[API_KEY_MAX + 1];
		struct fixture f;

		CHECK_TEXT(p->release, r.words[0]);
		CHECK(ranges_of(text, r.words[0], was) > 10);
		for (int key = 0; key <= API_KEY_MAX; key++) {
			struct version_range range = profile_versions(p, key);

			CHECK_EQ(range.min, was[key].min);
			CHECK_EQ(range.max, was[key].max);
		}
		mock_start_with(&f, 1, (struct cluster_config){.like = p});
		check_advertised(&f, was);
		mock_end(&f);
		releases++;
	}
	CHECK_EQ(releases, 30);
	free(text);
	free(brokers);
}

/* The entry of the answer to a version that nobody has, as "18:0-3"; "-" for none. */
static const char *unknown_version(struct fixture *f)
{
	static char text[32];
	struct call call = {.broker = 1,
			    .header = {.api_key = API_API_VERSIONS, .api_version = 99}};
	struct plan plan = {0};
	struct arena arena;
	const struct api_versions_response *r;

	arena_init(&arena, ARENA_EXCHANGE_MAX);
	call.arena = &arena;
	call.plan = &plan;
	CHECK_EQ(cluster_call(f->c, &call, f->now), CALL_ANSWER);
	r = call.response;
	CHECK_EQ(r->error_code, ERROR_UNSUPPORTED_VERSION);
	snprintf(text, sizeof(text), "-");
	if (r->api_keys_count)
		snprintf(text, sizeof(text), "%d:%d-%d", r->api_keys[0].api_key,
			 r->api_keys[0].min_version, r->api_keys[0].max_version);
	call_release(&call);
	arena_release(&arena);
	return text;
}

TEST(rule_4_every_release_answers_an_unknown_version_of_api_versions_as_it_did)
{
	char *brokers = test_file("fixtures/releases/brokers.tsv", NULL);
	const char *at = brokers;
	struct row r;

	while (at && next_row(&at, &r)) {
		struct fixture f;
		int64_t epoch = strcmp(r.words[4], "-") ? number(&r, 4) : -1;

		mock_start_with(&f, 1, (struct cluster_config){.like = find(r.words[0])});
		CHECK(cluster_speaks(f.c, API_API_VERSIONS, number(&r, 2)));
		CHECK(!cluster_speaks(f.c, API_API_VERSIONS, number(&r, 2) + 1));
		CHECK_TEXT(unknown_version(&f), r.words[3]);
		if (number(&r, 2) >= 3)
			CHECK_EQ(versions(&f, 3)->finalized_features_epoch, epoch);
		mock_end(&f);
	}
	free(brokers);
}

static void check_feature(const struct api_versions_response *a, const struct row *r)
{
	int supported = 0, finalized = 0;

	for (int32_t i = 0; i < a->supported_features_count; i++) {
		if (!str_is(a->supported_features[i].name, r->words[1]))
			continue;
		supported++;
		CHECK_EQ(a->supported_features[i].min_version, number(r, 2));
		CHECK_EQ(a->supported_features[i].max_version, number(r, 3));
	}
	for (int32_t i = 0; i < a->finalized_features_count; i++) {
		if (!str_is(a->finalized_features[i].name, r->words[1]))
			continue;
		finalized++;
		CHECK_EQ(a->finalized_features[i].max_version_level, number(r, 4));
	}
	CHECK_EQ(finalized, supported && number(r, 4) > 0);
	/* of groups that are not simulated nothing is said */
	CHECK_EQ(supported,
		 strcmp(r->words[1], "share.version") && strcmp(r->words[1], "streams.version"));
}

TEST(rule_5_every_release_has_the_features_that_its_clusters_had)
{
	char *text = test_file("fixtures/releases/features.tsv", NULL);
	const char *at = text;
	struct row r;
	int rows = 0;

	while (at && next_row(&at, &r)) {
		struct fixture f;

		mock_start_with(&f, 1, (struct cluster_config){.like = find(r.words[0])});
		check_feature(versions(&f, 4), &r);
		mock_end(&f);
		rows++;
	}
	CHECK(rows > 30);
	free(text);
}
