//! The life of the tokens that the fake issues: which one is current, which ones are still taken.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::clock;

/// Tokens older than the last so many are forgotten, which for a caller is the same as dead.
const KEPT: usize = 32;

/// Which endpoint issues a token; tokens of two kinds never affect each other (FACTS 1.2:
/// "completely isolated").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `GET /cgi-bin/token`
    Classic,
    /// `POST /cgi-bin/stable_token`
    Stable,
    /// `POST /cgi-bin/component/api_component_token`
    Component,
    /// `POST /cgi-bin/component/api_authorizer_token`
    Authorizer,
    /// `GET /cgi-bin/gettoken`
    Wecom,
    /// `POST /cgi-bin/service/get_suite_token`
    Suite,
    /// `POST /cgi-bin/service/get_provider_token`
    Provider,
}

impl Kind {
    pub(in crate::sandbox) const ALL: [Self; 7] = [
        Self::Classic,
        Self::Stable,
        Self::Component,
        Self::Authorizer,
        Self::Wecom,
        Self::Suite,
        Self::Provider,
    ];
}

/// How long tokens are valid, in milliseconds of the sandbox's clock.
#[derive(Clone, Copy, Debug)]
pub(in crate::sandbox) struct Rules {
    pub lifetime: i64,
    pub grace: i64,
    pub force_grace: i64,
    pub renew_before: i64,
    pub force_interval: i64,
    pub forces_per_day: u32,
    pub length: usize,
}

/// One issued token.
#[derive(Clone, Debug, Serialize)]
pub(in crate::sandbox) struct Issued {
    pub value: String,
    pub issued_at: i64,
    pub expires_at: i64,
    /// From when it counts as superseded, whatever its own end.
    pub dead_at: Option<i64>,
    /// Still handed out as current, taken nowhere.
    pub poisoned: bool,
}

/// What WeChat thinks of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sandbox) enum Verdict {
    Good,
    /// 40001
    Superseded,
    /// 42001
    Expired,
}

impl Issued {
    fn new(now: i64, rules: &Rules) -> Self {
        Self {
            value: fresh(now, rules.length),
            issued_at: now,
            expires_at: now + rules.lifetime,
            dead_at: None,
            poisoned: false,
        }
    }

    pub(in crate::sandbox) fn remaining(&self, now: i64) -> i64 {
        (self.expires_at - now) / 1000
    }

    fn verdict(&self, now: i64) -> Verdict {
        let superseded = self.dead_at.filter(|at| *at <= now);
        match superseded {
            Some(at) if at < self.expires_at => Verdict::Superseded,
            _ if self.expires_at <= now => Verdict::Expired,
            _ if self.poisoned || superseded.is_some() => Verdict::Superseded,
            _ => Verdict::Good,
        }
    }

    fn die(&mut self, at: i64) {
        self.dead_at = Some(self.dead_at.map_or(at, |earlier| earlier.min(at)));
    }
}

/// A token value of the shape that WeChat's have: a counter, `_`, then base64url characters.
pub(in crate::sandbox) fn fresh(now: i64, length: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut value = format!("{}_", 40 + clock::day(now).rem_euclid(60));
    while value.len() < length {
        value.push(char::from(ALPHABET[fastrand::usize(..ALPHABET.len())]));
    }
    value
}

/// Whether a value could be a token at all; what can't is answered 40014 instead of 40001.
pub(in crate::sandbox) fn well_formed(value: &str) -> bool {
    (20..=512).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// The tokens of one app and kind, oldest first; the last is current.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct Family {
    issued: VecDeque<Issued>,
    forced_at: Option<i64>,
    forces_day: i64,
    forces: u32,
}

/// The day's forced refreshes are used up.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::sandbox) struct NoForceLeft;

impl Family {
    pub(in crate::sandbox) fn current(&self) -> Option<&Issued> {
        self.issued.back()
    }

    fn current_mut(&mut self) -> Option<&mut Issued> {
        self.issued.back_mut()
    }

    pub(in crate::sandbox) fn forces_today(&self, now: i64) -> u32 {
        if self.forces_day == clock::day(now) { self.forces } else { 0 }
    }

    /// A new current token. The one before stays valid until `previous_until` or its own end, all
    /// older ones are dead.
    fn supersede(&mut self, now: i64, rules: &Rules, previous_until: Option<i64>) -> Issued {
        let count = self.issued.len();
        for (index, token) in self.issued.iter_mut().enumerate() {
            let until = if index + 1 == count { previous_until } else { Some(now) };
            if let Some(until) = until {
                token.die(until);
            }
        }
        let token = Issued::new(now, rules);
        self.issued.push_back(token.clone());
        if self.issued.len() > KEPT {
            self.issued.pop_front();
        }
        token
    }

