/* Topic names by topic id: as messages of the capture told them, or a file. */
#ifndef DECODER_NAMES_H
#define DECODER_NAMES_H

#include "base/error.h"
#include "base/room.h"
#include "base/str.h"

#define NAMES_MAX      200000		  /* more are not learned */
#define NAMES_TEXT_MAX ((size_t)64 << 20) /* bytes of a file of names */

struct names;

struct names *names_new(void);
void names_free(struct names *n); /* NULL is fine */

/* Memory is taken from room, which must outlive n; what does not fit is not learned. */
void names_limit(struct names *n, struct room *room);

/* The name, or the null view; the metadata topic's id is the same everywhere (KIP-595). Lives as
 * long as n, or until the id gets another name. */
struct str names_find(const struct names *n, struct uuid id);

/* n NULL is fine. */
void names_learn(struct names *n, struct uuid id, struct str text);

/* How many times something new was learned. */
uint64_t names_count(const struct names *n);

/* Reads lines of a name and an id in either order, blanks between them; "#" begins a comment; what
 * `kafka-topics --describe` prints ("Topic: NAME TopicId: ID ...") is read, too. Returns how many
 * were learned, or ERR_USAGE with *e, whose offset is the line from 1. */
int names_read(struct names *n, struct str text, struct error *e);

/* The same of a file ("-": standard input); also ERR_OS, ERR_LIMIT. */
int names_read_file(struct names *n, const char *path, struct error *e);

#endif
