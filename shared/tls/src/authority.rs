//! A small CA for the programs of one suite.
//!
//! The private key of the CA stays where the certificates are made. Clients trust the CA alone, so a certificate needs no
//! way to be revoked: it ends soon, and a new CA replaces one whose key was stolen.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use chrono::TimeDelta;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::{
    RootCertStore,
    client::{verify_server_cert_signed_by_trust_anchor, verify_server_name},
    crypto::ring,
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use time::OffsetDateTime;
use x509_cert::der::pem::{LineEnding, encode_string};

use crate::{
    certificate::{Validity, certificates, now, private_key, validity},
    error::TlsError,
};

/// The name of the CA. It identifies the CA only together with its key.
const AUTHORITY_NAME: &str = "shop suite CA";

/// How long a CA is valid.
const AUTHORITY_LIFETIME: TimeDelta = TimeDelta::days(3_650);

/// How long a certificate is valid.
pub const LIFETIME: TimeDelta = TimeDelta::days(365);

/// A certificate is renewed when it is valid for less than this.
pub const RENEWED_BEFORE: TimeDelta = TimeDelta::days(120);

/// The clocks of two machines may differ.
const CLOCK_DIFFERENCE: TimeDelta = TimeDelta::hours(1);

/// Why a certificate cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    #[error("cannot write {}", .0.display())]
    Write(PathBuf, #[source] io::Error),
    #[error(transparent)]
    Files(#[from] TlsError),
    #[error("a certificate cannot be made")]
    Make(#[from] rcgen::Error),
    #[error("a certificate cannot be encoded")]
    Encode(#[from] x509_cert::der::Error),
    #[error("a date of a certificate is out of range")]
    Date(#[from] time::error::ComponentRange),
}

/// A CA.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

/// A certificate and its private key, in PEM form.
#[derive(Debug, Clone)]
pub struct Issued {
    pub certificate: String,
    pub key: String,
}

/// A program that needs a certificate.
#[derive(Debug, Clone, Copy)]
pub struct Holder<'a> {
    /// The name of the program.
    pub name: &'a str,
    /// Hosts and IP addresses under which it is reached.
    pub hosts: &'a [&'a str],
    /// The file of its certificate.
    pub certificate: &'a Path,
    /// The file of its private key.
    pub key: &'a Path,
    /// The permissions of the private key.
    pub key_mode: u32,
}

impl Authority {
    /// A new CA.
    pub fn create() -> Result<Authority, AuthorityError> {
        let key = KeyPair::generate()?;
        let validity =
            Validity { begins: now() - CLOCK_DIFFERENCE, ends: now() + AUTHORITY_LIFETIME };
        let certificate = authority_params(validity)?.self_signed(&key)?.der().clone();
        Ok(Authority { issuer: Issuer::new(authority_params(validity)?, key), certificate })
    }

    /// Reads the CA with this private key and certificate, or makes a new one if there is no key.
    pub fn open_or_create(key: &Path, certificate: &Path) -> Result<Authority, AuthorityError> {
        let read = |path: &Path| fs::read(path).map_err(TlsError::file(path));
        if key.exists() {
            let pair = KeyPair::try_from(&private_key(key, &read(key)?)?)?;
            // A file that trusts several CAs has the newest first.
            let mut trusted = certificates(certificate, &read(certificate)?)?;
            let first = trusted.swap_remove(0);
            let issuer = Issuer::new(authority_params(validity(certificate, &first)?)?, pair);
            return Ok(Authority { issuer, certificate: first });
        }
        let authority = Authority::create()?;
        write(certificate, 0o644, &authority.certificate()?)?;
        // The key is written last: if it exists, the CA is complete.
        write(key, 0o600, &private_key_pem(authority.issuer.key())?)?;
        Ok(authority)
    }

    /// The certificate of the CA, in PEM form.
    pub fn certificate(&self) -> Result<String, AuthorityError> {
        pem("CERTIFICATE", &self.certificate)
    }

    /// Issues a certificate for a server and client.
    pub fn issue(
        &self,
        name: &str,
        hosts: &[&str],
        validity: Validity,
    ) -> Result<Issued, AuthorityError> {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts)?;
        params.distinguished_name = named(name);
        (params.not_before, params.not_after) = dates(validity)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Issued {
            certificate: pem("CERTIFICATE", certificate.der())?,
            key: private_key_pem(&key)?,
        })
    }

    /// Writes a new certificate, unless there is one of this CA for these hosts that does not end soon. Returns whether it did.
    pub fn renew(&self, holder: &Holder<'_>) -> Result<bool, AuthorityError> {
        if holder.key.exists() && self.is_good(holder) {
            return Ok(false);
        }
        let validity = Validity { begins: now() - CLOCK_DIFFERENCE, ends: now() + LIFETIME };
        let issued = self.issue(holder.name, holder.hosts, validity)?;
        write(holder.key, holder.key_mode, &issued.key)?;
        write(holder.certificate, 0o644, &issued.certificate)?;
        Ok(true)
    }

    /// Whether the certificate of a program can stay.
    fn is_good(&self, holder: &Holder<'_>) -> bool {
        let Ok(pem) = fs::read(holder.certificate) else { return false };
        let Ok(found) = certificates(holder.certificate, &pem) else { return false };
        let Some(certificate) = found.first() else { return false };
        let ends_late = validity(holder.certificate, certificate)
            .is_ok_and(|validity| validity.left() > RENEWED_BEFORE);
        let mut roots = RootCertStore::empty();
        let Ok(parsed) = ParsedCertificate::try_from(certificate) else { return false };
        let is_ours = roots.add(self.certificate.clone()).is_ok()
            && verify_server_cert_signed_by_trust_anchor(
                &parsed,
                &roots,
                &[],
                UnixTime::now(),
                ring::default_provider().signature_verification_algorithms.all,
            )
            .is_ok();
        let has_host = |host: &&str| {
            ServerName::try_from(*host).is_ok_and(|host| verify_server_name(&parsed, &host).is_ok())
        };
        ends_late && is_ours && holder.hosts.iter().all(has_host)
    }
}

