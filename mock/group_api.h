/* What the group APIs and the offset APIs ask alike. */
#ifndef MOCK_GROUP_API_H
#define MOCK_GROUP_API_H

#include "mock/group.h"

/* NONE, UNKNOWN_MEMBER_ID (also without a group) or FENCED_INSTANCE_ID. */
int16_t group_check_member(const struct group *g, struct str member_id, struct str instance_id);

/* What a JoinGroup says of its member; in the call's memory. */
struct member_spec group_join_spec(struct call *call);

/* A JoinGroup that fails. */
enum call_result group_join_error(struct call *call, int16_t code, struct str member_id);

#endif
