//! The companies that installed a WeCom suite.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::tokens::fresh;

/// How long a temporary code can be exchanged (WeCom: ten minutes), milliseconds.
const CODE_LIFETIME_MS: i64 = 600_000;
/// Characters of a permanent code.
const PERMANENT_CODE: usize = 43;

/// A company that installed a suite.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Company {
    /// The suite.
    pub suite_id: String,
    /// The company.
    pub corpid: String,
    /// What its tokens are fetched with; None: `get_permanent_code` was not called yet.
    #[serde(default)]
    pub permanent_code: Option<String>,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
}

impl Company {
    /// A company whose permanent code the provider has.
    pub fn new(
        suite: impl Into<String>,
        corpid: impl Into<String>,
        permanent_code: impl Into<String>,
    ) -> Self {
        Self {
            suite_id: suite.into(),
            corpid: corpid.into(),
            permanent_code: Some(permanent_code.into()),
            name: None,
        }
    }

    /// By which its tokens are told from others': `CORPID.SUITE_ID`.
    pub(in crate::sandbox) fn identity(&self) -> String {
        format!("{}.{}", self.corpid, self.suite_id)
    }
}

impl fmt::Debug for Company {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Company")
            .field("suite_id", &self.suite_id)
            .field("corpid", &self.corpid)
            .finish_non_exhaustive()
    }
}

/// A temporary code that was pushed and not exchanged yet.
#[derive(Debug)]
struct AuthCode {
    suite_id: String,
    corpid: String,
    expires_at: i64,
}

#[derive(Debug, Default)]
pub(in crate::sandbox) struct Companies {
    known: Vec<Company>,
    codes: HashMap<String, AuthCode>,
}

impl Companies {
    /// Adds a company, or replaces what was known of it with this suite.
    pub(in crate::sandbox) fn put(&mut self, company: Company) {
        self.remove(&company.suite_id, &company.corpid);
        self.known.push(company);
    }

    pub(in crate::sandbox) fn remove(&mut self, suite: &str, corpid: &str) -> Option<Company> {
        let at = self.known.iter().position(|known| known.suite_id == suite && known.corpid == corpid)?;
        Some(self.known.remove(at))
    }

    pub(in crate::sandbox) fn list(&self) -> &[Company] {
        &self.known
    }

    pub(in crate::sandbox) fn get(&self, suite: &str, corpid: &str) -> Option<&Company> {
        self.known.iter().find(|known| known.suite_id == suite && known.corpid == corpid)
    }

    /// The company of a suite with this permanent code.
    pub(in crate::sandbox) fn holder(&self, suite: &str, corpid: &str, code: &str) -> Option<&Company> {
        self.get(suite, corpid).filter(|known| known.permanent_code.as_deref() == Some(code))
    }

    /// A temporary code for a company.
    pub(in crate::sandbox) fn issue_code(&mut self, suite: &str, corpid: &str, now: i64) -> String {
        let code = fresh(now, 128);
        let (suite_id, corpid) = (suite.to_owned(), corpid.to_owned());
        let expires_at = now + CODE_LIFETIME_MS;
        self.codes.insert(code.clone(), AuthCode { suite_id, corpid, expires_at });
        code
    }

    /// Exchanges a temporary code, once: the company has a permanent code of its own from now on,
    /// and the one before is none any more. None if the code is unknown, used, expired or another
    /// suite's, or the company left.
    pub(in crate::sandbox) fn exchange(&mut self, suite: &str, code: &str, now: i64) -> Option<Company> {
        self.codes.get(code).filter(|code| code.suite_id == suite && now < code.expires_at)?;
        let corpid = self.codes.remove(code)?.corpid;
        let company = self.known.iter_mut().find(|it| it.suite_id == suite && it.corpid == corpid)?;
        company.permanent_code = Some(fresh(now, PERMANENT_CODE));
        Some(company.clone())
    }

    /// Forgets the temporary codes; the companies stay.
    pub(in crate::sandbox) fn forget(&mut self) {
        self.codes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{CODE_LIFETIME_MS, Companies, Company};

    #[test]
    fn a_code_is_good_once_for_its_suite_and_ten_minutes() {
        let mut companies = Companies::default();
        companies.put(Company::new("suite", "corp", "old"));
        let code = companies.issue_code("suite", "corp", 0);
        assert_eq!(companies.exchange("other", &code, 0), None);
        assert_eq!(companies.exchange("suite", &code, CODE_LIFETIME_MS), None);
        let company = companies.exchange("suite", &code, CODE_LIFETIME_MS - 1).expect("the company");
        assert_eq!(companies.exchange("suite", &code, 1), None);
        let code = company.permanent_code.expect("a code");
        assert!(companies.holder("suite", "corp", &code).is_some());
        assert!(companies.holder("suite", "corp", "old").is_none());
    }
}
