//! Where a text goes while it is written down. That of thousands of routes is megabytes, and is never there
//! as a whole if its reader takes it compressed.

use std::fmt;
use std::io::{self, Write as _};
use std::slice;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::metrics::{EXEMPLARS_A_ROUTE, Exemplar, RouteCounts};

/// The text so far.
#[derive(Debug)]
pub(super) enum Sink {
    Plain(String),
    Gzip(Box<GzEncoder<Vec<u8>>>),
}

impl Sink {
    pub(super) fn gzip() -> Self {
        Self::Gzip(Box::new(GzEncoder::new(Vec::new(), Compression::fast())))
    }

    /// The whole text.
    pub(super) fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Plain(text) => Ok(text.into_bytes()),
            Self::Gzip(encoder) => encoder.finish(),
        }
    }
}

impl fmt::Write for Sink {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        match self {
            Self::Plain(text) => text.write_str(part),
            Self::Gzip(encoder) => encoder.write_all(part.as_bytes()).map_err(|_| fmt::Error),
        }
    }
}

/// What the lines of buckets begin with. There are as many for each route, in the order of the routes.
const BUCKET: &str = "tollgate_request_duration_seconds_bucket{";

/// The exemplars of all routes, one for each line of a bucket; empty if there are none.
pub(super) fn exemplars(routes: &[RouteCounts]) -> Vec<Option<Exemplar>> {
    let mut all = Vec::new();
    for (nth, route) in routes.iter().enumerate() {
        let of_route = route.exemplars();
        if of_route.iter().next().is_some() {
            all.resize(nth * EXEMPLARS_A_ROUTE, None);
            all.extend(of_route.iter());
        }
    }
    all
}

/// Puts exemplars behind the buckets of `tollgate_request_duration_seconds` in OpenMetrics' text. The
/// encoder has no way to be given them: its exemplars can only be made by its own histograms.
pub(super) struct WithExemplars<'s, 'x> {
    to: &'s mut Sink,
    next: slice::Iter<'x, Option<Exemplar>>,
    /// The line that is not whole yet.
    line: String,
    /// Lines with their exemplars.
    lines: String,
}

impl<'s, 'x> WithExemplars<'s, 'x> {
    pub(super) fn new(to: &'s mut Sink, exemplars: &'x [Option<Exemplar>]) -> Self {
        Self {
            to,
            next: exemplars.iter(),
            line: String::new(),
            lines: String::new(),
        }
    }
}

impl fmt::Write for WithExemplars<'_, '_> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        if self.next.as_slice().is_empty() && self.line.is_empty() {
            return self.to.write_str(part);
        }
        for piece in part.split_inclusive('\n') {
            self.line.push_str(piece);
            let Some(line) = self.line.strip_suffix('\n') else {
                break;
            };
            self.lines.push_str(line);
            if line.starts_with(BUCKET)
                && let Some(Some(one)) = self.next.next()
            {
                put(&mut self.lines, one)?;
            }
            self.lines.push('\n');
            self.line.clear();
        }
        self.to.write_str(&self.lines)?;
        self.lines.clear();
        Ok(())
    }
}

fn put(out: &mut impl fmt::Write, one: &Exemplar) -> fmt::Result {
    let trace_id = String::from_utf8_lossy(&one.trace_id);
    let (took, begun) = (one.took.as_secs_f64(), one.begun.as_millis());
    let (seconds, millis) = (begun / 1000, begun % 1000);
    write!(
        out,
        " # {{trace_id=\"{trace_id}\"}} {took} {seconds}.{millis:03}"
    )
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::io::Read as _;
    use std::time::Duration;

    use super::*;

    #[test]
    fn exemplars_go_behind_their_lines_wherever_the_text_is_divided() {
        let one = Exemplar {
            trace_id: [b'a'; 32],
            took: Duration::from_micros(500),
            begun: Duration::from_millis(1_700_000_000_012),
        };
        let text = format!("# HELP x\n{BUCKET}le=\"1\"}} 1\n{BUCKET}le=\"2\"}} 2\ny 3\n# EOF\n");
        let exemplars = [None, Some(one)];
        let mark = format!(
            "le=\"2\"}} 2 # {{trace_id=\"{}\"}} 0.0005 1700000000.012\n",
            "a".repeat(32)
        );
        let whole = text.replace("le=\"2\"} 2\n", &mark);
        for size in 1..text.len() {
            let mut sink = Sink::gzip();
            let mut out = WithExemplars::new(&mut sink, &exemplars);
            for part in text.as_bytes().chunks(size) {
                out.write_str(str::from_utf8(part).unwrap()).unwrap();
            }
            let packed = sink.finish().unwrap();
            let mut unpacked = String::new();
            let mut reader = flate2::read::GzDecoder::new(&*packed);
            reader.read_to_string(&mut unpacked).unwrap();
            assert_eq!(unpacked, whole, "in parts of {size}");
        }
    }
}
