//! Signatures of messages: Ed25519 over what a message is and where it belongs.
//!
//! A service signs each message when it publishes it, also when it publishes it again. Its subscribers know its public keys, and refuse
//! a message that is unsigned, altered, or signed for another place.

mod public_keys;
mod signer;
mod statement;

use std::{path::Path, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, SigningKey, VerifyingKey};
use lapin::{
    message::Delivery,
    types::{AMQPValue, FieldTable},
};
use sha2::{Digest as _, Sha256};

pub use self::public_keys::SignatureKeyError;
pub(crate) use self::statement::Content;
use self::{public_keys::PublicKeys, signer::Signer, statement::Statement};
use crate::provenance::Refusal;

const SIGNATURE: &str = "x-signature";
const KEY_ID: &str = "x-key-id";

/// The reason of a dead letter whose message has no signature.
pub(crate) const NOT_SIGNED: &str = "not_signed";

/// The reason of a dead letter whose message was signed with a key that is not known here.
pub(crate) const UNKNOWN_KEY: &str = "unknown_key";

/// The reason of a dead letter whose signature belongs to another message or place.
pub(crate) const BAD_SIGNATURE: &str = "bad_signature";

/// The keys of a service: the one with which it signs its messages, and those of all publishers.
///
/// Without a private key its messages are not signed. Without public keys it accepts messages that are not signed. Both may be switched
/// on one after the other: first all services sign, then they refuse what is not signed.
#[derive(Debug, Clone)]
pub struct Signatures {
    service: &'static str,
    signer: Option<Arc<Signer>>,
    keys: Option<Arc<PublicKeys>>,
}

impl Signatures {
    /// Signs nothing and accepts everything.
    pub const fn none() -> Self {
        Self { service: "", signer: None, keys: None }
    }

    /// Reads the keys of `service`.
    ///
    /// `private_key` is a file in PKCS#8 (DER). It is read again when it changes, so a key is replaced without a stop.
    ///
    /// `public_keys` is a folder with one folder per publisher, which holds the public keys of the publisher in SPKI (DER), in files that
    /// end with `.pub`. It is read again for a key that is not known yet, and once a minute, so that a removed key ends.
    pub fn open(
        service: &'static str,
        private_key: Option<&Path>,
        public_keys: Option<&Path>,
    ) -> Result<Self, SignatureKeyError> {
        let keys = public_keys.map(PublicKeys::open).transpose()?.map(Arc::new);
        let signer = private_key.map(|file| Signer::open(service, file, keys.clone()));
        let signer = signer.transpose()?.map(Arc::new);
        Ok(Self { service, signer, keys })
    }

    /// Signs what this service publishes.
    pub(crate) fn sign(&self, content: Content<'_>, body: &[u8]) -> Option<MessageSignature> {
        let signer = self.signer.as_ref()?;
        let statement = Statement { publisher: self.service, content, body };
        Some(signer.sign(&statement.to_bytes()))
    }

    /// Checks the signature of a message of `publisher`. One of the `contents` must be signed: a dead-letter queue has messages of
    /// several places.
    pub(crate) fn verify<'a>(
        &self,
        publisher: &str,
        contents: impl IntoIterator<Item = Content<'a>>,
        delivery: &Delivery,
    ) -> Result<(), Refusal> {
        self.check(publisher, contents, &delivery.data, MessageSignature::of_delivery(delivery))
    }

    /// Checks the signature of what this service has written for itself.
    pub(crate) fn verify_own(
        &self,
        content: Content<'_>,
        delivery: &Delivery,
    ) -> Result<(), Refusal> {
        self.verify(self.service, [content], delivery)
    }

    fn check<'a>(
        &self,
        publisher: &str,
        contents: impl IntoIterator<Item = Content<'a>>,
        body: &[u8],
        found: Option<MessageSignature>,
    ) -> Result<(), Refusal> {
        let Some(keys) = &self.keys else { return Ok(()) };
        let Some(MessageSignature { key_id, signature }) = found else {
            return Err(Refusal::new(
                NOT_SIGNED,
                format!("the message of {publisher} is unsigned"),
            ));
        };
        let Some(key) = keys.find(publisher, &key_id) else {
            let cause = format!("no public key of {publisher} has the id {key_id}");
            return Err(Refusal::new(UNKNOWN_KEY, cause));
        };
        let is_valid = signature_of(&signature).is_some_and(|signature| {
            contents.into_iter().any(|content| {
                let statement = Statement { publisher, content, body };
                key.verify_strict(&statement.to_bytes(), &signature).is_ok()
            })
        });
        if is_valid {
            Ok(())
        } else {
            let cause = format!(
                "the signature with the key {key_id} is not that of this message of {publisher} here"
            );
            Err(Refusal::new(BAD_SIGNATURE, cause))
        }
    }
}

/// The signature of a message, as its headers hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MessageSignature {
    /// The id of the key.
    key_id: String,
    /// The signature in base64.
    signature: String,
}

