//! The log as it is read.

use super::process::{OTHER_APPID, Place, Process, command, get};
use crate::client::client;

const INFO: &str = "/cgi-bin/user/info?openid=o1";

#[tokio::test(flavor = "multi_thread")]
async fn access_lines_and_messages_come_out_in_the_order_in_which_they_happened() {
    let place = Place::new();
    place.configure("", "");
    let mut process = place.serve().await;
    let (url, client) = (process.url(INFO).await, client());
    const ROUNDS: usize = 5;
    for round in 1..=ROUNDS {
        assert_eq!(get(&client, &url).await.0, 200);
        process.signal("HUP");
        process.logged_times("configuration reloaded", round).await;
    }
    assert_eq!(get(&client, &url).await.0, 200);
    process.signal("TERM");
    assert_eq!(process.ended().await.code(), Some(0));

    let log = process.log();
    let shown: Vec<_> = log
        .iter()
        .filter_map(|line| match line["message"].as_str() {
            None => Some("access"),
            Some("configuration reloaded") => Some("reload"),
            Some("draining" | "stopped") => line["message"].as_str(),
            Some(_) => None,
        })
        .collect();
    let mut expected = ["access", "reload"].repeat(ROUNDS);
    expected.extend(["access", "draining", "stopped"]);
    assert_eq!(shown, expected, "{log:#?}");
    let times: Vec<_> = log.iter().map(|line| line["timestamp"].as_str().expect("a time")).collect();
    assert!(times.iter().all(|time| time.ends_with('Z')), "{times:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_for_people_says_of_each_line_that_its_time_is_beijings() {
    let place = Place::new();
    place.configure("", "[log]\nformat = \"pretty\"\n");
    let mut process = place.run();
    let listening = process.line("listening address=").await;
    let address = listening.split("address=").nth(1).and_then(|rest| rest.split(' ').next());
    assert_eq!(get(&client(), &format!("http://{}{INFO}", address.expect("an address"))).await.0, 200);
    process.signal("TERM");
    assert_eq!(process.ended().await.code(), Some(0));
    let lines = process.lines();
    assert!(lines.iter().any(|line| line.contains(" 200 GET /cgi-bin/user/info?openid ")), "{lines:#?}");
    for line in &lines {
        let time = line.split(' ').next().expect("a word");
        assert!(time.len() == 29 && time.ends_with("+08:00"), "{lines:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_logged_before_a_start_that_fails_is_not_lost() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let place = Place::new();
    let server = format!("listen = [\"{}\"]", taken.local_addr().expect("bound"));
    let app =
        format!("[[app]]\nname = \"game\"\nappid = \"{OTHER_APPID}\"\nsecret = \"canary-in-clear-0000\"\n");
    place.configure(&server, &app);
    let mut process = place.run();
    let (status, stderr) = process.ended_with_stderr().await;
    assert_eq!(status.code(), Some(1));
    assert!(stderr.contains("the address is in use"), "{stderr}");
    let log = process.log();
    let warned =
        |line: &serde_json::Value| line["message"].as_str().is_some_and(|text| text.contains("in clear"));
    assert!(log.iter().any(warned), "{log:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_in_the_language_of_the_log_and_their_fields_in_none() {
    let place = Place::new();
    let warning = async |key: &str, environment: &[(&str, &str)]| {
        let app =
            format!("[[app]]\nname = \"game\"\nappid = \"{OTHER_APPID}\"\nsecret = \"in-clear-0000\"\n");
        place.configure("", &format!("[log]\n{key}\n{app}"));
        let mut run = command(place.folder.path());
        run.envs(environment.iter().copied());
        let process = Process::by(run);
        serde_json::from_str::<serde_json::Value>(&process.line("app[1].secret").await).expect("JSON")
    };
    let english = "wxgate.toml:21:10: app[1].secret: warning: is a secret in clear, ";
    let chinese = "wxgate.toml:21:10: app[1].secret: 警告：凭证以明文写在配置里，";
    let in_china = [("LANG", "zh_CN.UTF-8")];
    for (key, environment, expected) in [
        ("language = \"en\"", &[][..], english),
        ("language = \"zh\"", &[], chinese),
        ("language = \"auto\"", &in_china, chinese),
        ("language = \"auto\"", &[], english),
        // What others search for is the same on every host.
        ("access = \"all\"", &in_china, english),
    ] {
        let line = warning(key, environment).await;
        assert!(line["message"].as_str().is_some_and(|text| text.starts_with(expected)), "{key}: {line}");
        let fields: Vec<_> = line.as_object().expect("an object").keys().collect();
        assert_eq!(fields, ["level", "message", "target", "timestamp"], "{key}");
        assert_eq!(line["level"], "WARN", "{key}");
    }
}
