//! A certificate authority of the sandbox's own, and what it signs.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use thiserror::Error;

/// Where the certificates of a sandbox and their keys are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TlsFiles {
    /// The authority that signed both certificates.
    pub ca: PathBuf,
    /// What the peers show: good for `localhost` and `127.0.0.1`.
    pub server_cert: PathBuf,
    /// Its key.
    pub server_key: PathBuf,
    /// What a client may show.
    pub client_cert: PathBuf,
    /// Its key.
    pub client_key: PathBuf,
}

/// Why there are no certificates.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// A directory that is there, with something of ours in it but not all.
    #[error("{} has some of the certificate files and not all; remove those it has", .0.display())]
    Incomplete(PathBuf),
    /// A certificate could not be made.
    #[error("cannot make a certificate")]
    Make(#[from] rcgen::Error),
    /// A file could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

impl TlsFiles {
    fn inside(dir: &Path) -> Self {
        Self {
            ca: dir.join("ca.pem"),
            server_cert: dir.join("server.pem"),
            server_key: dir.join("server.key"),
            client_cert: dir.join("client.pem"),
            client_key: dir.join("client.key"),
        }
    }

    fn all(&self) -> [&PathBuf; 5] {
        [
            &self.ca,
            &self.server_cert,
            &self.server_key,
            &self.client_cert,
            &self.client_key,
        ]
    }

    /// Returns the files in `dir`; makes them if none of them is there yet.
    pub(super) fn provide(dir: &Path) -> Result<Self, CertificateError> {
        let files = Self::inside(dir);
        let there = files.all().into_iter().filter(|it| it.exists()).count();
        if there == files.all().len() {
            return Ok(files);
        }
        if there > 0 {
            return Err(CertificateError::Incomplete(dir.to_owned()));
        }
        fs::create_dir_all(dir).map_err(|source| CertificateError::Write {
            path: dir.to_owned(),
            source,
        })?;
        files.make()?;
        Ok(files)
    }

    fn make(&self) -> Result<(), CertificateError> {
        let ca_key = KeyPair::generate()?;
        let mut params = named("dbwarden sandbox CA", Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca = params.self_signed(&ca_key)?;
        let issuer = Issuer::new(params, ca_key);
        write(&self.ca, &ca.pem(), 0o644)?;

        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = named("dbwarden sandbox", names)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        sign(&params, &issuer, &self.server_cert, &self.server_key)?;

        let mut params = named("dbwarden sandbox client", Vec::new())?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        sign(&params, &issuer, &self.client_cert, &self.client_key)
    }
}

fn named(name: &str, alternatives: Vec<String>) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(alternatives)?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn sign(
    params: &CertificateParams,
    issuer: &Issuer<'_, KeyPair>,
    cert_path: &Path,
    key_path: &Path,
) -> Result<(), CertificateError> {
    let key = KeyPair::generate()?;
    let cert = params.signed_by(&key, issuer)?;
    write(cert_path, &cert.pem(), 0o644)?;
    write(key_path, &key.serialize_pem(), 0o600)
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), CertificateError> {
    let write = || {
        let mut options = File::options();
        let mut file = options.write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes())
    };
    write().map_err(|source| CertificateError::Write {
        path: path.to_owned(),
        source,
    })
}
