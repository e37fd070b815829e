//! A fake of WeChat's signed calls in Python, which shares nothing with wxgate's side nor with the
//! sandbox's.

mod gateway;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::harness::client;
use crate::installer::Packages;
use crate::signed_call::{AES_KEY, AES_KEY_SN, Letter, PUBLIC_KEY, Platform, Sealed};

const CRYPTOGRAPHY: Packages = Packages {
    of: "the tests of signed calls",
    folder: "signing-venv",
    npm: None,
    pip: Some([include_str!("requirements.txt"), "cryptography"]),
    then: None,
};

pub(crate) const APPID: &str = "wx0000000000signed";
pub(crate) const SECRET: &str = "secret";

/// The fake, running until it is dropped.
pub(crate) struct Fake {
    pub(crate) ready: Ready,
    process: Child,
    /// It ends with its input.
    _input: ChildStdin,
}

/// What it says when it listens on 127.0.0.1.
#[derive(Deserialize)]
pub(crate) struct Ready {
    pub(crate) port: u16,
    /// The number of the platform's certificate.
    pub(crate) serial: String,
    /// The platform's certificate, PEM.
    pub(crate) certificate: String,
}

impl Fake {
    /// Takes signed calls for [`APPID`] alone, to the endpoints that support them or, with `all`,
    /// to all.
    pub(crate) fn start(all: bool) -> Self {
        static FOLDER: LazyLock<Result<std::path::PathBuf, String>> =
            LazyLock::new(|| CRYPTOGRAPHY.install());
        let python = FOLDER.as_deref().unwrap_or_else(|problem| panic!("{problem}")).join("venv/bin/python");
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools/signing");
        let mut process = Command::new(python)
            .arg("-I")
            .args([here.join("fake.py"), here.join("signing-vectors.json")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let list = include_str!("../../../src/sandbox/signing/supported.txt");
        let supported: Vec<&str> = list.lines().filter(|line| line.starts_with('/')).collect();
        let app = json!({
            "appid": APPID, "secret": SECRET, "aes_key": AES_KEY, "aes_key_sn": AES_KEY_SN,
            "public_key": PUBLIC_KEY, "endpoints": if all { json!("all") } else { json!(supported) },
        });
        let mut input = process.stdin.take().expect("piped");
        writeln!(input, "{app}").expect("told");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let ready = serde_json::from_str(&line).unwrap_or_else(|_| panic!("it doesn't start: {line:?}"));
        Self { ready, process, _input: input }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.ready.port)
    }

    /// `{requests, errors: {errcode: count}, repeated_nonces}`
    pub(crate) async fn stats(&self) -> Value {
        let reply = client().get(self.url("/fake/stats")).send().await.expect("an answer");
        serde_json::from_slice(&reply.bytes().await.expect("whole")).expect("JSON")
    }

    /// The token is dead from now on.
    pub(crate) async fn rotate(&self) {
        self.post("/fake/rotate", &json!({})).await;
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let request = client().post(self.url(path)).body(body.to_string());
        let reply = request.send().await.expect("an answer");
        serde_json::from_slice(&reply.bytes().await.expect("whole")).expect("JSON")
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn token(fake: &Fake) -> String {
    let wanted = json!({"grant_type": "client_credential", "appid": APPID, "secret": SECRET});
    let answer = fake.post("/cgi-bin/stable_token", &wanted).await;
    answer["access_token"].as_str().expect("a token").to_owned()
}

/// What the endpoint answers, or what is wrong with the answer.
async fn send(fake: &Fake, sealed: &Sealed) -> Result<Value, &'static str> {
    let request = client().post(fake.url(&sealed.target())).body(sealed.body.clone());
    let request = sealed.headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
    let reply = request.send().await.expect("an answer");
    let headers = reply.headers().clone();
    let Ready { serial, certificate, .. } = &fake.ready;
    let body = reply.bytes().await.expect("whole");
    Platform { serial, certificate, aes_key: AES_KEY }.open(&sealed.path, APPID, now(), &headers, &body)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_secs()).expect("this century")
}

#[tokio::test]
async fn the_fake_reads_what_wechat_published_and_takes_nothing_in_clear() {
    let fake = Fake::start(false);
    let token = token(&fake).await;
    let refused = fake.post(&format!("/wxa/getuserriskrank?access_token={token}"), &json!({})).await;
    assert_eq!(refused["errcode"], 40232);
    let free = format!("/cgi-bin/menu/create?access_token={token}");
    assert_eq!(fake.post(&free, &json!({})).await["errcode"], 0);
    fake.rotate().await;
    assert_eq!(fake.post(&free, &json!({})).await["errcode"], 40001);
    let stats = json!({"requests": 4, "errors": {"40232": 1, "40001": 1}, "repeated_nonces": 0});
    assert_eq!(fake.stats().await, stats);
}

#[tokio::test]
async fn the_fake_echoes_what_was_signed() {
    let fake = Fake::start(true);
    let token = token(&fake).await;
    let mut letter = Letter::new("/cgi-bin/menu/create", APPID, now(), &json!({"name": "菜单"}));
    letter.plaintext = letter.plaintext.replacen('{', "{\"big\":123456789012345678,", 1);
    let answer = send(&fake, &letter.seal(&token)).await.expect("signed");
    let echo = &answer["echo"];
    assert_eq!((&echo["big"], &echo["name"]), (&json!(123_456_789_012_345_678_u64), &json!("菜单")));
    assert!(send(&fake, &letter.seal(&token)).await.is_ok());
    assert_eq!(fake.stats().await["repeated_nonces"], 1);
    let mut sealed = letter.seal(&token);
    sealed.body.push(' ');
    assert_eq!(send(&fake, &sealed).await, Err("unsigned"));
    assert_eq!(fake.stats().await["errors"], json!({"40234": 1}));
}
