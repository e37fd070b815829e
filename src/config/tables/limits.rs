//! `[[limit]]`, and `rate` and `daily` of `[[caller]]`: limits on what callers send.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use crate::config::file;
use crate::config::reader::endpoints::{AppNames, Hosts};
use crate::config::reader::names::{Known, NameOf, check_known, one_of};
use crate::config::reader::patterns::pattern;
use crate::config::reader::problem::{Place, Report};
use crate::config::reader::values::{Field, Item, NumbersByName};
use crate::quota::limit::{LimitOptions, Mode, Per, Rate};
use crate::texts::text;

/// Slices of a budget are counted in 32 bits, and no quota of WeChat's is larger.
const LARGEST_BUDGET: u64 = u32::MAX as u64;
const HIGHEST_RATE: u32 = 1_000_000;

/// What is reported of a place where a limit is.
struct Found {
    options: LimitOptions,
    place: Place,
}

/// The limits of both kinds of tables.
pub(in crate::config) fn options(
    callers: &[Item<file::Caller>],
    limits: &[Item<file::Limit>],
    apps: &AppNames<'_>,
    report: &mut Report<'_>,
) -> Vec<LimitOptions> {
    let names: Known<'_> = callers
        .iter()
        .filter_map(|caller| caller.value.name.item())
        .map(|name| name.value.as_str())
        .filter(|name| *name != LimitOptions::ANONYMOUS)
        .chain([LimitOptions::ANONYMOUS])
        .collect();
    let hosts_of = |caller: &file::Caller| {
        let granted = caller.apps.item().map(|item| item.value.0.as_slice()).unwrap_or_default();
        apps.hosts(granted.iter().map(|app| app.value.as_str()))
    };
    let of_callers = callers.iter().map(|item| &item.value);
    let mut found: Vec<Found> =
        of_callers.flat_map(|caller| of_caller(caller, hosts_of(caller), report)).collect();
    let mut named = HashMap::new();
    for caller in callers {
        if let Some(name) = caller.value.name.item() {
            named.entry(name.value.as_str()).or_insert(&caller.value);
        }
    }
    for table in limits {
        let app = table.value.app.item().map(|app| apps.hosts(std::iter::once(app.value.as_str())));
        let caller = || named.get(table.value.caller.item()?.value.as_str()).map(|caller| hosts_of(caller));
        let hosts = app.or_else(caller).unwrap_or_else(|| apps.all_hosts());
        found.extend(limit(table, &apps.names, hosts, &names, report));
    }
    refuse_doubles(&found, report);
    found.into_iter().map(|found| found.options).collect()
}

/// Of a caller's table. What is left out concerns all.
fn unlimited() -> LimitOptions {
    LimitOptions {
        app: None,
        caller: None,
        endpoint: None,
        rate: None,
        daily: None,
        mode: Mode::Enforce,
        reserve: Vec::new(),
        table: "[[caller]]",
    }
}

fn of_caller(raw: &file::Caller, hosts: Hosts, report: &mut Report<'_>) -> Vec<Found> {
    let caller = raw.name.item().map(|name| Arc::from(name.value.as_str()));
    let own = || LimitOptions { caller: caller.clone(), ..unlimited() };
    let mut found = Vec::new();
    if let Some(item) = raw.rate.item() {
        let options = LimitOptions { rate: rate(item, report), ..own() };
        found.push(Found { options, place: item.place.clone() });
    }
    for (name, number) in raw.daily.item().map(|item| item.value.0.as_slice()).unwrap_or_default() {
        let daily = number.as_ref().map(|number| budget(number, report));
        if let Some(endpoint) = pattern(&name.value, hosts, &name.place, report) {
            let options = LimitOptions { endpoint: Some(endpoint), daily, ..own() };
            found.push(Found { options, place: name.place.clone() });
        }
    }
    found
}

