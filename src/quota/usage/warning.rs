//! What an operator is told of a quota, once a day each.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::observe::clock::Timestamp;
use crate::texts::Words;

/// What there is to warn of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WarningKind {
    /// 70 % of a day's quota are used.
    #[serde(rename = "used_70_percent")]
    Used70,
    /// 90 %.
    #[serde(rename = "used_90_percent")]
    Used90,
    /// All of it.
    Exhausted,
    /// At the present pace it ends before the day does.
    Forecast,
    /// WeChat counts calls that did not come through wxgate.
    Around,
}

impl WarningKind {
    /// As in metrics and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Used70 => "used_70_percent",
            Self::Used90 => "used_90_percent",
            Self::Exhausted => "exhausted",
            Self::Forecast => "forecast",
            Self::Around => "around",
        }
    }
}

/// A warning as replicas note it for each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Noted {
    pub(crate) at: Timestamp,
    pub(crate) path: String,
    pub(crate) kind: WarningKind,
    /// In English.
    pub(crate) message: String,
    /// Replicas of an older version don't note it.
    #[serde(default)]
    pub(crate) chinese: Option<String>,
    /// Replicas of an older version don't note it.
    #[serde(default)]
    pub(crate) blame: Blame,
}

impl Noted {
    /// The warning as a sentence.
    pub(crate) fn words(&self) -> Words {
        noted(&self.message, self.chinese.as_ref())
    }
}

/// A text as replicas note it for each other.
pub(crate) fn noted(english: &str, chinese: Option<&String>) -> Words {
    Words::new(english.to_owned(), chinese.map_or(english, String::as_str).to_owned())
}

/// Whose calls brought it about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blame {
    /// Who spends most, and its part of all calls in percent; none if more calls went around wxgate
    /// than any caller made.
    pub caller: Option<(String, u64)>,
    /// Calls that did not come through wxgate.
    pub around: u64,
}

/// Something that an operator should know of; told once a day by one of the replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// When.
    pub at: Timestamp,
    /// The app.
    pub app: Arc<str>,
    /// The endpoint.
    pub path: String,
    /// What it is about.
    pub kind: WarningKind,
    /// As a sentence.
    pub message: Words,
    /// Whose calls brought it about.
    pub blame: Blame,
}
