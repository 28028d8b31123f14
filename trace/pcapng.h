/* pcapng, the capture format that can carry comments, several interfaces and blocks of one's own
 * (draft-ietf-opsawg-pcapng). The reader looks at one block at a time in bytes that the caller
 * holds; the writer adds blocks to a buffer. Neither opens a file.
 *
 * The rules: a file is a row of sections, each with its own byte order and its own interfaces,
 * numbered from 0; a packet names its interface, and that says link type and clock. */
#ifndef TRACE_PCAPNG_H
#define TRACE_PCAPNG_H

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

#define PCAPNG_BLOCK_MAX      ((uint32_t)16 << 20) /* bytes of one block; Wireshark's limit, too */
#define PCAPNG_INTERFACES_MAX 4096		   /* of one section */

/* The private enterprise number of ktrial's own blocks. ktrial has no number of its own: 32473 is
 * the one that IANA reserves for examples (RFC 5612), so whoever reads such a block must check the
 * signature that ktrial puts first. This is the only place that names it. */
#define PCAPNG_PEN_KTRIAL 32473u

enum pcapng_type {
	PCAPNG_TYPE_SECTION = 0x0A0D0D0A,
	PCAPNG_TYPE_INTERFACE = 1,
	PCAPNG_TYPE_OLD_PACKET = 2,
	PCAPNG_TYPE_SIMPLE = 3,
	PCAPNG_TYPE_NAMES = 4,
	PCAPNG_TYPE_STATISTICS = 5,
	PCAPNG_TYPE_PACKET = 6,
	PCAPNG_TYPE_SECRETS = 10,
	PCAPNG_TYPE_CUSTOM = 0x00000BAD,
	PCAPNG_TYPE_CUSTOM_NOCOPY = 0x40000BAD,
};

enum pcapng_option_code {
	PCAPNG_OPT_END = 0,
	PCAPNG_OPT_COMMENT = 1,
	PCAPNG_OPT_HARDWARE = 2, /* of a section */
	PCAPNG_OPT_OS = 3,
	PCAPNG_OPT_APPLICATION = 4,
	PCAPNG_OPT_IF_NAME = 2, /* of an interface */
	PCAPNG_OPT_IF_DESCRIPTION = 3,
	PCAPNG_OPT_IF_TSRESOL = 9,
	PCAPNG_OPT_IF_TSOFFSET = 14,
	PCAPNG_OPT_PACKET_FLAGS = 2, /* of a packet: bits 0-1 are the direction */
};

enum pcapng_direction { PCAPNG_INBOUND = 1, PCAPNG_OUTBOUND = 2 };

/* A cursor over a block's options. */
struct pcapng_options {
	const uint8_t *data;
	size_t len;
	bool swapped;
	bool bad; /* an option ran over the block's end */
};

/* The next option; false at the end. The value is a view into the block. */
bool pcapng_option_next(struct pcapng_options *o, uint16_t *ret_code, struct bytes *ret_value);

/* The first comment, or the null view. Works on a copy of the cursor. */
struct str pcapng_comment(struct pcapng_options o);

struct pcapng_interface {
	uint16_t link;	    /* LINKTYPE_* */
	uint8_t resolution; /* if_tsresol: 10^-n s, or 2^-(n & 127) with the highest bit; 6 unless
			       said */
	uint32_t snaplen;   /* 0: no limit */
	int64_t offset_s;   /* added to every time stamp */
};

enum pcapng_kind {
	PCAPNG_SECTION,	  /* a new section: interfaces start again */
	PCAPNG_INTERFACE, /* an interface was described */
	PCAPNG_PACKET,
	PCAPNG_CUSTOM,	/* somebody's own block: pen, data */
	PCAPNG_SECRETS, /* keys, not looked at: secrets_type says whose */
	PCAPNG_OTHER,	/* well formed, of no use to us; type says which */
};

/* One block; every pointer is into the caller's bytes. */
struct pcapng_block {
	enum pcapng_kind kind;
	uint32_t type;
	size_t size; /* of the whole block; when more bytes are needed: how many in all */

	uint32_t interface; /* packets and interfaces: number within the section */
	uint16_t link;
	bool timed;	 /* a simple packet has no time */
	int64_t time_ns; /* since 1970, clamped to int64 */
	const uint8_t *data;
	uint32_t len, wire_len; /* captured and original length */
	struct pcapng_options options;

	uint32_t pen; /* custom: private enterprise number; data and len are its content, padded
		       * to four bytes and with its options, if any, behind */
	uint32_t secrets_type; /* 0x544c534b: TLS keys, ... */
};

struct pcapng_reader {
	bool swapped, started;
	uint64_t offset; /* of the next block, for messages */
	struct pcapng_interface *interfaces;
	uint32_t interfaces_count, interfaces_cap;
};

void pcapng_reader_init(struct pcapng_reader *r);
void pcapng_reader_release(struct pcapng_reader *r);

/* Looks at the block that begins at data. Returns 1 with *ret (its size is what to step over), 0
 * when more bytes are needed (only ret->size is set: how many from data on, never more than
 * PCAPNG_BLOCK_MAX), or a negative code: ERR_MALFORMED, ERR_LIMIT, ERR_UNSUPPORTED (major version).
 */
int pcapng_read(struct pcapng_reader *r, const uint8_t *data, size_t n, struct pcapng_block *ret,
		struct error *e);

/* "NRB (name resolution)" and the like; "unknown". */
const char *pcapng_type_name(uint32_t type);
/* "TLS key log", "SSH key log", ...; "unknown". */
const char *pcapng_secrets_name(uint32_t secrets_type);

/* The writer, in the byte order of this machine. A section header comes first, then its interfaces
 * in order, then packets. Texts may be NULL. The buffer turns bad past its maximum. */
void pcapng_write_section(struct buf *b, const char *hardware, const char *os,
			  const char *application);
void pcapng_write_interface(struct buf *b, uint16_t link, uint32_t snaplen, uint8_t resolution,
			    const char *name);

/* A packet as it shall be written; time in the interface's units. */
struct pcapng_out {
	uint32_t interface;
	uint64_t time;
	uint32_t len, wire_len;
	uint32_t flags;		    /* 0: none written */
	const struct str *comments; /* each cut at 65535 bytes, the format's limit */
	size_t comments_count;
};

/* Begins a packet's block and returns room for its len bytes of content (NULL if the buffer is
 * bad); the options and the end of the block are written already: fill the room before the next
 * call. */
uint8_t *pcapng_write_packet(struct buf *b, const struct pcapng_out *out);

/* A custom block that tools may copy. */
void pcapng_write_custom(struct buf *b, uint32_t pen, const void *data, uint32_t len);

#endif
