//! The Chinese of each text, by its English. The terms are those of docs/zh/glossary.md.

use std::collections::HashMap;
use std::sync::LazyLock;

/// English and Chinese, with the same values in braces.
pub(super) type Table = &'static [(&'static str, &'static str)];

macro_rules! tables {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*
        /// See [`super::catalogue`].
        pub(super) const TABLES: &[(&str, Table)] = &[$((stringify!($name), $name::TABLE)),*];
    };
}

tables!(
    admin, alert, api, app, callback, cli, config, demo, export, help, message, observe, pipeline, quota,
    sandbox, secret, server, store, token, trouble, upstream, wechat,
);

static INDEX: LazyLock<HashMap<&str, &str>> =
    LazyLock::new(|| TABLES.iter().flat_map(|(_, table)| table.iter().copied()).collect());

/// The translation, if there is one.
pub(super) fn of(english: &str) -> Option<&'static str> {
    INDEX.get(english).copied()
}
