//! The status page in a real browser.

mod axe;
mod documented;
mod matrix;
mod sample;
#[expect(dead_code, reason = "shared with the tests of the admin address, which look at more")]
#[path = "../../it/admin/setup.rs"]
mod setup;
mod verdict;
mod views;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use wxgate::admin::{Refused, Scope};
use wxgate::api::{self, AppState};
use wxgate::observe::clock::Clock;
use wxgate::server::Address;
use wxgate::texts::Words;

use self::setup::{Setup, TOKEN, app, quota_of, spent, start_with};
use crate::browser::Browser;

/// An address with much to show.
async fn busy(scope: Option<Scope>, token: Option<&str>) -> Setup {
    let data = Arc::new(Mutex::new(sample::data()));
    start_with(Address::Tcp("127.0.0.1:0".into()), scope, token, data).await
}

async fn shown(setup: &Setup) -> Browser {
    let mut browser = Browser::start().await;
    browser.resize(1440, 900).await;
    browser.open(&format!("http://{}/", setup.authority())).await;
    browser.until_shown("#live", "live").await;
    browser
}

/// Nothing went wrong in the browser, and nobody else was asked for anything.
async fn is_clean(browser: &mut Browser, setup: &Setup) {
    browser.evaluate("1").await;
    assert_eq!(browser.problems, [""; 0]);
    asked_nobody_else(browser, setup);
}

fn asked_nobody_else(browser: &Browser, setup: &Setup) {
    let own = format!("http://{}/", setup.authority());
    assert!(browser.requests.len() > 15, "{:?}", browser.requests);
    for url in &browser.requests {
        assert!(url.starts_with(&own) || url == "data:,", "{url}");
    }
}

const NO_SIDEWAYS: &str = "document.documentElement.scrollWidth <= innerWidth";
/// The pixels of the canvas in `selector`, from a copy: Chromium complains where a canvas is read
/// again and again.
fn pixels(selector: &str) -> String {
    format!(
        "((canvas) => {{ \
         const {{ width, height }} = canvas; \
         const copy = new OffscreenCanvas(width, height).getContext('2d', {{ willReadFrequently: true }}); \
         copy.drawImage(canvas, 0, 0); \
         return [...new Uint32Array(copy.getImageData(0, 0, width, height).data.buffer)]; \
         }})(document.querySelector('{selector} canvas'))"
    )
}

/// Waits until both charts are drawn.
async fn drawn(browser: &mut Browser) {
    for chart in ["#requests", "#latency"] {
        browser.until(&format!("{}.some(Boolean)", pixels(chart))).await;
    }
}

