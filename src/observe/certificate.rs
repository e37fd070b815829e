//! When a certificate expires, who issued it, and its key. Just enough of X.509 (RFC 5280, 4.1) to
//! find that out, which rustls keeps to itself.

use std::time::UNIX_EPOCH;

use super::clock::Timestamp;

/// The end of a certificate's validity; none if it can't be read.
pub fn end(der: &[u8]) -> Option<Timestamp> {
    let fields = Fields::of(der)?;
    let (_, _, not_after) = element(fields.validity)?;
    let (tag, text, _) = element(not_after)?;
    time(tag, std::str::from_utf8(text).ok()?)
}

/// Country, organisation and name of the authority that made a certificate, like `C=US, O=DigiCert
/// Inc, CN=DigiCert Global Root G2`; none if it can't be read.
pub fn issuer(der: &[u8]) -> Option<String> {
    let mut names = Fields::of(der)?.issuer;
    let mut shown = Vec::new();
    while !names.is_empty() {
        let (set, rest) = contents(SET, names)?;
        let (attribute, _) = contents(SEQUENCE, set)?;
        let (kind, value) = contents(OBJECT_IDENTIFIER, attribute)?;
        let (_, text, _) = element(value)?;
        if let Some((_, label)) = ATTRIBUTES.iter().find(|(known, _)| *known == kind) {
            shown.push(format!("{label}={}", String::from_utf8_lossy(text)));
        }
        names = rest;
    }
    Some(shown.join(", "))
}

/// Its RSA key, an `RSAPublicKey` (RFC 8017, A.1.1), and how many bits that has; none if it can't
/// be read or is of another kind.
pub fn rsa_key(der: &[u8]) -> Option<(&[u8], usize)> {
    let (_, _, behind_subject) = element(Fields::of(der)?.behind_validity)?;
    let (info, _) = contents(SEQUENCE, behind_subject)?;
    let (algorithm, bits) = contents(SEQUENCE, info)?;
    let (algorithm, _) = contents(OBJECT_IDENTIFIER, algorithm)?;
    let (bits, _) = contents(BIT_STRING, bits)?;
    // No bits are unused.
    let key = bits.strip_prefix(&[0])?;
    let (modulus, _) = contents(INTEGER, contents(SEQUENCE, key)?.0)?;
    let modulus = modulus.strip_prefix(&[0]).unwrap_or(modulus);
    let length = 8 * modulus.len() - modulus.first()?.leading_zeros() as usize;
    (algorithm == RSA).then_some((key, length))
}

/// What is within the fields of interest.
struct Fields<'d> {
    issuer: &'d [u8],
    validity: &'d [u8],
    /// The subject, its key, extensions.
    behind_validity: &'d [u8],
}

impl<'d> Fields<'d> {
    fn of(der: &'d [u8]) -> Option<Self> {
        let (certificate, _) = contents(SEQUENCE, der)?;
        let (mut fields, _) = contents(SEQUENCE, certificate)?;
        // The version is left out where it is 1.
        if let Some((_, rest)) = contents(VERSION, fields) {
            fields = rest;
        }
        // Serial number, signature algorithm.
        for _ in 0..2 {
            fields = element(fields)?.2;
        }
        let (issuer, fields) = contents(SEQUENCE, fields)?;
        let (validity, behind_validity) = contents(SEQUENCE, fields)?;
        Some(Self { issuer, validity, behind_validity })
    }
}

/// Country, organisation, common name.
const ATTRIBUTES: [(&[u8], &str); 3] =
    [(b"\x55\x04\x06", "C"), (b"\x55\x04\x0a", "O"), (b"\x55\x04\x03", "CN")];

/// `rsaEncryption`: 1.2.840.113549.1.1.1.
const RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SET: u8 = 0x31;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// `YYMMDDhhmmssZ` until 2049, `YYYYMMDDhhmmssZ` from then on.
fn time(tag: u8, text: &str) -> Option<Timestamp> {
    let text = match tag {
        UTC_TIME => format!("{}{text}", if text < "5" { "20" } else { "19" }),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let part = |range| text.get(range);
    let (date, clock) = (part(0..8)?, part(8..14)?);
    let date = format!("{}-{}-{}", date.get(..4)?, date.get(4..6)?, date.get(6..)?);
    let clock = format!("{}:{}:{}", clock.get(..2)?, clock.get(2..4)?, clock.get(4..)?);
    let time = humantime::parse_rfc3339(&format!("{date}T{clock}Z")).ok()?;
    Some(Timestamp(0).plus(time.duration_since(UNIX_EPOCH).ok()?))
}

/// What is within the first element if it has this tag, and what comes behind it.
fn contents(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, contents, rest) = element(der)?;
    (found == tag).then_some((contents, rest))
}

/// The first element's tag, what is within it, and what comes behind it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match usize::from(*first) {
        short @ 0..=0x7f => (short, rest),
        // A length of its own, of so many bytes.
        long @ 0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(long - 0x80)?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    Some((*tag, contents, rest))
}

#[cfg(test)]
mod tests {
    use super::{GENERALIZED_TIME, UTC_TIME, end, issuer, time};

    fn until(year: i32) -> Vec<u8> {
        let mut parameters = rcgen::CertificateParams::new(vec!["shop.example".to_owned()]).expect("a name");
        parameters.not_after = rcgen::date_time_ymd(year, 3, 31);
        let key = rcgen::KeyPair::generate().expect("a key");
        parameters.self_signed(&key).expect("signed").der().to_vec()
    }

    #[test]
    fn the_end_is_read_in_this_century_and_the_next() {
        for (year, text) in [(2027, "2027-03-31"), (2049, "2049-03-31"), (2051, "2051-03-31")] {
            assert_eq!(end(&until(year)).map(|end| end.rfc3339()), Some(format!("{text}T00:00:00.000Z")));
        }
    }

    #[test]
    fn the_authority_is_named_by_country_organisation_and_name() {
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).expect("no names");
        let mut name = rcgen::DistinguishedName::new();
        name.push(rcgen::DnType::CountryName, "CN");
        name.push(rcgen::DnType::LocalityName, "Shenzhen");
        name.push(rcgen::DnType::OrganizationName, "Tester Inc");
        name.push(rcgen::DnType::CommonName, "Tester Root");
        parameters.distinguished_name = name;
        let key = rcgen::KeyPair::generate().expect("a key");
        let der = parameters.self_signed(&key).expect("signed").der().to_vec();
        assert_eq!(issuer(&der).as_deref(), Some("C=CN, O=Tester Inc, CN=Tester Root"));
    }

    #[test]
    fn two_digits_of_a_year_are_of_1950_to_2049() {
        let at = |tag, text| time(tag, text).map(|time| time.rfc3339());
        assert_eq!(at(UTC_TIME, "491231235959Z").as_deref(), Some("2049-12-31T23:59:59.000Z"));
        assert_eq!(at(UTC_TIME, "991231235959Z").as_deref(), Some("1999-12-31T23:59:59.000Z"));
        assert_eq!(at(GENERALIZED_TIME, "99991231235959Z").as_deref(), Some("9999-12-31T23:59:59.000Z"));
    }

    #[test]
    fn what_is_no_certificate_or_cut_off_has_no_end() {
        let whole = until(2027);
        for length in 0..whole.len().min(200) {
            assert_eq!(end(&whole[..length]), None);
            assert_eq!(issuer(&whole[..length]), None);
        }
        assert_eq!(end(b"0\x84\xff\xff\xff\xff"), None);
    }
}
