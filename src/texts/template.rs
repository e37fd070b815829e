//! Puts values into a text.

use std::fmt::{self, Display, Formatter, Write as _};

/// Writes `template` with each `{name}` replaced by the value of that name, and `{{` and `}}` by
/// one brace.
pub(super) fn write(
    f: &mut Formatter<'_>,
    template: &str,
    values: &[(&'static str, &dyn Display)],
) -> fmt::Result {
    let mut rest = template;
    while let Some(brace) = memchr::memchr2(b'{', b'}', rest.as_bytes()) {
        f.write_str(&rest[..brace])?;
        rest = &rest[brace..];
        let name = rest.strip_prefix('{').and_then(|name| name.split_once('}')).map(|(name, _)| name);
        match name.and_then(|name| values.iter().find(|(known, _)| *known == name)) {
            Some((name, value)) => {
                value.fmt(f)?;
                rest = &rest[name.len() + 2..];
            }
            None => {
                f.write_char(if rest.starts_with('{') { '{' } else { '}' })?;
                let is_doubled = rest.starts_with("{{") || rest.starts_with("}}");
                rest = &rest[if is_doubled { 2 } else { 1 }..];
            }
        }
    }
    f.write_str(rest)
}
