//! What the values of the configuration are, beside numbers and words: times, sizes, addresses,
//! paths, and the names of things.

mod acme;
mod admin;
mod cors;
mod fields;
mod names;
mod otherwise;
mod paths;
mod share;
mod traces;
mod upstreams;
mod values;

pub(super) use acme::{DirectoryUrl, DomainName, MailAddress};
pub(super) use cors::{AnyField, Origin};
pub(super) use fields::{FieldValue, SecretFieldText};
pub(super) use names::{FieldName, HostName, KeyPrefix, Name};
pub(super) use otherwise::{endpoints_alone, limit_in_words, port_alone};
pub(super) use paths::{FilePath, InFile, PemFile, ReloadedPem};
pub(super) use share::Share;
pub(super) use traces::CollectorUrl;
pub(super) use upstreams::{GrpcCheck, HealthPath, ServiceProtocol, StatusRange};
pub(super) use values::{FieldText, RedirectStatus, RedisAddress, Secret, Size, Target, Within};
