//! Valid tokens, and all kinds of invalid ones.

use std::{
    os::unix::fs::PermissionsExt as _,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, extract::FromRef, http::Request, routing::get};
use futures::{FutureExt as _, StreamExt as _};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use problem::{Json, Problem};
use runtime::{
    Lifecycle,
    auth::{Caller, ISSUER, KeyError, Scope, SigningKey, Verifier, mint},
    clock,
    config::{self, Oidc},
    health::Health,
    http,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use tower::ServiceExt as _;
use utoipa_axum::router::OpenApiRouter;

use crate::{Answer, SERVICE, in_background, send, soon};

const HOUR: Duration = Duration::from_hours(1);

#[derive(Clone, FromRef)]
struct State {
    verifier: Verifier,
}

/// A router that trusts one key, and a second key that it does not trust, both as files.
struct Fixture {
    router: Router,
    key: SigningKey,
    foreign_key: SigningKey,
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let key = SigningKey::generate().unwrap();
        key.write_pair(folder.path().join("private"), folder.path().join("public")).unwrap();
        let verifier = Verifier::read(folder.path().join("public")).unwrap();
        let router = Router::new()
            .route("/who", get(async |caller: Caller| Json(caller.subject().to_owned())))
            .route("/maybe", get(async |caller: Option<Caller>| Json(caller.is_some())))
            .route("/stock", get(stock))
            .route("/orders/of/c1", get(order))
            .with_state(State { verifier });
        Fixture { router, key, foreign_key: SigningKey::generate().unwrap(), folder }
    }

    fn token(&self, scopes: &[Scope]) -> String {
        mint(&self.key, "c1", scopes, HOUR).unwrap()
    }

    /// A token with these claims, signed with the trusted key.
    fn signed(&self, claims: &Value) -> String {
        let der = std::fs::read(self.folder.path().join("private")).unwrap();
        let header = Header::new(Algorithm::EdDSA);
        jsonwebtoken::encode(&header, claims, &EncodingKey::from_ed_der(&der)).unwrap()
    }

    /// A token with an extension that its receiver must understand.
    fn critical(&self) -> String {
        let der = std::fs::read(self.folder.path().join("private")).unwrap();
        let mut header = Header::new(Algorithm::EdDSA);
        header.crit = Some(vec!["b64".to_owned()]);
        let key = EncodingKey::from_ed_der(&der);
        jsonwebtoken::encode(&header, &claims(&json!({})), &key).unwrap()
    }

    async fn call(&self, path: &str, authorization: &str) -> Answer {
        let request = Request::get(path).header("authorization", authorization);
        send(&self.router, request.body(Body::empty()).unwrap()).await
    }

    async fn call_with(&self, path: &str, token: &str) -> Answer {
        self.call(path, &format!("Bearer {token}")).await
    }
}

async fn stock(caller: Caller) -> Result<Json<bool>, Problem> {
    caller.require(Scope::StockWrite)?;
    Ok(Json(true))
}

async fn order(caller: Caller) -> Result<Json<bool>, Problem> {
    caller.require_own(Scope::OrdersRead, "c1", Scope::OrdersAdmin)?;
    Ok(Json(true))
}

