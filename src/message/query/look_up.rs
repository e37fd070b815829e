//! Values by the names of their parameters.

use std::borrow::Cow;

use super::parameter::{parameters, split};
use crate::message::credential;
use crate::message::percent::{Decoded, decode, decode_bytes};

/// The decoded value of the first parameter whose decoded name is `name`.
pub fn get<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    get_all(query, name).next()
}

/// The decoded values of all parameters whose decoded name is `name`.
pub fn get_all<'a>(query: &'a str, name: &str) -> impl Iterator<Item = Cow<'a, str>> {
    let named = query.split('&').map(split).filter(|(raw, _)| Decoded(raw.as_bytes()).eq(name.bytes()));
    named.map(|(_, value)| decode(value))
}

/// The decoded values of all parameters that a server may take for a secret.
pub fn secrets(query: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let texts = parameters(Some(query)).map(|parameter| parameter.text);
    texts.flat_map(|text| credential::secrets_in(text.as_bytes())).map(decode_bytes)
}

/// Takes the parameters with the name `name` out of a query, by any spelling that decodes to it
/// once: their decoded values, and what is left, byte for byte. None if there is no such parameter.
pub fn take<'a>(query: &'a str, name: &str) -> Option<(Vec<Cow<'a, str>>, String)> {
    let is_named = |segment: &str| Decoded(split(segment).0.as_bytes()).eq(name.bytes());
    if !query.split('&').any(is_named) {
        return None;
    }
    let (taken, kept): (Vec<_>, Vec<_>) = query.split('&').partition(|segment| is_named(segment));
    Some((taken.into_iter().map(|segment| decode(split(segment).1)).collect(), kept.join("&")))
}

#[cfg(test)]
mod tests {
    use super::{get, secrets, take};

    #[test]
    fn values_are_decoded_once() {
        let query = "openid=O%2541&access_token=T%2B+x&openid=second&bad=%zz%e4&flag";
        assert_eq!(get(query, "openid").as_deref(), Some("O%41"));
        assert_eq!(get(query, "bad").as_deref(), Some("%zz\u{fffd}"));
        assert_eq!(get(query, "flag").as_deref(), Some(""));
        assert_eq!(get(query, "nothing"), None);
        let found: Vec<_> = secrets("a=1;Secret=%4B&app-secret&secret%00=L&secrets=M").collect();
        assert_eq!(found, ["K", "", "L"]);
        assert_eq!(secrets("access_token=T?secret=K&a=1?secret=L").collect::<Vec<_>>(), ["K"]);
    }

    #[test]
    fn a_taken_parameter_leaves_the_other_bytes_as_they_were() {
        let name = "from_appid";
        for (query, values, left) in [
            ("from_appid=wx1", &["wx1"][..], ""),
            ("a=%61+&from_appid=w%781&b&&c=", &["wx1"], "a=%61+&b&&c="),
            ("%66rom_appid=wx1&x=1&from_appid=wx2", &["wx1", "wx2"], "x=1"),
            ("from_appid&a=1", &[""], "a=1"),
        ] {
            let (taken, kept) = take(query, name).expect(query);
            assert_eq!(
                (taken, &*kept),
                (values.iter().map(|value| (*value).into()).collect(), left),
                "{query}"
            );
        }
        for query in
            ["", "a=from_appid", "my_from_appid=wx1", "From_appid=wx1", "%2566rom_appid=wx1", "a=%66"]
        {
            assert_eq!(take(query, name), None, "{query}");
        }
    }
}
