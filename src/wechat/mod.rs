//! WeChat's vocabulary, without I/O: account kinds, the endpoint catalogue, error codes, placeholders, pushes.

pub mod callback;
pub mod catalogue;
pub mod errcode;
mod issuer;
pub mod jssdk;
pub mod pattern;
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

/// Which of WeChat's hosts: they have the same paths with different meanings, and different codes for the same mishap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// The official platform's API.
    Api,
    /// The official accounts' own site, which has a few paths for browsers, and images.
    Mp,
    /// The open platform's site: pages for browsers alone.
    Open,
    /// WeCom, 企业微信.
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
    /// The hosts that serve an app of this kind.
    pub fn family(self) -> Family {
        match self {
            Self::OfficialAccount | Self::MiniProgram | Self::Component => Family::Api,
            Self::Work => Family::Work,
        }
    }

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

impl Family {
    /// The host, as WeChat's documentation names it.
    pub fn host(self) -> &'static str {
        match self {
            Self::Api => "api.weixin.qq.com",
            Self::Mp => "mp.weixin.qq.com",
            Self::Open => "open.weixin.qq.com",
            Self::Work => "qyapi.weixin.qq.com",
        }
    }

    /// The one that has `host`, in the catalogue's spelling.
    fn of_host(host: &str) -> Option<Self> {
        match host {
            "-" => Some(Self::Api),
            _ => [Self::Mp, Self::Open, Self::Work].into_iter().find(|family| family.host() == host),
        }
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
