//! The certificates of a site: its authority, which is kept over runs, and that of the server, of
//! which each run makes a new one.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use crate::context::{KeyError, replace_private_file};

/// The certificate that clients trust.
const AUTHORITY: &str = "ca.pem";
const AUTHORITY_KEY: &str = "ca.key";
const SERVER: &str = "server.pem";
const SERVER_KEY: &str = "server.key";
/// What the server includes.
const SERVER_PART: &str = "tls.conf";
const AUTHORITY_YEARS: i16 = 10;
const SERVER_YEARS: i16 = 2;

/// Makes the server's certificate for these names and addresses, signed by the authority in the
/// folder, which is made first if there is none. Returns the file for the server to include and
/// the certificate for clients.
///
/// # Errors
/// A name is not one of a host, or a file cannot be read or written.
pub(super) fn write_certificates(
    folder: &Path,
    hosts: &[String],
) -> Result<(PathBuf, PathBuf), KeyError> {
    let authority_key = authority_key(folder)?;
    let failed = |error: rcgen::Error| unusable(&folder.join(SERVER), io::Error::other(error));
    let issuer = Issuer::new(authority().map_err(failed)?, authority_key);

    let key = KeyPair::generate().map_err(failed)?;
    let certificate = server(hosts).and_then(|server| server.signed_by(&key, &issuer));
    let certificate = certificate.map_err(failed)?.pem();
    write(&folder.join(SERVER), &certificate)?;
    write(&folder.join(SERVER_KEY), &key.serialize_pem())?;

    let part = folder.join(SERVER_PART);
    let path = |name: &str| folder.join(name).display().to_string();
    let text = format!(
        "# TLS of the server, for the files where they lie now.\ntls {{\n  cert_file: \"{}\"\n  \
         key_file: \"{}\"\n}}\n",
        path(SERVER),
        path(SERVER_KEY)
    );
    write(&part, &text)?;
    Ok((part, folder.join(AUTHORITY)))
}

/// The key of the authority in the folder; a new authority where there is none.
fn authority_key(folder: &Path) -> Result<KeyPair, KeyError> {
    let path = folder.join(AUTHORITY_KEY);
    let failed = |error: rcgen::Error| unusable(&path, io::Error::other(error));
    match std::fs::read_to_string(&path) {
        Ok(text) => return KeyPair::from_pem(&text).map_err(failed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(unusable(&path, error)),
    }

    let key = KeyPair::generate().map_err(failed)?;
    let certificate = authority().and_then(|authority| authority.self_signed(&key));
    write(&folder.join(AUTHORITY), &certificate.map_err(failed)?.pem())?;
    write(&path, &key.serialize_pem())?;
    Ok(key)
}

fn authority() -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params
        .distinguished_name
        .push(DnType::CommonName, "KTRDR site authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];

    be_valid_for(&mut params, AUTHORITY_YEARS);
    Ok(params)
}

fn server(hosts: &[String]) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(hosts)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "KTRDR NATS server");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];

    be_valid_for(&mut params, SERVER_YEARS);
    Ok(params)
}

/// From the beginning of this year, so that clocks may differ, to the end of the last of `years`
/// more.
fn be_valid_for(params: &mut CertificateParams, years: i16) {
    let year = Timestamp::now().to_zoned(TimeZone::UTC).year();
    params.not_before = date_time_ymd((year - 1).into(), 12, 1);
    params.not_after = date_time_ymd((year + years).into(), 12, 31);
}

fn write(path: &Path, text: &str) -> Result<(), KeyError> {
    replace_private_file(path, text).map_err(|error| unusable(path, error))
}

fn unusable(path: &Path, source: io::Error) -> KeyError {
    KeyError::File {
        path: path.to_owned(),
        source,
    }
}
