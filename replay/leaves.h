/* Every value of a decoded message, one after the other, with what it means. */
#ifndef REPLAY_LEAVES_H
#define REPLAY_LEAVES_H

#include "replay/role.h"

/* A struct that holds values, and those around it: the message itself is the outermost, unless
 * whoever walks says that another message stands around it (a request around its answer). */
struct holder {
	const struct schema *schema;
	void *msg;
	int version;
	const struct holder *outer; /* NULL: none */
};

struct leaf {
	const struct schema *schema; /* of the struct that holds it */
	const struct schema_field
		*field; /* NULL: the struct itself begins; holder is all there is */
	enum role role;
	void *holder;		 /* that struct */
	void *value;		 /* as the struct holds it; of an array one element */
	const struct holder *in; /* the same struct, with what stands around it */
};

typedef void leaf_visitor(void *user, const struct leaf *leaf);

/* Visits the values that the version has, depth first, in the order of the schema; what is null is
 * visited as null, defaults of absent structs are not visited. The visitor may write to the value.
 */
void leaves_each(const struct schema *s, int version, void *msg, leaf_visitor *visit, void *user);

/* The same inside of outer (NULL: nothing). */
void leaves_within(const struct holder *outer, const struct schema *s, int version, void *msg,
		   leaf_visitor *visit, void *user);

/* The single value of that role in a struct that its version has, or NULL. */
const void *holder_value(const struct holder *h, enum role role,
			 const struct schema_field **ret_field);

/* The same in the nearest struct around that has one. */
const void *holder_nearest(const struct holder *h, enum role role,
			   const struct schema_field **ret_field);

/* A number of any width as the struct holds it. */
int64_t leaf_int(const struct schema_field *f, const void *value);
void leaf_set_int(const struct schema_field *f, void *value, int64_t n);
bool leaf_is_int(const struct schema_field *f);

/* True of "errorCode", "partitionErrorCode", ... */
bool leaf_is_error(const struct schema_field *f);

#endif
