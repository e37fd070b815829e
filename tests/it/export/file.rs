//! Exports to files.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{check_now, exporting, rotate, status, with};
use crate::harness::{APPID, Gate};
use crate::until::until;

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

async fn until_it_reads(path: &Path, text: &str) {
    until(|| format!("{} reads {text}", path.display()), async || read(path) == text).await;
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn a_properties_file_follows_the_token_and_is_for_this_user_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let (plain, shaped) = (folder.path().join("shop.properties"), folder.path().join("shop.json"));
    let exports = [
        format!("file = {plain:?}"),
        format!(
            "file = {shaped:?}\nmode = \"0640\"\n\
             template = '{{\"token\":\"{{{{access_token}}}}\",\"of\":\"{{{{appid}}}}\",\"number\":{{{{generation}}}}}}'"
        ),
    ];
    let gate = Gate::with(exporting(&exports)).await.settled().await;
    until_it_reads(&plain, &format!("access_token={}\n", gate.token(APPID))).await;
    for generation in 2..5 {
        let token = rotate(&gate).await;
        until_it_reads(&plain, &format!("access_token={token}\n")).await;
        let text = format!("{{\"token\":\"{token}\",\"of\":\"{APPID}\",\"number\":{generation}}}");
        until_it_reads(&shaped, &text).await;
    }
    assert_eq!((mode(&plain), mode(&shaped)), (0o600, 0o640));
    let mut others: Vec<_> =
        fs::read_dir(folder.path()).expect("readable").map(|file| file.expect("a file").path()).collect();
    others.retain(|path| *path != plain && *path != shaped);
    assert_eq!(others.len(), 2, "a mark for each, and nothing left over: {others:?}");
    for mark in others {
        assert_eq!(mode(&mark), 0o600);
        assert!(!read(&mark).contains(&gate.token(APPID)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_sees_a_whole_file_at_any_moment() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shop.properties");
    let gate = Gate::with(exporting(&[format!("file = {path:?}")])).await.settled().await;
    until_it_reads(&path, &format!("access_token={}\n", gate.token(APPID))).await;
    let done = Arc::new(AtomicBool::new(false));
    let reader = {
        let (done, path) = (Arc::clone(&done), path.clone());
        tokio::task::spawn_blocking(move || {
            let mut reads = 0;
            while !done.load(Ordering::Relaxed) {
                let text = fs::read_to_string(&path).expect("it is always there");
                assert!(text.starts_with("access_token=") && text.ends_with('\n'), "{text:?}");
                reads += 1;
            }
            reads
        })
    };
    for _ in 0..20 {
        let token = rotate(&gate).await;
        until_it_reads(&path, &format!("access_token={token}\n")).await;
    }
    done.store(true, Ordering::Relaxed);
    assert!(reader.await.expect("no read failed") > 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_somebody_changed_or_removed_is_written_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shop.properties");
    let gate = Gate::with(exporting(&[format!("file = {path:?}")])).await.settled().await;
    let text = format!("access_token={}\n", gate.token(APPID));
    until_it_reads(&path, &text).await;
    for (found, result) in
        [("access_token=wxgate-AQAAAABo\n", "placeholder"), ("access_token=theirs\n", "foreign")]
    {
        fs::write(&path, found).expect("writable");
        check_now(&gate);
        until_it_reads(&path, &text).await;
        let sample = format!("wxgate_exports_total{{app=\"shop\",result=\"{result}\"}}");
        until(|| "it is counted", async || gate.metric(&sample).await == 1.0).await;
    }
    fs::remove_file(&path).expect("it is there");
    check_now(&gate);
    until_it_reads(&path, &text).await;
    assert_eq!(status(&gate, 0).await["overwritten"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_write_one_file_and_neither_takes_the_other_for_a_stranger() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, path) = (folder.path().join("store"), folder.path().join("shop.properties"));
    let mut setup = exporting(&[format!("file = {path:?}")]);
    setup.apps += &format!("[store]\nurl = \"file:{}\"\n", store.display());
    let first = Gate::with(setup.clone()).await.settled().await;
    setup.upstream_url = Some(first.sandbox.url());
    let second = Gate::with(setup).await;
    for _ in 0..10 {
        let token = rotate(&first).await;
        until_it_reads(&path, &format!("access_token={token}\n")).await;
        check_now(&first);
        check_now(&second);
    }
    until(
        || "both know",
        async || {
            check_now(&first);
            check_now(&second);
            status(&first, 0).await["generation"] == 11 && status(&second, 0).await["generation"] == 11
        },
    )
    .await;
    for gate in [&first, &second] {
        let status = status(gate, 0).await;
        assert_eq!((&status["overwritten"], &status["problem"]), (&0.into(), &serde_json::Value::Null));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_went_away_is_told_and_written_to_when_it_is_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let inner = folder.path().join("run");
    fs::create_dir(&inner).expect("a folder");
    let path = inner.join("shop.properties");
    let gate = Gate::with(exporting(&[format!("file = {path:?}")])).await.settled().await;
    let text = format!("access_token={}\n", gate.token(APPID));
    until_it_reads(&path, &text).await;
    fs::remove_dir_all(&inner).expect("removed");
    check_now(&gate);
    until(
        || "the problem is told",
        async || status(&gate, 0).await["problem"].as_str().is_some_and(|problem| problem.contains("run/")),
    )
    .await;
    fs::create_dir(&inner).expect("a folder");
    until(
        || "it is written",
        async || {
            gate.clock.advance(1001);
            read(&path) == text
        },
    )
    .await;
    until(|| "the problem is gone", async || status(&gate, 0).await["problem"].is_null()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_form_takes_effect_although_the_token_is_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shop.properties");
    let open = format!("file = {path:?}\nmode = \"0640\"");
    let gate = Gate::with(exporting(&[open])).await.settled().await;
    let token = gate.token(APPID);
    until_it_reads(&path, &format!("access_token={token}\n")).await;
    assert_eq!(mode(&path), 0o640);
    let closed = format!("file = {path:?}\nmode = \"0600\"\ntemplate = \"token: {{{{access_token}}}}\"");
    gate.reload("", &with(&[closed])).await;
    until_it_reads(&path, &format!("token: {token}")).await;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(status(&gate, 0).await["overwritten"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_or_a_folder_is_told_and_neither_read_nor_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let [pipe, inner] = ["pipe", "folder"].map(|name| folder.path().join(name));
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let exports = [&pipe, &inner].map(|path| format!("file = {path:?}"));
    let gate = Gate::with(exporting(&exports)).await.settled().await;
    until_it_reads(&inner, &format!("access_token={}\n", gate.token(APPID))).await;
    fs::remove_file(&inner).expect("removed");
    fs::create_dir(&inner).expect("a folder");
    check_now(&gate);
    for index in 0..exports.len() {
        let told = async || {
            let problem = status(&gate, index).await["problem"].clone();
            problem.as_str().is_some_and(|problem| problem.contains("not a regular file"))
        };
        until(|| "the problem is told", told).await;
    }
    assert!(fs::metadata(&pipe).expect("it is there").file_type().is_fifo() && inner.is_dir());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_waits_under_the_name_of_the_new_file_is_not_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, victim) = (folder.path().join("shop.properties"), folder.path().join("victim"));
    fs::write(&victim, "untouched").expect("writable");
    symlink(&victim, folder.path().join(".shop.properties.new")).expect("linked");
    let gate = Gate::with(exporting(&[format!("file = {path:?}")])).await.settled().await;
    until_it_reads(&path, &format!("access_token={}\n", gate.token(APPID))).await;
    assert_eq!(read(&victim), "untouched");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_or_a_pipe_in_the_place_of_the_marks_is_told_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let victim = folder.path().join("victim");
    fs::write(&victim, "untouched").expect("writable");
    symlink(&victim, folder.path().join(".linked.wxgate")).expect("linked");
    let pipe = folder.path().join(".piped.wxgate");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let exports = ["linked", "piped"].map(|name| format!("file = {:?}", folder.path().join(name)));
    let gate = Gate::with(exporting(&exports)).await.settled().await;
    for (index, name) in ["linked", "piped"].into_iter().enumerate() {
        until(
            || format!("the problem of {name} is told"),
            async || {
                let problem = status(&gate, index).await["problem"].clone();
                problem
                    .as_str()
                    .is_some_and(|problem| problem.contains(&format!(".{name}.wxgate is not a regular file")))
            },
        )
        .await;
    }
    assert_eq!(read(&victim), "untouched");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_huge_file_in_the_place_of_an_export_is_replaced_unread() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shop.properties");
    for huge in [&path, &folder.path().join(".shop.properties.wxgate")] {
        // Of no length on the disk, and longer than there is memory.
        fs::File::create(huge).expect("created").set_len(1 << 42).expect("it grows");
    }
    let gate = Gate::with(exporting(&[format!("file = {path:?}")])).await.settled().await;
    until(|| "the token is there", async || fs::metadata(&path).is_ok_and(|file| file.len() < 4096)).await;
    assert_eq!(read(&path), format!("access_token={}\n", gate.token(APPID)));
}
