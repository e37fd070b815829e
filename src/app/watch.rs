//! Watches that every worker responds. One that is stuck, or exited early, serves no requests, and
//! its callers get no response: the process exits, so that the service manager restarts it.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::server::Pulse;

/// How often workers are asked for a sign of life, unless the watchdog needs it sooner.
const PACE: Duration = Duration::from_secs(1);
/// The longest that a worker may stay silent.
pub(super) const STUCK: Duration = Duration::from_secs(30);

/// Watches workers until one is stuck, and returns its name. While all respond, `well` is called,
/// often enough for a `watchdog` that waits so long.
///
/// What counts is how often a worker was asked, not the time that passed: the whole process may
/// have been suspended.
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
    use std::io::Write as _;
    use std::net::TcpStream;
    use std::sync::{Arc, mpsc};
    use std::thread::yield_now;
    use std::time::Duration;

    use parking_lot::Mutex;
    use tokio::runtime::Builder;
    use tokio::task::JoinSet;
    use tokio::time::{Instant, advance, timeout};

    use super::{PACE, STUCK, stuck};
    use crate::server::{Address, Handler, Listener, Options, Peer, Pulse, Request, Response, Server, Signs};

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
            pulse.add("worker-2").end();
            let mut well = 0;
            let pulses = [pulse];
            let watched = stuck(&pulses, watchdog.map(Duration::from_secs), || well += 1);
            timeout(600 * SECOND, watched).await.expect_err("nobody is stuck");
            assert!((least..=most).contains(&well), "{watchdog:?}: {well}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_ended_by_itself_is_named_too() {
        let mut pulse = Pulse::new();
        let _work = working([pulse.add("worker-0")]);
        drop(pulse.add("worker-1"));
        let pulses = [pulse];
        let name = timeout(600 * SECOND, stuck(&pulses, None, || ())).await.expect("one has ended");
        assert_eq!(name, "worker-1");
    }

    /// Tells which worker it holds, and holds it until it is told to go on.
    struct Holds {
        worker: usize,
        told: mpsc::Sender<usize>,
        go_on: Arc<Mutex<mpsc::Receiver<()>>>,
    }

    impl Handler for Holds {
        async fn handle(&self, _: Request, _: Peer) -> Response {
            self.told.send(self.worker).expect("awaited");
            let _ = self.go_on.lock().recv();
            Response::default()
        }
    }

    #[test]
    fn a_worker_whose_thread_is_held_is_named_and_no_other() {
        let outside = Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let (told, held) = mpsc::channel();
        let (let_go, go_on) = mpsc::channel();
        let go_on = Arc::new(Mutex::new(go_on));
        let listener = Listener::bind(&Address::Tcp("127.0.0.1:0".into())).expect("a port");
        let entered = outside.enter();
        let made = move |worker| Holds { worker, told: told.clone(), go_on: Arc::clone(&go_on) };
        let server = Server::start("worker", vec![listener], Options::default(), 2, made).expect("workers");
        drop(entered);
        let mut stream = TcpStream::connect(server.addresses()[0].to_string()).expect("connected");
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("sent");
        let worker = held.recv().expect("one is held");

        // The watch has a clock of its own, which waits for the other worker.
        let clock =
            Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
        let pulses = [server.pulse()];
        let (name, after) = clock.block_on(async {
            let (began, mut watch) = (Instant::now(), Box::pin(stuck(&pulses, None, || ())));
            loop {
                if let Ok(name) = timeout(PACE / 2, &mut watch).await {
                    return (name, began.elapsed());
                }
                while pulses[0].moved().all(|(_, moved)| !moved) {
                    yield_now();
                }
            }
        });
        assert_eq!((name, after), (format!("worker-{worker}"), STUCK));
        let_go.send(()).expect("it is held");
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
