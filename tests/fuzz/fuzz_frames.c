/* Whatever a client may send, against a whole service: the first byte picks a rule, the rest is
 * what comes over one connection, in slices that the second byte picks. Nothing may crash, leak or
 * hang, and in the end connections, frames and bytes are gone. */
#include "base/shared.h"
#include "net/conn.h"
#include "service/service.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURNS_MAX 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const rules[] = {
	NULL,
	"any nth=2 -> error UNKNOWN_SERVER_ERROR after force",
	"any -> error REQUEST_TIMED_OUT force",
	"any nth=2 -> close after",
	"any nth=2 -> reset at=6",
	"any -> twice",
	"any -> chunk 1",
	"any -> cut 9",
	"any -> crc",
	"any -> tag 77",
	"any nth=1 -> hold gate answer overtake=answers",
	"any every=2 -> drop after",
	"any -> flip throttleTimeMs",
	"any topic=* partition=0 prob=50% -> set throttleTimeMs=7",
	"any error=3,16,25 -> silence after",
	"any nth=1..3 -> correlation -1",
};

/* Events are walked through, so that all that they point to is looked at. */
static void on_event(void *ctx, const struct event *ev)
{
	if (ev->kind == EVENT_EXCHANGE) {
		exchange_request(ev->exchange);
		exchange_response(ev->exchange);
	}
	++*(uint64_t *)ctx;
}

static struct service *start(struct loop *loop, const char *rule, struct event_sink *sink)
{
	struct service_address listen = {"127.0.0.1", 0};
	struct service_config config = {.listen = &listen};
	struct service *s;

	config.cluster.brokers = 1;
	config.cluster.seed = 1;
	config.cluster.auto_create = true;
	config.cluster.memory_max = 1 << 20;
	s = service_new(loop, &config, NULL);
	if (!s || (rule && !service_add_rule(s, str_of(NULL), str_of(rule), NULL)))
		abort();
	event_bus_add(service_events(s), sink);
	service_create_topic(s, str_of("t"), 2, 1, 1, NULL);
	return s;
}

static void drain(int fd)
{
	uint8_t sink[4096];

	while (read(fd, sink, sizeof(sink)) > 0)
		;
}

static void talk(struct loop *loop, struct service *s, int fd, const uint8_t *data, size_t size,
		 size_t slice)
{
	for (size_t at = 0; at < size; at += slice) {
		size_t n = size - at < slice ? size - at : slice;

		if (send(fd, data + at, n, MSG_NOSIGNAL) < 0)
			break;
		loop_turn(loop, 0);
		drain(fd);
	}
	shutdown(fd, SHUT_WR);
	for (int i = 0; i < TURNS_MAX && service_connections(s); i++) {
		loop_turn(loop, 0);
		drain(fd);
		service_release(s, str_of("gate"));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t slices[] = {65536, 1, 7, 100};
	size_t frames = shared_count();
	uint64_t events = 0;
	struct event_sink sink = {.on_event = on_event, .ctx = &events};
	struct service *s;
	struct loop *loop;
	int fds[2];

	if (size < 2 || size > 1 << 16)
		return 0;
	loop = loop_new();
	s = start(loop, rules[data[0] % (sizeof(rules) / sizeof(rules[0]))], &sink);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		abort();
	fcntl(fds[1], F_SETFL, O_NONBLOCK);
	service_adopt(s, 1, fds[0]);
	talk(loop, s, fds[1], data + 2, size - 2, slices[data[1] % 4]);
	service_free(s);
	loop_turn(loop, 0);
	loop_free(loop);
	close(fds[1]);
	assert(events >= 2 && conn_count() == 0 && shared_count() == frames);
	return 0;
}
