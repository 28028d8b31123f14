/* One line that is written over and over. Asks for the time only now and then. */
#include "cli/progress.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EVERY_CALLS 256
#define FIRST_US    1000000
#define EVERY_US    250000

/* A compressed file's size says nothing of what is in it. */
static bool compressed(const char *path)
{
	size_t n = strlen(path);

	return (n > 3 && !strcmp(path + n - 3, ".gz")) || (n > 4 && !strcmp(path + n - 4, ".zst"));
}

void progress_begin(struct progress *p, const char *program, const char *const *paths, size_t count,
		    bool beside)
{
	struct stat st;
	bool known = true;

	*p = (struct progress){.on = count && !beside && isatty(STDERR_FILENO), .program = program};
	for (size_t i = 0; i < count && p->on; i++) {
		known &= !compressed(paths[i]) && !stat(paths[i], &st) && S_ISREG(st.st_mode);
		p->size += known ? (uint64_t)st.st_size : 0;
	}
	p->size = known ? p->size : 0;
	p->next_us = clock_now().mono_us + FIRST_US;
}

void progress_show(struct progress *p, uint64_t bytes_read)
{
	int64_t now_us;

	if (!p->on || ++p->calls % EVERY_CALLS)
		return;
	now_us = clock_now().mono_us;
	if (now_us < p->next_us)
		return;
	p->next_us = now_us + EVERY_US;
	p->shown = true;
	fprintf(stderr, "\r%s: %llu MB", p->program, (unsigned long long)(bytes_read / 1000000));
	if (p->size)
		fprintf(stderr, " of %llu MB, %d %%", (unsigned long long)(p->size / 1000000),
			(int)(bytes_read >= p->size ? 100 : bytes_read * 100 / p->size));
	fflush(stderr);
}

void progress_end(struct progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->on = p->shown = false;
}
