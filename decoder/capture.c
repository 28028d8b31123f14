/* Files are read through one sliding window: large reads, no memory per packet, the same for a file
 * and a pipe. A packet that would not fit makes the window grow, up to CAPTURE_PACKET_MAX.
 *
 * Invariants: begin <= end <= cap; bytes before begin are spent; an item's pointers are into the
 * window and live until the next call. pcapng's blocks are trace/pcapng's; classic pcap is read
 * here; libpcap serves interfaces and filter expressions. */
#include "decoder/capture.h"

#include "decoder/packet.h"
#include "decoder/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW_SIZE	   ((size_t)512 << 10)
#define CAPTURE_PACKET_MAX PCAPNG_BLOCK_MAX
#define FILTERS_MAX	   16 /* link types of one capture that a filter is compiled for */

#define LINKTYPE_RAW	   101 /* in files; libpcap's own number differs between systems */

#define PCAP_US		   0xA1B2C3D4u
#define PCAP_NS		   0xA1B23C4Du
#define PCAP_MODIFIED	   0xA1B2CD34u

struct filter {
	uint16_t link;
	bool never; /* can't be said of this link type: nothing passes */
	struct bpf_program program;
};

struct capture {
	int fd; /* -1: bytes in memory or an interface */
	bool owns_fd, eof;
	struct unpack *unpack; /* NULL: not compressed */
	uint8_t *window;       /* NULL: the bytes are the caller's */
	const uint8_t *bytes;
	size_t begin, end, cap;
	uint64_t offset; /* of begin within the file */

	bool is_pcapng;
	struct pcapng_reader pcapng;
	bool swapped, nano; /* classic pcap */
	uint16_t link;

	pcap_t *live;
	uint64_t number;
	int64_t time_ns;
	int failed; /* the code that capture_next ended with */
	struct error error;
	char *bpf;
	struct filter filters[FILTERS_MAX];
	size_t filters_count;
};

static int read_more(struct capture *c, struct error *e)
{
	ssize_t n;

	if (c->unpack) {
		int64_t got = unpack_read(c->unpack, c->window + c->end, c->cap - c->end, e);

		if (got < 0)
			return (int)got;
		c->eof = got == 0;
		c->end += (size_t)got;
		return 0;
	}
	do
		n = read(c->fd, c->window + c->end, c->cap - c->end);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_set(e, ERR_OS, "can't read the capture: %s", strerror(errno));
	c->eof = n == 0;
	c->end += (size_t)n;
	return 0;
}

/* Makes n bytes stand in a row from begin. 1: they do; 0: the file ends before; negative: error. */
static int need(struct capture *c, size_t n, struct error *e)
{
	int rc;

	if (n <= c->end - c->begin)
		return 1;
	if (!c->window)
		return 0;
	memmove(c->window, c->window + c->begin, c->end - c->begin);
	c->end -= c->begin;
	c->begin = 0;
	if (n > c->cap) {
		c->cap = n;
		c->window = realloc(c->window, n);
		if (!c->window)
			abort();
		c->bytes = c->window;
	}
	while (c->end < n && !c->eof) {
		rc = read_more(c, e);
		if (rc < 0)
			return rc;
	}
	return c->end >= n;
}

static void skip(struct capture *c, size_t n)
{
	c->begin += n;
	c->offset += n;
}

/* Filters. libpcap compiles an expression for a link type; bpf_filter runs it. */
static int filter_compile(struct capture *c, uint16_t link, struct error *e)
{
	struct filter *f = &c->filters[c->filters_count++];
	pcap_t *dead = pcap_open_dead(link == LINKTYPE_RAW ? DLT_RAW : link, 262144);
	int rc = 0;

	if (!dead)
		abort();
	*f = (struct filter){.link = link};
	f->never = pcap_compile(dead, &f->program, c->bpf, 1, PCAP_NETMASK_UNKNOWN) != 0;
	if (f->never)
		rc = error_set(e, ERR_USAGE, "the filter \"%s\": %s", c->bpf, pcap_geterr(dead));
	pcap_close(dead);
	return rc;
}

static int filter_passes(struct capture *c, const struct capture_item *item, struct error *e)
{
	size_t i = 0;

	while (i < c->filters_count && c->filters[i].link != item->link)
		i++;
	if (i == FILTERS_MAX)
		return error_set(e, ERR_LIMIT, "a filter over more than %d link types",
				 FILTERS_MAX);
	if (i == c->filters_count)
		filter_compile(c, item->link, NULL);
	return !c->filters[i].never && bpf_filter(c->filters[i].program.bf_insns, item->data,
						  item->wire_len, item->len) != 0;
}

