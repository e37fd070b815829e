//! The shapes of the documented endpoints, by what they are about.

pub(super) mod account;
pub(super) mod articles;
pub(super) mod codes;
pub(super) mod links;
pub(super) mod menus;
pub(super) mod messages;
pub(super) mod mini_program;
mod openid;
pub(super) mod statistics;
pub(super) mod tags;
pub(super) mod users;
pub(super) mod wecom;
