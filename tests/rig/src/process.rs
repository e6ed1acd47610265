//! What the kernel says about a process: the time that it computed, and the memory that it holds.

use std::{collections::BTreeMap, fs, time::Duration};

/// User and system time so far, of the process alone: without its children, with all its threads.
pub fn cpu(pid: u32) -> Duration {
    let ticks = |stat: &str| -> Option<u64> {
        // The second field is the name, in brackets, and may contain anything.
        let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
        Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
    };
    // /proc counts in hundredths of a second on every architecture.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    Duration::from_millis(ticks(&stat).unwrap_or(0) * 10)
}

/// Resident memory in bytes, without what is shared with files on disk (the program itself and its libraries).
pub fn memory(pid: u32) -> u64 {
    status(pid, "RssAnon:")
}

/// All resident memory in bytes.
pub fn resident(pid: u32) -> u64 {
    status(pid, "VmRSS:")
}

fn status(pid: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// The processes that a process has started, and those that they have started, by id with their names.
pub fn descendants(parent: u32) -> BTreeMap<u32, String> {
    let mut parents = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let Some((head, tail)) = stat.rsplit_once(") ") else { continue };
        let name = head.split_once('(').map(|(_, name)| name.to_owned()).unwrap_or_default();
        let of = tail.split(' ').nth(1).and_then(|of| of.parse::<u32>().ok()).unwrap_or(0);
        parents.insert(pid, (of, name));
    }
    let mut found = BTreeMap::new();
    let mut look = vec![parent];
    while let Some(of) = look.pop() {
        for (pid, (_, name)) in parents.iter().filter(|(_, (ppid, _))| *ppid == of) {
            found.insert(*pid, name.clone());
            look.push(*pid);
        }
    }
    found
}
