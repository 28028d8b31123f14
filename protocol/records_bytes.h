/* Signed big-endian fields at known places, shared by the files that read and write batches. Bounds
 * are the caller's. */
#ifndef PROTOCOL_RECORDS_BYTES_H
#define PROTOCOL_RECORDS_BYTES_H

#include "protocol/wire.h"

static inline int16_t get_i16(const uint8_t *p)
{
	return (int16_t)wire_u16(p);
}

static inline uint32_t get_u32(const uint8_t *p)
{
	return wire_u32(p);
}

static inline int32_t get_i32(const uint8_t *p)
{
	return (int32_t)wire_u32(p);
}

static inline int64_t get_i64(const uint8_t *p)
{
	return (int64_t)wire_u64(p);
}

static inline void put_i16(uint8_t *p, int16_t v)
{
	wire_put16(p, (uint16_t)v);
}

static inline void put_i32(uint8_t *p, int32_t v)
{
	wire_put32(p, (uint32_t)v);
}

static inline void put_i64(uint8_t *p, int64_t v)
{
	wire_put64(p, (uint64_t)v);
}

/* Java's long arithmetic: hostile deltas wrap, they are no undefined behaviour. */
static inline int64_t add_wrapping(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

static inline int64_t sub_wrapping(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a - (uint64_t)b);
}

#endif
