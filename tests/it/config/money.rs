//! The line that names the endpoints that move money and stay closed to callers' patterns.

use super::{Config, env};

const APPS: &str = "[server]\nerror_status = 'http'\n\
                    [[app]]\nname = 'shop'\nappid = 'wx0123456789abcdef'\nsecret = { env = 'SHOP_SECRET' }\n\
                    [[app]]\nname = 'hr'\nappid = 'ww0123456789abcdef'\nkind = 'wecom'\nagent_id = '1'\n\
                    secret = { env = 'SHOP_SECRET' }\n";

/// The lines for callers of these apps and with these rules.
fn notes(callers: &[(&str, &str)]) -> Vec<String> {
    let table = |(index, (apps, allow)): (usize, &(&str, &str))| {
        format!("[[caller]]\nname = 'c{index}'\nkey_sha256 = '{index:064}'\napps = {apps}\n{allow}\n")
    };
    let tables: String = callers.iter().enumerate().map(table).collect();
    let config = Config::parse(&format!("{APPS}{tables}"), "test.toml", &env).expect("a configuration");
    config.notes.iter().map(ToString::to_string).collect()
}

#[test]
fn check_names_in_one_line_what_patterns_no_longer_open() {
    let all = notes(&[("['shop']", "")]);
    let [line] = &*all else { panic!("{all:?}") };
    for path in
        ["/xpay/refund_order", "/channels/ec/funds/submitwithdraw", "/cgi-bin/express/intracity/storecharge"]
    {
        assert!(line.contains(path), "{path}: {line}");
    }
    // None of the hosts that the caller's app has, none that anybody may call, and no harm.
    for path in ["/cgi-bin/license/", "/xpay/currency_pay", "/cgi-bin/clear_quota"] {
        assert!(!line.contains(path), "{path}: {line}");
    }
    assert!(!line.contains('\n'));
    let work = notes(&[("['hr']", "allow = ['**']")]);
    assert!(work[0].contains("/cgi-bin/license/submit_pay_job") && !work[0].contains("/xpay/"), "{work:?}");
}

#[test]
fn what_is_named_exactly_or_taken_in_by_no_pattern_is_not_told() {
    let one = notes(&[("['shop']", "allow = ['/xpay/**', 'POST /xpay/refund_order']")]);
    assert!(
        one[0].contains("/xpay/create_withdraw_order") && !one[0].contains("/xpay/refund_order"),
        "{one:?}"
    );
    // Where one caller names it and another doesn't, it is told for that other one.
    let two =
        notes(&[("['shop']", "allow = ['POST /xpay/refund_order']"), ("['shop']", "allow = ['/xpay/*']")]);
    assert!(two[0].contains("/xpay/refund_order"), "{two:?}");
    for allow in [
        "allow = ['/cgi-bin/message/**']",
        "allow = ['GET /xpay/**']",
        "allow = ['/xpay/refund_order']",
        "allow = ['GET /cgi-bin/user/info']",
    ] {
        assert!(notes(&[("['shop']", allow)]).is_empty(), "{allow}");
    }
    assert!(notes(&[]).is_empty());
}
