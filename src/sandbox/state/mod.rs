//! Everything that the fake remembers, and what can be set: data and its rules, without requests
//! and answers.

pub(super) mod accounts;
pub(super) mod callbacks;
pub(super) mod clock;
pub(super) mod companies;
pub(super) mod faults;
pub(super) mod journal;
pub(super) mod library;
pub(super) mod media;
pub(super) mod platform_events;
pub(super) mod quota;
pub(super) mod settings;
pub(super) mod signing;
pub(super) mod stale_node;
pub(super) mod tags;
pub(super) mod tickets;
pub(super) mod token_events;
pub(super) mod tokens;
pub(super) mod users;
pub(super) mod world;
