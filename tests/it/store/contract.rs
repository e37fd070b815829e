//! The store as its users see it: the same on every engine.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use wxgate::observe::clock::Timestamp;
use wxgate::secret::Secret;
use wxgate::store::{
    Addition, Batch, Change, Content, ForceBudget, Location, Options, Protection, Record, Refusal, Saved,
    Seal, Store, StoreError, Unsealed,
};

use crate::redis_server::RedisServer;
use crate::until::{LOST, found, until};

const KEY: &str = "access_token:stable:wx1";
const FIRST: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const SECOND: &str = "1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100";

pub fn record(value: &str, generation: u64, fetched_at: i64) -> Record {
    Record {
        value: Arc::new(Secret::new(value)),
        generation,
        fetched_at: Timestamp(fetched_at),
        expires_at: Timestamp(fetched_at + 7_200_000),
    }
}

/// Where a store is, opened as often as there are replicas.
pub struct Place {
    location: Location,
    /// What a memory store's handles share.
    memory: Option<Store>,
    _folder: Option<tempfile::TempDir>,
    _servers: Vec<RedisServer>,
}

impl Place {
    fn memory() -> Self {
        Self {
            location: Location::Memory,
            memory: Some(Store::memory()),
            _folder: None,
            _servers: Vec::new(),
        }
    }

    pub fn file() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let location = Location::File(folder.path().join("store"));
        Self { location, memory: None, _folder: Some(folder), _servers: Vec::new() }
    }

    pub fn redis(url: &str, servers: Vec<RedisServer>) -> Self {
        let location = Location::parse(url).expect("a URL");
        Self { location, memory: None, _folder: None, _servers: servers }
    }

    pub fn at(location: Location, servers: Vec<RedisServer>) -> Self {
        Self { location, memory: None, _folder: None, _servers: servers }
    }

    /// One more handle, as another process has it.
    pub async fn open(&self) -> Store {
        self.sealed(None).await
    }

    async fn sealed(&self, keys: Option<(&str, Option<&str>)>) -> Store {
        let seal = keys.map(|(present, former)| {
            let former = former.map(Secret::new);
            Seal::new(&Secret::new(present), former.as_ref()).expect("keys")
        });
        self.with(seal).await
    }

    async fn with(&self, seal: Option<Seal>) -> Store {
        if let Some(memory) = &self.memory {
            return memory.clone();
        }
        let options = Options { location: self.location.clone(), seal: seal.map(Arc::new) };
        let store = Store::open(&options).await.expect("it opens");
        assert_eq!(store.problem(), None);
        store
    }
}

pub async fn save(store: &Store, record: &Record) -> Saved {
    store.save(KEY, record).await.expect("saved")
}

pub async fn load(store: &Store) -> Option<(u64, String)> {
    let record = store.load(KEY).await.expect("loaded");
    record.map(|record| (record.generation, record.value.expose().to_owned()))
}

async fn an_older_token_never_replaces_a_newer_one(place: &Place) {
    let (store, other) = (place.open().await, place.open().await);
    assert!(load(&store).await.is_none());
    assert!(matches!(save(&store, &record("new", 2, 5)).await, Saved::Saved));
    for older in [record("old", 1, 9), record("old", 2, 4)] {
        let refused = save(&other, &older).await;
        assert!(matches!(refused, Saved::Superseded(present) if present.value.expose() == "new"));
    }
    assert!(matches!(save(&other, &record("new", 2, 5)).await, Saved::Saved), "the same again");
    assert_eq!(load(&other).await, Some((2, "new".to_owned())));
    assert!(matches!(save(&other, &record("newer", 2, 6)).await, Saved::Saved));
    assert_eq!(load(&store).await, Some((2, "newer".to_owned())));
}

async fn of_many_at_once_the_highest_stays(place: &Place) {
    let stores = [place.open().await, place.open().await];
    let mut savers = JoinSet::new();
    for generation in 1..=24_u64 {
        let store = stores[generation as usize % 2].clone();
        savers.spawn(async move {
            // A race that is lost too often is a store that was too slow, which is tried again
            // later.
            while store.save(KEY, &record(&format!("t{generation}"), generation, 0)).await.is_err() {
                sleep(Duration::from_millis(100)).await;
            }
        });
    }
    while let Some(saved) = savers.join_next().await {
        saved.expect("no panic");
    }
    assert_eq!(load(&stores[0]).await, Some((24, "t24".to_owned())));
}

