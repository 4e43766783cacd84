//! A service for two tenants at four fifths of what the machine bears: what it holds stays flat.
//!
//! `cargo xtask soak` is the long form; half a minute of it is in every test run.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use glovebox_tests::{Client, Server};
use serde_json::{Value, json};

use crate::service::descendants;

/// Callers at once.
const CALLERS: usize = 6;
/// Share of the highest rate that is held.
const LOAD: f64 = 0.8;

/// What callers do: its name, how often of a hundred, and how.
type Kind = (&'static str, u64, fn(&Client, u64));

const KINDS: [Kind; 7] = [
    ("pandas", 30, pandas),
    ("file and artifact", 20, file),
    ("session and fork", 12, session),
    ("javascript", 15, javascript),
    ("raises", 10, raises),
    ("memory limit", 3, limit),
    ("question", 10, question),
];

const CSV: &[u8] = b"city,year,sales\nOslo,2024,5\nOslo,2025,7\nBergen,2024,3\nBergen,2025,4\n";

fn ended(run: &Value, kind: &str) {
    assert_eq!(run["outcome"]["ending"]["kind"], kind, "{run}");
}

fn pandas(client: &Client, number: u64) {
    let code = format!("import pandas as pd\nprint(pd.Series(range({number} % 1000 + 1)).sum())");
    let run = client.run(&code);
    let n = number % 1000 + 1;
    assert_eq!(run["outcome"]["stdout"], format!("{}\n", n * (n - 1) / 2), "{run}");
}

fn file(client: &Client, number: u64) {
    let file = client.upload("sales.csv", &[CSV, format!("Voss,{number},1\n").as_bytes()].concat());
    let code = "import pandas as pd\npd.read_csv('sales.csv').groupby('city').sales.sum().to_csv('out.csv')";
    let run = client.post("/api/v1/runs", &json!({ "code": code, "files": [file] })).json(201);
    let artifacts = run["artifacts"].as_array().expect("artifacts");
    let made = artifacts.iter().find(|artifact| artifact["path"] == "out.csv").unwrap_or_else(|| panic!("{run}"));
    let content = client.get(made["url"].as_str().expect("a url")).text();
    assert!(content.contains("Oslo,12"), "{content}");
    assert_eq!(client.send("DELETE", &format!("/api/v1/files/{file}"), |request| request).status, 204);
}

fn session(client: &Client, number: u64) {
    let session = client.session(&[]);
    let turn = |session: &str, code: &str| {
        client.post(&format!("/api/v1/sessions/{session}/runs"), &json!({ "code": code })).json(201)
    };
    turn(&session, &format!("rows = list(range({number} % 5000)); open('kept.txt', 'w').write('x')"));
    let said = turn(&session, "print(len(rows))");
    assert_eq!(said["outcome"]["stdout"], format!("{}\n", number % 5000), "{said}");
    let forks = client.post(&format!("/api/v1/sessions/{session}/forks"), &json!({})).json(201);
    let fork = forks["sessions"][0]["id"].as_str().expect("an id").to_owned();
    let said = turn(&fork, "rows.append(1); print(len(rows), open('kept.txt').read())");
    assert_eq!(said["outcome"]["stdout"], format!("{} x\n", number % 5000 + 1), "{said}");
    for id in [session, fork] {
        assert_eq!(client.send("DELETE", &format!("/api/v1/sessions/{id}"), |request| request).status, 204);
    }
}

fn javascript(client: &Client, number: u64) {
    let body = json!({ "image": "javascript", "code": format!("console.log({number} % 97 * 3)") });
    let run = client.post("/api/v1/runs", &body).json(201);
    assert_eq!(run["outcome"]["stdout"], format!("{}\n", number % 97 * 3), "{run}");
}

fn raises(client: &Client, _: u64) {
    ended(&client.run("{}['missing']"), "raised");
}

fn limit(client: &Client, _: u64) {
    let run = client.run("import ctypes\nkept = []\nwhile True: kept.append(bytearray(64_000_000))");
    let kind = run["outcome"]["ending"]["kind"].as_str().expect("an ending");
    assert!(matches!(kind, "raised" | "out_of_memory"), "{run}");
}

fn question(client: &Client, _: u64) {
    let session = client.session(&[&client.upload("sales.csv", CSV)]);
    let body = json!({ "question": "total sales by city as a bar chart", "wait": true });
    let answer = client.post(&format!("/api/v1/sessions/{session}/asks"), &body).json(201);
    assert!(answer["explanation"].as_str().is_some_and(|text| text.contains("Oslo")), "{answer}");
    assert_eq!(client.send("DELETE", &format!("/api/v1/sessions/{session}"), |request| request).status, 204);
}

fn kind_of(number: u64) -> Kind {
    // Spread by a multiplication that visits all hundred before it repeats one.
    let mut place = number * 37 % 100;
    for kind in KINDS {
        match place.checked_sub(kind.1) {
            None => return kind,
            Some(rest) => place = rest,
        }
    }
    KINDS[0]
}

/// What is looked at every now and then.
fn look(server: &Server) -> BTreeMap<&'static str, u64> {
    let processes: Vec<u32> = std::iter::once(server.pid()).chain(descendants(server.pid())).collect();
    let status = |name: &str| -> u64 {
        let of = |process: &u32| {
            let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::to_owned));
            value.and_then(|value| value.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0)
        };
        processes.iter().map(of).sum()
    };
    let handles = |process: &u32| std::fs::read_dir(format!("/proc/{process}/fd")).map_or(0, Iterator::count) as u64;
    let data = server.data.path();
    let work = |part: &str| -> u64 {
        let tenants = std::fs::read_dir(data.join("work")).into_iter().flatten().filter_map(Result::ok);
        tenants.map(|tenant| entries(&tenant.path().join(part))).sum()
    };
    [
        ("private memory, KiB", status("RssAnon")),
        ("processes", processes.len() as u64),
        ("threads", status("Threads")),
        ("open files", processes.iter().map(handles).sum()),
        ("temporary files", entries(&data.join("tmp")) + work("tmp")),
        ("workspaces", work("workspaces") + work("scratch")),
        ("layers of sessions", work("layers")),
    ]
    .into()
}

