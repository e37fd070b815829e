//! Whether a pattern matches an endpoint of the catalogue: a misspelt path limits and allows
//! nothing, and goes unnoticed.

use http::Method;

use super::names::Known;
use super::problem::{Place, Report};
use crate::texts::{Words, words};
use crate::wechat::Family;
use crate::wechat::catalogue::{self, Endpoint};
use crate::wechat::pattern::Pattern;

/// Which hosts to look for an endpoint on: the official platform's, WeCom's, or both.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::config) struct Hosts {
    main: bool,
    work: bool,
}

impl Hosts {
    /// Those of an app of this family.
    pub(in crate::config) fn of(family: Family) -> Self {
        let work = family == Family::Work;
        Self { main: !work, work }
    }

    /// For apps that aren't known.
    pub(in crate::config) const ALL: Self = Self { main: true, work: true };

    fn with(self, other: Self) -> Self {
        Self { main: self.main || other.main, work: self.work || other.work }
    }

    /// Whether one of them has this endpoint.
    pub(in crate::config) fn has(self, endpoint: &Endpoint) -> bool {
        if endpoint.family == Family::Work { self.work } else { self.main }
    }
}

/// The names of the apps, and which hosts each has.
#[derive(Debug)]
pub(in crate::config) struct AppNames<'a> {
    pub(in crate::config) names: Known<'a>,
    hosts: Vec<Hosts>,
}

impl<'a> AppNames<'a> {
    pub(in crate::config) fn new(apps: impl Iterator<Item = (&'a str, Hosts)>) -> Self {
        let (names, hosts): (Vec<_>, _) = apps.unzip();
        Self { names: names.into_iter().collect(), hosts }
    }

    /// The hosts of the apps of these names, all where there is none.
    pub(in crate::config) fn hosts<'n>(&self, named: impl Iterator<Item = &'n str>) -> Hosts {
        let named = named.filter_map(|name| self.names.index(name));
        named.map(|index| self.hosts[index]).reduce(Hosts::with).unwrap_or(Hosts::ALL)
    }

    /// The hosts of all apps.
    pub(in crate::config) fn all_hosts(&self) -> Hosts {
        self.hosts.iter().copied().reduce(Hosts::with).unwrap_or(Hosts::ALL)
    }
}

/// Warns of a pattern that matches no known endpoint on these hosts.
pub(in crate::config) fn check(pattern: &Pattern, hosts: Hosts, place: &Place, report: &mut Report<'_>) {
    // wxgate's own.
    if pattern.path() == "**" || pattern.path().starts_with("/wxgate/") {
        return;
    }
    // It may search the whole catalogue, and a thousand callers may have the same rules.
    if let Some(text) = report.judged(format!("{pattern} {hosts:?}"), || wrong(pattern, hosts)) {
        report.warn(place, text);
    }
}

/// What is wrong with it.
fn wrong(pattern: &Pattern, hosts: Hosts) -> Option<Words> {
    let matched = matched(pattern);
    let here: Vec<_> = matched.iter().copied().filter(|endpoint| hosts.has(endpoint)).collect();
    if here.is_empty() {
        let text = match (nearest(pattern, hosts), matched.first()) {
            (_, Some(elsewhere)) => words!(
                "matches endpoints of {host} alone, and no app that this applies to calls that host",
                host = elsewhere.family.host()
            ),
            (Some(near), None) => {
                words!("matches no endpoint that wxgate knows, did you mean \"{near}\"?", near)
            }
            (None, None) => words!(
                "matches no endpoint that wxgate knows, expected one of WeChat's; if WeChat has it, it works as it is"
            ),
        };
        return Some(text);
    }
    let method = pattern.method.as_ref()?;
    // An endpoint whose method isn't known has one of WeChat's two; HEAD asks for what GET would.
    let method_is = |known| known == method || (known == Method::GET && method == Method::HEAD);
    let by = |endpoint: &&Endpoint| match endpoint.method {
        Some(known) => method_is(known),
        None => ["GET", "POST"].into_iter().any(method_is),
    };
    if here.iter().any(by) {
        return None;
    }
    let known = here.iter().find_map(|endpoint| endpoint.method).unwrap_or("POST");
    let path = pattern.path();
    Some(words!(
        "matches an endpoint that takes {known}, not {method}, expected \"{known} {path}\"",
        known,
        method,
        path
    ))
}

