//! Uploads in parts.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use super::{Server, read};

async fn put(server: &Server, id: &str, from: u64, body: Body) -> (StatusCode, Value) {
    let request = Request::put(format!("/api/v1/uploads/{id}?from={from}"));
    read(server.send(request.body(body).unwrap()).await).await
}

async fn begin(server: &Server, size: u64) -> String {
    let (status, made) = server.call("POST", "/api/v1/uploads", json!({"name": "../big.csv", "size": size})).await;
    assert_eq!((status, &made["name"], &made["received"]), (StatusCode::CREATED, &json!("big.csv"), &json!(0)));
    made["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_upload_goes_on_after_what_arrived_before_the_connection_broke() {
    let server = Server::new().await;
    let id = begin(&server, 10).await;
    // Four bytes, then the client is gone.
    let pieces = [Ok("a,b\n"), Err(std::io::Error::other("reset"))];
    let (status, _) = put(&server, &id, 0, Body::from_stream(futures::stream::iter(pieces))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(server.get(&format!("/api/v1/uploads/{id}")).await.1["received"], 4);

    let (status, problem) = put(&server, &id, 0, Body::from("a,b\n")).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("conflict")));
    assert!(problem["detail"].as_str().unwrap().contains("from=4"), "{problem}");

    assert_eq!(put(&server, &id, 4, Body::from("1,2")).await.1["file"], Value::Null);
    let (status, done) = put(&server, &id, 7, Body::from("\n3,")).await;
    assert_eq!(status, StatusCode::OK);
    let (kept, direct) = (&done["file"], server.upload("/api/v1/files", &[("x.csv", b"a,b\n1,2\n3,")]).await.1);
    assert_eq!(kept["sha256"], direct["files"][0]["sha256"]);
    assert_eq!(kept["media_type"], "text/csv");
    // Who missed the answer can ask for it.
    assert_eq!(server.get(&format!("/api/v1/uploads/{id}")).await.1, done);
}

#[tokio::test]
async fn more_bytes_than_announced_are_refused_and_so_is_a_file_above_the_limit() {
    let server = Server::new().await;
    let id = begin(&server, 3).await;
    let (status, problem) = put(&server, &id, 0, Body::from("four")).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    let request = json!({"name": "huge.csv", "size": (1 << 20) + 1});
    let (status, problem) = server.call("POST", "/api/v1/uploads", request).await;
    assert_eq!((status, &problem["code"]), (StatusCode::PAYLOAD_TOO_LARGE, &json!("file_too_large")));
    assert_eq!(put(&server, "upl_none", 0, Body::empty()).await.0, StatusCode::NOT_FOUND);
    let id = begin(&server, 3).await;
    let request = Request::put(format!("/api/v1/uploads/{id}?from=x")).body(Body::empty()).unwrap();
    assert_eq!(read(server.send(request).await).await.0, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn sixteen_uploads_are_under_way_at_most_and_a_deleted_one_makes_room() {
    let server = Server::new().await;
    let mut ids = Vec::new();
    for _ in 0..crate::uploads::UNDER_WAY {
        ids.push(begin(&server, 5).await);
    }
    let request = || json!({"name": "one.csv", "size": 1});
    let (status, problem) = server.call("POST", "/api/v1/uploads", request()).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("quota")));
    let path = format!("/api/v1/uploads/{}", ids[0]);
    let request_delete = Request::delete(&path).body(Body::empty()).unwrap();
    assert_eq!(server.send(request_delete).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(server.get(&path).await.0, StatusCode::NOT_FOUND);
    assert_eq!(server.call("POST", "/api/v1/uploads", request()).await.0, StatusCode::CREATED);
}

#[tokio::test]
async fn an_empty_file_is_complete_at_once() {
    let server = Server::new().await;
    let (status, made) = server.call("POST", "/api/v1/uploads", json!({"name": "empty.txt", "size": 0})).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(made["file"]["size"], 0);
}
