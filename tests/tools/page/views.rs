//! What the views answer, and how one leads to another.

use serde_json::json;
use wxgate::api;
use wxgate::observe::clock::{Clock, Timestamp};
use wxgate::server::Address;

use super::setup::{TOKEN, refusal, start_with};
use super::{busy, is_clean, sample, shown};

#[tokio::test]
async fn why_something_is_refused_is_one_click_away_and_so_is_its_explanation() {
    let setup = busy(None, Some(TOKEN)).await;
    let mut browser = shown(&setup).await;
    browser.until_shown("#tiles", "3 refused, 4 failed").await;
    browser.click("#refusals tbody tr[data-key*=orders] button").await;
    browser.until_shown("#refusals .why", "this caller's `allow` has no rule for this method and path").await;
    browser.until_shown("#refusals .remedy", "widen caller.apps or caller.allow").await;
    let document = "document.querySelector('#refusals .document').href";
    assert!(browser.evaluate(document).await.as_str().is_some_and(|link| link.ends_with("/refusals.md")));
    browser.click("#refusals .explain").await;
    browser.until_shown("#explain .result.bad", "This request would be refused: caller_forbidden").await;
    browser.until_shown("#explain .remedy", "widen caller.apps").await;
    let filled = "[...document.querySelector('#explain form').elements].map((one) => one.value).join(' ')";
    assert_eq!(
        browser.evaluate(filled).await.as_str().map(str::trim),
        Some("POST /cgi-bin/menu/create orders")
    );
    browser.fill("#explain [name=path]", "cgi-bin/user/info").await;
    browser.press("Enter", 13).await;
    browser.until_shown("#explain .result.good", "This request would be handled.").await;
    browser.evaluate("history.go(-2)").await;
    browser.until_shown("#refusals .why", "this caller's `allow` has no rule").await;
    browser.picture("why").await;
    is_clean(&mut browser, &setup).await;
}

#[tokio::test]
async fn a_tile_leads_to_what_is_behind_it_and_the_way_back_works() {
    let setup = busy(None, Some(TOKEN)).await;
    let mut browser = shown(&setup).await;
    for (place, hash, shown) in [
        (4, "#/refusals", "#refusals"),
        (5, "#/apps/shop", "#apps [data-app=shop]"),
        (6, "#/apps", "#app-table"),
    ] {
        browser.click(&format!("#tiles li:nth-child({place}) a")).await;
        browser.until(&format!("location.hash === '{hash}'")).await;
        browser.until(&format!("document.querySelector('{shown}').checkVisibility()")).await;
        browser.evaluate("history.back()").await;
        browser.until("document.querySelector('#wechat').checkVisibility()").await;
    }
    is_clean(&mut browser, &setup).await;
}

#[tokio::test]
async fn one_app_has_a_view_of_what_concerns_it_alone() {
    let setup = busy(None, Some(TOKEN)).await;
    let mut browser = shown(&setup).await;
    browser.evaluate("location.hash = '#/apps/shop', 1").await;
    browser.until_shown("#apps-title", "shop").await;
    browser.until_shown("#apps .bars", "88,612 / 100,000").await;
    browser.until("document.querySelectorAll('#apps article').length === 1").await;
    browser.until("[...document.querySelectorAll('#refusals tbody tr')].length === 1").await;
    browser.until_shown("#callers", "campaign").await;
    let text = browser.text("#callers").await;
    assert!(!text.contains("members"), "{text}");
    browser
        .until(&format!(
            "performance.getEntriesByName({}).length > 0",
            json!(format!("http://{}/api/v1/figures?app=shop", setup.authority()))
        ))
        .await;
    browser.evaluate("location.hash = '#/apps/nobody', 1").await;
    browser.until_shown("#no-apps", "No app is named nobody.").await;
    is_clean(&mut browser, &setup).await;
}

#[tokio::test]
async fn before_the_first_request_it_says_what_to_send() {
    let setup = busy(None, Some(TOKEN)).await;
    setup.change(sample::silence);
    let mut browser = shown(&setup).await;
    browser.until_shown("#first", "No request yet").await;
    let command = "curl -H 'X-Wxgate-Key: KEY' 'http://127.0.0.1:8080/@shop/cgi-bin/get_api_domain_ip'";
    browser.until_shown("#first pre", command).await;
    browser.until_shown("#first", "Replace KEY by the API key of orders.").await;
    browser.until("!document.querySelector('#tiles').checkVisibility()").await;
    browser.picture("first-run").await;
    setup.change(|data| data.apps.clear());
    browser.until_shown("#first", "No app is configured").await;
    browser.until_shown("#first pre", "[[app]]").await;
    is_clean(&mut browser, &setup).await;
}

#[tokio::test]
async fn ranges_fit_the_age_of_the_process_and_the_time_zone_is_said() {
    let setup = busy(None, None).await;
    let mut browser = shown(&setup).await;
    let ranges = "[...document.querySelectorAll('#ranges button')].map((one) => one.value).join()";
    assert_eq!(browser.evaluate(ranges).await, "quarter,hour,day,month");
    browser.until_shown("#scope", "imes in ").await;
    drop(browser);
    let (_, data) = setup.stop().await;
    data.lock().expect("whole").started_at = Timestamp(Clock::default().now().0 - 20 * 60_000);
    let setup = start_with(Address::Tcp("127.0.0.1:0".into()), None, None, data).await;
    let mut browser = shown(&setup).await;
    browser.until(&format!("{ranges} === 'quarter,hour'")).await;
    browser.until_shown("#scope", "when this replica started").await;
    browser.click("#ranges button[value=quarter]").await;
    browser.until_shown("#scope", "on this replica").await;
    is_clean(&mut browser, &setup).await;
}

#[tokio::test]
async fn the_tab_tells_of_trouble_and_the_log_of_what_operators_did() {
    let setup = busy(None, Some(TOKEN)).await;
    let mut browser = shown(&setup).await;
    browser.until("document.title === '(1) wxgate'").await;
    setup.change(|data| data.wechat = sample::ill());
    browser.until("document.title === '(2) wxgate'").await;
    setup.change(|data| {
        sample::many(data, 3, false);
        data.refusals = vec![api::Refusal { outcome: "failed".into(), ..refusal("crm", None, 1) }];
    });
    browser.until("document.title === 'wxgate'").await;
    browser.evaluate("location.hash = '#/log', 1").await;
    browser.until_shown("#audit", "Nobody did anything yet.").await;
    setup.ask("POST /api/v1/apps/shop/refresh", "").await;
    browser.until_shown("#audit tbody", "denied").await;
    browser.until_shown("#audit tbody", "refresh · shop").await;
    browser.until_shown("#audit tbody", "127.0.0.1").await;
    is_clean(&mut browser, &setup).await;
}
