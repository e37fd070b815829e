//! What happens at WeChat to a platform or a suite, and what a push says of it.

use serde::{Deserialize, Serialize};

use super::accounts::{AppKind, Authorizer};
use super::companies::Company;
use super::tickets::Ticket;
use super::tokens::{Family, Kind, fresh};
use super::world::State;
use crate::texts::text;

/// FACTS 1.4: twelve hours, milliseconds.
const VERIFY_TICKET_MS: i64 = 12 * 3_600_000;
/// WeCom's: thirty minutes, milliseconds.
const SUITE_TICKET_MS: i64 = 30 * 60_000;
/// How long a platform can exchange an account's code, seconds.
const CODE_S: i64 = 3_600;

/// Something that WeChat pushes to a platform, or WeCom to a suite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum PlatformEvent {
    /// A platform's next ticket.
    ComponentVerifyTicket {
        /// None: a new one.
        #[serde(default)]
        ticket: Option<String>,
    },
    /// An account put itself into the platform's hands.
    Authorized {
        /// The account.
        authorizer_appid: String,
        /// None: the one it has, or a new one.
        #[serde(default)]
        refresh_token: Option<String>,
    },
    /// An account granted other rights.
    #[serde(rename = "updateauthorized")]
    UpdateAuthorized {
        /// The account.
        authorizer_appid: String,
    },
    /// An account left.
    Unauthorized {
        /// The account.
        authorizer_appid: String,
    },
    /// A suite's next ticket.
    SuiteTicket {
        /// None: a new one.
        #[serde(default)]
        ticket: Option<String>,
    },
    /// A company installed the suite.
    CreateAuth {
        /// The company.
        corpid: String,
        /// Its name.
        #[serde(default)]
        name: Option<String>,
    },
    /// The company's secret of a customized app is to be fetched again.
    ResetPermanentCode {
        /// The company.
        corpid: String,
    },
    /// A company granted other rights.
    ChangeAuth {
        /// The company.
        corpid: String,
    },
    /// A company removed the suite.
    CancelAuth {
        /// The company.
        corpid: String,
    },
}

/// What a push says: the names and values of its elements, without those of every push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The event's name at WeChat.
    pub info_type: &'static str,
    /// Its own elements, such as `AuthCode`.
    pub fields: Vec<(&'static str, String)>,
}

impl Told {
    /// The value of an element.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| *known == name).map(|(_, value)| &**value)
    }
}

/// It can't have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Impossible {
    /// There is no such platform or suite.
    #[error("{}", text!("no platform or suite of the event's kind has this `appid`"))]
    App,
    /// The account or company hasn't authorised it.
    #[error("{}", text!("this account or company has not authorised the platform or suite"))]
    Unauthorised,
}

impl State {
    /// Lets an event happen, told to nobody.
    ///
    /// # Errors
    /// If it can't happen.
    pub(in crate::sandbox) fn occur(
        &mut self,
        appid: &str,
        event: PlatformEvent,
        now: i64,
    ) -> Result<Told, Impossible> {
        let kind = match &event {
            PlatformEvent::ComponentVerifyTicket { .. }
            | PlatformEvent::Authorized { .. }
            | PlatformEvent::UpdateAuthorized { .. }
            | PlatformEvent::Unauthorized { .. } => AppKind::Component,
            PlatformEvent::SuiteTicket { .. }
            | PlatformEvent::CreateAuth { .. }
            | PlatformEvent::ResetPermanentCode { .. }
            | PlatformEvent::ChangeAuth { .. }
            | PlatformEvent::CancelAuth { .. } => AppKind::Suite,
        };
        self.accounts.of(appid, kind).next().ok_or(Impossible::App)?;
        let told = |info_type, fields| Ok(Told { info_type, fields });
        match event {
            PlatformEvent::ComponentVerifyTicket { ticket } => {
                let ticket = self.push_ticket(appid, "ticket@@@", ticket, now + VERIFY_TICKET_MS, now);
                told("component_verify_ticket", vec![("ComponentVerifyTicket", ticket)])
            }
            PlatformEvent::Authorized { authorizer_appid, refresh_token } => {
                let known = self.accounts.authorizer(appid, &authorizer_appid);
                let known = known.map(|known| known.refresh_token.clone());
                let refresh_token =
                    refresh_token.or(known).unwrap_or_else(|| format!("refreshtoken@@@{}", fresh(now, 40)));
                self.accounts.authorize(Authorizer::new(appid, &*authorizer_appid, refresh_token));
                told("authorized", self.authorization(authorizer_appid, now))
            }
            PlatformEvent::UpdateAuthorized { authorizer_appid } => {
                self.accounts.authorizer(appid, &authorizer_appid).ok_or(Impossible::Unauthorised)?;
                told("updateauthorized", self.authorization(authorizer_appid, now))
            }
            PlatformEvent::Unauthorized { authorizer_appid } => {
                self.accounts.leave(appid, &authorizer_appid).ok_or(Impossible::Unauthorised)?;
                self.refuse_tokens(&authorizer_appid, Kind::Authorizer);
                told("unauthorized", vec![("AuthorizerAppid", authorizer_appid)])
            }
            PlatformEvent::SuiteTicket { ticket } => {
                let ticket = self.push_ticket(appid, "", ticket, now + SUITE_TICKET_MS, now);
                told("suite_ticket", vec![("SuiteTicket", ticket)])
            }
            PlatformEvent::CreateAuth { corpid, name } => {
                let code = self.companies.issue_code(appid, &corpid, now);
                let suite_id = appid.to_owned();
                self.companies.put(Company { suite_id, corpid, permanent_code: None, name });
                told("create_auth", vec![("AuthCode", code)])
            }
            PlatformEvent::ResetPermanentCode { corpid } => {
                self.companies.get(appid, &corpid).ok_or(Impossible::Unauthorised)?;
                let code = self.companies.issue_code(appid, &corpid, now);
                told("reset_permanent_code", vec![("AuthCode", code)])
            }
            PlatformEvent::ChangeAuth { corpid } => {
                self.companies.get(appid, &corpid).ok_or(Impossible::Unauthorised)?;
                told("change_auth", vec![("AuthCorpId", corpid)])
            }
            PlatformEvent::CancelAuth { corpid } => {
                let gone = self.companies.remove(appid, &corpid).ok_or(Impossible::Unauthorised)?;
                self.refuse_tokens(&gone.identity(), Kind::Wecom);
                told("cancel_auth", vec![("AuthCorpId", corpid)])
            }
        }
    }

    fn push_ticket(
        &mut self,
        appid: &str,
        prefix: &str,
        given: Option<String>,
        expires_at: i64,
        now: i64,
    ) -> String {
        let value = given.unwrap_or_else(|| format!("{prefix}{}", fresh(now, 64)));
        self.pushed_tickets.add(appid, Ticket { value: value.clone(), expires_at });
        value
    }

    fn authorization(&mut self, authorizer: String, now: i64) -> Vec<(&'static str, String)> {
        let code = format!("queryauthcode@@@{}", fresh(now, 64));
        self.accounts.expect_code(&code, &authorizer);
        vec![
            ("AuthorizerAppid", authorizer),
            ("AuthorizationCode", code),
            ("AuthorizationCodeExpiredTime", (now / 1000 + CODE_S).to_string()),
            ("PreAuthCode", format!("preauthcode@@@{}", fresh(now, 64))),
        ]
    }

    /// What was issued for somebody who left is taken nowhere.
    fn refuse_tokens(&mut self, identity: &str, kind: Kind) {
        if self.tokens.family(identity, kind).is_some() {
            self.tokens.with(identity, kind, Family::poison);
        }
    }
}
