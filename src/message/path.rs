//! Request paths: what is refused before any decision by path, and the form in which paths are
//! compared.

use crate::texts::text;

/// Why a path is refused.
///
/// Whatever an upstream may read differently from our own look-ups would bypass the guards, and
/// none of WeChat's paths requires it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// Not in origin form.
    #[error("{}", text!("the path doesn't begin with `/`; send WeChat's own path, such as `/cgi-bin/user/info`"))]
    NoLeadingSlash,
    /// Percent-encoding.
    #[error("{}", text!("the path has a `%`; WeChat's paths are not percent-encoded, send the characters themselves"))]
    PercentEncoded,
    /// `//`
    #[error("{}", text!("the path has an empty segment (`//`); separate segments by one `/`"))]
    EmptySegment,
    /// `.` or `..`
    #[error("{}", text!("the path has a `.` or `..` segment; send the path that it resolves to"))]
    DotSegment,
    /// A control character.
    #[error("{}", text!("the path has a control character; send printable ASCII"))]
    ControlCharacter,
    /// `\`, which some servers read as `/`.
    #[error("{}", text!("the path has a `\\`; separate segments by `/`"))]
    Backslash,
    /// `;`, after which servlet containers see path parameters and not the path.
    #[error("{}", text!("the path has a `;`; parameters belong in the query, after a `?`"))]
    PathParameter,
    /// A space or a byte outside ASCII.
    #[error("{}", text!("the path has a space or a non-ASCII character; WeChat's paths are printable ASCII"))]
    NotAscii,
}

/// The path with a single `/` in front of it. WeChat's own pages have printed two, and joining a
/// base URL that ends in `/` with a path sends two.
pub fn fold(path: &str) -> &str {
    path.strip_prefix('/').filter(|rest| rest.starts_with('/')).unwrap_or(path)
}

/// Refuses a path that the guards could read differently from WeChat.
///
/// # Errors
/// The first fault, in the order of [`PathFault`] for a byte that shows several.
pub fn check(path: &str) -> Result<(), PathFault> {
    if !path.starts_with('/') {
        return Err(PathFault::NoLeadingSlash);
    }
    let mut segment = Segment::Empty;
    let mut first = true;
    for byte in path.bytes() {
        segment = match byte {
            b'/' => match segment {
                Segment::Empty if !first => return Err(PathFault::EmptySegment),
                Segment::Dot | Segment::Dots => return Err(PathFault::DotSegment),
                Segment::Empty | Segment::Named => Segment::Empty,
            },
            b'.' => match segment {
                Segment::Empty => Segment::Dot,
                Segment::Dot => Segment::Dots,
                Segment::Dots | Segment::Named => Segment::Named,
            },
            b'%' => return Err(PathFault::PercentEncoded),
            b'\\' => return Err(PathFault::Backslash),
            b';' => return Err(PathFault::PathParameter),
            0..=0x1f | 0x7f => return Err(PathFault::ControlCharacter),
            b' ' | 0x80.. => return Err(PathFault::NotAscii),
            _ => Segment::Named,
        };
        first = false;
    }
    match segment {
        Segment::Dot | Segment::Dots => Err(PathFault::DotSegment),
        Segment::Empty | Segment::Named => Ok(()),
    }
}

/// What a segment has been so far.
#[derive(Clone, Copy)]
enum Segment {
    Empty,
    Dot,
    Dots,
    Named,
}

#[cfg(test)]
mod tests {
    use super::{PathFault, check, fold};

    #[test]
    fn two_slashes_in_front_are_taken_for_one() {
        for (path, folded) in [
            ("//cgi-bin/token", "/cgi-bin/token"),
            ("//", "/"),
            ("/", "/"),
            ("/cgi-bin//token", "/cgi-bin//token"),
            ("///cgi-bin/token", "//cgi-bin/token"),
            ("", ""),
        ] {
            assert_eq!(fold(path), folded);
        }
    }

    #[test]
    fn ordinary_paths_pass() {
        for path in [
            "/",
            "/cgi-bin/user/info",
            "/cgi-bin/user/info/",
            "/bizwifi/device/List",
            "/a.b/..c/c../.d",
            "/@shop/cgi-bin/menu/get",
            "/cgi-bin/x=1,2:3",
        ] {
            assert_eq!(check(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn whatever_could_be_read_two_ways_is_refused() {
        for (path, fault) in [
            ("", PathFault::NoLeadingSlash),
            ("*", PathFault::NoLeadingSlash),
            ("cgi-bin/token", PathFault::NoLeadingSlash),
            ("/cgi-bin/clear%5fquota", PathFault::PercentEncoded),
            ("/cgi-bin/%", PathFault::PercentEncoded),
            ("//cgi-bin/token", PathFault::EmptySegment),
            ("/cgi-bin//token", PathFault::EmptySegment),
            ("/cgi-bin/token//", PathFault::EmptySegment),
            ("//", PathFault::EmptySegment),
            ("/.", PathFault::DotSegment),
            ("/..", PathFault::DotSegment),
            ("/./cgi-bin/token", PathFault::DotSegment),
            ("/cgi-bin/../token", PathFault::DotSegment),
            ("/cgi-bin/token/.", PathFault::DotSegment),
            ("/cgi-bin/token/..", PathFault::DotSegment),
            ("/cgi-bin/tok\u{0}en", PathFault::ControlCharacter),
            ("/cgi-bin/token\r\nHost: x", PathFault::ControlCharacter),
            ("/cgi-bin/token\u{7f}", PathFault::ControlCharacter),
            ("/cgi-bin\\token", PathFault::Backslash),
            ("/cgi-bin/clear_quota;a=b", PathFault::PathParameter),
            ("/cgi-bin/to ken", PathFault::NotAscii),
            ("/cgi-bin/\u{ff54}oken", PathFault::NotAscii),
        ] {
            assert_eq!(check(path), Err(fault), "{path:?}");
        }
    }

    #[test]
    fn every_fault_says_what_would_be_right() {
        assert_eq!(
            PathFault::PathParameter.to_string(),
            "the path has a `;`; parameters belong in the query, after a `?`"
        );
    }
}
