/* Which program plays a client: `--client NAME|DIR[@VERSION]`, for all, for a role (`--client
 * producer=NAME`) or for one client of the scenario (`--client a=NAME`), or a command (`--under`).
 * A name is a folder below clients/ of the project's root, which is the first of these that has
 * clients/ and scenarios/: a folder above the executable, share/ktrial beside its folder, a folder
 * above the working directory. */
#ifndef HARNESS_CLIENTS_H
#define HARNESS_CLIENTS_H

#include "base/error.h"
#include "harness/plan.h"

#define CLIENT_CHOICES_MAX 16

struct client_choice {
	char role[40];	      /* or the name of a client; "" for all that no other choice names */
	char label[200];      /* as it was given, for reports */
	char directory[4096]; /* absolute */
	char version[100];    /* "" none */
};

struct clients {
	struct client_choice list[CLIENT_CHOICES_MAX];
	int32_t count;
	const char *under; /* the command; NULL */
};

/* Finds the project's root; false if there is none. ret_root holds size bytes. */
bool clients_root(char *ret_root, size_t size);

/* Adds what one --client says. 0 or ERR_USAGE with *e (no such client; did you mean). */
int clients_add(struct clients *all, const char *text, struct error *e);

/* The choice for a client of a scenario, by its name, else its role ("producer"), else for all; or
 * NULL. */
const struct client_choice *clients_for(const struct clients *all, struct str name,
					const char *role);

/* How the reports call the whole: "kafka-python", "producer=a+consumer=b", "under". */
void clients_label(const struct clients *all, char *ret_text, size_t size);

#endif
