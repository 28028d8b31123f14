/* How far a long reading of files is, on stderr, if that is a terminal. Nothing is written before
 * the first second is over. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
	bool on, shown;
	const char *program; /* stands before it */
	uint64_t size;	     /* of all files together; 0: not known */
	int64_t next_us;     /* when to write again, monotonic */
	uint32_t calls;
};

/* beside: text goes to the terminal as well, so nothing is to stand between. */
void progress_begin(struct progress *p, const char *program, const char *const *paths, size_t count,
		    bool beside);

/* To be called often; most calls do nothing. */
void progress_show(struct progress *p, uint64_t bytes_read);

/* Takes it away again. */
void progress_end(struct progress *p);

#endif
