/* Any bytes as a pcapng or pcap file: reading ends, stays within the bytes, and every view is
 * inside them. What is compressed is fuzz_unpack's. */
#include "decoder/capture.h"
#include "decoder/unpack.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct capture_item item;
	struct capture *c;
	size_t items = 0;
	uint16_t code;
	struct bytes value;

	if (size >= 4 && unpack_known(data))
		return 0;
	if (capture_open_bytes(data, size, NULL, &c, NULL) < 0)
		return 0;
	while (capture_next(c, &item, NULL) == 1) {
		assert(++items <= size / 12);
		assert(item.kind != CAPTURE_PACKET || item.len <= item.wire_len);
		assert(!item.len || (item.data >= data && item.data + item.len <= data + size));
		while (pcapng_option_next(&item.options, &code, &value))
			assert(value.data >= data && value.data + value.len <= data + size);
	}
	capture_close(c);
	return 0;
}
