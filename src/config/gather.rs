//! All files of a configuration: the main one, and what `include` says, wherever it stands. What is wrong with one file does not
//! keep the others from being read. Their number, depth and size have bounds: a glob may match more than was meant.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use figment::value::{Dict, Value};

use super::delegation::restrict;
use super::diagnostic::{Diagnostics, Place};
use super::document::Document;
use super::environment::{self, Environment};
use super::file_pattern::FilePattern;
use super::grant::Grant;
use super::include::{Include, IncludeError};
use super::merge::merge;
use super::open::{self, Opened};
use super::places::{Key, Places};
use super::read::{Read, Reader};
use super::source::{Source, shown};
use super::spot::{Files, Spots, walk_below};
use crate::path_to;

/// What all files have together.
pub(super) struct Gathered {
    pub(super) files: Files,
    pub(super) values: Dict,
    pub(super) spots: Spots,
    /// What was left out for its own error.
    pub(super) cuts: Vec<Vec<Key>>,
    /// Whether a file could not be read, so that what is missing may stand there.
    pub(super) is_partial: bool,
    /// The files, the main one first, and the patterns that were looked for.
    pub(super) read: FilesRead,
}

/// Which files a configuration is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilesRead {
    /// Those that are there, whether they could be read or not: the main one first.
    pub files: Vec<PathBuf>,
    /// The patterns of `include`, each with the folder of the file that has it.
    pub patterns: Vec<String>,
}

/// Reads the main file, whose text is there already, and everything that it includes.
///
/// # Errors
/// When the main file is no TOML: what it would include is not known.
pub(super) fn gather(
    main: Source,
    path: Option<&Path>,
    environment: &Environment,
    diagnostics: &mut Diagnostics,
) -> Result<Gathered, Diagnostics> {
    let mut gatherer = Gatherer {
        files: Files::default(),
        documents: Vec::new(),
        known: BTreeMap::new(),
        way: Vec::new(),
        bytes: main.text().len(),
        is_partial: false,
        is_full: false,
        read: FilesRead { files: vec![path.map_or_else(|| main.name().into(), Path::to_owned)], ..FilesRead::default() },
        cuts: Vec::new(),
        environment,
        diagnostics,
    };
    gatherer.main(main, path)?;
    let Gatherer { files, documents, is_partial, read, cuts, diagnostics, .. } = gatherer;
    let Document { values, spots } = merge(documents, &files, diagnostics);
    Ok(Gathered { files, values, spots, cuts, is_partial, read })
}

struct Gatherer<'a> {
    files: Files,
    documents: Vec<Document>,
    /// Every file that was met, without links.
    known: BTreeMap<PathBuf, Option<Arc<Grant>>>,
    /// The files that led here.
    way: Vec<Step>,
    bytes: usize,
    is_partial: bool,
    /// Whether no more may be read; it has been said.
    is_full: bool,
    read: FilesRead,
    cuts: Vec<Vec<Key>>,
    environment: &'a Environment,
    diagnostics: &'a mut Diagnostics,
}

struct Step {
    path: PathBuf,
    name: String,
}

