//! The files that a profile stands on, and whether they are still what they were: looked at without being read, then
//! read. What is watched for changes are folders, those of links on the way included: a file that is replaced by a
//! rename, or by a link that leads elsewhere, is another file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};

use super::client_settings::{ClientSettings, Trust};
use super::settings::{CertificateFiles, ServerSettings, Tickets, is_pattern};

/// The files of a profile.
#[derive(Clone, Debug, Default)]
pub struct Files {
    certificates: Vec<CertificateFiles>,
    others: Vec<PathBuf>,
}

/// What can be told of files without reading them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp(Vec<(PathBuf, Option<[i64; 7]>)>);

/// What is in files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents(Vec<u8>);

impl Files {
    /// Those of a profile towards clients.
    #[must_use]
    pub fn of_server(settings: &ServerSettings) -> Self {
        let mut files = Self::of_certificates(&settings.certificates);
        if let Tickets::KeyFiles(keys) = &settings.tickets {
            files.others.extend(keys.iter().cloned());
        }
        if let Some(auth) = &settings.client_auth {
            files.others.extend([&auth.ca].into_iter().chain(&auth.crls).cloned());
        }
        files
    }

    /// Those of TLS towards servers. The system's authorities are not among them.
    #[must_use]
    pub fn of_client(settings: &ClientSettings) -> Self {
        let mut files = Self::of_certificates(settings.identity.as_slice());
        if let Trust::File(ca) = &settings.trust {
            files.others.push(ca.clone());
        }
        files
    }

    fn of_certificates(all: &[CertificateFiles]) -> Self {
        let beside = |files: &CertificateFiles| [files.password_file.clone(), files.ocsp.clone()];
        Self { certificates: all.to_vec(), others: all.iter().flat_map(beside).flatten().collect() }
    }

    /// What can be told of them without reading them.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        let stamped = |path: PathBuf| {
            let told = fs::metadata(&path).ok().map(|told| stamp(&told));
            (path, told)
        };
        Stamp(self.all().into_iter().map(stamped).collect())
    }

    /// What is in them. Of what is no plain file (a pipe would be empty afterwards) nothing is read.
    #[must_use]
    pub fn contents(&self) -> Contents {
        let mut digest = Context::new(&SHA256);
        for path in self.all() {
            let is_plain = fs::metadata(&path).is_ok_and(|told| told.is_file());
            let bytes = if is_plain { fs::read(&path).ok() } else { None };
            let name = path.as_os_str().as_encoded_bytes();
            let (bytes, is_read) = (bytes.as_deref().unwrap_or_default(), bytes.is_some());
            digest.update(&[name.len().to_be_bytes(), bytes.len().to_be_bytes(), usize::from(is_read).to_be_bytes()].concat());
            digest.update(name);
            digest.update(bytes);
        }
        Contents(digest.finish().as_ref().to_vec())
    }

    /// The folders in which a change may concern them, each with what tells it from another of the same name. Of one
    /// that is not there, the nearest above it.
    #[must_use]
    pub fn folders(&self) -> BTreeMap<PathBuf, (u64, u64)> {
        let mut folders = BTreeSet::new();
        for path in self.all().iter().chain(self.certificates.iter().map(|files| &files.chain)) {
            follow(path, &mut folders);
        }
        // Where a file may come that a pattern matches.
        for chain in self.certificates.iter().map(|files| &files.chain) {
            let above = chain.parent().map(matches).unwrap_or_default();
            above.iter().for_each(|folder| follow(&folder.join("*"), &mut folders));
        }
        let known = |folder: PathBuf| fs::metadata(&folder).ok().map(|told| (folder, (told.dev(), told.ino())));
        folders.into_iter().filter_map(known).collect()
    }

    /// Every file, whether it is there or not; of patterns those that are there.
    fn all(&self) -> BTreeSet<PathBuf> {
        let mut all: BTreeSet<_> = self.others.iter().cloned().collect();
        for files in &self.certificates {
            for chain in matches(&files.chain) {
                all.insert(files.key_for(&chain).unwrap_or_else(|| chain.with_extension("key")));
                all.insert(chain);
            }
        }
        all
    }
}

/// The files that a pattern stands for; what is no pattern stands for itself.
fn matches(pattern: &Path) -> Vec<PathBuf> {
    let text = pattern.to_str().filter(|_| is_pattern(pattern));
    match text.and_then(|text| glob::glob(text).ok()) {
        Some(found) => found.flatten().collect(),
        _ => vec![pattern.to_owned()],
    }
}

fn stamp(told: &Metadata) -> [i64; 7] {
    let (device, inode, size) = (told.dev().cast_signed(), told.ino().cast_signed(), told.size().cast_signed());
    match told.is_file() {
        true => [device, inode, size, told.mtime(), told.mtime_nsec(), told.ctime(), told.ctime_nsec()],
        false => [device, inode, 0, 0, 0, 0, 0],
    }
}

