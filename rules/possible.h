/* Which error codes an API of a real broker can give back, where in the answer, and in which
 * versions. What no broker ever says is refused as a fault, and this says where a code belongs. */
#ifndef RULES_POSSIBLE_H
#define RULES_POSSIBLE_H

#include <stdbool.h>
#include <stdint.h>

/* True if the API can return the code in some version of from..to. */
bool error_possible(int api_key, int from, int to, int16_t code);

/*
 * The place in the answer at which the API gives that code in that version, as a path such as
 * "topics[].partitions[].errorCode"; the first of several, NULL if there is none. Codes that any
 * API may give (such as 35) have no place of their own: NULL.
 */
const char *error_place(int api_key, int version, int16_t code);

#endif
