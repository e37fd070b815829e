//! How many files and connections the process may have open.

use std::process::Command;

use tokio::net::TcpStream;

use super::process::{Place, Process, get};
use crate::client::client;

/// `wxgate serve` after these commands of a shell.
async fn served(place: &Place, before: &str) -> Process {
    let mut command = Command::new("sh");
    command.current_dir(place.folder.path()).env_clear().env("PATH", "/usr/bin:/bin");
    let program = env!("CARGO_BIN_EXE_wxgate");
    command.args(["-c", &format!("{before}; exec {program} serve --config wxgate.toml")]);
    let process = Process::by(command);
    process.logged("admin listening").await;
    process
}

fn warnings(process: &Process) -> Vec<String> {
    let log = process.log();
    let lines = log.iter().filter_map(|line| line["message"].as_str());
    lines.filter(|text| text.contains("LimitNOFILE=")).map(str::to_owned).collect()
}

async fn allowed(process: &Process) -> f64 {
    let admin = process.logged("admin listening").await["address"].as_str().expect("an address").to_owned();
    let metrics = client().get(format!("http://{admin}/metrics")).send().await.expect("an answer");
    let metrics = metrics.text().await.expect("text");
    let value = metrics.lines().find_map(|line| line.strip_prefix("process_max_fds "));
    value.and_then(|value| value.parse().ok()).expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_is_raised_as_far_as_it_may_be_and_one_that_is_too_low_is_told() {
    let place = Place::new();
    place.configure("max_connections = 100\nmax_inflight = 100", "");
    // As systemd has it: the first is low for programs that can't do with many.
    let process = served(&place, "ulimit -Sn 64").await;
    assert!(allowed(&process).await > 64.0);
    assert_eq!(warnings(&process), Vec::<String>::new());
    place.configure("max_connections = 5000\nmax_inflight = 4000", "");
    let process = served(&place, "ulimit -n 4096").await;
    let told = warnings(&process);
    assert!(matches!(&told[..], [text] if text.contains("4096") && text.contains("may open 14")), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_no_file_is_left_for_are_told_once_and_served_when_there_is() {
    let place = Place::new();
    place.configure("", "");
    let process = served(&place, "ulimit -n 64").await;
    let authority = process.authority().await;
    let mut connections = Vec::new();
    for _ in 0..80 {
        // Those that aren't accepted wait in the kernel.
        connections.push(TcpStream::connect(&authority).await.expect("connected"));
    }
    let told = process.logged("cannot accept a connection").await;
    assert_eq!(told["failures"], 1, "{told}");
    // It tries again ten times a second.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let log = process.log();
    let lines = log.iter().filter_map(|line| line["message"].as_str());
    assert_eq!(lines.filter(|text| text.starts_with("cannot accept")).count(), 1, "{log:#?}");
    drop(connections);
    assert_eq!(get(&client(), &process.url("/cgi-bin/user/info?openid=o1").await).await.0, 200);
}
