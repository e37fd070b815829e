//! Reads TOML values into plain types and reports what doesn't fit, without stopping at the first
//! problem.
//!
//! Serde's derive stops at the first error, and the error messages of the `toml` crate print the
//! line, which may hold a secret: so the parsed tree is walked here.

use toml::de::{DeTable, DeValue};

use super::problem::{Place, Report};
use crate::secret::Secret;
use crate::texts::{Text, text};

/// A value and where it is.
#[derive(Debug)]
pub(in crate::config) struct Item<T> {
    pub value: T,
    pub place: Place,
}

/// A key's value; `Wrong` has been reported already, so the key is not reported as missing.
#[derive(Debug, Default)]
pub(in crate::config) enum Field<T> {
    #[default]
    Missing,
    Wrong,
    Given(Item<T>),
}

impl<T> Field<T> {
    /// What was given, if it could be read.
    pub(in crate::config) fn item(&self) -> Option<&Item<T>> {
        match self {
            Self::Given(item) => Some(item),
            Self::Missing | Self::Wrong => None,
        }
    }

    /// The value, or a default where there is none.
    pub(in crate::config) fn or(&self, default: T) -> T
    where
        T: Copy,
    {
        self.item().map_or(default, |item| item.value)
    }

    /// The value, or an empty table where there is none.
    pub(in crate::config) fn or_default(self) -> T
    where
        T: Default,
    {
        match self {
            Self::Given(item) => item.value,
            Self::Missing | Self::Wrong => T::default(),
        }
    }

    /// What was given; reports `missing` of a key that isn't there.
    pub(in crate::config) fn required(
        &self,
        key: Place,
        report: &mut Report<'_>,
        missing: Text<'_>,
    ) -> Option<&Item<T>> {
        match self {
            Self::Given(item) => return Some(item),
            Self::Missing => report.error(&key, missing),
            Self::Wrong => {}
        }
        None
    }
}

/// A type that a TOML value can be read into.
pub(in crate::config) trait Read: Sized {
    /// Reports what doesn't fit and returns none then.
    fn read(value: &DeValue<'_>, place: &Place, report: &mut Report<'_>) -> Option<Self>;
}

/// One string or a list of strings.
#[derive(Debug)]
pub(in crate::config) struct Strings(pub Vec<Item<String>>);

/// Where a secret comes from.
#[derive(Debug)]
pub(in crate::config) enum SecretSource {
    Env(Item<String>),
    File(Item<String>),
    Clear(Secret),
}

/// A table whose keys are the user's, each with one string or a list.
#[derive(Debug, Default)]
pub(in crate::config) struct StringsByName(pub Vec<(Item<String>, Strings)>);

impl StringsByName {
    /// The strings of a name in lower case.
    pub(in crate::config) fn of(&self, name: &str) -> Option<&[Item<String>]> {
        let (_, strings) = self.0.iter().find(|(key, _)| key.value.eq_ignore_ascii_case(name))?;
        Some(&strings.0)
    }
}

/// The user's keys, each with its value; none if that was wrong.
type Entries<T> = Vec<(Item<String>, Option<Item<T>>)>;

/// A table whose keys are the user's, each with a number.
#[derive(Debug, Default)]
pub(in crate::config) struct NumbersByName(pub Entries<u64>);

/// Reports a value of a wrong type. The value isn't repeated: it may be a secret.
pub(in crate::config) fn mismatch(
    value: &DeValue<'_>,
    place: &Place,
    report: &mut Report<'_>,
    expected: Text<'_>,
) {
    let found = match value {
        DeValue::String(_) => text!("a string"),
        DeValue::Integer(_) => text!("an integer"),
        DeValue::Float(_) => text!("a float"),
        DeValue::Boolean(_) => text!("a boolean"),
        DeValue::Datetime(_) => text!("a datetime"),
        DeValue::Array(_) => text!("an array"),
        DeValue::Table(_) => text!("a table"),
    };
    report.error(place, text!("is {found}, expected {expected}", found, expected));
}

/// The table, if it is one.
pub(in crate::config) fn table<'v, 'i>(
    value: &'v DeValue<'i>,
    place: &Place,
    report: &mut Report<'_>,
) -> Option<&'v DeTable<'i>> {
    if value.as_table().is_none() {
        mismatch(value, place, report, text!("a table"));
    }
    value.as_table()
}

impl Read for String {
    fn read(value: &DeValue<'_>, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        if value.as_str().is_none() {
            mismatch(value, place, report, text!("a string in quotes"));
        }
        value.as_str().map(str::to_owned)
    }
}

impl Read for bool {
    fn read(value: &DeValue<'_>, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        if value.as_bool().is_none() {
            mismatch(value, place, report, text!("true or false, without quotes"));
        }
        value.as_bool()
    }
}

