//! Files that `include` names, each with accounts: which there are, and what stays in force of one
//! that is broken.

mod account;
mod folder;
mod glob;
mod settle;
mod state;
mod trial;

pub(super) use self::settle::settle;
pub use self::state::{FileChange, Included, IncludedFile, Watched};
pub(super) use self::trial::{Main, Outside};
