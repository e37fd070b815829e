//! The books' FAQ by errcode.

mod chinese;
mod page;
