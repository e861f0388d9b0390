//! The certificates of all programs and servers, by a CA of the suite.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tls::authority::{Authority, AuthorityError, Holder};

use crate::{config::SERVICES, names::SERVICE, secret_files::migrate_folder};

/// A server that is not a program of the suite reads its key under another account. The volume belongs to this server alone.
const SERVER_KEY_MODE: u32 = 0o644;

/// Where certificates are written.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
pub struct Certificates {
    /// Folder of the CA's private key, which nothing else needs. With it, each program gets `tls.pem` and `tls.key` in its folder of
    /// secrets, and connections to the broker are encrypted. What ends within 120 days is renewed.
    #[arg(long, env = "TLS_AUTHORITY", requires_all = ["tls_ca_file", "secrets"])]
    pub tls_authority: Option<PathBuf>,
    /// File of the CA's certificate, which clients trust.
    #[arg(long, env = "TLS_CA_FILE")]
    pub tls_ca_file: Option<PathBuf>,
    /// Servers that get a certificate and the CA of their clients: `host=folder`, separated by commas.
    #[arg(long, env = "TLS_SERVERS", value_delimiter = ',', value_parser = server)]
    pub tls_servers: Vec<Server>,
    /// More hosts of the console, such as `shop.example`, separated by commas.
    #[arg(long, env = "CONSOLE_HOSTS", value_delimiter = ',')]
    pub console_hosts: Vec<String>,
}

/// A server and the folder of its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub host: String,
    pub folder: PathBuf,
}

/// Parses `host=folder`; for `value_parser`.
fn server(text: &str) -> Result<Server, String> {
    let (host, folder) = text.split_once('=').ok_or("not like host=folder")?;
    Ok(Server { host: host.to_owned(), folder: folder.into() })
}

impl Certificates {
    /// Whether connections between programs and servers are encrypted.
    pub(crate) fn are_used(&self) -> bool {
        self.tls_authority.is_some()
    }

    /// Creates a missing CA, and the certificates that are missing or end soon.
    pub(crate) fn renew(&self, secrets: &Path) -> Result<(), AuthorityError> {
        let (Some(folder), Some(certificate)) = (&self.tls_authority, &self.tls_ca_file) else {
            return Ok(());
        };
        let authority = Authority::open_or_create(&folder.join("ca.key"), certificate)?;
        for program in SERVICES {
            for folder in [program.to_owned(), migrate_folder(program)] {
                renew(&authority, program, &[], &secrets.join(folder), 0o600)?;
            }
        }
        let hosts: Vec<&str> = self.console_hosts.iter().map(String::as_str).collect();
        renew(&authority, SERVICE.name, &hosts, &secrets.join(SERVICE.name), 0o600)?;
        for Server { host, folder } in &self.tls_servers {
            renew(&authority, host, &[], folder, SERVER_KEY_MODE)?;
            copy(certificate, &folder.join("ca.pem"))?;
        }
        Ok(())
    }
}

/// Gives a server the CA of its clients.
fn copy(from: &Path, to: &Path) -> Result<(), AuthorityError> {
    let new = to.with_extension("new");
    let failed = |error| AuthorityError::Write(to.to_owned(), error);
    fs::copy(from, &new).and_then(|_| fs::rename(&new, to)).map_err(failed)
}

/// Renews `tls.pem` and `tls.key` of one program or server.
fn renew(
    authority: &Authority,
    name: &str,
    more_hosts: &[&str],
    folder: &Path,
    key_mode: u32,
) -> Result<(), AuthorityError> {
    let (certificate, key) = (folder.join("tls.pem"), folder.join("tls.key"));
    let hosts = [&[name, "localhost", "127.0.0.1"], more_hosts].concat();
    let hosts: Vec<&str> = hosts.into_iter().filter(|host| !host.is_empty()).collect();
    let holder = Holder { name, hosts: &hosts, certificate: &certificate, key: &key, key_mode };
    if authority.renew(&holder)? {
        tracing::info!(name, file = %certificate.display(), "issued a certificate");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use tls::{ClientFiles, ClientTls, ServerTls};

    use super::{Certificates, Server};

    #[test]
    fn each_program_and_server_has_a_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let certificates = Certificates {
            tls_authority: Some(path("authority")),
            tls_ca_file: Some(path("keys/ca.pem")),
            tls_servers: vec![Server { host: "rabbitmq".to_owned(), folder: path("broker") }],
            console_hosts: vec!["shop.example".to_owned()],
        };
        certificates.renew(&path("secrets")).unwrap();
        let read = |name: &str| fs::read(path(name)).unwrap();
        assert_eq!(read("broker/ca.pem"), read("keys/ca.pem"));
        let files = ["secrets/order/tls.pem", "secrets/console/tls.pem", "broker/tls.pem"];
        let first = files.map(read);
        for program in ["secrets/order", "secrets/console", "broker"] {
            let (certificate, key) = (path(program).join("tls.pem"), path(program).join("tls.key"));
            ServerTls::open(&certificate, &key).unwrap();
            let identity = Some((certificate, key));
            ClientTls::open(&ClientFiles { authorities: path("keys/ca.pem"), identity }).unwrap();
        }
        let mode = |name: &str| fs::metadata(path(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode("authority/ca.key"), 0o600);
        assert_eq!(mode("secrets/order/tls.key"), 0o600);

        certificates.renew(&path("secrets")).unwrap();
        assert_eq!(files.map(read), first);
    }
}