impl Read for u64 {
    fn read(value: &DeValue<'_>, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        let Some(integer) = value.as_integer() else {
            mismatch(value, place, report, text!("a whole number, without quotes"));
            return None;
        };
        let number = Self::from_str_radix(integer.as_str(), integer.radix()).ok();
        if number.is_none() {
            report.error(place, text!("is out of range, expected a whole number from 0"));
        }
        number
    }
}

impl Read for f64 {
    fn read(value: &DeValue<'_>, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        let text =
            value.as_float().map(|float| float.as_str()).or_else(|| value.as_integer().map(|i| i.as_str()));
        let Some(text) = text else {
            mismatch(value, place, report, text!("a number, without quotes"));
            return None;
        };
        let number = text.parse().ok().filter(|number: &Self| number.is_finite());
        if number.is_none() {
            report.error(place, text!("is out of range, expected a number"));
        }
        number
    }
}

impl Read for Strings {
    fn read(value: &DeValue<'_>, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        let Some(array) = value.as_array() else {
            if value.as_str().is_none() {
                mismatch(value, place, report, text!("a list of strings"));
            }
            return value
                .as_str()
                .map(|text| Self(vec![Item { value: text.to_owned(), place: place.clone() }]));
        };
        let mut items = Vec::with_capacity(array.len());
        for (index, element) in array.iter().enumerate() {
            let place = place.element(index, element.span().start);
            if let Some(value) = String::read(element.get_ref(), &place, report) {
                items.push(Item { value, place });
            }
        }
        // The readable ones are checked further even if others aren't.
        (!items.is_empty() || array.is_empty()).then_some(Self(items))
    }
}

impl Read for StringsByName {
    fn read(value: &DeValue<'_>, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        let entries = by_name(value, place, report, Strings::read)?;
        Some(Self(entries.into_iter().filter_map(|(name, item)| Some((name, item?.value))).collect()))
    }
}

impl Read for NumbersByName {
    fn read(value: &DeValue<'_>, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        by_name(value, place, report, u64::read).map(Self)
    }
}

/// The entries of a table whose keys are the user's; wrong values are reported, and none here.
fn by_name<T>(
    value: &DeValue<'_>,
    place: &Place,
    report: &mut Report<'_>,
    read: fn(&DeValue<'_>, &Place, &mut Report<'_>) -> Option<T>,
) -> Option<Entries<T>> {
    let mut entries = Vec::new();
    for (key, value) in table(value, place, report)? {
        let place = place.child(&format!("\"{}\"", key.get_ref()));
        let name = Item { value: key.get_ref().to_string(), place: place.clone().at(key.span().start) };
        let place = place.at(value.span().start);
        let value = read(value.get_ref(), &place, report);
        entries.push((name, value.map(|value| Item { value, place })));
    }
    Some(entries)
}

impl Read for SecretSource {
    fn read(value: &DeValue<'_>, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        const FORMS: Text<'_> = text!("{{ env = \"NAME\" }} or {{ file = \"PATH\" }}");
        if let Some(text) = value.as_str() {
            return Some(Self::Clear(Secret::new(text)));
        }
        let Some(table) = value.as_table() else {
            mismatch(value, place, report, FORMS);
            return None;
        };
        let mut sources = Vec::new();
        for (key, value) in table {
            let key_place = place.child(key.get_ref()).at(key.span().start);
            let value_place = key_place.clone().at(value.span().start);
            let source = match key.get_ref().as_ref() {
                "env" => Self::Env,
                "file" => Self::File,
                _ => {
                    // The key isn't repeated: a secret may have been pasted in its place.
                    let place = place.clone().at(key.span().start);
                    report.error(&place, text!("unknown key, expected {forms}", forms = FORMS));
                    return None;
                }
            };
            let value = String::read(value.get_ref(), &value_place, report)?;
            sources.push(source(Item { value, place: value_place }));
        }
        if sources.len() != 1 {
            let number = sources.len();
            report
                .error(place, text!("names {number} sources, expected one: {forms}", number, forms = FORMS));
            return None;
        }
        sources.pop()
    }
}

impl<T: Read> Read for Vec<Item<T>> {
    fn read(value: &DeValue<'_>, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        let element = |value: &DeValue<'_>, place: Place, report: &mut Report<'_>| {
            T::read(value, &place, report).map(|value| Item { value, place })
        };
        match value {
            DeValue::Array(array) => Some(
                array
                    .iter()
                    .enumerate()
                    .filter_map(|(index, value)| {
                        element(value.get_ref(), place.element(index, value.span().start), report)
                    })
                    .collect(),
            ),
            DeValue::Table(_) => {
                report.error(
                    place,
                    text!(
                        "is one table, but there may be several: write [[{key}]] in double brackets",
                        key = place.key
                    ),
                );
                Some(element(value, place.element(0, place.offset), report).into_iter().collect())
            }
            _ => {
                mismatch(value, place, report, text!("tables that begin with [[{key}]]", key = place.key));
                None
            }
        }
    }
}
