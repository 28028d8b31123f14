/* The table of releases and how it is read. A row says from which release on which versions hold;
 * "-" is the end of an API. Features of APIs that this cluster does not simulate (share and streams
 * groups) are left out. */
#include "mock/profile.h"

#include <stdlib.h>

static const struct profile profiles[] = {
	{"0.10.0", 0, true, true, -1, {}},
	{"0.10.1", 1, true, true, -1, {}},
	{"0.10.2", 2, true, true, -1, {}},
	{"0.11.0", 3, true, true, -1, {}},
	{"1.0", 4, true, true, -1, {}},
	{"1.1", 5, true, true, -1, {}},
	{"2.0", 6, true, true, -1, {}},
	{"2.1", 7, true, true, -1, {}},
	{"2.2", 8, true, true, -1, {}},
	{"2.3", 9, true, true, -1, {}},
	{"2.4", 10, true, false, -1, {}},
	{"2.5", 11, true, false, -1, {}},
	{"2.6", 12, true, false, -1, {}},
	{"2.7", 13, true, false, 0, {}},
	{"2.8", 14, true, false, 0, {}},
	{"3.0", 15, true, false, 0, {}},
	{"3.1", 16, true, false, 0, {}},
	{"3.2", 17, true, false, 0, {}},
	{"3.3", 18, true, false, 0, {}},
	{"3.4", 19, true, false, 0, {}},
	{"3.5", 20, true, false, 0, {}},
	{"3.6", 21, true, false, 0, {}},
	{"3.7", 22, true, false, 0, {}},
	{"3.8", 23, true, false, 0, {}},
	{"3.9", 24, true, false, 0, {}},
	{"4.0",
	 25,
	 false,
	 false,
	 11,
	 {{"eligible.leader.replicas.version", 0, 1, 0},
	  {"group.version", 0, 1, 1},
	  {"kraft.version", 0, 1, 0},
	  {"metadata.version", 7, 25, 25},
	  {"transaction.version", 0, 2, 2}}},
	{"4.1",
	 26,
	 false,
	 false,
	 13,
	 {{"eligible.leader.replicas.version", 0, 1, 1},
	  {"group.version", 0, 1, 1},
	  {"kraft.version", 0, 1, 0},
	  {"metadata.version", 7, 27, 27},
	  {"transaction.version", 0, 2, 2}}},
	{"4.2",
	 27,
	 false,
	 false,
	 15,
	 {{"eligible.leader.replicas.version", 0, 1, 1},
	  {"group.version", 0, 1, 1},
	  {"kraft.version", 0, 1, 0},
	  {"metadata.version", 7, 29, 29},
	  {"transaction.version", 0, 2, 2}}},
	{"4.3",
	 28,
	 false,
	 false,
	 16,
	 {{"eligible.leader.replicas.version", 0, 1, 1},
	  {"group.version", 0, 1, 1},
	  {"kraft.version", 0, 1, 0},
	  {"metadata.version", 7, 30, 30},
	  {"transaction.version", 0, 2, 2}}},
	{"4.4",
	 29,
	 false,
	 false,
	 16,
	 {{"eligible.leader.replicas.version", 0, 1, 1},
	  {"group.version", 0, 1, 1},
	  {"kraft.version", 0, 1, 0},
	  {"metadata.version", 7, 33, 33},
	  {"transaction.version", 0, 2, 2}}},
};

#define PROFILES_COUNT ((int32_t)(sizeof(profiles) / sizeof(profiles[0])))

