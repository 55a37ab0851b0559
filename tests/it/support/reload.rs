//! Reloading a gateway.

use rustix::process::Signal;

use super::{Gateway, KEY, Upstream, eventually, folder_with, hash_of};

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

/// A gateway on `/a`, which needs the key, and the files that its configuration names: clients, and the
/// route `/b`.
pub(crate) struct NamedFiles {
    pub(crate) gateway: Gateway,
    pub(crate) config: String,
    /// A file's name, its text, one that has lost all, and what that has none of.
    pub(crate) files: [(&'static str, String, &'static str, &'static str); 2],
    _service: Upstream,
}

impl NamedFiles {
    pub(crate) fn start() -> Self {
        let service = Upstream::echo();
        let url = service.url();
        let config = format!(
            "clients_file = \"clients.toml\"\nroutes_file = \"routes.json\"\n\
             [routes]\n\"/a\" = \"{url}\"\n[access]\nprotected = \"/a\"\n"
        );
        let clients = format!("[clients.app]\nkeys = [\"{}\"]\n", hash_of(KEY));
        let routes = format!("{{ \"/b\": \"{url}\" }}");
        let files = [
            ("clients.toml", clients, "", "clients"),
            ("routes.json", routes, "{}", "routes"),
        ];
        let dir = folder_with(&config);
        for (file, text, ..) in &files {
            std::fs::write(dir.path().join(file), text).expect("write a file");
        }
        Self {
            gateway: Gateway::start_in(dir),
            config,
            files,
            _service: service,
        }
    }

    /// The configuration, naming no files any more.
    pub(crate) fn without(&self) -> String {
        let config = self.config.replace("clients_file", "# ");
        config.replace("routes_file", "# ")
    }
}
