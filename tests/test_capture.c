/* Classic pcap files, and what is no capture. */
#include "decoder/capture.h"
#include "tests/synth.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void packet(struct buf *b, const char *text, uint16_t link, uint16_t port)
{
	struct synth_packet p = {.src = synth_v4(1, port),
				 .dst = synth_v4(2, 9092),
				 .flags = TCP_ACK,
				 .link = link,
				 .data = text,
				 .len = (uint32_t)strlen(text)};

	buf_init(b, 1 << 16);
	synth_packet(b, &p);
}

/* Three packets, the second cut, in the given kind of file. */
static void file_of(struct buf *b, const struct synth_pcap *f)
{
	static const char *const texts[] = {"one", "two two", "three"};

	buf_init(b, 1 << 20);
	synth_pcap_header(b, f);
	for (int i = 0; i < 3; i++) {
		struct buf one;

		packet(&one, texts[i], f->link, (uint16_t)(1000 + i));
		synth_pcap_packet(b, f, 1700000000123456789 + i, &one,
				  (uint32_t)one.len - (i == 1 ? 4 : 0));
		buf_release(&one);
	}
}

TEST(pcap_of_both_byte_orders_and_both_clocks_reads_alike)
{
	for (int kind = 0; kind < 4; kind++) {
		struct synth_pcap f = {
			.big_endian = kind & 1, .nano = kind & 2, .link = LINK_ETHERNET};
		struct error e = ERROR_INIT;
		struct capture_item item;
		struct capture *c;
		struct buf b;

		file_of(&b, &f);
		CHECK_EQ(capture_open_bytes(b.data, b.len, NULL, &c, &e), 0);
		for (int i = 0; i < 3; i++) {
			CHECK_EQ(capture_next(c, &item, &e), 1);
			CHECK_EQ(item.number, i + 1);
			CHECK_EQ(item.link, LINK_ETHERNET);
			CHECK_EQ(item.time_ns,
				 f.nano ? 1700000000123456789 + i : 1700000000123456000);
			CHECK_EQ(item.wire_len - item.len, i == 1 ? 4 : 0);
		}
		CHECK_EQ(capture_next(c, &item, &e), 0);
		CHECK_EQ(e.code, 0);
		capture_close(c);
		buf_release(&b);
	}
}

TEST(a_pcap_cut_at_any_byte_says_so_after_its_whole_packets)
{
	struct synth_pcap f = {.link = LINK_RAW};
	struct buf b;
	size_t whole = 0;

	file_of(&b, &f);
	for (size_t n = 24; n < b.len; n++) {
		struct error e = ERROR_INIT;
		struct capture_item item;
		struct capture *c;
		size_t items = 0;
		int rc;
		uint8_t *exact = malloc(n);

		memcpy(exact, b.data, n);
		CHECK_EQ(capture_open_bytes(exact, n, NULL, &c, &e), 0);
		while ((rc = capture_next(c, &item, &e)) == 1)
			items++;
		CHECK(items >= whole);
		CHECK_EQ(rc, n == 24 || items > whole ? 0 : ERR_TRUNCATED);
		whole = items;
		capture_close(c);
		free(exact);
	}
	CHECK_EQ(whole, 2);
	buf_release(&b);
}

TEST(a_filter_leaves_only_what_matches_but_keeps_the_numbers)
{
	static const uint16_t links[] = {LINK_ETHERNET, LINK_RAW, LINK_SLL, LINK_SLL2, LINK_LOOP};

	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++) {
		struct synth_pcap f = {.link = links[i]};
		struct capture_options o = {.bpf = "tcp port 1002"};
		struct error e = ERROR_INIT;
		struct capture_item item;
		struct capture *c;
		struct buf b;

		file_of(&b, &f);
		CHECK_EQ(capture_open_bytes(b.data, b.len, &o, &c, &e), 0);
		CHECK_EQ(capture_next(c, &item, &e), 1);
		CHECK_EQ(item.number, 3);
		CHECK_EQ(capture_next(c, &item, &e), 0);
		capture_close(c);
		buf_release(&b);
	}
}

