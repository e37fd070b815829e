//! A day in the life of a shop: enough of everything for the page to show all that it can.

use wxgate::api::{
    self, Activity, AppState, CallerActivity, CallerCount, EndpointQuota, ErrorCount, Event, Quota,
    RateLimit, Traffic, Trouble, Warning, Wechat,
};
use wxgate::observe::clock::{Clock, Timestamp};

use super::setup::{Data, app, quota_of, refusal, spent};

/// RFC 3339 of so many minutes ago; of those to come where negative.
pub(crate) fn minutes_ago(minutes: i64) -> String {
    Timestamp(Clock::default().now().0 - minutes * 60_000).rfc3339()
}

fn callers(of: &[(&str, u64)]) -> Vec<CallerCount> {
    of.iter().map(|(caller, calls)| CallerCount { caller: (*caller).into(), calls: *calls }).collect()
}

fn error(errcode: i64, count: u64, meaning: &str, meaning_zh: &str) -> ErrorCount {
    ErrorCount {
        errcode,
        count,
        meaning: Some(meaning.into()),
        meaning_zh: Some(meaning_zh.into()),
        document: Some(
            "https://developers.weixin.qq.com/doc/offiaccount/Getting_Started/Global_Return_Code.html".into(),
        ),
    }
}

fn apps() -> Vec<api::App> {
    let refreshed = |minutes, reason: &str, outcome: &str| {
        Some(api::LastRefresh { at: minutes_ago(minutes), reason: reason.into(), outcome: outcome.into() })
    };
    let shop = api::App {
        appid: "wx3f0a9c2b7d61e845".into(),
        token: Some(api::Token { generation: 42, age_seconds: 734, expires_in_seconds: 6466 }),
        next_refresh_in_seconds: Some(6166),
        last_refresh: refreshed(12, "rejected", "replaced"),
        forces_left_today: 19,
        exports: vec![api::Export {
            to: "redis://cache:6379/3 (wechatpy)".into(),
            generation: Some(42),
            checked_at: Some(minutes_ago(0)),
            problem: None,
            overwritten: 0,
        }],
        authorizers: None,
        ..app("shop", AppState::Ready)
    };
    let members = api::App {
        kind: "mini_program".into(),
        appid: "wx91d2be07a4c83f56".into(),
        token: Some(api::Token { generation: 17, age_seconds: 3121, expires_in_seconds: 4079 }),
        next_refresh_in_seconds: Some(3779),
        last_refresh: refreshed(52, "ahead", "replaced"),
        credentials: Vec::new(),
        authorizers: None,
        ..app("members", AppState::Ready)
    };
    let coupons = api::App {
        appid: "wx5e17a0d94b2c6f38".into(),
        last_failure: Some(api::LastFailure {
            at: minutes_ago(4),
            errcode: Some(40164),
            message: "invalid ip 203.0.113.9, not in whitelist".into(),
            remedy: Some(
                "add 203.0.113.9 to the IP whitelist of wx5e17a0d94b2c6f38 at mp.weixin.qq.com".into(),
            ),
            permanent: true,
        }),
        last_refresh: refreshed(4, "startup", "failed"),
        ..app("coupons", AppState::Unavailable)
    };
    vec![shop, members, coupons]
}

