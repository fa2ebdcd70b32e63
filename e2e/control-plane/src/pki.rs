//! The certificate authority and the keys of one control plane.

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType,
};

use crate::files::{FileError, create_dir, write_private};

const CA_CERT: &str = "ca.crt";
const SERVER_CERT: &str = "apiserver.crt";
const SERVER_KEY: &str = "apiserver.key";
const ADMIN_CERT: &str = "admin.crt";
const ADMIN_KEY: &str = "admin.key";
const SERVICE_ACCOUNT_KEY: &str = "service-account.key";
const SERVICE_ACCOUNT_PUBLIC_KEY: &str = "service-account.pub";

/// The first address of the Service range, which Pods know as `kubernetes.default`.
const SERVICE_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);

/// Why the keys and certificates could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A key or certificate could not be generated.
    #[error("cannot generate the control plane's certificates: {0}")]
    Generate(#[from] rcgen::Error),
    /// It could not be stored.
    #[error(transparent)]
    File(#[from] FileError),
}

/// The folder with the PEM files of one control plane.
#[derive(Debug)]
pub(crate) struct Pki {
    folder: PathBuf,
}

impl Pki {
    /// Generates everything into `folder`, or takes what an earlier start has left there.
    pub(crate) fn ensure(folder: &Path) -> Result<Self, PkiError> {
        if !folder.is_dir() {
            let temporary = folder.with_extension("partial");
            create_dir(&temporary)?;
            generate(&temporary)?;
            fs::rename(&temporary, folder).map_err(FileError::at("create", folder))?;
        }
        Ok(Self {
            folder: folder.to_path_buf(),
        })
    }

    pub(crate) fn ca_cert(&self) -> PathBuf {
        self.folder.join(CA_CERT)
    }

    pub(crate) fn server_cert(&self) -> PathBuf {
        self.folder.join(SERVER_CERT)
    }

    pub(crate) fn server_key(&self) -> PathBuf {
        self.folder.join(SERVER_KEY)
    }

    pub(crate) fn admin_cert(&self) -> PathBuf {
        self.folder.join(ADMIN_CERT)
    }

    pub(crate) fn admin_key(&self) -> PathBuf {
        self.folder.join(ADMIN_KEY)
    }

    /// The private key that signs ServiceAccount tokens.
    pub(crate) fn service_account_key(&self) -> PathBuf {
        self.folder.join(SERVICE_ACCOUNT_KEY)
    }

    /// The public key that verifies them.
    pub(crate) fn service_account_public_key(&self) -> PathBuf {
        self.folder.join(SERVICE_ACCOUNT_PUBLIC_KEY)
    }
}

fn generate(folder: &Path) -> Result<(), PkiError> {
    let ca = CertifiedIssuer::self_signed(ca_params()?, KeyPair::generate()?)?;
    write_private(&folder.join(CA_CERT), &ca.pem())?;

    let server_key = KeyPair::generate()?;
    write_private(
        &folder.join(SERVER_CERT),
        &server_params()?.signed_by(&server_key, &ca)?.pem(),
    )?;
    write_private(&folder.join(SERVER_KEY), &server_key.serialize_pem())?;

    let admin_key = KeyPair::generate()?;
    write_private(
        &folder.join(ADMIN_CERT),
        &admin_params()?.signed_by(&admin_key, &ca)?.pem(),
    )?;
    write_private(&folder.join(ADMIN_KEY), &admin_key.serialize_pem())?;

    let token_key = KeyPair::generate()?;
    write_private(
        &folder.join(SERVICE_ACCOUNT_KEY),
        &token_key.serialize_pem(),
    )?;
    write_private(
        &folder.join(SERVICE_ACCOUNT_PUBLIC_KEY),
        &token_key.public_key_pem(),
    )?;
    Ok(())
}

fn ca_params() -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params
        .distinguished_name
        .push(DnType::CommonName, "kubernetes");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    Ok(params)
}

fn server_params() -> Result<CertificateParams, rcgen::Error> {
    let names = [
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
    ];
    let mut params = CertificateParams::new(names.map(String::from))?;
    params
        .distinguished_name
        .push(DnType::CommonName, "kube-apiserver");
    let addresses = [Ipv4Addr::LOCALHOST, SERVICE_ADDRESS];
    params
        .subject_alt_names
        .extend(addresses.map(|address| SanType::IpAddress(address.into())));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

/// The group `system:masters` may do everything, whatever RBAC says.
fn admin_params() -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, "admin");
    params
        .distinguished_name
        .push(DnType::OrganizationName, "system:masters");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}
