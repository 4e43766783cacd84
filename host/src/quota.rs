//! Quotas: what a tenant may use, reserved before a run and settled after it, and what each used by day.
//!
//! A reservation holds what a run may use at most: its fuel, a question's tokens and money. Where less is left than that,
//! the run gets what is left as its own limit, so that the sum is never exceeded. Memory over time is known only afterwards;
//! a tenant who has used up its day begins nothing new.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use glovebox_runtime::{Ending, Limits, Outcome, Quota};

use crate::engine::{Effort, TokenUsage};
use crate::error::{Code, Error, Result};
use crate::storage::{Storage, UsageRecord, now};
use crate::tenants::Tenant;

/// How long what was used is gathered before it is written.
const GATHER: Duration = Duration::from_millis(500);
const MINUTE: Duration = Duration::from_secs(60);
/// Microdollars of a cent.
const CENT: u64 = 10_000;

/// What tenants use.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<Mutex<Books>>);

#[derive(Debug, Default)]
struct Books {
    by_tenant: HashMap<Tenant, Book>,
    awaited: bool,
}

/// What one tenant uses.
#[derive(Debug, Default)]
struct Book {
    running: u64,
    /// When runs of the last minute began.
    began: VecDeque<Instant>,
    /// What was used today, what is not written yet included.
    today: UsageRecord,
    /// What is not written yet.
    unwritten: UsageRecord,
    reserved: Reserved,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Reserved {
    fuel: u64,
    tokens: u64,
    micro_usd: u64,
}

/// A run or a question that may begin. Dropped without being settled it has used nothing.
#[derive(Debug)]
pub struct Admission {
    meter: Meter,
    storage: Storage,
    tenant: Tenant,
    reserved: Reserved,
    began: Instant,
}

impl Meter {
    /// Lets a run begin, and makes its fuel at most what is left.
    ///
    /// # Errors
    ///
    /// `quota_exhausted`, with the quota's name and when to come back; the database failed.
    pub async fn run(
        &self,
        storage: &Storage,
        tenant: &Tenant,
        quota: &Quota,
        limits: &mut Limits,
    ) -> Result<Admission> {
        self.open(storage, tenant).await?;
        self.storage(storage, tenant, quota).await?;
        let mut books = self.books();
        let book = books.by_tenant.entry(tenant.clone()).or_default();
        let reserved = book.begin(quota).and_then(|()| book.fuel(quota, limits)).map(|fuel| {
            book.today.runs += 1;
            book.unwritten.runs += 1;
            Reserved { fuel, ..Reserved::default() }
        });
        self.admit(books, storage, tenant, reserved)
    }

    /// Lets a question begin, and makes its programs' fuel, tokens and money at most what is left.
    ///
    /// # Errors
    ///
    /// As [`Self::run`].
    pub async fn ask(
        &self,
        storage: &Storage,
        tenant: &Tenant,
        quota: &Quota,
        (limits, effort): (&mut Limits, &mut Effort),
    ) -> Result<Admission> {
        self.open(storage, tenant).await?;
        self.storage(storage, tenant, quota).await?;
        let mut books = self.books();
        let book = books.by_tenant.entry(tenant.clone()).or_default();
        let reserved = book.begin(quota).and_then(|()| {
            let fuel = book.fuel(quota, limits)?;
            let used = book.today.model_tokens.unsigned_abs() + book.reserved.tokens;
            let tokens = left("model_tokens_per_day", quota.model_tokens_per_day, used, effort.max_tokens)?;
            let used = book.today.model_micro_usd.unsigned_abs() + book.reserved.micro_usd;
            let money = quota.model_cents_per_day.map(|cents| cents.saturating_mul(CENT));
            let micro_usd = left("model_cents_per_day", money, used, effort.max_cost_micro_usd)?;
            (effort.max_tokens, effort.max_cost_micro_usd) = (tokens, micro_usd);
            book.today.asks += 1;
            book.unwritten.asks += 1;
            Ok(Reserved { fuel, tokens, micro_usd })
        });
        self.admit(books, storage, tenant, reserved)
    }

