//! Who spends which quota, as a table of 80 columns.

use serde::Deserialize;
use wxgate::app::layout::WIDTH;

use super::failure::Failure;
use super::terminal::{printable, short, wrapped};

// Only what is shown, and lenient: the proxy may be of another version.
#[derive(Deserialize)]
pub(super) struct Quota {
    day: String,
    day_ends_in_seconds: u64,
    pub(super) apps: Vec<App>,
    #[serde(default)]
    warnings: Vec<Warning>,
}

#[derive(Deserialize)]
pub(super) struct App {
    pub(super) app: String,
    pub(super) endpoints: Vec<Endpoint>,
    problem: Option<String>,
    #[serde(default)]
    clears_this_month: u32,
    #[serde(default)]
    single_clears_this_month: u32,
}

#[derive(Deserialize)]
pub(super) struct Endpoint {
    pub(super) endpoint: String,
    pub(super) calls_today: u64,
    limit: Option<u64>,
    used: Option<u64>,
    around: Option<u64>,
    #[serde(default)]
    pub(super) pace_per_minute: f64,
    exhausted_at: Option<String>,
    slowed_until: Option<String>,
    #[serde(default)]
    callers: Vec<Caller>,
    #[serde(default)]
    errors: Vec<ErrorCount>,
}

#[derive(Deserialize)]
struct Caller {
    caller: String,
    calls: u64,
}

#[derive(Deserialize)]
struct ErrorCount {
    errcode: i64,
    count: u64,
    meaning: Option<String>,
}

#[derive(Deserialize)]
struct Warning {
    app: String,
    message: String,
    caller: Option<String>,
    caller_percent: Option<u64>,
}

/// Endpoint, used, limit, percent, calls a minute, when it ends, who calls most; a longer path gets
/// a line of its own.
const WIDTHS: [usize; 7] = [32, 9, 10, 5, 7, 7, WIDTH - 32 - 9 - 10 - 5 - 7 - 7];

/// The table for the JSON text of `GET /api/v1/quota`, of one app or all.
pub(super) fn render(json: &str, only: Option<&str>) -> Result<String, Failure> {
    let quota = parse(json)?;
    if let Some(name) = only
        && !quota.apps.iter().any(|app| app.app == name)
    {
        return Err(Failure::run(format!("no app is named {name:?}")));
    }
    Ok(table(&quota, only))
}

pub(super) fn parse(json: &str) -> Result<Quota, Failure> {
    serde_json::from_str(json)
        .map_err(|_| Failure::run("the admin address answered something else than quotas"))
}

/// What is asked before counters are cleared, with the month's budget.
pub(super) fn clearing(json: &str, app: &str, endpoint: Option<&str>) -> Result<String, Failure> {
    let quota = parse(json)?;
    let known = quota.apps.iter().find(|known| known.app == app);
    let (all, single) = known.map_or((0, 0), |app| (app.clears_this_month, app.single_clears_this_month));
    let app = printable(app);
    Ok(match endpoint {
        None => format!(
            "Have all of WeChat's counters of {app} begin anew? WeChat allows it 10 times a month, its console's \
             included; by wxgate so far: {all}."
        ),
        Some(endpoint) => format!(
            "Have WeChat's counter of {} for {app} begin anew? WeChat allows it 50 times a month, its console's \
             included; by wxgate so far: {single}.",
            printable(endpoint)
        ),
    })
}

/// What is asked before wxgate's own counters and budgets begin anew.
pub(super) fn resetting(app: &str) -> String {
    format!(
        "Have wxgate's own counters of {}, and the daily budgets that its requests draw on, begin anew today, on all \
         replicas? Callers may then send as much again. WeChat's counters stay as they are.",
        printable(app)
    )
}

fn table(quota: &Quota, only: Option<&str>) -> String {
    let left = short(std::time::Duration::from_secs(quota.day_ends_in_seconds));
    let mut out = format!("{}, {left} left; all times are Beijing's\n", printable(&quota.day));
    let is_shown = |app: &&App| match only {
        Some(only) => app.app == only,
        None => !app.endpoints.is_empty() || app.problem.is_some(),
    };
    let called = quota.apps.iter().any(|app| !app.endpoints.is_empty());
    for app in quota.apps.iter().filter(is_shown) {
        let (all, single) = (app.clears_this_month, app.single_clears_this_month);
        let cleared = if all > 0 || single > 0 {
            format!(", cleared this month: {all} of 10 times all, {single} of 50 times one")
        } else {
            String::new()
        };
        out += &format!("\n{}{cleared}\n", printable(&app.app));
        if let Some(problem) = &app.problem {
            out += &wrapped(&printable(&format!("WeChat tells no figures: {problem}")), "  ");
        }
        out += &row(["ENDPOINT", "USED", "LIMIT", "%", "/MIN", "ENDS", "MOST"]);
        app.endpoints.iter().for_each(|endpoint| out += &lines(endpoint));
    }
    for warning in quota.warnings.iter().filter(|warning| only.is_none_or(|only| warning.app == only)) {
        let most = match (&warning.caller, warning.caller_percent) {
            (Some(caller), Some(percent)) => format!("; most: {caller} ({percent} %)"),
            _ => String::new(),
        };
        out += "\n";
        out += &wrapped(&printable(&format!("{}: {}{most}", warning.app, warning.message)), "");
    }
    if !called {
        out += "no calls yet\n";
    }
    out
}