async fn a_lease_has_one_owner_until_it_ends(place: &Place) {
    let (store, other) = (place.open().await, place.open().await);
    let lasts = Duration::from_millis(400);
    let lease = store.lease("k", "a", lasts).await.expect("asked").expect("free");
    assert!(other.lease("k", "b", lasts).await.expect("asked").is_err());
    let lease =
        store.lease("k", &lease.owner, lasts).await.expect("asked").expect("its owner takes it again");
    assert!(store.renew(&lease, lasts).await.expect("asked"));
    let taken = async || other.lease("k", "b", Duration::from_secs(60)).await.expect("asked").is_ok();
    until(|| "the end of a lease by itself", taken).await;
    assert!(!store.renew(&lease, lasts).await.expect("asked"), "lost");
    store.release(&lease).await.expect("asked");
    assert!(store.lease("k", "c", lasts).await.expect("asked").is_err(), "a lost lease can't be released");
    let held = other.lease("k", "b", lasts).await.expect("asked").expect("its own");
    other.release(&held).await.expect("asked");
    assert!(store.lease("k", "c", lasts).await.expect("asked").is_ok());
    assert!(other.lease("another", "b", lasts).await.expect("asked").is_ok());
}

async fn a_late_release_leaves_the_lease_that_its_owner_took_since(place: &Place) {
    let (store, other) = (place.open().await, place.open().await);
    let former = store.lease("k", "a", LOST).await.expect("asked").expect("free");
    let later = store.lease("k", "a", LOST).await.expect("asked").expect("its own");
    assert!(!store.renew(&former, LOST).await.expect("asked"), "a renewal is of one's own lease");
    store.release(&former).await.expect("asked");
    let holder = other.lease("k", "b", LOST).await.expect("asked").expect_err("the later one is held");
    assert_eq!(holder.owner(), b"a");
    assert!(store.renew(&later, LOST).await.expect("asked"));
    store.release(&later).await.expect("asked");
    assert!(other.lease("k", "b", LOST).await.expect("asked").is_ok(), "a renewed one is given back");
}

async fn a_renewal_is_seen_by_others_and_a_dead_lease_is_taken_over(place: &Place) {
    let (store, other) = (place.open().await, place.open().await);
    let lease = store.lease("k", "a", LOST).await.expect("asked").expect("free");
    let held = async || other.lease("k", "b", LOST).await.expect("asked").expect_err("held");
    let first = held().await;
    assert_eq!((held().await, first.owner()), (first.clone(), &b"a"[..]), "nothing changes by itself");
    assert!(store.renew(&lease, LOST).await.expect("asked"));
    let second = held().await;
    assert!(second != first && second.owner() == first.owner(), "{first:?} {second:?}");
    let over = async |holder| other.lease_over("k", "b", Some(holder), LOST).await.expect("asked");
    assert_eq!(over(&first).await, Err(second.clone()), "it was renewed meanwhile");
    let taken = over(&second).await.expect("taken over");
    assert!(taken.taken_over);
    assert!(!store.renew(&lease, LOST).await.expect("asked"), "lost");
    store.release(&lease).await.expect("asked");
    assert!(other.renew(&taken, LOST).await.expect("asked"), "the former owner releases nothing");
    other.release(&taken).await.expect("asked");
    assert!(!over(&second).await.expect("free").taken_over, "nobody held it any more");
}

async fn forces_are_counted_for_all_and_what_a_flush_lost_is_remembered(place: &Place) {
    let (store, other) = (place.open().await, place.open().await);
    let now = Timestamp(1_700_000_000_000);
    let spent =
        store.spend_force("force:wx1", ForceBudget::default(), now).await.expect("asked").expect("left");
    assert_eq!(spent.left(now), 19);
    let soon = other.spend_force("force:wx1", ForceBudget::default(), now).await.expect("asked");
    assert_eq!(soon.expect_err("too soon").left, 19);
    let later = now.plus(Duration::from_secs(30));
    let own = ForceBudget { used: 7, ..spent };
    let spent = other.spend_force("force:wx1", own, later).await.expect("asked").expect("left");
    assert_eq!((spent.used, spent.left(later)), (8, 12));
    assert_eq!(store.forces("force:wx1").await.expect("asked"), spent);
    assert_eq!(store.forces("force:wx2").await.expect("asked"), ForceBudget::default());
}