    /// Refuses who keeps more than they may.
    ///
    /// # Errors
    ///
    /// As [`Self::run`].
    pub async fn storage(&self, storage: &Storage, tenant: &Tenant, quota: &Quota) -> Result<()> {
        let Some(most) = quota.storage_mib else { return Ok(()) };
        let used = storage.stored_bytes(tenant).await?;
        if used < most.saturating_mul(1 << 20) {
            return Ok(());
        }
        let detail = format!("quota storage_mib: {} of {most} MiB are in use; delete files or sessions", used >> 20);
        let mut books = self.books();
        books.by_tenant.entry(tenant.clone()).or_default().refuse();
        self.later(books, storage);
        Err(Error::new(Code::QuotaExhausted, detail).retry_after(3600))
    }

    /// What a tenant used today, what is under way not included.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn today(&self, storage: &Storage, tenant: &Tenant) -> Result<UsageRecord> {
        self.open(storage, tenant).await?;
        Ok(self.books().by_tenant.get(tenant).map(|book| book.today.clone()).unwrap_or_default())
    }

    /// Counts fuel that was used without a reservation, by an evaluation. Whether there is any left.
    #[must_use]
    pub fn used(&self, storage: &Storage, tenant: &Tenant, quota: &Quota, fuel: u64) -> bool {
        let mut books = self.books();
        let book = books.by_tenant.entry(tenant.clone()).or_default();
        book.add(|record| record.fuel = record.fuel.saturating_add_unsigned(fuel));
        let left = quota.fuel_per_day.is_none_or(|most| book.today.fuel.unsigned_abs() < most);
        self.later(books, storage);
        left
    }

    /// Writes what was used. What cannot be written waits on.
    pub async fn flush(&self, storage: &Storage) {
        let records: Vec<_> = {
            let mut books = self.books();
            books.awaited = false;
            let day = day();
            let named = books.by_tenant.iter_mut().map(|(tenant, book)| {
                let record = std::mem::take(&mut book.unwritten);
                let day = if book.today.day.is_empty() { day.clone() } else { book.today.day.clone() };
                UsageRecord { tenant: tenant.to_string(), day, ..record }
            });
            named.filter(|record| *record != of(&record.tenant, &record.day)).collect()
        };
        if records.is_empty() {
            return;
        }
        if let Err(error) = storage.add_usage(&records).await {
            tracing::error!(detail = error.detail, cause = ?error.cause, "failed to write what was used; trying again");
            let mut books = self.books();
            for record in records {
                if let Some(book) = Tenant::new(&record.tenant).and_then(|tenant| books.by_tenant.get_mut(&tenant)) {
                    sum(&mut book.unwritten, &record);
                }
            }
        }
    }

    /// Reads what a tenant used today, at its first request of the day.
    async fn open(&self, storage: &Storage, tenant: &Tenant) -> Result<()> {
        let day = day();
        if self.books().by_tenant.get(tenant).is_some_and(|book| book.today.day == day) {
            return Ok(());
        }
        self.flush(storage).await;
        let used = storage.usage_of_day(tenant, &day).await?;
        let mut books = self.books();
        let book = books.by_tenant.entry(tenant.clone()).or_default();
        if book.today.day != day {
            book.today = used;
            // What came while the database was asked.
            let meanwhile = book.unwritten.clone();
            sum(&mut book.today, &meanwhile);
        }
        Ok(())
    }

    fn admit(
        &self,
        mut books: MutexGuard<'_, Books>,
        storage: &Storage,
        tenant: &Tenant,
        reserved: Result<Reserved>,
    ) -> Result<Admission> {
        let Some(book) = books.by_tenant.get_mut(tenant) else { unreachable!("it was just looked at") };
        let admission = match reserved {
            Ok(reserved) => {
                book.running += 1;
                book.began.push_back(Instant::now());
                book.reserved.fuel += reserved.fuel;
                book.reserved.tokens += reserved.tokens;
                book.reserved.micro_usd += reserved.micro_usd;
                let (meter, storage, tenant) = (self.clone(), storage.clone(), tenant.clone());
                Ok(Admission { meter, storage, tenant, reserved, began: Instant::now() })
            }
            Err(error) => {
                book.refuse();
                Err(error)
            }
        };
        self.later(books, storage);
        admission
    }

