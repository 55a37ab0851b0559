//! One order: a certificate for one name, from the request for it to the chain. Dropped at any time, it
//! leaves nothing behind here; the authority forgets orders that are not gone on with.
//!
//! Each name has a certificate of its own, as in certmagic: a name that cannot be proven, for its DNS leads
//! elsewhere, keeps no other from being renewed, names come and go without new certificates for the rest, and
//! a certificate does not tell which other names are served here.

use std::time::{Duration, SystemTime};

use instant_acme::{
    Account, AuthorizationStatus, CertificateIdentifier, ChallengeType, Error, Identifier,
    NewOrder, Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};

use super::issued::Issued;
use super::retry::{OrderError, is, problem_text, retried};
use super::settings::ChallengeKind;
use crate::tls::Challenge;

/// How long the authority may take to look, or to sign. Asked after a quarter of a second, then after
/// pauses that double, or when it says.
const POLLS: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(250))
    .timeout(Duration::from_secs(90));

/// Makes a challenge visible wherever the authority may look, and takes it back.
pub(super) trait Show {
    /// Returns once it is visible.
    async fn show(&self, name: &str, challenge: Challenge) -> Result<(), OrderError>;
    /// It need not be visible any more.
    async fn hide(&self, name: &str);
}

/// Orders a certificate for `name`, which replaces `old`.
pub(super) async fn order(
    account: &Account,
    name: &str,
    kind: ChallengeKind,
    old: Option<&Issued>,
    shown: &impl Show,
) -> Result<Issued, OrderError> {
    let mut order = new_order(account, name, old).await?;
    if let Some(challenge) = pending(&mut order, kind).await? {
        let proven = match shown.show(name, challenge).await {
            Ok(()) => prove(&mut order, kind).await,
            not_shown => not_shown,
        };
        shown.hide(name).await;
        proven?;
    }
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new([name.to_owned()])?;
    params.distinguished_name = DistinguishedName::new();
    let request = params.serialize_request(&key)?;
    retried(async || Ok(order.finalize_csr(request.der()).await?)).await?;
    let chain = retried(async || Ok(order.poll_certificate(&POLLS).await?)).await;
    let chain = chain.map_err(late)?;
    let text = key.serialize_pem() + &chain;
    Ok(Issued::parse(text, name, SystemTime::now())?)
}

/// Tells the authority what is wanted, and which certificate that is to replace (RFC 9773 section 5).
async fn new_order(
    account: &Account,
    name: &str,
    old: Option<&Issued>,
) -> Result<Order, OrderError> {
    let names = [Identifier::Dns(name.to_owned())];
    let replaced = old.and_then(|old| CertificateIdentifier::try_from(&old.leaf).ok());
    if let Some(replaced) = replaced {
        let wanted = NewOrder::new(&names).replaces(replaced);
        match retried(async || Ok(account.new_order(&wanted).await?)).await {
            // An authority that does not know the old one, or has replaced it already, or has no ARI, is
            // asked for a certificate like any other.
            Err(OrderError::Authority(Error::Unsupported(_) | Error::Other(_))) => {}
            Err(OrderError::Authority(Error::Api(problem)))
                if is(&problem, "alreadyReplaced") || is(&problem, "malformed") => {}
            done => return done,
        }
    }
    let wanted = NewOrder::new(&names);
    retried(async || Ok(account.new_order(&wanted).await?)).await
}

/// The challenge that is to be shown, or none if the authority still knows that the name is ours.
async fn pending(order: &mut Order, kind: ChallengeKind) -> Result<Option<Challenge>, OrderError> {
    retried(async || {
        let mut all = order.authorizations();
        // One for each name of an order.
        let mut authorization = all.next().await.ok_or(OrderError::NotOffered(kind))??;
        match authorization.status {
            AuthorizationStatus::Valid => return Ok(None),
            AuthorizationStatus::Pending => {}
            other => return Err(OrderError::NotOpen(other)),
        }
        let challenge = authorization.challenge(type_of(kind));
        let challenge = challenge.ok_or(OrderError::NotOffered(kind))?;
        Ok(Some(Challenge {
            token: challenge.token.clone(),
            key_authorization: challenge.key_authorization().as_str().to_owned(),
        }))
    })
    .await
}

/// Tells the authority that the challenge is visible, and waits until it has looked.
async fn prove(order: &mut Order, kind: ChallengeKind) -> Result<(), OrderError> {
    retried(async || {
        let mut all = order.authorizations();
        let mut authorization = all.next().await.ok_or(OrderError::NotOffered(kind))??;
        let challenge = authorization.challenge(type_of(kind));
        let mut challenge = challenge.ok_or(OrderError::NotOffered(kind))?;
        Ok(challenge.set_ready().await?)
    })
    .await?;
    let status = retried(async || Ok(order.poll_ready(&POLLS).await?)).await;
    match status.map_err(late) {
        Ok(OrderStatus::Ready | OrderStatus::Valid) => Ok(()),
        Ok(_) | Err(OrderError::Authority(Error::Api(_))) => {
            Err(OrderError::NotProven(reason(order, kind).await))
        }
        Err(error) => Err(error),
    }
}

/// What the authority says it saw.
async fn reason(order: &mut Order, kind: ChallengeKind) -> String {
    let seen = retried(async || {
        let mut all = order.authorizations();
        let mut authorization = all.next().await.ok_or(OrderError::NotOffered(kind))??;
        let state = authorization.refresh().await?;
        let failed = state.challenges.iter().find_map(|one| one.error.as_ref());
        Ok(failed.map(problem_text))
    });
    match seen.await {
        Ok(Some(reason)) => reason,
        Ok(None) => "it does not say why".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn late(error: OrderError) -> OrderError {
    match error {
        OrderError::Authority(Error::Timeout(_)) => OrderError::Late,
        error => error,
    }
}

fn type_of(kind: ChallengeKind) -> ChallengeType {
    match kind {
        ChallengeKind::TlsAlpn01 => ChallengeType::TlsAlpn01,
        ChallengeKind::Http01 => ChallengeType::Http01,
    }
}
