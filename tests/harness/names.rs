//! A name server that says what the test says, over UDP and TCP on one port, and counts what it is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use hickory_resolver::proto::op::{Message, Query, ResponseCode};
use hickory_resolver::proto::rr::rdata::{CNAME, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::OwnPort;

/// What it says to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// These records, good for so many seconds: `127.0.0.1`, `::1`, `priority weight port target`, or a name for a CNAME.
    Records(u32, Vec<String>),
    /// The same, but only over TCP; over UDP that there is more than fits.
    OverTcp(u32, Vec<String>),
    /// There is no such name.
    NoSuchName,
    /// Something went wrong.
    Fails,
    /// Nothing at all.
    Nothing,
}

impl Says {
    pub fn records(ttl: u32, all: &[&str]) -> Self {
        Self::Records(ttl, all.iter().map(|&one| one.to_owned()).collect())
    }
}

/// A name server, gone when dropped.
pub struct NameServer {
    pub address: SocketAddr,
    book: Arc<Mutex<Book>>,
    paused: watch::Sender<bool>,
    serving: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Book {
    says: BTreeMap<(String, RecordType), Says>,
    /// What it says to all else.
    otherwise: Option<Says>,
    /// Each question once: one that is not answered soon is sent again.
    asked: BTreeSet<(String, RecordType, u16, Transport)>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Transport {
    Udp,
    Tcp,
}

impl NameServer {
    pub async fn start() -> Self {
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            // The same port may be another's over TCP.
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
                break (udp, tcp);
            }
        };
        Self::serve(udp, tcp)
    }

    /// Where those are that resolv.conf names; it takes the privilege to be there.
    pub async fn start_on_port_53() -> Self {
        for last in 1..255 {
            let address = (Ipv4Addr::new(127, 53, 1, last), 53);
            // Another run of the tests may be there.
            if let (Ok(udp), Ok(tcp)) = (UdpSocket::bind(address).await, TcpListener::bind(address).await) {
                return Self::serve(udp, tcp);
            }
        }
        panic!("port 53 takes root")
    }

    fn serve(udp: UdpSocket, tcp: TcpListener) -> Self {
        let address = udp.local_addr().unwrap();
        let book = Arc::new(Mutex::new(Book::default()));
        let (paused, told) = watch::channel(false);
        let serving = vec![tokio::spawn(serve_udp(udp, book.clone(), told)), tokio::spawn(serve_tcp(tcp, book.clone()))];
        Self { address, book, paused, serving }
    }

    /// An address where no name server is: who asks is refused, and nobody else gets the port until all tests are over.
    pub fn gone() -> SocketAddr {
        OwnPort::of_both().keep()
    }

    /// What it says of a name from now on.
    pub fn says(&self, name: &str, kind: RecordType, says: Says) {
        self.book.lock().unwrap().says.insert((name.into(), kind), says);
    }

    /// Addresses for a name, of either family; none of a family is said to be none.
    pub fn leads(&self, name: &str, ttl: u32, addresses: &[&str]) {
        let (fours, sixes): (Vec<_>, Vec<_>) = addresses.iter().partition(|address| address.contains('.'));
        self.says(name, RecordType::A, Says::records(ttl, &fours));
        self.says(name, RecordType::AAAA, Says::records(ttl, &sixes));
    }

    /// What it says of the addresses of a name from now on, whichever family is asked for.
    pub fn says_of_both(&self, name: &str, says: &Says) {
        self.says(name, RecordType::A, says.clone());
        self.says(name, RecordType::AAAA, says.clone());
    }

    /// What it says of all other names; nothing else being said, that there are none.
    pub fn says_otherwise(&self, says: Says) {
        self.book.lock().unwrap().otherwise = Some(says);
    }

    /// Keeps answers over UDP back, all of them, until it goes on.
    pub fn pause(&self) {
        self.paused.send_replace(true);
    }

    pub fn go_on(&self) {
        self.paused.send_replace(false);
    }

