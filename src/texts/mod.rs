//! What people read, in English and Chinese.
//!
//! English stands in the code, where a reader and grep find it; [`text!`] and [`words!`] mark it,
//! as gettext's `_()` does. `chinese/` holds the translation of each, by its English, and a test
//! keeps both complete. Who prints decides the language: the command line by the environment, the
//! log by `log.language`, the admin address by `Accept-Language` ([`Language`]).
//!
//! What programs read is the same in both languages and doesn't come from here: keys, codes, names
//! of metrics and fields.

mod chinese;
mod language;
mod marks;
mod template;
mod text;
mod words;

pub use self::language::Language;
pub use self::text::{Text, translated};
pub use self::words::Words;
pub use crate::{marked, text, words};

/// Each text of the catalogue: the table that it is in, its English and its Chinese. The table
/// `help` is of the command line's help, which isn't marked in the code; the others' are named
/// after the modules in which their texts stand.
pub fn catalogue() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let rows = |(name, table): &(&'static str, chinese::Table)| {
        let name = *name;
        table.iter().map(move |&(english, chinese)| (name, english, chinese))
    };
    chinese::TABLES.iter().flat_map(rows)
}
