//! The files with which a server encrypts its connections.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

use chrono::{DateTime, TimeDelta, Utc};
use tempfile::TempDir;
use tls::{ClientFiles, Validity, authority::Authority};

use crate::{account::Account, error::Error};

/// The files of a server, in PEM form. The server gets copies that its account may read.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The CA of clients that have certificates.
    pub authority: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Whether clients need a certificate of the CA.
    pub requires_client_certificates: bool,
}

impl TlsFiles {
    /// The names of the copies, in the order of `authority`, `certificate` and `key`.
    pub(crate) const NAMES: [&str; 3] = ["tls-ca.pem", "tls.pem", "tls.key"];

    /// Copies the files into a folder of the server.
    pub(crate) fn copy_to(&self, folder: &Path, account: Option<&Account>) -> Result<(), Error> {
        let files = [&self.authority, &self.certificate, &self.key];
        for (file, name) in files.into_iter().zip(TlsFiles::NAMES) {
            let copy = folder.join(name);
            let contents = fs::read(file).map_err(Error::file(file))?;
            fs::write(&copy, contents).map_err(Error::file(&copy))?;
            let private = fs::Permissions::from_mode(0o600);
            fs::set_permissions(&copy, private).map_err(Error::file(&copy))?;
            account.map_or(Ok(()), |account| account.take_ownership(&copy))?;
        }
        Ok(())
    }
}

/// A CA for tests, with a folder for its files.
pub struct TestAuthority {
    authority: Authority,
    folder: TempDir,
}

impl TestAuthority {
    pub fn create() -> Result<TestAuthority, Error> {
        let folder = tempfile::tempdir().map_err(Error::file("a temporary folder"))?;
        let authority = Authority::create()?;
        let test = TestAuthority { authority, folder };
        test.write("ca.pem", &test.authority.certificate()?)?;
        Ok(test)
    }

    /// The file of its certificate.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Whom a client trusts.
    pub fn client_files(&self) -> ClientFiles {
        ClientFiles { authorities: self.file(), identity: None }
    }

    /// Issues a certificate for these hosts, which is valid for an hour more or has ended an hour ago.
    pub fn issue(&self, name: &str, hosts: &[&str], is_valid: bool) -> Result<TlsFiles, Error> {
        let (now, hour) = (DateTime::<Utc>::from(SystemTime::now()), TimeDelta::hours(1));
        let ends = if is_valid { now + hour } else { now - hour };
        let validity = Validity { begins: now - hour * 2, ends };
        let issued = self.authority.issue(name, hosts, validity)?;
        Ok(TlsFiles {
            authority: self.file(),
            certificate: self.write(&format!("{name}.pem"), &issued.certificate)?,
            key: self.write(&format!("{name}.key"), &issued.key)?,
            requires_client_certificates: false,
        })
    }

    fn write(&self, name: &str, contents: &str) -> Result<PathBuf, Error> {
        let path = self.folder.path().join(name);
        fs::write(&path, contents).map_err(Error::file(&path))?;
        Ok(path)
    }
}
