//! `[server.tls]`: what callers see of a listener that speaks TLS.

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::file;
use crate::config::reader::problem::{Place, Report};
use crate::config::reader::secrets::{Secrets, file_name};
use crate::config::reader::values::{Field, Item};
use crate::server::{Address, Identity, IdentityError};
use crate::texts::{Text, text, words};

const CERT: Text<'_> =
    text!("a PEM file with the listener's certificate, then those between it and the root");
const KEY: Text<'_> = text!("a PEM file with the certificate's private key");
const CLIENT_CA: Text<'_> = text!("a PEM file with the certificates that sign those of callers");

/// None where there is no table, and where it is wrong.
pub(in crate::config) fn identity(
    field: &Field<file::Tls>,
    listen: &[Address],
    secrets: &mut Secrets<'_>,
    report: &mut Report<'_>,
) -> Option<Identity> {
    let Item { value: raw, place } = field.item()?;
    if listen.iter().all(|address| matches!(address, Address::Unix(_))) {
        report.warn(place, text!("has no effect, server.listen has unix sockets alone, which have no TLS"));
    }
    let cert = raw.cert.required(
        place.child("cert"),
        report,
        text!("is missing, expected {expected}", expected = CERT),
    );
    let key = raw.key.required(
        place.child("key"),
        report,
        text!("is missing, expected {expected}", expected = KEY),
    );
    let chain = cert.and_then(|path| certificates(path, CERT, secrets, report));
    let private = key.and_then(|path| private_key(path, secrets, report));
    let authorities = match &raw.client_ca {
        Field::Missing => Some(None),
        Field::Wrong => None,
        Field::Given(path) => certificates(path, CLIENT_CA, secrets, report).map(Some),
    };
    let (cert, key) = (&cert?.place, &key?.place);
    let authority = raw.client_ca.item().map_or(place, |item| &item.place);
    Identity::new(chain?, private?, authorities?)
        .map_err(|error| refuse(&error, cert, key, authority, report))
        .ok()
}

fn refuse(error: &IdentityError, cert: &Place, key: &Place, authority: &Place, report: &mut Report<'_>) {
    match error {
        IdentityError::KeyMismatch => report.error(
            key,
            text!(
                "the key does not belong to the first certificate of server.tls.cert, expected the one that it was made \
                 with: openssl x509 -pubkey -noout -in CERT and openssl pkey -pubout -in KEY print the same"
            ),
        ),
        IdentityError::Certificate(source) => {
            let text = text!("the first certificate cannot be used, expected {expected}: {source}", expected = CERT, source);
            report.error(cert, text);
        }
        IdentityError::Key(source) => {
            report.error(key, text!("the key cannot be used, expected RSA, ECDSA or Ed25519: {source}", source));
        }
        IdentityError::Authority(source) | IdentityError::Versions(source) => {
            report.error(authority, text!("a certificate cannot be used: {source}", source));
        }
        IdentityError::Authorities(source) => {
            report.error(authority, text!("the certificates cannot be used: {source}", source));
        }
    }
}

fn certificates(
    path: &Item<String>,
    expected: Text<'_>,
    secrets: &mut Secrets<'_>,
    report: &mut Report<'_>,
) -> Option<Vec<CertificateDer<'static>>> {
    let pem = secrets.pem(path, report)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let file = file_name(&path.value);
    let text = match certificates {
        Ok(certificates) if !certificates.is_empty() => return Some(certificates),
        Ok(_) => words!("{file} holds no certificate, expected {expected}", file, expected),
        Err(_) => words!("{file} holds a broken certificate, expected {expected}", file, expected),
    };
    report.error(&path.place, text);
    None
}

fn private_key(
    path: &Item<String>,
    secrets: &mut Secrets<'_>,
    report: &mut Report<'_>,
) -> Option<PrivateKeyDer<'static>> {
    let pem = secrets.pem(path, report)?;
    let key = PrivateKeyDer::from_pem_slice(&pem).ok();
    if key.is_some() {
        secrets.warn_of_others(path, report);
    } else {
        let encrypted = pem.windows(9).any(|text| text == b"ENCRYPTED");
        let file = file_name(&path.value);
        let text = if encrypted {
            words!(
                "{file} holds a key protected by a password, expected {expected}, without a password",
                file,
                expected = KEY
            )
        } else {
            words!("{file} holds no private key, or a broken one, expected {expected}", file, expected = KEY)
        };
        report.error(&path.place, text);
    }
    key
}
