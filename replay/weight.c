/* Tables: what decides, and what weighs by its role. */
#include "replay/weight.h"

#include "protocol/messages.h"
#include "replay/nature.h"

bool weight_repeats(int api_key, int version, const void *body)
{
	struct nature n = nature_of(api_key, version, body);

	/* the same offset or the same metrics once more change nothing */
	return n.question || n.security || api_key == API_OFFSET_COMMIT ||
	       api_key == API_PUSH_TELEMETRY;
}

/* Whether one of two numbers says "none" or something special and the other does not, or something
 * else: -1 and -2 of a time stamp, 0 and -1 of a member's epoch. */
static bool other_class(int64_t a, int64_t b, bool zero_is_special)
{
	if (a < 0 || b < 0)
		return a != b;
	return zero_is_special && (a == 0) != (b == 0);
}

static bool other_emptiness(const struct str *a, const struct str *b)
{
	return (a->len == 0) != (b->len == 0);
}

bool weight_decides(const struct schema *s, const struct schema_field *f, const void *recorded,
		    const void *live)
{
	static const char *const all[] = {
		"committed",	"keyType",	"resourceType",		"mechanism",
		"validateOnly", "electionType", "includeDenylistedAcls"};
	enum role role = role_of(s, f);

	if (f->array)
		return false;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(f->name, all[i]) == 0)
			return true;
	if (role == ROLE_MEMBER && f->type == FIELD_STRING)
		return other_emptiness(recorded, live);
	if (role == ROLE_GENERATION || role == ROLE_PRODUCER_ID)
		return other_class(leaf_int(f, recorded), leaf_int(f, live),
				   strcmp(f->name, "memberEpoch") == 0);
	if (strcmp(f->name, "timestamp") == 0 && leaf_is_int(f))
		return other_class(leaf_int(f, recorded), leaf_int(f, live), false);
	return false;
}

int weight_of(const struct schema *s, const struct schema_field *f)
{
	switch (role_of(s, f)) {
	case ROLE_MEMBER:
	case ROLE_INSTANCE:
	case ROLE_PRODUCER_ID:
	case ROLE_PRODUCER_EPOCH:
	case ROLE_GENERATION:
		return 16;
	case ROLE_OFFSET:
	case ROLE_PRINCIPAL:
	case ROLE_REGEX:
	case ROLE_CONFIG_VALUE:
		return 8;
	case ROLE_TIME:
	case ROLE_MEASURE:
	case ROLE_TEXT:
	case ROLE_SECRET:
	case ROLE_HOST:
	case ROLE_PORT:
	case ROLE_ADDRESS:
	case ROLE_CLUSTER:
	case ROLE_RECORDS:
	case ROLE_SESSION:
		return 0;
	case ROLE_LEADER_EPOCH:
	case ROLE_RACK:
	case ROLE_NOTE:
	case ROLE_OPAQUE:
	case ROLE_SUBSCRIPTION:
	case ROLE_ASSIGNMENT:
		return 1;
	default:
		return f->type == FIELD_BOOL ? 1 : 2;
	}
}
