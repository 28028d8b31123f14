/* The service's life: its doors (a listener for each broker), the cluster and its clock, holds.
 * Owns the cluster, the rules, and all connections; the loop is the caller's. */
#include "service/service.h"

#include "base/log.h"
#include "base/rand.h"
#include "mock/happen.h"
#include "mock/put.h"
#include "rules/words.h"
#include "service/peer.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

int service_address_parse(struct str text, uint16_t default_port,
			  struct service_address *ret_address, struct error *e)
{
	struct service_address a = {.host = "127.0.0.1", .port = default_port};
	const char *end = text.data + text.len, *host = text.data, *colon;
	int64_t host_len, port;

	if (text.len && host[0] == '[') {
		colon = memchr(host, ']', (size_t)text.len);
		if (!colon)
			return error_set(e, ERR_USAGE, "'" STR_FMT "' lacks its ]", STR_ARG(text));
		host++;
		host_len = colon - host;
		colon++;
	} else {
		colon = memrchr(host, ':', (size_t)text.len);
		colon = colon ? colon : end;
		host_len = colon - host;
	}
	if (host_len >= (int64_t)sizeof(a.host))
		return error_set(e, ERR_USAGE, "the host in '" STR_FMT "' is too long",
				 STR_ARG(text));
	if (host_len)
		snprintf(a.host, sizeof(a.host), "%.*s", (int)host_len, host);
	if (colon < end) {
		struct str digits = {colon + 1, (int32_t)(end - colon - 1)};

		if (*colon != ':' || !parse_int(digits, 0, UINT16_MAX, &port))
			return error_set(e, ERR_USAGE, "'" STR_FMT "' is not HOST:PORT",
					 STR_ARG(text));
		a.port = (uint16_t)port;
	}
	*ret_address = a;
	return 0;
}

static void on_up(void *ctx, struct instant now);

/* ---- who answers: the cluster, which service_reset makes anew ---- */

static bool cluster_answers_speaks(void *ctx, int api_key, int api_version)
{
	const struct service *s = ctx;

	return cluster_speaks(s->cluster, api_key, api_version);
}

static enum call_result cluster_answers_call(void *ctx, struct call *call, struct instant now)
{
	const struct service *s = ctx;

	return cluster_call(s->cluster, call, now);
}

static void cluster_answers_cancel(void *ctx, struct call *call)
{
	const struct service *s = ctx;

	cluster_cancel(s->cluster, call);
}

static struct call *cluster_answers_ready(void *ctx)
{
	const struct service *s = ctx;

	return cluster_ready(s->cluster);
}

static int64_t cluster_answers_tick(void *ctx, struct instant now)
{
	const struct service *s = ctx;

	return cluster_tick(s->cluster, now);
}

static const struct service_answerer cluster_answers = {
	.speaks = cluster_answers_speaks,
	.call = cluster_answers_call,
	.cancel = cluster_answers_cancel,
	.ready = cluster_answers_ready,
	.tick = cluster_answers_tick,
};

void service_set_answerer(struct service *s, const struct service_answerer *a)
{
	assert(!s->started);
	s->answerer = *a;
}

/* ---- life ---- */

static void on_tick(void *ctx, struct instant now)
{
	(void)now;
	service_pump(ctx);
}

struct service *service_new(struct loop *loop, const struct service_config *config, struct error *e)
{
	struct cluster_config cluster = config->cluster;
	int32_t first = cluster.broker.has_node_id ? cluster.broker.first_node_id : 1;
	const int32_t *ids = cluster.node_ids;
	struct service *s;

