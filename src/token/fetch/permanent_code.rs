//! The exchange of a company's code for the permanent one by which a suite acts for it.

use std::time::Duration;

use serde_json::Value;

use super::by_token::CallByToken;
use super::fields::Fields;
use super::response::FetchError;
use crate::secret::Secret;
use crate::store::is_text;
use crate::token::Handle;
use crate::token::auth_code::CorporationGrant;
use crate::upstream::control::Control;
use crate::wechat::{Issuer, TokenEndpoint};

/// WeCom's errcodes for a code that it will never take: it is unknown, was exchanged or has
/// expired.
pub(in crate::token) const CODE_REFUSED: [i64; 3] = [40029, 40078, 40084];

/// What WeCom gave for a code.
pub(in crate::token) enum CodeAnswer {
    Granted(CorporationGrant),
    /// WeCom took the code, and its answer lacks the permanent one; the company is named in it, if
    /// it is.
    Malformed(Option<String>),
}

/// Exchanges the code that WeCom pushed to `suite`.
pub(in crate::token) async fn get_permanent_code(
    control: &Control,
    suite: &Handle,
    code: &Secret,
    timeout: Duration,
) -> Result<CodeAnswer, FetchError> {
    const EXCHANGE: TokenEndpoint = TokenEndpoint::PERMANENT_CODE;
    let texts = EXCHANGE.code.map(|name| (name, code.expose())).into_iter().collect();
    let body = Fields { texts, ..Fields::default() }.json();
    let (path, body, issuer) = (EXCHANGE.path, Some(&**body), Issuer::Suite);
    let call = CallByToken { path, query: "", body, secret: code, issuer };
    let mut answer = call.make(control, suite, timeout).await?;
    let text = |value: Option<&Value>| value?.as_str().filter(|text| is_text(text)).map(str::to_owned);
    let corporation = text(answer.get("auth_corp_info").and_then(|info| info.get("corpid")));
    let permanent_code = text(answer.get("permanent_code"));
    let (Some(corporation), Some(permanent_code)) = (corporation.clone(), permanent_code) else {
        return Ok(CodeAnswer::Malformed(corporation));
    };
    // The token in it may be used up by the time that anybody asks for one.
    for field in ["access_token", "permanent_code", "expires_in", "errcode", "errmsg"] {
        if let Some(Value::String(text)) = &mut answer.remove(field) {
            zeroize::Zeroize::zeroize(text);
        }
    }
    let info = Value::Object(std::mem::take(&mut *answer));
    Ok(CodeAnswer::Granted(CorporationGrant { corporation, permanent_code, info }))
}
