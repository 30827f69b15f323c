//! A loopback proxy between the functions and their services: counts calls, fails a named one, and is as
//! strict as AWS where the services are not.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use crate::barrier::Barrier;
use crate::held;
use crate::strict::Strict;
use crate::wire::{answer, operation, read_request, replaced};

/// A caller whose call is held for longer gives it up.
const HOLD_MAX: Duration = Duration::from_secs(25);

/// What happens to a call that matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The service does it, the answer is lost.
    LoseAnswer,
    /// This status is answered, nothing is done.
    Status(u16),
    /// This status comes with an error of this code, as S3 writes it; nothing is done. With 200 it is
    /// an error inside a success.
    Error(u16, &'static str),
    /// The last byte of the answer is another one.
    FlipLastByte,
    /// Half of the answer comes, then the connection ends.
    Truncate,
    /// This text of the answer's body is another one.
    Replace(&'static str, &'static str),
    /// This text of the request is another one of the same length.
    ReplaceAsked(&'static str, &'static str),
    /// The call is held so many milliseconds before it is passed on.
    HoldMs(u64),
    /// The call is held until [`Proxy::release`] names it, 25 s at most, before it is passed on.
    Hold,
    /// The call is held so many milliseconds, then the connection ends; nothing is done.
    StallMs(u64),
}

impl Fault {
    const fn lets_answers_through(self) -> bool {
        matches!(self, Self::Hold | Self::HoldMs(_) | Self::ReplaceAsked(..))
    }
}

/// One call as the proxy saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `CopyObject`, `HeadObject`, `PutItem`, `Publish`, …
    pub operation: String,
    /// Request line, headers and body, as text.
    pub request: String,
    /// Status that the service answered with; `None` where it was not asked, or has not answered yet.
    pub answered: Option<u16>,
}

impl Call {
    /// The function that made it, as it names itself in its user agent.
    pub fn caller(&self) -> Option<&str> {
        let head = self.request.split("\r\n\r\n").next()?;
        let name = head.split(" app/").nth(1)?;
        name.split_whitespace().next()
    }

    /// Value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let head = self.request.split("\r\n\r\n").next()?;
        let mut headers = head.lines().filter_map(|line| line.split_once(':'));
        headers
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    /// What follows the headers.
    pub fn body(&self) -> &str {
        self.request
            .split_once("\r\n\r\n")
            .map_or("", |(_, body)| body)
    }
}

struct Plan {
    operation: &'static str,
    needles: Vec<String>,
    fault: Fault,
    times: u32,
}

