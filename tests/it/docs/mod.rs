//! What the documentation says is true: its links, its commands and keys, what it shows, and that
//! both languages say the same.
//!
//! A rule is a function from a tree of pages to what is to be mended. Each one is tried on a small
//! tree that breaks it, and holds for the repository.

mod anchor;
mod book;
mod chinese;
mod commands;
mod keys;
mod languages;
mod links;
mod marks;
mod metrics;
mod page;
mod parsed;
mod pointers;
mod readmes;
mod run;
mod tree;
mod words;
