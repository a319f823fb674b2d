//! The files that a profile stands on, and whether they are still what they were: looked at without being read, then
//! read. What is watched for changes are folders, those of links on the way included: a file that is replaced by a
//! rename, or by a link that leads elsewhere, is another file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};

use super::client_settings::{ClientSettings, Trust};
use super::settings::{CertificateFiles, ServerSettings, Tickets};

/// The files of a profile.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// Files of certificates, or patterns of these, and whether each has its key beside it.
    chains: Vec<(PathBuf, bool)>,
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
        let chains = all.iter().map(|files| (files.chain.clone(), files.key.is_none())).collect();
        let beside = |files: &CertificateFiles| [files.key.clone(), files.password_file.clone(), files.ocsp.clone()];
        Self { chains, others: all.iter().flat_map(beside).flatten().collect() }
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
        for path in self.all().iter().chain(self.chains.iter().map(|(pattern, _)| pattern)) {
            follow(path, &mut folders);
        }
        let known = |folder: PathBuf| fs::metadata(&folder).ok().map(|told| (folder, (told.dev(), told.ino())));
        folders.into_iter().filter_map(known).collect()
    }

    /// Every file, whether it is there or not; of patterns those that are there.
    fn all(&self) -> BTreeSet<PathBuf> {
        let mut all: BTreeSet<_> = self.others.iter().cloned().collect();
        for (pattern, has_key_beside) in &self.chains {
            for chain in matches(pattern) {
                if *has_key_beside {
                    all.insert(chain.with_extension("key"));
                }
                all.insert(chain);
            }
        }
        all
    }
}

/// The files that a pattern stands for; what is no pattern stands for itself.
fn matches(pattern: &Path) -> Vec<PathBuf> {
    let text = pattern.to_str().filter(|text| text.contains(['*', '?', '[']));
    match text.and_then(|text| glob::glob(text).ok()) {
        Some(found) if !pattern.exists() => found.flatten().collect(),
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
        Files { chains: Vec::new(), others: vec![path.to_owned()] }
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
        let files = Files { chains: vec![(root.join("shop-*.pem"), true)], others: Vec::new() };
        assert_eq!(watched(&files, &root), [""], "where a file may come that it matches");
        let before = files.stamp();
        fs::write(root.join("shop-a.pem"), "1").unwrap();
        assert_ne!(files.stamp(), before);
        let before = files.contents();
        fs::write(root.join("shop-a.key"), "1").unwrap();
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
