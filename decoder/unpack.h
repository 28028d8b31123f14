/* Compressed capture files, as tcpdump's -z and log rotation leave them: gzip and zstd, one member
 * or frame behind another. Bytes in, bytes out, in memory that does not grow with the file. */
#ifndef DECODER_UNPACK_H
#define DECODER_UNPACK_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct unpack;

/* Whether a file that begins with these 4 bytes is one of ours. */
bool unpack_known(const uint8_t head[4]);

/* fd: where to read on behind the n first bytes, which are copied; -1: there is no more. */
struct unpack *unpack_new(int fd, const uint8_t *first, size_t n);
void unpack_free(struct unpack *u); /* NULL is fine */

/* Up to n bytes; 0 at the end. ERR_TRUNCATED, ERR_MALFORMED, ERR_OS with *e. */
int64_t unpack_read(struct unpack *u, uint8_t *data, size_t n, struct error *e);

#endif
