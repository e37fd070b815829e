//! `[app.signing]`: requests that are signed and encrypted for an account (API 安全).

use std::sync::Arc;

use http::Method;

use crate::config::file;
use crate::config::reader::endpoints::Hosts;
use crate::config::reader::patterns::pattern;
use crate::config::reader::problem::{Place, Report};
use crate::config::reader::secrets::{Secrets, file_name};
use crate::config::reader::values::{Field, Item, Strings};
use crate::observe::clock::Timestamp;
use crate::pipeline::{SignedEndpoints, SigningOptions};
use crate::texts::{Text, Words, text, words};
use crate::wechat::signing::{BadKey, Certificate, Keys, OwnKey, SharedKey};
use crate::wechat::{AppKind, Family};

const NO_AES_KEY: Text<'_> =
    text!("is missing, expected {{ env = \"NAME\" }} with the symmetric key (对称密钥) in base64");
const NO_AES_KEY_SN: Text<'_> =
    text!("is missing, expected the number of the symmetric key, as the console shows it");
const NO_PRIVATE_KEY: Text<'_> =
    text!("is missing, expected {{ file = \"PATH\" }} with the account's RSA key (非对称密钥) in PEM");
const NO_CERTIFICATE: Text<'_> =
    text!("is missing, expected the path of the platform's certificate (平台证书) in PEM");
const NO_CERTIFICATE_SN: Text<'_> =
    text!("is missing, expected the number of the platform's certificate, as the console shows it");

/// None where there is no table, and where it is wrong.
pub(super) fn options(
    field: &Field<file::Signing>,
    appid: Option<&Item<String>>,
    kind: AppKind,
    now: Timestamp,
    secrets: &mut Secrets<'_>,
    report: &mut Report<'_>,
) -> Option<SigningOptions> {
    let Item { value: raw, place } = field.item()?;
    if kind.family() == Family::Work || kind.is_platform() {
        report.error(place, text!("is for official accounts, mini programs and stores alone, leave it out"));
        return None;
    }
    let missing = |key: &str| place.child(key);
    let aes_key = raw.aes_key.required(missing("aes_key"), report, NO_AES_KEY);
    let serial = raw.aes_key_sn.required(missing("aes_key_sn"), report, NO_AES_KEY_SN);
    let private = raw.private_key.required(missing("private_key"), report, NO_PRIVATE_KEY);
    let certificates =
        raw.platform_certificate.required(missing("platform_certificate"), report, NO_CERTIFICATE);
    let serials =
        raw.platform_certificate_sn.required(missing("platform_certificate_sn"), report, NO_CERTIFICATE_SN);
    let endpoints = endpoints(&raw.endpoints, report);
    for number in serial.into_iter().chain(serials.iter().flat_map(|item| &item.value.0)) {
        check_number(number, report);
    }

    let shared = aes_key.zip(serial).and_then(|(source, serial)| {
        let key = secrets.resolve(source, report)?;
        fit(SharedKey::new(&key, &serial.value), &source.place, &words!("the symmetric key"), report)
    });
    let own = private.and_then(|source| {
        let pem = secrets.resolve_pem(source, report)?;
        fit(OwnKey::new(&pem), &source.place, &words!("the text"), report)
    });
    let platform =
        certificates.zip(serials).and_then(|(paths, serials)| platform(paths, serials, now, secrets, report));
    if let (Some(own), Some(platform), Some(paths)) = (&own, &platform, certificates) {
        for (certificate, path) in platform.iter().zip(&paths.value.0) {
            fit(own.differs_from(certificate), &path.place, &file_name(&path.value), report);
        }
    }
    let keys = match (appid, shared, own, platform) {
        (Some(appid), Some(shared), Some(own), Some(platform)) => {
            Some(Arc::new(Keys::new(appid.value.as_str().into(), shared, own, platform)))
        }
        _ => None,
    };
    Some(SigningOptions { endpoints, keys })
}

/// The number is part of what is encrypted: with a blank in it no response would be accepted.
fn check_number(number: &Item<String>, report: &mut Report<'_>) {
    if number.value.is_empty() || !number.value.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        report.error(
            &number.place,
            text!("is not such a number, expected letters and digits as the console shows them"),
        );
    }
}

fn fit<T>(read: Result<T, BadKey>, place: &Place, what: &Words, report: &mut Report<'_>) -> Option<T> {
    read.map_err(|bad| report.error(place, text!("{what} {problem}", what, problem = bad))).ok()
}

/// The certificates, each with its number.
fn platform(
    paths: &Item<Strings>,
    serials: &Item<Strings>,
    now: Timestamp,
    secrets: &mut Secrets<'_>,
    report: &mut Report<'_>,
) -> Option<Vec<Certificate>> {
    let (files, numbers) = (&paths.value.0, &serials.value.0);
    if files.is_empty() || files.len() > 2 {
        let text = text!(
            "has {number} entries, expected the path of the platform's certificate (平台证书) in PEM, or two of them",
            number = files.len()
        );
        report.error(&paths.place, text);
        return None;
    }
    if files.len() != numbers.len() {
        let text = text!(
            "has {numbers} entries and platform_certificate has {files}, expected the number of each certificate, in the \
             same order",
            numbers = numbers.len(),
            files = files.len()
        );
        report.error(&serials.place, text);
        return None;
    }
    if let [one, other] = &numbers[..]
        && one.value == other.value
    {
        report.error(&other.place, text!("is the number of the other certificate, expected a different one"));
        return None;
    }
    let read = files.iter().zip(numbers).map(|(path, serial)| {
        let pem = secrets.pem(path, report)?;
        let certificate = Certificate::new(&pem, &serial.value);
        let certificate = fit(certificate, &path.place, &file_name(&path.value), report)?;
        if certificate.ends().since(now) <= Certificate::ENDS_SOON {
            let date = certificate.ends().beijing_date();
            let text = text!(
                "the certificate expires on {date}, expected the next one from the console as a second entry, with its number",
                date
            );
            report.warn(&path.place, text);
        }
        Some(certificate)
    });
    read.collect()
}

fn endpoints(field: &Field<Strings>, report: &mut Report<'_>) -> SignedEndpoints {
    let Some(Item { value: Strings(entries), place }) = field.item() else {
        return SignedEndpoints::Supported;
    };
    match &entries[..] {
        [only] if only.value == "supported" => return SignedEndpoints::Supported,
        [only] if only.value == "all" => return SignedEndpoints::All,
        [] => report.error(place, text!("is empty, expected \"supported\", \"all\" or patterns")),
        _ => {}
    }
    let mut patterns = Vec::new();
    for Item { value, place } in entries {
        if !value.contains(['/', '*']) {
            report.error(
                place,
                text!("is neither \"supported\" nor \"all\" alone, nor a pattern like \"/wxa/business/**\""),
            );
            continue;
        }
        let Some(pattern) = pattern(value, Hosts::of(Family::Api), place, report) else { continue };
        if pattern.method.as_ref().is_some_and(|method| method != Method::POST) {
            report.warn(place, text!("has no effect, only POST requests are signed"));
        }
        patterns.push(pattern);
    }
    SignedEndpoints::Listed(patterns)
}
