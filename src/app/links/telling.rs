//! Tells people of WeChat's troubles; of several replicas that see the same one tells.
//!
//! Who tells that a trouble has begun holds a note of it in the store while it goes on, and tells
//! when it is over. A note that is not renewed expires soon: then another replica takes over.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

use super::alerting::{self, QUIET, TOLD};
use crate::alert::{Notice, Topic};
use crate::observe::clock::Timestamp;
use crate::store::Store;
use crate::trouble::{self, Kind, Trouble};

mod note;
#[cfg(test)]
mod tests;

use note::{Claim, Note, OVER};

/// How long a note holds that isn't renewed: one that is missed must not end it.
const HOLDS: Duration = Duration::from_secs(90);
/// Of one kind of trouble at an app at once; what there is beyond is told of later.
const MOST_NOTED: usize = 200;

/// An app, the trouble that it has or had, and how that stands.
pub(super) type Group = (Arc<str>, Kind, Stage);
/// A trouble.
type Known = (Arc<str>, &'static str, Kind);
/// Hands a notice on.
type Tell = Box<dyn Fn(Notice) + Send + Sync>;

/// How a trouble stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// It has begun.
    Begun,
    /// It is over.
    Over,
    /// It counts as over, since there are no calls.
    Silent,
}

/// What the watch saw at a look.
pub(super) struct Seen {
    pub(super) at: Timestamp,
    /// What began, and what is over.
    pub(super) turned: Vec<Trouble>,
    /// All that goes on, each half minute: notes are renewed then, and untold troubles are told.
    pub(super) going_on: Option<Vec<Trouble>>,
}

/// Tells people.
pub(in crate::app) struct Teller {
    tell: Tell,
    store: Store,
    /// What this replica's notes say while a trouble goes on; each start has its own.
    told: String,
    /// What they say when it is over.
    over: String,
    /// Of what goes on here.
    parts: BTreeMap<Known, Part>,
    /// What is over here while another replica's note said that it is for that one to tell.
    left: BTreeMap<Known, Trouble>,
}

/// What this replica has to do with a trouble that people were told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Teller,
    Listener,
}

impl Teller {
    pub(in crate::app) fn new(store: Store, tell: impl Fn(Notice) + Send + Sync + 'static) -> Self {
        let id = fastrand::u64(..);
        Self {
            tell: Box::new(tell),
            store,
            told: format!("told:{id:016x}"),
            over: format!("{OVER}{id:016x}"),
            parts: BTreeMap::new(),
            left: BTreeMap::new(),
        }
    }

    /// Tells of what comes until nothing comes any more. The store may take its time: whoever
    /// looks doesn't wait for it.
    pub(super) async fn run(mut self, mut queue: UnboundedReceiver<Seen>) {
        while let Some(Seen { at, turned, going_on }) = queue.recv().await {
            let (over, begun) = turned.into_iter().partition(|trouble| trouble.ended.is_some());
            self.end(at, over).await;
            self.begin(at, begun).await;
            if let Some(going_on) = going_on {
                self.go_on(at, going_on).await;
            }
            self.inherit(at).await;
        }
    }

    /// Tells of those that no other replica tells of.
    async fn begin(&mut self, at: Timestamp, begun: Vec<Trouble>) {
        let groups = grouped(begun).into_values();
        let mut begun: Vec<_> = groups.flat_map(|group| group.into_iter().take(MOST_NOTED)).collect();
        let claims = self.ask(&begun, Note::claim).await;
        begun.retain(|trouble| {
            let claim = claims.get(&key_of(trouble)).copied().unwrap_or(Claim::Mine);
            self.left.remove(&known_as(trouble));
            self.take(trouble, claim);
            claim == Claim::Mine
        });
        self.notify(at, begun);
    }

    /// Tells of those that were told of here. The others are left to who told of them.
    async fn end(&mut self, at: Timestamp, over: Vec<Trouble>) {
        let mut told = Vec::new();
        for trouble in over {
            let known = known_as(&trouble);
            match self.parts.remove(&known) {
                Some(Part::Teller) => told.push(trouble),
                Some(Part::Listener) if is_held(&trouble) => {
                    self.left.insert(known, trouble);
                }
                Some(Part::Listener) | None => {}
            }
        }
        self.notify(at, told.clone());
        told.retain(is_held);
        self.ask(&told, Note::end).await;
    }

    /// Tells the end of what was left to a replica that is gone without having told it.
    async fn inherit(&mut self, at: Timestamp) {
        let left: Vec<_> = self.left.values().cloned().collect();
        let claims = self.ask(&left, Note::inherit).await;
        let mut mine = Vec::new();
        self.left.retain(|_, trouble| {
            let claim = claims.get(&key_of(trouble));
            if claim == Some(&Claim::Mine) {
                mine.push(trouble.clone());
            }
            claim == Some(&Claim::Held)
        });
        self.notify(at, mine);
    }

