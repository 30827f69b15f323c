//! Hundreds of objects at once, in each intake, and while the intake is switched. Thousands on demand,
//! with figures:
//!
//! ```console
//! $ cargo test -p backup-e2e --test e2e -- --ignored --nocapture burst::thousands
//! ```

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use backup_e2e::burst::{each, key_of};
use backup_e2e::world::wait;
use backup_e2e::{Ended, Fault, Proxy, World};

const BURST: usize = 200;
/// Objects that the benchmark uploads before it waits for them, in DIRECT.
pub const WAVE: usize = 50;
/// Batches at once, and messages in each.
const IN_FLIGHT_MAX: u64 = 2 * 10;

/// S3 and DynamoDB ask a tenth of the objects for a slower pace, once more than the SDK tries by itself.
fn throttle(world: &World, prefix: &str) {
    let busy = Fault::Error(503, "SlowDown");
    for tenth in 0..BURST / 10 {
        let (copied, noted) = (key_of(prefix, tenth * 10), key_of(prefix, tenth * 10 + 5));
        world.proxy.fail("CopyObject", &copied, busy, 4);
        world.proxy.fail("PutItem", &noted, Fault::Status(429), 4);
    }
}

/// Throttled calls are made again, and nothing fails.
#[test]
fn a_burst_in_direct_is_backed_up_whole() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let prefix = "plain/burst-direct/";
    throttle(world, prefix);
    world.upload_burst(prefix, 0..BURST);
    world.stored_burst(prefix, BURST, || {});
    world.check_burst(prefix, BURST);
}

/// Every tenth event comes twice, as EventBridge may send it.
#[test]
fn a_burst_in_queued_is_backed_up_whole_and_never_more_at_once_than_allowed() {
    let world = World::queued();
    let _policy = world.policy.read().unwrap();
    let prefix = "plain/burst-queued/";
    throttle(world, prefix);
    world.upload_burst(prefix, 0..BURST);
    each(BURST / 10, |tenth| {
        world.enqueue(&world.event_of(&key_of(prefix, tenth * 10)));
    });
    world.stored_burst(prefix, BURST, || {
        let [_, in_flight] = world.queue_length(&world.outputs["IntakeQueueUrl"]);
        assert!(in_flight <= IN_FLIGHT_MAX, "{in_flight} at once");
    });
    world.drained();
    world.check_burst(prefix, BURST);
}

/// Ends the uploads beside a test, also where it fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Uploads go on while the stack is deployed with one intake after the other.
#[test]
#[ignore = "on demand: several deployments, minutes"]
fn switching_the_intake_loses_nothing() {
    let seldom = [("SweepMinutes", "60")];
    let world = World::start_with_parts(Proxy::start().unwrap(), &seldom, None).unwrap();
    let (prefix, next, over) = (
        "plain/switched/",
        AtomicUsize::new(0),
        AtomicBool::new(false),
    );
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let key = key_of(prefix, next.fetch_add(1, Ordering::Relaxed));
                let body = key.as_bytes();
                let put = world.objects.put_object(world.source(), &key, body, &[]);
                put.unwrap();
                std::thread::sleep(Duration::from_millis(300));
            }
        });
        let _over = Over(&over);
        let deploy = |intake: &str| {
            let begun = Instant::now();
            let outputs = world.deploy_again(&[("Intake", intake), ("SweepMinutes", "60")]);
            println!("{intake} is deployed in {:.1?}", begun.elapsed());
            outputs
        };
        let queued = deploy("QUEUED");
        let queue = queued["IntakeQueueUrl"].clone();
        wait("events come through the queue", || {
            let calls = world.proxy.calls(prefix);
            let queued = calls
                .iter()
                .filter(|it| it.operation == "StartSyncExecution");
            if queued.count() > 5 {
                Ok(())
            } else {
                Err(format!("{} calls", calls.len()))
            }
        });
        let draining = deploy("DRAINING");
        assert_eq!(draining["IntakeQueueUrl"], queue, "it is the same queue");
        wait("the queue is empty", || match world.queue_length(&queue) {
            [0, 0] => Ok(()),
            length => Err(format!("{length:?}")),
        });
        assert!(!deploy("DIRECT").contains_key("IntakeQueueUrl"));
    });
    let count = next.into_inner();
    assert!(count > 50, "{count} objects");
    // A busy machine may fail one while its stack is deployed. It is not lost.
    world.stored_burst_by_redrive(prefix, count);
    world.check_burst(prefix, count);
}

/// Objects of the benchmark: `BURST_OBJECTS`, 2,000 if it is not set.
fn thousands() -> usize {
    let given = std::env::var("BURST_OBJECTS").ok();
    given.map_or(2000, |text| text.parse().unwrap())
}

/// Objects a second in each intake against CopyObject alone, and what is counted for one object.
#[test]
#[ignore = "on demand: minutes, see the first lines of the file"]
fn thousands_in_each_intake_against_bare_copies() {
    let count = thousands();
    for (intake, world) in [("DIRECT", World::get()), ("QUEUED", World::queued())] {
        let _alone = world.policy.write().unwrap();
        let prefix = format!("plain/thousands-{intake}/");
        let begun = Instant::now();
        // The queue holds back by itself; started all at once, this machine would only swap.
        let wave = if intake == "DIRECT" { WAVE } else { count };
        let mut last = begun;
        for first in (0..count).step_by(wave) {
            let until = count.min(first + wave);
            world.upload_burst(&prefix, first..until);
            last = world.stored_burst(&prefix, until, || {});
        }
        let took = last - begun;
        world.check_burst(&prefix, count);
        let bare = bare(world, &prefix, count);
        println!("{intake}: {count} objects");
        println!(
            "  backed up in {took:.1?}: {:.1} a second",
            rate(count, took)
        );
        println!(
            "  CopyObject alone in {bare:.1?}: {:.1} a second",
            rate(count, bare)
        );
        counted(world, &prefix, count);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a pace to be read")]
fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// The same copies without anything around them.
fn bare(world: &World, prefix: &str, count: usize) -> Duration {
    let begun = Instant::now();
    each(count, |number| {
        let key = key_of(prefix, number);
        let url = format!("{}/{}/bare/{key}", world.objects.endpoint(), world.backup());
        let source = format!("/{}/{key}", world.source());
        let copied = ureq::put(url)
            .header("x-amz-copy-source", source)
            .send_empty();
        copied.unwrap();
    });
    begun.elapsed()
}

fn counted(world: &World, prefix: &str, count: usize) {
    let mut calls: BTreeMap<String, usize> = BTreeMap::new();
    for call in world.proxy.calls(prefix) {
        *calls.entry(call.operation).or_default() += 1;
    }
    for (operation, calls) in calls {
        println!("  {operation}: {:.3} an object", ratio(calls, count));
    }
    let point = &world.points(&key_of(prefix, 0))[0];
    let owner = point["owner"]["S"].as_str().unwrap();
    let ended = world.finish(owner.split('@').next().unwrap());
    println!(
        "  one execution: {} transitions, {} invocations",
        transitions(&ended),
        ended.tasks
    );
}

#[expect(clippy::cast_precision_loss, reason = "a ratio to be read")]
pub fn ratio(calls: usize, count: usize) -> f64 {
    calls as f64 / count as f64
}

/// States entered; tasks inside of the Map leave no event of that name on the local stack.
fn transitions(ended: &Ended) -> usize {
    let outer = ["Filter", "Notify"];
    let outer = ended
        .states
        .iter()
        .filter(|it| outer.contains(&it.as_str()));
    ended.states.len() + ended.tasks - outer.count()
}
