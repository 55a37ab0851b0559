//! The thread that sends spans to the collector, batch by batch, and the value that workers and the end of
//! the process share with it.
//!
//! A batch that a collector does not take for now is sent again, after pauses that grow, for a minute; the
//! queue fills up meanwhile, and what finds no room is dropped. Every span that was recorded ends up as
//! exported or as dropped, and is counted as such.

mod client;
mod connection;
mod failure;
mod retry_info;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until};

use crate::lock::lock;

use super::ids::TraceId;
use super::otlp::{self, Partial};
use super::queue::{Batch, Queue};
use super::settings::TraceSettings;

use client::Client;
use failure::Failure;

/// How long a collector may take for a batch (the default of OTLP's exporters).
const TIMEOUT: Duration = Duration::from_secs(10);
/// The first pause before a batch is sent again; each one after it is twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long a batch is tried for. Younger spans wait behind it.
const GIVE_UP: Duration = Duration::from_mins(1);

/// What all threads share of the traces of this process.
#[derive(Debug)]
pub struct Traces {
    /// Absent: there are none.
    settings: watch::Sender<Option<Arc<TraceSettings>>>,
    queue: Queue,
    sampled: AtomicU64,
    exported: AtomicU64,
    dropped: Arc<AtomicU64>,
    /// When the last of these was.
    last_dropped: Mutex<Option<Instant>>,
    /// Tells this process from others of the same name.
    instance: String,
    /// Until when the last spans may be sent, once it ends.
    end: watch::Sender<Option<Instant>>,
    /// Whether there is something that exports.
    runs: (Mutex<bool>, Condvar),
}

impl Traces {
    /// None yet; `dropped` counts the spans that are lost.
    pub fn new(dropped: Arc<AtomicU64>) -> Self {
        Self {
            settings: watch::Sender::new(None),
            queue: Queue::default(),
            sampled: AtomicU64::new(0),
            exported: AtomicU64::new(0),
            dropped,
            last_dropped: Mutex::default(),
            instance: TraceId::random().to_string(),
            end: watch::Sender::new(None),
            runs: (Mutex::new(false), Condvar::new()),
        }
    }

    /// Goes by these settings from now on.
    pub fn apply(&self, settings: Option<&Arc<TraceSettings>>) {
        self.settings.send_replace(settings.cloned());
    }

    /// Takes so many encoded spans, or drops them where there is no room. Never waits.
    pub fn record(&self, spans: usize, bytes: &[u8]) {
        count(&self.sampled, spans);
        if !self.queue.offer(spans, bytes) {
            self.drop_spans(spans);
        }
    }

    fn drop_spans(&self, spans: usize) {
        if spans > 0 {
            count(&self.dropped, spans);
            *lock(&self.last_dropped) = Some(Instant::now());
        }
    }

    /// Whether spans were dropped within so much time.
    pub fn drops_within(&self, time: Duration, now: Instant) -> bool {
        let last = *lock(&self.last_dropped);
        last.is_some_and(|last| now.saturating_duration_since(last) < time)
    }

    /// How many spans were recorded.
    pub fn sampled(&self) -> u64 {
        self.sampled.load(Relaxed)
    }

    /// How many of them the collector has taken.
    pub fn exported(&self) -> u64 {
        self.exported.load(Relaxed)
    }

    /// How many of them are lost: there was no room, or no collector that took them.
    fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// Sends the last spans, for no longer than that; what is left then is dropped.
    pub fn finish(&self, patience: Duration) {
        self.end.send_replace(Some(Instant::now() + patience));
        let (runs, changed) = &self.runs;
        let runs = lock(runs);
        // The thread itself ends in time, save when the system lets it wait.
        let waited = changed.wait_timeout_while(runs, patience * 2, |runs| *runs);
        drop(waited);
    }

    /// What a thread is to export with; from now on [`Traces::finish`] waits for it.
    pub fn exporter(self: &Arc<Self>) -> Exporter {
        self.note_running(true);
        Exporter(Arc::clone(self))
    }

    fn note_running(&self, running: bool) {
        let (runs, changed) = &self.runs;
        *lock(runs) = running;
        changed.notify_all();
    }
}

/// The work of the thread that exports. It is made before that thread is, so that the end of the process
/// waits for it also when the thread has had no time to begin.
#[derive(Debug)]
pub struct Exporter(Arc<Traces>);

impl Exporter {
    /// Exports on the calling thread, until [`Traces::finish`] is called.
    ///
    /// # Errors
    /// When the system refuses a runtime.
    pub fn run(self) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let traces = &self.0;
        runtime.block_on(Export::new(traces).run());
        if traces.sampled() > 0 {
            let (exported, dropped) = (traces.exported(), traces.dropped());
            tracing::info!(exported, dropped, "the last spans have been sent");
        }
        drop(self);
        // Looking up a name may take long, and is not to be waited for.
        runtime.shutdown_background();
        Ok(())
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.0.note_running(false);
    }
}

/// The loop of it.
struct Export<'t> {
    traces: &'t Traces,
    settings: watch::Receiver<Option<Arc<TraceSettings>>>,
    end: watch::Receiver<Option<Instant>>,
    client: Option<Client>,
    /// How many spans had been dropped when the collector was lost.
    lost: Option<u64>,
    /// The collector has said that it does not take all.
    complained: bool,
}

