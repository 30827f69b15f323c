//! The real SDK on top of the world: an HTTP client without sockets, a clock, a sleep without
//! waiting.

use std::time::{Duration, SystemTime};

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep, Sleep};
use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use backup_aws::Clients;

use crate::wire::Request;
use crate::world::World;

impl HttpClient for World {
    fn http_connector(
        &self,
        _settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for World {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.send(Request::read(&request)))
    }
}

impl TimeSource for World {
    fn now(&self) -> SystemTime {
        let state = self.state();
        let ms = u64::try_from(state.clock_ms + state.skew_ms).expect("after 1970");
        SystemTime::UNIX_EPOCH + Duration::from_millis(ms)
    }
}

/// Waits between retries are over at once; time-outs never come, since the world decides which call
/// is lost.
#[derive(Debug)]
struct NoWaiting;

/// Longest wait between retries of ours, shortest time-out: see `backup_aws::clients`.
const BETWEEN: Duration = Duration::from_secs(5);

impl AsyncSleep for NoWaiting {
    fn sleep(&self, duration: Duration) -> Sleep {
        if duration < BETWEEN {
            Sleep::new(std::future::ready(()))
        } else {
            Sleep::new(std::future::pending())
        }
    }
}

/// Clients whose every call goes to the world.
pub fn clients(world: &World) -> Clients {
    let credentials = Credentials::new("AKID", "secret", None, None, "simulation");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(SharedHttpClient::new(world.clone()))
        .time_source(SharedTimeSource::new(world.clone()))
        .sleep_impl(SharedAsyncSleep::new(NoWaiting))
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        .build();
    Clients::new(config, true)
}
