//! A turn over REST, in a server of its own.

use std::time::Instant;

use anyhow::Result;
use glovebox_benches::measure::{self, median, ms};
use glovebox_benches::server::{self, Server};
use glovebox_benches::table::Row;

const NAME: &str = "turn x = 1 over REST";
const TARGET: &str = "3 ms";

pub fn figures(rounds: usize) -> Result<Vec<Row>> {
    if server::binary().is_none() {
        let how = "there is no glovebox binary: `cargo build --release`";
        return Ok(vec![Row::figure(NAME, TARGET, "not measured".into(), "", how)]);
    }
    measure::tokio()?.block_on(async {
        let server = Server::start(&[]).await?;
        let session = server.session().await?;
        server.turn(&session, "import pandas; x = 1").await?;
        let (mut turns, mut wakes, mut forks) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            let at = Instant::now();
            server.turn(&session, "x = 1").await?;
            turns.push(ms(at));
        }
        let few = rounds / 5 + 1;
        for _ in 0..few {
            server.post(&format!("/sessions/{session}/hibernate"), None).await?;
            let at = Instant::now();
            server.turn(&session, "x = 1").await?;
            wakes.push(ms(at));
            let at = Instant::now();
            server.post(&format!("/sessions/{session}/forks"), None).await?;
            forks.push(ms(at));
        }
        let row = |name: &str, target: &str, times: &mut Vec<f64>| {
            let how = format!("one client, saved before the answer; n = {}, load {}", times.len(), measure::load());
            let ours = format!("{:.1} (best {:.1})", median(times), times.first().copied().unwrap_or(0.0));
            Row::figure(name, target, ours, "", &how)
        };
        Ok(vec![
            row(NAME, TARGET, &mut turns),
            row("turn in a hibernated session over REST", "", &mut wakes),
            row("fork over REST", "", &mut forks),
        ])
    })
}
