//! Reloading a gateway.

use rustix::process::Signal;

use super::{Gateway, eventually};

impl Gateway {
    /// Replaces the file, reloads, and waits until it is in force.
    pub(crate) fn reload(&self, config: &str) {
        let before = self.reloads();
        self.rewrite(config);
        self.signal(Signal::HUP);
        eventually("the reload", || (self.reloads() > before).then_some(()));
    }

    /// How many reloads the log tells of so far.
    fn reloads(&self) -> usize {
        let reloaded = |line: &serde_json::Value| {
            let message = line["message"].as_str();
            message.is_some_and(|text| text.starts_with("reloaded"))
        };
        self.log().iter().filter(|line| reloaded(line)).count()
    }
}
