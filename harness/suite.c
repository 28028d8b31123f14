/* Finding scenario files and reading their headers. */
#include "harness/suite.h"

#include "harness/clients.h"

#include <dirent.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX_FOLDERS 8

static bool ends_in_lua(const char *name)
{
	size_t len = strlen(name);

	return len > 4 && !strcmp(name + len - 4, ".lua");
}

static bool known(const struct suite *s, const char *path)
{
	for (int32_t i = 0; i < s->count; i++)
		if (!strcmp(s->list[i]->source.path, path))
			return true;
	return false;
}

/* Below the working directory a path is shown from there. */
static const char *shown_path(const char *path)
{
	char here[PATH_MAX];
	size_t len = getcwd(here, sizeof(here)) ? strlen(here) : 0;

	return len > 1 && !strncmp(path, here, len) && path[len] == '/' ? path + len + 1 : path;
}

static int add_file(struct suite *s, const char *path, struct buf *out, struct error *e)
{
	struct scenario *scenario;

	if (known(s, shown_path(path)))
		return 0;
	if (s->count == SUITE_MAX)
		return error_set(e, ERR_USAGE, "more than %d scenarios", SUITE_MAX);
	scenario = scenario_load(path, shown_path(path), &s->modules, out);
	if (!scenario)
		return ERR_MALFORMED;
	s->list = realloc(s->list, ((size_t)s->count + 1) * sizeof(struct scenario *));
	if (!s->list)
		abort();
	s->list[s->count++] = scenario;
	return 0;
}

static int is_shown(const struct dirent *d)
{
	return d->d_name[0] != '.' && d->d_name[0] != '_';
}

/* Every scenario below a folder, by name. The worse of the codes. */
static int add_folder(struct suite *s, const char *path, int depth, struct buf *out,
		      struct error *e)
{
	struct dirent **names;
	char below[PATH_MAX];
	struct stat st;
	int n = scandir(path, &names, is_shown, alphasort), rc = 0, one;

	for (int i = 0; i < n; i++) {
		snprintf(below, sizeof(below), "%s/%s", path, names[i]->d_name);
		free(names[i]);
		one = 0;
		if (stat(below, &st))
			continue;
		if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX_FOLDERS)
			one = add_folder(s, below, depth + 1, out, e);
		else if (S_ISREG(st.st_mode) && ends_in_lua(below))
			one = add_file(s, below, out, e);
		rc = rc ? rc : one;
	}
	if (n >= 0)
		free(names);
	return rc;
}

static int add_path(struct suite *s, const char *path, struct buf *out, struct error *e)
{
	char trimmed[PATH_MAX];
	struct stat st;
	int32_t before = s->count;
	int rc;

	if (stat(path, &st))
		return ERR_USAGE;
	if (!S_ISDIR(st.st_mode))
		return add_file(s, path, out, e);
	snprintf(trimmed, sizeof(trimmed), "%s", path);
	while (strlen(trimmed) > 1 && trimmed[strlen(trimmed) - 1] == '/')
		trimmed[strlen(trimmed) - 1] = '\0';
	rc = add_folder(s, trimmed, 0, out, e);
	if (!rc && s->count == before)
		return error_set(e, ERR_USAGE, "there is no scenario (NAME.lua) in %s", path);
	return rc;
}

static int add_glob(struct suite *s, const char *pattern, struct buf *out, struct error *e)
{
	glob_t found;
	int rc = ERR_USAGE, one;

	if (glob(pattern, 0, NULL, &found))
		return ERR_USAGE;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		one = add_path(s, found.gl_pathv[i], out, e);
		rc = rc == ERR_USAGE ? one : rc ? rc : one;
	}
	globfree(&found);
	return rc;
}

int suite_add(struct suite *s, const char *word, struct buf *out, struct error *e)
{
	char path[PATH_MAX * 2], root[PATH_MAX];
	struct stat st;

	if (!stat(word, &st))
		return add_path(s, word, out, e);
	if (strpbrk(word, "*?["))
		return add_glob(s, word, out, e) == ERR_USAGE
			       ? error_set(e, ERR_USAGE, "no file is named like %s", word)
			       : 0;
	if (clients_root(root, sizeof(root))) {
		snprintf(path, sizeof(path), "%s/scenarios/%s", root, word);
		if (!stat(path, &st))
			return add_path(s, path, out, e);
		snprintf(path, sizeof(path), "%s/scenarios/%s.lua", root, word);
		if (!stat(path, &st))
			return add_path(s, path, out, e);
	}
	return error_set(e, ERR_USAGE, "there is no scenario '%s'", word);
}

void suite_release(struct suite *s)
{
	for (int32_t i = 0; i < s->count; i++)
		scenario_free(s->list[i]);
	free(s->list);
	sources_release(&s->modules);
	*s = (struct suite){0};
}
