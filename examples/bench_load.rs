//! The load of `make bench-fleet`: many clients at once on several gateways, counted apart, and a
//! pace that a slow answer does not slow down. `wrk` can do neither. One thread, one request in
//! flight on each connection; a connection that breaks ends it. It prints one line of JSON.
//!
//!     bench_load all  ADDRESSES CONNECTIONS SECONDS KEY=REQUESTS...
//!     bench_load pace ADDRESSES CONNECTIONS PER_SECOND SECONDS KEY...

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::LocalRuntime;
use tokio::task::{JoinHandle, spawn_local};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const USAGE: &str = "bench_load all ADDRESSES CONNECTIONS SECONDS KEY=REQUESTS...\n\
    bench_load pace ADDRESSES CONNECTIONS PER_SECOND SECONDS KEY...";
const BUFFER: usize = 4 * 1024;
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [how, addresses, connections, more @ ..] = &arguments[..] else {
        return Err(USAGE.into());
    };
    let addresses: std::result::Result<Vec<SocketAddr>, _> =
        addresses.split(',').map(str::parse).collect();
    let (addresses, connections) = (addresses?, connections.parse()?);
    let report = LocalRuntime::new()?.block_on(async {
        let connections = connect(&addresses, connections).await?;
        match (how.as_str(), more) {
            ("all", [seconds, keys @ ..]) if !keys.is_empty() => {
                all(connections, seconds.parse()?, keys).await
            }
            ("pace", [per_second, seconds, keys @ ..]) if !keys.is_empty() => {
                pace(connections, per_second.parse()?, seconds.parse()?, keys).await
            }
            _ => Err(USAGE.into()),
        }
    })?;
    println!("{report}");
    Ok(())
}

/// Sends all requests and counts the answers by key and status: half of every key's at once, the
/// keys in turns, so that as many as there are connections race for the last permits of a small
/// limit; half of them evenly over so many seconds, by when nobody may get any more.
async fn all(connections: Vec<Connection>, seconds: f64, keys: &[String]) -> Result<Value> {
    let keys: Vec<(String, u32)> = keys.iter().map(|key| offered(key)).collect::<Result<_>>()?;
    let requests: Vec<Vec<u8>> = keys.iter().map(|(key, _)| request(key)).collect();
    let waiting = Rc::new((RefCell::new(in_order(&keys, seconds)), requests));
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for mut connection in connections {
        let waiting = Rc::clone(&waiting);
        let mut counts = BTreeMap::<(usize, u16), u64>::new();
        tasks.push(spawn_local(async move {
            let (order, requests) = &*waiting;
            loop {
                let Some((due, key)) = order.borrow_mut().pop_front() else {
                    return Ok(counts);
                };
                if begun.elapsed() < due {
                    tokio::time::sleep_until((begun + due).into()).await;
                }
                let status = connection.ask(&requests[key]).await?;
                *counts.entry((key, status)).or_default() += 1;
            }
        }));
    }
    let mut clients = BTreeMap::<&str, BTreeMap<u16, u64>>::new();
    for counts in joined(tasks).await? {
        for ((key, status), count) in counts {
            let client = clients.entry(&keys[key].0).or_default();
            *client.entry(status).or_default() += count;
        }
    }
    Ok(json!({ "seconds": begun.elapsed().as_secs_f64(), "clients": clients }))
}

fn offered(argument: &str) -> Result<(String, u32)> {
    let (key, requests) = argument.split_once('=').ok_or(USAGE)?;
    Ok((key.to_owned(), requests.parse()?))
}

/// The requests in their order, each as when it is due at the earliest and the number of its key.
fn in_order(keys: &[(String, u32)], seconds: f64) -> VecDeque<(Duration, usize)> {
    let mut order = Vec::new();
    for (key, (_, requests)) in keys.iter().enumerate() {
        let first = requests.div_ceil(2);
        order.extend((0..first).map(|nth| (Duration::ZERO, nth, key)));
        let later = requests - first;
        let gap = Duration::from_secs_f64(seconds) / later.max(1);
        order.extend((1..=later).map(|nth| (gap * nth, first + nth, key)));
    }
    order.sort_unstable();
    order.into_iter().map(|(due, _, key)| (due, key)).collect()
}

/// Sends so many requests a second, whatever becomes of them, the keys in turns. For each it tells
/// when it was due, how long after that its answer was whole, both in microseconds, and the status.
/// A connection that is late sends its next request at once, and the wait counts.
async fn pace(
    connections: Vec<Connection>,
    per_second: f64,
    seconds: f64,
    keys: &[String],
) -> Result<Value> {
    let requests: Rc<Vec<Vec<u8>>> = Rc::new(keys.iter().map(|key| request(key)).collect());
    let step = connections.len();
    let gap = Duration::from_secs_f64(1.0 / per_second);
    let length = Duration::from_secs_f64(seconds);
    let (wall, begin) = (
        SystemTime::now().duration_since(UNIX_EPOCH)?,
        Instant::now(),
    );
    let mut tasks = Vec::new();
    for (nth, mut connection) in connections.into_iter().enumerate() {
        let requests = Rc::clone(&requests);
        tasks.push(spawn_local(async move {
            let mut told = Vec::new();
            for nth in (nth..).step_by(step) {
                let due = gap.mul_f64(f64::from(u32::try_from(nth)?));
                if due >= length {
                    break;
                }
                tokio::time::sleep_until((begin + due).into()).await;
                let status = connection.ask(&requests[nth % requests.len()]).await?;
                let took = begin.elapsed().saturating_sub(due);
                told.push((due.as_micros(), took.as_micros(), status));
            }
            Ok(told)
        }));
    }
    let told = joined(tasks).await?.concat();
    Ok(json!({ "begun": wall.as_secs_f64(), "requests": told }))
}

async fn joined<T>(tasks: Vec<JoinHandle<Result<T>>>) -> Result<Vec<T>> {
    let mut all = Vec::new();
    for task in tasks {
        all.push(task.await??);
    }
    Ok(all)
}

fn request(key: &str) -> Vec<u8> {
    format!("GET /api/inventory/7 HTTP/1.1\r\nHost: localhost\r\nx-api-key: {key}\r\n\r\n").into()
}

/// Connections to the addresses in turns.
async fn connect(addresses: &[SocketAddr], connections: usize) -> Result<Vec<Connection>> {
    let mut all = Vec::new();
    for address in addresses.iter().cycle().take(connections) {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        all.push(Connection {
            stream,
            buffer: Vec::with_capacity(BUFFER),
        });
    }
    Ok(all)
}

/// A connection to a gateway, with what has come of the answer.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Sends a request, reads its answer to the end and returns the status.
    async fn ask(&mut self, request: &[u8]) -> Result<u16> {
        self.buffer.clear();
        self.stream.write_all(request).await?;
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("a gateway closed a connection".into());
            }
            if let Some((status, length)) = answer(&self.buffer)?
                && self.buffer.len() >= length
            {
                return Ok(status);
            }
        }
    }
}

/// The status of an answer and how long it will be in all, once its head is whole.
fn answer(bytes: &[u8]) -> Result<Option<(u16, usize)>> {
    let end = memchr::memmem::find(bytes, END_OF_HEAD);
    let Some(end) = end.map(|end| end + END_OF_HEAD.len()) else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..end])?;
    let status = head.get(9..12).ok_or("an answer without a status")?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let named = name.eq_ignore_ascii_case("content-length");
        named.then(|| value.trim().parse::<usize>())
    });
    let length = length.ok_or("an answer without a length")??;
    Ok(Some((status.parse()?, end + length)))
}
