//! Staff accounts: sign-in, sessions, the second factor, and what staff did.

use std::time::Duration;

use axum::{Router, routing::any};
use clap::Parser;
use console::{database::MIGRATOR, staff::StaffCommand};
use reqwest::{RequestBuilder, Response, StatusCode};
use runtime::{
    auth::{Role, Scope, mint},
    clock,
};
use serde_json::{Value, json};
use testkit::Database;
use totp_rs::{Algorithm, Secret, TOTP};
use uuid::Uuid;

use crate::suite::{Settings, Suite, serve, services_at};

const OWNER: &str = "ann@shop.example";

/// The arguments of `console staff`.
#[derive(Parser)]
struct Line {
    #[command(flatten)]
    staff: StaffCommand,
}

/// A console with a database and an owner. All services answer every request with 200.
struct Shop {
    suite: Suite,
    database: Database,
    upstream: String,
    /// The owner's.
    password: String,
}

impl Shop {
    async fn open() -> Shop {
        let database = Database::migrated(&[&MIGRATOR]).await.unwrap();
        let upstream = serve(Router::new().fallback(any(async || "done"))).await;
        let suite = Suite::with(settings(&upstream, &database)).await;
        let lines = command(&database, &["add", "--role", "owner", OWNER]).await;
        assert_eq!(lines[0], "ann@shop.example is owner");
        Shop { suite, database, upstream, password: lines[1].clone() }
    }

    /// Another process on the same database: bounds of sign-ins begin anew.
    async fn restarted(self) -> Shop {
        let suite = Suite::with(settings(&self.upstream, &self.database)).await;
        Shop { suite, ..self }
    }

    async fn sign_in(&self, email: &str, password: &str, code: Option<&str>) -> Response {
        let mut body = json!({"email": email, "password": password});
        if let Some(code) = code {
            body["code"] = code.into();
        }
        self.suite.post("/v1/staff/sign-in").json(&body).send().await.unwrap()
    }

    /// Signs the owner in.
    async fn owner(&self) -> Session {
        Session::of(self.sign_in(OWNER, &self.password, None).await).await
    }

    /// Creates an account, and signs it in.
    async fn member(&self, owner: &Session, role: &str) -> (Uuid, String, Session) {
        let email = format!("{role}@shop.example");
        let draft = json!({"email": email, "role": role});
        let created = self.post("/v1/staff", owner).json(&draft).send().await.unwrap();
        assert_eq!(created.status(), StatusCode::CREATED);
        let created: Value = created.json().await.unwrap();
        let password = created["password"].as_str().unwrap().to_owned();
        let session = Session::of(self.sign_in(&email, &password, None).await).await;
        (created["id"].as_str().unwrap().parse().unwrap(), password, session)
    }

    async fn renew(&self, cookie: &str) -> Response {
        let request = self.suite.post("/v1/staff/session").header("staff-session", "1");
        request.header("cookie", cookie).send().await.unwrap()
    }

    fn get(&self, path: &str, session: &Session) -> RequestBuilder {
        self.suite.get(path).bearer_auth(&session.token)
    }

    fn post(&self, path: &str, session: &Session) -> RequestBuilder {
        self.suite.post(path).bearer_auth(&session.token)
    }

    async fn patch(&self, id: Uuid, session: &Session, change: Value) -> Response {
        let url = format!("{}/v1/staff/{id}", self.suite.url);
        let request = self.suite.client.patch(url).bearer_auth(&session.token);
        request.json(&change).send().await.unwrap()
    }

    /// What staff did, the oldest first: who, what, and the rest.
    async fn actions(&self, owner: &Session) -> Vec<Value> {
        let listed = self.get("/v1/staff/actions?limit=500", owner).send().await.unwrap();
        let listed: Value = listed.json().await.unwrap();
        let mut items = listed["items"].as_array().unwrap().clone();
        items.reverse();
        items
    }
}

fn settings(upstream: &str, database: &Database) -> Settings {
    let database_url = Some(database.url().to_owned());
    Settings { services: services_at(upstream), database_url, ..Settings::default() }
}

/// What the browser of a member of staff has.
struct Session {
    token: String,
    cookie: String,
}

impl Session {
    async fn of(response: Response) -> Session {
        assert_eq!(response.status(), StatusCode::OK, "{response:?}");
        let cookie = cookie_of(&response);
        let body: Value = response.json().await.unwrap();
        Session { token: body["token"].as_str().unwrap().to_owned(), cookie }
    }
}