    /// Renews the notes of what was told here, and tells of those whose note is gone.
    async fn go_on(&mut self, at: Timestamp, going_on: Vec<Trouble>) {
        let present: BTreeSet<_> = going_on.iter().map(known_as).collect();
        self.parts.retain(|known, _| present.contains(known));
        let is_told = |trouble: &Trouble| self.parts.get(&known_as(trouble)) == Some(&Part::Teller);
        let (mut told, others): (Vec<_>, _) = going_on.into_iter().partition(is_told);
        told.retain(is_held);
        let claims = self.ask(&told, Note::renew).await;
        for trouble in &told {
            self.take(trouble, claims.get(&key_of(trouble)).copied().unwrap_or(Claim::Mine));
        }
        // Untold troubles come first, so that the limit does not drop them.
        let is_heard = |trouble: &Trouble| self.parts.contains_key(&known_as(trouble));
        let (heard, untold) = others.into_iter().partition(is_heard);
        self.begin(at, untold).await;
        self.begin(at, heard).await;
    }

    fn take(&mut self, trouble: &Trouble, claim: Claim) {
        let known = known_as(trouble);
        match claim {
            Claim::Mine => self.parts.insert(known, Part::Teller),
            Claim::Held => self.parts.insert(known, Part::Listener),
            Claim::Over => self.parts.remove(&known),
        };
    }

    /// Does this with the notes of all of them at once: one after the other, a slow store would
    /// take minutes. Gives what came of it by the notes' keys.
    async fn ask<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        troubles: &[Trouble],
        what: impl Fn(Note) -> F,
    ) -> BTreeMap<String, T> {
        let keys: BTreeMap<_, _> = troubles.iter().map(|trouble| (key_of(trouble), trouble)).collect();
        let mut asking = JoinSet::new();
        for (key, trouble) in keys {
            let answer = what(self.note(key.clone(), trouble));
            asking.spawn(async move { (key, answer.await) });
        }
        let mut answers = BTreeMap::new();
        while let Some(answer) = asking.join_next().await {
            answers.extend(answer.ok());
        }
        answers
    }

    fn note(&self, key: String, trouble: &Trouble) -> Note {
        let (told, holds) = match is_held(trouble) {
            true => (self.told.clone().into_bytes(), HOLDS),
            false => (TOLD.to_vec(), QUIET),
        };
        Note { store: self.store.clone(), key, told, over: self.over.clone().into_bytes(), holds }
    }

    fn notify(&self, at: Timestamp, troubles: Vec<Trouble>) {
        for ((app, kind, stage), troubles) in grouped(troubles) {
            let (kind, words) = match stage {
                Stage::Begun => (kind.as_str(), trouble::begun(&troubles)),
                Stage::Over | Stage::Silent => (kind.over(), trouble::over(&troubles)),
            };
            (self.tell)(Notice {
                at,
                app: Some(app),
                topic: Topic::Upstream,
                kind,
                caller: None,
                english: words.english,
                chinese: words.chinese,
            });
        }
    }
}

/// By app, kind and stage, the worst first; so that an outage of everything is told in one line
/// for each app.
pub(super) fn grouped(troubles: Vec<Trouble>) -> BTreeMap<Group, Vec<Trouble>> {
    let mut groups = BTreeMap::<Group, Vec<Trouble>>::new();
    for trouble in troubles {
        let stage = match (trouble.ended, trouble.silent) {
            (None, _) => Stage::Begun,
            (Some(_), false) => Stage::Over,
            (Some(_), true) => Stage::Silent,
        };
        groups.entry((Arc::clone(&trouble.app), trouble.kind, stage)).or_default().push(trouble);
    }
    for troubles in groups.values_mut() {
        troubles.sort_by_key(|trouble| std::cmp::Reverse(trouble.troubled));
    }
    groups
}

fn known_as(trouble: &Trouble) -> Known {
    (Arc::clone(&trouble.app), trouble.endpoint, trouble.kind)
}

/// Whether its note is held for as long as it goes on. Of an address that comes and goes people
/// hear once an hour.
fn is_held(trouble: &Trouble) -> bool {
    trouble.kind != Kind::NotWhitelisted
}

/// An address is refused at all endpoints of an app alike.
fn key_of(trouble: &Trouble) -> String {
    let mut which = DefaultHasher::new();
    match trouble.kind {
        Kind::NotWhitelisted => trouble.addresses.first().hash(&mut which),
        _ => trouble.endpoint.hash(&mut which),
    }
    alerting::note(&trouble.app, trouble.kind.as_str(), which.finish())
}
