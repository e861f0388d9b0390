//! Connections to RabbitMQ, with and without TLS.
//!
//! The query of an `amqps` address names the files, as [RabbitMQ's own clients] do: `cacertfile`, `certfile` and `keyfile`.
//!
//! lapin has TLS features, too. They would bring 22 crates that decode PKCS #12, and each connection would trust
//! more than one CA. Without them lapin connects to an `amqps` address in plain text, so all connections are made here.
//!
//! [RabbitMQ's own clients]: https://www.rabbitmq.com/docs/uri-query-parameters

use std::{
    fmt,
    io::{self, Read, Write},
    net::SocketAddr,
    os::fd::{AsFd, AsRawFd},
    sync::Arc,
    time::{Duration, Instant},
};

use async_compat::{Compat, CompatExt};
use async_rs::{Runtime, Tokio, traits::Reactor, util::RuntimeParts};
use futures::{
    Stream,
    io::{AsyncRead, AsyncWrite},
};
use lapin::{
    Connection, ConnectionProperties,
    uri::{AMQPScheme, AMQPUri},
};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use url::{Url, form_urlencoded::byte_serialize};

use crate::{
    client::{ClientFiles, ClientTls},
    error::{Refusal, refusal},
};

const AUTHORITIES: &str = "cacertfile";
const CERTIFICATE: &str = "certfile";
const KEY: &str = "keyfile";

/// Connects to the broker at `url`. With `amqps` the broker must have a certificate of the CA that the address names.
pub async fn connect(
    url: &str,
    properties: ConnectionProperties,
) -> Result<Connection, lapin::Error> {
    let mut uri: AMQPUri = url.parse().map_err(invalid)?;
    if uri.scheme == AMQPScheme::AMQP {
        return Connection::connect_uri(uri, properties).await;
    }
    let files = files_of(url).ok_or_else(|| invalid(NO_AUTHORITY))?;
    let tls = ClientTls::open(&files).map_err(invalid)?;
    let host = uri.authority.host.clone();
    let name = ServerName::try_from(host.clone()).map_err(invalid)?;
    let address = format!("{host}:{}", uri.authority.port);
    let reactor = TlsReactor { tokio: Tokio::current(), config: tls.config(), name, address };
    let runtime = Runtime::from(RuntimeParts::new(Tokio::current(), reactor));
    // The reactor's streams are encrypted already.
    uri.scheme = AMQPScheme::AMQP;
    Connection::connect_uri_with_runtime(uri, properties, runtime).await
}

/// Adds the files to each `amqps` address that names no CA. `urls` are separated by commas.
pub fn with_files(urls: &str, files: &ClientFiles) -> String {
    let add = |url: &str| {
        let url = url.trim();
        if !url.starts_with("amqps://") || files_of(url).is_some() {
            return url.to_owned();
        }
        let mut parameters = vec![(AUTHORITIES, &files.authorities)];
        if let Some((certificate, key)) = &files.identity {
            parameters.extend([(CERTIFICATE, certificate), (KEY, key)]);
        }
        let parameters = parameters.iter().map(|(name, file)| {
            let file: String = byte_serialize(file.as_os_str().as_encoded_bytes()).collect();
            format!("{name}={file}")
        });
        let separator = if url.contains('?') { '&' } else { '?' };
        format!("{url}{separator}{}", parameters.collect::<Vec<_>>().join("&"))
    };
    urls.split(',').map(add).collect::<Vec<_>>().join(",")
}

/// The files that an address names.
fn files_of(url: &str) -> Option<ClientFiles> {
    let url = Url::parse(url).ok()?;
    let file = |name: &str| {
        let found = url.query_pairs().find(|(key, _)| key == name);
        found.map(|(_, path)| path.into_owned().into())
    };
    Some(ClientFiles {
        authorities: file(AUTHORITIES)?,
        identity: file(CERTIFICATE).zip(file(KEY)),
    })
}

const NO_AUTHORITY: &str =
    "an amqps address needs the CA of the broker; set TLS_CA_FILE, or cacertfile in the address";

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> lapin::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error).into()
}

/// A reactor of Tokio whose TCP streams are TLS streams.
#[derive(Debug, Clone)]
struct TlsReactor {
    tokio: Tokio,
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    /// For errors.
    address: String,
}

impl Reactor for TlsReactor {
    type TcpStream = Compat<TlsStream<TcpStream>>;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: Read + Write + AsFd + AsRawFd + Send + 'static>(
        &self,
        socket: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        self.tokio.register(socket)
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.tokio.sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.tokio.interval(duration)
    }

    fn tcp_connect_addr(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        let TlsReactor { config, name, address: shown, .. } = self.clone();
        async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let stream = TlsConnector::from(config).connect(name, stream).await;
            stream.map(CompatExt::compat).map_err(|error| explained(&shown, error))
        }
    }
}

/// Adds what to check.
fn explained(address: &str, error: io::Error) -> io::Error {
    let reason = match refusal(&error) {
        Some(reason) => reason,
        // A server without TLS closes the connection or answers something else.
        None if error.kind() == io::ErrorKind::UnexpectedEof => Refusal::Protocol,
        None => return error,
    };
    let address = address.to_owned();
    io::Error::new(error.kind(), HandshakeFailed { address, reason, source: error })
}

/// The handshake with the broker failed.
#[derive(Debug)]
struct HandshakeFailed {
    address: String,
    reason: Refusal,
    source: io::Error,
}

impl fmt::Display for HandshakeFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no TLS with {}: {} ({})", self.address, self.reason, self.source)
    }
}

impl std::error::Error for HandshakeFailed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::{files_of, with_files};
    use crate::ClientFiles;

    #[test]
    fn files_are_added_to_encrypted_addresses_alone() {
        let files = ClientFiles {
            authorities: "/a b/ca.pem".into(),
            identity: Some(("/c.pem".into(), "/k.pem".into())),
        };
        let urls = "amqps://me:x@mq-1:5671/%2f, amqp://mq-2,amqps://mq-3/?cacertfile=/own.pem";
        let added = with_files(urls, &files);
        let added: Vec<&str> = added.split(',').collect();
        let first = "amqps://me:x@mq-1:5671/%2f?cacertfile=%2Fa+b%2Fca.pem&certfile=%2Fc.pem&keyfile=%2Fk.pem";
        assert_eq!(added, [first, "amqp://mq-2", "amqps://mq-3/?cacertfile=/own.pem"]);
        assert_eq!(files_of(first), Some(files));
        assert_eq!(files_of("amqps://mq-1"), None);
    }
}