#[tokio::test]
async fn the_page_shows_all_it_knows_and_follows_what_changes() {
    let setup = busy(None, Some(TOKEN)).await;
    let mut browser = shown(&setup).await;
    for (selector, text) in [
        ("#version", env!("CARGO_PKG_VERSION")),
        ("#tiles", "2 / 3"),
        ("#tiles", "97.2 %"),
        ("#tiles", "38 / 92 / 1,205 ms"),
        ("#ours", "127.0.0.1:8080"),
        ("#ours", "redis://redis.internal:6379/0"),
        ("#troubles", "coupons has no usable token: invalid ip 203.0.113.9"),
        ("#refusals", "token_unavailable"),
        (
            "#warnings",
            "shop: at this pace the quota for /cgi-bin/message/custom/send will not last for the day",
        ),
        ("#warnings", "mostly by orders (71%)"),
        ("#warnings", "shop: 312 calls to /cgi-bin/message/custom/send did not come through wxgate"),
        (
            "#warnings",
            "70% of today's quota for /cgi-bin/qrcode/create is used · 71,240 calls did not come through wxgate",
        ),
        ("[data-app=shop] .age", "12 min 14 s"),
        ("[data-app=shop] .generation", "42"),
        ("[data-app=shop] .bars", "88,612 / 100,000"),
        ("[data-app=shop] .bars", " at this pace"),
        ("[data-app=shop] .bars", "orders 71 %, crm 20 %"),
        ("[data-app=shop] .bars", "312 calls did not come through wxgate"),
        ("[data-app=shop] .bars", "slowed, next call at "),
        ("[data-app=coupons] .failure", "40164"),
        ("[data-app=coupons] .remedy", "add 203.0.113.9 to the IP whitelist"),
        ("#errors", "the user has not written for 48 hours"),
        ("#callers", "campaign"),
        (
            "#events",
            "Token of shop rejected by WeChat on /cgi-bin/message/custom/send, replaced in 140 ms, 37 requests replayed",
        ),
    ] {
        browser.until_shown(selector, text).await;
    }
    drawn(&mut browser).await;
    // Whoever is in trouble comes first.
    let order = "[...document.querySelectorAll('#apps article')].map((card) => card.dataset.app).join()";
    assert_eq!(browser.evaluate(order).await, "coupons,shop,members");
    let link = browser
        .evaluate("document.querySelector('#errors a').href + ' ' + document.querySelector('#errors a').rel");
    let link = link.await;
    assert!(link.as_str().is_some_and(
        |link| link.starts_with("https://developers.weixin.qq.com/") && link.contains("noreferrer")
    ));

    let selected = "getSelection().selectAllChildren(document.querySelector('[data-app=members] .name')), 1";
    browser.evaluate(selected).await;
    setup.change(|data| {
        data.apps[2] = app("coupons", AppState::Ready);
        data.quota.apps[0].endpoints[0].used = Some(91_000);
        data.activity.events.remove(0);
    });
    browser.until_shown("#tiles", "3 / 3").await;
    browser.until_shown("[data-app=shop] .bars", "91,000 / 100,000").await;
    browser.until("document.querySelector('[data-app=shop] .bars li').className === 'bad'").await;
    browser.until("document.querySelector('[data-app=shop] .fill').style.width === '91%'").await;
    assert_eq!(browser.evaluate("getSelection().toString()").await, "members", "the selection survives");
    assert_eq!(browser.evaluate("document.querySelectorAll('#events li').length").await, 5);
    is_clean(&mut browser, &setup).await;
}

#[tokio::test]
async fn it_reads_well_in_both_languages_and_themes_on_a_desk_and_on_a_phone() {
    let setup = busy(None, Some(TOKEN)).await;
    let mut browser = shown(&setup).await;
    drawn(&mut browser).await;
    for (language, words) in [("en", "Quota today"), ("zh", "今日配额")] {
        if language == "zh" {
            browser.click("#language").await;
        }
        browser.until_shown("[data-app=shop] .quota", words).await;
        for theme in ["light", "dark"] {
            browser.prefer(theme).await;
            let dark = "getComputedStyle(document.body).backgroundColor === 'rgb(16, 19, 22)'";
            assert_eq!(browser.evaluate(dark).await, theme == "dark");
            for width in [1440, 768, 360] {
                browser.resize(width, 900).await;
                browser.until(NO_SIDEWAYS).await;
                browser.until("[...document.querySelectorAll('.chart')].every((box) => box.querySelector('canvas').clientWidth <= box.clientWidth)").await;
                browser.picture(&format!("{language}-{theme}-{width}")).await;
            }
        }
    }
    browser
        .until_shown(
            "#events",
            "shop 的 token 在 /cgi-bin/message/custom/send 被微信拒绝，140 ms 内换新，重试 37 个请求",
        )
        .await;
    browser.until_shown("#warnings", "主要来自 orders（71%）").await;
    browser.until_shown("#warnings", "/cgi-bin/message/custom/send 有 312 次调用没有经过 wxgate").await;
    browser.until_shown("#errors", "用户超过 48 小时未与公众号互动").await;
    browser.until_shown("#live", "实时").await;
    assert_eq!(browser.evaluate("document.documentElement.lang").await, "zh-CN");
    // The reader's own choice is stronger than the system's, and stays.
    browser.click("#theme").await;
    browser.until("getComputedStyle(document.body).backgroundColor === 'rgb(246, 247, 248)'").await;
    browser.open(&format!("http://{}/", setup.authority())).await;
    browser.until_shown("#live", "实时").await;
    browser.until("getComputedStyle(document.body).backgroundColor === 'rgb(246, 247, 248)'").await;
    is_clean(&mut browser, &setup).await;
}

