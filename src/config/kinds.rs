//! The types that single values are read as.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use jiff::Timestamp;

use super::reader::{Read, Wrong};
use super::tree::Value;
use super::units;

/// Reads a string by a function that says what is wrong with it.
fn text<T>(value: &Value, read: impl FnOnce(&str) -> Result<T, String>) -> Result<T, Wrong> {
    match value {
        Value::Text(text) => read(text).map_err(Wrong::Text),
        _ => Err(Wrong::Kind),
    }
}

/// Reads a string that is one of a few words.
pub(super) fn word<T: Copy>(value: &Value, words: &[(&str, T)]) -> Result<T, Wrong> {
    text(value, |text| {
        let found = words.iter().find(|(word, _)| *word == text);
        found.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let words = words.iter().map(|(word, _)| *word);
            match super::suggest::closest(text, words) {
                Some(meant) => format!("did you mean \"{meant}\"?"),
                None => "this is none of them".to_owned(),
            }
        })
    })
}

impl Read for String {
    const WHAT: &'static str = "a string";

    fn read(value: &Value) -> Result<Self, Wrong> {
        text(value, |text| Ok(text.to_owned()))
    }
}

impl Read for bool {
    const WHAT: &'static str = "true or false";

    fn read(value: &Value) -> Result<Self, Wrong> {
        match value {
            Value::Boolean(boolean) => Ok(*boolean),
            _ => Err(Wrong::Kind),
        }
    }
}

impl Read for Duration {
    const WHAT: &'static str = "a duration such as \"30s\"";

    fn read(value: &Value) -> Result<Self, Wrong> {
        match value {
            Value::Integer(number) => Err(Wrong::Text(format!("write \"{number}s\""))),
            value => text(value, units::duration),
        }
    }
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size(pub u64);

impl Read for Size {
    const WHAT: &'static str = "a size such as \"64KiB\"";

    fn read(value: &Value) -> Result<Self, Wrong> {
        match value {
            Value::Integer(number) => Err(Wrong::Text(format!("write \"{number}B\""))),
            value => text(value, |text| units::size(text).map(Self)),
        }
    }
}

/// A number of bytes, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SizeOrOff(pub Option<u64>);

impl Read for SizeOrOff {
    const WHAT: &'static str = "a size such as \"10MiB\", or \"off\"";

    fn read(value: &Value) -> Result<Self, Wrong> {
        match value {
            Value::Text(text) if text == "off" => Ok(Self(None)),
            value => Size::read(value).map(|size| Self(Some(size.0))),
        }
    }
}

impl Read for SocketAddr {
    const WHAT: &'static str = "an address such as \"0.0.0.0:3000\" or \"[::]:3000\"";

    fn read(value: &Value) -> Result<Self, Wrong> {
        match value {
            Value::Integer(port) => Err(Wrong::Text(format!("write \"0.0.0.0:{port}\""))),
            value => text(value, |text| {
                let why = || match text.strip_prefix(':').unwrap_or(text).parse::<u16>() {
                    Ok(port) => format!("write \"0.0.0.0:{port}\""),
                    Err(_) if text.starts_with("localhost:") => {
                        format!("write \"127.0.0.1:{}\"", &text["localhost:".len()..])
                    }
                    Err(_) => "an IP address and a port; names are not looked up".to_owned(),
                };
                text.parse().map_err(|_| why())
            }),
        }
    }
}

impl Read for IpNet {
    const WHAT: &'static str = "a network such as \"10.0.0.0/8\", or an address";

    fn read(value: &Value) -> Result<Self, Wrong> {
        text(value, |text| {
            if let Ok(address) = text.parse::<std::net::IpAddr>() {
                return Ok(address.into());
            }
            let network: Self = text
                .parse()
                .map_err(|_| "this is neither a network nor an address".to_owned())?;
            if network == network.trunc() {
                Ok(network)
            } else {
                Err(format!("write \"{}\"", network.trunc()))
            }
        })
    }
}

impl Read for Timestamp {
    const WHAT: &'static str = "a date and time such as \"2027-01-01T00:00:00Z\"";

    fn read(value: &Value) -> Result<Self, Wrong> {
        let parse = |text: &str| {
            let why = || match text.get(..10).map(str::len) {
                Some(10) if text.parse::<jiff::civil::Date>().is_ok() => {
                    format!("write \"{text}T00:00:00Z\"")
                }
                Some(10) if !text.ends_with('Z') => {
                    "with a time zone: `Z`, or an offset such as `+02:00`".to_owned()
                }
                _ => "this is no date and time".to_owned(),
            };
            text.parse().map_err(|_| why())
        };
        match value {
            Value::Time(time) => parse(time).map_err(Wrong::Text),
            value => text(value, parse),
        }
    }
}

impl Read for tracing::Level {
    const WHAT: &'static str = "\"error\", \"warn\", \"info\", \"debug\" or \"trace\"";

    fn read(value: &Value) -> Result<Self, Wrong> {
        word(
            value,
            &[
                ("error", Self::ERROR),
                ("warn", Self::WARN),
                ("info", Self::INFO),
                ("debug", Self::DEBUG),
                ("trace", Self::TRACE),
            ],
        )
    }
}

impl Read for PathBuf {
    const WHAT: &'static str = "a path";

    fn read(value: &Value) -> Result<Self, Wrong> {
        text(value, |text| match text {
            "" => Err("this is empty".to_owned()),
            text if text.contains('\0') => Err("no path has a NUL in it".to_owned()),
            text => Ok(text.into()),
        })
    }
}
