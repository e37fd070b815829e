//! Replicas that share a store: who tells.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

use super::{Part, Seen, Teller};
use crate::observe::clock::{Clock, Timestamp};
use crate::store::simulated::Server;
use crate::texts::Language;
use crate::trouble::{Kind, Others, Trouble};

const SEND: &str = "/cgi-bin/message/template/send";

/// What was told: by which replica, of what kind, in English.
type Told = Arc<Mutex<Vec<(usize, &'static str, String)>>>;

struct Replica {
    seen: UnboundedSender<Seen>,
    task: AbortHandle,
    clock: Clock,
}

impl Replica {
    #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
    fn start(server: &Arc<Server>, id: usize, told: &Told) -> Self {
        let (seen, queue) = unbounded_channel();
        let task = tokio::spawn(teller(server, id, told).run(queue)).abort_handle();
        Self { seen, task, clock: Clock::simulated() }
    }

    fn sees(&self, turned: &[Trouble], going_on: Option<&[Trouble]>) {
        let (at, going_on) = (self.clock.now(), going_on.map(<[_]>::to_vec));
        let _ = self.seen.send(Seen { at, turned: turned.to_vec(), going_on });
    }

    fn dies(self) {
        self.task.abort();
    }
}

fn teller(server: &Arc<Server>, id: usize, told: &Told) -> Teller {
    let told = Arc::clone(told);
    Teller::new(server.store(id), move |notice| {
        told.lock().push((id, notice.kind, notice.words.to(Language::English).to_owned()))
    })
}

fn trouble(endpoint: &'static str, kind: Kind) -> Trouble {
    Trouble {
        app: "shop".into(),
        endpoint,
        kind,
        since: Timestamp(0),
        ended: None,
        silent: false,
        calls: 100,
        troubled: 50,
        others: Others::Well,
        addresses: vec!["203.0.113.7".parse().expect("an address")],
    }
}

fn over(trouble: Trouble) -> Trouble {
    Trouble { ended: Some(Timestamp(60_000)), ..trouble }
}

fn kinds(told: &Told) -> Vec<(usize, &'static str)> {
    told.lock().iter().map(|(id, kind, _)| (*id, *kind)).collect()
}

/// What goes on, each half minute, to all of them.
async fn go_on(replicas: &[&Replica], going_on: &[Trouble], times: usize) {
    for _ in 0..times {
        sleep(Duration::from_secs(30)).await;
        for replica in replicas {
            replica.sees(&[], Some(going_on));
        }
    }
    sleep(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn where_the_replica_that_told_is_gone_another_tells_anew_and_then_the_end() {
    let (server, told, busy) = (Server::new(), Told::default(), [trouble(SEND, Kind::Busy)]);
    let [one, other] = [0, 1].map(|id| Replica::start(&server, id, &told));
    one.sees(&busy, None);
    sleep(Duration::from_secs(1)).await;
    other.sees(&busy, None);
    // For hours, as long as it is there.
    go_on(&[&one, &other], &busy, 360).await;
    assert_eq!(kinds(&told), [(0, "busy")]);
    one.dies();
    go_on(&[&other], &busy, 2).await;
    assert_eq!(kinds(&told), [(0, "busy")], "its note still holds");
    go_on(&[&other], &busy, 2).await;
    assert_eq!(kinds(&told), [(0, "busy"), (1, "busy")]);
    other.sees(&[over(busy[0].clone())], None);
    sleep(Duration::from_secs(1)).await;
    // Another burst is told at once by who told the end.
    other.sees(&busy, None);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(kinds(&told), [(0, "busy"), (1, "busy"), (1, "busy_over"), (1, "busy")]);
}

#[tokio::test(start_paused = true)]
async fn an_end_that_the_one_that_told_did_not_live_to_tell_is_told_by_one_other() {
    let (server, told, busy) = (Server::new(), Told::default(), [trouble(SEND, Kind::Busy)]);
    let [one, other, third] = [0, 1, 2].map(|id| Replica::start(&server, id, &told));
    one.sees(&busy, None);
    sleep(Duration::from_secs(1)).await;
    for replica in [&other, &third] {
        replica.sees(&busy, None);
    }
    sleep(Duration::from_secs(10)).await;
    one.dies();
    for replica in [&other, &third] {
        replica.sees(&[over(busy[0].clone())], None);
    }
    go_on(&[&other, &third], &[], 2).await;
    assert_eq!(kinds(&told), [(0, "busy")], "it may be there");
    go_on(&[&other, &third], &[], 6).await;
    let told = kinds(&told);
    assert!(matches!(told[..], [(0, "busy"), (1 | 2, "busy_over")]), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn replicas_that_see_the_end_earlier_or_later_leave_it_to_who_told() {
    let (server, told, busy) = (Server::new(), Told::default(), [trouble(SEND, Kind::Busy)]);
    let [one, early, late] = [0, 1, 2].map(|id| Replica::start(&server, id, &told));
    for replica in [&one, &early, &late] {
        replica.sees(&busy, None);
        sleep(Duration::from_secs(1)).await;
    }
    early.sees(&[over(busy[0].clone())], None);
    go_on(&[&one, &late], &busy, 1).await;
    early.sees(&[], Some(&[]));
    one.sees(&[over(busy[0].clone())], None);
    go_on(&[&one, &early], &[], 1).await;
    late.sees(&[], Some(&busy));
    sleep(Duration::from_secs(20)).await;
    late.sees(&[over(busy[0].clone())], None);
    go_on(&[&one, &early, &late], &[], 6).await;
    assert_eq!(kinds(&told), [(0, "busy"), (0, "busy_over")]);
}

#[tokio::test(start_paused = true)]
async fn in_an_outage_of_many_endpoints_each_is_told_of_by_one_replica() {
    let (server, told) = (Server::new(), Told::default());
    let endpoints: Vec<&'static str> =
        (0..230).map(|number| &*Box::leak(format!("/cgi-bin/{number}").into_boxed_str())).collect();
    // Each replica has another one for the worst.
    let seen = |id: usize, ended| -> Vec<Trouble> {
        let troubled = |place: usize| 50 + (place as u64 * 7 + id as u64 * 31) % 50;
        let all = endpoints.iter().enumerate();
        all.map(|(place, endpoint)| Trouble {
            troubled: troubled(place),
            ended,
            ..trouble(endpoint, Kind::Unreachable)
        })
        .collect()
    };
    let mut tellers = [0, 1, 2].map(|id| teller(&server, id, &told));
    let at = Timestamp(0);
    let [one, other, third] = &mut tellers;
    tokio::join!(
        one.begin(at, seen(0, None)),
        other.begin(at, seen(1, None)),
        third.begin(at, seen(2, None))
    );
    // What was too much for the first time.
    for (id, teller) in tellers.iter_mut().enumerate() {
        teller.go_on(at, seen(id, None)).await;
    }
    for endpoint in &endpoints {
        let known = ("shop".into(), *endpoint, Kind::Unreachable);
        let tell = tellers.iter().filter(|teller| teller.parts.get(&known) == Some(&Part::Teller));
        assert_eq!(tell.count(), 1, "{endpoint}");
    }
    let begun = told.lock().len();
    assert!((2..=6).contains(&begun), "{begun}");
    for (id, teller) in tellers.iter_mut().enumerate() {
        teller.end(at, seen(id, Some(Timestamp(60_000)))).await;
        teller.inherit(at).await;
    }
    let told = kinds(&told).split_off(begun);
    assert!(told.iter().all(|(_, kind)| *kind == "unreachable_over") && told.len() <= 3, "{told:?}");
    assert!(tellers.iter().all(|teller| teller.parts.is_empty()), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_refused_address_is_told_once_an_hour_whatever_endpoint_meets_it() {
    let (server, told) = (Server::new(), Told::default());
    let (first, second) = (trouble(SEND, Kind::NotWhitelisted), trouble("other", Kind::NotWhitelisted));
    let both = [first.clone(), second.clone()];
    let [one, other] = [0, 1].map(|id| Replica::start(&server, id, &told));
    one.sees(&both, None);
    sleep(Duration::from_secs(1)).await;
    other.sees(&both, None);
    go_on(&[&one, &other], &both, 20).await;
    assert_eq!(kinds(&told), [(0, "not_whitelisted")]);
    one.sees(&both.clone().map(over), None);
    other.sees(&both.clone().map(over), None);
    sleep(Duration::from_secs(1)).await;
    one.sees(&both, None);
    go_on(&[&one, &other], &both, 60).await;
    assert_eq!(kinds(&told), [(0, "not_whitelisted"), (0, "not_whitelisted_over")]);
    go_on(&[&one, &other], &both, 60).await;
    assert_eq!(kinds(&told).len(), 3, "{:?}", kinds(&told));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_or_empties_itself_neither_silences_nor_repeats() {
    let (server, told, busy) = (Server::new(), Told::default(), [trouble(SEND, Kind::Busy)]);
    server.cut_off(0, Duration::from_secs(100));
    let one = Replica::start(&server, 0, &told);
    one.sees(&busy, None);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(kinds(&told), [(0, "busy")]);
    go_on(&[&one], &busy, 5).await;
    // By now the note is there: nobody else tells.
    let other = Replica::start(&server, 1, &told);
    other.sees(&busy, None);
    go_on(&[&one, &other], &busy, 5).await;
    server.flush();
    go_on(&[&one], &busy, 1).await;
    go_on(&[&other], &busy, 1).await;
    assert_eq!(kinds(&told), [(0, "busy")]);
    one.sees(&[over(busy[0].clone())], None);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(kinds(&told), [(0, "busy"), (0, "busy_over")]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_store_is_asked_about_all_endpoints_at_once() {
    let (server, told) = (Server::new(), Told::default());
    server.slow(Duration::from_secs(2));
    let replica = Replica::start(&server, 0, &told);
    let many = ["/a", "/b", "/c", "/d", "/e", "/f"].map(|endpoint| trouble(endpoint, Kind::Timeout));
    let began = Instant::now();
    replica.sees(&many, None);
    while told.lock().is_empty() {
        sleep(Duration::from_millis(10)).await;
    }
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    let said = told.lock()[0].2.clone();
    assert!(said.contains("/a, /b, /c and 3 more"), "{said}");
}