	if (cluster.brokers < 1 || cluster.brokers > SERVICE_BROKERS_MAX) {
		error_set(e, ERR_USAGE, "a cluster has 1 to %d brokers, not %d",
			  SERVICE_BROKERS_MAX, cluster.brokers);
		return NULL;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	s->loop = loop;
	s->brokers = cluster.brokers;
	s->doors = calloc((size_t)s->brokers, sizeof(*s->doors));
	if (!s->doors)
		abort();
	for (int32_t i = 0; i < s->brokers; i++) {
		s->doors[i].s = s;
		s->doors[i].broker = ids ? ids[i] : first + i;
		loop_timer_init(&s->doors[i].up, loop, on_up, &s->doors[i]);
		s->doors[i].listen = config->listen[i];
		s->doors[i].advertise =
			config->advertise ? config->advertise[i] : (struct service_address){0};
	}
	cluster.bus = &s->bus;
	s->cluster = cluster_new(&cluster, clock_now());
	cluster.node_ids = NULL; /* from here on the doors know them */
	s->config = cluster;
	s->answerer = cluster_answers;
	s->answerer.ctx = s;
	s->rules = rules_new(cluster.seed);
	buf_init(&s->flat, JOB_OWN_BYTES_MAX * 2);
	loop_timer_init(&s->tick, loop, on_tick, s);
	return s;
}

static void on_accept(void *ctx, int fd, const struct net_address *client,
		      const struct net_address *server)
{
	struct door *d = ctx;

	if (d->resets)
		peer_refuse(d, fd, client, server);
	else
		peer_new(d, fd, client, server);
}

void service_adopt(struct service *s, int32_t broker, int fd)
{
	struct net_address nowhere = {0};

	assert(door_of(s, broker));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	peer_new(door_of(s, broker), fd, &nowhere, &nowhere);
}

static const struct listener_callbacks door_callbacks = {on_accept};

/* Where the broker is no more: whoever comes there is turned away, or served all the same. */
static void on_accept_left(void *ctx, int fd, const struct net_address *client,
			   const struct net_address *server)
{
	struct door *d = ctx;

	if (d->left_serves && !d->resets && listener_is_up(d->listener))
		peer_new(d, fd, client, server);
	else
		peer_refuse(d, fd, client, server);
}

static const struct listener_callbacks left_callbacks = {on_accept_left};

static bool is_wildcard(const char *host)
{
	return !strcmp(host, "0.0.0.0") || !strcmp(host, "::") || !strcmp(host, "*");
}

static void set_address(struct door *d)
{
	struct broker_address a = {.node_id = d->broker, .port = d->advertise.port};

	snprintf(a.host, sizeof(a.host), "%s", d->advertise.host);
	cluster_set_address(d->s->cluster, &a);
}

/* Where clients find the broker: as advertised, else where it listens; a wildcard is no address. */
static void advertise(struct door *d)
{
	const char *host = d->advertise.host[0] ? d->advertise.host : d->listen.host;

	d->listen.port = listener_port(d->listener);
	if (!d->advertise.port)
		d->advertise.port = d->listen.port;
	if (host != d->advertise.host)
		snprintf(d->advertise.host, sizeof(d->advertise.host), "%s", host);
	if (is_wildcard(host))
		snprintf(d->advertise.host, sizeof(d->advertise.host), "localhost");
	set_address(d);
}

static void set_bootstrap(struct service *s)
{
	struct buf b;

	buf_init(&b, (size_t)s->brokers * 300);
	for (int32_t i = 0; i < s->brokers; i++) {
		const struct service_address *a = &s->doors[i].advertise;

		buf_printf(&b, strchr(a->host, ':') ? "%s[%s]:%u" : "%s%s:%u", i ? "," : "",
			   a->host, a->port);
	}
	free(s->bootstrap);
	s->bootstrap = strdup(buf_cstr(&b));
	if (!s->bootstrap)
		abort();
	buf_release(&b);
}

int service_start(struct service *s, struct error *e)
{
	assert(!s->started);
	for (int32_t i = 0; i < s->brokers; i++) {
		struct door *d = &s->doors[i];

		d->listener = listener_new(s->loop, d->listen.host, d->listen.port, &door_callbacks,
					   d, e);
		if (!d->listener) {
			service_stop(s);
			return ERR_OS;
		}
		advertise(d);
	}
	set_bootstrap(s);
	s->started = true;
	service_pump(s);
	return 0;
}

void service_stop(struct service *s)
{
	while (s->peers)
		peer_end(s->peers, CLOSE_BY_BROKER);
	for (int32_t i = 0; i < s->brokers; i++) {
		loop_timer_clear(&s->doors[i].up);
		listener_free(s->doors[i].listener);
		listener_free(s->doors[i].left);
		s->doors[i].listener = s->doors[i].left = NULL;
	}
	loop_timer_clear(&s->tick);
	s->started = false;
}

void service_free(struct service *s)
{
	if (!s)
		return;
	service_stop(s);
	jobs_free(s);
	rules_free(s->rules);
	cluster_free(s->cluster);
	buf_release(&s->flat);
	for (size_t i = 0; i < s->given_count; i++) {
		free(s->given[i].name);
		free(s->given[i].text);
	}
	free(s->given);
	free(s->bootstrap);
	free(s->doors);
	free(s);
}

/* Answers that became ready may wake others in turn; then the clock is asked what is due next. */
void service_pump(struct service *s)
{
	const struct service_answerer *a = &s->answerer;
	struct call *call;
	struct instant now;
	int64_t next;

	if (s->pumping)
		return;
	s->pumping = true;
	now = clock_now();
	do {
		next = a->tick(a->ctx, now);
		while ((call = a->ready(a->ctx))) {
			job_continue((struct job *)((char *)call - offsetof(struct job, call)),
				     now);
			next = 0;
		}
	} while (!next);
	if (next != s->tick.due_us)
		loop_timer_set(&s->tick, next);
	s->pumping = false;
}

const char *service_bootstrap(const struct service *s)
{
	return s->bootstrap;
}

struct event_bus *service_events(struct service *s)
{
	return &s->bus;
}

struct cluster *service_cluster(struct service *s)
{
	return s->cluster;
}

struct rules *service_rules(struct service *s)
{
	return s->rules;
}

void service_poke(struct service *s)
{
	service_pump(s);
}

void service_set_tap(struct service *s, const struct service_tap *tap)
{
	s->tap = *tap;
}

/* Remembers what stands before the start. */
static struct given *give(struct service *s, struct str name, struct str text)
{
	struct given *g;

