//! What a running proxy is doing, refreshed every two seconds.

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep};
use wxgate::api::{Activity, App, AppState, CallerActivity, Event, Quota, Status};
use wxgate::texts::{marked, text};

use super::admin::Client;
use super::failure::Failure;
use super::quota::{self, grouped, in_beijing};
use super::table::Side::{Left, Right};
use super::table::Table;
use super::terminal::{fitted, print, short, width};

const PERIOD: Duration = Duration::from_secs(2);
/// Moves the cursor home and clears everything after it.
const CLEAR: &str = "\x1b[H\x1b[J";
/// Lines of each part, so that a frame fits into a small terminal.
const APPS: usize = 6;
const CALLERS: usize = 6;
const ENDPOINTS: usize = 8;
const EVENTS: usize = 5;

/// How many requests each caller had made by when, by app and caller.
type Before = (Instant, HashMap<(String, String), u64>);

/// Prints frames until it is interrupted; only one if stdout is not a terminal.
pub(super) async fn run(client: &Client) -> Result<(), Failure> {
    let live = std::io::stdout().is_terminal();
    let mut before = None;
    loop {
        let frame = frame(client, &mut before).await?;
        print(&if live { format!("{CLEAR}{frame}") } else { frame })?;
        if !live {
            return Ok(());
        }
        sleep(PERIOD).await;
    }
}

async fn frame(client: &Client, before: &mut Option<Before>) -> Result<String, Failure> {
    let other = |_| Failure::run("unexpected response from the admin address");
    let status: Status = serde_json::from_str(&client.status().await?).map_err(other)?;
    let quota = quota::parse(&client.get("/api/v1/quota").await?)?;
    let activity: Activity = serde_json::from_str(&client.get("/api/v1/activity").await?).map_err(other)?;
    let now = Instant::now();
    let rates = rates(&activity.callers, before.as_ref(), now);
    let key = |caller: &CallerActivity| (caller.app.clone(), caller.caller.clone());
    *before = Some((now, activity.callers.iter().map(|caller| (key(caller), caller.requests())).collect()));
    Ok(render(&status, &quota, &activity, &rates, SystemTime::now(), width()))
}

/// Requests a second of each caller since the previous frame.
fn rates(callers: &[CallerActivity], before: Option<&Before>, now: Instant) -> Vec<Option<f64>> {
    let Some((at, counts)) = before else { return vec![None; callers.len()] };
    let seconds = now.duration_since(*at).as_secs_f64().max(0.001);
    let rate = |caller: &CallerActivity| {
        let before = counts.get(&(caller.app.clone(), caller.caller.clone())).copied().unwrap_or_default();
        Some(caller.requests().saturating_sub(before) as f64 / seconds)
    };
    callers.iter().map(rate).collect()
}

