//! The names in a query, for people.

use super::parameter::split;

/// Most names that [`keys`] shows.
const MAX_KEYS: usize = 20;
/// Longest name that [`keys`] shows.
const MAX_KEY: usize = 40;
/// Longest one without a `=`: a longer one may be a token pasted into the URL.
const MAX_BARE_KEY: usize = 24;

/// The parameters' names for a log line, joined by `,`; never a value.
///
/// What can't be a parameter's name (too long, or too long without a `=`) is shown as `?`, as is
/// each character that isn't printable ASCII; names past the twentieth are shown as `...`.
pub fn keys(query: &str) -> String {
    let mut shown = String::new();
    let segments = query.split('&').filter(|segment| !segment.is_empty());
    for (index, segment) in segments.enumerate() {
        if index > 0 {
            shown.push(',');
        }
        if index == MAX_KEYS {
            shown.push_str("...");
            break;
        }
        let name = split(segment).0;
        let limit = if segment.contains('=') { MAX_KEY } else { MAX_BARE_KEY };
        if name.len() > limit {
            shown.push('?');
        } else {
            let printable = |c: char| if c.is_ascii_graphic() && c != ',' { c } else { '?' };
            shown.extend(name.chars().map(printable));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::keys;

    #[test]
    fn log_keys_hold_names_only() {
        assert_eq!(keys("access_token=SECRET&openid=O&lang=zh_CN&"), "access_token,openid,lang");
        assert_eq!(keys("flag&a%0a=1&b\u{7}\u{4f60}=2"), "flag,a%0a,b??");
        assert_eq!(keys("57_aVeryLongPastedTokenOfSomebody"), "?");
        assert_eq!(keys(&format!("{}=1", "k".repeat(41))), "?");
        assert_eq!(keys(""), "");
        let many: Vec<String> = (0..25).map(|i| format!("k{i}=v")).collect();
        assert!(keys(&many.join("&")).ends_with(",k19,..."));
    }
}
