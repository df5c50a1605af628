//! What the system says of the memory of this process.

/// Bytes of memory of a kind by its name in `/proc/self/status`: `VmHWM` is the most that ever was in memory, mapped
/// files included, `RssAnon` what is there now and is no mapped file. `None` where there is no such thing (not Linux).
pub fn memory(kind: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(kind)?.strip_prefix(':'))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// How often this process had to wait for a page to come from the disk. `None` where it cannot be told (not Linux).
pub fn major_faults() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name, in brackets, may hold anything; the twelfth field is the tenth after it.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(9)?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_memory() {
        assert!(memory("VmHWM").unwrap() >= memory("RssAnon").unwrap());
        assert!(major_faults().is_some());
    }
}
