//! Clients that mean no good: slow, many, oversized, from other sites; and the end of a server under load.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use glovebox_tests::{Client, Server};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

fn address(server: &Server) -> SocketAddr {
    server.url.trim_start_matches("http://").parse().expect("an address")
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(address(server)).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
    stream
}

/// Sends bytes and gives all that comes back until the server closes.
fn exchange(server: &Server, bytes: &[u8]) -> String {
    let mut stream = connect(server);
    // The server may have heard enough before it was all sent.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// A connection from another address of this machine.
async fn from(source: Ipv4Addr, to: SocketAddr) -> tokio::net::TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((source, 0).into()).expect("loopback has many addresses");
    socket.connect(to).await.expect("a connection")
}

/// Sends a beginning and then a byte each half second, until the server ends it; gives what it said.
async fn dawdle(source: Ipv4Addr, to: SocketAddr, beginning: &str) -> (String, Duration) {
    let began = Instant::now();
    let mut stream = from(source, to).await;
    let _ = stream.write_all(beginning.as_bytes()).await;
    let (mut said, mut buffer) = (Vec::new(), [0; 1024]);
    while began.elapsed() < Duration::from_secs(60) {
        match tokio::time::timeout(Duration::from_millis(500), stream.read(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => break,
            Ok(Ok(read)) => {
                said.extend_from_slice(&buffer[..read]);
                break;
            }
            Err(_) => drop(stream.write_all(b"x").await),
        }
    }
    (String::from_utf8_lossy(&said).into_owned(), began.elapsed())
}

#[test]
fn slow_clients_are_sent_away_and_nobody_else_notices() {
    let server = Server::start(&[("GLOVEBOX_CLIENT_TIMEOUT_S", "4")]);
    let to = address(&server);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("tokio");
    let mut slow = Vec::new();
    for n in 0..1_000_u32 {
        let beginning = match n % 5 {
            0 => {
                "POST /api/v1/runs HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9000\r\n\r\n{"
            }
            1 => "",
            _ => "GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-slow: ",
        };
        let source = Ipv4Addr::new(127, 0, 0, 2 + (n / 200) as u8);
        slow.push((n % 5 == 0, runtime.spawn(dawdle(source, to, beginning))));
    }
    let client = server.client();
    let mut took = Vec::new();
    for _ in 0..30 {
        let began = Instant::now();
        assert_eq!(client.get("/healthz").status, 200);
        took.push(began.elapsed());
        std::thread::sleep(Duration::from_millis(200));
    }
    took.sort();
    assert!(took[28] < Duration::from_secs(1), "others had to wait: {took:?}");
    for (body, slow) in slow {
        let (said, after) = runtime.block_on(slow).expect("it ends");
        assert!(after < Duration::from_secs(30), "a slow client was kept for {after:?}");
        if body {
            assert!(said.starts_with("HTTP/1.1 408 ") && said.contains("request_timeout"), "{said}");
        }
    }
}

#[test]
fn one_address_takes_its_share_of_connections_and_no_more() {
    let server = Server::start(&[("GLOVEBOX_CONNECTIONS_PER_ADDRESS", "5"), ("GLOVEBOX_CONNECTIONS", "8")]);
    let mut open: Vec<_> = (0..5).map(|_| connect(&server)).collect();
    // Asked once, so that the server has seen them all.
    for stream in &mut open {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("sent");
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).expect("answered");
        assert_eq!(&answer, b"HTTP/1.1 200");
    }
    let get = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let refused = exchange(&server, get);
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("\"code\":\"busy\""), "{refused}");
    assert!(refused.contains("retry-after: 5"), "{refused}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("tokio");
    let answers = runtime.block_on(async {
        let (mut answers, mut kept) = (Vec::new(), Vec::new());
        for n in 0..5_u8 {
            let mut stream = from(Ipv4Addr::new(127, 0, 1, 1 + n), address(&server)).await;
            stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("sent");
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).await.expect("answered");
            answers.push(String::from_utf8_lossy(&answer[9..]).into_owned());
            kept.push(stream);
        }
        answers
    });
    assert_eq!(answers, ["200", "200", "200", "503", "503"], "eight in all");
    drop(open);
    let began = Instant::now();
    while !exchange(&server, get).starts_with("HTTP/1.1 200 ") {
        assert!(began.elapsed() < Duration::from_secs(10), "places are not given back");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_is_too_large_or_too_deep_is_refused_at_once() {
    let server = Server::start(&[]);
    let head = |extra: &str| format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{extra}\r\n");
    let many: String = (0..200).map(|n| format!("x-{n}: y\r\n")).collect();
    let url = format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "a".repeat(1 << 20));
    for (what, request, status) in [
        ("a header of 1 MiB", head(&format!("x-long: {}\r\n", "a".repeat(1 << 20))), "431"),
        ("200 headers", head(&many), "431"),
        ("a path of 1 MiB", url, "4"),
        ("no HTTP", "hello\r\n\r\n".to_owned(), "400"),
    ] {
        let answer = exchange(&server, request.as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{what}: {}", &answer[..answer.len().min(200)]);
    }
    let client = server.client();
    let post = |body: String| {
        client.send("POST", "/api/v1/runs", |request| request.header("content-type", "application/json").body(body))
    };
    let began = Instant::now();
    post("[".repeat(10_000)).problem(422, "invalid_request");
    post(format!("{{\"code\": {}1{}}}", "[".repeat(10_000), "]".repeat(10_000))).problem(422, "invalid_request");
    post(format!("{{\"code\": \"1\", \"x\": {}", "{\"a\":".repeat(10_000))).problem(422, "invalid_request");
    let keys: String = (0..100_000).map(|n| format!("\"k{n}\": 1,")).collect();
    post(format!("{{{keys}\"code\": \"1\"}}")).problem(422, "invalid_request");
    post(format!("{{\"code\": \"{}\"}}", "x".repeat(5 << 20))).problem(413, "body_too_large");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    client.get("/api/v1/files/%ff%fe").problem(422, "invalid_request");
    assert_eq!(client.get("/healthz").status, 200);
}

#[test]
fn only_pages_of_the_listed_origins_may_call() {
    let server = Server::start(&[("GLOVEBOX_CORS_ORIGINS", "https://app.example, http://localhost:3000")]);
    let client = server.client();
    let call = |method: &str, origin: &str, asks: bool| {
        client.send(method, "/api/v1/sessions", |request| {
            let request = request.header("origin", origin);
            if asks {
                return request.header("access-control-request-method", "POST");
            }
            request.header("content-type", "application/json").body(if method == "POST" { "{}" } else { "" })
        })
    };
    for origin in ["https://app.example", "http://localhost:3000"] {
        let answer = call("OPTIONS", origin, true);
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, origin));
        assert!(answer.header("access-control-allow-methods").contains("POST"));
        assert_eq!(call("POST", origin, false).status, 201);
        let answer = call("GET", origin, false);
        assert_eq!((answer.header("access-control-allow-origin"), answer.header("vary")), (origin, "origin"));
        assert_eq!(answer.header("access-control-allow-credentials"), "");
    }
    for origin in [
        "null",
        "https://evil.example",
        "https://app.example.evil.example",
        "https://evilapp.example",
        "http://app.example",
        "https://app.example:444",
        "https://app.example/",
        "*",
    ] {
        call("POST", origin, false).problem(403, "forbidden_origin");
        for answer in [call("OPTIONS", origin, true), call("GET", origin, false)] {
            assert_eq!(answer.header("access-control-allow-origin"), "", "{origin}");
        }
    }
}

