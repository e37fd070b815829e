//! `wxgate demo --once` and `wxgate sandbox`, as a newcomer runs them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// The longest run of characters that a token could have; shown are the first few of each.
fn longest_word(text: &str) -> usize {
    let is_token = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    text.split(|c| !is_token(c)).map(str::len).max().unwrap_or(0)
}

#[test]
fn the_tour_holds_and_reads_well_without_a_terminal() {
    let output = Command::new(env!("CARGO_BIN_EXE_wxgate")).args(["demo", "--once"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "the log must not spill into the tour");

    let mut step = 0;
    let mut held = vec![0];
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line:?} is wider than 80 columns");
        if line.starts_with(&format!("{}. ", step + 1)) {
            step += 1;
            held.push(0);
        }
        held[step] += usize::from(line.trim_start().starts_with('✓'));
    }
    assert_eq!(held[0], 0);
    assert!(held.len() == 8 && held[1..].iter().all(|held| *held > 0), "{held:?}\n{text}");
    assert!(!text.contains('✗') && !text.contains("NOT"), "{text}");
    assert!(text.contains("All held: "), "{text}");

    assert!(!text.contains('\u{1b}'), "escape codes without a terminal");
    assert!(longest_word(&text) < 24, "a token or a secret is printed:\n{text}");
    assert!(text.contains("40001") && text.contains("200 of 200") && text.contains("1 fetch"), "{text}");
}

fn tour(language: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wxgate"));
    let output = command.args(["demo", "--once"]).env("WXGATE_LANG", language).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    text
}

/// With each number as `#`, since they differ from tour to tour.
fn without_numbers(line: &str) -> String {
    let mut out = String::new();
    for c in line.chars() {
        match c {
            c if !c.is_ascii_digit() => out.push(c),
            _ if !out.ends_with('#') => out.push('#'),
            _ => {}
        }
    }
    out
}

#[test]
fn the_pages_show_the_tour_as_it_is_in_their_language() {
    for (language, pages) in [
        ("en", ["README.md", "docs/en/getting-started.md"]),
        ("zh", ["README.zh-CN.md", "docs/zh/getting-started.md"]),
    ] {
        let tour = tour(language);
        let lines: Vec<_> = tour.lines().map(without_numbers).collect();
        let is_wide = |c: &char| matches!(c, '\u{2e80}'..='\u{a4cf}' | '\u{ff00}'..='\u{ff60}');
        for line in tour.lines() {
            let width = line.chars().count() + line.chars().filter(is_wide).count();
            assert!(width <= 80, "{line:?} is wider than 80 columns");
        }
        for page in pages {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
            let text = std::fs::read_to_string(path).unwrap();
            let blocks = text.split("```text\n").skip(1).filter_map(|block| block.split("```").next());
            let shown = blocks.filter(|block| block.starts_with(|c: char| c.is_ascii_digit()));
            // Tokens differ, too.
            let shown: Vec<_> = shown.flat_map(str::lines).filter(|line| !line.contains("...")).collect();
            assert!(shown.len() > 5, "{page} shows {shown:?}");
            for line in shown.into_iter().map(without_numbers) {
                assert!(
                    line.is_empty() || lines.contains(&line),
                    "{page} shows {line:?}, and there is: {tour}"
                );
            }
        }
    }
}

/// A program that serves until it is told to end.
struct Serving {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Serving {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_wxgate"))
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// What is printed up to the line that holds `last`.
    fn read_to(&mut self, last: &str) -> String {
        let mut text = String::new();
        let mut line = String::new();
        while self.lines.read_line(&mut line).unwrap() > 0 {
            text.push_str(&line);
            if line.contains(last) {
                return text;
            }
            line.clear();
        }
        assert!(text.contains(last), "{last:?} never came: {text}");
        text
    }

