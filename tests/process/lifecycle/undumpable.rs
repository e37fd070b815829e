//! What is in the process' memory stays there.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::Command;

use super::process::{Place, Process, SECRET, get};
use crate::client::client;

/// Somebody who isn't root, for whom there would be nothing to see.
const NOBODY: u32 = 65_534;

/// A command as a user without privileges: root's tests step down.
fn unprivileged(program: impl AsRef<std::ffi::OsStr>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).env_clear().env("PATH", "/usr/bin:/bin").env("SHOP_SECRET", SECRET);
    if std::fs::metadata("/proc/self").expect("a Linux").uid() == 0 {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// `wxgate serve` by that user, who may leave core dumps of any size.
async fn served(place: &Place) -> Process {
    place.configure("", "");
    place.write("shop.secret", SECRET);
    let program = place.path("wxgate");
    let built = Path::new(env!("CARGO_BIN_EXE_wxgate"));
    if std::fs::hard_link(built, &program).is_err() {
        std::fs::copy(built, &program).expect("copied");
    }
    std::fs::set_permissions(place.folder.path(), Permissions::from_mode(0o777)).expect("open to all");
    let mut command = unprivileged("sh", place.folder.path());
    command.args(["-c", "ulimit -c unlimited; exec ./wxgate serve --config wxgate.toml"]);
    let process = Process::by(command);
    process.logged("admin listening").await;
    process
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_process_of_its_user_reads_its_environment_or_memory() {
    let place = Place::new();
    let process = served(&place).await;
    for file in ["environ", "maps", "fd"] {
        let path = format!("/proc/{}/{file}", process.id());
        let mut command = unprivileged("ls", place.folder.path());
        if file != "fd" {
            command = unprivileged("cat", place.folder.path());
        }
        let output = command.arg(&path).output().expect("it ran");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && text.contains("Permission denied"), "{path}: {output:?}");
    }
    // It still knows what it is asked for about itself.
    let admin = process.logged("admin listening").await["address"].as_str().expect("an address").to_owned();
    let metrics = client().get(format!("http://{admin}/metrics")).send().await.expect("an answer");
    let metrics = metrics.text().await.expect("text");
    for name in ["process_open_fds", "process_resident_memory_bytes", "process_max_fds"] {
        let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        assert!(
            value.is_some_and(|value| value.parse::<f64>().is_ok_and(|value| value > 0.0)),
            "{name}: {value:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_leaves_no_core_dump() {
    let place = Place::new();
    let mut process = served(&place).await;
    let (status, _) = get(&client(), &process.url("/cgi-bin/user/get").await).await;
    assert_eq!(status, 200);
    process.signal("ABRT");
    let (status, _) = process.ended_with_stderr().await;
    assert_eq!((status.signal(), status.core_dumped()), (Some(6), false));
    let files = std::fs::read_dir(place.folder.path())
        .expect("a folder")
        .map(|file| file.expect("a file").file_name());
    let files: Vec<_> = files.collect();
    assert!(!files.iter().any(|name| name.to_string_lossy().contains("core")), "{files:?}");
}
