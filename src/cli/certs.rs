//! `vestibule certs`: certificates for development under `certs/`, by an authority of this folder's own. What is there
//! stays as it is: a user's own certificates may lie beside these.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use rcgen::KeyPair;

use super::authority::{Authority, PRIVATE, PUBLIC, Signed, public, write_new};
use super::{Failure, print};
use crate::tls::certificates_of;
use crate::tls::x509::{CertificateName, Facts};

/// What is to be made.
#[derive(Args, Debug)]
pub(super) struct Wanted {
    /// A host name, a wildcard ("*.dev.test") or an IP address. Each gets a certificate of its own.
    #[arg(required = true, value_name = "HOST", value_parser = host)]
    hosts: Vec<CertificateName>,
}

pub(super) fn certs(wanted: &Wanted) -> Result<(), Failure> {
    let folder = Path::new(FOLDER);
    fs::create_dir_all(folder).map_err(|error| Failure::Run(format!("{FOLDER} can't be made: {error}")))?;
    let mut told = String::new();
    let authority = authority(folder, &mut told)?;
    let mut chains = Vec::new();
    for host in &wanted.hosts {
        let files = Files::of(folder, host);
        files.make(&authority, host, &mut told)?;
        let chain = format!("{:?}", files.chain.display().to_string());
        chains.extend((!chains.contains(&chain)).then_some(chain));
    }
    let list = chains.join(", ");
    let ca = folder.join(CA);
    print(&format!(
        "{told}\nIn routes.toml, with terminate = \"dev\" in a target or a listener:\n\n  [terminate.dev]\n  certificates = [{list}]\n\n\
         Clients that are to trust it: curl --cacert {}\n",
        ca.display()
    ))
}

/// The authority of this folder; made if there is none.
fn authority(folder: &Path, told: &mut String) -> Result<Authority, Failure> {
    let (ca, key) = (folder.join(CA), folder.join(CA_KEY));
    match (ca.exists(), key.exists()) {
        (true, true) => known(&ca, &key),
        (false, false) => {
            let made = Authority::new(NAME).map_err(Failure::run)?;
            write_new(&key, &made.key_pem(), PRIVATE).map_err(Failure::run)?;
            write_new(&ca, made.pem(), PUBLIC).map_err(Failure::run)?;
            told.push_str(&format!(
                "{}: an authority for development, made; its key, {}, is for nobody else\n",
                ca.display(),
                key.display()
            ));
            Ok(made)
        }
        (has_ca, _) => {
            let (there, missing) = if has_ca { (ca, key) } else { (key, ca) };
            Err(Failure::Run(format!(
                "{} is there without {}, so nothing can be signed; run it in another folder, or move {} away for a new authority",
                there.display(),
                missing.display(),
                there.display()
            )))
        }
    }
}

/// The authority that was made before. Somebody else's is not taken for it.
fn known(ca: &Path, key: &Path) -> Result<Authority, Failure> {
    let unreadable = |path: &Path, error: &dyn ToString| Failure::Run(format!("{} can't be used: {}", path.display(), error.to_string()));
    let certificates = certificates_of(ca).map_err(Failure::run)?;
    let facts = certificates.first().map(Facts::of).transpose().map_err(|error| unreadable(ca, &error))?;
    let text = fs::read_to_string(key).map_err(|error| unreadable(key, &error))?;
    let pair = KeyPair::from_pem(&text).map_err(|error| unreadable(key, &error))?;
    let is_ours = facts.is_some_and(|facts| facts.subject == format!("CN={NAME}") && facts.is_key(&public(&pair)));
    if !is_ours {
        let problem = format!("{} and {} are not the authority that this makes; run it in another folder", ca.display(), key.display());
        return Err(Failure::Run(problem));
    }
    let pem = fs::read_to_string(ca).map_err(|error| unreadable(ca, &error))?;
    Authority::again(NAME, pem, pair).map_err(Failure::run)
}

/// Where a host's certificate and key lie.
struct Files {
    chain: PathBuf,
    key: PathBuf,
}

impl Files {
    fn of(folder: &Path, host: &CertificateName) -> Self {
        // Neither a pattern of file names nor a path of Windows is to be made of it.
        let name = host.to_string().replace('*', "_").replace(':', "-");
        let name = if format!("{name}.pem") == CA { format!("{name}-host") } else { name };
        Self { chain: folder.join(format!("{name}.pem")), key: folder.join(format!("{name}.key")) }
    }

    fn make(&self, authority: &Authority, host: &CertificateName, told: &mut String) -> Result<(), Failure> {
        let (chain, key) = (self.chain.display(), self.key.display());
        match (self.chain.exists(), self.key.exists()) {
            (true, true) => {
                told.push_str(&format!("{chain}: there already and left as it is; delete it and {key} to have a new one made\n"));
                Ok(())
            }
            (false, false) => {
                let host = host.to_string();
                let Signed { chain: pem, key: key_pem } = authority.sign(&host, &[&host]).map_err(Failure::run)?;
                write_new(&self.key, &key_pem, PRIVATE).map_err(Failure::run)?;
                write_new(&self.chain, &pem, PUBLIC).map_err(Failure::run)?;
                told.push_str(&format!("{chain}: for {host}, made; its key is {key}\n"));
                Ok(())
            }
            (true, false) => Err(Failure::Run(format!("{chain} is there without {key}: it is left as it is, and no other one made"))),
            (false, true) => Err(Failure::Run(format!("{key} is there without {chain}: it is left as it is, and no other one made"))),
        }
    }
}

fn host(text: &str) -> Result<CertificateName, String> {
    CertificateName::parse(text).ok_or_else(|| "neither a host name, a wildcard (\"*.dev.test\") nor an IP address".into())
}

const FOLDER: &str = "certs";
const CA: &str = "ca.pem";
const CA_KEY: &str = "ca.key";
const NAME: &str = "vestibule development CA";