fn quota() -> Quota {
    let send = EndpointQuota {
        used: Some(88_612),
        remaining: Some(11_388),
        around: Some(312),
        pace_per_minute: 96.4,
        exhausted_at: Some(minutes_ago(-118)),
        callers: callers(&[("orders", 62_693), ("crm", 17_660), ("campaign", 7_947)]),
        errors: vec![
            error(45015, 214, "the user has not written for 48 hours", "用户超过 48 小时未与公众号互动"),
            error(45047, 12, "too many customer service messages to this user", "客服消息下行条数超过上限"),
        ],
        ..spent("/cgi-bin/message/custom/send", 88_300, Some(100_000))
    };
    let template = EndpointQuota {
        slowed_until: Some(minutes_ago(-1)),
        rate_limit: Some(RateLimit { calls: 600, seconds: 60 }),
        callers: callers(&[("campaign", 70_112), ("orders", 4_021)]),
        errors: vec![error(45009, 31, "the day's quota is used up", "接口调用超过每日限额")],
        ..spent("/cgi-bin/message/template/send", 74_133, Some(100_000))
    };
    let user = EndpointQuota {
        callers: callers(&[("crm", 31_204), ("orders", 8_702)]),
        errors: vec![error(40003, 57, "invalid openid", "不合法的 OpenID")],
        ..spent("/cgi-bin/user/info", 39_906, Some(500_000))
    };
    let rest =
        [("/cgi-bin/media/upload", 812, Some(100_000)), ("/cgi-bin/qrcode/create", 240, Some(100_000))];
    let rest = rest.map(|(path, calls, limit)| spent(path, calls, limit));
    let shop = quota_of("shop", [send, template, user].into_iter().chain(rest).collect());
    let login = EndpointQuota {
        callers: callers(&[("login", 18_240)]),
        errors: vec![error(40029, 9, "the code is invalid or was used", "code 无效或已使用")],
        ..spent("/sns/jscode2session", 18_240, None)
    };
    let members = quota_of("members", vec![spent("/wxa/getwxacodeunlimit", 5_310, Some(500_000)), login]);
    let warning = |minutes, kind: &str, endpoint: &str, caller: Option<(&str, u64)>, around| Warning {
        at: minutes_ago(minutes),
        app: "shop".into(),
        endpoint: endpoint.into(),
        kind: kind.into(),
        message: "in words".into(),
        caller: caller.map(|(name, _)| name.into()),
        caller_percent: caller.map(|(_, percent)| percent),
        around,
    };
    Quota {
        day: "2026-11-25".into(),
        day_ends_in_seconds: 18_720,
        apps: vec![shop, members],
        accounts: Vec::new(),
        warnings: vec![
            warning(6, "forecast", "/cgi-bin/message/custom/send", Some(("orders", 71)), Some(312)),
            warning(38, "used_70_percent", "/cgi-bin/message/template/send", Some(("campaign", 94)), None),
            warning(64, "used_70_percent", "/cgi-bin/qrcode/create", None, Some(71_240)),
            warning(95, "around", "/cgi-bin/message/custom/send", None, Some(312)),
        ],
    }
}

fn activity() -> Activity {
    let event = |minutes, app: &str, reason: &str, outcome: &str, took| Event {
        at: minutes_ago(minutes),
        app: app.into(),
        reason: reason.into(),
        outcome: outcome.into(),
        endpoint: None,
        took_ms: Some(took),
        replayed: 0,
        generation: Some(42),
        message: None,
    };
    let rejected = Event {
        endpoint: Some("/cgi-bin/message/custom/send".into()),
        replayed: 37,
        ..event(12, "shop", "rejected", "replaced", 140)
    };
    let failed = Event {
        message: Some("invalid ip 203.0.113.9, not in whitelist (40164)".into()),
        ..event(4, "coupons", "startup", "failed", 61)
    };
    let events = vec![
        failed,
        rejected,
        Event { took_ms: None, ..event(12, "shop", "interference", "", 0) },
        event(52, "members", "ahead", "replaced", 118),
        event(97, "shop", "admin", "same", 88),
        event(171, "members", "startup", "replaced", 203),
    ];
    let caller = |caller: &str, app: &str, counts: [u64; 4]| CallerActivity {
        caller: caller.into(),
        app: app.into(),
        ok: counts[0],
        wechat_error: counts[1],
        refused: counts[2],
        failed: counts[3],
    };
    let callers = vec![
        caller("campaign", "shop", [77_940, 119, 1_204, 0]),
        caller("crm", "shop", [48_801, 63, 0, 1]),
        caller("login", "members", [18_231, 9, 0, 0]),
        caller("orders", "shop", [75_201, 215, 0, 2]),
    ];
    Activity { events, callers }
}