    /// `GET /cgi-bin/token`: each call rotates; the previous token stays valid for the grace (FACTS
    /// 1.1).
    pub(in crate::sandbox) fn rotate(&mut self, now: i64, rules: &Rules) -> Issued {
        self.supersede(now, rules, Some(now + rules.grace))
    }

    /// `POST /cgi-bin/stable_token` without force: renewed only near its end, and then both stay
    /// valid (FACTS 1.2).
    pub(in crate::sandbox) fn plain(&mut self, now: i64, rules: &Rules) -> Issued {
        let window = rules.renew_before.min(rules.lifetime / 5);
        match self.current() {
            Some(token) if now < token.expires_at - window => token.clone(),
            _ => self.supersede(now, rules, None),
        }
    }

    /// `POST /cgi-bin/stable_token` with `force_refresh`: a few a day, and within the interval no
    /// refresh at all.
    pub(in crate::sandbox) fn force(&mut self, now: i64, rules: &Rules) -> Result<Issued, NoForceLeft> {
        if self.forces_today(now) >= rules.forces_per_day {
            return Err(NoForceLeft);
        }
        if self.forced_at.is_some_and(|at| now < at + rules.force_interval) {
            return Ok(self.plain(now, rules));
        }
        self.forces = self.forces_today(now) + 1;
        self.forces_day = clock::day(now);
        self.forced_at = Some(now);
        Ok(self.supersede(now, rules, Some(now + rules.force_grace)))
    }

    /// WeCom's `gettoken`: the same token until its end (FACTS 1.3).
    pub(in crate::sandbox) fn until_expiry(&mut self, now: i64, rules: &Rules) -> Issued {
        match self.current() {
            Some(token) if token.verdict(now) == Verdict::Good => token.clone(),
            _ => self.supersede(now, rules, None),
        }
    }

    /// Another program fetched: there is a new current token that the first holder doesn't know.
    pub(in crate::sandbox) fn rotate_behind(&mut self, now: i64, rules: &Rules, grace: i64) -> bool {
        let held = self.current().is_some();
        if held {
            self.supersede(now, rules, Some(now + grace));
        }
        held
    }

    /// One that a sandbox issued which isn't there any more is current, with its whole life before
    /// it.
    pub(in crate::sandbox) fn put(&mut self, value: String, now: i64, rules: &Rules) {
        self.supersede(now, rules, None);
        if let Some(token) = self.current_mut() {
            token.value = value;
        }
    }

    /// The current token stays current and is taken nowhere.
    pub(in crate::sandbox) fn poison(&mut self) -> bool {
        self.current_mut().map(|token| token.poisoned = true).is_some()
    }

    /// The current token's life ends now.
    pub(in crate::sandbox) fn expire(&mut self, now: i64) -> bool {
        self.current_mut().map(|token| token.expires_at = now).is_some()
    }

    fn find(&self, value: &str) -> Option<&Issued> {
        self.issued.iter().rev().find(|token| token.value == value)
    }
}

/// Whose a token is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::sandbox) struct Owner {
    pub appid: String,
    pub kind: Kind,
}

/// A token that was sent, found.
#[derive(Clone, Debug)]
pub(in crate::sandbox) struct Found {
    pub owner: Owner,
    pub verdict: Verdict,
    pub issued_at: i64,
}

/// All families of all apps.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct Tokens {
    families: HashMap<Owner, Family>,
    owners: HashMap<String, Owner>,
}

impl Tokens {
    pub(in crate::sandbox) fn family(&self, appid: &str, kind: Kind) -> Option<&Family> {
        self.families.get(&Owner { appid: appid.to_owned(), kind })
    }

    /// Runs `change` on a family and keeps the index of values up to date.
    pub(in crate::sandbox) fn with<T>(
        &mut self,
        appid: &str,
        kind: Kind,
        change: impl FnOnce(&mut Family) -> T,
    ) -> T {
        let owner = Owner { appid: appid.to_owned(), kind };
        let family = self.families.entry(owner.clone()).or_default();
        let oldest = family.issued.front().map(|token| token.value.clone());
        let result = change(family);
        if let Some(gone) = oldest
            && family.find(&gone).is_none()
        {
            self.owners.remove(&gone);
        }
        if let Some(token) = family.current() {
            self.owners.insert(token.value.clone(), owner);
        }
        result
    }

    pub(in crate::sandbox) fn find(&self, value: &str, now: i64) -> Option<Found> {
        let owner = self.owners.get(value)?;
        let token = self.families.get(owner)?.find(value)?;
        Some(Found { owner: owner.clone(), verdict: token.verdict(now), issued_at: token.issued_at })
    }

