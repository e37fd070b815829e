//! The sentences.

use super::finding::{Others, Trouble, percent};
use super::kind::Kind;
use crate::texts::{Words, text};

/// Endpoints that are named; of more there is a number.
const MOST_NAMED: usize = 3;

/// What is said of troubles of one kind that have begun at endpoints of one app, the worst first.
pub fn begun(troubles: &[Trouble]) -> Words {
    let Some(worst) = troubles.first() else { return Words::default() };
    Words::of(|| began(worst, troubles))
}

/// What is said of troubles of one kind at endpoints of one app that are over; all of them because
/// calls succeed again, or all because there were no more calls.
pub fn over(troubles: &[Trouble]) -> Words {
    let Some(first) = troubles.first() else { return Words::default() };
    Words::of(|| ended(first, troubles))
}

/// What is said of a trouble wherever it stands.
pub fn shown(trouble: &Trouble) -> Words {
    let one = std::slice::from_ref(trouble);
    if trouble.ended.is_some() { over(one) } else { begun(one) }
}

fn began(worst: &Trouble, troubles: &[Trouble]) -> String {
    let at = places(troubles);
    let (calls, troubled) = sums(troubles);
    let share = percent(troubled, calls);
    let since = troubles.iter().map(|trouble| trouble.since).min().unwrap_or(worst.since).beijing_time();
    let said = match worst.kind {
        Kind::Busy => {
            text!("WeChat has returned -1 for {share}% of calls to {at} since {since}", share, at, since)
                .to_string()
        }
        Kind::ServerError => {
            text!("WeChat has returned HTTP 5xx for {share}% of calls to {at} since {since}", share, at, since)
                .to_string()
        }
        Kind::Timeout => text!(
            "WeChat has not responded in time to {share}% of calls to {at} since {since}",
            share,
            at,
            since
        )
        .to_string(),
        Kind::Unreachable => text!(
            "WeChat has been unreachable, or closed the connection early, for {share}% of calls to {at} since {since}",
            share,
            at,
            since
        )
        .to_string(),
        Kind::TokenLag => text!(
            "WeChat has rejected a valid token (40001) on {share}% of calls to {at} since {since}",
            share,
            at,
            since
        )
        .to_string(),
        Kind::NotWhitelisted => {
            return text!(
                "WeChat has refused {address} (40164; WeCom: 60020) on calls to {at} since {since}: add it to the \
                 IP whitelist in WeChat's console (IP 白名单; WeCom: 企业可信 IP), which takes effect after about 5 \
                 minutes",
                address = addresses(troubles),
                at,
                since
            )
            .to_string();
        }
    };
    match worst.others {
        _ if troubles.len() > 1 => said,
        Others::Silent => text!("{said}; no other endpoint was called", said).to_string(),
        Others::Well => text!("{said}; other endpoints are fine", said).to_string(),
        Others::Too(share) => text!("{said}; other endpoints too, {share}%", said, share).to_string(),
    }
}

fn ended(first: &Trouble, troubles: &[Trouble]) -> String {
    let said = counted(first, troubles);
    let at = places(troubles);
    // Without calls it isn't known whether the endpoints have recovered.
    match (first.silent, first.kind.is_settings()) {
        (false, _) if troubles.len() > 1 => text!("{at} have recovered: {said}", at, said).to_string(),
        (false, _) => text!("{at} has recovered: {said}", at, said).to_string(),
        (true, false) => text!("no calls to {at} for 5 minutes; before that, {said}", at, said).to_string(),
        (true, true) => text!("no calls to {at} for a day; before that, {said}", at, said).to_string(),
    }
}

/// How many calls had trouble, from when to when.
fn counted(first: &Trouble, troubles: &[Trouble]) -> String {
    let (calls, troubled) = sums(troubles);
    let since = troubles.iter().map(|trouble| trouble.since).min().unwrap_or(first.since).beijing_time();
    let until = troubles.iter().filter_map(|trouble| trouble.ended).max();
    let until = until.unwrap_or(first.since).beijing_time();
    match first.kind {
        Kind::Busy => text!(
            "WeChat returned -1 for {troubled} of {calls} calls from {since} to {until}",
            troubled,
            calls,
            since,
            until
        )
        .to_string(),
        Kind::ServerError => text!(
            "WeChat returned HTTP 5xx for {troubled} of {calls} calls from {since} to {until}",
            troubled,
            calls,
            since,
            until
        )
        .to_string(),
        Kind::Timeout => text!(
            "WeChat did not respond in time to {troubled} of {calls} calls from {since} to {until}",
            troubled,
            calls,
            since,
            until
        )
        .to_string(),
        Kind::Unreachable => text!(
            "WeChat was unreachable, or closed the connection early, for {troubled} of {calls} calls from {since} to \
             {until}",
            troubled,
            calls,
            since,
            until
        )
        .to_string(),
        Kind::TokenLag => text!(
            "WeChat rejected a valid token on {troubled} of {calls} calls from {since} to {until}",
            troubled,
            calls,
            since,
            until
        )
        .to_string(),
        Kind::NotWhitelisted => text!(
            "WeChat refused this machine's address on {troubled} of {calls} calls from {since} to {until}",
            troubled,
            calls,
            since,
            until
        )
        .to_string(),
    }
}

fn sums(troubles: &[Trouble]) -> (u64, u64) {
    let sum = |of: fn(&Trouble) -> u64| troubles.iter().map(of).sum();
    (sum(|trouble| trouble.calls), sum(|trouble| trouble.troubled))
}

/// The endpoints.
fn places(troubles: &[Trouble]) -> String {
    let named = troubles.iter().take(MOST_NAMED).map(|trouble| match trouble.endpoint {
        "other" => text!("unlisted endpoints").to_string(),
        path => path.to_owned(),
    });
    let named = listed(named);
    match troubles.len().saturating_sub(MOST_NAMED) {
        0 => named,
        more => text!("{named} and {more} more", named, more).to_string(),
    }
}

/// The addresses that were refused.
fn addresses(troubles: &[Trouble]) -> String {
    let mut known = Vec::new();
    for address in troubles.iter().flat_map(|trouble| &trouble.addresses) {
        if !known.contains(address) {
            known.push(*address);
        }
    }
    let addresses = listed(known.iter().map(ToString::to_string));
    match known.len() {
        0 => text!("this machine's address").to_string(),
        1 => text!("this machine's address {addresses}", addresses).to_string(),
        _ => text!("this machine's addresses {addresses}", addresses).to_string(),
    }
}

fn listed(mut items: impl Iterator<Item = String>) -> String {
    let first = items.next().unwrap_or_default();
    items.fold(first, |listed, next| text!("{listed}, {next}", listed, next).to_string())
}
