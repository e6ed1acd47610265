//! HTTP/2, TLS, and what one address may have.
use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tidegate_host::Tls;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use tidegate_rig::IMMUTABLE;

use crate::setup::Edge;

type Http2 = hyper::client::conn::http2::SendRequest<Empty<Bytes>>;

/// One HTTP/2 connection without TLS: the client knows that the server speaks it.
async fn prior_knowledge(edge: &Edge) -> Http2 {
    let stream = TcpStream::connect(edge.address()).await.unwrap();
    http2(stream).await
}

async fn http2<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static>(stream: S) -> Http2 {
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn get(path: &str, priority: &str) -> Request<Empty<Bytes>> {
    let request = Request::get(format!("http://edge{path}")).header("priority", priority);
    request.body(Empty::new()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_with_prior_knowledge_carries_many_requests_on_one_connection() {
    let edge = Edge::start().await;
    let client = prior_knowledge(&edge).await;
    let parked: Vec<_> = (0..100)
        .map(|_| {
            let mut client = client.clone();
            tokio::spawn(async move {
                client.ready().await.unwrap();
                let response = client.send_request(get("/wait/log/7?timeout-ms=5000", "u=1")).await.unwrap();
                response.into_body().collect().await.unwrap().to_bytes()
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(edge.metric("connections").await, 2, "one for the viewers, one for this question");
    edge.store.put("log/7", "record", IMMUTABLE);
    for parked in parked {
        assert_eq!(parked.await.unwrap(), "There");
    }
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_playlist_overtakes_media_on_the_same_connection() {
    let edge = Edge::start().await;
    edge.store.put("seg", vec![b'x'; 8 << 20], IMMUTABLE);
    let mut client = prior_knowledge(&edge).await;
    client.ready().await.unwrap();
    // Media first, and nobody reads it yet: 8 MiB do not fit into the windows of the client.
    let media = client.send_request(get("/send/seg", "u=5")).await.unwrap();
    client.ready().await.unwrap();
    let playlist = client.send_request(get("/text", "u=1")).await.unwrap();
    let text = tokio::time::timeout(Duration::from_secs(5), playlist.into_body().collect()).await.expect("the playlist waits for media");
    assert!(text.unwrap().to_bytes().len() > 1000);
    assert_eq!(media.into_body().collect().await.unwrap().to_bytes().len(), 8 << 20);
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_offers_http2_and_http1_with_a_certificate_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let tls = Tls::SelfMade { folder: folder.path().to_owned() };
    let edge = Edge::start_with(|config| config.tls = Some(tls)).await;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.path().join("certificate.pem")).unwrap()).unwrap();
    for (offered, chosen) in [(&["h2", "http/1.1"][..], "h2"), (&["http/1.1"], "http/1.1")] {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_root_certificates(roots.clone()).with_no_client_auth();
        config.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
        let stream = TcpStream::connect(edge.address()).await.unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(chosen.as_bytes()));
        let body = if chosen == "h2" {
            let mut client = http2(stream).await;
            client.send_request(get("/noop", "u=3")).await.unwrap().into_body().collect().await.unwrap().to_bytes()
        } else {
            let (mut client, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            let request = Request::get("/noop").header("host", "localhost").body(Empty::<Bytes>::new()).unwrap();
            client.send_request(request).await.unwrap().into_body().collect().await.unwrap().to_bytes()
        };
        assert_eq!(body, "ok");
    }
    // Who speaks in the clear to a port with TLS is hung up on, and nobody else notices.
    let mut plain = TcpStream::connect(edge.address()).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut plain, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut plain, &mut answer).await.ok();
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_does_not_take_the_place_of_all() {
    let edge = Edge::start_with(|config| config.limits.requests_per_address = 2).await;
    let parked = edge.many(2, "/slow?no-store");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(edge.get("/noop").await.status, 429);
    for parked in parked {
        assert_eq!(parked.await.unwrap().status, 200);
    }
    assert_eq!(edge.get("/noop").await.status, 200);
    edge.stopped().await;

    let edge = Edge::start_with(|config| config.limits.connections_per_address = 1).await;
    let held = TcpStream::connect(edge.address()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut refused = TcpStream::connect(edge.address()).await.unwrap();
    let mut answer = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut refused, &mut answer).await.ok();
    assert!(answer.is_empty());
    drop(held);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(edge.get("/noop").await.status, 200);
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_carries_the_id_of_its_request() {
    let edge = Edge::start().await;
    let own = edge.get("/noop").await;
    assert_eq!(own.header("x-request-id").len(), 16);
    let named = edge.send(http::Method::GET, "/noop", &[("x-request-id", "from-the-cdn-1")]).await;
    assert_eq!(named.header("x-request-id"), "from-the-cdn-1");
    let page = edge.get("/metrics").await;
    assert!(page.text().contains("tidegate_host_answers_total{class=\"2xx\"} 2\n"), "{}", page.text());
    assert!(page.text().contains("tidegate_host_answer_seconds_bucket{le=\"+Inf\"} 2\n"), "{}", page.text());
    edge.stopped().await;
}
