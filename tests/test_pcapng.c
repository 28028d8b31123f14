/* pcapng written and read back, both byte orders, every clock, and broken blocks. */
#include "decoder/capture.h"
#include "decoder/packet.h"
#include "tests/test.h"
#include "trace/pcapng.h"

#include <stdlib.h>

/* A section of the other byte order than this machine's: the same words, swapped. */
static void put16x(struct buf *b, uint16_t v)
{
	v = __builtin_bswap16(v);
	buf_add(b, &v, 2);
}

static void put32x(struct buf *b, uint32_t v)
{
	v = __builtin_bswap32(v);
	buf_add(b, &v, 4);
}

static void foreign_section(struct buf *b)
{
	put32x(b, PCAPNG_TYPE_SECTION);
	put32x(b, 28);
	put32x(b, 0x1a2b3c4d);
	put16x(b, 1);
	put16x(b, 0);
	put32x(b, 0xffffffff);
	put32x(b, 0xffffffff);
	put32x(b, 28);
}

static void foreign_interface(struct buf *b, uint16_t link, uint8_t resolution, int64_t offset_s)
{
	uint64_t offset = (uint64_t)offset_s;

	put32x(b, PCAPNG_TYPE_INTERFACE);
	put32x(b, 20 + 8 + 12 + 4);
	put16x(b, link);
	put16x(b, 0);
	put32x(b, 0);
	put16x(b, PCAPNG_OPT_IF_TSRESOL);
	put16x(b, 1);
	buf_add(b, &resolution, 1);
	buf_add(b, "\0\0\0", 3);
	put16x(b, PCAPNG_OPT_IF_TSOFFSET);
	put16x(b, 8);
	offset = __builtin_bswap64(offset);
	buf_add(b, &offset, 8);
	put32x(b, 0);
	put32x(b, 20 + 8 + 12 + 4);
}

static void foreign_packet(struct buf *b, uint32_t interface, uint64_t time, const char *text)
{
	uint32_t len = (uint32_t)strlen(text), room = (len + 3) & ~3u;

	put32x(b, PCAPNG_TYPE_PACKET);
	put32x(b, 32 + room);
	put32x(b, interface);
	put32x(b, (uint32_t)(time >> 32));
	put32x(b, (uint32_t)time);
	put32x(b, len);
	put32x(b, len + 100);
	buf_add(b, text, len);
	buf_add(b, "\0\0\0", room - len);
	put32x(b, 32 + room);
}

/* The whole of b as capture items of one kind; checks that reading ends with want. */
static size_t collect(const struct buf *b, struct capture_item *items, size_t max, int want)
{
	struct error e = ERROR_INIT;
	struct capture *c;
	size_t n = 0;
	int rc;

	rc = capture_open_bytes(b->data, b->len, NULL, &c, &e);
	CHECK_EQ(rc, 0);
	if (rc)
		return 0;
	while (n < max && (rc = capture_next(c, &items[n], &e)) == 1)
		n++;
	CHECK_EQ(rc, want);
	capture_close(c);
	return n;
}

static void write_one(struct buf *b, uint64_t time, const char *text, const struct str *comments,
		      size_t count, uint32_t flags)
{
	struct pcapng_out out = {.time = time,
				 .len = (uint32_t)strlen(text),
				 .wire_len = (uint32_t)strlen(text),
				 .comments = comments,
				 .comments_count = count,
				 .flags = flags};
	uint8_t *room = pcapng_write_packet(b, &out);

	CHECK(room != NULL);
	memcpy(room, text, strlen(text));
}

static void small_file(struct buf *b)
{
	struct str comments[] = {str_of("first"), str_of("second, longer")};

	buf_init(b, 1 << 20);
	pcapng_write_section(b, NULL, "Linux", "ktrial");
	pcapng_write_interface(b, LINK_RAW, 0, 6, "lo");
	write_one(b, 1700000000123456, "abcde", comments, 2, PCAPNG_OUTBOUND);
	pcapng_write_custom(b, PCAPNG_PEN_KTRIAL, "own words", 9);
	write_one(b, 1700000000123457, "", NULL, 0, 0);
}

TEST(what_was_written_is_read_back)
{
	struct buf b;
	struct capture_item got[8];
	uint16_t code;
	struct bytes value;

	small_file(&b);
	CHECK_EQ(collect(&b, got, 8, 0), 4);
	CHECK_EQ(got[0].kind, CAPTURE_SECTION);
	CHECK_EQ(got[1].kind, CAPTURE_PACKET);
	CHECK_EQ(got[1].number, 1);
	CHECK_EQ(got[1].link, LINK_RAW);
	CHECK_EQ(got[1].time_ns, 1700000000123456000);
	CHECK_BYTES(got[1].data, got[1].len, "abcde", 5);
	CHECK_STR(pcapng_comment(got[1].options), "first");
	CHECK(pcapng_option_next(&got[1].options, &code, &value));
	CHECK(pcapng_option_next(&got[1].options, &code, &value));
	CHECK_EQ(code, PCAPNG_OPT_COMMENT);
	CHECK_BYTES(value.data, (size_t)value.len, "second, longer", 14);
	CHECK(pcapng_option_next(&got[1].options, &code, &value));
	CHECK_EQ(code, PCAPNG_OPT_PACKET_FLAGS);
	CHECK(!pcapng_option_next(&got[1].options, &code, &value));
	CHECK_EQ(got[2].kind, CAPTURE_CUSTOM);
	CHECK_EQ(got[2].pen, PCAPNG_PEN_KTRIAL);
	CHECK_BYTES(got[2].data, got[2].len, "own words\0\0\0", 12);
	CHECK_EQ(got[3].number, 3);
	CHECK_EQ(got[3].len, 0);
	buf_release(&b);
}

