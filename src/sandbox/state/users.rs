//! Users who logged in. Codes work once; `invalid..` and `expired..` never do.

use std::collections::{HashMap, HashSet};

/// Beyond so many the oldest users' logins are forgotten all at once.
const MOST: usize = 100_000;

/// A user who logged in at an app.
#[derive(Clone, Debug)]
pub(in crate::sandbox) struct Login {
    pub appid: String,
    pub openid: String,
    pub scope: &'static str,
    pub expires_at: i64,
}

#[derive(Debug, Default)]
pub(in crate::sandbox) struct Users {
    used_codes: HashSet<String>,
    pub tokens: HashMap<String, Login>,
    pub refresh_tokens: HashMap<String, Login>,
}

impl Users {
    /// Takes a code in; the error is the errcode that refuses it.
    pub(in crate::sandbox) fn use_code(&mut self, code: &str) -> Result<(), i64> {
        if self.used_codes.len() >= MOST {
            *self = Self::default();
        }
        match code {
            code if code.starts_with("invalid") => Err(40029),
            code if code.starts_with("expired") => Err(42003),
            code if !self.used_codes.insert(code.to_owned()) => Err(40163),
            _ => Ok(()),
        }
    }
}