/// Valid claims with `change` merged into them; `null` removes a claim.
fn claims(change: &Value) -> Value {
    let now = clock::now().timestamp();
    let mut claims =
        json!({"sub": "c1", "scope": "ops", "iss": ISSUER, "iat": now, "exp": now + 60});
    for (name, value) in change.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

#[tokio::test]
async fn a_valid_token_names_its_caller() {
    let fixture = Fixture::new();
    assert_eq!(fixture.call_with("/who", &fixture.token(&[])).await.json(), "c1");
    let token = fixture.signed(&claims(&json!({})));
    assert_eq!(fixture.call("/who", &format!("bearer  {token}")).await.json(), "c1");
}

#[tokio::test]
async fn a_missing_token_is_401_unless_optional() {
    let fixture = Fixture::new();
    let none = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    let answer = send(&fixture.router, none("/who")).await;
    assert_eq!(answer.problem(), (401, "unauthorized".to_owned()));
    assert_eq!(answer.header("www-authenticate"), "Bearer");
    assert_eq!(answer.json()["detail"], "No bearer token was sent.");

    assert_eq!(send(&fixture.router, none("/maybe")).await.json(), false);
    assert_eq!(fixture.call_with("/maybe", &fixture.token(&[])).await.json(), true);
    assert_eq!(fixture.call("/maybe", "Bearer bad").await.problem().0, 401);
}

#[tokio::test]
async fn an_invalid_token_is_401() {
    let fixture = Fixture::new();
    let good = fixture.token(&[Scope::Ops]);
    let now = clock::now().timestamp();
    let foreign = mint(&fixture.foreign_key, "c1", &[Scope::Ops], HOUR).unwrap();
    // A token that is signed with the public key as a shared secret must be rejected.
    let public = std::fs::read(fixture.folder.path().join("public")).unwrap();
    let hmac = |secret: &[u8]| {
        let key = EncodingKey::from_secret(secret);
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims(&json!({})), &key).unwrap()
    };
    let (head, rest) = good.split_once('.').unwrap();
    let payload = rest.split_once('.').unwrap().0;
    // {"typ":"JWT","alg":"none"}
    let unsigned = format!("eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0.{payload}.");
    for (bad, detail) in [
        ("Basic dXNlcjpwYXNz".to_owned(), "Authorization is not `Bearer <token>`."),
        ("Bearer".to_owned(), "Authorization is not `Bearer <token>`."),
        (good.clone(), "Authorization is not `Bearer <token>`."),
        ("Bearer ".to_owned() + "garbage", "The token is not valid."),
        ("Bearer a.b.c".to_owned(), "The token is not valid."),
        (format!("Bearer {foreign}"), "The token is not valid."),
        (format!("Bearer {}", &good[..good.len() - 4]), "The token is not valid."),
        (format!("Bearer {head}.{payload}."), "The token is not valid."),
        (format!("Bearer {unsigned}"), "The token is not valid."),
        (format!("Bearer {}", hmac(&public)), "The token is not valid."),
        (format!("Bearer {}", hmac(&public[12..])), "The token is not valid."),
        (
            format!("Bearer {}", fixture.signed(&claims(&json!({"exp": now - 60})))),
            "The token has expired.",
        ),
        (
            format!("Bearer {}", fixture.signed(&claims(&json!({"exp": null})))),
            "The token is not valid.",
        ),
        (
            format!("Bearer {}", fixture.signed(&claims(&json!({"iss": "somebody"})))),
            "The token is not valid.",
        ),
        (
            format!("Bearer {}", fixture.signed(&claims(&json!({"sub": null})))),
            "The token is not valid.",
        ),
        (
            format!("Bearer {}", fixture.signed(&claims(&json!({"aud": "another shop"})))),
            "The token is not valid.",
        ),
        (
            format!("Bearer {}", fixture.signed(&claims(&json!({"exp": now + 3_200_000_000_i64})))),
            "The token is not valid.",
        ),
        (
            format!("Bearer {}", fixture.signed(&claims(&json!({"nbf": now + 60})))),
            "The token is not valid yet.",
        ),
        (format!("Bearer {}", fixture.critical()), "The token is not valid."),
    ] {
        let answer = fixture.call("/who", &bad).await;
        assert_eq!(answer.problem(), (401, "unauthorized".to_owned()), "{bad}");
        assert_eq!(answer.json()["detail"], detail, "{bad}");
        assert_eq!(answer.header("www-authenticate"), "Bearer error=\"invalid_token\"");
    }
}

#[tokio::test]
async fn a_missing_scope_is_403() {
    let fixture = Fixture::new();
    let others = [Scope::CatalogWrite, Scope::Ops];
    let answer = fixture.call_with("/stock", &fixture.token(&others)).await;
    assert_eq!(answer.problem(), (403, "insufficient_scope".to_owned()));
    assert_eq!(
        answer.header("www-authenticate"),
        "Bearer error=\"insufficient_scope\", scope=\"stock:write\""
    );
    let token = fixture.token(&[Scope::Ops, Scope::StockWrite]);
    assert_eq!(fixture.call_with("/stock", &token).await.json(), true);
    // An unknown scope is ignored.
    let token = fixture.signed(&claims(&json!({"scope": "moon:walk stock:write"})));
    assert_eq!(fixture.call_with("/stock", &token).await.json(), true);
}

#[tokio::test]
async fn only_owner_and_administrator_have_access() {
    let fixture = Fixture::new();
    let token = |subject, scopes: &[Scope]| mint(&fixture.key, subject, scopes, HOUR).unwrap();
    for (token, outcome) in [
        (token("c1", &[Scope::OrdersRead]), Ok(())),
        (token("somebody", &[Scope::OrdersAdmin]), Ok(())),
        (token("c2", &[Scope::OrdersRead]), Err("not_yours")),
        (token("c1", &[Scope::OrdersWrite]), Err("insufficient_scope")),
        (token("c2", &[]), Err("insufficient_scope")),
    ] {
        let answer = fixture.call_with("/orders/of/c1", &token).await;
        match outcome {
            Ok(()) => assert_eq!(answer.json(), true),
            Err(code) => assert_eq!(answer.problem(), (403, code.to_owned())),
        }
    }
}

