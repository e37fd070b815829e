//! The endpoint catalogue: what each of WeChat's paths demands, and which ones need care.
//!
//! The table is `catalogue.tsv`, made by `tests/it/catalogue/regenerate.py` from what WeChat's
//! public SDKs call. Rules that are ours and not WeChat's (what hands out credentials, what is
//! slow) are in `rules`, the list of what is guarded in `guarded`.
//!
//! WeCom has paths that the official platform has too, with other meanings (`/cgi-bin/menu/create`,
//! `/cgi-bin/user/get`), so there are two ways in: [`find`] and [`find_work`].

mod class;
mod endpoint;
mod guarded;
mod others;
mod path;
mod rules;
mod table;

use std::sync::LazyLock;

pub use self::class::CredentialClass;
pub use self::endpoint::{Endpoint, Window};
pub use self::path::normalise;
use self::rules::Rules;
use self::table::{Index, Table};
use super::family::Family;

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::parse(include_str!("catalogue.tsv")));

/// What is known of `path` on the official platform's hosts; it is taken as it is first, then
/// without case and trailing `/`.
///
/// WeCom's endpoint is found too if the official platform has none of that name: better to tell its
/// app so than to send its token to a path that doesn't exist. WeCom's token endpoint,
/// to it, issues credentials like any other.
pub fn find(path: &str) -> &'static Endpoint {
    let table = &*TABLE;
    look_up(table, &table.main, path, |path| {
        let foreign = table.get(&table.work, path).and_then(|endpoint| match endpoint.class {
            CredentialClass::TokenEndpoint => table.gettoken_elsewhere.as_ref(),
            _ => Some(endpoint),
        });
        foreign.unwrap_or_else(|| Rules::of(Family::Api).assume(path))
    })
}

/// What is known of `path` at WeCom, compared as by [`find`].
pub fn find_work(path: &str) -> &'static Endpoint {
    let table = &*TABLE;
    look_up(table, &table.work, path, |path| Rules::of(Family::Work).assume(path))
}

/// What is known of `path` on the hosts of this family.
pub fn find_at(family: Family, path: &str) -> &'static Endpoint {
    match family {
        Family::Work => find_work(path),
        Family::Api | Family::Mp | Family::Open => find(path),
    }
}

/// What is assumed of a path that isn't listed, where a credential of `class` goes into the
/// request: `endpoint`, which was found for it, says all else.
pub fn assumed_with(endpoint: &'static Endpoint, class: CredentialClass) -> &'static Endpoint {
    Rules::of(endpoint.family).others.with(endpoint, class)
}

/// Every endpoint that [`find`] and [`find_work`] can name, by [`Endpoint::id`]: `other`, those of
/// the official platform, then WeCom's.
pub fn all() -> &'static [Endpoint] {
    &TABLE.endpoints
}

fn look_up(
    table: &'static Table,
    index: &'static Index,
    path: &str,
    unknown: impl FnOnce(&str) -> &'static Endpoint,
) -> &'static Endpoint {
    if let Some(endpoint) = table.get(index, path) {
        return endpoint;
    }
    let path = normalise(path);
    table.get(index, &path).unwrap_or_else(|| unknown(&path))
}

#[cfg(test)]
mod tests {
    use super::rules::Rules;
    use super::{CredentialClass, Endpoint, all, find, find_work, normalise};
    use crate::message::path;
    use crate::wechat::Family;

    fn found(endpoint: &Endpoint, path: &str) -> &'static Endpoint {
        if endpoint.family == Family::Work { find_work(path) } else { find(path) }
    }

    #[test]
    fn ids_are_positions() {
        for (index, endpoint) in all().iter().enumerate() {
            assert_eq!(usize::from(endpoint.id), index, "{}", endpoint.path);
        }
        assert_eq!(all()[0].path, "other");
    }

    #[test]
    fn every_row_is_read_and_found() {
        assert_eq!(all().len(), include_str!("catalogue.tsv").lines().count() + 1);
        for endpoint in &all()[1..] {
            assert_eq!(found(endpoint, endpoint.path), endpoint);
            // So that none of them is looked at when a request is for it.
            assert_eq!(path::check(endpoint.path), Ok(()));
        }
    }

    #[test]
    fn the_lists_name_catalogued_paths() {
        for (family, find) in [(Family::Api, find as fn(&str) -> _), (Family::Work, find_work)] {
            for path in Rules::of(family).guarded.all() {
                let endpoint: &Endpoint = find(path);
                assert!(endpoint.guarded && endpoint.id != 0 && normalise(path) == path, "{path}");
            }
            for path in Rules::of(family).slow {
                let endpoint: &Endpoint = find(path);
                assert!(endpoint.slow && endpoint.id != 0 && normalise(path) == *path, "{path}");
            }
            for path in Rules::of(family).issuing {
                let endpoint: &Endpoint = find(path);
                assert_eq!(endpoint.class, CredentialClass::IssuesCredential, "{path}");
                assert!(endpoint.id != 0, "{path}");
            }
            for path in Rules::of(family).granting {
                let endpoint: &Endpoint = find(path);
                assert!(endpoint.grants && endpoint.id != 0 && normalise(path) == *path, "{path}");
            }
        }
    }

    #[test]
    fn paths_that_differ_in_case_only_are_alike() {
        for endpoint in &all()[1..] {
            let lower = found(endpoint, &endpoint.path.to_ascii_lowercase());
            let upper = found(endpoint, &format!("{}/", endpoint.path.to_ascii_uppercase()));
            assert_eq!((lower.class, lower.guarded), (endpoint.class, endpoint.guarded), "{}", endpoint.path);
            assert_eq!((upper.class, upper.guarded), (endpoint.class, endpoint.guarded), "{}", endpoint.path);
        }
    }

    #[test]
    fn paths_are_compared_without_case_and_trailing_slash() {
        assert_eq!(normalise("/CGI-BIN/Clear_Quota/"), "/cgi-bin/clear_quota");
        assert_eq!(normalise("/cgi-bin/token"), "/cgi-bin/token");
        assert_eq!(normalise("/"), "");
    }

    #[test]
    fn a_normal_path_is_not_copied() {
        assert!(matches!(normalise("/cgi-bin/token/"), std::borrow::Cow::Borrowed("/cgi-bin/token")));
    }
}
