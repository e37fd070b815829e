//! Asks WeChat what the busiest accounts of platforms used, each with its own token, at a bounded
//! pace.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::Question;
use super::accounts::Account;
use super::shared::Shared;
use super::usage::figures::{Answer, Figures, Known, judge};
use crate::wechat::Family;
use crate::wechat::catalogue::{self, CredentialClass};

const LOOK: Duration = Duration::from_secs(2);
/// Questions in a look, of all accounts together.
const MOST_A_LOOK: usize = 5;
/// After a question that brought nothing.
const AFTER_FAILURE: Duration = Duration::from_secs(60);
/// An account that may not ask is not asked about for so long.
const AFTER_REFUSAL: Duration = Duration::from_secs(86_400);

pub(super) async fn run(quota: Arc<Shared>) {
    loop {
        let now = quota.clock.now();
        let mut asking = JoinSet::new();
        for (account, path) in quota.due_of_accounts() {
            let quota = Arc::clone(&quota);
            asking.spawn(async move { quota.ask_about_account(account, path).await });
        }
        while asking.join_next().await.is_some() {}
        let took = quota.clock.now().since(now);
        quota.clock.sleep(LOOK.saturating_sub(took)).await;
    }
}

/// Whether WeChat can be asked about an endpoint with an account's token.
fn is_asked_about(path: &str) -> bool {
    let endpoint = catalogue::find(path);
    matches!(endpoint.class, CredentialClass::AppToken | CredentialClass::AppOrComponentToken)
        && endpoint.id != 0
        && endpoint.family == Family::Api
        && !path.starts_with("/sns/")
        && !path.starts_with("/cgi-bin/openapi/")
}

impl Shared {
    /// Takes what the workers counted of accounts until now.
    pub(super) fn take_accounts(&self) {
        let now = self.clock.now();
        let mut accounts = self.accounts.lock();
        accounts.turn(now.beijing_day(), now);
        for worker in 0..self.account_calls.workers() {
            self.account_calls.with(worker, |counted| accounts.take(counted, now));
        }
    }

    /// What to ask now, one of an account: the busiest first.
    fn due_of_accounts(&self) -> Vec<(Account, &'static str)> {
        self.take_accounts();
        let now = self.clock.now();
        let mut accounts = self.accounts.lock();
        let due = accounts.busiest().into_iter().filter_map(|(account, known)| {
            let may_ask =
                known.refused_until.is_none_or(|until| until <= now) && known.notes.allowance(now) > 0;
            let calls = known.calls.iter().filter(|(path, _)| may_ask && is_asked_about(path));
            let calls = calls.map(|(path, called)| (*path, *called)).collect();
            Some((account.clone(), *known.notes.due(&calls, now).first()?))
        });
        let due: Vec<_> = due.take(MOST_A_LOOK).collect();
        for (account, _) in &due {
            if let Some(known) = accounts.get_mut(account) {
                known.notes.ask(now);
            }
        }
        due
    }

    async fn ask_about_account(&self, account: Account, path: &'static str) {
        let names = self.names.all();
        let Some(platform) = names.get(usize::from(account.0)) else { return };
        let day = self.clock.now().beijing_day();
        let before = self.calls_of_account(&account, path);
        let question = Question::QuotaOfAccount { appid: Arc::clone(&account.1), path };
        let answer = (self.ask)(platform, question).await;
        let answer = answer.map_or_else(Answer::Failed, |body| judge(&body));
        self.take_accounts();
        let ours = self.calls_of_account(&account, path);
        let now = self.clock.now();
        let mut accounts = self.accounts.lock();
        let Some(known) = accounts.get_mut(&account) else { return };
        let notes = &mut known.notes;
        // Figures of a day that is over meanwhile say nothing of the new one.
        if notes.day != day {
            return;
        }
        (notes.problem, notes.problem_chinese) = (None, None);
        match answer {
            Answer::Figures { limit, used, rate } => {
                let slack = ours.saturating_sub(before);
                let figures = Figures { limit, used, at: now, ours, slack, base: 0, base_slack: 0, rate };
                notes.endpoints.insert(path.to_owned(), Known::Figures(figures));
            }
            Answer::Nothing => {
                notes.endpoints.insert(path.to_owned(), Known::Nothing { since: now });
            }
            Answer::Silent(problem) => {
                notes.fail(&problem);
                notes.not_before = Some(now.beijing_midnight());
            }
            Answer::Refused(problem) => {
                notes.fail(&problem);
                known.refused_until = Some(now.plus(AFTER_REFUSAL));
            }
            Answer::Failed(problem) => {
                notes.fail(&problem);
                notes.not_before = Some(now.plus(AFTER_FAILURE));
            }
        }
    }

    fn calls_of_account(&self, account: &Account, path: &str) -> u64 {
        let mut accounts = self.accounts.lock();
        let called = accounts.get_mut(account).and_then(|known| known.calls.get(path).copied());
        called.map_or(0, |called| called.ours)
    }
}

#[cfg(test)]
mod tests {
    use super::is_asked_about;

    #[test]
    fn only_endpoints_of_the_account_itself_are_asked_about() {
        for path in ["/cgi-bin/user/info", "/cgi-bin/ticket/getticket"] {
            assert!(is_asked_about(path), "{path}");
        }
        for path in [
            "other",
            "/sns/userinfo",
            "/cgi-bin/openapi/quota/get",
            "/cgi-bin/component/api_create_preauthcode",
        ] {
            assert!(!is_asked_about(path), "{path}");
        }
    }
}
