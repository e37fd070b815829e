//! Every view with no, few and many apps, well and in trouble, on a desk and on a phone: nothing
//! sticks out sideways, and nothing keeps anybody from using it.

use super::{NO_SIDEWAYS, TOKEN, axe, busy, is_clean, sample, shown};

const VIEWS: [&str; 6] = [
    "#/",
    "#/apps",
    "#/apps/shop",
    "#/refusals",
    "#/explain?method=POST&path=%2Fcgi-bin%2Fmenu%2Fcreate&caller=orders",
    "#/log",
];

/// No figure of a tile is cut off.
const WHOLE_FIGURES: &str =
    "[...document.querySelectorAll('#tiles .value')].every((one) => one.scrollWidth <= one.clientWidth)";

#[tokio::test]
async fn nothing_sticks_out_and_axe_finds_nothing() {
    let setup = busy(None, Some(TOKEN)).await;
    let mut browser = shown(&setup).await;
    for (count, in_trouble, dark) in
        [(0, false, false), (3, true, true), (40, true, false), (40, false, true)]
    {
        setup.change(|data| sample::many(data, count, in_trouble));
        browser.until(&format!("document.querySelectorAll('#rid select option').length === {count}")).await;
        browser.prefer(if dark { "dark" } else { "light" }).await;
        browser.click("#language").await;
        for view in VIEWS {
            browser.evaluate(&format!("location.hash = '{view}', 1")).await;
            browser.until(&format!("location.hash === '{view}'")).await;
            for width in [390, 1280] {
                browser.resize(width, 900).await;
                browser.until(NO_SIDEWAYS).await;
                browser.until(WHOLE_FIGURES).await;
                let found = axe::findings(&mut browser).await;
                assert_eq!(found, [""; 0], "{count} apps, dark {dark}, {view} at {width}");
            }
        }
    }
    is_clean(&mut browser, &setup).await;
}

#[tokio::test]
async fn forty_apps_are_seen_at_once_those_in_trouble_first() {
    let setup = busy(None, Some(TOKEN)).await;
    setup.change(|data| sample::many(data, 40, true));
    let mut browser = shown(&setup).await;
    browser.evaluate("location.hash = '#/apps', 1").await;
    browser.until("document.querySelectorAll('#app-table tbody tr').length === 40").await;
    browser.until("document.querySelector('#app-table tbody tr:last-child').getBoundingClientRect().bottom <= innerHeight").await;
    let first = "document.querySelector('#app-table tbody th').textContent";
    assert_eq!(browser.evaluate(first).await, "app-17");
    browser.picture("forty-apps").await;
    is_clean(&mut browser, &setup).await;
}
