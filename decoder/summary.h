/* What one looks for in a pair of messages, found by the tables and not by API: topics, group,
 * member, error codes, throttle; and what is wrong with its bytes. Topic ids become names where
 * some message of the capture told them. */
#ifndef DECODER_SUMMARY_H
#define DECODER_SUMMARY_H

#include "trace/event.h"

#define SUMMARY_TOPICS_MAX   64
#define SUMMARY_ERRORS_MAX   32
#define SUMMARY_PROBLEMS_MAX 16

/* Topic names by id, as learned. */
struct names;

struct names *names_new(void);
void names_free(struct names *n); /* NULL is fine */
/* The name, or the null view. Lives as long as n, or until the id gets another name. */
struct str names_find(const struct names *n, struct uuid id);

enum problem_kind {
	PROBLEM_MALFORMED,   /* the bytes say something impossible, or end too early */
	PROBLEM_TRAILING,    /* bytes behind the message */
	PROBLEM_CRC,	     /* a batch's checksum is wrong */
	PROBLEM_LOST,	     /* bytes that are not in the capture */
	PROBLEM_NOT_KEPT,    /* more than the memory allows */
	PROBLEM_UNSUPPORTED, /* an API or version that we don't know */
	PROBLEM_ORPHAN,	     /* an answer without its request */
};

/* In JSON: "malformed", "trailing", ... */
const char *problem_name(enum problem_kind kind);

struct problem {
	enum problem_kind kind;
	bool response;
	int64_t offset; /* in the frame (behind its length); -1: none */
	char field[96]; /* "" : none */
	char text[200];
};

struct summary {
	struct str topics[SUMMARY_TOPICS_MAX]; /* each once; views into bodies, names or ids */
	int32_t topics_count;
	struct str group, member, transactional_id; /* null where there is none */
	int16_t errors[SUMMARY_ERRORS_MAX];	    /* of the answer, each once, without NONE */
	int32_t errors_count;
	int64_t throttle_ms; /* -1: the answer has no such field */
	struct problem problems[SUMMARY_PROBLEMS_MAX];
	int32_t problems_count;
	bool malformed; /* a problem for --strict: malformed bytes or a wrong CRC */
	char ids[SUMMARY_TOPICS_MAX][UUID_TEXT_SIZE]; /* texts of ids without a name */
};

/* Decodes both bodies (exchange_request, exchange_response), learns names, fills *ret. The views
 * live as long as the event. names may be NULL. */
void summarize(struct exchange *x, struct names *names, struct summary *ret);

#endif
