//! What a request is known by, and the bodies that are made of it.

use std::fmt;

/// Of a request, and of all that belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tag(pub u64);

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "T{:011}", self.0)
    }
}

impl Tag {
    /// Found in a target or a field.
    pub fn of(text: &str) -> Option<Self> {
        let at = text.find('T').filter(|at| text.len() >= at + 12)?;
        text.get(at + 1..at + 12)?.parse().ok().map(Self)
    }

    /// The answer's body: no twelve bytes of it could be another's.
    pub fn answer(self) -> Vec<u8> {
        let times = match self.0 % 16 {
            0..=11 => self.0 % 30,
            12..=14 => self.0 % 400,
            _ => self.0 % 4000,
        };
        self.filled("{\"errcode\":0,\"errmsg\":\"ok\",\"tags\":\"", times, "\"}")
    }

    /// The request's body.
    pub fn question(self) -> Vec<u8> {
        let times = if self.0.is_multiple_of(24) { 2000 + self.0 % 12_000 } else { self.0 % 100 };
        self.filled("{\"touser\":\"", times, "\"}")
    }

    fn filled(self, start: &str, times: u64, end: &str) -> Vec<u8> {
        let mut body = start.as_bytes().to_vec();
        let tag = self.to_string();
        (0..=times).for_each(|_| body.extend_from_slice(tag.as_bytes()));
        body.extend_from_slice(end.as_bytes());
        body
    }
}
