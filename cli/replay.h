/* Inside of `ktrial replay` and whoever else takes a capture whole: what the options say, and the
 * capture in memory. cmd_replay.c reads the options and hands over to who plays a side. */
#ifndef CLI_REPLAY_H
#define CLI_REPLAY_H

#include "cli/cmd.h"
#include "decoder/decode.h"
#include "replay/session.h"
#include "service/replayed.h"

#define REPLAY_IGNORED_MAX 256
#define REPLAY_TO_MAX	   2

struct replay_job {
	const char *file;   /* "-": standard input */
	const char *as;	    /* "client", "broker" */
	const char *filter; /* of -Y; NULL: none */
	double speed;	    /* as in struct replay_client_options */
	struct decode_options decode;
	/* as client */
	int64_t settle_us, wait_us;
	struct service_address to[REPLAY_TO_MAX];
	int to_count;
	struct str ignored[REPLAY_IGNORED_MAX];
	size_t ignored_count;
	const char *suffix, *junit;
	bool create_topics, yes_really, json, verbose;
	/* as broker */
	struct service_address listen;
	enum on_miss on_miss;
	const char *capture; /* NULL: none */
	bool strict, with_parent;
};

#define REPLAY_SINKS_MAX 2

/* What of a capture is taken. */
struct replay_choice {
	const char *filter; /* of -Y; NULL: all */
	const char *group;  /* only the clients of that group; NULL: all. Not of standard input */
	struct event_sink *sinks[REPLAY_SINKS_MAX]; /* hear all of it, chosen or not; NULL: none */
};

/* Reads a capture into memory. A file is read twice where a group is chosen or the filter asks for
 * topics, since their names may be told late. NULL: the message is printed, *ret_status says how to
 * exit. */
struct session *replay_load(const struct command *command, const char *file,
			    const struct replay_choice *choice, const struct decode_options *decode,
			    int *ret_status);

/* Tells on stderr what of the capture is not whole and so not replayed. */
void replay_tell_flaws(const struct command *command, const struct session *s);

/* Tells on stderr that there is nothing to play, which is no replay without a difference; returns
 * the exit status. */
int replay_tell_empty(const struct replay_job *job);

/* Each plays its side; returns the exit status. */
int replay_as_client(const struct replay_job *job);
int replay_as_broker(const struct replay_job *job);

#endif