/// The endpoints whose paths the pattern matches, by whichever method.
fn matched(pattern: &Pattern) -> Vec<&'static Endpoint> {
    if !pattern.path().contains('*') {
        let found = [catalogue::find(pattern.path()), catalogue::find_work(pattern.path())];
        return found.into_iter().filter(|endpoint| endpoint.id != 0).collect();
    }
    let any = Pattern::new(None, pattern.path().to_owned());
    let matches = |endpoint: &&Endpoint| any.matches(&Method::GET, &catalogue::normalise(endpoint.path));
    listed().filter(matches).collect()
}

fn listed() -> impl Iterator<Item = &'static Endpoint> {
    catalogue::all().iter().filter(|endpoint| endpoint.id != 0)
}

/// The pattern that was probably meant.
fn nearest(pattern: &Pattern, hosts: Hosts) -> Option<String> {
    let (fixed, rest) = match pattern.path().strip_suffix("/**") {
        Some(fixed) => (fixed, "/**"),
        None => (pattern.path(), ""),
    };
    let most = 1 + fixed.len() / 12;
    let mut nearest: Option<(usize, String)> = None;
    for endpoint in listed().filter(|endpoint| hosts.has(endpoint)) {
        let path = catalogue::normalise(endpoint.path);
        let Some(candidate) = like(&path, fixed, !rest.is_empty()) else { continue };
        // Documentation with a base URL that ends in /cgi-bin leaves that part out.
        let beheaded = candidate.strip_suffix(fixed).is_some_and(|head| !head.contains('*'));
        let distance = if beheaded {
            0
        } else if candidate.len().abs_diff(fixed.len()) > most {
            continue;
        } else {
            strsim::damerau_levenshtein(fixed, &candidate)
        };
        if distance <= most && nearest.as_ref().is_none_or(|(least, _)| distance < *least) {
            let shown =
                if fixed.contains('*') || !rest.is_empty() { candidate } else { endpoint.path.to_owned() };
            nearest = Some((distance, shown));
        }
    }
    let (_, near) = nearest?;
    let method = pattern.method.as_ref().map(|method| format!("{method} ")).unwrap_or_default();
    Some(format!("{method}{near}{rest}"))
}

/// The segments of `path` in place of those in `fixed`, stars kept. `open`: more may follow.
fn like(path: &str, fixed: &str, open: bool) -> Option<String> {
    if !open && !fixed.contains('*') {
        return Some(path.to_owned());
    }
    let (segments, wanted): (Vec<_>, Vec<_>) = (path.split('/').collect(), fixed.split('/').collect());
    let fits = if open { segments.len() > wanted.len() } else { segments.len() == wanted.len() };
    let mixed = segments.iter().zip(&wanted).map(|(own, wanted)| if *wanted == "*" { "*" } else { *own });
    fits.then(|| mixed.collect::<Vec<_>>().join("/"))
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::{Hosts, nearest};
    use crate::wechat::Family;
    use crate::wechat::pattern::Pattern;

    #[test]
    fn the_nearest_endpoint_is_near_or_there_is_none() {
        for (method, path, near) in [
            (None, "/cgi-bin/mesage/custom/send", Some("/cgi-bin/message/custom/send")),
            (Some(Method::POST), "/cgi-bin/message/costum/send", Some("POST /cgi-bin/message/custom/send")),
            (None, "/message/custom/send", Some("/cgi-bin/message/custom/send")),
            (None, "/cgi-bin/usr/**", Some("/cgi-bin/user/**")),
            (None, "/cgi-bin/*/inof", Some("/cgi-bin/*/info")),
            (None, "/customservice/kfacount/add", Some("/customservice/kfaccount/add")),
            (None, "/my/own/service", None),
            (None, "/x/**", None),
        ] {
            let pattern = Pattern::new(method, path.to_owned());
            assert_eq!(nearest(&pattern, Hosts::of(Family::Api)).as_deref(), near, "{path}");
        }
        let work = Pattern::new(None, "/cgi-bin/mesage/send".to_owned());
        assert_eq!(nearest(&work, Hosts::of(Family::Work)).as_deref(), Some("/cgi-bin/message/send"));
    }
}
