//! Spans that the server sends to a collector of OpenTelemetry, read by one.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use glovebox_tests::Server;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::json;

/// A collector: what it was sent, and with which headers.
#[derive(Clone, Default)]
struct Collector {
    spans: Arc<Mutex<Vec<Span>>>,
    heads: Arc<Mutex<String>>,
    bodies: Arc<Mutex<Vec<u8>>>,
}

impl Collector {
    fn start() -> (Collector, String) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/v1/traces", listener.local_addr().expect("an address"));
        let collector = Collector::default();
        let kept = collector.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let collector = collector.clone();
                std::thread::spawn(move || collector.take(stream));
            }
        });
        (kept, url)
    }

    fn take(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream);
        loop {
            let (mut length, mut line) = (0, String::new());
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a length");
                }
                self.heads.lock().expect("whole").push_str(&line);
                line.clear();
            }
            let mut body = vec![0; length];
            if length == 0 || reader.read_exact(&mut body).is_err() {
                return;
            }
            let request = ExportTraceServiceRequest::decode(&body[..]).expect("spans as protobuf");
            let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
            self.spans.lock().expect("whole").extend(scopes.flat_map(|scope| scope.spans));
            self.bodies.lock().expect("whole").extend(body);
            let _ = reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        }
    }

    /// The spans of a trace by their names, when `enough` of them are there.
    fn wait(&self, trace: &[u8], enough: usize) -> BTreeMap<String, Span> {
        let began = Instant::now();
        loop {
            let spans = self.spans.lock().expect("whole").clone();
            let of: BTreeMap<_, _> =
                spans.into_iter().filter(|span| span.trace_id == trace).map(|span| (span.name.clone(), span)).collect();
            if of.len() >= enough || began.elapsed() > Duration::from_secs(15) {
                return of;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn facts(span: &Span) -> BTreeMap<String, String> {
    span.attributes.iter().map(|fact| (fact.key.clone(), format!("{:?}", fact.value))).collect()
}

#[test]
fn the_spans_of_a_request_tell_where_its_time_went_and_nothing_of_what_it_was_about() {
    let (collector, url) = Collector::start();
    let server = Server::start(&[
        ("GLOVEBOX_TRACES_ENDPOINT", &url),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-collector-key=the-key-of-the-collector"),
    ]);
    let client = server.client();
    let caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let trace = [0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c];
    let body = json!({ "code": "open('canary-in-a-name.txt', 'w').write('x'); print('canary-in-a-program')" });
    let run =
        client.send("POST", "/api/v1/runs", |request| request.header("traceparent", caller).json(&body)).json(201);
    let spans = collector.wait(&trace, 5);
    let names: Vec<_> = spans.keys().map(String::as_str).collect();
    assert_eq!(names, ["POST /api/v1/runs", "execute", "keep", "run", "wait for a worker"]);
    let request = &spans["POST /api/v1/runs"];
    assert_eq!(request.parent_span_id, [0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31]);
    assert_eq!(spans["run"].parent_span_id, request.span_id);
    for part in ["wait for a worker", "execute", "keep"] {
        assert_eq!(spans[part].parent_span_id, spans["run"].span_id, "{part}");
        assert!(spans[part].end_time_unix_nano >= spans[part].start_time_unix_nano, "{part}");
    }
    let told = facts(&spans["run"]);
    assert!(told["glovebox.run"].contains(run["id"].as_str().expect("an id")), "{told:?}");
    assert!(told["glovebox.ending"].contains("exited") && told["glovebox.image"].contains("python"), "{told:?}");
    let fuel = run["outcome"]["usage"]["fuel"].as_u64().expect("fuel");
    assert!(told["glovebox.fuel"].contains(&format!("IntValue({fuel})")), "{told:?}");
    assert!(facts(request)["http.response.status_code"].contains("IntValue(201)"));

    // A question, whose caller names no trace, or something that is none.
    let session = client.session(&[&client.upload("canary-in-a-file.csv", b"a,b\n1,2\n")]);
    let asked = json!({ "question": "mean of a, canary-in-a-question", "wait": true });
    let asks = format!("/api/v1/sessions/{session}/asks");
    let reply =
        client.send("POST", &asks, |request| request.header("traceparent", "00-canary-in-a-header-01").json(&asked));
    reply.json(201);
    let began = Instant::now();
    let question = loop {
        let spans = collector.spans.lock().expect("whole").clone();
        let found = spans.iter().find(|span| span.name == "question").cloned();
        if let Some(question) = found {
            break question;
        }
        assert!(began.elapsed() < Duration::from_secs(15), "the question has no span");
        std::thread::sleep(Duration::from_millis(50));
    };
    let parts = collector.wait(&question.trace_id, 5);
    for part in ["model", "execute", "wait for a place"] {
        assert_eq!(parts[part].parent_span_id, question.span_id, "{part}");
    }
    assert!(facts(&parts["model"])["gen_ai.request.model"].contains("builtin"));

    assert!(collector.heads.lock().expect("whole").contains("x-collector-key: the-key-of-the-collector"));
    let sent = String::from_utf8_lossy(&collector.bodies.lock().expect("whole")).into_owned();
    assert!(sent.contains("glovebox") && !sent.contains("canary"), "contents were told");
    // What is left is sent when the server stops.
    let before = collector.spans.lock().expect("whole").len();
    client.get("/api/v1/images");
    let _data = server.kill_softly();
    assert!(collector.spans.lock().expect("whole").len() > before, "the last spans were lost");
}

#[test]
fn a_collector_that_is_away_or_never_answers_costs_no_run_and_holds_no_stop() {
    // It takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent_url = format!("http://{}/v1/traces", silent.local_addr().expect("an address"));
    for url in ["http://127.0.0.1:9/v1/traces", &silent_url] {
        let server = Server::start(&[("GLOVEBOX_TRACES_ENDPOINT", url)]);
        let client = server.client();
        for n in 0..30 {
            assert_eq!(client.run(&format!("print({n})"))["outcome"]["stdout"], format!("{n}\n"));
        }
        let began = Instant::now();
        let _data = server.kill_softly();
        assert!(began.elapsed() < Duration::from_secs(20), "{url} held it up for {:?}", began.elapsed());
    }
}