impl MessageSignature {
    fn new(key_id: &str, signature: &Signature) -> Self {
        let signature = URL_SAFE_NO_PAD.encode(signature.to_bytes());
        Self { key_id: key_id.to_owned(), signature }
    }

    /// The signature of a delivery, if it has one.
    pub(crate) fn of_delivery(delivery: &Delivery) -> Option<Self> {
        let headers = delivery.properties.headers().as_ref()?.inner();
        let text = |name: &str| {
            let bytes = headers.get(name)?.as_long_string()?.as_bytes();
            String::from_utf8(bytes.to_vec()).ok()
        };
        Some(Self { key_id: text(KEY_ID)?, signature: text(SIGNATURE)? })
    }

    /// Adds the headers.
    pub(crate) fn add_headers(&self, headers: &mut FieldTable) {
        for (name, value) in [(KEY_ID, &self.key_id), (SIGNATURE, &self.signature)] {
            headers.insert(name.into(), AMQPValue::LongString(value.as_str().into()));
        }
    }
}

fn signature_of(text: &str) -> Option<Signature> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    Signature::from_slice(&bytes).ok()
}

/// The id of a key: the first eight bytes of the SHA-256 of the public key, in hexadecimal digits. A collision would only refuse messages.
fn key_id(key: &VerifyingKey) -> String {
    let mut first = [0; 8];
    for (byte, found) in first.iter_mut().zip(Sha256::digest(key.as_bytes())) {
        *byte = found;
    }
    format!("{:016x}", u64::from_be_bytes(first))
}

