//! Where a peer is dialled: a port that stays its own, listened on or not.

use std::io;
use std::net::{Shutdown, SocketAddr, SocketAddrV4};

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;

use super::connection::Link;

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1_024;

#[derive(Debug)]
pub(super) struct Door {
    address: SocketAddrV4,
    /// Bound and never listening: while the peer is lost its connections are refused, and nobody
    /// else is given the port.
    _reservation: TcpSocket,
    listener: Option<TcpListener>,
    pub(super) link: watch::Sender<Link>,
}

impl Door {
    /// Takes a port, one of its own if that of `address` is 0, and listens on it.
    pub(super) fn open(address: SocketAddrV4) -> io::Result<Self> {
        let reservation = bind(address)?;
        let SocketAddr::V4(address) = reservation.local_addr()? else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let mut door = Self {
            address,
            _reservation: reservation,
            listener: None,
            link: watch::Sender::new(Link::default()),
        };
        door.listen(true)?;
        Ok(door)
    }

    pub(super) fn address(&self) -> SocketAddrV4 {
        self.address
    }

    pub(super) fn listener(&self) -> Option<&TcpListener> {
        self.listener.as_ref()
    }

    /// Begins to listen, or has connections refused, from this moment on.
    pub(super) fn listen(&mut self, listening: bool) -> io::Result<()> {
        if let Some(listener) = self.listener.take() {
            // A program that is just being started has a copy for a moment, which would take
            // connections and keep the port.
            SockRef::from(&listener).shutdown(Shutdown::Both)?;
        }
        if listening {
            self.listener = Some(bind(self.address)?.listen(BACKLOG)?);
        }
        Ok(())
    }
}

/// Two sockets of one port get along as long as only one of them listens.
fn bind(address: SocketAddrV4) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address.into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;
    use std::os::fd::AsFd as _;

    use super::*;

    #[tokio::test]
    async fn a_copy_that_a_program_inherits_for_a_moment_does_not_listen() {
        let mut door = Door::open("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = door.listener().unwrap();
        let _copy = listener.as_fd().try_clone_to_owned().unwrap();
        TcpStream::connect(door.address()).unwrap();
        door.listen(false).unwrap();
        let refused = TcpStream::connect(door.address()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        door.listen(true).unwrap();
        TcpStream::connect(door.address()).unwrap();
    }
}
