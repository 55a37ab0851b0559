//! `tollgate tail`: follows the requests of a running gateway through its admin port, and goes on with the next
//! one when the gateway hands over, ends or is lost, which it says.

mod door;
mod events;
mod show;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tokio::time::{Instant, sleep};

use crate::app::has_colours;
use crate::config;
use crate::message::escapes::escaped;
use crate::metrics::filter::Statuses;

use door::{Door, Refused, Token};
use events::{Event, Events, Why};
use show::LineStyle;

/// How long to wait before the first try to reach a gateway that was there; each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What the user asks for.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The admin port, as http://HOST:PORT or unix:PATH; else that of the configuration
    #[arg(long, value_name = "URL")]
    admin: Option<String>,
    /// A file with the admin port's token; else `TOLLGATE_ADMIN_TOKEN` of the environment
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Requests of this route alone, by its name
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    /// Requests of this client alone
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// Answers with this status alone, such as 404, or a class of them, such as 5xx
    #[arg(long, value_name = "STATUS", value_parser = status)]
    status: Option<String>,
    /// Requests alone that took so long, such as 200ms
    #[arg(long, value_name = "TIME", value_parser = slow)]
    slow: Option<String>,
    /// Print the whole access line of each request, in JSON
    #[arg(long)]
    json: bool,
}

fn status(text: &str) -> Result<String, String> {
    match Statuses::parse(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err("write a status such as 404, or a class such as 5xx".to_owned()),
    }
}

fn slow(text: &str) -> Result<String, String> {
    config::duration(text).map(|_| text.to_owned())
}

impl Options {
    /// The stream's target, with what requests have to be like.
    fn target(&self) -> String {
        let asked = [
            ("route", &self.route),
            ("client", &self.client),
            ("status", &self.status),
            ("slow", &self.slow),
        ];
        let mut target = "/api/v1/tail".to_owned();
        let mut before = '?';
        for (name, value) in asked {
            if let Some(value) = value {
                target.push(before);
                before = '&';
                target.push_str(name);
                target.push('=');
                target.push_str(&escaped(value));
            }
        }
        target
    }
}

/// Runs the command.
pub(super) fn run(file: &Path, options: &Options) -> ExitCode {
    let found = Token::find(options.token_file.as_deref()).and_then(|token| {
        let door = Door::find(options.admin.as_deref(), file)?;
        Ok((door, token))
    });
    let (door, token) = match found {
        Ok(found) => found,
        Err(why) => return super::fail(&why),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(follow(&door, &token, options)),
        Err(error) => super::fail(&format!(
            "the system refuses what this takes to run: {error}"
        )),
    }
}

/// Follows until nobody reads any more, or the gateway refuses.
async fn follow(door: &Door, token: &Token, options: &Options) -> ExitCode {
    let target = options.target();
    let style = LineStyle {
        json: options.json,
        colours: has_colours(&io::stdout()),
    };
    // Whether it was there once, and whether that it has gone has been said.
    let (mut met, mut gone) = (false, false);
    let mut pause = FIRST_PAUSE;
    loop {
        match door.open(&target, token).await {
            Ok(stream) => {
                if gone {
                    say(&format!("{door} answers again"));
                }
                if !met {
                    say_what_is_not_there(door, token, options).await;
                }
                met = true;
                let begun = Instant::now();
                let why = match print_all(stream, &style).await {
                    Ok(why) => why,
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                        return ExitCode::SUCCESS;
                    }
                    Err(error) => return super::fail(&format!("cannot write the lines: {error}")),
                };
                say(&format!("{door} {}", why.in_words()));
                gone = why != Why::HandedOver;
                // One that ends again and again is not asked again and again at once.
                if begun.elapsed() > LONGEST_PAUSE {
                    pause = FIRST_PAUSE;
                }
            }
            Err(refused) if !met || refused.is_final() => return super::fail(&refused.to_string()),
            Err(_) if gone => {}
            Err(_) => {
                say(&format!("{door} does not answer; waiting for it"));
                gone = true;
            }
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Says which of what is asked for there is none of, for it would be waited for in silence.
async fn say_what_is_not_there(door: &Door, token: &Token, options: &Options) {
    for (what, list, name) in [
        ("route", "routes", &options.route),
        ("client", "clients", &options.client),
    ] {
        if let Some(name) = name
            && door.has(list, name, token).await == Some(false)
        {
            say(&format!(
                "there is no {what} `{name}`: nothing is shown until a reload brings it"
            ));
        }
    }
}

/// Prints the lines of a stream to its end, and says why it ends.
async fn print_all(mut stream: Events, style: &LineStyle) -> io::Result<Why> {
    loop {
        match stream.next().await {
            Event::Line(line) => print(&style.text(&line))?,
            Event::Lost(number) => say(&format!(
                "{number} lines were left out: there were too many at once"
            )),
            Event::End(why) => return Ok(why),
        }
    }
}

impl Why {
    /// What a gateway has done, and what is done about it.
    fn in_words(self) -> &'static str {
        match self {
            Self::HandedOver => {
                "has handed over to a successor, which is followed now; what the old one still finishes is not shown"
            }
            Self::Ended => "has ended; waiting for the next one",
            Self::Lost => "has broken off the connection; waiting for it",
        }
    }
}

/// Says what is going on, beside the lines.
fn say(text: &str) {
    super::complain(&format!("tollgate: {text}\n"));
}

fn print(line: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(line.as_bytes())?;
    output.flush()
}

impl Refused {
    /// Whether asking again would come to the same.
    fn is_final(&self) -> bool {
        matches!(self, Self::Answered { status, .. } if (400..500).contains(status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stands_in_the_query_as_a_query_has_it() {
        let mut options = Options {
            admin: None,
            token_file: None,
            route: None,
            client: None,
            status: None,
            slow: None,
            json: false,
        };
        assert_eq!(options.target(), "/api/v1/tail");
        options.route = Some("/api/ü & more".to_owned());
        options.slow = Some("200ms".to_owned());
        assert_eq!(
            options.target(),
            "/api/v1/tail?route=%2Fapi%2F%C3%BC%20%26%20more&slow=200ms"
        );
        assert!(status("5xx").is_ok() && status("404").is_ok() && status("ok").is_err());
        assert!(slow("200ms").is_ok() && slow("200").is_err());
    }
}