async fn counters_add_up(place: &Place) {
    let (store, other) = (place.open().await, place.open().await);
    assert_eq!(store.add(20_000, &[("a", 2), ("b", 1)]).await.expect("added"), [Some(2), Some(1)]);
    assert_eq!(other.add(20_000, &[("b", 5), ("a", 0)]).await.expect("added"), [Some(6), Some(2)]);
    let counts = store.counts(20_000).await.expect("asked").counts;
    assert_eq!(counts, [("a".to_owned(), 2), ("b".to_owned(), 6)]);
    assert!(store.counts(20_001).await.expect("asked").counts.is_empty());
}

async fn a_batch_counts_once_however_often_it_is_offered(place: &Place) {
    let (store, other) = (place.open().await, place.open().await);
    let batch = |writer, number| Batch { writer, number };
    let of = |name, by| Addition { name, by, known: 0 };
    assert_eq!(store.add_once(20_000, &[of("a", 2)], batch("one", 7)).await.expect("added"), [Some(2)]);
    assert_eq!(store.add_once(20_000, &[of("a", 2)], batch("one", 7)).await.expect("added"), [Some(2)]);
    assert_eq!(other.add_once(20_000, &[of("a", 2)], batch("one", 6)).await.expect("added"), [Some(2)]);
    assert_eq!(
        other.add_once(20_000, &[of("a", 2), of("b", 1)], batch("two", 1)).await.expect("added"),
        [Some(4), Some(1)]
    );
    assert_eq!(store.add_once(20_000, &[of("a", 1)], batch("one", 8)).await.expect("added"), [Some(5)]);
    let counts = store.counts(20_000).await.expect("asked").counts;
    assert_eq!(counts, [("a".to_owned(), 5), ("b".to_owned(), 1)]);
}

async fn a_counter_that_was_lost_goes_on_from_what_is_known(place: &Place) {
    let store = place.open().await;
    let add = async |by, known, number| {
        let batch = Batch { writer: "one", number };
        store.add_once(20_000, &[Addition { name: "a", by, known }], batch).await.expect("added")
    };
    assert_eq!(add(2, 40, 1).await, [Some(42)]);
    assert_eq!(add(2, 40, 1).await, [Some(42)], "the same batch");
    assert_eq!(add(1, 7, 2).await, [Some(43)], "another replica knew less");
    assert_eq!(add(0, 50, 3).await, [Some(50)]);
    assert_eq!(store.counts(20_000).await.expect("asked").counts, [("a".to_owned(), 50)]);
}

async fn a_note_is_replaced_by_whoever_knows_it(place: &Place) {
    let (store, other) = (place.open().await, place.open().await);
    assert_eq!(store.note("n").await.expect("asked"), None);
    assert!(store.replace_note("n", None, b"1", LOST).await.expect("asked"));
    assert!(!other.replace_note("n", None, b"2", LOST).await.expect("asked"));
    assert!(other.replace_note("n", Some(b"1"), b"2", LOST).await.expect("asked"));
    assert_eq!(store.note("n").await.expect("asked").as_deref(), Some(&b"2"[..]));
    assert!(store.list().await.expect("listed").is_empty());
}

async fn no_more_of_a_budget_is_granted_than_there_is(place: &Place) {
    let (store, other) = (place.open().await, place.open().await);
    let reserve = async |store: &Store, want, limit| {
        let reserved = store.reserve(20_000, "b", want, limit, 0, 0).await.expect("asked");
        (reserved.granted, reserved.left)
    };
    assert_eq!(reserve(&store, 7, 10).await, (7, 3));
    assert_eq!(reserve(&other, 7, 10).await, (3, 0));
    assert_eq!(reserve(&store, 1, 10).await, (0, 0));
    other.give_back(20_000, "b", 2, 0).await.expect("given back");
    assert_eq!(reserve(&store, 1, 10).await, (1, 1));
    assert_eq!(reserve(&other, 1, 4).await, (0, 0), "the limit fell below what is gone");
    assert_eq!(reserve(&other, 2, 12).await, (2, 1), "and rose again");
    assert_eq!(store.reserve(20_001, "b", 1, 1, 0, 0).await.expect("asked").granted, 1, "another day");
    assert_eq!(store.reserve(20_000, "c", 1, 1, 0, 0).await.expect("asked").granted, 1, "another budget");
    assert_eq!(
        store.reserved(20_000).await.expect("asked").counts,
        [("b".to_owned(), 11), ("c".to_owned(), 1)]
    );
    store.give_back(20_000, "b", 99, 0).await.expect("given back");
    store.give_back(20_000, "unknown", 1, 0).await.expect("given back");
    assert_eq!(reserve(&store, 99, 10).await, (10, 0), "nothing below zero");
}

