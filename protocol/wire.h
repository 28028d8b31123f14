/* The primitive forms of the wire, big-endian and varint; for the interpreters inside protocol/. */
#ifndef PROTOCOL_WIRE_H
#define PROTOCOL_WIRE_H

#include <stdint.h>
#include <string.h>

#define UVARINT_SIZE_MAX 5
#define VARLONG_SIZE_MAX 10

static inline uint16_t wire_u16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, 2);
	return __builtin_bswap16(v);
}

static inline uint32_t wire_u32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return __builtin_bswap32(v);
}

static inline uint64_t wire_u64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return __builtin_bswap64(v);
}

static inline void wire_put16(uint8_t *p, uint16_t v)
{
	v = __builtin_bswap16(v);
	memcpy(p, &v, 2);
}

static inline void wire_put32(uint8_t *p, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(p, &v, 4);
}

static inline void wire_put64(uint8_t *p, uint64_t v)
{
	v = __builtin_bswap64(v);
	memcpy(p, &v, 8);
}

/*
 * Reads an unsigned varint of at most 32 bits. Returns bytes used; 0 if the input ends inside it;
 * -1 if it is longer than 5 bytes or passes 32 bits.
 */
static inline int wire_uvarint(const uint8_t *p, const uint8_t *end, uint32_t *ret_v)
{
	uint32_t v = 0;

	for (int i = 0; i < UVARINT_SIZE_MAX; i++) {
		if (p + i >= end)
			return 0;
		if (i == 4 && p[i] > 0x0f)
			return -1;
		v |= (uint32_t)(p[i] & 0x7f) << (7 * i);
		if (p[i] < 0x80) {
			*ret_v = v;
			return i + 1;
		}
	}
	return -1;
}

static inline int wire_put_uvarint(uint8_t *p, uint32_t v)
{
	int n = 0;

	for (; v >= 0x80; v >>= 7)
		p[n++] = (uint8_t)(v | 0x80);
	p[n++] = (uint8_t)v;
	return n;
}

static inline int wire_uvarint_size(uint32_t v)
{
	return v < 0x80 ? 1 : v < 0x4000 ? 2 : v < 0x200000 ? 3 : v < 0x10000000 ? 4 : 5;
}

/* Zigzag varlong, as records use; the same returns as wire_uvarint. */
static inline int wire_varlong(const uint8_t *p, const uint8_t *end, int64_t *ret_v)
{
	uint64_t v = 0;

	for (int i = 0; i < VARLONG_SIZE_MAX; i++) {
		if (p + i >= end)
			return 0;
		if (i == 9 && p[i] > 1)
			return -1;
		v |= (uint64_t)(p[i] & 0x7f) << (7 * i);
		if (p[i] < 0x80) {
			*ret_v = (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
			return i + 1;
		}
	}
	return -1;
}

static inline int wire_put_varlong(uint8_t *p, int64_t value)
{
	uint64_t v = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
	int n = 0;

	for (; v >= 0x80; v >>= 7)
		p[n++] = (uint8_t)(v | 0x80);
	p[n++] = (uint8_t)v;
	return n;
}

#endif