    /// Sees to it that what was used is written.
    fn later(&self, mut books: MutexGuard<'_, Books>, storage: &Storage) {
        if std::mem::replace(&mut books.awaited, true) || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        drop(books);
        let (meter, storage) = (self.clone(), storage.clone());
        tokio::spawn(async move {
            tokio::time::sleep(GATHER).await;
            meter.flush(&storage).await;
        });
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn begin(&mut self, quota: &Quota) -> Result<()> {
        let exhausted = |detail: String, seconds| Err(Error::new(Code::QuotaExhausted, detail).retry_after(seconds));
        if let Some(most) = quota.concurrent_runs
            && self.running >= most
        {
            let detail = format!("quota concurrent_runs: {most} are under way or waiting; come back when one is over");
            return exhausted(detail, 1);
        }
        while self.began.front().is_some_and(|began| began.elapsed() >= MINUTE) {
            self.began.pop_front();
        }
        if let Some(most) = quota.runs_per_minute
            && self.began.len() as u64 >= most
        {
            let wait = self.began.front().map_or(MINUTE, |began| MINUTE.saturating_sub(began.elapsed()));
            return exhausted(format!("quota runs_per_minute: {most} began within a minute"), wait.as_secs() + 1);
        }
        if let Some(most) = quota.memory_mib_s_per_day
            && self.today.memory_mib_ms.unsigned_abs() / 1000 >= most
        {
            return exhausted(format!("quota memory_mib_s_per_day: all {most} of today are used"), until_tomorrow());
        }
        Ok(())
    }

    fn fuel(&self, quota: &Quota, limits: &mut Limits) -> Result<u64> {
        let used = self.today.fuel.unsigned_abs() + self.reserved.fuel;
        limits.fuel = left("fuel_per_day", quota.fuel_per_day, used, limits.fuel)?;
        Ok(limits.fuel)
    }

    fn refuse(&mut self) {
        self.add(|record| record.refused += 1);
    }

    fn add(&mut self, change: impl Fn(&mut UsageRecord)) {
        change(&mut self.today);
        change(&mut self.unwritten);
    }
}

impl Admission {
    /// The run is over. One that was stopped from outside is counted with all that it had reserved, since nobody measured it.
    pub fn settle(self, outcome: Option<&Outcome>) {
        let fuel = outcome.map_or(0, |outcome| {
            let unknown = outcome.usage.fuel == 0 && matches!(outcome.ending, Ending::OutOfTime { .. });
            if unknown { self.reserved.fuel } else { outcome.usage.fuel }
        });
        let memory = outcome.map_or(0, |outcome| outcome.usage.memory_peak_bytes);
        self.settled(fuel, memory, TokenUsage::default());
    }

    /// The question is over; its programs used so much fuel, and so much memory at once.
    pub fn settle_ask(self, outcome: Option<&Outcome>, usage: TokenUsage) {
        let fuel = outcome.map_or(0, |outcome| outcome.usage.fuel);
        let memory = outcome.map_or(0, |outcome| outcome.usage.memory_peak_bytes);
        self.settled(fuel, memory, usage);
    }

    /// Several runs under one reservation are over.
    pub fn settle_all(self, outcomes: &[Outcome]) {
        let fuel = outcomes.iter().fold(0, |sum: u64, outcome| sum.saturating_add(outcome.usage.fuel));
        let memory = outcomes.iter().map(|outcome| outcome.usage.memory_peak_bytes).max().unwrap_or(0);
        self.settled(fuel, memory, TokenUsage::default());
    }

