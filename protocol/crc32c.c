/* Thin wrappers: ISA-L's crc32_iscsi takes an int length, a non-const pointer and an uninverted
 * start value; zlib's crc32_z is plain. Leaves to others which bytes are covered. */
#include "protocol/crc32c.h"

#include <isa-l.h>
#include <zlib.h>

#define CHUNK ((size_t)1 << 30) /* fits ISA-L's int */

uint32_t crc32c_more(uint32_t crc, const void *data, size_t n)
{
	/* ISA-L reads only, whatever its prototype says. */
	union {
		const void *in;
		unsigned char *out;
	} at = {.in = data};

	while (n > 0) {
		size_t part = n < CHUNK ? n : CHUNK;

		crc = ~crc32_iscsi(at.out, (int)part, ~crc);
		at.out += part;
		n -= part;
	}
	return crc;
}

uint32_t crc32c(const void *data, size_t n)
{
	return crc32c_more(0, data, n);
}

uint32_t crc32_zlib_more(uint32_t crc, const void *data, size_t n)
{
	return n ? (uint32_t)crc32_z(crc, data, n) : crc;
}

uint32_t crc32_zlib(const void *data, size_t n)
{
	return crc32_zlib_more(0, data, n);
}
