//! The command line: what the user typed, and which command does it. Errors go to standard error.
//! Exits with 0 when done, 1 when it failed, 2 when the command line itself is wrong.

mod check;
mod explain;
mod import;
mod keys;
mod manual;
mod new_key;
mod run;
mod tail;
mod usage;

use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::app::Process;
use crate::config::{self, Loaded, Problems};
use crate::message::own_keys;

const EXAMPLES: &str = "\
Examples:
  tollgate                                     serve what ./tollgate.toml describes
  tollgate check -c conf/tollgate.toml         is the file good?
  tollgate explain GET /api/orders/7 --client mobile-app
  tollgate tail --status 5xx                   follow what a running gateway answers
  tollgate keys new mobile-app                 make a key for a client
  tollgate completions bash                    complete commands in a shell

Signals: SIGTERM, SIGINT and SIGQUIT drain and stop, SIGHUP reloads the file, SIGUSR1 reopens the
access log, SIGUSR2 starts the program anew and hands over to it.";

const FILE_HELP: &str = "The configuration: TOML, or JSON or YAML in a file that is called so; `-` is standard input \
[env: TOLLGATE_CONFIG] [default: tollgate.toml]";

const DEFAULT_FILE: &str = "tollgate.toml";

/// An API gateway: who is calling, what may they reach, how much, and then a streaming reverse proxy.
#[derive(Debug, Parser)]
#[command(name = "tollgate", version = crate::VERSION, after_help = EXAMPLES, max_term_width = 100)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    config: Config,
}

#[derive(Debug, Args)]
struct Config {
    #[arg(short = 'c', long = "config", value_name = "FILE", help = FILE_HELP, global = true)]
    file: Option<PathBuf>,
}

impl Config {
    /// Takes what the environment says, where the command line says nothing. A variable that is empty
    /// is one that is not set, as scripts and compose files write it.
    fn or_environment(mut self) -> Self {
        let named = || env::var_os("TOLLGATE_CONFIG").filter(|file| !file.is_empty());
        self.file = self.file.or_else(|| named().map(PathBuf::from));
        self
    }

    fn file(&self) -> &Path {
        self.file.as_deref().unwrap_or(Path::new(DEFAULT_FILE))
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until told to stop; what `tollgate` alone does
    Run,
    /// Check the configuration, and warn of what is odd in it
    Check(check::Options),
    /// Tell what would become of a request, and why; nothing is sent or counted
    Explain(explain::Options),
    /// Follow the requests of a running gateway as it answers them
    Tail(tail::Options),
    /// Make keys for clients, list those that there are, and hash them
    #[command(subcommand)]
    Keys(Keys),
    /// Print the JSON Schema of the configuration, for editors
    Schema,
    /// Print what completes commands in a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, to be shown by `man -l -`
    Man,
    /// Make a configuration from another gateway's
    #[command(subcommand)]
    Import(import::Import),
}

#[derive(Debug, Subcommand)]
enum Keys {
    /// Print a fresh key, this once, and the lines of the configuration that let it in
    New(new_key::Options),
    /// List all clients with the ids and lifetimes of their keys
    List {
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Read a key from standard input and print its hash
    Hash {
        /// Where a key does not belong.
        #[arg(hide = true)]
        key: Option<String>,
    },
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    // First of all: a signal that nobody has asked for yet ends the process.
    let process = run::is_meant(env::args_os()).then(Process::begin);
    let line = match CommandLine::try_parse() {
        Ok(line) => CommandLine {
            config: line.config.or_environment(),
            ..line
        },
        Err(wrong) => {
            let wrong = usage::with_tip(wrong);
            // Help and version are no errors, and go to standard output.
            let code = u8::try_from(wrong.exit_code()).unwrap_or(2);
            let _ = wrong.print();
            return ExitCode::from(code);
        }
    };
    let file = line.config.file();
    match line.command.unwrap_or(Command::Run) {
        Command::Run => run::run(process.unwrap_or_else(Process::begin), file),
        Command::Check(options) => check::run(file, &options),
        Command::Explain(options) => explain::run(file, &options),
        Command::Tail(options) => tail::run(file, &options),
        Command::Keys(Keys::New(options)) => new_key::run(&line.config, &options),
        Command::Keys(Keys::List { json }) => keys::list(file, json),
        Command::Keys(Keys::Hash { key: None }) => keys::hash(io::stdin().lock()),
        Command::Keys(Keys::Hash { .. }) => keys::refuse_argument(),
        Command::Schema => print(&config::schema()),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut CommandLine::command(), "tollgate", &mut text);
            print_bytes(&text)
        }
        Command::Man => print_bytes(&manual::page(CommandLine::command())),
        Command::Import(import) => import::run(&import),
    }
}

/// Reads the configuration.
fn read(file: &Path) -> Result<Loaded, Problems> {
    config::load(file, &config::environment)
}

/// Reads the configuration, or says what is wrong with it.
fn load(file: &Path) -> Result<Loaded, ExitCode> {
    read(file).map_err(|problems| {
        complain(&problems.to_string());
        ExitCode::FAILURE
    })
}

/// Prints a command's result. Whoever reads it may stop before its end (`tollgate ... | head`),
/// which is no failure.
fn print(text: &str) -> ExitCode {
    print_bytes(text.as_bytes())
}

fn print_bytes(text: &[u8]) -> ExitCode {
    let mut output = io::stdout().lock();
    match output.write_all(text).and_then(|()| output.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => fail(&format!("cannot write the result: {error}")),
    }
}

/// Says why a command failed.
fn fail(why: &str) -> ExitCode {
    complain(&format!("tollgate: {why}\n"));
    ExitCode::FAILURE
}

/// Writes to standard error, without keys. If that is closed, there is nobody to tell.
fn complain(text: &str) {
    let text = own_keys::hidden(text);
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn the_file_may_be_named_before_and_after_the_command() {
        for line in [
            &["tollgate", "-c", "x.toml"][..],
            &["tollgate", "run", "-c", "x.toml"],
            &["tollgate", "-c", "x.toml", "check"],
            &["tollgate", "check", "--config", "x.toml"],
        ] {
            let parsed = CommandLine::try_parse_from(line).unwrap();
            assert_eq!(parsed.config.file(), Path::new("x.toml"));
        }
        let parsed = CommandLine::try_parse_from(["tollgate"]).unwrap();
        assert_eq!(parsed.config.file(), Path::new("tollgate.toml"));
    }

    #[test]
    fn wrong_usage_exits_with_2() {
        for line in [
            &["tollgate", "serve"][..],
            &["tollgate", "keys"],
            &["tollgate", "keys", "new"],
            &["tollgate", "explain", "GET"],
            &["tollgate", "explain", "GET", "/", "--from", "here"],
            &["tollgate", "explain", "GET", "/", "--expect", "600"],
        ] {
            assert_eq!(
                CommandLine::try_parse_from(line).unwrap_err().exit_code(),
                2
            );
        }
    }
}