fn lines(endpoint: &Endpoint) -> String {
    let used = endpoint.used.unwrap_or(endpoint.calls_today);
    let limit = endpoint.limit.filter(|limit| *limit > 0);
    let percent = limit
        .map_or_else(|| "-".to_owned(), |limit| format!("{}", u128::from(used) * 100 / u128::from(limit)));
    let all: u128 = endpoint.callers.iter().map(|caller| u128::from(caller.calls)).sum();
    let most = endpoint.callers.first().map_or_else(
        || "-".to_owned(),
        |caller| format!("{}% {}", u128::from(caller.calls) * 100 / all.max(1), caller.caller),
    );
    let mut path = printable(&endpoint.endpoint);
    let mut out = String::new();
    if path.chars().count() >= WIDTHS[0] {
        out = std::mem::take(&mut path);
        out.push('\n');
    }
    out += &row([
        &path,
        &grouped(used),
        &limit.map_or_else(|| "-".to_owned(), grouped),
        &percent,
        &format!("{:.0}", endpoint.pace_per_minute),
        &endpoint.exhausted_at.as_deref().map_or_else(|| "-".to_owned(), in_beijing),
        &printable(&most),
    ]);
    if let Some(around) = endpoint.around.filter(|around| *around > 0) {
        out += &wrapped(&format!("{} calls did not come through wxgate", grouped(around)), "  ");
    }
    if let Some(until) = &endpoint.slowed_until {
        out += &wrapped(&format!("slowed since WeChat refused, next call at {}", in_beijing(until)), "  ");
    }
    for error in &endpoint.errors {
        let meaning = error.meaning.as_deref().map(|meaning| format!(": {meaning}")).unwrap_or_default();
        out += &wrapped(&printable(&format!("{} × {}{meaning}", grouped(error.count), error.errcode)), "  ");
    }
    out
}

fn row(cells: [&str; 7]) -> String {
    let mut line = String::new();
    for (index, (cell, width)) in cells.into_iter().zip(WIDTHS).enumerate() {
        let cell: String = cell.chars().take(width - 1).collect();
        line += &match index {
            0 => format!("{cell:width$}"),
            6 => format!(" {cell}"),
            _ => format!("{cell:>width$}"),
        };
    }
    let mut line = line.trim_end().to_owned();
    line.push('\n');
    line
}

/// `1,234,567`
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The time of day in Beijing, whose days quotas follow.
pub(super) fn in_beijing(at: &str) -> String {
    const AHEAD: std::time::Duration = std::time::Duration::from_secs(8 * 3600);
    match humantime::parse_rfc3339(at) {
        Ok(at) => humantime::format_rfc3339_seconds(at + AHEAD).to_string()[11..16].to_owned(),
        Err(_) => printable(at),
    }
}

#[cfg(test)]
mod tests {
    use super::{WIDTH, grouped, parse, table};

    const JSON: &str = r#"{"day":"2026-11-25","day_ends_in_seconds":25920,"apps":[{"app":"shop","problem":null,
        "clears_this_month":1,"single_clears_this_month":0,"endpoints":[
        {"endpoint":"/cgi-bin/message/custom/send","calls_today":450000,"limit":500000,"used":450312,"remaining":49688,
         "asked_at":"2026-11-25T08:00:00Z","around":312,"rate_limit":null,"pace_per_minute":1234.4,
         "exhausted_at":"2026-11-25T08:40:00Z","slowed_until":null,
         "callers":[{"caller":"orders","calls":400000},{"caller":"crm","calls":50000}],
         "errors":[{"errcode":45047,"count":1200,"meaning":"too many messages to this user"}]},
        {"endpoint":"/cgi-bin/a/path/that/is/longer/than/the/column","calls_today":3,"limit":null,"used":null,
         "pace_per_minute":0.0,"exhausted_at":null,"slowed_until":"2026-11-25T16:00:00Z","callers":[],"errors":[]}]},
        {"app":"quiet","problem":"WeChat answered 48001: api unauthorized","endpoints":[]}],
        "warnings":[{"at":"x","app":"shop","endpoint":"e","kind":"forecast","message":"it ends","caller":"orders","caller_percent":88,"around":null}]}"#;

    #[test]
    fn the_table_says_it_all_in_80_columns() {
        let expected = "\
2026-11-25, 7h12m left; all times are Beijing's

shop, cleared this month: 1 of 10 times all, 0 of 50 times one
ENDPOINT                             USED     LIMIT    %   /MIN   ENDS MOST
/cgi-bin/message/custom/send      450,312   500,000   90   1234  16:40 88% order
  312 calls did not come through wxgate
  1,200 × 45047: too many messages to this user
/cgi-bin/a/path/that/is/longer/than/the/column
                                        3         -    -      0      - -
  slowed since WeChat refused, next call at 00:00

quiet
  WeChat tells no figures: WeChat answered 48001: api unauthorized
ENDPOINT                             USED     LIMIT    %   /MIN   ENDS MOST

shop: it ends; most: orders (88 %)
";
        let quota = parse(JSON).expect("quotas");
        let text = table(&quota, None);
        assert_eq!(text, expected);
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH));
        assert!(!table(&quota, Some("quiet")).contains("shop"));
    }

    #[test]
    fn digits_are_grouped_by_threes() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }
}
