//! kill -9 at random moments of two processes on one folder.

use std::path::Path;
use std::time::Duration;

use ring::digest::{SHA256, digest};
use tokio::time::sleep;
use wxgate::sandbox::Target;

use super::callers::Callers;
use super::fleet::Fleet;

const FETCH: &str = "/cgi-bin/stable_token";

/// What a kill met.
#[derive(Debug, Default)]
struct Met {
    kills: usize,
    /// A file was being written.
    half_written: usize,
    /// The process held the lease, in a fetch or around it.
    leases: usize,
    fetches: u64,
}

/// Reads every file as its format says, by a reader of its own; gives whether one was in the
/// making, and whether a lease is held.
fn read_all(root: &Path) -> (bool, bool) {
    let (mut making, mut lease) = (false, false);
    for folder in ["entries", "leases"] {
        for file in std::fs::read_dir(root.join(folder)).expect("a folder") {
            let path = file.expect("a file").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            assert!(!name.contains("damaged"), "{name}");
            if name.contains('.') {
                making = true;
                continue;
            }
            // The survivor may remove a lease between the look and the reading.
            let Ok(bytes) = std::fs::read(&path) else { continue };
            let end = bytes.iter().position(|byte| *byte == b'\n').expect("a first line");
            let head: Vec<_> = std::str::from_utf8(&bytes[..end]).expect("UTF-8").split(' ').collect();
            let [magic, format, sum, written, lasts] = head[..] else { panic!("{name}: {head:?}") };
            let text = [format!("{format} {written} {lasts}\n").as_bytes(), &bytes[end + 1..]].concat();
            let hex: String =
                digest(&SHA256, &text).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!((magic, sum), ("wxgate-store", hex.as_str()), "{name}");
            lease |= folder == "leases";
        }
    }
    (making, lease)
}

async fn kills(times: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("store");
    let store = format!("url = \"file:{}\"", root.display());
    let mut fleet = Fleet::start(2, "stable", &store).await;
    let mut met = Met::default();
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..times {
        let victim = random.usize(0..2);
        let fetches = fleet.sandbox.journal(Some(FETCH)).len();
        fleet.sandbox.rotate(Target::default());
        let callers = Callers::start(&fleet, victim..victim + 1, 4);
        // From here on it holds the lease, waits for the answer, writes the token, gives the lease
        // back.
        fleet.sandbox.arrived(FETCH, fetches + 1).await;
        sleep(Duration::from_micros(random.u64(0..15_000))).await;
        fleet.replicas[victim].kill();
        let (making, lease) = read_all(&root);
        met.kills += 1;
        met.half_written += usize::from(making);
        met.leases += usize::from(lease);
        drop(callers);

        // The survivor gets a token; the one that starts again finds it, and fetches none.
        let survivor = Callers::start(&fleet, 1 - victim..2 - victim, 1);
        survivor.round().await;
        let seen = survivor.stop().await;
        assert!(seen.answers > 0, "{:?}", seen.errors.first());
        let fetches = fleet.counts().0;
        fleet.restart(victim).await;
        fleet.agreed().await;
        assert_eq!(fleet.counts(), (fetches, 0), "a restart fetched\n{}", fleet.logs());
    }
    read_all(&root);
    met.fetches = fleet.counts().0;
    println!("{met:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn twelve_kills_leave_the_folder_whole_and_no_restart_fetches() {
    kills(12).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes; the one above is its short form"]
async fn two_hundred_kills_leave_the_folder_whole_and_no_restart_fetches() {
    kills(200).await;
}
