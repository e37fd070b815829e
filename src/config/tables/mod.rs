//! A file for each table: its rules, and the options that it becomes.

pub(super) mod alerts;
pub(super) mod apps;
pub(super) mod callback_table;
pub(super) mod callers;
mod egress;
pub(super) mod error_status;
pub(super) mod exports;
pub(super) mod limits;
pub(super) mod listeners;
pub(super) mod money;
mod signing_table;
pub(super) mod store_table;
pub(super) mod tls_table;
pub(super) mod trace_table;
pub(super) mod upstream_table;