/* Classic pcap: a header of 24 bytes, then 16 bytes before each packet. */
static uint32_t get32(const struct capture *c, size_t at)
{
	uint32_t v;

	memcpy(&v, c->bytes + c->begin + at, sizeof(v));
	return c->swapped ? __builtin_bswap32(v) : v;
}

static int open_pcap(struct capture *c, struct error *e)
{
	uint32_t magic = get32(c, 0), version;

	c->swapped = magic != PCAP_US && magic != PCAP_NS;
	magic = get32(c, 0);
	c->nano = magic == PCAP_NS;
	if (need(c, 24, e) <= 0)
		return error_set(e, ERR_TRUNCATED, "the pcap file ends within its header");
	version = get32(c, 4);
	/* Two 16-bit numbers read as one of 32: the major one is first in the file. */
	if (c->swapped == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__))
		version >>= 16;
	if ((version & 0xffff) != 2)
		return error_set(e, ERR_UNSUPPORTED, "pcap version %u is not known; 2.4 is",
				 version & 0xffff);
	c->link = (uint16_t)get32(c, 20);
	skip(c, 24);
	return 0;
}

static int next_pcap(struct capture *c, struct capture_item *ret, struct error *e)
{
	uint32_t fraction;
	int rc = need(c, 16, e);

	if (rc < 0)
		return rc;
	if (!rc)
		return c->end == c->begin ? 0
					  : error_at(e, ERR_TRUNCATED, (size_t)c->offset, NULL,
						     "the file ends within a packet's header");
	ret->len = get32(c, 8);
	ret->wire_len = get32(c, 12);
	if (ret->len > CAPTURE_PACKET_MAX)
		return error_at(e, ERR_MALFORMED, (size_t)c->offset, NULL,
				"a packet of %u bytes; the limit is %u", ret->len,
				CAPTURE_PACKET_MAX);
	rc = need(c, 16 + (size_t)ret->len, e);
	if (rc < 0)
		return rc;
	if (!rc)
		return error_at(e, ERR_TRUNCATED, (size_t)c->offset, NULL,
				"the file ends within a packet");
	fraction = get32(c, 4);
	ret->kind = CAPTURE_PACKET;
	ret->link = c->link;
	ret->time_ns = (int64_t)get32(c, 0) * 1000000000 + (int64_t)fraction * (c->nano ? 1 : 1000);
	ret->data = c->bytes + c->begin + 16;
	if (ret->wire_len < ret->len)
		ret->wire_len = ret->len;
	skip(c, 16 + (size_t)ret->len);
	return 1;
}

static void from_block(const struct capture *c, const struct pcapng_block *block,
		       enum capture_kind kind, struct capture_item *ret)
{
	ret->kind = kind;
	ret->link = block->link;
	ret->time_ns = block->timed ? block->time_ns : c->time_ns;
	ret->data = block->data;
	ret->len = block->len;
	ret->wire_len = block->wire_len;
	ret->options = block->options;
	ret->pen = block->pen;
	ret->secrets_type = block->secrets_type;
}

/* One block, 2 when it is of no use to anyone above. */
static int next_block(struct capture *c, struct capture_item *ret, struct error *e)
{
	static const enum capture_kind kinds[] = {
		[PCAPNG_SECTION] = CAPTURE_SECTION,
		[PCAPNG_PACKET] = CAPTURE_PACKET,
		[PCAPNG_CUSTOM] = CAPTURE_CUSTOM,
		[PCAPNG_SECRETS] = CAPTURE_SECRETS,
	};
	struct pcapng_block block;
	int rc;

	for (;;) {
		rc = pcapng_read(&c->pcapng, c->bytes + c->begin, c->end - c->begin, &block, e);
		if (rc)
			break;
		rc = need(c, block.size, e);
		if (rc < 0)
			return rc;
		if (!rc)
			return c->end == c->begin ? 0
						  : error_at(e, ERR_TRUNCATED, (size_t)c->offset,
							     NULL, "the file ends within a block");
	}
	if (rc < 0)
		return rc;
	skip(c, block.size);
	if (block.kind == PCAPNG_INTERFACE || block.kind == PCAPNG_OTHER)
		return 2;
	from_block(c, &block, kinds[block.kind], ret);
	return 1;
}

