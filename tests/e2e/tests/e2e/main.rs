//! End to end: the real template, the real functions and the real state machine on the local stack.

#![expect(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]

mod allowed;
mod asl;
mod audit;
mod audit_changing;
mod audit_cli;
mod audit_ends;
mod audit_inventory;
mod backfill;
mod backfill_cut_off;
mod backfill_pace;
mod backfill_refused;
mod backlog;
mod backup;
mod bad_input;
mod breaker;
mod burst;
mod carried;
mod changed_policy;
mod check;
mod digests;
mod drill;
mod every_call;
mod every_state;
mod every_state_twice;
mod failures;
mod hostile;
mod intake;
mod intake_lease;
mod lag;
mod locked;
mod multipart;
mod null_versions;
mod on_demand;
mod order;
mod redeploy;
mod redrive;
mod redrive_chosen;
mod redrive_cut_off;
mod redrive_many;
mod refusals;
mod restore;
mod restore_bare;
mod restore_cli;
mod restore_in_place;
mod restore_moment;
mod restore_pace;
mod restore_proof;
mod restore_refused;
mod restore_resume;
mod resume;
mod retention;
mod s3_backup;
mod sample_events;
mod seaweed;
mod story;
mod sweep;
mod tags;
mod watch;
