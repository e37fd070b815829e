//! Which of WeChat's hosts a path is for.

/// Which of WeChat's hosts: they have the same paths with different meanings, and different codes
/// for the same mishap.
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
    pub(super) fn of_host(host: &str) -> Option<Self> {
        match host {
            "-" => Some(Self::Api),
            _ => [Self::Mp, Self::Open, Self::Work].into_iter().find(|family| family.host() == host),
        }
    }
}
