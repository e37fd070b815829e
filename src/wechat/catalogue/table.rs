//! The table, read once, and the way into it by path.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::class::CredentialClass;
use super::endpoint::{Endpoint, Window};
use super::path::normalise;
use super::rules::Rules;
use crate::wechat::family::Family;

#[derive(Debug)]
pub(super) struct Table {
    /// By id: `other`, then the rows in their order.
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) main: Index,
    pub(super) work: Index,
    /// WeCom's token endpoint as an app of the official platform meets it.
    pub(super) gettoken_elsewhere: Option<Endpoint>,
}

/// Ids by path, as catalogued and in normal form.
#[derive(Debug, Default)]
pub(super) struct Index(HashMap<Cow<'static, str>, u16, BuildHasherDefault<PathHasher>>);

impl Table {
    pub(super) fn parse(text: &'static str) -> Self {
        let rows = text.lines().filter_map(endpoint);
        let endpoints: Vec<Endpoint> = std::iter::once(Rules::of(Family::Api).other().clone())
            .chain(rows)
            .zip(0..)
            .map(|(endpoint, id)| Endpoint { id, ..endpoint })
            .collect();
        let is_gettoken = |endpoint: &&Endpoint| {
            endpoint.family == Family::Work && endpoint.class == CredentialClass::TokenEndpoint
        };
        let gettoken = endpoints.iter().find(is_gettoken).cloned();
        let issues = |endpoint| Endpoint { class: CredentialClass::IssuesCredential, ..endpoint };
        let (work, main) = endpoints.iter().skip(1).partition(|endpoint| endpoint.family == Family::Work);
        let (main, work) = (Index::of(main), Index::of(work));
        Self { main, work, gettoken_elsewhere: gettoken.map(issues), endpoints }
    }

    pub(super) fn get(&self, index: &Index, path: &str) -> Option<&Endpoint> {
        index.0.get(path).and_then(|id| self.endpoints.get(usize::from(*id)))
    }
}

impl Index {
    fn of(endpoints: Vec<&Endpoint>) -> Self {
        let mut by_path = HashMap::default();
        for endpoint in &endpoints {
            by_path.insert(Cow::Borrowed(endpoint.path), endpoint.id);
        }
        for endpoint in endpoints {
            by_path.entry(normalise(endpoint.path)).or_insert(endpoint.id);
        }
        Self(by_path)
    }
}

/// One row, without its id; none if it isn't well-formed, which a test rules out.
fn endpoint(row: &'static str) -> Option<Endpoint> {
    let mut columns = row.split('\t');
    let (path, wants, answer, method) = (columns.next()?, columns.next()?, columns.next()?, columns.next()?);
    let family = Family::of_host(columns.next()?)?;
    let (signed, window) = (columns.next()? == "signed", Window::of_column(columns.next()?));
    let method = (method != "-").then_some(method);
    let normal = normalise(path);
    let rules = Rules::of(family);
    let issues = rules.issuing.contains(&normal.as_ref());
    let class = if issues { CredentialClass::IssuesCredential } else { CredentialClass::of_column(wants)? };
    let (guarded, money) = (rules.guards(&normal), rules.guarded.money.contains(&normal.as_ref()));
    Some(Endpoint {
        path,
        family,
        id: 0,
        class,
        method,
        binary: matches!(answer, "either" | "binary"),
        guarded,
        money,
        grants: rules.granting.contains(&normal.as_ref()),
        one_time_code: rules.takes_code(&normal),
        slow: rules.is_slow(&normal),
        // A guess (with `?`), or a path that no SDK was seen to call, proves nothing.
        evidence: matches!(wants, "app" | "app_or_component") && !issues && method.is_some() && !guarded,
        signed,
        window,
    })
}

/// Multiply-and-rotate over words. Callers choose what is looked up, never what the table holds, so
/// they can't make its entries collide.
#[derive(Default)]
struct PathHasher(u64);

impl PathHasher {
    fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

impl Hasher for PathHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        for byte in rest {
            self.add(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.add(u64::from(byte));
    }

    fn finish(&self) -> u64 {
        // The table takes its index from the low bits, which a multiplication alone mixes least.
        self.0 ^ (self.0 >> 32)
    }
}
