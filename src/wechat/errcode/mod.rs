//! WeChat's error codes.
//!
//! | file | says |
//! | --- | --- |
//! | `scan` | which errcode a response has |
//! | `proof` | what an errcode proves of the token that a request carried |
//! | `circuit` | which errcodes of a token endpoint open an app's circuit |
//! | `meaning` | what they mean to an operator, and what to do |
//! | `plain` | what they mean to callers |
//! | `known` | which are published |
//! | `text` | what else error texts say |

mod circuit;
mod known;
mod meaning;
mod plain;
mod proof;
mod scan;
mod text;

pub use circuit::opens_circuit;
use known::KNOWN;
pub use meaning::{Meaning, explain};
pub use plain::{document, plain};
pub use proof::{Proof, TokenCodes, casts_doubt};
pub use scan::{Scan, scan};
pub use text::{rid, whitelist_address, words};

/// Whether WeChat refused the call for a limit of its own, so that the next one is refused as well.
pub fn throttles(code: i64) -> bool {
    matches!(code, 45009 | 45011)
}

/// Whether WeChat refused the call for the address that it came from.
pub fn refuses_address(code: i64) -> bool {
    matches!(code, 40164 | 60020 | 61004)
}

/// Whether WeChat came to look into the call, so that no limit of its own is in the way: not where
/// it is busy (-1), nor where it doesn't take the token, which it looks at before.
pub fn is_past_limits(code: Option<i64>) -> bool {
    let families = [TokenCodes::API, TokenCodes::WORK, TokenCodes::WORK_PROVIDER];
    code.is_none_or(|code| {
        code >= 0 && !throttles(code) && !families.iter().any(|codes| codes.dead.contains(&code))
    })
}

/// Whether WeChat has published this code, so that it may be a metric's label.
pub fn known(code: i64) -> bool {
    KNOWN.binary_search(&code).is_ok()
}

#[cfg(test)]
mod tests {
    use super::known::KNOWN;
    use super::{explain, is_past_limits, known, opens_circuit, rid, whitelist_address, words};
    use crate::wechat::Family;

    const FAMILIES: [Family; 4] = [Family::Api, Family::Mp, Family::Open, Family::Work];

    #[test]
    fn permanent_failures_are_those_that_only_people_end() {
        let permanent: Vec<i64> = (-100..89_500).filter(|code| opens_circuit(*code)).collect();
        assert_eq!(
            permanent,
            [
                40001, 40002, 40013, 40080, 40083, 40084, 40125, 40164, 40243, 41002, 41004, 43002, 45009,
                48004, 50007, 60020, 61004, 61011, 61023
            ]
        );
        assert!(opens_circuit(89500) && opens_circuit(89599));
        assert!(!opens_circuit(89600) && !opens_circuit(-1));
    }

    #[test]
    fn every_permanent_failure_has_a_remedy() {
        for code in (0..100_000).filter(|code| opens_circuit(*code)) {
            for family in FAMILIES {
                let explained = explain(family, code).expect("a remedy");
                assert!(
                    !explained.meaning.as_str().ends_with('.') && explained.remedy.as_str().ends_with('.'),
                    "{code}"
                );
            }
        }
        assert_eq!(explain(Family::Api, 40003), None);
    }

    #[test]
    fn a_ticket_that_is_too_old_is_waited_out() {
        for code in [61005, 61006, 40085] {
            assert!(!opens_circuit(code), "{code}");
            assert!(
                explain(Family::Api, code).is_some_and(|meaning| meaning.remedy.as_str().contains("ticket")),
                "{code}"
            );
        }
    }

    #[test]
    fn wecom_is_explained_by_its_own_console() {
        for code in [40001, 40013, 40125, 45033, 60020] {
            let remedy = explain(Family::Work, code).expect("a remedy").remedy;
            assert!(!remedy.as_str().contains("mp.weixin.qq.com"), "{code}: {remedy}");
        }
        assert_ne!(explain(Family::Work, 40001), explain(Family::Api, 40001));
        assert_eq!(explain(Family::Work, 42001), explain(Family::Api, 42001));
    }