fn entries(dir: &Path) -> u64 {
    std::fs::read_dir(dir).map_or(0, Iterator::count) as u64
}

/// What a value may grow by beside a tenth: what differs from one moment to the next anyway.
fn allowance(name: &str) -> u64 {
    match name {
        "private memory, KiB" => 96 << 10,
        "open files" => 48,
        _ => 12,
    }
}

fn median(values: &mut [u64]) -> u64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

/// Callers who work until told to stop, at `pace` a second or as fast as they can; what each kind took, in ms.
fn work(
    clients: &[Arc<Client>],
    number: &Arc<AtomicU64>,
    pace: Option<f64>,
    until: Duration,
    watch: impl FnOnce(&AtomicBool),
) -> BTreeMap<&'static str, Vec<u64>> {
    let (began, stop) = (Instant::now(), Arc::new(AtomicBool::new(false)));
    let (first, took) = (number.load(Ordering::Relaxed), Arc::new(Mutex::new(BTreeMap::<_, Vec<u64>>::new())));
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (client, stop) = (Arc::clone(&clients[caller % clients.len()]), Arc::clone(&stop));
            let (number, took) = (Arc::clone(number), Arc::clone(&took));
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) && began.elapsed() < until {
                    let mine = number.fetch_add(1, Ordering::Relaxed);
                    // When it is due; who comes late has kept somebody waiting.
                    let due = pace
                        .map_or_else(|| began.elapsed(), |pace| Duration::from_secs_f64((mine - first) as f64 / pace));
                    if due >= until {
                        return;
                    }
                    std::thread::sleep(due.saturating_sub(began.elapsed()));
                    let (name, _, work) = kind_of(mine);
                    work(&client, mine);
                    let ms = u64::try_from((began.elapsed() - due).as_millis()).unwrap_or(u64::MAX);
                    took.lock().expect("whole").entry(name).or_default().push(ms);
                }
            })
        })
        .collect();
    watch(&stop);
    for caller in callers {
        caller.join().expect("no answer was wrong");
    }
    Arc::into_inner(took).expect("nobody else has it").into_inner().expect("whole")
}

