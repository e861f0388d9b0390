//! Tokens of a real issuer, npm's `oidc-provider`: `cargo xtask prove oidc`.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use runtime::{
    auth::{Scope, SigningKey, Verifier, mint},
    config::Oidc,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpListener,
    process::{Child, Command},
};

use crate::soon;

/// The issuer as a process of its own, with its libraries in a folder of the test.
struct Issuer {
    folder: TempDir,
    port: u16,
}

impl Issuer {
    async fn install() -> Issuer {
        let folder = tempfile::tempdir().unwrap();
        let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/oidc-provider");
        for name in ["package.json", "issuer.mjs"] {
            std::fs::copy(source.join(name), folder.path().join(name)).unwrap();
        }
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]);
        let status = npm.current_dir(folder.path()).stdout(Stdio::null()).status().await.unwrap();
        assert!(status.success(), "npm install: {status}");
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        Issuer { folder, port }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Starts it with the keys in the file `keys`, and waits until it listens.
    async fn start(&self, keys: &str, algorithm: &str) -> Child {
        let mut node = Command::new("node");
        node.args(["issuer.mjs", &self.port.to_string(), keys, algorithm]);
        node.current_dir(self.folder.path()).kill_on_drop(true);
        let mut child = node.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        soon(async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if line == self.url() {
                    return;
                }
            }
            panic!("the issuer did not start");
        })
        .await;
        child
    }

    /// An access token for a resource.
    async fn token(&self, resource: &str) -> String {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client
            .post(format!("{}/token", self.url()))
            .basic_auth("till", Some("only-for-this-proof"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("grant_type=client_credentials&resource={resource}"));
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// A verifier that has seen no token yet. It trusts the suite's key at `public` as well.
    fn trusted(&self, public: &Path) -> Verifier {
        let oidc = Oidc {
            issuer: Some(self.url()),
            audience: Some("shop".to_owned()),
            roles_claim: "groups".to_owned(),
            roles: "buyers=merchandiser,admins=owner".parse().unwrap(),
            ..Oidc::default()
        };
        Verifier::open_with(public, &oidc).unwrap()
    }
}

#[tokio::test]
#[ignore = "needs node and npm; `cargo xtask prove oidc` runs it"]
async fn tokens_of_a_real_issuer_are_verified() {
    let issuer = Issuer::install().await;
    let (key, public) = (SigningKey::generate().unwrap(), issuer.folder.path().join("own.pub"));
    key.write_pair(issuer.folder.path().join("own.key"), &public).unwrap();

    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let server = issuer.start("first.json", algorithm).await;
        let verifier = issuer.trusted(&public);
        let caller = verifier.authenticate(&issuer.token("urn:shop").await).await.unwrap();
        assert_eq!(caller.subject(), "oidc:till", "{algorithm}");
        let granted: Vec<Scope> =
            Scope::ALL.into_iter().filter(|scope| caller.has(*scope)).collect();
        assert_eq!(granted, [Scope::CatalogWrite, Scope::AnalyticsRead], "{algorithm}");
        for resource in ["urn:other", "urn:long"] {
            let token = issuer.token(resource).await;
            assert!(verifier.authenticate(&token).await.is_err(), "{algorithm}: {resource}");
        }
        drop(server);
    }

    // It rotates its keys: a verifier that knows the former ones reads the new ones.
    let mut server = issuer.start("first.json", "RS256").await;
    let (verifier, early) = (issuer.trusted(&public), issuer.token("urn:shop").await);
    assert!(verifier.authenticate(&early).await.is_ok());
    server.kill().await.unwrap();
    let mut server = issuer.start("second.json", "RS256").await;
    let rotated = issuer.token("urn:shop").await;
    soon(async {
        // A key is asked for once in ten seconds.
        while verifier.authenticate(&rotated).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    })
    .await;
    assert!(verifier.authenticate(&early).await.is_err(), "the issuer has removed its key");

    // It goes away: known keys stay, and the suite's own tokens need no issuer.
    let later = issuer.token("urn:shop").await;
    server.kill().await.unwrap();
    assert!(verifier.authenticate(&later).await.is_ok());
    let own = mint(&key, "operator", &[Scope::Ops], std::time::Duration::from_mins(1)).unwrap();
    assert!(issuer.trusted(&public).authenticate(&own).await.unwrap().has(Scope::Ops));
    assert!(issuer.trusted(&public).authenticate(&later).await.is_err(), "nothing is known of it");
}
