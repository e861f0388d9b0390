//! Requests to every operation that the OpenAPI document of a service lists.

use reqwest::{
    Method, RequestBuilder, StatusCode,
    header::{CONTENT_TYPE, IF_MATCH},
};
use runtime::auth::Scope;
use serde_json::{Map, Value, json};

use crate::{credentials::Credentials, http::answer, instance::Instance};

/// A valid id that names nothing.
const NO_ID: &str = "01920000-0000-7000-8000-00000000dead";

/// Instants that parsers accept, and that PostgreSQL cannot store.
const EXTREME_INSTANTS: [&str; 3] =
    ["-262143-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "%2B262142-12-31T23:59:59Z"];

/// An operation of the document.
pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// Of the path and of the query.
    parameters: Vec<Parameter>,
    /// The names of the body's fields; `None` without a JSON body.
    pub(crate) body: Option<Vec<String>>,
    /// `None` if it needs no token.
    scopes: Option<Vec<String>>,
    /// The scopes of each requirement of which one is enough; empty if it needs no token.
    pub(crate) alternatives: Vec<Vec<String>>,
}

struct Parameter {
    name: String,
    is_in_path: bool,
    is_instant: bool,
    is_number: bool,
}

impl Operation {
    async fn all(instance: &Instance) -> Vec<Operation> {
        let (_, document) = answer(instance.request(Method::GET, "/openapi.json")).await;
        Operation::of_document(&document)
    }

    pub(crate) fn of_document(document: &Value) -> Vec<Operation> {
        assert_eq!(dangling(document, document), [""; 0], "references that name nothing");
        let mut operations = Vec::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                operations.push(Operation::of(document, path, method, operation));
            }
        }
        assert!(!operations.is_empty());
        operations
    }

    fn of(document: &Value, path: &str, method: &str, operation: &Value) -> Operation {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let (headers, parameters): (Vec<_>, Vec<_>) =
            parameters.partition(|parameter| parameter["in"] == "header");
        // The bodies of webhooks are read once their signature is verified.
        let is_signed = headers.iter().any(|header| header["name"] == "X-Signature");
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        let names = |requirement: &Value| {
            let names = requirement["bearer"].as_array().into_iter().flatten();
            names.map(|name| name.as_str().unwrap().to_owned()).collect::<Vec<String>>()
        };
        let security = operation["security"].as_array();
        // With an empty alternative a token only shows more.
        let is_open = |all: &&Vec<Value>| all.iter().any(|one| one["bearer"].is_null());
        let alternatives = security.filter(|all| !is_open(all)).into_iter().flatten();
        let alternatives: Vec<Vec<String>> = alternatives.map(names).collect();
        Operation {
            method: method.to_uppercase().parse().unwrap(),
            path: path.to_owned(),
            parameters: parameters
                .into_iter()
                .map(|parameter| Parameter::of(document, parameter))
                .collect(),
            body: (!body.is_null() && !is_signed).then(|| {
                let properties = resolve(document, body)["properties"].as_object();
                properties.into_iter().flatten().map(|(name, _)| name.clone()).collect()
            }),
            scopes: alternatives.first().cloned(),
            alternatives,
        }
    }

    /// The path with valid parameters.
    pub(crate) fn valid_path(&self) -> String {
        self.path_with(None)
    }

    /// The path with valid parameters, and perhaps a hostile one.
    fn path_with(&self, hostile: Option<&str>) -> String {
        let parameters = self.parameters.iter().filter(|parameter| parameter.is_in_path);
        parameters.fold(self.path.clone(), |path, Parameter { name, is_number, .. }| {
            let value = match hostile {
                Some(hostile) if hostile == name => "a%00b",
                _ if *is_number => "1",
                _ => NO_ID,
            };
            path.replace(&format!("{{{name}}}"), value)
        })
    }

    /// Paths with queries, each with one hostile parameter.
    fn hostile_paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        for parameter in &self.parameters {
            let Parameter { name, is_in_path, is_instant, .. } = parameter;
            if *is_in_path {
                paths.push(self.path_with(Some(name)));
            } else {
                let path = self.valid_path();
                paths.push(format!("{path}?{name}=a%00b"));
                if *is_instant {
                    paths
                        .extend(EXTREME_INSTANTS.map(|instant| format!("{path}?{name}={instant}")));
                }
            }
        }
        paths
    }
}