async fn a_budget_that_was_lost_is_granted_no_second_time_and_what_came_back_is(place: &Place) {
    let store = place.open().await;
    let reserve = async |day, want, known| {
        let reserved = store.reserve(day, "b", want, 10, known, 0).await.expect("asked");
        (reserved.granted, reserved.left, reserved.total)
    };
    assert_eq!(reserve(20_000, 7, 0).await, (7, 3, 7));
    store.give_back(20_000, "b", 2, 0).await.expect("given back");
    assert_eq!(reserve(20_000, 1, 7).await, (1, 4, 8), "what came back is no loss");
    assert_eq!(store.reserved(20_000).await.expect("asked").counts, [("b".to_owned(), 6)]);
    // A day that nothing is known of is as good as a store that was flushed.
    assert_eq!(reserve(20_001, 5, 8).await, (2, 0, 10));
    assert_eq!(reserve(20_001, 5, 7).await, (0, 0, 10), "another replica knew less");
    assert_eq!(reserve(20_002, 0, 9).await, (0, 1, 9), "kept, though nothing was granted");
    assert_eq!(store.reserved(20_002).await.expect("asked").counts, [("b".to_owned(), 9)]);
}

async fn what_was_reset_is_counted_apart_and_no_replica_brings_the_former_count_back(place: &Place) {
    let (store, other) = (place.open().await, place.open().await);
    let reserve = async |want, known, resets| {
        let reserved = store.reserve(20_000, "b", want, 10, known, resets).await.expect("asked");
        (reserved.granted, reserved.left, reserved.total, reserved.resets)
    };
    assert_eq!(reserve(7, 0, 0).await, (7, 3, 7, 0));
    assert_eq!(other.reset_budgets(20_000, &[("b", 0)]).await.expect("asked"), [1]);
    assert_eq!(reserve(2, 7, 0).await, (2, 8, 2, 1), "what was known of before counts for nothing");
    store.give_back(20_000, "b", 7, 0).await.expect("given back");
    assert_eq!(reserve(0, 2, 1).await, (0, 8, 2, 1), "what is given back of before neither");
    store.give_back(20_000, "b", 1, 1).await.expect("given back");
    assert_eq!(reserve(0, 2, 1).await, (0, 9, 2, 1));
    assert_eq!(
        reserve(1, 5, 3).await,
        (1, 4, 6, 3),
        "a store that lost how often goes on from what is known"
    );
    assert_eq!(reserve(0, 2, 1).await, (0, 4, 6, 3));

    assert_eq!(store.reset_counters(20_000, &[("shop", 0), ("b", 4)]).await.expect("asked"), [1, 5]);
    store.keep_resets(20_000, &[("shop", 3)]).await.expect("kept");
    store.add(20_000, &[("shop orders /x", 2)]).await.expect("added");
    let counts = other.counts(20_000).await.expect("asked");
    assert_eq!(counts.counts, [("shop orders /x".to_owned(), 2)]);
    assert_eq!(counts.resets, [("b".to_owned(), 5), ("shop".to_owned(), 3)]);
    assert!(store.counts(20_001).await.expect("asked").resets.is_empty(), "another day");
}

async fn a_total_that_cannot_be_is_left_alone_and_fails_nothing_else(place: &Place) {
    const TOO_MUCH: u64 = 1 << 54;
    let store = place.open().await;
    store.add(20_000, &[("a", TOO_MUCH)]).await.expect("added");
    assert_eq!(store.add(20_000, &[("a", 2), ("b", 1)]).await.expect("added"), [None, Some(1)]);
    assert_eq!(store.counts(20_000).await.expect("asked").counts, [("b".to_owned(), 1)]);
    store.reserve(20_000, "b", TOO_MUCH, TOO_MUCH, 0, 0).await.expect("asked");
    let reserved = store.reserve(20_000, "b", 1, u64::MAX, 0, 0).await.expect("asked");
    assert_eq!((reserved.granted, reserved.left, reserved.used), (0, 0, None));
    store.give_back(20_000, "b", 1, 0).await.expect("given back");
    assert_eq!(store.reset_budgets(20_000, &[("b", 0)]).await.expect("asked"), [1]);
    assert_eq!(store.reserve(20_000, "b", 1, 5, 0, 0).await.expect("asked").granted, 1, "healed");
}

