//! `wxgate demo`, which goes on serving after its tour.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

/// The demo, ended with the test.
pub(crate) struct Demo {
    child: Child,
    /// Held open: the demo writes to it.
    _out: BufReader<ChildStdout>,
    /// `host:port` of the proxy.
    pub(crate) proxy: String,
    /// `host:port` of its admin address.
    pub(crate) admin: String,
}

impl Demo {
    /// Starts it and waits until its tour is over.
    pub(crate) fn after_its_tour() -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_wxgate")).arg("demo").stdout(Stdio::piped()).spawn();
        let mut child = child.expect("the demo starts");
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let (mut text, mut line) = (String::new(), String::new());
        while out.read_line(&mut line).expect("UTF-8") > 0 && !line.contains("Press Ctrl-C to stop.") {
            text.push_str(&line);
            line.clear();
        }
        assert!(text.contains("All held: "), "{text}");
        let authority = |part: &str| {
            let line =
                text.lines().find(|line| line.contains(part)).unwrap_or_else(|| panic!("{part}: {text}"));
            let address = line.split_once("http://").map(|(_, rest)| rest).unwrap_or_default();
            address.split(['/', ' ', '\'']).next().unwrap_or_default().to_owned()
        };
        Self { proxy: authority("user/info?openid=you"), admin: authority("Status page:"), child, _out: out }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
