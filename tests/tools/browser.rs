//! A headless Chromium, driven over a pipe by its DevTools protocol: one message a NUL-ended piece
//! of JSON, on file descriptors 3 and 4.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use crate::until::until;
use base64::Engine as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

/// How long a page may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// One tab of a browser of its own.
pub(crate) struct Browser {
    child: Child,
    commands: ChildStdin,
    messages: UnboundedReceiver<Value>,
    last_id: u64,
    session: String,
    /// The URL of everything that was asked for.
    pub(crate) requests: Vec<String>,
    /// What the console would show in red: errors, exceptions, violations of the policy.
    pub(crate) problems: Vec<String>,
    _profile: TempDir,
}

impl Browser {
    pub(crate) async fn start() -> Self {
        Self::resolving("EXCLUDE 127.0.0.1").await
    }

    /// One that knows these names and addresses alone, written as Chromium's
    /// `--host-resolver-rules`.
    pub(crate) async fn resolving(rules: &str) -> Self {
        let profile = tempfile::tempdir().expect("a directory");
        // The shell moves the pipes to where Chromium expects them.
        let mut child = Command::new("sh")
            .args(["-c", "exec chromium \"$@\" 3<&0 4>&1 >/dev/null 2>&1 </dev/null", "sh"])
            .args([
                "--headless=new",
                "--remote-debugging-pipe",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
            ])
            .args([
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--disable-component-update",
            ])
            .args(["--disable-sync", "--disable-extensions", "--force-color-profile=srgb", "--lang=en-US"])
            .arg(format!("--host-resolver-rules={rules}, MAP * ~NOTFOUND"))
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let commands = child.stdin.take().expect("piped");
        let output = child.stdout.take().expect("piped");
        let (sender, messages) = unbounded_channel();
        std::thread::spawn(move || {
            for message in BufReader::new(output).split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).expect("JSON");
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self {
            child,
            commands,
            messages,
            last_id: 0,
            session: String::new(),
            requests: Vec::new(),
            problems: Vec::new(),
            _profile: profile,
        };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"})).await;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = browser.call("Target.attachToTarget", attach).await;
        browser.session = attached["sessionId"].as_str().expect("a session").to_owned();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({})).await;
        }
        browser
    }

    /// The result of a command.
    pub(crate) async fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.last_id += 1;
        let mut command = json!({"id": self.last_id, "method": method, "params": parameters});
        if !self.session.is_empty() {
            command["sessionId"] = self.session.clone().into();
        }
        let mut bytes = command.to_string().into_bytes();
        bytes.push(0);
        self.commands.write_all(&bytes).expect("chromium runs (tests/run installs it)");
        loop {
            let message = timeout(PATIENCE, self.messages.recv()).await;
            let message = message.unwrap_or_else(|_| panic!("no answer to {method}")).expect("chromium runs");
            if message["id"] == self.last_id {
                assert!(message.get("error").is_none(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
            self.note(&message);
        }
    }

    fn note(&mut self, message: &Value) {
        let parameters = &message["params"];
        match message["method"].as_str() {
            Some("Network.requestWillBeSent") => {
                self.requests.push(parameters["request"]["url"].as_str().expect("a URL").to_owned());
            }
            Some("Runtime.exceptionThrown") => self.problems.push(parameters["exceptionDetails"].to_string()),
            Some("Runtime.consoleAPICalled")
                if parameters["type"] == "error" || parameters["type"] == "assert" =>
            {
                self.problems.push(parameters["args"].to_string());
            }
            Some("Log.entryAdded") if parameters["entry"]["level"] != "verbose" => {
                let entry = &parameters["entry"];
                self.problems.push(format!("{} {}", entry["text"], entry["url"]));
            }
            _ => {}
        }
    }

    pub(crate) async fn open(&mut self, url: &str) {
        let opened = self.call("Page.navigate", json!({"url": url})).await;
        assert!(opened.get("errorText").is_none(), "{opened}");
    }

    /// The value of an expression; a promise's when it resolves.
    pub(crate) async fn evaluate(&mut self, expression: &str) -> Value {
        let parameters = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let result = self.call("Runtime.evaluate", parameters).await;
        assert!(result.get("exceptionDetails").is_none(), "{expression}: {}", result["exceptionDetails"]);
        result["result"]["value"].clone()
    }

    pub(crate) async fn text(&mut self, selector: &str) -> String {
        let value = self.evaluate(&format!("document.querySelector({}).innerText", json!(selector))).await;
        value.as_str().unwrap_or_else(|| panic!("{selector} has no text")).to_owned()
    }

    /// Waits until an expression is true.
    pub(crate) async fn until(&mut self, expression: &str) {
        // What it asks about may not be there yet.
        let guarded =
            format!("(() => {{ try {{ return Boolean({expression}) }} catch {{ return false }} }})()");
        let waiting = until(|| expression, async || self.evaluate(&guarded).await == true);
        if timeout(PATIENCE, waiting).await.is_err() {
            let body = self.text("body").await;
            panic!("never came true: {expression}\n{:?}\n{body}", self.problems);
        }
    }

    /// Waits until an element that can be seen has this text in it.
    pub(crate) async fn until_shown(&mut self, selector: &str, text: &str) {
        let expression = format!(
            "[...document.querySelectorAll({})].some((one) => one.checkVisibility() && one.innerText.includes({}))",
            json!(selector),
            json!(text)
        );
        self.until(&expression).await;
    }

    pub(crate) async fn click(&mut self, selector: &str) {
        self.until(&format!("document.querySelector({})?.checkVisibility()", json!(selector))).await;
        self.evaluate(&format!("document.querySelector({}).click()", json!(selector))).await;
    }

    /// Writes into a field as by hand.
    pub(crate) async fn fill(&mut self, selector: &str, text: &str) {
        self.evaluate(&format!("document.querySelector({}).select()", json!(selector))).await;
        self.evaluate(&format!("document.querySelector({}).focus()", json!(selector))).await;
        self.call("Input.insertText", json!({"text": text})).await;
    }

    pub(crate) async fn press(&mut self, key: &str, code: u32) {
        for kind in ["rawKeyDown", "keyUp"] {
            let event = json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code});
            self.call("Input.dispatchKeyEvent", event).await;
        }
        if key == "Enter" {
            self.call("Input.dispatchKeyEvent", json!({"type": "char", "text": "\r"})).await;
        }
    }

    pub(crate) async fn resize(&mut self, width: u32, height: u32) {
        let metrics =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.call("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    pub(crate) async fn hide_scrollbars(&mut self) {
        self.call("Emulation.setScrollbarsHidden", json!({"hidden": true})).await;
    }

    /// Whether the system likes it `light` or `dark`.
    pub(crate) async fn prefer(&mut self, theme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": theme}]);
        self.call("Emulation.setEmulatedMedia", json!({"features": features})).await;
    }

    /// Writes a picture of the whole page to target/page.
    pub(crate) async fn picture(&mut self, name: &str) {
        let picture = self.screenshot(true).await;
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/page");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(format!("{name}.png")), picture).expect("written");
    }

    /// A PNG of what a screen shows of the page.
    pub(crate) async fn screen(&mut self) -> Vec<u8> {
        self.screenshot(false).await
    }

    async fn screenshot(&mut self, whole: bool) -> Vec<u8> {
        let parameters = json!({"format": "png", "captureBeyondViewport": whole});
        let picture = self.call("Page.captureScreenshot", parameters).await;
        let encoded = picture["data"].as_str().expect("a picture");
        base64::engine::general_purpose::STANDARD.decode(encoded).expect("base64")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