#[tokio::test]
async fn buttons_ask_first_say_what_it_costs_and_need_the_token() {
    let setup = busy(None, Some(TOKEN)).await;
    let mut browser = shown(&setup).await;
    browser.click("[data-app=shop] .clear").await;
    browser
        .until_shown(
            "#action[open]",
            "WeChat allows 10 such clears a month, including those made in its console; wxgate used 3",
        )
        .await;
    browser.picture("dialog-clear").await;
    browser.click("#action .cancel").await;
    browser.until("!document.querySelector('#action').open").await;
    assert_eq!(setup.done(), [""; 0]);

    browser.click("[data-app=shop] .clear").await;
    browser.fill("#action input", "wrong").await;
    browser.click("#action .primary").await;
    browser.until_shown("#action .result.bad", "That is not the admin token.").await;
    assert_eq!(setup.done(), [""; 0]);
    assert!(browser.problems.drain(..).all(|problem| problem.contains("status of 401")));

    browser.fill("#action input", TOKEN).await;
    browser.press("Enter", 13).await;
    browser.until_shown("#action .result.good", "the counters were reset").await;
    assert_eq!(setup.done(), ["clear shop everything"]);
    // What is done can't be done twice by a second click.
    browser.until("document.querySelector('#action .primary').hidden").await;
    browser.click("#action .cancel").await;

    // The token is asked for once a session.
    browser.click("[data-app=shop] .clear").await;
    browser.until("!document.querySelector('#action .secret').checkVisibility()").await;
    let choose = "const choice = document.querySelector('#action select'); \
                  choice.value = '/cgi-bin/user/info'; choice.dispatchEvent(new Event('change')); choice.options.length";
    assert_eq!(browser.evaluate(choose).await, 6);
    browser
        .until_shown("#action .budget", "WeChat allows 50 clears of single counters a month; wxgate used 7")
        .await;
    browser.click("#action .primary").await;
    browser.until_shown("#action .result.good", "the counters were reset").await;
    assert_eq!(setup.done(), ["clear shop everything", "clear shop /cgi-bin/user/info"]);
    browser.click("#action .cancel").await;

    browser.click("[data-app=shop] .force").await;
    browser.until_shown("#action[open]", "20 forced refreshes a day; 19 left today").await;
    assert_eq!(setup.refreshes(), 0);
    browser.click("#action .primary").await;
    browser.until_shown("#action .result.good", "done").await;
    assert_eq!(setup.refreshes(), 1);
    browser.press("Escape", 27).await;
    browser.until("!document.querySelector('#action').open").await;

    browser.evaluate("location.hash = '#/log', 1").await;
    browser.until("document.querySelector('#rid').checkVisibility()").await;
    browser.fill("#rid input", "61725984-6126f6f9-040f19c4").await;
    browser.evaluate("document.querySelector('#rid select').value = 'shop'").await;
    browser.click("#rid button").await;
    browser.until_shown("#rid .answer", "/cgi-bin/user/info?openid=bob").await;
    browser.until_shown("#rid .answer", "2021-10-25T10:11:44.000Z").await;
    assert_eq!(setup.done().last().map(String::as_str), Some("rid shop 61725984-6126f6f9-040f19c4"));
    browser.fill("#rid input", "61725984").await;
    browser.click("#rid button").await;
    browser.until_shown("#rid .result.bad", "three groups of 8").await;
    assert!(browser.problems.drain(..).all(|problem| problem.contains("status of 400")));
    is_clean(&mut browser, &setup).await;
}

#[tokio::test]
async fn a_look_up_asks_for_the_token_too() {
    let setup = busy(None, Some(TOKEN)).await;
    let mut browser = shown(&setup).await;
    browser.evaluate("location.hash = '#/log', 1").await;
    browser.until("document.querySelector('#rid').checkVisibility()").await;
    browser.fill("#rid input", "61725984-6126f6f9-040f19c4").await;
    browser.press("Enter", 13).await;
    browser.until("document.querySelector('#action').open").await;
    browser.fill("#action input", TOKEN).await;
    browser.press("Enter", 13).await;
    browser.until_shown("#rid .answer", "203.0.113.9").await;
    assert_eq!(browser.evaluate("document.querySelector('#action').open").await, false);
    is_clean(&mut browser, &setup).await;
}