	if (s->started)
		return NULL;
	s->given = realloc(s->given, (s->given_count + 1) * sizeof(*s->given));
	if (!s->given)
		abort();
	g = &s->given[s->given_count++];
	*g = (struct given){.name = strndup(name.data, (size_t)name.len)};
	g->text = text.data ? strndup(text.data, (size_t)text.len) : NULL;
	return g;
}

struct rule *service_add_rule(struct service *s, struct str name, struct str text, struct error *e)
{
	struct rule *r = rules_add(s->rules, name, text, e);

	if (r)
		give(s, rule_name(r), rule_text(r));
	return r;
}

int service_create_topic(struct service *s, struct str name, int32_t partitions,
			 int16_t replication, int32_t leader, struct error *e)
{
	int code = cluster_create_topic(s->cluster, name, partitions, replication, leader,
					clock_now(), e);
	struct given *g = code ? NULL : give(s, name, str_of(NULL));

	if (g) {
		g->partitions = partitions;
		g->replication = replication;
		g->leader = leader;
	}
	return code;
}

static void end_connections(struct door *d)
{
	for (struct peer *p = d->s->peers, *next; p; p = next) {
		next = p->next;
		if (p->info.broker == d->broker)
			peer_end(p, CLOSE_BY_BROKER);
	}
}

/* Those of a broker (-1: all) that wait for nothing, and nobody waits for, end. */
static void expire_connections(struct service *s, int64_t broker)
{
	for (struct peer *p = s->peers, *next; p; p = next) {
		next = p->next;
		if ((broker < 0 || p->info.broker == broker) && !p->first && conn_idle(p->conn))
			peer_end(p, CLOSE_BY_BROKER);
	}
}

/* The broker's process is gone: its connections end, its port refuses. */
static int door_close(struct door *d, struct error *e)
{
	end_connections(d);
	return d->listener && !d->resets ? listener_down(d->listener, e) : 0;
}

static int door_open(struct door *d, struct error *e)
{
	loop_timer_clear(&d->up);
	d->resets = false;
	return d->listener ? listener_up(d->listener, e) : 0;
}

/* What becomes of the address that a broker leaves: it refuses, resets, or serves on. */
static int leave(struct door *d, struct str how, struct error *e)
{
	if (!d->left) {
		d->left = d->listener;
		d->home = d->advertise;
		d->home_listen = d->listen;
		listener_give(d->left, &left_callbacks);
	} else {
		listener_free(d->listener); /* a stop on the way: nobody is there any more */
	}
	d->left_serves = str_is(how, "serve");
	return how.data && !str_is(how, "refuse") ? listener_up(d->left, e)
						  : listener_down(d->left, e);
}

/* The broker goes on elsewhere. */
static int door_move(struct door *d, const struct happening *h, struct error *e)
{
	struct service_address to = d->listen;
	struct listener *l;
	int code;

	if (h->host.data)
		snprintf(to.host, sizeof(to.host), STR_FMT, STR_ARG(h->host));
	if (!d->listener) {
		set_address(d);
		return error_set(e, ERR_USAGE, "broker %d listens nowhere that it could move from",
				 d->broker);
	}
	l = listener_new(d->s->loop, to.host, h->port > 0 ? (uint16_t)h->port : 0, &door_callbacks,
			 d, e);
	if (!l) {
		set_address(d); /* it stays where it is */
		return e->code;
	}
	if (!listener_is_up(d->listener))
		listener_down(l, NULL);
	end_connections(d);
	code = leave(d, h->how, e);
	d->listener = l;
	to.port = listener_port(l);
	d->listen = to;
	d->advertise.port = to.port;
	if (h->host.data)
		snprintf(d->advertise.host, sizeof(d->advertise.host), "%s", to.host);
	set_address(d);
	return code;
}

/* Back to where it was before it moved. */
static void door_return(struct door *d)
{
	if (!d->left)
		return;
	listener_free(d->listener);
	d->listener = d->left;
	d->left = NULL;
	listener_give(d->listener, &door_callbacks);
	d->advertise = d->home;
	d->listen = d->home_listen;
}

void service_reset(struct service *s)
{
	struct cluster_config config = s->config;
	struct rule *r;
	int32_t *ids;

	while (s->peers)
		peer_end(s->peers, CLOSE_BY_BROKER);
	while ((r = rules_next(s->rules, NULL)))
		rules_remove(s->rules, rule_name(r));
	cluster_free(s->cluster);
	ids = calloc((size_t)s->brokers, sizeof(*ids));
	if (!ids)
		abort();
	for (int32_t i = 0; i < s->brokers; i++)
		ids[i] = s->doors[i].broker;
	config.node_ids = ids;
	config.seed = hash_u64(config.seed, ++s->resets);
	s->cluster = cluster_new(&config, clock_now());
	free(ids);
	for (int32_t i = 0; i < s->brokers; i++) {
		door_return(&s->doors[i]);
		set_address(&s->doors[i]);
		door_open(&s->doors[i], NULL);
	}
	for (size_t i = 0; i < s->given_count; i++) {
		const struct given *g = &s->given[i];

		if (g->text)
			rules_add(s->rules, str_of(g->name), str_of(g->text), NULL);
		else
			cluster_create_topic(s->cluster, str_of(g->name), g->partitions,
					     g->replication, g->leader, clock_now(), NULL);
	}
	service_pump(s);
}

int service_put_batch(struct service *s, struct str topic, int32_t partition, struct bytes batch,
		      int64_t gap, struct error *e)
{
	int code = cluster_put_batch(s->cluster, topic, partition, batch, gap, clock_now(), e);

	service_pump(s);
	return code;
}

int service_put_marker(struct service *s, struct str topic, int32_t partition, int64_t producer_id,
		       int16_t epoch, bool commit, struct error *e)
{
	int code = cluster_put_marker(s->cluster, topic, partition, producer_id, epoch, commit,
				      clock_now(), e);

	service_pump(s);
	return code;
}

int service_put_offset(struct service *s, struct str group, struct str topic, int32_t partition,
		       int64_t offset, struct error *e)
{
	return cluster_put_offset(s->cluster, group, topic, partition, offset, clock_now(), e);
}

/* The end of a restart. */
static void on_up(void *ctx, struct instant now)
{
	struct door *d = ctx;
	struct happening h;
	struct error e = ERROR_INIT;
	char text[64];

	snprintf(text, sizeof(text), "broker-up broker=%d", d->broker);
	if (happening_parse(str_of(text), &h, &e) || cluster_happen(d->s->cluster, &h, now, &e) ||
	    door_open(d, &e))
		log_line(LOG_ERROR, "broker %d does not come up again: %s", d->broker, e.text);
	service_pump(d->s);
}

int service_happen(struct service *s, struct str text, struct error *e)
{
	struct happening h;
	struct instant now = clock_now();
	const char *name;
	struct door *d;
	int code = happening_parse(text, &h, e);

	if (!code)
		code = cluster_happen(s->cluster, &h, now, e);
	if (code)
		return code;
	name = happening_name(&h);
	d = h.broker >= 0 ? door_of(s, (int32_t)h.broker) : NULL;
	if (!strcmp(name, "broker-move"))
		code = door_move(d, &h, e);
	if (!strcmp(name, "broker-down") || !strcmp(name, "broker-restart")) {
		d->resets = str_is(h.how, "reset");
		code = door_close(d, e);
	}
	if (!strcmp(name, "broker-up"))
		code = door_open(d, e);
	if (!strcmp(name, "connections-expire"))
		expire_connections(s, h.broker);
	if (!strcmp(name, "broker-restart"))
		loop_timer_set(&d->up, h.for_us > 0 ? now.mono_us + h.for_us : 0);
	service_pump(s);
	return code;
}

static struct job *oldest_held(const struct service *s, struct str name)
{
	struct job *oldest = NULL;