static const struct {
	int key;
	const char *versions;
} apis[] = {
	{0, "0.10.0:0-2 0.11.0:0-3 1.0:0-5 2.0:0-6 2.1:0-7 2.4:0-8 2.8:0-9 3.7:0-10 "
	    "3.8:0-11 4.0:0-12 4.1:0-13"},
	{1, "0.10.0:0-2 0.10.1:0-3 0.11.0:0-5 1.0:0-6 1.1:0-7 2.0:0-8 2.1:0-10 "
	    "2.3:0-11 2.7:0-12 3.1:0-13 3.5:0-15 3.7:0-16 3.9:0-17 4.0:4-17 "
	    "4.1:4-18"},
	{2, "0.10.0:0-0 0.10.1:0-1 0.11.0:0-2 2.0:0-3 2.1:0-4 2.2:0-5 2.8:0-6 "
	    "3.0:0-7 3.5:0-8 3.9:0-9 4.0:1-10 4.2:1-11"},
	{3, "0.10.0:0-1 0.10.1:0-2 0.11.0:0-4 1.0:0-5 2.0:0-6 2.1:0-7 2.3:0-8 "
	    "2.4:0-9 2.8:0-11 3.1:0-12 4.0:0-13"},
	{4, "0.10.0:0-0 1.0:0-1 2.2:0-2 2.4:0-4 2.8:0-5 3.2:0-6 3.4:0-7 4.0:-"},
	{5, "0.10.0:0-0 2.2:0-1 2.4:0-2 2.6:0-3 3.4:0-4 4.0:-"},
	{6, "0.10.0:0-2 0.10.2:0-3 1.0:0-4 2.2:0-5 2.4:0-6 2.8:0-7 3.4:0-8 4.0:-"},
	{7, "0.10.0:1-1 1.0:0-1 2.2:0-2 2.4:0-3 4.0:-"},
	{8, "0.10.0:0-2 0.11.0:0-3 2.0:0-4 2.1:0-6 2.3:0-7 2.4:0-8 3.7:0-9 4.0:2-9 "
	    "4.2:2-10"},
	{9, "0.10.0:0-1 0.10.2:0-2 0.11.0:0-3 2.0:0-4 2.1:0-5 2.4:0-6 2.5:0-7 "
	    "3.0:0-8 3.7:0-9 4.0:1-9 4.2:1-10"},
	{10, "0.10.0:0-0 0.11.0:0-1 2.0:0-2 2.4:0-3 3.0:0-4 3.8:0-5 3.9:0-6"},
	{11, "0.10.0:0-0 0.10.1:0-1 0.11.0:0-2 2.0:0-3 2.2:0-4 2.3:0-5 2.4:0-6 "
	     "2.5:0-7 3.2:0-9"},
	{12, "0.10.0:0-0 0.11.0:0-1 2.0:0-2 2.3:0-3 2.4:0-4"},
	{13, "0.10.0:0-0 0.11.0:0-1 2.0:0-2 2.4:0-4 3.2:0-5"},
	{14, "0.10.0:0-0 0.11.0:0-1 2.0:0-2 2.3:0-3 2.4:0-4 2.5:0-5"},
	{15, "0.10.0:0-0 0.11.0:0-1 2.0:0-2 2.3:0-3 2.4:0-5 4.0:0-6"},
	{16, "0.10.0:0-0 0.11.0:0-1 2.0:0-2 2.4:0-3 2.6:0-4 3.8:0-5"},
	{17, "0.10.0:0-0 1.0:0-1"},
	{18, "0.10.0:0-0 0.11.0:0-1 2.0:0-2 2.4:0-3 3.9:0-4 4.4:0-5"},
	{19, "0.10.1:0-0 0.10.2:0-1 0.11.0:0-2 2.0:0-3 2.4:0-5 2.7:0-6 2.8:0-7 "
	     "4.0:2-7"},
	{20, "0.10.1:0-0 0.11.0:0-1 2.0:0-2 2.1:0-3 2.4:0-4 2.7:0-5 2.8:0-6 4.0:1-6"},
	{21, "0.11.0:0-0 2.0:0-1 2.6:0-2"},
	{22, "0.11.0:0-0 2.0:0-1 2.4:0-2 2.5:0-3 2.7:0-4 3.8:0-5"},
	{23, "0.11.0:0-0 2.0:0-1 2.1:0-2 2.3:0-3 2.8:0-4 4.0:2-4"},
	{24, "0.11.0:0-0 2.0:0-1 2.7:0-2 2.8:0-3 3.6:0-4 3.8:0-5"},
	{25, "0.11.0:0-0 2.0:0-1 2.7:0-2 2.8:0-3 3.8:0-4"},
	{26, "0.11.0:0-0 2.0:0-1 2.7:0-2 2.8:0-3 3.8:0-4 4.0:0-5"},
	{27, "0.11.0:0-0 2.8:0-1 4.0:1-1 4.2:1-2"},
	{28, "0.11.0:0-0 2.0:0-1 2.1:0-2 2.5:0-3 3.8:0-4 4.0:0-5 4.4:0-6"},
	{29, "0.11.0:0-0 2.0:0-1 2.5:0-2 3.3:0-3 4.0:1-3"},
	{30, "0.11.0:0-0 2.0:0-1 2.5:0-2 3.3:0-3 4.0:1-3"},
	{31, "0.11.0:0-0 2.0:0-1 2.5:0-2 3.3:0-3 4.0:1-3"},
	{32, "0.11.0:0-0 1.1:0-1 2.0:0-2 2.6:0-3 2.8:0-4 4.0:1-4"},
	{33, "0.11.0:0-0 2.0:0-1 2.8:0-2"},
	{34, "1.0:0-0 2.0:0-1 2.8:0-2 4.0:1-2"},
	{35, "1.0:0-0 2.0:0-1 2.6:0-2 3.2:0-3 3.3:0-4 4.0:1-4 4.3:1-5"},
	{36, "1.0:0-0 2.2:0-1 2.5:0-2"},
	{37, "1.0:0-0 2.0:0-1 2.5:0-2 2.7:0-3"},
	{38, "1.1:0-0 2.0:0-1 2.4:0-2 3.3:0-3 4.0:1-3"},
	{39, "1.1:0-0 2.0:0-1 2.5:0-2 4.0:1-2"},
	{40, "1.1:0-0 2.0:0-1 2.5:0-2 4.0:1-2"},
	{41, "1.1:0-0 2.0:0-1 2.5:0-2 3.3:0-3 4.0:1-3"},
	{42, "1.1:0-0 2.0:0-1 2.4:0-2 4.4:0-3"},
	{43, "2.2:0-0 2.4:0-2"},
	{44, "2.3:0-0 2.4:0-1"},
	{45, "2.4:0-0 4.1:0-1"},
	{46, "2.4:0-0"},
	{47, "2.4:0-0"},
	{48, "2.6:0-0 2.8:0-1"},
	{49, "2.6:0-0 2.8:0-1"},
	{50, "2.7:0-0"},
	{51, "2.7:0-0"},
	{55, "4.0:0-2"},
	{56, "2.7:0-0 3.2:0-1 3.3:0-2 3.5:0-3 4.0:-"},
	{57, "2.7:0-0 3.3:0-1 4.0:0-2"},
	{58, "3.4:0-0 4.0:-"},
	{60, "2.8:0-0 3.7:0-1 4.0:0-2"},
	{61, "2.8:0-0"},
	{64, "4.0:0-0"},
	{65, "3.0:0-0"},
	{66, "3.0:0-0 3.8:0-1 4.1:0-2"},
	{67, "3.0:0-0 4.0:-"},
	{68, "3.7:0-0 4.0:0-1"},
	{69, "3.8:0-0 4.0:0-1"},
	{74, "4.0:0-0 4.1:0-1"},
	{75, "4.0:0-0"},
	{76, "4.1:1-1"},
	{77, "4.1:1-1"},
	{78, "4.1:1-1 4.2:1-2"},
	{79, "4.1:1-1 4.2:1-2"},
	{80, "4.0:0-0 4.2:0-1"},
	{81, "4.0:0-0"},
	{83, "4.1:0-0"},
	{84, "4.1:0-0"},
	{85, "4.1:0-0 4.2:0-1"},
	{86, "4.1:0-0"},
	{87, "4.1:0-0 4.2:0-1"},
	{88, "4.2:0-0 4.4:0-1"},
	{89, "4.2:0-0 4.4:0-1"},
	{90, "4.1:0-0 4.2:0-1"},
	{91, "4.1:0-0"},
	{92, "4.1:0-0"},
	{93, "4.4:0-0"},
	{94, "4.4:0-0"},
};

