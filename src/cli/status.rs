//! The status of a running proxy as a table.

use std::fmt::Display;
use std::time::{Duration, SystemTime};

use wxgate::api::{
    App, AppState, Authorizers, Ending, Export, IncludedFile, LastFailure, LostAuthorization,
    RefusedConfiguration, RefusedRecord, Status,
};

use wxgate::texts::{marked, text};

use super::admin::unexpected;
use super::failure::Failure;
use super::table::Side::{Left, Right};
use super::table::{Layout, Table};
use super::terminal::{colour, fitted, printable, short, width};

/// The column that is painted.
const STATE: usize = 1;
/// Refused records that are named.
const RECORDS: usize = 5;

/// The table for the JSON text of `GET /api/v1/status`, in colour on a terminal.
pub(super) fn render(json: &str) -> Result<String, Failure> {
    table(json, SystemTime::now(), width(), colour()).map_err(|_| unexpected())
}

fn table(
    json: &str,
    now: SystemTime,
    width: Option<usize>,
    colour: bool,
) -> Result<String, serde_json::Error> {
    let status: Status = serde_json::from_str(json)?;
    let mut out = fitted(&headline(&status, now), "", width);
    if !matches!(status.wechat.blame.as_str(), "" | "nobody") {
        out += &fitted(&printable(&status.wechat.verdict), "  ", width);
    }
    if let Some(RefusedConfiguration { at, problem, more }) = &status.configuration.refused {
        let ago = ago(at, now);
        let text = match more {
            0 => text!(
                "the new configuration was rejected {ago}; the current one stays, but a restart would fail: {problem}",
                ago,
                problem
            )
            .to_string(),
            more => text!(
                "the new configuration was rejected {ago}; the current one stays, but a restart would fail: {problem} (and \
                 {more} more)",
                ago,
                problem,
                more
            )
            .to_string(),
        };
        out += &remark(text, width);
    }
    for file in &status.configuration.files {
        if let Some(rejected) = &file.rejected {
            out += &remark(rejection(rejected, now), width);
        }
    }
    for ending in &status.ending {
        out += &remark(expiry(ending), width);
    }
    if let Some(problem) = &status.store.problem {
        out += &remark(text!("the store is down, tokens are served from memory: {problem}", problem), width);
    }
    for RefusedRecord { key, reason, .. } in status.store.refused.iter().take(RECORDS) {
        out += &remark(text!("refused a record in the store ({reason}): {key}", reason, key), width);
    }
    for host in &status.upstreams {
        if let Some(problem) = &host.problem {
            out += &remark(text!("{host} fails: {problem}", host = host.origin, problem), width);
        }
    }
    let mut table = Table::new([
        (marked!("APP"), Left),
        (marked!("STATE"), Left),
        (marked!("AGE"), Right),
        (marked!("EXPIRES"), Right),
        (marked!("GEN"), Right),
        (marked!("LAST REFRESH"), Left),
    ]);
    status.apps.iter().for_each(|app| table.add(cells(app, now)));
    let table = table.laid_out(width);
    out += &table.head();
    for (row, app) in status.apps.iter().enumerate() {
        out += &painted(&table, row, app.state, colour);
        out += &remarks(app, now, width);
    }
    if status.apps.is_empty() {
        out += &format!("{}\n", text!("(none)"));
    }
    out += &included(&status.configuration.files, width);
    Ok(out)
}

/// The included files, if there are any.
fn included(files: &[IncludedFile], width: Option<usize>) -> String {
    let mut table = Table::new([(marked!("FILE"), Left), (marked!("STATE"), Left), (marked!("APPS"), Left)]);
    for IncludedFile { path, apps, rejected } in files {
        let state = if rejected.is_some() { text!("rejected") } else { text!("in force") };
        table.add([path.clone(), state.to_string(), apps.join(", ")]);
    }
    let table = table.laid_out(width);
    let rows: String = (0..files.len()).map(|row| table.row(row)).collect();
    if files.is_empty() { rows } else { format!("\n{}{rows}", table.head()) }
}

fn headline(status: &Status, now: SystemTime) -> String {
    let mut parts = vec![format!("wxgate {}", printable(&status.version))];
    if let Some(age) = age(&status.started_at, now) {
        parts.push(text!("up {age}", age = short(age)).to_string());
    }
    if status.draining {
        parts.push(text!("draining").to_string());
    }
    if !status.listeners.is_empty() {
        parts.push(text!("on {addresses}", addresses = printable(&status.listeners.join(", "))).to_string());
    }
    if !status.store.url.is_empty() {
        parts.push(text!("store {url}", url = printable(&status.store.url)).to_string());
    }
    parts.join(&text!(", ").to_string())
}