/// Planted, or else adopted by each replica, it would leave no room for the next one.
async fn beginnings_without_number_count_as_none(place: &Place) {
    let store = place.open().await;
    for planted in [1_000_000, (1 << 53) - 2, 1 << 53, u64::MAX] {
        store.keep_resets(20_000, &[("shop", planted)]).await.expect("kept");
        assert!(store.counts(20_000).await.expect("asked").resets.is_empty(), "{planted}");
        assert_eq!(store.reset_counters(20_000, &[("shop", 0)]).await.expect("asked"), [1], "{planted}");
        assert_eq!(store.reset_counters(20_000, &[("shop", 0)]).await.expect("asked"), [2], "{planted}");

        let most = planted.saturating_sub(1);
        store.reset_budgets(20_000, &[("b", most)]).await.expect("asked");
        assert_eq!(store.reserve(20_000, "b", 1, 9, 0, 0).await.expect("asked").resets, 0, "{planted}");
        let begun = store.reset_budgets(20_000, &[("b", 4)]).await.expect("asked");
        assert_eq!(begun, [5], "{planted}");
        assert_eq!(store.reserve(20_000, "b", 1, 9, 0, 0).await.expect("asked").resets, 5, "{planted}");
    }
}

async fn a_budget_that_many_reserve_at_once_is_granted_once(place: &Place) {
    let stores = [place.open().await, place.open().await];
    let mut tasks = JoinSet::new();
    for number in 0..16 {
        let store = stores[number % 2].clone();
        tasks.spawn(async move {
            let mut granted = 0;
            for _ in 0..10 {
                // A slice that took too long belongs to nobody.
                granted +=
                    store.reserve(20_000, "b", 3, 100, 0, 0).await.map_or(0, |reserved| reserved.granted);
            }
            granted
        });
    }
    let granted: u64 = tasks.join_all().await.into_iter().sum();
    let gone = found(|| "what is gone", async || stores[0].reserved(20_000).await.ok()).await.counts;
    assert!(granted > 0 && granted <= 100 && gone[0].1 <= 100, "{granted} {gone:?}");
}

async fn others_are_told_of_what_is_saved(place: &Place) {
    let (store, other) = (place.open().await, place.open().await);
    let mut changes = other.changes();
    // A subscription may still be on its way.
    let told = async {
        loop {
            let change = changes.next().await.expect("the store lives");
            let concerned = change == Change::Any || change == Change::Key(KEY.into());
            if concerned && load(&other).await == Some((1, "t".to_owned())) {
                return;
            }
        }
    };
    let saved = async { assert!(matches!(save(&store, &record("t", 1, 0)).await, Saved::Saved)) };
    timeout(LOST, async { tokio::join!(told, saved) }).await.expect("told");
}

async fn the_list_shows_no_token(place: &Place) {
    let store = place.open().await;
    save(&store, &record("canary-token", 3, 0)).await;
    store.lease("k", "a", Duration::from_secs(60)).await.expect("asked").expect("free");
    store.spend_force("force:wx1", ForceBudget::default(), Timestamp(0)).await.expect("asked").expect("left");
    let listed = store.list().await.expect("listed");
    let keys: Vec<_> = listed.iter().map(|entry| entry.key.as_str()).collect();
    assert_eq!(keys, [KEY, "force:wx1", "lease:k"]);
    assert!(matches!(listed[0].content, Content::Token { generation: 3, problem: None, .. }));
    assert!(!format!("{listed:?}").contains("canary"));
}

/// A memory store is not sealed: it is never at rest.
async fn values_are_sealed_and_keys_change(place: &Place) {
    let key = |text: &str| Secret::new(text);
    let clear = place.open().await;
    save(&clear, &record("in-clear", 1, 0)).await;
    let taking_over = Seal::new(&key(FIRST), None).expect("a key").accepting_unsealed();
    let taking_over = place.with(Some(taking_over)).await;
    assert_eq!(load(&taking_over).await, Some((1, "in-clear".to_owned())), "from before there was a key");
    assert!(matches!(clear.load(KEY).await, Err(StoreError::Sealed { .. })), "written anew, sealed");
    let first = place.sealed(Some((FIRST, None))).await;
    save(&first, &record("sealed", 2, 0)).await;
    let second = place.sealed(Some((SECOND, None))).await;
    assert!(matches!(second.load(KEY).await, Err(StoreError::Sealed { .. })), "an unknown key");
    assert_eq!(second.problem(), None, "one entry doesn't tell of the store");
    let rotated = place.sealed(Some((SECOND, Some(FIRST)))).await;
    assert_eq!(load(&rotated).await, Some((2, "sealed".to_owned())));
    assert_eq!(load(&second).await, Some((2, "sealed".to_owned())), "sealed anew when it was read");
    let listed = rotated.list().await.expect("listed");
    let key = rotated.seal().and_then(Seal::key_id).expect("a key").to_owned();
    assert!(
        matches!(&listed[0].content, Content::Token { protection: Protection::Sealed(by), .. } if *by == key)
    );
}

