//! Pushes that come again, late, or while they can't be kept.

use std::time::Duration;

use super::platform::{MALL, OTHER, Push, event, now};
use super::receiver::{Receiver, Store, forbidden, success};
use crate::until::until;

const TICKET: &str = "component_verify_ticket";

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_was_taken_is_refused_when_it_comes_again() {
    let receiver = Receiver::start();
    let push = MALL.ticket("1", "t");
    assert_eq!(receiver.post(&push).await, success());
    for minute in 0..10 {
        assert_eq!(receiver.post(&push).await, forbidden(), "after {minute} minutes");
        receiver.clock.advance(59_000);
    }
    assert_eq!(receiver.counted("mall", TICKET, "replayed"), 10);
    receiver.clock.advance(60_000);
    assert_eq!(receiver.post(&push).await, forbidden());
    assert_eq!(receiver.counted("mall", TICKET, "stale"), 1);
    assert_eq!(receiver.arrived().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_nonce_under_the_same_signature_makes_no_new_push() {
    let receiver = Receiver::start();
    let (sent, nonce) = (now(), now() + 1);
    let encrypted =
        MALL.encrypt(&event("AppId", MALL.id, "unauthorized", "<AuthorizerAppid>a</AuthorizerAppid>"));
    let push = MALL.push_encrypted(sent, &nonce.to_string(), &encrypted);
    assert_eq!(receiver.post(&push).await, success());
    // What is signed is sorted first, so that timestamp and nonce can change places.
    let signature = push.query.rsplit('=').next().expect("a signature");
    let exchanged = MALL.push_encrypted(nonce, &sent.to_string(), &encrypted);
    assert!(exchanged.query.ends_with(signature) && exchanged.query != push.query);
    assert_eq!(receiver.post(&exchanged).await, forbidden());
    assert_eq!(receiver.counted("mall", "unauthorized", "replayed"), 1);
    assert_eq!(receiver.arrived().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_push_at_once_is_taken_once() {
    let receiver = Receiver::start();
    let push = MALL.ticket("1", "t");
    let answers = futures(&receiver, &push, 20).await;
    assert_eq!(answers.iter().filter(|answer| **answer == success()).count(), 1);
    assert_eq!(answers.iter().filter(|answer| **answer == forbidden()).count(), 19);
    assert_eq!(receiver.arrived().len(), 1);
}

async fn futures(receiver: &Receiver, push: &Push, times: usize) -> Vec<(u16, String)> {
    let mut sending: Vec<_> = (0..times).map(|_| Box::pin(receiver.post(push))).collect();
    let mut answers = Vec::new();
    std::future::poll_fn(|context| {
        sending.retain_mut(|sending| match sending.as_mut().poll(context) {
            std::task::Poll::Ready(answer) => {
                answers.push(answer);
                false
            }
            std::task::Poll::Pending => true,
        });
        if sending.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn one_nonce_serves_other_pushes_and_other_platforms() {
    let receiver = Receiver::start();
    for push in [MALL.ticket("1", "t"), MALL.ticket("1", "u"), OTHER.ticket("1", "t")] {
        assert_eq!(receiver.post(&push).await, success());
    }
}

/// WeChat waits for a second; whatever isn't kept by then is answered as such, a success comes
/// before.
const _: () = assert!(wxgate::callback::DELIVERY.as_millis() < 1000);

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_could_not_be_kept_is_let_in_again() {
    let receiver = Receiver::start();
    let push = MALL.ticket("1", "t");
    for (store, outcome) in [(Store::Fails, "not_taken"), (Store::Hangs, "not_taken_in_time")] {
        *receiver.store.lock().expect("not poisoned") = store;
        assert_eq!(receiver.post(&push).await, (503, String::new()));
        assert_eq!(receiver.counted("mall", TICKET, outcome), 1);
    }
    *receiver.store.lock().expect("not poisoned") = Store::Takes;
    assert_eq!(receiver.post(&push).await, success());
    assert_eq!(receiver.post(&push).await, forbidden());
    assert_eq!(receiver.arrived().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_whose_sender_hung_up_is_let_in_again() {
    let receiver = Receiver::start();
    let push = MALL.ticket("1", "t");
    *receiver.store.lock().expect("not poisoned") = Store::Hangs;
    let hung_up = tokio::time::timeout(Duration::from_millis(100), receiver.post(&push)).await;
    assert!(hung_up.is_err());
    *receiver.store.lock().expect("not poisoned") = Store::Takes;
    until(|| "a success", async || receiver.post(&push).await == success()).await;
    assert_eq!(receiver.counted("mall", TICKET, "not_taken_in_time"), 0, "given up only at its deadline");
    assert_eq!(receiver.arrived().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timestamp_of_another_time() {
    let receiver = Receiver::start();
    let encrypted =
        MALL.encrypt(&event("AppId", MALL.id, "unauthorized", "<AuthorizerAppid>a</AuthorizerAppid>"));
    for sent in [now() - 610, now() + 610, 0, 1_409_735_669] {
        assert_eq!(receiver.post(&MALL.push_encrypted(sent, "1", &encrypted)).await, forbidden(), "{sent}");
    }
    assert_eq!(receiver.counted("mall", "unauthorized", "stale"), 4);
    for sent in [now() - 590, now() + 590] {
        assert_eq!(receiver.post(&MALL.push_encrypted(sent, "1", &encrypted)).await, success(), "{sent}");
    }
}
