//! How a check can fail: as any try can, or by what an answer of gRPC says.

use std::fmt;

use crate::grpc;

use super::failure::Failure;

/// Why a check has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CheckFailure {
    /// As a try can fail.
    Try(Failure),
    /// As a call of gRPC can.
    Grpc(GrpcFailure),
}

/// How a check by gRPC can fail, beside what any try can fail by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GrpcFailure {
    /// The service does not speak HTTP/2.
    NoHttp2,
    /// It answered in HTTP/2, and not in gRPC.
    NotGrpc,
    /// Its answer has ended without the status of the call.
    NoStatus,
    /// Its answer is longer than any that is needed.
    TooLarge,
    /// The call has failed, with this status.
    Status(u8),
    /// It says that it does not serve.
    NotServing,
    /// It says that it does not know whether it serves.
    Unknown,
    /// It says that it does not know the service that it was asked about.
    ServiceUnknown,
}

impl From<Failure> for CheckFailure {
    fn from(failure: Failure) -> Self {
        Self::Try(failure)
    }
}

impl From<GrpcFailure> for CheckFailure {
    fn from(failure: GrpcFailure) -> Self {
        Self::Grpc(failure)
    }
}

/// What the log calls it.
impl fmt::Display for CheckFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failure = match self {
            Self::Try(failure) => return failure.fmt(f),
            Self::Grpc(failure) => failure,
        };
        f.write_str(match failure {
            GrpcFailure::NoHttp2 => "no_http2",
            GrpcFailure::NotGrpc => "not_grpc",
            GrpcFailure::NoStatus => "no_grpc_status",
            GrpcFailure::TooLarge => "too_large",
            GrpcFailure::NotServing => "not_serving",
            GrpcFailure::Unknown => "serving_unknown",
            GrpcFailure::ServiceUnknown => "service_unknown",
            GrpcFailure::Status(code) => {
                let name = grpc::name(*code).unwrap_or("unknown");
                return write!(f, "grpc_{name}");
            }
        })
    }
}
