//! Whom this program trusts as a client.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use hyper_rustls::ConfigBuilderExt as _;
use rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::{
    certificate::{certificates, private_key},
    error::TlsError,
    reloaded::Reloaded,
};

/// The files of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFiles {
    /// The certificates of the CAs that are trusted, and no others (PEM).
    pub authorities: PathBuf,
    /// The certificate of this program and its private key (PEM), for servers that ask for it.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// The settings of a client. Each new connection uses the newest files. Clones share them.
#[derive(Clone)]
pub struct ClientTls(Arc<Reloaded<Arc<ClientConfig>>>);

impl ClientTls {
    /// Reads the files.
    pub fn open(files: &ClientFiles) -> Result<ClientTls, TlsError> {
        let identity = files.identity.clone().map(|(certificate, key)| [certificate, key]);
        let paths =
            std::iter::once(files.authorities.clone()).chain(identity.into_iter().flatten());
        let files = files.clone();
        let reloaded = Reloaded::open(paths.collect(), move |contents| config(&files, contents))?;
        Ok(ClientTls(Arc::new(reloaded)))
    }

    /// Trusts the public CAs, for servers that are not part of the suite.
    pub fn public() -> Result<ClientTls, TlsError> {
        let reloaded = Reloaded::open(Vec::new(), |_| {
            let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(TlsError::unusable(Path::new("the list of public CAs")))?;
            Ok(Arc::new(builder.with_webpki_roots().with_no_client_auth()))
        })?;
        Ok(ClientTls(Arc::new(reloaded)))
    }

    /// The settings of a new connection.
    pub fn config(&self) -> Arc<ClientConfig> {
        self.0.refresh();
        self.0.current()
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientTls")
    }
}

fn config(files: &ClientFiles, contents: &[Vec<u8>]) -> Result<Arc<ClientConfig>, TlsError> {
    let (authorities, identity) = contents.split_first().unzip();
    let mut roots = RootCertStore::empty();
    for certificate in
        certificates(&files.authorities, authorities.map(Vec::as_slice).unwrap_or_default())?
    {
        roots.add(certificate).map_err(TlsError::unusable(&files.authorities))?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::unusable(&files.authorities))?
        .with_root_certificates(roots);
    let config = match (&files.identity, identity.unwrap_or_default()) {
        (Some((certificate, key)), [certificate_pem, key_pem]) => builder
            .with_client_auth_cert(
                certificates(certificate, certificate_pem)?,
                private_key(key, key_pem)?,
            )
            .map_err(TlsError::unusable(certificate))?,
        _ => builder.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}
