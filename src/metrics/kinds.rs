//! By which outcomes things are counted.

use super::outcomes::{Outcome, OutcomeTotals, outcomes};

outcomes! {
    /// What has become of a client's request.
    pub enum ClientOutcome {
        /// It was answered, by a service or as the configuration says, below 500.
        Served = "served",
        /// It was over a limit.
        Limited = "limited",
        /// The gateway refused it for another reason.
        Refused = "refused",
        /// It was answered with 500 or more, its answer broke off, or the client left before its end.
        Failed = "failed",
    }

    /// What a limit has said of a request.
    pub enum PolicyOutcome {
        /// There was room for it.
        Allowed = "allowed",
        /// It was refused.
        Limited = "limited",
        /// It would have been refused, if the limit did not only tell so.
        Shadow = "shadow",
        /// Redis was not there to decide: it was decided here, admitted without counting, or refused.
        Degraded = "degraded",
        /// It was refused here, without asking Redis again, because Redis had refused.
        Cached = "cached",
    }

    /// What has come of a try at an endpoint.
    pub enum TryOutcome {
        /// The client left before it was known.
        ClientLeft = "client_left",
        /// It was answered, below 500.
        Ok = "ok",
        /// It was answered with 500 or more, or with a status that counts as a failure.
        Error = "error",
        /// The endpoint takes no connections.
        Refused = "refused",
        /// No connection could be made in time, or for another reason.
        NoConnection = "no_connection",
        /// TLS could not be begun.
        Tls = "tls",
        /// The connection ended without an answer, or within one.
        Reset = "reset",
        /// It did not answer in time.
        Timeout = "timeout",
        /// Its answer was not valid HTTP.
        Invalid = "invalid",
    }

    /// What has come of a further try.
    pub enum RetryOutcome {
        /// It was answered, and that was passed on.
        Ok = "ok",
        /// It has failed as well.
        Failed = "failed",
        /// It was not made, for the budget was used up.
        NoBudget = "no_budget",
    }

    /// What has come of a call to Redis for a decision.
    pub enum StoreOutcome {
        /// Redis has decided.
        Ok = "ok",
        /// It did not answer in time.
        Timeout = "timeout",
        /// It answered with an error, or the connection ended.
        Error = "error",
        /// There was no connection to ask on.
        Unavailable = "unavailable",
    }

    /// How a client's handshake of TLS has ended.
    pub enum HandshakeOutcome {
        /// With a connection.
        Done = "done",
        /// The client left before its end.
        Left = "left",
        /// It was not done in time.
        TimedOut = "timeout",
        /// Others needed its place, or the gateway stopped.
        GaveWay = "gave_way",
        /// The client spoke something else.
        NotTls = "not_tls",
        /// Both sides could not agree.
        Failed = "failed",
    }

    /// What has come of a reload.
    pub enum ReloadOutcome {
        /// What the file says is served.
        Ok = "ok",
        /// It has problems; what was served is served on.
        Refused = "refused",
    }
}

impl OutcomeTotals<StoreOutcome> {
    /// How many calls Redis has been asked with: without a connection there is none.
    pub fn made(&self) -> u64 {
        self.sum()
            .saturating_sub(self.of(StoreOutcome::Unavailable))
    }
}
