/* IP fragments, five bytes each: what is joined is what was sent, once, in bounded memory.
 *
 * Byte 0: which of four datagrams (3), the last fragment (4), UDP in place of TCP (8), cut to half
 * (16), time goes on by ten seconds (32). Bytes 1 and 2: where it stands; 3 and 4: its length. */
#include "decoder/fragments.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t byte_of(uint32_t id, uint32_t at)
{
	/* A TCP header of 20 bytes, so that what is joined reads as such. */
	return at == 12 ? 0x50 : (uint8_t)(id * 7 + at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t bytes[65536];
	struct fragments *f = fragments_new();
	int64_t time_ns = 0;

	for (size_t i = 0; i + 5 <= size; i += 5) {
		const uint8_t *op = data + i;
		uint32_t from = ((uint32_t)op[1] << 8 | op[2]) * 8;
		uint32_t len = (uint32_t)op[3] << 8 | op[4];
		struct packet p = {.kind = PACKET_FRAGMENT,
				   .src = {4, {10, 0, 0, 1}, 0},
				   .dst = {4, {10, 0, 0, 2}, 0},
				   .ip_id = op[0] & 3,
				   .fragment_offset = from,
				   .fragment_more = !(op[0] & 4),
				   .protocol = op[0] & 8 ? 17 : 6,
				   .data = bytes,
				   .wire_len = len,
				   .len = op[0] & 16 ? len / 2 : len};

		for (uint32_t k = 0; k < p.len; k++)
			bytes[k] = byte_of(p.ip_id, from + k);
		time_ns += op[0] & 32 ? (int64_t)10000000000 : 1000;
		if (!fragments_feed(f, &p, time_ns) || p.kind != PACKET_TCP)
			continue;
		assert(p.len <= p.wire_len && p.len <= FRAGMENTS_SIZE_MAX);
		for (uint32_t k = 0; k < p.len; k++)
			assert(p.data[k] == byte_of(op[0] & 3, k + 20));
	}
	fragments_free(f);
	return 0;
}
