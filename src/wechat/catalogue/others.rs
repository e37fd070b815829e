//! What is assumed of paths that aren't listed.

use super::class::CredentialClass;
use super::endpoint::Endpoint;
use crate::wechat::family::Family;

/// By what their names suggest.
#[derive(Debug)]
pub(super) struct Others {
    pub(super) plain: Variants,
    pub(super) coded: Variants,
    pub(super) slow: Variants,
    pub(super) guarded: Variants,
    pub(super) money: Variants,
    pub(super) issuing: Endpoint,
    pub(super) oauth: Endpoint,
}

/// One of them, with each of the credentials that a request may say it wants. The first is the
/// app's token, for requests that say nothing.
#[derive(Debug)]
pub(super) struct Variants([Endpoint; 8]);

impl Others {
    pub(super) const fn of(family: Family) -> Self {
        const fn other(family: Family, class: CredentialClass) -> Endpoint {
            Endpoint {
                path: "other",
                family,
                id: 0,
                class,
                method: None,
                binary: false,
                guarded: false,
                money: false,
                grants: false,
                one_time_code: false,
                slow: false,
                evidence: false,
                signed: false,
                window: None,
            }
        }
        let token = CredentialClass::AppToken;
        Self {
            plain: Variants::of(&other(family, token)),
            coded: Variants::of(&Endpoint { one_time_code: true, ..other(family, token) }),
            slow: Variants::of(&Endpoint { slow: true, ..other(family, token) }),
            guarded: Variants::of(&Endpoint { guarded: true, ..other(family, token) }),
            money: Variants::of(&Endpoint { guarded: true, money: true, ..other(family, token) }),
            issuing: other(family, CredentialClass::IssuesCredential),
            oauth: Endpoint { one_time_code: true, ..other(family, CredentialClass::UserOauth) },
        }
    }

    /// `endpoint`, which is one of these, where a credential of `class` goes into the request; as
    /// it is if none can.
    pub(super) fn with(
        &'static self,
        endpoint: &'static Endpoint,
        class: CredentialClass,
    ) -> &'static Endpoint {
        let Self { plain, coded, slow, guarded, money, .. } = self;
        let mut all = [plain, coded, slow, guarded, money].into_iter();
        let variants = all.find(|variants| variants.first() == endpoint);
        let found = variants.and_then(|variants| variants.0.iter().find(|variant| variant.class == class));
        found.unwrap_or(endpoint)
    }
}

impl Variants {
    const fn of(first: &Endpoint) -> Self {
        const fn with(endpoint: &Endpoint, class: CredentialClass) -> Endpoint {
            Endpoint { class, ..*endpoint }
        }
        Self([
            with(first, CredentialClass::AppToken),
            with(first, CredentialClass::ComponentToken),
            with(first, CredentialClass::ComponentTokenAsAccessToken),
            with(first, CredentialClass::SuiteToken),
            with(first, CredentialClass::SuiteTokenAsAccessToken),
            with(first, CredentialClass::ProviderToken),
            with(first, CredentialClass::ProviderTokenAsAccessToken),
            with(first, CredentialClass::HardwareToken),
        ])
    }

    pub(super) fn first(&self) -> &Endpoint {
        let [first, ..] = &self.0;
        first
    }
}
