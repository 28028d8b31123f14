/* Evidence is collected in one buffer and goes to the file in large pieces.
 *
 * Invariants: packets of a connection are written in the order of its bytes, so that sequence
 * numbers follow from how much was written (connection->sent); every packet acknowledges all that
 * the other side has sent; after a failed write nothing is written any more and the first error
 * stays.
 *
 * Blocks as such are trace/pcapng's; finding exchanges again in the packets is decoder/'s. */
#include "trace/evidence.h"

#include "base/json.h"
#include "base/rand.h"
#include "protocol/wire.h"
#include "trace/blind.h"
#include "trace/pcapng.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <uthash.h>

#define LINKTYPE_RAW  101
#define PACKET_MAX    65535 /* IP's total length */
#define TCP_HEADER    ((size_t)20)
#define SYN_OPTIONS   ((size_t)8)
#define FLUSH_AT      ((size_t)256 << 10)
#define BUFFER_MAX    ((size_t)64 << 20)
#define COMMENTS_MAX  16 /* that wait for a connection's next packet */
#define BLOCK_VERSION 1
#define BLOCK_HEADER  24 /* before the JSON */
#define MICROSECONDS  6

#define FLAG_FIN      0x01
#define FLAG_SYN      0x02
#define FLAG_RST      0x04
#define FLAG_PSH      0x08
#define FLAG_ACK      0x10

struct connection {
	int64_t conn;
	struct endpoint ends[2]; /* client, server */
	uint32_t next[2];	 /* sequence number of each side's next byte */
	struct blind *blind;
	char *comments[COMMENTS_MAX];
	size_t comments_count;
	UT_hash_handle hh;
};

struct evidence {
	int fd;
	struct buf out;
	struct buf text; /* of the custom block at hand */
	struct error error;
	struct connection *connections;
	struct event_sink sink;
};

/* The file. */

static void write_out(struct evidence *ev)
{
	size_t at = 0;
	ssize_t n;

	if (ev->out.bad)
		error_set(&ev->error, ERR_LIMIT, "an event too large for the evidence");
	while (at < ev->out.len && !ev->error.code) {
		n = write(ev->fd, ev->out.data + at, ev->out.len - at);
		if (n < 0 && errno != EINTR)
			error_set(&ev->error, ERR_OS, "can't write the evidence: %s",
				  strerror(errno));
		at += n > 0 ? (size_t)n : 0;
	}
	buf_reset(&ev->out);
}

static void write_if_full(struct evidence *ev)
{
	if (ev->out.len >= FLUSH_AT || ev->out.bad)
		write_out(ev);
}

int evidence_flush(struct evidence *ev, struct error *e)
{
	write_out(ev);
	if (ev->error.code && e && !e->code)
		*e = ev->error;
	return ev->error.code;
}

/* Packets. */

static uint64_t sum_bytes(uint64_t sum, const uint8_t *p, size_t n)
{
	for (; n >= 4; p += 4, n -= 4)
		sum += wire_u32(p);
	if (n >= 2)
		sum += (uint64_t)wire_u16(p) << 16;
	if (n & 1)
		sum += (uint64_t)p[n - 1] << (n == 3 ? 8 : 24);
	return sum;
}

/* The Internet checksum (RFC 1071) of a sum of 32-bit words. */
static uint16_t checksum(uint64_t sum)
{
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)~sum;
}

static size_t ip_header(const struct connection *c)
{
	return c->ends[0].family == 4 ? 20 : 40;
}

