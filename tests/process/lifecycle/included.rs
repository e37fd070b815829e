//! Accounts in files of their own, which come, change, break and go while others are called.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;
use wxgate::sandbox::{App, AppKind};

use super::caller::Caller;
use super::process::{NEW_SECRET, Place, Process, SECRET, get};
use crate::client::client;
use crate::until::until;

const INFO: &str = "/cgi-bin/user/info?openid=o1";

fn appid(number: usize) -> String {
    format!("wx{:016x}", 0x1000 + number)
}

/// The file of an account.
fn account(number: usize) -> String {
    format!(
        "[[app]]\nname = \"app-{number}\"\nappid = \"{}\"\nsecret = {{ file = \"../shop.secret\" }}\n",
        appid(number)
    )
}

fn file(number: usize) -> String {
    format!("apps.d/{number:03}.toml")
}

/// A place with so many files, each with an account that the sandbox knows.
fn place(files: usize) -> Place {
    let place = Place::new();
    std::fs::create_dir(place.path("apps.d")).expect("a folder");
    for number in 0..files {
        know(&place, number, SECRET);
        place.write(&file(number), &account(number));
    }
    place.configure("", "");
    place.above("include = [\"apps.d/*.toml\"]");
    place
}

fn know(place: &Place, number: usize, secret: &str) {
    place.sandbox.put(App::new(appid(number), secret, AppKind::OfficialAccount));
}

/// What `/api/v1/status` says.
async fn status(process: &Process) -> Value {
    let admin = process.logged("admin listening").await["address"].as_str().expect("an address").to_owned();
    get(&client(), &format!("http://{admin}/api/v1/status")).await.1
}

async fn all_ready(process: &Process, apps: usize) {
    let ready = async || {
        let status = status(process).await;
        let apps = status["apps"].as_array().expect("apps");
        apps.iter().filter(|app| app["state"] == "ready").count()
    };
    until(|| format!("{apps} tokens"), async || ready().await == apps).await;
}

/// How often the tokens of so many accounts were fetched.
fn fetches(place: &Place, accounts: usize) -> Vec<u64> {
    (0..accounts).map(|number| place.sandbox.counts_of(&appid(number)).fetches).collect()
}

/// Callers of apps that nothing happens to, until they are stopped.
struct Load {
    stop: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
    busy: tokio::task::JoinSet<()>,
}

