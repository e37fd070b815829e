//! SIGHUP, and secret files that change.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wxgate::sandbox::{App, AppKind};

use super::caller::Caller;
use super::process::{APPID, NEW_SECRET, OTHER_APPID, Place, get};
use crate::client::client;

const INFO: &str = "/cgi-bin/user/info?openid=o1";

fn caller(name: &str, key: &str, app: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, key.as_bytes());
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("[[caller]]\nname = \"{name}\"\nkey_sha256 = \"{hex}\"\napps = [\"{app}\"]\n")
}

async fn status_with_key(url: &str, key: &str) -> u16 {
    client().get(url).header("X-Wxgate-Key", key).send().await.expect("an answer").status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_app_and_a_new_key_take_effect_without_a_dropped_request() {
    let place = Place::new();
    place.configure("", &caller("orders", "canary-key-1", "shop"));
    let mut process = place.serve().await;
    let (url, mini) = (process.url(INFO).await, process.url(&format!("/@mini{INFO}")).await);
    assert_eq!(status_with_key(&url, "canary-key-1").await, 200);
    assert_eq!(status_with_key(&mini, "canary-key-2").await, 401);

    let stop = Arc::new(AtomicBool::new(false));
    let mut busy = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (url, stop, client) = (url.clone(), Arc::clone(&stop), client());
        busy.spawn(async move {
            let mut calls = 0;
            while !stop.load(Ordering::Relaxed) {
                let answer =
                    client.get(&url).header("X-Wxgate-Key", "canary-key-1").send().await.expect("an answer");
                assert_eq!(answer.status().as_u16(), 200);
                calls += 1;
            }
            calls
        });
    }
    let app = format!(
        "[[app]]\nname = \"mini\"\nappid = \"{OTHER_APPID}\"\nkind = \"mini_program\"\nsecret = {{ file = \"shop.secret\" }}\n"
    );
    place.configure(
        "",
        &format!(
            "{app}{}{}",
            caller("orders", "canary-key-1", "shop"),
            caller("game", "canary-key-2", "mini")
        ),
    );
    process.signal("HUP");
    process.logged("configuration reloaded").await;
    assert_eq!(status_with_key(&mini, "canary-key-2").await, 200);
    // And what is taken out is out.
    place.configure("", &caller("orders", "canary-key-1", "shop"));
    process.signal("HUP");
    process.logged_times("configuration reloaded", 2).await;
    assert_eq!(status_with_key(&mini, "canary-key-2").await, 401);
    stop.store(true, Ordering::Relaxed);
    assert!(busy.join_all().await.iter().all(|calls| *calls > 0));
    process.signal("TERM");
    assert_eq!(process.ended().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_is_named_in_the_log_and_the_old_one_stays() {
    let place = Place::new();
    place.configure("", "");
    let mut process = place.serve().await;
    let url = process.url(INFO).await;
    let client = client();
    for (number, bad) in ["[serve]\nlisten = []\n", "[[app]]\nsecret = \"canary-in-a-broken-file\n", ""]
        .into_iter()
        .enumerate()
    {
        place.write("wxgate.toml", bad);
        process.signal("HUP");
        let line =
            process.logged_times("new configuration rejected, keeping the current one", number + 1).await;
        assert_eq!(line["level"], "ERROR");
        assert!(line["message"].as_str().is_some_and(|text| text.contains("wxgate.toml:")), "{line}");
        assert_eq!(get(&client, &url).await.0, 200);
    }
    std::fs::remove_file(place.path("wxgate.toml")).expect("removed");
    process.signal("HUP");
    process.logged_times("new configuration rejected, keeping the current one", 4).await;
    assert_eq!(get(&client, &url).await.0, 200);
    place.configure("", "");
    process.signal("HUP");
    process.logged("configuration reloaded").await;
    assert_eq!(get(&client, &url).await.0, 200);
    process.signal("TERM");
    assert_eq!(process.ended().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn start_and_reload_say_which_statuses_hold_where_nobody_chose() {
    let place = Place::new();
    place.configure("# error_status", "");
    let mut process = place.serve().await;
    let url = process.url(&format!("/@nobody{INFO}")).await;
    let said = "server.error_status is not set and defaults to \"wechat\"";
    process.logged(said).await;
    assert_eq!(get(&client(), &url).await.0, 200);
    place.configure("# error_status\nerrors_as_200 = false", "");
    process.signal("HUP");
    process.logged("configuration reloaded").await;
    let warned = |line: &serde_json::Value| {
        line["level"] == "WARN" && line.to_string().contains("server.errors_as_200")
    };
    assert!(process.log().iter().any(warned), "{:#?}", process.log());
    assert_eq!(get(&client(), &url).await.0, 400);
    place.configure("# error_status", "");
    process.signal("HUP");
    process.logged_times(said, 2).await;
    process.signal("TERM");
    assert_eq!(process.ended().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_secret_file_is_used_for_the_next_fetch() {
    let place = Place::new();
    place.configure("", "");
    let mut process = place.serve().await;
    let (url, client) = (process.url(INFO).await, client());
    assert_eq!(get(&client, &url).await.0, 200);
    // From here on a fetch with the old secret fails.
    place.sandbox.put(App::new(APPID, NEW_SECRET, AppKind::OfficialAccount));
    place.write("shop.secret", &format!("{NEW_SECRET}\n"));
    process.logged("a secret or certificate file changed").await;
    process.logged("configuration reloaded").await;
    place.sandbox.rotate(APPID);
    let (status, body) = get(&client, &url).await;
    assert_eq!((status, &body["openid"]), (200, &"o1".into()), "{body}");
    process.signal("TERM");
    assert_eq!(process.ended().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_certificate_is_shown_without_a_signal_and_one_without_its_key_is_refused() {
    let make = || rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("a certificate");
    let place = Place::new();
    let put = |made: &rcgen::CertifiedKey<rcgen::KeyPair>| {
        place.write("key.pem", &made.signing_key.serialize_pem());
        place.write("cert.pem", &made.cert.pem());
    };
    let trusting = |made: &rcgen::CertifiedKey<rcgen::KeyPair>| {
        place.write("ca.pem", &made.cert.pem());
        let tls = wxgate::upstream::tls::client_config(Some(&place.path("ca.pem"))).expect("a root");
        let client = reqwest::Client::builder().no_proxy().tls_backend_preconfigured(tls);
        client.build().expect("a client")
    };
    let (first, second) = (make(), make());
    put(&first);
    place.configure("tls = { cert = \"cert.pem\", key = \"key.pem\" }", "");
    let mut process = place.serve().await;
    let url = format!("https://{}{INFO}", process.authority().await);
    let before = trusting(&first);
    assert_eq!(get(&before, &url).await.0, 200);

    place.write("cert.pem", &second.cert.pem());
    let refused = process.logged("new configuration rejected, keeping the current one").await;
    assert!(refused["message"].as_str().is_some_and(|text| text.contains("does not belong")), "{refused}");
    assert_eq!(get(&trusting(&first), &url).await.0, 200);
    put(&second);
    process.logged("configuration reloaded").await;
    assert_eq!(get(&trusting(&second), &url).await.0, 200);
    assert_eq!(get(&before, &url).await.0, 200, "its connection stays");
    // A caller that trusts another authority is reported, but not each time.
    for _ in 0..3 {
        trusting(&first).get(&url).send().await.expect_err("it doesn't trust the second");
    }
    let failed = process.logged("TLS handshake failed").await;
    assert_eq!((&failed["level"], &failed["reason"]), (&"WARN".into(), &"untrusted".into()), "{failed}");
    assert_eq!((&failed["remote"], &failed["failures"]), (&"127.0.0.1".into(), &1.into()), "{failed}");
    assert_eq!(get(&trusting(&second), &url).await.0, 200);
    let log = process.log();
    let told = log.iter().filter(|line| line["reason"] == "untrusted").count();
    assert_eq!(told, 1, "{log:#?}");
    process.signal("TERM");
    assert_eq!(process.ended().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_reloads_of_changed_files_fail_no_request() {
    let place = Place::new();
    place.configure("", "");
    let mut process = place.serve().await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut busy = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (authority, stop) = (process.authority().await, Arc::clone(&stop));
        busy.spawn(async move {
            let mut caller = Caller::connect(&authority).await.expect("connected");
            while !stop.load(Ordering::Relaxed) {
                let answer = caller.get(INFO).await.expect("an answer");
                assert_eq!(answer.said(), (200, None, false), "{answer:?}");
            }
        });
    }
    for round in 1..=20 {
        place.configure(&format!("max_body = \"{round}MiB\""), "");
        process.signal("HUP");
        process.logged_times("configuration reloaded", round).await;
    }
    stop.store(true, Ordering::Relaxed);
    busy.join_all().await;
    process.signal("TERM");
    assert_eq!(process.ended().await.code(), Some(0));
}