	for (struct job *j = s->held; j; j = j->next_held)
		if (str_eq(j->plan.text, name))
			oldest = j;
	return oldest;
}

/* Those held now, oldest first. A release may end connections, and with them other jobs, or begin
 * requests that are held anew: so the list is walked from its start each time. */
int32_t service_release(struct service *s, struct str name)
{
	struct instant now = clock_now();
	int32_t released = 0;

	for (int32_t n = service_held(s, name); released < n; released++) {
		struct job *j = oldest_held(s, name);

		if (!j)
			break;
		job_release(j, now);
	}
	service_pump(s);
	return released;
}

int32_t service_held(const struct service *s, struct str name)
{
	int32_t held = 0;

	for (const struct job *j = s->held; j; j = j->next_held)
		held += str_eq(j->plan.text, name);
	return held;
}

int32_t service_brokers(const struct service *s)
{
	return s->brokers;
}

int32_t service_first_broker(const struct service *s)
{
	return s->doors[0].broker;
}

struct door *door_of(const struct service *s, int32_t broker)
{
	for (int32_t i = 0; i < s->brokers; i++)
		if (s->doors[i].broker == broker)
			return &s->doors[i];
	return NULL;
}

const struct service_address *service_advertised(const struct service *s, int32_t broker)
{
	const struct door *d = door_of(s, broker);

	return d ? &d->advertise : NULL;
}

int64_t service_connections(const struct service *s)
{
	return s->peers_open;
}

int64_t service_connections_total(const struct service *s)
{
	return s->peers_total;
}