/// The id of the key with which a private key signs.
fn id_of_private(key: &SigningKey) -> String {
    key_id(&key.verifying_key())
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        path::{Path, PathBuf},
        sync::Arc,
    };

    use ed25519_dalek::{
        SigningKey,
        pkcs8::{EncodePrivateKey as _, EncodePublicKey as _},
    };
    use testkit::DataDir;

    use super::{
        BAD_SIGNATURE, Content, MessageSignature, NOT_SIGNED, SignatureKeyError, Signatures,
        UNKNOWN_KEY,
    };
    use crate::message_position::{Absence, MessagePosition, Purpose};

    /// A folder with the keys of services.
    struct Keys(DataDir);

    impl Keys {
        fn new() -> Self {
            Self(DataDir::temporary("message-keys").unwrap())
        }

        fn folder(&self) -> &Path {
            self.0.path()
        }

        fn private(&self, service: &str) -> PathBuf {
            self.folder().join(format!("{service}.key"))
        }

        /// Writes the key of this seed as the one with which `service` signs.
        fn write_private(&self, service: &str, seed: u8) {
            let der = SigningKey::from_bytes(&[seed; 32]).to_pkcs8_der().unwrap();
            fs::write(self.private(service), der.as_bytes()).unwrap();
        }

        fn write_public(&self, service: &str, seed: u8) -> PathBuf {
            let folder = self.folder().join("public").join(service);
            fs::create_dir_all(&folder).unwrap();
            let key = SigningKey::from_bytes(&[seed; 32]).verifying_key();
            let file = folder.join(format!("{seed}.pub"));
            fs::write(&file, key.to_public_key_der().unwrap().as_bytes()).unwrap();
            file
        }

        fn open(&self, service: &'static str) -> Result<Signatures, SignatureKeyError> {
            let public = self.folder().join("public");
            Signatures::open(service, Some(&self.private(service)), Some(&public))
        }

        /// What the service knows that subscribes to others.
        fn subscriber(&self) -> Signatures {
            Signatures::open("inventory", None, Some(&self.folder().join("public"))).unwrap()
        }
    }

    fn events(aggregate: &str, slot: i16, history: i64, number: i64) -> Content<'_> {
        Content::Events { aggregate, position: MessagePosition { history, slot, number } }
    }

    fn reason(
        subscriber: &Signatures,
        publisher: &str,
        content: Content<'_>,
        body: &[u8],
        signature: Option<&MessageSignature>,
    ) -> Option<&'static str> {
        let checked = subscriber.check(publisher, [content], body, signature.cloned());
        checked.err().map(|refusal| refusal.reason)
    }

    #[test]
    fn a_signature_is_valid_in_its_place_only() {
        let keys = Keys::new();
        for (service, seed) in [("order", 1), ("evil", 2)] {
            keys.write_private(service, seed);
            keys.write_public(service, seed);
        }
        let content = || events("order", 3, 7, 12);
        let signature = keys.open("order").unwrap().sign(content(), b"[1]").unwrap();
        let subscriber = keys.subscriber();
        let check = |publisher: &str, content: Content<'_>, body: &[u8]| {
            reason(&subscriber, publisher, content, body, Some(&signature))
        };
        assert_eq!(check("order", content(), b"[1]"), None);
        for elsewhere in [
            events("stock", 3, 7, 12),
            events("order", 4, 7, 12),
            events("order", 3, 8, 12),
            events("order", 3, 7, 13),
        ] {
            assert_eq!(check("order", elsewhere, b"[1]"), Some(BAD_SIGNATURE), "{elsewhere:?}");
        }
        assert_eq!(check("order", content(), b"[2]"), Some(BAD_SIGNATURE));
        assert_eq!(check("evil", content(), b"[1]"), Some(UNKNOWN_KEY));
        assert_eq!(reason(&subscriber, "order", content(), b"[1]", None), Some(NOT_SIGNED));
        // Another service signs for itself only.
        let evil = keys.open("evil").unwrap().sign(content(), b"[1]").unwrap();
        assert_eq!(reason(&subscriber, "order", content(), b"[1]", Some(&evil)), Some(UNKNOWN_KEY));
    }

    #[test]
    fn an_answer_without_events_is_valid_in_its_queue_only() {
        let keys = Keys::new();
        keys.write_private("order", 1);
        keys.write_public("order", 1);
        let position = MessagePosition { history: 7, slot: 3, number: 12 };
        let content = |queue, why| {
            let purpose = Purpose::Absent { until: 20, why };
            Content::of_position("order", position, purpose, queue)
        };
        let expired = content("inventory.order.1", Absence::Expired);
        let signature = keys.open("order").unwrap().sign(expired, b"[]").unwrap();
        let check = |content| reason(&keys.subscriber(), "order", content, b"[]", Some(&signature));
        assert_eq!(check(expired), None);
        assert_eq!(check(content("search-sync.order.1", Absence::Expired)), Some(BAD_SIGNATURE));
        assert_eq!(check(content("inventory.order.1", Absence::Unknown)), Some(BAD_SIGNATURE));
        assert_eq!(check(events("order", 3, 7, 12)), Some(BAD_SIGNATURE));
    }

    #[test]
    fn a_copy_of_a_message_has_the_signature_of_the_message() {
        let position = MessagePosition { history: 7, slot: 3, number: 12 };
        let of = |purpose| Content::of_position("order", position, purpose, "a queue");
        assert_eq!(of(Purpose::New), of(Purpose::Again));
        assert_eq!(of(Purpose::New), of(Purpose::Reminder));
    }

    #[test]
    fn without_keys_everything_is_accepted() {
        let none = Signatures::none();
        assert!(none.sign(events("order", 1, 1, 1), b"[]").is_none());
        assert_eq!(reason(&none, "order", events("order", 1, 1, 1), b"[]", None), None);
    }

    #[tokio::test]
    async fn keys_rotate_without_a_stop() {
        let keys = Keys::new();
        keys.write_private("order", 1);
        let first = keys.write_public("order", 1);
        let (publisher, subscriber) = (keys.open("order").unwrap(), keys.subscriber());
        let content = || events("order", 1, 1, 1);
        let check = |signature: &MessageSignature| {
            reason(&subscriber, "order", content(), b"[]", Some(signature))
        };
        let old = publisher.sign(content(), b"[]").unwrap();
        assert_eq!(check(&old), None);

        // A key that no subscriber can know is not used.
        keys.write_private("order", 2);
        wait_a_moment().await;
        assert_eq!(publisher.sign(content(), b"[]").unwrap(), old);
        // Neither is a file that is being written.
        fs::write(keys.private("order"), b"half").unwrap();
        wait_a_moment().await;
        assert_eq!(publisher.sign(content(), b"[]").unwrap(), old);

        let _second = keys.write_public("order", 2);
        keys.write_private("order", 2);
        wait_a_moment().await;
        let new = publisher.sign(content(), b"[]").unwrap();
        assert_ne!(new.key_id, old.key_id);
        assert_eq!((check(&new), check(&old)), (None, None), "both keys are known");

        fs::remove_file(first).unwrap();
        let keys_of_subscriber = Arc::clone(subscriber.keys.as_ref().unwrap());
        keys_of_subscriber.expire();
        assert_eq!((check(&new), check(&old)), (None, Some(UNKNOWN_KEY)), "the old key has ended");
    }

    /// Longer than the time for which files are not looked at again.
    async fn wait_a_moment() {
        tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    }

    #[test]
    fn keys_that_cannot_be_used_are_named() {
        let keys = Keys::new();
        fs::create_dir_all(keys.folder().join("public")).unwrap();
        let missing = keys.open("order").unwrap_err();
        assert!(matches!(missing, SignatureKeyError::Read(..)), "{missing}");
        keys.write_private("order", 1);
        let unpublished = keys.open("order").unwrap_err();
        assert!(matches!(unpublished, SignatureKeyError::NotPublished { .. }), "{unpublished}");
        let file = keys.write_public("order", 1);
        keys.open("order").unwrap();
        fs::write(file, b"no key").unwrap();
        let invalid = keys.open("order").unwrap_err();
        assert!(matches!(invalid, SignatureKeyError::NotPublic(..)), "{invalid}");
        fs::write(keys.private("order"), b"no key").unwrap();
        let private = Signatures::open("order", Some(&keys.private("order")), None).unwrap_err();
        assert!(matches!(private, SignatureKeyError::NotPrivate(..)), "{private}");
    }
}
