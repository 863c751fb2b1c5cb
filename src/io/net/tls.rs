//! TLS 1.3 with raw public keys (RFC 7250): a key is the identity, and both sides show theirs.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::client::AlwaysResolvesClientRawPublicKeys;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, CipherSuite, ClientConfig, CommonState, DigitallySignedStruct, DistinguishedName, Error,
    OtherError, PeerIncompatible, ServerConfig, SignatureScheme,
};

use super::identity::{Identity, SPKI_PREFIX, key_from_spki};
use crate::protocol::PublicKey;

/// The application protocol of the link between hub and client.
pub const LINK_ALPN: &[u8] = b"potluck-link/1";
/// The application protocol between peers that exchange content.
pub const DATA_ALPN: &[u8] = b"potluck-data/1";

/// The server name that TLS requires. Keys identify hubs, so it is the same for all.
pub const SERVER_NAME: &str = "potluck";

/// The error if the server proved another key than the pinned one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyMismatch {
    /// The pinned key.
    pub expected: PublicKey,
    /// The key that the server proved.
    pub found: PublicKey,
}

impl fmt::Display for KeyMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected the key {}, was shown {}", self.expected, self.found)
    }
}

impl std::error::Error for KeyMismatch {}

/// The TLS configuration of the connecting side. With `expected`, any other key ends the handshake before anything of
/// ours is sent; without, the caller must check [`peer_key`].
pub fn client_config(identity: &Identity, expected: Option<PublicKey>, alpn: &[u8]) -> ClientConfig {
    client_config_noting(identity, expected, alpn, Arc::default())
}

/// The same for a transport that hides the TLS error (quinn keeps only its text): a wrong key is also stored in
/// `mismatch`.
pub fn client_config_noting(
    identity: &Identity,
    expected: Option<PublicKey>,
    alpn: &[u8],
    mismatch: Arc<OnceLock<KeyMismatch>>,
) -> ClientConfig {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider has TLS 1.3 suites")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedKey { expected, mismatch }))
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(certified(identity))));
    config.alpn_protocols = vec![alpn.to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    config.enable_sni = false;
    config
}

/// The TLS configuration of the accepting side. Every client must prove a key; the caller decides about it by
/// [`peer_key`].
pub fn server_config(identity: &Identity, alpn: &[u8]) -> ServerConfig {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider has TLS 1.3 suites")
        .with_client_cert_verifier(Arc::new(PinnedKey { expected: None, mismatch: Arc::default() }))
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(certified(identity))));
    config.alpn_protocols = vec![alpn.to_vec()];
    // No session is ever resumed: a fresh handshake proves the key anew, and tickets cost memory.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config
}

/// The label of the exporter that binds an exchange by a code to its connection.
pub const EXPORTER: &[u8] = b"EXPORTER-potluck-exchange";

/// The key that the other side has proven.
pub fn peer_key(connection: &CommonState) -> Option<PublicKey> {
    key_from_certificates(connection.peer_certificates()?)
}

/// The same for a transport that returns certificates (quinn's `peer_identity`).
pub fn key_from_certificates(shown: &[CertificateDer<'_>]) -> Option<PublicKey> {
    key_from_spki(shown.first()?)
}

/// Why a handshake or a connection failed, as the end of a sentence.
#[allow(clippy::wildcard_enum_match_arm, reason = "a library has more causes than matter here")]
pub fn cause(error: &Error) -> String {
    match error {
        Error::AlertReceived(_) => "the other side refused",
        Error::InvalidMessage(_) | Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            "what came was not TLS"
        }
        Error::PeerIncompatible(_) | Error::NoApplicationProtocol => "the other side speaks something else",
        Error::PeerMisbehaved(_) | Error::DecryptError | Error::PeerSentOversizedRecord => {
            "the other side broke the protocol"
        }
        Error::InvalidCertificate(_) | Error::NoCertificatesPresented => "the other side did not prove its key",
        _ => "no encrypted connection could be made",
    }
    .to_owned()
}

