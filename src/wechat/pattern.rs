//! Patterns of endpoints, as rules on callers and limits name them.

use std::fmt;

use http::Method;

/// `/cgi-bin/message/**`, `GET /cgi-bin/user/info`, `**`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// Only this method; any if none.
    pub method: Option<Method>,
    path: String,
    shape: Shape,
}

/// How a path is compared. A caller may have fifty limits, each of which is compared with each of
/// its requests: all but the last are one comparison of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// `**`
    Any,
    /// No star.
    Exact,
    /// `/**` is all that it has of stars; what comes before, with the slash, is so long.
    Below(usize),
    /// Any other.
    Segments,
}

impl Pattern {
    /// The pattern of `path` in lower case, without a trailing `/`; `**` at the end stands for any
    /// rest, `*` for one segment.
    pub fn new(method: Option<Method>, path: String) -> Self {
        let shape = match path.strip_suffix("**") {
            Some("") => Shape::Any,
            Some(before) if before.ends_with('/') && !before.contains('*') => Shape::Below(before.len()),
            None if !path.contains('*') => Shape::Exact,
            _ => Shape::Segments,
        };
        Self { method, path, shape }
    }

    /// Its path, as it was given.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether it takes in `method` on `path` (lower case, no trailing slash).
    pub fn matches(&self, method: &Method, path: &str) -> bool {
        if self.method.as_ref().is_some_and(|only| only != method) {
            return false;
        }
        match self.shape {
            Shape::Any => true,
            Shape::Exact => self.path == path,
            Shape::Below(length) => path.as_bytes().starts_with(&self.path.as_bytes()[..length]),
            Shape::Segments => self.matches_by_segments(path),
        }
    }

    fn matches_by_segments(&self, path: &str) -> bool {
        let mut pattern = self.path.split('/');
        let mut path = path.split('/');
        loop {
            match (pattern.next(), path.next()) {
                (Some("**"), Some(_)) if pattern.clone().next().is_none() => return true,
                (None, None) => return true,
                (Some("*"), Some(segment)) if !segment.is_empty() => {}
                (Some(wanted), Some(segment)) if wanted == segment => {}
                _ => return false,
            }
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.method {
            Some(method) => write!(f, "{method} {}", self.path),
            None => f.write_str(&self.path),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Method;
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::{Pattern, Shape};

    fn matches(pattern: &str, path: &str) -> bool {
        Pattern::new(None, pattern.into()).matches(&Method::GET, path)
    }

    #[test]
    fn two_stars_stand_for_any_rest_and_one_for_a_segment() {
        assert!(matches("**", "/cgi-bin/user/info"));
        assert!(matches("/cgi-bin/message/**", "/cgi-bin/message/custom/send"));
        assert!(!matches("/cgi-bin/message/**", "/cgi-bin/message"));
        assert!(!matches("/cgi-bin/message/**", "/cgi-bin/messages/custom"));
        assert!(matches("/cgi-bin/*/info", "/cgi-bin/user/info"));
        assert!(!matches("/cgi-bin/*/info", "/cgi-bin/user/tag/info"));
        assert!(matches("/cgi-bin/user/info", "/cgi-bin/user/info"));
        assert!(!matches("/cgi-bin/user/info", "/cgi-bin/user/info/batchget"));
    }

    #[test]
    fn one_with_a_method_is_for_that_method_alone() {
        let pattern = Pattern::new(Some(Method::GET), "**".into());
        assert!(pattern.matches(&Method::GET, "/x"));
        assert!(!pattern.matches(&Method::POST, "/x"));
        assert_eq!(pattern.to_string(), "GET **");
    }

    #[test]
    fn what_people_write_is_compared_at_once() {
        for (path, shape) in [
            ("**", Shape::Any),
            ("/cgi-bin/user/info", Shape::Exact),
            ("/cgi-bin/message/**", Shape::Below(17)),
            ("/**", Shape::Below(1)),
            ("/cgi-bin/*/info", Shape::Segments),
            ("/cgi-bin/*/**", Shape::Segments),
        ] {
            assert_eq!(Pattern::new(None, path.into()).shape, shape, "{path}");
        }
    }

    proptest! {
        #[test]
        fn whatever_its_shape_it_matches_by_segments(pattern in "(/[ab*]{0,2}){0,3}(/\\*\\*)?", path in "(/[ab]{0,2}){0,4}") {
            let pattern = Pattern::new(None, pattern);
            prop_assert_eq!(pattern.matches(&Method::GET, &path), pattern.matches_by_segments(&path));
        }
    }
}
