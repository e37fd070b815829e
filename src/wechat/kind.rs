//! The kinds of accounts.

use super::family::Family;
use super::issuer::{Issuer, TokenMode};
use super::ticket::TicketKind;

/// What an account is; decides which credentials it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AppKind {
    /// 公众号 (service or subscription account).
    OfficialAccount,
    /// 小程序.
    MiniProgram,
    /// 微信小店: the API below `/channels/ec/`.
    Store,
    /// 第三方平台: acts for the accounts that authorised it.
    Component,
    /// 企业微信: an app of a corporation.
    Work,
}

/// What sets a kind apart.
struct KindSpec {
    /// As in the configuration.
    label: &'static str,
    /// Of the token that its requests carry.
    issuer: Issuer,
    /// What else it may have.
    further: &'static [Issuer],
}

impl AppKind {
    /// Every kind, that of apps which say none first.
    pub const ALL: [Self; 5] =
        [Self::OfficialAccount, Self::MiniProgram, Self::Store, Self::Component, Self::Work];

    const fn spec(self) -> KindSpec {
        /// In either mode.
        const APP: Issuer = Issuer::App(TokenMode::Stable);
        match self {
            Self::OfficialAccount => KindSpec {
                label: "official_account",
                issuer: APP,
                further: &[Issuer::Ticket(TicketKind::JsApi), Issuer::Ticket(TicketKind::Card)],
            },
            Self::MiniProgram => KindSpec { label: "mini_program", issuer: APP, further: &[] },
            Self::Store => KindSpec { label: "store", issuer: APP, further: &[] },
            Self::Component => {
                KindSpec { label: "component", issuer: Issuer::Component, further: &[Issuer::Authorizer] }
            }
            Self::Work => KindSpec {
                label: "wecom",
                issuer: Issuer::Work,
                further: &[
                    Issuer::Ticket(TicketKind::WorkCorporation),
                    Issuer::Ticket(TicketKind::WorkAgent),
                    Issuer::Suite,
                    Issuer::Corporation,
                    Issuer::Provider,
                ],
            },
        }
    }

    /// The one that the configuration calls so.
    pub fn named(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == label)
    }

    /// As in the configuration.
    pub fn as_str(self) -> &'static str {
        self.spec().label
    }

    /// The hosts that serve an app of this kind.
    pub fn family(self) -> Family {
        self.issuer(TokenMode::Stable).family()
    }

    /// Of the token that its requests carry. `mode` counts where there are two.
    pub fn issuer(self, mode: TokenMode) -> Issuer {
        match self.spec().issuer {
            Issuer::App(_) => Issuer::App(mode),
            only => only,
        }
    }

    /// What else an app of this kind may have.
    pub fn further(self) -> &'static [Issuer] {
        self.spec().further
    }

    /// Whether an app of this kind may have a credential of this issuer's, in whichever mode.
    pub fn may_have(self, issuer: Issuer) -> bool {
        match issuer {
            Issuer::App(_) => self.has_token_modes(),
            _ => self.spec().issuer == issuer || self.further().contains(&issuer),
        }
    }

    /// Whether WeChat has two token endpoints for it.
    pub fn has_token_modes(self) -> bool {
        matches!(self.spec().issuer, Issuer::App(_))
    }

    /// Whether it acts for other accounts, by a token for each.
    pub fn is_platform(self) -> bool {
        self.further().contains(&Issuer::Authorizer)
    }
}

#[cfg(test)]
mod tests {
    use super::{AppKind, Issuer, TokenMode};
    use crate::wechat::{Family, TicketKind};

    #[test]
    fn a_kind_has_its_own_credentials_and_no_others() {
        let modes = [Issuer::App(TokenMode::Stable), Issuer::App(TokenMode::Classic)];
        let tickets = [Issuer::Ticket(TicketKind::JsApi), Issuer::Ticket(TicketKind::WorkAgent)];
        let all = [
            Issuer::Work,
            Issuer::Component,
            Issuer::Authorizer,
            Issuer::Suite,
            Issuer::Corporation,
            Issuer::Provider,
        ];
        let all = || modes.into_iter().chain(all).chain(tickets);
        for (kind, family, has) in [
            (AppKind::OfficialAccount, Family::Api, &[modes[0], modes[1], tickets[0]][..]),
            (AppKind::MiniProgram, Family::Api, &modes),
            (AppKind::Store, Family::Api, &modes),
            (AppKind::Component, Family::Api, &[Issuer::Component, Issuer::Authorizer]),
            (
                AppKind::Work,
                Family::Work,
                &[Issuer::Work, Issuer::Suite, Issuer::Corporation, Issuer::Provider, tickets[1]],
            ),
        ] {
            assert!(AppKind::ALL.contains(&kind));
            assert_eq!(kind.family(), family, "{kind:?}");
            let may_have: Vec<_> = all().filter(|issuer| kind.may_have(*issuer)).collect();
            assert_eq!(may_have, has, "{kind:?}");
            assert_eq!(kind.issuer(TokenMode::Classic).rotates(), kind.family() == Family::Api, "{kind:?}");
        }
    }
}
