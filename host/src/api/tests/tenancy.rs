//! The whole route table, tried with every kind of key that must not open it. A route without a case fails here.

use axum::http::Method;

use super::super::route::Needs;
use super::*;
use crate::keys::{Auth, NewKey};
use crate::storage::now;
use crate::tenants::{Scope, Tenant};

/// What somebody else's key finds where a tenant's things are.
enum Case {
    /// The thing in the path does not exist for them.
    Gone(Value),
    /// The thing that the body names does not exist for them.
    Unnamed(Value),
    /// It answers with their own things, which are none of the tenant's.
    Own(Value),
}

/// Ids of what the first tenant has.
struct Things {
    file: String,
    upload: String,
    session: String,
    run: String,
    ask: String,
    artifact: String,
    eval: String,
}

impl Things {
    fn all(&self) -> [&str; 7] {
        [&self.file, &self.upload, &self.session, &self.run, &self.ask, &self.artifact, &self.eval]
    }

    /// The path with the ids of these things.
    fn path(&self, route: &str) -> String {
        let of = [
            ("/files/{id}", &self.file),
            ("/uploads/{id}", &self.upload),
            ("/sessions/{id}", &self.session),
            ("/runs/{id}", &self.run),
            ("/asks/{id}", &self.ask),
            ("/artifacts/{id}", &self.artifact),
            ("/evals/{id}", &self.eval),
        ];
        let mut path = route.replace("{k}", "0").replace("{name}", "theirs").replace("{share}", "000000000000");
        for (pattern, id) in of {
            path = path.replace(pattern, &pattern.replace("{id}", id));
        }
        path.replace("/admin/keys/{id}", "/admin/keys/000000000000")
    }
}

fn case(method: &Method, route: &str, things: &Things) -> Case {
    use Case::{Gone, Own, Unnamed};
    let nothing = Value::Null;
    match (method.as_str(), route) {
        ("GET", "/api/v1/files" | "/api/v1/sessions" | "/api/v1/evals" | "/api/v1/usage" | "/api/v1/usage/days") => {
            Own(nothing)
        }
        ("GET", "/api/v1/images" | "/api/v1/policies" | "/api/v1/models" | "/api/v2/runtimes") => Own(nothing),
        ("POST", "/api/v1/runs") => Unnamed(json!({ "code": "x", "files": [things.file] })),
        ("POST", "/api/v1/sessions") => Unnamed(json!({ "files": [things.file] })),
        ("POST", "/api/v1/sessions/{id}/files") => Gone(json!({ "files": [things.file] })),
        ("POST", "/api/v1/sessions/{id}/runs") => Gone(json!({ "code": "x" })),
        ("POST", "/api/v1/sessions/{id}/asks") => Gone(json!({ "question": "why?" })),
        ("POST", "/api/v1/sessions/{id}/checkpoints") => Gone(json!({ "name": "here" })),
        ("POST", "/api/v1/sessions/{id}/checkpoints/{k}/restore") => Gone(json!({})),
        ("POST", "/api/v1/sessions/{id}/forks") => Gone(json!({ "count": 1 })),
        ("POST", "/api/v1/sessions/{id}/hibernate") => Gone(json!({})),
        ("POST", "/api/v1/sessions/{id}/shares") => Gone(json!({ "label": "mine" })),
        ("PATCH", "/api/v1/sessions/{id}") => Gone(json!({ "title": "mine" })),
        ("POST", "/api/v1/batches") => Own(json!({ "requests": [{ "code": "x", "files": [things.file] }] })),
        ("POST", "/api/v1/evals") => Unnamed(json!({ "problems_file": things.file, "completions_file": things.file })),
        ("POST", "/api/v1/files") => Own(nothing),
        ("POST", "/api/v1/uploads") => Own(json!({ "name": "x.txt", "size": 1 })),
        ("PUT", "/api/v1/uploads/{id}") => Gone(nothing),
        ("POST", "/run_code") => Own(json!({ "code": "x", "language": "python" })),
        ("POST", "/run_jupyter") => Own(json!({ "cells": ["x"], "kernel": "python3" })),
        ("POST", "/api/v2/execute") => {
            Own(json!({ "language": "python", "version": "*", "files": [{ "content": "x" }] }))
        }
        ("GET", "/metrics") => Own(nothing),
        ("GET", "/api/v1/admin/tenants" | "/api/v1/admin/keys" | "/api/v1/admin/audit" | "/api/v1/admin/usage") => {
            Own(nothing)
        }
        ("POST", "/api/v1/admin/tenants") => Own(json!({ "name": "another" })),
        ("PATCH", "/api/v1/admin/tenants/{name}") => Own(json!({})),
        ("POST", "/api/v1/admin/keys") => Own(json!({ "tenant": "theirs", "scopes": ["read"] })),
        ("DELETE", "/api/v1/admin/keys/{id}") => Gone(nothing),
        ("GET" | "DELETE", route) if route.contains("{id}") => Gone(nothing),
        ("POST", route) if route.ends_with("/cancel") || route.ends_with("/resume") || route.ends_with("/replay") => {
            Gone(json!({}))
        }
        ("POST", "/api/v1/artifacts/{id}/url") => Gone(nothing),
        (method, route) => panic!("{method} {route} has no case: say in `case` what somebody else finds there"),
    }
}

