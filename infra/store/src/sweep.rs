use std::{
    io,
    path::Path,
    time::{Duration, SystemTime},
};

use crate::{
    disk::{Disk, DiskError, Precondition},
    list::{Query, list},
};

/// Objects below a prefix that are removed once they are old.
#[derive(Clone, Debug)]
pub struct Expiry {
    /// The prefix.
    pub prefix: String,
    /// The age.
    pub max_age: Duration,
}

/// Objects that one pass looks at between two looks at the clock; keeps the memory of a pass small.
const PAGE: usize = 1000;

/// Removes the objects of a bucket that are older than a rule allows. Returns how many.
pub(crate) fn sweep(disk: &Disk, bucket: &str, rule: &Expiry, now: SystemTime) -> io::Result<u64> {
    let mut removed = 0;
    let Ok(folder) = disk.bucket(bucket) else { return Ok(0) };
    let mut query = Query { prefix: rule.prefix.clone(), max: PAGE, ..Query::default() };
    loop {
        let page = list(Path::new(&folder), &query)?;
        for object in &page.objects {
            let age = now.duration_since(object.modified).unwrap_or_default();
            if age < rule.max_age {
                continue;
            }
            // Not what has been written since.
            match disk.delete(bucket, &object.key, &Precondition::Matches(object.etag.clone())) {
                Ok(()) => removed += 1,
                Err(DiskError::Io(error)) => return Err(error),
                Err(_) => {}
            }
        }
        match page.objects.last() {
            Some(last) if page.truncated => query.after.clone_from(&last.key),
            _ => return Ok(removed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{disk::Durability, object::Headers};

    #[test]
    fn only_what_is_old_and_below_the_prefix_goes() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::open(dir.path(), Durability::Process).unwrap();
        disk.create_bucket("b").unwrap();
        for key in ["live/a", "live/b/c", "meta/a"] {
            let draft = disk.draft().unwrap();
            disk.commit("b", key, disk.finish(draft, Headers::default()).unwrap(), &Precondition::None).unwrap();
        }
        let rule = Expiry { prefix: "live/".into(), max_age: Duration::from_secs(60) };
        let now = disk.get("b", "live/a").unwrap().modified;
        assert_eq!(sweep(&disk, "b", &rule, now + Duration::from_secs(59)).unwrap(), 0);
        assert_eq!(sweep(&disk, "b", &rule, now + Duration::from_secs(3600)).unwrap(), 2);
        assert!(disk.get("b", "meta/a").is_ok());
        assert!(disk.get("b", "live/a").is_err());
    }
}