fn limit(
    table: &Item<file::Limit>,
    apps: &Known<'_>,
    hosts: Hosts,
    callers: &Known<'_>,
    report: &mut Report<'_>,
) -> Option<Found> {
    let raw = &table.value;
    let named = |field: &Field<String>, what: NameOf, known: &Known<'_>, report: &mut Report<'_>| {
        let name = field.item()?;
        check_known(name, what, known, report);
        Some(Arc::from(name.value.as_str()))
    };
    let (app, caller) =
        (named(&raw.app, NameOf::App, apps, report), named(&raw.caller, NameOf::Caller, callers, report));
    let endpoint = raw.endpoint.item().map(|item| pattern(&item.value, hosts, &item.place, report));
    if matches!((&raw.rate, &raw.daily), (Field::Missing, Field::Missing)) {
        report.error(
            &table.place,
            text!("limits nothing, expected rate = \"50/s\" or daily = 100000, or both"),
        );
    }
    let rate = raw.rate.item().and_then(|item| rate(item, report));
    let daily = raw.daily.item().map(|number| budget(number, report));
    let modes = [("enforce", Mode::Enforce), ("observe", Mode::Observe)];
    let mode = one_of(&raw.mode, &modes, report);
    let reserve = raw.reserve.item().map(|reserve| reserved(reserve, raw, daily, callers, report));
    Some(Found {
        options: LimitOptions {
            app,
            caller,
            // A malformed pattern was reported.
            endpoint: match endpoint {
                None => None,
                Some(pattern) => Some(pattern?),
            },
            rate,
            daily,
            mode,
            reserve: reserve.unwrap_or_default(),
            table: "[[limit]]",
        },
        place: table.place.clone(),
    })
}

fn reserved(
    reserve: &Item<NumbersByName>,
    limit: &file::Limit,
    daily: Option<u64>,
    callers: &Known<'_>,
    report: &mut Report<'_>,
) -> Vec<(Arc<str>, u64)> {
    if let Some(caller) = limit.caller.item() {
        report.error(
            &caller.place,
            text!("is given together with reserve, which divides a limit among callers: leave one out"),
        );
    }
    if matches!(limit.daily, Field::Missing) {
        report.error(&reserve.place, text!("requires daily, of which these are parts"));
    }
    let mut parts = Vec::new();
    for (name, part) in &reserve.value.0 {
        check_known(name, NameOf::Caller, callers, report);
        if let Some(part) = part {
            parts.push((Arc::from(name.value.as_str()), budget(part, report)));
        }
    }
    let sum = parts.iter().fold(0_u64, |sum, (_, part)| sum.saturating_add(*part));
    if let Some(daily) = daily.filter(|daily| sum > *daily) {
        report.error(&reserve.place, text!("reserves {sum}, which is more than daily = {daily}", sum, daily));
    }
    parts
}

fn budget(number: &Item<u64>, report: &mut Report<'_>) -> u64 {
    if !(1..=LARGEST_BUDGET).contains(&number.value) {
        let text = text!(
            "is out of range, expected 1 to {largest}; to forbid an endpoint, leave it out of allow",
            largest = LARGEST_BUDGET
        );
        report.error(&number.place, text);
    }
    number.value
}

fn rate(item: &Item<String>, report: &mut Report<'_>) -> Option<Rate> {
    let rate = parse_rate(&item.value);
    if rate.is_none() {
        report
            .error(&item.place, text!("is not a rate, expected one like \"50/s\", \"600/m\" or \"1000/h\""));
    }
    rate
}

fn parse_rate(text: &str) -> Option<Rate> {
    let (requests, per) = text.split_once('/')?;
    let per = match per {
        "s" => Per::Second,
        "m" => Per::Minute,
        "h" => Per::Hour,
        _ => return None,
    };
    let digits = requests.bytes().all(|byte| byte.is_ascii_digit());
    let requests = requests.parse().ok().filter(|requests| digits && *requests <= HIGHEST_RATE)?;
    Some(Rate { requests: NonZeroU32::new(requests)?, per })
}

/// Two limits of one scope would count together, and a refusal could not say which of them was
/// exceeded.
fn refuse_doubles(found: &[Found], report: &mut Report<'_>) {
    let mut seen: HashMap<(String, bool), &Place> = HashMap::new();
    for Found { options, place } in found {
        for (there, daily) in [(options.rate.is_some(), false), (options.daily.is_some(), true)] {
            if !there {
                continue;
            }
            let key = if daily { "daily" } else { "rate" };
            if let Some(first) = seen.insert((options.scope(), daily), place) {
                let first = report.line_seen_from(place, first);
                report.error(
                    place,
                    text!(
                        "limits {key} of the same requests as {place} does: leave one out",
                        key,
                        place = first
                    ),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parse_rate;

    #[test]
    fn rates_have_a_number_and_a_unit() {
        for (text, shown) in [
            ("50/s", "50 requests a second"),
            ("600/m", "600 requests a minute"),
            ("1/h", "1 request an hour"),
        ] {
            assert_eq!(parse_rate(text).map(|rate| rate.to_string()).as_deref(), Some(shown));
        }
        for wrong in ["", "50", "50/", "/s", "0/s", "-1/s", "+5/s", "1.5/s", "50/d", "50 /s", "1000001/s"] {
            assert_eq!(parse_rate(wrong), None, "{wrong}");
        }
    }
}