static int32_t age_of(struct str release)
{
	for (int32_t i = 0; i < PROFILES_COUNT; i++)
		if (str_is(release, profiles[i].release))
			return i;
	return -1;
}

/* "kafka-2.3.1" is 2.3; of releases before 1.0 three numbers are the release, four with the patch.
 */
static struct str release_in(struct str name)
{
	int32_t dots = 0, wanted;

	if (name.len > 6 && memcmp(name.data, "kafka-", 6) == 0)
		name = (struct str){name.data + 6, name.len - 6};
	wanted = name.len > 1 && name.data[0] == '0' ? 2 : 1;
	for (int32_t i = 0; i < name.len; i++)
		if (name.data[i] == '.' && dots++ == wanted)
			return (struct str){name.data, i};
	return name;
}

const struct profile *profile_find(struct str name, struct error *e)
{
	struct str release = release_in(name);
	int32_t age = age_of(release), best = 0;

	if (age >= 0)
		return &profiles[age];
	for (int32_t i = 1; i < PROFILES_COUNT; i++)
		if (str_distance(release, str_of(profiles[i].release)) <=
		    str_distance(release, str_of(profiles[best].release)))
			best = i;
	error_set(e, ERR_USAGE,
		  "'" STR_FMT "' is no release that is known: kafka-%s to kafka-%s; did you "
		  "mean kafka-%s?",
		  STR_ARG(name), profiles[0].release, profile_newest()->release,
		  profiles[best].release);
	return NULL;
}

const struct profile *profile_newest(void)
{
	return &profiles[PROFILES_COUNT - 1];
}

bool profile_since(const struct profile *p, const char *release)
{
	return !p || p->age >= age_of(str_of(release));
}

/* "4.0:4-17": release and range; "3.9:-" ends. Moves *text behind it. */
static int32_t read_entry(const char **text, struct version_range *ret)
{
	const char *colon = strchr(*text, ':');
	int32_t age = age_of((struct str){*text, (int32_t)(colon - *text)});
	char *end;

	*ret = (struct version_range){0, -1};
	end = (char *)(uintptr_t)(colon + 2);
	if (colon[1] != '-') {
		ret->min = (int16_t)strtol(colon + 1, &end, 10);
		ret->max = (int16_t)strtol(end + 1, &end, 10);
	}
	while (*end == ' ')
		end++;
	*text = end;
	return age;
}

const struct profile *profile_at(int32_t i)
{
	int32_t n = (int32_t)(sizeof(profiles) / sizeof(profiles[0]));

	return i >= 0 && i < n ? &profiles[i] : NULL;
}

struct version_range profile_versions(const struct profile *p, int api_key)
{
	struct version_range range = {0, -1}, next;

	for (size_t i = 0; i < sizeof(apis) / sizeof(apis[0]); i++) {
		const char *text = apis[i].versions;

		if (apis[i].key != api_key)
			continue;
		while (*text && read_entry(&text, &next) <= p->age)
			range = next;
	}
	return range;
}