/// In the documented order, replicas of two neighbouring steps run beside each other.
async fn neighbouring_steps_of_a_change_of_keys_read_what_the_other_writes(place: &Place) {
    let seal = |present: &str, former: Option<&str>| {
        Seal::new(&Secret::new(present), former.map(Secret::new).as_ref()).expect("keys")
    };
    let steps = [
        None,
        Some(Seal::former_alone(&Secret::new(FIRST)).expect("a key")),
        Some(seal(FIRST, None).accepting_unsealed()),
        Some(seal(FIRST, None)),
        Some(seal(FIRST, Some(SECOND))),
        Some(seal(SECOND, Some(FIRST))),
        Some(seal(SECOND, None)),
    ];
    let grant = "refresh_token:wxc:wx1";
    let mut generation = 0;
    for (number, pair) in steps.windows(2).enumerate() {
        let (earlier, later) = (place.with(pair[0].clone()).await, place.with(pair[1].clone()).await);
        for (writer, reader) in [(&earlier, &later), (&later, &earlier), (&earlier, &later)] {
            generation += 1;
            let written = record(&format!("t{generation}"), generation, 0);
            let never = Record { expires_at: Timestamp::NEVER, ..written.clone() };
            assert!(matches!(save(writer, &written).await, Saved::Saved), "{number}");
            assert!(matches!(writer.save(grant, &never).await, Ok(Saved::Saved)), "{number}");
            for store in [reader, writer, reader] {
                assert_eq!(load(store).await, Some((generation, format!("t{generation}"))), "{number}");
                let kept = store.load(grant).await.expect("read").expect("kept");
                assert!(kept.same_token(&written), "{number}");
            }
        }
        // Before anything follows on this step, the last of the former one is gone.
        let looked = later.look_through().await.expect("looked");
        assert_eq!((looked.left, looked.refused, looked.unsealed.len()), (0, 0, 0), "{number}");
    }
}

/// What is refused counts for nothing, whatever it says; but what can't be had again is kept.
async fn a_record_that_is_refused_gives_way_to_the_next_good_one_alone(place: &Place) {
    let (clear, other) = (place.open().await, place.sealed(Some((SECOND, None))).await);
    let store = place.sealed(Some((FIRST, None))).await;
    for (times, forger) in [&clear, &other].into_iter().enumerate() {
        save(forger, &record("forged", 1 << 53, 0)).await;
        assert!(matches!(store.load(KEY).await, Err(StoreError::Sealed { .. })));
        let grown = record("t", times as u64 + 1, 0);
        assert!(matches!(save(&store, &grown).await, Saved::Saved));
        assert_eq!(load(&store).await, Some((times as u64 + 1, "t".to_owned())));
        assert!(store.refused().is_empty(), "it is gone");
    }
    let (grant, never) = ("refresh_token:wxc:wx1", |value, generation| Record {
        expires_at: Timestamp::NEVER,
        ..record(value, generation, 0)
    });
    clear.save(grant, &never("forged", 9)).await.expect("saved");
    for _ in 0..3 {
        assert!(matches!(store.load(grant).await, Err(StoreError::Sealed { .. })));
        assert!(matches!(store.save(grant, &never("mine", 10)).await, Err(StoreError::Sealed { .. })));
    }
    let [refused] = &store.refused()[..] else { panic!("{:?}", store.refused()) };
    assert_eq!((refused.key.as_str(), refused.reason), (grant, Refusal::Unsealed));
    let looked = store.look_through().await.expect("looked");
    assert!(matches!(&looked.unsealed[..], [Unsealed { key, .. }] if key == grant), "{looked:?}");
    assert_eq!(clear.load(grant).await.expect("left alone").expect("there").generation, 9);
    store.save_over_refused(grant, &never("granted", 2)).await.expect("saved");
    assert_eq!(store.load(grant).await.expect("read").expect("kept").value.expose(), "granted");
    assert!(store.refused().is_empty());
}