/* IP header for tcp_size bytes from side d; returns the pseudo header's sum for TCP. */
static uint64_t put_ip(uint8_t *p, const struct connection *c, int d, size_t tcp_size)
{
	const struct endpoint *src = &c->ends[d], *dst = &c->ends[!d];
	size_t n = src->family == 4 ? 4 : 16;
	uint8_t *addr = p + (n == 4 ? 12 : 8);

	memcpy(addr, src->addr, n);
	memcpy(addr + n, dst->addr, n);
	if (n == 4) {
		wire_put32(p, 0x45000000 | (uint32_t)(tcp_size + 20));
		wire_put32(p + 4, 0x4000); /* don't fragment */
		wire_put32(p + 8, 64u << 24 | 6 << 16);
		wire_put16(p + 10, checksum(sum_bytes(0, p, 20)));
	} else {
		wire_put32(p, 6u << 28);
		wire_put16(p + 4, (uint16_t)tcp_size);
		p[6] = 6;
		p[7] = 64;
	}
	return sum_bytes(6 + tcp_size, addr, 2 * n);
}

/* A segment from side d. Its payload is the next len bytes of the spans, which it moves on. */
struct segment {
	int d;
	uint8_t flags;
	size_t len;
	const struct iovec *iov;
	size_t at; /* within *iov */
};

static void take_payload(uint8_t *to, struct segment *g)
{
	size_t left = g->len, n;

	while (left) {
		n = g->iov->iov_len - g->at;
		if (n > left)
			n = left;
		if (n)
			memcpy(to, (const uint8_t *)g->iov->iov_base + g->at, n);
		to += n;
		left -= n;
		g->at += n;
		if (g->at == g->iov->iov_len) {
			g->iov++;
			g->at = 0;
		}
	}
}

static void put_tcp(uint8_t *p, const struct connection *c, struct segment *g, uint64_t pseudo)
{
	static const uint8_t options[SYN_OPTIONS] = {2, 4, 0xff, 0xc3, 1, 3, 3, 14};
	size_t header = TCP_HEADER + ((g->flags & FLAG_SYN) ? SYN_OPTIONS : 0);

	wire_put16(p, c->ends[g->d].port);
	wire_put16(p + 2, c->ends[!g->d].port);
	wire_put32(p + 4, c->next[g->d]);
	wire_put32(p + 8, (g->flags & FLAG_ACK) ? c->next[!g->d] : 0);
	p[12] = (uint8_t)(header / 4 << 4);
	p[13] = g->flags;
	wire_put16(p + 14, 0xffff); /* scaled by 2^14: nobody waits for a window here */
	wire_put32(p + 16, 0);
	if (g->flags & FLAG_SYN)
		memcpy(p + TCP_HEADER, options, SYN_OPTIONS);
	take_payload(p + header, g);
	wire_put16(p + 16, checksum(sum_bytes(pseudo, p, header + g->len)));
}

static void drop_comments(struct connection *c)
{
	for (size_t i = 0; i < c->comments_count; i++)
		free(c->comments[i]);
	c->comments_count = 0;
}

static void put_segment(struct evidence *ev, struct connection *c, struct segment *g,
			int64_t time_us)
{
	struct str comments[COMMENTS_MAX];
	size_t tcp = TCP_HEADER + ((g->flags & FLAG_SYN) ? SYN_OPTIONS : 0) + g->len;
	struct pcapng_out out = {.time = time_us > 0 ? (uint64_t)time_us : 0,
				 .len = (uint32_t)(ip_header(c) + tcp)};
	uint8_t *room;

	assert(out.len <= PACKET_MAX);
	out.wire_len = out.len;
	out.flags = g->d ? PCAPNG_OUTBOUND : PCAPNG_INBOUND;
	if (g->d) {
		for (size_t i = 0; i < c->comments_count; i++)
			comments[i] = str_of(c->comments[i]);
		out.comments = comments;
		out.comments_count = c->comments_count;
	}
	room = pcapng_write_packet(&ev->out, &out);
	if (room)
		put_tcp(room + ip_header(c), c, g, put_ip(room, c, g->d, tcp));
	if (g->d)
		drop_comments(c);
	c->next[g->d] += (uint32_t)g->len + ((g->flags & (FLAG_SYN | FLAG_FIN)) ? 1 : 0);
	write_if_full(ev);
}

static void put_flags(struct evidence *ev, struct connection *c, int d, uint8_t flags,
		      int64_t time_us)
{
	struct segment g = {.d = d, .flags = flags};

	put_segment(ev, c, &g, time_us);
}

