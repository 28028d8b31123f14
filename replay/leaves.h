/* Every value of a decoded message, one after the other, with what it means. */
#ifndef REPLAY_LEAVES_H
#define REPLAY_LEAVES_H

#include "replay/role.h"

struct leaf {
	const struct schema *schema; /* of the struct that holds it */
	const struct schema_field
		*field; /* NULL: the struct itself begins; holder is all there is */
	enum role role;
	void *holder; /* that struct */
	void *value;  /* as the struct holds it; of an array one element */
};

typedef void leaf_visitor(void *user, const struct leaf *leaf);

/* Visits the values that the version has, depth first, in the order of the schema; what is null is
 * visited as null, defaults of absent structs are not visited. The visitor may write to the value.
 */
void leaves_each(const struct schema *s, int version, void *msg, leaf_visitor *visit, void *user);

#endif