static int next_pcapng(struct capture *c, struct capture_item *ret, struct error *e)
{
	int rc;

	do
		rc = next_block(c, ret, e);
	while (rc == 2);
	return rc;
}

static int next_live(struct capture *c, struct capture_item *ret, struct error *e)
{
	struct pcap_pkthdr *header;
	const u_char *data;
	int rc;

	do
		rc = pcap_next_ex(c->live, &header, &data);
	while (rc == 0); /* the time-out that makes libpcap hand over what it has */
	if (rc == PCAP_ERROR_BREAK)
		return 0;
	if (rc < 0)
		return error_set(e, ERR_OS, "capturing: %s", pcap_geterr(c->live));
	ret->kind = CAPTURE_PACKET;
	ret->link = c->link;
	ret->time_ns = (int64_t)header->ts.tv_sec * 1000000000 + (int64_t)header->ts.tv_usec * 1000;
	ret->data = data;
	ret->len = header->caplen;
	ret->wire_len = header->len < header->caplen ? header->caplen : header->len;
	return 1;
}

static int next_any(struct capture *c, struct capture_item *ret, struct error *e)
{
	int rc;

	*ret = (struct capture_item){0};
	if (c->live)
		rc = next_live(c, ret, e);
	else if (c->is_pcapng)
		rc = next_pcapng(c, ret, e);
	else
		rc = next_pcap(c, ret, e);
	if (rc == 1 && ret->kind == CAPTURE_PACKET)
		c->time_ns = ret->time_ns;
	if (rc == 1 && (ret->kind == CAPTURE_PACKET || ret->kind == CAPTURE_CUSTOM))
		c->number++;
	ret->number = c->number;
	return rc;
}

int capture_next(struct capture *c, struct capture_item *ret, struct error *e)
{
	int rc = c->failed;

	while (!rc) {
		rc = next_any(c, ret, &c->error);
		if (rc <= 0 || ret->kind != CAPTURE_PACKET || !c->bpf || c->live)
			break;
		rc = filter_passes(c, ret, &c->error);
	}
	if (rc >= 0)
		return rc;
	c->failed = rc;
	if (e && !e->code)
		*e = c->error;
	return rc;
}

/* What was read so far, and what comes, is compressed. */
static void unpack_from_here(struct capture *c)
{
	c->unpack = unpack_new(c->fd, c->bytes + c->begin, c->end - c->begin);
	if (!c->window) {
		c->cap = WINDOW_SIZE;
		c->window = malloc(c->cap);
		if (!c->window)
			abort();
		c->bytes = c->window;
	}
	c->begin = c->end = 0;
	c->eof = false;
}

/* Told apart by the first four bytes; other well-known files are refused by name. */
static int detect(struct capture *c, struct error *e)
{
	uint32_t magic;
	int rc = need(c, 4, e);

	if (rc < 0)
		return rc;
	if (!rc)
		return error_set(e, ERR_UNSUPPORTED, "not a capture file: %s",
				 c->end == c->begin ? "it is empty" : "fewer than 4 bytes");
	memcpy(&magic, c->bytes + c->begin, sizeof(magic));
	if (magic == PCAPNG_TYPE_SECTION) {
		c->is_pcapng = true;
		return 0;
	}
	if (magic == PCAP_US || magic == PCAP_NS || magic == __builtin_bswap32(PCAP_US) ||
	    magic == __builtin_bswap32(PCAP_NS))
		return open_pcap(c, e);
	if (magic == PCAP_MODIFIED || magic == __builtin_bswap32(PCAP_MODIFIED))
		return error_set(e, ERR_UNSUPPORTED,
				 "a pcap file of Kuznetzov's modified kind is not read; "
				 "editcap -F pcapng makes it readable");
	if (!c->unpack && unpack_known(c->bytes + c->begin)) {
		unpack_from_here(c);
		return detect(c, e);
	}
	return error_set(e, ERR_UNSUPPORTED,
			 "neither pcap nor pcapng (it begins with %02x %02x %02x %02x)",
			 c->bytes[c->begin], c->bytes[c->begin + 1], c->bytes[c->begin + 2],
			 c->bytes[c->begin + 3]);
}

