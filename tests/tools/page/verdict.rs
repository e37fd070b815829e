//! Is it WeChat or us? What the page says first.

use super::{NO_SIDEWAYS, TOKEN, busy, is_clean, sample, shown};

#[tokio::test]
async fn the_first_line_says_whether_it_is_wechat() {
    let setup = busy(None, Some(TOKEN)).await;
    let mut browser = shown(&setup).await;
    browser.until_shown("#verdict.good", "WeChat is well: of 1800 calls in the last 5 minutes").await;
    assert_eq!(browser.evaluate("document.querySelector('#illness').hidden").await, true);
    let first = "[...document.querySelector('#content').children].slice(0, 2).map((one) => one.id).join()";
    assert_eq!(browser.evaluate(first).await, "ours,wechat", "side by side");
    setup.change(|data| data.wechat = sample::ill());
    browser.until_shown("#verdict.bad", "it is WeChat, not wxgate: shop: WeChat answers -1 to 38 % of").await;
    browser.until_shown("#illness .bad", "shop: WeChat answers -1 to 38 % of").await;
    browser.until_shown("#illness .over", "shop: /cgi-bin/user/info is well again").await;
    browser.click("#language").await;
    browser.until_shown("#verdict", "是微信的问题，不是 wxgate：shop：17:03 起").await;
    browser.until_shown("#illness .over", "shop：/cgi-bin/user/info 已恢复正常").await;
    for width in [1440, 360] {
        browser.resize(width, 900).await;
        browser.until(NO_SIDEWAYS).await;
    }
    browser.picture("wechat-ill").await;
    is_clean(&mut browser, &setup).await;
}
