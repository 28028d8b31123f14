/* The two checksums of Kafka's records: CRC-32C (Castagnoli) guards record batches (magic 2),
 * CRC-32 (IEEE, as in zlib) guards the messages of message sets (magic 0 and 1). Both come from
 * libraries; here any length goes and a sum may be taken in pieces. */
#ifndef PROTOCOL_CRC32C_H
#define PROTOCOL_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32C of n bytes; data may be NULL if n is 0. */
uint32_t crc32c(const void *data, size_t n);

/* Continues: crc is the sum of the bytes before (0 at the start). crc32c_more(crc32c(a), b) is the
 * sum of a and b together. */
uint32_t crc32c_more(uint32_t crc, const void *data, size_t n);

/* The same pair for CRC-32. */
uint32_t crc32_zlib(const void *data, size_t n);
uint32_t crc32_zlib_more(uint32_t crc, const void *data, size_t n);

#endif
