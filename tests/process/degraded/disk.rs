//! A disk that is full under a `file:` store.

use std::io::Write as _;
use std::process::Command;

use serde_json::Value;
use wxgate::sandbox::Target;

use crate::client::client;
use crate::lifecycle::process::{Place, Process, get};
use crate::until::until;

const INFO: &str = "/cgi-bin/user/info?openid=o1";

/// A file system with hardly any room, unmounted with the test.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=256k", "none"])
            .arg(folder.path())
            .status()
            .expect("mount runs");
        assert!(mounted.success(), "this test mounts a file system, which takes root");
        Self(folder)
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.0.path().join("filler")).expect("a file");
        while file.write_all(&[0; 512]).is_ok() {}
    }

    fn clear(&self) {
        std::fs::remove_file(self.0.path().join("filler")).expect("removed");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

async fn store(process: &Process, client: &reqwest::Client) -> Value {
    let address = process.logged("admin listening").await["address"].as_str().expect("text").to_owned();
    get(client, &format!("http://{address}/api/v1/status")).await.1["store"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_the_store_is_told_and_no_caller_notices() {
    let disk = SmallDisk::new();
    let place = Place::new();
    let folder = disk.0.path().join("store");
    place.configure("", &format!("[store]\nurl = \"file:{}\"\n", folder.display()));
    let mut process = place.serve().await;
    let (url, client) = (process.url(INFO).await, client());
    assert_eq!(get(&client, &url).await.0, 200);
    until(|| "the store up", async || store(&process, &client).await["up"] == true).await;

    disk.fill();
    place.sandbox.rotate(Target::default());
    let (status, body) = get(&client, &url).await;
    assert_eq!((status, &body["openid"]), (200, &"o1".into()), "{body}");
    until(|| "the store down", async || store(&process, &client).await["up"] == false).await;
    let told = store(&process, &client).await.to_string();
    assert!(told.contains("No space left"), "{told}");
    place.sandbox.rotate(Target::default());
    assert_eq!(get(&client, &url).await.1["openid"], "o1", "without a store too");

    disk.clear();
    until(|| "the store up again", async || store(&process, &client).await["up"] == true).await;
    process.signal("TERM");
    assert_eq!(process.ended().await.code(), Some(0));
    // What was got meanwhile is there.
    let fetches = place.sandbox.counts().fetches;
    let process = place.serve().await;
    assert_eq!(get(&client, &process.url(INFO).await).await.1["openid"], "o1");
    assert_eq!(place.sandbox.counts().fetches, fetches);
}