    fn settled(self, fuel: u64, memory_bytes: u64, tokens: TokenUsage) {
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let memory = memory_bytes.div_ceil(1 << 20).saturating_mul(ms);
        let mut books = self.meter.books();
        let book = books.by_tenant.entry(self.tenant.clone()).or_default();
        book.add(|record| {
            record.fuel = record.fuel.saturating_add_unsigned(fuel);
            record.memory_mib_ms = record.memory_mib_ms.saturating_add_unsigned(memory);
            record.model_tokens =
                record.model_tokens.saturating_add_unsigned(tokens.input_tokens + tokens.output_tokens);
            record.model_micro_usd = record.model_micro_usd.saturating_add_unsigned(tokens.cost_micro_usd);
        });
        self.meter.later(books, &self.storage);
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut books = self.meter.books();
        let book = books.by_tenant.entry(self.tenant.clone()).or_default();
        book.running = book.running.saturating_sub(1);
        book.reserved.fuel = book.reserved.fuel.saturating_sub(self.reserved.fuel);
        book.reserved.tokens = book.reserved.tokens.saturating_sub(self.reserved.tokens);
        book.reserved.micro_usd = book.reserved.micro_usd.saturating_sub(self.reserved.micro_usd);
    }
}

/// What may be reserved of a quota of the day, at most `wanted`.
fn left(name: &str, quota: Option<u64>, used: u64, wanted: u64) -> Result<u64> {
    let Some(quota) = quota else { return Ok(wanted) };
    match quota.saturating_sub(used) {
        0 => {
            let detail = format!("quota {name}: all of today is used or reserved; it begins anew at midnight UTC");
            Err(Error::new(Code::QuotaExhausted, detail).retry_after(until_tomorrow()))
        }
        left => Ok(left.min(wanted)),
    }
}

fn sum(into: &mut UsageRecord, more: &UsageRecord) {
    into.runs += more.runs;
    into.asks += more.asks;
    into.fuel = into.fuel.saturating_add(more.fuel);
    into.memory_mib_ms = into.memory_mib_ms.saturating_add(more.memory_mib_ms);
    into.model_tokens += more.model_tokens;
    into.model_micro_usd += more.model_micro_usd;
    into.refused += more.refused;
}

fn of(tenant: &str, day: &str) -> UsageRecord {
    UsageRecord { tenant: tenant.into(), day: day.into(), ..UsageRecord::default() }
}

fn day() -> String {
    now()[..10].to_owned()
}

/// Seconds until the next day in UTC.
fn until_tomorrow() -> u64 {
    const DAY: i64 = 86_400;
    (DAY - jiff::Timestamp::now().as_second().rem_euclid(DAY)).unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refused(meter: &Meter, storage: &Storage, quota: &Quota) -> String {
        let error = meter.run(storage, &Tenant::local(), quota, &mut Limits::default()).await.unwrap_err();
        assert!(error.code == Code::QuotaExhausted && error.retry_after_s.is_some(), "{error:?}");
        error.detail
    }

    fn used(fuel: u64) -> Outcome {
        let mut outcome: Outcome = crate::api::tests::outcome(Ending::Exited { code: 0 }, String::new(), String::new());
        outcome.usage.fuel = fuel;
        outcome.usage.memory_peak_bytes = 100 << 20;
        outcome
    }

    #[tokio::test]
    async fn runs_at_once_and_by_minute_are_counted() {
        let (_dir, storage) = crate::storage::tests::open().await;
        let (meter, local) = (Meter::default(), Tenant::local());
        let quota = Quota { concurrent_runs: Some(2), runs_per_minute: Some(3), ..Quota::default() };
        let run = async || meter.run(&storage, &local, &quota, &mut Limits::default()).await;
        let (first, second) = (run().await.unwrap(), run().await.unwrap());
        assert!(refused(&meter, &storage, &quota).await.contains("concurrent_runs"));
        let others = Tenant::new("others").unwrap();
        assert!(meter.run(&storage, &others, &quota, &mut Limits::default()).await.is_ok(), "each has its own");
        drop(first);
        second.settle(Some(&used(5)));
        drop(run().await.unwrap());
        assert!(refused(&meter, &storage, &quota).await.contains("runs_per_minute"));
        let today = meter.today(&storage, &local).await.unwrap();
        assert_eq!((today.runs, today.refused, today.fuel), (3, 2, 5));
    }

    #[tokio::test]
    async fn fuel_is_reserved_never_exceeded_and_survives_a_restart() {
        let (_dir, storage) = crate::storage::tests::open().await;
        let (meter, local) = (Meter::default(), Tenant::local());
        let quota = Quota { fuel_per_day: Some(1000), ..Quota::default() };
        let run = async |meter: &Meter, wanted: u64| {
            let mut limits = Limits { fuel: wanted, ..Limits::default() };
            meter.run(&storage, &local, &quota, &mut limits).await.map(|admission| (admission, limits.fuel))
        };
        let (first, granted) = run(&meter, 700).await.unwrap();
        assert_eq!(granted, 700);
        let (second, granted) = run(&meter, 700).await.unwrap();
        assert_eq!(granted, 300, "what is left is its limit");
        assert!(refused(&meter, &storage, &quota).await.contains("fuel_per_day"));
        first.settle(Some(&used(100)));
        second.settle(Some(&used(300)));
        let (third, granted) = run(&meter, 10_000).await.unwrap();
        assert_eq!(granted, 600, "what was not used is back");
        third.settle(Some(&Outcome { ending: Ending::OutOfTime { clock: glovebox_runtime::Clock::Wall }, ..used(0) }));
        assert!(
            refused(&meter, &storage, &quota).await.contains("fuel_per_day"),
            "nobody measured it: all of it counts"
        );
        meter.flush(&storage).await;
        assert!(refused(&Meter::default(), &storage, &quota).await.contains("fuel_per_day"));
        let rows = storage.usage(None).await.unwrap();
        assert_eq!((rows.len(), rows[0].fuel, rows[0].runs), (1, 1000, 3));
        assert!(rows[0].memory_mib_ms >= 0);
    }

    #[tokio::test]
    async fn tokens_and_money_of_a_question_are_reserved() {
        let (_dir, storage) = crate::storage::tests::open().await;
        let (meter, local) = (Meter::default(), Tenant::local());
        let quota = Quota { model_tokens_per_day: Some(500), model_cents_per_day: Some(1), ..Quota::default() };
        let ask = async || {
            let (mut limits, mut effort) = (Limits::default(), Effort { max_tokens: 400, ..Effort::default() });
            let admission = meter.ask(&storage, &local, &quota, (&mut limits, &mut effort)).await;
            admission.map(|admission| (admission, effort))
        };
        let (first, effort) = ask().await.unwrap();
        assert_eq!((effort.max_tokens, effort.max_cost_micro_usd), (400, 10_000));
        assert!(ask().await.unwrap_err().detail.contains("model_cents_per_day"));
        first.settle_ask(None, TokenUsage { input_tokens: 300, output_tokens: 50, calls: 1, cost_micro_usd: 4_000 });
        let (_second, effort) = ask().await.unwrap();
        assert_eq!((effort.max_tokens, effort.max_cost_micro_usd), (150, 6_000));
    }

    #[tokio::test]
    async fn many_at_once_reserve_no_more_than_there_is() {
        let (_dir, storage) = crate::storage::tests::open().await;
        let meter = Meter::default();
        let quota = Quota { fuel_per_day: Some(1000), ..Quota::default() };
        let tasks = (0..64).map(|_| {
            let (meter, storage, quota) = (meter.clone(), storage.clone(), quota.clone());
            tokio::spawn(async move {
                let mut limits = Limits { fuel: 30, ..Limits::default() };
                let admission = meter.run(&storage, &Tenant::local(), &quota, &mut limits).await.ok()?;
                Some((admission, limits.fuel))
            })
        });
        let held: Vec<_> =
            futures::future::join_all(tasks).await.into_iter().filter_map(|task| task.unwrap()).collect();
        assert_eq!(held.iter().map(|(_, fuel)| fuel).sum::<u64>(), 1000);
    }
}
