//! Where spans are sent.

use crate::config::keys::Text;
use crate::upstream::EndpointUrl;

/// The URL of a collector.
pub(in crate::config) struct CollectorUrl(pub EndpointUrl);

impl Text for CollectorUrl {
    const NOUN: &str = EndpointUrl::NOUN;
    const EXAMPLE: &str = "http://127.0.0.1:4318";

    fn parse(text: &str) -> Result<Self, String> {
        <EndpointUrl as Text>::parse(text).map(Self)
    }

    fn text(&self) -> String {
        self.0.text()
    }
}
