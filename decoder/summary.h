/* What one looks for in a pair of messages, found by the tables and not by API: topics, group,
 * member, error codes, throttle; and what is wrong with its bytes. Topic ids become names where
 * some message of the capture told them. */
#ifndef DECODER_SUMMARY_H
#define DECODER_SUMMARY_H

#include "decoder/names.h"
#include "trace/event.h"

#define SUMMARY_TOPICS_MAX     10000
#define SUMMARY_PARTITIONS_MAX 100000 /* of one message */
#define SUMMARY_ERRORS_MAX     32
#define SUMMARY_PROBLEMS_MAX   16

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

struct summary_partition {
	int32_t topic; /* index in topics; -1: not said */
	int32_t partition;
	int16_t error; /* of an answer */
};

struct summary {
	struct str *topics; /* each once (of more than 64 some may come again); views into bodies,
			       names or ids */
	int32_t topics_count, topics_cap;
	struct summary_partition *partitions[2]; /* in the request's order, in the answer's */
	int32_t partitions_count[2], partitions_cap[2];
	int32_t unresolved;			    /* topic ids that have no name yet */
	struct str group, member, transactional_id; /* null where there is none */
	int16_t errors[SUMMARY_ERRORS_MAX];	    /* of the answer, each once, without NONE */
	int32_t errors_count;
	int64_t throttle_ms;			   /* -1: the answer has no such field */
	bool control;				   /* there are control batches */
	const struct names *names;		   /* that ids were looked up in; may be NULL */
	int32_t session_id;			   /* of a Fetch in a session (KIP-227); 0: none */
	int32_t session_epoch, session_partitions; /* how many it holds */
	struct problem problems[SUMMARY_PROBLEMS_MAX];
	int32_t problems_count;
	bool malformed; /* a problem for --strict: malformed bytes or a wrong CRC */
};

/* Decodes both bodies (exchange_request, exchange_response), learns names, fills *ret. What it
 * points to lives as long as the event, partly in the exchange's arena. names may be NULL. */
void summarize(struct exchange *x, struct names *names, struct summary *ret);

/* Adds a partition that the request asks for without naming it, unless it is one of the first
 * `named` ones; topic: by name, or null and by id. */
void summary_add(struct summary *s, struct arena *arena, const struct names *names, int32_t named,
		 struct str topic, struct uuid id, int32_t partition);

#endif
