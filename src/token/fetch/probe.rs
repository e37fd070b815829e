//! The request that tells whether a credential is alive.

use std::time::Duration;

use http::StatusCode;

use super::fields::with_credential;
use super::response::without_mark;
use crate::secret::Secret;
use crate::token::AppOptions;
use crate::upstream::control::{Call, Control};
use crate::wechat::errcode::Proof;
use crate::wechat::errcode::scan;
use crate::wechat::{Issuer, Probe};

/// How a call for WeChat's API itself is authorised.
const PARAMETER: &str = "access_token";

/// Makes the call, where one is known.
pub(in crate::token) async fn probe(
    control: &Control,
    app: &AppOptions,
    issuer: Issuer,
    value: &Secret,
    timeout: Duration,
) -> Proof {
    let answer = match issuer.probe() {
        Some(Probe::Configured) => {
            let (path, own) = app.probe.split_once('?').unwrap_or((&app.probe, ""));
            let query = with_credential(own, PARAMETER, value);
            control.call(Call::Get { path, query: &query }, timeout).await
        }
        Some(Probe::Post { path, body }) => {
            let path = with_credential(&format!("{path}?"), PARAMETER, value);
            control.call(Call::Post { path: &path, body }, timeout).await
        }
        None => return Proof::Undecided,
    };
    match answer {
        Ok(answer) => proof(issuer, answer.status, &answer.body),
        Err(_) => Proof::Undecided,
    }
}

fn proof(issuer: Issuer, status: StatusCode, body: &[u8]) -> Proof {
    let body = without_mark(body).trim_ascii_start();
    if status != StatusCode::OK || !body.starts_with(b"{") {
        return Proof::Undecided;
    }
    issuer.proof(scan(body).errcode)
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::proof;
    use crate::wechat::errcode::Proof;
    use crate::wechat::{Issuer, TokenMode};

    #[test]
    fn a_probe_believes_only_what_shows_that_the_token_was_checked() {
        for (status, body, expected) in [
            (200, r#"{"ip_list":[]}"#, Proof::Alive),
            (200, r#"{"errcode":0}"#, Proof::Alive),
            (200, r#"{"errcode":45009}"#, Proof::Alive),
            (200, r#"{"errcode":48001}"#, Proof::Alive),
            (200, r#"{"errcode":40001}"#, Proof::Dead),
            (200, r#"{"errcode":40014}"#, Proof::Dead),
            (200, r#"{"errcode":42001}"#, Proof::Dead),
            (200, "\u{feff}{ \"errcode\" : \"40001\" }", Proof::Dead),
            (200, r#"{"errcode":-1}"#, Proof::Undecided),
            (200, "<html>", Proof::Undecided),
            (200, "", Proof::Undecided),
            (500, r#"{"errcode":40001}"#, Proof::Undecided),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(proof(Issuer::App(TokenMode::Stable), status, body.as_bytes()), expected, "{body}");
        }
    }
}
