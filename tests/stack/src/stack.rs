//! A local stack from start to stop.

use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::cloud::Cloud;
use crate::deploy::{self, Outputs};
use crate::error::Result;
use crate::kept::{self, Kept};
use crate::layout::Layout;
use crate::lock::Lock;
use crate::ministack::{Launch, Running, unique_name};
use crate::progress::{Progress, Silent, step};
use crate::toolchain::Toolchain;

/// Each takes 2 s where nothing answers; a busy machine may need more than one.
const HEALTH_ATTEMPTS: usize = 5;

/// How long a stack lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// As long as the process that started it, however that one ends.
    Leashed,
    /// Until [`Kept::stop`]; there is one such stack in a workspace, and starting it again finds it.
    Kept,
}

/// How a stack is to be started.
#[derive(Clone)]
pub struct Options {
    pub life: Life,
    /// None takes any free port; a kept stack then prefers 4566.
    pub port: Option<u16>,
    /// Where to listen; none is 127.0.0.1.
    pub address: Option<Ipv4Addr>,
    /// Where the Lambda functions call AWS, e.g. a proxy that injects faults; none is the stack.
    pub lambda_endpoint: Option<String>,
    /// Multiplies the waits of state machines, retries included; 0 takes them out.
    pub wait_scale: Option<f64>,
    /// None is the workspace's own template.
    pub template: Option<PathBuf>,
    pub progress: Arc<dyn Progress>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            life: Life::Leashed,
            port: None,
            address: None,
            lambda_endpoint: None,
            wait_scale: None,
            template: None,
            progress: Arc::new(Silent),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("life", &self.life)
            .field("port", &self.port)
            .field("address", &self.address)
            .field("lambda_endpoint", &self.lambda_endpoint)
            .field("wait_scale", &self.wait_scale)
            .field("template", &self.template)
            .finish_non_exhaustive()
    }
}

/// A local stack that answers. Dropping a leashed one stops it.
#[derive(Debug)]
pub struct Stack {
    pub(crate) toolchain: Toolchain,
    pub(crate) options: Options,
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    endpoint: String,
    life: Held,
}

#[derive(Debug)]
enum Held {
    Leashed(Mutex<Option<Running>>),
    Kept(Mutex<Kept>),
}

impl Stack {
    /// Installs what is missing, starts MiniStack and waits until it answers. A kept stack that is
    /// running already is found again.
    pub fn start(options: Options) -> Result<Self> {
        let toolchain = Toolchain::ensure(&*options.progress)?;
        match options.life {
            Life::Leashed => Self::start_leashed(toolchain, options),
            Life::Kept => Self::start_kept(toolchain, options),
        }
    }

    fn start_leashed(toolchain: Toolchain, options: Options) -> Result<Self> {
        let name = unique_name();
        let running = launch(&toolchain, &options, &name)?;
        Ok(Self {
            name,
            folder: running.folder.clone(),
            endpoint: running.endpoint.clone(),
            life: Held::Leashed(Mutex::new(Some(running))),
            toolchain,
            options,
        })
    }

    fn start_kept(toolchain: Toolchain, options: Options) -> Result<Self> {
        let layout = toolchain.layout();
        let _lock = Lock::hold(&layout.lock("kept"), || {
            let reason = "Waiting for another process that starts the stack";
            options.progress.waiting(reason);
        })?;
        let kept = if let Some(kept) = find_healthy(layout)? {
            kept.listens_at(options.address, options.port)?;
            kept
        } else {
            Kept::clear(layout)?;
            Kept::note(layout, &launch(&toolchain, &options, kept::NAME)?)?
        };
        Ok(Self {
            name: kept::NAME.into(),
            folder: layout.runs().join(kept::NAME),
            endpoint: kept.endpoint().into(),
            life: Held::Kept(Mutex::new(kept)),
            toolchain,
            options,
        })
    }

    /// Builds the Lambda functions and deploys the template with these parameters. Quick when
    /// nothing has changed since the last time.
    pub fn deploy(&self, parameters: &[(&str, &str)]) -> Result<Outputs> {
        match &self.life {
            Held::Leashed(_) => {
                let given = parameters
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
                deploy::deploy(self, given.collect())
            }
            Held::Kept(kept) => {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                let parameters = kept.merged(parameters);
                let outputs = deploy::deploy(self, parameters.clone())?;
                kept.deployed(self.toolchain.layout(), parameters, &outputs)?;
                Ok(outputs)
            }
        }
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The endpoint's address without its port.
    pub(crate) fn host(&self) -> &str {
        let host = self.endpoint.trim_start_matches("http://");
        host.split(':').next().unwrap_or(host)
    }

    /// A client of this stack.
    pub fn cloud(&self) -> Cloud {
        Cloud::new(&self.endpoint)
    }

    /// Where the stack's log is; it outlives the stack.
    pub fn log(&self) -> Result<PathBuf> {
        self.toolchain
            .layout()
            .log(&format!("ministack-{}", self.name))
    }

    /// Ends the stack with all it started, and returns when all is gone.
    pub fn stop(self) -> Result<()> {
        match &self.life {
            Held::Leashed(_) => Ok(()), // dropping does it
            Held::Kept(kept) => {
                let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.clone().stop(self.toolchain.layout())
            }
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if let Held::Leashed(running) = &self.life {
            let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(running) = running.as_mut() {
                running.stop();
            }
        }
    }
}

/// The kept stack if it answers; one that does not is stopped, for nothing else helps it.
fn find_healthy(layout: &Layout) -> Result<Option<Kept>> {
    let Some(kept) = Kept::find(layout)? else {
        return Ok(None);
    };
    let cloud = kept.cloud();
    if (0..HEALTH_ATTEMPTS).any(|_| cloud.health().is_some()) {
        return Ok(Some(kept));
    }
    kept.stop(layout)?;
    Ok(None)
}

fn launch(toolchain: &Toolchain, options: &Options, name: &str) -> Result<Running> {
    step(&*options.progress, "Starting the local stack", || {
        let launch = Launch {
            toolchain,
            name: name.into(),
            kept: options.life == Life::Kept,
            port: options.port,
            address: options.address.unwrap_or(Ipv4Addr::LOCALHOST),
            lambda_endpoint: options.lambda_endpoint.as_deref(),
            wait_scale: options.wait_scale,
        };
        let running = launch.start()?;
        let result = format!("Local stack started at {}", running.endpoint);
        Ok((running, result))
    })
}
