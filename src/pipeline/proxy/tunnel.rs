//! After a switch of protocols: bytes both ways, until both sides have ended, nothing has moved for
//! too long, or the gateway drains. The end of one direction is passed on; the other goes on by itself.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::message::forward::Receiver;
use crate::wire::end::End;

use super::super::client_side::ClientSide;
use super::super::codes::{DRAIN, IDLE_TIMEOUT};
use super::super::record::Record;
use super::pass::Pass;
use super::pass_error::PassError;

/// Runs the tunnel to its end. What both sides sent before it began is passed on first.
pub(super) async fn tunnel(
    mut service: End<'_>,
    client: &mut ClientSide<'_>,
    record: &Record<'_>,
    idle: Duration,
) {
    let (service, client, alarm) = (&mut service, &mut client.end, &mut *client.alarm);
    service.become_tunnel();
    client.become_tunnel();
    let mut up = Some(Pass::new(record, Receiver::Service));
    let mut down = Some(Pass::new(record, Receiver::Client));
    let mut progress = record.now();
    let mut drain = pin!(record.worker.drain_begins());
    let mut asked = false;
    poll_fn(|cx| {
        let broken = poll_flow(cx, &mut up, client, service).is_err()
            || poll_flow(cx, &mut down, service, client).is_err();
        if broken || up.is_none() && down.is_none() {
            return Poll::Ready(());
        }
        if service.moved().any() | client.moved().any() {
            (progress, asked) = (record.now(), false);
        }
        // A tunnel may last for as long as both sides like; a drain does not wait for that.
        if drain.as_mut().poll(cx).is_ready() {
            record.code.set(Some(DRAIN));
            return Poll::Ready(());
        }
        ready!(alarm.poll_due(cx, progress + idle));
        if !std::mem::replace(&mut asked, true) {
            service.ask_for_room();
            client.ask_for_room();
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        record.code.set(Some(IDLE_TIMEOUT));
        Poll::Ready(())
    })
    .await;
}

/// One direction, which is gone once its end has been passed on.
fn poll_flow(
    cx: &mut Context<'_>,
    pass: &mut Option<Pass<'_, '_>>,
    from: &mut End<'_>,
    to: &mut End<'_>,
) -> Result<(), PassError> {
    if let Some(flow) = pass
        && let Poll::Ready(passed) = flow.poll(cx, from, to)
    {
        passed?;
        if let Poll::Ready(closed) = to.poll_close(cx) {
            closed.map_err(|_| PassError::Write)?;
            *pass = None;
        }
    }
    Ok(())
}