/// One endpoint in trouble, and one that was.
pub(crate) fn ill() -> Wechat {
    let endpoint = "/cgi-bin/message/template/send";
    let began =
        "WeChat answers -1 to 38 % of /cgi-bin/message/template/send since 17:03; other endpoints are well";
    let began_zh =
        "17:03 起，微信对 /cgi-bin/message/template/send 的 38% 调用返回 -1（系统繁忙）；其他接口正常";
    let busy = Trouble {
        app: "shop".into(),
        endpoint: endpoint.into(),
        kind: "busy".into(),
        since: minutes_ago(3),
        ended_at: None,
        calls: 1210,
        troubled: 460,
        addresses: Vec::new(),
        message: began.into(),
        message_zh: began_zh.into(),
    };
    let lag = Trouble {
        endpoint: "/cgi-bin/user/info".into(),
        kind: "token_lag".into(),
        since: minutes_ago(170),
        ended_at: Some(minutes_ago(169)),
        message: "/cgi-bin/user/info is well again".into(),
        message_zh: "/cgi-bin/user/info 已恢复正常".into(),
        ..busy.clone()
    };
    Wechat {
        blame: "wechat".into(),
        verdict: format!("it is WeChat, not wxgate: shop: {began}"),
        verdict_zh: format!("是微信的问题，不是 wxgate：shop：{began_zh}"),
        calls: 1800,
        troubled: 463,
        troubles: vec![busy, lag],
    }
}

fn well() -> Wechat {
    Wechat {
        blame: "nobody".into(),
        verdict: "WeChat is well: of 1800 calls in the last 5 minutes 1 % met trouble of its own".into(),
        verdict_zh: "微信正常：近 5 分钟 1800 次调用，1% 遇到微信自身的问题".into(),
        calls: 1800,
        troubled: 3,
        troubles: Vec::new(),
    }
}

/// A day with a quiet night and two busy hours.
fn traffic() -> Traffic {
    let minutes = 1440;
    let start = Clock::default().now().0 / 60_000 * 60 - (minutes - 1) * 60;
    let busy = |at: i64| {
        let hour = (at as f64 / 60.0 + 3.0) % 24.0;
        let day = (-((hour - 11.0) / 4.0).powi(2)).exp() + 0.8 * (-((hour - 20.0) / 2.5).powi(2)).exp();
        let noise = ((at * 7919) % 97) as f64 / 97.0;
        (20.0 + 300.0 * day) * (0.85 + 0.3 * noise)
    };
    let column = |part: f64, wave: i64| {
        (0..minutes).map(|at| (busy(at) * part * ((at % wave) as f64 / wave as f64)) as u64).collect()
    };
    let times = |base: f64, spread: f64| {
        (0..minutes).map(|at| (!(400..430).contains(&at)).then(|| base + spread * busy(at) / 400.0)).collect()
    };
    Traffic {
        step_seconds: 60,
        start,
        calls: (0..minutes).map(|at| if (400..430).contains(&at) { 0 } else { busy(at) as u64 }).collect(),
        wechat_errors: column(0.2, 300),
        refused: column(0.12, 170),
        failed: column(0.05, 460),
        replayed: column(0.1, 300),
        own_ms: times(0.3, 0.5),
        wechat_ms: times(38.0, 40.0),
    }
}

fn figures(calls: u64, in_trouble: bool) -> api::Figures {
    let of = |range| api::RangeFigures {
        range,
        since: minutes_ago(15),
        whole: true,
        calls,
        wechat_errors: 9,
        refused: if in_trouble { 3 } else { 0 },
        failed: if in_trouble { 4 } else { 0 },
        success_percent: (calls > 0).then_some(if in_trouble { 97.21 } else { 99.97 }),
        p50_ms: (calls > 0).then_some(38.2),
        p95_ms: (calls > 0).then_some(91.7),
        p99_ms: (calls > 0).then_some(1204.6),
    };
    let ranges = [api::Range::Quarter, api::Range::Hour, api::Range::Day, api::Range::Month];
    api::Figures { ranges: ranges.map(of).to_vec() }
}

