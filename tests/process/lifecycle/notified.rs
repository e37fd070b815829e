//! What a service manager is told, by a socket that stands in for systemd's. No systemd was asked.

use std::time::Duration;

use tokio::net::UnixDatagram;
use tokio::time::timeout;

use super::process::{Place, Process, command};
use crate::until::LOST;

/// How long the watchdog waits, in microseconds; wxgate gives a sign each quarter of it.
const WATCHDOG: &str = "400000";

/// The service manager.
struct Manager(UnixDatagram);

impl Manager {
    /// The next state.
    async fn told(&self) -> String {
        let mut state = [0; 512];
        let read = timeout(LOST, self.0.recv(&mut state)).await.expect("it is told").expect("read");
        String::from_utf8(state[..read].to_vec()).expect("UTF-8")
    }

    /// The next one that isn't of the watchdog.
    async fn told_else(&self) -> String {
        loop {
            let state = self.told().await;
            if state != "WATCHDOG=1\n" {
                return state;
            }
        }
    }

    /// Forgets what it was told so far.
    fn forget(&self) {
        while self.0.try_recv(&mut [0; 512]).is_ok() {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_manager_is_told_of_start_reload_health_and_end() {
    let place = Place::new();
    place.configure("", "");
    let manager = Manager(UnixDatagram::bind(place.path("notify")).expect("bound"));
    let mut command = command(place.folder.path());
    command.env("NOTIFY_SOCKET", place.path("notify")).env("WATCHDOG_USEC", WATCHDOG);
    let mut process = Process::by(command);
    assert_eq!(manager.told().await, "READY=1\n");
    process.logged("admin listening").await;
    for _ in 0..5 {
        assert_eq!(manager.told().await, "WATCHDOG=1\n");
    }

    for (text, reloaded) in [("", "configuration reloaded"), ("nonsense", "new configuration rejected")] {
        if !text.is_empty() {
            place.write("wxgate.toml", text);
        }
        process.signal("HUP");
        let state = manager.told_else().await;
        let at = state.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap_or_else(|| panic!("{state:?}"));
        assert!(at.trim_end().parse::<u64>().is_ok_and(|at| at > 0), "{state:?}");
        assert_eq!(manager.told_else().await, "READY=1\n");
        process.logged(reloaded).await;
    }

    // Longer than the watchdog waits: it may end the process, the process itself goes on.
    process.signal("STOP");
    tokio::time::sleep(Duration::from_secs(2)).await;
    manager.forget();
    process.signal("CONT");
    for _ in 0..3 {
        assert_eq!(manager.told().await, "WATCHDOG=1\n");
    }

    process.signal("TERM");
    assert_eq!(manager.told_else().await, "STOPPING=1\n");
    assert_eq!(process.ended().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_manager_that_is_gone_holds_nothing_up() {
    let place = Place::new();
    place.configure("", "");
    let mut command = command(place.folder.path());
    command.env("NOTIFY_SOCKET", place.path("nobody"));
    let mut process = Process::by(command);
    let told = process.logged("could not notify the service manager").await;
    assert_eq!(told["level"], "WARN");
    process.signal("HUP");
    process.logged("configuration reloaded").await;
    process.signal("TERM");
    assert_eq!(process.ended().await.code(), Some(0));
}