impl<'t> Export<'t> {
    fn new(traces: &'t Traces) -> Self {
        Self {
            traces,
            settings: traces.settings.subscribe(),
            end: traces.end.subscribe(),
            client: None,
            lost: None,
            complained: false,
        }
    }

    async fn run(mut self) {
        loop {
            let ends = self.wait().await;
            if ends {
                self.traces.queue.close();
            }
            while let Some(batch) = self.take(ends) {
                let spans = batch.spans;
                let exported = self.deliver(batch).await.min(spans);
                count(&self.traces.exported, exported);
                self.traces.drop_spans(spans - exported);
            }
            if ends {
                return;
            }
        }
    }

    /// Waits until a batch is due; says whether the end has come.
    async fn wait(&mut self) -> bool {
        loop {
            if self.end.borrow().is_some() {
                return true;
            }
            let due = self.traces.queue.due();
            let changed = self.traces.queue.changed.notified();
            tokio::select! {
                () = changed => {}
                () = until(due) => return false,
                // The sender is what this works for.
                _ = self.end.changed() => {}
            }
        }
    }

    /// The next batch, if it is due or all are.
    fn take(&self, all: bool) -> Option<Batch> {
        let due = self.traces.queue.due()?;
        let is_due = all || self.end.borrow().is_some() || due <= Instant::now();
        is_due.then(|| self.traces.queue.take()).flatten()
    }

    /// Sends a batch, again if it has to be. Returns how many spans were taken.
    async fn deliver(&mut self, batch: Batch) -> usize {
        let (begun, mut pause) = (Instant::now(), FIRST_PAUSE);
        loop {
            // A reload may have changed them since the last try.
            let Some(settings) = self.settings.borrow().clone() else {
                return 0;
            };
            let service = &settings.service_name;
            let body = otlp::request(&batch.bytes, service, &self.traces.instance);
            let ends = self.end.borrow().is_some();
            let failure = match self.send(settings, &body.into()).await {
                Ok(partial) => return batch.spans - self.note_taken(partial, batch.spans),
                Err(failure) => failure,
            };
            self.note_failure(&failure);
            if ends || !failure.is_passing() {
                return 0;
            }
            let jittered = pause.mul_f32(0.5 + fastrand::f32() / 2.0);
            pause = (pause * 2).min(LONGEST_PAUSE);
            let pause = failure.asks_for().unwrap_or(jittered);
            if begun.elapsed() + pause > GIVE_UP {
                return 0;
            }
            tokio::select! {
                () = sleep(pause) => {}
                // Once more, and then it is over.
                _ = self.end.changed() => {}
            }
        }
    }

    /// Sends a batch once.
    async fn send(
        &mut self,
        settings: Arc<TraceSettings>,
        body: &Bytes,
    ) -> Result<Partial, Failure> {
        let client = match self.client.take() {
            Some(client) if client.is_for(&settings) => client,
            _ => Client::new(settings),
        };
        let client = self.client.insert(client);
        let mut end = self.end.clone();
        let over = async {
            // The sender is what this works for.
            let until = end.wait_for(Option::is_some).await;
            let until = until.ok().and_then(|until| *until);
            self::until(until).await;
        };
        let sent = tokio::select! {
            biased;
            sent = client.send(body) => sent,
            () = sleep(TIMEOUT) => Err(Failure::TimedOut(TIMEOUT)),
            () = over => Err(Failure::NoTime),
        };
        if sent.is_err() {
            self.client = None;
        }
        sent
    }

    /// Notes that a batch was taken, and how many spans of it were not.
    fn note_taken(&mut self, Partial { rejected, why }: Partial, spans: usize) -> usize {
        if let Some(before) = self.lost.take() {
            let dropped = self.traces.dropped() - before;
            tracing::info!(dropped, "the collector takes spans again");
        }
        let complains = rejected > 0 || !why.is_empty();
        if complains && !self.complained {
            tracing::warn!(rejected, why, "the collector does not take all spans");
        }
        self.complained = complains;
        usize::try_from(rejected).unwrap_or(spans).min(spans)
    }

    /// Logs once that the collector is lost.
    fn note_failure(&mut self, error: &Failure) {
        if self.lost.is_none() {
            self.lost = Some(self.traces.dropped());
            let collector = self.settings.borrow().as_ref().map(|it| it.collector.url());
            tracing::warn!(
                collector,
                %error,
                "the collector takes no spans: they wait, and are dropped when there are too many"
            );
        }
    }
}

/// Waits until then; for ever if there is no such time.
async fn until(then: Option<Instant>) {
    match then {
        Some(then) => sleep_until(then.into()).await,
        None => std::future::pending().await,
    }
}

fn count(counter: &AtomicU64, spans: usize) {
    counter.fetch_add(spans as u64, Relaxed);
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn the_end_waits_for_an_exporter_whose_thread_has_not_begun() {
        let traces = Arc::new(Traces::new(Arc::default()));
        let exporter = traces.exporter();
        traces.record(2, b"ab");
        let ending = thread::spawn({
            let traces = Arc::clone(&traces);
            move || {
                traces.finish(Duration::from_mins(1));
                traces.dropped()
            }
        });
        while traces.end.borrow().is_none() {
            thread::yield_now();
        }
        exporter.run().unwrap();
        assert_eq!(ending.join().unwrap(), 2, "there is no collector");
    }
}
