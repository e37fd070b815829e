//! The errcodes of token endpoints that open an app's circuit. Requests then cause no fetch, and
//! one is tried every few minutes (`token/life/backoff.rs`).

/// Whether this errcode of a token endpoint opens the app's circuit: WeChat will return it until a
/// person changes something.
///
/// Not so a ticket that is too old or of no use (61005, 61006; WeCom's 40085): WeChat pushes
/// another within minutes.
pub fn opens_circuit(code: i64) -> bool {
    // An account or a mini program.
    matches!(
        code,
        40001 | 40002 | 40013 | 40125 | 40164 | 40243 | 41002 | 41004 | 43002 | 48004 | 50007 | 89500
            ..=89599 | 45009
    )
    // A third-party platform, and the accounts that authorised it.
    || matches!(code, 61004 | 61011 | 61023)
    // WeCom: an app, a suite, and the companies that authorised it.
    || matches!(code, 40080 | 40083 | 40084 | 60020)
}
