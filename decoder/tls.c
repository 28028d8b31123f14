/* Looks at record headers alone (RFC 8446, 5.1). */
#include "decoder/tls.h"

#define RECORD_MAX (16384 + 2048) /* bytes that an encrypted record may have (TLS 1.2) */

bool tls_begins(const uint8_t *data, size_t n)
{
	if (n < 3 || data[0] < 0x14 || data[0] > 0x17 || data[1] != 3 || data[2] > 4)
		return false;
	return n < 5 || (data[3] << 8 | data[4]) <= RECORD_MAX;
}

void tls_data(struct tls *t, bool from_client, size_t n, int64_t time_us)
{
	int64_t wait_us = time_us - t->asked_us;

	if (from_client) {
		t->asked += n;
		t->asked_us = time_us;
		t->waiting = true;
		return;
	}
	t->answered += n;
	if (!t->waiting)
		return;
	t->waiting = false;
	t->round_trips++;
	t->wait_us += wait_us;
	if (wait_us > t->wait_max_us)
		t->wait_max_us = wait_us;
}
