/* A capture told again as a scenario: readable Lua that a person goes on editing. */
#ifndef HARNESS_RETELL_H
#define HARNESS_RETELL_H

#include "checks/check.h"
#include "harness/cast.h"

#define RETELL_SIZE_MAX	  ((size_t)64 << 20)
#define RETELL_UNREAD_MAX 10000 /* records of a run that nobody read */

struct retell {
	const struct incident *in;
	const struct cast *cast;
	struct checks *checks; /* over the same capture, ended; NULL: none are told */
	const char *file;      /* as it was named */
	const char *group;     /* that it was narrowed to; NULL */
	const char *filter;    /* likewise */
	bool damaged;	       /* what readers are given can't be trusted; retell_write finds out */
};

void retell_write(const struct retell *r, struct buf *out);

/* ---- between the files of this ---- */

/* A Lua string. */
void retell_quote(struct buf *out, struct str text);
/* The Lua variable of a topic; its name behind the last dot, made fit. */
void retell_topic_word(const struct retell *r, size_t topic, char *ret_word, size_t size);
/* Whether the scenario has the topic: somebody asked for it, and it is nobody's inner one. */
bool retell_has_topic(const struct retell *r, size_t topic);
/* c:topic(...), and what groups have committed; retell_log.c. */
void retell_topics(const struct retell *r, struct buf *out);
/* How many offsets behind the last batch that was seen are told to be there. */
int64_t retell_unread_at_end(const struct seen_partition *p, int64_t end);

/* Whether the records of a batch that was there can be read at all; one with a wrong checksum, or
 * that a producer of the capture wrote, counts as such. retell_read.c */
bool retell_opens(const struct seen_batch *b);
bool retell_is_stuck(const struct seen_partition *p); /* one of them can't */
/* Records of a topic that a reader can be given from where it begins: those that were there, and
 * those that were written; how many were there in *ret_before. */
int64_t retell_readable(const struct retell *r, struct str topic, const struct part *reader,
			int64_t *ret_before);

#endif
