/* RFC 4616 (PLAIN), RFC 5802 (SCRAM), RFC 7628 (OAUTHBEARER begins like SCRAM, but with a token
 * behind a byte 1). */
#include "trace/secrets.h"

#include "protocol/frame.h"
#include "protocol/messages.h"
#include "protocol/walk.h"

#include <string.h>

size_t secrets_from(const uint8_t *token, size_t n)
{
	const uint8_t *user, *password;

	if (n >= 3 && (token[0] == 'n' || token[0] == 'y' || token[0] == 'p') &&
	    memmem(token, n, ",n=", 3) && memmem(token, n, ",r=", 3) && !memchr(token, 1, n) &&
	    !memmem(token, n, ",p=", 3))
		return n;
	user = memchr(token, 0, n);
	if (!user)
		return 0;
	user++;
	password = memchr(user, 0, n - (size_t)(user - token));
	if (!password || memchr(password + 1, 0, n - (size_t)(password + 1 - token)))
		return 0;
	return (size_t)(password + 1 - token);
}

bool secrets_may_be_in(int api_key)
{
	return api_key == API_SASL_AUTHENTICATE || api_key == API_CREATE_DELEGATION_TOKEN ||
	       api_key == API_RENEW_DELEGATION_TOKEN || api_key == API_EXPIRE_DELEGATION_TOKEN ||
	       api_key == API_DESCRIBE_DELEGATION_TOKEN ||
	       api_key == API_ALTER_USER_SCRAM_CREDENTIALS;
}

struct finding {
	int64_t body;
	secrets_visitor *visit;
	void *user;
};

static enum walk_want on_value(void *user, const struct walk *w, const struct walk_event *ev)
{
	const struct finding *f = user;

	(void)w;
	if (ev->kind == WALK_DATA && ev->field &&
	    (!strcmp(ev->field->name, "authBytes") || !strcmp(ev->field->name, "hmac") ||
	     !strcmp(ev->field->name, "saltedPassword")))
		f->visit(f->user, (size_t)(f->body + ev->offset + ev->size),
			 (size_t)ev->value.integer);
	return ev->kind == WALK_DATA || ev->kind == WALK_UNKNOWN_TAG ? WALK_SKIP : WALK_ON;
}

void secrets_each(int api_key, int version, bool response, int64_t body, struct bytes frame,
		  size_t size, secrets_visitor *visit, void *user)
{
	struct finding f = {body, visit, user};
	int32_t correlation_id;
	struct walk w;

	if (!secrets_may_be_in(api_key) || !frame_known(api_key, version))
		return;
	if (response)
		f.body = frame_read_response(frame, api_key, version, &correlation_id, NULL);
	if (f.body < (response ? 4 : 8) || f.body > frame.len) {
		visit(user, 0, size);
		return;
	}
	walk_init(&w,
		  message_of_api(api_key, response ? MESSAGE_RESPONSE : MESSAGE_REQUEST)->schema,
		  version, (int64_t)size - f.body, on_value, &f);
	/* What is not read to its end is hidden as a whole. */
	if (walk_feed(&w, (struct bytes){frame.data + f.body, frame.len - (int32_t)f.body}, NULL) <
		    0 ||
	    walk_end(&w, NULL) < 0)
		visit(user, (size_t)f.body, size - (size_t)f.body);
	walk_release(&w);
}
