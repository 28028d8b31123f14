/* How often something came within a second. */
#include "checks/rate.h"
#include "tests/test.h"

#include <stdio.h>

TEST(what_came_within_a_second_is_counted_by_key)
{
	struct rates r = {0};

	for (int i = 0; i < 50; i++) {
		CHECK_EQ(rates_note(&r, "a", 1, 0, i * 100000), i < 10 ? i + 1 : 10);
		CHECK_EQ(rates_note(&r, "b", 1, 0, i * 500000), i < 2 ? i + 1 : 2);
	}
	rates_release(&r);
}

TEST(late_news_does_not_count_twice)
{
	struct rates r = {0};

	CHECK_EQ(rates_note(&r, "a", 1, 0, 5000000), 1);
	CHECK_EQ(rates_note(&r, "a", 1, 0, 2000000), 1);
	CHECK_EQ(rates_note(&r, "a", 1, 0, 5500000), 2);
	rates_release(&r);
}

TEST(a_clock_that_is_set_back_makes_no_storm)
{
	struct rates r = {0};
	int64_t begin_us = 1000000000;

	for (int i = 0; i < 20; i++)
		rates_note(&r, "a", 1, 0, begin_us + i * 100000);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(rates_note(&r, "a", 1, 0, begin_us - 60000000 + i * 100000),
			 i < 10 ? i + 1 : 10);
	rates_release(&r);
}

TEST(another_tag_begins_anew_and_so_does_what_is_forgotten)
{
	struct rates r = {0};

	CHECK_EQ(rates_note(&r, "a", 1, 6, 1), 1);
	CHECK_EQ(rates_note(&r, "a", 1, 6, 2), 2);
	CHECK_EQ(rates_note(&r, "a", 1, 7, 3), 1);
	rates_forget(&r, "a", 1);
	rates_forget(&r, "never", 5);
	CHECK_EQ(rates_note(&r, "a", 1, 7, 4), 1);
	rates_release(&r);
}

TEST(more_than_the_most_counts_as_the_most_and_old_keys_go)
{
	struct rates r = {0};

	for (int i = 0; i < 3 * RATE_MAX; i++)
		CHECK(rates_note(&r, "a", 1, 0, i) <= RATE_MAX);
	CHECK_EQ(rates_note(&r, "a", 1, 0, 3 * RATE_MAX), RATE_MAX);
	for (int i = 0; i < 100000; i++) {
		char key[16];
		int n = snprintf(key, sizeof(key), "%d", i);

		CHECK_EQ(rates_note(&r, key, (size_t)n, 0, (int64_t)i * 10000), 1);
	}
	CHECK(r.prune_at < 4096);
	rates_release(&r);
}