fn refusals() -> Vec<api::Refusal> {
    let unknown = api::Refusal {
        code: Some("caller_unknown".into()),
        errcode: -70401,
        app: None,
        caller: None,
        endpoint: "other".into(),
        method: "GET".into(),
        path: "/.env".into(),
        why: "the API key is not known".into(),
        ..refusal("-", None, 1)
    };
    let failed = api::Refusal {
        code: Some("token_unavailable".into()),
        errcode: -70502,
        outcome: "failed".into(),
        why: "no token for coupons: 40164, add 203.0.113.9 to the IP whitelist".into(),
        ..refusal("crm", Some("coupons"), 4)
    };
    let all = vec![failed, refusal("orders", Some("shop"), 2), unknown];
    all.into_iter().map(|of| api::Refusal { last_at: minutes_ago(3), ..of }).collect()
}

/// Nothing has been asked for yet.
pub(crate) fn silence(data: &mut Data) {
    data.apps = apps();
    data.apps.truncate(2);
    for app in &mut data.quota.apps {
        app.endpoints.clear();
    }
    data.quota.warnings.clear();
    data.activity.callers.clear();
    data.figures = figures(0, false);
    (data.recent, data.refusals) = (Vec::new(), Vec::new());
}

/// So many apps, the first of which is the shop, each with traffic.
pub(crate) fn many(data: &mut Data, count: usize, in_trouble: bool) {
    let name = |at: usize| if at == 0 { "shop".to_owned() } else { format!("app-{at}") };
    let state = |at| if in_trouble && at == 17 { AppState::Unavailable } else { AppState::Ready };
    let told = |at| {
        let app = app(&name(at), state(at));
        api::App { authorizers: None, credentials: Vec::new(), ..app }
    };
    data.apps = (0..count).map(told).collect();
    let sample = quota();
    let endpoints = |at: usize| {
        let all = sample.apps[0].endpoints.iter().cloned();
        if in_trouble && at == 0 { all.collect() } else { all.skip(2).collect() }
    };
    data.quota.apps = (0..count).map(|at| quota_of(&name(at), endpoints(at))).collect();
    data.quota.warnings = if in_trouble { sample.warnings } else { Vec::new() };
    let recent = |at| api::AppFigures {
        app: name(at),
        calls: 1_800,
        refused: if at == 0 { 3 } else { 0 },
        success_percent: Some(if in_trouble && at == 0 { 94.1 } else { 99.97 }),
        p95_ms: Some(91.7),
    };
    data.recent = (0..count).map(recent).collect();
    data.wechat = if in_trouble { ill() } else { well() };
    data.refusals = if in_trouble { refusals() } else { Vec::new() };
    data.figures = figures(if count == 0 { 0 } else { 251 }, in_trouble);
    if count == 0 {
        data.activity = Activity::default();
    }
}

/// Everything at once.
pub(crate) fn data() -> Data {
    let mut data = Data::new();
    data.started_at = Timestamp(Clock::default().now().0 - 268_000_000);
    data.apps = apps();
    let url = "redis://redis.internal:6379/0".into();
    data.store = api::Store { url, up: true, problem: None, refused: Vec::new() };
    for upstream in &mut data.upstreams {
        upstream.healthy = true;
        upstream.problem = None;
    }
    data.wechat = well();
    data.quota = quota();
    data.activity = activity();
    data.traffic = traffic();
    data.figures = figures(251, true);
    data.recent = vec![api::AppFigures {
        app: "shop".into(),
        calls: 251,
        refused: 3,
        success_percent: Some(97.21),
        p95_ms: Some(91.7),
    }];
    data.refusals = refusals();
    data
}