#[tokio::test]
async fn without_a_configured_token_buttons_are_off_and_say_why() {
    let setup = busy(None, None).await;
    let mut browser = shown(&setup).await;
    browser.until_shown("#locked", "configure an admin token").await;
    let off = "[...document.querySelectorAll('.change, #rid button')].every((button) => button.disabled)";
    assert_eq!(browser.evaluate(off).await, true);
    is_clean(&mut browser, &setup).await;
}

#[tokio::test]
async fn an_open_address_shows_nothing_before_the_token_is_given() {
    let setup = busy(Some(Scope::Open), Some(TOKEN)).await;
    let mut browser = Browser::start().await;
    browser.resize(360, 780).await;
    browser.open(&format!("http://{}/", setup.authority())).await;
    browser.until_shown("#login", "nothing without the admin token").await;
    assert!(!browser.text("body").await.contains("shop"));
    browser.picture("login").await;
    browser.fill("#token", "wrong").await;
    browser.press("Enter", 13).await;
    browser.until_shown("#notice", "That is not the admin token.").await;
    browser.fill("#token", TOKEN).await;
    browser.press("Enter", 13).await;
    browser.until_shown("[data-app=shop] .generation", "42").await;
    drawn(&mut browser).await;
    browser.until(NO_SIDEWAYS).await;
    browser.until("!document.querySelector('#notice').checkVisibility()").await;
    assert!(browser.problems.drain(..).all(|problem| problem.contains("status of 401")));
    is_clean(&mut browser, &setup).await;
}

#[tokio::test]
async fn a_refused_configuration_and_what_ends_soon_stand_at_the_top_in_both_languages() {
    let setup = busy(None, None).await;
    let mut browser = shown(&setup).await;
    setup.change(|data| data.apps = vec![app("shop", AppState::Ready)]);
    browser.until_shown("#well.good", "wxgate is well").await;
    assert_eq!(browser.evaluate("document.querySelector('#troubles').checkVisibility()").await, false);
    let at = Clock::default().now();
    let problem = Words::untranslated("wxgate.toml:3:1: server.lisen: is no key <b>");
    let refused = Some(Refused { at, problem, more: 2 });
    setup.state.reloads.send_modify(|reloads| reloads.refused = refused);
    let ending = |kind: &str, name: &str, days: u64| api::Ending {
        kind: kind.to_owned(),
        name: name.to_owned(),
        ends_at: at.rfc3339(),
        ends_in_seconds: days * 86_400,
    };
    setup.change(|data| {
        data.ending = vec![ending("certificate", "server.tls", 9), ending("caller_key", "orders", 0)];
    });
    for said in [
        "restart would fail: wxgate.toml:3:1: server.lisen: is no key <b> (and 2 more)",
        "The certificate of server.tls expires in 9 d.",
        "The key of caller orders has expired.",
    ] {
        browser.until_shown("#troubles", said).await;
    }
    browser.picture("troubles").await;
    browser.click("#language").await;
    for said in [
        "的新配置未被接受，仍沿用旧配置，此时重启会失败：wxgate.toml:3:1: server.lisen: is no key <b>（另有 2 处）",
        "server.tls 的证书再过 9 天到期。",
        "调用方 orders 的 key 已到期。",
    ] {
        browser.until_shown("#troubles", said).await;
    }
    browser.picture("troubles-zh").await;
    is_clean(&mut browser, &setup).await;
}

#[tokio::test]
async fn the_page_says_when_it_is_not_live_and_comes_back_after_a_restart() {
    let setup = busy(None, None).await;
    let mut browser = shown(&setup).await;
    let address = setup.authority();
    setup.state.draining.send_replace(true);
    browser.until_shown("#troubles", "wxgate is shutting down").await;
    let (drained, data) =
        tokio::time::timeout(Duration::from_secs(5), setup.stop()).await.expect("not held up");
    assert_eq!(drained.cut_off, 0);
    browser.until_shown("#live.lost", "not live since ").await;
    // What was known stays to be read.
    browser.until_shown("[data-app=shop] .generation", "42").await;
    data.lock().expect("whole").apps[0].token.as_mut().expect("a token").generation = 43;
    let setup = start_with(Address::Tcp(address.to_string()), None, None, data).await;
    browser.until_shown("[data-app=shop] .generation", "43").await;
    browser.until_shown("#live.live", "live").await;
    let unexpected = |problem: &String| !problem.contains("ERR_CONNECTION_REFUSED");
    assert!(!browser.problems.iter().any(unexpected), "{:?}", browser.problems);
    asked_nobody_else(&browser, &setup);
}

