//! Patterns of endpoints, as rules on callers and limits name them.

use std::fmt;

use http::Method;

/// `/cgi-bin/message/**`, `GET /cgi-bin/user/info`, `**`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// Only this method; any if none.
    pub method: Option<Method>,
    /// Lower case, without a trailing `/`; `**` at the end stands for any rest, `*` for one
    /// segment.
    pub path: String,
}

impl Pattern {
    /// Whether it takes in `method` on `path` (lower case, no trailing slash).
    pub fn matches(&self, method: &Method, path: &str) -> bool {
        if self.method.as_ref().is_some_and(|only| only != method) {
            return false;
        }
        if self.path == "**" {
            return true;
        }
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

    use super::Pattern;

    fn matches(pattern: &str, path: &str) -> bool {
        Pattern { method: None, path: pattern.into() }.matches(&Method::GET, path)
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
        let pattern = Pattern { method: Some(Method::GET), path: "**".into() };
        assert!(pattern.matches(&Method::GET, "/x"));
        assert!(!pattern.matches(&Method::POST, "/x"));
        assert_eq!(pattern.to_string(), "GET **");
    }
}
