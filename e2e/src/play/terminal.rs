//! Plain lines on standard output.

use std::{io::Write as _, time::Instant};

/// Writes what happens, with the time since the start.
#[derive(Debug)]
pub(super) struct Terminal {
    start: Instant,
}

impl Default for Terminal {
    fn default() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Terminal {
    /// Something that happened or begins.
    pub(super) fn step(&self, text: &str) {
        self.say(&format!(
            "{:7.1} s  {text}",
            self.start.elapsed().as_secs_f32()
        ));
    }

    /// Progress within a step.
    pub(super) fn detail(&self, text: &str) {
        self.say(&format!("           {}", text.trim()));
    }

    /// A line. Nobody may be listening any more, which is no reason to stop.
    #[expect(clippy::unused_self, reason = "all output goes through the terminal")]
    pub(super) fn say(&self, text: &str) {
        let mut stdout = std::io::stdout().lock();
        let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
    }
}