/// A line below the headline, or below an app's row.
fn remark(text: impl Display, width: Option<usize>) -> String {
    fitted(&printable(&text.to_string()), "  ", width)
}

fn rejection(RefusedConfiguration { at, problem, more }: &RefusedConfiguration, now: SystemTime) -> String {
    let ago = ago(at, now);
    match more {
        0 => text!(
            "an included file was rejected {ago}; its accounts stay as they were, but a restart would fail: {problem}",
            ago,
            problem
        )
        .to_string(),
        more => text!(
            "an included file was rejected {ago}; its accounts stay as they were, but a restart would fail: {problem} \
             (and {more} more)",
            ago,
            problem,
            more
        )
        .to_string(),
    }
}

fn expiry(Ending { kind, name, ends_in_seconds, .. }: &Ending) -> String {
    let left = short(Duration::from_secs(*ends_in_seconds));
    match (kind == "certificate", *ends_in_seconds > 0) {
        (true, true) => text!("the certificate of {name} expires in {left}", name, left).to_string(),
        (true, false) => text!("the certificate of {name} has expired", name).to_string(),
        (false, true) => text!("the API key of {name} expires in {left}", name, left).to_string(),
        (false, false) => text!("the API key of {name} has expired", name).to_string(),
    }
}

fn cells(app: &App, now: SystemTime) -> [String; 6] {
    let (age_of_token, expires, generation) = match &app.token {
        Some(token) => (
            short(Duration::from_secs(token.age_seconds)),
            short(Duration::from_secs(token.expires_in_seconds)),
            token.generation.to_string(),
        ),
        None => ("-".to_owned(), "-".to_owned(), "-".to_owned()),
    };
    let refresh = app.last_refresh.as_ref().map_or_else(
        || "-".to_owned(),
        |refresh| {
            let (ago, reason, outcome) = (ago(&refresh.at, now), &refresh.reason, &refresh.outcome);
            text!("{ago}, {reason}: {outcome}", ago, reason, outcome).to_string()
        },
    );
    [app.name.clone(), app.state.as_str().to_owned(), age_of_token, expires, generation, refresh]
}

fn painted(table: &Layout<'_, 6>, row: usize, state: AppState, colour: bool) -> String {
    let code = match state {
        AppState::Ready => "32",
        AppState::Starting => "33",
        AppState::Unavailable | AppState::Unknown => "31",
    };
    table.painted(
        row,
        |column, cell| {
            if colour && column == STATE { format!("\x1b[{code}m{cell}\x1b[0m") } else { cell }
        },
    )
}

/// The lines below an app's row.
fn remarks(app: &App, now: SystemTime, width: Option<usize>) -> String {
    let mut out = other_credentials(app, now, width);
    match app.interference {
        0 => {}
        1 => {
            let text =
                text!("interference: another program fetched a token with this app's secret, seen once");
            out += &remark(text, width);
        }
        count => {
            let text = text!(
                "interference: another program fetches tokens with this app's secret, seen {count} times",
                count
            );
            out += &remark(text, width);
        }
    }
    for Export { to, problem, overwritten, .. } in &app.exports {
        if let Some(problem) = problem {
            out += &remark(text!("export to {to} fails: {problem}", to, problem), width);
        }
        match overwritten {
            0 => {}
            1 => out += &remark(text!("export to {to}: overwritten once by another program", to), width),
            count => {
                let text = text!("export to {to}: overwritten {count} times by another program", to, count);
                out += &remark(text, width);
            }
        }
    }
    for LostAuthorization { suite, corporation, authorized_at, message, remedy, .. } in
        &app.lost_authorizations
    {
        let company = match corporation {
            Some(company) => company.clone(),
            None => text!("a company").to_string(),
        };
        let ago = ago(authorized_at, now);
        let text = text!(
            "authorisation lost: {company} authorised {suite} {ago}: {message}",
            company,
            suite,
            ago,
            message
        );
        out += &remark(text, width);
        out += &remark(text!("remedy: {remedy}", remedy), width);
    }
    if let Some(problem) = &app.last_failure {
        out += &failed(text!("problem"), problem, now, width);
    }
    out
}

