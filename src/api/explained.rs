//! What would become of a request.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::pipeline::explain;

/// Response of `GET /api/v1/explain`. Nothing was sent to WeChat.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Explained {
    /// The request's method.
    pub method: String,
    /// Its path, without a query.
    pub path: String,
    /// Why it would be refused, whichever of the callers sends it; null if it would not.
    pub refused: Option<ExplainedRefusal>,
    /// As `wxgate explain` prints it.
    pub rows: Vec<ExplainedRow>,
}

/// wxgate's own response to a request.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ExplainedRefusal {
    /// The HTTP status.
    pub status: u16,
    /// As in `X-Wxgate-Error`; null where the response has a code of WeChat's alone.
    pub code: Option<String>,
    /// As in the response's body.
    pub errcode: i64,
    /// Why, in a sentence.
    pub reason: String,
}

/// Something about a request.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ExplainedRow {
    /// What it is about; empty if it is about the same as the row before.
    pub label: String,
    /// The sentence.
    pub text: String,
}

impl From<explain::Refused> for ExplainedRefusal {
    fn from(refused: explain::Refused) -> Self {
        Self {
            status: refused.status,
            code: refused.code.map(str::to_owned),
            errcode: refused.errcode,
            reason: refused.reason.to_string(),
        }
    }
}