#[test]
fn every_answer_has_its_headers_and_an_id() {
    let server = Server::start(&[]);
    let client = server.client();
    for path in [
        "/",
        "/docs",
        "/ui/app.js",
        "/healthz",
        "/metrics",
        "/openapi.json",
        "/api/v1/files",
        "/api/v1/files/file_0",
        "/nothing",
    ] {
        let answer = client.get(path);
        for (name, part) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("content-security-policy", "default-src 'none'"),
            ("content-security-policy", "frame-ancestors 'none'"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("permissions-policy", "camera=()"),
            ("cache-control", "no-"),
        ] {
            assert!(answer.header(name).contains(part), "{path}: {name}: {}", answer.header(name));
        }
        assert_eq!(answer.header("x-request-id").len(), 32, "{path}");
    }
}

#[test]
fn names_of_files_come_back_in_one_harmless_header() {
    let server = Server::start(&[]);
    let client = server.client();
    let nasty = [
        "a\u{202e}gnp.exe",
        "a\"b.csv",
        "a;b=c.csv",
        "%2e%2e%2fetc%2fpasswd",
        "CON",
        "..",
        "a\tb.txt",
        "x'y.csv",
        "ä ö.csv",
        "\u{2066}x\u{2069}.csv",
        "\u{feff}bom.csv",
        "$(id).csv",
        "`id`.csv",
        "a<b>c.html",
        "\u{1f600}.csv",
        "a,b.csv",
        "a%0d%0aX: y.csv",
    ];
    let names = nasty.iter().flat_map(|name| {
        let forms = [
            (*name).to_owned(),
            format!("{name}{name}"),
            format!("dir/{name}"),
            format!("{}{name}", "z".repeat(4_000)),
        ];
        forms.into_iter().chain([format!("..\\{name}")])
    });
    for name in names.collect::<Vec<_>>() {
        let file = client.upload(&name, b"x");
        let kept = client.get(&format!("/api/v1/files/{file}")).json(200)["name"].as_str().expect("a name").to_owned();
        let answer = client.get(&format!("/api/v1/files/{file}/content"));
        assert_eq!(answer.status, 200, "{name:?}");
        let header = answer.header("content-disposition");
        assert!(header.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{name:?}: {header:?}");
        let exact = header.split_once("filename*=UTF-8''").expect("a name for browsers").1;
        assert_eq!(decode(exact), kept, "{name:?}");
        let bad = |c: char| c.is_control() || "/\\\u{202e}\u{2066}\u{2069}\u{feff}".contains(c);
        assert!(!kept.contains(bad) && !kept.starts_with('.') && kept.len() <= 200, "{name:?} is {kept:?}");
    }
}

fn decode(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        bytes.push(u8::from_str_radix(&piece[..2], 16).expect("two hex digits"));
        bytes.extend_from_slice(&piece.as_bytes()[2..]);
    }
    String::from_utf8(bytes).expect("UTF-8")
}