impl Server {
    async fn with_key(
        &self,
        method: &Method,
        path: &str,
        body: &Value,
        key: Option<&str>,
    ) -> (StatusCode, Value, String) {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let body = if body.is_null() {
            Body::empty()
        } else {
            request = request.header("content-type", "application/json");
            Body::from(body.to_string())
        };
        let response = self.send(request.body(body).unwrap()).await;
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        (status, serde_json::from_slice(&bytes).unwrap_or_default(), text)
    }

    async fn key(&self, tenant: &str, scopes: &[Scope], expires_at: Option<&str>) -> NewKey {
        let key = NewKey::random();
        let tenant = Tenant::new(tenant).unwrap();
        self.state.storage.add_key(&tenant, &key, "", scopes, expires_at).await.unwrap();
        self.state.keys.reload(&self.state.storage).await.unwrap();
        key
    }

    async fn with_tenants() -> Server {
        let server = Server::with(Config { auth: Auth::Keys, ..Config::default() }).await;
        for tenant in ["ours", "theirs", "closed"] {
            server.state.storage.add_tenant(&Tenant::new(tenant).unwrap(), &[]).await.unwrap();
        }
        server
    }

    async fn furnish(&self, key: &str) -> Things {
        let id = |value: &Value| value.as_str().unwrap_or_else(|| panic!("no id in {value}")).to_owned();
        let post = async |path: String, body: Value| {
            let (status, answer, text) = self.with_key(&Method::POST, &path, &body, Some(key)).await;
            assert!(status.is_success(), "{path}: {text}");
            answer
        };
        let tenant = Tenant::new("ours").unwrap();
        let upload = self.state.storage.upload();
        upload.push("secret of ours".into()).await;
        let staged = upload.finish().await.unwrap();
        let files = vec![("ours.txt".to_owned(), "text/plain".to_owned(), staged)];
        let file = self.state.storage.add_files(&tenant, files).await.unwrap().remove(0).id;
        let upload = id(&post("/api/v1/uploads".into(), json!({ "name": "ours.csv", "size": 9 })).await["id"]);
        let session = id(&post("/api/v1/sessions".into(), json!({ "title": "ours", "files": [file] })).await["id"]);
        let run = post(format!("/api/v1/sessions/{session}/runs"), json!({ "code": "ours" })).await;
        let ask = post(format!("/api/v1/sessions/{session}/asks"), json!({ "question": "ours?", "wait": true })).await;
        let eval = json!({ "problems": "", "completions": "" });
        let eval = self.with_key(&Method::POST, "/api/v1/evals", &eval, Some(key)).await;
        Things {
            file,
            upload,
            session,
            run: id(&run["id"]),
            ask: id(&ask["id"]),
            artifact: id(&run["artifacts"][0]["id"]),
            // Its directory is not what is looked at here.
            eval: eval.1["id"].as_str().unwrap_or("eval_of_ours").to_owned(),
        }
    }
}

