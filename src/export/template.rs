//! The text of an exported file.

use crate::observe::clock::Timestamp;
use crate::texts::text;
use crate::token::Token;

/// What a template may name.
const NAMES: [(&str, Name); 5] = [
    ("access_token", Name::AccessToken),
    ("expires_in", Name::ExpiresIn),
    ("expires_at", Name::ExpiresAt),
    ("appid", Name::AppId),
    ("generation", Name::Generation),
];

/// A text with names in double braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

/// What is wrong with a template.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It holds no token.
    #[error("{}", text!("has no {{{{access_token}}}}, so the file would hold no token"))]
    NoToken,
    /// An unknown name.
    #[error("{}", text!("has the unknown name {name}, expected one of: {names}", name = braced(.0), names = names()))]
    Unknown(String),
    /// Braces without their counterpart.
    #[error("{}", text!("has {opening} without {closing} after it", opening = "{{", closing = "}}"))]
    Open,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Name(Name),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    AccessToken,
    /// Seconds that the token had left when it was written.
    ExpiresIn,
    /// Seconds since 1970.
    ExpiresAt,
    AppId,
    Generation,
}

fn names() -> String {
    NAMES.map(|(name, _)| braced(name)).join(", ")
}

fn braced(name: &str) -> String {
    format!("{{{{{name}}}}}")
}

/// A line of a `.properties` file, as old Java services read it.
impl Default for Template {
    fn default() -> Self {
        let text = |text: &str| Part::Text(text.to_owned());
        Self(vec![text("access_token="), Part::Name(Name::AccessToken), text("\n")])
    }
}

impl Template {
    /// Reads a text such as `token: {{access_token}}`.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, tail) = after.split_once("}}").ok_or(TemplateError::Open)?;
            let known = NAMES.iter().find(|(known, _)| *known == name.trim());
            let (_, name) = known.ok_or_else(|| TemplateError::Unknown(name.trim().to_owned()))?;
            parts.extend([Part::Text(before.to_owned()), Part::Name(*name)]);
            rest = tail;
        }
        parts.push(Part::Text(rest.to_owned()));
        if !parts.contains(&Part::Name(Name::AccessToken)) {
            return Err(TemplateError::NoToken);
        }
        Ok(Self(parts))
    }

    pub(super) fn render(&self, appid: &str, token: &Token, now: Timestamp) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Name(Name::AccessToken) => token.value.expose().to_owned(),
            Part::Name(Name::ExpiresIn) => token.expires_at.since(now).as_secs().to_string(),
            Part::Name(Name::ExpiresAt) => (token.expires_at.0 / 1000).to_string(),
            Part::Name(Name::AppId) => appid.to_owned(),
            Part::Name(Name::Generation) => token.generation.to_string(),
        };
        self.0.iter().map(part).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Template, TemplateError};

    #[test]
    fn a_template_that_would_write_something_useless_is_refused() {
        assert_eq!(Template::parse("x"), Err(TemplateError::NoToken));
        assert_eq!(Template::parse("{{access_token}} {{"), Err(TemplateError::Open));
        let unknown = Template::parse("{{access_token}}{{secret}}").map_err(|error| error.to_string());
        assert_eq!(
            unknown,
            Err("has the unknown name {{secret}}, expected one of: {{access_token}}, {{expires_in}}, {{expires_at}}, \
                 {{appid}}, {{generation}}"
                .to_owned())
        );
        assert!(Template::parse("{\"t\":\"{{ access_token }}\"}").is_ok());
    }
}