#[tokio::test]
async fn written_keys_are_read_back() {
    let fixture = Fixture::new();
    let private = fixture.folder.path().join("private");
    let public = fixture.folder.path().join("public");
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&private), mode(&public)), (0o600, 0o644));
    let key = SigningKey::read(&private).unwrap();
    let token = mint(&key, "c1", &[Scope::Ops], HOUR).unwrap();
    let caller = fixture.key.verifier().verify(&token).unwrap();
    assert!(caller.has(Scope::Ops) && !caller.has(Scope::OrdersAdmin));

    assert!(matches!(SigningKey::read(&public), Err(KeyError::NotPrivate(..))));
    assert!(matches!(Verifier::read(&private), Err(KeyError::NotPublic(..))));
    std::fs::write(&public, b"").unwrap();
    assert!(matches!(Verifier::read(&public), Err(KeyError::NotPublic(..))));
    assert!(matches!(Verifier::read("/no/such/file"), Err(KeyError::Read(..))));
}

#[tokio::test]
async fn a_new_key_is_used_without_a_restart() {
    let fixture = Fixture::new();
    let (old, new) = (fixture.token(&[]), SigningKey::generate().unwrap());
    let public = fixture.folder.path().join("public");
    new.write_rotated(&public).unwrap();
    let token = mint(&new, "c2", &[], HOUR).unwrap();
    assert_eq!(fixture.call_with("/who", &token).await.json(), "c2");
    assert_eq!(fixture.call_with("/who", &old).await.json(), "c1", "its key is still known");
    // Unknown keys do not make it read the file for each token.
    let foreign = mint(&fixture.foreign_key, "c3", &[], HOUR).unwrap();
    fixture.foreign_key.write_rotated(&public).unwrap();
    assert_eq!(fixture.call_with("/who", &foreign).await.problem().0, 401);
    // The key set is a document for others as well.
    let document: Value = serde_json::from_slice(&std::fs::read(&public).unwrap()).unwrap();
    assert_eq!(document["keys"].as_array().unwrap().len(), 3);
    assert!(
        document["keys"].as_array().unwrap().iter().all(|key| key["d"].is_null()),
        "{document}"
    );
}

/// An issuer on a port of its own: its description, its keys, and how often they were asked for.
struct Issuer {
    url: String,
    key: SigningKey,
    keys: Arc<Mutex<Value>>,
    asked: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

impl Issuer {
    async fn start() -> Issuer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let key = SigningKey::generate().unwrap();
        let keys = Arc::new(Mutex::new(key.verifier().jwks()));
        let asked = Arc::<AtomicUsize>::default();
        let description = json!({"issuer": url, "jwks_uri": format!("{url}/keys")});
        let (served, counted) = (keys.clone(), Arc::clone(&asked));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(async move || Json(description)))
            .route(
                "/keys",
                get(async move || {
                    let _: usize = counted.fetch_add(1, Ordering::Relaxed);
                    Json(served.lock().unwrap().clone())
                }),
            );
        let server = in_background(async move { axum::serve(listener, router).await.unwrap() });
        Issuer { url, key, keys, asked, server }
    }

    /// A verifier that trusts this issuer beside the suite.
    fn trusted_by(&self, fixture: &Fixture) -> Verifier {
        let oidc = Oidc {
            issuer: Some(self.url.clone()),
            audience: Some("shop".to_owned()),
            roles_claim: "groups".to_owned(),
            roles: "buyers=merchandiser".parse().unwrap(),
            ..Oidc::default()
        };
        Verifier::open_with(fixture.folder.path().join("public"), &oidc).unwrap()
    }

    /// A token of `key` with these claims in place of the usual ones.
    fn token(&self, fixture: &Fixture, key: &SigningKey, change: &Value) -> String {
        let (private, public) =
            (fixture.folder.path().join("issuer"), fixture.folder.path().join("issuer.pub"));
        key.write_pair(&private, public).unwrap();
        let mut changed = claims(
            &json!({"iss": self.url, "aud": "shop", "sub": "ann", "groups": ["buyers"], "scope": null}),
        );
        for (name, value) in change.as_object().unwrap() {
            changed[name] = value.clone();
        }
        let kid = key.verifier().jwks()["keys"][0]["kid"].as_str().unwrap().to_owned();
        let header = Header { kid: Some(kid), ..Header::new(Algorithm::EdDSA) };
        let der = std::fs::read(private).unwrap();
        jsonwebtoken::encode(&header, &changed, &EncodingKey::from_ed_der(&der)).unwrap()
    }
}