impl Parameter {
    fn of(document: &Value, parameter: &Value) -> Parameter {
        let schema = resolve(document, &parameter["schema"]);
        let kinds =
            schema["type"].as_array().cloned().unwrap_or_else(|| vec![schema["type"].clone()]);
        Parameter {
            name: parameter["name"].as_str().unwrap().to_owned(),
            is_in_path: parameter["in"] == "path",
            is_instant: schema["format"] == "date-time",
            is_number: kinds.contains(&json!("integer")),
        }
    }
}

/// The schema itself, not a reference to it and not the choice between it and null.
fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#'));
        return target.map_or(&Value::Null, |schema| resolve(document, schema));
    }
    let mut choices = schema["oneOf"].as_array().into_iter().flatten();
    let choice = choices.find(|one| one["type"] != "null");
    choice.map_or(schema, |choice| resolve(document, choice))
}

/// The references in `part` that name nothing in the document.
fn dangling<'a>(document: &'a Value, part: &'a Value) -> Vec<&'a str> {
    match part {
        Value::Object(members) => {
            let own = members.get("$ref").and_then(Value::as_str);
            let own = own.filter(|name| document.pointer(name.trim_start_matches('#')).is_none());
            let inner = members.values().flat_map(|member| dangling(document, member));
            own.into_iter().chain(inner).collect()
        }
        Value::Array(items) => items.iter().flat_map(|item| dangling(document, item)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// Sends every operation texts with U+0000 and instants that cannot be stored: each gets a problem with status 400 or 422.
pub async fn assert_hostile_inputs_are_refused(instance: &Instance, credentials: &Credentials) {
    let token = credentials.token(NO_ID, &Scope::ALL);
    let mut checked = 0;
    for operation in Operation::all(instance).await {
        let request =
            |path: &str| instance.request(operation.method.clone(), path).bearer_auth(&token);
        for path in operation.hostile_paths() {
            let request = request(&path);
            let request = if operation.body.is_some() { request.json(&json!({})) } else { request };
            assert_refused(&format!("{} {path}", operation.method), request).await;
            checked += 1;
        }
        for field in operation.body.iter().flatten() {
            for hostile in [json!("a\0b"), json!(["a\0b"]), json!({"a\0b": 1})] {
                let body: Map<String, Value> = [(field.clone(), hostile)].into_iter().collect();
                let what = format!("{} {} {body:?}", operation.method, operation.path);
                assert_refused(&what, request(&operation.valid_path()).json(&body)).await;
                checked += 1;
            }
        }
    }
    assert!(checked > 20, "{checked}");
}

async fn assert_refused(what: &str, request: RequestBuilder) {
    // Some routes require it.
    let response = request.header(IF_MATCH, "\"1\"").send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.unwrap();
    let refused = [StatusCode::BAD_REQUEST, StatusCode::UNPROCESSABLE_ENTITY];
    assert!(refused.contains(&status), "{what}: {status} {text}");
    assert_eq!(headers[CONTENT_TYPE], "application/problem+json", "{what}: {text}");
}

/// Sends every operation that needs a scope a body that is not JSON: without a token it gets 401, and with a token without
/// scopes 403. A caller without the scope learns nothing from the body that it sends.
pub async fn assert_scopes_precede_bodies(instance: &Instance, credentials: &Credentials) {
    let token_without_scopes = credentials.token(NO_ID, &[]);
    let mut checked = 0;
    for operation in Operation::all(instance).await {
        let Operation { method, scopes: Some(scopes), .. } = &operation else { continue };
        let path = operation.valid_path();
        let request = || {
            let request = instance.request(method.clone(), &path);
            request.header(CONTENT_TYPE, "application/json").body("{")
        };
        let (status, problem) = answer(request()).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {path}: {problem}");
        if scopes.is_empty() {
            continue;
        }
        let (status, problem) = answer(request().bearer_auth(&token_without_scopes)).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path}: {problem}");
        assert_eq!(problem["code"], "insufficient_scope", "{method} {path}: {problem}");
        checked += 1;
    }
    assert!(checked > 5, "{checked}");
}
