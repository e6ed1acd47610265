//! TLS before viewers: certificates from files, or one of our own making for a laptop.
use std::{
    fs, io,
    net::IpAddr,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio_rustls::TlsAcceptor;

/// Where the certificate of a host comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Tls {
    /// From two PEM files: the chain, this host first, and its key. They are read again when the host reloads.
    Files {
        /// The chain.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// Made here for this machine, which no browser trusts unasked; kept in the folder, so that it has to be trusted only once.
    SelfMade {
        /// The folder.
        folder: PathBuf,
    },
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is not there, or is not PEM.
    #[error("{} cannot be used: {source}; it has to be a PEM file that this user can read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: rustls::pki_types::pem::Error,
    },
    /// The key is not that of the certificate, or of a kind that is not known.
    #[error("the certificate and its key do not fit together: {0}")]
    Pair(rustls::Error),
    /// A certificate of our own cannot be kept.
    #[error("{} cannot be written: {source}", path.display())]
    Keep {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A certificate of our own cannot be made.
    #[error("a certificate cannot be made: {0}")]
    Make(rcgen::Error),
}

/// A certificate of our own is good for this long, and made anew a month before.
const VALID: Duration = Duration::from_secs(365 * 86_400);
const RENEW_AFTER: Duration = Duration::from_secs(335 * 86_400);
/// HTTP/2 first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The certificate in use; another can take its place while viewers come and go.
#[derive(Debug)]
pub(crate) struct Certificates {
    source: Tls,
    provider: Arc<CryptoProvider>,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificates {
    /// `listen` is one of the names that a certificate of our own is for.
    pub(crate) fn new(source: Tls, listen: IpAddr) -> Result<Arc<Self>, TlsError> {
        if let Tls::SelfMade { folder } = &source {
            make(folder, listen)?;
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let current = RwLock::new(Arc::new(read(&source, &provider)?));
        Ok(Arc::new(Self { source, provider, current }))
    }

    /// Takes the files as they are now; those who are connected stay.
    pub(crate) fn reload(&self) -> Result<(), TlsError> {
        let new = Arc::new(read(&self.source, &self.provider)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// The files that are read, for who watches them.
    pub(crate) fn files(&self) -> [PathBuf; 2] {
        files(&self.source)
    }

    pub(crate) fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor, TlsError> {
        let config = ServerConfig::builder_with_provider(self.provider.clone()).with_safe_default_protocol_versions();
        let mut config = config.map_err(TlsError::Pair)?.with_no_client_auth().with_cert_resolver(self.clone());
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        // A viewer who comes back within hours saves a round trip, on whichever connection.
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(TlsError::Pair)?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn files(source: &Tls) -> [PathBuf; 2] {
    match source {
        Tls::Files { certificate, key } => [certificate.clone(), key.clone()],
        Tls::SelfMade { folder } => [folder.join("certificate.pem"), folder.join("key.pem")],
    }
}

fn read(source: &Tls, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let [certificate, key] = files(source);
    let unusable = |path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::File { path, source }
    };
    let chain = CertificateDer::pem_file_iter(&certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(unusable(&certificate))?;
    let key = PrivateKeyDer::from_pem_file(&key).map_err(unusable(&key))?;
    CertifiedKey::from_der(chain, key, provider).map_err(TlsError::Pair)
}

/// Makes a certificate for this machine, unless there is one that is good for a while.
fn make(folder: &Path, listen: IpAddr) -> Result<(), TlsError> {
    let [certificate, key] = files(&Tls::SelfMade { folder: folder.to_owned() });
    let age = fs::metadata(&certificate).and_then(|meta| meta.modified()).ok().and_then(|made| made.elapsed().ok());
    if key.exists() && age.is_some_and(|age| age < RENEW_AFTER) {
        return Ok(());
    }
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned(), listen.to_string()];
    let mut params = rcgen::CertificateParams::new(names).map_err(TlsError::Make)?;
    params.distinguished_name.push(rcgen::DnType::CommonName, "Tidegate on this machine");
    let now = SystemTime::now();
    params.not_before = (now - Duration::from_secs(3600)).into();
    params.not_after = (now + VALID).into();
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let pair = rcgen::KeyPair::generate().map_err(TlsError::Make)?;
    let made = params.self_signed(&pair).map_err(TlsError::Make)?;
    let keep = |path: &Path, text: &str| {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        io::Write::write_all(&mut file, text.as_bytes())
    };
    for (path, text) in [(&key, pair.serialize_pem()), (&certificate, made.pem())] {
        keep(path, &text).map_err(|source| TlsError::Keep { path: path.clone(), source })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_certificate_of_our_own_is_made_once_and_its_key_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let tls = Tls::SelfMade { folder: folder.path().join("tls") };
        let first = Certificates::new(tls.clone(), [127, 0, 0, 1].into()).unwrap();
        let [certificate, key] = first.files();
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        let text = fs::read(&certificate).unwrap();
        Certificates::new(tls, [127, 0, 0, 1].into()).unwrap();
        assert_eq!(fs::read(&certificate).unwrap(), text);
        first.acceptor().unwrap();
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for folder in [&one, &two] {
            make(folder.path(), [127, 0, 0, 1].into()).unwrap();
        }
        let mixed = Tls::Files { certificate: one.path().join("certificate.pem"), key: two.path().join("key.pem") };
        assert!(matches!(Certificates::new(mixed, [127, 0, 0, 1].into()), Err(TlsError::Pair(_))));
        let none = Tls::Files { certificate: one.path().join("none.pem"), key: one.path().join("key.pem") };
        assert!(matches!(Certificates::new(none, [127, 0, 0, 1].into()), Err(TlsError::File { .. })));
    }
}