#[tokio::test]
async fn every_route_refuses_every_key_that_must_not_open_it() {
    let server = Server::with_tenants().await;
    let ours = server.key("ours", &Scope::ALL, None).await;
    let things = server.furnish(&ours.text).await;
    let theirs = server.key("theirs", &Scope::ALL, None).await;
    let (revoked, expired) = (
        server.key("ours", &Scope::ALL, None).await,
        server.key("ours", &Scope::ALL, Some("2020-01-01T00:00:00.000Z")).await,
    );
    server.state.storage.revoke_key(&revoked.id).await.unwrap();
    let closed = server.key("closed", &Scope::ALL, None).await;
    server.state.storage.change_tenant(&Tenant::new("closed").unwrap(), None, Some(true)).await.unwrap();
    server.state.keys.reload(&server.state.storage).await.unwrap();
    let forged = format!("{}{}", &ours.text[..ours.text.len() - 1], if ours.text.ends_with('A') { 'E' } else { 'A' });
    let mut tried = 0;
    for route in super::super::routes() {
        for (method, needs) in &route.needs {
            let (path, what) = (things.path(route.path), format!("{method} {}", route.path));
            let scope = match needs {
                Needs::Key(scope) => scope,
                Needs::Shared(_) => &Scope::Read,
                Needs::Nothing => {
                    assert!(matches!(route.path, "/healthz" | "/readyz" | "/v1/ping"), "{what} is open to everybody");
                    continue;
                }
            };
            let (Case::Gone(body) | Case::Unnamed(body) | Case::Own(body)) = case(method, route.path, &things);
            for key in [None, Some(&revoked.text), Some(&expired.text), Some(&closed.text), Some(&forged)] {
                let (status, problem, _) = server.with_key(method, &path, &body, key.map(String::as_str)).await;
                assert_eq!((status, &problem["code"]), (StatusCode::UNAUTHORIZED, &json!("unauthorized")), "{what}");
            }
            let others: Vec<_> = Scope::ALL.into_iter().filter(|other| other != scope).collect();
            let wrong = server.key("ours", &others, None).await;
            let (status, problem, _) = server.with_key(method, &path, &body, Some(&wrong.text)).await;
            assert_eq!((status, &problem["code"]), (StatusCode::FORBIDDEN, &json!("forbidden")), "{what}");
            let (status, _, text) = server.with_key(method, &path, &body, Some(&theirs.text)).await;
            match case(method, route.path, &things) {
                Case::Gone(_) => assert_eq!(status, StatusCode::NOT_FOUND, "{what}: {text}"),
                Case::Unnamed(_) => assert!(status == 404 || status == 422, "{what}: {status} {text}"),
                Case::Own(_) => assert!(status.as_u16() < 500, "{what}: {status} {text}"),
            }
            // An answer may repeat an id that it was sent, but tells nothing of what is behind it.
            let sent = format!("{path}{body}");
            // Administrators see in the audit log what was looked for, and never what it held.
            let admin = *scope == Scope::Admin;
            let told =
                things.all().into_iter().filter(|id| !admin && text.contains(*id) && !sent.contains(*id)).count();
            assert!(told == 0 && !text.contains("secret of ours"), "{what} told a stranger: {text}");
            tried += 7;
        }
    }
    assert!(tried > 300, "{tried}");
    // And all of it is still there.
    let (status, session, _) = server
        .with_key(&Method::GET, &format!("/api/v1/sessions/{}", things.session), &Value::Null, Some(&ours.text))
        .await;
    assert_eq!((status, &session["title"]), (StatusCode::OK, &json!("ours")), "{session}");
    let (status, _, text) = server
        .with_key(&Method::GET, &format!("/api/v1/files/{}/content", things.file), &Value::Null, Some(&ours.text))
        .await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, "secret of ours"));
}

