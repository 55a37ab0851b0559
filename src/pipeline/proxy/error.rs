//! How an attempt to have a request answered by its service can fail, and what follows from it for
//! the client.

use std::borrow::Cow;
use std::time::Duration;

use crate::upstream::{ConnectError, Failure, TlsError};

use super::super::rejection::Rejection;
use super::pace::Slow;
use super::pass_error::PassError;

/// Why an attempt failed, and when.
#[derive(Debug)]
pub(super) struct AttemptError {
    pub phase: Phase,
    pub sent: Sent,
    /// The connection had been kept: it may have been at its end.
    pub reused: bool,
    /// How long it took from the attempt's beginning; where the client has left, for how long it was
    /// the service that was waited for.
    pub waited: Duration,
    /// The client had to be waited for: to read, within the answer; to send, if the service ended the
    /// connection within the request. Services give such clients up.
    pub client_was_slow: bool,
    pub cause: Cause,
}

/// How far an attempt had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// There was no connection yet, or none had been looked for.
    Connect,
    /// Nothing had come in answer.
    Wait,
    /// Something had come, but not the head of the final answer.
    Head,
    /// The same, and some of that was passed on, beyond what asks for the request's body.
    Interim,
    /// The answer was being passed on.
    Body,
}

/// How much of the request has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    Nothing,
    Partly,
    Whole,
}

/// What went wrong.
#[derive(Debug)]
pub(super) enum Cause {
    /// The upstream has as many requests as it may have. The text, for the log, says which limit it is.
    NoPlace(String),
    /// No connection could be made.
    Connect(ConnectError),
    /// The service closed the connection, or it broke.
    Ended,
    /// The service refused TLS where its answer should have come.
    Refused(TlsError),
    /// The service sent what is not valid HTTP, or ambiguous.
    Invalid(Cow<'static, str>),
    /// Nothing moved for so long, as the key allows.
    TimedOut(TimeOut, Duration),
    /// The service did not ask for the request's body within this time, the route's `timeout`, and the
    /// client did not send it unasked.
    NeverAsked(Duration),
    /// The gateway drains, and the answer has no end of its own.
    Drained,
    /// The client has left.
    ClientLeft,
    /// The client was to send more of its request and did not.
    ClientSilent,
    /// The client is slower than is accepted.
    ClientSlow(Slow),
    /// The request turned out to be one that is refused.
    ClientRefused(Rejection),
}

/// Which time-out it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeOut {
    /// That of one try.
    Try,
    /// The route's, of all tries.
    All,
    Idle,
}

impl TimeOut {
    /// The key that sets it.
    fn key(self) -> &'static str {
        match self {
            Self::Try => "try_timeout",
            Self::All => "timeout",
            Self::Idle => "idle_timeout",
        }
    }
}

impl Cause {
    /// Why an answer could not be passed on whole.
    pub(super) fn of_answer(error: &PassError) -> Self {
        match error {
            PassError::Write => Self::ClientLeft,
            PassError::Framing(why) => Self::Invalid(format!("in its body: {why}").into()),
            PassError::CutOff | PassError::Read | PassError::TooLarge { .. } => Self::Ended,
        }
    }
}

impl AttemptError {
    /// That of an attempt that has not come to a connection.
    pub(super) fn unconnected(cause: Cause, waited: Duration) -> Self {
        Self {
            phase: Phase::Connect,
            sent: Sent::Nothing,
            reused: false,
            waited,
            client_was_slow: false,
            cause,
        }
    }

    /// Whether it says nothing of the service, nor of the client.
    pub(super) fn is_of_neither(&self) -> bool {
        match &self.cause {
            Cause::Connect(error) => error.is_ours(),
            Cause::NoPlace(_) | Cause::NeverAsked(_) | Cause::Drained => true,
            _ => false,
        }
    }

    /// Whether a kept connection had died unnoticed, before anything was sent on it.
    pub(super) fn was_stale(&self) -> bool {
        self.reused
            && self.sent == Sent::Nothing
            && matches!(self.cause, Cause::Ended | Cause::Refused(_))
    }

    /// Whether a kept connection broke before anything came in answer. The service may have been about to
    /// close it when the request came.
    pub(super) fn broke_kept(&self) -> bool {
        self.reused
            && self.phase == Phase::Wait
            && matches!(self.cause, Cause::Ended | Cause::Refused(_))
    }

    /// Whether the request may be sent to another endpoint: nothing of it was sent, or it may be
    /// repeated, and nothing of an answer has come that was passed on.
    pub(super) fn leaves_request_whole(&self, repeatable: bool) -> bool {
        match &self.cause {
            Cause::Connect(error) => error.failure().is_some(),
            Cause::Ended | Cause::Refused(_) | Cause::Invalid(_) | Cause::TimedOut(..) => {
                !matches!(self.phase, Phase::Interim | Phase::Body)
                    && (repeatable || self.sent == Sent::Nothing)
            }
            Cause::NoPlace(_)
            | Cause::NeverAsked(_)
            | Cause::Drained
            | Cause::ClientLeft
            | Cause::ClientSilent
            | Cause::ClientSlow(_)
            | Cause::ClientRefused(_) => false,
        }
    }

