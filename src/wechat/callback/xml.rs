//! The flat XML of pushes, read without anything that XML is abused for.

use quick_xml::Reader;
use quick_xml::events::Event;
use zeroize::Zeroizing;

/// WeChat nests one level; events about registered companies two.
const DEEPEST: usize = 8;
/// No event has a fifth of it.
const MOST_FIELDS: usize = 64;

/// The root's children that hold text alone.
pub(super) struct Fields(Vec<Field>);

struct Field {
    name: String,
    /// Blanks at both ends are layout: WeChat's documentation shows `<InfoType> <![CDATA[..`.
    value: Zeroizing<String>,
}

impl Fields {
    /// Reads a document with one root. None if it isn't well-formed, too deep or too wide, has a
    /// DOCTYPE, a processing instruction or an entity beyond XML's own five, or two children of the
    /// root have one name.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_comments = true;
        let mut fields = Self(Vec::new());
        let mut depth = 0_usize;
        let mut rooted = false;
        loop {
            match reader.read_event().ok()? {
                Event::Start(tag) => {
                    fields.open(tag.name().as_ref(), depth, &mut rooted)?;
                    depth += 1;
                    if depth > DEEPEST {
                        return None;
                    }
                }
                Event::Empty(tag) => fields.open(tag.name().as_ref(), depth, &mut rooted)?,
                // The reader compares the names.
                Event::End(_) => depth = depth.checked_sub(1)?,
                Event::Text(text) => fields.text(&text.xml10_content(), depth)?,
                Event::CData(text) if depth > 0 => fields.text(&text.xml10_content(), depth)?,
                Event::GeneralRef(reference) if depth > 0 => {
                    let resolved = match reference.resolve_char_ref().ok()? {
                        Some(character) => character,
                        None => predefined(&reference.xml10_content())?,
                    };
                    fields.text(resolved.encode_utf8(&mut [0; 4]), depth)?;
                }
                Event::Comment(_) => {}
                Event::Decl(_) if !rooted => {}
                Event::Eof => return (rooted && depth == 0).then(|| fields.trimmed()),
                Event::CData(_)
                | Event::GeneralRef(_)
                | Event::Decl(_)
                | Event::PI(_)
                | Event::DocType(_) => return None,
            }
        }
    }

    /// The text of a field.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|field| field.name == name).map(|field| field.value.as_str())
    }

    fn open(&mut self, name: &str, depth: usize, rooted: &mut bool) -> Option<()> {
        match depth {
            0 if *rooted => return None,
            0 => *rooted = true,
            1 if self.0.len() == MOST_FIELDS || self.get(name).is_some() => return None,
            1 => self.0.push(Field { name: name.to_owned(), value: Zeroizing::default() }),
            _ => {}
        }
        Some(())
    }

    /// Text between the fields is layout, and what stands deeper isn't read.
    fn text(&mut self, text: &str, depth: usize) -> Option<()> {
        match depth {
            0 | 1 => text.trim().is_empty().then_some(()),
            2 => self.0.last_mut().map(|field| field.value.push_str(text)),
            _ => Some(()),
        }
    }

    fn trimmed(mut self) -> Self {
        for Field { value, .. } in &mut self.0 {
            *value = Zeroizing::new(value.trim().to_owned());
        }
        self
    }
}

/// Characters for the five entities that every document has.
fn predefined(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => return None,
    })
}