fn cookie_of(response: &Response) -> String {
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

async fn command(database: &Database, arguments: &[&str]) -> Vec<String> {
    let line = ["staff", "--database-url", database.url()];
    let line = Line::try_parse_from(line.into_iter().chain(arguments.iter().copied())).unwrap();
    line.staff.run().await.unwrap()
}

async fn code_of(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let problem: Value = response.json().await.unwrap();
    (status, problem["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn sign_in_grants_the_scopes_of_the_role() {
    let shop = Shop::open().await;
    let response = shop.sign_in(" Ann@Shop.Example ", &shop.password, None).await;
    assert_eq!(response.headers()["cache-control"], "no-store");
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    for part in ["Path=/v1/staff", "HttpOnly", "SameSite=Strict"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let session = Session::of(response).await;
    let caller = shop.suite.keys.verifier().verify(&session.token).unwrap();
    assert!(Role::Owner.scopes().iter().all(|scope| caller.has(*scope)));
    assert!(caller.expires_at() <= clock::now().timestamp() + 600);
    // The renewal token is no access token.
    let renewal = session.cookie.split_once('=').unwrap().1;
    assert!(shop.suite.keys.verifier().verify(renewal).is_err());

    let me: Value = shop.get("/v1/staff/me", &session).send().await.unwrap().json().await.unwrap();
    assert_eq!((&me["email"], &me["role"]), (&json!(OWNER), &json!("owner")));
    let host = shop.suite.post("/v1/staff/sign-in").header("host", "shop.example");
    let body = json!({"email": OWNER, "password": shop.password});
    let response = host.json(&body).send().await.unwrap();
    assert!(response.headers()["set-cookie"].to_str().unwrap().ends_with("; Secure"));
}

#[tokio::test]
async fn failed_sign_ins_tell_nothing_and_are_limited() {
    let shop = Shop::open().await;
    let failed = (401, "sign_in_failed".to_owned());
    assert_eq!(code_of(shop.sign_in("eve@shop.example", &shop.password, None).await).await, failed);
    // On a slow machine the bound allows some more meanwhile.
    let mut refused = 0;
    let limited = loop {
        let response = shop.sign_in(OWNER, "wrong password", None).await;
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            break response;
        }
        assert_eq!(code_of(response).await, failed);
        refused += 1;
        assert!(refused < 20, "no bound");
    };
    assert!(refused >= 5 && limited.headers().contains_key("retry-after"), "{refused}");
    assert_eq!(code_of(limited).await, (429, "too_many_sign_ins".to_owned()));
    // Another account of the same address is not in the way.
    let lines = command(&shop.database, &["add", "--role", "owner", "bob@shop.example"]).await;
    let bob = Session::of(shop.sign_in("bob@shop.example", &lines[1], None).await).await;
    let failures = shop.actions(&bob).await;
    let failures = failures.iter().filter(|action| action["action"] == "sign_in_failed");
    let targets: Vec<_> = failures.map(|action| action["target_email"].as_str()).collect();
    assert_eq!(targets[..2], [None, Some(OWNER)], "an unknown address is not stored");
}

#[tokio::test]
async fn each_renewal_token_is_used_once() {
    let shop = Shop::open().await;
    let first = shop.owner().await;
    let second = Session::of(shop.renew(&first.cookie).await).await;
    // The answer was lost, or another tab has asked: the same generation once more.
    let repeated = Session::of(shop.renew(&first.cookie).await).await;
    let third = Session::of(shop.renew(&second.cookie).await).await;
    assert_eq!(shop.renew(&first.cookie).await.status(), StatusCode::UNAUTHORIZED);
    for cookie in [&third.cookie, &repeated.cookie] {
        let ended = shop.renew(cookie).await;
        assert!(ended.headers()["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
        assert_eq!(ended.status(), StatusCode::UNAUTHORIZED, "the session has ended");
    }
    let actions = shop.actions(&shop.owner().await).await;
    assert!(actions.iter().any(|action| action["action"] == "renewal_reused"));
}

#[tokio::test]
async fn a_renewal_needs_the_header_and_the_cookie() {
    let shop = Shop::open().await;
    let session = shop.owner().await;
    for path in ["/v1/staff/session", "/v1/staff/sign-out"] {
        let request = shop.suite.post(path).header("cookie", &session.cookie);
        let refused = code_of(request.send().await.unwrap()).await;
        assert_eq!(refused, (400, "staff_session_required".to_owned()), "{path}");
    }
    let without = shop.suite.post("/v1/staff/session").header("staff-session", "1");
    assert_eq!(without.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    // A shopper's renewal token is of no use here.
    let shopper: Value = shop.suite.post("/session").send().await.unwrap().json().await.unwrap();
    let cookie = format!("staff_renewal={}", shopper["renewal"].as_str().unwrap());
    assert_eq!(shop.renew(&cookie).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn sign_out_ends_the_session() {
    let shop = Shop::open().await;
    let (session, other) = (shop.owner().await, shop.owner().await);
    let request = shop.suite.post("/v1/staff/sign-out").header("staff-session", "1");
    let response = request.header("cookie", &session.cookie).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert_eq!(shop.renew(&session.cookie).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(shop.renew(&other.cookie).await.status(), StatusCode::OK);
}

/// The code of the authenticator app `ahead` steps from now.
fn code(secret: &str, ahead: u64) -> String {
    let secret = Secret::Encoded(secret.to_owned()).to_bytes().unwrap();
    let now = u64::try_from(clock::now().timestamp()).unwrap();
    TOTP::new_unchecked(Algorithm::SHA1, 6, 0, 30, secret).generate(now + 30 * ahead)
}

#[tokio::test]
async fn a_second_factor_is_asked_for_once_it_is_confirmed() {
    let shop = Shop::open().await;
    let session = shop.owner().await;
    let enrolled = shop.post("/v1/staff/me/totp", &session).send().await.unwrap();
    let enrolled: Value = enrolled.json().await.unwrap();
    let secret = enrolled["secret"].as_str().unwrap();
    assert_eq!(shop.sign_in(OWNER, &shop.password, None).await.status(), StatusCode::OK);
    let url = format!("{}/v1/staff/me/totp", shop.suite.url);
    let confirm = async |code: &str| {
        let request = shop.suite.client.put(&url).bearer_auth(&session.token);
        request.json(&json!({"code": code})).send().await.unwrap()
    };
    assert_eq!(code_of(confirm("000000x").await).await, (403, "wrong_code".to_owned()));
    let first = code(secret, 0);
    assert_eq!(confirm(&first).await.status(), StatusCode::NO_CONTENT);

    let again = shop.post("/v1/staff/me/totp", &session).send().await.unwrap();
    assert_eq!(code_of(again).await, (409, "second_factor_exists".to_owned()));
    // The bound per account counts from here.
    let shop = shop.restarted().await;
    let required = shop.sign_in(OWNER, &shop.password, None).await;
    assert_eq!(code_of(required).await, (401, "code_required".to_owned()));
    let used = shop.sign_in(OWNER, &shop.password, Some(&first)).await;
    assert_eq!(code_of(used).await, (401, "sign_in_failed".to_owned()), "a code counts once");
    let next = code(secret, 1);
    assert_eq!(shop.sign_in(OWNER, &shop.password, Some(&next)).await.status(), StatusCode::OK);
    let used = shop.sign_in(OWNER, &shop.password, Some(&next)).await;
    assert_eq!(used.status(), StatusCode::UNAUTHORIZED);
    // The device is lost.
    let lines = command(&shop.database, &["reset", OWNER]).await;
    let shop = shop.restarted().await;
    assert_eq!(shop.sign_in(OWNER, &lines[1], None).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn an_owner_manages_accounts() {
    let shop = Shop::open().await;
    let owner = shop.owner().await;
    let (id, password, member) = shop.member(&owner, "merchandiser").await;
    let refused = shop.get("/v1/staff", &member).send().await.unwrap();
    assert_eq!(code_of(refused).await, (403, "insufficient_scope".to_owned()));
    let taken = json!({"email": "MERCHANDISER@shop.example", "role": "analyst"});
    let taken = shop.post("/v1/staff", &owner).json(&taken).send().await.unwrap();
    assert_eq!(code_of(taken).await, (409, "email_taken".to_owned()));

    let changed = shop.patch(id, &owner, json!({"role": "analyst"})).await;
    assert_eq!(changed.status(), StatusCode::OK);
    assert_eq!(shop.renew(&member.cookie).await.status(), StatusCode::UNAUTHORIZED);
    let analyst = shop.sign_in("merchandiser@shop.example", &password, None).await;
    let analyst = Session::of(analyst).await;
    let caller = shop.suite.keys.verifier().verify(&analyst.token).unwrap();
    assert!(caller.has(Scope::AnalyticsRead) && !caller.has(Scope::CatalogWrite));

    let url = format!("{}/v1/staff/{id}/sessions", shop.suite.url);
    let revoked = shop.suite.client.delete(url).bearer_auth(&owner.token).send().await.unwrap();
    assert_eq!(revoked.status(), StatusCode::NO_CONTENT);
    assert_eq!(shop.renew(&analyst.cookie).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(shop.patch(id, &owner, json!({"disabled": true})).await.status(), StatusCode::OK);
    let disabled = shop.sign_in("merchandiser@shop.example", &password, None).await;
    assert_eq!(code_of(disabled).await.0, 401);
    let me = shop.get("/v1/staff/me", &analyst).send().await.unwrap();
    assert_eq!(me.status(), StatusCode::UNAUTHORIZED, "at once, though its token has not expired");

    let listed = shop.get("/v1/staff", &owner).send().await.unwrap();
    let listed: Value = listed.json().await.unwrap();
    let own = listed["items"][0]["id"].as_str().unwrap().parse().unwrap();
    for change in [json!({"disabled": true}), json!({"role": "support"})] {
        let refused = shop.patch(own, &owner, change).await;
        assert_eq!(code_of(refused).await, (409, "last_owner".to_owned()));
    }
    let unknown = shop.patch(Uuid::now_v7(), &owner, json!({})).await;
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    let done: Vec<Value> = shop.actions(&owner).await;
    let done: Vec<&str> = done.iter().map(|action| action["action"].as_str().unwrap()).collect();
    for action in ["staff_created", "staff_role_changed", "sessions_revoked", "staff_disabled"] {
        assert!(done.contains(&action), "{done:?}");
    }
}

#[tokio::test]
async fn a_new_password_ends_all_other_sessions() {
    let shop = Shop::open().await;
    let (session, other) = (shop.owner().await, shop.owner().await);
    let change = async |current: &str, new: &str| {
        let url = format!("{}/v1/staff/me/password", shop.suite.url);
        let request = shop.suite.client.put(url).bearer_auth(&session.token);
        let request = request.header("staff-session", "1").header("cookie", &session.cookie);
        request.json(&json!({"current": current, "new": new})).send().await.unwrap()
    };
    assert_eq!(code_of(change("wrong", "a new password").await).await.1, "wrong_password");
    assert_eq!(code_of(change(&shop.password, "short").await).await.1, "validation_failed");
    let changed = change(&shop.password, "a new password").await;
    assert_eq!(changed.status(), StatusCode::NO_CONTENT);
    assert_eq!(shop.renew(&session.cookie).await.status(), StatusCode::OK);
    assert_eq!(shop.renew(&other.cookie).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn writes_through_the_console_are_recorded() {
    let shop = Shop::open().await;
    let owner = shop.owner().await;
    let (id, _, member) = shop.member(&owner, "warehouse").await;
    let stock = "/api/inventory/v1/stock/KB-1?reason=count";
    let written = shop.post(stock, &member).body("secret").send().await.unwrap();
    assert_eq!(written.status(), StatusCode::OK);
    shop.get("/api/inventory/v1/stock/KB-1", &member).send().await.unwrap();
    let shopper = shop.suite.keys.token(&[Scope::OrdersWrite]);
    shop.suite.post("/api/order/v1/orders").bearer_auth(shopper).send().await.unwrap();

    let actions = shop.actions(&owner).await;
    let requests: Vec<_> = actions.iter().filter(|action| action["action"] == "request").collect();
    let [request] = requests[..] else { panic!("{requests:?}") };
    let text = |name: &str| request[name].as_str().unwrap();
    assert_eq!(text("subject"), format!("staff:{id}"));
    assert_eq!(text("email"), "warehouse@shop.example");
    assert_eq!((text("method"), text("path")), ("POST", "/api/inventory/v1/stock/KB-1"));
    assert_eq!(request["status"], 200);
    assert!(!request.to_string().contains("secret"));

    shop.patch(id, &owner, json!({"disabled": true})).await;
    let refused = shop.post(stock, &member).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "though its token has not expired");
    // Pages of the log.
    let page = shop.get("/v1/staff/actions?limit=1", &owner).send().await.unwrap();
    let page: Value = page.json().await.unwrap();
    let next =
        format!("/v1/staff/actions?limit=1&cursor={}", page["next_cursor"].as_str().unwrap());
    let next: Value = shop.get(&next, &owner).send().await.unwrap().json().await.unwrap();
    assert!(next["items"][0]["id"].as_str() < page["items"][0]["id"].as_str());
}

#[tokio::test]
async fn a_write_that_cannot_be_recorded_is_refused() {
    let upstream = serve(Router::new().fallback(any(async || "done"))).await;
    let settings = Settings {
        services: services_at(&upstream),
        database_url: Some("postgres://console@127.0.0.1:1/console".to_owned()),
        ..Settings::default()
    };
    let suite = Suite::with(settings).await;
    let subject = format!("staff:{}", Uuid::now_v7());
    let staff = mint(&suite.keys.signing, &subject, &[Scope::StockWrite], Duration::from_mins(1));
    let write = |token: &str| suite.post("/api/inventory/v1/stock").bearer_auth(token).send();
    assert!(write(&staff.unwrap()).await.unwrap().status().is_server_error());
    // Everything else works without the database.
    let operator = suite.keys.token(&[Scope::StockWrite]);
    assert_eq!(write(&operator).await.unwrap().status(), StatusCode::OK);
    assert_eq!(suite.post("/session").send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn without_a_database_there_are_no_staff_accounts() {
    let suite = Suite::start().await;
    let body = json!({"email": OWNER, "password": "a password"});
    let refused = suite.post("/v1/staff/sign-in").json(&body).send().await.unwrap();
    assert_eq!(code_of(refused).await, (503, "staff_off".to_owned()));
}
