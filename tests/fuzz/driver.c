/* A plain main for fuzz targets: runs every file named (or every file of a folder named) through
 * the target once. `make check` replays the kept corpora with it. Prints how many inputs ran; exit
 * 1 if none did. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
	FILE *in = fopen(path, "rb");
	uint8_t *data;
	size_t size;
	long end;

	if (!in || fseek(in, 0, SEEK_END) || (end = ftell(in)) < 0 || fseek(in, 0, SEEK_SET)) {
		perror(path);
		exit(1);
	}
	data = malloc(
		(size_t)end +
		1); /* exact size matters to the sanitizer, so the spare byte is given back below */
	data = data ? realloc(data, end ? (size_t)end : 1) : NULL;
	if (!data)
		abort();
	size = fread(data, 1, (size_t)end, in);
	fclose(in);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 1;
}

static int run_path(const char *path)
{
	struct stat st;
	struct dirent *entry;
	DIR *dir;
	int count = 0;

	if (stat(path, &st)) {
		perror(path);
		exit(1);
	}
	if (!S_ISDIR(st.st_mode))
		return run_file(path);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		char child[4096];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
		count += run_path(child);
	}
	if (dir)
		closedir(dir);
	return count;
}

int main(int argc, char **argv)
{
	int count = 0;

	for (int i = 1; i < argc; i++)
		count += run_path(argv[i]);
	printf("%s: %d inputs\n", argv[0], count);
	return count ? 0 : 1;
}
