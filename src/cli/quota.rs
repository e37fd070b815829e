//! Who uses which quota, as a table.

use wxgate::api::{AccountQuota, AppQuota, CallerCount, EndpointQuota, Quota, Warning};
use wxgate::texts::{marked, text};

use super::admin::unexpected;
use super::failure::Failure;
use super::table::Side::{self, Left, Right};
use super::table::Table;
use super::terminal::{fitted, printable, short, width};

const COLUMNS: [(&str, Side); 7] = [
    (marked!("ENDPOINT"), Left),
    (marked!("USED"), Right),
    (marked!("LIMIT"), Right),
    ("%", Right),
    (marked!("PER MIN"), Right),
    (marked!("RUNS OUT"), Right),
    (marked!("TOP CALLER"), Left),
];

/// The table for the JSON text of `GET /api/v1/quota`, of one app or all.
pub(super) fn render(json: &str, only: Option<&str>) -> Result<String, Failure> {
    let quota = parse(json)?;
    if let Some(name) = only
        && !quota.apps.iter().any(|app| app.app == name)
    {
        return Err(Failure::run(
            text!("no app is named {name}", name = format_args!("{name:?}")).to_string(),
        ));
    }
    Ok(table(&quota, only, width()))
}

pub(super) fn parse(json: &str) -> Result<Quota, Failure> {
    serde_json::from_str(json).map_err(|_| unexpected())
}

/// The question before counters are cleared, with what is left this month.
pub(super) fn clearing(json: &str, app: &str, endpoint: Option<&str>) -> Result<String, Failure> {
    let quota = parse(json)?;
    let known = quota.apps.iter().find(|known| known.app == app);
    let (all, single) = known.map_or((0, 0), |app| (app.clears_this_month, app.single_clears_this_month));
    let app = printable(app);
    Ok(match endpoint {
        None => text!(
            "Reset all of WeChat's counters of {app}? WeChat allows this 10 times a month, including resets made in its \
             console; by wxgate so far: {all}.",
            app,
            all
        )
        .to_string(),
        Some(endpoint) => text!(
            "Reset WeChat's counter of {endpoint} for {app}? WeChat allows this 50 times a month, including resets made \
             in its console; by wxgate so far: {single}.",
            endpoint = printable(endpoint),
            app,
            single
        )
        .to_string(),
    })
}

/// The question before wxgate's own counters and budgets are reset.
pub(super) fn resetting(app: &str) -> String {
    let question = text!(
        "Reset wxgate's own counters of {app}, and the daily budgets that its requests use, for today and on all \
         replicas? Callers may then send as much again. WeChat's counters stay as they are.",
        app = printable(app)
    );
    question.to_string()
}

/// For a terminal of `width` columns; without one no line is broken.
fn table(quota: &Quota, only: Option<&str>, width: Option<usize>) -> String {
    let left = short(std::time::Duration::from_secs(quota.day_ends_in_seconds));
    let headline = text!("{day}, {left} left; all times are Beijing's", day = quota.day, left);
    let mut out = fitted(&headline.to_string(), "", width);
    let is_shown = |app: &&AppQuota| match only {
        Some(only) => app.app == only,
        None => !app.endpoints.is_empty() || app.problem.is_some(),
    };
    let shown: Vec<_> = quota.apps.iter().filter(is_shown).collect();
    let mut table = Table::new(COLUMNS);
    // One for all apps, so that their columns stand below each other.
    shown.iter().flat_map(|app| &app.endpoints).for_each(|endpoint| table.add(cells(endpoint)));
    let table = table.laid_out(width);
    let mut rows = 0..;
    let accounts: Vec<_> =
        quota.accounts.iter().filter(|account| only.is_none_or(|only| account.app == only)).collect();
    for app in shown {
        out += "\n";
        out += &fitted(&named(app), "", width);
        if let Some(problem) = &app.problem {
            out += &fitted(&text!("no figures from WeChat: {problem}", problem).to_string(), "  ", width);
        }
        if !app.endpoints.is_empty() {
            out += &table.head();
        }
        for (endpoint, row) in app.endpoints.iter().zip(&mut rows) {
            out += &table.row(row);
            remarks(endpoint).iter().for_each(|remark| out += &fitted(remark, "  ", width));
        }
    }
    out += &of_accounts(&accounts, width);
    for warning in quota.warnings.iter().filter(|warning| only.is_none_or(|only| warning.app == only)) {
        out += "\n";
        out += &fitted(&warned(warning), "", width);
    }
    if quota.apps.iter().all(|app| app.endpoints.is_empty()) {
        out += &format!("{}\n", text!("no calls yet"));
    }
    out
}