fn authority_params(validity: Validity) -> Result<CertificateParams, AuthorityError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(AUTHORITY_NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = dates(validity)?;
    Ok(params)
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn dates(validity: Validity) -> Result<(OffsetDateTime, OffsetDateTime), AuthorityError> {
    let date =
        |date: chrono::DateTime<chrono::Utc>| OffsetDateTime::from_unix_timestamp(date.timestamp());
    Ok((date(validity.begins)?, date(validity.ends)?))
}

fn pem(label: &str, der: &[u8]) -> Result<String, AuthorityError> {
    Ok(encode_string(label, LineEnding::LF, der).map_err(x509_cert::der::Error::from)?)
}

fn private_key_pem(key: &KeyPair) -> Result<String, AuthorityError> {
    pem("PRIVATE KEY", &key.serialize_der())
}

/// Writes a file, completely or not at all.
fn write(path: &Path, mode: u32, content: &str) -> Result<(), AuthorityError> {
    let failed = |error| AuthorityError::Write(path.to_owned(), error);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let new = path.with_extension("new");
    // A file that an interrupted run has left may have other permissions.
    let _ = fs::remove_file(&new);
    OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(mode)
        .open(&new)
        .and_then(|mut file| file.write_all(content.as_bytes()).and_then(|()| file.sync_all()))
        .map_err(failed)?;
    fs::rename(&new, path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use chrono::TimeDelta;

    use super::{Authority, Holder, RENEWED_BEFORE};
    use crate::{ClientFiles, ClientTls, ServerTls, Validity, certificate::now};

    #[test]
    fn a_certificate_is_renewed_only_when_it_must_be() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        let (certificate, key): (PathBuf, PathBuf) = (file("order/tls.pem"), file("order/tls.key"));
        let open = || Authority::open_or_create(&file("ca/ca.key"), &file("ca.pem")).unwrap();
        let hosts = ["order", "localhost", "127.0.0.1"];
        let holder = Holder {
            name: "order",
            hosts: &hosts,
            certificate: &certificate,
            key: &key,
            key_mode: 0o600,
        };
        assert!(open().renew(&holder).unwrap());
        let first = fs::read(&certificate).unwrap();
        ServerTls::open(&certificate, &key).unwrap();
        ClientTls::open(&ClientFiles {
            authorities: file("ca.pem"),
            identity: Some((certificate.clone(), key.clone())),
        })
        .unwrap();

        assert!(!open().renew(&holder).unwrap());
        assert_eq!(fs::read(&certificate).unwrap(), first);

        // Another host.
        let more = ["order", "shop.example"];
        assert!(open().renew(&Holder { hosts: &more, ..holder }).unwrap());
        assert!(open().renew(&holder).unwrap());

        // It ends soon.
        let ends = now() + RENEWED_BEFORE - TimeDelta::minutes(1);
        let soon = Validity { begins: now() - TimeDelta::days(1), ends };
        let issued = open().issue("order", &hosts, soon).unwrap();
        fs::write(&certificate, issued.certificate).unwrap();
        fs::write(&key, issued.key).unwrap();
        assert!(open().renew(&holder).unwrap());

        // Another CA of the same name.
        fs::remove_file(file("ca/ca.key")).unwrap();
        assert!(open().renew(&holder).unwrap());
        assert!(!open().renew(&holder).unwrap());
    }
}
