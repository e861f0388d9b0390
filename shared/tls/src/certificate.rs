//! Certificates and keys in PEM form.

use std::{path::Path, time::SystemTime};

use chrono::{DateTime, TimeDelta, Utc};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use x509_cert::{Certificate, der::Decode as _};

use crate::error::TlsError;

/// When a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    pub begins: DateTime<Utc>,
    pub ends: DateTime<Utc>,
}

impl Validity {
    /// For how long the certificate is valid; negative after its end.
    pub fn left(&self) -> TimeDelta {
        self.ends - now()
    }

    /// The validity of the first certificate of a PEM file.
    pub fn read(file: &Path) -> Result<Validity, TlsError> {
        let pem = std::fs::read(file).map_err(TlsError::file(file))?;
        let certificates = certificates(file, &pem)?;
        let first = certificates.first().ok_or_else(|| TlsError::NoCertificate(file.to_owned()))?;
        validity(file, first)
    }
}

/// The current time. This crate is below the one that has the clock of the services.
pub(crate) fn now() -> DateTime<Utc> {
    SystemTime::now().into()
}

/// The certificates of a PEM file, at least one.
pub(crate) fn certificates(
    file: &Path,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|_| TlsError::NoCertificate(file.to_owned()))?;
    if found.is_empty() { Err(TlsError::NoCertificate(file.to_owned())) } else { Ok(found) }
}

/// The private key of a PEM file.
pub(crate) fn private_key(file: &Path, pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| TlsError::NoKey(file.to_owned()))
}

pub(crate) fn validity(
    file: &Path,
    certificate: &CertificateDer<'_>,
) -> Result<Validity, TlsError> {
    let decoded = Certificate::from_der(certificate);
    let decoded = decoded.map_err(|error| TlsError::Undecodable(file.to_owned(), error))?;
    let validity = decoded.tbs_certificate.validity;
    Ok(Validity {
        begins: validity.not_before.to_system_time().into(),
        ends: validity.not_after.to_system_time().into(),
    })
}

/// Fails unless a certificate is valid now.
pub(crate) fn check_valid_now(file: &Path, validity: Validity) -> Result<(), TlsError> {
    let now = now();
    if validity.ends <= now {
        return Err(TlsError::Ended { path: file.to_owned(), ended: validity.ends });
    }
    if validity.begins > now {
        return Err(TlsError::NotYetValid { path: file.to_owned(), begins: validity.begins });
    }
    Ok(())
}