    /// What it says about the endpoint, if that is to blame.
    pub(super) fn failure(&self) -> Option<Failure> {
        match &self.cause {
            Cause::Connect(error) => error.failure(),
            Cause::Ended => Some(Failure::Reset),
            Cause::Refused(error) => Some(Failure::Tls(error.fault())),
            Cause::Invalid(_) => Some(Failure::Invalid),
            Cause::TimedOut(..) if self.phase == Phase::Connect => Some(Failure::NoConnection),
            // Within an answer it may be the client that takes its time.
            Cause::TimedOut(..) if self.phase != Phase::Body => Some(Failure::TimedOut),
            // A client should not wait for ever to be asked (RFC 9110 section 10.1.1): many services never
            // ask, and are not to be left alone for it.
            Cause::NeverAsked(_)
            | Cause::TimedOut(..)
            | Cause::NoPlace(_)
            | Cause::Drained
            | Cause::ClientLeft
            | Cause::ClientSilent
            | Cause::ClientSlow(_)
            | Cause::ClientRefused(_) => None,
        }
    }

    /// Whether the endpoint had the time that it may take. A try that follows on another has what that
    /// has left, and connecting takes its part: half is enough where all tries have their time together.
    pub(super) fn had_its_time(&self) -> bool {
        match self.cause {
            Cause::TimedOut(TimeOut::All, all) => self.waited >= all / 2,
            Cause::TimedOut(_, patience) => self.waited >= patience,
            _ => true,
        }
    }

    /// What happened, for the log. A client that has left, or is refused, has its own words there.
    pub(super) fn detail(&self) -> Option<Cow<'static, str>> {
        let sent = match self.sent {
            Sent::Nothing => "",
            Sent::Partly => ", with a part of the request sent",
            Sent::Whole => ", with the request sent",
        };
        Some(match (&self.cause, self.phase) {
            (Cause::NoPlace(why), _) => why.clone().into(),
            (Cause::Connect(error), _) => error.to_string().into(),
            (Cause::Ended, Phase::Body) => {
                "the service ended the connection within its answer".into()
            }
            (Cause::Ended, Phase::Head | Phase::Interim) => {
                format!("the service ended the connection within the head of its answer{sent}")
                    .into()
            }
            (Cause::Ended, Phase::Connect | Phase::Wait) => {
                format!("the service ended the connection without an answer{sent}").into()
            }
            (Cause::Refused(error), _) => format!("{error}{sent}").into(),
            (Cause::Invalid(why), _) => why.clone(),
            (Cause::TimedOut(which, time), phase) => {
                let key = which.key();
                match (phase, which) {
                    (Phase::Connect, _) => format!("no connection within {key} = {time:?}"),
                    (Phase::Body, _) => {
                        format!(
                            "nothing moved within {key} = {time:?}, in the middle of the answer"
                        )
                    }
                    (_, TimeOut::Idle) => format!(
                        "the service took nothing of the request within {key} = {time:?}{sent}"
                    ),
                    (_, TimeOut::Try | TimeOut::All) => {
                        format!("nothing came from the service within {key} = {time:?}{sent}")
                    }
                }
                .into()
            }
            (Cause::NeverAsked(time), _) => format!(
                "within timeout = {time:?} the service neither answered nor sent the 100 that \
                 `Expect: 100-continue` asks for, and the client waited for that with its body"
            )
            .into(),
            (Cause::ClientSlow(Slow::ToSend), _) => "the request's body came too slowly".into(),
            (Cause::ClientSlow(Slow::ToRead), _) => "the answer was read too slowly".into(),
            (
                Cause::Drained | Cause::ClientLeft | Cause::ClientSilent | Cause::ClientRefused(_),
                _,
            ) => return None,
        })
    }

    /// What the client is told, if it is still there and can be told anything.
    pub(super) fn into_rejection(self) -> Option<Rejection> {
        Some(match self.cause {
            Cause::Connect(ConnectError::TimedOut(_))
            | Cause::TimedOut(..)
            | Cause::NeverAsked(_) => Rejection::UpstreamTimeout,
            Cause::NoPlace(_) => Rejection::Overloaded,
            Cause::Connect(error) if error.is_ours() => Rejection::Overloaded,
            Cause::Connect(ConnectError::Tls { .. }) | Cause::Refused(_) => Rejection::UpstreamTls,
            Cause::Connect(_) => Rejection::UpstreamUnreachable,
            Cause::Ended => Rejection::UpstreamReset,
            Cause::Invalid(_) => Rejection::UpstreamInvalid,
            Cause::Drained | Cause::ClientLeft => return None,
            Cause::ClientSilent => Rejection::RequestTimeout,
            Cause::ClientSlow(_) => Rejection::ClientSlow,
            Cause::ClientRefused(rejection) => rejection,
        })
    }
}