    #[test]
    fn published_codes_are_known_and_others_are_not() {
        assert!(KNOWN.is_sorted_by(|a, b| a < b));
        for code in [-1, 0, 40001, 40164, 45009, 47001, 48001, 61023, 85009, 87014, 89503, 9_001_001] {
            assert!(known(code), "{code}");
        }
        for code in [-40001, 1, 12345, 49999, 99999, i64::MAX, i64::MIN] {
            assert!(!known(code), "{code}");
        }
        for family in [Family::Api, Family::Work] {
            let explained = |code: &i64| explain(family, *code).is_some() && !(89500..89600).contains(code);
            for code in (-100..1_000_000).filter(explained) {
                assert!(known(code), "{code}");
            }
        }
    }

    #[test]
    fn known_codes_stay_few_enough_for_a_label() {
        assert!((300..1500).contains(&KNOWN.len()), "{}", KNOWN.len());
    }

    #[test]
    fn the_refused_address_is_found() {
        let errmsg = "invalid ip 114.221.21.30 ipv6 ::ffff:114.221.21.30, not in whitelist rid: \
                      658cff8e-7783352d-44cb33e5";
        assert_eq!(whitelist_address(errmsg), Some("114.221.21.30"));
        assert_eq!(whitelist_address("invalid ip 2001:db8::7, not in whitelist"), Some("2001:db8::7"));
        assert_eq!(whitelist_address("invalid ip 203.0.113.7"), Some("203.0.113.7"));
        let platform =
            "access clientip is not registered requestIP: 203.0.113.9 rid: 630b6db2-67134d6f-09abfa92";
        assert_eq!(whitelist_address(platform), Some("203.0.113.9"));
        let wecom = "not allow to access from your ip, hint: [1787373915609110759172198], from ip: 203.0.113.9, \
                     more info at https://open.work.weixin.qq.com/devtool/query?e=60020";
        assert_eq!(whitelist_address(wecom), Some("203.0.113.9"));
        assert_eq!(whitelist_address("invalid ip , not in whitelist"), None);
        assert_eq!(whitelist_address("invalid appsecret"), None);
    }

    #[test]
    fn what_wechat_looked_into_is_past_its_limits() {
        for code in [None, Some(0), Some(40003), Some(43101), Some(47001)] {
            assert!(is_past_limits(code), "{code:?}");
        }
        for code in [-1, -1000, 45009, 45011, 40001, 40014, 42001, 40082] {
            assert!(!is_past_limits(Some(code)), "{code}");
        }
    }

    #[test]
    fn wechats_words_are_quoted_without_what_may_be_a_credential() {
        let (long, cut) = ("限".repeat(100), "限".repeat(66));
        let long = format!("{{\"errcode\":45009,\"errmsg\":\"{long}\"}}");
        for (answer, expected) in [
            (
                r#"{"errcode":45009,"errmsg":"reach max api daily quota limit rid: 617682e0-09059ac5-34a8e2ea"}"#,
                Some("reach max api daily quota limit rid: 617682e0-09059ac5-34a8e2ea"),
            ),
            (
                r#"{"errcode":45009,"errmsg":"no more by 693a91f6-7bd2-4bc4-97a0-0ec2c9fa5aaa, wait"}"#,
                Some("no more by ***, wait"),
            ),
            ("\u{feff}{\"base_resp\":{\"errcode\":45011,\"errmsg\":\"a\\nb\"}}", Some("a b")),
            (r#"{"errcode":45009,"errmsg":"a\u202eb\u2028c"}"#, Some("a b c")),
            (&*long, Some(&*cut)),
            (r#"{"errcode":45009,"errmsg":""}"#, None),
            (r#"{"errcode":45009}"#, None),
            ("<html>", None),
        ] {
            assert_eq!(words(answer.as_bytes()).as_deref(), expected, "{answer}");
        }
    }

    #[test]
    fn the_request_id_is_found() {
        for text in [
            "{\"errcode\":40001,\"errmsg\":\"... not latest rid: 630b6db2-67134d6f-09abfa92\"}",
            "invalid appsecret, rid: 630b6db2-67134d6f-09abfa92",
            "rid: rid: 630b6db2-67134d6f-09abfa92",
        ] {
            assert_eq!(rid(text.as_bytes()), Some("630b6db2-67134d6f-09abfa92"), "{text}");
        }
        for text in [
            "",
            "rid: xxx",
            "rid: 630B6DB2-67134d6f-09abfa92",
            "rid: 630b6db2-67134d6f-09abfa9",
            "rid: 630b6db2-67134d6f-09abfa92a",
        ] {
            assert_eq!(rid(text.as_bytes()), None, "{text}");
        }
    }
}
