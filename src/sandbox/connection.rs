//! The TCP connection below a request, for what no HTTP server does by itself: resetting it, and sending a head byte by byte.

use std::io::Write as _;
use std::os::fd::AsFd;
use std::time::Duration;

/// A second handle on the connection, beside the HTTP server's.
pub(super) struct Connection(std::os::fd::OwnedFd);

impl Connection {
    pub(super) fn of(stream: &actix_web::rt::net::TcpStream) -> Option<Self> {
        stream.as_fd().try_clone_to_owned().ok().map(Self)
    }

    /// From now on, closing the connection resets it.
    pub(super) fn reset_on_close(&self) -> std::io::Result<()> {
        let stream = std::net::TcpStream::from(self.0.try_clone()?);
        tokio::net::TcpStream::from_std(stream)?.set_zero_linger()
    }

    /// Sends a head in pieces over so long, then the body. Ends early when the client has gone or does not read.
    pub(super) async fn dribble(&self, (head, body): (Vec<u8>, Vec<u8>), over: Duration) {
        let Ok(handle) = self.0.try_clone() else {
            return;
        };
        let mut stream = std::net::TcpStream::from(handle);
        // Forty pieces: more often than a client that only waits for the next byte would ask.
        let size = head.len().div_ceil(40).max(1);
        let pieces = u32::try_from(head.len().div_ceil(size)).unwrap_or(1).max(1);
        for piece in head.chunks(size) {
            tokio::time::sleep(over / pieces).await;
            // The socket does not block, as the HTTP server set it; a head always fits into its buffer.
            if stream.write_all(piece).is_err() {
                return;
            }
        }
        let mut rest = body.as_slice();
        while !rest.is_empty() {
            match stream.write(rest) {
                Ok(0) => return,
                Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Err(_) => return,
            }
        }
    }
}