static void put_bytes(struct evidence *ev, struct connection *c, int d, const struct iovec *iov,
		      size_t count, int64_t time_us)
{
	struct segment g = {.d = d, .flags = FLAG_ACK | FLAG_PSH, .iov = iov};
	size_t left = 0, max = PACKET_MAX - ip_header(c) - TCP_HEADER;

	for (size_t i = 0; i < count; i++)
		left += iov[i].iov_len;
	for (; left; left -= g.len) {
		g.len = left < max ? left : max;
		put_segment(ev, c, &g, time_us);
	}
}

/* Frames with credentials that did not come to their end. */
static void put_rest(struct evidence *ev, struct connection *c, int64_t time_us)
{
	for (int d = 0; d < 2; d++) {
		struct bytes rest = blind_rest(c->blind, d == 0);
		struct iovec one = {(void *)(uintptr_t)rest.data, (size_t)rest.len};

		put_bytes(ev, c, d, &one, 1, time_us);
	}
}

/* Connections. */

static struct connection *find_connection(struct evidence *ev, int64_t conn)
{
	struct connection *c;

	HASH_FIND(hh, ev->connections, &conn, sizeof(conn), c);
	return c;
}

static void forget_connection(struct evidence *ev, struct connection *c)
{
	HASH_DELETE(hh, ev->connections, c);
	drop_comments(c);
	blind_free(c->blind);
	free(c);
}

/* First numbers differ between connections of the same ports, as they would in life. */
static struct connection *add_connection(struct evidence *ev, const struct event_conn *conn)
{
	struct connection *c = find_connection(ev, conn->conn);
	uint64_t first = hash_u64(1, (uint64_t)conn->conn);

	if (c)
		forget_connection(ev, c);
	c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	c->conn = conn->conn;
	c->blind = blind_new();
	c->ends[0] = conn->client;
	c->ends[1] = conn->server;
	c->next[0] = (uint32_t)first;
	c->next[1] = (uint32_t)(first >> 32);
	HASH_ADD(hh, ev->connections, conn, sizeof(c->conn), c);
	return c;
}

static bool has_ends(const struct event_conn *conn)
{
	return (conn->client.family == 4 || conn->client.family == 6) &&
	       conn->client.family == conn->server.family;
}

static struct connection *begin(struct evidence *ev, const struct event_conn *conn, int64_t time_us)
{
	struct connection *c = add_connection(ev, conn);

	put_flags(ev, c, 0, FLAG_SYN, time_us);
	return c;
}

static void conn_opened(struct evidence *ev, const struct event *event)
{
	struct connection *c = begin(ev, &event->conn, event->time_us);

	put_flags(ev, c, 1, FLAG_SYN | FLAG_ACK, event->time_us);
	put_flags(ev, c, 0, FLAG_ACK, event->time_us);
}

static void conn_refused(struct evidence *ev, const struct event *event)
{
	struct connection *c = begin(ev, &event->conn, event->time_us);

	c->next[1] = 0;
	put_flags(ev, c, 1, FLAG_RST | FLAG_ACK, event->time_us);
	forget_connection(ev, c);
}

static void conn_closed(struct evidence *ev, const struct event *event)
{
	struct connection *c = find_connection(ev, event->conn.conn);
	int64_t t = event->time_us;
	int d = event->conn.how == CLOSE_BY_BROKER || event->conn.how == CLOSE_RESET_BY_BROKER;

	if (!c)
		return;
	put_rest(ev, c, t);
	if (event->conn.how == CLOSE_BY_CLIENT || event->conn.how == CLOSE_BY_BROKER) {
		put_flags(ev, c, d, FLAG_FIN | FLAG_ACK, t);
		put_flags(ev, c, !d, FLAG_FIN | FLAG_ACK, t);
		put_flags(ev, c, d, FLAG_ACK, t);
	} else if (event->conn.how != CLOSE_END_OF_INPUT) {
		put_flags(ev, c, d, FLAG_RST | FLAG_ACK, t);
	}
	forget_connection(ev, c);
}

