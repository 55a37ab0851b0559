//! The texts that the old gateway's configuration was read from, on their way to the successor. They may
//! hold secrets and be large, so they go over the pair of sockets alone, in parts.

use super::channel::{Channel, Kind, Lost};
use crate::config::Texts;

/// How much of a text a message has.
const PART: usize = 32 << 10;
/// How much all of them may come to: more than the largest files that a configuration may have.
const LARGEST: usize = 128 << 20;

/// Tells the successor.
pub(super) fn send(channel: &Channel, texts: &Texts) -> Result<(), Lost> {
    for (name, text) in texts.iter() {
        channel.send(Kind::ReadFile, name.as_bytes())?;
        for part in text.as_bytes().chunks(PART) {
            channel.send(Kind::Text, part)?;
        }
    }
    channel.send(Kind::AllTexts, b"")
}

/// What the old gateway tells.
pub(super) fn receive(channel: &Channel) -> Result<Texts, Lost> {
    let mut files: Vec<[Vec<u8>; 2]> = Vec::new();
    let mut room = LARGEST;
    loop {
        let message = channel.receive()?;
        room = room.checked_sub(message.text.len()).ok_or(Lost::Odd)?;
        match message.kind {
            Kind::ReadFile => files.push([message.text, Vec::new()]),
            Kind::Text => {
                let [_, text] = files.last_mut().ok_or(Lost::Odd)?;
                text.extend(message.text);
            }
            Kind::AllTexts => break,
            _ => return Err(Lost::Odd),
        }
    }
    let mut texts = Texts::default();
    for file in &files {
        let [name, text] = file.each_ref().map(|it| String::from_utf8_lossy(it));
        texts.add(&name, &text);
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn texts_come_as_they_went_also_large_and_empty_ones() {
        let (old, end) = Channel::pair().unwrap();
        let new = Channel::inherited(end);
        new.set_patience(Duration::from_secs(10)).unwrap();
        let mut sent = Texts::default();
        // A character may stand in two parts.
        sent.add("/etc/main.toml", &"ä€".repeat(1 << 20));
        sent.add("empty.toml", "");
        sent.add("last.json", "{}");
        let sending = thread::spawn(move || send(&old, &sent).map(|()| (old, sent)));
        let received = receive(&new).unwrap();
        let (old, sent) = sending.join().unwrap().unwrap();
        assert!(received.iter().eq(sent.iter()));
        old.send(Kind::Text, b"of no file").unwrap();
        assert!(matches!(receive(&new), Err(Lost::Odd)));
        old.send(Kind::Serve, b"").unwrap();
        assert!(matches!(receive(&new), Err(Lost::Odd)));
    }
}
