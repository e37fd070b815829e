//! Watches that every worker moves. One that is stuck serves nobody, and its callers wait in vain:
//! the process ends, so that whoever started it starts it anew.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::server::Pulse;

/// How often workers are asked for a sign of life, where nothing wants it sooner.
const PACE: Duration = Duration::from_secs(1);
/// The longest that a worker may give none.
pub(super) const STUCK: Duration = Duration::from_secs(30);

/// Watches workers until one is stuck, and gives its name. While all move `well` is told of it, often
/// enough for a `watchdog` that waits so long.
///
/// What counts is how often a worker was asked, not the time that went by: the whole process may have
/// stood still.
pub(super) async fn stuck(pulses: &[Pulse], watchdog: Option<Duration>, mut well: impl FnMut()) -> String {
    let pace = watchdog.map_or(PACE, |limit| (limit / 4).clamp(Duration::from_millis(10), PACE));
    let still = |pulse: &Pulse| vec![Duration::ZERO; pulse.moved().count()];
    let mut silent: Vec<_> = pulses.iter().map(still).collect();
    let mut ticks = interval(pace);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told: Option<Instant> = None;
    loop {
        ticks.tick().await;
        for (pulse, silent) in pulses.iter().zip(&mut silent) {
            for ((name, moved), silent) in pulse.moved().zip(silent) {
                *silent = if moved { Duration::ZERO } else { *silent + pace };
                if *silent >= STUCK {
                    return name.to_owned();
                }
            }
        }
        if let Some(limit) = watchdog
            && silent.iter().flatten().all(Duration::is_zero)
            && told.is_none_or(|told| told.elapsed() >= limit / 8)
        {
            told = Some(Instant::now());
            well();
        }
        pulses.iter().for_each(Pulse::ask);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::task::JoinSet;
    use tokio::time::{Instant, advance, timeout};

    use super::{PACE, STUCK, stuck};
    use crate::server::{Pulse, Signs};

    const SECOND: Duration = Duration::from_secs(1);

    /// A worker that answers whenever it is asked.
    async fn work(mut signs: Signs) {
        loop {
            signs.answer().await;
        }
    }

    fn working(signs: impl IntoIterator<Item = Signs>) -> JoinSet<()> {
        signs.into_iter().map(work).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_gives_no_sign_for_thirty_seconds_is_named() {
        let (mut callers, mut admin) = (Pulse::new(), Pulse::new());
        let _work = working([callers.add("worker-0"), admin.add("admin-0")]);
        let _stuck = callers.add("worker-1");
        let began = Instant::now();
        let mut well = 0;
        let name = stuck(&[callers, admin], Some(60 * SECOND), || well += 1).await;
        assert_eq!((&*name, began.elapsed()), ("worker-1", STUCK));
        assert_eq!(well, 1, "before anybody was asked");
    }

    #[tokio::test(start_paused = true)]
    async fn all_is_well_while_every_worker_moves_or_has_ended() {
        for (watchdog, least, most) in [(None, 0, 0), (Some(60), 75, 77), (Some(1), 2399, 2402)] {
            let mut pulse = Pulse::new();
            let _work = working([pulse.add("worker-0"), pulse.add("worker-1")]);
            drop(pulse.add("worker-2"));
            let mut well = 0;
            let pulses = [pulse];
            let watched = stuck(&pulses, watchdog.map(Duration::from_secs), || well += 1);
            timeout(600 * SECOND, watched).await.expect_err("nobody is stuck");
            assert!((least..=most).contains(&well), "{watchdog:?}: {well}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_stood_still_has_no_stuck_worker() {
        let mut pulse = Pulse::new();
        let mut slow = pulse.add("worker-0");
        let watched = [pulse];
        let mut watch = Box::pin(stuck(&watched, None, || ()));
        for _ in 0..10 {
            // Stopped for an hour between question and answer, again and again.
            for _ in 0..20 {
                timeout(PACE / 2, &mut watch).await.expect_err("nobody is stuck");
                advance(3600 * SECOND).await;
            }
            slow.answer().await;
        }
        assert_eq!(watch.await, "worker-0");
    }
}