impl Load {
    async fn on(process: &Process, apps: std::ops::Range<usize>) -> Self {
        let (stop, calls) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let mut busy = tokio::task::JoinSet::new();
        for caller in 0..4 {
            let (authority, apps) = (process.authority().await, apps.clone());
            let (stop, calls) = (Arc::clone(&stop), Arc::clone(&calls));
            busy.spawn(async move {
                let mut connection = Caller::connect(&authority).await.expect("connected");
                for number in apps.cycle().skip(caller * 7) {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let answer = connection.get(&format!("/@app-{number}{INFO}")).await.expect("an answer");
                    assert_eq!(answer.said(), (200, None, false), "app-{number}: {answer:?}");
                    assert!(answer.body.contains("\"openid\":\"o1\""), "app-{number}: {answer:?}");
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        Self { stop, calls, busy }
    }

    /// How many calls there were, of which none failed.
    async fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.busy.join_all().await;
        self.calls.load(Ordering::Relaxed)
    }
}

/// One file is added, one changed, one broken, one removed, in one go and under load. Gives the
/// calls of the others, and the time from the last change until it was in force.
async fn add_change_break_and_remove(files: usize) -> (usize, Duration) {
    let place = place(files);
    let mut process = place.serve().await;
    all_ready(&process, files + 1).await;
    let (added, changed, broken, removed) = (files, 0, 1, 2);
    know(&place, added, SECRET);
    assert_eq!(fetches(&place, files), vec![1; files]);
    let load = Load::on(&process, 3..files).await;

    let changed_at = Instant::now();
    place.write(&file(added), &account(added));
    place.write(&file(changed), &format!("# moved\n{}hosts = [\"changed.internal\"]\n", account(changed)));
    place.write(&file(broken), "[[app]]\nname = \"app-1\"\nappid = \n");
    std::fs::remove_file(place.path(&file(removed))).expect("removed");
    process.logged("configuration reloaded").await;
    let took = changed_at.elapsed();

    let shown = async || {
        let status = status(&process).await;
        status["configuration"]["files"].as_array().expect("files").clone()
    };
    let is_rejected = |file: &Value| !file["rejected"].is_null();
    until(|| "a rejected file", async || shown().await.iter().any(is_rejected)).await;
    let shown = shown().await;
    assert_eq!(shown.len(), files);
    let rejected: Vec<_> = shown.iter().filter(|file| is_rejected(file)).collect();
    let [rejected] = rejected.as_slice() else { panic!("one file is broken: {rejected:?}") };
    assert_eq!((&rejected["path"], &rejected["apps"][0]), (&file(broken).into(), &"app-1".into()));
    let problem = rejected["rejected"]["problem"].as_str().expect("a problem");
    assert!(problem.starts_with("apps.d/001.toml:3:9: syntax: is not TOML"), "{problem}");

    let logged = process.logged("included file rejected, keeping its accounts").await;
    assert_eq!(
        (&logged["file"], &logged["line"], &logged["column"], &logged["level"]),
        (&file(broken).into(), &3.into(), &9.into(), &"ERROR".into())
    );
    let taken = process.logged_times("included file taken", 2).await;
    assert_eq!((&taken["file"], &taken["added"]), (&file(added).into(), &format!("app-{added}").into()));
    let taken = process.logged("included file taken").await;
    assert_eq!((&taken["file"], &taken["changed"]), (&file(changed).into(), &"app-0".into()));
    let gone = process.logged("included file is gone").await;
    assert_eq!((&gone["file"], &gone["removed"]), (&file(removed).into(), &"app-2".into()));

    let client = client();
    for number in [added, changed, broken] {
        let answer = get(&client, &process.url(&format!("/@app-{number}{INFO}")).await).await;
        assert_eq!((answer.0, &answer.1["openid"]), (200, &"o1".into()), "app-{number}: {answer:?}");
    }
    let by_host = client.get(process.url(INFO).await).header("Host", "changed.internal");
    let by_host = by_host.header("X-Wxgate-Explain", "1").send().await.expect("an answer");
    assert_eq!(by_host.headers()["x-wxgate-app"], "app-0");
    assert_eq!(get(&client, &process.url(&format!("/@app-{removed}{INFO}")).await).await.0, 400);
    // Mended.
    place.write(&file(broken), &account(broken));
    process.logged_times("configuration reloaded", 2).await;
    let calls = load.stop().await;
    // Of the new one for the first time, and of the others not again.
    assert_eq!(fetches(&place, files + 1), vec![1; files + 1]);
    process.signal("TERM");
    assert_eq!(process.ended().await.code(), Some(0));
    (calls, took)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_comes_one_changes_one_breaks_and_one_goes_and_no_call_of_the_others_fails() {
    let (calls, _) = add_change_break_and_remove(40).await;
    assert!(calls > 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "for the figures; the one above is its short form"]
#[expect(clippy::print_stdout, reason = "the figures")]
async fn the_same_with_five_hundred_files() {
    let (calls, took) = add_change_break_and_remove(500).await;
    println!("500 files: {calls} calls of the others, none failed; in force {took:?} after the change");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_keeps_the_next_start_from_succeeding_and_check_names_its_place() {
    let place = place(2);
    place.write(&file(1), "[[app]]\nname = \"app-1\"\n");
    let (code, stderr) = place.fail();
    assert_eq!(code, Some(64));
    assert!(stderr.contains("apps.d/001.toml:1:1: app[0].appid: is missing"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_was_missing_and_comes_mends_its_file() {
    let place = place(1);
    let mut process = place.serve().await;
    know(&place, 1, NEW_SECRET);
    place.write(&file(1), &account(1).replace("shop.secret", "late.secret"));
    let rejected = process.logged("included file rejected").await;
    assert_eq!((&rejected["line"], &rejected["file"]), (&4.into(), &file(1).into()));
    place.write("late.secret", NEW_SECRET);
    process.logged("included file taken").await;
    let answer = get(&client(), &process.url(&format!("/@app-1{INFO}")).await).await;
    assert_eq!(answer.0, 200, "{answer:?}");
    process.signal("TERM");
    assert_eq!(process.ended().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_takes_main_file_and_included_ones_and_a_bad_main_file_leaves_both() {
    let place = place(1);
    let mut process = place.serve().await;
    know(&place, 1, SECRET);
    let good = std::fs::read_to_string(place.path("wxgate.toml")).expect("the main file");
    place.write(&file(1), &account(1));
    place.write("wxgate.toml", "[serve]\n");
    process.signal("HUP");
    process.logged("new configuration rejected, keeping the current one").await;
    let url = process.url(&format!("/@app-1{INFO}")).await;
    assert_eq!(get(&client(), &url).await.0, 400);
    place.write("wxgate.toml", &good);
    process.signal("HUP");
    process.logged("configuration reloaded").await;
    assert_eq!(get(&client(), &url).await.0, 200);
    let is_one =
        |line: &Value| line["message"].as_str().is_some_and(|text| text.starts_with("new configuration"));
    let rejections = process.log().into_iter().filter(is_one).count();
    assert_eq!(rejections, 1, "{:#?}", process.log());
    process.signal("TERM");
    assert_eq!(process.ended().await.code(), Some(0));
}
