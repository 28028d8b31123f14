/* Speed of `ktrial serve` beside a bare epoll server that gives canned answers to the same frames:
 * start, one and five Produces of 16 KiB in flight, Fetch of 1 MiB, Metadata among 10,000 idle
 * connections and what these and the records cost in memory, and rules that match nothing. All
 * servers are processes of their own; short rounds alternate between them and the lower quartiles
 * are compared. Beside the bare server stand two more, to say where the time goes: one that keeps
 * what it is sent, and one that also judges it. */
#include "base/clock.h"
#include "bench/bare.h"
#include "bench/goal.h"
#include "protocol/messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define STARTS	     31
#define ROUNDS	     60
#define REQUESTS     200 /* of a round */
#define DELETE_AFTER 40	 /* rounds: then the log is emptied, so that its memory is used again */
#define FRESH_ROUNDS 60
#define FETCH_ROUNDS 10
#define IDLE	     10000
#define WARM	     ((size_t)1 << 30)
#define KEPT	     20000 /* Produces whose memory is weighed: 300 MB of payload */

static struct buf canned[BARE_KEYS + 1];
static struct produced produce;
static struct buf fetch, metadata, versions, delete_all;

/* ---- start ---- */

static void measure_start(void)
{
	double took[STARTS];

	for (int i = 0; i < STARTS; i++) {
		int64_t start = clock_now().mono_us;
		struct server s = start_ktrial(NULL, 0);
		int fd = dial(s.port);

		put(fd, &versions);
		answer(fd);
		took[i] = (double)(clock_now().mono_us - start) / 1000;
		close(fd);
		stop(&s);
	}
	goal_line(GOAL_AT_MOST, 3, quartile(took, STARTS), "ms",
		  "spawn of serve to its first answered ApiVersions");
}

/* ---- requests, side by side ---- */

enum { KTRIAL, PLAIN, KEEPS, JUDGES, SIDES };

struct side {
	struct server server;
	int fd;
	double took[ROUNDS]; /* us a request */
	double used[ROUNDS]; /* of the server's processor time */
	double us, cpu;	     /* their lower quartiles */
};

static void one_round(struct side *s, const struct buf *frame, int in_flight, int round)
{
	double before = cpu_us(s->server.pid);

	s->took[round] = rounds_of(s->fd, frame, in_flight, REQUESTS);
	s->used[round] = (cpu_us(s->server.pid) - before) / REQUESTS;
}

/* Rounds of each in turn, so that what else the machine does meets all alike. empty: ktrial's log
 * is emptied now and then, which is not part of them. */
static void side_by_side(struct side *sides, int n, const struct buf *frame, int in_flight,
			 int rounds, bool empty)
{

	for (int k = 0; k < n; k++) {
		sides[k].fd = dial(sides[k].server.port);
		rounds_of(sides[k].fd, frame, in_flight, REQUESTS);
	}
	for (int i = 0; i < rounds; i++) {
		for (int k = 0; k < n; k++)
			one_round(&sides[k], frame, in_flight, i);
		if (empty && i % DELETE_AFTER == 0) {
			put(sides[KTRIAL].fd, &delete_all);
			answer(sides[KTRIAL].fd);
		}
	}
	for (int k = 0; k < n; k++) {
		sides[k].us = quartile(sides[k].took, (size_t)rounds);
		sides[k].cpu = quartile(sides[k].used, (size_t)rounds);
		close(sides[k].fd);
	}
}

static void show(const char *what, const struct side *sides, int n, size_t bytes)
{
	static const char *const names[] = {"ktrial", "bare", "bare that keeps",
					    "bare that keeps and judges"};

	printf("%s:\n", what);
	for (int k = 0; k < n; k++)
		printf("  %-27s %7.1f us a request, %5.0f MB/s, %.2f of its speed; processor time "
		       "%.1f "
		       "us\n",
		       names[k], sides[k].us, (double)bytes / sides[k].us,
		       sides[k].us / sides[KTRIAL].us, sides[k].cpu);
}

static void measure_fetch(struct side *sides)
{
	size_t bytes = canned[API_FETCH].len;

	side_by_side(sides, PLAIN + 1, &fetch, 1, FETCH_ROUNDS, false);
	show("Fetch of 1 MiB, one in flight", sides, PLAIN + 1, bytes);
	goal_line(GOAL_AT_LEAST, 0.7, sides[PLAIN].us / sides[KTRIAL].us, "of the bare server",
		  "Fetch of 1 MiB");
}

/* Where the scheduler may choose, it puts the bare server onto the client's processor and ktrial
 * onto another, and then the round trip of the one is that of a function call, and of the other
 * that of a processor that is woken. So both placements are made, each alike for all. */
struct placement {
	const char *what;
	int server; /* its processor; the client has 0 */
	bool goal;  /* of the issue: a server that has a processor to itself */
};

static void measure_produce(struct side *sides, const struct placement *p)
{
	const struct buf *frame = &produce.frame;
	char what[200];

	for (int k = 0; k < SIDES; k++)
		run_on(sides[k].server.pid, p->server);
	if (p->goal) {
		side_by_side(sides, SIDES, frame, 5, FRESH_ROUNDS, false);
		snprintf(what, sizeof(what), "Produce of 16 KiB, five in flight, %s, %s", p->what,
			 "ktrial's memory never used before");
		show(what, sides, SIDES, frame->len);
	}
	side_by_side(sides, SIDES, frame, 5, ROUNDS, true);
	snprintf(what, sizeof(what), "Produce of 16 KiB, five in flight, %s", p->what);
	show(what, sides, SIDES, frame->len);
	if (p->goal)
		goal_line(GOAL_AT_LEAST, 0.7, sides[PLAIN].us / sides[KTRIAL].us,
			  "of the bare server", what);
	side_by_side(sides, SIDES, frame, 1, ROUNDS, true);
	snprintf(what, sizeof(what), "Produce of 16 KiB, one in flight, %s", p->what);
	show(what, sides, SIDES, frame->len);
	if (p->goal)
		goal_line(GOAL_AT_MOST, 1.3, sides[KTRIAL].us / sides[PLAIN].us,
			  "of the bare server's round trip", what);
}