static struct capture *capture_new(const struct capture_options *options)
{
	struct capture *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	c->fd = -1;
	c->error = (struct error)ERROR_INIT;
	pcapng_reader_init(&c->pcapng);
	if (options && options->bpf && !(c->bpf = strdup(options->bpf)))
		abort();
	return c;
}

/* The end of opening: looks at the first bytes, and at the filter before a packet needs it. */
static int finish_open(struct capture *c, struct capture **ret, struct error *e)
{
	int rc = detect(c, e);

	if (rc >= 0 && c->bpf)
		rc = filter_compile(c, c->is_pcapng ? DLT_EN10MB : c->link, e);
	if (rc < 0) {
		capture_close(c);
		return rc;
	}
	*ret = c;
	return 0;
}

int capture_open(const char *path, const struct capture_options *options, struct capture **ret,
		 struct error *e)
{
	struct capture *c;
	struct stat st;
	bool is_stdin = !strcmp(path, "-");
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_set(e, ERR_OS, "can't open %s: %s", path, strerror(errno));
	c = capture_new(options);
	c->fd = fd;
	c->owns_fd = !is_stdin;
	if (!fstat(fd, &st) && S_ISDIR(st.st_mode)) {
		capture_close(c);
		return error_set(e, ERR_OS, "can't read %s: it is a directory", path);
	}
	c->cap = WINDOW_SIZE;
	c->window = malloc(c->cap);
	if (!c->window)
		abort();
	c->bytes = c->window;
	return finish_open(c, ret, e);
}

int capture_open_bytes(const uint8_t *data, size_t len, const struct capture_options *options,
		       struct capture **ret, struct error *e)
{
	struct capture *c = capture_new(options);

	c->bytes = data;
	c->end = c->cap = len;
	return finish_open(c, ret, e);
}

static int live_start(struct capture *c, const char *interface,
		      const struct capture_options *options, struct error *e)
{
	struct bpf_program program;
	int rc;

	pcap_set_snaplen(c->live, options && options->snaplen ? (int)options->snaplen : 262144);
	pcap_set_timeout(c->live, 100);
	if (options && options->buffer_bytes)
		pcap_set_buffer_size(c->live, (int)options->buffer_bytes);
	rc = pcap_activate(c->live);
	if (rc < 0) {
		const char *why = pcap_statustostr(rc), *more = pcap_geterr(c->live);

		more = strcmp(why, more) ? more : "";
		return error_set(e, ERR_OS, "can't capture on %s: %s%s%s", interface, why,
				 *more ? ": " : "", more);
	}
	c->link = (uint16_t)pcap_datalink(c->live);
	if (!c->bpf)
		return 0;
	if (pcap_compile(c->live, &program, c->bpf, 1, PCAP_NETMASK_UNKNOWN))
		return error_set(e, ERR_USAGE, "the filter \"%s\": %s", c->bpf,
				 pcap_geterr(c->live));
	rc = pcap_setfilter(c->live, &program);
	pcap_freecode(&program);
	return rc ? error_set(e, ERR_OS, "the filter: %s", pcap_geterr(c->live)) : 0;
}

int capture_open_live(const char *interface, const struct capture_options *options,
		      struct capture **ret, struct error *e)
{
	char text[PCAP_ERRBUF_SIZE] = "";
	struct capture *c = capture_new(options);
	int rc;

	c->live = pcap_create(interface, text);
	rc = c->live ? live_start(c, interface, options, e)
		     : error_set(e, ERR_OS, "can't capture on %s: %s", interface, text);
	if (rc < 0) {
		capture_close(c);
		return rc;
	}
	*ret = c;
	return 0;
}

void capture_break(struct capture *c)
{
	if (c->live)
		pcap_breakloop(c->live);
}

const char *capture_link_name(uint16_t link)
{
	const char *name = packet_link_name(link);

	if (!name)
		name = pcap_datalink_val_to_description(link);
	return name ? name : "not known";
}

uint64_t capture_lost(struct capture *c)
{
	struct pcap_stat st;

	return c->live && !pcap_stats(c->live, &st) ? (uint64_t)st.ps_drop + st.ps_ifdrop : 0;
}

void capture_close(struct capture *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->filters_count; i++)
		if (!c->filters[i].never)
			pcap_freecode(&c->filters[i].program);
	if (c->live)
		pcap_close(c->live);
	if (c->owns_fd)
		close(c->fd);
	pcapng_reader_release(&c->pcapng);
	unpack_free(c->unpack);
	free(c->window);
	free(c->bpf);
	free(c);
}
