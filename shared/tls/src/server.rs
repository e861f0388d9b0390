//! The certificate with which this program serves.

use std::{fmt, path::Path, sync::Arc};

use rustls::{ServerConfig, crypto::ring};
use tokio_rustls::TlsAcceptor;

use crate::{
    certificate::{Validity, certificates, check_valid_now, private_key, validity},
    error::TlsError,
    reloaded::Reloaded,
};

/// The certificate of a server, which may be replaced while it serves. Clones share it.
#[derive(Clone)]
pub struct ServerTls(Arc<Reloaded<Served>>);

#[derive(Clone)]
struct Served {
    config: Arc<ServerConfig>,
    validity: Validity,
}

/// The certificate in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateState {
    pub validity: Validity,
    /// Why a newer one is refused.
    pub refused: Option<String>,
}

impl ServerTls {
    /// Reads the certificate, with the certificates between it and its CA, and its private key, both in PEM form.
    pub fn open(certificate: &Path, key: &Path) -> Result<ServerTls, TlsError> {
        let (certificate, key) = (certificate.to_owned(), key.to_owned());
        let files = vec![certificate.clone(), key.clone()];
        let reloaded = Reloaded::open(files, move |contents| serve(&certificate, &key, contents))?;
        Ok(ServerTls(Arc::new(reloaded)))
    }

    /// Accepts the handshake of a new connection.
    pub fn acceptor(&self) -> TlsAcceptor {
        self.0.current().config.into()
    }

    /// Reads the files if they have changed. Connections that are open keep the former certificate.
    pub fn refresh(&self) -> CertificateState {
        self.0.refresh();
        CertificateState { validity: self.0.current().validity, refused: self.0.refused() }
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerTls")
    }
}

fn serve(certificate: &Path, key: &Path, contents: &[Vec<u8>]) -> Result<Served, TlsError> {
    let [certificate_pem, key_pem] = contents else {
        return Err(TlsError::NoCertificate(certificate.to_owned()));
    };
    let chain = certificates(certificate, certificate_pem)?;
    let first = chain.first().ok_or_else(|| TlsError::NoCertificate(certificate.to_owned()))?;
    let validity = validity(certificate, first)?;
    check_valid_now(certificate, validity)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::unusable(certificate))?
        .with_no_client_auth()
        // It checks that the key belongs to the certificate.
        .with_single_cert(chain, private_key(key, key_pem)?)
        .map_err(TlsError::unusable(certificate))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Served { config: Arc::new(config), validity })
}
