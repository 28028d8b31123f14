/* A .gz or .zst file: the same bytes come out whatever pieces are asked for, unless it is
 * damaged; reading ends. */
#include "decoder/unpack.h"

#include <assert.h>
#include <string.h>

#define EXPANDED_MAX ((size_t)1 << 20) /* of which more is not read */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
	uint64_t sum, bytes;
	int64_t end; /* 0, or the code of an error */
};

static struct outcome run(const uint8_t *data, size_t size, size_t piece)
{
	struct outcome o = {0};
	struct error e = ERROR_INIT;
	struct unpack *u = unpack_new(-1, data, size);
	uint8_t out[4096];

	do {
		o.end = unpack_read(u, out, piece, &e);
		for (int64_t i = 0; i < o.end; i++)
			o.sum = o.sum * 31 + out[i];
		o.bytes += o.end > 0 ? (uint64_t)o.end : 0;
		assert(o.end <= (int64_t)piece);
	} while (o.end > 0 && o.bytes < EXPANDED_MAX);
	assert(o.end >= 0 || e.code == (int)o.end);
	unpack_free(u);
	return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome a, b;

	if (size < 4 || !unpack_known(data))
		return 0;
	a = run(data, size, 4096);
	if (a.bytes >= EXPANDED_MAX)
		return 0;
	b = run(data, size, 7);
	/* How far libzstd gets in what is damaged, and whether it minds, depends on the pieces. */
	assert(a.end < 0 || b.end < 0 || (a.sum == b.sum && a.bytes == b.bytes));
	return 0;
}
