//! Has the detector look at what the pipeline counted, and logs when WeChat falls ill and when it
//! is well again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;

use super::telling::{Group, Seen, Stage, Teller, grouped};
use crate::observe::clock::Clock;
use crate::trouble::{self, Counted, Detector, Trouble};

const LOOK: Duration = Duration::from_secs(2);
/// Every so many looks the teller has to see all that goes on: half a minute.
const ALL_EVERY: u64 = 15;

/// What was counted of all endpoints of the configured apps.
type Counts = Box<dyn Fn() -> BTreeMap<(Arc<str>, &'static str), Counted> + Send + Sync>;

/// Watches WeChat.
pub(in crate::app) struct IllnessWatch {
    pub(in crate::app) counts: Counts,
    pub(in crate::app) detector: Arc<Mutex<Detector>>,
    pub(in crate::app) teller: Teller,
    pub(in crate::app) clock: Clock,
}

impl IllnessWatch {
    /// Runs until it is aborted.
    #[expect(clippy::disallowed_methods, reason = "the handle ends it at the drain")]
    pub(in crate::app) fn start(self) -> AbortHandle {
        let Self { counts, detector, teller, clock } = self;
        let (seen, queue) = unbounded_channel();
        let looking = async move {
            for number in 1_u64.. {
                clock.sleep(LOOK).await;
                look(number, &clock, counts(), &detector, &seen);
            }
        };
        tokio::spawn(async move { tokio::join!(looking, teller.run(queue)) }).abort_handle()
    }
}

/// One look. It does not wait for the notices to be sent.
fn look(
    number: u64,
    clock: &Clock,
    counted: BTreeMap<(Arc<str>, &'static str), Counted>,
    detector: &Mutex<Detector>,
    seen: &UnboundedSender<Seen>,
) {
    let at = clock.now();
    let mut detector = detector.lock();
    let turned = detector.observe(at, counted);
    let going_on = number.is_multiple_of(ALL_EVERY).then(|| detector.going_on());
    drop(detector);
    for (group, troubles) in grouped(turned.clone()) {
        log(&group, &troubles);
    }
    if !turned.is_empty() || going_on.is_some() {
        // The teller runs as long as this does.
        let _ = seen.send(Seen { at, turned, going_on });
    }
}

fn log((app, kind, stage): &Group, troubles: &[Trouble]) {
    let Some(worst) = troubles.first() else { return };
    let (calls, troubled) =
        troubles.iter().fold((0, 0), |(calls, troubled), one| (calls + one.calls, troubled + one.troubled));
    let (app, endpoint, trouble, endpoints) = (&**app, worst.endpoint, kind.as_str(), troubles.len());
    let address = worst.addresses.first().map(ToString::to_string);
    if *stage == Stage::Begun {
        let message = trouble::begun(troubles).english;
        tracing::warn!(app, endpoint, endpoints, trouble, calls, troubled, address, "{message}");
    } else {
        let message = trouble::over(troubles).english;
        tracing::info!(app, endpoint, endpoints, trouble, calls, troubled, "{message}");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::Duration;

    use parking_lot::Mutex;
    use tokio::time::{Instant, sleep};

    use super::{IllnessWatch, LOOK};
    use crate::app::links::telling::Teller;
    use crate::observe::clock::Clock;
    use crate::store::simulated::Server;
    use crate::trouble::{Counted, Detector, Kind};

    #[tokio::test(start_paused = true)]
    async fn a_slow_store_delays_no_look() {
        let (server, detector) = (Server::new(), Arc::<Mutex<Detector>>::default());
        server.slow(Duration::from_millis(2_500));
        let told = Arc::new(Mutex::new(0));
        let tells = Arc::clone(&told);
        let began = Instant::now();
        // Each two seconds another endpoint fails altogether.
        let counts = move || {
            let looks = began.elapsed().as_secs() / LOOK.as_secs();
            let all = ["/a", "/b", "/c", "/d", "/e", "/f", "/g", "/h"].into_iter().enumerate();
            let counted = all.map(|(number, endpoint)| {
                let calls = looks.saturating_sub(number as u64) * 20;
                let mut troubled = [0; Kind::ALL.len()];
                troubled[Kind::Busy as usize] = calls;
                ((Arc::from("shop"), endpoint), Counted { calls, troubled, addresses: Vec::new() })
            });
            counted.collect::<BTreeMap<_, _>>()
        };
        let teller = Teller::new(server.store(0), move |_| *tells.lock() += 1);
        let watch = IllnessWatch {
            counts: Box::new(counts),
            detector: Arc::clone(&detector),
            teller,
            clock: Clock::simulated(),
        };
        let watch = watch.start();
        sleep(Duration::from_millis(100)).await;
        for ill in 0..=8 {
            assert_eq!(detector.lock().going_on().len(), ill, "{:?}", began.elapsed());
            sleep(LOOK).await;
        }
        while *told.lock() < 8 {
            sleep(LOOK).await;
        }
        assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
        watch.abort();
    }
}
