//! The books' FAQ by errcode.

mod page;