fn render(
    status: &Status,
    quota: &Quota,
    activity: &Activity,
    rates: &[Option<f64>],
    now: SystemTime,
    width: Option<usize>,
) -> String {
    let ready = status.apps.iter().filter(|app| app.state == AppState::Ready).count();
    let up = humantime::parse_rfc3339(&status.started_at).ok();
    let mut headline = vec![format!("wxgate {}", status.version)];
    if let Some(age) = up.and_then(|at| now.duration_since(at).ok()) {
        headline.push(text!("up {age}", age = short(age)).to_string());
    }
    headline.push(text!("{ready} of {all} apps ready", ready, all = status.apps.len()).to_string());
    if let Some(rate) = rates.iter().copied().sum::<Option<f64>>().filter(|_| !rates.is_empty()) {
        headline.push(text!("{rate} requests a second", rate = format_args!("{rate:.0}")).to_string());
    }
    let parts = [
        fitted(&headline.join(&text!(", ").to_string()), "", width),
        apps(&status.apps, width),
        callers(activity, rates, width),
        endpoints(quota, width),
        events(&activity.events, width),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

fn apps(apps: &[App], width: Option<usize>) -> String {
    let mut table = Table::new([
        (marked!("APP"), Left),
        (marked!("STATE"), Left),
        (marked!("GEN"), Right),
        (marked!("EXPIRES"), Right),
    ]);
    let mut sorted: Vec<_> = apps.iter().collect();
    // Apps that need attention come first.
    sorted.sort_by_key(|app| app.state == AppState::Ready);
    for app in sorted.iter().take(APPS) {
        let (generation, expires) = app.token.as_ref().map_or_else(
            || ("-".to_owned(), "-".to_owned()),
            |token| (token.generation.to_string(), short(Duration::from_secs(token.expires_in_seconds))),
        );
        table.add([app.name.clone(), app.state.as_str().to_owned(), generation, expires]);
    }
    [table.laid_out(width).all(), more(apps.len(), APPS)].concat()
}

fn callers(activity: &Activity, rates: &[Option<f64>], width: Option<usize>) -> String {
    let mut table = Table::new([
        (marked!("CALLER"), Left),
        (marked!("APP"), Left),
        (marked!("/S"), Right),
        (marked!("OK"), Right),
        (marked!("WECHAT"), Right),
        (marked!("REFUSED"), Right),
        (marked!("FAILED"), Right),
    ]);
    let mut callers: Vec<_> = activity.callers.iter().zip(rates).collect();
    callers.sort_by(|(one, rate), (other, others)| {
        let busier = others.unwrap_or(0.0).total_cmp(&rate.unwrap_or(0.0));
        busier.then(other.requests().cmp(&one.requests()))
    });
    for (caller, rate) in callers.iter().take(CALLERS) {
        table.add([
            caller.caller.clone(),
            caller.app.clone(),
            rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.0}")),
            grouped(caller.ok),
            grouped(caller.wechat_error),
            grouped(caller.refused),
            grouped(caller.failed),
        ]);
    }
    [table.laid_out(width).all(), more(callers.len(), CALLERS)].concat()
}

fn endpoints(quota: &Quota, width: Option<usize>) -> String {
    let mut table = Table::new([
        (marked!("ENDPOINT"), Left),
        (marked!("APP"), Left),
        (marked!("TODAY"), Right),
        (marked!("PER MIN"), Right),
    ]);
    let mut endpoints: Vec<_> =
        quota.apps.iter().flat_map(|app| app.endpoints.iter().map(move |endpoint| (app, endpoint))).collect();
    endpoints.sort_by_key(|(_, endpoint)| std::cmp::Reverse(endpoint.calls_today));
    for (app, endpoint) in endpoints.iter().take(ENDPOINTS) {
        table.add([
            endpoint.endpoint.clone(),
            app.app.clone(),
            grouped(endpoint.calls_today),
            format!("{:.0}", endpoint.pace_per_minute),
        ]);
    }
    [table.laid_out(width).all(), more(endpoints.len(), ENDPOINTS)].concat()
}

fn events(events: &[Event], width: Option<usize>) -> String {
    if events.is_empty() {
        return String::new();
    }
    let lines = events.iter().take(EVENTS).map(|event| fitted(&described(event), "", width));
    std::iter::once(format!("{}\n", text!("EVENTS (Beijing time)"))).chain(lines).collect()
}

/// "10:31 shop: rejected on /cgi-bin/..., replaced, 140 ms, 37 replayed"
fn described(event: &Event) -> String {
    let reason = &event.reason;
    let what = match &event.endpoint {
        Some(endpoint) => text!("{reason} on {endpoint}", reason, endpoint).to_string(),
        None => reason.clone(),
    };
    let mut parts = vec![format!("{} {}: {what}", in_beijing(&event.at), event.app)];
    if !event.outcome.is_empty() {
        parts.push(event.outcome.clone());
    }
    parts.extend(event.took_ms.map(|took| format!("{took} ms")));
    if event.replayed > 0 {
        parts.push(text!("{count} replayed", count = grouped(event.replayed)).to_string());
    }
    let text = parts.join(", ");
    match &event.message {
        Some(message) => format!("{text}: {message}"),
        None => text,
    }
}

fn more(all: usize, shown: usize) -> String {
    match all.saturating_sub(shown) {
        0 => String::new(),
        count => format!("{}\n", text!("… and {count} more", count)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{Activity, CallerActivity, Instant, Status, quota, rates, render};

    fn activity() -> Activity {
        serde_json::from_str(
            r#"{"callers":[{"caller":"crm","app":"shop","ok":10,"wechat_error":0,"refused":0,"failed":0},
             {"caller":"orders","app":"shop","ok":1500,"wechat_error":20,"refused":3,"failed":1}],
             "events":[{"at":"2026-11-25T02:31:00.000Z","app":"shop","reason":"rejected","outcome":"replaced",
              "endpoint":"/cgi-bin/user/info","took_ms":140,"replayed":37,"generation":5,"message":null},
             {"at":"2026-11-25T02:30:00.000Z","app":"\u001b[2J","reason":"interference","outcome":"","endpoint":null,
              "took_ms":null,"replayed":0,"generation":5,"message":"another program fetches"}]}"#,
        )
        .expect("activity")
    }

    #[test]
    fn a_frame_says_it_all() {
        let status: Status = serde_json::from_str(
            r#"{"version":"0.1.0","started_at":"1970-01-01T00:00:00Z","apps":[
             {"name":"shop","state":"ready","token":{"generation":5,"expires_in_seconds":6475}},
             {"name":"game","state":"unavailable","token":null}]}"#,
        )
        .expect("a status");
        let quota = quota::parse(
            r#"{"day":"d","day_ends_in_seconds":1,"apps":[{"app":"shop","endpoints":[
             {"endpoint":"/cgi-bin/user/info","calls_today":1500,"pace_per_minute":300.2}]}]}"#,
        );
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(7200);
        let frame =
            render(&status, &quota.expect("quotas"), &activity(), &[Some(0.5), Some(20.0)], now, None);
        let expected = "\
wxgate 0.1.0, up 2h00m, 1 of 2 apps ready, 20 requests a second

APP   STATE        GEN  EXPIRES
game  unavailable    -        -
shop  ready          5    1h47m

CALLER  APP   /S     OK  WECHAT  REFUSED  FAILED
orders  shop  20  1,500      20        3       1
crm     shop   0     10       0        0       0

ENDPOINT            APP   TODAY  PER MIN
/cgi-bin/user/info  shop  1,500      300

EVENTS (Beijing time)
10:31 shop: rejected on /cgi-bin/user/info, replaced, 140 ms, 37 replayed
10:30  [2J: interference: another program fetches
";
        assert_eq!(frame, expected);
    }

    #[test]
    fn a_rate_is_what_came_between_two_frames() {
        let callers: Vec<CallerActivity> = activity().callers;
        let now = Instant::now();
        assert_eq!(rates(&callers, None, now), [None, None]);
        let before = (now, [(("shop".to_owned(), "crm".to_owned()), 4)].into());
        assert_eq!(rates(&callers, Some(&before), now + Duration::from_secs(2)), [Some(3.0), Some(762.0)]);
    }
}