void evidence_bytes(struct evidence *ev, const struct event_conn *conn, bool from_client,
		    const struct iovec *iov, size_t count, int64_t time_us)
{
	struct connection *c = find_connection(ev, conn->conn);
	struct bytes shown;
	struct iovec one;

	if (!has_ends(conn) || ev->error.code)
		return;
	if (!c)
		c = add_connection(ev, conn);
	if (blind_feed(c->blind, from_client, iov, count, &shown)) {
		put_bytes(ev, c, !from_client, iov, count, time_us);
		return;
	}
	one = (struct iovec){(void *)(uintptr_t)shown.data, (size_t)shown.len};
	put_bytes(ev, c, !from_client, &one, 1, time_us);
}

/* Custom blocks. */

static void put_block(struct evidence *ev, const struct event *event, struct bytes bytes)
{
	uint8_t *p;
	size_t json = ev->text.len - BLOCK_HEADER;

	if (bytes.data)
		buf_add(&ev->text, bytes.data, (size_t)bytes.len);
	if (ev->text.bad) {
		error_set(&ev->error, ERR_LIMIT, "an event too large for the evidence");
		return;
	}
	p = ev->text.data;
	memcpy(p, "ktrial", 6);
	p[6] = BLOCK_VERSION;
	p[7] = (uint8_t)event->kind;
	wire_put64(p + 8, (uint64_t)event->time_us);
	wire_put32(p + 16, (uint32_t)json);
	wire_put32(p + 20, bytes.data ? (uint32_t)bytes.len : 0);
	pcapng_write_custom(&ev->out, PCAPNG_PEN_KTRIAL, p, (uint32_t)ev->text.len);
	write_if_full(ev);
}

static void begin_block(struct evidence *ev, struct json *ret)
{
	buf_reset(&ev->text);
	if (buf_room(&ev->text, BLOCK_HEADER))
		ev->text.len += BLOCK_HEADER;
	json_init(ret, &ev->text);
	json_open(ret, '{');
}

static void put_endpoint(struct json *j, const char *name, const struct endpoint *e)
{
	char text[ENDPOINT_TEXT_SIZE];

	endpoint_text(e, text);
	json_key_text(j, name, text);
}

static void put_conn(struct json *j, const struct event_conn *conn)
{
	json_key_int(j, "conn", conn->conn);
	json_key_int(j, "broker", conn->broker);
	put_endpoint(j, "client", &conn->client);
	put_endpoint(j, "server", &conn->server);
}

static void put_rule(struct json *j, const struct event_rule *rule)
{
	json_key_str(j, "name", rule->name);
	json_key_str(j, "text", rule->text);
	json_key_str(j, "what", rule->what);
	json_key_int(j, "hit", (int64_t)rule->hit);
	json_key_int(j, "conn", rule->conn);
	json_key_int(j, "correlationId", rule->correlation_id);
	json_key_int(j, "apiKey", rule->api_key);
}

static const char *const log_names[] = {"appended", "truncated", "start-moved", "compacted"};

static void put_log(struct json *j, const struct event_log *log)
{
	char id[UUID_TEXT_SIZE];

	uuid_text(log->topic_id, id);
	json_key_text(j, "what", log_names[log->what]);
	json_key_str(j, "topic", log->topic);
	json_key_text(j, "topicId", id);
	json_key_int(j, "partition", log->partition);
	json_key_int(j, "leaderEpoch", log->leader_epoch);
	json_key_int(j, "baseOffset", log->base_offset);
	json_key_int(j, "nextOffset", log->next_offset);
	json_key_int(j, "conn", log->conn);
	json_key_int(j, "correlationId", log->correlation_id);
}

