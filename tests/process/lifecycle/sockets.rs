//! Ports and unix sockets.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::process::{Place, get};
use crate::client::client;

const INFO: &str = "/cgi-bin/user/info?openid=o1";

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_ends_the_start_with_a_clear_message() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let place = Place::new();
    place.configure(&format!("listen = [\"{address}\"]"), "");
    let (code, stderr) = place.fail();
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains(&format!("cannot listen on {address}: the address is in use")), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert_eq!(place.sandbox.counts().fetches, 0, "nothing is fetched before all is bound");
}

async fn ask(path: &std::path::Path) -> String {
    let mut stream = UnixStream::connect(path).await.expect("connected");
    let request = format!("GET {INFO} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_replaces_a_stale_one_and_goes_with_the_process() {
    let place = Place::new();
    let path = place.path("wxgate.sock");
    place.configure(&format!("listen = [\"unix:{}\"]", path.display()), "");
    // What a process that was killed leaves behind.
    drop(UnixListener::bind(&path).expect("bound"));
    assert!(path.exists());
    let mut process = place.serve().await;
    assert_eq!(process.authority().await, format!("unix:{}", path.display()));
    assert!(ask(&path).await.starts_with("HTTP/1.1 200"));

    // A second process may not take it from the first.
    let (code, stderr) = place.fail();
    assert_eq!(code, Some(1));
    assert!(stderr.contains("in use by another process"), "{stderr}");
    assert!(ask(&path).await.starts_with("HTTP/1.1 200"));

    process.signal("TERM");
    assert_eq!(process.ended().await.code(), Some(0));
    assert!(!path.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_socket_is_left_alone() {
    let place = Place::new();
    place.write("precious", "data");
    place.configure(&format!("listen = [\"unix:{}\"]", place.path("precious").display()), "");
    let (code, stderr) = place.fail();
    assert_eq!(code, Some(1), "{stderr}");
    assert_eq!(std::fs::read_to_string(place.path("precious")).expect("still there"), "data");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_has_one_line_of_json_and_every_address_is_told() {
    let place = Place::new();
    place.configure("listen = [\"127.0.0.1:0\", \"[::1]:0\"]", "");
    let mut process = place.serve().await;
    let client = client();
    let (url, admin) = (process.url(INFO).await, process.logged("admin listening").await);
    for _ in 0..20 {
        assert_eq!(get(&client, &url).await.0, 200);
    }
    let second =
        process.logged_times("listening", 2).await["address"].as_str().expect("an address").to_owned();
    assert_eq!(get(&client, &format!("http://{second}{INFO}")).await.0, 200);
    assert_eq!(get(&client, &format!("http://{second}/@nobody{INFO}")).await.0, 400);
    let admin = admin["address"].as_str().expect("an address");
    let (_, status) = get(&client, &format!("http://{admin}/api/v1/status")).await;
    assert_eq!(status["listeners"].as_array().map(Vec::len), Some(2), "{status}");
    assert_eq!(status["listeners"][1], second);
    process.signal("TERM");
    assert_eq!(process.ended().await.code(), Some(0));
    let lines = process.access_lines();
    assert_eq!(lines.len(), 22);
    let mut ids: Vec<_> =
        lines.iter().map(|line| line["request_id"].as_str().expect("an id").to_owned()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 22);
}