#[tokio::test]
async fn another_issuer_grants_roles_and_its_keys_are_cached() {
    let (fixture, issuer) = (Fixture::new(), Issuer::start().await);
    let verifier = issuer.trusted_by(&fixture);
    let token = |change: Value| issuer.token(&fixture, &issuer.key, &change);
    let caller = verifier.authenticate(&token(json!({}))).await.unwrap();
    assert_eq!(caller.subject(), "oidc:ann");
    assert!(caller.has(Scope::CatalogWrite) && !caller.has(Scope::Ops));
    for n in 0..20 {
        let token = token(json!({"sub": format!("ann{n}")}));
        assert!(verifier.authenticate(&token).await.is_ok());
    }
    for bad in [
        json!({"aud": "another"}),
        json!({"iss": ISSUER}),
        json!({"iss": "https://other.example"}),
        json!({"exp": clock::now().timestamp() + 86_400 * 2}),
    ] {
        assert!(verifier.authenticate(&token(bad.clone())).await.is_err(), "{bad}");
    }
    // The suite's own tokens are still its own.
    assert!(verifier.authenticate(&fixture.token(&[Scope::Ops])).await.unwrap().has(Scope::Ops));
    assert_eq!(issuer.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn unknown_keys_ask_the_issuer_at_a_bounded_rate() {
    let (fixture, issuer) = (Fixture::new(), Issuer::start().await);
    let verifier = issuer.trusted_by(&fixture);
    // Its first key is found, a later one is not asked for at once.
    let first = issuer.token(&fixture, &issuer.key, &json!({}));
    assert!(verifier.authenticate(&first).await.is_ok());
    let second = SigningKey::generate().unwrap();
    *issuer.keys.lock().unwrap() = second.verifier().jwks();
    let token = issuer.token(&fixture, &second, &json!({}));
    for _ in 0..50 {
        assert!(verifier.authenticate(&token).await.is_err());
    }
    assert_eq!(issuer.asked.load(Ordering::Relaxed), 1);
    // Another program has not asked yet.
    let verifier = issuer.trusted_by(&fixture);
    assert!(verifier.authenticate(&token).await.is_ok());
    assert!(verifier.authenticate(&first).await.is_err(), "the issuer has removed this key");
}

#[tokio::test]
async fn known_keys_stay_while_the_issuer_is_away() {
    let (fixture, issuer) = (Fixture::new(), Issuer::start().await);
    let verifier = issuer.trusted_by(&fixture);
    let token = |sub: &str| issuer.token(&fixture, &issuer.key, &json!({"sub": sub}));
    assert!(verifier.authenticate(&token("ann")).await.is_ok());
    let unknown = issuer.trusted_by(&fixture);
    let (later, early) = (token("bob"), token("eve"));
    issuer.server.abort();
    assert!(issuer.server.await.unwrap_err().is_cancelled());
    assert!(verifier.authenticate(&later).await.is_ok());
    assert!(unknown.authenticate(&early).await.is_err());
    assert!(unknown.authenticate(&fixture.token(&[])).await.is_ok(), "own tokens need no issuer");
}

#[tokio::test]
async fn an_event_stream_ends_when_its_token_expires() {
    let (lifecycle, key) = (Lifecycle::new(HOUR), SigningKey::generate().unwrap());
    let stream = || futures::stream::pending::<Result<&str, std::io::Error>>();
    let events =
        get(async move || ([("content-type", "text/event-stream")], Body::from_stream(stream())));
    let (routes, http) = (
        OpenApiRouter::new().route("/events", events),
        config::Http::at(([127, 0, 0, 1], 0).into()),
    );
    let (health, verifier) = (Health::new(&lifecycle), key.verifier());
    let router = http::router(&SERVICE, routes, &health, &lifecycle, &http, Some(&verifier));
    let follow = async |lifetime| {
        let token = mint(&key, "c1", &[], lifetime).unwrap();
        let request = Request::get("/events").header("authorization", format!("Bearer {token}"));
        let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await;
        response.unwrap().into_body().into_data_stream()
    };
    let (mut long, mut short) = (follow(HOUR).await, follow(Duration::from_secs(1)).await);
    assert!(soon(short.next()).await.is_none());
    assert!(long.next().now_or_never().is_none(), "it continues");
}

#[test]
fn an_issuer_needs_an_audience_and_an_encrypted_address() {
    let fixture = Fixture::new();
    let open = |issuer: &str, audience: Option<&str>| {
        let oidc = Oidc {
            issuer: Some(issuer.to_owned()),
            audience: audience.map(str::to_owned),
            ..Oidc::default()
        };
        Verifier::open_with(fixture.folder.path().join("public"), &oidc).map(|_| ())
    };
    assert!(open("https://id.example", Some("shop")).is_ok());
    assert!(open("", None).is_ok(), "an empty setting is none");
    assert!(matches!(open("https://id.example", None), Err(KeyError::Oidc(_))));
    assert!(matches!(open("http://id.example", Some("shop")), Err(KeyError::Oidc(_))));
}

#[test]
fn every_scope_round_trips() {
    for scope in Scope::ALL {
        assert_eq!(scope.as_str().parse(), Ok(scope));
    }
    let error = "orders:burn".parse::<Scope>().unwrap_err().to_string();
    assert!(error.contains("orders:burn") && error.contains("orders:admin"), "{error}");
}
