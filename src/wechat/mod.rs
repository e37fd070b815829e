//! WeChat's vocabulary, without I/O: account kinds, the endpoint catalogue, error codes, placeholders.

pub mod catalogue;
pub mod errcode;
mod issuer;
pub mod jssdk;
pub mod placeholder;
pub mod verdict;

pub use issuer::{Issuer, TicketKind};

/// What an account is; decides which credentials it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AppKind {
    /// 公众号 (service or subscription account).
    OfficialAccount,
    /// 小程序.
    MiniProgram,
    /// 第三方平台: acts for the accounts that authorised it.
    Component,
    /// 企业微信: an app of a corporation.
    Work,
}

/// Which of WeChat's two isolated families of tokens an app uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenMode {
    /// `POST /cgi-bin/stable_token`: the same token until its last five minutes.
    Stable,
    /// `GET /cgi-bin/token`: every fetch rotates.
    Classic,
}

impl AppKind {
    /// As in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OfficialAccount => "official_account",
            Self::MiniProgram => "mini_program",
            Self::Component => "component",
            Self::Work => "wecom",
        }
    }

    /// Whether WeChat has two token endpoints for it.
    pub fn has_token_modes(self) -> bool {
        matches!(self, Self::OfficialAccount | Self::MiniProgram)
    }
}

impl TokenMode {
    /// As in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Classic => "classic",
        }
    }
}
