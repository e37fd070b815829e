//! Reads JSON as WeChat writes it, in one pass without building a tree, and says where things
//! stand, so that all other bytes can go on unchanged.
//!
//! The structure must be valid, or a reader that takes it differently could find what was missed
//! here. Strings may hold what WeChat puts there: raw control characters and broken UTF-8 in
//! nicknames.

use std::borrow::Cow;
use std::ops::Range;

/// Deeper nesting is refused as invalid.
pub(super) const DEEPEST: usize = 64;

/// A member of an object.
pub(super) struct Member<'t> {
    pub(super) name: Cow<'t, str>,
    pub(super) value: Range<usize>,
    /// Name and value.
    pub(super) whole: Range<usize>,
}

/// The members of `text`, an object, in their order; none if it is something else.
pub(super) fn members(text: &[u8]) -> Option<Vec<Member<'_>>> {
    let mut members = Vec::new();
    let mut reader = Reader::new(text);
    reader.object(|reader, name, start| {
        reader.peek()?;
        let value = reader.at;
        reader.skip(DEEPEST)?;
        members.push(Member { name, value: value..reader.at, whole: start..reader.at });
        Some(())
    })?;
    reader.has_ended().then_some(members)
}

/// Where in a text the reading is.
pub(super) struct Reader<'t> {
    text: &'t [u8],
    at: usize,
}

impl<'t> Reader<'t> {
    /// At the beginning, behind a byte order mark.
    pub(super) fn new(text: &'t [u8]) -> Self {
        Self { text, at: if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 } }
    }

    /// Whether nothing follows but blanks.
    pub(super) fn has_ended(&mut self) -> bool {
        self.peek().is_none()
    }

    /// The next byte that isn't blank, which is not consumed.
    pub(super) fn peek(&mut self) -> Option<u8> {
        let rest = self.text.get(self.at..)?;
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        self.at += rest.iter().position(|byte| !blank(byte)).unwrap_or(rest.len());
        self.text.get(self.at).copied()
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Consumes an object; `member` consumes the value of each member, whose name it gets with
    /// where that begins.
    pub(super) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, Cow<'t, str>, usize) -> Option<()>,
    ) -> Option<()> {
        self.expect(b'{')?;
        if self.peek()? == b'}' {
            return self.expect(b'}');
        }
        loop {
            let (name, place) = self.string()?;
            self.expect(b':')?;
            member(self, name, place.start)?;
            if self.peek()? == b'}' {
                return self.expect(b'}');
            }
            self.expect(b',')?;
        }
    }

    /// Consumes an array; `element` consumes each element.
    fn array(&mut self, mut element: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.expect(b'[')?;
        if self.peek()? == b']' {
            return self.expect(b']');
        }
        loop {
            element(self)?;
            if self.peek()? == b']' {
                return self.expect(b']');
            }
            self.expect(b',')?;
        }
    }

    /// Consumes any value that isn't nested deeper than `depth`; `object` consumes each object in
    /// it, within which it may be so deep as that is told.
    pub(super) fn value(
        &mut self,
        depth: usize,
        object: &mut dyn FnMut(&mut Self, usize) -> Option<()>,
    ) -> Option<()> {
        match self.peek()? {
            b'{' => object(self, depth.checked_sub(1)?),
            b'[' => {
                let depth = depth.checked_sub(1)?;
                self.array(|reader| reader.value(depth, object))
            }
            b'"' => self.string().map(drop),
            _ => self.scalar().map(drop),
        }
    }

    fn skip(&mut self, depth: usize) -> Option<()> {
        self.value(depth, &mut |reader, depth| reader.object(|reader, _, _| reader.skip(depth)))
    }

    /// Consumes a string; what it says, and where it stands.
    pub(super) fn string(&mut self) -> Option<(Cow<'t, str>, Range<usize>)> {
        self.peek();
        let start = self.at;
        self.expect(b'"')?;
        loop {
            let rest = self.text.get(self.at..)?;
            self.at += memchr::memchr2(b'"', b'\\', rest)?;
            if self.text.get(self.at) == Some(&b'"') {
                break;
            }
            self.at += 2;
        }
        let raw = self.text.get(start + 1..self.at)?;
        self.at += 1;
        let quoted = self.text.get(start..self.at)?;
        let plain = || String::from_utf8_lossy(raw);
        let text = match memchr::memchr(b'\\', raw) {
            None => plain(),
            Some(_) => serde_json::from_slice(quoted).map_or_else(|_| plain(), Cow::Owned),
        };
        Some((text, start..self.at))
    }

    /// Consumes a number, `true`, `false` or `null`.
    pub(super) fn scalar(&mut self) -> Option<&'t [u8]> {
        self.peek();
        let rest = self.text.get(self.at..)?;
        let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let scalar = rest.get(..rest.iter().position(|byte| !part(byte)).unwrap_or(rest.len()))?;
        let is_number = || {
            let text = std::str::from_utf8(scalar).ok()?;
            text.starts_with(|first: char| first == '-' || first.is_ascii_digit())
                .then(|| text.parse::<f64>().ok())?
        };
        if !matches!(scalar, b"true" | b"false" | b"null") {
            is_number()?;
        }
        self.at += scalar.len();
        Some(scalar)
    }
}