/// The accounts that platforms act for.
fn of_accounts(accounts: &[&AccountQuota], width: Option<usize>) -> String {
    let mut table = Table::new(COLUMNS);
    accounts.iter().flat_map(|account| &account.endpoints).for_each(|endpoint| table.add(cells(endpoint)));
    let table = table.laid_out(width);
    let (mut out, mut rows) = (String::new(), 0..);
    for account in accounts {
        let name = text!(
            "{app}, account {account}; calls are this replica's",
            app = account.app,
            account = printable(&account.account)
        );
        out += "\n";
        out += &fitted(&name.to_string(), "", width);
        if let Some(problem) = &account.problem {
            out += &fitted(&text!("no figures from WeChat: {problem}", problem).to_string(), "  ", width);
        }
        out += &table.head();
        account.endpoints.iter().zip(&mut rows).for_each(|(_, row)| out += &table.row(row));
    }
    out
}

/// An app's name, with this month's resets if there were any.
fn named(app: &AppQuota) -> String {
    match (&app.app, app.clears_this_month, app.single_clears_this_month) {
        (app, 0, 0) => app.clone(),
        (app, all, single) => text!(
            "{app}, reset this month: all counters {all} of 10 times, single ones {single} of 50 times",
            app,
            all,
            single
        )
        .to_string(),
    }
}

fn warned(warning: &Warning) -> String {
    let Warning { app, message, .. } = warning;
    match (&warning.caller, warning.caller_percent) {
        (Some(caller), Some(percent)) => {
            text!("{app}: {message}; most calls: {caller} ({percent}%)", app, message, caller, percent)
                .to_string()
        }
        _ => format!("{app}: {message}"),
    }
}

fn cells(endpoint: &EndpointQuota) -> [String; 7] {
    let nothing = || "-".to_owned();
    let used = endpoint.used.unwrap_or(endpoint.calls_today);
    let limit = endpoint.limit.filter(|limit| *limit > 0);
    let percent = |limit: u64| (u128::from(used) * 100 / u128::from(limit)).to_string();
    let all: u128 = endpoint.callers.iter().map(|caller| u128::from(caller.calls)).sum();
    let share = |caller: &CallerCount| u128::from(caller.calls) * 100 / all.max(1);
    let most = endpoint.callers.first().map(|caller| format!("{} {}%", caller.caller, share(caller)));
    [
        endpoint.endpoint.clone(),
        grouped(used),
        limit.map_or_else(nothing, grouped),
        limit.map_or_else(nothing, percent),
        format!("{:.0}", endpoint.pace_per_minute),
        endpoint.exhausted_at.as_deref().map_or_else(nothing, in_beijing),
        most.unwrap_or_else(nothing),
    ]
}

/// The lines below an endpoint's row.
fn remarks(endpoint: &EndpointQuota) -> Vec<String> {
    let around = endpoint.around.filter(|around| *around > 0);
    let around =
        around.map(|around| text!("{calls} calls bypassed wxgate", calls = grouped(around)).to_string());
    let slowed = endpoint.slowed_until.as_deref().map(|until| {
        text!("slowed down since WeChat refused; next call at {time}", time = in_beijing(until)).to_string()
    });
    let errors = endpoint.errors.iter().map(|error| {
        let meaning = error.meaning.as_deref().map(|meaning| format!(": {meaning}")).unwrap_or_default();
        format!("{} × {}{meaning}", grouped(error.count), error.errcode)
    });
    around.into_iter().chain(slowed).chain(errors).collect()
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
    use wxgate::app::layout::columns;

    use super::{grouped, parse, table};

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
    fn into_a_pipe_goes_a_row_for_each_endpoint_with_whole_names() {
        let expected = "\
2026-11-25, 7h12m left; all times are Beijing's

shop, reset this month: all counters 1 of 10 times, single ones 0 of 50 times
ENDPOINT                                           USED    LIMIT   %  PER MIN  RUNS OUT  TOP CALLER
/cgi-bin/message/custom/send                    450,312  500,000  90     1234     16:40  orders 88%
  312 calls bypassed wxgate
  1,200 × 45047: too many messages to this user
/cgi-bin/a/path/that/is/longer/than/the/column        3        -   -        0         -  -
  slowed down since WeChat refused; next call at 00:00

quiet
  no figures from WeChat: WeChat answered 48001: api unauthorized

shop: it ends; most calls: orders (88%)
";
        let quota = parse(JSON).expect("quotas");
        assert_eq!(table(&quota, None, None), expected);
        assert!(!table(&quota, Some("quiet"), None).contains("shop"));
    }

    #[test]
    fn a_narrow_terminal_gets_more_lines_and_still_whole_names() {
        let quota = parse(JSON).expect("quotas");
        let text = table(&quota, None, Some(80));
        let expected = "\
ENDPOINT                        USED    LIMIT   %  PER MIN  RUNS OUT  TOP CALLER
/cgi-bin/message/custom/send
                             450,312  500,000  90     1234     16:40  orders 88%
  312 calls bypassed wxgate
";
        assert!(text.contains(expected), "{text}");
        for width in 46..120 {
            let text = table(&quota, None, Some(width));
            let longest = text.lines().map(columns).max();
            assert!(longest.is_some_and(|longest| longest <= width), "{text}");
            for name in ["/cgi-bin/a/path/that/is/longer/than/the/column", "orders 88%", "TOP CALLER"] {
                assert!(text.contains(name), "{text}");
            }
        }
    }

    #[test]
    fn digits_are_grouped_by_threes() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }
}
