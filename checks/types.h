/* The checks by name, for the table in check.c; each is defined where its judgement stands. */
#ifndef CHECKS_TYPES_H
#define CHECKS_TYPES_H

#include "checks/check.h"

/* delivery.c */
extern const struct check_type check_no_loss, check_no_duplicates, check_as_sent, check_order,
	check_u1, check_u2;
/* produce.c */
extern const struct check_type check_sequences, check_in_flight, check_backoff, check_no_resend,
	check_no_send_after_fatal, check_backoff_grows;
/* stored.c: of captures */
extern const struct check_type check_wire_sequences, check_wire_order, check_wire_once;
/* reading.c: of captures */
extern const struct check_type check_wire_read_on, check_wire_answered;
/* membership.c */
extern const struct check_type check_one_join, check_member_id, check_fenced, check_heartbeats,
	check_quiet, check_leaves;
/* connection.c */
extern const struct check_type check_throttle, check_attempts, check_refresh, check_rate,
	check_mismatch;
/* addresses.c */
extern const struct check_type check_addresses;
/* txn.c */
extern const struct check_type check_txn_added, check_txn_no_commit, check_txn_epoch,
	check_txn_member, check_txn_told;
/* kip848.c */
extern const struct check_type check_kip848_joins, check_kip848_epochs, check_kip848_owns,
	check_kip848_returns, check_kip848_leaves, check_kip848_stops;
/* group.c */
extern const struct check_type check_one_owner;
/* consumer.c */
extern const struct check_type check_u3, check_u4;
extern const struct check_type check_no_step_back, check_no_step_back_within, check_no_skip,
	check_no_skip_within, check_no_control;
/* anomaly.c */
extern const struct check_type check_consistent, check_all_given, check_nothing_passed_over,
	check_once, check_aborted, check_open, check_sent_offsets;
extern const struct check_type check_true_offsets, check_no_error, check_all_answered;
/* commits.c */
extern const struct check_type check_committed_as_told;
/* fetch.c */
extern const struct check_type check_moves_on, check_sessions, check_fetch_epochs, check_followers,
	check_looks_once, check_validates;
/* assignment.c */
extern const struct check_type check_assigns_all, check_hands_over, check_own_commits;
/* transactions.c */
extern const struct check_type check_txn_order, check_txn_alone, check_write_cycles,
	check_read_cycles;
/* wire.c */
extern const struct check_type check_u5, check_u6, check_u7, check_u8;

#endif
