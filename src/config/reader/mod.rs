//! Reads values of the file into plain types, each with its place, and collects what is wrong with
//! them.

pub(super) mod address;
pub(super) mod endpoints;
pub(super) mod names;
pub(super) mod patterns;
pub(super) mod problem;
pub(super) mod secrets;
pub(super) mod text;
pub(super) mod units;
pub(super) mod values;
