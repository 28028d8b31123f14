/* Speed of `ktrial replay --as broker` beside the mock that serves the same records: Fetch answers
 * of 1 MiB and of one batch of 16 KiB, recorded before the mock with --capture and then asked of
 * both, in rounds that alternate. Replay is to reach 0.7 of the mock. */
#include "base/clock.h"
#include "bench/served.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ROUNDS	9
#define BATCHES 80 /* of 16 KiB */
#define GOAL	0.7

/* A server and a connection to it. */
struct peer {
	struct server server;
	int fd;
};

/* Sends a frame and takes its answer; the answer's bytes. */
static size_t ask(int fd, const struct buf *frame)
{
	put(fd, frame);
	return answer(fd);
}

/* ---- servers ---- */

static struct peer start(const char *const *words, int count)
{
	struct peer p = {.server = start_command(words, count)};

	p.fd = dial(p.server.port);
	return p;
}

static void end(struct peer *p)
{
	close(p->fd);
	stop(&p->server);
}

static struct peer start_mock(const char *capture)
{
	const char *words[] = {"serve",	  "--listen", "127.0.0.1:0", "--with-parent",
			       "--topic", "bench",    "--capture",   capture};
	struct peer p = start(words, capture ? 8 : 6);
	struct produced produce;

	make_produce(&produce);
	for (int i = 0; i < BATCHES; i++)
		ask(p.fd, &produce.frame);
	buf_release(&produce.frame);
	return p;
}

/* ---- what is measured ---- */

struct subject {
	const char *name;
	struct buf fetch;
	int count;     /* of a round */
	size_t answer; /* bytes */
};

static double round_of(struct peer *s, struct subject *t)
{
	int64_t begin = clock_now().mono_us;

	for (int i = 0; i < t->count; i++)
		if (ask(s->fd, &t->fetch) != t->answer)
			die("another answer");
	return (double)(clock_now().mono_us - begin) / t->count;
}

static bool measure(struct peer *mock, struct peer *replay, struct subject *t)
{
	double a[ROUNDS], b[ROUNDS], ratio;

	for (int i = 0; i < ROUNDS; i++) {
		a[i] = round_of(mock, t);
		b[i] = round_of(replay, t);
	}
	ratio = median(a, ROUNDS) / median(b, ROUNDS);
	printf("%-16s %8zu bytes  mock %7.1f us  replay %7.1f us  ratio %.2f  goal %.1f  %s\n",
	       t->name, t->answer, median(a, ROUNDS), median(b, ROUNDS), ratio, GOAL,
	       ratio >= GOAL ? "ok" : "MISSED");
	return ratio >= GOAL;
}

/* Recorded alone: what is read again at an offset is what was given there last. */
static bool play(struct subject *t)
{
	char capture[] = "/tmp/ktrial-bench-XXXXXX";
	const char *words[] = {"replay",   capture,	  "--as",	   "broker",
			       "--listen", "127.0.0.1:0", "--with-parent", "--speed",
			       "max",	   "-Y",	  "api == Fetch"};
	int file = mkstemp(capture);
	struct peer mock, replay;
	bool good;

	if (file < 0)
		die("mkstemp");
	close(file);
	mock = start_mock(capture);
	t->answer = ask(mock.fd, &t->fetch);
	end(&mock);
	mock = start_mock(NULL);
	replay = start(words, 11);
	good = measure(&mock, &replay, t);
	end(&mock);
	end(&replay);
	unlink(capture);
	buf_release(&t->fetch);
	return good;
}

int main(void)
{
	struct subject large = {.name = "Fetch of 1 MiB", .count = 200};
	struct subject small = {.name = "Fetch of a batch", .count = 4000};
	bool good;

	make_fetch(1 << 20, &large.fetch);
	make_fetch(1, &small.fetch);
	printf("replay as broker\n");
	good = play(&large);
	good &= play(&small);
	return good ? 0 : 1;
}