/// Notes the folder of a path, and that of each link on the way.
fn follow(path: &Path, folders: &mut BTreeSet<PathBuf>) {
    let mut left: Vec<_> = components(path);
    let mut at = PathBuf::new();
    let mut links = 0;
    while let Some(component) = left.pop() {
        // What stands before is a folder and no link, so that this is the way back.
        if component == Path::new("..") && at.file_name().is_some() {
            at.pop();
            continue;
        }
        let next = at.join(&component);
        match fs::read_link(&next) {
            Ok(target) if links < MOST_LINKS => {
                links += 1;
                folders.insert(folder(&at));
                left.extend(components(&target));
                if target.is_absolute() {
                    at = PathBuf::new();
                }
            }
            _ if left.is_empty() || !next.is_dir() => {
                folders.insert(folder(&at));
                return;
            }
            _ => at = next,
        }
    }
}

/// The parts of a path, the last first.
fn components(path: &Path) -> Vec<PathBuf> {
    let kept = path.components().filter(|component| *component != Component::CurDir);
    kept.map(|component| PathBuf::from(component.as_os_str())).rev().collect()
}

fn folder(path: &Path) -> PathBuf {
    if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.to_owned() }
}

/// As many as Linux follows (path_resolution(7)).
const MOST_LINKS: usize = 40;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn files(path: &Path) -> Files {
        Files { certificates: Vec::new(), others: vec![path.to_owned()] }
    }

    fn watched(files: &Files, root: &Path) -> Vec<String> {
        let below = |folder: &PathBuf| folder.strip_prefix(root).ok().map(|rest| rest.to_str().unwrap().to_owned());
        files.folders().keys().filter_map(below).collect()
    }

    fn root() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        (folder, root)
    }

    #[test]
    fn the_folders_of_all_links_on_the_way_are_watched() {
        let (_folder, root) = root();
        fs::create_dir_all(root.join("live/site")).unwrap();
        fs::create_dir_all(root.join("archive/one")).unwrap();
        fs::write(root.join("archive/one/chain.pem"), "1").unwrap();
        symlink("one", root.join("archive/current")).unwrap();
        symlink("../../archive/current/chain.pem", root.join("live/site/chain.pem")).unwrap();
        assert_eq!(watched(&files(&root.join("live/site/chain.pem")), &root), ["archive", "archive/one", "live/site"]);
    }

    #[test]
    fn of_a_folder_that_is_not_there_the_nearest_above_is_watched() {
        let (_folder, root) = root();
        assert_eq!(watched(&files(&root.join("later/still/chain.pem")), &root), [""]);
    }

    #[test]
    fn links_in_a_circle_are_followed_to_an_end() {
        let (_folder, root) = root();
        symlink("b", root.join("a")).unwrap();
        symlink("a", root.join("b")).unwrap();
        assert_eq!(watched(&files(&root.join("a")), &root), [""]);
    }

    #[test]
    fn a_folder_that_took_the_place_of_another_is_another() {
        let (_folder, root) = root();
        let files = files(&root.join("certs/chain.pem"));
        fs::create_dir(root.join("certs")).unwrap();
        let before = files.folders();
        fs::rename(root.join("certs"), root.join("old")).unwrap();
        fs::create_dir(root.join("certs")).unwrap();
        assert_ne!(files.folders(), before);
    }

    #[test]
    fn a_touched_file_has_another_stamp_and_the_same_contents() {
        let (_folder, root) = root();
        let path = root.join("chain.pem");
        fs::write(&path, "1").unwrap();
        let files = files(&path);
        let (stamp, contents) = (files.stamp(), files.contents());
        fs::write(root.join("new"), "1").unwrap();
        fs::rename(root.join("new"), &path).unwrap();
        assert_ne!(files.stamp(), stamp);
        assert_eq!(files.contents(), contents);
        fs::write(&path, "2").unwrap();
        assert_ne!(files.contents(), contents);
    }

    #[test]
    fn a_pattern_stands_for_what_is_there_with_the_keys_beside() {
        let (_folder, root) = root();
        let files =
            Files::of_certificates(&[CertificateFiles { chain: root.join("shop-*.pem"), key: None, password_file: None, ocsp: None }]);
        assert_eq!(watched(&files, &root), [""], "where a file may come that it matches");
        let before = files.stamp();
        fs::write(root.join("shop-a.pem"), "1").unwrap();
        assert_ne!(files.stamp(), before);
        let before = files.contents();
        fs::write(root.join("shop-a.key"), "1").unwrap();
        assert_ne!(files.contents(), before);
    }

    #[test]
    fn keys_in_the_folders_of_the_chains_are_followed() {
        let (_folder, root) = root();
        let live = |file: &str| root.join("live").join(file);
        let (chain, key) = (live("*/fullchain.pem"), Some(live("*/privkey.pem")));
        let files = Files::of_certificates(&[CertificateFiles { chain, key, password_file: None, ocsp: None }]);
        fs::create_dir_all(live("a.test")).unwrap();
        assert_eq!(watched(&files, &root), ["live", "live/a.test"], "where the first file is still to come");
        fs::write(live("a.test/fullchain.pem"), "1").unwrap();
        let before = files.contents();
        fs::write(live("a.test/privkey.pem"), "1").unwrap();
        assert_ne!(files.contents(), before);
    }

    #[test]
    fn a_pipe_is_never_read() {
        let (_folder, root) = root();
        let path = root.join("passwords");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let files = files(&path);
        assert_eq!(files.contents(), files.contents());
    }
}