/// The proxy; it lives as long as the process.
#[derive(Clone)]
pub struct Proxy {
    address: String,
    upstream: Arc<OnceLock<String>>,
    other: Arc<OnceLock<(&'static str, String)>>,
    pub(crate) calls: Arc<Mutex<Vec<Call>>>,
    plans: Arc<Mutex<Vec<Plan>>>,
    released: Arc<Mutex<Vec<String>>>,
    strict: Arc<Strict>,
    /// Where a caller is stopped.
    pub barrier: Barrier,
}

impl Proxy {
    /// Listens on a free loopback port.
    pub fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let proxy = Self {
            address: format!("http://{}", listener.local_addr()?),
            upstream: Arc::default(),
            other: Arc::default(),
            calls: Arc::default(),
            plans: Arc::default(),
            released: Arc::default(),
            strict: Arc::default(),
            barrier: Barrier::default(),
        };
        let serving = proxy.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let proxy = serving.clone();
                // A broken connection is what the functions are there to survive.
                std::thread::spawn(move || drop(proxy.serve(stream)));
            }
        });
        Ok(proxy)
    }

    /// Where the functions call.
    pub fn endpoint(&self) -> &str {
        &self.address
    }

    /// Where the calls go on to.
    pub fn forward_to(&self, endpoint: &str) {
        let host = endpoint.trim_start_matches("http://").to_owned();
        assert_eq!(
            self.upstream.set(host),
            Ok(()),
            "the proxy forwards elsewhere already"
        );
    }

    /// Where the calls to buckets go on to whose names begin with `prefix`.
    pub fn forward_buckets(&self, prefix: &'static str, endpoint: &str) {
        let host = endpoint.trim_start_matches("http://").to_owned();
        assert_eq!(
            self.other.set((prefix, host)),
            Ok(()),
            "buckets go elsewhere already"
        );
    }

    fn upstream_of(&self, request: &str) -> std::io::Result<&str> {
        let path = request.split(' ').nth(1).unwrap_or_default();
        match self.other.get() {
            Some((prefix, host)) if path.trim_start_matches('/').starts_with(prefix) => Ok(host),
            _ => self
                .upstream
                .get()
                .map(String::as_str)
                .ok_or_else(|| std::io::Error::other("nothing to forward to")),
        }
    }

    /// Fails the next `times` calls of an operation whose request contains `needle`.
    pub fn fail(&self, operation: &'static str, needle: &str, fault: Fault, times: u32) {
        self.fail_all_of(operation, &[needle], fault, times);
    }

    /// The same where the request contains all of `needles`.
    pub fn fail_all_of(&self, operation: &'static str, needles: &[&str], fault: Fault, times: u32) {
        let plan = Plan {
            operation,
            needles: needles.iter().map(|needle| (*needle).to_owned()).collect(),
            fault,
            times,
        };
        held(&self.plans).push(plan);
    }

    /// Takes back all faults that have not come to pass.
    pub fn mend(&self) {
        let mut plans = held(&self.plans);
        plans.clear();
    }

    /// Lets go what is held and whose request contains `needle`.
    pub fn release(&self, needle: &str) {
        let mut released = held(&self.released);
        released.push(needle.to_owned());
    }

    fn hold(&self, request: &str) {
        let begun = Instant::now();
        let is_released = || {
            let released = held(&self.released);
            released.iter().any(|needle| request.contains(needle))
        };
        while !is_released() && begun.elapsed() < HOLD_MAX {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The calls whose request contains `needle`, in order.
    pub fn calls(&self, needle: &str) -> Vec<Call> {
        let calls = held(&self.calls);
        calls
            .iter()
            .filter(|call| call.request.contains(needle))
            .cloned()
            .collect()
    }

    fn serve(&self, mut client: TcpStream) -> std::io::Result<()> {
        let mut request = read_request(&mut client)?;
        let text = String::from_utf8_lossy(&request).into_owned();
        let operation = operation(&text);
        let fault = self.fault(&operation, &text);
        let call = Call {
            operation,
            request: text.clone(),
            answered: None,
        };
        if self.barrier.stops(call.caller()) {
            return Ok(());
        }
        let number = {
            let mut calls = held(&self.calls);
            calls.push(call.clone());
            calls.len() - 1
        };
        match fault {
            Some(Fault::Status(status)) => return answer(&mut client, status, ""),
            Some(Fault::Error(status, code)) => {
                let body = format!("<Error><Code>{code}</Code><Message>planned</Message></Error>");
                return answer(&mut client, status, &body);
            }
            Some(Fault::ReplaceAsked(from, to)) => {
                // What is asked for here has no body.
                request = text.replace(from, to).into_bytes();
            }
            Some(Fault::Hold) => self.hold(&text),
            Some(Fault::HoldMs(ms)) => std::thread::sleep(Duration::from_millis(ms)),
            Some(Fault::StallMs(ms)) => {
                std::thread::sleep(Duration::from_millis(ms));
                return Ok(());
            }
            _ => {}
        }
        let upstream = self.upstream_of(&text)?;
        let _alone = self.strict.alone(&call);
        if let Some(refusal) = self.strict.refused(&call, upstream) {
            self.note(number, format!("HTTP/1.1 {}", refusal.status).as_bytes());
            return answer(&mut client, refusal.status, &refusal.body(&call));
        }
        let mut server = TcpStream::connect(upstream)?;
        server.write_all(&request)?;
        if fault.is_none_or(Fault::lets_answers_through) && !Strict::looks_at_answers(&call) {
            // Large bodies pass by without being held here.
            let mut start = vec![0; 16 * 1024];
            let read = server.read(&mut start)?;
            self.note(number, &start[..read]);
            client.write_all(&start[..read])?;
            return std::io::copy(&mut server, &mut client).map(drop);
        }
        let mut answer = Vec::new();
        server.read_to_end(&mut answer)?;
        let mut answer = self.strict.answered(&call, answer, upstream);
        self.note(number, &answer);
        match fault {
            Some(Fault::LoseAnswer) => return Ok(()),
            Some(Fault::FlipLastByte) => {
                if let Some(last) = answer.last_mut() {
                    *last ^= 1;
                }
            }
            Some(Fault::Truncate) => answer.truncate(answer.len() / 2),
            Some(Fault::Replace(from, to)) => answer = replaced(&answer, from, to),
            _ => {}
        }
        client.write_all(&answer)
    }

    /// Notes the status of an answer by its first line, `HTTP/1.1 200 OK`.
    fn note(&self, number: usize, answer: &[u8]) {
        let line = String::from_utf8_lossy(&answer[..answer.len().min(32)]).into_owned();
        let status = line.split(' ').nth(1).and_then(|it| it.parse().ok());
        let mut calls = held(&self.calls);
        calls[number].answered = status;
    }

    fn fault(&self, operation: &str, text: &str) -> Option<Fault> {
        let mut plans = held(&self.plans);
        let plan = plans.iter_mut().find(|plan| {
            plan.times > 0
                && plan.operation == operation
                && plan.needles.iter().all(|needle| text.contains(needle))
        })?;
        plan.times -= 1;
        Some(plan.fault)
    }
}
