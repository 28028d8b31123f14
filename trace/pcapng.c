/* Blocks in, views out; and blocks written. Owns a section's table of interfaces and nothing else.
 *
 * Invariants: nothing outside [data, data + size of the block) is read; a block's two lengths
 * agree; a packet names an interface that was described. Opening files, and what a packet holds, is
 * left to decoder/; what ktrial's custom blocks hold, to trace/evidence. */
#include "trace/pcapng.h"

#include <assert.h>
#include <stdlib.h>

#define MAGIC	      0x1A2B3C4Du
#define MAGIC_SWAPPED 0x4D3C2B1Au

static uint16_t get16(const uint8_t *p, bool swapped)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return swapped ? __builtin_bswap16(v) : v;
}

static uint32_t get32(const uint8_t *p, bool swapped)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return swapped ? __builtin_bswap32(v) : v;
}

static size_t padded(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

void pcapng_reader_init(struct pcapng_reader *r)
{
	*r = (struct pcapng_reader){0};
}

void pcapng_reader_release(struct pcapng_reader *r)
{
	free(r->interfaces);
	pcapng_reader_init(r);
}

bool pcapng_option_next(struct pcapng_options *o, uint16_t *ret_code, struct bytes *ret_value)
{
	uint16_t code, len;
	size_t step;

	if (o->len < 4)
		return false;
	code = get16(o->data, o->swapped);
	len = get16(o->data + 2, o->swapped);
	if (code == PCAPNG_OPT_END)
		return false;
	if (len > o->len - 4) {
		o->bad = true;
		o->len = 0;
		return false;
	}
	*ret_code = code;
	*ret_value = (struct bytes){o->data + 4, len};
	step = 4 + padded(len);
	if (step > o->len)
		step = o->len;
	o->data += step;
	o->len -= step;
	return true;
}

struct str pcapng_comment(struct pcapng_options o)
{
	uint16_t code;
	struct bytes value;

	while (pcapng_option_next(&o, &code, &value))
		if (code == PCAPNG_OPT_COMMENT)
			return (struct str){(const char *)value.data, value.len};
	return (struct str){NULL, 0};
}

/* Time stamps. The unit is the interface's; 128 bits hold every product on the way. */
static int64_t time_ns(const struct pcapng_interface *in, uint32_t high, uint32_t low)
{
	uint64_t units = (uint64_t)high << 32 | low;
	unsigned n = in->resolution & 127;
	__int128 ns;

	if (in->resolution & 128) {
		ns = n > 63 ? 0 : (__int128)(((unsigned __int128)units * 1000000000u) >> n);
	} else if (n <= 9) {
		ns = (__int128)units;
		for (; n < 9; n++)
			ns *= 10;
	} else {
		for (; n > 9 && units; n--)
			units /= 10;
		ns = (__int128)units;
	}
	ns += (__int128)in->offset_s * 1000000000;
	if (ns > INT64_MAX)
		return INT64_MAX;
	return ns < INT64_MIN ? INT64_MIN : (int64_t)ns;
}

static int malformed(struct pcapng_reader *r, struct error *e, const char *text)
{
	return error_at(e, ERR_MALFORMED, (size_t)r->offset, NULL, "pcapng: %s", text);
}

static int read_section(struct pcapng_reader *r, const uint8_t *body, size_t n,
			struct pcapng_block *ret, struct error *e)
{
	if (n < 16)
		return malformed(r, e, "the section header is too short");
	if (get16(body + 4, r->swapped) != 1)
		return error_at(e, ERR_UNSUPPORTED, (size_t)r->offset, NULL,
				"pcapng: version %u.%u is not known; 1.0 is",
				get16(body + 4, r->swapped), get16(body + 6, r->swapped));
	r->interfaces_count = 0;
	r->started = true;
	ret->kind = PCAPNG_SECTION;
	ret->options = (struct pcapng_options){body + 16, n - 16, r->swapped, false};
	return 1;
}

static int add_interface(struct pcapng_reader *r, const struct pcapng_interface *in,
			 struct error *e)
{
	if (r->interfaces_count == PCAPNG_INTERFACES_MAX)
		return error_at(e, ERR_LIMIT, (size_t)r->offset, NULL,
				"pcapng: more than %d interfaces in a section",
				PCAPNG_INTERFACES_MAX);
	if (r->interfaces_count == r->interfaces_cap) {
		r->interfaces_cap = r->interfaces_cap ? r->interfaces_cap * 2 : 4;
		r->interfaces = realloc(r->interfaces, r->interfaces_cap * sizeof(*r->interfaces));
		if (!r->interfaces)
			abort();
	}
	r->interfaces[r->interfaces_count++] = *in;
	return 1;
}

static int read_interface(struct pcapng_reader *r, const uint8_t *body, size_t n,
			  struct pcapng_block *ret, struct error *e)
{
	struct pcapng_interface in = {.resolution = 6};
	struct pcapng_options o;
	uint16_t code;
	struct bytes value;

	if (n < 8)
		return malformed(r, e, "an interface description is too short");
	in.link = get16(body, r->swapped);
	in.snaplen = get32(body + 4, r->swapped);
	o = (struct pcapng_options){body + 8, n - 8, r->swapped, false};
	ret->kind = PCAPNG_INTERFACE;
	ret->link = in.link;
	ret->interface = r->interfaces_count;
	ret->options = o;
	while (pcapng_option_next(&o, &code, &value)) {
		if (code == PCAPNG_OPT_IF_TSRESOL && value.len >= 1) {
			in.resolution = value.data[0];
		} else if (code == PCAPNG_OPT_IF_TSOFFSET && value.len >= 8) {
			bool sw = r->swapped;
			uint64_t first = get32(value.data, sw), second = get32(value.data + 4, sw);
			bool big = sw == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

			in.offset_s = (int64_t)(big ? first << 32 | second : second << 32 | first);
		}
	}
	return add_interface(r, &in, e);
}

/* What a packet block says of its interface. */
static int read_on(struct pcapng_reader *r, uint32_t interface, struct pcapng_block *ret,
		   struct error *e)
{
	if (interface >= r->interfaces_count)
		return malformed(r, e, "a packet names an interface that was not described");
	ret->kind = PCAPNG_PACKET;
	ret->interface = interface;
	ret->link = r->interfaces[interface].link;
	return 1;
}

/* Enhanced packets, and the old packet blocks whose interface number has 16 bits. */
static int read_packet(struct pcapng_reader *r, const uint8_t *body, size_t n,
		       struct pcapng_block *ret, struct error *e)
{
	bool sw = r->swapped;
	uint32_t interface;
	size_t room;
	int rc;

	if (n < 20)
		return malformed(r, e, "a packet block is too short");
	interface = ret->type == PCAPNG_TYPE_PACKET ? get32(body, sw) : get16(body, sw);
	rc = read_on(r, interface, ret, e);
	if (rc < 0)
		return rc;
	ret->timed = true;
	ret->time_ns = time_ns(&r->interfaces[interface], get32(body + 4, sw), get32(body + 8, sw));
	ret->len = get32(body + 12, sw);
	ret->wire_len = get32(body + 16, sw);
	ret->data = body + 20;
	if (ret->len > n - 20)
		return malformed(r, e, "a packet is longer than its block");
	if (ret->wire_len < ret->len)
		ret->wire_len = ret->len;
	room = padded(ret->len);
	if (room < n - 20)
		ret->options = (struct pcapng_options){body + 20 + room, n - 20 - room, sw, false};
	return 1;
}

/* A simple packet: of interface 0, cut at its snaplen, without a time. */
static int read_simple(struct pcapng_reader *r, const uint8_t *body, size_t n,
		       struct pcapng_block *ret, struct error *e)
{
	uint32_t snaplen;
	int rc;

	if (n < 4)
		return malformed(r, e, "a simple packet block is too short");
	rc = read_on(r, 0, ret, e);
	if (rc < 0)
		return rc;
	snaplen = r->interfaces[0].snaplen;
	ret->wire_len = get32(body, r->swapped);
	ret->len = snaplen && ret->wire_len > snaplen ? snaplen : ret->wire_len;
	ret->data = body + 4;
	if (ret->len > n - 4)
		ret->len = (uint32_t)(n - 4);
	return 1;
}

static int read_custom(struct pcapng_reader *r, const uint8_t *body, size_t n,
		       struct pcapng_block *ret, struct error *e)
{
	if (n < 4)
		return malformed(r, e, "a custom block is too short");
	ret->kind = PCAPNG_CUSTOM;
	ret->pen = get32(body, r->swapped);
	ret->data = body + 4;
	ret->len = ret->wire_len = (uint32_t)(n - 4);
	return 1;
}

static int read_body(struct pcapng_reader *r, const uint8_t *body, size_t n,
		     struct pcapng_block *ret, struct error *e)
{
	switch (ret->type) {
	case PCAPNG_TYPE_SECTION:
		return read_section(r, body, n, ret, e);
	case PCAPNG_TYPE_INTERFACE:
		return read_interface(r, body, n, ret, e);
	case PCAPNG_TYPE_PACKET:
	case PCAPNG_TYPE_OLD_PACKET:
		return read_packet(r, body, n, ret, e);
	case PCAPNG_TYPE_SIMPLE:
		return read_simple(r, body, n, ret, e);
	case PCAPNG_TYPE_CUSTOM:
	case PCAPNG_TYPE_CUSTOM_NOCOPY:
		return read_custom(r, body, n, ret, e);
	case PCAPNG_TYPE_SECRETS:
		ret->kind = PCAPNG_SECRETS;
		ret->secrets_type = n >= 4 ? get32(body, r->swapped) : 0;
		return 1;
	default:
		ret->kind = PCAPNG_OTHER;
		return 1;
	}
}

/* The byte order of a section stands in its header, behind the length that it governs. */
static int read_order(struct pcapng_reader *r, const uint8_t *data, struct error *e)
{
	uint32_t magic = get32(data + 8, false);

	if (magic != MAGIC && magic != MAGIC_SWAPPED)
		return malformed(r, e, "a section header without the byte-order mark");
	r->swapped = magic == MAGIC_SWAPPED;
	return 0;
}

int pcapng_read(struct pcapng_reader *r, const uint8_t *data, size_t n, struct pcapng_block *ret,
		struct error *e)
{
	uint32_t size;
	int rc;

	*ret = (struct pcapng_block){.size = 12};
	if (n < 12)
		return 0;
	ret->type = get32(data, r->swapped);
	if (ret->type == PCAPNG_TYPE_SECTION) {
		rc = read_order(r, data, e);
		if (rc < 0)
			return rc;
	} else if (!r->started) {
		return malformed(r, e, "the file does not begin with a section header");
	}
	size = get32(data + 4, r->swapped);
	if (size < 12 || size % 4)
		return malformed(r, e, "the length of a block is impossible");
	if (size > PCAPNG_BLOCK_MAX)
		return error_at(e, ERR_LIMIT, (size_t)r->offset, NULL,
				"pcapng: a block of %u bytes; the limit is %u", size,
				PCAPNG_BLOCK_MAX);
	ret->size = size;
	if (n < size)
		return 0;
	if (get32(data + size - 4, r->swapped) != size)
		return malformed(r, e, "a block's two lengths differ");
	rc = read_body(r, data + 8, size - 12, ret, e);
	if (rc > 0)
		r->offset += size;
	return rc;
}

const char *pcapng_type_name(uint32_t type)
{
	switch (type) {
	case PCAPNG_TYPE_SECTION:
		return "section header";
	case PCAPNG_TYPE_INTERFACE:
		return "interface description";
	case PCAPNG_TYPE_OLD_PACKET:
	case PCAPNG_TYPE_SIMPLE:
	case PCAPNG_TYPE_PACKET:
		return "packet";
	case PCAPNG_TYPE_NAMES:
		return "name resolution";
	case PCAPNG_TYPE_STATISTICS:
		return "interface statistics";
	case PCAPNG_TYPE_SECRETS:
		return "decryption secrets";
	case PCAPNG_TYPE_CUSTOM:
	case PCAPNG_TYPE_CUSTOM_NOCOPY:
		return "custom";
	default:
		return "unknown";
	}
}

const char *pcapng_secrets_name(uint32_t secrets_type)
{
	switch (secrets_type) {
	case 0x544c534b:
		return "TLS key log";
	case 0x5353484b:
		return "SSH key log";
	case 0x57474b4c:
		return "WireGuard key log";
	default:
		return "unknown";
	}
}

/* Writing. Every block's size is known before it begins, so that both lengths are written as it
 * goes. */
static void put16(struct buf *b, uint16_t v)
{
	buf_add(b, &v, sizeof(v));
}

static void put32(struct buf *b, uint32_t v)
{
	buf_add(b, &v, sizeof(v));
}

static void put_padded(struct buf *b, const void *data, size_t n)
{
	static const uint8_t zeros[4];

	buf_add(b, data, n);
	buf_add(b, zeros, padded(n) - n);
}

static void put_option(struct buf *b, uint16_t code, const void *data, size_t n)
{
	if (n > UINT16_MAX)
		n = UINT16_MAX;
	put16(b, code);
	put16(b, (uint16_t)n);
	put_padded(b, data, n);
}

static size_t option_size(size_t n)
{
	return 4 + padded(n > UINT16_MAX ? UINT16_MAX : n);
}

static size_t text_size(const char *text)
{
	return text ? option_size(strlen(text)) : 0;
}

static void put_text(struct buf *b, uint16_t code, const char *text)
{
	if (text)
		put_option(b, code, text, strlen(text));
}

void pcapng_write_section(struct buf *b, const char *hardware, const char *os,
			  const char *application)
{
	size_t size = 28 + text_size(hardware) + text_size(os) + text_size(application) + 4;

	put32(b, PCAPNG_TYPE_SECTION);
	put32(b, (uint32_t)size);
	put32(b, MAGIC);
	put16(b, 1);
	put16(b, 0);
	put32(b, UINT32_MAX); /* length of the section: not said */
	put32(b, UINT32_MAX);
	put_text(b, PCAPNG_OPT_HARDWARE, hardware);
	put_text(b, PCAPNG_OPT_OS, os);
	put_text(b, PCAPNG_OPT_APPLICATION, application);
	put32(b, PCAPNG_OPT_END);
	put32(b, (uint32_t)size);
}

void pcapng_write_interface(struct buf *b, uint16_t link, uint32_t snaplen, uint8_t resolution,
			    const char *name)
{
	size_t size = 20 + text_size(name) + option_size(1) + 4;

	put32(b, PCAPNG_TYPE_INTERFACE);
	put32(b, (uint32_t)size);
	put16(b, link);
	put16(b, 0);
	put32(b, snaplen);
	put_text(b, PCAPNG_OPT_IF_NAME, name);
	put_option(b, PCAPNG_OPT_IF_TSRESOL, &resolution, 1);
	put32(b, PCAPNG_OPT_END);
	put32(b, (uint32_t)size);
}

static void put_packet_options(struct buf *b, const struct pcapng_out *out)
{
	if (!out->flags && !out->comments_count)
		return;
	for (size_t i = 0; i < out->comments_count; i++)
		put_option(b, PCAPNG_OPT_COMMENT, out->comments[i].data,
			   (size_t)out->comments[i].len);
	if (out->flags)
		put_option(b, PCAPNG_OPT_PACKET_FLAGS, &out->flags, sizeof(out->flags));
	put32(b, PCAPNG_OPT_END);
}

uint8_t *pcapng_write_packet(struct buf *b, const struct pcapng_out *out)
{
	size_t size = 32 + padded(out->len);
	size_t at;
	uint8_t *room;

	assert(out->len <= PCAPNG_BLOCK_MAX / 2);
	for (size_t i = 0; i < out->comments_count; i++)
		size += option_size((size_t)out->comments[i].len);
	if (out->flags || out->comments_count)
		size += 4 + (out->flags ? option_size(4) : 0);
	put32(b, PCAPNG_TYPE_PACKET);
	put32(b, (uint32_t)size);
	put32(b, out->interface);
	put32(b, (uint32_t)(out->time >> 32));
	put32(b, (uint32_t)out->time);
	put32(b, out->len);
	put32(b, out->wire_len);
	at = b->len;
	room = buf_room(b, padded(out->len));
	if (!room)
		return NULL;
	memset(room + out->len, 0, padded(out->len) - out->len);
	b->len += padded(out->len);
	put_packet_options(b, out);
	put32(b, (uint32_t)size);
	return b->bad ? NULL : b->data + at;
}

void pcapng_write_custom(struct buf *b, uint32_t pen, const void *data, uint32_t len)
{
	size_t size = 16 + padded(len);

	put32(b, PCAPNG_TYPE_CUSTOM);
	put32(b, (uint32_t)size);
	put32(b, pen);
	put_padded(b, data, len);
	put32(b, (uint32_t)size);
}