#[tokio::test]
async fn an_administrator_makes_tenants_and_keys_and_all_of_it_is_in_the_audit_log() {
    let server = Server::with_tenants().await;
    let admin = server.key("local", &[Scope::Admin], None).await;
    let call = async |method: Method, path: &str, body: Value| {
        let (status, answer, text) = server.with_key(&method, path, &body, Some(&admin.text)).await;
        (status.as_u16(), answer, text)
    };
    let (status, tenant, _) =
        call(Method::POST, "/api/v1/admin/tenants", json!({ "name": "acme", "policies": ["strict"] })).await;
    assert_eq!((status, &tenant["policies"]), (201, &json!(["strict"])), "{tenant}");
    for (body, status, word) in [
        (json!({ "name": "acme" }), 409, "already"),
        (json!({ "name": "Acme/.." }), 422, "lower-case"),
        (json!({ "name": "b", "policies": ["strickt"] }), 422, "strickt"),
    ] {
        let refusal = call(Method::POST, "/api/v1/admin/tenants", body).await;
        assert!(refusal.0 == status && refusal.2.contains(word), "{refusal:?}");
    }
    let wanted = json!({ "tenant": "acme", "scopes": ["read", "run"], "label": "ci", "expires_in_days": 30 });
    let (status, made, _) = call(Method::POST, "/api/v1/admin/keys", wanted).await;
    let key = made["key"].as_str().unwrap().to_owned();
    assert!(status == 201 && made["expires_at"].as_str().unwrap() > now().as_str(), "{made}");
    // What the tenant may use is what it sees, and its own policy is the first of them.
    let (_, policies, _) = server.with_key(&Method::GET, "/api/v1/policies", &Value::Null, Some(&key)).await;
    assert_eq!(policies["policies"].as_array().unwrap().len(), 1, "{policies}");
    let (status, run, _) = server.with_key(&Method::POST, "/api/v1/runs", &json!({ "code": "x" }), Some(&key)).await;
    assert_eq!((status.as_u16(), &run["policy"]), (201, &json!("strict")), "{run}");
    let generous = json!({ "code": "x", "policy": "generous" });
    let (status, refusal, _) = server.with_key(&Method::POST, "/api/v1/runs", &generous, Some(&key)).await;
    assert_eq!((status.as_u16(), &refusal["code"]), (422, &json!("unknown_policy")), "{refusal}");
    let id = made["id"].as_str().unwrap();
    assert_eq!(call(Method::DELETE, &format!("/api/v1/admin/keys/{id}"), Value::Null).await.0, 204);
    let (status, ..) = server.with_key(&Method::GET, "/api/v1/files", &Value::Null, Some(&key)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let (_, keys, text) = call(Method::GET, "/api/v1/admin/keys?tenant=acme", Value::Null).await;
    assert!(keys["keys"][0]["revoked_at"].is_string() && keys["keys"][0]["last_used_at"].is_string(), "{keys}");
    let (_, _, log) = call(Method::GET, "/api/v1/admin/audit", Value::Null).await;
    assert!(!text.contains(&key) && !log.contains(&key) && !log.contains(&key[17..]), "a secret is told twice");
    let entries: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found = |actor: &str, action: &str, status: u16| {
        entries.iter().any(|entry| {
            entry["actor"] == actor && entry["action"] == action && entry["status"] == status && entry["at"].is_string()
        })
    };
    assert!(found(&admin.id, "POST /api/v1/admin/tenants", 201), "{log}");
    assert!(found(&admin.id, "POST /api/v1/admin/keys", 201) && found(id, "POST /api/v1/runs", 201), "{log}");
    assert!(found(&admin.id, "DELETE /api/v1/admin/keys/{id}", 204), "{log}");
    assert!(found("nobody", "GET /api/v1/files", 401), "{log}");
    let last = entries.last().unwrap()["number"].as_i64().unwrap();
    let (_, _, rest) = call(Method::GET, &format!("/api/v1/admin/audit?after={last}"), Value::Null).await;
    assert!(rest.lines().count() <= 1, "{rest}");
}

#[tokio::test]
async fn a_server_with_keys_shows_its_page_and_its_health_to_everybody_and_nothing_else() {
    let server = Server::with_tenants().await;
    for path in ["/", "/docs", "/openapi.json", "/healthz", "/readyz"] {
        assert_eq!(server.with_key(&Method::GET, path, &Value::Null, None).await.0, StatusCode::OK, "{path}");
    }
    for path in ["/nowhere", "/api/v1/nothing", "/metrics"] {
        let response = server.send(Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert!(response.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
    }
    // A key in the address would be in logs and histories: it is not looked at.
    let key = server.key("ours", &Scope::ALL, None).await;
    let path = format!("/api/v1/files?key={}&access_token={}", key.text, key.text);
    assert_eq!(server.with_key(&Method::GET, &path, &Value::Null, None).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_shared_link_shows_one_session_and_does_nothing() {
    let server = Server::with_tenants().await;
    let ours = server.key("ours", &Scope::ALL, None).await;
    let place = tempfile::tempdir().unwrap();
    server.state.links.open(place.path(), "http://127.0.0.1:1").unwrap();
    let shown = server.furnish(&ours.text).await;
    let hidden = server.furnish(&ours.text).await;
    let share = format!("/api/v1/sessions/{}/shares", shown.session);
    let label = json!({ "label": "for the board", "expires_in_days": 7 });
    let (status, made, _) = server.with_key(&Method::POST, &share, &label, Some(&ours.text)).await;
    let key = made["key"].as_str().unwrap_or_default().to_owned();
    assert!(status == 201 && made["link"] == format!("#{}&share={key}", shown.session), "{status} {made}");
    let (mut opened, mut closed) = (0, 0);
    for route in super::super::routes() {
        for (method, needs) in &route.needs {
            let what = format!("{method} {}", route.path);
            let (Case::Gone(body) | Case::Unnamed(body) | Case::Own(body)) = match needs {
                Needs::Nothing => continue,
                _ => case(method, route.path, &shown),
            };
            let (status, answer, text) = server.with_key(method, &shown.path(route.path), &body, Some(&key)).await;
            if matches!(needs, Needs::Shared(_)) {
                // The one file is in both sessions.
                assert!(status == 200, "{what}: {status} {text}");
                let (status, _, text) = server.with_key(method, &hidden.path(route.path), &body, Some(&key)).await;
                let theirs = text.contains(&hidden.session) && !hidden.path(route.path).contains(&hidden.session);
                assert!(status == 404 && !theirs, "{what} of another session: {status} {text}");
                opened += 1;
            } else {
                assert_eq!((status, &answer["code"]), (StatusCode::FORBIDDEN, &json!("forbidden")), "{what}: {text}");
                closed += 1;
            }
        }
    }
    assert!(opened == 16 && closed > 40, "{opened} {closed}");
    // An id that is written another way is none of ours.
    let bent = format!("/api/v1/runs/{}", hidden.run.replace('r', "%72"));
    assert_eq!(server.with_key(&Method::GET, &bent, &Value::Null, Some(&key)).await.0, StatusCode::NOT_FOUND);
    let (_, listed, text) = server.with_key(&Method::GET, &share, &Value::Null, Some(&ours.text)).await;
    assert!(listed["shares"][0]["label"] == "for the board" && !text.contains(&key[17..]), "{text}");
    let end = format!("{share}/{}", listed["shares"][0]["id"].as_str().unwrap());
    let other = end.replace(&shown.session, &hidden.session);
    assert_eq!(server.with_key(&Method::DELETE, &other, &Value::Null, Some(&ours.text)).await.0, StatusCode::NOT_FOUND);
    assert_eq!(server.with_key(&Method::DELETE, &end, &Value::Null, Some(&ours.text)).await.0, StatusCode::NO_CONTENT);
    let session = format!("/api/v1/sessions/{}", shown.session);
    assert_eq!(server.with_key(&Method::GET, &session, &Value::Null, Some(&key)).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn links_are_bounded_and_end_with_their_session_or_their_policy() {
    let server = Server::with_tenants().await;
    let ours = server.key("ours", &Scope::ALL, None).await;
    let call = async |method: Method, path: &str, body: Value, key: &str| {
        let (status, answer, text) = server.with_key(&method, path, &body, Some(key)).await;
        (status.as_u16(), answer, text)
    };
    let (_, session, _) = call(Method::POST, "/api/v1/sessions", json!({}), &ours.text).await;
    let session = format!("/api/v1/sessions/{}", session["id"].as_str().unwrap());
    let shares = format!("{session}/shares");
    for (body, word) in [
        (json!({ "expires_in_days": 0 }), "1 to 365"),
        (json!({ "expires_in_days": 366 }), "1 to 365"),
        (json!({ "label": "x".repeat(500) }), "too long"),
        (json!({ "days": 3 }), "days"),
    ] {
        let refusal = call(Method::POST, &shares, body, &ours.text).await;
        assert!(refusal.0 == 422 && refusal.2.contains(word), "{refusal:?}");
    }
    let mut key = String::new();
    for n in 0..=50 {
        let (status, made, text) = call(Method::POST, &shares, Value::Null, &ours.text).await;
        if n == 50 {
            assert!(status == 409 || status == 429 || status == 413 || status == 507, "{status} {text}");
            assert!(made["code"] == "quota" && text.contains("50"), "{text}");
        } else {
            assert_eq!(status, 201, "{text}");
            key = made["key"].as_str().unwrap().to_owned();
        }
    }
    assert_eq!(call(Method::GET, &session, Value::Null, &key).await.0, 200);
    // An administrator sees them, and the tenant's policy may end them all.
    let tenant = Tenant::new("ours").unwrap();
    server.state.storage.change_tenant(&tenant, Some(&["strict".to_owned()]), None).await.unwrap();
    server.state.keys.reload(&server.state.storage).await.unwrap();
    for (path, key) in [(&session, &key), (&shares, &ours.text)] {
        let method = if *path == shares { Method::POST } else { Method::GET };
        let refusal = call(method, path, Value::Null, key).await;
        assert!(refusal.0 == 403 && refusal.2.contains("strict"), "{refusal:?}");
    }
    server.state.storage.change_tenant(&tenant, Some(&[]), None).await.unwrap();
    server.state.keys.reload(&server.state.storage).await.unwrap();
    assert_eq!(call(Method::GET, &session, Value::Null, &key).await.0, 200);
    assert_eq!(call(Method::DELETE, &session, Value::Null, &ours.text).await.0, 204);
    assert_eq!(call(Method::GET, &session, Value::Null, &key).await.0, 401);
    assert_eq!(server.state.storage.keys(Some(&tenant)).await.unwrap().len(), 1, "keys of links outlive their session");
    // Without keys a link could open nothing.
    let alone = Server::with(Config::default()).await;
    let (_, session, _) = alone.with_key(&Method::POST, "/api/v1/sessions", &json!({}), None).await;
    let path = format!("/api/v1/sessions/{}/shares", session["id"].as_str().unwrap());
    let (status, _, text) = alone.with_key(&Method::POST, &path, &Value::Null, None).await;
    assert!(status == 403 && text.contains("auth"), "{text}");
}

#[tokio::test]
async fn a_link_to_a_fork_shows_what_led_to_it_and_nothing_that_came_after() {
    let server = Server::with_tenants().await;
    let ours = server.key("ours", &Scope::ALL, None).await;
    let post = async |path: &str, body: Value| {
        let (status, answer, text) = server.with_key(&Method::POST, path, &body, Some(&ours.text)).await;
        assert!(status.is_success(), "{path}: {text}");
        answer
    };
    let id = |value: &Value| value["id"].as_str().unwrap().to_owned();
    let parent = id(&post("/api/v1/sessions", json!({})).await);
    let runs = format!("/api/v1/sessions/{parent}/runs");
    let first = id(&post(&runs, json!({ "code": "first" })).await);
    let undone = id(&post(&runs, json!({ "code": "undone" })).await);
    post(&format!("/api/v1/sessions/{parent}/checkpoints/1/restore"), json!({})).await;
    let second = id(&post(&runs, json!({ "code": "second" })).await);
    let forks = post(&format!("/api/v1/sessions/{parent}/forks"), json!({ "checkpoint": 3 })).await;
    let fork = id(&forks["sessions"][0]);
    let later = id(&post(&runs, json!({ "code": "later" })).await);
    let own = id(&post(&format!("/api/v1/sessions/{fork}/runs"), json!({ "code": "own" })).await);
    let share = post(&format!("/api/v1/sessions/{fork}/shares"), json!({})).await;
    let key = share["key"].as_str().unwrap();
    let get = async |path: String| {
        let (status, answer, _) = server.with_key(&Method::GET, &path, &Value::Null, Some(key)).await;
        (status.as_u16(), answer)
    };
    let (_, history) = get(format!("/api/v1/sessions/{fork}/history?inherited=true")).await;
    let codes = |turns: &Value| -> Vec<String> {
        turns.as_array().unwrap().iter().map(|turn| turn["run"]["code"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(codes(&history["inherited"]["turns"]), ["first", "second"], "{history}");
    assert_eq!((codes(&history["turns"]), &history["inherited"]["missing"]), (vec!["own".into()], &json!(false)));
    for (run, status) in [(&first, 200), (&second, 200), (&own, 200), (&undone, 404), (&later, 404)] {
        assert_eq!(get(format!("/api/v1/runs/{run}")).await.0, status, "{run}");
    }
    assert_eq!(get(format!("/api/v1/sessions/{parent}")).await.0, 404);
    assert_eq!(get(format!("/api/v1/sessions/{parent}/history")).await.0, 404);
}

#[tokio::test]
async fn a_policy_that_demands_a_layer_of_the_jail_runs_nothing_without_it() {
    let policy = |jail: &str| format!("description = 'x'\njail = {jail}\n");
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("held.toml"), policy("['landlock', 'seccomp', 'limits']")).unwrap();
    std::fs::write(dir.path().join("more.toml"), policy("['landlock', 'namespaces']")).unwrap();
    let server = Server::with_policies(Config::default(), crate::reload::load(Some(dir.path())).unwrap()).await;
    let run = async |policy: &str| {
        let body = json!({ "code": "x", "policy": policy });
        server.with_key(&Method::POST, "/api/v1/runs", &body, None).await
    };
    assert_eq!(run("held").await.0, StatusCode::CREATED);
    let (status, _, text) = run("more").await;
    assert!(status == 500 && text.contains("namespaces") && !text.contains("landlock,"), "{status} {text}");
    let session = json!({ "policy": "more" });
    let (_, session, _) = server.with_key(&Method::POST, "/api/v1/sessions", &session, None).await;
    for (what, body) in [("runs", json!({ "code": "x" })), ("asks", json!({ "question": "why?" }))] {
        let path = format!("/api/v1/sessions/{}/{what}", session["id"].as_str().unwrap());
        assert_eq!(
            server.with_key(&Method::POST, &path, &body, None).await.0,
            StatusCode::INTERNAL_SERVER_ERROR,
            "{what}"
        );
    }
}
