//! Small writes of one HTTP/2 connection, sent together.
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are gathered before they are sent in any case.
const GATHERED: usize = 64 << 10;
/// A write of so many bytes goes out from where it lies: copying it would cost more than a call saves.
const LARGE: usize = 8 << 10;
/// How every HTTP/2 connection begins (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI ";

/// A stream on which answers to many viewers' requests are ready at one moment.
///
/// When a part wakes all requests of a connection, each answer would be a write of its own: hyper's connection runs as soon as the first
/// of them is ready. Here a flush is put off until everything that is ready has run once; the connection is woken for that, and begins
/// each time by reading.
pub(crate) struct Gathered<S> {
    stream: S,
    /// What is gathered, from `sent` on not sent yet.
    buffer: Vec<u8>,
    sent: usize,
    speaks_http2: Option<bool>,
}

impl<S> Gathered<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, buffer: Vec::new(), sent: 0, speaks_http2: None }
    }

    fn gathers(&self) -> bool {
        self.speaks_http2 == Some(true)
    }
}

impl<S: AsyncWrite + Unpin> Gathered<S> {
    /// Sends what is gathered.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.buffer.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.sent += sent,
            }
        }
        self.sent = 0;
        self.buffer.clear();
        // Thousands of connections are idle: they keep no memory for what they have sent.
        if self.buffer.capacity() > 0 {
            self.buffer = Vec::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Gathered<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.buffer.is_empty()
            && let Poll::Ready(result) = self.poll_send(cx)
        {
            result?;
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if self.speaks_http2.is_none() {
            let first = buf.filled().get(before..).unwrap_or_default();
            self.speaks_http2 = Some(first.starts_with(PREFACE));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathered<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if !self.gathers() {
            return Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        }
        let len: usize = slices.iter().map(|slice| slice.len()).sum();
        if self.buffer.len() + len > GATHERED || len >= LARGE {
            ready!(self.poll_send(cx))?;
            if len >= LARGE {
                return Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
            }
        }
        for slice in slices {
            self.buffer.extend_from_slice(slice);
        }
        Poll::Ready(Ok(len))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.buffer.is_empty() {
            return Pin::new(&mut self.stream).poll_flush(cx);
        }
        // The next read sends it.
        cx.waker().wake_by_ref();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    async fn begun(first: &[u8]) -> (Gathered<tokio::io::DuplexStream>, tokio::io::DuplexStream) {
        let (near, mut far) = duplex(1 << 20);
        let mut near = Gathered::new(near);
        far.write_all(first).await.unwrap();
        near.read_exact(&mut vec![0; first.len()]).await.unwrap();
        (near, far)
    }

    async fn arrived(far: &mut tokio::io::DuplexStream) -> usize {
        let mut bytes = vec![0; 1 << 20];
        tokio::select! {
            biased;
            read = far.read(&mut bytes) => read.unwrap(),
            () = tokio::task::yield_now() => 0,
        }
    }

    #[tokio::test]
    async fn small_writes_of_http2_go_out_with_the_next_read() {
        let (mut near, mut far) = begun(b"PRI * HTTP/2.0").await;
        for _ in 0..3 {
            near.write_all(b"frame").await.unwrap();
            near.flush().await.unwrap();
        }
        assert_eq!(arrived(&mut far).await, 0);
        far.write_all(b"x").await.unwrap();
        assert_eq!(near.read_u8().await.unwrap(), b'x');
        assert_eq!(arrived(&mut far).await, 15);
    }

    #[tokio::test]
    async fn large_writes_and_the_end_go_out_at_once_and_in_order() {
        let (mut near, mut far) = begun(b"PRI * HTTP/2.0").await;
        near.write_all(b"head").await.unwrap();
        near.write_all(&[1; LARGE]).await.unwrap();
        assert_eq!(arrived(&mut far).await, 4 + LARGE);
        near.write_all(b"tail").await.unwrap();
        near.shutdown().await.unwrap();
        assert_eq!(arrived(&mut far).await, 4);
    }

    #[tokio::test]
    async fn http1_is_left_alone() {
        let (mut near, mut far) = begun(b"GET / HTTP/1.1").await;
        near.write_all(b"answer").await.unwrap();
        assert_eq!(arrived(&mut far).await, 6);
    }
}