/// An app's credentials other than its token: a line for all, and the problems of those that are
/// missing.
fn other_credentials(app: &App, now: SystemTime, width: Option<usize>) -> String {
    let authorizers = app.authorizers.as_ref().map(|authorizers| match authorizers {
        Authorizers { in_use, failing: 0 } => text!("authorizers: {in_use} in use", in_use).to_string(),
        Authorizers { in_use, failing } => {
            text!("authorizers: {in_use} in use, {failing} failing", in_use, failing).to_string()
        }
    });
    let credentials = app.credentials.iter().map(|credential| {
        let left = credential.expires_in_seconds.filter(|_| credential.state == AppState::Ready);
        match left {
            Some(left) => format!("{} {}", credential.kind, short(Duration::from_secs(left))),
            None => format!("{} {}", credential.kind, credential.state.as_str()),
        }
    });
    let all: Vec<_> = authorizers.into_iter().chain(credentials).collect();
    let mut out = String::new();
    if !all.is_empty() {
        out += &remark(all.join(", "), width);
    }
    for credential in app.credentials.iter().filter(|credential| credential.state != AppState::Ready) {
        if let Some(problem) = &credential.last_failure {
            out += &failed(&credential.kind, problem, now, width);
        }
    }
    out
}

fn failed(what: impl Display, problem: &LastFailure, now: SystemTime, width: Option<usize>) -> String {
    let message = match problem.errcode {
        Some(code) => format!("{code} {}", problem.message),
        None => problem.message.clone(),
    };
    let mut out =
        remark(text!("{what}, {ago}: {message}", what, ago = ago(&problem.at, now), message), width);
    if let Some(remedy) = &problem.remedy {
        out += &remark(text!("remedy: {remedy}", remedy), width);
    }
    out
}

fn age(at: &str, now: SystemTime) -> Option<Duration> {
    // The clocks of two machines differ: a time that seems to be in the future is now.
    humantime::parse_rfc3339(at).ok().map(|at| now.duration_since(at).unwrap_or_default())
}

