//! `tollgate man`: the manual page, from the same declaration as the command line.

use clap::Command;
use clap_mangen::Man;

const FILES: &str = r".SH FILES
.TP
\fItollgate.toml\fR
The configuration, if neither \fB\-c\fR nor \fBTOLLGATE_CONFIG\fR names another. \fBtollgate schema\fR prints what may stand in it.
.SH EXIT STATUS
0 when done, 1 when it failed or the configuration has problems, 2 when the command line is wrong.
";

/// All commands on one page.
pub(super) fn page(mut command: Command) -> Vec<u8> {
    // Each command gets the options that hold for all.
    command.build();
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    let begun = man
        .render_title(&mut page)
        .and_then(|()| man.render_name_section(&mut page))
        .and_then(|()| man.render_synopsis_section(&mut page))
        .and_then(|()| man.render_description_section(&mut page))
        .and_then(|()| man.render_options_section(&mut page));
    begun.expect("writing to memory never fails");
    page.extend_from_slice(b".SH COMMANDS\n");
    for below in command.get_subcommands() {
        add(below, &mut page);
    }
    page.extend_from_slice(FILES.as_bytes());
    // Filled lines would tear the examples.
    page.extend_from_slice(b".SH EXAMPLES AND SIGNALS\n.nf\n");
    let extra = command.get_after_help().map(ToString::to_string);
    let extra = extra.unwrap_or_default().replace('-', r"\-");
    page.extend_from_slice(extra.as_bytes());
    page.extend_from_slice(b"\n.fi\n");
    page
}

/// Adds what a command does, and its own options.
fn add(command: &Command, page: &mut Vec<u8>) {
    if command.get_name() == "help" {
        return;
    }
    if command.has_subcommands() {
        command.get_subcommands().for_each(|below| add(below, page));
        return;
    }
    let own = command.get_arguments().filter(|argument| {
        !argument.is_global_set() && argument.get_id() != "help" && !argument.is_hide_set()
    });
    let name = command.get_bin_name().unwrap_or_default().to_owned();
    let mut shown = Command::new("command")
        .bin_name(name.as_str())
        .disable_help_flag(true)
        .args(own);
    if let Some(about) = command.get_about() {
        shown = shown.about(about.clone());
    }
    let has_own = shown.get_arguments().next().is_some();
    let man = Man::new(shown);
    let mut section = Vec::new();
    let done = man
        .render_synopsis_section(&mut section)
        .and_then(|()| man.render_description_section(&mut section))
        .and_then(|()| {
            if has_own {
                man.render_options_section(&mut section)
            } else {
                Ok(())
            }
        });
    done.expect("writing to memory never fails");
    page.extend_from_slice(format!(".SS {}\n", name.replace('-', r"\-")).as_bytes());
    // Within a section there are paragraphs.
    let text = String::from_utf8_lossy(&section);
    for line in text
        .lines()
        .filter(|line| !line.starts_with(".ie") && !line.starts_with(".el"))
    {
        let line = if line.starts_with(".SH ") {
            ".PP"
        } else {
            line
        };
        page.extend_from_slice(line.as_bytes());
        page.push(b'\n');
    }
}
