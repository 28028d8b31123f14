/* One connection: frames in, frames out, and the faults that only a transport can have. It reads
 * always (up to its limits), stamps what arrives, and never calls back from inside conn_send. */
#ifndef NET_CONN_H
#define NET_CONN_H

#include "base/clock.h"
#include "base/shared.h"
#include "base/str.h"
#include "net/loop.h"

#include <stddef.h>
#include <sys/uio.h>

#define CONN_FRAME_MAX	104857600	  /* socket.request.max.bytes of 4.4.0 */
#define CONN_FRAMES_MAX 64		  /* frames that wait; then reading stops */
#define CONN_BYTES_MAX	((size_t)8 << 20) /* likewise; one frame may pass it */

struct conn;

/* A whole frame as it was read, without its four length bytes. */
struct frame_in {
	struct shared *frame;	    /* whoever takes it owns the reference */
	struct instant first, last; /* when its first (length) and its last byte were read */
};

enum conn_end {
	CONN_END_CLOSED,     /* the peer sent its FIN: nothing more is read, writing goes on */
	CONN_END_BAD_LENGTH, /* it announced a frame that is negative, empty or too large: likewise
			      */
	CONN_END_RESET,	     /* the peer reset it, or it broke: no more writing either */
};

/* Something to be written. Whoever sends it owns it and what it points to, and keeps both until
 * on_sent or conn_free. Zero but for spans and on_sent is a plain frame. */
struct out {
	const struct bytes *spans; /* what to write, in order */
	int32_t spans_count;
	void (*on_sent)(struct out *o);

	bool stop; /* write only stop_at bytes, then call on_sent */
	size_t stop_at;
	size_t chunk; /* bytes for each write; 0: no limit */
	int64_t rate; /* bytes a second; 0: no limit */

	size_t size, sent; /* bytes to write, and written so far; conn_send sets both */
	int32_t span;	   /* where writing stands */
	int32_t span_at;
	struct instant first, last; /* when the first and the last byte were written */
	struct out *next;
};

struct conn_callbacks {
	void (*on_frames)(void *ctx); /* something is there for conn_next */
	/* Frames may still wait for conn_next. RESET may follow one of the others; nothing follows
	 * RESET. */
	void (*on_end)(void *ctx, enum conn_end how);
	/* Bytes as they were read or written, in order. May be NULL. */
	void (*on_bytes)(void *ctx, bool read, const struct iovec *v, int count,
			 struct instant now);
};

/* Takes fd, which is non-blocking. Reading begins with the next turn of the loop. */
struct conn *conn_new(struct loop *l, int fd, const struct conn_callbacks *callbacks, void *ctx);

/* Closes, with a FIN or with a reset, and frees; may be called from inside a callback. What was not
 * written is dropped without on_sent. Accepts NULL. */
void conn_free(struct conn *c, bool reset);

/* Resets a descriptor that never became a connection. */
void conn_reset_fd(int fd);

/* Takes the oldest whole frame; false if there is none. */
bool conn_next(struct conn *c, struct frame_in *ret_frame);

/* Frames that wait now. */
int32_t conn_waiting(const struct conn *c);

/* Writes it behind what is on its way already: at once if it can be, or, from inside on_frames,
 * together with what follows. */
void conn_send(struct conn *c, struct out *o);

/* Writes now what conn_send has gathered. */
void conn_flush(struct conn *c);

/* Bytes given to conn_send that are not written yet. */
size_t conn_unsent(const struct conn *c);

/* Whether nothing of a frame that was not taken yet is here, and nothing is left to be written. */
bool conn_idle(const struct conn *c);

/* Stops and resumes reading, beside its own limits. */
void conn_hold_reading(struct conn *c, bool hold);

/* The last length that was read: of CONN_END_BAD_LENGTH. */
int32_t conn_length(const struct conn *c);

/* Connections that exist now, for leak tests. */
size_t conn_count(void);

#endif