#[tokio::test]
async fn hostile_names_stay_text() {
    let setup = busy(None, Some(TOKEN)).await;
    let mut browser = shown(&setup).await;
    const EVIL: &str = "<img src=x onerror=\"document.title='evil'\">";
    let long = "long".repeat(100);
    setup.change(|data| {
        data.apps = vec![app(EVIL, AppState::Ready), app(&long, AppState::Unavailable)];
        data.apps[0].kind = "constructor".into();
        data.apps[1].last_failure.as_mut().expect("a failure").message = format!("{EVIL} {long}");
        let mut endpoint = spent(&format!("/{long}"), 5, Some(10));
        endpoint.callers[0].caller = EVIL.into();
        endpoint.errors = data.quota.apps[0].endpoints[0].errors.clone();
        endpoint.errors[0].document = Some("javascript:document.title='evil'".into());
        endpoint.errors[0].meaning = Some(EVIL.into());
        data.quota.apps = vec![quota_of(EVIL, vec![endpoint])];
        for warning in &mut data.quota.warnings {
            warning.kind = "constructor".into();
            warning.message = format!("{EVIL} {long}");
        }
        for event in &mut data.activity.events {
            event.app = format!("{EVIL} {long}");
            event.reason = "constructor".into();
        }
        for caller in &mut data.activity.callers {
            caller.caller = format!("{EVIL} {long} {}", caller.caller);
        }
        for refusal in &mut data.refusals {
            refusal.path = format!("/{EVIL}{long}");
            refusal.why = format!("{EVIL} {long}");
            refusal.document = "javascript:document.title='evil'".into();
        }
        data.store.url = format!("redis://{long}");
        data.upstreams[0].origin = format!("https://{EVIL}.{long}");
        data.upstreams[0].healthy = false;
    });
    browser.until_shown("#apps h3", EVIL).await;
    browser.until_shown("#warnings", EVIL).await;
    browser.until_shown("#errors", EVIL).await;
    assert_eq!(
        browser.evaluate("document.querySelectorAll('#content img, #content script').length").await,
        0
    );
    assert_eq!(browser.evaluate("document.querySelectorAll('#errors a[href^=javascript]').length").await, 0);
    assert_eq!(browser.evaluate("document.title").await, "(2) wxgate");
    browser.until_shown("#refusals", EVIL).await;
    browser.click("#refusals tbody button").await;
    browser.until_shown("#refusals .why", EVIL).await;
    assert_eq!(
        browser.evaluate("document.querySelectorAll('#refusals a[href^=javascript]').length").await,
        0
    );
    for width in [1440, 360] {
        browser.resize(width, 900).await;
        browser.until(NO_SIDEWAYS).await;
        browser.picture(&format!("hostile-{width}")).await;
    }
    browser.click("[data-app^='<img'] .all").await;
    browser.until_shown("#endpoints tbody", "longlong").await;
    browser.until(NO_SIDEWAYS).await;
    is_clean(&mut browser, &setup).await;
}

