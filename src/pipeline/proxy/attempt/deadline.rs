//! What has to happen within an attempt by a certain time: the next byte of a body, the answer's head,
//! a look at a client that nothing is read from. One timer for all of it.

use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::message::known_field::KnownField;
use crate::wire::end::End;
use crate::wire::stream::Ended;

use super::super::super::client_side::ClientSide;
use super::super::error::{Cause, TimeOut};
use super::super::pace::{Slow, Step};
use super::Attempt;

/// A client that has ended its half of the connection may still read an answer, or may be gone:
/// TCP does not tell. It is taken to be gone once nothing has moved for this long.
pub(in super::super) const HALF_CLOSED: Duration = Duration::from_secs(5);
/// How often the kernel is asked about a client that nothing is read from.
pub(in super::super) const LOOK: Duration = Duration::from_secs(1);

/// What has to happen by a certain time.
#[derive(Debug, Clone, Copy)]
enum Deadline {
    /// That long after what is waited for could have come.
    Service(TimeOut, Duration),
    Client,
    /// The service has that long to ask for the request's body.
    Asking(Duration),
    Slow(Step),
    HalfClosed,
    /// A probe waits for its client, and everybody for the probe.
    GiveWay,
    /// It may be that others want the place of a client that may have left.
    Place,
    Look,
}

type Due = (Instant, Deadline);

fn earlier(one: Due, other: Option<Due>) -> Due {
    other.filter(|other| other.0 < one.0).unwrap_or(one)
}

impl Attempt<'_, '_> {
    pub(super) fn poll_due(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut ClientSide<'_>,
    ) -> Poll<Cause> {
        let moved = client.end.moved();
        if self.service.moved().any() | moved.any() {
            (self.progress, self.asked_for_room) = (self.forward.record.now(), false);
        }
        let sends = self.sent.is_none() && self.up.reads && !self.awaits_continue();
        self.awaited |= sends;
        self.paces
            .note(self.forward.record, moved, sends, self.blocked);
        loop {
            let (due, deadline) = self.deadline(&client.end);
            ready!(client.alarm.poll_due(cx, due));
            match deadline {
                Deadline::Place => continue,
                Deadline::Look => self.looked = Instant::now(),
                Deadline::GiveWay => self.current.give_way(Instant::now()),
                Deadline::Slow(Step::AskForRoom) => {
                    self.paces.settle(client.end.segment());
                    client.end.ask_for_room();
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                // A slow reader may have taken something all the same.
                _ if !std::mem::replace(&mut self.asked_for_room, true) => {
                    self.forward.record.worker.lag.look(Instant::now());
                    self.service.ask_for_room();
                    client.end.ask_for_room();
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Deadline::Service(which, patience) => {
                    return Poll::Ready(Cause::TimedOut(which, patience));
                }
                Deadline::Client => return Poll::Ready(Cause::ClientSilent),
                Deadline::Asking(patience) => {
                    return Poll::Ready(Cause::NeverAsked(patience));
                }
                // It may be that the client has waited for us.
                Deadline::Slow(Step::Cut(_)) if self.was_behind() => self.paces.give_time(),
                Deadline::Slow(Step::Cut(slow)) => return Poll::Ready(Cause::ClientSlow(slow)),
                Deadline::HalfClosed => return Poll::Ready(Cause::ClientLeft),
            }
            match client.end.ended() {
                Some(Ended::Both) => return Poll::Ready(Cause::ClientLeft),
                ended => self.half_closed = ended.is_some(),
            }
        }
    }

    fn was_behind(&self) -> bool {
        self.forward.record.worker.lag.was_behind(Instant::now())
    }

    /// Whether the client may be waiting to be asked for the body (RFC 9110 section 10.1.1).
    fn awaits_continue(&self) -> bool {
        let head = self.forward.request.head;
        head.fields.has(KnownField::Expect)
            && head.version.has_interim_answers()
            && !self.continued
            && self.forward.record.bytes_in.get() == 0
    }

    /// What has to happen next, and by when: the next byte of a body, or the answer's head.
    fn deadline(&self, client: &End<'_>) -> Due {
        let (forward, progress) = (self.forward, self.progress);
        let client_idle = forward.record.current.snapshot.idle_timeout;
        let service_idle = forward.upstream.rules.idle_timeout;
        let next = match self.sent {
            Some(sent) if !self.answering && !self.blocked => self.due_for_head(sent),
            _ if self.blocked => (
                progress + client_idle,
                Deadline::Slow(Step::Cut(Slow::ToRead)),
            ),
            None if self.up.reads && self.awaits_continue() => {
                let patience = forward.route.timeout;
                (progress + patience, Deadline::Asking(patience))
            }
            None if self.up.reads => (progress + client_idle, Deadline::Client),
            _ => (
                progress + service_idle,
                Deadline::Service(TimeOut::Idle, service_idle),
            ),
        };
        let is_slow_probe = self.sent.is_none() && self.up.reads && self.current.is_probe();
        let give_way = is_slow_probe.then(|| {
            let patience = self.current.patience_with_client(HALF_CLOSED);
            (self.started + patience, Deadline::GiveWay)
        });
        let next = earlier(next, give_way);
        let slow = self.paces.due();
        let next = earlier(next, slow.map(|(due, step)| (due, Deadline::Slow(step))));
        let about_client = if self.half_closed {
            Some(self.due_for_half_closed())
        } else {
            let looks = client.is_full();
            looks.then(|| (self.looked + LOOK, Deadline::Look))
        };
        earlier(next, about_client)
    }

    /// When a client is given up that has ended its half: sooner while it keeps others from the service, as
    /// the probe of a circuit, or for it has a place that they want. These may come at any time.
    fn due_for_half_closed(&self) -> Due {
        let since = self.looked.max(self.progress);
        let after = |patience| (since + patience, Deadline::HalfClosed);
        if self.answering {
            return after(HALF_CLOSED);
        }
        let usual = after(self.current.patience_with_client(HALF_CLOSED));
        let upstream = self.forward.upstream;
        if upstream.rules.capacity.is_none() {
            return usual;
        }
        let hurry = self.current.hurry(HALF_CLOSED);
        if upstream.state.capacity.is_wanted() {
            return after(hurry);
        }
        earlier((Instant::now() + hurry, Deadline::Place), Some(usual))
    }

    /// By when the head of the answer has to come: of this try's, and of all together.
    fn due_for_head(&self, sent: Instant) -> (Instant, Deadline) {
        let (forward, all) = (self.forward, self.forward.route.timeout);
        let due = |which, since: Instant, patience| {
            (
                self.interim_at.map_or(since, |at| at.max(since)) + patience,
                Deadline::Service(which, patience),
            )
        };
        let of_all = due(
            TimeOut::All,
            forward.counts_since.get().unwrap_or(sent),
            all,
        );
        let of_try = forward.upstream.rules.try_timeout;
        match of_try.map(|patience| due(TimeOut::Try, sent, patience)) {
            Some(of_try) if of_try.0 < of_all.0 => of_try,
            _ => of_all,
        }
    }
}