/// Whether a handshake failed because of a key that is not the pinned one.
pub fn key_mismatch(error: &Error) -> Option<KeyMismatch> {
    let Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) = error else { return None };
    inner.downcast_ref().copied()
}

/// AES-128-GCM first: with hardware support it is the fastest suite (see `benches/transfer.rs`).
fn provider() -> Arc<CryptoProvider> {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    Arc::new(provider)
}

fn certified(identity: &Identity) -> Arc<CertifiedKey> {
    let mut spki = SPKI_PREFIX.to_vec();
    spki.extend_from_slice(&identity.key.0);
    Arc::new(CertifiedKey::new(vec![CertificateDer::from(spki)], identity.signer.clone()))
}

fn algorithms() -> WebPkiSupportedAlgorithms {
    aws_lc_rs::default_provider().signature_verification_algorithms
}

/// A verifier that accepts Ed25519 raw public keys only, and of those only the expected one, if any.
#[derive(Debug)]
struct PinnedKey {
    expected: Option<PublicKey>,
    mismatch: Arc<OnceLock<KeyMismatch>>,
}

impl PinnedKey {
    fn verify(&self, shown: &[u8]) -> Result<(), Error> {
        let found = key_from_spki(shown).ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?;
        match self.expected {
            Some(expected) if expected != found => {
                let mismatch = *self.mismatch.get_or_init(|| KeyMismatch { expected, found });
                Err(Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(mismatch)))))
            }
            _ => Ok(()),
        }
    }

    fn verify_signature(
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let spki = SubjectPublicKeyInfoDer::from(shown.as_ref());
        verify_tls13_signature_with_raw_key(message, &spki, signature, &algorithms())
    }
}

fn no_tls12() -> Result<HandshakeSignatureValid, Error> {
    Err(Error::PeerIncompatible(PeerIncompatible::Tls13RequiredForQuic))
}

impl ServerCertVerifier for PinnedKey {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify(end_entity).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Self::verify_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for PinnedKey {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verify(end_entity).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Self::verify_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::{ClientConnection, ServerConnection};

    /// Runs a handshake in memory and says how each side ended.
    fn shake(client: &mut ClientConnection, server: &mut ServerConnection) -> (Result<(), Error>, Result<(), Error>) {
        for _ in 0..8 {
            let mut wire = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut wire).unwrap();
            }
            server.read_tls(&mut wire.as_slice()).unwrap();
            if let Err(e) = server.process_new_packets() {
                return (Ok(()), Err(e));
            }
            wire.clear();
            while server.wants_write() {
                server.write_tls(&mut wire).unwrap();
            }
            client.read_tls(&mut wire.as_slice()).unwrap();
            if let Err(e) = client.process_new_packets() {
                return (Err(e), Ok(()));
            }
        }
        (Ok(()), Ok(()))
    }

    fn pair(expected: Option<PublicKey>) -> (Identity, Identity, ClientConnection, ServerConnection) {
        let (c, s) = (Identity::from_seed([1; 32]), Identity::from_seed([2; 32]));
        let name = ServerName::try_from(SERVER_NAME).unwrap();
        let client = ClientConnection::new(Arc::new(client_config(&c, expected, LINK_ALPN)), name).unwrap();
        let server = ServerConnection::new(Arc::new(server_config(&s, LINK_ALPN))).unwrap();
        (c, s, client, server)
    }

    #[test]
    fn both_sides_learn_the_other_key() {
        let expected = Identity::from_seed([2; 32]).key;
        let (c, s, mut client, mut server) = pair(Some(expected));
        assert_eq!(shake(&mut client, &mut server), (Ok(()), Ok(())));
        assert_eq!(peer_key(&client), Some(s.key));
        assert_eq!(peer_key(&server), Some(c.key));
    }

    #[test]
    fn another_key_than_the_pinned_one_ends_the_handshake() {
        let expected = PublicKey([9; 32]);
        let (_, s, mut client, mut server) = pair(Some(expected));
        let error = shake(&mut client, &mut server).0.unwrap_err();
        assert_eq!(key_mismatch(&error), Some(KeyMismatch { expected, found: s.key }));
    }
}
