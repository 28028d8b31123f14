/* Messages as JSON and back: the contract "JSON of a message". Kafka's field names in lower camel
 * case; integers exact; float64 shortest exact, else "NaN", "Infinity", "-Infinity"; uuid as Kafka
 * prints it; bytes and records as padded base64; a tagged field at its default is absent; unknown
 * tagged fields stand in their struct as "_unknownTaggedFields":[{"tag":N,"hex":"..."}]. */
#ifndef PROTOCOL_MESSAGE_JSON_H
#define PROTOCOL_MESSAGE_JSON_H

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "protocol/schema.h"

#include <jansson.h>

#define MESSAGE_JSON_TAGS "_unknownTaggedFields"
#define MESSAGE_JSON_FLAGS \
	(JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES) /* how jansson must read JSON that comes here */

/* Writes a struct as one JSON object with the fields of that version. Text that is not UTF-8 shows
 * U+FFFD and sets j->bad_utf8. */
void message_json_write(const struct schema *s, int version, const void *msg, struct json *j);

/*
 * Reads what message_json_write writes into ret_msg; strings, bytes and arrays are copied into the
 * arena. A field may be missing if it is tagged or its definition names a default. Returns 0, or a
 * negative code with *e and the field's path: ERR_MALFORMED (a missing or unknown field, a wrong
 * kind of value, a number out of range, text that is no uuid, base64 or hex), ERR_UNSUPPORTED (a
 * field that this version lacks), ERR_LIMIT (arena full). ret_msg is undefined on failure.
 */
int message_json_read(const struct schema *s, int version, const json_t *value, struct arena *a,
		      void *ret_msg, struct error *e);

#endif