/* The rule's comment waits for the broker's next packet on that connection. */
static void note_rule(struct evidence *ev, const struct event_rule *rule)
{
	struct connection *c = find_connection(ev, rule->conn);
	struct buf text;

	if (!c || c->comments_count == COMMENTS_MAX)
		return;
	buf_init(&text, 4096);
	buf_printf(&text,
		   "ktrial: rule " STR_FMT " " STR_FMT " (hit %llu, correlation %d): " STR_FMT,
		   STR_ARG(rule->name), STR_ARG(rule->what), (unsigned long long)rule->hit,
		   rule->correlation_id, STR_ARG(rule->text));
	buf_cstr(&text);
	c->comments[c->comments_count++] = (char *)text.data;
}

static void write_event(struct evidence *ev, const struct event *event)
{
	struct bytes bytes = {NULL, 0};
	struct json j;

	begin_block(ev, &j);
	switch (event->kind) {
	case EVENT_CONN_OPENED:
	case EVENT_CONN_REFUSED:
		put_conn(&j, &event->conn);
		break;
	case EVENT_RULE:
		put_rule(&j, &event->rule);
		note_rule(ev, &event->rule);
		break;
	case EVENT_LOG:
		put_log(&j, &event->log);
		bytes = event->log.batch;
		break;
	case EVENT_CLUSTER:
		json_key_str(&j, "name", event->cluster.name);
		json_key(&j, "detail");
		json_raw(&j, event->cluster.detail.len ? event->cluster.detail : str_of("{}"));
		break;
	case EVENT_REPORT:
		json_key_str(&j, "subject", event->report.subject);
		json_key_str(&j, "line", event->report.line);
		break;
	default:
		json_key_str(&j, "text", event->mark);
	}
	json_close(&j, '}');
	put_block(ev, event, bytes);
}

static void on_event(void *context, const struct event *event)
{
	struct evidence *ev = context;
	bool is_conn = event->kind == EVENT_CONN_OPENED || event->kind == EVENT_CONN_REFUSED;

	if (ev->error.code || event->kind == EVENT_EXCHANGE || event->kind == EVENT_UNMATCHED ||
	    event->kind == EVENT_TLS || (is_conn && !has_ends(&event->conn)))
		return;
	if (event->kind == EVENT_CONN_CLOSED) {
		conn_closed(ev, event);
		return;
	}
	write_event(ev, event);
	if (event->kind == EVENT_CONN_OPENED)
		conn_opened(ev, event);
	else if (event->kind == EVENT_CONN_REFUSED)
		conn_refused(ev, event);
}

/* Opening and closing. */

struct evidence *evidence_open(const char *path, struct error *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	struct evidence *ev;

	if (fd < 0) {
		error_set(e, ERR_OS, "can't write %s: %s", path, strerror(errno));
		return NULL;
	}
	ev = calloc(1, sizeof(*ev));
	if (!ev)
		abort();
	ev->fd = fd;
	ev->error = (struct error)ERROR_INIT;
	ev->sink = (struct event_sink){.on_event = on_event, .ctx = ev};
	buf_init(&ev->out, BUFFER_MAX);
	buf_init(&ev->text, PCAPNG_BLOCK_MAX - 64);
	pcapng_write_section(&ev->out, NULL, NULL, "ktrial " KTRIAL_VERSION);
	pcapng_write_interface(&ev->out, LINKTYPE_RAW, 0, MICROSECONDS, "ktrial");
	write_out(ev);
	return ev;
}

struct event_sink *evidence_sink(struct evidence *ev)
{
	return &ev->sink;
}

int evidence_close(struct evidence *ev, struct error *e)
{
	struct connection *c, *next;
	int rc;

	if (!ev)
		return 0;
	rc = evidence_flush(ev, e);
	HASH_ITER (hh, ev->connections, c, next)
		forget_connection(ev, c);
	if (close(ev->fd) && !rc)
		rc = error_set(e, ERR_OS, "can't write the evidence: %s", strerror(errno));
	buf_release(&ev->out);
	buf_release(&ev->text);
	free(ev);
	return rc;
}
