//! Valid tokens, and all kinds of invalid ones.

use std::{os::unix::fs::PermissionsExt as _, time::Duration};

use axum::{Router, body::Body, extract::FromRef, http::Request, routing::get};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use problem::{Json, Problem};
use runtime::{
    auth::{Caller, ISSUER, KeyError, Scope, SigningKey, Verifier, mint},
    clock,
};
use serde_json::{Value, json};

use crate::{Answer, send};

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

#[test]
fn every_scope_round_trips() {
    for scope in Scope::ALL {
        assert_eq!(scope.as_str().parse(), Ok(scope));
    }
    let error = "orders:burn".parse::<Scope>().unwrap_err().to_string();
    assert!(error.contains("orders:burn") && error.contains("orders:admin"), "{error}");
}
