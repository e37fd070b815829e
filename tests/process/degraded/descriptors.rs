//! No file descriptor is left.

use std::process::Command;

use crate::client::client;
use crate::lifecycle::process::{Place, Process, get};
use crate::until::until;

const INFO: &str = "/cgi-bin/user/info?openid=o1";

#[tokio::test(flavor = "multi_thread")]
async fn without_descriptors_who_is_connected_is_served_and_others_are_once_one_is_free() {
    let place = Place::new();
    place.configure("", "");
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            &format!("ulimit -n 48; exec {} serve --config wxgate.toml", env!("CARGO_BIN_EXE_wxgate")),
        ])
        .current_dir(place.folder.path())
        .env_clear();
    let mut process = Process::by(command);
    let (url, client) = (process.url(INFO).await, client());
    assert_eq!(get(&client, &url).await.0, 200);
    let authority = process.authority().await;
    // More than there are descriptors; the kernel takes them, wxgate can't.
    let idle: Vec<_> =
        (0..60).map(|_| std::net::TcpStream::connect(&authority).expect("the kernel takes it")).collect();
    process.line("cannot accept").await;
    for _ in 0..20 {
        assert_eq!(get(&client, &url).await.1["openid"], "o1", "on the connections that there are");
    }
    drop(idle);
    let other = crate::client::client();
    until(
        || "a new connection",
        async || {
            let request = other.get(&url).timeout(std::time::Duration::from_secs(5));
            request.send().await.is_ok_and(|response| response.status() == 200)
        },
    )
    .await;
    let told = process.lines().iter().filter(|line| line.contains("cannot accept")).count();
    assert!(told <= 2, "{told} lines");
    process.signal("TERM");
    assert_eq!(process.ended().await.code(), Some(0));
}
