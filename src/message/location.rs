//! What a `Location` repeats of the request.

use super::percent;
use crate::secret::mask;

/// A byte that parts parameters, and how it is spelled.
struct Separator {
    at: usize,
    /// More than 1 if it is percent-encoded, as in a URL that is a parameter itself.
    length: usize,
    byte: u8,
}

impl Separator {
    /// The one that `text` has at `at`.
    fn at(text: &[u8], at: usize) -> Option<Self> {
        let is_one = |byte: &u8| matches!(byte, b'?' | b'&' | b';' | b'#');
        let (byte, length) = match text.get(at..)? {
            [b'%', rest @ ..] => {
                let mut digits = rest;
                while let Some(rest) = digits.strip_prefix(b"25") {
                    digits = rest;
                }
                let [high, low, ..] = digits else { return None };
                let byte = percent::hex(*high)? << 4 | percent::hex(*low)?;
                (byte, 1 + rest.len() - digits.len() + 2)
            }
            [byte, ..] => (*byte, 1),
            [] => return None,
        };
        is_one(&byte).then_some(Self { at, length, byte })
    }

    /// Begins parameters, rather than parting two.
    fn begins(&self) -> bool {
        matches!(self.byte, b'?' | b'#')
    }
}

/// `url` without each parameter that contains one of `secrets`, wherever that is: in the query,
/// the fragment, or a URL that is a parameter of this one. In the path there is `*` in its place.
/// None if it has none of them.
pub fn without<'s>(url: &[u8], secrets: impl IntoIterator<Item = &'s [u8]>) -> Option<Vec<u8>> {
    let mut clean = None;
    for secret in secrets {
        while let Some((start, end)) = mask::place(clean.as_deref().unwrap_or(url), 0, secret) {
            let clean = clean.get_or_insert_with(|| url.to_vec());
            let Some(before) = (0..start).rev().find_map(|at| Separator::at(clean, at)) else {
                clean[start..end].fill(b'*');
                continue;
            };
            let behind = (end..clean.len())
                .filter_map(|at| Separator::at(clean, at))
                .find(|separator| separator.length <= before.length);
            match behind {
                // The next one is the first then.
                Some(behind) if before.begins() && !behind.begins() && behind.length == before.length => {
                    clean.drain(before.at + before.length..behind.at + behind.length);
                }
                Some(behind) => drop(clean.drain(before.at..behind.at)),
                None => clean.truncate(before.at),
            }
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::without;

    #[test]
    fn the_parameter_goes_and_all_else_stays() {
        for (url, left) in [
            ("https://x/?access_token=TK", "https://x/"),
            ("https://x/p?a=1&access_token=TK&b=2", "https://x/p?a=1&b=2"),
            ("/p?access_token=TK&b=2#f", "/p?b=2#f"),
            ("/p?access_token=TK#f", "/p#f"),
            ("https://x/#access_token=TK", "https://x/"),
            ("https://x/#access_token=TK&b=2", "https://x/#b=2"),
            ("/p?a=1;access_token=TK", "/p?a=1"),
            ("/p?ACCESS_TOKEN=TK&t=TK&a", "/p?a"),
            ("/p?access_token=TKx&token=xTK", "/p"),
            ("/p?redirect=https%3A//a/%3Faccess_token%3DTK", "/p?redirect=https%3A//a/"),
            ("/p?to=%3Fx%3D1%26t%3DTK%26y%3D2&b=2", "/p?to=%3Fx%3D1%26y%3D2&b=2"),
            ("/p?to=%3ft%3dTK&b=2", "/p?to=&b=2"),
            ("/p?to=%253Ft%253DTK%2526b%253D1%26c", "/p?to=%253Fb%253D1%26c"),
            ("/p?a=TK%26b=2&c", "/p?c"),
            ("/TK/x?a=1", "/****************/x?a=1"),
            ("https://TK@x/", "https://****************@x/"),
        ] {
            let token = "0123456789abcdef";
            let (url, left) = (url.replace("TK", token), left.replace("TK", token));
            let clean = without(url.as_bytes(), [token.as_bytes()]);
            assert_eq!(String::from_utf8(clean.expect("a change")).expect("UTF-8"), left, "{url}");
        }
        assert_eq!(without(b"/p?a=1", [&b"0123456789abcdef"[..]]), None);
    }
}
