//! Bytes that get past other proxies, and what becomes of them here: the chapters of
//! `tests/hostile`.

mod chapter;

use std::path::{Path, PathBuf};

use self::chapter::{Case, Chapter, Sent};
use super::bad_input::wire::{Caller, Raw, header, read_head};
use super::canned::{Canned, Seen};
use crate::harness::{Gate, SHOP, Setup, caller};
use crate::until::until;

const KEY: &str = "key-of-orders-0123456789";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile")
}

macro_rules! chapters {
    ($($name:ident),+) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            hold(stringify!($name)).await;
        })+

        const CHAPTERS: &[&str] = &[$(stringify!($name)),+];
    };
}

chapters!(callers, credentials, framing, headers, host, methods, paths, pipelining, protocols, request_line);

#[test]
fn every_chapter_is_sent_and_no_two_requests_share_a_name() {
    let files = std::fs::read_dir(folder()).expect("a folder").map(|file| file.expect("a file").path());
    let mut found: Vec<_> = files
        .filter(|file| file.extension().is_some_and(|extension| extension == "txt"))
        .map(|file| file.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    found.sort();
    assert_eq!(found, CHAPTERS);
    let mut count = 0;
    for chapter in CHAPTERS.iter().map(|name| Chapter::read(&folder(), name)) {
        let mut names: Vec<_> = chapter.cases.iter().map(|case| &case.name).collect();
        count += names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), chapter.cases.len(), "a name twice in {}", chapter.name);
    }
    assert!(count >= 160, "{count}");
}

/// Sends every request of a chapter, on a connection of its own, to one proxy.
async fn hold(name: &str) {
    let chapter = Chapter::read(&folder(), name);
    let apps = match chapter.callers {
        true => {
            format!("{SHOP}{}", caller("orders", &[KEY], &["shop"], "allow = [\"GET /cgi-bin/user/get\"]"))
        }
        false => SHOP.into(),
    };
    let (wechat, gate) = Canned::gate(Setup { apps, ..Setup::default() }).await;
    wechat.answer_with("Content-Type: application/json\r\n", "{\"errcode\":0}");
    let mut wrong = Vec::new();
    for case in &chapter.cases {
        if let Err(what) = send(&gate, &wechat, case).await {
            wrong.push(format!("{}: {what}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{} of {name}:\n{}", wrong.len(), wrong.join("\n"));
}

async fn send(gate: &Gate, wechat: &Canned, case: &Case) -> Result<(), String> {
    let before = seen(wechat).len();
    let mut caller = Caller::of(gate).await;
    caller.send(&case.request).await;
    if case.gone {
        tokio::io::AsyncWriteExt::shutdown(&mut caller.0).await.expect("shut down");
    }
    for expected in &case.answers {
        let answer =
            answer(&mut caller, case).await.ok_or_else(|| format!("no answer, expected {expected:?}"))?;
        let code = answer.header("x-wxgate-error").unwrap_or_default();
        if (answer.status, code) != (expected.0, expected.1.as_str()) {
            return Err(format!("{} {code}, expected {expected:?}: {}", answer.status, answer.text()));
        }
    }
    match case.end.as_deref() {
        Some("open") => {
            caller
                .send(format!(
                    "GET /cgi-bin/user/get?good=1 HTTP/1.1\r\nHost: localhost\r\nX-Wxgate-Key: {KEY}\r\n\r\n"
                ))
                .await;
            let good = caller.answer().await.ok_or("closed, expected it to stay open")?;
            if good.status != 200 {
                return Err(format!("{} to a good request behind it", good.status));
            }
        }
        Some("close") => {
            let rest = caller.closed().await;
            if !rest.is_empty() {
                return Err(format!("more answers than expected: {}", rest.escape_ascii()));
            }
        }
        _ => {
            drop(caller);
            let expected = before + case.sent.len();
            until(
                || format!("what reaches WeChat of {}", case.name),
                async || seen(wechat).len() >= expected,
            )
            .await;
        }
    }
    let seen = seen(wechat).split_off(before);
    let sent: Vec<_> = seen.iter().map(|seen| sent(seen).line()).collect();
    let expected: Vec<_> = case.sent.iter().map(Sent::line).collect();
    if sent != expected {
        return Err(format!("reached WeChat: {sent:#?}, expected {expected:#?}"));
    }
    for (seen, expected) in seen.iter().zip(&case.sent) {
        sound(seen)?;
        let head = lower(seen);
        for (name, value) in &expected.with {
            let found = header(&head, &name.to_ascii_lowercase());
            if found != Some(&*String::from_utf8_lossy(value)) {
                return Err(format!("{name} at WeChat: {found:?}"));
            }
        }
        for name in &expected.without {
            if header(&head, &name.to_ascii_lowercase()).is_some() {
                return Err(format!("{name} reached WeChat"));
            }
        }
    }
    Ok(())
}

/// What reached WeChat by callers' requests: not wxgate's own question for a quota, nor the good
/// ones.
fn seen(wechat: &Canned) -> Vec<Seen> {
    let own = ["POST /cgi-bin/openapi/quota/get?", "GET /cgi-bin/user/get?good=1"];
    let mut seen = wechat.seen();
    seen.retain(|seen| !own.iter().any(|own| seen.head.starts_with(own.as_bytes())));
    seen
}

async fn answer(caller: &mut Caller, case: &Case) -> Option<Raw> {
    loop {
        let answer = if case.request.starts_with(b"HEAD ") {
            let head = read_head(&mut caller.0).await?;
            let status = head.split(' ').nth(1)?.parse().ok()?;
            Raw { status, head, body: Vec::new(), whole: true }
        } else {
            caller.answer().await?
        };
        if answer.status >= 200 {
            return Some(answer);
        }
    }
}

fn sent(seen: &Seen) -> Sent {
    let line = seen.head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.splitn(3, |byte| *byte == b' ');
    let mut word = || words.next().unwrap_or_default().to_vec();
    Sent {
        cut: !seen.whole,
        method: word(),
        target: word(),
        body: if seen.whole { seen.body.clone() } else { Vec::new() },
        with: Vec::new(),
        without: Vec::new(),
    }
}

/// Names in lower case.
fn lower(seen: &Seen) -> String {
    let text = String::from_utf8_lossy(&seen.head).into_owned();
    text.split("\r\n")
        .map(|line| match line.split_once(':') {
            Some((name, value)) => format!("{}:{value}\n", name.to_ascii_lowercase()),
            None => format!("{line}\n"),
        })
        .collect()
}

/// What every server reads in one way only.
fn sound(seen: &Seen) -> Result<(), String> {
    let head = lower(seen);
    let count = |name: &str| head.lines().filter(|line| line.starts_with(&format!("{name}:"))).count();
    let (hosts, lengths) = (count("host"), count("content-length"));
    if hosts != 1 || lengths > 1 || count("transfer-encoding") > 0 {
        return Err(format!("{hosts} Hosts, {lengths} lengths, or a coding: {head}"));
    }
    let length = header(&head, "content-length").unwrap_or("0");
    if seen.whole && length != seen.body.len().to_string() {
        return Err(format!("a length of {length} before {} bytes", seen.body.len()));
    }
    let mut lines = seen.head.split(|byte| *byte == b'\n');
    if lines.any(|line| line.strip_suffix(b"\r").unwrap_or(line).iter().any(|byte| matches!(byte, b'\r' | 0)))
    {
        return Err(format!("odd bytes: {}", seen.head.escape_ascii()));
    }
    Ok(())
}
