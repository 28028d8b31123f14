/* zlib and libzstd do the work. Invariant: in[at..len) is read and not yet taken. */
#include "decoder/unpack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define IN_SIZE ((size_t)256 << 10)

struct unpack {
	int fd;
	bool zstd, eof, inside; /* inside a member or frame */
	uint8_t *in;
	size_t at, len;
	z_stream z;
	ZSTD_DStream *d;
};

bool unpack_known(const uint8_t head[4])
{
	return !memcmp(head, "\x1f\x8b", 2) || !memcmp(head, "\x28\xb5\x2f\xfd", 4);
}

struct unpack *unpack_new(int fd, const uint8_t *first, size_t n)
{
	struct unpack *u = calloc(1, sizeof(*u));

	if (!u)
		abort();
	u->fd = fd;
	u->eof = fd < 0;
	u->zstd = first[0] == 0x28;
	u->in = malloc(n > IN_SIZE ? n : IN_SIZE);
	if (!u->in)
		abort();
	memcpy(u->in, first, n);
	u->len = n;
	if (u->zstd)
		u->d = ZSTD_createDStream();
	else if (inflateInit2(&u->z, 15 + 16) != Z_OK)
		abort();
	if (u->zstd && !u->d)
		abort();
	return u;
}

void unpack_free(struct unpack *u)
{
	if (!u)
		return;
	if (u->zstd)
		ZSTD_freeDStream(u->d);
	else
		inflateEnd(&u->z);
	free(u->in);
	free(u);
}

static int refill(struct unpack *u, struct error *e)
{
	ssize_t n;

	if (u->at < u->len || u->eof)
		return 0;
	do
		n = read(u->fd, u->in, IN_SIZE);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_set(e, ERR_OS, "can't read the capture: %s", strerror(errno));
	u->eof = n == 0;
	u->at = 0;
	u->len = (size_t)n;
	return 0;
}

static int64_t step_gzip(struct unpack *u, uint8_t *data, size_t n, struct error *e)
{
	int rc;

	if (!u->inside)
		inflateReset(&u->z);
	u->inside = true;
	u->z.next_in = u->in + u->at;
	u->z.avail_in = (uInt)(u->len - u->at);
	u->z.next_out = data;
	u->z.avail_out = (uInt)n;
	rc = inflate(&u->z, Z_NO_FLUSH);
	u->at = u->len - u->z.avail_in;
	if (rc == Z_STREAM_END)
		u->inside = false;
	else if (rc != Z_OK && rc != Z_BUF_ERROR)
		return error_set(e, ERR_MALFORMED, "the gzip file is damaged: %s",
				 u->z.msg ? u->z.msg : "no reason given");
	return (int64_t)(n - u->z.avail_out);
}

static int64_t step_zstd(struct unpack *u, uint8_t *data, size_t n, struct error *e)
{
	ZSTD_inBuffer in = {u->in, u->len, u->at};
	ZSTD_outBuffer out = {data, n, 0};
	size_t rc = ZSTD_decompressStream(u->d, &out, &in);

	u->at = in.pos;
	if (ZSTD_isError(rc))
		return error_set(e, ERR_MALFORMED, "the zstd file is damaged: %s",
				 ZSTD_getErrorName(rc));
	u->inside = rc != 0;
	return (int64_t)out.pos;
}

int64_t unpack_read(struct unpack *u, uint8_t *data, size_t n, struct error *e)
{
	int64_t got = 0;
	bool dry;
	int rc;

	if (n > (1 << 30))
		n = 1 << 30;
	while (!got && n) {
		rc = refill(u, e);
		if (rc < 0)
			return rc;
		dry = u->at == u->len;
		if (dry && !u->inside)
			return 0;
		got = u->zstd ? step_zstd(u, data, n, e) : step_gzip(u, data, n, e);
		if (!got && dry)
			return error_set(e, ERR_TRUNCATED, "the compressed file ends too early");
	}
	return got;
}
