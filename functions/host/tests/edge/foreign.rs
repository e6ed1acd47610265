//! What is not ours, played by a server of single answers.
use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use flate2::{Compression, write::GzEncoder};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::setup::Edge;

/// An origin that gives every connection this answer, after reading a request; its `host:port`.
pub(crate) async fn origin(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                assert!(stream.read(&mut request).await.is_ok_and(|read| read > 0));
                if answer.is_empty() {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
                stream.write_all(&answer).await.ok();
            });
        }
    });
    address
}

pub(crate) fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len()).into_bytes();
    answer.extend_from_slice(body);
    answer
}

fn zipped(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

async fn edge(origin: &str) -> Edge {
    let origin = origin.to_owned();
    Edge::start_with(|config| config.private_origins = vec![origin]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_origin_that_is_named_is_read_and_decoded() {
    let plain = origin(answer("200 OK", b"#EXTM3U")).await;
    let edge = edge(&plain).await;
    assert_eq!(edge.get(&format!("/load/,/{plain}/a")).await.text(), "200 coding=false 7 #EXTM3U");
    edge.stopped().await;

    let gzip = origin(answer("200 OK\r\ncontent-encoding: gzip", &zipped(&b"#EXTM3U\n".repeat(100)))).await;
    let edge = self::edge(&gzip).await;
    assert_eq!(edge.get(&format!("/load/,/{gzip}/a")).await.text(), "200 coding=false 800 #EXTM3U\n#EXTM3U\n#EXT");
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redirects_are_not_followed() {
    let moved = origin(answer("302 Found\r\nlocation: http://169.254.169.254/", b"")).await;
    let edge = edge(&moved).await;
    assert_eq!(edge.get(&format!("/load/,/{moved}/a")).await.text(), "302 coding=false 0 ");
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_long_ends_at_the_limit() {
    for (head, body) in [("200 OK", vec![b'x'; 5000]), ("200 OK\r\ncontent-encoding: gzip", zipped(&vec![b'x'; 3_000_000]))] {
        let long = origin(answer(head, &body)).await;
        let edge = edge(&long).await;
        let answer = edge.get(&format!("/load/4999,/{long}/a")).await;
        assert_eq!(answer.text(), "TooLarge");
        edge.stopped().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_origin_that_does_not_answer_is_left_in_time() {
    let silent = origin(Vec::new()).await;
    let edge = edge(&silent).await;
    let start = Instant::now();
    let answer = edge.get(&format!("/load/,300/{silent}/a")).await;
    assert_eq!(answer.text(), "Failed");
    assert!((300..1500).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_that_are_not_public_are_denied() {
    let own = origin(answer("200 OK", b"secret")).await;
    let edge = Edge::start().await;
    let port = own.rsplit_once(':').unwrap().1;
    for address in
        [own.as_str(), &format!("localhost:{port}"), &format!("[::ffff:127.0.0.1]:{port}"), &format!("0x7f.1:{port}"), "169.254.169.254"]
    {
        let answer = edge.get(&format!("/load/,/{address}/")).await;
        assert_eq!(answer.text(), "Denied", "{address}");
    }
    edge.stopped().await;
}
