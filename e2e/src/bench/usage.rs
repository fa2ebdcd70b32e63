//! What a process has used, as the kernel counts it.

use std::{fs, io, path::Path};

/// The unit of times in `/proc/<pid>/stat`: Linux shows user space 100 ticks a second, whatever it
/// counts by itself.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU time and memory of one process since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Usage {
    /// User and system time, in seconds.
    pub cpu: f64,
    /// The most memory that was ever resident, in MiB.
    pub peak_mib: f64,
}

impl Usage {
    /// Of the process whose id is in `pid_file`.
    pub(super) fn of(pid_file: &Path) -> io::Result<Self> {
        let pid = fs::read_to_string(pid_file)?;
        let folder = Path::new("/proc").join(pid.trim());
        let stat = fs::read_to_string(folder.join("stat"))?;
        let status = fs::read_to_string(folder.join("status"))?;
        let malformed = || io::Error::new(io::ErrorKind::InvalidData, "unknown format in /proc");
        parse(&stat, &status).ok_or_else(malformed)
    }
}

fn parse(stat: &str, status: &str) -> Option<Usage> {
    // The name of the program, in parentheses, may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<u64>().ok();
    // utime and stime: fields 14 and 15 of the line, 12th and 13th after the name.
    let used = ticks(11)? + ticks(12)?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = peak.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(Usage {
        cpu: used as f64 / TICKS_PER_SECOND,
        peak_mib: kib / 1024.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_blanks_and_parentheses_do_not_shift_the_fields() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 4 0 100 1 2";
        let status = "Name:\ta\nVmPeak:\t  99999 kB\nVmHWM:\t   61440 kB\n";
        let usage = parse(stat, status);
        let expected = Usage {
            cpu: 3.0,
            peak_mib: 60.0,
        };
        assert_eq!(usage, Some(expected));
    }

    #[test]
    fn this_process_has_used_something() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        fs::write(&file, format!("{}\n", std::process::id())).unwrap();
        assert!(Usage::of(&file).unwrap().peak_mib > 1.0);
    }
}
