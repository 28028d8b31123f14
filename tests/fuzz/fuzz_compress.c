/* Expands hostile data. The first byte chooses codec and magic, the second a limit; what expands is
 * compressed again and must come back the same. */
#include "protocol/compress.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT_STEP ((size_t)4096)
#define OUT_MAX	   ((size_t)4 << 20)

static void require(bool true_or_abort)
{
	if (!true_or_abort)
		abort();
}

static void there_and_back(int codec, const struct buf *plain)
{
	struct buf packed, again;

	buf_init(&packed, OUT_MAX);
	buf_init(&again, OUT_MAX);
	require(codec_compress(codec, plain->data, plain->len, NULL, &packed, NULL) == 0);
	require(codec_expand(codec, packed.data, packed.len, 2, &again, NULL, NULL) == 0);
	require(again.len == plain->len);
	require(plain->len == 0 || memcmp(again.data, plain->data, plain->len) == 0);
	buf_release(&packed);
	buf_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct expand_info info = {0};
	struct error e = ERROR_INIT;
	struct buf out;
	int codec, rc;

	if (size < 2)
		return 0;
	codec = data[0] & 7;
	buf_init(&out, LIMIT_STEP * data[1]);
	rc = codec_expand(codec, data + 2, size - 2, data[0] >> 3 & 3, &out, &info, &e);
	require(out.cap <= out.max + 1);
	require(!out.bad);
	require(rc <= 0 && rc == e.code);
	require(rc == 0 ? info.used <= size - 2 : out.len == 0);
	require(rc == 0 || e.offset == ERROR_NO_OFFSET || e.offset <= size - 2);
	if (rc == 0 && codec < CODEC_COUNT)
		there_and_back(codec, &out);
	buf_release(&out);
	return 0;
}