impl Gatherer<'_> {
    fn main(&mut self, source: Source, path: Option<&Path>) -> Result<(), Diagnostics> {
        let name = source.name().to_owned();
        let (number, source) = self.files.add(source, None);
        let document = Document::read(&source, number)?;
        let path = path.and_then(|path| path.canonicalize().ok()).unwrap_or_else(|| name.clone().into());
        self.known.insert(path.clone(), None);
        self.way.push(Step { path, name });
        self.document(&source, document, None);
        Ok(())
    }

    /// A document, then what it includes.
    fn document(&mut self, source: &Arc<Source>, mut document: Document, grant: Option<&Grant>) {
        let environment = if grant.is_some() { None } else { Some(self.environment) };
        self.cuts.extend(environment::fill(&mut document, source, environment, &mut self.files, self.diagnostics));
        if let Some(grant) = grant {
            self.cuts.extend(restrict(&mut document, source, grant, self.diagnostics));
        }
        let asked: Vec<_> =
            includes(&document).into_iter().flat_map(|(index, include)| self.asked(index, include, &document, source)).collect();
        self.documents.push(document);
        for asked in asked {
            self.include(source, asked);
        }
    }

    /// Each text of an include, with its place.
    fn asked(&mut self, index: usize, include: Include, document: &Document, source: &Arc<Source>) -> Vec<Asked> {
        let place = |path: &[Key]| {
            let spot = walk_below(&document.spots, path);
            Place::File { source: Arc::clone(source), span: spot.map(|spot| spot.value.clone()).unwrap_or_default() }
        };
        let here = place(&path_to!["include", index]);
        let each_host = |at| place(&path_to!["include", index, "hosts", at]);
        let grant = include.hosts.map(|hosts| Arc::new(Grant::new(hosts, here, each_host, self.diagnostics)));
        let each = include.files.into_iter().enumerate();
        let asked = |(at, written)| Asked { written, place: place(&path_to!["include", index, "files", at]), grant: grant.clone() };
        each.map(asked).collect()
    }

    fn include(&mut self, source: &Arc<Source>, asked: Asked) {
        let paths = match self.paths(source, &asked) {
            Ok(paths) => paths,
            Err(error) => return self.failed(&asked.place, &error),
        };
        for path in paths {
            if self.is_full {
                return;
            }
            if let Err(error) = self.file(path, &asked) {
                self.failed(&asked.place, &error);
            }
        }
    }

    /// The files that a text stands for, by name.
    fn paths(&mut self, source: &Source, asked: &Asked) -> Result<Vec<PathBuf>, IncludeError> {
        let written = &asked.written;
        let Some(pattern) = FilePattern::new(source.folder(), written) else { return Ok(vec![source.folder().join(written)]) };
        let paths = pattern.matches(MOST_FILES + 1)?;
        if let Some(folder) = pattern.missing_folder() {
            let problem = format!("{written:?} matches nothing: there is no folder {}", folder.display());
            self.diagnostics.warning(EMPTY_PATTERN, asked.place.clone(), problem);
        } else if paths.is_empty() && asked.grant.is_some() {
            let problem = format!("{written:?} matches nothing, so the names of this include have no file");
            self.diagnostics.warning(EMPTY_PATTERN, asked.place.clone(), problem);
        }
        self.read.patterns.push(pattern.whole());
        Ok(paths)
    }

    /// Reads a file, unless it has been read already.
    fn file(&mut self, path: PathBuf, asked: &Asked) -> Result<(), IncludeError> {
        let name = shown(&path);
        let real = path.canonicalize().map_err(|error| IncludeError::unreadable(&path, &error))?;
        if let Some(from) = self.way.iter().position(|step| step.path == real) {
            let around = self.way[from..].iter().chain(&self.way[from..=from]);
            let way = around.map(|step| step.name.clone()).collect();
            return Err(IncludeError::Circle { way });
        }
        if let Some(before) = self.known.get(&real) {
            let hosts = |grant: &Option<Arc<Grant>>| grant.as_ref().map(|grant| grant.hosts.clone());
            return if hosts(before) == hosts(&asked.grant) { Ok(()) } else { Err(IncludeError::OtherHosts { name }) };
        }
        if self.known.len() >= MOST_FILES {
            self.is_full = true;
            return Err(IncludeError::TooMany { most: MOST_FILES });
        }
        if self.way.len() > MOST_DEPTH {
            return Err(IncludeError::TooDeep { name, most: MOST_DEPTH });
        }
        self.known.insert(real.clone(), asked.grant.clone());
        self.read.files.push(path.clone());
        let text = match open::text(&path, MOST_BYTES.saturating_sub(self.bytes))? {
            Opened::Text(text) => text,
            Opened::NoText(lossy, at) => {
                self.unusable(open::not_text(Source::of_file(&path, lossy).numbered(self.files.len()), at));
                return Ok(());
            }
            Opened::TooLarge => {
                self.is_full = true;
                return Err(IncludeError::TooLarge { name, most: MOST_BYTES >> 20 });
            }
        };
        self.bytes += text.len();
        let (number, source) = self.files.add(Source::of_file(&path, text), asked.grant.clone());
        match Document::read(&source, number) {
            Ok(mut document) => {
                if asked.grant.is_none() {
                    self.main_only(&source, &mut document);
                }
                self.way.push(Step { path: real, name });
                self.document(&source, document, asked.grant.as_deref());
                self.way.pop();
            }
            Err(wrong) => self.unusable(wrong),
        }
        Ok(())
    }

    /// What concerns the whole stands in the main file, where everybody looks for it.
    fn main_only(&mut self, source: &Arc<Source>, document: &mut Document) {
        let main = self.way.first().map(|step| step.name.clone()).unwrap_or_default();
        for section in MAIN_ONLY {
            let Some(span) = document.spots.get(section).map(|spot| if spot.is_implied() { spot.key.clone() } else { spot.value.clone() })
            else {
                continue;
            };
            document.remove(section);
            self.diagnostics
                .error(Place::File { source: Arc::clone(source), span }, format!("[{section}] stands in the main file only"))
                .label(format!("it belongs into {main}"));
        }
    }

    fn failed(&mut self, place: &Place, error: &IncludeError) {
        self.is_partial = true;
        let complaint = self.diagnostics.error(place.clone(), error.to_string());
        error.instead().map(|instead| complaint.label(instead));
    }

    fn unusable(&mut self, wrong: Diagnostics) {
        self.is_partial = true;
        self.diagnostics.extend(wrong);
    }
}

/// A text of `include`, with its place.
struct Asked {
    written: String,
    place: Place,
    /// What the files may define, if not everything.
    grant: Option<Arc<Grant>>,
}

/// What a document includes, as far as it is said well; the rest is complained of when the whole is read.
fn includes(document: &Document) -> Vec<(usize, Include)> {
    let Some(Value::Array(_, elements)) = document.values.get("include") else { return Vec::new() };
    let read = |element: &Value| {
        let (mut nowhere, mut unheard) = (Places::default(), Diagnostics::new(""));
        let include = Include::read(element.clone(), &mut Reader::new(&mut nowhere, &mut unheard));
        include.filter(|_| unheard.is_empty())
    };
    elements.iter().enumerate().filter_map(|(index, element)| Some((index, read(element)?))).collect()
}

/// The lint of patterns that match nothing and probably should.
const EMPTY_PATTERN: &str = "empty-pattern";

/// What concerns the whole.
const MAIN_ONLY: [&str; 6] = ["process", "log", "admin", "metrics", "defaults", "lints"];

const MOST_FILES: usize = 10_000;
const MOST_DEPTH: usize = 16;
const MOST_BYTES: usize = 256 << 20;