    /// An app's families for the control API.
    pub(in crate::sandbox) fn describe(&self, appid: &str, now: i64) -> Value {
        let families = Kind::ALL.into_iter().filter_map(|kind| {
            let family = self.family(appid, kind)?;
            family.current().map(|token| {
                json!({
                    "kind": kind,
                    "current": token,
                    "expires_in": token.remaining(now),
                    "forces_today": family.forces_today(now),
                })
            })
        });
        Value::from(families.collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::{Family, Kind, NoForceLeft, Rules, Tokens, Verdict, well_formed};

    const RULES: Rules = Rules {
        lifetime: 7_200_000,
        grace: 300_000,
        force_grace: 0,
        renew_before: 300_000,
        force_interval: 30_000,
        forces_per_day: 20,
        length: 140,
    };
    // 2024-03-01T00:00 in Beijing.
    const NOW: i64 = 1_709_222_400_000;

    #[test]
    fn a_classic_fetch_leaves_the_previous_token_its_grace_and_kills_the_one_before() {
        let mut tokens = Tokens::default();
        let mut fetch = |now| tokens.with("a", Kind::Classic, |family| family.rotate(now, &RULES)).value;
        let (first, second, third) = (fetch(NOW), fetch(NOW), fetch(NOW));
        let verdict = |value: &str, now| tokens.find(value, now).expect("known").verdict;
        assert_eq!(verdict(&first, NOW), Verdict::Superseded);
        assert_eq!(verdict(&second, NOW + 299_999), Verdict::Good);
        assert_eq!(verdict(&second, NOW + 300_000), Verdict::Superseded);
        assert_eq!(verdict(&third, NOW + 7_199_999), Verdict::Good);
        assert_eq!(verdict(&third, NOW + 7_200_000), Verdict::Expired);
    }

    #[test]
    fn a_stable_token_is_renewed_in_its_last_five_minutes_and_lives_on_to_its_end() {
        let mut tokens = Tokens::default();
        let mut fetch = |now| tokens.with("a", Kind::Stable, |family| family.plain(now, &RULES));
        let first = fetch(NOW);
        assert_eq!(fetch(NOW + 6_899_999).value, first.value);
        let second = fetch(NOW + 6_900_000);
        assert_ne!(second.value, first.value);
        assert_eq!(tokens.find(&first.value, NOW + 7_199_999).expect("known").verdict, Verdict::Good);
        assert_eq!(tokens.find(&first.value, NOW + 7_200_000).expect("known").verdict, Verdict::Expired);
    }

    #[test]
    fn force_is_idle_within_thirty_seconds_and_ends_after_twenty_a_day() {
        let mut family = Family::default();
        let mut now = NOW;
        let first = family.force(now, &RULES).expect("budget");
        assert_eq!(family.force(now + 29_999, &RULES).expect("budget").value, first.value);
        for _ in 1..20 {
            now += 30_000;
            family.force(now, &RULES).expect("budget");
        }
        assert_eq!(family.force(now + 30_000, &RULES).unwrap_err(), NoForceLeft);
        assert!(family.force(NOW + 86_400_000, &RULES).is_ok(), "a new day, a new budget");
    }

    #[test]
    fn a_poisoned_token_stays_current_until_a_force() {
        let mut tokens = Tokens::default();
        let first = tokens.with("a", Kind::Stable, |family| family.plain(NOW, &RULES)).value;
        tokens.with("a", Kind::Stable, Family::poison);
        assert_eq!(tokens.find(&first, NOW).expect("known").verdict, Verdict::Superseded);
        assert_eq!(tokens.with("a", Kind::Stable, |family| family.plain(NOW, &RULES)).value, first);
        let forced = tokens.with("a", Kind::Stable, |family| family.force(NOW, &RULES)).expect("budget");
        assert_eq!(tokens.find(&forced.value, NOW).expect("known").verdict, Verdict::Good);
    }

    #[test]
    fn forgotten_tokens_leave_the_index() {
        let mut tokens = Tokens::default();
        let first = tokens.with("a", Kind::Classic, |family| family.rotate(NOW, &RULES)).value;
        for _ in 0..100 {
            tokens.with("a", Kind::Classic, |family| family.rotate(NOW, &RULES));
        }
        assert!(tokens.find(&first, NOW).is_none());
        assert_eq!(tokens.owners.len(), super::KEPT);
    }

    #[test]
    fn a_token_has_wechats_shape() {
        let value = super::fresh(NOW, 140);
        assert!(well_formed(&value) && value.len() == 140);
        assert!(!well_formed("short") && !well_formed("twenty characters of ?"));
    }
}