    /// Ends it by a signal; the exit code.
    fn signal(mut self, signal: &str) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Serving {
    /// Where a test fails before its signal.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn get(url: &str) -> String {
    call("GET", url, "")
}

fn call(method: &str, url: &str, body: &str) -> String {
    let (authority, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(authority).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} /{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The URL of the first `curl` line that has `part`.
fn url<'t>(text: &'t str, part: &str) -> &'t str {
    let line = text.lines().find(|line| line.contains("curl ") && line.contains(part)).unwrap();
    let from = line.find("http://").unwrap();
    line[from..].split(['\'', ' ']).next().unwrap()
}

#[test]
fn after_the_tour_the_printed_lines_work_until_a_signal_comes() {
    let mut demo = Serving::start(&["demo"]);
    let text = demo.read_to("Press Ctrl-C to stop.");
    // How long the program's path is, is not the demo's doing.
    let mut lines = text.lines().filter(|line| !line.contains(env!("CARGO_BIN_EXE_wxgate")));
    assert!(lines.all(|line| line.chars().count() <= 80), "{text}");
    let user = get(url(&text, "user/info"));
    assert!(user.starts_with("HTTP/1.1 200") && user.contains("\"openid\":\"you\""), "{user}");
    assert!(call("POST", url(&text, "/sandbox/rotate"), "{}").contains("\"changed\":1"));
    assert!(get(url(&text, "user/info")).contains("\"openid\":\"you\""));
    assert!(get(url(&text, "/cgi-bin/menu/get")).starts_with("HTTP/1.1 200"));
    assert!(get(url(&text, "/sandbox/journal")).contains("\"entries\""));
    let page = text.lines().find_map(|line| line.trim().strip_prefix("Status page: ")).unwrap();
    assert!(get(page).starts_with("HTTP/1.1 200"));
    let seventh = text.split("7. ").nth(1).expect("seven steps");
    assert!(seventh.contains(page) && seventh.contains("campaign 78, orders 12"), "{seventh}");
    let wechats = text.lines().find_map(|line| line.trim().strip_prefix("The fake WeChat's page: ")).unwrap();
    assert!(wechats.ends_with("/sandbox/") && get(wechats).starts_with("HTTP/1.1 200"), "{wechats}");
    assert_eq!(demo.signal("-INT"), Some(0));
}

#[test]
fn a_sandbox_serves_made_up_accounts_until_a_signal_comes() {
    let mut sandbox = Serving::start(&["sandbox", "--listen", "127.0.0.1:0"]);
    let text = sandbox.read_to("Press Ctrl-C to stop.");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let token = format!(
        "{}?grant_type=client_credential&appid=wx0000000000sandbox&secret=secret",
        url(&text, "/cgi-bin/token")
    );
    assert!(get(&token).contains("\"access_token\""));
    assert!(get(url(&text, "/sandbox/journal")).contains("/cgi-bin/token"));
    assert!(text.contains("--allow-unlisted"), "{text}");
    assert!(get(&url(&text, "/cgi-bin/token").replace("token", "tokne")).contains("\"errcode\":40066"));
    assert_eq!(sandbox.signal("-TERM"), Some(0));
}

#[test]
fn a_sandbox_may_be_started_so_that_it_takes_endpoints_that_wechat_does_not_have() {
    let mut sandbox = Serving::start(&["sandbox", "--listen", "127.0.0.1:0", "--allow-unlisted"]);
    let text = sandbox.read_to("Press Ctrl-C to stop.");
    let misspelt = url(&text, "/cgi-bin/token").replace("token", "tokne");
    assert!(get(&misspelt).contains("\"errcode\":41001"), "{}", get(&misspelt));
    assert_eq!(sandbox.signal("-TERM"), Some(0));
}

#[test]
fn a_sandbox_takes_the_accounts_of_a_configuration_and_shows_no_secret() {
    const SECRET: &str = "c0ffee00c0ffee00c0ffee00c0ffee00";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wxgate.toml");
    std::fs::write(folder.path().join("secret"), SECRET).unwrap();
    std::fs::write(
        &file,
        "[[app]]\nname = 'shop'\nappid = 'wx0123456789abcdef'\nsecret = { file = 'secret' }\nkind = 'mini_program'\n",
    )
    .unwrap();
    let mut sandbox =
        Serving::start(&["sandbox", "--listen", "127.0.0.1:0", "--config", file.to_str().unwrap()]);
    let text = sandbox.read_to("Press Ctrl-C to stop.");
    assert!(text.contains("wx0123456789abcdef") && text.contains("mini_program"), "{text}");
    assert!(!text.contains(SECRET), "{text}");
    let base = url(&text, "/cgi-bin/token");
    let ask = |secret| {
        get(&format!("{base}?grant_type=client_credential&appid=wx0123456789abcdef&secret={secret}"))
    };
    assert!(ask(SECRET).contains("\"access_token\""));
    assert!(ask("secret").contains("40125"));
    assert_eq!(sandbox.signal("-TERM"), Some(0));
}