static void measure_placed(struct side *sides)
{
	static const struct placement apart = {"client and server on processors of their own", 1,
					       true},
				      together = {"client and server on one processor", 0, false},
				      alone = {"client and server on one processor", 0, true};

	run_on(0, 0);
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		measure_fetch(sides);
		measure_produce(sides, &alone);
	} else {
		for (int k = 0; k < SIDES; k++)
			run_on(sides[k].server.pid, apart.server);
		measure_fetch(sides);
		measure_produce(sides, &apart);
		measure_produce(sides, &together);
	}
	run_anywhere(0);
}

static void measure_requests(void)
{
	struct bare_config bare = {canned, produce.batch_at, produce.batch_size};
	struct side sides[SIDES] = {[KTRIAL].server = start_ktrial(NULL, 0)};
	int fd = dial(sides[KTRIAL].server.port);

	for (int i = 0; i < 80; i++) {
		put(fd, &produce.frame);
		answer(fd);
	}
	put(fd, &produce.frame);
	learn(fd, &canned[API_PRODUCE]);
	put(fd, &fetch);
	learn(fd, &canned[API_FETCH]);
	put(fd, &metadata);
	learn(fd, &canned[API_METADATA]);
	sides[PLAIN].server = start_bare(BARE_PLAIN, &bare);
	sides[KEEPS].server = start_bare(BARE_KEEPS, &bare);
	sides[JUDGES].server = start_bare(BARE_JUDGES, &bare);
	measure_placed(sides);
	close(fd);
	for (int i = 0; i < SIDES; i++)
		stop(&sides[i].server);
}

/* ---- memory ---- */

static void measure_memory(void)
{
	struct server k = start_ktrial(NULL, 0);
	int fd = dial(k.port);
	double before = rss_bytes(k.pid), after;

	rounds_of(fd, &produce.frame, 5, KEPT);
	after = rss_bytes(k.pid);
	goal_line(GOAL_AT_MOST, 1.3, (after - before) / ((double)KEPT * (double)produce.payload),
		  "bytes",
		  "memory for each payload byte of records of 100 bytes in batches of 16 KiB");
	close(fd);
	stop(&k);
}

static void measure_idle(void)
{
	static int idle[IDLE];
	struct server k = start_ktrial(NULL, 0);
	double without[ROUNDS], with[ROUNDS], before, after, alone, among;
	int fd = dial(k.port);

	rounds_of(fd, &metadata, 1, 1000);
	for (int i = 0; i < ROUNDS; i++)
		without[i] = rounds_of(fd, &metadata, 1, REQUESTS);
	before = rss_bytes(k.pid);
	for (int i = 0; i < IDLE; i++) {
		idle[i] = dial(k.port);
		put(idle[i], &metadata);
		answer(idle[i]);
	}
	after = rss_bytes(k.pid);
	for (int i = 0; i < ROUNDS; i++)
		with[i] = rounds_of(fd, &metadata, 1, REQUESTS);
	alone = quartile(without, ROUNDS);
	among = quartile(with, ROUNDS);
	printf("Metadata: %.1f us among %d other connections, %.1f us alone\n", among, IDLE, alone);
	goal_line(GOAL_AT_MOST, 1.25, among / alone, "of its time alone",
		  "Metadata with %d other connections open", IDLE);
	goal_line(GOAL_AT_MOST, 8, (after - before) / 1024 / IDLE, "KiB", "an idle connection");
	for (int i = 0; i < IDLE; i++)
		close(idle[i]);
	close(fd);
	stop(&k);
}

/* ---- rules ---- */

static void measure_rules(void)
{
	static const int counts[] = {0, 1, 10, 100};
	const char *words[200];

	for (int i = 0; i < 100; i++) {
		words[2 * i] = "--rule";
		words[2 * i + 1] = "Produce topic=other partition=7 nth=1000000 -> close";
	}
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct side s = {.server = start_ktrial(words, 2 * counts[i])};

		side_by_side(&s, 1, &produce.frame, 1, ROUNDS, true);
		printf("a busy connection (Produce, one in flight) and %3d rules: %.1f us a "
		       "request, "
		       "processor time %.1f us\n",
		       counts[i], s.us, s.cpu);
		stop(&s.server);
	}
}

/* All measures, or those named. */
static bool asked(int argc, char **argv, const char *name)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc == 1;
}

int main(int argc, char **argv)
{
	struct rlimit files;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	setvbuf(stdout, NULL, _IOLBF, 0);
	make_produce(&produce);
	make_fetch(1 << 20, &fetch);
	make_metadata(&metadata);
	make_versions(&versions);
	make_delete(&delete_all);
	warm_memory(WARM);
	if (asked(argc, argv, "start"))
		measure_start();
	if (asked(argc, argv, "requests"))
		measure_requests();
	if (asked(argc, argv, "memory"))
		measure_memory();
	if (asked(argc, argv, "rules"))
		measure_rules();
	if (asked(argc, argv, "idle") && files.rlim_cur > IDLE + 100)
		measure_idle();
	else if (asked(argc, argv, "idle"))
		printf("Metadata among %d connections: not measured, only %llu descriptors\n", IDLE,
		       (unsigned long long)files.rlim_cur);
	return goals_missed();
}
