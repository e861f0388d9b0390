//! What is wrong with files, and why a handshake failed.

use std::{
    error::Error,
    fmt, io,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use rustls::{AlertDescription, CertificateError};

/// Certificates and keys that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{} cannot be read", .0.display())]
    File(PathBuf, #[source] io::Error),
    #[error("{} has no certificate in PEM form", .0.display())]
    NoCertificate(PathBuf),
    #[error("{} has no private key in PEM form", .0.display())]
    NoKey(PathBuf),
    #[error("a certificate of {} cannot be decoded", .0.display())]
    Undecodable(PathBuf, #[source] x509_cert::der::Error),
    #[error("the certificate {} has ended, on {ended}", path.display())]
    Ended { path: PathBuf, ended: DateTime<Utc> },
    #[error("the certificate {} is valid only from {begins}", path.display())]
    NotYetValid { path: PathBuf, begins: DateTime<Utc> },
    /// For example a key that does not belong to the certificate.
    #[error("{} cannot be used", .0.display())]
    Unusable(PathBuf, #[source] rustls::Error),
}

impl TlsError {
    /// Maps an error of the file at `path`; for `map_err`.
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> TlsError {
        let path = path.to_owned();
        move |error| TlsError::File(path, error)
    }

    /// Maps an error of the certificate at `path`; for `map_err`.
    pub(crate) fn unusable(path: &Path) -> impl FnOnce(rustls::Error) -> TlsError {
        let path = path.to_owned();
        move |error| TlsError::Unusable(path, error)
    }
}

/// Why a client refused the certificate of a server, or a server that of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The certificate is of another CA.
    ForeignAuthority,
    /// The certificate has ended.
    Ended,
    /// The certificate is not valid yet.
    NotYetValid,
    /// The certificate is for other names.
    OtherName,
    /// The other side wants a certificate, or refuses that of this program.
    OwnCertificate,
    /// The other side does not speak TLS, or another version.
    Protocol,
    /// Anything else.
    Other,
}

#[expect(clippy::wildcard_enum_match_arm, reason = "all other errors have no advice of their own")]
impl Refusal {
    fn of(error: &rustls::Error) -> Refusal {
        match error {
            rustls::Error::InvalidCertificate(error) => Refusal::of_certificate(error),
            rustls::Error::AlertReceived(alert) => Refusal::of_alert(*alert),
            rustls::Error::InvalidMessage(_) | rustls::Error::PeerIncompatible(_) => {
                Refusal::Protocol
            }
            _ => Refusal::Other,
        }
    }

    fn of_certificate(error: &CertificateError) -> Refusal {
        match error {
            // A CA of the same name with another key.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                Refusal::ForeignAuthority
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Refusal::Ended,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Refusal::NotYetValid
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Refusal::OtherName
            }
            _ => Refusal::Other,
        }
    }

    fn of_alert(alert: AlertDescription) -> Refusal {
        match alert {
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA => Refusal::OwnCertificate,
            AlertDescription::ProtocolVersion => Refusal::Protocol,
            _ => Refusal::Other,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::ForeignAuthority => {
                "its certificate is not of the CA that this program trusts; check TLS_CA_FILE"
            }
            Refusal::Ended => "its certificate has ended; renew it, and check the clock",
            Refusal::NotYetValid => "its certificate is not valid yet; check the clock",
            Refusal::OtherName => {
                "its certificate is for another host; check the address and the names of the certificate"
            }
            Refusal::OwnCertificate => {
                "it refuses the certificate of this program; check TLS_CERTIFICATE_FILE and TLS_KEY_FILE"
            }
            Refusal::Protocol => "it does not speak TLS, or no version that this program speaks",
            Refusal::Other => "the TLS handshake failed",
        })
    }
}

/// Looks for a failed handshake in an error and its causes.
pub fn refusal(error: &(dyn Error + 'static)) -> Option<Refusal> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(Refusal::of(error));
        }
        // The source of an `io::Error` is the source of what it has, so what it has is looked at here.
        if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref)
            && let Some(found) = refusal(inner)
        {
            return Some(found);
        }
        next = error.source();
    }
    None
}
