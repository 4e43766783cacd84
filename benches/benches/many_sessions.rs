//! Many sessions in one server, some asleep and some live, all of which must answer: `cargo xtask bench many-sessions`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Result, bail};
use glovebox_benches::measure::{self, median, ms, quantile};
use glovebox_benches::server::Server;
use glovebox_benches::table::{Options, Row, print};
use tokio::task::JoinSet;

fn main() -> Result<()> {
    let options = Options::read();
    let (asleep, live) = (options.number("--asleep", 2000), options.number("--live", 500));
    let clients = options.number("--clients", 4);
    let rows = measure::tokio()?.block_on(measure_all(asleep, live, clients))?;
    let about =
        format!("{asleep} sessions asleep and {live} live, {clients} clients; load {} at the end", measure::load());
    print(&options, &about, &rows);
    Ok(())
}

async fn measure_all(asleep: usize, live: usize, clients: usize) -> Result<Vec<Row>> {
    // Nobody falls asleep or is put to sleep but by our call.
    let settings = [("session_idle_s", "86400".to_owned()), ("live_sessions", (live + 64).to_string())];
    let server = Arc::new(Server::start(&settings).await?);
    let mut rows = Vec::new();
    let empty = private_mib(&server);

    eprintln!("making {asleep} sessions and putting them to sleep");
    let at = Instant::now();
    let made = each(&server, vec![String::new(); asleep], clients, |server, index, _| async move {
        let session = begin(&server, index).await?;
        server.post(&format!("/sessions/{session}/hibernate"), None).await?;
        Ok(session)
    });
    let (sleepers, mut times) = made.await?;
    rows.push(row("made, one turn taken, put to sleep", &mut times, at));
    let disk = disk_mib(server.data());
    rows.push(told("on disk for each that sleeps", format!("{:.2} MiB", disk / asleep.max(1) as f64)));
    rows.push(told("private memory of server and workers then", format!("{:.0} MiB", private_mib(&server))));

    eprintln!("making {live} live sessions");
    let before = private_mib(&server);
    let at = Instant::now();
    let made = each(&server, vec![String::new(); live], clients, |server, index, _| async move {
        begin(&server, index + 1_000_000).await
    });
    let (awake, mut times) = made.await?;
    rows.push(row("made, one turn taken, kept live", &mut times, at));
    let states = states(&server).await?;
    let each_live = (private_mib(&server) - before) / live.max(1) as f64;
    rows.push(told("private memory for each live one", format!("{each_live:.2} MiB")));
    rows.push(told("states as the server tells them", states));

    eprintln!("asking all of them");
    for (name, sessions, first) in [("live ones answered", awake, 1_000_000), ("sleeping ones answered", sleepers, 0)] {
        let at = Instant::now();
        let asked = each(&server, sessions, clients, move |server, index, session| async move {
            let said = server.turn(&session, "x += 1; print(x)").await?;
            if said.trim() != (first + index + 1).to_string() {
                bail!("{session} answered {said:?} instead of {}", first + index + 1);
            }
            Ok(session)
        });
        let (_, mut times) = asked.await?;
        rows.push(row(name, &mut times, at));
    }
    rows.push(told("private memory before and after", format!("{empty:.0} and {:.0} MiB", private_mib(&server))));
    Ok(rows)
}

/// A session in which `x` has a value of its own.
async fn begin(server: &Server, index: usize) -> Result<String> {
    let session = server.session().await?;
    server.turn(&session, &format!("import pandas; x = {index}")).await?;
    Ok(session)
}

/// Does something for each session, as many at once as there are clients. Returns results in order, and milliseconds.
async fn each<F, T>(
    server: &Arc<Server>,
    sessions: Vec<String>,
    clients: usize,
    task: F,
) -> Result<(Vec<String>, Vec<f64>)>
where
    F: Fn(Arc<Server>, usize, String) -> T + Clone + Send + Sync + 'static,
    T: Future<Output = Result<String>> + Send,
{
    let (next, sessions) = (Arc::new(AtomicUsize::new(0)), Arc::new(sessions));
    let mut tasks = JoinSet::new();
    for _ in 0..clients.max(1) {
        let (server, next, sessions, task) = (server.clone(), next.clone(), sessions.clone(), task.clone());
        tasks.spawn(async move {
            let mut done = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(session) = sessions.get(index) else { return anyhow::Ok(done) };
                let at = Instant::now();
                let result = task(server.clone(), index, session.clone()).await?;
                done.push((index, result, ms(at)));
            }
        });
    }
    let mut all = Vec::new();
    while let Some(done) = tasks.join_next().await {
        all.extend(done??);
    }
    all.sort_by_key(|(index, ..)| *index);
    Ok(all.into_iter().map(|(_, result, time)| (result, time)).unzip())
}

async fn states(server: &Server) -> Result<String> {
    let list = server.get("/sessions").await?;
    let sessions = list["sessions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let count = |state: &str| sessions.iter().filter(|session| session["state"] == state).count();
    Ok(format!("{} live, {} asleep", count("live"), count("asleep")))
}

fn row(name: &str, times: &mut [f64], since: Instant) -> Row {
    let figure =
        format!("p50 {:.1} ms, p99 {:.1} ms, {:.1} s in all", median(times), quantile(times, 0.99), ms(since) / 1e3);
    told(&format!("{} {name}", times.len()), figure)
}

fn told(name: &str, figure: String) -> Row {
    let mut row = Row::new(name);
    row.put("here", figure);
    row
}

/// Private dirty memory of the server and its workers.
fn private_mib(server: &Server) -> f64 {
    let of = |id: u32| {
        let text = std::fs::read_to_string(format!("/proc/{id}/smaps_rollup")).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("Private_Dirty:")).unwrap_or_default();
        line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0)
    };
    server.processes().into_iter().map(of).sum::<f64>() / 1024.0
}

/// What a directory takes up.
fn disk_mib(dir: &std::path::Path) -> f64 {
    use std::os::unix::fs::MetadataExt;
    let mut blocks = 0;
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => open.push(entry.path()),
                Ok(metadata) => blocks += metadata.blocks(),
                Err(_) => {}
            }
        }
    }
    blocks as f64 / 2048.0
}
