/* Frames out of slices and holes, with a judge of our own: a frame's first byte is 'K'. */
#include "base/rand.h"
#include "decoder/framer.h"
#include "tests/test.h"

#include <stdlib.h>

struct told {
	struct buf text; /* "[" for a frame, its bytes, "<n>" for holes, "]"; "{seen+missing}" for
			    lost ones */
};

static enum framer_verdict judge(void *context, const uint8_t *data, size_t n, bool searching)
{
	(void)context;
	(void)searching;
	if (n && data[0])
		return FRAMER_NO;
	if (n == 4 && !data[3])
		return FRAMER_NO;
	if (n < 5)
		return FRAMER_MORE;
	return data[1] == 0 && data[2] == 0 && data[3] > 0 && data[4] == 'K' ? FRAMER_YES
									     : FRAMER_NO;
}

static void on_frame(void *context, uint32_t size, const struct stream_at *at)
{
	struct told *told = context;

	(void)at;
	CHECK(size > 0);
	buf_byte(&told->text, '[');
}

static void on_bytes(void *context, const uint8_t *data, size_t n, const struct stream_at *at)
{
	struct told *told = context;

	(void)at;
	buf_add(&told->text, data, n);
}

static void on_hole(void *context, uint64_t n)
{
	struct told *told = context;

	buf_printf(&told->text, "<%llu>", (unsigned long long)n);
}

static void on_end(void *context, const struct stream_at *at)
{
	struct told *told = context;

	(void)at;
	buf_byte(&told->text, ']');
}

static void on_lost(void *context, uint64_t seen, uint64_t missing, const struct stream_at *at)
{
	struct told *told = context;

	(void)at;
	buf_printf(&told->text, "{%llu+%llu}", (unsigned long long)seen,
		   (unsigned long long)missing);
}

static const struct framer_events events = {judge, on_frame, on_bytes, on_hole, on_end, on_lost};

static void start(struct told *told, struct framer *f, bool searching)
{
	buf_init(&told->text, 1 << 20);
	framer_init(f, &events, told, searching);
}

static void feed(struct framer *f, const char *data, size_t n)
{
	struct stream_at at = {1, 1};
	uint8_t *exact = malloc(n + 1);

	memcpy(exact, data, n);
	framer_data(f, exact, n, &at);
	free(exact);
}

static void lose(struct framer *f, uint64_t n)
{
	struct stream_at at = {1, 1};

	framer_gap(f, n, &at);
}

static void check(struct told *told, struct framer *f, const char *want)
{
	struct stream_at at = {1, 1};

	framer_end(f, &at);
	CHECK_TEXT(buf_cstr(&told->text), want);
	buf_release(&told->text);
}

#define ONE   "\0\0\0\3Kab"
#define OTHER "\0\0\0\5Kcdef"
#define N(s)  (sizeof(s) - 1)

TEST(frames_come_out_whole_however_they_are_sliced)
{
	static const char bytes[] = ONE OTHER ONE;

	for (size_t cut = 0; cut <= N(bytes); cut++) {
		for (size_t step = 1; step < N(bytes); step++) {
			struct told told;
			struct framer f;

			start(&told, &f, false);
			feed(&f, bytes, cut);
			for (size_t at = cut; at < N(bytes); at += step)
				feed(&f, bytes + at, step < N(bytes) - at ? step : N(bytes) - at);
			check(&told, &f, "[Kab][Kcdef][Kab]");
		}
	}
}

TEST(a_hole_inside_a_frame_costs_only_that_frame)
{
	struct told told;
	struct framer f;

	start(&told, &f, false);
	feed(&f, OTHER, 6);
	lose(&f, 2);
	feed(&f, "f" ONE, N("f" ONE));
	feed(&f, OTHER, 6);
	lose(&f, 3); /* to its very end */
	feed(&f, ONE, N(ONE));
	check(&told, &f, "[Kc<2>f][Kab][Kc<3>][Kab]");
}

TEST(a_hole_behind_the_length_is_skipped_by_it)
{
	struct told told;
	struct framer f;

	start(&told, &f, false);
	feed(&f, OTHER, 4);
	lose(&f, 5);
	feed(&f, ONE, N(ONE));
	check(&told, &f, "[<5>][Kab]");
}

TEST(a_hole_over_a_start_costs_all_up_to_the_next_one)
{
	struct told told;
	struct framer f;

	start(&told, &f, false);
	feed(&f, OTHER, 6);
	lose(&f, 8); /* three of this frame, five of the next one */
	feed(&f, "zz" ONE OTHER, N("zz" ONE OTHER));
	check(&told, &f, "[Kc<3>]{2+5}[Kab][Kcdef]");
}

TEST(searching_finds_a_start_that_lies_across_slices)
{
	static const char bytes[] = "xx\0\0y\0\0\0" ONE OTHER;

	for (size_t cut = 0; cut <= N(bytes); cut++) {
		struct told told;
		struct framer f;

		start(&told, &f, true);
		feed(&f, bytes, cut);
		feed(&f, bytes + cut, N(bytes) - cut);
		check(&told, &f, "{8+0}[Kab][Kcdef]");
	}
}

TEST(what_is_left_undecided_at_the_end_is_lost)
{
	struct told told;
	struct framer f;

	start(&told, &f, false);
	feed(&f, ONE "\0\0", N(ONE "\0\0"));
	check(&told, &f, "[Kab]{2+0}");
}

TEST(every_byte_is_told_once_whatever_comes)
{
	struct rand r;

	rand_seed(&r, 1);
	for (int round = 0; round < 3000; round++) {
		struct told told;
		struct framer f;
		struct stream_at at = {1, 1};
		uint64_t put = 0, told_bytes = 0;
		char *p;

		start(&told, &f, rand_below(&r, 2));
		for (uint64_t n = rand_below(&r, 20); n; n--) {
			uint8_t data[40];
			size_t len = rand_below(&r, sizeof(data));

			for (size_t i = 0; i < len; i++)
				data[i] = (uint8_t)(rand_below(&r, 3)	? 0
						    : rand_below(&r, 2) ? 'K'
									: 6);
			framer_data(&f, data, len, &at);
			put += len;
			if (rand_below(&r, 6) == 0) {
				len = 1 + rand_below(&r, 9);
				framer_gap(&f, len, &at);
				put += len;
			}
		}
		framer_end(&f, &at);
		/* Frames are 4 bytes more than their content; 0, 6 and K are content. */
		for (size_t i = 0; i < told.text.len; i++) {
			uint8_t c = told.text.data[i];

			told_bytes += c == '[' ? 4 : c == 'K' || c == 0 || c == 6;
		}
		for (p = (char *)(uintptr_t)buf_cstr(&told.text);
		     p < (char *)told.text.data + told.text.len; p++) {
			if (*p == '<')
				told_bytes += strtoull(p + 1, NULL, 10);
			if (*p == '{')
				told_bytes += strtoull(p + 1, &p, 10) + strtoull(p + 1, NULL, 10);
		}
		CHECK_EQ(told_bytes, put);
		buf_release(&told.text);
	}
}
