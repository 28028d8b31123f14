/* Finding the programs that play clients. Looks at folders, runs nothing. */
#include "harness/clients.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_directory(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

static bool is_root(const char *path)
{
	char below[PATH_MAX + 20];

	snprintf(below, sizeof(below), "%s/clients", path);
	if (!is_directory(below))
		return false;
	snprintf(below, sizeof(below), "%s/scenarios", path);
	return is_directory(below);
}

/* The path or the nearest folder above it that is a root. */
static bool root_above(char *path)
{
	char *slash;

	while (*path && !is_root(path)) {
		slash = strrchr(path, '/');
		if (!slash)
			return false;
		*slash = '\0';
	}
	return *path != '\0';
}

bool clients_root(char *ret_root, size_t size)
{
	char exe[PATH_MAX] = "", path[PATH_MAX + 40], *slash;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	exe[n > 0 ? n : 0] = '\0';
	slash = strrchr(exe, '/');
	if (slash)
		*slash = '\0';
	snprintf(path, sizeof(path), "%s/../share/ktrial", exe);
	if (slash && is_root(path)) {
		snprintf(ret_root, size, "%s", path);
		return true;
	}
	if (slash && root_above(exe)) {
		snprintf(ret_root, size, "%s", exe);
		return true;
	}
	if (!getcwd(exe, sizeof(exe)) || !root_above(exe))
		return false;
	snprintf(ret_root, size, "%s", exe);
	return true;
}

/* Looks through one level of folders for the name nearest to a mistyped one. */
static void nearest_in(const char *folder, const char *prefix, const char *name, int *best,
		       char *ret_nearest, size_t size)
{
	DIR *dir = opendir(folder);
	char full[300];
	struct dirent *d;

	while (dir && (d = readdir(dir))) {
		int distance;

		if (d->d_name[0] == '.')
			continue;
		snprintf(full, sizeof(full), "%s%.200s", prefix, d->d_name);
		distance = str_distance(str_of(name), str_of(full));
		if (distance < *best) {
			*best = distance;
			snprintf(ret_nearest, size, "%s", full);
		}
	}
	if (dir)
		closedir(dir);
}

static int no_client(const char *name, const char *root, struct error *e)
{
	char folder[PATH_MAX + 40], nearest[300] = "";
	int best = 5;

	if (!root)
		return error_set(e, ERR_USAGE,
				 "there is no folder '%s', and no project with clients/ and "
				 "scenarios/ around here",
				 name);
	snprintf(folder, sizeof(folder), "%s/clients", root);
	nearest_in(folder, "", name, &best, nearest, sizeof(nearest));
	snprintf(folder, sizeof(folder), "%s/clients/broken", root);
	nearest_in(folder, "broken/", name, &best, nearest, sizeof(nearest));
	return error_set(e, ERR_USAGE, "there is no client '%s' in %s/clients%s%s%s", name, root,
			 nearest[0] ? "; did you mean '" : "", nearest, nearest[0] ? "'?" : "");
}

/* "consumer=NAME" or "a=NAME": takes the role, or the client's name, off. A folder's path may have
 * an equals sign behind a slash. */
static const char *take_role(struct client_choice *c, const char *text)
{
	size_t len = strcspn(text, "=/");

	if (text[len] != '=' || !len || len >= sizeof(c->role))
		return text;
	snprintf(c->role, sizeof(c->role), "%.*s", (int)len, text);
	return text + len + 1;
}

int clients_add(struct clients *all, const char *text, struct error *e)
{
	struct client_choice *c = &all->list[all->count];
	char root[PATH_MAX], path[PATH_MAX * 2], name[200];
	const char *at, *given;
	bool has_root = clients_root(root, sizeof(root));

	if (all->count == CLIENT_CHOICES_MAX)
		return error_set(e, ERR_USAGE, "--client stands more than %d times",
				 CLIENT_CHOICES_MAX);
	*c = (struct client_choice){0};
	given = take_role(c, text);
	at = strrchr(given, '@');
	snprintf(c->label, sizeof(c->label), "%s", given);
	snprintf(name, sizeof(name), "%.*s", at ? (int)(at - given) : 199, given);
	if (at)
		snprintf(c->version, sizeof(c->version), "%s", at + 1);
	snprintf(path, sizeof(path), "%s/clients/%s", has_root ? root : "", name);
	if (!name[0] || ((!has_root || !is_directory(path)) && !is_directory(name)))
		return no_client(name, has_root ? root : NULL, e);
	if (!realpath(has_root && is_directory(path) ? path : name, c->directory))
		return error_set(e, ERR_USAGE, "can't find the folder of client '%s'", name);
	all->count++;
	return 0;
}

const struct client_choice *clients_for(const struct clients *all, struct str name,
					const char *role)
{
	const struct client_choice *general = NULL, *of_role = NULL;

	for (int32_t i = 0; i < all->count; i++) {
		if (str_is(name, all->list[i].role))
			return &all->list[i];
		if (!strcmp(all->list[i].role, role))
			of_role = &all->list[i];
		if (!all->list[i].role[0])
			general = &all->list[i];
	}
	return of_role ? of_role : general;
}

void clients_label(const struct clients *all, char *ret_text, size_t size)
{
	size_t at = 0;

	snprintf(ret_text, size, "%s", "under");
	for (int32_t i = 0; i < all->count && at < size; i++)
		at += (size_t)snprintf(ret_text + at, size - at, "%s%s%s%s", i ? "+" : "",
				       all->list[i].role, all->list[i].role[0] ? "=" : "",
				       all->list[i].label);
}