TEST(several_sections_of_both_byte_orders_number_their_interfaces_anew)
{
	struct buf b;
	struct capture_item got[8];

	small_file(&b);
	foreign_section(&b);
	foreign_interface(&b, LINK_ETHERNET, 9, 0);
	foreign_interface(&b, LINK_SLL2, 6, 3600);
	foreign_packet(&b, 0, 1700000000123456789, "one");
	foreign_packet(&b, 1, 5000000, "two");
	CHECK_EQ(collect(&b, got, 8, 0), 7);
	CHECK_EQ(got[4].kind, CAPTURE_SECTION);
	CHECK_EQ(got[5].link, LINK_ETHERNET);
	CHECK_EQ(got[5].time_ns, 1700000000123456789);
	CHECK_EQ(got[5].wire_len, 103);
	CHECK_EQ(got[6].link, LINK_SLL2);
	CHECK_EQ(got[6].time_ns, 3605000000000);
	CHECK_EQ(got[6].number, 5);
	buf_release(&b);
}

TEST(every_clock_resolution_gives_nanoseconds)
{
	static const struct {
		uint8_t resolution;
		uint64_t units;
		int64_t ns;
	} cases[] = {
		{0, 17, 17000000000},
		{3, 17, 17000000},
		{9, 17, 17},
		{12, 17999, 17},
		{0x80 | 10, 1024, 1000000000},
		{0x80 | 32, (uint64_t)3 << 31, 1500000000},
		{0, UINT64_MAX, INT64_MAX},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buf b;
		struct capture_item got[2];

		buf_init(&b, 1 << 16);
		foreign_section(&b);
		foreign_interface(&b, LINK_RAW, cases[i].resolution, 0);
		foreign_packet(&b, 0, cases[i].units, "x");
		CHECK_EQ(collect(&b, got, 2, 1), 2);
		CHECK_EQ(got[1].time_ns, cases[i].ns);
		buf_release(&b);
	}
}

TEST(simple_packets_have_the_time_of_the_one_before)
{
	struct buf b;
	struct capture_item got[8];
	uint32_t words[] = {PCAPNG_TYPE_SIMPLE, 20, 3, 0x00636261, 20};

	small_file(&b);
	buf_add(&b, words, sizeof(words));
	CHECK_EQ(collect(&b, got, 8, 0), 5);
	CHECK_BYTES(got[4].data, got[4].len, "abc", 3);
	CHECK_EQ(got[4].time_ns, 1700000000123457000);
	buf_release(&b);
}

TEST(secrets_are_named_and_other_blocks_skipped)
{
	struct buf b;
	struct capture_item got[8];
	uint32_t secrets[] = {PCAPNG_TYPE_SECRETS, 24, 0x544c534b, 4, 0x41414141, 24};
	uint32_t names[] = {PCAPNG_TYPE_NAMES, 16, 0, 16};
	uint32_t unheard_of[] = {0x12345, 12, 12};

	small_file(&b);
	buf_add(&b, names, sizeof(names));
	buf_add(&b, unheard_of, sizeof(unheard_of));
	buf_add(&b, secrets, sizeof(secrets));
	CHECK_EQ(collect(&b, got, 8, 0), 5);
	CHECK_EQ(got[4].kind, CAPTURE_SECRETS);
	CHECK_TEXT(pcapng_secrets_name(got[4].secrets_type), "TLS key log");
	buf_release(&b);
}

TEST(a_file_cut_at_any_byte_gives_its_whole_packets_and_says_truncated)
{
	struct buf b;
	size_t most = 0;

	small_file(&b);
	for (size_t n = 4; n < b.len; n++) {
		uint8_t *exact = malloc(n);
		struct error e = ERROR_INIT;
		struct capture_item item;
		struct capture *c;
		size_t items = 0;
		int rc;

		memcpy(exact, b.data, n);
		CHECK_EQ(capture_open_bytes(exact, n, NULL, &c, &e), 0);
		while ((rc = capture_next(c, &item, &e)) == 1)
			items++;
		CHECK(rc == 0 || rc == ERR_TRUNCATED);
		CHECK(items >= most);
		most = items;
		capture_close(c);
		free(exact);
	}
	CHECK_EQ(most, 3);
	buf_release(&b);
}

/* One word of small_file changed; what reading then says. */
static void check_broken(size_t at, uint32_t word, int want)
{
	struct buf b;
	struct error e = ERROR_INIT;
	struct capture_item item;
	struct capture *c;
	int rc;

	small_file(&b);
	memcpy(b.data + at, &word, 4);
	CHECK_EQ(capture_open_bytes(b.data, b.len, NULL, &c, &e), 0);
	while ((rc = capture_next(c, &item, &e)) == 1)
		;
	CHECK_EQ(rc, want);
	CHECK_EQ(e.code, want);
	CHECK_EQ(capture_next(c, &item, NULL), want); /* and stays so */
	capture_close(c);
	buf_release(&b);
}

TEST(impossible_blocks_are_refused)
{
	check_broken(4, 27, ERR_MALFORMED);	       /* a length that is no multiple of 4 */
	check_broken(4, 8, ERR_MALFORMED);	       /* shorter than a block */
	check_broken(4, 0x7ffffffc, ERR_LIMIT);	       /* longer than any */
	check_broken(8, 0, ERR_MALFORMED);	       /* no byte-order mark */
	check_broken(12, 0x00010002, ERR_UNSUPPORTED); /* version 2.1 */
	check_broken(56 - 4, 0, ERR_MALFORMED); /* the two lengths of the section header differ */
	check_broken(56 + 40 + 8, 1, ERR_MALFORMED);	   /* a packet on interface 1 */
	check_broken(56 + 40 + 20, 0x1000, ERR_MALFORMED); /* longer than its block */
}