#[test]
fn a_service_at_four_fifths_of_its_load_stays_flat() {
    let minutes: f64 = std::env::var("GLOVEBOX_TEST_SOAK_MINUTES").map_or(0.5, |text| text.parse().expect("a number"));
    let whole = Duration::from_secs_f64(minutes * 60.0);
    let mut server = Server::start(&[("GLOVEBOX_AUTH", "keys"), ("GLOVEBOX_QUEUE_LIMIT", "1000")]);
    let admin = server.said.lines().find(|line| line.starts_with("gbx_")).expect("the first key").to_owned();
    let admin = Client::with_key(&server.url, &admin);
    let clients: Vec<_> = ["acme", "globex"]
        .map(|tenant| {
            admin.post("/api/v1/admin/tenants", &json!({ "name": tenant })).json(201);
            let wanted = json!({ "tenant": tenant, "scopes": ["read", "run", "ask"] });
            let key = admin.post("/api/v1/admin/keys", &wanted).json(201);
            Arc::new(Client::with_key(&server.url, key["key"].as_str().expect("a key")))
        })
        .into();

    let number = Arc::new(AtomicU64::new(0));
    let trial = whole.mul_f64(0.2).clamp(Duration::from_secs(5), Duration::from_secs(30));
    let began = Instant::now();
    let done: usize = work(&clients, &number, None, trial, |_| ()).values().map(Vec::len).sum();
    let most = done as f64 / began.elapsed().as_secs_f64();
    let pace = most * LOAD;

    let mut looks: Vec<BTreeMap<&str, u64>> = Vec::new();
    let took = work(&clients, &number, Some(pace), whole, |stop| {
        let began = Instant::now();
        while began.elapsed() < whole && !stop.load(Ordering::Relaxed) {
            std::thread::sleep(whole.div_f64(150.0).max(Duration::from_millis(200)));
            looks.push(look(&server));
        }
    });

    println!("{minutes} minutes at {pace:.1} of {most:.1} jobs a second, {} looks", looks.len());
    println!("{:<22}{:>8}{:>10}{:>10}{:>10}", "kind", "jobs", "p50 ms", "p99 ms", "most ms");
    for (kind, mut took) in took {
        took.sort_unstable();
        let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
        println!("{kind:<22}{:>8}{:>10}{:>10}{:>10}", took.len(), at(0.5), at(0.99), at(1.0));
    }
    println!("{:<22}{:>12}{:>12}{:>12}{:>12}", "median of", "1st third", "2nd third", "3rd third", "afterwards");
    let third = looks.len() / 3;
    let idle = {
        std::thread::sleep(Duration::from_secs(1));
        look(&server)
    };
    let mut grown = Vec::new();
    for name in idle.keys() {
        let of = |from: usize| median(&mut looks[from..from + third].iter().map(|look| look[name]).collect::<Vec<_>>());
        let (first, second, last) = (of(0), of(third), of(2 * third));
        println!("{name:<22}{first:>12}{second:>12}{last:>12}{:>12}", idle[name]);
        if last > second + second / 10 + allowance(name) {
            grown.push(format!("{name} grew from {second} to {last}"));
        }
    }
    assert!(grown.is_empty(), "{grown:?}");
    for (what, left) in [("temporary files", 0), ("workspaces", 0), ("layers of sessions", 0)] {
        assert!(idle[what] <= left, "{} {what} were left behind", idle[what]);
    }
    assert!(server.wait(Duration::from_millis(1)).is_none(), "the server ended");
}