    /// How often it was asked for a name's records.
    pub fn asked(&self, name: &str, kind: RecordType) -> usize {
        self.book.lock().unwrap().asked.iter().filter(|asked| asked.0 == name && asked.1 == kind).count()
    }

    /// All names that it was asked for, each once.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.book.lock().unwrap().asked.iter().map(|asked| asked.0.clone()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.serving.iter().for_each(JoinHandle::abort);
    }
}

async fn serve_udp(socket: UdpSocket, book: Arc<Mutex<Book>>, paused: watch::Receiver<bool>) {
    let socket = Arc::new(socket);
    let mut buffer = [0; 4096];
    while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
        let question = note(&buffer[..length], &book, Transport::Udp);
        let (socket, book, mut paused) = (socket.clone(), book.clone(), paused.clone());
        tokio::spawn(async move {
            // Once the server is gone, so is whoever waits.
            let _ = paused.wait_for(|paused| !paused).await;
            if let Some(answer) = answer(question, &book, Transport::Udp) {
                let _ = socket.send_to(&answer, client).await;
            }
        });
    }
}

async fn serve_tcp(listener: TcpListener, book: Arc<Mutex<Book>>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve_stream(stream, book.clone()));
    }
}

async fn serve_stream(mut stream: TcpStream, book: Arc<Mutex<Book>>) -> Option<()> {
    loop {
        let mut question = vec![0; stream.read_u16().await.ok()?.into()];
        stream.read_exact(&mut question).await.ok()?;
        let question = note(&question, &book, Transport::Tcp);
        if let Some(answer) = answer(question, &book, Transport::Tcp) {
            stream.write_all(&[&u16::try_from(answer.len()).unwrap().to_be_bytes()[..], &answer].concat()).await.ok()?;
        }
    }
}

/// Writes down what is asked.
fn note(question: &[u8], book: &Mutex<Book>, transport: Transport) -> Message {
    let message = Message::from_vec(question).unwrap();
    book.lock().unwrap().asked.insert((name(&message), message.queries[0].query_type(), message.metadata.id, transport));
    message
}

fn name(message: &Message) -> String {
    message.queries[0].name().to_ascii().trim_end_matches('.').to_owned()
}

fn answer(message: Message, book: &Mutex<Book>, transport: Transport) -> Option<Vec<u8>> {
    let query = message.queries[0].clone();
    let says = {
        let book = book.lock().unwrap();
        let said = book.says.get(&(name(&message), query.query_type()));
        said.or(book.otherwise.as_ref()).cloned().unwrap_or(Says::NoSuchName)
    };
    let mut answer = message.into_response();
    answer.metadata.response_code = ResponseCode::NoError;
    match says {
        Says::Nothing => return None,
        Says::Fails => answer.metadata.response_code = ResponseCode::ServFail,
        Says::NoSuchName => answer.metadata.response_code = ResponseCode::NXDomain,
        Says::OverTcp(..) if transport == Transport::Udp => answer.metadata.truncation = true,
        Says::Records(ttl, all) | Says::OverTcp(ttl, all) => {
            answer.add_answers(all.iter().map(|text| record(&query, ttl, text)));
        }
    }
    Some(answer.to_vec().unwrap())
}

fn record(query: &Query, ttl: u32, text: &str) -> Record {
    let fields: Vec<_> = text.split(' ').collect();
    let data = match (text.parse::<IpAddr>(), &fields[..]) {
        (Ok(address), _) => RData::from(address),
        (_, [priority, weight, port, target]) => {
            let number = |text: &str| text.parse().unwrap();
            RData::SRV(SRV::new(number(priority), number(weight), number(port), absolute(target)))
        }
        _ => RData::CNAME(CNAME(absolute(text))),
    };
    Record::from_rdata(query.name().clone(), ttl, data)
}

fn absolute(name: &str) -> Name {
    Name::from_ascii(format!("{}.", name.trim_end_matches('.'))).unwrap()
}