fn terminate(server: &Server) {
    let done = Command::new("kill").args(["-TERM", &server.pid().to_string()]).status();
    assert!(done.expect("kill runs").success());
}

#[test]
fn a_server_that_is_told_to_stop_finishes_what_it_began_and_takes_nothing_new() {
    let mut server = Server::start(&[]);
    let url = server.url.clone();
    let run = std::thread::spawn(move || Client::new(&url).run("import time\ntime.sleep(3)\nprint('finished')"));
    std::thread::sleep(Duration::from_millis(1_500));
    let began = Instant::now();
    terminate(&server);
    std::thread::sleep(Duration::from_millis(800));
    assert!(TcpStream::connect(address(&server)).is_err(), "it still takes connections");
    let run = run.join().expect("it was answered");
    assert_eq!((&run["status"], &run["outcome"]["stdout"]), (&json!("done"), &json!("finished\n")));
    let status = server.wait(Duration::from_secs(30)).expect("it ends");
    assert!(status.success() && began.elapsed() < Duration::from_secs(30), "{status} after {:?}", began.elapsed());
}

#[test]
fn a_second_signal_ends_a_server_at_once() {
    let mut server = Server::start(&[]);
    let client = server.client();
    client.post("/api/v1/runs", &json!({ "code": "import time\ntime.sleep(50)", "wait": false })).json(202);
    terminate(&server);
    std::thread::sleep(Duration::from_millis(500));
    assert!(server.wait(Duration::from_millis(1)).is_none(), "it did not wait for the program");
    terminate(&server);
    assert!(server.wait(Duration::from_secs(2)).is_some(), "it is still there");
}
