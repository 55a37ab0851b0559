//! After a switch of protocols: bytes both ways, until both sides have ended or nothing has moved
//! for too long. The end of one direction is passed on; the other goes on by itself.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::upstream::Link;
use crate::wire::buffers::Buffers;
use crate::wire::stream::{Reader, Writer};

use super::super::record::Record;
use super::super::request::Downstream;

/// Runs the tunnel to its end. What both sides sent before it began is passed on first.
pub(super) async fn tunnel(
    link: &mut Link,
    client: &mut Downstream<'_>,
    buffers: &Buffers,
    record: &Record<'_>,
    idle: Duration,
) {
    let progress = Cell::new(Instant::now());
    let (mut from_service, mut to_service) = link.connection.halves();
    let mut up = pin!(flow(
        &mut client.reader,
        &mut to_service,
        buffers,
        &record.bytes_in,
        &progress
    ));
    let mut down = pin!(flow(
        &mut from_service,
        &mut client.writer,
        buffers,
        &record.bytes_out,
        &progress
    ));
    let (mut up_flows, mut down_flows) = (true, true);
    let alarm = &mut *client.alarm;
    poll_fn(|cx| {
        for (flow, flows) in [
            (
                up.as_mut() as std::pin::Pin<&mut dyn Future<Output = End>>,
                &mut up_flows,
            ),
            (down.as_mut(), &mut down_flows),
        ] {
            if *flows && let Poll::Ready(end) = flow.poll(cx) {
                *flows = false;
                if end == End::Broken {
                    return Poll::Ready(());
                }
            }
        }
        if !up_flows && !down_flows {
            return Poll::Ready(());
        }
        alarm.poll_due(cx, progress.get() + idle)
    })
    .await;
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    Finished,
    Broken,
}

async fn flow(
    from: &mut Reader<'_>,
    to: &mut Writer<'_>,
    buffers: &Buffers,
    count: &Cell<u64>,
    progress: &Cell<Instant>,
) -> End {
    loop {
        let bytes = from.input.bytes();
        if !bytes.is_empty() {
            let n = bytes.len();
            if to.write_all(bytes).await.is_err() {
                return End::Broken;
            }
            from.input.consume(n);
            count.set(count.get().saturating_add(n as u64));
            progress.set(Instant::now());
        }
        match from.fill(buffers).await {
            Ok(0) => break,
            Ok(_) => {}
            Err(_) => return End::Broken,
        }
    }
    if to.finish().await.is_ok() {
        End::Finished
    } else {
        End::Broken
    }
}
