//! Where credentials come from, and how they behave.

use super::errcode::{Proof, TokenCodes};
use super::family::Family;
use super::ticket::TicketKind;
use crate::texts::{marked, translated};

/// Where a credential comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Issuer {
    /// An app's token, by one of the main host's two token endpoints.
    App(TokenMode),
    /// A WeCom app's token.
    Work,
    /// A third-party platform's own token.
    Component,
    /// The token by which a platform acts for an account.
    Authorizer,
    /// A WeCom suite's token.
    Suite,
    /// The token by which a suite acts for a company.
    Corporation,
    /// A WeCom provider's token.
    Provider,
    /// A ticket that web pages are signed with.
    Ticket(TicketKind),
}

/// Which of WeChat's two isolated families of tokens an app uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenMode {
    /// `POST /cgi-bin/stable_token`: the same token until its last five minutes.
    Stable,
    /// `GET /cgi-bin/token`: every fetch rotates.
    Classic,
}

/// The request that tells whether a token is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// A GET of the path that the app's configuration names.
    Configured,
    /// A POST of this body.
    Post {
        /// Without query.
        path: &'static str,
        /// JSON.
        body: &'static str,
    },
}

/// What sets a credential apart.
struct IssuerSpec {
    credential: &'static str,
    words: &'static str,
    family: Family,
    codes: Option<&'static TokenCodes>,
    probe: Option<Probe>,
    rotates: bool,
    forces: bool,
}

/// What most tokens are like.
const TOKEN: IssuerSpec = IssuerSpec {
    credential: "access_token",
    words: marked!("the app's token"),
    family: Family::Api,
    codes: Some(&TokenCodes::API),
    probe: Some(Probe::Configured),
    rotates: false,
    forces: false,
};

impl Issuer {
    const fn spec(self) -> IssuerSpec {
        match self {
            Self::App(TokenMode::Stable) => IssuerSpec { forces: true, ..TOKEN },
            Self::App(TokenMode::Classic) => IssuerSpec { rotates: true, ..TOKEN },
            Self::Work => IssuerSpec { family: Family::Work, codes: Some(&TokenCodes::WORK), ..TOKEN },
            Self::Component => IssuerSpec {
                credential: "component_access_token",
                words: marked!("the platform's token"),
                rotates: true,
                // A platform may ask for its own quota, which costs none of it and changes nothing.
                probe: Some(Probe::Post {
                    path: "/cgi-bin/openapi/quota/get",
                    body: r#"{"cgi_path":"/cgi-bin/component/api_create_preauthcode"}"#,
                }),
                ..TOKEN
            },
            Self::Authorizer => IssuerSpec {
                credential: "authorizer_access_token",
                words: marked!("the token with which the platform acts for the account"),
                rotates: true,
                ..TOKEN
            },
            // No call with one of these is known that is free of effects.
            Self::Suite => IssuerSpec {
                credential: "suite_access_token",
                words: marked!("the suite's token"),
                family: Family::Work,
                codes: Some(&TokenCodes::WORK_PROVIDER),
                probe: None,
                ..TOKEN
            },
            Self::Corporation => IssuerSpec {
                credential: "corp_access_token",
                words: marked!("the token with which the suite acts for the company"),
                family: Family::Work,
                codes: Some(&TokenCodes::WORK),
                ..TOKEN
            },
            Self::Provider => IssuerSpec {
                credential: "provider_access_token",
                words: marked!("the provider's token"),
                family: Family::Work,
                codes: Some(&TokenCodes::WORK_PROVIDER),
                probe: None,
                ..TOKEN
            },
            // Only the browser learns that a ticket is dead.
            Self::Ticket(kind) => IssuerSpec {
                credential: kind.credential(),
                family: kind.family(),
                codes: None,
                probe: None,
                ..TOKEN
            },
        }
    }

    /// The credential's name in metrics, status and the store.
    pub fn credential(self) -> &'static str {
        self.spec().credential
    }

    /// The name of the query parameter that requests carry it in.
    pub fn parameter(self) -> &'static str {
        match self {
            Self::Authorizer | Self::Corporation => TOKEN.credential,
            _ => self.credential(),
        }
    }

    /// Its name in WeChat's response to a fetch.
    pub fn field(self) -> &'static str {
        match self {
            Self::Ticket(_) => "ticket",
            Self::Corporation => "access_token",
            _ => self.credential(),
        }
    }

    /// Whose token it is, in words; of a ticket, that which it is fetched with.
    pub fn words(self) -> &'static str {
        translated(self.spec().words)
    }

    /// Whose hosts hand it out.
    pub fn family(self) -> Family {
        self.spec().family
    }

    /// Whether each fetch invalidates the previous credential, so that a fetch is worth it only if
    /// that is proven dead. WeChat says so of `/cgi-bin/token`, and nothing of the platform's;
    /// those are taken to.
    pub fn rotates(self) -> bool {
        self.spec().rotates
    }

    /// Whether WeChat can be made to replace a credential that it would hand out again.
    pub fn forces(self) -> bool {
        self.spec().forces
    }

    /// Whether `expires_in` counts from when WeChat made the credential although it hands out an
    /// older one: the tickets' is always 7200
    /// (developers.weixin.qq.com/community/develop/doc/000e0adca68568abb1ab525365b000).
    pub fn overstates_lifetime(self) -> bool {
        matches!(self, Self::Ticket(_))
    }

    /// Whether an app that may have it need not: its secret is configured apart.
    pub fn is_optional(self) -> bool {
        matches!(self, Self::Suite | Self::Provider)
    }

    /// The request that tells whether one is alive, where such a request is known.
    pub fn probe(self) -> Option<Probe> {
        self.spec().probe
    }

    /// What errcodes prove about it.
    pub(super) const fn codes(self) -> Option<&'static TokenCodes> {
        self.spec().codes
    }

    /// What the top-level errcode of a JSON object proves of the credential; none is success.
    pub fn proof(self, errcode: Option<i64>) -> Proof {
        self.codes().map_or(Proof::Undecided, |codes| codes.proof(errcode))
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