fn ago(at: &str, now: SystemTime) -> String {
    age(at, now).map_or_else(|| at.to_owned(), |age| text!("{age} ago", age = short(age)).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"version":"0.1.0","started_at":"2026-11-22T08:00:00.000Z","listeners":["127.0.0.1:8080"],
        "draining":false,"wechat":{"blame":"wechat","verdict":"it is WeChat, not wxgate: shop: WeChat answers -1 to 38 % of /cgi-bin/user/info"},
        "configuration":{"loaded_at":"2026-11-22T08:00:00.000Z","refused":{
         "at":"2026-11-22T09:58:00.000Z","problem":"wxgate.toml:3:1: server.lisen: unknown key","more":2},
         "files":[{"path":"apps.d/a.toml","apps":["shop"],"rejected":null},{"path":"apps.d/b.toml","apps":["hr","tenants"],
          "rejected":{"at":"2026-11-22T09:59:00.000Z","problem":"apps.d/b.toml:1:2: syntax: is not TOML","more":0}}]},
        "ending":[{"kind":"certificate","name":"server.tls","ends_at":"2026-12-01T10:00:00.000Z","ends_in_seconds":777600},
         {"kind":"caller_key","name":"orders","ends_at":"2026-11-22T08:00:00.000Z","ends_in_seconds":0}],"store":{"url":"redis://r:6379/0","up":false,"problem":"refused","refused":[{"key":"access_token:stable:wx1","reason":"unsealed","since":"2026-11-22T08:00:00.000Z","kept":false}]},
        "upstreams":[{"origin":"https://api.weixin.qq.com","egress":null,"in_use":false,"healthy":false,
         "problem":"no answer within 15s"},{"origin":"https://api2.weixin.qq.com","egress":null,"in_use":true,
         "healthy":true,"problem":null}],"apps":[
        {"name":"shop","appid":"wx1","kind":"official_account","token_mode":"stable","state":"ready",
         "token":{"generation":42,"age_seconds":725,"expires_in_seconds":6475},"next_refresh_in_seconds":6175,
         "last_refresh":{"at":"2026-11-22T09:47:55.000Z","reason":"ahead","outcome":"replaced"},
         "last_failure":null,"forces_left_today":20,"interference":3,
         "exports":[{"to":"file:/run/shop","problem":"cannot use it","overwritten":2}]},
        {"name":"a-mini-program-with-a-long-name","appid":"wx2","kind":"mini_program","token_mode":"stable",
         "state":"unavailable","token":null,"next_refresh_in_seconds":null,"last_refresh":null,
         "last_failure":{"at":"2026-11-22T09:59:30Z","errcode":40164,
          "message":"invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist rid: 61725984-6126f6f9-040f19c4",
          "remedy":"add 203.0.113.7 to the account's IP whitelist\u001b[2J","permanent":true},"forces_left_today":20},
        {"name":"tenants","appid":"wx3","kind":"component","token_mode":null,"state":"ready",
         "token":{"generation":7,"age_seconds":60,"expires_in_seconds":7140},"last_refresh":null,"last_failure":null,
         "credentials":[],"authorizers":{"in_use":812,"failing":3}},
        {"name":"hr","appid":"ww4","kind":"wecom","token_mode":null,"state":"starting","token":null,
         "last_refresh":null,"last_failure":null,"authorizers":null,"credentials":[
          {"kind":"agent_config_ticket","state":"ready","generation":1,"expires_in_seconds":3661,"last_failure":null},
          {"kind":"suite_access_token","state":"unavailable","generation":null,"expires_in_seconds":null,
           "last_failure":{"at":"2026-11-22T09:59:30Z","errcode":null,"message":"no ticket was pushed",
            "remedy":"see that the callback is reached","permanent":false}}]}],
        "callers":[]}"#;

    fn at_ten() -> SystemTime {
        humantime::parse_rfc3339("2026-11-22T10:00:00Z").unwrap()
    }

    #[test]
    fn the_table_says_it_all() {
        let expected = "\
wxgate 0.1.0, up 2h00m, on 127.0.0.1:8080, store redis://r:6379/0
  it is WeChat, not wxgate: shop: WeChat answers -1 to 38 % of
  /cgi-bin/user/info
  the new configuration was rejected 2m00s ago; the current one stays, but a
  restart would fail: wxgate.toml:3:1: server.lisen: unknown key (and 2 more)
  an included file was rejected 1m00s ago; its accounts stay as they were, but a
  restart would fail: apps.d/b.toml:1:2: syntax: is not TOML
  the certificate of server.tls expires in 9d00h
  the API key of orders has expired
  the store is down, tokens are served from memory: refused
  refused a record in the store (unsealed): access_token:stable:wx1
  https://api.weixin.qq.com fails: no answer within 15s
APP               STATE           AGE  EXPIRES  GEN  LAST REFRESH
shop              ready        12m05s    1h47m   42  12m05s ago, ahead: replaced
  interference: another program fetches tokens with this app's secret, seen 3
  times
  export to file:/run/shop fails: cannot use it
  export to file:/run/shop: overwritten 2 times by another program
a-mini-program-with-a-long-name
                  unavailable       -        -    -  -
  problem, 30s ago: 40164 invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in
  whitelist rid: 61725984-6126f6f9-040f19c4
  remedy: add 203.0.113.7 to the account's IP whitelist [2J
tenants           ready         1m00s    1h59m    7  -
  authorizers: 812 in use, 3 failing
hr                starting          -        -    -  -
  agent_config_ticket 1h01m, suite_access_token unavailable
  suite_access_token, 30s ago: no ticket was pushed
  remedy: see that the callback is reached

FILE           STATE     APPS
apps.d/a.toml  in force  shop
apps.d/b.toml  rejected  hr, tenants
";
        assert_eq!(table(JSON, at_ten(), Some(80), false).unwrap(), expected);
    }

    #[test]
    fn no_name_is_cut_on_a_narrow_terminal_and_nothing_is_broken_in_a_pipe() {
        for width in 40..90 {
            let table = table(JSON, at_ten(), Some(width), false).unwrap();
            assert!(table.lines().all(|line| line.chars().count() <= width), "{table}");
            assert!(table.contains("a-mini-program-with-a-long-name"), "{table}");
        }
        let table = table(JSON, at_ten(), None, false).unwrap();
        assert!(
            table.contains("invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist rid: "),
            "{table}"
        );
    }

    #[test]
    fn colour_does_not_move_columns() {
        let plain = table(JSON, at_ten(), Some(80), false).unwrap();
        let coloured = table(JSON, at_ten(), Some(80), true).unwrap();
        assert!(coloured.contains("\x1b[32mready      \x1b[0m"));
        let stripped = ["\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"]
            .iter()
            .fold(coloured, |text, code| text.replace(code, ""));
        assert_eq!(stripped, plain);
    }

    #[test]
    fn a_response_that_is_not_a_status_is_an_error() {
        assert!(table("{}", at_ten(), None, false).is_err());
        assert!(table("<html>", at_ten(), None, false).is_err());
    }
}