async fn a_copy_takes_over_what_is_newer(place: &Place) {
    let (store, to) = (place.open().await, Place::file());
    let to = to.sealed(Some((FIRST, None))).await;
    save(&store, &record("newer", 2, 0)).await;
    save(&to, &record("older", 1, 0)).await;
    to.save("access_token:stable:wx2", &record("newest", 9, 0)).await.expect("saved");
    store.save("access_token:stable:wx2", &record("behind", 8, 0)).await.expect("saved");
    store.spend_force("force:wx1", ForceBudget::default(), Timestamp(0)).await.expect("asked").expect("left");
    store.add(20_000, &[("a", 5)]).await.expect("added");
    store.reserve(20_000, "b", 5, 9, 0, 0).await.expect("asked");
    to.reserve(20_000, "b", 2, 9, 0, 0).await.expect("asked");
    store.lease("k", "a", Duration::from_secs(60)).await.expect("asked").expect("free");
    let copied = store.copy(&to, &[20_000]).await.expect("copied");
    assert_eq!((copied.written, copied.kept, copied.unreadable), (4, 1, 0));
    assert_eq!(to.reserved(20_000).await.expect("asked").counts, [("b".to_owned(), 5)]);
    assert_eq!(load(&to).await, Some((2, "newer".to_owned())));
    assert_eq!(to.load("access_token:stable:wx2").await.expect("there").expect("there").generation, 9);
    assert_eq!(to.counts(20_000).await.expect("asked").counts, [("a".to_owned(), 5)]);
    let again = store.copy(&to, &[20_000]).await.expect("copied");
    assert_eq!((again.written, again.kept), (0, 5), "twice does no harm");
}

/// The whole contract, each part on a store of its own.
macro_rules! contract {
    ($engine:ident, $place:expr, [$($part:ident),* $(,)?]) => {
        pub mod $engine {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $part() {
                    super::$part(&$place.await).await;
                }
            )*
        }
    };
}

macro_rules! contracts {
    ($($engine:ident: $place:expr,)*) => {
        $(contract! { $engine, $place, [
            an_older_token_never_replaces_a_newer_one, of_many_at_once_the_highest_stays, a_lease_has_one_owner_until_it_ends,
            a_late_release_leaves_the_lease_that_its_owner_took_since,
            a_renewal_is_seen_by_others_and_a_dead_lease_is_taken_over,
            forces_are_counted_for_all_and_what_a_flush_lost_is_remembered, counters_add_up,
            a_counter_that_was_lost_goes_on_from_what_is_known,
            a_budget_that_was_lost_is_granted_no_second_time_and_what_came_back_is,
            what_was_reset_is_counted_apart_and_no_replica_brings_the_former_count_back,
            a_total_that_cannot_be_is_left_alone_and_fails_nothing_else,
            beginnings_without_number_count_as_none,
            a_batch_counts_once_however_often_it_is_offered, a_note_is_replaced_by_whoever_knows_it,
            no_more_of_a_budget_is_granted_than_there_is, a_budget_that_many_reserve_at_once_is_granted_once,
            others_are_told_of_what_is_saved,
            the_list_shows_no_token, a_copy_takes_over_what_is_newer,
        ] })*
    };
}

contracts! {
    memory: async { super::Place::memory() },
    file: async { super::Place::file() },
    redis: crate::store::redis::plain(),
    redis_with_tls: crate::store::redis::with_tls(),
    redis_with_a_user: crate::store::redis::with_a_user(),
    redis_behind_a_sentinel: crate::store::redis::behind_a_sentinel(),
    redis_cluster: crate::store::redis::cluster(),
}
contract! { sealed_file, async { super::Place::file() }, [
    values_are_sealed_and_keys_change, neighbouring_steps_of_a_change_of_keys_read_what_the_other_writes,
    a_record_that_is_refused_gives_way_to_the_next_good_one_alone,
] }
contract! { sealed_redis, crate::store::redis::plain(), [
    values_are_sealed_and_keys_change, neighbouring_steps_of_a_change_of_keys_read_what_the_other_writes,
    a_record_that_is_refused_gives_way_to_the_next_good_one_alone,
] }