#[tokio::test]
async fn hundreds_of_apps_are_a_table_that_can_be_searched() {
    let setup = busy(None, None).await;
    let mut browser = shown(&setup).await;
    setup.change(|data| {
        data.apps = (0..500)
            .map(|at| {
                app(&format!("app-{at}"), if at == 499 { AppState::Unavailable } else { AppState::Ready })
            })
            .collect();
        let endpoints = |_| (0..60).map(|at| spent(&format!("/cgi-bin/{at}"), 60 - at, Some(100))).collect();
        data.quota.apps = (0..500).map(|at| quota_of(&format!("app-{at}"), endpoints(at))).collect();
        data.quota.apps[3].endpoints[0] = spent("/cgi-bin/full", 100, Some(100));
    });
    browser.until_shown("#apps-count", "500").await;
    let names = "[...document.querySelectorAll('#app-table tbody th')].map((one) => one.textContent)";
    assert_eq!(browser.evaluate(&format!("{names}.slice(0, 3).join()")).await, "app-499,app-3,app-0");
    assert_eq!(browser.evaluate(&format!("{names}.length")).await, 8);
    browser.click("#all-apps").await;
    browser.until(&format!("{names}.length === 200")).await;
    browser.until_shown("#more-rows", "300 more").await;
    browser.fill("#filter", "app-42").await;
    browser.until_shown("#apps-count", "11 of 500").await;
    browser.click("#app-table tbody a[href='#/apps/app-42']").await;
    // The snapshot has but a few endpoints of each; the rest is fetched when somebody wants to see
    // it.
    browser.click("[data-app='app-42'] .all").await;
    browser.until("document.querySelectorAll('#endpoints tbody tr').length === 60").await;
    browser.picture("dialog-endpoints").await;
    is_clean(&mut browser, &setup).await;
}

#[tokio::test]
async fn curves_are_of_an_app_and_a_range_of_choice() {
    let setup = busy(None, None).await;
    let mut browser = shown(&setup).await;
    drawn(&mut browser).await;
    browser.until_shown("#requests figcaption", "Requests per minute").await;
    browser.until_shown("#latency .legend", "at WeChat").await;
    browser.click("#ranges button[value=month]").await;
    browser.until_shown("#requests figcaption", "Requests per hour").await;
    let choose = "const choice = document.querySelector('#traffic-app'); \
                  choice.value = 'members'; choice.dispatchEvent(new Event('change'))";
    browser.evaluate(choose).await;
    browser
        .until(&format!(
            "performance.getEntriesByName({}).length > 0",
            json!(format!("http://{}/api/v1/traffic?range=month&app=members", setup.authority()))
        ))
        .await;
    setup.change(|data| {
        let last = data.traffic.calls.len() - 2;
        data.traffic.calls[last] = 7_777;
    });
    browser.click("#ranges button[value=day]").await;
    browser.until_shown("#requests .legend", "7,777").await;

    // A minute between two without requests makes no line, and yet is seen.
    setup.change(|data| {
        let (last, alone) = (data.traffic.calls.len() - 2, data.traffic.calls.len() / 2);
        data.traffic.calls[last] = 8_888;
        data.traffic.own_ms.fill(None);
        data.traffic.wechat_ms.fill(None);
        data.traffic.wechat_ms[alone] = Some(50.0);
    });
    browser.click("#ranges button[value=month]").await;
    browser.until_shown("#requests .legend", "8,888").await;
    // The colour of WeChat's time, #1f62c9, as a pixel has it.
    browser.until(&format!("{}.includes(0xffc9621f)", pixels("#latency"))).await;
    is_clean(&mut browser, &setup).await;
}

#[tokio::test]
async fn everything_can_be_reached_by_the_keyboard() {
    let setup = busy(None, Some(TOKEN)).await;
    let mut browser = shown(&setup).await;
    setup.change(|data| data.apps = vec![api::App { forces_left_today: 7, ..app("shop", AppState::Ready) }]);
    browser.until_shown("#apps-count", "1").await;
    let reachable = "[...document.querySelectorAll('button, input, select, a')].filter((one) => one.checkVisibility()).length";
    let wanted = browser.evaluate(reachable).await.as_u64().expect("a number");
    browser.evaluate("window.seen = new Set(), document.addEventListener('focusin', (event) => seen.add(event.target)), 1").await;
    for _ in 0..wanted + 3 {
        browser.press("Tab", 9).await;
    }
    assert_eq!(
        browser.evaluate("[...seen].filter((one) => one.matches('button, input, select, a')).length").await,
        wanted
    );
    let levels = "[...document.querySelectorAll('h1, h2, h3, h4')].filter((one) => one.checkVisibility()).map((one) => Number(one.tagName[1]))";
    let levels: Vec<u64> = serde_json::from_value(browser.evaluate(levels).await).expect("numbers");
    assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{levels:?}");
    is_clean(&mut browser, &setup).await;
}
