//! The parameters of a query, and which of them are credentials.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

use crate::message::credential::{self, CredentialParam};
use crate::message::percent::decode;

/// The parameter by which callers on WeChat Cloud Run name the account that they act for, by its
/// appid. WeChat's gateway there keeps it to itself, and no endpoint of the API has a parameter of
/// this name.
pub const CLOUD_RUN_APP: &str = "from_appid";

/// What of wxgate's concern a query may hold; most queries of services hold nothing of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MayHold {
    /// Tokens.
    pub tokens: bool,
    /// Secrets.
    pub secrets: bool,
    /// The parameter that names an app, as it is spelt here. An encoded spelling is another one.
    pub app: bool,
    /// Something that is encoded.
    pub encoded: bool,
}

impl MayHold {
    /// What `query` may hold.
    pub fn of(query: &str) -> Self {
        let mut rest = query.as_bytes();
        let mut found = Self { encoded: memchr(b'%', rest).is_some(), ..Self::default() };
        loop {
            let ends_name = |byte: &u8| matches!(byte, b'=' | b'&' | b';' | b'?');
            let end = rest.iter().position(ends_name).unwrap_or(rest.len());
            let (name, behind) = rest.split_at_checked(end).unwrap_or_default();
            found.app |= name == CLOUD_RUN_APP.as_bytes();
            let mut is_token = false;
            if credential::may_resemble(name) {
                is_token = CredentialParam::resembled(name).is_some();
                found.tokens |= is_token;
                found.secrets |= !is_token && credential::resembles_secret(name);
            }
            if behind.first() == Some(&b'?') || is_token && memchr(b'?', behind).is_some() {
                // Only who takes the query apart can say where the next name begins.
                return Self { tokens: true, secrets: true, app: true, ..found };
            }
            match memchr2(b'&', b';', behind) {
                Some(at) => rest = behind.get(at + 1..).unwrap_or_default(),
                None => return found,
            }
        }
    }
}

/// What stands between two `&`; but no token has a `?` in it, so a `?` behind one was typed for an
/// `&`, and a further parameter follows it.
pub(super) struct Parameter<'a> {
    pub(super) text: &'a str,
    pub(super) token: Option<Token<'a>>,
}

/// A token within a parameter.
pub(super) struct Token<'a> {
    pub(super) param: CredentialParam,
    /// Undecoded.
    pub(super) value: &'a str,
    /// The parameter's name is the token's, decoded once: WeChat itself reads it so.
    pub(super) exact: bool,
}

/// The parameters in their order, empty ones too; an empty query has none.
pub(super) fn parameters(query: Option<&str>) -> Parameters<'_> {
    Parameters { rest: query.filter(|query| !query.is_empty()), ampersand: None, separator: None }
}

/// See [`parameters`].
pub(super) struct Parameters<'a> {
    rest: Option<&'a str>,
    /// How much is left from the next `&` on, as last looked for, so that many `?` don't have the
    /// same bytes searched again and again.
    ampersand: Option<usize>,
    /// The same from the next `=` or `;` on.
    separator: Option<usize>,
}

impl<'a> Iterator for Parameters<'a> {
    type Item = Parameter<'a>;

    fn next(&mut self) -> Option<Parameter<'a>> {
        let rest = self.rest?;
        let place = |left: Option<usize>, find: fn(&[u8]) -> Option<usize>| {
            let known = left.filter(|left| *left <= rest.len());
            let left = known.or_else(|| find(rest.as_bytes()).map(|at| rest.len() - at)).unwrap_or(0);
            (left, rest.len() - left)
        };
        let (ampersand, end) = place(self.ampersand, |rest| memchr(b'&', rest));
        let (separator, name_end) = place(self.separator, |rest| memchr2(b'=', b';', rest));
        (self.ampersand, self.separator) = (Some(ampersand), Some(separator));
        let text = &rest[..end];
        let (token, end) = match Token::find(text, name_end.min(end)) {
            Some((token, end)) => (Some(token), end),
            None => (None, end),
        };
        self.rest = rest.get(end + 1..);
        Some(Parameter { text: &rest[..end], token })
    }
}

impl<'a> Token<'a> {
    /// The first in `text`, whose first name is so long, and where the parameter that it is in
    /// ends.
    fn find(text: &'a str, name_length: usize) -> Option<(Self, usize)> {
        let (mut start, mut name_end) = (0, name_length);
        loop {
            let name = text.get(start..name_end)?;
            if let Some((param, length)) = token_name(name) {
                let exact = start == 0 && CredentialParam::spelled(&name.as_bytes()[..length]).is_some();
                let behind = start + length;
                let end = memchr(b'?', &text.as_bytes()[behind..]).map_or(text.len(), |at| behind + at);
                let value = text.get(behind + 1..end).unwrap_or_default();
                return Some((Self { param, value, exact }, end));
            }
            start = name_end + memchr(b';', &text.as_bytes()[name_end..])? + 1;
            let rest = &text.as_bytes()[start..];
            name_end = start + memchr2(b'=', b';', rest).unwrap_or(rest.len());
        }
    }
}

/// The token that a name is taken for, and how much of the name that is: a `?` may end it.
fn token_name(name: &str) -> Option<(CredentialParam, usize)> {
    if let Some(param) = CredentialParam::resembled(name.as_bytes()) {
        return Some((param, name.len()));
    }
    let first = name.trim_start_matches('?').split_once('?')?.0;
    let length = name.len() - name.trim_start_matches('?').len() + first.len();
    Some((CredentialParam::resembled(first.as_bytes())?, length))
}

/// Every token in the query, in whatever spelling a server may take for its name, with its decoded
/// value.
pub fn credentials(query: &str) -> impl Iterator<Item = (CredentialParam, Cow<'_, str>)> {
    let tokens = parameters(Some(query)).filter_map(|parameter| parameter.token);
    tokens.map(|token| (token.param, decode(token.value)))
}

/// All parameters whose names aren't those of tokens, decoded once, by name and value decoded; of
/// those whose names are, what stands behind a `;`.
pub fn others(query: &str) -> impl Iterator<Item = Cow<'_, str>> {
    parameters(Some(query)).filter_map(|parameter| match parameter.token {
        Some(token) if token.exact => token.value.find(';').map(|at| decode(&token.value[at..])),
        _ => Some(decode(parameter.text)),
    })
}

/// Raw name and value; a parameter without `=` is all name.
pub(super) fn split(text: &str) -> (&str, &str) {
    text.split_once('=').unwrap_or((text, ""))
}