TEST(a_wrong_filter_is_quoted)
{
	struct synth_pcap f = {.link = LINK_ETHERNET};
	struct capture_options o = {.bpf = "tcp prot 1002"};
	struct error e = ERROR_INIT;
	struct capture *c;
	struct buf b;

	file_of(&b, &f);
	CHECK_EQ(capture_open_bytes(b.data, b.len, &o, &c, &e), ERR_USAGE);
	CHECK(strstr(e.text, "tcp prot 1002") != NULL);
	buf_release(&b);
}

static void check_refused(const char *data, size_t n, int code, const char *word)
{
	struct error e = ERROR_INIT;
	struct capture *c = NULL;

	CHECK_EQ(capture_open_bytes((const uint8_t *)data, n, NULL, &c, &e), code);
	CHECK(strstr(e.text, word) != NULL);
	CHECK(c == NULL);
}

TEST(what_is_no_capture_is_refused_by_name)
{
	check_refused("", 0, ERR_UNSUPPORTED, "empty");
	check_refused("abc", 3, ERR_UNSUPPORTED, "fewer than 4");
	check_refused("GIF89a", 6, ERR_UNSUPPORTED, "47 49 46 38");
	check_refused("\x1f\x8b\x08\0", 4, ERR_TRUNCATED, "ends too early");
	check_refused("\x1f\x8b\x09\0aaaaaaaa", 12, ERR_MALFORMED, "gzip");
	check_refused("\x28\xb5\x2f\xfd", 4, ERR_TRUNCATED, "ends too early");
	check_refused("\x28\xb5\x2f\xfd\x08" "zzzzzzzzzzzzzzzzzzz", 24, ERR_MALFORMED, "zstd");
	check_refused("\x34\xcd\xb2\xa1", 4, ERR_UNSUPPORTED, "modified");
	check_refused("\xd4\xc3\xb2\xa1\2\0", 6, ERR_TRUNCATED, "header");
	check_refused("\xd4\xc3\xb2\xa1\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24,
		      ERR_UNSUPPORTED, "version 3");
}

TEST(a_file_larger_than_the_window_reads_as_it_was_written)
{
	struct synth_pcap f = {.link = LINK_RAW};
	char path[] = "build/capture-XXXXXX";
	int fd = mkstemp(path);
	struct error e = ERROR_INIT;
	struct capture_item item;
	struct capture *c;
	struct buf b, one;
	uint64_t sum = 0;

	CHECK(fd >= 0);
	buf_init(&one, 1 << 20);
	buf_init(&b, 16 << 20);
	synth_pcap_header(&b, &f);
	for (uint32_t i = 0; i < 40; i++) {
		uint32_t size = i == 20 ? 900000 : 50000; /* one is larger than the window */

		buf_reset(&one);
		memset(buf_room(&one, size), (int)i, size);
		one.len = size;
		synth_pcap_packet(&b, &f, i, &one, size);
	}
	CHECK_EQ(write(fd, b.data, b.len), (int64_t)b.len);
	CHECK_EQ(capture_open(path, NULL, &c, &e), 0);
	while (capture_next(c, &item, &e) == 1) {
		CHECK_EQ(item.data[0], item.number - 1);
		CHECK_EQ(item.data[item.len - 1], item.number - 1);
		sum += item.len;
	}
	CHECK_EQ(sum, 39 * 50000 + 900000);
	CHECK_EQ(e.code, 0);
	capture_close(c);
	close(fd);
	unlink(path);
	buf_release(&b);
	buf_release(&one);
}

TEST(a_missing_file_and_a_directory_say_what_is_wrong)
{
	struct error e = ERROR_INIT;
	struct capture *c;

	CHECK_EQ(capture_open("build/no-such-file", NULL, &c, &e), ERR_OS);
	CHECK(strstr(e.text, "build/no-such-file") != NULL);
	e = (struct error)ERROR_INIT;
	CHECK_EQ(capture_open("build", NULL, &c, &e), ERR_OS);
	CHECK(strstr(e.text, "directory") != NULL);
}
