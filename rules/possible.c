/* The table of possible errors: for each API and error field the codes that a broker puts there.
 * "51>12" is since version 12, "76<6" until version 6. Gathered from the broker's behaviour and
 * the handling in Kafka's own clients, releases 0.8 to 4.4. Constant data and two look-ups. */
#include "rules/possible.h"

#include <stddef.h>
#include <stdlib.h>

static const struct place {
	int api_key;
	const char *field;
	const char *codes;
} places[] = {
	{0, "responses[].partitionResponses[].errorCode",
	 "-1 2 3 6 7 10 17 18 19 20 21 29 31 32 42 43 45 46 47 48 49 51>12 53"
	 " 56>4 59 76<6 87 100>13 120>11"},
	{1, "errorCode", "-1>7 31>7 42>7 70>7 71>7 104>12 106>13"},
	{1, "responses[].partitions[].errorCode",
	 "-1 1 2 3 5 6 8 9 10 29 35 42 56>6 74>9 75>9 76<9 78 100>13 103>13"
	 " 109>14"},
	{2, "topics[].partitions[].errorCode", "-1 3 5<4 6 7 9 29 35 42 43 56 74>4 75>4 78>5"},
	{3, "errorCode", "-1>13 31>13 42>13 129>13"},
	{3, "topics[].errorCode", "-1 3 5 8 17 29 38 42 100>10"},
	{3, "topics[].partitions[].errorCode", "5 6 9<0 56 72>6"},
	{4, "errorCode", "11 31 77>1"},
	{4, "partitionErrors[].errorCode", "11 56"},
	{5, "errorCode", "11 31 77>1"},
	{5, "partitionErrors[].errorCode", "56 74>3"},
	{6, "errorCode", "11 31 77>5"},
	{7, "errorCode", "-1 8 11 31 77>2"},
	{8, "topics[].partitions[].errorCode",
	 "-1 3 7 12 14 15 16 22 24 25 27 28 29 30 35 48 49 69>9 82>7 100>10"
	 " 110>7 113>9"},
	{9, "errorCode", "-1>2<7 14>2<7 15>2<7 16>2<7 24>2<7 30>2<7 69>2<7"},
	{9, "groups[].errorCode", "-1>8 14>8 15>8 16>8 24>8 25>9 30>8 69>8 113>9"},
	{9, "groups[].topics[].partitions[].errorCode", "3>8 29>8 88>8 100>10"},
	{9, "topics[].partitions[].errorCode", "3<7 14<1 15<1 16<1 29<7 30<1 88>7<7"},
	{10, "coordinators[].errorCode", "-1>4 14>4 15>4 30>4 31>6 42>4 53>4 120>5"},
	{10, "errorCode", "-1<3 14<3 15<3 30<3 42<3 53>1<3"},
	{11, "errorCode", "-1 14 15 16 22 23 24 25 26 27 30 35 79>4 81 82>5"},
	{12, "errorCode", "-1 15 16 22 24 25 27 30 82>3"},
	{13, "errorCode", "-1 14 15 16 24 25<2 30 82<2"},
	{13, "members[].errorCode", "25>3 82>3"},
	{14, "errorCode", "-1 14 15 16 22 23>5 24 25 27 30 82>3"},
	{15, "groups[].errorCode", "-1 14 15 16 24 29 30 69>6"},
	{16, "errorCode", "-1 14 15"},
	{17, "errorCode", "33 34"},
	{18, "errorCode", "35 42>3 129>5"},
	{19, "topics[].errorCode", "-1 7 17 29 36 37 38 39 40 41 42 44 89>6"},
	{19, "topics[].topicConfigErrorCode", "29>5"},
	{20, "responses[].errorCode", "-1 3 7 17 29 35>6 41 42 73>3 89>5 100>6"},
	{21, "topics[].partitions[].errorCode", "-1 1 3 6 7 17 29 44 56"},
	{22, "errorCode", "-1 14 15 16 31 35>6 42 47<3 49 50 51 53 90>4 120>5"},
	{23, "topics[].partitions[].errorCode", "-1 3 5 6 9 29 56 74 75 78"},
	{24, "errorCode", "-1>4 31>4 42>4"},
	{24, "resultsByTopicV3AndBelow[].resultsByPartition[].partitionErrorCode",
	 "-1<3 3<3 14<3 15<3 16<3 29<3 42<3 47<1 48<3 49<3 51<3 53<3 55<3 59"
	 " 90>2<3"},
	{24, "resultsByTransaction[].topicResults[].resultsByPartition[].partitionErrorCode",
	 "-1>4 3>4 14>4 15>4 16>4 42>4 48>4 49>4 51>4 55>4 90>4 120>5"},
	{25, "errorCode", "-1 3 7 14 15 16 29 30 31 42 43 47<1 48 49 51 53 59 90>2 120>4"},
	{26, "errorCode", "-1 14 15 16 31 42 47<1 48 49 51 53 59 90>2 120>4"},
	{27, "markers[].topics[].partitions[].errorCode",
	 "-1 2 3 6 7 8 9 10 18 19 20 21 31 43 47 52 56"},
	{28, "topics[].partitions[].errorCode",
	 "-1 3 7 12 14>2 15 16 22>3 24 25>3 27 28 29 30 31 43 47 48 49 51>5 53"
	 " 69>6 82>3 90 100>6 113>6 120>4"},
	{29, "errorCode", "-1 31 42 54"},
	{30, "results[].errorCode", "-1 7 31 35 41 42 54"},
	{31, "filterResults[].errorCode", "-1 7 31 41 42 54"},
	{31, "filterResults[].matchingAcls[].errorCode", "-1"},
	{32, "results[].errorCode", "-1 3 17 29 30 31 42"},
	{33, "responses[].errorCode", "-1 3 7 17 29 30 31 35 40 41 42 44 102"},
	{34, "results[].partitions[].errorCode", "-1 3 9 17 31 39 56 57"},
	{35, "errorCode", "-1>3 31>3"},
	{35, "results[].errorCode", "-1 56"},
	{36, "errorCode", "34 58"},
	{37, "results[].errorCode", "-1 3 7 17 29 37 38 39 41 42 44 60 89>3"},
	{38, "errorCode", "-1 7 31 35 41 42 61 64 65 67"},
	{39, "errorCode", "-1 7 35 41 61 62 63 64 66"},
	{40, "errorCode", "-1 7 35 41 61 62 63 64 66"},
	{41, "errorCode", "-1 61 64"},
	{42, "results[].errorCode", "-1 14 15 16 24 30 68 69 134>3"},
	{43, "errorCode", "-1>1 7>1 31>1 41>1 42>1"},
	{43, "replicaElectionResults[].partitionResult[].errorCode", "-1 3 7 17 31 41 80 83>1 84"},
	{44, "responses[].errorCode", "-1 3 7 17 29 30 31 35 40 41 42 44 102"},
	{45, "errorCode", "-1 7 31 41"},
	{45, "responses[].partitions[].errorCode", "-1 3 7 31 38>1 39 41 60 85"},
	{46, "errorCode", "-1 7 31 41"},
	{47, "errorCode", "-1 14 15 16 24 30 68 69"},
	{47, "topics[].partitions[].errorCode", "3 29 86"},
	{48, "errorCode", "-1 31 35 42"},
	{49, "entries[].errorCode", "-1 7 31 35 41 42"},
	{50, "errorCode", "-1 31"},
	{50, "results[].errorCode", "-1 31 91 92"},
	{51, "results[].errorCode", "-1 7 31 33 35 41 91 92 93"},
	{52, "errorCode", "-1 3 8 31 42 104"},
	{52, "topics[].partitions[].errorCode", "42 74 94 125>1"},
	{53, "errorCode", "-1 3 8 31 42 104"},
	{53, "topics[].partitions[].errorCode", "42 74 94 125>1"},
	{54, "errorCode", "-1 3 8 31 42 104"},
	{54, "topics[].partitions[].errorCode", "42 74 94"},
	{55, "errorCode", "-1 7 8 31 41"},
	{55, "topics[].partitions[].errorCode", "-1 3 6 7 31"},
	{56, "errorCode", "-1 7 31 41 77"},
	{56, "topics[].partitions[].errorCode", "-1 3 41 42 74 95 100>2 107>2 108>2"},
	{57, "errorCode", "-1 7 31 41 42 95 96"},
	{57, "results[].errorCode", "42<1 95<1 96<1"},
	{58, "errorCode", "-1 31 35 41 42 97"},
	{59, "errorCode", "-1 31 42 104"},
	{59, "topics[].partitions[].errorCode", "3 6 8 74 75 98 99"},
	{60, "errorCode", "-1 35 42 114>1 115>1"},
	{61, "topics[].partitions[].errorCode", "-1 3 6 17 29 56"},
	{62, "errorCode", "-1 7 31 35 41 101 102 104 119"},
	{63, "errorCode", "-1 7 31 41 77 102"},
	{64, "errorCode", "-1 7 31 41 102"},
	{65, "transactionStates[].errorCode", "-1 14 15 16 42 53 105"},
	{66, "errorCode", "-1 14 15 128>2"},
	{67, "errorCode", "-1 7 31 41 77 102"},
	{68, "errorCode", "-1 14 15 16 25 29 30 35 42 69 81 82 110 111 112 128>1"},
	{69, "groups[].errorCode", "-1 14 15 16 24 29 30 35 42 69"},
	{70, "errorCode", "-1 7 31 35 41"},
	{71, "errorCode", "-1 42 89 117"},
	{72, "errorCode", "-1 42 76 87 89 117 118"},
	{73, "directories[].topics[].partitions[].errorCode", "3 6 100"},
	{73, "errorCode", "-1 7 31 35 41 77 102"},
	{74, "errorCode", "-1 31 35"},
	{75, "topics[].errorCode", "-1 3 17 29 42"},
	{75, "topics[].partitions[].errorCode", "0"},
	{76, "errorCode", "-1 14 15 16 25 29 30 35 42 69 81 110"},
	{77, "groups[].errorCode", "-1 14 15 16 24 29 30 35 42 69"},
	{78, "errorCode", "-1 30 35 42 122 123 133"},
	{78, "responses[].partitions[].acknowledgeErrorCode", "-1 3 6 15 29 42 56 69 74 100 121"},
	{78, "responses[].partitions[].errorCode", "-1 2 3 6 9 15 29 56 69 74 75 78 100 103"},
	{79, "errorCode", "-1 30 35 42 122 123"},
	{79, "responses[].partitions[].errorCode", "-1 3 6 15 29 42 56 69 74 100 121"},
	{80, "errorCode", "-1 6 7 8 31 35 41 42 104 126"},
	{81, "errorCode", "-1 6 7 8 31 35 41 42 104 127"},
	{82, "errorCode", "-1 6 7 8 31 35 42 74 75 104 127"},
	{83, "results[].partitions[].errorCode", "-1 3 14 15 16 31 42 124"},
	{84, "results[].partitions[].errorCode", "-1 3 14 15 16 31 42 69 74"},
	{85, "results[].partitions[].errorCode", "-1 3 14 15 16 31 42 69 74 124"},
	{86, "results[].partitions[].errorCode", "-1 3 14 15 16 31 42 69 124"},
	{87, "results[].partitions[].errorCode", "-1 3 14 15 16 31 42 69 74"},
	{88, "errorCode", "-1 14 15 16 25 29 30 31 35 42 69 81 82 110 111 130 131 132"},
	{89, "groups[].errorCode", "-1 14 15 16 24 29 30 35 42 69"},
	{90, "groups[].errorCode", "-1 14 15 16 25 30 35 42 69 113"},
	{90, "groups[].topics[].partitions[].errorCode", "-1 3 29"},
	{91, "errorCode", "-1 14 15 16 24 27 30 35 42 56 68 69"},
	{91, "responses[].partitions[].errorCode", "-1 3 29 56"},
	{92, "errorCode", "-1 14 15 16 24 27 30 35 42 56 68 69"},
	{92, "responses[].errorCode", "-1 3 29"},
	{93, "errorCode", "-1 14 15 16 25 30 35 42 69 135"},
	{94, "errorCode", "-1 7 31 35 41 42 136"},
};

/* What any API may answer: unknown server error, timed out, not authorized on the cluster,
 * unsupported version, not the controller, invalid request, quota exceeded. */
static const char anywhere[] = "-1 7 31 35 41 42 89";

/* True if the list has the code in some version of from..to. */
static bool has(const char *codes, int from, int to, int16_t code)
{
	for (char *end; *codes; codes = end) {
		long listed = strtol(codes, &end, 10);
		long since = 0, until = INT16_MAX;

		if (*end == '>')
			since = strtol(end + 1, &end, 10);
		if (*end == '<')
			until = strtol(end + 1, &end, 10);
		if (listed == code && since <= to && until >= from)
			return true;
	}
	return false;
}

const char *error_place(int api_key, int version, int16_t code)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (places[i].api_key == api_key && has(places[i].codes, version, version, code))
			return places[i].field;
	return NULL;
}

bool error_possible(int api_key, int from, int to, int16_t code)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (places[i].api_key == api_key && has(places[i].codes, from, to, code))
			return true;
	return has(anywhere, from, to, code);
}
