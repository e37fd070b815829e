//! The call that asks what a company granted a suite: it takes the company's permanent code, which
//! callers don't have.

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::target::RequestTarget;
use crate::message::form;
use crate::pipeline::error::Error;
use crate::secret::Secret;
use crate::texts::words;
use crate::wechat::placeholder;

const PATH: &str = "/cgi-bin/service/get_auth_info";
const COMPANY: &str = "auth_corpid";
const CODE: &str = "permanent_code";

/// What the call says.
pub(crate) struct AuthInfo {
    pub(crate) corporation: String,
    fields: Map<String, Value>,
}

/// Whether a request is this call.
pub(super) fn is_meant(target: &RequestTarget<'_>) -> bool {
    target.endpoint.path == PATH
}

impl AuthInfo {
    /// The call of this body; none if it names no company.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let fields: Map<String, Value> = serde_json::from_slice(form::without_mark(body)).ok()?;
        let corporation = fields.get(COMPANY)?.as_str()?.to_owned();
        Some(Self { corporation, fields })
    }

    /// The body for WeCom, with the permanent code in it that wxgate keeps; none if it stays what
    /// it was, for wxgate keeps none.
    pub(crate) fn with(&self, kept: Option<&Secret>) -> Result<Option<Vec<u8>>, Error> {
        let Some(kept) = kept else {
            let sent = self.fields.get(CODE).and_then(Value::as_str).unwrap_or_default();
            return match placeholder::looks_like(sent) {
                true => Err(Error::BadRequest(words!(
                    "permanent_code is a placeholder, but this company has not authorised the suite"
                ))),
                false => Ok(None),
            };
        };
        let room = kept.expose().len()
            + self.fields.iter().map(|(_, value)| value.to_string().len() + 64).sum::<usize>();
        let mut body = Zeroizing::new(Vec::with_capacity(room));
        body.push(b'{');
        for (name, value) in self.fields.iter().filter(|(name, _)| *name != CODE) {
            append(&mut body, name, value);
            body.push(b',');
        }
        append(&mut body, CODE, kept.expose());
        body.push(b'}');
        Ok(Some(std::mem::take(&mut *body)))
    }
}

/// Writing text into memory can't fail.
fn append(body: &mut Vec<u8>, name: &str, value: impl serde::Serialize) {
    let _ = serde_json::to_writer(&mut *body, name);
    body.push(b':');
    let _ = serde_json::to_writer(&mut *body, &value);
}

#[cfg(test)]
mod tests {
    use super::AuthInfo;
    use crate::secret::Secret;

    #[test]
    fn the_kept_code_takes_the_place_of_whatever_was_sent() {
        let kept = Secret::new("kept\"code");
        for body in [
            r#"{"auth_corpid":"ww1","permanent_code":"wxgate-x"}"#,
            r#"{"auth_corpid":"ww1"}"#,
            r#"{"permanent_code":7,"auth_corpid":"ww1"}"#,
        ] {
            let call = AuthInfo::read(body.as_bytes()).expect("a company");
            let written = call.with(Some(&kept)).expect("possible").expect("another body");
            let read: serde_json::Value = serde_json::from_slice(&written).expect("JSON");
            assert_eq!(read, serde_json::json!({ "auth_corpid": "ww1", "permanent_code": "kept\"code" }));
        }
        let sent = |code: &str| {
            let body = format!(r#"{{"auth_corpid":"ww1","permanent_code":"{code}"}}"#);
            AuthInfo::read(body.as_bytes()).expect("a company")
        };
        assert!(matches!(sent("the-callers-own").with(None), Ok(None)));
        assert!(sent("wxgate-x").with(None).is_err());
        assert!(AuthInfo::read(b"{}").is_none() && AuthInfo::read(b"x").is_none());
    }
}
