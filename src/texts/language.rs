//! Which language.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// What people read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// Also for whoever says nothing.
    #[default]
    English,
    /// Simplified.
    Chinese,
}

/// The process's own: what its terminal or its log is in.
static IS_CHINESE: AtomicBool = AtomicBool::new(false);

thread_local! {
    static SCOPE: Cell<Option<Language>> = const { Cell::new(None) };
}

impl Language {
    /// The user's: the first of `WXGATE_LANG`, `LC_ALL` and `LANG` that is set and not empty.
    #[expect(
        clippy::disallowed_methods,
        reason = "what is wrong with a configuration is said in it, before one is read"
    )]
    pub fn of_environment() -> Self {
        Self::of_variables(|name| std::env::var(name).ok())
    }

    fn of_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let mut set = ["WXGATE_LANG", "LC_ALL", "LANG"].into_iter().filter_map(variable);
        set.find(|value| !value.is_empty()).map_or(Self::English, |value| Self::of_tag(&value))
    }

    /// Of `zh`, `zh-CN`, `zh_CN.UTF-8` and the like; any other is English.
    fn of_tag(tag: &str) -> Self {
        let language = tag.trim().split(['-', '_', '.', '@']).next().unwrap_or_default();
        if language.eq_ignore_ascii_case("zh") { Self::Chinese } else { Self::English }
    }

    /// What a client likes best of the two, by RFC 9110, section 12.5.4; the first of equals.
    pub fn of_accept_language(value: &str) -> Self {
        let mut best = (0.0, Self::English);
        for range in value.split(',') {
            let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
            let weight = parameters.trim().strip_prefix("q=").map_or(Some(1.0), |weight| weight.parse().ok());
            let primary = tag.trim().split('-').next().unwrap_or_default();
            let is_known = ["zh", "en"].iter().any(|known| primary.eq_ignore_ascii_case(known));
            if let Some(weight) = weight.filter(|weight: &f32| is_known && *weight > best.0) {
                best = (weight, Self::of_tag(primary));
            }
        }
        best.1
    }

    /// Makes it the process's.
    pub fn make_default(self) {
        IS_CHINESE.store(self == Self::Chinese, Relaxed);
    }

    /// The process's own: of its terminal, or of its log.
    pub fn of_process() -> Self {
        if IS_CHINESE.load(Relaxed) { Self::Chinese } else { Self::English }
    }

    /// The scope's, else the process's.
    pub fn current() -> Self {
        SCOPE.get().unwrap_or_else(Self::of_process)
    }

    /// Runs `write` with whatever it prints in this language.
    pub fn scope<T>(self, write: impl FnOnce() -> T) -> T {
        struct Former(Option<Language>);
        impl Drop for Former {
            fn drop(&mut self) {
                SCOPE.set(self.0);
            }
        }
        let _former = Former(SCOPE.replace(Some(self)));
        write()
    }

    /// Runs `future` with whatever it prints in this language.
    pub async fn around<F: Future>(self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|context| self.scope(|| future.as_mut().poll(context))).await
    }

    /// As HTML and configurations name it.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Language::{self, Chinese, English};

    #[test]
    fn the_first_variable_that_is_set_says_the_language() {
        let rows: [(&[(&str, &str)], Language); 7] = [
            (&[], English),
            (&[("LANG", "zh_CN.UTF-8")], Chinese),
            (&[("LANG", "C")], English),
            (&[("LC_ALL", "en_US.UTF-8"), ("LANG", "zh_CN.UTF-8")], English),
            (&[("LC_ALL", ""), ("LANG", "zh")], Chinese),
            (&[("WXGATE_LANG", "zh"), ("LC_ALL", "C")], Chinese),
            (&[("WXGATE_LANG", "en"), ("LANG", "zh_CN.UTF-8")], English),
        ];
        for (set, expected) in rows {
            let variable =
                |name: &str| set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
            assert_eq!(Language::of_variables(variable), expected, "{set:?}");
        }
    }

    #[test]
    fn a_client_gets_the_language_that_it_likes_best() {
        let rows = [
            ("", English),
            ("*", English),
            ("zh", Chinese),
            ("zh-CN,zh;q=0.9,en;q=0.8", Chinese),
            ("en-US,en;q=0.9,zh-CN;q=0.8", English),
            ("de, zh;q=0.5, en;q=0.2", Chinese),
            ("en;q=0, zh;q=0.1", Chinese),
            ("zh;q=nonsense", English),
            ("ZH-Hans", Chinese),
        ];
        for (value, expected) in rows {
            assert_eq!(Language::of_accept_language(value), expected, "{value:?}");
        }
    }

    #[test]
    fn a_scope_ends_where_it_ends_and_by_a_panic_too() {
        assert_eq!(Language::current(), English);
        Chinese.scope(|| {
            assert_eq!(Language::current(), Chinese);
            English.scope(|| assert_eq!(Language::current(), English));
            assert_eq!(Language::current(), Chinese);
        });
        let _ = std::panic::catch_unwind(|| Chinese.scope(|| panic!("within")));
        assert_eq!(Language::current(), English);
    }
}
